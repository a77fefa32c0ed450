"""Who is answered by the server, and what leaves it."""

import asyncio
import contextlib
import re
import socket
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

from emergelab.errors import UserError
from emergelab.studio import server as module
from emergelab.studio.processes import Processes
from emergelab.studio.runs import Runs

from .test_runs import laid

TOKEN = "a-word-of-many-characters"


@contextlib.contextmanager
def serving(root, token=None):
    """A server in a thread of its own; yields its port."""
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), {}

    async def begin():
        runs = Runs(root)
        found["server"] = module.make_server(runs, Processes(runs), host="127.0.0.1", port=0, token=token)
        ready.set()

    def work():
        asyncio.set_event_loop(loop)
        loop.create_task(begin())
        loop.run_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(60)
    yield found["server"].port
    loop.call_soon_threadsafe(found["server"].stop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def ask(port, path, **headers):
    """Status, headers and body of an answer; redirections are not followed."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("studio") / "runs"
    laid(root / "a")
    (root / "a" / "figures").mkdir()
    (root / "a" / "figures" / "one.png").write_bytes(b"\x89PNG")
    (root.parent / "secret.png").write_bytes(b"secret")
    return root


@pytest.fixture(scope="module")
def port(folder):
    with serving(folder) as found:
        yield found


def test_every_answer_forbids_what_comes_from_elsewhere(port):
    for path in ("/studio/style.css", "/nothing", "/static/js/bokeh.min.js"):
        _, headers, _ = ask(port, path)
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Server"] is None


@pytest.mark.parametrize(
    "path", ["/", "/studio/style.css", "/run/ws", "/static/js/bokeh.min.js", "/download?name=a&what=csv"]
)
def test_another_name_or_origin_is_refused(port, path):
    assert ask(port, path, Host="evil.example")[0] == 403
    assert ask(port, path, Origin="http://evil.example")[0] == 403


@pytest.mark.parametrize(
    "query",
    [
        "name=a&what=figure&file=../../../secret.png",
        "name=..&what=figure&file=secret.png",
        "name=%2e%2e%2f%2e%2e&what=zarr",
        "name=/etc&what=csv",
        "name=a&what=figure&file=../run.json",
        "name=a&what=passwd",
        "name=nothing&what=csv",
    ],
)
def test_nothing_but_runs_is_served(port, query):
    status, headers, body = ask(port, f"/download?{query}")
    assert status == 404 and headers["Content-Type"].startswith("text/plain")
    assert b"secret" not in body.replace(b"secret.png", b"") and body.count(b"\n") == 0


def test_what_is_served_of_a_run(port):
    assert ask(port, "/download?name=a&what=figure&file=one.png")[2] == b"\x89PNG"
    status, headers, body = ask(port, "/download?name=a&what=csv")
    assert status == 200 and body.startswith(b"condition,seed,time,x")
    assert headers["Content-Disposition"] == 'attachment; filename="a.csv"'


def declared(port, head, body=b""):
    """What the server says to a request of which only the beginning is sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        wire.sendall(head.encode() + body)
        return wire.makefile("rb").read()


def test_a_body_above_the_limit_is_refused_before_it_is_read(port):
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 200000000\r\n\r\n"
    assert declared(port, head).startswith(b"HTTP/1.1 400")


def test_a_message_above_the_limit_is_refused_before_it_is_read(port):
    _, _, page = ask(port, "/measure")
    token = re.search(rb'"token": ?"([^"]+)"', page)[1].decode()
    head = (
        f"GET /measure/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: bokeh, {token}\r\n\r\n"
    )
    # the head of one message of 100 MB, of which nothing follows
    answer = declared(port, head, b"\x82\xff" + struct.pack("!Q", 100_000_000))
    assert answer.startswith(b"HTTP/1.1 101") and b"message too big" in answer


@pytest.mark.parametrize("query", [f"name=a&what=figure&file={'x' * 300}.png", f"name={'a' * 300}&what=csv"])
def test_a_name_that_no_disk_takes_is_one_line(port, folder, query):
    status, _, body = ask(port, f"/download?{query}")
    assert status == 404 and body.count(b"\n") == 0 and str(folder).encode() not in body


def test_a_token_is_asked_for_once(folder):
    with serving(folder, TOKEN) as port:
        assert ask(port, "/studio/style.css")[0] == 401
        assert ask(port, "/studio/style.css?token=wrong")[0] == 401
        status, headers, _ = ask(port, f"/download?name=a&token={TOKEN}&what=csv")
        assert status == 303 and headers["Location"] == "/download?name=a&what=csv"
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
        kept = cookie.partition(";")[0]
        assert ask(port, "/download?name=a&what=csv", Cookie=kept)[0] == 200
        assert ask(port, "/download?name=a&what=csv", Cookie=f"{module.COOKIE}=no")[0] == 401
        assert ask(port, f"//evil.example/?token={TOKEN}")[1]["Location"] == "/evil.example/"


@pytest.mark.parametrize(
    "host, inside",
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.1", False), ("lab", False)],
)
def test_which_addresses_only_this_machine_reaches(host, inside):
    assert module.is_loopback(host) is inside


@pytest.mark.parametrize("options, message", [({"host": "0.0.0.0"}, "--token"), ({"token": "short"}, "16 characters")])
def test_a_server_that_others_reach_needs_a_token(tmp_path, options, message):
    given = {"host": "127.0.0.1", "port": 0, "token": None, "most": 1, "show": False, **options}
    with pytest.raises(UserError, match=message):
        module.serve(tmp_path, **given)


def test_the_command_line_stays_light():
    code = (
        "import sys, emergelab, emergelab.cli; "
        "print([m for m in ('panel', 'bokeh', 'jax', 'tornado') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_without_the_extra_one_line_says_what_to_install():
    code = (
        "import sys; sys.modules['panel'] = None; sys.argv = ['emergelab', 'studio', '--no-open']; "
        "from emergelab.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "pip install 'emergelab[studio]'" in done.stderr
