"""A person at the terminal in the place of a model."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from io import TextIOBase

from .base import LM, Completion, ModelError, Request
from .scripted import as_text

__all__ = ["Human"]


class Human(LM):
    """Shows every prompt and reads one line for an answer. What cannot be read as a decision is sent back as usual.

    Args:
        source, sink: where answers come from and prompts go to; None: the terminal.
    """

    name = "human"

    def __init__(self, source: TextIOBase | None = None, sink: TextIOBase | None = None) -> None:
        self._source, self._sink = source, sink
        self._lock = threading.Lock()

    def complete(self, requests: Sequence[Request]) -> list[Completion]:
        """One line a request.

        Raises:
            ModelError: there is nobody any more (the input has ended).
        """
        source, sink = self._source or sys.stdin, self._sink or sys.stderr
        out = []
        with self._lock:
            for request in requests:
                a = request.address
                print(f"\n[{a.condition} · seed {a.seed} · step {a.time} · {a.agent}]", file=sink)
                print(as_text(request), end="\n> ", file=sink, flush=True)
                line = source.readline()
                if not line:
                    raise ModelError("the input has ended and nobody answers; resume the run at a terminal")
                out.append(Completion(line.rstrip("\n")))
        return out
