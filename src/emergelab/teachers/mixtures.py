"""Mixtures of Gaussians with full covariances, fitted by expectation and maximisation under `jit`.

The number of Gaussians is chosen by Akaike's criterion among a few. All candidates are fitted side by side in arrays
of one size, those that a candidate does not use having weight 0. Everything is written out in sums and products of
whole arrays: routines of linear algebra for many tiny matrices are slow under `vmap` on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from emergelab.errors import UserError
from emergelab.teachers.base import pick

__all__ = ["RIDGE", "Mixture", "aic", "candidates", "cholesky", "em", "fit", "log_joint", "maximise", "spread"]

RIDGE = 1e-6
"""Added to the diagonal of every covariance, as scikit-learn does."""
_LEAST = 1e-7  # under a square root; rounding may take a covariance of single precision below zero
_NOBODY = 1e-6  # points of a Gaussian without points


class Mixture(eqx.Module):
    """Gaussians with weights.

    Attributes:
        weight: sum to 1, or 0 throughout in a mixture that was never fitted; 0 where a Gaussian is not used.
        mean: their centres.
        factor: lower triangular factors L of their covariances L L^T.
    """

    weight: Float[Array, "gaussian"]
    mean: Float[Array, "gaussian coordinate"]
    factor: Float[Array, "gaussian coordinate coordinate"]

    @classmethod
    def empty(cls, gaussians: int, coordinates: int) -> Mixture:
        """Room for so many Gaussians, none of them in use."""
        unit = jnp.broadcast_to(jnp.eye(coordinates), (gaussians, coordinates, coordinates))
        return cls(jnp.zeros(gaussians), jnp.zeros((gaussians, coordinates)), unit)

    @property
    def covariance(self) -> Float[Array, "gaussian coordinate coordinate"]:
        """Covariances of the Gaussians."""
        return jnp.sum(self.factor[..., :, None, :] * self.factor[..., None, :, :], axis=-1)


def candidates(least: int, most: int, apart: int) -> tuple[int, ...]:
    """Numbers of Gaussians to choose from.

    Raises:
        UserError: if the range holds none.
    """
    if not 1 <= least <= most or apart < 1:
        raise UserError(f"candidates: need 1 <= least <= most and apart >= 1, got {least}, {most} and {apart}")
    return tuple(range(least, most + 1, apart))


def cholesky(
    covariance: Float[Array, "gaussian coordinate coordinate"],
) -> Float[Array, "gaussian coordinate coordinate"]:
    """Lower triangular factors of many small positive matrices."""
    n = covariance.shape[-1]
    rows: list[list[Array]] = []
    for i in range(n):
        row: list[Array] = []
        for j in range(i + 1):
            rest = covariance[:, i, j]
            for a, b in zip(row, rows[j] if j < i else row, strict=False):
                rest = rest - a * b
            row.append(jnp.sqrt(jnp.maximum(rest, _LEAST)) if i == j else rest / rows[j][j])
        rows.append(row)
    zero = jnp.zeros_like(covariance[:, 0, 0])
    return jnp.stack([jnp.stack(row + [zero] * (n - len(row)), axis=-1) for row in rows], axis=-2)


def log_joint(mixture: Mixture, points: Float[Array, "point coordinate"]) -> Float[Array, "point gaussian"]:
    """Logarithm of weight times density; minus infinity for Gaussians that are not used."""
    n = points.shape[-1]
    factor = mixture.factor
    solved: list[Array] = []
    squares, size = jnp.zeros((points.shape[0], mixture.weight.shape[0])), jnp.zeros_like(mixture.weight)
    for i in range(n):
        rest = points[:, i, None] - mixture.mean[:, i]
        for j, z in enumerate(solved):
            rest = rest - factor[:, i, j] * z
        solved.append(rest / factor[:, i, i])
        squares = squares + solved[-1] ** 2
        size = size + jnp.log(factor[:, i, i])
    return jnp.log(mixture.weight) - 0.5 * (squares + n * math.log(2 * math.pi)) - size


def maximise(
    points: Float[Array, "point coordinate"], share: Float[Array, "point gaussian"], used: Bool[Array, "gaussian"]
) -> Mixture:
    """The mixture in which each Gaussian has the moments of its share of the points."""
    n = points.shape[-1]
    middle = jnp.mean(points, axis=0)
    x = points - middle  # so that little is lost where squares are subtracted
    pairs = [(i, j) for i in range(n) for j in range(i + 1)]
    products = jnp.stack([x[:, i] * x[:, j] for i, j in pairs], axis=-1)
    moments = share.T @ jnp.concatenate([jnp.ones_like(x[:, :1]), x, products], axis=-1)
    mass = moments[:, 0] + _NOBODY
    mean = moments[:, 1 : n + 1] / mass[:, None]
    covariance = jnp.zeros((mass.shape[0], n, n))
    for (i, j), second in zip(pairs, moments[:, n + 1 :].T, strict=True):
        value = second / mass - mean[:, i] * mean[:, j] + (RIDGE if i == j else 0.0)
        covariance = covariance.at[:, i, j].set(value).at[:, j, i].set(value)
    weight = jnp.where(used, mass, 0.0)
    return Mixture(weight / jnp.sum(weight), mean + middle, cholesky(covariance))


def em(mixture: Mixture, points: Float[Array, "point coordinate"], used: Bool[Array, "gaussian"]) -> Mixture:
    """One turn: who has which share of each point, and then the Gaussians that fit these shares best."""
    return maximise(points, jax.nn.softmax(log_joint(mixture, points), axis=-1), used)


def spread(
    points: Float[Array, "point coordinate"], key: PRNGKeyArray, number: int
) -> Float[Array, "number coordinate"]:
    """Points far from each other (k-means++): each is drawn with the square of its distance to those before it.

    The first k of them are a seeding of size k, so one call serves all numbers of Gaussians.
    """
    chances = jax.random.uniform(key, (number,))

    def one(nearest: Float[Array, "point"], chance: Float[Array, ""]) -> tuple[Array, Array]:
        chosen = points[pick(nearest, chance)]
        return jnp.minimum(nearest, jnp.sum((points - chosen) ** 2, axis=-1)), chosen

    return jax.lax.scan(one, jnp.ones(points.shape[0]), chances)[1]


def aic(mixture: Mixture, points: Float[Array, "point coordinate"], used: Bool[Array, "gaussian"]) -> Float[Array, ""]:
    """Akaike's criterion: twice the number of free numbers, minus twice the log-likelihood. Less is better."""
    n = points.shape[-1]
    free = jnp.sum(used) * (n + n * (n + 1) // 2 + 1) - 1
    return 2.0 * free - 2.0 * jnp.sum(jax.nn.logsumexp(log_joint(mixture, points), axis=-1))


def fit(
    points: Float[Array, "point coordinate"],
    key: PRNGKeyArray,
    numbers: Sequence[int],
    iterations: int = 12,
    sweeps: int = 3,
) -> tuple[Mixture, Float[Array, "candidate"]]:
    """The mixture with the least AIC among several numbers of Gaussians.

    Args:
        points: what is fitted.
        key: of the seeding.
        numbers: of Gaussians, the candidates. Static.
        iterations: turns of EM. Scikit-learn stops by itself, often after some ten.
        sweeps: of k-means before them, with which scikit-learn begins as well.

    Returns:
        the best mixture, and the criterion of all candidates (infinity where a fit has failed).
    """
    most = max(numbers)
    first = spread(points, key, most)
    in_use = jnp.arange(most) < jnp.array(numbers)[:, None]

    def one(used: Bool[Array, "gaussian"]) -> tuple[Mixture, Float[Array, ""]]:
        def nearest(centres: Float[Array, "gaussian coordinate"]) -> Float[Array, "point gaussian"]:
            far = jnp.where(used, jnp.sum((points[:, None] - centres) ** 2, axis=-1), jnp.inf)
            return jax.nn.one_hot(jnp.argmin(far, axis=-1), most)

        def sweep(_: Array, centres: Float[Array, "gaussian coordinate"]) -> Float[Array, "gaussian coordinate"]:
            own = nearest(centres)
            mass = jnp.sum(own, axis=0)[:, None]
            return jnp.where(mass > 0, own.T @ points / jnp.maximum(mass, 1.0), centres)

        centres = jax.lax.fori_loop(0, sweeps, sweep, first)
        mixture = maximise(points, nearest(centres), used)
        mixture = jax.lax.fori_loop(0, iterations, lambda _, m: em(m, points, used), mixture)
        score = aic(mixture, points, used)
        return mixture, jnp.where(jnp.isfinite(score), score, jnp.inf)

    mixtures, scores = jax.vmap(one)(in_use)
    return jax.tree.map(lambda x: x[jnp.argmin(scores)], mixtures), scores
