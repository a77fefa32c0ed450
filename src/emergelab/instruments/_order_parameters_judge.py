"""The tests of `_order_parameters_modes` on every condition, within conditions and on the pool, and their verdict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from emergelab.instruments._order_parameters_dip import dip, dip_p
from emergelab.instruments._order_parameters_modes import (
    bimodality_coefficient,
    floor_p,
    gap_p,
    gap_ratio,
    mixture_p,
    mixture_power,
    two_normals,
    unimodal_nulls,
    valley,
)
from emergelab.instruments._order_parameters_read import Stage
from emergelab.statistics import Estimate, holm, proportion

__all__ = ["POWER_AT", "Judgement", "judge"]

POWER_AT = 5.0
"""Separation (Ashman's D) of two equal modes that must be seen in four of five data sets before one calls one heap."""

_ALPHA = 0.05
_TIE = 1e-3  # of the range of the values: nearer than this to the floor is at the floor
WITHIN, POOLED = "within conditions", "pooled"


@dataclass(frozen=True)
class Judgement:
    """Verdict on the modes with its tables.

    Attributes:
        decided_by: row of the table of tests that the verdict rests on.
        tested: values behind that row (residuals about the condition means, if it is "within conditions").
        cut: the tested values in the upper mode, or above the floor.
    """

    verdict: str
    decided_by: str
    share: Estimate
    p: float
    tests: pd.DataFrame
    members: pd.DataFrame
    power: pd.DataFrame
    tested: Float[np.ndarray, "n"]
    upper: Bool[np.ndarray, "n"]
    warnings: list[str]


def judge(
    stage: Stage, *, floor: float | None, eps: float | None, level: float, draws: int, rng: np.random.Generator
) -> Judgement:
    """Test each condition, the pool of residuals about the condition means, and the pool as it is."""
    values = stage.values
    groups = [row[np.isfinite(row)] for row in values]
    names = list(stage.conditions)
    several = len(names) > 1
    common = _floor(groups, floor, eps)
    own = {name: _floor([x], floor, eps) for name, x in zip(names, groups, strict=True)}
    rows = {name: _test(x, x, own[name], draws, rng) for name, x in zip(names, groups, strict=True)}
    raw = np.empty(0)
    if several:
        mixed = [x for x in groups if 0 < common.near(x).sum() < len(x)]
        raw = np.concatenate(mixed) if mixed else raw
        rows[WITHIN] = _test(_residuals(groups), raw, common, draws, rng)
        everything = np.concatenate(groups)
        rows[POOLED] = _test(everything, everything, common, draws, rng)
    tests = pd.DataFrame([{"of": name, **row} for name, row in rows.items()])
    p_each = np.array([min(rows[n]["p_mixture"], rows[n]["p_floor"]) for n in names], dtype=float)
    tests["p_holm"] = np.concatenate([holm(p_each), np.full(len(tests) - len(names), np.nan)])
    main = WITHIN if several else names[0]
    verdict, decided_by = str(rows[main]["verdict"]), main
    if several and verdict not in ("two modes", "zero-inflated"):
        for name, p in zip(names, tests["p_holm"], strict=False):
            if p <= _ALPHA and rows[name]["verdict"] in ("two modes", "zero-inflated"):
                verdict, decided_by = str(rows[name]["verdict"]), name
                break
    share, p = _share(verdict, rows[decided_by], level)
    tested = {WITHIN: _residuals(groups), **dict(zip(names, groups, strict=True))}[decided_by]
    if verdict == "zero-inflated" and decided_by == WITHIN:
        tested = raw
    decisive = common if decided_by == WITHIN else own[decided_by]
    return Judgement(
        verdict=verdict,
        decided_by=decided_by,
        share=share,
        p=p,
        tests=tests,
        members=_members(stage, verdict, decided_by, groups, decisive),
        power=_power_table(len(tested)),
        tested=tested,
        upper=_upper(tested, verdict, decisive),
        warnings=_cautions(rows, main, verdict, several, stage),
    )


def _residuals(groups: list[Float[np.ndarray, "n"]]) -> Float[np.ndarray, "m"]:
    """Values about the mean of their condition, stretched back to the spread of one seed."""
    parts = [(x - x.mean()) * np.sqrt(len(x) / (len(x) - 1)) for x in groups if len(x) > 1]
    return np.concatenate(parts) if parts else np.empty(0)


@dataclass(frozen=True)
class _Floor:
    """What counts as at the floor."""

    level: float
    width: float
    given: bool

    def near(self, x: Float[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """Which values lie at the floor."""
        return np.abs(x - self.level) <= self.width


def _floor(groups: list[Float[np.ndarray, "m"]], floor: float | None, eps: float | None) -> _Floor:
    """The level given, or the smallest value; eps, or a thousandth of the widest range of a group."""
    everything = np.concatenate(groups) if groups else np.empty(0)
    lowest = float(everything.min()) if len(everything) else float("nan")
    width = _TIE * max((float(np.ptp(x)) for x in groups if len(x)), default=0.0)
    return _Floor(lowest if floor is None else floor, width if eps is None else eps, floor is not None)


def _test(
    x: Float[np.ndarray, "n"],
    raw: Float[np.ndarray, "m"],
    floor: _Floor,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, float | int | str]:
    """Every test on ``x``; the heap at the floor is sought in ``raw``."""
    n, nan = len(x), float("nan")
    spread = float(np.ptp(x)) if n else 0.0
    varies = n >= 4 and spread > 1e-12 * float(np.abs(x).max())
    fit = two_normals(x[None, :]) if varies else None
    nulls = unimodal_nulls(x, draws, rng) if varies else {}
    p_null = mixture_p(float(fit.ratio[0]), nulls) if fit is not None else {}
    ratio = float(gap_ratio(x[None, :])[0]) if n else nan
    p_normal, p_uniform = gap_p(ratio, n)
    _, _, depth, antimode = valley(x)
    d = dip(x)
    count, of = int(floor.near(raw).sum()), len(raw)
    p_floor = nan
    if of >= 4 and np.ptp(raw) > 0 and count >= 2:
        own = nulls if raw is x and nulls else unimodal_nulls(raw, draws, rng)
        level = (floor.level - float(raw.mean())) / float(raw.std()) if floor.given else None
        scale = float(raw.std()) if floor.given else float(np.ptp(raw))
        p_floor = max(floor_p(count, floor.width / scale, own, level).values())
    elif of:
        p_floor = 1.0
    share = proportion(count, of)
    row: dict[str, float | int | str] = {
        "n": n,
        "verdict": "",
        "mean": float(x.mean()) if n else nan,
        "sd": float(x.std(ddof=1)) if n > 1 else nan,
        "dip": d,
        "p_dip": dip_p(d, n),
        "likelihood_ratio": float(fit.ratio[0]) if fit is not None else nan,
        "p_mixture": max(p_null.values()) if p_null else nan,
        "p_normal": p_null.get("normal", nan),
        "p_skewed": p_null.get("skewed", nan),
        "p_heavy_tailed": p_null.get("heavy-tailed", nan),
        "p_flat": p_null.get("flat", nan),
        "ashman_D": float(fit.separation[0]) if fit is not None else nan,
        "lower_mode": float(fit.low[0]) if fit is not None else nan,
        "upper_mode": float(fit.high[0]) if fit is not None else nan,
        "upper_weight": float(fit.weight[0]) if fit is not None else nan,
        "fewest": int(fit.fewest[0]) if fit is not None else 0,
        "upper_count": int((fit.upper[0] > 0.5).sum()) if fit is not None else 0,
        "gap_ratio": ratio,
        "p_gap": max(p_normal, p_uniform),
        "valley": depth,
        "antimode": antimode,
        "bimodality_coefficient": bimodality_coefficient(x),
        "floor_count": count,
        "floor_of": of,
        "floor_share": share.value,
        "floor_low": share.low,
        "floor_high": share.high,
        "p_floor": p_floor,
        "power": mixture_power(n, POWER_AT, 0.5),
    }
    row["verdict"] = _verdict(row, bool(fit is not None and fit.two[0]), n, varies)
    return row


def _verdict(row: dict[str, float | int | str], apart: bool, n: int, varies: bool) -> str:
    count, of = int(row["floor_count"]), int(row["floor_of"])
    if count >= 2 and of - count >= 2 and float(row["p_floor"]) <= _ALPHA:
        return "zero-inflated"
    if apart and float(row["p_mixture"]) <= _ALPHA:
        return "two modes"
    if n >= 5 and (not varies or float(row["power"]) >= 0.8):
        return "unimodal"
    return "undecided"


def _share(verdict: str, row: dict[str, float | int | str], level: float) -> tuple[Estimate, float]:
    nan = float("nan")
    if verdict == "zero-inflated":
        return proportion(int(row["floor_count"]), int(row["floor_of"]), level=level), float(row["p_floor"])
    if verdict == "two modes":
        return proportion(int(row["upper_count"]), int(row["n"]), level=level), float(row["p_mixture"])
    why = "one heap: no share to speak of" if verdict == "unimodal" else "no second mode is shown"
    return Estimate(nan, nan, nan, level, why, int(row["n"])), float(row["p_mixture"])


def _upper(x: Float[np.ndarray, "n"], verdict: str, floor: _Floor) -> Bool[np.ndarray, "n"]:
    if verdict == "zero-inflated":
        return ~floor.near(x)
    if verdict == "two modes":
        return np.asarray(two_normals(x[None, :]).upper[0] > 0.5)
    return np.zeros(len(x), dtype=bool)


def _members(
    stage: Stage,
    verdict: str,
    decided_by: str,
    groups: list[Float[np.ndarray, "n"]],
    floor: _Floor,
) -> pd.DataFrame:
    """Which mode each seed falls in, by the verdict that stands."""
    rows = []
    within = decided_by == WITHIN
    residual = _residuals(groups)
    at = 0
    for name, row in zip(stage.conditions, stage.values, strict=True):
        seen = np.isfinite(row)
        x = row[seen]
        labels, chance = np.full(len(row), "", dtype=object), np.full(len(row), np.nan)
        if verdict == "zero-inflated" and (within or name == decided_by):
            near = floor.near(x)
            labels[seen] = np.where(near, "floor", "above")
            chance[seen] = np.where(near, 0.0, 1.0)
        elif verdict == "two modes" and name == decided_by:
            chance[seen] = two_normals(x[None, :]).upper[0]
        elif verdict == "two modes" and within and len(x) > 1:
            chance[seen] = two_normals(residual[None, :]).upper[0][at : at + len(x)]
        at += len(x) if len(x) > 1 else 0
        if verdict == "two modes":
            labels = np.where(np.isfinite(chance), np.where(chance > 0.5, "upper", "lower"), "").astype(object)
        for k, seed in enumerate(stage.seeds):
            rows.append((name, seed, row[k], labels[k], chance[k]))
    return pd.DataFrame(rows, columns=["condition", "seed", "value", "mode", "p_upper"])


def _power_table(n: int) -> pd.DataFrame:
    """How often two normal modes would be called two at this many seeds (an upper bound)."""
    cells = [(d, share, mixture_power(n, d, share)) for share in (0.5, 0.2) for d in (3.0, 4.0, 5.0, 6.0)]
    frame = pd.DataFrame(cells, columns=["ashman_D", "smaller_share", "power"])
    frame.insert(0, "n", n)
    return frame


def _cautions(
    rows: dict[str, dict[str, float | int | str]], main: str, verdict: str, several: bool, stage: Stage
) -> list[str]:
    out = list(stage.notes)
    row = rows[main]
    found = ("two modes", "zero-inflated")
    if several and rows[POOLED]["verdict"] in found and verdict not in found:
        out.append(
            "the pool of all conditions looks like more than one mode because the conditions differ; within them "
            "no second mode is shown"
        )
    n = int(row["n"])
    p_dip = float(rows[POOLED if several else main]["p_dip"])
    if verdict in found and p_dip > _ALPHA:
        out.append(f"the dip test alone sees nothing (p = {p_dip:.2g}): it is nearly blind to modes held by few seeds")
    if verdict == "undecided" and stage.has_seeds:
        out.append(
            f"{n} seeds: two equal modes {POWER_AT:g} standard deviations apart would be found in "
            f"{float(row['power']):.0%} of such data sets at most"
        )
    if verdict not in found and int(row["fewest"]) == 1 and float(row["p_mixture"]) <= _ALPHA:
        out.append("one seed stands far from the rest: an outlier, or a mode of which one member was seen")
    return out
