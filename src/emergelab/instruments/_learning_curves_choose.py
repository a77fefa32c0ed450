"""Which law: rolling-origin forecasts first, information criteria second, the baselines always beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import optimize, stats

from emergelab.instruments._learning_curves_fit import Fit, fit, refit
from emergelab.instruments._learning_curves_laws import Axis, Kind, Law
from emergelab.statistics import ar1_coefficient

__all__ = ["BASELINES", "FEWEST", "Choice", "baseline_forecasts", "choose", "profile"]

FEWEST = 7
"""Fewest records from which a law can be chosen: two origins with five records before the first."""

BASELINES = ("last value", "log-linear, last decade")
"""Forecasts that need no law; none of the laws is trusted that does not beat both."""

_ORIGINS = 6
_TIE = 1.05  # a law whose error is within 5% of the log-linear baseline's is as good as that

_PRIOR = 3.0  # pull of the BIC weights on the mixture, in units of the error of the best law
_LEAST = 0.05  # smaller weights in the mixture are dropped


@dataclass(frozen=True)
class Choice:
    """What the laws do on one curve.

    Attributes:
        fits: each law fitted to all records used.
        forecasts: response of every law, then of every baseline, at every (origin, record) that was forecast.
        origins: index of the last record before each forecast.
        targets: index of the forecast record.
        error: rolling-origin error of the laws then the baselines, on the origins that all eligible laws share.
        eligible: laws fitted at half the origins or more.
        bic, aicc: information criteria on the records used.
        stack: weights of the mixture, summing to one over the laws (all 0 if none is eligible).
        best: index of the chosen law, -1 if none.
        trusted: whether it beats the last value, and the log-linear baseline or ties with it.
    """

    laws: tuple[Law, ...]
    fits: tuple[Fit, ...]
    forecasts: Float[np.ndarray, "model k"]
    origins: Int[np.ndarray, "k"]
    targets: Int[np.ndarray, "k"]
    error: Float[np.ndarray, "model"]
    eligible: Bool[np.ndarray, "law"]
    bic: Float[np.ndarray, "law"]
    aicc: Float[np.ndarray, "law"]
    stack: Float[np.ndarray, "law"]
    best: int
    trusted: bool

    def mixture(self, axis: Axis, kind: Kind) -> Float[np.ndarray, "x"]:
        """Forecast of the stacked laws for the curve itself."""
        out = np.zeros(len(axis.x))
        for k in np.flatnonzero(self.stack > 0):
            out = out + self.stack[k] * self.fits[k].at(axis, kind)[0]
        return out if self.stack.any() else np.full(len(axis.x), np.nan)


def choose(
    response: Float[np.ndarray, "x"],
    weight: Float[np.ndarray, "x"],
    axis: Axis,
    kind: Kind,
    laws: Sequence[Law],
    horizon: float,
    *,
    huber: bool,
) -> Choice:
    """Fit all laws to the curve and to its beginnings, and let the forecasts of later records decide.

    Args:
        response: on the inner scale; NaN only where ``weight`` is 0.
        weight: weights with a mean of one over the records.
        axis: places of the records.
        kind: scale of the residuals.
        laws: families to try.
        horizon: how far each origin forecasts, in natural logarithms of x (at least the next record).
        huber: Huber's loss, or plain least squares.
    """
    n = len(response)
    first = min(max(5, int(np.ceil(0.4 * n))), n - 1)
    starts = np.unique(np.linspace(first, n - 1, _ORIGINS).round().astype(int)) if n > 5 else np.empty(0, int)
    u = axis.u
    origins, targets = [], []
    for m in starts:
        for j in range(m, n):
            if j == m or u[j] <= u[m - 1] + horizon + 1e-9:
                origins.append(m - 1)
                targets.append(j)
    origin, target = np.array(origins, dtype=int), np.array(targets, dtype=int)
    rows = np.concatenate([[n], starts]).astype(int)
    block = np.where(np.arange(n)[None, :] < rows[:, None], weight[None, :], 0.0)
    many = np.broadcast_to(response, block.shape)
    fits, forecasts = [], np.full((len(laws) + len(BASELINES), len(origin)), np.nan)
    place = np.searchsorted(starts, origin + 1) + 1
    for k, law in enumerate(laws):
        found = fit(law, many, block, axis, kind, huber=huber)
        fits.append(Fit(law, found.theta[:1], found.width[:1], found.rss[:1]))
        if len(origin):
            forecasts[k] = found.at(axis, kind)[place, target]
    for m in starts:
        here = origin == m - 1
        forecasts[len(laws) :, here] = baseline_forecasts(response[:m], weight[:m], u[:m], u[target[here]])
    count = int((weight > 0).sum())
    sizes = np.array([law.size(kind) for law in laws])
    rss = np.array([f.rss[0] for f in fits])
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = count * np.log(np.maximum(rss / count, 1e-18))
        bic = deviance + sizes * np.log(count)
        room = count - sizes - 1
        aicc = np.where(room > 0, deviance + 2 * sizes + 2 * sizes * (sizes + 1) / np.maximum(room, 1), np.nan)
    square, eligible, shared = _errors(forecasts, response, origin, target, len(laws))
    error = np.sqrt(square.mean(axis=1)) if square.shape[1] else np.full(len(forecasts), np.nan)
    error[: len(laws)][~eligible] = np.nan
    best, trusted, stack = -1, False, np.zeros(len(laws))
    if eligible.any():
        last, line = error[len(laws) :]
        beats = (error[: len(laws)] < last) & (error[: len(laws)] <= _TIE * line)
        best = _best(square[: len(laws)], eligible, beats, bic, laws)
        trusted = bool(beats[best])
        stack = _stack(forecasts[: len(laws)], response[target], eligible, shared, bic)
    return Choice(tuple(laws), tuple(fits), forecasts, origin, target, error, eligible, bic, aicc, stack, best, trusted)


def baseline_forecasts(
    response: Float[np.ndarray, "x"],
    weight: Float[np.ndarray, "x"],
    u: Float[np.ndarray, "x"],
    at: Float[np.ndarray, "m"],
) -> Float[np.ndarray, "baseline m"]:
    """The last value, and a straight line in log x through the last decade."""
    last = float(response[-1])
    recent = (u >= u[-1] - np.log(10)) & (weight > 0)
    if recent.sum() < 2:
        return np.full((2, len(at)), last)
    x, y, w = u[recent], response[recent], weight[recent]
    mean_x, mean_y = np.average(x, weights=w), np.average(y, weights=w)
    slope = np.sum(w * (x - mean_x) * (y - mean_y)) / max(float(np.sum(w * (x - mean_x) ** 2)), 1e-12)
    return np.stack([np.full(len(at), last), mean_y + slope * (at - mean_x)])


def _errors(
    forecasts: Float[np.ndarray, "model k"],
    response: Float[np.ndarray, "x"],
    origin: Int[np.ndarray, "k"],
    target: Int[np.ndarray, "k"],
    laws: int,
) -> tuple[Float[np.ndarray, "model o"], Bool[np.ndarray, "law"], Bool[np.ndarray, "k"]]:
    """Mean squared error of every model at every origin that all eligible laws have."""
    names = np.unique(origin)
    nothing = np.full((len(forecasts), 0), np.nan)
    if len(names) < 2:
        return nothing, np.zeros(laws, dtype=bool), np.zeros(len(origin), dtype=bool)
    square = (forecasts - response[target]) ** 2
    by_origin = np.stack([square[:, origin == o].mean(axis=1) for o in names], axis=1)
    seen = np.isfinite(by_origin)
    eligible = seen[:laws].sum(axis=1) >= max(2, len(names) / 2)
    if not eligible.any():
        return nothing, eligible, np.zeros(len(origin), dtype=bool)
    common = seen[:laws][eligible].all(axis=0)
    return by_origin[:, common], eligible, np.isin(origin, names[common])


def _best(
    square: Float[np.ndarray, "law o"],
    eligible: Bool[np.ndarray, "law"],
    beats: Bool[np.ndarray, "law"],
    bic: Float[np.ndarray, "law"],
    laws: Sequence[Law],
) -> int:
    """Smallest error; BIC among near-ties; a law with breaks only if no smooth law comes near it.

    Where any near-tie beats the baselines, only those that do are left.
    """
    broken = np.array([law.broken for law in laws])
    mean = np.where(eligible, square.mean(axis=1), np.inf)
    gap = square - square[int(np.argmin(mean))]
    with np.errstate(invalid="ignore"):
        # one standard error of the difference over origins, as in the pruning of trees (Breiman et al. 1984)
        near = eligible & (gap.mean(axis=1) <= gap.std(axis=1, ddof=1) / np.sqrt(square.shape[1]) + 1e-18)
    near = near & beats if (near & beats).any() else near
    pool = near & ~broken if (near & ~broken).any() else near
    return int(np.flatnonzero(pool)[np.argmin(bic[pool])])


def _stack(
    forecasts: Float[np.ndarray, "law k"],
    truth: Float[np.ndarray, "k"],
    eligible: Bool[np.ndarray, "law"],
    shared: Bool[np.ndarray, "k"],
    bic: Float[np.ndarray, "law"],
) -> Float[np.ndarray, "law"]:
    """Weights of the mixture that would have forecast best, drawn towards the weights that BIC gives.

    Least squares, none negative, summing to one. A handful of origins cannot tell laws apart that nearly agree, and
    plain stacking then cancels the bias of one law against that of another; BIC settles that.
    """
    out = np.zeros(len(forecasts))
    gap = (forecasts[eligible][:, shared] - truth[shared]).T
    prior = np.exp(-0.5 * (bic[eligible] - bic[eligible].min()))
    prior = prior / prior.sum()
    size = np.sqrt((gap**2).mean(axis=0))
    gap = gap / max(float(size.min()), 1e-12) / np.sqrt(len(gap))
    heavy = 1e4 * max(1.0, float(np.abs(gap).max()))
    a = np.vstack([gap, np.full((1, gap.shape[1]), heavy), _PRIOR * np.eye(gap.shape[1])])
    found, _ = optimize.nnls(a, np.concatenate([np.zeros(len(gap)), [heavy], _PRIOR * prior]))
    found = np.where(found < _LEAST, 0.0, found)
    out[eligible] = found / found.sum() if found.sum() > 0 else prior
    return out


def profile(
    one: Fit,
    response: Float[np.ndarray, "x"],
    weight: Float[np.ndarray, "x"],
    axis: Axis,
    kind: Kind,
    level: float,
) -> tuple[Float[np.ndarray, "p"], Float[np.ndarray, "p"], Float[np.ndarray, "p p"]]:
    """Profile likelihood interval of every inner parameter (NaN: no end within its bounds), and their correlations.

    The number of records is cut to what their autocorrelation leaves.
    """
    law, theta = one.law, one.theta[0]
    p = len(theta)
    low, high = law.bounds(kind, axis.span)
    base = law(theta[None], axis, kind)
    moved = np.repeat(theta[None], p, axis=0)
    step = 1e-5 * (1 + np.abs(theta))
    moved[np.arange(p), np.arange(p)] += step
    slope = (law(moved, axis, kind) - base) / step[:, None]
    residual = (response - base[0])[weight > 0]
    count = len(residual)
    phi = min(max(0.0, ar1_coefficient(residual, min(p, 2))), 0.9) if count > 3 else 0.0
    effective = max(count * (1 - phi) / (1 + phi), p + 1.0)
    variance = max(one.rss[0], 1e-18) / max(effective - p, 1.0)
    cover = np.linalg.pinv((slope * weight) @ slope.T, hermitian=True) * variance
    sd = np.sqrt(np.maximum(np.diag(cover), 1e-24))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = cover / np.outer(sd, sd)
    reach = np.array([0.5, 1, 1.5, 2, 2.5, 3, 4, 6, 10, 20, 60])
    offset = np.concatenate([-reach[::-1], reach])
    starts, frozen = [], []
    for j in range(p):
        grid = np.clip(theta[j] + sd[j] * offset, low[j], high[j])
        grid[0], grid[-1] = low[j], high[j]
        block = np.repeat(theta[None], len(grid), axis=0)
        block[:, j] = grid
        starts.append(block)
        held = np.zeros(block.shape, dtype=bool)
        held[:, j] = True
        frozen.append(held)
    start = np.concatenate(starts)
    many = np.broadcast_to(response, (len(start), len(response)))
    weights = np.broadcast_to(weight, many.shape)
    found = refit(one, many, weights, axis, kind, rounds=25, frozen=np.concatenate(frozen), theta=start)
    # Student's t, because the noise is estimated from the same residuals
    limit = stats.t.ppf(0.5 + level / 2, max(effective - p, 1.0)) ** 2
    excess = (found.rss.reshape(p, -1) / max(one.rss[0], 1e-18) - 1) * max(effective - p, 1.0)
    lows, highs = np.full(p, np.nan), np.full(p, np.nan)
    half = len(reach)
    for j in range(p):
        grid = start.reshape(p, -1, p)[j, :, j]
        lows[j] = _crossing(np.r_[theta[j], grid[:half][::-1]], np.r_[0.0, excess[j, :half][::-1]], limit)
        highs[j] = _crossing(np.r_[theta[j], grid[half:]], np.r_[0.0, excess[j, half:]], limit)
    return lows, highs, np.clip(np.nan_to_num(correlation), -1.0, 1.0)


def _crossing(at: Float[np.ndarray, "g"], excess: Float[np.ndarray, "g"], limit: float) -> float:
    beyond = np.flatnonzero(excess > limit)
    if not len(beyond):
        return float("nan")
    j = int(beyond[0])
    share = (np.sqrt(limit) - np.sqrt(max(excess[j - 1], 0.0))) / max(
        float(np.sqrt(excess[j]) - np.sqrt(max(excess[j - 1], 0.0))), 1e-12
    )
    return float(at[j - 1] + np.clip(share, 0.0, 1.0) * (at[j] - at[j - 1]))
