"""What `learning_curves` says: headline, cautions, words, and the curves behind its figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.instruments._curves import Curves
from emergelab.instruments._learning_curves_choose import BASELINES
from emergelab.instruments._learning_curves_efficiency import Contrast
from emergelab.instruments._learning_curves_parameters import parameter_names, parameters_of
from emergelab.instruments._learning_curves_seeds import FEWEST_SEEDS
from emergelab.instruments._learning_curves_tables import Finding, baselines_at
from emergelab.instruments.result import Effect, Null
from emergelab.statistics import Estimate

__all__ = ["cautions", "conditions_table", "describe", "diagnostics", "headline_of"]

_NAN = float("nan")
_DRAWN = 160  # places at which the fitted curve is kept for the figure


def conditions_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """One row a condition."""
    rows = []
    for f in findings:
        c, p, s = f.choice, f.panel, f.surprise
        ratio = error_ratio(f)
        rows.append(
            {
                "condition": p.condition,
                "verdict": f.verdict,
                "law": c.laws[c.best].name if c.best >= 0 else "",
                "seeds": p.n,
                "records": p.used,
                "error_over_baseline": ratio,
                "asymptote": f.asymptote.value,
                "asymptote_low": f.asymptote.low,
                "asymptote_high": f.asymptote.high,
                "asymptote_visible": f.visible,
                "forecast": f.forecast.value,
                "forecast_low": f.forecast.low,
                "forecast_high": f.forecast.high,
                "refused": f.refused,
                "surprise": s.mean.value * p.unit * p.sign if s else _NAN,
                "p_surprise": s.p if s else _NAN,
                "rise": f.turn.rise * p.unit,
                "p_turn": f.turn.p,
                "end_residual": f.turn.residual * p.unit,
                "turned_at": f.turn.where,
            }
        )
    columns = [
        "condition", "verdict", "law", "seeds", "records", "error_over_baseline", "asymptote", "asymptote_low",
        "asymptote_high", "asymptote_visible", "forecast", "forecast_low", "forecast_high", "refused", "surprise",
        "p_surprise", "rise", "p_turn", "end_residual", "turned_at",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def error_ratio(f: Finding) -> float:
    """Rolling-origin error of the chosen law over that of the better baseline; NaN where either is undefined."""
    error, best = f.choice.error, f.choice.best
    base = float(np.min(error[len(f.choice.laws) :])) if best >= 0 else _NAN
    return float(error[best]) / base if base > 0 else _NAN


def headline_of(
    findings: Sequence[Finding],
    contrasts: Sequence[Contrast],
    forecast_to: float | None,
    reach: float | None,
    upto: float | None,
    level: float,
    draws: int,
) -> tuple[str, Estimate, float, Null, Effect]:
    """The number that answers the question, its p, and what p rests on."""
    if not findings:
        none = Estimate(_NAN, _NAN, _NAN, level, "nothing to fit", 0)
        return "asymptote", none, _NAN, Null("none", 0), Effect("none", _NAN)
    if len(contrasts) == 1:
        c = contrasts[0]
        e = c.log_ratio[c.headline]
        ends = [float(np.exp(v)) for v in (e.value, e.low, e.high)]
        ratio = Estimate(ends[0], ends[1], ends[2], level, e.method, e.n)
        name = "signs of pairs" if c.paired else "labels of seeds permuted"
        title = f"x of {c.b} over x of {c.a} at {c.levels[c.headline]:.3g}"
        return title, ratio, c.p[c.headline].p, Null(name, c.p[c.headline].draws), Effect("log ratio of x", e.value)
    f = findings[0] if len(findings) == 1 else None
    if f is None:
        what = [g.surprise.p for g in findings if g.surprise is not None]
        why = f"{len(findings)} conditions: see the table"
        none = Estimate(_NAN, _NAN, _NAN, level, why, max(g.panel.n for g in findings))
        least = float(np.nanmin(what)) if np.isfinite(what).any() else _NAN
        return "see the table of conditions", none, least, Null("see the table", draws), Effect("none", _NAN)
    if upto is not None and f.surprise is not None:
        s, factor = f.surprise, f.panel.unit * f.panel.sign
        low, high = sorted((s.mean.low * factor, s.mean.high * factor))
        e = Estimate(s.mean.value * factor, low, high, level, s.mean.method, s.mean.n)
        unit = "log units" if f.panel.kind == "log" else "units of the observable"
        if f.panel.scale == "logit":
            unit = "logits"
        largest = float(np.nanmax(np.abs(s.z))) if np.isfinite(s.z).any() else _NAN
        return f"mean error of the forecast ({unit})", e, s.p, Null(s.method, s.draws), Effect("largest |z|", largest)
    effect = Effect("forecast error over that of the better baseline", error_ratio(f))
    null = Null(f.turn.method, draws if np.isfinite(f.turn.p) else 0)
    if forecast_to is not None:
        return f"forecast at {forecast_to:g}", f.forecast, f.turn.p, null, effect
    if reach is not None:
        return f"x at which {reach:g} is reached", f.reach, f.turn.p, null, effect
    return "asymptote", f.asymptote, f.turn.p, null, effect


def cautions(
    findings: Sequence[Finding],
    contrasts: Sequence[Contrast],
    pairs: pd.DataFrame,
    forecast_to: float | None,
    level: float,
) -> list[str]:
    """What the reader must know before believing the verdict."""
    out = []
    for f in findings:
        c, p = f.choice, f.panel
        where = f"{p.condition}: " if len(findings) > 1 else ""
        if c.best < 0:
            continue
        name = c.laws[c.best].name
        if c.laws[c.best].offset and not f.visible:
            out.append(f"{where}no asymptote is visible: the data do not bound that of {name}")
        bics = np.where(np.isfinite(c.bic), c.bic, np.inf)
        by_bic = c.laws[int(np.argmin(bics))]
        if by_bic.broken and not c.laws[c.best].broken:
            gap = float(c.bic[c.best] - bics.min())
            out.append(
                f"{where}BIC prefers {by_bic.name} over {name} by {gap:.3g}, but its forecasts were no better: a break "
                "can be seen long before it can be extrapolated"
            )
        if f.turn.p <= 1 - level and f.verdict != "monotone law rejected":
            out.append(f"{where}the end of the fitted stretch has turned against the law (p = {f.turn.p:.3g})")
        if forecast_to is not None and not f.refused and forecast_to > p.early.last * 2:
            out.append(f"{where}the forecast lies {np.log10(forecast_to / p.early.last):.2g} decades beyond the data")
        if 0 < p.n < FEWEST_SEEDS:
            out.append(f"{where}{p.n} seed{'s' * (p.n > 1)}: bands are within run, nothing is claimed over seeds")
    for pair in contrasts:
        least = pair.p[pair.headline].smallest_p
        if least > 1 - level:
            out.append(f"{pair.a} against {pair.b} can reach no smaller p than {least:.3g}")
    if len(pairs):
        head = pairs[pairs["headline"].astype(bool)]
        rest = pairs[~pairs["headline"].astype(bool)]
        for _, row in head.iterrows():
            others = rest[(rest["a"] == row["a"]) & (rest["b"] == row["b"])]["multiplier"]
            if len(others) and ((others > 1) != (row["multiplier"] > 1)).any():
                out.append(f"which of {row['a']} and {row['b']} needs less changes with the level")
    return out


def describe(
    read: Curves,
    findings: Sequence[Finding],
    pairs: pd.DataFrame,
    verdict: str,
    forecast_to: float | None,
    reach: float | None,
    upto: float | None,
) -> str:
    """The finding in plain sentences."""
    if not findings:
        return f"No law of {read.name} was fitted: no record is left. Verdict: undecided."
    parts = [_of_condition(f, read, forecast_to, reach, len(findings) > 1) for f in findings[:8]]
    if len(findings) > 8:
        parts.append(f"{len(findings) - 8} more conditions are in the table.")
    for _, row in pairs[pairs["headline"].astype(bool)].head(6).iterrows() if len(pairs) else ():
        span = f" [{row['low']:.3g}, {row['high']:.3g}]" if np.isfinite(row["low"]) else ""
        parts.append(
            f"To reach {row['level']:.4g}, {row['b']} needs {row['multiplier']:.3g}{span} times the {read.time_name} "
            f"that {row['a']} needs (p = {row['p']:.3g}): {row['verdict']}."
        )
    parts.append(f"Verdict: {verdict}.")
    return " ".join(parts)


def _of_condition(f: Finding, read: Curves, forecast_to: float | None, reach: float | None, several: bool) -> str:
    c, p = f.choice, f.panel
    who = f"{p.condition}" if several else read.name
    if c.best < 0:
        return f"{who}: no law was chosen ({f.refused})."
    one = c.fits[c.best]
    values = parameters_of(one, p)
    told = ", ".join(f"{n} = {values[n]:.3g}" for n in parameter_names(one, p.kind) if np.isfinite(values[n]))
    base = c.error[len(c.laws) :]
    of = {"score": f"1 - {read.name}", "logit": f"the logit of {read.name}"}.get(p.scale, read.name)
    out = [
        f"{who}: {of} follows {one.law.name}, {one.law.formula} ({told}); forecasting later records from earlier "
        f"ones it errs by {c.error[c.best] * p.unit:.3g}, {BASELINES[0]} by {base[0] * p.unit:.3g}, {BASELINES[1]} by "
        f"{base[1] * p.unit:.3g}."
    ]
    s = f.surprise
    if s is not None and np.isfinite(s.mean.value):
        worst = int(np.nanargmin(s.p_max)) if np.isfinite(s.p_max).any() else 0
        out.append(
            f"The {len(s.predicted)} later records lie {s.mean.value * p.unit * p.sign:+.3g} off the forecast on "
            f"average (p = {s.p:.3g}; the oddest at {p.late.x[worst]:.4g}, z = {s.z[worst]:.3g})."
        )
    if f.verdict == "monotone law rejected":
        out.append(
            f"The curve turned at about {f.turn.where:.3g}; its end lies {f.turn.rise * p.unit:.3g} from its best "
            f"stretch (p = {f.turn.p:.3g}) and {f.turn.residual * p.unit:+.3g} off the best law without breaks."
        )
    if forecast_to is not None:
        e = f.forecast
        span = f" [{e.low:.4g}, {e.high:.4g}]" if e.claimed else ""
        out.append(
            f"No forecast at {forecast_to:g}: {f.refused}." if f.refused
            else f"Forecast at {forecast_to:g}: {e.value:.4g}{span}."
        )  # fmt: skip
    if reach is not None:
        e = f.reach
        span = f" [{e.low:.4g}, {e.high:.4g}]" if e.claimed else ""
        out.append(f"{reach:g} is reached: {f.never}." if f.never else f"{reach:g} is reached at {e.value:.4g}{span}.")
    if np.isfinite(f.asymptote.value):
        e = f.asymptote
        span = f" [{e.low:.4g}, {e.high:.4g}]" if e.claimed else ""
        seen = "" if f.visible else ", which the data do not bound"
        out.append(f"Asymptote {e.value:.4g}{span}{seen}.")
    return " ".join(out)


def diagnostics(read: Curves, findings: Sequence[Finding], forecast_to: float | None, limit: float) -> xr.Dataset:
    """Curves as given, and the chosen law, its band and the baselines on a fine axis."""
    names = [f.panel.condition for f in findings]
    attrs = {
        "observable": read.name,
        "unit": read.unit,
        "time_name": read.time_name,
        "time_unit": read.time_unit,
        "forecast_to": _NAN if forecast_to is None else float(forecast_to),
        "kind": findings[0].panel.kind if findings else "log",
        "verdicts": [f.verdict for f in findings],
        "laws": [f.choice.laws[f.choice.best].name if f.choice.best >= 0 else "none" for f in findings],
        "used_to": [f.panel.early.last for f in findings],
    }
    whole = xr.Dataset(
        {"value": (("condition", "seed", "time"), read.values)},
        coords={"condition": list(read.conditions), "seed": list(read.seeds), "time": read.time},
        attrs=attrs,
    )
    if not findings:
        return whole
    first = min(f.panel.axis.first for f in findings)
    last = max(float(f.panel.axis.x[-1]) for f in findings)
    if forecast_to is not None:
        last = max(last, min(float(forecast_to), last * 10**limit))
    x = np.geomspace(first, max(last, first * 1.0001), _DRAWN)
    law, last_value, line = (np.full((len(findings), _DRAWN), _NAN) for _ in range(3))
    mean = np.full((len(findings), len(read.time)), _NAN)
    for i, f in enumerate(findings):
        law[i], last_value[i], line[i] = _drawn(f, x)
        at = np.searchsorted(read.time, f.panel.axis.x)
        if len(f.panel.axis.x) <= len(read.time) and np.isin(f.panel.axis.x, read.time).all():
            mean[i, at] = f.panel.back(f.panel.mean)
    return whole.assign(
        {
            "law": (("fitted", "x"), law),
            "last_value": (("fitted", "x"), last_value),
            "log_linear": (("fitted", "x"), line),
            "mean": (("fitted", "time"), mean),
            "rolling_error": (("fitted", "model"), np.stack([f.choice.error * f.panel.unit for f in findings])),
        }
    ).assign_coords(fitted=names, x=x, model=[law.name for law in findings[0].choice.laws] + list(BASELINES))


def _drawn(f: Finding, x: Float[np.ndarray, "g"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, c = f.panel, f.choice
    law = np.full(len(x), _NAN)
    if c.best >= 0:
        law = p.back(c.fits[c.best].at(p.axis.at(x), p.kind)[0])
    base = p.back(baselines_at(p, x))
    early = x < p.early.last
    base[0][early] = _NAN
    base[1][x < p.early.last / 10] = _NAN
    return np.where(x >= p.axis.first, law, _NAN), base[0], base[1]
