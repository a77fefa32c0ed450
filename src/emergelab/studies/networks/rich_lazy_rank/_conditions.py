"""The conditions of the study `rich-lazy-rank`: what the initial weights are like, at equal norm within each group."""

from __future__ import annotations

from typing import Any

import emergelab as el

__all__ = ["BY_GAIN", "BY_RANK", "BY_RANK_OF_LINEAR", "QUICK", "TINY", "conditions"]

BY_RANK = {"rank-1": 1, "rank-5": 5, "rank-25": 25, "full": 100}
"""Conditions of the main series, and the rank that each has among 100 units."""
BY_GAIN = {"full-weak": 0.6, "full": 1.25, "full-strong": 2.0}
"""Full rank, by the standard deviation of a weight times the root of the units."""
BY_RANK_OF_LINEAR = {"linear-1": 1, "linear-4": 4, "linear-full": 20}
"""Two linear layers of 20 units, by the number of singular values that are not zero."""
WEAK = 0.2
LINEAR: dict[str, Any] = {"net": "linear", "units": 20, "gain": 0.8, "rate": 0.01, "momentum": 0.0}
TASKS = ("match", "context")
LOW: dict[str, Any] = {"rank": 1}
HIGH: dict[str, Any] = {}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {
        "rank-1": el.Condition(LOW, about="the leading singular value of Gaussian weights, with all their norm"),
        "rank-5": el.Condition({"rank": 5}, about="the five leading ones"),
        "rank-25": el.Condition({"rank": 25}, about="the 25 leading ones"),
        "full": el.Condition(HIGH, about="Gaussian weights as they are"),
        "types": el.Condition({"wiring": "types"}, about="a made-up connectome: cell types, Dale's law, balance"),
        "shuffled": el.Condition({"wiring": "shuffled"}, about="the entries of that connectome in random places"),
        "full-weak": el.Condition({"gain": 0.6}, about="Gaussian weights, half as large"),
        "full-strong": el.Condition({"gain": 2.0}, about="Gaussian weights, 1.6 times as large"),
        "rank-1-half-turned": el.Condition(LOW | {"turn": 0.5}, about="half-way towards the task's directions"),
        "rank-1-aligned": el.Condition(LOW | {"turn": 1.0}, about="on the task's directions"),
        "weak-1": el.Condition(LOW | {"gain": WEAK}, about="rank 1 at a sixth of the norm"),
        "weak-1-aligned": el.Condition(LOW | {"gain": WEAK, "turn": 1.0}, about="the same on the task's directions"),
        "weak-full": el.Condition({"gain": WEAK}, about="full rank at a sixth of the norm"),
    }  # fmt: skip
    for task in TASKS:
        out[f"{task}-1"] = el.Condition(LOW | {"task": task}, about=f"rank 1, task {task}")
        out[f"{task}-full"] = el.Condition({"task": task}, about=f"full rank, task {task}")
    for name, rank in BY_RANK_OF_LINEAR.items():
        out[name] = el.Condition(LINEAR | {"rank": rank}, about=f"two linear layers, {rank} equal singular values")
    out |= {
        "linear-1-half-turned": el.Condition(LINEAR | LOW | {"turn": 0.5}, about="one, half-way towards the target"),
        "linear-1-aligned": el.Condition(LINEAR | LOW | {"turn": 1.0}, about="one, on the target"),
        "rank-1-scaled": el.Condition(LOW | {"centred": "yes", "scale": 10.0}, about="output times 10, from zero"),
        "rank-1-centred": el.Condition(LOW | {"centred": "yes"}, about="output from zero, the control of the former"),
        "rank-1-fixed-readout": el.Condition(LOW, (el.Ablate("update.readout"),), about="the readout does not learn"),
        "full-fixed-readout": el.Condition(HIGH, (el.Ablate("update.readout"),), about="the readout does not learn"),
    }
    return out


TINY = ("rank-1", "full", "types", "shuffled")
QUICK = tuple(
    name for name in conditions() if name not in ("rank-1-half-turned", "weak-full") and "fixed-readout" not in name
)
