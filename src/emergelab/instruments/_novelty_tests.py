"""What the curves of `novelty` amount to: growth laws, the neutral shadow, ANNECS, and who beats whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from emergelab.instruments._novelty_measures import activity

__all__ = ["Growth", "annecs", "bedau", "crossplay_table", "growth_of", "theil_sen"]

_BINS = 12  # log-spaced records that a slope is fitted through
_GRID = np.geomspace(1e-3, 1e3, 121)


def theil_sen(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> float:
    """Median of the slopes between each two points; NaN with fewer than two."""
    seen = np.isfinite(x) & np.isfinite(y)
    x, y = x[seen], y[seen]
    i, j = np.triu_indices(len(x), 1)
    apart = x[j] != x[i]
    return float(np.median((y[j] - y[i])[apart] / (x[j] - x[i])[apart])) if apart.any() else float("nan")


@dataclass(frozen=True)
class Growth:
    """How one cumulative curve grows.

    Attributes:
        exponent: slope of log count on log time in the late part; 1 is steady, 0 is over.
        early, late: new things a unit of time in the first and in the late part.
        forecast: log10 of the error of the hyperbola over that of the power law, both fitted to the first two thirds
            and judged on the last; above 0 the unbounded law forecasts better.
        delta_bic: BIC of the hyperbola minus that of the power law on all records.
        asymptote: where the hyperbola saturates; NaN if that is beyond ten times what was seen.
    """

    exponent: float
    early: float
    late: float
    forecast: float
    delta_bic: float
    asymptote: float


def growth_of(count: Float[np.ndarray, "time"], time: Float[np.ndarray, "time"], late: float) -> Growth:
    """Growth of one curve; NaN where it has fewer than 8 records. Time is counted from just before the first record."""
    nan = float("nan")
    seen = np.isfinite(count)
    y, t = count[seen], time[seen]
    if len(y) < 8 or t[-1] <= t[0]:
        return Growth(nan, nan, nan, nan, nan, nan)
    step = float(np.median(np.diff(t)))
    u = t - t[0] + step
    begin = int(np.searchsorted(u, (1 - late) * u[-1]))
    begin = min(max(begin, 1), len(u) - 3)
    first = min(max(int(np.searchsorted(u, late * u[-1])), 2), len(u) - 1)
    rate_late = float((y[-1] - y[begin - 1]) / (u[-1] - u[begin - 1]))
    rate_early = float((y[first] - y[0]) / (u[first] - u[0]))
    if np.any(y < 0):  # a curve that leaves the positive numbers has no exponent
        return Growth(nan, rate_early, rate_late, nan, nan, nan)
    u, y = u[y > 0], y[y > 0]
    if len(y) < 4:  # nothing ever came, or once
        return Growth(0.0, rate_early, rate_late, nan, nan, nan)
    begin = min(max(int(np.searchsorted(u, (1 - late) * u[-1])), 1), len(u) - 3)
    places = np.unique(np.searchsorted(u, np.geomspace(u[begin - 1], u[-1], _BINS)).clip(0, len(u) - 1))
    exponent = theil_sen(np.log(u[places]), np.log(y[places]))
    places = np.unique(np.searchsorted(u, np.geomspace(u[0], u[-1], 4 * _BINS)).clip(0, len(u) - 1))
    lu, ly = np.log(u[places]), np.log(y[places])
    if np.ptp(ly) < 1e-9:
        return Growth(0.0, rate_early, rate_late, nan, nan, float(y[-1]))
    # a straight line and a bend in log time: two parameters each
    errors = [_residuals(lu, ly, lu, ly, law) for law in ("power", "hyperbola")]
    rss = [float((e**2).sum()) + 1e-12 for e in errors]
    fitted = u[places] <= u[0] + 2 / 3 * (u[-1] - u[0])
    forecast = nan
    if fitted.sum() >= 4 and (~fitted).sum() >= 1:
        ahead = [
            float(np.sqrt((_residuals(lu[fitted], ly[fitted], lu[~fitted], ly[~fitted], law) ** 2).mean())) + 1e-6
            for law in ("power", "hyperbola")
        ]
        forecast = float(np.log10(ahead[1] / ahead[0]))
    half = _half_time(lu, ly)
    top = float(np.exp(np.mean(ly - np.log(u[places] / (u[places] + half)))))
    return Growth(
        exponent,
        rate_early,
        rate_late,
        forecast,
        float(len(lu) * np.log(rss[1] / rss[0])),
        top if top <= 10 * float(y.max()) else nan,
    )


def _half_time(lu: Float[np.ndarray, "n"], ly: Float[np.ndarray, "n"]) -> float:
    """Half time of the hyperbola S u / (u + h) that fits log y best, on a grid around the record."""
    h = np.exp(lu.max()) * _GRID
    shape = lu[None] - np.log(np.exp(lu)[None] + h[:, None])
    rest = ly[None] - shape
    return float(h[np.argmin(((rest - rest.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))])


def _residuals(
    lu: Float[np.ndarray, "n"],
    ly: Float[np.ndarray, "n"],
    at: Float[np.ndarray, "m"],
    y: Float[np.ndarray, "m"],
    law: str,
) -> Float[np.ndarray, "m"]:
    if law == "power":
        slope, level = np.polyfit(lu, ly, 1)
        return y - (level + slope * at)
    h = _half_time(lu, ly)
    level = float(np.mean(ly - lu + np.log(np.exp(lu) + h)))
    return y - (level + at - np.log(np.exp(at) + h))


# ------------------------------------------------------------------------------------- shadow and activity


def bedau(
    types: Int[np.ndarray, "time item"],
    shadow: Int[np.ndarray, "time item"],
    late: float,
) -> tuple[str, Float[np.ndarray, "time"], float]:
    """Class of evolutionary dynamics against a neutral shadow: "none", "bounded" or "unbounded".

    A type's activity is its cumulative use. New activity is the number of types that first cross, at a record, the 95%
    level of activities in the shadow at the same record. None: no late new activity; unbounded: late new activity while
    the mean activity of a type or the number of types keeps growing (Bedau, Snyder and Packard 1998).
    """
    own, neutral = activity(types), activity(shadow)
    steps = min(len(own), len(neutral))
    level = np.full(len(own), np.inf)
    for t in range(steps):
        seen = neutral[t][neutral[t] > 0]
        if len(seen):
            level[t] = np.quantile(seen, 0.95)
    level[steps:] = level[steps - 1] if steps else np.inf
    above = np.maximum.accumulate(own > level[:, None], axis=0)
    fresh = np.diff(above.sum(axis=1).astype(float), prepend=0.0)
    begin = int(len(own) * (1 - late))
    rate = float(fresh[begin:].mean()) if len(fresh) else float("nan")
    present = np.array([len(np.unique(row[row >= 0])) for row in types], dtype=float)
    mean = own.sum(axis=1) / np.maximum((own > 0).sum(axis=1), 1)
    x = np.arange(1.0, len(own) + 1)
    growing = [theil_sen(np.log(x[begin:]), np.log(np.maximum(v[begin:], 1e-9))) for v in (mean, present)]
    if rate <= 0:
        return "none", fresh, rate
    return ("unbounded" if np.nanmax(growing) > 0.1 else "bounded"), fresh, rate


def annecs(
    new: Bool[np.ndarray, "time item"],
    passed: Float[np.ndarray, "time item"],
    solved: Float[np.ndarray, "time item"],
    time: Float[np.ndarray, "time"],
) -> tuple[Float[np.ndarray, "time"], int]:
    """ANNECS (Wang et al. 2020): artefacts so far that passed the minimal criterion, were novel, and have been solved.

    ``solved`` is the time at which an agent of that time solved it. Also the number of artefacts "solved" before they
    were made, which do not count.
    """
    made = np.broadcast_to(time[:, None], new.shape)
    good = new & (np.nan_to_num(passed) > 0) & np.isfinite(solved)
    early = good & (solved < made)
    good &= ~early
    at = np.sort(np.maximum(solved, made)[good])
    return np.searchsorted(at, time, side="right").astype(float), int(early.sum())


def crossplay_table(wins: Float[np.ndarray, "seed player opponent"], seeds: tuple[object, ...]) -> pd.DataFrame:
    """Whether later players are better, or only better than the last ones.

    For each seed: the rating that sums the wins over the immediate predecessor (Elo points), the mean win rate of the
    last third against the first third, and the share of triples of players that form a cycle.
    """
    rows = []
    for seed, table in zip(seeds, wins, strict=True):
        n = len(table)
        third = max(1, n // 3)
        beat = table - 0.5
        step = np.array([table[i + 1, i] for i in range(n - 1)])
        step = np.clip(step[np.isfinite(step)], 0.01, 0.99)
        elo = float((400 * np.log10(step / (1 - step))).sum()) if len(step) else float("nan")
        late = table[-third:, :third]
        late = late[np.isfinite(late)]
        some = np.unique(np.linspace(0, n - 1, min(n, 40)).astype(int))
        b = np.nan_to_num(beat[np.ix_(some, some)])
        up = (b > 0.02).astype(float)
        circles = float(np.trace(up @ up @ up)) / 3
        triples = len(some) * (len(some) - 1) * (len(some) - 2) / 6
        share = circles / triples if triples else float("nan")
        won = float(late.mean()) if len(late) else float("nan")
        told = "rises" if won > 0.6 else "falls back" if won < 0.4 else "level"
        if share > 0.05 and elo > 0 and told != "rises":
            told = "cycle"
        rows.append((seed, elo, won, share, told))
    return pd.DataFrame(rows, columns=["seed", "naive_elo_gain", "late_beats_early", "cyclic_triples", "finding"])
