"""Methods against forgetting, behind one small protocol of pure functions.

A method may change where an update starts (`before`), what is minimised (`loss`), the gradient (`direct`), and what is
remembered after an update (`after`) and at the end of a phase (`end`). All it knows lies in a state of arrays, and all
strengths may be traced, so seeds, strengths and schedules are axes of one program.

    Naive()                      the loss of the batch, nothing else
    EWC(strength)                a penalty around the weights of every earlier phase (Kirkpatrick et al. 2017)
    OnlineEWC(strength, decay)   one running penalty (Schwarz et al. 2018)
    SI(strength, damping)        importance from the path of the weights (Zenke et al. 2017)
    LwF(strength)                the last phase's network teaches old outputs (Li and Hoiem 2016)
    Replay(...)                  a memory: experience replay (Chaudhry et al. 2019), stored logits (DER, DER++; Buzzega
                                 et al. 2020), or with the batch masked to its own classes (ER-ACE; Caccia et al. 2022)
    AGEM(...)                    the gradient may not contradict that of the memory (Chaudhry et al. 2019)

What else a method asks of the network has sites under a scope of its own: `again`, `as-before`, `keeping`, `guide`,
`teacher`, `sample`. A penalty here is strength / 2 times a weighted square. Libraries differ (online EWC in Mammoth has
no half; its SI uses the squared penalised gradient in place of Zenke's path integral), so strengths found in papers
have to be converted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from emergelab import scope, site_grad

from .memory import Reservoir
from .streams import Batch

__all__ = ["AGEM", "EWC", "SI", "LwF", "Method", "Naive", "OnlineEWC", "Replay", "Score", "cross_entropy", "fisher"]

Number = Float[Array, ""] | float
Score = Callable[[PyTree, Batch], Float[Array, "batch class"]]
"""Logits of a network for a batch, with classes that are out of the question at minus a large number."""

Labels = Literal["all", "drawn", "given"]

FAR = 1e9


def cross_entropy(logits: Float[Array, "batch class"], batch: Batch) -> Float[Array, ""]:
    """Mean over a batch, in nats."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch.y).mean()


class Method(eqx.Module):
    """What a learner does against forgetting; by default nothing."""

    def begin(self, net: PyTree, features: int, classes: int) -> PyTree:
        """The method's state before the first step."""
        return None

    def loss(self, net: PyTree, state: Any, batch: Batch, score: Score, key: PRNGKeyArray) -> Float[Array, ""]:
        """What an update makes smaller."""
        return cross_entropy(score(net, batch), batch)

    def before(self, net: PyTree, state: Any, batch: Batch, score: Score, key: PRNGKeyArray) -> PyTree:
        """The network that an update starts from."""
        return net

    def direct(self, gradient: PyTree, net: PyTree, state: Any, score: Score, key: PRNGKeyArray) -> PyTree:
        """The gradient that the optimiser sees."""
        return gradient

    def after(
        self, before: PyTree, net: PyTree, gradient: PyTree, state: Any, batch: Batch, score: Score, key: PRNGKeyArray
    ) -> Any:
        """The state after an update from `before` to `net`, `gradient` being that of `loss`."""
        return state

    def end(self, net: PyTree, state: Any, sample: Batch, score: Score, key: PRNGKeyArray) -> Any:
        """The state at the end of a phase; `sample` are examples of the phase."""
        return state


class Naive(Method):
    """Nothing is done: what a phase brings is learnt, what it does not bring may be lost."""


# -- penalties on weights ----------------------------------------------------------------------------------------------


class Anchored(eqx.Module):
    """A quadratic penalty on weights, all its terms summed: sum of `weight` (w - anchor)^2, up to a constant.

    Attributes:
        weight: sum of the terms' weights.
        pull: sum of weight times anchor.
    """

    weight: PyTree
    pull: PyTree

    @staticmethod
    def none(net: PyTree) -> Anchored:
        """No penalty."""
        zero = jax.tree.map(jnp.zeros_like, eqx.filter(net, eqx.is_inexact_array))
        return Anchored(zero, zero)

    def plus(self, weight: PyTree, net: PyTree, decay: Number = 1.0) -> Anchored:
        """With one more term around the present weights, earlier ones fading."""
        w = eqx.filter(net, eqx.is_inexact_array)
        return Anchored(
            jax.tree.map(lambda a, b: decay * a + b, self.weight, weight),
            jax.tree.map(lambda a, b, x: decay * a + b * x, self.pull, weight, w),
        )

    def value(self, net: PyTree) -> Float[Array, ""]:
        """Half the penalty of these weights, measured from where it is least."""

        def one(a: Array, b: Array, x: Array) -> Array:
            centre = b / jnp.where(a > 0, a, 1.0)
            return (a * (x - centre) ** 2).sum()

        w = eqx.filter(net, eqx.is_inexact_array)
        return 0.5 * sum(jax.tree.leaves(jax.tree.map(one, self.weight, self.pull, w)))

    def slope(self, net: PyTree) -> PyTree:
        """Gradient of `value`."""
        w = eqx.filter(net, eqx.is_inexact_array)
        return jax.tree.map(lambda a, b, x: a * x - b, self.weight, self.pull, w)


def fisher(net: PyTree, sample: Batch, score: Score, key: PRNGKeyArray, labels: Labels = "all") -> PyTree:
    """Diagonal of the Fisher information of the weights, mean over examples, each with a gradient of its own.

    Args:
        net: the network.
        sample: examples.
        score: logits of a network.
        key: of labels that are drawn.
        labels: "all" sums over labels, weighted by their probability, which is the Fisher information; "drawn" takes
            one from the network's own distribution, an unbiased estimate; "given" takes the example's, the "empirical
            Fisher", which is something else (Kunstner et al. 2019).
    """
    weights, rest = eqx.partition(net, eqx.is_inexact_array)

    def log_probabilities(weights: PyTree, one: Batch) -> Float[Array, "class"]:
        batch = jax.tree.map(lambda a: a[None], one)
        with scope("sample"):
            return jax.nn.log_softmax(score(eqx.combine(weights, rest), batch)[0])

    def squared(now: tuple[Batch, PRNGKeyArray]) -> PyTree:
        one, key = now
        if labels == "all":
            p = jnp.exp(log_probabilities(weights, one))
            slopes = jax.jacrev(log_probabilities)(weights, one)
            return jax.tree.map(lambda s: jnp.tensordot(p, s**2, axes=1), slopes)
        said = log_probabilities(weights, one)
        label = jax.random.categorical(key, said) if labels == "drawn" else one.y
        slope = jax.grad(lambda w: log_probabilities(w, one)[label])(weights)
        return jax.tree.map(jnp.square, slope)

    count = sample.y.shape[0]

    def add(total: PyTree, now: tuple[Batch, PRNGKeyArray]) -> tuple[PyTree, None]:
        return jax.tree.map(jnp.add, total, squared(now)), None

    zero = jax.tree.map(jnp.zeros_like, weights)
    total, _ = jax.lax.scan(add, zero, (sample, jax.random.split(key, count)))
    return jax.tree.map(lambda t: t / count, total)


class EWC(Method):
    """Elastic weight consolidation: weights that mattered in any earlier phase are held where they were.

    Attributes:
        strength: of the penalty.
        labels: whose gradients make the Fisher information, as in `fisher`.
    """

    strength: Number = 100.0
    labels: Labels = eqx.field(static=True, default="all", kw_only=True)

    def begin(self, net: PyTree, features: int, classes: int) -> Anchored:
        return Anchored.none(net)

    def loss(self, net: PyTree, state: Anchored, batch: Batch, score: Score, key: PRNGKeyArray) -> Float[Array, ""]:
        return cross_entropy(score(net, batch), batch) + self.strength * state.value(net)

    def end(self, net: PyTree, state: Anchored, sample: Batch, score: Score, key: PRNGKeyArray) -> Anchored:
        return state.plus(fisher(net, sample, score, key, self.labels), net)


class OnlineEWC(EWC):
    """One penalty around the last phase's weights, with importance that fades.

    Attributes:
        strength: of the penalty.
        decay: share of earlier importance that is kept at the end of a phase.
        labels: as of `EWC`.
    """

    decay: Number = 1.0

    def end(self, net: PyTree, state: Anchored, sample: Batch, score: Score, key: PRNGKeyArray) -> Anchored:
        weight = jax.tree.map(
            lambda a, b: self.decay * a + b, state.weight, fisher(net, sample, score, key, self.labels)
        )
        return Anchored.none(net).plus(weight, net)


class Path(eqx.Module):
    """What synaptic intelligence keeps: the penalty, the path integral of this phase, and the weights it began with."""

    anchored: Anchored
    path: PyTree
    begun: PyTree


class SI(Method):
    """Synaptic intelligence: a weight matters as much as its way through the phase made the loss fall.

    Attributes:
        strength: of the penalty.
        damping: keeps weights that hardly moved from counting for much.
    """

    strength: Number = 1.0
    damping: Number = 0.1

    def begin(self, net: PyTree, features: int, classes: int) -> Path:
        none = Anchored.none(net)
        return Path(none, none.weight, eqx.filter(net, eqx.is_inexact_array))

    def loss(self, net: PyTree, state: Path, batch: Batch, score: Score, key: PRNGKeyArray) -> Float[Array, ""]:
        return cross_entropy(score(net, batch), batch) + self.strength * state.anchored.value(net)

    def after(
        self, before: PyTree, net: PyTree, gradient: PyTree, state: Path, batch: Batch, score: Score, key: PRNGKeyArray
    ) -> Path:
        old, new = (eqx.filter(n, eqx.is_inexact_array) for n in (before, net))
        # the path is of the task's loss alone, so the penalty's share of the gradient is taken out again
        own = jax.tree.map(lambda g, s: g - self.strength * s, gradient, state.anchored.slope(before))
        path = jax.tree.map(lambda p, g, a, b: p - g * (b - a), state.path, own, old, new)
        return Path(state.anchored, path, state.begun)

    def end(self, net: PyTree, state: Path, sample: Batch, score: Score, key: PRNGKeyArray) -> Path:
        now = eqx.filter(net, eqx.is_inexact_array)
        fresh = jax.tree.map(
            lambda p, a, b: jax.nn.relu(p) / ((b - a) ** 2 + self.damping), state.path, state.begun, now
        )
        weight = jax.tree.map(lambda a, b: a + 2.0 * b, state.anchored.weight, fresh)
        return Path(Anchored.none(net).plus(weight, net), jax.tree.map(jnp.zeros_like, state.path), now)


# -- what the last network said ----------------------------------------------------------------------------------------


class Taught(eqx.Module):
    """The network at the end of the last phase, and whether there was one."""

    net: PyTree
    there: Float[Array, ""]


class LwF(Method):
    """Learning without forgetting: on what is met now, answer as the last phase's network would.

    Attributes:
        strength: of the term.
        temperature: by which logits are divided; the usual square of it is part of the strength.
    """

    strength: Number = 1.0
    temperature: float = 2.0

    def begin(self, net: PyTree, features: int, classes: int) -> Taught:
        return Taught(eqx.filter(net, eqx.is_inexact_array), jnp.float32(0.0))

    def loss(self, net: PyTree, state: Taught, batch: Batch, score: Score, key: PRNGKeyArray) -> Float[Array, ""]:
        logits = score(net, batch)
        teacher = eqx.combine(jax.lax.stop_gradient(state.net), net)
        with scope("teacher"):
            wanted = jax.nn.softmax(score(teacher, batch) / self.temperature)
        said = jax.nn.log_softmax(logits / self.temperature)
        return cross_entropy(logits, batch) - self.strength * state.there * (wanted * said).sum(axis=-1).mean()

    def end(self, net: PyTree, state: Taught, sample: Batch, score: Score, key: PRNGKeyArray) -> Taught:
        return Taught(eqx.filter(net, eqx.is_inexact_array), jnp.float32(1.0))


# -- memories ----------------------------------------------------------------------------------------------------------


class Replay(Method):
    """A memory of examples, some of which are learnt again with every batch.

    Attributes:
        labels: strength of the loss on remembered labels (experience replay; beta of DER++).
        logits: strength of the squared distance from remembered logits (alpha of DER); drawn apart from the former.
        apart: whether the batch's own loss sees only classes that are in the batch (ER-ACE).
        slots: size of the memory.
        count: examples drawn at a time.
    """

    labels: Number = 1.0
    logits: Number = 0.0
    apart: bool = eqx.field(static=True, default=False)
    slots: int = eqx.field(static=True, default=200)
    count: int = eqx.field(static=True, default=32)

    def begin(self, net: PyTree, features: int, classes: int) -> Reservoir:
        return Reservoir.empty(self.slots, features, classes)

    def loss(self, net: PyTree, state: Reservoir, batch: Batch, score: Score, key: PRNGKeyArray) -> Float[Array, ""]:
        of_labels, of_logits = jax.random.split(key)
        now = score(net, batch)
        if self.apart:
            there = jnp.zeros(now.shape[-1], bool).at[batch.y].set(True)
            now = jnp.where(there, now, -FAR)
        total = cross_entropy(now, batch)
        again, _, any_kept = state.drawn(of_labels, self.count)
        with scope("again"):
            total = total + any_kept * self.labels * cross_entropy(score(net, again), again)
        other, said, _ = state.drawn(of_logits, self.count)
        with scope("as-before"):
            apart = jnp.where(said > -FAR / 2, score(net, other) - said, 0.0)
        return total + any_kept * self.logits * jnp.square(apart).mean()

    def after(
        self, before: PyTree, net: PyTree, gradient: PyTree, state: Reservoir, batch: Batch, score: Score,
        key: PRNGKeyArray,
    ) -> Reservoir:  # fmt: skip
        with scope("keeping"):
            return state.after(batch, jax.lax.stop_gradient(score(before, batch)), key)


class AGEM(Replay):
    """Averaged gradient episodic memory: a gradient that would raise the memory's loss loses that component.

    Attributes:
        labels, logits, apart: have no part in it.
        slots: size of the memory.
        count: examples behind the memory's gradient.
    """

    def loss(self, net: PyTree, state: Reservoir, batch: Batch, score: Score, key: PRNGKeyArray) -> Float[Array, ""]:
        return cross_entropy(score(net, batch), batch)

    def direct(self, gradient: PyTree, net: PyTree, state: Reservoir, score: Score, key: PRNGKeyArray) -> PyTree:
        again, _, any_kept = state.drawn(key, self.count)
        weights, rest = eqx.partition(net, eqx.is_inexact_array)
        with scope("guide"):
            guide = site_grad(lambda w: cross_entropy(score(eqx.combine(w, rest), again), again))(weights)
        along, size = _dot(gradient, guide), _dot(guide, guide)
        against = any_kept * jnp.minimum(along, 0.0) / jnp.maximum(size, 1e-12)
        return jax.tree.map(lambda g, r: g - against * r, gradient, guide)


def _dot(a: PyTree, b: PyTree) -> Float[Array, ""]:
    return sum(jax.tree.leaves(jax.tree.map(lambda x, y: (x * y).sum(), a, b)))
