"""From a record to its pieces: segmentation, pruning by test, intervals of the places, shape of a change."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import median_filter

from emergelab.errors import need
from emergelab.instruments._change_points_bayes import most_likely_changes
from emergelab.instruments._change_points_scan import Search, any_change, features, local_p, without_line
from emergelab.instruments._logistic import fit_logistic

__all__ = ["Count", "Piecewise", "clipped", "first_test", "locate", "place_interval", "shape"]

Count: TypeAlias = str | int
_ROUNDS = 6  # of segmentation and noise estimation in turn
_LARGEST_PHI = 0.98
_NOTHING = 0.02  # of a record's spread


@dataclass(frozen=True)
class Piecewise:
    """The pieces of one record.

    Attributes:
        places: first record of each piece but the first one.
        p: p of each change between its neighbours; NaN where untested.
        phi: AR(1) coefficient inside the pieces, mean over channels.
    """

    places: list[int]
    p: list[float]
    phi: float


def clipped(y: Float[np.ndarray, "n"], size: int, limit: float) -> tuple[Float[np.ndarray, "n"], int]:
    """Excursions too short for a piece, cut to ``limit`` robust standard deviations from the running median.

    Returns:
        The record, and how many of its values were cut.
    """
    width = 2 * size - 1
    if len(y) < 2 * width:
        return y, 0
    middle = median_filter(y, width, mode="nearest")
    off = y - middle
    spread = 1.4826 * float(np.median(np.abs(off)))
    if spread <= 1e-9 * float(np.ptp(y)):  # most records are on the running median: no scale to judge the others by
        return y, 0
    spread = max(spread, _NOTHING * float(y.std()))  # on a smooth curve nothing this small is an excursion
    cut = np.clip(off, -limit * spread, limit * spread)
    return middle + cut, int((cut != off).sum())


def _edges(places: list[int], n: int) -> list[tuple[int, int]]:
    ends = [0, *places, n]
    return list(itertools.pairwise(ends))


def _inside(
    f: Float[np.ndarray, "feature n"], u: Float[np.ndarray, "n"], places: list[int], line: bool
) -> tuple[Float[np.ndarray, "feature"], Float[np.ndarray, "feature"]]:
    """Spread and AR(1) coefficient of what is left inside the pieces, corrected for the pieces' own means."""
    n = f.shape[1]
    pieces = _edges(places, n)
    fitted = 2 if line else 1
    up, all_, total = np.zeros(len(f)), np.zeros(len(f)), 0
    for a, b in pieces:
        rest = np.stack([without_line(row, u[a:b]) if line else row - row.mean() for row in f[:, a:b]])
        up += (rest[:, 1:] * rest[:, :-1]).sum(axis=1)
        all_ += (rest**2).sum(axis=1)
        total += max(1, b - a - fitted)
    phi = np.where(all_ > 0, up / np.where(all_ > 0, all_, 1.0), 0.0)
    phi = phi + (fitted + (fitted + 2) * phi) * len(pieces) / n
    return np.sqrt(all_ / total), np.clip(phi, 0.0, _LARGEST_PHI)


def _segment(f: Float[np.ndarray, "feature n"], u: Float[np.ndarray, "n"], size: int, count: int | None) -> list[int]:
    """The best segmentation: with a given number of changes, or with the penalty that the noise asks for.

    The penalty is 2 sqrt(features) log n in units of sigma^2 (1 + phi) / (1 - phi). Both are taken from inside the
    pieces, first of a fine segmentation and then of its own, until nothing moves; from the fine side, since noise
    measured across a change would hide the change.
    """
    ruptures = need("ruptures", "instruments", "change points")
    n = f.shape[1]
    step = np.abs(np.diff(f, axis=1))
    sigma = np.median(step, axis=1) / (0.6745 * np.sqrt(2))
    sigma = np.where(sigma > 0, sigma, 1e-3 * np.maximum(f.std(axis=1), 1e-9))
    phi = np.zeros(len(f))
    places: list[int] = []
    for _ in range(_ROUNDS):
        scale = np.maximum(sigma * np.sqrt((1 + phi) / (1 - phi)), 1e-9)
        search = ruptures.KernelCPD(kernel="linear", min_size=size).fit((f / scale[:, None]).T)
        if count is not None:
            found = search.predict(n_bkps=min(count, n // size - 1))
        else:
            found = search.predict(pen=2 * np.sqrt(len(f)) * np.log(n))
        new = [int(t) for t in found[:-1]]
        if new == places and sigma.all():
            break
        places = new
        sigma, phi = _inside(f, u, places, False)
    return places


def locate(
    y: Float[np.ndarray, "channel n"],
    u: Float[np.ndarray, "n"],
    search: Search,
    count: Count,
    *,
    alpha: float,
    noise: Float[np.ndarray, "channel n"] | None,
    hazard: float,
    rng: np.random.Generator,
) -> Piecewise:
    """Candidates from the best segmentation; with ``count="test"`` the least likely one is dropped until every
    one that is left passes its own test between its neighbours."""
    n = y.shape[1]
    f = features(y[None], u, search.cost, search.size, search.lags)[0]
    if n < 2 * search.size or float(np.ptp(f, axis=1).max()) <= 1e-9:
        return Piecewise([], [], float("nan"))
    if count == "bayes":
        places = most_likely_changes(f, hazard, search.size)
    else:
        places = _segment(f, u, search.size, count if isinstance(count, int) else None)
    phi = _inside(y, u, places, search.cost == "slope")[1]
    known: dict[tuple[int, int, int], float] = {}
    while places:
        ends = [0, *places, n]
        keys = [(ends[j], c, ends[j + 2]) for j, c in enumerate(places)]
        for a, c, b in keys:
            if (a, c, b) not in known:
                least = None if noise is None else noise[:, a:b]
                known[a, c, b] = local_p(y[:, a:b], u[a:b], c - a, search, rng, phi=phi, known=least)
        p = [known[k] for k in keys]
        doubt = np.where(np.isnan(p), 1.0, p)
        worst = int(np.argmax(doubt))
        if count != "test" or doubt[worst] <= alpha:
            return Piecewise(places, p, float(phi.mean()))
        places = places[:worst] + places[worst + 1 :]
    return Piecewise([], [], float(phi.mean()))


def first_test(
    y: Float[np.ndarray, "channel n"],
    u: Float[np.ndarray, "n"],
    search: Search,
    noise: Float[np.ndarray, "channel n"] | None,
    rng: np.random.Generator,
) -> float:
    """p of any change at all; NaN where a record is too short or constant."""
    return any_change(y, u, search, rng, known=noise).p


def place_interval(
    y: Float[np.ndarray, "channel n"],
    u: Float[np.ndarray, "n"],
    place: int,
    search: Search,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Places that the change may have, at the given level: on either side, blocks of what is left around that
    side's line are drawn anew and the best place is looked for again.

    Args:
        y: the record between the two neighbouring changes.
        u: its time axis.
        place: first record after the change.
        search: cost and shortest piece.
        level: share of the redrawn records whose place the interval holds.
        draws: redrawn records.
        rng: generator.

    Returns:
        First and last place.
    """
    n = y.shape[1]
    sides = []
    for a, b in ((0, place), (place, n)):
        rest = np.stack([without_line(row, u[a:b]) for row in y[:, a:b]])
        k = b - a
        length = max(1, round(k ** (1 / 3)))
        starts = rng.integers(0, k, (draws, -(-k // length)))
        index = ((starts[:, :, None] + np.arange(length)) % k).reshape(draws, -1)[:, :k]
        sides.append((y[:, a:b] - rest)[None] + np.moveaxis(rest[:, index], 0, 1) * np.sqrt(k / max(1, k - 2)))
    f = features(np.concatenate(sides, axis=2), u, search.cost, search.size, search.lags)
    best = _best_split(f, search.size)
    tail = (1 - level) / 2
    low, high = np.quantile(best, [tail, 1 - tail], method="inverted_cdf")
    return int(min(low, place)), int(max(high, place))


def _best_split(f: Float[np.ndarray, "rows feature n"], size: int) -> Int[np.ndarray, "rows"]:
    n = f.shape[-1]
    at = np.arange(size, n - size + 1)
    centred = f - f.mean(axis=-1, keepdims=True)
    left = np.cumsum(centred, axis=-1)[..., size - 1 : n - size]
    spread = np.maximum(centred.var(axis=-1, keepdims=True), 1e-300)
    gain = (left**2 / spread).sum(axis=1) * (n / (at * (n - at)))
    return at[gain.argmax(axis=1)]


def shape(y: Float[np.ndarray, "n"], time: Float[np.ndarray, "n"], place: int) -> tuple[str, float]:
    """Whether the record around a change is better told by a step, a line or a logistic, by BIC.

    Returns:
        The name of the best one, and by how much BIC prefers the step to the better of the others (negative: the
        change is gradual).
    """
    n = len(y)
    if n < 6:
        return "unknown", float("nan")
    still = max(float(y.var()), 1e-300) * 1e-9

    def bic(rest: np.ndarray, parameters: int) -> float:
        return n * float(np.log(np.mean(rest**2) + still)) + parameters * float(np.log(n))

    step = np.concatenate([y[:place] - y[:place].mean(), y[place:] - y[place:].mean()])
    scores = {"step": bic(step, 3), "line": bic(without_line(y, time), 2)}
    sign = 1.0 if y[place:].mean() >= y[:place].mean() else -1.0
    clock = time - time[0] if time[0] < 0 else time
    fit = fit_logistic(sign * y[None], clock)
    if np.isfinite(fit.centre[0]) and bool(fit.resolved[0]):
        with np.errstate(divide="ignore", over="ignore"):
            x = (np.log(np.maximum(clock, 1e-300)) - fit.centre[0]) / fit.width[0]
        curve = fit.low[0] + (fit.high[0] - fit.low[0]) / (1 + np.exp(-np.clip(x, -60, 60)))
        scores["logistic"] = bic(sign * y - curve, 4)
    others = min(v for k, v in scores.items() if k != "step")
    return min(scores, key=lambda k: scores[k]), float(others - scores["step"])
