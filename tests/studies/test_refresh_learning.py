"""The study `refresh-learning`: what its conditions share, what is measured of a step, and a tiny run."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab import catalogue
from emergelab.studies.continual.refresh_learning import study
from emergelab.studies.continual.refresh_learning._claims import step_share
from emergelab.studies.continual.refresh_learning._system import Refresh


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return study.run("tiny", out=tmp_path_factory.mktemp("refresh") / "run", progress=False)


def test_the_catalogue_finds_it():
    assert catalogue.find("refresh-learning") is study


def test_a_tiny_run_has_what_claims_and_figures_need(tiny):
    d = tiny.data
    assert d.sizes["task"] == 5 and {"told", "step", "step_loss", "update"} <= set(d.data_vars)
    assert (d.told >= d.average - 1e-6).all(), "to be told the task cannot harm"
    assert (d.step.sel(condition=["base", "naive"]) == 0).all(), "who does not unlearn takes no step"
    assert {v["verdict"] for v in study.judge(tiny)} <= {"supported", "refuted", "inconclusive", "untested"}
    assert study.draw(tiny)


def test_a_step_has_the_length_that_was_asked_for_and_raises_the_loss(tiny):
    step = tiny.data.step.sel(condition="refresh-1e-3")
    np.testing.assert_allclose(step, 1e-3, rtol=0.02)
    assert (tiny.data.step_loss.sel(condition="refresh-1e-3").isel(time=slice(1, None)) > 0).all()


def test_conditions_differ_by_the_step_alone(tiny):
    at_start = tiny.data.accuracy.isel(time=0)
    assert (at_start == at_start.sel(condition="base")).all()


def test_a_step_that_is_ablated_is_no_step():
    small = {"phases": 5, "per_phase": 4, "hidden": 12, "sample": 6, "slots": 20, "again": 8}
    base, refreshed = Refresh(**small), Refresh(**small, delta=0.05)
    state = base.init(jax.random.key(0))
    step = eqx.filter_jit(lambda system, s, k: system.step(s, k))

    def after(system, *interventions):
        with el.intervention.edit(*interventions):
            return step(system, state, jax.random.key(1)).net.layers[0].weight

    plain, off = after(base), after(refreshed, el.Ablate("refresh"))
    np.testing.assert_allclose(off, plain, atol=1e-7)
    assert np.abs(np.asarray(after(refreshed) - plain)).max() > 1e-4


def test_the_share_of_a_step_in_an_update():
    d = xr.Dataset({"step": ("seed", [0.1, 0.3]), "update": ("seed", [0.2, 0.1])})
    np.testing.assert_allclose(step_share(d), [0.5, 3.0])


def test_wrong_parameters_are_named():
    with pytest.raises(el.UserError, match="'direction' must be one of 'ascent', 'descent', 'random', 'memory'"):
        Refresh(direction="up")
    with pytest.raises(el.UserError, match="'delta' must be a number"):
        Refresh(delta=-1.0)
