"""A teacher, a runner that learns by rewards, and a round of episodes a step."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.rl import ppo
from emergelab.teachers import AlpGmm, CovarGmm, Oracle, Plr, Riac, Teacher, Uniform
from emergelab.teachers.base import draws_of, lesson
from emergelab.teachers.mixtures import candidates
from emergelab.worlds.track import Track

from ._runner import BODIES, HIGHEST, WIDEST, Athlete, Runner

__all__ = ["HEIGHTS", "PROBES", "SPACINGS", "TEACHERS", "TESTS", "Running", "State"]

TEACHERS = ("random", "oracle", "plr", "riac", "covar-gmm", "alp-gmm")
ENOUGH = 0.9
"""Share of the track beyond which a task is mastered."""
HEIGHTS, SPACINGS = 24, 12
"""Cells into which the task space is cut where tasks are counted."""

# Fifty tasks spread evenly over the unit square, by the sequence of Roberts (2018): fractional parts of multiples of
# 1/g and 1/g^2, where g^3 = g + 1.
TESTS: Float[np.ndarray, "test 2"] = np.mod(0.5 + np.arange(1, 51)[:, None] * [0.7548776662, 0.5698402910], 1.0)
PROBES: Float[np.ndarray, "probe 2"] = np.array([[0.1, 0.5], [0.3, 0.5], [0.5, 0.5]])
"""Tasks whose way is recorded: stumps of 0.3, 0.9 and 1.5 m."""

_SIXTH, _STRIDE = 1 / 6, 1 / 30  # width of the oracle's window and its stride, as shares of the range


class State(eqx.Module):
    """A teacher and its runner after some rounds.

    Attributes:
        athlete: the runner's network and its optimiser's memory.
        teacher: what the teacher knows; of another structure for each teacher.
        tasks: those of the last round.
        outcomes: what they returned.
        visits: tasks so far, by height and spacing.
        rounds: so far.
    """

    athlete: Athlete
    teacher: Any
    tasks: Float[Array, "episode 2"]
    outcomes: Float[Array, "episode"]
    visits: Float[Array, "height spacing"]
    rounds: Int[Array, ""]


class Running(el.System):
    """One step is one round: tasks are set, played side by side, learnt from, and told to the teacher."""

    episodes: int = el.static(100, low=10, high=1000, about="tasks in a round, between two fits of a mixture")
    limit: int = el.static(120, low=10, high=1000, about="steps of an episode, a tenth of a second each")
    width: int = el.static(32, low=2, high=512, about="units of a hidden layer, of which there are two")
    passes: int = el.static(3, low=1, high=50, about="over what happened in a round")
    parts: int = el.static(8, low=1, high=1000, about="gradient steps of a pass; divides episodes times limit")
    memory: int = el.static(60, low=1, high=10_000, unit="rounds", about="past that learning progress looks into")
    gaussians: int = el.static(6, low=2, high=40, about="most Gaussians of a mixture; the least is 2")
    apart: int = el.static(2, low=1, high=20, about="distance between the numbers of Gaussians that are tried")
    iterations: int = el.static(12, low=1, high=200, about="turns of EM in a fit")
    teacher: str = el.choice("alp-gmm", options=TEACHERS, static=True, about="who chooses the tasks")
    body: str = el.choice("default", options=tuple(BODIES), about="length of the legs: jumps of 1.8, 0.75 or 3 m")
    taller: float = el.param(1.0, low=0.1, high=10.0, about="what the range of heights, 3 m, is multiplied by")
    told: str = el.choice("truth", options=("truth", "shuffled"), about="shuffled: returns of a round change places")
    random: float = el.param(0.2, low=0.0, high=1.0, about="share of tasks at random, teachers with mixtures")
    rate: float = el.param(2e-3, low=0.0, high=1.0, about="learning rate of the runner")
    discount: float = el.param(0.99, low=0.0, high=1.0, about="gamma: what a reward one step later is worth")
    trace: float = el.param(0.95, low=0.0, high=1.0, about="lambda: how far an advantage looks ahead")
    entropy: float = el.param(0.01, about="weight of the policy's entropy")

    observables = (
        el.Observable(
            "mastered", unit="%", about="of 50 tasks that are not for learning: return > 0.9", low=0, high=100
        ),
        el.Observable("height", unit="m", about="of the stumps of the last round, mean", low=0, nan_ok=True),
        el.Observable("spacing", unit="m", about="between them, mean", low=0, nan_ok=True),
        el.Observable("waste", unit="1", about="tasks of the last round with stumps higher than a jump", nan_ok=True),
        el.Observable("entropy", unit="nat", about="of the last round's tasks over the cells", low=0),
        el.Observable("return", unit="1", about="share of the track covered in the last round", low=0, high=1),
        el.Observable("possible", unit="1", about="share of the range of heights that a jump reaches", low=0, high=1),
        el.Observable("visits", dims=("high", "wide"), about="tasks so far, by height and spacing"),
        el.Observable("tests", dims=("test",), unit="1", about="return of each of the 50 tasks", low=0, high=1),
        el.Observable("ways", dims=("probe", "moment", "axis"), unit="m", about="places on three tracks"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.episodes * self.limit % self.parts:
            raise el.UserError(
                f"Running: parameter 'parts' must divide episodes * limit = {self.episodes * self.limit}, "
                f"got {self.parts}"
            )

    @property
    def track(self) -> Track:
        """The world, with the body in it."""
        jump, pace, push = jnp.array(list(BODIES.values()))[self.body]  # type: ignore[call-overload]
        return Track(jump, pace, push, limit=self.limit)

    @property
    def student(self) -> Runner:
        """How the runner learns."""
        rules = ppo.Settings(
            rate=self.rate, discount=self.discount, trace=self.trace, entropy=self.entropy, passes=self.passes,
            parts=self.parts,
        )  # fmt: skip
        return Runner(self.track, rules, self.width, self.taller)

    @property
    def adviser(self) -> Teacher:
        """The teacher's rules."""
        mixtures: dict[str, Any] = {
            "numbers": candidates(2, self.gaussians, self.apart),
            "iterations": self.iterations,
            "random": jnp.asarray(self.random),
        }
        if self.teacher == "random":
            return Uniform(2, self.episodes)
        if self.teacher == "oracle":
            # From low stumps far apart to high ones close together.
            first, step = jnp.array([0.0, 1 - _SIXTH]), jnp.array([_STRIDE, -_STRIDE])
            return Oracle(2, self.episodes, first, jnp.full(2, _SIXTH), step)
        if self.teacher == "plr":
            return Plr(2, self.episodes)
        if self.teacher == "riac":
            return Riac(2, self.episodes)
        if self.teacher == "covar-gmm":
            return CovarGmm(2, self.episodes, **mixtures)
        return AlpGmm(2, self.episodes, self.memory, **mixtures)

    def init(self, key: PRNGKeyArray) -> State:
        """A runner that has never run, and a teacher that has seen nothing."""
        nothing = jnp.zeros((self.episodes, 2))
        return State(
            self.student.start(key), self.adviser.start(), nothing, nothing[:, 0], jnp.zeros((HEIGHTS, SPACINGS)),
            jnp.int32(0),
        )  # fmt: skip

    def step(self, state: State, key: PRNGKeyArray) -> State:
        """A round."""
        of_draws, of_lesson = jax.random.split(key)
        adviser = self.adviser

        def hear(outcomes: Float[Array, "episode"], key: PRNGKeyArray) -> Float[Array, "episode"]:
            return jnp.where(jnp.asarray(self.told) == 1, jax.random.permutation(key, outcomes), outcomes)

        draws = draws_of(of_draws, self.episodes, 2)
        teacher, athlete, tasks, outcomes = lesson(
            adviser, state.teacher, self.student, state.athlete, draws, of_lesson, hear
        )
        visits = state.visits + _counted(tasks)
        return State(athlete, teacher, tasks, outcomes, visits, state.rounds + 1)

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        """What the runner can do, and what the last round was like."""
        student, track = self.student, self.track
        with el.scope("test"):
            ways = student.ways(state.athlete.net, jnp.concatenate([jnp.asarray(TESTS), jnp.asarray(PROBES)]))
        tests = jnp.clip(ways[-1, : len(TESTS), 0] / track.length, 0.0, 1.0)
        known = state.rounds > 0
        highest = HIGHEST * self.taller
        metres = jnp.mean(state.tasks, axis=0) * jnp.array([highest, WIDEST])
        too_high = state.tasks[:, 0] * highest > track.reach
        share = _counted(state.tasks) / self.episodes
        return {
            "mastered": 100.0 * jnp.mean(tests > ENOUGH),
            "height": jnp.where(known, metres[0], jnp.nan),
            "spacing": jnp.where(known, metres[1], jnp.nan),
            "waste": jnp.where(known, jnp.mean(too_high), jnp.nan),
            "entropy": jnp.where(known, -jnp.sum(jax.scipy.special.xlogy(share, share)), 0.0),
            "return": jnp.mean(state.outcomes),
            "possible": jnp.minimum(track.reach / highest, 1.0),
            "visits": state.visits,
            "tests": tests,
            "ways": jnp.moveaxis(ways[:, len(TESTS) :], 0, 1),
        }


def _counted(tasks: Float[Array, "episode 2"]) -> Float[Array, "height spacing"]:
    """How many tasks lie in each cell of the task space."""
    cell = jnp.clip((tasks * jnp.array([HEIGHTS, SPACINGS])).astype(jnp.int32), 0, jnp.array([HEIGHTS, SPACINGS]) - 1)
    rows = cell[:, :1] == jnp.arange(HEIGHTS)
    columns = cell[:, 1:] == jnp.arange(SPACINGS)
    return rows.astype(jnp.float32).T @ columns.astype(jnp.float32)
