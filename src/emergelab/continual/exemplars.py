"""Methods whose memory is laid out by class or by task; two of them answer in a way of their own.

    GDumb(...)   a greedy memory with as many examples of each class as of any other; what is examined is a new network,
                 trained on that memory alone (Prabhu et al. 2020)
    ICaRL(...)   exemplars of every class by herding, distillation, and answers by the nearest class mean of features
                 (Rebuffi et al. 2017)
    GEM(...)     a memory of every task; an update may not raise the loss of any (Lopez-Paz and Ranzato 2017)

Who answers in an examination is a method's `speaker`: the network itself, unless the method says otherwise. A stream
on which that counts is a `Spoken` in place of a `ContinualLearning`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from emergelab import scope, site_grad, site_scan, site_vmap

from .learning import ContinualLearning, Learning, Perceptron
from .methods import FAR, Method, Number, Score, cross_entropy
from .streams import Batch

__all__ = ["GEM", "Answering", "Balanced", "Exemplars", "GDumb", "ICaRL", "NearestMean", "Spoken", "dual", "herded"]


class Answering(Method):
    """A method that says who answers in an examination."""

    def speaker(self, net: PyTree, state: Any, score: Score) -> PyTree:
        """What answers: anything that gives logits [batch, class] for features [batch, feature]."""
        return net


class Spoken(ContinualLearning):
    """A network on a stream; in an examination its method's speaker answers."""

    def answering(self, state: Learning) -> Learning:
        """The state with the speaker in the network's place: to be looked at, not to be gone on from."""
        method = self.method()
        if not isinstance(method, Answering):
            return state
        score = self.score(state.tasks, self.phase(jnp.maximum(state.time - 1, 0)))
        net = method.speaker(state.net, state.kept, score)
        return Learning(net, state.memory, state.kept, state.tasks, state.time)

    def examined(self, state: Learning) -> tuple[Float[Array, "task"], Float[Array, "task"]]:
        return super().examined(self.answering(state))


# -- a balanced memory, and a network that knows nothing else ----------------------------------------------------------


class Balanced(eqx.Module):
    """Examples kept greedily so that all classes met have equal shares (Prabhu et al. 2020, algorithm 1).

    Attributes:
        kept: examples, a slot each.
        filled: which slots hold one.
        seen: which classes came by.
    """

    kept: Batch
    filled: Bool[Array, "slot"]
    seen: Bool[Array, "class"]

    @staticmethod
    def empty(slots: int, features: int, classes: int) -> Balanced:
        """A memory that has met nothing."""
        none = jnp.zeros(slots, jnp.int32)
        return Balanced(
            Batch(jnp.zeros((slots, features)), none, none), jnp.zeros(slots, bool), jnp.zeros(classes, bool)
        )

    @property
    def counts(self) -> Int[Array, "class"]:
        """Examples kept of each class."""
        return jnp.zeros(self.seen.shape, jnp.int32).at[self.kept.y].add(self.filled)

    def after(self, batch: Batch, key: PRNGKeyArray) -> Balanced:
        """The memory once these came by, one after the other.

        An example is kept if its class is new or has less than its share; a full memory lets go of one of the largest
        class, whichever.
        """
        slots = self.filled.shape[0]

        def one(memory: Balanced, now: tuple[Batch, PRNGKeyArray]) -> tuple[Balanced, None]:
            example, key = now
            counts, known = memory.counts, memory.seen[example.y]
            take = ~known | (counts[example.y] * memory.seen.sum() < slots)
            of_largest = memory.filled & (memory.kept.y == counts.argmax())
            leaves = jnp.where(of_largest, jax.random.uniform(key, (slots,)), -1.0).argmax()
            slot = jnp.where(memory.filled.all(), leaves, memory.filled.argmin())
            slot = jnp.where(take, slot, slots)
            kept = jax.tree.map(lambda old, new: old.at[slot].set(new, mode="drop"), memory.kept, example)
            filled = memory.filled.at[slot].set(True, mode="drop")
            return Balanced(kept, filled, memory.seen.at[example.y].set(True)), None

        return jax.lax.scan(one, self, (batch, jax.random.split(key, batch.y.shape[0])))[0]

    def drawn(self, key: PRNGKeyArray, count: int) -> tuple[Batch, Float[Array, ""]]:
        """Examples from memory with equal chance, with replacement; 1, or 0 if the memory is empty."""
        chance = jnp.where(self.filled, 0.0, -FAR)
        at = jax.random.categorical(key, chance, shape=(count,))
        return jax.tree.map(lambda a: a[at], self.kept), self.filled.any().astype(jnp.float32)


class Dumb(eqx.Module):
    """A balanced memory, and the weights that every new network starts from: those of time 0."""

    memory: Balanced
    start: PyTree


class GDumb(Answering):
    """Greedy sampler and dumb learner: nothing is learnt on the stream, all of it from the memory when examined.

    The paper trains for 256 epochs with random crops mixed in. Here it is a fixed number of updates by plain gradient
    descent, few enough to be part of an examination.

    Attributes:
        rate: learning rate of the first update.
        last: learning rate of the last update as a share of `rate`; between them it falls by half a cosine.
        slots: size of the memory.
        count: examples in an update.
        updates: how many.
    """

    rate: Number = 0.05
    last: Number = 0.01
    slots: int = eqx.field(static=True, default=200)
    count: int = eqx.field(static=True, default=16)
    updates: int = eqx.field(static=True, default=200)

    def begin(self, net: PyTree, features: int, classes: int) -> Dumb:
        return Dumb(Balanced.empty(self.slots, features, classes), eqx.filter(net, eqx.is_inexact_array))

    def loss(self, net: PyTree, state: Dumb, batch: Batch, score: Score, key: PRNGKeyArray) -> Float[Array, ""]:
        return jnp.float32(0.0)

    def after(
        self, before: PyTree, net: PyTree, gradient: PyTree, state: Dumb, batch: Batch, score: Score, key: PRNGKeyArray
    ) -> Dumb:
        return Dumb(state.memory.after(batch, key), state.start)

    def speaker(self, net: PyTree, state: Dumb, score: Score) -> PyTree:
        """A network from the weights of time 0, trained on the memory."""
        rest = eqx.filter(net, eqx.is_inexact_array, inverse=True)

        def update(weights: PyTree, now: Int[Array, ""]) -> tuple[PyTree, None]:
            # which slots are drawn need not differ between seeds: what lies in them does
            again, any_kept = state.memory.drawn(jax.random.fold_in(jax.random.key(0), now), self.count)
            with scope("again"):
                slope = site_grad(lambda w: cross_entropy(score(eqx.combine(w, rest), again), again))(weights)
            fall = 0.5 * (1.0 + jnp.cos(jnp.pi * now / max(self.updates - 1, 1)))
            rate = any_kept * self.rate * (self.last + (1.0 - self.last) * fall)
            return jax.tree.map(lambda w, s: w - rate * s, weights, slope), None

        return eqx.combine(site_scan(update, state.start, jnp.arange(self.updates))[0], rest)


# -- exemplars by herding ----------------------------------------------------------------------------------------------


def herded(
    features: Float[Array, "item unit"], wanted: Bool[Array, "item"], count: int
) -> tuple[Int[Array, "count"], Bool[Array, "count"]]:
    """Items whose running mean stays as near as can be to the mean of all that are wanted (Welling 2009).

    Args:
        features: of every item.
        wanted: which may be chosen.
        count: how many are.

    Returns:
        their places, best first, and which of them are there: fewer, if fewer are wanted.
    """
    total = wanted.sum()
    # |mean - (sum + f) / k|^2 but for what all items share. By inner products: with arrays of items x units the
    # compiled program crashed (jaxlib 0.10, CPU) where classes, settings, streams and conditions ran side by side.
    inner = features @ features.T
    along = (wanted.astype(features.dtype) @ inner) / jnp.maximum(total, 1)

    def choose(taken: Array, k: Int[Array, ""]) -> tuple[Array, Int[Array, ""]]:
        off = (2.0 * (taken @ inner) + jnp.diagonal(inner)) / (k + 1) ** 2 - 2.0 * along / (k + 1)
        best = jnp.where(wanted & (taken == 0), off, jnp.inf).argmin()
        return taken + (jnp.arange(taken.shape[0]) == best), best

    _, order = jax.lax.scan(choose, jnp.zeros(features.shape[0]), jnp.arange(count))
    return order.astype(jnp.int32), jnp.arange(count) < total


def _unit_length(features: Float[Array, "... unit"]) -> Float[Array, "... unit"]:
    return features / jnp.sqrt(jnp.square(features).sum(axis=-1, keepdims=True) + 1e-12)


def last_hidden(net: Perceptron, x: Float[Array, "batch feature"]) -> Float[Array, "batch unit"]:
    """What the readout of a perceptron reads, at length one."""
    for layer in net.layers[:-1]:
        x = jax.nn.relu(x @ layer.weight.T + layer.bias)
    return _unit_length(x)


class NearestMean(eqx.Module):
    """Answers with the class whose mean is nearest: logits are minus squared distances.

    Attributes:
        net: the network.
        means: of features, of length one.
        there: which classes have one.
        features: from network and input to features of length one.
    """

    net: PyTree
    means: Float[Array, "class unit"]
    there: Bool[Array, "class"]
    features: Callable[..., Array] = eqx.field(static=True)

    def __call__(self, x: Float[Array, "batch feature"]) -> Float[Array, "batch class"]:
        own = self.features(self.net, x)
        off = jnp.square(own[:, None, :] - self.means[None]).sum(axis=-1)
        return jnp.where(self.there, -off, -FAR)


class Exemplars(eqx.Module):
    """Exemplars of each class, and the network of the last phase.

    Attributes:
        x: exemplars.
        count: how many a class has.
        last: the weights at the end of the last phase.
    """

    x: Float[Array, "class exemplar feature"]
    count: Int[Array, "class"]
    last: PyTree

    def drawn(self, key: PRNGKeyArray, count: int) -> tuple[Batch, Float[Array, ""]]:
        """Exemplars, evenly among classes that have any; 1, or 0 if there are none."""
        of_class, of_one = jax.random.split(key)
        y = jax.random.categorical(of_class, jnp.where(self.count > 0, 0.0, -FAR), shape=(count,))
        which = jax.random.randint(of_one, (count,), 0, jnp.maximum(self.count[y], 1))
        y = y.astype(jnp.int32)
        x = self.x.reshape(-1, self.x.shape[-1])[y * self.x.shape[1] + which]
        return Batch(x, y, jnp.zeros_like(y)), (self.count > 0).any().astype(jnp.float32)


class ICaRL(Answering):
    """Incremental classifier and representation learning.

    Every output is a yes or no of its own. For classes of earlier phases the answer wanted is the last phase's
    network's, for others the label; on the batch and on as many exemplars as `count`. The paper shrinks the sets of
    exemplars as classes come; here each class has `each` from the start, chosen out of the examples that a method sees
    at the end of a phase.

    Attributes:
        strength: of the terms of earlier classes; 1 is the paper.
        each: exemplars of a class.
        count: exemplars in an update.
        features: from network and input to features of length one.
    """

    strength: Number = 1.0
    each: int = eqx.field(static=True, default=20)
    count: int = eqx.field(static=True, default=32)
    features: Callable[..., Array] = eqx.field(static=True, default=last_hidden)

    def begin(self, net: PyTree, features: int, classes: int) -> Exemplars:
        none = jnp.zeros((classes, self.each, features))
        return Exemplars(none, jnp.zeros(classes, jnp.int32), eqx.filter(net, eqx.is_inexact_array))

    def loss(self, net: PyTree, state: Exemplars, batch: Batch, score: Score, key: PRNGKeyArray) -> Float[Array, ""]:
        again, any_kept = state.drawn(key, self.count)
        both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), batch, again)
        weight = jnp.concatenate([jnp.ones(batch.y.shape), jnp.full(again.y.shape, any_kept)])
        logits, earlier = score(net, both), state.count > 0
        with scope("teacher"):
            taught = jax.nn.sigmoid(score(eqx.combine(jax.lax.stop_gradient(state.last), net), both))
        wanted = jnp.where(earlier, taught, jax.nn.one_hot(both.y, logits.shape[-1]))
        each = optax.sigmoid_binary_cross_entropy(logits, wanted) * jnp.where(earlier, self.strength, 1.0)
        return (weight * each.sum(axis=1)).sum() / weight.sum()

    def end(self, net: PyTree, state: Exemplars, sample: Batch, score: Score, key: PRNGKeyArray) -> Exemplars:
        features = self.features(net, sample.x)
        of_class = sample.y == jnp.arange(state.count.shape[0])[:, None]
        order, there = jax.vmap(lambda wanted: herded(features, wanted, self.each))(of_class)
        met = of_class.any(axis=1)
        chosen = jax.nn.one_hot(order, sample.y.shape[0]) @ sample.x
        x = jnp.where(met[:, None, None], chosen, state.x)
        count = jnp.where(met, there.sum(axis=1), state.count).astype(jnp.int32)
        return Exemplars(x, count, eqx.filter(net, eqx.is_inexact_array))

    def speaker(self, net: PyTree, state: Exemplars, score: Score) -> NearestMean:
        """The network with nearest class means for its readout."""
        classes, each, size = state.x.shape
        features = self.features(net, state.x.reshape(-1, size)).reshape(classes, each, -1)
        used = jnp.arange(each) < state.count[:, None]
        means = (features * used[..., None]).sum(axis=1) / jnp.maximum(state.count, 1)[:, None]
        return NearestMean(net, _unit_length(means), state.count > 0, self.features)


# -- gradients that raise no task's loss -------------------------------------------------------------------------------


def dual(
    gram: Float[Array, "task task"], along: Float[Array, "task"], counts: Bool[Array, "task"], margin: Number = 0.0,
    sweeps: int = 50,
) -> Float[Array, "task"]:  # fmt: skip
    """The v >= margin that makes v' gram v / 2 + v' along least; 0 where a task does not count.

    Projected gradient descent, one coordinate after the other with its exact step (Hildreth 1957): with one task it is
    exact after one sweep.

    Args:
        gram: inner products of the tasks' gradients.
        along: inner products of those with the gradient that is to be turned.
        counts: which tasks have a say.
        margin: least value of a multiplier of a task that counts.
        sweeps: rounds over all coordinates.
    """
    size = jnp.diagonal(gram)
    usable = counts & (size > 1e-12)

    def sweep(_: Int[Array, ""], v: Array) -> Array:
        for k in range(v.shape[0]):
            best = jnp.maximum(v[k] - (gram[k] @ v + along[k]) / jnp.where(usable[k], size[k], 1.0), margin)
            v = v.at[k].set(jnp.where(usable[k], best, 0.0))
        return v

    return jax.lax.fori_loop(0, sweeps, sweep, jnp.zeros_like(along))


class ByTask(eqx.Module):
    """The last examples of each task.

    Attributes:
        kept: examples [task, slot].
        met: how many of each task came by.
        closed: tasks of phases that ended.
    """

    kept: Batch
    met: Int[Array, "task"]
    closed: Bool[Array, "task"]


class GEM(Method):
    """Gradient episodic memory: of all gradients that raise no earlier task's loss, the one nearest to the batch's.

    It has to know which example is of which task.

    Attributes:
        margin: least multiplier of an earlier task's gradient ("memory strength"); 0 is the plain projection.
        tasks: how many there will be.
        each: examples kept of each task, the last ones met.
        sweeps: rounds of the dual problem.
    """

    margin: Number = 0.0
    tasks: int = eqx.field(static=True, default=5)
    each: int = eqx.field(static=True, default=40)
    sweeps: int = eqx.field(static=True, default=20)

    def begin(self, net: PyTree, features: int, classes: int) -> ByTask:
        none = jnp.zeros(self.tasks * self.each, jnp.int32)
        flat = Batch(jnp.zeros((self.tasks * self.each, features)), none, none)
        kept = jax.tree.map(lambda a: a.reshape(self.tasks, self.each, *a.shape[1:]), flat)
        return ByTask(kept, jnp.zeros(self.tasks, jnp.int32), jnp.zeros(self.tasks, bool))

    def guides(self, net: PyTree, state: ByTask, score: Score) -> PyTree:
        """Gradient of each task's loss on its memory, stacked; 0 where nothing is kept."""
        weights, rest = eqx.partition(net, eqx.is_inexact_array)

        def of_task(kept: Batch, met: Int[Array, ""]) -> PyTree:
            there = jnp.arange(self.each) < met

            def loss(weights: PyTree) -> Float[Array, ""]:
                each = optax.softmax_cross_entropy_with_integer_labels(score(eqx.combine(weights, rest), kept), kept.y)
                return jnp.where(there, each, 0.0).sum() / jnp.maximum(there.sum(), 1)

            return site_grad(loss)(weights)

        with scope("guide"):
            return site_vmap(of_task)(state.kept, state.met)

    def direct(self, gradient: PyTree, net: PyTree, state: ByTask, score: Score, key: PRNGKeyArray) -> PyTree:
        flat, back = ravel_pytree(gradient)
        guides = jax.vmap(lambda g: ravel_pytree(g)[0])(self.guides(net, state, score))
        v = dual(guides @ guides.T, guides @ flat, state.closed, self.margin, self.sweeps)
        return back(flat + v @ guides)

    def after(
        self, before: PyTree, net: PyTree, gradient: PyTree, state: ByTask, batch: Batch, score: Score,
        key: PRNGKeyArray,
    ) -> ByTask:  # fmt: skip
        own = (batch.task[:, None] == jnp.arange(self.tasks)).astype(jnp.int32)
        number = (own.cumsum(axis=0) * own).sum(axis=1) - 1
        came = own.sum(axis=0)
        # of several that would take a slot in turn only the last is written
        stays = number >= came[batch.task] - self.each
        slot = jnp.where(stays, (state.met[batch.task] + number) % self.each, self.each)
        kept = jax.tree.map(lambda old, new: old.at[batch.task, slot].set(new, mode="drop"), state.kept, batch)
        return ByTask(kept, state.met + came, state.closed)

    def end(self, net: PyTree, state: ByTask, sample: Batch, score: Score, key: PRNGKeyArray) -> ByTask:
        return ByTask(
            state.kept, state.met, state.closed | (sample.task == jnp.arange(self.tasks)[:, None]).any(axis=1)
        )
