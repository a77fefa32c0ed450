"""What there is to see: where episodes ended, the areas that pay, and the way of the best into each."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

import emergelab as el
from emergelab.views import Agents, Cells, Layer, Lines, Scene, View

from ._world import AREAS, FINE, FREE, MAZE

__all__ = ["rings", "scene", "view", "walls"]


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """Cells of side 1/2 in which episodes ended, walls, areas, and the way of the best into each that was found."""
    d = run.data.sel(condition=condition, seed=seed, time=time)
    reached = d["ends"].transpose("row", "column").values > 0
    ground = np.where(FREE, np.where(reached, 0, 2), 1)[::-1]
    layers: list[Layer] = [Cells(ground, ("episodes ended here", "wall", "none did"))]
    radius = float(run.info["conditions"][condition]["parameters"]["radius"])
    points = FINE * rings(radius)
    layers.append(Lines(points[:, 0], points[:, 1], "area that pays"))
    ways = d["ways"].transpose("area", "moment", "axis").values.astype(float)
    found = np.isfinite(ways).all((1, 2))
    start = np.asarray(MAZE.start, float)
    begun = np.broadcast_to(start, (len(ways), 1, 2))
    # The last point of each line is none, which ends it.
    drawn = FINE * np.concatenate([begun, ways, np.full((len(ways), 1, 2), np.nan)], 1)[found].reshape(-1, 2)
    layers.append(Lines(drawn[:, 0], drawn[:, 1], "way of the best"))
    dots = FINE * np.concatenate([start[None], ways[found, -1]])
    best = d["best"].transpose("area").values.astype(float)
    layers.append(
        Agents(
            dots[:, 0], dots[:, 1], np.minimum(np.arange(len(dots)), 1), ("start", "end of the best into an area"),
            state={"reward": np.concatenate([[0.0], best[found]])},
        )
    )  # fmt: skip
    return Scene(layers, title=f"step {time}: {int(d['areas'])} areas, {100 * float(d['explored']):.0f} % explored")


def rings(radius: float) -> Float[np.ndarray, "point 2"]:
    """Outlines of the areas that pay."""
    angle = np.linspace(0, 2 * np.pi, 41)
    circle = radius * np.stack([np.cos(angle), np.sin(angle)], -1)
    each = [np.concatenate([middle + circle, [[np.nan, np.nan]]]) for middle in AREAS]
    return np.concatenate(each)


def walls() -> Float[np.ndarray, "point 2"]:
    """Outlines of the walls: sides of cells on one side of which only there is a wall."""
    wall = np.pad(np.asarray(MAZE.wall), 1)
    points: list[tuple[float, float]] = []
    for y, x in np.argwhere(wall[:, 1:] != wall[:, :-1]):
        points += [(x, y - 1), (x, y), (np.nan, np.nan)]
    for y, x in np.argwhere(wall[1:] != wall[:-1]):
        points += [(x - 1, y), (x, y), (np.nan, np.nan)]
    return np.array(points, float)


view = View(
    scene,
    about="where episodes ended, the areas that pay, and the way of the best controller into each",
    needs=("ends", "ways", "best"),
)
