"""Reading artefacts: labels, strings, vectors, or a ready curve, as one block (condition, seed, time, item)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset

__all__ = ["KINDS", "Artefacts", "beside_artefacts", "read_artefacts"]

KINDS = ("labels", "strings", "vectors", "curve")

_LARGEST = 1e100


@dataclass(frozen=True)
class Artefacts:
    """What the system made, record by record.

    Attributes:
        types: number of the type of each artefact (equal labels or strings); -1 where there is none. For vectors types
            are made later, by the archive.
        vectors: None unless the artefacts are vectors.
        texts: None unless they are strings.
        curve: None unless a ready curve was given (a cumulative count, a fitness).
        present: whether there is an artefact.
        kind: one of `KINDS`.
    """

    types: Int[np.ndarray, "condition seed time item"]
    vectors: Float[np.ndarray, "condition seed time item feature"] | None
    texts: np.ndarray | None
    curve: Float[np.ndarray, "condition seed time"] | None
    present: Bool[np.ndarray, "condition seed time item"]
    time: Float[np.ndarray, "time"]
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    kind: str
    name: str
    time_name: str
    time_unit: str
    has_seeds: bool
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of what was made, when, and by which seed."""
        h = hashlib.sha256(np.ascontiguousarray(self.types).tobytes())
        for block in (self.vectors, self.curve, self.time):
            if block is not None:
                h.update(np.ascontiguousarray(block).tobytes())
        h.update(repr((self.conditions, tuple(map(str, self.seeds)), self.name)).encode())
        return h.hexdigest()[:16]


def read_artefacts(
    data: Any,
    var: str | None,
    *,
    kind: str | None,
    along: str,
    by: str | None,
    seeds: str,
    item: str,
    feature: str,
) -> Artefacts:
    """Artefacts with any of the dims (``by``, ``seeds``, ``along``, ``item``, ``feature``); ``along`` is needed.

    Raises:
        UserError: a dim or its coordinate is missing, or the values are not of the kind asked for.
    """
    if kind is not None and kind not in KINDS:
        raise UserError(f"novelty: no kind {kind!r}{nearest(kind, KINDS)}")
    array = _pick(as_dataset(data), var)
    dims = [str(d) for d in array.dims]
    if along not in dims:
        raise UserError(f"novelty: artefacts {array.name!r} have no dim {along!r}{nearest(along, dims)}")
    if along not in array.coords:
        raise UserError(
            f"dim {along!r} has no coordinate: instruments never take the position in an array for time; "
            f"use .assign_coords({along}=steps)"
        )
    if array.size == 0:
        raise UserError(f"novelty: artefacts {array.name!r} hold no record at all")
    known = [d for d in (by, seeds, along, item, feature) if d]
    extra = [d for d in dims if d not in known]
    if extra:
        raise UserError(
            f"novelty: artefacts {array.name!r} also have the dims {', '.join(extra)}; reduce or rename them"
        )
    try:
        time = np.asarray(array[along].values).astype(float)
    except (TypeError, ValueError):
        raise UserError(f"coordinate {along!r} must be numbers, got {array[along].dtype}") from None
    if not np.isfinite(time).all() or len(np.unique(time)) < len(time):
        raise UserError(f"coordinate {along!r} must hold finite numbers, each once")
    found = kind or _kind_of(array, feature, item)
    unit = str(array[along].attrs.get("units", ""))
    has_seeds = seeds in dims
    names = tuple(str(v) for v in array[by].values) if by in dims and by in array.coords else None
    labels = tuple(np.asarray(array[seeds].values).tolist()) if has_seeds and seeds in array.coords else None
    values = _laid_out(array, [by, seeds, along, item], feature if found == "vectors" else None)
    order = np.argsort(time, kind="stable")
    values, time = np.take(values, order, axis=2), time[order]
    c, s = values.shape[:2]
    empty = Artefacts(
        types=np.full(values.shape[:4], -1, dtype=np.int64),
        vectors=None,
        texts=None,
        curve=None,
        present=np.zeros(values.shape[:4], dtype=bool),
        time=time,
        conditions=names or (("all",) if by not in dims else tuple(str(i) for i in range(c))),
        seeds=labels or tuple(range(s)),
        kind=found,
        name=str(array.name or "artefacts"),
        time_name=along,
        time_unit=unit,
        has_seeds=has_seeds,
        notes=(),
    )
    if found == "strings":
        return _with_strings(empty, values)
    try:
        numbers = values.astype(float)
    except (TypeError, ValueError):
        raise UserError(
            f"novelty: artefacts {array.name!r} of {values.dtype} are not numbers; kind='strings'?"
        ) from None
    notes = []
    wild = np.abs(numbers) > _LARGEST
    if wild.any():
        notes.append(f"{int(wild.sum())} infinite or absurdly large values are treated as missing")
        numbers[wild] = np.nan
    empty = replace(empty, notes=tuple(notes))
    if found == "vectors":
        present = np.isfinite(numbers).all(axis=-1)
        return replace(empty, vectors=np.where(present[..., None], numbers, np.nan), present=present)
    present = np.isfinite(numbers)
    if found == "curve":
        if numbers.shape[3] != 1:
            raise UserError("novelty: a curve has no dim of items; sum over it first")
        return replace(empty, curve=numbers[..., 0], present=present)
    if np.any(numbers[present] != np.round(numbers[present])):
        raise UserError(
            f"novelty: {array.name!r} holds fractions, so it holds no labels; for embeddings name the dim feature=..., "
            "for a ready curve say kind='curve'"
        )
    types = np.full(numbers.shape, -1, dtype=np.int64)
    types[present] = np.unique(numbers[present], return_inverse=True)[1]
    return replace(empty, types=types, present=present)


def _pick(source: xr.Dataset | xr.DataArray, var: str | None) -> xr.DataArray:
    if isinstance(source, xr.DataArray):
        return source
    names = [str(n) for n in source.data_vars]
    if var is None:
        var = "artefacts" if "artefacts" in names else names[0] if len(names) == 1 else None
    if var is None or var not in names:
        raise UserError(f"novelty: which variable holds the artefacts?{nearest(var or 'artefacts', names)}")
    return source[var]


def _kind_of(array: xr.DataArray, feature: str, item: str) -> str:
    if feature in array.dims:
        return "vectors"
    return "strings" if array.dtype.kind in "OUS" else "labels"


def _laid_out(array: xr.DataArray, lead: list[str | None], feature: str | None) -> np.ndarray:
    """Values with axes (condition, seed, time, item [, feature]), missing ones of length 1."""
    dims = [d or "__condition" for d in lead] + ([feature] if feature else [])
    for d in dims:
        if d not in array.dims:
            array = array.expand_dims(d)
    return np.array(array.transpose(*dims).values)


def _with_strings(empty: Artefacts, values: np.ndarray) -> Artefacts:
    flat = np.array([v if isinstance(v, str) else "" for v in values.ravel().tolist()], dtype=object)
    texts = flat.reshape(values.shape)
    present = texts != ""
    types = np.full(values.shape, -1, dtype=np.int64)
    if present.any():
        types[present] = np.unique(texts[present].astype(str), return_inverse=True)[1]
    return replace(empty, types=types, texts=texts, present=present)


def beside_artefacts(
    data: Any, other: str | xr.DataArray | None, like: Artefacts, role: str, lead: list[str | None], along: str
) -> Float[np.ndarray, "condition seed time item"] | None:
    """A number for each artefact (passed, solved, a parent), in the order of ``like``; None if not given."""
    if other is None:
        return None
    source = as_dataset(data)
    if isinstance(other, str):
        if not isinstance(source, xr.Dataset) or other not in source:
            names = [str(n) for n in source.data_vars] if isinstance(source, xr.Dataset) else []
            raise UserError(f"novelty: no variable {other!r} for {role}{nearest(other, names)}")
        array = source[other]
    else:
        array = other
    extra = [str(d) for d in array.dims if d not in [d for d in lead if d]]
    if extra:
        raise UserError(f"novelty: {role} also has the dims {', '.join(extra)}")
    if along in array.dims and along in array.coords:
        array = array.sortby(along)
    values = _laid_out(array, lead, None).astype(float)
    try:
        return np.broadcast_to(values, like.types.shape).copy()
    except ValueError:
        raise UserError(f"novelty: {role} has shape {values.shape}, the artefacts {like.types.shape}") from None
