"""Whether distances in the latent space are numbers of steps: rank correlations over a recorded run."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.stats
import xarray as xr
from jaxtyping import Float

from emergelab.worlds.plane import geodesic

from ._system import MAZE

__all__ = ["around_walls", "by_steps", "by_straight_line", "coverage_log2", "pairs", "steps_in_maze"]

_FINE = 4
_ANCHORS = 12  # skills from whose ends distances are measured


def coverage_log2(d: xr.Dataset) -> xr.DataArray:
    """Coverage on a scale on which 1 is a factor of two."""
    return np.log2(d["coverage"])


def by_steps(d: xr.Dataset) -> xr.DataArray:
    """Rank correlation of latent distances and steps, around walls where there are any."""
    return _correlation(d, around=True)


def by_straight_line(d: xr.Dataset) -> xr.DataArray:
    """Rank correlation of latent distances and steps as they would be without walls."""
    return _correlation(d, around=False)


def around_walls(d: xr.Dataset) -> xr.DataArray:
    """How much better latent distances follow ways around walls than straight lines."""
    return by_steps(d) - by_straight_line(d)


def steps_in_maze(origin: Float[np.ndarray, "2"], places: Float[np.ndarray, "place 2"]) -> Float[np.ndarray, "place"]:
    """Lengths of the ways around the maze's walls, exact up to the side of a fine cell."""
    found = _field(*np.floor(origin * _FINE).astype(int).tolist())
    x, y = np.floor(places * _FINE).astype(int).T
    return found[y, x]


@lru_cache(maxsize=4096)
def _field(x: int, y: int) -> Float[np.ndarray, "y x"]:
    """Distances from the middle of a fine cell."""
    return geodesic(MAZE, (np.array([x, y]) + 0.5) / _FINE, _FINE)[0]


def pairs(
    places: Float[np.ndarray, "skill moment 2"], latent: Float[np.ndarray, "skill moment 2"], around: bool
) -> tuple[Float[np.ndarray, "pair"], Float[np.ndarray, "pair"]]:
    """Latent distances and lengths of ways, from the ends of some skills to all places."""
    flat, points = places.reshape(-1, 2).astype(float), latent.reshape(-1, 2).astype(float)
    near, far = [], []
    for skill in range(0, len(places), max(1, len(places) // _ANCHORS)):
        origin = places[skill, -1].astype(float)
        near.append(np.linalg.norm(points - latent[skill, -1], axis=-1))
        far.append(steps_in_maze(origin, flat) if around else np.abs(flat - origin).max(-1))
    return np.concatenate(near), np.concatenate(far)


def _correlation(d: xr.Dataset, around: bool) -> xr.DataArray:
    """At the end of the run, seed by seed. A body that moves in x and y at once needs the larger of the two."""
    last = d.isel(time=-1)
    places = last["places"].transpose("seed", "skill", "moment", "axis").values
    latent = last["latent"].transpose("seed", "skill", "moment", "coordinate").values
    # Whether there are walls follows from where the body begins.
    walled = bool(np.any(places[:, :, 0] != 0)) and around
    found = [scipy.stats.spearmanr(*pairs(p, z, walled)).statistic for p, z in zip(places, latent, strict=True)]
    return xr.DataArray(np.array(found), dims="seed", coords={"seed": last["seed"]})
