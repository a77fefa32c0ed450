"""The command to which the verbs are added."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False, no_args_is_help=True,
    help="A laboratory for emergence: grow a system, watch it, intervene, judge what was claimed about it.",
)  # fmt: skip


def _show_version(wanted: bool) -> bool:
    if wanted:
        from .. import __version__

        print(f"emergelab {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _whole(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass
