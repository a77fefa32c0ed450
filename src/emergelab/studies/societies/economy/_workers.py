"""How many hours to work: a small family of pure functions of what a worker sees, and what tabular learners learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from emergelab.games.taxes import Work, best_hours, hours_at_rate, marginal_rate

__all__ = ["REACH", "WORKERS", "Habits", "View", "decide", "level_of", "taught"]

Number = Any

REACH = 3
"""Tabular learners that try something else try up to so many hours more or less."""


class View(NamedTuple):
    """What workers see before a year.

    Attributes:
        skill: of each, what an hour earns.
        hours: as they worked last year.
        cuts: where brackets begin.
        rates: of this year if they are announced, else of last year.
        values: what tabular learners have found out that each number of hours is worth.
    """

    skill: Float[Array, "worker"]
    hours: Float[Array, "worker"]
    cuts: Float[Array, "bracket"]
    rates: Float[Array, "bracket"]
    values: Float[Array, "worker level"]


class Habits(NamedTuple):
    """How workers go about it.

    Attributes:
        pace: share of the way to the better hours that is gone in a year; step of tabular learning.
        curiosity: chance a year that a tabular learner tries something else.
    """

    pace: Number
    curiosity: Number


Policy = Callable[[View, Work, Habits, Float[Array, "2 worker"]], Array]


def _exact(view: View, work: Work, habits: Habits, draw: Array) -> Array:
    return best_hours(view.skill, work, view.cuts, view.rates)


def _marginal(view: View, work: Work, habits: Habits, draw: Array) -> Array:
    felt = marginal_rate(view.hours * view.skill, view.cuts, view.rates)
    return view.hours + habits.pace * (hours_at_rate(view.skill, felt, work) - view.hours)


def _learner(view: View, work: Work, habits: Habits, draw: Array) -> Array:
    top = max(view.values.shape[1] - 1, 1)
    best = jnp.argmax(view.values, axis=1)
    # From -REACH to REACH, without 0.
    step = jnp.floor(draw[1] * 2 * REACH) - REACH
    step = jnp.where(step >= 0, step + 1, step)
    tried = jnp.where(draw[0] < habits.curiosity, jnp.clip(best + step, 0, top), best)
    return tried * work.most / top


WORKERS: dict[str, Policy] = {"exact": _exact, "marginal": _marginal, "learner": _learner}
"""The best reply to the rates; a step towards what would be best at the rate on one's next coin; tabular learning from
one's own years, whatever the rates are."""


def decide(
    worker: Number, view: View, work: Work, habits: Habits, draw: Float[Array, "2 worker"]
) -> Float[Array, "worker"]:
    """Hours by the policy with this index."""
    return jnp.stack([policy(view, work, habits, draw) for policy in WORKERS.values()])[worker]


def level_of(hours: Float[Array, "worker"], work: Work, levels: int) -> Array:
    """The row of the table that so many hours belong to."""
    return jnp.clip(jnp.round(hours / work.most * (levels - 1)), 0, levels - 1).astype(jnp.int32)


def taught(
    values: Float[Array, "worker level"], level: Array, utility: Float[Array, "worker"], pace: Number
) -> Float[Array, "worker level"]:
    """Tables after a year: what was tried moves towards what it was worth."""
    tried = jnp.arange(values.shape[1]) == level[:, None]
    return jnp.where(tried, values + pace * (utility[:, None] - values), values)
