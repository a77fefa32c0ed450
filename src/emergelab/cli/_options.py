"""What the verbs share: options, how the words that users type are read, and what is printed as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UserError

if TYPE_CHECKING:
    from ..runs.run import Run
    from ..study import Study

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Seeds = Annotated[int | None, typer.Option(help="Number of seeds; the size's own if not given.")]
SizeName = Annotated[str, typer.Option(help="tiny, quick, full or paper.")]
Out = Annotated[str | None, typer.Option(help="Folder or URL for the run; runs/<study>-<date>-<time> if not given.")]
Record = Annotated[
    Path | None,
    typer.Option(help="Folder in which to write the verdicts as a page, with command, versions and date."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Keep = Annotated[
    str | None,
    typer.Option(metavar="log|T,T,...", help="States to keep, for `emergelab fork`: at doubling times, or at these."),
]
Lm = Annotated[
    str | None,
    typer.Option(
        "--lm",
        metavar="MODEL",
        help="Language model that agents ask: smollm2, a GGUF file, served:FILE, http://HOST/v1#MODEL, "
        "inspect:PROVIDER/MODEL, replay:RUN, shuffled:RUN or human.",
    ),
]
LmCache = Annotated[
    Path | None, typer.Option("--lm-cache", help="File in which the model's answers are kept and looked up.")
]
LmCalls = Annotated[int | None, typer.Option("--lm-calls", help="Refuse to make more calls of the model than this.")]
LmAnyway = Annotated[
    bool, typer.Option("--lm-anyway", help="Begin although more calls are expected than --lm-calls grants.")
]


def _value(text: str) -> Any:
    """`0.1` -> 0.1, `[1, 2]` -> [1, 2], `bubble` -> "bubble"."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def split_pair(option: str, form: str, text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (equals and left and right):
        raise UserError(f"{option} takes {form}, got {text!r}")
    return left, right


def opened_lm(spec: str | None, cache: Path | None, calls: int | None) -> dict[str, Any]:
    """The option `lm` of a run, if there is one."""
    if spec is None:
        if cache is not None or calls is not None:
            raise UserError("--lm-cache and --lm-calls are about the model named by --lm; name one")
        return {}
    from ..lm import open_lm

    return {"lm": open_lm(spec, cache=cache, calls=calls)}


def foretell(
    study: Study, size: str, lm: dict[str, Any], calls: int | None, anyway: bool, quiet: bool, **options: Any
) -> None:
    """Say how many calls of the model are expected, before the first one."""
    from ..lm.planning import told

    if lm and not (quiet and calls is None):
        line = told(study, lm["lm"], size, calls, anyway, **options)
        if line and not quiet:
            print(f"{study.slug}: {line}", file=sys.stderr)


def settings(pairs: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for pair in pairs:
        name, value = split_pair("--set", "NAME=VALUE", pair)
        if name in out:
            raise UserError(f"--set names {name!r} twice")
        out[name] = _value(value)
    return out


def clamp_of(text: str) -> Any:
    """`SITE=VALUE[@START:STOP]` as an `el.Clamp`."""
    from ..intervention import Clamp

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


def kept_of(text: str | None) -> Any:
    """`log` or `100,200` as `keep=` takes it."""
    if text is None:
        return ()
    if text == "log":
        return text
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise UserError(f"--keep takes 'log' or steps such as 100,200, got {text!r}")
    return [int(part) for part in parts]


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, allow_nan=False))


def study_of(run: Run) -> Study:
    from ..catalogue import find

    if not run.info.get("study"):
        raise UserError(
            f"{run.path}: this run was made without a study, so there are no claims to judge; use el.judge(run, claims)"
        )
    return find(run.info["study"])
