"""How many seeds would settle a question."""

from __future__ import annotations

import numpy as np
from scipy import stats

from emergelab.errors import UserError
from emergelab.statistics.intervals import MIN_INTERVAL, Estimate

__all__ = ["MOST_SEEDS", "seeds_needed"]

MOST_SEEDS = 1_000_000
"""Answer where no smaller number of seeds would do."""


def seeds_needed(estimate_or_sd: Estimate | float, distance: float, power: float = 0.8, level: float = 0.95) -> int:
    """Fewest seeds with which the two-sided interval would exclude a value this far away, with the given
    probability.

    Args:
        estimate_or_sd: an estimate made from a pilot, or the standard deviation of one seed.
        distance: how far the true value is from the value to be excluded (the claim's margin); the sign does
            not matter.
        power: wanted probability of a decision, in (0, 1).
        level: confidence level of the interval.

    Returns:
        A number of seeds from 5 (below that no interval is claimed) to 1,000,000 (that many or more). It
        rests on a normal spread over seeds (noncentral t) and on the pilot's standard deviation, which is
        itself uncertain when the pilot is small.
    """
    sd = estimate_or_sd.sd if isinstance(estimate_or_sd, Estimate) else float(estimate_or_sd)
    gap = abs(float(distance))
    if not (0 < power < 1 and 0 < level < 1):
        raise UserError(f"seeds_needed: power and level must be in (0, 1), got {power} and {level}")
    if not np.isfinite(sd) or sd < 0:
        raise UserError(
            "seeds_needed: the standard deviation of a seed is unknown; a pilot of 3 or more seeds gives it"
        )
    if np.isnan(gap):
        raise UserError("seeds_needed: distance must be a number, got NaN")
    if sd == 0.0 and gap > 0:
        return MIN_INTERVAL
    if gap == 0.0:
        return MOST_SEEDS

    def reaches(n: int) -> bool:
        critical = stats.t.ppf(0.5 + level / 2, n - 1)
        reached = float(stats.nct.sf(critical, n - 1, gap / sd * np.sqrt(n)))
        # far out in the tail scipy's noncentral t gives NaN: the effect is then overwhelming
        return bool(np.isnan(reached) or reached >= power)

    low, high = MIN_INTERVAL, MIN_INTERVAL
    while high < MOST_SEEDS and not reaches(high):
        low, high = high, min(2 * high, MOST_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high
