"""What `skill_efficiency` says: the verdict, the cautions and the words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from emergelab.instruments._skill_efficiency_read import Learning
from emergelab.instruments._skill_efficiency_standins import STANDINS, Reached
from emergelab.instruments.result import Effect, Null
from emergelab.statistics import Estimate, proportion

__all__ = ["CANNOT_SEE", "Found", "answer", "cautions", "describe", "one_system", "stable"]

RANKED_TASKS = 20  # fewest tasks for a claim about a ranking
STABLE = 0.5  # smallest mean Kendall tau between stand-ins

CANNOT_SEE = (
    "intelligence: Chollet's measure is not computable, and every number here is a labelled stand-in for this scope of "
    "tasks. Whether pretraining is prior or experience is yours to declare and can turn a ranking; reward shaping and "
    "augmentation are priors that no record shows; test tasks that leaked into training look like generalisation. The "
    "score has the units of the budget, so scores of two calls cannot be compared. With one task and five seeds the "
    "test is conservative (2% to 3% false alarms where 5% are nominal)."
)


@dataclass(frozen=True)
class Found:
    """The headline of the result."""

    verdict: str
    estimate: Estimate
    headline: str
    p: float
    null: Null
    effect: Effect


def stable(stability: pd.DataFrame) -> float:
    """Mean Kendall tau between the rankings by the stand-ins; NaN if none can be compared."""
    own = stability[stability["first"].isin(STANDINS) & stability["second"].isin(STANDINS)]["tau"].dropna()
    return float(own.mean()) if len(own) else float("nan")


def _as_ratio(e: Estimate) -> Estimate:
    """The interval of a log ratio as one of the ratio; its p-values stay those of the logarithm."""
    value, low, high = (
        float(np.exp(v)) if np.isfinite(v) and v < 700 else float("nan") for v in (e.value, e.low, e.high)
    )
    return replace(e, value=value, low=low, high=high, sd=float("nan"), _tails=None)


def answer(block: Learning, tables: Mapping[str, pd.DataFrame], gaps: list[Estimate], level: float) -> Found:
    pairs = tables["pairs"]
    p = pairs["p_holm"].to_numpy(dtype=float)
    first = int(np.nanargmin(p)) if np.isfinite(p).any() else 0
    row = pairs.iloc[first]
    headline = f"experience of {row['b']} over that of {row['a']} at theta"
    verdict = str(row["verdict"])
    if len(pairs) > 1:
        headline += f" (the clearest of {len(pairs)} pairs)"
        clear = pairs["verdict"].isin(["less experience", "more experience"]).any()
        agree = stable(tables["stability"])
        if not clear:
            verdict = "inconclusive"
        else:
            verdict = "ranked" if len(block.tasks) >= RANKED_TASKS and agree >= STABLE else "differ"
    null = Null(f"systems relabelled over {row['replicates']}", int(row["draws"]))
    effect = Effect("probability of superiority", float(row["superiority"]))
    return Found(verdict, _as_ratio(gaps[first]), headline, float(p[first]), null, effect)


def one_system(block: Learning, reached: Reached, level: float) -> Found:
    """Whether most seeds (or, with several tasks, most tasks in the mean over seeds) reach the threshold."""
    seen = np.isfinite(reached.bound[0])
    got = np.isfinite(reached.at[0])
    if len(block.tasks) > 1:
        units = seen.any(axis=0)
        hits = units & (2 * got.sum(axis=0) > seen.sum(axis=0))
    else:
        units, hits = seen[:, 0], got[:, 0]
    share = proportion(int(hits.sum()), int(units.sum()), level=level)
    verdict = "inconclusive"
    if share.low > 0.5:
        verdict = "reached"
    elif share.high < 0.5:
        verdict = "not reached"
    what = "tasks" if len(block.tasks) > 1 else "seeds"
    p = share.p_greater(0.5) if share.value >= 0.5 else share.p_less(0.5)
    null = Null(f"binomial, half of the {what}", 0)
    return Found(verdict, share, f"share of {what} that reach theta", p, null, Effect("share", share.value))


def cautions(
    block: Learning,
    reached: Reached,
    tables: Mapping[str, pd.DataFrame],
    with_memoriser: bool,
    with_prior: bool,
    level: float,
) -> list[str]:
    out = []
    if not block.has_seeds:
        out.append("there is no dim of seeds: differences between tasks are all the evidence there is")
    gone = int((~np.isfinite(reached.bound)).sum())
    if gone:
        out.append(f"{gone} combinations of system, seed and task have no record and are left out")
    never = int(reached.never.sum())
    if never:
        out.append(
            f"{never} runs never reach the threshold: their last experience stands for it, so multipliers are bounds"
        )
    agree = stable(tables["stability"])
    if len(block.systems) > 1 and np.isfinite(agree) and agree < STABLE:
        out.append(
            f"the stand-ins order the systems differently (mean Kendall tau {agree:.2f}): no claim about a ranking"
        )
    swept = tables["stability"]
    swept = swept[(swept["first"] == "threshold") & swept["second"].str.startswith("threshold at")]["tau"].dropna()
    if len(swept) and swept.min() < STABLE:
        out.append(f"the order of systems changes with theta (tau down to {swept.min():.2f} at other thresholds)")
    if len(block.systems) > 2 and len(block.tasks) < RANKED_TASKS:
        out.append(f"{len(block.tasks)} tasks are too few for a ranking (20 are needed): read the pairs")
    axes = tables["axes"]
    for name, rows in axes.groupby("axis", sort=False):
        value = rows["tau_with_experience"].iloc[0]
        if name != block.axis and np.isfinite(value) and value < 1:
            out.append(f"along {name} the order of systems is another one (tau {value:.2f}): show both axes")
    if not with_memoriser:
        out.append("no memoriser was given: GD counts everything above chance and zero-shot skill as generalisation")
    if not with_prior and not np.isfinite(block.zero_shot).any():
        out.append("no prior was given and no record lies at experience 0: P is taken as 0")
    pairs = tables["pairs"]
    if len(pairs) and pairs["smallest_p"].min() * len(pairs) > 1 - level:
        out.append(f"with so few replicates no p of a pair can be below {pairs['smallest_p'].min():.2g}")
    return out


def describe(block: Learning, tables: Mapping[str, pd.DataFrame], verdict: str, theta: Any) -> str:
    told = f"{theta:g}" if isinstance(theta, int | float) else "its threshold in each task"
    parts = [
        f"Verdict: {verdict}. Scope: {len(block.tasks)} task{'s' * (len(block.tasks) != 1)}, {block.name} of {told}."
    ]
    for row in tables["systems"].itertuples():
        middle = "in fewer than half of them" if row.reached else "so never"
        if np.isfinite(row.median_experience):
            middle = f"at a median {block.axis} of {row.median_experience:.4g}"
        parts.append(f"{row.system} reaches it in {row.reached} of {row.runs} runs, {middle}.")
    for row in tables["pairs"].head(6).itertuples():
        span = f" [{row.low:.3g}, {row.high:.3g}]" if np.isfinite(row.low) else ""
        parts.append(
            f"{row.b} needs {row.multiplier:.3g}{span} times the experience of {row.a} (p = {row.p:.2g} over "
            f"{row.replicates}; {row.a} first in {row.tasks_a_first} of {row.tasks} tasks): {row.verdict}."
        )
    if "code_bits_upper_bound" in tables["ingredients"]:
        bits = tables["ingredients"].set_index("system")["code_bits_upper_bound"]
        sizes = ", ".join(f"{system} {size:,.0f}" for system, size in bits.items())
        parts.append(f"Compressed code in bits, an upper bound of the prior that no score or verdict uses: {sizes}.")
    agree = stable(tables["stability"])
    if np.isfinite(agree):
        parts.append(f"Rankings by the five stand-ins agree with a mean tau of {agree:.2f}.")
    return " ".join(parts)
