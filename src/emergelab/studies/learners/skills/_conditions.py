"""The conditions: METRA, what becomes of it without one of its parts, and DIAYN."""

from __future__ import annotations

import emergelab as el

__all__ = ["CONDITIONS"]

CONDITIONS = {
    "metra": el.Condition({}, about="the map's distances are bound by time: METRA"),
    "diayn": el.Condition({"method": "position"}, about="paid for places that tell which skill it is: DIAYN"),
    "euclid": el.Condition({"method": "euclid"}, about="the map's distances are bound by distances as they are seen"),
    "free": el.Condition({"method": "free"}, about="the map's distances are not bound"),
    "diayn-stiff": el.Condition(
        {"method": "position", "bend": 0.0}, about="DIAYN with a body that has no posture: its trap is taken away"
    ),
    "noisy": el.Condition({"loud": 1.0}, about="METRA that also sees two numbers that mean nothing"),
    "maze": el.Condition({"walls": "maze"}, about="METRA in two rooms with one way between them"),
}
