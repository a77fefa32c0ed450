"""The cognitive graph: places as neurons, hopes of getting from one to another as synapses.

Arrays have a fixed number of rows; `alive` says which of them are neurons. Neuron 0 stands for the goal and neuron 1
for the place where all begins. The weight of a synapse is in [0, 1]: how far the agent trusts that it can go straight
from one place to the other. All pairs have one, and only those within `reach` count.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ._maze import Real, Whole

__all__ = ["GOAL", "START", "Graph", "activity", "code", "gains", "hops", "insert", "patch_crossed", "spread", "weaken"]

GOAL, START = 0, 1


class Graph(NamedTuple):
    """What the agent knows.

    Attributes:
        place: where each neuron's place is.
        code: the harmonic code that each neuron answers to.
        weight: of the synapse from the first to the second neuron.
        alive: whether the row is in use.
    """

    place: Float[Array, "node 2"]
    code: Float[Array, "node part"]
    weight: Float[Array, "node node"]
    alive: Bool[Array, "node"]


def code(place: Float[Array, "*batch 2"], waves: Float[Array, "wave 2"], count: Whole) -> Float[Array, "*batch part"]:
    """Cosines and sines of a place along plane waves: a vector of length 1.

    The product of two codes falls with the distance of their places, on average over waves.

    Args:
        place: x and y.
        waves: wave vectors, in cycles.
        count: how many of them are in use.
    """
    used = jnp.arange(waves.shape[0]) < count
    angle = 2 * jnp.pi * place @ waves.T
    parts = jnp.concatenate([jnp.cos(angle) * used, jnp.sin(angle) * used], -1)
    return parts / jnp.sqrt(jnp.asarray(count, jnp.float32))


def activity(graph: Graph, seen: Float[Array, "part"]) -> Float[Array, "node"]:
    """How strongly every neuron answers to a code, in [-1, 1]; -2 where there is no neuron."""
    return jnp.where(graph.alive, graph.code @ seen, -2.0)


def gains(graph: Graph, reach: Real, decay: Real, per_length: Real) -> Float[Array, "node node"]:
    """What is left of an activity that passes a synapse backwards.

    Args:
        graph: the graph.
        reach: longest synapse that counts.
        decay: factor for a step of length `1 / per_length` and for half a step on top, in (0, 1).
        per_length: steps a unit of length.
    """
    gap = _gaps(graph.place, graph.place)
    other = ~jnp.eye(gap.shape[0], dtype=bool)
    live = graph.alive[:, None] & graph.alive[None, :] & other & (gap < reach)
    return jnp.where(live, graph.weight * jnp.exp(jnp.log(decay) * (per_length * gap + 0.5)), 0.0)


def spread(
    gain: Float[Array, "node node"], source: Whole, awake: Bool[Array, ""] | bool = True
) -> Float[Array, "node"]:
    """Activity that spreads backwards from a neuron until nothing changes: of each neuron, the best product of gains
    along a way from it to the source.

    Where gains are exponentials of minus a cost, this is the exponential of minus the cheapest way's cost.

    Args:
        gain: what a synapse leaves, from row to column.
        source: the neuron that is active by itself.
        awake: whether to spread at all.
    """
    first = jnp.zeros(gain.shape[0]).at[source].set(1.0)

    def turn(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        value, _ = carry
        new = jnp.maximum(value, jnp.max(gain * value, 1))
        return new, jnp.any(new > value)

    return jax.lax.while_loop(lambda carry: carry[1], turn, (first, jnp.asarray(awake)))[0]


def hops(gain: Float[Array, "node node"], value: Float[Array, "node"], start: Whole, goal: Whole) -> Int[Array, ""]:
    """Synapses on the way from one neuron to another that climbs the activity; 0 if there is no way."""
    count = gain.shape[0]

    def on(carry: tuple[Array, Array]) -> Array:
        return (carry[0] != goal) & (carry[1] < count)

    def turn(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        return jnp.argmax(gain[carry[0]] * value).astype(jnp.int32), carry[1] + 1

    here = jnp.where(value[start] > 0, start, goal)
    return jax.lax.while_loop(on, turn, (jnp.asarray(here, jnp.int32), jnp.int32(0)))[1]


def weaken(
    weight: Float[Array, "node node"], which: Bool[Array, "node node"], by: Real, forget: Real
) -> Float[Array, "node node"]:
    """Weights after a failure: some are taken down, and those that fall below a floor are gone."""
    down = weight - by
    return jnp.where(which, jnp.where(down < forget, 0.0, down), weight)


def patch_crossed(
    place: Float[Array, "node 2"], at: Float[Array, "2"], towards: Float[Array, "2"], half: Real
) -> Bool[Array, "node node"]:
    """Which straight ways cross a piece of wall that was felt, in either direction.

    The piece is as wide as `2 * half`, and stands across the direction in which the way was barred.

    Args:
        place: of all neurons.
        at: where the agent was stopped.
        towards: where it wanted to go; only the direction counts.
        half: half of the piece's width.
    """
    way = towards - at
    ahead = way / jnp.maximum(jnp.sqrt(jnp.sum(way**2)), 1e-9)
    aside = jnp.stack([-ahead[1], ahead[0]])
    offset = place - at
    depth, width = offset @ ahead, offset @ aside
    # Where the way from i to j passes the line on which the piece stands.
    before, behind = depth[:, None], depth[None, :]
    apart = behind - before
    share = -before / jnp.where(apart == 0, 1.0, apart)
    passes = width[:, None] + share * (width[None, :] - width[:, None])
    return ((before < 0) != (behind < 0)) & (jnp.abs(passes) <= half)


def insert(
    graph: Graph,
    places: Float[Array, "new 2"],
    codes: Float[Array, "new part"],
    wanted: Bool[Array, "new"],
    weight: Real,
    keep: Bool[Array, "node"],
    reach: Real,
) -> tuple[Graph, Int[Array, "new"]]:
    """A graph with new neurons, all of whose synapses are as hopeful as at the beginning.

    New neurons take rows that are free. Where there is none they take the rows of those with the least hope left: the
    smallest sum of weights within reach.

    Args:
        graph: as it was.
        places: of the new neurons.
        codes: that they answer to from now on.
        wanted: which of them are to be made.
        weight: of their synapses.
        keep: neurons that must stay.
        reach: as in `gains`.

    Returns:
        the graph, and the rows of the new neurons (of those that are not wanted, too).
    """
    near = (_gaps(graph.place, graph.place) < reach) & graph.alive[:, None] & graph.alive[None, :]
    hope = jnp.sum(jnp.where(near, graph.weight + graph.weight.T, 0.0), 1)
    worth = jnp.where(keep, jnp.inf, jnp.where(graph.alive, 1.0 + hope, 0.0))
    _, rows = jax.lax.top_k(-worth, places.shape[0])
    target = jnp.where(wanted, rows, graph.alive.shape[0])  # out of range: dropped
    fresh = jnp.zeros_like(graph.alive).at[target].set(True, mode="drop")
    return Graph(
        graph.place.at[target].set(places, mode="drop"),
        graph.code.at[target].set(codes, mode="drop"),
        jnp.where(fresh[:, None] | fresh[None, :], weight, graph.weight),
        graph.alive | fresh,
    ), rows


def _gaps(a: Float[Array, "m 2"], b: Float[Array, "n 2"]) -> Float[Array, "m n"]:
    """Distances of all pairs, from differences: no cancellation for near places."""
    x, y = a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1]
    return jnp.sqrt(x * x + y * y)
