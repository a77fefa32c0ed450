"""Measures of diversity: of labels (entropies, Hill numbers, rarefaction) and of points (Vendi score and others)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import special
from scipy.spatial import distance

__all__ = [
    "chao1", "coverage", "effective_rank", "eigenvalues", "entropy", "hill", "hill_of_shares", "mean_distance",
    "neighbour_entropy", "normalised", "rarefied_entropy", "rarefied_hill", "similarity", "vendi",
]  # fmt: skip

Counts = Float[np.ndarray, "*rest mode"]
Shape = Any  # Float[np.ndarray, "*rest"], or a number where no dims are left


def _xlogx(p: np.ndarray) -> np.ndarray:
    return special.xlogy(p, p)


def hill_of_shares(p: Counts, q: float) -> Shape:
    """Hill number of order q along the last axis: the number of equally common types with the same diversity.

    q = 0 counts types, 1 is the exponential of Shannon's entropy, 2 the inverse of Simpson's concentration, inf the
    inverse of the largest share (Hill 1973). NaN where the shares are.
    """
    p = np.clip(p, 0.0, None)
    if q == 1:
        return np.exp(-_xlogx(p).sum(axis=-1))
    if np.isinf(q):
        top = p.max(axis=-1, initial=0.0)
        return np.where(top > 0, 1 / np.where(top > 0, top, 1), np.nan)
    if q == 0:
        return np.where(np.isnan(p).any(axis=-1), np.nan, (p > 0).sum(axis=-1).astype(float))
    power = np.where(p > 0, np.where(p > 0, p, 1.0) ** q, 0.0 * p).sum(axis=-1)
    return np.where(power > 0, np.where(power > 0, power, 1.0) ** (1 / (1 - q)), np.nan)


def _shares(counts: Counts) -> Counts:
    n = counts.sum(axis=-1, keepdims=True)
    return np.where(n > 0, counts / np.maximum(n, 1), np.nan)


def hill(counts: Counts, q: float) -> Shape:
    """Hill number of counts; NaN where nothing was counted."""
    return hill_of_shares(_shares(counts), q)


def entropy(counts: Counts, how: str = "miller-madow") -> Shape:
    """Shannon entropy of counts in nats, NaN where nothing was counted.

    The plug-in is too low by about (k - 1) / 2n. "miller-madow" adds that for the k types seen (Miller 1955);
    "chao-shen" weights the types by the estimated coverage (Chao and Shen 2003); "plug-in" leaves it.
    """
    n = counts.sum(axis=-1)
    plain = -_xlogx(_shares(counts)).sum(axis=-1)
    if how == "miller-madow":
        return plain + ((counts > 0).sum(axis=-1) - 1) / (2 * np.maximum(n, 1))
    if how == "plug-in":
        return plain
    covered = coverage(counts)
    # where every type was seen once the estimated coverage is 0: one of them is then taken for repeated
    covered = np.where(covered > 0, covered, 1 / np.maximum(n, 1))
    p = covered[..., None] * _shares(counts)
    seen = -np.expm1(n[..., None] * np.log1p(-np.clip(p, 0.0, 1.0 - 1e-12)))
    terms = np.where(counts > 0, -_xlogx(p) / np.where(seen > 0, seen, 1.0), 0.0 * p)
    return terms.sum(axis=-1)


def normalised(nats: Shape, modes: int) -> Shape:
    """Entropy as a share of that of a uniform choice among ``modes``; NaN for fewer than two."""
    return nats / np.log(modes) if modes > 1 else np.full(np.shape(nats), np.nan)


def coverage(counts: Counts) -> Shape:
    """Good's coverage: the estimated share of behaviour that belongs to types already seen (Good 1953)."""
    n = counts.sum(axis=-1)
    return np.where(n > 0, 1 - (counts == 1).sum(axis=-1) / np.maximum(n, 1), np.nan)


def chao1(counts: Counts) -> Shape:
    """Lower bound of the number of types, unseen ones included, from those seen once and twice (Chao 1984)."""
    n = counts.sum(axis=-1)
    once, twice = (counts == 1).sum(axis=-1), (counts == 2).sum(axis=-1)
    unseen = (n - 1) / np.maximum(n, 1) * once * (once - 1) / (2 * (twice + 1))
    return np.where(n > 0, (counts > 0).sum(axis=-1) + unseen, np.nan)


def _drawn(counts: Counts, m: int) -> Float[np.ndarray, "*rest mode k"]:
    """Hypergeometric probability that k = 0..m of ``m`` rollouts drawn without replacement are of each type."""
    n = counts.sum(axis=-1)[..., None, None]
    c, k = counts[..., None], np.arange(m + 1.0)
    possible = (k <= c) & (m - k <= n - c) & (n >= m)

    def choose(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = np.where(possible, a, 0.0), np.where(possible, b, 0.0)
        return special.gammaln(a + 1) - special.gammaln(b + 1) - special.gammaln(a - b + 1)

    logs = choose(c, k + 0 * c) + choose(n - c, m - k + 0 * c) - choose(n + 0 * c * k, m + 0 * c * k)
    return np.where(possible, np.exp(logs), np.where(n >= m, 0.0, np.nan))


def rarefied_entropy(counts: Counts, m: int) -> Shape:
    """Expected plug-in entropy (nats) of ``m`` rollouts drawn without replacement: exact, no resampling.

    Equal m gives equal bias, so seeds and conditions with unequal numbers of rollouts compare. NaN where fewer were
    counted.
    """
    k = np.arange(m + 1.0) / m
    return (_drawn(counts, m) * -_xlogx(k)).sum(axis=(-1, -2))


def rarefied_hill(counts: Counts, q: float, m: int) -> Shape:
    """Hill number at m rollouts: types expected (q = 0), or the number that belongs to the expected sum of p**q."""
    if q == 1:
        return np.exp(rarefied_entropy(counts, m))
    k = np.arange(m + 1.0) / m
    terms = (k > 0).astype(float) if q == 0 else k**q
    total = (_drawn(counts, m) * terms).sum(axis=(-1, -2))
    return total if q == 0 else np.where(total > 0, np.where(total > 0, total, 1.0) ** (1 / (1 - q)), np.nan)


def similarity(
    points: Float[np.ndarray, "n feature"], kernel: str, bandwidth: float | None
) -> Float[np.ndarray, "n n"]:
    """Positive semi-definite similarity with ones on the diagonal: "cosine", or "rbf" of a given bandwidth."""
    if kernel == "cosine":
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        return unit @ unit.T
    square = distance.squareform(distance.pdist(points, "sqeuclidean"))
    scale = bandwidth if bandwidth else 1.0
    return np.exp(-square / (2 * scale**2))


def eigenvalues(k: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n"]:
    """Eigenvalues of K / n: non-negative, and one together."""
    w = np.clip(np.linalg.eigvalsh(k / len(k)), 0.0, None)
    return np.where(w > 1e-12, w, 0.0)


def vendi(k: Float[np.ndarray, "n n"], q: float = 1.0) -> float:
    """Vendi score of order q of a similarity: Hill number of its eigenvalues (Friedman and Dieng 2023)."""
    return float(hill_of_shares(eigenvalues(k), q)) if len(k) else float("nan")


def mean_distance(points: Float[np.ndarray, "n feature"]) -> float:
    """Mean Euclidean distance of two points."""
    return float(distance.pdist(points).mean()) if len(points) > 1 else float("nan")


def neighbour_entropy(points: Float[np.ndarray, "n feature"]) -> float:
    """Differential entropy in nats from distances to the nearest neighbour (Kozachenko and Leonenko 1987).

    NaN where two points coincide: the entropy of a density is then minus infinity.
    """
    n, d = points.shape
    if n < 2:
        return float("nan")
    apart = distance.squareform(distance.pdist(points))
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    if not (nearest > 0).all():
        return float("nan")
    ball = d / 2 * np.log(np.pi) - special.gammaln(d / 2 + 1)
    return float(d * np.log(nearest).mean() + ball + np.log(n - 1) + np.euler_gamma)


def effective_rank(points: Float[np.ndarray, "n feature"]) -> float:
    """Exponential of the entropy of the singular values of the centred points (Roy and Vetterli 2007)."""
    s = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    total = float(s.sum())
    return (
        float(hill_of_shares(s / total, 1)) if total > 1e-12 * max(1.0, float(np.abs(points).max())) else float("nan")
    )
