"""What `lifelong` says: the cautions and the finding in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from emergelab.instruments._lifelong_tables import ENOUGH, NAMES, Plan

__all__ = ["CANNOT_SEE", "cautions", "describe", "order_name"]

CANNOT_SEE = (
    "forgetting between two evaluations; tasks that are never evaluated; whether one method's settings were tuned with "
    "more care than another's; why one task helps another. Forgetting and the stability gap are extremes of noisy "
    "numbers, above zero even where nothing is forgotten, so they are described and not tested; noise of the "
    "evaluations themselves is told from forgetting only by a control that does not learn. "
)

_STEEP = 6.0  # on the scale of 1 to 101: a task evaluated below this before has a ratio that explodes
_LATE = 0.9  # a maximum in the last tenth of a record says little about saturation


def order_name(order: Sequence[str]) -> str:
    """The order of tasks as text; a cycle is written once, with its number of rounds."""
    n = len(order)
    for period in range(1, n + 1):
        if n % period == 0 and tuple(order[:period]) * (n // period) == tuple(order):
            return " > ".join(order[:period]) + (f" ({n // period} times)" if period < n else "")
    return ""


def cautions(
    lifetimes: pd.DataFrame,
    metrics: pd.DataFrame,
    tasks: pd.DataFrame,
    pairs: pd.DataFrame,
    *,
    shared: bool,
    smoothed: bool,
    plan: Plan,
) -> list[str]:
    """What the reader must know before believing the verdict."""
    out = []
    counts = lifetimes[lifetimes[plan.metric].notna()].groupby("condition", sort=False).size() if len(lifetimes) else []
    if not len(counts):
        out.append(f"{NAMES[plan.metric]} ({plan.metric}) is defined in no lifetime")
    elif min(counts) < ENOUGH:
        out.append(f"a verdict needs {ENOUGH} lifetimes a condition, the fewest here are {min(counts)}")
    if 2 * len(plan.family) / (plan.draws + 1) > plan.alpha:
        out.append(f"{plan.draws} draws are too few for a p that Holm's correction leaves small: take 999 or more")
    orders = lifetimes["order"].nunique() if len(lifetimes) else 0
    if orders == 1 and len(lifetimes) > 1:
        out.append("every lifetime met the tasks in the same order: the finding holds for that order")
    elif 1 < orders < 5 and plan.orders == "auto" and lifetimes["order"].value_counts().min() > 1:
        out.append(f"{orders} orders of tasks are too few to stand for all orders: the finding holds for these")
    elif (metrics["units"] < metrics["lifetimes"]).any():
        out.append("lifetimes share orders of tasks, so the order is the unit of replication")
    if shared:
        out.append(
            "all lifetimes are held against the same experts: their spread is part of the error of RP and SE, which "
            "therefore have no interval below five experts a task and no p below three"
        )
    if len(pairs):
        steep = (pairs["before"] < _STEEP) & (pairs["occasion"] == 1)
        if steep.any():
            out.append(
                f"{int(steep.sum())} of {int((pairs['occasion'] == 1).sum())} transfers start from almost nothing "
                f"(below {_STEEP:g} on the scale of 1 to 101): such ratios explode, read the log ratio or the contrast"
            )
        if not pairs["alone"].all():
            out.append("between two evaluations several tasks were learned: their transfers cannot be told apart")
    if len(tasks):
        held = tasks[tasks["experts"] > 0]
        unequal = held["expert_experiences"] > 1.5 * held["experiences"] / held["learning_blocks"]
        if smoothed and len(held) and unequal.mean() >= 0.5:
            out.append(
                "experts have longer records than learning blocks, so a wider window smooths them, which shifts "
                "RP a little down and SE up (where nothing is transferred by 0.3% and 4%): smoothing=1 avoids it"
            )
        late = held["experiences_to_saturation"] >= _LATE * held["experiences"]
        if len(held) and late.mean() >= 0.5:
            out.append(
                f"in {int(late.sum())} of {len(held)} learning curves the maximum lies in the last tenth: "
                "SE then measures the length of the record; compare saturation='change point'"
            )
        failed = int((held["SE"] == 0).sum())
        if failed:
            out.append(
                f"{failed} learning curves fall or stay below a fifth of their experts: their SE is 0 by definition"
            )
    return out


def _number(metric: str, row: Mapping[Any, Any]) -> str:
    ratio = metric in ("FT", "BT", "RP", "SE")
    text = f"{row['typical']:.3g} times" if ratio else f"{row['typical']:+.3g}"
    if np.isfinite(row["low"]) and np.isfinite(row["high"]):
        text += f" [{row['low']:.3g}, {row['high']:.3g}]"
    if ratio and abs(row["mean"] - row["typical"]) > 0.1 * abs(row["typical"]):
        text += f" (mean of the ratios {row['mean']:.3g})"
    return text


def describe(metrics: pd.DataFrame, contrasts: pd.DataFrame, trades: pd.DataFrame, plan: Plan, verdict: str) -> str:
    """The finding in plain sentences."""
    out = []
    for condition, own in metrics.groupby("condition", sort=False):
        told = own[own["metric"].isin(plan.family) & own["typical"].notna()]
        if told.empty:
            continue
        where = "" if metrics["condition"].nunique() == 1 else f" of {condition}"
        parts = []
        for row in told.to_dict("records"):
            decided = f", {row['verdict']}" if row["verdict"] not in ("", "inconclusive") else ""
            p = f" (Holm p = {row['p_holm']:.2g}{decided})" if np.isfinite(row["p_holm"]) else ""
            parts.append(f"{row['name']} {_number(row['metric'], row)}{p}")
        n = int(told["lifetimes"].max())
        out.append(f"Over {n} lifetime{'s' * (n > 1)}{where}: {'; '.join(parts)}.")
    if plan.control is not None:
        out.append(f"PM and BWT are counted from those of {plan.control}, which does not learn.")
    claimed = contrasts[contrasts["metric"] == plan.metric]
    for row in claimed.head(6).to_dict("records"):
        if np.isfinite(row["difference"]):
            out.append(
                f"{plan.metric} of {row['a']} against {row['b']} ({row['scale']}): {row['difference']:+.3g} "
                f"(p = {row['p']:.2g} by relabelling lifetimes, Holm {row['p_holm']:.2g}): {row['verdict']}."
            )
    for row in trades[trades["p"] <= plan.alpha].head(3).to_dict("records"):
        way = "at the cost of" if row["rho"] < 0 else "along with"
        among = "" if row["condition"] == "all" or trades["condition"].nunique() == 1 else f" within {row['condition']}"
        out.append(
            f"{row['x']} comes {way} {row['y']}{among} (Spearman {row['rho']:+.2f} over {row['lifetimes']} lifetimes)."
        )
    out.append(f"Verdict on {NAMES[plan.metric]}: {verdict}.")
    return " ".join(out)
