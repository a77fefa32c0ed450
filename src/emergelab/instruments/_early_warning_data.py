"""What `early_warning` reads: one record a seed, cut at its transition, and the neutral records beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import Curves, as_dataset, curves

__all__ = ["FEWEST", "Material", "Neutral", "Record", "Transition", "read"]

FEWEST = 50  # records before the event; below this a window holds too little to measure an autocorrelation

Transition: TypeAlias = float | str | Mapping[Any, float] | xr.DataArray | None
"""When it happens: not known, at one time, or at a time of its own in every seed (NaN: never)."""

Neutral: TypeAlias = str | xr.DataArray | xr.Dataset | None
"""Records in which nothing happens: the name of a condition, or further data."""


@dataclass(frozen=True)
class Record:
    """One trajectory up to its transition, or up to the present.

    Attributes:
        condition: name of its condition.
        seed: label of its seed.
        time: real times of the records that are there, increasing.
        values: one row a channel, all finite.
        transition: when it happens; NaN if it is not known or never happens.
        neutral: whether the record is a control.
        refused: why it is not judged, or "".
        rows: which times of the common axis the records are, for ensemble detrending.
        ensemble: mean over the seeds of its condition at these times, and their number; None unless asked for.
    """

    condition: str
    seed: Any
    time: Float[np.ndarray, "time"]
    values: Float[np.ndarray, "channel time"]
    transition: float
    neutral: bool
    refused: str
    ensemble: tuple[Float[np.ndarray, "channel time"], Float[np.ndarray, "time"]] | None = None

    @property
    def name(self) -> str:
        """Condition and seed, for messages."""
        return f"seed {self.seed}" + (f" of {self.condition}" if self.condition != "all" else "")


@dataclass(frozen=True)
class Material:
    """All records, and what was done to the data on the way."""

    records: tuple[Record, ...]
    channels: tuple[str, ...]
    source: Curves
    notes: tuple[str, ...]
    digest: str
    monitoring: bool


def read(
    data: Any,
    var: str | None,
    *,
    transition: Transition,
    neutral: Neutral,
    every: float | None,
    ensemble: bool,
    channel: str,
    along: str,
    by: str | None,
    seeds: str,
) -> Material:
    """Read the records that are tested and the neutral ones.

    Raises:
        UserError: the data are not labelled as they should be, or ``transition`` or ``neutral`` names what is
            not there.
    """
    if every is not None and not (np.isfinite(every) and every > 0):
        raise UserError(f"early_warning: every must be a width above 0, got {every}")
    parts, channels = _by_channel(data, var, channel, along, by, seeds)
    first = parts[0]
    at = _transitions(data, transition, first, along, by, seeds)
    control = np.zeros(at.shape, dtype=bool)
    if isinstance(neutral, str):
        if neutral not in first.conditions:
            raise UserError(
                f"early_warning: no condition {neutral!r} to take as neutral{nearest(neutral, first.conditions)}"
            )
        control[first.conditions.index(neutral)] = True
        if control.all():
            raise UserError(f"early_warning: {neutral!r} is the only condition, so nothing is left to test")
        at[control] = np.nan
    notes = list(dict.fromkeys(n for part in parts for n in part.notes))
    never = np.isnan(at) & ~control
    if transition is not None and never.any() and np.isfinite(at).any():
        control |= never
        notes.append(f"{int(never.sum())} records have no transition and serve as neutral controls")
    records = _cut(parts, at, control, every, ensemble)
    digest = first.digest if len(parts) == 1 else "+".join(p.digest for p in parts)[:64]
    if isinstance(neutral, xr.DataArray | xr.Dataset):
        wanted = var if isinstance(neutral, xr.Dataset) else None
        others, other_channels = _by_channel(neutral, wanted, channel, along, by, seeds)
        if other_channels != channels:
            raise UserError("early_warning: the neutral records have other channels than the data")
        shape = others[0].values.shape[:2]
        records += _cut(others, np.full(shape, np.nan), np.ones(shape, dtype=bool), every, ensemble, "neutral")
        notes += [f"neutral records: {n}" for part in others for n in part.notes]
        digest += "+" + others[0].digest
    elif neutral is not None and not isinstance(neutral, str):
        raise UserError(
            f"early_warning: neutral is the name of a condition or labelled data, got {type(neutral).__name__}"
        )
    notes += _sampling(records)
    return Material(tuple(records), channels, first, tuple(dict.fromkeys(notes)), digest, not np.isfinite(at).any())


def _by_channel(
    data: Any, var: str | None, channel: str, along: str, by: str | None, seeds: str
) -> tuple[list[Curves], tuple[str, ...]]:
    """The observable as one block of curves a channel; a single channel is named ""."""
    source = as_dataset(data)
    if channel not in source.dims:
        return [curves(source, var, along=along, by=by, seeds=seeds)], ("",)
    count = source.sizes[channel]
    if count == 0:
        raise UserError(f"early_warning: dim {channel!r} holds no channel")
    labels = source[channel].values if channel in source.coords else np.arange(count)
    parts = [curves(source.isel({channel: i}, drop=True), var, along=along, by=by, seeds=seeds) for i in range(count)]
    return parts, tuple(str(label) for label in labels)


def _transitions(
    data: Any, transition: Transition, like: Curves, along: str, by: str | None, seeds: str
) -> Float[np.ndarray, "condition seed"]:
    shape = like.values.shape[:2]
    if transition is None:
        return np.full(shape, np.nan)
    if isinstance(transition, Mapping):
        known = {str(k): v for k, v in transition.items()}
        strange = sorted(set(known) - {str(s) for s in like.seeds})
        if strange:
            raise UserError(f"early_warning: transition names seeds that are not in the data: {', '.join(strange[:5])}")
        row = [float(known.get(str(s), np.nan)) for s in like.seeds]
        return np.broadcast_to(np.array(row), shape).copy()
    if isinstance(transition, str):
        source = as_dataset(data)
        names = [str(n) for n in (source.variables if isinstance(source, xr.Dataset) else source.coords)]
        if transition not in names:
            raise UserError(
                f"early_warning: no variable {transition!r} that holds the transitions{nearest(transition, names)}"
            )
        transition = source[transition]
    if isinstance(transition, xr.DataArray):
        return _aligned(transition, like, by, seeds)
    if isinstance(transition, bool) or not isinstance(transition, int | float | np.number):
        raise UserError(
            "early_warning: transition is a time, {seed: time}, the name of a variable or a DataArray, got "
            f"{type(transition).__name__}"
        )
    return np.full(shape, float(transition))


def _aligned(array: xr.DataArray, like: Curves, by: str | None, seeds: str) -> Float[np.ndarray, "condition seed"]:
    """Times of transition by label, in the order of the curves."""
    extra = [str(d) for d in array.dims if d not in (by, seeds)]
    if extra:
        raise UserError(f"early_warning: the transitions have the dims {', '.join(extra)} beyond conditions and seeds")
    for dim, labels in ((by, like.conditions), (seeds, like.seeds)):
        if dim is None:
            continue
        if dim not in array.dims:
            array = array.expand_dims({dim: len(labels)})
        elif dim in array.coords:
            own = [str(v) for v in np.asarray(array[dim].values).tolist()]
            missing = [str(v) for v in labels if str(v) not in own]
            if missing:
                raise UserError(f"early_warning: no transition is given for {dim} {', '.join(missing[:5])}")
            array = array.isel({dim: [own.index(str(v)) for v in labels]})
        elif array.sizes[dim] != len(labels):
            raise UserError(f"early_warning: {array.sizes[dim]} transitions for {len(labels)} labels of {dim!r}")
    order = (seeds,) if by is None else (by, seeds)
    found = np.asarray(array.transpose(*order).values, dtype=float)
    return np.broadcast_to(found, like.values.shape[:2]).copy()


def _cut(
    parts: list[Curves],
    at: Float[np.ndarray, "condition seed"],
    control: np.ndarray,
    every: float | None,
    ensemble: bool,
    prefix: str = "",
) -> list[Record]:
    """One record a seed: what is there up to the transition."""
    first = parts[0]
    block = np.stack([part.values for part in parts])  # channel, condition, seed, time
    out = []
    for i, condition in enumerate(first.conditions):
        name = " ".join(n for n in (prefix, "" if condition == "all" and prefix else condition) if n)
        count = np.isfinite(block[:, i]).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.nansum(block[:, i], axis=1) / count
        for j, seed in enumerate(first.seeds):
            here = np.isfinite(block[:, i, j]).all(axis=0)
            if np.isfinite(at[i, j]):
                here &= first.time <= at[i, j]
            time, values = first.time[here], block[:, i, j][:, here]
            beside = (mean[:, here], count[:, here].min(axis=0).astype(float)) if ensemble else None
            if every is not None and len(time):
                time, values, beside = _averaged(time, values, beside, every)
            out.append(
                Record(name, seed, time, values, float(at[i, j]), bool(control[i, j]), _refusal(values, beside), beside)
            )
    return out


def _averaged(
    time: Float[np.ndarray, "n"],
    values: Float[np.ndarray, "channel n"],
    ensemble: tuple[np.ndarray, np.ndarray] | None,
    every: float,
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
    """Means within bins of equal width; bins without a record are left out, not invented."""
    place = np.floor((time - time[0]) / every + 1e-9)
    _, first, size = np.unique(place, return_index=True, return_counts=True)

    def mean(x: np.ndarray) -> np.ndarray:
        return np.add.reduceat(x, first, axis=-1) / size

    return mean(time), mean(values), None if ensemble is None else (mean(ensemble[0]), mean(ensemble[1]))


def _refusal(values: Float[np.ndarray, "channel time"], ensemble: tuple[np.ndarray, np.ndarray] | None) -> str:
    n = values.shape[1]
    if n < FEWEST:
        return f"{n} records before the event, {FEWEST} are needed"
    scale = np.abs(values).max(axis=1)
    if np.any(np.ptp(values, axis=1) <= 1e-12 * scale):
        return "it does not vary"
    if np.any(np.mean(np.diff(values, axis=1) == 0, axis=1) > 0.9):
        return "more than nine records in ten repeat the one before"
    if ensemble is not None and np.median(ensemble[1]) < 3:
        return "an ensemble mean needs three seeds at the same times"
    return ""


def _sampling(records: list[Record]) -> list[str]:
    """Uneven sampling, told once for all records."""
    wide, drift = [], []
    for r in records:
        if r.refused:
            continue
        gaps = np.diff(r.time)
        if gaps.max() > 3 * np.median(gaps):
            wide.append(gaps.max() / np.median(gaps))
        third = len(gaps) // 3
        early, late = gaps[:third].mean(), gaps[-third:].mean()
        if max(early, late) > 1.5 * min(early, late):
            drift.append(r)
    out = []
    if wide:
        out.append(
            f"{len(wide)} records have gaps up to {max(wide):.3g} times the usual one; nothing is interpolated, since "
            "that raises the autocorrelation, and neighbours across a gap count as neighbours"
        )
    if drift:
        out.append(
            f"in {len(drift)} records the sampling grows denser or sparser along the record, which moves the "
            "autocorrelation by itself; average to equal steps with every=..."
        )
    return out
