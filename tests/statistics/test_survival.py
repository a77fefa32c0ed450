"""Times to emergence with censoring."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.statistics import (
    kaplan_meier,
    log_rank,
    median_interval,
    restricted_mean,
    restricted_mean_difference,
    turnbull,
)


def test_kaplan_meier_by_hand():
    times = np.array([11.0, 198.0, 12.0, 5.0, 23.0])
    curve = kaplan_meier(times, times < 198)
    assert curve.time.tolist() == [5, 11, 12, 23]
    assert curve.survival == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert curve.median == 12 and curve.at(4.9) == 1.0 and curve.at(500) == pytest.approx(0.2)
    assert restricted_mean(times, times < 198, 198.0) == pytest.approx(np.mean(times))
    assert np.isnan(kaplan_meier(times, np.zeros(5, bool)).median)


def test_censored_seeds_leave_the_risk_set():
    curve = kaplan_meier(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, True]))
    assert curve.survival == pytest.approx([0.75, 0.375, 0.0])
    assert curve.at_risk.tolist() == [4, 2, 1]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 15), st.booleans()), min_size=3, max_size=20))
def test_against_lifelines(pairs):
    lifelines = pytest.importorskip("lifelines")
    times = np.array([float(t) for t, _ in pairs])
    flags = np.array([f for _, f in pairs])
    curve = kaplan_meier(times, flags)
    peer = lifelines.KaplanMeierFitter().fit(times, flags)
    assert [curve.at(t) for t in times] == pytest.approx(list(peer.predict(times)), abs=1e-9)


def test_log_rank_of_freeway():
    a, b = np.array([7.0, 5, 6, 7, 5]), np.array([11.0, 198, 12, 5, 23])
    test = log_rank(a, np.ones(5, bool), b, b < 198)
    assert test.p_asymptotic == pytest.approx(0.027, abs=5e-4)
    assert test.permutation.exhaustive and test.permutation.draws == 252
    # the asymptotic p is too small for five seeds: exactly 14 of 252 relabellings are as extreme
    assert test.permutation.p == pytest.approx(14 / 252)
    assert test.z > 0 and test.hazard_ratio > 1
    swapped = log_rank(b, b < 198, a, np.ones(5, bool))
    assert swapped.z == pytest.approx(-test.z) and swapped.p == pytest.approx(test.p)


def test_log_rank_size_is_right_for_small_groups():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        t = np.minimum(rng.exponential(10, 12), 15.0)
        hits += log_rank(t[:6], t[:6] < 15, t[6:], t[6:] < 15).p <= 0.05
    assert 0.02 <= hits / 400 <= 0.08


def test_log_rank_without_events():
    t = np.full(4, 9.0)
    none = np.zeros(4, bool)
    assert log_rank(t, none, t, none).p == 1.0
    assert np.isnan(log_rank(t[:0], none[:0], t, none).p)


def test_restricted_mean_difference():
    a, b = np.array([7.0, 5, 6, 7, 5]), np.array([11.0, 198, 12, 5, 23])
    gap = restricted_mean_difference(a, np.ones(5, bool), b, b < 198)
    assert gap.value == pytest.approx(np.mean(a) - np.mean(b))
    early = np.array([True, False, True, True, True])
    lost = restricted_mean_difference(a, early, b, b < 198, until=20.0)
    assert lost.claimed and lost.value < 0


def test_turnbull_with_known_answers():
    # exact times give the empirical distribution
    exact = turnbull(np.array([0.0, 1, 2, 3]), np.array([1.0, 2, 3, 4]))
    assert exact.mass == pytest.approx([0.25] * 4) and exact.median == (1.0, 2.0)
    # everything in one gap between checkpoints
    gap = turnbull(np.full(8, 512.0), np.full(8, 1000.0))
    assert gap.median == (512.0, 1000.0) and gap.mass == pytest.approx([1.0])
    never = turnbull(np.array([5.0, 9, 9]), np.array([6.0, np.nan, np.nan]))
    assert never.mass == pytest.approx([1 / 3, 2 / 3]) and np.isnan(never.median[1])
    # overlapping intervals share their mass where they meet
    shared = turnbull(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
    assert (shared.left.tolist(), shared.right.tolist()) == ([1.0], [2.0])
    with pytest.raises(UserError, match="left < right"):
        turnbull(np.array([2.0]), np.array([1.0]))


def test_median_interval_levels():
    five = median_interval(np.arange(5.0), np.arange(5.0) + 1)
    assert five.level == pytest.approx(0.9375) and (five.low, five.high) == (0.0, 5.0)
    ten = median_interval(np.arange(10.0), np.arange(10.0) + 1)
    # the exact interval (2nd to 9th, 97.9%) is interpolated towards the 3rd and 8th (89.1%)
    assert ten.level == 0.95 and 1.0 < ten.low < 2.0 and 8.0 < ten.high < 9.0
    half = median_interval(np.arange(5.0), np.array([1.0, 2, 3, np.nan, np.nan]))
    assert half.value == 3.0 and np.isnan(half.high) and "beyond the record" in half.method
    assert np.isnan(median_interval(np.arange(5.0), np.full(5, np.nan)).value)
    assert not median_interval(np.arange(2.0), np.arange(2.0) + 1).claimed


def test_median_interval_covers():
    """Ten seeds, a fifth of which never emerge, onsets known to one record: coverage within [0.92, 0.98]."""
    rng = np.random.default_rng(1)
    sets, grid, inside = 4000, 0.002, 0
    # the median of the mixture: 50% have emerged when 62.5% of those that ever do have
    truth = float(np.exp(0.3 * 0.31863936396437514))
    for _ in range(sets):
        t = np.exp(0.3 * rng.standard_normal(10))
        never = rng.random(10) < 0.2
        left = np.where(never, 100.0, np.floor(t / grid) * grid)
        right = np.where(never, np.nan, left + grid)
        e = median_interval(left, right)
        inside += e.low <= truth and (np.isnan(e.high) or truth <= e.high)
    assert 0.92 <= inside / sets <= 0.98
