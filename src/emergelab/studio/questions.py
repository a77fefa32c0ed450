"""Instruments on any observable of a run by two clicks, and on curves of a user's own by dropping a file."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
import xarray as xr

from .. import figures
from ..errors import UserError
from ..instruments import Result
from ..report.interval import number
from ..report.measure import Measured, measure
from ..report.questions import QUESTIONS, Facts, Question
from .pieces import MOST_BYTES, html, notice, picture, plain_table, worked

if TYPE_CHECKING:
    from ..runs.run import Run

__all__ = ["MOST_BYTES", "answer", "curves_of", "measure_page", "measure_upload", "questions"]

_ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".json", ".eval", ".nc")
_MOST_ROWS = 24
_MOST_CONDITIONS = 6
_DRAWS = {"199 (quick)": 199, "999": 999}
_DIMS = ("condition", "seed", "time")
_MEAN = "mean over all"


def curves_of(data: xr.Dataset, name: str, chosen: Mapping[str, str] | None = None) -> xr.DataArray:
    """One observable with the dims (condition, seed, time).

    Args:
        data: of a run.
        name: of the observable.
        chosen: for each further dim the label of the place that is taken, or "mean over all"; by default the mean.

    Raises:
        UserError: a dim has no such place.
    """
    found = data[name]
    for dim in [str(d) for d in found.dims if d not in _DIMS]:
        label = (chosen or {}).get(dim, _MEAN)
        labels = [str(x) for x in found[dim].values]
        if label == _MEAN:
            found = found.mean(dim)
        elif label in labels:
            found = found.isel({dim: labels.index(label)}, drop=True)
        else:
            raise UserError(f"{name}: {dim} has no place {label!r}")
    return found.astype(float)


def questions(run: Run) -> pn.viewable.Viewable:
    """Pick an observable, press a question: the instrument's finding as words, tables and a picture.

    Args:
        run: growing or finished; records that are not written yet are left out.
    """
    data = run.data
    names = [str(n) for n, v in data.data_vars.items() if set(_DIMS) <= set(v.dims) and v.dtype.kind in "iufb"]
    if not names or data.sizes["time"] < 3:
        return notice("This run holds no observable with three records or more, so there is nothing to ask.")
    observable = pn.widgets.Select(label="Observable", options=names, value=names[0], width=260)
    companion = pn.widgets.Select(label="Companion score (for mirage)", options=["", *names], value="", width=220)
    conditions = [str(c) for c in data["condition"].values]
    # Every pair of conditions is compared, which takes long among many.
    among = pn.widgets.MultiChoice(
        label="Conditions (none named: all)", options=conditions, width=320,
        value=conditions if len(conditions) <= _MOST_CONDITIONS else conditions[:2],
    )  # fmt: skip
    draws = pn.widgets.Select(label="Surrogates and bootstrap draws", options=_DRAWS, value=199, width=180)
    further = pn.FlexBox()
    shown = pn.Column(sizing_mode="stretch_width")

    def chosen() -> dict[str, str]:
        return {w.tags[0]: w.value for w in further}

    def pick(_: Any = None) -> None:
        extra = [str(d) for d in data[observable.value].dims if d not in _DIMS]
        further[:] = [
            pn.widgets.Select(label=d, options=[_MEAN, *map(str, data[d].values)], value=_MEAN, tags=[d], width=180)
            for d in extra
        ]
        shown[:] = [html(f"<p>{escape(str(data[observable.value].attrs.get('long_name', '')))}</p>")]

    async def ask(question: Question) -> None:
        value, beside, places, count, some = observable.value, companion.value, chosen(), draws.value, among.value
        found = await worked(
            lambda: answer(run, question, value, companion=beside or None, conditions=some, chosen=places, draws=count),
            shown,
            f"{question.name} of {value}",
        )
        if found is not None:
            shown[:] = _shown(found, value)

    def button(question: Question) -> pn.widgets.Button:
        made = pn.widgets.Button(label=question.name.replace("_", " "), description=question.asks, margin=(4, 4))

        async def clicked(_: Any) -> None:
            await ask(question)

        made.on_click(clicked)
        return made

    observable.param.watch(pick, "value")
    pick()
    return pn.Column(
        html("<p>Pick an observable, then press a question.</p>"),
        pn.FlexBox(observable, among, companion, draws),
        further,
        pn.FlexBox(*(button(q) for q in QUESTIONS.values())),
        shown,
        sizing_mode="stretch_width",
    )


def answer(
    run: Run,
    question: Question,
    value: str,
    *,
    companion: str | None = None,
    conditions: Sequence[str] = (),
    chosen: Mapping[str, str] | None = None,
    draws: int = 199,
) -> Result:
    """What an instrument finds in an observable of a run.

    Args:
        run: growing or finished.
        question: what to ask.
        value, companion: names of observables.
        conditions: some of the run's; empty: all.
        chosen: places of further dims, as in `curves_of`.
        draws: surrogates and bootstrap draws.

    Raises:
        UserError: the data cannot answer; the message says what is missing.
    """
    now = run.refresh()
    done = min((p["records"] for p in now.progress if not p["failed"]), default=0)
    if done < 1:
        raise UserError("nothing is recorded in every block yet; wait a moment")
    names = dict.fromkeys([value, *([companion] if companion else [])])
    data = xr.Dataset({n: curves_of(now.data, n, chosen) for n in names}).isel(time=slice(0, done))
    data = (data.sel(condition=list(conditions)) if conditions else data).load()
    facts = Facts(data, value, companion=companion, draws=draws)
    lacking = question.lacks(facts)
    if lacking:
        lacking = lacking.replace("with --companion COL", "beside the observable above")
        raise UserError(f"{question.name} cannot be asked: {lacking.replace(' with --seed COL', '')}")
    return question.ask(facts)


def _shown(found: Result, value: str) -> list[pn.viewable.Viewable]:
    """A finding: verdict, number, words, tables, picture."""
    question = QUESTIONS[found.instrument]
    parts = [f"<h3>{escape(question.asks)}</h3>"]
    means = question.means.get(found.verdict, "")
    parts.append(f'<p><span class="badge">{escape(found.verdict)}</span> {escape(means)}</p>')
    if np.isfinite(found.estimate.value):
        e = found.estimate
        span = f" [{number(e.low)}, {number(e.high)}], {e.level:.0%} interval" if e.claimed else ", no interval"
        parts.append(f"<p><b>{escape(found.headline)}: {number(e.value)}{span}</b></p>")
    parts.append(f"<p>{escape(found.words)}</p>")
    parts += [f"<p><small>Note: {escape(w)}</small></p>" for w in found.warnings]
    limits = f"Held against: {question.null}. It cannot see: {found.cannot_see}"
    parts.append(f"<p><small>{escape(limits)}</small></p>")
    if found.diagnostics.data_vars:
        drawn = found.plot()
        parts.append(picture(figures.style.png(drawn), question.caption, f"{found.instrument}-{value}"))
    for name, (caption, columns) in question.tables.items():
        frame = found.to_frame(name)
        kept = [c for c in columns if c in frame and not frame[c].isna().all()]
        if frame.empty or not kept:
            continue
        rows = [[_cell(x) for x in row] for row in frame[kept].head(_MOST_ROWS).itertuples(index=False)]
        more = f" (first {_MOST_ROWS} of {len(frame)})" if len(frame) > _MOST_ROWS else ""
        table = plain_table([columns[c] for c in kept], rows)
        parts.append(f"<details><summary>{escape(caption)}{more}</summary>{table}</details>")
    return [html("".join(parts))]


def _cell(x: Any) -> str:
    if isinstance(x, (bool, np.bool_)):
        return "yes" if x else "no"
    return number(float(x)) if isinstance(x, (int, float, np.number)) else str(x)


def measure_page() -> pn.viewable.Viewable:
    """Drop a file with curves of your own: all instruments that can answer do.

    A file of at most `MOST_BYTES` is parsed by the importers of `emergelab measure`; nothing in it is executed.
    """
    file = pn.widgets.FileInput(
        accept=",".join(_ENDINGS), label="File", width=300, description="a table or a log of another tool"
    )
    fields = {
        name: pn.widgets.TextInput(label=label, placeholder="found if left empty", width=170)
        for name, label in (("time", "Time column"), ("value", "Score column"), ("seed", "Replicate column"),
                            ("by", "Condition column"), ("companion", "Companion score column"))
    }  # fmt: skip
    button = pn.widgets.Button(label="Measure", color="primary", margin=(4, 8))
    shown = pn.Column(sizing_mode="stretch_width")

    async def go(_: Any = None) -> None:
        if not file.value:
            shown[:] = [notice("choose a file first, or drop one on the field above", wrong=True)]
            return
        button.disabled = True
        columns = {n: f.value.strip() or None for n, f in fields.items()}
        name, held = str(file.filename), bytes(file.value)
        found = await worked(lambda: measure_upload(name, held, columns), shown, f"measuring {name}")
        if found is not None:
            measured, page = found
            shown[:] = _measured(measured, page, _command(name, columns))
        button.disabled = False

    button.on_click(go)
    return pn.Column(
        html(
            "<p>Drop a CSV, TSV, Parquet, JSON lines, Inspect or netCDF file of at "
            f"most {MOST_BYTES // 1_000_000} MB on the field. Each instrument that the data can answer is asked; "
            "columns that are not named are found where only one fits. The file is read, never executed, and not "
            "kept.</p>"
        ),
        file,
        pn.FlexBox(*fields.values()),
        button,
        shown,
        sizing_mode="stretch_width",
    )


def measure_upload(
    name: str, held: bytes, columns: Mapping[str, str | None], draws: int = 199
) -> tuple[Measured, bytes]:
    """What the instruments say of a file's bytes, and the one-page report as HTML.

    Args:
        name: of the file; only its last part counts, and its ending says how it is read.
        held: what it holds, at most `MOST_BYTES`.
        columns: names of columns by `time`, `value`, `seed`, `by`, `companion`; None: to be found.
        draws: surrogates and bootstrap draws.

    Raises:
        UserError: a file too large, of an unknown kind, or that cannot be read.
    """
    if len(held) > MOST_BYTES:
        raise UserError(f"the file has {len(held) / 1e6:.1f} MB; at most {MOST_BYTES // 1_000_000} MB are taken")
    # What a browser says of a name may hold a path of any system; only the last part is used.
    last = name.replace("\\", "/").rsplit("/", 1)[-1].lstrip(".")
    if not last.lower().endswith(_ENDINGS):
        raise UserError(f"{last or 'the file'}: expected one of {', '.join(_ENDINGS)}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / last
        path.write_bytes(held)
        try:
            measured = measure([path], **dict(columns), draws=draws)  # type: ignore[arg-type]
        except UserError as error:
            raise UserError(str(error).replace(str(path), last).replace(folder, "")) from None
        page = Path(measured.write(Path(folder) / "report.html")).read_bytes()
    return measured, page


def _command(name: str, columns: Mapping[str, str | None]) -> str:
    named = [f"--{k} {shlex.quote(v)}" for k, v in columns.items() if v]
    return " ".join(["emergelab measure", shlex.quote(name), *named, "--out report.html"])


def _measured(measured: Measured, page: bytes, command: str) -> list[pn.viewable.Viewable]:
    """All findings about a file, below each other."""
    import io

    lines: Sequence[str] = [f"Read: {line}." for line in measured.read]
    lead = f"<h3>{escape(measured.title)}</h3>" + "".join(f"<p>{escape(line)}</p>" for line in lines)
    lead += f"<p>The same from a shell: <code>{escape(command)}</code></p>"
    out: list[pn.viewable.Viewable] = [
        html(lead),
        pn.widgets.FileDownload(
            file=io.BytesIO(page), filename="report.html", label="Save the report (HTML)", margin=(4, 8), width=220
        ),
    ]
    for result in measured.results:
        out += _shown(result, "score")
    rest = [f"Cross-check, {line}" for line in measured.checks.words] + [
        f"Not asked: {_for_page(line)}" for line in measured.unanswered
    ]
    return [*out, html("".join(f"<p><small>{escape(line)}</small></p>" for line in rest))]


def _for_page(line: str) -> str:
    """Options of the command line as the fields of this page."""
    for option, field in (("--companion COL", "a companion score column"), ("--seed COL", "a replicate column"),
                          ("--by COL", "a condition column"), ("--value", "the score column")):  # fmt: skip
        line = line.replace(option, field)
    return line
