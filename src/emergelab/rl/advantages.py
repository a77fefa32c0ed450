"""How much better an action was than what had been expected."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

# Parameters of a system are numpy's until they are traced.
Number = Float[Array, ""] | Float[np.ndarray, ""] | float

__all__ = ["Number", "generalised"]


def generalised(
    reward: Float[Array, "time *lane"],
    value: Float[Array, "time *lane"],
    over: Bool[Array, "time *lane"],
    next_value: Float[Array, "*lane"],
    discount: Number,
    trace: Number,
    beyond: Float[Array, "time *lane"] | None = None,
) -> Float[Array, "time *lane"]:
    """Generalised advantage estimation (Schulman et al. 2016, eq. 16).

    With trace 1 it is the discounted return that followed, minus the value; with trace 0 the error of one step.

    Args:
        reward: for each action.
        value: expected before each action.
        over: whether the episode ended with the action; nothing flows back across an end.
        next_value: expected after the last action.
        discount: gamma, in [0, 1].
        trace: lambda, in [0, 1].
        beyond: value of what would have come after the action where an episode was cut off, else 0.
    """
    beyond = jnp.zeros_like(reward) if beyond is None else beyond
    following = jnp.concatenate([value[1:], next_value[None]])
    error = reward + discount * jnp.where(over, beyond, following) - value

    def back(later: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        error, over = now
        advantage = error + discount * trace * jnp.where(over, 0.0, later)
        return advantage, advantage

    return jax.lax.scan(back, jnp.zeros_like(next_value), (error, over), reverse=True)[1]
