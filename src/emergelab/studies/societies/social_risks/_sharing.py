"""Agents who share what is scarce: cheap slots that are few, and a resource that too much demand throttles."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.games import learners, sharing
from emergelab.games.inequality import gini

__all__ = ["LEVELS", "Pool", "commons_observe", "commons_step", "init", "queue_observe", "queue_step"]

LEVELS = 4
"""How much an agent of the commons may ask for: 0 to 3 units."""
_KEPT = 0.9


class Pool(eqx.Module):
    """Agents between two ticks.

    Attributes:
        values: each agent's table. In the queue the state says whether it is the agent's turn (if turns go round) and
            the actions are "dear" and "cheap"; in the commons there is one state, and actions are units asked for.
        had: in the queue, slots that each has had of late.
        served: in the commons, what has been served of late, and the ticks of that.
        fresh: whether an agent has just had a slot.
        time: ticks played.
    """

    values: Float[Array, "agent 2 action"]
    had: Float[Array, "agent"]
    served: Float[Array, "2"]
    fresh: Float[Array, "agent"]
    time: Int[Array, ""]


def init(system: Any, key: PRNGKeyArray) -> Pool:
    """Nobody knows anything; small differences decide between equals."""
    n = system.agents
    actions = 2 if system.organism == "queue" else LEVELS
    values = 0.01 * jax.random.uniform(key, (n, 2, actions))
    return Pool(values, jnp.zeros(n), jnp.zeros(2), jnp.zeros(n), jnp.int32(0))


def queue_step(system: Any, state: Pool, key: PRNGKeyArray) -> Pool:
    """A block of ticks: claim a cheap slot or take a dear one."""
    n = system.agents
    draws = jax.random.uniform(key, (system.block, 4, n))

    def tick(k: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        values, had, fresh = carry
        time = state.time + k
        turn = sharing.on_turn(time, n, system.slots) | (system.rule == 0)
        where = jnp.where(turn, 0, 1).astype(jnp.int32)
        curious = learners.curiosity(system.fading, time)
        action = jnp.where(system.policy == 0, learners.choose(values, where, curious, draws[k, :2]), 1)
        # Told to be fair: who has just had a slot leaves the next one to others.
        yields = (fresh > 0) & (draws[k, 3] < system.safeguard)
        action = el.site("claims", jnp.where(yields, 0, action).astype(jnp.int32))
        got = sharing.by_lot((action == 1) & turn, draws[k, 2], system.slots)
        payoff = jnp.where(action == 1, jnp.where(got, 1.0, 0.0), system.dear)
        values = learners.learn(values, where, action, payoff, where, system.rate, 0.0)
        return values, had + got, got.astype(jnp.float32)

    start = (state.values, _KEPT * state.had, state.fresh)
    values, had, fresh = jax.lax.fori_loop(0, system.block, tick, start)
    return Pool(values, had, state.served, fresh, state.time + system.block)


def queue_observe(system: Any, state: Pool, key: PRNGKeyArray) -> dict[str, Array]:
    """Who gets the cheap slots."""
    share = state.had / jnp.maximum(jnp.sum(state.had), 1.0)
    return {
        "index": gini(state.had),
        "concentration": jnp.sum(share**2),
        "shut_out": jnp.mean(share < 0.1 / system.agents),
    }


def commons_step(system: Any, state: Pool, key: PRNGKeyArray) -> Pool:
    """A block of ticks: ask for units of a resource."""
    n = system.agents
    draws = jax.random.uniform(key, (system.block, 4, n))
    one = jnp.zeros(n, jnp.int32)

    def tick(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        values, total = carry
        curious = learners.curiosity(system.fading, state.time + k)
        learnt = learners.choose(values, one, curious, draws[k, :2])
        modest = (draws[k, 0] < system.capacity / n).astype(jnp.int32)
        action = jnp.where(system.policy == 0, learnt, modest)
        # Told to be fair: take one unit less.
        action = el.site("asks", jnp.where(draws[k, 3] < system.safeguard, jnp.maximum(action - 1, 0), action))
        asked = action.astype(jnp.float32)
        throttled = sharing.served(asked, system.capacity)
        in_order = sharing.served_in_order(asked, draws[k, 2], system.capacity)
        got = jnp.where(system.rule == 0, throttled, in_order)
        values = learners.learn(values, one, action, got, one, system.rate, 0.0)
        return values, total + jnp.sum(got)

    values, total = jax.lax.fori_loop(0, system.block, tick, (state.values, jnp.float32(0)))
    served = _KEPT * state.served + jnp.stack([total, jnp.float32(system.block)])
    return Pool(values, state.had, served, state.fresh, state.time + system.block)


def commons_observe(system: Any, state: Pool, key: PRNGKeyArray) -> dict[str, Array]:
    """What is lost by asking for too much, and what the same agents would lose if each were alone."""
    served = state.served[0] / jnp.maximum(state.served[1], 1.0)
    greedy = learners.greedy(state.values, jnp.zeros(system.agents, jnp.int32)).astype(jnp.float32)
    alone = jax.vmap(lambda d: jnp.sum(sharing.served(d[None], system.capacity)))(greedy)
    return {
        "index": 1 - served / system.capacity,
        "asked": jnp.mean(greedy),
        "alone": 1 - jnp.sum(alone) / jnp.maximum(jnp.sum(greedy), 1e-6),
    }
