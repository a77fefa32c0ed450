"""Models behind `early_warning`: is the return rate falling to zero, and which kind of bifurcation would fit?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["KINDS", "Slowing", "kind_weights", "slowing"]

KINDS = ("noise", "fold", "flip", "hopf")
"""White noise; a real positive root (fold, transcritical, pitchfork); a real negative one (flip, period doubling); a
pair of complex ones (Hopf, Neimark-Sacker)."""


@dataclass(frozen=True)
class Slowing:
    """Saddle-node-driven against stationary Ornstein-Uhlenbeck.

    Attributes:
        daic: AIC of the stationary model minus that of the other; positive speaks for slowing down.
        first: fitted return rate at the beginning, per unit of time.
        last: fitted return rate at the end.
    """

    daic: float
    first: float
    last: float


def slowing(time: Float[np.ndarray, "time"], residual: Float[np.ndarray, "time"]) -> Slowing:
    """Fit an Ornstein-Uhlenbeck process whose return rate is constant, and one on its way to a saddle-node.

    Near a saddle-node the square of the return rate falls in a straight line (Boettiger and Hastings 2012), so
    the second model has one parameter more: the rate at the end, not above that at the beginning. Both are
    fitted by exact likelihood between neighbouring records, uneven steps included.
    """
    gaps = np.diff(time)
    x = residual / (float(residual.std()) or 1.0)
    step = float(np.median(gaps))
    place = (time[:-1] - time[0]) / (time[-1] - time[0])

    def best(first: Float[np.ndarray, "k"], last: Float[np.ndarray, "k"]) -> tuple[float, float, float]:
        """Largest log likelihood among pairs of rates; the strength of the noise is profiled out."""
        rate = np.sqrt(first[:, None] ** 2 * (1 - place) + last[:, None] ** 2 * place) / step
        kept = np.exp(-rate * gaps)
        spread = np.maximum((1 - kept**2) / (2 * rate), 1e-300)
        error = x[1:] - kept * x[:-1]
        noise = np.maximum((error**2 / spread).mean(axis=1), 1e-300)
        likelihood = -0.5 * (len(gaps) * (np.log(2 * np.pi * noise) + 1) + np.log(spread).sum(axis=1))
        i = int(np.argmax(likelihood))
        return float(likelihood[i]), float(first[i]), float(last[i])

    grid = np.exp(np.linspace(np.log(1e-3), np.log(4.0), 40))
    constant = best(grid, grid)
    fine = constant[1] * np.exp(np.linspace(-0.25, 0.25, 41))
    constant = max(constant, best(fine, fine))
    coarse = grid[::2]
    falling = best(*_pairs(coarse, coarse))
    for width in (0.45, 0.15, 0.05):
        around = np.exp(np.linspace(-width, width, 7))
        falling = max(falling, best(*_pairs(falling[1] * around, falling[2] * around)))
    falling = max(falling, constant)  # the constant rate is among the falling ones
    return Slowing(2 * (falling[0] - constant[0]) - 2, falling[1] / step, falling[2] / step)


def _pairs(
    first: Float[np.ndarray, "a"], last: Float[np.ndarray, "b"]
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    one, other = (m.ravel() for m in np.meshgrid(first, last, indexing="ij"))
    keep = other <= one
    if not keep.any():
        keep[:] = True
        other = np.minimum(one, other)
    return one[keep], other[keep]


def kind_weights(residual: Float[np.ndarray, "time"]) -> Float[np.ndarray, "kind"]:
    """Akaike weights of the four `KINDS` for a stretch of residuals.

    In discrete time the spectra of the normal forms are those of autoregressions: the fold has one real positive
    root, the flip one real negative root, the Hopf a pair of complex ones. They are fitted by least squares on
    the same records.
    """
    x = residual - residual.mean()
    now, one, two = x[2:], x[1:-1], x[:-2]
    n = len(now)
    empty = float(now @ now)
    if n < 10 or empty <= 0:
        return np.full(4, np.nan)
    root = float(one @ now / (one @ one)) if float(one @ one) > 0 else 0.0
    first = np.inf if root == 0.0 else float(((now - root * one) ** 2).sum())
    (a, b), *_ = np.linalg.lstsq(np.column_stack([one, two]), now, rcond=None)
    second = float(((now - a * one - b * two) ** 2).sum()) if a * a + 4 * b < 0 else np.inf
    size = np.array([empty, first if root > 0 else np.inf, first if root < 0 else np.inf, second])
    with np.errstate(divide="ignore"):
        aic = n * np.log(np.maximum(size, 1e-12 * empty) / empty) + 2 * np.array([1, 2, 2, 3])
    weight = np.exp(-0.5 * (aic - aic.min()))
    return np.asarray(weight / weight.sum())
