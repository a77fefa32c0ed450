"""Scenes of `early_warning`: noise, a step from outside, and three bifurcations on the way."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.instruments._scenes import Made, Scene, noise_scenes, wrap
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["SCENES", "flip", "fold", "hopf"]

Paths = Float[np.ndarray, "seed time"]

# one setting and one look keep a data set cheap; the sensitivity grid and the looks pay for themselves
_QUICK = {"bandwidth": 0.2, "window": 0.5, "looks": (1.0,), "draws": 199}


def fold(rng: np.random.Generator, seeds: int, steps: int, way: float) -> Paths:
    """May's (1977) harvested population; harvest grows ``way`` of the way to the fold at 0.260."""
    inner, dt = 20, 0.1
    x = np.full(seeds, 0.8)
    out = np.empty((seeds, steps))
    for t in range(-50, steps):
        h = 0.15 + 0.11 * way * max(t, 0) / steps
        for _ in range(inner):
            x = x + (x * (1 - x) - h * x**2 / (0.01 + x**2)) * dt + 0.01 * np.sqrt(dt) * rng.standard_normal(seeds)
            x = np.maximum(x, 0.0)
        if t >= 0:
            out[:, t] = x
    return out


def flip(rng: np.random.Generator, seeds: int, steps: int, way: float) -> Paths:
    """Ricker's (1954) map; its growth rate goes from 1 ``way`` of the way to the period doubling at 2."""
    x = np.ones(seeds)
    out = np.empty((seeds, steps))
    for t in range(-50, steps):
        x = x * np.exp((1 + way * max(t, 0) / steps) * (1 - x) + 0.03 * rng.standard_normal(seeds))
        if t >= 0:
            out[:, t] = x
    return out


def hopf(rng: np.random.Generator, seeds: int, steps: int, way: float) -> Paths:
    """The resource of Rosenzweig and MacArthur (1963); attack grows from 12 ``way`` of the way to the Hopf at 15.69."""
    inner, dt = 50, 0.01
    x, y = np.full(seeds, 0.53), np.full(seeds, 0.6)
    out = np.empty((seeds, steps))
    for t in range(-50, steps):
        a = 12 + 3.69 * way * max(t, 0) / steps
        shocks = 0.01 * np.sqrt(dt) * rng.standard_normal((inner, 2, seeds))
        for shock in shocks:
            eaten = a * x * y / (1 + 0.15 * a * x)
            x, y = (
                np.maximum(x + (4 * x * (1 - x / 1.7) - eaten) * dt + shock[0], 0.0),
                np.maximum(y + (0.5 * eaten - 2 * y) * dt + shock[1], 0.0),
            )
        if t >= 0:
            out[:, t] = x
    return out


def _alone(values: Paths) -> Made:
    """Records that end at their transition, judged against surrogates."""
    return wrap(values), {**_QUICK, "transition": float(values.shape[1] - 1)}


def _beside(events: Paths, controls: Paths) -> Made:
    """The same with as many neutral records."""
    data: xr.DataArray = wrap(np.stack([events, controls]))
    return data, {**_QUICK, "transition": float(events.shape[1] - 1), "neutral": "b"}


def _step(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """AR(1) noise of 0.6 that is pushed up by ten standard deviations, without any slowing down before."""
    longer = ar1_noise((seeds, steps + steps // 4), 0.6, rng)
    longer[:, steps:] += 10.0
    return wrap(longer), {**_QUICK, "transition": float(steps - 1)}


def _monitored(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    return wrap(ar1_noise((seeds, steps), 0.6, rng)), {**_QUICK, "looks": (0.6, 0.7, 0.8, 0.9, 1.0)}


def _warned(result: Result) -> bool:
    return result.verdict == "warned"


SCENES = {
    **noise_scenes(_warned, **_QUICK, transition=99.0),
    "grid": Scene(
        "AR(1) noise of 0.6, four settings of bandwidth and window",
        lambda rng, seeds, steps, effect: (
            wrap(ar1_noise((seeds, steps), 0.6, rng)),
            {"looks": (1.0,), "draws": 199, "transition": float(steps - 1)},
        ),
        _warned, draws=300,
    ),
    "monitored": Scene("AR(1) noise of 0.6, no transition known, five looks", _monitored, _warned, draws=300),
    "step": Scene("a step from outside, AR(1) noise of 0.6 before it", _step, _warned, draws=500),
    "controls": Scene(
        "AR(1) noise of 0.6 in which nothing happens, and as many neutral records of it",
        lambda rng, seeds, steps, effect: _beside(*np.split(ar1_noise((2 * seeds, steps), 0.6, rng), 2)),
        _warned, draws=500,
    ),
    "fold": Scene(
        "a harvested population on its way to a fold",
        lambda rng, seeds, steps, way: _alone(fold(rng, seeds, steps, way)),
        _warned, unit="share of the way", effects=(0.6, 0.8, 0.95), seeds=(1, 5, 20), steps=200, draws=40,
    ),
    "flip": Scene(
        "a population on its way to period doubling",
        lambda rng, seeds, steps, way: _alone(flip(rng, seeds, steps, way)),
        _warned, unit="share of the way", effects=(0.6, 0.8, 0.95), seeds=(1, 5, 20), steps=200, draws=40,
    ),
    "hopf": Scene(
        "predator and prey on their way to a Hopf bifurcation",
        lambda rng, seeds, steps, way: _alone(hopf(rng, seeds, steps, way)),
        _warned, unit="share of the way", effects=(0.6, 0.8, 0.95), seeds=(1, 5), steps=200, draws=20,
    ),
    "fold_against_neutral": Scene(
        "the fold, beside as many neutral records",
        lambda rng, seeds, steps, way: _beside(fold(rng, seeds, steps, way), fold(rng, seeds, steps, 0.0)),
        _warned, unit="share of the way", effects=(0.6, 0.8, 0.95), seeds=(5, 20), steps=200, draws=40,
    ),
}  # fmt: skip
