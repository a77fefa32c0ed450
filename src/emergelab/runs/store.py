"""What lies on disk, and the only code that writes it.

    RUN/run.json             study, conditions with every parameter, seeds, steps, interventions, versions, status
    RUN/data.zarr            one array an observable, dims (condition, seed, time, ...); NaN where not written yet
    RUN/events/*.parquet     failures, divergences, decisions, notes
    RUN/checkpoints/*.npz    last state of every block (arrays and JSON only)
    RUN/checkpoints/*.json   how far every block is
    RUN/kept/*.npz           states that were to be kept, by time and block

Every file is replaced whole, and a chunk's data are written before its checkpoint, so a reader in another process may
open the run at any time, and a killed run continues from the last checkpoint and writes the same values again.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from ..errors import RunError
from .checks import as_progress, one_line, problem, reading
from .npz import read_arrays
from .place import Place

FORMAT = "emergelab-run"
FORMAT_VERSION = 1
# An append rewrites the last chunk of each array, so chunks are kept small; reading whole curves stays cheap.
_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class ArraySpec:
    """One array of the data: dims beyond (condition, seed, time), their sizes, dtype and attributes."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    attrs: dict[str, Any] = field(default_factory=dict)


def stored_dtype(dtype: Any) -> str:
    """The dtype on disk: real types as they are (at least float32), whole numbers and truth values as float64,
    which holds them exactly up to 2**53 and has a NaN for "not written yet"."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f" and dtype.itemsize >= 4:
        return dtype.str
    return "<f8" if dtype.kind in "iub" else "<f4"


class Store:
    """The writer's side of a run."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._arrays: dict[str, Any] = {}

    @classmethod
    def create(
        cls,
        place: Place,
        info: dict[str, Any],
        arrays: Sequence[ArraySpec],
        *,
        times: np.ndarray,
        chunk_conditions: int,
        chunk_seeds: int,
    ) -> Store:
        """Lay out an empty run. `info` becomes run.json, which is written last: it is what makes a folder a run.

        Raises:
            RunError: the folder holds something already, is being written by another process, or cannot be written.
        """
        if not place.is_empty():
            _refuse(place)
        place.make()
        with place.locked():
            # Another process may have found the folder empty at the same moment, and may be done with this by now.
            if place.exists("data.zarr"):
                _refuse(place)
            with place.writing():
                cls._lay_out(place, info, arrays, times, chunk_conditions, chunk_seeds)
            store = cls(place)
            store.write_info(info)
        return store

    @staticmethod
    def _lay_out(
        place: Place,
        info: dict[str, Any],
        arrays: Sequence[ArraySpec],
        times: np.ndarray,
        chunk_conditions: int,
        chunk_seeds: int,
    ) -> None:
        import zarr

        conditions, seeds = list(info["conditions"]), info["seeds"]
        root = zarr.open_group(place.zarr("data.zarr"), mode="w", zarr_format=3)
        root.attrs["Conventions"] = "CF-1.11"
        root.create_array("condition", data=np.asarray(conditions, dtype="T"), dimension_names=["condition"])
        root.create_array("seed", data=np.asarray(seeds, np.int64), dimension_names=["seed"])
        steps = np.asarray(times, np.int64)
        root.create_array("time", data=steps, dimension_names=["time"], attributes={"long_name": "step"})
        for spec in arrays:
            row = max(1, math.prod(spec.shape) * np.dtype(spec.dtype).itemsize * chunk_conditions * chunk_seeds)
            length = max(1, min(len(times), _CHUNK_BYTES // row))
            root.create_array(
                spec.name,
                shape=(len(conditions), len(seeds), len(times), *spec.shape),
                chunks=(chunk_conditions, chunk_seeds, length, *(max(1, n) for n in spec.shape)),
                dtype=spec.dtype,
                fill_value=np.nan,
                dimension_names=["condition", "seed", "time", *spec.dims],
                attributes=spec.attrs,
            )

    # -- run.json ---------------------------------------------------------------------------------------------------

    def write_info(self, info: Mapping[str, Any]) -> None:
        self.place.write("run.json", json.dumps(info, indent=1, allow_nan=False).encode())

    # -- data -------------------------------------------------------------------------------------------------------

    def append(self, name: str, conditions: Sequence[int], seeds: slice, start: int, values: np.ndarray) -> None:
        """Write records `start ...` of one observable; `values` has dims (condition, seed, time, ...).

        Raises:
            RunError: the data cannot be written, or what lies there already is damaged.
        """
        with self.place.writing():
            try:
                self._append(name, conditions, seeds, start, values)
            except (KeyError, ValueError, TypeError, RuntimeError) as error:
                raise RunError(f"{self.place}: data.zarr is damaged ({name}: {one_line(error)})") from None

    def _append(self, name: str, conditions: Sequence[int], seeds: slice, start: int, values: np.ndarray) -> None:
        import zarr

        if not self._arrays:
            root = zarr.open_group(self.place.zarr("data.zarr"), mode="r+")
            self._arrays = dict(root.arrays())
        array = self._arrays[name]
        stop = start + values.shape[2]
        first, last = conditions[0], conditions[-1] + 1
        if list(conditions) == list(range(first, last)):
            array[first:last, seeds, start:stop] = values
        else:
            for row, condition in enumerate(conditions):
                array[condition : condition + 1, seeds, start:stop] = values[row : row + 1]

    # -- events -----------------------------------------------------------------------------------------------------

    def write_events(self, block: int, record: int, events: Sequence[Mapping[str, Any]]) -> None:
        """Write the events of one chunk of one block, named by the record at which the chunk began."""
        if not events:
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(
            {
                "time": pa.array([int(e["time"]) for e in events], pa.int64()),
                "condition": pa.array([str(e["condition"]) for e in events], pa.string()),
                "seed": pa.array([int(e["seed"]) for e in events], pa.int64()),
                "kind": pa.array([str(e["kind"]) for e in events], pa.string()),
                "payload": pa.array([json.dumps(e.get("payload", {})) for e in events], pa.string()),
            }
        )
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        self.place.write(f"events/{block:05d}-{record:010d}.parquet", buffer.getvalue())

    def drop_events_from(self, block: int, record: int) -> None:
        """Forget events at or after a checkpoint: they happened in a chunk that is going to be repeated."""
        for name in self.place.names("events", ".parquet"):
            owner, begun = name.removesuffix(".parquet").split("-")
            if int(owner) == block and int(begun) >= record:
                self.place.remove(f"events/{name}")

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def write_checkpoint(self, block: int, leaves: Sequence[np.ndarray], progress: Mapping[str, Any]) -> None:
        """Keep the last state of a block; `progress` says how far it is (JSON)."""
        self._write_leaves(f"checkpoints/{block:05d}.npz", leaves, progress=progress)
        self.place.write(f"checkpoints/{block:05d}.json", json.dumps(progress).encode())

    def write_kept(self, block: int, time: int, leaves: Sequence[np.ndarray], names: Sequence[str]) -> None:
        """Keep the state of a block at a record time for good, with the names of its arrays."""
        self._write_leaves(f"kept/{time:012d}-{block:05d}.npz", leaves, names=list(names))

    def _write_leaves(self, name: str, leaves: Sequence[np.ndarray], **about: Any) -> None:
        """Arrays, and JSON about them, as one npz file."""
        arrays = {key: np.frombuffer(json.dumps(value).encode(), np.uint8) for key, value in about.items()}
        for i, leaf in enumerate(leaves):
            leaf = np.asarray(leaf)
            # Types that numpy does not know by itself (bfloat16) go as raw bytes: no pickle, ever.
            arrays[f"leaf{i}"] = leaf if leaf.dtype.kind in "iufbc" else leaf.view(f"u{leaf.dtype.itemsize}")
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        self.place.write(name, buffer.getvalue())

    def read_checkpoint(self, block: int) -> tuple[list[np.ndarray], dict[str, Any]] | None:
        """The last state and progress of a block, or None if it has none yet.

        A process that was killed between the two files of a checkpoint left an older account of the progress beside
        the state; it is written again, so that readers see what the state says.

        Raises:
            RunError: the file is damaged.
        """
        name, account = f"checkpoints/{block:05d}.npz", f"checkpoints/{block:05d}.json"
        if not self.place.exists(name):
            return None
        with reading(self.place, name, "delete that file to redo its block"):
            arrays = read_arrays(self.place.read(name))
            progress = as_progress(json.loads(arrays.pop("progress").tobytes()))
            leaves = [arrays[f"leaf{i}"] for i in range(len(arrays))]
        written = json.dumps(progress).encode()
        if not self.place.exists(account) or self.place.read(account) != written:
            self.place.write(account, written)
        return leaves, progress


def read_kept(place: Place, time: int, block: int) -> tuple[list[str], list[np.ndarray]]:
    """Names and arrays of a state that was kept; leading axes (condition, seed) of the block.

    Raises:
        RunError: the file is missing or damaged.
    """
    name = f"kept/{time:012d}-{block:05d}.npz"
    if not place.exists(name):
        raise RunError(f"{place}: {name} is missing; the run has not come to step {time} yet, or the file was deleted")
    with reading(place, name, "the run must be grown again to have it"):
        arrays = read_arrays(place.read(name))
        names = json.loads(arrays["names"].tobytes())
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise ValueError("the names of its arrays are no list of texts")
        return names, [arrays[f"leaf{i}"] for i in range(len(names))]


def read_info(place: Place) -> dict[str, Any]:
    """run.json of a place, or one clear line why the place is not a run."""
    if not place.exists():
        raise RunError(f"{place}: no such folder")
    if not place.exists("run.json"):
        raise RunError(f"{place}: not a run (it has no run.json); `emergelab run SLUG --out DIR` makes one")
    try:
        info = json.loads(place.read("run.json"))
    except (ValueError, OSError, RecursionError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{place}: run.json is damaged ({one_line(error)})") from None
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise RunError(f"{place}: run.json is not one of emergelab's (format {FORMAT!r} expected)")
    if info.get("version") != FORMAT_VERSION:
        raise RunError(
            f"{place}: run format {info.get('version')!r}, this emergelab reads {FORMAT_VERSION}; use the version "
            f"that wrote it"
        )
    missing = {"status", "conditions", "seeds", "steps", "every", "blocks"} - info.keys()
    if missing:
        raise RunError(f"{place}: run.json is damaged (it lacks {', '.join(sorted(missing))})")
    if wrong := problem(info):
        raise RunError(f"{place}: run.json is damaged ({wrong})")
    return info


def _refuse(place: Place) -> NoReturn:
    """Say that a folder is taken."""
    what = "already holds a run" if place.exists("run.json") else "is not empty"
    raise RunError(f"{place}: {what}; choose another folder, or continue a run with: emergelab resume {place}")
