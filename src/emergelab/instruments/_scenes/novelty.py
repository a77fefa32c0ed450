"""Scenes of `novelty`."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.instruments._scenes import NOISES, Made, Scene, noise
from emergelab.instruments.result import Result

__all__ = ["SCENES"]

_DIMS = 6
_CALL = {"draws": 199}


def _vectors(values: Float[np.ndarray, "seed time feature"]) -> xr.DataArray:
    coords = {"time": np.arange(values.shape[1], dtype=float)}
    return xr.DataArray(values, dims=("seed", "time", "feature"), coords=coords, name="artefacts")


def _noisy(kind: str) -> Scene:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        # a linear trend is progress, not a null, so that noise is taken without its trend
        values = noise("ar1" if kind == "trend" else kind, rng, (seeds, _DIMS, steps))
        return _vectors(values.transpose(0, 2, 1)), dict(_CALL)

    about = NOISES[kind] if kind != "trend" else "AR(1) noise of 0.9, another draw"
    return Scene(f"{about} in {_DIMS} dimensions", make, _open)


def _walk(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    return _vectors(rng.standard_normal((seeds, steps, 10)).cumsum(axis=1)), dict(_CALL)


def _mutating(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Strings of 12 letters; one place a record gets a random letter."""
    text = rng.integers(0, 4, (seeds, 12))
    out = np.empty((seeds, steps), dtype=object)
    for t in range(steps):
        text[np.arange(seeds), rng.integers(0, 12, seeds)] = rng.integers(0, 4, seeds)
        out[:, t] = ["".join("abcd"[v] for v in row) for row in text]
    return _strings(out), dict(_CALL)


def _strings(values: np.ndarray) -> xr.DataArray:
    coords = {"time": np.arange(values.shape[1], dtype=float)}
    return xr.DataArray(values, dims=("seed", "time"), coords=coords, name="artefacts")


def _advance(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """A random walk that drifts by ``effect`` steps a record in a direction of its own."""
    way = rng.standard_normal((seeds, 1, _DIMS))
    way /= np.sqrt((way**2).sum(axis=-1, keepdims=True))
    step = rng.standard_normal((seeds, steps, _DIMS)) / np.sqrt(_DIMS)
    return _vectors((step + effect * way).cumsum(axis=1)), dict(_CALL)


def _open(result: Result) -> bool:
    return result.verdict == "open so far"


SCENES = {
    **{kind: _noisy(kind) for kind in ("white", "ar1", "heteroscedastic")},
    "walk": Scene("random walk in 10 dimensions, verdict 'open so far'", _walk, _open),
    "mutating": Scene("strings that change one letter at random, verdict 'open so far'", _mutating, _open, draws=200),
    "advance": Scene(
        "random walk with a drift of its own, found 'open so far'", _advance, _open,
        unit="drift in steps a record", effects=(0.25, 0.5, 1.0, 2.0), draws=200,
    ),
}  # fmt: skip
