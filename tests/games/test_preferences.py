"""Scales fitted to choices, measures of coherence, and the choice of pairs: known answers and brute force."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm

from emergelab.errors import UserError
from emergelab.games import preferences as pr

N = 10


def whole(p: np.ndarray) -> pr.Choices:
    """A complete table."""
    return pr.Choices(jnp.asarray(p, jnp.float32), 1.0 - jnp.eye(len(p)))


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray]:
    """Utilities, and the choices of who has them, with a noise of 0.7."""
    u = np.random.default_rng(3).normal(size=N)
    return u, norm.cdf((u[:, None] - u) / (0.7 * 2**0.5))


bradley_terry, cycles = jax.jit(pr.bradley_terry), jax.jit(pr.cycles)


# -- fits -----------------------------------------------------------------------------------------------------------


def test_thurstone_finds_planted_utilities_and_their_width(planted) -> None:
    u, p = planted
    scale = jax.jit(lambda c: pr.thurstone(c, jax.random.key(0), steps=400, rate=0.025))(whole(p))
    np.testing.assert_allclose(scale.mean, (u - u.mean()) / u.std(), atol=0.06)
    np.testing.assert_allclose(np.sqrt(scale.variance), 0.7 / u.std(), rtol=0.15)
    np.testing.assert_allclose(pr.chances(scale), p, atol=0.02)


def test_bradley_terry_is_the_optimum_that_a_general_optimiser_finds(planted) -> None:
    _, p = planted
    rng = np.random.default_rng(0)
    weight = np.triu(rng.random((N, N)) < 0.6, 1).astype(float)
    weight += weight.T

    def loss(x: np.ndarray) -> float:
        q = 1 / (1 + np.exp(x[None] - x[:, None]))
        return float(-0.5 * np.sum(weight * (p * np.log(q) + (1 - p) * np.log(1 - q))) + 0.005 * np.sum(x**2))

    best = minimize(loss, np.zeros(N), method="BFGS", options={"gtol": 1e-9}).x
    got = bradley_terry(pr.Choices(jnp.asarray(p, jnp.float32), jnp.asarray(weight, jnp.float32)))
    np.testing.assert_allclose(got, best - best.mean(), atol=2e-3)


def test_bradley_terry_of_two_things_is_the_log_odds() -> None:
    got = pr.bradley_terry(whole(np.array([[0.5, 0.8], [0.2, 0.5]])), ridge=0.0)
    assert float(got[0] - got[1]) == pytest.approx(np.log(4), abs=1e-4)


def test_certain_choices_and_things_never_compared_stay_finite() -> None:
    p, weight = pr.table([(0, 1), (1, 2)], [1.0, 1.0], 4)
    got = np.asarray(bradley_terry(pr.Choices(jnp.asarray(p), jnp.asarray(weight))))
    assert np.isfinite(got).all() and got[0] > got[1] > got[2]
    fit = jax.jit(lambda choices: pr.thurstone(choices, jax.random.key(0), steps=50, rate=0.1))
    scale = fit(pr.Choices(jnp.asarray(p), jnp.asarray(weight)))
    assert all(np.isfinite(x).all() for x in scale)


def test_linear_systems_are_solved() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 12))
    a, b = (x.T @ x + np.eye(12)).astype(np.float32), rng.normal(size=(12, 3)).astype(np.float32)
    np.testing.assert_allclose(pr.solved(jnp.asarray(a), jnp.asarray(b)), np.linalg.solve(a, b), atol=1e-4)


# -- measures -------------------------------------------------------------------------------------------------------


def test_a_triad_by_hand() -> None:
    # a over b .9, b over c .8, c over a .3: .9 .8 .3 round one way, .1 .2 .7 the other
    p = np.array([[0.5, 0.9, 0.7], [0.1, 0.5, 0.8], [0.3, 0.2, 0.5]])
    assert float(pr.cycles(whole(p))) == pytest.approx(0.9 * 0.8 * 0.3 + 0.1 * 0.2 * 0.7, abs=1e-6)
    rock = np.array([[0.5, 1, 0], [0, 0.5, 1], [1, 0, 0.5]])
    assert float(pr.cycles(whole(rock))) == pytest.approx(1.0)
    assert float(pr.cycles(whole(np.full((5, 5), 0.5)))) == pytest.approx(0.25)
    assert np.isnan(float(pr.cycles(pr.Choices(jnp.asarray(p), jnp.zeros((3, 3))))))


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_cycles_are_those_counted_triad_by_triad(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = np.triu(rng.random((7, 7)), 1)
    p = p + np.tril(1 - p.T, -1) + 0.5 * np.eye(7)
    weight = np.triu(rng.random((7, 7)) < 0.7, 1)
    weight = (weight | weight.T).astype(np.float32)
    seen = [
        p[a, b] * p[b, c] * p[c, a] + p[b, a] * p[c, b] * p[a, c]
        for a, b, c in itertools.combinations(range(7), 3)
        if weight[a, b] and weight[b, c] and weight[a, c]
    ]
    got = float(cycles(pr.Choices(jnp.asarray(p, jnp.float32), jnp.asarray(weight))))
    assert (np.isnan(got) and not seen) or got == pytest.approx(np.mean(seen), abs=1e-5)


def test_accuracy_counts_pairs_by_how_clear_they_are() -> None:
    p, weight = pr.table([(0, 1), (1, 2)], [0.9, 0.45], 3)
    choices = pr.Choices(jnp.asarray(p), jnp.asarray(weight))
    told = pr.odds(jnp.array([1.0, 0.5, 0.0]))  # right about the clear pair, wrong about the other
    assert float(pr.accuracy(told, choices)) == pytest.approx(0.4 / 0.45, abs=1e-5)
    assert float(pr.accuracy(jnp.full((3, 3), 0.5), choices)) == pytest.approx(0.5)
    assert float(pr.completeness(choices)) == pytest.approx((0.8 + 0.1) / 2, abs=1e-6)
    assert np.isnan(float(pr.accuracy(told, whole(np.full((3, 3), 0.5)))))


def test_log_loss_and_explained_by_hand() -> None:
    p, weight = pr.table([(0, 1)], [0.75], 2)
    choices = pr.Choices(jnp.asarray(p), jnp.asarray(weight))
    told = jnp.array([[0.5, 0.6], [0.4, 0.5]])
    assert float(pr.log_loss(told, choices)) == pytest.approx(-(0.75 * np.log(0.6) + 0.25 * np.log(0.4)), abs=1e-5)
    x, y = np.log(1.5), np.log(3)
    assert float(pr.explained(told, choices)) == pytest.approx(1 - (y - x) ** 2 / y**2, abs=1e-4)
    assert float(pr.explained(choices.p, choices)) == pytest.approx(1.0, abs=1e-5)


def test_dealt_out_choices_are_the_same_ones_elsewhere(planted) -> None:
    _, p = planted
    value, weight = pr.table([(0, 1), (2, 3), (4, 5), (6, 9)], [0.1, 0.2, 0.3, 0.45], N)
    made = jax.jit(pr.permuted)(jax.random.key(4), pr.Choices(jnp.asarray(value), jnp.asarray(weight)))
    np.testing.assert_array_equal(made.weight, weight)
    np.testing.assert_allclose(made.p + made.p.T, 1.0, atol=1e-6)
    at = np.triu(weight, 1) > 0
    folded = np.sort(np.minimum(np.asarray(made.p)[at], 1 - np.asarray(made.p)[at]))
    np.testing.assert_allclose(folded, [0.1, 0.2, 0.3, 0.45], atol=1e-6)
    many = jax.jit(jax.vmap(lambda k: pr.permuted(k, whole(p)).p[0, 1]))(jax.random.split(jax.random.key(0), 400))
    assert float(many.mean()) == pytest.approx(0.5, abs=0.06)


def test_a_scale_that_is_there_is_told_from_one_that_is_not(planted) -> None:
    _, p = planted
    pairs = list(itertools.combinations(range(N), 2))
    fold = jnp.asarray(pr.folds(np.random.default_rng(0), pairs, N, 5))
    assert sorted(np.bincount(np.asarray(fold)[np.triu_indices(N, 1)])) == [9] * 5

    def held_out(choices: pr.Choices):
        return pr.accuracy(pr.crossed(lambda c: pr.odds(pr.bradley_terry(c)), choices, fold, 5), choices)

    @jax.jit
    def measured(keys: jax.Array) -> tuple[jax.Array, jax.Array]:
        return held_out(whole(p)), jax.vmap(lambda k: held_out(pr.permuted(k, whole(p))))(keys)

    true, null = measured(jax.random.split(jax.random.key(1), 30))
    assert float(true) > 0.97
    assert float(null.mean()) == pytest.approx(0.5, abs=0.08)


def test_a_held_out_pair_plays_no_part_in_its_own_prediction(planted) -> None:
    _, p = planted
    fold = jnp.asarray(pr.folds(np.random.default_rng(0), list(itertools.combinations(range(N), 2)), N, 5))
    crossed = jax.jit(lambda choices: pr.crossed(lambda c: pr.odds(pr.bradley_terry(c)), choices, fold, 5))
    told = crossed(whole(p))
    q = p.copy()
    q[2, 7], q[7, 2] = 0.0, 1.0
    again = crossed(whole(q))
    assert float(again[2, 7]) == pytest.approx(float(told[2, 7]), abs=1e-5)
    assert not np.allclose(told, again, atol=1e-3)


def test_pseudo_labels_are_added_where_the_prediction_is_sure() -> None:
    p, weight = pr.table([(0, 1)], [0.6], 3)
    told = jnp.array([[0.5, 0.99, 0.97], [0.01, 0.5, 0.7], [0.03, 0.3, 0.5]])
    made = pr.pseudo_labelled(told, pr.Choices(jnp.asarray(p), jnp.asarray(weight)))
    np.testing.assert_allclose(made.p[0], [0.5, 0.6, 1.0], atol=1e-6)
    np.testing.assert_array_equal(made.weight, [[0, 1, 1], [1, 0, 0], [1, 0, 0]])


# -- which pair to ask ----------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.integers(3, 40), st.integers(0, 1000))
def test_a_ring_is_connected_and_of_degree_two(n: int, seed: int) -> None:
    pairs = pr.ring(np.random.default_rng(seed), n)
    assert len({frozenset(pair) for pair in pairs}) == n
    assert np.bincount(np.ravel(pairs)).tolist() == [2] * n
    after = dict(pairs)
    here, met = 0, set()
    while here not in met:
        met.add(here)
        here = after[here]
    assert len(met) == n


def test_the_next_pairs_are_near_on_the_scale_and_seldom_asked() -> None:
    mean = np.arange(20.0)
    asked = np.zeros((20, 20), bool)
    asked[:10, :10] = True
    np.fill_diagonal(asked, False)
    got = pr.next_pairs(np.random.default_rng(0), mean, asked, 5)
    assert len({frozenset(pair) for pair in got}) == 5
    assert all(min(pair) >= 10 and abs(pair[0] - pair[1]) <= 3 for pair in got)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(0, 80))
def test_next_pairs_are_new_and_as_many_as_there_are(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((12, 12)) < rng.random(), 1)
    asked = upper | upper.T
    got = pr.next_pairs(rng, rng.normal(size=12), asked, count)
    assert len(got) == min(count, 66 - int(upper.sum())) == len({frozenset(pair) for pair in got})
    assert not any(asked[pair] for pair in got)


def test_bad_calls_say_what_is_wrong() -> None:
    with pytest.raises(UserError, match="a ring needs 3 things or more, got 2"):
        pr.ring(np.random.default_rng(0), 2)
