"""Who sets taxes: a small family of planners, each of which proposes schedules, sees what they lead to, and learns.

A planner is two pure functions. `propose` gives the schedules that are tried in this step, `learn` takes what they led
to; the rates in force afterwards are part of the plan. No planner knows how workers decide.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from emergelab.games.taxes import bracket_rates, inside_brackets, marginal_rate, pointwise_rates

__all__ = ["PLANNERS", "Estimate", "Plan", "Tried", "begin", "learn", "propose"]

PLANNERS = ("schedule", "saez", "search", "every")
"""The same rates for ever; Saez's formula on what is seen; a search by cross-entropy; every combination of rates."""

_MOST_TAX = 0.95  # random rates stay below, for who keeps nothing tells nothing about elasticity


class Estimate(NamedTuple):
    """What is needed for a regression of log income on the log of what is left of the next coin: sums by worker."""

    count: Float[Array, "worker"]
    x: Float[Array, "worker"]
    y: Float[Array, "worker"]
    xx: Float[Array, "worker"]
    xy: Float[Array, "worker"]

    def slope(self, years: Any) -> Float[Array, ""]:
        """The elasticity: among all observations, or among the years of each worker (`years` is 1)."""
        n = jnp.maximum(self.count, 1.0)
        within = jnp.sum(self.xy - self.x * self.y / n) / jnp.maximum(jnp.sum(self.xx - self.x**2 / n), 1e-9)
        count, x, y = (jnp.sum(v) for v in (n, self.x, self.y))
        pooled = (jnp.sum(self.xy) - x * y / count) / jnp.maximum(jnp.sum(self.xx) - x**2 / count, 1e-9)
        return jnp.where(jnp.asarray(years) > 0, within, pooled)


class Plan(eqx.Module):
    """What a planner holds.

    Attributes:
        rates: in force.
        mean, spread: of the search.
        record: highest welfare seen so far, for who tries everything.
        estimate: sums for the elasticity.
        time: steps made.
    """

    rates: Float[Array, "bracket"]
    mean: Float[Array, "bracket"]
    spread: Float[Array, "bracket"]
    record: Float[Array, ""]
    estimate: Estimate
    time: Array


class Tried(NamedTuple):
    """What schedules led to, one row each.

    Attributes:
        rates: the schedules.
        score: welfare, as the planner reckons it.
        income: of each worker in the last year of it.
        weight: of each worker then, with a mean of 1.
        spent: whether a worker had no more hours to give.
    """

    rates: Float[Array, "trial bracket"]
    score: Float[Array, "trial"]
    income: Float[Array, "trial worker"]
    weight: Float[Array, "trial worker"]
    spent: Bool[Array, "trial worker"]


def begin(system: Any) -> Plan:
    """A plan before the first step: the rates that the system names."""
    brackets, zero = system.cuts.shape[0], jnp.zeros(system.workers)
    return Plan(
        jnp.asarray(system.rates), jnp.full(brackets, 0.5), jnp.full(brackets, 0.3), jnp.float32(-jnp.inf),
        Estimate(zero, zero, zero, zero, zero), jnp.int32(0),
    )  # fmt: skip


def _grid(system: Any) -> Float[Array, "rate"]:
    return jnp.linspace(0.0, 1.0, system.notches + 1)


def _guessing(system: Any, plan: Plan) -> Bool[Array, ""]:
    """Whether rates are drawn at random, so that something can be learnt about elasticity."""
    return (system.knows > 0) & (plan.time < system.inquiry)


def propose(system: Any, plan: Plan, key: PRNGKeyArray) -> Float[Array, "trial bracket"]:
    """Schedules to be tried in this step."""
    brackets = plan.rates.shape[0]
    if system.planner == "schedule":
        return jnp.zeros((0, brackets))
    if system.planner == "saez":
        drawn = _MOST_TAX * jax.random.uniform(key, (brackets,))
        drawn = jnp.where(system.knows == 3, drawn[0], drawn)
        return jnp.where(_guessing(system, plan), drawn, plan.rates)[None]
    if system.planner == "search":
        normal = jax.random.normal(key, (system.candidates, brackets))
        return _notched(system, plan.mean + plan.spread * normal)
    grid = _grid(system)
    first = grid[plan.time % grid.shape[0]]
    second, third = (g.ravel() for g in jnp.meshgrid(grid, grid, indexing="ij"))
    out = jnp.zeros((second.shape[0], brackets))
    return out.at[:, 0].set(first).at[:, 1].set(second).at[:, 2].set(third)


def _notched(system: Any, rates: Array) -> Array:
    return jnp.round(jnp.clip(rates, 0.0, 1.0) * system.notches) / system.notches


def learn(system: Any, plan: Plan, tried: Tried) -> Plan:
    """The plan after a step."""
    later = eqx.tree_at(lambda p: p.time, plan, plan.time + 1)
    if system.planner == "saez":
        return _by_formula(system, later, tried, _guessing(system, plan))
    if system.planner == "search":
        return _by_search(system, later, tried)
    if system.planner == "every":
        best = jnp.argmax(tried.score)
        better = tried.score[best] > plan.record
        rates = jnp.where(better, tried.rates[best], plan.rates)
        record = jnp.maximum(plan.record, tried.score[best])
        return eqx.tree_at(lambda p: (p.rates, p.record), later, (rates, record))
    return later


def _by_search(system: Any, plan: Plan, tried: Tried) -> Plan:
    """Towards the best quarter of what was tried (Rubinstein 1999)."""
    elite = tried.rates[jnp.argsort(-tried.score)[: max(2, system.candidates // 4)]]
    mean = plan.mean + system.haste * (jnp.mean(elite, axis=0) - plan.mean)
    # A floor keeps the search from freezing before it has found anything.
    spread = plan.spread + system.haste * (jnp.maximum(jnp.std(elite, axis=0), 1 / system.notches) - plan.spread)
    return eqx.tree_at(lambda p: (p.rates, p.mean, p.spread), plan, (_notched(system, mean), mean, spread))


def _by_formula(system: Any, plan: Plan, tried: Tried, guessing: Bool[Array, ""]) -> Plan:
    """A step towards the rates that would be optimal for the incomes seen."""
    income, weight, rates = tried.income[0], tried.weight[0], tried.rates[0]
    estimate = _observed(plan.estimate, income, 1 - marginal_rate(income, system.cuts, rates), guessing)
    elasticity = elasticity_of(system, estimate)
    responds = inside_brackets(income, system.cuts) & ~tried.spent[0]
    pointwise = pointwise_rates(income, weight, elasticity, system.cuts)
    whole = bracket_rates(income, weight, elasticity, system.cuts, responds)
    aim = jnp.where(system.formula == 0, pointwise, whole)
    stepped = jnp.where(guessing, plan.rates, plan.rates + system.haste * (aim - plan.rates))
    return eqx.tree_at(lambda p: (p.rates, p.estimate), plan, (stepped, estimate))


def _observed(estimate: Estimate, income: Array, keeps: Array, counts: Bool[Array, ""]) -> Estimate:
    x, y = jnp.log(keeps), jnp.log(jnp.maximum(income, 1e-3))
    new = Estimate(jnp.ones_like(x), x, y, x * x, x * y)
    return Estimate(*(old + jnp.where(counts, one, 0.0) for old, one in zip(estimate, new, strict=True)))


def elasticity_of(system: Any, estimate: Estimate) -> Float[Array, ""]:
    """The elasticity that the planner reckons with: the true one, or its estimate, 0.01 at least."""
    guess = jnp.maximum(estimate.slope(jnp.asarray(system.knows) >= 2), 0.01)
    return jnp.where(system.knows == 0, system.work().elasticity(), guess)
