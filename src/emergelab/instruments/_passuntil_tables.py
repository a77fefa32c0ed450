"""What `passuntil` finds in one condition, and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from emergelab.instruments._passuntil_fits import (
    Curvature,
    Fitted,
    Plane,
    by_items,
    curvature,
    fit_models,
    plane,
)
from emergelab.instruments._passuntil_likelihood import Likely, likelihood_fit
from emergelab.instruments._passuntil_rates import Records, counted, item_interval, item_rate, item_variance
from emergelab.statistics import Estimate, estimate, proportion

__all__ = ["FEWEST_SEEDS", "Finding", "curvature_table", "find", "fits_table", "items_table", "rates_table"]

_NAN = float("nan")
_FEW_ITEMS = 10  # below this many items their covariance over sizes is not estimated
_DRAWN = 120

FEWEST_SEEDS = 3
"""Below this many seeds nothing is claimed over seeds."""


@dataclass(frozen=True)
class Finding:
    """All that was found in one condition.

    Attributes:
        records: tries and passes.
        rate: rate of every item, without guesses taken out.
        pu: task score at every x, guesses taken out.
        intervals: its interval at every x.
        points: those of them that have an F.
        bend: curvature of F, on which the verdict rests.
        mean_bend: curvature of F of the mean rate, by least squares.
        likely: fits to the counts themselves, if they were made.
        fits: models fitted to the points.
        item_grid: mean over items fitted one by one, on the grid.
        item_chi2: weighted squared residuals of that mean at the points.
        item_bend: bend of F that this mean has at the same points.
        grid: x at which fits are drawn.
        guess: rate of lucky guesses.
        verdict: class of curvature.
        ml: maximum-likelihood score, for comparison.
    """

    records: Records
    rate: Float[np.ndarray, "item x"]
    pu: Float[np.ndarray, "x"]
    intervals: list[Estimate]
    points: Plane
    bend: Curvature
    mean_bend: Curvature
    likely: Likely | None
    fits: list[Fitted]
    item_grid: Float[np.ndarray, "g"]
    item_chi2: float
    item_bend: float
    item_held: float
    item_ahead: float
    grid: Float[np.ndarray, "g"]
    guess: float
    verdict: str
    ml: Float[np.ndarray, "x"]

    @property
    def by(self) -> str:
        """What the bend rests on: "likelihood", "seeds" or "least squares"."""
        if np.isfinite(self.points.df):
            return "seeds"
        return "least squares" if self.likely is None or self.bend is self.mean_bend else "likelihood"


def find(
    r: Records,
    *,
    guess: float,
    estimator: str,
    population: bool,
    fit: str,
    forecast_to: float | None,
    margin: float | None,
    level: float,
    draws: int,
) -> Finding:
    """Rates, curvature and fits of one condition."""
    rate = item_rate(r, estimator)
    count = r.seen.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = np.where(count > 0, np.nansum(rate, axis=0) / count, np.nan)
        each = r.over_seeds(rate) if len(r.seeds) >= FEWEST_SEEDS else None
        if each is not None:
            there = np.isfinite(each).sum(axis=0)
            raw = np.where(there > 0, np.nansum(each, axis=0) / there, np.nan)
        pu = (raw - guess) / (1 - guess)
        # items that all passed at once or never have no variance of their own; together they know no more than this
        least = raw * (1 - raw) / np.maximum(np.nansum(r.tries, axis=0), 1)
        tries_variance = np.maximum(np.nansum(item_variance(r), axis=0) / count**2, least) / (1 - guess) ** 2
        ml = np.where(count > 0, np.nansum(item_rate(r, "ml"), axis=0) / count, np.nan)
    cover, df = _over_items(rate, 1 - guess) if population and len(rate) >= _FEW_ITEMS else None, float("inf")
    if each is not None:  # the seed is the unit, whatever varies inside it
        cover, df = _over_items(each, 1 - guess), len(each) - 1.0
    if cover is not None:
        # a handful of items can agree by chance: never below what the tries alone make
        low = np.maximum(np.diag(cover), np.nan_to_num(tries_variance))
        cover = cover + np.diag(low - np.diag(cover))
    points = plane(np.log(r.x), pu, tries_variance, cover, df)
    bend = mean_bend = curvature(points, level)
    ends = [r.x[0], r.x[-1], *([forecast_to] if forecast_to is not None else [])]
    grid = np.geomspace(min(ends), max(ends) if max(ends) > min(ends) else min(ends) * 1.001, _DRAWN)
    fits = fit_models(points, np.log(grid), forecast_to, level)
    likely = None
    if fit == "likelihood" and each is None:
        with np.errstate(divide="ignore", invalid="ignore"):
            f = np.where((pu > 0) & (pu < 1), np.log(-np.log(np.where(pu > 0, pu, 1.0))), np.nan)
        last = float(points.cover[-1, -1]) if len(points.u) else 0.0
        likely = likelihood_fit(r, f, guess, forecast_to, level, last)
    if likely is not None:
        z = points.quantile(level)
        half, wide = z * likely.bend_error, z * likely.slope_error
        bend = Curvature(
            likely.bend, likely.bend - half, likely.bend + half, likely.p,
            likely.slope, likely.slope - wide, likely.slope + wide,
        )  # fmt: skip
    item_grid, chi2, item_bend, held, ahead = _item_fits(r, points, grid, guess, forecast_to, level)
    return Finding(
        r, rate, pu, _intervals(r, rate, each, tries_variance, guess, population, level, draws), points, bend,
        mean_bend, likely, fits, item_grid, chi2, item_bend, held, ahead, grid, guess, _class(bend, margin, level), ml,
    )  # fmt: skip


def _class(bend: Curvature, margin: float | None, level: float) -> str:
    if not np.isfinite(bend.p):
        return "undecided"
    if bend.p <= 1 - level:
        return "concave" if bend.bend < 0 else "convex"
    if margin is not None and -margin < bend.low and bend.high < margin:
        return "linear"
    return "no bend shown"


def _over_items(rate: Float[np.ndarray, "item x"], scale: float) -> Float[np.ndarray, "x x"]:
    """Covariance of PU over sizes if items were drawn anew; pairs of sizes use the items they share."""
    seen = np.isfinite(rate)
    count = np.maximum(seen.sum(axis=0), 1)
    gap = np.where(seen, rate - np.where(seen, rate, 0.0).sum(axis=0) / count, 0.0)
    return (gap.T @ gap) / np.outer(count, count) * (len(rate) / max(len(rate) - 1, 1)) / scale**2


def _intervals(
    r: Records,
    rate: Float[np.ndarray, "item x"],
    each: Float[np.ndarray, "seed x"] | None,
    variance: Float[np.ndarray, "x"],
    guess: float,
    population: bool,
    level: float,
    draws: int,
) -> list[Estimate]:
    """Interval of PU at every x; where nothing passed, the exact bound of all tries together."""
    out = []
    z = float(stats.norm.ppf(0.5 + level / 2))
    for j in range(len(r.x)):
        one = rate[:, j][np.isfinite(rate[:, j])]
        if not len(one):
            out.append(Estimate(_NAN, _NAN, _NAN, level, "no record", 0))
            continue
        value = (float(one.mean()) - guess) / (1 - guess)
        if not (one > 0).any():
            total = int(np.nansum(r.tries[:, j]))
            bound = proportion(0, total, level=level).high
            told = f"no pass in {total} tries: Clopper-Pearson"
            out.append(
                Estimate(value, max(0.0, -guess), max(0.0, (bound - guess) / (1 - guess)), level, told, len(one))
            )
            continue
        if each is not None and np.isfinite(each[:, j]).sum() >= FEWEST_SEEDS:
            own = each[:, j][np.isfinite(each[:, j])]
            e = estimate((own - guess) / (1 - guess), level=level, draws=max(draws, 100), rng=0)
            low = e.low if guess or not np.isfinite(e.low) else max(e.low, 0.0)
            out.append(Estimate(e.value, low, min(e.high, 1.0), level, f"{e.method} over seeds", len(own)))
            continue
        if population and len(one) >= 5:
            e = estimate((one - guess) / (1 - guess), level=level, draws=max(draws, 100), rng=0)
            floor = None if guess else 0.0  # a rate is not negative; one with guesses taken out may be
            low = e.low if floor is None or not np.isfinite(e.low) else max(e.low, floor)
            out.append(Estimate(e.value, low, min(e.high, 1.0), level, f"{e.method} over items", len(one)))
            continue
        # on the scale of logarithms, so that no end is negative
        half = z * float(np.sqrt(variance[j])) / max(abs(value), 1e-300)
        low, high = value * np.exp(-half), value * np.exp(min(half, 700.0))
        out.append(
            Estimate(value, float(min(low, high)), float(min(max(low, high), 1.0)), level, "tries alone", len(one))
        )
    return out


def _item_fits(
    r: Records, points: Plane, grid: Float[np.ndarray, "g"], guess: float, forecast_to: float | None, level: float
) -> tuple[Float[np.ndarray, "g"], float, float, float, float]:
    """Fit item by item; its mean on the grid, its misfit, the bend it makes, and its forecasts."""
    none = np.full(len(grid), _NAN)
    if len(points.u) < 3 or len(r.items) < 3 or guess > 0:
        return none, _NAN, _NAN, _NAN, _NAN
    k = counted(r)
    u = np.log(r.x)
    at = np.r_[np.log(grid), points.u, np.log(forecast_to) if forecast_to is not None else u[-1]]
    mean, _ = by_items(r.tries, k, u, at)
    own = mean[len(grid) : len(grid) + len(points.u)]
    f = np.log(-np.log(np.clip(own, 1e-300, 1 - 1e-12)))
    chi2 = float(points.weight @ (points.f - f) ** 2)
    bend = curvature(Plane(points.u, f, points.weight, points.cover), level).bend
    held = float(by_items(r.tries[:, :-1], k[:, :-1], u[:-1], u[-1:])[0][0]) if len(u) >= 4 else _NAN
    return mean[: len(grid)], chi2, bend, held, float(mean[-1]) if forecast_to is not None else _NAN


def rates_table(findings: Sequence[Finding], cost: np.ndarray | None) -> pd.DataFrame:
    """PU and F at every size, the cost, and how items differ."""
    rows = []
    for f in findings:
        r = f.records
        for j, x in enumerate(r.x):
            e = f.intervals[j]
            one = f.rate[:, j][np.isfinite(f.rate[:, j])]
            spread = np.quantile(one, [0.1, 0.5, 0.9]) if len(one) else np.full(3, _NAN)
            big_f = [_f(v) for v in (f.pu[j], e.high, e.low)]
            rows.append(
                {
                    "condition": r.condition, "x": float(x), "items": int(r.seen[:, j].sum()),
                    "censored": int(r.censored[:, j].sum()), "tries": float(np.nansum(r.tries[:, j])),
                    "drawn": float(cost[j]) if cost is not None else _NAN, "pu": float(f.pu[j]), "low": e.low,
                    "high": e.high, "method": e.method, "F": big_f[0], "F_low": big_f[1], "F_high": big_f[2],
                    "pu_ml": float(f.ml[j]), "item_p10": float(spread[0]), "item_median": float(spread[1]),
                    "item_p90": float(spread[2]),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _f(p: float) -> float:
    return float(np.log(-np.log(p))) if 0 < p < 1 else _NAN


def curvature_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Slope and bend of F in every condition."""
    rows = [
        {
            "condition": f.records.condition, "class": f.verdict, "sizes": len(f.points.u), "fit": f.by,
            "alpha": -f.bend.slope,
            "alpha_low": -f.bend.slope_high, "alpha_high": -f.bend.slope_low, "bend": f.bend.bend,
            "bend_low": f.bend.low, "bend_high": f.bend.high, "p": f.bend.p,
            "bend_of_mean": f.mean_bend.bend, "p_of_mean": f.mean_bend.p, "bend_of_item_mix": f.item_bend,
            "ln_c": f.likely.ln_c if f.likely else _NAN, "sd_of_heights": f.likely.heights if f.likely else _NAN,
            "sd_of_alpha": f.likely.tilts if f.likely else _NAN,
        }
        for f in findings
    ]  # fmt: skip
    return pd.DataFrame(rows)


def fits_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Every model: its misfit, its forecast of the largest size from the others, and of the size asked for."""
    rows = []
    for f in findings:
        e = f.intervals[-1]
        for m in f.fits:
            df = len(f.points.u) - m.parameters
            rows.append(
                {
                    "condition": f.records.condition, "model": m.name, "parameters": m.parameters, "chi2": m.chi2,
                    "df": df, "p_fit": float(stats.chi2.sf(m.chi2, df)) if df > 0 else _NAN, "bic": m.bic,
                    "held_out": m.held_out, "held_out_low": m.held_low, "held_out_high": m.held_high,
                    "seen": e.value, "forecast": m.ahead, "forecast_low": m.ahead_low, "forecast_high": m.ahead_high,
                }
            )  # fmt: skip
        if f.likely is not None:
            row = {"condition": f.records.condition, "model": "likelihood", "parameters": 4, "seen": e.value}
            keys = ("held_out", "held_out_low", "held_out_high", "forecast", "forecast_low", "forecast_high")
            rows.append({**row, **dict(zip(keys, (*f.likely.held, *f.likely.ahead), strict=True))})
        if np.isfinite(f.item_chi2):
            row = {"condition": f.records.condition, "model": "items", "chi2": f.item_chi2, "seen": e.value}
            rows.append({**row, "held_out": f.item_held, "forecast": f.item_ahead})
    columns = [
        "condition", "model", "parameters", "chi2", "df", "p_fit", "bic", "held_out", "held_out_low", "held_out_high",
        "seen", "forecast", "forecast_low", "forecast_high",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def items_table(findings: Sequence[Finding], level: float) -> pd.DataFrame:
    """Every item at every size; ``next_share`` says where further tries would help the mean most (Neyman)."""
    frames = []
    for f in findings:
        r = f.records
        low, high = item_interval(r, level)
        with np.errstate(invalid="ignore"):
            need = np.sqrt(np.clip(f.rate * (1 - f.rate), 0.0, None))
        total = np.nansum(need, axis=0)
        share = np.where(total > 0, need / np.where(total > 0, total, 1.0), np.nan)
        shape = r.tries.shape
        frames.append(
            pd.DataFrame(
                {
                    "condition": r.condition,
                    "seed": np.repeat(np.array(r.seed or [""] * shape[0], dtype=object), shape[1]),
                    "item": np.repeat(np.array(r.items, dtype=object), shape[1]),
                    "x": np.tile(r.x, shape[0]),
                    "tries": r.tries.ravel(),
                    "passes": r.passes.ravel(),
                    "censored": r.censored.ravel(),
                    "rate": f.rate.ravel(),
                    "low": low.ravel(),
                    "high": high.ravel(),
                    "next_share": share.ravel(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
