"""Tables over lifetimes for `lifelong`: each metric against its neutral value, contrasts of conditions, trade-offs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from emergelab.instruments._lifelong_metrics import CONTRASTS, LOGS
from emergelab.statistics import MOST_SEEDS, Estimate, difference, estimate, holm, permutation, seeds_needed

__all__ = [
    "ENOUGH", "FROM_LOGS", "FROM_MATRICES", "NAMES", "Lifetimes", "Plan", "contrast_table", "metric_table",
    "order_table", "trade_off_table",
]  # fmt: skip

ENOUGH = 10
"""Fewest lifetimes a condition for a verdict."""
FROM_LOGS = ("PM", "FT", "BT", "RP", "SE", "PR")
"""Metrics of a log that have a neutral value: the family that Holm's correction covers."""
FROM_MATRICES = ("BWT", "FWT", "intransigence")
"""The same for a matrix. Forgetting is a maximum over noise, above zero even where nothing is forgotten: not tested."""

NAMES = {
    "PM": "performance maintenance",
    "FT": "forward transfer",
    "BT": "backward transfer",
    "RP": "relative performance",
    "SE": "sample efficiency",
    "PR": "performance recovery",
    "ACC": "average accuracy",
    "BWT": "backward transfer (R)",
    "FWT": "forward transfer (R)",
    "forgetting": "forgetting",
    "intransigence": "intransigence",
    "plasticity": "plasticity",
    "LA": "learning accuracy",
    "anytime": "anytime performance",
    "gap": "stability gap",
}
_WORDS = {
    "PM": ("improves", "forgets", "keeps"),
    "BWT": ("improves", "forgets", "keeps"),
    "FT": ("helps", "hinders", "no transfer"),
    "BT": ("helps", "hinders", "no transfer"),
    "FWT": ("helps", "hinders", "no transfer"),
    "RP": ("above the experts", "below the experts", "as good as the experts"),
    "SE": ("faster than the experts", "slower than the experts", "as fast as the experts"),
    "PR": ("recovers ever faster", "recovers ever slower", "recovers alike"),
    "intransigence": ("below the reference", "above the reference", "as good as the reference"),
}
_COSTS = ("forgetting", "intransigence", "gap")  # more of these is worse
# pairs without a common term; BWT and plasticity both hold R[j, j], whose noise alone sets them against each other
_TRADES = (("PM", "RP"), ("PM", "FT"), ("PM", "SE"), ("SE", "PR"))
_FEWEST_ORDERS = 5
_FEWEST_FOR_RHO = 5
_LARGEST_LOG = 700.0  # beyond this the exponential leaves the range of floats


@dataclass(frozen=True)
class Plan:
    """How the lifetimes are counted and judged."""

    family: tuple[str, ...]
    metric: str
    margin: float | None
    control: str | None
    orders: str
    paired: bool
    level: float
    draws: int
    rng: np.random.Generator

    @property
    def alpha(self) -> float:
        """Largest p that decides."""
        return 1.0 - self.level


@dataclass(frozen=True)
class Scale:
    """The scale on which a metric is tested: differences, log ratios, or contrasts where a ratio is zero."""

    metric: str
    name: str

    @property
    def column(self) -> str:
        return {"log ratio": LOGS, "contrast": CONTRASTS}.get(self.name, {}).get(self.metric, self.metric)

    def back(self, x: float) -> float:
        """From the scale of the test to that of the metric."""
        if self.name == "log ratio":
            return float(np.exp(x)) if x < _LARGEST_LOG else float("nan")
        if self.name == "contrast":
            return float((1 + max(x, -1.0)) / (1 - x)) if x < 1 else float("nan")
        return x

    def margin(self, margin: float) -> float:
        """A margin of the metric (for ratios: away from 1) on the scale of the test."""
        if self.name == "log ratio":
            return float(np.log1p(margin))
        return margin / (2 + margin) if self.name == "contrast" else margin


@dataclass(frozen=True)
class Lifetimes:
    """Metrics of all lifetimes by column, and the share of every expert in RP and SE where lifetimes share them.

    Attributes:
        columns: "condition", "seed", "order", "tasks" and one array of floats a metric.
        by_expert: column of RP or SE -> condition -> one number an expert, averaged over lifetimes and tasks.
    """

    columns: Mapping[str, np.ndarray]
    by_expert: Mapping[str, Mapping[str, Float[np.ndarray, "_"]]]

    @property
    def conditions(self) -> list[str]:
        """Conditions in the order in which they appear."""
        return list(dict.fromkeys(self.columns["condition"].tolist()))

    def scale(self, metric: str) -> Scale:
        """Ratios are tested on the log scale; as contrasts where one is zero, which has no logarithm."""
        if metric not in LOGS:
            return Scale(metric, "difference")
        lost = np.isfinite(self.columns[metric]) & np.isnan(self.columns[LOGS[metric]])
        return Scale(metric, "contrast" if lost.any() else "log ratio")

    def units(self, condition: str, column: str, orders: str) -> dict[tuple[str, str], float]:
        """One number a unit of replication: a lifetime, or an order of tasks where orders were chosen and repeated."""
        c = self.columns
        at = np.flatnonzero((c["condition"] == condition) & np.isfinite(c[column]))
        found = {(str(c["seed"][i]), str(c["order"][i])): float(c[column][i]) for i in at}
        grouped: dict[str, list[float]] = {}
        for (_, order), value in found.items():
            grouped.setdefault(order, []).append(value)
        sizes = {len(v) for v in grouped.values()}
        # the same number of lifetimes in every order is a design: orders were chosen first, and must be resampled
        # unless they are all there are. Orders drawn for each lifetime apart need no such care.
        designed = len(sizes) == 1 and len(grouped) >= _FEWEST_ORDERS
        whole = len(at) > 0 and len(grouped) >= math.factorial(min(int(c["tasks"][at].max()), 20))
        if max(sizes, default=1) > 1 and (orders == "random" or (orders == "auto" and designed and not whole)):
            return {("", order): float(np.mean(v)) for order, v in sorted(grouped.items())}
        return found

    def values(self, condition: str, column: str, orders: str) -> Float[np.ndarray, "_"]:
        """The units of a condition as an array."""
        return np.array(list(self.units(condition, column, orders).values()), dtype=float)


def metric_table(
    lives: Lifetimes, metrics: Sequence[str], plan: Plan
) -> tuple[pd.DataFrame, dict[tuple[str, str], Estimate]]:
    """One row a condition and metric: mean and spread over lifetimes, interval, test against the neutral value.

    Returns:
        The table and the estimates on the scale of the tests, by (condition, metric).
    """
    rows: list[dict[str, Any]] = []
    found: dict[tuple[str, str], Estimate] = {}
    scales = {metric: lives.scale(metric) for metric in metrics}
    for condition in lives.conditions:
        own: list[dict[str, Any]] = []
        for metric in metrics:
            scale = scales[metric]
            e = found[condition, metric] = _estimate(lives, condition, metric, scale, plan)
            raw = lives.columns[metric][lives.columns["condition"] == condition]
            raw = raw[np.isfinite(raw)]
            tested = metric in plan.family and condition != plan.control
            own.append(
                {
                    "condition": condition,
                    "metric": metric,
                    "name": NAMES[metric],
                    "lifetimes": len(raw),
                    "units": e.n,
                    "mean": float(raw.mean()) if len(raw) else np.nan,
                    "sd": float(raw.std(ddof=1)) if len(raw) > 1 else np.nan,
                    "typical": scale.back(e.value),
                    "low": scale.back(e.low),
                    "high": scale.back(e.high),
                    "neutral": _neutral(metric),
                    "scale": scale.name,
                    "p": e.p_two_sided(0.0) if tested else np.nan,
                }
            )
        for row, adjusted in zip(own, holm(np.array([r["p"] for r in own])).tolist(), strict=True):
            e, scale = found[condition, row["metric"]], scales[row["metric"]]
            row["p_holm"] = adjusted
            row["verdict"] = _judged(row, e, scale, plan) if row["metric"] in plan.family else ""
            row["needed"] = _needed(e, scale, plan) if row["metric"] == plan.metric else np.nan
        rows += own
    columns = "condition metric name lifetimes units mean sd typical low high neutral scale p p_holm verdict needed"
    return pd.DataFrame(rows, columns=columns.split()), found


def _neutral(metric: str) -> float:
    if metric in LOGS:
        return 1.0
    return 0.0 if metric in (*FROM_LOGS, *FROM_MATRICES) else float("nan")


def _estimate(lives: Lifetimes, condition: str, metric: str, scale: Scale, plan: Plan) -> Estimate:
    values = lives.values(condition, scale.column, plan.orders)
    against = None
    if plan.control not in (None, condition) and metric in ("PM", "BWT"):
        against = lives.values(str(plan.control), scale.column, plan.orders)
    elif metric in ("RP", "SE") and condition in lives.by_expert.get(scale.column, {}):
        # lifetimes are held against the same experts, so the spread over experts belongs to the error as well:
        # Welch's two samples, the second one centred so that the difference is the mean over lifetimes
        against = lives.by_expert[scale.column][condition]
        against = against - against.mean() if len(against) else against
    if against is None:
        return estimate(values, level=plan.level, draws=plan.draws, rng=plan.rng)
    if len(values) and not len(against):
        nan, why = float("nan"), "no value to hold the lifetimes against"
        return Estimate(float(values.mean()), nan, nan, plan.level, why, len(values))
    e = difference(values, against, paired=False, level=plan.level, draws=plan.draws, rng=plan.rng)
    return replace(e, n=len(values))


def _judged(row: Mapping[str, Any], e: Estimate, scale: Scale, plan: Plan) -> str:
    if row["lifetimes"] < ENOUGH or not e.claimed:
        return "inconclusive"
    above, below, inside = _WORDS[scale.metric]
    return _side(e, float(row["p_holm"]), scale, plan, above, below, inside)


def _side(e: Estimate, p: float, scale: Scale, plan: Plan, above: str, below: str, inside: str) -> str:
    """Beyond the margin, or inside of it; without a margin nothing is ever inside."""
    m = scale.margin(plan.margin) if plan.margin is not None and scale.metric == plan.metric else 0.0
    if p <= plan.alpha and e.low > m:
        return above
    if p <= plan.alpha and e.high < -m:
        return below
    return inside if -m < e.low and e.high < m else "inconclusive"


def _needed(e: Estimate, scale: Scale, plan: Plan) -> float:
    """Lifetimes with which an effect of the margin (else of the size seen) is decided four times in five."""
    if not np.isfinite(e.sd) or e.sd <= 0 or plan.control is not None:
        return float("nan")
    gap = scale.margin(plan.margin) if plan.margin is not None else abs(e.value)
    if not gap > 0:
        return float("nan")
    n = seeds_needed(e.sd, gap, level=plan.level)
    return float(n) if n < MOST_SEEDS else float("nan")


def contrast_table(lives: Lifetimes, metrics: Sequence[str], plan: Plan) -> tuple[pd.DataFrame, list[Estimate]]:
    """One row a metric and pair of conditions, Holm over the pairs of a metric; and the estimate of each row."""
    conditions = [c for c in lives.conditions if c != plan.control]
    rows: list[dict[str, Any]] = []
    found: list[Estimate] = []
    for metric in metrics if len(conditions) > 1 else ():
        scale = lives.scale(metric)
        units = {c: lives.units(c, scale.column, plan.orders) for c in conditions}
        own: list[dict[str, Any]] = []
        for a, b in combinations(conditions, 2):
            keys = [k for k in units[a] if k in units[b]] if plan.paired else None
            x, y = (np.array([units[c][k] for k in (units[c] if keys is None else keys)], dtype=float) for c in (a, b))
            found.append(difference(x, y, paired=plan.paired, level=plan.level, draws=plan.draws, rng=plan.rng))
            test = permutation(x, y, paired=plan.paired, draws=plan.draws, rng=plan.rng)
            own.append({"metric": metric, "a": a, "b": b, "n_a": len(x), "n_b": len(y), "difference": found[-1].value})
            own[-1] |= {"low": found[-1].low, "high": found[-1].high, "scale": scale.name}
            own[-1] |= {"p": test.p, "smallest_p": test.smallest_p}
        better, worse = ("worse", "better") if metric in _COSTS else ("better", "worse")
        adjusted = holm(np.array([r["p"] for r in own])).tolist()
        for row, p, e in zip(own, adjusted, found[-len(own) :], strict=True):
            few = min(row["n_a"], row["n_b"]) < ENOUGH or not e.claimed
            row["p_holm"] = p
            row["verdict"] = "inconclusive" if few else _side(e, p, scale, plan, better, worse, "no difference")
        rows += own
    columns = "metric a b n_a n_b difference low high scale p smallest_p p_holm verdict"
    return pd.DataFrame(rows, columns=columns.split()), found


def trade_off_table(lives: Lifetimes, plan: Plan) -> pd.DataFrame:
    """Spearman's correlation of two metrics over lifetimes, within each condition and over all of them."""
    rows = []
    c, conditions = lives.columns, lives.conditions
    groups = [("all", np.ones(len(c["condition"]), bool))] if len(conditions) > 1 else []
    groups += [(name, c["condition"] == name) for name in conditions]
    for x, y in _TRADES:
        if x not in c or y not in c:
            continue
        for name, member in groups:
            seen = member & np.isfinite(c[x]) & np.isfinite(c[y])
            rho, p = _spearman(c[x][seen], c[y][seen], plan)
            rows.append({"x": x, "y": y, "condition": name, "lifetimes": int(seen.sum()), "rho": rho, "p": p})
    return pd.DataFrame(rows, columns=["x", "y", "condition", "lifetimes", "rho", "p"])


def _spearman(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], plan: Plan) -> tuple[float, float]:
    if len(x) < _FEWEST_FOR_RHO or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan"), float("nan")
    a, b = (stats.rankdata(v) for v in (x, y))
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    shuffled = plan.rng.permuted(np.tile(b, (plan.draws, 1)), axis=1) @ a / len(a)
    rho = float(a @ b / len(a))
    return rho, float((1 + np.sum(np.abs(shuffled) >= abs(rho) - 1e-12)) / (1 + plan.draws))


def order_table(lives: Lifetimes, plan: Plan) -> pd.DataFrame:
    """How much of the spread of the claimed metric lies between orders of the tasks (one-way random effects)."""
    rows: list[dict[str, Any]] = []
    column = lives.scale(plan.metric).column
    for condition in lives.conditions:
        grouped: dict[str, list[float]] = {}
        for (_, order), value in lives.units(condition, column, "fixed").items():
            grouped.setdefault(order, []).append(value)
        groups = [np.array(v) for v in grouped.values()]
        k, sizes = len(groups), np.array([len(g) for g in groups], dtype=float)
        n = sizes.sum()
        between = within = np.nan
        if 1 < k < n:
            within = sum(float(((g - g.mean()) ** 2).sum()) for g in groups) / (n - k)
            means = np.array([g.mean() for g in groups])
            mean_square = float(sizes @ (means - sizes @ means / n) ** 2) / (k - 1)
            between = max(0.0, (mean_square - within) / ((n - sizes @ sizes / n) / (k - 1)))
        share = between / (between + within) if between + within > 0 else np.nan
        row = {"condition": condition, "orders": k, "lifetimes": int(n)}
        rows.append(row | {"sd_between": between**0.5, "sd_within": within**0.5, "share_between": share})
    return pd.DataFrame(rows, columns=["condition", "orders", "lifetimes", "sd_between", "sd_within", "share_between"])
