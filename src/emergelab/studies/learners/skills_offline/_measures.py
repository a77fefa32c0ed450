"""What is asked of a recorded run, seed by seed: how the map's distances go, and who arrives."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

from ._maze import BOX, PROBE_ROOM, PROBES, WALLS, ways
from ._prompts import PAIRS, PROMPTS

__all__ = [
    "DOORS", "FAR", "LATE", "advantage", "agreement", "apart", "end_to_end", "follows", "lead_of_known", "lengths",
    "made", "reach", "reach_of_known",
]  # fmt: skip

DOORS = np.abs(PAIRS[:, 0] - PAIRS[:, 1])
"""Doors between start and goal of each pair of rooms."""
FAR = 3
"""Goals so many doors away or more are far."""
LATE = 4
"""Records at the end of a run whose trials are counted together."""

Measure = Callable[[xr.Dataset], xr.DataArray]


@functools.cache
def lengths(kind: str) -> Float[np.ndarray, "pair"]:
    """Distances between all pairs of probes: on foot (`way`) or as the crow flies (`air`), in cells."""
    found = np.asarray(ways(PROBES, PROBES, WALLS if kind == "way" else BOX))
    return found[np.triu_indices(len(PROBES), 1)]


def apart(d: xr.Dataset) -> Float[np.ndarray, "*curve pair"]:
    """Distances between all pairs of probes in the map; axes before: seed, time (if there is one)."""
    at = d["map"].transpose("seed", ..., "probe", "dim").values.astype(float)
    first, second = np.triu_indices(at.shape[-2], 1)
    return np.sqrt(((at[..., first, :] - at[..., second, :]) ** 2).sum(-1))


def agreement(kind: str) -> Measure:
    """Rank correlation of distances in the map with those on foot (`way`) or through the air (`air`)."""

    def measure(d: xr.Dataset) -> xr.DataArray:
        rank = stats.rankdata(apart(d), axis=-1)
        true = stats.rankdata(lengths(kind))
        rank, true = rank - rank.mean(-1, keepdims=True), true - true.mean()
        spread = np.sqrt((rank**2).sum(-1) * (true**2).sum())
        return xr.DataArray((rank * true).sum(-1) / np.where(spread > 0, spread, np.nan), dims=("seed", "time"))

    measure.__name__ = f"rank_correlation_of_map_and_{kind}"
    return measure


def follows(d: xr.Dataset) -> xr.DataArray:
    """How much better the map's distances agree with those on foot than with those through the air."""
    return agreement("way")(d) - agreement("air")(d)


def end_to_end(d: xr.Dataset) -> xr.DataArray:
    """How far apart the two ends of the chain are in the map, where 1 is how far its first two rooms are.

    As the crow flies it is 1, too; on foot it is 4.6.
    """
    first, second = np.triu_indices(len(PROBES), 1)
    of = PROBE_ROOM[first], PROBE_ROOM[second]
    far = apart(d)
    return xr.DataArray(
        far[..., (of[0] == 0) & (of[1] == 5)].mean(-1) / far[..., (of[0] == 0) & (of[1] == 1)].mean(-1),
        dims=("seed", "time"),
    )  # fmt: skip


def _late(d: xr.Dataset, name: str, prompt: str, pairs: np.ndarray) -> xr.DataArray:
    curve = d[name].isel(prompt=PROMPTS.index(prompt), pair=np.flatnonzero(pairs), drop=True)
    return curve.isel(time=slice(-LATE, None)).mean(["time", "pair"])


def reach(prompt: str, least: int = 1, most: int = 5) -> Measure:
    """Share of trials that come to the goal at the end of training, goals so many doors away."""

    def measure(d: xr.Dataset) -> xr.DataArray:
        return _late(d, "reached", prompt, (least <= DOORS) & (most >= DOORS))

    measure.__name__ = f"share_reached_by_{prompt}" + (f"_beyond_{least}_doors" if least > 1 else "")
    return measure


def made(prompt: str, least: int = 1) -> Measure:
    """Way made towards the goal at the end of training, in cells; away from it is negative."""

    def measure(d: xr.Dataset) -> xr.DataArray:
        return _late(d, "nearer", prompt, least <= DOORS)

    measure.__name__ = f"way_made_by_{prompt}"
    return measure


def advantage(a: str, b: str, least: int = 1) -> Measure:
    """Difference in the share of trials that come to the goal between two prompts, goals so many doors away."""

    def measure(d: xr.Dataset) -> xr.DataArray:
        return reach(a, least)(d) - reach(b, least)(d)

    measure.__name__ = f"share_reached_by_{a}_minus_{b}" + (f"_beyond_{least}_doors" if least > 1 else "")
    return measure


def reach_of_known(known: bool, prompt: str = "imagined", doors: int = 2) -> Measure:
    """Share of trials that come to goals at most so many doors away, both ends in the first or in the last three rooms.

    Where walks of the data begin in the first room only, the first three rooms are those that the data show best.
    """

    def measure(d: xr.Dataset) -> xr.DataArray:
        inside = (PAIRS < 3).all(1) if known else (PAIRS >= 3).all(1)
        return _late(d, "reached", prompt, inside & (doors >= DOORS))

    measure.__name__ = f"share_reached_by_{prompt}_in_{'known' if known else 'unknown'}_rooms"
    return measure


def lead_of_known(d: xr.Dataset) -> xr.DataArray:
    """How many more imagined walks are followed to their end in the first three rooms than in the last three."""
    return reach_of_known(True)(d) - reach_of_known(False)(d)
