"""What agents of the naming game draw: words from categories, categories from words and senses, tables from counts.

One agent holds, for each modality m, means of its categories, a table phi[m][w, k] = P(category k | word w is about m),
and psi[w, m] = P(w is about m). A message is as many words as there are modalities, each about another one, in an
order that is not told. Under a uniform prior over messages an agent's categories c of a scene then speak for message w
with the weight

    P(c | w) = sum over orders F of prod_i psi[w_i, F_i] phi[F_i][w_i, c^{F_i}].

A speaker who takes an order at random and draws for each modality a word in proportion to psi phi draws whole messages
in exactly that proportion, since the constants that it divides by belong to modalities, not to orders. That is why the
listener's own weights suffice for a Metropolis-Hastings step on both agents' posterior.

The functions take the random numbers that they use, uniform on [0, 1) or standard normal, rather than keys: a round
draws all of them at once.
"""

from __future__ import annotations

from itertools import permutations
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

__all__ = [
    "TINY", "TRIES", "chosen", "dirichlet", "distances", "drawn", "either", "grouped", "kept", "log_gamma",
    "means_given", "orders", "parts", "places", "spoken", "spoken_by_both", "tables", "weight",
    "weights_of_words", "whole",
]  # fmt: skip

TINY = 1e-30
"""Probabilities below are taken for this."""
TRIES = 6
"""Of a gamma variate."""

Kept = TypeVar("Kept", bound=PyTree)
Log = Float[Array, "scene word modality"]
Said = Int[Array, "scene slot"]


# -- drawing -----------------------------------------------------------------------------------------------------------


def chosen(chance: Float[Array, "*lead"], weights: Float[Array, "*lead option"]) -> Int[Array, "*lead"]:
    """An option of each row in proportion to its weights, by a uniform number each; a row of zeros gives the last."""
    # A product with a triangle, since the compiler would repeat a running sum in each place that reads it.
    upto = weights @ jnp.triu(jnp.ones((weights.shape[-1],) * 2))
    level = chance * upto[..., -1]
    return jnp.minimum((upto <= level[..., None]).sum(axis=-1), weights.shape[-1] - 1).astype(jnp.int32)


def either(chance: Float[Array, "*lead"], logs: Float[Array, "*lead option"]) -> Int[Array, "*lead"]:
    """The same for logarithms of weights."""
    return chosen(chance, jnp.exp(logs - logs.max(axis=-1, keepdims=True)))


def log_gamma(
    normal: Float[Array, "try n"], chance: Float[Array, "trial n"], shape: Float[Array, "n"]
) -> Float[Array, "n"]:
    """Logarithms of gamma variates (Marsaglia and Tsang 2000), all at once.

    A variate of shape a + 1, times u^(1/a), has shape a. Of the tries, each accepted with a chance above 0.95, the
    first accepted one counts; where none of six is, which happens once in 10^8, the first one.

    Args:
        normal: one row a try.
        chance: one row a try, and one more.
        shape: the shape parameters, > 0.
    """
    d = shape + 1.0 - 1.0 / 3.0
    v = (1.0 + normal / jnp.sqrt(9.0 * d)) ** 3
    log_v = jnp.log(jnp.maximum(v, TINY))
    log_u = jnp.log(jnp.maximum(chance, TINY))
    fits = (v > 0) & (log_u[1:] < 0.5 * normal**2 + d * (1.0 - v + log_v))
    first = jax.nn.one_hot(jnp.argmax(fits, axis=0), len(normal), axis=0)
    return jnp.log(d) + (first * log_v).sum(axis=0) + log_u[0] / shape


def dirichlet(
    normal: Float[Array, "try n"], chance: Float[Array, "trial n"], counts: Float[Array, "*lead option"]
) -> Float[Array, "*lead option"]:
    """Shares that sum to 1, from Dirichlet distributions whose parameters (> 0) are the last axis of `counts`."""
    return jax.nn.softmax(log_gamma(normal, chance, counts.ravel()).reshape(counts.shape), axis=-1)


# -- groups of points --------------------------------------------------------------------------------------------------


def distances(x: Float[Array, "scene sense"], means: Float[Array, "group sense"]) -> Float[Array, "scene group"]:
    """Squared distance of every point from every mean."""
    return jnp.sum((x[:, None] - means[None]) ** 2, axis=-1)


def grouped(
    chance: Float[Array, "group"], x: Float[Array, "scene sense"], rounds: int = 10
) -> tuple[Int[Array, "scene"], Float[Array, "group sense"]]:
    """k-means from a k-means++ start (Arthur and Vassilvitskii 2007).

    Args:
        chance: a uniform number for the start of each group.
        x: points.
        rounds: of reassigning and averaging; an empty group keeps its mean.
    """
    groups = len(chance)
    means = jnp.broadcast_to(x[whole(chance[0], len(x))], (groups, x.shape[1]))
    for k in range(1, groups):
        # Until it is chosen, a mean stands where the first one does and so changes no distance.
        means = means.at[k].set(x[chosen(chance[k], kept(distances(x, means).min(axis=1)))])

    def again(_: Int[Array, ""], means: Float[Array, "group sense"]) -> Float[Array, "group sense"]:
        own = jax.nn.one_hot(distances(x, means).argmin(axis=1), groups)
        size = own.sum(axis=0)[:, None]
        return jnp.where(size > 0, own.T @ x / jnp.maximum(size, 1.0), means)

    means = jax.lax.fori_loop(0, rounds, again, means)
    return distances(x, means).argmin(axis=1).astype(jnp.int32), means


# -- messages ----------------------------------------------------------------------------------------------------------


def orders(modalities: int) -> Int[np.ndarray, "order slot"]:
    """All orders in which modalities can be spoken of: row F holds the modality of each slot."""
    return np.array(list(permutations(range(modalities))), np.int32)


def weights_of_words(
    phi: Float[Array, "modality word category"],
    psi: Float[Array, "word modality"],
    kinds: Int[Array, "modality scene"],
) -> Log:
    """log psi[w, m] phi[m][w, c^m] for each scene: how well every word fits what an agent takes the scene for."""
    fit = jax.vmap(lambda table, c: table.T[c])(phi, kinds)  # modality scene word
    return jnp.log(jnp.maximum(jnp.moveaxis(fit, 0, -1) * psi, TINY))


def _by_order(logs: Log, said: Said) -> Float[Array, "scene order"]:
    order = orders(logs.shape[-1])
    mine = jax.vmap(lambda table, words: table[words])(logs, said)  # scene slot modality
    return mine[:, np.arange(order.shape[1]), order].sum(axis=-1)


def weight(logs: Log, said: Said) -> Float[Array, "scene"]:
    """log P(c | w) of each scene's message, up to what depends on neither."""
    return jax.nn.logsumexp(_by_order(logs, said), axis=-1)


def spoken(chance: Float[Array, "scene draw"], logs: Log) -> Said:
    """A message for each scene, drawn in proportion to P(c | w).

    Args:
        chance: a number for the word of each modality, and one for the order.
        logs: as `weights_of_words` gives them.
    """
    word = chosen(chance[:, :-1], jnp.exp(jnp.moveaxis(logs, 1, -1)))  # scene modality
    order = jnp.asarray(orders(logs.shape[-1]))
    return jnp.take_along_axis(word, order[whole(chance[:, -1], len(order))], axis=1)


def spoken_by_both(chance: Float[Array, "scene draw"], mine: Log, theirs: Log) -> Said:
    """A message for each scene, drawn in proportion to the product of both agents' P(c | w).

    That product is a sum over pairs of orders F, G of prod_i f[w_i, F_i] g[w_i, G_i]: a pair is drawn with its words
    summed out, then the word of each slot.

    Args:
        chance: a number for the word of each slot, and one for the pair of orders.
        mine, theirs: as `weights_of_words` gives them.
    """
    f, g = (jnp.exp(x - x.max(axis=(1, 2), keepdims=True)) for x in (mine, theirs))
    order = orders(mine.shape[-1])
    one, other = (jnp.asarray(np.repeat(order, len(order), axis=0)), jnp.asarray(np.tile(order, (len(order), 1))))
    summed = kept(jnp.log(jnp.maximum(jnp.einsum("swm,swn->smn", f, g), TINY)))
    pair = either(chance[:, -1], summed[:, one, other].sum(axis=-1))
    at = lambda x, of: jnp.take_along_axis(x, of[pair][:, None], axis=2)  # noqa: E731 - scene word slot
    return chosen(chance[:, :-1], jnp.moveaxis(at(f, one) * at(g, other), 1, -1))


# -- learning ----------------------------------------------------------------------------------------------------------


def places(chance: Float[Array, "scene"], logs: Log, said: Said) -> Int[Array, "scene modality"]:
    """In which slot each modality is spoken of, drawn given message and categories."""
    order = orders(logs.shape[-1])
    return jnp.asarray(np.argsort(order, axis=1))[either(chance, _by_order(logs, said))]


def tables(
    normal: Float[Array, "try n"],
    chance: Float[Array, "trial n"],
    about: Int[Array, "scene modality"],
    kinds: Int[Array, "modality scene"],
    words: int,
    categories: int,
    alpha: Float[Array, ""],
) -> tuple[Float[Array, "modality word category"], Float[Array, "word modality"]]:
    """phi and psi, drawn from their posteriors given which word is about which modality.

    Args:
        normal, chance: as for `log_gamma`, with words * modalities * (categories + 1) columns.
        about: the word that is about each modality.
        kinds: categories.
        words, categories: how many.
        alpha: of both Dirichlet priors.
    """
    by_word = jax.nn.one_hot(about.T, words)
    counts = jnp.einsum("msw,msk->mwk", by_word, jax.nn.one_hot(kinds, categories))
    cut = counts.size
    phi = dirichlet(normal[:, :cut], chance[:, :cut], counts + alpha)
    return phi, dirichlet(normal[:, cut:], chance[:, cut:], by_word.sum(axis=1).T + alpha)


def means_given(
    normal: Float[Array, "modality category sense"],
    senses: Float[Array, "modality scene sense"],
    kinds: Int[Array, "modality scene"],
    spread: Float[Array, ""],
) -> Float[Array, "modality category sense"]:
    """Means of all categories, drawn from their posteriors; an empty category gets one of the prior.

    Args:
        normal: a number for each coordinate.
        senses: observations of unit variance around their means.
        kinds: categories.
        spread: standard deviation of a mean before anything is seen, around 0.
    """
    own = jax.nn.one_hot(kinds, normal.shape[1])
    precision = own.sum(axis=1)[..., None] + 1.0 / spread**2
    return jnp.einsum("msk,msx->mkx", own, senses) / precision + normal / jnp.sqrt(precision)


# -- the numbers of a round --------------------------------------------------------------------------------------------


def whole(chance: Float[Array, "*lead"], options: int) -> Int[Array, "*lead"]:
    """Whole numbers 0 .. options - 1, all alike, from uniform ones."""
    return jnp.minimum((chance * options).astype(jnp.int32), options - 1)


def parts(flat: Float[Array, "n"], *shapes: tuple[int, ...]) -> list[Array]:
    """A flat array cut into pieces of the given shapes."""
    ends = np.cumsum([int(np.prod(s)) for s in shapes])
    return [flat[e - int(np.prod(s)) : e].reshape(s) for s, e in zip(shapes, ends, strict=True)]


def drawn(key: PRNGKeyArray, uniform: int, normal: int) -> tuple[Float[Array, "u"], Float[Array, "z"]]:
    """Uniform and normal numbers."""
    of_uniform, of_normal = jax.random.split(key)
    both = jax.random.uniform(of_uniform, (uniform,)), jax.random.normal(of_normal, (normal,))
    return kept(both)


def kept(values: Kept) -> Kept:
    """The same, held in memory: else the compiler would compute them anew in each place of use."""
    return jax.lax.optimization_barrier(values)
