"""Mesa: the frames of a DataCollector (model and agents), and the rows of `batch_run`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import UserError
from ._runs import apart, chosen
from ._safe import within
from .opened import Opened
from .tables import TIMES
from .tidy import _column, _numbers

_KEYS = ("RunId", "iteration", "Step", "AgentID")


def is_mesa(frame: pd.DataFrame) -> bool:
    """Whether a frame is one of Mesa's: of agents, or of a batch."""
    names = {str(n) for n in (*frame.columns, *frame.index.names)}
    if {"Step", "AgentID"} <= names or {"RunId", "Step", "iteration"} <= names:
        return True
    # A model's frame has nothing of Mesa's about it but its index, which to_csv writes as a first column with no name.
    first = str(frame.columns[0]) if len(frame.columns) > 1 else ""
    counted = first == "Unnamed: 0" and frame[frame.columns[0]].to_numpy().tolist() == list(range(len(frame)))
    return counted and not {n.lower() for n in names} & set(TIMES)


def read_mesa(
    data: Any, *, value: str | Sequence[str] | None = None, seed: str | None = None, by: str | None = None,
    name: str = "Mesa data",
) -> Opened:  # fmt: skip
    """A DataCollector, one of its frames, or the rows of `batch_run`.

    Args:
        data: `model.datacollector`; `get_model_vars_dataframe()`; `get_agent_vars_dataframe()`; the list that
            `batch_run` returns; or the frame of any of them, also after a round trip through CSV.
        value: reporters to read, all that are numbers if not given.
        seed: column that tells replicates of a batch apart; runs of one condition are counted if not given.
        by: parameter that is the condition; without it all that vary.
        name: what to call the data in messages.

    Raises:
        UserError: no frame of Mesa's, a reporter that is not there or holds no numbers.
    """
    if hasattr(data, "get_model_vars_dataframe"):
        return _collector(data, value, name)
    frame = pd.DataFrame(data) if isinstance(data, list) else data
    if not isinstance(frame, pd.DataFrame) or frame.empty:
        raise UserError(f"{name}: a DataCollector, one of its frames or the rows of batch_run were expected")
    if any(n is not None for n in frame.index.names):
        frame = frame.reset_index()
    frame = frame.rename(columns=str)
    notes: list[str] = []
    if "Step" not in frame:
        if isinstance(frame.index, pd.RangeIndex):
            first = frame.columns[0]
            if first.startswith("Unnamed") or first == "":  # what to_csv makes of the index
                frame = frame.rename(columns={first: "Step"})
                notes.append("the unnamed first column is the step")
            else:
                frame = frame.assign(Step=frame.index)
        else:
            raise UserError(f"{name}: no column 'Step'")
    return _frame(frame, value, seed, by, name, notes)


def _collector(collector: Any, value: str | Sequence[str] | None, name: str) -> Opened:
    model = collector.get_model_vars_dataframe()
    agents = collector.get_agent_vars_dataframe() if collector.agent_reporters else None
    parts = []
    if model is not None and not model.empty:
        parts.append(read_mesa(model, name=name))
    if agents is not None and not agents.empty:
        parts.append(read_mesa(agents, name=name))
    if not parts:
        raise UserError(f"{name}: the DataCollector has collected nothing")
    merged = xr.merge([p.data for p in parts], join="outer", compat="no_conflicts")
    merged = merged[chosen(sorted(map(str, merged.data_vars)), value, name, "reporter")]
    notes = tuple(n for p in parts for n in p.notes)
    return Opened(merged, "mesa", notes, {k: v for p in parts for k, v in p.columns.items()})


def _frame(
    frame: pd.DataFrame,
    value: str | Sequence[str] | None,
    seed: str | None,
    by: str | None,
    name: str,
    notes: list[str],
) -> Opened:
    columns = {"time": "Step"}
    batch = "RunId" in frame
    agents = "AgentID" in frame
    if agents and frame["AgentID"].isna().all():
        frame, agents = frame.drop(columns="AgentID"), False
    keys: dict[str, np.ndarray] = {}
    parameters: list[str] = []
    if batch:
        steady = frame.groupby("RunId", dropna=False).nunique(dropna=False).max() <= 1
        parameters = [c for c in frame.columns if c not in _KEYS and bool(steady.get(c, False))]
        keys |= _batch(frame, parameters, seed, by, name, columns)
    elif seed is not None or by is not None:
        raise UserError(f"{name}: seed= and by= name columns of a batch; this is one run of a model")
    if agents:
        keys["agent"] = frame["AgentID"].to_numpy()
        columns["agent"] = "AgentID"
    keys["time"] = _numbers(frame, "Step", name, whole_column=True)
    if not np.isfinite(keys["time"]).all():
        raise UserError(f"{name}: column 'Step' must hold finite numbers")
    # A parameter that varies tells conditions or replicates apart; a reporter may well be steady in every run.
    used = {*_KEYS, seed, by, columns.get("seed"), *columns.get("condition", "").split(", ")}
    reporters = [c for c in frame.columns if c not in used]
    asked = value is not None
    wanted = chosen(reporters, value, name, "reporter")
    numbers = {}
    for column in wanted:
        try:
            numbers[apart(column)] = _numbers(frame, column, name)
        except UserError:
            if asked:
                raise
            notes.append(f"{column!r} holds no numbers and is left out")
    if not numbers:
        raise UserError(f"{name}: no reporter holds numbers")
    return Opened(_block(keys, numbers, agents, name), "mesa", tuple(notes), columns)


def _batch(
    frame: pd.DataFrame, parameters: list[str], seed: str | None, by: str | None, name: str, columns: dict[str, str]
) -> dict[str, np.ndarray]:
    """Condition and seed of every row of a batch."""
    first = frame.groupby("RunId", sort=True).first()
    for column in (seed, by):
        if column is not None:
            _column(frame, column, name)
    first["RunId"] = first.index
    replicate = seed if seed is not None else next((p for p in parameters if p in ("seed", "rng")), None)
    if by is not None:
        settings = [by]
    else:
        settings = [
            p for p in parameters if p != replicate and first[p].nunique(dropna=False) > 1 and _is_setting(frame, p)
        ]
    if len(settings) == 1:
        said = [str(v) for v in first[settings[0]]]
    else:
        said = [", ".join(f"{k}={v}" for k, v in zip(settings, row, strict=True)) for row in first[settings].to_numpy()]
    condition = pd.Series(said, index=first.index)
    out: dict[str, np.ndarray] = {}
    if settings:
        columns["condition"] = ", ".join(settings)
        out["condition"] = frame["RunId"].map(condition).to_numpy()
    told = first[replicate] if replicate is not None else None
    if told is not None and not pd.DataFrame({"c": condition, "s": told}).duplicated().any() and not told.isna().any():
        columns["seed"] = str(replicate)
        out["seed"] = frame["RunId"].map(told).to_numpy()
    else:
        columns["seed"] = "RunId"
        out["seed"] = frame["RunId"].map(condition.groupby(condition).cumcount()).to_numpy()
    return out


def _is_setting(frame: pd.DataFrame, column: str) -> bool:
    """`batch_run` writes parameters between its keys and the reporters, i.e. before any column that varies in a run."""
    order = [c for c in frame.columns if c not in _KEYS]
    runs = frame.groupby("RunId", dropna=False)
    for other in order:
        if other == column:
            return True
        if (runs[other].nunique(dropna=False) > 1).any():
            return False
    return False


def _block(keys: dict[str, np.ndarray], numbers: dict[str, np.ndarray], agents: bool, name: str) -> xr.Dataset:
    dims = list(keys)
    labels, places = {}, []
    for dim, column in keys.items():
        with_na = pd.isna(column)
        if with_na.any():
            raise UserError(f"{name}: the {dim} of row {int(np.argmax(with_na)) + 1} is empty")
        codes, unique = pd.factorize(pd.Series(column), sort=True)
        labels[dim] = np.asarray(unique.tolist())
        places.append(codes)
    shape = tuple(len(labels[d]) for d in dims)
    within(int(np.prod(shape, dtype=object)) * len(numbers), name)
    place = np.ravel_multi_index(places, shape)
    of_model = _of_model(keys, numbers) if agents else set()
    data: dict[str, Any] = {}
    for variable, column in numbers.items():
        if variable not in of_model and len(np.unique(place)) < len(place):
            raise UserError(f"{name}: a step appears more than once within one {'agent' if agents else 'run'}")
        block = np.full(int(np.prod(shape)), np.nan)
        block[place] = column
        block = block.reshape(shape)
        if variable in of_model:  # the model's value is repeated in the row of every agent
            axis = dims.index("agent")
            held = np.isfinite(block)
            block = np.take_along_axis(block, np.expand_dims(held.argmax(axis), axis), axis).squeeze(axis)
            data[variable] = ([d for d in dims if d != "agent"], block)
        else:
            data[variable] = (dims, block)
    return xr.Dataset(data, coords=labels)


def _of_model(keys: dict[str, np.ndarray], numbers: dict[str, np.ndarray]) -> set[str]:
    """Reporters that are the same for all agents of every step of a batch: those of the model."""
    if "seed" not in keys:
        return set()
    groups = [keys[k] for k in keys if k != "agent"]
    frame = pd.DataFrame(numbers)
    same = frame.groupby(groups).nunique(dropna=False).max() <= 1
    return {str(c) for c in frame.columns if bool(same[c])}
