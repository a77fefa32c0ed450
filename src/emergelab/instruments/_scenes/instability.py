"""Scenes of `instability`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from emergelab.instruments._scenes import Made, Scene, noise_scenes, wrap
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["SCENES"]

_DRAWS = 499


def _any_unstable(result: Result) -> bool:
    return bool(result.to_frame("seeds")["unstable"].any())


def _decided(result: Result) -> bool:
    return result.verdict in ("less sensitive", "more sensitive")


def _grows(result: Result) -> bool:
    return result.verdict in ("grows with size", "falls with size")


def _spike(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """One seed jumps by ``effect`` standard deviations of its noise for good."""
    values = ar1_noise((seeds, steps), 0.6, rng)
    values[0, int(rng.uniform(0.3, 0.8) * steps) :] += effect
    return wrap(values), {"draws": _DRAWS}


def _basin(rng: np.random.Generator, seeds: int, shift: float, growth: float) -> xr.DataArray:
    """Loss over the rate: a flat basin whose right wall stands at rate 0.1, lower by ``growth`` decades a decade of
    size and by ``shift`` decades in the second condition; noise in the loss and in the place of the wall."""
    size, rate = np.geomspace(1e6, 1e8, 3), np.geomspace(1e-3, 1.0, 10)
    wall = -1.0 - growth * np.log10(size / 1e6)[None, :, None] - np.array([0.0, shift])[:, None, None, None]
    wall = wall + 0.1 * rng.standard_normal((1, seeds, 1, 1))
    loss = 2 + 5 / (1 + np.exp(-(np.log10(rate) - wall) / 0.05)) + 0.05 * rng.standard_normal((2, seeds, 3, 10))
    dims, coords = ("condition", "seed", "size", "lr"), {"condition": ["a", "b"], "size": size, "lr": rate}
    return xr.DataArray(loss, dims=dims, coords=coords, name="loss")


def _shifted(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    return _basin(rng, seeds, effect, 0.2), {"initial": 7.0, "draws": 199}


def _growing(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    return _basin(rng, seeds, 0.0, effect).isel(condition=[0]), {"initial": 7.0, "draws": 199}


SCENES = {
    **noise_scenes(_any_unstable, draws=_DRAWS),
    "same": Scene(
        "two conditions with the same edge of divergence",
        lambda rng, seeds, steps, effect: _shifted(rng, seeds, steps, 0.0), _decided, seeds=(6, 10), draws=100,
    ),
    "level": Scene(
        "sizes with the same edge of divergence",
        lambda rng, seeds, steps, effect: _growing(rng, seeds, steps, 0.0), _grows, seeds=(6, 10), draws=100,
    ),
    "breakdown": Scene(
        "one seed jumps for good, in AR(1) noise of 0.6", _spike, _any_unstable,
        unit="height in sd of the noise", effects=(4.0, 6.0, 8.0, 12.0), seeds=(5,), draws=100,
    ),
    "shift": Scene(
        "the edge of b lies lower", _shifted, _decided,
        unit="decades of rate", effects=(0.02, 0.05, 0.1), seeds=(6, 10), draws=50,
    ),
    "growth": Scene(
        "the edge falls with size", _growing, _grows,
        unit="decades of rate a decade of size", effects=(0.01, 0.03, 0.1), seeds=(6, 10), draws=50,
    ),
}  # fmt: skip
