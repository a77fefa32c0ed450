"""Intervals and p-values over seeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from emergelab.errors import UserError
from emergelab.statistics import MOST_SEEDS, Estimate, difference, estimate, seeds_needed

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


def test_the_method_follows_the_number_of_seeds():
    values = np.random.default_rng(0).normal(1.0, 1.0, 40)
    assert [estimate(values[:n]).claimed for n in (1, 2, 3, 4, 5, 9, 10, 40)] == [False] * 4 + [True] * 4
    assert estimate(values[:9]).method == "t"
    assert estimate(values[:10]).method == "BCa"
    assert estimate(values[:9], np.median).method in ("studentised bootstrap", "t on jackknife pseudo-values")
    assert np.isnan(estimate(values[:2]).p_greater(0.0))
    # three seeds on one side of m: the smallest one-sided p of a sign-flip test is 1/8
    assert estimate(np.array([1.0, 2.0, 3.0])).p_greater(0.0) == pytest.approx(1 / 8)
    assert estimate(np.array([1.0, 2.0, 3.0])).p_less(0.0) == pytest.approx(1.0)


def test_t_interval_agrees_with_scipy():
    values = np.array([0.3, 1.2, 0.8, 2.0, 1.1, 0.4])
    e = estimate(values)
    peer = stats.ttest_1samp(values, 0.0)
    assert (e.low, e.high) == pytest.approx(tuple(peer.confidence_interval(0.95)))
    assert e.p_two_sided(0.0) == pytest.approx(peer.pvalue)
    # a mean written as a statistic is recognised: the interval is that of the mean
    again = estimate(values, lambda v: float(np.mean(v)))
    assert (again.low, again.high) == pytest.approx((e.low, e.high))


def test_bca_agrees_with_scipy_for_many_seeds():
    values = np.random.default_rng(1).exponential(1.0, 400)
    e = estimate(values, draws=20_000)
    peer = stats.bootstrap((values,), np.mean, n_resamples=20_000, rng=np.random.default_rng(2)).confidence_interval
    assert (e.low, e.high) == pytest.approx((peer.low, peer.high), abs=0.01)


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(float, st.integers(5, 25), elements=numbers), st.sampled_from([0.8, 0.95, 0.99]))
def test_interval_and_p_always_agree(values, level):
    e = estimate(values, level=level, draws=400)
    tail = (1 - level) / 2
    if not e.claimed or e.low == e.high:
        return
    assert e.low <= e.high
    width = e.high - e.low
    if e.method == "t":  # bootstrap p has a floor of one draw, so only t is exact at the ends
        assert e.p_greater(e.low) == pytest.approx(tail, rel=1e-6)
    assert e.p_greater(e.low - 0.01 * width) <= tail + 1e-9 or e.p_greater(e.low - width) <= 1 / 401 + tail
    assert e.p_greater(e.low + 0.01 * width) >= tail - 1e-9
    assert e.p_less(e.high - 0.01 * width) >= tail - 1e-9


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(float, st.integers(0, 14), elements=st.floats(allow_nan=True, allow_infinity=True)),
    st.sampled_from([None, np.median, np.max]),
)
def test_any_numbers_give_a_defined_answer(values, statistic):
    with np.errstate(all="ignore"):
        e = estimate(values, statistic, draws=100)
    assert isinstance(e, Estimate) and e.method
    assert not np.isinf([e.low, e.high]).any() or np.abs(values[np.isfinite(values)]).max() > 1e150
    for p in (e.p_greater(0.0), e.p_less(0.0)):
        assert np.isnan(p) or 0.0 <= p <= 1.0
    assert e.n + e.dropped == len(values)


def test_identical_seeds_claim_no_more_than_the_sign_flip_bound():
    e = estimate(np.full(6, 1.0))
    assert (e.low, e.high) == (1.0, 1.0)
    assert e.p_greater(0.5) == 2.0**-6
    assert e.p_less(0.5) == 1.0


def test_scale_and_shift_carry_over():
    values = np.random.default_rng(3).normal(size=12)
    e, moved = estimate(values), estimate(3.0 * values + 2.0)
    assert (moved.low, moved.high) == pytest.approx((3 * e.low + 2, 3 * e.high + 2))
    assert moved.p_greater(2.0) == pytest.approx(e.p_greater(0.0))


def test_order_of_seeds_does_not_matter_for_t_and_sign_flips():
    values = np.random.default_rng(4).normal(size=9)
    for n in (4, 9):
        a, b = estimate(values[:n]), estimate(values[:n][::-1].copy())
        assert a.p_greater(0.1) == pytest.approx(b.p_greater(0.1))


def test_bounds_cut_the_interval():
    e = estimate(np.array([0.9, 1.0, 1.0, 0.95, 1.0]), bounds=(0.0, 1.0))
    assert e.high == 1.0 and e.low < e.value


def test_whole_trajectories_are_resampled():
    curves = np.random.default_rng(5).normal(size=(12, 30)).cumsum(axis=1)
    e = estimate(curves, lambda v: float(v.mean(axis=0).max()))
    assert e.claimed and e.low < e.value < e.high
    with pytest.raises(UserError, match="need a statistic"):
        estimate(curves)


def test_differences():
    rng = np.random.default_rng(6)
    a, b = rng.normal(1.0, 1.0, 15), rng.normal(0.0, 1.0, 15)
    assert difference(a, b, paired=True).value == pytest.approx(float(np.mean(a - b)))
    assert difference(a, b, paired=False).low < np.mean(a) - np.mean(b)
    small = difference(a[:6], b[:7], paired=False)
    peer = stats.ttest_ind(a[:6], b[:7], equal_var=False)
    assert small.p_two_sided(0.0) == pytest.approx(peer.pvalue)
    few = difference(a[:3] + 10, b[:3], paired=False)
    assert not few.claimed and few.p_greater(0.0) == pytest.approx(1 / 20)
    with pytest.raises(UserError, match="equal shapes"):
        difference(a, b[:3], paired=True)


@pytest.mark.parametrize("n", [5, 8, 10, 20])
def test_coverage_of_the_mean(n):
    rng = np.random.default_rng(n)
    sets = 800
    inside = 0
    for _ in range(sets):
        e = estimate(rng.normal(size=n), rng=rng, draws=500)
        inside += e.low <= 0.0 <= e.high
    # 95% +- three standard errors of 800 sets, and a point for the bootstrap
    assert 0.92 <= inside / sets <= 0.98


def test_seeds_needed():
    n = seeds_needed(1.0, 0.5)
    power = stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, 0.5 * np.sqrt(n))
    less = stats.nct.sf(stats.t.ppf(0.975, n - 2), n - 2, 0.5 * np.sqrt(n - 1))
    assert less < 0.8 <= power
    assert seeds_needed(1.0, -0.5) == n
    assert seeds_needed(1.0, 0.0) == MOST_SEEDS
    assert seeds_needed(0.0, 0.1) == 5 == seeds_needed(1.0, 100.0)
    assert seeds_needed(estimate(np.random.default_rng(7).normal(size=10)), 0.5) > 5
    with pytest.raises(UserError, match="unknown"):
        seeds_needed(float("nan"), 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: estimate(np.ones(5), level=1.0), "level"),
        (lambda: estimate(np.ones(5), draws=10), "draws"),
        (lambda: seeds_needed(1.0, 0.5, power=1.0), "power"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    with pytest.raises(UserError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
