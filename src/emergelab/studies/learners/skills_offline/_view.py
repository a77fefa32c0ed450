"""What there is to see: walks to goals in the maze."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Agents, Cells, Lines, Scene, View

from ._maze import FREE
from ._prompts import PAIRS

__all__ = ["scene", "view"]

_ORIGIN = 0


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """The walks from the first room to goals in all others."""
    d = run.data.sel(condition=condition, seed=seed, time=time)
    own = np.flatnonzero(PAIRS[:, 0] == _ORIGIN)
    path = d["path"].transpose("pair", "moment", "axis").values[own].astype(float)
    goal = d["aim"].transpose("pair", "axis").values[own].astype(float)
    # The last point of each line is none, which ends it.
    ended = np.concatenate([path, np.full((len(own), 1, 2), np.nan)], axis=1).reshape(-1, 2)
    begun = path[:, 0]
    walled = run.info["conditions"][condition]["parameters"]["walled"]
    ground = np.where(FREE[::-1], 0, 1) if walled else np.zeros(FREE.shape, int)
    places = np.concatenate([begun, goal])
    kind = np.repeat([0, 1], len(own))
    return Scene(
        [
            Cells(ground, ("free", "wall")),
            Lines(ended[:, 0], ended[:, 1], "walk"),
            Agents(places[:, 0], places[:, 1], kind, ("start", "goal")),
        ],
        title=f"step {time}",
    )


view = View(scene, about="walks from the first room to a goal in each other one", needs=("path", "aim"))
