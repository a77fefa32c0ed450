"""The workshop: robots that try until they succeed, a device that warns them, a signal to watch, a bay for resets."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.errors import ParameterError
from emergelab.games import restarts, stopping

from . import _learning as learning
from ._policies import POLICIES, WATCHING, Settings, View, acts, decide

__all__ = ["BINS", "WIDTH", "Restarts", "Shop"]

Number = Any
Choice = Any
BINS, WIDTH = 120, 5.0
"""Makespans are counted in bins of so many seconds; the last bin takes all that are longer."""
_WEIGH = tuple(POLICIES).index("weigh")
_KEPT = 0.98  # of the running mean after a step
# Chance that a robot asks itself before an attempt whether to obey the device. All at once, they would leave a full
# bay together and come back together.
_RECONSIDER = 0.05


class Draws(NamedTuple):
    """The random numbers of one attempt of each robot: uniform, standard exponential, standard normal."""

    outcome: Float[Array, "robot"]
    said: Float[Array, "robot"]
    job: Float[Array, "robot"]
    left_alone: Float[Array, "robot"]
    reconsiders: Float[Array, "robot"]
    lasts: Float[Array, "robot"]
    alarm: Float[Array, "robot"]
    signal: Float[Array, "robot poll"]


class Totals(NamedTuple):
    """Sums since the beginning over robots that follow the policy (first) and over the others (second)."""

    time: Float[Array, "2"]
    won: Float[Array, "2"]
    attempts: Float[Array, "2"]
    wasted: Float[Array, "2"]
    good: Float[Array, "2"]
    good_broken: Float[Array, "2"]
    bad_broken: Float[Array, "2"]


class Recent(NamedTuple):
    """Sums in which older attempts count less: time and successes; ends seen, and successes among them."""

    time: Float[Array, ""]
    won: Float[Array, ""]
    ended: Float[Array, ""]
    ended_well: Float[Array, ""]
    alone: Float[Array, ""]
    alone_well: Float[Array, ""]


class Shop(eqx.Module):
    """All robots between two attempts.

    Attributes:
        tried: attempts at the present job.
        spent: seconds spent on it.
        chance: chance that an attempt at it succeeds.
        totals, recent: what has happened.
        jobs: finished jobs by makespan.
        learner, account, adopted: the predictor that is being learnt, and whether it pays.
        count, heeds: what each robot knows of the device, and whether it obeys it for that.
        boundary, optimum: the best rule, and its makespan.
    """

    tried: Int[Array, "robot"]
    spent: Float[Array, "robot"]
    chance: Float[Array, "robot"]
    totals: Totals
    recent: Recent
    jobs: Float[Array, "bin"]
    learner: learning.Learner
    account: learning.Account
    adopted: Bool[Array, ""]
    count: learning.Count
    heeds: Bool[Array, "robot"]
    boundary: Float[Array, "poll"]
    optimum: Float[Array, ""]


def _seen(name: str, unit: str, about: str, high: float | None = None) -> el.Observable:
    return el.Observable(name, unit=unit, about=about, low=0, high=high, nan_ok=True)


class Restarts(el.System):
    """One step is one attempt of each robot."""

    robots: int = el.static(100, low=2, high=100_000, about="robots of a workshop")
    polls: int = el.static(0, low=0, high=1000, about="readings of the signal an attempt; 0: there is none")
    success: Number = el.param(0.5, low=0.01, high=1.0, about="chance that an attempt left alone succeeds")
    good: Number = el.param(20.0, low=0.01, high=1e4, unit="s", about="mean time of an attempt that succeeds")
    bad: Number = el.param(40.0, low=0.01, high=1e4, unit="s", about="mean time of an attempt that fails")
    reset: Number = el.param(5.0, low=0.0, high=1e4, unit="s", about="time lost after every attempt that did not")
    tail: Number = el.param(0.0, low=0.0, high=0.95, about="shape of the times: 0 exponential, heavier above")
    spread: Number = el.param(0.0, low=0.0, high=0.99, about="how much jobs differ: chances times 1 - and 1 + this")
    patience: Number = el.param(0, low=0, high=10_000, about="attempts after which a job is given up; 0 is never")
    policy: Choice = el.choice("run", options=tuple(POLICIES), about="who breaks attempts off, and when")
    share: Number = el.param(1.0, low=0.0, high=1.0, about="robots that follow the policy; the others run to the end")
    explore: Number = el.param(0.0, low=0.0, high=1.0, about="attempts that are left alone, to learn from")
    latency: Number = el.param(0.0, low=0.0, high=1e3, unit="s", about="time from a decision to its taking effect")
    device: Choice = el.choice(
        "matrix", options=("matrix", "clock"), about="alarms by a confusion matrix, or whenever a clock comes first"
    )
    false_alarm: Number = el.param(0.1, low=0.0, high=0.99, about="matrix: share of would-be successes alarmed about")
    hit: Number = el.param(0.8, low=0.0, high=1.0, about="matrix: share of would-be failures alarmed about")
    false_time: Number = el.param(8.0, low=0.01, high=1e6, unit="s", about="mean time of false alarms")
    hit_time: Number = el.param(8.0, low=0.01, high=1e6, unit="s", about="mean time of hits")
    timeout: Number = el.param(30.0, low=0.01, high=1e6, unit="s", about="policies timeout and luby: time, or unit")
    drift_good: Number = el.param(0.0, low=-10.0, high=10.0, about="drift a second of the signal before a success")
    drift_bad: Number = el.param(0.4, low=-10.0, high=10.0, about="drift a second of the signal before a failure")
    noise: Number = el.param(1.0, low=0.01, high=100.0, about="standard deviation of the signal after one second")
    every: Number = el.param(0.5, low=0.01, high=100.0, unit="s", about="time between readings")
    look: Number = el.param(8.0, low=0.01, high=1e4, unit="s", about="when the learnt predictor decides")
    test_false: Number = el.param(0.1, low=0.001, high=0.5, about="policy sprt: false alarms aimed at")
    test_miss: Number = el.param(0.2, low=0.001, high=0.5, about="policy sprt: misses aimed at")
    bays: Number = el.param(1.0, low=0.0, high=1.0, about="share of robots that can be reset at once")
    crowd: Number = el.param(0.0, low=0.0, high=1e3, about="what a reset lasts longer for each share beyond the bays")
    toll: Number = el.param(0.0, low=0.0, high=10.0, about="share of the delay caused to others that is charged")

    observables = (
        _seen("makespan", "s", "mean time to success of those who follow the policy"),
        _seen("makespan_others", "s", "mean time to success of those who run every attempt to its end"),
        _seen("predicted", "s", "closed form for the policy, where there is one"),
        _seen("naive", "s", "closed form with the whole means in the place of the truncated ones (clock only)"),
        _seen("optimum", "s", "makespan of the best rule, by dynamic programming (with a signal)"),
        _seen("recent", "s", "running mean of the time to success, some fifty attempts long"),
        _seen("p90", "s", "time within which nine jobs of ten are finished"),
        _seen("attempts", "1", "attempts a job"),
        _seen("wasted", "1", "share of time in attempts that did not succeed, and resets", 1),
        _seen("wrongly", "1", "would-be successes broken off: false alarms heeded", 1),
        _seen("rightly", "1", "would-be failures broken off: hits heeded", 1),
        _seen("adopted", "1", "whether the learnt predictor is known to pay", 1),
        el.Observable("saving", unit="s", about="time a job that the learnt predictor is thought to save", nan_ok=True),
        _seen("heeding", "1", "robots whose own count says that the device pays", 1),
        _seen("believed", "1", "successes among attempts that ended by themselves", 1),
        _seen("true_rate", "1", "successes among attempts left alone on purpose", 1),
        _seen("reset_time", "s", "reset at the queue that the policy makes, by the mean field"),
        el.Observable(
            "density", dims=("bin",), unit="1", about="share of jobs by makespan, bins of 5 s", low=0, high=1
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = tuple(POLICIES)
        watching = isinstance(self.polls, int) and not self.polls and names[int(self.policy)] in WATCHING
        if watching:
            raise ParameterError(
                f"Restarts: policy {names[int(self.policy)]!r} watches a signal: set 'polls' to 1 or more, got 0"
            )
        if float(self.success) * (1 + float(self.spread)) > 1 + 1e-6:
            raise ParameterError(
                f"Restarts: success * (1 + spread) must be <= 1, got {float(self.success):g} and {float(self.spread):g}"
            )

    def _task(self) -> restarts.Task:
        return restarts.Task(self.success, self.good, self.bad, self.reset, self.tail)

    def _signal(self) -> stopping.Signal:
        return stopping.Signal(self.drift_good, self.drift_bad, self.noise, self.every)

    def _chances(self, draw: Float[Array, "robot"]) -> Float[Array, "robot"]:
        return self.success * jnp.where(draw < 0.5, 1 - self.spread, 1 + self.spread)

    def init(self, key: PRNGKeyArray) -> Shop:
        """Every robot before its first attempt."""
        n, zero = self.robots, jnp.zeros(self.robots)
        nothing = jnp.float32(jnp.nan)
        plan = stopping.Plan(jnp.zeros(0), nothing)
        if self.polls:
            plan = stopping.best_plan(self._task(), self._signal(), self.polls)
        return Shop(
            jnp.zeros(n, jnp.int32), zero, self._chances(jax.random.uniform(key, (n,))), Totals(*jnp.zeros((7, 2))),
            Recent(*jnp.zeros(6)), jnp.zeros(BINS), learning.untrained(), learning.no_account(n), jnp.bool(False),
            learning.Count(zero, zero, zero, zero, zero + self.reset), jnp.zeros(n, bool),
            plan.boundary, plan.makespan,
        )  # fmt: skip

    def step(self, state: Shop, key: PRNGKeyArray) -> Shop:
        """One attempt of each robot."""
        draws = self._draws(key)
        succeeds = el.site("succeeds", draws.outcome < state.chance)
        mean = jnp.where(succeeds, self.good, self.bad)
        lasts = el.site("lasts", restarts.duration(mean, self.tail, draws.lasts))
        path = el.site("signal", stopping.reading(self._signal(), ~succeeds, draws.signal))
        alarm = el.site("alarm", self._alarm(succeeds, draws))
        shown, warned = self._warning(state.learner, path)
        follows = jnp.arange(self.robots) < jnp.round(self.share * self.robots)
        alone = ~follows | (draws.left_alone < self.explore)
        task, signal = self._task(), self._signal()
        pays = learning.heeding(state.count, task, self.false_time, self.hit_time)
        heeds = el.site("heeds", jnp.where(draws.reconsiders < _RECONSIDER, pays, state.heeds))
        view = View(
            alarm, warned, state.tried, stopping.risk(task, signal, path), stopping.evidence(signal, path),
            state.adopted, heeds,
        )  # fmt: skip
        settings = Settings(self.timeout, self.test_false, self.test_miss, state.boundary, self.every)
        stop = el.site("stop", jnp.where(alone, jnp.inf, decide(self.policy, view, settings)))
        # The matrix says what share is broken off and when; it knows nothing of how long an attempt would have lasted.
        obeys = (self.device == 0) & jnp.isfinite(alarm) & (stop == alarm)
        broken = obeys | (stop + self.latency < lasts)
        done = succeeds & ~broken

        idle = jnp.mean(~done)
        reset = el.site("reset", self._reset_at(idle))
        took = jnp.where(broken, stop + self.latency, lasts) + jnp.where(done, 0.0, reset)
        # Only what is left alone whatever is seen of it teaches without a bias.
        left = alone | ~acts(self.policy, view)
        learner, account = state.learner, state.account
        if self.polls:
            learner = learning.trained(learner, shown, ~succeeds, left & (lasts > self.look))
            account = learning.booked(account, left, succeeds, lasts, warned, self.reset)
        caused = jnp.where(idle > self.bays, idle * self.reset * self.crowd, 0.0)
        count = learning.counted(state.count, left, succeeds, jnp.isfinite(alarm), reset + self.toll * caused)

        spent = state.spent + took
        gives_up = ~done & (self.patience > 0) & (state.tried + 1 >= self.patience)
        bins = jnp.minimum(spent / WIDTH, BINS - 1).astype(jnp.int32)
        return Shop(
            jnp.where(done | gives_up, 0, state.tried + 1),
            jnp.where(done, 0.0, spent),
            jnp.where(done | gives_up, self._chances(draws.job), state.chance),
            _added(state.totals, follows, took, done, succeeds, broken),
            _lately(state.recent, took, done, succeeds, broken, left),
            state.jobs.at[bins].add(jnp.where(done & follows, 1.0, 0.0)),
            learner, account, learning.pays(account)[1], count, heeds, state.boundary, state.optimum,
        )  # fmt: skip

    def observe(self, state: Shop, key: PRNGKeyArray) -> dict[str, Array]:
        """What has happened so far, and what was to be expected."""
        t, r = state.totals, state.recent
        count = jnp.sum(state.jobs)
        reached = jnp.cumsum(state.jobs) >= 0.9 * count
        none, nan = count == 0, jnp.float32(jnp.nan)
        predicted, naive, reset = self._expected()
        watched = jnp.bool(self.polls > 0)
        return {
            "makespan": _ratio(t.time[0], t.won[0]),
            "makespan_others": _ratio(t.time[1], t.won[1]),
            "predicted": predicted,
            "naive": naive,
            "optimum": state.optimum,
            "recent": _ratio(r.time, r.won),
            "p90": jnp.where(none, nan, WIDTH * (jnp.argmax(reached) + 1)),
            "attempts": _ratio(t.attempts[0], t.won[0]),
            "wasted": _ratio(t.wasted[0], t.time[0]),
            "wrongly": _ratio(t.good_broken[0], t.good[0]),
            "rightly": _ratio(t.bad_broken[0], t.attempts[0] - t.good[0]),
            "adopted": jnp.where(watched, state.adopted, nan),
            "saving": jnp.where(watched, learning.pays(state.account)[0], nan),
            "heeding": jnp.where(self.policy == _WEIGH, jnp.mean(state.heeds), nan),
            "believed": _ratio(r.ended_well, r.ended),
            "true_rate": _ratio(r.alone_well, r.alone),
            "reset_time": reset,
            "density": state.jobs / jnp.maximum(count, 1.0),
        }

    def _draws(self, key: PRNGKeyArray) -> Draws:
        n = self.robots
        even, waits, bell = jax.random.split(key, 3)
        outcome, said, job, left_alone, reconsiders = jax.random.uniform(even, (5, n))
        lasts, alarm = jax.random.exponential(waits, (2, n))
        signal = jax.random.normal(bell, (n, self.polls)) if self.polls else jnp.zeros((n, 0))
        return Draws(outcome, said, job, left_alone, reconsiders, lasts, alarm, signal)

    def _alarm(self, succeeds: Bool[Array, "robot"], draws: Draws) -> Float[Array, "robot"]:
        when = jnp.where(succeeds, self.false_time, self.hit_time) * draws.alarm
        sounds = draws.said < jnp.where(succeeds, self.false_alarm, self.hit)
        return jnp.where((self.device == 1) | sounds, when, jnp.inf)

    def _warning(
        self, learner: learning.Learner, path: Float[Array, "robot poll"]
    ) -> tuple[Float[Array, "robot feature"], Float[Array, "robot"]]:
        """What the learnt predictor sees, and when it says "more likely to fail than not"."""
        if not self.polls:
            return jnp.zeros((self.robots, len(learning.FEATURES))), jnp.full(self.robots, jnp.inf)
        look = jnp.clip(jnp.round(self.look / self.every), 2, self.polls).astype(jnp.int32)
        scale = self.noise * jnp.sqrt(look * self.every)
        shown = learning.features(path / scale, look)
        return shown, jnp.where(shown @ learner.weights > 0, look * self.every, jnp.inf)

    def _reset_at(self, idle: Number) -> Array:
        return self.reset * (1 + self.crowd * jnp.maximum(idle - self.bays, 0.0))

    def _expected(self) -> tuple[Array, Array, Array]:
        """Closed forms: as it should be, as it is with whole means, and the reset that goes with it."""
        nan = jnp.float32(jnp.nan)
        obeys = self.policy == 1
        device = restarts.Predictor(
            jnp.where(obeys, self.false_alarm, 0.0), jnp.where(obeys, self.hit, 0.0),
            self.false_time + self.latency, self.hit_time + self.latency,
        )  # fmt: skip
        reset = self._reset_at(1 - self.success * (1 - device.false_alarm))
        task = self._task()._replace(reset=reset)
        patience = jnp.where(self.patience > 0, self.patience, jnp.inf)
        both = self._chances(jnp.array([0.0, 1.0]))
        matrix = restarts.patient_makespan(both, task, device, patience)
        clock = restarts.alarm_makespan(task, self.false_time, self.hit_time)
        false, hit = (m / (m + a) for m, a in ((self.good, self.false_time), (self.bad, self.hit_time)))
        whole = restarts.confused_makespan(task, restarts.Predictor(false, hit, self.false_time, self.hit_time))
        ticks = obeys & (self.device == 1)
        alike = (self.spread == 0) & (self.crowd == 0)
        exact = jnp.stack([
            matrix,
            jnp.where(self.device == 0, matrix, jnp.where(alike & (self.latency == 0), clock, nan)),
            jnp.where(alike, restarts.timeout_makespan(task, self.timeout + self.latency), nan),
            jnp.where(alike & (self.latency == 0), restarts.luby_makespan(task, self.timeout), nan),
            *[nan] * (len(POLICIES) - 4),
        ])[self.policy]  # fmt: skip
        known = (self.share == 1) & (self.explore == 0)
        certain = (self.policy < 2) & ~ticks
        return (
            jnp.where(known, exact, nan),
            jnp.where(ticks & known, whole, nan),
            jnp.where(certain & known, reset, nan),
        )


def _ratio(x: Array, y: Array) -> Array:
    return jnp.where(y > 0, x / jnp.maximum(y, 1e-9), jnp.nan)


def _added(
    totals: Totals, follows: Bool[Array, "robot"], took: Array, done: Array, succeeds: Array, broken: Array
) -> Totals:
    groups = jnp.stack([follows, ~follows])
    one = jnp.ones_like(took)
    new = (
        took, done, one, jnp.where(done, 0.0, took), succeeds, succeeds & broken, ~succeeds & broken,
    )  # fmt: skip
    return Totals(*(old + jnp.sum(jnp.where(groups, x, 0.0), axis=1) for old, x in zip(totals, new, strict=True)))


def _lately(recent: Recent, took: Array, done: Array, succeeds: Array, broken: Array, left: Array) -> Recent:
    new = (took, done, ~broken, succeeds & ~broken, left, succeeds & left)
    return Recent(*(_KEPT * old + jnp.sum(x) for old, x in zip(recent, new, strict=True)))
