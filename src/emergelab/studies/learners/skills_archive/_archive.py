"""What is kept: arrays of fixed size that hold solutions, and how novel others are against them."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = ["Solutions", "Store", "comers", "drawn", "empty", "grid", "novelty", "put", "ring"]


class Solutions(NamedTuple):
    """Genomes and what came of them.

    Attributes:
        genome: weights of the network.
        place: where the body ended.
        code: that place as the search describes it.
        reward: for it.
    """

    genome: Float[Array, "*batch number"]
    place: Float[Array, "*batch 2"]
    code: Float[Array, "*batch code"]
    reward: Float[Array, "*batch"]


class Store(NamedTuple):
    """Rows that hold solutions, or nothing.

    Attributes:
        rows: the solutions.
        full: which rows hold one.
        count: how many were ever put in.
    """

    rows: Solutions
    full: Bool[Array, "row"]
    count: Int[Array, ""]


def empty(room: int, numbers: int, code: int) -> Store:
    """Nothing, with room for so many."""
    rows = Solutions(jnp.zeros((room, numbers)), jnp.zeros((room, 2)), jnp.zeros((room, code)), jnp.zeros(room))
    return Store(rows, jnp.zeros(room, bool), jnp.int32(0))


def ring(store: Store, chosen: Bool[Array, "new"]) -> Int[Array, "new"]:
    """Rows for those chosen, one after the other; when all are taken the oldest go. Beyond the end for the others."""
    room, place = len(store.full), jnp.arange(len(chosen))
    before = jnp.sum(chosen & (place < place[:, None]), -1)
    return jnp.where(chosen, (store.count + before) % room, room)


def grid(store: Store, new: Solutions, cell: Int[Array, "new"]) -> Int[Array, "new"]:
    """Rows of MAP-Elites: each solution's is its cell, if nobody there is paid as much. Beyond the end for the others.

    Of several new ones of a cell the best enters, of equal ones the first.
    """
    place = jnp.arange(len(cell))
    better = (new.reward > new.reward[:, None]) | ((new.reward == new.reward[:, None]) & (place < place[:, None]))
    beaten = jnp.any((cell == cell[:, None]) & better, -1)
    enters = ~beaten & (~store.full[cell] | (new.reward > store.rows.reward[cell]))
    return jnp.where(enters, cell, len(store.full))


def put(store: Store, new: Solutions, row: Int[Array, "new"]) -> Store:
    """The store with new solutions in the rows named, no two in one; those beyond the end are not kept."""
    taken, who = comers(row, len(store.full))
    rows = jax.tree.map(lambda old, x: jnp.where(_as(taken, old), x[who], old), store.rows, new)
    return Store(rows, store.full | taken, store.count + jnp.sum(taken))


def comers(row: Int[Array, "new"], room: int) -> tuple[Bool[Array, "row"], Int[Array, "row"]]:
    """For each row whether somebody new comes, and who.

    Asking each row is compiled and done faster than scattering the new ones.
    """
    comes = row == jnp.arange(room)[:, None]
    return jnp.any(comes, -1), jnp.sum(comes * jnp.arange(len(row)), -1)


def _as(mask: Bool[Array, "row"], like: Float[Array, "row *number"]) -> Bool[Array, "row *one"]:
    """The mask with as many axes."""
    return mask.reshape(len(mask), *(1,) * (like.ndim - 1))


def drawn(full: Bool[Array, "row"], lot: Float[Array, "*draw"]) -> Int[Array, "*draw"]:
    """A full row for each number between 0 and 1, all alike; beyond the end if none is full."""
    known = jnp.cumsum(full)
    return jnp.sum(known <= jnp.floor(lot * known[-1])[..., None], -1)


def novelty(
    code: Float[Array, "one code"], known: Float[Array, "row code"], full: Bool[Array, "row"], near: int
) -> Float[Array, "one"]:
    """Mean distance to the `near` nearest that are known, the very nearest left out: it is the solution itself."""
    # One number of a description after the other: a sum over the last axis would take four times as long.
    square = sum((code[:, i, None] - known[:, i]) ** 2 for i in range(code.shape[-1]))
    nearest = jax.lax.top_k(-jnp.where(full, square, jnp.inf), min(near + 1, len(full)))[0]
    # Left out by a mask: XLA takes the first few of a slice of them by sorting all, which is thirty times as slow.
    there = jnp.isfinite(nearest) & (jnp.arange(nearest.shape[-1]) > 0)
    return jnp.sum(jnp.where(there, jnp.sqrt(-nearest), 0.0), -1) / jnp.maximum(jnp.sum(there, -1), 1)
