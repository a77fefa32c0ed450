"""From scores to gains over lag: one block (seed, item, lag), whichever of the two kinds the data were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from emergelab.instruments._retention_read import Plan, Source

__all__ = ["Memory", "Series", "from_lags", "from_series", "without_drift"]

_MOST_LAGS = 40  # more distinct lags than this are gathered in bins
_BINS_PER_DECADE = 8
_HALVES = 10  # seeds (or items) from which on two halves place each other's maxima
_MOST_OFFSETS = 256  # places in a window at which the curves of others are compared


@dataclass(frozen=True)
class Series:
    """Probe series of one condition, for what is read off time instead of lag.

    Attributes:
        level: score, the drift of items that are never seen taken off.
        plan: times of exposure by seed and item.
        shown: whether an item is exposed in a seed.
    """

    level: Float[np.ndarray, "seed item time"]
    time: Float[np.ndarray, "time"]
    plan: list[list[Float[np.ndarray, "_"]]]
    shown: Bool[np.ndarray, "seed item"]


@dataclass(frozen=True)
class Memory:
    """Gains of one condition, divided by the scale of the source.

    Attributes:
        gain: gain kept over the level before the first exposure, baseline taken off; NaN without a record.
        acquired: gain at the acquisition maximum of the last exposure, the denominator of R; all NaN if there is none,
            and then R is the gain itself.
        records: records behind each gain.
        lag: time since that maximum, rising, above 0.
        effect: gain of each exposure, baseline taken off; NaN where an item has fewer.
        rise: mean over the window after each exposure over the record before, baseline taken off: a gain for which no
            place is chosen, so it is what is tested.
        own_effect: as effect, at each curve's own maximum and with nothing taken off, as published.
        left: gain that is left before each exposure of those that came earlier.
        wait: from each exposure to its acquisition maximum.
        gap: from the exposure before to each exposure.
        raw_gain, raw_acquired: as gain and acquired, at the own maximum and with nothing taken off.
        last_exposure: time of the last exposure.
        items: labels of the exposed items.
        baseline: what was taken off, in words; "" if nothing could be.
        series: the probe series; None for scores by lag.
    """

    gain: Float[np.ndarray, "seed item lag"]
    acquired: Float[np.ndarray, "seed item"]
    records: Int[np.ndarray, "seed item lag"]
    lag: Float[np.ndarray, "lag"]
    effect: Float[np.ndarray, "seed item exposure"]
    rise: Float[np.ndarray, "seed item exposure"]
    own_effect: Float[np.ndarray, "seed item exposure"]
    left: Float[np.ndarray, "seed item exposure"]
    wait: Float[np.ndarray, "seed item exposure"]
    gap: Float[np.ndarray, "seed item exposure"]
    raw_gain: Float[np.ndarray, "seed item lag"]
    raw_acquired: Float[np.ndarray, "seed item"]
    last_exposure: Float[np.ndarray, "seed item"]
    items: tuple[Any, ...]
    baseline: str
    series: Series | None

    @property
    def is_ratio(self) -> bool:
        """Whether R is a share of what was acquired; otherwise it is the score above its baseline."""
        return bool(np.isfinite(self.acquired).any())


def from_lags(
    source: Source, baseline: Float[np.ndarray, "condition seed 1 axis"], words: str, tokens: list[float]
) -> list[Memory]:
    """Scores that are a function of lag: the gain is the score above its baseline, over that at lag 0 if known.

    Without a record at lag 0, shares above a baseline are divided by the room above it (chance-corrected recall).
    """
    later, start = source.axis > 0, source.axis == 0
    out = []
    for block, base, worth in zip(source.values, baseline, tokens, strict=True):
        over = block - base
        gain = over[..., later]
        nothing = np.full((*block.shape[:2], 0), np.nan)
        acquired = over[..., start][..., 0] if start.any() else np.full(block.shape[:2], np.nan)
        known = over[np.isfinite(over)] if words else np.empty(0)
        share = block[np.isfinite(block)] * source.scale
        if len(known) and not start.any() and share.min() >= 0 and share.max() <= 1:
            room = 1 / source.scale - base[..., later]
            gain = np.where(room > 1e-9, gain / np.where(room > 1e-9, room * source.scale, 1.0), np.nan)
        out.append(Memory(
            gain=gain, acquired=acquired, records=np.isfinite(gain).astype(int), lag=source.axis[later] * worth,
            effect=nothing, rise=nothing, own_effect=nothing, left=nothing, wait=nothing, gap=nothing,
            raw_gain=block[..., later], raw_acquired=block[..., start][..., 0] if start.any() else acquired,
            last_exposure=np.zeros(block.shape[:2]), items=source.items, baseline=words, series=None,
        ))  # fmt: skip
    return out


def from_series(source: Source, plan: Plan, window: float, tokens: list[float]) -> list[Memory]:
    """Acquisition and decay around the exposures of every item, condition by condition."""
    return [
        _one(block, source.axis, own, window, source.items, worth)
        for block, own, worth in zip(source.values, plan, tokens, strict=True)
    ]


def without_drift(
    block: Float[np.ndarray, "seed item time"], shown: Bool[np.ndarray, "seed item"], time: Float[np.ndarray, "time"]
) -> Float[np.ndarray, "seed item time"]:
    """Take off the mean course of the items that are never seen, seed by seed (of all seeds where one has none)."""
    known = np.isfinite(block)
    centre = np.where(known, block, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    # each centred first, so that an item which comes and goes does not move the mean
    use = known & ~shown[..., None]
    moved = np.where(use, block - centre[..., None], 0.0)
    count, total = use.sum(axis=1), moved.sum(axis=1)
    out = block.copy()
    for s in range(len(block)):
        own, many = (total[s], count[s]) if count[s].any() else (total.sum(axis=0), count.sum(axis=0))
        seen = many > 0
        if seen.any():
            out[s] -= np.interp(time, time[seen], own[seen] / many[seen])
    return out


@dataclass
class _Window:
    """One exposure of some cells that all have it at the same time."""

    cells: Int[np.ndarray, "cell 2"]  # seed, item
    at: Int[np.ndarray, "w"]  # records in the window
    before: int  # the record before
    rise: Float[np.ndarray, "cell w"]  # over the record before, baseline taken off
    own: Float[np.ndarray, "cell w"]  # nothing taken off
    shape: Float[np.ndarray, "cell w"]  # only the straight trend of the baseline taken off, to find the maximum
    offset: Float[np.ndarray, "w"]  # time since the exposure


def _windows(
    k: int,
    plan: list[list[Float[np.ndarray, "_"]]],
    time: Float[np.ndarray, "time"],
    level: Float[np.ndarray, "seed item time"],
    raw: Float[np.ndarray, "seed item time"],
    window: float,
) -> list[_Window]:
    """The (k+1)-th exposure of all cells, gathered by its time and the time of the next one."""
    groups: dict[tuple[float, float], list[tuple[int, int]]] = {}
    for s, row in enumerate(plan):
        for i, times in enumerate(row):
            if len(times) > k:
                following = times[k + 1] if len(times) > k + 1 else np.inf
                groups.setdefault((float(times[k]), float(following)), []).append((s, i))
    out = []
    for (start, following), members in groups.items():
        before = int(np.searchsorted(time, start, side="right")) - 1
        at = np.flatnonzero((time > start) & (time <= min(start + window, following)))
        if before < 0 or not len(at):
            continue
        cells = np.array(members)
        s, i = cells.T
        rise, own = (x[s, i][:, at] - x[s, i, before][:, None] for x in (level, raw))
        shape = own - _trend(own - rise, time[at] - time[before])
        out.append(_Window(cells, at, before, rise, own, shape, time[at] - start))
    return out


def _trend(drift: Float[np.ndarray, "cell w"], since: Float[np.ndarray, "w"]) -> Float[np.ndarray, "cell w"]:
    """The straight line through the start that fits each drift best; record by record it would add its noise."""
    known = np.isfinite(drift)
    square = np.maximum((known * since**2).sum(axis=1), 1e-300)
    return ((np.where(known, drift, 0.0) * since).sum(axis=1) / square)[:, None] * since


def _places(windows: list[_Window]) -> tuple[list[Int[np.ndarray, "cell"]], bool]:
    """Where in its window each cell has its acquisition maximum; and whether its own noise had no part in that.

    The place is that of the largest mean of the other seeds (of the other items if there is one seed): a curve that
    chooses its own maximum has its noise counted as gain. From ten units on, each half is placed by the other: leaving
    out one of many, all would choose nearly the same place, and with it the noise that they share.
    """
    several = len({s for w in windows for s, _ in w.cells.tolist()}) > 1
    units = [w.cells[:, 0] if several else w.cells[:, 1] for w in windows]
    different = np.unique(np.concatenate(units))
    if len(different) >= _HALVES:
        units = [np.searchsorted(different, unit) % 2 for unit in units]
    labels = np.unique(np.concatenate(units))
    grid = np.unique(np.concatenate([w.offset for w in windows]))
    if len(grid) > _MOST_OFFSETS:
        grid = grid[np.linspace(0, len(grid) - 1, _MOST_OFFSETS).round().astype(int)]
    total, count = np.zeros((len(labels), len(grid))), np.zeros((len(labels), len(grid)))
    for w, unit in zip(windows, units, strict=True):
        inside = (grid >= w.offset[0]) & (grid <= w.offset[-1])
        for u in np.unique(unit):
            rows = w.shape[unit == u]
            known = np.isfinite(rows)
            many = known.sum(axis=0)
            seen = many > 0
            if seen.any():
                mean = np.where(known, rows, 0.0).sum(axis=0)[seen] / many[seen]
                row = int(np.searchsorted(labels, u))
                total[row] += np.where(inside, np.interp(grid, w.offset[seen], mean) * len(rows), 0.0)
                count[row] += inside * len(rows)
    others, many = total.sum(axis=0) - total, count.sum(axis=0) - count
    fair = len(labels) > 1 and bool((many > 0).any(axis=1).all())
    found = []
    for w, unit in zip(windows, units, strict=True):
        score = w.shape
        if fair:
            rows = np.searchsorted(labels, unit)
            mean = [np.interp(w.offset, grid[many[r] > 0], (others[r] / np.maximum(many[r], 1))[many[r] > 0])
                    for r in rows]  # fmt: skip
            score = np.array(mean)
        found.append(np.argmax(np.where(np.isfinite(w.rise), score, -np.inf), axis=1))
    return found, fair


def _noise_maximum(
    level: Float[np.ndarray, "seed item time"], shown: Bool[np.ndarray, "seed item"], windows: list[_Window], first: int
) -> float:
    """Mean of the largest rise in such a window where nothing happens: in items never seen, or before all exposures."""
    found = []
    for w in windows:
        width = len(w.at)
        if (~shown).any():
            rows, starts = level[~shown], [w.before]
        else:
            rows, starts = level[shown], list(range(0, max(first - width, 0), max(width, 1)))
        for start in starts:
            part = rows[:, start + 1 : start + 1 + width] - rows[:, start : start + 1]
            known = np.isfinite(part).any(axis=1)
            if known.any():
                found.append(np.where(np.isfinite(part), part, -np.inf).max(axis=1)[known])
    return float(np.concatenate(found).mean()) if found else 0.0


def _one(
    block: Float[np.ndarray, "seed item time"],
    time: Float[np.ndarray, "time"],
    plan: list[list[Float[np.ndarray, "_"]]],
    window: float,
    items: tuple[Any, ...],
    worth: float,
) -> Memory:
    shown = np.array([[len(times) > 0 for times in row] for row in plan])
    level = without_drift(block, shown, time)
    most = max((len(times) for row in plan for times in row), default=0)
    shape = block.shape[:2]
    effect, rise, own_effect, left, wait, gap = (np.full((*shape, most), np.nan) for _ in range(6))
    start = _level_before_first(level, plan, time)
    raw_start = _level_before_first(block, plan, time)
    acquired, raw_acquired, since, own_since, last = (np.full(shape, np.nan) for _ in range(5))
    first = int(np.searchsorted(time, min((t[0] for row in plan for t in row if len(t)), default=np.inf)))
    lonely = False
    for k in range(most):
        windows = _windows(k, plan, time, level, block, window)
        if not windows:
            continue
        places, fair = _places(windows)
        noise = 0.0 if fair else _noise_maximum(level, shown, windows, first)
        lonely |= not fair
        for w, place in zip(windows, places, strict=True):
            s, i = w.cells.T
            rows = np.arange(len(place))
            best = np.argmax(np.where(np.isfinite(w.own), w.own, -np.inf), axis=1)
            effect[s, i, k] = w.rise[rows, place] - noise
            known = np.isfinite(w.rise)
            many = known.sum(axis=1)
            total = np.where(known, w.rise, 0.0).sum(axis=1)
            rise[s, i, k] = np.where(many > 0, total / np.maximum(many, 1), np.nan)
            own_effect[s, i, k] = w.own[rows, best]
            left[s, i, k] = level[s, i, w.before] - start[s, i]
            wait[s, i, k] = w.offset[place]
            gap[s, i, k] = [plan[a][b][k] - plan[a][b][k - 1] if k else np.nan for a, b in w.cells]
            final = np.array([len(plan[a][b]) == k + 1 for a, b in w.cells])
            s, i, top, peak = s[final], i[final], w.at[place[final]], w.at[best[final]]
            acquired[s, i] = level[s, i, top] - start[s, i] - noise
            raw_acquired[s, i] = block[s, i, peak] - raw_start[s, i]
            since[s, i], own_since[s, i] = time[top], time[peak]
            last[s, i] = [plan[a][b][k] for a, b in w.cells[final]]
    lag, own_lag = ((time - t[..., None]) * worth for t in (since, own_since))
    grid, index = _bins(lag)
    gain, records = _gather(level - start[..., None], index, len(grid))
    raw_gain, _ = _gather(block - raw_start[..., None], _nearest(own_lag, grid), len(grid))
    keep = np.asarray(shown.any(axis=0))
    taken = ["items never seen"] * bool((~shown).any()) + ["the largest noise"] * lonely
    return Memory(
        gain=gain[:, keep], acquired=acquired[:, keep], records=records[:, keep], lag=grid,
        effect=effect[:, keep], rise=rise[:, keep],
        own_effect=own_effect[:, keep], left=left[:, keep], wait=wait[:, keep], gap=gap[:, keep],
        raw_gain=raw_gain[:, keep], raw_acquired=raw_acquired[:, keep], last_exposure=last[:, keep],
        items=tuple(label for label, k in zip(items, keep.tolist(), strict=True) if k), baseline=" and ".join(taken),
        series=Series(level, time, plan, shown),
    )  # fmt: skip


def _level_before_first(
    level: Float[np.ndarray, "seed item time"],
    plan: list[list[Float[np.ndarray, "_"]]],
    time: Float[np.ndarray, "time"],
) -> Float[np.ndarray, "seed item"]:
    """The last record at or before the first exposure."""
    out = np.full(level.shape[:2], np.nan)
    for s, row in enumerate(plan):
        for i, times in enumerate(row):
            before = int(np.searchsorted(time, times[0], side="right")) - 1 if len(times) else -1
            if before >= 0:
                out[s, i] = level[s, i, before]
    return out


def _bins(lag: Float[np.ndarray, "seed item time"]) -> tuple[Float[np.ndarray, "_"], Int[np.ndarray, "seed item time"]]:
    """Lags, or bins of equal width in their logarithm if there are many; -1 marks records that count nowhere."""
    later = np.isfinite(lag) & (lag > 0)
    known = np.unique(lag[later])
    if len(known) <= _MOST_LAGS:
        return known, _nearest(lag, known)
    places = np.floor(np.log10(known / known[0]) * _BINS_PER_DECADE + 1e-9)
    _, own = np.unique(places, return_inverse=True)
    centre = np.exp(np.bincount(own, weights=np.log(known)) / np.bincount(own))
    return centre, np.where(later, own[np.searchsorted(known, np.where(later, lag, known[0]))], -1)


def _nearest(
    lag: Float[np.ndarray, "seed item time"], grid: Float[np.ndarray, "_"]
) -> Int[np.ndarray, "seed item time"]:
    """The bin whose centre is nearest on the logarithm of lag; -1 for records that are not after the maximum."""
    later = np.isfinite(lag) & (lag > 0)
    if not len(grid):
        return np.full(lag.shape, -1)
    edges = np.sqrt(grid[1:] * grid[:-1])
    return np.where(later, np.searchsorted(edges, np.where(later, lag, grid[0])), -1)


def _gather(
    values: Float[np.ndarray, "seed item time"], index: Int[np.ndarray, "seed item time"], bins: int
) -> tuple[Float[np.ndarray, "seed item _"], Int[np.ndarray, "seed item _"]]:
    """Mean of the values of every seed and item in each bin of lags, and how many there are."""
    shape = (*values.shape[:2], bins)
    usable = np.isfinite(values) & (index >= 0)
    rows = np.arange(values.shape[0] * values.shape[1]).reshape(values.shape[:2])[..., None] * max(bins, 1)
    flat = (rows + index)[usable]
    size = int(np.prod(shape))
    count = np.bincount(flat, minlength=size)[:size].reshape(shape)
    total = np.bincount(flat, weights=values[usable], minlength=size)[:size].reshape(shape)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), count
