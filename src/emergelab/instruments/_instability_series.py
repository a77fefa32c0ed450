"""Single runs: spikes, breakdowns that do not heal, and what gave warning of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import stats
from scipy.ndimage import median_filter

from emergelab.instruments._curves import Curves
from emergelab.statistics import benjamini_hochberg, permutation, surrogates

__all__ = ["Runs", "excursions", "precursor_table", "read_runs", "spike_rate"]

_FEWEST = 12  # records below which a seed is not judged
_HISTORY = 5  # records that a running median needs
_HEALED = 2.0  # robust standard deviations from the level before within which a run counts as recovered
_TINY = 1e-12
_FIRST = 99  # surrogates after which a plain "noise" is not pursued
_SETTLED = 10  # so many of the first surrogates reach the data: it is noise
_ROWS = 200  # surrogates looked at together
_FAR = 1e6  # stands for a step of infinitely many standard deviations


@dataclass(frozen=True)
class Runs:
    """What happened in every run.

    Attributes:
        spikes: one row a spike or breakdown.
        z: largest excursion in robust standard deviations.
        p: p of it on surrogates, corrected over seeds; NaN where too short.
        unstable: whether a seed has an excursion that passes, or breaks down.
        event: time of the first such excursion; NaN for none.
        broken: whether it did not come back.
        seen: whether a seed could be judged.
    """

    spikes: pd.DataFrame
    z: Float[np.ndarray, "condition seed"]
    p: Float[np.ndarray, "condition seed"]
    unstable: Bool[np.ndarray, "condition seed"]
    event: Float[np.ndarray, "condition seed"]
    broken: Bool[np.ndarray, "condition seed"]
    seen: Bool[np.ndarray, "condition seed"]


def history(n: int, window: int) -> int:
    """Records before a record that it is compared with: an odd number, at most a fifth of the record,
    at least five."""
    w = int(min(window, max(_HISTORY, n // 5)))
    return w if w % 2 else w - 1


def excursions(y: Float[np.ndarray, "rows n"], window: int) -> Float[np.ndarray, "rows n"]:
    """How far each record lies above the median of the records before it, in robust standard deviations.

    The level is the median of the last `history` records. The unit is the median step between neighbours over three
    times as many (at least half of that of the whole record, so that a quiet stretch makes no spike of a breath). The
    first records, which have no history, are 0.
    """
    n = y.shape[1]
    out = np.zeros_like(y)
    if n <= _HISTORY + 1:
        return out
    step = np.abs(np.diff(y, axis=1))
    whole = np.median(step, axis=1, keepdims=True)
    w = history(n, window)
    level = _median_before(y, w)
    unit = np.full_like(y, np.nan)
    unit[:, 1:] = _median_before(step, 3 * w)  # the step into a record does not count towards its own unit
    unit = np.maximum(unit, 0.5 * whole) / (0.6745 * np.sqrt(2))
    known = np.isfinite(level) & np.isfinite(unit)
    good = known & (unit > 0)
    np.divide(y - level, np.where(good, unit, 1.0), out=out, where=good)
    out[known & ~good & (y > level)] = _FAR  # any step away from an exactly constant record
    return np.minimum(out, _FAR)


def _median_before(x: Float[np.ndarray, "rows n"], w: int) -> Float[np.ndarray, "rows n"]:
    """Median of up to ``w`` values (an odd number) before each place; NaN where there are fewer than four."""
    n = x.shape[1]
    out = np.full_like(x, np.nan)
    hold = max(1, w // 8)  # while the window fills up, its median is renewed every few records
    for t in range(_HISTORY - 1, min(w, n), hold):
        out[:, t : min(t + hold, w)] = np.median(x[:, :t], axis=1, keepdims=True)
    if n > w:
        # rows are filtered end to end: a window that lies within its row never sees the one before
        middle = median_filter(np.ascontiguousarray(x).ravel(), w, mode="nearest").reshape(x.shape)
        out[:, w:] = middle[:, w // 2 : w // 2 + n - w]
    return out


def read_runs(
    data: Curves,
    infinite: Bool[np.ndarray, "condition seed time"],
    sign: float,
    k: float,
    window: int,
    recovery: int,
    since: float | None,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Runs:
    """Judge every run. ``sign`` turns the observable so that up is bad; ``infinite`` marks records that were not
    finite numbers in the data as given."""
    outer = data.values.shape[:2]
    z, p = np.full(outer, np.nan), np.full(outer, np.nan)
    event = np.full(outer, np.nan)
    broken, seen, lost = (np.zeros(outer, dtype=bool) for _ in range(3))
    late = np.ones(len(data.time), dtype=bool) if since is None else data.time >= since
    parts: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}
    for where in np.ndindex(*outer):
        index = np.flatnonzero(np.isfinite(data.values[where]))
        bad = np.flatnonzero(infinite[where])
        lost[where] = bool(len(bad) and (not len(index) or bad[-1] > index[-1]))  # never a number again
        if lost[where]:
            last = index[-1] if len(index) else -1
            event[where] = data.time[bad[bad > last][0]]
        if len(index) < _FEWEST:
            seen[where] = lost[where]
            continue
        seen[where] = True
        y = sign * data.values[where][index]
        largest = float(np.abs(y).max())
        y = y / largest if largest > 0 else y
        use = late[index]
        parts[where] = index, excursions(y[None], window)[0]
        here = np.where(use, parts[where][1], 0.0)
        z[where] = float(here.max())
        if z[where] <= k:
            p[where] = 1.0
        elif np.ptp(y) <= _TINY:
            z[where], p[where] = 0.0, 1.0
        else:
            # the excursion is measured in units of the record's own steps, so a breakdown that makes the surrogates
            # larger does not hide itself
            p[where] = _p_of(y, float(z[where]), data.time[index], use, window, draws, rng)
    adjusted = benjamini_hochberg(p.ravel()).reshape(outer)
    passed = (z > k) & (adjusted <= 1 - level)
    rows = []
    for where, (index, e) in parts.items():
        if not passed[where]:
            continue
        y, t = sign * data.values[where][index], data.time[index]
        for start, peak, end, healed in _spikes(y, np.where(late[index], e, 0.0), k, window, recovery):
            rows.append(_spike_row(data, where, t, y, e, start, peak, end, healed))
            if not healed:
                broken[where] = True
            if np.isnan(event[where]) or t[start] < event[where]:
                event[where] = t[start]
    broken |= lost
    columns = ["condition", "seed", "time", "peak", "height", "z", "recovered", "back_at"]
    return Runs(pd.DataFrame(rows, columns=columns), z, adjusted, passed | lost, event, broken, seen)


def _p_of(
    y: Float[np.ndarray, "n"],
    z: float,
    time: Float[np.ndarray, "n"],
    use: Bool[np.ndarray, "n"],
    window: int,
    draws: int,
    rng: np.random.Generator,
) -> float:
    """Share of surrogates whose largest excursion reaches that of the data; few are drawn where it is plainly large."""
    reached = done = 0
    while done < draws and (done != _FIRST or reached < _SETTLED):
        count = min(_FIRST - done if done < _FIRST else _ROWS, draws - done)
        drawn = surrogates(y, "trend+ar1", draws=count, time=time, rng=rng)
        reached += int((np.where(use, excursions(drawn, window), 0.0).max(axis=1) >= z).sum())
        done += count
    return (1 + reached) / (done + 1)


def _spike_row(
    data: Curves, where: tuple[int, ...], t: np.ndarray, y: np.ndarray, e: np.ndarray,
    start: int, peak: int, end: int, healed: bool,
) -> dict[str, Any]:  # fmt: skip
    return {
        "condition": data.conditions[where[0]],
        "seed": data.seeds[where[1]],
        "time": float(t[start]),
        "peak": float(t[peak]),
        "height": float(y[peak] - np.median(y[max(0, start - _HISTORY) : start])),
        "z": float(e[peak]),
        "recovered": healed,
        "back_at": float(t[end]) if healed else float("nan"),
    }


def _spikes(
    y: Float[np.ndarray, "n"], e: Float[np.ndarray, "n"], k: float, window: int, recovery: int
) -> list[tuple[int, int, int, bool]]:
    """Spikes as (first record, peak, first record back, whether it came back within ``recovery`` records)."""
    out, at, n = [], 0, len(y)
    while at < n:
        if e[at] <= k:
            at += 1
            continue
        w = history(n, window)
        level = float(np.median(y[max(0, at - w) : at]))
        unit = (y[at] - level) / e[at]  # the excursion is in these units
        back = np.flatnonzero(y[at + 1 :] <= level + _HEALED * max(unit, _TINY))
        healed = bool(len(back) and back[0] + 1 <= recovery)
        end = at + 1 + int(back[0]) if healed else min(n - 1, at + recovery)
        peak = at + int(y[at : end + 1].argmax())
        out.append((at, peak, end, healed))
        at = end + 1 if healed else n  # what follows a breakdown is no longer the same run
    return out


def spike_rate(spikes: int, duration: float, level: float) -> tuple[float, float, float]:
    """Spikes per unit of time with the exact Poisson interval (Garwood 1936)."""
    if duration <= 0:
        return float("nan"), float("nan"), float("nan")
    tail = (1 - level) / 2
    low = float(stats.chi2.ppf(tail, 2 * spikes)) / 2 if spikes else 0.0
    high = float(stats.chi2.ppf(1 - tail, 2 * (spikes + 1))) / 2
    return spikes / duration, low / duration, high / duration


def precursor_table(
    data: Curves,
    runs: Runs,
    others: dict[str, Curves],
    critical: dict[str, float],
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """What each precursor did before the breakdown, against the stable runs up to the same time.

    The alarm level is the critical value where one is given, else the highest value any stable run reaches before
    the latest event. AUC: the chance that an unstable run's highest value before its event exceeds a stable run's.
    """
    rows = []
    for name, other in others.items():
        for i, condition in enumerate(data.conditions):
            bad = np.flatnonzero(runs.unstable[i]).tolist()
            good = np.flatnonzero(runs.seen[i] & ~runs.unstable[i]).tolist()
            until = float(np.nanmax(runs.event[i])) if len(bad) else float("nan")
            before = [_highest(other, i, j, float(runs.event[i, j])) for j in bad]
            calm = [_highest(other, i, j, until) for j in good]
            x, y = (np.array([v for v in g if np.isfinite(v)]) for g in (before, calm))
            auc = p = float("nan")
            if len(x) and len(y):
                auc = float(np.mean((x[:, None] > y) + 0.5 * (x[:, None] == y)))
                ranks = stats.rankdata(np.concatenate([x, y]))
                p = permutation(ranks[: len(x)], ranks[len(x) :], draws=draws, rng=rng).p
            alarm = critical.get(name, float(y.max()) if len(y) else float("nan"))
            leads = [_lead(other, i, j, float(runs.event[i, j]), alarm) for j in bad]
            leads = [v for v in leads if np.isfinite(v)]
            rows.append(
                {
                    "condition": condition,
                    "precursor": name,
                    "unstable": len(bad),
                    "stable": len(good),
                    "auc": auc,
                    "p": p,
                    "alarm_level": alarm,
                    "warned": len(leads),
                    "median_lead": float(np.median(leads)) if leads else float("nan"),
                    "false_alarms": int((y > alarm).sum()) if len(y) else 0,
                }
            )
    columns = "condition precursor unstable stable auc p alarm_level warned median_lead false_alarms"
    return pd.DataFrame(rows, columns=columns.split(" "))


def _highest(other: Curves, i: int, j: int, until: float) -> float:
    y = other.values[i, j][other.time < until]
    y = y[np.isfinite(y)]
    return float(y.max()) if len(y) else float("nan")


def _lead(other: Curves, i: int, j: int, event: float, alarm: float) -> float:
    above = (other.values[i, j] > alarm) & (other.time < event)
    return event - float(other.time[above][0]) if above.any() else float("nan")
