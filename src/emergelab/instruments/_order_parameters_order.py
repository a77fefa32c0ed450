"""Of which order a transition is, the headline number, and what to say first."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from emergelab.instruments._order_parameters_moments import Moments
from emergelab.instruments._order_parameters_phases import Phases
from emergelab.instruments._order_parameters_read import System
from emergelab.statistics import Estimate

__all__ = ["cautions", "headline", "order_of"]

_SHARP = 0.4  # a 10-90% rise within this share of the grid is sharp; a straight ramp takes 0.8 of it
_PLACES = ("lambda_c (Binder crossing)", "lambda_c (peak of chi)")
_DEPTH = 0.15  # of the valley between two phases, below which it may be noise of the density estimate
_DIP = -0.3  # of the Binder cumulant: high-temperature noise around 0 stays above


def order_of(
    system: System,
    n: int,
    p_change: float,
    growth: Estimate,
    narrowing: Estimate,
    relative: Estimate,
    inside: Bool[np.ndarray, "size"],
    place: float,
    width: float,
    phases: list[Phases],
    lowest: list[Estimate],
    margin: float,
) -> tuple[str, str]:
    """The verdict and why."""
    if len(system.control) < 4:
        return "undecided", f"only {len(system.control)} values of the control parameter, 4 are needed"
    if n < 5:
        return "undecided", f"{n} seeds: no interval below 5"
    if not np.isfinite(p_change):
        return "none", "the order parameter does not vary"
    if p_change > 0.05:
        return "none", f"the mean does not change with the control parameter beyond its noise (p = {p_change:.3g})"
    if len(system.size) < 2:
        if np.isfinite(relative.high) and relative.high < _SHARP:
            return "sharp change", "one system size cannot tell a transition from a steep response"
        if np.isfinite(relative.low) and relative.low > _SHARP:
            return "gradual change", "the rise takes a large part of the grid"
        return "undecided", "the width of the rise is not known well enough"
    if not inside[-1]:
        return "undecided", "the susceptibility of the largest system peaks at the edge of the grid"
    top = int(np.argmin(np.abs(system.control - place)))
    spacing = float(np.gradient(system.control)[top])
    if width < 2 * spacing:
        return "undecided", (
            f"the peak of chi of the largest system is {width:.2g} wide where the grid has one point every "
            f"{spacing:.2g}: a finer grid is needed"
        )
    grows = growth.claimed and growth.low > margin
    narrows = narrowing.claimed and narrowing.high < 0
    if grows and narrows:
        deep = phases[-1].depth
        double = (
            deep.claimed
            and deep.low > _DEPTH
            and phases[-1].separation > 2
            and not deep.value < phases[0].depth.value - 0.1
        )
        negative = lowest[-1].claimed and lowest[-1].high < _DIP and lowest[-1].value < lowest[0].value
        if double or negative:
            signs = ["two phases beside each other at the peak of chi"] * double
            signs += ["a Binder cumulant that dips below zero, deeper in the larger system"] * negative
            return "first-order", " and ".join(signs)
        hinted = (deep.value > 2 * _DEPTH and phases[-1].separation > 2) or lowest[-1].value < _DIP
        if hinted:
            return "undecided", (
                "the susceptibility peak grows and narrows with N, so there is a transition; signs of a second phase "
                "show that are not beyond their noise, so its order is open"
            )
        return "continuous", "the susceptibility peak grows and narrows with N, and no second phase shows beside it"
    if growth.claimed and growth.high < margin:
        return "crossover", f"the susceptibility peak grows with N by less than N^{margin:g}"
    if grows and narrowing.claimed and narrowing.low > -margin:
        return "crossover", "the spread grows with N at all values of the control alike: its peak does not narrow"
    return "undecided", "the growth of the susceptibility peak with N is not known well enough"


def headline(quantities: dict[str, Estimate], half: Estimate, order: str) -> tuple[Estimate, str]:
    nothing = Estimate(float("nan"), float("nan"), float("nan"), half.level, f"no transition: {order}", half.n)
    if order in ("none", "undecided") and not np.isfinite(half.value):
        return nothing, "lambda_c"
    if order in ("continuous", "first-order"):
        found = {n: quantities[n] for n in _PLACES if n in quantities and quantities[n].claimed}
        if order == "first-order":  # phases beside each other bend U4 far below zero; its crossings then mean little
            found = {_PLACES[1]: found[_PLACES[1]]} if _PLACES[1] in found else found
        if found:
            name = min(found, key=lambda n: found[n].high - found[n].low)
            return found[name], name
    if order == "none":
        return nothing, "lambda_c"
    return half, "control at half of the change"


def cautions(
    system: System,
    moments: Moments,
    quantities: dict[str, Estimate],
    inside: Bool[np.ndarray, "size"],
    hysteresis: pd.DataFrame,
    order: str,
    n: int,
    tau: Float[np.ndarray, "size control"],
    first: Float[np.ndarray, "seed size control"],
) -> list[str]:
    out = list(system.notes)
    if len(system.size) == 1:
        out.append("one system size: a sharp change may be seen, a phase transition never")
    if len(system.size) == 2 and order in ("continuous", "first-order", "crossover"):
        out.append("two system sizes only: exponents rest on one ratio, and corrections to scaling cannot be seen")
    if any(word in system.size_name.lower() for word in ("time", "step", "iteration", "epoch", "token")):
        out.append(f"{system.size_name!r} sounds like time; N must be the number of interacting parts, not of updates")
    if len(inside) > 1 and not inside.all():
        out.append("for some sizes the susceptibility is largest at the edge of the grid: widen the grid of control")
    a, b = quantities.get("lambda_c (Binder crossing)"), quantities.get("lambda_c (peak of chi)")
    if a and b and a.claimed and b.claimed and (a.high < b.low or b.high < a.low) and order == "continuous":
        out.append(
            f"crossing and peak of chi disagree on lambda_c ({a.value:.4g} and {b.value:.4g}): corrections to scaling"
        )
    quality = quantities.get("quality of the collapse")
    if quality and quality.value > 2 and order in ("continuous", "first-order"):
        out.append(
            f"the collapsed curves stay {np.sqrt(quality.value):.1f} standard errors apart: corrections to scaling "
            "bias its exponents more than their intervals say; take larger sizes or a narrower critical=..."
        )
    loops = hysteresis[hysteresis["low"] > 0] if len(hysteresis) else hysteresis
    if len(loops):
        out.append(
            f"hysteresis in {len(loops)} of {len(hysteresis)} sizes: the sweep is not in equilibrium, so the state "
            "depends on its history and chi holds the difference of the branches"
        )
    top = np.argmax(np.nan_to_num(moments.chi[0]), axis=1)
    if system.has_records:
        length = system.values.shape[-1]
        slow = [s for k, s in enumerate(system.size) if np.nan_to_num(tau[k, top[k]]) > length / 20]
        if slow:
            out.append(
                f"at the peak of chi the correlation time exceeds a twentieth of the record for {system.size_name} "
                f"{', '.join(f'{s:g}' for s in slow)}: the record may be too short to be in equilibrium"
            )
        share = moments.between[0, -1, top[-1]] / max(float(moments.chi[0, -1, top[-1]]), 1e-300)
        if n >= 5 and share > 0.5 + 1.0 / n:
            out.append(
                f"at the peak of chi of the largest system {share:.0%} of chi is spread between seeds (disorder or "
                "history), not noise in time"
            )
    if n < 10 and n >= 5:
        out.append(f"{n} seeds: intervals of exponents are rough below 10")
    if not np.isfinite(first).all():
        out.append("some cells of the grid have no record")
    return out
