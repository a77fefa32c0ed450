"""The surface E + A / N^alpha + B / D^beta as a function to be fitted: loss, gradient, many starts, resamples."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float
from scipy import optimize, stats

__all__ = ["Surface", "edge", "fit_surface", "interval", "parameters", "predict"]

_STARTS = 6
_LOW = np.array([-14.0, -14.0, -14.0, 0.01, 0.01])  # ln E, ln A and ln B at the centre of the points, alpha, beta
_HIGH = np.array([2.0, 6.0, 6.0, 4.0, 4.0])
_NEAR = np.array([5.0, 5.0, 5.0, 1e-3, 1e-3])  # a term of less than exp(-9) of the loss has no weight


@dataclass
class Surface:
    """The surface in centred variables n = ln N - middle and d = ln D - middle, which hardly trade off.

    Attributes:
        n, d: centred places of the points.
        shift: median log loss, taken off before the fit.
        delta: of Huber's loss.
        theta: ln E, ln A and ln B at the centre (all less ``shift``), alpha, beta.
    """

    n: Float[np.ndarray, "p"]
    d: Float[np.ndarray, "p"]
    shift: float
    delta: float
    theta: Float[np.ndarray, "5"] = field(default_factory=lambda: np.full(5, np.nan))

    def solve(
        self,
        y: Float[np.ndarray, "p"],
        weight: Float[np.ndarray, "p"],
        start: Float[np.ndarray, "5"],
        delta: float,
        scale: Float[np.ndarray, "5 5"] | None = None,
    ) -> tuple[Float[np.ndarray, "5"], float]:
        """L-BFGS-B from one start; with ``scale``, in coordinates in which the optimum is round."""
        axes = np.eye(5) if scale is None else scale

        def loss(z: np.ndarray) -> tuple[float, np.ndarray]:
            moved = start + axes @ z
            theta = np.clip(moved, _LOW, _HIGH)
            value, slope = predict(theta, self.n, self.d)
            r = value - y
            c = np.clip(r, -delta, delta)  # derivative of Huber's loss
            gradient = np.where(theta == moved, slope @ (weight * c), 0.0)
            return float(weight @ (c * (r - 0.5 * c))) / delta, axes.T @ gradient / delta

        bounds = list(zip(_LOW - start, _HIGH - start, strict=True)) if scale is None else None
        options = {"maxiter": 400 if scale is None else 40, "ftol": 1e-11 if scale is None else 1e-9, "gtol": 1e-8}
        found = optimize.minimize(loss, np.zeros(5), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        return np.clip(start + axes @ found.x, _LOW, _HIGH), float(found.fun)

    def whitened(self, weight: Float[np.ndarray, "p"]) -> Float[np.ndarray, "5 5"]:
        """Axes along which the least-squares surface at ``theta`` is round, in steps of a per cent."""
        slope = predict(self.theta, self.n, self.d)[1]
        hessian = (slope * weight) @ slope.T
        return 0.01 * np.linalg.inv(np.linalg.cholesky(hessian + 1e-6 * np.trace(hessian) * np.eye(5))).T


def predict(theta: np.ndarray, n: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log loss (p,) as a log-sum-exp of three terms, and its gradient (5, p): the shares of the terms.

    Shapes are not annotated here, because checking them would cost more than the sums.
    """
    terms = np.stack([np.full(len(n), theta[0]), theta[1] - theta[3] * n, theta[2] - theta[4] * d])
    top = terms.max(axis=0)
    share = np.exp(terms - top)
    total = share.sum(axis=0)
    share = share / total
    return top + np.log(total), np.stack([*share, -share[1] * n, -share[2] * d])


def fit_surface(
    n: Float[np.ndarray, "p"],
    d: Float[np.ndarray, "p"],
    y: Float[np.ndarray, "p"],
    weight: Float[np.ndarray, "p"],
    delta: float,
) -> Surface:
    """Fit log losses ``y`` at ln N and ln D: a grid of exponents at once, then L-BFGS-B from the best.

    For given exponents the surface is linear in E, A and B, so these come from least squares on relative residuals.
    """
    s = Surface(n - n.mean(), d - d.mean(), float(np.median(y)), delta)
    y = y - s.shift
    grid = np.geomspace(0.03, 2.5, 14)
    w = weight * np.exp(-2 * np.clip(y, -30, 30))
    f, g = (np.exp(np.clip(-np.outer(grid, v), -200, 200)) for v in (s.n, s.d))
    i, j = (k.ravel() for k in np.meshgrid(range(14), range(14), indexing="ij"))
    normal = np.empty((len(i), 3, 3))
    normal[:, 0, 0], normal[:, 1, 1], normal[:, 2, 2] = w.sum(), ((f**2) @ w)[i], ((g**2) @ w)[j]
    normal[:, 0, 1] = normal[:, 1, 0] = (f @ w)[i]
    normal[:, 0, 2] = normal[:, 2, 0] = (g @ w)[j]
    normal[:, 1, 2] = normal[:, 2, 1] = ((f * w) @ g.T)[i, j]
    v = w * np.exp(np.clip(y, -30, 30))
    right = np.stack([np.full(len(i), v.sum()), (f @ v)[i], (g @ v)[j]], axis=1)
    amplitude = np.log(np.maximum(np.linalg.solve(normal * (1 + 1e-9 * np.eye(3)), right[..., None])[..., 0], 1e-3))
    start = np.clip(np.column_stack([amplitude, grid[i], grid[j]]), _LOW, _HIGH)
    loss = [float(weight @ np.abs(predict(t, s.n, s.d)[0] - y)) for t in start]
    best = np.inf
    for k in np.argsort(loss, kind="stable")[:_STARTS]:
        theta = start[k]
        for step in (100.0, 10.0, 1.0):  # a wide middle first: Huber's loss with a small delta has kinks everywhere
            theta, value = s.solve(y, weight, theta, delta * step)
        if value < best:
            best, s.theta = value, theta
    return s


def parameters(theta: Float[np.ndarray, "r 5"], s: Surface, at: tuple[float, float]) -> Float[np.ndarray, "r 7"]:
    """ln E, ln A, ln B, alpha, beta, a, b in the units of the data."""
    alpha, beta = theta[:, 3], theta[:, 4]
    e, a, b = (theta[:, k] + s.shift for k in range(3))
    share = beta / (alpha + beta)
    return np.column_stack([e, a + alpha * at[0], b + beta * at[1], alpha, beta, share, 1 - share])


def edge(theta: Float[np.ndarray, "r 5"]) -> Bool[np.ndarray, "r 5"]:
    """Which parameters lie at the edge of what is tried, or belong to a term that has vanished."""
    return (theta < _LOW + _NEAR) | (theta > _HIGH - 1e-3)


def interval(
    draws: Float[np.ndarray, "r 7"], value: Float[np.ndarray, "7"], count: int, free: int, level: float
) -> Float[np.ndarray, "2 7"]:
    """Expanded percentile interval (Hesterberg 2015): as wide as Student's t would make it for so few units."""
    if len(draws) < 50:
        return np.full((2, 7), np.nan)
    reach = float(stats.norm.cdf(np.sqrt(count / (count - 1)) * stats.t.ppf(0.5 + level / 2, free)))
    low, high = np.quantile(draws, [1 - reach, reach], axis=0)
    return np.stack([np.minimum(low, value), np.maximum(high, value)])
