"""Scores of the naming game, inside the compiled program: categories against truth, words against words, novel scenes.

All take labels as whole numbers. Chance is computed, not guessed: of two sets of messages by pairing every scene with
every other one, of a decoding by giving each hearer the message of another scene.
"""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ._sampler import orders

__all__ = ["Told", "agreement", "matched", "rand_index", "said_best", "told", "understood"]

Labels = Int[Array, "scene"]


def _table(a: Labels, b: Labels, size: int) -> Float[Array, "a b"]:
    """How often each pair of labels occurs."""
    return jax.nn.one_hot(a, size).T @ jax.nn.one_hot(b, size)


def rand_index(a: Labels, b: Labels, size: int) -> Float[Array, ""]:
    """Adjusted Rand index (Hubert and Arabie 1985) of two groupings: 1 if equal but for names, 0 as by chance.

    Args:
        a, b: labels 0 .. size - 1.
        size: how many labels there may be.
    """
    both = _table(a, b, size)
    pairs = lambda n: (n * (n - 1) / 2).sum()  # noqa: E731
    together, one, other = pairs(both), pairs(both.sum(axis=1)), pairs(both.sum(axis=0))
    expected = one * other / (len(a) * (len(a) - 1) / 2)
    room = (one + other) / 2 - expected
    # No room: both put all scenes into one group, or each scene into its own.
    return jnp.where(room > 0, (together - expected) / jnp.where(room > 0, room, 1.0), 1.0)


def matched(kinds: Labels, truth: Labels, size: int) -> Int[Array, "category"]:
    """The true category that each of an agent's categories stands for: the one-to-one naming that fits most scenes.

    All size! namings are tried; up to six categories that is cheap.
    """
    names = np.array(list(permutations(range(size))))
    fit = _table(kinds, truth, size)[np.arange(size), names].sum(axis=1)
    return jnp.asarray(names)[fit.argmax()].astype(jnp.int32)


def agreement(
    a: Int[Array, "scene slot"], b: Int[Array, "scene slot"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Share of scenes for which two agents hold the same words in whatever order, and the same for scenes at random.

    The second is exact: the mean over all pairs of a scene of one and a scene of the other.
    """
    x, y = jnp.sort(a, axis=1), jnp.sort(b, axis=1)
    same = (x[:, None] == y[None]).all(axis=-1)
    return jnp.diagonal(same).mean(), same.mean()


def said_best(
    phi: Float[Array, "modality word category"], psi: Float[Array, "word modality"], kinds: Int[Array, "scene modality"]
) -> Int[Array, "scene modality"]:
    """The likeliest word for each modality's category."""
    fit = phi * psi.T[..., None]
    best = fit.argmax(axis=1)  # modality category
    return jax.vmap(lambda row: best[jnp.arange(len(best)), row])(kinds).astype(jnp.int32)


def understood(
    phi: Float[Array, "modality word category"], psi: Float[Array, "word modality"], said: Int[Array, "scene slot"]
) -> Int[Array, "scene modality"]:
    """Categories that a hearer makes of words alone: who owns which word, then what it stands for there."""
    order = orders(psi.shape[1])
    own = psi[said]  # scene slot modality
    best = own[:, np.arange(order.shape[1]), order].prod(axis=-1).argmax(axis=1)
    words = jnp.take_along_axis(said, jnp.asarray(np.argsort(order, axis=1))[best], axis=1)
    meant = phi.argmax(axis=-1)  # modality word
    return jax.vmap(lambda row: meant[jnp.arange(len(meant)), row])(words).astype(jnp.int32)


class Told(NamedTuple):
    """What came of telling about scenes that the hearer does not see.

    Attributes:
        whole: share of scenes of which every modality was understood.
        part: share of modalities understood.
        miss: root mean squared distance, a sense, of the imagined from the true mean of the scene in the hearer's
            senses.
    """

    whole: Float[Array, ""]
    part: Float[Array, ""]
    miss: Float[Array, ""]


def told(
    heard: Int[Array, "scene modality"],
    names: Int[Array, "modality category"],
    truth: Int[Array, "scene modality"],
    means: Float[Array, "modality category sense"],
    true_means: Float[Array, "modality category sense"],
) -> Told:
    """How well a hearer understood.

    Args:
        heard: the hearer's categories.
        names: true categories that they stand for, by `matched`.
        truth: true categories.
        means: where the hearer believes its categories to be.
        true_means: where the true ones are in its senses.
    """
    at = jnp.arange(names.shape[0])
    right: Bool[Array, "scene modality"] = names[at, heard] == truth
    off = means[at, heard] - true_means[at, truth]
    return Told(right.all(axis=1).mean(), right.mean(), jnp.sqrt((off**2).mean()))
