"""Keys of random numbers that are drawn in a row.

JAX counts the random numbers of an array along every axis of it. XLA's loops over many short axes are slow, and slow to
compile: on a CPU, 64 x 3 x 10 numbers for 36 seeds compile in a fraction of the time as one row, and are drawn faster
(`python benchmarks/engine.py --only e`). The numbers are the same, since JAX's own generator (Threefry, with its
numbers partitionable) counts places in the row that an array is laid out in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
from jax.extend import random as extended
from jaxtyping import Array, Int, PRNGKeyArray, UInt32

__all__ = ["key"]

_THREEFRY = "threefry2x32"


def _plain(words: UInt32[Array, "2"]) -> PRNGKeyArray:
    return jax.random.wrap_key_data(words, impl=_THREEFRY)


def _seed(seed: Int[Array, ""]) -> UInt32[Array, "2"]:
    return jax.random.key_data(jax.random.key(seed, impl=_THREEFRY))


def _split(words: UInt32[Array, "2"], shape: Sequence[int]) -> UInt32[Array, "*shape 2"]:
    return jax.random.key_data(jax.random.split(_plain(words), tuple(shape)))


def _bits(words: UInt32[Array, "2"], width: int, shape: Sequence[int]) -> Array:
    return jax.random.bits(_plain(words), (math.prod(shape),), dtype=f"uint{width}").reshape(shape)


def _fold_in(words: UInt32[Array, "2"], number: Array) -> UInt32[Array, "2"]:
    return jax.random.key_data(jax.random.fold_in(_plain(words), number))


_IN_A_ROW = extended.define_prng_impl(
    key_shape=(2,), seed=_seed, split=_split, random_bits=_bits, fold_in=_fold_in, name="threefry_in_a_row", tag="row"
)


def key(seed: int | Int[Array, ""]) -> PRNGKeyArray:
    """A key that draws the same numbers as `jax.random.key(seed)`, faster: what the engine gives to every system.

    All of `jax.random` takes it. It cannot stand in one array with a key that JAX made.

    Args:
        seed: as of `jax.random.key`.
    """
    return jax.random.key(seed, impl=_IN_A_ROW)
