"""The desk through which all agents of a run ask one model.

Many seeds run at once in one event loop. Their requests meet here. For a model that fills the machine, what is asked
within the same turn of the loop goes to it as one batch, in a thread of its own, while the next batch gathers. For a
model elsewhere each seed asks for itself, so that a failure is the failure of one seed. Every call and its answer
become an event of the step that asked, so the run's event log is the ledger: it is written together with the state and
is all that is needed to replay the run without a model.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from .base import LM, Address, Completion, Request
from .choice import Chosen, choose

__all__ = ["Bound", "Desk"]

_GATHER = 0.002  # seconds in which the requests of one turn gather

Emit = Callable[..., None]


class Desk:
    """One model, asked by many.

    Args:
        lm: the model.
        batches: batches at the model at once. 1: requests of all seeds are gathered; more: each seed's go alone.
    """

    def __init__(self, lm: LM, batches: int = 1) -> None:
        self.lm, self._gathers = lm, batches == 1
        self._gate = asyncio.Semaphore(batches)
        self._threads = ThreadPoolExecutor(batches, thread_name_prefix="model")
        self._waiting: dict[str, list[tuple[list[tuple[Any, ...]], asyncio.Future[list[Any]]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def bind(self, condition: str, seed: int, time: int, emit: Emit) -> Bound:
        """The desk as one step of one seed sees it."""
        return Bound(self, Address(seed=seed, time=time, condition=condition), emit)

    async def ask(self, verb: str, items: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Answers to items (the arguments of the verb for one request each), in order."""
        if not items:
            return []
        if not self._gathers:
            async with self._gate:
                return await self._answers(verb, items)
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        if verb not in self._waiting:
            self._waiting[verb] = []
            task = asyncio.create_task(self._serve(verb))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._waiting[verb].append((list(items), future))
        return await future

    async def _serve(self, verb: str) -> None:
        await asyncio.sleep(_GATHER)
        async with self._gate:
            # what came while the last batch was with the model goes along
            batch = self._waiting.pop(verb)
            try:
                answers = await self._answers(verb, [item for items, _ in batch for item in items])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                return
        at = 0
        for items, future in batch:
            if not future.done():
                future.set_result(answers[at : at + len(items)])
            at += len(items)

    async def _answers(self, verb: str, items: Sequence[tuple[Any, ...]]) -> list[Any]:
        # agents in the same situation ask the same; its log-probabilities are computed once
        keys = [_question(item) if verb == "score" and self.lm.merges else i for i, item in enumerate(items)]
        first = {key: i for i, key in reversed(list(enumerate(keys)))}
        asked = sorted(first.values())
        columns = [list(c) for c in zip(*(items[i] for i in asked), strict=True)]
        work = partial(getattr(self.lm, verb), *columns)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        answers = dict(zip(asked, found, strict=True))
        return [answers[first[key]] for key in keys]


def _question(item: tuple[Any, ...]) -> Any:
    """All on which log-probabilities depend."""
    request, continuations = item
    return request.prompt, tuple(continuations)


class Bound:
    """What an agent's step holds of the desk: requests get their address, calls go into the log.

    Attributes:
        lm: the model behind the desk.
    """

    def __init__(self, desk: Desk, address: Address, emit: Emit) -> None:
        self._desk, self._address, self._emit = desk, address, emit
        self._draws: Counter[str] = Counter()
        self.lm = desk.lm

    def addressed(self, request: Request, agent: str) -> Request:
        """The request with its full address; the k-th request of an agent in this step has draw k."""
        draw = self._draws[agent]
        self._draws[agent] += 1
        return dataclasses.replace(request, address=dataclasses.replace(self._address, agent=agent, draw=draw))

    async def complete(self, requests: Sequence[Request], agents: Sequence[str]) -> list[Completion]:
        """One completion a request; `agents` says who asks."""
        placed = [self.addressed(r, a) for r, a in zip(requests, agents, strict=True)]
        answers: list[Completion] = await self._desk.ask("complete", [(r,) for r in placed])
        for request, answer in zip(placed, answers, strict=True):
            self._log("complete", request, {"answer": _plain(dataclasses.asdict(answer))})
        return answers

    async def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]], agents: Sequence[str]
    ) -> list[Float[np.ndarray, "option"]]:
        """Log-probabilities of continuations of each request."""
        placed = [self.addressed(r, a) for r, a in zip(requests, agents, strict=True)]
        own = [list(c) for c in continuations]
        answers = await self._desk.ask("score", list(zip(placed, own, strict=True)))
        for request, texts, answer in zip(placed, own, answers, strict=True):
            self._log("score", request, {"continuations": texts, "answer": [float(v) for v in answer]})
        return answers

    async def choose(
        self,
        requests: Sequence[Request],
        options: Sequence[Sequence[str]],
        agents: Sequence[str],
        *,
        labels: bool = True,
        rotations: int | None = None,
    ) -> list[Chosen]:
        """How likely each option is for each request, place and letter averaged out; see `emergelab.lm.choice`."""
        placed = [
            dataclasses.replace(r, address=dataclasses.replace(self._address, agent=a))
            for r, a in zip(requests, agents, strict=True)
        ]
        plan = _Plan()
        choose(plan, placed, options, labels=labels, rotations=rotations)
        whose = [r.address.agent for r in plan.requests]
        plan.answers = await self.score(plan.requests, plan.continuations, whose)
        return choose(plan, placed, options, labels=labels, rotations=rotations)

    async def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        """Unit vectors of texts. Not logged: a function of the text alone."""
        found = await self._desk.ask("embed", [(t,) for t in texts])
        return np.asarray(found)

    def _log(self, verb: str, request: Request, more: dict[str, Any]) -> None:
        self._emit(
            "call",
            verb=verb,
            agent=request.address.agent,
            draw=request.address.draw,
            model=self.lm.name,
            request=request.content(),
            **more,
        )


class _Plan(LM):
    """Stands in for a model twice: first it notes what `choose` would score, then it hands over what was scored."""

    name = "plan"

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.continuations: list[Sequence[str]] = []
        self.answers: list[Float[np.ndarray, "option"]] | None = None

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        if self.answers is not None:
            return self.answers
        self.requests, self.continuations = list(requests), list(continuations)
        return [np.zeros(len(c)) for c in continuations]


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Without NaN, which JSON does not know."""
    return {k: None if isinstance(v, float) and v != v else v for k, v in fields.items()}
