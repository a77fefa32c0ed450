"""Voters who talk before they vote."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

import emergelab as el
from emergelab.games import committee

__all__ = ["Committee", "init", "observe", "step"]

_ROUNDS = 4  # of talk, at most


class Committee(eqx.Module):
    """Counts of questions.

    Attributes:
        counts: questions, and those voted right; voters who were right at first and outnumbered, and of these those
            who went over; questions in which the expert was one of these voters, and of these those that the vote
            lost, those that the best vote would have lost, and those in which the expert stayed with the truth; and
            questions that the best vote would have got right.
    """

    counts: Float[Array, "9"]


def init(system: Any, key: PRNGKeyArray) -> Committee:
    """No questions yet."""
    return Committee(jnp.zeros(9))


def _accuracy(system: Any) -> Float[Array, "voter"]:
    """How often each voter is right, as all believe; the last one is the expert."""
    return jnp.where(jnp.arange(system.voters) == system.voters - 1, system.expert, system.quality)


def step(system: Any, state: Committee, key: PRNGKeyArray) -> Committee:
    """A block of questions."""
    n, q = system.voters, system.block
    draws = jax.random.uniform(key, (1 + 2 * _ROUNDS, q, n))
    led = (jnp.arange(n) == 0) & (system.leader > 0)  # the questions in which the leader errs
    signals = el.site("signals", (draws[0] < _accuracy(system)) & ~led)
    # Told to be accurate, or asked to vote before anything is said.
    ear = jnp.where(system.rule == 0, 1 - system.safeguard, 0.0)
    aloud = (system.voter == 2) & (system.rule == 0)
    opinions = jnp.where(aloud, committee.cascade(signals), signals)
    for k in range(_ROUNDS):
        talks = k < system.talks
        swayed = committee.conform(opinions, draws[1 + 2 * k], jnp.where(talks, ear * system.conformity, 0.0))
        opinions = jnp.where(system.voter == 0, swayed, opinions)
        opinions = committee.defer(opinions, draws[2 + 2 * k], jnp.where(talks, ear * system.deference, 0.0))
        opinions = el.site(f"opinions.{k}", opinions)
    return Committee(state.counts + _counted(system, signals, opinions))


def _counted(
    system: Any, signals: Bool[Array, "question voter"], opinions: Bool[Array, "question voter"]
) -> Float[Array, "9"]:
    best = committee.weighted(signals, _accuracy(system))
    right = jnp.where(system.voter == 1, best, committee.majority(opinions))
    few = ~committee.majority(signals)
    outnumbered = few[:, None] & signals
    expert = outnumbered[:, -1]
    return jnp.stack([
        jnp.float32(len(right)), jnp.sum(right), jnp.sum(outnumbered), jnp.sum(outnumbered & ~opinions),
        jnp.sum(expert), jnp.sum(expert & ~right), jnp.sum(expert & ~best), jnp.sum(expert & opinions[:, -1]),
        jnp.sum(best),
    ]).astype(jnp.float32)  # fmt: skip


def observe(system: Any, state: Committee, key: PRNGKeyArray) -> dict[str, Array]:
    """How much is lost against the best vote on the same signals, and who was swayed."""
    count, right, outnumbered, swayed, expert, lost, lost_best, kept, best = state.counts

    def share(x: Array, of: Array) -> Array:
        return jnp.where(of > 0, x / jnp.maximum(of, 1.0), jnp.nan)

    return {
        "index": share(best, count) - share(right, count),
        "accuracy": share(right, count),
        "swayed": share(swayed, outnumbered),
        "lost": share(lost, expert),
        "lost_best": share(lost_best, expert),
        "expert_keeps": share(kept, expert),
    }
