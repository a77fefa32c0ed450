"""Discrete messages between networks: how symbols are uttered, travel, end, and how a speaker learns from success.

A speaker gives logits for every position; a way of speaking turns them into symbols, one-hot vectors that a listener
reads. Three ways:

    Relaxed(temperature)   drawn, and the gradient of the listener's loss flows back through a softened draw
                           (Gumbel-softmax with the straight-through estimator; Jang et al. 2017, Maddison et al. 2017)
    Drawn()                drawn, and no gradient passes: the speaker learns from rewards (`reinforce`, Williams 1992)
    Likeliest()            the most probable symbol: for measuring

On its way a message is announced as sites, so that it can be read, silenced, exchanged or replaced:

    message      all positions, [*lead, position, symbol]
    message.I    position I of them, [*lead, symbol]

Messages may end early: with `ends`, symbol 0 closes a message, what stands behind it is not heard, and the length is
the number of symbols up to and including the end.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab import site

__all__ = [
    "Baseline", "Drawn", "Likeliest", "Relaxed", "Way", "alive", "delivered", "entropy", "leave_one_out", "lengths",
    "log_probability", "noisy", "reinforce", "words",
]  # fmt: skip

Symbols = Float[Array, "*lead position symbol"]
Scalar = Float[Array, ""] | float


class Way(eqx.Module):
    """How a symbol comes from the logits of its position."""

    @abc.abstractmethod
    def __call__(self, logits: Float[Array, "*lead symbol"], key: PRNGKeyArray) -> Float[Array, "*lead symbol"]:
        """One-hot symbols, one for each row of logits."""


class Relaxed(Way):
    """A draw that lets gradients through: one-hot forwards, softmax((logits + Gumbel noise) / temperature) backwards.

    Attributes:
        temperature: above 0; the lower, the closer the gradient's path is to the draw, and the noisier.
        hard: whether what travels is one-hot; else the softened draw itself travels. May be traced (a warm-up).
    """

    temperature: Scalar = 1.0
    hard: Bool[Array, ""] | bool = True

    def __call__(self, logits: Float[Array, "*lead symbol"], key: PRNGKeyArray) -> Float[Array, "*lead symbol"]:
        soft = jax.nn.softmax((logits + jax.random.gumbel(key, logits.shape)) / self.temperature, axis=-1)
        straight = _one_hot(soft) + soft - jax.lax.stop_gradient(soft)
        return jnp.where(self.hard, straight, soft)


class Drawn(Way):
    """A draw from the softmax of the logits; no gradient passes."""

    def __call__(self, logits: Float[Array, "*lead symbol"], key: PRNGKeyArray) -> Float[Array, "*lead symbol"]:
        drawn = jax.random.categorical(key, logits, axis=-1)
        return jax.nn.one_hot(drawn, logits.shape[-1], dtype=logits.dtype)


class Likeliest(Way):
    """The symbol with the largest logit; the key is not used and no gradient passes."""

    def __call__(self, logits: Float[Array, "*lead symbol"], key: PRNGKeyArray) -> Float[Array, "*lead symbol"]:
        return _one_hot(logits)


def _one_hot(scores: Float[Array, "*lead symbol"]) -> Float[Array, "*lead symbol"]:
    best = jax.lax.stop_gradient(scores).argmax(axis=-1)
    return jax.nn.one_hot(best, scores.shape[-1], dtype=scores.dtype)


# -- on its way -------------------------------------------------------------------------------------------------------


def delivered(symbols: Symbols) -> Symbols:
    """What arrives of a message. Sites: `message`, then `message.I` for every position I."""
    symbols = site("message", symbols)
    positions = [site(f"message.{i}", symbols[..., i, :]) for i in range(symbols.shape[-2])]
    return jnp.stack(positions, axis=-2)


def noisy(symbols: Symbols, rate: Scalar, key: PRNGKeyArray) -> Symbols:
    """Each symbol becomes, with probability `rate`, one of the others, all equally likely.

    Args:
        symbols: one-hot.
        rate: from 0 to 1; may be traced.
        key: of the noise.
    """
    size = symbols.shape[-1]
    of_place, of_shift = jax.random.split(key)
    hit = jax.random.bernoulli(of_place, rate, symbols.shape[:-1])
    shift = jax.random.randint(of_shift, symbols.shape[:-1], 1, max(size, 2))
    other = jax.nn.one_hot((words(symbols) + shift) % size, size, dtype=symbols.dtype)
    return jnp.where(hit[..., None], other, symbols)


def words(symbols: Symbols) -> Int[Array, "*lead position"]:
    """The symbols' numbers."""
    return symbols.argmax(axis=-1).astype(jnp.int32)


def alive(symbols: Symbols, ends: bool = True) -> Float[Array, "*lead position"]:
    """1 up to and including the end of a message, 0 behind it; symbol 0 is the end.

    Gradients pass, so that with `Relaxed` a speaker can learn when to end.

    Args:
        symbols: one-hot or softened.
        ends: whether messages can end early; if not, all of each is heard.
    """
    if not ends:
        return jnp.ones(symbols.shape[:-1], symbols.dtype)
    goes_on = 1.0 - symbols[..., 0]
    before = jnp.concatenate([jnp.ones_like(goes_on[..., :1]), goes_on[..., :-1]], axis=-1)
    return jnp.cumprod(before, axis=-1)


def lengths(symbols: Symbols) -> Float[Array, "*lead"]:
    """Number of symbols up to and including the end, or of positions if a message does not end."""
    return alive(symbols).sum(axis=-1)


# -- learning to speak from rewards -----------------------------------------------------------------------------------


def log_probability(
    logits: Symbols, symbols: Symbols, heard: Float[Array, "*lead position"] | None = None
) -> Float[Array, "*lead"]:
    """Logarithm of the probability with which these logits give this message, in nats.

    Args:
        logits: of the speaker.
        symbols: one-hot, what was said.
        heard: of each position whether it counts (`alive`); all do if not given.
    """
    each = (jax.nn.log_softmax(logits, axis=-1) * jax.lax.stop_gradient(symbols)).sum(axis=-1)
    return (each if heard is None else each * jax.lax.stop_gradient(heard)).sum(axis=-1)


def entropy(logits: Symbols) -> Float[Array, "*lead position"]:
    """Entropy of what is said at each position given the meaning, in nats."""
    log = jax.nn.log_softmax(logits, axis=-1)
    return -(jnp.exp(log) * log).sum(axis=-1)


def reinforce(
    log_probabilities: Float[Array, "*lead"], rewards: Float[Array, "*lead"], baseline: Float[Array, "..."] | float
) -> Float[Array, ""]:
    """A number whose gradient is the policy gradient (Williams 1992), to be made smaller; no gradient to the rewards.

    Args:
        log_probabilities: of what was said.
        rewards: what came of it.
        baseline: what is expected anyhow: a number (`Baseline`) or one for each message (`leave_one_out`).
    """
    return -(jax.lax.stop_gradient(rewards - baseline) * log_probabilities).mean()


def leave_one_out(rewards: Float[Array, "batch"]) -> Float[Array, "batch"]:
    """For each message the mean reward of the others in the batch, of which there must be some."""
    return (rewards.sum() - rewards) / (rewards.shape[0] - 1)


class Baseline(eqx.Module):
    """The mean of all rewards so far, each batch counting once, as in EGG (Kharitonov et al. 2019)."""

    mean: Float[Array, ""]
    batches: Int[Array, ""]

    @staticmethod
    def none() -> Baseline:
        """Before the first reward: 0."""
        return Baseline(jnp.float32(0.0), jnp.int32(0))

    def after(self, rewards: Float[Array, "*lead"]) -> Baseline:
        """With one more batch of rewards."""
        n = self.batches + 1
        return Baseline(self.mean + (jax.lax.stop_gradient(rewards).mean() - self.mean) / n, n)
