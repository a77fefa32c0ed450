"""The unified objective is each of the methods that it names, and unlearning raises the loss by what it should."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergelab.continual import methods as mt
from emergelab.continual import streams as sm
from emergelab.continual.learning import Perceptron
from emergelab.continual.unified import DIRECTIONS, Refreshed, Unified

KEY = jax.random.key(3)


def _score(net, batch):
    return net(batch.x)


@pytest.fixture(scope="module")
def met():
    """A network that has moved on, and what it met."""
    old = Perceptron(jax.random.key(1), (4, 6, 3))
    net = jax.tree.map(lambda a: a + 0.1 * jax.random.normal(KEY, a.shape), old)
    x = jax.random.normal(jax.random.key(2), (12, 4))
    y = jnp.arange(12, dtype=jnp.int32) % 3
    return old, net, sm.Batch(x, y, jnp.zeros(12, jnp.int32))


def _grown(method, old, batch):
    """The method's state after a phase of one batch."""
    state = method.begin(old, 4, 3)
    state = method.after(old, old, None, state, batch, _score, KEY)
    return jax.jit(lambda: method.end(old, state, batch, _score, KEY))()


def _same(one, state, other, there, met, first=KEY, second=KEY):
    _, net, batch = met
    a = jax.value_and_grad(lambda n: one.loss(n, state, batch, _score, first))(net)
    b = jax.value_and_grad(lambda n: other.loss(n, there, batch, _score, second))(net)
    assert float(a[0]) == pytest.approx(float(b[0]), rel=1e-5)
    for x, y in zip(jax.tree.leaves(a[1]), jax.tree.leaves(b[1]), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


def test_remembered_labels_are_experience_replay(met):
    old, _, batch = met
    ours, theirs = Unified(0.7, target="label"), mt.Replay(labels=0.7)
    of_labels, _ = jax.random.split(KEY)  # of which the memory's draw is made there
    _same(ours, _grown(ours, old, batch), theirs, _grown(theirs, old, batch), met, first=of_labels)


def test_remembered_logits_are_dark_experience_replay(met):
    old, _, batch = met
    ours, theirs = Unified(0.3, target="logits", distance="squared"), mt.Replay(labels=0.0, logits=0.3)
    _, of_logits = jax.random.split(KEY)
    _same(ours, _grown(ours, old, batch), theirs, _grown(theirs, old, batch), met, first=of_logits)


def test_the_last_network_is_learning_without_forgetting(met):
    old, _, batch = met
    ours, theirs = Unified(1.3, target="last", temperature=2.0), mt.LwF(1.3)
    _same(ours, _grown(ours, old, batch), theirs, _grown(theirs, old, batch), met)


def test_importance_of_weights_is_elastic_weight_consolidation(met):
    old, _, batch = met
    ours, theirs = Unified(0.0, 25.0), mt.EWC(25.0)
    _same(ours, _grown(ours, old, batch), theirs, _grown(theirs, old, batch), met)


# -- refresh -----------------------------------------------------------------------------------------------------------


def _moved(method, met, time=0):
    old, net, batch = met
    state = method.begin(old, 4, 3)
    memory = state.memory.after(batch, jnp.zeros((12, 3)), KEY)
    state = eqx.tree_at(lambda s: (s.memory, s.time), state, (memory, jnp.int32(time)))
    after = jax.jit(lambda: method.before(net, state, batch, _score, KEY))()
    return jax.tree.map(jnp.subtract, after, net)


def _loss(met, step):
    _, net, batch = met
    return float(mt.cross_entropy(_score(jax.tree.map(jnp.add, net, step), batch), batch))


def test_a_released_step_is_a_share_of_each_arrays_length_up_the_slope(met):
    _, net, batch = met
    step = _moved(Refreshed(delta=0.01, noise=0.0), met)
    slope = jax.grad(lambda n: mt.cross_entropy(_score(n, batch), batch))(net)
    for s, w, g in zip(*map(jax.tree.leaves, (step, net, slope)), strict=True):
        np.testing.assert_allclose(jnp.linalg.norm(s), 0.01 * jnp.linalg.norm(w), rtol=1e-3)
        np.testing.assert_allclose(s / jnp.linalg.norm(s), g / jnp.linalg.norm(g), atol=2e-3)


def test_directions_do_what_they_are_called(met):
    _, net, _ = met
    before = _loss(met, jax.tree.map(jnp.zeros_like, net))
    change = {
        d: _loss(met, _moved(Refreshed(delta=0.02, noise=0.0, direction=i), met)) - before
        for i, d in enumerate(DIRECTIONS)
    }
    assert change["ascent"] > 0 > change["descent"] and change["memory"] > 0
    assert abs(change["random"]) < change["ascent"]


def test_no_delta_no_step_and_only_every_second_time(met):
    assert all(not s.any() for s in jax.tree.leaves(_moved(Refreshed(), met)))
    assert all(not s.any() for s in jax.tree.leaves(_moved(Refreshed(delta=0.01), met, time=1)))
    assert any(s.any() for s in jax.tree.leaves(_moved(Refreshed(delta=0.01), met, time=2)))


def test_the_papers_step_is_the_gradient_over_information_and_its_noise_has_the_right_size(met):
    _, net, batch = met
    step = _moved(Refreshed(gamma=0.1, noise=0.0, damping=2.0), met)
    slope = jax.grad(lambda n: mt.cross_entropy(_score(n, batch), batch))(net)
    for s, g in zip(*map(jax.tree.leaves, (step, slope)), strict=True):
        np.testing.assert_allclose(s, 0.1 / 2.0 * g, rtol=2e-3, atol=1e-6)
    loud = _moved(Refreshed(gamma=0.1, noise=1.0, damping=2.0), met)
    noise = np.concatenate([np.ravel(a - b) for a, b in zip(*map(jax.tree.leaves, (loud, step)), strict=True)])
    assert noise.std() == pytest.approx(np.sqrt(2 * 0.1 / 2.0), rel=0.35)
