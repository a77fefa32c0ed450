"""lm-evaluation-harness: results JSON, one file a model or checkpoint, becomes scores over steps or sizes.

Each task's metrics become variables `<task>/<metric>`, with `<task>/<metric>_stderr` beside them; every metric of a
task is a companion of the others, since they are scores of the same outputs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...errors import UserError
from ._runs import Curve, Labels, Repeats, assemble, chosen, label_runs
from ._safe import files_below, parse_json, read_bytes
from .opened import Opened

_STEP = re.compile(r"(?:step|checkpoint|ckpt|iter(?:ation)?)[-_=]?(\d{1,15})(?!\d)", re.IGNORECASE)
_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d{1,6}(?:\.\d{1,6})?)([kmbt])(?![A-Za-z0-9])", re.IGNORECASE)
_SEED = re.compile(r"(?<![A-Za-z])seed[-_=]?(\d{1,15})(?!\d)", re.IGNORECASE)
_POWERS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


@dataclass
class _Result:
    file: str
    model: str
    date: float
    scores: dict[str, float]
    higher: dict[str, bool] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)


def is_lm_eval(text: Any) -> bool:
    """Whether a JSON object is the harness's results."""
    if not isinstance(text, dict) or not isinstance(text.get("results"), dict):
        return False
    tasks = [v for v in text["results"].values() if isinstance(v, dict)]
    return len(tasks) == len(text["results"]) > 0 and bool({"config", "configs", "versions"} & set(text))


def read_lm_eval(
    path: str | Path | Sequence[str | Path],
    *,
    value: str | Sequence[str] | None = None,
    runs: str | None = None,
    repeats: Repeats = "last",
) -> Opened:
    """One results file, several, or a folder of them.

    Args:
        path: file(s) or folder; of a folder every JSON file that holds results.
        value: variables `<task>/<metric>` to read, or whole tasks; all if not given.
        runs: regular expression with the groups `condition`, `seed`, `time`, found in `<model and its arguments>
            <file>`. Without it a step (`revision=step1000`, `checkpoint-500`) is the time, else a size (`70m`, `1.4b`)
            if there are several; what is left of the model's name is the condition; `seed3` is the seed.
        repeats: what to do with two results of the same model and step: the "last" by date, their "mean", "refuse".

    Raises:
        UserError: no results, a model whose place on the axis cannot be told.
    """
    name, results, notes = _results(path)
    labels, axis = _by_name(results, notes) if runs is None else (_given(results, runs), "time")
    times = labels.times
    if times is None:
        times, axis = [0.0] * len(results), ""
    known = sorted({v for r in results for v in r.scores})
    tasks = sorted({v.partition("/")[0] for v in known})
    asked = [value] if isinstance(value, str) else value
    if asked is not None:
        asked = [v for one in asked for v in ([k for k in known if k.startswith(f"{one}/")] if one in tasks else [one])]
    wanted = chosen(known, asked, name, "variable")
    order = sorted(range(len(results)), key=lambda i: results[i].date)
    # One run gives one point; runs with the same labels are points of one curve.
    keys: dict[tuple[str, str], int] = {}
    lines: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for i in order:
        key = (labels.conditions[i] if labels.conditions else "", str(labels.seeds[i]))
        run = keys.setdefault(key, i)
        for variable, score in results[i].scores.items():
            if variable in wanted:
                lines.setdefault((run, variable), []).append((times[i], score))
    curves = [
        Curve(run, v, np.array([p[0] for p in points], float), np.array([p[1] for p in points], float))
        for (run, v), points in lines.items()
    ]
    data = assemble(curves, labels, name, repeats, notes)
    data = _described(data, results)
    if not axis:
        data = data.isel(time=0, drop=True)
        notes.append("no step or size in the models' names: there is no time axis; name one with runs=(?P<time>...)")
    else:
        data["time"].attrs["long_name"] = axis
    return Opened(data, "lm-eval", (*labels.notes, *notes), labels.columns)


def _results(path: str | Path | Sequence[str | Path]) -> tuple[str, list[_Result], list[str]]:
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(p) for p in path]
    notes: list[str] = []
    files: list[tuple[Path, bool]] = []
    for one in paths:
        if one.is_dir():
            below, links = files_below(one)
            files += [(f, False) for f in below if f.suffix == ".json"]
            if links:
                notes.append(f"{links} links were not followed")
        else:
            files.append((one, True))
    name = paths[0].name if paths else "results"
    found, other = [], 0
    for file, named in files:
        try:
            text = parse_json(read_bytes(file), str(file))
        except UserError:
            if named:
                raise
            other += 1
            continue
        if is_lm_eval(text):
            found.append(_result(text, str(file)))
        elif named:
            raise UserError(f"{file}: no results of lm-evaluation-harness (an object with 'results' and 'config')")
        else:
            other += 1
    if not found:
        raise UserError(f"{name}: no results of lm-evaluation-harness in {len(files)} JSON files")
    if not any(r.scores for r in found):
        raise UserError(f"{name}: the results hold no number")
    if other:
        notes.append(f"{other} JSON files hold no results and are left out")
    return name, found, notes


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None  # "N/A" where the harness has no standard error
    return float(value) if abs(value) < 1e300 or value != value else None


def _result(text: dict[str, Any], file: str) -> _Result:
    config = text["config"] if isinstance(text.get("config"), dict) else {}
    args = config.get("model_args")
    args = ",".join(f"{k}={v}" for k, v in args.items()) if isinstance(args, dict) else str(args or "")
    model = str(text.get("model_name") or config.get("model") or "")
    # Newer versions name the model by its argument `pretrained`, which need not be said twice.
    model = ",".join(p for p in (model, *args.split(",")) if p and p.partition("=")[2] != model)
    result = _Result(file, model, _number(text.get("date")) or 0.0, {})
    for task, metrics in text["results"].items():
        task = str(task).replace("/", "_")
        n = text.get("n-samples", {}).get(task) if isinstance(text.get("n-samples"), dict) else None
        higher = text.get("higher_is_better", {}).get(task) if isinstance(text.get("higher_is_better"), dict) else None
        for key, value in metrics.items():
            number = _number(value)
            if number is None or key in ("sample_len", "alias", "name"):
                continue
            metric, _, how = str(key).partition(",")
            variable = f"{task}/{metric}" + (f"@{how}" if how not in ("", "none") else "")
            result.scores[variable] = number
            if isinstance(higher, dict) and isinstance(higher.get(metric), bool):
                result.higher[variable] = higher[metric]
            if isinstance(n, dict) and isinstance(n.get("effective"), int):
                result.samples[variable] = n["effective"]
    return result


def _given(results: list[_Result], runs: str) -> Labels:
    return label_runs([f"{r.model} {r.file}" for r in results], runs, "model and file", unique=False)


def _by_name(results: list[_Result], notes: list[str]) -> tuple[Labels, str]:
    """Step, size and seed out of the model's name, its arguments, or failing that the file's path."""
    texts = [r.model if _STEP.search(r.model) or _SIZE.search(r.model) else f"{r.model},{r.file}" for r in results]
    steps, sizes, seeds = ([p.search(t) for t in texts] for p in (_STEP, _SIZE, _SEED))
    columns: dict[str, str] = {}
    times: list[float] | None = None
    axis = ""
    size_values = [float(m.group(1)) * _POWERS[m.group(2).lower()] if m else np.nan for m in sizes]
    if all(steps) and (len({m.group(1) for m in steps if m}) > 1 or len(set(size_values)) == 1):
        times, axis = [float(m.group(1)) for m in steps if m], "step"
    elif all(sizes) and len(set(size_values)) > 1:
        times, axis = size_values, "parameters"
    elif any(steps) and len(results) > 1:
        odd = next(r for r, m in zip(results, steps, strict=True) if not m)
        raise UserError(f"{odd.file}: no step in {odd.model!r}, as other results have; name it with runs=(?P<time>...)")
    if axis:
        columns["time"] = f"{axis} in the model's arguments"
    rest = []
    for text, step, seed, size in zip(texts, steps, seeds, sizes, strict=True):
        for match in (step if axis == "step" else None, seed, size if axis == "parameters" else None):
            if match:
                text = text.replace(match.group(0), "")
        rest.append(re.sub(r"[,/_\-. ]*$|^[,/_\-. ]*|(?<=,)[a-z_]+=(?=,|$)", "", text).strip(",/_-. "))
    conditions = _told_apart(rest)
    if conditions is not None:
        columns["condition"] = "model"
    replicates: list[Any] = [int(m.group(1)) if m else 0 for m in seeds]
    if len(set(replicates)) > 1:
        columns["seed"] = "seed in the model's arguments"
    notes.extend([f"time is the {axis} in the models' names"] if axis else [])
    return Labels(conditions, replicates, times, [], columns), axis


def _told_apart(texts: list[str]) -> list[str] | None:
    """What differs between the models' descriptions: only the comma-separated parts that are not the same in all."""
    if len(set(texts)) == 1:
        return None
    split = [t.split(",") for t in texts]
    common = set.intersection(*(set(s) for s in split))
    return [",".join(dict.fromkeys(p for p in s if p not in common)) or t for s, t in zip(split, texts, strict=True)]


def _described(data: xr.Dataset, results: list[_Result]) -> xr.Dataset:
    """Which variable is whose standard error and companion."""
    for variable in map(str, data.data_vars):
        task, _, metric = variable.partition("/")
        name, at, how = metric.partition("@")
        attrs = data[variable].attrs
        stderr = f"{task}/{name}_stderr{at}{how}"
        if stderr in data:
            attrs["stderr"] = stderr
        others = [
            v for v in map(str, data.data_vars) if v.startswith(f"{task}/") and v != variable and "_stderr" not in v
        ]
        if "_stderr" not in metric and others:
            attrs["companions"] = others
        for result in results:
            if variable in result.higher:
                attrs["higher_is_better"] = int(result.higher[variable])
            if variable in result.samples:
                attrs["items"] = result.samples[variable]
    if "seed" in data.dims and data.sizes["seed"] == 1:
        data = data.isel(seed=0, drop=True)
    return data
