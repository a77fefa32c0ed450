"""Reading learning curves of several systems on several tasks, with their baselines and their other axes of cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset, curves

__all__ = ["Learning", "per_task", "read_learning"]


@dataclass(frozen=True)
class Learning:
    """Skill of every system and seed on every task as experience grows.

    Attributes:
        skill: large is good (losses are turned round); NaN where there is no record.
        experience: the axis, above 0 (records at 0 are the zero-shot skill, kept apart).
        zero_shot: skill before any experience; NaN if there is no record at 0.
        notes: what was done to the data on the way.
    """

    skill: Float[np.ndarray, "system seed task record"]
    experience: Float[np.ndarray, "record"]
    zero_shot: Float[np.ndarray, "system seed task"]
    systems: tuple[str, ...]
    seeds: tuple[Any, ...]
    tasks: tuple[str, ...]
    name: str
    unit: str
    axis: str
    axis_unit: str
    has_seeds: bool
    digest: str
    notes: tuple[str, ...]


def read_learning(
    data: Any,
    var: str | None,
    *,
    sign: float,
    attempts: int,
    along: str,
    by: str | None,
    seeds: str,
    task: str,
) -> Learning:
    """Curves with any of the dims (``by``, ``seeds``, ``task``) and ``along``; "attempt" and "cell" are reduced.

    A task counts as solved if all cells are right in any of the first ``attempts`` attempts.

    Raises:
        UserError: a dim or its coordinate is missing, or experience is below 0.
    """
    source = as_dataset(data)
    array = _pick(source, var)
    notes: list[str] = []
    if "cell" in array.dims:
        array = array.min("cell")
        notes.append("a task counts as right only if all its cells are")
    if "attempt" in array.dims:
        array = array.isel(attempt=slice(0, attempts)).max("attempt")
        notes.append(f"a task counts as solved if one of {attempts} attempts is right")
    labels = tuple(str(v) for v in array[task].values) if task in array.dims and task in array.coords else None
    if task not in array.dims:
        array = array.expand_dims(task)
    if array.sizes[task] == 0:
        raise UserError(f"skill_efficiency: {array.name!r} holds no record at all")
    blocks = [
        curves(array.isel({task: i}, drop=True), None, along=along, by=by, seeds=seeds)
        for i in range(array.sizes[task])
    ]
    first = blocks[0]
    if first.time[0] < 0:
        raise UserError(f"skill_efficiency: experience along {along!r} is below 0")
    values = sign * np.stack([b.values for b in blocks], axis=2)
    none_yet = first.time == 0
    zero = values[..., none_yet][..., 0] if none_yet.any() else np.full(values.shape[:3], np.nan)
    if none_yet.all():
        raise UserError(f"skill_efficiency: experience along {along!r} never leaves 0")
    digests = "".join(b.digest for b in blocks)
    return Learning(
        skill=values[..., ~none_yet],
        experience=first.time[~none_yet],
        zero_shot=zero,
        systems=first.conditions,
        seeds=first.seeds,
        tasks=labels or tuple(str(i) for i in range(len(blocks))),
        name=first.name,
        unit=first.unit,
        axis=along,
        axis_unit=first.time_unit,
        has_seeds=first.has_seeds,
        digest=digests[:16] if len(blocks) == 1 else _short(digests),
        notes=(*dict.fromkeys(n for b in blocks for n in b.notes), *notes),
    )


def _short(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _pick(source: xr.Dataset | xr.DataArray, var: str | None) -> xr.DataArray:
    if isinstance(source, xr.DataArray):
        return source if source.name is not None else source.rename(var or "skill")
    names = [str(n) for n in source.data_vars]
    if var is None and len(names) == 1:
        var = names[0]
    if var is None or var not in names:
        raise UserError(f"skill_efficiency: which variable holds the skill?{nearest(var or 'skill', names)}")
    return source[var]


def per_task(
    value: float | Mapping[str, float] | xr.DataArray | None, tasks: tuple[str, ...], task: str, role: str
) -> Float[np.ndarray, "task"] | None:
    """One number a task from a number, a mapping from tasks, or an array with the dim of tasks."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        missing = [t for t in tasks if t not in value]
        if missing:
            raise UserError(f"skill_efficiency: {role} has no value for task {missing[0]!r}")
        out = np.array([float(value[t]) for t in tasks])
    elif isinstance(value, xr.DataArray):
        if value.dims not in ((), (task,)) or (value.dims and value.sizes[task] != len(tasks)):
            raise UserError(f"skill_efficiency: {role} must have the dim {task!r} with {len(tasks)} tasks")
        out = np.broadcast_to(value.values.astype(float), (len(tasks),)).copy()
    else:
        out = np.full(len(tasks), float(value))
    if not np.isfinite(out).all():
        raise UserError(f"skill_efficiency: {role} must be finite")
    return out
