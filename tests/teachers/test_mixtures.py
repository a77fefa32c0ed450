"""Mixtures of Gaussians: against scikit-learn, NumPy and SciPy, and where data are degenerate."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.mixture import GaussianMixture

import emergelab as el
from emergelab.teachers import mixtures
from emergelab.teachers.mixtures import Mixture

NUMBERS = (2, 3, 5)
TURNS = 8

em = jax.jit(lambda m, x, used: jax.lax.fori_loop(0, TURNS, lambda _, m: mixtures.em(m, x, used), m))
told = jax.jit(lambda m, x, used: (mixtures.aic(m, x, used), jax.nn.logsumexp(mixtures.log_joint(m, x), axis=-1)))
factors_of = jax.jit(mixtures.cholesky)
fit = jax.jit(lambda x, key: mixtures.fit(x, key, NUMBERS, iterations=TURNS))


def clusters(seed: int, number: int = 240) -> np.ndarray:
    """Three clouds of different shapes in a corner of the unit cube."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0.2, 0.2, 0.0], [0.7, 0.3, 0.05], [0.5, 0.8, 0.3]])
    factors = rng.normal(size=(3, 3, 3)) * 0.04 + 0.05 * np.eye(3)
    which = rng.integers(0, 3, number)
    return (centres[which] + np.einsum("nij,nj->ni", factors[which], rng.normal(size=(number, 3)))).astype(np.float32)


def beginning(points: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    means = points[rng.choice(len(points), k, replace=False)].astype(float)
    covariances = np.stack([np.cov(points.T) * (0.5 + i / k) for i in range(k)])
    return np.full(k, 1 / k), means, covariances


def ours(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, room: int) -> tuple[Mixture, Any]:
    empty = Mixture.empty(room, means.shape[1])
    k = len(weights)
    mixture = Mixture(
        empty.weight.at[:k].set(weights),
        empty.mean.at[:k].set(means),
        empty.factor.at[:k].set(np.linalg.cholesky(covariances)),
    )
    return mixture, jnp.arange(room) < k


@pytest.mark.parametrize("k", [2, 4])
def test_em_equals_scikit_learn_from_the_same_beginning(k: int) -> None:
    points = clusters(k)
    weights, means, covariances = beginning(points, k, seed=1)
    theirs = GaussianMixture(
        k, max_iter=TURNS, tol=0.0, weights_init=weights, means_init=means, precisions_init=np.linalg.inv(covariances)
    )
    with pytest.warns(match="converge"):
        theirs.fit(points.astype(float))
    points = jnp.asarray(points)
    mixture, used = ours(weights, means, covariances, room=5)
    after = em(mixture, points, used)
    np.testing.assert_allclose(after.weight[:k], theirs.weights_, atol=2e-4)
    np.testing.assert_allclose(after.mean[:k], theirs.means_, atol=2e-4)
    np.testing.assert_allclose(after.covariance[:k], theirs.covariances_, atol=3e-5)
    assert float(after.weight[k:].sum()) == 0.0
    score, joint = told(after, points, used)
    assert float(score) == pytest.approx(theirs.aic(np.asarray(points, float)), abs=0.5)
    np.testing.assert_allclose(joint, theirs.score_samples(np.asarray(points, float)), atol=5e-3)


def test_the_fit_is_as_good_as_scikit_learns() -> None:
    for seed in range(3):
        points = clusters(seed)
        _, scores = fit(points, jax.random.key(seed))
        theirs = [GaussianMixture(k, random_state=seed).fit(points).aic(points) for k in NUMBERS]
        assert float(jnp.min(scores)) < min(theirs) + 15.0, (scores, theirs)


def test_planted_clusters_are_found() -> None:
    points = clusters(7)
    mixture, scores = fit(points, jax.random.key(0))
    assert mixture.weight.shape == (5,) and scores.shape == (3,)
    assert float(mixture.weight.sum()) == pytest.approx(1.0, abs=1e-5)
    for centre in ([0.2, 0.2, 0.0], [0.7, 0.3, 0.05], [0.5, 0.8, 0.3]):
        near = np.linalg.norm(np.asarray(mixture.mean) - centre, axis=1)[np.asarray(mixture.weight) > 0.02]
        assert near.min() < 0.06
    number = int((np.asarray(mixture.weight) > 0).sum())
    assert number == NUMBERS[int(np.argmin(scores))]


def test_seeds_are_points_far_from_each_other() -> None:
    points = clusters(3)
    seeds = np.asarray(mixtures.spread(jnp.asarray(points), jax.random.key(2), 5))
    assert all((points == s).all(axis=1).any() for s in seeds)
    assert len(np.unique(seeds, axis=0)) == 5


@pytest.mark.parametrize("kind", ["one point", "two points", "a line"])
def test_degenerate_points_give_finite_gaussians(kind: str) -> None:
    points = np.zeros((240, 3), np.float32)
    if kind == "two points":
        points[::2] = 1.0
    if kind == "a line":
        points[:, 0] = np.linspace(0, 1, 240)
    mixture, scores = fit(points, jax.random.key(0))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(mixture))
    assert np.isfinite(scores).any()
    assert float(mixture.weight.sum()) == pytest.approx(1.0, abs=1e-4)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_cholesky_is_numpys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(6, 4, 4))
    matrices = half @ half.transpose(0, 2, 1) + 0.1 * np.eye(4)
    factors = factors_of(jnp.asarray(matrices, jnp.float32))
    np.testing.assert_allclose(factors, np.linalg.cholesky(matrices), rtol=2e-3, atol=2e-3)


def test_numbers_of_gaussians() -> None:
    assert mixtures.candidates(2, 10, 2) == (2, 4, 6, 8, 10)
    assert mixtures.candidates(2, 2, 5) == (2,)
    with pytest.raises(el.UserError, match="need 1 <= least <= most"):
        mixtures.candidates(3, 2, 1)
