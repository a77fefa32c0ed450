"""The matrix R of a lifetime (performance on task j after stage i) and the metrics read from it, for `lifelong`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset
from emergelab.instruments._lifelong_log import Lifetime

__all__ = ["Matrices", "from_array", "from_lifetimes", "matrix_metrics"]

_LARGEST = 1e100


@dataclass(frozen=True)
class Matrices:
    """Performance on every task at every record of every lifetime.

    Attributes:
        values: NaN where a task was not evaluated.
        trained: index of the task learned up to that record; -1: nothing was learned.
        baseline: performance of an untrained learner.
        reference: performance of a learner that had every task alone, or all at once.
        records: labels of the records.
        unit: unit of the performance, or "".
    """

    values: Float[np.ndarray, "condition seed record task"]
    trained: Int[np.ndarray, "condition seed record"]
    baseline: Float[np.ndarray, "condition seed task"]
    reference: Float[np.ndarray, "condition seed task"]
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    records: tuple[str, ...]
    tasks: tuple[str, ...]
    name: str
    unit: str
    has_seeds: bool
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of values and labels."""
        h = hashlib.sha256(np.ascontiguousarray(self.values).tobytes())
        h.update(np.ascontiguousarray(self.trained).tobytes())
        h.update(repr((self.conditions, tuple(map(str, self.seeds)), self.tasks, self.name)).encode())
        return h.hexdigest()[:16]


def matrix_metrics(
    values: Float[np.ndarray, "record task"],
    trained: Int[np.ndarray, "record"],
    baseline: Float[np.ndarray, "task"],
    reference: Float[np.ndarray, "task"],
) -> dict[str, float]:
    """Metrics of one lifetime. Consecutive records of the same task are one stage, and its last record is its end.

    With one stage a task these are the definitions of Lopez-Paz and Ranzato (2017; ACC, BWT, FWT), Chaudhry et al.
    (2018; forgetting, intransigence), Riemer et al. (2019; LA, learning accuracy). A task that returns is judged at
    its last stage, except that FWT and plasticity look at its first.
    """
    seen = np.flatnonzero(np.isfinite(values).any(axis=1))
    upto = int(seen[-1]) + 1 if len(seen) else 0  # learning after the last evaluation leaves no trace in R
    values, trained = values[:upto], trained[:upto]
    switch = np.flatnonzero(np.diff(trained) != 0)
    ends = np.append(switch, len(trained) - 1) if len(trained) else np.empty(0, int)
    end, stage = values[ends], trained[ends]
    tasks = [int(j) for j in dict.fromkeys(stage[stage >= 0].tolist())]
    nan = float("nan")
    names = ("ACC", "BWT", "FWT", "forgetting", "intransigence", "plasticity", "LA", "anytime", "gap")
    if not tasks:
        return dict.fromkeys(names, nan)
    first = {j: int(np.argmax(stage == j)) for j in tasks}
    last = {j: len(stage) - 1 - int(np.argmax(stage[::-1] == j)) for j in tasks}
    final = len(stage) - 1
    old = [j for j in tasks if last[j] < final]
    before = {j: end[first[j] - 1, j] if first[j] > 0 else baseline[j] for j in tasks}
    return {
        "ACC": _mean([end[final, j] for j in tasks]),
        "BWT": _mean([end[final, j] - end[last[j], j] for j in old]),
        "FWT": _mean([before[j] - baseline[j] for j in tasks[1:]]),
        "forgetting": _mean([_largest(end[first[j] : final, j]) - end[final, j] for j in old]),
        "intransigence": _mean([reference[j] - end[last[j], j] for j in tasks]),
        "plasticity": _mean([end[first[j], j] - before[j] for j in tasks]),
        "LA": _mean([end[k, j] for k, j in enumerate(stage.tolist()) if j >= 0]),
        "anytime": _anytime(values, trained, tasks),
        "gap": _gap(values, trained, ends, end, first),
    }


def _mean(values: Sequence[Any]) -> float:
    seen = np.array([v for v in values if np.isfinite(v)], dtype=float)
    return float(seen.mean()) if len(seen) else float("nan")


def _largest(values: Float[np.ndarray, "n"]) -> float:
    seen = values[np.isfinite(values)]
    return float(seen.max()) if len(seen) else float("nan")


def _anytime(
    values: Float[np.ndarray, "record task"], trained: Int[np.ndarray, "record"], tasks: Sequence[int]
) -> float:
    """Mean over records of the mean over the tasks met so far: the area under the anytime curve."""
    met = np.zeros(values.shape, bool)
    for j in tasks:
        met[int(np.argmax(trained == j)) :, j] = True
    met &= np.isfinite(values)
    count = met.sum(axis=1)
    total = np.where(met, values, 0.0).sum(axis=1)
    return _mean((total[count > 0] / count[count > 0]).tolist())


def _gap(
    values: Float[np.ndarray, "record task"],
    trained: Int[np.ndarray, "record"],
    ends: Int[np.ndarray, "stage"],
    end: Float[np.ndarray, "stage task"],
    first: Mapping[int, int],
) -> float:
    """Stability gap: how far an old task falls within a stage below where it stood; needs records inside stages."""
    falls = []
    for k in range(1, len(ends)):
        inside = values[ends[k - 1] + 1 : ends[k] + 1]
        if len(inside) > 1:
            falls += [_largest(end[k - 1, j] - inside[:, j]) for j in first if first[j] < k]
    return _mean(falls)


def from_lifetimes(lives: Sequence[Lifetime], experts: Sequence[Mapping[str, tuple[np.ndarray, ...]]]) -> Matrices:
    """R from the evaluations that follow each learning block; the baseline from those before the first."""
    conditions = tuple(dict.fromkeys(v.condition for v in lives))
    seeds = tuple({str(v.seed): v.seed for v in lives}.values())
    names = [str(s) for s in seeds]
    tasks = tuple(dict.fromkeys(t for v in lives for t in v.tasks))
    stages = max((len(v.order) for v in lives), default=0)
    shape = (len(conditions), len(seeds))
    values = np.full((*shape, stages, len(tasks)), np.nan)
    trained = np.full((*shape, stages), -1)
    baseline = np.full((*shape, len(tasks)), np.nan)
    reference = np.full((*shape, len(tasks)), np.nan)
    for life, held in zip(lives, experts, strict=True):
        at = conditions.index(life.condition), names.index(str(life.seed))
        seen: dict[tuple[int, int], list[float]] = {}
        k = -1
        for block in life.blocks:
            j = tasks.index(block.task)
            if block.kind == "train":
                k += 1
                trained[at][k] = j
            else:
                seen.setdefault((k, j), []).append(block.terminal)
        for (k, j), found in seen.items():
            (baseline[at] if k < 0 else values[at][k])[j] = np.mean(found)
        for task, curves in held.items():
            ends = [float(c[int(0.9 * len(c)) :].mean()) for c in curves if len(c)]
            reference[at][tasks.index(task)] = np.mean(ends) if ends else np.nan
    records = tuple(str(k + 1) for k in range(stages))
    args = (conditions, seeds, records, tasks, "performance", "")
    return Matrices(values, trained, baseline, reference, *args, has_seeds=len(lives) > 1, notes=())


def from_array(
    data: Any,
    var: str | None,
    trained: Any,
    baseline: Any,
    reference: Any,
    *,
    along: str,
    task: str,
    by: str | None,
    seeds: str,
) -> Matrices:
    """R given as labelled data with the dims (``by``, ``seeds``, ``along``, ``task``)."""
    source = as_dataset(data)
    array = _pick(source, var, task, along)
    extra = [str(d) for d in array.dims if d not in {along, task, seeds, by}]
    if extra:
        raise UserError(
            f"lifelong: {array.name!r} also has the dims {', '.join(extra)}; reduce them, or name one as by="
        )
    has_seeds = seeds in array.dims
    outer = [by or "__condition", seeds]
    has_by = outer[0] in array.dims
    array = array.expand_dims([d for d in outer if d not in array.dims]).transpose(*outer, along, task)
    values = np.array(array.values, dtype=float)
    if values.size == 0:
        raise UserError(f"lifelong: {array.name!r} holds no record at all ({dict(array.sizes)})")
    notes = []
    wild = np.abs(values) > _LARGEST
    if wild.any():
        notes.append(f"{int(wild.sum())} infinite or absurdly large values are treated as missing")
        values[wild] = np.nan
    labels = {d: _labels(array, d) for d in (*outer, along, task)}
    tasks, records = tuple(map(str, labels[task])), tuple(map(str, labels[along]))
    template = array.isel({along: 0}, drop=True)
    learned = _trained(source, trained, array.isel({task: 0}, drop=True), along, tasks, records)
    return Matrices(
        values=values,
        trained=learned,
        baseline=_level(source, baseline, template, task, "baseline", values, learned),
        reference=_level(source, reference, template, task, "reference", values, learned),
        conditions=tuple(map(str, labels[outer[0]])) if has_by else ("all",),
        seeds=tuple(labels[seeds]),
        records=records,
        tasks=tasks,
        name=str(array.name or "performance"),
        unit=str(array.attrs.get("units", array.attrs.get("unit", ""))),
        has_seeds=has_seeds,
        notes=tuple(notes),
    )


def _pick(source: xr.Dataset | xr.DataArray, var: str | None, task: str, along: str) -> xr.DataArray:
    if isinstance(source, xr.Dataset):
        fitting = [str(n) for n, a in source.data_vars.items() if {task, along} <= set(a.dims)]
        if var is None:
            if len(fitting) != 1:
                raise UserError(
                    f"lifelong: {len(fitting)} variables have the dims {along!r} and {task!r}; say which one: "
                    f"{', '.join(fitting) or '(none)'}"
                )
            var = fitting[0]
        if var not in source:
            raise UserError(f"lifelong: no variable {var!r}{nearest(var, map(str, source.data_vars))}")
        array = source[var]
    else:
        array = source
    for dim in (along, task):
        if dim not in array.dims:
            dims = [str(d) for d in array.dims]
            raise UserError(f"lifelong: {array.name!r} has no dim {dim!r}{nearest(dim, dims)} (pass along=, task=)")
    return array


def _labels(array: xr.DataArray, dim: str) -> list[Any]:
    return np.asarray(array[dim].values).tolist() if dim in array.coords else list(range(array.sizes[dim]))


def _trained(
    source: xr.Dataset | xr.DataArray,
    trained: Any,
    template: xr.DataArray,
    along: str,
    tasks: tuple[str, ...],
    records: tuple[str, ...],
) -> Int[np.ndarray, "condition seed record"]:
    """Index of the task that each record's stage taught."""
    place = {name: j for j, name in enumerate(tasks)}
    if trained is None:
        known = [name in place for name in records]
        if len(records) == len(tasks) and set(records) != set(tasks):
            at = list(range(len(tasks)))  # as many stages as tasks: they were taught in this order
        elif any(known) and all(known[known.index(True) :]):  # records before the first learning name no task
            at = [place.get(name, -1) for name in records]
        else:
            raise UserError(
                f"lifelong: {len(records)} records along {along!r} and {len(tasks)} tasks: say which task each record "
                "has learned, trained=[...]"
            )
        return np.broadcast_to(np.array(at), template.shape).copy()
    if isinstance(trained, str):
        if not isinstance(source, xr.Dataset) or trained not in source.variables:
            names = map(str, source.variables) if isinstance(source, xr.Dataset) else []
            raise UserError(f"lifelong: no variable {trained!r} beside the performance{nearest(trained, names)}")
        given = source[trained]
    elif isinstance(trained, xr.DataArray):
        given = trained
    else:
        listed = list(trained)
        if len(listed) != len(records):
            raise UserError(f"lifelong: trained names {len(listed)} tasks for {len(records)} records along {along!r}")
        given = xr.DataArray(np.array([str(t) for t in listed], dtype=object), dims=(along,))
    codes = given.copy(data=np.array([place.get(str(v), -1) for v in given.values.ravel()]).reshape(given.shape))
    if not (codes >= 0).any():
        raise UserError(f"lifelong: trained names none of the tasks {', '.join(tasks[:8])}")
    return _like(codes, template, "trained").astype(int)


def _like(given: xr.DataArray, template: xr.DataArray, role: str) -> np.ndarray:
    extra = [str(d) for d in given.dims if d not in template.dims]
    if extra:
        raise UserError(f"lifelong: {role} has the dims {', '.join(extra)}, which the performance lacks")
    try:
        return xr.broadcast(*xr.align(given, template, join="exact"))[0].transpose(*template.dims).values.copy()
    except ValueError:
        raise UserError(f"lifelong: the labels of {role} are not those of the performance") from None


def _level(
    source: xr.Dataset | xr.DataArray,
    given: Any,
    template: xr.DataArray,
    task: str,
    role: str,
    values: Float[np.ndarray, "condition seed record task"],
    trained: Int[np.ndarray, "condition seed record"],
) -> Float[np.ndarray, "condition seed task"]:
    if given is None:
        out = np.full(template.shape, np.nan)
        if role == "baseline":  # records before anything was learned
            early = np.cumsum(trained >= 0, axis=2) == 0
            seen = early[..., None] & np.isfinite(values)
            count = seen.sum(axis=2)
            total = np.where(seen, values, 0.0).sum(axis=2)
            out = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return out
    if isinstance(given, int | float | np.number):
        return np.full(template.shape, float(given))
    if isinstance(given, Mapping):
        names = [str(t) for t in _labels(template, task)]
        unknown = [str(k) for k in given if str(k) not in names]
        if unknown:
            raise UserError(f"lifelong: {role}: no task {unknown[0]!r}{nearest(unknown[0], names)}")
        by_name = {str(k): float(v) for k, v in given.items()}
        return np.broadcast_to(np.array([by_name.get(n, np.nan) for n in names]), template.shape).copy()
    if isinstance(given, str):
        if not isinstance(source, xr.Dataset) or given not in source.variables:
            names = list(map(str, source.variables)) if isinstance(source, xr.Dataset) else []
            raise UserError(f"lifelong: {role}: no variable {given!r}{nearest(given, names)}")
        given = source[given]
    if not isinstance(given, xr.DataArray):
        raise UserError(f"lifelong: {role} must be a number, a name, a mapping by task or a DataArray")
    level = _like(given, template, role).astype(float)
    return np.where(np.abs(level) <= _LARGEST, level, np.nan)
