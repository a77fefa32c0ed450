"""A network in training, as a system: one gradient step is one step.

A subclass says what the network is, what it is shown, and what is asked of it (`network`, `batch`, `loss`) and what is
observed (`observe`); this class trains it. Seeds and conditions are axes of the engine's program as for any system, and
whatever should differ between conditions without a new compilation is an `el.param`: the learning rate, the strength of
a clamp, the time at which a gate closes.

Sites that every training has, for every array of the network under its dotted path:

    state.net.PATH   the weights as a step or an observation finds them: a clamp here is a clamp of the weights
    grad.PATH        the gradient, before the optimiser sees it
    update.PATH      what is added to the weights: `Ablate` freezes them, `Scale` slows them down, in any window
    rate             the learning rate

and all sites of the loss itself, which `site_grad` lets out of the gradient. `PATH` may be a glob pattern:
`el.Ablate("update.blocks.0.*", during=(0, 500))` is a first block that does not learn before step 500.
"""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from ._site import site, site_grad
from .system import System, param

__all__ = ["TrainState", "Training"]


class TrainState(eqx.Module):
    """What a training is at a step.

    Attributes:
        net: the network.
        memory: the optimiser's.
        given: what the seed keeps all along: its table of classes, its data set, its frozen parts.
        time: gradient steps made.
    """

    net: PyTree
    memory: optax.OptState
    given: PyTree
    time: Int[Array, ""]


class Training(System):
    """A network that learns, one batch a step. Subclasses define `network`, `batch`, `loss` and `observe`.

    Trained are the real-valued arrays of the network; others (integers, functions) stay as they are.
    """

    rate: float = param(1e-3, low=0.0, high=100.0, about="learning rate")

    @abc.abstractmethod
    def network(self, key: PRNGKeyArray) -> PyTree:
        """The network at time 0: any pytree, an Equinox module for instance."""

    @abc.abstractmethod
    def batch(self, key: PRNGKeyArray, given: PyTree) -> PyTree[Array]:
        """What the network is shown in one step."""

    @abc.abstractmethod
    def loss(self, net: PyTree, batch: PyTree[Array], key: PRNGKeyArray) -> Float[Array, ""]:
        """What the step makes smaller; `key` serves dropout and the like."""

    def given(self, key: PRNGKeyArray) -> PyTree[Array]:
        """What the seed keeps all along; nothing by default."""
        return None

    def rule(self) -> optax.GradientTransformation:
        """From gradients to directions, as optax has it, without learning rate and sign: Adam by default.

        With decoupled weight decay: `optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(0.1))`.
        """
        return optax.scale_by_adam()

    def pace(self, time: Int[Array, ""]) -> Float[Array, ""]:
        """The learning rate at a step; `rate`, constant, by default."""
        return jnp.asarray(self.rate)

    def init(self, key: PRNGKeyArray) -> TrainState:
        of_net, of_given = jax.random.split(key)
        net = self.network(of_net)
        memory = self.rule().init(eqx.filter(net, eqx.is_inexact_array))
        return TrainState(net, memory, self.given(of_given), jnp.int32(0))

    def step(self, state: TrainState, key: PRNGKeyArray) -> TrainState:
        of_batch, of_loss = jax.random.split(key)
        batch = self.batch(of_batch, state.given)
        weights, rest = eqx.partition(state.net, eqx.is_inexact_array)

        def loss(weights: PyTree) -> Float[Array, ""]:
            return self.loss(eqx.combine(weights, rest), batch, of_loss)

        gradient = announced("grad", site_grad(loss)(weights))
        direction, memory = self.rule().update(gradient, state.memory, weights)
        pace = site("rate", self.pace(state.time))
        update = announced("update", jax.tree.map(lambda d: (-pace * d).astype(d.dtype), direction))
        net = eqx.combine(optax.apply_updates(weights, update), rest)
        return TrainState(net, memory, state.given, state.time + 1)


def announced(prefix: str, tree: PyTree) -> PyTree:
    """The tree, with every array announced as a site `prefix.PATH`."""

    def one(path: Any, leaf: Any) -> Any:
        if not eqx.is_array(leaf):
            return leaf
        dotted = jax.tree_util.keystr(path, simple=True, separator=".")
        return site(f"{prefix}.{dotted}" if dotted else prefix, leaf)

    return jax.tree_util.tree_map_with_path(one, tree)
