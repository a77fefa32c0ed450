"""Curves of a run that grows: what is read, and what is left out for want of pixels."""

import numpy as np
import pytest
from scipy import stats

from emergelab.runs.run import load
from emergelab.studio.export import drawn, packed, table
from emergelab.studio.growing import Growing, mean_and_band, thinned
from emergelab.studio.runs import Runs

from .test_runs import grow, laid


def test_only_what_is_new_is_read(tmp_path):
    laid(tmp_path / "a", records=6, done=2, status="running")
    curves = Growing(load(tmp_path / "a"))
    assert curves.read() and not curves.read()
    np.testing.assert_array_equal(curves.values("x", 0), [[0, 1], [0, 2]])
    curves._values["x"][0, 0, 0] = 77.0  # were it read again, this would be gone
    grow(tmp_path / "a", 2, 5)
    assert curves.read()
    np.testing.assert_array_equal(curves.values("x", 0), [[77, 1, 2, 3, 4], [0, 2, 4, 6, 8]])
    np.testing.assert_array_equal(curves.known(), [0, 10, 20, 30, 40])
    assert curves.about["x"] == "height [m]"


def test_thinning_keeps_the_lowest_and_the_highest_of_every_stretch():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 1003))
    values[1, 500], values[2, :200] = 99.0, np.nan
    times = np.broadcast_to(np.arange(1003.0), values.shape)
    x, y, stretch = thinned(times, values, 100)
    assert stretch == 21 and len(x) == len(y) <= 3 * 102
    ends = np.flatnonzero(np.isnan(y) & np.isnan(x))
    assert len(ends) == 3 and ends[-1] == len(y) - 1, "a gap ends each curve"
    assert np.nanmax(y) == 99.0
    rows = np.split(y, ends)[:3]
    for row, kept in zip(values, rows, strict=True):
        assert np.nanmin(kept) == pytest.approx(np.nanmin(row)) and np.nanmax(kept) == pytest.approx(np.nanmax(row))
    assert np.all(np.diff(x[: ends[0]]) >= 0)


def test_a_curve_that_fits_is_drawn_whole():
    values = np.arange(10.0).reshape(2, 5)
    times = np.broadcast_to(np.arange(5.0), values.shape)
    _, y, stretch = thinned(times, values, 400)
    assert stretch == 1
    np.testing.assert_array_equal(y, [0, 1, 2, 3, 4, np.nan, 5, 6, 7, 8, 9, np.nan])


def test_the_band_is_the_t_interval_over_the_seeds_that_are_known():
    values = np.random.default_rng(1).normal(size=(8, 3))
    values[0, 1], values[2:, 2] = np.nan, np.nan
    mean, low, high = mean_and_band(values)
    column = values[1:, 1]
    expected = stats.t.interval(0.95, 6, loc=column.mean(), scale=stats.sem(column))
    assert (low[1], high[1]) == pytest.approx(expected)
    assert np.isnan(low[2]) and mean[2] == pytest.approx(values[:2, 2].mean())


def test_what_is_taken_away(tmp_path):
    laid(tmp_path / "a", records=4, done=3, status="running")
    run = load(tmp_path / "a")
    lines = table(run).splitlines()
    assert lines[0] == "condition,seed,time,x" and len(lines) == 1 + 2 * 3, "only what is written"
    assert drawn(run, "x", "svg").lstrip().startswith(b"<?xml") and drawn(run, "x", "png").startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no observable 'y'"):
        drawn(run, "y", "svg")
    (tmp_path / "zip").write_bytes(packed(Runs(tmp_path), "a"))
    import xarray as xr
    import zarr

    found = xr.open_zarr(zarr.storage.ZipStore(tmp_path / "zip", mode="r"), consolidated=False)
    np.testing.assert_array_equal(found["x"].values, run.data["x"].values)
