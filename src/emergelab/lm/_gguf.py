"""Weights on disk as numpy arrays: GGUF files, and folders of safetensors.

The header of a GGUF file is read here, by the published layout, because a vocabulary of 49,000 strings costs seconds
with a reader that makes an array of each. What the quantised blocks mean is left to the package `gguf`.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ..errors import UserError, need
from .base import ModelError

__all__ = ["Gguf", "Safetensors"]

# Kinds of value in the header: the number of each is its struct format, None are strings and arrays.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_PLAIN: dict[int, Any] = {0: np.dtype("<f4"), 1: np.dtype("<f2"), 28: np.dtype("<f8")}
_BF16 = 30


class _Cursor:
    """Reads the header's values one after the other."""

    def __init__(self, raw: mmap.mmap) -> None:
        self.raw, self.at = raw, 0

    def take(self, form: str) -> Any:
        (value,) = struct.unpack_from(f"<{form}", self.raw, self.at)
        self.at += struct.calcsize(f"<{form}")
        return value

    def text(self) -> str:
        length = self.take("Q")
        if self.at + length > len(self.raw):
            raise ValueError("a text runs past the end of the file")
        found = self.raw[self.at : self.at + length]
        self.at += length
        return found.decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.take(_SCALARS[kind])
        inner, count = self.take("I"), self.take("Q")
        if inner in _SCALARS:
            dtype = np.dtype("?" if inner == 7 else f"<{np.dtype(_SCALARS[inner].replace('?', 'b')).str[1:]}")
            found = np.frombuffer(self.raw, dtype, count, self.at).tolist()
            self.at += count * dtype.itemsize
            return found
        return [self.value(inner) for _ in range(count)]


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[int, ...]  # rows first, as numpy has it
    kind: int
    start: int


class Gguf:
    """A GGUF file: fields by name, and tensors that are dequantised when they are asked for.

    Attributes:
        fields: the header's values.
        names: names of the tensors.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self.fields, self._tensors = self._header()
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
        except (ValueError, KeyError, struct.error, MemoryError) as error:
            raise UserError(f"{path}: not a whole GGUF file ({error})") from None
        self.names = list(self._tensors)

    def _header(self) -> tuple[dict[str, Any], dict[str, _Tensor]]:
        cursor = _Cursor(self._raw)
        if self._raw[:4] != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        cursor.at = 4
        if (version := cursor.take("I")) not in (2, 3):
            raise ValueError(f"version {version}; 2 and 3 can be read")
        tensors, values = cursor.take("Q"), cursor.take("Q")
        fields = {}
        for _ in range(values):
            name = cursor.text()
            fields[name] = cursor.value(cursor.take("I"))
        found = {}
        for _ in range(tensors):
            name, dims = cursor.text(), cursor.take("I")
            shape = tuple(cursor.take("Q") for _ in range(dims))[::-1]
            found[name] = _Tensor(shape, cursor.take("I"), cursor.take("Q"))
        align = fields.get("general.alignment", 32)
        start = -(-cursor.at // align) * align
        return fields, {n: _Tensor(t.shape, t.kind, start + t.start) for n, t in found.items()}

    def __call__(self, name: str) -> Float[np.ndarray, "..."]:
        """A tensor as float32."""
        if name not in self._tensors:
            raise ModelError(f"{self.path}: holds no weights {name!r}")
        tensor = self._tensors[name]
        count = int(np.prod(tensor.shape))
        # a missing package is said as such, not as weights that cannot be read
        gguf = None if tensor.kind in _PLAIN or tensor.kind == _BF16 else need("gguf", "lm", "quantised weights")
        try:
            if tensor.kind in _PLAIN:
                flat = np.frombuffer(self._raw, _PLAIN[tensor.kind], count, tensor.start)
                return flat.reshape(tensor.shape).astype(np.float32)
            if tensor.kind == _BF16:
                return _from_bf16(np.frombuffer(self._raw, "<u2", count, tensor.start)).reshape(tensor.shape)
            assert gguf is not None
            kind = gguf.GGMLQuantizationType(tensor.kind)
            block, size = gguf.GGML_QUANT_SIZES[kind]
            rows = np.frombuffer(self._raw, np.uint8, count // block * size, tensor.start)
            made = gguf.quants.dequantize(rows.reshape(*tensor.shape[:-1], -1), kind)
        except (ValueError, KeyError, NotImplementedError) as error:
            raise ModelError(f"{self.path}: the weights {name!r} cannot be read ({error})") from None
        return np.asarray(made, np.float32).reshape(tensor.shape)


def _from_bf16(raw: np.ndarray) -> Float[np.ndarray, "..."]:
    return (raw.astype(np.uint32) << 16).view(np.float32)


class Safetensors:
    """A folder of safetensors files with its `config.json`.

    Attributes:
        config: what `config.json` holds.
        names: names of the tensors.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        library = need("safetensors", "lm", "reading safetensors")
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise UserError(f"{folder}: holds no *.safetensors")
        self.config = read_json(folder / "config.json")
        self._where: dict[str, Any] = {}
        for file in files:
            try:
                opened = library.safe_open(str(file), framework="numpy")
            except Exception as error:  # the library's own kind of error is not public
                raise UserError(f"{file}: cannot be read ({error})") from None
            self._where |= {name: opened for name in opened.keys()}  # noqa: SIM118 - it is no mapping
        self.names = list(self._where)

    def __call__(self, name: str) -> Float[np.ndarray, "..."]:
        """A tensor as float32."""
        if name not in self._where:
            raise ModelError(f"{self.path}: holds no weights {name!r}")
        return np.asarray(self._where[name].get_tensor(name), np.float32)


Weights = Callable[[str], Float[np.ndarray, "..."]]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file, or one clear line."""
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error})") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds no JSON object")
    return found
