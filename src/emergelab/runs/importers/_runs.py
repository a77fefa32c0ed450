"""Runs by name become conditions and seeds, and their curves one block: shared by the loggers' importers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from jaxtyping import Float

from ...errors import UserError, nearest
from ._safe import natural, one_line, within

Repeats = Literal["refuse", "last", "mean"]
REPEATS = ("refuse", "last", "mean")
_LABELS = ("condition", "seed", "time", "item", "agent", "run")

_SEED = re.compile(
    r"(?:^|(?<=[/_\-. ]))(?:seed|replicate|replica|rep|chain)[-_= ]?(\d{1,18})(?=$|[/_\-. ])", re.IGNORECASE
)


@dataclass(frozen=True)
class Labels:
    """Condition and seed of each run, in the order in which the runs were given.

    Attributes:
        conditions: None if the names tell no conditions.
        seeds: numbers, or names where runs have no number.
        times: a time or size read from the name by the group `time`, else None.
        notes: how the names were read.
        columns: where the dims came from.
    """

    conditions: list[str] | None
    seeds: list[Any]
    times: list[float] | None
    notes: list[str]
    columns: dict[str, str]


def label_runs(names: Sequence[str], pattern: str | None, what: str, *, unique: bool = True) -> Labels:
    """Read condition and seed out of the names of runs.

    Args:
        names: one a run.
        pattern: a regular expression with the named groups `condition`, `seed`, `time` (any of them), found in every
            name; without it `seed-3`, `rep_3`, `chain3` (as a part of the name) is the seed and the rest the condition;
            folders that end in plain numbers likewise; else each run is a seed.
        what: what the names are, for notes: "run folder".
        unique: refuse two runs with the same labels.

    Raises:
        UserError: a pattern that is no regular expression, has no such group, or does not fit a name; two runs with the
            same labels.
    """
    labels = _by_habit(names, what) if pattern is None else _by_pattern(names, pattern, what)
    if unique:
        none = [""] * len(names)
        keys = list(zip(labels.conditions or none, map(str, labels.seeds), labels.times or none, strict=True))
        key, count = Counter(keys).most_common(1)[0]
        if count > 1:
            two = [n for n, k in zip(names, keys, strict=True) if k == key][:2]
            raise UserError(
                f"{two[0]!r} and {two[1]!r} get the same labels (condition {key[0]!r}, seed {key[1]!r}); tell them "
                "apart with runs=, a regular expression with the groups (?P<condition>...) and (?P<seed>...)"
            )
    return labels


def _by_pattern(names: Sequence[str], pattern: str, what: str) -> Labels:
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise UserError(f"runs= is no regular expression: {one_line(error)}, got {pattern!r}") from None
    groups = set(found.groupindex)
    if not groups or groups - {"condition", "seed", "time"}:
        raise UserError(
            f"runs= must have named groups among (?P<condition>...), (?P<seed>...) and (?P<time>...), got {pattern!r}"
        )
    parts = []
    for name in names:
        match = found.search(name)
        if match is None:
            raise UserError(f"runs={pattern!r} does not fit the {what} {name!r}")
        parts.append({k: v or "" for k, v in match.groupdict().items()})
    times = None
    if "time" in groups:
        try:
            times = [float(p["time"]) for p in parts]
        except ValueError:
            bad = next(p["time"] for p in parts if not re.fullmatch(r"[-+0-9.eE]+", p["time"]))
            raise UserError(f"runs={pattern!r}: the group time must be a number, got {bad!r}") from None
    conditions = [p["condition"] for p in parts] if "condition" in groups else None
    if "seed" in groups:
        seeds: list[Any] = _numbers_if_all([p["seed"] for p in parts])
    else:
        seeds = _counted(names, conditions, times)
    columns = {g: f"{what} by {pattern}" for g in sorted(groups)}
    return Labels(conditions, seeds, times, [], columns)


def _counted(names: Sequence[str], conditions: list[str] | None, times: list[float] | None) -> list[Any]:
    """Where only the condition is known: runs of one condition are its seeds, counted from 0 in the order of names."""
    seen: Counter[Any] = Counter()
    out: dict[int, int] = {}
    for i in sorted(range(len(names)), key=lambda i: natural(names[i])):
        key = (conditions[i] if conditions else "", times[i] if times else 0.0)
        out[i] = seen[key]
        seen[key] += 1
    return [out[i] for i in range(len(names))]


def _numbers_if_all(texts: Sequence[str]) -> list[Any]:
    return [int(t) for t in texts] if all(re.fullmatch(r"-?\d{1,18}", t, re.ASCII) for t in texts) else list(texts)


def _by_habit(names: Sequence[str], what: str) -> Labels:
    """Without a pattern: only what is written in so many words, or in the way that folders are numbered."""
    if len(names) == 1:
        return Labels(None, [0], None, [], {})
    hits = [m for m in map(_SEED.search, names) if m]
    if len(hits) == len(names):
        conditions = [_without(n, m.start(), m.end()) for n, m in zip(names, hits, strict=True)]
        seeds: list[Any] = [int(m.group(1)) for m in hits]
        note = f"seeds are the numbers after {hits[0].group(0).rstrip('0123456789')!r} in the {what}s"
    elif all("/" in n and re.fullmatch(r"\d{1,18}", n.rpartition("/")[2], re.ASCII) for n in names):
        conditions = [n.rpartition("/")[0] for n in names]
        seeds = [int(n.rpartition("/")[2]) for n in names]
        note = f"seeds are the numbers that end the {what}s"
    else:
        return Labels(None, list(names), None, [f"each {what} is taken for one seed"], {"seed": what})
    if len(set(conditions)) == 1:
        return Labels(None, seeds, None, [note], {"seed": what})
    columns = {"condition": what, "seed": what}
    return Labels(conditions, seeds, None, [note, f"conditions are what else the {what}s say"], columns)


def _without(name: str, start: int, stop: int) -> str:
    """A name with a part cut out, and the separators around the cut."""
    return re.sub(r"([/_\-. ])[/_\-. ]+", r"\1", name[:start] + name[stop:]).strip("/_-. ")


def apart(variable: str) -> str:
    """A variable's name that cannot be taken for a dim's: a tag that is called `time` becomes `time_`."""
    return f"{variable}_" if variable in _LABELS else variable


def chosen(known: Sequence[str], value: str | Sequence[str] | None, name: str, what: str) -> list[str]:
    """The variables that were asked for, or all.

    Raises:
        UserError: one that is not there.
    """
    if value is None:
        return list(known)
    wanted = [value] if isinstance(value, str) else list(value)
    for one in wanted:
        if one not in known:
            raise UserError(f"{name}: no {what} {one!r}{nearest(str(one), known)}")
    return wanted


@dataclass(frozen=True)
class Curve:
    """One variable of one run, in the order in which it was written."""

    run: int
    variable: str
    times: Float[np.ndarray, " n"]
    values: Float[np.ndarray, " n"]


def assemble(curves: Sequence[Curve], labels: Labels, name: str, repeats: Repeats, notes: list[str]) -> xr.Dataset:
    """Curves of runs as one data set with the dims (condition, seed, time); NaN where a run has no record.

    Args:
        curves: what was read.
        labels: of the runs that `curves` number.
        name: of the source, for messages.
        repeats: what to do with two records of one run at the same time: "last" written, their "mean", or "refuse".
        notes: is added to.

    Raises:
        UserError: nothing to read, a time that is not finite, repeated times with "refuse", more numbers than are read.
    """
    if repeats not in REPEATS:
        raise UserError(f"repeats must be one of {', '.join(REPEATS)}, got {repeats!r}")
    curves = [c for c in curves if c.times.size]
    if not curves:
        raise UserError(f"{name}: no number was recorded in it")
    for c in curves:
        if not np.isfinite(c.times).all():
            raise UserError(f"{name}: {c.variable!r} has a record without a finite time")
    time = np.unique(np.concatenate([c.times for c in curves]))
    conditions = sorted(set(labels.conditions), key=natural) if labels.conditions is not None else [""]
    # Names as seeds would leave a block that is nearly empty, since each belongs to one condition alone.
    named = labels.conditions is not None and not all(isinstance(s, int) for s in labels.seeds)
    seeds_of = _counted([str(s) for s in labels.seeds], labels.conditions, None) if named else labels.seeds
    seeds = sorted(set(seeds_of), key=lambda s: natural(str(s)) if isinstance(s, str) else ((1, s),))
    variables = sorted({apart(c.variable) for c in curves})
    within(len(variables) * len(conditions) * len(seeds) * len(time), name)
    blocks = {v: np.full((len(conditions), len(seeds), len(time)), np.nan) for v in variables}
    at_condition = {c: i for i, c in enumerate(conditions)}
    at_seed = {s: i for i, s in enumerate(seeds)}
    repeated = 0
    for c in curves:
        place = np.searchsorted(time, c.times)
        row = blocks[apart(c.variable)][
            at_condition[labels.conditions[c.run] if labels.conditions else ""], at_seed[seeds_of[c.run]]
        ]
        again = len(place) - len(np.unique(place))
        repeated += again
        if again and repeats == "refuse":
            times, counts = np.unique(c.times, return_counts=True)
            raise UserError(
                f"{name}: {c.variable!r} has {counts.max()} records at time {times[counts.argmax()]:g} in one run; "
                "pass repeats='last' or repeats='mean'"
            )
        if again and repeats == "mean":
            with np.errstate(invalid="ignore"):  # inf - inf is NaN, as it should be
                total, count = np.zeros(len(time)), np.zeros(len(time))
                np.add.at(total, place, c.values)
                np.add.at(count, place, 1)
            filled = count > 0
            row[filled] = total[filled] / count[filled]
        else:
            row[place] = c.values  # numpy keeps the last of what goes to one place
    if repeated:
        how = "the last one written counts" if repeats == "last" else "they are averaged"
        notes.append(f"{repeated} records share their run and time with another one; {how}")
    data = xr.Dataset({v: (("condition", "seed", "time"), b) for v, b in blocks.items()}, coords={"time": time})
    data = data.assign_coords(condition=conditions, seed=seeds)
    if named:
        runs = np.full((len(conditions), len(seeds)), "", dtype=object)
        for condition, seed, run in zip(labels.conditions or [], seeds_of, labels.seeds, strict=True):
            runs[at_condition[condition], at_seed[seed]] = str(run)
        data = data.assign_coords(run=(("condition", "seed"), runs.astype(str)))
    if labels.conditions is None:
        data = data.isel(condition=0, drop=True)
    if len(labels.seeds) == 1 and not labels.columns:
        data = data.isel(seed=0, drop=True)
    return data
