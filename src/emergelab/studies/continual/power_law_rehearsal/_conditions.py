"""The conditions of the study `power-law-rehearsal`: worlds, shares of rehearsal, and methods in a world of blocks."""

from __future__ import annotations

import numpy as np

import emergelab as el

__all__ = ["BY_SHARE", "EWC", "LAWS", "QUICK", "TINY", "conditions"]

LAWS = {
    "uniform": "all earlier tasks alike",
    "power": "by a power of their age, 1/age",
    "index": "by the rising power of the task's number in the code of the paper's authors",
    "exponential": "by a factor e less with every phase",
    "recent": "the last task only",
    "oldest": "in proportion to their age: a control",
}
BY_SHARE = {"power-10": 0.1, "power-25": 0.25, "power-50": 0.5}
"""Power-law worlds by the share of examples that are of earlier tasks."""
EWC = {"ewc-1": 1.0, "ewc-5": 5.0, "ewc-20": 20.0}
"""Elastic weight consolidation in blocks, by the strength of its penalty."""


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {
        "blocks": el.Condition({}, about="one task after the other: the usual stream"),
        "joint": el.Condition({"world": "joint"}, about="all tasks met so far, alike: an upper bound"),
    }
    for law, words in LAWS.items():
        out[f"{law}-10"] = el.Condition({"world": law}, about=f"a tenth of all examples is of earlier tasks, {words}")
    for name, share in BY_SHARE.items():
        out[name] = el.Condition({"world": "power", "share": share}, about=f"power law, {100 * share:g} per cent")
    out |= {
        "uniform-50": el.Condition({"world": "uniform", "share": 0.5}, about="all earlier tasks alike, half"),
        "power-garbled": el.Condition(
            {"world": "power", "garbled": 1.0}, about="as power-10, but what comes back has a random label: a control"
        ),
        **{
            name: el.Condition({"against": "ewc", "strength": much}, about=f"blocks, with EWC of strength {much:g}")
            for name, much in EWC.items()
        },
        "replay": el.Condition({"against": "replay"}, about="blocks, with a memory of 200 examples"),
        "relapse": el.Condition(
            {"world": "power"},
            (el.Clamp("schedule", np.eye(10, dtype=np.float32)[9], during=(1800, None)),),
            about="as power-10, but in the tenth phase nothing comes back",
        ),
    }
    return out


TINY = ("blocks", "power-10", "joint", "power-garbled")
QUICK = tuple(conditions())
