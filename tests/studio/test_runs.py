"""What the studio knows of a folder of runs, and what it refuses to know."""

import fcntl
import json
import os
import time

import numpy as np
import pytest

from emergelab.errors import RunError, UserError
from emergelab.runs.place import Place
from emergelab.runs.store import ArraySpec, Store
from emergelab.studio.runs import Runs, is_written


def laid(path, *, status="finished", records=5, done=5, **more):
    """A run on disk that nobody had to compute: one condition, two seeds, `done` of `records` records written."""
    info = {
        "format": "emergelab-run", "version": 1, "status": status, "study": "sorting", "size": "tiny",
        "system": {"name": "Sorting", "module": "emergelab.studies.societies.sorting", "qualname": "Sorting"},
        "conditions": {"a": {"parameters": {}}}, "seeds": [0, 1],
        "steps": 10 * (records - 1), "every": 10, "taps": [], "interventions": {"a": []}, "wall_seconds": 1.0,
        "blocks": [{"conditions": [0], "seeds": [0, 2], "width": 2}],
        "provenance": {"command": "emergelab run sorting", "created": "2026-01-01T00:00:00+00:00", "versions": {}},
        **more,
    }  # fmt: skip
    store = Store.create(
        Place(path), info, [ArraySpec("x", (), (), "<f4", {"long_name": "height", "units": "m"})],
        times=np.arange(records) * 10, chunk_conditions=1, chunk_seeds=2,
    )  # fmt: skip
    grow(path, 0, done)
    return store


def grow(path, start, stop):
    """Records [start, stop) of a laid run: seed 0 is the record's number, seed 1 twice that."""
    store = Store(Place(path))
    values = np.arange(start, stop, dtype=np.float32) * np.array([[1.0], [2.0]], np.float32)
    store.append("x", [0], slice(0, 2), start, values[None])
    store.place.write("checkpoints/00000.json", json.dumps({"records": stop, "diverged": {}, "failed": {}}).encode())


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "runs").mkdir()
    return Runs(tmp_path / "runs")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/../../x", "/etc", ".studio", "a/.hidden", "a\0b"])
def test_no_name_leads_out_of_the_folder(runs, name):
    with pytest.raises(UserError):
        runs.path(name)


def test_a_link_out_of_the_folder_is_refused_wherever_it_stands(runs, tmp_path):
    laid(tmp_path / "elsewhere")
    (runs.root / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="leads out"):
        runs.load("link")
    laid(runs.root / "own")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (runs.root / "own" / "figures").symlink_to(tmp_path)
    with pytest.raises(UserError, match="leads out"):
        runs.load("own")
    with pytest.raises(UserError, match="leads out"):
        runs.file("own", "figures", "secret.png")
    assert [r.status for r in runs.listing()] == ["no run", "no run"]


def test_a_file_must_be_of_the_run_that_was_named(runs):
    laid(runs.root / "a")
    laid(runs.root / "b")
    assert runs.file("a", "run.json").name == "run.json"
    for parts in (("..", "b", "run.json"), ("figures", "..", "..", "b", "run.json"), ("nothing.png",)):
        with pytest.raises(UserError):
            runs.file("a", *parts)


def test_a_folder_that_is_no_run_is_one_clear_line(runs):
    laid(runs.root / "good")
    (runs.root / "foreign").mkdir()
    (runs.root / "half").mkdir()
    (runs.root / "half" / "run.json").write_text('{"format": "emerg')
    laid(runs.root / "odd", provenance=None)
    (runs.root / "group").mkdir()
    laid(runs.root / "group" / "inner")
    found = {r.name: r for r in runs.listing()}
    assert {n: r.status for n, r in found.items()} == {
        "good": "finished", "group/inner": "finished", "foreign": "no run", "half": "no run", "odd": "no run",
    }  # fmt: skip
    for name, word in (("foreign", "not a run"), ("half", "damaged"), ("odd", "damaged")):
        assert word in found[name].note and "\n" not in found[name].note
        assert str(runs.root) not in found[name].note
    assert [r.status for r in runs.listing()][-3:] == ["no run"] * 3


def test_a_run_whose_process_is_dead_is_interrupted(runs):
    path = runs.root / "a"
    laid(path, status="running", done=2)
    assert runs.status(runs.load("a")) == "running", "it has only just begun, and may not hold its lock yet"
    os.utime(path / "run.json", (time.time() - 60,) * 2)
    assert runs.status(runs.load("a")) == "interrupted"
    with (path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_written(path)
        assert runs.status(runs.load("a")) == "running"
    assert not is_written(path)


def test_looking_never_takes_the_lock(runs):
    path = runs.root / "a"
    laid(path)
    (path / ".lock").touch()
    for _ in range(20):
        is_written(path)
        with Place(path).locked():
            pass


def test_the_newest_run_of_a_study_with_verdicts_is_its_face(runs):
    created = {"command": "", "versions": {}}
    laid(runs.root / "old", provenance={**created, "created": "2026-01-01T00:00:00+00:00"})
    laid(runs.root / "new", provenance={**created, "created": "2026-02-01T00:00:00+00:00"})
    assert runs.newest()["sorting"].name == "new"
    (runs.root / "old" / "verdicts.json").write_text('[{"verdict": "supported"}]')
    assert runs.newest()["sorting"].name == "old"
    (runs.root / "new" / "verdicts.json").write_text('{"damaged": 1}')
    assert runs.verdicts("new") == []


def test_there_is_no_such_run(runs):
    with pytest.raises(RunError, match="there is no run 'nothing'"):
        runs.load("nothing")
