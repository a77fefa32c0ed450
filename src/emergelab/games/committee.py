"""Committees that answer yes-or-no questions: private signals, votes, and what talking does to them.

Every question has a right answer. Each voter's signal is right with its own probability, independently. Opinions are
held as "right" (True) or "wrong", for nothing else matters. Rounds of talk change opinions; then the majority decides.

Sources: Condorcet (1785); Nitzan and Paroush (1982) for the best weights; Asch (1951); Bikhchandani, Hirshleifer, Welch
(1992) for cascades; Castellano et al. (2009) for voters that conform to a group.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

__all__ = ["best_accuracy", "cascade", "conform", "defer", "majority", "weighted"]

Number = Any


def majority(opinions: Bool[Array, "*n voter"]) -> Bool[Array, "*n"]:
    """Whether more voters are right than wrong."""
    return jnp.sum(opinions, axis=-1) * 2 > opinions.shape[-1]


def weighted(opinions: Bool[Array, "*n voter"], accuracy: Float[Array, "voter"]) -> Bool[Array, "*n"]:
    """Whether the best vote is right: each voter counts by the log-odds of its accuracy."""
    weight = jnp.log(accuracy) - jnp.log1p(-accuracy)
    return jnp.sum(jnp.where(opinions, weight, -weight), axis=-1) > 0


def best_accuracy(accuracy: Float[Array, "voter"]) -> Float[Array, ""]:
    """Chance that the best vote is right, by going through all combinations of signals (up to some 15 voters)."""
    n = accuracy.shape[0]
    right = (jnp.arange(2**n)[:, None] >> jnp.arange(n)) & 1 == 1
    chance = jnp.prod(jnp.where(right, accuracy, 1 - accuracy), axis=1)
    return jnp.sum(jnp.where(weighted(right, accuracy), chance, 0.0))


def conform(
    opinions: Bool[Array, "question voter"], draw: Float[Array, "question voter"], conformity: Number
) -> Bool[Array, "question voter"]:
    """Opinions after one round of simultaneous talk.

    Who disagrees with most of the others goes over to them with chance `conformity` times their share. With an even
    split of the others nobody moves.
    """
    others = opinions.shape[-1] - 1
    right = jnp.sum(opinions, axis=-1, keepdims=True) - opinions
    against = jnp.where(opinions, others - right, right)
    moves = (against * 2 > others) & (draw < conformity * against / others)
    return opinions ^ moves


def defer(
    opinions: Bool[Array, "question voter"], draw: Float[Array, "question voter"], deference: Number
) -> Bool[Array, "question voter"]:
    """Opinions after one round in which each voter takes over the first one's with chance `deference`."""
    return jnp.where(draw < deference, opinions[:, :1], opinions)


def cascade(signals: Bool[Array, "question voter"]) -> Bool[Array, "question voter"]:
    """Opinions spoken one after the other, each by Bayes from one's own signal and from all that was said before.

    For signals of one accuracy and voters who follow their own signal where they are undecided: as soon as one answer
    leads by two, nobody's own signal counts any more.
    """
    lead = jnp.zeros(signals.shape[0], jnp.int32)
    said = []
    for k in range(signals.shape[1]):
        own = signals[:, k]
        spoken = jnp.where(jnp.abs(lead) >= 2, lead > 0, own)
        # What is said in a cascade tells nobody anything, so the lead that counts stays.
        lead = jnp.where(jnp.abs(lead) >= 2, lead, lead + jnp.where(spoken, 1, -1))
        said.append(spoken)
    return jnp.stack(said, axis=1)
