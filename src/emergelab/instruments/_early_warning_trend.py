"""Trends of the indicators of `early_warning`, their surrogates, and the looks of one who waits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import stats
from scipy.signal import lfilter

from emergelab.errors import UserError, nearest
from emergelab.instruments._early_warning_data import FEWEST, Record
from emergelab.instruments._early_warning_indicators import (
    ACROSS,
    LEVEL,
    SINGLE,
    Rolling,
    across,
    detrended,
    span,
    windows,
)
from emergelab.statistics import SURROGATES, ar1_coefficient, surrogates

__all__ = ["CHANGES", "Column", "Plan", "Trends", "change", "check_surrogate", "columns", "spend", "trends"]

POINTS = 32  # windows between which a trend is compared with its surrogates; neighbouring windows share most records
_FEWEST_WINDOWS = 10
_CELLS = 200_000  # of one slice of surrogates

Seen = Float[np.ndarray, "row window"]


@dataclass(frozen=True)
class Column:
    """One look at a record: an indicator of one channel (or across channels) in a direction, at one setting."""

    indicator: str
    channel: int  # -1: across channels
    sign: float
    bandwidth: float
    window: float


@dataclass(frozen=True)
class Plan:
    """What is measured, how its change is judged, and against which surrogates."""

    indicators: tuple[str, ...]
    change: str
    surrogate: str
    detrend: str
    bandwidths: tuple[float, ...]
    windows: tuple[float, ...]
    direction: str
    draws: int
    looks: tuple[float, ...]
    refit: bool

    @property
    def setting(self) -> tuple[float, float]:
        """The setting of the headline: the middle bandwidth and the middle window."""
        return sorted(self.bandwidths)[len(self.bandwidths) // 2], sorted(self.windows)[len(self.windows) // 2]


# ------------------------------------------------------------------------------------------ change metrics


def _kendall(x: Seen) -> Float[np.ndarray, "row"]:
    """Kendall's tau against time, of windows in order."""
    turned = np.ascontiguousarray(x.T)  # windows first, so that every comparison runs over neighbouring cells
    n = len(turned)
    total = np.zeros(turned.shape, dtype=np.int8 if n <= 127 else np.int32)
    for lag in range(1, n):
        later, earlier = turned[lag:], turned[:-lag]
        total[lag:] += (later > earlier).view(np.int8)
        total[lag:] -= (later < earlier).view(np.int8)
    return np.asarray(total.sum(axis=0, dtype=np.int64) / (n * (n - 1) / 2))


def _spearman(x: Seen) -> Float[np.ndarray, "row"]:
    return _pearson(stats.rankdata(x, axis=1))


def _pearson(x: Seen) -> Float[np.ndarray, "row"]:
    t = np.linspace(-1, 1, x.shape[1])
    apart = x - x.mean(axis=1, keepdims=True)
    size = np.sqrt((apart**2).sum(axis=1) * (t @ t))
    return np.where(size > 0, apart @ t / np.where(size > 0, size, 1.0), 0.0)


def _slope(x: Seen) -> Float[np.ndarray, "row"]:
    """Slope of least squares over the whole span of windows, in units of the indicator."""
    t = np.linspace(-0.5, 0.5, x.shape[1])
    return np.asarray((x - x.mean(axis=1, keepdims=True)) @ t / (t @ t))


def _difference(x: Seen) -> Float[np.ndarray, "row"]:
    """Mean of the last third of the windows minus mean of the first third."""
    third = max(1, x.shape[1] // 3)
    return np.asarray(x[:, -third:].mean(axis=1) - x[:, :third].mean(axis=1))


CHANGES = {
    "kendall": _kendall,
    "spearman": _spearman,
    "pearson": _pearson,
    "slope": _slope,
    "difference": _difference,
}
"""Change metrics by name: how much an indicator rises along a record."""


def change(x: Seen, metric: str) -> Float[np.ndarray, "row"]:
    """Change of each row; windows that are undefined in a row are left out of it, NaN if fewer than ten are left."""
    seen = np.isfinite(x)
    out = np.full(len(x), np.nan)
    whole = seen.all(axis=1) & (x.shape[1] >= _FEWEST_WINDOWS)
    if whole.any():
        out[whole] = CHANGES[metric](x if whole.all() else x[whole])
    for i in np.flatnonzero(~whole & (seen.sum(axis=1) >= _FEWEST_WINDOWS)):
        out[i] = CHANGES[metric](x[i : i + 1, seen[i]])[0]
    return out


def columns(plan: Plan, channels: int) -> list[Column]:
    """Every look that is made at a record."""
    out = []
    for bandwidth in plan.bandwidths:
        for window in plan.windows:
            for name in plan.indicators:
                wanted = plan.direction
                if wanted == "theory":
                    wanted = ACROSS.get(name) or SINGLE.get(name, "both")
                signs = {"up": (1.0,), "down": (-1.0,), "both": (1.0, -1.0)}[wanted]
                places = (-1,) if name in ACROSS else range(channels)
                out += [Column(name, c, sign, bandwidth, window) for c in places for sign in signs]
    return out


# ----------------------------------------------------------------------------------------------- surrogates


def check_surrogate(kind: str) -> None:
    """Whether a kind of surrogate exists.

    Raises:
        UserError: it does not.
    """
    if kind != "volatility" and kind.rpartition("+")[2] not in SURROGATES:
        known = [*SURROGATES, "volatility"]
        raise UserError(f"early_warning: no surrogate {kind!r}{nearest(kind, known)}")


def _volatility(r: Float[np.ndarray, "time"], draws: int, rng: np.random.Generator) -> Float[np.ndarray, "draws time"]:
    """AR(1) surrogates whose shocks keep the bursts of the record, but not when they come.

    The shocks are divided by their local size (a kernel over their squares) and shuffled; the course of that size
    is turned round by a random shift, forwards or backwards. What is left is noise of changing strength without
    slowing down.
    """
    phi = ar1_coefficient(r)
    shocks = np.r_[r[0] * np.sqrt(1 - phi**2), r[1:] - phi * r[:-1]]
    n = len(shocks)
    square = (shocks**2)[None]
    size = np.sqrt(np.maximum(square - detrended(square, "gaussian", max(10.0, n / 8)), 1e-3 * square.mean()))[0]
    z = rng.permuted(np.tile(shocks / size, (draws, 1)), axis=1)
    place = (np.arange(n) + rng.integers(0, n, (draws, 1))) % n
    place = np.where(rng.random((draws, 1)) < 0.5, place, place[:, ::-1])
    new = z * size[place]
    new[:, 0] /= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], new, axis=1))


def _split(record: Record, plan: Plan) -> tuple[Float[np.ndarray, "channel time"], Float[np.ndarray, "channel time"]]:
    """The record as a smooth trend, at the widest bandwidth, and the rest."""
    if record.ensemble is not None:
        mean, count = record.ensemble
        # the mean over all seeds takes a part of each residual with it, which is given back
        rest = (record.values - mean) * np.sqrt(count / np.maximum(count - 1, 1))
    else:
        rest = detrended(record.values, plan.detrend, max(plan.bandwidths))
    return record.values - rest, rest


def null_residuals(
    rest: Float[np.ndarray, "channel time"], plan: Plan, rng: np.random.Generator
) -> Float[np.ndarray, "row channel time"]:
    """Residuals of the record (row 0) and their surrogates.

    Channels are turned to their principal axes first, and back afterwards, so that their covariance is kept.
    """
    if len(rest) == 1:
        return np.concatenate([rest[None], _surrogates(rest[0], plan, rng)[:, None]])
    centre = rest.mean(axis=1, keepdims=True)
    axes = np.linalg.eigh(np.cov(rest))[1]
    drawn = np.stack([_surrogates(part, plan, rng) for part in axes.T @ (rest - centre)], axis=1)
    return np.concatenate([rest[None], np.einsum("ck,dkt->dct", axes, drawn) + centre])


def _surrogates(
    rest: Float[np.ndarray, "time"], plan: Plan, rng: np.random.Generator
) -> Float[np.ndarray, "draws time"]:
    if plan.surrogate == "volatility":
        return _volatility(rest, plan.draws, rng)
    return surrogates(rest, plan.surrogate, draws=plan.draws, rng=rng)


# ------------------------------------------------------------------------------------------ trends of a record


@dataclass(frozen=True)
class Trends:
    """Changes of all indicators of one record, beside those of its surrogates.

    Attributes:
        change: change of the record in each column, over all windows; the sign of the column is not applied.
        score: changes over the windows that the surrogates share, in the direction of the column and in standard
            deviations of the surrogates; row 0 is the record.
        look_change: changes in the columns of the headline setting at each look, over all windows; NaN where the
            record is still too short.
        look_score: the same as ``score`` at each look.
        look_time: time of the last record that each look sees.
        ends: times at which the windows of the headline setting end.
        series: indicators of the headline setting in these windows, one row an indicator and channel.
        residual: residuals at the headline setting.
        width: records in a window of the headline setting.
    """

    change: Float[np.ndarray, "column"]
    score: Float[np.ndarray, "row column"]
    look_change: Float[np.ndarray, "look headline"]
    look_score: Float[np.ndarray, "row look headline"]
    look_time: Float[np.ndarray, "look"]
    ends: Float[np.ndarray, "window"]
    series: Float[np.ndarray, "series window"]
    residual: Float[np.ndarray, "channel time"]
    width: int


Block = Float[np.ndarray, "row channel time"]
Ends = Int[np.ndarray, "_"]
Sets = list[list[Float[np.ndarray, "row _"]]]  # [set of windows][indicator]; sets differ in their number of windows


def _measured(
    series: list[tuple[str, int]], residual: Block, raw: Block, step: float, windows_: list[tuple[int, Ends]]
) -> Sets:
    """Every indicator in every set of windows (width, ends), as [set of windows][indicator]."""
    rolling = [Rolling(residual[:, c], raw[:, c], step) for c in range(raw.shape[1])]
    return [
        [
            across(name, residual, raw, width, ends) if c < 0 else rolling[c].measure(name, width, ends)
            for name, c in series
        ]
        for width, ends in windows_
    ]


def trends(record: Record, plan: Plan, rng: np.random.Generator) -> Trends:
    """All changes of one record, of its surrogates, and of both at every look."""
    looks, n = columns(plan, len(record.values)), len(record.time)
    series = list(dict.fromkeys((c.indicator, c.channel) for c in looks))
    settings = [(b, w) for b in plan.bandwidths for w in plan.windows]
    views = [_View(record, plan, bandwidth, plan.windows, n) for bandwidth in plan.bandwidths]
    stages, at, rows = _stages(record, plan)
    step = float(np.median(np.diff(record.time)))
    trend, rest = _split(record, plan)
    # scores are free of units: at unit size, half the digits are enough
    unit = float(rest.std()) or 1.0
    block = (null_residuals(rest, plan, rng) / unit).astype(np.float32)
    sets = [one for v in [*views, *stages] for one in v.measured(trend / unit, block, series, step, POINTS)]
    table = np.array([[change(x, plan.change) for x in one] for one in sets]).transpose(0, 2, 1)  # set x row x series
    sets = [one for v in [*views, *stages] for one in v.measured(trend, rest[None], series, step, None)]
    whole = np.array([[_exact(x, plan.change) for x in one] for one in sets])
    place = {key: i for i, key in enumerate(series)}
    where = [(settings.index((c.bandwidth, c.window)), place[c.indicator, c.channel]) for c in looks]
    score = np.stack([c.sign * table[i, :, j] for c, (i, j) in zip(looks, where, strict=True)], axis=1)
    heads = [(c.sign, place[c.indicator, c.channel]) for c in looks if (c.bandwidth, c.window) == plan.setting]
    look_change = np.full((len(at), len(heads)), np.nan)
    look_score = np.full((len(block), len(at), len(heads)), np.nan)
    for k, row in rows.items():
        look_change[k] = [whole[row, j] for _, j in heads]
        look_score[:, k] = np.stack([sign * table[row, :, j] for sign, j in heads], axis=1)
    head = _View(record, plan, plan.setting[0], (plan.setting[1],), n)
    residual = head.residual(trend, rest[None])
    width, ends = head.windows(None)[0]
    return Trends(
        change=np.array([whole[i, j] for i, j in where]),
        score=_standard(score),
        look_change=look_change,
        look_score=_standard(look_score),
        look_time=at,
        ends=record.time[ends],
        series=np.concatenate(_measured(series, residual, record.values[None], step, [(width, ends)])[0]),
        residual=residual[0],
        width=width,
    )


@dataclass(frozen=True)
class _View:
    """How the first ``length`` records are seen: detrended over ``until`` records, in windows of shares of these."""

    record: Record
    plan: Plan
    bandwidth: float
    shares: tuple[float, ...]
    length: int
    until: int | None = None

    def residual(self, trend: Float[np.ndarray, "channel time"], rest: Block) -> Float[np.ndarray, "row channel part"]:
        """Residuals of trend + rest. Smoothing is linear, so the trend is smoothed once for all rows."""
        n = self.until or self.length
        rest = rest[..., :n]
        if self.record.ensemble is not None:
            return rest
        kind, bandwidth = self.plan.detrend, self.bandwidth
        left = detrended(np.ascontiguousarray(rest).reshape(-1, n), kind, bandwidth).reshape(rest.shape)
        return left + detrended(trend[:, :n], kind, bandwidth).astype(left.dtype)

    def windows(self, points: int | None) -> list[tuple[int, Ends]]:
        n = self.until or self.length
        out = []
        for share in self.shares:
            width = _width(share, n)
            ends = windows(n, width, points)
            out.append((width, ends[ends < self.length]))
        return out

    def measured(
        self,
        trend: Float[np.ndarray, "channel time"],
        rest: Block,
        series: list[tuple[str, int]],
        step: float,
        points: int | None,
    ) -> Sets:
        """Every indicator, as [share of a window][indicator]."""
        n = self.until or self.length
        sets, parts = self.windows(points), []
        # some rows at a time, so that all that is done to them happens in the processor's cache
        size = max(8, _CELLS // rest[0].size)
        for i in range(0, len(rest), size):
            part = rest[i : i + size]
            raw = part[..., :n]
            if any(name in LEVEL for name, _ in series):
                raw = trend[:, :n] + raw
            parts.append(_measured(series, self.residual(trend, part), raw, step, sets))
        return [[np.concatenate(rows) for rows in zip(*one, strict=True)] for one in zip(*parts, strict=True)]


def _stages(record: Record, plan: Plan) -> tuple[list[_View], Float[np.ndarray, "look"], dict[int, int]]:
    """The views at the looks, the times of all looks (NaN: too few records), and the row of each look that is made."""
    bandwidth, window = plan.setting
    settings = [(b, w) for b in plan.bandwidths for w in plan.windows]
    t, at = record.time, np.full(len(plan.looks), np.nan)
    views: list[_View] = []
    rows: dict[int, int] = {}
    for k, share in enumerate(plan.looks):
        n = int(np.searchsorted(t, t[0] + share * (t[-1] - t[0]) * (1 + 1e-12), side="right"))
        if n < FEWEST:
            continue
        at[k] = t[n - 1]
        if n == len(t):
            rows[k] = settings.index(plan.setting)
            continue
        # who stands there knows only what is before; with refit=False the whole record is smoothed once
        rows[k] = len(settings) + len(views)
        views.append(_View(record, plan, bandwidth, (window,), n, None if plan.refit else len(t)))
    return views, at, rows


def _width(window: float, n: int) -> int:
    """Records in a window; at least ten, and few enough that ten windows fit."""
    return int(np.clip(int(span(window, n)), 10, n - _FEWEST_WINDOWS + 1))


def _exact(x: Seen, metric: str) -> float:
    """Change of a single row over all its windows; Kendall's tau with its correction for ties (tau-b)."""
    row = x[0, np.isfinite(x[0])]
    if metric != "kendall" or len(row) < _FEWEST_WINDOWS:
        return float(change(x, metric)[0])
    higher = row[None, :] > row[:, None]
    up = np.count_nonzero(np.triu(higher))
    down = np.count_nonzero(higher) - up
    pairs = len(row) * (len(row) - 1) / 2
    return float((up - down) / np.sqrt(pairs * (up + down))) if up + down else 0.0


def _standard(x: Float[np.ndarray, "row *rest"]) -> Float[np.ndarray, "row *rest"]:
    """In standard deviations of all rows, the record among them, so that the rows stay exchangeable."""
    seen = np.isfinite(x)
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, x, 0.0).sum(axis=0) / count
    sd = np.sqrt(np.where(seen, (x - mean) ** 2, 0.0).sum(axis=0) / count)
    return np.where(sd > 0, (x - mean) / np.where(sd > 0, sd, 1.0), np.nan)


# ----------------------------------------------------------------------------------------------- sequential


def spend(statistic: Float[np.ndarray, "row look"], shares: tuple[float, ...], alpha: float) -> tuple[int, float]:
    """Whether and when row 0 crosses a boundary that all looks together cross with probability ``alpha``.

    Of the alpha, ``alpha * log(1 + (e - 1) share)`` is spent up to a look (Lan and DeMets 1983, the form after
    Pocock). Each boundary lets exactly as many of the rows that have not crossed yet as that allows.

    Returns:
        The look of the first crossing, or -1, and the p-value in the order of stages: the earlier a crossing,
        the smaller.
    """
    rows = len(statistic)
    alive = np.ones(rows, dtype=bool)
    spent, last = 0, float("nan")
    for k, share in enumerate(shares):
        x = np.where(np.isfinite(statistic[:, k]), statistic[:, k], -np.inf)
        if not np.isfinite(x[0]):
            continue
        may = int(rows * alpha * np.log1p((np.e - 1) * min(share, 1.0)) + 1e-9) - spent
        above = alive & (x >= x[0] - 1e-12)
        last = float((spent + above.sum()) / rows)
        if above.sum() <= may:
            return k, last
        if may > 0:
            boundary = np.sort(x[alive])[::-1][may - 1]
            out = alive & (x >= boundary)
            out[0] = False
            alive &= ~out
            spent += int(out.sum())
    return -1, last
