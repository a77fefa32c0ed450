"""Times until something happens, when in some seeds it never does.

A duration is the time of the event, or the last time at which the seed was seen if there was none
(right-censored). Where the event is known only to lie between two records, give the interval: `turnbull` and
`median_interval` take both ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from scipy import stats

from emergelab.errors import UserError
from emergelab.statistics.intervals import Estimate, difference
from emergelab.statistics.permutation import Permutation, relabellings, summarise

__all__ = [
    "KaplanMeier",
    "LogRank",
    "Turnbull",
    "kaplan_meier",
    "log_rank",
    "log_rank_scores",
    "median_interval",
    "restricted_mean",
    "restricted_mean_difference",
    "standardised",
    "turnbull",
]


@dataclass(frozen=True)
class KaplanMeier:
    """Share of seeds in which the event has not yet happened, as a step function.

    Attributes:
        time: times at which the curve falls, increasing.
        survival: share just after each time.
        low: lower end of the log-log (Kalbfleisch-Prentice) band at each time.
        high: upper end of the band.
        at_risk: seeds still under observation just before each time.
        events: seeds in which it happened at each time.
        level: confidence level of the band.
        n: seeds in all.
        last: the last time at which any seed was seen.
    """

    time: Float[np.ndarray, "k"]
    survival: Float[np.ndarray, "k"]
    low: Float[np.ndarray, "k"]
    high: Float[np.ndarray, "k"]
    at_risk: Int[np.ndarray, "k"]
    events: Int[np.ndarray, "k"]
    level: float
    n: int
    last: float

    @property
    def median(self) -> float:
        """First time at which the share is at most one half; NaN if it never falls so far."""
        fallen = np.flatnonzero(self.survival <= 0.5 + 1e-12)
        return float(self.time[fallen[0]]) if len(fallen) else float("nan")

    def at(self, t: float) -> float:
        """Share not yet emerged just after time t."""
        k = int(np.searchsorted(self.time, t, side="right"))
        return float(self.survival[k - 1]) if k else 1.0

    def restricted_mean(self, until: float, start: float = 0.0) -> float:
        """Mean time spent before the event within (start, until): the area under the curve."""
        inside = (self.time > start) & (self.time < until)
        edges = np.concatenate([[start], self.time[inside], [until]])
        return float(np.sum(np.diff(edges) * np.array([self.at(t) for t in edges[:-1]])))


def _prepare(durations: Real[np.ndarray, "n"], emerged: Bool[np.ndarray, "n"]) -> tuple[np.ndarray, np.ndarray]:
    times, happened = np.asarray(durations, dtype=float).ravel(), np.asarray(emerged, dtype=bool).ravel()
    if times.shape != happened.shape:
        raise UserError(f"survival: {len(times)} durations but {len(happened)} flags of emergence")
    seen = np.isfinite(times)
    return times[seen], happened[seen]


def kaplan_meier(
    durations: Real[np.ndarray, "n"], emerged: Bool[np.ndarray, "n"], *, level: float = 0.95
) -> KaplanMeier:
    """Kaplan-Meier curve with Greenwood's variance on the log-log scale. Seeds whose duration is NaN are left
    out."""
    times, happened = _prepare(durations, emerged)
    at = np.unique(times[happened])
    risk = (times[None, :] >= at[:, None]).sum(axis=1)
    events = ((times[None, :] == at[:, None]) & happened[None, :]).sum(axis=1)
    survival = np.cumprod(1.0 - events / risk) if len(at) else np.empty(0)
    low, high = np.full(len(at), np.nan), np.full(len(at), np.nan)
    open_ = (survival > 0) & (survival < 1)  # the log-log band is undefined at 0 and 1
    if open_.any():
        variance = np.cumsum(events[open_] / (risk[open_] * (risk[open_] - events[open_])))
        z = float(stats.norm.ppf(0.5 + level / 2))
        logs = np.log(survival[open_])
        half = z * np.sqrt(variance) / np.abs(logs)
        low[open_], high[open_] = survival[open_] ** np.exp(half), survival[open_] ** np.exp(-half)
    last = float(times.max()) if len(times) else float("nan")
    return KaplanMeier(at, survival, low, high, risk, events, level, len(times), last)


def log_rank_scores(
    durations: Real[np.ndarray, "n"],
    emerged: Bool[np.ndarray, "n"],
    member: Bool[np.ndarray, "draws n"],
    *,
    early: bool = False,
) -> tuple[Float[np.ndarray, "draws"], Float[np.ndarray, "draws"], Float[np.ndarray, "draws"]]:
    """Observed events, expected events and their variance in group A, for many memberships at once.

    With ``early`` every time is weighted with the pooled share that has not emerged just before it (Peto and
    Peto 1972).
    """
    times, happened = np.asarray(durations, dtype=float), np.asarray(emerged, dtype=bool)
    at = np.unique(times[happened])
    groups = np.asarray(member, dtype=float)
    if len(at) == 0:
        zero = np.zeros(len(groups))
        return zero, zero, zero
    still = (times[:, None] >= at[None, :]).astype(float)
    falls = ((times[:, None] == at[None, :]) & happened[:, None]).astype(float)
    risk, events = still.sum(axis=0), falls.sum(axis=0)
    weight = np.concatenate([[1.0], np.cumprod(1.0 - events / risk)[:-1]]) if early else np.ones(len(at))
    risk_a = groups @ still
    observed = groups @ (falls @ weight)
    expected = risk_a @ (weight * events / risk)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.where(risk > 1, weight**2 * events * (risk - events) / (risk**2 * (risk - 1)), 0.0)
    return observed, expected, (risk_a * (risk - risk_a)) @ spread


def standardised(
    scores: tuple[Float[np.ndarray, "draws"], Float[np.ndarray, "draws"], Float[np.ndarray, "draws"]],
) -> Float[np.ndarray, "draws"]:
    """(observed - expected) / sd for every membership; 0 where nothing can differ."""
    observed, expected, variance = scores
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variance > 0, (observed - expected) / np.sqrt(variance), 0.0)


@dataclass(frozen=True)
class LogRank:
    """Contrast of two groups of durations.

    Attributes:
        z: signed log-rank statistic; positive when A emerges earlier (more events in A than expected).
        p_asymptotic: two-sided chi-square p; wrong for a handful of seeds, for orientation only.
        permutation: the same statistic judged by relabelling seeds.
        early: the statistic with weights on early times (Peto-Peto), judged on the same relabellings. The
            plain log-rank loses its power when some seeds never emerge under either condition; this one does
            not.
        p: two-sided p of the larger of the two, on the same relabellings, so that looking twice is paid for.
        hazard_ratio: rate of emergence in A over B, (O_A / E_A) / (O_B / E_B); NaN if a group has no event.
        hazard_low: lower end of its 95% interval (Peto; asymptotic).
        hazard_high: upper end.
    """

    z: float
    p_asymptotic: float
    permutation: Permutation
    early: Permutation
    p: float
    hazard_ratio: float
    hazard_low: float
    hazard_high: float


def log_rank(
    durations_a: Real[np.ndarray, "a"],
    emerged_a: Bool[np.ndarray, "a"],
    durations_b: Real[np.ndarray, "b"],
    emerged_b: Bool[np.ndarray, "b"],
    *,
    draws: int = 9_999,
    rng: int | np.random.Generator = 0,
) -> LogRank:
    """Log-rank test of two independent groups, by permutation of seeds and (for orientation) by
    chi-square."""
    (time_a, flag_a), (time_b, flag_b) = _prepare(durations_a, emerged_a), _prepare(durations_b, emerged_b)
    nan = float("nan")
    if len(time_a) == 0 or len(time_b) == 0:
        none = summarise(np.array([nan]), False)
        return LogRank(nan, nan, none, none, nan, nan, nan, nan)
    times, happened = np.concatenate([time_a, time_b]), np.concatenate([flag_a, flag_b])
    member, exhaustive = relabellings(len(time_a), len(time_b), draws=draws, rng=rng)
    scores = log_rank_scores(times, happened, member)
    observed, expected, _ = scores
    z = standardised(scores)
    early = standardised(log_rank_scores(times, happened, member, early=True))
    larger = np.maximum(np.abs(z), np.abs(early))
    p = float(np.mean(larger >= larger[0] - 1e-9 * max(1.0, float(larger[0]))))
    total = float(happened.sum())
    ratio = low = high = nan
    o_a, e_a = float(observed[0]), float(expected[0])
    o_b, e_b = total - o_a, total - e_a
    if min(o_a, o_b, e_a, e_b) > 0:
        ratio = (o_a / e_a) / (o_b / e_b)
        half = float(stats.norm.ppf(0.975)) * float(np.sqrt(1 / e_a + 1 / e_b))
        low, high = ratio * float(np.exp(-half)), ratio * float(np.exp(half))
    asymptotic = float(stats.chi2.sf(z[0] ** 2, 1))
    return LogRank(float(z[0]), asymptotic, summarise(z, exhaustive), summarise(early, exhaustive), p, ratio, low, high)


def restricted_mean(
    durations: Real[np.ndarray, "n"], emerged: Bool[np.ndarray, "n"], until: float, *, start: float = 0.0
) -> float:
    """Mean time before the event within (start, until), from the Kaplan-Meier curve; defined even when few
    seeds emerge."""
    return kaplan_meier(durations, emerged).restricted_mean(until, start)


def restricted_mean_difference(
    durations_a: Real[np.ndarray, "a"],
    emerged_a: Bool[np.ndarray, "a"],
    durations_b: Real[np.ndarray, "b"],
    emerged_b: Bool[np.ndarray, "b"],
    *,
    until: float | None = None,
    paired: bool = False,
    level: float = 0.95,
    draws: int = 2000,
    rng: int | np.random.Generator = 0,
) -> Estimate:
    """Restricted mean of A minus that of B, over seeds. Negative: A emerges earlier.

    ``until`` defaults to the largest time up to which both Kaplan-Meier curves are known; a curve that has
    reached zero is known for ever.
    """
    (time_a, flag_a), (time_b, flag_b) = _prepare(durations_a, emerged_a), _prepare(durations_b, emerged_b)
    if len(time_a) == 0 or len(time_b) == 0:
        nan = float("nan")
        return Estimate(nan, nan, nan, level, "a group has no seeds", 0)
    horizon = _known_until([(time_a, flag_a), (time_b, flag_b)]) if until is None else float(until)
    a = np.column_stack([np.minimum(time_a, horizon), flag_a & (time_a <= horizon)])
    b = np.column_stack([np.minimum(time_b, horizon), flag_b & (time_b <= horizon)])
    plain = all(bool(np.all((rows[:, 1] > 0) | (rows[:, 0] >= horizon))) for rows in (a, b))
    if plain:  # nobody is lost before the horizon: the area under the curve is the mean of the cut durations
        return difference(a[:, 0], b[:, 0], paired=paired, level=level, draws=draws, rng=rng)
    return difference(
        a,
        b,
        lambda rows: restricted_mean(rows[:, 0], rows[:, 1] > 0, horizon),
        paired=paired,
        level=level,
        draws=draws,
        rng=rng,
    )


def _known_until(groups: list[tuple[np.ndarray, np.ndarray]]) -> float:
    limits = [float(times.max()) for times, happened in groups if not happened[times == times.max()].all()]
    return min(limits) if limits else max(float(times.max()) for times, _ in groups)


@dataclass(frozen=True)
class Turnbull:
    """Nonparametric distribution of interval-censored times.

    Attributes:
        left: open left ends of the innermost intervals.
        right: closed right ends; NaN where the interval has no end (the seed was never seen to emerge).
        mass: probability of each interval; where inside it the mass lies is not identified.
    """

    left: Float[np.ndarray, "k"]
    right: Float[np.ndarray, "k"]
    mass: Float[np.ndarray, "k"]

    @property
    def median(self) -> tuple[float, float]:
        """The interval that holds the median, as (left, right]; right is NaN when it lies beyond the
        record."""
        if len(self.mass) == 0:
            return float("nan"), float("nan")
        k = int(np.searchsorted(np.cumsum(self.mass), 0.5 - 1e-9))
        k = min(k, len(self.mass) - 1)
        return float(self.left[k]), float(self.right[k])


def turnbull(
    left: Float[np.ndarray, "n"],
    right: Float[np.ndarray, "n"],
    *,
    tolerance: float = 1e-9,
    most: int = 10_000,
) -> Turnbull:
    """Turnbull's estimate for events known to lie in (left, right]; right NaN or infinite means "not by
    ``left``".

    The self-consistency (EM) iteration of Turnbull 1976 on the innermost intervals of Peto 1973.
    """
    low = np.asarray(left, dtype=float).ravel()
    high = np.asarray(right, dtype=float).ravel()
    if low.shape != high.shape:
        raise UserError(f"turnbull: {len(low)} left ends but {len(high)} right ends")
    high = np.where(np.isnan(high), np.inf, high)
    known = ~np.isnan(low)
    low, high = low[known], high[known]
    if np.any(high <= low):
        raise UserError("turnbull: every interval (left, right] must have left < right")
    if len(low) == 0:
        return Turnbull(np.empty(0), np.empty(0), np.empty(0))
    # innermost intervals: a left end followed at once by a right end in the merged order (right before left
    # at ties, as (a, b] and (b, c] do not meet)
    ends = np.concatenate([low, high])
    is_left = np.concatenate([np.ones(len(low), bool), np.zeros(len(high), bool)])
    order = np.lexsort((is_left, ends))
    sorted_ends, sorted_left = ends[order], is_left[order]
    meets = sorted_left[:-1] & ~sorted_left[1:]
    start, stop = sorted_ends[:-1][meets], sorted_ends[1:][meets]
    may = (start[None, :] >= low[:, None]) & (stop[None, :] <= high[:, None])
    mass = np.full(len(start), 1.0 / len(start))
    for _ in range(most):
        share = may * mass
        new = (share / share.sum(axis=1, keepdims=True)).mean(axis=0)
        done = bool(np.max(np.abs(new - mass)) < tolerance)
        mass = new
        if done:
            break
    return Turnbull(start, np.where(np.isfinite(stop), stop, np.nan), mass)


def median_interval(left: Real[np.ndarray, "n"], right: Real[np.ndarray, "n"], *, level: float = 0.95) -> Estimate:
    """Median of interval-censored times with the order-statistic interval, which needs no shape of
    distribution.

    The bootstrap fails for a median of five numbers; order statistics do not. Where n is too small for
    ``level``, the interval is min..max and its own level is reported (5 seeds: 93.75%). From six seeds on,
    the exact interval is longer than asked for (10 seeds: 97.9%) and is interpolated towards the next order
    statistic (Hettmansperger and Sheather 1986). The lower end is taken from the left ends and the upper one
    from the right ends, so not knowing where between two records the event lies can only widen it. An upper
    end beyond the record is NaN, and the method says so.

    Args:
        left: the event was not before this time (for a seed that never emerged: the last time it was seen).
        right: the event was at this time at the latest; NaN for a seed that never emerged.
        level: wanted confidence level, in (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise UserError(f"median_interval: level must be in (0, 1), got {level}")
    low = np.asarray(left, dtype=float).ravel()
    high = np.asarray(right, dtype=float).ravel()
    known = ~np.isnan(low)
    low, high = np.sort(low[known]), high[known]
    never = np.isnan(high) | np.isinf(high)
    high = np.sort(np.where(never, np.inf, high))
    n, nan = len(low), float("nan")
    if n == 0:
        return Estimate(nan, nan, nan, level, "no seeds", 0)
    half = (n - 1) // 2
    middle = float(high[half])  # lower median: the first time by which at least half have emerged
    value = middle if np.isfinite(middle) else nan
    if n < 3:
        return Estimate(value, nan, nan, level, f"{n} seed{'s' * (n > 1)}: no interval below 3", n)
    # P(X_(k) <= median <= X_(n+1-k)) = 1 - 2 P(Bin(n, 1/2) <= k - 1)
    depth = np.arange(1, half + 2)
    reached = 1 - 2 * stats.binom.cdf(depth - 1, n, 0.5)
    enough = np.flatnonzero(reached >= level)
    k = int(depth[enough[-1]]) if len(enough) else 1
    name = f"order statistics {k} and {n + 1 - k}"
    if not len(enough):
        lower, upper, attained = float(low[0]), float(high[-1]), float(reached[0])
    else:
        attained, share = level, 0.0
        if k <= half and reached[k - 1] > level:
            excess = (reached[k - 1] - level) / (reached[k - 1] - reached[k])
            share = float((n - k) * excess / (k + (n - 2 * k) * excess))
            name += f", {share:.2f} of the way to {k + 1} and {n - k}"
        lower = _between(float(low[k - 1]), float(low[min(k, n - 1)]), share)
        upper = _between(float(high[n - k]), float(high[max(n - k - 1, 0)]), share)
    if not np.isfinite(lower):
        lower, name = nan, name + "; the lower end lies before the record"
    if not np.isfinite(upper):
        upper, name = nan, name + "; the upper end lies beyond the record"
    return Estimate(value, lower, upper, attained, name, n)


def _between(outer: float, inner: float, share: float) -> float:
    """The outer end moved towards the inner one; an end that is not finite stays where it is."""
    return outer if not (np.isfinite(outer) and np.isfinite(inner)) else outer + share * (inner - outer)
