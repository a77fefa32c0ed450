"""What there is to see: the table, and where skills bring its discs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

import emergelab as el
from emergelab.views import Agents, Layer, Lines, Scene, View

from ._rewards import HALF

__all__ = ["frame", "scene", "view"]

_WAYS = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """The ways of the discs under all skills, and their ends, coloured by the skill's own angle."""
    d = run.data.sel(condition=condition, seed=seed, time=time)
    ways = d["discs"].transpose("skill", "disc", "moment", "axis").values.astype(float)
    count, discs = ways.shape[:2]
    # The last point of each line is none, which ends it.
    ended = np.concatenate([ways, np.full((count, discs, 1, 2), np.nan)], axis=2).reshape(-1, 2)
    ends = ways[:, :, -1].reshape(-1, 2)
    skill = np.repeat(np.arange(count), discs)
    kind = (skill * len(_WAYS) + count // 2) // count % len(_WAYS)
    edge = run.info["conditions"][condition]["parameters"]["edge"]
    (x, y), (inner_x, inner_y) = frame(HALF).T, frame(edge).T
    layers: list[Layer] = [
        Lines(x, y, "table"),
        Lines(inner_x, inner_y, "border"),
        Lines(ended[:, 0], ended[:, 1], "way of a disc"),
        Agents(
            ends[:, 0], ends[:, 1], kind, tuple(f"skill {w}" for w in _WAYS),
            state={"angle (degrees)": skill * 360 / count, "disc": np.tile(np.arange(discs), count)},
        ),
    ]  # fmt: skip
    return Scene(layers, title=f"round {time}: {float(d['handled']):.0%} handled")


def frame(half: float) -> Float[np.ndarray, "corner 2"]:
    """The outline of a square around the middle of the table."""
    return half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]], float)


view = View(scene, about="where each of 64 skills brings the discs when it is played without chance", needs=("discs",))
