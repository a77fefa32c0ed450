"""Directions of steering: identities, a planted direction, invariances."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergelab.nn import steering


@pytest.fixture(scope="module")
def planted():
    """Entropies that a known direction of the activations tells, with much else going on."""
    rng = np.random.default_rng(3)
    width, prompts = 16, 4000
    true = rng.normal(size=width)
    true /= np.linalg.norm(true)
    h = rng.uniform(0, 1, prompts)
    z = 5.0 + rng.normal(size=(prompts, width)) + np.outer(6 * h, true)
    return jnp.asarray(z, jnp.float32), jnp.asarray(h, jnp.float32), true


def _cosine(a, b) -> float:
    a, b = np.asarray(a, float), np.asarray(b, float)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_east_is_the_covariance_over_the_mean_entropy(planted):
    z, h, _ = planted
    wanted = ((np.asarray(h) - np.mean(h))[:, None] * np.asarray(z)).mean(axis=0) / np.mean(h)
    np.testing.assert_allclose(steering.east(z, h), wanted, atol=1e-4)
    raw = (np.asarray(h)[:, None] * np.asarray(z)).sum(axis=0) / np.sum(h)
    np.testing.assert_allclose(steering.raw(z, h), raw, rtol=1e-4)
    np.testing.assert_allclose(steering.raw(z, h) - steering.mean(z), steering.east(z, h), atol=1e-4)


def test_weighting_by_certainty_instead_gives_the_opposite_direction(planted):
    z, h, _ = planted
    assert _cosine(steering.east(z, h), steering.east(z, 1 - h)) == pytest.approx(-1, abs=1e-4)


def test_all_four_that_know_entropies_find_what_was_planted(planted):
    z, h, true = planted
    key, group = jax.random.key(0), jnp.arange(len(h)) % 5
    found = dict(zip(steering.KINDS, steering.directions(key, z, h, group, 5), strict=True))
    for kind in ("east", "within", "quarters", "ridge"):
        assert _cosine(found[kind], true) > 0.95, kind
    for kind in ("shuffled", "random"):
        assert abs(_cosine(found[kind], true)) < 0.9, kind
    assert _cosine(found["raw"], found["mean"]) > 0.99
    lengths = [float(jnp.linalg.norm(v)) for v in found.values()]
    np.testing.assert_allclose(lengths, float(steering.spread(z)), rtol=1e-5)


def test_within_groups_nothing_is_left_of_what_groups_differ_in():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 50)
    h = np.array([0.9, 0.6, 0.3, 0.1])[group]
    z = rng.normal(size=(200, 6)) + 10 * h[:, None]
    v = steering.within(jnp.asarray(z, jnp.float32), jnp.asarray(h, jnp.float32), jnp.asarray(group), 4)
    np.testing.assert_allclose(v, 0, atol=1e-5)
    assert float(jnp.linalg.norm(steering.east(jnp.asarray(z, jnp.float32), jnp.asarray(h, jnp.float32)))) > 1


def test_a_constant_added_to_all_activations_changes_no_centred_direction(planted):
    z, h, _ = planted
    for f in (steering.east, steering.quarters, steering.ridge):
        np.testing.assert_allclose(f(z + 3.0, h), f(z, h), atol=2e-3)
    assert float(steering.spread(z + 3.0)) == pytest.approx(float(steering.spread(z)), rel=1e-4)


def test_ridge_against_the_normal_equations(planted):
    z, h, _ = planted
    x, y = np.asarray(z, float) - np.mean(z, axis=0), np.asarray(h, float) - np.mean(h)
    lift = 0.1 * np.trace(x.T @ x / len(x)) / 16
    wanted = np.linalg.solve(x.T @ x / len(x) + lift * np.eye(16), x.T @ y / len(x))
    np.testing.assert_allclose(steering.ridge(z, h), wanted, atol=1e-4)
    told = float(steering.r2(z[:2000], h[:2000], z[2000:], h[2000:]))
    assert 0.6 < told < 1
    assert float(steering.r2(z[:2000], h[:2000], z[2000:], h[:2000])) < 0.05, "entropies of other prompts"


def test_without_the_direction_nothing_varies_along_it_and_all_else_stays(planted):
    z, _, true = planted
    v, centre = jnp.asarray(true, jnp.float32), z.mean(axis=0)
    flat = np.asarray(steering.ablated(z, 7 * v, centre))
    np.testing.assert_allclose(flat @ true, float(np.asarray(centre) @ true), atol=1e-4)
    across = np.eye(16) - np.outer(true, true)
    np.testing.assert_allclose(flat @ across, np.asarray(z) @ across, atol=1e-4)


def test_lengths():
    assert float(jnp.linalg.norm(steering.scaled(jnp.array([3.0, 4.0]), 2.0))) == pytest.approx(2)
    np.testing.assert_array_equal(steering.scaled(jnp.zeros(3), 2.0), 0)
    with_key = [np.asarray(steering.shuffled(jax.random.key(k), jnp.eye(4), jnp.arange(4.0))) for k in (0, 0, 1)]
    np.testing.assert_array_equal(with_key[0], with_key[1])
    assert sorted(np.round(with_key[0], 5)) == sorted(np.round(with_key[2], 5))
