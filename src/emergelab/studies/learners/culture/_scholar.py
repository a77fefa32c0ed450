"""A player that forgets nothing: what could be had from watching and guessing, as a ceiling for networks."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from emergelab.rl.networks import ActorCritic
from emergelab.rl.policies import Categorical, Policy

CERTAIN, BELIEVED = 30.0, 15.0


class Notes(NamedTuple):
    """What a scholar has written down.

    Attributes:
        found: of each symbol at each position: 1 is right, -1 wrong, 0 not tried.
        position: at which the last guess was made.
    """

    found: Float[Array, "batch position symbol"]
    position: Int[Array, "batch"]


class Scholar(ActorCritic):
    """Guesses what it knows to be right, else never what it knows to be wrong; where nothing is known it believes the
    best of the others, if it sees them. An actor-critic like any other, but for having nothing to learn.

    Attributes:
        symbols, length, others: of the world.
    """

    symbols: int = eqx.field(static=True)
    length: int = eqx.field(static=True)
    others: int = eqx.field(static=True)

    @property
    def remembers(self) -> bool:
        return True

    def rest(self, batch: int) -> Notes:
        return Notes(jnp.zeros((batch, self.length, self.symbols)), jnp.zeros(batch, jnp.int32))

    def __call__(
        self, memory: Notes, seen: Float[Array, "batch input"], fresh: Bool[Array, "batch"]
    ) -> tuple[Notes, Policy, Float[Array, "batch"]]:
        k = self.symbols
        old = jax.tree.map(lambda x: jnp.where(fresh.reshape(-1, *[1] * (x.ndim - 1)), 0, x), memory)
        own, ended, reward = seen[:, :k], seen[:, k] > 0, seen[:, k + 1]
        best = seen[:, k + 2 + (self.others - 1) * k : k + 2 + self.others * k]
        here = jax.nn.one_hot(old.position, self.length)[..., None] * own[:, None]
        found = jnp.where(here > 0, reward[:, None, None], old.found)
        acted = jnp.sum(own, 1) > 0
        position = jnp.where(acted, jnp.where(ended, 0, jnp.minimum(old.position + 1, self.length - 1)), old.position)
        known = jnp.take_along_axis(found, position[:, None, None], 1)[:, 0]
        logits = CERTAIN * known + BELIEVED * best
        return Notes(found, position.astype(jnp.int32)), Categorical(logits), jnp.zeros(seen.shape[0])
