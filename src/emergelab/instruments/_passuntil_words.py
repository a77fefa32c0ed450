"""What `passuntil` says about what it found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import stats

from emergelab.instruments._passuntil_tables import FEWEST_SEEDS, Finding
from emergelab.statistics import Estimate

__all__ = ["cautions", "describe", "diagnostics", "headline_of"]

_NAN = float("nan")


def headline_of(findings: Sequence[Finding], forecast_to: float | None, level: float) -> tuple[str, Estimate, float]:
    """The number that answers the question, and the p of the curvature."""
    if len(findings) != 1:
        p = [f.bend.p for f in findings]
        least = float(np.nanmin(p)) if np.isfinite(p).any() else _NAN
        none = Estimate(_NAN, _NAN, _NAN, level, f"{len(findings)} conditions: see the table", 0)
        return "see the table of curvature", none, least
    f = findings[0]
    if forecast_to is not None:
        if f.by == "likelihood" and f.likely is not None and not f.bend.p <= 1 - level:
            told = Estimate(*f.likely.ahead, level, "likelihood of the counts", len(f.records.items))
            return f"PU at {forecast_to:g}", told, f.bend.p
        line = next((m for m in f.fits if m.name == ("linear" if f.bend.p > 1 - level else "quadratic")), None)
        if line is None:
            none = Estimate(_NAN, _NAN, _NAN, level, "too few sizes", len(f.records.items))
            return f"PU at {forecast_to:g}", none, f.bend.p
        e = Estimate(line.ahead, line.ahead_low, line.ahead_high, level, f"{line.name} F", len(f.records.items))
        return f"PU at {forecast_to:g}", e, f.bend.p
    b = f.bend
    how = {"likelihood": "likelihood ratio", "seeds": "Student t over seeds"}.get(f.by, "Wald")
    n = len(f.records.seeds) if f.by == "seeds" else len(f.records.items)
    e = Estimate(b.bend, b.low, b.high, level, how, n)
    return "change of the slope of F over the sizes", e, b.p


def cautions(findings: Sequence[Finding], estimator: str, population: bool, level: float) -> list[str]:
    """What the reader must know before believing the verdict."""
    out = []
    if estimator == "ml":
        out.append("passes / tries is biased upwards, by a factor that depends on the rate")
    for f in findings:
        r = f.records
        where = f"{r.condition}: " if len(findings) > 1 else ""
        censored, uncounted = int(r.censored.sum()), int(r.uncounted.sum())
        if censored:
            out.append(f"{where}{censored} of {int(r.seen.sum())} records met the cap before {r.target} passes")
        if uncounted:
            out.append(
                f"{where}{uncounted} of those have no count of passes and are put in the middle of what is possible"
            )
        none = [float(x) for x, p in zip(r.x, f.pu, strict=True) if p == 0]
        if none:
            bounds = [f"{e.high:.2g} at {x:.3g}" for x, e in zip(r.x, f.intervals, strict=True) if e.value == 0]
            out.append(f"{where}no pass at all at {len(none)} sizes; the rate there is below {', '.join(bounds)}")
        below = int((f.pu < 0).sum())
        if below:
            out.append(f"{where}at {below} sizes the rate is below that of guessing, so it has no F")
        if len(r.x) - len(f.points.u):
            out.append(f"{where}{len(r.x) - len(f.points.u)} sizes have no F and are left out of the fits")
        if population and len(r.items) < 10:
            out.append(f"{where}{len(r.items)} items: the curvature is judged by the noise of the tries alone")
        if 0 < len(r.seeds) < FEWEST_SEEDS:
            out.append(f"{where}{len(r.seeds)} seeds: nothing is claimed over seeds, their items are pooled")
        if f.by == "likelihood" and f.mean_bend.p <= 1 - level < f.bend.p:
            out.append(
                f"{where}the mean rate bends ({f.mean_bend.bend:.2g}, p = {f.mean_bend.p:.2g}), the law of an item is "
                "not shown to: items that differ bend their mean"
            )
        if (
            f.by != "likelihood"
            and f.verdict in ("concave", "convex")
            and np.isfinite(f.item_bend)
            and len(f.points.u) > 2
        ):
            df = len(f.points.u) - 2
            if np.sign(f.item_bend) == np.sign(f.bend.bend) and stats.chi2.sf(f.item_chi2, df) > 1 - level:
                out.append(
                    f"{where}items that each follow a straight line, but not the same, would make this bend too "
                    f"({f.item_bend:.2g} of {f.bend.bend:.2g})"
                )
        if r.target < 5:
            out.append(f"{where}with {r.target} passes an item is known to a factor of two at best")
    return out


def describe(findings: Sequence[Finding], verdict: str, forecast_to: float | None, along: str) -> str:
    """The finding in plain sentences."""
    parts = [_of(f, forecast_to, along, len(findings) > 1) for f in findings[:8]]
    return " ".join([*parts, f"Verdict: {verdict}."])


def _of(f: Finding, forecast_to: float | None, along: str, several: bool) -> str:
    r, b = f.records, f.bend
    who = f"{r.condition}: " if several else ""
    seen = [j for j in range(len(r.x)) if np.isfinite(f.pu[j])]
    if not seen:
        return f"{who}no record."
    first, last = seen[0], seen[-1]
    ends = [f"{f.pu[j]:.3g}{_span(f.intervals[j])} at {r.x[j]:.3g}" for j in (first, last)]
    out = [
        f"{who}{np.nansum(r.tries):.3g} tries on {len(r.items)} items give a rate of {ends[0]} and {ends[1]} ({along})."
    ]
    if np.isfinite(b.slope):
        out.append(f"F falls with a slope of {b.slope:.3g} [{b.slope_low:.3g}, {b.slope_high:.3g}] over ln {along}.")
    if np.isfinite(b.p):
        shape = {"concave": "ever more steeply", "convex": "ever less steeply"}.get(f.verdict, "with no bend shown")
        out.append(
            f"Over the sizes its slope changes by {b.bend:.3g} [{b.low:.3g}, {b.high:.3g}] (p = {b.p:.3g}): {shape}."
        )
    line = next((m for m in f.fits if m.name == "linear"), None)
    if line is not None and np.isfinite(line.held_out):
        inside = line.held_low <= f.pu[-1] <= line.held_high
        out.append(
            f"The line through the smaller sizes forecasts {line.held_out:.3g} "
            f"[{line.held_low:.3g}, {line.held_high:.3g}] at the largest, where {f.pu[-1]:.3g} is seen "
            f"({'inside' if inside else 'outside'})."
        )
    if forecast_to is not None and line is not None:
        told = ", ".join(f"{m.name} {m.ahead:.3g} [{m.ahead_low:.3g}, {m.ahead_high:.3g}]" for m in f.fits[:2])
        out.append(f"Forecast at {forecast_to:.3g}: {told}.")
    return " ".join(out)


def _span(e: Estimate) -> str:
    return f" [{e.low:.3g}, {e.high:.3g}]" if e.claimed else ""


def diagnostics(findings: Sequence[Finding], name: str, along: str, unit: str, forecast_to: float | None) -> xr.Dataset:
    """Rates, F and fitted curves of every condition on common axes."""
    conditions = [f.records.condition for f in findings]
    x, grid = findings[0].records.x, findings[0].grid
    models = ("linear", "quadratic", "steps", "mixture")
    curves = np.full((len(findings), len(models) + 1, len(grid)), _NAN)
    for i, f in enumerate(findings):
        for m in f.fits:
            curves[i, models.index(m.name)] = m.grid
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.log(-np.log(f.item_grid))
        curves[i, -1] = np.where(np.isfinite(own), own, np.nan)
    return xr.Dataset(
        {
            "pu": (("condition", "x"), np.stack([f.pu for f in findings])),
            "low": (("condition", "x"), np.array([[e.low for e in f.intervals] for f in findings], dtype=float)),
            "high": (("condition", "x"), np.array([[e.high for e in f.intervals] for f in findings], dtype=float)),
            "fit": (("condition", "model", "grid"), curves),
        },
        coords={"condition": conditions, "x": x, "grid": grid, "model": [*models, "items"]},
        attrs={
            "name": name, "along": along, "unit": unit, "classes": [f.verdict for f in findings],
            "forecast_to": _NAN if forecast_to is None else float(forecast_to),
            "forecast": [f.fits[0].ahead if f.fits and forecast_to is not None else _NAN for f in findings],
        },
    )  # fmt: skip
