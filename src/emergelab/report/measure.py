"""`emergelab measure`: a user's own curves, asked all that they can answer."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from ..errors import UserError
from ..instruments import CrossCheck, Result, cross_check, learning_curves
from ..runs import provenance
from .assemble import write_page
from .html import Answer, Table, render
from .questions import QUESTIONS, Facts, chosen
from .reading import Columns, Opened
from .reading import read as _read

_MOST_ROWS = 24  # of a table in the terminal
_LEAST_BEFORE = 10  # records before the first onset from which a law may be read


@dataclass(frozen=True)
class Measured:
    """What the instruments said of one or several files.

    Attributes:
        title: what was measured.
        results: one a question that could be asked.
        checks: where the instruments agree with each other.
        read: how the files were read, one sentence each.
        unanswered: questions that the data cannot answer, and which column would make them answerable.
    """

    title: str
    results: tuple[Result, ...]
    checks: CrossCheck
    read: tuple[str, ...]
    unanswered: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready: verdict, words, warnings and tables of every instrument."""
        return {
            "file": self.title,
            "read": list(self.read),
            "unanswered": list(self.unanswered),
            "cross_checks": list(self.checks.words),
            "results": [json.loads(r.to_json()) for r in self.results],
        }

    def _tables(self, result: Result) -> list[Table]:
        out = []
        for name, (caption, columns) in QUESTIONS[result.instrument].tables.items():
            frame = result.to_frame(name)
            if frame.empty or (name == "conditions" and len(frame) == 1 and result.instrument == "onset"):
                continue
            # A column without a single value, or with the same condition all the way down, says nothing.
            kept = [
                c for c in columns
                if c in frame and not frame[c].isna().all() and (c != "condition" or frame[c].nunique() > 1)
            ]  # fmt: skip
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

        out: list[Any] = [f"[dim]read: {_plain(line)}[/]" for line in self.read]
        for result in self.results:
            out.append(f"[bold]{result.question}[/]")
            for caption, columns, rows in self._tables(result):
                made = table(*columns, title=caption, title_justify="left", title_style="dim")
                for row in rows[:_MOST_ROWS]:
                    made.add_row(*row)
                out.append(made)
                if len(rows) > _MOST_ROWS:
                    out.append(f"  [dim]and {len(rows) - _MOST_ROWS} more rows (--json or --out show all)[/]")
            out.append(f"{result.instrument}: [bold]{result.verdict}[/]. {_plain(self._finding(result))}")
            out.extend(f"  warning: {_plain(w)}" for w in result.warnings)
            out.append("")
        out.extend(f"cross-check, {_plain(line)}" for line in self.checks.words)
        out.extend(f"not asked: {_plain(line)}" for line in self.unanswered)
        return out

    def _extent(self) -> str:
        """How much was measured, in one sentence."""
        found = self.results[0].diagnostics.sizes if self.results else {}
        kinds = [("condition", "condition"), ("seed", "replicate")]
        said = [f"{found[d]} {word}{'s' * (found[d] > 1)}" for d, word in kinds if found.get(d, 0) > (d == "condition")]
        told = " of ".join(reversed(said)) if len(said) == 2 else " ".join(said)
        return f"What {told or 'this record'} can and cannot tell, each answer held against chance."

    def write(self, out: str | os.PathLike[str]) -> str:
        """Write the one-page report; returns where it lies."""
        figures = [(QUESTIONS[r.instrument].caption, r.plot()) for r in self.results if _has_curves(r)]
        lead = "\n\n".join(f"**{_title(r.instrument)}**: {self._finding(r)}" for r in self.results)
        tables = [t for r in self.results for t in self._tables(r)]
        if self.checks.words:
            rows = [list(line.partition(": ")[::2]) for line in self.checks.words]
            tables.insert(0, Table("Do the instruments tell one story?", ["check", "finding"], rows))
        text = render(
            title=self.title,
            question=self._extent(),
            lead=lead,
            answers=[Answer(QUESTIONS[r.instrument].asks, _meaning(r), _number(r)) for r in self.results],
            figures=figures,
            tables=tables,
            cannot_see=[f"{_title(r.instrument)}: {r.cannot_see}" for r in self.results] + list(self.unanswered),
            command=provenance.command(),
            versions=provenance.versions(),
            notes=[*(f"Read: {line}." for line in self.read)]
            + [f"{r.instrument}: {w}." for r in self.results for w in r.warnings],
        )
        return write_page(out, text)


def _title(instrument: str) -> str:
    return instrument.replace("_", " ").capitalize()


def _meaning(result: Result) -> str:
    """The verdict in words that need no manual."""
    return QUESTIONS[result.instrument].means.get(result.verdict, result.verdict.capitalize() + ".")


def _number(result: Result) -> str:
    """The number behind a verdict with its interval, where there is one."""
    e = result.estimate
    if not np.isfinite(e.value):
        return ""
    span = f", {e.level:.0%} interval {_cell(e.low)} to {_cell(e.high)}" if e.claimed else ", no interval"
    return f"{result.headline}: {_cell(e.value)}{span}"


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


def measure(
    files: Sequence[str | os.PathLike[str]],
    *,
    time: str | None = None,
    value: str | None = None,
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
    runs: str | None = None,
    ask: Sequence[str] = (),
    draws: int = 999,
) -> Measured:
    """Ask curves all that they can answer; several files are conditions of one comparison.

    Args:
        files: tidy tables, or logs of other tools (see `emergelab.runs.importers.open_data`).
        time, value, seed, by, companion, stderr: names of columns of a table, or of variables of a log. None: found
            where only one fits; what was found is said.
        items: number of test items behind each score.
        where: (column, value) pairs; only rows of a table that have them all are kept.
        spread_columns: (column of score names, column of values) of a long table.
        threshold, k, direction: as in `instruments.onset`.
        runs: regular expression with the groups `condition`, `seed`, `time` for the names of runs in a log.
        ask: names of instruments; empty: all that the data can answer.
        draws: surrogates, relabellings and bootstrap draws of each instrument.

    Raises:
        UserError: anything that does not fit the files or the instruments.
    """
    if items is not None and items < 1:
        raise UserError(f"items must be a whole number >= 1, got {items}")
    questions = chosen(list(ask))
    columns = Columns(time, value, seed, by, companion, stderr)
    opened = _read([Path(f) for f in files], columns, where, spread_columns, runs)
    values = {o.value for o in opened}
    if len(values) > 1:
        raise UserError(f"the files hold different scores ({', '.join(sorted(values))}); name one with --value")
    facts = Facts(
        _together(opened, [Path(f) for f in files]), opened[0].value, opened[0].companion, opened[0].stderr, items,
        threshold, k, direction, draws,
    )  # fmt: skip
    results, unanswered = [], []
    for question in questions:
        lacking = question.lacks(facts)
        if question.name == "mirage" and lacking:
            # The one thing it sees without a companion is a score on its label base rates.
            found = question.ask(facts)
            if found.warnings:
                results.append(found)
        elif not lacking:
            results.append(question.ask(facts))
        if lacking:
            unanswered.append(f"{question.name} ({question.asks[0].lower()}{question.asks[1:].rstrip('?')}): {lacking}")
    if not results and ask:
        raise UserError(f"nothing of what --ask names can be answered: {unanswered[0]}")
    names = ", ".join(Path(f).name for f in files)
    title = f"{facts.value} in {names}" + (", " + ", ".join(f"{c} = {v}" for c, v in where) if where else "")
    read = tuple(dict.fromkeys(line for o in opened for line in o.read))
    # of the law only what it says of the records before the onset is held against the others
    told = [r for r in results if r.instrument != "learning_curves"]
    checks = cross_check([*told, *_law_before(facts, results)] if len(results) > 1 else [])
    return Measured(title, tuple(results), checks, read, (*unanswered, *_sharper(facts)))


def _law_before(facts: Facts, results: Sequence[Result]) -> list[Result]:
    """The law of the records before the first onset, held against what came after: for the cross-check alone."""
    seeds = next((r.to_frame("seeds") for r in results if r.instrument == "onset"), None)
    if seeds is None or not seeds["emerged"].any():
        return []
    first = float(seeds["after"].min())
    earlier = int((facts.data["time"].values <= first).sum()) if np.isfinite(first) else 0
    if earlier < _LEAST_BEFORE or earlier >= facts.data.sizes["time"]:
        return []
    return [learning_curves(facts.data, facts.value, upto=first, backbone=False, draws=min(facts.draws, 199))]


def _together(opened: Sequence[Opened], files: Sequence[Path]) -> xr.Dataset:
    """Several files as conditions of one data set, named by the files."""
    if len(opened) == 1:
        return opened[0].data
    names = [f.stem for f in files]
    if len(set(names)) < len(names):
        names = [str(f) for f in files]
    parts = []
    for name, one in zip(names, opened, strict=True):
        data = one.data if "condition" in one.data.dims else one.data.expand_dims("condition")
        inner = [str(c) for c in data["condition"].values] if "condition" in data.coords else [""]
        parts.append(data.assign_coords(condition=[f"{name}/{c}" if c else name for c in inner]))
    return xr.concat(parts, dim="condition", join="outer")


def _sharper(facts: Facts) -> list[str]:
    """What would make the answers sharper, and which column would bring it."""
    out = []
    if "seed" not in facts.data.dims:
        out.append("whether it happens again: without --seed COL everything is within one run only")
    if "condition" not in facts.data.dims:
        out.append("whether it comes earlier under another condition: name a column with --by COL, or several files")
    if facts.stderr is None and facts.items is None:
        out.append("whether zeros are below the score's resolution: give --items N or --stderr COL")
    return out
