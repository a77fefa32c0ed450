"""The conditions of the study: depths, times of the deficit, and what else may be done to a pathway."""

from __future__ import annotations

import emergelab as el

DEPTHS = (1, 2, 3, 4)
ONSETS = (0, 50, 100, 150, 200, 300, 400, 500, 600, 750)
EARLY, MIDDLE, LATE = 0, 400, 750
LESION = 1
BRIEF = 30
ACTS = ("tanh", "relu")


def intact(depth: int) -> str:
    """The condition without a deficit."""
    return f"d{depth}"


def closed_at(depth: int, onset: int) -> str:
    """The condition in which B stops learning for a while at `onset`."""
    return f"d{depth}-at-{onset}"


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {}
    for depth in DEPTHS:
        layers = f"{depth} layer{'s' if depth > 1 else ''}"
        out[intact(depth)] = el.Condition({"depth": depth}, about=f"{layers}, no deficit")
        for onset in ONSETS:
            out[closed_at(depth, onset)] = el.Condition(
                {"depth": depth, "onset": onset}, about=f"{layers}, B does not learn for 150 steps from step {onset}"
            )
        out[f"d{depth}-brief"] = el.Condition(
            {"depth": depth, "onset": EARLY, "length": BRIEF}, about=f"{layers}, B does not learn for {BRIEF} steps"
        )
        out[f"d{depth}-apart"] = el.Condition(
            {"depth": depth, "apart": 0.3}, about=f"{layers}, no deficit, but B starts 30 % stronger or weaker"
        )
    out["d4-apart-large"] = el.Condition(
        {"depth": 4, "apart": 0.3, "start": 0.3}, about="the same with 4 layers and a start thirty times as strong"
    )
    out["d3-lesion"] = el.Condition(
        {"depth": 3, "onset": EARLY, "length": 200, "lesion": LESION},
        about="A lacks the second mode for good; B does not learn for 200 steps from the start",
    )
    out["d3-flicker"] = el.Condition(
        {"depth": 3, "onset": EARLY, "gate": 0.9}, about="an early deficit in nine of ten steps"
    )
    for act in ACTS:
        out[act] = el.Condition({"act": act}, about=f"{act} after each of three layers, no deficit")
        for onset in (EARLY, MIDDLE, LATE):
            out[f"{act}-at-{onset}"] = el.Condition(
                {"act": act, "onset": onset}, about=f"{act}, B does not learn for 150 steps from step {onset}"
            )
    return out
