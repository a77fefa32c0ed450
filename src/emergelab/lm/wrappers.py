"""Around a model: a cache, a budget, repeated tries and a limit on how many ask at once. Each is a model itself."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from ..errors import UserError
from .base import LM, Completion, ModelError, ModelFailure, Request

__all__ = ["Budget", "BudgetExceeded", "Cached", "Limited", "Retried"]

T = TypeVar("T")


class BudgetExceeded(ModelError):
    """The next call would go beyond the budget. Nothing was asked; what was recorded before is kept."""


class _Around(LM):
    """A model that hands everything on."""

    def __init__(self, lm: LM) -> None:
        self.lm = lm
        self.name, self.revision = lm.name, lm.revision
        self.batches, self.merges = lm.batches, lm.merges

    @property
    def scores(self) -> bool:
        return self.lm.scores

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        return self.lm.complete(requests)

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        return self.lm.score(requests, continuations)

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        return self.lm.embed(texts)

    def about(self) -> dict[str, Any]:
        return self.lm.about()


class Cached(_Around):
    """Answers kept on disk (SQLite, JSON), so that nothing is asked twice.

    What is drawn at random is kept by its address: two agents with the same prompt get two answers, and the same run
    made again gets the same ones. Greedy answers and log-probabilities are kept by what was asked alone.

    Args:
        lm: the model.
        path: file of the cache; made if it is not there.
    """

    def __init__(self, lm: LM, path: str | Path) -> None:
        super().__init__(lm)
        self._made_by = partial(Cached, lm, path=path)
        self.hits = self.misses = 0
        self._lock = threading.Lock()
        self._path = path
        with self._usable():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, check_same_thread=False)
            self._base.execute("create table if not exists answers (key text primary key, answer text not null)")

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Around the file. What is wrong with it stops the run, which can be resumed; no agent fails because of it."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise UserError(f"{self._path}: the cache of answers cannot be used ({error}); mend that, or name another "
                            "file") from None  # fmt: skip
        except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(f"{self._path} is not a cache of answers ({error}); name another file") from None
        except OSError as error:
            raise UserError(f"{self._path}: the cache of answers cannot be used ({error.strerror})") from None

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        keys = [self._key("complete", r, None) for r in requests]

        def ask(missing: list[int]) -> list[Any]:
            return [
                {k: None if v != v else v for k, v in asdict(a).items()}
                for a in self.lm.complete([requests[i] for i in missing])
            ]

        found = self._through(keys, ask)
        with self._usable():
            return [Completion(**(a | ({"logprob": float("nan")} if a["logprob"] is None else {}))) for a in found]

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        keys = [self._key("score", r, list(c)) for r, c in zip(requests, continuations, strict=True)]

        def ask(missing: list[int]) -> list[Any]:
            found = self.lm.score([requests[i] for i in missing], [continuations[i] for i in missing])
            return [[float(v) for v in row] for row in found]

        return [np.asarray(a, dtype=float) for a in self._through(keys, ask)]

    def _key(self, verb: str, request: Request, continuations: list[str] | None) -> str:
        asked = request.content()
        if verb == "score":
            asked = {"prompt": asked["prompt"], "continuations": continuations}
        elif request.temperature > 0:
            asked["entropy"] = list(request.address.entropy())
        text = json.dumps([self.lm.name, self.lm.revision, verb, asked], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _through(self, keys: list[str], ask: Callable[[list[int]], list[Any]]) -> list[Any]:
        with self._usable(), self._lock, closing(self._base.cursor()) as cursor:
            known: dict[str, Any] = {}
            for key in set(keys):
                row = cursor.execute("select answer from answers where key = ?", (key,)).fetchone()
                if row is not None:
                    known[key] = json.loads(row[0])
        first = {key: i for i, key in reversed(list(enumerate(keys))) if key not in known}
        missing = sorted(first.values())
        self.hits += len(keys) - len(missing)
        self.misses += len(missing)
        if missing:
            for i, answer in zip(missing, ask(missing), strict=True):
                known[keys[i]] = answer
            with self._usable(), self._lock, self._base:
                self._base.executemany(
                    "insert or replace into answers values (?, ?)",
                    [(keys[i], json.dumps(known[keys[i]])) for i in missing],
                )
        return [known[key] for key in keys]


class Budget(_Around):
    """Refuses a call that would go beyond what was granted, before it is made.

    Args:
        lm: the model.
        calls: requests in all.
        tokens: tokens read and written in all, as the backend counts them. A batch is refused if the most that it may
            write would not fit any more.
    """

    def __init__(self, lm: LM, *, calls: int | None = None, tokens: int | None = None) -> None:
        super().__init__(lm)
        for name, value in (("calls", calls), ("tokens", tokens)):
            if value is not None and value < 1:
                raise UserError(f"budget: {name} must be 1 or more, got {value}")
        self._made_by = partial(Budget, lm, calls=calls, tokens=tokens)
        self.most_calls, self.most_tokens = calls, tokens
        self.calls = self.tokens = 0
        self._lock = threading.Lock()

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        self._take(len(requests), sum(r.max_tokens for r in requests))
        answers = self.lm.complete(requests)
        with self._lock:
            self.tokens += sum(a.tokens_in + a.tokens_out for a in answers)
        return answers

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        self._take(len(requests), 0)
        return self.lm.score(requests, continuations)

    def _take(self, calls: int, tokens: int) -> None:
        with self._lock:
            if self.most_calls is not None and self.calls + calls > self.most_calls:
                raise BudgetExceeded(
                    f"budget: {self.calls} of {self.most_calls} calls are used and {calls} more are asked for; "
                    "grant more and resume"
                )
            if self.most_tokens is not None and self.tokens + tokens > self.most_tokens:
                raise BudgetExceeded(
                    f"budget: {self.tokens:,} of {self.most_tokens:,} tokens are used and up to {tokens:,} more are "
                    "asked for; grant more and resume"
                )
            self.calls += calls


class Limited(_Around):
    """Hands on no more than so many requests at once, whoever asks: a larger batch goes in parts, one after the other.

    Args:
        lm: the model.
        requests: requests that may be with the model at once.
    """

    def __init__(self, lm: LM, requests: int) -> None:
        super().__init__(lm)
        if requests < 1:
            raise UserError(f"limited: requests must be 1 or more, got {requests}")
        self._made_by = partial(Limited, lm, requests=requests)
        self.requests = requests
        self._gate = threading.Lock()

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        return self._parts(len(requests), lambda part: self.lm.complete(requests[part]))

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        return self._parts(len(requests), lambda part: self.lm.score(requests[part], continuations[part]))

    def _parts(self, count: int, ask: Callable[[slice], list[T]]) -> list[T]:
        out: list[T] = []
        for at in range(0, count, self.requests):
            with self._gate:
                out += ask(slice(at, at + self.requests))
        return out


class Retried(_Around):
    """Asks again after a failure that may pass, with growing pauses.

    Args:
        lm: the model.
        tries: attempts in all, at least 1.
        pause: seconds before the second attempt; doubled each time, and never shorter than the server asked for.
        longest: no pause is longer than this many seconds.
    """

    def __init__(self, lm: LM, *, tries: int = 4, pause: float = 0.5, longest: float = 60.0) -> None:
        super().__init__(lm)
        if tries < 1:
            raise UserError(f"tries must be 1 or more, got {tries}")
        self._made_by = partial(Retried, lm, tries=tries, pause=pause, longest=longest)
        self.tries, self.pause, self.longest = tries, pause, longest
        self.failures = 0

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        return self._again(lambda: self.lm.complete(requests))

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        return self._again(lambda: self.lm.score(requests, continuations))

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        return self._again(lambda: self.lm.embed(texts))

    def _again(self, attempt: Callable[[], T]) -> T:
        for k in range(self.tries):
            try:
                return attempt()
            except ModelFailure as failure:
                self.failures += 1
                if k == self.tries - 1:
                    raise
                time.sleep(min(self.longest, max(self.pause * 2**k, failure.after or 0.0)))
        raise AssertionError("unreachable")
