"""The conditions of the study `ease-of-teaching`: who is replaced, when, and what newborns know."""

from __future__ import annotations

from typing import Any

import emergelab as el

__all__ = ["BY_RATE", "QUICK", "TINY", "conditions"]

RESET: dict[str, Any] = {"resets": "simultaneous"}
CROWD: dict[str, Any] = {"listeners": 3}
HEIRS: dict[str, Any] = {"resets": "simultaneous", "renews": "both", "heirs": "yes"}
POINTING: dict[str, Any] = {"task": "reference"}
REWARDED: dict[str, Any] = {"estimator": "reinforce", "agents": "recurrent", "entropy": 0.1}
BY_RATE = {"none": 0.0, "seldom": 0.5, "reset": 1.0, "often": 2.0}
"""How often the listener is replaced, relative to the main condition."""


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    return {
        "none": el.Condition({}, about="one speaker and one listener for ever"),
        "reset": el.Condition(RESET, about="a newborn takes the listener's place every so often"),
        "seldom": el.Condition(RESET | {"often": 0.5}, about="half as often"),
        "often": el.Condition(RESET | {"often": 2.0}, about="twice as often"),
        "hasty": el.Condition(RESET | {"often": 4.0}, about="four times as often"),
        "random": el.Condition(RESET | {"timing": "random"}, about="as often on average, at random times"),
        "speaker": el.Condition(RESET | {"renews": "speakers"}, about="the speaker is replaced instead"),
        "optimiser": el.Condition(RESET | {"keeps": "network"}, about="only the optimiser is new"),
        "memory": el.Condition(RESET | {"keeps": "memory"}, about="newborns with the optimiser's old memory"),
        "undecided": el.Condition({"entropy": 0.05}, about="nobody is replaced; a bonus for undecided speakers"),
        "crowd": el.Condition(CROWD, about="three listeners for ever"),
        "crowd-at-once": el.Condition(CROWD | RESET, about="three listeners, all replaced at the same time"),
        "crowd-in-turn": el.Condition(CROWD | {"resets": "staggered"}, about="three, replaced one after another"),
        "heirs-100": el.Condition(HEIRS, about="both are replaced; the speaker first imitates, for all objects"),
        "heirs-50": el.Condition(HEIRS | {"passed": 0.5}, about="the same for half of the objects"),
        "heirs-25": el.Condition(HEIRS | {"passed": 0.25}, about="the same for a quarter of them"),
        "pointing": el.Condition(POINTING, about="the listener points at the object among distractors"),
        "pointing-reset": el.Condition(POINTING | RESET, about="the same, and it is replaced"),
        "rewarded": el.Condition(REWARDED, about="recurrent agents, the speaker learns from rewards"),
        "rewarded-reset": el.Condition(REWARDED | RESET, about="the same, and the listener is replaced"),
        "frozen": el.Condition(
            RESET, (el.Ablate("update.speakers.*", during=(2000, None)),), about="speakers stop learning at 2000"
        ),
    }  # fmt: skip


TINY = ("none", "reset", "random", "optimiser")
QUICK = tuple(c for c in conditions() if c not in ("memory", "heirs-25", "rewarded", "rewarded-reset", "frozen"))
