"""What a user does with the studio, done in Chromium; nothing is loaded from anywhere but the studio itself."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .browsing import CHROMIUM, OPTIONS, PICTURES
from .test_runs import grow, laid

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

WAIT = 40_000  # ms; a run compiles first
DRAWN = """() => Math.max(-1, ...Bokeh.documents.flatMap(d => [...d._all_models.values()])
    .filter(m => m.type === "ColumnDataSource" && m.data.what).flatMap(m => [...m.data.x].filter(isFinite)))"""
"""The latest time that a bold curve on the page has."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("studio") / "runs"
    root.mkdir()
    return root


@pytest.fixture(scope="module")
def studio(folder):
    """Address of a studio in a process of its own, which ends at SIGINT with exit code 0."""
    words = [sys.executable, "-m", "emergelab", "studio", str(folder), "--port", "0", "--no-open"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    yield line.split()[1].rstrip("/")
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
    server.stdout.close()


@pytest.fixture(scope="module")
def chromium():
    sync_api.expect.set_options(timeout=WAIT)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, studio):
    """A page that may ask the studio alone, and in which no script fails."""
    contexts, asked, failed = [], [], []

    def make(width=1280, theme="light"):
        contexts.append(chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=theme))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not failed
    assert all(url.startswith((studio, "data:", "blob:")) for url in asked)


def picture(page, name):
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def test_from_the_catalogue_to_a_verdict(opened, studio, folder, tmp_path):
    page = opened()
    page.goto(studio)
    page.get_by_label("Search").fill("cells sort")
    sync_api.expect(page.locator("a.card")).to_have_count(1)
    page.locator("a.card").click()

    page.get_by_role("button", name="tiny").click()
    page.locator("input.choices__input").first.click()
    page.keyboard.type("bubble")
    page.keyboard.press("Enter")
    name = page.get_by_label("Name of the run")
    name.fill("mine")
    name.press("Tab")
    line = page.locator("pre", has_text="emergelab run sorting")
    sync_api.expect(line).to_contain_text("--size tiny --condition bubble --keep log --out mine")
    picture(page, "study-1280-light")
    page.get_by_role("button", name="Start the run").click()
    page.get_by_role("link", name="mine", exact=True).first.click()
    sync_api.expect(page.locator(".chip.finished")).to_be_visible()
    page.wait_for_function(f"() => ({DRAWN})() === 200")
    picture(page, "run-1280-light")

    page.get_by_role("button", name="State", exact=True).click()
    page.get_by_role("button", name="Forward").click()
    page.locator("canvas").first.wait_for()
    picture(page, "state-1280-light")

    page.get_by_role("button", name="Intervene", exact=True).click()
    page.get_by_role("button", name="Start it").click()
    page.get_by_role("link", name="beside the original").click()
    sync_api.expect(page.locator(".legend b.dashed")).to_have_count(1)
    picture(page, "compare-1280-light")

    verdicts = folder / "mine" / "verdicts.json"
    for _ in range(600):
        if verdicts.exists():
            break
        page.wait_for_timeout(100)
    page.goto(f"{studio}/run?name=mine&tab=judge")
    page.locator(".badge").first.wait_for()
    picture(page, "judge-1280-light")

    page.get_by_role("button", name="Export", exact=True).click()
    for words, begins in (("as CSV", b"condition,seed,time"), ("as SVG", b"<?xml"), ("packed", b"PK")):
        with page.expect_download() as download:
            page.get_by_role("link", name=words).click()
        assert Path(download.value.path()).read_bytes().startswith(begins)
    picture(page, "export-1280-light")


def test_a_run_is_watched_while_it_grows_and_found_interrupted_when_it_is_dead(opened, studio, folder):
    path = folder / "growing"
    laid(path, records=40, done=5, status="running")
    page = opened(390, "dark")
    with (path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        page.goto(f"{studio}/run?name=growing")
        page.wait_for_function(f"() => ({DRAWN})() === 40")
        sync_api.expect(page.locator(".chip.running")).to_be_visible()
        grow(path, 5, 30)
        page.wait_for_function(f"() => ({DRAWN})() === 290")
        picture(page, "run-390-dark")
        os.utime(path / "run.json", (0, 0))
    sync_api.expect(page.locator(".chip.interrupted")).to_be_visible()
    sync_api.expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_a_dropped_file_is_measured(opened, studio, tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        f"{seed},{t},{float(t > 20) + 0.05 * rng.normal():.4f}" for seed in range(6) for t in range(40)
    ]  # fmt: skip
    (tmp_path / "mine.csv").write_text("\n".join(["seed,step,accuracy", *rows]))
    page = opened()
    page.goto(f"{studio}/measure")
    page.locator("input[type=file]").set_input_files(tmp_path / "mine.csv")
    page.get_by_role("button", name="Measure", exact=True).click()
    page.get_by_text("onset").first.wait_for()
    picture(page, "measure-1280-light")


@pytest.mark.parametrize("width, theme", [(1280, "dark"), (390, "light")])
def test_pages_fit_both_widths_and_follow_the_theme(opened, studio, folder, width, theme):
    (folder / "foreign").mkdir(exist_ok=True)
    page = opened(width, theme)
    for path, name in (("/", "studies"), ("/study?slug=sorting", "study"), ("/runs", "runs")):
        page.goto(studio + path)
        page.locator("h1").wait_for()
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        picture(page, f"{name}-{width}-{theme}")
    sync_api.expect(page.get_by_text("not a run")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "the first stop leads to the content"


def test_what_is_not_there_is_one_line(opened, studio):
    page = opened()
    for path in ("/run?name=nothing", "/run?name=../..", "/study?slug=sortin", "/compare"):
        page.goto(studio + path)
        sync_api.expect(page.get_by_role("alert")).to_have_count(1)
        assert "Traceback" not in page.content()
