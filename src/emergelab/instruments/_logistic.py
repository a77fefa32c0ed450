"""Logistic rise fitted to many curves at once: lo + (hi - lo) / (1 + exp(-(u - u0) / w)), u = log time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import special

__all__ = ["LogisticFit", "fit_logistic", "log_axis"]

_FAR = -700.0  # stands for log 0: every logistic is exactly at its lower level there


@dataclass(frozen=True)
class LogisticFit:
    """One fit a curve; NaN where nothing rises or fewer than five records exist.

    Attributes:
        low: level before.
        high: level after.
        centre: u0, in natural logarithms of time.
        width: w, in natural logarithms of time.
        residual: standard deviation of the residuals.
        resolved: whether at least one record lies inside the 10-90% rise; if not, the width is only an upper
            bound.
    """

    low: Float[np.ndarray, "n"]
    high: Float[np.ndarray, "n"]
    centre: Float[np.ndarray, "n"]
    width: Float[np.ndarray, "n"]
    residual: Float[np.ndarray, "n"]
    resolved: Bool[np.ndarray, "n"]

    @property
    def midpoint(self) -> Float[np.ndarray, "n"]:
        """Time of half the rise."""
        return np.exp(self.centre)

    @property
    def onset(self) -> Float[np.ndarray, "n"]:
        """Time of a tenth of the rise: u0 - 2.2 w."""
        return np.exp(self.centre - 2.2 * self.width)

    @property
    def decades(self) -> Float[np.ndarray, "n"]:
        """W: width of the 10-90% rise in decades of time."""
        return 4.4 * self.width / np.log(10)

    @property
    def abruptness(self) -> Float[np.ndarray, "n"]:
        """A: time of the 10-90% rise over the time of the midpoint, in linear time."""
        return 2 * np.sinh(2.2 * self.width)

    @property
    def steepest(self) -> Float[np.ndarray, "n"]:
        """Largest slope per unit of time over the range of the rise."""
        return 1.0 / (4.0 * self.width * np.exp(self.centre))


def log_axis(time: Float[np.ndarray, "time"]) -> Float[np.ndarray, "time"]:
    """Natural logarithm of time counted from the first record if that is negative; time 0 is put at minus
    700."""
    t = time - min(0.0, float(time.min())) if len(time) else time
    with np.errstate(divide="ignore"):
        u = np.log(t)
    return np.where(np.isfinite(u), u, _FAR)


def fit_logistic(
    values: Float[np.ndarray, "n time"],
    time: Float[np.ndarray, "time"],
    *,
    zooms: int = 7,
    decades: tuple[float, float] | None = None,
) -> LogisticFit:
    """Fit every curve by least squares: levels in closed form, centre and width on a grid that is refined.

    A refined grid has no starting values and cannot diverge; after seven zooms the centre is known to about a
    ten-thousandth
    of the axis. Only rising fits count: turn a falling curve upside down first.
    ``decades`` bounds the width of the 10-90% rise.
    """
    y = np.asarray(values, dtype=float)
    n, u = len(y), log_axis(np.asarray(time, dtype=float))
    nan = np.full(n, np.nan)
    real = u > _FAR / 2
    if n == 0 or real.sum() < 4:
        return LogisticFit(nan, nan, nan, nan, nan, np.zeros(n, bool))
    mask = np.isfinite(y).astype(float)
    enough = mask.sum(axis=1) >= 5
    filled = np.where(mask > 0, y, 0.0)
    scale = np.abs(filled).max(axis=1)  # squares of very large or very small numbers leave the range of floats
    scale = np.where(scale > 0, scale, 1.0)
    filled = filled / scale[:, None]
    centre_y = filled.sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
    filled = (filled - centre_y[:, None]) * mask  # centring keeps the sums of squares well conditioned
    lo_u, hi_u = float(u[real].min()), float(u[real].max())
    span = hi_u - lo_u
    # narrower than a tenth of the finest gap cannot be told from a step, wider than the axis cannot be told
    # from a trend
    thinnest = max(1e-4 * span, float(np.diff(u[real]).min()) / 10)
    centres = np.linspace(lo_u, hi_u, 49)
    widest = span
    if decades is not None:
        thinnest = max(thinnest, decades[0] * np.log(10) / 4.4)
        widest = max(thinnest, min(10 * span, decades[1] * np.log(10) / 4.4))
    widths = np.geomspace(thinnest, widest, 13)
    c0, w0 = (g.ravel() for g in np.meshgrid(centres, np.log(widths), indexing="ij"))
    shape = _sigmoid(u, c0, np.exp(w0))
    loss = _loss(filled, mask, np.broadcast_to(shape, (1, *shape.shape)))
    pick = loss.argmin(axis=1)
    best_c, best_w, best_loss = c0[pick], w0[pick], loss[np.arange(n), pick]
    step_c, step_w = centres[1] - centres[0], np.log(widths[1] / widths[0]) if len(widths) > 1 else 0.0
    offsets = np.linspace(-1.0, 1.0, 5)
    dc, dw = (g.ravel() for g in np.meshgrid(offsets, offsets, indexing="ij"))
    for _ in range(zooms):
        c = np.clip(best_c[:, None] + step_c * dc, lo_u, hi_u)
        w = np.clip(best_w[:, None] + step_w * dw, np.log(thinnest), np.log(widest))
        loss = _loss(filled, mask, _sigmoid(u, c, np.exp(w)))
        pick = loss.argmin(axis=1)
        better = loss[np.arange(n), pick] < best_loss
        rows = np.flatnonzero(better)
        best_c[rows], best_w[rows] = c[rows, pick[rows]], w[rows, pick[rows]]
        best_loss[rows] = loss[rows, pick[rows]]
        step_c, step_w = step_c / 2, step_w / 2
    g = _sigmoid(u, best_c[:, None], np.exp(best_w)[:, None])[:, 0]
    low, rise, rss = _levels(filled, mask, g)
    good = enough & (rise > 0) & np.isfinite(best_loss)
    width = np.exp(best_w)
    inside = (np.abs(u[None, :] - best_c[:, None]) <= 2.2 * width[:, None]) & (mask > 0)
    degrees = np.maximum(mask.sum(axis=1) - 4, 1)

    return LogisticFit(
        low=np.where(good, scale * (low + centre_y), np.nan),
        high=np.where(good, scale * (low + rise + centre_y), np.nan),
        centre=np.where(good, best_c, np.nan),
        width=np.where(good, width, np.nan),
        residual=np.where(good, scale * np.sqrt(np.maximum(rss, 0.0) / degrees), np.nan),
        resolved=good & inside.any(axis=1),
    )


def _sigmoid(
    u: Float[np.ndarray, "time"], centre: Float[np.ndarray, "*n g"], width: Float[np.ndarray, "*n g"]
) -> Float[np.ndarray, "*n g time"]:
    x = (u - centre[..., None]) / width[..., None]
    np.clip(x, -60.0, 60.0, out=x)
    return special.expit(x, out=x)


def _loss(
    y: Float[np.ndarray, "n time"], mask: Float[np.ndarray, "n time"], g: Float[np.ndarray, "m g time"]
) -> Float[np.ndarray, "n g"]:
    """Residual sum of squares of y on (1, g) for every shape; falling or constant fits cost infinity."""
    if mask.all():  # nothing is missing: sums over g are the same for every curve, or need no mask
        sg, sgg = g.sum(axis=-1), np.einsum("mgt,mgt->mg", g, g)
        sgy = y @ g[0].T if g.shape[0] == 1 else np.matmul(g, y[:, :, None])[..., 0]
    elif g.shape[0] == 1:
        sg, sgg, sgy = mask @ g[0].T, mask @ (g[0] ** 2).T, y @ g[0].T
    else:
        sg = np.einsum("nt,ngt->ng", mask, g, optimize=True)
        sgg = np.einsum("nt,ngt,ngt->ng", mask, g, g, optimize=True)
        sgy = np.einsum("nt,ngt->ng", y, g, optimize=True)
    count = np.maximum(mask.sum(axis=1), 1.0)[:, None]
    sy, syy = y.sum(axis=1)[:, None], (y**2).sum(axis=1)[:, None]
    spread = sgg - sg**2 / count
    covariance = sgy - sg * sy / count
    usable = (spread > 1e-9 * count) & (covariance > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = syy - sy**2 / count - covariance**2 / spread
    return np.where(usable, loss, np.inf)


def _levels(
    y: Float[np.ndarray, "n time"], mask: Float[np.ndarray, "n time"], g: Float[np.ndarray, "n time"]
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    count = np.maximum(mask.sum(axis=1), 1.0)
    mg, my = (mask * g).sum(axis=1) / count, y.sum(axis=1) / count
    spread = (mask * (g - mg[:, None]) ** 2).sum(axis=1)
    rise = np.where(spread > 0, ((g - mg[:, None]) * y).sum(axis=1) / np.where(spread > 0, spread, 1.0), 0.0)
    low = my - rise * mg
    residual = mask * (y - low[:, None] - rise[:, None] * g)
    return low, rise, (residual**2).sum(axis=1)
