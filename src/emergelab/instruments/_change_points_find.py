"""Every seed of `change_points`: prepared, tested, corrected over seeds, and cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from emergelab.errors import UserError
from emergelab.instruments._change_points_bayes import change_probability
from emergelab.instruments._change_points_pieces import (
    Count,
    Piecewise,
    clipped,
    first_test,
    locate,
    place_interval,
    shape,
)
from emergelab.instruments._change_points_scan import Search, features, run_length
from emergelab.instruments._change_points_seeds import Change, axis_of, odd_seeds
from emergelab.instruments._change_points_words import level_in
from emergelab.instruments._curves import Curves
from emergelab.statistics import benjamini_hochberg

__all__ = ["Errors", "Found", "Options", "find", "transformed"]

Errors: TypeAlias = Sequence[Float[np.ndarray, "condition seed time"] | None]
"""Known standard errors of the records of each observable."""

_REDRAWN = 399  # records drawn anew for the interval of a place, at most
_FEWEST = 8  # records below which a seed is not tested


@dataclass(frozen=True)
class Options:
    """Arguments of the call that concern single seeds; see `change_points`. ``size`` is ``min_size`` in records."""

    cost: str
    count: Count
    null: str
    transform: str
    axis: str
    size: int | None
    clip: float | None
    hazard: float
    level: float
    draws: int
    lags: int

    def search(self, records: int) -> Search:
        """The search in a seed with so many records."""
        return Search(self.cost, self.size or run_length(records), self.null, self.draws, self.lags)


def _resolution(y: Float[np.ndarray, "n"]) -> float:
    """Half of the smallest gap between two values: where zeros are put before a logarithm is taken."""
    gaps = np.diff(np.unique(np.append(y, 0.0)))
    gaps = gaps[gaps > 1e-9 * float(np.abs(y).max(initial=0.0))]
    return float(gaps.min()) / 2 if len(gaps) else 0.5


def transformed(y: Float[np.ndarray, "n"], transform: str, name: str) -> Float[np.ndarray, "n"]:
    """Values as they are searched: themselves, their logarithms, logits or ranks."""
    if transform == "rank":
        return pd.Series(y).rank().to_numpy(dtype=float)
    if transform == "log":
        if (y < 0).any():
            raise UserError(f'change_points: transform="log" needs values of at least 0, {name!r} has negative ones')
        return np.log(np.maximum(y, _resolution(y)))
    if transform == "logit":
        if (y < 0).any() or (y > 1).any():
            raise UserError(f'change_points: transform="logit" needs values in [0, 1], {name!r} leaves that range')
        edge = min(0.25, _resolution(y))
        inside = np.clip(y, edge, 1 - edge)
        return np.log(inside) - np.log1p(-inside)
    return y


@dataclass(frozen=True)
class Found:
    """What was found in every seed."""

    changes: list[Change]
    p_any: Float[np.ndarray, "condition seed"]
    p_adjusted: Float[np.ndarray, "condition seed"]
    phi: Float[np.ndarray, "condition seed"]
    records: Int[np.ndarray, "condition seed"]
    z: Float[np.ndarray, "condition seed"]
    posterior: Float[np.ndarray, "condition seed time"] | None


@dataclass(frozen=True)
class _Record:
    """One seed ready to be searched."""

    index: Int[np.ndarray, "n"]
    raw: Float[np.ndarray, "channel n"]
    y: Float[np.ndarray, "channel n"]
    noise: Float[np.ndarray, "channel n"] | None


def _record(
    channels: list[Curves],
    where: tuple[int, ...],
    size: int,
    transform: str,
    clip: float | None,
    errors: Errors,
) -> tuple[_Record, int]:
    """The finite records of a seed, transformed, clipped and in units of their spread; and how many were clipped."""
    block = np.stack([c.values[where] for c in channels])
    index = np.flatnonzero(np.isfinite(block).all(axis=0))
    raw = block[:, index]
    y, cut = np.zeros_like(raw), 0
    noise = None if all(e is None for e in errors) else np.zeros_like(raw)
    for i, row in enumerate(raw):
        if len(row) == 0:
            continue
        turned = transformed(row, transform, channels[i].name)
        largest = float(np.abs(turned).max())
        turned = turned / largest if largest > 0 else turned
        if clip is not None:
            turned, n = clipped(turned, size, clip)
            cut += n
        spread = float(turned.std())
        if spread > 1e-9:
            y[i] = (turned - turned.mean()) / spread
            error = errors[i]
            if noise is not None and error is not None:
                noise[i] = np.nan_to_num(error[where][index] / (spread * largest)) ** 2
    return _Record(index, raw, y, noise), cut


def find(
    channels: list[Curves],
    options: Options,
    errors: Errors,
    rng: np.random.Generator,
    warnings: list[str],
) -> Found:
    """Test every seed, correct over seeds, and locate the changes of those that pass."""
    first, o = channels[0], options
    outer = first.values.shape[:2]
    u = axis_of(first.time, o.axis)[0]
    p_any, phi = np.full(outer, np.nan), np.full(outer, np.nan)
    lengths = np.zeros(outer, dtype=int)
    posterior = np.full(first.values.shape, np.nan) if o.count == "bayes" else None
    kept: dict[tuple[int, ...], tuple[_Record, Search]] = {}
    cut = 0
    for where in np.ndindex(*outer):
        finite = int(np.isfinite(np.stack([c.values[where] for c in channels])).all(axis=0).sum())
        search = o.search(finite)
        record, n = _record(channels, where, search.size, o.transform, o.clip, errors)
        cut += n
        lengths[where] = len(record.index)
        kept[where] = record, search
        if len(record.index) >= _FEWEST:
            p_any[where] = first_test(record.y, u[record.index], search, record.noise, rng)
            if np.isnan(p_any[where]) and len(record.index) >= 2 * search.size:
                p_any[where] = 1.0  # a constant record certainly shows no change
    if cut:
        warnings.append(
            f"{cut} records in excursions shorter than a regime are cut to {o.clip:g} robust standard deviations"
        )
    adjusted = benjamini_hochberg(p_any.ravel()).reshape(outer)
    changes: list[Change] = []
    for where, (record, search) in kept.items():
        if np.isnan(p_any[where]):
            continue
        v = u[record.index]
        if posterior is not None:
            f = features(record.y[None], v, search.cost, search.size, search.lags)[0]
            posterior[where][record.index] = change_probability(f, o.hazard, search.size)
        if o.count == "test" and not adjusted[where] <= 1 - o.level:
            continue
        pieces = locate(record.y, v, search, o.count, alpha=1 - o.level, noise=record.noise, hazard=o.hazard, rng=rng)
        phi[where] = pieces.phi
        changes += _changes(channels, where, record, v, pieces, search, o, rng)
    z = np.stack([odd_seeds(rows) for rows in first.values])
    return Found(changes, p_any, adjusted, phi, lengths, z, posterior)


def _changes(
    channels: list[Curves],
    where: tuple[int, ...],
    record: _Record,
    u: Float[np.ndarray, "n"],
    pieces: Piecewise,
    search: Search,
    options: Options,
    rng: np.random.Generator,
) -> list[Change]:
    """The located changes of one seed, with intervals, sizes and shapes."""
    n = len(record.index)
    time = channels[0].time[record.index]
    ends = [0, *pieces.places, n]
    f = features(record.y[None], u, search.cost, search.size, search.lags)[0]
    out = []
    for j, place in enumerate(pieces.places):
        a, b = ends[j], ends[j + 2]
        low, high = place_interval(
            record.y[:, a:b], u[a:b], place - a, search, options.level, min(options.draws, _REDRAWN), rng
        )
        left, right = f[:, a:place], f[:, place:b]
        gap = right.mean(axis=1) - left.mean(axis=1)
        inside = ((left.var(axis=1) * left.shape[1] + right.var(axis=1) * right.shape[1]) / max(1, b - a - 2)) ** 0.5
        size = np.where(inside > 1e-9, gap / np.where(inside > 1e-9, inside, 1.0), np.nan)
        if search.cost == "distribution":
            size = np.abs(size)  # waves have no direction
        most = int(np.nanargmax(np.abs(size))) if np.isfinite(size).any() else 0
        channel = most % len(channels) if search.cost != "distribution" else 0
        form, bic = ("unknown", float("nan"))
        if search.cost in ("mean", "rank"):
            form, bic = shape(record.y[channel, a:b], time[a:b], place - a)
        raw = record.raw[channel]
        out.append(
            Change(
                condition=where[0],
                seed=where[1],
                record=int(record.index[place]),
                after=float(time[place - 1]),
                upto=float(time[place]),
                low=float(time[a + low - 1]),
                high=float(time[a + high]),
                before_level=level_in(raw[a:place], u[a:place], search),
                after_level=level_in(raw[place:b], u[place:b], search),
                size=float(size[most]),
                p=pieces.p[j],
                shape=form,
                step_bic=bic,
                channel=channels[channel].name,
            )
        )
    return out
