"""The report of a run: its study's question, figures, verdicts, what the method cannot see, how to repeat it."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..runs.run import Run
from ..study import Study
from .html import Reference, Table, render

CANNOT_SEE = (
    "Whether the phenomenon appears at other sizes, rates or architectures than those that were run: the intervals "
    "are over seeds of exactly these settings.",
    "Effects smaller than a claim's margin; a refuted claim says that the effect, if any, is smaller than what was "
    "called interesting beforehand.",
    "Mechanism: a contrast between conditions shows that a setting matters, an intervention at a site shows that a "
    "part matters, neither shows that nothing else does.",
)


def sections(page: str) -> dict[str, str]:
    """The markdown sections of a study's page by heading; the text before the first is under ""."""
    parts = re.split(r"^## +(.+)$", page, flags=re.MULTILINE)
    lead = parts[0].partition("\n")[2].strip()
    return {"": lead} | {parts[i].strip(): parts[i + 1].strip() for i in range(1, len(parts), 2)}


def repeat_command(info: Mapping[str, Any]) -> str:
    """The command that made a run, or the call."""
    return str(info["provenance"]["command"])


def report_run(
    run: Run, study: Study | None, verdicts: Sequence[Mapping[str, Any]], out: str | os.PathLike[str] | None = None
) -> str:
    """Write the report of a run, by default to RUN/report.html; returns where it lies."""
    if study is None:
        title, page, references = run.info["system"]["name"], {"": ""}, []
        figures = [(name, _curves(run, name)) for name in _scalars(run)]
    else:
        title, page = study.title, sections(study.page)
        references = [Reference(str(p), p.url) for p in study.papers]
        figures = [(f.caption or f.name, run.place.read(file)) for f, file in study.draw(run)]
    about = page.get("What it is", page[""])
    parameters = [
        (name, ", ".join(f"{k}={_short(v)}" for k, v in c["parameters"].items()))
        for name, c in run.info["conditions"].items()
    ]
    done = "" if run.status == "finished" else f" The run is {run.status}, {run.done:.0%} done."
    lost = sum(len(s) for marks in (run.diverged, run.failed) for s in marks.values())
    notes = [
        f"{len(run.info['conditions'])} conditions x {len(run.info['seeds'])} seeds x {run.info['steps']} steps, "
        f"recorded every "
        f"{run.info['every']}; {run.info['wall_seconds']:.0f} s of computing." + done,
        f"{lost} of {len(run.info['conditions']) * len(run.info['seeds'])} trajectories diverged or failed and were "
        f"left out."
        if lost
        else "",
        page.get("Differences from the paper", ""),
    ]
    text = render(
        title=title,
        question=f"What emerges in {study.slug}, what causes it, and do the paper's claims hold?"
        if study
        else f"What does {title} show?",
        lead=about,
        figures=figures,
        verdicts=verdicts,
        tables=[Table("Conditions", ("condition", "parameters"), parameters)],
        cannot_see=CANNOT_SEE,
        command=repeat_command(run.info),
        versions=run.info["provenance"]["versions"],
        notes=[n for n in notes if n],
        references=references,
    )
    if out is None:
        run.place.write("report.html", text.encode())
        return f"{run.path.rstrip('/')}/report.html"
    return write_page(out, text)


def write_page(out: str | os.PathLike[str], text: str) -> str:
    """Write a page to a local file; a path that cannot be written is a `UserError`."""
    path = Path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another file with --out") from None
    return str(path)


def _scalars(run: Run) -> list[str]:
    return [str(n) for n, v in run.data.data_vars.items() if v.dims == ("condition", "seed", "time")]


def _curves(run: Run, name: str) -> bytes:
    """One observable of a run without a study: mean over seeds with a band, a line a condition."""
    from .. import figures

    fig, ax = figures.new()
    for i, condition in enumerate(run.data.condition.values):
        values = run.data[name].sel(condition=condition).values
        figures.band(
            ax, run.data.time.values, values, label=str(condition), colour=figures.COLOURS[i % len(figures.COLOURS)]
        )
    ax.set_xlabel("step")
    ax.set_ylabel(run.data[name].attrs.get("long_name", name))
    ax.legend()
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
