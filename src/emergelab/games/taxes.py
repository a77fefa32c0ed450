"""Work, income taxes in brackets, and what a government may want: an economy of one year, solved exactly.

A worker of skill s works l hours, earns z = s l and bears a pain of `cost` * l^`delta`. A tax by brackets is taken from
z, and all that is taken is handed back in equal parts. Utility is linear in money, so hours depend on the marginal rate
alone: with one rate t they are l = ((1 - t) s / (cost delta))^(1 / (delta - 1)), and the elasticity of income in what
is left of a coin, 1 - t, is 1 / (delta - 1) for everybody. Under brackets the best hours are those of one bracket, or
lie at a kink; `best_hours` compares them all.

The cut-offs and rates of the United States' federal tax of 2018 (single filers, thousands of dollars) are those that
Zheng et al. (2021) use; the formulas for optimal rates are Saez's (2001).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = [
    "US_CUTS", "US_RATES", "Work", "best_hours", "bracket_of", "bracket_rates", "hours_at_rate",
    "inside_brackets", "marginal_rate", "pareto_rate", "pointwise_rates", "tax", "utilities", "weights", "welfare",
]  # fmt: skip

Number = Any
"""A number, or an array of numbers that broadcasts against the others."""

US_CUTS = (0.0, 9.7, 39.475, 84.2, 160.725, 204.1, 510.3)
"""Incomes at which brackets begin, in thousands of dollars."""
US_RATES = (0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37)
"""Marginal rate of each bracket."""

_FAR = 1e9  # where the last bracket ends
_KINK = 1e-4  # incomes this close to a cut-off, relatively, are at it
_MOST_RATE = 0.99  # formulas that ask for more get this


class Work(NamedTuple):
    """What work is like.

    Attributes:
        delta: how fast the pain of work grows, above 1.
        cost: pain of the first hour, in money.
        most: hours that there are.
    """

    delta: Number
    cost: Number
    most: Number

    def pain(self, hours: Number) -> Number:
        """Of so many hours, in money."""
        return self.cost * hours**self.delta

    def elasticity(self) -> Number:
        """Of income in what is left of one more coin."""
        return 1 / (self.delta - 1)


# -- taxes ----------------------------------------------------------------------------------------------------------


def _ends(cuts: Float[Array, "bracket"]) -> Float[Array, "bracket"]:
    return jnp.concatenate([cuts[1:], jnp.array([_FAR])])


def _taxed(income: Float[Array, "*n"], cuts: Float[Array, "bracket"]) -> Float[Array, "*n bracket"]:
    """How much of each income lies in each bracket."""
    return jnp.maximum(jnp.minimum(income[..., None], _ends(cuts)) - cuts, 0.0)


def tax(
    income: Float[Array, "*n"], cuts: Float[Array, "bracket"], rates: Float[Array, "bracket"]
) -> Float[Array, "*n"]:
    """Tax on each income.

    Args:
        income: before taxes, 0 or more.
        cuts: where brackets begin, ascending, the first at 0.
        rates: marginal rate of each bracket, in [0, 1].
    """
    return jnp.sum(_taxed(income, cuts) * rates, axis=-1)


def bracket_of(income: Float[Array, "*n"], cuts: Float[Array, "bracket"]) -> Int[Array, "*n"]:
    """In which bracket the next coin would be taxed. Who is at a cut-off, up to rounding, is in the upper one."""
    return jnp.sum(income[..., None] * (1 + _KINK) >= cuts, axis=-1) - 1


def marginal_rate(
    income: Float[Array, "*n"], cuts: Float[Array, "bracket"], rates: Float[Array, "bracket"]
) -> Float[Array, "*n"]:
    """Rate on the next coin."""
    return rates[bracket_of(income, cuts)]


def inside_brackets(income: Float[Array, "*n"], cuts: Float[Array, "bracket"]) -> Bool[Array, "*n"]:
    """Whether an income lies inside a bracket: not at a kink, where a small change of rates moves nobody."""
    return jnp.all(jnp.abs(income[..., None] - cuts) > _KINK * jnp.maximum(cuts, 1.0), axis=-1)


def utilities(
    income: Float[Array, "n"], hours: Float[Array, "n"], work: Work, cuts: Float[Array, "bracket"],
    rates: Float[Array, "bracket"],
) -> Float[Array, "n"]:  # fmt: skip
    """Utility of each: income after taxes, an equal part of all taxes, less the pain of work."""
    paid = tax(income, cuts, rates)
    return income - paid + jnp.mean(paid) - work.pain(hours)


# -- work -----------------------------------------------------------------------------------------------------------


def hours_at_rate(skill: Number, rate: Number, work: Work) -> Array:
    """Best hours if every coin is taxed at the same rate."""
    e = work.elasticity()
    # One power for each rate and one for each skill: where all rates meet all skills, powers are most of the work.
    wanted = jnp.maximum(1 - jnp.asarray(rate), 0.0) ** e * (skill / (work.cost * work.delta)) ** e
    return jnp.minimum(wanted, work.most)


def best_hours(
    skill: Float[Array, "n"], work: Work, cuts: Float[Array, "bracket"], rates: Float[Array, "bracket"]
) -> Float[Array, "n"]:
    """Best hours under a tax by brackets, what is handed back taken as given.

    Within a bracket utility is concave, so its best hours are those of its rate, or the end of the bracket that lies
    nearest to them; the best of these is the best of all.
    """
    wanted = hours_at_rate(skill[:, None], rates, work)
    hours = jnp.clip(wanted, cuts / skill[:, None], _ends(cuts) / skill[:, None])
    hours = jnp.minimum(hours, work.most)
    income = hours * skill[:, None]
    gain = income - tax(income, cuts, rates) - work.pain(hours)
    return jnp.take_along_axis(hours, jnp.argmax(gain, axis=1)[:, None], axis=1)[:, 0]


# -- what a government may want ---------------------------------------------------------------------------------------


def weights(values: Float[Array, "n"]) -> Float[Array, "n"]:
    """Weights that fall as one over a value (values below 1 count as 1), with a mean of 1."""
    low = 1 / jnp.maximum(values, 1.0)
    return low / jnp.mean(low)


def welfare(utility: Float[Array, "n"], weight: Float[Array, "n"]) -> Float[Array, ""]:
    """Weighted mean of utilities."""
    return jnp.mean(weight * utility)


# -- optimal rates by formula -----------------------------------------------------------------------------------------


def pareto_rate(above: Number, pareto: Number, elasticity: Number) -> Number:
    """Saez's optimal marginal rate at an income z.

    Args:
        above: mean weight of all who earn more than z, the mean over all being 1.
        pareto: z f(z) / (1 - F(z)) of the distribution of incomes.
        elasticity: of income in what is left of a coin.
    """
    return (1 - above) / (1 - above + pareto * elasticity)


def pointwise_rates(
    income: Float[Array, "n"], weight: Float[Array, "n"], elasticity: Number, cuts: Float[Array, "bracket"]
) -> Float[Array, "bracket"]:
    """Saez's rate at each income, averaged over those in each bracket.

    Density and survival are those of log income with a Gaussian kernel (Silverman's width), so no bins are needed.
    Brackets that nobody is in get the rate of the nearest filled one below them, or above if there is none.
    """
    x = jnp.log(jnp.maximum(income, 1e-3))
    width = jnp.maximum(1.06 * jnp.std(x) * income.shape[0] ** -0.2, 1e-2)
    apart = (x - x[:, None]) / width
    higher = jax.scipy.stats.norm.cdf(apart)
    survival = jnp.mean(higher, axis=1)
    pareto = jnp.mean(jnp.exp(-0.5 * apart**2), axis=1) / (width * jnp.sqrt(2 * jnp.pi)) / survival
    above = jnp.mean(higher * weight, axis=1) / survival
    each = jnp.clip(pareto_rate(above, pareto, elasticity), 0.0, _MOST_RATE)
    members = bracket_of(income, cuts) == jnp.arange(cuts.shape[0])[:, None]
    count = jnp.sum(members, axis=1)
    return _filled(jnp.sum(members * each, axis=1) / jnp.maximum(count, 1), count > 0)


def bracket_rates(
    income: Float[Array, "n"], weight: Float[Array, "n"], elasticity: Number, cuts: Float[Array, "bracket"],
    responds: Bool[Array, "n"],
) -> Float[Array, "bracket"]:  # fmt: skip
    """The same condition of optimality for whole brackets instead of points.

    A higher rate in a bracket takes from each who earns more than its beginning in proportion to what lies in it, and
    those inside it earn less: t / (1 - t) = sum (1 - weight) * (income in the bracket) / (elasticity * incomes of those
    inside). For a Pareto tail, the last bracket gets `pareto_rate`.

    Args:
        income: before taxes.
        weight: of each, with a mean of 1.
        elasticity: of income in what is left of a coin.
        cuts: where brackets begin.
        responds: who would earn less at a higher rate: not those at a kink, nor who has no more hours to give.
    """
    members = (bracket_of(income, cuts) == jnp.arange(cuts.shape[0])[:, None]) & responds
    takes = jnp.sum((1 - weight)[:, None] * _taxed(income, cuts), axis=0)
    loses = elasticity * jnp.sum(members * income, axis=1)
    ratio = jnp.maximum(takes, 0.0) / jnp.maximum(loses, 1e-6)
    return _filled(jnp.minimum(ratio / (1 + ratio), _MOST_RATE), jnp.any(members, axis=1))


def _filled(rates: Float[Array, "bracket"], known: Bool[Array, "bracket"]) -> Float[Array, "bracket"]:
    """The rates, where they are not known those of the nearest known bracket below, or else of the first known one."""
    place = jnp.arange(rates.shape[0])
    below = jax.lax.cummax(jnp.where(known, place, -1))
    return rates[jnp.where(below >= 0, below, jnp.argmax(known))]
