"""The conditions of the study: ways of teaching lie side by side in each school, so what differs is the school."""

from __future__ import annotations

import emergelab as el

CORNERS, AROUND = "corners", "around"
FLOORS = (0.0, 0.1)


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {
        CORNERS: el.Condition({}, about="bodies differ in which of four corners is easy"),
        AROUND: el.Condition({"growth": "around"}, about="bodies differ in which of all cubes is easy"),
        "late-test": el.Condition({"pretest": 20}, about="elders are sought after a quarter of the time"),
        "early-test": el.Condition({"pretest": 2}, about="elders are sought when nothing is known yet"),
    }
    for floor in FLOORS:
        out[f"floor-{floor:g}"] = el.Condition({"floor": floor}, about=f"Gaussians of progress above {floor:g} count")
    return out
