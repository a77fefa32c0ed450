"""N agents and N roles, each role for one: who takes what if nobody says so, and if somebody does.

Source: as a game it is an anti-coordination game with N! pure equilibria and a symmetric mixed one, in which a round
succeeds with chance N! / N^N.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = ["at_random", "clash", "first_free", "in_order", "stay_or_move"]

Number = Any


def clash(taken: Int[Array, "*n agent"]) -> Bool[Array, "*n agent"]:
    """Who shares a role with somebody."""
    return jnp.sum(taken[..., :, None] == taken[..., None, :], axis=-1) > 1


def _free(taken: Int[Array, "*n agent"]) -> Bool[Array, "*n role"]:
    roles = jnp.arange(taken.shape[-1])
    return ~jnp.any(taken[..., :, None] == roles, axis=-2)


def at_random(taken: Int[Array, "*n agent"], draw: Float[Array, "*n agent"]) -> Int[Array, "*n agent"]:
    """Everybody takes any role: the symmetric mixed equilibrium."""
    n = taken.shape[-1]
    return jnp.minimum((draw * n).astype(jnp.int32), n - 1)


def first_free(taken: Int[Array, "*n agent"], draw: Float[Array, "*n agent"]) -> Int[Array, "*n agent"]:
    """Who clashes takes the first role that nobody has: the best reply, if nobody else moved."""
    return jnp.where(clash(taken), jnp.argmax(_free(taken), axis=-1, keepdims=True), taken).astype(jnp.int32)


def stay_or_move(taken: Int[Array, "*n agent"], draw: Float[Array, "*n agent"]) -> Int[Array, "*n agent"]:
    """Who clashes stays, or takes any role that nobody has, each with the same chance."""
    free = _free(taken)
    count = jnp.sum(free, axis=-1, keepdims=True)
    # 0 is staying, k the k-th free role.
    pick = jnp.minimum((draw * (count + 1)).astype(jnp.int32), count)
    rank = jnp.where(free, jnp.cumsum(free, axis=-1), 0)
    chosen = jnp.argmax(rank[..., None, :] == pick[..., :, None], axis=-1)
    return jnp.where(clash(taken) & (pick > 0), chosen, taken).astype(jnp.int32)


def in_order(taken: Int[Array, "*n agent"], draw: Float[Array, "*n agent"]) -> Int[Array, "*n agent"]:
    """An arbitrator lets agents choose in random order: everyone has a role of its own."""
    return jnp.argsort(jnp.argsort(draw, axis=-1), axis=-1).astype(jnp.int32)
