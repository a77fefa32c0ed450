"""Scenes of `change_points`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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


def _louder(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Noise whose standard deviation is multiplied by ``effect`` from one record to the next."""
    place = rng.uniform(0.25, 0.75, (seeds, 1)) * steps
    values = ar1_noise((seeds, steps), 0.6, rng) * np.where(np.arange(steps) >= place, effect, 1.0)
    return wrap(values), {"draws": _DRAWS, "cost": "variance"}


SCENES = {
    **noise_scenes(_any_change, draws=_DRAWS),
    "slope of noise": Scene('AR(1) noise of 0.6, cost="slope"', _noise("slope"), _any_change, draws=500),
    "spread of noise": Scene('AR(1) noise of 0.6, cost="variance"', _noise("variance"), _any_change, draws=500),
    "distribution of noise": Scene(
        'AR(1) noise of 0.6, cost="distribution"', _noise("distribution"), _any_change, seeds=(5,), draws=100
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
}  # fmt: skip
