"""The town: its words, its places, its news, what people have to do, and whom they meet."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.games import memory as mind

SLOTS, DAYS = 96, 2
HOURS = 24 / SLOTS
"""A day has 96 slots of a quarter of an hour."""
REMEMBERED = 32
"""Slots of which it is kept where everybody was: those between two records of the sizes."""
WAKE, SLEEP, PLANNING, LUNCH, AFTER_LUNCH, EVENING = 24, 92, 26, 48, 52, 68
"""Slots of a day: up at 6, plans at 6:30, lunch at 12, back at 13, free from 17, to bed at 23."""
MORNING, NOON, AFTERNOON, NIGHT = range(4)
"""Parts of a day."""

FACTS = ("party", "candidacy", "late news", "sale", "false party")
PARTY, CANDIDACY, LATE, SALE, FALSE = range(len(FACTS))
EVENTS = (PARTY, SALE, FALSE)
"""The facts that one can go to."""
IMPORTANCE = (8.0, 7.0, 7.0, 2.0, 8.0)
START = (SLOTS + 68, 10**6, 10**6, SLOTS + 56, SLOTS + 68)
"""Slots at which they begin: the parties at 17:00 on the second day, the sale at 14:00."""
LASTS = 8
SEEDED = (0, 0, SLOTS + 32, 0, 10**6)
"""Slots at which their source knows them. That of the false party is a parameter."""
CAFE, LIBRARY, HALL = 0, 1, 2
_LEAN = 0.5
"""How much fewer people spend their evenings at a place than at the one before it, in logarithms."""
_SHIFT = 3
"""Hours differ between people and days by so many slots at most."""
VENUE = (CAFE, HALL, HALL, LIBRARY, HALL)
"""Where they take place."""


class Words(NamedTuple):
    """Where the words of the vocabulary begin: people first, then places and homes, parts of a day, news, the rest."""

    people: int
    places: int
    homes: int
    hours: int
    facts: int
    oneself: int
    friend: int
    news: int
    total: int


def words_of(agents: int, places: int) -> Words:
    """The vocabulary of a town."""
    homes = agents + places
    hours = homes + households(agents)
    facts = hours + 4
    rest = facts + len(FACTS)
    return Words(0, agents, homes, hours, facts, rest, rest + 1, rest + 2, rest + 3)


def vectors_of(key: PRNGKeyArray, words: Words, width: int) -> Float[Array, "word d"]:
    """Embeddings of the words. Facts lean towards the word `news`, or nobody could ask for news as such."""
    raw = mind.vocabulary(key, words.total, width)
    facts = slice(words.facts, words.facts + len(FACTS))
    leaning = raw[facts] + raw[words.news]
    return raw.at[facts].set(leaning / jnp.linalg.norm(leaning, axis=1, keepdims=True))


def households(agents: int) -> int:
    """Homes: two people in each."""
    return -(-agents // 2)


def home_of(agents: int, places: int) -> Int[Array, "agent"]:
    """Each agent's home, numbered after the public places."""
    return places + jnp.arange(agents) // 2


class Life(NamedTuple):
    """What is settled before anything happens.

    Attributes:
        route: where everybody is due, by slot; lunch is settled on the day.
        work: place of work.
        busy: how much else each agent has to do at the time of each event, in [0, 1].
        friends: who knows whom from before.
        lot: a number that decides between equals.
    """

    route: Int[Array, "slot agent"]
    work: Int[Array, "agent"]
    busy: Float[Array, "agent event"]
    friends: Bool[Array, "agent other"]
    lot: Float[Array, "agent"]


def life_of(
    key: PRNGKeyArray, agents: int, places: int, wander: Float[Array, ""] | float, density: Float[Array, ""] | float
) -> Life:
    """Draw everybody's work, haunts, hours and friends.

    Args:
        key: randomness.
        agents, places: how many; the first places are where most people spend their evenings.
        wander: share of free slots in which one is somewhere else.
        density: share of pairs who know each other, housemates included.
    """
    # All at once, because each call of a generator costs a second of compilation.
    sizes = (agents, 2 * agents, DAYS * 4 * agents, DAYS * agents, 2 * DAYS * SLOTS * agents, agents * len(EVENTS),
             agents * agents, agents)  # fmt: skip
    u = jnp.split(jax.random.uniform(key, (sum(sizes),)), list(itertools.accumulate(sizes))[:-1])
    work = jnp.floor(u[0] * places).astype(jnp.int32)
    # Evenings: two haunts each, the first places being the likelier the lower their number.
    liking = jnp.exp(-_LEAN * jnp.arange(places))
    upto = jnp.cumsum(liking) / jnp.sum(liking)
    haunts = jnp.sum(u[1].reshape(2, agents, 1) >= upto, axis=-1)
    shift = jnp.round(2 * _SHIFT * (u[2].reshape(DAYS, 4, agents) - 0.5)).astype(jnp.int32)
    free = u[3].reshape(DAYS, agents) < 0.5
    stray = u[4].reshape(2, DAYS * SLOTS, agents)
    home = home_of(agents, places)

    slot = jnp.arange(DAYS * SLOTS)
    day, hour = slot // SLOTS, (slot % SLOTS)[:, None]
    up, out, back, bed = (shift[day, j] for j in range(4))
    place = jnp.broadcast_to(home, (len(slot), agents))
    place = jnp.where((hour >= 32 + up) & (hour < EVENING + out), work, place)
    evening = jnp.where(free[day], haunts[0], haunts[1])
    place = jnp.where((hour >= EVENING + out) & (hour < 82 + back), evening, place)
    place = jnp.where(hour >= 88 + bed, home, place)
    elsewhere = (stray[0] < wander) & (hour >= 36) & (hour < 80)
    place = jnp.where(elsewhere, jnp.floor(stray[1] * places).astype(jnp.int32), place)

    busy = u[5].reshape(agents, len(EVENTS))
    one_way = jnp.triu(u[6].reshape(agents, agents), 1)
    mates = (home[:, None] == home[None]) & ~jnp.eye(agents, dtype=bool)
    # What housemates use up of the wanted density is left out of the rest.
    left = jnp.clip((density * (agents - 1) - 1) / max(agents - 2, 1), 0.0, 1.0)
    drawn = (one_way > 0) & (one_way < left)
    friends = mates | drawn | drawn.T
    return Life(place.astype(jnp.int32), work, busy, friends, u[7])


def awake(hour: Int[Array, ""]) -> Bool[Array, ""]:
    """Whether people are up at a slot of the day."""
    return (hour >= WAKE) & (hour < SLEEP)


def part_of_day(hour: Int[Array, ""]) -> Int[Array, ""]:
    """Morning, noon, afternoon or night."""
    bounds = jnp.array([LUNCH, AFTER_LUNCH, EVENING])
    return jnp.sum(hour >= bounds).astype(jnp.int32)


def together(place: Int[Array, "agent"]) -> Bool[Array, "agent other"]:
    """Who is at the same place as whom, nobody with itself."""
    return (place[:, None] == place[None]) & ~jnp.eye(place.shape[0], dtype=bool)


def pairs(place: Int[Array, "agent"], lot: Float[Array, "agent"]) -> Int[Array, "agent"]:
    """Match those at the same place two by two, at random; the number of the other, one's own for who is left alone."""
    n = place.shape[0]
    order = jnp.lexsort((lot, place))
    sorted_place = place[order]
    # Rank within one's place: the first pairs with the second, the third with the fourth.
    rank = jnp.arange(n) - jnp.sum(sorted_place[None] < sorted_place[:, None], axis=1)
    other = jnp.arange(n) + jnp.where(rank % 2 == 0, 1, -1)
    inside = jnp.clip(other, 0, n - 1)
    met = (other < n) & (sorted_place[inside] == sorted_place)
    return jnp.zeros(n, jnp.int32).at[order].set(jnp.where(met, order[inside], order).astype(jnp.int32))


def contacts(route: Int[Array, "slot agent"]) -> Float[Array, "agent"]:
    """How many different people each agent will be near if all keep to their routes, by day."""

    def one(seen: Array, now: tuple[Array, Array]) -> tuple[Array, None]:
        place, hour = now
        return seen | (together(place) & awake(hour)), None

    n = route.shape[1]
    seen, _ = jax.lax.scan(one, jnp.zeros((n, n), bool), (route, jnp.arange(route.shape[0]) % SLOTS))
    return jnp.sum(seen, axis=1).astype(jnp.float32)
