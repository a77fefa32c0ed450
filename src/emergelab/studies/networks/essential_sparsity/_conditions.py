"""The conditions of the study: what is learnt from how much data under which pressure, and two cuts."""

from __future__ import annotations

import emergelab as el

BASE = "next"
SHARES_OF_DATA = {"data-5": 0.05, "data-25": 0.25, BASE: 1.0}
CUT = 0.5


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    return {
        BASE: el.Condition({}, about="predict the next word; weight decay 0.1, all data"),
        "decay-0": el.Condition({"decay": 0.0}, about="no weight decay"),
        "decay-1": el.Condition({"decay": 1.0}, about="ten times the weight decay"),
        "l1": el.Condition({"l1": 1e-4}, about="magnitudes in the blocks have a price"),
        "data-25": el.Condition({"share": 0.25}, about="a quarter of the corpus"),
        "data-5": el.Condition({"share": 0.05}, about="a twentieth of the corpus"),
        "masked": el.Condition({"objective": "masked"}, about="predict masked words, seen from both sides"),
        "topic": el.Condition({"objective": "topic"}, about="supervised: tell the topic at every word"),
        "cut": el.Condition({"cut": CUT}, about="half of the weights set to zero once; they may regrow"),
        "held": el.Condition({"cut": CUT, "held": 1.0}, about="half of the weights zero from then on"),
    }
