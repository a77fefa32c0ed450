"""Networks side by side: each learns as it would alone, sites freeze some, and newborns take the place of others."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import emergelab as el
from emergelab.errors import UserError
from emergelab.intervention import edit
from emergelab.nn import groups as gr

RULE = optax.chain(optax.clip_by_global_norm(0.1), optax.scale_by_adam())
KEYS = jax.random.split(jax.random.key(0), 3)
INPUTS = jax.random.normal(jax.random.key(1), (3, 7, 4))


def _make(key):
    return eqx.nn.MLP(4, 2, 5, 1, key=key)


def _loss_of_one(net, x):
    return jnp.square(jax.vmap(net)(x) - 1.0).mean()


@eqx.filter_jit
def _gradient(group):
    def total(weights):
        return gr.each(gr.whole(group, weights), _loss_of_one, INPUTS).sum()

    return jax.grad(total)(gr.trained(group))


@eqx.filter_jit
def _learn(group):
    return gr.improved(group, _gradient(group), RULE, 0.05, "players")


def _weights(group, agent):
    return np.asarray(group.nets.layers[0].weight[agent])


@eqx.filter_jit
def _alone(net, memory, x):
    update, memory = RULE.update(eqx.filter_grad(_loss_of_one)(net, x), memory)
    return eqx.apply_updates(net, jax.tree.map(lambda u: -0.05 * u, update)), memory


def test_every_agent_learns_as_if_it_were_alone():
    group = gr.group(_make, KEYS, RULE)
    assert group.size == 3
    for _ in range(4):
        group = _learn(group)
    for agent in range(3):
        net = _make(KEYS[agent])
        memory = RULE.init(eqx.filter(net, eqx.is_inexact_array))
        for _ in range(4):
            net, memory = _alone(net, memory, INPUTS[agent])
        np.testing.assert_allclose(_weights(group, agent), net.layers[0].weight, rtol=2e-5, atol=1e-6)


def test_a_group_is_frozen_at_its_updates_and_one_agent_by_a_mask():
    group = gr.group(_make, KEYS, RULE)
    with edit(el.Ablate("update.players.*")):
        still = _learn(group)
    np.testing.assert_array_equal(_weights(still, 0), _weights(group, 0))
    only = np.zeros((3, 5, 4), bool)
    only[1] = True
    with edit(el.Clamp("update.players.layers.0.weight", 0.0, where=only)):
        partly = _learn(group)
    np.testing.assert_array_equal(_weights(partly, 1), _weights(group, 1))
    assert (_weights(partly, 0) != _weights(group, 0)).any()


def test_newborns_bring_their_own_optimiser_and_the_others_stay():
    group = gr.group(_make, KEYS, RULE)
    group = _learn(group)
    fresh = gr.group(_make, jax.random.split(jax.random.key(9), 3), RULE)
    after = gr.renewed(group, fresh, jnp.array([False, True, False]))
    np.testing.assert_array_equal(_weights(after, 0), _weights(group, 0))
    np.testing.assert_array_equal(_weights(after, 1), _weights(fresh, 1))
    assert after.memory[1].count.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("resets", "expected"),
    [
        ("none", {}),
        ("simultaneous", {6: [0, 1, 2], 12: [0, 1, 2]}),
        ("staggered", {2: [0], 4: [1], 6: [2], 8: [0], 10: [1], 12: [2]}),
    ],
)
def test_who_is_replaced_when(resets, expected):
    found = {}
    for time in range(15):
        who = np.flatnonzero(gr.due(jnp.int32(time), 6, 3, resets, until=13.0)).tolist()
        if who:
            found[time] = who
    assert found == expected


def test_agents_may_live_for_ever_and_a_wrong_word_is_named():
    assert not gr.due(jnp.int32(6), 0, 2, "simultaneous").any()
    with pytest.raises(UserError, match="resets: one of none, simultaneous, staggered is expected, not 'stagered'"):
        gr.due(jnp.int32(0), 6, 3, "stagered")
