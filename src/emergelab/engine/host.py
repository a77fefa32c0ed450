"""The engine of host systems: many seeds at once in one asyncio loop, every decision in the event log.

A block is one seed of one condition. About once a second, and whatever stops the run, the observables, events and JSON
state of its finished records go to disk. A step that raises is tried again from the same state, with growing pauses;
when the tries are used up the seed is marked failed and the others go on. Nothing is ever filled in for what failed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import math
import time as clock
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._keys import key as key_of
from .._site import matches
from ..errors import RunError, UserError
from ..intervention import Moment
from ..runs.store import ArraySpec, Store
from .blocks import Permit, granted
from .plan import Block, Cell
from .progress import Silent
from .switch import Switch

_PAUSE = 0.5  # seconds before the first repetition; doubled each time
_AT_ONCE = 64  # blocks; with a few left over at the end a model would answer them in small batches
_COMMIT_SECONDS = 1.0  # between two commits of a seed, at most what a killed run loses


class Context:
    """What a host system's step sees besides its state.

    Attributes:
        seed, time: where in the run this step stands.
        condition: name of the condition.
        rng: a numpy generator addressed by (seed, time): the same in every repetition of the step.
    """

    def __init__(self, cell: Cell, seed: int, time: int, desk: Any = None) -> None:
        self.cell, self.seed, self.time, self.condition = cell, seed, time, cell.name
        self.rng = np.random.default_rng([seed, time])
        self.events: list[dict[str, Any]] = []
        self._lm = None if desk is None else desk.bind(cell.name, seed, time, self.emit)
        self._decided: Counter[str] = Counter()

    @property
    def lm(self) -> Any:
        """The run's language model, as this step may ask it (`emergelab.lm.desk.Bound`).

        Raises:
            UserError: the run was given none.
        """
        if self._lm is None:
            raise UserError(
                f"condition {self.condition!r} asks a language model and the run has none; give one with "
                "el.run(..., lm=...) or --lm (for example --lm smollm2)"
            )
        return self._lm

    def nth(self, agent: str) -> int:
        """How many decisions the agent was asked for in this step before this one."""
        self._decided[agent] += 1
        return self._decided[agent] - 1

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
        moment = Moment(jnp.int32(self.time), jnp.int32(self.seed), jax.random.fold_in(key_of(self.seed), self.time))
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
    lm: Any = None,
    permit: Permit = granted,
) -> None:
    """Bring all blocks to their ends, at most `workers` (default 64) at a time; none writes without permit.

    Blocks wait for a model most of the time, and what they ask at the same time it answers at once; how many calls are
    under way is for the model to say.
    """
    asyncio.run(_all(store, info, cells, blocks, bar, workers or _AT_ONCE, retries, lm, permit))


async def _all(
    store: Store,
    info: dict[str, Any],
    cells: Sequence[Cell],
    blocks: Sequence[Block],
    bar: Silent,
    limit: int,
    retries: int,
    lm: Any,
    permit: Permit,
) -> None:
    gate = asyncio.Semaphore(limit)
    desk = None if lm is None else lm.desk()

    async def gated(block: Block) -> None:
        async with gate:
            await _one(store, info, cells[block.conditions[0]], block, bar, retries, desk, permit)

    try:
        async with asyncio.TaskGroup() as tasks:
            for block in blocks:
                tasks.create_task(gated(block))
    except BaseExceptionGroup as several:
        # What stops a run is the author's or the user's doing; the first word of it is enough.
        raise several.exceptions[0] from None


async def _one(
    store: Store,
    info: dict[str, Any],
    cell: Cell,
    block: Block,
    bar: Silent,
    retries: int,
    desk: Any,
    permit: Permit,
) -> None:
    seed, every, switch = info["seeds"][block.seeds[0]], info["every"], Switch.from_json(info.get("switch"))
    records = info["steps"] // every + 1
    marks: dict[str, Any] = {"diverged": {}, "failed": {}}
    with permit() as may:
        if not may:
            raise _taken_over(store)
        saved = store.read_checkpoint(block.index)
        store.drop_events_from(block.index, saved[1]["records"] if saved is not None else 0)
    record, text = 0, ""
    if saved is not None:
        (raw,), progress = saved
        record, text = progress["records"], raw.tobytes().decode()
        marks = {k: progress[k] for k in marks}
    if marks["failed"]:
        return
    pending, original = _Pending(store, block, record, permit), cell
    try:
        while record < records:
            begun = max(0, record - 1) * every
            events: list[dict[str, Any]] = []
            try:
                if record == 0:
                    text = await _tried(lambda: original.system.init(seed), retries)
                else:
                    for time in range(begun, begun + every):
                        if switch is not None and time >= switch.at:
                            cell = dataclasses.replace(original, system=switch.system(original.system))
                            text = switch.write(text) if time == switch.at else text
                        text = await _stepped(cell, seed, time, text, events, retries, desk)
                values = await _observed(cell, seed, record * every, text, retries, desk)
            except Failure as failure:
                marks["failed"][cell.name] = {str(seed): {"step": begun, "error": str(failure)}}
                pending.events += [*events, _event(begun, cell, seed, "failed", error=str(failure))]
                break
            nan_ok = {o.name for o in cell.system.observables if o.nan_ok}
            for name, value in values.items():
                if (math.isnan(value) and name not in nan_ok) or math.isinf(value):
                    if not marks["diverged"]:
                        events.append(_event(record * every, cell, seed, "diverged", observable=name))
                    marks["diverged"].setdefault(cell.name, {}).setdefault(str(seed), record * every)
            # a record and its events go together: what is repeated after an interruption is logged once
            pending.records.append(values)
            pending.events += events
            pending.text = text
            bar.add(every if record else 0)
            record += 1
            pending.commit(marks, _COMMIT_SECONDS)
    finally:
        # whatever stops the run, finished records are kept
        pending.commit(marks)


def _event(time: int, cell: Cell, seed: int, kind: str, **payload: Any) -> dict[str, Any]:
    return {"time": time, "condition": cell.name, "seed": seed, "kind": kind, "payload": payload}


class _Pending:
    """Records, events and state of one seed that are not on disk yet."""

    def __init__(self, store: Store, block: Block, first: int, permit: Permit) -> None:
        self.store, self.block, self.first, self.permit = store, block, first, permit
        self.records: list[dict[str, float]] = []
        self.events: list[dict[str, Any]] = []
        self.text = ""
        self._last = clock.monotonic()

    def commit(self, marks: dict[str, Any], after: float = 0.0) -> None:
        """Write everything, unless the last time was less than `after` seconds ago: files cost more than steps may."""
        if clock.monotonic() - self._last < after or not (self.records or marks["failed"]):
            return
        with self.permit() as may:
            if may:
                self._write(marks)
        self.records, self.events = [], []
        if not may:
            raise _taken_over(self.store)
        self._last = clock.monotonic()

    def _write(self, marks: dict[str, Any]) -> None:
        for name in self.records[0] if self.records else ():
            column = np.array([r[name] for r in self.records]).reshape(1, 1, -1)
            self.store.append(name, self.block.conditions, slice(*self.block.seeds), self.first, column)
        self.store.write_events(self.block.index, self.first, self.events)
        self.first += len(self.records)
        state = np.frombuffer(self.text.encode(), np.uint8)
        self.store.write_checkpoint(self.block.index, [state], {"records": self.first, **marks})


def _taken_over(store: Store) -> RunError:
    return RunError(f"{store.place}: another process has taken this run over; this one stops")


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


async def _stepped(
    cell: Cell, seed: int, time: int, text: str, events: list[dict[str, Any]], retries: int, desk: Any
) -> str:
    async def attempt() -> Any:
        context = Context(cell, seed, time, desk)
        try:
            new = await cell.system.step(json.loads(text), context)
        except BaseException:
            # calls were made and paid for, whatever became of the step
            events.extend(e for e in context.events if e["kind"] == "call")
            raise
        events.extend(context.events)
        return new

    new = await _tried(attempt, retries)
    digest = hashlib.blake2b(new.encode(), digest_size=12).hexdigest()
    events.append({"time": time, "condition": cell.name, "seed": seed, "kind": "state", "payload": {"digest": digest}})
    return new


async def _observed(cell: Cell, seed: int, time: int, text: str, retries: int, desk: Any) -> dict[str, float]:
    names = [o.name for o in cell.system.observables]

    async def attempt() -> Any:
        context = Context(cell, seed, time, desk)
        values = dict(await cell.system.observe(json.loads(text), context))
        if set(values) != set(names):
            raise UserError(f"{type(cell.system).__name__}.observe must return {sorted(names)}, got {sorted(values)}")
        return {name: float(values[name]) for name in names}

    return dict(json.loads(await _tried(attempt, retries)))
