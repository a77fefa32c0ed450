"""What `order_parameters` reads: a block over control and size, or one number a seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset, as_names, curves

__all__ = ["Keep", "Stage", "System", "observable", "read_stage", "read_system"]

Keep: TypeAlias = float | tuple[float, float] | None

_LARGEST = 1e100  # beyond this a value is a failure, and its fourth power leaves the range of floats
_SMALLEST = 1e-60  # the fourth power of anything smaller is zero


@dataclass(frozen=True)
class System:
    """An order parameter over a grid of control and size, with sizes and controls rising.

    Attributes:
        values: NaN where there is no record; the sweep axis has length 1 unless both directions are there, up first.
        control: values of the control parameter.
        size: values of the size coordinate (an extent, if ``dimension`` is not 1).
        number: number of units, size ** dimension.
        notes: what was done to the data on the way, one sentence each.
    """

    values: Float[np.ndarray, "seed sweep size control record"]
    control: Float[np.ndarray, "control"]
    size: Float[np.ndarray, "size"]
    number: Float[np.ndarray, "size"]
    seeds: tuple[Any, ...]
    name: str
    control_name: str
    control_unit: str
    size_name: str
    has_seeds: bool
    has_records: bool
    swept: bool
    notes: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Stage:
    """One number a seed and condition; NaN where there is none."""

    values: Float[np.ndarray, "condition seed"]
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    name: str
    unit: str
    has_seeds: bool
    notes: tuple[str, ...]
    digest: str


def observable(data: Any, var: str | None) -> xr.DataArray:
    """The observable asked for, with records marked "ended" or "censored" made NaN."""
    source = as_dataset(data)
    as_names(source, var)  # says clearly what is wrong with the name, if anything
    if isinstance(source, xr.DataArray):
        return source if source.name is not None else source.rename(var or "value")
    name = var or next(str(n) for n in source.data_vars if n not in ("ended", "censored"))
    array = source[name]
    for mask in ("ended", "censored"):
        if mask in source and set(source[mask].dims) <= set(array.dims):
            array = array.where(~source[mask].astype(bool))
    return array


def _numbers(array: xr.DataArray, dim: str, role: str) -> Float[np.ndarray, "n"]:
    if dim not in array.coords:
        raise UserError(
            f"order_parameters: dim {dim!r} has no coordinate; {role} needs real values: .assign_coords({dim}=...)"
        )
    try:
        values = np.asarray(array[dim].values).astype(float)
    except (TypeError, ValueError):
        raise UserError(f"order_parameters: coordinate {dim!r} must be numbers, got {array[dim].dtype}") from None
    if len(np.unique(values)) < len(values):
        raise UserError(f"order_parameters: coordinate {dim!r} repeats values; average or select them first")
    return values


def _kept(time: Float[np.ndarray, "time"], keep: Keep, default: float) -> np.ndarray:
    """Which records of a rising axis are used."""
    if isinstance(keep, tuple):
        return (time >= keep[0]) & (time <= keep[1])
    share = default if keep is None else float(keep)
    last = max(1, int(share * len(time) + 1e-9))
    return np.arange(len(time)) >= len(time) - last


def check_keep(keep: Keep) -> None:
    """Refuse a share outside (0, 1] and an interval whose ends are in the wrong order."""
    if isinstance(keep, tuple):
        if len(keep) != 2 or not keep[0] <= keep[1]:
            raise UserError(f"order_parameters: keep must be a share or (from, to) with from <= to, got {keep}")
    elif keep is not None and not 0 < keep <= 1:
        raise UserError(f"order_parameters: keep must be in (0, 1] or an interval of time, got {keep}")


def _digest(*parts: Any) -> str:
    h = hashlib.sha256()
    for part in parts:
        h.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return h.hexdigest()[:16]


def read_system(
    array: xr.DataArray,
    *,
    control: str,
    size: str,
    sweep: str,
    along: str,
    seeds: str,
    dimension: float,
    keep: Keep,
) -> System:
    """The block (seed, sweep, size, control, record), sorted, with a default of the last 80% of the records."""
    dims = [str(d) for d in array.dims]
    extra = [d for d in dims if d not in (control, size, sweep, along, seeds)]
    if extra:
        raise UserError(
            f"order_parameters: with a control parameter, {array.name!r} may not have the dim {extra[0]!r}; "
            f"take one at a time with .sel({extra[0]}=...) or average over it with .mean({extra[0]!r})"
        )
    levels = _numbers(array, control, "the control parameter")
    sizes = _numbers(array, size, "system size") if size in dims else np.ones(1)
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise UserError(f"order_parameters: sizes must be above 0, got {sizes.tolist()}")
    notes: list[str] = []
    swept = sweep in dims
    if swept:
        names = [str(s) for s in array[sweep].values] if sweep in array.coords else []
        if sorted(names) != ["down", "up"]:
            raise UserError(
                f'order_parameters: dim {sweep!r} must have the labels "up" and "down", '
                f"got {names}{nearest('up', names)}"
            )
        array = array.sel({sweep: ["up", "down"]})
    labels = array[seeds].values.tolist() if seeds in array.coords and seeds in dims else None
    time = _numbers(array, along, "time") if along in dims else np.zeros(1)
    for name in (control, size, sweep, along, seeds):
        if name not in dims:
            array = array.expand_dims(name)
    block = np.array(array.transpose(seeds, sweep, size, control, along).values, dtype=float)
    if block.size == 0:
        raise UserError(f"order_parameters: {array.name!r} holds no record at all")
    order = np.argsort(time, kind="stable")
    used = order[_kept(time[order], keep, 0.8)] if along in dims else order
    if len(used) == 0:
        raise UserError(f"order_parameters: no record lies within keep={keep}")
    finite = np.isfinite(levels)
    if not finite.all():
        notes.append(f"{int((~finite).sum())} values of {control} are not finite and are left out")
    across = np.argsort(levels, kind="stable")
    across = across[finite[across]]
    if len(across) == 0:
        raise UserError(f"order_parameters: no value of {control!r} is finite")
    by_size = np.argsort(sizes, kind="stable")
    block = block[..., used][:, :, :, across][:, :, by_size]
    wild = np.abs(block) > _LARGEST
    if wild.any():
        notes.append(f"{int(wild.sum())} infinite or absurdly large values are treated as missing")
        block[wild] = np.nan
    digest = _digest(block, levels, sizes, str(array.name))
    top = float(np.nanmax(np.abs(block), initial=0.0)) if np.isfinite(block).any() else 0.0
    if top > 1.0 + 1e-9:
        notes.append(f"{array.name} leaves [-1, 1]; susceptibilities are in its own units squared")
    if top > 1e30 or 0 < top < _SMALLEST:
        block = block / top
        notes.append("values were divided by their largest, so that fourth powers stay within floats")
    if seeds not in dims:
        notes.append("there is no dim of seeds: everything here is within one run only")
    return System(
        values=block,
        control=levels[across],
        size=sizes[by_size],
        number=sizes[by_size] ** dimension,
        seeds=tuple(labels) if labels is not None else tuple(range(block.shape[0])),
        name=str(array.name),
        control_name=control,
        control_unit=str(array[control].attrs.get("units", array[control].attrs.get("unit", ""))),
        size_name=size,
        has_seeds=seeds in dims,
        has_records=block.shape[-1] > 1,
        swept=swept,
        notes=tuple(notes),
        digest=digest,
    )


def read_stage(
    data: Any, array: xr.DataArray, var: str | None, *, along: str, by: str | None, seeds: str, keep: Keep
) -> Stage:
    """One number a seed: the value itself, or the mean of the last records (the last 5% unless told otherwise)."""
    dims = [str(d) for d in array.dims]
    notes: list[str] = []
    if along not in dims:
        array = array.expand_dims({along: [0.0]})
        read = curves(array, None, along=along, by=by, seeds=seeds)
        stage = read.values[..., 0]
    else:
        read = curves(data, var, along=along, by=by, seeds=seeds)
        used = read.values[..., _kept(read.time, keep, 0.05)]
        count = np.isfinite(used).sum(axis=-1)
        stage = np.where(count > 0, np.nan_to_num(used).sum(axis=-1) / np.maximum(count, 1), np.nan)
        notes.append(f"a seed's value is its mean over {used.shape[-1]} of {len(read.time)} records")
    lost = int((~np.isfinite(stage)).sum())
    if lost:
        notes.append(f"{lost} seeds have no value there and are left out")
    if not read.has_seeds:
        notes.append("there is no dim of seeds: nothing can be said about modes over seeds")
    return Stage(stage, read.conditions, read.seeds, read.name, read.unit, read.has_seeds,
                 (*read.notes, *notes), _digest(stage, read.conditions, read.seeds, read.name))  # fmt: skip
