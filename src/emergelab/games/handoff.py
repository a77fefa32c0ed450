"""Messages handed from one to the next: facts get lost, are guessed anew, and drift to what everyone expects.

A message is k facts with one of V values each. At every hop a fact is lost with chance `loss`, or misremembered as what
one would have expected with chance `pull`; in both cases its value is drawn anew from the prior that all share. With
chance `slip` any value takes its place. A check undoes what a hop did to a fact with chance `check`.

A fact that is untouched after L hops has chance ((1 - check) (1 - r) + check)^L, with r the chance that a hop touches
it; everything measurable falls off with that power, towards what the prior says.

Sources: Griffiths and Kalish (2007) for the prior as attractor; Perez et al. (2024) for slope and attractor of a chain.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = ["attractor", "hop", "kept", "prior", "regression"]

Number = Any


def prior(values: int, mode: Number) -> Float[Array, "value"]:
    """A prior with this chance of the value 0, and equal ones of the others."""
    rest = (1 - mode) / (values - 1)
    return jnp.where(jnp.arange(values) == 0, mode, rest)


def kept(loss: Number, pull: Number, slip: Number, check: Number) -> Array:
    """Chance that a hop leaves a fact as it is."""
    untouched = (1 - loss) * (1 - pull) * (1 - slip)
    return jnp.asarray(check + (1 - check) * untouched)


def hop(
    message: Int[Array, "chain fact"],
    draw: Float[Array, "3 chain fact"],
    values: int,
    mode: Number,
    touched: tuple[Number, Number, Number, Number],
) -> tuple[Int[Array, "chain fact"], Bool[Array, "chain fact"]]:
    """A message after one hop, and which of its facts went through untouched.

    Args:
        message: value of each fact.
        draw: uniform numbers: what happens to a fact, what value the prior gives, what value a slip gives.
        values: how many there are.
        mode: chance of value 0 under the prior.
        touched: loss, pull, slip, check.
    """
    loss, pull, slip, check = touched
    # One number decides: kept, drawn anew from the prior, or anything.
    stays = kept(loss, pull, slip, check)
    anew = (1 - check) * (1 - (1 - loss) * (1 - pull)) * (1 - slip)
    expected = jnp.where(draw[1] < mode, 0, 1 + ((draw[1] - mode) / (1 - mode) * (values - 1)).astype(jnp.int32))
    expected = jnp.clip(expected, 0, values - 1)
    anything = jnp.minimum((draw[2] * values).astype(jnp.int32), values - 1)
    untouched = draw[0] < stays
    changed = jnp.where(draw[0] < stays + anew, expected, anything)
    return jnp.where(untouched, message, changed), untouched


def regression(before: Float[Array, "chain"], after: Float[Array, "chain"]) -> tuple[Array, Array]:
    """Slope and intercept of what comes out on what went in, by least squares."""
    x = before - jnp.mean(before)
    slope = jnp.sum(x * after) / jnp.maximum(jnp.sum(x * x), 1e-9)
    return slope, jnp.mean(after) - slope * jnp.mean(before)


def attractor(slope: Number, intercept: Number) -> Array:
    """The value that a chain leaves as it is: intercept over one minus slope."""
    gap = 1 - slope
    return jnp.where(jnp.abs(gap) > 1e-3, intercept / jnp.where(jnp.abs(gap) > 1e-3, gap, 1.0), jnp.nan)
