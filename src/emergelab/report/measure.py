"""`emergelab measure`: a user's own curves, asked when it emerged and whether the jump is in the system or the
score.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..errors import UserError
from ..instruments import Result, mirage, onset
from ..runs import provenance
from ..runs.importers.tidy import from_frame, keep_rows, read_table, spread
from .assemble import write_page
from .html import Table, render

#: which tables of an instrument a reader needs, and which of their columns, under plain headings
_TABLES: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "onset": {
        "conditions": ("Condition by condition", {
            "condition": "condition", "seeds": "replicates", "emerged": "emerged", "median_onset": "median onset",
            "median_low": "from", "median_high": "to", "W_decades": "10-90 % in decades"}),
        "contrasts": ("Earlier or later", {
            "a": "condition", "b": "against", "difference": "mean onset differs by", "low": "from", "high": "to",
            "p_holm": "p (Holm)", "verdict": "finding"}),
        "order": ("Which comes first within a replicate", {
            "companion": "companion", "condition": "condition", "companion_first": "companion first",
            "companion_last": "score first", "undecided": "same record or neither", "lead": "lead", "p": "p"}),
        "seeds": ("Replicate by replicate", {
            "condition": "condition", "seed": "replicate", "emerged": "emerged", "after": "not yet at",
            "onset": "onset at",
            "midpoint": "midpoint", "W_decades": "10-90 % in decades", "A": "abruptness", "final": "final level"}),
    },
    "mirage": {
        "tests": ("In the metric or in the system: the tests", {
            "test": "test", "verdict": "finding", "value": "value", "p": "p", "about": "how"}),
    },
}  # fmt: skip
_CAPTIONS = {
    "onset": "Left: each replicate and the mean over them. Middle: every replicate set to its own onset, which shows "
    "how abrupt "
    "one is. Right: the share of replicates in which it has not emerged yet (Kaplan-Meier).",
    "mirage": "Left: the score against its companion; if one monotone curve carries all points, the companion "
    "explains the score. "
    "Right: both over time as a share of their own change; a companion that rises earlier and smoothly makes the "
    "jump a mirage.",
}


@dataclass(frozen=True)
class Measured:
    """What the instruments said of one file."""

    title: str
    results: tuple[Result, ...]
    seeds: str | None
    unanswered: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready: verdict, words, warnings and tables of every instrument."""
        return {
            "file": self.title,
            "unanswered": list(self.unanswered),
            "results": [json.loads(r.to_json()) for r in self.results],
        }

    def _tables(self, result: Result) -> list[Table]:
        out = []
        for name, (caption, columns) in _TABLES[result.instrument].items():
            frame = result.to_frame(name)
            if frame.empty or (name == "conditions" and len(frame) == 1):
                continue
            # A column without a single value, or with the same condition all the way down, says nothing.
            kept = [c for c in columns if not frame[c].isna().all() and (c != "condition" or frame[c].nunique() > 1)]
            rows = [[_cell(v) for v in row] for row in frame[kept].itertuples(index=False)]
            out.append(Table(caption, [columns[c] for c in kept], rows))
        return out

    @staticmethod
    def _finding(result: Result) -> str:
        """The finding in words; with many conditions the tables say it better."""
        if result.instrument == "onset" and len(result.to_frame("conditions")) > 2:
            return f"{result.headline}: {result.estimate}."
        return result.words

    def terminal(self) -> list[Any]:
        """Tables and sentences for the terminal."""
        from ..terminal import table

        out: list[Any] = []
        for result in self.results:
            out.append(f"[bold]{result.question}[/]")
            for caption, columns, rows in self._tables(result):
                made = table(*columns, title=caption, title_justify="left", title_style="dim")
                for row in rows:
                    made.add_row(*row)
                out.append(made)
            out.append(f"{result.instrument}: [bold]{result.verdict}[/]. {_plain(self._finding(result))}")
            out.extend(f"  warning: {_plain(w)}" for w in result.warnings)
            out.append("")
        out.extend(f"not asked: {line}" for line in self.unanswered)
        return out

    def write(self, out: str | os.PathLike[str]) -> str:
        """Write the one-page report; returns where it lies."""
        figures = [(_CAPTIONS[r.instrument], r.plot()) for r in self.results if _has_curves(r)]
        lead = "\n\n".join(f"{r.instrument.capitalize()}: {r.verdict}. {self._finding(r)}" for r in self.results)
        text = render(
            title=self.title,
            question=" ".join(r.question for r in self.results),
            lead=lead,
            figures=figures,
            tables=[t for r in self.results for t in self._tables(r)],
            cannot_see=[r.cannot_see for r in self.results] + list(self.unanswered),
            command=provenance.command(),
            versions=provenance.versions(),
            notes=[f"{r.instrument}: {w}." for r in self.results for w in r.warnings],
        )
        return write_page(out, text)


def _has_curves(result: Result) -> bool:
    return any(v.size for v in result.diagnostics.data_vars.values())


def _plain(text: str) -> str:
    # Square brackets are markup to the terminal's writer.
    return text.replace("[", r"\[")


def _cell(value: Any) -> str:
    """A cell of a table: few digits, words for truth, a dash for what is not known."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        if np.isnan(value):
            return "–"
        x = float(value)
        return f"{x:.0f}" if x == round(x) and abs(x) < 1e9 else f"{x:.3g}"
    return str(value)


def measure_file(
    file: str | os.PathLike[str],
    *,
    time: str,
    value: str,
    seed: str | None = None,
    by: str | None = None,
    companion: str | None = None,
    stderr: str | None = None,
    items: int | None = None,
    where: Sequence[tuple[str, str]] = (),
    spread_columns: tuple[str, str] | None = None,
    threshold: float | None = None,
    k: int = 3,
    direction: Literal["up", "down"] = "up",
) -> Measured:
    """Ask a tidy table when its score emerged and, if it names a companion, whether the jump is a mirage.

    Args:
        file: CSV, TSV, Parquet or JSON lines.
        time, value, seed, by, companion, stderr: names of columns (see `from_frame`).
        items: number of test items behind each score.
        where: (column, value) pairs; only rows that have them all are kept.
        spread_columns: (column of score names, column of values) of a long table.
        threshold, k, direction: as in `instruments.onset`.

    Raises:
        UserError: anything that does not fit the file or the instruments.
    """
    name = Path(file).name
    if items is not None and items < 1:
        raise UserError(f"items must be a whole number >= 1, got {items}")
    frame = keep_rows(read_table(Path(file)), where, name)
    if spread_columns is not None:
        keys = [c for c in (seed, by, time) if c is not None]
        frame = spread(frame, *spread_columns, keys, [stderr] if stderr else [], name)
        stderr = f"{value}_{stderr}" if stderr else None
    frame, companion = _transformed(frame, companion, name)
    data = from_frame(frame, time=time, value=value, seed=seed, by=by, companion=companion, stderr=stderr, name=name)
    results = [
        onset(
            data, value, threshold=threshold, k=k, direction=direction, stderr=stderr, items=items, companion=companion
        ),  # type: ignore[arg-type]
        mirage(data, value, companion, stderr=stderr, items=items),
    ]
    if companion is None and not results[1].warnings:
        results.pop()  # without a companion the only thing it can see is a score that sits on label base rates
    title = f"{value} in {name}" + (", " + ", ".join(f"{c} = {v}" for c, v in where) if where else "")
    return Measured(title, tuple(results), seed, tuple(_unanswered(seed, by, companion, stderr, items)))


def _transformed(frame: pd.DataFrame, companion: str | None, name: str) -> tuple[pd.DataFrame, str | None]:
    """`log(ppl)` names the logarithm of a column."""
    found = re.fullmatch(r"(log|sqrt)\((.+)\)", companion or "")
    if companion is None or companion in frame or not found:
        return frame, companion
    function, column = found.groups()
    if column not in frame:
        raise UserError(f"{name}: no column {column!r} for --companion {companion}")
    numbers = pd.to_numeric(frame[column], errors="coerce")
    if (numbers <= 0).any():
        raise UserError(
            f"{name}: --companion {companion} needs positive numbers, column {column!r} has {numbers.min():g}"
        )
    return frame.assign(**{companion: np.log(numbers) if function == "log" else np.sqrt(numbers)}), companion


def _unanswered(
    seed: str | None, by: str | None, companion: str | None, stderr: str | None, items: int | None
) -> list[str]:
    """Questions that this table cannot answer, and the column that would make them answerable."""
    out = []
    if seed is None:
        out.append("whether it happens again: without --seed COL everything is within one run only")
    if by is None:
        out.append("whether it comes earlier under another condition: name a column with --by COL")
    if companion is None:
        out.append(
            "whether the jump is in the system or in the score: name a continuous score of the same outputs with "
            "--companion COL"
        )
    if stderr is None and items is None:
        out.append("whether zeros are below the score's resolution: give --items N or --stderr COL")
    return out
