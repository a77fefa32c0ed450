"""Students that teachers are tried on: what a student must offer, and one whose ability is a map that can be read."""

from __future__ import annotations

import abc
import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.errors import UserError
from emergelab.teachers.base import Number, checked

__all__ = ["ENOUGH", "MOST", "Cubes", "Pupil", "Student"]

MOST, ENOUGH = 100.0, 75.0
"""Largest competence in a cube, and the one that opens its neighbours."""


class Student(eqx.Module):
    """A learner as teachers see it: tasks in, returns out.

    What it is inside (a table, a policy with its optimiser) is its own affair; its state is a pytree of arrays.
    """

    @abc.abstractmethod
    def start(self, key: PRNGKeyArray) -> Any:
        """A student that has learnt nothing."""

    @abc.abstractmethod
    def attempt(
        self, state: Any, tasks: Float[Array, "task dim"], key: PRNGKeyArray
    ) -> tuple[Any, Float[Array, "task"]]:
        """Try the tasks, in this order or at once, and learn from them.

        Returns:
            the student afterwards, and a return in [0, 1] for each task.
        """


class Pupil(eqx.Module):
    """What a student of cubes can do, and which body it has.

    Attributes:
        competence: of each cube, in [0, 100]; the last dimension runs fastest.
        origin: the cube that needs nothing to be learnt before.
        mirrored: dimensions in which its body sees tasks the other way round.
    """

    competence: Float[Array, "cube"]
    origin: Int[Array, "dim"]
    mirrored: Bool[Array, "dim"]


class Cubes(Student):
    """A student whose task space is cut into cubes, each of which is learnt by being visited (Portelas et al. 2019).

    An episode adds 1 to the competence of its cube if the cube is open: the origin, or one with a neighbour of at least
    75. The return is the competence over 100. A cube is mastered above 75.

    Attributes:
        cubes: cubes in a dimension.
        dims: dimensions of a task that matter. Further ones are ignored.
        growth: which neighbours open a cube. "corner": those before it, diagonal ones as well; "around": those that
            share a face with it.
        hopeless: share of the first dimension's range, at its far end, in which nothing is ever learnt or returned.
            The cubes are pressed into the rest.
        forgetting: share of a cube's competence that is lost in 1,000 episodes without a visit.
    """

    cubes: int = eqx.field(static=True, default=10)
    dims: int = eqx.field(static=True, default=2)
    growth: str = eqx.field(static=True, default="corner")
    hopeless: Number = 0.0
    forgetting: Number = 0.0

    def __check_init__(self) -> None:
        checked("Cubes", cubes=(self.cubes, 1), dims=(self.dims, 1))
        if self.growth not in ("corner", "around"):
            raise UserError(f"Cubes: growth must be 'corner' or 'around', got {self.growth!r}")

    def start(self, key: PRNGKeyArray) -> Pupil:
        """The first body: all begins in the cube of small numbers."""
        zeros = jnp.zeros(self.dims, jnp.int32)
        return Pupil(jnp.zeros(self.cubes**self.dims), zeros, zeros > 0)

    def corner(self, body: Int[Array, ""]) -> Pupil:
        """A student whose easy corner is number `body` of 2^dims; bit i of the number mirrors dimension i."""
        pupil = self.start(jax.random.key(0))
        return Pupil(pupil.competence, pupil.origin, (body >> jnp.arange(self.dims)) % 2 == 1)

    def within(self, body: Int[Array, ""]) -> Pupil:
        """A student that begins in cube number `body` of all."""
        pupil = self.start(jax.random.key(0))
        return Pupil(pupil.competence, self.coordinates(body), pupil.mirrored)

    def coordinates(self, cube: Int[Array, "*many"]) -> Int[Array, "*many dim"]:
        """Place of a cube by its number."""
        return cube[..., None] // self._strides % self.cubes

    @property
    def _strides(self) -> Int[np.ndarray, "dim"]:
        return self.cubes ** np.arange(self.dims)[::-1]

    @property
    def _neighbours(self) -> Int[np.ndarray, "neighbour dim"]:
        if self.growth == "corner":
            return np.array([s for s in itertools.product((0, -1), repeat=self.dims) if any(s)])
        unit = np.eye(self.dims, dtype=int)
        return np.concatenate([unit, -unit])

    def locate(
        self, pupil: Pupil, tasks: Float[Array, "task all_dims"]
    ) -> tuple[Int[Array, "task dim"], Bool[Array, "task"]]:
        """The cube of each task as its body sees it, and whether anything can be learnt there."""
        x = tasks[:, : self.dims]
        x = jnp.where(pupil.mirrored, 1.0 - x, x)
        possible = x[:, 0] <= 1.0 - self.hopeless
        x = x.at[:, 0].divide(1.0 - self.hopeless)
        return jnp.clip(jnp.floor(x * self.cubes).astype(jnp.int32), 0, self.cubes - 1), possible

    def unfolded(self, pupil: Pupil, values: Float[Array, "cube"]) -> Float[Array, "..."]:
        """Values of cubes as a map over the task space: what the body mirrors is mirrored back."""
        grid = values.reshape((self.cubes,) * self.dims)
        for dim in range(self.dims):
            grid = jnp.where(pupil.mirrored[dim], jnp.flip(grid, dim), grid)
        return grid

    def open(self, pupil: Pupil) -> Bool[Array, "cube"]:
        """Cubes in which something can be learnt by the next visit."""
        place = self.coordinates(jnp.arange(self.cubes**self.dims))
        return self._is_open(pupil.competence, place, pupil.origin)

    def _is_open(
        self, competence: Float[Array, "cube"], place: Int[Array, "*many dim"], origin: Int[Array, "dim"]
    ) -> Bool[Array, "*many"]:
        near = place[..., None, :] + self._neighbours
        inside = jnp.all((near >= 0) & (near < self.cubes), axis=-1)
        number = jnp.sum(jnp.where(inside[..., None], near, 0) * self._strides, axis=-1)
        return jnp.all(place == origin, axis=-1) | jnp.any(inside & (competence[number] >= ENOUGH), axis=-1)

    def attempt(
        self, state: Pupil, tasks: Float[Array, "task dim"], key: PRNGKeyArray
    ) -> tuple[Pupil, Float[Array, "task"]]:
        """Tasks one after the other."""
        places, possible = self.locate(state, tasks)
        numbers = jnp.sum(places * self._strides, axis=-1)
        everywhere = jnp.arange(self.cubes**self.dims)
        kept = (1.0 - jnp.asarray(self.forgetting)) ** (1 / 1000)

        def one(
            competence: Float[Array, "cube"], now: tuple[Int[Array, "dim"], Int[Array, ""], Bool[Array, ""]]
        ) -> tuple[Array, Array]:
            place, number, can = now
            gain = (can & self._is_open(competence, place, state.origin)).astype(competence.dtype)
            after = jnp.minimum(competence[number] + gain, MOST)
            here = (everywhere == number) & can
            return jnp.where(here, after, competence * kept), jnp.where(can, after / MOST, 0.0)

        competence, outcomes = jax.lax.scan(one, state.competence, (places, numbers, possible))
        return Pupil(competence, state.origin, state.mirrored), outcomes

    def mastered(self, pupil: Pupil) -> Float[Array, ""]:
        """Share of the cubes with a competence above 75, in per cent."""
        return 100.0 * jnp.mean(pupil.competence > ENOUGH)
