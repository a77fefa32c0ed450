"""What a machine needs to run emergelab, checked by doing it."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True)
class Check:
    """One line of `emergelab doctor`."""

    name: str
    ok: bool
    found: str
    advice: str = ""


def examine() -> list[Check]:
    """All checks, each of which can fail without stopping the others."""
    out = []
    for name, advice, check in (
        ("python", "install Python 3.11 or newer", _python),
        ("packages", "reinstall: pip install -c constraints.txt emergelab", _packages),
        ("devices", "reinstall jax for this machine: https://docs.jax.dev/en/latest/installation.html", _devices),
        ("compile and run", "see the message; `pip install -U jax jaxlib` often helps", _compile),
        ("compilation cache", "set EMERGELAB_CACHE to a folder that can be written", _cache),
        ("store", "the current folder or its zarr installation cannot hold a run", _store),
        ("disk", "free some space; a quick run takes some tens of megabytes", _disk),
        ("studies", "an installed study cannot be read", _studies),
    ):
        out.append(_checked(name, advice, check))
    return out


def _checked(name: str, advice: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except Exception as error:  # a doctor reports whatever is broken, and goes on
        return Check(name, False, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", advice)


def _python() -> str:
    if sys.version_info[:2] < (3, 11):  # noqa: UP036 - a checkout may be run without being installed
        raise RuntimeError(f"Python {platform.python_version()}")
    return f"{platform.python_version()} on {platform.platform()}"


def _packages() -> str:
    from .runs.provenance import PACKAGES

    return ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)


def _devices() -> str:
    import jax

    return ", ".join(f"{d.platform}:{d.id}" for d in jax.devices())


def _compile() -> str:
    import jax
    import jax.numpy as jnp

    begun = time.perf_counter()
    value = jax.jit(lambda x: (x @ x).sum())(jnp.eye(64))
    if float(value) != 64.0:
        raise RuntimeError(f"a product of identities summed to {float(value)}, not 64")
    return f"a matrix product in {time.perf_counter() - begun:.2f} s"


def _cache() -> str:
    from .assets import cache_folder

    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    return f"{folder} ({size / 1e6:.0f} MB)"


def _store() -> str:
    import numpy as np
    import zarr

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        array = zarr.open_group(f"{folder}/x.zarr", mode="w").create_array("a", shape=(3,), dtype="f4")
        array[:] = np.arange(3)
        if not np.array_equal(array[:], np.arange(3)):
            raise RuntimeError("what was written is not what is read")
    return "Zarr v3 writes and reads here"


def _disk() -> str:
    free = shutil.disk_usage(Path.cwd()).free
    if free < 200e6:
        raise RuntimeError(f"{free / 1e6:.0f} MB free")
    return f"{free / 1e9:.0f} GB free"


def _studies() -> str:
    from .catalogue import entries

    return f"{len(entries())} in the catalogue"
