"""The server: which pages there are, who may see them, and what leaves the folder of runs."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import importlib
import ipaddress
import logging
import os
import signal
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import panel as pn
from tornado.web import OutputTransform, RequestHandler

from ..errors import UserError
from . import pages, shell
from .export import Download
from .pieces import MOST_BYTES
from .processes import Processes
from .runs import Runs

COOKIE = "emergelab_studio"
_MESSAGE_BYTES = MOST_BYTES * 4 // 3 + (64 << 10)  # a file arrives as base64 in one message, with a few words about it
_SHORTEST_TOKEN = 16

# Bokeh compiles its templates of HTML and its callbacks in the browser, so scripts of the page's own may be evaluated.
# Nothing is loaded from, or sent to, any other address.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def serve(folder: str | os.PathLike[str], *, host: str, port: int, token: str | None, most: int, show: bool) -> None:
    """As `emergelab.studio.serve`."""
    if not is_loopback(host) and token is None:
        raise UserError(f"--host {host} can be reached by others, so a --token of 16 characters or more is needed")
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise UserError(f"--token must have {_SHORTEST_TOKEN} characters or more, got {len(token)}")
    root = Path(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{root}: cannot be made a folder of runs ({error.strerror})") from None
    asyncio.run(_serve(Runs(root), host, port, token, most, show))


async def _serve(runs: Runs, host: str, port: int, token: str | None, most: int, show: bool) -> None:
    server = make_server(runs, Processes(runs, most), host=host, port=port, token=token)
    query = f"?{urlencode({'token': token})}" if token else ""
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{server.port}/{query}"
    _warm()
    print(f"studio: {address}   (runs in {runs.root}; Ctrl-C ends it, runs go on)", flush=True)
    if show:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
    server.stop()
    print("studio: ended", flush=True)
    # A browser's open connections and threads that still draw are no reason to wait.
    os._exit(0)


def _warm() -> None:
    """Import what pages need, so that the first one need not wait. Two threads that import Zarr at once fail."""
    for name in ("xarray", "zarr", "emergelab.study", "emergelab.figures"):
        importlib.import_module(name)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def make_server(runs: Runs, processes: Processes, *, host: str, port: int, token: str | None) -> Any:
    """A server that listens already; `.port` says where, `.stop()` ends it. Needs a running event loop.

    Raises:
        UserError: the port is taken or may not be used.
    """
    pn.extension("filedropper")
    # Bokeh warns of the wildcard below; it cannot know that every request has passed `Guard` before.
    logging.getLogger("bokeh.server.util").setLevel(logging.ERROR)
    served: dict[str, Callable[[], Any]] = {
        path: shell.page(builder, runs, processes) for path, builder in pages.PAGES.items()
    }
    try:
        server = pn.io.server.get_server(
            served,
            address=host,
            port=port,
            websocket_origin="*",  # `Guard` is stricter: the origin must be the very host that was asked
            title={path: "emergelab studio" for path in served},
            extra_patterns=[
                (r"/studio/(style\.css)", Asset),
                (r"/download", Download, {"runs": runs}),
            ],
            # What is larger is refused by the length that it declares, before any of it is read.
            websocket_max_message_size=_MESSAGE_BYTES,
            http_server_kwargs={"max_body_size": 64 << 10, "max_buffer_size": _MESSAGE_BYTES + (1 << 20)},
        )
    except OSError as error:
        raise UserError(f"port {port} of {host} cannot be had ({error.strerror}); choose another with --port") from None
    application = server._tornado
    application.transforms.append(_Headers)
    guard = Guard(host, server.port, token)
    find = application.find_handler

    def guarded(request: Any, **options: Any) -> Any:
        refused = guard.answer(request)
        if refused is None:
            return find(request, **options)
        return application.get_handler_delegate(request, Answer, refused)

    application.find_handler = guarded
    server.start()
    return server


class Guard:
    """Who is answered: only requests for this host, from a page of this host, with the token if there is one."""

    def __init__(self, host: str, port: int, token: str | None) -> None:
        names = {host, "localhost", "127.0.0.1", "[::1]"} if is_loopback(host) else {host}
        # A server on all addresses cannot know its names; there the token, without which it does not begin, is all.
        everywhere = host in ("0.0.0.0", "::", "")
        self._hosts = (
            None if everywhere else {f"{f'[{n}]' if n.count(':') > 1 and n[0] != '[' else n}:{port}" for n in names}
        )
        self._token = token
        self._pass = hashlib.sha256(f"studio {token}".encode()).hexdigest()

    def answer(self, request: Any) -> dict[str, Any] | None:
        """What is answered in place of a page, for `Answer`; None where nothing speaks against the page."""
        host = request.headers.get("Host", "")
        if self._hosts is not None and host not in self._hosts:
            return {"status": 403, "line": "this server does not go by that name"}
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return {"status": 403, "line": "another site may not ask this server"}
        if self._token is None:
            return None
        cookie = request.cookies.get(COOKIE)
        if cookie is not None and hmac.compare_digest(cookie.value.encode(), self._pass.encode()):
            return None
        query = parse_qsl(request.query, keep_blank_values=True)
        given = next((value for key, value in query if key == "token"), "")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return {"status": 401, "line": "a token is needed: open the address that the server has printed"}
        rest = urlencode([(key, value) for key, value in query if key != "token"])
        return {"status": 303, "cookie": self._pass, "to": request.path + (f"?{rest}" if rest else "")}


class Answer(RequestHandler):
    """One line in place of a page, or the way to the page once the token was right."""

    def initialize(self, status: int, line: str = "", cookie: str = "", to: str = "") -> None:
        self._answer = (status, line, cookie, to)

    def prepare(self) -> None:
        status, line, cookie, to = self._answer
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        if cookie:
            self.set_cookie(COOKIE, cookie, httponly=True, samesite="Strict", path="/")
            # an address such as //elsewhere would lead away from here
            self.set_header("Location", "/" + to.lstrip("/"))
        self.finish(line)

    def check_xsrf_cookie(self) -> None:
        """Nothing is changed by what is refused."""


class Asset(RequestHandler):
    """The style sheet."""

    def get(self, name: str) -> None:
        self.set_header("Content-Type", "text/css; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.write((Path(__file__).parent / name).read_bytes())


class _Headers(OutputTransform):
    """Headers that every answer has."""

    def __init__(self, request: Any) -> None:
        pass

    def transform_first_chunk(self, status_code: int, headers: Any, chunk: bytes, finishing: bool) -> Any:
        for name, value in _HEADERS.items():
            headers[name] = value
        with contextlib.suppress(KeyError):
            del headers["Server"]
        return status_code, headers, chunk
