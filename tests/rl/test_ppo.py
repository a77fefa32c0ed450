"""The update: an independent oracle of the objective, when gradients vanish, and that nothing moved means nothing."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import emergelab as el
from emergelab.rl import ppo
from emergelab.rl.advantages import generalised
from emergelab.rl.networks import FeedForward, Recurrent
from emergelab.rl.rollout import begin, play
from emergelab.worlds.grid import Grid, read
from emergelab.worlds.world import Continuous, Discrete

WORLD = Grid(read("S..\n.P.\n..G"), limit=6)
ONCE = ppo.Settings(rate=1e-3, passes=1, parts=1)


def net_of(kind):
    key = jax.random.key(0)
    if kind == "forward":
        return FeedForward(key, 9, Discrete(4), widths=(8,))
    return Recurrent(key, 9, Discrete(4), units=6, before=(7,), widths=())


@pytest.fixture(scope="module", params=["forward", "recurrent"])
def played(request):
    """A net, and a second stretch of its play: episodes end, are cut off and go on within it."""
    net = net_of(request.param)
    on = jax.jit(lambda lanes, key: play(WORLD, net, lanes, key, 8))
    lanes, _ = on(begin(WORLD, net, 4, jax.random.key(1)), jax.random.key(2))
    _, trajectory = on(lanes, jax.random.key(3))
    assert trajectory.over.any() and not trajectory.fresh[0].all()
    return net, trajectory


@eqx.filter_jit
def improved(net, trajectory, settings):
    """All of one update, compiled once for each kind of net: settings are traced."""
    return ppo.improve(net, ppo.memory(net, settings), trajectory, settings, jax.random.key(4))


def settings_of(rate=1e-3, **others):
    """One pass, one part."""
    numbers = {"rate": rate, "entropy": 0.01, "value": 0.5, "max_norm": 0.5} | others
    return ppo.Settings(**{k: jnp.float32(v) for k, v in numbers.items()}, passes=1, parts=1)


def weights_of(net):
    return jax.tree.leaves(eqx.filter(net, eqx.is_inexact_array))


def test_before_the_first_step_nothing_has_moved(played):
    """What the update makes of the same moments is what was played: memory, ends and order are right."""
    _, _, report = improved(*played, settings_of())
    assert abs(report.moved) < 1e-6 and report.clipped == 0
    assert abs(report.policy) < 1e-5  # the mean of centred advantages


def test_one_step_is_the_policy_gradient(played):
    """With one part and one pass the ratio is 1: the gradient is that of an advantage actor-critic, written anew."""
    net, t = played
    found, _, _ = improved(net, t, settings_of(entropy=0.03, value=0.7, max_norm=0.2))
    advantage = generalised(t.reward, t.value, t.over, t.next_value, 0.99, 0.95, t.beyond)
    target, centred = advantage + t.value, (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    weights, rest = eqx.partition(net, eqx.is_inexact_array)

    @jax.jit
    @jax.grad
    def objective(weights):
        whole, carry = eqx.combine(weights, rest), t.memory
        policy_loss = value_loss = entropy = 0.0
        for i in range(len(t.reward)):
            carry, policy, value = whole(carry, t.seen[i], t.fresh[i])
            log = jax.nn.log_softmax(policy.logits)
            taken = log[jnp.arange(4), t.action[i]]
            policy_loss -= jnp.sum(taken * centred[i])
            value_loss += 0.5 * jnp.sum((value - target[i]) ** 2)
            entropy -= jnp.sum(jnp.exp(log) * log)
        return (policy_loss + 0.7 * value_loss - 0.03 * entropy) / t.reward.size

    chain = optax.chain(optax.clip_by_global_norm(0.2), optax.adam(1e-3, eps=1e-5))
    update, _ = chain.update(objective(weights), chain.init(weights), weights)
    for a, b in zip(weights_of(found), jax.tree.leaves(optax.apply_updates(weights, update)), strict=True):
        np.testing.assert_allclose(a, b, atol=3e-5)


def test_what_has_moved_too_far_is_left_alone(played):
    """Where all probabilities have moved the right way beyond the clip, the policy gets no gradient."""
    net, t = played
    advantage = generalised(t.reward, t.value, t.over, t.next_value, 0.99, 0.95, t.beyond)
    way = 0.5 * jnp.sign(advantage - advantage.mean())
    alone = settings_of(entropy=0.0, value=0.0)
    left, _, report = improved(net, t._replace(log_prob=t.log_prob - way), alone)
    assert report.clipped == 1
    for a, b in zip(weights_of(left), weights_of(net), strict=True):
        np.testing.assert_array_equal(a, b)
    pulled, _, _ = improved(net, t._replace(log_prob=t.log_prob + way), alone)
    assert not eqx.tree_equal(pulled, net)


def test_parts_cover_everything_once(played):
    """With a rate of 0 the net stays, and the mean over parts is the mean over all."""
    net, t = played
    same, _, one = improved(net, t, settings_of(rate=0.0))
    parts = eqx.tree_at(lambda s: s.rate, ppo.Settings(passes=2, parts=4), jnp.float32(0.0))
    _, _, many = improved(net, t, parts)
    assert eqx.tree_equal(same, net)
    np.testing.assert_allclose(one.value, many.value, rtol=1e-5)
    np.testing.assert_allclose(one.entropy, many.entropy, rtol=1e-5)


def test_unequal_parts_are_refused(played):
    with pytest.raises(ValueError, match="cannot be divided into 3"):
        improved(*played, ppo.Settings(parts=3))


def test_sites_of_the_update(played):
    """A frozen layer stays as it is, all others learn; gradients can be read."""
    net, t = played

    @jax.jit
    def once():
        with el.edit(el.Ablate("update.heads.*")):
            return el.tap(
                lambda: ppo.improve(net, ppo.memory(net, ONCE), t, ONCE, jax.random.key(4))[0],
                "grad.heads.last.bias", "advantage",
            )()  # fmt: skip

    learnt, seen = once()
    assert eqx.tree_equal(learnt.heads, net.heads)
    if net.remembers:
        assert not eqx.tree_equal(learnt.cell, net.cell)
    assert seen["grad.heads.last.bias"].shape == (1, 1, 4) and seen["advantage"].shape == (8, 4)


def test_real_numbers_are_learnt_too():
    """One step towards actions that were better than expected raises their probability."""
    net = FeedForward(jax.random.key(0), 3, Continuous(2), widths=(8,))
    seen = jax.random.normal(jax.random.key(1), (10, 4, 3))
    fresh = jnp.zeros((10, 4), bool)
    say = jax.jit(lambda net: ppo.unroll(net, None, seen, fresh))
    policy, value = say(net)
    action = policy.sample(jax.random.key(2))
    reward = (action[..., 0] > 0).astype(jnp.float32)
    t = ppo.Trajectory(
        seen, fresh, action, policy.log_prob(action), value, reward, jnp.ones((10, 4), bool), jnp.zeros((10, 4)),
        jnp.zeros(4), None,
    )  # fmt: skip
    better, _, _ = improved(net, t, settings_of())
    assert (say(better)[0].mean - policy.mean)[..., 0].mean() > 0
