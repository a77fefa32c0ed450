"""The conditions of the study `refresh-learning`: sizes, directions and forms of the unlearning step, and its peers."""

from __future__ import annotations

import emergelab as el

__all__ = ["BY_DELTA", "BY_GAMMA", "QUICK", "TINY", "conditions"]

BY_DELTA = {"refresh-1e-5": 1e-5, "refresh-1e-4": 1e-4, "refresh-1e-3": 1e-3, "refresh-1e-2": 1e-2}
"""Released form, by the length of a step as a share of each array's own; the first is the released setting."""
BY_GAMMA = {"paper-1e-3": 1e-3, "paper-1e-2": 1e-2, "paper-1e-1": 1e-1}
"""The paper's equation without noise, by its step size."""


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {
        "base": el.Condition({}, about="a memory of labels and logits (DER++), no refresh"),
        "naive": el.Condition({"memory": "no"}, about="no memory"),
        "labels": el.Condition({"logits": 0.0}, about="a memory of labels alone (experience replay)"),
    }
    for name, delta in BY_DELTA.items():
        out[name] = el.Condition({"delta": delta}, about=f"released form, steps of {delta:g} of each array's length")
    for name, gamma in BY_GAMMA.items():
        out[name] = el.Condition({"gamma": gamma, "noise": 0.0}, about=f"the paper's equation, step size {gamma:g}")
    out |= {
        "paper-noise-7": el.Condition({"gamma": 1e-7, "noise": 1.0}, about="the equation with its noise, size 1e-7"),
        "paper-noise-6": el.Condition({"gamma": 1e-6, "noise": 1.0}, about="the equation with its noise, size 1e-6"),
        "paper-noise-5": el.Condition({"gamma": 1e-5, "noise": 1.0}, about="the equation with its noise, size 1e-5"),
        "paper-noise-4": el.Condition({"gamma": 1e-4, "noise": 1.0}, about="the equation with its noise, size 1e-4"),
        "noise-5": el.Condition(
            {"gamma": 1e-5, "noise": 1.0, "direction": "random"},
            about="the noise of size 1e-5, without a slope: a control",
        ),
        "noise-down-5": el.Condition(
            {"gamma": 1e-5, "noise": 1.0, "direction": "descent"}, about="the same noise, and down the slope: a control"
        ),
        "random-1e-3": el.Condition({"delta": 1e-3, "direction": "random"}, about="as long a step anywhere: a control"),
        "descent-1e-3": el.Condition({"delta": 1e-3, "direction": "descent"}, about="as long a step down: a control"),
        "memory-1e-3": el.Condition({"delta": 1e-3, "direction": "memory"}, about="up the loss of the memory instead"),
        "unweighted-1e-3": el.Condition({"delta": 1e-3, "weighting": 0.0}, about="Fisher information plays no part"),
        "weighted-1e-3": el.Condition({"delta": 1e-3, "weighting": 100.0}, about="Fisher information counts 1e5 fold"),
        "decay": el.Condition({"decay": 1e-4}, about="weight decay as in the released run, no refresh"),
        "decay-refresh": el.Condition({"decay": 1e-4, "delta": 1e-5}, about="the released run: decay and refresh"),
    }
    return out


TINY = ("base", "naive", "refresh-1e-3", "paper-1e-2")
QUICK = tuple(conditions())
