"""Numbers of a seed that the claims and figures of the study `icl` need beyond its observables."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import expit

__all__ = ["drop_of_acc_iwl", "duration_over_onset", "lesser_of_both", "rise", "wait"]


def lesser_of_both(d: xr.Dataset) -> xr.DataArray:
    """The smaller of the accuracies in context and in weights: large only if both abilities are there."""
    return np.minimum(d.acc_icl, d.acc_iwl)


def drop_of_acc_iwl(d: xr.Dataset) -> xr.DataArray:
    """What the cut takes from the accuracy in weights."""
    return d.acc_iwl - d.acc_iwl_cut


def wait(d: xr.Dataset) -> xr.DataArray:
    """Steps at which acc_icl is below 0.9; all of them where it never gets there."""
    every = float(d.time[1] - d.time[0])
    return every * (d.acc_icl < 0.9).sum("time")


def duration_over_onset(d: xr.Dataset) -> xr.DataArray:
    """How long acc_icl takes to rise from 10 % to 90 %, over the time of half the rise."""
    half, duration = rise(d)
    return xr.DataArray(duration / half, dims=("seed",))


def rise(d: xr.Dataset) -> tuple[Float[np.ndarray, "seed"], Float[np.ndarray, "seed"]]:
    """When and how fast acc_icl rises from the plateau, seed by seed, in one condition.

    A logistic curve is fitted by least squares from the time on at which the answer is a label of the context
    (cla > 0.9). The fit averages the binomial noise of the scores, which crossings of thresholds would
    follow.

    Returns:
        the steps of half the rise, and the steps from 10 % to 90 % of it; NaN where acc_icl does not rise
        by 0.2.
    """
    time = d.time.values.astype(float)
    icl, cla = (d[name].transpose("seed", "time").values for name in ("acc_icl", "cla"))
    half, duration = np.full(len(icl), np.nan), np.full(len(icl), np.nan)
    for i, (y, shortcut) in enumerate(zip(icl, cla > 0.9, strict=True)):
        if not shortcut.any() or not np.isfinite(y).all():
            continue
        t, y = time[shortcut.argmax() :] / time[-1], y[shortcut.argmax() :]
        if len(t) < 6 or y[-3:].mean() - y[:3].mean() < 0.2:
            continue
        guess = (y[:3].mean(), y[-3:].mean(), t[np.argmax(y > (y[0] + y[-1]) / 2)], 0.03)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            try:
                fit, _ = curve_fit(_logistic, t, y, p0=guess, bounds=((-1, -1, 0, 1e-3), (2, 2, 2, 2)))
            except RuntimeError:  # no convergence: this seed has no onset that could be told
                continue
        half[i], duration[i] = fit[2] * time[-1], 2 * np.log(9) * fit[3] * time[-1]
    return half, duration


def _logistic(
    t: Float[np.ndarray, "time"], low: float, high: float, middle: float, slow: float
) -> Float[np.ndarray, "time"]:
    return low + (high - low) * expit((t - middle) / slow)
