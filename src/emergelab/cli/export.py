"""`emergelab export`: a run in the form that another tool reads."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ..errors import UserError, nearest

_FORMS = ("inspect",)


def export(
    directory: Annotated[str, typer.Argument(metavar="DIR")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new file; for Inspect it ends in .eval or .json.")],
    to: Annotated[
        str, typer.Option(help="inspect: the calls and decisions of agents, as a log of Inspect.")
    ] = "inspect",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Write a run in the form that another tool reads."""
    if to not in _FORMS:
        raise UserError(f"--to: no form {to!r}{nearest(to, _FORMS)}")
    from ..lm import to_inspect

    where = to_inspect(directory, file)
    print(json.dumps({"file": str(where)}) if as_json else f"log: {where}")
