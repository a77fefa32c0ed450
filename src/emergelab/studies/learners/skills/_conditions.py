"""The conditions: METRA, what becomes of it without one of its parts, DIAYN, and learners without skills."""

from __future__ import annotations

import emergelab as el

__all__ = ["CONDITIONS", "QUICK"]

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
    "random": el.Condition({"rate": 0.0, "chance": 1}, about="a policy that never learns, played with chance"),
    "novelty": el.Condition(
        {"pay": "novelty", "chance": 1}, about="paid for states that are rare, whatever the skill; played with chance"
    ),
    "novelty-noisy": el.Condition(
        {"pay": "novelty", "chance": 1, "loud": 1.0}, about="the same, and it also sees two numbers that mean nothing"
    ),
    "metra-chance": el.Condition({"chance": 1}, about="METRA, played with chance as these three are"),
    "worn": el.Condition({"speed": 0.05}, about="METRA with a body that moves a third as fast"),
    "frozen": el.Condition(
        {}, (el.Ablate("map.update.phi.*", during=(40, None)),), about="METRA whose map stops learning at round 40"
    ),
}
QUICK = ("metra", "diayn", "euclid", "free", "diayn-stiff", "noisy", "maze")
