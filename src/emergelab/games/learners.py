"""Agents that learn by trial and error: tables of values, one row a state, chosen from with fading curiosity.

Watkins's Q-learning with epsilon-greedy choice. With one state and no regard for the future it is a running mean of
payoffs. Functions are written for many agents at once; tables have the axes (agent, state, action).

Source: Watkins (1989); the schedule exp(-fading * t) as in Calvano et al. (2020).
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

__all__ = ["choose", "curiosity", "greedy", "learn"]

Number = Any


def curiosity(fading: Number, time: Number) -> Array:
    """Chance of a random action after so many decisions."""
    return jnp.exp(-fading * time)


def greedy(values: Float[Array, "agent state action"], state: Int[Array, "agent"]) -> Int[Array, "agent"]:
    """The action of most value in each agent's state; the first of equals."""
    rows = values[jnp.arange(values.shape[0]), state]
    return jnp.argmax(rows, axis=-1).astype(jnp.int32)


def choose(
    values: Float[Array, "agent state action"],
    state: Int[Array, "agent"],
    curious: Number,
    draw: Float[Array, "2 agent"],
) -> Int[Array, "agent"]:
    """The greedy action, or with chance `curious` any.

    Args:
        values: tables.
        state: each agent's state.
        curious: chance of a random action.
        draw: two uniform numbers an agent: whether it is curious, and what it then does.
    """
    actions = values.shape[-1]
    any_action = jnp.minimum((draw[1] * actions).astype(jnp.int32), actions - 1)
    return jnp.where(draw[0] < curious, any_action, greedy(values, state))


def learn(
    values: Float[Array, "agent state action"],
    state: Int[Array, "agent"],
    action: Int[Array, "agent"],
    payoff: Float[Array, "agent"],
    after: Int[Array, "agent"],
    rate: Number,
    patience: Number,
) -> Float[Array, "agent state action"]:
    """The tables after one payoff.

    Args:
        values: tables before.
        state, action, payoff, after: what each agent did where, what it got for it, and the state that followed.
        rate: step of learning in [0, 1].
        patience: weight of the next state's value in [0, 1).
    """
    who = jnp.arange(values.shape[0])
    target = payoff + patience * jnp.max(values[who, after], axis=-1)
    return values.at[who, state, action].add(rate * (target - values[who, state, action]))
