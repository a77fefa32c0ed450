"""The ledger of a run: every call of a model and every decision, read back, and a model that answers from it alone."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ..runs.checks import reading
from ..runs.run import Run, load
from .base import LM, Completion, ModelError, Request

__all__ = ["Call", "Ledger", "Replay"]

Key = tuple[str, int, int, str, int, str]  # condition, seed, time, agent, draw, verb


@dataclass(frozen=True)
class Call:
    """One call on record: where it was made, what was asked, what came back."""

    condition: str
    seed: int
    time: int
    agent: str
    draw: int
    verb: str
    model: str
    request: dict[str, Any]
    continuations: tuple[str, ...]
    answer: Any

    @property
    def key(self) -> Key:
        """Its place in the run."""
        return self.condition, self.seed, self.time, self.agent, self.draw, self.verb


class Ledger:
    """Calls, decisions and state digests of a run of a host system.

    Raises:
        RunError: an entry that is none.

    Attributes:
        calls: all calls in the order of the log; of a step that was tried several times, those of every attempt.
        decisions: one dict a decision: condition, seed, time and what `lm.policies.decide` wrote.
        digests: (condition, seed, time) -> digest of the state that a step led to.
    """

    def __init__(self, run: Run | str | os.PathLike[str]) -> None:
        self.run = run if isinstance(run, Run) else load(run)
        self.calls: list[Call] = []
        self.decisions: list[dict[str, Any]] = []
        self.digests: dict[tuple[str, int, int], str] = {}
        table = self.run.events
        columns = [table.column(n).to_pylist() for n in ("condition", "seed", "time", "kind", "payload")]
        for condition, seed, time, kind, text in zip(*columns, strict=True):
            with reading(self.run.place, "events", f"the {kind} of condition {condition!r}, seed {seed}, step {time}"):
                self._take(condition, seed, time, kind, text)

    def _take(self, condition: str, seed: int, time: int, kind: str, text: str) -> None:
        """One row of the log."""
        if kind == "call":
            found = json.loads(text)
            call = Call(
                condition, seed, time, found["agent"], found["draw"], found["verb"], found["model"],
                found["request"], tuple(found.get("continuations", ())), found["answer"],
            )  # fmt: skip
            _check(call)
            self.calls.append(call)
        elif kind == "decision":
            self.decisions.append({"condition": condition, "seed": seed, "time": time} | json.loads(text))
        elif kind == "state":
            self.digests[condition, seed, time] = str(json.loads(text)["digest"])

    def __len__(self) -> int:
        return len(self.calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    def tokens(self) -> tuple[int, int]:
        """Tokens read and written, as far as the backend counted them."""
        said = [c.answer for c in self.calls if c.verb == "complete"]
        return sum(a.get("tokens_in", 0) for a in said), sum(a.get("tokens_out", 0) for a in said)


class Replay(LM):
    """Answers from a ledger, and from nothing else.

    Args:
        source: a run, its path, or a `Ledger`.
        condition: answer as this condition of the ledger did; None: as the condition that asks.

    A request that is not on record, or that differs from the one on record, raises `ModelError`: a replay never makes
    anything up.
    """

    merges = False  # what is on record at an address is answered there

    def __init__(self, source: Ledger | Run | str | os.PathLike[str], condition: str | None = None) -> None:
        self.ledger = source if isinstance(source, Ledger) else Ledger(source)
        self.condition = condition
        # of a step that was tried again the last attempt counts: its state is the one that was kept
        self._calls = {call.key: call for call in self.ledger.calls}
        models = sorted({c.model for c in self.ledger.calls})
        self.name, self.revision = f"replay of {', '.join(models) or 'no model'}", str(self.ledger.run.path)
        self._scores = any(c.verb == "score" for c in self.ledger.calls)

    @property
    def scores(self) -> bool:
        return self._scores

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        out = []
        for request in requests:
            said = dict(self._find(request, "complete").answer)
            if said.get("logprob") is None:
                said["logprob"] = float("nan")
            out.append(Completion(**said))
        return out

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        out = []
        for request, own in zip(requests, continuations, strict=True):
            call = self._find(request, "score")
            if list(call.continuations) != list(own):
                raise ModelError(f"{_place(request)}: other continuations are on record than {list(own)[:3]}")
            out.append(np.asarray(call.answer, dtype=float))
        return out

    def _find(self, request: Request, verb: str) -> Call:
        a = request.address
        condition = a.condition if self.condition is None else self.condition
        call = self._calls.get((condition, a.seed, a.time, a.agent, a.draw, verb))
        if call is None:
            raise ModelError(
                f"{_place(request)}: no such call ({verb}) on record in {self.ledger.run.path}; "
                "a replay answers only what was asked then"
            )
        wanted = json.loads(json.dumps(request.content()))
        if call.request != wanted:
            differ = sorted(k for k in wanted.keys() | call.request.keys() if wanted.get(k) != call.request.get(k))
            raise ModelError(
                f"{_place(request)}: the request differs from the one on record in {', '.join(differ)}; "
                "the system or its prompts have changed since"
            )
        return call


def _check(call: Call) -> None:
    """That a call on record has an answer of its kind, so that whoever reads it later may rely on that.

    Raises:
        ValueError: it has none.
    """
    said = call.answer
    if not isinstance(call.agent, str) or type(call.draw) is not int or not isinstance(call.model, str):
        raise ValueError("a call does not say who asked what")
    if not isinstance(call.request, dict) or "prompt" not in call.request:
        raise ValueError("a call holds no request")
    if call.verb == "complete":
        known = {field.name for field in dataclasses.fields(Completion)}
        if not isinstance(said, dict) or not isinstance(said.get("text"), str) or not said.keys() <= known:
            raise ValueError("the answer to a call is no completion")
        if not all(type(said.get(n, 0)) is int for n in ("tokens_in", "tokens_out")):
            raise ValueError("the answer to a call counts no tokens")
    elif call.verb != "score" or not isinstance(said, list) or len(said) != len(call.continuations):
        raise ValueError("the answer to a call is no log-probabilities")


def _place(request: Request) -> str:
    a = request.address
    return f"condition {a.condition!r}, seed {a.seed}, step {a.time}, agent {a.agent!r}, draw {a.draw}"
