"""Levels that are kept to be played again: those from which there is most to learn."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.teachers.base import Number
from emergelab.teachers.plr import replay_chances
from emergelab.worlds.mazes import MazeLevel

__all__ = ["Kept", "add", "chances", "nothing", "pick", "rescore"]


class Kept(NamedTuple):
    """A store of levels.

    Attributes:
        levels: one a place.
        filled: whether a place holds a level.
        score: what is to be learnt from each, as judged when it was played last.
        best: the most that the protagonist ever got on it.
        last: update in which it was played last.
    """

    levels: MazeLevel
    filled: Bool[Array, "place"]
    score: Float[Array, "place"]
    best: Float[Array, "place"]
    last: Int[Array, "place"]


def nothing(places: int, size: int) -> Kept:
    """A store without levels."""
    spot = jnp.zeros((places, 2), jnp.int32)
    zeros, none = jnp.zeros(places, jnp.int32), jnp.zeros(places)
    return Kept(MazeLevel(jnp.zeros((places, size, size), bool), spot, spot, zeros), zeros > 0, none, none, zeros)


def add(
    kept: Kept, levels: MazeLevel, score: Float[Array, "level"], best: Float[Array, "level"], time: Int[Array, ""]
) -> Kept:
    """The store after new levels were offered: those with the highest scores, old and new, stay.

    A level whose score is not above 0 teaches nothing and is not kept.
    """
    places = kept.filled.shape[0]
    fresh = Kept(levels, score > 0, score, best, jnp.full(score.shape, time, jnp.int32))
    both = jax.tree.map(lambda old, new: jnp.concatenate([old, new]), kept, fresh)
    order = jnp.argsort(jnp.where(both.filled, -both.score, jnp.inf), stable=True)[:places]
    return jax.tree.map(lambda x: x[order], both)


def chances(kept: Kept, time: Int[Array, ""], temperature: Number, staleness: Number) -> Float[Array, "place"]:
    """The probability that each level is played again: by rank of its score, and by the time since it was played."""
    age = (time - kept.last).astype(jnp.float32)
    return replay_chances(kept.score, age, kept.filled, temperature, staleness)


def pick(probability: Float[Array, "place"], count: int, key: PRNGKeyArray) -> Int[Array, "level"]:
    """Places drawn with repetition; the first one if no place is filled."""
    upto = jnp.cumsum(probability)
    at = jax.random.uniform(key, (count,)) * upto[-1]
    return jnp.where(upto[-1] > 0, jnp.minimum(jnp.searchsorted(upto, at, side="right"), upto.shape[0] - 1), 0)


def rescore(
    kept: Kept, place: Int[Array, "level"], score: Float[Array, "level"], best: Float[Array, "level"],
    time: Int[Array, ""],
) -> Kept:  # fmt: skip
    """The store after some of its levels were played: a level played twice has one of the two scores.

    Args:
        kept: the store.
        place: where each level came from.
        score: what is to be learnt from each now.
        best: the most that the protagonist got on it this time.
        time: the update.
    """
    return kept._replace(
        score=kept.score.at[place].set(score), best=kept.best.at[place].max(best), last=kept.last.at[place].set(time)
    )  # fmt: skip
