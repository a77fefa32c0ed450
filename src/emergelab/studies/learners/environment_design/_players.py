"""Who plays: a network and its optimiser's memory, its lessons, and what its first episodes brought."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from emergelab.rl import ppo
from emergelab.rl.networks import ActorCritic
from emergelab.rl.rollout import Trajectory, begin, play
from emergelab.worlds.world import World

__all__ = ["Played", "Player", "first_total", "improved", "kept_if", "made", "on_levels"]


class Player(eqx.Module):
    """A learner.

    Attributes:
        net: its network.
        memory: its optimiser's.
    """

    net: ActorCritic
    memory: optax.OptState


class Played(NamedTuple):
    """What happened on a batch of levels.

    Attributes:
        trajectory: of every lane; level i fills `tries` lanes next to each other.
        total: reward of the first episode of each try.
    """

    trajectory: Trajectory
    total: Float[Array, "level try"]


def made(net: ActorCritic, settings: ppo.Settings) -> Player:
    """A learner that has learnt nothing."""
    return Player(net, ppo.memory(net, settings))


def first_total(reward: Float[Array, "time lane"], over: Bool[Array, "time lane"]) -> Float[Array, "lane"]:
    """Reward up to the first end of an episode in each lane."""
    ends_before = jnp.cumsum(over, axis=0) - over
    return jnp.sum(jnp.where(ends_before == 0, reward, 0.0), axis=0)


def on_levels(
    world: World, net: ActorCritic, levels: PyTree[Array], tries: int, steps: int, key: PRNGKeyArray
) -> Played:
    """Play each level in several lanes, over and over for a number of steps.

    Every level is given the same number of first episodes, so a maximum over tries is not larger for those who finish
    sooner.
    """
    of_begin, of_play = jax.random.split(key)
    each = jax.tree.map(lambda x: jnp.repeat(x, tries, axis=0), levels)
    lanes = jax.tree.leaves(each)[0].shape[0]
    _, t = play(world, net, begin(world, net, lanes, of_begin, each), of_play, steps, lambda _: each)
    return Played(t, first_total(t.reward, t.over).reshape(-1, tries))


def improved(
    player: Player, trajectory: Trajectory, settings: ppo.Settings, key: PRNGKeyArray
) -> tuple[Player, ppo.Report]:
    """A learner after one update."""
    net, memory, report = ppo.improve(player.net, player.memory, trajectory, settings, key)
    return Player(net, memory), report


def kept_if(stays: Bool[Array, ""], old: Player, new: Player) -> Player:
    """The old learner where it is not to learn."""
    arrays, rest = eqx.partition(new, eqx.is_array)
    before = eqx.filter(old, eqx.is_array)
    return eqx.combine(jax.tree.map(lambda a, b: jnp.where(stays, b, a), arrays, before), rest)
