"""What is learnt in production: a predictor of failure, whether it pays, and whether a device pays."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from emergelab.games.restarts import Predictor, Task, confused_makespan

__all__ = [
    "FEATURES", "Account", "Count", "Learner", "booked", "counted", "features", "heeding", "no_account", "pays",
    "trained", "untrained",
]  # fmt: skip

Number = Any
FEATURES = ("bias", "level", "mean", "highest", "recent slope")
_KEPT = 0.99  # of an account after a step: the predictor of 200 steps ago was another one
_SURE = 1.2816  # standard errors: 90 % on one side
_ENOUGH = 20.0  # successes without which no saving is believed


class Learner(NamedTuple):
    """A logistic regression of failure on four features of the signal, and the updates that it has had."""

    weights: Float[Array, "feature"]
    updates: Float[Array, ""]


def untrained() -> Learner:
    """Knows nothing, and warns of nothing."""
    return Learner(jnp.zeros(len(FEATURES)), jnp.float32(0))


def features(path: Float[Array, "robot poll"], look: Int[Array, ""]) -> Float[Array, "robot feature"]:
    """What the predictor is shown: the signal up to the reading number `look`, in units of its own spread there."""
    at = 1 + jnp.arange(path.shape[1])
    level = jnp.sum(jnp.where(at == look, path, 0.0), axis=1)
    half = jnp.sum(jnp.where(at == look // 2, path, 0.0), axis=1)
    mean = jnp.sum(jnp.where(at <= look, path, 0.0), axis=1) / look
    highest = jnp.max(jnp.where(at <= look, path, -jnp.inf), axis=1)
    return jnp.stack([jnp.ones_like(level), level, mean, highest, level - half], axis=1)


def trained(
    learner: Learner, seen: Float[Array, "robot feature"], fails: Bool[Array, "robot"], usable: Bool[Array, "robot"]
) -> Learner:
    """One step up the likelihood of the attempts whose end may be learnt from."""
    error = jnp.where(usable, fails - jax.nn.sigmoid(seen @ learner.weights), 0.0)
    slope = error @ seen / jnp.maximum(jnp.sum(usable), 1)
    rate = 0.2 / jnp.sqrt(1 + learner.updates / 20)
    return Learner(learner.weights + rate * slope, learner.updates + 1)


class Account(NamedTuple):
    """What attempts left alone have cost, and what they would have cost with the predictor; older ones count less.

    The quotient of cost and successes is the closed form with the confusion matrix and the means counted so far.
    """

    cost: Float[Array, "robot"]
    won: Float[Array, "robot"]
    cost_with: Float[Array, "robot"]
    won_with: Float[Array, "robot"]


def no_account(robots: int) -> Account:
    """Nothing has been seen."""
    return Account(*jnp.zeros((4, robots)))


def booked(
    account: Account,
    usable: Bool[Array, "robot"],
    succeeds: Bool[Array, "robot"],
    lasts: Float[Array, "robot"],
    warned: Float[Array, "robot"],
    reset: Number,
) -> Account:
    """One attempt of each robot more, of which those left alone count."""
    broken = warned < lasts
    cost = lasts + jnp.where(succeeds, 0.0, reset)
    new = (cost, succeeds, jnp.where(broken, warned + reset, cost), succeeds & ~broken)
    return Account(*(_KEPT * old + jnp.where(usable, x, 0.0) for old, x in zip(account, new, strict=True)))


def pays(account: Account) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """Seconds that the predictor saves a job, and whether that is sure enough to adopt it.

    Sure enough: the lower 90 % bound is above 0, with the jackknife's standard error (one robot left out at a time).
    """

    def saving(x: Account) -> Array:
        return x.cost / jnp.maximum(x.won, 1e-6) - x.cost_with / jnp.maximum(x.won_with, 1e-6)

    total = Account(*(jnp.sum(x) for x in account))
    without = saving(Account(*(whole - part for whole, part in zip(total, account, strict=True))))
    n = without.shape[0]
    error = jnp.sqrt((n - 1) / n * jnp.sum((without - jnp.mean(without)) ** 2))
    known = jnp.minimum(total.won, total.won_with) > _ENOUGH
    return saving(total), known & (saving(total) > _SURE * error)


class Count(NamedTuple):
    """What one robot has seen of a device, on attempts that it left alone, and what resets have lately cost it."""

    good: Float[Array, "robot"]
    good_alarmed: Float[Array, "robot"]
    bad: Float[Array, "robot"]
    bad_alarmed: Float[Array, "robot"]
    reset: Float[Array, "robot"]


def counted(
    count: Count, usable: Bool[Array, "robot"], succeeds: Bool[Array, "robot"], alarmed: Bool[Array, "robot"],
    felt: Number,
) -> Count:  # fmt: skip
    """One attempt of each robot more."""
    good, bad = usable & succeeds, usable & ~succeeds
    reset = count.reset + 0.1 * (felt - count.reset)
    return Count(
        count.good + good, count.good_alarmed + (good & alarmed), count.bad + bad, count.bad_alarmed + (bad & alarmed),
        reset,
    )  # fmt: skip


def heeding(count: Count, task: Task, false_time: Number, hit_time: Number) -> Bool[Array, "robot"]:
    """Whether by its own count a robot finishes sooner if it obeys the device; with no count at all it does not."""
    success = (count.good + 0.5) / (count.good + count.bad + 1)
    false, hit = (count.good_alarmed + 0.5) / (count.good + 1), (count.bad_alarmed + 0.5) / (count.bad + 1)
    own = task._replace(success=success, reset=count.reset)
    with_it = confused_makespan(own, Predictor(false, hit, false_time, hit_time))
    return with_it < confused_makespan(own, Predictor(0.0, 0.0, 0.0, 0.0))
