"""The toy of Singh et al. (2024): three vectors whose outer product is to equal a given tensor.

Each vector only learns as far as the other two are right already: the loss has a plateau for the same reason as the
network's.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el

__all__ = ["Factors", "mismatch"]


class Factors(eqx.Module):
    """Three vectors, and by them a tensor of rank one."""

    a: Float[Array, "size"]
    b: Float[Array, "size"]
    c: Float[Array, "size"]

    @classmethod
    def make(cls, key: PRNGKeyArray, size: int) -> Factors:
        """Directions at random, entries of mean square 1: an empty tensor misses it by 1/2."""
        x = jax.random.normal(key, (3, size))
        return cls(*(x * jax.lax.rsqrt(jnp.mean(x**2, axis=1, keepdims=True))))


def mismatch(made: Factors, true: Factors, held: Int[Array, ""] | int) -> Float[Array, ""]:
    """Half the mean squared error of the tensor. Sites: `a`, `b`, `c`.

    Args:
        made: what is learnt.
        true: what is to be made.
        held: how many of the vectors are given their true values: 0, 1 (c) or 2 (b and c).
    """
    given = jnp.asarray(held)
    with el.edit(el.Clamp("c", true.c, where=given >= 1), el.Clamp("b", true.b, where=given >= 2)):
        a, b, c = el.site("a", made.a), el.site("b", made.b), el.site("c", made.c)
    error = jnp.einsum("i,j,k->ijk", a, b, c) - jnp.einsum("i,j,k->ijk", true.a, true.b, true.c)
    return 0.5 * jnp.mean(error**2)
