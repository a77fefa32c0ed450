"""The economy: workers of different skill, a tax by brackets handed back in equal parts, and a planner who sets it."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import emergelab as el
from emergelab.errors import ParameterError
from emergelab.games import taxes
from emergelab.games.inequality import equality

from . import _planners as planners
from ._workers import WORKERS, Habits, View, decide, level_of, taught

__all__ = ["FLAT", "Economy", "Society", "Year"]

Number = Any
Choice = Any
_LEARNER = tuple(WORKERS).index("learner")
_DRAWS = 1000  # in the mean of which the published skills are the order statistics
FLAT = tuple(round(0.05 * k, 2) for k in range(21))
"""Rates of the flat taxes that every society is also solved for."""


class Workers(eqx.Module):
    """What workers carry from year to year.

    Attributes:
        hours: worked last year.
        before: rates of last year.
        values: tables of those who learn by them.
    """

    hours: Float[Array, "worker"]
    before: Float[Array, "bracket"]
    values: Float[Array, "worker level"]


class Year(eqx.Module):
    """What a year was like.

    Attributes:
        rates: of the tax.
        hours, income, paid, utility: of each worker.
        weight: of each, with a mean of 1.
        welfare: weighted mean of utilities.
    """

    rates: Float[Array, "bracket"]
    hours: Float[Array, "worker"]
    income: Float[Array, "worker"]
    paid: Float[Array, "worker"]
    utility: Float[Array, "worker"]
    weight: Float[Array, "worker"]
    welfare: Float[Array, ""]


class Society(eqx.Module):
    """Workers, planner, and the last year under the rates in force.

    Attributes:
        skill: of each worker, ascending.
        workers: what they carry on.
        plan: what the planner holds.
        year: the last one under the rates in force.
    """

    skill: Float[Array, "worker"]
    workers: Workers
    plan: planners.Plan
    year: Year


def _seen(
    name: str, about: str, unit: str = "1", low: float | None = 0.0, high: float | None = None, *dims: str
) -> el.Observable:
    return el.Observable(name, dims, unit, about=about, low=low, high=high)


class Economy(el.System):
    """One step is what the planner tries out, and then some years under the rates that it has settled on."""

    planner: str = el.choice("schedule", options=planners.PLANNERS, about="who sets taxes", static=True)
    rates: Number = el.param([0.0] * 7, low=0.0, high=1.0, about="marginal rates at first, or for ever")
    cuts: Number = el.param(list(taxes.US_CUTS), low=0.0, unit="coin", about="incomes at which brackets begin")
    workers: int = el.static(100, low=2, high=10_000, about="how many there are")
    worker: Choice = el.choice("exact", options=tuple(WORKERS), about="how workers decide on hours")
    knowing: Choice = el.choice(
        "this year's", options=("this year's", "last year's"), about="exact, marginal: the rates that workers go by"
    )
    skills: Choice = el.choice("drawn", options=("drawn", "averaged", "equal"), about="where skills come from")
    delta: Number = el.param(3.5, low=1.05, high=20.0, about="how fast the pain of work grows")
    cost: Number = el.param(0.0005, low=1e-9, high=1e3, unit="coin", about="pain of the first hour")
    most: Number = el.param(100.0, low=1.0, high=1e4, unit="h", about="hours that there are")
    weighs: Choice = el.choice("by income", options=("by income", "by skill"), about="whose utility counts for more")
    believes: Choice = el.choice(
        "what it sees", options=("what it sees", "fixed hours"), about="how a planner that searches reckons"
    )
    candidates: int = el.static(32, low=4, high=1000, about="search: schedules tried in a step")
    hold: int = el.static(1, low=1, high=10_000, unit="year", about="years under each schedule that is tried")
    notches: int = el.static(20, low=1, high=1000, about="search, every: rates are multiples of one over this")
    haste: Number = el.param(0.6, low=0.0, high=1.0, about="share of the way to better rates that is gone in a step")
    formula: Choice = el.choice(
        "at each income", options=("at each income", "by bracket"), about="saez: for what its formula is solved"
    )
    knows: Choice = el.choice(
        "truth", options=("truth", "people", "years", "flat years"),
        about="saez: elasticity, or a regression on random schedules: of all, within workers, or on flat taxes",
    )  # fmt: skip
    inquiry: Number = el.param(20, low=0, high=100_000, about="saez: steps of random taxes at first, to estimate it")
    pace: Number = el.param(0.1, low=0.0, high=1.0, about="marginal, learner: step of adapting or learning, a year")
    curiosity: Number = el.param(0.1, low=0.0, high=1.0, about="learner: chance a year to try other hours")
    levels: int = el.static(1, low=1, high=1001, about="learner: numbers of hours to choose from, 2 at least")

    observables = (
        _seen("welfare", "weighted mean utility under the rates in force", "coin", None),
        _seen("promised", "the same, if all worked on as without taxes", "coin", None),
        _seen("productivity", "income of all before taxes", "coin"),
        _seen("equality", "of incomes after taxes; 1 if all are alike", "1", 0, 1),
        _seen("revenue", "taxes as a share of income", "1", 0, 1),
        _seen("effort", "mean hours", "h"),
        el.Observable("elasticity", unit="1", about="saez: that it reckons with", nan_ok=True),
        _seen("rates", "marginal rates in force", "1", 0, 1, "bracket"),
        _seen("filled", "share of workers in each bracket", "1", 0, 1, "bracket"),
        _seen("skill", "of each worker, ascending", "coin/h", 0, None, "worker"),
        _seen("hours", "of each worker", "h", 0, None, "worker"),
        _seen("income", "of each worker, before taxes", "coin", 0, None, "worker"),
        _seen("paid", "tax of each worker", "coin", 0, None, "worker"),
        _seen("flat_revenue", "taxes of all under flat rates of 0, 0.05, ..., 1", "coin", 0, None, "flat"),
        _seen("flat_welfare", "welfare under them", "coin", None, None, "flat"),
        _seen("flat_equality", "equality under them", "1", 0, 1, "flat"),
        _seen("flat_productivity", "productivity under them", "coin", 0, None, "flat"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        cuts = np.asarray(self.cuts)
        if cuts[0] != 0 or not (np.diff(cuts) > 0).all():
            raise ParameterError(f"Economy: parameter 'cuts' must begin with 0 and ascend, got {cuts.tolist()}")
        if isinstance(self.levels, int) and self.levels < 2 and int(self.worker) == _LEARNER:
            raise ParameterError("Economy: worker 'learner' needs hours to choose from: set 'levels' >= 2, got 1")

    def work(self) -> taxes.Work:
        """What work is like."""
        return taxes.Work(self.delta, self.cost, self.most)

    def init(self, key: PRNGKeyArray) -> Society:
        """Skills as published, mostly in order statistics; nobody is taxed yet."""
        of_skill, of_hours = jax.random.split(key)
        tail = jax.random.pareto(of_skill, 4.0, (_DRAWS, self.workers)) - 1
        drawn = jnp.sort(jnp.minimum(3.0, 2 * tail + 1), axis=1)
        mean = jnp.mean(drawn, axis=0)
        skill = jnp.stack([drawn[0], mean, jnp.full(self.workers, jnp.mean(mean))])[self.skills]
        # Learners begin anywhere between a tenth and a fifth of the hours there are.
        first = jnp.round(jax.random.uniform(of_hours, (self.workers,), minval=0.1, maxval=0.2) * self.most)
        plan = planners.begin(self)
        values = jnp.zeros((self.workers, self.levels))
        values = values.at[jnp.arange(self.workers), level_of(first, self.work(), self.levels)].set(1e-3)
        workers = Workers(first, plan.rates, values)
        return Society(skill, workers, plan, self._told(skill, first, plan.rates))

    def step(self, state: Society, key: PRNGKeyArray) -> Society:
        """What the planner tries, what it learns of that, and what comes of the rates that it has settled on."""
        of_rates, of_trials, of_years = jax.random.split(key, 3)
        proposed = planners.propose(self, state.plan, of_rates)
        skill = el.site("skill", state.skill)
        untaxed = taxes.hours_at_rate(skill, 0.0, self.work())

        def one(workers: Workers, x: tuple[Array, Array]) -> tuple[Workers, tuple[Array, Array, Array, Array]]:
            rates, key = x
            workers, score, year = self._years(skill, workers, rates, key)
            fixed = self._told(skill, untaxed, rates).welfare
            score = jnp.where(self.believes == 1, fixed, score)
            spent = year.hours >= self.most * (1 - 1e-6)
            return workers, (score, year.income, year.weight, spent)

        keys = jax.random.split(of_trials, proposed.shape[0])

        def tried(plan: planners.Plan, workers: Workers, proposed: Array, keys: Array) -> tuple[planners.Plan, Workers]:
            with el.scope("trial"):
                workers, seen = el.site_scan(one, workers, (proposed, keys))
            return planners.learn(self, plan, planners.Tried(proposed, *seen)), workers

        plan, workers = state.plan, state.workers
        if self.planner == "every":
            # Every combination was tried once: there is nothing left to try.
            plan, workers = el.when(plan.time <= self.notches, tried, (plan, workers, proposed, keys), (plan, workers))
        elif proposed.shape[0]:
            plan, workers = tried(plan, workers, proposed, keys)
        workers, _, year = self._years(skill, workers, plan.rates, of_years)
        return Society(state.skill, workers, plan, year)

    def _years(
        self, skill: Float[Array, "worker"], workers: Workers, rates: Float[Array, "bracket"], key: PRNGKeyArray
    ) -> tuple[Workers, Float[Array, ""], Year]:
        """So many years under one schedule: the workers then, welfare in the second half, and the last year."""
        rates = el.site("rates", rates)
        draws = jax.random.uniform(key, (self.hold, 2, self.workers))

        def one(carry: tuple[Workers, Year], draw: Array) -> tuple[tuple[Workers, Year], Array]:
            workers, _ = carry
            known = jnp.where(self.knowing == 0, rates, workers.before)
            view = View(skill, workers.hours, jnp.asarray(self.cuts), known, workers.values)
            hours = decide(self.worker, view, self.work(), Habits(self.pace, self.curiosity), draw)
            year = self._told(skill, el.site("hours", hours), rates)
            level = level_of(year.hours, self.work(), self.levels)
            values = taught(workers.values, level, year.utility, self.pace)
            return (Workers(year.hours, rates, values), year), year.welfare

        before = self._told(skill, workers.hours, rates)
        (workers, year), welfare = el.site_scan(one, (workers, before), draws)
        return workers, jnp.mean(welfare[self.hold // 2 :]), year

    def _told(
        self, skill: Float[Array, "worker"], hours: Float[Array, "worker"], rates: Float[Array, "bracket"]
    ) -> Year:
        """A year of these hours under these rates."""
        cuts, income = jnp.asarray(self.cuts), hours * skill
        utility = taxes.utilities(income, hours, self.work(), cuts, rates)
        weight = taxes.weights(jnp.where(self.weighs == 0, income, skill))
        paid = taxes.tax(income, cuts, rates)
        return Year(rates, hours, income, paid, utility, weight, taxes.welfare(utility, weight))

    def observe(self, state: Society, key: PRNGKeyArray) -> dict[str, Array]:
        """The last year under the rates in force; and the same society under flat taxes, solved exactly."""
        year, cuts = state.year, jnp.asarray(self.cuts)
        flat = jax.vmap(lambda rate: self._flat(state.skill, rate))(jnp.asarray(FLAT))
        untaxed = taxes.hours_at_rate(state.skill, 0.0, self.work())
        bracket = taxes.bracket_of(year.income, cuts)
        reckons = planners.elasticity_of(self, state.plan.estimate)
        return {
            "welfare": year.welfare,
            "promised": self._told(state.skill, untaxed, year.rates).welfare,
            "productivity": jnp.sum(year.income),
            "equality": equality(year.income - year.paid + jnp.mean(year.paid)),
            "revenue": jnp.sum(year.paid) / jnp.maximum(jnp.sum(year.income), 1e-9),
            "effort": jnp.mean(year.hours),
            "elasticity": reckons if self.planner == "saez" else jnp.float32(jnp.nan),
            "rates": year.rates,
            "filled": jnp.mean(bracket == jnp.arange(cuts.shape[0])[:, None], axis=1),
            "skill": state.skill,
            "hours": year.hours,
            "income": year.income,
            "paid": year.paid,
            "flat_revenue": jnp.sum(flat.paid, axis=1),
            "flat_welfare": flat.welfare,
            "flat_equality": jax.vmap(equality)(flat.income - flat.paid + jnp.mean(flat.paid, 1, keepdims=True)),
            "flat_productivity": jnp.sum(flat.income, axis=1),
        }

    def _flat(self, skill: Float[Array, "worker"], rate: Float[Array, ""]) -> Year:
        rates = jnp.full(jnp.asarray(self.cuts).shape, rate)
        return self._told(skill, taxes.hours_at_rate(skill, rate, self.work()), rates)
