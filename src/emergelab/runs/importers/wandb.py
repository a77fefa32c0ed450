"""Weights & Biases, CSV of a chart: `Step`, then `<run> - <metric>`, `... __MIN`, `... __MAX` for each run."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...errors import UserError, nearest
from ._runs import Curve, Repeats, assemble, chosen, label_runs
from .opened import Opened
from .tidy import _numbers

_AXES = ("Step", "Relative Time (Process)", "Relative Time (Wall)", "Wall Time")
_BOUNDS = ("__MIN", "__MAX")


def is_wandb(columns: Sequence[str]) -> bool:
    """Whether the columns are those of a chart's export."""
    rest = [c for c in columns[1:] if " - " in c]
    bounds = sum(c.endswith(_BOUNDS) and c[:-5] in columns for c in rest)
    return bool(rest) and len(rest) == len(columns) - 1 and (bounds > 0 or columns[0] in _AXES)


def read_wandb(
    frame: pd.DataFrame,
    *,
    time: str | None = None,
    value: str | Sequence[str] | None = None,
    runs: str | None = None,
    repeats: Repeats = "refuse",
    name: str = "table",
) -> Opened:
    """An export as labelled data: runs are seeds, unless their names also tell conditions.

    Args:
        frame: the table.
        time: column of the axis, the first if not given.
        value: metrics to read. `<metric>__MIN` and `<metric>__MAX` are variables of their own where they differ from
            the metric, that is where a line stands for a group of runs or a bin of steps.
        runs: regular expression that finds condition and seed in the run's name (see `label_runs`).
        repeats: what to do with two rows of the same step.
        name: what to call the table in messages.

    Raises:
        UserError: columns that are not those of an export, text among numbers.
    """
    columns = [str(c) for c in frame.columns]
    if not is_wandb(columns):
        raise UserError(f"{name}: not an export of a W&B chart: the columns must be 'Step' and '<run> - <metric>'")
    time = columns[0] if time is None else time
    if time not in columns:
        raise UserError(f"{name}: no column {time!r}{nearest(time, columns)}")
    axis = _numbers(frame, time, name, whole_column=True)
    notes: list[str] = []
    pairs: list[tuple[str, str, str]] = []
    for column in columns:
        base, bound = (column[:-5], column[-5:]) if column.endswith(_BOUNDS) else (column, "")
        run, dash, metric = base.rpartition(" - ")
        if column == time or not dash or metric == "_step":
            continue
        if bound and base in columns and frame[column].equals(frame[base]):
            continue  # one run and no bins: the bounds repeat the value
        pairs.append((run, metric + bound, column))
    wanted = chosen(sorted({metric for _, metric, _ in pairs}), value, name, "metric")
    names = list(dict.fromkeys(run for run, _, _ in pairs))
    labels = label_runs(names, runs, "run name")
    curves = []
    for run, metric, column in pairs:
        if metric in wanted:
            numbers = _numbers(frame, column, name)
            there = ~np.isnan(numbers)
            curves.append(Curve(names.index(run), metric, axis[there], numbers[there]))
    if any(metric.endswith(_BOUNDS) for _, metric, _ in pairs):
        notes.append("__MIN and __MAX differ from the value: a line stands for a group of runs or for a bin of steps")
    if any(re.match(r"Group: ", run) for run in names):
        notes.append("lines are means over groups of runs, not runs: their spread over seeds is not in the file")
    data = assemble(curves, labels, name, repeats, notes)
    data["time"].attrs["long_name"] = time
    return Opened(data, "wandb", (*labels.notes, *notes), {"time": time, **labels.columns})
