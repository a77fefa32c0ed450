"""Environments of gymnax as worlds, with Gymnasium's cart-pole as the oracle of its physics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergelab.errors import UserError
from emergelab.worlds.gymnax_worlds import Gymnax
from emergelab.worlds.world import Continuous, Discrete

gymnax = pytest.importorskip("gymnax")


def test_the_cart_pole_moves_as_gymnasiums():
    peer = pytest.importorskip("gymnasium").make("CartPole-v1").unwrapped
    world = Gymnax("CartPole-v1")
    step = jax.jit(lambda *args: world.step(*args))
    state = world.reset(world.level(jax.random.key(0)), jax.random.key(1))
    peer.reset(seed=0)
    peer.state = np.asarray(world.see(state), float)
    rng = np.random.default_rng(0)
    for _ in range(40):
        action = int(rng.integers(2))
        outcome = step(state, jnp.int32(action), jax.random.key(2))
        seen, reward, terminated, _, _ = peer.step(action)
        np.testing.assert_allclose(world.see(outcome.state), seen, rtol=1e-4, atol=1e-5)
        assert bool(outcome.terminated) == terminated
        if terminated:
            break
        assert outcome.reward == reward
        state = outcome.state
    assert terminated


def test_a_limit_of_time_is_a_cut_and_no_end():
    world = Gymnax("CartPole-v1", max_steps_in_episode=2)
    state = world.reset(world.level(jax.random.key(0)), jax.random.key(1))
    once = world.step(state, jnp.int32(0), jax.random.key(2))
    twice = world.step(once.state, jnp.int32(1), jax.random.key(2))
    assert not once.truncated and twice.truncated and not twice.terminated


def test_levels_are_the_environments_parameters():
    world = Gymnax("CartPole-v1", masspole=0.5)
    level = world.level(jax.random.key(0))
    assert level.masspole == 0.5
    light = world.reset(level.replace(masspole=0.01), jax.random.key(1))
    heavy = world.reset(level, jax.random.key(1))
    moved = [world.step(s, jnp.int32(1), jax.random.key(2)).state for s in (light, heavy)]
    assert not np.allclose(world.see(moved[0]), world.see(moved[1]))


def test_what_may_be_done():
    assert Gymnax("CartPole-v1").actions == Discrete(2)
    assert Gymnax("Pendulum-v1").actions == Continuous(1, -2.0, 2.0)


def test_wrong_calls():
    with pytest.raises(UserError, match=r"'CartPol-v1'.*did you mean 'CartPole-v1'"):
        Gymnax("CartPol-v1")
    with pytest.raises(UserError, match=r"'mass_pole'.*did you mean 'masspole'"):
        Gymnax("CartPole-v1", mass_pole=1.0)
    with pytest.raises(UserError, match="size is 0"):
        Discrete(0)
    with pytest.raises(UserError, match="low < high"):
        Continuous(1, 1.0, 1.0)
