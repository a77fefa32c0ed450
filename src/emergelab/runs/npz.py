"""Arrays of an npz file that nobody vouches for: bounded by the size of the file, never unpickled."""

from __future__ import annotations

import io
import math
import zipfile

import numpy as np

__all__ = ["read_arrays"]


def read_arrays(raw: bytes) -> dict[str, np.ndarray]:
    """Arrays of an npz file as `Store` writes them: not compressed, no objects.

    Nothing is allocated that the file does not hold: a member that says it is larger than the file, and an array that
    declares more than its member has, are refused before.

    Raises:
        ValueError: such a member; compressed, encrypted or doubled ones; objects.
        zipfile.BadZipFile: the file is damaged.
    """
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > len(raw) or name in arrays:
                raise ValueError(f"the array {name[:40]!r} is compressed, doubled or larger than the file")
            arrays[name] = _array(archive.read(member), name)
    return arrays


def _array(raw: bytes, name: str) -> np.ndarray:
    """One array of the npy format."""
    stream = io.BytesIO(raw)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, columns_first, dtype = read(stream)
    held = raw[stream.tell() :]
    if dtype.hasobject or dtype.itemsize == 0 or min(shape, default=0) < 0:
        raise ValueError(f"the array {name[:40]!r} holds no numbers")
    if math.prod(shape) * dtype.itemsize != len(held):
        raise ValueError(f"the array {name[:40]!r} declares another size than it has")
    return np.frombuffer(held, dtype).reshape(shape, order="F" if columns_first else "C")
