"""One policy, several critics: each reward has a critic of its own, and the policy climbs what they say together.

Where rewards are added up, one critic learns the sum, and whichever reward is counted in the larger unit is the one
that is heard. Here every critic learns one reward (Mysore et al. 2022), and before their words are added up, each one's
are put on a common scale (Emukpere et al. 2024). What they say is compared by *advantages*: how much better the action
is than another one that the policy might have taken.

All else is `emergelab.rl.sac`, parts and sites alike: with one critic, a weight of 1 and no normalisation, a step is
that of soft actor-critic. The learner is a `sac.Agent` whose critics have one more axis, the first: which reward.

Sites, beside those of `sac.improve`: `weights` and `gain` (what critics say, normalised: a row each).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from emergelab import site, site_grad
from emergelab.training import announced

from . import sac
from .advantages import Number

__all__ = ["NORMALISERS", "Batch", "Report", "Settings", "agent", "improve", "judged", "normalised", "targets"]

# `advantage`: by the spread of advantages. `value`: by the spread of values over the batch. `none`: values as they are.
NORMALISERS = ("advantage", "value", "none")
_ADVANTAGE, _VALUE, _NONE = range(3)
_FLOOR = 1e-6  # the least that is divided by


class Batch(NamedTuple):
    """Transitions to learn from.

    Attributes:
        seen: before the action.
        action: between -1 and 1.
        rewards: for it, a row for each critic.
        after: seen after it.
        over: 1 where nothing can be gained any more afterwards, else 0.
    """

    seen: Float[Array, "batch number"]
    action: Float[Array, "batch action"]
    rewards: Float[Array, "critic batch"]
    after: Float[Array, "batch number"]
    over: Float[Array, "batch"]


class Settings(eqx.Module):
    """How an agent learns.

    Attributes:
        learning: as of `sac`.
        weights: of the critics in what the policy climbs.
        normaliser: index into `NORMALISERS`.
        backup: share of the worth of chance that counts as gain in the critics' targets: 1 in soft actor-critic; 0
            where each critic is to judge its own reward and nothing else.
        brisk: how many times as fast as all else the temperature learns.
    """

    learning: sac.Settings
    weights: Float[Array, "critic"]
    normaliser: Int[Array, ""]
    backup: Number = 1.0
    brisk: Number = 1.0


class Report(NamedTuple):
    """What a gradient step was like.

    Attributes:
        critic: mean squared error of the critics, halved, added up.
        q: mean of what each critic says of the batch.
        scale: what each critic's words were divided by.
        alpha: the temperature.
        entropy: of the policy, nats, estimated from one action each.
    """

    critic: Float[Array, ""]
    q: Float[Array, "critic"]
    scale: Float[Array, "critic"]
    alpha: Float[Array, ""]
    entropy: Float[Array, ""]


def agent(
    key: PRNGKeyArray, inputs: int, actions: int, critics: int, *, widths: Sequence[int] = (64, 64), alpha: Number = 0.1
) -> sac.Agent:
    """An agent that has not learnt anything.

    Args:
        key: of the initial weights.
        inputs: how many numbers an observation has.
        actions: how many an action has.
        critics: how many rewards are judged, each by two critics.
        widths: of the hidden layers of actor and critics.
        alpha: the temperature at the beginning.
    """
    of_actor, of_critics = jax.random.split(key)
    one = eqx.filter_vmap(lambda k: sac.Critic(k, inputs, actions, widths))
    found = eqx.filter_vmap(one)(jax.random.split(of_critics, 2 * critics).reshape(critics, 2))
    log_alpha = jnp.log(jnp.asarray(alpha, jnp.float32))
    nets = sac.Nets(sac.Actor(of_actor, inputs, actions, widths), found, log_alpha)
    return sac.Agent(nets, found, optax.scale_by_adam().init(eqx.filter(nets, eqx.is_inexact_array)))


def judged(
    critics: sac.Critic, seen: Float[Array, "batch number"], action: Float[Array, "batch action"]
) -> Float[Array, "critic 2 batch"]:
    """What both critics of each reward say."""
    return eqx.filter_vmap(lambda c: sac.judged(c, seen, action))(critics)


def targets(agent: sac.Agent, batch: Batch, settings: Settings, key: PRNGKeyArray) -> Float[Array, "critic batch"]:
    """What the critics should say: their reward, and the value of what follows by the more careful slow critic."""
    action, density = agent.nets.actor(batch.after).drawn(key)
    chance = settings.backup * (jnp.exp(agent.nets.log_alpha) * density)
    value = jnp.min(judged(agent.slow, batch.after, action), 1) - chance
    return batch.rewards + settings.learning.discount * (1 - batch.over) * value


def normalised(
    value: Float[Array, "critic batch"], other: Float[Array, "critic batch"], normaliser: Int[Array, ""]
) -> tuple[Float[Array, "critic batch"], Float[Array, "critic"]]:
    """What critics say, on a common scale: mean 0 and standard deviation 1 over the batch, unless not normalised.

    Args:
        value: of the actions that are tried.
        other: of other actions of the policy in the same places.
        normaliser: index into `NORMALISERS`.

    Returns:
        The normalised numbers, and what they were divided by. Gradients pass through the tried actions' values alone.
    """
    said = value - jnp.where(normaliser == _ADVANTAGE, jax.lax.stop_gradient(other), 0.0)
    still = jax.lax.stop_gradient(said)
    plain = normaliser == _NONE
    middle = jnp.where(plain, 0.0, jnp.mean(still, -1))
    scale = jnp.where(plain, 1.0, jnp.maximum(jnp.std(still, -1), _FLOOR))
    return (said - middle[:, None]) / scale[:, None], scale


def improve(agent: sac.Agent, batch: Batch, settings: Settings, key: PRNGKeyArray) -> tuple[sac.Agent, Report]:
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
    of_other = jax.random.fold_in(of_actor, 1)
    learning = settings.learning
    target = site("target", targets(agent, batch, settings, of_target))
    of_critic = site("weights", jnp.asarray(settings.weights))
    weights, rest = eqx.partition(agent.nets, eqx.is_inexact_array)

    def loss(weights: PyTree) -> tuple[Array, Report]:
        nets = eqx.combine(weights, rest)
        q = site("q", judged(nets.critics, batch.seen, batch.action))
        of_critics = 0.5 * jnp.sum(jnp.mean((q - target[:, None]) ** 2, -1))
        policy = nets.actor(batch.seen)
        policy = sac.Squashed(site("mean", policy.mean), site("log_std", policy.log_std))
        action, density = policy.drawn(of_actor)
        # The policy climbs the critics as they are; they do not learn from it.
        fixed = jax.tree.map(lambda x: jax.lax.stop_gradient(x) if eqx.is_array(x) else x, nets.critics)
        value, other = (
            jnp.min(judged(fixed, batch.seen, a), 1) for a in (action, jax.lax.stop_gradient(policy.sample(of_other)))
        )
        gain, scale = normalised(value, other, settings.normaliser)
        gain = site("gain", gain)
        alpha = site("alpha", jnp.exp(nets.log_alpha))
        of_policy = jnp.mean(jax.lax.stop_gradient(alpha) * density - jnp.sum(of_critic[:, None] * gain, 0))
        missing = learning.entropy + jnp.mean(jax.lax.stop_gradient(density))
        of_alpha = -nets.log_alpha * missing
        report = Report(of_critics, jnp.mean(q, (1, 2)), scale, alpha, -jnp.mean(density))
        return of_critics + of_policy + of_alpha, report

    gradient, report = site_grad(loss, has_aux=True)(weights)
    gradient = announced("grad", gradient)
    direction, memory = optax.scale_by_adam().update(gradient, agent.memory, weights)
    rate = site("rate", jnp.asarray(learning.rate))
    step = jax.tree.map(lambda d: (-rate * d).astype(d.dtype), direction)
    step = eqx.tree_at(lambda nets: nets.log_alpha, step, settings.brisk * step.log_alpha)
    nets = eqx.combine(optax.apply_updates(weights, announced("update", step)), rest)
    slow = jax.tree.map(
        lambda old, new: old + learning.follow * (new - old) if eqx.is_array(old) else old, agent.slow, nets.critics
    )
    return sac.Agent(nets, slow, memory), report
