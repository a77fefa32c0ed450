"""Finite-size scaling: peaks, crossings, local slopes and the collapse, each on many bootstrap draws at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import optimize, special

from emergelab.statistics import Estimate

__all__ = ["Collapse", "collapse", "crossing", "interval", "log_slope", "peak", "reach", "rise"]

Curve = Float[np.ndarray, "draws control"]
Draws = Float[np.ndarray, "draws"]


def interval(values: Draws, n: int, level: float, name: str) -> Estimate:
    """Estimate from its bootstrap over seeds; row 0 is the data.

    The percentile interval, widened as Student's t would be for n seeds (Hesterberg 2015). None is claimed for fewer
    than five seeds, or if the quantity is undefined on more than a tenth of the draws.
    """
    nan = float("nan")
    value, drawn = float(values[0]), values[1:][np.isfinite(values[1:])]
    if not np.isfinite(value):
        return Estimate(nan, nan, nan, level, f"{name}: undefined here", n)
    if n < 5:
        return Estimate(value, nan, nan, level, f"{name}; no interval below 5 seeds", n)
    if len(drawn) < 0.9 * (len(values) - 1) or len(drawn) < 20:
        return Estimate(value, nan, nan, level, f"{name}; undefined on too many bootstrap draws for an interval", n)
    tail = special.ndtr(np.sqrt(n / (n - 1)) * special.stdtrit(n - 1, (1 - level) / 2))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), level, f"{name}, bootstrap over seeds", n, float(np.std(drawn)))


def _at(curve: Curve, index: np.ndarray) -> np.ndarray:
    return np.take_along_axis(curve, index[:, None] if index.ndim == 1 else index, axis=1)


def peak(curve: Curve, control: Float[np.ndarray, "control"]) -> tuple[Draws, Draws, Bool[np.ndarray, "draws"]]:
    """Place and height of the largest value, by the parabola through it and its neighbours; whether it is inside."""
    filled = np.where(np.isfinite(curve), curve, -np.inf)
    top = np.argmax(filled, axis=1)
    height = _at(curve, top)[:, 0]
    inside = (top > 0) & (top < curve.shape[1] - 1)
    if curve.shape[1] < 3:
        return np.where(np.isfinite(height), control[top], np.nan), height, inside
    middle = np.clip(top, 1, curve.shape[1] - 2)
    y0, y1, y2 = (_at(curve, middle + k)[:, 0] for k in (-1, 0, 1))
    x0, x1, x2 = (control[middle + k] for k in (-1, 0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
        bend = (second - first) / (x2 - x0)
        at = (x0 + x1) / 2 - first / (2 * bend)
        vertex = y0 + first * (at - x0) + bend * (at - x0) * (at - x1)
    use = inside & np.isfinite(vertex) & (bend < 0) & (at >= x0) & (at <= x2)
    place = np.where(use, at, np.where(np.isfinite(height), control[top], np.nan))
    return place, np.where(use, vertex, height), inside


def reach(curve: Curve, control: Float[np.ndarray, "control"], height: Draws) -> Draws:
    """Equivalent width of a peak: the area under the curve over its height."""
    area = np.trapezoid(np.nan_to_num(curve), control, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(height > 0, area / height, np.nan)


def crossing(small: Curve, large: Curve, control: Float[np.ndarray, "control"]) -> tuple[Draws, Draws, Draws, Draws]:
    """Where two curves cross: place, common height, slope of the smaller system, slope of the larger.

    The split that best separates the grid into a side where one curve is above and a side where the other is, each
    point voting with its difference in standard errors, then the straight line between the points beside it. NaN if
    one curve is above everywhere. Heights and slopes are those of straight lines through the four points around.
    """
    gap = large - small
    draws, n = gap.shape
    nothing = np.full(draws, np.nan)
    if n < 4:
        return nothing, nothing, nothing, nothing
    known = np.isfinite(gap).all(axis=1)
    gap = np.where(known[:, None], gap, 0.0)
    error = gap.std(axis=0)  # over bootstrap draws
    votes = np.where(error > 0, np.clip(gap / np.where(error > 0, error, 1.0), -_VOTE, _VOTE), np.sign(gap))
    total, before = votes.sum(axis=1), np.cumsum(votes, axis=1)[:, :-1]
    score = np.abs(total[:, None] - 2 * before)  # votes on one side of a split minus votes on the other
    split = np.argmax(score, axis=1)  # between this point and the next
    places = np.clip(split[:, None] - 1, 0, n - 4) + np.arange(4)
    x = control[places]
    left, right = _at(gap, split)[:, 0], _at(gap, split + 1)[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        place = control[split] + left / (left - right) * (control[split + 1] - control[split])
    place = np.where((left * right <= 0) & np.isfinite(place), place, np.nan)
    real = known & (score.max(axis=1) > np.abs(total) * (1 + 1e-9))
    place = np.where(real, place, np.nan)
    slopes, heights = [], []
    for curve in (small, large):
        values = _at(np.where(np.isfinite(curve), curve, 0.0), places)
        own = _slope(x, values)
        slopes.append(np.where(np.isfinite(place), own, np.nan))
        heights.append(values.mean(axis=1) + own * (place - x.mean(axis=1)))
    return place, (heights[0] + heights[1]) / 2, slopes[0], slopes[1]


def _slope(x: Float[np.ndarray, "draws k"], y: Float[np.ndarray, "draws k"]) -> Draws:
    """Slopes of the straight lines of least squares through the rows."""
    u = x - x.mean(axis=1, keepdims=True)
    return (u * y).sum(axis=1) / (u**2).sum(axis=1)


def log_slope(y: Float[np.ndarray, "draws size"], size: Float[np.ndarray, "size"]) -> Draws:
    """Slope of log y on log size; NaN where a value is missing or not above zero."""
    if len(size) < 2:
        return np.full(len(y), np.nan)
    good = (np.isfinite(y) & (y > 0)).all(axis=1)
    u = np.log(size) - np.log(size).mean()
    logs = np.log(np.where(good[:, None], y, 1.0))
    return np.where(good, logs @ u / (u @ u), np.nan)


def rise(curve: Curve, control: Float[np.ndarray, "control"]) -> tuple[Draws, Draws]:
    """Place of half the change between the ends of the grid, and its 10-90% width over the width of the grid."""
    n = curve.shape[1]
    end = 2 if n >= 6 else 1
    low, high = curve[:, :end].mean(axis=1), curve[:, -end:].mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = (curve - low[:, None]) / (high - low)[:, None]
    places = []
    for level in (0.1, 0.5, 0.9):
        above = y >= level
        first = np.argmax(above, axis=1)
        before = np.maximum(first - 1, 0)
        a, b = _at(y, before)[:, 0], _at(y, first)[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(b > a, (level - a) / (b - a), 0.0)
        at = control[before] + np.clip(part, 0, 1) * (control[first] - control[before])
        places.append(np.where(above.any(axis=1) & np.isfinite(y).all(axis=1), at, np.nan))
    width = (places[2] - places[0]) / np.ptp(control) if n > 1 else np.full(len(curve), np.nan)
    return places[1], width


@dataclass(frozen=True)
class Collapse:
    """Values that bring the curves of all sizes onto one.

    Attributes:
        critical: lambda_c; row 0 is the data, the others are bootstrap draws.
        inverse_nu: 1 / nu in the size coordinate.
        beta_over_nu: beta / nu in the size coordinate.
        quality: mean squared distance of the collapsed curves in standard errors; about 1 for a good collapse.
    """

    critical: Draws
    inverse_nu: Draws
    beta_over_nu: Draws
    quality: Draws


_VOTE = 2.0  # standard errors that one point of the grid may weigh in the search for a crossing
_SETTLED = 0.03  # share of the first step of a search below which it ends
_BOUNDS = np.array([[0.05, 5.0], [-0.5, 3.0]])


@dataclass(frozen=True)
class _Curves:
    """What is collapsed: |m|, with its factor L^(beta/nu), and U4 without one."""

    values: tuple[Float[np.ndarray, "draws size control"], Float[np.ndarray, "draws size control"]]
    slopes: tuple[Float[np.ndarray, "draws size control"], Float[np.ndarray, "draws size control"]]
    errors: tuple[Float[np.ndarray, "size control"], Float[np.ndarray, "size control"]]
    control: Float[np.ndarray, "control"]
    size: Float[np.ndarray, "size"]  # over their geometric mean: the same optimum, and powers near one
    inside: Bool[np.ndarray, "control"]

    def rows(self, index: Int[np.ndarray, "rows"]) -> _Curves:
        """The curves of these draws; row 0 is the data."""
        return replace(
            self,
            values=(self.values[0][index], self.values[1][index]),
            slopes=(self.slopes[0][index], self.slopes[1][index]),
        )


def collapse(
    mean: Float[np.ndarray, "draws size control"],
    binder: Float[np.ndarray, "draws size control"],
    mean_error: Float[np.ndarray, "size control"],
    binder_error: Float[np.ndarray, "size control"],
    control: Float[np.ndarray, "control"],
    size: Float[np.ndarray, "size"],
    inside: Bool[np.ndarray, "control"],
) -> Collapse:
    """Fit m L^(beta/nu) = F((lambda - lambda_c) L^(1/nu)) and U4 = G(the same) without a form of F and G.

    Every curve is read off, by cubic interpolation, at the scaled places of every other; the spread is their squared
    difference in standard errors (in the spirit of Houdayer and Hartmann 2004). U4 is collapsed together with |m|
    because |m| alone leaves a valley in which lambda_c and both exponents trade against each other. A coarse grid,
    then Nelder and Mead's simplex; each bootstrap draw goes on from the optimum of the data by a pattern search.

    Args:
        mean: mean |m|; row 0 is the data.
        binder: U4, likewise.
        mean_error: standard error of each mean over seeds.
        binder_error: standard error of each U4.
        control: control values, rising.
        size: sizes, rising.
        inside: the points that are compared (the critical window).
    """
    errors = []
    for values, error in ((mean, mean_error), (binder, binder_error)):
        floor = 1e-3 * float(np.nanmax(np.abs(values[0]), initial=0.0))
        errors.append(np.sqrt(np.nan_to_num(error) ** 2 + floor**2))
    slopes = [np.gradient(np.nan_to_num(values), control, axis=2) for values in (mean, binder)]
    scaled = size / np.exp(np.log(size).mean())
    curves = _Curves((mean, binder), (slopes[0], slopes[1]), (errors[0], errors[1]), control, scaled, inside)
    window = control[inside]
    grid = np.stack(
        np.meshgrid(
            np.linspace(window[0], window[-1], 15), np.geomspace(0.1, 3.0, 10), np.linspace(0.0, 1.0, 9), indexing="ij"
        ),
        axis=-1,
    ).reshape(-1, 3)
    first = np.zeros(1, dtype=int)
    data = curves.rows(first)
    coarse = _cost(grid, curves.rows(np.zeros(len(grid), dtype=int)))
    unit = np.array([np.ptp(control) / 30, 0.2, 0.1])
    corner = np.concatenate([np.zeros((1, 3)), np.eye(3)])
    best, lowest = grid[0], np.inf
    for start in grid[np.argsort(coarse)[:3]]:
        found = optimize.minimize(
            lambda t: min(float(_cost(_bounded(t[None] * unit), data)[0]), 1e12),
            start / unit,
            method="Nelder-Mead",
            options={"initial_simplex": start / unit + corner, "maxfev": 300, "xatol": 1e-3, "fatol": 1e-6},
        )
        if found.fun < lowest:
            best, lowest = _bounded(found.x[None] * unit)[0], float(found.fun)
    moves = _axes(best, data, unit / 20)
    drawn, quality = _search(np.repeat(best[None], len(mean), axis=0), curves, moves)
    known = np.isfinite(quality)
    drawn = np.where(known[:, None], drawn, np.nan)
    return Collapse(drawn[:, 0], drawn[:, 1], drawn[:, 2], np.where(known, quality, np.nan))


def _bounded(theta: Float[np.ndarray, "*rows 3"]) -> Float[np.ndarray, "*rows 3"]:
    theta = theta.copy()
    theta[..., 1:] = np.clip(theta[..., 1:], _BOUNDS[:, 0], _BOUNDS[:, 1])
    return theta


def _axes(best: Float[np.ndarray, "3"], data: _Curves, step: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Steps along the axes of the valley the optimum lies in, so that a search by single moves is not trapped in it."""

    def at(*moved: np.ndarray) -> float:
        return float(_cost(_bounded(best + np.sum(moved, axis=0))[None], data)[0])

    e, centre = np.diag(step), at(np.zeros(3))
    curvature = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            around = at(e[i], e[j]) - at(e[i], -e[j]) - at(-e[i], e[j]) + at(-e[i], -e[j])
            curvature[i, j] = around / 4 if i != j else at(e[i]) - 2 * centre + at(-e[i])
    if not np.isfinite(curvature).all():
        return np.diag(step * 5)
    values, vectors = np.linalg.eigh(curvature)
    worth = 0.1 * max(centre, 0.1)  # a first step changes the cost by about a tenth
    length = np.sqrt(2 * worth / np.maximum(values, 1e-9))
    return (vectors * np.minimum(length, 40.0)).T * step


def _search(
    start: Float[np.ndarray, "draws 3"], curves: _Curves, steps: Float[np.ndarray, "3 3"]
) -> tuple[Float[np.ndarray, "draws 3"], Draws]:
    """Pattern search from every start: the best of six moves, or steps of half the length; rows that are done rest."""
    theta, reach = start.copy(), np.ones(len(start))
    cost = _cost(theta, curves)
    moves = np.concatenate([steps, -steps])
    for _ in range(60):
        busy = np.flatnonzero(reach >= _SETTLED)
        if not len(busy):
            break
        tried = _bounded(theta[busy][None] + reach[busy][None, :, None] * moves[:, None, :])
        some = curves.rows(busy)
        costs = np.stack([_cost(t, some) for t in tried])
        pick = np.argmin(costs, axis=0)
        row = np.arange(len(busy))
        better = costs[pick, row] < cost[busy]
        theta[busy[better]] = tried[pick, row][better]
        cost[busy[better]] = costs[pick, row][better]
        reach[busy[~better]] /= 2
    return theta, cost


def _cost(theta: Float[np.ndarray, "draws 3"], curves: _Curves) -> Draws:
    """Mean squared distance of the collapsed curves, in standard errors."""
    critical, power, shrink = (theta[:, k : k + 1] for k in range(3))
    control, size, here = curves.control, curves.size, np.flatnonzero(curves.inside)
    total, count = np.zeros(len(theta)), np.zeros(len(theta))
    row = np.arange(len(theta))[:, None]
    pairs = [(i, j) for i, j in permutations(range(len(size)), 2) if len(size) <= 4 or abs(i - j) == 1]
    for i, j in pairs:
        at = critical + (control[here] - critical) * (size[i] / size[j]) ** power
        k = np.clip(np.searchsorted(control, at) - 1, 0, len(control) - 2)
        width = control[k + 1] - control[k]
        u = (at - control[k]) / width
        between = (u >= 0) & (u <= 1) & (at >= control[here[0]]) & (at <= control[here[-1]])
        # cubic Hermite: straight lines would cut the bends of a coarse grid by more than the errors
        h = (1 + 2 * u) * (1 - u) ** 2
        rise, fall = u * (1 - u) ** 2 * width, -(u**2) * (1 - u) * width
        factors = ((size[i] ** shrink, size[j] ** shrink), (1.0, 1.0))
        for values, slopes, error, (mine, theirs) in zip(
            curves.values, curves.slopes, curves.errors, factors, strict=True
        ):
            other = h * values[row, j, k] + (1 - h) * values[row, j, k + 1]
            other += rise * slopes[row, j, k] + fall * slopes[row, j, k + 1]
            noise = h**2 * error[j, k] ** 2 + (1 - h) ** 2 * error[j, k + 1] ** 2
            apart = (values[:, i, here] * mine - other * theirs) ** 2
            variance = error[i, here] ** 2 * mine**2 + noise * theirs**2
            seen = between & np.isfinite(apart) & (variance > 0)
            total += np.where(seen, np.where(seen, apart, 0.0) / np.where(seen, variance, 1.0), 0.0).sum(axis=1)
            count += seen.sum(axis=1)
    enough = count >= 0.8 * len(pairs) * len(here)  # of twice that many: |m| and U4
    return np.where(enough, total / np.maximum(count, 1), np.inf)
