"""The little Markdown that the sentences of a report may hold, made safe.

Paragraphs, bulleted and numbered lists, `code`, **strong** and *emphasised* words and [links](https://...)
are known, as the docstring of a study uses them. Everything is escaped first, so nothing else can get
through, and only http and https addresses become links.
"""

from __future__ import annotations

import re
from html import escape

_ITEM = re.compile(r"^\s*(?:[-*]|\d+[.)])\s+")
_ORDERED = re.compile(r"^\s*\d+[.)]\s+")
_CODE = re.compile(r"(`[^`\n]+`)")
_LINK = re.compile(r"\[([^\]\n]+)\]\((https?://[^\s()]+(?:\([^\s()]*\)[^\s()]*)*)\)")


def inline(text: object) -> str:
    """One sentence as HTML."""
    pieces = _CODE.split(escape(" ".join(str(text).split()), quote=True))
    return "".join(f"<code>{piece[1:-1]}</code>" if i % 2 else _marked(piece) for i, piece in enumerate(pieces))


def plain(text: object) -> str:
    """One sentence without its marks, for places that take none; not escaped."""
    return re.sub(r"\*\*|`", "", _LINK.sub(r"\1", " ".join(str(text).split())))


def paragraphs(text: str) -> str:
    """Text with blank lines between its paragraphs as HTML; lines that begin with `-` or `1.` are lists."""
    return "".join(_block(block) for block in re.split(r"\n\s*\n", text.strip("\n")) if block.strip())


def link(url: str) -> str:
    """An address: a link if it is http or https, so that no other scheme slips in, else only text."""
    if re.match(r"https?://", url):
        return f'<a href="{escape(url, quote=True)}" rel="noreferrer">{escape(url)}</a>'
    return escape(url)


def _marked(escaped: str) -> str:
    """Strong and emphasised words and links in text that is escaped already and holds no code."""
    escaped = _LINK.sub(r'<a href="\2" rel="noreferrer">\1</a>', escaped)
    escaped = re.sub(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", r"<strong>\1</strong>", escaped)
    return re.sub(r"(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=[^\s*])\*(?![\w*])", r"<em>\1</em>", escaped)


def _block(block: str) -> str:
    """A paragraph and the list that may follow it without a blank line."""
    before: list[str] = []
    items: list[list[str]] = []
    for line in block.splitlines():
        if _ITEM.match(line):
            items.append([_ITEM.sub("", line)])
        elif items:
            items[-1].append(line)
        else:
            before.append(line)
    html = f"<p>{inline(' '.join(before))}</p>" if before else ""
    if items:
        tag = "ol" if _ORDERED.match(block.splitlines()[len(before)]) else "ul"
        html += f"<{tag}>" + "".join(f"<li>{inline(' '.join(item))}</li>" for item in items) + f"</{tag}>"
    return html
