"""Instruments asked of the same curves: where they agree, and that a disagreement is printed."""

import numpy as np
import pytest
import xarray as xr

from emergelab.errors import UserError
from emergelab.instruments import change_points, cross_check, learning_curves, onset


def _curves(jump, width=1.0, noise=0.05, steps=120):
    rng, time = np.random.default_rng(0), np.arange(1.0, steps + 1)
    y = 1 / (1 + np.exp(-(time - np.asarray(jump, float)[:, None]) / width))
    y += noise * rng.standard_normal(y.shape)
    return xr.DataArray(y, dims=("seed", "time"), coords={"time": time, "seed": np.arange(len(y))}, name="skill")


def test_jumps_at_different_times_agree_but_their_mean_looks_gradual():
    data = _curves(np.linspace(20, 100, 8))
    found = cross_check([onset(data, draws=199), change_points(data, draws=199)])
    parts = {name: part["finding"].tolist() for name, part in found.table.groupby("check")}
    assert parts["onset and change point"].count("agree") >= 7
    assert parts["mean and seeds"] == ["disagree"]
    assert any("DISAGREE in 1" in w and "a typical seed" in w for w in found.words)
    assert found.disagreements >= 1


def test_seeds_that_jump_together_agree_throughout():
    data = _curves(np.full(8, 60.0))
    found = cross_check([onset(data, draws=199), change_points(data, draws=199)])
    assert found.table[found.table["check"] == "mean and seeds"]["finding"].tolist() == ["agree"]
    changes = found.table[found.table["check"] == "onset and change point"]["finding"]
    assert (changes == "agree").sum() >= 7


def test_a_slow_drift_over_a_threshold_is_called_a_disagreement():
    data = _curves(np.full(6, 60.0), width=40.0, noise=0.001)
    found = cross_check([onset(data, threshold=0.5, draws=199), change_points(data, draws=199)])
    changes = found.table[found.table["check"] == "onset and change point"]
    assert (changes["finding"] == "disagree").all() and changes["about"].str.contains("no change of regime").all()


def test_what_cannot_be_checked_is_not_made_up():
    empty = cross_check([])
    assert empty.table.empty and empty.words == () and empty.disagreements == 0
    data = _curves(np.full(6, 60.0))
    one = onset(data, draws=199)
    with pytest.raises(UserError, match="two results of 'onset'"):
        cross_check([one, one])
    with pytest.raises(UserError, match="other conditions or seeds"):
        cross_check([one, change_points(data.isel(seed=slice(3)), draws=199)])


def test_a_jump_breaks_the_law_of_what_came_before():
    rng, x = np.random.default_rng(1), np.geomspace(10, 1e4, 40)
    loss = 3 * x**-0.3 * np.exp(0.01 * rng.standard_normal((6, 40)))
    loss[:, x > 1000] *= 0.4
    data = xr.DataArray(loss, dims=("seed", "time"), coords={"time": x, "seed": np.arange(6)}, name="loss")
    when = onset(data, direction="down", threshold=0.25, draws=199)
    law = learning_curves(data, upto=900, draws=199, laws=["pow2", "pow3"], backbone=False)
    row = cross_check([when, law]).table.query("check == 'onset and law'").iloc[0]
    assert row["finding"] == "agree" and "law fails at" in row["about"]
    held = learning_curves(data.where(data.time < 900, drop=True), upto=300, draws=199, laws=["pow2"], backbone=False)
    row = cross_check([when, held]).table.query("check == 'onset and law'").iloc[0]
    assert row["finding"] == "disagree"
