"""When a curve counts as emerged: thresholds, the k-consecutive rule, and the test behind the data-driven
threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from scipy.signal import lfilter

from emergelab.errors import UserError
from emergelab.instruments._logistic import LogisticFit, log_axis
from emergelab.statistics import benjamini_hochberg

__all__ = ["Crossing", "Rule", "cross", "make_rule", "rise_test", "swept"]

Threshold: TypeAlias = float | tuple[Literal["fraction", "z"], float] | None

_RISE_ALPHA = 0.05  # false discovery rate at which a seed counts as risen under the data-driven threshold
_LOG_FROM = 20.0  # widest over narrowest gap of the time grid from which time is read on the log axis


@dataclass(frozen=True)
class Crossing:
    """First lasting passage of the threshold, one a curve.

    Attributes:
        onset: time of the first of k consecutive records beyond the threshold; NaN if there is none.
        left: time of the record before it; minus infinity if the very first record is beyond already.
        last: time of the last record: where a seed that never emerged is censored.
        emerged: whether there is an onset.
    """

    onset: Float[np.ndarray, "condition seed"]
    left: Float[np.ndarray, "condition seed"]
    last: Float[np.ndarray, "condition seed"]
    emerged: Bool[np.ndarray, "condition seed"]

    @property
    def duration(self) -> Float[np.ndarray, "condition seed"]:
        """Onset, or the censoring time."""
        return np.where(self.emerged, self.onset, self.last)


@dataclass(frozen=True)
class Rule:
    """A threshold, resolved against the data. All levels are in the upright orientation (a rise is upwards).

    Attributes:
        kind: "absolute", "fraction", "z" or "rise" (data-driven, by surrogates).
        theta: threshold at every record.
        strict: whether the threshold itself does not count (it does not for z: a standard error can be 0).
        base: level before the rise.
        ceiling: level that would be full emergence.
        allowed: curves that may have an onset at all.
        p_rise: p of "no abrupt rise" for each curve; NaN unless data-driven.
        words: the rule in words.
        size: the fraction, or the number of standard errors; NaN for the other kinds.
        error: one standard error of (record - base level) at every record, where it is known.
    """

    kind: str
    theta: Float[np.ndarray, "condition seed time"]
    strict: bool
    base: Float[np.ndarray, "condition seed"]
    ceiling: Float[np.ndarray, "condition seed"]
    allowed: Bool[np.ndarray, "condition seed"]
    p_rise: Float[np.ndarray, "condition seed"]
    words: str
    size: float = float("nan")
    error: Float[np.ndarray, "condition seed time"] | None = None


def cross(
    values: Float[np.ndarray, "condition seed time"],
    time: Float[np.ndarray, "time"],
    theta: Float[np.ndarray, "condition seed time"],
    k: int,
    *,
    strict: bool,
    allowed: Bool[np.ndarray, "condition seed"],
) -> Crossing:
    """Apply the k-consecutive rule to raw records; a missing record is passed over, not counted against the
    seed."""
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        beyond = (values > theta) if strict else (values >= theta)
    # finite records to the front, so that "consecutive" means consecutive records that exist
    order = np.argsort(~finite, axis=-1, kind="stable")
    beyond = np.take_along_axis(beyond & finite, order, axis=-1)
    times = np.broadcast_to(time, values.shape)
    times = np.take_along_axis(times, order, axis=-1)
    count = finite.sum(axis=-1)
    n_time = values.shape[-1]
    runs = np.zeros_like(beyond)
    if n_time >= k:
        lasting = beyond[..., : n_time - k + 1].copy()
        for shift in range(1, k):
            lasting &= beyond[..., shift : n_time - k + 1 + shift]
        runs[..., : n_time - k + 1] = lasting
    emerged = runs.any(axis=-1) & allowed if n_time else np.zeros(values.shape[:-1], bool)
    first = runs.argmax(axis=-1) if n_time else np.zeros(values.shape[:-1], int)

    if n_time == 0:
        nan = np.full(values.shape[:-1], np.nan)
        return Crossing(nan, nan, nan, emerged)
    onset = np.where(emerged, _at(times, first), np.nan)
    left = np.where(emerged, np.where(first > 0, _at(times, first - 1), -np.inf), np.nan)
    last = np.where(count > 0, _at(times, count - 1), np.nan)
    return Crossing(onset, left, last, emerged)


def _at(times: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.take_along_axis(times, np.maximum(index, 0)[..., None], axis=-1)[..., 0]


def _edge(
    values: Float[np.ndarray, "condition seed time"], share: float, end: bool
) -> Float[np.ndarray, "condition seed"]:
    """Median of the first (or last) records of each curve: a tenth of them, at least three."""
    out = np.full(values.shape[:2], np.nan)
    for index in np.ndindex(*values.shape[:2]):
        y = values[index]
        y = y[np.isfinite(y)]
        if len(y):
            m = min(len(y), max(3, int(share * len(y))))
            out[index] = np.median(y[-m:] if end else y[:m])
    return out


def make_rule(
    values: Float[np.ndarray, "condition seed time"],
    time: Float[np.ndarray, "time"],
    threshold: Threshold,
    *,
    chance: Float[np.ndarray, "condition seed time"] | None,
    ceiling: float | None,
    error: Float[np.ndarray, "condition seed time"] | None,
    fit: LogisticFit,
    draws: int,
    rng: np.random.Generator,
) -> Rule:
    """Resolve a threshold: a number, ("fraction", f), ("z", z), or None for the data-driven one."""
    shape = values.shape
    start, final = _edge(values, 0.1, False), _edge(values, 0.1, True)
    base = start if chance is None else _edge(np.broadcast_to(chance, shape), 1.0, False)
    if ceiling is None:
        middles = np.array([_median(row) for row in final])
        top = float(np.max(middles[np.isfinite(middles)], initial=-np.inf))
        top = top if np.isfinite(top) else float("nan")
    else:
        top = float(ceiling)
    tops = np.full(shape[:2], top)
    yes, nan = np.ones(shape[:2], bool), np.full(shape[:2], np.nan)
    if threshold is None:
        if error is not None:
            threshold = ("z", 3.0)
        else:
            return _rise_rule(values, time, fit, draws, rng)
    if isinstance(threshold, int | float | np.number):
        theta = np.full(shape, float(threshold))
        if not np.isfinite(theta).all():
            raise UserError(f"onset: threshold must be a finite number, got {threshold}")
        words = f"at or beyond {float(threshold):g}"
        return Rule("absolute", theta, False, np.full(shape[:2], _median(base)), tops, yes, nan, words)
    kind, size = _named(threshold)
    if kind == "fraction":
        if not 0 < size < 1:
            raise UserError(f"onset: a fraction must be in (0, 1), got {size}")
        # one level for all conditions, or their onsets would not be comparable
        low = _median(base)
        theta = np.full(shape, low + size * (top - low))
        words = f"at or beyond {size:g} of the way from {low:.4g} to {top:.4g}"
        return Rule("fraction", theta, False, np.full(shape[:2], low), tops, yes & (top > low), nan, words, size)
    if error is None:
        raise UserError('onset: threshold ("z", z) needs stderr=... or items=...')
    level = np.broadcast_to(chance, shape) if chance is not None else base[..., None]
    unit = _total_error(error, estimated=chance is None)
    words = f"more than {size:g} standard errors above {'chance' if chance is not None else 'the first records'}"
    return Rule("z", level + size * unit, True, base, tops, yes, nan, words, size, unit)


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _named(threshold: object) -> tuple[str, float]:
    if isinstance(threshold, tuple) and len(threshold) == 2 and threshold[0] in ("fraction", "z"):
        return str(threshold[0]), float(threshold[1])
    raise UserError(f'onset: threshold must be a number, ("fraction", f), ("z", z) or None, got {threshold!r}')


def _total_error(
    error: Float[np.ndarray, "condition seed time"], *, estimated: bool
) -> Float[np.ndarray, "condition seed time"]:
    """Standard error of (record - level); a level estimated from the first records is as uncertain as one of
    them."""
    if not estimated:
        return error
    return np.sqrt(error**2 + _edge(error, 0.1, False)[..., None] ** 2)


def _rise_rule(
    values: Float[np.ndarray, "condition seed time"],
    time: Float[np.ndarray, "time"],
    fit: LogisticFit,
    draws: int,
    rng: np.random.Generator,
) -> Rule:
    shape = values.shape
    p = rise_test(values.reshape(-1, shape[-1]), time, draws=draws, rng=rng)
    adjusted = np.concatenate([benjamini_hochberg(row) for row in p.reshape(shape[:2])]) if p.size else p
    with np.errstate(invalid="ignore"):
        risen = (adjusted <= _RISE_ALPHA) & np.isfinite(fit.centre)
    rise = fit.high - fit.low
    with np.errstate(invalid="ignore"):
        # a tenth of the rise, but out of reach of the noise, and never beyond the midpoint
        above = np.minimum(np.maximum(0.1 * rise, 3.0 * fit.residual), 0.5 * rise)
    theta = np.where(risen, fit.low + above, np.nan).reshape(shape[:2])
    return Rule(
        "rise",
        np.broadcast_to(theta[..., None], shape),
        False,
        fit.low.reshape(shape[:2]),
        fit.high.reshape(shape[:2]),
        risen.reshape(shape[:2]),
        p.reshape(shape[:2]),
        "a rise that trend + AR(1) noise does not make (false discovery rate 5% over seeds), from a tenth "
        "of its height",
    )


def swept(rule: Rule) -> Mapping[str, Rule]:
    """The same rule at other thresholds: 10% to 90% of the rise, or 2 to 6 standard errors."""
    if rule.kind == "z" and rule.error is not None:
        level = rule.theta - rule.size * rule.error
        return {f"{z:g} stderr": replace(rule, theta=level + z * rule.error) for z in (2.0, 3.0, 4.0, 5.0, 6.0)}
    out = {}
    for f in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        theta = rule.base + f * (rule.ceiling - rule.base)
        out[f"{f:.0%}"] = replace(rule, theta=np.broadcast_to(theta[..., None], rule.theta.shape))
    return out


# ------------------------------------------------------------------------------ is there an abrupt rise at
# all?


def _axis(time: Float[np.ndarray, "time"]) -> Float[np.ndarray, "time"]:
    """Time on (0, 1): on the log axis for grids that are spaced like one, else linear."""
    gaps = np.diff(time)
    u = time
    if len(gaps) and gaps.max() > _LOG_FROM * gaps.min():
        u = log_axis(time)
        real = u > -600
        if (~real).any() and real.sum() >= 2:  # time 0 goes one typical gap before the first positive record
            u = np.where(real, u, u[real].min() - np.median(np.diff(u[real])))
    span = u.max() - u.min()
    return (u - u.min()) / span if span > 0 else np.zeros_like(u)


def _shapes(
    x: Float[np.ndarray, "time"],
) -> tuple[Float[np.ndarray, "time 2"], Float[np.ndarray, "time shapes"]]:
    """Orthonormal basis of the trend, and unit logistic steps with the trend taken out."""
    centre = np.linspace(0.05, 0.95, 37)
    width = np.array([0.003, 0.01, 0.02, 0.04, 0.07])
    z = np.clip((x[:, None, None] - centre[None, :, None]) / width, -60.0, 60.0)
    steps = (1.0 / (1.0 + np.exp(-z))).reshape(len(x), -1)
    trend, _ = np.linalg.qr(np.column_stack([np.ones_like(x), x]))
    steps = steps - trend @ (trend.T @ steps)
    length = np.linalg.norm(steps, axis=0)
    keep = length > 1e-6
    return trend, steps[:, keep] / length[keep]


def rise_test(
    values: Float[np.ndarray, "n time"],
    time: Float[np.ndarray, "time"],
    *,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Float[np.ndarray, "n"]:
    """p of "trend + AR(1) noise, no abrupt rise" for each curve (the null ``trend+ar1``).

    The statistic is the largest correlation of the detrended curve with a logistic step, over 37 places and 5
    widths; the same maximum is taken on every surrogate, so the search is paid for. The AR(1) coefficient
    comes from the detrended curve, corrected for its small-sample bias; a real rise inflates it, so the test
    errs to the safe side. Time is read on the log axis when the widest gap between records is more than 20
    times the narrowest.

    Returns:
        p in (0, 1]; 1 for a curve with fewer than 8 records or without variation.
    """
    y = np.asarray(values, dtype=float)
    out = np.ones(len(y))
    source = np.random.default_rng(rng)
    prepared: dict[bytes, tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k s"], Float[np.ndarray, "draws k"]]] = {}
    for i, row in enumerate(y):
        seen = np.isfinite(row)
        if seen.sum() < 8:
            continue
        peak = float(np.abs(row[seen]).max())
        if peak == 0.0:
            continue
        record, at = _thin(row[seen] / peak, time[seen])  # the unit of the observable must not matter
        spread = float(np.ptp(record))
        if spread <= 1e-12:
            continue
        name = seen.tobytes()
        if name not in prepared:
            trend, steps = _shapes(_axis(at))
            # the same innovations serve every curve with this grid: only the AR coefficient differs
            prepared[name] = (trend, steps, source.standard_normal((draws, len(at))))
        trend, steps, innovations = prepared[name]
        residual = record - trend @ (trend.T @ record)
        size = float(np.linalg.norm(residual))
        if size <= 1e-9 * spread or steps.shape[1] == 0:
            continue  # a straight line: nothing is left to explain
        phi = _ar1(residual)
        first = innovations.copy()
        first[:, 0] /= np.sqrt(1 - phi**2)
        noise = lfilter([1.0], [1.0, -phi], first, axis=1)
        noise -= (noise @ trend) @ trend.T
        reference = (noise @ steps).max(axis=1) / np.linalg.norm(noise, axis=1)
        observed = float((steps.T @ residual).max()) / size
        out[i] = (1 + int((reference >= observed).sum())) / (draws + 1)
    return out


def _ar1(residual: Float[np.ndarray, "time"]) -> float:
    phi = float(residual[1:] @ residual[:-1]) / float(residual @ residual)
    # bias of the least-squares coefficient after a linear trend is about -(2 + 4 phi) / T (Marriott and Pope
    # 1954)
    return float(np.clip(phi + (2 + 4 * phi) / len(residual), 0.0, 0.98))


def _thin(
    y: Float[np.ndarray, "time"], time: Float[np.ndarray, "time"], most: int = 256
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Means over blocks of equal count when there are more than twice ``most`` records: the test needs no
    more."""
    size = len(y) // most
    if size < 2:
        return y, time
    keep = size * (len(y) // size)
    return y[:keep].reshape(-1, size).mean(axis=1), time[:keep].reshape(-1, size).mean(axis=1)
