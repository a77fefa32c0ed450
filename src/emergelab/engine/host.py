"""The engine of host systems: many seeds at once in one asyncio loop, every decision in the event log.

A block is one seed of one condition. After each record its observables, events and JSON state are on disk. A step that
raises is tried again from the same state, with growing pauses; when the tries are used up the seed is marked failed and
the others go on. Nothing is ever filled in for what failed.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._site import matches
from ..errors import UserError
from ..intervention import Moment
from ..runs.store import ArraySpec, Store
from .plan import Block, Cell
from .progress import Silent

_PAUSE = 0.5  # seconds before the first repetition; doubled each time


class Context:
    """What a host system's step sees besides its state.

    Attributes:
        seed, time: where in the run this step stands.
        rng: a numpy generator addressed by (seed, time): the same in every repetition of the step.
    """

    def __init__(self, cell: Cell, seed: int, time: int) -> None:
        self.cell, self.seed, self.time = cell, seed, time
        self.rng = np.random.default_rng([seed, time])
        self.events: list[dict[str, Any]] = []

    def emit(self, kind: str, **payload: Any) -> None:
        """Write an event (a decision, a message, a note) into the run's log. The payload must be JSON-serialisable."""
        self.events.append(
            {"time": self.time, "condition": self.cell.name, "seed": self.seed, "kind": kind, "payload": payload}
        )

    def site(self, name: str, value: Any) -> Any:
        """Announce a number or an array; interventions of the run may replace it. Without any it comes back
        untouched.
        """
        hits = [i for i in self.cell.interventions if matches(i.site, name)]
        if not hits:
            return value
        moment = Moment(
            jnp.int32(self.time), jnp.int32(self.seed), jax.random.fold_in(jax.random.key(self.seed), self.time)
        )
        array = jnp.asarray(value)
        for intervention in hits:
            array = intervention(name, array, moment)
        return np.asarray(array)[()]


def plan(
    cells: Sequence[Cell], seeds: Sequence[int], workers: int | None
) -> tuple[list[Block], list[ArraySpec], tuple[int, int]]:
    """One block a seed and condition; observables are scalars unless their dims say otherwise by size at run time."""
    blocks: list[Block] = []
    for c in range(len(cells)):
        for s in range(len(seeds)):
            blocks.append(Block(len(blocks), (c,), (s, s + 1), 1))
    specs = []
    for o in cells[0].system.observables:
        if o.dims:
            raise UserError(
                f"observable {o.name!r}: a HostSystem's observables are scalars; emit lists as events instead"
            )
        specs.append(
            ArraySpec(o.name, (), (), "<f8", {k: v for k, v in {"long_name": o.about, "units": o.unit}.items() if v})
        )
    if not specs:
        raise UserError(f"{type(cells[0].system).__name__}: observables is empty; declare what observe returns")
    return blocks, specs, (1, 1)


def carry_out(
    store: Store,
    info: dict[str, Any],
    cells: Sequence[Cell],
    blocks: Sequence[Block],
    bar: Silent,
    workers: int | None,
    retries: int,
) -> None:
    """Bring all blocks to their ends, at most `workers` (default 16) at a time."""
    asyncio.run(_all(store, info, cells, blocks, bar, workers or 16, retries))


async def _all(
    store: Store,
    info: dict[str, Any],
    cells: Sequence[Cell],
    blocks: Sequence[Block],
    bar: Silent,
    limit: int,
    retries: int,
) -> None:
    gate = asyncio.Semaphore(limit)

    async def gated(block: Block) -> None:
        async with gate:
            await _one(store, info, cells[block.conditions[0]], block, bar, retries)

    try:
        async with asyncio.TaskGroup() as tasks:
            for block in blocks:
                tasks.create_task(gated(block))
    except BaseExceptionGroup as several:
        # What stops a run is the author's or the user's doing; the first word of it is enough.
        raise several.exceptions[0] from None


async def _one(store: Store, info: dict[str, Any], cell: Cell, block: Block, bar: Silent, retries: int) -> None:
    seed, every = info["seeds"][block.seeds[0]], info["every"]
    records = info["steps"] // every + 1
    marks: dict[str, Any] = {"diverged": {}, "failed": {}}
    saved = store.read_checkpoint(block.index)
    record, text = 0, ""
    if saved is not None:
        (raw,), progress = saved
        record, text = progress["records"], raw.tobytes().decode()
        marks = {k: progress[k] for k in marks}
    store.drop_events_from(block.index, record)
    if marks["failed"]:
        return
    while record < records:
        events: list[dict[str, Any]] = []
        begun = max(0, record - 1) * every
        try:
            if record == 0:
                text = await _tried(lambda: cell.system.init(seed), retries)
            else:
                for time in range(begun, begun + every):
                    text = await _stepped(cell, seed, time, text, events, retries)
            values = await _observed(cell, seed, record * every, text, events, retries)
        except Failure as failure:
            marks["failed"][cell.name] = {str(seed): {"step": begun, "error": str(failure)}}
            events.append(
                {
                    "time": begun,
                    "condition": cell.name,
                    "seed": seed,
                    "kind": "failed",
                    "payload": {"error": str(failure)},
                }
            )
            _commit(store, block, record, {}, text, events, record, marks)
            return
        nan_ok = {o.name for o in cell.system.observables if o.nan_ok}
        for name, value in values.items():
            if (math.isnan(value) and name not in nan_ok) or math.isinf(value):
                if not marks["diverged"]:
                    events.append(
                        {
                            "time": record * every,
                            "condition": cell.name,
                            "seed": seed,
                            "kind": "diverged",
                            "payload": {"observable": name},
                        }
                    )
                marks["diverged"].setdefault(cell.name, {}).setdefault(str(seed), record * every)
        _commit(store, block, record, values, text, events, record + 1, marks)
        bar.add(every if record else 0)
        record += 1


def _commit(
    store: Store,
    block: Block,
    record: int,
    values: dict[str, float],
    text: str,
    events: list[Any],
    done: int,
    marks: dict[str, Any],
) -> None:
    for name, value in values.items():
        store.append(name, block.conditions, slice(*block.seeds), record, np.full((1, 1, 1), value))
    store.write_events(block.index, record, events)
    state = np.frombuffer(text.encode(), np.uint8)
    store.write_checkpoint(block.index, [state], {"records": done, **marks})


class Failure(Exception):
    """A step that failed as often as it may."""


async def _tried(attempt: Any, retries: int) -> str:
    """The new state as JSON; the attempt is repeated from the same old state."""
    for tries in range(retries + 1):
        try:
            return json.dumps(await attempt(), allow_nan=True)
        except UserError:
            raise
        except Exception as error:
            if tries == retries:
                raise Failure(f"{type(error).__name__}: {error}") from error
            await asyncio.sleep(_PAUSE * 2**tries)
    raise AssertionError("unreachable")


async def _stepped(cell: Cell, seed: int, time: int, text: str, events: list[dict[str, Any]], retries: int) -> str:
    kept: list[dict[str, Any]] = []

    async def attempt() -> Any:
        context = Context(cell, seed, time)
        new = await cell.system.step(json.loads(text), context)
        kept[:] = context.events
        return new

    new = await _tried(attempt, retries)
    events.extend(kept)
    return new


async def _observed(
    cell: Cell, seed: int, time: int, text: str, events: list[dict[str, Any]], retries: int
) -> dict[str, float]:
    names = [o.name for o in cell.system.observables]

    async def attempt() -> Any:
        context = Context(cell, seed, time)
        values = dict(await cell.system.observe(json.loads(text), context))
        if set(values) != set(names):
            raise UserError(f"{type(cell.system).__name__}.observe must return {sorted(names)}, got {sorted(values)}")
        return {name: float(values[name]) for name in names}

    return dict(json.loads(await _tried(attempt, retries)))
