"""Scenes of `onset`."""

from __future__ import annotations

import numpy as np

from emergelab.instruments._scenes import Made, Scene, noise_scenes, wrap
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["SCENES"]


def _any_onset(result: Result) -> bool:
    return bool(result.to_frame()["emerged"].any())


def _most_onset(result: Result) -> bool:
    return bool(result.to_frame()["emerged"].mean() > 0.5)


def _rise(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """A step of ``effect`` noise standard deviations at a place of its own in every seed, AR(1) noise of 0.6."""
    time = np.arange(steps, dtype=float)
    place = rng.uniform(0.25, 0.75, (seeds, 1)) * steps
    curve = effect / (1 + np.exp(-(time - place) / (0.02 * steps)))
    return wrap(curve + ar1_noise((seeds, steps), 0.6, rng), time), {"draws": 499}


def _two_conditions(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Two conditions whose log onsets differ by ``effect`` standard deviations; one seed in five never emerges."""
    time = np.arange(steps, dtype=float)
    shift = effect * np.array([0.0, 1.0])[:, None, None]
    logs = np.log(0.35 * steps) + 0.3 * (rng.standard_normal((2, seeds, 1)) + shift)
    curve = 1 / (1 + np.exp(-(time - np.exp(logs)) / (0.02 * steps)))
    curve = np.where(rng.random((2, seeds, 1)) < 0.2, 0.0, curve)
    return wrap(curve + 0.08 * rng.standard_normal((2, seeds, steps)), time), {"threshold": 0.5, "draws": 999}


def _ordered(result: Result) -> bool:
    return float(result.to_frame("contrasts")["p"].iloc[0]) <= 0.05


SCENES = {
    **noise_scenes(_any_onset, draws=499),
    "same": Scene(
        "two conditions with the same onsets, 20% never",
        lambda rng, seeds, steps, effect: _two_conditions(rng, seeds, steps, 0.0),
        _ordered,
    ),
    "rise": Scene(
        "a rise in every seed, found in most", _rise, _most_onset,
        unit="height in sd of the noise", effects=(3.0, 4.0, 6.0, 8.0), draws=200,
    ),
    "later": Scene(
        "onsets of b later than of a, 20% never", _two_conditions, _ordered,
        unit="shift in sd of log onset", effects=(0.5, 1.0, 1.5, 2.0), seeds=(5, 10, 20, 40), draws=200,
    ),
}  # fmt: skip
