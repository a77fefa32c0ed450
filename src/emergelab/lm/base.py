"""What every language model answers here: a batch of requests in, a batch of answers out.

Three verbs. `complete` continues a prompt, `score` gives the log-probability of continuations that are handed to it,
`embed` places texts in a space. Backends differ in what they can do and say so: a missing verb is one clear error,
never a guess. `choose` is built on `score` once for all backends, see `emergelab.lm.choice`.

Randomness is addressed, as everywhere: a request carries its `Address`, the answer's randomness is a function of it
and of nothing else, so an answer depends neither on the batch that it was computed in nor on what was asked before.
"""

from __future__ import annotations

import copyreg
import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from ..errors import UserError

__all__ = ["LM", "Address", "Completion", "Elsewhere", "ModelError", "ModelFailure", "Request", "Turn"]


class ModelError(UserError):
    """A model cannot do what it was asked for, whatever the number of tries: a wrong call, an answer not on record."""


class ModelFailure(Exception):
    """A model did not answer this time: a time-out, a refused connection, an answer that was cut. May be tried again.

    Attributes:
        after: seconds that the server asked to wait, or None.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True)
class Address:
    """Where in a run a request stands.

    The condition is kept for the record but makes no randomness: conditions share their random numbers, so that
    contrasts between them are paired.

    Attributes:
        seed: seed of the society.
        time: step.
        agent: who asks.
        draw: counts repeated requests of one agent within a step: the k-th sample.
        condition: name of the condition.
    """

    seed: int = 0
    time: int = 0
    agent: str = ""
    draw: int = 0
    condition: str = ""

    def entropy(self) -> tuple[int, int, int, int]:
        """Four 32-bit words, a function of seed, time, agent and draw: for `np.random.default_rng` or a JAX key."""
        text = json.dumps([self.seed, self.time, self.agent, self.draw])
        raw = hashlib.blake2b(text.encode(), digest_size=16).digest()
        a, b, c, d = (int.from_bytes(raw[i : i + 4], "little") for i in range(0, 16, 4))
        return a, b, c, d

    def rng(self) -> np.random.Generator:
        """A generator of this address."""
        return np.random.default_rng(self.entropy())


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation.

    Attributes:
        role: "system", "user" or "assistant".
        text: what was said.
    """

    role: str
    text: str

    def __post_init__(self) -> None:
        if self.role not in ("system", "user", "assistant"):
            raise ModelError(f"a turn's role is 'system', 'user' or 'assistant', got {self.role!r}")


@dataclass(frozen=True)
class Request:
    """One request to a model.

    Attributes:
        prompt: text that is continued as it is, or turns that go through the model's chat template.
        address: where it comes from; its randomness.
        max_tokens: length of the answer in tokens, at least 1.
        temperature: 0 is greedy, 1 the model's own distribution.
        top_p: share of the probability that is sampled from, in (0, 1].
        stop: texts at which the answer ends; they are not part of it.
        schema: JSON schema that the answer must satisfy, where the backend can decode under one.
    """

    prompt: str | tuple[Turn, ...]
    address: Address = field(default_factory=Address)
    max_tokens: int = 64
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.prompt, str) and not (
            isinstance(self.prompt, tuple) and self.prompt and all(isinstance(t, Turn) for t in self.prompt)
        ):
            raise ModelError("a request's prompt is a text or a tuple of one or more turns")
        if self.max_tokens < 1:
            raise ModelError(f"max_tokens must be at least 1, got {self.max_tokens}")
        if not 0 <= self.temperature < np.inf:
            raise ModelError(f"temperature must be 0 or more, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ModelError(f"top_p must be in (0, 1], got {self.top_p}")

    def content(self) -> dict[str, Any]:
        """All that decides the answer but its randomness, JSON-ready."""
        prompt = self.prompt if isinstance(self.prompt, str) else [[t.role, t.text] for t in self.prompt]
        out: dict[str, Any] = {
            "prompt": prompt,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop": list(self.stop),
        }
        return out | ({"schema": dict(self.schema)} if self.schema is not None else {})

    def at(self, **address: Any) -> Request:
        """The same request from another address."""
        return dataclasses.replace(self, address=dataclasses.replace(self.address, **address))


@dataclass(frozen=True)
class Completion:
    """What a model said.

    Attributes:
        text: the answer, without the stop text.
        tokens_in, tokens_out: tokens of the prompt and of the answer, 0 where the backend does not count.
        logprob: log-probability of the answer under the model's own distribution (nats), NaN where unknown.
        ended: "stop" (the model ended or a stop text came) or "length".
    """

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    logprob: float = float("nan")
    ended: str = "stop"


class LM:
    """A language model, or what stands in for one.

    Attributes:
        name: what people call it.
        revision: what tells two versions apart (a checksum, an endpoint's version); part of every cache key.
        spec: the word by which `emergelab.lm.open_lm` opened it, "" if it was made otherwise.
        batches: batches that may be under way at once: 1 for a model that fills the machine, more for a remote one.
        merges: whether log-probabilities are a function of prompt and continuations alone, so that equal questions of
            several agents need one computation; False where the address counts, as in a record.
    """

    name: str = "unnamed"
    revision: str = ""
    batches: int = 1
    merges: bool = True
    spec: str = ""
    _made_by: Callable[[], LM] | None = None

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion a request, in order.

        Raises:
            ModelError: the backend has no such verb, or can never answer this.
            ModelFailure: it did not answer this time.
        """
        raise ModelError(f"{self.name} does not complete text")

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        """Log-probabilities (nats) of continuations of each request's prompt, summed over their tokens, in order."""
        raise ModelError(f"{self.name} gives no log-probabilities; take one that does, or sample answers")

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        """Unit vectors of texts."""
        raise ModelError(f"{self.name} does not embed text; `emergelab get minilm` gets a model that does")

    @property
    def scores(self) -> bool:
        """Whether `score` is there."""
        return type(self).score is not LM.score

    def desk(self) -> Any:
        """The desk through which the agents of a run ask this model; see `emergelab.lm.desk`."""
        from .desk import Desk

        return Desk(self, self.batches)

    def __reduce__(self) -> Any:
        """What another process makes the model of: its word, or what it was made of; connections do not travel."""
        if self.spec:
            from .opening import open_lm

            return open_lm, (self.spec,)
        return (self._made_by, ()) if self._made_by is not None else _as_it_is(self)

    def __copy__(self) -> LM:
        """Another model with the same parts; nothing is opened again."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def elsewhere(self) -> Elsewhere:
        """This model as another process sees it, which asks it through this one."""
        return Elsewhere(self)

    def about(self) -> dict[str, Any]:
        """What a run keeps of the model: enough to tell whether another one is the same. JSON-ready, no secrets."""
        said = {"name": self.name, "revision": self.revision, "backend": type(self).__name__}
        return said | ({"spec": self.spec} if self.spec else {})


def _as_it_is(lm: LM) -> Any:
    return copyreg.__newobj__, (type(lm),), lm.__dict__  # type: ignore[attr-defined]


class Elsewhere(LM):
    """A model that another process holds.

    Args:
        like: the model, of which only the description is kept.
    """

    def __init__(self, like: LM) -> None:
        self.name, self.revision, self.spec = like.name, like.revision, like.spec
        self.batches, self.merges = like.batches, like.merges
        self._scores, self._about = like.scores, like.about()
        self._ask: Callable[..., Any] | None = None

    def __reduce__(self) -> Any:
        return _as_it_is(self)

    def asking(self, ask: Callable[..., Any]) -> Elsewhere:
        """The same, with the way to the process that holds the model: `ask(verb, *arguments)`."""
        self._ask = ask
        return self

    def _asked(self, verb: str, *arguments: Any) -> Any:
        if self._ask is None:
            raise ModelError(f"{self.name} is held by another process, and there is no way to it")
        return self._ask(verb, *arguments)

    @property
    def scores(self) -> bool:
        return self._scores

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        answers: list[Completion] = self._asked("complete", requests)
        return answers

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        answers: list[Float[np.ndarray, "option"]] = self._asked("score", requests, continuations)
        return answers

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        return np.asarray(self._asked("embed", texts))

    def about(self) -> dict[str, Any]:
        return self._about
