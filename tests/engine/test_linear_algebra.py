"""Systems that call LAPACK: blocks computed at once must not wait for each other for ever."""

from __future__ import annotations

import subprocess
import sys

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


def test_blocks_with_lapack_take_turns(tmp_path):
    # In a process of its own: a deadlock would take the whole test run with it.
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "run")], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["finished", "True"]
