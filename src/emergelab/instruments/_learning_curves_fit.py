"""Fits of many curves at once: starts are screened, the best are refined by Levenberg-Marquardt with Huber's loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import qmc

from emergelab.instruments._learning_curves_laws import Axis, Kind, Law

__all__ = ["Fit", "fit", "huber_width", "refit"]

_STARTS = 64  # shapes screened; on the log scale each with eight asymptotes
_KEPT = 4  # starts that are refined
_CUT = 1.345  # Huber's constant: 95% efficiency where the noise is Gaussian
_LEAST_SQUARES = 1e9  # a width of Huber's loss that no residual reaches
_LEVELS = np.array([-14.0, -4.0, -2.5, -1.5, -0.7, 0.0, 1.0, 2.5])  # log asymptote over log amplitude, screened


@dataclass(frozen=True)
class Fit:
    """One law fitted to several curves.

    Attributes:
        law: the law.
        theta: parameters on the inner scale, one row a curve; NaN where a curve has too few records.
        width: residual at which Huber's loss turns linear, per curve.
        rss: weighted sum of squared residuals, weights scaled to a mean of one over the records.
    """

    law: Law
    theta: Float[np.ndarray, "curve p"]
    width: Float[np.ndarray, "curve"]
    rss: Float[np.ndarray, "curve"]

    def at(self, axis: Axis, kind: Kind) -> Float[np.ndarray, "curve x"]:
        """The law at other places, on the inner scale."""
        good = np.isfinite(self.theta).all(axis=1)
        out = np.full((len(self.theta), len(axis.x)), np.nan)
        if good.any():
            out[good] = self.law(self.theta[good], axis, kind)
        return out


def fit(
    law: Law,
    response: Float[np.ndarray, "curve x"],
    weight: Float[np.ndarray, "curve x"],
    axis: Axis,
    kind: Kind,
    *,
    huber: bool = True,
    rounds: int = 25,
) -> Fit:
    """Fit from many starts; weight 0 marks a missing record. A curve with no more records than parameters gets NaN."""
    n, p = len(response), law.size(kind)
    theta = np.full((n, p), np.nan)
    width, rss = np.full(n, np.nan), np.full(n, np.nan)
    rows = np.flatnonzero((weight > 0).sum(axis=1) > p)
    if not len(rows):
        return Fit(law, theta, width, rss)
    y, w = np.where(weight > 0, response, 0.0)[rows], weight[rows]
    start = _screen(law, y, w, axis, kind)
    k = start.shape[1]
    flat, many_y, many_w = start.reshape(-1, p), np.repeat(y, k, axis=0), np.repeat(w, k, axis=0)
    flat, loss = _refine(law, flat, many_y, many_w, axis, kind, np.full(len(flat), _LEAST_SQUARES), rounds)
    best = loss.reshape(-1, k).argmin(axis=1)
    one = flat.reshape(-1, k, p)[np.arange(len(rows)), best]
    width[rows] = huber_width(y - law(one, axis, kind), w, p) if huber else _LEAST_SQUARES
    one, _ = _refine(law, one, y, w, axis, kind, width[rows], rounds)
    theta[rows] = one
    rss[rows] = (w * (y - law(one, axis, kind)) ** 2).sum(axis=1)
    return Fit(law, theta, width, rss)


def refit(
    old: Fit,
    response: Float[np.ndarray, "curve x"],
    weight: Float[np.ndarray, "curve x"],
    axis: Axis,
    kind: Kind,
    *,
    rounds: int = 10,
    frozen: Bool[np.ndarray, "curve p"] | None = None,
    theta: Float[np.ndarray, "curve p"] | None = None,
) -> Fit:
    """Fit curves that resemble one already fitted (row 0 of ``old``), from there, with its width of Huber's loss."""
    n, p = len(response), old.theta.shape[1]
    start = np.repeat(old.theta[:1], n, axis=0) if theta is None else theta
    if not np.isfinite(start).all():
        return Fit(old.law, np.full((n, p), np.nan), np.full(n, np.nan), np.full(n, np.nan))
    y = np.where(weight > 0, response, 0.0)
    width = np.full(n, old.width[0])
    out = []
    step = max(1, 2_000_000 // (max(1, y.shape[1]) * (p + 1)))  # slices that stay within the cache
    for at in range(0, n, step):
        part = slice(at, at + step)
        some = None if frozen is None else frozen[part]
        out.append(_refine(old.law, start[part], y[part], weight[part], axis, kind, width[part], rounds, some)[0])
    found = np.concatenate(out)
    return Fit(old.law, found, width, (weight * (y - old.law(found, axis, kind)) ** 2).sum(axis=1))


def huber_width(
    residual: Float[np.ndarray, "n x"], weight: Float[np.ndarray, "n x"], parameters: int
) -> Float[np.ndarray, "n"]:
    """Residual beyond which a record pulls no harder: 1.345 robust standard deviations, freed of the parameters."""
    size = np.where(weight > 0, np.abs(residual), np.nan)
    count = (weight > 0).sum(axis=1)
    freed = np.sqrt(count / np.maximum(count - parameters, 1.0))
    return np.maximum(_CUT * 1.4826 * np.nanmedian(size, axis=1) * freed, 1e-9)


def _screen(
    law: Law, y: Float[np.ndarray, "n x"], w: Float[np.ndarray, "n x"], axis: Axis, kind: Kind
) -> Float[np.ndarray, "n k p"]:
    """The best starts of each curve; amplitude (and on the linear scale the asymptote) are in closed form there."""
    low, high = law.bounds(kind, axis.span)
    fixed = 2 if (law.offset or (law.straight and kind == "linear")) else 1
    shapes = _box(low[fixed:], high[fixed:], _STARTS * (2 if law.broken else 1))
    total = w.sum(axis=1)[:, None]
    if kind == "linear":
        unit = np.column_stack([np.ones(len(shapes)), np.zeros(len(shapes)), shapes][: 2 + (fixed < len(low))])
        phi = law(unit[:, : len(low)], axis, kind)
        mean_phi, mean_y = w @ phi.T / total, (w * y).sum(axis=1)[:, None] / total
        cross = (w * y) @ phi.T / total - mean_phi * mean_y
        spread = np.maximum(w @ (phi**2).T / total - mean_phi**2, 1e-12)
        a = np.clip(cross / spread, low[0], high[0])
        c = np.clip(mean_y - a * mean_phi, low[1], high[1])
        loss = (w * y**2).sum(axis=1)[:, None] / total - mean_y**2 - 2 * a * cross + a**2 * spread
        starts = np.concatenate([a[..., None], c[..., None], np.broadcast_to(shapes, (len(y), *shapes.shape))], axis=2)
    else:
        if law.offset:
            level = np.tile(_LEVELS, len(shapes))
            shapes = np.repeat(shapes, len(_LEVELS), axis=0)
            unit = np.column_stack([np.zeros(len(shapes)), level, shapes])
        else:
            unit = np.column_stack([np.zeros(len(shapes)), shapes])
        log_phi = law(unit, axis, kind)
        mean_phi, mean_y = w @ log_phi.T / total, (w * y).sum(axis=1)[:, None] / total
        alpha = mean_y - mean_phi
        cross = (w * y) @ log_phi.T / total - mean_phi * mean_y
        spread = w @ (log_phi**2).T / total - mean_phi**2
        loss = (w * y**2).sum(axis=1)[:, None] / total - mean_y**2 - 2 * cross + spread
        starts = np.broadcast_to(unit, (len(y), *unit.shape)).copy()
        starts[:, :, 0] = alpha
        if law.offset:
            starts[:, :, 1] += alpha
    starts = np.clip(starts, low, high)
    # the best of each of four interleaved groups: four good starts that are not neighbours
    groups = min(_KEPT, loss.shape[1])
    pick = np.stack([g + groups * loss[:, g::groups].argmin(axis=1) for g in range(groups)], axis=1)
    return np.take_along_axis(starts, pick[..., None], axis=1)


def _box(low: Float[np.ndarray, "q"], high: Float[np.ndarray, "q"], count: int) -> Float[np.ndarray, "count q"]:
    """Starts that fill the box of the shape parameters evenly (Halton), away from its faces."""
    if not len(low):
        return np.empty((1, 0))
    key = (tuple(low), tuple(high), count)
    if key not in _boxes:
        points = qmc.Halton(len(low), scramble=False).random(count + 1)[1:]
        if len(_boxes) > 256:
            _boxes.clear()
        _boxes[key] = low + (0.02 + 0.96 * points) * (high - low)
    return _boxes[key]


_boxes: dict[tuple[tuple[float, ...], tuple[float, ...], int], np.ndarray] = {}


def _loss(
    residual: Float[np.ndarray, "n x"], w: Float[np.ndarray, "n x"], width: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "n"]:
    size = np.abs(residual)
    cut = np.minimum(size, width[:, None])
    return (w * cut * (2 * size - cut)).sum(axis=1)


def _refine(
    law: Law,
    theta: Float[np.ndarray, "n p"],
    y: Float[np.ndarray, "n x"],
    w: Float[np.ndarray, "n x"],
    axis: Axis,
    kind: Kind,
    width: Float[np.ndarray, "n"],
    rounds: int,
    frozen: Bool[np.ndarray, "n p"] | None = None,
) -> tuple[Float[np.ndarray, "n p"], Float[np.ndarray, "n"]]:
    """Levenberg-Marquardt on all curves together; parameters at a bound that pulls them outwards are held.

    A curve whose loss no longer falls by a millionth of itself leaves the iteration.
    """
    low, high = law.bounds(kind, axis.span)
    n, p = theta.shape
    final = np.clip(theta, low, high)
    final_loss = np.empty(n)
    rows = np.arange(n)
    theta, damping = final.copy(), np.full(n, 1e-2)
    value = law(theta, axis, kind)
    loss = _loss(y - value, w, width)
    for _ in range(rounds):
        residual = y - value
        weight = w * width[:, None] / np.maximum(np.abs(residual), width[:, None])
        slope = np.empty((len(rows), p, y.shape[1]))
        for j in range(p):
            h = 1e-6 * (1 + np.abs(theta[:, j]))
            moved = theta.copy()
            moved[:, j] += h
            slope[:, j] = (law(moved, axis, kind) - value) / h[:, None]
        weighted = slope * weight[:, None]
        gradient = (weighted @ residual[..., None])[..., 0]
        held = ((theta <= low) & (gradient < 0)) | ((theta >= high) & (gradient > 0))
        if frozen is not None:
            held |= frozen
        step = _step(weighted @ slope.transpose(0, 2, 1), gradient, held, damping)
        tried = np.clip(theta + step, low, high)
        new_value = law(tried, axis, kind)
        new_loss = _loss(y - new_value, w, width)
        better = new_loss < loss
        settled = np.where(better, loss - new_loss <= 1e-6 * loss, damping > 1e3) | (loss <= 1e-20 * w.sum(axis=1))
        theta = np.where(better[:, None], tried, theta)
        value = np.where(better[:, None], new_value, value)
        loss = np.where(better, new_loss, loss)
        damping = np.clip(np.where(better, damping / 4, damping * 8), 1e-12, 1e12)
        if settled.any():
            final[rows[settled]], final_loss[rows[settled]] = theta[settled], loss[settled]
            left = ~settled
            if not left.any():
                return final, final_loss
            rows, theta, damping, value, loss = rows[left], theta[left], damping[left], value[left], loss[left]
            y, w, width = y[left], w[left], width[left]
            frozen = None if frozen is None else frozen[left]
    final[rows], final_loss[rows] = theta, loss
    return final, final_loss


def _step(
    normal: Float[np.ndarray, "n p p"],
    gradient: Float[np.ndarray, "n p"],
    held: Bool[np.ndarray, "n p"],
    damping: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n p"]:
    """Damped step of each curve; held parameters stay."""
    diagonal = np.arange(gradient.shape[1])
    normal = np.where(held[:, :, None] | held[:, None, :], 0.0, normal)
    size = normal[:, diagonal, diagonal]
    ridge = 1e-10 * size.max(axis=1)[:, None] + 1e-30
    normal[:, diagonal, diagonal] = np.where(held, 1.0, size * (1 + damping[:, None]) + ridge)
    return np.nan_to_num(np.linalg.solve(normal, np.where(held, 0.0, gradient)[..., None])[..., 0])
