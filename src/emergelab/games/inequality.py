"""How unequally something is held."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["equality", "gini"]


def gini(held: Float[Array, "n"]) -> Float[Array, ""]:
    """Gini index: half the mean absolute difference (with replacement) over the mean; 0 where nobody has anything."""
    total = jnp.sum(jnp.abs(held[:, None] - held[None, :]))
    return total / jnp.maximum(2 * held.shape[0] * jnp.sum(held), 1e-12)


def equality(held: Float[Array, "n"]) -> Float[Array, ""]:
    """1 if all have the same, 0 if one has everything: 1 - Gini * n / (n - 1)."""
    n = held.shape[0]
    return 1 - gini(held) * n / (n - 1)
