"""Level replay, domain randomisation, the expert's window and chance: hand-worked cases and laws."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.teachers import Adr, Oracle, Plr, Uniform, draws_of
from emergelab.teachers.plr import replay_chances

KEY = jax.random.key(0)
chances = jax.jit(replay_chances)
propose = jax.jit(lambda teacher, state, draws: jax.vmap(lambda d: teacher.propose(state, d))(draws))


# -- prioritised level replay ---------------------------------------------------------------------------------------


def test_replay_by_rank_and_age_by_hand() -> None:
    score, age = jnp.array([3.0, 1.0, 2.0, 9.0]), jnp.array([0.0, 1.0, 3.0, 50.0])
    filled = jnp.array([True, True, True, False])
    # Ranks 1, 3, 2: weights 1, 1/3, 1/2, in elevenths 6, 2, 3. Ages in quarters 0, 1, 3. The fourth is no level.
    np.testing.assert_allclose(chances(score, age, filled, 1.0, 0.0), [6 / 11, 2 / 11, 3 / 11, 0], atol=1e-6)
    np.testing.assert_allclose(chances(score, age, filled, 1.0, 1.0), [0, 1 / 4, 3 / 4, 0], atol=1e-6)
    wanted = 0.7 * np.array([6, 2, 3, 0]) / 11 + 0.3 * np.array([0, 1, 3, 0]) / 4
    np.testing.assert_allclose(chances(score, age, filled, 1.0, 0.3), wanted, atol=1e-6)
    # Temperature 1/2 squares the weights: 36, 4, 9 of 49.
    np.testing.assert_allclose(chances(score, age, filled, 0.5, 0.0), np.array([36, 4, 9, 0]) / 49, atol=1e-6)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=6, max_size=6), st.integers(1, 6), st.floats(0, 1))
def test_replay_is_a_distribution_that_follows_the_scores(scores: list[int], number: int, staleness: float) -> None:
    filled, age = jnp.arange(6) < number, jnp.arange(6.0)
    found = np.asarray(chances(jnp.array(scores, jnp.float32), age, filled, 0.3, staleness))
    assert found.sum() == pytest.approx(1.0, abs=1e-5) and (found[number:] == 0).all()
    by_rank = np.asarray(chances(jnp.array(scores, jnp.float32), age, filled, 0.3, 0.0))[:number]
    order = np.argsort(-np.array(scores[:number], np.float32), kind="stable")
    assert (np.diff(by_rank[order]) <= 1e-7).all()


@pytest.fixture(scope="module")
def levels() -> Any:
    teacher = Plr(1, 3, levels=3)
    observe = jax.jit(lambda t, s, x, y: t.observe(s, x, y, KEY))
    return teacher, lambda t, s, x, y: observe(t, s, jnp.array(x, jnp.float32)[:, None], jnp.array(y, jnp.float32))


def test_levels_are_kept_by_score(levels: Any) -> None:
    teacher, observe = levels
    state = observe(teacher, teacher.start(), [0.1, 0.2, 0.3], [0.5, 0.2, 0.4])
    np.testing.assert_allclose(state.score, [0.5, 0.2, 0.4], atol=1e-6)
    # The third comes again and has changed by 0.1, which makes it the worst; a better one takes its place; a worse one
    # is refused.
    state = observe(teacher, state, [0.3, 0.9, 0.05], [0.5, 0.8, 0.05])
    np.testing.assert_allclose(state.tasks[:, 0], [0.1, 0.2, 0.9], atol=1e-6)
    np.testing.assert_allclose(state.score, [0.5, 0.2, 0.8], atol=1e-6)
    np.testing.assert_array_equal(state.last, [1, 2, 5])
    np.testing.assert_allclose(state.value, [0.5, 0.2, 0.8], atol=1e-6)
    regret = Plr(1, 3, levels=3, regret=1)
    state = observe(regret, regret.start(), [0.1, 0.1, 0.1], [0.5, 0.9, 0.3])
    assert float(state.score[0]) == pytest.approx(0.6, abs=1e-6) and int(state.filled.sum()) == 1


def test_old_and_new_tasks_in_the_right_shares(levels: Any) -> None:
    teacher, observe = levels
    state = observe(teacher, teacher.start(), [0.1, 0.2, 0.3], [0.5, 0.2, 0.4])
    draws = draws_of(KEY, 4000, 1)
    tasks = np.asarray(propose(teacher, state, draws))[:, 0]
    known = np.asarray(state.tasks)[:, 0]
    share = np.array([(tasks == k).mean() for k in known])
    np.testing.assert_allclose(share, 0.8 * np.asarray(teacher.chances(state)), atol=0.03)
    np.testing.assert_array_equal(propose(teacher, teacher.start(), draws), draws.place)


# -- domain randomisation -------------------------------------------------------------------------------------------


@jax.jit
def randomised(teacher: Adr, good: Any, rounds: Any) -> Any:
    def one(r: Any, state: Any) -> Any:
        tasks = jax.vmap(lambda d: teacher.propose(state, d))(draws_of(jax.random.fold_in(KEY, r), 10, 2))
        return teacher.observe(state, tasks, jnp.where(good, 1.0, 0.5) * jnp.ones(10), KEY)

    return jax.lax.fori_loop(0, rounds, one, teacher.start())


def test_the_box_grows_only_where_its_border_is_mastered() -> None:
    teacher = Adr(2, 10, jnp.array([0.0, 0.5]), step=0.1)
    still = randomised(teacher, False, 100)
    np.testing.assert_allclose(still.bounds, [[0, 0.5], [0, 0.5]])
    grown = randomised(teacher, True, 100)
    np.testing.assert_allclose(grown.bounds, [[0, 0], [1, 1]], atol=1e-6)  # the whole cube, and no further
    # By hand: at first all borders are one, so ten perfect tasks move all of them by a step.
    first = randomised(teacher, True, 1)
    np.testing.assert_allclose(first.bounds, [[0, 0.4], [0.1, 0.6]], atol=1e-6)
    np.testing.assert_array_equal(first.count, 0)


def test_half_of_the_tasks_lie_on_a_free_border() -> None:
    teacher = Adr(2, 10, jnp.zeros(2))
    state = teacher.start()
    state = type(state)(jnp.array([[0.0, 0.2], [0.4, 1.0]]), state.recent, state.count)
    tasks = np.asarray(propose(teacher, state, draws_of(KEY, 4000, 2)))
    assert abs((tasks[:, 0] == np.float32(0.4)).mean() - 0.25) < 0.03  # the only end of dimension 1 that may move
    assert abs((tasks[:, 1] == np.float32(0.2)).mean() - 0.25) < 0.03
    assert (tasks[:, 0] != 0).all() and (tasks[:, 1] != 1).all()
    assert (tasks >= np.float32([0, 0.2])).all() and (tasks <= np.float32([0.4, 1.0])).all()


# -- the expert's window, and chance --------------------------------------------------------------------------------


def test_the_window_moves_after_fifty_good_tasks() -> None:
    teacher = Oracle(2, 10, jnp.zeros(2), jnp.array([0.25, 1.0]), jnp.array([0.5, 0.5]), patience=50)
    observe = jax.jit(lambda s, y: teacher.observe(s, jnp.zeros((10, 2)), y, KEY))
    state = teacher.start()
    for _ in range(5):
        assert float(state.low[0]) == 0.0
        state = observe(state, jnp.full(10, 0.8))
    np.testing.assert_allclose(state.low, [0.5, 0.0])  # the second side is the whole range
    for _ in range(12):
        state = observe(state, jnp.full(10, 0.7))
    np.testing.assert_allclose(state.low, [0.5, 0.0])
    for _ in range(20):
        state = observe(state, jnp.full(10, 1.0))
    np.testing.assert_allclose(state.low, [0.75, 0.0])  # at the end of the range
    tasks = np.asarray(propose(teacher, state, draws_of(KEY, 4000, 2)))
    assert tasks[:, 0].min() >= 0.75 and tasks.max() <= 1.0


def test_chance_is_uniform_and_learns_nothing() -> None:
    teacher = Uniform(3, 5)
    draws = draws_of(KEY, 3000, 3)
    tasks = np.asarray(propose(teacher, teacher.start(), draws))
    np.testing.assert_array_equal(tasks, draws.place)
    np.testing.assert_allclose(np.histogram(tasks, bins=4, range=(0, 1))[0] / tasks.size, 0.25, atol=0.02)
    assert teacher.observe(teacher.start(), draws.place[:5], jnp.zeros(5), KEY).shape == (0,)


def test_wrong_settings_are_named() -> None:
    for make, message in (
        (lambda: Plr(2, levels=0), "Plr: levels must be a whole number >= 1, got 0"),
        (lambda: Adr(0, 10, jnp.zeros(0)), "Adr: dims"),
        (lambda: Oracle(1, 10, jnp.zeros(1), jnp.ones(1), jnp.ones(1), patience=0), "Oracle: patience"),
        (lambda: Uniform(2, 0), "Uniform: pace"),
    ):
        with pytest.raises(el.UserError, match=message):
            make()
