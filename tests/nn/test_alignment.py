"""Kernels and what is read off them: identities, hand-worked cases, oracles in numpy and scikit-learn."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge

from emergelab.nn import alignment as al
from emergelab.nn.linear import effective_rank, singular_values


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


_ALIGNED = jax.jit(al.alignment)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-12, 1e12))
def test_an_alignment_is_the_cosine_whatever_the_scale(seed, scale):
    a, b = _normal(seed, 4, 5), _normal(seed + 1, 4, 5)
    wanted = (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
    assert float(_ALIGNED(jnp.asarray(a * np.float32(scale)), jnp.asarray(b))) == pytest.approx(wanted, abs=1e-5)
    assert float(_ALIGNED(jnp.asarray(a), jnp.asarray(a * np.float32(scale)))) == pytest.approx(1, abs=1e-5)
    assert float(_ALIGNED(jnp.asarray(a), jnp.asarray(-a))) == pytest.approx(-1, abs=1e-5)


def test_of_nothing_the_alignment_is_zero():
    assert float(_ALIGNED(jnp.zeros((2, 2)), jnp.ones((2, 2)))) == 0


def test_a_rotation_of_features_leaves_the_representation_aligned():
    x = _normal(0, 12, 6)
    turn, _ = np.linalg.qr(_normal(1, 6, 6))
    assert float(al.representation_alignment(jnp.asarray(x), jnp.asarray(3 * x @ turn))) == pytest.approx(1, abs=1e-5)
    k0, k1 = x @ x.T, x[:, :2] @ x[:, :2].T
    wanted = (k0 * k1).sum() / np.linalg.norm(k0) / np.linalg.norm(k1)
    assert float(al.representation_alignment(jnp.asarray(x), jnp.asarray(x[:, :2]))) == pytest.approx(wanted, abs=1e-5)


def test_signs_that_stay():
    before, after = jnp.array([[0.0, 1.0], [2.0, -3.0]]), jnp.array([[0.0, 5.0], [0.0, 3.0]])
    assert float(al.sign_similarity(before, after)) == 0.5


def test_the_tangent_kernel_of_two_linear_layers_is_its_formula():
    w, v = _normal(0, 4, 3), _normal(1, 2, 4)
    x = _normal(2, 5, 3)

    def f(weights, x):
        first, second = weights
        return second @ first @ x

    got = jax.jit(lambda w, x: al.tangent_kernel(f, w, x))((jnp.asarray(w), jnp.asarray(v)), jnp.asarray(x))
    wanted = np.einsum("ab,kl->akbl", x @ x.T, v @ v.T) + np.einsum("ab,kl->akbl", (x @ w.T) @ (x @ w.T).T, np.eye(2))
    np.testing.assert_allclose(got, wanted.reshape(10, 10), rtol=1e-4, atol=1e-4)


def test_the_tangent_kernel_tells_how_a_small_step_moves_the_outputs():
    """For f = tanh(W x): a step along the gradient of output i moves output j by the kernel's entry."""
    w, x = jnp.asarray(_normal(0, 2, 3)), jnp.asarray(_normal(1, 4, 3))

    def f(weights, x):
        return jnp.tanh(weights @ x)

    kernel = np.asarray(jax.jit(lambda w, x: al.tangent_kernel(f, w, x))(w, x))
    step = 1e-3
    for i in range(2):
        new = w + step * jax.grad(lambda w, i=i: f(w, x[0])[i])(w)
        moved = (jax.vmap(lambda x, new=new: f(new, x))(x) - jax.vmap(lambda x: f(w, x))(x)).ravel() / step
        np.testing.assert_allclose(moved, kernel[:, i], atol=2e-3)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-6)
    assert np.linalg.eigvalsh(kernel).min() > -1e-5


_SHARE, _ENTROPY = jax.jit(al.participation), jax.jit(lambda m: effective_rank(singular_values(m)))


def test_ranks_of_matrices_with_known_singular_values():
    u, _ = np.linalg.qr(_normal(0, 8, 8))
    v, _ = np.linalg.qr(_normal(1, 6, 6))
    for values, entropy, share in (([2.0] * 3, 3, 3), ([1.0], 1, 1), ([3.0, 1.0], None, 100 / 82)):
        matrix = jnp.asarray((u[:, : len(values)] * values) @ v[: len(values)])
        p = np.array(values) / np.sum(values)
        entropy = np.exp(-(p * np.log(p)).sum()) if entropy is None else entropy
        assert float(_ENTROPY(matrix)) == pytest.approx(entropy, rel=1e-3)
        assert float(_SHARE(matrix)) == pytest.approx(share, rel=1e-3)
        assert float(_SHARE(1e-15 * matrix.T)) == pytest.approx(share, rel=1e-3)
    for participation in (al.participation, _SHARE):
        assert float(participation(jnp.zeros((3, 4)))) == 0
    assert float(_SHARE(jnp.asarray(_normal(0, 300, 300)))) == pytest.approx(150, rel=0.03)


def _gdv(x: np.ndarray, labels: np.ndarray) -> float:
    """The definition with loops over classes, after Schilling et al. (2021)."""
    z = 0.5 * (x - x.mean(axis=0)) / x.std(axis=0)
    classes = np.unique(labels)
    within, between = [], []
    for i, a in enumerate(classes):
        d = cdist(z[labels == a], z[labels == a])
        within.append(d[np.triu_indices(len(d), 1)].mean())
        between += [cdist(z[labels == a], z[labels == b]).mean() for b in classes[i + 1 :]]
    return (np.mean(within) - np.mean(between)) / x.shape[1] ** 0.5


_GDV = jax.jit(lambda x, labels: al.gdv(x, labels, 4))


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), classes=st.integers(2, 4))
def test_the_discrimination_value_against_its_definition(seed, classes):
    """With fewer than four classes some are empty, and count for nothing."""
    x, labels = _normal(seed, 24, 5), np.arange(24) % classes
    got = float(_GDV(jnp.asarray(x), jnp.asarray(labels)))
    assert got == pytest.approx(_gdv(x.astype(float), labels), abs=2e-3)


def test_the_discrimination_value_is_minus_one_for_points_and_zero_for_chance():
    labels = np.arange(400) % 2
    points = np.where(labels[:, None] == 0, -1.0, 1.0) * np.ones((400, 7))
    assert float(_GDV(jnp.asarray(points, jnp.float32), jnp.asarray(labels))) == pytest.approx(-1, abs=0.02)
    assert abs(float(_GDV(jnp.asarray(_normal(0, 400, 7)), jnp.asarray(labels)))) < 0.02


def test_the_probe_against_a_peer_and_its_control():
    x, new = _normal(0, 200, 12), _normal(1, 300, 12)
    slope = _normal(2, 12, 2)
    y, new_y = x @ slope + 0.5 * _normal(3, 200, 2) + 2, new @ slope + 0.5 * _normal(4, 300, 2) + 2
    penalty = 0.05
    z = x - x.mean(axis=0)
    peer = Ridge(alpha=penalty * (z**2).sum() / 12).fit(x, y)
    told = peer.predict(new)
    wanted = 1 - ((new_y - told) ** 2).sum() / ((new_y - new_y.mean(axis=0)) ** 2).sum()
    got = float(jax.jit(al.ridge_probe)(*map(jnp.asarray, (x, y, new, new_y)), penalty))
    assert got == pytest.approx(wanted, abs=1e-4)
    assert got > 0.9
    control = float(jax.jit(al.shuffled_probe)(jax.random.key(0), *map(jnp.asarray, (x, y, new, new_y)), penalty))
    assert control < 0.05
