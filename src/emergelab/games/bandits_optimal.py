"""The best that can be done with two arms in a known number of pulls, by dynamic programming.

Two cases in which the state is small. With rewards 0 or 1 and uniform priors it is four counts, and the value is exact.
With Gaussian rewards it is the numbers of pulls and the difference of the posterior means, for adding a constant to
both means adds a known amount to all that follows; the difference lives on a grid.
"""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .bandits import Belief, Number, Seen, belief

__all__ = ["Advice", "bernoulli_value", "gaussian_advice", "optimal"]

# A normal number as 97 equally spaced ones. The value has a kink where both arms are as good; equal spacing errs there
# by a few times 1e-4 wherever it lies, which Gauss's points, far apart, do not.
_POINTS = np.linspace(-6.0, 6.0, 97)
_WEIGHTS = np.exp(-(_POINTS**2) / 2)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_GRID = 241


def bernoulli_value(horizon: int) -> float:
    """Expected successes in so many pulls of two arms with independent uniform priors, played as well as possible."""

    @cache
    def value(left: int, a: int, b: int, c: int, d: int) -> float:
        if left == 0:
            return 0.0
        p, q = (a + 1) / (a + b + 2), (c + 1) / (c + d + 2)
        first = p * (1 + value(left - 1, a + 1, b, c, d)) + (1 - p) * value(left - 1, a, b + 1, c, d)
        second = q * (1 + value(left - 1, a, b, c + 1, d)) + (1 - q) * value(left - 1, a, b, c, d + 1)
        return max(first, second)

    return value(horizon, 0, 0, 0, 0)


Advice = Float[Array, "pull count grid"]


def gaussian_advice(
    horizon: int, noise: Number = 1.0, spread: Number = 1.0
) -> tuple[Advice, Float[Array, "grid"], Float[Array, ""]]:
    """How much better the second of two Gaussian arms is than the first, if everything after is played optimally.

    Let d be the second posterior mean minus the first. The value of the rest is (pulls left) x (first mean) + U(d),
    and U of the last pull is max(0, d). Before, U is the larger of what follows either pull: after pulling the first
    arm its posterior mean has moved by a normal number, so d by its opposite.

    Args:
        horizon: pulls in all, 1 or more.
        noise: standard deviation of rewards.
        spread: standard deviation of the prior of both means.

    Returns:
        the advantage of the second arm, by pulls made, pulls of the first arm among them and d on the grid; the grid;
        and the value of the game, in units of reward above the prior mean of all pulls.
    """
    noise, spread = jnp.asarray(noise, jnp.float32), jnp.asarray(spread, jnp.float32)
    grid = jnp.linspace(-6.0, 6.0, _GRID) * spread
    counts = jnp.arange(horizon, dtype=jnp.float32)

    def variance(n: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return 1.0 / (1.0 / spread**2 + n / noise**2)

    def after(ahead: Float[Array, "grid"], jump: Float[Array, ""]) -> Float[Array, "grid"]:
        """Mean of U over where d goes. Far outside the grid U is 0 on the left and grows with d on the right."""
        to = grid[:, None] + jump * _POINTS
        beyond = jnp.maximum(to - grid[-1], 0.0) * slope(ahead)
        low, share = _place(to, grid)
        between = (1.0 - share) * ahead[low] + share * ahead[low + 1]
        return (between + beyond) @ jnp.asarray(_WEIGHTS, jnp.float32)

    def slope(u: Float[Array, "grid"]) -> Float[Array, ""]:
        return (u[-1] - u[-2]) / (grid[-1] - grid[-2])

    def back(ahead: Float[Array, "count grid"], made: Float[Array, ""]) -> tuple[Array, Array]:
        # `ahead` is indexed by pulls of the first arm after one pull more
        first, second = counts, made - counts  # pulls of either arm so far; rows with more than were made mean nothing
        jump_1 = jnp.sqrt(jnp.maximum(variance(first) - variance(first + 1), 0.0))
        other = jnp.maximum(second, 0.0)
        jump_2 = jnp.sqrt(jnp.maximum(variance(other) - variance(other + 1), 0.0))
        pull_1 = jax.vmap(after)(jnp.roll(ahead, -1, axis=0), jump_1)
        pull_2 = grid + jax.vmap(after)(ahead, jump_2)
        return jnp.maximum(pull_1, pull_2), pull_2 - pull_1

    # The first arm can have been pulled `horizon` times at most, and then nothing is left to decide: its row is rolled
    # in from a row of no pulls, which is wrong only where no pull is left.
    made = jnp.arange(horizon - 1, -1, -1, dtype=jnp.float32)
    start, advice = jax.lax.scan(back, jnp.zeros((horizon, _GRID)), made)
    return advice[::-1], grid, start[0, _GRID // 2]


def _place(x: Float[Array, "*n"], grid: Float[Array, "grid"]) -> tuple[Int[Array, "*n"], Float[Array, "*n"]]:
    """Where numbers lie on an even grid: the point below, and the share of the way to the next."""
    at = jnp.clip((x - grid[0]) / (grid[1] - grid[0]), 0.0, len(grid) - 1.001)
    low = at.astype(jnp.int32)
    return low, at - low


def optimal(
    seen: Seen, advice: Advice, grid: Float[Array, "grid"], noise: Number = 1.0, spread: Number = 1.0
) -> Float[Array, "*n 2"]:
    """The player of two arms that follows the advice; where both arms are as good it takes either alike."""
    b: Belief = belief(seen, noise, spread)
    d = b.mean[..., 1] - b.mean[..., 0]
    made, first = seen.count.sum(axis=-1).astype(jnp.int32), seen.count[..., 0].astype(jnp.int32)
    low, share = _place(d, grid)
    better = (1 - share) * advice[made, first, low] + share * advice[made, first, low + 1]
    second = jnp.where(jnp.abs(better) < 1e-5 * spread, 0.5, better > 0)
    return jnp.stack([1.0 - second, second], axis=-1)
