"""Scarce things shared by many: slots that are cheap but few, and a resource that too much demand throttles.

Gini's index is that of `inequality.gini`, on any number of agents.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = ["by_lot", "on_turn", "served", "served_in_order"]

Number = Any


def by_lot(claims: Bool[Array, "agent"], draw: Float[Array, "agent"], slots: Number) -> Bool[Array, "agent"]:
    """Who of those that claim a slot gets one: as many as there are, by lot."""
    place = jnp.argsort(jnp.argsort(jnp.where(claims, draw, 2.0)))
    return claims & (place < slots)


def on_turn(tick: Int[Array, ""], agents: int, slots: Number) -> Bool[Array, "agent"]:
    """Who may claim a slot if turns go round: as many agents as there are slots, the next ones at each tick."""
    return (jnp.arange(agents) - tick * jnp.asarray(slots, jnp.int32)) % agents < slots


def served(demand: Float[Array, "agent"], capacity: Number) -> Float[Array, "agent"]:
    """What each gets where all are throttled alike: all of it up to the capacity, exp(-excess) of it beyond.

    The excess is demand beyond the capacity in units of it. What is served in total has its maximum, the capacity,
    where demand equals it; each agent gains by asking for more as long as it asks for less than the capacity itself.
    """
    excess = jnp.maximum(jnp.sum(demand) / capacity - 1, 0.0)
    return demand * jnp.exp(-excess)


def served_in_order(
    demand: Float[Array, "agent"], draw: Float[Array, "agent"], capacity: Number
) -> Float[Array, "agent"]:
    """What each gets if they are served one after the other in random order, until nothing is left."""
    order = jnp.argsort(draw)
    before = jnp.cumsum(demand[order]) - demand[order]
    got = jnp.clip(capacity - before, 0.0, demand[order])
    return jnp.zeros_like(demand).at[order].set(got)
