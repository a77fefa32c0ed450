"""The disease: stages, how infectious one is on which day, how it goes on, and what it costs."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8
from scipy import stats

__all__ = [
    "CONTACTS", "DAYS", "DEAD", "EXPOSED", "FATALITY", "IMMUNE", "INFECTIOUS", "PROFILE", "STAGES", "SUSCEPTIBILITY",
    "SUSCEPTIBLE", "go_on", "load", "total_load",
]  # fmt: skip

SUSCEPTIBLE, EXPOSED, INFECTIOUS, IMMUNE, DEAD = range(5)
STAGES = ("susceptible", "exposed", "infectious", "immune", "dead")

DAYS = 64
"""Days since infection that are told apart."""
SUSCEPTIBILITY = np.array([0.35, 0.69, 1.03, 1.03, 1.03, 1.03, 1.27, 1.52, 1.52], np.float32)
"""By decade of age, as published."""
CONTACTS = np.array([2, 2, 3, 3, 3, 3, 4, 4, 4], np.float32)
"""Mean contacts of children, adults and the old by which the force of infection is divided, as published."""
SHEDDING = {EXPOSED: 0.33, INFECTIOUS: 0.72}
"""How infectious a stage is, as published."""
_MEAN, _SD = 5.5, 2.4  # of the gamma law of the time from infection to infecting, as published
PROFILE = np.diff(stats.gamma.cdf(np.arange(DAYS + 1), (_MEAN / _SD) ** 2, scale=_SD**2 / _MEAN)).astype(np.float32)
"""Share of an infection's infectiousness that falls on each day since."""
FATALITY = np.minimum(10 ** (-3.27 + 0.0524 * (10 * np.arange(9) + 5.0)) / 100, 1.0).astype(np.float32)
"""Chance to die of an infection, by decade of age (Levin et al. 2020)."""


def daily_load(exposed_days: Int[Array, ""], infectious_days: Int[Array, ""]) -> Float[Array, "day"]:
    """Infectiousness by days since infection, with stages of given lengths."""
    day = jnp.arange(DAYS)
    shed = jnp.where(day < exposed_days, SHEDDING[EXPOSED], SHEDDING[INFECTIOUS])
    return jnp.where(day < exposed_days + infectious_days, shed * PROFILE, 0.0)


def total_load(exposed_days: Int[Array, ""], infectious_days: Int[Array, ""]) -> Float[Array, ""]:
    """Infectiousness of an infection summed over its days: what R is multiplied by to give R0 per unit of contact."""
    return jnp.sum(daily_load(exposed_days, infectious_days))


def load(
    stage: UInt8[Array, "area resident"],
    since: UInt8[Array, "area resident"],
    exposed_days: Int[Array, ""],
    infectious_days: Int[Array, ""],
) -> Float[Array, "area resident"]:
    """How infectious everybody is today."""
    table = daily_load(exposed_days, infectious_days)
    ill = (stage == EXPOSED) | (stage == INFECTIOUS)
    day = jnp.minimum(since, DAYS - 1).astype(jnp.int32)
    return jnp.where(ill, table.at[day].get(mode="promise_in_bounds"), 0.0)


def go_on(
    stage: UInt8[Array, "area resident"],
    since: UInt8[Array, "area resident"],
    infected: Bool[Array, "area resident"],
    fatal: Bool[Array, "area resident"],
    exposed_days: Int[Array, ""],
    infectious_days: Int[Array, ""],
    immune_days: Int[Array, ""],
) -> tuple[UInt8[Array, "area resident"], UInt8[Array, "area resident"]]:
    """Stage and days since infection (or since the end of the illness) tomorrow.

    Args:
        infected: who is infected today; counts only for the susceptible.
        fatal: who would die if the illness ended today.
    """
    aged = since + 1
    over = (stage == INFECTIOUS) & (aged >= exposed_days + infectious_days)
    onset = (stage == EXPOSED) & (aged >= exposed_days)
    wanes = (stage == IMMUNE) & (aged >= immune_days)
    caught = (stage == SUSCEPTIBLE) & infected
    after = jnp.where(fatal, DEAD, IMMUNE).astype(jnp.uint8)
    new = jnp.where(caught, EXPOSED, jnp.where(onset, INFECTIOUS, jnp.where(wanes, SUSCEPTIBLE, stage)))
    new = jnp.where(over, after, new).astype(jnp.uint8)
    ages = (new == EXPOSED) | (new == INFECTIOUS) | (new == IMMUNE)
    count = jnp.where(caught | over | ~ages, 0, aged).astype(jnp.uint8)
    return new, count
