"""Models behind an OpenAI-compatible address: a server on this machine, one's own cluster, or a provider.

Whatever an endpoint does, one of three things happens: a `Completion`, a `ModelFailure` (it did not answer this time
and may be asked again) or a `ModelError` (asking again will not help). The key is read from the environment when a
request is sent; it is never stored, and never part of a message, a log or a run.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from ..errors import UserError, need
from .base import LM, Completion, ModelError, ModelFailure, Request

__all__ = ["Endpoint"]

T = TypeVar("T")

_MOST_BYTES = 8 << 20  # an answer that is longer is not one
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_TOP = 20  # alternatives that servers give at most


class Endpoint(LM):
    """A model behind an OpenAI-compatible address.

    Args:
        url: address up to the version, for example "http://127.0.0.1:8080/v1".
        model: name of the model there.
        key: name of the environment variable that holds the key; None sends none.
        concurrency: requests under way at once.
        timeout: seconds for one answer, from sending to its last byte.
        tries: attempts a request, with growing pauses; a server's Retry-After is obeyed up to `longest` seconds.
        pause: seconds before the second attempt.
        longest: no pause is longer.
        letters: whether choices may be scored by the alternatives that the server reports for the first token. Labels
            that are not among these get the log-probability of the least likely one that is, an upper bound.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None = None,
        concurrency: int = 8,
        timeout: float = 120.0,
        tries: int = 4,
        pause: float = 0.5,
        longest: float = 60.0,
        letters: bool = False,
    ) -> None:
        if not re.match(r"https?://[^/\s]+", url):
            raise UserError(f"endpoint: {url!r} is no address; it begins with http:// or https://")
        if concurrency < 1 or tries < 1 or timeout <= 0:
            raise UserError("endpoint: concurrency and tries must be 1 or more, timeout above 0")
        if key is not None and not os.environ.get(key):
            raise UserError(f"endpoint: the environment variable {key} is not set; put the key of {url} there")
        self._made_by = partial(
            Endpoint, url, model, key=key, concurrency=concurrency, timeout=timeout, tries=tries, pause=pause,
            longest=longest, letters=letters,
        )  # fmt: skip
        self.url, self.model, self.name = url.rstrip("/"), model, model
        self.revision = _public(self.url)
        self.batches = concurrency
        self._key, self._timeout, self._letters = key, timeout, letters
        self._tries, self._pause, self._longest = tries, pause, longest
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="endpoint")
        self._http = need("httpx2", "lm", "models behind an address")
        self._client = self._http.Client(timeout=timeout, trust_env=False)
        self.failures = 0

    @property
    def scores(self) -> bool:
        return self._letters

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        return list(self._pool.map(self._complete, requests))

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        if not self._letters:
            return super().score(requests, continuations)
        return list(self._pool.map(self._first_token, requests, continuations))

    def _complete(self, request: Request) -> Completion:
        body = self._body(request, request.max_tokens) | {
            "temperature": request.temperature,
            "top_p": request.top_p,
        }
        if request.stop:
            body["stop"] = list(request.stop)
        if request.schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": dict(request.schema), "strict": True},
            }

        def read(choice: Mapping[str, Any], usage: Any) -> Completion:
            message = choice.get("message")
            text = message.get("content") if isinstance(message, Mapping) else choice.get("text")
            if text is None and isinstance(message, Mapping):
                text = message.get("refusal")
            if not isinstance(text, str):
                raise ModelFailure(f"{self.name}: the answer holds no text")
            ended = "length" if choice.get("finish_reason") == "length" else "stop"
            return Completion(text, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), ended=ended)

        return self._ask(body, read)

    def _first_token(self, request: Request, continuations: Sequence[str]) -> Float[np.ndarray, "option"]:
        body = self._body(request, 1) | {"temperature": 1.0}
        chat = "messages" in body
        body |= {"logprobs": True, "top_logprobs": _TOP} if chat else {"logprobs": _TOP}
        found = self._ask(body, lambda choice, usage: _alternatives(choice))
        return by_first_token(self.name, found, continuations)

    def _body(self, request: Request, max_tokens: int) -> dict[str, Any]:
        # one stream of random numbers for each address, where the server honours seeds
        seed = request.address.entropy()[0] & 0x7FFFFFFF
        body: dict[str, Any] = {"model": self.model, "max_tokens": max_tokens, "seed": seed}
        if isinstance(request.prompt, str):
            return body | {"prompt": request.prompt}
        return body | {"messages": [{"role": t.role, "content": t.text} for t in request.prompt]}

    def _ask(self, body: dict[str, Any], read: Callable[[Mapping[str, Any], Any], T]) -> T:
        path = "/chat/completions" if "messages" in body else "/completions"
        for k in range(self._tries):
            try:
                return read(*self._once(path, body))
            except ModelFailure as failure:
                self.failures += 1
                if k == self._tries - 1:
                    raise
                time.sleep(min(self._longest, max(self._pause * 2**k, failure.after or 0.0)))
        raise AssertionError("unreachable")

    def _once(self, path: str, body: dict[str, Any]) -> tuple[Mapping[str, Any], Any]:
        key = os.environ.get(self._key, "") if self._key is not None else ""
        headers = {} if self._key is None else {"Authorization": f"Bearer {key}"}
        until = time.monotonic() + self._timeout
        try:
            with self._client.stream("POST", self.url + path, json=body, headers=headers) as response:
                status, after = response.status_code, _seconds(response.headers.get("retry-after"))
                raw = b""
                for part in response.iter_bytes():
                    raw += part
                    if len(raw) > _MOST_BYTES:
                        raise ModelFailure(f"{self.name}: the answer is longer than {_MOST_BYTES >> 20} MB")
                    # a server that sends a byte now and then never runs into a time-out of its own
                    if time.monotonic() > until:
                        raise ModelFailure(f"{self.name}: no whole answer within {self._timeout:g} s")
        except self._http.TimeoutException:
            raise ModelFailure(f"{self.name}: no answer within {self._timeout:g} s") from None
        except self._http.HTTPError as error:
            raise ModelFailure(f"{self.name}: {type(error).__name__} at {_public(self.url)}") from None
        if status in _AGAIN:
            raise ModelFailure(f"{self.name}: the server answered {status}", after)
        if key:
            # whatever a server gives back ends up in the run's record
            raw = raw.replace(key.encode(), b"[key]")
        if status != 200:
            raise ModelError(f"{self.name}: the server answered {status}{self._reason(raw)}")
        try:
            answer = json.loads(raw)
            choice = answer["choices"][0]
            if not isinstance(choice, Mapping):
                raise TypeError
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise ModelFailure(f"{self.name}: the answer is not the JSON of a completion") from None
        return choice, answer.get("usage")

    def _reason(self, raw: bytes) -> str:
        """What the server says of an error, in one short line."""
        try:
            said = json.loads(raw)
            text = said["error"]["message"] if isinstance(said["error"], Mapping) else said["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        return ": " + " ".join(str(text).split())[:200]


def by_first_token(name: str, found: Mapping[str, float], continuations: Sequence[str]) -> Float[np.ndarray, "option"]:
    """Log-probabilities of one-token continuations from the alternatives that a server reports for the first token.

    One that is not among these gets the log-probability of the least likely one that is, an upper bound.

    Args:
        name: of the model, for messages.
        found: token -> log-probability.
        continuations: the labels; space around them and around tokens does not count.

    Raises:
        ModelError: no alternatives were reported.
        ModelFailure: none of the labels is among them.
    """
    if not found:
        raise ModelError(f"{name}: the server reports no log-probabilities; use letters=False")
    known = {token.strip(): -math.inf for token in found}
    for token, value in found.items():
        known[token.strip()] = float(np.logaddexp(known[token.strip()], value))
    if not any(c.strip() in known for c in continuations):
        raise ModelFailure(f"{name}: none of the labels is among the {len(found)} likeliest first tokens")
    least = min(known.values())
    return np.array([known.get(c.strip(), least) for c in continuations])


def _alternatives(choice: Mapping[str, Any]) -> dict[str, float]:
    """Token -> log-probability at the first place, from either of the two forms in use."""
    held = choice.get("logprobs")
    out: dict[str, float] = {}
    if not isinstance(held, Mapping):
        return out
    content, top = held.get("content"), held.get("top_logprobs")
    try:
        if isinstance(content, Sequence) and content:
            out = {str(e["token"]): float(e["logprob"]) for e in content[0]["top_logprobs"]}
        elif isinstance(top, Sequence) and top:
            out = {str(k): float(v) for k, v in top[0].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return {k: v for k, v in out.items() if math.isfinite(v)}


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and value >= 0 else 0


def _seconds(header: str | None) -> float | None:
    try:
        value = float(header) if header is not None else None
    except ValueError:
        return None
    return value if value is None or (math.isfinite(value) and value >= 0) else None


def _public(url: str) -> str:
    """An address without the user and password that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", url)
