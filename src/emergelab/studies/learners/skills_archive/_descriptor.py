"""A description of pictures that is learnt: an autoencoder, its training, and how well it orders distances."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.rl.advantages import Number
from emergelab.rl.sac import Layers
from emergelab.training import announced

from ._archive import drawn

__all__ = ["Autoencoder", "Descriptor", "new", "ordered", "surprise", "trained"]


class Autoencoder(eqx.Module):
    """From a picture to a few numbers and back."""

    encode: Layers
    decode: Layers

    def __init__(self, key: PRNGKeyArray, pixels: int, width: int, code: int):
        of_encoder, of_decoder = jax.random.split(key)
        self.encode = Layers(of_encoder, (pixels, width, code))
        self.decode = Layers(of_decoder, (code, width, pixels))


class Descriptor(NamedTuple):
    """The autoencoder and its optimiser's memory."""

    net: Autoencoder
    memory: optax.OptState


def new(key: PRNGKeyArray, pixels: int, width: int, code: int) -> Descriptor:
    """A descriptor that has not learnt anything."""
    net = Autoencoder(key, pixels, width, code)
    return Descriptor(net, optax.scale_by_adam().init(eqx.filter(net, eqx.is_inexact_array)))


def surprise(net: Autoencoder, shown: Float[Array, "picture pixel"]) -> Float[Array, "picture"]:
    """Mean square of what a reconstruction lacks."""
    return jnp.mean((net.decode(net.encode(shown)) - shown) ** 2, -1)


def trained(
    descriptor: Descriptor,
    shown: Float[Array, "picture pixel"],
    full: Bool[Array, "picture"],
    key: PRNGKeyArray,
    rate: Number,
    updates: int,
    batch: int,
) -> Descriptor:
    """After so many gradient steps of Adam, each on pictures drawn from those that are there."""
    rows = drawn(full, jax.random.uniform(key, (updates, batch)))

    def update(descriptor: Descriptor, some: Int[Array, "picture"]) -> tuple[Descriptor, None]:
        net, memory = descriptor
        gradient = announced("grad", jax.grad(lambda net: jnp.mean(surprise(net, shown[some])))(net))
        direction, memory = optax.scale_by_adam().update(gradient, memory, net)
        step = announced("update", jax.tree.map(lambda d: (-rate * d).astype(d.dtype), direction))
        return Descriptor(optax.apply_updates(net, step), memory), None

    return jax.lax.scan(update, descriptor, rows)[0]


def ordered(code: Float[Array, "probe code"], place: Float[np.ndarray, "probe 2"]) -> Float[Array, ""]:
    """Spearman's rank correlation of distances between codes and straight distances between places, over all pairs.

    Places lie on a grid, where many distances are equal: these share their mean rank. Codes have hardly any ties.
    """
    one, other = np.triu_indices(len(place), 1)
    true = np.linalg.norm(place[one] - place[other], axis=-1).round(4)
    _, which, counts = np.unique(true, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2 - 1)[which]
    rank = ((rank - rank.mean()) / rank.std()).astype(np.float32)
    apart = jnp.sqrt(jnp.sum((code[one] - code[other]) ** 2, -1))
    # The one that comes i-th has rank i, so the ranks themselves are never needed.
    own = np.arange(len(rank), dtype=np.float32)
    own = (own - own.mean()) / own.std()
    # Nothing is ordered by a code that is the same everywhere.
    return jnp.where(jnp.ptp(apart) > 0, jnp.mean(own * jnp.asarray(rank)[jnp.argsort(apart)]), 0.0)
