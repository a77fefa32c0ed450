"""A memory of examples met: reservoir sampling, so that at any time each example met is in it with equal chance."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .streams import Batch

__all__ = ["Reservoir"]


class Reservoir(eqx.Module):
    """Examples kept, with the logits of when they were met (Vitter 1985, algorithm R).

    Attributes:
        kept: examples, a slot each.
        logits: what the network said of each when it was kept.
        met: how many examples came by.
    """

    kept: Batch
    logits: Float[Array, "slot class"]
    met: Int[Array, ""]

    @staticmethod
    def empty(slots: int, features: int, classes: int) -> Reservoir:
        """A memory that has met nothing."""
        none = jnp.zeros(slots, jnp.int32)
        return Reservoir(Batch(jnp.zeros((slots, features)), none, none), jnp.zeros((slots, classes)), jnp.int32(0))

    @property
    def slots(self) -> int:
        """How many examples there is room for."""
        return self.logits.shape[0]

    def after(self, batch: Batch, logits: Float[Array, "batch class"], key: PRNGKeyArray) -> Reservoir:
        """The memory once these came by, one after the other."""
        size, n = self.slots, logits.shape[0]
        number = self.met + jnp.arange(n)
        slot = jnp.where(number < size, number, jax.random.randint(key, (n,), 0, number + 1))
        # of several that claim a slot the last one stays, as if they had come one by one
        last = jnp.full(size, -1).at[slot].max(jnp.arange(n), mode="drop")

        def put(old: Array, new: Array) -> Array:
            taken = (last >= 0).reshape(-1, *(1,) * (old.ndim - 1))
            return jnp.where(taken, new[jnp.maximum(last, 0)], old)

        return Reservoir(jax.tree.map(put, self.kept, batch), put(self.logits, logits), self.met + n)

    def drawn(self, key: PRNGKeyArray, count: int) -> tuple[Batch, Float[Array, "batch class"], Float[Array, ""]]:
        """Examples from memory with equal chance, with replacement; their logits; 1, or 0 if the memory is empty."""
        filled = jnp.minimum(self.met, self.slots)
        at = jax.random.randint(key, (count,), 0, jnp.maximum(filled, 1))
        return jax.tree.map(lambda a: a[at], self.kept), self.logits[at], (filled > 0).astype(jnp.float32)
