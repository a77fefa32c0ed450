"""One block, conditions of one program x a slice of the seeds: computed chunk by chunk, and checkpointed."""

from __future__ import annotations

import dataclasses
import threading
import time as clock
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._site import matches, require
from ..errors import RunError
from ..runs.place import Place
from ..runs.store import Store, stored_dtype
from ..system import System
from . import compiled
from .plan import Block, Cell
from .progress import Silent

__all__ = ["Permit", "compute", "devices_of_each", "granted"]

Permit = Callable[[], AbstractContextManager[bool]]
"""Entered around all that a block writes, and says whether it still may."""

_BUFFER_BYTES = 32 << 20  # records held before they go to disk
_CHUNK_SECONDS = 2.0
_COMMIT_SHARE = 0.05  # of the time may go into writing


def granted() -> AbstractContextManager[bool]:
    """The permit of who holds the run alone."""
    return nullcontext(True)


def compute(
    store: Store,
    info: dict[str, Any],
    cells: list[Cell],
    block: Block,
    bar: Silent,
    chunk: int | None,
    stop: threading.Event,
    permit: Permit = granted,
) -> None:
    """Bring one block to its end from its last checkpoint, if it has one; stop where writing is no longer permitted."""
    if stop.is_set():
        return
    members = [cells[i] for i in block.conditions]
    names = [c.name for c in members]
    every, records = int(info["every"]), int(info["steps"]) // int(info["every"]) + 1
    numbers = info["seeds"][block.seeds[0] : block.seeds[1]]
    real = len(numbers)
    padded = numbers + [numbers[-1]] * (block.width - real)

    shapes, tapped, _ = compiled.check(members[0], info["taps"])
    nan_ok = {o.name for o in members[0].system.observables if o.nan_ok}
    treedef, axes, stacked = compiled.stack(members)
    row = sum(int(np.prod(s.shape)) * s.dtype.itemsize for s in shapes.values()) * len(members) * block.width
    capacity = max(1, min(records, _BUFFER_BYTES // max(1, row)))
    leaves = [jnp.asarray(x) for x in stacked]
    seeds = jnp.asarray(padded, jnp.int32)
    each = jnp.zeros(len(members))
    spec = compiled.Spec(treedef, axes, capacity, tapped)
    if (count := devices_of_each(info, cells[0].system)) > 1:
        shape = jax.eval_shape(lambda *a: compiled.begin(spec, *a), leaves, seeds, each)
        spec = dataclasses.replace(spec, **_parts(shape, members[0].system.population, count))

    with permit() as may:
        if not may:
            return
        saved = store.read_checkpoint(block.index)
        store.drop_events_from(block.index, saved[1]["records"] if saved is not None else 0)
    if saved is None:
        state = compiled.started(spec, leaves, seeds, each)
        record, marked, start = 0, {}, 0
    else:
        state_shape = jax.eval_shape(lambda *a: compiled.begin(spec, *a), leaves, seeds, each)
        state = _restored(saved[0], state_shape, store.place)
        record, marked = saved[1]["records"], saved[1]["diverged"]
        if record > records:
            raise RunError(
                f"{store.place}: the checkpoint of block {block.index} says that {record:,} of {records:,} records are "
                "done; it is of another run"
            )
        # A fork begins with the state of a record that is still to be written, all else with that of the last one.
        start = saved[1].get("state_at", max(0, record - 1) * every)

    kept = {time // every for time in info.get("keep", ())}
    chunk_records, rows = chunk or 1, slice(*block.seeds)
    while record < records and not stop.is_set():
        begun = clock.monotonic()
        n = min(chunk_records, capacity, records - record)
        n = min([n, *(k - record + 1 for k in kept if k >= record)])  # a chunk ends where a state is to be kept
        first = jnp.int32(record * every - start)
        args = (leaves, compiled.placed(spec, state), seeds, jnp.int32(start), first, jnp.int32(every), jnp.int32(n))
        run_chunk = compiled.program(spec, *args)
        begun = begun if chunk else clock.monotonic()
        state, buffer = run_chunk(*args)
        host_buffer = {name: np.asarray(b)[:n] for name, b in buffer.items()}
        computed = clock.monotonic()

        times = [(record + i) * every for i in range(n)]
        events = _divergences(host_buffer, nan_ok, names, numbers, times, marked)
        with permit() as may:
            if not may:
                return
            for name, block_of in host_buffer.items():
                labelled = np.moveaxis(block_of, 0, 2)[:, :real]
                store.append(
                    name, block.conditions, rows, record, labelled.astype(stored_dtype(labelled.dtype), copy=False)
                )
            store.write_events(block.index, record, events)
            if record + n - 1 in kept:
                store.write_kept(block.index, times[-1], _leaves(state), _names(state))
            store.write_checkpoint(
                block.index, _leaves(state), {"records": record + n, "diverged": marked, "failed": {}}
            )
        committed = clock.monotonic()
        bar.add(len(members) * real * (times[-1] - start))
        record, start = record + n, times[-1]
        if chunk is None:
            # Long enough that writing stays a small share of the time, short enough to lose little.
            aim = max(_CHUNK_SECONDS, (committed - computed) / _COMMIT_SHARE)
            chunk_records = max(1, min(4 * chunk_records, int(n * aim / max(1e-6, computed - begun))))


def devices_of_each(info: dict[str, Any], system: System) -> int:
    """Devices that share one population: all there are, if they are more than the seeds and conditions to compute and
    the system says what its population is.
    """
    devices = len(jax.local_devices())
    lanes = len(info["conditions"]) * len(info["seeds"])
    return devices if system.population and lanes < devices else 1


def _parts(shape: Any, population: Sequence[str], devices: int) -> dict[str, Any]:
    """Which arrays are cut, and among how many devices: as many as divide all of them."""
    names = [f"state.{name}" for name in _names(shape)]
    for pattern in population:
        require(f"state.{pattern}", names, "population")
    parted = tuple(any(matches(f"state.{p}", name) for p in population) for name in names)
    sizes = [x.shape[2] for x, yes in zip(jax.tree.leaves(shape), parted, strict=True) if yes]
    return {"devices": next(n for n in range(devices, 0, -1) if all(size % n == 0 for size in sizes)), "parted": parted}


def _leaves(state: Any) -> list[np.ndarray]:
    out = []
    for leaf in jax.tree.leaves(state):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        out.append(np.asarray(leaf))
    return out


def _names(state: Any) -> list[str]:
    """Dotted names of the leaves, as their sites are called."""
    paths = (path for path, _ in jax.tree_util.tree_leaves_with_path(state))
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path in paths]


def _restored(leaves: list[np.ndarray], shape: Any, place: Place) -> Any:
    wanted, treedef = jax.tree.flatten(shape)
    if len(wanted) != len(leaves):
        raise RunError(
            f"{place}: the checkpoint holds {len(leaves)} arrays, the system's state has {len(wanted)}; the code has "
            f"changed since"
        )
    out = []
    for want, have in zip(wanted, leaves, strict=True):
        if jnp.issubdtype(want.dtype, jax.dtypes.prng_key):
            out.append(jax.random.wrap_key_data(jnp.asarray(have), impl=jax.random.key_impl(want)))
            continue
        if want.dtype.kind == "V" or (
            have.dtype != want.dtype and have.dtype.kind == "u" and have.dtype.itemsize == want.dtype.itemsize
        ):
            have = have.view(want.dtype)
        if have.shape != want.shape or have.dtype != want.dtype:
            raise RunError(
                f"{place}: the checkpoint holds {have.dtype}{list(have.shape)} where the system's state has "
                f"{want.dtype}{list(want.shape)}; the code has changed since"
            )
        out.append(jnp.asarray(have))
    return jax.tree.unflatten(treedef, out)


def _divergences(
    buffer: dict[str, np.ndarray],
    nan_ok: set[str],
    names: list[str],
    seeds: list[int],
    times: list[int],
    marked: dict[str, dict[str, int]],
) -> list[dict[str, Any]]:
    """Mark the seeds whose observables left the finite numbers, at the first such record; returns the new events."""
    events = []
    for name, found in buffer.items():
        if found.dtype.kind != "f":
            continue
        bad = np.isinf(found) if name in nan_ok else ~np.isfinite(found)
        bad = bad.reshape(*found.shape[:3], -1).any(-1)[:, :, : len(seeds)]
        for c, s in zip(*np.nonzero(bad.any(0)), strict=True):
            here = marked.setdefault(names[c], {})
            step = times[int(np.argmax(bad[:, c, s]))]
            seed = str(seeds[s])
            if seed in here and here[seed] <= step:
                continue
            here[seed] = step
            events.append(
                {
                    "time": step,
                    "condition": names[c],
                    "seed": seeds[s],
                    "kind": "diverged",
                    "payload": {"observable": name},
                }
            )
    return events
