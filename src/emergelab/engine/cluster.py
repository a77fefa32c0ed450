"""Blocks on a Ray cluster: each is a task that writes its own region of the run's store.

The store is the only thing that driver and tasks share, so it must lie where all machines see it: in a shared folder
or behind any fsspec URL. A task carries nothing but the run's address; it reads run.json, computes its blocks from
their last checkpoints, and the driver learns from the checkpoints how far it is. So a task whose machine dies is
simply begun again, on another one.

While a driver is at work, run.json holds the name of its session, and a task whose session is over writes no more: it
looks at the name within each commit, and who resumes a run changes the name and waits for commits that are under way.
So what a killed driver left behind never writes into a run that somebody has resumed. (Object stores have no locks to
wait for; there a task that has looked and is held up for longer than the resumed run takes could still write.)
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from ..errors import UserError, need
from ..runs.place import Place
from ..runs.run import Run
from ..runs.store import Store, read_info
from ..system import HostSystem
from . import blocks as pure
from . import host
from .plan import Block, Cell
from .progress import Silent

__all__ = ["carry_out", "cores", "joined"]

_BEGUN_AGAIN = 3  # times that a block is begun again whose worker died
_KNOCK = 5.0  # seconds in which a cluster's head must answer
_LOOK = 0.5  # seconds between two looks at the checkpoints
_PATIENCE = 20.0  # seconds that cancelled tasks have to come to the end of a chunk


@contextmanager
def joined(on: str, workers: int | None) -> Iterator[int | None]:
    """Where to compute, for as long as it is needed; yields how many blocks are computed at once.

    A Ray cluster is this process's own, if it has one, else that of the address, else a local one.

    Args:
        on: "here", "ray" (a cluster on this machine, ended with the run) or "ray:ADDRESS".
        workers: as asked for, and the cores of a local cluster; None: those of this machine.

    Raises:
        UserError: another word, Ray is not installed, or nothing answers at the address.
    """
    kind, _, address = on.partition(":")
    if on == "here":
        yield workers
        return
    if kind != "ray":
        raise UserError(f"on must be 'here', 'ray' or 'ray:ADDRESS', got {on!r}")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray = need("ray", "cluster", "runs on a cluster")
    if address:
        _answers(address)
    if ray.is_initialized():
        yield cores(workers)
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        with warnings.catch_warnings():
            # JAX warns of every new process; these are other programs, which share nothing with its threads.
            warnings.filterwarnings("ignore", message=r"os\.fork\(\) was called")
            if address:
                ray.init(address=address, **quiet)
            else:
                ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"the Ray cluster at {address!r} cannot be joined" if address else "no local Ray cluster can be started"
        raise UserError(f"{where} ({(str(error).splitlines() or [type(error).__name__])[0]})") from None
    try:
        yield cores(workers)
    finally:
        ray.shutdown()


def _answers(address: str) -> None:
    """Knock, since Ray itself knocks for minutes."""
    if address == "auto" or "://" in address:  # found by Ray in its own way
        return
    machine, _, port = address.rpartition(":")
    try:
        socket.create_connection((machine, int(port)), timeout=_KNOCK).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"no Ray cluster answers at {address!r} ({error}); give HOST:PORT as `ray start --head` prints it"
        ) from None


def cores(asked: int | None) -> int:
    """Tasks that the joined cluster computes at once: its accelerators if it has some, else its cores."""
    if asked is not None:
        return asked
    import ray

    found = ray.cluster_resources()
    return max(1, int(found.get("GPU") or found.get("CPU") or 1))


def carry_out(
    store: Store,
    info: dict[str, Any],
    cells: Sequence[Cell],
    blocks: Sequence[Block],
    bar: Silent,
    chunk: int | None,
    workers: int | None,
    retries: int,
    lm: Any,
) -> None:
    """Bring all blocks to their ends on the joined cluster.

    Raises:
        UserError: the run's folder or its model cannot be reached from other machines.
        RuntimeError: a worker died again and again while it computed one block.
    """
    import ray

    info["session"] = uuid.uuid4().hex
    store.write_info(info)
    url = str(store.place.local.resolve()) if store.place.local is not None else store.place.url
    shared = {"url": url, "session": info["session"], "system": type(cells[0].system), "chunk": chunk}
    if isinstance(cells[0].system, HostSystem):
        # A task serves many seeds in one loop, so that their requests meet; each seed is a block of its own.
        parts = [[b.index for b in blocks[i :: cores(workers)]] for i in range(min(cores(workers), len(blocks)))]
        asker = None if lm is None else _asker(ray, lm)
        shared |= {"retries": retries, "lm": None if lm is None else (lm.elsewhere(), asker)}
        task = ray.remote(num_cpus=1, max_retries=0)(_hosted)
    else:
        parts = [[b.index] for b in blocks]
        on_gpu = bool(ray.cluster_resources().get("GPU"))
        task = ray.remote(num_cpus=1, num_gpus=int(on_gpu), max_retries=0)(_computed)
    _until_done(ray, store.place, task, shared, parts, bar)


def _until_done(ray: Any, place: Place, task: Any, shared: dict[str, Any], parts: list[list[int]], bar: Silent) -> None:
    """Submit the parts, look at their checkpoints meanwhile, and begin those again whose worker died."""
    from ray import exceptions

    died = (exceptions.WorkerCrashedError, exceptions.NodeDiedError, exceptions.OutOfMemoryError)
    waiting = {task.remote(**shared, indices=part): (part, 0) for part in parts}
    watch = _Watch(Run(place))
    try:
        while waiting:
            finished, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=_LOOK)
            bar.add(watch.new())
            for reference in finished:
                part, times = waiting.pop(reference)
                try:
                    ray.get(reference)
                except died as error:
                    if times == _BEGUN_AGAIN:
                        raise RuntimeError(
                            f"{place}: the workers of block {part[0]} died {times + 1} times "
                            f"({type(error).__name__}); what is done is kept"
                        ) from None
                    print(f"a worker died; block {part[0]} goes on from its last checkpoint", file=sys.stderr)
                    waiting[task.remote(**shared, indices=part)] = (part, times + 1)
                except exceptions.RayTaskError as error:
                    raise error.cause from None
    except BaseException:
        _cancelled(ray, list(waiting))
        raise
    bar.add(watch.new())


def _cancelled(ray: Any, tasks: list[Any]) -> None:
    """End tasks: first as Ctrl-C would, between two chunks; those that do not come to one, for good."""
    for reference in tasks:
        ray.cancel(reference, force=False)
    _, deaf = ray.wait(tasks, num_returns=len(tasks), timeout=_PATIENCE) if tasks else ([], [])
    for reference in deaf:
        ray.cancel(reference, force=True)


class _Watch:
    """Seed-steps that lie on disk, as they become more."""

    def __init__(self, run: Run) -> None:
        self.run, self.seen = run, 0
        self.seen = self._now()

    def _now(self) -> int:
        done = 0
        for block, found in zip(self.run.info["blocks"], self.run.progress, strict=True):
            lanes = len(block["conditions"]) * (block["seeds"][1] - block["seeds"][0])
            done += lanes * max(0, found["records"] - 1) * self.run.info["every"]
        return done

    def new(self) -> int:
        before, self.seen = self.seen, self._now()
        return self.seen - before


# -- on the workers -------------------------------------------------------------------------------------------------


@contextmanager
def _permit(place: Place, session: str) -> Iterator[bool]:
    """Whether no other session has taken the run over; while this is entered, none does."""
    with place.committing():
        yield read_info(place).get("session") == session


def _opened(url: str, system: Any, indices: Sequence[int]) -> tuple[Store, dict[str, Any], list[Cell], list[Block]]:
    from .driver import blocks_of, cells_of

    place = Place(url)
    info = read_info(place)
    return Store(place), info, cells_of(place, info, system), [blocks_of(info)[i] for i in indices]


def _computed(url: str, session: str, system: Any, chunk: int | None, indices: Sequence[int]) -> None:
    """A task of a pure system: the blocks, one after the other."""
    from .setup import persistent_compilation_cache

    persistent_compilation_cache()
    store, info, cells, blocks = _opened(url, system, indices)
    for block in blocks:
        pure.compute(
            store, info, cells, block, Silent(), chunk, threading.Event(), partial(_permit, store.place, session)
        )


def _hosted(
    url: str, session: str, system: Any, chunk: int | None, indices: Sequence[int], retries: int, lm: Any
) -> None:
    """A task of a host system: its seeds side by side in one loop."""
    store, info, cells, blocks = _opened(url, system, indices)
    if lm is not None:
        proxy, asker = lm
        lm = proxy.asking(_Ask(asker))
    host.carry_out(store, info, cells, blocks, Silent(), None, retries, lm, partial(_permit, store.place, session))


# -- the model, which one process of the cluster asks ---------------------------------------------------------------


class _Ask:
    """Hands a question to the process that holds the model."""

    def __init__(self, asker: Any) -> None:
        self.asker = asker

    def __call__(self, verb: str, *arguments: Any) -> Any:
        import ray
        from ray.exceptions import RayTaskError

        try:
            return ray.get(self.asker.ask.remote(verb, *arguments))
        except RayTaskError as error:
            raise error.cause from None


class _Holder:
    """Holds the model: however many tasks ask, no more questions are with it at once than it allows."""

    def __init__(self, lm: Any) -> None:
        self.lm = lm

    def ask(self, verb: str, *arguments: Any) -> Any:
        return getattr(self.lm, verb)(*arguments)


def _asker(ray: Any, lm: Any) -> Any:
    # No core is reserved for it: a model that fills a machine would wait for ever on a cluster of one core.
    holder = ray.remote(num_cpus=0, max_concurrency=max(1, lm.batches))(_Holder)
    try:
        return holder.remote(lm)
    except TypeError as error:
        raise UserError(
            f"the model {lm.name} cannot be sent to another process ({str(error).splitlines()[0]}); "
            "open it by a word, as --lm does"
        ) from None
