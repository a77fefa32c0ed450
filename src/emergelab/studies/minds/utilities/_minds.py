"""Simulated minds whose utilities are known, and what the instruments for looking ahead make of their answers.

They are the calibration of three measures: whether states are valued for what they lead to, whether the best of many is
taken, and how value falls with delay. What a mind is like is planted; all that is shown comes from its answers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.games import foresight as ahead
from emergelab.games import preferences as pr

__all__ = ["AMOUNTS", "CHOOSERS", "DELAYS", "STATES", "Asked", "Mind", "Nature", "Number", "ask", "make_mind", "shown"]

STATES = 6
"""Of a process: two starts, two states between and two ends."""
AMOUNTS = np.geomspace(0.5, 30.0, 30)
"""What is offered later, in units of what is had now; as published."""
DELAYS = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
"""In months."""
CHOOSERS = ("best", "enough")
_SIDES = ((2, 3, 4, 5), (3, 2, 5, 4))
"""Where the starts and the states between lead, if they keep to their side, and else."""
Number = Float[Array, ""] | float


class Mind(NamedTuple):
    """What there is to be valued: states of processes, and things on menus.

    Attributes:
        own: what a state is worth in itself.
        kept: chance that a start or a state between leads to its own side of the process.
        menu: what things are worth, menu by menu; as many as there are states.
        lot: of each pair of each table, uniform; those below the share are ever asked. The first table is of states.
    """

    own: Float[Array, "state"]
    kept: Float[Array, "process 4"]
    menu: Float[Array, "menu state"]
    lot: Float[Array, "table state state"]


class Nature(NamedTuple):
    """How a mind is made. All fields may differ between conditions.

    Attributes:
        foresight: 1: a state is worth what it leads to; 0: what it is in itself.
        noise: standard deviation of one judgement of one thing.
        chooser: 0 takes the best of many as it judges at the moment, 1 the first in the list that is worth `enough`
            (the best, where none is).
        enough: what is good enough.
        curve: 0: value falls exponentially with delay, 1: hyperbolically.
        impatience: the rate of that, per month.
    """

    foresight: Number
    noise: Number
    chooser: Int[Array, ""]
    enough: Number
    curve: Int[Array, ""]
    impatience: Number


class Asked(NamedTuple):
    """A mind and what it answered so far.

    Attributes:
        mind: who answers.
        wins: how often row was preferred to column, for rows below columns.
        later: how often the later amount was taken.
        taken: how often a thing was taken from its menu.
        place: sum of the places in the list of what was taken, first 0, last 1.
        clock: rounds so far.
    """

    mind: Mind
    wins: Float[Array, "table state state"]
    later: Float[Array, "delay amount"]
    taken: Float[Array, "menu state"]
    place: Float[Array, "menu"]
    clock: Int[Array, ""]


def make_mind(key: PRNGKeyArray, processes: int, menus: int) -> Asked:
    """A mind of a seed that was not asked yet."""
    n = processes * STATES
    drawn = _parts(key, (1 + menus, n), (processes, 4), (1 + menus, n, n))
    worth, kept = ndtri(drawn[0]), 0.7 + 0.25 * drawn[1]
    mind = Mind(worth[0], kept, worth[1:], drawn[2])
    later = jnp.zeros((len(DELAYS), len(AMOUNTS)))
    return Asked(mind, jnp.zeros((1 + menus, n, n)), later, jnp.zeros((menus, n)), jnp.zeros(menus), jnp.int32(0))


def _parts(key: PRNGKeyArray, *shapes: tuple[int, ...]) -> list[Array]:
    """Uniform numbers between 0 and 1, drawn at once, because each call of a generator takes long to compile."""
    sizes = np.cumsum([math.prod(shape) for shape in shapes])
    drawn = jax.random.uniform(key, (int(sizes[-1]),), minval=1e-6, maxval=1 - 1e-6)
    return [part.reshape(shape) for part, shape in zip(jnp.split(drawn, sizes[:-1]), shapes, strict=True)]


def moves(mind: Mind, *, natural: bool) -> Float[Array, "state state"]:
    """Chances of moving from row to column; unnatural: in each process the two ends have changed places."""
    there, instead = (np.array(to)[:, None] == np.arange(STATES) for to in _SIDES)
    if not natural:
        exchanged = [0, 1, 2, 3, 5, 4]
        there, instead = there[:, exchanged], instead[:, exchanged]
    chance = mind.kept[:, :, None]
    rows = jnp.pad(chance * there + (1 - chance) * instead, ((0, 0), (0, 2), (0, 0)))
    count = mind.kept.shape[0]
    whole = rows[:, :, None, :] * np.eye(count, dtype=np.float32)[:, None, :, None]
    return whole.reshape(count * STATES, count * STATES)


def ends(mind: Mind) -> Bool[np.ndarray, "state"]:
    """Which states are ends."""
    return np.arange(mind.own.shape[0]) % STATES >= 4


def foreseen(mind: Mind) -> Float[Array, "state"]:
    """What states are worth for what they lead to, by value iteration: ends are worth what they are in themselves."""
    return ahead.values(moves(mind, natural=True), jnp.where(ends(mind), mind.own, 0.0)[:, None])[:, 0]


def worth(mind: Mind, foresight: Number) -> Float[Array, "table state"]:
    """What all that is compared is worth to a mind."""
    states = jnp.where(ends(mind), mind.own, foresight * foreseen(mind) + (1 - foresight) * mind.own)
    return jnp.concatenate([states[None], mind.menu])


def ask(asked: Asked, key: PRNGKeyArray, nature: Nature) -> Asked:
    """One round: each pair in both orders, each delay and amount in both orders, one free choice from each menu."""
    mind, width = asked.mind, jnp.sqrt(2.0) * jnp.maximum(nature.noise, 1e-6)
    u = worth(mind, nature.foresight)
    prefers = ndtr((u[:, :, None] - u[:, None, :]) / width)
    left = ahead.factor(DELAYS, nature.impatience)[nature.curve]
    waits = ndtr((jnp.log(left)[:, None] + jnp.log(AMOUNTS)) / width)
    drawn = _parts(key, (2, *prefers.shape), (2, *waits.shape), mind.menu.shape, mind.menu.shape)
    wins, later = (jnp.sum(lot < p, axis=0) for lot, p in zip(drawn[:2], (prefers, waits), strict=True))
    taken, place = free_choice(mind.menu + nature.noise * ndtri(drawn[2]), drawn[3], nature)
    sums = (asked.wins + wins, asked.later + later, asked.taken + taken, asked.place + place)
    return Asked(mind, *sums, asked.clock + 1)


def free_choice(
    judged: Float[Array, "menu thing"], lot: Float[Array, "menu thing"], nature: Nature
) -> tuple[Float[Array, "menu thing"], Float[Array, "menu"]]:
    """What is taken from each menu, and at which place of the list it stood.

    Args:
        judged: what each thing is worth at the moment.
        lot: the list goes from the lowest to the highest.
        nature: how a mind chooses.
    """
    at, best = _rank(lot), jnp.argmax(judged, axis=1)
    good = judged >= nature.enough
    first = jnp.argmin(jnp.where(good, at, 2.0), axis=1)
    picked = jax.nn.one_hot(jnp.where((nature.chooser == 1) & good.any(axis=1), first, best), judged.shape[1])
    return picked, jnp.sum(picked * at, axis=1)


def _rank(x: Float[Array, "row n"]) -> Float[Array, "row n"]:
    """Place of each number in its row, the least 0, the largest 1. By counting: a sort takes long to compile."""
    return jnp.sum(x[:, None, :] < x[:, :, None], axis=2) / (x.shape[1] - 1)


# -- what the answers show ------------------------------------------------------------------------------------------


def shown(asked: Asked, share: Number) -> dict[str, Array]:
    """All measures, from answers alone but for `foreseen`; NaN before the first round.

    Args:
        asked: the answers.
        share: of all pairs whose answers are looked at.
    """
    mind, rounds = asked.mind, jnp.maximum(asked.clock, 1)
    told = jax.vmap(lambda wins, lot: _scale(wins / (2 * rounds), lot < share))(asked.wins, mind.lot)
    states, things = told[0], told[1:]
    between = np.flatnonzero(~ends(mind))
    taken = asked.taken / rounds
    best = jax.nn.one_hot(jnp.argmax(things, axis=1), things.shape[1])
    later = asked.later / (2 * rounds)
    factors = 1.0 / ahead.indifference(later, AMOUNTS)
    curves = ahead.discounts(DELAYS, factors)
    found = {
        "instrumental": ahead.instrumentality(states, moves(mind, natural=True)),
        "instrumental_null": ahead.instrumentality(states, moves(mind, natural=False)),
        "foreseen": pr.correlation(states[between], foreseen(mind)[between]),
        "maximised": jnp.mean(jnp.sum(taken * best, axis=1)),
        "maximised_luce": jnp.mean(jax.vmap(ahead.luce)(things)),
        "chosen_rank": jnp.mean(jnp.sum(taken * _rank(things), axis=1)),
        "chosen_place": jnp.mean(asked.place / rounds),
        "more": jnp.mean(later[:, -1] - later[:, 0]),
        "factors": factors,
    }
    for k, curve in enumerate(ahead.CURVES):
        found |= {f"rate_{curve}": curves.rate[k], f"error_{curve}": curves.error[k]}
    return {name: jnp.where(asked.clock > 0, value, jnp.nan) for name, value in found.items()}


def _scale(p: Float[Array, "state state"], met: Bool[Array, "state state"]) -> Float[Array, "state"]:
    """The scale of Bradley and Terry; of answers and lots only those above the diagonal count."""
    above = jnp.triu(jnp.ones_like(p), 1)
    weight = jnp.where(met, above, 0.0)
    return pr.bradley_terry(pr.Choices(jnp.where(above > 0, p, 1 - p.T), weight + weight.T))
