"""What is read off the state: how facts spread, who knows of whom, and one query taken apart."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from emergelab.games import memory as mind

from . import _town as town
from ._people import NEVER, Town

__all__ = ["QUERY", "acquainted", "query", "spread", "taken"]

QUERY = 12
"""Memories that `query` shows."""


def taken(minds: mind.Stream, index: Int[Array, "agent k"]) -> mind.Stream:
    """Each person's memories at the given places, [agent, k]; their evidence is left out."""
    flat = minds._replace(evidence=minds.serial)
    found: mind.Stream = jax.tree.map(lambda x: jnp.take_along_axis(x, index, axis=1), flat)
    return found._replace(evidence=jnp.full((*index.shape, 3), mind.NONE))


def spread(state: Town) -> Float[Array, "fact"]:
    """People first told by the source and by those whom it told, divided by the number of these tellers."""
    by = state.told_by[..., None] == jnp.arange(state.made.shape[0])  # agent fact teller
    sources = (state.heard_at != NEVER) & (state.told_by == NEVER)
    first = jnp.any(by & sources.T[None], axis=-1)
    tellers = sources | first
    children = jnp.sum(by, axis=0).T
    return jnp.where(
        jnp.any(tellers, axis=0),
        jnp.sum(children * tellers, axis=0) / jnp.maximum(jnp.sum(tellers, axis=0), 1),
        jnp.nan,
    )


def acquainted(state: Town, words: town.Words) -> Float[Array, "agent other"]:
    """Pairs of whom each has a memory of the other: as a friend, or of a talk."""
    n, minds = state.made.shape[0], state.minds
    real = mind.present(minds)
    known = jnp.where(real & (minds.what == words.friend), minds.who, n)
    told = jnp.where(real & (minds.kind == mind.CHAT), minds.source, n)
    rows = jnp.arange(n)[:, None]
    knows = jnp.zeros((n, n + 1), bool).at[rows, known].set(True).at[rows, told].set(True)[:, :n]
    return (knows & knows.T & ~jnp.eye(n, dtype=bool)).astype(jnp.float32)


def query(state: Town, words: town.Words, rule: mind.Rule, ranked: bool) -> Float[Array, "rank part"]:
    """What comes to the hub's mind on meeting the host at the café: parts of the score, and what it is about."""
    own: mind.Stream = jax.tree.map(lambda x: x[state.hub], state.minds)
    cue = mind.cue_of(state.vectors, town.PARTY, words.places + town.CAFE)
    three = mind.parts(own, state.vectors, cue, state.clock, rule, ranked)
    index, score = mind.best(mind.scores(own, three, jnp.float32(0.0), rule), QUERY)
    rows = [*(p[index] for p in three), own.kind[index], own.who[index], own.what[index], own.where[index],
            own.made[index]]  # fmt: skip
    shown = jnp.stack([jnp.asarray(r, jnp.float32) for r in rows], axis=1)
    return jnp.where(jnp.isfinite(score)[:, None], shown, jnp.nan)
