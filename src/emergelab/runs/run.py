"""A run: conditions x seeds x time, labelled, on disk, with all that is needed to repeat it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .checks import as_progress, check_arrays, reading
from .place import Place
from .store import read_info, read_kept

if TYPE_CHECKING:
    import pyarrow as pa
    import xarray as xr

__all__ = ["Run", "load"]

_MOST_EVENTS, _MOST_BYTES = 1 << 24, 1 << 30  # of one file, which holds those of one chunk of one block


class Run:
    """A thin view of a run's folder; another process may still be writing it.

    Attributes:
        path: folder or URL.
        info: run.json: study, system, conditions with all parameters, seeds, steps, every, interventions, versions,
            status.
        data: `xarray.Dataset`, lazy, dims (condition, seed, time, ...); NaN where not written yet.
        events: `pyarrow.Table` with columns time, condition, seed, kind, payload (JSON).
    """

    def __init__(self, path: str | os.PathLike[str] | Place) -> None:
        self.place = path if isinstance(path, Place) else Place(path)
        self.info: dict[str, Any] = read_info(self.place)

    @property
    def path(self) -> str:
        return str(self.place)

    def refresh(self) -> Run:
        """The same run as it lies on disk now."""
        return Run(self.place)

    @cached_property
    def data(self) -> xr.Dataset:
        """The observables. Values are read when they are used (`.load()` reads all)."""
        import xarray as xr

        with reading(
            self.place,
            "data.zarr",
            "restore its zarr.json files, or grow the run again: emergelab rerun",
            "damaged or missing",
        ):
            check_arrays(self.place, self.info)
            found = xr.open_zarr(
                self.place.zarr("data.zarr", read_only=True), consolidated=False, chunks=None, zarr_format=3,
                drop_variables=["condition"],
            )  # fmt: skip
            for name in found.data_vars:
                _guard(found[name].variable, self.place)
            # run.json names the conditions too: text in Zarr says itself how much memory it takes.
            return found.assign_coords(condition=list(self.info["conditions"]))

    @cached_property
    def events(self) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        text, whole = pa.string(), pa.int64()
        schema = pa.schema([("time", whole), ("condition", text), ("seed", whole), ("kind", text), ("payload", text)])
        parts = [schema.empty_table()]
        for name in self.place.names("events", ".parquet"):
            with reading(self.place, f"events/{name}", "delete that file to go on without its events"):
                file = pq.ParquetFile(pa.BufferReader(self.place.read(f"events/{name}")))
                about = file.metadata
                rows = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
                if about.num_rows > _MOST_EVENTS or rows > _MOST_BYTES:
                    raise ValueError(f"it says that it holds {about.num_rows:,} events")
                if not file.schema_arrow.equals(schema):
                    raise ValueError("its columns are not those of events")
                found = file.read()
                found.validate(full=True)  # texts that are no UTF-8 would be found only by whoever looks at them
                parts.append(found)
        return pa.concat_tables(parts).sort_by([("time", "ascending")])

    def happened(self, condition: str, seed: int, step: int) -> dict[str, list[Any]]:
        """What one step of a condition and a seed wrote into the log: payloads by kind of event, in order."""
        columns = [self.events.column(n).to_pylist() for n in ("condition", "seed", "time", "kind", "payload")]
        out: dict[str, list[Any]] = {}
        for name, number, when, kind, text in zip(*columns, strict=True):
            if (name, number, when) == (condition, seed, step):
                out.setdefault(kind, []).append(json.loads(text))
        return out

    @cached_property
    def progress(self) -> list[dict[str, Any]]:
        """How far each block is: `records` done, `diverged` and `failed` seeds.

        Raises:
            RunError: a file that says so is damaged.
        """
        found = []
        for index in range(len(self.info["blocks"])):
            name = f"checkpoints/{index:05d}.json"
            done: dict[str, Any] = {"records": 0, "diverged": {}, "failed": {}}
            if self.place.exists(name):
                remedy = f"delete it and {name.removesuffix('.json')}.npz to redo their block"
                with reading(self.place, name, remedy):
                    done |= as_progress(json.loads(self.place.read(name)))
                    if done["records"] > self.records:
                        raise ValueError(f"it says that {done['records']:,} of {self.records:,} records are done")
            found.append(done)
        return found

    @property
    def kept(self) -> list[int]:
        """Steps whose states lie on disk (`keep=` of `el.run`)."""
        return list(self.info.get("keep", ()))

    def state(self, time: int, condition: str | None = None) -> xr.Dataset:
        """What a kept state holds: every array under its dotted name (`net.first`), with dims (seed, ...).

        Args:
            time: one of `kept`.
            condition: which; may be left out if there is one only.

        Raises:
            UserError: a time that was not kept, or an unknown condition.
            RunError: the run has not come so far, or a file is damaged.
        """
        import numpy as np
        import xarray as xr

        conditions, seeds = list(self.info["conditions"]), self.info["seeds"]
        if condition is None and len(conditions) == 1:
            condition = conditions[0]
        if condition not in conditions:
            raise UserError(f"{self.path}: condition must be one of {', '.join(conditions)}, got {condition!r}")
        blocks = list(self._kept_of(time, conditions.index(condition)))
        names = blocks[0][0]
        parts = [[a[row, : last - first] for a in arrays] for _, arrays, row, (first, last) in blocks]
        values = [np.concatenate(column) for column in zip(*parts, strict=True)]
        variables = {
            name: xr.DataArray(v, dims=("seed", *(f"{name}.{i}" for i in range(v.ndim - 1))))
            for name, v in zip(names, values, strict=True)
        }
        return xr.Dataset(variables, coords={"seed": seeds}, attrs={"condition": condition, "time": time})

    def _kept_of(self, time: int, condition: int) -> Iterator[tuple[list[str], list[Any], int, tuple[int, int]]]:
        """The blocks of a condition at a kept time: names, arrays, the condition's row, and which seeds."""
        if time not in self.kept:
            have = ", ".join(map(str, self.kept)) or "none; grow it with keep='log' or keep=[...]"
            raise UserError(f"{self.path}: no state of step {time} was kept (kept: {have})")
        for index, block in enumerate(self.info["blocks"]):
            if condition in block["conditions"]:
                names, arrays = read_kept(self.place, time, index)
                yield names, arrays, block["conditions"].index(condition), tuple(block["seeds"])

    @property
    def records(self) -> int:
        """Number of record times of a finished run."""
        return int(self.info["steps"]) // int(self.info["every"]) + 1

    @property
    def done(self) -> float:
        """The fraction of records that is written, 0 to 1."""
        sizes = [len(b["conditions"]) * (b["seeds"][1] - b["seeds"][0]) for b in self.info["blocks"]]
        have = sum(n * p["records"] for n, p in zip(sizes, self.progress, strict=True))
        return have / (sum(sizes) * self.records)

    @property
    def status(self) -> str:
        """`running`, `interrupted` or `finished`."""
        return str(self.info["status"])

    def _marked(self, what: str) -> dict[str, dict[int, Any]]:
        out: dict[str, dict[int, Any]] = {}
        for block in self.progress:
            for condition, seeds in block[what].items():
                out.setdefault(condition, {}).update({int(s): v for s, v in seeds.items()})
        return out

    @property
    def diverged(self) -> dict[str, dict[int, int]]:
        """Step of the first NaN or infinity, by condition and seed."""
        return self._marked("diverged")

    @property
    def failed(self) -> dict[str, dict[int, Any]]:
        """What ended a seed of a host system for good, by condition and seed."""
        return self._marked("failed")

    def __repr__(self) -> str:
        what = self.info.get("study") or self.info["system"]["name"]
        return (
            f"Run({self.path!r}: {what}, {len(self.info['conditions'])} conditions x {len(self.info['seeds'])} seeds "
            f"x {self.info['steps']} steps, {self.status}, {self.done:.0%} done)"
        )


def _guard(variable: xr.Variable, place: Place) -> None:
    """Make a damaged chunk one clear line when it is read, which may be long after the run was opened."""
    from xarray.backends import BackendArray

    class Guarded(BackendArray):
        def __init__(self, inner: BackendArray) -> None:
            self.inner, self.shape, self.dtype = inner, inner.shape, inner.dtype

        def __getitem__(self, key: Any) -> Any:
            with reading(place, "a chunk of data.zarr", "grow the run again: emergelab rerun"):
                return self.inner[key]

    outer: Any = variable._data
    while not isinstance(outer.array, BackendArray):
        outer = outer.array
    outer.array = Guarded(outer.array)


def load(path: str | os.PathLike[str]) -> Run:
    """Open a run, growing or finished.

    Raises:
        RunError: if the folder is not a run, is damaged, or was written by another format version.
    """
    return Run(path)
