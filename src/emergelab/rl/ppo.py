"""Proximal policy optimisation (Schulman et al. 2017): a few passes over what happened, none of them too far.

`improve` is a pure function from a network, its optimiser's memory and a trajectory to the next network. Everything in
`Settings` but the number of passes is traced, so conditions may differ in it without a new compilation, and several
learners with settings of their own live in one program. Networks that remember are trained on whole stretches of time,
some lanes at a time; others on single moments, shuffled.

Sites: those of the network within the loss (`learn.logits`, `learn.value`, `learn.h`), `advantage`, `grad.PATH`,
`update.PATH`, `rate`.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Num, PRNGKeyArray, PyTree

from emergelab import scope, site, site_grad, site_scan
from emergelab.training import announced

from .advantages import Number, generalised
from .networks import ActorCritic
from .policies import Policy
from .rollout import Trajectory

__all__ = ["Report", "Settings", "improve", "memory", "rule", "unroll"]


class Settings(eqx.Module):
    """How a learner learns.

    Attributes:
        rate: learning rate.
        discount: gamma: what a reward one step later is worth.
        trace: lambda: how far an advantage looks ahead.
        clip: how far the probability of an action may move in one update, as a ratio minus 1.
        entropy: weight of the policy's entropy, in reward a nat.
        value: weight of the error of the value.
        max_norm: gradients longer than this are scaled down to it.
        passes: over the same trajectory.
        parts: into which each pass divides it; one gradient step each.
    """

    rate: Number = 2.5e-4
    discount: Number = 0.99
    trace: Number = 0.95
    clip: Number = 0.2
    entropy: Number = 0.01
    value: Number = 0.5
    max_norm: Number = 0.5
    passes: int = eqx.field(static=True, default=4)
    parts: int = eqx.field(static=True, default=4)


class Report(NamedTuple):
    """What an update was like, means over its gradient steps.

    Attributes:
        loss: what was made smaller.
        policy: its part that is about actions.
        value: mean squared error of the value, halved.
        entropy: of the policy, nats.
        moved: how far the policy has moved from the one that played: Kullback-Leibler divergence, nats.
        clipped: fraction of actions whose probability had moved as far as it may.
    """

    loss: Float[Array, ""]
    policy: Float[Array, ""]
    value: Float[Array, ""]
    entropy: Float[Array, ""]
    moved: Float[Array, ""]
    clipped: Float[Array, ""]


class _Moment(NamedTuple):
    """What the loss needs of each moment."""

    seen: PyTree[Array]
    fresh: Bool[Array, "*batch"]
    action: Num[Array, "*batch *action"]
    log_prob: Float[Array, "*batch"]
    value: Float[Array, "*batch"]
    advantage: Float[Array, "*batch"]


def rule(settings: Settings) -> optax.GradientTransformation:
    """From gradients to directions: scaled down to `max_norm`, then Adam with the epsilon that PPO is used with."""
    return optax.chain(optax.clip_by_global_norm(settings.max_norm), optax.scale_by_adam(eps=1e-5))


def memory(net: PyTree, settings: Settings) -> optax.OptState:
    """The optimiser's memory before the first update."""
    return rule(settings).init(eqx.filter(net, eqx.is_inexact_array))


def unroll(
    net: ActorCritic, start: PyTree[Array], seen: PyTree[Array], fresh: Bool[Array, "time lane"]
) -> tuple[Policy, Float[Array, "time lane"]]:
    """What a network says along a stretch of time, its memory carried on.

    Args:
        net: the network.
        start: its memory at the beginning, one a lane.
        seen: observations, time and lane first.
        fresh: where episodes begin.
    """

    def one(carry: PyTree, x: tuple[PyTree, Array]) -> tuple[PyTree, tuple[Policy, Array]]:
        carry, policy, value = net(carry, *x)
        return carry, (policy, value)

    return site_scan(one, start, (seen, fresh))[1]


def improve(
    net: ActorCritic, remembered: optax.OptState, trajectory: Trajectory, settings: Settings, key: PRNGKeyArray
) -> tuple[ActorCritic, optax.OptState, Report]:
    """One update.

    Args:
        net: the network that played.
        remembered: the optimiser's memory.
        trajectory: what happened when it played. Lanes (for networks that remember) or moments (for others) are divided
            into `settings.parts` equal parts.
        settings: how it learns.
        key: of the order in which moments are learnt from.

    Returns:
        The network afterwards, the optimiser's memory, and what the update was like.

    Raises:
        ValueError: the trajectory cannot be divided into that many parts.
    """
    t = trajectory
    advantage = generalised(t.reward, t.value, t.over, t.next_value, settings.discount, settings.trace, t.beyond)
    moments = _Moment(t.seen, t.fresh, t.action, t.log_prob, t.value, site("advantage", advantage))
    time, lanes = t.reward.shape
    whole = lanes if net.remembers else time * lanes
    if whole % settings.parts:
        what = "lanes" if net.remembers else "moments"
        raise ValueError(f"improve: {whole} {what} cannot be divided into {settings.parts} equal parts")
    if not net.remembers:
        moments = jax.tree.map(lambda x: x.reshape(whole, *x.shape[2:]), moments)
    axis = 1 if net.remembers else 0
    weights, rest = eqx.partition(net, eqx.is_inexact_array)

    def part(carry: tuple[PyTree, PyTree], which: Array) -> tuple[tuple[PyTree, PyTree], Report]:
        weights, remembered = carry
        chosen = jax.tree.map(lambda x: jnp.take(x, which, axis), moments)
        start = jax.tree.map(lambda x: jnp.take(x, which, 0), t.memory)

        def loss(weights: PyTree) -> tuple[Array, Report]:
            return _loss(eqx.combine(weights, rest), start, chosen, settings)

        gradient, report = site_grad(loss, has_aux=True)(weights)
        gradient = announced("grad", gradient)
        direction, remembered = rule(settings).update(gradient, remembered, weights)
        rate = site("rate", jnp.asarray(settings.rate))
        update = announced("update", jax.tree.map(lambda d: (-rate * d).astype(d.dtype), direction))
        return (optax.apply_updates(weights, update), remembered), report

    def sweep(carry: tuple[PyTree, PyTree], key: PRNGKeyArray) -> tuple[tuple[PyTree, PyTree], Report]:
        order = jax.random.permutation(key, whole).reshape(settings.parts, -1)
        return site_scan(part, carry, order)

    keys = jax.random.split(key, settings.passes)
    (weights, remembered), reports = site_scan(sweep, (weights, remembered), keys)
    return eqx.combine(weights, rest), remembered, jax.tree.map(jnp.mean, reports)


def _loss(net: ActorCritic, start: PyTree[Array], m: _Moment, settings: Settings) -> tuple[Array, Report]:
    """The clipped objective (Schulman et al. 2017, eq. 7 and 9), its value's error and the policy's entropy."""
    with scope("learn"):
        if net.remembers:
            policy, value = unroll(net, start, m.seen, m.fresh)
        else:
            _, policy, value = net(None, m.seen, m.fresh)
    target = m.value + m.advantage
    advantage = (m.advantage - jnp.mean(m.advantage)) / (jnp.std(m.advantage) + 1e-8)
    change = policy.log_prob(m.action) - m.log_prob
    ratio = jnp.exp(change)
    near = jnp.clip(ratio, 1 - settings.clip, 1 + settings.clip)
    of_policy = -jnp.mean(jnp.minimum(ratio * advantage, near * advantage))
    of_value = 0.5 * jnp.mean((value - target) ** 2)
    entropy = jnp.mean(policy.entropy())
    loss = of_policy + settings.value * of_value - settings.entropy * entropy
    # The estimate of the divergence that is never negative (Schulman 2020).
    moved = jnp.mean(ratio - 1 - change)
    clipped = jnp.mean(jnp.abs(ratio - 1) > settings.clip)
    return loss, Report(loss, of_policy, of_value, entropy, moved, clipped)
