"""Scenes of `diversity`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from emergelab.instruments._scenes import Made, Scene
from emergelab.instruments.result import Result

__all__ = ["SCENES"]

_MODES, _ROLLOUTS = 6, 60


def _labels(
    rng: np.random.Generator, seeds: int, evenness: float, success: float = 0.8, spread: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """Modes of rollouts and their success; a share ``evenness`` chooses at random, the others the seed's first mode."""
    share = np.clip(evenness + spread * (rng.random((seeds, 1)) - 0.5), 0, 1)
    own = rng.integers(0, _MODES, (seeds, 1))
    free = rng.random((seeds, _ROLLOUTS)) < share
    modes = np.where(free, rng.integers(0, _MODES, (seeds, _ROLLOUTS)), own)
    return modes, rng.random((seeds, _ROLLOUTS)) < success


def _two(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Two conditions: ``effect`` more of the rollouts of b choose their mode at random; b also succeeds less often."""
    a, b = _labels(rng, seeds, 0.4, 0.9), _labels(rng, seeds, 0.4 + effect, 0.4)
    dims = ("condition", "seed", "rollout")
    data = xr.Dataset(
        {"mode": (dims, np.stack([a[0], b[0]])), "won": (dims, np.stack([a[1], b[1]]))},
        coords={"condition": ["a", "b"]},
    )
    return data, {"var": "mode", "success": "won", "modes": _MODES, "draws": 199}


def _starts(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Five starts; a share ``effect`` of the rollouts takes the mode that belongs to its start, the others any."""
    shape = (seeds, 5, _ROLLOUTS // 5)
    tied = rng.random(shape) < effect
    modes = np.where(tied, np.arange(5)[:, None], rng.integers(0, _MODES, shape))
    return xr.DataArray(modes, dims=("seed", "context", "rollout"), name="mode"), {"modes": _MODES, "draws": 199}


def _seeds_apart(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Every seed prefers one mode of its own in a share ``effect`` of its rollouts."""
    free = rng.random((seeds, 20)) >= effect
    modes = np.where(free, rng.integers(0, _MODES, (seeds, 20)), rng.integers(0, _MODES, (seeds, 1)))
    return xr.DataArray(modes, dims=("seed", "rollout"), name="mode"), {"modes": _MODES, "draws": 199}


def _points(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Two conditions of Gaussian behaviours in eight dimensions, of which b uses ``effect`` fewer in full."""
    scale = np.ones((2, 1, 1, 8))
    scale[1, ..., 8 - int(effect) :] = 0.1 if effect else 1.0
    points = scale * rng.standard_normal((2, seeds, 20, 8))
    dims = ("condition", "seed", "rollout", "feature")
    return xr.DataArray(points, dims=dims, coords={"condition": ["a", "b"]}, name="behaviour"), {"draws": 199}


def _differs(result: Result) -> bool:
    return float(result.to_frame("contrasts")["p"].iloc[0]) <= 0.05


def _more(result: Result) -> bool:
    return result.verdict.startswith("less diverse")  # a, the first, is the narrower one


def _p(table: str, column: str) -> Callable[[Result], bool]:
    return lambda result: bool(float(result.to_frame(table)[column].iloc[0]) <= 0.05)


def _narrow(result: Result) -> bool:
    return result.verdict == "narrow"


def _edge(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """One condition whose expected entropy is ``0.5 - effect`` of uniform: seeds prefer one mode more or less."""
    spread = rng.normal(0.5 - effect, 0.12, seeds).clip(0.02, 0.98)
    grid = np.linspace(0, 1, 401)
    p = grid / _MODES
    top = 1 - grid + p
    with np.errstate(divide="ignore", invalid="ignore"):
        h = -(np.where(top > 0, top * np.log(top), 0) + (_MODES - 1) * np.where(p > 0, p * np.log(p), 0)) / np.log(
            _MODES
        )
    share = np.interp(spread, h, grid)[:, None]
    free = rng.random((seeds, _ROLLOUTS)) < share
    modes = np.where(free, rng.integers(0, _MODES, (seeds, _ROLLOUTS)), 0)
    return xr.DataArray(modes, dims=("seed", "rollout"), name="mode"), {"modes": _MODES, "draws": 199}


SCENES = {
    "threshold": Scene(
        "labels, expected entropy exactly at the threshold; verdict diverse or narrow",
        lambda rng, seeds, steps, effect: _edge(rng, seeds, steps, 0.0),
        lambda result: result.verdict != "inconclusive",
    ),
    "same": Scene(
        "labels, two conditions equally diverse, unequal success; p of the contrast",
        lambda rng, seeds, steps, effect: _two(rng, seeds, steps, 0.0), _differs,
    ),
    "free": Scene(
        "labels, modes do not depend on starts; p of the contexts",
        lambda rng, seeds, steps, effect: _starts(rng, seeds, steps, 0.0), _p("contexts", "p"),
    ),
    "alike": Scene(
        "labels, seeds do not differ; p of beta",
        lambda rng, seeds, steps, effect: _seeds_apart(rng, seeds, steps, 0.0), _p("decomposition", "p_beta"),
    ),
    "points": Scene(
        "embeddings, two equal conditions; p of the contrast",
        lambda rng, seeds, steps, effect: _points(rng, seeds, steps, 0.0), _differs,
    ),
    "narrow": Scene(
        "labels, entropy below the threshold, verdict narrow", _edge, _narrow,
        unit="entropy below the threshold", effects=(0.05, 0.1, 0.2), draws=50,
    ),
    "more": Scene(
        "labels, b more diverse than a (and less able), verdict says so", _two, _more,
        unit="more rollouts at random", effects=(0.1, 0.2, 0.4), draws=50,
    ),
    "starts": Scene(
        "labels, starts decide modes, p of the contexts", _starts, _p("contexts", "p"),
        unit="share of rollouts tied to the start", effects=(0.1, 0.2, 0.4), draws=50,
    ),
    "apart": Scene(
        "labels, seeds prefer modes of their own, p of beta", _seeds_apart, _p("decomposition", "p_beta"),
        unit="share of rollouts in the seed's own mode", effects=(0.1, 0.2, 0.4), draws=50,
    ),
    "fewer": Scene(
        "embeddings, b uses fewer dimensions, p of the contrast", _points, _differs,
        unit="dimensions fewer, of eight", effects=(1.0, 2.0), draws=50,
    ),
}  # fmt: skip
