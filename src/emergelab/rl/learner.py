"""A learner as a system: one step plays on in every lane and improves the network once.

    class Pole(Learner):
        def world(self): return Gymnax("CartPole-v1")
        def network(self, key): return FeedForward(key, 4, self.world().actions)
        def observe(self, state, key): return {"total": mean_total(state)}

Seeds and conditions are axes of the engine's program as for any system. All settings are parameters, so conditions may
differ in them. Sites: those of the rollout (`play.seen`, `play.action`, `play.reward`, `play.logits`, `play.value`,
`play.h`), of the update (`learn.logits`, ..., `advantage`, `grad.PATH`, `update.PATH`, `rate`), and `state.net.PATH`
for the weights themselves.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from emergelab.system import System, param, static
from emergelab.worlds.world import World

from . import ppo
from .networks import ActorCritic
from .rollout import Lanes, begin, play

__all__ = ["Learner", "LearnerState", "mean_length", "mean_total"]


class LearnerState(eqx.Module):
    """What a learner is after an update.

    Attributes:
        net: the network.
        memory: the optimiser's.
        lanes: the environments being played.
        report: of the last update; zeros before the first.
        time: updates made.
    """

    net: ActorCritic
    memory: optax.OptState
    lanes: Lanes
    report: ppo.Report
    time: Int[Array, ""]


class Learner(System):
    """Proximal policy optimisation in one world. Subclasses define `world`, `network` and `observe`."""

    rate: float = param(2.5e-4, low=0.0, high=1.0, about="learning rate")
    discount: float = param(0.99, low=0.0, high=1.0, about="gamma: what a reward one step later is worth")
    trace: float = param(0.95, low=0.0, high=1.0, about="lambda: how far an advantage looks ahead")
    clip: float = param(0.2, low=0.0, about="how far a probability may move in one update, as a ratio minus 1")
    entropy: float = param(0.01, about="weight of the policy's entropy, reward a nat")
    value: float = param(0.5, low=0.0, about="weight of the value's error")
    max_norm: float = param(0.5, low=0.0, about="gradients longer than this are scaled down to it")
    lanes: int = static(16, low=1, about="environments played side by side")
    horizon: int = static(128, low=1, about="steps of each environment between two updates")
    passes: int = static(4, low=1, about="passes over what happened, each update")
    parts: int = static(4, low=1, about="gradient steps each pass")

    @abc.abstractmethod
    def world(self) -> World:
        """What is played."""

    @abc.abstractmethod
    def network(self, key: PRNGKeyArray) -> ActorCritic:
        """The network before the first update."""

    def levels(self, state: LearnerState, key: PRNGKeyArray) -> PyTree[Array]:
        """Levels of the episodes that begin next, one a lane; the world's own distribution by default."""
        return jax.vmap(self.world().level)(jax.random.split(key, self.lanes))

    def pace(self, time: Int[Array, ""]) -> Float[Array, ""]:
        """The learning rate of an update; `rate`, constant, by default."""
        return jnp.asarray(self.rate)

    def settings(self, time: Int[Array, ""]) -> ppo.Settings:
        """How the update at a time is made."""
        return ppo.Settings(
            rate=self.pace(time), discount=self.discount, trace=self.trace, clip=self.clip, entropy=self.entropy,
            value=self.value, max_norm=self.max_norm, passes=self.passes, parts=self.parts,
        )  # fmt: skip

    def init(self, key: PRNGKeyArray) -> LearnerState:
        of_net, of_lanes = jax.random.split(key)
        net = self.network(of_net)
        remembered = ppo.memory(net, self.settings(jnp.int32(0)))
        nothing = ppo.Report(*(jnp.zeros(()) for _ in ppo.Report._fields))
        return LearnerState(net, remembered, begin(self.world(), net, self.lanes, of_lanes), nothing, jnp.int32(0))

    def step(self, state: LearnerState, key: PRNGKeyArray) -> LearnerState:
        of_play, of_update = jax.random.split(key)
        lanes, trajectory = play(
            self.world(), state.net, state.lanes, of_play, self.horizon, lambda k: self.levels(state, k)
        )
        net, remembered, report = ppo.improve(
            state.net, state.memory, trajectory, self.settings(state.time), of_update
        )  # fmt: skip
        return LearnerState(net, remembered, lanes, report, state.time + 1)


def mean_total(state: LearnerState) -> Float[Array, ""]:
    """Mean reward of the episode that ended last in each lane; not a number before the first end."""
    return jnp.nanmean(state.lanes.last_total)


def mean_length(state: LearnerState) -> Float[Array, ""]:
    """Mean steps of the episode that ended last in each lane; not a number before the first end."""
    lengths = jnp.where(state.lanes.ended > 0, state.lanes.last_length.astype(jnp.float32), jnp.nan)
    return jnp.nanmean(lengths)
