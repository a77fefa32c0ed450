"""Scenes of `mirage`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from emergelab.instruments._scenes import Made, Scene
from emergelab.instruments.result import Result

__all__ = ["SCENES"]


def _scores(steep: bool) -> Callable[[np.random.Generator, int, int, float], Made]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        size = np.geomspace(1e7, 1e11, min(steps, 24))
        if steep:  # effect: width of the break in decades
            width = max(effect, 1e-3) / 4.4
            place = 9 + 0.2 * rng.standard_normal((seeds, 1))
            p = 0.05 + 0.9 / (1 + np.exp(-np.clip((np.log10(size) - place) / width, -60, 60)))
        else:
            exponent = -rng.uniform(0.25, 0.6)
            p = np.exp(-0.3 * np.exp(0.1 * rng.standard_normal((seeds, 1))) * (size / 1e9) ** exponent)
        length = int(rng.choice([1, 2, 5, 20]))
        score = rng.binomial(500, p**length) / 500
        dims, coords = ("seed", "size"), {"size": size}
        data = xr.Dataset({"score": (dims, score), "nll": (dims, -np.log(p))}, coords=coords)
        return data, {"var": "score", "companion": "nll", "items": 500, "along": "size", "draws": 199}

    return make


def _genuine(result: Result) -> bool:
    return result.verdict == "genuine"


SCENES = {
    "smooth": Scene(
        "smooth p, exact match of 1, 2, 5 or 20 tokens", _scores(False), _genuine, steps=24, draws=500
    ),
    "break": Scene(
        "p itself breaks", _scores(True), _genuine,
        unit="width of the break in decades", effects=(0.3, 0.6, 1.0, 1.5), steps=24, draws=100,
    ),
}  # fmt: skip
