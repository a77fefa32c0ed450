"""What there is to see: a runner on three tracks, from the side."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

import emergelab as el
from emergelab.views import Agents, Layer, Lines, Scene, View
from emergelab.worlds.track import Track

from ._runner import HIGHEST, WIDEST
from ._system import PROBES

__all__ = ["profile", "scene", "up_to_the_end", "view"]

_APART = 4.0  # metres between two tracks that are drawn one above the other


def profile(task: Float[np.ndarray, "2"]) -> tuple[Float[np.ndarray, "point"], Float[np.ndarray, "point"]]:
    """The outline of the track of a task as a line: x and height of its corners, metres."""
    track = Track()
    length, width = float(track.length), float(track.width)
    height, spacing = HIGHEST * float(task[0]), WIDEST * float(task[1])
    faces = np.arange(float(track.lead), length, width + float(track.gap) + spacing)
    x = np.minimum(np.stack([faces, faces, faces + width, faces + width], axis=1), length)
    y = np.tile([0.0, height, height, 0.0], (len(faces), 1))
    return np.concatenate([[0.0], x.ravel(), [length]]), np.concatenate([[0.0], y.ravel(), [0.0]])


def up_to_the_end(way: Float[np.ndarray, "moment 2"]) -> Float[np.ndarray, "upto 2"]:
    """A way without what comes after the end of the track, where the episode is over."""
    over = way[:, 0] >= float(Track().length)
    return way[: int(np.argmax(over)) + 1] if over.any() else way


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """The ways over all three tracks, the lowest stumps at the bottom, and where they end."""
    d = run.data.sel(condition=condition, seed=seed, time=time)
    ways = d["ways"].transpose("probe", "moment", "axis").values.astype(float)
    layers: list[Layer] = []
    ends = []
    for number, task in enumerate(PROBES):
        lift = np.array([0.0, number * _APART])
        x, y = profile(task)
        way = up_to_the_end(ways[number]) + lift
        layers += [Lines(x, y + lift[1], "track"), Lines(way[:, 0], way[:, 1], "way")]
        ends.append(way[-1])
    x, y = np.array(ends).T
    layers.append(Agents(x, y, state={"metres run": x}))
    return Scene(layers, title=f"round {time}: {float(d['mastered']):.0f} % mastered")


view = View(scene, about="the runner on three tracks, with stumps of 0.3, 0.9 and 1.5 m", needs=("ways",))
