"""Distributions of actions against scipy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from emergelab.rl.policies import Categorical, Normal, allowed


@pytest.fixture
def logits():
    return jax.random.normal(jax.random.key(0), (5, 3, 4))


def test_one_of_several(logits):
    policy = Categorical(logits)
    chance = np.asarray(jax.nn.softmax(logits))
    np.testing.assert_allclose(policy.entropy(), stats.entropy(chance, axis=-1), rtol=1e-5)
    action = policy.sample(jax.random.key(1))
    assert action.shape == (5, 3)
    picked = np.take_along_axis(chance, np.asarray(action)[..., None], -1)[..., 0]
    np.testing.assert_allclose(np.exp(policy.log_prob(action)), picked, rtol=1e-5)
    np.testing.assert_array_equal(policy.mode(), chance.argmax(-1))


def test_samples_are_as_frequent_as_likely(logits):
    policy = Categorical(jnp.broadcast_to(logits[0, 0], (40_000, 4)))
    seen = np.bincount(np.asarray(policy.sample(jax.random.key(2))), minlength=4)
    chance = np.asarray(jax.nn.softmax(logits[0, 0]), float)
    assert stats.chisquare(seen, 40_000 * chance / chance.sum()).pvalue > 0.001


def test_normal_numbers():
    key = jax.random.key(3)
    mean, log_std = jax.random.normal(key, (6, 2)), jnp.array([[-0.5, 0.7]] * 6)
    policy = Normal(mean, log_std)
    action = policy.sample(key)
    peer = stats.norm(np.asarray(mean), np.exp(np.asarray(log_std)))
    np.testing.assert_allclose(policy.log_prob(action), peer.logpdf(np.asarray(action)).sum(-1), rtol=1e-5)
    np.testing.assert_allclose(policy.entropy(), peer.entropy().sum(-1), rtol=1e-5)
    np.testing.assert_array_equal(policy.mode(), mean)


def test_what_is_ruled_out_is_never_drawn(logits):
    may = jnp.array([True, False, True, False])
    policy = allowed(Categorical(logits), may)
    drawn = jax.vmap(policy.sample)(jax.random.split(jax.random.key(4), 200))
    assert set(np.unique(drawn).tolist()) == {0, 2}
    two = np.asarray(jax.nn.softmax(logits[..., jnp.array([0, 2])]))
    np.testing.assert_allclose(policy.entropy(), stats.entropy(two, axis=-1), rtol=1e-4)
    np.testing.assert_array_equal(allowed(Categorical(logits), jnp.zeros(4, bool)).logits, logits)
