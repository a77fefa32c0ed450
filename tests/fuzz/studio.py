"""What the studio is given by others: verdicts on disk, files that are dropped, and addresses."""

from __future__ import annotations

import contextlib
import http.client
import logging
import random
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import emergelab as el
from emergelab.errors import UserError
from emergelab.studio import judging, shell
from emergelab.studio.questions import measure_upload
from emergelab.studio.runs import Runs

from ..studio.test_server import serving

PATHS = (
    "/", "/study", "/runs", "/run", "/compare", "/measure", "/download", "/studio/style.css", "/nothing", "/run/ws",
    "/static/../../secret.txt", "/studio/..%2f..%2fsecret.txt", "/%2e%2e/secret.txt", "/run%00", "//run", "/%ff",
    "/run/autoload.js", "/static/extensions/panel/../../../secret.txt",
)  # fmt: skip
NAMES = ("name", "slug", "what", "file", "observable", "tab", "token", "bokeh-session-id", "x")
VALUES = (
    "good", "sorting", "csv", "figure", "zarr", "svg", "judge", "state", "norm", "..", "../secret.txt", "%2e%2e/x",
    "/etc/passwd", "a/../../x", ".studio", "good/../..", "a\0b", "x" * 5000, "\u202eevil", "\N{SNOWMAN}", "", "-1",
    "1e999", "<script>alert(1)</script>", "good\n", "[]", "one.png", "../run.json", "\ud800", "con", "good/run.json",
)  # fmt: skip
SECRET = "what lies beside the folder of runs"
VERDICT: dict[str, Any] = {
    "text": "it grows", "verdict": "supported", "direction": ">", "margin": 0.2, "unit": "1", "test": "level of x",
    "published": "0.5", "about": "half", "value": 0.6, "low": 0.5, "high": 0.7, "level": 0.95, "seeds": 8, "p": 0.001,
    "p_raw": 0.001, "method": "BCa", "reason": "", "note": "", "more_seeds": None, "by_seed": [0.6, None],
}  # fmt: skip


def verdicts(here: Path) -> None:
    """Read the verdicts of a run as the page that judges and the catalogue do.

    Raises:
        UserError: what the page says where they cannot be read.
    """
    run = el.load(here)
    Runs(here.parent).verdicts(here.name)
    found, wrong = judging._on_disk(run)
    if wrong:
        raise UserError(wrong)
    judging._page(run, el.find("sorting"), found)


def upload(here: Path) -> None:
    """Measure a file as if it had been dropped on the page, and its columns named."""
    columns = {"table": {"value": "acc", "by": "lr"}, "wandb-grouped": {"value": "eval/acc"}}
    named = columns.get(here.name.split(".")[0], {})
    measure_upload(here.name, here.read_bytes() if here.is_file() else b"", named, draws=99)


class Addresses:
    """A studio that is asked for addresses of all sorts.

    Args:
        root: its folder of runs, which holds a run `good`.
    """

    def __init__(self, root: Path) -> None:
        (root.parent / "secret.txt").write_text(SECRET)
        self._root, self._stack, self._thrown = root, contextlib.ExitStack(), mock.Mock()
        # a line for every address that is refused would hide what was found
        logging.getLogger("tornado").setLevel(logging.CRITICAL)
        # where a page fails for a reason that is no user's, the server tells it whole: here it counts
        self._stack.enter_context(mock.patch.object(shell.traceback, "print_exc", self._thrown))
        self._port = self._stack.enter_context(serving(root))

    def close(self) -> None:
        """End the server."""
        self._stack.close()

    def ask(self, rng: random.Random) -> str:
        """One request; "data" for a page, "refused" for a line.

        Raises:
            ValueError: another status, a traceback, or something from outside of the folder of runs.
        """
        path = rng.choice(PATHS)
        pairs = "&".join(_pair(rng) for _ in range(rng.randint(0, 4)))
        asked = f"{path}?{pairs}" if pairs else path
        self._thrown.reset_mock()
        wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            wire.putrequest(rng.choice(["GET"] * 8 + ["HEAD", "POST", "PUT"]), asked, skip_host=True)
            wire.putheader("Host", f"127.0.0.1:{self._port}")
            wire.putheader("Content-Length", "0")
            wire.endheaders()
            answer = wire.getresponse()
            status, body = answer.status, answer.read().decode(errors="replace")
        except http.client.BadStatusLine:
            status, body = 400, ""  # no request at all: the connection is closed
        finally:
            wire.close()
        if status not in (200, 302, 303) and not 400 <= status < 500:
            raise ValueError(f"{asked[:200]!r}: status {status}")
        if self._thrown.called or "Traceback" in body:
            raise ValueError(f"{asked[:200]!r}: a traceback")
        if SECRET in body or "root:x:0" in body or str(self._root.parent) in body.replace(str(self._root), ""):
            raise ValueError(f"{asked[:200]!r}: something from outside of the folder of runs")
        return "data" if status < 400 and "This cannot be shown" not in body else "refused"


def _pair(rng: random.Random) -> str:
    value = rng.choice(VALUES)
    held = value.encode("utf-8", "surrogatepass")
    return f"{rng.choice(NAMES)}={quote(held, safe=rng.choice(['', '/.', '/.=']))}"
