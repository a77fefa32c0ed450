"""What there is to see: where the skills lead."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Agents, Layer, Lines, Scene, View

from ._system import MAZE

__all__ = ["scene", "view"]

_WAYS = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """The ways of all skills, and their ends, coloured by the skill's own angle."""
    d = run.data.sel(condition=condition, seed=seed, time=time)
    places = d["places"].transpose("skill", "moment", "axis").values.astype(float)
    count = len(places)
    # The last point of each line is none, which ends it.
    ended = np.concatenate([places, np.full((count, 1, 2), np.nan)], axis=1).reshape(-1, 2)
    kind = (np.arange(count) * len(_WAYS) + count // 2) // count % len(_WAYS)
    layers: list[Layer] = [Lines(ended[:, 0], ended[:, 1], "way")]
    known = run.info["conditions"][condition]["parameters"]
    layers.append(walls() if known["walls"] == "maze" else _reach(known["speed"] * known["length"]))
    layers.append(
        Agents(
            places[:, -1, 0],
            places[:, -1, 1],
            kind,
            tuple(f"skill {w}" for w in _WAYS),
            state={"angle (degrees)": np.arange(count) * 360 / count},
        )
    )
    return Scene(layers, title=f"round {time}: {float(d['coverage']):.0f} cells")


def _reach(far: float) -> Lines:
    """The frame of what can be reached in an episode: pictures at different times are of one size."""
    corners = far * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]], float)
    return Lines(corners[:, 0], corners[:, 1], "reach")


def walls() -> Lines:
    """The outlines of the maze's walls: sides of cells on one side of which only there is a wall."""
    wall = np.pad(np.asarray(MAZE.wall), 1)
    points: list[tuple[float, float]] = []
    for y, x in np.argwhere(wall[:, 1:] != wall[:, :-1]):
        points += [(x, y - 1), (x, y), (np.nan, np.nan)]
    for y, x in np.argwhere(wall[1:] != wall[:-1]):
        points += [(x - 1, y), (x, y), (np.nan, np.nan)]
    xs, ys = np.array(points, float).T
    return Lines(xs, ys, "wall")


view = View(scene, about="where each of 48 skills leads when it is played without chance", needs=("places",))
