"""Scenes of `order_parameters`: exactly sampled mean-field systems, and heaps of seeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import special

from emergelab.instruments._scenes import Made, Scene
from emergelab.instruments.result import Result

__all__ = ["SCENES", "mean_field"]

_SIZES = (16, 64, 256)


def mean_field(
    rng: np.random.Generator,
    kind: str,
    control: Float[np.ndarray, "control"],
    sizes: tuple[int, ...],
    seeds: int,
    records: int,
) -> Float[np.ndarray, "seed size control record"]:
    """Independent equilibrium samples of the magnetisation of N two-state units that all see each other.

    Args:
        rng: generator.
        kind: "ising", pairs of units agree with strength ``control`` (continuous at 1, exponents 1/nu = 1/2 and
            beta/nu = 1/4 in N); "triples", triples do (first-order); "field", no unit sees another and each follows
            the field ``control`` (a smooth response).
        control: strengths.
        sizes: numbers of units.
        seeds: independent chains.
        records: samples of each.
    """
    out = np.empty((seeds, len(sizes), len(control), records))
    for k, n in enumerate(sizes):
        up = np.arange(n + 1)
        m = 2 * up / n - 1
        ways = special.gammaln(n + 1) - special.gammaln(up + 1) - special.gammaln(n - up + 1)
        for j, strength in enumerate(control):
            energy = {"ising": m**2 / 2, "triples": m**3 / 3, "field": m}[kind]
            logs = ways + n * strength * energy
            chance = np.cumsum(np.exp(logs - logs.max()))
            drawn = np.searchsorted(chance / chance[-1], rng.random((seeds, records)))
            out[:, k, j] = m[drawn]
    return out


def _system(kind: str, control: Float[np.ndarray, "control"]) -> Callable[[np.random.Generator, int, int, float], Made]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        sizes = _SIZES if not effect else (16, round(16 * effect**0.5), round(16 * effect))
        m = mean_field(rng, kind, control, sizes, seeds, steps)
        coords = {"size": list(sizes), "control": control, "time": np.arange(steps)}
        data = xr.DataArray(m, dims=("seed", "size", "control", "time"), coords=coords, name="m")
        return data, {"draws": 199, "keep": 1.0}

    return make


def _noise(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """m is noise of the size 1 / sqrt(N) whatever the control."""
    control = np.linspace(0, 2, 9)
    m = rng.standard_normal((seeds, 3, 9, steps)) / np.sqrt(np.array(_SIZES))[:, None, None]
    coords = {"size": list(_SIZES), "control": control, "time": np.arange(steps)}
    data = xr.DataArray(m, dims=("seed", "size", "control", "time"), coords=coords, name="m")
    return data, {"draws": 199, "keep": 1.0}


def _heaps(
    draw: Callable[[np.random.Generator, int, float], Float[np.ndarray, "n"]],
) -> Callable[[np.random.Generator, int, int, float], Made]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        return xr.DataArray(draw(rng, seeds, effect), dims="seed", name="final"), {"draws": 199}

    return make


def _half(rng: np.random.Generator, seeds: int, effect: float) -> Float[np.ndarray, "n"]:
    return rng.standard_normal(seeds) + effect * (rng.random(seeds) < 0.5)


def _never(rng: np.random.Generator, seeds: int, effect: float) -> Float[np.ndarray, "n"]:
    return np.where(rng.random(seeds) < 0.3, 0.0, effect + rng.standard_normal(seeds))


def _transition(result: Result) -> bool:
    return result.verdict in ("continuous", "first-order")


def _first_order(result: Result) -> bool:
    return result.verdict == "first-order"


def _modes(result: Result) -> bool:
    return result.verdict in ("two modes", "zero-inflated")


_AROUND = np.linspace(0.4, 2.0, 9)

SCENES = {
    "field": Scene("units that follow a field and not each other", _system("field", np.linspace(-2.0, 2.0, 9)),
                   _transition, steps=30, draws=400),
    "noise": Scene("noise that shrinks with N and ignores the control", _noise, _transition, steps=30, draws=400),
    "ising is not first-order": Scene("a continuous transition, called first-order", _system("ising", _AROUND),
                                      _first_order, steps=30, draws=60),
    "normal": Scene("seeds from one normal", _heaps(lambda rng, n, e: rng.standard_normal(n)), _modes),
    "exponential": Scene("seeds from an exponential", _heaps(lambda rng, n, e: rng.exponential(size=n)), _modes),
    "heavy": Scene("seeds from Student's t with 3 degrees", _heaps(lambda rng, n, e: rng.standard_t(3, n)), _modes),
    "uniform": Scene("seeds from a uniform", _heaps(lambda rng, n, e: rng.random(n)), _modes),
    "ising": Scene("a continuous transition at 1, sizes 16 to 16 times the effect", _system("ising", _AROUND),
                   _transition, unit="ratio of the largest size to the smallest", effects=(2.0, 4.0), steps=30,
                   draws=25),
    "triples": Scene("a first-order transition", _system("triples", np.linspace(1.8, 2.4, 13)), _first_order,
                     unit="ratio of the largest size to the smallest", effects=(2.0, 4.0), steps=30, draws=25),
    "two modes": Scene("two equal heaps of seeds", _heaps(_half), _modes, unit="separation in sd",
                       effects=(4.0, 5.0, 6.0, 8.0), seeds=(10, 20, 30), draws=200),
    "never": Scene("three seeds in ten stay at 0", _heaps(_never), _modes, unit="distance of the others in sd",
                   effects=(3.0, 5.0, 10.0), seeds=(5, 10, 20), draws=200),
}  # fmt: skip
