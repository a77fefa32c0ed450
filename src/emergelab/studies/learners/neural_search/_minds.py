"""Who decides where to go next: small pure functions from what is seen to an intent.

A *behaviour* is a straight run towards a point. The searching mind names the next neuron of its graph; the walker goes
on as before, with turns; the tabular learner names the next cell. All share body and world.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ._maze import Real, Whole, cell_of

__all__ = ["MINDS", "Intent", "table_intent", "table_learnt", "table_way", "walk_intent", "wish"]

MINDS = ("graph", "walk", "table")


class Intent(NamedTuple):
    """What is to be done next.

    Attributes:
        to: the point to run to.
        limit: most motor steps for it.
        choice: neuron, or action of the table; -1 for the walker.
    """

    to: Float[Array, "2"]
    limit: Int[Array, ""]
    choice: Int[Array, ""]


def wish(gain: Float[Array, "node"], value: Float[Array, "node"], chance: Real, key: PRNGKeyArray) -> Int[Array, ""]:
    """The neuron to go to: the one that promises most, or with some chance any that a synapse leads to.

    Args:
        gain: of the synapses from where the agent is.
        value: activity of all neurons.
        chance: to choose at random.
        key: for the choice.
    """
    of_coin, of_choice = jax.random.split(key)
    any_ = jax.random.categorical(of_choice, jnp.where(gain > 0, 0.0, -jnp.inf))
    return jnp.where(jax.random.bernoulli(of_coin, chance), any_, jnp.argmax(gain * value)).astype(jnp.int32)


def walk_intent(
    seen: Float[Array, "2"],
    heading: Real,
    barred: Bool[Array, ""],
    turn: Real,
    stride: Real,
    limit: Whole,
    key: PRNGKeyArray,
) -> tuple[Intent, Float[Array, ""]]:
    """A persistent random walk: on as before with a turn, or anywhere if a wall was in the way.

    Args:
        seen: where it is.
        heading: of the last stride, radians.
        barred: whether that one got nowhere.
        turn: standard deviation of a turn, radians.
        stride: length of a behaviour.
        limit: motor steps that it takes.
        key: for the turn.

    Returns:
        the intent, and the new heading.
    """
    of_turn, of_any = jax.random.split(key)
    new = jnp.where(
        barred, jax.random.uniform(of_any, (), maxval=2 * jnp.pi), heading + turn * jax.random.normal(of_turn)
    )
    to = seen + stride * jnp.stack([jnp.cos(new), jnp.sin(new)])
    return Intent(to, jnp.asarray(limit, jnp.int32), jnp.int32(-1)), new


def table_intent(
    seen: Float[Array, "2"],
    table: Float[Array, "cell 4"],
    rooms: Whole,
    side: int,
    epsilon: Real,
    limit: Whole,
    key: PRNGKeyArray,
) -> Intent:
    """Tabular Q-learning's choice: one of the four neighbouring cells, epsilon-greedy, ties at random."""
    of_coin, of_any, of_tie = jax.random.split(key, 3)
    row, column = cell_of(seen, rooms)
    own = table[row * side + column]
    best = jnp.argmax(jnp.where(own >= jnp.max(own), jax.random.uniform(of_tie, (4,)), -1.0))
    action = jnp.where(jax.random.bernoulli(of_coin, epsilon), jax.random.randint(of_any, (), 0, 4), best)
    to = table_way(row, column, action, rooms)
    return Intent(to, jnp.asarray(limit, jnp.int32), action.astype(jnp.int32))


def table_way(row: Whole, column: Whole, action: Whole, rooms: Whole) -> Float[Array, "2"]:
    """The middle of the cell to the right of, above, to the left of, or below another."""
    way = jnp.array([[1, 0], [0, 1], [-1, 0], [0, -1]])[action]
    return (jnp.stack([column, row]) + way + 0.5) / rooms


def table_learnt(
    table: Float[Array, "cell 4"],
    before: Whole,
    action: Whole,
    after: Whole,
    arrived: Bool[Array, ""],
    rate: Real,
    discount: Real,
) -> Float[Array, "cell 4"]:
    """One step of Q-learning: the goal is worth 1, and nothing comes after it."""
    worth = jnp.where(arrived, 1.0, discount * jnp.max(table[after]))
    return table.at[before, action].add(rate * (worth - table[before, action]))
