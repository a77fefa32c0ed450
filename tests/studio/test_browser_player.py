"""States of a run that grows, looked at in Chromium."""

import fcntl
import signal
import subprocess
import sys

import pytest

from .browsing import CHROMIUM, OPTIONS, PICTURES
from .test_runs import grow, laid

pytest.importorskip("panel")
sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

WAIT = 40_000  # ms
TOPS = """() => Math.max(-1, ...Bokeh.documents.flatMap(d => [...d._all_models.values()])
    .filter(m => m.type === "ColumnDataSource" && m.data.top).flatMap(m => [...m.data.top]))"""
"""The tallest bar on the page: twice the number of the record."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("studio") / "runs"
    root.mkdir()
    return root


@pytest.fixture(scope="module")
def studio(folder):
    words = [sys.executable, "-m", "emergelab", "studio", str(folder), "--port", "0", "--no-open"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    yield server.stdout.readline().split()[1].rstrip("/")
    server.send_signal(signal.SIGINT)
    server.wait(30)
    server.stdout.close()


@pytest.mark.parametrize("width, theme", [(1280, "light"), (390, "dark")])
def test_a_growing_run_is_followed_looked_back_at_and_played(studio, folder, width, theme):
    path = folder / f"growing-{width}"
    laid(path, records=60, done=5, status="running", study="")
    sync_api.expect.set_options(timeout=WAIT)
    PICTURES.mkdir(exist_ok=True)
    with sync_api.sync_playwright() as playwright, (path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        page = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme).new_page()
        page.set_default_timeout(WAIT)
        page.goto(f"{studio}/run?name=growing-{width}&tab=state")
        follow = page.get_by_label("Follow the newest record")
        sync_api.expect(follow).to_be_checked()
        page.wait_for_function(f"() => ({TOPS})() === 8")
        grow(path, 5, 12)
        page.wait_for_function(f"() => ({TOPS})() === 22")
        page.screenshot(path=PICTURES / f"player-{width}-{theme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

        page.get_by_role("button", name="Back").click()
        page.wait_for_function(f"() => ({TOPS})() === 20")
        sync_api.expect(follow).not_to_be_checked()
        grow(path, 12, 14)
        sync_api.expect(page.get_by_text("14 of 60 records")).to_be_visible()
        assert page.evaluate(TOPS) == 20, "who looks back is left there"

        page.get_by_label("Speed").select_option("20 a second")
        page.get_by_role("button", name="Play").click()
        page.wait_for_function(f"() => ({TOPS})() === 26")
        sync_api.expect(follow).to_be_checked()
        browser.close()
