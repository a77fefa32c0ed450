"""Measures of `novelty` in the space of the vectors given: nearness to a target, and how much the runs cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float, Int
from scipy import stats

from emergelab.errors import UserError, nearest
from emergelab.instruments._novelty_measures import record_directions
from emergelab.instruments._novelty_read import Artefacts
from emergelab.statistics import estimate, holm, relabellings
from emergelab.statistics.permutation import summarise

__all__ = ["TARGET_COLUMNS", "Target", "illumination_table", "read_target", "target_table"]

TARGET_COLUMNS = (
    "condition", "seed", "records", "similarity", "low", "high", "early", "late", "rise", "rise_low", "rise_high",
    "in_order", "in_order_low", "in_order_high", "tested", "p", "p_shifted",
)  # fmt: skip
_ILLUMINATION_COLUMNS = (
    "quantity", "condition", "against", "runs", "value", "low", "high", "p", "smallest_p", "p_holm",
)  # fmt: skip
_AT_ONCE = 20_000_000  # entries of a table of relabellings held in memory


# ----------------------------------------------------------------------------------------------------- target


@dataclass(frozen=True)
class Target:
    """What the artefacts are compared to.

    Attributes:
        directions: unit vectors; one, or one for each of ``places``.
        places: the records that a series stands beside; None: one vector for all records.
    """

    directions: Float[np.ndarray, "target feature"]
    places: Int[np.ndarray, "target"] | None


def read_target(
    target: xr.DataArray | np.ndarray | Sequence[float], block: Artefacts, along: str, feature: str
) -> Target:
    """One vector (a sequence, or an array with the dim ``feature``) or a series (dims ``along`` and ``feature``).

    Raises:
        UserError: the artefacts are no vectors, or the target does not lie in their space or at their times.
    """
    if block.vectors is None:
        raise UserError(f"novelty: target=... needs artefacts as vectors (dim {feature!r}), these are {block.kind}")
    if not isinstance(target, xr.DataArray):
        try:
            plain = np.asarray(target, dtype=float)
        except (TypeError, ValueError):
            raise UserError("novelty: the target must be numbers, as many as the artefacts have features") from None
        if plain.ndim != 1:
            raise UserError(
                "novelty: a series of targets needs named dims: "
                f"xarray.DataArray(values, dims=({along!r}, {feature!r}), coords={{{along!r}: times}})"
            )
        target = xr.DataArray(plain, dims=feature)
    dims = [str(d) for d in target.dims]
    if feature not in dims:
        raise UserError(f"novelty: the target has no dim {feature!r}{nearest(feature, dims)}")
    extra = [d for d in dims if d not in (along, feature)]
    if extra:
        raise UserError(f"novelty: the target also has the dims {', '.join(extra)}")
    width = block.vectors.shape[-1]
    if target.sizes[feature] != width:
        raise UserError(f"novelty: the target has {target.sizes[feature]} features, the artefacts {width}")
    try:
        values = target.transpose(*[d for d in (along, feature) if d in dims]).values.astype(float)
    except (TypeError, ValueError):
        raise UserError(f"novelty: the target must be numbers, got {target.dtype}") from None
    values = np.atleast_2d(values)
    largest = np.abs(values).max(axis=1, keepdims=True, initial=0.0)
    if not np.isfinite(values).all() or (largest == 0).any():
        raise UserError("novelty: the target must be finite and have a length above 0, or it points nowhere")
    values = values / largest  # first, so that no square leaves the range of numbers
    values = values / np.sqrt((values**2).sum(axis=1, keepdims=True))
    if along not in dims:
        return Target(values, None)
    if along not in target.coords:
        raise UserError(f"novelty: dim {along!r} of the target has no coordinate; use .assign_coords({along}=times)")
    try:
        times = np.asarray(target[along].values).astype(float)
    except (TypeError, ValueError):
        raise UserError(f"novelty: coordinate {along!r} of the target must be numbers") from None
    if len(np.unique(times)) < len(times):
        raise UserError(f"novelty: coordinate {along!r} of the target must hold each time once")
    _, places, rows = np.intersect1d(block.time, times, return_indices=True)
    if len(places) < 2:
        raise UserError(
            f"novelty: the series of targets shares {len(places)} times with the artefacts and needs at least 2; "
            f"one vector for all times has no dim {along!r}"
        )
    return Target(values[rows], places.astype(np.int64))


def target_table(
    block: Artefacts, target: Target, late: float, level: float, draws: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, Float[np.ndarray, "condition seed time"]]:
    """Cosine of each record's mean artefact with the target: seed by seed, and over seeds in the rows of seed "all".

    ``rise`` is the mean of the late records minus that of the early ones. ``in_order`` (a series only) is the mean
    similarity minus that of all pairs of a record and a target, which is what any circular shift gives on average.
    One of the two is tested: over seeds against 0 (``p``), and against circularly shifted times (``p_shifted``); both
    p are one-sided, for values above.
    """
    tested = "rise" if target.places is None else "in_order"
    c, s, t = block.types.shape[:3]
    curve = np.full((c, s, t), np.nan)
    rows = []
    for i, condition in enumerate(block.conditions):
        own, shifted = [], []
        for j in range(s):
            found, shifts, places, similar = _to_target(_directions(block, i, j), target, late)
            curve[i, j, places] = similar
            own.append(found)
            if len(shifts):
                shifted.append(shifts)
            rows.append({"condition": condition, "seed": block.seeds[j], "tested": tested, **found})
        over: dict[str, object] = {"condition": condition, "seed": "all", "tested": tested}
        over["records"] = sum(int(found["records"]) for found in own)
        for name in ("early", "late"):
            known = np.array([found[name] for found in own])
            over[name] = float(known[np.isfinite(known)].mean()) if np.isfinite(known).any() else np.nan
        for name, low, high, bound in (
            ("similarity", "low", "high", 1.0), ("rise", "rise_low", "rise_high", 2.0),
            ("in_order", "in_order_low", "in_order_high", 2.0),
        ):  # fmt: skip
            values = np.array([found[name] for found in own])
            e = estimate(values, level=level, draws=draws, rng=rng, bounds=(-bound, bound))
            over |= {name: e.value, low: e.low, high: e.high}
            if name == tested:
                over["p"] = e.p_greater(0.0)
        over["p_shifted"] = _p_of_shifts(shifted, draws, rng)
        rows.insert(i * (s + 1), over)
    return pd.DataFrame(rows, columns=list(TARGET_COLUMNS)), curve


def _directions(block: Artefacts, condition: int, seed: int) -> Float[np.ndarray, "time feature"]:
    assert block.vectors is not None
    return record_directions(block.vectors[condition, seed], block.present[condition, seed])


def _to_target(
    directions: Float[np.ndarray, "time feature"], target: Target, late: float
) -> tuple[dict[str, float], Float[np.ndarray, "shift"], Int[np.ndarray, "record"], Float[np.ndarray, "record"]]:
    """Numbers of one seed, the tested one at every circular shift (first: none), the records compared, and how near."""
    seen = np.isfinite(directions).all(axis=1)
    if target.places is None:
        places = np.flatnonzero(seen)
        aim = np.broadcast_to(target.directions, (len(places), directions.shape[1]))
    else:
        places, aim = target.places[seen[target.places]], target.directions[seen[target.places]]
    z, n = directions[places], len(places)
    similar = np.clip((z * aim).sum(axis=1), -1.0, 1.0)
    nan = float("nan")
    out = {"records": float(n), "similarity": float(similar.mean()) if n else nan}
    out |= dict.fromkeys(("early", "late", "rise", "in_order", "p_shifted"), nan)
    if n < 2:
        return out, np.empty(0), places, similar
    few = max(1, round(late * n))
    out["early"], out["late"] = float(similar[:few].mean()), float(similar[-few:].mean())
    out["rise"] = out["late"] - out["early"]
    if target.places is None:
        weight = np.zeros((n, 1))
        weight[-few:], weight[:few] = 1 / few, -1 / few
        shifts = _at_every_shift(weight, similar[:, None])
    else:
        shifts = _at_every_shift(z / n, aim)
        shifts = shifts - shifts.mean()
        out["in_order"] = float(shifts[0])
    out["p_shifted"] = float((shifts >= shifts[0] - 1e-9).mean())
    return out, shifts, places, similar


def _at_every_shift(a: Float[np.ndarray, "record k"], b: Float[np.ndarray, "record k"]) -> Float[np.ndarray, "record"]:
    """Sum over t of a[t] b[t + shift] for every circular shift, by Fourier transforms."""
    product = np.conj(np.fft.rfft(a, axis=0)) * np.fft.rfft(b, axis=0)
    return np.fft.irfft(product.sum(axis=1), n=len(a))


def _p_of_shifts(shifted: list[Float[np.ndarray, "_"]], draws: int, rng: np.random.Generator) -> float:
    """p of the mean over seeds when the times of each are shifted on their own."""
    if not shifted:
        return float("nan")
    seen = sum(values[0] for values in shifted)
    drawn = sum((values[rng.integers(0, len(values), draws)] for values in shifted), np.zeros(draws))
    return float((1 + (drawn >= seen - 1e-9).sum()) / (draws + 1))


# ----------------------------------------------------------------------------------------------- illumination


def illumination_table(block: Artefacts, level: float, draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """Mean cosine of each run's last record with that of the nearest other run of its condition; low covers more.

    Rows "similarity" for conditions, with an interval from the jackknife that leaves out one run at a time: neighbours
    share values, so an interval over runs as if they were independent would be too narrow, and a bootstrap would make
    copies that are their own neighbours. Rows "difference" for pairs, by relabelling runs; what unequal numbers of
    runs alone would give (the mean over relabellings) is taken off, as more runs lie nearer to each other.
    """
    if block.vectors is None or block.present.shape[1] < 2:
        return pd.DataFrame(columns=list(_ILLUMINATION_COLUMNS))
    last = []
    for c in range(len(block.conditions)):
        runs = [_directions(block, c, s) for s in range(block.present.shape[1])]
        known = [z[np.isfinite(z).all(axis=1)] for z in runs]
        last.append(np.array([z[-1] for z in known if len(z)]).reshape(-1, block.vectors.shape[-1]))
    rows: list[tuple[object, ...]] = []
    errors = []
    for condition, z in zip(block.conditions, last, strict=True):
        value, error = _covering(np.clip(z @ z.T, -1.0, 1.0))
        low, high = _around(value, error, len(z), level, 1.0)
        errors.append(error)
        rows.append(("similarity", condition, "", len(z), value, low, high, np.nan, np.nan))
    for a in range(len(last)):
        for b in range(a + 1, len(last)):
            n_a, n_b = len(last[a]), len(last[b])
            if min(n_a, n_b) < 2:
                continue
            pooled = np.concatenate([last[a], last[b]])
            member, exhaustive = relabellings(n_a, n_b, draws=max(999, draws), rng=rng)
            gaps = _gaps(np.clip(pooled @ pooled.T, -1.0, 1.0), member)
            if n_a != n_b:
                gaps = gaps - gaps.mean()
            test, gap = summarise(gaps, exhaustive), float(gaps[0])
            low, high = _around(gap, float(np.hypot(errors[a], errors[b])), min(n_a, n_b), level, 2.0)
            names = (block.conditions[a], block.conditions[b])
            rows.append(("difference", *names, n_a + n_b, gap, low, high, test.p, test.smallest_p))
    table = pd.DataFrame(rows, columns=list(_ILLUMINATION_COLUMNS[:-1]))
    table["p_holm"] = holm(table["p"].to_numpy(dtype=float))
    return table


def _around(value: float, error: float, n: int, level: float, bound: float) -> tuple[float, float]:
    """Student interval within the bounds; NaN without an error."""
    if not np.isfinite(error):
        return float("nan"), float("nan")
    reach = error * float(stats.t.ppf((1 + level) / 2, n - 1))
    return max(-bound, value - reach), min(bound, value + reach)


def _covering(cosine: Float[np.ndarray, "run run"]) -> tuple[float, float]:
    """Mean similarity to the nearest other run and its error by the jackknife; NaN below 2 and 3 runs."""
    n = len(cosine)
    if n < 2:
        return float("nan"), float("nan")
    others = np.where(np.eye(n, dtype=bool), -np.inf, cosine)
    near = others.argmax(axis=1)
    first = others.max(axis=1)
    if n < 3:
        return float(first.mean()), float("nan")
    second = np.partition(others, -2, axis=1)[:, -2]
    # without run j, whose neighbour was j falls back on the second nearest
    lost = np.bincount(near, weights=second - first, minlength=n)
    without = (first.sum() - first + lost) / (n - 1)
    return float(first.mean()), float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))


def _gaps(cosine: Float[np.ndarray, "run run"], member: Bool[np.ndarray, "draw run"]) -> Float[np.ndarray, "draw"]:
    """Mean similarity to the nearest run of the same label, members minus the others, for every labelling."""
    n = len(cosine)
    order = np.argsort(np.where(np.eye(n, dtype=bool), np.inf, -cosine), axis=1)[:, :-1]  # nearest first, never oneself
    near = np.take_along_axis(cosine, order, axis=1)
    out = np.empty(len(member))
    step = max(1, _AT_ONCE // (n * n))
    for begin in range(0, len(member), step):
        own = member[begin : begin + step]
        place = np.argmax(own[:, order] == own[:, :, None], axis=-1)
        value = near[np.arange(n), place]
        inside = own.sum(axis=1)
        out[begin : begin + step] = (value * own).sum(axis=1) / inside - (value * ~own).sum(axis=1) / (n - inside)
    return out
