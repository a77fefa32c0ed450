"""The studio against TensorBoard, both in Chromium on the same numbers; benchmarks/README.md says what is compared.

python benchmarks/studio.py [--only a,b] [--rounds 5]
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from measure import Row, carry_out, row, take_turns
from studio_peers import serve_tensorboard, shown_by_tensorboard, write_events

PACKAGES = ("emergelab", "panel", "bokeh", "tensorboard", "playwright")
SEEDS, RECORDS, OBSERVABLES = 64, 1000, 6
_OPTIONS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
_FRAMES = """() => new Promise(done => {
  const spans = []; let last = performance.now();
  const next = now => {
    spans.push(now - last); last = now;
    spans.length < 40 ? requestAnimationFrame(next) : done(spans);
  };
  requestAnimationFrame(next);
})"""


def numbers() -> np.ndarray:
    """Curves with dims (observable, seed, record): drifting noise, as learning curves look."""
    noise = np.random.default_rng(0).normal(size=(OBSERVABLES, SEEDS, RECORDS))
    return noise.cumsum(axis=2).astype(np.float32)


def write_run(folder: Path, values: np.ndarray) -> None:
    """The curves as a finished run."""
    from emergelab.runs.place import Place
    from emergelab.runs.store import ArraySpec, Store

    info = {
        "format": "emergelab-run", "version": 1, "status": "finished", "study": None, "size": None,
        "system": {"name": "Drift", "module": "drift", "qualname": "Drift"}, "conditions": {"base": {"parameters": {}}},
        "seeds": list(range(SEEDS)), "steps": RECORDS - 1, "every": 1, "taps": [], "interventions": {"base": []},
        "wall_seconds": 0.0, "blocks": [{"conditions": [0], "seeds": [0, SEEDS], "width": SEEDS}],
        "provenance": {"command": "", "created": "2026-01-01T00:00:00+00:00", "versions": {}},
    }  # fmt: skip
    names = [f"x{i}" for i in range(OBSERVABLES)]
    store = Store.create(
        Place(folder), info, [ArraySpec(name, (), (), "<f4") for name in names], times=np.arange(RECORDS),
        chunk_conditions=1, chunk_seeds=SEEDS,
    )  # fmt: skip
    for name, curves in zip(names, values, strict=True):
        store.append(name, [0], slice(0, SEEDS), 0, curves[None])
    store.write_checkpoint(0, [], {"records": RECORDS, "diverged": {}, "failed": {}})


@contextlib.contextmanager
def _studio(folder: Path) -> Iterator[str]:
    words = [sys.executable, "-m", "emergelab.cli", "studio", str(folder), "--port", "0", "--no-open"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().split()[1].rstrip("/")
    finally:
        server.terminate()
        server.wait(30)


@contextlib.contextmanager
def _chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_OPTIONS.split())
        yield browser
        browser.close()


def _drawn(page: Page) -> None:
    """Wait until every plot of the studio holds its curves and two frames have been drawn."""
    page.wait_for_function(
        """count => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0]._all_models &&
        [...Bokeh.documents[0]._all_models.values()].filter(m =>
          m.type === "ColumnDataSource" && m.data.what && m.data.x.length).length >= count &&
        Object.keys(Bokeh.index).length""",
        arg=OBSERVABLES, timeout=120_000,
    )  # fmt: skip
    page.locator("canvas").first.wait_for(timeout=120_000)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def opening(rounds: int) -> Sequence[Row]:
    """(a) Seconds from the address to curves on the screen: 64 seeds, 6 observables, 1,000 records each."""
    with tempfile.TemporaryDirectory() as name, _chromium() as browser:
        folder, values = Path(name), numbers()
        (folder / "runs").mkdir()
        write_run(folder / "runs" / "drift", values)
        write_events(folder / "events", values)

        def timed_page(address: str, wait: Any) -> float:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            begun = time.perf_counter()
            page.goto(address)
            wait(page)
            seconds = time.perf_counter() - begun
            page.close()
            return seconds

        with _studio(folder / "runs") as studio, serve_tensorboard(folder / "events") as tensorboard:
            works = {
                "ours": lambda: timed_page(f"{studio}/run?name=drift", _drawn),
                "TensorBoard": lambda: timed_page(tensorboard, shown_by_tensorboard),
            }
            take_turns(works, 1)
            found = take_turns(works, rounds)
    note = "both servers warm, a new page each time; all six plots of ours, the first of TensorBoard's"
    what = f"{RECORDS:,} records x {SEEDS} seeds x {OBSERVABLES} observables"
    return [row(what, "TensorBoard", "s", found["ours"], found["TensorBoard"], higher_is_better=False, note=note)]


def panning(rounds: int) -> Sequence[Row]:
    """(b) Milliseconds a frame while the linked plots are dragged, against the same page at rest."""
    with tempfile.TemporaryDirectory() as name, _chromium() as browser:
        runs = Path(name)
        write_run(runs / "drift", numbers())
        with _studio(runs) as studio:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{studio}/run?name=drift")
            _drawn(page)
            page.wait_for_timeout(1000)
            box = page.locator(".bk-Figure").first.bounding_box()
            assert box is not None
            moved, rested = [], []
            for _ in range(rounds):
                rested.append(float(np.median(page.evaluate(_FRAMES))))
                page.mouse.move(box["x"] + 200, box["y"] + 100)
                page.mouse.down()
                page.evaluate(f"() => {{ window.spans = ({_FRAMES})(); }}")
                for i in range(40):
                    page.mouse.move(box["x"] + 200 + 3 * i, box["y"] + 100)
                moved.append(float(np.median(page.evaluate("() => window.spans"))))
                page.mouse.up()
    return [row("dragging six linked plots", "the page at rest", "ms/frame", moved, rested, higher_is_better=False)]


PARTS = {
    "a": ("Time to the first plot", opening),
    "b": ("Panning", panning),
}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    carry_out(__file__, PARTS, PACKAGES, rounds=5)


if __name__ == "__main__":
    main()
