"""Runs that the page starts: each is a process of its own, which outlives the page and is found again by the next.

What is known of a process lies beside the runs, in `.studio/NAME.json`, and what it prints in `.studio/NAME.log`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from .runs import Runs

_VERBS = ("run", "fork", "resume")


@dataclass(frozen=True)
class Job:
    """A process that was started by a page.

    Attributes:
        name: of the run that it writes.
        alive: whether it still goes on.
        said: the last line that it printed, "" for nothing.
    """

    name: str
    alive: bool
    said: str


class Processes:
    """Starts and stops runs in a folder, at most `most` at once.

    Raises:
        UserError: `most` is less than 1.
    """

    def __init__(self, runs: Runs, most: int = 2) -> None:
        if most < 1:
            raise UserError(f"--most must be 1 or more, got {most}")
        self.runs, self.most = runs, most
        self._notes = runs.root / ".studio"
        self._lock = threading.Lock()
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def launch(self, arguments: Sequence[str]) -> str:
        """Start `emergelab ARGUMENTS` and return the name of the run that it writes.

        Args:
            arguments: a verb (run, fork, resume) and what follows it. `run` and `fork` need `--out`, a folder that is
                not there yet; every folder that is named must lie among the runs.

        Raises:
            UserError: another verb, a folder elsewhere, or as many runs as there may be go on already.
        """
        words, name = self._checked([str(a) for a in arguments])
        with self._lock:
            going = [job.name for job in self.jobs() if job.alive]
            if name in going:
                raise UserError(f"the run {name!r} goes on already; stop it first")
            if len(going) >= self.most:
                raise UserError(
                    f"{len(going)} runs go on already ({', '.join(going)}), and --most allows {self.most}; "
                    "stop one or wait"
                )
            self._begin(words, name)
        return name

    def _checked(self, words: list[str]) -> tuple[list[str], str]:
        if not words or words[0] not in _VERBS:
            raise UserError(f"the page starts {', '.join(_VERBS)} and nothing else, got {' '.join(words[:1])!r}")
        verb = words[0]
        if verb != "run":
            words[1] = str(self.runs.path(self.runs.name(words[1])))
        if verb == "resume":
            return [*words, "--quiet"], self.runs.name(words[1])
        if "--out" not in words[:-1]:
            raise UserError(f"{verb}: --out must name the new run")
        at = words.index("--out") + 1
        name = self.runs.name(words[at])
        if self.runs.path(name).exists():
            raise UserError(f"there is a run {name!r} already; choose another name")
        words[at] = str(self.runs.path(name))
        return [*words, "--quiet"], name

    def _begin(self, words: list[str], name: str) -> None:
        self._notes.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with self._file(name, "log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "emergelab", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.runs.root,
                env=environment,
                start_new_session=True,
            )
        self._children[child.pid] = child
        note = {"name": name, "pid": child.pid, "began": _began(child.pid), "arguments": words}
        self._file(name, "json").write_text(json.dumps(note))

    def _file(self, name: str, suffix: str) -> Path:
        return self._notes / f"{name.replace('/', '--')}.{suffix}"

    def jobs(self) -> list[Job]:
        """All processes that pages have started in this folder, dead ones too."""
        found = []
        for file in sorted(self._notes.glob("*.json")) if self._notes.is_dir() else ():
            note = _read(file)
            if note is not None:
                log = file.with_suffix(".log")
                found.append(Job(note["name"], self._is_alive(note), _last_line(log)))
        return found

    def job(self, name: str) -> Job | None:
        """The process that writes a run, if a page has started one."""
        return next((job for job in self.jobs() if job.name == name), None)

    def stop(self, name: str) -> None:
        """Interrupt a run as Ctrl-C does: what was done is kept and can be resumed.

        Raises:
            UserError: no page has started it, or it has ended.
        """
        note = _read(self._file(name, "json"))
        if note is None:
            raise UserError(f"the run {name!r} was not started from here; stop it where it was")
        if not self._is_alive(note):
            raise UserError(f"the run {name!r} does not go on any more")
        os.kill(note["pid"], signal.SIGINT)

    def _is_alive(self, note: dict[str, Any]) -> bool:
        pid = note["pid"]
        if pid in self._children:
            return self._children[pid].poll() is None
        return _began(pid) == note["began"] and note["began"] is not None


def _read(file: Path) -> dict[str, Any] | None:
    try:
        note = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    whole = isinstance(note, dict) and isinstance(note.get("pid"), int) and isinstance(note.get("name"), str)
    return {"began": None, **note} if whole else None


def _began(pid: int) -> str | None:
    """When a living process began, as its system tells it; another process of the same number began at another time."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip() or None


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""
