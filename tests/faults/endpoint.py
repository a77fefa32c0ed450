"""A model endpoint on 127.0.0.1 whose answers depend on the question alone, and which fails as it is told."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("429", "500", "malformed JSON", "truncated stream", "time-out", "hour-long hang")


class Unreliable(ThreadingHTTPServer):
    """The server.

    Args:
        how: one of `FAULTS`; None never fails.
        at: number of the first request that is not answered as it should be.
        times: how many requests in a row.
    """

    daemon_threads = True

    def __init__(self, how: str | None = None, at: int = 0, times: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.how, self.faults = how, range(at, at + times)
        self.count, self.lock, self.over = 0, threading.Lock(), threading.Event()

    def next(self) -> str | None:
        """How the next request is to fail."""
        with self.lock:
            self.count += 1
            return self.how if self.count in self.faults else None


class _Handler(BaseHTTPRequestHandler):
    server: Unreliable

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        how = self.server.next()
        with contextlib.suppress(OSError):
            if how == "hour-long hang":
                # An hour in which a byte comes now and then; ended early only when the server is.
                self._head(200, 3600 * 20)
                for _ in range(3600 * 20):
                    if self.server.over.wait(0.05):
                        return
                    self.wfile.write(b" ")
                    self.wfile.flush()
            elif how == "time-out":
                self.server.over.wait(3600)
            elif how in ("429", "500"):
                self._head(int(how), 0, {"retry-after": "3600"} if how == "429" else {})
            elif how == "malformed JSON":
                self._say(b'{"choices": [{"message": {"content": "coop')
            elif how == "truncated stream":
                raw = answer(body)
                self._head(200, len(raw))
                self.wfile.write(raw[: len(raw) // 2])
            else:
                self._say(answer(body))

    def _say(self, raw: bytes) -> None:
        self._head(200, len(raw))
        self.wfile.write(raw)

    def _head(self, status: int, length: int, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(length), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


def answer(body: dict[str, Any]) -> bytes:
    """A move that depends on what was asked, where, and on nothing else."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    text = ("cooperate", "defect")[digest[0] % 2]
    return json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode()


@contextlib.contextmanager
def served(server: Unreliable) -> Iterator[str]:
    """The server at work; yields its address."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
