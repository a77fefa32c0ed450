"""The two-phase protocol: calibrated on noise, where one protocol flatters and the other does not, and on a plant."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from emergelab.continual import tuning
from emergelab.errors import UserError

SEARCHES, TRIALS = 4000, 12


def _table(values, **coords):
    return xr.DataArray(values, dims=("seed", "trial"), coords=coords)


@pytest.fixture(scope="module")
def noise():
    """All settings are equal; every score has its own noise of standard deviation 1."""
    rng = np.random.default_rng(0)
    return [_table(rng.normal(size=(SEARCHES, TRIALS))) for _ in range(3)]


def test_the_largest_of_normal_draws_has_the_known_mean():
    assert tuning.expected_maximum(1) == pytest.approx(0.0, abs=1e-9)
    assert tuning.expected_maximum(2) == pytest.approx(1 / np.sqrt(np.pi))
    assert tuning.expected_maximum(12) == pytest.approx(1.62923, abs=1e-4)


def test_on_noise_the_conventional_protocol_reports_the_largest_draw_and_the_two_phase_one_nothing(noise):
    o = tuning.protocol(*noise)
    error = 4 / np.sqrt(SEARCHES)
    largest = tuning.expected_maximum(TRIALS)
    assert float(o.conventional.mean()) == pytest.approx(largest, abs=error)
    assert float(o.optimism.mean()) == pytest.approx(largest, abs=2 * error)
    assert float(o.tuned.mean()) == pytest.approx(largest, abs=error), (
        "and so would the first phase, if it were reported"
    )
    assert float(o.two_phase.mean()) == pytest.approx(0.0, abs=error)
    assert float(o.repeated.mean()) == pytest.approx(0.0, abs=error)
    assert float(o.regret.mean()) == pytest.approx(0.0, abs=2 * error), "no setting is worse"
    xr.testing.assert_allclose(o.optimism, o.curse + o.regret)
    assert float(tuning.tunability(noise[1], noise[2]).mean()) == pytest.approx(0.0, abs=error)
    assert float(tuning.sensitivity(noise[2]).mean()) == pytest.approx(1.0, abs=0.03)


def test_on_noise_optimism_grows_with_settings_as_the_largest_of_draws_does(noise):
    counts = [1, 2, 5, 12]
    o = tuning.by_trials(*noise, counts).mean("seed")
    for count in counts:
        got = float(o.optimism.sel(count=count))
        assert got == pytest.approx(tuning.expected_maximum(count), abs=8 / np.sqrt(SEARCHES)), count


def test_a_planted_setting_is_found_by_either():
    rng = np.random.default_rng(1)
    merit = np.zeros(TRIALS)
    merit[7] = 10.0
    o = tuning.protocol(*(_table(merit + rng.normal(size=(50, TRIALS))) for _ in range(3)))
    assert (o.chosen == 7).all() and (o.favourite == 7).all() and (o.regret == 0).all()
    assert float(o.two_phase.mean()) == pytest.approx(10.0, abs=0.6)


def test_a_setting_that_is_best_on_the_first_phase_only_is_regretted():
    tune = _table([[0.9, 0.1, 0.2]])
    report, judge = _table([[0.3, 0.5, 0.8]]), _table([[0.25, 0.5, 0.7]])
    o = tuning.protocol(tune, report, judge).isel(seed=0)
    assert (int(o.chosen), int(o.favourite)) == (0, 2)
    assert float(o.conventional) == 0.8 and float(o.two_phase) == 0.25
    assert float(o.curse) == pytest.approx(0.1) and float(o.regret) == pytest.approx(0.45)


def test_what_one_half_has_of_easier_streams_falls_out_when_each_judges_the_other(noise):
    tune, report, judge = noise
    o, easy = tuning.crossed(tune, report, judge), tuning.crossed(tune, report + 3.0, judge)
    for name in ("optimism", "curse", "regret"):
        np.testing.assert_allclose(o[name], easy[name], atol=1e-9)
    assert float(o.optimism.mean()) == pytest.approx(tuning.expected_maximum(TRIALS), abs=6 / np.sqrt(SEARCHES))
    assert "chosen" not in o


def test_streams_are_averaged_and_a_setting_that_diverged_is_never_chosen():
    scores = xr.DataArray([[[0.1, 0.9], [0.6, 0.6], [np.nan, np.nan]]], dims=("seed", "trial", "stream"))
    assert tuning.best(scores).item() == 1
    assert float(tuning.at_trial(scores, tuning.best(scores)).item()) == pytest.approx(0.6)


def test_a_few_of_the_settings_are_counted_exactly():
    rng = np.random.default_rng(2)
    tune, report, judge = (_table(rng.integers(0, 4, size=(3, 6)) / 4.0) for _ in range(3))  # with equal ones
    got = tuning.by_trials(tune, report, judge, [1, 3, 6])
    for count in (1, 3, 6):
        every = [
            tuning.protocol(*(t.isel(trial=list(which)) for t in (tune, report, judge)))
            for which in itertools.combinations(range(6), count)
        ]
        for name in ("conventional", "two_phase", "repeated", "optimism"):
            want = np.mean([o[name].values for o in every], axis=0)
            np.testing.assert_allclose(got[name].sel(count=count), want, atol=1e-12)
    whole = tuning.protocol(tune, report, judge)
    np.testing.assert_allclose(got.optimism.sel(count=6), whole.optimism)


def test_of_scores_of_two_phases_every_seed_is_judged_on_the_next():
    rng = np.random.default_rng(3)
    scores = xr.DataArray(
        rng.normal(size=(2, 400, 2, TRIALS)), dims=("method", "seed", "phase", "trial"),
        coords={"phase": ["one", "two"], "method": ["a", "b"]},
    )  # fmt: skip
    tune, report, judge = tuning.of_two(scores)
    np.testing.assert_array_equal(judge.isel(seed=3), scores.sel(phase="two").isel(seed=4))
    np.testing.assert_array_equal(judge.isel(seed=-1), scores.sel(phase="two").isel(seed=0))
    found = tuning.protocol(tune, report, judge)
    largest = tuning.expected_maximum(TRIALS)
    np.testing.assert_allclose(found.optimism.mean("seed"), largest, atol=0.1)
    table = tuning.summary(found)
    row = table[(table.what == "two_phase") & (table.method == "a")].iloc[0]
    assert row.low < 0 < row.high and row.seeds == 400
    covered = []
    for _ in range(100):
        few = xr.DataArray(
            rng.normal(size=(12, 2, 5)), dims=("seed", "phase", "trial"), coords={"phase": ["one", "two"]}
        )
        row = tuning.summary(tuning.protocol(*tuning.of_two(few))[["two_phase"]]).iloc[0]
        covered.append(row.low < 0 < row.high)
    assert np.mean(covered) > 0.88, "intervals of 95 % hold what they should"
    assert {"chosen", "favourite"}.isdisjoint(table.what) and len(table) == 7 * 2


def test_rankings():
    scores = xr.DataArray([[0.9, 0.5, 0.5, 0.1]], dims=("seed", "method"))
    np.testing.assert_array_equal(tuning.ranks(scores), [[1, 2.5, 2.5, 4]])
    rng = np.random.default_rng(4)
    a, b = (xr.DataArray(rng.normal(size=(5, 7)), dims=("seed", "method")) for _ in range(2))
    got = tuning.rank_correlation(a, b)
    np.testing.assert_allclose(got, [stats.kendalltau(x, y).statistic for x, y in zip(a.values, b.values, strict=True)])
    np.testing.assert_allclose(tuning.rank_correlation(a, -a, kind="spearman"), -1.0)
    assert np.isnan(tuning.rank_correlation(a * 0, b)).all()


def test_methods_that_change_places_are_told_from_noise():
    rng = np.random.default_rng(5)
    first, second = np.array([0.8, 0.7, 0.2, 0.1]), np.array([0.6, 0.7, 0.2, 0.1])

    def of(means):
        return xr.DataArray(means + 0.01 * rng.normal(size=(20, 4)), dims=("seed", "method"))

    assert float(tuning.swaps(of(first), of(second)).mean()) == pytest.approx(0.1, abs=0.02)
    means = [
        float(tuning.swaps(*(xr.DataArray(rng.normal(size=(10, 6)), dims=("seed", "method")) for _ in range(2))).mean())
        for _ in range(50)
    ]
    assert abs(np.mean(means)) < 0.1, "methods that are equal are not swapped"


def test_what_is_wrong_is_named():
    table = _table(np.zeros((2, 3)))
    with pytest.raises(UserError, match="need an axis 'trial'"):
        tuning.best(table.rename(trial="other"))
    with pytest.raises(UserError, match="no finite number"):
        tuning.best(table * np.nan)
    with pytest.raises(UserError, match="from 1 to 3"):
        tuning.by_trials(table, table, table, [4])
    with pytest.raises(UserError, match="'phase' is missing"):
        tuning.of_two(table)
    both = xr.concat([table, table], dim=xr.DataArray(["one", "three"], dims="phase"))
    with pytest.raises(UserError, match="no phase 'two'; there are one, three"):
        tuning.of_two(both)
    with pytest.raises(UserError, match="two seeds or more"):
        tuning.of_two(both.isel(seed=[0]), two="three")
    with pytest.raises(UserError, match="no axis 'seed'"):
        tuning.summary(tuning.protocol(*[table.isel(seed=0)] * 3))
    with pytest.raises(UserError, match="kendall"):
        tuning.rank_correlation(table, table, kind="pearson")
    with pytest.raises(UserError, match="two seeds and two methods"):
        tuning.swaps(*[xr.DataArray([[1.0, 2.0]], dims=("seed", "method"))] * 2)
    with pytest.raises(UserError, match="1 or more"):
        tuning.expected_maximum(0)
