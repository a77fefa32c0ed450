"""What can be asked of a recorded epidemic: weekly curves, waves, areas, behaviour."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from scipy import signal

from ._system import WEEK

Weeks = Float[np.ndarray, "seed week"]


def weekly(d: xr.Dataset) -> Weeks:
    """New infections per 100 people in each week."""
    total = d["attack"].transpose("seed", "time")
    return 100.0 * np.diff(np.asarray(total.isel(time=total.time % WEEK == 0), float), axis=1)


def weekly_by_area(d: xr.Dataset) -> Float[np.ndarray, "seed week row col"]:
    """New infections per 100 residents in each week and area."""
    total = d["infections"].transpose("seed", "time", "row", "col")
    people = float(d["people"].isel(time=0, seed=0).sum()) / (total.sizes["row"] * total.sizes["col"])
    return 100.0 / people * np.diff(np.asarray(total.isel(time=total.time % WEEK == 0), float), axis=1)


def at_weeks(d: xr.Dataset, name: str) -> Weeks:
    """An observable at the end of each week; the start is left out."""
    values = d[name].transpose("seed", "time")
    return np.asarray(values.isel(time=(values.time % WEEK == 0) & (values.time > 0)), float)


def _each(d: xr.Dataset, values: Float[np.ndarray, "seed"]) -> xr.DataArray:
    return xr.DataArray(np.asarray(values, float), dims="seed", coords={"seed": d.seed})


# -- waves ----------------------------------------------------------------------------------------------------------


def peaks(curve: Float[np.ndarray, "week"], prominence: float = 0.15) -> Int[np.ndarray, "peak"]:
    """Weeks (from 0) of the waves: maxima that stand out on both sides by a share of the highest week."""
    padded = np.concatenate([[0.0], curve, [0.0]])
    found, _ = signal.find_peaks(padded, prominence=prominence * max(float(np.max(curve)), 1e-9))
    return found - 1


def waves(d: xr.Dataset) -> xr.DataArray:
    """Number of waves."""
    return _each(d, np.asarray([len(peaks(c)) for c in weekly(d)], float))


def week_of_the_first_peak(d: xr.Dataset) -> xr.DataArray:
    """Week of the first wave's peak, NaN without one."""
    return _each(d, np.asarray([p[0] + 1 if len(p := peaks(c)) else np.nan for c in weekly(d)], float))


def worst_week(d: xr.Dataset) -> xr.DataArray:
    """New infections per 100 people in the worst week."""
    return _each(d, weekly(d).max(axis=1))


# -- behaviour ------------------------------------------------------------------------------------------------------


def swing_of_isolation(d: xr.Dataset) -> xr.DataArray:
    """Standard deviation over weeks of the share who isolate, without the first three weeks."""
    return _each(d, at_weeks(d, "isolating")[:, 3:].std(axis=1))


def mean_isolation(d: xr.Dataset) -> xr.DataArray:
    """Mean over weeks of the share who isolate."""
    return _each(d, at_weeks(d, "isolating").mean(axis=1))


def mean_unemployment(d: xr.Dataset) -> xr.DataArray:
    """Mean over weeks of the share of people of working age who do not work."""
    return _each(d, at_weeks(d, "unemployment").mean(axis=1))


def log10_variety_of_behaviour(d: xr.Dataset) -> xr.DataArray:
    """Order of magnitude of the variance over people of the chance to isolate, without the first three weeks."""
    return _each(d, np.log10(np.mean(at_weeks(d, "chance_sd")[:, 3:] ** 2, axis=1) + 1e-12))


def log10_calls(d: xr.Dataset) -> xr.DataArray:
    """Order of magnitude of the answers that were asked for."""
    return _each(d, np.log10(np.maximum(at_weeks(d, "calls")[:, -1], 1.0)))


# -- areas ----------------------------------------------------------------------------------------------------------


def spread_of_peaks_over_areas(d: xr.Dataset) -> xr.DataArray:
    """Standard deviation over areas of the week in which an area has its worst week."""
    found = weekly_by_area(d)
    return _each(d, found.reshape(*found.shape[:2], -1).argmax(axis=1).std(axis=1))


def log10_variance_of_areas(d: xr.Dataset) -> xr.DataArray:
    """Order of magnitude of the variance over areas of infections per resident, mean over weeks."""
    found = weekly_by_area(d)
    varied = found.reshape(*found.shape[:2], -1).var(axis=2)
    return _each(d, np.log10(varied.mean(axis=1) + 1e-12))


# -- the end --------------------------------------------------------------------------------------------------------


def deaths_per_thousand_from_halfway(d: xr.Dataset) -> xr.DataArray:
    """Deaths per 1,000 people in the second half."""
    found = at_weeks(d, "deaths")
    return _each(d, 1000.0 * (found[:, -1] - found[:, found.shape[1] // 2 - 1]))


def infections_from_halfway(d: xr.Dataset) -> xr.DataArray:
    """Infections per 100 people in the second half."""
    found = weekly(d)
    return _each(d, found[:, found.shape[1] // 2 :].sum(axis=1))
