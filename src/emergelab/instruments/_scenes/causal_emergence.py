"""Scenes of `causal_emergence`: parts that do not interact, matrices without a common macro level, and planted ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.instruments._scenes import NOISES, Made, Scene, noise
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["SCENES", "parity"]

_PARTS = 3
_STATES = 5
_CALL = {"draws": 99}


def _series(x: Float[np.ndarray, "seed time part"]) -> xr.DataArray:
    coords = {"time": np.arange(x.shape[1], dtype=float)}
    return xr.DataArray(x, dims=("seed", "time", "part"), coords=coords, name="x")


def _mean(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.mean(axis=-1))


def _first(x: np.ndarray) -> np.ndarray:
    return np.asarray(x[..., 0])


def _odd(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.sum(axis=-1) % 2)


def _noises(kind: str) -> Callable[[np.random.Generator, int, int, float], Made]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        x = noise(kind, rng, (seeds, _PARTS, steps))
        return _series(np.swapaxes(x, 1, 2)), {"macro": _mean, **_CALL}

    return make


def _copy(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """The macro variable is one of the parts: psi is exactly 0."""
    x = ar1_noise((seeds, _PARTS, steps), 0.8, rng)
    return _series(np.swapaxes(x, 1, 2)), {"macro": _first, **_CALL}


def parity(rng: np.random.Generator, seeds: int, steps: int, keep: float, bits: int = 3) -> xr.DataArray:
    """Bits that are drawn anew at every step but for their parity, which is kept with probability ``keep``."""
    change = rng.random((seeds, steps)) >= keep
    odd = (rng.integers(0, 2, (seeds, 1)) + np.cumsum(change, axis=1)) % 2
    x = rng.integers(0, 2, (seeds, steps, bits))
    x[..., -1] = (odd + x[..., :-1].sum(axis=-1)) % 2
    return _series(x.astype(float))


def _parity(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    return parity(rng, seeds, steps, effect), {"macro": _odd, **_CALL}


def _matrices(rows: Float[np.ndarray, "seed n n"]) -> xr.DataArray:
    return xr.DataArray(rows, dims=("seed", "state", "next"), name="matrix")


def _rows(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Rows drawn apart from one another, evenly from the simplex."""
    return _matrices(rng.dirichlet(np.full(_STATES, 0.5), (seeds, _STATES))), dict(_CALL)


def _counts(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    rows = rng.dirichlet(np.full(_STATES, 0.5), (seeds, _STATES))
    return _matrices(rng.multinomial(steps, rows).astype(float)), {"kind": "counts", **_CALL}


def _blocks(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """All states but one lead evenly to one another, the last to itself; the rest of each row is drawn by chance."""
    group = np.arange(_STATES) == _STATES - 1
    block = (group[:, None] == group[None, :]).astype(float)
    block /= block.sum(axis=1, keepdims=True)
    chance = rng.dirichlet(np.full(_STATES, 0.5), (seeds, _STATES))
    return _matrices(effect * block + (1 - effect) * chance), dict(_CALL)


def _claimed(result: Result) -> bool:
    return result.verdict in ("emergent", "decoupled")


SCENES = {
    **{
        kind: Scene(f"mean of {_PARTS} parts, each {about}", _noises(kind), _claimed) for kind, about in NOISES.items()
    },
    "copy": Scene("macro variable is one of the parts, AR(1) of 0.8", _copy, _claimed),
    "rows": Scene("matrices of 5 states, rows by chance", _rows, _claimed, seeds=(1, 5)),
    "counts": Scene("the same, 200 transitions counted a row", _counts, _claimed, seeds=(1, 5), steps=200, draws=300),
    "parity": Scene(
        "parity of 3 bits is kept", _parity, _claimed,
        unit="probability to keep it", effects=(0.6, 0.65, 0.7, 0.8), draws=100,
    ),
    "blocks": Scene(
        "four states lead evenly to one another, the fifth to itself", _blocks, _claimed,
        unit="weight of the groups against chance rows", effects=(0.7, 0.9, 1.0), seeds=(1, 5), draws=200,
    ),
}  # fmt: skip
