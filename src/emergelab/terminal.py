"""What the command line prints: verdicts, catalogues, pages. Only words and tables; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = {"supported": "green", "refuted": "red", "inconclusive": "yellow", "untested": "bright_black"}
SIGNS = {"supported": "✓", "refuted": "✕", "inconclusive": "?", "untested": "–"}


def console() -> Console:
    """Where results go. In a pipe lines are not wrapped at 80 columns, so that they can be searched."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=140)


def table(*columns: str, **options: Any) -> Table:
    """A table in the house's style."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", **options)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def number(x: float | None) -> str:
    """Three significant digits, without exponents where they can be avoided."""
    if x is None:
        return "–"
    if x == 0 or 1e-3 <= abs(x) < 1e6:
        return f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}"
    return f"{x:.2e}"


def interval(row: Mapping[str, Any]) -> str:
    """`0.87 [0.81, 0.92]`."""
    if row["value"] is None:
        return "–"
    if row["low"] is None or row["high"] is None:
        return number(row["value"])
    return f"{number(row['value'])} [{number(row['low'])}, {number(row['high'])}]"


def bound(row: Mapping[str, Any]) -> str:
    """What the claim demands of the estimate: `> 0.2`, `within ±0.5`."""
    m = number(row["margin"])
    return {">": f"> {m}", "<": f"< -{m}", "=": f"within ±{m}"}[row["direction"]]


def verdict_table(verdicts: Sequence[Mapping[str, Any]]) -> Table:
    """One line a claim."""
    made = table("verdict", "claim", "effect [95 %]", "claimed", "seeds", "published")
    made.columns[0].no_wrap = made.columns[3].no_wrap = True
    for row in verdicts:
        word = row["verdict"]
        claim = Text(row["text"])
        for extra in (row["reason"], row["note"]):
            if extra:
                claim.append(f"\n{extra}", style="dim")
        made.add_row(
            Text(f"{SIGNS[word]} {word}", style=COLOURS[word]),
            claim,
            interval(row),
            bound(row),
            str(row["seeds"]),
            row["published"],
        )
    return made


def summary(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """`6 supported, 5 refuted, 1 inconclusive`."""
    counts = {word: sum(v["verdict"] == word for v in verdicts) for word in SIGNS}
    return ", ".join(f"{n} {word}" for word, n in counts.items() if n) or "no claims"
