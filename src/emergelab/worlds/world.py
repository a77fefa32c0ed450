"""What a world is: levels, states, and three pure functions between them.

A *level* says which task of the world an episode is: the walls of a maze, the mass of a pole, a hidden sequence. It is
any pytree of arrays, so that teachers and designers of environments may propose, edit and keep levels as data. A
*state* is what changes within an episode, its level included. All functions are of one environment; rollouts map them
over many.

Whoever runs a world decides what follows the end of an episode (`emergelab.rl.rollout`): a world never starts anew by
itself, so nobody has to undo that.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Num, PRNGKeyArray, PyTree

from emergelab.errors import UserError

__all__ = ["Continuous", "Discrete", "Outcome", "World"]


@dataclasses.dataclass(frozen=True)
class Discrete:
    """Actions are whole numbers from 0 to `size - 1`."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UserError(f"Discrete: size is {self.size}, expected at least one action")


@dataclasses.dataclass(frozen=True)
class Continuous:
    """Actions are `size` real numbers between `low` and `high`; what lies outside is clipped by the rollout."""

    size: int
    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1 or not self.low < self.high:
            raise UserError(
                f"Continuous: size is {self.size} and the range {self.low:g} to {self.high:g}, expected at least one "
                "number and low < high"
            )


class Outcome(NamedTuple):
    """What one action led to.

    Attributes:
        state: of the world after it.
        reward: for it.
        terminated: whether the episode ended for a reason within the world: nothing more could have been gained.
        truncated: whether it was cut off from outside, by a time limit: more could have been gained.
    """

    state: PyTree
    reward: Float[Array, ""]
    terminated: Bool[Array, ""]
    truncated: Bool[Array, ""]


class World(eqx.Module):
    """One environment. Subclasses define `actions`, `level`, `reset`, `step` and `see`."""

    @property
    @abc.abstractmethod
    def actions(self) -> Discrete | Continuous:
        """What may be done."""

    @abc.abstractmethod
    def level(self, key: PRNGKeyArray) -> PyTree[Array]:
        """A level drawn from the world's own distribution; the same at each call if it has only one."""

    @abc.abstractmethod
    def reset(self, level: PyTree[Array], key: PRNGKeyArray) -> PyTree[Array]:
        """The state at the beginning of an episode on a level."""

    @abc.abstractmethod
    def step(self, state: PyTree[Array], action: Num[Array, "*action"], key: PRNGKeyArray) -> Outcome:
        """What an action leads to. After the end of an episode anything may be returned."""

    @abc.abstractmethod
    def see(self, state: PyTree[Array]) -> PyTree[Array]:
        """What the agent sees of a state: the same shapes in each."""


def never() -> Bool[Array, ""]:
    """`terminated` or `truncated` of a world that does not know such an end."""
    return jnp.bool_(False)
