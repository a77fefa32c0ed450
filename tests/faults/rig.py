"""Faults at random moments: python -m tests.faults.rig --faults 200 --seed 0.

Every fault hits a run that is under way. Afterwards nothing that a checkpoint counts as done may be missing, the run
is resumed, and the outcome is one of: `exact` (all arrays, events, marks and states equal those of a run that was left
alone, bit for bit), `said` (one line says why it cannot go on), or a failure with what is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import emergelab as el
from emergelab.errors import UserError
from emergelab.runs.store import Store

from .endpoint import FAULTS as ENDPOINT_FAULTS
from .endpoint import Unreliable, served
from .judge import cost, differences
from .subjects import CHUNK, drift, go_on, society

ROOT = Path(__file__).resolve().parents[2]
_NOBODY = 65534


class Wrong(Exception):
    """A fault did what it may not."""


@dataclass
class Rig:
    """The undisturbed runs to compare with, and where disturbed ones lie.

    Attributes:
        folder: an empty folder.
        rng: decides moments and damage.
        cost: most records of a seed that any fault made to be computed again.
        lines: what was said instead of going on, by kind.
    """

    folder: Path
    rng: random.Random
    cost: int = 0
    count: int = 0
    lines: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.whole = self.folder / "whole"
        drift(self.whole)
        self.society = self.folder / "society"
        with served(Unreliable()) as url:
            society(self.society, url)

    def new(self, under: Path | None = None) -> Path:
        """The folder of the next run."""
        self.count += 1
        return (under or self.folder) / f"run{self.count}"

    def settle(self, out: Path, finish: Callable[[], object]) -> str:
        """Judge what lies there after a fault, go on, and judge the end."""
        if not (out / "run.json").exists():
            # The fault came before there was a run: nothing was recorded, and one line says so.
            one_line(lambda: el.load(out))
            return "exact"
        spent = cost(self.whole, out)
        if spent > CHUNK:
            raise Wrong(f"{spent} records are computed again, more than the {CHUNK} of a chunk")
        self.cost = max(self.cost, spent)
        finish()
        if found := differences(self.whole, out):
            raise Wrong("; ".join(found))
        return "exact"


def one_line(call: Callable[[], object]) -> str:
    """What a call that must be refused says.

    Raises:
        Wrong: it was not refused, not in one line, or by a traceback.
    """
    try:
        call()
    except UserError as error:
        if "\n" in str(error):
            raise Wrong(f"more than one line: {error}") from None
        return str(error)
    except Exception as error:
        raise Wrong(f"a traceback: {type(error).__name__}: {error}") from error
    raise Wrong("not refused")


# -- kinds of faults ------------------------------------------------------------------------------------------------


def kill(rig: Rig) -> str:
    """SIGKILL in the first run or in a run that goes on after a kill."""
    out = rig.new()
    process = _started(out)
    for _ in range(rig.rng.choice([1, 1, 2])):
        _until(process, out)
        time.sleep(rig.rng.uniform(0, 0.5))
        process.kill()
        process.wait()
        if (out / "run.json").exists():
            rig.cost = max(rig.cost, cost(rig.whole, out))
            process = _started(out, "resume")
    process.send_signal(signal.SIGKILL)
    process.wait()
    return rig.settle(out, lambda: go_on(out))


def full_disk(rig: Rig) -> str:
    """A file system that has no room left, from a random moment on."""
    with small_disk(rig.folder) as disk:
        out = rig.new(disk)

        def fill() -> None:
            with (disk / "filler").open("wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * 4096)
                    file.flush()

        said = _while_running(rig, out, fill)
        (disk / "filler").unlink(missing_ok=True)
        if said and os.strerror(errno.ENOSPC) not in said:
            raise Wrong(f"the line does not name the full disk: {said}")
        return rig.settle(out, lambda: go_on(out))


def unwritable(rig: Rig) -> str:
    """The folders of the run may not be written any more, from a random moment on."""
    out = rig.new()
    with _as_nobody(rig.folder):

        def forbid() -> None:
            for folder in [f for f in out.rglob("*") if f.is_dir()] + [out]:
                folder.chmod(0o555)

        said = _while_running(rig, out, forbid)
        for folder in [out, *sorted(f for f in out.rglob("*") if f.is_dir())]:
            folder.chmod(0o755)
        if said and os.strerror(errno.EACCES) not in said:
            raise Wrong(f"the line does not name what is in the way: {said}")
        return rig.settle(out, lambda: go_on(out))


def checkpoint(rig: Rig) -> str:
    """A checkpoint of an interrupted run is damaged: refused in a line that says what to delete, and then exact."""
    out = rig.new()
    _interrupted(out, after=rig.rng.randint(4, 60))
    file = rig.rng.choice(sorted((out / "checkpoints").iterdir()))
    file.write_bytes(damaged(file.read_bytes(), rig.rng))
    try:
        go_on(out)
    except UserError as error:
        said = str(error)
        if "\n" in said or "delete" not in said:
            raise Wrong(f"no line that says what to do: {said}") from None
        rig.lines["checkpoint"] = said
        for part in (file, file.with_suffix(".npz")):
            part.unlink(missing_ok=True)
        go_on(out)
    if found := differences(rig.whole, out):
        raise Wrong("; ".join(found))
    return "exact"


def two_processes(rig: Rig) -> str:
    """A second process on the run of a first one: refused in a line, and the first one is not disturbed."""
    out = rig.new()
    first = _started(out)
    _until(first, out)
    said = one_line(lambda: go_on(out)) if rig.rng.random() < 0.5 else one_line(lambda: drift(out))
    if not ("another process is writing" in said or "already holds a run" in said):
        raise Wrong(said)
    rig.lines["two processes"] = said
    if first.wait(timeout=300):
        raise Wrong("the first process was disturbed")
    return rig.settle(out, lambda: None)


def model(rig: Rig, how: str) -> str:
    """An endpoint that does not answer as it should, for a while or for good."""
    out, outage = rig.new(), rig.rng.random() < 0.3
    server = Unreliable(how, at=rig.rng.randrange(1, 150), times=10**6 if outage else rig.rng.randint(1, 3))
    with served(server) as url:
        made = society(out, url)
    if not outage:
        # the address differs from run to run, and is no part of what is compared
        if found := differences(rig.society, out):
            raise Wrong("; ".join(found))
        return "exact"
    marks = made.failed.get("model", {})
    whole = el.load(rig.society)
    done = [made.progress[i]["records"] for i in range(2)]
    for i, records in enumerate(done):
        x, y = (r.data["cooperation"].values[:, i, :records] for r in (whole, made))
        if x.tobytes() != y.tobytes():
            raise Wrong("records before the outage are lost")
        if records < whole.records and i not in marks:
            raise Wrong("a seed that stopped is not marked")
    lines = [str(mark["error"]) for mark in marks.values()]
    if not lines or any("\n" in line for line in lines):
        raise Wrong(f"no line that says why: {lines}")
    rig.lines[f"model: {how}"] = lines[0]
    return "said"


KINDS: dict[str, Callable[[Rig], str]] = {
    "kill": kill,
    "full disk": full_disk,
    "unwritable": unwritable,
    "checkpoint": checkpoint,
    "two processes": two_processes,
} | {f"model: {how}": (lambda rig, how=how: model(rig, how)) for how in ENDPOINT_FAULTS}  # type: ignore[misc]


# -- how they are done ----------------------------------------------------------------------------------------------


def _started(out: Path, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.subjects", str(out), *more], cwd=ROOT, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _until(process: subprocess.Popen[bytes], out: Path) -> None:
    """Wait for a process to write a checkpoint, or to end."""
    mark = time.time()
    while process.poll() is None:
        with contextlib.suppress(OSError):
            if any(f.stat().st_mtime >= mark for f in (out / "checkpoints").glob("*.npz")):
                return
        time.sleep(0.01)


def _while_running(rig: Rig, out: Path, fault: Callable[[], None]) -> str:
    """Grow a run here, and let the fault happen at a random moment; returns the line that stopped it, or ""."""
    after, count, lock = rig.rng.randint(1, 60), [0], threading.Lock()
    write = Store.append

    def counted(self: Store, *arguments: object) -> None:
        with lock:
            count[0] += 1
            now = count[0] == after
        if now:
            fault()
        write(self, *arguments)  # type: ignore[arg-type]

    Store.append = counted  # type: ignore[method-assign]
    try:
        drift(out)
    except UserError as error:
        if "\n" in str(error):
            raise Wrong(f"more than one line: {error}") from None
        rig.lines[fault.__qualname__.split(".")[0].replace("_", " ")] = str(error)
        return str(error)
    except Exception as error:
        raise Wrong(f"a traceback: {type(error).__name__}: {error}") from error
    finally:
        Store.append = write  # type: ignore[method-assign]
    return ""


class _Stop(Exception):
    pass


def _interrupted(out: Path, after: int) -> None:
    """A run that ends after so many checkpoints."""
    count, lock, write = [0], threading.Lock(), Store.write_checkpoint

    def counted(self: Store, *arguments: object) -> None:
        write(self, *arguments)  # type: ignore[arg-type]
        with lock:
            count[0] += 1
            if count[0] >= after:
                raise _Stop

    Store.write_checkpoint = counted  # type: ignore[method-assign]
    try:
        with contextlib.suppress(_Stop):
            drift(out)
    finally:
        Store.write_checkpoint = write  # type: ignore[method-assign]


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """Bytes that a disk or a crash has spoiled: cut off, a bit turned, a piece zeroed, or other bytes."""
    kind = rng.choice(["cut", "bit", "zeros", "noise", "empty"])
    at = rng.randrange(len(raw))
    if kind == "cut":
        return raw[:at]
    if kind == "bit":
        return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]
    if kind == "zeros":
        return (raw[:at] + bytes(64) + raw[at + 64 :])[: len(raw)]
    return rng.randbytes(len(raw)) if kind == "noise" else b""


def can_mount() -> bool:
    """Whether a small file system can be mounted here."""
    return os.geteuid() == 0 and sys.platform == "linux" and shutil.which("mount") is not None


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "4m") -> Iterator[Path]:
    """A file system of few bytes, in memory.

    Raises:
        OSError: it cannot be mounted (not root, or the container forbids it).
    """
    disk = Path(tempfile.mkdtemp(dir=folder))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)], capture_output=True)
    if done.returncode:
        raise OSError(done.stderr.decode().strip())
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@contextlib.contextmanager
def _as_nobody(folder: Path) -> Iterator[None]:
    """Without the rights of root, whom no mode of a folder stops; the folder is nobody's meanwhile."""
    if os.geteuid():
        yield
        return
    before = folder.stat().st_mode
    folder.chmod(0o777)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        folder.chmod(before)


# -- the command ----------------------------------------------------------------------------------------------------


def main() -> int:
    """Spread faults evenly over the kinds, print a table; exit code 1 if one did what it may not."""
    options = argparse.ArgumentParser(prog="python -m tests.faults.rig", description=__doc__)
    options.add_argument("--faults", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--kind", action="append", choices=list(KINDS))
    asked = options.parse_args()
    chosen = asked.kind or [k for k in KINDS if k != "full disk" or can_mount()]
    outcomes: dict[str, Counter[str]] = {k: Counter() for k in chosen}
    begun, wrong = time.monotonic(), []
    # not below /root, where nobody may look
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        rig = Rig(Path(name), random.Random(asked.seed))
        for i in range(asked.faults):
            kind = chosen[i % len(chosen)]
            try:
                outcomes[kind][KINDS[kind](rig)] += 1
            except (Wrong, AssertionError, UserError) as error:
                outcomes[kind]["wrong"] += 1
                wrong.append(f"fault {i}, {kind}: {error}")
                print(wrong[-1], file=sys.stderr, flush=True)
            for folder in Path(name).glob("run*"):
                shutil.rmtree(folder)
    print("| fault | times | exact result | said in one line | wrong |\n| --- | ---: | ---: | ---: | ---: |")
    for kind, found in outcomes.items():
        print(f"| {kind} | {found.total()} | {found['exact']} | {found['said']} | {found['wrong']} |")
    total = sum(outcomes.values(), Counter())
    print(f"| all | {total.total()} | {total['exact']} | {total['said']} | {total['wrong']} |")
    print(f"\nmost records of a seed that were computed again: {rig.cost} (a chunk is {CHUNK})")
    print(f"seconds: {time.monotonic() - begun:.0f}")
    for kind, line in rig.lines.items():
        print(f"{kind}: {line.replace(name, 'FOLDER')}")
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
