"""What there is to see: what is said of every object, position after position."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Cells, Scene, View

__all__ = ["scene", "view"]


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """A square of objects for each position, the first attribute downwards, the second to the right.

    A cell holds the symbol that the object gets; positions that are not heard, and what is behind an end, hold nothing.
    """
    d = run.data.sel(condition=condition, seed=seed, time=time)
    words = d["message"].transpose("object", "position").values.astype(int)
    side = round(len(words) ** 0.5)
    table = np.zeros((side, words.shape[1] * (side + 1) - 1), int)
    for p in range(words.shape[1]):
        table[:, p * (side + 1) : p * (side + 1) + side] = 1 + words[:, p].reshape(side, side)
    symbols = run.info["conditions"][condition]["parameters"]["symbols"]
    kinds = ("", *(f"symbol {i}" for i in range(symbols)))
    return Scene([Cells(table, kinds=kinds)], title=f"step {time}: {float(d['accuracy']):.0%} understood")


view = View(scene, about="the symbol at every position, for every object", needs=("message", "accuracy"))
