"""Scenes of `learning_curves`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emergelab.instruments._scenes import Made, Scene, noise_scenes, wrap
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["SCENES"]

_CALL = {"laws": ("pow3", "exp3", "log2", "line"), "draws": 199, "backbone": False}


def _surprised(result: Result) -> bool:
    return float(result.to_frame()["p_surprise"].iloc[0]) <= 0.05


def _turned(result: Result) -> bool:
    return float(result.to_frame()["p_turn"].iloc[0]) <= 0.05


def _differs(result: Result) -> bool:
    table = result.to_frame("contrasts")
    return float(table[table["headline"].astype(bool)]["p"].iloc[0]) <= 0.05


def _law(rng: np.random.Generator, seeds: int, steps: int, factor: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """c + a x^-b over two decades, seeds that differ in height and have AR(1) noise of 0.6; less x by ``factor``."""
    x = np.geomspace(100, 10_000, steps)
    height = np.exp(0.1 * rng.standard_normal((seeds, 1)))
    noise = 0.03 * ar1_noise((seeds, steps), 0.6, rng)
    return (0.5 + 20 * height * (x * factor) ** -0.5) * np.exp(noise), x


def _beyond(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """The law holds up to x = 3,000 and is ``effect`` sd of the noise of a run lower beyond."""
    y, x = _law(rng, seeds, steps)
    return wrap(np.where(x > 3000, y * np.exp(-0.03 * effect), y), x), {**_CALL, "upto": 3000.0}


def _bent(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """The law turns at x = 1,000 and ends ``effect`` sd of the noise of a run above where it would."""
    y, x = _law(rng, seeds, steps)
    late = np.maximum(np.log10(x / 1000), 0.0)
    return wrap(y * np.exp(0.03 * effect * late), x), dict(_CALL)


def _two(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Condition a gets along with 1 / ``effect`` of the x that b needs."""
    a, x = _law(rng, seeds, steps, max(effect, 1.0))
    return wrap(np.stack([a, _law(rng, seeds, steps)[0]]), x), dict(_CALL)


def _null(make: Callable[[np.random.Generator, int, int, float], Made]) -> Callable[..., Made]:
    return lambda rng, seeds, steps, effect: make(rng, seeds, steps, 0.0)


SCENES = {
    **noise_scenes(_surprised, upto=70.0, **_CALL),
    "lawful": Scene("a power law goes on as before: surprise", _null(_beyond), _surprised, steps=40),
    "monotone": Scene("a power law does not turn: law rejected", _null(_bent), _turned, steps=40),
    "same": Scene("two conditions with the same law: efficiency", _null(_two), _differs, steps=40, draws=500),
    "off the law": Scene(
        "beyond the fit the curve is lower than the law", _beyond, _surprised,
        unit="sd of the noise of a run", effects=(0.5, 1.0, 2.0, 4.0), steps=40, draws=100,
    ),
    "bent": Scene(
        "the curve turns against its law", _bent, _turned,
        unit="sd of the noise of a run", effects=(12.0, 16.0, 20.0, 24.0), steps=40, draws=100,
    ),
    "efficient": Scene(
        "a needs less x than b", _two, _differs,
        unit="factor of x", effects=(1.1, 1.25, 1.5, 2.0), steps=40, draws=50,
    ),
}  # fmt: skip
