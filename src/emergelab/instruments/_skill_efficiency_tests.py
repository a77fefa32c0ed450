"""Systems against each other: multipliers, probability of superiority, ranks and how stable they are."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import kendalltau, rankdata

from emergelab.instruments._skill_efficiency_standins import Reached
from emergelab.statistics import Estimate, estimate, holm, permutation

__all__ = ["FEW_TASKS", "hodges_lehmann", "mean_ranks", "pairs_table", "stability_table", "tau"]

FEW_SEEDS = 5  # a group, for an interval
FEW_TASKS = 5  # from here on tasks are the replicates; below, seeds are


def _mean(values: Float[np.ndarray, "*rest n"]) -> Float[np.ndarray, "*rest"]:
    """Mean over the last axis of what is finite; NaN where nothing is."""
    seen = np.isfinite(values)
    count = seen.sum(axis=-1)
    return np.where(seen, values, 0.0).sum(axis=-1) / np.where(count > 0, count, np.nan)


def pairs_table(
    reached: Reached,
    systems: tuple[str, ...],
    *,
    margin: float | None,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, list[Estimate]]:
    """Each two systems: experience of the second over that of the first at the threshold, with its evidence.

    From five informative tasks on, tasks are the replicates (the mean over seeds of log experience, paired by task);
    with fewer, seeds are (the mean over tasks). Where a system never reaches the threshold, the last experience seen
    stands for it: a bound, which makes the multiplier smaller than it is. Tasks that neither system ever reaches say
    nothing.
    """
    rows, found = [], []
    log = np.log(np.where(np.isfinite(reached.bound), np.maximum(reached.bound, 1e-300), np.nan))
    for a, b in combinations(range(len(systems)), 2):
        some = np.isfinite(reached.at[[a, b]]).any(axis=(0, 1))
        seen = np.isfinite(log[[a, b]]).any(axis=1).all(axis=0)
        told = some & seen
        x, y = log[a][:, told], log[b][:, told]
        over_tasks = int(told.sum()) >= FEW_TASKS
        if over_tasks:
            per_task = _mean(y.T) - _mean(x.T)
            gap = estimate(per_task, level=level, draws=max(200, draws), rng=rng)
            test = permutation(_mean(y.T), _mean(x.T), paired=True, draws=max(999, draws), rng=rng)
        else:
            gap = hodges_lehmann(_mean(y), _mean(x), level)
            ranks = rankdata(np.concatenate([_mean(y), _mean(x)]), nan_policy="omit")
            test = permutation(ranks[: len(y)], ranks[len(y) :], draws=max(999, draws), rng=rng)
        found.append(gap)
        better = _superiority(reached, a, b, told)
        middle = [_median_ratio(reached, a, b, int(t)) for t in np.flatnonzero(told)]
        middle = [m for m in middle if np.isfinite(m)]
        firsts = _mean(y.T) - _mean(x.T) if told.any() else np.empty(0)
        rows.append(
            {
                "a": systems[a], "b": systems[b], "multiplier": np.exp(gap.value), "low": np.exp(gap.low),
                "high": np.exp(gap.high), "median_ratio": float(np.median(middle)) if middle else np.nan,
                "p": test.p, "smallest_p": test.smallest_p, "draws": test.draws, "superiority": better,
                "tasks": int(told.sum()), "tasks_a_first": int((firsts > 0).sum()),
                "bounds": int(reached.never[[a, b]][:, :, told].sum()),
                "replicates": "tasks" if over_tasks else "seeds",
            }
        )  # fmt: skip
    names = [
        "a", "b", "multiplier", "low", "high", "median_ratio", "p", "smallest_p", "draws", "superiority", "tasks",
        "tasks_a_first", "bounds", "replicates",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=names)
    table["p_holm"] = holm(table["p"].to_numpy(dtype=float))
    said = []
    for row in table.itertuples():
        if row.p_holm <= 1 - level and row.multiplier != 1:
            said.append("less experience" if row.multiplier > 1 else "more experience")
        elif margin is not None and row.low > 1 / margin and row.high < margin:
            said.append("no difference")
        else:
            said.append("inconclusive")
    table["verdict"] = said
    return table, found


def hodges_lehmann(a: Float[np.ndarray, "m"], b: Float[np.ndarray, "n"], level: float) -> Estimate:
    """Median of all differences a - b, with the interval that inverts the exact rank test (Hodges and Lehmann 1963).

    One run that learns ten times later than the others does not widen it. No interval below five a group.
    """
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    m, n, nan = len(a), len(b), float("nan")
    if m == 0 or n == 0:
        return Estimate(nan, nan, nan, level, "a group has no record", m + n)
    gaps = np.sort((a[:, None] - b[None]).ravel())
    value = float(np.median(gaps))
    if min(m, n) < FEW_SEEDS:
        return Estimate(value, nan, nan, level, f"no interval below {FEW_SEEDS} seeds a group", m + n)
    tail = np.cumsum(_rank_sum_counts(m, n))
    tail /= tail[-1]
    k = int(np.searchsorted(tail, (1 - level) / 2, side="right"))  # P(U <= k - 1) is at most (1 - level) / 2
    if k == 0:
        return Estimate(value, nan, nan, level, "too few seeds for an interval at this level", m + n)
    name = "Hodges-Lehmann, exact ranks"
    return Estimate(value, float(gaps[k - 1]), float(gaps[m * n - k]), level, name, m + n)


def _rank_sum_counts(m: int, n: int) -> Float[np.ndarray, "statistic"]:
    """In how many ways the Mann-Whitney statistic of m and n numbers takes each value, over its largest count."""
    counts = np.ones(1)
    for i in range(1, m + 1):  # product of (1 - q^(n + i)) / (1 - q^i)
        counts = np.convolve(counts, np.concatenate([[1.0], np.zeros(n + i - 1), [-1.0]]))
        out = np.zeros(len(counts) - i)
        for j in range(len(out)):
            out[j] = counts[j] + (out[j - i] if j >= i else 0.0)
        counts = out
    return counts


def _superiority(reached: Reached, a: int, b: int, told: np.ndarray) -> float:
    """Probability that a seed of a reaches the threshold with less experience than one of b, ties half; over tasks."""
    at = np.where(reached.never, np.inf, reached.at)
    shares = []
    for t in np.flatnonzero(told):
        x, y = at[a, :, t], at[b, :, t]
        x, y = x[~np.isnan(x)], y[~np.isnan(y)]
        if len(x) and len(y):
            with np.errstate(invalid="ignore"):
                wins = (x[:, None] < y[None]).mean() + 0.5 * (x[:, None] == y[None]).mean()
            shares.append(float(wins))
    return float(np.mean(shares)) if shares else float("nan")


def _median_ratio(reached: Reached, a: int, b: int, t: int) -> float:
    """Ratio of median experience of b to a on one task, never counted as beyond all; NaN if a median is "never"."""
    middles = []
    for s in (a, b):
        values = np.where(reached.never[s, :, t], np.inf, reached.at[s, :, t])
        values = np.sort(values[~np.isnan(values)])
        middles.append(float(values[(len(values) - 1) // 2]) if len(values) else np.nan)
    if not np.isfinite(middles).all() or middles[0] <= 0:
        return float("nan")
    return middles[1] / middles[0]


def mean_ranks(values: Float[np.ndarray, "system seed task"]) -> Float[np.ndarray, "system"]:
    """Mean over tasks of the rank of each system (1 is best) by its mean over seeds; NaN if it is never ranked."""
    by_task = _mean(values.transpose(0, 2, 1))
    usable = np.isfinite(by_task).all(axis=0)
    if not usable.any():
        return np.full(len(values), np.nan)
    return np.asarray(rankdata(-by_task[:, usable], axis=0).mean(axis=1))


def tau(a: Float[np.ndarray, "system"], b: Float[np.ndarray, "system"]) -> float:
    """Kendall's tau-b of two rankings; NaN where one of them does not tell the systems apart."""
    if len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(kendalltau(a, b).statistic)


def stability_table(ranks: dict[str, Float[np.ndarray, "system"]]) -> pd.DataFrame:
    """Kendall's tau between the rankings of each two stand-ins or thresholds."""
    rows = [(a, b, tau(ranks[a], ranks[b])) for a, b in combinations(ranks, 2)]
    return pd.DataFrame(rows, columns=["first", "second", "tau"])
