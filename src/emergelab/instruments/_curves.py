"""What every instrument does first: turn labelled data into one block (condition, seed, time) with a real
time axis."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest

__all__ = ["Curves", "as_dataset", "beside", "curves"]

_LARGEST = 1e100  # beyond this a value is a failure, and its square leaves the range of floats


@dataclass(frozen=True)
class Curves:
    """Trajectories of one observable on a common, increasing time axis.

    Attributes:
        values: NaN where there is no record (not yet written, ended, undefined).
        time: real coordinate, increasing; never the position in the array.
        conditions: names along the first axis (one name, "all", if the data have no such dim).
        seeds: labels along the second axis.
        name: name of the observable.
        unit: its unit, or "".
        time_name: name of the time dim.
        time_unit: its unit, or "".
        has_seeds: whether the data had a seed dim; if not, every interval is "within-run only".
        notes: what was done to the data on the way (infinities, repeated times, masked ends), one sentence
            each.
        attrs: attributes of the observable (may hold "low" and "high").
    """

    values: Float[np.ndarray, "condition seed time"]
    time: Float[np.ndarray, "time"]
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    name: str
    unit: str
    time_name: str
    time_unit: str
    has_seeds: bool
    notes: tuple[str, ...]
    attrs: dict[str, Any]

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of values, times and labels."""
        h = hashlib.sha256()
        h.update(np.ascontiguousarray(self.values).tobytes())
        h.update(np.ascontiguousarray(self.time).tobytes())
        h.update(repr((self.conditions, tuple(str(s) for s in self.seeds), self.name)).encode())
        return h.hexdigest()[:16]


def as_dataset(data: Any) -> xr.Dataset | xr.DataArray:
    """The labelled data inside a Run, a Dataset or a DataArray."""
    if isinstance(data, xr.Dataset | xr.DataArray):
        return data
    inner = getattr(data, "data", None)
    if isinstance(inner, xr.Dataset | xr.DataArray):
        return inner
    raise UserError(
        f"an instrument reads an emergelab Run, an xarray.Dataset or an xarray.DataArray, got "
        f"{type(data).__name__}; "
        "name the dims first: xarray.DataArray(values, dims=('seed', 'time'), coords={'time': steps})"
    )


def _pick(data: xr.Dataset | xr.DataArray, var: str | None) -> xr.DataArray:
    if isinstance(data, xr.DataArray):
        if var is not None and data.name is not None and var != data.name:
            raise UserError(f"the array is named {data.name!r}, not {var!r}")
        return data if data.name is not None else data.rename(var or "value")
    names = [str(n) for n in data.data_vars if n not in ("ended", "censored")]
    if var is None:
        if len(names) != 1:
            raise UserError(f"the data hold {len(names)} observables; say which one: {', '.join(names) or '(none)'}")
        var = names[0]
    if var not in names:
        raise UserError(f"no observable {var!r} in the data{nearest(var, names)}")
    return data[var]


def _numeric_time(array: xr.DataArray, along: str) -> Float[np.ndarray, "time"]:
    if along not in array.dims:
        dims = [str(d) for d in array.dims]
        raise UserError(f"observable {array.name!r} has no dim {along!r}{nearest(along, dims)} (pass along=...)")
    if along not in array.coords:
        raise UserError(
            f"dim {along!r} has no coordinate: instruments never take the position in an array for time; "
            f"use .assign_coords({along}=steps)"
        )
    raw = np.asarray(array[along].values)
    if np.issubdtype(raw.dtype, np.datetime64):
        return (raw - raw.min()) / np.timedelta64(1, "s")
    if np.issubdtype(raw.dtype, np.timedelta64):
        return raw / np.timedelta64(1, "s")
    try:
        return raw.astype(float)
    except (TypeError, ValueError):
        raise UserError(f"coordinate {along!r} must be numbers or dates, got {raw.dtype}") from None


def curves(
    data: Any,
    var: str | None = None,
    *,
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
) -> Curves:
    """Read one observable as a block (condition, seed, time); sorted, infinities and ended records made NaN.

    Raises:
        UserError: the observable, the time dim or its coordinate is missing, or there are dims beyond these
            three.
    """
    source = as_dataset(data)
    array = _pick(source, var)
    notes: list[str] = []
    time = _numeric_time(array, along)
    if isinstance(source, xr.Dataset):
        for mask in ("ended", "censored"):
            if mask in source and along in source[mask].dims:
                array = array.where(~source[mask].astype(bool))
                notes.append(f"records marked {mask!r} are left out, the seed counts as censored there")
    known = {along, seeds, *([by] if by else [])}
    extra = [str(d) for d in array.dims if d not in known]
    if extra:
        raise UserError(
            f"observable {array.name!r} also has the dims {', '.join(extra)}; reduce them first, for "
            f"example with "
            f".mean({extra[0]!r}), or name one as by=..."
        )
    has_seeds = seeds in array.dims
    for name in (by, seeds):
        if name and name not in array.dims:
            array = array.expand_dims(name)
    if by:
        array = array.transpose(by, seeds, along)
        block = np.array(array.values, dtype=float)
        labels = array[by].values if by in array.coords else np.arange(block.shape[0])
        conditions = tuple(str(c) for c in labels) if by in as_names(source, var) else ("all",)
    else:
        block = np.array(array.transpose(seeds, along).values, dtype=float)[None]
        conditions = ("all",)
    labels = array[seeds].values if seeds in array.coords else np.arange(block.shape[1])
    if block.size == 0:
        sizes = ", ".join(f"{d}: {n}" for d, n in zip(array.dims, array.shape, strict=True))
        raise UserError(f"observable {array.name!r} holds no record at all ({sizes})")
    infinite = np.abs(block) > _LARGEST
    if infinite.any():
        notes.append(f"{int(infinite.sum())} infinite or absurdly large values are treated as missing")
        block[infinite] = np.nan
    block, time = _in_order(block, time, notes)
    attrs = dict(array.attrs)
    return Curves(
        values=block,
        time=time,
        conditions=conditions,
        seeds=tuple(np.asarray(labels).tolist()),
        name=str(array.name),
        unit=str(attrs.get("units", attrs.get("unit", ""))),
        time_name=along,
        time_unit=str(source[along].attrs.get("units", source[along].attrs.get("unit", ""))),
        has_seeds=has_seeds,
        notes=tuple(notes),
        attrs=attrs,
    )


def as_names(source: xr.Dataset | xr.DataArray, var: str | None) -> tuple[str, ...]:
    """Names of the dims of the observable as it was given."""
    return tuple(str(d) for d in _pick(source, var).dims)


def _in_order(block: np.ndarray, time: np.ndarray, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    finite = np.isfinite(time)
    if not finite.all():
        notes.append(f"{int((~finite).sum())} records without a finite time are left out")
        block, time = block[..., finite], time[finite]
    if len(time) == 0:
        raise UserError("no record has a finite time")
    order = np.argsort(time, kind="stable")
    block, time = block[..., order], time[order]
    unique, first = np.unique(time, return_index=True)
    if len(unique) < len(time):
        notes.append(f"{len(time) - len(unique)} records share their time with another one and are averaged")
        count = np.add.reduceat(np.isfinite(block), first, axis=-1)
        total = np.add.reduceat(np.nan_to_num(block), first, axis=-1)
        block = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        time = unique
    return block, time


def beside(
    data: Any, other: str | float | xr.DataArray | None, like: Curves, role: str, by: str | None, seeds: str
) -> Float[np.ndarray, "condition seed time"] | None:
    """A quantity on the same records (a standard error, a chance level, a companion), broadcast to the block
    of ``like``."""
    if other is None:
        return None
    shape = like.values.shape
    if isinstance(other, int | float | np.integer | np.floating):
        return np.full(shape, float(other))
    source = as_dataset(data)
    if isinstance(other, str):
        if not isinstance(source, xr.Dataset) or other not in source:
            names = [str(n) for n in source.data_vars] if isinstance(source, xr.Dataset) else []
            raise UserError(f"{role}: no variable {other!r} beside {like.name!r}{nearest(other, names)}")
        array = source[other]
    elif isinstance(other, xr.DataArray):
        array = other
    else:
        raise UserError(f"{role}: expected a number, the name of a variable or a DataArray, got {type(other).__name__}")
    if like.time_name not in array.dims:  # constant in time: a level per condition or seed
        reference = _pick(source, like.name if isinstance(source, xr.Dataset) else None)
        array = array.expand_dims({like.time_name: reference[like.time_name].values})
    own = curves(array.rename(role), None, along=like.time_name, by=by, seeds=seeds)
    at = np.searchsorted(own.time, like.time)
    if (
        len(own.time) == 0
        or np.any(at >= len(own.time))
        or np.any(own.time[np.minimum(at, len(own.time) - 1)] != like.time)
    ):
        raise UserError(f"{role}: its {like.time_name} coordinate does not cover that of {like.name!r}")
    block = own.values[..., at]
    for axis, (mine, theirs) in enumerate(((own.conditions, like.conditions), (own.seeds, like.seeds))):
        if len(mine) == len(theirs) and mine != theirs:
            if set(mine) != set(theirs):
                raise UserError(
                    f"{role}: its labels {list(mine)[:5]} are not those of {like.name!r}: {list(theirs)[:5]}"
                )
            block = np.take(block, [mine.index(label) for label in theirs], axis=axis)
        elif len(mine) not in (1, len(theirs)):
            raise UserError(f"{role}: {len(mine)} labels where {like.name!r} has {len(theirs)}")
    return np.broadcast_to(block, shape).copy()
