"""Does a break describe a curve better than a smooth law, and what do other metrics show? Tests 3 and 4 of
`mirage`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import special, stats

from emergelab.instruments._logistic import fit_logistic, log_axis

__all__ = ["SmoothnessTest", "emergence_score", "family", "smoothness_test", "sweep_table"]

_LEAST_DELTA = 6.0  # BIC difference from which a break counts ("strong" in Kass and Raftery 1995)
_THIN = 64  # records per curve used for the smoothness test


@dataclass(frozen=True)
class SmoothnessTest:
    """Does a break describe the curve better than a smooth law does?

    Attributes:
        verdict: "break", "smooth", or "unresolved" where the records are too far apart to tell.
        delta_bic: BIC of the best smooth law minus BIC of the best break, mean over curves; positive favours
            the break.
        per_curve: the same for each curve.
        p: parametric bootstrap from the smooth law with its own noise; NaN where the break does not even fit
            better.
        width: decades of x for the 10-90% rise, median over curves.
        widths: the same for each curve.
    """

    verdict: str
    delta_bic: float
    per_curve: Float[np.ndarray, "curve"]
    p: float
    width: float
    widths: Float[np.ndarray, "curve"]


def smoothness_test(
    values: Float[np.ndarray, "curve x"],
    x: Float[np.ndarray, "x"],
    error: Float[np.ndarray, "curve x"],
    *,
    sharp: float,
    draws: int,
    rng: np.random.Generator,
) -> SmoothnessTest:
    """Smooth laws (power law on log x, logistic at least ``sharp`` decades wide) against breaks (a narrower
    logistic or a step)."""
    nan = float("nan")
    v, at, err = _fewer(values, x, error)
    turn = _direction(v)
    v = turn * v
    keep = np.isfinite(v).sum(axis=1) >= 6
    if not keep.any():
        none = np.full(len(v), nan)
        return SmoothnessTest("unresolved", nan, none, nan, nan, none)
    delta, smooth, sigma = _delta_bic(v[keep], at, sharp)
    free = fit_logistic(v[keep], at)
    widths = np.full(len(v), nan)
    widths[keep] = np.where(np.isfinite(free.decades), free.decades, nan)
    per_curve = np.full(len(v), nan)
    per_curve[keep] = delta
    middle = float(np.nanmedian(widths)) if np.isfinite(widths).any() else nan
    spread = np.maximum(sigma[:, None], np.nan_to_num(err[keep]))
    scale = float(np.nanmax(np.abs(v[keep]))) or 1.0
    spread = np.maximum(spread, 1e-9 * scale)
    mean, p = float(np.mean(delta)), nan
    if mean >= _LEAST_DELTA and middle < sharp:
        copies = int(np.clip(800 // len(delta), 39, min(draws, 199)))
        draw = smooth[None] + spread[None] * rng.standard_normal((copies, *smooth.shape))
        draw = np.where(np.isfinite(v[keep])[None], draw, np.nan)
        null = _delta_bic(draw.reshape(-1, v.shape[1]), at, sharp)[0].reshape(copies, -1).mean(axis=1)
        p = (1 + int((null >= mean).sum())) / (copies + 1)
    verdict = "smooth"
    if p <= 0.05:
        # a rise between two records is a break only if those records are near enough to call it narrow
        gaps = np.diff(log_axis(at))[np.diff(log_axis(at)) < 300] / np.log(10)
        centre = float(np.nanmedian(free.centre))
        u = log_axis(at)
        j = int(np.clip(np.searchsorted(u, centre), 1, len(u) - 1))
        gap = (u[j] - max(u[j - 1], u[u > -600].min())) / np.log(10)
        verdict = "break" if gap < sharp or float(np.median(gaps)) >= gap else "unresolved"
    return SmoothnessTest(verdict, mean, per_curve, p, middle, widths)


def _direction(v: Float[np.ndarray, "curve x"]) -> float:
    ends = []
    for row in v:
        seen = row[np.isfinite(row)]
        if len(seen) > 1:
            m = max(1, len(seen) // 4)
            ends.append(seen[-m:].mean() - seen[:m].mean())
    return -1.0 if ends and np.mean(ends) < 0 else 1.0


def _fewer(
    values: Float[np.ndarray, "curve x"], x: Float[np.ndarray, "x"], error: Float[np.ndarray, "curve x"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At most 128 records, evenly spread over log x; records that share a bin are averaged."""
    if len(x) <= 2 * _THIN:
        return values, x, error
    u = log_axis(x)
    low = u[u > -600].min()
    bins = np.floor((np.maximum(u, low) - low) / (u.max() - low) * (_THIN - 1)).astype(int)
    where = [np.flatnonzero(bins == b) for b in np.unique(bins)]
    out = np.full((len(values), len(where)), np.nan)
    err = np.zeros_like(out)
    for j, w in enumerate(where):
        seen = np.isfinite(values[:, w])
        n = np.maximum(seen.sum(axis=1), 1)
        out[:, j] = np.where(seen.any(axis=1), np.nan_to_num(values[:, w]).sum(axis=1) / n, np.nan)
        err[:, j] = np.sqrt((np.nan_to_num(error[:, w]) ** 2).sum(axis=1)) / n
    return out, np.array([x[w].mean() for w in where]), err


def _delta_bic(
    v: Float[np.ndarray, "n x"], x: Float[np.ndarray, "x"], sharp: float
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n x"], Float[np.ndarray, "n"]]:
    """BIC(best smooth) - BIC(best break), the smooth fit, and its residual standard deviation."""
    seen = np.isfinite(v)
    count = seen.sum(axis=1)
    u = log_axis(x)
    low = u[u > -600].min()
    u = np.where(u > -600, u, low - float(np.median(np.diff(u[u > -600]))))
    # smooth 1: straight line in log x (a power law, when v is a logarithm)
    m = np.where(seen, 1.0, 0.0)
    f = np.where(seen, v, 0.0)
    su, sv = (m * u).sum(axis=1) / count, f.sum(axis=1) / count
    du = m * (u[None] - su[:, None])
    slope = (du * f).sum(axis=1) / np.maximum((du**2).sum(axis=1), 1e-30)
    line = sv[:, None] + slope[:, None] * (u[None] - su[:, None])
    wide = _curve(fit_logistic(v, x, decades=(sharp, 50.0), zooms=5), x)
    narrow = _curve(fit_logistic(v, x, decades=(0.0, sharp), zooms=5), x)
    floor = np.maximum(1e-18 * np.nanmax(np.abs(v), axis=1) ** 2, 1e-300)

    of_line, of_wide, of_narrow = (
        _bic(f, line, seen, floor, 2),
        _bic(f, wide, seen, floor, 4),
        _bic(f, narrow, seen, floor, 4),
    )
    better = (of_wide < of_line)[:, None]
    smooth = np.where(better & np.isfinite(wide), wide, line)
    rss = np.where(seen, (f - smooth) ** 2, 0.0).sum(axis=1)
    sigma = np.sqrt(rss / np.maximum(count - np.where(better[:, 0], 4, 2), 1))
    delta = np.minimum(of_line, of_wide) - of_narrow
    return np.where(np.isfinite(delta), delta, 0.0), smooth, sigma


def _bic(
    v: Float[np.ndarray, "n x"],
    fit: Float[np.ndarray, "n x"],
    seen: Bool[np.ndarray, "n x"],
    floor: Float[np.ndarray, "n"],
    parameters: int,
) -> Float[np.ndarray, "n"]:
    count = seen.sum(axis=1)
    rss = np.where(seen, (v - fit) ** 2, 0.0).sum(axis=1)
    rss = np.where(np.isfinite(rss), rss, np.inf)
    return count * np.log(np.maximum(rss / count, floor)) + parameters * np.log(count)


def _curve(fit: object, x: Float[np.ndarray, "x"]) -> Float[np.ndarray, "n x"]:
    low, high, centre, width = (getattr(fit, name)[:, None] for name in ("low", "high", "centre", "width"))
    curve = low + (high - low) * special.expit(np.clip((log_axis(x)[None] - centre) / width, -60, 60))
    return np.where(np.isfinite(curve), curve, np.inf)


def emergence_score(y: Float[np.ndarray, "*n x"]) -> Float[np.ndarray, "*n"]:
    """E of Schaeffer et al. 2023: sign(argmax - argmin) (max - min) / sqrt(median squared step). NaN where
    the median step is 0 (E would be infinite).

    A description, not a test: noise alone gives 3 and a steep smooth curve 15. Never read it without its
    null.
    """
    v = np.asarray(y, dtype=float)
    sign = np.sign(v.argmax(axis=-1) - v.argmin(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        e = sign * (v.max(axis=-1) - v.min(axis=-1)) / np.sqrt(np.median(np.diff(v, axis=-1) ** 2, axis=-1))
    return np.where(np.isfinite(e), e, np.nan)


def family(p: Float[np.ndarray, "curve x"], length: float) -> dict[str, Float[np.ndarray, "curve x"]]:
    """Scores that one and the same per-token probability gives under other metrics (tokens taken as
    independent)."""
    p = np.clip(p, 1e-300, 1.0)
    out = {f"exact match, K = {k}": p**k for k in (1, 2, 5, 10, 20)}
    if np.isfinite(length):
        k = round(length)
        out[f"exact match, K = {length:.3g}"] = p**length
        if k >= 2:
            half = (k + 1) // 2
            out[f"at least {half} of {k} right"] = stats.binom.sf(half - 1, k, p)
            out[f"edit distance of {k}"] = k * (1 - p)
    out["log-probability"] = np.log(p)
    out["Brier"] = (1 - p) ** 2
    return out


def sweep_table(
    scores: dict[str, Float[np.ndarray, "curve x"]],
    x: Float[np.ndarray, "x"],
    *,
    items: int | None,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Width and emergence score of every metric, with the score's null: the best smooth law plus the noise of
    the items."""
    rows = []
    for name, values in scores.items():
        v = _direction(values) * values
        fit = fit_logistic(v, x)
        seen = np.isfinite(v).all(axis=0)
        mean = v[:, seen].mean(axis=0) if seen.any() else np.full(0, np.nan)
        e, null = float("nan"), float("nan")
        if len(mean) >= 3:
            e = float(emergence_score(mean))
            _, smooth, sigma = _delta_bic(mean[None], x[seen], 0.5)
            noise = np.full(len(mean), sigma[0])
            if items is not None and mean.min() >= 0 and mean.max() <= 1:
                share = np.clip(smooth[0], 0, 1)
                noise = np.sqrt(share * (1 - share) / items / len(v))
            draw = smooth[0] + noise * rng.standard_normal((draws, len(mean)))
            made = emergence_score(draw)
            made = made[np.isfinite(made)]
            null = float(np.quantile(made, 0.95)) if made.size else float("nan")
        width = float(np.nanmedian(fit.decades)) if np.isfinite(fit.decades).any() else float("nan")
        rows.append({"metric": name, "W_decades": width, "E": e, "E_null_95": null})
    return pd.DataFrame(rows)
