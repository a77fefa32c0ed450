"""Changes over seeds: places that several seeds share, whether they line up, odd seeds, order of observables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy import stats

from emergelab.statistics import median_interval, proportion

__all__ = ["Change", "aligned", "axis_of", "consensus", "hills", "is_odd", "odd_seeds", "order_row"]

_GRID = 400  # places at which the density of changes is evaluated
_ODD = 5.0  # robust standard deviations from which a seed is called odd


@dataclass(frozen=True)
class Change:
    """One change in one seed.

    Attributes:
        condition: index of the condition.
        seed: index of the seed.
        record: index, on the common time axis, of the first record after the change.
        after: time of the last record before it.
        upto: time of the first record after it.
        low: start of the interval of its place (a record before which it did not happen).
        high: end of that interval.
        before_level: level (slope, spread ...) of the piece before.
        after_level: that of the piece after.
        size: size in standard deviations inside the pieces, signed but for distributions; NaN if nothing varies there.
        p: p of this change between its neighbours.
        shape: "step", "line", "logistic" or "unknown".
        step_bic: by how much BIC prefers a step.
        channel: the observable in which it is largest.
    """

    condition: int
    seed: int
    record: int
    after: float
    upto: float
    low: float
    high: float
    before_level: float
    after_level: float
    size: float
    p: float
    shape: str
    step_bic: float
    channel: str


def axis_of(time: Float[np.ndarray, "time"], axis: str) -> tuple[Float[np.ndarray, "time"], bool]:
    """Time as it is read: itself, or its natural logarithm on grids that are nearly logarithmic.

    Time 0 is put half a decade before the first positive record.
    """
    gaps = np.diff(time)
    log_like = bool(len(gaps) and time.min() >= 0 and gaps.max() > 20 * gaps.min())
    if not (axis == "log" or (axis == "auto" and log_like)) or not (time > 0).any():
        return time, False
    first = float(time[time > 0].min())
    return np.log(np.where(time > 0, time, first / np.sqrt(10))), True


def hills(
    middle: Float[np.ndarray, "changes"], width: Float[np.ndarray, "changes"], span: float
) -> Int[np.ndarray, "changes"]:
    """Cluster of each change: the hill of a kernel density that it stands on.

    The kernel is as wide as a typical change's own interval (at least a fiftieth of the axis), so changes are told
    apart only if their places can be.
    """
    if len(middle) == 0:
        return np.zeros(0, dtype=int)
    band = max(float(np.median(width)) / 2, span / 50, 1e-12)
    grid = np.linspace(float(middle.min()) - 3 * band, float(middle.max()) + 3 * band, _GRID)
    density = np.exp(-0.5 * ((grid[:, None] - middle[None, :]) / band) ** 2).sum(axis=1)
    valley = np.flatnonzero((density[1:-1] < density[:-2]) & (density[1:-1] <= density[2:])) + 1
    return np.searchsorted(grid[valley], middle)


def consensus(
    changes: list[Change],
    conditions: tuple[str, ...],
    tested: Int[np.ndarray, "condition"],
    time: Float[np.ndarray, "time"],
    axis: str,
    level: float,
) -> tuple[pd.DataFrame, list[Any]]:
    """Places that seeds share, the most shared first in each condition; and the interval of each place."""
    u = axis_of(time, axis)[0]
    at = dict(zip(time.tolist(), u.tolist(), strict=True))
    rows, places = [], []
    for i, condition in enumerate(conditions):
        own = [c for c in changes if c.condition == i]
        left, right = (np.array([at[t] for t in g]) for g in ([c.after for c in own], [c.upto for c in own]))
        low, high = (np.array([at[t] for t in g]) for g in ([c.low for c in own], [c.high for c in own]))
        group = hills((left + right) / 2, high - low, float(np.ptp(u)) if len(u) else 0.0)
        found = []
        for g in np.unique(group):
            members = [c for c, k in zip(own, group, strict=True) if k == g]
            # a seed with two changes on one hill counts once, with its larger one
            best: dict[int, Change] = {}
            for c in sorted(members, key=lambda c: -np.nan_to_num(abs(c.size), nan=1e300)):
                best.setdefault(c.seed, c)
            one = list(best.values())
            share = proportion(len(one), int(tested[i]), level=level)
            where = median_interval(np.array([c.after for c in one]), np.array([c.upto for c in one]), level=level)
            spread = float(np.std([c.upto for c in one], ddof=1)) if len(one) > 1 else float("nan")
            sizes = np.array([c.size for c in one])
            row: dict[str, Any] = {
                "condition": condition,
                "after": float(np.median([c.after for c in one])),
                "upto": float(np.median([c.upto for c in one])),
                "seeds": len(one),
                "of": int(tested[i]),
                "share": share.value,
                "share_low": share.low,
                "share_high": share.high,
                "spread": spread,
                "size": float(np.nanmedian(sizes)) if np.isfinite(sizes).any() else float("nan"),
                "steps": sum(c.shape == "step" for c in one),
            }
            found.append((row, where))
        found.sort(key=lambda pair: (-pair[0]["seeds"], pair[0]["upto"]))
        rows += [row for row, _ in found]
        places += [where for _, where in found]
    names = ["condition", "after", "upto", "seeds", "of", "share", "share_low", "share_high", "spread", "size", "steps"]
    return pd.DataFrame(rows, columns=names), places


def aligned(
    changes: list[Change], seeds: list[int], n: int, tolerance: int, draws: int, rng: np.random.Generator
) -> tuple[float, int]:
    """Do seeds change at the same place? Most seeds with a change within ``tolerance`` records of one place, against
    the same number after every seed's changes are shifted round the record by a step of its own.

    Returns:
        p, and the number of seeds; NaN if fewer than two seeds change.
    """
    own = {j: [c.record for c in changes if c.seed == j] for j in seeds}
    own = {j: v for j, v in own.items() if v}
    if len(own) < 2 or n < 4:
        return float("nan"), len(own)
    near = np.zeros((len(own), n), dtype=bool)
    for row, records in zip(near, own.values(), strict=True):
        for r in records:
            row[np.arange(r - tolerance, r + tolerance + 1) % n] = True
    count = np.zeros((draws, n), dtype=np.int16)
    shift = rng.integers(0, n, (draws, len(own)))
    doubled = np.concatenate([near, near], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(doubled, n, axis=1)
    for k in range(len(own)):
        count += windows[k, shift[:, k]]
    observed = int(near.sum(axis=0).max())
    return float((1 + (count.max(axis=1) >= observed).sum()) / (draws + 1)), observed


def odd_seeds(values: Float[np.ndarray, "seed time"]) -> Float[np.ndarray, "seed"]:
    """Robust z of each seed's root-mean-square distance to the median curve; NaN below five seeds."""
    n = len(values)
    out = np.full(n, np.nan)
    seen = np.isfinite(values)
    usable = seen.any(axis=1)
    if usable.sum() < 5:
        return out
    columns = seen.any(axis=0)
    scale = max(float(np.nanmax(np.abs(values[:, columns]))), 1e-300)
    rows = values[:, columns] / scale
    gap = rows - np.nanmedian(rows, axis=0)
    distance = np.full(n, np.nan)
    distance[usable] = np.sqrt(np.nanmean(gap[usable] ** 2, axis=1))
    centre = float(np.nanmedian(distance))
    spread = 1.4826 * float(np.nanmedian(np.abs(distance - centre)))
    if spread <= 1e-12:
        return out
    return (distance - centre) / spread


def is_odd(z: Float[np.ndarray, "seed"]) -> Bool[np.ndarray, "seed"]:
    """Seeds far from the others."""
    return np.nan_to_num(z) > _ODD


def order_row(mine: list[Change], other: list[Change], condition: str, name: str, level: float) -> dict[str, Any]:
    """Which of two observables has its largest change first, seed by seed; only where their gaps do not overlap."""

    def main(changes: list[Change]) -> dict[int, Change]:
        best: dict[int, Change] = {}
        for c in sorted(changes, key=lambda c: -np.nan_to_num(abs(c.size), nan=1e300)):
            best.setdefault(c.seed, c)
        return best

    a, b = main(mine), main(other)
    both = sorted(set(a) & set(b))
    first = sum(b[j].upto <= a[j].after for j in both)
    last = sum(a[j].upto <= b[j].after for j in both)
    decided = first + last
    share = proportion(first, decided, level=level)
    return {
        "condition": condition,
        "companion": name,
        "both_change": len(both),
        "companion_first": first,
        "companion_last": last,
        "share": share.value,
        "share_low": share.low,
        "share_high": share.high,
        "p": float(stats.binomtest(first, decided).pvalue) if decided else float("nan"),
        "median_lead": float(np.median([a[j].upto - b[j].upto for j in both])) if both else float("nan"),
    }
