"""The conditions: critics apart, added up, merged, not normalised; single rewards; other units."""

from __future__ import annotations

import emergelab as el

__all__ = ["CONDITIONS"]

_ONE = {"critics": 1, "normaliser": "none"}

CONDITIONS = {
    "critics": el.Condition({}, about="a critic for each reward, normalised by the spread of advantages: SLIM"),
    "summed": el.Condition(_ONE, about="one critic of the summed reward: soft actor-critic"),
    "critics-tenth": el.Condition({"unit": 0.1}, about="critics, where contact is paid 0.1 for 1"),
    "summed-tenth": el.Condition({**_ONE, "unit": 0.1}, about="the sum, where contact is paid 0.1 for 1"),
    "raw-tenth": el.Condition({"unit": 0.1, "normaliser": "none"}, about="so are critics that are not normalised"),
    "merged-tenth": el.Condition(
        {"unit": 0.1, "merging": "yes"}, about="so are critics that give way to one of the sum at half-time"
    ),
    "critics-tenfold": el.Condition({"unit": 10.0}, about="critics, where contact is paid 10 for 1"),
    "summed-tenfold": el.Condition({**_ONE, "unit": 10.0}, about="the sum, where contact is paid 10 for 1"),
    "discovery": el.Condition({**_ONE, "reach": 0.0, "safety": 0.0}, about="paid for skills alone"),
    "reach": el.Condition({**_ONE, "discovery": 0.0, "safety": 0.0}, about="paid for being near a disc alone"),
    "safety": el.Condition({**_ONE, "discovery": 0.0, "reach": 0.0}, about="paid for keeping away from the edge alone"),
    "reach-normalised": el.Condition(
        {"critics": 1, "discovery": 0.0, "safety": 0.0}, about="reach alone, its one critic normalised"
    ),
}
