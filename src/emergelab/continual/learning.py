"""A network on a stream, as a system: one step is one batch, a phase is so many steps.

A subclass says on what data, with which schedule and against forgetting by what (`tasks`, `schedule`, `method`).
Recorded at the end of every phase, the observable `accuracy` [task] is the accuracy matrix of the field.

Sites: `batch.x`, `h.I` (hidden layers) and `logits` of the network, `schedule` (the phase's row), `rate`, and as of
every training `grad.PATH` and `update.PATH`, and `state.net.PATH` for the weights.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from emergelab import site, site_grad, site_scan, when
from emergelab.observable import Observable
from emergelab.system import System, choice, param, static
from emergelab.training import announced

from . import streams
from .data import Labelled
from .methods import FAR, Method, Score
from .streams import Batch, Tasks

__all__ = ["ContinualLearning", "Learning", "Perceptron"]

HEADS = ("open", "seen", "task")


class Perceptron(eqx.Module):
    """Rectified layers and a linear readout. Sites: `h.I`, `logits`.

    Attributes:
        layers: from the features upwards.
    """

    layers: list[eqx.nn.Linear]

    def __init__(self, key: PRNGKeyArray, sizes: tuple[int, ...]):
        keys = jax.random.split(key, len(sizes) - 1)
        self.layers = [eqx.nn.Linear(i, o, key=k) for k, i, o in zip(keys, sizes[:-1], sizes[1:], strict=True)]

    def __call__(self, x: Float[Array, "batch feature"]) -> Float[Array, "batch class"]:
        for i, layer in enumerate(self.layers[:-1]):
            x = site(f"h.{i}", jax.nn.relu(x @ layer.weight.T + layer.bias))
        return site("logits", x @ self.layers[-1].weight.T + self.layers[-1].bias)


class Learning(eqx.Module):
    """Where a learner on a stream stands.

    Attributes:
        net: the network.
        memory: the optimiser's.
        kept: the method's.
        tasks: the stream's, drawn once for a seed.
        time: steps made.
    """

    net: PyTree
    memory: optax.OptState
    kept: PyTree
    tasks: Tasks
    time: Int[Array, ""]


class ContinualLearning(System):
    """A network that learns from a stream of tasks."""

    phases: int = static(5, low=1, high=1000, about="phases of the stream, and tasks")
    per_phase: int = static(100, low=1, high=10_000_000, about="steps in a phase")
    batch: int = static(32, low=1, high=65_536, about="examples in a step")
    hidden: int = static(100, low=1, high=65_536, about="units of each of two hidden layers")
    sample: int = static(200, low=1, high=1_000_000, about="examples that a method sees again at the end of a phase")
    head: str = choice(
        "open", options=HEADS, static=True,
        about="classes that can be answered: all, those of phases so far, or those of the task, which is told",
    )  # fmt: skip
    optimiser: str = choice("sgd", options=("sgd", "adam"), static=True, about="from gradients to updates")
    rate: float = param(0.1, low=0.0, high=100.0, about="learning rate")

    observables: ClassVar[tuple[Observable, ...]] = (
        Observable("accuracy", ("task",), unit="1", about="of every task, met or not", low=0.0, high=1.0),
        Observable("average", unit="1", about="accuracy, mean over tasks met", low=0.0, high=1.0),
        Observable("current", unit="1", about="accuracy on the last phase's own task", low=0.0, high=1.0),
        Observable("loss", unit="nat", about="cross-entropy, mean over tasks met", low=0.0),
    )

    # -- the stream ------------------------------------------------------------------------------------------------

    @abc.abstractmethod
    def data(self) -> Labelled:
        """The examples."""

    @abc.abstractmethod
    def tasks(self, key: PRNGKeyArray) -> Tasks:
        """The tasks of a seed, as many as phases."""

    @abc.abstractmethod
    def method(self) -> Method:
        """What is done against forgetting."""

    def schedule(self) -> Float[Array, "phase task"]:
        """Of every phase the shares of tasks; blocks by default."""
        return streams.blocked(self.phases)

    def altered(self, batch: Batch, phase: Int[Array, ""], key: PRNGKeyArray) -> Batch:
        """Examples as the learner gets them, for noise in labels and the like; unaltered by default."""
        return batch

    # -- learning --------------------------------------------------------------------------------------------------

    def network(self, key: PRNGKeyArray) -> PyTree:
        """The network at time 0."""
        data = self.data()
        return Perceptron(key, (data.features, self.hidden, self.hidden, data.classes))

    def rule(self) -> optax.GradientTransformation:
        """From gradients to directions, without learning rate and sign."""
        return optax.scale_by_adam() if self.optimiser == "adam" else optax.identity()

    def init(self, key: PRNGKeyArray) -> Learning:
        of_net, of_tasks = jax.random.split(key)
        net, data = self.network(of_net), self.data()
        memory = self.rule().init(eqx.filter(net, eqx.is_inexact_array))
        kept = self.method().begin(net, data.features, data.classes)
        return Learning(net, memory, kept, self.tasks(of_tasks), jnp.int32(0))

    def score(self, tasks: Tasks, phase: Int[Array, ""]) -> Score:
        """Logits with classes that cannot be answered put out of the question."""
        met = (jnp.arange(tasks.count) <= phase)[:, None]
        seen: Bool[Array, "class"] = (tasks.member & met).any(axis=0)

        def logits(net: PyTree, batch: Batch) -> Float[Array, "batch class"]:
            out = net(batch.x)
            if self.head == "open":
                return out
            return jnp.where(seen if self.head == "seen" else tasks.member[batch.task], out, -FAR)

        return logits

    def phase(self, time: Int[Array, ""]) -> Int[Array, ""]:
        """The phase in which step `time` lies; the last one for ever after."""
        return jnp.minimum(time // self.per_phase, self.phases - 1)

    def step(self, state: Learning, key: PRNGKeyArray) -> Learning:
        of_batch, of_loss, of_direct, of_after, of_end, of_altered, of_before = jax.random.split(key, 7)
        phase = self.phase(state.time)
        row = site("schedule", self.schedule()[phase])
        method, score = self.method(), self.score(state.tasks, phase)
        met = streams.drawn(of_batch, state.tasks, row, self.data(), self.batch)
        met = self.altered(Batch(site("batch.x", met.x), met.y, met.task), phase, of_altered)
        begun = method.before(state.net, state.kept, met, score, of_before)
        weights, rest = eqx.partition(begun, eqx.is_inexact_array)

        def loss(weights: PyTree) -> Float[Array, ""]:
            return method.loss(eqx.combine(weights, rest), state.kept, met, score, of_loss)

        raw = site_grad(loss)(weights)
        gradient = announced("grad", method.direct(raw, begun, state.kept, score, of_direct))
        direction, memory = self.rule().update(gradient, state.memory, weights)
        rate = site("rate", jnp.asarray(self.rate))
        update = announced("update", jax.tree.map(lambda d: (-rate * d).astype(d.dtype), direction))
        net = eqx.combine(optax.apply_updates(weights, update), rest)
        kept = method.after(begun, net, raw, state.kept, met, score, of_after)

        def ended(net: PyTree, kept: Any, key: PRNGKeyArray) -> Any:
            of_sample, of_method = jax.random.split(key)
            sample = streams.drawn(of_sample, state.tasks, row, self.data(), self.sample)
            return method.end(net, kept, sample, score, of_method)

        time = state.time + 1
        if type(method).end is not Method.end:
            kept = when(time % self.per_phase == 0, ended, (net, kept, of_end), kept)
        return Learning(net, memory, kept, state.tasks, time)

    # -- examination -----------------------------------------------------------------------------------------------

    def examined(self, state: Learning) -> tuple[Float[Array, "task"], Float[Array, "task"]]:
        """Accuracy and cross-entropy on all probes of every task."""
        data, tasks = self.data(), state.tasks
        x, y = jnp.asarray(data.x_test), jnp.asarray(data.y_test)
        score = self.score(tasks, self.phase(jnp.maximum(state.time - 1, 0)))

        def one(none: None, task: Int[Array, ""]) -> tuple[None, tuple[Float[Array, ""], Float[Array, ""]]]:
            probes = Batch(streams.shown(tasks, task, x), y, jnp.full(y.shape, task))
            logits, asked = score(state.net, probes), tasks.member[task][y]
            right = (logits.argmax(axis=1) == y) & asked
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, y)
            return none, (right.sum() / asked.sum(), jnp.where(asked, loss, 0.0).sum() / asked.sum())

        return site_scan(one, None, jnp.arange(tasks.count, dtype=jnp.int32))[1]

    def observe(self, state: Learning, key: PRNGKeyArray) -> dict[str, Array]:
        accuracy, loss = self.examined(state)
        phase = self.phase(jnp.maximum(state.time - 1, 0))
        met = jnp.arange(state.tasks.count) <= phase
        return {
            "accuracy": accuracy,
            "average": (accuracy * met).sum() / met.sum(),
            "current": accuracy[phase],
            "loss": jnp.where(met, loss, 0.0).sum() / met.sum(),
        }
