"""Scenes of `change_points`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from emergelab.instruments._scenes import Made, Scene, noise_scenes, wrap
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["SCENES"]

_DRAWS = 499  # fewer could not find one seed in twenty after the correction over seeds


def _any_change(result: Result) -> bool:
    return bool(result.to_frame("seeds")["changes"].any())


def _most_change(result: Result) -> bool:
    return bool((result.to_frame("seeds")["changes"] > 0).mean() > 0.5)


def _lined_up(result: Result) -> bool:
    return result.verdict == "aligned"


def _noise(cost: str) -> Callable[[np.random.Generator, int, int, float], Made]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        return wrap(ar1_noise((seeds, steps), 0.6, rng)), {"draws": _DRAWS, "cost": cost}

    return make


def _step(phi: float, together: bool = False) -> Callable[[np.random.Generator, int, int, float], Made]:
    """A step of ``effect`` standard deviations at a place of its own in every seed, or at one place in all."""

    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        place = rng.uniform(0.25, 0.75, (1 if together else seeds, 1)) * steps
        step = effect * (np.arange(steps) >= place)
        return wrap(step + ar1_noise((seeds, steps), phi, rng)), {"draws": _DRAWS}

    return make


def _kink(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """A bend after which the curve rises by ``effect`` standard deviations until the end."""
    x, place = np.arange(steps) / steps, rng.uniform(0.3, 0.7, (seeds, 1))
    bend = effect * np.maximum(x - place, 0) / (1 - place)
    return wrap(bend + ar1_noise((seeds, steps), 0.6, rng)), {"draws": _DRAWS, "cost": "slope"}


def _slower(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """AR(1) noise whose coefficient goes from 0.1 to ``effect`` halfway, its spread unchanged."""
    half = steps // 2
    values = np.concatenate([ar1_noise((seeds, half), 0.1, rng), ar1_noise((seeds, steps - half), effect, rng)], axis=1)
    return wrap(values), {"draws": _DRAWS, "cost": "ar", "lags": 1}


def _louder(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Noise whose standard deviation is multiplied by ``effect`` from one record to the next."""
    place = rng.uniform(0.25, 0.75, (seeds, 1)) * steps
    values = ar1_noise((seeds, steps), 0.6, rng) * np.where(np.arange(steps) >= place, effect, 1.0)
    return wrap(values), {"draws": _DRAWS, "cost": "variance"}


def _map_of(effect: float, phi: float, rng: np.random.Generator, seeds: int, steps: int) -> Made:
    """Three regimes of three observables, ``effect`` sd of the noise apart; every seed changes at its own times."""
    cut = np.sort(rng.uniform(0.15, 0.85, (seeds, 2)), axis=1) * steps
    state = (np.arange(steps)[None, :, None] >= cut[:, None]).sum(axis=-1)
    level = effect * np.array([[0.0, 0.0, 0.0], [1.0, 0.0, -0.5], [1.0, 1.0, 0.5]])
    noise = ar1_noise((seeds, 3, steps), phi, rng).transpose(0, 2, 1)
    values = level[state] + noise
    data = xr.Dataset(
        {name: (("seed", "time"), values[..., i]) for i, name in enumerate("abc")},
        coords={"time": np.arange(steps, dtype=float)},
    )
    return data, {"var": list("abc"), "states": "bic", "draws": _DRAWS}


def _maps(phi: float) -> Callable[[np.random.Generator, int, int, float], Made]:
    return lambda rng, seeds, steps, effect: _map_of(effect, phi, rng, seeds, steps)


def _steps_of_map(result: Result) -> bool:
    return len(result.to_frame("map_steps")) > 0


def _three_states(result: Result) -> bool:
    return result.to_frame("map_states")["state"].nunique() == 3


SCENES = {
    **noise_scenes(_any_change, draws=_DRAWS),
    "slope of noise": Scene('AR(1) noise of 0.6, cost="slope"', _noise("slope"), _any_change, draws=500),
    "spread of noise": Scene('AR(1) noise of 0.6, cost="variance"', _noise("variance"), _any_change, draws=500),
    "distribution of noise": Scene(
        'AR(1) noise of 0.6, cost="distribution"', _noise("distribution"), _any_change, seeds=(5,), draws=100
    ),
    "rank of noise": Scene('AR(1) noise of 0.6, cost="rank"', _noise("rank"), _any_change, draws=200),
    "coefficients of noise": Scene('AR(1) noise of 0.6, cost="ar"', _noise("ar"), _any_change, draws=200),
    "map of white noise": Scene(
        "a map of three observables of white noise: any step between states", _maps(0.0), _steps_of_map, draws=100
    ),
    "map of slow noise": Scene(
        "a map of three observables of AR(1) noise of 0.9: any step between states", _maps(0.9), _steps_of_map,
        draws=100,
    ),
    "apart": Scene(
        "steps of 8 sd at a place of its own in every seed, called aligned",
        lambda rng, seeds, steps, effect: _step(0.6)(rng, seeds, steps, 8.0), _lined_up, seeds=(5, 10), draws=50,
    ),
    "step": Scene(
        "a step in AR(1) noise of 0.6, found in most seeds", _step(0.6), _most_change,
        unit="height in sd of the noise", effects=(2.0, 3.0, 4.0, 6.0), seeds=(5,), draws=30,
    ),
    "slow": Scene(
        "a step in AR(1) noise of 0.9, 300 records, found in most seeds", _step(0.9), _most_change,
        unit="height in sd of the noise", effects=(1.0, 2.0, 4.0, 6.0), seeds=(5,), steps=300, draws=30,
    ),
    "together": Scene(
        "a step at the same place in every seed, called aligned", _step(0.6, together=True), _lined_up,
        unit="height in sd of the noise", effects=(3.0, 4.0, 6.0), seeds=(8,), draws=30,
    ),
    "kink": Scene(
        "a bend, found in most seeds", _kink, _most_change,
        unit="rise after it in sd of the noise", effects=(4.0, 8.0, 16.0), seeds=(5,), draws=30,
    ),
    "louder": Scene(
        "a change of spread, found in most seeds", _louder, _most_change,
        unit="ratio of standard deviations", effects=(2.0, 3.0, 5.0), seeds=(5,), draws=30,
    ),
    "map": Scene(
        "three regimes of three observables in AR(1) noise of 0.6, exactly three states chosen", _maps(0.6),
        _three_states, unit="distance in sd of the noise", effects=(2.0, 4.0, 6.0), seeds=(6,), draws=20,
    ),
    "slower": Scene(
        'the coefficient of AR(1) noise changes, cost="ar", found in most seeds', _slower, _most_change,
        unit="coefficient after 0.1 before", effects=(0.5, 0.7, 0.9), seeds=(5,), steps=300, draws=20,
    ),
}  # fmt: skip
