"""Accuracy and backward transfer equal those of Avalanche on the same predictions (where it and PyTorch are installed).

Its forgetting is a task's accuracy right after its own phase minus the last one: our backward transfer with the sign
turned. What is called forgetting here begins at the best accuracy ever (Chaudhry et al. 2018) and is never smaller.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab.continual import streams as sm
from emergelab.continual.data import load
from emergelab.continual.learning import ContinualLearning
from emergelab.continual.methods import Replay
from emergelab.instruments import lifelong

PHASES, STEPS = 5, 40


class Stream(ContinualLearning):
    """Digits, two classes a phase, with a small memory."""

    def data(self):
        return load("digits")

    def tasks(self, key):
        return sm.split(key, self.phases, self.data())

    def method(self):
        return Replay(slots=50, count=10)


def test_accuracy_and_transfer_are_those_of_avalanche():
    torch = pytest.importorskip("torch", reason="PyTorch, which Avalanche needs, is not installed")
    found = pytest.importorskip("avalanche.evaluation.metrics.accuracy", reason="avalanche-lib is not installed")
    from avalanche.evaluation.metrics.forgetting_bwt import BWT

    system = Stream(phases=PHASES, per_phase=STEPS, batch=20, hidden=32)
    data, key = system.data(), el.key(0)
    state = system.init(key)

    @jax.jit
    def phase(state, number):
        def step(state, i):
            return system.step(state, jax.random.fold_in(key, number * STEPS + i)), None

        state, _ = jax.lax.scan(step, state, jnp.arange(STEPS))
        return state, system.observe(state, key), state.net(jnp.asarray(data.x_test)).argmax(axis=1)

    theirs, matrix = BWT(), np.zeros((PHASES, PHASES))
    for stage in range(PHASES):
        state, shown, answers = phase(state, stage)
        for task in range(PHASES):
            probes = np.asarray(state.tasks.member[task])[data.y_test]
            accuracy = found.Accuracy()
            accuracy.update(torch.tensor(np.asarray(answers)[probes]), torch.tensor(data.y_test[probes]))
            assert accuracy.result() == pytest.approx(float(shown["accuracy"][task]), abs=1e-6)
            matrix[stage, task] = accuracy.result()
            if task <= stage:
                theirs.update(task, accuracy.result(), initial=task == stage)
    transfer = theirs.result()
    assert set(transfer) >= set(range(PHASES - 1))

    record = xr.DataArray(matrix[None], dims=("seed", "stage", "task"))
    ours = lifelong(record).to_frame("lifetimes").iloc[0]
    assert ours["BWT"] == pytest.approx(np.mean([transfer[task] for task in range(PHASES - 1)]), abs=1e-6)
    assert ours["BWT"] < -0.05, "otherwise nothing was forgotten, and nothing compared"
    assert ours["forgetting"] >= -ours["BWT"] - 1e-9
