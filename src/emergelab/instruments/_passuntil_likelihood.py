"""The likelihood of the counts themselves: every item on a line of its own in ln N, one bend for all.

A record of k passes in K tries has the likelihood p^k (1 - p)^(K - k) whether sampling stopped at a pass or at the
cap; one that only tells "fewer than r passes in K tries" has that of a binomial tail. With F_s = ln(-ln p_s) of item s

    F_s(N) = F + slope v + bend (v^2 - mean) / (2 reach) + height_s + tilt_s v,    v = ln N - mean,

where height and tilt are normal over items with variances of their own. They are integrated out by Laplace's method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import optimize, special, stats

from emergelab.instruments._passuntil_rates import Records, counted

__all__ = ["Likely", "likelihood_fit"]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_ROUNDS = 20  # of scoring for the items' own lines, at most; they start where they last ended
_MOST = 10.0  # largest standard deviation over items
_STEP = 1e-3  # of the differences that stand for derivatives


@dataclass(frozen=True)
class Likely:
    """A line and a parabola fitted to the counts, and their comparison.

    Attributes:
        slope, slope_error: of F over ln N on the straight fit (minus alpha).
        ln_c: F at ln N = 0 on the straight fit, the logarithm of c.
        bend: change of the slope over the sizes; bend_error: what the likelihood ratio makes of its error.
        ratio: twice the gain in log-likelihood by the bend.
        p: of no bend, chi-square with one degree of freedom.
        heights, tilts: standard deviations over items, on the straight fit.
        held, ahead: forecasts of PU (value, low, high) at the largest size from the others, and at the size asked for.
    """

    slope: float
    slope_error: float
    ln_c: float
    bend: float
    bend_error: float
    ratio: float
    p: float
    heights: float
    tilts: float
    held: tuple[float, float, float]
    ahead: tuple[float, float, float]


class _Counts:
    """Log-likelihood of the parameters (F, slope[, bend], sd of heights, sd of tilts) given the counts."""

    def __init__(self, r: Records, guess: float, columns: slice, items_differ: bool) -> None:
        seen = r.seen[:, columns]
        self.tries = np.where(seen, r.tries[:, columns], 0.0)
        self.passes = np.where(seen, counted(r)[:, columns], 0.0)
        self.tail = r.uncounted[:, columns]
        self.target, self.guess, self.differ = r.target, guess, items_differ
        self.u = np.log(r.x[columns])
        # the middle of the information, so that height and slope hang together little
        self.centre = float(self.u.mean())
        self.v = self.u - self.centre
        self.reach = float(self.u[-1] - self.u[0]) or 1.0
        self.own = np.zeros((len(seen), 2))

    def curve(self, theta: Float[np.ndarray, "m p"], u: Float[np.ndarray, "x"], bent: bool) -> Float[np.ndarray, "m x"]:
        """F of an item in the middle, one row a set of parameters."""
        v = u - self.centre
        out = theta[:, :1] + theta[:, 1:2] * v
        return out + theta[:, 2:3] * (v**2 - (self.v**2).mean()) / (2 * self.reach) if bent else out

    def spread(self, theta: Float[np.ndarray, "m p"], bent: bool) -> Float[np.ndarray, "m 2"]:
        """Standard deviations of heights and tilts over items."""
        return np.abs(theta[:, 2 + bent :]) if self.differ else np.zeros((len(theta), 2))

    def _record(
        self, f: Float[np.ndarray, "m item x"]
    ) -> tuple[Float[np.ndarray, "m item x"], Float[np.ndarray, "m item x"], Float[np.ndarray, "m item x"]]:
        """Log-likelihood of every record, its derivative in F, and its expected curvature."""
        f = np.clip(f, -30.0, 6.0)
        hazard = np.exp(f)
        inner, g = np.exp(-hazard), self.guess
        p = np.maximum(g + (1 - g) * inner, 1e-300)
        rest = np.maximum((1 - g) * -np.expm1(-hazard), 1e-300)
        change = -(1 - g) * hazard * inner
        n, k = self.tries, self.passes
        value = k * np.log(p) + (n - k) * np.log(rest)
        score = change * (k / p - (n - k) / rest)
        weight = n * change**2 / (p * rest)
        if self.tail.any():
            t = self.tail
            # fewer than the target in no more tries than that is no news
            left = np.maximum(n[t] - self.target + 1, 1e-9)
            below = np.where(n[t] < self.target, 1.0, special.betainc(left, self.target, rest[:, t]))
            below = np.maximum(below, 1e-300)
            at = stats.binom.pmf(self.target - 1, n[t] - 1, p[:, t])
            value[:, t] = np.log(below)
            score[:, t] = -change[:, t] * n[t] * at / below
            weight[:, t] = score[:, t] ** 2
        return value, score, weight

    def loss(self, theta: Float[np.ndarray, "m p"], bent: bool) -> Float[np.ndarray, "m"]:
        """Minus the log-likelihood of every set of parameters."""
        middle, sd = self.curve(theta, self.u, bent)[:, None], self.spread(theta, bent)
        if not self.differ:
            return -self._record(np.repeat(middle, len(self.tries), axis=1))[0].sum(axis=(1, 2))
        # lines of items in units of their spread: height and tilt
        design = np.stack([np.broadcast_to(sd[:, :1], (len(sd), len(self.v))), sd[:, 1:] * self.v], axis=1)
        one, two = design[:, 0], design[:, 1]
        squares = np.stack([one**2, one * two, two**2], axis=2)
        z = np.repeat(self.own[None], len(theta), axis=0)
        for _ in range(_ROUNDS):
            value, score, weight = self._record(middle + z @ design)
            a, b, d = np.moveaxis(weight @ squares + np.array([1.0, 0.0, 1.0]), 2, 0)
            size = a * d - b * b
            up, turn = np.moveaxis(score @ design.swapaxes(1, 2) - z, 2, 0)
            move = np.stack([d * up - b * turn, a * turn - b * up], axis=2) / size[..., None]
            if np.abs(move).max() < 1e-6:
                break
            z = z + np.clip(move, -2.0, 2.0)
        self.own = z[0]
        return -(value.sum(axis=(1, 2)) - 0.5 * (z**2).sum(axis=(1, 2)) - 0.5 * np.log(size).sum(axis=1))

    def _slope(self, theta: Float[np.ndarray, "p"], bent: bool) -> tuple[float, Float[np.ndarray, "p"]]:
        """The loss and its derivatives by central differences, wide enough that inner fits leave no noise in them."""
        p = len(theta)
        moves = _STEP * np.concatenate([np.zeros((1, p)), np.eye(p), -np.eye(p)])
        found = self.loss(theta + moves, bent)
        return float(found[0]), (found[1 : p + 1] - found[p + 1 :]) / (2 * _STEP)

    def fit(self, bent: bool, start: Float[np.ndarray, "p"]) -> tuple[Float[np.ndarray, "p"], float]:
        """The most likely parameters and their log-likelihood."""
        self.own = np.zeros(self.own.shape)
        limits = [(-30.0, 10.0), (-10.0, 5.0), *([(-20.0, 20.0)] if bent else [])]
        limits += [(0.0, _MOST)] * 2 if self.differ else []
        # every parameter in units of the error that its own curvature gives it, or the search crawls
        h, p = 5 * _STEP, len(start)
        near = self.loss(start + h * np.concatenate([np.zeros((1, p)), np.eye(p), -np.eye(p)]), bent)
        unit = 1 / np.sqrt(np.maximum((near[1 : p + 1] + near[p + 1 :] - 2 * near[0]) / h**2, 1.0))

        def scaled(t: Any) -> tuple[float, Any]:
            value, slope = self._slope(t * unit, bent)
            return value, slope * unit

        found = optimize.minimize(
            scaled, start / unit, jac=True, method="L-BFGS-B", options={"maxiter": 60, "ftol": 1e-11, "gtol": 1e-3},
            bounds=[(a / s, b / s) for (a, b), s in zip(limits, unit, strict=True)],
        )  # fmt: skip
        return found.x * unit, -float(found.fun)

    def mean(self, theta: Float[np.ndarray, "m p"], u: Float[np.ndarray, "x"], bent: bool) -> Float[np.ndarray, "m x"]:
        """PU, the mean over items, guesses taken out."""
        sd = self.spread(theta, bent)
        wide = np.hypot(sd[:, :1], sd[:, 1:] * (u - self.centre))
        f = self.curve(theta, u, bent)[:, None] + _NODES[:, None] * wide[:, None]
        return _WEIGHTS @ np.exp(-np.exp(np.clip(f, -700.0, 50.0)))

    def cover(self, theta: Float[np.ndarray, "p"], bent: bool) -> Float[np.ndarray, "p p"]:
        """Covariance of the parameters from the curvature of the likelihood, by differences; held at bounds."""
        free = np.ones(len(theta), dtype=bool)
        free[2 + bent :] = theta[2 + bent :] > 2 * _STEP
        at = np.flatnonzero(free)
        k = len(at)
        step = np.zeros((k, len(theta)))
        step[np.arange(k), at] = _STEP
        pairs = [(i, j) for i in range(k) for j in range(i + 1)]
        both = np.array([step[i] + step[j] for i, j in pairs])
        found = self.loss(theta + np.concatenate([np.zeros((1, len(theta))), step, both, -step]), bent)
        here, up, twice, down = found[0], found[1 : k + 1], found[k + 1 : k + 1 + len(pairs)], found[-k:]
        hessian = np.zeros((k, k))
        for (i, j), value in zip(pairs, twice, strict=True):
            hessian[i, j] = hessian[j, i] = (
                up[i] + down[i] - 2 * here if i == j else value - up[i] - up[j] + here
            ) / _STEP**2
        out = np.zeros((len(theta), len(theta)))
        out[np.ix_(at, at)] = np.linalg.pinv(hessian, rcond=1e-8, hermitian=True)
        return out


def likelihood_fit(
    r: Records,
    f: Float[np.ndarray, "x"],
    guess: float,
    forecast_to: float | None,
    level: float,
    last_variance: float = 0.0,
) -> Likely | None:
    """Fit the counts of one condition; None with fewer than three sizes, or where nothing or everything passed.

    Args:
        r: tries and passes.
        f: F of the mean rate where there is one, for the start.
        guess: rate of lucky guesses.
        forecast_to: size of the forecast.
        level: of its interval.
        last_variance: of F as measured at the largest size, for the forecast of what is seen there.
    """
    good = np.isfinite(f)
    filled = np.flatnonzero(r.seen.any(axis=0))
    if good.sum() < 3 or len(filled) < 3:
        return None
    every = slice(int(filled[0]), int(filled[-1]) + 1)
    differ = len(r.items) >= 5
    counts = _Counts(r, guess, every, differ)
    nan = float("nan")
    u = np.log(r.x)
    slope, height = np.polyfit(u[good] - counts.centre, f[good], 1)
    spread = [0.2, 0.05] if differ else []
    line, ll_line = counts.fit(False, np.array([height, slope, *spread]))
    cover = counts.cover(line, False)
    error = float(np.sqrt(max(cover[1, 1], 0.0)))
    bend = bend_error = ratio = p = nan
    if good.sum() >= 4:
        bent, ll_bent = counts.fit(True, np.array([*line[:2], 0.0, *line[2:]]))
        bend, ratio = float(bent[2]), max(2 * (ll_bent - ll_line), 0.0)
        p = float(stats.chi2.sf(ratio, 1))
        wald = float(np.sqrt(max(counts.cover(bent, True)[2, 2], 0.0)))
        # the error that gives the ratio's own p, so that interval and test agree; near zero that of the curvature
        bend_error = abs(bend) / np.sqrt(ratio) if ratio > 0.1 else wald
    held = (nan, nan, nan)
    if good.sum() >= 4 and every.stop == len(r.x):
        fewer = _Counts(r, guess, slice(every.start, every.stop - 1), differ)
        part, _ = fewer.fit(False, np.array([height + slope * (fewer.centre - counts.centre), *line[1:]]))
        held = _forecast(fewer, part, float(u[-1]), level, last_variance)
    ahead = (nan, nan, nan)
    if forecast_to is not None:
        ahead = _forecast(counts, line, float(np.log(forecast_to)), level)
    sd = counts.spread(line[None], False)[0]
    return Likely(
        float(line[1]), error, float(line[0] - line[1] * counts.centre), bend, float(bend_error), ratio, p,
        float(sd[0]), float(sd[1]), held, ahead,
    )  # fmt: skip


def _forecast(
    counts: _Counts, theta: Float[np.ndarray, "p"], u: float, level: float, more: float = 0.0
) -> tuple[float, float, float]:
    """PU at a size by the straight fit, with the delta method on the scale of F; ``more`` is added to the variance."""

    p = len(theta)
    rate = counts.mean(theta + 1e-4 * np.concatenate([np.zeros((1, p)), np.eye(p)]), np.array([u]), False)[:, 0]
    f = np.log(-np.log(np.clip(rate, 1e-300, 1 - 1e-12)))
    here, slope = float(f[0]), (f[1:] - f[0]) / 1e-4
    half = float(stats.norm.ppf(0.5 + level / 2) * np.sqrt(max(slope @ counts.cover(theta, False) @ slope + more, 0.0)))
    ends = np.exp(-np.exp(np.clip(here + half * np.array([0.0, 1.0, -1.0]), -700.0, 50.0)))
    return float(ends[0]), float(ends[1]), float(ends[2])
