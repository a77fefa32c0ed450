"""Fits in the plane of ln N and F = ln(-ln PU): line, parabola, sum of steps, mixture of circuits, and item by item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import optimize, special, stats

__all__ = ["Curvature", "Fitted", "Plane", "by_items", "curvature", "fit_models", "plane"]

_PARAMETERS = {"linear": 2, "quadratic": 3, "steps": 4, "mixture": 5}
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(9)


@dataclass(frozen=True)
class Plane:
    """Points of one condition in the plane of ln N and F; only sizes with 0 < PU < 1.

    Attributes:
        u: ln N.
        f: ln(-ln PU).
        weight: inverse variance of F over repeated tries.
        cover: covariance of F over seeds, over items, or over tries alone where there are few items.
        df: degrees of freedom of that covariance; infinite but for seeds.
    """

    u: Float[np.ndarray, "k"]
    f: Float[np.ndarray, "k"]
    weight: Float[np.ndarray, "k"]
    cover: Float[np.ndarray, "k k"]
    df: float = float("inf")

    def quantile(self, level: float) -> float:
        """Half-width of an interval in standard errors."""
        return float(stats.t.ppf(0.5 + level / 2, self.df))


def plane(
    u: Float[np.ndarray, "x"],
    pu: Float[np.ndarray, "x"],
    tries_variance: Float[np.ndarray, "x"],
    items_cover: Float[np.ndarray, "x x"] | None,
    df: float = float("inf"),
) -> Plane:
    """Points with their delta-method errors; items vary together over sizes, so their covariance is kept."""
    keep = np.isfinite(pu) & (pu > 0) & (pu < 1) & np.isfinite(tries_variance)
    p = pu[keep]
    slope = 1 / (p * np.log(p))
    f = np.log(-np.log(p))
    variance = np.maximum(tries_variance[keep] * slope**2, 1e-12)
    cover = np.diag(variance)
    if items_cover is not None:
        cover = items_cover[np.ix_(keep, keep)] * np.outer(slope, slope)
        cover = cover + np.diag(1e-9 * np.diag(cover) + 1e-15)
    return Plane(u[keep], f, 1 / variance, cover, df)


@dataclass(frozen=True)
class Curvature:
    """Bend of F: how much its slope changes from the smallest to the largest size.

    Attributes:
        bend: slope at the largest minus slope at the smallest size; negative is concave (ever steeper fall).
        low, high: its interval.
        p: two-sided p of no bend.
        slope: slope of the line (minus alpha).
        slope_low, slope_high: its interval.
    """

    bend: float
    low: float
    high: float
    p: float
    slope: float
    slope_low: float
    slope_high: float


def curvature(points: Plane, level: float) -> Curvature:
    """Wald test of the quadratic term; its error is taken from the covariance over items."""
    nan = float("nan")
    z = points.quantile(level)
    slope = slope_low = slope_high = nan
    if len(points.u) >= 2:
        beta, error = _wls(points, 1)
        slope = float(beta[1])
        slope_low, slope_high = slope - z * error[1], slope + z * error[1]
    if len(points.u) < 4:
        return Curvature(nan, nan, nan, nan, slope, slope_low, slope_high)
    beta, error = _wls(points, 2)
    reach = 2 * float(points.u.max() - points.u.min())
    bend, sd = float(beta[2]) * reach, float(error[2]) * reach
    p = float(2 * stats.t.sf(abs(bend) / sd, points.df)) if sd > 0 else nan
    return Curvature(bend, bend - z * sd, bend + z * sd, p, slope, slope_low, slope_high)


def _wls(points: Plane, degree: int) -> tuple[Float[np.ndarray, "d"], Float[np.ndarray, "d"]]:
    design = _design(points.u - points.u.mean(), degree)
    beta, spread = _solve(design, points)
    return beta, np.sqrt(np.maximum(np.diag(spread), 0.0))


def _design(u: Float[np.ndarray, "k"], degree: int) -> Float[np.ndarray, "k d"]:
    return np.column_stack([u**d for d in range(degree + 1)])


def _solve(design: Float[np.ndarray, "k d"], points: Plane) -> tuple[Float[np.ndarray, "d"], Float[np.ndarray, "d d"]]:
    """Weighted least squares with the sandwich covariance of its coefficients."""
    hat = _hat(design, points)
    return hat @ points.f, hat @ points.cover @ hat.T


@dataclass(frozen=True)
class Fitted:
    """One model: its fit to all points, and its forecast of the largest size from the others.

    Attributes:
        name: linear, quadratic, steps, mixture or items.
        parameters: how many.
        chi2: weighted squared residuals of all points.
        bic: chi2 + parameters ln points.
        grid: F on the axis asked for.
        held_out: PU forecast at the largest size, from the smaller ones.
        held_low, held_high: interval for what is measured there.
        ahead, ahead_low, ahead_high: PU at the size asked for.
    """

    name: str
    parameters: int
    chi2: float
    bic: float
    grid: Float[np.ndarray, "g"]
    held_out: float
    held_low: float
    held_high: float
    ahead: float
    ahead_low: float
    ahead_high: float


def fit_models(points: Plane, grid: Float[np.ndarray, "g"], ahead: float | None, level: float) -> list[Fitted]:
    """Line and parabola in closed form; sum of steps and mixture of two circuits where the points allow it."""
    out = []
    nan = float("nan")
    for name, parameters in _PARAMETERS.items():
        if len(points.u) < parameters + (1 if parameters <= 3 else 2):
            continue
        at = grid if ahead is None else np.r_[grid, np.log(ahead)]
        one = _model(name, points, at)
        chi2 = float(points.weight @ (points.f - one.own) ** 2)
        held = (nan, nan, nan)
        if len(points.u) > parameters + 1:
            rest = Plane(points.u[:-1], points.f[:-1], points.weight[:-1], points.cover[:-1, :-1], points.df)
            last = _model(name, rest, points.u[-1:])
            # the last point is measured on the same items, so its error and that of the forecast hang together
            contrast = np.r_[last.hat[0], -1.0]
            held = _ends(last.there[0], contrast @ points.cover @ contrast, points.quantile(level))
        front = (nan, nan, nan)
        if ahead is not None:
            front = _ends(one.there[-1], one.hat[-1] @ points.cover @ one.hat[-1], points.quantile(level))
        bic = chi2 + parameters * float(np.log(len(points.u)))
        out.append(Fitted(name, parameters, chi2, bic, one.there[: len(grid)], *held, *front))
    return out


@dataclass(frozen=True)
class _Curve:
    """A fitted curve at its own points and elsewhere, and how its values elsewhere hang on the points."""

    own: Float[np.ndarray, "k"]
    there: Float[np.ndarray, "g"]
    hat: Float[np.ndarray, "g k"]


def _ends(f: float, variance: float, errors: float) -> tuple[float, float, float]:
    """Rate and its interval from F, the variance of F and the half-width in standard errors."""
    half = errors * float(np.sqrt(max(variance, 0.0)))
    rate, low, high = (float(v) for v in _rate(f + half * np.array([0.0, 1.0, -1.0])))
    return rate, low, high


def _rate(f: Float[np.ndarray, "*s"]) -> Float[np.ndarray, "*s"]:
    return np.exp(-np.exp(np.clip(f, -700.0, 50.0)))


def _model(name: str, points: Plane, at: Float[np.ndarray, "g"]) -> _Curve:
    """Least squares; for the curved models from several starts around the line.

    steps: -ln PU = c1 N^-a1 + c2 N^-a2 (a product of steps). mixture: PU = w exp(-c1 N^-a1) + (1 - w) exp(-c2 N^-a2).
    """
    centre = points.u.mean()
    if name in ("linear", "quadratic"):
        degree = _PARAMETERS[name] - 1
        here, there = _design(points.u - centre, degree), _design(at - centre, degree)
        beta, _ = _solve(here, points)
        return _Curve(here @ beta, there @ beta, there @ _hat(here, points))
    line, _ = _solve(_design(points.u - centre, 1), points)
    root = np.sqrt(points.weight)

    def model(t: Float[np.ndarray, "d"], u: Float[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
        one = t[0] - np.exp(np.clip(t[1], -20.0, 5.0)) * (u - centre)
        two = t[2] - np.exp(np.clip(t[3], -20.0, 5.0)) * (u - centre)
        if name == "steps":
            return np.logaddexp(one, two)
        w = special.expit(t[4])
        rate = w * _rate(one) + (1 - w) * _rate(two)
        return np.log(np.maximum(-np.log(np.clip(rate, 1e-300, 1.0)), 1e-300))

    steep = float(np.log(max(-line[1], 0.05)))
    starts = [
        np.array([line[0] + shift, steep + less, line[0] + other, steep + more, weight])[: _PARAMETERS[name]]
        for shift, less, other, more, weight in (
            (-0.7, 0.0, -0.7, 0.0, 0.0), (-0.3, -1.0, -1.5, 1.0, 1.0), (0.0, 0.0, 0.5, 1.2, -1.0),
        )
    ]  # fmt: skip
    best = min(
        (optimize.least_squares(lambda t: root * (model(t, points.u) - points.f), s, max_nfev=30) for s in starts),
        key=lambda found: float(found.cost),
    ).x
    own, there = model(best, points.u), model(best, at)
    moved = [np.where(np.arange(len(best)) == j, best + 1e-5, best) for j in range(len(best))]
    here = np.column_stack([(model(t, points.u) - own) / 1e-5 for t in moved])
    far = np.column_stack([(model(t, at) - there) / 1e-5 for t in moved])
    return _Curve(own, there, far @ _hat(here, points))


def _hat(design: Float[np.ndarray, "k d"], points: Plane) -> Float[np.ndarray, "d k"]:
    """Coefficients of weighted least squares as a linear function of the points."""
    weighted = design * points.weight[:, None]
    return np.linalg.pinv(weighted.T @ design, rcond=1e-10, hermitian=True) @ weighted.T


# -------------------------------------------------------------------------------------------------- item by item


def by_items(
    tries: Float[np.ndarray, "item x"],
    passes: Float[np.ndarray, "item x"],
    u: Float[np.ndarray, "x"],
    at: Float[np.ndarray, "g"],
) -> tuple[Float[np.ndarray, "g"], Float[np.ndarray, "item 2"]]:
    """Mean over items of exp(-c_s N^-a_s), each item fitted by itself but drawn towards its fellows.

    The likelihood of a record is p^k (1 - p)^(K - k) whether sampling stopped at a pass or at the cap. Items that never
    or always pass have no finite fit of their own, so ln c and a have a normal distribution over items whose mean and
    covariance are estimated too (Laplace approximation).
    """
    seen = np.isfinite(tries) & np.isfinite(passes)
    n, k = np.where(seen, tries, 0.0), np.where(seen, passes, 0.0)
    centre = float(u.mean())
    design = np.column_stack([np.ones(len(u)), -(u - centre)])
    share = np.clip((k.sum(axis=0) + 0.5) / (n.sum(axis=0) + 1.0), 1e-9, 1 - 1e-9)
    f = np.log(-np.log(share))
    mean = np.linalg.lstsq(design, f, rcond=None)[0]
    spread = np.diag([1.0, 0.25])
    theta = np.repeat(mean[None], len(n), axis=0)
    inverse = np.broadcast_to(spread, (len(n), 2, 2))
    outer = (design[:, :, None] * design[:, None, :]).reshape(len(u), 4)
    for _ in range(8):
        precision = np.linalg.inv(spread)
        for _ in range(4):  # Fisher scoring goes on from where the last round ended
            eta = np.clip(theta @ design.T, -30.0, 5.0)
            hazard = np.exp(eta)  # -ln p
            rate = np.exp(-hazard)
            rest = np.maximum(-np.expm1(-hazard), 1e-300)
            # derivative of k ln p + (n - k) ln(1 - p) in eta, and its expected curvature
            score = hazard * (-k + (n - k) * rate / rest)
            weight = n * hazard**2 * rate / rest + 1e-12
            info = (weight @ outer).reshape(-1, 2, 2) + precision
            inverse = np.linalg.inv(info)
            step = score @ design - (theta - mean) @ precision
            theta = theta + np.clip((inverse @ step[:, :, None])[:, :, 0], -1.5, 1.5)
        mean = theta.mean(axis=0)
        gap = theta - mean
        spread = (gap.T @ gap) / len(n) + inverse.mean(axis=0) + 1e-4 * np.eye(2)
    rows = np.column_stack([np.ones(len(at)), -(at - centre)])
    eta = theta @ rows.T
    sd = np.sqrt(np.maximum(np.einsum("ga,iab,gb->ig", rows, inverse, rows), 0.0))
    rate = np.zeros(eta.shape)
    for node, weight_ in zip(_NODES, _NODE_WEIGHTS / _NODE_WEIGHTS.sum(), strict=True):
        rate += weight_ * _rate(eta + node * sd)
    return rate.mean(axis=0), theta
