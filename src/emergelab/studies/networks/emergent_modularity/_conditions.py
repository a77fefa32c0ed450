"""The conditions of the study: three ways of tuning, and a stronger decay."""

from __future__ import annotations

import emergelab as el

BASE, TUNED, CONTROL = "dense", "bricks", "random"
TUNE_AT = 800


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    return {
        BASE: el.Condition({}, about="learns, and is tuned as a whole"),
        TUNED: el.Condition({"route": "bricks"}, about="tuned with a quarter of the bricks of like keys open"),
        CONTROL: el.Condition({"route": "random"}, about="tuned with a quarter of random bricks open"),
        "decay-1": el.Condition({"decay": 1.0}, about="ten times the weight decay"),
    }
