"""One heap or two: the two-normal mixture, the largest gap, the antimode, and a heap at the floor.

Everything works on many samples at once (draws, n), so that a parametric bootstrap is a few array operations.
Null distributions that depend on nothing but the number of values are drawn once and kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = [
    "Mixture",
    "bimodality_coefficient",
    "floor_p",
    "gap_p",
    "gap_ratio",
    "mixture_p",
    "mixture_power",
    "two_normals",
    "unimodal_nulls",
    "valley",
]

Rows = Float[np.ndarray, "draws n"]
Draws = Float[np.ndarray, "draws"]

_ROUNDS = 40  # of EM, for data and nulls alike: a fit that has not settled costs power, not validity
_LEAST_SD = 1e-3  # of a component, in standard deviations of all: exact ties would have an infinite likelihood
_SEED = 20_232  # nulls that depend on n alone are part of the test, not of the data


@dataclass(frozen=True)
class Mixture:
    """Two normals of equal spread, fitted by maximum likelihood to each sample, and one normal beside them.

    Attributes:
        ratio: twice the log-likelihood ratio of two normals to one.
        low: mean of the lower component.
        high: mean of the upper component.
        sd: common standard deviation.
        weight: share of the upper component.
        upper: probability that each value belongs to the upper component.
    """

    ratio: Draws
    low: Draws
    high: Draws
    sd: Draws
    weight: Draws
    upper: Rows

    @property
    def separation(self) -> Draws:
        """Ashman's D: distance of the means in common standard deviations; 2 or less is one heap to the eye."""
        return (self.high - self.low) / self.sd

    @property
    def fewest(self) -> Int[np.ndarray, "draws"]:
        """Values in the smaller of the two modes."""
        above = (self.upper > 0.5).sum(axis=1)
        return np.minimum(above, self.upper.shape[1] - above)

    @property
    def two(self) -> Bool[np.ndarray, "draws"]:
        """Whether the modes are apart (D > 2) and hold at least two values each."""
        return (self.separation > 2) & (self.fewest >= 2)


def two_normals(x: Rows) -> Mixture:
    """Fit two normals of equal spread to every row by EM.

    Three starts: the best cut of the sorted values in the lowest, the middle and the highest third of places, where
    best is the classification likelihood. Equal spreads keep the likelihood bounded and make the test one of
    location; modes of unequal spread are still found when they are apart.
    """
    centre = x.mean(axis=1, keepdims=True)
    scale = x.std(axis=1, keepdims=True)
    varies = scale[:, 0] > 1e-12 * np.maximum(1e-300, np.abs(x).max(axis=1))
    safe = np.where(varies[:, None], scale, 1.0)
    z = (x - centre) / safe
    ordered = np.sort(z, axis=1)
    draws, n = z.shape
    if n < 4:
        varies = np.zeros(draws, dtype=bool)
    best: tuple[np.ndarray, ...] | None = None
    for cut in _cuts(ordered):
        fit = _em(z, ordered, cut)
        best = fit if best is None else tuple(_better(fit, best, i) for i in range(len(fit)))
    assert best is not None
    likelihood, a, b, sd, weight, upper = best
    ratio = np.maximum(2 * likelihood + n, 0.0)  # one normal of unit spread has -n / 2 on this scale
    size, middle = safe[:, 0], centre[:, 0]
    blank = np.where(varies, 0.0, np.nan)
    return Mixture(
        ratio=np.where(varies, ratio, 0.0),
        low=middle + size * a + blank,
        high=middle + size * b + blank,
        sd=size * sd + blank,
        weight=weight + blank,
        upper=upper + blank[:, None],
    )


def _better(new: tuple[np.ndarray, ...], old: tuple[np.ndarray, ...], i: int) -> np.ndarray:
    wins = new[0] > old[0]
    return np.where(wins[:, None] if new[i].ndim == 2 else wins, new[i], old[i])


def _cuts(ordered: Rows) -> list[Int[np.ndarray, "draws"]]:
    """Number of values below the cut, best in each third of the places."""
    n = ordered.shape[1]
    k = np.arange(1, n) if n > 1 else np.array([1])
    total, squares = np.cumsum(ordered, axis=1), np.cumsum(ordered**2, axis=1)
    left, right = total[:, k - 1], total[:, -1:] - total[:, k - 1]
    within = squares[:, -1:] - left**2 / k - right**2 / np.maximum(n - k, 1)
    entropy = k * np.log(k / n) + (n - k) * np.log(np.maximum(n - k, 1) / n)
    score = -n / 2 * np.log(np.maximum(within / n, _LEAST_SD**2)) + entropy
    third = np.array_split(np.arange(len(k)), 3)
    return [k[part][np.argmax(score[:, part], axis=1)] for part in third if len(part)]


def _em(z: Rows, ordered: Rows, cut: Int[np.ndarray, "draws"]) -> tuple[np.ndarray, ...]:
    n = z.shape[1]
    total = np.cumsum(ordered, axis=1)
    left = np.take_along_axis(total, cut[:, None] - 1, axis=1)[:, 0]
    weight = 1 - cut / n
    a, b = left / cut, (total[:, -1] - left) / np.maximum(n - cut, 1)
    var = np.maximum(1 - (1 - weight) * a**2 - weight * b**2, _LEAST_SD**2)  # the rows have unit variance
    upper = np.empty_like(z)
    for _ in range(_ROUNDS):
        slope = (b - a) / var
        shift = np.log(np.maximum(weight, 1e-300) / np.maximum(1 - weight, 1e-300)) - slope * (a + b) / 2
        upper = 1 / (1 + np.exp(-np.clip(slope[:, None] * z + shift[:, None], -60, 60)))
        count = np.clip(upper.sum(axis=1), 1e-9, n - 1e-9)
        first = (upper * z).sum(axis=1)
        weight, a, b = count / n, -first / (n - count), first / count  # the values of a row add up to zero
        var = np.maximum(1 - (1 - weight) * a**2 - weight * b**2, _LEAST_SD**2)
    with np.errstate(under="ignore"):
        down = np.log1p(-weight)[:, None] - (z - a[:, None]) ** 2 / (2 * var[:, None])
        up = np.log(weight)[:, None] - (z - b[:, None]) ** 2 / (2 * var[:, None])
        likelihood = np.logaddexp(down, up).sum(axis=1) - n / 2 * np.log(var)
    flip = b < a
    return (
        likelihood, np.where(flip, b, a), np.where(flip, a, b), np.sqrt(var),
        np.where(flip, 1 - weight, weight), np.where(flip[:, None], 1 - upper, upper),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------- unimodal nulls


def unimodal_nulls(x: Float[np.ndarray, "n"], draws: int, rng: np.random.Generator) -> Mapping[str, Rows]:
    """Samples of one-heap distributions fitted to the values, as those differ from the normal.

    "normal" always; "skewed": a gamma with their skewness (the exponential at 2); "heavy-tailed": Student's t with
    their kurtosis; "flat": a symmetric beta with their kurtosis, at most as flat as the uniform. Skewness and
    kurtosis are the estimates without bias in normal samples.
    """
    n = len(x)
    out = {"normal": rng.standard_normal((draws, n))}
    spread = float(x.std())
    if n < 4 or spread <= 1e-12 * float(np.abs(x).max()):
        return out
    u = (x - x.mean()) / spread
    skewness = float((u**3).mean()) * np.sqrt(n * (n - 1)) / (n - 2)
    excess = ((n + 1) * float((u**4).mean() - 3) + 6) * (n - 1) / ((n - 2) * (n - 3))
    if abs(skewness) > 0.05:
        out["skewed"] = np.sign(skewness) * rng.standard_gamma(4 / skewness**2, (draws, n))
    if excess > 0.05:
        out["heavy-tailed"] = rng.standard_t(4 + 6 / excess, (draws, n))
    if excess < -0.05:
        shape = max(1.0, (-6 / excess - 3) / 2)
        out["flat"] = rng.beta(shape, shape, (draws, n))
    return out


@lru_cache(maxsize=64)
def _normal_null(n: int, draws: int) -> Draws:
    """The likelihood ratio on normal samples: it depends on n alone."""
    return two_normals(np.random.default_rng([_SEED, n]).standard_normal((draws, n))).ratio


@lru_cache(maxsize=64)
def _uniform_null(n: int, draws: int) -> Draws:
    """The likelihood ratio on uniform samples."""
    return two_normals(np.random.default_rng([_SEED, n, 2]).random((draws, n))).ratio


def _tail(null: Draws, value: float) -> float:
    return float((1 + np.sum(null >= value - 1e-9 * max(1.0, abs(value)))) / (len(null) + 1))


def mixture_p(ratio: float, nulls: Mapping[str, Rows]) -> dict[str, float]:
    """p of a likelihood ratio under each one-heap null (parametric bootstrap)."""
    shape = nulls["normal"].shape
    if shape[1] < 4:
        return dict.fromkeys(nulls, float("nan"))
    return {
        name: _tail(_normal_null(shape[1], len(rows)) if name == "normal" else two_normals(rows).ratio, ratio)
        for name, rows in nulls.items()
    }


@lru_cache(maxsize=256)
def mixture_power(n: int, separation: float, share: float, alpha: float = 0.05, draws: int = 300) -> float:
    """How often two normal modes ``separation`` apart, the upper with this share, would be called two.

    Against the normal null and, for equal modes, the uniform one; the nulls that are fitted to the data can only
    lower it, so this is an upper bound.
    """
    if n < 4:
        return 0.0
    rng = np.random.default_rng([_SEED, n, round(100 * separation), round(100 * share)])
    x = rng.standard_normal((draws, n)) + separation * (rng.random((draws, n)) < share)
    fit = two_normals(x)
    nulls = [_normal_null(n, 999)] + [_uniform_null(n, 999)] * (share == 0.5)
    critical = max(float(np.quantile(null, 1 - alpha, method="higher")) for null in nulls)
    return float(np.mean((fit.ratio > critical) & fit.two))


# ------------------------------------------------------------------------------------------------- the rest


def gap_ratio(x: Rows) -> Draws:
    """Largest spacing over the median spacing of the sorted values; NaN where half of the values are ties."""
    if x.shape[1] < 3:
        return np.full(len(x), np.nan)
    spacing = np.diff(np.sort(x, axis=1), axis=1)
    middle = np.median(spacing, axis=1)
    known = middle > 1e-12 * np.maximum(np.ptp(x, axis=1), 1e-300)
    return np.where(known, spacing.max(axis=1) / np.where(known, middle, 1.0), np.nan)


@lru_cache(maxsize=64)
def _gap_nulls(n: int, draws: int) -> tuple[Draws, Draws]:
    rng = np.random.default_rng([_SEED, n, 1])
    return gap_ratio(rng.standard_normal((draws, n))), gap_ratio(rng.random((draws, n)))


def gap_p(value: float, n: int, draws: int = 999) -> tuple[float, float]:
    """p of a gap ratio among normal and among uniform samples of n values."""
    if n < 4 or not np.isfinite(value):
        return float("nan"), float("nan")
    normal, uniform = _gap_nulls(n, draws)
    return _tail(normal, value), _tail(uniform, value)


def floor_p(count: int, width: float, nulls: Mapping[str, Rows], level: float | None = None) -> dict[str, float]:
    """p of ``count`` values at the floor.

    Without ``level`` the floor is the smallest value, and ``width`` is the share of the whole range that counts as at
    the floor. With it, values within ``width`` of it count, both in standard deviations from the mean.
    """
    found = {}
    for name, rows in nulls.items():
        if level is None:
            near = rows - rows.min(axis=1, keepdims=True) <= width * np.ptp(rows, axis=1)[:, None]
        else:
            near = np.abs((rows - rows.mean()) / rows.std() - level) <= width
        found[name] = _tail(near.sum(axis=1).astype(float), float(count))
    return found


def valley(
    x: Float[np.ndarray, "n"], bandwidth: float | None = None, points: int = 256
) -> tuple[Float[np.ndarray, "g"], Float[np.ndarray, "g"], float, float]:
    """Kernel density of the values on a grid, the depth of its deepest valley and where that is.

    Returns:
        The grid; the density; 1 - valley / lower of the two peaks beside it (0 for one peak); the antimode (NaN for
        one peak). The bandwidth is Silverman's, with the smaller of the standard deviation and the scaled
        interquartile range, unless it is given.
    """
    n = len(x)
    spread = float(np.std(x)) if n > 1 else 0.0
    if n < 2 or spread <= 1e-12 * float(np.abs(x).max()):
        return np.empty(0), np.empty(0), float("nan"), float("nan")
    if bandwidth is None:
        quartiles = np.percentile(x, [25, 75])
        iqr = float(quartiles[1] - quartiles[0]) / 1.349
        bandwidth = 0.9 * (min(spread, iqr) if iqr > 0.05 * spread else spread) * n**-0.2
    grid = np.linspace(x.min() - 3 * bandwidth, x.max() + 3 * bandwidth, points)
    u = (grid[:, None] - x[None, :]) / bandwidth
    height = np.exp(-(u**2) / 2).sum(axis=1) / (n * bandwidth * np.sqrt(2 * np.pi))
    left, right = np.maximum.accumulate(height), np.maximum.accumulate(height[::-1])[::-1]
    depth = 1 - height / np.minimum(left, right)
    at = int(np.argmax(depth))
    return grid, height, float(depth[at]), float(grid[at]) if depth[at] > 1e-6 else float("nan")


def bimodality_coefficient(x: Float[np.ndarray, "n"]) -> float:
    """(skewness^2 + 1) / kurtosis: 5/9 for the uniform; a description only, as skewed heaps score high too."""
    spread = float(np.std(x)) if len(x) else 0.0
    if len(x) < 4 or spread <= 1e-12 * float(np.abs(x).max()):
        return float("nan")
    u = (x - x.mean()) / spread
    return float(((u**3).mean() ** 2 + 1) / (u**4).mean())
