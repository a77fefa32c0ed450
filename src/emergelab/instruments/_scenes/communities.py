"""Scenes of `communities`: agents that have nothing in common, groups that stay, and groups that change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from emergelab.instruments._scenes import NOISES, Made, Scene, noise
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["SCENES", "blocks"]

_AGENTS = 12
_CALL = {"draws": 99}


def _traces(x: Float[np.ndarray, "seed agent time"]) -> xr.DataArray:
    coords = {"time": np.arange(x.shape[2], dtype=float)}
    return xr.DataArray(x, dims=("seed", "agent", "time"), coords=coords, name="activity")


def _noises(kind: str) -> Callable[[np.random.Generator, int, int, float], Made]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        return _traces(noise(kind, rng, (seeds, _AGENTS, steps))), {"windows": 6, **_CALL}

    return make


def blocks(
    rng: np.random.Generator,
    seeds: int,
    steps: int,
    groups: Int[np.ndarray, "stage agent"],
    spread: float,
) -> xr.DataArray:
    """Agents that follow the signal of their group, with noise of their own of ``spread`` standard deviations.

    The groups of each stage hold for an equal stretch of the record.
    """
    k, n = int(groups.max()) + 1, groups.shape[1]
    signal = ar1_noise((seeds, k, steps), 0.5, rng)
    stage = np.minimum(np.arange(steps) * len(groups) // steps, len(groups) - 1)
    x = signal[:, groups[stage].T, np.arange(steps)]  # seed, agent, time
    return _traces(x + spread * rng.standard_normal((seeds, n, steps)))


_EVEN = np.repeat([[0, 1]], _AGENTS // 2, axis=1).reshape(1, -1)


def _groups(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Two groups; effect: standard deviation of the common signal in units of that of the agent's own noise."""
    return _traces(effect * blocks(rng, seeds, steps, _EVEN, 1 / effect).values), {"windows": 6, **_CALL}


def _still(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    return blocks(rng, seeds, steps, _EVEN, 0.7), {"windows": 6, **_CALL}


def _regroup(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Half way, so many agents of each group change sides."""
    after = _EVEN.copy()
    m, half = int(effect), _AGENTS // 2
    after[0, :m], after[0, half : half + m] = 1, 0
    return blocks(rng, seeds, steps, np.vstack([_EVEN, after]), 0.7), {"windows": 6, **_CALL}


def _there(result: Result) -> bool:
    return result.verdict != "none shown"


def _dynamic(result: Result) -> bool:
    return result.verdict == "dynamic communities"


SCENES = {
    **{
        kind: Scene(f"{_AGENTS} agents, each {about}", _noises(kind), _there, steps=180)
        for kind, about in NOISES.items()
    },
    "still": Scene("two groups that stay, called dynamic", _still, _dynamic, steps=180),
    "groups": Scene(
        "two groups of six", _groups, _there,
        unit="common signal in sd of own noise", effects=(0.2, 0.3, 0.5), steps=180, draws=100,
    ),
    "regroup": Scene(
        "two groups of six, half way some change sides", _regroup, _dynamic,
        unit="agents of each group that change", effects=(1.0, 2.0, 3.0), steps=180, draws=100,
    ),
}  # fmt: skip
