"""What is asked of a recorded run beyond its observables."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

__all__ = [
    "BUDGET", "agreement", "change_steps", "first_steps", "mistaken", "order", "order_from_start", "second_ratio",
    "second_steps", "solved", "steps_and_deletions", "visit_steps",
]  # fmt: skip

BUDGET = 10_000  # motor steps of a visit in which a goal that was not found counts


def _end(d: xr.Dataset, name: str, visit: int) -> xr.DataArray:
    return d[name].isel(time=-1, visit=visit, drop=True).astype(float)


def visit_steps(d: xr.Dataset, visit: int) -> xr.DataArray:
    """Motor steps of a visit; the whole budget if its goal was not found; not a number if it never began."""
    took, reached = _end(d, "took", visit), _end(d, "reached", visit)
    begun = took if visit == 0 else took.where(_end(d, "reached", visit - 1) > 0)
    return begun.where(reached > 0, begun * 0 + BUDGET)


def solved(d: xr.Dataset) -> xr.DataArray:
    """1 where the goal was found on the first visit."""
    return _end(d, "reached", 0)


def first_steps(d: xr.Dataset) -> xr.DataArray:
    """Logarithm (base 2) of the motor steps of the first visit, the budget for those that were not over."""
    return np.log2(visit_steps(d, 0))


def change_steps(d: xr.Dataset) -> xr.DataArray:
    """Logarithm (base 2) of the motor steps of the visit after a wall has moved."""
    return np.log2(visit_steps(d, 2))


def mistaken(d: xr.Dataset) -> xr.DataArray:
    """Logarithm (base 2) of 1 and the times that, on the first visit, the agent took itself to be across a wall."""
    times = d["confused"].where(d["now"] == 0, 0).max("time").astype(float)
    return np.log2(1 + times)


def second_steps(d: xr.Dataset) -> xr.DataArray:
    """Logarithm (base 2) of the motor steps of the second visit, in the same maze."""
    return np.log2(visit_steps(d, 1))


def second_ratio(d: xr.Dataset) -> xr.DataArray:
    """Logarithm (base 2) of how many times as long the second visit took as the first."""
    return np.log2(visit_steps(d, 1)) - np.log2(visit_steps(d, 0))


def order(d: xr.Dataset) -> xr.DataArray:
    """Rank correlation of the plan's number of synapses with time, over the first visit.

    Not a number where fewer than five plans were recorded or all were alike.
    """
    return _with_time(d, "hops")


def order_from_start(d: xr.Dataset) -> xr.DataArray:
    """The same of the cost of the cheapest plan from the start."""
    return _with_time(d, "from_start")


def _with_time(d: xr.Dataset, name: str) -> xr.DataArray:
    values = d[name].transpose("seed", "time").values
    busy = d["now"].transpose("seed", "time").values == 0
    time = d.time.values
    found = np.full(len(values), np.nan)
    for i, (row, own) in enumerate(zip(values, busy, strict=True)):
        own = own & (time > 0)
        if own.sum() >= 5 and np.ptp(row[own]) > 0:
            found[i] = stats.spearmanr(time[own], row[own]).statistic
    return xr.DataArray(found, dims="seed")


def steps_and_deletions(d: xr.Dataset) -> xr.DataArray:
    """Motor steps of the first visit and synapses deleted in it, as two columns, where the goal was found."""
    first = d["now"].transpose("seed", "time").values == 0
    deleted = np.where(first, d["deleted"].transpose("seed", "time").values, 0).max(1)
    steps = _end(d, "took", 0).values
    both = np.stack([steps, deleted], 1).astype(float)
    both[solved(d).values == 0] = np.nan
    return xr.DataArray(both, dims=("seed", "time"))


def agreement(rows: Float[np.ndarray, "seed column"]) -> float:
    """Correlation of two columns over seeds."""
    known = rows[np.isfinite(rows).all(1)]
    if len(known) < 3 or (np.ptp(known, axis=0) == 0).any():
        return float("nan")
    return float(np.corrcoef(known.T)[0, 1])
