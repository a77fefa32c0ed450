"""Processes that pages start: which are refused, and that neither side harms the other."""

import json
import os
import signal
import sys
import time

import pytest

from emergelab.errors import UserError
from emergelab.studio import processes as module
from emergelab.studio.processes import Processes
from emergelab.studio.runs import Runs

from .test_runs import laid


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Processes that sleep where a run would compute, and end like one at SIGINT."""
    program = tmp_path / "sleeper"
    code = (
        "import sys, time\nprint('begun', flush=True)\ntry:\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n    sys.exit(130)\n"
    )
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}"\n')
    program.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(program))
    (tmp_path / "runs").mkdir()
    made = Processes(Runs(tmp_path / "runs"), most=2)
    yield made
    for child in made._children.values():
        child.kill()
        child.wait()


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def arguments(name):
    return ["run", "sorting", "--out", name]


def test_not_more_than_most_go_on_at_once(started):
    assert started.launch(arguments("a")) == "a"
    started.launch(arguments("b"))
    with pytest.raises(UserError, match="2 runs go on already"):
        started.launch(arguments("c"))
    until(lambda: all(job.said == "begun" for job in started.jobs()))
    started.stop("a")
    until(lambda: not started.job("a").alive)
    assert started.job("a").said == "interrupted"
    assert started.launch(arguments("c")) == "c"


def test_another_server_finds_what_goes_on_and_what_has_ended(started):
    started.launch(arguments("a"))
    until(lambda: started.job("a").said == "begun")
    later = Processes(started.runs, most=1)
    assert [(job.name, job.alive) for job in later.jobs()] == [("a", True)]
    with pytest.raises(UserError, match="--most allows 1"):
        later.launch(arguments("b"))
    later.stop("a")
    until(lambda: not started.job("a").alive)
    assert not later.job("a").alive
    with pytest.raises(UserError, match="does not go on"):
        later.stop("a")


def test_a_number_that_another_process_has_now_is_not_the_run(started):
    notes = started.runs.root / ".studio"
    notes.mkdir()
    (notes / "a.json").write_text(json.dumps({"name": "a", "pid": os.getpid(), "began": "1"}))
    (notes / "broken.json").write_text("{")
    assert [(job.name, job.alive) for job in started.jobs()] == [("a", False)]
    with pytest.raises(UserError):
        started.stop("a")


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "nothing else"),
        (["get", "smollm2"], "nothing else"),
        (["run", "sorting"], "--out"),
        (["run", "sorting", "--out"], "--out"),
        (["run", "sorting", "--out", "../x"], "outside|leads out|no name"),
        (["run", "sorting", "--out", "/tmp/x"], "leads out"),
        (["run", "sorting", "--out", "taken"], "already"),
        (["fork", "/etc", "--at", "1", "--out", "x"], "leads out"),
        (["resume", ".."], "leads out"),
    ],
)
def test_what_is_refused(started, words, message):
    laid(started.runs.root / "taken")
    with pytest.raises(UserError, match=message):
        started.launch(words)
    assert not started.jobs()


def test_a_run_that_was_started_elsewhere_is_not_stopped_from_here(started):
    with pytest.raises(UserError, match="was not started from here"):
        started.stop("a")


def test_most_is_one_at_least(tmp_path):
    with pytest.raises(UserError, match="--most"):
        Processes(Runs(tmp_path), most=0)


def test_a_process_outlives_the_server(started):
    started.launch(arguments("a"))
    child = next(iter(started._children.values()))
    until(lambda: started.job("a").said == "begun")
    assert os.getpgid(child.pid) != os.getpgid(os.getpid()), "a signal to the server's group does not reach it"
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: not started.job("a").alive)
