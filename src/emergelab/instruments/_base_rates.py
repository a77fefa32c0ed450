"""Scores that only say which constant answer a model gives: two plateaus that add up to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["BaseRates", "base_rate_plateaus"]

_FEWEST = 3  # exactly repeated records that make a plateau
_MOSTLY = 0.5  # share of a curve's records on the two plateaus from which the curve counts as a flip
_EDGE = 0.1  # base rates nearer to 0 and 1 than this say nothing: a rise from 0 to 1 adds up to one as well
_MIDDLE = 0.02  # nor do those this near to a half, which is its own complement


@dataclass(frozen=True)
class BaseRates:
    """Two plateaus that are the shares of the two classes of a binary test.

    Attributes:
        low: the smaller base rate.
        high: the larger one, 1 - low.
        flat: curves that spend at least half of their records on the two plateaus.
    """

    low: float
    high: float
    flat: Bool[np.ndarray, "n"]


def base_rate_plateaus(
    scores: Float[np.ndarray, "n time"], resolution: float | None = None, *, graded: bool = False
) -> BaseRates | None:
    """Find the pair (b, 1 - b) on which a binary test's score sits when a model always gives the same answer.

    Args:
        scores: scores in [0, 1].
        graded: whether the values are known to be scores of a test (its items or standard errors are given).
            If not, they must also fall from the upper plateau to the lower one in some curve, as answers flip
            both ways and abilities do not.
        resolution: how near counts as equal; None: a hundred-thousandth, as constant answers give exactly
            equal scores.

    Returns:
        The plateaus, or None if scores leave [0, 1] or no two well-filled plateaus add up to one.
    """
    flat = scores[np.isfinite(scores)]
    if flat.size < 2 * _FEWEST or flat.min() < 0 or flat.max() > 1:
        return None
    near = 1e-5 if resolution is None else float(resolution)
    levels, counts = np.unique(np.round(flat / near).astype(int), return_counts=True)
    for level in levels[np.argsort(-counts, kind="stable")][:5]:
        b = float(np.median(flat[np.abs(flat - level * near) <= near]))
        if min(b, 1 - b) < _EDGE or abs(b - 0.5) < _MIDDLE:
            continue
        here, there = np.abs(scores - b) <= 2 * near, np.abs(scores - (1 - b)) <= 2 * near
        if here.sum() < _FEWEST or there.sum() < _FEWEST:
            continue
        if not graded and not _falls(here, there, b > 0.5):
            continue
        seen = np.maximum(np.isfinite(scores).sum(axis=1), 1)
        share = (here | there).sum(axis=1) / seen
        pooled = (here | there).sum() / flat.size
        # a curve that has not flipped itself is judged with the others: where most records are constant
        # answers, all are
        mostly = (share >= _MOSTLY) | ((share > 0.2) & (pooled >= _MOSTLY))
        if mostly.any():
            return BaseRates(min(b, 1 - b), max(b, 1 - b), mostly)
    return None


def _falls(here: Bool[np.ndarray, "n time"], there: Bool[np.ndarray, "n time"], here_is_upper: bool) -> bool:
    """Whether some curve is on the upper plateau first and on the lower one later."""
    upper, lower = (here, there) if here_is_upper else (there, here)
    return bool((np.logical_or.accumulate(upper, axis=1) & lower).any())
