"""The findings of `order_parameters` in plain sentences."""

from __future__ import annotations

import math

from emergelab.instruments._order_parameters_judge import POWER_AT, Judgement
from emergelab.instruments._order_parameters_read import Stage, System
from emergelab.instruments._order_parameters_transition import Transition
from emergelab.statistics import Estimate

__all__ = ["describe_modes", "describe_transition", "modes_cannot_see"]


def _told(e: Estimate) -> str:
    span = f" [{e.low:.4g}, {e.high:.4g}]" if e.claimed else ""
    return f"{e.value:.4g}{span}" if math.isfinite(e.value) else "undefined"


def describe_transition(system: System, found: Transition) -> str:
    """What was found about a transition."""
    sizes = ", ".join(f"{s:g}" for s in system.size)
    opening = {
        "continuous": f"{system.name} has a continuous transition in {system.control_name}",
        "first-order": f"{system.name} has a first-order transition in {system.control_name}",
        "crossover": f"{system.name} changes with {system.control_name} without a transition: a smooth crossover",
        "none": f"{system.name} shows no change with {system.control_name}",
        "sharp change": f"{system.name} changes sharply with {system.control_name}",
        "gradual change": f"{system.name} changes gradually with {system.control_name}",
        "undecided": f"What transition {system.name} has in {system.control_name}, if any, is undecided",
    }[found.order]
    parts = [f"{opening}: {found.reason}"]
    if found.order in ("continuous", "first-order", "crossover", "undecided") and len(system.size) > 1:
        parts.append(
            f"Over {system.size_name} {sizes} the peak of the susceptibility grows as N to the {_told(found.growth)} "
            f"and its width as N to the {_told(found.narrowing)}"
        )
    if found.order in ("continuous", "first-order"):
        places = [
            f"{name.partition('(')[2].rstrip(')')} {_told(e)}"
            for name, e in found.quantities.items()
            if name.startswith("lambda_c") and math.isfinite(e.value)
        ]
        if places:
            parts.append("Critical value by " + "; by ".join(places))
        if "1/nu (collapse)" in found.quantities:
            q = found.quantities
            quality = q["quality of the collapse"].value
            parts.append(
                f"The curves collapse with 1/nu {_told(q['1/nu (collapse)'])} and beta/nu "
                f"{_told(q['beta/nu (collapse)'])} to {math.sqrt(quality):.2g} standard errors"
            )
    elif found.order in ("sharp change", "gradual change"):
        parts.append(f"Half of the change is reached at {_told(found.critical)}")
    if len(found.hysteresis):
        row = found.hysteresis.iloc[-1]
        parts.append(
            f"The loop between the sweeps down and up of the largest system has area {row['area']:.3g} "
            f"({row['relative']:.1%} of the box; p = {row['p']:.2g})"
        )
    return ". ".join(parts)


def modes_cannot_see() -> str:
    """What the test of modes is blind to, and by name where its calibration is not nominal."""
    return (
        "modes nearer than about three standard deviations; modes held by one seed; three modes apart from two; why a "
        "seed falls where it does. The mixture test is conservative on normal data (1% to 2% false alarms where 5% "
        "are nominal), because p is the largest over one-heap nulls that follow the data, and liberal with twenty "
        "seeds on exponential (15%), lognormal (8%) and flat values (9%). Seeds that end between two modes are given "
        "to one of them."
    )


def describe_modes(stage: Stage, judged: Judgement) -> str:
    """What was found about modes over seeds."""
    rows = judged.tests.set_index("of")
    row = rows.loc[judged.decided_by]
    where = "" if judged.decided_by in ("all", "within conditions") else f" in {judged.decided_by}"
    n = int(row["n"])
    share = judged.share
    dips = rows.loc["pooled"] if judged.decided_by == "within conditions" and judged.verdict == "zero-inflated" else row
    power = f"the dip test gives p = {dips['p_dip']:.2g}"
    if judged.verdict == "zero-inflated":
        of = int(row["floor_of"])
        mixed = " seeds" if of == n else " seeds in conditions that have both"
        return (
            f"The seeds fall in two{where}: {int(row['floor_count'])} of the {of}{mixed} sit at the floor of "
            f"{stage.name} (share {share.value:.2f} [{share.low:.2f}, {share.high:.2f}]), the others above it "
            f"(p = {judged.p:.2g}); {power}"
        )
    if judged.verdict == "two modes":
        return (
            f"{stage.name} has two modes over seeds{where}, {row['ashman_D']:.1f} standard deviations apart at "
            f"{row['lower_mode']:.4g} and {row['upper_mode']:.4g}, with {int(row['upper_count'])} of {n} seeds in the "
            f"upper one (p = {judged.p:.2g}); {power}"
        )
    if judged.verdict == "unimodal":
        if not row["sd"] > 0:
            return f"All {n} seeds agree in {stage.name}: one heap"
        return (
            f"The {n} seeds form one heap in {stage.name} (p = {judged.p:.2g}); two equal modes {POWER_AT:g} standard "
            f"deviations apart would have been found in {row['power']:.0%} of such data sets; {power}"
        )
    return (
        f"Whether {stage.name} has one mode or two over seeds is undecided: no second mode is shown, and {n} seeds are "
        "too few to exclude one"
    )
