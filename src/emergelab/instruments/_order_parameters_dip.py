"""Hartigan's dip: how far a sample is from having one mode. NumPy only."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float

__all__ = ["dip", "dip_p"]

_LARGEST_N = 200  # the null of sqrt(n) * dip hardly moves beyond this many values
_SEED = 20_231  # the null is part of the test, not of the data: it is drawn once for each n


def dip(values: Float[np.ndarray, "n"]) -> float:
    """The largest distance of the empirical distribution from the nearest unimodal one.

    On the modal interval the greatest convex minorant of the empirical distribution is set against its least
    concave majorant. The interval shrinks to where the two are farthest apart, until they are no farther apart
    there than the distribution already is from them outside (Hartigan and Hartigan 1985).

    Returns:
        A number in [1 / (2 n), 1 / 4]; 0 if all values agree; NaN for an empty sample.
    """
    x: list[float] = np.sort(values).tolist()
    n = len(x)
    if n == 0:
        return float("nan")
    if x[0] == x[-1]:
        return 0.0
    low, high, worst = 0, n - 1, 1.0  # distances are counts of values here, twice as large as the dip
    while True:
        convex, concave = _hull(x, low, high, 1.0), _hull(x, low, high, -1.0)
        below, above = _ranks(x, convex), _ranks(x, concave)  # of the points low, ..., high
        at, apart = low, 0.0
        for k in {*convex, *concave}:
            gap = above[k - low] - below[k - low] + 1
            if gap > apart:
                at, apart = k, gap
        if apart <= worst:
            break
        left, right = max(k for k in convex if k <= at), min(k for k in concave if k >= at)
        worst = max(
            worst,
            *(k + 1 - below[k - low] for k in range(low, left + 1)),
            *(above[k - low] + 1 - k for k in range(right, high + 1)),
        )
        if (left, right) == (low, high):
            break
        low, high = left, right
    return worst / (2 * n)


def _hull(x: list[float], low: int, high: int, sign: float) -> list[int]:
    """Knots of the lower (sign 1) or upper (sign -1) convex hull of the points (x[k], k), low <= k <= high."""
    knots = [low]
    for k in range(low + 1, high + 1):
        while len(knots) > 1:
            i, j = knots[-2], knots[-1]
            if sign * ((j - i) * (x[k] - x[j]) - (k - j) * (x[j] - x[i])) < 0:
                break
            knots.pop()
        knots.append(k)
    return knots


def _ranks(x: list[float], knots: list[int]) -> list[float]:
    """Height of the polygon through the knots at every point; equal values form a vertical piece."""
    heights = [float(knots[0])]
    for i, j in pairwise(knots):
        width = x[j] - x[i]
        heights += [i + (j - i) * (x[k] - x[i]) / width if width > 0 else float(k) for k in range(i + 1, j)]
        heights.append(float(j))
    return heights


@lru_cache(maxsize=64)
def _null(n: int, draws: int) -> Float[np.ndarray, "draws"]:
    """Dips of uniform samples, the unimodal distribution that is hardest to tell from two modes."""
    rng = np.random.default_rng([_SEED, n])
    return np.array([dip(rng.random(n)) for _ in range(draws)])


def dip_p(value: float, n: int, draws: int = 999) -> float:
    """p of a dip among uniform samples of n values; beyond 200 values by the limit law of sqrt(n) * dip."""
    if n < 4 or not np.isfinite(value):
        return float("nan")
    m = min(n, _LARGEST_N)
    null = _null(m, draws if m < _LARGEST_N else min(draws, 999))
    scaled = value * np.sqrt(n / m)
    return float((1 + np.sum(null >= scaled - 1e-12)) / (len(null) + 1))
