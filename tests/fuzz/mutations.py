"""What an enemy or a bad disk makes of a file: bytes that change, JSON of other types, bombs, paths that lead out."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

CANARY = "EMERGELAB_FUZZ_CANARY"
"""File, in the working directory, that code in a hostile file would make."""


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, (f"open({CANARY!r}, 'w').close()",)


NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 1 << 62, 10**400, 1e308, float("nan"), float("inf"), "", "x", "../../../etc/passwd",
    "/etc/passwd", "a\nb\x1b[31m", "<script>alert(1)</script>", [], {}, [[]], {"a": 1}, [1 << 40, 1 << 40],
    "__main__", "\ud800", "numcodecs.pickle", "|O", "float64",
)  # fmt: skip


def of_bytes(raw: bytes, rng: random.Random) -> bytes:
    """Bits turn, a piece is lost, doubled, zeroed, written over, or the rest is cut off."""
    out = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at, kind = (
            rng.randrange(len(out) + 1),
            rng.choice(["bit", "bit", "cut", "lose", "twice", "zero", "over", "huge"]),
        )
        if kind == "bit" and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del out[at:]
        elif kind == "lose":
            del out[at : at + rng.randint(1, 40)]
        elif kind == "twice":
            out[at:at] = out[at : at + rng.randint(1, 200)]
        elif kind == "zero":
            out[at : at + 16] = bytes(len(out[at : at + 16]))
        elif kind == "over":
            out[at : at + 8] = rng.randbytes(8)
        elif kind == "huge":
            out[at : at + 8] = struct.pack("<q", rng.choice([-1, 1 << 31, 1 << 40, 1 << 62]))[: len(out[at : at + 8])]
    return bytes(out)


def of_json(raw: bytes, rng: random.Random) -> bytes:
    """Values somewhere in JSON become others, keys are lost, or it nests without end."""
    if rng.random() < 0.05:
        return rng.choice([b"[" * 200_000, b'{"a":' * 200_000, b"[" * 500 + b"]" * 500, b"null", b"\xff\xfe", b""])
    value = json.loads(raw)
    for _ in range(rng.randint(1, 3)):
        value = _changed(value, rng)
    return json.dumps(value).encode()


def _changed(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        out = dict(value)
        if rng.random() < 0.15:
            del out[key]
        elif rng.random() < 0.1:
            out[str(rng.choice(NASTY))] = out.pop(key)
        else:
            out[key] = _changed(value[key], rng)
        return out
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], _changed(value[at], rng), *value[at + 1 :]]
    return rng.choice(NASTY)


def of_npz(raw: bytes, rng: random.Random) -> bytes:
    """Members that are bombs, lie about their size or their shape, hold objects, or have names that lead out."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    name, kind = rng.choice(list(members)), rng.choice(["bomb", "shape", "object", "path", "json", "lost", "dtype"])
    packing = zipfile.ZIP_STORED
    if kind == "bomb":
        members[name], packing = members[name] + bytes(64 << 20), zipfile.ZIP_DEFLATED
    elif kind in ("shape", "dtype"):
        about = {
            "descr": rng.choice(["<f8", "|O", "<U1000000000", "|V8", "<M8[s]"]) if kind == "dtype" else "<f8",
            "fortran_order": False,
            "shape": rng.choice([(1 << 40,), (1 << 20, 1 << 20), (-1,), (1 << 62, 4), (), (0,)]),
        }
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, about)
        members[name] = head.getvalue() + bytes(64)
    elif kind == "object":
        held = io.BytesIO()
        np.save(held, np.array([Bomb()], dtype=object), allow_pickle=True)
        members[name] = held.getvalue()
    elif kind == "path":
        members[f"../../{CANARY}"] = members.pop(name)
    elif kind == "json" and "progress.npy" in members:
        text = bytes(np.load(io.BytesIO(members["progress.npy"])))
        held = io.BytesIO()
        np.save(held, np.frombuffer(of_json(text, rng), np.uint8))
        members["progress.npy"] = held.getvalue()
    else:
        del members[name]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packing) as archive:
        for n, held_bytes in members.items():
            archive.writestr(n, held_bytes)
    return made.getvalue()


def of_parquet(raw: bytes, rng: random.Random) -> bytes:
    """Entries of a log of events whose payloads, kinds or columns are others."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(raw))
    columns: dict[str, Any] = {n: table.column(n).to_pylist() for n in table.column_names}
    row = rng.randrange(table.num_rows)
    kind = rng.choice(["payload", "payload", "payload", "kind", "column", "null", "rows"])
    if kind == "payload":
        columns["payload"][row] = of_json(columns["payload"][row].encode(), rng).decode("utf-8", "replace")
    elif kind == "kind":
        columns["kind"][row] = rng.choice(["call", "decision", "state", "x" * 100_000, ""])
    elif kind == "column":
        del columns[rng.choice(list(columns))]
    elif kind == "null":
        columns[rng.choice(list(columns))][row] = None
    else:
        columns = {n: c * 200 for n, c in columns.items()}
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def pickled() -> bytes:
    """A pickle that runs code."""
    return pickle.dumps(Bomb())


def change(path: Path, rng: random.Random) -> str:
    """Spoil one file in the way that suits its kind, or in any way; returns how."""
    raw, ending = path.read_bytes(), path.suffix
    suited = {".json": of_json, ".npz": of_npz, ".parquet": of_parquet}.get(ending)
    roll = rng.random()
    if roll < 0.03:
        path.write_bytes(pickled())
        return "pickle"
    if roll < 0.06:
        path.unlink()
        path.symlink_to("/etc/passwd" if rng.random() < 0.5 else "/dev/zero")
        return "link"
    if suited is not None and roll < 0.7:
        try:
            path.write_bytes(suited(raw, rng))
            return suited.__name__.removeprefix("of_")
        except (ValueError, KeyError):  # a table that is no log of events
            pass
    path.write_bytes(of_bytes(raw, rng))
    return "bytes"
