"""A file that is too large is refused in the browser, in one line, and the page goes on."""

from .test_browser import (  # noqa: F401
    chromium,
    folder,
    opened,
    pytestmark,
    studio,
    sync_api,
)


def test_a_file_above_the_limit_is_not_sent(opened, studio, tmp_path):  # noqa: F811
    (tmp_path / "large.csv").write_bytes(b"1,2\n" * 5_000_001)
    (tmp_path / "small.csv").write_text("a,b\n1,2\n")
    page, sent = opened(), []
    page.on("websocket", lambda wire: wire.on("framesent", lambda frame: sent.append(len(frame))))
    page.goto(f"{studio}/measure")
    field = page.locator("input[type=file]")
    field.set_input_files(tmp_path / "large.csv")
    line = page.get_by_role("alert")
    sync_api.expect(line).to_have_text("large.csv has 20.0 MB; at most 20 MB are taken")
    page.get_by_role("button", name="Measure", exact=True).click()
    sync_api.expect(page.get_by_text("choose a file first")).to_be_visible()
    assert max(sent) < 1 << 20
    field.set_input_files(tmp_path / "small.csv")
    sync_api.expect(page.locator("#told")).to_be_hidden()
    page.get_by_role("button", name="Measure", exact=True).click()
    sync_api.expect(page.get_by_text("name it with --time")).to_be_visible()
