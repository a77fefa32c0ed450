"""The world of the study: items with attributes, a population that judges them, and the pairs that are ever compared.

Nothing here learns. All of it is fixed for a seed, but for the strengths of disagreement and noise, which conditions
change; so the same items and the same annotators are met in every condition.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

__all__ = ["Batch", "World", "all_pairs", "comparisons", "make_world", "seen", "verdicts"]


class World(NamedTuple):
    """What there is to be judged, and who judges.

    Attributes:
        attributes: of each item, standard normal. The network never sees them.
        taste: weights that the population has on average, of length 1.
        spread: how each annotator's weights differ from them, standard normal.
        order: the pairs in random order; the first of them are those ever compared.
        rank: place of each pair in that order.
        whim: for each pair a sign, +1 or -1, that has nothing to do with the items.
    """

    attributes: Float[Array, "item attribute"]
    taste: Float[Array, "attribute"]
    spread: Float[Array, "annotator attribute"]
    order: Int[Array, "pair"]
    rank: Int[Array, "pair"]
    whim: Float[Array, "pair"]

    @property
    def utility(self) -> Float[Array, "item"]:
        """What an item is worth to the population on average."""
        return self.attributes @ self.taste


class Batch(NamedTuple):
    """Comparisons: two items and whether the first one was preferred."""

    first: Int[Array, "*batch"]
    second: Int[Array, "*batch"]
    preferred: Int[Array, "*batch"]


Number = Float[Array, ""] | float


def all_pairs(items: int) -> tuple[Int[np.ndarray, "pair"], Int[np.ndarray, "pair"]]:
    """First and second item of every pair, the first with the smaller number."""
    return np.triu_indices(items, 1)


def make_world(key: PRNGKeyArray, items: int, attributes: int, annotators: int) -> World:
    """A world of a seed."""
    pairs = items * (items - 1) // 2
    of_normal, of_order, of_whim = jax.random.split(key, 3)
    # drawn at once, because each call of a generator costs half a second of compilation
    drawn = jax.random.normal(of_normal, (items + 1 + annotators, attributes))
    order = jnp.argsort(jax.random.uniform(of_order, (pairs,)))
    return World(
        drawn[:items],
        drawn[items] / jnp.linalg.norm(drawn[items]),
        drawn[items + 1 :],
        order,
        jnp.zeros(pairs, order.dtype).at[order].set(jnp.arange(pairs)),
        jnp.where(jax.random.bernoulli(of_whim, shape=(pairs,)), 1.0, -1.0),
    )


def seen(world: World, share: Number) -> Bool[Array, "item item"]:
    """Which pairs belong to those that are ever compared, symmetric."""
    items = world.attributes.shape[0]
    i, j = all_pairs(items)
    met = world.rank < _count(share, len(i))
    return jnp.zeros((items, items), bool).at[i, j].set(met).at[j, i].set(met)


def _count(share: Number, pairs: int) -> Int[Array, ""]:
    return jnp.maximum(1, jnp.round(jnp.asarray(share) * pairs)).astype(jnp.int32)


def verdicts(world: World, tau: Number, noise: Number) -> Float[Array, "item item"]:
    """How often the population prefers row to column: mean over annotators of their Thurstonian chances."""
    weights = world.taste + tau * world.spread
    worth = world.attributes @ weights.T
    # one annotator at a time, so that no table of annotators x items x items is ever held
    total = jax.lax.map(lambda u: _chance(u[:, None] - u, noise), worth.T).sum(axis=0)
    return total / world.spread.shape[0]


def _chance(difference: Float[Array, "*shape"], noise: Number) -> Float[Array, "*shape"]:
    return ndtr(difference / (jnp.sqrt(2.0) * jnp.maximum(noise, 1e-6)))


def comparisons(
    key: PRNGKeyArray,
    world: World,
    shape: tuple[int, ...],
    *,
    tau: Number,
    noise: Number,
    share: Number,
    order: Number,
    few: int,
    turned: Bool[Array, ""] | bool,
    replay: Number,
) -> Batch:
    """Comparisons by random annotators, sides at random.

    Args:
        key: randomness.
        world: items and annotators.
        shape: of the batch.
        tau: standard deviation of annotators' weights.
        noise: standard deviation of an annotator's momentary judgement of one item.
        share: of all pairs, that is ever compared.
        order: 1: pairs are judged by what the items are worth; 0: as clearly, but which side wins is a whim of the
            pair, so that there is no scale to be found.
        few: how many items (the first ones) are judged anew.
        turned: whether they are: then comparisons are among them, with all utilities reversed.
        replay: share of the comparisons that go on as before.
    """
    items, annotators = world.attributes.shape[0], world.spread.shape[0]
    i, j = (jnp.asarray(x) for x in all_pairs(items))
    u = jax.random.uniform(key, (6, *shape))
    old = world.order[_pick(u[0], _count(share, len(i)))]
    a, b = (jnp.asarray(x) for x in all_pairs(few))
    new = _pick(u[0], len(a))
    anew = turned & (u[1] >= replay)
    low, high = jnp.where(anew, a[new], i[old]), jnp.where(anew, b[new], j[old])
    weights = world.taste + tau * world.spread[_pick(u[2], annotators)]
    difference = jnp.sum((world.attributes[low] - world.attributes[high]) * weights, axis=-1)
    by_whim = jnp.abs(difference) * world.whim[old]
    difference = jnp.where(anew, -difference, jnp.where(order > 0.5, difference, by_whim))
    wins = u[3] < _chance(difference, noise)
    swapped = u[4] < 0.5
    return Batch(jnp.where(swapped, high, low), jnp.where(swapped, low, high), (wins ^ swapped).astype(jnp.int32))


def _pick(u: Float[Array, "*shape"], count: Int[Array, ""] | int) -> Int[Array, "*shape"]:
    """A whole number below `count` out of a uniform one; rounding may not lift it to `count`."""
    return jnp.minimum((u * count).astype(jnp.int32), jnp.asarray(count, jnp.int32) - 1)
