"""Trying again: how long a task takes that is repeated until it succeeds, and when it pays to break an attempt off.

An attempt succeeds with some probability, takes a random time that may depend on its outcome, and costs a reset unless
it succeeded. Attempts do not depend on one another, so by Wald's identity the mean makespan (total time to success) is
the mean cost of an attempt over the chance that it succeeds, whatever the distributions. All that changes from policy
to policy are these two numbers, and whoever breaks attempts off has to take the means of *truncated* times.

Times are of the generalised Pareto family: exponential for a tail of 0, heavier the larger the tail. Formulas take
scalars or arrays that broadcast, in NumPy or JAX.

Sources: Watson and Correll (2023) for the closed form from a confusion matrix; Luby, Sinclair, Zuckerman (1993) for the
sequence; Wald (1944). The truncated means are derived here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

__all__ = [
    "LUBY", "Predictor", "Task", "alarm_makespan", "benefit_ratio", "chance_survived", "confused_makespan",
    "duration", "luby_makespan", "mean_until", "mean_until_alarm", "patient_makespan", "timeout_makespan",
]  # fmt: skip

Number = Any
"""A number, or an array of numbers that broadcasts against the others."""


class Task(NamedTuple):
    """What an attempt is like.

    Attributes:
        success: chance that an attempt left alone succeeds.
        good, bad: mean time of an attempt that succeeds, or fails, if it is left alone.
        reset: time lost after every attempt that did not succeed.
        tail: shape of the times in [0, 1): 0 exponential; from 0.5 on their variance is infinite.
    """

    success: Number
    good: Number
    bad: Number
    reset: Number
    tail: Number = 0.0


class Predictor(NamedTuple):
    """A failure predictor by its confusion matrix; "positive" means that a failure is predicted.

    Attributes:
        false_alarm: share of attempts that would succeed and are broken off (false positives).
        hit: share of attempts that would fail and are broken off (true positives).
        false_time, hit_time: mean time after which they are, *given* that they are.
    """

    false_alarm: Number
    hit: Number
    false_time: Number
    hit_time: Number


# -- times ----------------------------------------------------------------------------------------------------------


def duration(mean: Number, tail: Number, exponential: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Times of this mean and tail out of standard exponential random numbers."""
    heavy = jnp.where(jnp.asarray(tail) > 0, tail, 1.0)
    stretched = (1 - heavy) * jnp.expm1(heavy * exponential) / heavy
    return mean * jnp.where(jnp.asarray(tail) > 0, stretched, exponential)


def chance_survived(time: Number, mean: Number, tail: Number) -> Array:
    """Chance that an attempt of this mean and tail, left alone, lasts longer than `time`."""
    time, heavy = jnp.asarray(time), jnp.where(jnp.asarray(tail) > 0, tail, 0.5)
    pareto = jnp.exp(-jnp.log1p(heavy * time / (mean * (1 - heavy))) / heavy)
    return jnp.where(jnp.asarray(tail) > 0, pareto, jnp.exp(-time / mean))


def mean_until(time: Number, mean: Number, tail: Number) -> Array:
    """Mean of a time cut off at `time`: the integral of the chance to survive from 0 to there."""
    time, heavy = jnp.asarray(time), jnp.where(jnp.asarray(tail) > 0, tail, 0.5)
    pareto = -mean * jnp.expm1((1 - 1 / heavy) * jnp.log1p(heavy * time / (mean * (1 - heavy))))
    return jnp.where(jnp.asarray(tail) > 0, pareto, -mean * jnp.expm1(-time / mean))


_X, _W = np.polynomial.legendre.leggauss(64)
_NODES, _WEIGHTS = (1 + _X) / (1 - _X), 2 * _W / (1 - _X) ** 2


def mean_until_alarm(alarm: Number, mean: Number, tail: Number) -> Array:
    """Mean of a time cut off at an independent exponential alarm of mean `alarm`, by quadrature.

    It is the integral of both chances to survive; for exponential times alarm * mean / (alarm + mean). Time is mapped
    to a finite interval, so that exponential and algebraic tails are met alike.
    """
    alarm, mean = jnp.asarray(alarm)[..., None], jnp.asarray(mean)[..., None]
    scale = alarm * mean / (alarm + mean)
    at = scale * _NODES
    each = jnp.exp(-at / alarm) * chance_survived(at, mean, jnp.asarray(tail)[..., None])
    return jnp.sum(scale * _WEIGHTS * each, axis=-1)


# -- makespans ------------------------------------------------------------------------------------------------------


def confused_makespan(task: Task, predictor: Predictor) -> Number:
    """Mean makespan out of a confusion matrix, where times left alone keep their means.

    A predictor of zeros gives that of running every attempt to its end.
    """
    return _cost(task, predictor) / (task.success * (1 - predictor.false_alarm))


def _cost(task: Task, predictor: Predictor) -> Number:
    """Mean cost of one attempt."""
    p, r_s, r_f = task.success, predictor.false_alarm, predictor.hit
    good = (1 - r_s) * task.good + r_s * (predictor.false_time + task.reset)
    bad = (1 - r_f) * (task.bad + task.reset) + r_f * (predictor.hit_time + task.reset)
    return p * good + (1 - p) * bad


def benefit_ratio(task: Task, predictor: Predictor) -> Number:
    """The ratio of hits to false alarms above which breaking off saves time; it does not depend on either."""
    p = task.success
    loss = p * (predictor.false_time + task.reset) + (1 - p) * (task.bad + task.reset)
    return loss / ((1 - p) * (task.bad - predictor.hit_time))


def patient_makespan(
    chances: Float[Array, "kind"], task: Task, predictor: Predictor, patience: Number
) -> Float[Array, ""]:
    """Mean time per finished job where jobs differ, each kind being equally common.

    Args:
        chances: chance of success of an attempt at each kind of job.
        task, predictor: as elsewhere; `task.success` is not used.
        patience: attempts after which a job is given up for another; infinity is never.
    """
    one = task._replace(success=chances)
    q = chances * (1 - predictor.false_alarm)
    finished = 1 - (1 - q) ** patience
    attempts = finished / q
    return jnp.mean(attempts * _cost(one, predictor)) / jnp.mean(finished)


def timeout_makespan(task: Task, time: Number) -> Array:
    """Mean makespan if every attempt is broken off at `time`."""
    won = task.success * (1 - chance_survived(time, task.good, task.tail))
    return _attempt_until(task, time) / jnp.maximum(won, 1e-12)


def _attempt_until(task: Task, time: Number) -> Array:
    p, won = task.success, task.success * (1 - chance_survived(time, task.good, task.tail))
    spent = p * mean_until(time, task.good, task.tail) + (1 - p) * mean_until(time, task.bad, task.tail)
    return spent + task.reset * (1 - won)


def alarm_makespan(task: Task, false_mean: Number, hit_mean: Number) -> Array:
    """Mean makespan if a clock that knows nothing of the attempt's end races against it.

    Args:
        task: the attempts.
        false_mean, hit_mean: mean of the clock in attempts that would succeed, or fail; equal for a random stop.
    """
    good = mean_until_alarm(false_mean, task.good, task.tail)
    bad = mean_until_alarm(hit_mean, task.bad, task.tail)
    # The chance that the alarm comes first is the mean of the cut-off time over the mean of the alarm.
    won = task.success * (1 - good / false_mean)
    return (task.success * good + (1 - task.success) * bad + task.reset * (1 - won)) / won


def _luby(length: int) -> np.ndarray:
    out = [1]
    while len(out) < length:
        out = [*out, *out, 2 * max(out)]
    return np.asarray(out[:length], np.float32)


LUBY: Float[np.ndarray, "511"] = _luby(511)
"""The universal sequence of Luby, Sinclair and Zuckerman: 1, 1, 2, 1, 1, 2, 4, ..."""


def luby_makespan(task: Task, unit: Number) -> Array:
    """Mean makespan if the k-th attempt is broken off after `unit` times the k-th member of the sequence."""
    time = unit * jnp.asarray(LUBY)
    won = task.success * (1 - chance_survived(time, task.good, task.tail))
    reached = jnp.concatenate([jnp.ones(1), jnp.cumprod(1 - won)[:-1]])
    return jnp.sum(reached * _attempt_until(task, time))
