"""The student: a network that runs, and is improved by what its runs brought (PPO)."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from emergelab import site_scan
from emergelab.rl import ppo
from emergelab.rl.networks import ActorCritic, FeedForward
from emergelab.rl.rollout import Trajectory, begin, play
from emergelab.teachers import Student
from emergelab.worlds.track import Track, TrackLevel

__all__ = ["BODIES", "HIGHEST", "WIDEST", "Athlete", "Runner", "first_totals", "level_of"]

HIGHEST, WIDEST = 3.0, 6.0
"""Ranges of a task, metres: height of the stumps and their spacing, both from 0."""

# Speed of take-off (m/s), greatest speed (m/s), push (m/s^2): jumps of 0.75, 1.8 and 3 m at 10 m/s^2.
BODIES = {"short": (15**0.5, 4.0, 14.0), "default": (6.0, 4.0, 12.0), "long": (60**0.5, 3.8, 10.0)}
"""Bodies by the length of their legs."""


class Athlete(NamedTuple):
    """A runner's network and its optimiser's memory."""

    net: ActorCritic
    memory: optax.OptState


def level_of(task: Float[Array, "*batch 2"], taller: Float[Array, ""] | float = 1.0) -> TrackLevel:
    """The track of a task in the unit square; heights reach `taller` times as far as they usually do."""
    return TrackLevel(HIGHEST * taller * task[..., 0], WIDEST * task[..., 1])


def first_totals(reward: Float[Array, "time lane"], over: Bool[Array, "time lane"]) -> Float[Array, "lane"]:
    """The total reward of the episode that came first in each lane."""
    before = jnp.cumsum(over, axis=0) - over
    return jnp.sum(jnp.where(before == 0, reward, 0.0), axis=0)


class Runner(Student):
    """A network learns by proximal policy optimisation to run over stumps.

    The tasks of a round are played side by side, each for the limit of an episode. Who is at the end of the track
    before begins the same task again, which counts for learning, but not for the return. The return is how much of the
    track was covered, from 0 to 1.

    Attributes:
        track: the world with the body.
        rules: how the network learns.
        width: units of each of two hidden layers, for what to do and for what it is worth.
        taller: what the range of heights is multiplied by.
    """

    track: Track
    rules: ppo.Settings
    width: int = eqx.field(static=True, default=32)
    taller: Float[Array, ""] | Float[np.ndarray, ""] | float = 1.0

    def start(self, key: PRNGKeyArray) -> Athlete:
        net = FeedForward(key, self.track.numbers, self.track.actions, widths=(self.width, self.width))
        return Athlete(net, ppo.memory(net, self.rules))

    def attempt(
        self, state: Athlete, tasks: Float[Array, "task 2"], key: PRNGKeyArray
    ) -> tuple[Athlete, Float[Array, "task"]]:
        of_start, of_play, of_update = jax.random.split(key, 3)
        levels, count = level_of(tasks, self.taller), tasks.shape[0]
        lanes = begin(self.track, state.net, count, of_start, levels)
        _, trajectory = play(self.track, state.net, lanes, of_play, self.track.limit, lambda _: levels)
        net, memory, _ = ppo.improve(state.net, state.memory, trajectory, self.rules, of_update)
        return Athlete(net, memory), self.returns(trajectory)

    def returns(self, trajectory: Trajectory) -> Float[Array, "task"]:
        """How much of the track the first episode of each lane covered, from 0 to 1."""
        return jnp.clip(first_totals(trajectory.reward, trajectory.over), 0.0, 1.0)

    def ways(self, net: ActorCritic, tasks: Float[Array, "task 2"]) -> Float[Array, "time task 2"]:
        """Where a body is after each step of one episode a task, at the usual heights, when chance is left out."""
        key = jax.random.key(0)  # the world draws nothing
        states = jax.vmap(self.track.reset, (0, None))(level_of(tasks), key)
        none = jnp.zeros(tasks.shape[0], bool)

        def one(states: Any, _: None) -> tuple[Any, Float[Array, "task 2"]]:
            policy = net(None, jax.vmap(self.track.see)(states), none)[1]
            after = jax.vmap(self.track.step, (0, 0, None))(states, policy.mode(), key).state
            return after, after.place

        return site_scan(one, states, None, length=self.track.limit)[1]
