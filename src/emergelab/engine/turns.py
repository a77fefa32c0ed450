"""Who may compute beside whom.

A call of LAPACK or FFT waits, in a thread of XLA's pool, for work that it gives to the same pool (jaxlib 0.10). On a
small pool two programs can then wait for each other for ever: both inside such a call, or one inside it and the other
holding the threads that it needs. So a program with such a call computes alone, and all others side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Turns"]


class Turns:
    """A lock that many may hold together, or one alone. Who wants to be alone is let in before newcomers."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._together = 0
        self._alone = False
        self._waiting = 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Beside others that are together."""
        with self._change:
            self._change.wait_for(lambda: not (self._alone or self._waiting))
            self._together += 1
        try:
            yield
        finally:
            with self._change:
                self._together -= 1
                self._change.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """With nobody beside."""
        with self._change:
            self._waiting += 1
            try:
                self._change.wait_for(lambda: not (self._alone or self._together))
            finally:
                self._waiting -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._change:
                self._alone = False
                self._change.notify_all()
