"""What there is to see: what each position says of every pair of levels."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Cells, Scene, View

from ._scenes import LEVELS, meanings

__all__ = ["scene", "view"]


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """Position after position, a square of 5 x 5 cells: elasticity downwards, friction to the right.

    A cell holds the symbol that most of its scenes get; a column of nothing stands between positions.
    """
    d = run.data.sel(condition=condition, seed=seed, time=time)
    known = run.info["conditions"][condition]["parameters"]
    count, symbols = known["agents"] * known["positions"], known["symbols"]
    tokens = d["tokens"].transpose("scene", "position").values[:, :count].astype(int)
    side = len(LEVELS)
    levels = meanings(len(tokens) // side**2)
    table = np.zeros((side, count * (side + 1) - 1), int)
    for p in range(count):
        for e in range(side):
            for f in range(side):
                said = tokens[(levels == (e, f)).all(axis=1), p]
                table[e, p * (side + 1) + f] = 1 + np.bincount(said, minlength=symbols).argmax()
    kinds = ("", *(f"symbol {i}" for i in range(symbols)))
    return Scene([Cells(table, kinds=kinds)], title=f"update {time}: {float(d['holdout']):.0%} right on unseen levels")


view = View(scene, about="the symbol at every position, for every pair of levels", needs=("tokens",))
