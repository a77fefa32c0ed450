"""Corrections for many looks: Holm over the claims of one study, Benjamini-Hochberg over a survey, max-T
within one call."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Real

from emergelab.errors import UserError

__all__ = ["benjamini_hochberg", "holm", "max_t"]


def holm(p: Real[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
    """Holm's step-down adjusted p-values: reject those at or below alpha and the family-wise error is at most
    alpha.

    NaN (a test that was not made) stays NaN and does not count towards the family (Holm 1979).
    """
    return _adjust(p, "holm")


def benjamini_hochberg(p: Real[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
    """Benjamini-Hochberg adjusted p-values: reject those at or below q and the expected share of false ones
    is at most q.

    Valid for independent or positively dependent tests. NaN stays NaN and does not count (Benjamini and
    Hochberg 1995).
    """
    return _adjust(p, "bh")


def _adjust(p: Real[np.ndarray, "m"], how: str) -> Float[np.ndarray, "m"]:
    given = np.asarray(p, dtype=float)
    if given.ndim != 1:
        raise UserError(f"a correction takes a list of p-values, got an array of shape {given.shape}")
    tested = np.isfinite(given)
    if np.any((given[tested] < 0) | (given[tested] > 1)):
        raise UserError("p-values must be in [0, 1]")
    adjusted = np.full_like(given, np.nan)
    m = int(tested.sum())
    if m == 0:
        return adjusted
    values = given[tested]
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    if how == "holm":
        ranked = np.maximum.accumulate(ranked * np.arange(m, 0, -1))
    else:
        ranked = np.minimum.accumulate((ranked * m / np.arange(1, m + 1))[::-1])[::-1]
    back = np.empty(m)
    back[order] = np.minimum(ranked, 1.0)
    adjusted[tested] = back
    return adjusted


def max_t(permuted: Real[np.ndarray, "draws m"], *, step_down: bool = True) -> Float[np.ndarray, "m"]:
    """Westfall-Young adjusted p-values from statistics recomputed on the same relabellings.

    Args:
        permuted: one row a relabelling, one column a look (a time, a threshold, a channel); **row 0 is the
            observed labelling**; large means evidence. Columns must be comparable in scale (studentise them).
            A column that is NaN in row 0 is not tested; NaN elsewhere counts as "no evidence".
        step_down: the step-down version, uniformly stronger than the single step.

    Returns:
        Adjusted p for each column (Westfall and Young 1993, algorithm 4.1). The smallest reachable is ``1 /
        draws``.
    """
    table = np.asarray(permuted, dtype=float)
    if table.ndim != 2 or len(table) < 1:
        raise UserError(f"max_t: expected a table of relabellings x looks, got shape {table.shape}")
    adjusted = np.full(table.shape[1], np.nan)
    tested = np.flatnonzero(np.isfinite(table[0]))
    if len(tested) == 0:
        return adjusted
    looks = np.where(np.isnan(table[:, tested]), -np.inf, table[:, tested])
    order = np.argsort(-looks[0], kind="stable")
    ranked = looks[:, order]
    best = np.maximum.accumulate(ranked[:, ::-1], axis=1)[:, ::-1] if step_down else ranked.max(axis=1, keepdims=True)
    slack = 1e-12 * np.maximum(1.0, np.abs(ranked[0]))
    p = np.maximum.accumulate((best >= ranked[0] - slack).mean(axis=0))
    adjusted[tested[order]] = p
    return adjusted
