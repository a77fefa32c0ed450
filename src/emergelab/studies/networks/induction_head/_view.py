"""What there is to see: where every head looks."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.errors import UserError
from emergelab.views import Cells, Names, Scene, View

__all__ = ["scene", "view"]

_LETTERS = ("x1", "l1", "x2", "l2", "x")


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """A square a head of the first of two layers, and below it the row of a head of the last one.

    Rows look at columns; the item that is asked for is the first, so an induction head of the last layer looks at l1.

    Raises:
        UserError: nothing is written there, or it is the toy, which has no attention.
    """
    d = run.data.sel(condition=condition, seed=seed, time=time)
    first, last = d["pattern_first"].transpose("head", "to", "from").values, d["pattern_last"].values
    if not np.isfinite(last).all():
        raise UserError(f"view: condition {condition!r} has no attention to be seen at step {time}")
    heads, tokens = last.shape
    table = np.full((tokens + 2, heads * (tokens + 1) - 1), np.nan)
    for h in range(heads):
        columns = slice(h * (tokens + 1), h * (tokens + 1) + tokens)
        table[:tokens, columns], table[-1, columns] = first[h], last[h]
    starts = np.arange(heads) * (tokens + 1)
    names = Names(
        np.concatenate([np.full(tokens + 1, -0.8), starts + tokens / 2]),
        np.concatenate([tokens + 1.5 - np.arange(tokens), [0.5], np.full(heads, -0.6)]),
        [*_LETTERS, "x", *(f"head {h}" for h in range(heads))],
    )
    cells = Cells(table, unit="1", name="attention", low=0.0, high=1.0)
    return Scene([cells, names], title=f"step {time}: {float(d['acc']):.0%} right")


view = View(
    scene,
    about="where every head looks: layer 1 above, the last token in layer 2 below; columns are x1 l1 x2 l2 x, and x is "
    "like x1",
    needs=("pattern_first", "pattern_last", "acc"),
)
