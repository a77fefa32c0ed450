"""The conditions of the study. Those of one teacher are data of one program."""

from __future__ import annotations

import emergelab as el

from ._system import TEACHERS

USELESS = (2, 5, 10)
RANDOM = (0.0, 0.1, 0.5)
HALF, FORGETS, LESION_AT = 0.5, 0.1, 40


def half(teacher: str) -> str:
    """Name of the condition in which half of the task space can never be learnt."""
    return f"{teacher}-half"


def forgets(teacher: str) -> str:
    """Name of the condition in which what is not visited is forgotten."""
    return f"{teacher}-forgets"


def useless(teacher: str, dims: int) -> str:
    """Name of the condition with so many dimensions that do not matter."""
    return f"{teacher}-useless-{dims}" if dims else teacher


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out: dict[str, el.Condition] = {}

    def add(name: str, about: str, **settings: object) -> None:
        out[name] = el.Condition(settings, about=about)

    about = {
        "random": "all tasks equally likely",
        "oracle": "a window that an expert has set to move along the diagonal",
        "adr": "a box that grows from the easy corner, which it is told",
        "plr": "old tasks again, by the change of their return",
        "riac": "boxes that split where learning progress differs",
        "covar-gmm": "Gaussians where returns rise with time",
        "alp-gmm": "Gaussians where returns change, either way",
    }
    for teacher in TEACHERS:
        add(teacher, about[teacher], teacher=teacher)
    for teacher in ("random", "riac", "covar-gmm", "alp-gmm"):
        add(half(teacher), "half of the tasks can never be learnt", teacher=teacher, hopeless=HALF)
    for teacher in ("random", "riac", "covar-gmm", "alp-gmm"):
        add(forgets(teacher), f"loses {FORGETS:.0%} in 1,000 episodes", teacher=teacher, forgetting=FORGETS)
    for teacher in ("riac", "alp-gmm"):
        for dims in USELESS:
            add(useless(teacher, dims), f"{dims} dimensions do not matter", teacher=teacher, useless=dims)
    add("alp-gmm-bodies", "which of four corners is easy is drawn by lot", body="any")
    add("alp-gmm-shuffled", "the teacher hears the returns of other tasks", told="shuffled")
    add("alp-gmm-signed", "only improvement counts as progress", signal="signed")
    add("alp-gmm-signed-forgets", "the same with a student that forgets", signal="signed", forgetting=FORGETS)
    add("alp-gmm-frozen", f"the Gaussians stay after block {LESION_AT}", freeze=LESION_AT)
    add("alp-gmm-lesion", f"the easier half is lost after block {LESION_AT}", lesion=LESION_AT)
    add("alp-gmm-swap", f"another body, knowing nothing, after block {LESION_AT}", swap=LESION_AT)
    for share in RANDOM:
        add(f"alp-gmm-random-{share:g}", f"{share:.0%} of the tasks at random", random=share)
    for fit in (50, 125):
        add(f"alp-gmm-fit-{fit}", f"fitted every {fit} episodes", fit=fit)
    add("riac-legacy", "cuts scored as in the authors' code", teacher="riac", score="legacy")
    for dims in (3, 4):
        for teacher in ("random", "riac", "covar-gmm", "alp-gmm"):
            add(f"{teacher}-{dims}d", f"{dims} dimensions that matter", teacher=teacher, dims=dims)
    return out
