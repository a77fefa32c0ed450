"""How many bits a system's code or weights compress to: an upper bound of its prior."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from emergelab.errors import UserError, nearest

__all__ = ["code_bits"]

_PIECE = 1 << 20  # bytes of a file that are read at once


def code_bits(code: Any, systems: tuple[str, ...]) -> Float[np.ndarray, "system"] | None:
    """Bits of each system's code (a mapping to text, bytes or a path) after compression; None if none is given.

    Raises:
        UserError: ``code`` lacks a system, or holds something that is no text, bytes or readable file.
    """
    if code is None:
        return None
    if not isinstance(code, Mapping):
        raise UserError(f"skill_efficiency: code is a mapping from systems to text, bytes or a path, got {code!r:.60}")
    missing = [s for s in systems if s not in code]
    if missing:
        raise UserError(f"skill_efficiency: code has no value for {missing[0]!r}{nearest(missing[0], map(str, code))}")
    return np.array([float(_bits(code[s], s)) for s in systems])


def _bits(value: Any, system: str) -> int:
    """Eight times the smaller of the raw streams (no container, no checksum) of LZMA2 and deflate."""
    small = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}])
    quick = zlib.compressobj(9, zlib.DEFLATED, -15)
    sizes = [0, 0]
    for piece in _pieces(value, system):
        sizes[0] += len(small.compress(piece))
        sizes[1] += len(quick.compress(piece))
    return 8 * min(sizes[0] + len(small.flush()), sizes[1] + len(quick.flush()))


def _pieces(value: Any, system: str) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, str):
        if _names_a_file(value):
            raise UserError(
                f"skill_efficiency: code of {system!r} is text that names a file; for its contents give "
                f"pathlib.Path({value!r})"
            )
        yield value.encode("utf-8", "surrogatepass")
    elif isinstance(value, Path):
        try:
            with value.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        except OSError as error:
            raise UserError(
                f"skill_efficiency: code of {system!r}: {str(value)!r} cannot be read as a file ({error.strerror})"
            ) from None
    else:
        raise UserError(
            f"skill_efficiency: code of {system!r} must be text, bytes or a pathlib.Path, got {type(value).__name__}"
        )


def _names_a_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long, or with characters that no name has
        return False
