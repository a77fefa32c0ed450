"""Deep linear networks: decompositions in closed form, balance, the equation of motion, tasks of known rank."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from emergelab.nn import linear


def test_two_items_by_hand():
    task = linear.hierarchy(1)
    np.testing.assert_array_equal(task.target, [[1, 1], [1, 0], [0, 1]])
    np.testing.assert_allclose(task.strength, [np.sqrt(3), 1], rtol=1e-6)
    np.testing.assert_allclose(task.right * np.sqrt(2), [[1, 1], [1, -1]], rtol=1e-6)
    np.testing.assert_allclose(task.left[:, 0] * np.sqrt(6), [2, 1, 1], rtol=1e-6)
    np.testing.assert_array_equal(task.level, [0, 1])


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_a_hierarchy_is_decomposed_by_its_forks(depth):
    task, items = linear.hierarchy(depth), 2**depth
    assert task.target.shape == (2 * items - 1, items)
    np.testing.assert_allclose((task.left * task.strength) @ task.right.T, task.target, atol=1e-5)
    np.testing.assert_allclose(task.strength, np.linalg.svd(task.target, compute_uv=False), rtol=1e-5)
    for basis in (task.left, task.right):
        np.testing.assert_allclose(basis.T @ basis, np.eye(items), atol=1e-5)
    below = np.array([items, *(items // 2 ** (k - 1) for k in task.level[1:])])
    np.testing.assert_allclose(task.strength[1:] ** 2, below[1:] - 1, rtol=1e-5)
    assert task.strength[0] ** 2 == pytest.approx(2 * items - 1, rel=1e-5)
    np.testing.assert_array_equal(np.bincount(task.level), [1, *(2**d for d in range(depth))])


def test_orthonormal_columns_are_that_and_random():
    make = jax.jit(lambda key: linear.orthonormal(key, 20, 8))
    one, other = (make(jax.random.key(k)) for k in (0, 1))
    np.testing.assert_allclose(one.T @ one, np.eye(8), atol=1e-6)
    assert np.abs(one - other).max() > 0.1
    square = jax.jit(lambda key: linear.orthonormal(key, 6, 6))(jax.random.key(2))
    np.testing.assert_allclose(square @ square.T, np.eye(6), atol=1e-5)
    with pytest.raises(ValueError, match="at most 3 columns"):
        linear.orthonormal(jax.random.key(0), 3, 4)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_balanced_layers_share_a_product_evenly(depth):
    task = linear.hierarchy(2)
    strength = jnp.array([0.4, 0.3, 0.2, 0.0])
    hidden = jnp.linalg.qr(jax.random.normal(jax.random.key(0), (7, 4)))[0]
    layers = linear.balanced(strength, jnp.asarray(task.left), jnp.asarray(task.right), hidden, depth)
    assert len(layers) == depth
    whole = linear.product(layers)
    np.testing.assert_allclose(whole, (task.left * np.asarray(strength)) @ task.right.T, atol=1e-6)
    np.testing.assert_allclose(linear.strengths(whole, task), np.diag(np.asarray(strength)), atol=1e-6)
    for before, after in pairwise(layers):
        np.testing.assert_allclose(after.T @ after, before @ before.T, atol=1e-6)


def test_the_first_layer_comes_first():
    first, second = jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [4.0]])
    np.testing.assert_array_equal(linear.product([first, second]), [[3, 6], [4, 8]])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_gaussian_products_have_the_scale_they_are_told(depth):
    whole = linear.product(linear.gaussian(jax.random.key(0), 100, depth, 1e-3))
    assert float(whole.std()) == pytest.approx(1e-3 / 10, rel=0.1)


# -- the equation of motion ----------------------------------------------------------------------------------


def _open(t):
    return jnp.ones(2)


def _motion(start, target, depth, rate, steps, pace=_open, active=None):
    start = jnp.asarray(start, jnp.float32)
    active = jnp.ones(start.shape, bool) if active is None else jnp.asarray(active)
    return np.asarray(linear.motion(start, jnp.asarray(target), depth, rate, steps, pace, active))


def test_a_single_layer_decays_to_the_target():
    k = _motion([[0.1], [0.3]], [2.0], 1, 0.01, 150)
    missing = (2.0 - 0.4) * np.exp(-2 * 1.5)
    np.testing.assert_allclose(k.sum(), 2.0 - missing, rtol=1e-5)
    np.testing.assert_allclose(k[1] - k[0], 0.2, rtol=1e-4)


def test_two_layers_follow_the_logistic_curve_and_keep_their_ratio():
    k = _motion([[0.01, 0.02], [0.03, 0.02]], [2.0, 1.0], 2, 0.01, 120)
    for total, s in zip(k.sum(axis=0), (2.0, 1.0), strict=True):
        assert total == pytest.approx(s / (1 + (s / 0.04 - 1) * np.exp(-2 * s * 1.2)), rel=1e-4)
    np.testing.assert_allclose(k[1] / k[0], [3.0, 1.0], rtol=1e-4)


@pytest.mark.parametrize(("depth", "power"), [(3, -1), (4, -2), (5, -3)])
def test_deeper_pathways_keep_another_difference_so_that_a_lead_grows(depth, power):
    start = np.array([[0.012], [0.01]])
    k = _motion(start, [3.0], depth, 0.01, 2000)
    assert k.sum() == pytest.approx(3.0, rel=1e-3)
    p, q = (x ** (1 / depth) for x in (k, start))
    np.testing.assert_allclose(p[1] ** power - p[0] ** power, q[1] ** power - q[0] ** power, rtol=0.01)
    assert k[0] / k[1] > 1.2 * 1.3


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_closed_pathway_waits_as_an_independent_solver_says(depth):
    start, target, rate = np.array([[0.02, 0.02], [0.02, 0.03]]), np.array([3.0, 1.0]), 0.01

    def flow(pace):
        def dp(_, p):
            p = p.reshape(2, 2)
            return (pace[:, None] * p ** (depth - 1) * (target - (p**depth).sum(axis=0))).ravel()

        return dp

    p = start ** (1 / depth)
    for pace, steps in ((np.ones(2), 50), (np.array([1.0, 0.0]), 60), (np.ones(2), 90)):
        p = solve_ivp(flow(pace), (0, rate * steps), p.ravel(), rtol=1e-9, atol=1e-12).y[:, -1].reshape(2, 2)
    k = _motion(start, target, depth, rate, 200, lambda t: jnp.stack([1.0, 1.0 - ((t >= 50) & (t < 110))]))
    np.testing.assert_allclose(k, p**depth, rtol=1e-3)


def test_a_mode_that_a_pathway_lacks_neither_grows_nor_counts():
    k = _motion([[0.5, 0.01], [0.01, 0.01]], [2.0, 2.0], 2, 0.01, 1000, active=[[False, True], [True, True]])
    np.testing.assert_allclose(k, [[0.5, 1.0], [2.0, 1.0]], rtol=1e-3)


# -- matrices to be completed --------------------------------------------------------------------------------


def test_a_matrix_has_the_rank_it_is_told_even_if_that_is_traced():
    make = jax.jit(lambda r: linear.low_rank(jax.random.key(0), 20, r, 5))
    for rank in (1, 3, 5):
        matrix = np.asarray(make(rank))
        assert np.linalg.matrix_rank(matrix, tol=1e-3) == rank
        assert (matrix**2).mean() == pytest.approx(1.0, rel=1e-5)


def test_entries_are_numbered_once_each():
    order = np.asarray(linear.entry_order(jax.random.key(0), 6))
    assert sorted(order.ravel()) == list(range(36))
    assert (order != np.asarray(linear.entry_order(jax.random.key(1), 6))).any()


def test_singular_values_are_numpys():
    matrix = np.random.default_rng(0).normal(size=(6, 4))
    np.testing.assert_allclose(
        linear.singular_values(jnp.asarray(matrix)), np.linalg.svd(matrix, compute_uv=False), rtol=1e-5
    )


def test_effective_rank_of_equal_values_is_their_number():
    assert float(linear.effective_rank(jnp.array([2.0, 2.0, 2.0, 0.0]))) == pytest.approx(3.0, rel=1e-5)
    assert float(linear.effective_rank(jnp.array([5.0, 0.0]))) == pytest.approx(1.0)
    assert float(linear.effective_rank(jnp.zeros(4))) == 1.0


@settings(max_examples=25)
@given(st.lists(st.floats(0.001, 100), min_size=4, max_size=4), st.floats(0.01, 100))
def test_effective_rank_lies_between_one_and_all_and_has_no_unit(values, unit):
    values = jnp.asarray(values, jnp.float32)
    rank = float(linear.effective_rank(values))
    assert 1.0 - 1e-4 <= rank <= 4.0 + 1e-4
    assert float(linear.effective_rank(unit * values)) == pytest.approx(rank, rel=1e-3)
