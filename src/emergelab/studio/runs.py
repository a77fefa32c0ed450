"""The runs of a folder: which there are, how far they are, and whether somebody is still writing them."""

from __future__ import annotations

import json
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RunError, UserError
from ..runs.run import Run, load

# A run says "running" a moment before it holds its lock; one that began so lately is not called interrupted, seconds.
_GRACE = 5.0


@dataclass(frozen=True)
class Listed:
    """One line of the list of runs.

    Attributes:
        name: relative to the folder of runs.
        status: running, interrupted, finished, or "no run" for a folder that is none.
        note: why it is no run, one line; "" otherwise.
        study: slug, or the system's name where there was no study.
        done: fraction of the records that is written, 0 to 1.
        created: time in UTC, ISO 8601.
    """

    name: str
    status: str
    note: str = ""
    study: str = ""
    size: str = ""
    conditions: int = 0
    seeds: int = 0
    steps: int = 0
    done: float = 0.0
    created: str = ""


class Runs:
    """A folder of runs. Nothing outside of it can be named through it."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).resolve()

    def path(self, name: str) -> Path:
        """The folder of a name, which need not be there yet.

        Raises:
            UserError: the name leads out of the folder of runs, or to something hidden.
        """
        parts = Path(name).parts
        if not parts or Path(name).is_absolute() or any(part.startswith(".") for part in parts) or "\0" in name:
            raise UserError(f"{name!r} is no name of a run; it is a path below the folder of runs")
        return self._within(self.root.joinpath(*parts))

    def _within(self, path: Path) -> Path:
        try:
            found = path.resolve()
            found.exists()  # a name that is too long for the disk is found out here
        except (OSError, ValueError) as error:
            raise UserError(f"{path.name[:60]!r} is no name of a file here ({_reason(error)})") from None
        if found == self.root or not found.is_relative_to(self.root):
            raise UserError(f"{path.name!r} leads out of the folder of runs; it is not served")
        return found

    def name(self, path: str | Path) -> str:
        """The name of a run's folder, or of one that will be made, given by path or by name.

        Raises:
            UserError: it lies outside of the folder of runs.
        """
        given = Path(path)
        found = self._within(given if given.is_absolute() else self.root / given)
        name = str(found.relative_to(self.root))
        self.path(name)
        return name

    def file(self, name: str, *parts: str) -> Path:
        """A file of a run, which must lie in the folder of runs even if it is a link.

        Raises:
            UserError: it does not, or it is not there.
        """
        folder = self.path(name)
        path = self._within(folder.joinpath(*parts))
        if not path.is_relative_to(folder):
            raise UserError(f"{'/'.join(parts)!r} leads out of the run {name!r}; it is not served")
        if not path.is_file():
            raise UserError(f"the run {name!r} has no file {'/'.join(parts)!r}")
        return path

    def load(self, name: str) -> Run:
        """A run by name, for reading.

        Raises:
            RunError: no run, or a damaged one.
            UserError: the name, or a link within the run, leads out of the folder of runs.
        """
        folder = self.path(name)
        if not folder.is_dir():
            raise RunError(f"there is no run {name!r}")
        for part in [*folder.iterdir(), *_below(folder / "data.zarr")]:
            if part.is_symlink():
                self._within(part)
        try:
            return load(folder)
        except RunError as error:
            # the message names the folder by its whole path, which is nobody's business on a page
            raise RunError(str(error).replace(str(folder), name)) from None

    def status(self, run: Run) -> str:
        """`running`, `interrupted` or `finished`: what a run says of itself, unless its process is dead."""
        if run.status != "running" or is_written(Path(run.path)):
            return run.status
        try:
            age = clock.time() - (Path(run.path) / "run.json").stat().st_mtime
        except OSError:
            return "interrupted"
        return "running" if age < _GRACE else "interrupted"

    def listing(self) -> list[Listed]:
        """All runs, the newest first; folders that are none come last, each with one line that says why."""
        found = [self._listed(name) for name in self._names()]
        return sorted(found, key=lambda r: (r.status != "no run", r.created, r.name), reverse=True)

    def _names(self) -> Iterator[str]:
        """Folders that hold a run, or else claim to: of a folder of folders only those that are runs."""
        for child in _folders(self.root):
            if (child / "run.json").exists():
                yield child.name
                continue
            below = [f"{child.name}/{g.name}" for g in _folders(child) if (g / "run.json").exists()]
            yield from below or [child.name]

    def _listed(self, name: str) -> Listed:
        try:
            run = self.load(name)
            info = run.info
            return Listed(
                name,
                self.status(run),
                study=str(info.get("study") or info["system"]["name"]),
                size=str(info.get("size") or ""),
                conditions=len(info["conditions"]),
                seeds=len(info["seeds"]),
                steps=int(info["steps"]),
                done=run.done,
                created=str(info["provenance"]["created"]),
            )
        except (UserError, OSError) as error:
            return Listed(name, "no run", note=str(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return Listed(name, "no run", note=f"run.json is damaged ({type(error).__name__}: {error})")

    def newest(self) -> dict[str, Listed]:
        """The newest run of every study, by slug; those with verdicts before those without."""
        found: dict[str, Listed] = {}
        for listed in self.listing():
            if listed.status == "no run":
                continue
            before = found.get(listed.study)
            if before is None or (not self.verdicts(before.name) and self.verdicts(listed.name)):
                found[listed.study] = listed
        return found

    def verdicts(self, name: str) -> list[dict[str, Any]]:
        """What was last judged of a run; empty if nothing was, or if the file is damaged."""
        try:
            found = json.loads(self.file(name, "verdicts.json").read_bytes())
        except (UserError, OSError, ValueError, RecursionError):
            return []
        return [v for v in found if isinstance(v, dict) and "verdict" in v] if isinstance(found, list) else []

    def figures(self, name: str) -> list[str]:
        """Names of the pictures that were drawn of a run."""
        folder = self.path(name) / "figures"
        return sorted(p.name for p in folder.glob("*.png")) if folder.is_dir() else []


def _reason(error: Exception) -> str:
    """Why a name cannot be looked up, without the whole path, which is nobody's business on a page."""
    return (error.strerror or "") if isinstance(error, OSError) else str(error)


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []


def _below(path: Path) -> list[Path]:
    return list(path.iterdir()) if path.is_dir() else []


def is_written(folder: Path) -> bool:
    """Whether a process holds a run's lock. Linux tells it without touching the lock; elsewhere it is tried."""
    lock = folder / ".lock"
    try:
        inode = str(lock.stat().st_ino)
    except OSError:
        return False
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return _tried(lock)
    return any("FLOCK" in line and f":{inode} " in line for line in lines)


def _tried(lock: Path) -> bool:
    try:
        import fcntl
    except ImportError:  # no locks here, so a run that says it is running is believed
        return True
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False
