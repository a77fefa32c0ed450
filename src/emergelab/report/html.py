"""One self-contained HTML page from words, figures, verdicts and tables.

`render` gives the text of the page, `write_report` writes it. Everything that comes from data is escaped,
figures are inlined as PNG, and the page's content security policy forbids it to fetch anything or to run
scripts.
"""

from __future__ import annotations

import base64
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from emergelab.report.interval import estimate_words, holds, interval_svg, number
from emergelab.report.words import inline, link, paragraphs, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERDICTS: dict[str, tuple[str, str]] = {
    "supported": ("✓", "the whole interval lies where the claim holds"),
    "refuted": ("✕", "the whole interval lies where the claim does not hold"),
    "inconclusive": ("?", "the interval lies on both sides of the margin"),
    "untested": ("–", "the run has not got what the claim needs"),
}
"""The four verdicts, each with its sign and with what it means."""

_PNG = b"\x89PNG\r\n\x1a\n"


class Verdict(TypedDict, total=False):
    """One claim and what became of it. `text` and `verdict` are required, the rest is shown where given."""

    text: str
    """The claim, one sentence."""
    verdict: str
    """`supported`, `refuted`, `inconclusive` or `untested`."""
    value: float | None
    """The estimate."""
    low: float | None
    """Lower end of its interval (None or NaN: no interval is claimed)."""
    high: float | None
    """Upper end of its interval."""
    level: float
    """Level of the interval, 0.95 when not given."""
    direction: str
    """`>`, `<` or `=`."""
    margin: float | None
    """Smallest effect of interest, in the unit of the estimate."""
    unit: str
    """Unit of the estimate; empty or "1" for a pure number."""
    seeds: int
    """Number of seeds behind the estimate."""
    method: str
    """How the interval was found, a few words."""
    p: float | None
    """p value, adjusted for the number of claims."""
    test: str
    """What was estimated, in words (`contrast of end-point accuracy, bursty minus uniform`)."""
    published: str
    """What the paper reports."""
    about: str
    """Why the margin is what it is, or how to read the result."""
    reason: str
    """Why there is no clear verdict, or how many seeds would settle it."""
    note: str
    """What a reader must know about the estimate, such as seeds that were left out."""


class Table(NamedTuple):
    """A table of a report."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Answer(NamedTuple):
    """One question of a report, answered in a sentence."""

    question: str
    answer: str
    number: str = ""
    """The number behind it, with its interval."""


class Reference(NamedTuple):
    """A paper or page the report rests on; the address is shown as a link if it is http or https."""

    text: str
    url: str = ""


def write_report(
    path: str | Path,
    *,
    title: str,
    question: str,
    lead: str,
    figures: Sequence[tuple[str, bytes | Figure]] = (),
    verdicts: Sequence[Mapping[str, Any]] = (),
    tables: Sequence[Table | tuple[str, Sequence[str], Sequence[Sequence[Any]]]] = (),
    cannot_see: Sequence[str] = (),
    command: str = "",
    versions: Mapping[str, str] | None = None,
    notes: str | Sequence[str] = (),
    references: Sequence[Reference | tuple[str, str]] = (),
    answers: Sequence[Answer] = (),
    made: datetime | None = None,
) -> Path:
    """Write a report as one self-contained HTML file and return its path.

    Args:
        path: the file; folders on the way are made, a file already there is replaced in one go.
        title: what was studied, a few words.
        question: the question the report answers, one sentence.
        lead: the answer, for a reader who stops there. Blank lines part paragraphs. This and all other
            sentences may hold the little Markdown that `emergelab.report.words` knows.
        figures: (caption, figure) pairs; a figure is the bytes of a PNG file or a matplotlib `Figure`.
        verdicts: one mapping a claim, keys as in `Verdict`.
        tables: (caption, column names, rows) triples; numbers are shown with three significant digits.
        cannot_see: what the method cannot tell, one sentence each.
        command: the exact command that repeats the result.
        versions: name -> version of what it was made with.
        notes: remarks for the end of the page: paragraphs.
        references: (text, address) pairs.
        answers: questions with their answers, the first thing on the page; the lead then follows the figures.
        made: time shown on the page, now in UTC when not given.

    Raises:
        ValueError: for a figure that is neither a PNG nor a matplotlib figure, for a verdict that is not one
            of the four, and for a table's row whose length differs from the number of columns.
    """
    text = render(
        title=title,
        question=question,
        lead=lead,
        figures=figures,
        verdicts=verdicts,
        tables=tables,
        cannot_see=cannot_see,
        command=command,
        versions=versions,
        notes=notes,
        references=references,
        answers=answers,
        made=made,
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A reader that looks while the page is being written sees the old page or the new one, never half of one.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
    return path


def render(
    *,
    title: str,
    question: str,
    lead: str,
    figures: Sequence[tuple[str, bytes | Figure]] = (),
    verdicts: Sequence[Mapping[str, Any]] = (),
    tables: Sequence[Table | tuple[str, Sequence[str], Sequence[Sequence[Any]]]] = (),
    cannot_see: Sequence[str] = (),
    command: str = "",
    versions: Mapping[str, str] | None = None,
    notes: str | Sequence[str] = (),
    references: Sequence[Reference | tuple[str, str]] = (),
    answers: Sequence[Answer] = (),
    made: datetime | None = None,
) -> str:
    """The text of the page that `write_report` writes; arguments and errors are the same."""
    made = made or datetime.now(UTC)
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    body = [
        '<header><p class="kicker">emergelab report</p>',
        f"<h1>{inline(title)}</h1>",
        f'<p class="question">{inline(question)}</p></header>',
        _tally(verdicts),
        _answers(answers) if answers else f'<section class="lead">{paragraphs(lead)}</section>',
        _verdicts(verdicts),
        _figures(figures),
        _section("In words", paragraphs(lead)) if answers else "",
        _tables(tables),
        _box("What the method cannot see", cannot_see),
        _reproduce(command, versions or {}),
        _section("Notes", paragraphs("\n\n".join([notes] if isinstance(notes, str) else notes))),
        _references(references),
        f'<footer>Made with emergelab on <time datetime="{made.isoformat(timespec="seconds")}">'
        f"{made.day} {made:%B %Y, %H:%M} {escape(made.tzname() or '')}</time>.</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _answers(answers: Sequence[Answer]) -> str:
    """Questions and answers, for a reader who knows neither the instruments nor their verdicts."""
    items = "".join(
        f"<div><dt>{inline(question)}</dt><dd><b>{inline(answer)}</b>"
        + (f'<span class="number">{inline(number)}</span>' if number else "")
        + "</dd></div>"
        for question, answer, number in answers
    )
    return f'<dl class="answers">{items}</dl>'


def _tally(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """How many claims came out how: the first thing a hurried reader looks for."""
    if not verdicts:
        return ""
    count = Counter(str(v.get("verdict")) for v in verdicts)
    chips = [f'<li class="chip {kind}"><b>{count[kind]}</b> {kind}</li>' for kind in VERDICTS if count.get(kind)]
    return f'<ul class="tally" aria-label="verdicts">{"".join(chips)}</ul>'


def _verdicts(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """The claims with their badges and intervals."""
    if not verdicts:
        return ""
    cards = "\n".join(_card(i, verdict) for i, verdict in enumerate(verdicts, 1))
    key = (
        '<p class="key">The shade is where a claim holds, set by its margin before looking. The bar is the '
        "interval over seeds: wholly inside the shade the claim is supported, wholly outside refuted, "
        "otherwise inconclusive. A verdict must also outlast the correction for the number of claims: p is "
        "the adjusted value.</p>"
    )
    return _section("Claims and verdicts", f'{key}<ol class="claims">\n{cards}\n</ol>')


def _card(index: int, given: Mapping[str, Any]) -> str:
    """One claim: badge, sentence, interval, numbers, what the paper reports, how to read it."""
    verdict = str(given.get("verdict"))
    if verdict not in VERDICTS:
        raise ValueError(f"report: verdict of claim {index} must be one of {', '.join(VERDICTS)}, got {verdict!r}")
    sign, meaning = VERDICTS[verdict]
    value, low, high, margin = (_float(given.get(key)) for key in ("value", "low", "high", "margin"))
    direction = str(given.get("direction", ""))
    picture = interval_svg(value, low, high, direction=direction, margin=margin, verdict=verdict)
    facts = [
        ("Measured", _measured(given, value, low, high)),
        ("Holds if", _with_unit(holds(direction, margin), given)),
        ("Published", inline(given.get("published", ""))),
        ("Test", inline(given.get("test", ""))),
        ("Reading", inline(given.get("about", ""))),
        ("Remark", inline("; ".join(str(given[key]) for key in ("reason", "note") if given.get(key)))),
    ]
    rows = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in facts if text)
    return (
        f'<li class="claim {verdict}"><div class="head">'
        f'<span class="badge {verdict}" title="{escape(meaning)}">'
        f'<span aria-hidden="true">{sign}</span> {verdict}</span>'
        f"<p>{inline(given.get('text', ''))}</p></div>"
        f'<div class="evidence">{picture}<dl>{rows}</dl></div></li>'
    )


def _measured(given: Mapping[str, Any], value: float | None, low: float | None, high: float | None) -> str:
    """The estimate in words: value, interval, seeds, p."""
    if value is None or math.isnan(value):
        return ""
    method = str(given.get("method", ""))
    middle, left, right = estimate_words(value, low, high)
    text = f"<b>{_with_unit(middle, given)}</b>"
    if left and right:
        level = 100 * float(given.get("level", 0.95))
        text += f" [{left}, {right}] ({level:g}% interval{', ' + escape(method) if method else ''})"
    else:
        text += f" ({escape(method) or 'too few seeds for an interval'})"
    if given.get("seeds") is not None:
        text += f" over {int(given['seeds'])} seeds"
    p = _float(given.get("p"))
    if p is not None and not math.isnan(p):
        text += ", p\N{NO-BREAK SPACE}" + (
            "&lt;\N{NO-BREAK SPACE}0.0001" if p < 1e-4 else f"=\N{NO-BREAK SPACE}{number(p)}"
        )
    return text


def _figures(figures: Sequence[tuple[str, bytes | Figure]]) -> str:
    """Figures, numbered, each inlined."""
    items = []
    for i, (caption, figure) in enumerate(figures, 1):
        data = base64.b64encode(_png(i, figure)).decode("ascii")
        alt = escape(plain(caption), quote=True)
        items.append(
            f'<figure id="figure-{i}"><img alt="{alt}" src="data:image/png;base64,{data}">'
            f"<figcaption><b>Figure {i}.</b> {inline(caption)}</figcaption></figure>"
        )
    return _section("Figures", "\n".join(items))


def _png(index: int, figure: bytes | Figure) -> bytes:
    """The bytes of a figure's PNG."""
    if isinstance(figure, bytes):
        if not figure.startswith(_PNG):
            raise ValueError(f"report: figure {index} is not a PNG file (its first bytes are {figure[:8]!r})")
        return figure
    if hasattr(figure, "savefig"):
        from emergelab.figures import png  # matplotlib is slow to import, and a report of numbers needs none

        return png(figure)
    raise ValueError(
        f"report: figure {index} must be the bytes of a PNG or a matplotlib Figure, got {type(figure).__name__}"
    )


def _tables(tables: Sequence[Table | tuple[str, Sequence[str], Sequence[Sequence[Any]]]]) -> str:
    """Tables, numbered; columns of numbers are set flush right."""
    items = []
    for i, (caption, columns, rows) in enumerate(tables, 1):
        for row in rows:
            if len(row) != len(columns):
                raise ValueError(f"report: table {i} has {len(columns)} columns but a row of {len(row)}: {list(row)!r}")
        numeric = [
            bool(rows) and all(row[c] is None or _is_number(row[c]) for row in rows) for c in range(len(columns))
        ]
        kinds = [' class="number"' if is_numeric else "" for is_numeric in numeric]
        head = "".join(f'<th scope="col"{k}>{inline(c)}</th>' for c, k in zip(columns, kinds, strict=True))
        lines = "".join(
            "<tr>" + "".join(f"<td{k}>{_cell(c)}</td>" for c, k in zip(row, kinds, strict=True)) + "</tr>"
            for row in rows
        )
        items.append(
            f'<div class="table"><table><caption><b>Table {i}.</b> {inline(caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
        )
    return _section("Tables", "\n".join(items))


def _reproduce(command: str, versions: Mapping[str, str]) -> str:
    """The exact command and the versions, in blocks that one click selects."""
    blocks = ""
    if command:
        blocks += f'<pre class="copy" tabindex="0"><code>{escape(command)}</code></pre>'
    if versions:
        lines = "\n".join(f"{name}=={version}" for name, version in versions.items())
        blocks += f'<p class="key">Made with</p><pre class="copy" tabindex="0"><code>{escape(lines)}</code></pre>'
    return _section("To repeat this", blocks)


def _references(references: Sequence[Reference | tuple[str, str]]) -> str:
    """References with their addresses."""
    items = [f"<li>{inline(text)} {link(url)}</li>" for text, url in references]
    return _section("References", f"<ul>{''.join(items)}</ul>" if items else "")


def _box(title: str, sentences: Sequence[str]) -> str:
    """A set-off list of sentences."""
    items = "".join(f"<li>{inline(sentence)}</li>" for sentence in sentences)
    return f'<aside class="blind"><h2>{escape(title)}</h2><ul>{items}</ul></aside>' if items else ""


def _section(title: str, content: str) -> str:
    """A section with a heading, or nothing where there is no content."""
    return f"<section><h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def _with_unit(text: str, given: Mapping[str, Any]) -> str:
    """A number in words with the unit of its claim."""
    unit = str(given.get("unit", ""))
    return f"{escape(text)} {escape(unit)}" if text and unit not in ("", "1") else escape(text)


def _is_number(x: object) -> bool:
    """Whether a cell is a number (also numpy's), and not a truth value."""
    return hasattr(x, "__float__") and not isinstance(x, (bool, str)) and type(x).__name__ != "bool"


def _cell(x: object) -> str:
    """A cell of a table: whole numbers in full, other numbers with three digits, the rest as text."""
    if x is None:
        return "–"
    if not _is_number(x):
        return inline(x)
    value = float(x)  # type: ignore[arg-type]
    if isinstance(x, int) or (hasattr(x, "dtype") and getattr(x.dtype, "kind", "") in "iu"):
        return f"{int(value):,}".replace("-", "\N{MINUS SIGN}")
    return number(value)


def _float(x: object) -> float | None:
    """The number, or None where there is none."""
    return None if x is None else float(x)  # type: ignore[arg-type]
