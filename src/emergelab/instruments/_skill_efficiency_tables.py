"""Tables of `skill_efficiency`: systems, runs, ingredients, other axes of cost, prequential code lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError
from emergelab.instruments._curves import as_dataset
from emergelab.instruments._skill_efficiency_read import Learning, read_learning
from emergelab.instruments._skill_efficiency_standins import Reached, reach
from emergelab.instruments._skill_efficiency_tests import mean_ranks, tau
from emergelab.statistics import estimate

__all__ = ["axes_table", "codelength_table", "ingredients_table", "systems_table", "tasks_table"]


def systems_table(
    block: Learning, reached: Reached, every: Mapping[str, Any], level: float, draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Each system: in how many runs the threshold is reached, median experience, and every stand-in."""
    rows = []
    for s, system in enumerate(block.systems):
        seen = np.isfinite(reached.bound[s])
        at = np.sort(np.where(reached.never[s], np.inf, reached.at[s])[seen])
        middle = float(at[(len(at) - 1) // 2]) if len(at) else np.nan
        row: dict[str, Any] = {
            "system": system, "runs": int(seen.sum()), "reached": int(np.isfinite(reached.at[s]).sum()),
            "median_experience": middle if np.isfinite(middle) else np.nan,
        }  # fmt: skip
        for name in ("area", "final", "score"):
            values = np.where(np.isfinite(every[name][s]), every[name][s], np.nan)
            over_tasks = values.shape[1] >= 5
            units = [
                v[np.isfinite(v)].mean() if np.isfinite(v).any() else np.nan
                for v in (values.T if over_tasks else values)
            ]
            e = estimate(np.array(units, dtype=float), level=level, draws=max(200, draws), rng=rng)
            row |= {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
        rows.append(row)
    return pd.DataFrame(rows)


def tasks_table(block: Learning, reached: Reached, every: Mapping[str, Any]) -> pd.DataFrame:
    """One row a system, seed and task."""
    s, r, t = reached.at.shape
    columns: dict[str, Any] = {
        "system": np.repeat(np.array(block.systems, dtype=object), r * t),
        "seed": np.tile(np.repeat(np.array(block.seeds, dtype=object), t), s),
        "task": np.tile(np.array(block.tasks, dtype=object), s * r),
        "after": np.where(np.isfinite(reached.at), reached.after, np.nan).ravel(),
        "experience": reached.at.ravel(),
        "last_record": reached.bound.ravel(),
        "never": reached.never.ravel(),
        "zero_shot": block.zero_shot.ravel(),
    }
    columns |= {name: every[name].ravel() for name in ("area", "final")}
    columns["surplus"] = -every["surplus"].ravel()
    return pd.DataFrame(columns)


def ingredients_table(
    block: Learning,
    parts: Mapping[str, Float[np.ndarray, "system seed task"]],
    bits: Float[np.ndarray, "system"] | None,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """theta, GD, P, E and their score for each system: means over seeds and tasks, and the interval of the score.

    ``bits``, the compressed size of each system, stands beside them in a column of its own if it is given.
    """
    rows = []
    for s, system in enumerate(block.systems):
        row: dict[str, Any] = {"system": system}
        for name, values in parts.items():
            seen = values[s][np.isfinite(values[s])]
            row[name] = float(seen.mean()) if len(seen) else np.nan
        by_task = parts["score"][s].T if len(block.tasks) >= 5 else parts["score"][s]
        units = np.array([v[np.isfinite(v)].mean() if np.isfinite(v).any() else np.nan for v in by_task])
        e = estimate(units, level=level, draws=max(200, draws), rng=rng)
        rows.append(row | {"score_low": e.low, "score_high": e.high})
    table = pd.DataFrame(rows)
    return table if bits is None else table.assign(code_bits_upper_bound=bits)


def axes_table(
    block: Learning,
    theta: Float[np.ndarray, "task"],
    k: int,
    costs: Mapping[str, Mapping[str, float] | xr.DataArray] | None,
    by: str | None,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Median cost of reaching the threshold along each axis, the order of systems, and its tau with the first axis."""
    count = len(block.systems)
    scales: dict[str, Float[np.ndarray, "system"]] = {block.axis: np.ones(count)}
    for name, given in (costs or {}).items():
        if isinstance(given, xr.DataArray):
            if given.dims != (by,) or given.sizes[by] != count:
                raise UserError(f"skill_efficiency: costs {name!r} must have the dim {by!r} with {count} systems")
            scales[name] = given.values.astype(float)
        else:
            missing = [s for s in block.systems if s not in given]
            if missing:
                raise UserError(f"skill_efficiency: costs {name!r} have no value for {missing[0]!r}")
            scales[name] = np.array([float(given[s]) for s in block.systems])
        if not (np.isfinite(scales[name]).all() and (scales[name] > 0).all()):
            raise UserError(f"skill_efficiency: costs {name!r} must be above 0")
    rows, first = [], None
    for name, scale in scales.items():
        reached = reach(block.skill, scale[:, None] * block.experience[None], theta, k)
        late = np.where(reached.never, np.inf, reached.at)
        ranks = mean_ranks(
            -np.where(np.isfinite(late), np.log(np.maximum(late, 1e-300)), np.where(reached.never, 800.0, np.nan))
        )
        first = ranks if first is None else first
        agree = tau(first, ranks)
        for s, system in enumerate(block.systems):
            own = np.sort(late[s][~np.isnan(late[s])])
            middle = float(own[(len(own) - 1) // 2]) if len(own) else np.nan
            rows.append((name, system, middle if np.isfinite(middle) else np.nan, float(ranks[s]), agree))
    return pd.DataFrame(rows, columns=["axis", "system", "median_cost", "mean_rank", "tau_with_experience"])


def codelength_table(
    data: Any,
    probability: str | xr.DataArray | None,
    block: Learning,
    outcomes: int,
    call: Mapping[str, Any],
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Prequential code length of each system in bits: the sum of -log2 of the probability of what came."""
    columns = ["system", "examples", "bits", "low", "high", "bits_per_example", "gain_over_uniform", "gain_over_first"]
    if probability is None:
        return pd.DataFrame(columns=columns)
    source = as_dataset(data)[probability] if isinstance(probability, str) else probability
    given = read_learning(source, None, sign=1.0, attempts=1, **call)
    values = given.skill
    if np.nanmin(values, initial=1.0) < 0 or np.nanmax(values, initial=0.0) > 1:
        raise UserError("skill_efficiency: probability holds values outside [0, 1]")
    bits = -np.log2(np.clip(values, 1e-12, 1.0))
    seen = np.isfinite(values)
    total = np.where(seen.any(axis=-1), np.where(seen, bits, 0.0).sum(axis=-1), np.nan)
    examples = seen.sum(axis=-1)
    rows, reference = [], float("nan")
    for s, system in enumerate(given.systems):
        own = np.array([v[np.isfinite(v)].mean() if np.isfinite(v).any() else np.nan for v in total[s]])
        e = estimate(own, level=level, draws=max(200, draws), rng=rng)
        n = float(examples[s][np.isfinite(total[s])].mean()) if np.isfinite(total[s]).any() else float("nan")
        reference = e.value if s == 0 else reference
        each = e.value / n if n > 0 else float("nan")
        gain = n * float(np.log2(outcomes)) - e.value
        rows.append((system, n, e.value, e.low, e.high, each, gain, reference - e.value))
    return pd.DataFrame(rows, columns=columns)
