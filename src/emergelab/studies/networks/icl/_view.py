"""What there is to see: who looks at whom in the two layers of attention."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.errors import UserError
from emergelab.views import Cells, Names, Scene, View

__all__ = ["scene", "view"]


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """Attention on made-up classes, mean over test sequences: a row looks at a column.

    Above is layer 1, token by token (x an item, l its label, ? the item that is asked for). Below is what the last
    token looks at in layer 2; there pairs of its own class come first.

    Raises:
        UserError: the network has no attention, or nothing is written there.
    """
    d = run.data.sel(condition=condition, seed=seed, time=time)
    first, last = d["pattern_1"].transpose("to", "from").values, d["pattern_2"].values
    if not np.isfinite(last).all():
        raise UserError(f"view: the network of condition {condition!r} has no attention to be seen")
    tokens = len(last)
    table = np.full((tokens + 2, tokens), np.nan)
    table[:tokens], table[-1] = first, last
    letters = [f"{'xl'[t % 2]}{t // 2 + 1}" for t in range(tokens - 1)] + ["?"]
    rows = tokens + 2 - 0.5 - np.arange(tokens)
    names = Names(
        np.concatenate([np.full(tokens, -0.7), np.arange(tokens) + 0.5, [-0.7]]),
        np.concatenate([rows, np.full(tokens, -0.6), [0.5]]),
        [*letters, *letters, "?"],
    )
    cells = Cells(table, unit="1", name="attention", low=0.0, high=1.0)
    right, weights = float(d["acc_icl"]), float(d["acc_iwl"])
    return Scene([cells, names], title=f"step {time}: {right:.0%} right in context, {weights:.0%} in weights")


view = View(
    scene,
    about="who looks at whom: layer 1 above, the last token in layer 2 below (pairs of its own class first)",
    needs=("pattern_1", "pattern_2", "acc_icl", "acc_iwl"),
)
