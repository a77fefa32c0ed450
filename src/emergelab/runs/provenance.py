"""What is needed to repeat a run: command, versions, platform, commit."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__

PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy", "scipy", "xarray", "zarr")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages on which a result depends."""
    found = {"python": platform.python_version(), "emergelab": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def command() -> str:
    """The command line of this process as one would type it."""
    if not sys.argv or not sys.argv[0]:
        return "python (interactive)"
    program = Path(sys.argv[0]).name
    program = "emergelab" if program in ("emergelab", "__main__.py", "cli.py") else f"python {program}"
    return shlex.join([*program.split(), *sys.argv[1:]])


def commit() -> str | None:
    """The git commit of the code that runs (this package's checkout), or None where it is not one."""
    here = Path(__file__).resolve().parent
    try:
        out = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return out.stdout.strip() or None


def devices() -> list[str]:
    """What JAX computes on, by kind, an entry a device; `cpu` where there is nothing else."""
    import jax

    return [device.device_kind for device in jax.devices()]


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def provenance() -> dict[str, Any]:
    """All of the above, JSON-ready."""
    return {
        "command": command(),
        "versions": versions(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "devices": devices(),
        "commit": commit(),
        "created": now(),
    }


def changed(then: Mapping[str, Any]) -> list[str]:
    """One line for each version or platform that is another one now than in a run's provenance."""
    here = {**versions(), "platform": platform.platform()}
    before = {**then.get("versions", {}), "platform": then.get("platform")}
    return [
        f"{name}: {before.get(name) or 'not there'} then, {here.get(name) or 'not there'} now"
        for name in sorted(here.keys() | before.keys())
        if before.get(name) != here.get(name)
    ]
