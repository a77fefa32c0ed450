"""What all teachers share: their three verbs, their random numbers, and the lesson in which they meet a student."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from emergelab._site import site
from emergelab.errors import UserError

__all__ = ["Draws", "Number", "Teacher", "checked", "draws_of", "lesson", "pick", "place"]

Number = Float[Array, ""] | Float[np.ndarray, ""] | Int[Array, ""] | Int[np.ndarray, ""] | np.number | float | int

_MODE, _WHICH, _SIDE, _PLACE = 0, 1, 2, 3


class Draws(NamedTuple):
    """The random numbers behind one task or, with a leading axis, behind several.

    Drawn for a whole block at once: a generator inside the loop over episodes would cost more than the episode.
    """

    uniform: Float[Array, "*task number"]  # in [0, 1): how to choose, whom, which side, then one a dimension
    normal: Float[Array, "*task dim"]

    @property
    def mode(self) -> Float[Array, "*task"]:
        """Decides between ways of choosing, for example at random or by the teacher's model."""
        return self.uniform[..., _MODE]

    @property
    def which(self) -> Float[Array, "*task"]:
        """Decides which Gaussian, region or level."""
        return self.uniform[..., _WHICH]

    @property
    def side(self) -> Float[Array, "*task"]:
        """Decides what else there is to decide."""
        return self.uniform[..., _SIDE]

    @property
    def place(self) -> Float[Array, "*task dim"]:
        """A task at random."""
        return self.uniform[..., _PLACE:]


def draws_of(key: PRNGKeyArray, tasks: int, dims: int) -> Draws:
    """Random numbers for so many tasks of so many dimensions."""
    even, bell = jax.random.split(key)
    return Draws(jax.random.uniform(even, (tasks, _PLACE + dims)), jax.random.normal(bell, (tasks, dims)))


class Teacher(eqx.Module):
    """Chooses tasks in the unit cube [0, 1]^dims.

    Attributes:
        dims: dimensions of a task.
        pace: tasks in a round. All tasks of a round are proposed before the first of their outcomes is observed.
    """

    dims: eqx.AbstractVar[int]
    pace: eqx.AbstractVar[int]

    @abc.abstractmethod
    def start(self) -> Any:
        """The teacher's state before the first task: a pytree of arrays."""

    @abc.abstractmethod
    def propose(self, state: Any, draws: Draws) -> Float[Array, "dim"]:
        """One task out of one row of random numbers."""

    @abc.abstractmethod
    def observe(
        self, state: Any, tasks: Float[Array, "pace dim"], outcomes: Float[Array, "pace"], key: PRNGKeyArray
    ) -> Any:
        """The state after a round: its tasks in the order of time, and their returns in [0, 1]."""


def lesson(
    teacher: Teacher,
    state: Any,
    student: Any,
    pupil: PyTree,
    draws: Draws,
    key: PRNGKeyArray,
    hear: Callable[[Float[Array, "pace"], PRNGKeyArray], Float[Array, "pace"]] | None = None,
) -> tuple[Any, PyTree, Float[Array, "pace dim"], Float[Array, "pace"]]:
    """One round: tasks are proposed and tried, and their outcomes observed.

    Sites: `task` (what is set), `outcome` (what came out), `heard` (what the teacher is told of it).

    Args:
        teacher, state: a teacher and its state.
        student, pupil: a `Student` and its state.
        draws: `pace` rows of random numbers.
        key: for the student, for what is heard, and for the teacher's fit.
        hear: what the teacher is told instead of the outcomes.

    Returns:
        the states of teacher and student after the round, the tasks, and their outcomes.
    """
    of_student, of_hearing, of_teacher = jax.random.split(key, 3)
    tasks = site("task", jax.vmap(lambda d: teacher.propose(state, d))(draws))
    pupil, outcomes = student.attempt(pupil, tasks, of_student)
    outcomes = site("outcome", outcomes)
    heard = site("heard", outcomes if hear is None else hear(outcomes, of_hearing))
    return teacher.observe(state, tasks, heard, of_teacher), pupil, tasks, outcomes


def pick(weights: Float[Array, "option"], chance: Float[Array, ""]) -> Int[Array, ""]:
    """An option with a probability proportional to its weight; the last one if all weights are zero.

    Args:
        weights: none of them negative.
        chance: uniform in [0, 1).
    """
    upto = jnp.cumsum(weights)
    return jnp.minimum(jnp.sum(upto <= chance * upto[-1]), weights.shape[0] - 1)


def place(task: Float[Array, "dim"]) -> Float[Array, "dim"]:
    """The task moved to the nearest one inside the unit cube."""
    return jnp.clip(task, 0.0, 1.0)


def checked(owner: str, **least: tuple[Any, int]) -> None:
    """Raise a `UserError` for the first of the named whole numbers that is below its least value."""
    for name, (value, low) in least.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            raise UserError(f"{owner}: {name} must be a whole number >= {low}, got {value!r}")
