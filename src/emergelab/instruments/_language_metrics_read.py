"""Reading languages: messages as whole numbers or as strings, turned into one block of symbol codes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset

__all__ = ["Languages", "Meanings", "read_languages", "read_meanings"]

PAD = -1
"""Code of "no symbol here"."""


@dataclass(frozen=True)
class Languages:
    """Every language of the record: one message for each item.

    Attributes:
        codes: symbols numbered 0, 1, ... in sorted order; -1 after the end of a message.
        lengths: symbols in each message.
        present: whether there is a language at all (a seed that has ended has none).
        time: coordinate of the records; [0] if the data have no such dim.
        timed: whether they have one.
        conditions, seeds, agents, items: labels; one label where a dim is missing.
        symbols: what each code stands for.
        notes: what was done to the data on the way.
    """

    codes: Int[np.ndarray, "condition seed time agent item position"]
    lengths: Int[np.ndarray, "condition seed time agent item"]
    present: Bool[np.ndarray, "condition seed time agent"]
    time: Float[np.ndarray, "time"]
    timed: bool
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    agents: tuple[Any, ...]
    items: tuple[Any, ...]
    symbols: tuple[str, ...]
    name: str
    time_name: str
    time_unit: str
    has_seeds: bool
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of messages, times and labels."""
        h = hashlib.sha256()
        h.update(np.ascontiguousarray(self.codes).tobytes())
        h.update(np.ascontiguousarray(self.time).tobytes())
        h.update(repr((self.conditions, tuple(map(str, self.seeds)), self.symbols, self.name)).encode())
        return h.hexdigest()[:16]


@dataclass(frozen=True)
class Meanings:
    """What the items mean.

    Attributes:
        attributes: values of each attribute numbered 0, 1, ...; None if only distances are known.
        names: names of the attributes.
        distance: distance of each two items; NaN nowhere, symmetric.
        words: what the distance is.
    """

    attributes: Int[np.ndarray, "item attribute"] | None
    names: tuple[str, ...]
    distance: Float[np.ndarray, "item item"]
    words: str


def read_languages(
    data: Any,
    var: str | None,
    *,
    along: str,
    by: str | None,
    seeds: str,
    agent: str,
    item: str,
    position: str,
    eos: int | str | None,
) -> Languages:
    """Messages with any of the dims (``by``, ``seeds``, ``along``, ``agent``), and ``item`` [, ``position``].

    Raises:
        UserError: a dim or coordinate is missing or unknown, or messages are neither whole numbers nor strings.
    """
    source = as_dataset(data)
    array = _pick_messages(source, var)
    dims = [str(d) for d in array.dims]
    if item not in dims:
        raise UserError(f"language_metrics: messages {array.name!r} have no dim {item!r}{nearest(item, dims)}")
    order = [d for d in (by, seeds, along, agent, item, position) if d]
    extra = [d for d in dims if d not in order]
    if extra:
        raise UserError(f"language_metrics: messages {array.name!r} also have the dims {', '.join(extra)}; reduce them")
    timed, has_seeds = along in dims, seeds in dims
    if timed and along not in array.coords:
        raise UserError(
            f"dim {along!r} has no coordinate: instruments never take the position in an array for time; "
            f"use .assign_coords({along}=generations)"
        )
    if array.size == 0:
        raise UserError(f"language_metrics: messages {array.name!r} hold no record at all")
    time = _times(array, along) if timed else np.zeros(1)
    order_in_time = np.argsort(time, kind="stable")
    labels = {d: tuple(np.asarray(array[d].values).tolist()) for d in dims if d in array.coords}
    for d in (by, seeds, along, agent):
        if d and d not in dims:
            array = array.expand_dims(d)
    lead = [d for d in (by, seeds, along, agent, item) if d]
    array = array.transpose(*lead, *([position] if position in dims else []))
    values = np.asarray(array.values)
    if not by:
        values = values[None]
    values = np.take(values, order_in_time, axis=2)
    notes: list[str] = []
    if position in dims:
        codes, symbols = _from_numbers(values, array.name, notes)
    else:
        codes, symbols = _from_strings(values, array.name)
    codes, lengths = _ended(codes, symbols, eos)
    if codes.shape[-1] == 0:
        codes = np.full((*codes.shape[:-1], 1), PAD, dtype=np.int32)
    present = np.asarray((lengths > 0).any(axis=-1))
    silent = int((lengths[present] == 0).sum())
    if silent:
        notes.append(f"{silent} messages are empty: each counts as a word without symbols")
    names = tuple(str(v) for v in labels.get(by or "", range(codes.shape[0]))) if by in dims else ("all",)
    unit = source[along].attrs.get("units", "") if timed else ""
    return Languages(
        codes=codes,
        lengths=lengths,
        present=present,
        time=time[order_in_time],
        timed=timed,
        conditions=names,
        seeds=labels.get(seeds, tuple(range(codes.shape[1]))),
        agents=labels.get(agent, tuple(range(codes.shape[3]))),
        items=labels.get(item, tuple(range(codes.shape[4]))),
        symbols=symbols,
        name=str(array.name or "messages"),
        time_name=along,
        time_unit=str(unit),
        has_seeds=has_seeds,
        notes=tuple(notes),
    )


def _pick_messages(source: xr.Dataset | xr.DataArray, var: str | None) -> xr.DataArray:
    if isinstance(source, xr.DataArray):
        return source
    names = [str(n) for n in source.data_vars]
    if var is None:
        var = "messages" if "messages" in names else names[0] if len(names) == 1 else None
    if var is None or var not in names:
        raise UserError(f"language_metrics: which variable holds the messages?{nearest(var or 'messages', names)}")
    return source[var]


def _times(array: xr.DataArray, along: str) -> Float[np.ndarray, "time"]:
    try:
        time = np.asarray(array[along].values).astype(float)
    except (TypeError, ValueError):
        raise UserError(f"coordinate {along!r} must be numbers, got {array[along].dtype}") from None
    if not np.isfinite(time).all() or len(np.unique(time)) < len(time):
        raise UserError(f"coordinate {along!r} must hold finite numbers, each once")
    return time


def _from_numbers(
    values: np.ndarray, name: Any, notes: list[str]
) -> tuple[Int[np.ndarray, "condition seed time agent item position"], tuple[str, ...]]:
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise UserError(f"language_metrics: symbols of {name!r} must be whole numbers, got {values.dtype}") from None
    infinite = np.isinf(numbers)
    if infinite.any():
        notes.append(f"{int(infinite.sum())} infinite symbols are read as padding")
    used = np.isfinite(numbers) & (numbers >= 0)
    if np.any(numbers[used] != np.round(numbers[used])):
        raise UserError(
            f"language_metrics: symbols of {name!r} must be whole numbers (negative or NaN: no symbol); a message that "
            "is a vector has no symbols to count"
        )
    known, inverse = np.unique(numbers[used], return_inverse=True)
    codes = np.full(numbers.shape, PAD, dtype=np.int32)
    codes[used] = inverse
    return codes, tuple(f"{s:g}" for s in known)


def _from_strings(
    values: np.ndarray, name: Any
) -> tuple[Int[np.ndarray, "condition seed time agent item position"], tuple[str, ...]]:
    if values.dtype.kind not in "OUS":
        raise UserError(
            f"language_metrics: messages {name!r} of {values.dtype} need a dim of positions (position=...), or must be "
            "strings"
        )
    flat = np.array([v if isinstance(v, str) else "" for v in values.ravel().tolist()])
    width = max(1, flat.dtype.itemsize // 4)
    points = flat.astype(f"U{width}").view(np.uint32).reshape(*values.shape, width)
    known, inverse = np.unique(points[points > 0], return_inverse=True)
    codes = np.full(points.shape, PAD, dtype=np.int32)
    codes[points > 0] = inverse
    return codes, tuple(chr(int(p)) for p in known)


def _ended(
    codes: Int[np.ndarray, "condition seed time agent item position"], symbols: tuple[str, ...], eos: int | str | None
) -> tuple[Int[np.ndarray, "condition seed time agent item kept"], Int[np.ndarray, "condition seed time agent item"]]:
    """Messages cut at the end-of-sentence symbol, gaps closed, and their lengths."""
    codes = codes.copy()
    if eos is not None and str(eos) in symbols:
        ended = np.cumsum(codes == symbols.index(str(eos)), axis=-1) > 0
        codes[ended] = PAD
    used = codes != PAD
    if np.any(used[..., 1:] & ~used[..., :-1]):  # padding inside or before a message says nothing
        rank = np.argsort(~used, axis=-1, kind="stable")
        codes = np.take_along_axis(codes, rank, axis=-1)
    lengths = used.sum(axis=-1).astype(np.int64)
    return codes[..., : max(1, int(lengths.max(initial=0)))], lengths


def read_meanings(
    data: Any,
    meanings: str | xr.DataArray | None,
    distance: Any,
    n: int,
    items: tuple[Any, ...],
    item: str,
    attribute: str,
) -> Meanings:
    """Attributes of the items, and how far apart each two items are.

    Raises:
        UserError: neither attributes nor a matrix were given, or they do not fit the items.
    """
    source = as_dataset(data)
    if meanings is None and isinstance(source, xr.Dataset) and "meanings" in source:
        meanings = "meanings"
    if isinstance(meanings, str):
        if not isinstance(source, xr.Dataset) or meanings not in source:
            known = [str(v) for v in source.data_vars] if isinstance(source, xr.Dataset) else []
            raise UserError(f"language_metrics: no variable {meanings!r} with meanings{nearest(meanings, known)}")
        meanings = source[meanings]
    raw: np.ndarray | None = None
    codes: Int[np.ndarray, "item attribute"] | None = None
    names: tuple[str, ...] = ()
    if meanings is not None:
        raw, codes, names = _attributes(meanings, n, items, item, attribute)
    if isinstance(distance, str):
        if raw is None:
            raise UserError(
                "language_metrics: what do the items mean? give meanings=... (item, attribute), "
                "or a matrix as distance=..."
            )
        assert codes is not None
        return Meanings(codes, names, _between(raw, codes, distance), f"{distance} distance of attributes")
    matrix = np.asarray(distance.values if isinstance(distance, xr.DataArray) else distance, dtype=float)
    if matrix.shape != (n, n):
        raise UserError(f"language_metrics: a matrix of distances of {n} items must be {n} x {n}, got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise UserError("language_metrics: the matrix of distances has entries that are not finite")
    return Meanings(codes, names, (matrix + matrix.T) / 2, "the given matrix")


def _attributes(
    meanings: xr.DataArray, n: int, items: tuple[Any, ...], item: str, attribute: str
) -> tuple[np.ndarray, Int[np.ndarray, "item attribute"], tuple[str, ...]]:
    dims = [str(d) for d in meanings.dims]
    if item not in dims:
        raise UserError(f"language_metrics: meanings have no dim {item!r}{nearest(item, dims)}")
    other = [d for d in dims if d != item]
    if len(other) > 1 or (other and other[0] != attribute):
        raise UserError(
            f"language_metrics: meanings must have the dims ({item}, {attribute}), got ({', '.join(dims)}); "
            "if the meanings change over time, ask about one generation at a time"
        )
    if item in meanings.coords:
        own = np.asarray(meanings[item].values).tolist()
        if sorted(map(str, own)) == sorted(map(str, items)) and own != list(items):
            place = {str(label): k for k, label in enumerate(own)}
            meanings = meanings.isel({item: [place[str(label)] for label in items]})
    if meanings.sizes[item] != n:
        raise UserError(f"language_metrics: messages for {n} items, meanings of {meanings.sizes[item]}")
    raw = np.asarray(meanings.transpose(item, *other).values).reshape(n, -1)
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        raise UserError("language_metrics: meanings hold values that are not finite")
    codes = np.empty(raw.shape, dtype=np.int64)
    for k in range(raw.shape[1]):
        codes[:, k] = np.unique(raw[:, k].astype(str) if raw.dtype.kind == "O" else raw[:, k], return_inverse=True)[1]
    labels = meanings[attribute].values.tolist() if other and attribute in meanings.coords else range(raw.shape[1])
    return raw, codes, tuple(str(v) for v in labels)


def _between(raw: np.ndarray, codes: Int[np.ndarray, "item attribute"], how: str) -> Float[np.ndarray, "item item"]:
    if how == "hamming":
        return (codes[:, None] != codes[None]).mean(axis=-1)
    if how not in ("euclidean", "cosine"):
        raise UserError(f"language_metrics: no distance {how!r}{nearest(how, ('hamming', 'euclidean', 'cosine'))}")
    if raw.dtype.kind not in "iufb":
        raise UserError(f"language_metrics: {how} distance needs attributes that are numbers, got {raw.dtype}")
    x = raw.astype(float)
    if how == "euclidean":
        return np.sqrt(np.maximum(((x[:, None] - x[None]) ** 2).sum(axis=-1), 0.0))
    size = np.sqrt((x**2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        similar = x @ x.T / (size[:, None] * size[None])
    return 1.0 - np.where(np.isfinite(similar), similar, 0.0)
