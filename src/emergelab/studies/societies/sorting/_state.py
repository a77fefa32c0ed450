"""What the array of cells is at one moment, and the accounts that are kept of it.

Every function here is one pass over the array or less, and says nothing of who moves: see `_system`.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ._bits import Board, count

BUBBLE, INSERTION, SELECTION = 0, 1, 2
LIVE, MOVABLE, IMMOVABLE = 0, 1, 2


class Cells(eqx.Module):
    """What each cell carries with it, by the position where it now stands."""

    value: Int[Array, "n"]
    algotype: Int[Array, "n"]  # 0 bubble, 1 insertion, 2 selection
    frozen: Int[Array, "n"]  # 0 live, 1 frozen but movable by others, 2 immovable
    direction: Int[Array, "n"]  # +1 sorts upwards, -1 downwards
    label: Int[Array, "n"]  # what `aggregation` looks at
    ideal: Int[Array, "n"]  # the position that a selection cell aims at


class Tracker(eqx.Module):
    """A running account of delayed gratification, one slot an error metric: 0 descents, 1 inversions."""

    rise: Float[Array, "metric"]  # error gained in the current (or last) rise
    fall: Float[Array, "metric"]  # error lost since; > 0 only while falling
    rising: Bool[Array, "metric"]
    total: Float[Array, "metric"]  # sum of (fall - rise) / rise over completed pairs
    pairs: Int[Array, "metric"]
    rises: Int[Array, "metric"]  # swaps that raised the error


class State(eqx.Module):
    """An array at one moment, with the counts of what it cost to get there."""

    cells: Cells
    swaps: Int[Array, ""]
    activations: Float[Array, ""]
    reads: Float[Array, ""]
    published_reads: Float[Array, ""]
    peak: Float[Array, ""]  # largest aggregation after any swap
    dg: Tracker
    registers: Int[Array, "3"]  # loop counters of a top-down controller
    turn: Int[Array, ""]  # position of the cell whose turn it is, for the schedulers that are not memoryless


def from_left(x: Array, fill: int) -> Array:
    """Each position's left neighbour, `fill` at the left end."""
    return jnp.concatenate([jnp.full((1,), fill, x.dtype), x[:-1]])


def from_right(x: Array, fill: int) -> Array:
    """Each position's right neighbour, `fill` at the right end."""
    return jnp.concatenate([x[1:], jnp.full((1,), fill, x.dtype)])


@jax.jit
def inversion_change(value: Int[Array, "n"], a: Int[Array, ""], b: Int[Array, ""]) -> Int[Array, ""]:
    """By how much the inversions change when positions `a` < `b` are exchanged: one pass, not n^2."""
    at = jnp.arange(value.shape[0])
    x, y = value[a], value[b]
    between = (at > a) & (at < b)
    # Each cell in between changes its order with the small and the large one.
    gained = jnp.where(between, jnp.sign(y - value) + jnp.sign(value - x), 0).astype(jnp.int32)
    width = Board.of(value.shape[0]).width
    if value.shape[0] % width == 0:
        gained = jnp.sum(gained.reshape(-1, width), axis=1)  # two stages: see `total`
    return jnp.sum(gained) + jnp.sign(y - x).astype(jnp.int32)


@jax.jit
def count_inversions(value: Int[Array, "n"]) -> Int[Array, ""]:
    """Pairs in the wrong order (Kendall tau distance to the sorted array), by n passes over the array."""
    at = jnp.arange(value.shape[0])

    def row(i: Array, total: Array) -> Array:
        return total + jnp.sum((at > i) & (value < value[i]), dtype=jnp.int32)

    return jax.lax.fori_loop(0, value.shape[0], row, jnp.int32(0))


@jax.jit
def track(dg: Tracker, change: Int[Array, "metric"]) -> Tracker:
    """Account for one swap that changed the errors by `change`."""
    up, down = change > 0, change < 0
    step = jnp.abs(change).astype(jnp.float32)
    closes = up & (dg.fall > 0)  # a new rise completes the pair before it
    counts = down & (dg.rise > 0)  # a fall before the first rise belongs to no pair
    return Tracker(
        rise=jnp.where(up, jnp.where(dg.rising, dg.rise, 0.0) + step, dg.rise),
        fall=jnp.where(up, 0.0, jnp.where(counts, dg.fall + step, dg.fall)),
        rising=up | (dg.rising & ~down),
        total=jnp.where(closes, dg.total + (dg.fall - dg.rise) / jnp.maximum(dg.rise, 1.0), dg.total),
        pairs=dg.pairs + closes,
        rises=dg.rises + up,
    )


@jax.jit
def gratification(dg: Tracker) -> tuple[Float[Array, "metric"], Float[Array, "metric"]]:
    """Delayed gratification up to now: the mean over pairs, and what the authors' function returns.

    Their function returns the *sum* over pairs if the trace ends on a rise, and the mean otherwise.
    """
    closing = dg.fall > 0
    total = jnp.where(closing, dg.total + (dg.fall - dg.rise) / jnp.maximum(dg.rise, 1.0), dg.total)
    pairs = dg.pairs + closing
    mean = total / jnp.maximum(pairs, 1)
    return mean, jnp.where(dg.rising, total, mean)


@jax.jit
def total(mask: Bool[Array, "n"]) -> Int[Array, ""]:
    """Number of true elements. In two stages, since XLA's sum of a long row on a CPU is not vectorised."""
    return count(Board.of(mask.shape[0]).pack(mask))


@jax.jit
def descends(value: Int[Array, "n"]) -> Bool[Array, "n"]:
    return (value < from_left(value, 0)) & (jnp.arange(value.shape[0]) > 0)


@jax.jit
def same(label: Int[Array, "n"]) -> Bool[Array, "n"]:
    return label == from_right(label, -1)


def aggregation(label: Int[Array, "n"]) -> Float[Array, ""]:
    # The authors divide by n, although n cells have n - 1 right neighbours.
    return jnp.sum(same(label)) / label.shape[0]
