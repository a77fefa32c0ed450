"""Games of reference and reconstruction over objects that have attributes: objects, hold-outs, success.

An object is a row of values, one an attribute. In a game of **reconstruction** the listener names every attribute of
what the speaker saw; in one of **reference** it points at the object among distractors. Nothing here knows who plays.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Num, PRNGKeyArray

from emergelab.errors import UserError

__all__ = [
    "Outcome", "all_objects", "diagonal", "drawn", "features", "held_out", "lineup", "reconstruction", "reference",
    "split_off", "zeros",
]  # fmt: skip


def all_objects(values: tuple[int, ...]) -> Int[np.ndarray, "object attribute"]:
    """Every combination of values, the last attribute running fastest.

    Args:
        values: how many values each attribute has.

    Raises:
        UserError: an attribute with fewer than two values.
    """
    if not values or min(values) < 2:
        raise UserError(f"values: two or more for each of at least one attribute are needed, not {values}")
    return np.stack(np.meshgrid(*map(np.arange, values), indexing="ij"), axis=-1).reshape(-1, len(values))


def features(objects: Int[Array, "*lead attribute"], values: tuple[int, ...]) -> Float[Array, "*lead feature"]:
    """One-hot codes of all attributes, one after the other: sum(values) features."""
    return jnp.concatenate([jax.nn.one_hot(objects[..., i], n) for i, n in enumerate(values)], axis=-1)


# -- what is held out -------------------------------------------------------------------------------------------------


def split_off(
    objects: Int[np.ndarray, "object attribute"], share: float, rng: np.random.Generator
) -> Bool[np.ndarray, "object"]:
    """A random share of the objects, rounded, such that every value still occurs among the others.

    Args:
        objects: rows of values.
        share: from 0 to below 1.
        rng: chooses.

    Raises:
        UserError: no such choice was found in a thousand tries.
    """
    count = round(share * len(objects))
    for _ in range(1000):
        out = np.zeros(len(objects), bool)
        out[rng.choice(len(objects), count, replace=False)] = True
        kept = objects[~out]
        if all(len(np.unique(kept[:, i])) == len(np.unique(objects[:, i])) for i in range(objects.shape[1])):
            return out
    raise UserError(f"share: with {share:g} of {len(objects)} objects held out, a value is never seen; hold out fewer")


def held_out(key: PRNGKeyArray, objects: Int[np.ndarray, "object attribute"], count: int) -> Bool[Array, "object"]:
    """As `split_off`, inside a compiled program: `count` objects at random, every value still seen among the others.

    Draws until a choice fits; which counts can fit at all is for the caller to know.
    """
    table = jnp.asarray(np.concatenate([column[:, None] == np.unique(column) for column in objects.T], axis=1))

    def drawn(key: PRNGKeyArray) -> Bool[Array, "object"]:
        return jnp.zeros(len(objects), bool).at[jax.random.permutation(key, len(objects))[:count]].set(True)

    def misses(carry: tuple[PRNGKeyArray, Bool[Array, "object"]]) -> Bool[Array, ""]:
        return ~(table & ~carry[1][:, None]).any(axis=0).all()

    def again(carry: tuple[PRNGKeyArray, Bool[Array, "object"]]) -> tuple[PRNGKeyArray, Bool[Array, "object"]]:
        key = jax.random.fold_in(carry[0], 1)
        return key, drawn(key)

    return jax.lax.while_loop(misses, again, (key, drawn(key)))[1]


def diagonal(objects: Int[np.ndarray, "object attribute"], shift: int = 0) -> Bool[np.ndarray, "object"]:
    """Objects on one diagonal of the first two attributes, a = b + shift: each value is held out once, and seen."""
    size = int(objects[:, 1].max()) + 1
    return (objects[:, 1] + shift - objects[:, 0]) % size == 0


def zeros(objects: Int[np.ndarray, "object attribute"]) -> Int[np.ndarray, "object"]:
    """How many attributes of an object have the value 0.

    To show objects with none, and those whose other attributes are all 0, is to teach the value without its
    combinations; objects with exactly one 0 then ask for them (the split of Chaabouni et al. 2020).
    """
    return (objects == 0).sum(axis=1)


# -- what comes of a message ------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """Of every message: the listener's loss, in nats, and whether it understood (for reconstruction: which parts)."""

    loss: Float[Array, "*lead"]
    right: Float[Array, "*lead"]
    parts: Float[Array, "*lead attribute"]


def reconstruction(
    logits: Float[Array, "*lead feature"], objects: Int[Array, "*lead attribute"], values: tuple[int, ...]
) -> Outcome:
    """The listener names all attributes: mean cross-entropy over attributes; right if all are.

    Args:
        logits: sum(values) of them, attribute after attribute, as `features` has them.
        objects: what was meant.
        values: how many values each attribute has.
    """
    ends = np.cumsum(values)
    losses, right = [], []
    for i, (begin, end) in enumerate(zip(ends - values, ends, strict=True)):
        mine = jax.nn.log_softmax(logits[..., begin:end], axis=-1)
        losses.append(-jnp.take_along_axis(mine, objects[..., i : i + 1], axis=-1)[..., 0])
        right.append(mine.argmax(axis=-1) == objects[..., i])
    parts = jnp.stack(right, axis=-1)
    return Outcome(jnp.stack(losses, axis=-1).mean(axis=-1), parts.all(axis=-1).astype(jnp.float32),
                   parts.astype(jnp.float32))  # fmt: skip


def reference(
    understood: Float[Array, "*lead width"],
    candidates: Float[Array, "*lead candidate width"],
    target: Int[Array, "*lead"],
) -> Outcome:
    """The listener points at a candidate: cross-entropy over the products of what it understood with each of them.

    Args:
        understood: the listener's answer.
        candidates: as the listener sees them.
        target: which one was meant.
    """
    scores = jax.nn.log_softmax(jnp.einsum("...cw,...w->...c", candidates, understood), axis=-1)
    loss = -jnp.take_along_axis(scores, target[..., None], axis=-1)[..., 0]
    right = (scores.argmax(axis=-1) == target).astype(jnp.float32)
    return Outcome(loss, right, right[..., None])


def drawn(key: PRNGKeyArray, odds: Num[Array, "object"] | Bool[Array, "object"], batch: int) -> Int[Array, "batch"]:
    """Numbers of objects, each drawn by itself with probability proportional to `odds` (which need not sum to 1).

    One random number an object, and not one for every object that could have been it (`jax.random.categorical`), which
    would take longer than the rest of a game.
    """
    return jax.random.choice(key, odds.shape[0], (batch,), p=odds.astype(jnp.float32)).astype(jnp.int32)


def lineup(
    key: PRNGKeyArray, target: Int[Array, "batch"], allowed: Bool[Array, "object"], distractors: int
) -> tuple[Int[Array, "batch candidate"], Int[Array, "batch"]]:
    """Numbers of candidate objects, all different, and where among them the target stands, which is anywhere.

    The others are a set drawn evenly by Floyd's algorithm (Bentley and Floyd 1987), which needs no sorting.

    Args:
        key: of the choice.
        target: numbers of the objects meant.
        allowed: which objects may be distractors; more than `distractors` of them.
        distractors: how many.
    """
    of_choice, of_order = jax.random.split(key)
    batch = target.shape[0]
    number = jnp.nonzero(allowed, size=allowed.shape[0], fill_value=0)[0]
    own = jnp.where(allowed[target], jnp.cumsum(allowed)[target] - 1, allowed.shape[0])  # its rank, to be left out
    count = allowed.sum() - allowed[target]
    chance = jax.random.uniform(of_choice, (distractors, batch))
    rank = jnp.full((batch, distractors), -1)
    for i in range(distractors):
        last = count - distractors + i
        new = jnp.minimum((chance[i] * (last + 1)).astype(jnp.int32), last)
        taken = (rank == new[:, None]).any(axis=1)
        rank = rank.at[:, i].set(jnp.where(taken, last, new))
    others = number[rank + (rank >= own[:, None])]
    place = jax.random.randint(of_order, (batch,), 0, distractors + 1)
    row = jnp.concatenate([target[:, None], others], axis=1).astype(jnp.int32)
    swapped = jnp.where(jnp.arange(distractors + 1) == place[:, None], target[:, None], row)
    first = jnp.take_along_axis(row, place[:, None], axis=1)[:, 0]
    return swapped.at[:, 0].set(jnp.where(place == 0, target, first)).astype(jnp.int32), place.astype(jnp.int32)
