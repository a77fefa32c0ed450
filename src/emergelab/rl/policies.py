"""What an agent may do, as a distribution: one of several actions, or a vector of real numbers.

Two pytrees with the same four functions (`sample`, `mode`, `log_prob`, `entropy`), so that learners need not know which
of the two a world asks for. Leading axes are of any number: agents, time.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

__all__ = ["Categorical", "Normal", "Policy", "allowed"]


class Categorical(eqx.Module):
    """One of several actions.

    Attributes:
        logits: log-probabilities up to a constant.
    """

    logits: Float[Array, "*batch action"]

    def sample(self, key: PRNGKeyArray) -> Int[Array, "*batch"]:
        return jax.random.categorical(key, self.logits)

    def mode(self) -> Int[Array, "*batch"]:
        return jnp.argmax(self.logits, -1)

    def log_prob(self, action: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
        return jnp.take_along_axis(jax.nn.log_softmax(self.logits), action[..., None], -1)[..., 0]

    def entropy(self) -> Float[Array, "*batch"]:
        """In nats."""
        log = jax.nn.log_softmax(self.logits)
        # An action that is ruled out has probability 0 and a log-probability far below: their product is 0.
        return -jnp.sum(jnp.exp(log) * log, -1)


class Normal(eqx.Module):
    """A vector of independent normal numbers.

    Attributes:
        mean: of each number.
        log_std: logarithm of the standard deviation of each.
    """

    mean: Float[Array, "*batch action"]
    log_std: Float[Array, "*batch action"]

    def sample(self, key: PRNGKeyArray) -> Float[Array, "*batch action"]:
        return self.mean + jnp.exp(self.log_std) * jax.random.normal(key, self.mean.shape)

    def mode(self) -> Float[Array, "*batch action"]:
        return self.mean

    def log_prob(self, action: Float[Array, "*batch action"]) -> Float[Array, "*batch"]:
        z = (action - self.mean) * jnp.exp(-self.log_std)
        return -jnp.sum(0.5 * z**2 + self.log_std + 0.5 * math.log(2 * math.pi), -1)

    def entropy(self) -> Float[Array, "*batch"]:
        """In nats; below 0 if the distribution is narrow enough."""
        return jnp.sum(self.log_std + 0.5 * math.log(2 * math.pi * math.e), -1)


Policy = Categorical | Normal


def allowed(policy: Categorical, may: Bool[Array, "*batch action"]) -> Categorical:
    """The same policy without the actions that are ruled out; where all are, nothing is.

    Args:
        policy: over all actions.
        may: which are allowed.
    """
    free = may | ~jnp.any(may, -1, keepdims=True)
    return Categorical(jnp.where(free, policy.logits, -1e9))
