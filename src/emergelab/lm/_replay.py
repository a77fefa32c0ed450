"""What can be done with a run that a language model played, once it is on record.

`replay` makes the run again from its ledger, without a model, and compares every state. `reask` puts the recorded
questions to a model again and says how often it answers as before. `fork` follows the record up to a step and goes on
live from there with one thing changed: another policy, another message, another belief.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ..engine.driver import rerun
from ..engine.switch import Switch
from ..errors import UserError
from ..runs.run import Run
from ..system import HostSystem
from .base import LM, Address, Completion, Request, Turn
from .ledger import Call, Ledger, Replay

__all__ = ["Reasked", "Replayed", "fork", "reask", "replay"]


@dataclass(frozen=True)
class Replayed:
    """A run made again from its record.

    Attributes:
        run: the new run.
        states: how many states were compared.
        first: condition, seed and step of the first state that is not the one on record; None: all are the same.
    """

    run: Run
    states: int
    first: tuple[str, int, int] | None

    @property
    def same(self) -> bool:
        """Whether every state on record came out again."""
        return self.first is None


def replay(
    run: Run | str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    system: type[HostSystem] | None = None,
    progress: bool = False,
) -> Replayed:
    """Make a run again from its ledger, without any model, and compare the states step by step.

    Args:
        run: a run of a `HostSystem`.
        out: folder of the new run; None: a new one under runs/.
        system: the class of the system, where it cannot be imported by name.
        progress: show it.

    Raises:
        ModelError: the system asks something that is not on record.
        RunError: the run's system cannot be found.
    """
    ledger = Ledger(run)
    if not ledger.digests:
        raise UserError(f"{ledger.run.path}: no states on record; only runs of a HostSystem can be replayed")
    made = rerun(
        ledger.run.path,
        out=out,
        system=system,
        progress=progress,
        lm=Replay(ledger) if "lm" in ledger.run.info else None,
    )
    again = Ledger(made).digests
    wrong = [place for place, digest in sorted(ledger.digests.items(), key=_order) if again.get(place) != digest]
    return Replayed(made, len(ledger.digests), wrong[0] if wrong else None)


@dataclass(frozen=True)
class Reasked:
    """Recorded questions, asked again.

    Attributes:
        table: one row a call: condition, seed, time, agent, draw, verb, whether the answer is the `same`, and for
            log-probabilities the total variation `distance` between the two distributions over the continuations
            (0: equal, 1: nothing in common).
    """

    table: pd.DataFrame

    @property
    def agreement(self) -> float:
        """Share of answers that are the same: texts equal, or the same continuation likeliest."""
        return float(self.table["same"].mean()) if len(self.table) else float("nan")

    def explain(self) -> str:
        """The finding in words."""
        if not len(self.table):
            return "No calls on record."
        said = f"{self.agreement:.0%} of {len(self.table)} answers are the same"
        scored = self.table["distance"].dropna()
        return said + (f"; total variation {scored.mean():.3f} on average" if len(scored) else "") + "."


def reask(run: Run | str | os.PathLike[str], lm: LM, *, most: int | None = None, batch: int = 64) -> Reasked:
    """Put the recorded questions to a model again, each from the address that it came from.

    Args:
        run: a run with a ledger.
        lm: the model; the same one shows whether it is reproducible, another one how it differs.
        most: ask only this many, spread evenly over the record.
        batch: questions at once.
    """
    calls = Ledger(run).calls
    if most is not None and most < len(calls):
        calls = [calls[i] for i in np.linspace(0, len(calls) - 1, most).round().astype(int)]
    rows = []
    for at in range(0, len(calls), batch):
        part = calls[at : at + batch]
        for verb in ("complete", "score"):
            own = [c for c in part if c.verb == verb]
            if not own:
                continue
            requests = [_request(c) for c in own]
            if verb == "complete":
                answers: Sequence[Any] = [a.text for a in lm.complete(requests)]
            else:
                answers = lm.score(requests, [c.continuations for c in own])
            rows += [_compared(c, a) for c, a in zip(own, answers, strict=True)]
    columns = ["condition", "seed", "time", "agent", "draw", "verb", "same", "distance"]
    return Reasked(pd.DataFrame(rows, columns=columns))


def fork(
    run: Run | str | os.PathLike[str],
    at: int,
    *,
    lm: LM | None = None,
    parameters: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
    say: Mapping[str, str] | None = None,
    conditions: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    steps: int | None = None,
    out: str | os.PathLike[str] | None = None,
    system: type[HostSystem] | None = None,
    progress: bool = False,
) -> Run:
    """Follow a run's record up to a step, and go on live from there with something changed.

    Args:
        run: the run.
        at: the first step that is different.
        lm: the model that answers from then on; None: there is none to ask.
        parameters: parameters that change, for example `{"policy": "random"}`.
        state: values written into the state before step `at`, by place: `{"agents/3/belief": 0.2}`.
        say: agent -> text: what the agent answers to its first request in step `at`, whatever the model would say.
        conditions, seeds, steps: which, and how long; None: as the run.
        out: folder of the fork.
        system: the class of the system, where it cannot be imported by name.

    Returns:
        the fork, whose `info["parent"]` names the run that it branches off.
    """
    ledger = Ledger(run)
    recorded = Replay(ledger) if ledger.calls else None
    spliced = Spliced(recorded, lm, at, dict(say or {})) if recorded is not None or lm is not None else None
    if say and spliced is None:
        raise UserError("fork: say needs a run that asked a model, or lm")
    return rerun(
        ledger.run.path,
        out=out,
        conditions=conditions,
        seeds=seeds,
        steps=steps,
        system=system,
        progress=progress,
        lm=spliced,
        switch=Switch(at, dict(parameters or {}), dict(state or {})),
    )


class Spliced(LM):
    """A record up to a step, a live model from then on; some agents' answers at that step are given."""

    merges = False

    def __init__(self, recorded: Replay | None, live: LM | None, at: int, say: Mapping[str, str]) -> None:
        self.recorded, self.live, self.at, self.say = recorded, live, at, dict(say)
        live_name = "nobody" if live is None else live.name
        self.name = f"{recorded.name if recorded is not None else 'nobody'} until {at}, then {live_name}"
        self.revision = live.revision if live is not None else ""
        self.batches = live.batches if live is not None else 1

    @property
    def scores(self) -> bool:
        known = [lm.scores for lm in (self.recorded, self.live) if lm is not None]
        return all(known)

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        return self._split(requests, lambda lm, rows: lm.complete([requests[i] for i in rows]))

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        return self._split(
            requests, lambda lm, rows: lm.score([requests[i] for i in rows], [continuations[i] for i in rows])
        )

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        return super().embed(texts) if self.live is None else self.live.embed(texts)

    def _split(self, requests: Sequence[Request], ask: Any) -> list[Any]:
        out: list[Any] = [None] * len(requests)
        groups: dict[str, list[int]] = {"recorded": [], "live": []}
        for i, request in enumerate(requests):
            a = request.address
            if a.time == self.at and a.draw == 0 and a.agent in self.say:
                out[i] = Completion(self.say[a.agent])
            else:
                groups["recorded" if a.time < self.at else "live"].append(i)
        for name, rows in groups.items():
            if not rows:
                continue
            lm: LM | None = getattr(self, name)
            if lm is None:
                raise UserError(
                    f"fork: step {requests[rows[0]].address.time} asks a language model and there is none; give lm"
                    if name == "live"
                    else "fork: the run has no calls on record"
                )
            for i, answer in zip(rows, ask(lm, rows), strict=True):
                out[i] = answer
        return out


def _order(item: tuple[tuple[str, int, int], str]) -> tuple[int, str, int]:
    (condition, seed, time), _ = item
    return time, condition, seed


def _request(call: Call) -> Request:
    held: dict[str, Any] = dict(call.request)
    prompt = held.pop("prompt")
    held["stop"] = tuple(held["stop"])
    made = Request(
        prompt if isinstance(prompt, str) else tuple(Turn(role, text) for role, text in prompt),
        Address(call.seed, call.time, call.agent, call.draw, call.condition),
        **held,
    )
    assert json.loads(json.dumps(made.content())) == call.request
    return made


def _compared(call: Call, answer: Any) -> dict[str, Any]:
    place = {k: v for k, v in dataclasses.asdict(call).items() if k in ("condition", "seed", "time", "agent", "draw")}
    if call.verb == "complete":
        return place | {"verb": "complete", "same": call.answer["text"] == answer, "distance": float("nan")}
    old, new = (np.asarray(x, dtype=float) for x in (call.answer, answer))
    p, q = (np.exp(x - np.logaddexp.reduce(x)) for x in (old, new))
    return place | {
        "verb": "score",
        "same": bool(np.argmax(p) == np.argmax(q)),
        "distance": float(np.abs(p - q).sum() / 2),
    }
