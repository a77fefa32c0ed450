"""Curves of a run, used in Chromium: plots that come later, dragging, logarithmic axes, alignment at onsets."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from emergelab.runs.place import Place
from emergelab.runs.store import ArraySpec, Store

from .browsing import CHROMIUM, OPTIONS, PICTURES

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

WAIT = 40_000  # ms
PLOTS = 6
SEEDS, RECORDS = 8, 200

FIGURES = "[...Bokeh.documents[0]._all_models.values()].filter(m => m.type === 'Figure' && m.inner_width > 0).slice(-6)"
"""Plots that the browser has laid out; each plot's renderers are the seeds, the band and the mean of its condition."""
DRAWN = f"""count => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0]._all_models && {FIGURES}.filter(
    f => f.renderers.length && f.renderers.every(r => r.data_source.data.x.length)).length === count"""
MEAN = f"{FIGURES}[0].renderers[2].data_source.data"
THIN = f"{FIGURES}.map(f => f.renderers[0].visible)"


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """Address of a studio with one run: curves that rise from 1 to 401, each seed later than the last."""
    root = tmp_path_factory.mktemp("studio") / "runs"
    info = {
        "format": "emergelab-run", "version": 1, "status": "finished", "study": None, "size": None,
        "system": {"name": "Rise", "module": "rise", "qualname": "Rise"}, "conditions": {"base": {"parameters": {}}},
        "seeds": list(range(SEEDS)), "steps": RECORDS - 1, "every": 1, "taps": [], "interventions": {"base": []},
        "wall_seconds": 0.0, "blocks": [{"conditions": [0], "seeds": [0, SEEDS], "width": SEEDS}],
        "provenance": {"command": "", "created": "2026-01-01T00:00:00+00:00", "versions": {}},
    }  # fmt: skip
    names = [f"x{i}" for i in range(PLOTS)]
    store = Store.create(
        Place(root / "rise"), info, [ArraySpec(name, (), (), "<f4") for name in names], times=np.arange(RECORDS),
        chunk_conditions=1, chunk_seeds=SEEDS,
    )  # fmt: skip
    middle = 80 + 5 * np.arange(SEEDS)[:, None]
    values = (1 + 400 / (1 + np.exp((middle - np.arange(RECORDS)) / 8))).astype(np.float32)
    for name in names:
        store.append(name, [0], slice(0, SEEDS), 0, values[None])
    done = {"records": RECORDS, "diverged": {}, "failed": {}}
    store.place.write("checkpoints/00000.json", json.dumps(done).encode())
    words = [sys.executable, "-m", "emergelab", "studio", str(root), "--port", "0", "--no-open"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    yield server.stdout.readline().split()[1].rstrip("/")
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
    server.stdout.close()


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, studio):
    """The run's page with all its plots drawn, on which no script fails."""
    contexts, failed = [], []

    def make(width=1280, theme="light"):
        contexts.append(chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=theme))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto(f"{studio}/run?name=rise")
        page.wait_for_function(DRAWN, arg=PLOTS)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not failed


def test_all_plots_share_their_time_and_seeds_rest_while_one_is_dragged(opened):
    page = opened()
    assert page.evaluate(f"new Set({FIGURES}.map(f => f.x_range.id)).size") == 1
    assert page.evaluate(f"{FIGURES}.map(f => f.title.text)") == [f"x{i}" for i in range(PLOTS)]
    before = page.evaluate(f"{FIGURES}[5].x_range.start")
    box = page.locator(".bk-Figure").first.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    for i in range(1, 11):
        page.mouse.move(box["x"] + 200 - 5 * i, box["y"] + 100)
    page.wait_for_function(f"() => {THIN}.every(seen => !seen)")
    page.mouse.up()
    page.wait_for_function(f"() => {THIN}.every(seen => seen)")
    assert page.evaluate(f"{FIGURES}[5].x_range.start") > before, "the others follow the plot that is dragged"


def test_both_axes_become_logarithmic(opened):
    page = opened()
    assert page.evaluate(f"Math.min(...[...{MEAN}.x].filter(isFinite))") == 0
    page.get_by_text("log time", exact=True).click()
    page.wait_for_function(f"() => {FIGURES}.length && {FIGURES}.every(f => f.x_scale.type === 'LogScale')")
    page.wait_for_function(DRAWN, arg=PLOTS)
    assert page.evaluate(f"Math.min(...[...{MEAN}.x].filter(isFinite))") == 1, "there is no logarithm of step 0"
    page.get_by_text("log values", exact=True).click()
    page.wait_for_function(f"() => {FIGURES}.length && {FIGURES}.every(f => f.y_scale.type === 'LogScale')")
    sync_api.expect(page.get_by_text("leaves out what is not above zero")).to_be_visible()


@pytest.mark.parametrize("width, theme", [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_curves_are_shifted_to_the_onset_of_one_of_them(opened, width, theme):
    page = opened(width, theme)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"curves-{width}-{theme}.png", full_page=True)
    page.get_by_label("Align at the onset of").select_option("x0")
    page.wait_for_function(f"() => {FIGURES}.length && {FIGURES}.every(f => f.below[0].axis_label.includes('onset'))")
    page.wait_for_function(DRAWN, arg=PLOTS)
    found = page.evaluate(f"({{x: [...{MEAN}.x].filter(isFinite), y: [...{MEAN}.y].filter(isFinite)}})")
    at = found["x"].index(0)
    assert found["x"][0] < 0 < max(found["x"])
    assert found["y"][at - 3] < 201 <= found["y"][at], "all seeds pass the threshold, half of the rise, at zero"
    sync_api.expect(page.get_by_text("8 of 8 seeds come to the threshold")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.screenshot(path=PICTURES / f"curves-onset-{width}-{theme}.png", full_page=True)
