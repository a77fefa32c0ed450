"""Scenes of `passuntil`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.instruments._scenes import Made, Scene
from emergelab.instruments.result import Result

__all__ = ["SCENES", "records"]

SIZES = np.array([0.03, 0.1, 0.25, 0.5, 1.0, 2.4])
"""Parameters of the planted series, in thousand millions."""

_C, _ALPHA, _CAP = 8e4, 0.53, 1_000_000


def records(
    rate: Float[np.ndarray, "item x"], x: Float[np.ndarray, "x"], rng: np.random.Generator, target: int = 5
) -> xr.Dataset:
    """Tries until ``target`` passes (or a million tries) for items that pass with the given rates."""
    tries = target + rng.negative_binomial(target, np.clip(rate, 1e-9, 1.0))
    capped = tries > _CAP
    passes = np.where(capped, np.minimum(rng.binomial(_CAP, rate), target - 1), target)
    block = {"tries": (("item", "size"), np.where(capped, _CAP, tries)), "passes": (("item", "size"), passes)}
    return xr.Dataset(block, coords={"size": x})


def _series(bend: float, count: int) -> Float[np.ndarray, "x"]:
    """PU of ``count`` sizes: F straight in ln N, or with a slope that changes by ``bend`` over the sizes."""
    x = SIZES if count == len(SIZES) else np.geomspace(SIZES[0], SIZES[-1], count)
    u = np.log(x * 1e9)
    f = np.log(_C) - _ALPHA * u
    middle, reach = (u[0] + u[-1]) / 2, u[-1] - u[0]
    return np.exp(-np.exp(f + bend * ((u - middle) ** 2 / (2 * reach) - reach / 24)))


def _line(bend: float, spread: float) -> Callable[[np.random.Generator, int, int, float], Made]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        x = SIZES if steps == len(SIZES) else np.geomspace(SIZES[0], SIZES[-1], steps)
        pu = _series(bend if effect == 0 else effect, steps)
        items = 164
        hard = np.exp(spread * rng.standard_normal((items, 1)))  # of ln p, item by item
        rate = np.exp(np.log(pu)[None] * hard)
        return records(rate, x, rng), {"draws": 99}

    return make


def _two_circuits(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """A second circuit switches on at 0.5e9 and is ``effect`` times steeper than the first."""
    x = np.geomspace(SIZES[0], SIZES[-1], steps)
    slow = np.exp(-6.0 * (x / 0.5) ** -0.15)
    share = 1 / (1 + np.exp(-np.clip(8 * np.log(x / 0.5), -60, 60)))
    fast = np.exp(-2.0 * (x / 0.5) ** -effect)
    rate = (1 - share) * slow + share * fast
    return records(np.repeat(rate[None], 164, axis=0), x, rng), {"draws": 99}


def _five_steps(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Five steps that must all succeed, with exponents from 0.2 to 0.9."""
    x = np.geomspace(SIZES[0], SIZES[-1], steps)
    hazard = sum(0.25 * (x / 0.5) ** -a for a in np.linspace(0.2, 0.9, 5))
    return records(np.repeat(np.exp(-hazard)[None], 164, axis=0), x, rng), {"draws": 99}


def _bent(result: Result) -> bool:
    return result.verdict in ("concave", "convex")


def _concave(result: Result) -> bool:
    return result.verdict == "concave"


SCENES = {
    "line": Scene("the planted line, items alike: any bend", _line(0.0, 0.0), _bent, seeds=(1,), steps=6),
    "line, 12 sizes": Scene("twelve sizes on the line, items alike", _line(0.0, 0.0), _bent, seeds=(1,), steps=12),
    "line, items differ": Scene(
        "every item on its own line (ln p spread by a factor of e^0.3): any bend", _line(0.0, 0.3), _bent,
        seeds=(1,), steps=6,
    ),
    "five steps": Scene(
        "a product of five steps called concave", _five_steps, _concave, seeds=(1,), steps=6, draws=500
    ),
    "bend": Scene(
        "F bends downwards", _line(0.0, 0.0), _concave,
        unit="change of slope", effects=(-0.1, -0.2, -0.4, -0.8), seeds=(1,), steps=6, draws=200,
    ),
    "two circuits": Scene(
        "a second circuit switches on at 0.5e9", _two_circuits, _concave,
        unit="its exponent", effects=(0.3, 0.6, 1.0), seeds=(1,), steps=6, draws=200,
    ),
}  # fmt: skip
