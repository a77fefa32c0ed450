"""The study `power-law-rehearsal`: its worlds, what is altered in them, its measures by hand, and a tiny run."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab import catalogue
from emergelab.continual.streams import Batch
from emergelab.studies.continual.power_law_rehearsal import _claims as claims
from emergelab.studies.continual.power_law_rehearsal import study
from emergelab.studies.continual.power_law_rehearsal._figures import retention
from emergelab.studies.continual.power_law_rehearsal._system import WORLDS, Rehearsal


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return study.run("tiny", out=tmp_path_factory.mktemp("plr") / "run", progress=False)


def test_the_catalogue_finds_it():
    assert catalogue.find("power-law-rehearsal") is study


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_is_a_schedule(world):
    matrix = np.asarray(Rehearsal(phases=6, world=world, share=0.3).schedule())
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-5)
    if world not in ("blocks", "joint", "blurred"):
        np.testing.assert_allclose(np.diag(matrix)[1:], 0.7, atol=1e-5)


def test_a_power_of_age_by_hand():
    last = np.asarray(Rehearsal(phases=4, world="power", share=0.5, exponent=2.0).schedule())[3]
    weights = np.array([1 / 9, 1 / 4, 1.0])
    np.testing.assert_allclose(last, [*(0.5 * weights / weights.sum()), 0.5], rtol=1e-5)


def test_only_what_comes_back_is_garbled():
    system = Rehearsal(garbled=1.0)
    batch = Batch(jnp.zeros((4000, 64)), jnp.full(4000, 3, jnp.int32), jnp.tile(jnp.array([0, 2], jnp.int32), 2000))
    got = np.asarray(system.altered(batch, jnp.int32(2), jax.random.key(0)).y)
    assert (got[1::2] == 3).all()
    np.testing.assert_allclose(np.bincount(got[::2], minlength=10) / 2000, 0.1, atol=0.03)


def test_retention_begins_where_a_phase_ends():
    """Four tasks, two records a phase; a task has accuracy 1 / (1 + phases since its own ended), and 0 before."""
    since = np.arange(9)[:, None] / 2 - np.arange(1, 5)
    made = xr.DataArray(np.where(since >= 0, 1 / (1 + np.maximum(since, 0)), 0.0)[None], dims=("seed", "time", "task"))
    got = retention(made)
    assert got.lag.values.tolist() == [0, 0.5, 1, 1.5, 2]
    np.testing.assert_allclose(got.isel(seed=0), 1 / (1 + got.lag))


def test_a_tiny_run_has_what_claims_and_figures_need(tiny):
    d = tiny.data
    assert d.accuracy.dims == ("condition", "seed", "time", "task") and d.sizes["task"] == 4
    assert ((d.accuracy >= 0) & (d.accuracy <= 1)).all()
    blocks = d.sel(condition="blocks")
    last = blocks.isel(time=-1)
    np.testing.assert_allclose(last.needed, last.current, atol=1e-6)
    np.testing.assert_allclose(last.average, last.accuracy.mean("task"), atol=1e-6)
    first = blocks.sel(time=10)
    np.testing.assert_allclose(first.average, first.accuracy.isel(task=0), atol=1e-6)
    before = d.sel(time=10)
    for name in ("power-10", "joint"):
        assert (before.accuracy.sel(condition=name) == before.accuracy.sel(condition="blocks")).all(), (
            "in the first phase all worlds are the same"
        )
    verdicts = study.judge(tiny)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive", "untested"}
    assert study.draw(tiny)


def test_a_schedule_that_is_clamped_is_what_the_learner_meets():
    joint = Rehearsal(phases=4, per_phase=5, batch=16, hidden=8)
    state = joint.init(jax.random.key(0))

    def tasks_met(*interventions):
        with el.intervention.edit(*interventions):
            row = el.site("schedule", joint.schedule()[0])
        return np.asarray(row)

    assert tasks_met().tolist() == [1, 0, 0, 0]
    assert tasks_met(el.Clamp("schedule", np.full(4, 0.25, np.float32))).tolist() == [0.25] * 4
    assert {"schedule", "h.0", "h.1", "logits"} <= {s.name for s in el.sites(joint)}
    assert state.tasks.count == 4


def _matrix(rows: list[list[float]]) -> xr.Dataset:
    """A data set of one seed with one record a phase, an untrained one before."""
    a = np.array([[0.1] * len(rows[0]), *rows])[None]
    time = np.arange(a.shape[1])
    return xr.Dataset({"accuracy": (("seed", "time", "task"), a)}, coords={"seed": [0], "time": time})


def test_measures_of_the_matrix_by_hand():
    d = _matrix([[0.9, 0.1, 0.1], [0.5, 0.8, 0.1], [0.3, 0.6, 0.7]])
    assert claims.forgetting(d).isel(time=-1).item() == pytest.approx(((0.9 - 0.3) + (0.8 - 0.6)) / 2)
    assert claims.first_half(d).isel(time=-1).item() == pytest.approx(0.3)
    # 0.6 lost after two phases, 0.2 after one
    assert claims.lag_slope(d).item() == pytest.approx(np.log(0.6 / 0.2) / np.log(2))
    assert claims.current_early(d).values.tolist() == [[0.9, 0.8, 0.7]]
    assert claims.ready(d).item() == pytest.approx((0.8 + 0.7) / 2 - 0.9)


def test_wrong_parameters_are_named():
    with pytest.raises(el.UserError, match="'world' must be one of"):
        Rehearsal(world="power-law")
    with pytest.raises(el.UserError, match=r"'share' must be a number in \[0, 1\]"):
        Rehearsal(share=1.5)
