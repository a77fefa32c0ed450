"""`fork`: go on from a state that a run has kept, with something done to it that was not done before."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import numpy as np

from ..errors import UserError, nearest
from ..intervention import Intervention, Replay, Window
from ..runs.place import Place
from ..runs.run import Run
from ..runs.store import Store
from ..system import HostSystem, System
from . import driver
from .plan import Block, Cell

__all__ = ["fork"]


def fork(
    path: str | os.PathLike[str],
    at: int,
    *,
    interventions: Sequence[Intervention] = (),
    conditions: Sequence[str] | None = None,
    steps: int | None = None,
    out: str | os.PathLike[str] | None = None,
    keep: Sequence[int] | str = (),
    system: type[System] | None = None,
    progress: bool = True,
    chunk: int | None = None,
    workers: int | None = None,
) -> Run:
    """Go on from a state that a run has kept, and do something to it from there on.

    The new run has the old one's records up to `at`, and equals a run from the beginning with the same interventions
    from `at` on; only what comes after is computed.

    Args:
        path: the run; grown with `keep=`.
        at: the step to go on from, one of `Run.kept`.
        interventions: what is done, after those that the run has. What would begin before `at` begins at `at`.
        conditions: some of its conditions, by name; None: all.
        steps: where the new run ends; None: where the old one does.
        out: folder of the new run; None: `runs/<name>-<date>-<time>`.
        keep: states that the new run keeps.
        system: the class of the system, where it cannot be imported by name.

    Returns:
        the finished new `Run`; `info["parent"]` names the old one, `info["fork"]` the step.

    Raises:
        UserError: a step whose state was not kept, an unknown condition, a schedule that cannot begin at `at`.
        RunError: the folder is not a run, or its system has changed since.
    """
    parent = Run(Place(path))
    info, every = parent.info, int(parent.info["every"])
    names = list(info["conditions"])
    for name in conditions or ():
        if name not in names:
            raise UserError(f"{path}: no condition {name!r}{nearest(name, names)}")
    chosen = [n for n in names if conditions is None or n in conditions]
    cells = driver.cells_of(parent.place, info, system)
    if isinstance(cells[0].system, HostSystem):
        raise UserError(f"{path}: a HostSystem's run is forked from its ledger (el.lm.fork)")
    if at not in parent.kept:
        next(parent._kept_of(at, 0))  # says what was kept
    steps = int(info["steps"]) if steps is None else steps
    if steps <= at or steps % every:
        raise UserError(f"steps must be a multiple of every={every} above {at}, got {steps}")
    added = tuple(_from(i, at) for i in interventions)
    cells = [Cell(c.name, c.system, (*c.interventions, *added)) for c in cells if c.name in chosen]

    place = Place(out if out is not None else driver.default_folder(info["study"] or info["system"]["name"].lower()))
    seeds = list(info["seeds"])
    new = driver.describe(cells[0].system, cells, seeds, steps, every, info["taps"], info["study"], info["size"], place)
    new |= {"parent": str(path), "fork": {"at": at}}
    if kept := driver.times_to_keep(keep, steps, every):
        new["keep"] = [t for t in kept if t >= at]
    store, blocks = driver.laid_out(new, cells, place, workers)
    before = parent.data.isel(time=slice(0, at // every))
    for block in blocks:
        _begin(store, parent, before, block, [names.index(cells[i].name) for i in block.conditions], at, every)
    return driver.carry_out(store, new, cells, blocks, progress=progress, chunk=chunk, workers=workers, retries=0)


def _from(intervention: Intervention, at: int) -> Intervention:
    """The intervention, beginning at step `at` or later."""
    during = intervention.during
    start = int(np.asarray(vars(during)["start"]))
    if start >= at:
        return intervention
    if not isinstance(during, Window):
        raise UserError(
            f"{type(intervention).__name__}({intervention.site!r}): its {type(during).__name__} begins at step "
            f"{start}, before the fork at {at}; give it a start of {at} or later"
        )
    later = eqx.tree_at(lambda i: i.during, intervention, Window(at, int(np.asarray(during.stop))))
    if isinstance(intervention, Replay):  # the recording goes on where it would have been
        axis = 0 if intervention.seeds is None else 1
        rest = np.take(intervention.values, np.arange(at - start, np.shape(intervention.values)[axis]), axis=axis)
        if not rest.shape[axis]:
            raise UserError(f"Replay({intervention.site!r}): its recording ends before the fork at {at}")
        later = eqx.tree_at(lambda i: i.values, later, rest)
    return later


def _begin(store: Store, parent: Run, before: Any, block: Block, rows: Sequence[int], at: int, every: int) -> None:
    """Records before the fork, and the state at it as the block's checkpoint."""
    first, last = block.seeds
    numbers = parent.info["seeds"][first:last]
    for name in before.data_vars:
        values = before[name].isel(condition=list(rows), seed=slice(first, last))
        labelled = values.transpose("condition", "seed", "time", ...).values
        if labelled.shape[2]:
            store.append(str(name), block.conditions, slice(first, last), 0, labelled)
    leaves = _state(parent, at, rows, block)
    marked = _marked_before(parent.diverged, [list(parent.info["conditions"])[r] for r in rows], numbers, at)
    progress = {"records": at // every, "state_at": at, "diverged": marked, "failed": {}}
    store.write_checkpoint(block.index, leaves, progress)


def _state(parent: Run, at: int, rows: Sequence[int], block: Block) -> list[np.ndarray]:
    """The kept state, cut as the new block is: leaves with leading axes (condition, seed)."""
    by_condition = []
    for row in rows:
        parts = [[a[i, : b - a_] for a in arrays] for _, arrays, i, (a_, b) in parent._kept_of(at, row)]
        whole = [np.concatenate(column) for column in zip(*parts, strict=True)]
        cut = [leaf[slice(*block.seeds)] for leaf in whole]
        lacking = block.width - (block.seeds[1] - block.seeds[0])
        by_condition.append([np.concatenate([leaf, *[leaf[-1:]] * lacking]) for leaf in cut])
    return [np.stack(column) for column in zip(*by_condition, strict=True)]


def _marked_before(
    diverged: Mapping[str, Mapping[int, int]], names: Sequence[str], seeds: Sequence[int], at: int
) -> dict[str, dict[str, int]]:
    """Seeds that had left the finite numbers before the fork."""
    found = {name: {str(s): t for s, t in diverged.get(name, {}).items() if s in seeds and t < at} for name in names}
    return {name: marks for name, marks in found.items() if marks}
