"""Is the score one function of the companion, and what does it hide at zero? Tests 1 and 2 of `mirage`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import optimize, stats

__all__ = ["LinkTest", "ResolutionTest", "fit_length", "isotonic", "link_test", "resolution_test"]


@dataclass(frozen=True)
class LinkTest:
    """Is the score one monotone function of the companion?

    Attributes:
        verdict: "explained" or "not explained".
        r2: share of the score's variance that the isotonic link accounts for.
        rmse: held-out root mean square error over all curves.
        rmse_curve: the same for each curve left out.
        noise: root mean square binomial noise of the score; 0 where neither items nor stderr were given.
        allowed: held-out error up to which the score counts as explained: what noise alone makes, plus the
            margin.
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
        """Whether a residual that depends on x remains: significant, and larger than the noise it was
        given."""
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
    # a drift over x is only told from noise where there are several curves; its size decides whether it
    # matters
    good = rmse <= allowed and not (p <= 0.05 and drift > 2 * noise + margin)
    largest = float(np.abs(inside).max()) if inside.size else float("nan")
    verdict = "explained" if good else "not explained"
    return LinkTest(verdict, r2, rmse, by_curve, noise, allowed, largest, p, drift, predicted, scheme)


def fitted_at(
    z: Float[np.ndarray, "*shape"], knots: Float[np.ndarray, "k"], fitted: Float[np.ndarray, "k"]
) -> Float[np.ndarray, "*shape"]:
    """The link at every z, straight between its knots and constant beyond them."""
    return np.interp(z, knots, fitted)


def _held_out(
    y: Float[np.ndarray, "curve x"],
    z: Float[np.ndarray, "curve x"],
    seen: Bool[np.ndarray, "curve x"],
    up: bool,
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
        if not rest.any():
            break  # a single record: there is nothing that it could be predicted from
        link = isotonic(z[rest], y[rest], increasing=up)
        for at in held:
            predicted[at] = np.interp(z[at], *link)
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
    """Held-out error that noise alone makes, 95% quantile: a link learnt from noisy scores is itself
    uncertain."""
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

    Five curves or more: signs of whole curves are flipped, the statistic is the largest |mean over curves| at
    one x. Fewer: residuals are shuffled over x, the statistic is the largest |mean over three neighbouring
    x|.
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
    """Target length K of y = p**K by weighted least squares, and the RMSE of that fit; NaN if p never leaves
    0 or 1."""
    use = np.isfinite(y) & np.isfinite(p) & (p > 0) & (p < 1)
    if use.sum() < 3 or np.ptp(y[use]) == 0:
        return float("nan"), float("nan")
    logs, seen = np.log(p[use]), y[use]
    weight = 1.0 / np.maximum(error[use], max(1e-3, float(np.median(error[use])))) ** 2

    low, high = np.log(0.05), np.log(500.0)
    for _ in range(4):  # a grid refined around its best point: no derivative, no starting value
        grid = np.linspace(low, high, 25)
        loss = (weight * (seen - np.exp(np.exp(grid)[:, None] * logs)) ** 2).sum(axis=1)
        best, step = float(grid[loss.argmin()]), float(grid[1] - grid[0])
        low, high = best - step, best + step
    k = float(np.exp(best))
    return k, float(np.sqrt(np.mean((seen - np.exp(k * logs)) ** 2)))


@dataclass(frozen=True)
class ResolutionTest:
    """Where the score is zero: does the companion still change, and is zero what it predicts at this
    resolution?

    Attributes:
        verdict: "floor", "no floor" or "no zeros".
        zeros: number of records at which the score is zero (or not above chance).
        p_trend: p of "the companion does not change along x at those records".
        p_zero: probability of as many zeros, if the link is continued downwards and only the items are
            random.
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
    """Test the records at which the score is zero. ``good`` is +1 if a larger companion is better, else
    -1."""
    nan = float("nan")
    at = zero & np.isfinite(z)
    count = int(at.sum())
    if count < 4:
        return ResolutionTest("no zeros", count, nan, nan, "the score is zero at fewer than four records")
    pairs = [(good * row[flag]) for row, flag in zip(z, at, strict=True) if flag.sum() >= 3]
    observed, null = 0.0, np.zeros(draws)
    for row in pairs:  # rank correlation with the order of x, summed over curves
        ranks = stats.rankdata(row)
        place = np.arange(len(row)) - (len(row) - 1) / 2
        observed += float(ranks @ place)
        null += rng.permuted(np.tile(ranks, (draws, 1)), axis=1) @ place
    p_trend = (1 + int((null >= observed - 1e-9).sum())) / (draws + 1) if pairs else nan
    if items is None:
        return ResolutionTest(
            "no floor", count, p_trend, nan, "the number of items is not given, so no resolution is known"
        )
    if np.isfinite(length) and p_token is not None:
        expected = np.clip(p_token, 0.0, 1.0) ** length
    else:
        continued = _continued(y, z, items)
        if continued is None:
            return ResolutionTest(
                "no floor", count, p_trend, nan, "too few records above zero to continue the link downwards"
            )
        expected = continued
    # the zeros were picked by looking at the score, so their number among all records is judged, not each of
    # them
    seen = np.isfinite(y) & np.isfinite(expected)
    share = np.exp(items * np.log1p(-np.clip(expected[seen], 0.0, 1 - 1e-12)))
    zeros = (rng.random((draws, share.size)) < share).sum(axis=1)
    p_zero = (1 + int((zeros >= count).sum())) / (draws + 1)
    if np.isnan(p_trend):
        return ResolutionTest("no floor", count, p_trend, p_zero, "no curve has three zeros, so no trend can be seen")
    if p_trend > 0.05:
        return ResolutionTest(
            "no floor", count, p_trend, p_zero, "the companion does not change where the score is zero"
        )
    if p_zero < 0.05:
        why = f"more records are at zero of {items} items than the companion predicts"
        return ResolutionTest("no floor", count, p_trend, p_zero, why)
    why = f"the companion improves while the score stays at zero, and zero of {items} items is what it predicts there"
    return ResolutionTest("floor", count, p_trend, p_zero, why)


def _continued(
    y: Float[np.ndarray, "curve x"], z: Float[np.ndarray, "curve x"], items: int
) -> Float[np.ndarray, "curve x"] | None:
    """Expected score at every record: log y is a line in log-probability at the low end, as y = p**K has it.

    Binomial likelihood over the records whose isotonic fit is at most a half. They are picked by the
    companion and not by the
    score: dropping the zeros from the fit would bias it upwards.
    """
    seen = np.isfinite(y) & np.isfinite(z)
    if not (y[seen] > 0).any() or np.ptp(z[seen]) == 0:
        return None
    up = bool(float((z[seen] - z[seen].mean()) @ y[seen]) >= 0)
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
