"""Measures of a code for some of its objects: what `emergelab.games.language` has for all of them.

Worlds of different sizes share one compiled program if all have the objects of the largest and a mask says which exist.
Topographic similarity is read off the table of how often each pair of distances occurs, without sorting pairs.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.games.language import edits

__all__ = ["bosdis", "distinct", "posdis", "swapped", "topsim"]

Words = Int[Array, "object position"]
Meanings = Int[np.ndarray, "object attribute"]
Exists = Bool[Array, "object"]

_NONE = 1e-6  # nats: entropy below is none


def _entropy(share: Float[Array, "... k"]) -> Float[Array, "..."]:
    return -(share * jnp.log(jnp.maximum(share, 1e-30))).sum(axis=-1)


def _gap(codes: Int[Array, "object column"], size: int, meanings: Meanings, exists: Exists) -> Float[Array, ""]:
    """Mean over columns that vary of (best - second best information) / entropy; NaN if none does."""
    weight = exists / jnp.maximum(exists.sum(), 1)
    x = jax.nn.one_hot(codes, size)
    y = jax.nn.one_hot(jnp.asarray(meanings), int(meanings.max()) + 1)
    joint = jnp.einsum("n,ncs,nav->casv", weight, x, y)
    own, meant = _entropy(joint.sum(axis=3)[:, 0]), _entropy(joint.sum(axis=2)[0])
    both = _entropy(joint.reshape(*joint.shape[:2], -1))
    shared = jnp.maximum(own[:, None] + meant[None] - both, 0.0)
    top = jax.lax.top_k(shared, 2)[0]
    varies = own > _NONE
    each = jnp.where(varies, (top[:, 0] - top[:, 1]) / jnp.where(varies, own, 1.0), 0.0)
    return jnp.where(varies.any(), each.sum() / jnp.maximum(varies.sum(), 1), jnp.nan)


def posdis(words: Words, symbols: int, meanings: Meanings, exists: Exists) -> Float[Array, ""]:
    """Positional disentanglement (Chaabouni et al. 2020) over the objects that exist."""
    return _gap(words, symbols, meanings, exists)


def bosdis(words: Words, symbols: int, meanings: Meanings, exists: Exists) -> Float[Array, ""]:
    """The same for how often each symbol occurs in a message."""
    counts = jax.nn.one_hot(words, symbols, dtype=jnp.int32).sum(axis=1)
    return _gap(counts, words.shape[1] + 1, meanings, exists)


def distinct(words: Words, exists: Exists) -> Int[Array, ""]:
    """How many different messages there are for the objects that exist."""
    same = (words[:, None] == words[None]).all(axis=-1) & exists[None]
    return (exists & ~jnp.tril(same, -1).any(axis=1)).sum()


def topsim(words: Words, meanings: Meanings, exists: Exists) -> Float[Array, ""]:
    """Topographic similarity over the objects that exist: Spearman's correlation of Hamming and edit distances."""
    one, other = np.triu_indices(len(words), 1)
    far = (meanings[one] != meanings[other]).sum(axis=1)
    changes = edits(words[one], words[other])
    counts = exists[one] & exists[other]
    table = jnp.einsum(
        "pe,pf->ef",
        jax.nn.one_hot(changes, words.shape[1] + 1) * counts[:, None],
        jax.nn.one_hot(far, meanings.shape[1] + 1),
    )
    table = table / jnp.maximum(table.sum(), 1.0)
    x, y = _middle(table.sum(axis=1)), _middle(table.sum(axis=0))
    spread = jnp.sqrt((table.sum(axis=1) * x**2).sum() * (table.sum(axis=0) * y**2).sum())
    return jnp.where(spread > 0, x @ table @ y / jnp.where(spread > 0, spread, 1.0), jnp.nan)


def _middle(share: Float[Array, "k"]) -> Float[Array, "k"]:
    """Middle rank of each value, as a share, minus a half."""
    return jnp.cumsum(share) - share / 2.0 - 0.5


def swapped(words: Words, exists: Exists, key: PRNGKeyArray) -> Words:
    """The code after the objects that exist have swapped their messages at random."""
    places = jnp.argsort(~exists, stable=True)
    order = jnp.argsort(jax.random.uniform(key, exists.shape) + jnp.where(exists, 0.0, 2.0))
    return jnp.where(exists[:, None], words.at[places].set(words[order]), words)
