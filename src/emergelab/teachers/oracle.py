"""A window that an expert moves from easy to hard tasks: the curriculum by hand."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from emergelab.teachers.base import Draws, Number, Teacher, checked

__all__ = ["Oracle", "Window"]


class Window(eqx.Module):
    """Where the window is, and the returns since it moved last."""

    low: Float[Array, "dim"]
    recent: Float[Array, "patience"]  # a ring
    since: Int[Array, ""]


class Oracle(Teacher):
    """Tasks out of a box that moves by a fixed step whenever the student does well in it (Portelas et al. 2019).

    Attributes:
        first: lower corner of the box at first.
        width: sides of the box; a sixth of the range in the paper, 1 where a dimension does not matter.
        step: how far it moves in each dimension. It never leaves the unit cube.
        threshold: mean return of the last `patience` tasks above which it moves.
        patience: 50 in the paper.
    """

    dims: int = eqx.field(static=True)
    pace: int = eqx.field(static=True)
    first: Float[Array, "dim"]
    width: Float[Array, "dim"]
    step: Float[Array, "dim"]
    threshold: Number = 0.75
    patience: int = eqx.field(static=True, default=50)

    def __check_init__(self) -> None:
        checked("Oracle", dims=(self.dims, 1), pace=(self.pace, 1), patience=(self.patience, 1))

    def start(self) -> Window:
        return Window(self.first, jnp.zeros(self.patience), jnp.int32(0))

    def propose(self, state: Window, draws: Draws) -> Float[Array, "dim"]:
        return state.low + draws.place * self.width

    def observe(
        self, state: Window, tasks: Float[Array, "pace dim"], outcomes: Float[Array, "pace"], key: PRNGKeyArray
    ) -> Window:
        def one(window: Window, outcome: Float[Array, ""]) -> tuple[Window, None]:
            recent = window.recent.at[window.since % self.patience].set(outcome)
            since = window.since + 1
            moves = (since >= self.patience) & (jnp.mean(recent) > self.threshold)
            low = jnp.clip(window.low + self.step, 0.0, 1.0 - self.width)
            return Window(jnp.where(moves, low, window.low), recent, jnp.where(moves, 0, since)), None

        return jax.lax.scan(one, state, outcomes)[0]
