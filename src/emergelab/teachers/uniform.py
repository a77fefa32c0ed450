"""The teacher that chooses at random: the baseline of all others."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from emergelab.teachers.base import Draws, Teacher, checked

__all__ = ["Uniform"]


class Uniform(Teacher):
    """Every task of the unit cube is equally likely, whatever comes out."""

    dims: int = eqx.field(static=True)
    pace: int = eqx.field(static=True, default=250)

    def __check_init__(self) -> None:
        checked("Uniform", dims=(self.dims, 1), pace=(self.pace, 1))

    def start(self) -> Float[Array, "0"]:
        return jnp.zeros(0)

    def propose(self, state: Float[Array, "0"], draws: Draws) -> Float[Array, "dim"]:
        return draws.place

    def observe(
        self,
        state: Float[Array, "0"],
        tasks: Float[Array, "pace dim"],
        outcomes: Float[Array, "pace"],
        key: PRNGKeyArray,
    ) -> Float[Array, "0"]:
        return state
