"""Copies of one network that are fine-tuned side by side, and work that is done only when somebody needs it.

Weights of the copies lie in one long row a recipe: an optimiser then is a few large operations instead of many small
ones, which on a CPU compile and run several times as fast.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray

from emergelab.nn.transformer import Transformer

__all__ = ["Tuned", "copies", "factors", "flat", "unflat"]

MATRICES = ("query", "key", "value", "project", "up", "down")
"""Of each block: those that a low-rank change is added to."""


class Tuned(eqx.Module):
    """Weights, and the factors of a change of rank one to each matrix of the blocks; usually one row a recipe.

    As in low-rank adaptation (Hu et al. 2021), left factors are random and right ones begin at zero.
    """

    net: Float[Array, "*recipe weight"]
    low: Float[Array, "*recipe factor"]

    def whole(self, like: Transformer) -> Transformer:
        """The network that the two make, of one recipe; `like` is a network of its shape."""
        net = unflat(self.net, like)
        change = ravel_pytree(_shapes(like))[1](self.low)
        blocks = tuple(
            dataclasses.replace(block, **{name: getattr(block, name) + jnp.outer(*pair) for name, pair in own.items()})
            for block, own in zip(net.blocks, change, strict=True)
        )
        return dataclasses.replace(net, blocks=blocks)


def flat(net: Transformer) -> Float[Array, "weight"]:
    """All weights in a row."""
    return ravel_pytree(net)[0]


def unflat(weights: Float[Array, "weight"], like: Transformer) -> Transformer:
    """The network that has these weights."""
    net: Transformer = ravel_pytree(like)[1](weights)
    return net


def _shapes(like: Transformer) -> tuple[dict[str, tuple[Array, Array]], ...]:
    """Factors of zeros for each matrix: a template for their row."""
    return tuple(
        {name: tuple(jnp.zeros(n) for n in getattr(block, name).shape) for name in MATRICES}  # type: ignore[misc]
        for block in like.blocks
    )


def factors(key: PRNGKeyArray, like: Transformer) -> Float[Array, "factor"]:
    """Random left factors of length about 1, right factors of zeros, in a row."""
    scale = ravel_pytree(
        tuple(
            {name: (jnp.full(left.shape, left.shape[0] ** -0.5), right) for name, (left, right) in own.items()}
            for own in _shapes(like)
        )
    )[0]
    return scale * jax.random.normal(key, scale.shape)


def copies(key: PRNGKeyArray, net: Transformer, count: int) -> Tuned:
    """Equal copies of a network, with changes that are zero."""
    rows = (flat(net), factors(key, net))
    return Tuned(*(jnp.broadcast_to(x, (count, x.shape[0])) for x in rows))
