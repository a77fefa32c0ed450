"""The test behind `change_points`: is there any change, against surrogates on which the same search is made.

Every kind of change is a change of the mean of some features: of the values themselves, of their distance from a
running mean (spread), of the local slope, of their ranks, of sines and cosines of the values (distribution), of
products of neighbours (autocorrelation), of the scores of an autoregression. So one scan serves all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.signal import lfilter
from scipy.special import ndtri
from scipy.stats import rankdata

from emergelab.errors import UserError, nearest
from emergelab.statistics import SURROGATES, ar1_coefficient, surrogates

__all__ = [
    "COSTS",
    "LEVELS",
    "NULLS",
    "Search",
    "Test",
    "any_change",
    "features",
    "local_p",
    "run_length",
    "without_line",
]

COSTS = ("mean", "rank", "slope", "variance", "normal", "distribution", "autocorrelation", "ar")
LEVELS = ("mean", "rank", "slope")
"""Changes of the course of a record; the innovations of their null stay in place."""
NULLS = ("trend+ar1", "ar1")
"""Nulls made here, with the record's own innovations; all others are those of `surrogates`."""

_PRIOR = 4.0  # records' worth of the series' own noise in every window's variance: short flat windows prove nothing
_FIRST = 99  # surrogates after which a clear "nothing" is not pursued
_SETTLED = 10  # so many of the first surrogates reach the data: nothing is there
_BLOCK = 131_072  # numbers scanned at once, few enough to stay in the cache
_WAVES = (0.5, 1.0, 2.0)  # frequencies of the distribution's features, for values of unit spread
_TINY = 1e-12
_LOCAL = 299  # surrogates of a test that only has to tell p from 0.05
_GROUPS = 8  # of surrogates with equal autocorrelation
_LARGEST_PHI = 0.98


@dataclass(frozen=True)
class Search:
    """How changes are searched for.

    Attributes:
        cost: one of `COSTS`.
        size: fewest records of a piece.
        null: name of the surrogates.
        draws: surrogates a test.
        lags: of the autoregression, for the cost "ar".
    """

    cost: str
    size: int
    null: str
    draws: int
    lags: int = 2

    def check(self, who: str) -> None:
        """Raise a UserError if the cost or the null does not exist."""
        if self.cost not in COSTS:
            raise UserError(f"{who}: no cost {self.cost!r}{nearest(self.cost, COSTS)}")
        trend, _, name = self.null.rpartition("+")
        if name not in SURROGATES or trend not in ("", "trend"):
            raise UserError(f"{who}: no null {self.null!r}{nearest(name, SURROGATES)}; each may follow 'trend+'")


@dataclass(frozen=True)
class Test:
    """Outcome of the search for any change: p, surrogates used, and the place of the clearest change."""

    p: float
    draws: int
    place: int


def run_length(n: int) -> int:
    """Fewest records of a piece, if none is asked for: five, fewer in short records."""
    return int(max(2, min(5, n // 8)))


def features(
    y: Float[np.ndarray, "rows channel n"], u: Float[np.ndarray, "n"], cost: str, size: int, lags: int = 2
) -> Float[np.ndarray, "rows feature n"]:
    """What changes its mean when the thing named by ``cost`` changes."""
    if cost == "mean":
        return y
    if cost == "rank":
        n = y.shape[-1]
        return (rankdata(y, axis=-1) - (n + 1) / 2) * np.sqrt(12 / max(n * n - 1, 1))
    if cost == "ar":
        off = y - _running_mean(y, 4 * size)
        # in units of the spread near by: a spread that changes is no change of the coefficients
        return _scores(off / np.sqrt(_running_mean(off**2, 4 * size) + _TINY), lags)
    if cost == "slope":
        return _slopes(y, u, size)
    if cost == "distribution":
        return np.concatenate([f(w * y) for w in _WAVES for f in (np.cos, np.sin)], axis=1)
    # slow correlation is seen only against a mean over many more records
    off = y - _running_mean(y, 4 * size if cost == "autocorrelation" else size)
    if cost == "variance":
        return np.abs(off)
    if cost == "normal":
        return np.concatenate([y, np.abs(off)], axis=1)
    product = off.copy()
    product[..., 1:] *= off[..., :-1]
    product[..., 0] = product[..., min(1, y.shape[-1] - 1)]
    return product


def _windows(n: int, size: int) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    at = np.arange(n)
    return np.maximum(at - size, 0), np.minimum(at + size + 1, n)


def _sums(y: Float[np.ndarray, "*rows n"]) -> Float[np.ndarray, "*rows n1"]:
    """Sums of the records before each place: one more than there are records."""
    out = np.empty((*y.shape[:-1], y.shape[-1] + 1))
    out[..., 0] = 0.0
    np.cumsum(y, axis=-1, out=out[..., 1:])
    return out


def _running_mean(y: Float[np.ndarray, "rows channel n"], size: int) -> Float[np.ndarray, "rows channel n"]:
    low, high = _windows(y.shape[-1], size)
    total = _sums(y)
    return (total[..., high] - total[..., low]) / (high - low)


def _slopes(
    y: Float[np.ndarray, "rows channel n"], u: Float[np.ndarray, "n"], size: int
) -> Float[np.ndarray, "rows channel n"]:
    """Slope of the least-squares line through ``size`` records on either side."""
    low, high = _windows(y.shape[-1], size)
    count = high - low
    x = u - u.mean()

    def within(total: np.ndarray) -> np.ndarray:
        return np.asarray(total[..., high] - total[..., low])

    sx, sxx = within(_sums(x)), within(_sums(x * x))
    sy, sxy = within(_sums(y)), within(_sums(x * y))
    return (sxy - sx * sy / count) / np.maximum(sxx - sx * sx / count, _TINY)


def _scores(y: Float[np.ndarray, "rows channel n"], lags: int) -> Float[np.ndarray, "rows feature n"]:
    """Residual of an autoregression fitted to the whole record times each of its regressors.

    Their mean is 0 over the record; where a coefficient changes it is not 0 on either side. Lag by lag, each for all
    channels.
    """
    n = y.shape[-1]
    lags = max(1, min(lags, n // 4))
    past = np.zeros((*y.shape, lags))
    for k in range(1, lags + 1):
        past[..., k:, k - 1] = y[..., :-k]
    normal = past.swapaxes(-1, -2) @ past
    normal[..., np.arange(lags), np.arange(lags)] += 1e-9 * (y**2).sum(axis=-1)[..., None] + _TINY
    beta = np.linalg.solve(normal, past.swapaxes(-1, -2) @ y[..., None])
    score = (y - (past @ beta)[..., 0])[..., None] * past
    score[..., :lags, :] = 0.0  # the first records have no full past
    return score.transpose(0, 3, 1, 2).reshape(len(y), -1, n)


def _lengths(n: int, size: int) -> list[int]:
    """Lengths of the windows: from the shortest piece, doubling, to half of the record."""
    out, h = [], size
    while h <= n // 2:
        out.append(h)
        h *= 2
    return out


def scan(
    f: Float[np.ndarray, "rows feature n"],
    size: int,
    noise: Float[np.ndarray, "feature"],
    known: Float[np.ndarray, "feature n"] | None = None,
) -> tuple[Float[np.ndarray, "rows look"], Int[np.ndarray, "rows look"]]:
    """Largest studentised difference of the means on either side of a place, for windows of each length.

    The last scale sets everything before a place against everything after it. With several features, each scale is
    looked at in all of them together and in each by itself.

    Args:
        f: features.
        size: shortest window.
        noise: standard deviation of each feature's own noise, which every window's variance is shrunk towards.
        known: variance of the known noise of each record; no window is judged against less than it holds.

    Returns:
        Logarithm of the largest statistic, and its place (the first record after the change), look by look.
    """
    n = f.shape[-1]
    first, second = _sums(f), _sums(f * f)
    prior = (_PRIOR * noise**2)[:, None]
    least = _sums(np.zeros(f.shape[1:]) if known is None else known)
    value, place = [], []

    def keep(
        left: np.ndarray, right: np.ndarray, squares: np.ndarray, least: np.ndarray, nl: Any, nr: Any, at: np.ndarray
    ) -> None:
        """From sums and squares in the two windows to the largest statistic."""
        a, b = left / nl, right / nr
        within = left * a
        within += right * b
        np.subtract(squares, within, out=within)
        np.maximum(within, least, out=within)
        within += prior + _TINY
        statistic = np.subtract(a, b, out=a)
        statistic *= statistic
        statistic *= (nl * nr / (nl + nr)) * (nl + nr - 2 + _PRIOR)
        statistic /= within
        looks = [statistic.sum(axis=1) if f.shape[1] > 1 else statistic[:, 0]]
        if f.shape[1] > 1:  # a change in one feature must not drown in the others
            looks += list(np.moveaxis(statistic, 1, 0))
        for look in looks:
            best = look.argmax(axis=1)
            value.append(look[np.arange(len(look)), best])
            place.append(at[best])

    for h in _lengths(n, size):
        step = max(1, h // 4)
        at = np.arange(h, n - h + 1, step)
        low, mid, high = (slice(s, s + n - 2 * h + 1, step) for s in (0, h, 2 * h))
        keep(
            first[..., mid] - first[..., low],
            first[..., high] - first[..., mid],
            second[..., high] - second[..., low],
            least[..., high] - least[..., low],
            float(h),
            float(h),
            at,
        )
    at = np.arange(size, n - size + 1)
    nl = at.astype(float)
    middle = first[..., size : n - size + 1]
    keep(middle, first[..., -1:] - middle, second[..., -1:], least[..., -1:], nl, n - nl, at)
    return np.log(np.stack(value, axis=1) + _TINY), np.stack(place, axis=1)


def without_line(y: Float[np.ndarray, "n"], x: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """What is left of a record after its straight line."""
    at = x - x.mean()
    size = float(at @ at)
    return y - y.mean() - (at * (float(at @ y) / size) if size > 0 else 0.0)


def _feature_noise(
    f: Float[np.ndarray, "feature n"], known: Float[np.ndarray, "feature n"] | None
) -> Float[np.ndarray, "feature"]:
    """Standard deviation of the innovations of each feature, by AR(1) around a line."""
    x = np.arange(f.shape[1], dtype=float)
    out = []
    for row in f:
        rest = without_line(row, x)
        phi = ar1_coefficient(rest, 2)
        out.append(float(np.sqrt(np.mean((rest[1:] - phi * rest[:-1]) ** 2))))
    floor = 0.0 if known is None else np.sqrt(known.mean(axis=1))
    return np.maximum(np.array(out), np.maximum(floor, 1e-9))


def _known_of(known: Float[np.ndarray, "channel n"] | None, cost: str) -> Float[np.ndarray, "feature n"] | None:
    """Known noise of the features: that of the values, where the values are among the features."""
    if known is None or cost not in ("mean", "normal"):
        return None
    return known if cost == "mean" else np.concatenate([known, np.zeros(known.shape)])


def _own_innovations(
    y: Float[np.ndarray, "channel n"],
    u: Float[np.ndarray, "n"],
    search: Search,
    draws: int,
    rng: np.random.Generator,
    jump: int | None,
    phi: Float[np.ndarray, "channel"] | None,
) -> Float[np.ndarray, "draws channel n"]:
    """AR(1) around a line (or the mean), driven by the record's own innovations.

    Where the level or the slope is in question, each innovation keeps its place and gets a random sign, so that
    changes of spread and lone jumps stay in the null. Where spread or shape is in question, they are shuffled too.
    Channels share signs and order, which keeps the correlation between them. The innovation at ``jump``, the change in
    question, is cut to the largest of the others.
    """
    n = y.shape[1]
    keep_place = search.cost in LEVELS
    fitted = 2 if search.null.startswith("trend") else 1
    signs = rng.integers(0, 2, (draws, n)) * 2.0 - 1.0
    order = None if keep_place else np.argsort(rng.random((draws, n)), axis=1)
    out = np.empty((draws, *y.shape))
    group = np.array_split(np.arange(draws), min(_GROUPS, draws))
    normal = ndtri((np.arange(len(group)) + 0.5) / len(group))
    for i, row in enumerate(y):
        rest = without_line(row, u) if fitted == 2 else row - row.mean()
        slow = ar1_coefficient(rest, fitted) if phi is None else float(phi[i])
        # how slow the noise is, is known only with an error: the surrogates have it too
        error = np.sqrt((1 - slow**2) / n) if phi is None else 0.0
        for rows, z in zip(group, normal, strict=True):
            c = float(np.clip(slow + z * error, -_LARGEST_PHI, _LARGEST_PHI))
            shocks = np.concatenate([[rest[0] * np.sqrt(1 - c**2)], rest[1:] - c * rest[:-1]])
            if jump is not None and keep_place:
                at = _steepest(row, jump)
                shocks[at] = min(abs(shocks[at]), np.abs(np.delete(shocks, at)).max())
            shocks *= np.sqrt(n / max(1, n - fitted - 1))
            drawn = signs[rows] * (shocks if order is None else shocks[order[rows]])
            drawn[:, 0] /= np.sqrt(1 - c**2)
            out[rows, i] = (row - rest) + lfilter([1.0], [1.0, -c], drawn, axis=1)
    return out


def _steepest(row: Float[np.ndarray, "n"], near: int, reach: int = 3) -> int:
    """The record with the largest jump from its predecessor, within a few records of a place."""
    low, high = max(1, near - reach), min(len(row), near + reach + 1)
    return low + int(np.abs(np.diff(row))[low - 1 : high - 1].argmax()) if high > low else 0


def _draw(
    y: Float[np.ndarray, "channel n"],
    u: Float[np.ndarray, "n"],
    search: Search,
    draws: int,
    rng: np.random.Generator,
    jump: int | None,
    phi: Float[np.ndarray, "channel"] | None,
) -> Float[np.ndarray, "draws channel n"]:
    if search.null in NULLS:
        return _own_innovations(y, u, search, draws, rng, jump, phi)
    return np.stack([surrogates(row, search.null, draws=draws, time=u, rng=rng) for row in y], axis=1)


def _compare(
    observed: Float[np.ndarray, "look"], drawn: Float[np.ndarray, "draws look"]
) -> tuple[int, Float[np.ndarray, "look"]]:
    """How many surrogates reach the data in their best look, after every look is put on a common footing."""
    centre, spread = drawn.mean(axis=0), drawn.std(axis=0) + _TINY
    z = (observed - centre) / spread
    best = ((drawn - centre) / spread).max(axis=1)
    return int((best >= z.max() - 1e-9).sum()), z


def any_change(
    y: Float[np.ndarray, "channel n"],
    u: Float[np.ndarray, "n"],
    search: Search,
    rng: np.random.Generator,
    *,
    known: Float[np.ndarray, "channel n"] | None = None,
    jump: int | None = None,
    phi: Float[np.ndarray, "channel"] | None = None,
    early: bool = True,
) -> Test:
    """Test a record for any change at all: the largest difference over places and window lengths, and the same
    maximum on surrogates without a change.

    Args:
        y: the record in units of its own spread, no NaN.
        u: time axis, increasing.
        search: cost, shortest piece, null, draws.
        rng: generator.
        known: variance of the known noise of each record, in the same units; None: nothing is known.
        jump: place of the change in question; None: the clearest one.
        phi: AR(1) coefficients of the null, if they are known better than from this record.
        early: stop after 99 surrogates if these settle it.
    """
    n = y.shape[1]
    if n < 2 * search.size or n < 4 or float(np.ptp(y, axis=1).max()) <= _TINY:
        return Test(float("nan"), 0, 0)
    f = features(y[None], u, search.cost, search.size, search.lags)
    least = _known_of(known, search.cost)
    noise = _feature_noise(f[0], least)
    observed, places = scan(f, search.size, noise, least)
    clearest = int(places[0, observed[0].argmax()])
    parts: list[np.ndarray] = []
    done = 0
    while done < search.draws:
        if early and done == _FIRST and _compare(observed[0], np.concatenate(parts))[0] >= _SETTLED:
            break
        most = _FIRST - done if early and done < _FIRST else max(32, _BLOCK // n)
        count = min(most, search.draws - done)
        drawn = _draw(y, u, search, count, rng, clearest if jump is None else jump, phi)
        parts.append(scan(features(drawn, u, search.cost, search.size, search.lags), search.size, noise, least)[0])
        done += count
    reached, z = _compare(observed[0], np.concatenate(parts))
    return Test((1 + reached) / (done + 1), done, int(places[0, z.argmax()]))


def local_p(
    y: Float[np.ndarray, "channel n"],
    u: Float[np.ndarray, "n"],
    place: int,
    search: Search,
    rng: np.random.Generator,
    *,
    phi: Float[np.ndarray, "channel"],
    known: Float[np.ndarray, "channel n"] | None = None,
) -> float:
    """p of one change between its two neighbours, with the autocorrelation found inside the pieces."""
    few = replace(search, draws=min(search.draws, _LOCAL))
    return any_change(y, u, few, rng, known=known, jump=place, phi=phi).p
