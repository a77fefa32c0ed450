"""What one does with runs in Chromium: stop and resume one, see two beside each other, reach a studio by its token."""

import signal
import subprocess

import pytest

from .browsing import CHROMIUM, CLI, OPTIONS, PICTURES

pytest.importorskip("panel")
sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

WAIT = 60_000  # ms
TOKEN = "a-word-that-nobody-guesses"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("studio") / "runs"
    root.mkdir()
    return root


@pytest.fixture(scope="module")
def chromium():
    sync_api.expect.set_options(timeout=WAIT)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def served(folder):
    """Starts studios of the folder and ends them; a call returns the address and the process."""
    servers = []

    def start(*options):
        words = [*CLI, "studio", str(folder), "--port", "0", "--no-open", *options]
        servers.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        return servers[-1].stdout.readline().split()[1], servers[-1]

    yield start
    for server in servers:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
            server.wait(30)
        server.stdout.close()


def opened(chromium, address):
    page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(WAIT)
    page.goto(address)
    return page


def test_a_run_survives_its_studio_is_stopped_and_resumed(chromium, served):
    address, server = served()
    page = opened(chromium, f"{address.rstrip('/')}/study?slug=rich-lazy-rank")
    page.get_by_role("button", name="full").click()  # hours, of which this takes seconds
    page.locator("input.choices__input").first.click()
    page.keyboard.type("rank-1")
    page.keyboard.press("Enter")
    name = page.get_by_label("Name of the run")
    name.fill("long")
    name.press("Tab")
    line = page.locator("pre", has_text="emergelab run rich-lazy-rank")
    sync_api.expect(line).to_contain_text("--size full --condition rank-1")
    sync_api.expect(line).to_contain_text("--out long")
    page.get_by_role("button", name="Start the run").click()
    page.get_by_role("link", name="long", exact=True).first.click()
    sync_api.expect(page.locator(".chip.running")).to_be_visible()
    server.kill()
    server.wait(30)
    sync_api.expect(page.get_by_text("The studio does not answer any more")).to_be_visible()

    address, _ = served()
    page = opened(chromium, f"{address.rstrip('/')}/run?name=long")
    sync_api.expect(page.locator(".chip.running")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    sync_api.expect(page.locator(".chip.interrupted")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    sync_api.expect(page.locator(".chip.running")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    sync_api.expect(page.locator(".chip.interrupted")).to_be_visible()


def test_two_runs_are_chosen_by_keyboard_and_seen_beside_each_other(chromium, served, folder):
    for name, seed in (("one", "2"), ("two", "3")):
        words = ["run", "sorting", "--size", "tiny", "--condition", "bubble", "--seeds", seed, "--quiet"]
        subprocess.run([*CLI, *words, "--out", str(folder / name)], check=True, stdout=subprocess.DEVNULL)
    address, _ = served()
    page = opened(chromium, f"{address.rstrip('/')}/runs")
    field = page.locator("input.choices__input").first
    field.focus()
    for name in ("one", "two"):
        page.keyboard.type(name)
        page.keyboard.press("Enter")
    link = page.get_by_role("link", name="show them beside each other")
    sync_api.expect(link).to_have_attribute("href", "compare?name=one&name=two")
    link.focus()
    page.keyboard.press("Enter")
    sync_api.expect(page.locator(".legend > span")).to_have_count(2)
    page.locator("canvas").first.wait_for()
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / "beside-1280-light.png", full_page=True)


def test_a_studio_on_another_address_is_reached_by_its_token_alone(chromium, served):
    address, _ = served("--host", "127.0.0.2", "--token", TOKEN)
    bare = address.partition("?")[0]
    page = opened(chromium, address)
    page.locator("a.card").first.wait_for()
    assert TOKEN not in page.url, "the word does not stay in the address"
    page.get_by_label("Search").fill("cells sort")  # answered through the websocket, which the cookie opens, too
    sync_api.expect(page.locator("a.card")).to_have_count(1)
    for wrong in (bare, f"{bare}?token=a-word-that-somebody-guessed"):
        stranger = chromium.new_context().new_page()
        assert stranger.goto(wrong).status == 401
