"""Deep linear networks: products of matrices, their singular modes, and tasks whose solution is known.

A product of matrices is a linear map, so nothing is gained by depth but the way in which it is learnt. Started small
and *balanced* in the singular basis of the target, every mode of the map grows by itself, along an ordinary
differential equation (Saxe et al. 2014, 2019). Matrix completion shows the other side: of all matrices that fit the
observed entries, deep products find those of low rank (Arora et al. 2019).

Everything is pure, and free of LAPACK but for `singular_values`: programs that call it cannot run side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

__all__ = [
    "Modes",
    "balanced",
    "effective_rank",
    "entry_order",
    "gaussian",
    "gram_schmidt",
    "hierarchy",
    "low_rank",
    "motion",
    "orthonormal",
    "product",
    "singular_values",
    "strengths",
]

Number = Float[Array, ""] | Float[np.ndarray, ""] | float
Count = Int[Array, ""] | Int[np.ndarray, ""] | int


class Modes(NamedTuple):
    """A linear map and its singular value decomposition, the strongest modes first.

    Attributes:
        target: the map itself, left diag(strength) right^T.
        left: orthonormal output directions.
        strength: singular values.
        right: orthonormal input directions.
        level: number of the value among the distinct ones: modes of one level are equally strong.
    """

    target: Float[np.ndarray, "feature item"]
    left: Float[np.ndarray, "feature mode"]
    strength: Float[np.ndarray, "mode"]
    right: Float[np.ndarray, "item mode"]
    level: Int[np.ndarray, "mode"]


def hierarchy(depth: int) -> Modes:
    """Items at the leaves of a binary tree, and a feature for every node of it: which items lie below (Saxe et al.).

    2^depth items and 2^(depth + 1) - 1 features. The modes are distinctions: what all items share, of strength
    sqrt(2 items - 1), then the forks from the root downwards, of strength sqrt(items below - 1). In closed form,
    because strengths repeat, and a library may return any basis for equal ones.
    """
    items = 2**depth
    leaf = np.arange(items)
    features = [leaf // (items >> d) == node for d in range(depth + 1) for node in range(2**d)]
    target = np.stack(features).astype(np.float32)
    right, level = [np.ones(items)], [0]
    for d in range(depth):
        for node in range(2**d):
            below = leaf // (items >> d) == node
            second = leaf // (items >> (d + 1)) == 2 * node + 1
            right.append(below * (1.0 - 2.0 * second))
            level.append(d + 1)
    basis = np.stack(right, axis=1)
    basis /= np.linalg.norm(basis, axis=0)
    image = target @ basis
    strength = np.linalg.norm(image, axis=0)
    left, strength, basis = (x.astype(np.float32) for x in (image / strength, strength, basis))
    return Modes(target, left, strength, basis, np.asarray(level, np.int32))


def gram_schmidt(columns: Float[Array, "n k"]) -> Float[Array, "n k"]:
    """Columns made orthogonal to all before them and of length 1 (Gram-Schmidt, each twice).

    The first keeps its direction. Of independent Gaussian entries, the result is spread evenly over all orthogonal
    matrices. Unlike `jnp.linalg.qr` it calls no LAPACK, beside which two programs at once may wait for each other.
    """

    def one(k: Int[Array, ""], made: Float[Array, "n k"]) -> Float[Array, "n k"]:
        v = columns[:, k]
        for _ in range(2):
            v = v - made @ (made.T @ v)
        return made.at[:, k].set(v / jnp.maximum(jnp.sqrt(jnp.sum(v**2)), 1e-30))

    return jax.lax.fori_loop(0, columns.shape[1], one, jnp.zeros_like(columns))


def orthonormal(key: PRNGKeyArray, rows: int, columns: int) -> Float[Array, "row column"]:
    """Random orthonormal columns, uniform over all such."""
    if columns > rows:
        raise ValueError(f"orthonormal: at most {rows} columns are possible in {rows} dimensions, got {columns}")
    return gram_schmidt(jax.random.normal(key, (columns, rows)).T)


def balanced(
    strength: Float[Array, "mode"],
    left: Float[Array, "feature mode"],
    right: Float[Array, "item mode"],
    hidden: Float[Array, "width mode"],
    depth: int,
) -> tuple[Float[Array, "_ _"], ...]:
    """Layers, the first one first, whose product is left diag(strength) right^T and that share it out evenly.

    Every layer has the singular values strength^(1/depth), and what one layer writes is what the next one reads, so
    W_(i+1)^T W_(i+1) = W_i W_i^T, which gradient descent keeps up to its step size.

    Args:
        strength: singular values of the product, >= 0.
        left, right: orthonormal directions of output and input.
        hidden: orthonormal directions in the hidden layers.
        depth: number of layers, >= 1.
    """
    bases = [right, *[hidden] * (depth - 1), left]
    root = strength ** (1.0 / depth)
    return tuple((after * root) @ before.T for before, after in pairwise(bases))


def gaussian(key: PRNGKeyArray, size: int, depth: int, scale: Number) -> tuple[Float[Array, "size size"], ...]:
    """Square layers of independent Gaussian numbers; elements of the product deviate by scale / sqrt(size)."""
    deviation = jnp.asarray(scale) ** (1.0 / depth) / jnp.sqrt(float(size))
    return tuple(deviation * jax.random.normal(k, (size, size)) for k in jax.random.split(key, depth))


def product(layers: Sequence[Float[Array, "_ _"]]) -> Float[Array, "feature item"]:
    """The end-to-end map; the first layer comes first."""
    return reduce(lambda done, layer: layer @ done, layers)


def strengths(matrix: Float[Array, "feature item"], modes: Modes) -> Float[Array, "mode mode"]:
    """A map in the singular basis of a target: the diagonal says what it has of each mode, the rest is mixed."""
    return modes.left.T @ matrix @ modes.right


def motion(
    start: Float[Array, "path mode"],
    target: Float[Array, "mode"],
    depth: int,
    rate: Number,
    steps: Count,
    pace: Callable[[Int[Array, ""]], Float[Array, "path"]],
    active: Bool[Array, "path mode"],
) -> Float[Array, "path mode"]:
    """What parallel balanced pathways have of each mode after a time, by the equation of motion.

    Pathways add up to the map. With p = K^(1/depth), a mode K of a pathway obeys

        dp/dt = p^(depth - 1) (S - sum of K over pathways)

    in the limit of small steps. Integrated by the rule of Runge and Kutta, four evaluations a gradient step.

    Args:
        start: K at time 0, >= 0.
        target: S.
        depth: layers of each pathway.
        rate: learning rate, the time that a gradient step takes.
        steps: gradient steps.
        pace: how fast each pathway learns in a given step: 1 is freely, 0 is not at all.
        active: modes that a pathway has; those that it lacks neither grow nor count.
    """

    def flow(p: Float[Array, "path mode"], open_: Float[Array, "path"]) -> Float[Array, "path mode"]:
        missing = target - jnp.sum(p**depth, axis=0, where=active)
        return jnp.where(active, open_[:, None] * p ** (depth - 1) * missing, 0.0)

    def step(t: Int[Array, ""], p: Float[Array, "path mode"]) -> Float[Array, "path mode"]:
        open_ = pace(t)
        a = flow(p, open_)
        b = flow(p + 0.5 * rate * a, open_)
        c = flow(p + 0.5 * rate * b, open_)
        d = flow(p + rate * c, open_)
        return p + rate * (a + 2 * b + 2 * c + d) / 6

    return jax.lax.fori_loop(0, steps, step, start ** (1.0 / depth)) ** depth


def low_rank(key: PRNGKeyArray, size: int, rank: Count, most: int) -> Float[Array, "size size"]:
    """A random square matrix of a rank, with elements of mean square 1.

    Args:
        key: randomness. Matrices of different ranks from one key share factors.
        size: rows and columns.
        rank: 1 to `most`; may be traced.
        most: largest rank that the shapes allow for.
    """
    factors = jax.random.normal(key, (2, size, most)) * (jnp.arange(most) < rank)
    matrix = factors[0] @ factors[1].T
    return matrix / jnp.sqrt(jnp.mean(jnp.square(matrix)))


def entry_order(key: PRNGKeyArray, size: int) -> Int[Array, "size size"]:
    """The entries of a square matrix numbered in random order: the first m of them are `entry_order(...) < m`."""
    return jax.random.permutation(key, size * size).reshape(size, size)


def singular_values(matrix: Float[Array, "row column"]) -> Float[Array, "value"]:
    """Singular values, the largest first."""
    return jnp.linalg.svd(matrix, compute_uv=False)


def effective_rank(values: Float[Array, "value"]) -> Float[Array, ""]:
    """How many singular values count: the exponential of the entropy of their shares (Roy and Vetterli 2007)."""
    share = values / jnp.maximum(values.sum(), 1e-30)
    return jnp.exp(-jnp.sum(jnp.where(share > 0, share * jnp.log(jnp.maximum(share, 1e-30)), 0.0)))
