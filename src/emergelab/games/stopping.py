"""When to give an attempt up while watching it: the best rule, by dynamic programming on (belief, time).

While an attempt runs, a signal drifts at one speed if it will succeed and at another if it will fail, with noise. The
log-odds of failure, by Bayes from the signal and from the attempt's still running, are all that matters at a given
time. At each reading one may break off: that costs a reset and a new attempt, whose own mean cost to success, the
makespan, is what is being minimised. Howard's policy iteration finds both: given a makespan, the best rule backwards in
time; given the rule, its makespan as mean cost of an attempt over chance of success.

Sources: Wald (1947) for the test of two drifts; Howard (1960). Tasks and times as in `restarts`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .restarts import Predictor, Task, chance_survived, confused_makespan, mean_until

__all__ = ["Plan", "Signal", "best_plan", "evidence", "first", "reading", "risk", "wald"]

Number = Any
_GRID, _SPAN, _TURNS = 320, 8.0, 6
_Z, _W = np.polynomial.hermite_e.hermegauss(9)
_WEIGHTS = _W / _W.sum()


class Signal(NamedTuple):
    """What is seen of an attempt while it runs: Brownian motion whose drift tells of its end.

    Attributes:
        good, bad: drift per second if the attempt will succeed, or fail.
        noise: standard deviation after one second.
        every: seconds between readings.
    """

    good: Number
    bad: Number
    noise: Number
    every: Number


class Plan(NamedTuple):
    """A rule of giving up, and what it costs.

    Attributes:
        boundary: log-odds of failure from which on an attempt is broken off, at each reading.
        makespan: mean time to success under the rule.
    """

    boundary: Float[Array, "poll"]
    makespan: Float[Array, ""]


def reading(signal: Signal, fails: Array, normal: Float[Array, "*n poll"]) -> Float[Array, "*n poll"]:
    """The signal at each reading, out of standard normal random numbers."""
    drift = jnp.where(fails, signal.bad, signal.good)[..., None]
    steps = drift * signal.every + signal.noise * jnp.sqrt(signal.every) * normal
    return jnp.cumsum(steps, axis=-1)


def evidence(signal: Signal, path: Float[Array, "*n poll"]) -> Float[Array, "*n poll"]:
    """Log-likelihood ratio of failure to success given the signal up to each reading."""
    time = signal.every * (1 + jnp.arange(path.shape[-1]))
    return (signal.bad - signal.good) / signal.noise**2 * (path - (signal.bad + signal.good) / 2 * time)


def risk(task: Task, signal: Signal, path: Float[Array, "*n poll"]) -> Float[Array, "*n poll"]:
    """Log-odds of failure given the signal up to each reading, and that the attempt still runs."""
    time = signal.every * (1 + jnp.arange(path.shape[-1]))
    prior = jnp.log1p(-task.success) - jnp.log(task.success)
    bad, good = (jnp.log(chance_survived(time, mean, task.tail)) for mean in (task.bad, task.good))
    return prior + bad - good + evidence(signal, path)


def first(crossed: Array, every: Number) -> Float[Array, "*n"]:
    """Time of the first reading at which something is so; infinity if it never is."""
    time = every * (1.0 + jnp.arange(crossed.shape[-1]))
    return jnp.min(jnp.where(crossed, time, jnp.inf), axis=-1, initial=jnp.inf)


def wald(ratio: Float[Array, "*n poll"], false_alarm: Number, miss: Number, every: Number) -> Float[Array, "*n"]:
    """When Wald's sequential test decides for failure; infinity if it decides for success, or not at all."""
    up, down = jnp.log((1 - miss) / false_alarm), jnp.log(miss / (1 - false_alarm))
    alarm, clear = first(ratio >= up, every), first(ratio <= down, every)
    return jnp.where(alarm < clear, alarm, jnp.inf)


def best_plan(task: Task, signal: Signal, polls: int) -> Plan:
    """The best rule for so many readings, after which an attempt that still runs is left alone.

    Args:
        task: the attempts.
        signal: what is seen.
        polls: readings of an attempt, at least 1.

    Returns:
        boundary and makespan; the latter is exact up to the grid of 320 beliefs.
    """
    grid = jnp.linspace(-_SPAN, _SPAN, _GRID)
    spread = jnp.abs(signal.bad - signal.good) / signal.noise * jnp.sqrt(signal.every)

    def at(values: Float[Array, "belief"], belief: Float[Array, "*n"]) -> Float[Array, "*n"]:
        place = jnp.clip((belief + _SPAN) / (2 * _SPAN) * (_GRID - 1), 0, _GRID - 1.001)
        low = place.astype(jnp.int32)
        return values[low] + (place - low) * (values[low + 1] - values[low])

    def go_on(k: Array, belief: Float[Array, "n"], after: tuple[Array, Array]) -> tuple[Array, Array]:
        """Mean cost and chance of success if the attempt runs until the next reading, from the k-th one on."""
        now, then = signal.every * k, signal.every * (k + 1)
        fail = jax.nn.sigmoid(belief)
        lives: list[Array] = []
        costs: list[Array] = []
        for mean in (task.good, task.bad):
            alive = chance_survived(now, mean, task.tail)
            lives.append(chance_survived(then, mean, task.tail) / alive)
            costs.append((mean_until(then, mean, task.tail) - mean_until(now, mean, task.tail)) / alive)
        costs[1] = costs[1] + (1 - lives[1]) * task.reset
        wins = [1 - lives[0], jnp.zeros(())]
        shift = jnp.log(lives[1]) - jnp.log(lives[0])
        for which, side in ((0, -0.5), (1, 0.5)):
            moved = belief[:, None] + shift + side * spread**2 + spread * _Z
            costs[which] = costs[which] + lives[which] * jnp.sum(_WEIGHTS * at(after[0], moved), axis=1)
            wins[which] = wins[which] + lives[which] * jnp.sum(_WEIGHTS * at(after[1], moved), axis=1)
        return (1 - fail) * costs[0] + fail * costs[1], (1 - fail) * wins[0] + fail * wins[1]

    def choose(makespan: Array, cost: Array, win: Array) -> tuple[tuple[Array, Array], Array]:
        """Break off where it is cheaper, and the belief from which on it is."""
        gain = cost - win * makespan - task.reset
        stop = gain > 0
        above = jnp.argmax(stop)
        below = jnp.maximum(above - 1, 0)
        share = gain[below] / jnp.where(stop[above] & ~stop[below], gain[below] - gain[above], 1.0)
        edge = jnp.where(above == 0, -jnp.inf, grid[below] + share * (grid[above] - grid[below]))
        edge = jnp.where(jnp.any(stop), edge, jnp.inf)
        return (jnp.where(stop, task.reset, cost), jnp.where(stop, 0.0, win)), edge

    def improve(_: Array, plan: Plan) -> Plan:
        end, fail = signal.every * polls, jax.nn.sigmoid(grid)
        left = [
            (mean - mean_until(end, mean, task.tail)) / chance_survived(end, mean, task.tail)
            for mean in (task.good, task.bad)
        ]
        alone = ((1 - fail) * left[0] + fail * (left[1] + task.reset), 1 - fail)
        after, last = choose(plan.makespan, *alone)

        def back(after: tuple[Array, Array], k: Array) -> tuple[tuple[Array, Array], Array]:
            return choose(plan.makespan, *go_on(k, grid, after))

        after, edges = jax.lax.scan(back, after, jnp.arange(1, polls), reverse=True)
        start = jnp.log1p(-task.success) - jnp.log(task.success)
        cost, win = go_on(jnp.float32(0), jnp.reshape(start, (1,)), after)
        return Plan(jnp.concatenate([edges, last[None]]), cost[0] / win[0])

    nobody = confused_makespan(task, Predictor(0.0, 0.0, 0.0, 0.0))
    return jax.lax.fori_loop(0, _TURNS, improve, Plan(jnp.full(polls, jnp.inf), jnp.float32(nobody)))
