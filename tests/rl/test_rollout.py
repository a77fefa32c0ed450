"""Rollouts: what is counted, what follows the end of an episode, and what a cut is worth."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.rl.networks import ActorCritic, FeedForward, Recurrent
from emergelab.rl.policies import Categorical
from emergelab.rl.rollout import begin, evaluate, play
from emergelab.worlds.grid import Grid, model, plan, read
from emergelab.worlds.world import Continuous, Discrete, Outcome, World, never

CORRIDOR = "S..G"


def played(world, net, lanes, seed, steps, levels=None):
    """`play`, compiled once for each number of steps."""
    return _played(world, net, lanes, jax.random.key(seed), steps, levels)


_played = eqx.filter_jit(play)


@eqx.filter_jit
def begun(world, net, lanes):
    return begin(world, net, lanes, jax.random.key(0))


@eqx.filter_jit
def told_of(world, net, lanes, steps, greedy=False):
    return evaluate(world, net, jax.random.key(0), lanes=lanes, steps=steps, greedy=greedy)


class Table(ActorCritic):
    """Always says the same in the same cell; its value is the number of the cell."""

    action: jax.Array

    @property
    def remembers(self):
        return False

    def rest(self, batch):
        return None

    def __call__(self, memory, seen, fresh):
        cell = jnp.argmax(seen, -1)
        return None, Categorical(50.0 * jax.nn.one_hot(self.action[cell], 4)), cell.astype(jnp.float32)


@pytest.fixture(scope="module")
def east():
    return Table(jnp.full(4, 2))


@pytest.fixture(scope="module")
def corridor():
    return Grid(read(CORRIDOR), limit=10)


def test_episodes_follow_each_other(corridor, east):
    """Three steps to the goal, then all over again."""
    lanes = begun(corridor, east, 2)
    lanes, t = played(corridor, east, lanes, 1, 7)
    assert t.reward[:, 0].tolist() == [0, 0, 1, 0, 0, 1, 0]
    assert t.over[:, 1].tolist() == [False, False, True, False, False, True, False]
    assert t.fresh[:, 0].tolist() == [True, False, False, True, False, False, True]
    assert np.argmax(t.seen, -1)[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert t.next_value.tolist() == [1, 1] and t.beyond.sum() == 0
    assert lanes.ended.tolist() == [2, 2] and lanes.last_length.tolist() == [3, 3]
    assert lanes.last_total.tolist() == [1, 1] and lanes.length.tolist() == [1, 1]


def test_playing_on_is_one_long_play(corridor):
    """Cutting a rollout in two changes nothing but the keys, here without influence."""
    west = Table(jnp.array([2, 2, 0, 2]))
    start = begun(corridor, west, 1)
    whole, told = played(corridor, west, start, 1, 8)
    half, first = played(corridor, west, start, 2, 3)
    rest, second = played(corridor, west, half, 3, 5)
    np.testing.assert_array_equal(told.seen, jnp.concatenate([first.seen, second.seen]))
    assert eqx.tree_equal(whole.state, rest.state)


def test_what_was_cut_off_is_worth_what_was_expected(east):
    """A limit of two steps: the cell beyond is 2, and so is its value."""
    short = Grid(read(CORRIDOR), limit=2)
    _, t = played(short, east, begun(short, east, 1), 1, 4)
    assert t.over[:, 0].tolist() == [False, True, False, True]
    assert t.beyond[:, 0].tolist() == [0, 2, 0, 2]


def test_levels_may_be_proposed(east):
    """Every new episode begins on the level that the caller gives it."""
    far, near = read("S..G"), read("..SG")
    world = Grid(far)
    levels = jax.tree.map(lambda x: x[None], near)
    lanes = begun(world, east, 1)
    _, t = played(world, east, lanes, 1, 5, lambda key: levels)
    assert t.over[:, 0].tolist() == [False, False, True, True, True]


def test_the_best_plan_played_earns_what_it_promises(corridor):
    found = plan(model(corridor.map), 0.99)
    told = told_of(corridor, Table(jnp.asarray(found.action)), 5, 20, greedy=True)
    assert told.total.tolist() == [1] * 5 and told.length.tolist() == [3] * 5 and told.finished.all()


def test_what_comes_after_the_end_does_not_count(corridor, east):
    told = told_of(corridor, east, 1, 50)
    assert told.total.tolist() == [1] and told.length.tolist() == [3]
    west = told_of(corridor, Table(jnp.zeros(4, int)), 1, 4)
    assert west.total.tolist() == [0] and west.length.tolist() == [4] and not west.finished.any()


class Line(World):
    """A point on a line that goes where it is told; the reward is minus what the world was told, squared."""

    @property
    def actions(self):
        return Continuous(1, -0.5, 0.5)

    def level(self, key):
        return jnp.zeros(1)

    def reset(self, level, key):
        return level

    def step(self, state, action, key):
        return Outcome(state + action, -jnp.sum(action**2), never(), never())

    def see(self, state):
        return state


def test_the_world_is_told_what_it_allows():
    """A policy far outside the range: the world gets the bound, the learner keeps what was drawn."""
    net = FeedForward(jax.random.key(0), 1, Line().actions, widths=(4,))
    net = eqx.tree_at(lambda n: n.heads.last.bias, net, jnp.array([9.0]))
    _, t = played(Line(), net, begun(Line(), net, 3), 2, 4)
    assert (t.action > 1).all() and np.allclose(t.reward, -0.25)


def test_memory_ends_with_the_episode(corridor):
    """After an end the net sees the start as it saw it the first time."""
    net = Recurrent(jax.random.key(0), 4, Discrete(4), units=5, before=(), widths=())
    lanes = begun(corridor, net, 1)
    always_east = el.Clamp("play.action", jnp.array([2]))

    @jax.jit
    def read_h(lanes):
        with el.edit(always_east):
            return el.tap(lambda s: play(corridor, net, s, jax.random.key(2), 6), "play.h")(lanes)

    (_, t), seen = read_h(lanes)
    h = np.asarray(seen["play.h"])[:, 0]
    assert t.fresh[:, 0].tolist() == [True, False, False, True, False, False]
    np.testing.assert_array_equal(h[:3], h[3:6])
    assert not np.allclose(h[0], h[1])


def test_a_clamped_reward_is_what_the_learner_gets(corridor, east):
    lanes = begun(corridor, east, 2)
    with el.edit(el.Clamp("play.reward", jnp.array([7.0, 8.0]))):
        _, t = played(corridor, east, lanes, 1, 3)
    assert t.reward.tolist() == [[7, 8]] * 3
