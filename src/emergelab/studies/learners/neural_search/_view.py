"""What there is to see: walls, the graph, what was deleted from it, and the agent; and single seeds filmed anew."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

import emergelab as el
from emergelab.engine.serial import unpack
from emergelab.views import Agents, Lines, Network, Scene, View

from ._system import NeuralSearch

__all__ = ["DELETED", "TAPS", "WAY", "film", "scene", "view", "walls"]

TAPS = ("state.graph.*", "state.maze.*", "state.changed.*")
DELETED, WAY = "deleted", "way"
_KEPT = ("graph.place", "graph.weight", "graph.alive", "maze.right", "maze.up", "changed.right", "changed.up")
_SHOWN = ("place", "stopped", "now", "took", "failed")


def walls(
    right: Bool[np.ndarray, "side side"], up: Bool[np.ndarray, "side side"], rooms: int
) -> tuple[Float[np.ndarray, "point"], Float[np.ndarray, "point"]]:
    """Walls as lines in cells, parted by NaN, the frame included."""
    frame = [(0, 0), (rooms, 0), (rooms, rooms), (0, rooms), (0, 0), (np.nan, np.nan)]
    points: list[tuple[float, float]] = list(frame)
    for row, column in np.argwhere(right[:rooms, :rooms].astype(bool)):
        points += [(column + 1, row), (column + 1, row + 1), (np.nan, np.nan)]
    for row, column in np.argwhere(up[:rooms, :rooms].astype(bool)):
        points += [(column, row + 1), (column + 1, row + 1), (np.nan, np.nan)]
    x, y = np.array(points, float).T
    return x, y


def _parameters(run: el.Run, condition: str) -> dict[str, Any]:
    return dict(run.info["conditions"][condition]["parameters"])


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """Walls, live synapses, deleted ones, the way so far and the agent, in cells."""
    own = run.data.sel(condition=condition, seed=seed)
    graph = {name: own[f"state.{name}"].sel(time=time).values for name in _KEPT}
    return _scene(graph, own[list(_SHOWN)].sel(time=slice(None, time)), _parameters(run, condition))


def _scene(kept: Mapping[str, np.ndarray], past: xr.Dataset, parameters: dict[str, Any]) -> Scene:
    """A scene of what the state holds at some time, and of what was observed up to it."""
    at = past.isel(time=-1)
    rooms = int(parameters["rooms"])
    visit = int(at["now"])
    which = "changed" if visit >= int(parameters["change"]) else "maze"
    x, y = walls(kept[f"{which}.right"], kept[f"{which}.up"], rooms)

    alive = kept["graph.alive"].astype(bool)
    place = kept["graph.place"][alive] * rooms
    weight = kept["graph.weight"][alive][:, alive]
    gap = np.linalg.norm(place[:, None] - place[None], axis=-1)
    near = np.triu(gap < float(parameters["reach"]), 1)
    either = np.maximum(weight, weight.T)
    live, gone = np.argwhere(near & (either > 0)), np.argwhere(near & (either == 0))
    kind = np.zeros(len(place), int)
    kind[0] = 1
    cut = np.full((len(gone), 3, 2), np.nan)
    if len(gone):
        cut[:, 0], cut[:, 1] = place[gone[:, 0]], place[gone[:, 1]]
    way = _way(past, visit) * rooms
    here = at["place"].values * rooms
    steps = int(at["took"].sum())
    return Scene(
        [
            Network(live, place[:, 0], place[:, 1], either[live[:, 0], live[:, 1]], kind, ("neuron", "goal")),
            Lines(cut[..., 0].ravel(), cut[..., 1].ravel(), DELETED),
            Lines(way[:, 0], way[:, 1], WAY),
            Lines(x, y, "walls"),
            Agents(here[:1], here[1:], kind=np.array([2]), kinds=("neuron", "goal", "agent")),
        ],
        title=f"{int(at['failed'])} failures, {steps} steps",
    )


def _way(past: xr.Dataset, visit: int) -> Float[np.ndarray, "point 2"]:
    """Where the agent has been in this visit: the end of every recorded behaviour, and where it was stopped."""
    same = past["now"].values == visit
    stops, places = past["stopped"].values[same], past["place"].values[same]
    return np.stack([stops, places], 1).reshape(-1, 2)[1:]


view = View(
    scene,
    about="the maze, the graph that the agent plans with, and what it has deleted",
    needs=(*_SHOWN, *(f"state.{name}" for name in _KEPT)),
)


@lru_cache(maxsize=2)
def film(path: str, condition: str, seed: int, times: tuple[int, ...]) -> list[Scene]:
    """Scenes of one seed of a run, which is grown again: with every behaviour on record, and its graph at some times.

    Randomness is addressed by seed and time, so this is the very seed of the run.

    Args:
        path: of the run.
        condition: which one.
        seed: which one.
        times: of the scenes, in behaviours from the beginning, ascending.
    """
    run = el.load(path)
    parameters = _parameters(run, condition)
    done = unpack(run.info["interventions"], run.place)
    with tempfile.TemporaryDirectory() as folder:
        again = el.run(
            NeuralSearch(**parameters), steps=times[-1], every=1, seeds=[seed], keep=list(times), progress=False,
            interventions=done[condition], out=Path(folder) / "film",
        )  # fmt: skip
        past = again.data[list(_SHOWN)].isel(condition=0, seed=0).load()
        return [
            _scene(
                {name: again.state(t)[name].isel(seed=0).values for name in _KEPT}, past.sel(time=slice(None, t)),
                parameters,
            )
            for t in times
        ]  # fmt: skip
