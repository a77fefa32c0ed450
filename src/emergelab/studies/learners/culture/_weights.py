"""Accumulation in weights: a generation is a training run, and what it hands on are trained networks to watch.

Teachers in weights need not be run either: along a sequence that is guessed right, a network that sees nobody says the
same at each position in every episode, so the last generation is kept as a table of its guesses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.rl import ppo
from emergelab.rl.networks import ActorCritic
from emergelab.rl.rollout import Lanes, begin, play
from emergelab.worlds.sequence import Level, expected

from ._lineages import teach

if TYPE_CHECKING:
    from ._system import Culture


class Training(eqx.Module):
    """A lineage whose generations are training runs.

    Attributes:
        nets: of the members, stacked.
        memory: of their optimisers.
        lanes: in which each plays.
        hidden: the lineage's sequence.
        advice: what the members of the last generation guess; the best come last.
        scores: right guesses of each member, alone, at the end of each generation; not a number before.
        time: updates made.
    """

    nets: ActorCritic
    memory: optax.OptState
    lanes: Lanes
    hidden: Int[Array, "position"]
    advice: Float[Array, "other position symbol"]
    scores: Float[Array, "generation member"]
    time: Int[Array, ""]


def start(system: Culture, key: PRNGKeyArray) -> Training:
    """The first generation before its first update: it will watch others who know nothing."""
    of_hidden, of_nets, of_lanes = jax.random.split(key, 3)
    world = system.world()
    hidden = jax.random.randint(of_hidden, (world.length,), 0, world.symbols)
    advice = jnp.zeros((world.others, world.length, world.symbols))
    nets, memory = _born(system, of_nets)
    time = jnp.int32(0)
    level = _levels(system, hidden, advice, time)
    lanes = eqx.filter_vmap(lambda net, k: begin(world, net, system.lanes, k, level))(
        nets, jax.random.split(of_lanes, system.members)
    )
    scores = jnp.full((system.generations, system.members), jnp.nan)
    return Training(nets, memory, lanes, hidden, advice, scores, time)


def update(system: Culture, state: Training, key: PRNGKeyArray) -> Training:
    """One update of every member; after the last of a generation the next one is born."""
    world = system.world()
    of_members, of_birth = jax.random.split(key)

    level = _levels(system, state.hidden, state.advice, state.time)

    def learn(net: ActorCritic, memory: optax.OptState, lanes: Lanes, key: PRNGKeyArray) -> tuple[PyTree, ...]:
        of_play, of_update = jax.random.split(key)
        lanes, trajectory = play(world, net, lanes, of_play, system.horizon, lambda _: level)
        net, memory, _ = ppo.improve(net, memory, trajectory, system.settings(state.time), of_update)
        return net, memory, lanes

    keys = jax.random.split(of_members, system.members)
    nets, memory, lanes = el.site_vmap(learn)(state.nets, state.memory, state.lanes, keys)
    state = Training(nets, memory, lanes, state.hidden, state.advice, state.scores, state.time + 1)
    arrays, rest = eqx.partition(state, eqx.is_array)

    def born(arrays: Training, key: PRNGKeyArray) -> Training:
        return eqx.filter(_next(system, eqx.combine(arrays, rest), key), eqx.is_array)

    arrays = el.when(state.time % system.lifetime == 0, born, (arrays, of_birth), arrays)
    return eqx.combine(arrays, rest)


def table(system: Culture, state: Training) -> Float[Array, "member position symbol"]:
    """What each member guesses at each position, alone and right all along."""
    world = system.world()
    hidden = jnp.broadcast_to(state.hidden, (1, world.length))
    nothing = jnp.zeros((1, world.inputs))

    def one(net: ActorCritic) -> Float[Array, "position symbol"]:
        return teach(net, net.rest(1), nothing, hidden, world.symbols, fresh=True)[0]

    return eqx.filter_vmap(one)(state.nets)


def scores(system: Culture, state: Training) -> Float[Array, "member"]:
    """Right guesses of each member in an episode alone: exact means over its own draws."""
    guesses = table(system, state)
    return expected(guesses, jnp.broadcast_to(state.hidden, guesses.shape[:2]))


def _next(system: Culture, state: Training, key: PRNGKeyArray) -> Training:
    """The generation hands on what it knows, and new members take its place, or it goes on as it is."""
    guesses = table(system, state)
    score = expected(guesses, jnp.broadcast_to(state.hidden, guesses.shape[:2]))
    order = jnp.argsort(el.site("rank", score))[system.members - system.others :]
    advice = el.site("advice", guesses[order])
    number = jnp.minimum(state.time // system.lifetime, system.generations) - 1
    nets, memory = _born(system, key)
    again = jnp.asarray(system.reborn) > 0

    def chosen(new: PyTree, old: PyTree) -> PyTree:
        return jax.tree.map(lambda n, o: jnp.where(again, n, o) if eqx.is_array(o) else o, new, old)

    return Training(
        chosen(nets, state.nets), chosen(memory, state.memory), state.lanes, state.hidden, advice,
        state.scores.at[number].set(score), state.time,
    )  # fmt: skip


def _born(system: Culture, key: PRNGKeyArray) -> tuple[ActorCritic, optax.OptState]:
    """New networks, and optimisers that remember nothing."""
    nets = eqx.filter_vmap(system.network)(jax.random.split(key, system.members))
    settings = system.settings(jnp.int32(0))
    return nets, eqx.filter_vmap(lambda net: ppo.memory(net, settings))(nets)


def _levels(
    system: Culture, hidden: Int[Array, "position"], advice: Float[Array, "other position symbol"], time: Int[Array, ""]
) -> Level:
    """The lineage's sequence in every lane; the others are seen less and less, and not at all in the end."""
    age = (time % system.lifetime) / jnp.maximum(jnp.asarray(system.lifetime) - 1, 1)
    shown = el.site("watched", system.watch * (1 - age))
    level = Level(hidden, advice, jnp.full(system.slots, shown))
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (system.lanes, *x.shape)), level)
