"""Work that is done only while somebody needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from ._site import unread

__all__ = ["when"]

Result = TypeVar("Result", bound=PyTree)


def when(needed: Bool[Array, ""], work: Callable[..., Result], args: tuple[PyTree, ...], otherwise: Result) -> Result:
    """`work(*args)` where it is needed, else `otherwise`.

    A loop of one turn or none. Unlike `lax.cond`, which computes both branches for every member as soon as seeds run
    side by side, it costs nothing in steps in which no seed needs it: phases of a run, rare events. Sites inside can be
    intervened on but not read.

    Args:
        needed: whether this seed needs the work now.
        work: a function of arrays. What it takes from outside `args` may be computed at every step.
        args: what it is called with.
        otherwise: what there is where it is not needed, of the structure, shapes and dtypes that `work` returns.
    """

    def turn(carry: tuple[Array, Result]) -> tuple[Array, Result]:
        # Without the barrier all of the work is the same in each turn, and the compiler would move it out of the loop.
        inside, _ = jax.lax.optimization_barrier((args, carry[0]))
        with unread():
            return jnp.bool(False), work(*inside)

    return jax.lax.while_loop(lambda carry: carry[0], turn, (needed, otherwise))[1]
