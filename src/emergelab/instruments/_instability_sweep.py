"""Sweeps over size and learning rate: sensitivity, where runs diverge, and the crossing predicted from stable runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from emergelab.statistics import Estimate, difference, estimate, permutation, proportion

__all__ = ["Sweep", "boundaries", "cells", "contrasts", "growth", "predict", "sensitivity"]

_DECADE = np.log(10)


@dataclass(frozen=True)
class Sweep:
    """Final losses of a sweep.

    Attributes:
        loss: NaN where a run is missing; a diverged run holds the cap.
        diverged: whether a run diverged.
        conditions: labels of the first axis.
        seeds: labels of the second axis.
        sizes: sizes of the models, increasing.
        rates: learning rates, increasing.
        cap: loss at initialisation, one a size.
    """

    loss: Float[np.ndarray, "condition seed size rate"]
    diverged: Bool[np.ndarray, "condition seed size rate"]
    conditions: tuple[str, ...]
    seeds: tuple[object, ...]
    sizes: Float[np.ndarray, "size"]
    rates: Float[np.ndarray, "rate"]
    cap: Float[np.ndarray, "size"]


def curve_sensitivity(
    mean: Float[np.ndarray, "*sizes rate"], log_rate: Float[np.ndarray, "rate"]
) -> Float[np.ndarray, "*sizes"]:
    """Mean over the logarithm of the rate of (loss - lowest loss), by trapezoids; NaN if a rate has no run."""
    if len(log_rate) < 2:
        return np.full(mean.shape[:-1], np.nan)
    half = np.diff(log_rate) / 2
    weight = np.append(half, 0.0) + np.insert(half, 0, 0.0)
    return np.asarray((mean - mean.min(axis=-1, keepdims=True)) @ weight / weight.sum())


def _mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the first axis, NaN only where no seed has a run."""
    seen = np.isfinite(rows)
    if seen.all():
        return np.asarray(rows.mean(axis=0))
    count = seen.sum(axis=0)
    return np.where(count > 0, np.where(seen, rows, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def sensitivity(
    sweep: Sweep, level: float, draws: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[Estimate]]:
    """Sensitivity of each condition and size, its interval by resampling whole curves of seeds."""
    u = np.log(sweep.rates)
    rows, found = [], []
    for i, condition in enumerate(sweep.conditions):
        for s, size in enumerate(sweep.sizes):
            block = sweep.loss[i, :, s]
            e = estimate(block, lambda r: float(curve_sensitivity(_mean(r), u)), level=level, draws=draws, rng=rng)
            mean = _mean(block)
            known = np.isfinite(mean).any()
            best = int(np.nanargmin(mean)) if known else 0
            rows.append(
                {
                    "condition": condition,
                    "size": float(size),
                    "S": e.value,
                    "low": e.low,
                    "high": e.high,
                    "best_rate": float(sweep.rates[best]) if known else float("nan"),
                    "best_loss": float(mean[best]) if known else float("nan"),
                    "seeds": e.n,
                    "diverged": int(sweep.diverged[i, :, s].sum()),
                    "best_at_edge": bool(known and best in (0, len(sweep.rates) - 1)),
                }
            )
            found.append(e)
    return pd.DataFrame(rows), found


def growth(sweep: Sweep, level: float, draws: int, rng: np.random.Generator) -> tuple[pd.DataFrame, list[Estimate]]:
    """How the sensitivity grows with size: change per decade, and the exponent of the power law."""
    u, v = np.log(sweep.rates), np.log10(sweep.sizes)
    rows, found = [], []

    def all_sizes(r: NDArray[np.float64]) -> NDArray[np.float64]:
        return curve_sensitivity(_mean(r), u)

    def per_decade(r: NDArray[np.float64]) -> float:
        return _slope(v, all_sizes(r))

    def exponent(r: NDArray[np.float64]) -> float:
        s = all_sizes(r)
        return _slope(v, np.log10(s)) if (s > 0).all() else float("nan")

    for i, condition in enumerate(sweep.conditions):
        if len(v) < 2:
            nothing = _one_size(level)
            a = b = nothing
        else:
            a = estimate(sweep.loss[i], per_decade, level=level, draws=draws, rng=rng)
            b = estimate(sweep.loss[i], exponent, level=level, draws=draws, rng=rng)
        rows.append((condition, a.value, a.low, a.high, a.p_two_sided(0.0), b.value, b.low, b.high))
        found.append(a)
    columns = ["condition", "S_per_decade", "low", "high", "p", "exponent", "exponent_low", "exponent_high"]
    return pd.DataFrame(rows, columns=columns), found


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    good = np.isfinite(y)
    if good.sum() < 2:
        return float("nan")
    at = x[good] - x[good].mean()
    return float(at @ y[good] / (at @ at))


def _one_size(level: float) -> Estimate:
    nan = float("nan")
    return Estimate(nan, nan, nan, level, "one size only", 0)


def cells(sweep: Sweep, level: float) -> pd.DataFrame:
    """Share of diverged runs in each cell of the sweep."""
    rows = []
    for i, condition in enumerate(sweep.conditions):
        for s, size in enumerate(sweep.sizes):
            for r, rate in enumerate(sweep.rates):
                seen = np.isfinite(sweep.loss[i, :, s, r]) | sweep.diverged[i, :, s, r]
                share = proportion(int(sweep.diverged[i, :, s, r].sum()), int(seen.sum()), level=level)
                loss = sweep.loss[i, np.isfinite(sweep.loss[i, :, s, r]), s, r]
                mean = float(loss.mean()) if len(loss) else float("nan")
                rows.append((condition, float(size), float(rate), mean, share.value, share.low, share.high, share.n))
    columns = ["condition", "size", "rate", "loss", "diverged", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def _edge(bad: Bool[np.ndarray, "rate"], u: NDArray[np.float64]) -> float:
    """Logarithm of the rate that parts stable from diverged runs with the fewest errors, midway in its gap.

    NaN if nothing diverges (the edge lies beyond the rates) or everything does.
    """
    if not bad.any() or bad.all():
        return float("nan")
    wrong = [int(bad[:k].sum() + (~bad[k:]).sum()) for k in range(1, len(u))]
    k = 1 + int(np.argmin(wrong))
    return float((u[k - 1] + u[k]) / 2)


def edges(sweep: Sweep) -> Float[np.ndarray, "condition seed size"]:
    """Edge of divergence of every seed and size, in the logarithm of the rate."""
    u = np.log(sweep.rates)
    shape = sweep.loss.shape[:3]
    out = np.full(shape, np.nan)
    for where in np.ndindex(*shape):
        seen = np.isfinite(sweep.loss[where]) | sweep.diverged[where]
        if seen.sum() > 1:
            out[where] = _edge(sweep.diverged[where][seen], u[seen])
    return out


def boundaries(sweep: Sweep, level: float, draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """Highest stable rate as a power of size, rate_c = c N^-k, by least squares on the edges of seeds."""
    found, x = edges(sweep), np.log(sweep.sizes)
    rows = []
    for i, condition in enumerate(sweep.conditions):
        own = found[i]
        for s, size in enumerate(sweep.sizes):
            e = estimate(own[:, s], level=level, draws=draws, rng=rng)
            rows.append((condition, float(size), *(float(np.exp(v)) for v in (e.value, e.low, e.high)), e.n))
        k = _one_size(level)
        if len(x) > 1 and np.isfinite(own).any(axis=0).sum() > 1:
            k = estimate(own, lambda r: -_slope(x, _mean(r)), level=level, draws=draws, rng=rng)
        rows.append((condition, float("nan"), k.value, k.low, k.high, k.n))
    table = pd.DataFrame(rows, columns=["condition", "size", "rate_c", "low", "high", "seeds"])
    table["quantity"] = np.where(table["size"].isna(), "exponent k", "rate_c")
    return table


def contrasts(sweep: Sweep, level: float, draws: int, rng: np.random.Generator) -> tuple[pd.DataFrame, list[Estimate]]:
    """Sensitivity of each condition minus that of the others, mean over sizes, paired by seed."""
    u = np.log(sweep.rates)

    def whole(r: NDArray[np.float64]) -> float:
        return float(curve_sensitivity(_mean(r), u).mean())

    rows, found = [], []
    names = sweep.conditions
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            a, b = sweep.loss[i], sweep.loss[j]
            e = difference(a, b, whole, paired=True, level=level, draws=draws, rng=rng)
            each = np.array([[whole(x[[k]]) for k in range(len(x))] for x in (a, b)])
            test = permutation(each[0], each[1], paired=True, draws=draws, rng=rng)
            rows.append((names[i], names[j], e.value, e.low, e.high, test.p, test.smallest_p, test.draws))
            found.append(e)
    columns = ["a", "b", "difference", "low", "high", "p", "smallest_p", "draws"]
    return pd.DataFrame(rows, columns=columns), found


def _design(x: NDArray[np.float64], u: NDArray[np.float64], square: bool) -> NDArray[np.float64]:
    columns = [np.ones_like(x), x, u]
    if square:
        columns += [x * x, x * u, u * u]
    return np.stack(columns, axis=-1)


def predict(
    sweep: Sweep,
    quantity: Float[np.ndarray, "condition seed size rate"],
    critical: float,
    at: list[float],
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rate at which a quantity reaches its critical value, from its logarithm on stable runs as a polynomial of
    log size and log rate (quadratic where there are enough cells, else linear).

    The interval resamples whole seeds. Sizes more than a decade above the largest one with stable runs are refused.
    The last row of a condition leaves the largest size out of the fit and gives the error of its prediction there,
    as a root mean square in natural logarithms.
    """
    x, u = np.meshgrid(np.log(sweep.sizes), np.log(sweep.rates), indexing="ij")
    middle = float(x.mean()), float(u.mean())
    fine = np.linspace(u.min() - _DECADE, u.max() + _DECADE, 801)
    nan = float("nan")
    rows = []
    for i, condition in enumerate(sweep.conditions):
        q = quantity[i]
        usable = np.isfinite(q) & (q > 0) & ~sweep.diverged[i] & np.isfinite(sweep.loss[i])
        logs = np.where(usable, np.log(np.where(usable, q, 1.0)), np.nan)

        def fit(block: NDArray[np.float64], keep: NDArray[np.bool_]) -> NDArray[np.float64] | None:
            y = _mean(block)
            good = np.isfinite(y) & keep
            # a fit must be held up by at least two sizes and two rates
            if len(np.unique(x[good])) < 2 or len(np.unique(u[good])) < 2 or good.sum() < 4:
                return None
            square = len(np.unique(x[good])) >= 3 and len(np.unique(u[good])) >= 3 and int(good.sum()) >= 9
            d = _design(x[good] - middle[0], u[good] - middle[1], square)
            return np.asarray(np.linalg.lstsq(d, y[good], rcond=None)[0], dtype=float)

        def value(beta: NDArray[np.float64], size: float, rates: NDArray[np.float64]) -> NDArray[np.float64]:
            d = _design(np.full_like(rates, np.log(size) - middle[0]), rates - middle[1], len(beta) > 3)
            return np.asarray(d @ beta)

        def crossing(beta: NDArray[np.float64] | None, size: float) -> float:
            if beta is None:
                return float("nan")
            gap = value(beta, size, fine) - np.log(critical)
            first = int((gap >= 0).argmax())
            if first == 0 or gap[first] < 0:
                return float("nan")
            share = gap[first - 1] / (gap[first - 1] - gap[first])
            return float(fine[first - 1] + share * (fine[first] - fine[first - 1]))

        everywhere = np.ones_like(x, dtype=bool)
        stable = usable.any(axis=(0, 2))
        largest = float(sweep.sizes[stable].max()) if stable.any() else float("nan")
        beta = fit(logs, everywhere)
        seeds = len(logs)
        betas = []
        if seeds >= 3:
            betas = [fit(logs[rng.integers(0, seeds, seeds)], everywhere) for _ in range(min(draws, 499))]
        for size in at:
            refused = not size <= 10.0001 * largest
            point = float("nan") if refused else crossing(beta, size)
            low = high = float("nan")
            if betas and np.isfinite(point):
                drawn = np.array([crossing(b, size) for b in betas])
                drawn = drawn[np.isfinite(drawn)]
                if len(drawn) >= 0.95 * len(betas):
                    low, high = np.exp(np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))
            why = "more than a decade beyond the runs" if refused else "" if np.isfinite(point) else "no crossing"
            rows.append((condition, size, float(np.exp(point)), float(low), float(high), float("nan"), why))
        held = fit(logs, x < x.max() - 1e-9)
        truth = _mean(logs)[-1]
        error = float("nan")
        if held is not None and np.isfinite(truth).any():
            gap = truth - value(held, float(sweep.sizes[-1]), np.log(sweep.rates))
            error = float(np.sqrt(np.nanmean(gap**2)))
        point = float(np.exp(crossing(held, float(sweep.sizes[-1]))))
        rows.append((condition, float(sweep.sizes[-1]), point, nan, nan, error, "largest size left out"))
    columns = ["condition", "size", "rate", "low", "high", "held_out_error", "note"]
    return pd.DataFrame(rows, columns=columns)
