"""Scenes of `behaviours`: agents whose behaviours come and go at the same rates throughout and in no order, a behaviour
that appears, and one that follows another."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.instruments._scenes import Made, Scene
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["SCENES", "states"]

_STATES = ("rest", "feed", "groom", "play")
_ASK = {name: f'state == "{name}"' for name in _STATES}
_AGENTS = 4


def states(
    rng: np.random.Generator, seeds: int, agents: int, steps: int, chance: Float[np.ndarray, "from to"], stay: float
) -> xr.DataArray:
    """Agents that stay in a state with a chance of ``stay`` a step, else go to another with those of ``chance``."""
    k = len(chance)
    edge = np.cumsum(chance, axis=1)
    now = rng.integers(0, k, (seeds, agents))
    out = np.empty((seeds, agents, steps), dtype=int)
    leaves, lots = rng.random((steps, seeds, agents)) >= stay, rng.random((steps, seeds, agents))
    for t in range(steps):
        to = np.minimum((lots[t][..., None] >= edge[now]).sum(axis=-1), k - 1)
        now = np.where(leaves[t], to, now)
        out[:, :, t] = now
    words = np.array(_STATES[:k])[out]
    coords = {"time": np.arange(steps, dtype=float)}
    return xr.DataArray(words, dims=("seed", "agent", "time"), coords=coords, name="state")


def _even(k: int) -> Float[np.ndarray, "from to"]:
    return (1 - np.eye(k)) / (k - 1)


def _steady(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    return states(rng, seeds, _AGENTS, steps, _even(4), 0.8), {"predicates": _ASK, "draws": 99}


def _rare(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Of each kind, so few bouts that the first third of all seeds together has about three."""
    flags = rng.random((4, seeds, _AGENTS, steps)) < 9.0 / (seeds * _AGENTS * steps)
    coords = {"time": np.arange(steps, dtype=float)}
    named = {
        n: xr.DataArray(f, dims=("seed", "agent", "time"), coords=coords) for n, f in zip("abcd", flags, strict=True)
    }
    return xr.Dataset(named), {"predicates": {f"rare_{n}": n for n in "abcd"}, "draws": 99}


def _overlapping(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Three urges that come and go slowly, each by itself."""
    coords = {"time": np.arange(steps, dtype=float)}
    urges = ar1_noise((3, seeds, _AGENTS, steps), 0.8, rng)
    named = {
        n: xr.DataArray(u, dims=("seed", "agent", "time"), coords=coords) for n, u in zip("abc", urges, strict=True)
    }
    return xr.Dataset(named), {"predicates": {f"high_{n}": f"{n} > 0.5" for n in "abc"}, "draws": 99}


def _appears(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """From the middle on, so many bouts of play a seed, among behaviours that go on as before."""
    data = states(rng, seeds, _AGENTS, steps, _even(3), 0.8)
    late = np.arange(steps) >= steps // 2
    starts = rng.random((seeds, _AGENTS, steps)) < effect / (_AGENTS * late.sum()) * late
    data.values[starts] = "play"
    return data, {"predicates": _ASK, "draws": 99}


def _follows(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Feeding goes over to grooming with a chance that is so much above that of the other two."""
    chance = _even(4)
    chance[1] = (1 - effect) * chance[1] + effect * np.array([0.0, 0.0, 1.0, 0.0])
    return states(rng, seeds, _AGENTS, steps, chance, 0.8), {"predicates": _ASK, "draws": 99}


def _new(result: Result) -> bool:
    return bool(result.tables["thirds"]["new"].any())


def _ordered(result: Result) -> bool:
    return bool((result.tables["transitions"]["p"] <= 0.05).any())


SCENES = {
    "steady": Scene("four states at the same rates throughout, called new", _steady, _new, steps=120),
    "rare": Scene("four rare behaviours at the same rates throughout, called new", _rare, _new, steps=120),
    "shuffled": Scene("four states in no order, called ordered", _steady, _ordered, steps=120),
    "overlapping": Scene(
        "three behaviours that overlap, each by itself, called ordered", _overlapping, _ordered, steps=120
    ),
    "appears": Scene(
        "a behaviour that appears half way", _appears, _new,
        unit="bouts a seed", effects=(2.0, 4.0, 8.0), steps=120, draws=200,
    ),
    "follows": Scene(
        "feeding that goes over to grooming", _follows, _ordered,
        unit="chance above that by lot", effects=(0.1, 0.2, 0.4), steps=120, draws=200,
    ),
}  # fmt: skip
