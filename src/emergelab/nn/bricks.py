"""Bricks: the hidden units of a perceptron in groups of equal size, and which of them a token needs.

Units whose keys (their weights from the input) are alike fire together. So groups of like keys can be switched as a
whole: for every token a gate scores the bricks, the best k are kept, and the others are silent.

    labels = balanced(keys, 16)                           # like keys together, equally many in each brick
    scores = by_keys(before, labels, 16)                  # or by_activity(act, labels, 16), which has seen the answer
    act = act * open_units(scores, labels, 4)             # four of sixteen bricks a token

Follows Qiu, Huang and Fu, "Emergent Mixture-of-Experts" (2023, https://arxiv.org/abs/2310.10908) and Xiao et al.,
"Configurable Foundation Models" (2024, https://arxiv.org/abs/2409.02877).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.errors import UserError

__all__ = [
    "at_random", "balanced", "by_activity", "by_keys", "coactivation", "modularity", "open_units", "purity",
    "specialisation",
]  # fmt: skip


def _room(units: int, bricks: int) -> int:
    if bricks < 1 or units % bricks:
        raise UserError(f"bricks: {units} units do not fill {bricks} bricks evenly; give a number that divides {units}")
    return units // bricks


def at_random(key: PRNGKeyArray, units: int, bricks: int) -> Int[Array, "unit"]:
    """Any partition into bricks of equal size: what routing costs when units have nothing in common.

    Raises:
        UserError: a number of bricks that does not divide the units.
    """
    return jax.random.permutation(key, units) // _room(units, bricks)


def balanced(keys: Float[Array, "unit width"], bricks: int, rounds: int = 10) -> Int[Array, "unit"]:
    """Units with keys in like directions together, equally many in each brick: k-means with full bricks.

    Keys are compared by direction. In every round the units that gain most by their favourite brick choose first, as
    long as it has room; then bricks move to the mean of their units. Begins with units far from each other.

    Args:
        keys: of every unit the weights from the input.
        bricks: how many, a divisor of the number of units.
        rounds: of choosing and moving.

    Raises:
        UserError: a number of bricks that does not divide the units.
    """
    units = keys.shape[0]
    room = _room(units, bricks)
    direction = _unit(keys)

    def farther(carry: tuple[Float[Array, "unit"], Int[Array, ""]], _: None) -> tuple[tuple[Array, Array], Array]:
        nearest, last = carry
        nearest = jnp.maximum(nearest, direction @ direction[last])
        return (nearest, jnp.argmin(nearest).astype(jnp.int32)), last

    _, first = jax.lax.scan(farther, (jnp.full(units, -jnp.inf), jnp.int32(0)), length=bricks)

    def choose(likeness: Float[Array, "unit brick"]) -> Int[Array, "unit"]:
        two = jax.lax.top_k(likeness, min(2, bricks))[0]
        queue = jnp.argsort(two[:, -1] - two[:, 0])

        def one(taken: Int[Array, "brick"], unit: Int[Array, ""]) -> tuple[Array, Array]:
            brick = jnp.argmax(jnp.where(taken < room, likeness[unit], -jnp.inf))
            return taken.at[brick].add(1), brick

        _, chosen = jax.lax.scan(one, jnp.zeros(bricks, jnp.int32), queue)
        return jnp.zeros(units, jnp.int32).at[queue].set(chosen.astype(jnp.int32))

    def move(_: Int[Array, ""], centres: Float[Array, "brick width"]) -> Float[Array, "brick width"]:
        labels = choose(direction @ centres.T)
        return _unit(jax.nn.one_hot(labels, bricks).T @ direction)

    centres = jax.lax.fori_loop(0, rounds, move, direction[first])
    return choose(direction @ centres.T)


def by_keys(
    before: Float[Array, "*batch unit"], labels: Int[Array, "unit"], bricks: int
) -> Float[Array, "*batch brick"]:
    """Scores of bricks from their mean key alone: the gate that needs no unit to be computed.

    Args:
        before: input times keys, without bias; its mean over a brick is the input times the brick's mean key.
        labels: brick of every unit.
        bricks: how many there are.
    """
    return before @ jax.nn.one_hot(labels, bricks) / (labels.shape[0] // bricks)


def by_activity(
    act: Float[Array, "*batch unit"], labels: Int[Array, "unit"], bricks: int
) -> Float[Array, "*batch brick"]:
    """Scores of bricks from what their units did: the best that a gate could know of them."""
    return jnp.abs(act) @ jax.nn.one_hot(labels, bricks)


def open_units(
    scores: Float[Array, "*batch brick"], labels: Int[Array, "unit"], most: Int[Array, ""] | int
) -> Float[Array, "*batch unit"]:
    """1 for units of the `most` best bricks of each token, 0 for others; `most` may be traced. Of equals the first."""
    bricks = scores.shape[-1]
    mine, other = scores[..., :, None], scores[..., None, :]
    earlier = jnp.tril(jnp.ones((bricks, bricks), bool), -1)
    rank = ((other > mine) | ((other == mine) & earlier)).sum(axis=-1)
    return (rank < most).astype(scores.dtype)[..., labels]


def coactivation(fired: Bool[Array, "sample unit"]) -> Float[Array, "unit unit"]:
    """How much more often than by chance two units fire together: their correlation where positive, 0 with itself.

    Units that always or never fire go with none.
    """
    x = fired.astype(jnp.float32)
    x = x - x.mean(axis=0)
    spread = jnp.sqrt(jnp.square(x).mean(axis=0))
    x = jnp.where(spread > 0, x / jnp.where(spread > 0, spread, 1.0), 0.0)
    together = jnp.maximum(x.T @ x / x.shape[0], 0.0)
    return together * (1.0 - jnp.eye(x.shape[1]))


def modularity(weight: Float[Array, "unit unit"], labels: Int[Array, "unit"]) -> Float[Array, ""]:
    """Newman's modularity Q of a partition of a weighted graph: links within, beyond what degrees alone would give."""
    total = weight.sum()
    degree = weight.sum(axis=1)
    within = labels[:, None] == labels
    share = jnp.where(total > 0, total, 1.0)
    return ((weight - degree[:, None] * degree / share) * within).sum() / share


def specialisation(
    fired: Bool[Array, "sample unit"], kinds: Int[Array, "sample"], count: int
) -> Float[Array, "unit kind"]:
    """How much more often a unit fires when the sample is of a kind than it fires at all; 0 for kinds not met."""
    member = jax.nn.one_hot(kinds, count)
    x = fired.astype(jnp.float32)
    met = member.sum(axis=0)
    given = (x.T @ member) / jnp.maximum(met, 1.0)
    return jnp.where(met > 0, given - x.mean(axis=0)[:, None], 0.0)


def purity(favourite: Int[Array, "unit"], labels: Int[Array, "unit"], bricks: int, kinds: int) -> Float[Array, ""]:
    """Share of units whose favourite kind is the most common one of their brick."""
    table = jax.nn.one_hot(labels, bricks).T @ jax.nn.one_hot(favourite, kinds)
    return table.max(axis=1).sum() / labels.shape[0]


def _unit(x: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
    return x / jnp.sqrt(jnp.maximum(jnp.square(x).sum(axis=-1, keepdims=True), 1e-24))
