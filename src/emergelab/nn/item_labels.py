"""Sequences of items and labels, the task of the in-context learning studies.

A sequence is x1 l1 x2 l2 ... xN lN x: N items, each followed by its class's label, then an item to be
labelled. Items are noisy copies of class means; class k carries label k mod L, so several classes may share
a label. A sequence is *bursty* if the class of the last item stands in the context (its label can be
copied), and *novel* if its classes were made up for this sequence alone (its label can only be copied).

Classes are drawn by inverse distribution function, O(log K) a draw: Gumbel noise over K logits costs more
than the gradient step it feeds. The number of classes in use, their prior, the noise and the mixture are
traced, so all conditions of a study share one program. Follows Reddy, "The mechanistic basis of data
dependence and abrupt learning in an in-context classification task" (2023,
https://arxiv.org/abs/2312.03002).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

__all__ = ["Prior", "Sequences", "Table", "bursty", "draw", "prior", "table", "unsupported"]


class Table(NamedTuple):
    """The vectors behind classes and labels, both of squared length about 1."""

    means: Float[Array, "classes dim"]
    labels: Float[Array, "label dim"]


class Prior(NamedTuple):
    """How often each class occurs, as a distribution function over classes sorted by label.

    Sorted so, the classes of one label are neighbours, and a draw among the classes of one label needs no
    second table.
    """

    cdf: Float[Array, "classes"]
    start: Float[Array, "label"]
    end: Float[Array, "label"]


class Sequences(NamedTuple):
    """A batch of sequences. Tokens 0, 2, ... 2N are items, tokens 1, 3, ... 2N-1 are labels."""

    content: Float[Array, "batch token dim"]
    labels: Int[Array, "batch item"]
    target: Int[Array, "batch"]
    match: Bool[Array, "batch item"]


def table(key: PRNGKeyArray, classes: int, labels: int, dim: int) -> Table:
    """Class means and label vectors with independent entries N(0, 1/dim)."""
    of_means, of_labels = jax.random.split(key)
    return Table(_vectors(of_means, (classes, dim)), _vectors(of_labels, (labels, dim)))


def _vectors(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "..."]:
    return jax.random.normal(key, shape) * shape[-1] ** -0.5


def prior(k: Int[Array, ""] | int, alpha: Float[Array, ""] | float, classes: int, labels: int) -> Prior:
    """The prior p(i) proportional to (i + 1)^-alpha over classes i < k.

    Args:
        k: number of classes in use, traced; a multiple of `labels`, at most `classes`.
        alpha: exponent of Zipf's law; 0 makes all classes equally likely.
        classes: rows of the class table, a multiple of `labels`.
        labels: number of labels.
    """
    index = _sorted_class(jnp.arange(classes), classes, labels)
    weight = jnp.where(index < k, (index + 1.0) ** -alpha, 0.0)
    cdf = jnp.cumsum(weight)
    end = cdf.reshape(labels, -1)[:, -1]
    return Prior(cdf, jnp.concatenate([jnp.zeros(1), end[:-1]]), end)


def _sorted_class(place: Int[Array, "..."], classes: int, labels: int) -> Int[Array, "..."]:
    """The class at a place of the order by label: place (l, j) holds class j * labels + l."""
    synonyms = classes // labels
    return place % synonyms * labels + place // synonyms


def _classes_at(mass: Float[Array, "*shape"], p: Prior) -> Int[Array, "*shape"]:
    """The classes at these values of the distribution function."""
    place = jnp.searchsorted(p.cdf, mass, side="right", method="scan")
    return _sorted_class(place, p.cdf.shape[0], p.end.shape[0])


def _below(end: Float[Array, "..."], value: Float[Array, "..."]) -> Float[Array, "..."]:
    """`value`, kept below `end`: rounding may lift a draw to where the next range begins."""
    return jnp.minimum(value, jnp.nextafter(end, 0.0))


def draw(key: PRNGKeyArray, p: Prior, shape: tuple[int, ...]) -> Int[Array, "..."]:
    """Independent classes from the prior."""
    end = p.cdf[-1]
    return _classes_at(_below(end, jax.random.uniform(key, shape) * end), p)


def _draw_of_others(key: PRNGKeyArray, p: Prior, taken: Bool[Array, "batch label"]) -> Int[Array, "batch"]:
    """One class a sequence from the prior, given that its label is not among those taken."""
    u, v = jax.random.uniform(key, (2, taken.shape[0]))
    open_end = jnp.cumsum(jnp.where(taken, 0.0, p.end - p.start), axis=1)
    u = _below(open_end[:, -1], u * open_end[:, -1])
    label = jnp.sum(open_end <= u[:, None], axis=1)
    start, end = p.start[label], p.end[label]
    return _classes_at(_below(end, start + v * (end - start)), p)


def _distinct(key: PRNGKeyArray, p: Prior, batch: int, n: int) -> Int[Array, "batch n"]:
    """n classes a sequence, no two of the same label: each from the prior given the labels before it."""
    labels = p.end.shape[0]
    taken = jnp.zeros((batch, labels), bool)
    out = []
    for k in jax.random.split(key, n):
        out.append(_draw_of_others(k, p, taken))
        taken |= jax.nn.one_hot(out[-1] % labels, labels, dtype=bool)
    return jnp.stack(out, axis=1)


def _shuffled(key: PRNGKeyArray, batch: int, items: int, burst: int) -> Int[Array, "batch item"]:
    """Which of the items // burst classes stands where, each `burst` times. Ranks need no sorting."""
    u = jax.random.uniform(key, (batch, items))
    return jnp.sum(u[:, :, None] > u[:, None, :], axis=2) // burst


def _pack(
    key: PRNGKeyArray,
    t: Table,
    means: Float[Array, "batch item dim"],
    labels: Int[Array, "batch item"],
    noise: Any,
) -> Float[Array, "batch token dim"]:
    """Interleave noisy items and labels; the last label is left out, for it is asked for."""
    items = (means + noise * _vectors(key, means.shape)) * jax.lax.rsqrt(1.0 + jnp.square(noise))
    pairs = jnp.stack([items, t.labels[labels]], axis=2)
    return pairs.reshape(means.shape[0], -1, means.shape[2])[:, :-1]


def bursty(
    key: PRNGKeyArray,
    t: Table,
    p: Prior,
    *,
    batch: int,
    items: int,
    burst: int,
    p_bursty: Float[Array, ""] | float = 1.0,
    p_novel: Float[Array, ""] | float = 0.0,
    meanings: Int[Array, ""] | int = 1,
    noise: Float[Array, ""] | float = 0.1,
    swap: int = 0,
    distinct: bool = False,
) -> Sequences:
    """Sequences of which a share is bursty; in the others all items are independent draws from the prior.

    Args:
        t, p: vectors and prior of the classes.
        batch: number of sequences.
        items: items in the context, N; a multiple of `burst`.
        burst: how often each class of a bursty context occurs, B.
        p_bursty: share of bursty sequences, traced.
        p_novel: share of the bursty sequences whose classes are fresh random vectors with random labels,
            traced.
        meanings: labels that a class may carry, one of them in each sequence: its own and those after it, traced.
        noise: standard deviation of an item around its class mean, relative to the classes' own, traced.
        swap: added to the label of every class (mod L): 1 makes what was learnt in weights wrong.
        distinct: the classes of a bursty context have different labels.
    """
    ks = jax.random.split(key, 10)
    count, labels = items // burst, t.labels.shape[0]
    known = _distinct(ks[0], p, batch, count) if distinct else draw(ks[0], p, (batch, count))
    free = draw(ks[1], p, (batch, items + 1))
    which = jax.random.randint(ks[9], (batch, items + 1), 0, meanings)
    is_bursty = jax.random.uniform(ks[2], (batch, 1)) < p_bursty
    is_novel = is_bursty & (jax.random.uniform(ks[3], (batch, 1)) < p_novel)

    asked = jax.random.randint(ks[4], (batch, 1), 0, count)
    slot = jnp.concatenate([_shuffled(ks[5], batch, items, burst), asked], axis=1)
    if distinct:
        even = prior(labels, 0.0, labels, labels)
        made_up = _distinct(ks[6], even, batch, count)
    else:
        made_up = jax.random.randint(ks[6], (batch, count), 0, labels)
    fresh = _vectors(ks[7], (batch, count, t.means.shape[1]))

    index = jnp.where(is_bursty, jnp.take_along_axis(known, slot, axis=1), free)
    # items of one class in a bursty context mean the same
    meaning = jnp.where(is_bursty, jnp.take_along_axis(which, slot, axis=1), which)
    label = jnp.where(is_novel, jnp.take_along_axis(made_up, slot, axis=1), (index + meaning + swap) % labels)
    mean = jnp.where(is_novel[..., None], jnp.take_along_axis(fresh, slot[..., None], axis=1), t.means[index])
    same = jnp.where(is_novel, slot[:, :-1] == asked, index[:, :-1] == index[:, -1:])
    return Sequences(_pack(ks[8], t, mean, label, noise), label[:, :-1], label[:, -1], same)


def unsupported(
    key: PRNGKeyArray, t: Table, p: Prior, *, batch: int, items: int, noise: Float[Array, ""] | float = 0.1
) -> Sequences:
    """Sequences whose context gives no help: no item of the last item's class, nor any of its label.

    The last item is drawn from the prior, and so is the context, given that it avoids that label. Only what
    the network holds in its weights can answer.
    """
    ks = jax.random.split(key, 3)
    labels = t.labels.shape[0]
    asked = draw(ks[0], p, (batch,))
    taken = jnp.repeat(jax.nn.one_hot(asked % labels, labels, dtype=bool), items, axis=0)
    context = _draw_of_others(ks[1], p, taken).reshape(batch, items)
    index = jnp.concatenate([context, asked[:, None]], axis=1)
    label = index % labels
    content = _pack(ks[2], t, t.means[index], label, noise)
    return Sequences(content, label[:, :-1], label[:, -1], jnp.zeros((batch, items), bool))
