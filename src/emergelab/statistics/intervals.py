"""Intervals and p-values in which the seed is the unit of replication.

The method follows the number of seeds, and the result says which method was used:

========  ==========================================  ==============================================
seeds     mean                                        another statistic
========  ==========================================  ==============================================
10 or     BCa bootstrap over seeds (Efron 1987),      the same; whole rows are resampled, so a row
more      expanded for small n (Hesterberg 2015)      that is a trajectory gives a cluster bootstrap
5 to 9    Student's t                                 studentised bootstrap, jackknife inside
                                                      (t if it is linear in the seeds)
3 or 4    no interval; exact sign-flip p              no interval; sign-flip of jackknife pseudo-values
1 or 2    nothing is claimed                          nothing is claimed
========  ==========================================  ==============================================

Every p inverts the interval it stands beside, so ``low > m`` and ``p_greater(m) < (1 - level) / 2`` always
say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Real
from scipy import special

from emergelab.errors import UserError
from emergelab.statistics._tails import Bca, Point, Relabel, SignFlip, Studentised, StudentT, Tails

__all__ = ["MIN_BCA", "MIN_INTERVAL", "MIN_P", "Estimate", "Statistic", "difference", "estimate"]

MIN_BCA = 10
"""Fewest seeds for a BCa bootstrap."""
MIN_INTERVAL = 5
"""Fewest seeds for which any interval is claimed."""
MIN_P = 3
"""Fewest seeds for which any p-value is given."""

# share of bootstrap draws on which a statistic may be undefined before the interval is refused
_MAX_LOST = 0.05

Statistic = Callable[[Any], float]
"""A function of an array whose first axis is the seed; symmetric in the seeds."""


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty over seeds.

    Attributes:
        value: the point estimate; NaN if nothing could be estimated.
        low: lower end of the two-sided interval; NaN where no interval may be claimed.
        high: upper end; NaN where no interval may be claimed.
        level: confidence level of the interval, in (0, 1).
        method: how the interval was made, in words; says why when there is none.
        n: number of seeds used.
        sd: standard deviation of one seed (for a general statistic: standard error times sqrt(n)).
        dropped: seeds left out because they held no finite number.
    """

    value: float
    low: float
    high: float
    level: float
    method: str
    n: int
    sd: float = float("nan")
    dropped: int = 0
    _tails: Tails | None = field(default=None, repr=False, compare=False)

    @property
    def claimed(self) -> bool:
        """Whether an interval is claimed at all."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def p_greater(self, m: float = 0.0) -> float:
        """One-sided p of the hypothesis ``theta <= m``: small means evidence that theta exceeds m. NaN if
        none is claimed."""
        return float("nan") if self._tails is None else _unit(self._tails.greater(float(m)))

    def p_less(self, m: float = 0.0) -> float:
        """One-sided p of the hypothesis ``theta >= m``: small means evidence that theta is below m. NaN if
        none is claimed."""
        return float("nan") if self._tails is None else _unit(self._tails.less(float(m)))

    def p_two_sided(self, m: float = 0.0) -> float:
        """Two-sided p of the hypothesis ``theta == m``: twice the smaller one-sided p, at most 1."""
        return float(min(1.0, 2.0 * min(self.p_greater(m), self.p_less(m)))) if self._tails else float("nan")

    def to_dict(self) -> dict[str, float | int | str]:
        """The plain numbers, for tables and JSON (NaN is kept as a float)."""
        names = ("value", "low", "high", "level", "method", "n", "sd", "dropped")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        if not self.claimed:
            return f"{self.value:.4g} (n = {self.n}; {self.method})"
        span = f"[{self.low:.4g}, {self.high:.4g}]"
        return f"{self.value:.4g} {span} ({self.level:.0%}, {self.method}, n = {self.n})"


def _unit(p: float) -> float:
    return float(min(1.0, max(0.0, p))) if np.isfinite(p) else float("nan")


def estimate(
    values: Real[np.ndarray, "seeds *rest"],
    statistic: Statistic | None = None,
    *,
    level: float = 0.95,
    draws: int = 2000,
    rng: int | np.random.Generator = 0,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """Estimate a statistic over seeds, with the interval and the p-values that the number of seeds allows.

    Args:
        values: one row a seed. Rows without a single finite number are left out and counted in ``dropped``.
        statistic: a function of an array of rows, symmetric in the rows. None: the mean of a one-dimensional
            array.
        level: two-sided confidence level, in (0, 1).
        draws: bootstrap draws, at least 100. A p-value is never below ``1 / (draws + 1)`` when it rests on a
            bootstrap.
        rng: seed or generator of the bootstrap.
        bounds: range that the statistic cannot leave; the interval is cut to it.

    Returns:
        The estimate. Where all seeds agree exactly, the interval is that point and p is ``2**-n``, the
        sign-flip bound.

    Raises:
        UserError: the level, the number of draws or the shape of ``values`` makes no sense.
    """
    rows = np.asarray(values, dtype=float)
    _check(rows, statistic, level, draws)
    keep = np.isfinite(rows) if rows.ndim == 1 else np.isfinite(rows.reshape(len(rows), -1)).any(axis=1)
    dropped = int((~keep).sum())
    rows = rows[keep]
    result = _one_sample(rows, statistic, level, draws, np.random.default_rng(rng))
    return _finish(result, dropped, bounds)


def ratio_of_means(rows: Real[np.ndarray, "seeds columns"]) -> float:
    """The mean of the first column over that of the second; of four columns, less the same of the other two.

    Ratios row by row would be wild where what they divide by is near zero. For numbers of zero and more.
    """
    means = np.maximum(rows.mean(axis=0), 1e-9)
    ratios = means[0::2] / means[1::2]
    return float(ratios[0] - ratios[1:].sum())


def difference(
    a: Real[np.ndarray, "seeds_a *rest"],
    b: Real[np.ndarray, "seeds_b *rest"],
    statistic: Statistic | None = None,
    *,
    paired: bool,
    level: float = 0.95,
    draws: int = 2000,
    rng: int | np.random.Generator = 0,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """Estimate ``statistic(a) - statistic(b)``.

    Paired: row i of ``a`` and row i of ``b`` are the same seed, and pairs are resampled. Unpaired: each group
    is resampled by itself; the method follows the smaller group (BCa from 10, Welch's t for means from 5,
    nothing but the exact permutation p below).

    Raises:
        UserError: paired groups of unequal shape, or see `estimate`.
    """
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if paired:
        if left.shape != right.shape:
            raise UserError(f"difference: paired groups must have equal shapes, got {left.shape} and {right.shape}")
        if statistic is None:
            _check(left, None, level, draws)
            return estimate(left - right, level=level, draws=draws, rng=rng, bounds=bounds)
        stacked = np.stack([left, right], axis=1)
        return estimate(
            stacked,
            lambda v: statistic(v[:, 0]) - statistic(v[:, 1]),
            level=level,
            draws=draws,
            rng=rng,
            bounds=bounds,
        )
    groups, dropped = [], 0
    for rows in (left, right):
        _check(rows, statistic, level, draws)
        keep = np.isfinite(rows) if rows.ndim == 1 else np.isfinite(rows.reshape(len(rows), -1)).any(axis=1)
        dropped += int((~keep).sum())
        groups.append(rows[keep])
    return _finish(_two_samples(groups, statistic, level, draws, np.random.default_rng(rng)), dropped, bounds)


def _check(rows: np.ndarray, statistic: Statistic | None, level: float, draws: int) -> None:
    if not 0.0 < level < 1.0:
        raise UserError(f"estimate: level must be in (0, 1), got {level}")
    if draws < 100:
        raise UserError(f"estimate: draws must be at least 100, got {draws}")
    if rows.ndim == 0:
        raise UserError("estimate: values must have a first axis of seeds, got a single number")
    if statistic is None and rows.ndim != 1:
        raise UserError(f"estimate: values of shape {rows.shape} need a statistic; without one, give one number a seed")


def _finish(result: Estimate, dropped: int, bounds: tuple[float, float] | None) -> Estimate:
    low, high = result.low, result.high
    if bounds is not None:
        # numpy's minimum and maximum keep NaN, so an interval that was not claimed stays not claimed
        low, high = float(np.clip(low, *bounds)), float(np.clip(high, *bounds))
    return Estimate(result.value, low, high, result.level, result.method, result.n, result.sd, dropped, result._tails)


def _call(statistic: Statistic | None, rows: np.ndarray) -> float:
    """The statistic as a finite float, or NaN where it is undefined."""
    with np.errstate(all="ignore"):
        value = float(np.mean(rows) if statistic is None else statistic(rows))
    return value if np.isfinite(value) else float("nan")


def _nothing(value: float, level: float, n: int, why: str) -> Estimate:
    return Estimate(value, float("nan"), float("nan"), level, why, n)


def _one_sample(
    rows: np.ndarray, statistic: Statistic | None, level: float, draws: int, rng: np.random.Generator
) -> Estimate:
    n = len(rows)
    value = _call(statistic, rows) if n else float("nan")
    if n == 0 or np.isnan(value):
        return _nothing(float("nan"), level, n, "no finite value" if n == 0 else "the statistic is undefined here")
    if n < MIN_P:
        return _nothing(value, level, n, f"{n} seed{'s' * (n > 1)}: no interval and no p below {MIN_P}")
    if _identical(rows):
        return Estimate(value, value, value, level, "point: all seeds agree", n, 0.0, 0, Point(value, n))
    if statistic is None:
        contributions, sd = rows, float(np.std(rows, ddof=1))
    else:
        left_out = np.array([_call(statistic, np.delete(rows, i, axis=0)) for i in range(n)])
        contributions = n * value - (n - 1) * left_out  # jackknife pseudo-values: what each seed contributes
        sd = float(np.std(contributions, ddof=1))
        if not np.isfinite(sd):
            return _nothing(value, level, n, "the statistic is undefined when one seed is left out")
    if n < MIN_INTERVAL:
        nan, why = float("nan"), f"{n} seeds: no interval below {MIN_INTERVAL}, exact sign-flip p"
        return Estimate(value, nan, nan, level, why, n, sd, 0, SignFlip(np.asarray(contributions, dtype=float)))
    if n < MIN_BCA:
        # a statistic without jackknife bias is linear in the seeds, a mean in disguise: Student's t is the
        # shorter interval
        if statistic is None or abs(float(np.mean(contributions)) - value) <= 1e-9 * sd:
            return _student(value, sd / np.sqrt(n), n - 1, level, "t", n, sd)
        return _studentised(rows, statistic, value, sd, level, draws, rng)
    if statistic is None:
        resampled = _resampled_means(rows, draws, rng)
    else:
        resampled = np.array([_call(statistic, rows[rng.integers(0, n, n)]) for _ in range(draws)])
    influence = contributions - contributions.mean()
    return _bca(resampled, value, [influence], level, n, sd, "BCa")


def _two_samples(
    groups: Sequence[np.ndarray],
    statistic: Statistic | None,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Estimate:
    a, b = groups
    n, smallest = len(a) + len(b), min(len(a), len(b))
    values = [_call(statistic, g) if len(g) else float("nan") for g in groups]
    value = values[0] - values[1]
    if np.isnan(value):
        return _nothing(value, level, n, "a group has no finite value")
    if smallest < MIN_P:
        return _nothing(value, level, n, f"{len(a)} and {len(b)} seeds: no interval and no p below {MIN_P} a group")
    if _identical(a) and _identical(b):
        return Estimate(
            value,
            value,
            value,
            level,
            "point: all seeds of a group agree",
            n,
            0.0,
            0,
            Point(value, smallest),
        )
    contributions = []
    for g, v in zip(groups, values, strict=True):
        k = len(g)
        if statistic is None:
            contributions.append(g)
        else:
            left_out = np.array([_call(statistic, np.delete(g, i, axis=0)) for i in range(k)])
            contributions.append(k * v - (k - 1) * left_out)
    variances = [float(np.var(c, ddof=1)) / len(c) for c in contributions]
    error = float(np.sqrt(sum(variances)))
    if not np.isfinite(error) or error == 0.0:
        return _nothing(value, level, n, "the statistic is undefined when one seed is left out")
    sd = error * float(np.sqrt(n))
    if smallest < MIN_INTERVAL:
        nan, why = float("nan"), f"no interval below {MIN_INTERVAL} seeds a group, exact permutation p"
        return Estimate(value, nan, nan, level, why, n, sd, 0, Relabel(contributions[0], contributions[1]))
    if smallest < MIN_BCA:
        df = error**4 / sum(v**2 / (len(c) - 1) for v, c in zip(variances, contributions, strict=True))
        name = "Welch t" if statistic is None else "Welch t on jackknife pseudo-values"
        return _student(value, error, df, level, name, n, sd)
    resampled = np.empty(draws)
    if statistic is None:
        resampled = _resampled_means(groups[0], draws, rng) - _resampled_means(groups[1], draws, rng)
    else:
        for i in range(draws):
            x, y = (_call(statistic, g[rng.integers(0, len(g), len(g))]) for g in groups)
            resampled[i] = x - y
    signed = [contributions[0] - contributions[0].mean(), contributions[1].mean() - contributions[1]]
    return _bca(resampled, value, signed, level, n, sd, "BCa, groups resampled apart")


def _resampled_means(rows: np.ndarray, draws: int, rng: np.random.Generator) -> Float[np.ndarray, "draws"]:
    """Means of samples drawn with replacement; thousands of seeds are drawn in slices that fit the memory."""
    n = len(rows)
    step = max(1, 1_000_000 // n)
    parts = [
        rows[rng.integers(0, n, (min(step, draws - at), n), dtype=np.uint32)].mean(axis=1)
        for at in range(0, draws, step)
    ]
    return np.concatenate(parts)


def _identical(rows: np.ndarray) -> bool:
    flat = rows.reshape(len(rows), -1)
    return bool(np.array_equal(flat, np.broadcast_to(flat[0], flat.shape), equal_nan=True))


def _student(value: float, error: float, df: float, level: float, name: str, n: int, sd: float) -> Estimate:
    half = float(special.stdtrit(df, 0.5 + level / 2)) * error
    return Estimate(value, value - half, value + half, level, name, n, sd, 0, StudentT(value, error, df))


def _bca(
    resampled: Float[np.ndarray, "draws"],
    value: float,
    influence: Sequence[Float[np.ndarray, "_"]],
    level: float,
    n: int,
    sd: float,
    name: str,
) -> Estimate:
    defined = np.sort(resampled[np.isfinite(resampled)])
    if len(defined) < (1 - _MAX_LOST) * len(resampled):
        lost = 1 - len(defined) / len(resampled)
        return _nothing(
            value, level, n, f"the statistic is undefined on {lost:.0%} of the bootstrap draws: no interval"
        )
    if defined[0] == defined[-1]:
        return Estimate(value, value, value, level, "point: every bootstrap draw agrees", n, sd, 0, Point(value, n))
    slack = 1e-10 * (defined[-1] - defined[0])  # a draw that repeats the data may differ from it by rounding
    below = (np.mean(defined < value - slack) + np.mean(defined <= value + slack)) / 2
    edge = 0.5 / len(defined)
    bias = float(special.ndtri(min(max(below, edge), 1 - edge)))
    # acceleration for one or several independent samples (Efron and Tibshirani 1993, 14.15; Davison and
    # Hinkley 1997, 5.27)
    peak = max(float(np.abs(u).max()) for u in influence)  # without its scale: cubes leave the range of floats
    influence = [u / peak for u in influence] if peak > 0 else list(influence)
    cubes = sum(float((u**3).sum()) / len(u) ** 3 for u in influence)
    squares = sum(float((u**2).sum()) / len(u) ** 2 for u in influence)
    acceleration = cubes / (6 * squares**1.5) if squares > 0 else 0.0
    # the bootstrap distribution is narrower than it should be by sqrt((n-1)/n) and ignores that the spread is
    # estimated itself: widen as Student's t would (Hesterberg 2015, "expanded percentile")
    smallest = min(len(u) for u in influence)
    student = StudentT(value, sd / float(np.sqrt(n)), smallest - 1)
    expand = float(np.sqrt(smallest / (smallest - 1)))
    tails = Bca(defined, bias, acceleration, smallest - 1, expand, student, (1 - level) / 2)
    low, high = tails.quantile((1 - level) / 2), tails.quantile((1 + level) / 2)
    return Estimate(value, low, high, level, name, n, sd, 0, tails)


def _studentised(
    rows: np.ndarray,
    statistic: Statistic,
    value: float,
    sd: float,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Estimate:
    n = len(rows)
    error = sd / np.sqrt(n)
    seen: dict[tuple[int, ...], float] = {}

    def on(chosen: Int[np.ndarray, "k"]) -> float:
        # few seeds give few distinct resamples (126 for five seeds): every one is evaluated once
        name = tuple(int(i) for i in chosen)
        if name not in seen:
            seen[name] = _call(statistic, rows[list(name)])
        return seen[name]

    def deviation(chosen: Int[np.ndarray, "n"]) -> float:
        centre = on(chosen)
        left_out = np.array([on(np.delete(chosen, i)) for i in range(n)])
        spread = float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))
        return (centre - value) / spread if spread > 1e-12 * max(abs(centre), error) else float("nan")

    deviations = (
        np.array([deviation(np.sort(rng.integers(0, n, n))) for _ in range(draws)]) if error > 0 else np.empty(0)
    )
    defined = np.sort(deviations[np.isfinite(deviations)])
    if len(defined) < 0.8 * draws:
        if error == 0.0:
            return _nothing(value, level, n, "leaving out any one seed changes nothing: no interval")
        return _student(value, error, n - 1, level, "t on jackknife pseudo-values", n, sd)
    low = value - float(np.quantile(defined, (1 + level) / 2)) * error
    high = value - float(np.quantile(defined, (1 - level) / 2)) * error
    return Estimate(value, low, high, level, "studentised bootstrap", n, sd, 0, Studentised(defined, value, error))
