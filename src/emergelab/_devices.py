"""One population on several devices: which arrays are cut, and where a step needs a whole one.

A run whose seeds and conditions are fewer than the devices would leave some idle. If its system says which arrays of
its state have the population as their first axis (`System.population`), the engine cuts them among the devices, and
XLA lets each compute its part of the step. Counts are those of a single device. A sum of real numbers over the
population is added up in another order and may end in another last digit; `whole` brings the parts together first.
What is left is rounding inside the compiled program, whose arrays have another shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

__all__ = ["cut", "sharding", "spread", "whole"]

# How many devices share the population of the step that is being traced. Part of JAX's trace-cache key, or an inner
# jit that was traced for one device would be taken for two.
_devices = jax.make_user_context(1)
_AXIS = "population"


@contextmanager
def spread(devices: int) -> Iterator[None]:
    """While a step is traced: its population lies on so many devices."""
    with _devices(devices):
        yield


def whole(x: Array) -> Array:
    """`x` with all its parts on every device; on a single device, `x`.

    To be called on what has been summed up over each part's own members (one number an area, a group), before these
    are summed over the population: it costs what it moves.
    """
    return x if _devices.value == 1 else jax.lax.with_sharding_constraint(x, sharding(_devices.value, None))


def cut(x: Array, axis: int | None) -> Array:
    """`x` with an axis cut among the devices, or whole."""
    return x if _devices.value == 1 else jax.lax.with_sharding_constraint(x, sharding(_devices.value, axis))


def sharding(devices: int, axis: int | None) -> NamedSharding:
    """Where the parts of an array lie whose axis is cut among so many devices; None: all of it on each."""
    mesh = Mesh(np.asarray(jax.local_devices()[:devices]), (_AXIS,))
    return NamedSharding(mesh, PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, _AXIS))
