"""A tidy table whose columns may speak for themselves: roles that are not named are told by the usual names."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import xarray as xr

from ...errors import UserError, nearest
from ._runs import apart
from ._safe import within
from .opened import Opened
from .tidy import from_frame

TIMES = (
    "time", "step", "steps", "_step", "global_step", "iteration", "iter", "epoch", "generation", "frame", "frames",
    "tick", "t", "tokens", "update", "updates", "episode",
)  # fmt: skip
_SEEDS = ("seed", "replicate", "replica", "rep", "run", "run_id", "trial", "chain", "random_seed")
_CONDITIONS = ("condition", "treatment", "arm", "algorithm", "agent_name", "variant")


def read_tidy(
    frame: pd.DataFrame, *, time: str | None = None, value: str | Sequence[str] | None = None, seed: str | None = None,
    by: str | None = None, companion: str | None = None, stderr: str | None = None, name: str = "table",
) -> Opened:  # fmt: skip
    """A table with one observation a row.

    Args:
        frame: the table.
        time: column of the time axis; without it one with a usual name (step, epoch, time ...).
        value: column(s) of scores; without it all columns of numbers that have no other role.
        seed: column of the replicate; without `seed` and `by` ones with a usual name (seed, run, replicate ...;
            condition, treatment ...). by: column of the condition. companion, stderr: further columns to keep. name:
            what to call the table in messages.

    Raises:
        UserError: as `from_frame`; no time named and none to be told; no column of numbers.
    """
    frame = frame.rename(columns=str)
    if len(set(frame.columns)) < len(frame.columns):
        twice = next(c for c in frame.columns if list(frame.columns).count(c) > 1)
        raise UserError(f"{name}: two columns are named {twice!r}")
    notes = []
    if time is None:
        time = _usual(frame, TIMES)
        if time is None:
            columns = list(frame.columns)
            raise UserError(
                f"{name}: which column is the time? None has a usual name (step, epoch, time ...){nearest('', columns)}"
            )
        notes.append(f"time is the column {time!r}")
    if seed is None and by is None:
        seed, by = _usual(frame, _SEEDS, time), _usual(frame, _CONDITIONS, time)
        notes += [f"{role} is the column {c!r}" for role, c in (("seed", seed), ("condition", by)) if c is not None]
    keys = {time, seed, by}
    if value is None:
        extra = {companion, stderr}
        values = [
            c
            for c in frame.columns
            if c not in keys | extra and frame[c].dtype.kind in "iufb" and frame[c].notna().any()
        ]
        if not values:
            raise UserError(
                f"{name}: no column of numbers beside {', '.join(c for c in keys if c)}; columns: "
                f"{', '.join(frame.columns)[:200]}"
            )
    else:
        values = [value] if isinstance(value, str) else list(value)
    wanted = list(dict.fromkeys([*values, *(c for c in (companion, stderr) if c is not None)]))
    for role, column in (("time", time), ("seed", seed), ("condition", by)):
        if column in wanted:
            raise UserError(f"{name}: column {column!r} cannot be a score and the {role}")
    if not wanted:
        raise UserError(f"{name}: no score was named")
    labels = [frame[c].nunique() for c in (by, seed, time) if c is not None and c in frame]
    cells = len(wanted)
    for n in labels:
        cells *= max(int(n), 1)
    within(cells, name)
    renamed = {c: apart(c) for c in wanted if c not in (time, seed, by) and apart(c) != c}
    if renamed:
        frame, wanted = frame.rename(columns=renamed), [renamed.get(c, c) for c in wanted]
        notes += [f"the column {old!r} is the variable {new!r}" for old, new in renamed.items()]
    parts = [from_frame(frame, time=time, value=c, seed=seed, by=by, name=name) for c in wanted]
    data = xr.merge(parts, join="exact", compat="identical", combine_attrs="override")
    columns_of = {"time": time, "seed": seed, "condition": by}
    return Opened(data, "table", tuple(notes), {k: v for k, v in columns_of.items() if v is not None})


def _usual(frame: pd.DataFrame, names: Sequence[str], *taken: str | None) -> str | None:
    lowered = {c.lower(): c for c in reversed(frame.columns) if c not in taken}
    return next((lowered[n] for n in names if n in lowered), None)
