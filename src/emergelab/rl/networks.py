"""Actor-critics: networks that say what to do and how much is to be gained.

All take a batch of observations, a memory (`None` if they have none) and which members of the batch begin an episode,
and return memory, policy and value. Sites: `logits` (or `mean`) and `value`, and `h` of the recurrent one; whoever asks
puts a scope in front of them.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from emergelab import site
from emergelab.nn.linear import orthonormal
from emergelab.worlds.world import Continuous, Discrete

from .policies import Categorical, Normal, Policy

__all__ = ["ActorCritic", "Conv", "FeedForward", "Recurrent", "Stack", "orthogonal"]

Bend = Callable[[Array], Array]


class ActorCritic(eqx.Module):
    """What a learner needs of a network."""

    @property
    @abc.abstractmethod
    def remembers(self) -> bool:
        """Whether what it says depends on what it saw before: learners then keep episodes in order."""

    @abc.abstractmethod
    def rest(self, batch: int) -> PyTree[Array]:
        """The memory at the beginning of an episode."""

    @abc.abstractmethod
    def __call__(
        self, memory: PyTree[Array], seen: PyTree[Array], fresh: Bool[Array, "batch"]
    ) -> tuple[PyTree[Array], Policy, Float[Array, "batch"]]:
        """Memory, policy and value, after one more observation.

        Args:
            memory: what `rest` or the last call returned.
            seen: observations, the batch first.
            fresh: where an episode begins: the memory of before is dropped.
        """


def orthogonal(key: PRNGKeyArray, inputs: int, outputs: int, gain: float) -> eqx.nn.Linear:
    """A layer whose weights are a random orthogonal matrix times `gain` (Saxe et al. 2014), its bias 0."""
    layer = eqx.nn.Linear(inputs, outputs, key=key)
    tall = gain * orthonormal(key, max(inputs, outputs), min(inputs, outputs))
    weight = tall if outputs > inputs else tall.T
    return eqx.tree_at(lambda y: (y.weight, y.bias), layer, (weight, jnp.zeros(outputs)))


class Stack(eqx.Module):
    """Layers, each followed by the same non-linearity; observations are flattened first.

    Attributes:
        layers: from the observation upwards.
        bend: the non-linearity.
    """

    layers: list[eqx.nn.Linear]
    bend: Bend = eqx.field(static=True)

    def __init__(self, key: PRNGKeyArray, inputs: int, widths: Sequence[int], bend: Bend = jnp.tanh):
        keys = jax.random.split(key, max(len(widths), 1))
        self.layers = [
            orthogonal(k, i, o, math.sqrt(2))
            for k, i, o in zip(keys, (inputs, *widths), widths)  # noqa: B905 - one size more than layers
        ]
        self.bend = bend

    def __call__(self, seen: Float[Array, "batch ..."]) -> Float[Array, "batch feature"]:
        x = seen.reshape(seen.shape[0], -1)
        for layer in self.layers:
            x = self.bend(x @ layer.weight.T + layer.bias)
        return x


class Conv(eqx.Module):
    """One convolution over an image, flattened, beside further numbers that are known.

    Attributes:
        filters: a convolution, without padding.
        bend: the non-linearity.
    """

    filters: eqx.nn.Conv2d
    bend: Bend = eqx.field(static=True)

    def __init__(self, key: PRNGKeyArray, channels: int, filters: int, size: int = 3, bend: Bend = jax.nn.relu):
        self.filters = eqx.nn.Conv2d(channels, filters, size, key=key)
        self.bend = bend

    def __call__(self, seen: tuple[Float[Array, "batch y x channel"], Float[Array, "batch more"]]) -> Array:
        image, more = seen
        out = jax.vmap(self.filters)(jnp.moveaxis(image, -1, 1))
        return jnp.concatenate([self.bend(out).reshape(image.shape[0], -1), more], -1)


class Heads(eqx.Module):
    """From features to a policy and a value, each by a stack of its own."""

    act: Stack
    last: eqx.nn.Linear
    judge: Stack
    worth: eqx.nn.Linear
    log_std: Float[Array, "action"] | None

    def __init__(
        self, key: PRNGKeyArray, inputs: int, widths: Sequence[int], actions: Discrete | Continuous, bend: Bend
    ):
        of_act, of_last, of_judge, of_worth = jax.random.split(key, 4)
        top = widths[-1] if widths else inputs
        self.act = Stack(of_act, inputs, widths, bend)
        # Policies begin nearly uniform: a small gain (Andrychowicz et al. 2021 found this to matter more than most).
        self.last = orthogonal(of_last, top, actions.size, 0.01)
        self.judge = Stack(of_judge, inputs, widths, bend)
        self.worth = orthogonal(of_worth, top, 1, 1.0)
        self.log_std = jnp.zeros(actions.size) if isinstance(actions, Continuous) else None

    def __call__(self, x: Float[Array, "batch feature"]) -> tuple[Policy, Float[Array, "batch"]]:
        out = self.act(x) @ self.last.weight.T + self.last.bias
        value = site("value", (self.judge(x) @ self.worth.weight.T + self.worth.bias)[..., 0])
        if self.log_std is None:
            return Categorical(site("logits", out)), value
        return Normal(site("mean", out), jnp.broadcast_to(self.log_std, out.shape)), value


class FeedForward(ActorCritic):
    """Policy and value from what is seen now: two stacks that share nothing, or what a common `body` makes of it.

    Args:
        key: of the initial weights.
        inputs: how many numbers an observation has; features of the body if there is one.
        actions: what the world allows.
        widths: of the hidden layers of both stacks.
        bend: the non-linearity.
        body: from observations to features, `Conv` for instance.
    """

    heads: Heads
    body: Callable[[PyTree], Array] | None

    def __init__(
        self, key: PRNGKeyArray, inputs: int, actions: Discrete | Continuous, *, widths: Sequence[int] = (64, 64),
        bend: Bend = jnp.tanh, body: Callable[[PyTree], Array] | None = None,
    ):  # fmt: skip
        self.heads = Heads(key, inputs, widths, actions, bend)
        self.body = body

    @property
    def remembers(self) -> bool:
        return False

    def rest(self, batch: int) -> PyTree[Array]:
        return None

    def __call__(
        self, memory: PyTree[Array], seen: PyTree[Array], fresh: Bool[Array, "batch"]
    ) -> tuple[PyTree[Array], Policy, Float[Array, "batch"]]:
        x = seen.reshape(seen.shape[0], -1) if self.body is None else self.body(seen)
        return None, *self.heads(x)


class Recurrent(ActorCritic):
    """A gated recurrent unit between what is seen and what is said.

    Args:
        key: of the initial weights.
        inputs: how many numbers an observation has; features of the body if there is one.
        actions: what the world allows.
        units: of the recurrent layer.
        before: widths of layers below it.
        widths: of layers above it, for policy and value each.
        bend: the non-linearity.
        body: from observations to features, `Conv` for instance.
    """

    body: Callable[[PyTree], Array] | None
    before: Stack
    cell: eqx.nn.GRUCell
    heads: Heads
    units: int = eqx.field(static=True)

    def __init__(
        self, key: PRNGKeyArray, inputs: int, actions: Discrete | Continuous, *, units: int = 64,
        before: Sequence[int] = (64,), widths: Sequence[int] = (64,), bend: Bend = jnp.tanh,
        body: Callable[[PyTree], Array] | None = None,
    ):  # fmt: skip
        of_before, of_cell, of_heads = jax.random.split(key, 3)
        self.body = body
        self.before = Stack(of_before, inputs, before, bend)
        self.cell = eqx.nn.GRUCell(before[-1] if before else inputs, units, key=of_cell)
        self.heads = Heads(of_heads, units, widths, actions, bend)
        self.units = units

    @property
    def remembers(self) -> bool:
        return True

    def rest(self, batch: int) -> Float[Array, "batch unit"]:
        return jnp.zeros((batch, self.units))

    def __call__(
        self, memory: PyTree[Array], seen: PyTree[Array], fresh: Bool[Array, "batch"]
    ) -> tuple[PyTree[Array], Policy, Float[Array, "batch"]]:
        x = seen.reshape(seen.shape[0], -1) if self.body is None else self.body(seen)
        h = jnp.where(fresh[:, None], 0.0, memory)
        h = site("h", jax.vmap(self.cell)(self.before(x), h))
        return h, *self.heads(h)
