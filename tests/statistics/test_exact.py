"""Proportions, permutations and corrections."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from emergelab.errors import UserError
from emergelab.statistics import (
    benjamini_hochberg,
    compare_proportions,
    holm,
    max_t,
    permutation,
    proportion,
    relabellings,
    sign_flips,
)


def test_clopper_pearson_of_the_literature():
    one = proportion(1, 5)
    assert (round(one.low, 3), round(one.high, 3)) == (0.005, 0.716)
    three = proportion(3, 5)
    assert (round(three.low, 3), round(three.high, 3)) == (0.147, 0.947)
    assert proportion(0, 5).low == 0.0 and proportion(5, 5).high == 1.0
    assert proportion(5, 5).p_greater(0.5) == pytest.approx(1 / 32)
    assert not proportion(0, 0).claimed


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_proportion_agrees_with_scipy(kn):
    k, n = kn
    mine, peer = proportion(k, n), stats.binomtest(k, n).proportion_ci(0.95, "exact")
    assert (mine.low, mine.high) == pytest.approx((peer.low, peer.high), abs=1e-9)
    if k > 0:
        assert mine.p_greater(mine.low) == pytest.approx(0.025, abs=1e-6)


def test_difference_of_proportions():
    c = compare_proportions(3, 5, 0, 5)
    assert c.p_fisher == pytest.approx(1 / 6)
    assert c.p_barnard == pytest.approx(stats.barnard_exact([[3, 2], [0, 5]]).pvalue)
    assert c.low < 0.6 < c.high
    same = compare_proportions(5, 5, 5, 5)
    assert same.p_barnard == 1.0 and same.value == 0.0
    assert np.isnan(compare_proportions(0, 0, 1, 2).p_fisher)


def test_smallest_reachable_p_of_five_against_five():
    p = permutation(np.arange(5.0) + 10, np.arange(5.0))
    assert p.exhaustive and p.draws == 252
    assert p.p == p.smallest_p == pytest.approx(2 / 252)
    assert p.p_greater == pytest.approx(1 / 252)


def test_relabellings_are_exhaustive_up_to_the_limit():
    member, all_of_them = relabellings(3, 4)
    assert all_of_them and len(member) == 35 and len(np.unique(member, axis=0)) == 35
    assert member[0].tolist() == [True] * 3 + [False] * 4
    member, all_of_them = relabellings(12, 12, draws=500)
    assert not all_of_them and member.shape == (501, 24) and (member.sum(axis=1) == 12).all()
    signs, _ = sign_flips(5)
    assert len(np.unique(signs, axis=0)) == 32 and (signs[0] == 1).all()


def test_permutation_agrees_with_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=5), rng.normal(1.0, 1.0, 6)
    peer = stats.permutation_test((a, b), lambda x, y: x.mean() - y.mean(), n_resamples=np.inf)
    assert permutation(a, b).p == pytest.approx(peer.pvalue, abs=1e-9)
    pairs = stats.permutation_test(
        (a, b[:5]), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert permutation(a, b[:5], paired=True).p == pytest.approx(pairs.pvalue, abs=1e-9)


def test_permutation_with_nothing_to_test():
    assert np.isnan(permutation(np.array([np.nan]), np.array([1.0])).p)
    assert permutation(np.ones(3), np.ones(3)).p == 1.0
    with pytest.raises(UserError):
        permutation(np.ones(3), np.ones(4), paired=True)


def test_holm_and_benjamini_hochberg():
    p = np.array([0.01, 0.04, 0.03, np.nan])
    assert holm(p)[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(holm(p)[3])
    assert benjamini_hochberg(p)[:3] == pytest.approx(stats.false_discovery_control(p[:3]))
    assert holm(np.array([])).size == 0
    with pytest.raises(UserError):
        holm(np.array([1.2]))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_only_ever_raise_p(values):
    p = np.array(values)
    for adjusted in (holm(p), benjamini_hochberg(p)):
        assert (adjusted >= p - 1e-12).all() and (adjusted <= 1).all()
        assert (np.diff(adjusted[np.argsort(p)]) >= -1e-12).all()
    assert (holm(p) >= benjamini_hochberg(p) - 1e-12).all()


def test_max_t_keeps_the_family_wise_error():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        table = np.abs(rng.normal(size=(200, 10)))  # row 0 is as random as the others: nothing is there
        hits += np.nanmin(max_t(table)) <= 0.05
    assert 0.02 <= hits / 400 <= 0.08
    strong = np.abs(rng.normal(size=(200, 3)))
    strong[0, 0] = 9.0
    adjusted = max_t(strong)
    assert adjusted[0] == pytest.approx(1 / 200) and (adjusted[1:] > 0.01).all()
    assert (max_t(strong, step_down=False) >= adjusted - 1e-12).all()
