"""Automatic domain randomisation: a box of tasks that grows from one task wherever its border is mastered."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.teachers.base import Draws, Number, Teacher, checked

__all__ = ["Adr", "Box"]

LOW, HIGH = 0, 1


class Box(eqx.Module):
    """The tasks that are set, and the last returns at each of its borders."""

    bounds: Float[Array, "2 dim"]
    recent: Float[Array, "2 dim patience"]  # rings
    count: Int[Array, "2 dim"]  # outcomes at a border since it moved last


class Adr(Teacher):
    """Tasks out of a box around a first task; a border moves outwards when tasks on it return enough (OpenAI 2019).

    Attributes:
        first: the task that it begins with: what an expert knows to be easy.
        step: by how much a border moves.
        border: share of tasks that are set on a border of one dimension.
        threshold: mean return of the last `patience` tasks on a border from which on it moves.
    """

    dims: int = eqx.field(static=True)
    pace: int = eqx.field(static=True)
    first: Float[Array, "dim"]
    step: Number = 0.05
    border: Number = 0.5
    threshold: Number = 1.0
    patience: int = eqx.field(static=True, default=10)

    def __check_init__(self) -> None:
        checked("Adr", dims=(self.dims, 1), pace=(self.pace, 1), patience=(self.patience, 1))

    def start(self) -> Box:
        zeros = jnp.zeros((2, self.dims, self.patience))
        return Box(jnp.stack([self.first, self.first]), zeros, jnp.zeros((2, self.dims), jnp.int32))

    def propose(self, state: Box, draws: Draws) -> Float[Array, "dim"]:
        low, high = state.bounds
        inside = low + draws.place * (high - low)
        dim = (draws.which * self.dims).astype(jnp.int32)
        # A border that has reached the end of the range has nothing to learn any more.
        ends = jnp.array([0.0, 1.0])
        free = state.bounds[:, dim] != ends
        side = jnp.where(free.all(), draws.side < 0.5, free[HIGH]).astype(jnp.int32)
        on_border = jnp.where(jnp.arange(self.dims) == dim, state.bounds[side, dim], inside)
        return jnp.where((draws.mode < self.border) & free.any(), on_border, inside)

    def observe(
        self, state: Box, tasks: Float[Array, "pace dim"], outcomes: Float[Array, "pace"], key: PRNGKeyArray
    ) -> Box:
        outwards = jnp.array([-1.0, 1.0])[:, None] * self.step

        def one(box: Box, now: tuple[Float[Array, "dim"], Float[Array, ""]]) -> tuple[Box, None]:
            task, outcome = now
            at: Bool[Array, "2 dim"] = box.bounds == task
            here = jnp.arange(self.patience) == (box.count % self.patience)[..., None]
            recent = jnp.where(at[..., None] & here, outcome, box.recent)
            count = box.count + at
            moves = at & (count >= self.patience) & (jnp.mean(recent, axis=-1) >= self.threshold)
            bounds = jnp.where(moves, jnp.clip(box.bounds + outwards, 0.0, 1.0), box.bounds)
            return Box(bounds, recent, jnp.where(moves, 0, count)), None

        return jax.lax.scan(one, state, (tasks, outcomes))[0]
