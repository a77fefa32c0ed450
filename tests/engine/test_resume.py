"""A run that is killed at any moment and resumed equals the one that was not, bit for bit."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import emergelab as el

from .systems import Drift, Voter

ROOT = Path(__file__).resolve().parents[2]
KILLS = 20


def start(out, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.engine.grow", str(out), *more],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process):
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error.decode()


def test_killed_at_random_moments_and_resumed_equals_uninterrupted(tmp_path):
    whole = tmp_path / "whole"
    finish(start(whole))
    rng, kills, started = random.Random(0), 0, 0
    while kills < KILLS:
        out = tmp_path / f"killed{started}"
        started += 1
        process = start(out)
        while kills < KILLS:
            # Wait until this process has written something new, so that every kill hits a run that is under way.
            mark = time.time()
            while process.poll() is None and not _written_since(out, mark):
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.3))
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stderr.close()
            kills += 1
            _readable(out)
            process = start(out, "resume")
        finish(process)
        _equal(whole, out)
    assert kills >= KILLS


def _written_since(out, mark):
    folder = out / "checkpoints"
    return folder.is_dir() and any(f.stat().st_mtime >= mark for f in folder.glob("*.npz"))


def _readable(out):
    """A reader may open the run in whatever state the kill has left it."""
    run = el.load(out)
    assert 0 < run.done <= 1 and run.status in ("running", "finished")
    values = run.data["norm"].isel(time=0).values
    assert np.isfinite(values).any()


def _equal(a, b):
    one, two = el.load(a), el.load(b)
    assert two.status == "finished" and two.done == 1
    for name in one.data.data_vars:
        np.testing.assert_array_equal(one.data[name].values, two.data[name].values, err_msg=name)
    assert one.diverged == two.diverged and one.diverged["wild"]
    keys = [("time", "ascending"), ("condition", "ascending"), ("seed", "ascending")]
    assert one.events.sort_by(keys).to_pylist() == two.events.sort_by(keys).to_pylist()
    for i in range(len(one.info["blocks"])):
        name = f"checkpoints/{i:05d}.npz"
        with np.load(a / name) as x, np.load(b / name) as y:
            for leaf in x.files:
                np.testing.assert_array_equal(x[leaf], y[leaf])


def test_ctrl_c_keeps_what_is_done_and_says_how_to_resume(tmp_path):
    out = tmp_path / "r"
    code = (
        "import signal, threading, time, os, sys\n"
        "import emergelab as el\n"
        "from tests.engine.systems import Drift\n"
        # a shell's background job is started with this signal ignored
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def later():\n"
        f"    while not os.path.exists({str(out / 'checkpoints' / '00000.json')!r}): time.sleep(0.02)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=later, daemon=True).start()\n"
        f"el.run(Drift(), steps=200_000, every=10, seeds=4, out={str(out)!r}, progress=False, chunk=3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert "emergelab resume" in done.stderr and str(out) in done.stderr
    run = el.load(out)
    assert run.status == "interrupted" and 0 < run.done < 1
    assert np.isnan(run.data["norm"].isel(time=-1)).all()


def test_a_finished_run_is_left_as_it_is(tmp_path):
    made = el.run(Voter(), steps=10, seeds=2, out=tmp_path / "r", progress=False)
    before = (tmp_path / "r" / "run.json").read_bytes()
    assert el.resume(tmp_path / "r", progress=False).status == "finished"
    assert (tmp_path / "r" / "run.json").read_bytes() == before
    assert made.info["wall_seconds"] > 0


def interrupt(out, **options):
    """A run that stops after its first chunk."""

    class Stop(Exception):
        pass

    from emergelab.engine import driver

    write = driver.Store.write_checkpoint

    def once(self, *args):
        write(self, *args)
        raise Stop

    driver.Store.write_checkpoint = once
    try:
        with pytest.raises(Stop):
            el.run(out=out, progress=False, workers=1, **options)
    finally:
        driver.Store.write_checkpoint = write


def test_a_system_of_a_script_is_resumed_with_its_class(tmp_path):
    class Mine(Drift):
        pass

    interrupt(tmp_path / "r", system=Mine(), steps=50, seeds=2)
    with pytest.raises(el.UserError, match=r"give its class: el.resume\(path, system=TheClass\)"):
        el.resume(tmp_path / "r")
    assert el.resume(tmp_path / "r", system=Mine, progress=False).done == 1


def test_interventions_survive_the_disk(tmp_path):
    big = np.linspace(0, 1, 40 * 8).reshape(40, 8).astype(np.float32)
    interventions = [
        el.Shift("force", 0.125, during=(3, 9)),
        el.Scale("force", 0.5, during=el.Pulses(4, 2)),
        el.Replay("state.x", big, during=(10, 30)),
        el.Ablate("force", to="mean", during=el.Ramp(30, 40)),
        el.Swap("force", [0, 1], [2, 3]),
        el.Clamp("state.count", 7, during=(None, 2)),
    ]
    whole = el.run(Drift(), steps=50, seeds=3, interventions=interventions, out=tmp_path / "whole", progress=False)
    interrupt(tmp_path / "cut", system=Drift(), steps=50, seeds=3, interventions=interventions)
    cut = el.resume(tmp_path / "cut", progress=False)
    np.testing.assert_array_equal(whole.data["norm"].values, cut.data["norm"].values)


def test_two_processes_never_write_one_run(tmp_path):
    interrupt(tmp_path / "r", system=Voter(), steps=50, seeds=2)
    with el.load(tmp_path / "r").place.locked(), pytest.raises(el.UserError, match="another process is writing"):
        # flock is held by file, so a second open of the same lock file in this process meets it as another would
        el.resume(tmp_path / "r", progress=False)


def test_a_checkpoint_of_other_code_is_refused(tmp_path):
    interrupt(tmp_path / "r", system=Drift(), steps=50, seeds=2)

    class Wider(Drift):
        def init(self, key):
            state = super().init(key)
            return type(state)(state.x[:4], state.count)

    with pytest.raises(el.UserError, match="the code has changed since"):
        el.resume(tmp_path / "r", system=Wider, progress=False)
