"""What claims and figures read out of a run."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float


def set_between(d: xr.Dataset, name: str) -> xr.DataArray:
    """Tasks that were set between a record and the one before, by place or level."""
    return d[name].diff("time")


def rank_correlation(counts: Float[np.ndarray, "time level"]) -> float:
    """Spearman's correlation of time and level over tasks that are given as counts; ties get their mean rank."""
    total = counts.sum()
    if total == 0:
        return float("nan")

    def ranks(marginal: np.ndarray) -> np.ndarray:
        return np.asarray(np.cumsum(marginal) - (marginal - 1) / 2 - (total + 1) / 2)  # centred

    x, y = ranks(counts.sum(axis=1)), ranks(counts.sum(axis=0))
    across = float((counts * np.outer(x, y)).sum())
    own = float((counts.sum(axis=1) * x**2).sum() * (counts.sum(axis=0) * y**2).sum())
    return across / float(np.sqrt(own)) if own > 0 else 0.0


def order_of_difficulty(d: xr.Dataset) -> xr.DataArray:
    """Spearman's correlation of the number of an episode and the difficulty of its task, hopeless ones left out."""
    counts = set_between(d, "tally").isel(level=slice(0, -1)).transpose("seed", "time", "level").values
    return xr.DataArray([rank_correlation(c) for c in counts], dims="seed", coords={"seed": d.seed})


def centre_and_body(d: xr.Dataset) -> xr.DataArray:
    """Mean task of each seed (x, y), and the number of its body (on the axis of time)."""
    visits = d["visits"].isel(time=-1).transpose("seed", "x", "y").values.astype(float)
    at = (np.arange(visits.shape[1]) + 0.5) / visits.shape[1]
    share = visits / visits.sum(axis=(1, 2), keepdims=True)
    body = d["mirrored"].isel(time=0).transpose("seed", "axis").values @ np.array([1.0, 2.0])
    rows = np.stack([share.sum(axis=2) @ at, share.sum(axis=1) @ at, body], axis=1)
    return xr.DataArray(rows, dims=("seed", "time"), coords={"seed": d.seed})


def between_bodies(rows: Float[np.ndarray, "seed 3"]) -> float:
    """Variance of the curriculum's centre between bodies over that within bodies, as a power of ten.

    0 (a ratio of 1) where there are too few students to tell.
    """
    centre, body = rows[:, :2], rows[:, 2]
    kinds = [k for k in np.unique(body) if np.isfinite(k)]
    if len(kinds) < 2 or len(rows) <= len(kinds):
        return 0.0
    middles = np.array([centre[body == k].mean(axis=0) for k in kinds])
    within = sum(((centre[body == k] - m) ** 2).sum() for k, m in zip(kinds, middles, strict=True))
    between = ((middles - middles.mean(axis=0)) ** 2).sum() / (len(kinds) - 1)
    return float(np.log10(max(between, 1e-9) / max(within / (len(rows) - len(kinds)), 1e-9)))


def share_in_the_easier_half(d: xr.Dataset) -> xr.DataArray:
    """Share of the tasks between two records that lie in the easier half of the first dimension."""
    visits = set_between(d, "visits")
    return visits.isel(x=slice(0, visits.sizes["x"] // 2)).sum(("x", "y")) / visits.sum(("x", "y"))
