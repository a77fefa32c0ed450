"""Tidy tables (one observation a row) become labelled data: a column of time, one of the score, one of the seed.

Reads CSV, TSV, Parquet and JSON lines, the texts also packed with gzip, and frames of pandas, polars and pyarrow.
Nothing is filled in, averaged or dropped in silence: text in a number column, a time that repeats within a seed, an
empty file are refused with one line that says where.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import UserError, nearest
from ._safe import MAX_BYTES, decoding, gunzip, read_bytes, within

READERS: dict[str, Callable[[bytes, str], pd.DataFrame]] = {
    ".csv": lambda raw, name: _text(raw, name, ","),
    ".tsv": lambda raw, name: _text(raw, name, "\t"),
    ".parquet": lambda raw, name: _parquet(raw, name),
    ".jsonl": lambda raw, name: pd.read_json(io.BytesIO(raw), lines=True, precise_float=True),
    ".ndjson": lambda raw, name: pd.read_json(io.BytesIO(raw), lines=True, precise_float=True),
}


def read_table(path: str | Path) -> pd.DataFrame:
    """A table from a file, by its ending; `.gz` may follow that of a text.

    Raises:
        UserError: no such file, an ending that is not known, an empty or unreadable file, one that is too large.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: this is a folder, a file was expected (for a run's folder: emergelab report {path})")
    if not path.exists():
        raise UserError(f"{path}: no such file")
    packed = path.suffix.lower() == ".gz"
    ending = Path(path.stem).suffix.lower() if packed else path.suffix.lower()
    if ending not in READERS or (packed and ending == ".parquet"):
        raise UserError(f"{path}: its ending must be one of {', '.join(READERS)}, got {ending or 'none'!r}")
    raw = read_bytes(path)
    if packed:
        raw = gunzip(raw, str(path))
    if not raw:
        raise UserError(f"{path}: the file is empty; a table with named columns was expected")
    with decoding(str(path), ending[1:]):
        try:
            frame = READERS[ending](raw, str(path))
        except pd.errors.EmptyDataError:
            raise UserError(f"{path}: the file has no columns; the first line must name them") from None
    if frame.empty:
        raise UserError(f"{path}: the table has columns but no rows")
    return frame


def _text(raw: bytes, name: str, separator: str) -> pd.DataFrame:
    """CSV or TSV whose rows are no longer than its header.

    Left to itself pandas takes the first column of longer rows for labels, and every score stands under its
    neighbour's name.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(io.BytesIO(raw), sep=separator, low_memory=False, index_col=False)
        except pd.errors.ParserWarning:
            raise UserError(f"{name}: the rows have more cells than the first line has names") from None


def _parquet(raw: bytes, name: str) -> pd.DataFrame:
    """Parquet, after its own account of rows, columns and bytes was found to be bearable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(raw))
    about = file.metadata
    within(about.num_rows * max(about.num_columns, 1), name)
    if sum(max(about.row_group(i).total_byte_size, 0) for i in range(about.num_row_groups)) > MAX_BYTES:
        raise UserError(f"{name}: decompresses to more than {MAX_BYTES:,} bytes, which is refused")
    return file.read().to_pandas()


def to_frame(table: Any) -> pd.DataFrame:
    """A table of pandas, polars (lazy ones are collected) or pyarrow as a pandas frame.

    Raises:
        UserError: anything else.
    """
    if isinstance(table, pd.DataFrame):
        return table
    library = type(table).__module__.partition(".")[0]
    if library == "polars" and hasattr(table, "collect"):
        table = table.collect()
    if library == "polars" and hasattr(table, "to_dict"):
        # Column by column: polars' own way to pandas would go through pyarrow's.
        return pd.DataFrame({column.name: column.to_list() for column in table.get_columns()})
    if library == "pyarrow" and hasattr(table, "to_pandas"):
        return table.to_pandas()
    raise UserError(f"a table of pandas, polars or pyarrow was expected, got {type(table).__name__}")


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


def _row(where: pd.Series[Any]) -> int:
    """The first row that is marked, as the file counts it (rows may have been chosen), or as the frame does."""
    at = int(where.to_numpy().argmax())
    label = where.index[at]
    return (int(label) if isinstance(label, int | np.integer) else at) + 1


def _numbers(frame: pd.DataFrame, column: str, name: str, *, whole_column: bool = False) -> np.ndarray:
    """A column as float64; the first text in it is named with its row. Empty cells are NaN unless `whole_column`."""
    series = _column(frame, column, name)
    numbers = pd.to_numeric(series, errors="coerce").astype(float)
    text = numbers.isna() & series.notna() & (series.astype(str).str.strip().str.lower() != "nan")
    if text.any():
        got = str(series.to_numpy()[int(text.to_numpy().argmax())])[:80]
        raise UserError(f"{name}: column {column!r} must hold numbers, got {got!r} in row {_row(text)}")
    if whole_column and numbers.isna().any():
        raise UserError(f"{name}: column {column!r} must not have empty cells, row {_row(numbers.isna())} has one")
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
            raise UserError(f"{name}: column {column!r} must not have empty cells, row {_row(labels.isna())} has one")
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
