"""What there is to see: the array itself, a cell beside the other, out of the states that a run has kept."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Agents, Lines, Scene, View

from ._conditions import ALGOTYPES

__all__ = ["scene", "view"]

_FROZEN = ("no", "movable by others", "immovable")


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """Cells from left to right, as high as their values, in the last state that was kept up to this time.

    Raises:
        UserError: no state was kept so early.
    """
    kept = [t for t in run.kept if t <= time]
    if not kept:
        raise el.UserError("view: arrays are seen in states that were kept; grow the run with --keep log")
    state = run.state(kept[-1], condition).sel(seed=seed)
    value, algotype, frozen = (state[f"cells.{n}"].values.astype(int) for n in ("value", "algotype", "frozen"))
    at = np.arange(len(value)) + 0.5
    stems = Lines(np.stack([at, at, np.full(len(at), np.nan)], axis=1).ravel(),
                  np.stack([np.zeros(len(at)), value, np.full(len(at), np.nan)], axis=1).ravel())  # fmt: skip
    cells = Agents(
        at, value, algotype, ALGOTYPES,
        state={"place": np.arange(len(value)), "value": value, "frozen": [_FROZEN[i] for i in frozen]},
    )  # fmt: skip
    descents = int((np.diff(value) < 0).sum())
    return Scene([stems, cells], title=f"state of step {kept[-1]}: {descents} cells below their left neighbour")


view = View(scene, about="cells from left to right, as high as their values, in the states that were kept")
