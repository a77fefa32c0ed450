"""What `retention` reads: scores of items along time or lag, and the times at which the items were seen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset

__all__ = ["Dims", "Exposures", "Plan", "Source", "above_foil", "read", "schedule", "unseen"]

Exposures: TypeAlias = str | xr.DataArray | pd.DataFrame | Mapping[Any, Sequence[float]] | Sequence[float] | None
Plan: TypeAlias = list[list[list[Float[np.ndarray, "_"]]]]
"""Times of exposure, rising, by condition, seed and item; empty for an item that is never seen."""

_LARGEST = 1e100  # beyond this a value is a failure, and its square leaves the range of floats


@dataclass(frozen=True)
class Dims:
    """Names of the dims (or columns) in the data."""

    axis: str
    item: str
    by: str | None
    seeds: str

    @property
    def names(self) -> tuple[str, ...]:
        """All of them in the order of the block: condition, seed, item, axis."""
        return (*([self.by] if self.by else []), self.seeds, self.item, self.axis)


@dataclass(frozen=True)
class Source:
    """The data as read.

    Attributes:
        values: divided by ``scale``; NaN without a record.
        axis: times or lags, rising.
        scale: largest absolute value, so that no square or cube leaves the range of floats.
        never: mean score of items that have no lag (a table's rows without one) by condition and seed, not scaled; None
            if there are none.
        has_seeds: whether the data had a dim of seeds; if not, everything is within one run.
    """

    values: Float[np.ndarray, "condition seed item axis"]
    axis: Float[np.ndarray, "axis"]
    scale: float
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    items: tuple[Any, ...]
    name: str
    unit: str
    axis_name: str
    axis_unit: str
    has_seeds: bool
    notes: tuple[str, ...]
    never: xr.DataArray | None = None

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of values, axis and labels."""
        h = hashlib.sha256()
        h.update(np.ascontiguousarray(self.values * self.scale).tobytes())
        h.update(np.ascontiguousarray(self.axis).tobytes())
        h.update(repr((self.conditions, [str(s) for s in (*self.seeds, *self.items)], self.name)).encode())
        return h.hexdigest()[:16]


def read(data: Any, var: str | None, dims: Dims) -> Source:
    """The observable as a block (condition, seed, item, axis), the axis rising, infinities made NaN.

    Raises:
        UserError: the observable, the axis or its coordinate is missing, or there are dims beyond these.
    """
    never = None
    if isinstance(data, pd.DataFrame):
        array, never = _from_table(data, var, dims)
    else:
        array = _from_array(data, var)
    had = [str(d) for d in array.dims]
    extra = [d for d in had if d not in dims.names]
    if extra:
        raise UserError(
            f"retention: {array.name!r} also has the dims {', '.join(extra)}; reduce them first, for example with "
            f".mean({extra[0]!r}), or name one as by=..."
        )
    if dims.axis not in array.coords:
        raise UserError(f"retention: dim {dims.axis!r} has no coordinate; use .assign_coords({dims.axis}=steps)")
    try:
        at = np.asarray(array[dims.axis].values).astype(float)
    except (TypeError, ValueError):
        raise UserError(f"retention: coordinate {dims.axis!r} must be numbers, got {array[dims.axis].dtype}") from None
    whole = array
    for name in dims.names:
        if name not in had:
            whole = whole.expand_dims(name)
    block = np.array(whole.transpose(*dims.names).values, dtype=float)
    block = block if dims.by else block[None]
    if block.size == 0:
        raise UserError(f"retention: {array.name!r} holds no record at all")
    notes: list[str] = []
    wild = np.abs(block) > _LARGEST
    if wild.any():
        notes.append(f"{int(wild.sum())} infinite or absurdly large values are treated as missing")
        block[wild] = np.nan
    block, at = _in_order(block, at, dims.axis, notes)
    if dims.seeds not in had:
        notes.append("there is no dim of seeds: everything here is within one run only")

    def labels(name: str | None, size: int) -> tuple[Any, ...]:
        known = name is not None and name in had and name in array.coords
        return tuple(array[name].values.tolist()) if known else tuple(range(size))

    scale = float(np.nanmax(np.abs(block), initial=0.0)) or 1.0
    conditions = tuple(str(c) for c in labels(dims.by, len(block))) if dims.by in had else ("all",)
    attrs = array.attrs
    return Source(
        values=block / scale,
        axis=at,
        scale=scale,
        conditions=conditions,
        seeds=labels(dims.seeds, block.shape[1]),
        items=labels(dims.item, block.shape[2]),
        name=str(array.name),
        unit=str(attrs.get("units", attrs.get("unit", ""))),
        axis_name=dims.axis,
        axis_unit=str(array[dims.axis].attrs.get("units", array[dims.axis].attrs.get("unit", ""))),
        has_seeds=dims.seeds in had,
        notes=tuple(notes),
        never=never,
    )


def _from_array(data: Any, var: str | None) -> xr.DataArray:
    source = as_dataset(data)
    if isinstance(source, xr.DataArray):
        if var is not None and source.name is not None and var != source.name:
            raise UserError(f"retention: the array is named {source.name!r}, not {var!r}")
        return source if source.name is not None else source.rename(var or "score")
    names = [str(n) for n in source.data_vars if n not in ("ended", "censored")]
    if var is None and len(names) != 1:
        raise UserError(f"retention: the data hold {len(names)} observables; say which one: {', '.join(names)}")
    var = names[0] if var is None else var
    if var not in names:
        raise UserError(f"retention: no observable {var!r} in the data{nearest(var, names)}")
    array = source[var]
    for mask in ("ended", "censored"):
        if mask in source and set(source[mask].dims) <= set(array.dims):
            array = array.where(~source[mask].astype(bool))
    return array


def _from_table(table: pd.DataFrame, var: str | None, dims: Dims) -> tuple[xr.DataArray, xr.DataArray | None]:
    """A long table as an array; rows that share all labels are averaged, rows without a lag are items never seen."""
    names = [str(c) for c in table.columns]
    keys = [d for d in dims.names if d in names]
    numbers = [str(c) for c in table.select_dtypes(["number", "bool"]).columns if c not in keys]
    if var is None:
        if len(numbers) != 1:
            raise UserError(f"retention: which column is the score? var=...; numbers: {', '.join(numbers) or '(none)'}")
        var = numbers[0]
    if var not in names:
        raise UserError(f"retention: the table has no column {var!r}{nearest(var, names)}")
    score = pd.to_numeric(table[var], errors="coerce")
    rows = table[keys].assign(**{var: score})
    without = pd.to_numeric(rows[dims.axis], errors="coerce").isna()
    never = None
    outer = [d for d in (dims.by, dims.seeds) if d in keys]
    if without.any():
        lost = rows[without & np.isfinite(score)]
        if len(lost):
            never = lost.groupby(outer)[var].mean().to_xarray() if outer else xr.DataArray(float(lost[var].mean()))
    rows = rows[~without]
    if rows.empty:
        raise UserError(f"retention: no row of the table has a number in column {dims.axis!r}")
    mean = rows.assign(**{dims.axis: rows[dims.axis].astype(float)}).groupby(keys, sort=True)[var].mean()
    return mean.to_xarray().rename(var), never


def _in_order(block: np.ndarray, at: np.ndarray, name: str, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    finite = np.isfinite(at)
    if not finite.any():
        raise UserError(f"retention: no value of {name!r} is finite")
    order = np.argsort(at, kind="stable")
    order = order[finite[order]]
    block, at = block[..., order], at[order]
    unique, first = np.unique(at, return_index=True)
    if len(unique) < len(at):
        notes.append(f"{len(at) - len(unique)} records share their {name} with another one and are averaged")
        count = np.add.reduceat(np.isfinite(block), first, axis=-1)
        total = np.add.reduceat(np.nan_to_num(block), first, axis=-1)
        block = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return block, unique


def above_foil(data: Any, source: Source, foil: str | xr.DataArray, dims: Dims) -> Source:
    """Recognition between two: 1 where an item scores above its foil, 1/2 where they tie, 0 below."""
    other = read(data, foil, dims) if isinstance(foil, str) else read(foil, None, dims)
    if other.values.shape != source.values.shape or (other.axis != source.axis).any():
        raise UserError(
            f"retention: the foil has the shape {other.values.shape} (condition, seed, item, {dims.axis}) or other "
            f"places along {dims.axis!r}, where {source.name!r} has {source.values.shape}"
        )
    mine, theirs = source.values * source.scale, other.values * other.scale
    known = np.isfinite(mine) & np.isfinite(theirs)
    above = (np.sign(np.where(known, mine, 0.0) - np.where(known, theirs, 0.0)) + 1) / 2
    return replace(source, values=np.where(known, above, np.nan), scale=1.0, unit="share",
                   name=f"recognition ({source.name} above its foil)", never=None)  # fmt: skip


def unseen(
    data: Any, source: Source, baseline: float | str | xr.DataArray | None, dims: Dims, chance: float
) -> tuple[Float[np.ndarray, "condition seed 1 axis"], str]:
    """Score of items that were never seen, divided by the scale; and where it is from, "" if it is merely assumed."""
    shape = (len(source.conditions), len(source.seeds), 1, len(source.axis))
    if baseline is None and source.never is None:
        return np.full(shape, chance / source.scale), "chance of one half" if chance else ""
    if isinstance(baseline, int | float | np.number):
        if not abs(float(baseline)) < _LARGEST:
            raise UserError(f"retention: baseline must be a finite number, got {baseline}")
        return np.full(shape, float(baseline) / source.scale), "a given baseline"
    array = source.never if baseline is None else baseline
    if isinstance(array, str):
        whole = as_dataset(data)
        if not isinstance(whole, xr.Dataset) or array not in whole:
            names = [str(n) for n in whole.data_vars] if isinstance(whole, xr.Dataset) else []
            raise UserError(f"retention: no variable {array!r} with a baseline{nearest(array, names)}")
        array = whole[array]
    if not isinstance(array, xr.DataArray):
        raise UserError(
            f"retention: baseline must be a number, a variable's name or a DataArray, got {type(array).__name__}"
        )
    if dims.item in array.dims:
        array = array.mean(dims.item)
    place = {dims.by: source.conditions, dims.seeds: source.seeds, dims.axis: source.axis.tolist()}
    known = [d for d in place if d is not None and d in array.dims]
    if set(map(str, array.dims)) - set(map(str, known)):
        raise UserError(f"retention: baseline must have dims among {', '.join(map(str, place))}, got {array.dims}")
    picked = array.transpose(*known).astype(float)
    for d in known:
        own = picked[d].values if d in picked.coords else np.arange(picked.sizes[d])
        picked = picked.assign_coords({d: [str(v) for v in own] if d == dims.by else own})
    picked = picked.reindex({d: list(place[d]) for d in known})
    full = picked.values.reshape([len(place[d]) if d in known else 1 for d in place])
    full = np.broadcast_to(full[:, :, None, :], shape)
    return np.where(np.abs(full) < _LARGEST, full, np.nan) / source.scale, "items never seen"


def schedule(data: Any, exposures: Exposures, source: Source, dims: Dims) -> Plan:
    """Times of exposure of every condition, seed and item."""
    if exposures is None:
        raise UserError(
            f"retention: probe series along {dims.axis!r} need exposures=...: the times at which items are seen, as "
            "{item: times}, a table, or a Boolean variable over items and times; for scores by lag name the dim lag=..."
        )
    if isinstance(exposures, str):
        whole = None if isinstance(data, pd.DataFrame) else as_dataset(data)
        if not isinstance(whole, xr.Dataset) or exposures not in whole:
            names = [str(n) for n in whole.data_vars] if isinstance(whole, xr.Dataset) else []
            raise UserError(f"retention: no variable {exposures!r} with exposures{nearest(exposures, names)}")
        exposures = whole[exposures]
    if isinstance(exposures, xr.DataArray):
        if dims.axis not in exposures.dims or not set(map(str, exposures.dims)) <= set(dims.names):
            raise UserError(
                f"retention: exposures must have the dim {dims.axis} and others among {', '.join(dims.names)}, "
                f"got {exposures.dims}"
            )
        long = exposures.rename("shown").to_dataframe().reset_index()
        exposures = long[pd.to_numeric(long["shown"], errors="coerce").fillna(0) > 0].drop(columns="shown")
    if isinstance(exposures, pd.DataFrame):
        return _from_rows(exposures, source, dims)
    if isinstance(exposures, Mapping):
        unknown = [k for k in exposures if k not in source.items]
        if unknown:
            near = nearest(str(unknown[0]), [str(i) for i in source.items])
            raise UserError(f"retention: exposures name an unknown item {unknown[0]!r}{near}")
        own = [_times(exposures.get(k, ())) for k in source.items]
    else:
        own = [_times(exposures) for _ in source.items]
    return [[own for _ in source.seeds] for _ in source.conditions]


def _times(times: Any) -> Float[np.ndarray, "_"]:
    try:
        found = np.asarray(times, dtype=float).ravel()
    except (TypeError, ValueError):
        raise UserError(f"retention: times of exposure must be numbers, got {times!r}") from None
    return np.unique(found[np.isfinite(found)])


def _from_rows(table: pd.DataFrame, source: Source, dims: Dims) -> Plan:
    """One exposure a row; a column that is missing stands for all items, seeds or conditions."""
    if dims.axis not in table.columns:
        raise UserError(f"retention: the table of exposures has no column {dims.axis!r}; it has "
                        f"{', '.join(map(str, table.columns))}")  # fmt: skip
    plan: dict[tuple[int, int, int], list[float]] = {}
    labels = [(dims.by, [str(c) for c in source.conditions]), (dims.seeds, list(source.seeds)),
              (dims.item, list(source.items))]  # fmt: skip
    columns = []
    for name, known in labels:
        if name is None or name not in table.columns:
            columns.append([range(len(known))] * len(table))
            continue
        place = {label: k for k, label in enumerate(known)}
        values = table[name].astype(str).tolist() if name == dims.by else table[name].tolist()
        unknown = [v for v in values if v not in place]
        if unknown:
            raise UserError(f"retention: exposures name an unknown {name} {unknown[0]!r}"
                            f"{nearest(str(unknown[0]), [str(v) for v in known])}")  # fmt: skip
        columns.append([range(place[v], place[v] + 1) for v in values])
    for at, *cells in zip(pd.to_numeric(table[dims.axis], errors="coerce"), *columns, strict=True):
        for c in cells[0]:
            for s in cells[1]:
                for i in cells[2]:
                    plan.setdefault((c, s, i), []).append(float(at))
    return [
        [[_times(plan.get((c, s, i), ())) for i in range(len(source.items))] for s in range(len(source.seeds))]
        for c in range(len(source.conditions))
    ]
