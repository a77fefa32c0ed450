"""Reading what `behaviours` is asked about: positions of agents over time, and what else is recorded of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset

__all__ = ["Tracks", "read", "shapes"]

_LARGEST = 1e100
_MASKS = ("ended", "censored")

Region = tuple[str, Float[np.ndarray, "*n"]]
"""A kind ("circle", "box" or "polygon") and its numbers."""


@dataclass(frozen=True)
class Tracks:
    """Agents over time. A run is one condition and one seed; runs lie condition by condition.

    Attributes:
        positions: NaN where an agent is not there; None where the data hold no positions.
        variables: name -> array (run, agent, time): numbers (NaN: unknown) or words ("": unknown).
        kinds: name -> "number", "text" or "flag".
        time: real coordinate, increasing.
        agents, parts, conditions: names.
        seeds: labels.
        has_seeds: whether the data had a seed dim.
        name: name of the data.
        length_unit, time_unit, time_name: for the words.
        notes: what was done to the data on the way.
    """

    positions: Float[np.ndarray, "run agent part time space"] | None
    variables: Mapping[str, np.ndarray]
    kinds: Mapping[str, str]
    time: Float[np.ndarray, "time"]
    agents: tuple[str, ...]
    parts: tuple[str, ...]
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    has_seeds: bool
    name: str
    length_unit: str
    time_unit: str
    time_name: str
    notes: tuple[str, ...]

    @property
    def runs(self) -> int:
        """Conditions times seeds."""
        return len(self.conditions) * len(self.seeds)

    @property
    def widths(self) -> Float[np.ndarray, "time"]:
        """The time that each record stands for: half way to its neighbours, the ends as if the grid went on."""
        if len(self.time) < 2:
            return np.zeros(len(self.time))
        gaps = np.diff(self.time)
        return 0.5 * (np.append(gaps, gaps[-1]) + np.insert(gaps, 0, gaps[0]))

    @property
    def clock(self) -> Float[np.ndarray, "edge"]:
        """The edges of what records stand for, from 0: a bout lasts from the edge of its start to that of its stop."""
        return np.append(0.0, np.cumsum(self.widths))

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of values, times and labels."""
        h = hashlib.sha256(np.ascontiguousarray(self.time).tobytes())
        if self.positions is not None:
            h.update(np.ascontiguousarray(self.positions).tobytes())
        for name, block in self.variables.items():
            h.update(name.encode() + repr(block.tolist() if block.dtype.kind == "U" else block.tobytes()).encode())
        h.update(repr((self.agents, self.parts, self.conditions, tuple(map(str, self.seeds)))).encode())
        return h.hexdigest()[:16]


@dataclass(frozen=True)
class _Dims:
    by: str
    seeds: str
    agents: str
    along: str


def read(
    data: Any, var: str | None, along: str, agents: str, space: str, keypoint: str, by: str | None, seeds: str
) -> Tracks:
    """Labelled data as tracks."""
    source = as_dataset(data)
    if isinstance(source, xr.DataArray):
        source = source.rename(str(source.name) if source.name is not None else "state").to_dataset()
    arrays = {str(n): a for n, a in source.data_vars.items() if n not in _MASKS and along in a.dims}
    if not arrays:
        raise UserError(f"behaviours: no variable has the dim {along!r}{nearest(along, map(str, source.dims))}")
    if along not in source.coords:
        raise UserError(
            f"dim {along!r} has no coordinate: instruments never take the position in an array for time; "
            f"use .assign_coords({along}=times)"
        )
    placed = [n for n, a in arrays.items() if space in a.dims]
    if var is not None and var not in placed:
        raise UserError(f"behaviours: no variable {var!r} with the dim {space!r}{nearest(var, placed)}")
    if var is None and len(placed) > 1:
        raise UserError(f"behaviours: which variable holds the positions? var= one of {', '.join(placed)}")
    where = var or (placed[0] if placed else None)
    dims, notes = _Dims(by or "condition", seeds, agents, along), []
    sizes = {d: source.sizes.get(d, 1) for d in (dims.by, seeds, agents)}
    if 0 in (source.sizes[along], *sizes.values()):
        raise UserError("behaviours: the data hold no record at all")
    gone = xr.zeros_like(source[along], dtype=bool)
    for mask in _MASKS:
        if mask in source and along in source[mask].dims:
            gone = gone | source[mask].astype(bool)
            notes.append(f"records marked {mask!r} are left out")
    time, keep = _times(source[along], along, notes)
    positions: np.ndarray | None = None
    parts: tuple[str, ...] = ()
    conditions = _labels(source, dims.by, sizes[dims.by]) if dims.by in source.dims else ("all",)
    if where is not None:
        positions, parts = _positions(arrays[where].where(~gone), dims, sizes, space, keypoint, keep, notes)
    variables, kinds = {}, {}
    for name, array in arrays.items():
        if name in placed or set(map(str, array.dims)) - {dims.by, seeds, agents, along}:
            continue
        variables[name], kinds[name] = _variable(array, gone, dims, sizes, keep)
    if positions is None and not variables:
        raise UserError(
            f"behaviours: expected positions (seed, {agents}, {along}, {space}) or a state (seed, {agents}, {along}), "
            f"got the dims {', '.join(map(str, source.dims))}; pass agents=... or space=..."
        )
    attrs = source[where].attrs if where else {}
    clock = source[along].attrs
    return Tracks(
        positions=positions,
        variables=variables,
        kinds=kinds,
        time=time,
        agents=tuple(str(a) for a in _labels(source, agents, sizes[agents])),
        parts=parts,
        conditions=tuple(str(c) for c in conditions),
        seeds=tuple(np.asarray(_labels(source, seeds, sizes[seeds])).tolist()),
        has_seeds=seeds in source.dims,
        name=where or ", ".join(variables),
        length_unit=str(attrs.get("units", attrs.get("unit", ""))),
        time_unit=str(clock.get("units", clock.get("unit", ""))),
        time_name=along,
        notes=tuple(notes),
    )  # fmt: skip


def _labels(source: xr.Dataset, dim: str, count: int) -> Any:
    return source[dim].values if dim in source.coords and dim in source.dims else np.arange(count)


def _times(coordinate: xr.DataArray, along: str, notes: list[str]) -> tuple[Float[np.ndarray, "time"], np.ndarray]:
    """Increasing times, and the records at which they are found."""
    raw = np.asarray(coordinate.values)
    if raw.dtype.kind in "mM":
        start = raw.min() if raw.dtype.kind == "M" else np.timedelta64(0, "s")
        raw = (raw - start) / np.timedelta64(1, "s")
    try:
        time = raw.astype(float)
    except (TypeError, ValueError):
        raise UserError(f"coordinate {along!r} must be numbers or dates, got {raw.dtype}") from None
    order = np.argsort(time, kind="stable")
    order = order[np.isfinite(time[order])]
    if not len(order):
        raise UserError("behaviours: no record has a finite time")
    fresh = np.append(True, np.diff(time[order]) > 0)
    if len(order) < len(time) or not fresh.all():
        notes.append(f"{len(time) - int(fresh.sum())} records have no time of their own and are left out")
    keep = order[fresh]
    return time[keep], keep


def _full(array: xr.DataArray, dims: _Dims, sizes: dict[str, int], last: tuple[str, ...]) -> np.ndarray:
    """The values with axes (run, agent, time, *last); what does not vary along a dim is repeated."""
    for dim in (dims.by, dims.seeds, dims.agents):
        if dim not in array.dims:
            array = array.expand_dims({dim: sizes[dim]})
    values = array.transpose(dims.by, dims.seeds, dims.agents, dims.along, *last).values
    return np.asarray(values).reshape(values.shape[0] * values.shape[1], *values.shape[2:])


def _positions(
    array: xr.DataArray,
    dims: _Dims,
    sizes: dict[str, int],
    space: str,
    keypoint: str,
    keep: np.ndarray,
    notes: list[str],
) -> tuple[Float[np.ndarray, "run agent part time space"], tuple[str, ...]]:
    extra = [str(d) for d in array.dims if d not in (dims.by, dims.seeds, dims.agents, dims.along, space, keypoint)]
    if extra:
        raise UserError(f"behaviours: the positions also have the dims {', '.join(extra)}; reduce or rename them first")
    names: tuple[str, ...] = ()
    if keypoint in array.dims:
        labels = array[keypoint].values if keypoint in array.coords else range(array.sizes[keypoint])
        names = tuple(str(n) for n in labels)
    else:
        array = array.expand_dims(keypoint)
    if array.size == 0:
        raise UserError("behaviours: the data hold no record at all")
    try:
        block = np.array(_full(array, dims, sizes, (keypoint, space)), dtype=float)[:, :, keep]
    except (TypeError, ValueError):
        raise UserError(f"behaviours: positions must be numbers, got {array.dtype}") from None
    wild = ~np.isfinite(block) & ~np.isnan(block) | (np.abs(block) > _LARGEST)
    if wild.any():
        notes.append(f"{int(wild.sum())} infinite or absurdly large positions are treated as missing")
    block[np.broadcast_to((wild | np.isnan(block)).any(axis=-1, keepdims=True), block.shape)] = np.nan
    return np.moveaxis(block, 3, 2), names


def _variable(
    array: xr.DataArray, gone: xr.DataArray, dims: _Dims, sizes: dict[str, int], keep: np.ndarray
) -> tuple[np.ndarray, str]:
    """Numbers or words by run, agent and time, and which of the two."""
    kind = array.dtype.kind
    if kind in "biuf":
        block = _full(array.astype(float).where(~gone), dims, sizes, ())[:, :, keep]
        block = np.where(np.isfinite(block) & (np.abs(block) <= _LARGEST), block, np.nan)
        return block, "flag" if kind == "b" else "number"
    words = _full(array.astype(object).where(~gone), dims, sizes, ())[:, :, keep]
    flat = ["" if w is None or (isinstance(w, float) and np.isnan(w)) else str(w) for w in words.ravel()]
    return np.array(flat, dtype=str).reshape(words.shape), "text"


def shapes(regions: Mapping[str, Any] | None, space: int) -> dict[str, Region]:
    """Regions as the user writes them: a circle (x, y, radius), a box (x0, y0, x1, y1), or corners [(x, y), ...]."""
    found: dict[str, Region] = {}
    for name, given in (regions or {}).items():
        try:
            values = np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            values = np.array(np.nan)
        kind = {(3,): "circle", (4,): "box"}.get(values.shape, "polygon")
        corners = values.ndim == 2 and values.shape[0] >= 3 and values.shape[1] == 2
        if not np.isfinite(values).all() or (kind == "polygon" and not corners):
            raise UserError(
                f"behaviours: region {name!r} must be a circle (x, y, radius), a box (x0, y0, x1, y1) or three or more "
                "corners [(x, y), ...]"
            )
        if space != 2:
            raise UserError(f"behaviours: regions lie in two dimensions, the positions have {space}")
        found[str(name)] = (kind, values)
    return found
