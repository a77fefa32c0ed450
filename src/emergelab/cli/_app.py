"""The command to which the verbs are added."""

from __future__ import annotations

import typer

app = typer.Typer(
    rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False, no_args_is_help=True,
    help="A laboratory for emergence: grow a system, watch it, intervene, judge what was claimed about it.",
)  # fmt: skip
