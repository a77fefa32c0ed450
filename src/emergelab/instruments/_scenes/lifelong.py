"""Scenes of `lifelong`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from emergelab.instruments._scenes import Made, Scene
from emergelab.instruments.result import Result

__all__ = ["SCENES"]

_TASKS, _ROUNDS = ("a", "b", "c"), 3
_LEARN, _TEST = 30, 5  # experiences of a learning and of an evaluation block


def _log(
    rng: np.random.Generator, lifetimes: int, forget: float = 0.0, transfer: float = 0.0, experts: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lifetimes that meet three tasks three times in an order of their own, all tasks evaluated in between.

    A task rises from 20 to 80 in its first learning block (time constant of five experiences) and stays; noise of
    sd 5 lies on every experience and of sd 2 on every block. ``forget`` sd of the block noise are lost at every
    learning of another task and won back by learning again; ``transfer`` sd are gained by tasks not yet learned.
    Experts learn the same way without interruption; 0 ``experts``: every lifetime has its own.
    """
    names, tries = np.array(_TASKS), _ROUNDS * len(_TASKS)
    order = np.stack([np.tile(rng.permutation(len(_TASKS)), _ROUNDS) for _ in range(lifetimes)])
    level = np.full((lifetimes, len(_TASKS)), 20.0)
    met = np.zeros(level.shape, bool)
    every = np.arange(lifetimes)
    rise = 1 - np.exp(-np.arange(_LEARN) / 5.0)
    parts: list[pd.DataFrame] = []

    def add(block: int, kind: str, task: np.ndarray, values: np.ndarray) -> None:
        n = values.shape[1]
        noisy = values + 2.0 * rng.standard_normal((lifetimes, 1)) + 5.0 * rng.standard_normal(values.shape)
        part = {"seed": np.repeat(every, n), "block": block, "block_type": kind, "task": np.repeat(names[task], n)}
        parts.append(
            pd.DataFrame(part | {"experience": np.tile(np.arange(n), lifetimes), "performance": noisy.ravel()})
        )

    def evaluate(block: int) -> None:
        for j in range(len(_TASKS)):
            add(block, "test", np.full(lifetimes, j), np.repeat(level[:, [j]], _TEST, axis=1))

    evaluate(0)
    for k in range(tries):
        task = order[:, k]
        start = level[every, task][:, None]
        add(2 * k + 1, "train", task, start + (80.0 - start) * rise)
        met[every, task] = True
        other = np.ones(level.shape, bool)
        other[every, task] = False
        level -= 2.0 * forget * (other & met)
        level += 2.0 * transfer * (other & ~met)
        level[every, task] = 80.0
        evaluate(2 * k + 2)
    n = experts or lifetimes
    whole = 20.0 + 60.0 * (1 - np.exp(-np.arange(_LEARN * _ROUNDS) / 5.0))
    whole = np.where(np.arange(len(whole)) < _LEARN, whole, 80.0)
    block_noise = np.repeat(2.0 * rng.standard_normal((n, len(_TASKS), _ROUNDS)), _LEARN, axis=2)
    curves = whole + block_noise + 5.0 * rng.standard_normal((n, len(_TASKS), len(whole)))
    runs = np.arange(n) if not experts else [f"expert {i}" for i in range(n)]
    index = pd.MultiIndex.from_product([runs, _TASKS, range(len(whole))], names=["seed", "task", "experience"])
    return pd.concat(parts, ignore_index=True), pd.DataFrame({"performance": curves.ravel()}, index=index).reset_index()


def _of_log(what: str) -> Callable[[np.random.Generator, int, int, float], Made]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
        few = 5 if what == "shared" else 0
        sizes = {what: effect} if what in ("forget", "transfer") else {}
        log, experts = _log(rng, seeds, experts=few, **sizes)
        # whole records of experts are smoothed with a wider window than blocks, which is a bias of its own
        return log, {"experts": experts, "draws": 999} | ({"smoothing": 1} if what == "shared" else {})

    return make


def _matrix(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> Made:
    """Five tasks rise from 0.2 to 0.8 when learned and fall by ``effect`` sd of the noise (0.05) after it."""
    n = 5
    stage, task = np.arange(n)[:, None], np.arange(n)[None, :]
    mean = np.where(stage >= task, 0.8, 0.2) - 0.05 * effect * (stage > task)
    values = mean + 0.05 * rng.standard_normal((seeds, n, n))
    chance = xr.DataArray(0.2 + 0.05 * rng.standard_normal((seeds, n)), dims=("seed", "task"))
    return xr.DataArray(values, dims=("seed", "stage", "task"), name="accuracy"), {"baseline": chance, "draws": 999}


def _any(result: Result) -> bool:
    return bool((result.to_frame("metrics")["p_holm"] <= 0.05).any())


def _alone(metric: str) -> Callable[[Result], bool]:
    return lambda result: bool(result.to_frame("metrics").set_index("metric").loc[metric, "p"] <= 0.05)


def _forgets(result: Result) -> bool:
    return result.verdict == "forgets"


def _helps(result: Result) -> bool:
    table = result.to_frame("metrics").set_index("metric")
    return bool(table.loc["FT", "p_holm"] <= 0.05 and table.loc["FT", "typical"] > 1)


SCENES = {
    "log": Scene(
        "nothing is forgotten, no task helps another; any of six metrics off its neutral value (Holm)",
        _of_log("nothing"), _any, draws=300,
    ),
    "matrix": Scene(
        "independent tasks; BWT or FWT off zero (Holm)",
        lambda rng, seeds, steps, effect: _matrix(rng, seeds, steps, 0.0), _any,
    ),
    "shared experts": Scene(
        "as the first row, unsmoothed, five experts a task serve all lifetimes; p of RP alone",
        _of_log("shared"), _alone("RP"), draws=200,
    ),
    "smoothed RP": Scene("as the first row; p of RP alone", _of_log("nothing"), _alone("RP"), draws=200),
    "smoothed SE": Scene("as the first row; p of SE alone", _of_log("nothing"), _alone("SE"), draws=200),
    "forget": Scene(
        "old tasks fall at every learning of another one, verdict forgets", _of_log("forget"), _forgets,
        unit="loss in sd of an evaluation block", effects=(0.25, 0.5, 1.0), seeds=(10, 20), draws=50,
    ),
    "transfer": Scene(
        "tasks not yet learned gain by the learning of others, FT above 1", _of_log("transfer"), _helps,
        unit="gain in sd of an evaluation block", effects=(1.0, 2.0, 4.0), seeds=(10, 20), draws=50,
    ),
    "overwritten": Scene(
        "matrix, five tasks, old ones fall once, verdict forgets", _matrix, _forgets,
        unit="loss in sd of an evaluation", effects=(0.25, 0.5, 1.0, 2.0), seeds=(10, 20), draws=200,
    ),
}  # fmt: skip
