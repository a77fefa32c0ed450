"""What a pair's probabilities are worth, exactly: success, information, and the code that is likeliest."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = ["information", "likeliest", "right", "scrambled", "success"]

Prior = Float[Array, "state"]
Says = Float[Array, "pair state signal"]
Does = Float[Array, "pair signal act"]


def success(prior: Prior, says: Says, does: Does) -> Float[Array, "pair"]:
    """Chance that the act fits the state: sum_i p_i sum_j S[i, j] R[j, i]."""
    return jnp.einsum("i,pij,pji->p", prior, says, does)


def scrambled(prior: Prior, says: Says, does: Does) -> Float[Array, "pair"]:
    """The same if the listener hears signals of other plays: as often as they are sent, but unrelated to the state."""
    sent = jnp.einsum("i,pij->pj", prior, says)
    return jnp.einsum("pj,pji,i->p", sent, does, prior)


def information(
    given: Float[Array, "state"] | Float[Array, "pair state"], table: Float[Array, "pair state signal"]
) -> Float[Array, "pair"]:
    """Mutual information, in bits, of what is seen and what is done.

    Args:
        given: chances of what is seen.
        table: chances of what is done, a row for each thing seen.
    """
    joint = given[..., :, None] * table
    apart = given[..., :, None] * joint.sum(axis=-2, keepdims=True)
    inside = joint > 0
    ratio = jnp.where(inside, joint / jnp.where(inside, apart, 1.0), 1.0)
    return jnp.maximum((joint * jnp.log2(ratio)).sum(axis=(-2, -1)), 0.0)


def likeliest(table: Float[Array, "pair seen option"]) -> Int[Array, "pair seen"]:
    """The likeliest option of each row, the first of equals."""
    return table.argmax(axis=-1).astype(jnp.int32)


def right(signal: Int[Array, "pair state"], act: Int[Array, "pair signal"]) -> Bool[Array, "pair state"]:
    """In which states the act fits if both do what is likeliest."""
    return jnp.take_along_axis(act, signal, axis=1) == jnp.arange(signal.shape[1])
