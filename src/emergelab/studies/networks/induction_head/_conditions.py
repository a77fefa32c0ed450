"""The conditions of the study: parts of the circuit that are given, heads that are alone, more data, and the toy."""

from __future__ import annotations

import emergelab as el

WHOLE = "full"
ALONE = {f"head-{h}": h for h in range(4)}
"""Conditions in which one head of the last layer keeps its values: four of the eight, which are all alike at first."""
BASE = "head-0"

_HEAD = {"only": 0}
PARTS = {
    "attention": ({"previous": "attention"}, "A in part: one head of layer 1 looks at the token before"),
    "perfect": ({"previous": "perfect"}, "A: keys of labels are made from their items, layer 1 does nothing else"),
    "copy": ({"copy": "given"}, "C: the head's scores of the two labels are the answer"),
    "match": ({"match": "given"}, "A and B: the head looks at the right label, and has to learn to copy it"),
    "previous-copy": ({"previous": "perfect", "copy": "given"}, "A and C: only queries and keys are to be learnt"),
    "blocked": ({"previous": "blocked"}, "no token of layer 1 may look at the one before"),
}
"""What is given, in words: everything else is to be learnt, with one head in the last layer."""

CLASSES, LABELS = 200, 15
_TOY = {"model": "tensor", "rate": 0.5}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {WHOLE: el.Condition({}, about="all heads, nothing is given")}
    out |= {
        name: el.Condition({"only": h}, about=f"of layer 2, head {h} alone keeps its values; nothing is given")
        for name, h in ALONE.items()
    }
    out |= {name: el.Condition({**_HEAD, **set}, about=about) for name, (set, about) in PARTS.items()}
    for name in ("match", "previous-copy"):
        set, about = PARTS[name]
        out[f"{name}-classes"] = el.Condition({**_HEAD, **set, "used": CLASSES}, about=f"{about}; {CLASSES} classes")
        out[f"{name}-labels"] = el.Condition({**_HEAD, **set, "labels": LABELS}, about=f"{about}; {LABELS} labels")
    out["one-layer"] = el.Condition({"depth": 1}, about="one layer, all heads")
    for held, name in enumerate(("toy", "toy-c", "toy-bc")):
        words = ("nothing is given", "c is given", "b and c are given")[held]
        out[name] = el.Condition({**_TOY, "held": held}, about=f"a tensor from three vectors; {words}")
    return out
