"""Metrics recomputed from item-level outputs, as Schaeffer et al. 2023 do for published ones."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError
from emergelab.instruments._curves import Curves

__all__ = ["from_tokens"]


def from_tokens(tokens: xr.DataArray, score: Curves) -> dict[str, Float[np.ndarray, "curve x"]]:
    """Exact match, k of K, edit distance, log-probability and Brier score of every curve and record.

    Args:
        tokens: probability in [0, 1] that a target token is right (0 and 1 for graded outputs), dims "item",
            "token" and those of the score. NaN past the end of a shorter target.
        score: the score whose curves these are.
    """
    missing = [d for d in ("item", "token", score.time_name) if d not in tokens.dims]
    if missing:
        raise UserError(
            f"mirage: tokens lacks the dims {', '.join(missing)}; it has {', '.join(map(str, tokens.dims))}"
        )
    tokens = tokens.sortby(score.time_name)
    lead = [str(d) for d in tokens.dims if d not in ("item", "token", score.time_name)]
    p = np.asarray(tokens.transpose(*lead, score.time_name, "item", "token").values, dtype=float)
    p = p.reshape(-1, *p.shape[-3:])
    curves = len(score.conditions) * len(score.seeds)
    if p.shape[0] != curves or p.shape[1] != len(score.time):
        raise UserError(
            f"mirage: tokens hold {p.shape[0]} curves of {p.shape[1]} records, the score {curves} of {len(score.time)}"
        )
    seen = np.isfinite(p)
    if seen.any() and (p[seen].min() < 0 or p[seen].max() > 1):
        raise UserError("mirage: tokens must be probabilities (or 0 and 1)")
    length = seen.sum(axis=-1)
    used = length > 0
    whole = np.where(seen, p, 1.0)
    exact = np.where(used, whole.prod(axis=-1), np.nan)
    right = np.where(seen, p, 0.0).sum(axis=-1)
    out = {
        "exact match": np.nanmean(exact, axis=-1),
        "edit distance": np.nanmean(np.where(used, length - right, np.nan), axis=-1),
        "Brier": np.nanmean(
            np.where(used, np.where(seen, (1 - p) ** 2, 0.0).sum(axis=-1) / np.maximum(length, 1), np.nan),
            axis=-1,
        ),
    }
    graded = bool(np.isin(p[seen], (0.0, 1.0)).all())
    if graded:
        half = right >= (length + 1) // 2
        out["at least half right"] = np.nanmean(np.where(used, half, np.nan), axis=-1)
    else:
        logs = np.where(seen, np.log(np.maximum(p, 1e-300)), 0.0).sum(axis=-1)
        out["log-probability"] = np.nanmean(np.where(used, logs, np.nan), axis=-1)
    return out
