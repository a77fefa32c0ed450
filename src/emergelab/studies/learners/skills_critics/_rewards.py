"""What is wanted on the table besides skills: to be near a disc, and to keep everything away from the edge."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from emergelab.rl.advantages import Number

__all__ = ["FAR", "HALF", "OBJECTIVES", "closeness", "danger", "unsafe"]

OBJECTIVES = ("discovery", "reach", "safety")
HALF = 0.5  # of `Table`: half of its side
FAR = 0.1  # a gap at which closeness has fallen to 1/e


def closeness(
    tip: Float[Array, "*batch 2"], discs: Float[Array, "*batch disc 2"], contact: Number
) -> Float[Array, "*batch"]:
    """The reward for reaching: 1 in contact with a disc, falling with the gap to the nearest one.

    Args:
        tip: x and y of the arm's tip.
        discs: x and y of each disc.
        contact: distance at which the tip touches a disc.
    """
    apart = jnp.sqrt(jnp.min(jnp.sum((discs - tip[..., None, :]) ** 2, -1), -1))
    return jnp.exp(-jnp.maximum(apart - contact, 0.0) / FAR)


def danger(tip: Float[Array, "*batch 2"], discs: Float[Array, "*batch disc 2"], edge: Number) -> Float[Array, "*batch"]:
    """What safety costs, at least 0: how deep tip and discs are in the border, each as a share of its width, added up.

    Args:
        tip: x and y of the arm's tip.
        discs: x and y of each disc.
        edge: where the border begins, less than half of the table's side.
    """
    places = jnp.concatenate([tip[..., None, :], discs], -2)
    deep = jnp.maximum(jnp.max(jnp.abs(places), -1) - edge, 0.0)
    return jnp.sum(deep, -1) / (HALF - edge)


def unsafe(tip: Float[Array, "*batch 2"], discs: Float[Array, "*batch disc 2"], edge: Number) -> Bool[Array, "*batch"]:
    """Whether anything is in the border, beyond what rounding does."""
    return danger(tip, discs, edge) > 1e-4
