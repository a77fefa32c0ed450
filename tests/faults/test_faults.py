"""Every kind of fault, at random moments: nothing recorded is lost, and every run ends exactly or says why."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import emergelab as el
from emergelab.errors import UserError
from emergelab.lm.wrappers import Cached

from .endpoint import Unreliable, served
from .rig import KINDS, ROOT, Rig, can_mount, one_line, small_disk
from .subjects import drift, endpoint

pytest.importorskip("httpx2")


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    # Not in pytest's folders, which are closed to others: some faults are run as nobody, who must be able to go there.
    with tempfile.TemporaryDirectory(prefix="faults") as folder:
        Path(folder).chmod(0o755)
        yield Rig(Path(folder), random.Random(1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_loses_nothing(rig: Rig, kind: str) -> None:
    if kind == "full disk" and not can_mount():
        pytest.skip("only root can mount a small file system")
    for _ in range(3 if kind == "checkpoint" else 1):
        assert KINDS[kind](rig) in ("exact", "said")


def test_killed_between_the_two_files_of_the_last_checkpoint(rig: Rig) -> None:
    out = rig.new()
    drift(out)
    account = out / "checkpoints" / "00000.json"
    account.write_text('{"records": 294, "diverged": {}, "failed": {}}')
    info = out / "run.json"
    info.write_text(info.read_text().replace('"finished"', '"running"'))
    assert rig.settle(out, lambda: el.resume(out, progress=False)) == "exact"


def test_a_full_disk_on_the_command_line(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("only root can mount a small file system")
    with small_disk(tmp_path, "64k") as disk:
        done = subprocess.run(
            [sys.executable, "-m", "emergelab", "run", "sorting", "--size", "tiny", "--quiet", "--out", "run"],
            cwd=disk, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "No space left on device" in done.stderr and "make room" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("emergelab: ")


def test_a_cache_on_a_full_disk_stops_the_run_and_fails_no_seed(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("only root can mount a small file system")
    from ..lm.societies import Pair

    how = {"conditions": {"model": {"policy": "model"}}, "seeds": 2, "steps": 40, "progress": False}
    with small_disk(tmp_path, "64k") as disk, served(Unreliable()) as url:
        lm = Cached(endpoint(url), disk / "answers")
        said = one_line(lambda: el.run(Pair(), out=tmp_path / "run", lm=lm, **how))
        assert "cache of answers cannot be used (database or disk is full)" in said
        cut = el.load(tmp_path / "run")
        assert cut.status == "interrupted" and cut.failed == {}
        made = el.resume(tmp_path / "run", lm=Cached(endpoint(url), tmp_path / "answers"), progress=False)
        assert made.status == "finished" and made.failed == {}


def test_two_processes_that_begin_in_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "run"
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.subjects", str(out)], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    refused = next(text for process, text in zip(both, said, strict=True) if process.returncode)
    # who comes while the other one lays out the folder finds it not empty, and not yet a run
    assert any(w in refused for w in ("another process is writing", "already holds a run", "is not empty"))
    assert el.load(out).done == 1


def test_a_link_out_of_the_folder_is_not_followed(rig: Rig, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"records": 1, "diverged": {}, "failed": {}}')
    out = rig.new()
    drift(out)
    (out / "checkpoints" / "00000.json").unlink()
    (out / "checkpoints" / "00000.json").symlink_to(secret)
    with pytest.raises(UserError, match="a link that leads out of the folder"):
        _ = el.load(out).progress
