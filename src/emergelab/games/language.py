"""How a code is built, measured inside a compiled program: what positions say, and whether like things sound alike.

The instrument `language_metrics` asks the same of recorded messages, with tests and intervals; these functions are for
curves: observables of a system, cheap enough for every record time. Both agree to rounding, which a test holds.

A code is a table of words [item, position] over symbols 0 .. symbols - 1 with messages of one length; meanings are
[item, attribute] over values 0 .. values - 1. Where a number is undefined (a code that says one thing for
everything) it is NaN. Chance is not 0: `relabelled` says what a measure gives when items swap their messages.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

__all__ = [
    "bosdis", "coverage", "distinct", "edits", "entropies", "information", "information_gap", "posdis",
    "posdis_by_position", "relabelled", "topsim",
]  # fmt: skip

Words = Int[Array, "item position"]
Meanings = Int[Array, "item attribute"]

_NONE = 1e-6  # nats: information or entropy below is none


def entropies(codes: Int[Array, "item column"], size: int) -> Float[Array, "column"]:
    """Plug-in entropy of every column, in nats; entries lie in 0 .. size - 1."""
    share = jax.nn.one_hot(codes, size).mean(axis=0)
    return -(share * jnp.log(jnp.maximum(share, 1e-30))).sum(axis=-1)


def information(
    codes: Int[Array, "item column"], size: int, meanings: Meanings, values: int
) -> Float[Array, "column attribute"]:
    """Plug-in mutual information of every column of a code with every attribute, in nats.

    It is biased upwards by about (size - 1)(values - 1) / (2 items).
    """
    x, y = jax.nn.one_hot(codes, size), jax.nn.one_hot(meanings, values)
    joint = jnp.einsum("ncs,nav->casv", x, y) / len(codes)
    apart = jnp.einsum("cs,av->casv", x.mean(axis=0), y.mean(axis=0))
    ratio = jnp.where(joint > 0, joint / jnp.where(apart > 0, apart, 1.0), 1.0)
    return jnp.maximum((joint * jnp.log(ratio)).sum(axis=(2, 3)), 0.0)


def _gaps(shared: Float[Array, "column attribute"]) -> tuple[Float[Array, "column"], Float[Array, "column"]]:
    """The largest and the second largest information of every column."""
    top = jax.lax.top_k(shared, 2)[0]
    return top[:, 0], top[:, 1]


def _gap(codes: Int[Array, "item column"], size: int, meanings: Meanings, values: int) -> Float[Array, ""]:
    first, second = _gaps(information(codes, size, meanings, values))
    own = entropies(codes, size)
    varies = own > _NONE
    share = jnp.where(varies, (first - second) / jnp.where(varies, own, 1.0), 0.0)
    return jnp.where(varies.any(), share.sum() / jnp.maximum(varies.sum(), 1), jnp.nan)


def posdis(words: Words, symbols: int, meanings: Meanings, values: int) -> Float[Array, ""]:
    """Positional disentanglement (Chaabouni et al. 2020): 1 if every position speaks of one attribute alone.

    The mean over positions that vary of (information about the best attribute - the second best) / entropy of the
    position. Needs two attributes or more.
    """
    return _gap(words, symbols, meanings, values)


def bosdis(words: Words, symbols: int, meanings: Meanings, values: int) -> Float[Array, ""]:
    """The same for how often each symbol occurs, wherever it stands: disentanglement of a bag of symbols."""
    counts = jax.nn.one_hot(words, symbols, dtype=jnp.int32).sum(axis=1)
    return _gap(counts, words.shape[1] + 1, meanings, values)


def posdis_by_position(words: Words, symbols: int, meanings: Meanings, values: int) -> Float[Array, "position"]:
    """(best - second best) / best of every position, 0 where the best is nothing (Kaszynski 2026).

    Divided by what the position says rather than by what it could say: a position that says next to nothing counts as
    fully as one that says all. Read it beside `coverage`.
    """
    first, second = _gaps(information(words, symbols, meanings, values))
    return jnp.where(first > _NONE, (first - second) / jnp.where(first > _NONE, first, 1.0), 0.0)


def coverage(words: Words, symbols: int, meanings: Meanings, values: int) -> Float[Array, ""]:
    """How well the worst-told attribute is told by its best position: a share of the attribute's entropy, 0 to 1."""
    shared = information(words, symbols, meanings, values)
    return (shared.max(axis=0) / entropies(meanings, values)).min()


def information_gap(words: Words, symbols: int, meanings: Meanings, values: int) -> Float[Array, ""]:
    """Mean over attributes of (best position - second best) / entropy of the attribute: 0 if all is said twice."""
    first, second = _gaps(information(words, symbols, meanings, values).T)
    return ((first - second) / entropies(meanings, values)).mean()


def distinct(words: Words) -> Int[Array, ""]:
    """How many different messages there are."""
    same = (words[:, None] == words[None]).all(axis=-1)
    return (~jnp.tril(same, -1).any(axis=1)).sum()


def topsim(words: Words, meanings: Meanings, distance: Float[Array, "item item"] | None = None) -> Float[Array, ""]:
    """Topographic similarity (Brighton and Kirby 2006): do like meanings have like messages?

    Spearman's correlation, over all pairs of items, of the distance of meanings with the edit distance of messages
    (Levenshtein; all messages have one length).

    Args:
        words: the code.
        meanings: what is said.
        distance: between meanings; how many attributes differ (Hamming), if not given.
    """
    one, other = np.triu_indices(len(words), 1)
    changes = edits(words[one], words[other])
    far = (meanings[one] != meanings[other]).sum(axis=-1) if distance is None else distance[one, other]
    x, y = _ranks(changes.astype(jnp.float32)), _ranks(far.astype(jnp.float32))
    spread = jnp.sqrt((x**2).mean() * (y**2).mean())
    return jnp.where(spread > 0, (x * y).mean() / jnp.where(spread > 0, spread, 1.0), jnp.nan)


def _ranks(x: Float[Array, "pair"]) -> Float[Array, "pair"]:
    """Ranks with ties in the middle, as shares, their mean subtracted."""
    ordered = jnp.sort(x)
    below, upto = (jnp.searchsorted(ordered, x, side=s) for s in ("left", "right"))
    return (below + upto) / (2.0 * len(x)) - 0.5


def edits(a: Int[Array, "pair position"], b: Int[Array, "pair position"]) -> Int[Array, "pair"]:
    """Levenshtein distance of each pair, row by row of the usual table; positions are few, so it is written out."""
    length = a.shape[1]
    row = [jnp.full(len(a), j, jnp.int32) for j in range(length + 1)]
    for i in range(length):
        new = [jnp.full(len(a), i + 1, jnp.int32)]
        for j in range(length):
            swap = row[j] + (a[:, i] != b[:, j])
            new.append(jnp.minimum(jnp.minimum(row[j + 1], new[j]) + 1, swap))
        row = new
    return row[length]


def relabelled(
    measure: Callable[[Words], Float[Array, ""]], words: Words, key: PRNGKeyArray, draws: int = 16
) -> Float[Array, "draw"]:
    """What a measure gives when items swap their messages: its level by chance for this very set of messages.

    Args:
        measure: of a code, for instance `lambda w: posdis(w, 10, meanings, 8)`.
        words: the code.
        key: of the relabellings.
        draws: how many.
    """
    return jax.lax.map(lambda k: measure(jax.random.permutation(k, words)), jax.random.split(key, draws))

