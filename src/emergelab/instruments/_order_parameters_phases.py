"""Two phases beside each other, and a state that depends on the direction of the sweep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergelab.instruments._order_parameters_modes import two_normals
from emergelab.instruments._order_parameters_moments import Moments
from emergelab.instruments._order_parameters_read import System
from emergelab.instruments._order_parameters_scaling import interval
from emergelab.statistics import Estimate, estimate

__all__ = ["Phases", "coexistence", "hysteresis"]

_SMOOTH = 1.3  # of Silverman's rule, which has 0.9: valleys that noise makes are smoothed away
_MOST_PER_SEED = 400  # records of one seed that enter the density of m


@dataclass(frozen=True)
class Phases:
    depth: Estimate
    separation: float
    density: tuple[Float[np.ndarray, "g"], Float[np.ndarray, "g"]]


def coexistence(
    system: System,
    moments: Moments,
    tau: Float[np.ndarray, "size control"],
    weights: Float[np.ndarray, "draws seed"],
    n: int,
    level: float,
) -> list[Phases]:
    """Is the distribution of |m| at the peak of chi double? Records are thinned to every second correlation time."""
    out = []
    nan = float("nan")
    for k in range(len(system.size)):
        chi = np.nan_to_num(moments.chi[0, k])
        at = int(np.argmax(chi))
        m = np.abs(system.values[:, :, k, at, :])
        length = m.shape[-1]
        step = max(1, int(np.ceil(2 * tau[k, at])) if np.isfinite(tau[k, at]) else 1)
        step = max(step, -(-length * m.shape[1] // _MOST_PER_SEED))
        thinned = m[..., ::step].reshape(len(m), -1)
        pool = thinned[np.isfinite(thinned)]
        if len(pool) < 8 or np.ptp(pool) <= 1e-9 * max(float(pool.max()), 1e-300):
            out.append(Phases(Estimate(nan, nan, nan, level, "too few records", n), nan, (np.empty(0), np.empty(0))))
            continue
        # the smooth density of each seed, mirrored at 0 where |m| ends; draws are weighted sums of these
        spread = min(float(pool.std()), float(np.subtract(*np.percentile(pool, [75, 25]))) / 1.349) or float(pool.std())
        bandwidth = max(_SMOOTH * spread * len(pool) ** -0.2, 1e-3 * float(np.ptp(pool)))
        grid = np.linspace(0.0, float(pool.max()) + 2 * bandwidth, 128)
        heights = np.zeros((len(thinned), len(grid)))
        for s, row in enumerate(thinned):
            seen = row[np.isfinite(row)]
            for sign in (1, -1):
                heights[s] += np.exp(-(((grid[:, None] - sign * seen[None, :]) / bandwidth) ** 2) / 2).sum(axis=1)
        drawn = weights @ heights
        left = np.maximum.accumulate(drawn, axis=1)
        right = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]
        depths = 1 - (drawn / np.maximum(np.minimum(left, right), 1e-300)).min(axis=1)
        apart = float(two_normals(pool[None, :]).separation[0])
        area = float(np.trapezoid(drawn[0], grid))
        name = "depth of the valley of |m| at the peak of chi"
        out.append(Phases(interval(depths, n, level, name), apart, (grid, drawn[0] / max(area, 1e-300))))
    return out


def hysteresis(system: System, level: float, draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """Loop area between the sweep down and the sweep up, per size, over seeds."""
    columns = ["size", "area", "low", "high", "relative", "p", "seeds"]
    if not system.swept or len(system.control) < 2:
        return pd.DataFrame(columns=columns)
    m = np.abs(system.values)
    count = np.isfinite(m).sum(axis=-1)
    mean = np.where(count > 0, np.nan_to_num(m).sum(axis=-1) / np.maximum(count, 1), np.nan)
    gap = mean[:, 1] - mean[:, 0]
    rows = []
    for k, size in enumerate(system.size):
        area = np.trapezoid(gap[:, k], system.control, axis=1)
        e = estimate(area, level=level, draws=max(draws, 199), rng=rng)
        seen = mean[:, :, k][np.isfinite(mean[:, :, k])]
        box = float(np.ptp(seen)) * float(np.ptp(system.control)) if len(seen) else 0.0
        relative = e.value / box if box > 0 else float("nan")
        rows.append((size, e.value, e.low, e.high, relative, e.p_two_sided(), e.n))
    return pd.DataFrame(rows, columns=columns)
