"""The conditions of the study `tame`: how borders are known, and what makes them hard to see."""

from __future__ import annotations

import numpy as np

import emergelab as el

__all__ = ["QUICK", "TINY", "conditions"]

AGAIN = np.array([0, 1, 2, 1, 3, 0])


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    return {
        "losses": el.Condition({}, about="five permutations and the first one again; borders are found by losses"),
        "told": el.Condition({"borders": "told"}, about="the task's number is told"),
        "none": el.Condition({"borders": "none"}, about="one network for everything"),
        "unsmoothed": el.Condition({"smoothing": 1.0}, about="single losses are compared, not smoothed ones"),
        "recurring": el.Condition({"order": AGAIN}, about="four permutations, two of which come back"),
        "recurring-unsmoothed": el.Condition({"order": AGAIN, "smoothing": 1.0}, about="the same, single losses"),
        "window-10": el.Condition({"window": 10}, about="thresholds from ten losses"),
        "window-50": el.Condition({"window": 50}, about="thresholds from fifty"),
        "window-100": el.Condition({"window": 100}, about="thresholds from a hundred; a block has 120"),
        "blend-5": el.Condition({"blend": 5}, about="a new task comes in over five steps"),
        "blend-20": el.Condition({"blend": 20}, about="over twenty steps"),
        "garbled": el.Condition({"garbled": 1.0}, about="random labels for 20 steps of the first block"),
        "split": el.Condition({"world": "split"}, about="two digits a task instead of permutations"),
        "split-told": el.Condition({"world": "split", "borders": "told"}, about="the same, the number is told"),
        "split-unsmoothed": el.Condition({"world": "split", "smoothing": 1.0}, about="the same, single losses"),
        "calm": el.Condition(
            {"garbled": 1.0},
            (el.Clamp("surprise", 0.0, during=(90, 115)),),
            about="as garbled, but nobody is surprised while labels are random, and shortly after",
        ),
    }


TINY = ("losses", "told", "none", "recurring")
QUICK = tuple(conditions())
