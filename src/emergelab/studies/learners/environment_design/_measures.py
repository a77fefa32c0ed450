"""What is asked of a recorded run: how a curve grows over training, seed by seed."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

__all__ = ["growth", "late_growth_of_path", "late_growth_of_regret", "path_growth", "solved_path_growth"]


def growth(
    time: Float[np.ndarray, "time"], values: Float[np.ndarray, "seed time"], since: float = 0.0
) -> Float[np.ndarray, "seed"]:
    """Change in 100 updates: the median of the slopes between all pairs of records (Theil 1950, Sen 1968).

    Args:
        time: of the records, in updates.
        values: one curve a seed; what is not a number is left out.
        since: the part of the run to leave out at its beginning, in [0, 1).
    """
    late = time >= since * time[-1]
    found = np.full(len(values), np.nan)
    for i, row in enumerate(values):
        known = late & np.isfinite(row)
        if known.sum() >= 3:
            found[i] = 100.0 * float(stats.theilslopes(row[known], time[known])[0])
    return found


def _of(d: xr.Dataset, name: str, since: float = 0.0) -> xr.DataArray:
    values = d[name].transpose("seed", "time").values.astype(float)
    return xr.DataArray(growth(d.time.values.astype(float), values, since), dims="seed")


def path_growth(d: xr.Dataset) -> xr.DataArray:
    """Growth of the shortest way of the lesson's levels, cells in 100 updates."""
    return _of(d, "path")


def solved_path_growth(d: xr.Dataset) -> xr.DataArray:
    """Growth of the shortest way of the levels that the protagonist solved, cells in 100 updates."""
    return _of(d, "solved_path")


def late_growth_of_path(d: xr.Dataset) -> xr.DataArray:
    """Growth of the shortest way in the second half of the run, cells in 100 updates."""
    return _of(d, "path", 0.5)


def late_growth_of_regret(d: xr.Dataset) -> xr.DataArray:
    """Growth of the regret in the second half of the run, return in 100 updates."""
    return _of(d, "regret", 0.5)
