"""Archives of cells and policies over actions, for `diversity`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError
from emergelab.instruments._diversity_kinds import mean_over_last, parts_of, rows_of
from emergelab.instruments._diversity_measures import hill_of_shares, normalised
from emergelab.instruments._diversity_read import Block, Found

__all__ = ["as_time", "of_archive", "of_policies"]

_LARGEST = 1e100


def of_archive(block: Block, time: np.ndarray | None, floor: float, *, along: str) -> Found:
    """Archives of cells: values (condition, seed, record, cell), NaN (or False) where a cell is empty."""
    notes: list[str] = []
    raw = block.values
    filled = (
        raw.astype(bool)
        if raw.dtype.kind == "b"
        else np.abs(np.where(np.isnan(raw.astype(float)), np.inf, raw)) <= _LARGEST
    )
    fitness = np.where(filled, raw.astype(float), np.nan)
    scored = raw.dtype.kind != "b"
    cells = raw.shape[-1]
    held = filled.sum(axis=-1)
    share = held / cells
    gain = np.where(filled, np.nan_to_num(fitness) - floor, 0.0)
    below = int((filled & (np.nan_to_num(fitness) < floor)).sum())
    if scored and below:
        notes.append(f"{below} entries lie below the floor of {floor:g} and take from the QD-score: lower the floor")
    last = share[..., -1]
    new = np.diff(np.maximum.accumulate(filled, axis=2).astype(int), axis=2).sum(axis=(2, 3))
    columns = {"coverage": last, "cells": held[..., -1].astype(float)}
    if filled.shape[2] > 1:
        columns["novelty_rate"] = new / (filled.shape[2] - 1)
        columns["coverage_over_time"] = share.mean(axis=-1)
    if scored:
        columns["QD"] = gain[..., -1, :].sum(axis=-1)
        columns["best"] = np.where(
            held[..., -1] > 0, np.where(filled, fitness, -np.inf)[..., -1, :].max(axis=-1), np.nan
        )
        columns["fitness"] = np.where(
            held[..., -1] > 0, _sum(fitness[..., -1, :]) / np.maximum(held[..., -1], 1), np.nan
        )
    found = Found(
        kind="archive",
        rows=rows_of(block, columns),
        main="coverage",
        compare="coverage",
        able="fitness" if scored else "",
        name="coverage of the archive",
        bounds=(0.0, 1.0),
        observable=str(block.array.name),
        digest=block.digest,
        has_seeds=block.has_seeds,
        notes=notes,
        blind="The number and the size of cells set the coverage, so cells must be fixed before the run. ",
    )
    if time is not None and len(time) > 1:
        found.curve = time, share, along, "coverage"
    for i, condition in enumerate(block.conditions):
        union = float(filled[i, :, -1].any(axis=0).sum())
        found.parts.append(parts_of(condition, float(held[i, :, -1].mean()), union, "cells"))
    return found


def _sum(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values).sum(axis=-1)


def of_policies(block: Block) -> Found:
    """Distributions over actions at shared states: values (condition, seed, state, action)."""
    p = block.values.astype(float)
    fine = ((p >= 0) & (p <= _LARGEST)).all(axis=-1, keepdims=True)
    total = np.where(fine, p, 0.0).sum(axis=-1, keepdims=True)
    fine &= total > 0
    p = np.where(fine, p / np.where(fine, total, 1.0), np.nan)
    notes = [f"{int((~fine).sum())} states hold no distribution and are left out"] if (~fine).any() else []
    actions = p.shape[-1]
    inner = np.log(hill_of_shares(p, 1))
    apart = _distances(p)
    shape = p.shape[:2]
    columns = {"entropy": mean_over_last(normalised(inner, actions)), "JS_to_others": np.full(shape, np.nan)}
    rows = []
    for i, condition in enumerate(block.conditions):
        if shape[1] > 1:
            off = apart[i] + np.where(np.eye(shape[1], dtype=bool), np.nan, 0.0)
            seen = np.isfinite(off)
            columns["JS_to_others"][i] = np.where(seen.any(axis=1), _sum(off) / np.maximum(seen.sum(axis=1), 1), np.nan)
        rows += [
            {"condition": condition, "a": a, "b": block.seeds[k], "JS": float(apart[i, j, k])}
            for j, a in enumerate(block.seeds)
            for k in range(j + 1, shape[1])
        ]
    found = Found(
        kind="policies",
        rows=rows_of(block, columns),
        main="entropy",
        compare="entropy",
        able="",
        name="entropy of the policy",
        bounds=(0.0, 1.0),
        observable=str(block.array.name),
        digest=block.digest,
        has_seeds=block.has_seeds,
        notes=notes,
        tables={"pairs": pd.DataFrame(rows, columns=["condition", "a", "b", "JS"])},
        blind="A policy that acts at random is diverse: the data hold no competence beside it. ",
    )
    for i, condition in enumerate(block.conditions):
        shared = fine[i, ..., 0].all(axis=0)
        if not shared.any():
            found.parts.append(parts_of(condition, float("nan"), float("nan"), "effective actions"))
            continue
        alpha = float(np.exp(inner[i][:, shared].mean()))
        gamma = float(np.exp(np.log(hill_of_shares(p[i][:, shared].mean(axis=0), 1)).mean()))
        found.parts.append(parts_of(condition, alpha, gamma, "effective actions"))
    return found


def _distances(p: Float[np.ndarray, "condition seed state action"]) -> Float[np.ndarray, "condition seed seed"]:
    """Jensen-Shannon divergence of every two policies, as a share of its largest value log 2, over shared states."""
    inner = np.log(hill_of_shares(p, 1))
    n = p.shape[1]
    out = np.zeros((p.shape[0], n, n))
    for j in range(n):
        mixed = np.log(hill_of_shares((p[:, [j]] + p) / 2, 1)) - (inner[:, [j]] + inner) / 2
        out[:, j] = mean_over_last(np.maximum(mixed, 0.0)) / np.log(2)
    return out


def as_time(array: xr.DataArray, along: str) -> Float[np.ndarray, "time"] | None:
    """The coordinate of the records of an archive; None if it has no such dim."""
    if along not in array.dims:
        return None
    if along not in array.coords:
        raise UserError(f"diversity: dim {along!r} has no coordinate; use .assign_coords({along}=steps)")
    return np.asarray(array[along].values, dtype=float)
