"""Transitions against neutral records: area under the ROC curve, its interval, and a test that pays for every look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from emergelab.statistics import max_t, relabellings

__all__ = ["Area", "area", "relabelled"]

_FEWEST = 5  # records on either side for which an interval is claimed


@dataclass(frozen=True)
class Area:
    """Probability that a transition's score exceeds that of a neutral record, ties counted half.

    Attributes:
        value: the area; 0.5 is chance.
        low: lower end of its interval; NaN with fewer than five records on either side.
        high: upper end.
        method: how the interval was made, or why there is none.
        sensitivity: share of the transitions above all but 5% of the neutral records.
    """

    value: float
    low: float
    high: float
    method: str
    sensitivity: float


def area(events: Float[np.ndarray, "event look"], controls: Float[np.ndarray, "control look"], level: float) -> Area:
    """Area under the ROC curve, with every look of a record counted and whole records as the unit.

    The interval is DeLong's (1988), in the form for clustered data (Obuchowski 1997), on the logit scale with
    Student's t; at an area of 0 or 1, where that variance vanishes, Newcombe's (2006) fifth. An undefined score
    is no warning: it ranks below all others.
    """
    nan = float("nan")
    x, y = np.where(np.isfinite(events), events, -np.inf), np.where(np.isfinite(controls), controls, -np.inf)
    if not x.size or not y.size:
        return Area(nan, nan, nan, "no records", nan)
    pooled = np.sort(y.ravel())
    below = np.searchsorted(pooled, x, side="left")
    upto = np.searchsorted(pooled, x, side="right")
    of_event = ((below + upto) / (2 * len(pooled))).mean(axis=1)
    ordered = np.sort(x.ravel())
    above = len(ordered) - (np.searchsorted(ordered, y, side="left") + np.searchsorted(ordered, y, side="right")) / 2
    of_control = (above / len(ordered)).mean(axis=1)
    value = float(of_event.mean())
    # the threshold that at most one in twenty neutral scores exceeds
    threshold = pooled[max(0, len(pooled) - 1 - int(0.05 * len(pooled)))]
    sensitivity = float((x > threshold).mean())
    m, n = len(x), len(y)
    if min(m, n) < _FEWEST:
        return Area(value, nan, nan, f"no interval below {_FEWEST} records on either side", sensitivity)
    variance = of_event.var(ddof=1) / m + of_control.var(ddof=1) / n
    if 0.0 < value < 1.0 and variance > 0:
        reach = stats.t.ppf(0.5 + level / 2, min(m, n) - 1) * np.sqrt(variance) / (value * (1 - value))
        centre = np.log(value / (1 - value))
        low, high = (float(1 / (1 + np.exp(-(centre + side * reach)))) for side in (-1, 1))
        return Area(value, low, high, "DeLong", sensitivity)
    return Area(value, *_newcombe(value, m, n, level), "Newcombe", sensitivity)


def _newcombe(value: float, m: int, n: int, level: float) -> tuple[float, float]:
    """Areas whose own standard error, after Hanley and McNeil (1982), reaches just to the one observed."""
    z, k = stats.norm.ppf(0.5 + level / 2), (m + n) / 2 - 1
    a = np.linspace(0.0, 1.0, 20_001)
    error = np.sqrt(a * (1 - a) * (1 + k * (1 - a) / (2 - a) + k * a / (1 + a)) / (m * n))
    inside = a[np.abs(a - value) <= z * error + 1e-12]
    return float(inside.min()), float(inside.max())


def relabelled(
    events: Float[np.ndarray, "event column"],
    controls: Float[np.ndarray, "control column"],
    draws: int,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "column"], float, int]:
    """p of the area in every column, corrected for all columns by max-T over relabellings of whole records.

    Returns:
        The corrected p-values, the smallest that so few records can reach, and the number of relabellings.
    """
    m, n = len(events), len(controls)
    if not m or not n:
        return np.full(events.shape[1], np.nan), 1.0, 0
    pooled = np.concatenate([events, controls])
    ranks = stats.rankdata(np.where(np.isfinite(pooled), pooled, -np.inf), axis=0)
    member, _ = relabellings(m, n, draws=draws, rng=rng)
    sums = member.astype(float) @ ranks
    smallest = 1.0 / len(member)
    return max_t((sums - m * (m + 1) / 2) / (m * n)), smallest, len(member)
