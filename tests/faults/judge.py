"""Whether a run is what it would have been without the fault, bit for bit, and what a fault has cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import emergelab as el


def differences(whole: Path, other: Path) -> list[str]:
    """What differs between an undisturbed run and another; nothing, if they are the same."""
    a, b = el.load(whole), el.load(other)
    found = [] if b.status == "finished" and b.done == 1 else [f"status {b.status}, {b.done:.0%} done"]
    if set(a.data.variables) != set(b.data.variables):
        return [*found, "other arrays"]
    for name in a.data.variables:
        if not _same(a.data[name].values, b.data[name].values):
            found.append(f"array {name}")
    if events(a) != events(b):
        found.append("events")
    if (a.diverged, a.failed) != (b.diverged, b.failed):
        found.append("marks of diverged and failed seeds")
    for i in range(len(a.info["blocks"])):
        name = f"checkpoints/{i:05d}.npz"
        with np.load(whole / name) as x, np.load(other / name) as y:
            if x.files != y.files or not all(_same(x[n], y[n]) for n in x.files):
                found.append(name)
    return found


def cost(whole: Path, broken: Path) -> int:
    """Records of a seed that lie on disk and are computed again, at most; after a fault, before going on.

    Raises:
        AssertionError: something that a checkpoint counts as done is not on disk as it should be.
    """
    a, b = el.load(whole), el.load(broken)
    most = 0
    for index, block in enumerate(b.info["blocks"]):
        # what resuming goes by is the state; the account beside it may be older by one checkpoint
        file = broken / "checkpoints" / f"{index:05d}.npz"
        done = 0
        if file.exists():
            with np.load(file) as saved:
                done = json.loads(saved["progress"].tobytes())["records"]
        rows, seeds = block["conditions"], slice(*block["seeds"])
        for name in a.data.data_vars:
            x, y = (r.data[name].values[rows, seeds] for r in (a, b))
            assert _same(x[:, :, :done], y[:, :, :done]), f"{name}: records before the checkpoint are lost"
        lowest = b.data[next(iter(a.data.data_vars))].values[rows, seeds, done:]
        most = max(most, int(np.isfinite(lowest).any(axis=(0, 1)).sum()))
    known = events(a)
    assert all(e in known for e in events(b) if e["kind"] != "failed"), "an event that never happened"
    return most


def events(run: el.Run) -> list[dict[str, Any]]:
    """All events in an order that does not depend on which block came first."""
    return sorted(run.events.to_pylist(), key=lambda e: json.dumps(e, sort_keys=True))


def _same(x: np.ndarray, y: np.ndarray) -> bool:
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    return bool(np.array_equal(x, y)) if x.dtype == object else x.tobytes() == y.tobytes()
