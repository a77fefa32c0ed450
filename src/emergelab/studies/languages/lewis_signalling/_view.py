"""What there is to see: the code of the first pair."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Cells, Names, Scene, View

__all__ = ["scene", "view"]

_KINDS = ("", "understood", "taken for another state", "means this, but is not said then")


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """States downwards, signals to the right, for the likeliest code of a seed's first pair.

    A cell is filled where the speaker gives the signal in the state, or the listener takes it for the state.
    """
    d = run.data.sel(condition=condition, seed=seed, time=time)
    says, does = d["says"].values.astype(int), d["does"].values.astype(int)
    says, does = says[says >= 0], does[does >= 0]
    n = len(says)
    said, meant = says[:, None] == np.arange(n), does[None, :] == np.arange(n)[:, None]
    table = np.select([said & meant, said, meant], [1, 2, 3], 0)
    middle = np.arange(n) + 0.5
    names = Names(
        np.concatenate([np.full(n, -0.35), middle]),
        np.concatenate([n - middle, np.full(n, -0.25)]),
        [*(str(i + 1) for i in range(n)), *(chr(ord("a") + i) for i in range(n))],
    )
    return Scene([Cells(table, kinds=_KINDS), names], title=f"play {time}: {(said & meant).sum()} of {n} states told")


view = View(
    scene,
    about="the code of the first pair: in which state (1, 2, ...) which signal (a, b, ...) is given, and how it is "
    "understood",
    needs=("says", "does"),
)
