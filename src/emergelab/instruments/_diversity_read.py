"""What `diversity` reads: labels, embeddings, archives, policies as labelled arrays; data sets as tables."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Shaped

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset

__all__ = ["Block", "Found", "beside", "mode_codes", "pick", "read_block", "succeeded"]

_LARGEST = 1e100


@dataclass(frozen=True)
class Block:
    """An observable with its dims in a known order, conditions and seeds first."""

    values: Shaped[np.ndarray, "condition seed *rest"]
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    coords: Mapping[str, np.ndarray]
    array: xr.DataArray
    has_seeds: bool

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of values and labels."""
        text = self.values if self.values.dtype.kind in "biuf" else self.values.astype(str)
        h = hashlib.sha256(np.ascontiguousarray(text).tobytes())
        h.update(repr((self.conditions, tuple(map(str, self.seeds)), str(self.array.name))).encode())
        return h.hexdigest()[:16]


@dataclass
class Found:
    """What one kind of data gives to the tables that all kinds share.

    Attributes:
        kind: "labels", "embeddings", "archive", "policies" or "dataset".
        rows: one mapping a seed: "condition", "seed" and the measures.
        main: the measure that the verdict on one condition is about; larger is more diverse.
        compare: the measure that conditions are compared by (the same at equal numbers of rollouts).
        able: the measure of competence, "" if there is none.
        name: the main measure in words.
        bounds: range of the main measure.
        observable: name of the data.
        digest: hash of the data.
        has_seeds: whether the data have seeds.
        parts: one mapping a condition: alpha, beta and gamma.
        tables: further tables.
        curve: x, y (condition, seed, x), name of x, name of y.
        notes: what the reader must know.
        blind: what this kind cannot see besides.
    """

    kind: str
    rows: list[dict[str, Any]]
    main: str
    compare: str
    able: str
    name: str
    bounds: tuple[float, float] | None
    observable: str
    digest: str
    has_seeds: bool
    parts: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    curve: tuple[np.ndarray, np.ndarray, str, str] | None = None
    notes: list[str] = field(default_factory=list)
    blind: str = ""


def pick(source: xr.Dataset | xr.DataArray, var: str | None, beside: Sequence[str | None]) -> xr.DataArray:
    """The observable; ``beside`` are variables that only accompany it."""
    if isinstance(source, xr.DataArray):
        if var is not None and source.name is not None and var != source.name:
            raise UserError(f"the array is named {source.name!r}, not {var!r}")
        return source if source.name is not None else source.rename(var or "behaviour")
    names = [str(n) for n in source.data_vars if str(n) not in beside]
    if var is None:
        if len(names) != 1:
            raise UserError(f"the data hold {len(names)} observables; say which one: {', '.join(names) or '(none)'}")
        var = names[0]
    if var not in source:
        raise UserError(f"no observable {var!r} in the data{nearest(var, names)}")
    return source[var]


def read_block(array: xr.DataArray, by: str | None, seeds: str, rest: Sequence[str]) -> Block:
    """The array with the dims (condition, seed, *rest); missing ones of the first two have length one."""
    first = [by or "__condition", seeds]
    for dim in rest:
        if dim not in array.dims:
            dims = [str(d) for d in array.dims]
            raise UserError(f"diversity: {array.name!r} has no dim {dim!r}{nearest(dim, dims)}")
    extra = [str(d) for d in array.dims if d not in (*first, *rest)]
    if extra:
        raise UserError(f"diversity: {array.name!r} also has the dims {', '.join(extra)}; reduce them first")
    has_by, has_seeds = first[0] in array.dims, seeds in array.dims
    array = array.expand_dims([d for d in first if d not in array.dims]).transpose(*first, *rest)
    if array.size == 0:
        raise UserError(f"diversity: {array.name!r} holds nothing at all ({dict(array.sizes)})")
    coords = {d: _labels(array, d) for d in (*first, *rest)}
    return Block(
        values=np.asarray(array.values),
        conditions=tuple(map(str, coords[first[0]])) if has_by else ("all",),
        seeds=tuple(coords[seeds].tolist()),
        coords=coords,
        array=array,
        has_seeds=has_seeds,
    )


def _labels(array: xr.DataArray, dim: str) -> np.ndarray:
    return np.asarray(array[dim].values) if dim in array.coords else np.arange(array.sizes[dim])


def beside(source: Any, given: Any, like: Block, role: str, dims: Sequence[str]) -> np.ndarray:
    """An accompanying array (success, floor), broadcast to the first dims of a block."""
    data = as_dataset(source)
    if isinstance(given, str):
        if not isinstance(data, xr.Dataset) or given not in data:
            names = [str(n) for n in data.data_vars] if isinstance(data, xr.Dataset) else []
            raise UserError(f"diversity: {role}: no variable {given!r} in the data{nearest(given, names)}")
        given = data[given]
    if not isinstance(given, xr.DataArray):
        raise UserError(f"diversity: {role} must be the name of a variable or a DataArray, got {type(given).__name__}")
    template = like.array
    drop = [d for d in template.dims if d not in (*template.dims[:2], *dims)]
    template = template.isel(dict.fromkeys(drop, 0), drop=True)
    extra = [str(d) for d in given.dims if d not in template.dims]
    if extra:
        raise UserError(f"diversity: {role} has the dims {', '.join(extra)}, which {like.array.name!r} lacks")
    try:
        aligned, _ = xr.broadcast(*xr.align(given, template, join="exact"))
    except ValueError:
        raise UserError(f"diversity: the labels of {role} are not those of {like.array.name!r}") from None
    return np.asarray(aligned.transpose(*template.dims).values)


def mode_codes(
    values: Shaped[np.ndarray, "*shape"], modes: int | Sequence[Any] | None, notes: list[str]
) -> tuple[np.ndarray, list[str], int]:
    """Labels as codes 0, 1, ... (-1: no label), the names of the modes, and how many there can be."""
    flat = pd.Series(values.ravel(), dtype=object if values.dtype.kind in "OUS" else None)
    missing = flat.isna().to_numpy() | (flat.astype(str) == "").to_numpy()
    if values.dtype.kind == "f":
        missing |= ~(np.abs(values.ravel()) <= _LARGEST)
        text = flat.where(~missing).map(lambda v: f"{v:g}", na_action="ignore").astype(object)
    else:
        text = flat.astype(str)
    seen = sorted(set(text[~missing]), key=lambda t: (len(t), t))
    if modes is None:
        names, possible = seen, len(seen)
        notes.append(
            f"the number of possible modes was not given: entropies are shares of that of a uniform choice among the "
            f"{possible} seen; modes defined after looking make a policy look diverse"
        )
    elif isinstance(modes, int | np.integer):
        if modes < 1:
            raise UserError(f"diversity: modes must be at least 1, got {modes}")
        names, possible = seen, int(modes)
        if len(seen) > possible:
            raise UserError(f"diversity: {len(seen)} modes occur, more than modes={possible}")
    else:
        names = [str(m) for m in modes]
        possible = len(names)
        odd = [t for t in seen if t not in names]
        if odd:
            raise UserError(f"diversity: label {odd[0]!r} is not among the modes{nearest(odd[0], names)}")
    place = {name: i for i, name in enumerate(names)}
    codes = np.array([-1 if gone else place[t] for t, gone in zip(text, missing, strict=True)], dtype=int)
    return codes.reshape(values.shape), names, possible


def succeeded(values: np.ndarray) -> tuple[Bool[np.ndarray, "*shape"], Bool[np.ndarray, "*shape"]]:
    """Which rollouts succeeded, and for which that is known."""
    number = values.astype(float)
    known = np.isfinite(number)
    return known & (number > 0.5), known
