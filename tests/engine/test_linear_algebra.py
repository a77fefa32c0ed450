"""Systems that call LAPACK: blocks computed at once must not wait for each other for ever."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from emergelab.engine.turns import Turns

SCRIPT = """
import sys
import jax, jax.numpy as jnp
import emergelab as el

class Solving(el.System):
    observables = (el.Observable("x"),)

    def init(self, key):
        a = jax.random.normal(key, (64, 64))
        return a + 8 * jnp.eye(64), jnp.ones(64)

    def step(self, state, key):
        a, x = state
        return a, jnp.tanh(jnp.linalg.solve(a + 0.1 * jnp.diag(x), x)) + 1.0

    def observe(self, state, key):
        return {"x": state[1].mean()}

run = el.run(Solving(), steps=2000, every=20, seeds=64, block_seeds=16, workers=2, out=sys.argv[1], progress=False)
print(run.status, float(run.data["x"].isel(time=-1).std("seed").item()) < 1)
"""


BEGINNING = """
import sys
import jax, jax.numpy as jnp
import emergelab as el

class Turned(el.System):
    observables = (el.Observable("x"),)

    def init(self, key):
        return jnp.linalg.qr(jax.random.normal(key, (96, 96)))[0]

    def step(self, state, key):
        return jnp.tanh(1.1 * state @ state.T @ state)

    def observe(self, state, key):
        return {"x": jnp.abs(state).mean()}

run = el.run(Turned(), steps=400, every=20, seeds=96, block_seeds=6, workers=2, out=sys.argv[1], progress=False)
print(run.status, bool((run.data["x"] > 0).all()))
"""


@pytest.mark.parametrize("script", [SCRIPT, BEGINNING], ids=["in the step", "at the beginning"])
def test_programs_with_lapack_hold_nobody_up_for_ever(tmp_path, script):
    # In a process of its own: a deadlock would take the whole test run with it.
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "run")], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["finished", "True"]


def test_one_alone_or_many_together():
    turns, seen, most = Turns(), [], []
    begun = threading.Barrier(6)

    def work(alone):
        begun.wait()
        for _ in range(50):
            with turns.alone() if alone else turns.together():
                seen.append(alone)
                here = list(seen)
                most.append((here.count(True), here.count(False)))
                seen.remove(alone)

    threads = [threading.Thread(target=work, args=(i < 2,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 300 and not seen
    assert all(alone <= 1 and not (alone and together) for alone, together in most)
