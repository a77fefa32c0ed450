"""Bounds that every importer keeps: how much is read, where from, and that damaged bytes become one clear line.

A foreign log is read, never run: nothing here or in the importers unpickles, evaluates or imports what a file names.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..checks import one_line as one_line

MAX_BYTES = 1 << 30
"""Largest file that is read into memory, and most that a compressed one may become."""
MAX_CELLS = 1 << 27
"""Most numbers in one data set: 1 GiB as float64."""
MAX_FILES = 100_000
"""Most files that are looked at below one folder."""

_INSTEAD = "open it with its own tool, reduce it, and pass the xarray.Dataset"


@contextmanager
def decoding(name: str, kind: str) -> Iterator[None]:
    """Around the code of a library that decodes bytes nobody vouches for.

    Decoders meet damaged bytes with nearly any exception (struct.error, KeyError, zlib.error, MemoryError ...), so all
    of them mean the same here: these bytes cannot be read.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{name}: cannot be read as {kind} ({one_line(error)})") from None


def read_bytes(path: Path) -> bytes:
    """The whole of an ordinary file.

    Raises:
        UserError: it is none (a folder, a pipe, a device), is too large, or may not be read.
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise UserError(f"{path}: this is no ordinary file")
        if info.st_size > MAX_BYTES:
            raise UserError(f"{path}: {info.st_size:,} bytes, more than the {MAX_BYTES:,} that are read; {_INSTEAD}")
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or one_line(error)})") from None


def beginning(path: Path, length: int = 12) -> bytes:
    """The first bytes of an ordinary file; a pipe or a device is refused, since opening it could wait for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise UserError(f"{path}: this is no ordinary file")
    with path.open("rb") as file:
        return file.read(length)


def bounded(read: Callable[[int], bytes], limit: int, name: str) -> bytes:
    """All that a stream gives, in pieces, so that a small file which claims to be huge is stopped on the way."""
    parts, total = [], 0
    while piece := read(1 << 20):
        parts.append(piece)
        total += len(piece)
        if total > limit:
            raise UserError(f"{name}: decompresses to more than {limit:,} bytes, which is refused; {_INSTEAD}")
    return b"".join(parts)


def gunzip(raw: bytes, name: str, limit: int | None = None) -> bytes:
    """The contents of a gzip file, bounded."""
    with decoding(name, "gzip"), gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
        return bounded(stream.read, MAX_BYTES if limit is None else limit, name)


def inflate(raw: bytes, name: str, limit: int, *, bare: bool = False) -> bytes:
    """The contents of a zlib stream (`bare`: without its header, as in a zip), bounded."""
    with decoding(name, "zlib"):
        made = zlib.decompressobj(-15 if bare else 15)
        out = made.decompress(raw, limit + 1)
        if len(out) > limit:
            raise UserError(f"{name}: decompresses to more than {limit:,} bytes, which is refused; {_INSTEAD}")
        return out


def unzstd(raw: bytes, name: str, limit: int) -> bytes:
    """The contents of a Zstandard stream, bounded."""
    import pyarrow as pa

    with decoding(name, "zstd"):
        stream = pa.CompressedInputStream(pa.BufferReader(raw), "zstd")
        return bounded(stream.read, limit, name)


def parse_json(raw: bytes, name: str) -> Any:
    """JSON as Python objects; NaN and Infinity as the tools write them."""
    with decoding(name, "JSON"):  # RecursionError included: a file of a million brackets
        return json.loads(raw.decode("utf-8"))


def within(cells: int, name: str) -> None:
    """Refuse an array before it is made.

    Raises:
        UserError: it would hold more than `MAX_CELLS` numbers.
    """
    if cells > MAX_CELLS:
        raise UserError(f"{name}: {cells:,} numbers, more than the {MAX_CELLS:,} that are read; {_INSTEAD}")


def files_below(folder: Path, depth: int = 8) -> tuple[list[Path], int]:
    """Ordinary files below a folder, sorted, and how many links were passed over.

    Links are never followed: what a folder holds cannot point out of it.
    """
    found: list[Path] = []
    links = 0
    todo = [(folder, 0)]
    while todo:
        here, level = todo.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda e: e.name)
        except OSError as error:
            raise UserError(f"{here}: cannot be read ({error.strerror})") from None
        for entry in entries:
            if entry.is_symlink():
                links += 1
            elif entry.is_dir(follow_symlinks=False):
                if level < depth:
                    todo.append((Path(entry.path), level + 1))
            elif entry.is_file(follow_symlinks=False):
                found.append(Path(entry.path))
                if len(found) > MAX_FILES:
                    raise UserError(f"{folder}: more than {MAX_FILES:,} files; name a smaller folder")
    return sorted(found), links


def natural(text: str) -> tuple[Any, ...]:
    """A key that sorts `run-10` after `run-9` and `lr-0.1` after `lr-0.01`."""
    parts = [p for p in re.split(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)", text) if p]
    return (*((1, float(p)) if p[0].isascii() and p[0].isdigit() else (0, p) for p in parts), (0, text))
