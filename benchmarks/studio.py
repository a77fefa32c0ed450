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
SEEN = 4  # plots that the first viewport of 1280 x 800 shows, whole or in part
SIDE, STATES = 1000, 100  # a state of 10^6 agents on a grid, and how many of them are recorded
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


def _create(folder: Path, arrays: Sequence[Any], seeds: int, records: int) -> Any:
    """The folder of a finished run without a study, whose arrays are still to be filled."""
    from emergelab.runs.place import Place
    from emergelab.runs.store import Store

    info = {
        "format": "emergelab-run", "version": 1, "status": "finished", "study": None, "size": None,
        "system": {"name": "Drift", "module": "drift", "qualname": "Drift"}, "conditions": {"base": {"parameters": {}}},
        "seeds": list(range(seeds)), "steps": records - 1, "every": 1, "taps": [], "interventions": {"base": []},
        "wall_seconds": 0.0, "blocks": [{"conditions": [0], "seeds": [0, seeds], "width": seeds}],
        "provenance": {"command": "", "created": "2026-01-01T00:00:00+00:00", "versions": {}},
    }  # fmt: skip
    return Store.create(
        Place(folder), info, arrays, times=np.arange(records), chunk_conditions=1, chunk_seeds=seeds
    )  # fmt: skip


def write_run(folder: Path, values: np.ndarray) -> None:
    """The curves as a finished run."""
    from emergelab.runs.store import ArraySpec

    names = [f"x{i}" for i in range(OBSERVABLES)]
    store = _create(folder, [ArraySpec(name, (), (), "<f4") for name in names], SEEDS, RECORDS)
    for name, curves in zip(names, values, strict=True):
        store.append(name, [0], slice(0, SEEDS), 0, curves[None])
    store.write_checkpoint(0, [], {"records": RECORDS, "diverged": {}, "failed": {}})


def write_states(folder: Path) -> None:
    """A finished run of one seed that records the state of 10^6 agents on a grid: each is in one of eight."""
    from emergelab.runs.store import ArraySpec

    store = _create(folder, [ArraySpec("state", ("row", "column"), (SIDE, SIDE), "<f4")], 1, STATES)
    random = np.random.default_rng(0)
    state = random.integers(0, 8, (SIDE, SIDE))
    for record in range(STATES):
        state = np.where(random.random((SIDE, SIDE)) < 0.02, random.integers(0, 8, (SIDE, SIDE)), state)
        store.append("state", [0], slice(0, 1), record, state[None, None, None].astype(np.float32))
    store.write_checkpoint(0, [], {"records": STATES, "diverged": {}, "failed": {}})


@contextlib.contextmanager
def _studio(folder: Path) -> Iterator[str]:
    words = [sys.executable, "-m", "emergelab", "studio", str(folder), "--port", "0", "--no-open"]
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


_TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_LAID_OUT = """count => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0]._all_models &&
    [...Bokeh.documents[0]._all_models.values()].filter(m => m.type === "Figure" && m.inner_width > 0 &&
      m.renderers.length && m.renderers.every(r => r.data_source.data.x.length)).length >= count"""


def _drawn(page: Page, plots: int = OBSERVABLES) -> None:
    """Wait until so many plots of the studio are laid out with seeds, band and mean, and two frames have been drawn."""
    page.wait_for_function(_LAID_OUT, arg=plots, timeout=120_000)
    page.evaluate(_TWO_FRAMES)


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
                "seen": lambda: timed_page(f"{studio}/run?name=drift", lambda page: _drawn(page, SEEN)),
                "all": lambda: timed_page(f"{studio}/run?name=drift", _drawn),
                "TensorBoard": lambda: timed_page(tensorboard, shown_by_tensorboard),
            }
            take_turns(works, 1)
            found = take_turns(works, rounds)
    what = f"{RECORDS:,} records x {SEEDS} seeds x {OBSERVABLES} observables"
    notes = {
        "seen": f"servers warm, a new page each time; the {SEEN} plots of ours in a viewport of 1280 x 800, "
        "the first of TensorBoard's",
        "all": f"all {OBSERVABLES} plots of ours, the first of TensorBoard's",
    }
    words = {"seen": "plots in sight", "all": "all plots"}
    theirs = found["TensorBoard"]
    return [
        row(f"{what}: {words[k]}", "TensorBoard", "s", found[k], theirs, higher_is_better=False, note=notes[k])
        for k in notes
    ]


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


def scrubbing(rounds: int) -> Sequence[Row]:
    """(c) A run of 10^6 agents: seconds until its state is drawn, milliseconds from a key to the next state."""
    image = """() => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0]._all_models &&
        [...Bokeh.documents[0]._all_models.values()].find(m => m.type === "ColumnDataSource" && m.data.image)"""
    with tempfile.TemporaryDirectory() as name, _chromium() as browser:
        write_states(Path(name) / "crowd")
        with _studio(Path(name)) as studio:
            opened, moved = [], []
            for turn in range(rounds + 1):
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                begun = time.perf_counter()
                page.goto(f"{studio}/run?name=crowd&tab=state")
                page.wait_for_function(image, timeout=120_000)
                page.evaluate(_TWO_FRAMES)
                seconds = time.perf_counter() - begun
                if turn:
                    opened.append(seconds)
                page.locator(".noUi-handle").first.focus()
                for _ in range(4):
                    page.evaluate(f"() => {{ window.shown = ({image})().data.image; }}")
                    begun = time.perf_counter()
                    page.keyboard.press("ArrowRight")
                    page.wait_for_function(f"() => ({image})().data.image !== window.shown", timeout=120_000)
                    page.evaluate(_TWO_FRAMES)
                    if turn:
                        moved.append(1000 * (time.perf_counter() - begun))
                page.close()
    what = f"{SIDE**2:,} agents x {STATES} records"
    return [
        row(f"{what}: opened", "2 s, as was wanted", "s", opened, [2.0], higher_is_better=False),
        row(f"{what}: one step", "100 ms, as feels at once", "ms", moved, [100.0], higher_is_better=False,
            note="from the press of a key on the scrubber to the drawn image"),
    ]  # fmt: skip


PARTS = {
    "a": ("Time to the first plot", opening),
    "b": ("Panning", panning),
    "c": ("Scrubbing through a crowd", scrubbing),
}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    carry_out(__file__, PARTS, PACKAGES, rounds=5)


if __name__ == "__main__":
    main()
