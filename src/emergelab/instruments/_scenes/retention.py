"""Scenes of `retention`: noise that no exposure changes, planted gains, and planted laws of forgetting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._scenes import NOISES, Made, Scene, noise
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["SCENES", "left_of", "probes"]

_SEEN, _NEVER = 6, 6  # items
_LAWS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "logarithmic": lambda t, rate: np.maximum(1 - rate * np.log10(1 + t), 0.0),
    "power law": lambda t, rate: (1 + t) ** -rate,
    "exponential": lambda t, rate: np.exp(-rate * t),
}


def left_of(law: str, age: Float[np.ndarray, "*n"], rate: float) -> Float[np.ndarray, "*n"]:
    """What is left of a gain of 1 at an age, nothing at ages below 0: 1 - rate log10(1 + t), at least 0; (1 + t)^-rate;
    exp(-rate t)."""
    if law not in _LAWS:
        raise UserError(f"retention: no law {law!r}{nearest(law, _LAWS)}")
    return np.where(age >= 0, _LAWS[law](np.maximum(age, 0.0), rate), 0.0)


def probes(
    rng: np.random.Generator,
    *,
    seeds: int = 5,
    items: int = 20,
    never: int = 20,
    times: tuple[float, ...] = (100.0,),
    steps: int = 1200,
    gain: float = 2.0,
    law: str = "logarithmic",
    rate: float = 0.25,
    sd: float = 0.2,
) -> tuple[xr.DataArray, dict[int, list[float]]]:
    """Probe series with one kernel of forgetting an exposure in white noise, and the exposures; the last ``never``
    items are never seen. A kernel begins one step after its exposure."""
    time = np.arange(steps, dtype=float)
    y = sd * rng.standard_normal((seeds, items + never, steps))
    y[:, :items] += gain * sum(left_of(law, time - at - 1, rate) for at in times)
    data = xr.DataArray(y, dims=("seed", "item", "time"), coords={"time": ("time", time, {"units": "steps"})})
    return data.rename("log_probability"), {i: list(times) for i in range(items)}


def _nothing(kind: str) -> Callable[[np.random.Generator, int, int, float], Made]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        y = noise(kind, rng, (seeds, _SEEN + _NEVER, steps))
        data = xr.DataArray(y, dims=("seed", "item", "time"), coords={"time": np.arange(steps, dtype=float)}, name="y")
        return data, _call(steps)

    return make


def _call(steps: int) -> dict[str, object]:
    return {"exposures": {k: [0.3 * steps] for k in range(_SEEN)}, "window": 0.1 * steps, "draws": 199}


def _acquired(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """A gain of ``effect`` standard deviations of AR(1) noise of 0.6 that decays with the logarithm of the lag."""
    time = np.arange(steps, dtype=float)
    y = ar1_noise((seeds, _SEEN + _NEVER, steps), 0.6, rng)
    y[:, :_SEEN] += effect * left_of("logarithmic", time - 0.3 * steps - 1, 0.3)
    return xr.DataArray(y, dims=("seed", "item", "time"), coords={"time": time}, name="y"), _call(steps)


def _law(law: str, rate: float) -> Callable[[np.random.Generator, int, int, float], Made]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        lag = np.geomspace(1, 1000, 16)
        y = left_of(law, lag if law == "exponential" else lag - 1, rate)
        y = y + effect * rng.standard_normal((seeds, 4, len(lag)))
        return xr.DataArray(y, dims=("seed", "item", "lag"), coords={"lag": lag}, name="score"), {"draws": 199}

    return make


def _gain(result: Result) -> bool:
    return bool(result.p <= 0.05)


def _found(law: str) -> Callable[[Result], bool]:
    return lambda result: result.verdict == law


_CLEAN = 0.05  # sd of the noise of an item where laws are told apart

SCENES = {
    **{kind: Scene(f"{about}, no exposure changes anything", _nothing(kind), _gain, draws=500)
       for kind, about in NOISES.items()},
    "exponential is no power": Scene(
        "exponential decay over three decades, called a power law or logarithmic",
        lambda rng, seeds, steps, effect: _law("exponential", 0.01)(rng, seeds, steps, _CLEAN),
        lambda result: result.verdict in ("power law", "logarithmic"), draws=200,
    ),
    "power is no exponential": Scene(
        "power law over three decades, called exponential",
        lambda rng, seeds, steps, effect: _law("power law", 0.3)(rng, seeds, steps, _CLEAN),
        _found("exponential"), draws=200,
    ),
    "acquired": Scene(
        "a gain in AR(1) noise of 0.6, six items", _acquired, lambda result: _gain(result) and result.effect.value > 0,
        unit="gain in sd of the noise", effects=(0.5, 1.0, 2.0), draws=100,
    ),
    **{law: Scene(f"{law} over three decades of lag, found", _law(law, rate), _found(law),
                  unit="sd of the noise of an item", effects=(0.02, 0.05, 0.1), draws=100)
       for law, rate in (("exponential", 0.01), ("power law", 0.3), ("logarithmic", 0.25))},
}  # fmt: skip
