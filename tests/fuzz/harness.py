"""Hostile runs and logs, and what every reader may do with them: return data, or raise a `UserError` of one line.

Anything else is a finding: another exception, several lines, code that runs, a file that appears outside, an array
that there was no memory for, a wait without end.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import emergelab as el
from emergelab.engine.driver import cells_of
from emergelab.errors import UserError
from emergelab.lm import Ledger, Replay, Scripted
from emergelab.report.assemble import report_run
from emergelab.report.reading import Columns, read
from emergelab.runs.importers import open_data
from emergelab.runs.place import Place
from emergelab.runs.store import Store

from ..engine.systems import Drift
from ..lm.societies import Pair
from . import studio
from .mutations import CANARY, change

FILES = Path(__file__).resolve().parents[1] / "runs" / "importers" / "files"
SECONDS = 60
"""A reader that takes longer hangs."""


class Finding(Exception):
    """A reader did what it may not."""


class Hostile:
    """Good originals, and copies of them that are spoiled and read.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.copy = folder, folder / "inside" / "copy"
        self.drift, self.society = folder / "drift", folder / "society"
        el.run(Drift(), steps=40, every=2, seeds=2, conditions={"calm": {}, "wild": {"pull": -1.0}}, out=self.drift,
               progress=False, keep="log")  # fmt: skip
        lm = Scripted(lambda request: "cooperate")
        el.run(Pair(), conditions={"model": {"policy": "model"}}, seeds=1, steps=4, out=self.society, lm=lm,
               progress=False)  # fmt: skip
        self.judged = shutil.copytree(self.drift, folder / "judged")
        (self.judged / "verdicts.json").write_text(json.dumps([studio.VERDICT] * 2))
        self.edited = folder / "edited"
        # what is not finite is no JSON, so it goes to interventions.npz as large arrays do
        el.run(Drift(d=16), steps=4, every=2, seeds=1, out=self.edited, progress=False,
               interventions=[el.Clamp("force", np.full(16, np.nan, np.float32), during=(1, 3))])  # fmt: skip
        self.cut = shutil.copytree(self.drift, folder / "cut")
        info = self.cut / "run.json"
        info.write_text(info.read_text().replace('"finished"', '"interrupted"'))
        for file in (self.cut / "checkpoints").iterdir():
            file.unlink()
        self.served = folder / "served"
        shutil.copytree(self.judged, self.served / "good")
        self._addresses: studio.Addresses | None = None
        self.logs = sorted(p for p in FILES.iterdir() if p.suffix != ".py" and p.name != "__pycache__")

    def attempt(self, target: str, rng: random.Random) -> str:
        """Spoil a copy and read it; returns "data" or "refused".

        Raises:
            Finding: anything else happened.
        """
        if target == "address":
            return self._asked(rng)
        shutil.rmtree(self.copy.parent, ignore_errors=True)
        self.copy.parent.mkdir()
        original = {
            "importer": rng.choice(self.logs), "upload": rng.choice([f for f in self.logs if f.is_file()]),
            "log": self.society, "verdicts": self.judged, "interventions": self.edited, "resume": self.cut,
        }.get(target, self.drift)  # fmt: skip
        here = self.copy.with_name(original.name) if target in ("importer", "upload") else self.copy
        (shutil.copytree if original.is_dir() else shutil.copy)(original, here)
        file = _one_of(here, target, rng)
        where = file.relative_to(self.copy.parent)
        how = change(file, rng)
        said = f"{target}, {where}, {how}"
        before = self._outside()
        try:
            with _soon(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                READERS[target](here)
            outcome = "data"
        except UserError as error:
            outcome, line = "refused", str(error)
            if "\n" in line or len(line) > 2000:
                raise Finding(f"{said}: no one line: {line[:300]!r}") from None
            if "Unable to allocate" in line or "MemoryError" in line:
                raise Finding(f"{said}: refused only when there was no memory: {line[:300]}") from None
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raise Finding(f"{said}: {type(error).__name__}: {str(error)[:300]}") from error
        if Path(CANARY).exists() or self._outside() != before:
            raise Finding(f"{said}: code ran, or a file appeared outside")
        return outcome

    def _asked(self, rng: random.Random) -> str:
        """An address is asked of a studio, which begins with the first one."""
        if self._addresses is None:
            self._addresses = studio.Addresses(self.served)
        try:
            return self._addresses.ask(rng)
        except Exception as error:
            raise Finding(f"address: {error}") from error

    def close(self) -> None:
        """End what still goes on."""
        if self._addresses is not None:
            self._addresses.close()

    def _outside(self) -> list[str]:
        return sorted(p for p in os.listdir(self.folder)) + sorted(os.listdir(self.copy.parent))


def _one_of(here: Path, target: str, rng: random.Random) -> Path:
    """A file of a copy that the reader will look at."""
    if here.is_file():
        return here
    patterns = {
        "run.json": ("run.json",), "checkpoint": ("checkpoints/*", "kept/*"), "log": ("events/*",),
        "verdicts": ("verdicts.json",), "interventions": ("interventions.npz",), "resume": ("run.json",),
        "data": ("data.zarr/**/*",), "report": ("run.json", "checkpoints/*.json", "data.zarr/*/zarr.json"),
    }  # fmt: skip
    found = [f for p in patterns.get(target, ("**/*",)) for f in here.glob(p) if f.is_file() and f.stat().st_size]
    return rng.choice(sorted(found))


@contextlib.contextmanager
def _soon() -> Iterator[None]:
    """An alarm for what would never end."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"not done after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# -- readers --------------------------------------------------------------------------------------------------------


def _run(here: Path) -> None:
    run = el.load(here)
    repr((run, run.done, run.diverged, run.failed, run.kept, run.events))
    run.data.load()


def _checkpoint(here: Path) -> None:
    run, store = el.load(here), Store(Place(here))
    repr((run.done, run.diverged))
    for index in range(len(run.info["blocks"])):
        store.read_checkpoint(index)
    for time in run.kept:
        for condition in run.info["conditions"]:
            run.state(time, condition)


def _log(here: Path) -> None:
    ledger = Ledger(here)
    repr((len(ledger), ledger.tokens(), Replay(ledger).name))


def _importer(here: Path) -> None:
    try:
        open_data(here)
    finally:
        read([here], Columns())


def _report(here: Path) -> None:
    page = here.parent / "page.html"
    try:
        report_run(el.load(here), None, [], page)
        if "<script>alert" in page.read_text():
            raise Finding("text of a run is part of the page's code")
    finally:
        page.unlink(missing_ok=True)


def _interventions(here: Path) -> None:
    run = el.load(here)
    cells_of(run.place, run.info, Drift)


def _resume(here: Path) -> None:
    el.resume(here, progress=False, workers=1)


READERS: dict[str, Callable[[Path], None]] = {
    "importer": _importer,
    "run.json": _run,
    "data": _run,
    "checkpoint": _checkpoint,
    "log": _log,
    "report": _report,
    "verdicts": studio.verdicts,
    "interventions": _interventions,
    "resume": _resume,
    "upload": studio.upload,
    "address": lambda here: None,  # an address is no file: `Hostile.attempt` asks a studio for it
}
