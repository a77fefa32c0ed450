"""The system of the study `refresh-learning`: digits, two a phase, a memory, and a step that unlearns first."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.continual import streams as sm
from emergelab.continual.data import Labelled, load
from emergelab.continual.learning import ContinualLearning, Learning
from emergelab.continual.methods import Method, Naive, cross_entropy
from emergelab.continual.streams import Batch, Tasks
from emergelab.continual.unified import DIRECTIONS, Refreshed

__all__ = ["Refresh"]


class Refresh(ContinualLearning):
    """A network that learns two digits a phase with a small memory, and may unlearn a little before it learns."""

    memory: str = el.choice("yes", options=("yes", "no"), static=True, about="is there a memory (and refresh)")
    slots: int = el.static(50, low=1, high=100_000, about="examples in memory")
    again: int = el.static(32, low=1, high=65_536, about="remembered examples in a step, drawn twice")
    labels: float = el.param(1.0, low=0.0, high=100.0, about="strength of remembered labels (beta of DER++)")
    logits: float = el.param(0.2, low=0.0, high=100.0, about="strength of remembered logits (alpha of DER++)")
    decay: float = el.param(0.0, low=0.0, high=1.0, about="weight decay, of a step at rate 1")
    delta: float = el.param(0.0, low=0.0, high=1.0, unit="1", about="unlearning step, share of each array's length")
    gamma: float = el.param(0.0, low=0.0, high=100.0, about="unlearning step of the paper's equation")
    noise: float = el.param(0.001, low=0.0, high=100.0, about="noise of the step; 1 is the paper's equation")
    weighting: float = el.param(0.001, low=0.0, high=1e9, about="how much Fisher information shortens the step")
    direction: str = el.choice("ascent", options=DIRECTIONS, about="where the unlearning step goes")
    every: int = el.param(2, low=1, high=1_000_000, about="an unlearning step before every so many updates")

    observables: ClassVar[tuple[el.Observable, ...]] = (
        *ContinualLearning.observables,
        el.Observable("told", unit="1", about="accuracy if the task is told, mean over tasks met", low=0.0, high=1.0),
        el.Observable("step", unit="1", about="length of an unlearning step over that of all weights", low=0.0),
        el.Observable("step_loss", unit="nat", about="what that step adds to the loss of a batch"),
        el.Observable("update", unit="1", about="length of an update over that of all weights", low=0.0),
    )

    def data(self) -> Labelled:
        return load("digits")

    def tasks(self, key: PRNGKeyArray) -> Tasks:
        return sm.split(key, self.phases, self.data())

    def method(self) -> Method:
        if self.memory == "no":
            return Naive()
        return Refreshed(
            jnp.asarray(self.labels), jnp.asarray(self.logits), False, self.slots, self.again,
            jnp.asarray(self.delta), jnp.asarray(self.gamma), jnp.asarray(self.noise), jnp.asarray(self.weighting),
            direction=jnp.asarray(self.direction), every=jnp.asarray(self.every),
        )  # fmt: skip

    def rule(self) -> optax.GradientTransformation:
        return optax.chain(super().rule(), optax.add_decayed_weights(jnp.asarray(self.decay)))

    def observe(self, state: Learning, key: PRNGKeyArray) -> dict[str, Array]:
        out = super().observe(state, key)
        phase = self.phase(jnp.maximum(state.time - 1, 0))
        met = jnp.arange(state.tasks.count) <= phase
        return out | {"told": (self.of_two(state) * met).sum() / met.sum()} | self.stepped(state, key)

    def of_two(self, state: Learning) -> Array:
        """Accuracy on every task if only its own classes can be answered."""
        data, tasks = self.data(), state.tasks
        x, y = jnp.asarray(data.x_test), jnp.asarray(data.y_test)
        with el.scope("told"):
            out = state.net(x)
        best = jnp.where(tasks.member[:, None], out[None], -jnp.inf).argmax(axis=-1)
        asked = tasks.member[:, y]
        return ((best == y) & asked).sum(axis=1) / asked.sum(axis=1)

    def stepped(self, state: Learning, key: PRNGKeyArray) -> dict[str, Array]:
        """What an unlearning step and an update would be, on a fresh batch."""
        of_batch, of_step, of_loss = jax.random.split(key, 3)
        phase = self.phase(jnp.maximum(state.time - 1, 0))
        method, score = self.method(), self.score(state.tasks, phase)
        batch = sm.drawn(of_batch, state.tasks, self.schedule()[phase], self.data(), self.batch)
        kept: Any = state.kept
        if isinstance(method, Refreshed):  # as if it were time for one
            kept = eqx.tree_at(lambda k: k.time, kept, jnp.int32(0))
        weights, rest = eqx.partition(state.net, eqx.is_inexact_array)
        with el.scope("step"):
            moved = eqx.filter(method.before(state.net, kept, batch, score, of_step), eqx.is_inexact_array)
        difference = jax.tree.map(jnp.subtract, moved, weights)

        def loss(weights: PyTree) -> Array:
            with el.scope("update"):
                return method.loss(eqx.combine(weights, rest), kept, batch, score, of_loss)

        def own(weights: PyTree, name: str) -> Array:
            with el.scope(name):
                return cross_entropy(score(eqx.combine(weights, rest), Batch(batch.x, batch.y, batch.task)), batch)

        slope = el.site_grad(loss)(weights)
        size = _length(weights)
        return {
            "step": _length(difference) / size,
            "step_loss": own(moved, "after") - own(weights, "before"),
            "update": jnp.asarray(self.rate) * _length(slope) / size,
        }


def _length(tree: PyTree) -> Array:
    return jnp.sqrt(sum(jax.tree.leaves(jax.tree.map(lambda a: (a**2).sum(), tree))))
