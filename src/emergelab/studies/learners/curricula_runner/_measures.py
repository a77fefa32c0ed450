"""What claims and figures read out of a run."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

from ._system import ENOUGH, TESTS


def set_between(d: xr.Dataset) -> xr.DataArray:
    """Tasks that were set between a record and the one before, by height."""
    return d["visits"].diff("time").sum("wide")


def middles(cells: int) -> Float[np.ndarray, "cell"]:
    """Middles of the cells of a range, as shares of it."""
    return (np.arange(cells) + 0.5) / cells


def order_of_height(d: xr.Dataset) -> xr.DataArray:
    """Spearman's correlation of time and height over the tasks that the body can do; those too high are left out."""
    counts = set_between(d).transpose("seed", "time", "high").values.round().astype(int)
    possible = d["possible"].isel(time=-1).values
    found = []
    for number, share in zip(counts, possible, strict=True):
        time, high = np.nonzero(number * (middles(number.shape[1]) < share))
        often = number[time, high]
        constant = len(np.unique(time)) < 2 or len(np.unique(high)) < 2
        found.append(0.0 if constant else stats.spearmanr(np.repeat(time, often), np.repeat(high, often)).statistic)
    return xr.DataArray(found, dims="seed", coords={"seed": d.seed})


def mean_height(d: xr.Dataset) -> xr.DataArray:
    """Mean height of all tasks, as a share of the range."""
    by_height = d["visits"].isel(time=-1).sum("wide")
    weights = xr.DataArray(middles(by_height.sizes["high"]), dims="high")
    return (by_height * weights).sum("high") / by_height.sum("high")


def passed_too_high(d: xr.Dataset) -> xr.DataArray:
    """Share of the test's tasks that are mastered though a jump of the body is lower than their stumps."""
    too_high = xr.DataArray(TESTS[:, 0], dims="test") > d["possible"]
    return ((d["tests"] > ENOUGH) & too_high).mean("test")


def spread_between(rows: Float[np.ndarray, "seed condition"]) -> float:
    """Variance between conditions over that between seeds, as a power of ten; 0 (a ratio of 1) for too few seeds."""
    if len(rows) < 2:
        return 0.0
    between, within = np.var(rows.mean(axis=0), ddof=1), np.mean(np.var(rows, axis=0, ddof=1))
    return float(np.log10(max(between, 1e-9) / max(within, 1e-9)))
