"""How much of a network is still what it was: kernels at two times, and what a representation holds.

Rich learning changes a network's features, lazy learning only weighs them anew. Which of the two it was can be read off
kernels. With hidden states h(x) and gradients of the output df(x)/dW, the Gram matrices

    K_R(x, x') = h(x) . h(x')        the representation
    K_T(x, x') = df(x)/dW . df(x')/dW    the tangent kernel, by which gradient descent moves outputs

before and after training are compared by the cosine of the angle between them (`alignment`): 1 is lazy, less is rich.
Plain functions of arrays.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

__all__ = [
    "alignment", "gdv", "gram", "participation", "representation_alignment", "ridge_probe",
    "shuffled_probe", "sign_similarity", "tangent_kernel",
]  # fmt: skip

Features = Float[Array, "sample feature"]
Kernel = Float[Array, "n n"]


def gram(x: Features) -> Float[Array, "sample sample"]:
    """All inner products of samples."""
    return x @ x.T


def alignment(a: Float[Array, "m n"], b: Float[Array, "m n"]) -> Float[Array, ""]:
    """The cosine between two matrices: 1 if they are equal up to a positive factor; 0 if one is zero."""
    a, b = _unit(a), _unit(b)
    return jnp.sum(a * b)


def _unit(x: Float[Array, "m n"]) -> Float[Array, "m n"]:
    # The largest entry first: squares of small numbers would underflow. A zero matrix is divided by one and not by a
    # tiny number: XLA may make one division of the two, and the product of two tiny numbers is zero.
    top = jnp.max(jnp.abs(x))
    x = x / jnp.where(top > 0, top, 1.0)
    length = jnp.sqrt(jnp.sum(x**2))
    return x / jnp.where(length > 0, length, 1.0)


def representation_alignment(
    before: Float[Array, "sample feature"], after: Float[Array, "sample other"]
) -> Float[Array, ""]:
    """Alignment of the Gram matrices of the same samples' features at two times, in [0, 1].

    The features themselves may be other ones, in another number: a rotation changes nothing.
    """
    return alignment(gram(before), gram(after))


def sign_similarity(before: Features, after: Features) -> Float[Array, ""]:
    """Share of all (sample, feature) whose sign is as it was: for ReLU units, whether they are on as before."""
    return jnp.mean(jnp.sign(before) == jnp.sign(after))


def tangent_kernel(
    f: Callable[[PyTree, Array], Float[Array, "output"]], weights: PyTree, inputs: Float[Array, "sample *x"]
) -> Kernel:
    """Inner products of the outputs' gradients, for all pairs of (sample, output), outputs innermost.

    Args:
        f: the outputs for given weights and one sample.
        weights: with respect to which is differentiated: an array, or a pytree of them.
        inputs: the samples.
    """

    def gradient(x: Array) -> Float[Array, "output weight"]:
        found = jax.tree.leaves(jax.jacrev(f)(weights, x))
        return jnp.concatenate([leaf.reshape(leaf.shape[0], -1) for leaf in found], axis=1)

    rows = jax.vmap(gradient)(inputs)
    return gram(rows.reshape(-1, rows.shape[-1]))


# -- how many dimensions ----------------------------------------------------------------------------------------------


def participation(matrix: Float[Array, "m n"]) -> Float[Array, ""]:
    """How many squared singular values share the norm: (sum s^2)^2 / sum s^4, in [1, min(m, n)]; 0 of a zero matrix.

    k for k equal ones. A Gaussian square matrix of n rows has n/2.
    """
    x = _unit(matrix)
    small = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
    size = jnp.sum(x**2)
    return size**2 / jnp.maximum(jnp.sum(small**2), 1e-30)


# -- what a representation tells --------------------------------------------------------------------------------------


def gdv(x: Features, labels: Int[Array, "sample"], classes: int) -> Float[Array, ""]:
    """The general discrimination value (Schilling et al. 2021): 0 where classes do not differ, -1 if they are points.

    Features are scaled to mean 0 and standard deviation 1/2; then the mean distance between samples of different
    classes is taken from that within classes, and divided by the root of the number of features.

    Args:
        x: one row a sample.
        labels: class of each, in [0, classes). A class with fewer than two samples counts for nothing.
        classes: how many.
    """
    spread = jnp.std(x, axis=0)
    z = (x - x.mean(axis=0)) / (2.0 * jnp.maximum(spread, 1e-12))
    square = jnp.sum(z**2, axis=1)
    distance = jnp.sqrt(jnp.maximum(square[:, None] + square[None, :] - 2.0 * gram(z), 0.0))
    distance = distance * (1.0 - jnp.eye(len(x)))
    member = jax.nn.one_hot(labels, classes)
    size = member.sum(axis=0)
    total = member.T @ distance @ member
    pairs = size[:, None] * size[None, :] - jnp.diag(size)
    mean = total / jnp.maximum(pairs, 1.0)
    there = pairs > 0
    within = jnp.sum(jnp.where(jnp.diag(there), jnp.diag(mean), 0.0)) / jnp.maximum(jnp.diag(there).sum(), 1)
    off = there & ~jnp.eye(classes, dtype=bool)
    between = jnp.sum(jnp.where(off, mean, 0.0)) / jnp.maximum(off.sum(), 1)
    return (within - between) / x.shape[1] ** 0.5


def ridge_probe(
    x: Features,
    y: Float[Array, "sample target"],
    new_x: Float[Array, "new feature"],
    new_y: Float[Array, "new target"],
    penalty: float | Float[Array, ""] = 1e-2,
) -> Float[Array, ""]:
    """Share of the variance of new samples' targets that a ridge regression on the features explains.

    1 is all, 0 no more than their mean, negative worse than that. Closed form, solved by conjugate gradients so that no
    LAPACK call stands in a compiled program.

    Args:
        x, y: features and targets to fit; for classes, let the targets be one-hot.
        new_x, new_y: those to be told.
        penalty: in units of the mean variance of a feature.
    """
    centre, level = x.mean(axis=0), y.mean(axis=0)
    z = x - centre
    gram_of_features = z.T @ z / len(z)
    lift = penalty * jnp.trace(gram_of_features) / len(gram_of_features) + 1e-12
    wanted = z.T @ (y - level) / len(z)
    slope = _solved(gram_of_features + lift * jnp.eye(len(gram_of_features)), wanted)
    left = jnp.sum((new_y - (new_x - centre) @ slope - level) ** 2)
    return 1.0 - left / jnp.maximum(jnp.sum((new_y - new_y.mean(axis=0)) ** 2), 1e-12)


def shuffled_probe(
    key: PRNGKeyArray,
    x: Features,
    y: Float[Array, "sample target"],
    new_x: Float[Array, "new feature"],
    new_y: Float[Array, "new target"],
    penalty: float | Float[Array, ""] = 1e-2,
) -> Float[Array, ""]:
    """The control of `ridge_probe`: targets to fit are dealt out anew, so that nothing is to be told."""
    order = jnp.argsort(jax.random.uniform(key, (len(y),)))
    return ridge_probe(x, y[order], new_x, new_y, penalty)


def _solved(a: Float[Array, "n n"], b: Float[Array, "n target"], steps: int = 200) -> Float[Array, "n target"]:
    """Solution of a x = b by conjugate gradients, each column for itself, for a positive definite a."""

    def one(_: int | Int[Array, ""], state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, left, along = state
        turned = a @ along
        far = jnp.sum(left**2, axis=0)
        step = far / jnp.maximum(jnp.sum(along * turned, axis=0), 1e-30)
        new = left - step * turned
        return x + step * along, new, new + jnp.sum(new**2, axis=0) / jnp.maximum(far, 1e-30) * along

    return jax.lax.fori_loop(0, steps, one, (jnp.zeros_like(b), b, b))[0]
