"""Reading what `communities` is asked about: traces of agents, networks over time, or a log of who met whom."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset, curves

__all__ = ["Kind", "Society", "read"]

Kind = Literal["traces", "network", "events"]

_FEWEST_RECORDS = 20  # in a window, where their number is chosen for the user
_MOST_WINDOWS = 20
_MOST_CELLS = 6000  # agents times windows, for the search of communities
_LARGEST = 1e100


@dataclass(frozen=True)
class Society:
    """Agents over time: either their traces, cut into windows, or one network a window.

    Attributes:
        traces: NaN where there is no record; None for networks.
        networks: weights, at least 0, symmetric, with an empty diagonal; None for traces.
        slices: first and last-plus-one record of every window, for traces.
        time: middle of every window.
        gap: width of a window, in units of time.
        agents: names of the agents.
        conditions: names along the first axis.
        seeds: labels along the second axis.
        has_seeds: whether the data had a seed dim.
        kind: what was given.
        name: name of the data.
        time_name: name of the time dim.
        time_unit: its unit, or "".
        notes: what was done to the data on the way.
    """

    traces: Float[np.ndarray, "condition seed agent time channel"] | None
    networks: Float[np.ndarray, "condition seed window agent agent"] | None
    slices: tuple[tuple[int, int], ...]
    time: Float[np.ndarray, "window"]
    gap: float
    agents: tuple[str, ...]
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    has_seeds: bool
    kind: Kind
    name: str
    time_name: str
    time_unit: str
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of values, times and labels."""
        block = self.traces if self.networks is None else self.networks
        h = hashlib.sha256(np.ascontiguousarray(block).tobytes())
        h.update(repr((self.time.tolist(), self.agents, self.conditions, tuple(map(str, self.seeds)))).encode())
        return h.hexdigest()[:16]


def read(
    data: Any,
    var: str | None,
    along: str,
    agents: str,
    channel: str,
    by: str | None,
    seeds: str,
    windows: int | None,
) -> Society:
    """Labelled data as agents over time."""
    if isinstance(data, pd.DataFrame):
        return _from_log(data, along, by, seeds, windows)
    source = as_dataset(data)
    if isinstance(source, xr.Dataset):
        names = [str(n) for n in source.data_vars if n not in ("ended", "censored") and along in source[n].dims]
        if var is None and len(names) == 1:
            var = names[0]
        if var is None or var not in source:
            asked = "say which variable holds the agents" if var is None else f"no variable {var!r} in the data"
            raise UserError(f"communities: {asked}{nearest(var or '', names)}")
        array = source[var]
    else:
        array = source
    extra = [str(d) for d in array.dims if d not in (along, by, seeds, channel)]
    if agents in extra and len(extra) == 1:
        return _from_traces(source, array, along, agents, channel, by, seeds, windows)
    if len(extra) == 2 and array.sizes[extra[0]] == array.sizes[extra[1]] and channel not in array.dims:
        return _from_networks(array, along, extra, by, seeds)
    raise UserError(
        f"communities: traces (seed, {agents}, {along}) or networks (seed, {along}, i, j) were expected, got the dims "
        f"{', '.join(map(str, array.dims))}; pass agents=..."
    )


def _affordable(agents: int, windows: int) -> None:
    if agents * windows > _MOST_CELLS:
        raise UserError(
            f"communities: {agents} agents in {windows} windows are more than {_MOST_CELLS} together; take fewer "
            "windows or a sample of the agents"
        )


def _from_traces(
    source: Any,
    array: xr.DataArray,
    along: str,
    agents: str,
    channel: str,
    by: str | None,
    seeds: str,
    windows: int | None,
) -> Society:
    if array.size == 0:
        raise UserError(f"communities: {array.name!r} holds no record at all")
    _affordable(array.sizes[agents], windows or 1)
    if channel not in array.dims:
        array = array.expand_dims(channel)
    masks = {m: source[m] for m in ("ended", "censored") if isinstance(source, xr.Dataset) and m in source}
    blocks, notes, like = [], [], None
    for i in range(array.sizes[agents]):
        row = []
        for c in range(array.sizes[channel]):
            one = array.isel({agents: i, channel: c}, drop=True)
            like = curves(xr.Dataset({"one": one, **masks}), "one", along=along, by=by, seeds=seeds)
            notes += [n for n in like.notes if n not in notes]
            row.append(like.values)
        blocks.append(np.stack(row, axis=-1))
    assert like is not None
    labels = array[agents].values if agents in array.coords else np.arange(array.sizes[agents])
    slices, centre, gap = _windows(like.time, windows)
    _affordable(array.sizes[agents], len(slices))
    return Society(
        traces=np.stack(blocks, axis=2),
        networks=None,
        slices=slices,
        time=centre,
        gap=gap,
        agents=tuple(str(a) for a in labels),
        conditions=like.conditions,
        seeds=like.seeds,
        has_seeds=like.has_seeds,
        kind="traces",
        name=str(array.name or "traces"),
        time_name=along,
        time_unit=like.time_unit,
        notes=tuple(notes),
    )


def _windows(
    time: Float[np.ndarray, "time"], windows: int | None
) -> tuple[tuple[tuple[int, int], ...], Float[np.ndarray, "window"], float]:
    """Equal stretches of time that do not overlap: what two neighbours share is then not the same records."""
    count = max(1, min(_MOST_WINDOWS, len(time) // _FEWEST_RECORDS)) if windows is None else windows
    edges = np.linspace(time[0], time[-1], count + 1)
    inner = np.searchsorted(time, edges[1:-1], side="left")
    starts, ends = np.r_[0, inner], np.r_[inner, len(time)]
    kept = [(int(a), int(b)) for a, b in zip(starts, ends, strict=True) if b > a]
    centre = np.array([0.5 * (time[a] + time[b - 1]) for a, b in kept])
    return tuple(kept), centre, float(edges[1] - edges[0])


def _from_networks(array: xr.DataArray, along: str, sides: list[str], by: str | None, seeds: str) -> Society:
    if array.size == 0:
        raise UserError(f"communities: {array.name!r} holds no record at all")
    if along not in array.coords:
        raise UserError(
            f"dim {along!r} has no coordinate: instruments never take the position in an array for time; "
            f"use .assign_coords({along}=steps)"
        )
    has_seeds, has_conditions = seeds in array.dims, bool(by) and by in array.dims
    conditions = tuple(str(c) for c in array[by].values) if has_conditions else ("all",)
    labels = tuple(array[seeds].values.tolist()) if has_seeds else (0,)
    names = array[sides[0]].values if sides[0] in array.coords else np.arange(array.sizes[sides[0]])
    for name, absent in ((seeds, not has_seeds), (by or "condition", not has_conditions)):
        if absent:
            array = array.expand_dims(name)
    try:
        time = np.asarray(array[along].values).astype(float)
    except (TypeError, ValueError):
        raise UserError(f"coordinate {along!r} must be numbers, got {array[along].dtype}") from None
    values = np.array(array.transpose(by or "condition", seeds, along, *sides).values, dtype=float)
    order = np.argsort(time, kind="stable")
    order = order[np.isfinite(time[order])]
    if not len(order):
        raise UserError("communities: no record has a finite time")
    notes = []
    bad = ~np.isfinite(values) | (values < 0) | (values > _LARGEST)
    if bad.any():
        notes.append(f"{int(bad.sum())} weights that are negative, infinite or missing count as 0")
        values[bad] = 0.0
    if not np.allclose(values, np.swapaxes(values, -1, -2)):
        notes.append("the networks are directed and are read as their undirected sum")
    return _networks(
        values[:, :, order], time[order], names, conditions, labels, has_seeds, "network",
        str(array.name or "network"), along, str(array[along].attrs.get("units", "")), notes,
    )  # fmt: skip


def _networks(
    values: Float[np.ndarray, "condition seed window agent agent"],
    time: Float[np.ndarray, "window"],
    names: Any,
    conditions: tuple[str, ...],
    labels: tuple[Any, ...],
    has_seeds: bool,
    kind: Kind,
    name: str,
    along: str,
    unit: str,
    notes: list[str],
) -> Society:
    _affordable(len(names), len(time))
    both = 0.5 * (values + np.swapaxes(values, -1, -2))
    top = both.max(axis=(-1, -2), keepdims=True)
    both = both / np.where(top > 0, top, 1.0)  # the scale of the weights carries no meaning here
    both *= 1.0 - np.eye(both.shape[-1])
    return Society(
        traces=None,
        networks=both,
        slices=(),
        time=time,
        gap=float(np.median(np.diff(time))) if len(time) > 1 else 0.0,
        agents=tuple(str(a) for a in names),
        conditions=conditions,
        seeds=labels,
        has_seeds=has_seeds,
        kind=kind,
        name=name,
        time_name=along,
        time_unit=unit,
        notes=tuple(notes),
    )


def _from_log(log: pd.DataFrame, along: str, by: str | None, seeds: str, windows: int | None) -> Society:
    """Counts of meetings in equal stretches of time, from columns who, whom and the time."""
    missing = [c for c in ("who", "whom", along) if c not in log.columns]
    if missing:
        raise UserError(f"communities: an event log needs the column {missing[0]!r}{nearest(missing[0], log.columns)}")
    clock = pd.to_numeric(log[along], errors="coerce").to_numpy(dtype=float)
    kept = log[np.isfinite(clock) & log["who"].notna().to_numpy() & log["whom"].notna().to_numpy()]
    if not len(kept):
        raise UserError("communities: the event log holds no complete event")
    clock = kept[along].to_numpy(dtype=float)
    names = sorted({*kept["who"].astype(str), *kept["whom"].astype(str)})
    has_seeds, has_conditions = seeds in kept.columns, bool(by) and by in kept.columns
    labels = list(dict.fromkeys(kept[seeds].tolist())) if has_seeds else [0]
    conditions = list(dict.fromkeys(kept[by].astype(str))) if has_conditions else ["all"]
    count = min(_MOST_WINDOWS, max(1, len(kept) // (10 * len(names)))) if windows is None else windows
    edges = np.linspace(clock.min(), clock.max(), count + 1)
    window = np.clip(np.searchsorted(edges, clock, side="right") - 1, 0, count - 1)
    values = np.zeros((len(conditions), len(labels), count, len(names), len(names)))
    place = {n: i for i, n in enumerate(names)}
    at = (
        kept[by].astype(str).map({c: i for i, c in enumerate(conditions)}).to_numpy() if has_conditions else 0,
        kept[seeds].map({s: i for i, s in enumerate(labels)}).to_numpy() if has_seeds else 0,
        window,
        kept["who"].astype(str).map(place).to_numpy(),
        kept["whom"].astype(str).map(place).to_numpy(),
    )
    np.add.at(values, at, 1.0)
    notes = [f"{len(log) - len(kept)} incomplete events are left out"] if len(kept) < len(log) else []
    return _networks(
        values, 0.5 * (edges[1:] + edges[:-1]), names, tuple(conditions), tuple(labels), has_seeds, "events",
        "events", along, "", notes,
    )  # fmt: skip
