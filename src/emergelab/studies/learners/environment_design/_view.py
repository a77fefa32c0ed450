"""What there is to see: levels of the lesson."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Cells, Lines, Scene, View

__all__ = ["SIGNS", "scene", "view"]

SIGNS = ("free", "wall", "goal", "start")


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """The first levels of the lesson that ends at this time, two by two."""
    at = run.data.sel(condition=condition, seed=seed, time=time)
    levels = at["gallery"].transpose("shown", "y", "x").values.astype(int)
    if time == 0:
        raise el.UserError("view: no levels are made before the first update; look at a later time")
    height, width = levels.shape[1:]
    ground = np.zeros((2 * height, 2 * width), int)
    for i, level in enumerate(levels[:4]):
        row, column = height * (i // 2), width * (i % 2)
        ground[row : row + height, column : column + width] = level
    none = np.nan
    between = Lines(
        np.array([width, width, none, 0, 2 * width]), np.array([0, 2 * height, none, height, height]), "between levels"
    )  # fmt: skip
    return Scene([Cells(ground, SIGNS), between], title=f"update {time}: {float(at['solved']):.0%} solved")


view = View(scene, about="four levels of the lesson that the students have just had", needs=("gallery", "solved"))
