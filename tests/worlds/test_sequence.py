"""Memory Sequence: its rules against a plain second version, and what is known of its others in closed form."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.worlds.sequence import (
    Level,
    MemorySequence,
    expected,
    forced,
    look,
    oracle,
    run_length,
    schedule,
)  # fmt: skip

K, LENGTH, OTHERS, TRIALS = 3, 4, 2, 3
WORLD = MemorySequence(trials=jnp.int32(TRIALS), symbols=K, length=LENGTH, others=OTHERS, slots=4)
HIDDEN = jnp.asarray([2, 0, 1, 1], jnp.int32)


def level(shown: float = 0.0, skill: float = 1.0) -> Level:
    advice = oracle(HIDDEN, jnp.full(OTHERS, skill), K)
    return Level(HIDDEN, advice, jnp.full(4, shown))


@jax.jit
def played(of: Level, actions: jax.Array, key: jax.Array):
    """States before each action, and what each led to."""

    def one(state, x):
        outcome = WORLD.step(state, *x)
        return outcome.state, (state, WORLD.see(state), outcome.reward, outcome.terminated)

    keys = jax.random.split(key, len(actions))
    return jax.lax.scan(one, WORLD.reset(of, key), (actions, keys))[1]


@settings(max_examples=30)
@given(st.lists(st.integers(0, K - 1), min_size=12, max_size=12), st.integers(0, 99))
def test_rules_against_a_plain_second_version(actions, seed):
    state, seen, reward, over = jax.tree.map(np.asarray, played(level(1.0), jnp.asarray(actions), jax.random.key(seed)))
    hidden, position, trial, last = HIDDEN.tolist(), 0, 0, None
    for t, action in enumerate(actions):
        assert (state.position[t], state.trial[t]) == (position, trial)
        # Whoever knows everything says it, and is seen.
        assert state.guesses[t].tolist() == [hidden[position]] * OTHERS
        own, ended, worth = [0.0] * K, 0.0, 0.0
        if last is not None:
            own[last[0]], ended, worth = 1.0, float(last[1]), last[2]
        other = [float(k == hidden[position]) for k in range(K)]
        assert seen[t].tolist() == [*own, ended, worth, *other * OTHERS, 1.0]
        right = action == hidden[position]
        assert reward[t] == (1.0 if right else -1.0)
        ended = not right or position == LENGTH - 1
        last = (action, ended, reward[t])
        position, trial = (0, trial + 1) if ended else (position + 1, trial)
        assert over[t] == (trial >= TRIALS)


def test_who_is_not_seen_leaves_no_trace():
    _, seen, _, _ = played(level(0.0), jnp.zeros(6, jnp.int32), jax.random.key(0))
    assert seen.shape[-1] == WORLD.inputs == K * (OTHERS + 1) + 3
    assert not np.asarray(seen)[:, K + 2 :].any()


def test_what_a_teacher_is_forced_to_see_is_what_it_would_see():
    _, seen, _, _ = played(level(0.0), HIDDEN, jax.random.key(1))
    np.testing.assert_array_equal(forced(seen[0], HIDDEN, K), seen)


def test_levels():
    world = MemorySequence(trials=jnp.int32(4), reach=jnp.float32(3.0), others=5, slots=6)
    drawn = jax.vmap(world.level)(jax.random.split(jax.random.key(0), 200))
    chance = np.asarray(jax.nn.softmax(drawn.advice))
    np.testing.assert_allclose(chance.sum(-1), 1.0, rtol=1e-5)
    right = np.take_along_axis(chance, np.asarray(drawn.hidden)[:, None, :, None], -1)[..., 0]
    assert (np.diff(right[:, :, 0], axis=1) >= -1e-6).all(), "the best come last"
    skill = (right[:, :, 0] - 1 / 3) / (2 / 3)
    u = skill / (1 - skill)
    assert u.min() > -1e-4 and u.max() < 3.0
    # The means of five uniform numbers in order.
    np.testing.assert_allclose(u.mean(0), 3.0 * np.arange(1, 6) / 6, atol=0.15)
    np.testing.assert_allclose(drawn.shown[0], [1, 2 / 3, 1 / 3, 0, 0, 0], atol=1e-6)
    assert set(np.unique(drawn.hidden)) == {0, 1, 2}


def test_schedule_of_one_trial_is_alone_after_it():
    assert np.asarray(schedule(1, 3)).tolist() == [1.0, 0.0, 0.0]
    assert np.asarray(schedule(2, 3)).tolist() == [1.0, 0.0, 0.0]


def test_expected_is_the_mean_over_all_courses_of_a_trial():
    rng = np.random.default_rng(0)
    chance = rng.dirichlet(np.ones(K), LENGTH)
    hidden = np.asarray(HIDDEN)
    mean = 0.0
    for guesses in itertools.product(range(K), repeat=LENGTH):
        p = np.prod([chance[t, g] for t, g in enumerate(guesses)])
        wrong = np.flatnonzero(np.asarray(guesses) != hidden)
        mean += p * (wrong[0] if len(wrong) else LENGTH)
    assert float(expected(jnp.log(jnp.asarray(chance)), HIDDEN)) == pytest.approx(mean, rel=1e-5)


def test_oracles_are_right_as_often_as_said():
    # Who knows each symbol with chance p = u / (1 + u) is right (u K + 1) / (K - 1) times before the first error.
    assert run_length(0.0, 3, 24) == pytest.approx(0.5, abs=1e-6)
    assert run_length(0.5, 3, 200) == pytest.approx(0.875, abs=1e-3)
    assert run_length(2.0, 3, 400) == pytest.approx(2.0, abs=1e-3)
    assert run_length(0.5, 3, 200, of_best=3) == pytest.approx((3 * 0.375 + 1) / 2, abs=1e-3)
    table = oracle(HIDDEN, jnp.asarray([0.0, 1.0]), K)
    assert float(expected(table[1], HIDDEN)) == pytest.approx(LENGTH, abs=1e-4)
    assert float(expected(table[0], HIDDEN)) == pytest.approx(sum(3.0**-t for t in range(1, LENGTH + 1)), abs=1e-4)


def test_guesses_and_sight_are_drawn_anew_in_every_step():
    chance = jnp.asarray([0.2, 0.5, 0.3])
    of = Level(HIDDEN, jnp.log(jnp.broadcast_to(chance, (OTHERS, LENGTH, K))), jnp.asarray([0.25, 0.0, 0.0, 0.0]))
    state, _, _, _ = jax.vmap(lambda k: played(of, jnp.zeros(2, jnp.int32), k))(
        jax.random.split(jax.random.key(3), 2000)
    )
    # The first guess is wrong, so a second trial begins, in which nobody is seen.
    share = np.asarray(jax.nn.one_hot(state.guesses, K)).mean((0, 1, 2))
    np.testing.assert_allclose(share, chance, atol=0.03)
    assert abs(float(state.visible[:, 0].mean()) - 0.25) < 0.05 and not state.visible[:, 1].any()


def test_look_is_see():
    state = WORLD.reset(level(1.0), jax.random.key(0))
    np.testing.assert_array_equal(WORLD.see(state), look(state, K))
