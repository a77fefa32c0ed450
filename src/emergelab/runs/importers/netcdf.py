"""netCDF files: netCDF-4 (which is HDF5) and the classic netCDF-3.

netCDF-4 is read through `pyfive`, a reader of HDF5 in Python, and not through the HDF5 library: that is C code which
was never meant for files that nobody vouches for (with one bit flipped in a file of 13 kB it loops for minutes),
while pyfive meets damage with an exception. What netCDF adds to HDF5, names of dims, is read here. Every declared
shape is checked before anything is allocated, and so is what a chunk may decompress to.
"""

from __future__ import annotations

import importlib
import io
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import xarray as xr

from ...errors import UserError, nearest, need
from . import _safe
from ._safe import decoding, read_bytes, within
from .arrays import decoded, labelled
from .opened import Opened

HDF5 = b"\x89HDF\r\n\x1a\n"
CLASSIC = (b"CDF\x01", b"CDF\x02")

_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
_BOOKKEEPING = {
    "CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "DIMENSION_LABELS", "_Netcdf4Dimid", "_Netcdf4Coordinates",
    "_NCProperties", "_nc3_strict",
}  # fmt: skip
_DEFLATE_MOST = 1032  # a byte of a deflate stream becomes at most so many
_TEXTS = 1_000_000


def read_netcdf(
    path: str | Path, *, value: str | Sequence[str] | None = None, time: str | None = None, seed: str | None = None,
    by: str | None = None, group: str | None = None,
) -> Opened:  # fmt: skip
    """A netCDF file; it is read whole, so name the variables of a large one with `value`.

    Args:
        path: the file.
        value: variables to read, all that are numbers if not given.
        time, seed, by: dims that are to be named `time`, `seed` and `condition`.
        group: of a netCDF-4 file; the root if not given.

    Raises:
        UserError: no netCDF file, a damaged one, one that declares more numbers than are read.
    """
    path = Path(path)
    data, notes = open_netcdf(
        path, group, None if value is None else [value] if isinstance(value, str) else list(value)
    )
    return labelled(data, "netcdf", value=value, time=time, seed=seed, by=by, name=path.name, notes=notes)


def open_netcdf(path: Path, group: str | None, wanted: list[str] | None) -> tuple[xr.Dataset, list[str]]:
    """The variables of one group, decoded; `wanted` ones and coordinates only, if given."""
    raw = read_bytes(path)
    if raw[:8] == HDF5:
        return _hdf5(raw, path.name, group, wanted)
    if raw[:4] in CLASSIC:
        if group is not None:
            raise UserError(f"{path.name}: netCDF-3 has no groups, so group= has no meaning")
        return decoded(_classic(raw, path.name, wanted), path.name), []
    raise UserError(f"{path.name}: no netCDF file (it begins with {raw[:4]!r})")


def hdf5_groups(path: Path) -> list[str]:
    """Names of the groups in the root of an HDF5 file."""
    with decoding(path.name, "HDF5"), _hdf5_file(read_bytes(path)) as file:
        return [str(n) for n in file if _is_group(file[n])]


@contextmanager
def _hdf5_file(raw: bytes) -> Iterator[Any]:
    """An HDF5 file in memory, with one bound more than pyfive keeps by itself.

    pyfive makes room for as many values as an attribute declares before it looks whether they are there. Each takes a
    byte at least, so more of them than bytes is damage.
    """
    pyfive = need("pyfive", "importers", "netCDF-4 files")
    objects = importlib.import_module("pyfive.dataobjects").DataObjects
    read = objects._attr_value

    def bounded_read(self: Any, kind: Any, buffer: Any, count: int, offset: int) -> Any:
        if count > len(buffer or b""):
            raise ValueError("an attribute declares more values than it holds")
        return read(self, kind, buffer, count, offset)

    with warnings.catch_warnings(), patch.object(objects, "_attr_value", bounded_read):
        warnings.simplefilter("ignore")  # pyfive warns of attributes that it cannot read; they are not needed
        with pyfive.File(io.BytesIO(raw)) as file:
            yield file


def _is_group(item: Any) -> bool:
    return not hasattr(item, "shape")


def _classic(raw: bytes, name: str, wanted: list[str] | None) -> xr.Dataset:
    from scipy.io import netcdf_file

    with decoding(name, "netCDF-3"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with netcdf_file(io.BytesIO(raw), mmap=False) as file:
            names = _needed(list(file.variables), {n: v.dimensions for n, v in file.variables.items()}, wanted)
            variables = {}
            for n in names:
                v = file.variables[n]
                within(int(np.prod(v.shape, dtype=object)), f"{name}: {n}")
                array = np.array(v[()] if v.shape == () else v[:])
                attrs = {k: _attribute(a) for k, a in v._attributes.items()}
                # Classic files are big-endian; everything after this is simpler in the machine's own order.
                variables[n] = xr.Variable(v.dimensions, array.astype(array.dtype.newbyteorder("=")), attrs)
    with decoding(name, "netCDF-3"):
        return _dataset(variables)


def _dataset(variables: dict[str, xr.Variable]) -> xr.Dataset:
    """A data set without indexes: they would be made of labels that are not decoded yet."""
    coords = {n: v for n, v in variables.items() if v.dims == (n,)}
    return xr.Dataset(
        {n: v for n, v in variables.items() if n not in coords}, coords=xr.Coordinates(coords, indexes={})
    )


def _needed(names: list[str], dims: Mapping[str, Sequence[str]], wanted: list[str] | None) -> list[str]:
    """The variables asked for (all, if none was) and the coordinates of their dims."""
    if wanted is None or not set(wanted) <= set(names):
        return names  # what is missing is said later, with what is there
    along = {d for n in wanted for d in dims[n]}
    return [n for n in names if n in wanted or n in along]


def _attribute(value: Any) -> Any:
    """An attribute as text, number or small array; anything else as nothing."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "iufb":
        return value.item() if value.size == 1 else value if value.size <= 1000 else None
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str | int | float | np.integer | np.floating) else None


def _hdf5(raw: bytes, name: str, group: str | None, wanted: list[str] | None) -> tuple[xr.Dataset, list[str]]:
    notes: list[str] = []
    # A deflated byte holds 1,032 at most: what a file declares beyond that it cannot hold.
    most = (len(raw) * _DEFLATE_MOST + (1 << 26)) // 8
    with decoding(name, "netCDF-4"), _hdf5_file(raw) as file:
        place = file
        if group is not None:
            groups = [str(n) for n in file if _is_group(file[n])]
            if group not in groups:
                raise UserError(f"{name}: no group {group!r}{nearest(group, groups)}")
            place = file[group]
        sets = {str(n): place[n] for n in place if not _is_group(place[n])}
        dims = {n: _dims(file, n, d) for n, d in sets.items()}
        variables: dict[str, xr.Variable] = {}
        cells = 0
        for n in _needed(list(sets), dims, wanted):
            if not _is_variable(sets[n]):
                continue
            cells += int(np.prod([int(s) for s in sets[n].shape], dtype=object))
            within(cells, f"{name}: {n}")
            if cells > most:
                raise UserError(f"{name}: {n}: declares {cells:,} numbers, which {len(raw):,} bytes cannot hold")
            array = _values(sets[n], f"{name}: {n}")
            if array is None:
                notes.append(f"{n!r} is neither numbers nor text and is left out")
                continue
            attrs = {k: _attribute(sets[n].attrs[k]) for k in sets[n].attrs if k not in _BOOKKEEPING}
            variables[n] = xr.Variable(dims[n], array, {k: a for k, a in attrs.items() if a is not None})
        data = _dataset(variables)
    return decoded(data, name), notes


def _is_variable(item: Any) -> bool:
    label = item.attrs.get("NAME", b"")
    return not (isinstance(label, bytes) and label.startswith(_NO_VARIABLE))


def _dims(file: Any, name: str, item: Any) -> tuple[str, ...]:
    rank = len(item.shape)
    scales = item.attrs.get("DIMENSION_LIST")
    if scales is not None and len(scales) == rank:
        return tuple(
            str(file[refs[0]].name).rpartition("/")[2] if len(refs) else f"{name}_dim_{i}"
            for i, refs in enumerate(scales)
        )
    if "CLASS" in item.attrs and rank == 1:
        return (name,)
    return tuple(f"{name}_dim_{i}" for i in range(rank))


def _values(item: Any, where: str) -> np.ndarray | None:
    """The numbers or texts of an HDF5 data set."""
    if item.dtype == object or getattr(item.dtype, "kind", "O") == "O":
        within(int(np.prod([int(s) for s in item.shape], dtype=object)) * (_safe.MAX_CELLS // _TEXTS), where)
    elif item.dtype.kind not in "iufbSU":
        return None
    else:
        size = int(np.prod([int(s) for s in item.shape], dtype=object)) * item.dtype.itemsize
        within(size // 8, where)
    if item.chunks:
        _check_chunks(item, where)
    array = np.asarray(item[()])
    if array.dtype == object and not all(isinstance(x, str | bytes) for x in array.ravel()):
        return None
    if array.dtype.kind in "iuf":
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def _check_chunks(item: Any, where: str) -> None:
    """That no chunk decompresses to much more than it declares to hold."""
    declared = int(np.prod([int(c) for c in item.chunks], dtype=object)) * max(
        1, int(getattr(item.dtype, "itemsize", 8) or 8)
    )
    within(declared // 8, where)
    if not item.compression:
        return
    for i in range(item.id.get_num_chunks()):
        info = item.id.get_chunk_info(i)
        if info.size * _DEFLATE_MOST <= 1 << 26:
            continue
        _, packed = item.id.read_direct_chunk(info.chunk_offset)
        made = zlib.decompressobj()
        if len(made.decompress(packed, declared + (1 << 20))) >= declared + (1 << 20):
            raise UserError(f"{where}: a chunk decompresses to more than it declares, which is refused")
