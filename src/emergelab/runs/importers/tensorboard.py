"""TensorBoard event files: tags become variables, run folders seeds and conditions.

The reader is our own, for three reasons. The `tensorboard` package brings protobuf, grpc, a web server and 30 MB, to
read a format of two layers that has not changed since 2015; its loader keeps every image and graph of a file in
memory; and it meets a damaged record by silently ending the file. What is read here is the TFRecord framing (length,
its CRC32C, bytes, their CRC32C; both are checked) and, of the protobuf messages inside, the few fields that hold
scalars: `simple_value`, and tensors of one number of any float or integer type. Everything else (graphs, images,
histograms, text) is passed over unread. All lengths are checked against the bytes that are there, and nothing is ever
executed.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import google_crc32c
import numpy as np

from ...errors import UserError
from ._runs import Curve, Repeats, assemble, chosen, label_runs
from ._safe import files_below, read_bytes
from .opened import Opened

_TYPES = {
    1: "<f4", 2: "<f8", 3: "<i4", 4: "<u1", 5: "<i2", 6: "<i1", 9: "<i8", 10: "?", 17: "<u2", 19: "<f2", 22: "<u4",
    23: "<u8",
}  # fmt: skip
_BFLOAT16 = 14
_FIELDS = {5: "<f4", 6: "<f8"}  # float_val and double_val; the integers' fields hold varints
_VARINTS = (7, 10, 11, 16, 17)
_HALVES = 13
_SPLITS = ("train", "training", "val", "valid", "validation", "eval", "evaluation", "test")


def is_event_file(path: Path) -> bool:
    """Whether the name is that of an event file."""
    return "tfevents" in path.name


def is_record(head: bytes) -> bool:
    """Whether the first 12 bytes of a file are a TFRecord's length and the right checksum of it."""
    return len(head) >= 12 and _masked(head[:8]) == struct.unpack("<I", head[8:12])[0]


def read_tensorboard(
    path: str | Path, *, value: str | Sequence[str] | None = None, runs: str | None = None, repeats: Repeats = "last"
) -> Opened:
    """A folder of runs, or one event file.

    Args:
        path: every folder below it that holds event files is a run. Folders `train` and `validation` inside a run (as
            Keras writes them) become part of the tag.
        value: tags to read, all if not given.
        runs: regular expression that finds condition and seed in the run's folder (see `label_runs`).
        repeats: a run that was restarted from a checkpoint writes steps again; the last written count.

    Raises:
        UserError: no event file, a damaged one (a last record cut off is only noted), a tag that is not there.
    """
    path = Path(path)
    files, links = ([path], 0) if path.is_file() else files_below(path)
    files = files if path.is_file() else [f for f in files if is_event_file(f)]
    if not files:
        raise UserError(f"{path}: no TensorBoard event file (a name with 'tfevents') below it")
    notes = [f"{links} links were not followed"] if links else []
    points: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    skipped: set[str] = set()
    for file in files:  # names begin with the time of writing, so sorted files are in the order of writing
        folder = "." if file == path else file.parent.relative_to(path).as_posix()
        for step, tag, number in _scalars(file, skipped, notes):
            points[folder, tag].append((step, number))
    if not points:
        raise UserError(
            f"{path}: no scalar in {len(files)} event files"
            + (f" (only {', '.join(sorted(skipped)[:8])})" if skipped else "")
        )
    points = _splits_into_tags(points)
    wanted = chosen(sorted({tag for _, tag in points}), value, str(path), "tag")
    folders = sorted({folder for folder, _ in points})
    labels = label_runs(folders, runs, "run folder")
    at = {folder: i for i, folder in enumerate(folders)}
    curves = [
        Curve(at[folder], tag, np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs], float))
        for (folder, tag), pairs in points.items()
        if tag in wanted
    ]
    if skipped:
        notes.append(f"not scalars, left out: {', '.join(sorted(skipped)[:8])}")
    data = assemble(curves, labels, path.name, repeats, notes)
    data["time"].attrs["long_name"] = "step"
    return Opened(data, "tensorboard", (*labels.notes, *notes), {"time": "step", **labels.columns})


def _splits_into_tags(
    points: dict[tuple[str, str], list[tuple[int, float]]],
) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """`run/train` and `run/validation` are one run with two kinds of record."""
    folders = {folder for folder, _ in points}
    if not all(folder.rpartition("/")[2] in _SPLITS for folder in folders):
        return points
    out: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for (folder, tag), pairs in points.items():
        run, _, split = folder.rpartition("/")
        out[run or ".", f"{split}/{tag}"] = pairs
    return out


# -- the framing ----------------------------------------------------------------------------------------------------


def _masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _records(raw: bytes, name: str, notes: list[str]) -> Iterator[memoryview]:
    """The records of a file; what a killed writer left of the last one is noted, a wrong checksum refused."""
    view, at = memoryview(raw), 0
    while at < len(raw):
        if at + 12 > len(raw):
            notes.append(f"{name}: the last record is cut off after {len(raw) - at} bytes and left out")
            return
        length, check = struct.unpack_from("<QI", raw, at)
        if _masked(raw[at : at + 8]) != check:
            raise UserError(f"{name}: not a TensorBoard event file, or damaged at byte {at} (wrong checksum)")
        end = at + 12 + length + 4
        if end > len(raw):
            notes.append(f"{name}: the last record is cut off after {len(raw) - at} bytes and left out")
            return
        body = raw[at + 12 : end - 4]
        if _masked(body) != struct.unpack_from("<I", raw, end - 4)[0]:
            raise UserError(f"{name}: damaged at byte {at} (wrong checksum)")
        yield view[at + 12 : end - 4]
        at = end


# -- the messages ---------------------------------------------------------------------------------------------------


def _varint(buffer: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(buffer):
            raise ValueError("a number is cut off")
        byte = buffer[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("a number of more than ten bytes")


def _fields(buffer: memoryview) -> Iterator[tuple[int, int, int, memoryview]]:
    """(number, wire type, value of a varint, bytes of any other) of a message's fields."""
    at = 0
    while at < len(buffer):
        key, at = _varint(buffer, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(buffer, at)
            yield key >> 3, wire, value, buffer[:0]
            continue
        if wire == 2:
            length, at = _varint(buffer, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a field of the unknown kind {wire}")
        if at + length > len(buffer):
            raise ValueError("a field is longer than its message")
        yield key >> 3, wire, 0, buffer[at : at + length]
        at += length


def _scalars(file: Path, skipped: set[str], notes: list[str]) -> Iterator[tuple[int, str, float]]:
    """(step, tag, value) of every scalar of a file."""
    for record in _records(read_bytes(file), file.name, notes):
        try:
            step, found = _event(record, skipped)
        except (ValueError, struct.error, UnicodeDecodeError) as error:
            raise UserError(f"{file.name}: a record is no TensorBoard event ({error})") from None
        for tag, number in found:
            yield step, tag, number


def _event(record: memoryview, skipped: set[str]) -> tuple[int, list[tuple[str, float]]]:
    step, found = 0, []
    for number, wire, value, body in _fields(record):
        if number == 2 and wire == 0:
            step = value - (1 << 64) if value >> 63 else value
        elif number == 5 and wire == 2:
            for inner, kind, _, part in _fields(body):
                if inner == 1 and kind == 2:
                    pair = _value(part, skipped)
                    if pair is not None:
                        found.append(pair)
    return step, found


def _value(body: memoryview, skipped: set[str]) -> tuple[str, float] | None:
    tag, number, plugin = "", None, ""
    for field, wire, _, part in _fields(body):
        if field == 1 and wire == 2:
            tag = bytes(part).decode("utf-8")
        elif field == 2 and wire == 5:
            number = float(struct.unpack("<f", part)[0])
        elif field == 8 and wire == 2:
            number = _tensor(part)
        elif field == 9 and wire == 2:
            plugin = _plugin(part)
    if number is None or plugin not in ("", "scalars"):
        skipped.add(tag)
        return None
    return tag, number


def _plugin(body: memoryview) -> str:
    for field, wire, _, part in _fields(body):
        if field == 1 and wire == 2:
            for inner, kind, _, name in _fields(part):
                if inner == 1 and kind == 2:
                    return bytes(name).decode("utf-8")
    return ""


def _tensor(body: memoryview) -> float | None:
    """The number in a tensor that holds just one, else None."""
    dtype, content, numbers = 0, b"", []
    for field, wire, value, part in _fields(body):
        if field == 1 and wire == 0:
            dtype = value
        elif field == 4 and wire == 2:
            content = bytes(part[:16])
            if len(part) > 8:
                return None
        elif field in _FIELDS and wire in (1, 2, 5):
            size = np.dtype(_FIELDS[field]).itemsize
            if len(part) % size or len(part) > size:
                return None
            numbers += np.frombuffer(part, _FIELDS[field]).tolist()
        elif field in (*_VARINTS, _HALVES):
            if wire == 2 and len(part) > 10:
                return None
            numbers += [value] if wire == 0 else ([_varint(part, 0)[0]] if len(part) else [])
    if content:
        if dtype == _BFLOAT16 and len(content) == 2:
            return _half(int.from_bytes(content, "little"), dtype)
        if dtype not in _TYPES or len(content) != np.dtype(_TYPES[dtype]).itemsize:
            return None
        return float(np.frombuffer(content, _TYPES[dtype])[0])
    if len(numbers) != 1 or (dtype not in _TYPES and dtype != _BFLOAT16):
        return None
    if dtype in (19, _BFLOAT16):
        return _half(int(numbers[0]), dtype)
    number = numbers[0]
    return float(number - (1 << 64) if isinstance(number, int) and number >> 63 else number)


def _half(bits: int, dtype: int) -> float | None:
    """16 bits as IEEE half precision, or as the upper half of a single."""
    if not 0 <= bits < 1 << 16:
        return None
    if dtype == _BFLOAT16:
        return float(struct.unpack("<f", struct.pack("<I", bits << 16))[0])
    return float(struct.unpack("<e", struct.pack("<H", bits))[0])
