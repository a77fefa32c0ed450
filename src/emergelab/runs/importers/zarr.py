"""Zarr folders of both formats, through the `zarr` package, after everything that could do harm has been looked at.

The metadata of a store say which decoders run on its bytes. Here only decoders of numbers and text are let through:
object arrays, whose decoders include pickle, are refused whatever they claim to use. Links are refused, every shape
is checked before anything is allocated, and so is what the head of each chunk says it decompresses to.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...errors import UserError, nearest
from . import _safe
from ._safe import decoding, files_below, inflate, parse_json, read_bytes, within
from .arrays import decoded, labelled
from .opened import Opened

_CODECS = {"bytes", "blosc", "zstd", "gzip", "zlib", "lz4", "crc32c", "transpose", "vlen-utf8", "endian"}
_PACKERS = ("blosc", "zstd", "gzip", "zlib", "lz4")
_KINDS = "iufbSU"
_NAMES = {
    "bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
    "float16": 2, "float32": 4, "float64": 8, "string": 64,
}  # fmt: skip
_FIXED = ("fixed_length_utf32", "null_terminated_bytes")
_CHUNKS = 1_000_000
_TEXTS = 1_000_000


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a Zarr store."""
    return any((folder / n).is_file() for n in ("zarr.json", ".zgroup", ".zarray", ".zmetadata"))


def read_zarr(
    path: str | Path, *, value: str | Sequence[str] | None = None, time: str | None = None, seed: str | None = None,
    by: str | None = None, group: str | None = None,
) -> Opened:  # fmt: skip
    """A Zarr folder as xarray writes it; it is read whole, so name the variables of a large one with `value`.

    Args:
        path: the folder.
        value: variables to read, all that are numbers if not given.
        time, seed, by: dims that are to be named `time`, `seed` and `condition`.
        group: a group in it; the root if not given.

    Raises:
        UserError: no Zarr store, a damaged one, an array of objects, a decoder or a size that is refused.
    """
    path = Path(path)
    data = open_zarr(path, group, None if value is None else [value] if isinstance(value, str) else list(value))
    return labelled(data, "zarr", value=value, time=time, seed=seed, by=by, name=path.name)


def zarr_groups(path: Path) -> list[str]:
    """Names of the groups in the root of a store."""
    files, _ = files_below(path)
    found = set()
    for file in files:
        parts = file.relative_to(path).parts
        if len(parts) == 2 and (
            parts[1] == ".zgroup" or (parts[1] == "zarr.json" and _node(file).get("node_type") == "group")
        ):
            found.add(parts[0])
    return sorted(found)


def open_zarr(path: Path, group: str | None, wanted: list[str] | None) -> xr.Dataset:
    """The variables of one group, decoded; `wanted` ones and coordinates only, if given."""
    if not is_zarr(path):
        raise UserError(f"{path}: no Zarr folder (it holds neither zarr.json nor .zgroup)")
    if group is not None and group not in (known := zarr_groups(path)):
        raise UserError(f"{path.name}: no group {group!r}{nearest(group, known)}")
    folder = path / group if group else path
    _check(folder, path.name)
    with decoding(path.name, "Zarr"):
        data = xr.open_dataset(
            folder, engine="zarr", chunks=None, decode_cf=False, create_default_indexes=False,
            backend_kwargs={"consolidated": False},
        )  # fmt: skip
        names = [str(v) for v in data.variables]
        if wanted is not None and set(wanted) <= set(names):
            along = {d for n in wanted for d in data[n].dims}
            data = data.drop_vars([n for n in data.variables if n not in wanted and n not in along])
        data = data.load()
    return decoded(data, path.name)


def _node(file: Path) -> dict[str, Any]:
    node = parse_json(read_bytes(file), file.name)
    return node if isinstance(node, dict) else {}


def _check(folder: Path, name: str) -> None:
    files, links = files_below(folder, depth=40)
    if links:
        raise UserError(f"{name}: the folder holds links, which are not followed; copy what they point at")
    cells = 0
    arrays: list[tuple[Path, dict[str, Any]]] = []
    for file in files:
        if file.name == "zarr.json" and file.parent.parent in (folder, folder.parent):
            node = _node(file)
            if node.get("node_type") == "array":
                arrays.append((file.parent, _format3(node, f"{name}: {file.parent.name}")))
        elif file.name == ".zarray" and file.parent.parent in (folder, folder.parent):
            arrays.append((file.parent, _format2(_node(file), f"{name}: {file.parent.name}")))
    for place, array in arrays:
        where = f"{name}: {place.name}"
        shape, chunk, itemsize = array["shape"], array["chunk"], array["itemsize"]
        n = int(np.prod(shape, dtype=object))
        cells += max(n, n * itemsize // 8)
        within(cells, where)
        held = int(np.prod(chunk, dtype=object)) * itemsize
        within(held // 8, where)
        if (
            any(c < 1 for c in chunk)
            or np.prod([-(-s // c) for s, c in zip(shape, chunk, strict=True)], dtype=object) > _CHUNKS
        ):
            raise UserError(f"{where}: cut into more than {_CHUNKS:,} chunks, or into empty ones, which is refused")
        if array["text"]:
            within(n * (_safe.MAX_CELLS // _TEXTS), where)
        for file in files:
            if place in file.parents and file.name not in ("zarr.json", ".zarray", ".zattrs"):
                _check_chunk(file, array, held, where)


def _whole(values: Any, where: str) -> list[int]:
    if not isinstance(values, list) or not all(type(v) is int and 0 <= v < 1 << 62 for v in values):
        raise UserError(f"{where}: a shape must be a list of whole numbers, got {json.dumps(values)[:60]}")
    return values


def _allowed(codec: Any, where: str) -> str:
    codec = codec if isinstance(codec, dict) else {}
    known = str(codec.get("name", codec.get("id", "")))
    if known not in _CODECS:
        raise UserError(
            f"{where}: the decoder {known[:40]!r} is not let through (only {', '.join(sorted(_CODECS))}); open the "
            "store with xarray if you trust it, and pass the Dataset"
        )
    return known


def _format2(node: dict[str, Any], where: str) -> dict[str, Any]:
    codecs = [c for c in (node.get("compressor"), *(node.get("filters") or [])) if c is not None]
    names = [_allowed(c, where) for c in codecs]
    kind = node.get("dtype")
    text = kind == "|O" and names.count("vlen-utf8") == 1
    itemsize = 64
    if not text:
        with decoding(where, "Zarr"):
            dtype = np.dtype(str(kind)) if isinstance(kind, str) else np.dtype(object)
        if dtype.kind not in _KINDS or dtype.itemsize < 1:
            raise UserError(
                f"{where}: an array of {str(kind)[:40]}: only numbers and text are read, objects are never unpickled"
            )
        itemsize = dtype.itemsize
    shape, chunk = _whole(node.get("shape"), where), _whole(node.get("chunks"), where)
    if len(shape) != len(chunk):
        raise UserError(f"{where}: shape and chunks differ in length")
    packer = node.get("compressor")
    return {
        "shape": shape, "chunk": chunk, "itemsize": itemsize, "text": text,
        "packer": packer.get("id", "") if isinstance(packer, dict) else "",
    }  # fmt: skip


def _format3(node: dict[str, Any], where: str) -> dict[str, Any]:
    codecs = node.get("codecs")
    names = [_allowed(c, where) for c in (codecs if isinstance(codecs, list) else [])]
    kind = node.get("data_type")
    if isinstance(kind, str) and kind in _NAMES:
        itemsize, text = _NAMES[kind], kind == "string"
    elif isinstance(kind, dict) and kind.get("name") in _FIXED:
        size = (
            kind.get("configuration", {}).get("length_bytes") if isinstance(kind.get("configuration"), dict) else None
        )
        itemsize, text = _whole([size], where)[0], False
    else:
        raise UserError(f"{where}: an array of {json.dumps(kind)[:60]}: only numbers and text are read")
    if text != ("vlen-utf8" in names):
        raise UserError(f"{where}: text must be stored as vlen-utf8, and nothing else may be")
    grid = node.get("chunk_grid")
    grid = grid.get("configuration") if isinstance(grid, dict) else None
    shape, chunk = (
        _whole(node.get("shape"), where),
        _whole((grid or {}).get("chunk_shape") if isinstance(grid, dict) else None, where),
    )
    if len(shape) != len(chunk):
        raise UserError(f"{where}: shape and chunks differ in length")
    packers = [n for n in names if n in _PACKERS]
    if len(packers) > 1:
        raise UserError(f"{where}: compressed more than once, which is refused")
    return {
        "shape": shape,
        "chunk": chunk,
        "itemsize": max(itemsize, 1),
        "text": text,
        "packer": packers[0] if packers else "",
    }


def _check_chunk(file: Path, array: dict[str, Any], held: int, where: str) -> None:
    """That a chunk decompresses to no more than it should hold, and does not claim more texts than that."""
    raw, packer = read_bytes(file), array["packer"]
    limit = held + 1024 if not array["text"] else 1 << 26
    if packer in ("gzip", "zlib"):
        raw = _safe.gunzip(raw, where, limit) if packer == "gzip" else inflate(raw, where, limit)
        claim = len(raw)
    elif packer == "blosc":
        claim = struct.unpack_from("<I", raw, 4)[0] if len(raw) >= 16 else limit + 1
    elif packer == "lz4":
        claim = struct.unpack_from("<I", raw, 0)[0] if len(raw) >= 4 else limit + 1
    elif packer == "zstd":
        raw = _safe.unzstd(raw, where, limit)
        claim = len(raw)
    else:
        claim = len(raw)
    if claim > limit:
        raise UserError(
            f"{where}: the chunk {file.name} does not hold what it should ({claim:,} bytes instead of {held:,})"
        )
    if array["text"]:
        if packer in ("blosc", "lz4"):
            import numcodecs  # type: ignore[import-untyped]

            with decoding(where, "Zarr"):
                raw = bytes(numcodecs.get_codec({"id": packer}).decode(raw))
        texts = struct.unpack_from("<I", raw, 0)[0] if len(raw) >= 4 else -1
        if texts != int(np.prod(array["chunk"], dtype=object)):
            raise UserError(f"{where}: the chunk {file.name} holds {texts} texts, not as many as it should")
