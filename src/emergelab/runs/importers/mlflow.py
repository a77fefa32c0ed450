"""MLflow's file store: `mlruns/<experiment>/<run>/metrics/<name>` with lines `timestamp value step`.

Runs are seeds; a parameter or tag that is named becomes the condition. Of `meta.yaml`, a flat file of `key: value`
lines, three keys are read as text, so no YAML reader is needed. A database (`mlflow.db`) is not read: export it with
`mlflow.search_runs` or `MlflowClient.get_metric_history` to a table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import UserError, nearest
from ._runs import Curve, Labels, Repeats, _counted, _numbers_if_all, assemble, chosen, label_runs
from ._safe import files_below, read_bytes
from .opened import Opened

_PARTS = ("metrics", "params", "tags", "meta.yaml")


@dataclass
class _Run:
    experiment: str
    run: str
    meta: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.tags.get("mlflow.runName") or self.meta.get("run_name") or self.run

    def label(self, key: str) -> str | None:
        return self.params.get(key, self.tags.get(key))


def is_mlflow(folder: Path) -> bool:
    """Whether a folder is a store, an experiment or a run."""
    return _depth(folder) is not None


def _depth(folder: Path) -> int | None:
    """Levels between a folder and its runs: 0 for a run, 1 for an experiment, 2 for a store."""
    for depth, pattern in enumerate(("metrics", "*/metrics", "*/*/metrics")):
        if any(m.is_dir() and (m.parent / "meta.yaml").is_file() for m in folder.glob(pattern)):
            return depth
    return None


def read_mlflow(
    path: str | Path,
    *,
    value: str | Sequence[str] | None = None,
    by: str | None = None,
    seed: str | None = None,
    where: Sequence[tuple[str, str]] = (),
    runs: str | None = None,
    repeats: Repeats = "last",
) -> Opened:
    """A store, one of its experiments, or one run.

    Args:
        path: the folder.
        value: metrics to read, all if not given.
        by: parameter or tag that is the condition; without it experiments are, if there are several.
        seed: parameter or tag that is the seed; without it runs are counted.
        where: (parameter, tag or "experiment"; value) pairs that a run must have.
        runs: instead of `by` and `seed`, a regular expression for the run's name (see `label_runs`).
        repeats: what to do with a step that was logged twice; MLflow itself shows the last.

    Raises:
        UserError: no run, a parameter that a run lacks, a line that is not `timestamp value step`.
    """
    path = Path(path)
    found, notes = _find(path)
    for key, wanted in where:
        kept = [r for r in found if wanted == (r.experiment if key == "experiment" else r.label(key))]
        if not kept:
            known = {r.experiment if key == "experiment" else str(r.label(key)) for r in found}
            raise UserError(f"{path}: no run has {key}={wanted}{nearest(wanted, known)}")
        found = kept
    wanted_metrics = chosen(sorted({m for r in found for m in r.metrics}), value, str(path), "metric")
    labels = _label(found, by, seed, runs, str(path))
    curves = []
    for i, run in enumerate(found):
        for metric, file in run.metrics.items():
            if metric in wanted_metrics:
                curves.append(_curve(i, metric, file))
    data = assemble(curves, labels, path.name, repeats, notes)
    data["time"].attrs["long_name"] = "step"
    if not (time := data["time"].values).size or (len(time) == 1 and time[0] == 0):
        notes.append("every record has step 0: log with step=... to get curves")
    return Opened(data, "mlflow", (*labels.notes, *notes), {"time": "step", **labels.columns})


def _find(path: Path) -> tuple[list[_Run], list[str]]:
    depth = _depth(path)
    if depth is None:
        raise UserError(f"{path}: no MLflow run (a folder with meta.yaml and metrics/) in it")
    runs: dict[tuple[str, ...], _Run] = {}
    files, links = files_below(path, depth=16)
    notes = [f"{links} links were not followed"] if links else []
    names: dict[str, str] = {}
    for file in files:
        parts = file.relative_to(path).parts
        if depth == 2 and len(parts) == 2 and parts[1] == "meta.yaml":
            names[parts[0]] = _meta(file).get("name", parts[0])
        head, rest = parts[:depth], parts[depth:]
        if len(head) < depth or not rest or rest[0] not in _PARTS or ".trash" in head:
            continue
        run = runs.setdefault(head, _Run(head[0] if depth == 2 else path.name, head[-1] if head else path.name))
        name = "/".join(rest[1:])
        if rest == ("meta.yaml",):
            run.meta = _meta(file)
        elif rest[0] == "metrics" and name:
            run.metrics[name] = file
        elif rest[0] in ("params", "tags") and name:
            (run.params if rest[0] == "params" else run.tags)[name] = _text(file)
    kept = [r for r in runs.values() if r.metrics and r.meta.get("lifecycle_stage", "active") == "active"]
    if dropped := sum(r.meta.get("lifecycle_stage", "active") != "active" for r in runs.values()):
        notes.append(f"{dropped} deleted runs are left out")
    if empty := len(runs) - dropped - len(kept):
        notes.append(f"{empty} runs without a metric are left out")
    if not kept:
        raise UserError(f"{path}: none of its {len(runs)} MLflow runs is active and has a metric")
    for run in kept:
        run.experiment = names.get(run.experiment, run.experiment)
    return kept, notes


def _label(found: list[_Run], by: str | None, seed: str | None, runs: str | None, name: str) -> Labels:
    if runs is not None:
        if by is not None or seed is not None:
            raise UserError(f"{name}: give either runs= or by= and seed=, not both")
        return label_runs([r.name for r in found], runs, "run name")
    columns: dict[str, str] = {}
    notes: list[str] = []
    conditions: list[str] | None = None
    experiments = [r.experiment for r in found]
    if by is not None:
        conditions = _required(found, by, name)
        columns["condition"] = by
    elif len(set(experiments)) > 1:
        conditions = experiments
        columns["condition"] = "experiment"
    if seed is not None:
        seeds = _numbers_if_all(_required(found, seed, name))
        columns["seed"] = seed
        keys = list(zip(conditions or experiments, seeds, strict=True))
        if len(set(keys)) < len(keys):
            twice = next(k for k in keys if keys.count(k) > 1)
            raise UserError(f"{name}: two runs have {seed}={twice[1]} in condition {twice[0]!r}; keep some with where=")
    else:
        seeds = _counted([r.name for r in found], conditions, None)
        columns["seed"] = "run"
        varying = sorted(
            key for key in {k for r in found for k in r.params} if len({r.params.get(key) for r in found}) > 1
        )
        if by is None and varying:
            notes.append(
                f"runs are taken for seeds although they differ in {', '.join(varying[:8])}; name one as by= or seed="
            )
    return Labels(conditions, list(seeds), None, notes, columns)


def _required(found: list[_Run], key: str, name: str) -> list[str]:
    out = []
    for run in found:
        label = run.label(key)
        if label is None:
            known = {k for r in found for k in (*r.params, *r.tags) if not k.startswith("mlflow.")}
            raise UserError(f"{name}: run {run.name!r} has no parameter or tag {key!r}{nearest(key, known)}")
        out.append(label)
    return out


def _text(file: Path) -> str:
    return read_bytes(file)[:10_000].decode("utf-8", errors="replace").strip()


def _meta(file: Path) -> dict[str, str]:
    lines = re.findall(r"^(name|run_name|lifecycle_stage): *(.*?) *$", _text(file), re.MULTILINE)
    return {key: value.strip("'\"") for key, value in lines}


def _curve(run: int, metric: str, file: Path) -> Curve:
    rows: list[tuple[float, float, float]] = []
    for number, line in enumerate(read_bytes(file).decode("utf-8", errors="replace").splitlines(), start=1):
        parts = line.split()
        if not parts:
            continue
        try:
            rows.append((float(int(parts[0])), float(int(parts[2])) if len(parts) > 2 else 0.0, float(parts[1])))
        except (ValueError, IndexError, OverflowError):
            raise UserError(
                f"{file.name}: line {number} of this MLflow metric must be 'timestamp value step', got {line[:60]!r}"
            ) from None
    table = np.array(rows, dtype=float).reshape(-1, 3)
    table = table[np.argsort(table[:, 0], kind="stable")]  # in the order of writing
    return Curve(run, metric, table[:, 1], table[:, 2])
