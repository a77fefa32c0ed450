"""What is asked of a run: how success depends on the giving of the first generation."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float
from scipy.stats import rankdata

SUCCESS = 0.5
"""A society succeeds if more than this fraction is given in its last generation."""


def early_giving_and_success(d: xr.Dataset) -> xr.DataArray:
    """Two columns: giving of the first generation, and whether the last one's is above a half."""
    end = d.isel(time=-1)
    both = np.stack([end["g1"].values, (end["giving"].values > SUCCESS).astype(float)], axis=1)
    return xr.DataArray(both, dims=("seed", "time"), coords={"seed": d.seed})


def log10_resources(d: xr.Dataset) -> xr.DataArray:
    """Order of magnitude of the final resources: they grow exponentially with giving."""
    # A society in which nothing is given keeps its endowment; punishing can leave less than one unit.
    return np.log10(d["resources"].clip(min=0.01))


def selection_summed(d: xr.Dataset) -> xr.DataArray:
    """The change of giving by who has successors, over all generations."""
    return d["selection"].sum("time")


def favour_summed(d: xr.Dataset) -> xr.DataArray:
    """The change of disposition by who has successors, over all generations that had time to show it."""
    return d["favoured"].isel(time=slice(1, -1)).sum("time")


def distance_from_half(d: xr.Dataset) -> xr.DataArray:
    """How far the giving of the last generation is from one half."""
    return abs(d["giving"].isel(time=-1) - 0.5)


def split(rows: Float[np.ndarray, "seed 2"]) -> tuple[Float[np.ndarray, "seed"], Bool[np.ndarray, "seed"]]:
    """Giving of the first generation in ascending order, and the success that goes with it."""
    order = np.argsort(rows[:, 0], kind="stable")
    return rows[order, 0], rows[order, 1] > 0.5


def auc(rows: Float[np.ndarray, "seed 2"]) -> float:
    """Chance that of a failed and a successful society the successful one gave more at first (ties count half).

    A half where all failed, or none.
    """
    x, success = split(rows)
    good, bad = int(success.sum()), int((~success).sum())
    if not good or not bad:
        return 0.5
    return float((rankdata(x)[success].sum() - good * (good + 1) / 2) / (good * bad))


def logistic(x: Float[np.ndarray, "seed"], y: Bool[np.ndarray, "seed"], turns: int = 25) -> tuple[float, float, float]:
    """Intercept, slope and log-likelihood of P(y) = 1 / (1 + exp(-(intercept + slope x))), by Newton's method.

    The slope has a weak normal prior (standard deviation 100), so that separated data have an answer.
    """
    beta = np.zeros(2)
    design = np.stack([np.ones_like(x), x], axis=1)
    ridge = np.diag([1e-8, 1e-4])
    for _ in range(turns):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        weight = np.maximum(p * (1 - p), 1e-9)
        change = np.linalg.solve(design.T @ (weight[:, None] * design) + ridge, design.T @ (y - p) - ridge @ beta)
        beta = beta + np.clip(change, -20, 20)
        if np.abs(change).max() < 1e-6:
            break
    p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
    return float(beta[0]), float(beta[1]), _likelihood(np.where(y, p, 1 - p))


def step(x: Float[np.ndarray, "seed"], y: Bool[np.ndarray, "seed"]) -> tuple[float, float, float, float]:
    """Threshold, P(y) below and above it, and log-likelihood of the best step; `x` ascending."""
    n, upto = len(x), np.cumsum(y)
    below = np.arange(1, n)
    place = below[x[1:] > x[:-1]]  # a threshold lies between two different values
    if not len(place):
        share = float(np.mean(y))
        return float(x[0]), share, share, float(n * _entropy(np.array([share]))[0])
    low, high = upto[place - 1] / place, (upto[-1] - upto[place - 1]) / (n - place)
    fit = place * _entropy(low) + (n - place) * _entropy(high)
    best = int(np.argmax(fit))
    at = place[best]
    return float((x[at - 1] + x[at]) / 2), float(low[best]), float(high[best]), float(fit[best])


def bic_for_a_step(rows: Float[np.ndarray, "seed 2"]) -> float:
    """BIC of a logistic curve (2 parameters) minus that of a step (3): above 0 a step describes success better.

    0 for fewer than ten societies, which cannot tell.
    """
    if len(rows) < 10:
        return 0.0
    x, y = split(rows)
    smooth, sharp = logistic(x, y)[2], step(x, y)[3]
    return float(2 * np.log(len(x)) - 2 * smooth - (3 * np.log(len(x)) - 2 * sharp))


def chance_of_separation(rows: Float[np.ndarray, "seed 2"]) -> float:
    """Chance that two failed and three successful societies are perfectly separated by their first giving.

    That is, that the larger of two failures lies below the smallest of three successes, all drawn from those at hand;
    the chance of doing so by luck alone (0.1) where all failed, or none.
    """
    x, success = split(rows)
    bad, good = x[~success], x[success]
    if not len(bad) or not len(good):
        return 0.1
    upto = np.arange(1, len(bad) + 1) / len(bad)
    larger = np.diff(upto**2, prepend=0.0)
    above = 1 - np.searchsorted(good, bad, side="right") / len(good)
    return float(np.sum(larger * above**3))


def _entropy(p: Float[np.ndarray, "point"]) -> Float[np.ndarray, "point"]:
    """Log-likelihood of one draw of a coin at its own share of heads."""
    q = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(p * np.log(q) + (1 - p) * np.log(1 - q))


def _likelihood(p: Float[np.ndarray, "seed"]) -> float:
    return float(np.sum(np.log(np.maximum(p, 1e-12))))
