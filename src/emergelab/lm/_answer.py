"""The answer to one request, while it is being written."""

from __future__ import annotations

import numpy as np

from ._tokenizer import Tokenizer
from .base import Completion, Request

__all__ = ["Answer"]


class Answer:
    """What was said so far in answer to one request."""

    def __init__(self, tokenizer: Tokenizer, request: Request) -> None:
        self.tokenizer, self.request = tokenizer, request
        self.ids: list[int] = []
        self.told: list[float] = []
        self.text, self.ended = "", ""

    def add(self, token: int, logp: float) -> None:
        """A further token; after the end it is ignored."""
        if self.ended:
            return
        if token in self.tokenizer.ends:
            self.ended = "stop"
        else:
            self.ids.append(token)
            self.told.append(logp)
            if len(self.ids) == self.request.max_tokens:
                self.ended = "length"
        self.text = self.tokenizer.decode(self.ids)
        at = min((i for stop in self.request.stop if stop and (i := self.text.find(stop)) >= 0), default=-1)
        if at >= 0:
            self.text, self.ended = self.text[:at], "stop"
            # The tokens that the text before the stop needs.
            keep = next(
                (k for k in range(len(self.ids)) if len(self.tokenizer.decode(self.ids[:k])) >= at), len(self.ids)
            )
            self.ids, self.told = self.ids[:keep], self.told[:keep]

    def completion(self, tokens_in: int) -> Completion:
        """The answer."""
        return Completion(self.text, tokens_in, len(self.ids), float(np.sum(self.told)), self.ended)
