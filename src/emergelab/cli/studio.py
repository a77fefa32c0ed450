"""`emergelab studio`: the page in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def studio(
    folder: Annotated[Path, typer.Argument(metavar="RUNS_DIR", help="Where runs lie and where new ones go.")] = Path(
        "runs"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any that is free.")] = 5006,
    host: Annotated[
        str, typer.Option(help="Address to listen on; another than this machine's needs --token.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(help="Word of 16 characters or more without which nothing is served.")
    ] = None,
    most: Annotated[int, typer.Option(help="Runs that the page may have going at once.")] = 2,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
) -> None:
    """Browse studies, start runs, watch, change and judge them on a page in the browser."""
    from ..studio import serve

    serve(folder, host=host, port=port, token=token, most=most, show=not no_open)
