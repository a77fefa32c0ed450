"""One objective of which many methods are points, and a step that unlearns before it learns (Wang et al. 2024).

    loss = cross-entropy(batch)
         + outputs * distance(what the network says, what it should)
         + weights / 2 * sum of importance (w - w before)^2

What the network should say is a remembered label (experience replay), remembered logits (DER), or what the last phase's
network says of the present batch (learning without forgetting); the distance is a Kullback-Leibler divergence or a
squared one, both Bregman divergences. `Unified` is that objective by names; tests hold it to the methods of
`emergelab.continual.methods`.

**Refresh**: before every second update the weights are moved so as to raise the loss of the batch a little. `Refreshed`
does so on top of a memory, in two forms that the same work gives. The released code moves every array along the
gradient by a share `delta` of the array's own length; the paper's equation is a step of Langevin dynamics upwards with
the inverse Fisher information as a metric.
"""

from __future__ import annotations

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from emergelab import scope, site, site_grad

from .memory import Reservoir
from .methods import Anchored, Method, Number, Replay, Score, cross_entropy, fisher
from .streams import Batch

__all__ = ["DIRECTIONS", "Refreshed", "Unified"]


class Remembered(eqx.Module):
    """All that the objective may look back to: examples, the last phase's network, a penalty on weights."""

    memory: Reservoir
    last: PyTree
    ended: Float[Array, ""]
    anchored: Anchored


class Unified(Method):
    """The objective by names.

    Attributes:
        outputs: strength of the term on outputs.
        weights: strength of the term on weights.
        target: what outputs are compared with: "label" and "logits" as remembered, on remembered examples; "last",
            what the last phase's network says, on the present ones.
        distance: "kl", from the target's distribution, at `temperature`, up to the target's own entropy; "squared",
            mean over logits.
        temperature: by which logits are divided for "kl".
        slots, count: size of the memory, and examples drawn from it at a time.
    """

    outputs: Number = 1.0
    weights: Number = 0.0
    target: Literal["label", "logits", "last"] = eqx.field(static=True, default="label")
    distance: Literal["kl", "squared"] = eqx.field(static=True, default="kl")
    temperature: float = eqx.field(static=True, default=1.0)
    slots: int = eqx.field(static=True, default=200)
    count: int = eqx.field(static=True, default=32)

    def begin(self, net: PyTree, features: int, classes: int) -> Remembered:
        last = eqx.filter(net, eqx.is_inexact_array)
        return Remembered(
            Reservoir.empty(self.slots, features, classes), last, jnp.float32(0.0), Anchored.none(net)
        )

    def loss(self, net: PyTree, state: Remembered, batch: Batch, score: Score, key: PRNGKeyArray) -> Float[Array, ""]:
        said = score(net, batch)
        total = cross_entropy(said, batch) + self.weights * state.anchored.value(net)
        if self.target == "last":
            with scope("teacher"):
                wanted = score(eqx.combine(jax.lax.stop_gradient(state.last), net), batch)
            there = state.ended
        else:
            again, stored, there = state.memory.drawn(key, self.count)
            with scope("again"):
                said = score(net, again)
            certain = jnp.log(jax.nn.one_hot(again.y, said.shape[-1]) + 1e-30)
            wanted = stored if self.target == "logits" else certain
        return total + self.outputs * there * self._apart(said, wanted)

    def _apart(self, said: Float[Array, "batch class"], wanted: Float[Array, "batch class"]) -> Float[Array, ""]:
        if self.distance == "squared":
            return jnp.square(said - wanted).mean()
        p = jax.nn.softmax(wanted / self.temperature)
        return -(p * jax.nn.log_softmax(said / self.temperature)).sum(axis=-1).mean()

    def after(
        self, before: PyTree, net: PyTree, gradient: PyTree, state: Remembered, batch: Batch, score: Score,
        key: PRNGKeyArray,
    ) -> Remembered:  # fmt: skip
        with scope("keeping"):
            memory = state.memory.after(batch, jax.lax.stop_gradient(score(before, batch)), key)
        return Remembered(memory, state.last, state.ended, state.anchored)

    def end(self, net: PyTree, state: Remembered, sample: Batch, score: Score, key: PRNGKeyArray) -> Remembered:
        anchored = state.anchored.plus(fisher(net, sample, score, key), net)
        return Remembered(state.memory, eqx.filter(net, eqx.is_inexact_array), jnp.float32(1.0), anchored)


# -- refresh -----------------------------------------------------------------------------------------------------------

DIRECTIONS = ("ascent", "descent", "random", "memory")
"""Where unlearning goes: up or down the batch's loss, anywhere, or up the loss of remembered examples."""


class Unlearning(eqx.Module):
    """A memory, the Fisher information so far, and updates made."""

    memory: Reservoir
    fisher: PyTree
    time: Int[Array, ""]


class Refreshed(Replay):
    """A memory, and a small step that raises the loss before an update lowers it.

    Attributes:
        delta: length of the step as a share of each array's own (released form); 0 is no step.
        gamma: step size (paper's form); 0 is no step.
        noise: standard deviation of noise beside the released step; in the paper's form a factor of the Langevin noise,
            1 being the equation.
        weighting: how much Fisher information shortens the released step: 1 / (1 + weighting * F).
        damping: added to Fisher information before it is inverted (paper's form).
        keep: share of earlier Fisher information that is kept at the end of a phase.
        direction: place in `DIRECTIONS`; may be traced.
        every: an unlearning step before every so many updates; may be traced.
    """

    delta: Number = 0.0
    gamma: Number = 0.0
    noise: Number = 0.001
    weighting: Number = 0.001
    damping: Number = 1.0
    keep: Number = 1e-5
    direction: Int[Array, ""] | int = 0
    every: Int[Array, ""] | int = 2

    def begin(self, net: PyTree, features: int, classes: int) -> Any:
        zero = jax.tree.map(jnp.zeros_like, eqx.filter(net, eqx.is_inexact_array))
        return Unlearning(Reservoir.empty(self.slots, features, classes), zero, jnp.int32(0))

    def loss(self, net: PyTree, state: Any, batch: Batch, score: Score, key: PRNGKeyArray) -> Float[Array, ""]:
        return super().loss(net, state.memory, batch, score, key)

    def before(self, net: PyTree, state: Any, batch: Batch, score: Score, key: PRNGKeyArray) -> PyTree:
        of_random, of_memory, of_noise = jax.random.split(key, 3)
        weights, rest = eqx.partition(net, eqx.is_inexact_array)

        def slope(batch: Batch) -> PyTree:
            return site_grad(lambda w: cross_entropy(score(eqx.combine(w, rest), batch), batch))(weights)

        again, _, any_kept = state.memory.drawn(of_memory, batch.y.shape[0])
        with scope("unlearnt"):
            up = slope(batch)
        with scope("unlearnt-memory"):
            old = jax.tree.map(lambda g: g * any_kept, slope(again))
        anywhere = _normal(of_random, weights)
        where = jnp.asarray(self.direction)
        chosen = jax.tree.map(lambda a, r, m: jnp.stack([a, -a, r, m])[where], up, anywhere, old)
        sounds = _normal(of_noise, weights)

        def moved(w: Array, u: Array, f: Array, n: Array) -> Array:
            length = jnp.sqrt((w**2).sum()) / jnp.maximum(jnp.sqrt((u**2).sum()), 1e-12)
            released = self.delta / (1.0 + self.weighting * f) * (length * u + self.noise * n)
            metric = 1.0 / (f + self.damping)
            paper = self.gamma * metric * u + jnp.sqrt(2.0 * self.gamma * metric) * self.noise * n
            return released + paper

        step = jax.tree.map(moved, weights, chosen, state.fisher, sounds)
        now = site("refresh", (state.time % jnp.asarray(self.every) == 0).astype(jnp.float32))
        return eqx.combine(jax.tree.map(lambda w, s: w + now * s, weights, step), rest)

    def after(
        self, before: PyTree, net: PyTree, gradient: PyTree, state: Any, batch: Batch, score: Score, key: PRNGKeyArray
    ) -> Any:
        memory = super().after(before, net, gradient, state.memory, batch, score, key)
        return Unlearning(memory, state.fisher, state.time + 1)

    def end(self, net: PyTree, state: Any, sample: Batch, score: Score, key: PRNGKeyArray) -> Any:
        new = jax.tree.map(lambda a, b: self.keep * a + b, state.fisher, fisher(net, sample, score, key))
        return Unlearning(state.memory, new, state.time)


def _normal(key: PRNGKeyArray, like: PyTree) -> PyTree:
    leaves, shape = jax.tree.flatten(like)
    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(shape, [jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)])
