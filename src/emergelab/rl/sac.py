"""Soft actor-critic (Haarnoja et al. 2018): learning from what was kept, with a policy that stays as random as told.

Pure functions: `put` and `draw` keep transitions in arrays of fixed size, `targets` says what a critic should have
said, `improve` makes one gradient step of everything. Actor, two critics and the temperature (the weight of entropy)
learn at once from the same batch and with one optimiser; copies of the critics follow slowly. Rewards are part of the
batch, so a learner that makes up its own rewards fills them in when it draws. All settings are traced.

Sites, within the scope of whoever asks: `target`, `q`, `mean`, `log_std`, `alpha`, `grad.PATH`, `update.PATH`,
`rate`, with paths such as `actor.body.layers.0.weight`, `critics.body.layers.0.bias` (the first axis: which of the two)
and `log_alpha`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from emergelab import site, site_grad
from emergelab.training import announced

from .advantages import Number

__all__ = [
    "Actor", "Agent", "Batch", "Critic", "Layer", "Layers", "Nets", "Replay", "Report", "Settings", "Squashed", "agent",
    "draw", "empty", "improve", "judged", "put", "targets",
]  # fmt: skip


# Between these the logarithm of the standard deviation stays, as in the authors' code.
_NARROW, _WIDE = -5.0, 2.0


class Squashed(eqx.Module):
    """Independent normal numbers, each bent into (-1, 1) by tanh.

    Attributes:
        mean: of each number before it is bent.
        log_std: logarithm of the standard deviation of each before it is bent.
    """

    mean: Float[Array, "*batch action"]
    log_std: Float[Array, "*batch action"]

    def sample(self, key: PRNGKeyArray) -> Float[Array, "*batch action"]:
        return self.drawn(key)[0]

    def drawn(self, key: PRNGKeyArray) -> tuple[Float[Array, "*batch action"], Float[Array, "*batch"]]:
        """An action and its log-density, which is more exact than what `log_prob` finds near -1 and 1."""
        u = self.mean + jnp.exp(self.log_std) * jax.random.normal(key, self.mean.shape)
        return jnp.tanh(u), self._density(u)

    def mode(self) -> Float[Array, "*batch action"]:
        """The middle of the bell, bent: not the densest action, but the one that is played without chance."""
        return jnp.tanh(self.mean)

    def log_prob(self, action: Float[Array, "*batch action"]) -> Float[Array, "*batch"]:
        """Of actions between -1 and 1, the ends excluded."""
        return self._density(jnp.arctanh(jnp.clip(action, -1 + 1e-6, 1 - 1e-6)))

    def _density(self, u: Float[Array, "*batch action"]) -> Float[Array, "*batch"]:
        z = (u - self.mean) * jnp.exp(-self.log_std)
        normal = -0.5 * z**2 - self.log_std - 0.5 * math.log(2 * math.pi)
        # log(1 - tanh(u)^2), without the loss of digits where tanh is nearly 1.
        bend = 2 * (math.log(2) - u - jax.nn.softplus(-2 * u))
        return jnp.sum(normal - bend, -1)


class Layer(eqx.Module):
    """A linear layer."""

    weight: Float[Array, "*member output input"]
    bias: Float[Array, "*member output"]


class Layers(eqx.Module):
    """Linear layers, all but the last followed by a rectifier.

    Weights begin uniform, so wide that what comes in is passed on at its own size (He et al. 2015); biases begin at 0.

    Attributes:
        layers: from the input upwards.
    """

    layers: list[Layer]

    def __init__(self, key: PRNGKeyArray, sizes: Sequence[int], last: float = 1.0):
        """`last` scales the weights of the last layer."""
        pairs = list(itertools.pairwise(sizes))
        # One draw for all: compiling many small ones takes ten times as long.
        draw = jax.random.uniform(key, (sum(i * o for i, o in pairs),), minval=-1, maxval=1)
        self.layers = []
        for n, (i, o) in enumerate(pairs):
            wide = math.sqrt(6 / i) if n < len(pairs) - 1 else last * math.sqrt(3 / i)
            self.layers.append(Layer(wide * draw[: i * o].reshape(o, i), jnp.zeros(o)))
            draw = draw[i * o :]

    def __call__(self, x: Float[Array, "batch input"]) -> Float[Array, "batch output"]:
        for layer in self.layers[:-1]:
            x = jax.nn.relu(x @ layer.weight.T + layer.bias)
        return x @ self.layers[-1].weight.T + self.layers[-1].bias


class Actor(eqx.Module):
    """From what is seen to a squashed normal policy."""

    body: Layers

    def __init__(self, key: PRNGKeyArray, inputs: int, actions: int, widths: Sequence[int]):
        # Policies begin alike whatever they see.
        self.body = Layers(key, (inputs, *widths, 2 * actions), last=0.01)

    def __call__(self, seen: Float[Array, "batch number"]) -> Squashed:
        mean, log_std = jnp.split(self.body(seen), 2, -1)
        return Squashed(mean, jnp.clip(log_std, _NARROW, _WIDE))


class Critic(eqx.Module):
    """From what is seen and done to what is to be gained."""

    body: Layers

    def __init__(self, key: PRNGKeyArray, inputs: int, actions: int, widths: Sequence[int]):
        self.body = Layers(key, (inputs + actions, *widths, 1))

    def __call__(
        self, seen: Float[Array, "batch number"], action: Float[Array, "batch action"]
    ) -> Float[Array, "batch"]:
        return self.body(jnp.concatenate([seen, action], -1))[..., 0]


class Nets(eqx.Module):
    """All that learns by gradients.

    Attributes:
        actor: the policy.
        critics: two critics, stacked.
        log_alpha: logarithm of the temperature, reward a nat.
    """

    actor: Actor
    critics: Critic
    log_alpha: Float[Array, ""]


class Agent(eqx.Module):
    """A learner between two gradient steps.

    Attributes:
        nets: what learns.
        slow: copies of the critics that follow slowly.
        memory: the optimiser's.
    """

    nets: Nets
    slow: Critic
    memory: optax.OptState


class Settings(eqx.Module):
    """How an agent learns.

    Attributes:
        rate: learning rate.
        discount: gamma: what a reward one step later is worth.
        follow: share of the way that the slow critics go towards the critics in each step.
        entropy: that the policy is to have, nats; the temperature rises while it has less.
    """

    rate: Number = 3e-4
    discount: Number = 0.99
    follow: Number = 0.005
    entropy: Number = -1.0


class Batch(NamedTuple):
    """Transitions to learn from.

    Attributes:
        seen: before the action.
        action: between -1 and 1.
        reward: for it.
        after: seen after it.
        over: 1 where nothing can be gained any more afterwards, else 0; limits of time are no such end.
    """

    seen: Float[Array, "batch number"]
    action: Float[Array, "batch action"]
    reward: Float[Array, "batch"]
    after: Float[Array, "batch number"]
    over: Float[Array, "batch"]


class Report(NamedTuple):
    """What a gradient step was like.

    Attributes:
        critic: mean squared error of the two critics, halved, added up.
        actor: what the policy makes smaller: alpha x log-density - value.
        q: mean of what the critics say of the batch.
        alpha: the temperature.
        entropy: of the policy, nats, estimated from one action each.
    """

    critic: Float[Array, ""]
    actor: Float[Array, ""]
    q: Float[Array, ""]
    alpha: Float[Array, ""]
    entropy: Float[Array, ""]


def agent(
    key: PRNGKeyArray, inputs: int, actions: int, *, widths: Sequence[int] = (64, 64), alpha: Number = 0.1
) -> Agent:
    """An agent that has not learnt anything.

    Args:
        key: of the initial weights.
        inputs: how many numbers an observation has.
        actions: how many an action has.
        widths: of the hidden layers of actor and critics.
        alpha: the temperature at the beginning.
    """
    of_actor, of_critics = jax.random.split(key)
    critics = eqx.filter_vmap(lambda k: Critic(k, inputs, actions, widths))(jax.random.split(of_critics))
    nets = Nets(Actor(of_actor, inputs, actions, widths), critics, jnp.log(jnp.asarray(alpha, jnp.float32)))
    return Agent(nets, critics, optax.scale_by_adam().init(eqx.filter(nets, eqx.is_inexact_array)))


def judged(
    critics: Critic, seen: Float[Array, "batch number"], action: Float[Array, "batch action"]
) -> Float[Array, "2 batch"]:
    """What both critics say."""
    return eqx.filter_vmap(lambda c: c(seen, action))(critics)


def targets(agent: Agent, batch: Batch, settings: Settings, key: PRNGKeyArray) -> Float[Array, "batch"]:
    """What the critics should say: the reward, and the soft value of what follows by the more careful slow critic."""
    action, density = agent.nets.actor(batch.after).drawn(key)
    value = jnp.min(judged(agent.slow, batch.after, action), 0) - jnp.exp(agent.nets.log_alpha) * density
    return batch.reward + settings.discount * (1 - batch.over) * value


def improve(agent: Agent, batch: Batch, settings: Settings, key: PRNGKeyArray) -> tuple[Agent, Report]:
    """One gradient step.

    Args:
        agent: who learns.
        batch: from what.
        settings: how.
        key: of the actions that the policy is tried on.

    Returns:
        The agent afterwards, and what the step was like.
    """
    of_target, of_actor = jax.random.split(key)
    target = site("target", targets(agent, batch, settings, of_target))
    weights, rest = eqx.partition(agent.nets, eqx.is_inexact_array)

    def loss(weights: PyTree) -> tuple[Array, Report]:
        nets = eqx.combine(weights, rest)
        q = site("q", judged(nets.critics, batch.seen, batch.action))
        of_critics = 0.5 * jnp.sum(jnp.mean((q - target) ** 2, -1))
        policy = nets.actor(batch.seen)
        policy = Squashed(site("mean", policy.mean), site("log_std", policy.log_std))
        action, density = policy.drawn(of_actor)
        # The policy climbs the critics as they are; they do not learn from it.
        fixed = jax.tree.map(lambda x: jax.lax.stop_gradient(x) if eqx.is_array(x) else x, nets.critics)
        value = jnp.min(judged(fixed, batch.seen, action), 0)
        alpha = site("alpha", jnp.exp(nets.log_alpha))
        of_policy = jnp.mean(jax.lax.stop_gradient(alpha) * density - value)
        missing = settings.entropy + jnp.mean(jax.lax.stop_gradient(density))
        of_alpha = -nets.log_alpha * missing
        report = Report(of_critics, of_policy, jnp.mean(q), alpha, -jnp.mean(density))
        return of_critics + of_policy + of_alpha, report

    gradient, report = site_grad(loss, has_aux=True)(weights)
    gradient = announced("grad", gradient)
    direction, memory = optax.scale_by_adam().update(gradient, agent.memory, weights)
    rate = site("rate", jnp.asarray(settings.rate))
    update = announced("update", jax.tree.map(lambda d: (-rate * d).astype(d.dtype), direction))
    nets = eqx.combine(optax.apply_updates(weights, update), rest)
    slow = jax.tree.map(
        lambda old, new: old + settings.follow * (new - old) if eqx.is_array(old) else old, agent.slow, nets.critics
    )
    return Agent(nets, slow, memory), report


# -- what is remembered -----------------------------------------------------------------------------------------------


class Replay(eqx.Module):
    """The last transitions, whatever they consist of.

    Attributes:
        kept: arrays with one row a transition.
        next: row that is written next.
        filled: rows that have been written.
    """

    kept: PyTree[Array]
    next: Int[Array, ""]
    filled: Int[Array, ""]


def empty(example: PyTree[Array], size: int) -> Replay:
    """Room for `size` transitions such as the example."""
    kept = jax.tree.map(lambda x: jnp.zeros((size, *jnp.shape(x)), jnp.result_type(x)), example)
    return Replay(kept, jnp.int32(0), jnp.int32(0))


def put(replay: Replay, rows: PyTree[Array]) -> Replay:
    """The rows take the place of the oldest ones.

    Raises:
        ValueError: there are more rows than there is room.
    """
    size, count = (jax.tree.leaves(t)[0].shape[0] for t in (replay.kept, rows))
    if count > size:
        raise ValueError(f"put: {count} rows do not fit into a replay of {size}")
    where = (replay.next + jnp.arange(count)) % size
    kept = jax.tree.map(lambda k, r: k.at[where].set(r), replay.kept, rows)
    return Replay(kept, (replay.next + count) % size, jnp.minimum(replay.filled + count, size))


def draw(replay: Replay, key: PRNGKeyArray, count: int) -> PyTree[Array]:
    """Rows at random, with repetition, of those that have been written."""
    where = jax.random.randint(key, (count,), 0, jnp.maximum(replay.filled, 1))
    return jax.tree.map(lambda k: k[where], replay.kept)
