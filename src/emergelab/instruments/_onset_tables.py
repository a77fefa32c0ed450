"""Tables over seeds for `onset`: conditions, contrasts of conditions, order of observables, seeds that stand
out."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import stats

from emergelab.instruments._curves import Curves
from emergelab.instruments._logistic import LogisticFit, fit_logistic
from emergelab.instruments._onset_rules import Crossing
from emergelab.statistics import (
    compare_proportions,
    estimate,
    holm,
    kaplan_meier,
    log_rank,
    max_t,
    median_interval,
    permutation,
    proportion,
    relabellings,
    restricted_mean_difference,
    turnbull,
)
from emergelab.statistics.survival import log_rank_scores, standardised

__all__ = ["contrast_table", "order_table", "outliers", "summary_table", "surprise"]

_FAR_OUT = 3.5  # robust standard deviations (of log time) from which an onset stands out (Iglewicz and Hoaglin 1993)
_FACTOR = 3.0  # and it must be this many times later or earlier than the typical one: five seeds make a poor spread
_ALPHA = 0.05


def outliers(crossing: Crossing, time: Float[np.ndarray, "time"]) -> Bool[np.ndarray, "condition seed"]:
    """Onsets far from those of the other seeds of their condition: robust z of log time above 3.5
    and a factor of 3 from the median, where there are five onsets or more."""
    out = np.zeros(crossing.onset.shape, bool)
    if len(time) < 2:
        return out
    shift = float(np.median(np.diff(time))) - min(0.0, float(time.min()))  # so that time 0 has a logarithm
    for i, row in enumerate(crossing.onset):
        seen = np.isfinite(row)
        if seen.sum() < 5:
            continue
        logs = np.log(row[seen] + shift)
        middle = float(np.median(logs))
        spread = 1.4826 * float(np.median(np.abs(logs - middle)))
        out[i, seen] = np.abs(logs - middle) > max(_FAR_OUT * spread, float(np.log(_FACTOR)))
    return out


def surprise(
    upright: Float[np.ndarray, "condition seed time"], time: Float[np.ndarray, "time"], crossing: Crossing
) -> Float[np.ndarray, "condition seed"]:
    """First time, at or before the onset, at which the forecast "as the record before" fails.

    It fails when the record exceeds the one before by more than 4 robust standard deviations of the earlier
    steps (at least by a twentieth of the curve's range). NaN where that never happens, or where fewer than
    five steps came before.
    """
    out = np.full(crossing.onset.shape, np.nan)
    for index in zip(*np.nonzero(crossing.emerged), strict=True):
        seen = np.isfinite(upright[index]) & (time <= crossing.onset[index])
        y, t = upright[index][seen], time[seen]
        step, span = np.diff(y), float(np.nanmax(upright[index]) - np.nanmin(upright[index]))
        for j in range(5, len(step)):
            before = step[:j]
            scale = 1.4826 * float(np.median(np.abs(before - np.median(before))))
            if step[j] - np.median(before) > max(4 * scale, span / 20):
                out[index] = t[j + 1]
                break
    return out


def summary_table(
    data: Curves, crossing: Crossing, fit: LogisticFit, sign: float, fraction: float, level: float
) -> pd.DataFrame:
    """One row a condition: share that emerges, median onset, typical width and the width of the mean
    curve."""
    rows, medians = [], []
    shape = crossing.onset.shape
    for i, condition in enumerate(data.conditions):
        seen = np.isfinite(crossing.last[i])
        emerged = crossing.emerged[i] & seen
        share = proportion(int(emerged.sum()), int(seen.sum()), level=level)
        left = np.where(emerged, crossing.left[i], crossing.last[i])[seen]
        right = np.where(emerged, crossing.onset[i], np.nan)[seen]
        median = median_interval(left, right, level=level)
        medians.append(median)
        curve = kaplan_meier(crossing.duration[i][seen], emerged[seen], level=level)
        after, upto = turnbull(left, right).median
        block = sign * data.values[i]
        some = np.isfinite(block).any(axis=0)
        mean = np.full(block.shape[1], np.nan)
        mean[some] = np.nanmean(block[:, some], axis=0)
        of_mean = fit_logistic(mean[None], data.time) if len(data.time) else None
        width = fit.decades.reshape(shape)[i][emerged]
        rows.append(
            {
                "condition": condition,
                "seeds": int(seen.sum()),
                "emerged": int(emerged.sum()),
                "fraction": share.value,
                "fraction_low": share.low,
                "fraction_high": share.high,
                "p_fraction": share.p_greater(fraction),
                "median_onset": curve.median,
                "median_low": median.low if np.isfinite(median.low) else np.nan,
                "median_high": median.high,
                "median_level": median.level,
                "median_after": after if np.isfinite(after) else np.nan,
                "median_upto": upto,
                "W_decades": _middle(width),
                "A": _middle(fit.abruptness.reshape(shape)[i][emerged]),
                "mean_curve_W": float(of_mean.decades[0]) if of_mean is not None and emerged.any() else np.nan,
            }
        )
    frame = pd.DataFrame(rows)
    frame.attrs["medians"] = medians
    return frame


def _middle(x: np.ndarray) -> float:
    x = x[np.isfinite(x)]
    return float(np.median(x)) if len(x) else float("nan")


_CONTRAST_COLUMNS = [
    "a",
    "b",
    "n_a",
    "n_b",
    "difference",
    "low",
    "high",
    "p",
    "p_log_rank",
    "p_early",
    "smallest_p",
    "p_asymptotic",
    "p_sweep",
    "hazard_ratio",
    "hazard_low",
    "hazard_high",
    "fraction_difference",
    "p_barnard",
    "p_fisher",
    "fraction_verdict",
    "order_flips",
    "draws",
    "test",
]


def contrast_table(
    data: Curves,
    crossing: Crossing,
    scenes: Mapping[tuple[str, int], Crossing],
    *,
    paired: bool,
    margin: float | None,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row a pair of conditions: who emerges earlier, and in more seeds; judged by relabelling seeds."""
    rows, differences = [], []
    for a, b in combinations(range(len(data.conditions)), 2):
        row: dict[str, object] = {"a": data.conditions[a], "b": data.conditions[b]}
        seen = [np.isfinite(crossing.last[i]) for i in (a, b)]
        if paired:
            seen = [seen[0] & seen[1]] * 2
        times = [crossing.duration[i][s] for i, s in zip((a, b), seen, strict=True)]
        flags = [crossing.emerged[i][s] for i, s in zip((a, b), seen, strict=True)]
        row["n_a"], row["n_b"] = len(times[0]), len(times[1])
        until = _horizon(times, flags)
        gap = restricted_mean_difference(
            times[0],
            flags[0],
            times[1],
            flags[1],
            until=until,
            paired=paired,
            level=level,
            draws=max(draws, 999),
            rng=rng,
        )
        differences.append(gap)
        row |= {"difference": gap.value, "low": gap.low, "high": gap.high}
        test = log_rank(times[0], flags[0], times[1], flags[1], draws=max(draws, 1999), rng=rng)
        outcome, row["test"] = (
            test.permutation,
            "larger of log-rank and early-weighted log-rank, relabelling of seeds",
        )
        row |= {"p": test.p, "p_log_rank": test.permutation.p, "p_early": test.early.p}
        if paired:
            capped = [np.minimum(t, until if until is not None else np.inf) for t in times]
            outcome = permutation(capped[0], capped[1], paired=True, draws=max(draws, 1999), rng=rng)
            row |= {"test": "difference of onsets within seeds, flipping of signs", "p": outcome.p}
        row |= {"smallest_p": outcome.smallest_p, "draws": outcome.draws, "p_asymptotic": test.p_asymptotic}
        row |= {
            "hazard_ratio": test.hazard_ratio,
            "hazard_low": test.hazard_low,
            "hazard_high": test.hazard_high,
        }
        share = compare_proportions(int(flags[0].sum()), len(flags[0]), int(flags[1].sum()), len(flags[1]), level=level)
        row |= {"fraction_difference": share.value, "p_barnard": share.p_barnard, "p_fisher": share.p_fisher}
        row["fraction_verdict"] = "inconclusive"
        if share.p_barnard <= _ALPHA:
            row["fraction_verdict"] = "more often" if share.value > 0 else "less often"
        width = [(crossing.onset[i] - crossing.left[i])[np.isfinite(crossing.left[i])] for i in (a, b)]
        # an order that turns by less than the gap between two records has not been seen to turn
        blur = max(0.1 * abs(gap.value), _middle(np.concatenate(width))) if np.isfinite(gap.value) else np.nan
        row["order_flips"], row["p_sweep"] = _sweep(a, b, seen, gap.value, blur, scenes, draws, rng)
        rows.append(row)
    frame = pd.DataFrame(rows, columns=list(_CONTRAST_COLUMNS))
    frame["p_holm"] = holm(frame["p"].to_numpy(dtype=float)) if len(frame) else np.empty(0)
    verdicts = []
    for row_, gap in zip(frame.itertuples(), differences, strict=True):
        verdict = "inconclusive"
        if not row_.order_flips:
            if row_.p_holm <= _ALPHA and gap.value != 0:
                verdict = "earlier" if gap.value < 0 else "later"
            if margin is not None and gap.claimed:
                if -margin < gap.low and gap.high < margin:
                    verdict = "no difference"
                elif not (gap.low > margin or gap.high < -margin):
                    verdict = "inconclusive"
        verdicts.append(verdict)
    frame["verdict"] = verdicts
    frame.attrs["differences"] = differences
    return frame


def _horizon(times: list[np.ndarray], flags: list[np.ndarray]) -> float | None:
    """Time up to which both groups are known: the earliest end of a curve that is censored at its end."""
    ends = [float(t.max()) for t, f in zip(times, flags, strict=True) if len(t) and not f[t == t.max()].all()]
    if ends:
        return min(ends)
    return max((float(t.max()) for t in times if len(t)), default=None)


def _sweep(
    a: int,
    b: int,
    seen: list[np.ndarray],
    main: float,
    blur: float,
    scenes: Mapping[tuple[str, int], Crossing],
    draws: int,
    rng: np.random.Generator,
) -> tuple[bool, float]:
    """Whether the order of two conditions depends on threshold or k, and the p of the whole sweep (max-T)."""
    n_a, n_b = int(seen[0].sum()), int(seen[1].sum())
    if n_a == 0 or n_b == 0 or not scenes:
        return False, float("nan")
    member, _ = relabellings(n_a, n_b, draws=max(draws, 999), rng=rng)
    flips, looks = False, []
    for c in scenes.values():
        times = [c.duration[i][s] for i, s in zip((a, b), seen, strict=True)]
        flags = [c.emerged[i][s] for i, s in zip((a, b), seen, strict=True)]
        if not (flags[0].any() or flags[1].any()):
            continue
        until = _horizon(times, flags) or 0.0
        gap = float(np.mean(np.minimum(times[0], until)) - np.mean(np.minimum(times[1], until)))
        flips |= gap * main < 0 and abs(gap) > blur
        pooled = np.concatenate(times), np.concatenate(flags)
        looks += [np.abs(standardised(log_rank_scores(*pooled, member, early=early))) for early in (False, True)]
    p = float(np.nanmin(max_t(np.column_stack(looks)))) if looks else float("nan")
    return bool(flips), p


def order_table(
    data: Curves,
    crossing: Crossing,
    others: Mapping[str, Crossing],
    *,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row a companion and condition: which comes first within a seed, and by how much.

    An observable that never emerges in a seed comes after one that does; seeds in which neither emerges, or
    in which both onsets lie in the same gap between records, say nothing about the order.
    """
    rows = []
    for name, other in others.items():
        for i, condition in enumerate(data.conditions):
            mine = np.where(crossing.emerged[i], crossing.onset[i], np.inf)
            theirs = np.where(other.emerged[i], other.onset[i], np.inf)
            first, last = int((theirs < mine).sum()), int((theirs > mine).sum())
            decided = first + last
            both = crossing.emerged[i] & other.emerged[i]
            lead = estimate((crossing.onset[i] - other.onset[i])[both], level=level, draws=max(draws, 999), rng=rng)
            rows.append(
                {
                    "companion": name,
                    "condition": condition,
                    "companion_first": first,
                    "companion_last": last,
                    "decided": decided,
                    "undecided": len(mine) - decided,
                    "p": float(stats.binomtest(first, decided, 0.5).pvalue) if decided else float("nan"),
                    "lead": lead.value,
                    "lead_low": lead.low,
                    "lead_high": lead.high,
                    "lead_n": lead.n,
                }
            )
    columns = [
        "companion",
        "condition",
        "companion_first",
        "companion_last",
        "decided",
        "undecided",
        "p",
        "lead",
        "lead_low",
        "lead_high",
        "lead_n",
    ]
    return pd.DataFrame(rows, columns=columns)
