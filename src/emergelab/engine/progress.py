"""Progress of a run with rate and time left, on the error stream so that `--json` output stays clean."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any


class Silent:
    """Says nothing."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: Any) -> None: ...

    def add(self, seed_steps: int) -> None: ...


class Bar(Silent):
    """A bar on a terminal; elsewhere (a log file, CI) a line every ten seconds."""

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self.title, self.total, self.done, self.before = title, max(1, total), done, done
        self.begun = self.said = time.monotonic()
        self.lock = threading.Lock()
        self.live: Any = None

    def __enter__(self) -> Bar:
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_terminal:
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self.live = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
                console=console,
            )
            self.live.start()
            self.task = self.live.add_task(self.title, total=self.total, completed=self.done, rate="compiling", left="")
        return self

    def __exit__(self, *_: Any) -> None:
        if self.live is not None:
            self.live.stop()

    def add(self, seed_steps: int) -> None:
        with self.lock:
            self.done += seed_steps
            elapsed = max(1e-9, time.monotonic() - self.begun)
            rate = (self.done - self.before) / elapsed
            left = (self.total - self.done) / rate if rate else float("inf")
            shown, remaining = f"{_si(rate)} seed-steps/s", f"{_clock(left)} left"
            if self.live is not None:
                self.live.update(self.task, completed=self.done, rate=shown, left=remaining)
            elif time.monotonic() - self.said > 10:
                self.said = time.monotonic()
                print(f"{self.title}: {self.done / self.total:.0%}, {shown}, {remaining}", file=sys.stderr, flush=True)


def _si(x: float) -> str:
    for unit in ("", "k", "M", "G"):
        if x < 1000:
            return f"{x:.3g}{unit}"
        x /= 1000
    return f"{x:.3g}T"


def _clock(seconds: float) -> str:
    if seconds == float("inf"):
        return "unknown"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
