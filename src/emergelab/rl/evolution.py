"""Separable CMA-ES (Ros and Hansen 2008): a normal distribution that moves and stretches towards what scores best.

Pure functions: `begin` makes a distribution, `ask` draws vectors from it, `tell` says how they scored (more is better)
and returns the next one. Variances are learnt number by number, without covariances, so an update takes no
eigenvectors and is as cheap as drawing: many distributions can climb side by side within one compiled program. The
step size follows from how far successive steps agree.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .advantages import Number

__all__ = ["Separable", "ask", "begin", "tell"]


class Separable(NamedTuple):
    """A normal distribution of independent numbers, and the paths that it has taken.

    Attributes:
        mean: of each number.
        sigma: the step size, common to all.
        variance: of each number, in units of the step size squared.
        path: exponentially fading sum of steps (p_c).
        stride: the same in units of each number's own deviation (p_sigma): long if steps agree.
        time: updates made.
    """

    mean: Float[Array, "*batch number"]
    sigma: Float[Array, "*batch"]
    variance: Float[Array, "*batch number"]
    path: Float[Array, "*batch number"]
    stride: Float[Array, "*batch number"]
    time: Int[Array, "*batch"]


class _Constants(NamedTuple):
    """What follows from the number of numbers and of vectors; names as in the literature."""

    weights: tuple[float, ...]
    mu_eff: float
    c_one: float
    c_mu: float
    c_sigma: float
    d_sigma: float
    c_path: float
    expected: float


def _constants(numbers: int, count: int) -> _Constants:
    """Ros and Hansen (2008), with the rank-one rate of Hansen's tutorial (2016, eq. 49)."""
    mu = count // 2
    raw = [math.log(mu + 1) - math.log(i + 1) for i in range(mu)]
    weights = tuple(w / sum(raw) for w in raw)
    mu_eff = 1 / sum(w * w for w in weights)
    # Variances are few compared with covariances, so they may be learnt (n + 2) / 3 times as fast.
    full = 2 / mu_eff / (numbers + math.sqrt(2)) ** 2 + (1 - 1 / mu_eff) * min(
        1, (2 * mu_eff - 1) / ((numbers + 2) ** 2 + mu_eff)
    )
    c_sigma = (mu_eff + 2) / (numbers + mu_eff + 3)
    return _Constants(
        weights=weights,
        mu_eff=mu_eff,
        c_one=2 / ((numbers + 1.3) ** 2 + mu_eff),
        c_mu=(numbers + 2) / 3 * full,
        c_sigma=c_sigma,
        d_sigma=1 + 2 * max(0.0, math.sqrt((mu_eff - 1) / (numbers + 1)) - 1) + c_sigma,
        c_path=4 / (numbers + 4),
        expected=math.sqrt(numbers) * (1 - 1 / (4 * numbers) + 1 / (21 * numbers**2)),
    )


def begin(mean: Float[Array, "number"], sigma: Number) -> Separable:
    """A round distribution around a point."""
    zero = jnp.zeros_like(mean)
    return Separable(mean, jnp.asarray(sigma, mean.dtype), jnp.ones_like(mean), zero, zero, jnp.int32(0))


def ask(search: Separable, noise: Float[Array, "vector number"]) -> Float[Array, "vector number"]:
    """Vectors drawn from the distribution, one for each row of standard normal numbers."""
    return search.mean + search.sigma * jnp.sqrt(search.variance) * noise


def tell(search: Separable, asked: Float[Array, "vector number"], score: Float[Array, "vector"]) -> Separable:
    """The distribution after its vectors were scored.

    Args:
        search: the distribution before.
        asked: what it was asked for; the caller may have clipped it.
        score: more is better; of equal ones the first count as better.
    """
    count, numbers = asked.shape
    c = _constants(numbers, count)
    best = asked[jax.lax.top_k(score, len(c.weights))[1]]
    weights = jnp.asarray(c.weights, asked.dtype)[:, None]
    steps = (best - search.mean) / search.sigma
    step = jnp.sum(weights * steps, 0)
    time = search.time + 1

    stride = (1 - c.c_sigma) * search.stride + math.sqrt(c.c_sigma * (2 - c.c_sigma) * c.mu_eff) * step / jnp.sqrt(
        search.variance
    )
    length = jnp.sqrt(jnp.sum(stride**2))
    sigma = search.sigma * jnp.exp(c.c_sigma / c.d_sigma * (length / c.expected - 1))

    # While the step size still grows fast, the path of the variances waits.
    settled = jnp.sqrt(1 - (1 - c.c_sigma) ** (2.0 * (time + 1)))
    calm = (length / settled < (1.4 + 2 / (numbers + 1)) * c.expected).astype(asked.dtype)
    path = (1 - c.c_path) * search.path + calm * math.sqrt(c.c_path * (2 - c.c_path) * c.mu_eff) * step
    stay = 1 + c.c_one * (1 - calm) * c.c_path * (2 - c.c_path) - c.c_one - c.c_mu
    variance = stay * search.variance + c.c_one * path**2 + c.c_mu * jnp.sum(weights * steps**2, 0)
    return Separable(search.mean + search.sigma * step, sigma, variance, path, stride, time)
