"""Models of any provider, through the provider layer of Inspect (the package `inspect-ai`).

    model = Inspect("openai/gpt-4o-mini", letters=True)

Inspect knows the addresses, the forms and the keys of some thirty providers; their own packages (`openai`, `anthropic`,
...) are installed apart. Keys are read by it from the environment; they are never stored here, and taken out of what a
provider says when it fails. A provider answers turns only, so a bare text is sent as the turn of a user.

Providers that take a seed are given one for each address; the others answer as they like. So the record of a run, and
`Cached`, are what makes such a run repeatable. Inspect's own cache, if it is switched on, keeps the samples of
different agents and steps apart.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import threading
import weakref
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from ..errors import UserError, need
from .base import LM, Completion, ModelError, ModelFailure, Request
from .endpoint import by_first_token

__all__ = ["Inspect"]

T = TypeVar("T")

_TOP = 20  # alternatives that providers give at most
_SECRET = re.compile(r"key|token|secret|password", re.IGNORECASE)
_MARKUP = re.compile(r"\[/?[a-z ]+\]")
_LASTING = frozenset(range(400, 500)) - {408, 409, 425, 429}


class Inspect(LM):
    """A model of a provider that Inspect knows.

    Args:
        model: "provider/model", as Inspect has it: "openai/gpt-4o-mini", "anthropic/claude-...", "ollama/llama3.2".
        concurrency: requests under way at once.
        timeout: seconds for one attempt, rounded up.
        tries: attempts a request, with the pauses that Inspect makes and the provider asks for.
        letters: whether choices may be scored by the alternatives that the provider reports for the first token. Labels
            that are not among these get the log-probability of the least likely one that is, an upper bound.
        cache: keep answers in Inspect's cache, each sample under its own address, for ever.
        base_url: another address of the provider.
        arguments: further arguments of the provider (`inspect_ai.model.get_model`); no keys, they go into the
            environment.

    Raises:
        UserError: Inspect or the provider's package is missing, or there is no such provider.
    """

    def __init__(
        self,
        model: str,
        *,
        concurrency: int = 8,
        timeout: float = 300.0,
        tries: int = 4,
        letters: bool = False,
        cache: bool = False,
        base_url: str | None = None,
        **arguments: Any,
    ) -> None:
        if concurrency < 1 or tries < 1 or timeout <= 0:
            raise UserError("inspect: concurrency and tries must be 1 or more, timeout above 0")
        if any(_SECRET.search(name) for name in arguments):
            raise UserError("inspect: keys are read from the environment; set the provider's variable instead")
        self._made_by = partial(
            Inspect, model, concurrency=concurrency, timeout=timeout, tries=tries, letters=letters, cache=cache,
            base_url=base_url, **arguments,
        )  # fmt: skip
        self._library = need("inspect_ai.model", "lm-api", "models of a provider")
        self.name, self.batches = model, concurrency
        self._timeout, self._tries, self._letters, self._cache = timeout, tries, letters, cache
        try:
            self._model = self._library.get_model(model, base_url=base_url, memoize=False, **arguments)
        except Exception as error:  # each provider has its own; all are about what is missing here
            raise UserError(f"inspect: {model}: {_said(error)}") from None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="inspect", daemon=True)
        self._thread.start()
        self._gate = asyncio.Semaphore(concurrency)
        self._end = weakref.finalize(self, _stop, self._loop, self._thread)

    @property
    def scores(self) -> bool:
        return self._letters

    def close(self) -> None:
        """End the thread that waits for the provider. Also done at the end of a program."""
        self._end()

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        return self._all([partial(self._complete, r) for r in requests])

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        if not self._letters:
            return super().score(requests, continuations)
        pairs = zip(requests, continuations, strict=True)
        return self._all([partial(self._first_token, r, c) for r, c in pairs])

    async def _complete(self, request: Request) -> Completion:
        more: dict[str, Any] = {"temperature": request.temperature, "max_tokens": request.max_tokens}
        if request.top_p < 1:
            more["top_p"] = request.top_p
        if request.stop:
            more["stop_seqs"] = list(request.stop)
        # Inspect's schemas hold no references; what is read is checked anyway
        if request.schema is not None and "$ref" not in str(request.schema):
            more["response_schema"] = self._library.ResponseSchema(name="answer", json_schema=dict(request.schema))
        output = await self._generate(request, more)
        usage = output.usage
        choice = output.choices[0]
        held = choice.logprobs.content if choice.logprobs is not None else []
        return Completion(
            output.completion,
            usage.input_tokens if usage is not None else 0,
            usage.output_tokens if usage is not None else 0,
            float(sum(t.logprob for t in held)) if held else float("nan"),
            "length" if choice.stop_reason in ("max_tokens", "model_length") else "stop",
        )

    async def _first_token(self, request: Request, continuations: Sequence[str]) -> Float[np.ndarray, "option"]:
        more = {"temperature": 1.0, "max_tokens": 1, "logprobs": True, "top_logprobs": _TOP}
        held = (await self._generate(request, more)).choices[0].logprobs
        top = (held.content[0].top_logprobs or []) if held is not None and held.content else []
        return by_first_token(self.name, {t.token: t.logprob for t in top}, continuations)

    async def _generate(self, request: Request, more: dict[str, Any]) -> Any:
        m, a = self._library, request.address
        cache: Any = False
        if self._cache:
            place = {"seed": str(a.seed), "time": str(a.time), "agent": a.agent, "draw": str(a.draw)}
            cache = m.CachePolicy(expiry=None, scopes=place)
        config = m.GenerateConfig(
            seed=a.entropy()[0] & 0x7FFFFFFF,
            max_retries=self._tries - 1,
            max_connections=self.batches,
            attempt_timeout=math.ceil(self._timeout),
            cache=cache,
            **more,
        )
        kinds = {"system": m.ChatMessageSystem, "user": m.ChatMessageUser, "assistant": m.ChatMessageAssistant}
        turns = [("user", request.prompt)] if isinstance(request.prompt, str) else [
            (t.role, t.text) for t in request.prompt
        ]  # fmt: skip
        try:
            output = await self._model.generate([kinds[role](content=text) for role, text in turns], config=config)
        except Exception as error:
            # when tries are used up, what went wrong the last time is inside
            if (last := getattr(error, "last_attempt", None)) is not None:
                error = last.exception() or error
            kind = ModelError if self._lasts(error) else ModelFailure
            raise kind(f"{self.name}: {type(error).__name__}: {_said(error)}") from None
        if output.empty:
            raise ModelFailure(f"{self.name}: the answer holds no text{': ' * bool(output.error)}{output.error or ''}")
        return output

    def _lasts(self, error: Exception) -> bool:
        """Whether asking again cannot help: a wrong key, no such model, a request that is not understood."""
        status = getattr(error, "status_code", None)
        return self._model.api.is_auth_failure(error) or status in _LASTING

    def _all(self, work: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        if not self._end.alive:
            raise ModelError(f"{self.name}: is closed; open it again")

        async def one(each: Callable[[], Awaitable[T]]) -> T:
            async with self._gate:
                return await each()

        async def every() -> list[T]:
            return list(await asyncio.gather(*map(one, work)))

        return asyncio.run_coroutine_threadsafe(every(), self._loop).result()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def _said(error: BaseException) -> str:
    """What an error says, in one short line, without any key that stands in the environment."""
    text = " ".join(_MARKUP.sub("", str(getattr(error, "message", error))).split()).removeprefix("ERROR: ")
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= 8:
            text = text.replace(value, "[key]")
    return text[:300]
