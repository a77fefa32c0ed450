"""A run on a Ray cluster is the run that one process makes, whatever becomes of workers and drivers."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import emergelab as el
from emergelab.lm import Endpoint, Scripted
from emergelab.runs.store import Store, read_info

from ..lm.societies import Pair
from ..lm.test_endpoint import Server, answer
from .systems import Chatter, Drift, Voter

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'emergelab[cluster]'")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::FutureWarning")

ROOT = Path(__file__).resolve().parents[2]
MODEL = {"model": {"policy": "model"}}
SETTING = {"steps": 400, "every": 10, "seeds": 8, "conditions": {"a": {}, "b": {"pull": 0.3}, "wild": {"pull": -1.0}}}


@pytest.fixture(scope="module")
def cluster():
    """One cluster of two cores for the tests of this process."""
    from emergelab.engine.cluster import joined

    with joined("ray", 2):
        yield


def equal(one, two):
    assert two.status == "finished" and two.done == 1
    for name in one.data.data_vars:
        np.testing.assert_array_equal(one.data[name].values, two.data[name].values, err_msg=name)
    assert one.diverged == two.diverged


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return el.run(Drift(), **SETTING, out=tmp_path_factory.mktemp("here") / "r", progress=False)


def test_the_run_is_the_same_bit_for_bit(cluster, here, tmp_path):
    made = el.run(Drift(), **SETTING, out=tmp_path / "r", on="ray", progress=False)
    equal(here, made)
    assert len(made.info["blocks"]) == 2 and made.diverged["wild"]


def test_the_place_may_be_an_address(cluster, here, tmp_path):
    made = el.run(Drift(), **SETTING, out=f"file://{tmp_path}/r", on="ray", progress=False)
    equal(here, made)


def test_blocks_may_be_more_than_workers(cluster, tmp_path):
    setting = {"steps": 60, "seeds": 7, "conditions": {"quiet": {"noise": 0.0}, "loud": {"noise": 0.3}}}
    whole = el.run(Voter(), **setting, out=tmp_path / "whole", progress=False)
    made = el.run(Voter(), **setting, out=tmp_path / "r", on="ray", progress=False, block_seeds=2)
    equal(whole, made)
    assert len(made.info["blocks"]) == 4


def _ended(event, out, pause=0.01):
    """Kill a worker that computes a block, as soon as it has written a checkpoint."""
    while not event.is_set():
        if list(Path(out).glob("checkpoints/*.json")):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    ours = b"ray::_computed" in (folder / "cmdline").read_bytes()
                except OSError:
                    continue
                if ours and _is_below(int(folder.name), os.getpid()):
                    os.kill(int(folder.name), signal.SIGKILL)
                    return
        time.sleep(pause)


def _is_below(process, ancestor):
    while process > 1:
        if process == ancestor:
            return True
        process = int((Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[1])
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers under /proc, which is Linux's")
def test_a_worker_that_dies_is_begun_again_from_its_last_checkpoint(cluster, tmp_path, capfd):
    setting = SETTING | {"steps": 6000}
    whole = el.run(Drift(), **setting, out=tmp_path / "whole", progress=False)
    over = threading.Event()
    killer = threading.Thread(target=_ended, args=(over, tmp_path / "r"))
    killer.start()
    try:
        made = el.run(Drift(), **setting, out=tmp_path / "r", on="ray", progress=False, chunk=5)
    finally:
        over.set()
        killer.join()
    equal(whole, made)
    assert "a worker died; block" in capfd.readouterr().err


def _driver(out):
    code = (
        "import signal\n"
        "import emergelab as el\n"
        "from tests.engine.systems import Drift\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"el.run(Drift(), steps=60_000, every=10, seeds=8, out={str(out)!r}, progress=False, chunk=5, "
        "on='ray', workers=2)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 120
    while not list(out.glob("checkpoints/*.json")):
        assert process.poll() is None and time.monotonic() < until, process.stderr.read().decode()
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_driver_that_is_ended_leaves_a_run_that_goes_on_here(how, tmp_path):
    whole = el.run(Drift(), steps=60_000, every=10, seeds=8, out=tmp_path / "whole", progress=False)
    process = _driver(tmp_path / "r")
    process.send_signal(how)
    _, error = process.communicate(timeout=90)
    run = el.load(tmp_path / "r")
    assert run.done < 1
    if how == signal.SIGINT:
        assert run.status == "interrupted" and "emergelab resume" in error.decode()
    # tasks of the killed driver may still be there for a moment; they must not write into what is resumed
    equal(whole, el.resume(tmp_path / "r", progress=False))


def test_tasks_of_a_session_that_is_over_write_nothing(cluster, tmp_path):
    from emergelab.engine import cluster as engine

    made = el.run(Drift(), steps=50, seeds=4, out=tmp_path / "r", on="ray", progress=False)
    before = {p.name: p.read_bytes() for p in (tmp_path / "r" / "checkpoints").iterdir()}
    for path in (tmp_path / "r" / "checkpoints").iterdir():
        path.unlink()
    engine._computed(str(tmp_path / "r"), "another", Drift, None, [0])
    assert not list((tmp_path / "r" / "checkpoints").iterdir())
    engine._computed(str(tmp_path / "r"), read_info(made.place)["session"], Drift, None, [0])
    again = {p.name: p.read_bytes() for p in (tmp_path / "r" / "checkpoints").iterdir()}
    assert set(again) == {"00000.json", "00000.npz"} and set(again) <= set(before)


class Stopped(Exception):
    """In place of a crash."""


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A run that a session named "old" began and left after some records."""
    from emergelab.engine import progress

    class Stops(progress.Silent):
        def add(self, seed_steps):
            raise Stopped

    path = tmp_path / "r"
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr("emergelab.engine.driver.Silent", Stops)
        el.run(Drift(), **SETTING, out=path, progress=False, chunk=3)
    run = el.load(path)
    Store(run.place).write_info(run.info | {"session": "old"})
    assert 0 < run.done < 0.5
    return path


def test_a_task_that_was_held_up_takes_nothing_back(here, begun, monkeypatch):
    from emergelab.engine import cluster as engine
    from emergelab.engine import compiled

    program, computed, go_on = compiled.program, threading.Event(), threading.Event()

    def held_up(*arguments):
        chunk = program(*arguments)
        if threading.current_thread() is not task:
            return chunk
        computed.set()
        assert go_on.wait(60)
        return chunk

    monkeypatch.setattr(compiled, "program", held_up)
    task = threading.Thread(target=engine._computed, args=(str(begun), "old", Drift, 2, [0]))
    task.start()
    assert computed.wait(60)
    equal(here, el.resume(begun, progress=False))
    go_on.set()
    task.join()
    equal(here, el.load(begun))


def test_who_resumes_waits_for_a_commit_that_is_under_way(here, begun):
    resumed = threading.Thread(target=el.resume, args=(begun,), kwargs={"progress": False})
    with el.load(begun).place.committing():
        resumed.start()
        until = time.monotonic() + 60
        while "session" in el.load(begun).info and time.monotonic() < until:
            time.sleep(0.01)
        before = el.load(begun).done
        resumed.join(0.5)
        assert resumed.is_alive() and el.load(begun).done == before
    resumed.join(60)
    equal(here, el.load(begun))


def test_a_host_system_is_the_same_too(cluster, tmp_path):
    setting = {
        "steps": 12,
        "every": 3,
        "seeds": 5,
        "conditions": {"quiet": {"talk": 0.1}, "loud": {}},
        "progress": False,
    }
    equal(
        el.run(Chatter(), **setting, out=tmp_path / "here"),
        el.run(Chatter(), **setting, out=tmp_path / "there", on="ray"),
    )


def test_all_tasks_ask_one_model_no_more_at_once_than_it_allows(cluster, tmp_path):
    server, under_way, most = Server(), [0], [0]
    lock = threading.Lock()

    def slow(body):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.05)
        with lock:
            under_way[0] -= 1
        return 200, {}, answer("defect")

    server.script = [slow]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        lm = Endpoint(server.url, "m", concurrency=2)
        made = el.run(Pair(), steps=2, seeds=6, conditions=MODEL, lm=lm, on="ray", out=tmp_path / "r", progress=False)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert made.status == "finished" and not made.failed and len(server.seen) >= 12
    assert most[0] <= 2


def test_scripted_models_travel_and_their_record_is_the_same(cluster, tmp_path):
    def says(request):
        return "cooperate" if request.address.seed % 2 else "defect"

    one, two = (
        el.run(Pair(), steps=3, seeds=4, conditions=MODEL, lm=Scripted(says), on=on, out=tmp_path / on, progress=False)
        for on in ("here", "ray")
    )
    equal(one, two)
    keys = [("time", "ascending"), ("condition", "ascending"), ("seed", "ascending"), ("kind", "ascending")]
    assert one.events.sort_by(keys).to_pylist() == two.events.sort_by(keys).to_pylist()


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ("spark", "on must be 'here', 'ray' or 'ray:ADDRESS', got 'spark'"),
        ("ray:127.0.0.1:1", "no Ray cluster answers at '127.0.0.1:1'"),
        ("ray:nowhere", "no Ray cluster answers at 'nowhere'"),
    ],
)
def test_wrong_words_are_one_line_and_leave_no_folder(on, said, tmp_path):
    with pytest.raises(el.UserError, match=said):
        el.run(Drift(), steps=10, out=tmp_path / "r", on=on, progress=False)
    assert not (tmp_path / "r").exists()
