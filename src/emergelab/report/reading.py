"""Files of a user as labelled data for `measure`: columns that are named, and those that are found and said so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import UserError, nearest
from ..runs.importers import Opened as Log
from ..runs.importers import kind_of, open_data
from ..runs.importers.tidy import from_frame, keep_rows, read_table, spread

__all__ = ["Columns", "Opened", "read"]

_TIMES = (
    "step",
    "steps",
    "global_step",
    "time",
    "epoch",
    "iteration",
    "iter",
    "generation",
    "update",
    "tokens",
    "frame",
    "t",
    "x",
)
_SEEDS = ("seed", "replicate", "run", "chain", "replica", "rep")
_CONDITIONS = ("condition", "method", "treatment", "arm", "variant", "model")
_TOGETHER = ("lm-eval", "inspect")  # kinds of which many files make one data set
_FRAMES = ("wandb", "mesa")
_DIMS = ("condition", "seed", "time")


@dataclass(frozen=True)
class Columns:
    """Names of columns (or variables) as the user gave them; None: to be found."""

    time: str | None = None
    value: str | None = None
    seed: str | None = None
    by: str | None = None
    companion: str | None = None
    stderr: str | None = None


@dataclass(frozen=True)
class Opened:
    """One file as labelled data: which variables are what, and how it was read."""

    data: xr.Dataset
    value: str
    companion: str | None
    stderr: str | None
    read: tuple[str, ...]


def read(
    files: Sequence[Path],
    columns: Columns,
    where: Sequence[tuple[str, str]] = (),
    spread_columns: tuple[str, str] | None = None,
    runs: str | None = None,
) -> list[Opened]:
    """Files as labelled data with dims among (condition, seed, time), one a file.

    Results of lm-evaluation-harness and Inspect logs are one data set together: each file is a model or a checkpoint.

    Raises:
        UserError: a file that cannot be read, a column that is not there, or several that fit.
    """
    kinds = [kind_of(f) for f in files]
    if len(files) > 1 and len(set(kinds)) == 1 and kinds[0] in _TOGETHER:
        return [_log(f"{len(files)} files", open_data(list(files), runs=runs), columns)]
    return [_one(f, kind, columns, where, spread_columns, runs) for f, kind in zip(files, kinds, strict=True)]


def _one(
    path: Path,
    kind: str,
    columns: Columns,
    where: Sequence[tuple[str, str]],
    spread_columns: tuple[str, str] | None,
    runs: str | None,
) -> Opened:
    # Who names columns, rows or scores has a tidy table, whatever its header looks like.
    if kind == "table" or (kind in _FRAMES and (columns.time or where or spread_columns)):
        if runs is not None:
            raise UserError(f"{path}: --runs reads names of runs in logs; of a table name the columns")
        return _table(path, columns, where, spread_columns)
    if spread_columns is not None:
        raise UserError(f"{path}: --spread is for long tables, this is {kind}")
    return _log(path.name, open_data(path, runs=runs, where=where), columns)


def _table(
    path: Path, columns: Columns, where: Sequence[tuple[str, str]], spread_columns: tuple[str, str] | None
) -> Opened:
    name = path.name
    frame = keep_rows(read_table(path), where, name)
    columns, said = _found(frame, columns, name, long=spread_columns is not None)
    if spread_columns is not None:
        keys = [c for c in (columns.seed, columns.by, columns.time) if c is not None]
        frame = spread(frame, *spread_columns, keys, [columns.stderr] if columns.stderr else [], name)
        columns = replace(columns, stderr=f"{columns.value}_{columns.stderr}" if columns.stderr else None)
    frame, companion = _transformed(frame, columns.companion, name)
    assert columns.time is not None and columns.value is not None
    data = from_frame(
        frame, time=columns.time, value=columns.value, seed=columns.seed, by=columns.by, companion=companion,
        stderr=columns.stderr, name=name,
    )  # fmt: skip
    return Opened(data, columns.value, companion, columns.stderr, (f"{name}: {said}",) if said else ())


def _found(frame: pd.DataFrame, given: Columns, name: str, *, long: bool) -> tuple[Columns, str]:
    """The columns, those that were not named found by their usual names; and a sentence about the latter."""
    names, said = [str(c) for c in frame.columns], []
    lower = {n.lower(): n for n in reversed(names)}
    taken = {c for c in (given.value, given.by, given.companion, given.stderr) if c}

    def usual(known: Sequence[str]) -> str | None:
        return next((lower[n] for n in known if n in lower and lower[n] not in taken), None)

    time, seed, by, value = given.time, given.seed, given.by, given.value
    if time is None:
        time = usual(_TIMES)
        if time is None:
            raise UserError(f"{name}: which column is the time? name it with --time; columns: {', '.join(names[:12])}")
        said.append(f"time is {time!r}")
    taken.add(time)
    if seed is None and time in frame and frame.duplicated([c for c in (time, by) if c in frame]).any():
        # Only where times repeat is a replicate needed, and only then is a column taken for it.
        seed = usual(_SEEDS)
        said += [f"replicates are {seed!r}"] if seed else []
    taken |= {seed} if seed else set()
    told = seed is not None and {time, seed} <= set(frame.columns)
    if by is None and told and not long and frame.duplicated([time, seed]).any():
        by = usual(_CONDITIONS)
        said += [f"conditions are {by!r}"] if by else []
    taken |= {by} if by else set()
    if value is None:
        numeric = [str(c) for c in frame.select_dtypes("number").columns if str(c) not in taken]
        if len(numeric) != 1:
            raise UserError(
                f"{name}: which column is the score? name it with --value; "
                + (
                    f"columns of numbers: {', '.join(numeric[:12])}"
                    if numeric
                    else "there is no column of numbers left"
                )
            )
        value = numeric[0]
        said.append(f"the score is {value!r}")
    return replace(given, time=time, seed=seed, by=by, value=value), ", ".join(said)


def _log(name: str, log: Log, columns: Columns) -> Opened:
    """Variables of a log of another tool; further dims must be chosen away before."""
    data, notes = log.data, (f"{name} as {log.kind}", *log.notes)
    for wanted, dim in ((columns.time, "time"), (columns.seed, "seed"), (columns.by, "condition")):
        if wanted and wanted != dim:
            if wanted not in data.dims:
                raise UserError(f"{name}: no dim {wanted!r} to take for {dim}{nearest(wanted, map(str, data.dims))}")
            data = data.rename({wanted: dim})
    variables = [str(v) for v in data.data_vars if "time" in data[v].dims and data[v].dtype.kind in "iufb"]
    value = columns.value
    if value is None:
        if not variables:
            held = ", ".join(f"{v}({', '.join(map(str, data[v].dims))})" for v in list(data.data_vars)[:6])
            raise UserError(
                f"{name}: nothing in it lies along time, so there are no curves; it holds {held or 'nothing'}"
            )
        if len(variables) != 1:
            shown = ", ".join(variables[:12])
            raise UserError(f"{name}: which variable is the score? name it with --value; variables: {shown}")
        value = variables[0]
    for wanted, option in ((value, "--value"), (columns.companion, "--companion"), (columns.stderr, "--stderr")):
        if wanted is not None and wanted not in data:
            raise UserError(f"{name}: no variable {wanted!r} for {option}{nearest(wanted, map(str, data.data_vars))}")
    extra = [str(d) for d in data[value].dims if d not in _DIMS]
    if extra:
        raise UserError(
            f"{name}: {value!r} also has the dims {', '.join(extra)}; choose or average them first "
            f"(from Python: emergelab.runs.importers.open_data), or name one with --seed or --by"
        )
    kept = [v for v in (value, columns.companion, columns.stderr) if v is not None]
    return Opened(data[kept], value, columns.companion, columns.stderr, notes)


def _transformed(frame: pd.DataFrame, companion: str | None, name: str) -> tuple[pd.DataFrame, str | None]:
    """`log(ppl)` names the logarithm of a column."""
    found = re.fullmatch(r"(log|sqrt)\((.+)\)", companion or "")
    if companion is None or companion in frame or not found:
        return frame, companion
    function, column = found.groups()
    if column not in frame:
        raise UserError(f"{name}: no column {column!r} for --companion {companion}")
    numbers = pd.to_numeric(frame[column], errors="coerce")
    if (numbers <= 0).any():
        raise UserError(
            f"{name}: --companion {companion} needs positive numbers, column {column!r} has {numbers.min():g}"
        )
    return frame.assign(**{companion: np.log(numbers) if function == "log" else np.sqrt(numbers)}), companion
