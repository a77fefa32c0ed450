"""The conditions of the study `lewis-signalling`: how many states, how unlike, and how players learn."""

from __future__ import annotations

from typing import Any

import numpy as np

import emergelab as el

__all__ = ["BY_MAJORITY", "BY_STATES", "QUICK", "TINY", "conditions"]

BY_STATES = {"n2": 2, "n3": 3, "n4": 4, "n8": 8}
"""Urns, all states alike."""
BY_MAJORITY = {"n2": 0.5, "n2-0.7": 0.7, "n2-0.8": 0.8, "n2-0.9": 0.9}
"""Urns, two states, by the chance of the first."""
EXCHANGED = 5000
PAIRS = 50
MANY = 200
_HALF = np.arange(PAIRS // 2)


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    four: dict[str, Any] = {"states": 4}
    out = {name: el.Condition({"states": n}, about=f"urns, {n} states") for name, n in BY_STATES.items()}
    # What is proved or cheap is measured with more pairs: their shares are small.
    out["n2"] = el.Condition({"states": 2, "pairs": MANY}, about="urns, two states, four times as many pairs")
    for name, p in BY_MAJORITY.items():
        if name not in out:
            out[name] = el.Condition({"states": 2, "majority": p}, about=f"urns, two states of {p:g} and {1 - p:g}")
    return out | {
        "n4-light": el.Condition(four | {"weight": 0.1}, about="urns that begin with a tenth of a ball of each kind"),
        "n4-heavy": el.Condition(four | {"weight": 10.0}, about="urns that begin with ten balls of each kind"),
        "n4-forgetting": el.Condition(four | {"forgetting": 0.01}, about="an urn loses 1 % at each draw"),
        "n4-punishment": el.Condition(four | {"punishment": 0.5}, about="half a ball is taken out after failure"),
        "n8-forgetting": el.Condition({"states": 8, "forgetting": 0.01}, about="an urn loses 1 % at each draw"),
        "n8-punishment": el.Condition({"states": 8, "punishment": 0.5}, about="half a ball taken out after failure"),
        "n2-0.9-forgetting": el.Condition(
            {"states": 2, "majority": 0.9, "forgetting": 0.01}, about="states of 0.9 and 0.1, an urn loses 1 %"
        ),
        "n2-0.9-punishment": el.Condition(
            {"states": 2, "majority": 0.9, "punishment": 0.5}, about="states of 0.9 and 0.1, half a ball taken out"
        ),
        "n4-bush-mosteller": el.Condition(four | {"rule": "bush-mosteller"}, about="probabilities, rate 0.1"),
        "n4-q-learning": el.Condition(four | {"rule": "q-learning"}, about="values, rate 0.1, softmax of 0.1"),
        "n4-win-stay": el.Condition(four | {"rule": "win-stay"}, about="habits, kept after every second failure"),
        "n8-win-stay": el.Condition({"states": 8, "rule": "win-stay"}, about="the same with eight states"),
        "n2-replicator": el.Condition({"states": 2, "rule": "replicator"}, about="replicator dynamics from anywhere"),
        "n3-replicator": el.Condition(
            {"states": 3, "rule": "replicator", "pairs": MANY}, about="replicator dynamics, four times as many starts"
        ),
        "n4-replicator": el.Condition(four | {"rule": "replicator"}, about="replicator dynamics from anywhere"),
        "n4-exchanged": el.Condition(
            four,
            (el.Swap("listener", _HALF, _HALF + PAIRS // 2, during=(EXCHANGED, EXCHANGED + 1)),),
            about=f"after {EXCHANGED} plays each listener meets another speaker",
        ),
        "n4-first-teaches": el.Condition(
            four,
            (el.Ablate("speaker.change", during=(EXCHANGED, None)),
             el.Clamp("listener", 1.0, during=(EXCHANGED, EXCHANGED + 1))),
            about=f"after {EXCHANGED} plays the speaker is fixed and the listener begins anew",
        ),
    }  # fmt: skip


TINY = ("n2", "n3", "n2-0.9", "n2-replicator")
QUICK = tuple(name for name in conditions() if name != "n4-first-teaches")
