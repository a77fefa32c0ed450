"""Tidy tables (one observation a row) become labelled data: a column of time, one of the score, one of the seed.

Reads CSV, TSV, Parquet and JSON lines. Nothing is filled in, averaged or dropped in silence: text in a number column,
a time that repeats within a seed, an empty file are refused with one line that says where.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import UserError, nearest

READERS = {
    ".csv": lambda path: pd.read_csv(path, low_memory=False),
    ".tsv": lambda path: pd.read_csv(path, sep="\t", low_memory=False),
    ".parquet": pd.read_parquet,
    ".jsonl": lambda path: pd.read_json(path, lines=True),
    ".ndjson": lambda path: pd.read_json(path, lines=True),
}


def read_table(path: str | Path) -> pd.DataFrame:
    """A table from a file, by its ending.

    Raises:
        UserError: no such file, an ending that is not known, an empty or unreadable file.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: this is a folder, a file was expected (for a run's folder: emergelab report {path})")
    if not path.exists():
        raise UserError(f"{path}: no such file")
    ending = path.suffix.lower()
    if ending not in READERS:
        raise UserError(f"{path}: its ending must be one of {', '.join(READERS)}, got {ending or 'none'!r}")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty; a table with named columns was expected")
    try:
        frame = READERS[ending](path)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path}: the file has no columns; the first line must name them") from None
    except (ValueError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: cannot be read as {ending[1:]} ({reason})") from None
    if frame.empty:
        raise UserError(f"{path}: the table has columns but no rows")
    return frame


def keep_rows(frame: pd.DataFrame, where: Sequence[tuple[str, str]], name: str) -> pd.DataFrame:
    """Only the rows in which every named column has the named value (compared as text).

    Raises:
        UserError: a column that is not there, or a value that no row has (naming some that exist).
    """
    for column, wanted in where:
        texts = _column(frame, column, name).astype(str)
        kept = frame[texts == wanted]
        if kept.empty:
            raise UserError(f"{name}: no row has {column}={wanted}{nearest(wanted, set(texts.unique()[:200]))}")
        frame = kept
    return frame


def _column(frame: pd.DataFrame, column: str, name: str) -> pd.Series[Any]:
    if column not in frame:
        raise UserError(f"{name}: no column {column!r}{nearest(column, map(str, frame.columns))}")
    return frame[column]


def _numbers(frame: pd.DataFrame, column: str, name: str, *, whole_column: bool = False) -> np.ndarray:
    """A column as float64; the first text in it is named with its row. Empty cells are NaN unless `whole_column`."""
    series = _column(frame, column, name)
    numbers = pd.to_numeric(series, errors="coerce").astype(float)
    text = numbers.isna() & series.notna() & (series.astype(str).str.strip().str.lower() != "nan")
    if text.any():
        row = text.idxmax()
        raise UserError(f"{name}: column {column!r} must hold numbers, got {str(series[row])!r} in row {int(row) + 1}")
    if whole_column and numbers.isna().any():
        raise UserError(
            f"{name}: column {column!r} must not have empty cells, row {int(numbers.isna().idxmax()) + 1} has one"
        )
    return numbers.to_numpy()


def from_frame(
    frame: pd.DataFrame,
    *,
    time: str,
    value: str,
    seed: str | None = None,
    by: str | None = None,
    companion: str | None = None,
    stderr: str | None = None,
    name: str = "table",
) -> xr.Dataset:
    """A tidy table as labelled data.

    Args:
        frame: one observation a row.
        time: column of the real time axis; may be irregular and differ between seeds.
        value: column of the score.
        seed: column that names the replicate; without it there is one, and intervals are within-run only.
        by: column that names the condition.
        companion: column of a continuous score of the same outputs.
        stderr: column of the score's standard error.
        name: what to call the table in messages.

    Returns:
        dims (condition, seed, time) as far as named; variables by their columns; NaN where a seed has no record at a
        time.

    Raises:
        UserError: a missing column, text among numbers, an infinite or empty time, a time that repeats within a seed.
    """
    wanted = [c for c in (value, companion, stderr) if c is not None]
    keys = {dim: column for dim, column in (("condition", by), ("seed", seed)) if column is not None}
    for column in keys.values():
        labels = _column(frame, column, name)
        if labels.isna().any():
            raise UserError(
                f"{name}: column {column!r} must not have empty cells, row {int(labels.isna().idxmax()) + 1} has one"
            )
    times = _numbers(frame, time, name, whole_column=True)
    if not np.isfinite(times).all():
        raise UserError(f"{name}: column {time!r} must hold finite times, got {times[~np.isfinite(times)][0]}")
    tidy = pd.DataFrame({column: _numbers(frame, column, name) for column in wanted})
    for column in wanted:
        if not np.isfinite(tidy[column]).any():
            raise UserError(f"{name}: column {column!r} has no finite number")
    tidy["time"] = times
    for dim, column in keys.items():
        tidy[dim] = frame[column].to_numpy()
    index = [*keys, "time"]
    twice = tidy.duplicated(index)
    if twice.any():
        row = tidy[twice].iloc[0]
        within = ", ".join(f"{column}={row[dim]}" for dim, column in keys.items())
        hint = (
            "name the column that tells the replicates apart with --seed, or the settings with --by"
            if len(keys) < 2
            else "each must have one row a time; keep rows apart with --where COL=VALUE"
        )
        raise UserError(
            f"{name}: {time}={row['time']:g} appears more than once{' within ' + within if within else ''}; {hint}"
        )
    data = tidy.set_index(index).sort_index().to_xarray()
    if not isinstance(data, xr.Dataset):
        raise UserError(f"{name}: the table cannot be labelled")
    for dim in keys:
        data = data.assign_coords({dim: [x.item() if hasattr(x, "item") else x for x in data[dim].values]})
    data["time"].attrs["long_name"] = time
    return data


def spread(
    frame: pd.DataFrame, names: str, values: str, keys: Sequence[str], also: Sequence[str], name: str
) -> pd.DataFrame:
    """A long table (one column says which score, another its value) with one column a score.

    Args:
        names: column that says which score a row holds.
        values: column that holds it.
        keys: columns that tell observations apart (time, seed, condition).
        also: further columns that belong to a score (its standard error); they become `<score>_<column>`.

    Raises:
        UserError: a missing column, or two rows for one score of one observation.
    """
    for column in (names, values, *keys, *also):
        _column(frame, column, name)
    twice = frame.duplicated([*keys, names])
    if twice.any():
        row = frame[twice].iloc[0]
        where = ", ".join(f"{c}={row[c]}" for c in (*keys, names))
        raise UserError(
            f"{name}: {where} appears more than once; keep rows apart with --where COL=VALUE, or name --seed and --by"
        )
    wide = frame.pivot(index=list(keys), columns=names, values=[values, *also])
    wide.columns = pd.Index([str(score) if of == values else f"{score}_{of}" for of, score in wide.columns])
    return wide.reset_index()
