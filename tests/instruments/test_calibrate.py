"""False alarms and power, in short; the long tables are in docs/instruments."""

import time

import numpy as np
import pytest
import xarray as xr

from emergelab.errors import UserError
from emergelab.instruments import calibrate, mirage, onset, seeds_to_detect


@pytest.mark.parametrize("scene", ["white", "ar1", "trend", "heteroscedastic"])
def test_onset_is_silent_on_noise(scene):
    rate = calibrate("onset", scene, draws=30, seeds=(5, 20)).table["rate"]
    # at most 7%, and three standard errors of 30 sets
    assert (rate <= 0.07 + 3 * np.sqrt(0.07 * 0.93 / 30)).all()


def test_onset_contrast_has_its_size_and_its_power():
    size = calibrate("onset", "same", draws=25, seeds=(5, 20)).table["rate"]
    assert (size <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 25)).all()
    power = calibrate("onset", "later", effects=(2.0,), draws=20, seeds=(20,)).table["rate"]
    assert (power >= 0.7).all()
    assert seeds_to_detect("onset", "later", 3.0, grid=(5, 15), draws=10, power=0.7) == 15


def test_onset_finds_planted_rises():
    rate = calibrate("onset", "rise", effects=(8.0,), draws=20, seeds=(5,)).table["rate"]
    assert (rate >= 0.9).all()


def test_mirage_calls_smooth_smooth_and_breaks_breaks():
    assert calibrate("mirage", "smooth", draws=16, seeds=(5,)).table["rate"].max() <= 0.13
    assert calibrate("mirage", "break", effects=(0.3,), draws=3, seeds=(5,)).table["rate"].min() == 1.0


def test_tables_and_errors():
    found = calibrate("onset", "white", draws=2, seeds=(5,))
    assert "| white | 0 | 5 | 2 |" in found.to_markdown() and "white" in str(found)
    with pytest.raises(UserError, match="no scene"):
        calibrate("onset", "pink")
    with pytest.raises(UserError, match="onset has no scene 'smooth'"):
        calibrate("onset", "smooth")


def test_cost():
    """Twenty seeds, a thousand steps, a thousand draws: two seconds, and some for a loaded machine."""
    rng = np.random.default_rng(0)
    time_axis = np.arange(1, 1001) * 10.0
    centre = np.log(rng.uniform(2000, 6000, (20, 1)))
    y = 1 / (1 + np.exp(-(np.log(time_axis) - centre) / 0.05))
    data = xr.Dataset(
        {
            "y": (("seed", "time"), np.clip(y + 0.05 * rng.standard_normal(y.shape), 0, 1)),
            "nll": (("seed", "time"), 3.0 * (1 - y) + 0.1),
        },
        coords={"time": time_axis},
    )
    for call in (
        lambda: onset(data, "y", draws=1000),
        lambda: mirage(data, "y", "nll", items=500, draws=1000),
    ):
        start = time.process_time()
        call()
        assert time.process_time() - start < 6.0
