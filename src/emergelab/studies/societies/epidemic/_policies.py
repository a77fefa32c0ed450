"""How people decide: four levels of agency behind one plug.

A policy sees typed arrays and returns typed arrays, and the city never learns what stands behind it: a constant, a rule
of thumb, one answer for each group of people, or one for each person. What decides for a person and for a group is
the same function of a description; a group is described by the mean of its members, its *portrait*.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

__all__ = [
    "ARCHETYPES", "DETAILS", "LEVELS", "Chances", "News", "People", "archetype_of", "by_group", "fixed", "heuristic",
    "person", "portraits",
]  # fmt: skip

LEVELS = ("fixed", "heuristic", "archetypes", "individuals")
"""From no agency to full agency."""
DETAILS = ("nothing", "age", "age and income", "age, income and area", "age, income, area and history")
"""What tells archetypes apart."""
ARCHETYPES = (1, 9, 27, 432, 864)
"""How many there are then, at most."""
_ALARM = 2.7  # log10 of the weekly cases per 100,000, about 500, at which half of the people stay at home
_HISTORY = 0.15  # memory above which a person has seen illness: about a third of one contact's course of illness


class News(eqx.Module):
    """What everybody hears.

    Attributes:
        cases: log10 of 1 + cases per 100,000 people reported for the week.
        trend: log2 of the week's cases over the mean of the last four weeks, in [-2, 2].
        payment: support for those who do not work, as a fraction of a wage.
        unemployment: share of people of working age who did not work in the last week.
    """

    cases: Float[Array, ""]
    trend: Float[Array, ""]
    payment: Float[Array, ""]
    unemployment: Float[Array, ""]


class People(eqx.Module):
    """Whom a policy decides for: persons, or portraits of groups.

    Attributes:
        age: decade of life.
        income: tercile, 0 is the lowest.
        custom: caution of the area.
        caution, trust: temper.
        memory: illness that was seen at home and among acquaintances, fading.
    """

    age: Float[Array, "*who"]
    income: Float[Array, "*who"]
    custom: Float[Array, "*who"]
    caution: Float[Array, "*who"]
    trust: Float[Array, "*who"]
    memory: Float[Array, "*who"]


class Chances(eqx.Module):
    """What is decided for the week: the chance to isolate at home, and to be willing to work."""

    isolate: Float[Array, "*who"]
    work: Float[Array, "*who"]


def person(people: People, news: News) -> Chances:
    """The planted mind: what a person, or someone who fits the portrait, would do. Weights are ours."""
    need = 2.0 - people.income
    fear = (3.0 + people.trust) * (news.cases - _ALARM) + 0.5 * news.trend
    caution = 0.25 * (people.age - 4.0) + 0.6 * people.custom + 0.8 * people.caution
    isolate = caution + fear + 4.0 * people.memory + news.payment * (0.5 + 0.6 * need)
    work = (
        3.0 - 0.5 * jnp.maximum(news.cases - _ALARM, 0.0) - news.payment * (0.3 + 0.5 * need) - 2.0 * news.unemployment
    )
    return Chances(jax.nn.sigmoid(isolate), jax.nn.sigmoid(work - 0.2 * people.caution))


def heuristic(people: People, news: News) -> Chances:
    """A rule of thumb, made without asking anybody: a logistic curve of age and cases, half as steep as the truth."""
    isolate = 0.25 * (people.age - 4.0) + 1.5 * (news.cases - _ALARM)
    work = jnp.broadcast_to(3.0 - news.payment, isolate.shape)
    return Chances(jax.nn.sigmoid(isolate), jax.nn.sigmoid(work))


def fixed(people: People, isolate: Float[Array, ""], work: Float[Array, ""]) -> Chances:
    """The same for everyone, whatever happens."""
    shape = people.age.shape
    return Chances(jnp.broadcast_to(isolate, shape), jnp.broadcast_to(work, shape))


def archetype_of(
    detail: Int[Array, ""], people: People, region: Int[np.ndarray, "area"]
) -> Int[Array, "area resident"]:
    """The number of each person's archetype, in [0, 864).

    Args:
        detail: index into `DETAILS`.
        region: region of each area, 0 to 15.
    """
    age, income = people.age.astype(jnp.int32), people.income.astype(jnp.int32)
    seen = (people.memory > _HISTORY).astype(jnp.int32)
    number = jnp.where(detail >= 4, seen, 0)
    number = number * 16 + jnp.where(detail >= 3, jnp.asarray(region, jnp.int32)[:, None], 0)
    number = number * 3 + jnp.where(detail >= 2, income, 0)
    return number * 9 + jnp.where(detail >= 1, age, 0)


def portraits(
    people: People, group: Int[Array, "area resident"], living: Bool[Array, "area resident"]
) -> tuple[People, Bool[Array, "group"]]:
    """The mean member of each group, and whether a group has any."""
    leaves, treedef = jax.tree.flatten(people)
    columns = jnp.stack([*(jnp.broadcast_to(x, group.shape) for x in leaves), jnp.ones(group.shape)], axis=-1)
    columns = jnp.where(living[..., None], columns, 0.0).reshape(-1, len(leaves) + 1)
    sums = jax.ops.segment_sum(columns, group.reshape(-1), ARCHETYPES[-1])
    count = sums[:, -1]
    means = sums[:, :-1] / jnp.maximum(count, 1.0)[:, None]
    return jax.tree.unflatten(treedef, list(means.T)), count > 0


def by_group(
    people: People, news: News, group: Int[Array, "area resident"], living: Bool[Array, "area resident"]
) -> tuple[Chances, Int[Array, ""]]:
    """One answer for each archetype, handed to all its members; and how many were asked."""
    asked, exists = portraits(people, group, living)
    answers = person(asked, news)
    return jax.tree.map(lambda x: x.at[group].get(mode="promise_in_bounds"), answers), jnp.sum(exists, dtype=jnp.int32)
