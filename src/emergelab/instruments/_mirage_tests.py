"""The four tests behind `mirage`: link, resolution, smoothness, and the sweep over metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import optimize, special, stats

from emergelab.instruments._logistic import fit_logistic, log_axis

__all__ = [
    "LinkTest",
    "ResolutionTest",
    "SmoothnessTest",
    "emergence_score",
    "family",
    "fit_length",
    "isotonic",
    "link_test",
    "resolution_test",
    "smoothness_test",
]

_LEAST_DELTA = 6.0  # BIC difference from which a break counts ("strong" in Kass and Raftery 1995)
_THIN = 96  # records per curve used for the smoothness test

# ------------------------------------------------------------------------------------------------- 1 link


@dataclass(frozen=True)
class LinkTest:
    """Is the score one monotone function of the companion?

    Attributes:
        verdict: "explained" or "not explained".
        r2: share of the score's variance that the isotonic link accounts for.
        rmse: held-out root mean square error over all curves.
        rmse_curve: the same for each curve left out.
        noise: root mean square binomial noise of the score; 0 where neither items nor stderr were given.
        allowed: held-out error up to which the score counts as explained: what noise alone makes, plus the margin.
        largest: largest residual of the link fitted to everything.
        p_residual: p of "the held-out residual does not depend on x".
        drift: largest mean residual at one x (the size of that dependence).
        predicted: held-out prediction of the score.
        scheme: what was left out.
    """

    verdict: str
    r2: float
    rmse: float
    rmse_curve: Float[np.ndarray, "curve"]
    noise: float
    allowed: float
    largest: float
    p_residual: float
    drift: float
    predicted: Float[np.ndarray, "curve x"]
    scheme: str

    @property
    def residual_matters(self) -> bool:
        """Whether a residual that depends on x remains: significant, and larger than the noise it was given."""
        return self.verdict == "not explained" and bool(self.p_residual <= 0.05)


def isotonic(
    z: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], *, increasing: bool
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Monotone least-squares fit: knots in z (increasing) and fitted values; equal z are pooled."""
    knots, where, count = np.unique(z, return_inverse=True, return_counts=True)
    mean = np.bincount(where, weights=y) / count
    fitted = optimize.isotonic_regression(mean, weights=count.astype(float), increasing=increasing).x
    return knots, fitted


def link_test(
    y: Float[np.ndarray, "curve x"],
    z: Float[np.ndarray, "curve x"],
    error: Float[np.ndarray, "curve x"],
    *,
    margin: float,
    draws: int,
    rng: np.random.Generator,
) -> LinkTest:
    """Fit y = g(z), g monotone, with each curve left out in turn (with one curve: each record)."""
    seen = np.isfinite(y) & np.isfinite(z)
    rho = stats.spearmanr(z[seen], y[seen]).statistic if np.ptp(y[seen]) > 0 and np.ptp(z[seen]) > 0 else 0.0
    up = bool(rho >= 0)
    knots, fitted = isotonic(z[seen], y[seen], increasing=up)
    inside = y[seen] - np.interp(z[seen], knots, fitted)
    total = float(((y[seen] - y[seen].mean()) ** 2).sum())
    r2 = 1.0 - float((inside**2).sum()) / total if total > 0 else float("nan")
    predicted, scheme = _held_out(y, z, seen, up)
    residual = y - predicted
    with np.errstate(invalid="ignore"):
        by_curve = np.array([_rms(r) for r in residual])
    rmse = _rms(residual)
    noise = _rms(np.where(np.isfinite(residual), error, np.nan))
    p, drift = _residual_over_x(residual, draws, rng)
    allowed = _expected_error(fitted_at(z, knots, fitted), z, error, seen, up, noise, rng) + margin
    # a drift over x is only told from noise where there are several curves; its size decides whether it matters
    good = rmse <= allowed and not (p <= 0.05 and drift > 2 * noise + margin)
    largest = float(np.abs(inside).max()) if inside.size else float("nan")
    verdict = "explained" if good else "not explained"
    return LinkTest(verdict, r2, rmse, by_curve, noise, allowed, largest, p, drift, predicted, scheme)


def fitted_at(
    z: Float[np.ndarray, "curve x"], knots: Float[np.ndarray, "k"], fitted: Float[np.ndarray, "k"]
) -> Float[np.ndarray, "curve x"]:
    """The link at every z, straight between its knots and constant beyond them."""
    return np.interp(z, knots, fitted)


def _held_out(
    y: Float[np.ndarray, "curve x"], z: Float[np.ndarray, "curve x"], seen: Bool[np.ndarray, "curve x"], up: bool
) -> tuple[Float[np.ndarray, "curve x"], str]:
    """Prediction of every record by a link that has not seen its curve (with one curve: that record)."""
    predicted = np.full(y.shape, np.nan)
    many = [i for i in range(len(y)) if seen[i].sum() >= 2]
    if len(many) >= 2:
        for i in many:
            rest = seen.copy()
            rest[i] = False
            predicted[i, seen[i]] = fitted_at(z[i, seen[i]], *isotonic(z[rest], y[rest], increasing=up))
        return predicted, "one curve left out"
    where = list(zip(*np.nonzero(seen), strict=True))
    folds = min(len(where), 100)  # records of one long curve are left out by every hundredth
    for fold in range(folds):
        rest = seen.copy()
        held = where[fold::folds]
        for at in held:
            rest[at] = False
        link = isotonic(z[rest], y[rest], increasing=up)
        for at in held:
            predicted[at] = fitted_at(z[at], *link)
    return predicted, "one record left out"


def _expected_error(
    fit: Float[np.ndarray, "curve x"],
    z: Float[np.ndarray, "curve x"],
    error: Float[np.ndarray, "curve x"],
    seen: Bool[np.ndarray, "curve x"],
    up: bool,
    noise: float,
    rng: np.random.Generator,
    copies: int = 40,
) -> float:
    """Held-out error that noise alone makes, 95% quantile: a link learnt from noisy scores is itself uncertain."""
    if not noise > 0 or seen.sum() > 3000:  # with that many records the link is as good as known
        return noise
    made = []
    for _ in range(copies):
        y = np.where(seen, fit + error * rng.standard_normal(fit.shape), np.nan)
        made.append(_rms(y - _held_out(y, z, seen, up)[0]))
    return max(noise, float(np.quantile(made, 0.95)))


def _rms(x: np.ndarray) -> float:
    x = x[np.isfinite(x)]
    return float(np.sqrt(np.mean(x**2))) if x.size else float("nan")


def _residual_over_x(
    residual: Float[np.ndarray, "curve x"], draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """p of no dependence of the residual on x, and the size of that dependence.

    Five curves or more: signs of whole curves are flipped, the statistic is the largest |mean over curves| at one x. Fewer:
    residuals are shuffled over x, the statistic is the largest |mean over three neighbouring x|.
    """
    filled, seen = np.nan_to_num(residual), np.isfinite(residual)
    count = np.maximum(seen.sum(axis=0), 1)
    curves = int(seen.any(axis=1).sum())
    if curves == 0:
        return float("nan"), float("nan")
    if curves >= 5:
        signs = rng.integers(0, 2, (draws, len(filled))) * 2.0 - 1.0
        sums = np.abs(signs @ filled) / np.sqrt(np.maximum((filled**2).sum(axis=0), 1e-30))
        observed = np.abs(filled.sum(axis=0)) / np.sqrt(np.maximum((filled**2).sum(axis=0), 1e-30))
        drift = float(np.max(np.abs(filled.sum(axis=0)) / count))
        return (1 + int((sums.max(axis=1) >= observed.max() - 1e-12).sum())) / (draws + 1), drift
    means = filled.sum(axis=0) / count
    means = means[seen.any(axis=0)]
    if len(means) < 6 or np.ptp(means) == 0:
        return float("nan"), float(np.max(np.abs(means), initial=0.0))
    window = np.ones(3) / 3
    drift = float(np.max(np.abs(np.convolve(means, window, "valid"))))
    shuffled = rng.permuted(np.tile(means, (draws, 1)), axis=1)
    runs = np.abs(shuffled[:, :-2] + shuffled[:, 1:-1] + shuffled[:, 2:]).max(axis=1) / 3
    return (1 + int((runs >= drift - 1e-12).sum())) / (draws + 1), drift


def fit_length(
    y: Float[np.ndarray, "n"], p: Float[np.ndarray, "n"], error: Float[np.ndarray, "n"]
) -> tuple[float, float]:
    """Target length K of y = p**K by weighted least squares, and the RMSE of that fit; NaN if p never leaves 0 or 1."""
    use = np.isfinite(y) & np.isfinite(p) & (p > 0) & (p < 1)
    if use.sum() < 3 or np.ptp(y[use]) == 0:
        return float("nan"), float("nan")
    logs, seen = np.log(p[use]), y[use]
    weight = 1.0 / np.maximum(error[use], max(1e-3, float(np.median(error[use])))) ** 2

    def loss(log_k: float) -> float:
        return float(np.sum(weight * (seen - np.exp(np.exp(log_k) * logs)) ** 2))

    grid = np.linspace(np.log(0.05), np.log(500.0), 60)
    at = int(np.argmin([loss(v) for v in grid]))
    best = optimize.minimize_scalar(loss, bounds=(grid[max(at - 1, 0)], grid[min(at + 1, 59)]), method="bounded")
    k = float(np.exp(best.x))
    return k, float(np.sqrt(np.mean((seen - np.exp(k * logs)) ** 2)))


# ------------------------------------------------------------------------------------------- 2 resolution


@dataclass(frozen=True)
class ResolutionTest:
    """Where the score is zero: does the companion still change, and is zero what it predicts at this resolution?

    Attributes:
        verdict: "floor", "no floor" or "no zeros".
        zeros: number of records at which the score is zero (or not above chance).
        p_trend: p of "the companion does not change along x at those records".
        p_zero: probability of as many zeros, if the link is continued downwards and only the items are random.
        why: the verdict in words.
    """

    verdict: str
    zeros: int
    p_trend: float
    p_zero: float
    why: str


def resolution_test(
    y: Float[np.ndarray, "curve x"],
    z: Float[np.ndarray, "curve x"],
    zero: Bool[np.ndarray, "curve x"],
    *,
    items: int | None,
    good: float,
    length: float,
    p_token: Float[np.ndarray, "curve x"] | None,
    draws: int,
    rng: np.random.Generator,
) -> ResolutionTest:
    """Test the records at which the score is zero. ``good`` is +1 if a larger companion is better, else -1."""
    nan = float("nan")
    at = zero & np.isfinite(z)
    count = int(at.sum())
    if count < 4:
        return ResolutionTest("no zeros", count, nan, nan, "the score is zero at fewer than four records")
    pairs = [(good * row[flag]) for row, flag in zip(z, at, strict=True) if flag.sum() >= 3]
    observed = sum(_kendall(row) for row in pairs)
    null = np.array([sum(_kendall(rng.permutation(row)) for row in pairs) for _ in range(draws)])
    p_trend = (1 + int((null >= observed).sum())) / (draws + 1) if pairs else nan
    if items is None:
        return ResolutionTest("no floor", count, p_trend, nan, "the number of items is not given, so no resolution is known")
    if np.isfinite(length) and p_token is not None:
        expected = np.clip(p_token, 0.0, 1.0) ** length
    else:
        continued = _continued(y, z, items)
        if continued is None:
            return ResolutionTest("no floor", count, p_trend, nan, "too few records above zero to continue the link downwards")
        expected = continued
    # the zeros were picked by looking at the score, so their number among all records is judged, not each of them
    seen = np.isfinite(y) & np.isfinite(expected)
    share = np.exp(items * np.log1p(-np.clip(expected[seen], 0.0, 1 - 1e-12)))
    zeros = (rng.random((draws, share.size)) < share).sum(axis=1)
    p_zero = (1 + int((zeros >= count).sum())) / (draws + 1)
    if not p_trend <= 0.05:
        return ResolutionTest("no floor", count, p_trend, p_zero, "the companion does not change where the score is zero")
    if p_zero < 0.05:
        why = f"more records are at zero of {items} items than the companion predicts"
        return ResolutionTest("no floor", count, p_trend, p_zero, why)
    why = f"the companion improves while the score stays at zero, and zero of {items} items is what it predicts there"
    return ResolutionTest("floor", count, p_trend, p_zero, why)


def _kendall(row: Float[np.ndarray, "k"]) -> float:
    return float(np.sign(row[None, :] - row[:, None])[np.triu_indices(len(row), 1)].sum())


def _continued(
    y: Float[np.ndarray, "curve x"], z: Float[np.ndarray, "curve x"], items: int
) -> Float[np.ndarray, "curve x"] | None:
    """Expected score at every record: log y is a line in log-probability at the low end, as y = p**K has it.

    Binomial likelihood over the records whose isotonic fit is at most a half. They are picked by the companion and not by the
    score: dropping the zeros from the fit would bias it upwards.
    """
    seen = np.isfinite(y) & np.isfinite(z)
    if not (y[seen] > 0).any() or np.ptp(z[seen]) == 0:
        return None
    up = bool(np.corrcoef(z[seen], y[seen])[0, 1] >= 0)
    link = fitted_at(z, *isotonic(z[seen], y[seen], increasing=up))
    low = seen & (link <= 0.5)
    hits = np.round(np.clip(y[low], 0, 1) * items)
    if (hits > 0).sum() < 3 or np.ptp(z[low]) == 0:
        return None
    centre, scale = float(z[low].mean()), float(np.ptp(z[low]))
    u = (z[low] - centre) / scale

    def loss(line: Float[np.ndarray, "2"]) -> float:
        logs = np.minimum(line[0] + line[1] * u, -1e-9)
        return -float(np.sum(hits * logs + (items - hits) * np.log(-np.expm1(logs))))

    start = np.array([np.log(max(float(y[low].mean()), 1e-9)), 5.0 if up else -5.0])
    best = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-4})
    line = np.exp(np.minimum(best.x[0] + best.x[1] * (z - centre) / scale, 0.0))
    return np.where(low, line, link)


# ------------------------------------------------------------------------------------------- 3 smoothness


@dataclass(frozen=True)
class SmoothnessTest:
    """Does a break describe the curve better than a smooth law does?

    Attributes:
        verdict: "break", "smooth", or "unresolved" where the records are too far apart to tell.
        delta_bic: BIC of the best smooth law minus BIC of the best break, mean over curves; positive favours the break.
        per_curve: the same for each curve.
        p: parametric bootstrap from the smooth law with its own noise; NaN where the break does not even fit better.
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
    """Smooth laws (power law on log x, logistic at least ``sharp`` decades wide) against breaks (a narrower logistic or a step)."""
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
        copies = int(np.clip(1000 // len(delta), 39, min(draws, 199)))
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
    """At most about a hundred records, evenly spread over log x; records that share a bin are averaged."""
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
    floor = 1e-18 * np.maximum(np.nanmax(np.abs(v), axis=1), 1e-300) ** 2

    def bic(fit: Float[np.ndarray, "n x"], parameters: int) -> Float[np.ndarray, "n"]:
        rss = np.where(seen, (f - fit) ** 2, 0.0).sum(axis=1)
        rss = np.where(np.isfinite(rss), rss, np.inf)
        return count * np.log(np.maximum(rss / count, floor)) + parameters * np.log(count)

    of_line, of_wide, of_narrow = bic(line, 2), bic(wide, 4), bic(narrow, 4)
    better = (of_wide < of_line)[:, None]
    smooth = np.where(better & np.isfinite(wide), wide, line)
    rss = np.where(seen, (f - smooth) ** 2, 0.0).sum(axis=1)
    sigma = np.sqrt(rss / np.maximum(count - np.where(better[:, 0], 4, 2), 1))
    delta = np.minimum(of_line, of_wide) - of_narrow
    return np.where(np.isfinite(delta), delta, 0.0), smooth, sigma


def _curve(fit: object, x: Float[np.ndarray, "x"]) -> Float[np.ndarray, "n x"]:
    low, high, centre, width = (getattr(fit, name)[:, None] for name in ("low", "high", "centre", "width"))
    curve = low + (high - low) * special.expit(np.clip((log_axis(x)[None] - centre) / width, -60, 60))
    return np.where(np.isfinite(curve), curve, np.inf)


# ------------------------------------------------------------------------------------------ 4 metric sweep


def emergence_score(y: Float[np.ndarray, "*n x"]) -> Float[np.ndarray, "*n"]:
    """E of P7: sign(argmax - argmin) (max - min) / sqrt(median squared step). NaN where the median step is 0 (E would be infinite).

    A description, not a test: noise alone gives 3 and a steep smooth curve 15. Never read it without its null.
    """
    v = np.asarray(y, dtype=float)
    sign = np.sign(v.argmax(axis=-1) - v.argmin(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        e = sign * (v.max(axis=-1) - v.min(axis=-1)) / np.sqrt(np.median(np.diff(v, axis=-1) ** 2, axis=-1))
    return np.where(np.isfinite(e), e, np.nan)


def family(p: Float[np.ndarray, "curve x"], length: float) -> dict[str, Float[np.ndarray, "curve x"]]:
    """Scores that one and the same per-token probability gives under other metrics (tokens taken as independent)."""
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
    """Width and emergence score of every metric, with the score's null: the best smooth law plus the noise of the items."""
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
            null = float(np.nanquantile(emergence_score(draw), 0.95)) if np.isfinite(draw).all() else float("nan")
        width = float(np.nanmedian(fit.decades)) if np.isfinite(fit.decades).any() else float("nan")
        rows.append({"metric": name, "W_decades": width, "E": e, "E_null_95": null})
    return pd.DataFrame(rows)
