"""What `change_points` says: the verdict, the cautions and the words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from emergelab.instruments._change_points_scan import LEVELS, NULLS, Search
from emergelab.instruments._change_points_seeds import Change
from emergelab.instruments._curves import Curves
from emergelab.instruments.result import Effect, Null
from emergelab.statistics import Estimate, proportion

__all__ = ["CANNOT_SEE", "Answer", "cautions", "describe", "verdict_of"]

CANNOT_SEE = (
    "what happens between two records; regimes shorter than the shortest piece; why the regime changed. A smooth rise "
    "is told from a step only by the columns shape and step_bic. Seasons and cycles are not in the default null, so a "
    "recurring swing can pass for changes; and where every record changes level after a few records, the null takes "
    "the changes for slow noise and stays silent. Slow noise itself (a coefficient near one) hides steps of one or two "
    "of its standard deviations, and bends of the slope are hardly found. A training map cuts any slow curve into "
    "states: steps are claimed in seeds that change at all, but the number of states is not tested. The first test is "
    "conservative: on white, trending and heteroscedastic noise it raises 0% to 1% false alarms, on AR(1) noise of 0.9 "
    "3%, where 5% are nominal."
)

_KIND = {
    "mean": "level",
    "rank": "level (by ranks)",
    "slope": "slope",
    "variance": "spread",
    "normal": "level and spread",
    "distribution": "distribution",
    "autocorrelation": "correlation of neighbours",
    "ar": "coefficients of an autoregression",
}


@dataclass(frozen=True)
class Answer:
    """The headline of a result."""

    verdict: str
    headline: str
    estimate: Estimate
    p: float
    null: Null
    effect: Effect


def null_words(search: Search) -> str:
    """The null in words."""
    if search.null not in NULLS:
        return search.null
    how = "at random signs" if search.cost in LEVELS else "shuffled, at random signs"
    return f"{search.null}, own innovations {how}"


def cautions(
    data: Curves,
    search: Search,
    p_any: Float[np.ndarray, "condition seed"],
    tested: Int[np.ndarray, "condition"],
    table: pd.DataFrame,
    count: str | int,
    null: str,
) -> list[str]:
    """What the reader must know before believing the verdict."""
    out = []
    lost = p_any.size - int(tested.sum())
    if lost:
        out.append(f"{lost} of {p_any.size} seeds have too few records to be tested and are left out")
    odd = table[table["odd"]]
    if len(odd):
        named = ", ".join(f"{r.seed} (z = {r.distance_z:.1f})" for r in odd.itertuples())
        out.append(f"odd seeds, far from the median curve: {named}; do not average them away")
    if count != "test":
        out.append('the number of changes was not tested: only count="test" can answer "no change" with a known error')
    finite = p_any[np.isfinite(p_any)]
    if len(finite) and 1 / (search.draws + 1) > 0.05 / len(finite):
        out.append(
            f"with {search.draws} surrogates no p is below {1 / (search.draws + 1):.2g}, too coarse to find a single "
            f"seed among {len(finite)}; use more draws"
        )
    if null == "shuffle":
        out.append("the null of independent records calls any slow noise a change")
    silent = table[(table["p_adjusted"] <= 0.05) & (table["changes"] == 0)]
    if len(silent) and count == "test":
        out.append(
            f"{len(silent)} seeds are not a line plus noise (p <= 0.05) but hold no single change that passes its own "
            "test: look for a slow bend, or try another cost"
        )
    return out


def level_in(y: Float[np.ndarray, "n"], u: Float[np.ndarray, "n"], search: Search) -> float:
    """What the cost is about, inside one piece: mean, slope, spread or lag-1 correlation."""
    scale = float(np.abs(y).max()) or 1.0
    z = y / scale
    off = z - z.mean()
    size = float(off @ off)
    if search.cost == "slope":
        x = u - u.mean()
        return scale * float(x @ z) / float(x @ x) if float(x @ x) > 0 else float("nan")
    if search.cost == "variance":
        return scale * float(np.sqrt(size / max(1, len(z) - 1)))
    if search.cost == "autocorrelation":
        return float(off[1:] @ off[:-1]) / size if size > 0 else float("nan")
    if search.cost == "ar":  # their sum: how much of a push is still there in the next records
        k = max(1, min(search.lags, len(z) // 4))
        past = np.column_stack([off[k - j : len(off) - j] for j in range(1, k + 1)])
        beta = np.linalg.lstsq(past, off[k:], rcond=None)[0] if size > 0 else np.full(k, np.nan)
        return float(beta.sum())
    if search.cost == "rank":
        return scale * float(np.median(z))
    return scale * float(z.mean())


def verdict_of(
    data: Curves,
    changes: list[Change],
    p_any: Float[np.ndarray, "condition seed"],
    tested: Int[np.ndarray, "condition"],
    table: pd.DataFrame,
    places: list[Estimate],
    lining: list[tuple[float, int]],
    fraction: float,
    level: float,
    search: Search,
) -> Answer:
    """The verdict and the numbers that stand beside it."""
    nan = float("nan")
    verdicts = [
        _one(i, changes, int(tested[i]), table[table["condition"] == c], lining[i][0], fraction, level)
        for i, c in enumerate(data.conditions)
    ]
    verdict = verdicts[0] if len(set(verdicts)) == 1 else "differs by condition"
    largest = max((abs(c.size) for c in changes if np.isfinite(c.size)), default=nan)
    effect = Effect("largest change, in sd inside the pieces", largest)
    finite = p_any[np.isfinite(p_any)]
    p = nan
    if len(finite):
        p = float(min(1.0, finite.min() * len(finite)))
    null = Null(null_words(search), search.draws)
    headline = "place of the most shared change"
    if not places:
        reason = "no change was found" if tested.sum() else "too few records"
        return Answer(verdict, headline, Estimate(nan, nan, nan, level, reason, int(tested.sum())), p, null, effect)
    most = int(np.argmax(table["seeds"].to_numpy()))
    where = places[most]
    if int(tested.sum()) == 1:
        main = max(changes, key=lambda c: np.nan_to_num(abs(c.size), nan=1e300))
        where = Estimate(main.upto, main.low, main.high, level, "residual blocks, within one run", 1)
        headline = "place of the largest change"
    if verdict == "aligned" and len(data.conditions) == 1:
        p, null = lining[0][0], Null("circular shifts of the seeds", search.draws)
    return Answer(verdict, headline, where, p, null, effect)


def _one(
    condition: int,
    changes: list[Change],
    tested: int,
    table: pd.DataFrame,
    p_aligned: float,
    fraction: float,
    level: float,
) -> str:
    if tested == 0:
        return "untested"
    k = len({c.seed for c in changes if c.condition == condition})
    if k == 0:
        return "no change"
    if tested == 1:
        return "changes"
    if p_aligned <= 1 - level and table["share_low"].max() > fraction:
        return "aligned"
    return "scattered" if proportion(k, tested, level=level).low > fraction else "in some seeds"


def describe(
    title: str,
    data: Curves,
    search: Search,
    count: str | int,
    changes: list[Change],
    tested: Int[np.ndarray, "condition"],
    table: pd.DataFrame,
    lining: list[tuple[float, int]],
    order: pd.DataFrame,
    verdict: str,
) -> str:
    """The finding in plain sentences."""
    unit = f" {data.time_unit}" if data.time_unit else ""
    how = {
        "test": "each tested against " + null_words(search),
        "penalty": "as many as the noise-aware penalty asks for",
        "bayes": "by the most probable segmentation",
    }.get(str(count), f"with {count} changes asked for in each seed")
    out = [f"Changes of the {_KIND[search.cost]} of {title}, {how}; a piece has at least {search.size} records."]
    for i, condition in enumerate(data.conditions):
        where = f" of {condition}" if len(data.conditions) > 1 else ""
        seeds = {c.seed for c in changes if c.condition == i}
        number = sum(c.condition == i for c in changes)
        out.append(f"{len(seeds)} of {int(tested[i])} seeds{where} change, {number} changes in all.")
        if int(tested[i]) == 1:
            for c in sorted((c for c in changes if c.condition == i), key=lambda c: c.p)[:5]:
                size = f", size {c.size:+.2g} sd" if np.isfinite(c.size) else ""
                out.append(f"Between {c.after:g} and {c.upto:g}{unit} ({c.low:g} to {c.high:g}){size}.")
            continue
        for row in table[table["condition"] == condition].head(3).itertuples():
            if len(seeds) > 1 and row.seeds == 1:
                continue
            size = f", size {row.size:+.2g} sd" if np.isfinite(row.size) else ""
            steps = f"; {row.steps} of them are steps rather than slopes" if search.cost in ("mean", "rank") else ""
            out.append(
                f"Between {row.after:g} and {row.upto:g}{unit} in {row.seeds} of {row.of} seeds "
                f"[{row.share_low:.2f}, {row.share_high:.2f}]{size}{steps}."
            )
        p, most = lining[i]
        if np.isfinite(p):
            out.append(f"{most} seeds share one place (p = {p:.3g} against circularly shifted seeds).")
    for row in order.itertuples():
        out.append(
            f"{row.companion} changes first in {row.companion_first} of {row.companion_first + row.companion_last} "
            f"seeds of {row.condition} in which the order is known (sign test p = {row.p:.3g})."
        )
    if len(data.conditions) > 1:
        out.append("Whether conditions differ is not tested here; onset compares times between conditions.")
    out.append(f"Verdict: {verdict}.")
    return " ".join(out)
