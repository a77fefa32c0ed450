"""Verbs that judge: `verify`, `judge`, `report`, `measure`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UserError
from ._app import app
from ._options import (
    Json,
    Lm,
    LmAnyway,
    LmCache,
    LmCalls,
    On,
    Out,
    Quiet,
    Record,
    Seeds,
    SizeName,
    foretell,
    opened_lm,
    print_json,
    split_pair,
    study_of,
)

if TYPE_CHECKING:
    from ..study import Study


def unexpected(study: Study, verdicts: list[dict[str, Any]]) -> list[str]:
    """One line for each verdict that is not the one on record for the study's claim."""
    lines = []
    for claim, row in zip(study.claims, verdicts, strict=True):
        if row["verdict"] not in claim.expected:
            lines.append(f"{row['verdict']}, expected {' or '.join(claim.expected)}: {row['text']}")
    return lines


@app.command()
def verify(
    slug: Annotated[str | None, typer.Argument()] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every study.")] = False,
    size: SizeName = "quick",
    seeds: Seeds = None,
    out: Out = None,
    record: Record = None,
    lm: Lm = None,
    lm_cache: LmCache = None,
    lm_calls: LmCalls = None,
    lm_anyway: LmAnyway = False,
    on: On = "here",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a study and compare the verdicts on its claims with those on record. Exit code 1 if one differs."""
    from ..catalogue import entries, find

    if (slug is None) == (not all_):
        raise UserError("verify takes either a study or --all")
    if all_ and out:
        raise UserError("verify --all makes one run a study; --out serves a single one")
    studies = [find(e.slug) for e in entries()] if all_ else [find(str(slug))]
    options = opened_lm(lm, lm_cache, lm_calls)
    if all_:
        # a model is for the studies that ask one, and without one they are left out by name
        for study in studies:
            if study.lm and not options:
                print(f"{study.slug}: left out, it asks a language model; give one with --lm", file=sys.stderr)
        studies = [s for s in studies if options or not s.lm]
    results = []
    for study in studies:
        own = options if study.lm or not all_ else {}
        foretell(study, size, own, lm_calls, lm_anyway, quiet or as_json, seeds=seeds)
        made = study.run(size, seeds=seeds, out=out, progress=not (quiet or as_json), on=on, **own)
        verdicts = study.judge(made)
        wrong = unexpected(study, verdicts)
        results.append(
            {
                "study": study.slug,
                "size": size,
                "run": made.path,
                "seconds": made.info["wall_seconds"],
                "verdicts": verdicts,
                "unexpected": wrong,
            }
        )
        if record is not None:
            from ..report.record import record_verdicts

            record_verdicts(record, study, made, verdicts)
        if not as_json:
            from ..terminal import console, summary, verdict_table

            console().print(verdict_table(verdicts))
            print(f"{study.slug}: {summary(verdicts)}  ({made.info['wall_seconds']:.1f} s, {made.path})")
            for line in wrong:
                print(f"unexpected: {line}")
    if as_json:
        print_json(results)
    if any(r["unexpected"] for r in results):
        raise typer.Exit(1)


@app.command()
def judge(
    directory: Annotated[str, typer.Argument(metavar="DIR")], record: Record = None, as_json: Json = False
) -> None:
    """Judge a run that is already there. Exit code 1 if a verdict is not the one on record."""
    from ..runs.run import load

    made = load(directory)
    study = study_of(made)
    verdicts = study.judge(made)
    wrong = unexpected(study, verdicts)
    if record is not None:
        from ..report.record import record_verdicts

        record_verdicts(record, study, made, verdicts)
    if as_json:
        print_json({"run": made.path, "verdicts": verdicts, "unexpected": wrong})
    else:
        from ..terminal import console, summary, verdict_table

        console().print(verdict_table(verdicts))
        print(f"verdicts: {summary(verdicts)}")
        for line in wrong:
            print(f"unexpected: {line}")
    if wrong:
        raise typer.Exit(1)


@app.command()
def report(
    directory: Annotated[str, typer.Argument(metavar="DIR")],
    out: Annotated[str | None, typer.Option(help="File; DIR/report.html if not given.")] = None,
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML page about a run."""
    from ..report.assemble import report_run
    from ..runs.run import load

    made = load(directory)
    study = study_of(made) if made.info.get("study") else None
    where = report_run(made, study, study.judge(made) if study else [], out)
    print_json({"report": where}) if as_json else print(f"report: {where}")


@app.command()
def measure(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Tidy tables (CSV, TSV, Parquet, JSON lines; one observation a row) or logs of other tools "
            "(TensorBoard, W&B, MLflow, lm-evaluation-harness, Inspect, ArviZ, netCDF, Zarr). Several are compared.",
        ),
    ],
    time: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of the real time axis: steps, frames, tokens.")
    ] = None,
    value: Annotated[str | None, typer.Option(metavar="COL", help="Column of the score.")] = None,
    seed: Annotated[str | None, typer.Option(metavar="COL", help="Column that names the replicate.")] = None,
    by: Annotated[str | None, typer.Option(metavar="COL", help="Column that names the condition.")] = None,
    companion: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of a continuous score of the same outputs.")
    ] = None,
    stderr: Annotated[str | None, typer.Option(metavar="COL", help="Column of the score's standard error.")] = None,
    items: Annotated[int | None, typer.Option(help="Number of test items behind each score.")] = None,
    ask: Annotated[
        list[str] | None,
        typer.Option(metavar="QUESTION", help="Ask only this: onset, mirage, change_points, ... May be repeated."),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="COL=VALUE", help="Keep only rows with this value.")
    ] = None,
    spread: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES=VALUES",
            help="Long table: the column that names the score and the one that holds it; --value and --companion "
            "then name scores.",
        ),
    ] = None,
    runs: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX", help="Logs: groups condition, seed and time in the names of runs, e.g. '(?P<seed>\\d+)$'."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Onset: first of --k consecutive records at or above this; found from the data if not given."
        ),
    ] = None,
    k: Annotated[int, typer.Option(help="Onset: consecutive records.")] = 3,
    down: Annotated[bool, typer.Option("--down", help="The score falls when the thing emerges.")] = False,
    draws: Annotated[int, typer.Option(help="Surrogates and bootstrap draws of each instrument.")] = 999,
    out: Annotated[str | None, typer.Option(help="HTML file for the report.")] = None,
    as_json: Json = False,
) -> None:
    """Ask your own curves: when did it emerge, in how many seeds, is the jump in the score, and more."""
    from ..report.measure import measure as ask_files

    measured = ask_files(
        files, time=time, value=value, seed=seed, by=by, companion=companion, stderr=stderr, items=items,
        where=[split_pair("--where", "COL=VALUE", w) for w in where or []],
        spread_columns=split_pair("--spread", "NAMES=VALUES", spread) if spread else None,
        threshold=threshold, k=k, direction="down" if down else "up", runs=runs, ask=ask or (), draws=draws,
    )  # fmt: skip
    if out is not None:
        measured.write(out)
    if as_json:
        print_json(measured.to_json())
        return
    from ..terminal import console

    for part in measured.terminal():
        console().print(part)
    print(f"report: {out}" if out is not None else "next: add --out report.html for figures and the full account")
