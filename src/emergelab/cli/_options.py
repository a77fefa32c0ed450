"""What the verbs share: options, how the words that users type are read, and what is printed as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
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
    typer.Option(help="Folder in which to write the verdicts as a page, and the headline figure beside it."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Keep = Annotated[
    str | None,
    typer.Option(metavar="log|T,T,...", help="States to keep, for `emergelab fork`: at doubling times, or at these."),
]
On = Annotated[
    str, typer.Option("--on", metavar="here|ray|ray:ADDRESS", help="Where to compute; ray is a cluster, see the docs.")
]
Clamps = Annotated[
    list[str] | None,
    typer.Option("--clamp", metavar="SITE=VALUE[@START:STOP]", help="Hold a site at a value in steps [START, STOP)."),
]
Ablations = Annotated[
    list[str] | None,
    typer.Option("--ablate", metavar="SITE[@START:STOP]", help="Put zeros in the place of what a site holds."),
]
Shifts = Annotated[
    list[str] | None, typer.Option("--shift", metavar="SITE=VALUE[@START:STOP]", help="Add a value to a site.")
]
Scales = Annotated[
    list[str] | None, typer.Option("--scale", metavar="SITE=VALUE[@START:STOP]", help="Multiply a site by a value.")
]
Swaps = Annotated[
    list[str] | None,
    typer.Option("--swap", metavar="SITE=ROW,ROW[@START:STOP]", help="Exchange two places along a site's first axis."),
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


def own_model(directory: str, info: Mapping[str, Any]) -> str | None:
    """The word by which a run's model was opened.

    Raises:
        UserError: it is an address, which would be sent the user's key although only the run's file names it.
    """
    from ..lm.opening import KEY

    spec: str | None = info.get("lm", {}).get("spec")
    if spec and spec.startswith(("http://", "https://")) and os.environ.get(KEY):
        raise UserError(f"{directory}: its model is at {spec}, which would be sent your ${KEY}; if you trust it, say "
                        f"--lm {spec}")  # fmt: skip
    return spec


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


def interventions_of(
    clamp: list[str] | None = None,
    ablate: list[str] | None = None,
    shift: list[str] | None = None,
    scale: list[str] | None = None,
    swap: list[str] | None = None,
) -> list[Any]:
    """What these options do to sites, in this order."""
    from ..intervention import Ablate, Clamp, Scale, Shift, Swap

    out: list[Any] = []
    for name, texts in (("clamp", clamp), ("ablate", ablate), ("shift", shift), ("scale", scale), ("swap", swap)):
        for text in texts or []:
            site, value, during = _at_site(f"--{name}", text)
            if name == "ablate":
                out.append(Ablate(site, during=during))
            elif name == "swap":
                out.append(Swap(site, value[0], value[1], during=during))
            else:
                out.append({"clamp": Clamp, "shift": Shift, "scale": Scale}[name](site, value, during=during))
    return out


def _at_site(option: str, text: str) -> tuple[str, Any, tuple[int | None, int | None] | None]:
    """`SITE=VALUE[@START:STOP]` taken apart; an ablation has no value, a swap has two numbers of rows."""
    what = {"--ablate": "SITE", "--swap": "SITE=ROW,ROW"}.get(option, "SITE=VALUE")
    form = f"{option} takes {what} or {what}@START:STOP, got {text!r}"
    body, at, window = text.partition("@")
    site, equals, value_text = body.partition("=")
    value: Any = None
    if not site or (option == "--ablate" and equals) or (option != "--ablate" and not value_text):
        raise UserError(form)
    if option == "--swap":
        value = [int(part) for part in value_text.split(",") if part.isdigit()]
        if len(value) != 2 or value_text.count(",") != 1:
            raise UserError(f"{form}; ROW and ROW are two places along the site's first axis")
    elif option != "--ablate":
        value = _value(value_text)
        if not isinstance(value, (int, float, bool, list)):
            raise UserError(f"{form}; VALUE must be a number or a list of numbers")
    if not at:
        return site, value, None
    start, colon, stop = window.partition(":")
    if not colon or not all(part == "" or part.isdigit() for part in (start, stop)):
        raise UserError(f"{form}; START and STOP are whole numbers of steps, either may be left out")
    return site, value, (int(start) if start else None, int(stop) if stop else None)


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
