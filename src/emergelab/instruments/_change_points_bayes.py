"""Bayesian change points: normal pieces with a conjugate prior, a constant chance of a change at each record.

Run lengths online as in Adams and MacKay (2007); places of changes given the whole record by the exact recursions
of Fearnhead (2006).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln, logsumexp

__all__ = ["change_probability", "most_likely_changes", "run_lengths"]

_KAPPA, _ALPHA, _BETA = 0.01, 1.0, 0.1  # weak prior for a record of unit spread: mean 0, variance about 0.1


def _evidence(f: Float[np.ndarray, "feature n"], size: int) -> Float[np.ndarray, "n n1"]:
    """Logarithm of the marginal likelihood of the records a, ..., b - 1 as one piece; minus infinity if it is
    shorter than ``size`` records. Rows a = 0..n-1, columns b = 0..n."""
    n = f.shape[1]
    length = np.arange(n + 1)[None, :] - np.arange(n)[:, None]
    k = np.maximum(length, 1).astype(float)
    total = np.zeros((n, n + 1))
    for row in f:
        s1, s2 = np.concatenate([[0.0], np.cumsum(row)]), np.concatenate([[0.0], np.cumsum(row**2)])
        one, two = s1[None, :] - s1[:-1, None], s2[None, :] - s2[:-1, None]
        kappa, alpha = _KAPPA + k, _ALPHA + k / 2
        within = np.maximum(two - one**2 / k, 0.0)
        beta = _BETA + 0.5 * (within + _KAPPA * one**2 / (k * kappa))
        total += (
            gammaln(alpha)
            - gammaln(_ALPHA)
            + _ALPHA * np.log(_BETA)
            - alpha * np.log(beta)
            + 0.5 * np.log(_KAPPA / kappa)
            - 0.5 * k * np.log(2 * np.pi)
        )
    return np.where(length >= size, total, -np.inf)


def _gap(n: int, hazard: float) -> tuple[float, float]:
    """Logarithms of the chance of a change and of none at one record."""
    h = float(np.clip(hazard, 1e-9, 1 - 1e-9))
    return float(np.log(h)), float(np.log1p(-h))


def run_lengths(y: Float[np.ndarray, "n"], hazard: float) -> Float[np.ndarray, "n run"]:
    """Posterior of the run length after each record, online.

    Args:
        y: the record in units of its own spread.
        hazard: chance of a change at each record, in (0, 1).

    Returns:
        Row t: probabilities of run lengths 1, 2, ..., n after record t.
    """
    n = len(y)
    evidence = _evidence(y[None], 1)
    change, stay = _gap(n, hazard)
    start = np.full(n, -np.inf)  # log probability of the records before t, a piece starting at t
    start[0] = 0.0
    out = np.zeros((n, n))
    for t in range(1, n + 1):
        ages = np.arange(t, 0, -1)
        joint = start[:t] + evidence[:t, t] + (ages - 1) * stay
        whole = logsumexp(joint)
        out[t - 1, :t] = np.exp(joint - whole)[::-1]
        if t < n:
            start[t] = whole + change
    return out


def change_probability(f: Float[np.ndarray, "feature n"], hazard: float, size: int = 1) -> Float[np.ndarray, "n"]:
    """Posterior probability, given the whole record, that a piece starts at each record (0 at the first one)."""
    n = f.shape[1]
    evidence = _evidence(f, size)
    change, stay = _gap(n, hazard)
    forward, backward = np.full(n + 1, -np.inf), np.full(n + 1, -np.inf)
    forward[0] = backward[n] = 0.0
    for t in range(1, n + 1):
        ages = np.arange(t, 0, -1)
        forward[t] = logsumexp(forward[:t] + evidence[:t, t] + (ages - 1) * stay) + (change if t < n else 0.0)
    for t in range(n - 1, -1, -1):
        ages = np.arange(1, n - t + 1)
        later = backward[t + 1 :] + np.where(np.arange(t + 1, n + 1) < n, change, 0.0)
        backward[t] = logsumexp(later + evidence[t, t + 1 :] + (ages - 1) * stay)
    if not np.isfinite(forward[n]):
        return np.zeros(n)
    with np.errstate(under="ignore"):
        p = np.exp(forward[:n] + backward[:n] - forward[n])
    p[0] = 0.0
    return np.clip(p, 0.0, 1.0)


def most_likely_changes(f: Float[np.ndarray, "feature n"], hazard: float, size: int) -> list[int]:
    """The segmentation with the largest posterior probability."""
    n = f.shape[1]
    evidence = _evidence(f, size)
    change, stay = _gap(n, hazard)
    best, came = np.full(n + 1, -np.inf), np.zeros(n + 1, dtype=int)
    best[0] = 0.0
    for t in range(1, n + 1):
        joint = best[:t] + evidence[:t, t] + (np.arange(t, 0, -1) - 1) * stay
        came[t] = int(joint.argmax())
        best[t] = joint[came[t]] + change
    places, t = [], n
    while t > 0 and np.isfinite(best[t]):
        t = int(came[t])
        if t > 0:
            places.append(t)
    return places[::-1]
