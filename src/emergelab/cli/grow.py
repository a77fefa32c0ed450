"""Verbs that grow: `run`, `resume`, `rerun`, `replay`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._app import app
from ._options import (
    Ablations,
    Clamps,
    Json,
    Keep,
    Lm,
    LmAnyway,
    LmCache,
    LmCalls,
    On,
    Out,
    Quiet,
    Scales,
    Seeds,
    Shifts,
    SizeName,
    Swaps,
    foretell,
    interventions_of,
    kept_of,
    opened_lm,
    own_model,
    print_json,
    settings,
    study_of,
)

if TYPE_CHECKING:
    from ..runs.run import Run
    from ..study import Study


@app.command()
def run(
    slug: str,
    size: SizeName = "quick",
    seeds: Seeds = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="Only this condition; may be given several times.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter for all conditions.")
    ] = None,
    clamp: Clamps = None,
    ablate: Ablations = None,
    shift: Shifts = None,
    scale: Scales = None,
    swap: Swaps = None,
    out: Out = None,
    workers: Annotated[int | None, typer.Option(help="Blocks computed at once; one a core if not given.")] = None,
    keep: Keep = None,
    lm: Lm = None,
    lm_cache: LmCache = None,
    lm_calls: LmCalls = None,
    lm_anyway: LmAnyway = False,
    on: On = "here",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Grow a study's system, judge its claims, draw its figures."""
    from ..catalogue import find

    study = find(slug)
    options = opened_lm(lm, lm_cache, lm_calls)
    what: dict[str, Any] = {
        "seeds": seeds,
        "conditions": condition,
        "set": settings(set_ or []),
        "interventions": interventions_of(clamp, ablate, shift, scale, swap),
    }
    foretell(study, size, options, lm_calls, lm_anyway, quiet or as_json, **what)
    options["keep"] = kept_of(keep)
    made = study.run(size, **what, out=out, progress=not (quiet or as_json), workers=workers, on=on, **options)
    _conclude(study, made, as_json)


@app.command()
def fork(
    directory: Annotated[str, typer.Argument(metavar="DIR")],
    at: Annotated[int, typer.Option(help="Step to go on from; the run must have kept its state (run --keep).")],
    clamp: Clamps = None,
    ablate: Ablations = None,
    shift: Shifts = None,
    scale: Scales = None,
    swap: Swaps = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="Only this condition; may be given several times.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Where the fork ends; where the run does if not given.")] = None,
    out: Out = None,
    workers: Annotated[int | None, typer.Option()] = None,
    keep: Keep = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Go on from a state that a run has kept, and do something to it from there on.

    A window that begins before the fork begins at it.
    """
    from ..engine.forking import fork as go_on

    made = go_on(
        directory,
        at,
        interventions=interventions_of(clamp, ablate, shift, scale, swap),
        conditions=condition,
        steps=steps,
        out=out,
        workers=workers,
        keep=kept_of(keep),
        progress=not (quiet or as_json),
    )
    _say(made, as_json)


@app.command()
def resume(
    directory: Annotated[str, typer.Argument(metavar="DIR")],
    workers: Annotated[int | None, typer.Option()] = None,
    lm: Lm = None,
    lm_cache: LmCache = None,
    lm_calls: LmCalls = None,
    on: On = "here",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that was interrupted or killed; the result equals an uninterrupted one."""
    from ..engine.driver import resume as go_on
    from ..runs.run import load

    # a model that was opened by a word is opened by it again
    options = opened_lm(lm or own_model(directory, load(directory).info), lm_cache, lm_calls)
    made = go_on(directory, progress=not (quiet or as_json), workers=workers, on=on, **options)
    _say(made, as_json)


@app.command()
def rerun(
    directory: Annotated[str, typer.Argument(metavar="DIR")],
    seeds: Seeds = None,
    out: Out = None,
    workers: Annotated[int | None, typer.Option()] = None,
    lm: Lm = None,
    lm_cache: LmCache = None,
    lm_calls: LmCalls = None,
    on: On = "here",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Grow again what a run holds, from its run.json alone; other versions of packages are named."""
    from ..engine.driver import rerun as again
    from ..runs.provenance import changed
    from ..runs.run import load

    before = load(directory)
    for line in changed(before.info["provenance"]):
        print(line, file=sys.stderr)
    options = opened_lm(lm or own_model(directory, before.info), lm_cache, lm_calls)
    made = again(
        directory,
        seeds=None if seeds is None else range(seeds),
        out=out,
        workers=workers,
        progress=not (quiet or as_json),
        on=on,
        **options,
    )
    _say(made, as_json)


@app.command()
def replay(directory: Annotated[str, typer.Argument(metavar="DIR")], out: Out = None, as_json: Json = False) -> None:
    """Make a recorded society again without its model, and compare every state. Exit code 1 if one differs."""
    from ..lm import replay as again

    found = again(directory, out=out)
    if as_json:
        print_json({"run": found.run.path, "states": found.states, "same": found.same, "first": found.first})
    elif found.first is None:
        print(f"all {found.states} states are those on record  ({found.run.path})")
    else:
        condition, seed, time = found.first
        print(f"first difference: condition {condition}, seed {seed}, step {time}  ({found.run.path})")
    if not found.same:
        raise typer.Exit(1)


def _say(made: Run, as_json: bool) -> None:
    if made.info.get("study"):
        _conclude(study_of(made), made, as_json)
    elif as_json:
        print_json({"run": made.path, "status": made.status})
    else:
        print(made)


def _conclude(study: Study, made: Run, as_json: bool) -> None:
    verdicts = study.judge(made)
    drawn = study.draw(made)
    paths = [f"{made.path.rstrip('/')}/{name}" for _, name in drawn]
    if as_json:
        print_json({"run": made.path, "status": made.status, "verdicts": verdicts, "figures": paths})
        return
    from ..terminal import console, summary, verdict_table

    out = console()
    if verdicts:
        out.print(verdict_table(verdicts))
    print(f"verdicts: {summary(verdicts)}")
    _say_lost(made)
    print(f"run:      {made.path}  ({made.info['wall_seconds']:.1f} s)")
    for path in paths:
        print(f"figure:   {path}")
    print(f"next:     emergelab report {made.path}   (one page with figures and verdicts)")
    if hint := _things_to_try(study):
        print(f"          {hint}")


def _things_to_try(study: Study) -> str:
    from ..report.assemble import sections

    for line in sections(study.page).get("Things to try", "").splitlines():
        if "`emergelab " in line:
            return line[line.index("`emergelab ") + 1 :].partition("`")[0]
    return ""


def _say_lost(made: Run) -> None:
    for what, marks in (("diverged", made.diverged), ("failed", made.failed)):
        for condition, seeds in marks.items():
            print(f"{what}: {len(seeds)} seeds of condition {condition}: {', '.join(map(str, sorted(seeds)))}")
