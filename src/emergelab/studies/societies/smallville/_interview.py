"""Questions put to the people of the town, whose right answers are known: typed, so that eloquence does not help."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.games import memory as mind

from . import _town as town

__all__ = ["QUESTIONS", "Asked", "about_facts", "cues", "interview", "people_of", "share"]

QUESTIONS = ("self", "memory", "plans", "reactions", "reflections")
"""What the five kinds of questions are about, as in the paper."""
_SURE = 0.5
"""Cosine from which on a memory is taken to be what was asked for."""


class Asked(NamedTuple):
    """The people whom questions are about.

    Attributes:
        friend: somebody to whom one has talked.
        first, second: the one to whom one has talked most, and somebody else.
    """

    friend: Int[Array, "agent"]
    first: Int[Array, "agent"]
    second: Int[Array, "agent"]


def people_of(ties: Float[Array, "agent other"], key: PRNGKeyArray) -> Asked:
    """Draw the people whom questions are about."""
    n = ties.shape[0]
    u = jax.random.uniform(key, (2, n))
    less = (ties < jnp.max(ties, axis=1, keepdims=True)) & ~jnp.eye(n, dtype=bool)
    return Asked(_one_of(ties > 0, u[0]), jnp.argmax(ties, axis=1), _one_of(less, u[1]))


def cues(vectors: Float[Array, "word d"], words: town.Words, asked: Asked) -> Float[Array, "question agent d"]:
    """What the five kinds of questions, and then one on each fact, make people ask their memories."""
    n = asked.friend.shape[0]
    me, none = jnp.arange(n), jnp.full(n, mind.NONE)
    pairs = [
        (me, jnp.full(n, words.oneself)),
        (asked.friend, none),
        (me, jnp.full(n, words.hours + town.NIGHT)),
        (asked.first, asked.second),
        (jnp.full(n, words.friend), none),
        *((jnp.full(n, words.facts + f), none) for f in range(len(town.FACTS))),
    ]
    a, b = (jnp.stack(x) for x in zip(*pairs, strict=True))
    return jax.vmap(jax.vmap(lambda x, y: mind.cue_of(vectors, x, y)))(a, b)


def interview(
    found: mind.Stream, real: Bool[Array, "question agent k"], words: town.Words, asked: Asked,
    ties: Float[Array, "agent other"], tonight: Int[Array, "agent"],
) -> Float[Array, "kind"]:  # fmt: skip
    """Share of right answers by kind of question; NaN where there was nothing to ask.

    An answer is read off the memories that a question calls up.

    self: where do you work? Right if one's own memory of it is among them.
    memory: have you talked to so-and-so (one has)? Right if a talk with them is.
    plans: where will you be tonight? The latest of one's own memories of an evening among them is what one says.
    reactions: so-and-so and so-and-so are here, to whom do you turn? The one who comes up the more often; right if one
        has talked to this one more often, half right if neither comes up more.
    reflections: with whom would you like to spend time? The person that comes up most often; right if one has talked
        to nobody more often, shared among equals.

    Args:
        found: what the first five of `cues` call up, [question, agent, k].
        real: which of them are memories.
        words: the vocabulary.
        asked: whom the questions were about.
        ties: talks so far.
        tonight: where each is really due, as a number of a place.
    """
    n = ties.shape[0]
    me, people = jnp.arange(n), jnp.arange(n)
    self_, past, plans, turn, like = (mind.Stream(*(x[q] for x in found)) for q in range(len(QUESTIONS)))

    itself = jnp.any(real[0] & (self_.who == me[:, None]) & (self_.what == words.oneself), axis=1)
    talk = jnp.any(real[1] & (past.kind == mind.CHAT) & (past.source == asked.friend[:, None]), axis=1)

    mine = real[2] & (plans.what == words.hours + town.NIGHT) & (plans.source == mind.NONE)
    latest = jnp.argmax(jnp.where(mine, plans.serial, -1), axis=1)
    said = jnp.take_along_axis(plans.where, latest[:, None], axis=1)[:, 0] - words.places
    due = jnp.any(mine, axis=1) & (said == tonight)

    more = _mentions(turn, real[3], asked.first) - _mentions(turn, real[3], asked.second)
    turns = 0.5 * (jnp.sign(more) + 1.0)

    others = (like.who[..., None] == people) & (people != me[:, None])[:, None] & real[4][..., None]
    counts = jnp.sum(others, axis=1)
    named = (counts == jnp.max(counts, axis=1, keepdims=True)) & (counts > 0)
    closest = (ties == jnp.max(ties, axis=1, keepdims=True)) & (ties > 0)
    likes = jnp.sum(named & closest, axis=1) / jnp.maximum(jnp.sum(named, axis=1), 1)

    talked, always = jnp.any(ties > 0, axis=1), jnp.ones(n, bool)
    right = jnp.stack([itself, talk, due, turns, likes]).astype(jnp.float32)
    among = jnp.stack([always, talked, always, talked, talked])
    return jax.vmap(share)(right, among)


def about_facts(
    found: mind.Stream, real: Bool[Array, "fact agent k"], words: town.Words, aware: Bool[Array, "agent fact"],
    nearest: Float[Array, "fact agent"],
) -> tuple[Float[Array, "fact"], Float[Array, "fact"], Float[Array, "fact"]]:  # fmt: skip
    """Ask everybody about each fact.

    Args:
        found: what the last of `cues` call up, [fact, agent, k].
        real: which of them are memories.
        words: the vocabulary.
        aware: who has a memory of which fact.
        nearest: cosine of each question and the memory that is nearest to it.

    Returns:
        recall: share of those with a memory of it that call one up;
        precision: share of what these call up that is about it;
        false_yes: share of those without that say they have heard of it, because something they remember is near
            enough to the question. NaN where there is nobody to ask.
    """
    word = words.facts + jnp.arange(len(town.FACTS))
    about = real & (found.what == word[:, None, None])
    precise = jnp.sum(about, axis=-1) / jnp.maximum(jnp.sum(real, axis=-1), 1)
    each = jax.vmap(share)
    return each(jnp.any(about, axis=-1), aware.T), each(precise, aware.T), each(nearest >= _SURE, ~aware.T)


def _one_of(which: Bool[Array, "agent other"], lot: Float[Array, "agent"]) -> Int[Array, "agent"]:
    """One of those that are marked, by lot; the first of all where none is."""
    rank = jnp.cumsum(which, axis=1)
    wanted = jnp.floor(lot * rank[:, -1])[:, None] + 1
    return jnp.argmax(which & (rank == wanted), axis=1)


def _mentions(found: mind.Stream, real: Bool[Array, "agent k"], whom: Int[Array, "agent"]) -> Int[Array, "agent"]:
    said = (found.who == whom[:, None]) | (found.source == whom[:, None])
    return jnp.sum(real & said, axis=1)


def share(values: Array, among: Bool[Array, "agent"]) -> Float[Array, ""]:
    """Mean over those marked; NaN where none is."""
    total = jnp.sum(jnp.where(among, values.astype(jnp.float32), 0.0))
    return jnp.where(jnp.any(among), total / jnp.maximum(jnp.sum(among), 1), jnp.nan)
