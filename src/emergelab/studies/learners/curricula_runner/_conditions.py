"""The conditions of the study: teachers by bodies. Those of one teacher are data of one program."""

from __future__ import annotations

import emergelab as el

from ._system import TEACHERS

TALL = 3.0
"""Factor of the range of heights where most tasks are impossible, as in the paper."""


def with_body(teacher: str, body: str) -> str:
    """Name of the condition with a teacher and a body; the default body is not named."""
    return teacher if body == "default" else f"{teacher}-{body}"


def tall(teacher: str) -> str:
    """Name of the condition in which stumps are up to three times as high."""
    return f"{teacher}-tall"


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out: dict[str, el.Condition] = {}
    about = {
        "random": "all tasks equally likely",
        "oracle": "a window that moves from low stumps far apart to high ones close together",
        "plr": "old tasks again, by the change of their return",
        "riac": "boxes that split where learning progress differs",
        "covar-gmm": "Gaussians where returns rise with time",
        "alp-gmm": "Gaussians where returns change, either way",
    }
    bodies = {"default": "jumps 1.8 m", "short": "short legs, jumps 0.75 m", "long": "long legs, jumps 3 m"}
    for teacher in TEACHERS:
        for body in bodies:
            words = f"{about[teacher]}; {bodies[body]}"
            out[with_body(teacher, body)] = el.Condition({"teacher": teacher, "body": body}, about=words)
    for teacher in TEACHERS:
        words = f"{about[teacher]}; stumps up to 9 m, of which a body of 1.8 m passes a fifth"
        out[tall(teacher)] = el.Condition({"teacher": teacher, "taller": TALL}, about=words)
    out["alp-gmm-deaf"] = el.Condition({"told": "shuffled"}, about="the teacher hears the returns of other tasks")
    return out
