"""What there is to see: the city from above."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Cells, Scene, View

__all__ = ["scene", "view"]


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """The share of residents who are infectious, area by area; colours are the same at all times of a condition."""
    own = run.data["ill"].sel(condition=condition, seed=seed).transpose("time", "row", "col")
    top = float(np.nanmax(own.values))
    now = own.sel(time=time).values.astype(float)
    title = f"day {time}: {now.mean():.1%} infectious"
    return Scene([Cells(now, unit="1", name="share infectious", low=0.0, high=max(top, 1e-6))], title=title)


view = View(scene, about="the share of infectious residents in each area of the city", needs=("ill",))
