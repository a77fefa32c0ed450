"""Scenes of `skill_efficiency`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from emergelab.instruments._scenes import Made, Scene
from emergelab.instruments.result import Result
from emergelab.statistics import ar1_noise

__all__ = ["SCENES"]

_CALL = {"theta": 0.5, "draws": 199}


def _learners(
    rng: np.random.Generator,
    seeds: int,
    steps: int,
    effect: float,
    *,
    tasks: int,
    never: float = 0.0,
    spread: float = 0.3,
) -> Made:
    """Two systems; the second needs ``effect`` times the experience of the first. Tasks differ in difficulty."""
    experience = np.geomspace(1.0, 1000.0, steps)
    hard = np.log(30.0) + 0.7 * rng.standard_normal((1, 1, tasks, 1))
    # what a system finds easy differs from task to task as well
    own = 0.2 * rng.standard_normal((2, 1, tasks, 1)) if tasks > 1 else 0.0
    shift = np.log(effect) * np.array([0.0, 1.0])[:, None, None, None]
    centre = hard + own + shift + spread * rng.standard_normal((2, seeds, tasks, 1))
    skill = 1 / (1 + np.exp(-(np.log(experience) - centre) / 0.4))
    skill = np.where(rng.random(centre.shape) < never, 0.1 * skill, skill)
    skill = skill + 0.05 * ar1_noise(skill.shape, 0.5, rng)
    data = xr.DataArray(
        skill, dims=("condition", "seed", "task", "time"),
        coords={"condition": ["a", "b"], "time": experience}, name="skill",
    )  # fmt: skip
    return data, dict(_CALL)


def _alarm(result: Result) -> bool:
    return result.verdict in ("less experience", "more experience")


def _right(result: Result) -> bool:
    return result.verdict == "less experience"


SCENES = {
    "one_task": Scene(
        "two equal learners, one task, verdict 'less' or 'more experience'",
        lambda rng, seeds, steps, effect: _learners(rng, seeds, steps, 1.0, tasks=1), _alarm, steps=40,
    ),
    "never": Scene(
        "two equal learners, one task, 30% never learn",
        lambda rng, seeds, steps, effect: _learners(rng, seeds, steps, 1.0, tasks=1, never=0.3), _alarm, steps=40,
    ),
    "tasks": Scene(
        "two equal learners, 8 tasks",
        lambda rng, seeds, steps, effect: _learners(rng, seeds, steps, 1.0, tasks=8), _alarm, steps=40, draws=400,
    ),
    "multiplier": Scene(
        "the second needs more experience, one task, found",
        lambda rng, seeds, steps, effect: _learners(rng, seeds, steps, effect, tasks=1), _right,
        unit="ratio of experience", effects=(1.25, 1.5, 2.0, 3.0), steps=40, draws=200,
    ),
    "multiplier_tasks": Scene(
        "the second needs more experience, 8 tasks, found",
        lambda rng, seeds, steps, effect: _learners(rng, seeds, steps, effect, tasks=8), _right,
        unit="ratio of experience", effects=(1.1, 1.25, 1.5), seeds=(5,), steps=40, draws=100,
    ),
}  # fmt: skip
