"""`run` and `resume`: carry out a plan block by block, chunk by chunk, onto the disk."""

from __future__ import annotations

import datetime
import os
import threading
import time as clock
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import jax
import numpy as np

from ..condition import Condition
from ..errors import RunError, UserError, nearest
from ..intervention import Intervention
from ..runs import provenance
from ..runs.place import Place
from ..runs.run import Run
from ..runs.store import FORMAT, FORMAT_VERSION, ArraySpec, Store, read_info, stored_dtype
from ..system import HostSystem, System, values
from . import cluster, compiled, host, serial
from .blocks import compute, devices_of_each
from .plan import Block, Cell, cut, group, make_cells
from .progress import Bar, Silent
from .setup import persistent_compilation_cache
from .switch import Switch
from .switch import check as check_switch

# State of one block, at most. On a CPU what does not stay in a core's cache is slow: networks of 0.4 MB a seed took
# 0.28 ms a step in blocks of 16 and 0.39 ms in blocks of 48.
_CACHED_BYTES, _DEVICE_BYTES = 8 << 20, 1 << 30


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: what was done is on disk. `.path` is the run's folder."""

    def __init__(self, path: str) -> None:
        super().__init__(f"interrupted; go on with: emergelab resume {path}")
        self.path = path


def run(
    system: System | HostSystem,
    *,
    steps: int,
    every: int = 1,
    seeds: int | Sequence[int] = 8,
    conditions: Mapping[str, Any] | None = None,
    interventions: Sequence[Intervention] = (),
    taps: Sequence[str] = (),
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
    chunk: int | None = None,
    workers: int | None = None,
    block_seeds: int | None = None,
    study: str | None = None,
    size: str | None = None,
    retries: int = 2,
    lm: Any = None,
    switch: Switch | None = None,
    parent: str | None = None,
    keep: Sequence[int] | str = (),
    on: str = "here",
) -> Run:
    """Grow a system under every condition and seed, and keep what it shows.

    Args:
        system: the base system; conditions differ from it.
        steps: how long, in steps; a multiple of `every`.
        every: steps between records; observables are computed at times 0, every, 2*every, ..., steps.
        seeds: how many (0, 1, ...), or which.
        conditions: name -> mapping of parameters, `el.Condition` or a system; None is one condition "base".
        interventions: what is done to sites in all conditions, in this order.
        taps: glob patterns of sites whose values are recorded too: at record time t, what the site holds in the
            step that begins at t.
        out: folder or fsspec URL of the run; must be new or empty. None: `runs/<name>-<date>-<time>`.
        progress: show rate and time left on the error stream.
        chunk: records between two checkpoints; None adapts to about two seconds. Never changes results.
        workers: blocks computed at once; None is one a device, one a core on CPU, 64 of a host system.
        block_seeds: seeds a block; None divides the seeds among the workers.
        study, size: noted in run.json.
        retries: how often a failing step of a `HostSystem` is tried again before its seed is marked failed.
        lm: the language model that a `HostSystem`'s agents ask (an `emergelab.lm.LM`).
        switch: what changes in a `HostSystem`'s parameters or state at some step.
        parent: run of which this one is a repetition or a fork; noted in run.json.
        keep: record times whose states stay on disk, to be looked into (`Run.state`) or gone on from (`el.fork`);
            "log" is 0, every, 2 every, 4 every, ... and the end.
        on: where blocks are computed: "here", "ray" (a Ray cluster on this machine) or "ray:ADDRESS". Never changes
            results.

    Returns:
        the finished `Run`.

    Raises:
        UserError: anything wrong with the call, before anything is computed.
        Interrupted: Ctrl-C; what was done is kept and can be resumed.
    """
    _positive("steps", steps, 0)
    _positive("every", every, 1)
    if steps % every:
        raise UserError(
            f"steps must be a multiple of every={every}, got {steps}; the nearest is "
            f"{max(1, round(steps / every)) * every}"
        )
    if chunk is not None:
        _positive("chunk", chunk, 1)
    if workers is not None:
        _positive("workers", workers, 1)
    if block_seeds is not None:
        _positive("block_seeds", block_seeds, 1)
    numbers = _seeds(seeds)
    cells = make_cells(system, conditions, interventions)
    place = Place(out if out is not None else default_folder(study or type(system).__name__.lower()))
    info = describe(system, cells, numbers, steps, every, taps, study, size, place)
    if (lm is not None or switch is not None) and not isinstance(system, HostSystem):
        raise UserError("lm and switch are for a HostSystem; leave them out, and use interventions instead")
    if lm is not None:
        info["lm"] = lm.about()
    if parent is not None:
        info["parent"] = parent
    if switch is not None:
        check_switch(switch, [c.system for c in cells], steps)
        info["switch"] = switch.to_json()
    if kept := times_to_keep(keep, steps, every):
        info["keep"] = kept
    if isinstance(system, HostSystem):
        if kept:
            raise UserError("keep: a HostSystem's states are found again from its ledger (el.lm.replay, el.lm.fork)")
        if taps:
            raise UserError(
                "taps: a HostSystem's sites are recorded by its own observables or events; leave taps empty"
            )
    with cluster.joined(on, workers) as workers:
        store, blocks = laid_out(info, cells, place, workers, block_seeds)
        return carry_out(
            store, info, cells, blocks, progress=progress, chunk=chunk, workers=workers, retries=retries, lm=lm, on=on
        )


def laid_out(
    info: dict[str, Any], cells: list[Cell], place: Place, workers: int | None, block_seeds: int | None = None
) -> tuple[Store, list[Block]]:
    """The plan of a run, and its folder with nothing computed yet."""
    if isinstance(cells[0].system, HostSystem):
        blocks, specs, widths = host.plan(cells, info["seeds"], workers)
    else:
        blocks, specs, widths = _plan(cells, info["seeds"], info["taps"], workers, block_seeds)
    info["blocks"] = [b.to_json() for b in blocks]
    times = np.arange(0, info["steps"] + 1, info["every"])
    store = Store.create(place, info, specs, times=times, chunk_conditions=widths[0], chunk_seeds=widths[1])
    info["interventions"] = serial.pack({c.name: c.interventions for c in cells}, place)
    store.write_info(info)
    return store, blocks


def resume(
    path: str | os.PathLike[str],
    *,
    system: type[System] | type[HostSystem] | None = None,
    progress: bool = True,
    chunk: int | None = None,
    workers: int | None = None,
    retries: int = 2,
    lm: Any = None,
    on: str = "here",
) -> Run:
    """Finish an interrupted or killed run; the result equals that of an uninterrupted one.

    Args:
        path: the run's folder.
        system: the class of the system, where it cannot be imported by name (a notebook's own).
        lm: the language model with which the run was begun, if it was begun with one.
        on: where, as in `run`; it need not be where the run was begun.

    Raises:
        RunError: the folder is not a run, is being written by another process, or its system cannot be found.
    """
    place = Place(path)
    info = read_info(place)
    if info["status"] == "finished":
        return Run(place)
    if (lm is None) != ("lm" not in info) or (lm is not None and _same_lm(lm.about()) != _same_lm(info["lm"])):
        known = info.get("lm", {}).get("name", "none")
        raise RunError(f"{path}: the run was begun with the language model {known!r}; resume it with the same one")
    cells, blocks = cells_of(place, info, system), blocks_of(info)
    with cluster.joined(on, workers) as workers:
        return carry_out(
            Store(place), info, cells, blocks, progress=progress, chunk=chunk, workers=workers, retries=retries,
            lm=lm, on=on,
        )  # fmt: skip


def rerun(
    path: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    conditions: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    steps: int | None = None,
    system: type[System] | type[HostSystem] | None = None,
    progress: bool = True,
    chunk: int | None = None,
    workers: int | None = None,
    retries: int = 2,
    lm: Any = None,
    switch: Switch | None = None,
    on: str = "here",
) -> Run:
    """Grow again what a run holds, from its run.json alone.

    Args:
        path: the run's folder.
        out: folder of the new run; None: `runs/<name>-<date>-<time>`.
        conditions: some of its conditions, by name; None: all.
        seeds: which seeds; None: the same.
        steps: how long; None: as long.
        system: the class of the system, where it cannot be imported by name.
        lm: the language model to ask, which may be another one.
        switch: what changes at some step; None: what changed in the run, if anything.
        on: where, as in `run`.

    Returns:
        the new `Run`; `info["parent"]` names the old one.

    Raises:
        RunError: the folder is not a run, or its system cannot be found or no longer takes its parameters.
        UserError: a condition that the run does not have, or a wrong number.
    """
    place = Place(path)
    info = read_info(place)
    cells = cells_of(place, info, system)
    known = [c.name for c in cells]
    for name in conditions if conditions is not None else ():
        if name not in known:
            raise UserError(f"{path}: no condition {name!r}{nearest(name, known)}")
    chosen = {
        c.name: Condition(values(c.system), c.interventions)
        for c in cells
        if conditions is None or c.name in conditions
    }
    return run(
        cells[0].system,
        steps=info["steps"] if steps is None else steps,
        every=info["every"],
        seeds=info["seeds"] if seeds is None else seeds,
        conditions=chosen,
        taps=info["taps"],
        out=out,
        progress=progress,
        chunk=chunk,
        workers=workers,
        study=info["study"],
        size=info["size"],
        retries=retries,
        lm=lm,
        switch=switch if switch is not None else Switch.from_json(info.get("switch")),
        parent=str(path),
        on=on,
    )


def _same_lm(about: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal for two models to be the same; not the word by which one was opened."""
    return {k: v for k, v in about.items() if k != "spec"}


def blocks_of(info: Mapping[str, Any]) -> list[Block]:
    """The blocks of a run, as its run.json tells them."""
    return [Block(i, tuple(b["conditions"]), tuple(b["seeds"]), b["width"]) for i, b in enumerate(info["blocks"])]


def cells_of(place: Place, info: Mapping[str, Any], system: type[System] | type[HostSystem] | None) -> list[Cell]:
    """The conditions of a run, as its run.json tells them."""
    cls = system or serial.find_system(info["system"], str(place))
    interventions = serial.unpack(info["interventions"], place)
    cells = []
    for name, condition in info["conditions"].items():
        try:
            cells.append(Cell(name, cls(**condition["parameters"]), interventions[name]))
        except (TypeError, UserError) as error:
            raise RunError(
                f"{place}: {cls.__name__} no longer takes the parameters of condition {name!r} ({error})"
            ) from None
    return cells


# -- the plan -------------------------------------------------------------------------------------------------------


def _positive(name: str, value: Any, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
        raise UserError(f"{name} must be a whole number >= {low}, got {value!r}")
    if value >= 2**31:
        raise UserError(f"{name} must be below 2**31, got {value}")


def times_to_keep(keep: Sequence[int] | str, steps: int, every: int) -> list[int]:
    """Record times whose states are kept, in order."""
    if isinstance(keep, str):
        if keep != "log":
            raise UserError(f"keep must be 'log' or a list of record times, got {keep!r}")
        doubled = (every << i for i in range((steps // every).bit_length()))
        return sorted({0, *doubled, steps})
    times = sorted({int(t) for t in keep})
    for time in times:
        if time < 0 or time > steps or time % every:
            raise UserError(f"keep: states are kept at multiples of every={every} from 0 to {steps}, got {time}")
    return times


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    if isinstance(seeds, (int, np.integer)):
        _positive("seeds", seeds, 1)
        return list(range(int(seeds)))
    numbers = [int(s) for s in seeds]
    if not numbers or len(set(numbers)) != len(numbers) or min(numbers) < 0 or max(numbers) >= 2**31:
        raise UserError(f"seeds must be a number >= 1 or different whole numbers in [0, 2**31), got {list(seeds)!r}")
    return numbers


def default_folder(name: str) -> str:
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    folder, n = f"runs/{name}-{stamp}", 2
    while os.path.exists(folder):
        folder, n = f"runs/{name}-{stamp}-{n}", n + 1
    return folder


def describe(
    system: Any,
    cells: Sequence[Cell],
    seeds: list[int],
    steps: int,
    every: int,
    taps: Sequence[str],
    study: str | None,
    size: str | None,
    place: Place,
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "status": "running",
        "study": study,
        "size": size,
        "system": serial.system_name(system),
        "conditions": {c.name: {"parameters": values(c.system)} for c in cells},
        "seeds": seeds,
        "steps": int(steps),
        "every": int(every),
        "taps": list(taps),
        "interventions": serial.pack({c.name: c.interventions for c in cells}),
        "wall_seconds": 0.0,
        "provenance": provenance.provenance(),
    }


def _worker_count(asked: int | None) -> int:
    if asked is not None:
        return int(asked)
    devices = jax.local_devices()
    if len(devices) > 1 or devices[0].platform != "cpu":
        return len(devices)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _plan(
    cells: Sequence[Cell], seeds: list[int], taps: Sequence[str], workers: int | None, block_seeds: int | None
) -> tuple[list[Block], list[ArraySpec], tuple[int, int]]:
    groups = group(cells)
    shapes: dict[str, Any] | None = None
    sizes = []
    for members in groups:
        found, _, size = compiled.check(cells[members[0]], taps)
        sizes.append(size)
        if shapes is None:
            shapes = found
        elif {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in shapes.items()}:
            first, other = cells[groups[0][0]].name, cells[members[0]].name
            raise UserError(f"conditions {first!r} and {other!r} show observables of different shapes; run them apart")
    assert shapes is not None
    on_cpu = jax.default_backend() == "cpu"
    blocks = cut(
        groups, len(seeds), _worker_count(workers), sizes, _CACHED_BYTES if on_cpu else _DEVICE_BYTES, block_seeds
    )
    about = {o.name: o for o in cells[0].system.observables}
    specs = []
    for name, shape in shapes.items():
        known = about.get(name)
        dims = known.dims if known else tuple(f"{name}.{i}" for i in range(len(shape.shape)))
        attrs = {"long_name": known.about, "units": known.unit} if known else {"long_name": f"value at site {name}"}
        specs.append(
            ArraySpec(name, dims, tuple(shape.shape), stored_dtype(shape.dtype), {k: v for k, v in attrs.items() if v})
        )
    # With one program all conditions may share a chunk on disk; otherwise blocks would meet in one.
    return blocks, specs, (len(cells) if len(groups) == 1 else 1, min(blocks[0].width, len(seeds)))


# -- carrying it out ------------------------------------------------------------------------------------------------


def carry_out(
    store: Store,
    info: dict[str, Any],
    cells: list[Cell],
    blocks: list[Block],
    *,
    progress: bool,
    chunk: int | None,
    workers: int | None,
    retries: int,
    lm: Any = None,
    on: str = "here",
) -> Run:
    begun, before = clock.monotonic(), float(info["wall_seconds"])
    total = sum(len(b.conditions) * (b.seeds[1] - b.seeds[0]) for b in blocks) * info["steps"]
    done = 0
    for block, found in zip(blocks, Run(store.place).progress, strict=True):
        done += len(block.conditions) * (block.seeds[1] - block.seeds[0]) * max(0, found["records"] - 1) * info["every"]

    def note(status: str) -> None:
        info["status"] = status
        info["wall_seconds"] = before + clock.monotonic() - begun
        store.write_info(info)

    info.pop("session", None)  # tasks that a killed driver left on a cluster must not write any more
    bar = Bar(info["study"] or info["system"]["name"], total, done) if progress else Silent()
    with store.place.locked(), bar:
        note("running")
        with store.place.committing(alone=True):
            pass  # whoever looked at the session before is done with writing now
        try:
            if on != "here":
                cluster.carry_out(store, info, cells, blocks, bar, chunk, workers, retries, lm)
            elif isinstance(cells[0].system, HostSystem):
                host.carry_out(store, info, cells, blocks, bar, workers, retries, lm)
            else:
                persistent_compilation_cache()
                _in_threads(store, info, cells, blocks, bar, chunk, _worker_count(workers))
        except KeyboardInterrupt:
            note("interrupted")
            raise Interrupted(str(store.place)) from None
        except BaseException:
            note("interrupted")
            raise
        note("finished")
    return Run(store.place)


def _in_threads(
    store: Store,
    info: dict[str, Any],
    cells: list[Cell],
    blocks: list[Block],
    bar: Silent,
    chunk: int | None,
    workers: int,
) -> None:
    """Blocks in as many threads as there are workers: XLA lets go of the interpreter while it computes."""
    stop = threading.Event()
    devices = jax.local_devices()
    if devices_of_each(info, cells[0].system) > 1:
        workers = 1  # every block fills all devices

    def one(block: Block) -> None:
        with jax.default_device(devices[block.index % len(devices)]):
            compute(store, info, cells, block, bar, chunk, stop)

    with ThreadPoolExecutor(workers, thread_name_prefix="emergelab") as pool:
        futures = [pool.submit(one, block) for block in blocks]
        try:
            waiting = set(futures)
            while waiting:
                # Short waits, so that Ctrl-C reaches the main thread.
                finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise


__all__ = ["Interrupted", "rerun", "resume", "run"]
