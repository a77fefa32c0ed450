"""Any GGUF file, served inside this process by llama.cpp (the package `xllamacpp`).

    with Served("qwen2.5-3b-instruct-q4_k_m.gguf") as model:
        model.complete([Request("Once upon a time", temperature=0)])

`Embedded` computes models of the Llama family in JAX and opens them to interventions. This one reads every model and
every quantisation that llama.cpp reads, and decodes under a JSON schema; its inside stays closed.

Answers are asked for by calls, not by HTTP. The package opens a port on 127.0.0.1 all the same, where two things are
looked up that it offers nowhere else, the tokens of a text and the chat template; it asks for a key that is drawn anew
each time. An answer depends on its request alone: with SmolLM2 (Q4_1) 32 sampled answers of 40 tokens, and the
log-probabilities of all their tokens, were the same bit for bit from 1, 4 and 8 slots, with and without the cache of
prompts, and from one thread and two.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import secrets
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from .. import assets
from ..errors import UserError, need
from .base import LM, Completion, ModelError, ModelFailure, Request

__all__ = ["Served"]

_HALVES = re.compile("[\ud800-\udfff]")
# The model's own distribution, sharpened by the temperature and then cut by top_p, and nothing else.
_SAMPLING: dict[str, Any] = {
    "samplers": ["temperature", "top_p"],
    "top_k": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_penalty": 1.0,
}
_TOPS = (64, 2048, 1 << 30)  # likeliest tokens that are looked through, until all that are wanted are among them
_PATIENCE = 60.0  # seconds for a look-up of tokens


class Served(LM):
    """A GGUF file, served inside this process.

    Args:
        path: the file, or the name of a language model that `emergelab get` has fetched.
        slots: requests computed at once.
        context: tokens that a prompt and its answer may have together, in each slot.
        threads: threads that compute. llama.cpp's wait for each other by spinning, so more of them than cores that are
            free make it slower by far.

    Raises:
        UserError: no such file, or `xllamacpp` is missing.
        ModelError: llama.cpp cannot read the file.
    """

    def __init__(self, path: str | Path, *, slots: int = 4, context: int = 2048, threads: int = 1) -> None:
        for name, value in (("slots", slots), ("context", context), ("threads", threads)):
            if value < 1:
                raise UserError(f"served: {name} must be 1 or more, got {value}")
        file = _file(str(path))
        self.name = str(path) if str(path) in assets.ASSETS else file.stem
        library = need("xllamacpp", "lm-served", "models served from a GGUF file")
        with file.open("rb") as opened:
            if opened.read(4) != b"GGUF":
                raise ModelError(f"{file}: is no GGUF file")
            opened.seek(0)
            self.revision = hashlib.file_digest(opened, "sha256").hexdigest()[:16]
        self._engine = f"xllamacpp {library.__version__}"
        self._key, self._cut = secrets.token_hex(16), dict[str, list[int]]()
        try:
            server = library.Server(_parameters(library, file, slots, context, threads, self._key))
        except RuntimeError:
            raise ModelError(f"{file}: {self._engine} cannot load it; is it whole, and does it fit?") from None
        self._port = int(server.listening_address.rpartition(":")[2])
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="served")
        self._held = [server]
        self._end = weakref.finalize(self, _shut, self._held, self._pool)
        # a server that is closed before its loop has begun never ends
        self._ask("handle_completions", {"prompt": "a", "max_tokens": 1})

    @property
    def scores(self) -> bool:
        return True

    def about(self) -> dict[str, Any]:
        """Name, checksum and the version of llama.cpp's package, on which the last digits depend."""
        return super().about() | {"engine": self._engine}

    def close(self) -> None:
        """Stop the server and give its memory back; waits for requests under way. Also done at the end of a program."""
        self._end()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- the verbs --------------------------------------------------------------------------------------------------

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion a request, in order; under the request's schema if it has one.

        `logprob` sums over the tokens of the answer, without the token that ends it.
        """
        return list(self._each(self._complete, requests))

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        """Log-probabilities (nats) of continuations of each request's prompt, summed over their tokens, in order.

        As in `Embedded`, a prompt and its continuation are cut into tokens apart. Continuations of one token cost a
        single pass for each request; longer ones one for each different beginning.
        """
        if len(requests) != len(continuations):
            raise ModelError(f"score: {len(requests)} requests, but {len(continuations)} lists of continuations")
        return list(self._each(self._score, requests, continuations))

    def _each(self, work: Any, *columns: Sequence[Any]) -> Any:
        self._server()
        return self._pool.map(work, *columns)

    def _complete(self, request: Request) -> Completion:
        body = _SAMPLING | {
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.address.entropy()[0] & 0x7FFFFFFF,
            "stop": [_clean(s) for s in request.stop],
        }
        schema = None if request.schema is None else dict(request.schema)
        if isinstance(request.prompt, str):
            body |= {"prompt": _clean(request.prompt), "logprobs": 1} | (
                {} if schema is None else {"json_schema": schema}
            )
            if not body["prompt"]:  # which llama.cpp answers by nothing
                raise self._empty
            choice, usage = self._ask("handle_completions", body)
            text = choice["text"]
        else:
            body |= {"messages": _messages(request), "logprobs": True, "top_logprobs": 1}
            if schema is not None:
                body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
            choice, usage = self._ask("handle_chat_completions", body)
            text = choice["message"].get("content") or ""
        ended = "length" if choice["finish_reason"] == "length" else "stop"
        tokens = list((choice.get("logprobs") or {}).get("content") or [])
        if ended == "stop" and tokens and not tokens[-1]["bytes"]:
            tokens.pop()  # the token that ends an answer has no text
        logprob = float(sum(t["logprob"] for t in tokens))
        return Completion(text, usage["prompt_tokens"], usage["completion_tokens"], logprob, ended)

    def _score(self, request: Request, continuations: Sequence[str]) -> Float[np.ndarray, "option"]:
        told = [self._option(str(c)) for c in continuations]
        if not all(told):
            raise ModelError(f"{self.name}: score: a continuation is empty")
        # what comes next is looked up once for each beginning that continuations share
        after: dict[tuple[int, ...], set[int]] = {}
        for ids in told:
            for k, token in enumerate(ids):
                after.setdefault(tuple(ids[:k]), set()).add(token)
        prompt = self._prompt(request)
        known = {begun: self._next([*prompt, *begun], tokens) for begun, tokens in after.items()}
        return np.array([sum(known[tuple(ids[:k])][token] for k, token in enumerate(ids)) for ids in told])

    def _next(self, ids: list[int], wanted: set[int]) -> dict[int, float]:
        """Log-probability of each wanted token as the next one."""
        for most in _TOPS:
            body = _SAMPLING | {"prompt": ids, "max_tokens": 1, "temperature": 0.0, "logprobs": most}
            choice, _ = self._ask("handle_completions", body)
            found = {e["id"]: float(e["logprob"]) for e in choice["logprobs"]["content"][0]["top_logprobs"]}
            if wanted <= found.keys():
                return {token: found[token] for token in wanted}
        raise ModelError(f"{self.name}: tokens {sorted(wanted - found.keys())} are not in the vocabulary")

    # -- text and tokens --------------------------------------------------------------------------------------------

    def _prompt(self, request: Request) -> list[int]:
        text = request.prompt
        if not isinstance(text, str):
            text = self._look_up("/apply-template", {"messages": _messages(request)})["prompt"]
        ids = self._tokens(text, begin=True)
        if not ids:
            raise self._empty
        return ids

    def _option(self, text: str) -> list[int]:
        # the same few options come again and again
        if text not in self._cut:
            self._cut[text] = self._tokens(text, begin=False)
        return self._cut[text]

    def _tokens(self, text: str, *, begin: bool) -> list[int]:
        return list(self._look_up("/tokenize", {"content": _clean(text), "add_special": begin})["tokens"])

    def _look_up(self, path: str, body: Mapping[str, Any]) -> Any:
        self._server()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)
        try:
            headers = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
            connection.request("POST", path, json.dumps(body), headers)
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ModelFailure(f"{self.name}: {type(error).__name__} while looking up {path[1:]}") from None
        finally:
            connection.close()
        self._complain(answer)
        return answer

    # -- the server -------------------------------------------------------------------------------------------------

    def _server(self) -> Any:
        if not self._held:
            raise ModelError(f"{self.name}: is closed; open it again")
        return self._held[0]

    def _ask(self, handle: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        parts: list[str] = []
        getattr(self._server(), handle)(json.dumps(body), parts.append)
        answer = json.loads(parts[0])
        self._complain(answer)
        return answer["choices"][0], answer["usage"]

    def _complain(self, answer: Any) -> None:
        error = answer.get("error")
        if error is None:
            return
        said = " ".join(str(error.get("message", error)).split())[:200]
        # what is wrong with the request stays wrong; what befell the server may pass
        raise (ModelError if error.get("code") in range(400, 500) else ModelFailure)(f"{self.name}: {said}")

    @property
    def _empty(self) -> ModelError:
        return ModelError(f"{self.name}: an empty prompt cannot be continued")


def _file(path: str) -> Path:
    if path in assets.ASSETS:
        if assets.ASSETS[path].kind != "language model":
            raise UserError(f"served: {path} is no language model but a {assets.ASSETS[path].kind}")
        return assets.find(path)
    if not Path(path).is_file():
        raise UserError(f"served: no file {path!r}; name a GGUF file")
    return Path(path)


def _parameters(library: Any, file: Path, slots: int, context: int, threads: int, key: str) -> Any:
    p = library.CommonParams()
    p.model.path = str(file)
    p.hostnames, p.api_keys, p.n_threads_http = ["127.0.0.1"], [key], 1
    p.ui = p.endpoint_slots = p.warmup = False
    p.verbosity = -1
    p.n_parallel, p.n_ctx, p.fit_params = slots, slots * context, False
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = threads
    # prompts are kept in the slots only, not in gigabytes beside them
    p.cache_ram_mib, p.cache_idle_slots = 0, False
    # a last turn of the assistant is a turn, not the beginning of the answer
    p.prefill_assistant = False
    return p


def _shut(held: list[Any], pool: ThreadPoolExecutor) -> None:
    pool.shutdown(wait=True)
    held.clear()


def _messages(request: Request) -> list[dict[str, str]]:
    return [{"role": t.role, "content": _clean(t.text)} for t in request.prompt if not isinstance(t, str)]


def _clean(text: str) -> str:
    """Without lone halves of surrogate pairs, which are no text to JSON."""
    return _HALVES.sub("\ufffd", text)
