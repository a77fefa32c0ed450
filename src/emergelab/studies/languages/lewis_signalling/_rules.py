"""How players of a signalling game learn: one row of a player's table after one play, and whole tables in the mean.

A row holds what a player makes of one thing that it sees: weights of urns, propensities, values or probabilities, one
an option. All functions take rows of many pairs at once.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = ["RULES", "bush_mosteller", "chances", "drawn", "q_learning", "replicated", "roth_erev", "win_stay"]

RULES = ("roth-erev", "bush-mosteller", "q-learning", "win-stay", "replicator")
"""Urns; probabilities that move towards what succeeded; values and a softmax; keep what succeeded, else try another;
the mean of infinitely many players."""

Rows = Float[Array, "pair option"]
Table = Float[Array, "*lead option"]


def chances(table: Table, values: Bool[Array, ""], temperature: Float[Array, ""]) -> Table:
    """How likely each option is: in proportion to weights, or by a softmax of values."""
    weights = jnp.where(values, jax.nn.softmax(table / temperature, axis=-1), table)
    return weights / weights.sum(axis=-1, keepdims=True)


def drawn(chance: Float[Array, "pair"], rows: Rows) -> Int[Array, "pair"]:
    """An option of each row of probabilities, by one uniform number a row."""
    upto = rows @ jnp.triu(jnp.ones((rows.shape[-1],) * 2))
    return jnp.minimum((upto <= (chance * upto[:, -1])[:, None]).sum(axis=-1), rows.shape[-1] - 1).astype(jnp.int32)


def roth_erev(
    rows: Rows, did: Rows, won: Float[Array, "pair"], forgetting: Float[Array, ""], punishment: Float[Array, ""],
    least: Float[Array, ""],
) -> Rows:  # fmt: skip
    """Urns (Roth and Erev 1995): a ball of what was drawn is added after success.

    Args:
        rows: balls.
        did: one-hot, what was drawn.
        won: 1 after success, 0 else.
        forgetting: share of the balls in this urn that are lost at each draw.
        punishment: balls taken out after failure.
        least: that many balls of each kind remain.
    """
    change = jnp.where(won > 0, 1.0, -punishment)[:, None] * did
    return jnp.maximum((1.0 - forgetting) * rows + change, least)


def bush_mosteller(rows: Rows, did: Rows, won: Float[Array, "pair"], rate: Float[Array, ""]) -> Rows:
    """Probabilities go a share `rate` of the way to certainty after success, and stay after failure."""
    return rows + rate * won[:, None] * (did - rows)


def q_learning(rows: Rows, did: Rows, won: Float[Array, "pair"], rate: Float[Array, ""]) -> Rows:
    """The value of what was done goes a share `rate` of the way to what it earned."""
    return rows + rate * did * (won[:, None] - rows)


def win_stay(
    rows: Rows, did: Rows, won: Float[Array, "pair"], inertia: Float[Array, ""], chance: Float[Array, "pair"]
) -> Rows:
    """Keep what succeeded; after failure take one of the others, but for a chance of `inertia` to stay.

    Args:
        rows: one-hot.
        did: one-hot, what was done.
        won: 1 after success, 0 else.
        inertia: from 0 to 1.
        chance: uniform numbers: below `inertia` the player stays; what is above says which other.
    """
    other = drawn(jnp.maximum(chance - inertia, 0.0) / jnp.maximum(1.0 - inertia, 1e-6), 1.0 - did)
    stays = (won > 0) | (chance < inertia)
    return jnp.where(stays[:, None], rows, jax.nn.one_hot(other, rows.shape[-1]))


def replicated(
    speaker: Float[Array, "pair state signal"], listener: Float[Array, "pair signal act"],
    prior: Float[Array, "state"], rate: Float[Array, ""],
) -> tuple[Float[Array, "pair state signal"], Float[Array, "pair signal act"]]:  # fmt: skip
    """A step of the replicator dynamics of behavioural strategies: options that earn more than the mean grow.

    In state i signal j earns p_i R[j, i], and after signal j act k earns p_k S[k, j]. With growth in proportion to
    exp(rate payoff) instead of 1 + rate payoff shares stay positive at any rate.
    """
    earns = prior[:, None] * jnp.swapaxes(listener, -1, -2)
    hears = jnp.swapaxes(prior[:, None] * speaker, -1, -2)
    grown = (x * jnp.exp(rate * y) for x, y in ((speaker, earns), (listener, hears)))
    one, other = (x / x.sum(axis=-1, keepdims=True) for x in grown)
    return one, other
