"""Who breaks an attempt off, and when: a small family of pure functions of what a robot sees.

A policy gives the time after which each attempt is to be broken off, infinity for never. Whatever it does, some
attempts are left alone to learn from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from emergelab.games import stopping
from emergelab.games.restarts import LUBY

__all__ = ["POLICIES", "WATCHING", "Settings", "View", "acts", "decide"]

Number = Any


class View(NamedTuple):
    """What robots see of the attempts that begin now.

    Attributes:
        alarm: when the device says "this will fail"; infinity if it is silent.
        warned: the same of the predictor that is being learnt.
        tried: attempts at the same job before this one.
        risk: log-odds of failure at each reading of the signal, by Bayes with the true numbers.
        evidence: the same of the signal alone.
        adopted: whether the learnt predictor has been found to save time.
        heeds: whether the robot obeys the device, because by its own count it pays.
    """

    alarm: Float[Array, "robot"]
    warned: Float[Array, "robot"]
    tried: Int[Array, "robot"]
    risk: Float[Array, "robot poll"]
    evidence: Float[Array, "robot poll"]
    adopted: Bool[Array, ""]
    heeds: Bool[Array, "robot"]


class Settings(NamedTuple):
    """What policies may be told beforehand: a time, error rates of a test, the best boundary, seconds a reading."""

    timeout: Number
    false_alarm: Number
    miss: Number
    boundary: Float[Array, "poll"]
    every: Number


Policy = Callable[[View, Settings], Array]


def _never(view: View, settings: Settings) -> Array:
    return jnp.full(view.alarm.shape, jnp.inf)


def _timeout(view: View, settings: Settings) -> Array:
    return jnp.full(view.alarm.shape, settings.timeout)


def _luby(view: View, settings: Settings) -> Array:
    return settings.timeout * jnp.asarray(LUBY)[jnp.minimum(view.tried, len(LUBY) - 1)]


def _sprt(view: View, settings: Settings) -> Array:
    return stopping.wald(view.evidence, settings.false_alarm, settings.miss, settings.every)


def _best(view: View, settings: Settings) -> Array:
    return stopping.first(view.risk >= settings.boundary, settings.every)


POLICIES: dict[str, Policy] = {
    "run": _never,
    "obey": lambda view, settings: view.alarm,
    "timeout": _timeout,
    "luby": _luby,
    "sprt": _sprt,
    "best": _best,
    "learnt": lambda view, settings: view.warned,
    "adopt": lambda view, settings: jnp.where(view.adopted, view.warned, jnp.inf),
    "weigh": lambda view, settings: jnp.where(view.heeds, view.alarm, jnp.inf),
}
"""run every attempt to its end; obey the device; a fixed time; Luby's sequence; Wald's test; the best rule there is;
the learnt predictor at once, or once it is known to pay; the device where one's own count says that it pays."""

WATCHING = ("sprt", "best", "learnt", "adopt")
"""Policies that need readings of the signal."""


def decide(policy: Number, view: View, settings: Settings) -> Float[Array, "robot"]:
    """What the policy with this index says."""
    return jnp.stack([jnp.broadcast_to(f(view, settings), view.alarm.shape) for f in POLICIES.values()])[policy]


def acts(policy: Number, view: View) -> Bool[Array, "robot"]:
    """Whether the policy would break off any attempt that begins now, if it looked bad enough."""
    everyone = jnp.ones(view.alarm.shape, bool)
    by_name = {"run": ~everyone, "adopt": everyone & view.adopted, "weigh": view.heeds}
    return jnp.stack([by_name.get(name, everyone) for name in POLICIES])[policy]
