"""Scenes of `language_metrics`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from emergelab.instruments._scenes import Made, Scene
from emergelab.instruments.result import Result

__all__ = ["SCENES"]

_SIDE = 4  # values of each of two attributes: 16 items
_GRID = np.stack(np.meshgrid(np.arange(_SIDE), np.arange(_SIDE), indexing="ij"), axis=-1).reshape(-1, 2)
_CALL = {"metrics": "distance", "draws": 199}


def _language(messages: np.ndarray, time: np.ndarray | None = None) -> xr.Dataset:
    dims = ("seed", "time", "item", "position") if time is not None else ("seed", "item", "position")
    return xr.Dataset(
        {"messages": (dims, messages), "meanings": (("item", "attribute"), _GRID)},
        coords={} if time is None else {"time": time},
    )


def _random(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    return _language(rng.integers(0, _SIDE, (seeds, len(_GRID), 3))), dict(_CALL)


def _skewed(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Few words, used with very unequal frequency, each of one to four symbols."""
    share = np.array([0.4, 0.25, 0.15, 0.1, 0.1])
    words = rng.integers(0, _SIDE, (seeds, len(share), 4))
    length = rng.integers(1, 5, (seeds, len(share), 1))
    words = np.where(np.arange(4) < length, words, -1)
    chosen = rng.choice(len(share), (seeds, len(_GRID)), p=share)
    return _language(np.take_along_axis(words, chosen[..., None], axis=1)), dict(_CALL)


def _one_ancestor(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """All seeds keep most of one random language."""
    ancestor = rng.integers(0, _SIDE, (1, len(_GRID), 3))
    fresh = rng.integers(0, _SIDE, (seeds, len(_GRID), 3))
    return _language(np.where(rng.random(fresh.shape) < 0.2, fresh, ancestor)), dict(_CALL)


def _drift(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Chains of generations in which symbols change at random."""
    message = rng.integers(0, _SIDE, (seeds, len(_GRID), 3))
    chain = [message]
    for _ in range(steps - 1):
        changed = rng.random(message.shape) < 0.1
        message = np.where(changed, rng.integers(0, _SIDE, message.shape), message)
        chain.append(message)
    return _language(np.stack(chain, axis=1), np.arange(steps, dtype=float)), dict(_CALL)


def _code(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """One position an attribute, where a share ``effect`` of the symbols follow the code; a third position is noise."""
    noise = rng.integers(0, _SIDE, (seeds, len(_GRID), 3))
    code = np.concatenate([_GRID, np.zeros((len(_GRID), 1), dtype=int)], axis=1)
    follow = (rng.random(noise.shape) < effect) & (np.arange(3) < 2)
    return _language(np.where(follow, code, noise)), dict(_CALL)


def _structured(result: Result) -> bool:
    return result.verdict.startswith("structured")


def _trend(result: Result) -> bool:
    table = result.to_frame("trends").set_index("metric")
    return bool(table.loc["topsim_z", "p_chains"] <= 0.05)


def _page(result: Result) -> bool:
    table = result.to_frame("trends").set_index("metric")
    return bool(table.loc["topsim_z", "p_page"] <= 0.05)


SCENES = {
    "random": Scene("random messages for 16 items, verdict 'structured'", _random, _structured),
    "skewed": Scene("five words of unequal frequency and length at random, verdict 'structured'", _skewed, _structured),
    "ancestor": Scene("all seeds keep 80% of one random language, verdict 'structured'", _one_ancestor, _structured),
    "drift": Scene("12 generations of neutral drift, trend over chains", _drift, _trend, steps=12, draws=200),
    "drift_page": Scene("12 generations of neutral drift, trend by Page's L", _drift, _page, steps=12, draws=200),
    "code": Scene(
        "a positional code with noise, found", _code, _structured,
        unit="share of symbols that follow it", effects=(0.1, 0.2, 0.3, 0.5), draws=200,
    ),
}  # fmt: skip
