"""The report page: everything from data is escaped, nothing is fetched, every figure and verdict is on it."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emergelab import figures
from emergelab.report import Table, interval_svg, render, write_report
from emergelab.report.interval import estimate_words, number
from emergelab.report.words import inline, paragraphs

HOSTILE = "<script>alert('x')</script> & \"quoted\" <img src=x onerror=alert(1)>"
VOID = {"meta", "img", "br", "line", "rect", "circle"}


class Page(HTMLParser):
    """Collects the elements of a page and checks that they are properly nested."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
            self.open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def picture() -> Any:
    fig, ax = figures.new(width=2, height=1.5)
    ax.plot([0, 1], [0, 1])
    return fig


def verdict(kind: str, **more: Any) -> dict[str, Any]:
    base = {"text": f"A claim that is {kind}", "verdict": kind, "direction": ">", "margin": 0.2, "seeds": 12}
    return base | {"value": 0.5, "low": 0.3, "high": 0.7} | more


def page(**given: Any) -> str:
    base: dict[str, Any] = {"title": "T", "question": "Q?", "lead": "L."}
    return render(**(base | given))


def test_everything_from_data_is_escaped() -> None:
    text = render(
        title=HOSTILE,
        question=HOSTILE,
        lead=HOSTILE,
        figures=[(HOSTILE, picture())],
        verdicts=[
            verdict(
                "supported",
                text=HOSTILE,
                unit=HOSTILE,
                published=HOSTILE,
                about=HOSTILE,
                reason=HOSTILE,
                test=HOSTILE,
            )
        ],
        tables=[Table(HOSTILE, [HOSTILE], [[HOSTILE]])],
        cannot_see=[HOSTILE],
        command=HOSTILE,
        versions={HOSTILE: HOSTILE},
        notes=[HOSTILE],
        references=[(HOSTILE, "javascript:alert(1)"), (HOSTILE, 'https://e.org/"><script>')],
    )
    parsed = Page(text)
    tags = {tag for tag, _ in parsed.elements}
    assert "script" not in tags
    assert [i for i in parsed.all("img") if not i["src"].startswith("data:image/png;base64,")] == []
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    assert [a["href"] for a in parsed.all("a")] == ['https://e.org/"><script>']
    assert "".join(parsed.words).count("<script>alert('x')</script>") >= 14


def test_page_is_self_contained(tmp_path: Path) -> None:
    text = write_report(
        tmp_path / "new" / "report.html",
        title="T",
        question="Q",
        lead="L",
        figures=[("one", picture()), ("two", figures.png(picture()))],
        verdicts=[verdict("supported")],
        references=[("Paper", "https://arxiv.org/abs/2401.00001")],
    ).read_text(encoding="utf-8")
    parsed = Page(text)
    for tag in ("script", "link", "iframe", "object", "embed", "base", "video", "audio", "source"):
        assert parsed.all(tag) == [], tag
    for tag, attributes in parsed.elements:
        for name in ("src", "srcset", "background", "poster", "xlink:href", "action", "data"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, name)
        assert tag == "a" or "href" not in attributes
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style and not re.search(r"url\(|@import|http", style.group(1))
    policy = next(m["content"] for m in parsed.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["report.html"]


def test_all_figures_are_inlined_in_order() -> None:
    images = [figures.png(picture()), figures.png(figures.new(width=1, height=1)[0])]
    parsed = Page(page(figures=[("first `one`", images[0]), ("second", images[1])]))
    sources = [base64.b64decode(i["src"].removeprefix("data:image/png;base64,")) for i in parsed.all("img")]
    assert sources == images
    assert [i["alt"] for i in parsed.all("img")] == ["first one", "second"]


def test_verdicts_are_shown_with_badge_interval_and_numbers() -> None:
    kinds = ["supported", "refuted", "inconclusive", "untested"]
    text = page(verdicts=[verdict(kind) for kind in kinds])
    parsed = Page(text)
    badges = [a["class"].split()[1] for a in parsed.all("span") if a.get("class", "").startswith("badge")]
    assert badges == kinds
    assert len(parsed.all("svg")) == 4
    for kind in kinds:
        assert f"A claim that is {kind}" in text
        assert f"<b>1</b> {kind}" in text
    assert "<b>0.50</b> [0.30, 0.70] (95% interval) over 12 seeds" in text
    assert "above 0.2" in text


def test_a_claim_without_numbers_has_no_picture() -> None:
    text = page(verdicts=[{"text": "c", "verdict": "untested", "reason": "no condition `b`"}])
    assert "<svg" not in text and "Measured" not in text and "<code>b</code>" in text
    few = page(verdicts=[verdict("inconclusive", low=float("nan"), high=float("nan"), seeds=3)])
    assert "too few seeds for an interval" in few and 'class="bar"' not in few


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"verdicts": [{"text": "c", "verdict": "proven"}]}, "must be one of supported"),
        ({"figures": [("c", b"GIF89a")]}, "not a PNG"),
        ({"figures": [("c", "picture.png")]}, "matplotlib Figure, got str"),
        ({"tables": [("c", ["a", "b"], [[1]])]}, "2 columns but a row of 1"),
    ],
)
def test_what_cannot_be_shown_is_an_error(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        page(**given)


def test_empty_parts_leave_no_heading() -> None:
    assert "<h2>" not in page()


def test_tables_show_numbers_for_reading() -> None:
    text = page(tables=[("c", ["name", "n", "x"], [["a", np.int64(12345), np.float32(0.123456)], ["b", 2, None]])])
    assert "<td>a</td>" in text
    assert '<td class="number">12,345</td>' in text
    assert '<td class="number">0.123</td>' in text
    assert '<td class="number">–</td>' in text


def test_the_same_input_gives_the_same_page() -> None:
    made = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    pages = [page(figures=[("c", picture())], made=made) for _ in range(2)]
    assert pages[0] == pages[1]
    assert "2 January 2026, 03:04 UTC" in pages[0]


def shade(svg: str) -> tuple[float, float]:
    found = re.search(r'class="holds" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg)
    assert found
    return float(found[1]), float(found[1]) + float(found[2])


def ends(svg: str) -> tuple[float, float]:
    found = re.search(r'class="bar" x1="([\d.]+)" x2="([\d.]+)"', svg)
    assert found
    return float(found[1]), float(found[2])


@pytest.mark.parametrize(
    ("direction", "low", "high", "inside"),
    [
        (">", 0.3, 0.7, True),
        (">", -0.7, 0.1, False),
        ("<", -0.7, -0.3, True),
        ("<", -0.1, 0.4, False),
        ("=", -0.1, 0.1, True),
        ("=", 0.3, 0.4, False),
    ],
)
def test_interval_lies_in_the_shade_exactly_where_the_claim_holds(
    direction: str, low: float, high: float, inside: bool
) -> None:
    svg = interval_svg((low + high) / 2, low, high, direction=direction, margin=0.2)
    left, right = shade(svg)
    a, b = ends(svg)
    if inside:
        assert left < a < b < right
    else:
        assert b < left or a > right


def test_interval_with_infinite_or_missing_ends_is_still_a_picture() -> None:
    inf, nan = float("inf"), float("nan")
    open_ended = interval_svg(1.0, 0.5, inf, direction=">", margin=0.2)
    assert "nan" not in open_ended and "inf " not in open_ended and open_ended.count('class="cap"') == 1
    assert interval_svg(nan, nan, nan, direction=">", margin=0.2) == ""
    assert interval_svg(None, None, None, direction=">", margin=0.2) == ""
    assert 'class="holds"' not in interval_svg(1.0, 0.5, 1.5, direction=">", margin=None)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0"),
        (0.12345, "0.123"),
        (-0.5, "−0.5"),
        (12.0, "12"),
        (100.4, "100"),
        (12345.6, "12,346"),
        (2.5e-7, "2.5e−7"),
        (1e9, "1e9"),
        (float("nan"), "n/a"),
        (float("-inf"), "−∞"),
        (None, "n/a"),
    ],
)
def test_numbers_are_written_for_reading(x: float | None, text: str) -> None:
    assert number(x) == text


def test_an_interval_has_as_many_decimals_as_its_width_warrants() -> None:
    assert estimate_words(0.2194, 0.2101, 0.2305) == ("0.219", "0.210", "0.231")
    assert estimate_words(-1e-9, -0.38, 0.37) == ("0.00", "−0.38", "0.37")
    assert estimate_words(1234.4, 1100.0, 1300.0) == ("1,234", "1,100", "1,300")
    assert estimate_words(0.5, None, float("nan")) == ("0.5", "", "")
    assert estimate_words(0.5, 0.5, 0.5) == ("0.5", "0.5", "0.5")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a **b** and *c*, `d * e * f`", "a <strong>b</strong> and <em>c</em>, <code>d * e * f</code>"),
        ("2 * 3 * 4 and a*b*c", "2 * 3 * 4 and a*b*c"),
        ("[x](https://e.org/a_(b))", '<a href="https://e.org/a_(b)" rel="noreferrer">x</a>'),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ('[x](https://e.org/"onclick=1)', '<a href="https://e.org/&quot;onclick=1" rel="noreferrer">x</a>'),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
    ],
)
def test_sentences_may_hold_a_little_markdown(text: str, html: str) -> None:
    assert inline(text) == html


def test_paragraphs_and_lists() -> None:
    text = "One\ntwo.\n\nDiffers:\n- a\n  b\n- c\n\n1. d\n2. e\n"
    assert paragraphs(text) == (
        "<p>One two.</p><p>Differs:</p><ul><li>a b</li><li>c</li></ul><ol><li>d</li><li>e</li></ol>"
    )
    assert paragraphs("  \n\n ") == ""


@given(st.text())
def test_no_text_breaks_the_page(text: str) -> None:
    parsed = Page(page(lead=text, notes=[text], verdicts=[verdict("refuted", text=text)]))
    tags = {tag for tag, _ in parsed.elements}
    assert not tags & {"script", "iframe", "img", "link", "object"}
