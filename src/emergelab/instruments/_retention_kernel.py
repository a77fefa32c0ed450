"""What overlapping exposures leave behind: the score as a sum of one decaying kernel an exposure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from emergelab.instruments._retention_curve import Drawn, Weights, interval, sums
from emergelab.instruments._retention_events import Series
from emergelab.statistics import Estimate

__all__ = ["Kernel", "KernelLaw", "decide_kernels", "fit_kernel", "fit_kernel_laws"]

_RATES = np.linspace(-0.1, 1.2, 27)
_MOST = 40  # exposures of one item; beyond this the fit is left out
_BINS_PER_DECADE = 8
_MARGIN = 4.0  # in AICc

_KERNELS: Mapping[str, tuple[str, Float[np.ndarray, "_"], Callable[[np.ndarray, float], np.ndarray]]] = {
    "logarithmic": ("1 - a log10(1 + t)", np.linspace(0.005, 1.2, 240), lambda t, a: 1 - a * np.log10(1 + t)),
    "power law": ("(1 + t)^-b", np.geomspace(0.003, 3.0, 240), lambda t, b: (1 + t) ** -b),
    "exponential": ("exp(-c t)", np.geomspace(1e-6, 3.0, 240), lambda t, c: np.exp(-c * t)),
}
"""What is left of one exposure at an age t, in units of the smallest step between records."""


@dataclass(frozen=True)
class Kernel:
    """The score less the level before as the sum of E_k (1 - a log10(1 + t / unit)) over exposures k.

    Attributes:
        rate: a, common to all exposures.
        effects: E of the first, second, ... exposure.
        r2: share of the variance of all records after the first exposure.
        unit: the smallest step between records.
    """

    rate: Estimate
    effects: list[Estimate]
    r2: float
    unit: float

    def zero(self, worth: float = 1.0) -> tuple[float, float, float]:
        """x-intercept of a single exposure with its interval: the age at which its kernel reaches zero."""
        ends = (self.rate.value, self.rate.high, self.rate.low)
        return tuple(worth * self.unit * 10 ** (1 / a) if a > 0.05 else float("nan") for a in ends)  # type: ignore[return-value]


def fit_kernel(series: Series, scale: float, d: Drawn, window: float, until: float) -> Kernel | None:
    """Fit by least squares, a on a grid and E_k exactly; None where there are too few records.

    The level before is the mean of the records up to ``window`` before the first exposure.

    Args:
        series: the probe series of a condition.
        scale: what its levels were divided by.
        d: draws of seeds and items.
        window: time before the first exposure.
        until: age after which a kernel may have reached zero and is no longer straight; later records are left out.
    """
    time, keep = series.time, series.shown.any(axis=0)
    most = max((len(t) for row in series.plan for t in row), default=0)
    if not 0 < most <= _MOST or len(time) < 4:
        return None
    unit = float(np.diff(time).min())
    seeds, items = series.shown.shape
    # sums over records of a cell, in powers of a: the design is u - a v
    uu, uv, vv = (np.zeros((seeds, items, most, most)) for _ in range(3))
    uy, vy = np.zeros((seeds, items, most)), np.zeros((seeds, items, most))
    yy, total, count = np.zeros((seeds, items, 1)), np.zeros((seeds, items, 1)), np.zeros((seeds, items, 1))
    designs: dict[bytes, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    for s in range(seeds):
        for i in range(items):
            times = series.plan[s][i]
            before = int(np.searchsorted(time, times[0], side="right")) - 1 if len(times) else -1
            if before < 0:
                continue
            name = times.tobytes()
            if name not in designs:
                age = time[:, None] - times
                u = np.zeros((len(time), most))
                u[:, : len(times)] = age > 0
                v = np.zeros((len(time), most))
                v[:, : len(times)] = np.where(age > 0, np.log10(1 + np.maximum(age - unit, 0.0) / unit), 0.0)
                designs[name] = (u, v, (age[:, 0] > 0) & (age[:, -1] <= until))
            u, v, after = designs[name]
            early = series.level[s, i, : before + 1][time[: before + 1] >= times[0] - window]
            early = early[np.isfinite(early)]
            if not len(early):
                continue
            y = series.level[s, i] - early.mean()
            use = after & np.isfinite(y)
            u, v, y = u[use], v[use], y[use]
            uu[s, i], uv[s, i], vv[s, i] = u.T @ u, u.T @ v + v.T @ u, v.T @ v
            uy[s, i], vy[s, i] = u.T @ y, v.T @ y
            yy[s, i], total[s, i], count[s, i] = y @ y, y.sum(), len(y)
    if count.sum() < 3 * most + 2 or not float(yy.sum()) > 0:
        return None
    flat = [m[:, keep].reshape(seeds, int(keep.sum()), -1) for m in (uu, uv, vv, uy, vy, yy)]
    found = [_solve(flat, w, most) for w in (d.both, d.only_seeds, d.only_items)]
    variance = float(yy.sum() - total.sum() ** 2 / count.sum())
    r2 = 1 - float(found[0][2][0]) / variance if variance > 0 else float("nan")
    effects = [f[1] * scale for f in found]
    return Kernel(
        rate=interval((found[0][0], found[1][0], found[2][0]), d),
        effects=[interval((effects[0][:, k], effects[1][:, k], effects[2][:, k]), d) for k in range(most)],
        r2=r2,
        unit=unit,
    )


def _solve(
    flat: list[Float[np.ndarray, "seed item _"]], w: Weights, most: int
) -> tuple[Float[np.ndarray, "draws"], Float[np.ndarray, "draws k"], Float[np.ndarray, "draws"]]:
    """a, the E_k and the residual for every draw."""
    uu, uv, vv, uy, vy, yy = (sums(m, w) for m in flat)
    square = (len(uu), most, most)
    uu, uv, vv, yy = uu.reshape(square), uv.reshape(square), vv.reshape(square), yy[:, 0]
    ridge = 1e-9 * np.maximum(np.trace(uu, axis1=1, axis2=2), 1e-300)[:, None, None] / most * np.eye(most)

    def at(a: Float[np.ndarray, "draws"]) -> tuple[np.ndarray, np.ndarray]:
        b = a[:, None, None]
        right = uy - a[:, None] * vy
        left = uu - b * uv + b**2 * vv + ridge
        weights = np.linalg.solve(left, right[..., None])[..., 0]
        return weights, yy - (weights * right).sum(axis=1)

    def around(a: Float[np.ndarray, "draws"], step: float) -> np.ndarray:
        left, middle, right = (at(a + k * step)[1] for k in (-1, 0, 1))
        bend = left - 2 * middle + right
        move = np.where(bend > 0, 0.5 * (left - right) / np.where(bend > 0, bend, 1.0), 0.0)
        return a + np.clip(move, -1, 1) * step

    best = np.argmin(np.stack([at(np.full(len(uu), a))[1] for a in _RATES]), axis=0)
    width = float(_RATES[1] - _RATES[0])
    a = _RATES[best]
    for part in (1, 2, 4, 8, 16):  # the profile over a is no parabola, so the step is taken again, nearer by
        a = around(a, width / part)
    effects, error = at(a)
    edge = (best == 0) | (best == len(_RATES) - 1)
    return np.where(edge, np.nan, a), np.where(edge[:, None], np.nan, effects), error


@dataclass(frozen=True)
class KernelLaw:
    """One law of what a single exposure leaves, fitted to the sum over exposures."""

    family: str
    formula: str
    rate: float
    r2: float
    aicc: float


def fit_kernel_laws(series: Series, window: float) -> list[KernelLaw]:
    """The mean course of the items as a sum of kernels of each law, in bins of the time since the latest exposure.

    Bins of equal width in the logarithm of that time count the same, as lags do where laws are fitted to R.
    """
    time = series.time
    groups: dict[bytes, list[tuple[int, int]]] = {}
    for s, row in enumerate(series.plan):
        for i, times in enumerate(row):
            if len(times) and times[0] >= time[0]:
                groups.setdefault(times.tobytes(), []).append((s, i))
    most = max((len(np.frombuffer(name)) for name in groups), default=0)
    if not 0 < most <= _MOST or len(time) < 4:
        return []
    unit = float(np.diff(time).min())
    y: list[np.ndarray] = []
    ages: list[np.ndarray] = []
    places: list[np.ndarray] = []
    for name, members in groups.items():
        times = np.frombuffer(name)
        s, i = np.array(members).T
        own = series.level[s, i]
        known = np.isfinite(own)
        count = known.sum(axis=0)
        mean = np.where(known, own, 0.0).sum(axis=0) / np.maximum(count, 1)
        early = (time <= times[0]) & (time >= times[0] - window) & (count > 0)
        after = (time > times[0]) & (count > 0)
        if not early.any() or not after.any():
            continue
        age = np.full((int(after.sum()), most), -1.0)
        age[:, : len(times)] = time[after][:, None] - times
        latest = np.searchsorted(times, time[after], side="left") - 1
        since = np.maximum((time[after] - times[latest]) / unit, 1.0)
        place = latest * 1000 + np.floor(np.log10(since) * _BINS_PER_DECADE + 1e-9)
        _, bins = np.unique(place, return_inverse=True)
        y.append(np.bincount(bins, mean[after] - mean[early].mean()) / np.bincount(bins))
        ages.append(age)
        places.append(bins + (int(places[-1].max()) + 1 if places else 0))
    if not y:
        return []
    target, age, bins = np.concatenate(y), np.concatenate(ages), np.concatenate(places)
    n, free = len(target), most + 2  # the rate and the spread besides the gains
    total = float(((target - target.mean()) ** 2).sum())
    if n <= free + 1 or not total > 1e-24:
        return []
    spread = np.zeros((n, len(age)))
    spread[bins, np.arange(len(age))] = 1.0
    spread /= spread.sum(axis=1, keepdims=True)
    old = np.maximum(age - unit, 0.0) / unit
    out = []
    for family, (formula, rates, left) in _KERNELS.items():
        errors = []
        for rate in rates:
            with np.errstate(under="ignore"):
                design = spread @ np.where(age > 0, left(old, float(rate)), 0.0)
            weights = np.linalg.lstsq(design, target, rcond=None)[0]
            errors.append(float(((design @ weights - target) ** 2).sum()))
        best = int(np.argmin(errors))
        error = max(errors[best], 1e-24 * total)
        aicc = n * float(np.log(error / n)) + 2 * free + 2 * free * (free + 1) / (n - free - 1)
        out.append(KernelLaw(family, formula, float(rates[best]), 1 - error / total, aicc))
    return out


def decide_kernels(laws: Sequence[KernelLaw]) -> tuple[str, str]:
    """The law of a single exposure that stands, "undecided" if none does, and the reason."""
    if len(laws) < 2:
        return "undecided", "too few records to take the exposures apart"
    best, rival = sorted(laws, key=lambda law: law.aicc)[:2]
    ahead = f"taken apart, {best.family} is ahead of {rival.family} by {rival.aicc - best.aicc:.1f} in AICc"
    return (best.family, ahead) if rival.aicc - best.aicc >= _MARGIN else ("undecided", f"{ahead} only")
