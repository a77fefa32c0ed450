"""Tables of `learning_curves`: laws, parameters, forecasts, levels reached, surprise, backbone, contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergelab.instruments._learning_curves_choose import BASELINES, Choice, baseline_forecasts
from emergelab.instruments._learning_curves_data import Panel
from emergelab.instruments._learning_curves_fit import Fit, fit
from emergelab.instruments._learning_curves_laws import LAWS
from emergelab.instruments._learning_curves_seeds import (
    FEWEST_SEEDS,
    Surprise,
    Turn,
    crossing,
    over_seeds,
    refitted,
    within_run,
)
from emergelab.statistics import Estimate

__all__ = [
    "Finding",
    "asymptote_of",
    "backbone_table",
    "baselines_at",
    "estimates",
    "forecast_table",
    "laws_table",
    "reach_table",
    "rms",
    "surprise_table",
]

_NAN = float("nan")


@dataclass
class Finding:
    """Everything found in one condition.

    Attributes:
        panel: its curves.
        choice: what the laws do on it.
        turn: whether it turned against the law.
        surprise: later records against the forecast, if any were kept back.
        forecast: value at ``forecast_to`` by the chosen law.
        reach: x at which the level is reached by the chosen law; NaN if not within the limit.
        never: why it is not reached, or "".
        asymptote: asymptote of the chosen law.
        visible: whether the data bound the asymptote.
        refused: why no forecast is made, or "".
        verdict: the verdict on this condition.
    """

    panel: Panel
    choice: Choice
    turn: Turn
    surprise: Surprise | None
    forecast: Estimate
    reach: Estimate
    never: str
    asymptote: Estimate
    visible: bool
    refused: str
    verdict: str


def _none(level: float, why: str, n: int) -> Estimate:
    return Estimate(_NAN, _NAN, _NAN, level, why, n)


def asymptote_of(found: Fit, panel: Panel) -> Float[np.ndarray, "curve"]:
    """Asymptote in units of the observable; NaN for a law without one."""
    if not found.law.offset:
        return np.full(len(found.theta), _NAN)
    return panel.back(found.theta[:, 1])


def estimates(
    choice: Choice,
    panel: Panel,
    forecast_to: float | None,
    reach: float | None,
    limit: float,
    *,
    level: float,
    draws: int,
    rng: np.random.Generator,
    seed: int,
) -> tuple[Estimate, Estimate, Estimate, str]:
    """Forecast, x to reach the level, and asymptote of the chosen law; and why the level is not reached, if so."""
    if choice.best < 0:
        none = _none(level, "no law was chosen", panel.n)
        return none, none, none, "no law was chosen" if reach is not None else ""
    x = np.geomspace(panel.axis.first, panel.early.last * 10**limit, 240)
    grid = panel.axis.at(x)
    target = _NAN if reach is None else panel.inner(reach)

    def of(found: Fit) -> Float[np.ndarray, "r k"]:
        out = np.full((len(found.theta), 3), _NAN)
        if forecast_to is not None:
            out[:, 0] = panel.back(found.at(panel.axis.at(np.array([forecast_to])), panel.kind)[:, 0])
        if np.isfinite(target):
            out[:, 1] = crossing(found.at(grid, panel.kind), x, target)
        out[:, 2] = asymptote_of(found, panel)
        return out

    value = of(choice.fits[choice.best])[0]

    def by_seeds(share: Float[np.ndarray, "r seed"]) -> Float[np.ndarray, "r k"]:
        return of(refitted(choice, panel, panel.means(share), mixture=False)[choice.best])

    def by_mean(mean: Float[np.ndarray, "r x"]) -> Float[np.ndarray, "r k"]:
        return of(refitted(choice, panel, mean, mixture=False)[choice.best])

    if panel.n >= FEWEST_SEEDS:
        found = over_seeds(panel.n, by_seeds, level=level, draws=max(draws, 100), seed=seed)
    else:
        lows, highs, how = within_run(choice, panel, by_mean, level=level, draws=draws, rng=rng)
        found = [
            Estimate(v, lo, hi, level, how, panel.n) if np.isfinite(v) else _none(level, "undefined", panel.n)
            for v, lo, hi in zip(value, lows, highs, strict=True)
        ]
    never = ""
    at = found[1]
    if reach is not None:
        if not np.isfinite(target):
            never = "the level has no place on this scale"
        elif value[1] >= np.log(x[-1]) - 1e-9:
            never = f"never within {x[-1]:.3g}"
        elif value[1] <= np.log(x[0]) + 1e-9:
            never = f"there already at {x[0]:.3g}"
    if never:
        at = _none(level, never, panel.n)
    elif reach is not None:
        # an end far beyond the limit leaves the range of floats
        low, high = (float(np.exp(min(v, 700.0))) for v in (at.low, at.high))
        # an end at the limit only says "later than that"
        high = high if high < x[-1] * (1 - 1e-6) else _NAN
        at = Estimate(float(np.exp(at.value)), float(low), float(high), level, at.method, at.n)
    else:
        at = _none(level, "no level was asked for", panel.n)
    forecast = found[0] if forecast_to is not None else _none(level, "no forecast was asked for", panel.n)
    asymptote = found[2]
    if panel.scale == "log" and asymptote.claimed:  # a positive quantity has no asymptote below zero
        asymptote = replace(asymptote, low=max(asymptote.low, 0.0))
    if not choice.fits[choice.best].law.offset:
        asymptote = _none(level, f"{choice.fits[choice.best].law.name} has no asymptote", panel.n)
    return forecast, at, asymptote, never


def laws_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Every law and baseline of every condition: errors out of sample and in sample."""
    rows = []
    for f in findings:
        c, p = f.choice, f.panel
        later = p.late
        truth = p.mean[p.used :]
        last = baselines_at(p, later.x) if len(later.x) else None
        for k, law in enumerate(c.laws):
            one = c.fits[k]
            ahead = one.at(later, p.kind)[0] if len(later.x) else np.empty(0)
            rows.append(
                {
                    "condition": p.condition,
                    "law": law.name,
                    "formula": law.formula,
                    "parameters": law.size(p.kind),
                    "rolling_error": c.error[k] * p.unit,
                    "heldout_error": rms(ahead - truth) * p.unit,
                    "bic": c.bic[k],
                    "aicc": c.aicc[k],
                    "bic_weight": _weights(c.bic)[k],
                    "aicc_weight": _weights(c.aicc)[k],
                    "stack_weight": c.stack[k],
                    "asymptote": float(asymptote_of(one, p)[0]),
                    "chosen": k == c.best,
                }
            )
        for j, name in enumerate(BASELINES):
            error = c.error[len(c.laws) + j] * p.unit
            ahead_error = _NAN if last is None else rms(last[j] - truth) * p.unit
            row: dict[str, Any] = {"condition": p.condition, "law": name, "formula": "baseline"}
            rows.append({**row, "rolling_error": error, "heldout_error": ahead_error, "chosen": False})
        mixed = c.mixture(later, p.kind) if len(later.x) else np.empty(0)
        rows.append(
            {
                "condition": p.condition, "law": "mixture", "formula": "stacked laws",
                "heldout_error": rms(mixed - truth) * p.unit, "chosen": False,
            }
        )  # fmt: skip
    columns = [
        "condition", "law", "formula", "parameters", "rolling_error", "heldout_error", "bic", "aicc", "bic_weight",
        "aicc_weight", "stack_weight", "asymptote", "chosen",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def baselines_at(p: Panel, x: Float[np.ndarray, "m"]) -> Float[np.ndarray, "baseline m"]:
    """Responses that the baselines give at other places."""
    mean = p.mean[: p.used]
    good = np.isfinite(mean)
    u = p.early.u
    return baseline_forecasts(mean[good], p.weight[: p.used][good], u[good], p.axis.at(x).u)


def rms(gap: Float[np.ndarray, "m"]) -> float:
    """Root mean square of the finite errors."""
    seen = gap[np.isfinite(gap)]
    return float(np.sqrt(np.mean(seen**2))) if len(seen) else _NAN


def _weights(criterion: Float[np.ndarray, "law"]) -> Float[np.ndarray, "law"]:
    seen = np.isfinite(criterion)
    out = np.full(len(criterion), _NAN)
    if seen.any():
        w = np.exp(-0.5 * (criterion[seen] - criterion[seen].min()))
        out[seen] = w / w.sum()
    return out


def backbone_table(findings: Sequence[Finding], proximity: float | None, huber: bool) -> pd.DataFrame:
    """Asymptote of c + a x^-b refitted after each record (the asymptotic backbone of Vilares et al.).

    ``working`` marks levels from which the asymptotes move one way only; ``predicting`` those of them at which the
    trend is trustworthy (steps no longer grow); ``stop`` those at which two layers are closer than ``proximity``.
    """
    rows = []
    for f in findings:
        p = f.panel
        good = np.isfinite(p.mean[: p.used])
        n = p.used
        if n < 6 or not good.all():
            continue
        at = np.unique(np.linspace(4, n - 1, min(n - 4, 30)).round().astype(int))
        weight = np.where(np.arange(n)[None] <= at[:, None], p.weight[None, :n], 0.0)
        mean = p.mean[:n]
        found = fit(LAWS["pow3"], np.broadcast_to(mean, weight.shape), weight, p.early, p.kind, huber=huber)
        end = asymptote_of(found, p)
        y, forecast = p.back(mean), p.back(found.at(p.early, p.kind))
        step = np.abs(np.diff(end, prepend=np.nan))
        tolerance = 1e-3 * float(np.nanmax(y) - np.nanmin(y))
        moves = np.diff(end)
        working = np.array(
            [len(moves[i:]) >= 2 and bool((moves[i:] <= tolerance).all() or (moves[i:] >= -tolerance).all())
             for i in range(len(at))]
        )  # fmt: skip
        settled = np.r_[False, False, step[2:] <= step[1:-1] + tolerance]
        predicting = np.maximum.accumulate(working & settled) & working
        stop = predicting & (step < proximity) if proximity is not None else np.zeros(len(at), dtype=bool)
        for i, m in enumerate(at):
            later = slice(int(m) + 1, n)
            with np.errstate(divide="ignore", invalid="ignore"):
                off = 100 * np.abs(forecast[i, later] / np.where(y[later] != 0, y[later], np.nan) - 1)
            seen = off[np.isfinite(off)]
            allowed = step[i] if proximity is None else proximity
            rows.append(
                {
                    "condition": p.condition,
                    "x": float(p.early.x[m]),
                    "asymptote": float(end[i]),
                    "layer_distance": float(step[i]),
                    "working": bool(working[i]),
                    "predicting": bool(predicting[i]),
                    "stop": bool(stop[i]),
                    "mape": float(seen.mean()) if len(seen) else _NAN,
                    "final_within": float(abs(forecast[i, -1] - y[-1]) <= allowed) if np.isfinite(allowed) else _NAN,
                }
            )
    columns = [
        "condition", "x", "asymptote", "layer_distance", "working", "predicting", "stop", "mape", "final_within",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def forecast_table(findings: Sequence[Finding], forecast_to: float | None, level: float) -> pd.DataFrame:
    """Every model's value at ``forecast_to``; a band for the chosen law, and one for a single new run."""
    rows = []
    for f in findings if forecast_to is not None else ():
        c, p = f.choice, f.panel
        at = p.axis.at(np.array([float(forecast_to or 0.0)]))
        models = [(law.name, float(p.back(c.fits[k].at(at, p.kind)[0])[0])) for k, law in enumerate(c.laws)]
        models.append(("mixture", float(p.back(c.mixture(at, p.kind))[0])))
        models += list(zip(BASELINES, (float(v) for v in p.back(baselines_at(p, at.x)[:, 0])), strict=True))
        chosen = c.laws[c.best].name if c.best >= 0 else ""
        for name, value in models:
            row: dict[str, Any] = {"condition": p.condition, "model": name, "x": forecast_to, "value": value}
            if name == chosen:
                row |= {"low": f.forecast.low, "high": f.forecast.high, "method": f.forecast.method}
                row |= _new_run(f, level) | {"refused": f.refused}
            rows.append(row)
    columns = ["condition", "model", "x", "value", "low", "high", "run_low", "run_high", "method", "refused"]
    return pd.DataFrame(rows, columns=columns)


def _new_run(f: Finding, level: float) -> dict[str, float]:
    """Band for one further run: the band of the mean widened by the spread of single runs about it."""
    from scipy import stats

    p, c = f.panel, f.choice
    ends = [p.inner(f.forecast.low), p.inner(f.forecast.high)]
    centre = p.inner(f.forecast.value)
    if not np.isfinite([*ends, centre]).all():
        return {"run_low": _NAN, "run_high": _NAN}
    late = p.values[:, max(0, p.used - max(3, p.used // 4)) : p.used]
    if p.n >= FEWEST_SEEDS:
        spread, df = float(np.sqrt(np.nanmean(np.nanvar(late, axis=0, ddof=1)))), p.n - 1
    else:
        gap = p.mean[: p.used] - c.fits[c.best].at(p.early, p.kind)[0]
        size = c.fits[c.best].theta.shape[1]
        df = max(p.used - size, 1)
        spread = float(np.sqrt(np.nansum(gap**2) / df))
    more = float(stats.t.ppf(0.5 + level / 2, df)) * spread
    low, high = sorted(ends)
    outer = p.back(np.array([centre - np.hypot(centre - low, more), centre + np.hypot(high - centre, more)]))
    return {"run_low": float(np.min(outer)), "run_high": float(np.max(outer))}


def reach_table(findings: Sequence[Finding], reach: float | None) -> pd.DataFrame:
    """x at which each condition reaches the level."""
    rows = [
        {
            "condition": f.panel.condition, "level": reach, "x": f.reach.value, "low": f.reach.low,
            "high": f.reach.high, "censored": f.never, "method": f.reach.method,
        }
        for f in (findings if reach is not None else ())
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["condition", "level", "x", "low", "high", "censored", "method"])


def surprise_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Later records beside what the mixture forecast."""
    rows = []
    for f in findings:
        s, p = f.surprise, f.panel
        if s is None:
            continue
        seen, expected = p.back(p.mean[p.used :]), p.back(s.predicted)
        ends = np.sort(np.stack([p.back(s.low), p.back(s.high)]), axis=0)
        last = p.back(baselines_at(p, p.late.x)[0])
        for j, x in enumerate(p.late.x):
            rows.append(
                {
                    "condition": p.condition, "x": float(x), "seen": float(seen[j]), "predicted": float(expected[j]),
                    "low": float(ends[0, j]), "high": float(ends[1, j]), "last_value": float(last[j]),
                    "z": float(s.z[j]), "p_max_t": float(s.p_max[j]),
                }
            )  # fmt: skip
    columns = ["condition", "x", "seen", "predicted", "low", "high", "last_value", "z", "p_max_t"]
    return pd.DataFrame(rows, columns=columns)
