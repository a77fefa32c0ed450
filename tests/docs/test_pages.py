"""The pages keep their word: their Python runs, and prints what the page says it prints."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "docs/getting-started.md",
    "docs/concepts/systems.md",
    "docs/concepts/interventions.md",
    "docs/concepts/your-network.md",
    "docs/concepts/learners.md",
    "docs/concepts/streams.md",
    "docs/concepts/signals.md",
    "docs/concepts/runs.md",
    "docs/concepts/language-models.md",
    *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs" / "instruments").glob("*.md") if p.stem != "index"),
]
# A Python block, and the text block with its output if one follows directly.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_python_on_the_page_runs_and_prints_what_is_shown(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    # A module of its own, so that classes of the page are found by name as those of a script would be.
    module = types.ModuleType(f"page_{Path(page).stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for code, shown in blocks:
        if not shown and page.startswith("docs/instruments"):
            continue  # calls on files of the reader's own
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec", dont_inherit=True), module.__dict__)
        if shown:
            assert printed.getvalue().split() == shown.split()


def test_python_on_all_other_pages_is_valid() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for code, _ in BLOCK.findall(page.read_text(encoding="utf-8")):
            compile(code, str(page), "exec")


def test_every_local_link_of_the_top_pages_leads_somewhere() -> None:
    for page in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
