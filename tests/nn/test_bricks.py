"""Bricks: partitions with a planted answer, gates against loops, measures by hand and against scikit-learn."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.nn import bricks

BALANCED = jax.jit(bricks.balanced, static_argnames=("bricks", "rounds"))
OPEN = jax.jit(bricks.open_units)


def planted(seed: int, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Four directions, six units along each, of any length."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(4), 6))
    keys = np.eye(5)[truth] + noise * rng.normal(size=(24, 5))
    return (keys * rng.uniform(0.5, 2.0, (24, 1))).astype(np.float32), truth


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_planted_bricks_are_found_whatever_the_lengths_of_keys(seed):
    keys, truth = planted(seed)
    found = np.asarray(BALANCED(jnp.asarray(keys), 4))
    assert len({(int(a), int(b)) for a, b in zip(truth, found, strict=True)}) == 4


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), count=st.sampled_from([1, 3, 8, 24]))
def test_bricks_are_equally_large(seed, count):
    keys = jnp.asarray(np.random.default_rng(seed).normal(size=(24, 5)).astype(np.float32))
    for labels in (BALANCED(keys, count), bricks.at_random(jax.random.key(seed), 24, count)):
        np.testing.assert_array_equal(np.bincount(labels, minlength=count), 24 // count)


def test_like_keys_are_nearer_to_their_brick_than_by_chance():
    keys = np.random.default_rng(1).normal(size=(24, 5)).astype(np.float32)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)

    def tightness(labels):
        return sum(np.linalg.norm(keys[np.asarray(labels) == b].sum(axis=0)) for b in range(4))

    chance = [tightness(bricks.at_random(jax.random.key(k), 24, 4)) for k in range(20)]
    assert tightness(BALANCED(jnp.asarray(keys), 4)) > max(chance)


@pytest.mark.parametrize("count", [5, 0, 48])
def test_uneven_bricks_are_refused(count):
    with pytest.raises(UserError, match=f"24 units do not fill {count} bricks evenly"):
        bricks.at_random(jax.random.key(0), 24, count)


def test_gates_are_what_loops_give():
    rng = np.random.default_rng(2)
    x, keys = rng.normal(size=(3, 5)).astype(np.float32), rng.normal(size=(8, 5)).astype(np.float32)
    labels = np.array([0, 1, 2, 3, 3, 2, 1, 0])
    act = np.maximum(x @ keys.T, 0)
    scores = bricks.by_keys(jnp.asarray(x @ keys.T), jnp.asarray(labels), 4)
    wanted = [[row @ keys[labels == b].mean(axis=0) for b in range(4)] for row in x]
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)
    oracle = bricks.by_activity(jnp.asarray(act), jnp.asarray(labels), 4)
    np.testing.assert_allclose(
        oracle, [[row[labels == b].sum() for b in range(4)] for row in act], rtol=1e-4, atol=1e-5
    )
    for most in range(5):
        opened = np.asarray(OPEN(scores, jnp.asarray(labels), most))
        for row, mask in zip(np.asarray(scores), opened, strict=True):
            best = np.argsort(-row)[:most]
            np.testing.assert_array_equal(mask, np.isin(labels, best))


def test_of_equal_bricks_no_more_than_asked_are_open():
    opened = OPEN(jnp.zeros((2, 4)), jnp.arange(8) // 2, 3)
    np.testing.assert_array_equal(opened, [[1] * 6 + [0] * 2] * 2)
    assert OPEN._cache_size() <= 2  # how many stay open is traced


def test_coactivation_is_the_positive_part_of_the_correlation():
    rng = np.random.default_rng(3)
    fired = rng.uniform(size=(200, 6)) < 0.4
    fired[:, 4], fired[:, 5] = True, fired[:, 0]
    wanted = np.nan_to_num(np.corrcoef(fired[:, [0, 1, 2, 3, 5]].T)).clip(0)
    found = np.asarray(bricks.coactivation(jnp.asarray(fired)))
    np.testing.assert_allclose(
        found[np.ix_([0, 1, 2, 3, 5], [0, 1, 2, 3, 5])], wanted - np.diag(np.diag(wanted)), atol=1e-4
    )
    assert not found[4].any()


def test_modularity_of_two_cliques_and_of_one_heap():
    weight = np.kron(np.eye(2), 1 - np.eye(3)).astype(np.float32)
    labels = jnp.asarray([0, 0, 0, 1, 1, 1])
    assert float(bricks.modularity(jnp.asarray(weight), labels)) == pytest.approx(0.5)
    assert float(bricks.modularity(jnp.asarray(weight), jnp.zeros(6, int))) == pytest.approx(0, abs=1e-6)
    assert float(bricks.modularity(jnp.zeros((6, 6)), labels)) == 0


def test_modularity_is_that_of_networkx():
    nx = pytest.importorskip("networkx")
    weight = np.random.default_rng(4).uniform(size=(9, 9))
    weight = (weight + weight.T) * (1 - np.eye(9))
    labels = np.arange(9) % 3
    graph = nx.from_numpy_array(weight)
    wanted = nx.community.modularity(graph, [set(np.flatnonzero(labels == b)) for b in range(3)])
    found = bricks.modularity(jnp.asarray(weight, jnp.float32), jnp.asarray(labels))
    assert float(found) == pytest.approx(wanted, abs=1e-5)


def test_specialisation_by_hand():
    fired = jnp.asarray([[1, 0], [1, 1], [0, 1], [0, 0]], bool)
    kinds = jnp.asarray([0, 0, 2, 2])
    np.testing.assert_allclose(bricks.specialisation(fired, kinds, 3), [[0.5, 0, -0.5], [0, 0, 0]], atol=1e-6)


def test_purity_by_hand():
    favourite, labels = jnp.asarray([0, 0, 1, 2, 2, 2]), jnp.asarray([0, 0, 0, 1, 1, 1])
    assert float(bricks.purity(favourite, labels, 2, 3)) == pytest.approx(5 / 6)
    assert float(bricks.purity(favourite, jnp.asarray([0, 1, 0, 1, 0, 1]), 2, 3)) == pytest.approx(3 / 6)
