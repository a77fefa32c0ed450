"""Scenes: ways to make data on which the right answer is known. One module an instrument, each with a `SCENES` mapping.

A null is a scene in which nothing happens, so every alarm is false. A planted scene holds an effect of a stated
size, so every alarm is right. `calibrate` counts the alarms. `NOISES` are the four nulls that every instrument which
reads curves is held against.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["NOISES", "Made", "Scene", "find", "noise", "noise_scenes", "wrap"]

Made = tuple[Any, dict[str, Any]]
"""What a scene makes: the data, and the arguments with which the instrument is called."""


@dataclass(frozen=True)
class Scene:
    """A way to make data on which the right answer is known.

    Attributes:
        about: what is made, in words.
        make: (generator, seeds, steps, effect) -> (data, arguments of the call).
        alarm: whether a result claims something: a false alarm on a null, a detection on a planted effect.
        unit: what ``effect`` measures; "" marks a null.
        effects: sizes of the effect in the table of power; a null has the one size 0.
        seeds: numbers of seeds in the table.
        steps: records a seed in the table.
        draws: data sets a row in the full table (`make calibrate`).
    """

    about: str
    make: Callable[[np.random.Generator, int, int, float], Made]
    alarm: Callable[[Result], bool]
    unit: str = ""
    effects: tuple[float, ...] = (0.0,)
    seeds: tuple[int, ...] = (5, 20)
    steps: int = 100
    draws: int = 1000

    @property
    def is_null(self) -> bool:
        """Whether nothing happens in this scene."""
        return not self.unit


def find(instrument: str) -> Mapping[str, Scene]:
    """The scenes of an instrument by name.

    Raises:
        UserError: no such instrument, or one without scenes.
    """
    from emergelab import instruments

    if instrument not in instruments.INSTRUMENTS:
        raise UserError(f"calibrate: no instrument {instrument!r}{nearest(instrument, instruments.INSTRUMENTS)}")
    found: Mapping[str, Scene] = importlib.import_module(f"{__name__}.{instrument}").SCENES
    return found


def noise(kind: str, rng: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "*shape"]:
    """One of the four standard nulls of `NOISES` along the last axis; innovations of unit marginal variance."""
    x = np.linspace(0.0, 1.0, shape[-1])
    if kind == "white":
        return rng.standard_normal(shape)
    if kind == "ar1":
        return ar1_noise(shape, 0.9, rng)
    if kind == "trend":
        return 3.0 * x + ar1_noise(shape, 0.6, rng)
    if kind == "heteroscedastic":
        return ar1_noise(shape, 0.6, rng) * (1 + 2 * x)
    raise UserError(f"noise: no kind {kind!r}{nearest(kind, NOISES)}")


NOISES: Mapping[str, str] = {
    "white": "white noise",
    "ar1": "AR(1) noise of 0.9",
    "trend": "linear trend of 3 sd plus AR(1) noise of 0.6",
    "heteroscedastic": "AR(1) noise of 0.6 whose spread triples",
}
"""The four nulls that every instrument which reads curves is held against, in words."""


def wrap(
    values: Float[np.ndarray, "*condition seed time"], time: Float[np.ndarray, "time"] | None = None
) -> xr.DataArray:
    """Values as a labelled array named "value" with dims ([condition,] seed, time); conditions are "a", "b", ..."""
    dims = ("condition", "seed", "time")[-values.ndim :]
    coords: dict[str, Any] = {"time": np.arange(values.shape[-1], dtype=float) if time is None else time}
    if values.ndim == 3:
        coords["condition"] = ["a", "b", "c", "d"][: values.shape[0]]
    return xr.DataArray(values, dims=dims, coords=coords, name="value")


def noise_scenes(alarm: Callable[[Result], bool], **call: Any) -> dict[str, Scene]:
    """The four standard nulls as scenes for an instrument that is called with ``call``."""

    def maker(kind: str) -> Callable[[np.random.Generator, int, int, float], Made]:
        return lambda rng, seeds, steps, effect: (wrap(noise(kind, rng, (seeds, steps))), dict(call))

    return {kind: Scene(about, maker(kind), alarm) for kind, about in NOISES.items()}
