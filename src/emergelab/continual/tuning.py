"""Tuning on one stream, judging on another: the two-phase protocol as functions of tables of scores.

A method has settings, and who publishes its best result on the stream that it was tuned on reports luck along with
merit. Cha and Cho (2024) choose a setting on one set of data and report it on another. Everything here is a function of
scores that somebody has measured, higher being better, in three tables:

    tune      on the first phase's data: what the two-phase protocol chooses by
    report    on the second phase's data: what the conventional protocol chooses by, and reports
    judge     on the second phase's data again, in runs that nobody has chosen by

All have an axis `trial` (settings) and may have an axis `stream` (repetitions, of which the mean is taken). Any other
axes (`method`, `seed`, ...) are kept. `seed` is one repetition of the whole search, and intervals are taken over it.
Where there are scores of two phases and nothing more, `of_two` makes the three tables of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from scipy import integrate, special, stats

from emergelab.errors import UserError
from emergelab.statistics import estimate

__all__ = [
    "at_trial", "best", "by_trials", "crossed", "expected_maximum", "of_two", "protocol", "rank_correlation", "ranks",
    "sensitivity", "summary", "swaps", "tunability",
]  # fmt: skip

Table: TypeAlias = xr.DataArray


def _means(scores: Table) -> Table:
    """Scores with `trial` last and streams averaged."""
    if "trial" not in scores.dims:
        raise UserError(
            f"scores need an axis 'trial', one entry a setting; they have {', '.join(map(str, scores.dims))}"
        )
    if not np.isfinite(scores.values).any():
        raise UserError("scores: there is no finite number among them")
    return scores.mean("stream") if "stream" in scores.dims else scores


def best(scores: Table) -> Table:
    """Place of the best setting by its mean over streams; the first of several that are equal.

    A setting that diverged (NaN) is never the best.
    """
    means = _means(scores)
    return means.fillna(-np.inf).argmax("trial")


def at_trial(scores: Table, trial: Table) -> Table:
    """Mean score of a setting chosen by place."""
    # a setting's own coordinate would differ between those who chose
    return _means(scores).isel(trial=trial).drop_vars("trial", errors="ignore")


def protocol(tune: Table, report: Table, judge: Table) -> xr.Dataset:
    """Both protocols, and what sets them apart.

    Args:
        tune, report, judge: the three tables; see above.

    Returns:
        by the axes that are kept: `chosen` (on the first phase) and `favourite` (on the second), places of settings;
        `tuned`, the chosen one's score where it was chosen; `conventional`, the favourite's score where it was chosen,
        which is what is usually published; `two_phase`, the chosen one's score in runs that nobody chose by;
        `repeated`, the favourite's there; `optimism` = conventional - two_phase, the sum of `curse` = conventional -
        repeated (the winner's curse) and `regret` = repeated - two_phase (what the second phase would have chosen
        better).

    Raises:
        UserError: a table without settings, or without any number.
    """
    chosen, favourite = best(tune), best(report)
    conventional, repeated, two_phase = at_trial(report, favourite), at_trial(judge, favourite), at_trial(judge, chosen)
    return xr.Dataset(
        {
            "chosen": chosen, "favourite": favourite, "tuned": at_trial(tune, chosen), "conventional": conventional,
            "two_phase": two_phase, "repeated": repeated, "optimism": conventional - two_phase,
            "curse": conventional - repeated, "regret": repeated - two_phase,
        }
    )  # fmt: skip


def crossed(tune: Table, report: Table, judge: Table) -> xr.Dataset:
    """`protocol` with either of the second phase's tables judging what was chosen on the other, mean of both.

    What one of them has of easier streams than the other falls out, which would otherwise be most of the noise. Both
    have to come from as many runs. Places of settings are left out.
    """
    both = [protocol(tune, a, b).drop_vars(["chosen", "favourite"]) for a, b in ((report, judge), (judge, report))]
    return 0.5 * (both[0] + both[1])


def of_two(scores: Table, one: str = "one", two: str = "two") -> tuple[Table, Table, Table]:
    """Three tables out of scores [seed, phase, trial, ...]: every seed is a search of its own, judged on the next seed.

    Args:
        scores: two seeds or more, drawn apart.
        one, two: names of the phases.

    Returns:
        tune, report, judge; a seed is judged by the scores of the next one on the second phase, the last by the
        first's. So every score judges once, and seeds stay apart; to be judged by the mean of all others would be less
        noisy, but all would share that noise, and intervals over seeds would be far too narrow.

    Raises:
        UserError: an axis or a phase is missing, or there is only one seed.
    """
    for dim in ("seed", "phase", "trial"):
        if dim not in scores.dims:
            raise UserError(f"scores need axes seed, phase and trial; {dim!r} is missing")
    names = [str(p) for p in scores.phase.values]
    for name in (one, two):
        if name not in names:
            raise UserError(f"scores have no phase {name!r}; there are {', '.join(names)}")
    if scores.sizes["seed"] < 2:
        raise UserError("two seeds or more are needed: one to choose by, another to judge by")
    first, second = scores.sel(phase=one, drop=True), scores.sel(phase=two, drop=True)
    judge = second.roll(seed=-1, roll_coords=False)
    return first, second, judge


# -- how much there is to choose from ----------------------------------------------------------------------------------


def expected_maximum(count: int | float) -> float:
    """Mean of the largest of so many standard normal numbers: 0 of one, 0.56 of two, 1.63 of twelve."""
    if count < 1:
        raise UserError(f"count must be 1 or more, got {count}")
    return float(integrate.quad(lambda z: z * count * stats.norm.pdf(z) * special.ndtr(z) ** (count - 1), -9, 9)[0])


def _chances(trials: int, count: int) -> Float[np.ndarray, "trial"]:
    """Chance that the setting of each rank, worst first, is the best of a random `count` of all."""
    below = np.arange(trials)
    return np.where(below >= count - 1, special.comb(below, count - 1), 0.0) / special.comb(trials, count)


def by_trials(tune: Table, report: Table, judge: Table, counts: Sequence[int]) -> xr.Dataset:
    """What either protocol gives if only so many of the settings had been tried, mean over all ways to pick them.

    Exact: a setting of rank r is the best of a random few with a chance that combinatorics gives, so nothing is drawn.

    Args:
        tune, report, judge: the three tables, without missing numbers.
        counts: numbers of settings, from 1 to all.

    Returns:
        `conventional`, `two_phase`, `repeated`, `optimism`, `curse` and `regret` by an axis `count`.

    Raises:
        UserError: a count that is out of range.
    """
    tune, report, judge = xr.align(_means(tune), _means(report), _means(judge), join="exact")
    trials = tune.sizes["trial"]
    for count in counts:
        if not 1 <= count <= trials:
            raise UserError(f"counts must be from 1 to {trials}, the number of settings, got {count}")
    chance = xr.DataArray(
        np.array([_chances(trials, c) for c in counts]), dims=("count", "trial"), coords={"count": list(counts)}
    )

    def if_chosen_by(criterion: Table, score: Table) -> Table:
        values = criterion.transpose(..., "trial").fillna(-np.inf).values
        # of settings that are equal the first is the best, as in `best`, so it comes last
        order = trials - 1 - np.argsort(values[..., ::-1], axis=-1, kind="stable")
        at = criterion.transpose(..., "trial").copy(data=order)
        ranked = score.transpose(*at.dims).copy(
            data=np.take_along_axis(score.transpose(*at.dims).values, at.values, -1)
        )
        return (ranked.drop_vars("trial", errors="ignore") * chance).sum("trial")

    conventional, repeated = if_chosen_by(report, report), if_chosen_by(report, judge)
    two_phase = if_chosen_by(tune, judge)
    return xr.Dataset(
        {
            "conventional": conventional, "two_phase": two_phase, "repeated": repeated,
            "optimism": conventional - two_phase, "curse": conventional - repeated, "regret": repeated - two_phase,
        }
    )  # fmt: skip


def tunability(report: Table, judge: Table) -> Table:
    """What choosing on the same data is worth: the favourite minus the median setting, both where nobody chose."""
    return at_trial(judge, best(report)) - _means(judge).median("trial")


def sensitivity(judge: Table) -> Table:
    """Standard deviation over settings of the mean score."""
    return _means(judge).std("trial", ddof=1)


# -- rankings ----------------------------------------------------------------------------------------------------------


def ranks(scores: Table, dim: str = "method") -> Table:
    """1 for the best; equal scores share their mean rank."""
    return xr.apply_ufunc(
        lambda x: stats.rankdata(-x, axis=-1), scores, input_core_dims=[[dim]], output_core_dims=[[dim]]
    )


def rank_correlation(a: Table, b: Table, dim: str = "method", kind: str = "kendall") -> Table:
    """Rank correlation along an axis, by the axes that are left.

    Args:
        a, b: what is ranked.
        dim: the axis along which.
        kind: "kendall" (tau-b) or "spearman".

    Returns:
        from -1 to 1; NaN where all of one are equal.
    """
    if kind not in ("kendall", "spearman"):
        raise UserError(f"kind must be 'kendall' or 'spearman', got {kind!r}")
    a, b = xr.broadcast(a, b)

    def one(x: np.ndarray, y: np.ndarray) -> float:
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            return float("nan")
        return float((stats.kendalltau if kind == "kendall" else stats.spearmanr)(x, y).statistic)

    return xr.apply_ufunc(one, a, b, input_core_dims=[[dim], [dim]], vectorize=True, output_dtypes=[float])


def swaps(conventional: Table, two_phase: Table) -> Table:
    """How clearly two methods change places, [seed], with the pair chosen on the other seeds.

    For each seed the others say which pair (a, b) changes places most clearly: a ahead conventionally, b ahead in the
    two-phase protocol; and which of the two leads is the lesser. The seed's own value is that lead, so a mean above 0
    says that in searches that had no part in the choice the pair is swapped. Where nothing is, the mean is 0 or below.

    Args:
        conventional, two_phase: scores [seed, method].

    Raises:
        UserError: fewer than two seeds or methods.
    """
    first, second = conventional.transpose("seed", "method").values, two_phase.transpose("seed", "method").values
    seeds, methods = first.shape
    if seeds < 2 or methods < 2:
        raise UserError(f"swaps need two seeds and two methods or more, got {seeds} and {methods}")
    lead, back = first[:, :, None] - first[:, None, :], second[:, None, :] - second[:, :, None]
    out = np.empty(seeds)
    for seed in range(seeds):
        others = np.arange(seeds) != seed
        clear = np.minimum(lead[others].mean(axis=0), back[others].mean(axis=0))
        clear[np.diag_indices(methods)] = -np.inf
        a, b = np.unravel_index(clear.argmax(), clear.shape)
        lesser = lead if lead[others, a, b].mean() < back[others, a, b].mean() else back
        out[seed] = lesser[seed, a, b]
    return xr.DataArray(out, dims="seed", coords={k: v for k, v in conventional.coords.items() if v.dims == ("seed",)})


def summary(found: xr.Dataset, level: float = 0.95) -> pd.DataFrame:
    """Means over `seed` with intervals: one row a variable and entry of the other axes.

    Args:
        found: what `protocol` or `by_trials` returns, with an axis `seed`.
        level: of the intervals, in (0, 1).

    Returns:
        columns: `what`, the other axes, `value`, `low`, `high`, `seeds`. Places of settings are left out.

    Raises:
        UserError: there is no axis `seed`.
    """
    if "seed" not in found.dims:
        raise UserError("intervals are over seeds, each a search of its own; there is no axis 'seed'")
    rows = []
    for name, values in found.items():
        if name in ("chosen", "favourite"):
            continue
        others = [str(d) for d in values.dims if d != "seed"]
        stacked = values.transpose(*others, "seed")
        for at in np.ndindex(*(stacked.sizes[d] for d in others)):
            one = estimate(stacked.values[at], level=level)
            labels = {
                d: stacked[d].values[i].item() if d in stacked.coords else i for d, i in zip(others, at, strict=True)
            }
            rows.append({"what": name, **labels, "value": one.value, "low": one.low, "high": one.high, "seeds": one.n})
    return pd.DataFrame(rows)
