"""Soft actor-critic: densities against numpy and scipy, targets by hand, the temperature, a known optimum."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from emergelab import tap
from emergelab.rl.sac import (
    Batch,
    Settings,
    Squashed,
    agent,
    draw,
    empty,
    improve,
    judged,
    put,
    targets,
)  # fmt: skip

KEY = jax.random.key(0)


def oracle(action, mean, std):
    """Log-density of tanh of a normal number, by the change of variables."""
    u = np.arctanh(action)
    return np.sum(scipy.stats.norm(mean, std).logpdf(u) - np.log(1 - action**2), -1)


def test_density_of_squashed_numbers():
    rng = np.random.default_rng(0)
    mean, log_std = rng.normal(size=(50, 3)), rng.uniform(-1.5, 0.5, (50, 3))
    policy = Squashed(jnp.asarray(mean, jnp.float32), jnp.asarray(log_std, jnp.float32))
    action, density = policy.drawn(KEY)
    exact = np.asarray(action, np.float64)
    assert (np.abs(exact) < 1).all()
    # An action near 1 has lost digits of what it was before tanh: the oracle is asked for the others.
    near = (np.abs(exact) < 0.99).all(-1)
    assert near.sum() > 10
    np.testing.assert_allclose(density[near], oracle(exact, mean, np.exp(log_std))[near], rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(policy.log_prob(action)[near], density[near], rtol=2e-3, atol=2e-3)
    assert (policy.sample(KEY) == action).all() and np.isfinite(np.asarray(policy.log_prob(jnp.ones((50, 3))))).all()
    np.testing.assert_allclose(policy.mode(), np.tanh(mean), rtol=1e-5)
    one = Squashed(jnp.array([0.4]), jnp.array([-0.3]))
    grid = jnp.linspace(-0.9999, 0.9999, 20001)
    mass = scipy.integrate.trapezoid(np.exp(jax.vmap(one.log_prob)(grid[:, None])), grid)
    assert mass == pytest.approx(1.0, abs=1e-3)


@pytest.fixture(scope="module")
def learner():
    """An agent with four numbers to see and two actions, and a batch of six."""
    rng = np.random.default_rng(1)
    one = jax.jit(lambda key: agent(key, 4, 2, widths=(8,), alpha=0.5))(KEY)
    rows = [rng.normal(size=(6, n)).astype(np.float32) for n in (4, 2, 1, 4)]
    batch = Batch(
        jnp.asarray(rows[0]), jnp.tanh(jnp.asarray(rows[1])), jnp.asarray(rows[2][:, 0]), jnp.asarray(rows[3]),
        jnp.array([0.0, 0.0, 1.0, 0.0, 0.0, 1.0]),
    )  # fmt: skip
    return one, batch


def by_hand(critic, seen, action, which):
    """A critic of one hidden layer, in numpy."""
    take = lambda x: np.asarray(x, np.float64)[which]  # noqa: E731
    layer, last = critic.body.layers
    h = np.maximum(np.concatenate([seen, action], -1) @ take(layer.weight).T + take(layer.bias), 0)
    return (h @ take(last.weight).T + take(last.bias))[:, 0]


def test_targets_by_hand(learner):
    one, batch = learner
    action, density = one.nets.actor(batch.after).drawn(KEY)
    after, action, density = (np.asarray(x, np.float64) for x in (batch.after, action, density))
    value = np.minimum(*(by_hand(one.slow, after, action, k) for k in (0, 1))) - 0.5 * density
    expected = np.asarray(batch.reward) + 0.9 * np.array([1, 1, 0, 1, 1, 0]) * value
    np.testing.assert_allclose(targets(one, batch, Settings(discount=0.9), KEY), expected, rtol=1e-4, atol=1e-5)
    both = judged(one.nets.critics, batch.seen, batch.action)
    assert both.shape == (2, 6) and not np.allclose(both[0], both[1])


@pytest.fixture(scope="module")
def stepped(learner):
    """What one gradient step does, compiled once, with everything that its sites hold."""
    one, batch = learner
    arrays, rest = eqx.partition(one, eqx.is_array)

    @jax.jit
    def step(arrays, settings):
        def work(arrays):
            after, report = improve(eqx.combine(arrays, rest), batch, settings, KEY)
            return eqx.filter(after, eqx.is_array), report

        return tap(work)(arrays)

    def call(**settings):
        given = Settings(**{k: jnp.float32(v) for k, v in settings.items()})
        (after, report), sites = step(arrays, given)
        return eqx.combine(after, rest), report, sites

    return call


def test_the_temperature_rises_while_entropy_is_missing(learner, stepped):
    before = float(learner[0].nets.log_alpha)
    common = {"rate": 0.01, "discount": 0.9, "follow": 0.1}
    more, report, _ = stepped(entropy=50.0, **common)
    less, _, _ = stepped(entropy=-50.0, **common)
    assert float(more.nets.log_alpha) == pytest.approx(before + 0.01, rel=1e-3)
    assert float(less.nets.log_alpha) == pytest.approx(before - 0.01, rel=1e-3)
    assert float(report.alpha) == pytest.approx(0.5)


def test_slow_critics_follow_and_everything_is_a_site(learner, stepped):
    one, _ = learner
    after, report, sites = stepped(rate=0.01, discount=0.9, follow=0.25, entropy=0.0)
    old, new, now = (np.asarray(a.body.layers[-1].weight) for a in (one.slow, after.slow, after.nets.critics))
    np.testing.assert_allclose(new, old + 0.25 * (now - old), rtol=1e-5)
    assert {"target", "q", "mean", "log_std", "alpha", "rate", "grad.log_alpha"} <= sites.keys()
    assert sites["update.actor.body.layers.1.weight"].shape == (4, 8) and sites[
        "grad.critics.body.layers.1.weight"
    ].shape == (2, 1, 8)
    error = np.asarray(sites["q"]) - np.asarray(sites["target"])
    assert float(report.critic) == pytest.approx(0.5 * np.sum(np.mean(error**2, -1)), rel=1e-5)
    # The critics' gradient is that of their own error: by hand for the last layer's bias.
    np.testing.assert_allclose(sites["grad.critics.body.layers.1.bias"][:, 0], error.mean(-1), rtol=1e-4, atol=1e-6)


def test_the_replay_forgets_the_oldest():
    replay = empty({"a": jnp.float32(0), "b": jnp.zeros(2)}, 5)
    some = jax.jit(lambda replay: draw(replay, KEY, 200))
    assert (some(replay)["a"] == 0).all()

    def rows(*values):
        a = np.asarray(values, np.float32)
        return {"a": jnp.asarray(a), "b": jnp.asarray(np.stack([a, -a], -1))}

    fill = jax.jit(put)
    replay = fill(replay, rows(1, 2, 3))
    assert set(np.asarray(some(replay)["a"]).tolist()) == {1.0, 2.0, 3.0}
    replay = fill(replay, rows(4, 5, 6, 7))
    assert replay.kept["a"].tolist() == [6.0, 7.0, 3.0, 4.0, 5.0] and int(replay.filled) == 5 and int(replay.next) == 2
    got = some(replay)
    assert set(np.asarray(got["a"]).tolist()) == {3.0, 4.0, 5.0, 6.0, 7.0}
    assert (np.asarray(got["b"]) == np.stack([got["a"], -got["a"]], -1)).all()
    with pytest.raises(ValueError, match="6 rows do not fit"):
        put(replay, rows(*range(6)))


def test_a_bandit_with_a_known_optimum():
    """Reward -(a - w s)^2 for one action a after seeing s: the best mean action is w s, the critic's value known."""
    aim = 0.6

    def one(arrays, key):
        of_seen, of_action, of_step = jax.random.split(key, 3)
        seen = jax.random.uniform(of_seen, (64, 1), minval=-1, maxval=1)
        action = jax.random.uniform(of_action, (64, 1), minval=-1, maxval=1)
        reward = -((action - aim * seen)[:, 0] ** 2)
        batch = Batch(seen, action, reward, seen, jnp.ones(64))
        after, report = improve(eqx.combine(arrays, rest), batch, Settings(rate=3e-3, entropy=-1.0), of_step)
        return eqx.filter(after, eqx.is_array), report.entropy

    first = jax.jit(lambda key: agent(key, 1, 1, widths=(32, 32)))(KEY)
    arrays, rest = eqx.partition(first, eqx.is_array)
    arrays, reports = jax.jit(lambda c, k: jax.lax.scan(one, c, k))(arrays, jax.random.split(KEY, 1000))
    found = eqx.combine(arrays, rest)
    seen = jnp.linspace(-0.9, 0.9, 7)[:, None]
    np.testing.assert_allclose(found.nets.actor(seen).mode(), aim * seen, atol=0.08)
    q = judged(found.nets.critics, seen, jnp.zeros((7, 1))).mean(0)
    np.testing.assert_allclose(q, -((aim * seen[:, 0]) ** 2), atol=0.05)
    assert float(reports[-100:].mean()) == pytest.approx(-1.0, abs=0.3)
