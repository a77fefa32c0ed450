"""The system of the study `power-law-rehearsal`: permuted digits, and worlds that revisit old tasks by a law of age."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.continual import streams as sm
from emergelab.continual.data import Labelled, load
from emergelab.continual.learning import ContinualLearning, Learning
from emergelab.continual.methods import EWC, Method, Naive, Replay
from emergelab.continual.streams import Batch, Tasks

__all__ = ["METHODS", "WORLDS", "Rehearsal"]

WORLDS = ("blocks", "joint", "uniform", "power", "index", "exponential", "recent", "oldest", "blurred")
METHODS = ("none", "ewc", "replay")


class Rehearsal(ContinualLearning):
    """A network that learns one permutation of pixels after another, in a world that may come back to old ones."""

    against: str = el.choice("none", options=METHODS, static=True, about="method against forgetting")
    slots: int = el.static(200, low=1, high=100_000, about="examples in memory, where the method is replay")
    world: str = el.choice("blocks", options=WORLDS, about="law by which earlier tasks come back")
    share: float = el.param(0.1, low=0.0, high=1.0, unit="1", about="examples of a phase that are of earlier tasks")
    exponent: float = el.param(1.0, low=0.0, high=20.0, about="power of age, where need is a power of it")
    span: float = el.param(1.0, low=0.01, high=1000.0, about="phases in which need falls to 1/e; width of a blur")
    garbled: float = el.param(0.0, low=0.0, high=1.0, unit="1", about="earlier tasks' examples with a random label")
    strength: float = el.param(100.0, low=0.0, high=1e9, about="of the penalty, where the method is EWC")

    observables: ClassVar[tuple[el.Observable, ...]] = (
        *ContinualLearning.observables,
        el.Observable("needed", unit="1", about="accuracy on what the world shows in this phase", low=0.0, high=1.0),
    )

    def data(self) -> Labelled:
        return load("digits")

    def tasks(self, key: PRNGKeyArray) -> Tasks:
        return sm.permuted(key, self.phases, self.data())

    def method(self) -> Method:
        if self.against == "ewc":
            return EWC(jnp.asarray(self.strength))
        return Replay(slots=self.slots, count=self.batch) if self.against == "replay" else Naive()

    def schedule(self) -> Float[Array, "phase task"]:
        n, share = self.phases, jnp.asarray(self.share)
        exponent, span = jnp.asarray(self.exponent), jnp.asarray(self.span)
        needs = (
            sm.uniform(n), sm.power(n, exponent), sm.by_index(n), sm.exponential(n, span), sm.most_recent(n),
            sm.oldest_most(n, exponent),
        )  # fmt: skip
        worlds = (sm.blocked(n), sm.joint(n), *(sm.mixed(need, share) for need in needs), sm.blurred(n, span))
        return jnp.stack(worlds)[jnp.asarray(self.world)]

    def altered(self, batch: Batch, phase: Int[Array, ""], key: PRNGKeyArray) -> Batch:
        of_which, of_label = jax.random.split(key)
        hit = jax.random.bernoulli(of_which, self.garbled, batch.y.shape) & (batch.task != phase)
        label = jax.random.randint(of_label, batch.y.shape, 0, self.data().classes)
        return Batch(batch.x, jnp.where(hit, label, batch.y).astype(jnp.int32), batch.task)

    def observe(self, state: Learning, key: PRNGKeyArray) -> dict[str, Array]:
        out = super().observe(state, key)
        row = self.schedule()[self.phase(jnp.maximum(state.time - 1, 0))]
        return out | {"needed": (row * out["accuracy"]).sum()}
