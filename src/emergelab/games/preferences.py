"""Preferences between things: one scale fitted to choices, how well it explains them, and which pair to ask next.

Choices among n things are a square table: `p[i, j]` is how often i is preferred to j, `weight[i, j]` how much that pair
counts (0: never asked). All functions on tables are pure, so they serve compiled programs as well as plain Python, and
many tables at once through `vmap`. What chooses pairs is plain NumPy, for it decides about shapes.

Two fits. `thurstone` is the model of Mazeika et al. (2025): a mean and a width for each thing, P(i over j) =
Phi((mu_i - mu_j) / sqrt(v_i + v_j)), by gradient descent. `bradley_terry` has one utility for each thing, P = logistic
of the difference, by Newton's method: some hundred times as fast.

References: L. L. Thurstone, A law of comparative judgment (1927); R. A. Bradley, M. E. Terry, Rank analysis of
incomplete block designs (1952); M. Mazeika et al., Utility Engineering, arXiv 2502.08640 (2025).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.special import logit, ndtr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.errors import UserError

__all__ = [
    "Choices", "Scale", "accuracy", "bradley_terry", "chances", "completeness", "correlation", "crossed", "cycles",
    "explained", "folds", "log_loss", "next_pairs", "odds", "permuted", "pseudo_labelled", "ring", "solved", "table",
    "thurstone",
]  # fmt: skip

_TINY = 1e-6
# A width is poorly identified where all choices are certain (it goes to 0) or all are even (it goes to infinity).
_LEAST_LOG_VARIANCE, _MOST_LOG_VARIANCE = -9.0, 14.0


class Choices(NamedTuple):
    """Choices among things.

    Attributes:
        p: how often row is preferred to column, in [0, 1]; p + its transpose is 1. Anything where nothing is known.
        weight: how much a pair counts, symmetric, 0 on the diagonal and where nothing is known.
    """

    p: Float[Array, "item item"]
    weight: Float[Array, "item item"]


class Scale(NamedTuple):
    """A mean (over things 0, standard deviation 1) and a variance for each thing."""

    mean: Float[Array, "item"]
    variance: Float[Array, "item"]


def table(
    pairs: Sequence[Sequence[int]], p: Sequence[float] | Float[np.ndarray, "pair"], items: int
) -> tuple[Float[np.ndarray, "item item"], Float[np.ndarray, "item item"]]:
    """The table of a list of pairs, each asked once: `p` is how often the first of the pair is preferred."""
    value, weight = np.full((items, items), 0.5, np.float32), np.zeros((items, items), np.float32)
    if len(pairs):
        i, j = np.asarray(pairs, int).T
        value[i, j], value[j, i] = p, 1 - np.asarray(p)
        weight[i, j] = weight[j, i] = 1.0
    return value, weight


# -- fits -----------------------------------------------------------------------------------------------------------


def thurstone(choices: Choices, key: PRNGKeyArray, *, steps: int = 1000, rate: float = 0.01) -> Scale:
    """Means and variances that make the choices likeliest, by Adam on the mean cross-entropy.

    Means are standardised at every step and variances with them, so that only their ratio is free.

    Args:
        choices: what was chosen; soft labels are meant.
        key: of the starting values, 0.01 times a standard normal.
        steps, rate: of the descent.
    """
    items = choices.p.shape[0]
    start = 0.01 * jax.random.normal(key, (2, items))
    rule = optax.adam(rate)

    def loss(free: Float[Array, "2 item"]) -> Float[Array, ""]:
        return log_loss(chances(_standardised(free)), choices)

    def step(_: Any, carry: Any) -> Any:
        free, memory = carry
        change, memory = rule.update(jax.grad(loss)(free), memory)
        return free + change, memory

    free, _ = jax.lax.fori_loop(0, steps, step, (start, rule.init(start)))
    return _standardised(free)


def _standardised(free: Float[Array, "2 item"]) -> Scale:
    mean, log_variance = free
    centred = mean - mean.mean()
    spread = jnp.sqrt(jnp.mean(centred**2) + 1e-12)
    kept = jnp.clip(log_variance - 2 * jnp.log(spread), _LEAST_LOG_VARIANCE, _MOST_LOG_VARIANCE)
    return Scale(centred / spread, jnp.exp(kept))


def chances(scale: Scale) -> Float[Array, "item item"]:
    """How often row should be preferred to column by a Thurstonian scale."""
    difference = scale.mean[:, None] - scale.mean
    return ndtr(difference * jax.lax.rsqrt(scale.variance[:, None] + scale.variance + 1e-5))


def bradley_terry(choices: Choices, *, ridge: float = 0.01, steps: int = 12) -> Float[Array, "item"]:
    """Utilities that make the choices likeliest, in nats, mean 0, by Newton's method.

    Args:
        choices: what was chosen.
        ridge: weight of a penalty of half the squared utilities. Where choices are certain or a thing was never
            compared, nothing else keeps them finite.
        steps: Newton steps; a change of a utility is at most 2 nats a step, so that the first ones cannot leap.
    """
    p, weight = choices
    eye = jnp.eye(p.shape[0])

    def step(_: Any, utility: Float[Array, "item"]) -> Float[Array, "item"]:
        expected = odds(utility)
        slope = jnp.sum(weight * (expected - p), axis=1) + ridge * utility
        bend = weight * expected * (1 - expected)
        curvature = jnp.diag(bend.sum(axis=1) + ridge) - bend
        move = solved(curvature + _TINY * eye, slope[:, None])[:, 0]
        return utility - jnp.clip(move, -2.0, 2.0)

    utility = jax.lax.fori_loop(0, steps, step, jnp.zeros(p.shape[0]))
    return utility - utility.mean()


def solved(a: Float[Array, "n n"], b: Float[Array, "n m"]) -> Float[Array, "n m"]:
    """The solution x of a x = b for a symmetric, positive definite a, by Gauss and Jordan.

    Such matrices need no pivoting. In plain JAX, because LAPACK's routines, called for many seeds from two programs at
    once, wait for each other without end on a machine with two cores (jaxlib 0.10.2).
    """
    n = a.shape[0]

    def eliminate(k: Any, m: Float[Array, "n both"]) -> Float[Array, "n both"]:
        row = m[k] / m[k, k]
        return (m - m[:, k, None] * row).at[k].set(row)

    return jax.lax.fori_loop(0, n, eliminate, jnp.concatenate([a, b], axis=1))[:, n:]


def odds(utility: Float[Array, "item"]) -> Float[Array, "item item"]:
    """How often row should be preferred to column by utilities in nats."""
    return jax.nn.sigmoid(utility[:, None] - utility)


# -- how well a prediction fits -------------------------------------------------------------------------------------


def log_loss(predicted: Float[Array, "item item"], choices: Choices) -> Float[Array, ""]:
    """Mean cross-entropy of choices under a prediction, in nats a pair."""
    q = jnp.clip(predicted, _TINY, 1 - _TINY)
    # both orders of a pair are in the table and say the same
    each = -(choices.p * jnp.log(q) + (1 - choices.p) * jnp.log1p(-q))
    return jnp.sum(choices.weight * each) / jnp.maximum(jnp.sum(choices.weight), _TINY)


def accuracy(predicted: Float[Array, "item item"], choices: Choices) -> Float[Array, ""]:
    """Share of pairs whose predicted side is the chosen one, each counted by how far its p is from a half.

    Without these counts a pair that was decided by a hair would say as much as one that is clear, and for a subject
    that hardly prefers anything the number would mean nothing. A prediction of exactly a half is half right. NaN where
    nothing is preferred at all.
    """
    clear = choices.weight * jnp.abs(choices.p - 0.5)
    right = 0.5 + 0.5 * jnp.sign(predicted - 0.5) * jnp.sign(choices.p - 0.5)
    total = jnp.sum(clear)
    return jnp.where(total > _TINY, jnp.sum(clear * right) / jnp.maximum(total, _TINY), jnp.nan)


def explained(predicted: Float[Array, "item item"], choices: Choices) -> Float[Array, ""]:
    """R2 of log-odds: the share of their squares that a prediction takes away. Below 0: worse than no preference.

    Log-odds are cut at 6 nats, where a probability of 0 or 1 would be infinite.
    """
    x, y = (jnp.clip(logit(jnp.clip(t, _TINY, 1 - _TINY)), -6.0, 6.0) for t in (predicted, choices.p))
    total = jnp.sum(choices.weight * y**2)
    return jnp.where(total > 1e-9, 1 - jnp.sum(choices.weight * (y - x) ** 2) / jnp.maximum(total, 1e-9), jnp.nan)


def completeness(choices: Choices) -> Float[Array, ""]:
    """How decided the choices are: mean of |2p - 1|, in [0, 1]."""
    return jnp.sum(choices.weight * jnp.abs(2 * choices.p - 1)) / jnp.maximum(jnp.sum(choices.weight), _TINY)


def cycles(choices: Choices) -> Float[Array, ""]:
    """Mean over triads of the chance that three independent choices go round in a circle; a coin: 1/4.

    Over all triads whose three pairs were asked; NaN if there is none. A closed walk of length 3 on the table passes a
    triad in one of two senses from one of three starting points, so the trace of its cube adds them all up.
    """
    known = (choices.weight > 0).astype(choices.p.dtype)
    round_, asked = (jnp.trace(t @ t @ t) for t in (choices.p * known, known))
    return jnp.where(asked > 0.5, 2.0 * round_ / jnp.maximum(asked, 1.0), jnp.nan)


def crossed(
    fit: Callable[[Choices], Float[Array, "item item"]], choices: Choices, fold: Int[Array, "item item"], count: int
) -> Float[Array, "item item"]:
    """Cross-validated predictions: each pair's by the fit to all pairs that are not in its fold.

    Args:
        fit: choices -> predicted table.
        choices: what was chosen.
        fold: fold of each pair, symmetric, see `folds`.
        count: number of folds.
    """
    parts = jnp.arange(count)
    made = jax.vmap(lambda k: fit(Choices(choices.p, choices.weight * (fold != k))))(parts)
    return jnp.sum(jnp.where(fold == parts[:, None, None], made, 0.0), axis=0)


def folds(rng: np.random.Generator, pairs: Sequence[Sequence[int]], items: int, count: int) -> Int[np.ndarray, "i i"]:
    """Deals pairs out to folds of equal size (up to one); pairs that are not listed go to fold 0."""
    out = np.zeros((items, items), np.int32)
    if len(pairs):
        i, j = np.asarray(pairs, int).T
        out[i, j] = out[j, i] = rng.permutation(np.arange(len(pairs)) % count)
    return out


def permuted(key: PRNGKeyArray, choices: Choices) -> Choices:
    """The same choices dealt out to other pairs (and turned round at random): decided as before, about nothing."""
    items = choices.p.shape[0]
    i, j = np.triu_indices(items, 1)
    of_place, of_side = jax.random.split(key)
    known = choices.weight[i, j] > 0
    # places of known pairs in random order, then the rest; the k-th known pair takes what stands at the k-th of them
    lot = jnp.argsort(jnp.where(known, jax.random.uniform(of_place, (len(i),)), 2.0))
    dealt = choices.p[i, j][lot[jnp.cumsum(known) - 1]]
    dealt = jnp.where(jax.random.bernoulli(of_side, shape=(len(i),)), dealt, 1 - dealt)
    dealt = jnp.where(known, dealt, choices.p[i, j])
    return Choices(choices.p.at[i, j].set(dealt).at[j, i].set(1 - dealt), choices.weight)


def pseudo_labelled(predicted: Float[Array, "item item"], choices: Choices, sure: float = 0.95) -> Choices:
    """The choices, and as if chosen all pairs that nobody asked and the prediction is sure of."""
    certain = jnp.abs(predicted - 0.5) >= sure - 0.5
    added = (choices.weight == 0) & certain & ~jnp.eye(choices.p.shape[0], dtype=bool)
    return Choices(jnp.where(added, (predicted > 0.5).astype(choices.p.dtype), choices.p),
                   jnp.where(added, 1.0, choices.weight))  # fmt: skip


def correlation(x: Float[Array, "n"], y: Float[Array, "n"]) -> Float[Array, ""]:
    """Pearson's r; NaN where one of the two does not vary."""
    a, b = x - x.mean(), y - y.mean()
    product = jnp.sqrt(jnp.sum(a**2) * jnp.sum(b**2))
    return jnp.where(product > 1e-12, jnp.sum(a * b) / jnp.maximum(product, 1e-12), jnp.nan)


# -- which pair to ask ----------------------------------------------------------------------------------------------


def ring(rng: np.random.Generator, items: int) -> list[tuple[int, int]]:
    """A random closed round through all things: the connected regular graph of degree 2.

    Raises:
        UserError: fewer than 3 things.
    """
    if items < 3:
        raise UserError(f"preferences: a ring needs 3 things or more, got {items}")
    order = [int(i) for i in rng.permutation(items)]
    return list(zip(order, order[1:] + order[:1], strict=True))


def next_pairs(
    rng: np.random.Generator,
    mean: Float[np.ndarray, "item"],
    asked: Bool[np.ndarray, "item item"],
    count: int,
    *,
    near: float = 0.1,
    rare: float = 0.2,
) -> list[tuple[int, int]]:
    """New pairs that say most: near each other on the scale, of things that were seldom asked about.

    Of the pairs not asked yet those are eligible that are both among the share `near` of least |mean_i - mean_j| and
    among the share `rare` of least degree sums. While these are too few, both shares grow by half, five times at most;
    what is missing then is drawn from all that is left.

    Args:
        rng: randomness; also turns pairs round, so that neither side is special.
        mean: the scale as it is known.
        asked: pairs that are known, symmetric.
        count: how many; fewer come back where fewer are left.
    """
    i, j = np.triu_indices(len(mean), 1)
    free = ~asked[i, j]
    i, j = i[free], j[free]
    count = min(count, len(i))
    degree = asked.sum(axis=1)
    apart, known = np.abs(mean[i] - mean[j]), degree[i] + degree[j]
    eligible = np.zeros(len(i), bool)
    for widening in range(6):
        shares = [min(1.0, s * 1.5**widening) for s in (near, rare)]
        eligible = np.logical_and.reduce([_lowest(x, s) for x, s in zip((apart, known), shares, strict=True)])
        if eligible.sum() >= count:
            break
    first = rng.permutation(np.flatnonzero(eligible))[:count]
    rest = rng.permutation(np.setdiff1d(np.arange(len(i)), first))[: count - len(first)]
    chosen = np.concatenate([first, rest])
    turned = rng.random(len(chosen)) < 0.5
    return [(int(j[k]), int(i[k])) if t else (int(i[k]), int(j[k])) for k, t in zip(chosen, turned, strict=True)]


def _lowest(x: np.ndarray, share: float) -> Bool[np.ndarray, "pair"]:
    """Which are among the lowest share, ties at the edge included."""
    if not len(x):
        return np.zeros(0, bool)
    return np.asarray(x <= np.sort(x)[max(0, int(np.ceil(share * len(x))) - 1)])
