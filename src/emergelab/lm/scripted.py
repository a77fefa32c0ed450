"""Models that are functions or tables: for tests, for wiring, and as honest baselines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from .base import LM, Completion, ModelError, Request

__all__ = ["Scripted", "as_text"]


def as_text(request: Request) -> str:
    """A request's prompt as one text: turns as "role: text" lines."""
    if isinstance(request.prompt, str):
        return request.prompt
    return "\n".join(f"{t.role}: {t.text}" for t in request.prompt)


class Scripted(LM):
    """A function or a table in the place of a model.

    Args:
        answer: (request) -> text, or a mapping from prompt to answer. Randomness comes from `request.address.rng()`.
        score: (request, continuation) -> log-probability; None: this model gives no log-probabilities.
        name: what it is called.
        revision: changes when the function does; part of cache keys.
    """

    merges = False  # a function may look at the address

    def __init__(
        self,
        answer: Callable[[Request], str] | Mapping[str, str],
        score: Callable[[Request, str], float] | None = None,
        *,
        name: str = "scripted",
        revision: str = "1",
    ) -> None:
        self.name, self.revision = name, revision
        self._answer, self._score = answer, score

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        out = []
        for request in requests:
            if isinstance(self._answer, Mapping):
                prompt = as_text(request)
                if prompt not in self._answer:
                    raise ModelError(f"{self.name}: the table has no answer to {prompt[:80]!r}")
                text = self._answer[prompt]
            else:
                text = self._answer(request)
            cuts = [at for s in request.stop if (at := text.find(s)) >= 0]
            out.append(Completion(text[: min(cuts)] if cuts else text))
        return out

    def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[Float[np.ndarray, "option"]]:
        if self._score is None:
            return super().score(requests, continuations)
        return [
            np.array([float(self._score(r, c)) for c in own]) for r, own in zip(requests, continuations, strict=True)
        ]

    @property
    def scores(self) -> bool:
        return self._score is not None

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        """Hashed bags of letter triples, 256 dims: near in spelling, not in meaning."""
        out = np.zeros((len(texts), 256))
        for row, text in zip(out, texts, strict=True):
            padded = f"  {text.casefold()} "
            for i in range(len(padded) - 2):
                row[hashlib.blake2b(padded[i : i + 3].encode(), digest_size=1).digest()[0]] += 1.0
        return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12))
