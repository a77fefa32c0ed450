"""The rules of the Donor Game, once for all kinds of agents: who meets whom, what a move does, who survives.

Nothing here decides anything. A study seats its agents, asks them (a formula, a language model), and hands the moves
to `settle`. All functions are pure and take their randomness as keys, so they serve compiled programs as well as
asynchronous Python, and societies of both kinds can share their random numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.engine.compiled import INIT

__all__ = [
    "DONATE", "ENTRIES", "GOSSIP", "PARAMETERS", "PROBES", "PUNISH", "REFUSE", "Draws", "Table", "act", "by_agent",
    "disposition", "draws_of", "key_of", "offspring", "parents_of", "price", "prior", "seat", "settle",
    "side_of", "slopes",
]  # fmt: skip

Number = Float[Array, ""] | Float[np.ndarray, ""] | np.floating | float
Whole = Int[Array, ""] | Int[np.ndarray, ""] | np.integer | int

DONATE, PUNISH, REFUSE = 0, 1, 2
ENTRIES = 3
"""Steps of gossip: what the recipient gave last, what its recipient had given before that, and so on."""

# -- randomness -----------------------------------------------------------------------------------------------------


class Draws(NamedTuple):
    """The random numbers of one generation: uniform in [0, 1), but for the errors, which are standard normal.

    Drawn at once, because each call of a generator costs a second of compilation.
    """

    order: Float[Array, "agent"]
    lot: Float[Array, "agent"]
    choice: Float[Array, "newborn"]
    lied: Float[Array, "2 round 1"]
    whom: Float[Array, "2 round seat"]
    mutation: Float[Array, "agent 8"]
    slip: Float[Array, "2 round seat"]


def draws_of(key: PRNGKeyArray, agents: int) -> Draws:
    """The random numbers of a generation of so many agents, out of its step's key."""
    half = agents // 2
    even, bell = jax.random.split(key)
    shapes = ((agents,), (agents,), (half,), (2, agents, 1), (2, agents, half))
    errors = ((agents, len(PARAMETERS)), (2, agents, half))
    return Draws(*_cut(jax.random.uniform, even, shapes), *_cut(jax.random.normal, bell, errors))


def _cut(draw: Callable[..., Array], key: PRNGKeyArray, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    sizes = [math.prod(shape) for shape in shapes]
    parts = jnp.split(draw(key, (sum(sizes),)), list(itertools.accumulate(sizes))[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def key_of(seed: int, time: int | None = None) -> PRNGKeyArray:
    """The key that the engine gives to a step of a seed (None: to its beginning), for systems in plain Python."""
    return jax.random.fold_in(jax.random.key(seed), INIT if time is None else time)


# -- the table ------------------------------------------------------------------------------------------------------


class Table(NamedTuple):
    """A society at a table with two sides. Those who sit opposite each other are paired.

    Attributes:
        who: agents by side and seat.
        resources: what they hold.
        trace: what is told of them: fractions given, newest first. The first entry is their own, the second that of
            the one to whom they gave, and so on back in time.
        known: entries of `trace` that there are; the others are 0.
        given: fractions that they have given, added up.
    """

    who: Int[Array, "2 seat"]
    resources: Float[Array, "2 seat"]
    trace: Float[Array, "2 seat 3"]
    known: Int[Array, "2 seat"]
    given: Float[Array, "2 seat"]


def seat(order: Float[Array, "agent"], endowment: Number) -> Table:
    """Seat the agents in random order (that of `order`), with their endowment and no past."""
    who = jnp.argsort(order).reshape(2, -1)
    shape = who.shape
    zeros = jnp.zeros(shape)
    return Table(who, zeros + jnp.float32(endowment), jnp.zeros((*shape, ENTRIES)), jnp.zeros(shape, jnp.int32), zeros)


def side_of(turn: Whole, game: Whole, agents: int) -> Whole:
    """The side that gives in a round of a game.

    Sides take turns. After half of the rounds everyone sits opposite its first partner again, and the same rounds
    follow with roles exchanged; so each agent gives in half of the rounds, and each pair meets twice, once each way.
    The second game is the first with all roles exchanged.
    """
    half = agents // 2
    return (turn % half + turn // half + game) % 2


def settle(
    table: Table,
    side: Whole,
    kind: Int[Array, "seat"],
    fraction: Float[Array, "seat"],
    gain: Number,
    loss: Number,
) -> Table:
    """Carry out the moves of the giving side, all at once, and let the second side move on by one seat.

    Args:
        table: before the round.
        side: the side that gives.
        kind: `DONATE`, `PUNISH` or `REFUSE`.
        fraction: share of its resources that a donor spends.
        gain: units that a recipient gets for one donated.
        loss: units that a recipient loses for one spent on punishing it; nobody falls below 0.
    """
    other = 1 - side
    spent = jnp.where(kind == REFUSE, 0.0, fraction * table.resources[side])
    got = table.resources[other] + jnp.where(kind == PUNISH, -loss, gain) * spent
    resources = table.resources.at[side].add(-spent).at[other].set(jnp.maximum(got, 0.0))
    # Who punishes or refuses has given nothing, and that is what is told.
    given = jnp.where(kind == DONATE, fraction, 0.0)
    chain = jnp.concatenate([given[:, None], table.trace[other][:, :-1]], axis=1)
    after = Table(
        table.who,
        resources,
        table.trace.at[side].set(chain),
        table.known.at[side].set(jnp.minimum(table.known[other] + 1, ENTRIES)),
        table.given.at[side].add(given),
    )
    return jax.tree.map(_move_on, after)


def _move_on(x: Array) -> Array:
    return x.at[1].set(jnp.roll(x[1], -1, axis=0))


def by_agent(table: Table, values: Float[Array, "2 seat"]) -> Float[Array, "agent"]:
    """Values at the seats in the order of agents."""
    return jnp.zeros(values.size, values.dtype).at[table.who.ravel()].set(values.ravel())


# -- who survives ---------------------------------------------------------------------------------------------------


def parents_of(
    lot: Float[Array, "agent"],
    choice: Float[Array, "newborn"],
    score: Float[Array, "agent"],
    top: Bool[Array, ""] | np.bool | bool,
) -> Int[Array, "agent"]:
    """Whom each member of the next generation comes from.

    The first half are the survivors themselves, the best first: the better half by score (`lot` decides between
    equals), or a random half. The second half are newborn, each the child of a survivor taken by `choice`.
    """
    half = score.shape[0] // 2
    survivors = jnp.lexsort((lot, jnp.where(top, -score, 0.0)))[:half]
    return jnp.concatenate([survivors, survivors[jnp.floor(choice * half).astype(jnp.int32)]])


# -- the numeric strategy -------------------------------------------------------------------------------------------

PARAMETERS = ("stranger", "base", "first", "second", "third", "centre", "tolerance", "severity")
GOSSIP = slice(2, 5)
"""The parameters of a strategy that weigh gossip."""


_CENTRE, _SEVERITY = 0.5, 0.2
# How much first strategies differ, relative to the base: copying errors are the same in all parameters, this is not.
_SPREAD = (0.6, 1.0, 0.8, 0.4, 0.4, 0.2, 0.4, 0.4)


def prior(
    key: PRNGKeyArray,
    agents: int,
    generosity: Number,
    discrimination: Number,
    tolerance: Number,
    variety: Number,
) -> Float[Array, "agent 8"]:
    """Strategies of a first generation: normally distributed, unrelated.

    Args:
        key: randomness.
        agents: how many.
        generosity: mean of what is given to strangers, and of `base`.
        discrimination: mean weight of the newest gossip; the older entries have mean weight 0.
        tolerance: mean of the giving below which others are punished or refused.
        variety: standard deviation of `base`; the others differ in proportion.
    """
    means = (generosity, generosity, discrimination, 0.0, 0.0, _CENTRE, tolerance, _SEVERITY)
    mean = jnp.stack([jnp.asarray(x, jnp.float32) for x in means])
    return mean + variety * jnp.asarray(_SPREAD) * jax.random.normal(key, (agents, len(PARAMETERS)))


def act(
    theta: Float[Array, "seat 8"],
    trace: Float[Array, "seat 3"],
    known: Int[Array, "seat"],
    length: Whole,
    mechanism: Whole,
    slip: Float[Array, "seat"] | float = 0.0,
    grid: Number = 0.0,
) -> tuple[Int[Array, "seat"], Float[Array, "seat"]]:
    """Moves of agents with numeric strategies: kind and fraction.

    A stranger gets `stranger`. Otherwise the fraction is `base` plus, for each entry of the gossip that there is, its
    weight times what was given above `centre`. Where punishing (mechanism 1) or refusing (2) is possible, it is done
    to those who last gave less than `tolerance`, at the price of `severity`.

    Args:
        theta: strategies, in the order of `PARAMETERS`.
        trace: gossip about the recipients, newest first.
        known: entries that there are.
        length: entries that are passed on at most.
        mechanism: 0 none, 1 costly punishment, 2 partner choice.
        slip: error of execution, added to the fraction.
        grid: step of the fractions that can be given; 0 is any.
    """
    heard = jnp.minimum(known, length)
    entries = jnp.arange(ENTRIES) < heard[:, None]
    centre, tolerance, severity = theta[:, 5], theta[:, 6], theta[:, 7]
    swayed = jnp.sum(jnp.where(entries, theta[:, GOSSIP] * (trace - centre[:, None]), 0.0), axis=1)
    wish = jnp.where(heard == 0, theta[:, 0], theta[:, 1] + swayed)
    disliked = (heard > 0) & (trace[:, 0] < tolerance)
    kind = jnp.where(disliked, jnp.asarray(mechanism, jnp.int32), DONATE)
    fraction = jnp.clip(jnp.where(kind == PUNISH, severity, wish) + slip, 0.0, 1.0)
    step = jnp.where(jnp.asarray(grid) > 0, grid, 1.0)
    return kind, jnp.where(jnp.asarray(grid) > 0, jnp.round(fraction / step) * step, fraction)


_SITUATIONS = ((), (0.0,), (0.5,), (1.0,), (0.5, 0.0), (0.5, 1.0))
PROBES = (
    jnp.asarray([(*s, *[0.0] * (ENTRIES - len(s))) for s in _SITUATIONS], jnp.float32),
    jnp.asarray([len(s) for s in _SITUATIONS], jnp.int32),
)
"""Six situations in which anyone can be asked what it would give: a stranger, and five pieces of gossip."""


def disposition(theta: Float[Array, "agent 8"]) -> Float[Array, "agent"]:
    """What each strategy would give in the six `PROBES`, on average: giving that does not depend on the company."""
    trace, known = PROBES
    each = jax.vmap(lambda t: act(jnp.broadcast_to(t, (len(known), t.shape[0])), trace, known, ENTRIES, 0)[1])
    return jnp.mean(each(theta), axis=1)


def offspring(
    theta: Float[Array, "agent 8"], parents: Int[Array, "agent"], error: Float[Array, "agent 8"]
) -> Float[Array, "agent 8"]:
    """Strategies of the next generation: survivors keep theirs, the newborn take their parent's with an error."""
    newborn = jnp.arange(theta.shape[0]) >= theta.shape[0] // 2
    return theta[parents] + jnp.where(newborn[:, None], error, 0.0)


# -- what can be seen -----------------------------------------------------------------------------------------------


def slopes(
    given: Float[Array, "*moves"], trace: Float[Array, "*moves 3"], heard: Int[Array, "*moves"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """How what is given depends on gossip, by least squares over moves, whoever decided.

    Returns:
        the slope on the newest entry, over all moves with gossip; and the slope on the second entry beside the first,
        over all moves with two entries. NaN where the entries do not vary.
    """
    x, z = trace[..., 0], trace[..., 1]
    one, two = heard >= 1, heard >= 2
    first = _covariance(x, given, one) / _nonzero(_covariance(x, x, one))
    xx, zz, xz = _covariance(x, x, two), _covariance(z, z, two), _covariance(x, z, two)
    determinant = xx * zz - xz**2
    enough = determinant > 1e-3 * xx * zz
    second = (_covariance(z, given, two) * xx - _covariance(x, given, two) * xz) / _nonzero(determinant)
    return first, jnp.where(enough, second, jnp.nan)


def _covariance(x: Array, y: Array, where: Array) -> Array:
    n = jnp.maximum(jnp.sum(where), 1)
    mean_x, mean_y = jnp.sum(jnp.where(where, x, 0.0)) / n, jnp.sum(jnp.where(where, y, 0.0)) / n
    return jnp.sum(jnp.where(where, (x - mean_x) * (y - mean_y), 0.0)) / n


def _nonzero(x: Array) -> Array:
    return jnp.where(x > 1e-9, x, jnp.nan)


def price(
    before: Float[Array, "agent"], parents: Int[Array, "agent"], after: Float[Array, "agent"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The change of the mean from one generation to the next, split after Price (1970).

    Returns:
        selection: parents' mean, each counted as often as it has successors (itself among them), minus the mean;
        transmission: mean of successor minus parent, by error in copying and by changed company.
        They add up to the change of the mean.
    """
    inherited = before[parents]
    return jnp.mean(inherited) - jnp.mean(before), jnp.mean(after - inherited)
