"""Efficiency of conditions: by what factor less x does one need to reach a level that another reaches too?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergelab.instruments._learning_curves_choose import choose
from emergelab.instruments._learning_curves_data import Panel, pooled
from emergelab.instruments._learning_curves_laws import Law
from emergelab.instruments._learning_curves_seeds import crossing, refitted
from emergelab.statistics import Estimate, difference, holm, max_t, relabellings, sign_flips
from emergelab.statistics.permutation import Permutation, summarise

__all__ = ["Contrast", "contrast_table", "efficiency"]

_NAN = float("nan")
_GRID = 240  # places on log x at which a crossing is looked for


@dataclass(frozen=True)
class Contrast:
    """Two conditions: by what factor less x the second needs to reach a level."""

    a: str
    b: str
    law: str
    levels: Float[np.ndarray, "m"]
    shares: Float[np.ndarray, "m"]
    x_a: Float[np.ndarray, "m"]
    x_b: Float[np.ndarray, "m"]
    log_ratio: list[Estimate]
    p: list[Permutation]
    p_max: Float[np.ndarray, "m"]
    headline: int
    paired: bool


def efficiency(
    a: Panel,
    b: Panel,
    laws: tuple[Law, ...],
    reach: float | None,
    *,
    paired: bool,
    huber: bool,
    limit: float,
    level: float,
    draws: int,
    rng: np.random.Generator,
    seed: int,
) -> Contrast | None:
    """How much less x condition a needs than b to fall to the same level; None where they share no records.

    The law and the levels come from the curves of both together, so relabelling seeds leaves them as they are.
    """
    both = pooled([a, b])
    if both is None or (paired and a.n != b.n):
        return None
    good = np.isfinite(both.mean)[: both.used]
    choice = choose(
        np.where(good, both.mean[: both.used], 0.0), np.where(good, both.weight[: both.used], 0.0), both.early,
        both.kind, laws, np.log(2), huber=huber,
    )  # fmt: skip
    if not np.isfinite(choice.bic).any():
        return None
    best = int(np.nanargmin(choice.bic))
    one = choice.fits[best]
    x = np.geomspace(both.axis.first, both.axis.last * 10**limit, _GRID)
    grid = both.axis.at(x)
    curve = one.at(both.early, both.kind)[0]
    if reach is None:
        shares = np.array([0.25, 0.5, 0.75])
        targets = curve[0] + shares * (curve[-1] - curve[0])
        headline = 2
    else:
        shares, targets, headline = np.array([np.nan]), np.array([both.inner(reach)]), 0
        if not np.isfinite(targets[0]):
            return None
    keep = replace(choice, best=best)

    def log_x(share: Float[np.ndarray, "r seed"]) -> Float[np.ndarray, "r m"]:
        fits = refitted(keep, both, both.means(share), mixture=False)[best]
        values = fits.at(grid, both.kind)
        return np.column_stack([crossing(values, x, float(t)) for t in targets])

    left, right = np.zeros((1, both.n)), np.zeros((1, both.n))
    left[0, : a.n], right[0, a.n :] = 1 / a.n, 1 / b.n
    at_a, at_b = log_x(left)[0], log_x(right)[0]
    end = np.log(x[-1]) - 1e-9
    ratios, p, table = [], [], []
    labels = _labels(a.n, b.n, paired, draws, rng)
    of_a, of_b = labels / labels.sum(axis=1, keepdims=True), (1 - labels) / (1 - labels).sum(axis=1, keepdims=True)
    gap = log_x(of_b) - log_x(of_a)
    gap = np.where(np.abs(gap) < 1e-9, 0.0, gap)
    found = _ratio_intervals(log_x, a.n, b.n, paired=paired, level=level, draws=draws, seed=seed)
    for k in range(len(targets)):
        ratios.append(found[k])
        p.append(summarise(gap[:, k], len(labels) < draws))
        spread = float(gap[:, k].std())
        table.append(np.abs(gap[:, k]) / (spread if spread > 0 else 1.0))
    p_max = max_t(np.column_stack(table))
    return Contrast(
        a.condition, b.condition, keep.laws[best].name, both.back(targets), shares,
        np.where(at_a < end, np.exp(at_a), np.nan), np.where(at_b < end, np.exp(at_b), np.nan),
        ratios, p, p_max, headline, paired,
    )  # fmt: skip


def _labels(n_a: int, n_b: int, paired: bool, draws: int, rng: np.random.Generator) -> Float[np.ndarray, "r seed"]:
    """Which seeds count as a, one row a relabelling; row 0 is the observed one."""
    if paired:
        signs, _ = sign_flips(n_a, draws=draws, rng=rng)
        stays = (signs > 0).astype(float)
        rows = np.concatenate([stays, 1 - stays], axis=1)
    else:
        rows = relabellings(n_a, n_b, draws=draws, rng=rng)[0].astype(float)
    if len(rows) > draws + 1:  # every relabelling would have to be fitted: a random choice of them is enough
        rows = rows[np.r_[0, rng.choice(np.arange(1, len(rows)), draws, replace=False)]]
    return rows


def _ratio_intervals(
    log_x: Callable[[Float[np.ndarray, "r seed"]], Float[np.ndarray, "r m"]],
    n_a: int,
    n_b: int,
    *,
    paired: bool,
    level: float,
    draws: int,
    seed: int,
) -> list[Estimate]:
    """Intervals of ln x of b minus ln x of a, with all resamples fitted at once (see `over_seeds`)."""
    rows_a = np.concatenate([np.eye(n_a), np.zeros((n_a, n_b))], axis=1)
    rows_b = np.concatenate([np.zeros((n_b, n_a)), np.eye(n_b)], axis=1)
    wanted: dict[bytes, np.ndarray] = {}

    def take_down(chosen: np.ndarray) -> float:
        share = chosen.mean(axis=0)
        wanted[share.tobytes()] = share
        return float(len(wanted) % 7)

    def run(statistic: Callable[[np.ndarray], float]) -> Estimate:
        return difference(rows_b, rows_a, statistic, paired=paired, level=level, draws=max(draws, 100), rng=seed)

    run(take_down)
    for rows in (rows_a, rows_b):
        take_down(rows)
    values = log_x(np.array(list(wanted.values())))
    found = dict(zip(wanted, values, strict=True))

    def answer(k: int) -> Estimate:
        return run(lambda chosen: float(found[chosen.mean(axis=0).tobytes()][k]))

    return [answer(k) for k in range(values.shape[1])]


def contrast_table(contrasts: Sequence[Contrast], margin: float | None, level: float) -> pd.DataFrame:
    """Pairs of conditions at every level; Holm over the pairs at the headline level."""
    adjusted = holm(np.array([c.p[c.headline].p for c in contrasts], dtype=float)) if contrasts else np.empty(0)
    rows = []
    for i, c in enumerate(contrasts):
        for k in range(len(c.levels)):
            e = c.log_ratio[k]
            headline = k == c.headline
            rows.append(
                {
                    "a": c.a, "b": c.b, "level": float(c.levels[k]), "share_of_change": float(c.shares[k]),
                    "x_a": float(c.x_a[k]), "x_b": float(c.x_b[k]), "multiplier": _exp(e.value), "low": _exp(e.low),
                    "high": _exp(e.high), "method": e.method, "p": c.p[k].p, "smallest_p": c.p[k].smallest_p,
                    "p_holm": float(adjusted[i]) if headline else _NAN, "p_max_t": float(c.p_max[k]),
                    "headline": headline, "law": c.law,
                    "verdict": _decide(e, float(adjusted[i]), margin, level) if headline else "",
                }
            )  # fmt: skip
    columns = [
        "a", "b", "level", "share_of_change", "x_a", "x_b", "multiplier", "low", "high", "method", "p", "smallest_p",
        "p_holm", "p_max_t", "headline", "law", "verdict",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _exp(value: float) -> float:
    with np.errstate(over="ignore"):
        out = float(np.exp(value))
    return out if np.isfinite(out) else _NAN


def _decide(e: Estimate, p: float, margin: float | None, level: float) -> str:
    if p <= 1 - level + 1e-12:
        return "more efficient" if e.value > 0 else "less efficient"
    if margin is not None and e.claimed and -np.log(margin) < e.low and e.high < np.log(margin):
        return "no difference"
    return "inconclusive"
