"""What the people of the town bring along, before anything happens."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.games import memory as mind

from . import _town as town

__all__ = ["everyday", "past", "sources"]

_EVERYDAY = (1.0, 3.0)
"""Importance of everyday things: uniform between these."""


def sources(agents: int) -> Bool[Array, "agent fact"]:
    """Who knows which fact first. Nobody is the source of the false party: it is planted."""
    fact = jnp.arange(len(town.FACTS))
    return (jnp.arange(agents)[:, None] == fact) & (fact != town.FALSE)


def everyday(u: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Importance of something ordinary, from a uniform number."""
    return _EVERYDAY[0] + (_EVERYDAY[1] - _EVERYDAY[0]) * u


def past(
    life: town.Life, words: town.Words, agents: int, places: int, capacity: int, clutter: Int[Array, ""] | int,
    key: PRNGKeyArray,
) -> tuple[mind.Stream, Int[Array, "agent"]]:  # fmt: skip
    """What people bring along: clutter, habits, themselves, friends, and, four of them, a fact.

    Returns:
        everybody's memories, and how many each has made.
    """
    n, me = agents, jnp.arange(agents)
    home = town.home_of(n, places)
    room = max(capacity - n - 16, 0)
    u = jax.random.uniform(key, (5, n, room))

    def whole(x: Array, span: int) -> Int[Array, "agent old"]:
        return jnp.floor(x * span).astype(jnp.int32)

    # Clutter is from the two days before, at random times, in order.
    before = -jnp.sort(whole(u[0], town.DAYS * town.SLOTS), axis=1)[:, ::-1] - 1
    old = mind.node(
        mind.EVENT, whole(u[1], n), words.hours + whole(u[2], 4), words.places + whole(u[3], places), before,
        everyday(u[4]),
    )  # fmt: skip
    friends = mind.node(
        mind.THOUGHT, jnp.broadcast_to(me, (n, n)), words.friend,
        jnp.broadcast_to(words.places + home[:, None], (n, n)), -1, 4.0,
    )  # fmt: skip
    own = mind.node(mind.THOUGHT, me, words.oneself, words.places + life.work, -1, 5.0)
    custom = mind.node(mind.THOUGHT, me, words.hours + town.NOON, words.places + town.CAFE, -1, 6.0)
    fact = jnp.minimum(me, len(town.FACTS) - 1)
    news = mind.node(
        mind.EVENT, me, words.facts + fact, words.places + jnp.array(town.VENUE)[fact], 0,
        jnp.array(town.IMPORTANCE)[fact],
    )  # fmt: skip
    single = [jax.tree.map(lambda x: x[:, None], part) for part in (own, custom, news)]
    new = jax.tree.map(lambda *x: jnp.concatenate(x, axis=1), old, friends, *single)
    knows = jnp.any(sources(n) & (jnp.array(town.SEEDED) == 0), axis=1)
    yes = jnp.ones((n, 1), bool)
    wanted = jnp.concatenate(
        [jnp.broadcast_to(jnp.arange(room) < clutter, (n, room)), life.friends, yes, yes, knows[:, None]],
        axis=1,
    )
    minds = jax.vmap(lambda _: mind.empty(capacity))(me)
    return jax.vmap(mind.store)(minds, jnp.zeros(n, jnp.int32), new, wanted)
