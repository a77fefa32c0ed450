"""Pieces that several pages are made of: texts, tables, notices, and waiting for something that takes a while.

All colours are mixed from the colour of the text around them, so a piece is readable on a light and on a dark ground.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import panel as pn

from ..errors import RunError, SiteError, UserError

__all__ = ["MOST_BYTES", "STYLE", "html", "notice", "picture", "plain_table", "raised", "tick", "worked"]

MOST_BYTES = 20_000_000
"""The largest file that may be dropped on the page, bytes."""
STYLE = """
:host { display: block; color: inherit; }
.em-piece { font-size: 14px; line-height: 1.45; color: inherit; overflow-wrap: anywhere; }
.em-piece a { color: inherit; text-decoration: underline; }
.em-piece h3 { font-size: 16px; margin: 14px 0 4px; }
.em-piece p { margin: 4px 0 8px; max-width: 80ch; }
.em-piece small, .em-piece .quiet { opacity: 0.8; }
.em-piece code { background: color-mix(in srgb, currentColor 9%, transparent); padding: 1px 4px; border-radius: 4px; }
.em-piece .scroll { overflow-x: auto; }
.em-piece table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
.em-piece th, .em-piece td { text-align: left; padding: 3px 14px 3px 0; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); overflow-wrap: normal; }
.em-piece details { margin: 4px 0; }
.em-piece summary { cursor: pointer; }
.em-piece summary:focus-visible, .em-piece a:focus-visible, .em-piece [tabindex]:focus-visible {
  outline: 2px solid currentColor; outline-offset: 2px; }
.em-piece .notice { border-left: 4px solid #0B6FB8; padding: 6px 10px;
  background: color-mix(in srgb, currentColor 6%, transparent); }
.em-piece .notice.wrong { border-color: #D9590B; }
.em-piece .badge { display: inline-block; color: #fff; background: #5B616B; border-radius: 4px; padding: 1px 8px;
  font-size: 12.5px; font-weight: 600; }
.em-piece .badge.supported { background: #0A7A5C; }
.em-piece .badge.refuted { background: #B3261E; }
.em-piece .badge.inconclusive { background: #8A6100; }
.em-piece .swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 5px;
  vertical-align: -1px; border: 1px solid color-mix(in srgb, currentColor 45%, transparent); }
.em-piece img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
"""
"""The style sheet of every piece; panes stand in a shadow tree, so each carries it."""


def tick(words: str, on: bool = False, **look: Any) -> pn.widgets.CheckBoxGroup:
    """A box to tick whose words belong to it: they can be clicked and are read aloud, which Panel's `Checkbox` lacks.

    Its value is a list, which is empty where the box is not ticked.
    """
    return pn.widgets.CheckBoxGroup(options=[words], value=[words] if on else [], **look)


def html(text: str, *, style: str = "", **look: Any) -> pn.pane.HTML:
    """HTML of our own making in the style of the pages; what comes from elsewhere must be escaped before.

    Args:
        text: the HTML.
        style: further rules, after `STYLE`.
        look: parameters of `panel.pane.HTML`.
    """
    look = {"sizing_mode": "stretch_width", "margin": (4, 8)} | look
    return pn.pane.HTML(f'<div class="em-piece">{text}</div>', stylesheets=[STYLE + style], **look)


def notice(text: str, *, wrong: bool = False) -> pn.pane.HTML:
    """One sentence that the reader must see; `wrong` for what did not work."""
    role = "alert" if wrong else "status"
    return html(f'<p class="notice{" wrong" * wrong}" role="{role}">{escape(text)}</p>')


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> str:
    """A table as HTML; everything in it is escaped."""
    head = "".join(f'<th scope="col">{escape(str(c))}</th>' for c in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    inside = f"{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="scroll" tabindex="0"><table>{inside}</table></div>'


def picture(png: bytes, words: str, name: str) -> str:
    """A PNG inside the page, which is a link to itself for saving.

    Args:
        png: the file's bytes.
        words: what it shows, for those who do not see it.
        name: of the file that is saved, without its ending.
    """
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return (
        f'<figure style="margin:8px 0"><img src="{source}" alt="{escape(words, quote=True)}">'
        f'<figcaption><small>{escape(words)} <a download="{escape(name, quote=True)}.png" href="{source}">'
        "save as PNG</a></small></figcaption></figure>"
    )


def raised(error: Exception) -> str:
    """What went wrong in one line: a mistake of the user in its own words, anything else with its kind."""
    if isinstance(error, (UserError, RunError, SiteError)):
        return " ".join(str(error).split())
    return f"this did not work ({type(error).__name__}: {' '.join(str(error).split())[:300]})"


async def worked(work: Callable[[], Any], place: pn.Column, words: str) -> Any:
    """Do something in a thread while `place` says so; what it returns, or None after an error that `place` then shows.

    Args:
        work: takes no arguments.
        place: what is in it is replaced.
        words: what is being done, for whoever waits.
    """
    waiting = pn.indicators.LoadingSpinner(value=True, size=28, label=words, color="primary", margin=(8, 8))
    place[:] = [waiting]
    try:
        found = await asyncio.to_thread(work)
    except Exception as error:  # one line on the page; the server goes on
        place[:] = [notice(raised(error), wrong=True)]
        return None
    place[:] = []
    return found
