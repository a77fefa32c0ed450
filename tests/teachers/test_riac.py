"""RIAC: a tree that splits where progress is planted; its laws."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.teachers import Riac, draws_of

TEACHER = Riac(2, pace=10, regions=12, size=40, window=40, attempts=200, least=5)

propose = jax.jit(lambda teacher, state, draws: jax.vmap(lambda d: teacher.propose(state, d))(draws))
observe = jax.jit(lambda teacher, state, tasks, outcomes, key: teacher.observe(state, tasks, outcomes, key))
draw = jax.jit(lambda key: draws_of(key, 10, 2))


def taught(seed: int, edge: float, rounds: int) -> Any:
    """After so many rounds in which returns rise with time where the first coordinate is below the edge."""
    state = TEACHER.start()
    for r in range(rounds):
        key = jax.random.key(1000 * seed + r)
        tasks = propose(TEACHER, state, draw(key))
        time = jnp.arange(10 * r, 10 * r + 10) / 1000
        state = observe(TEACHER, state, tasks, jnp.where(tasks[:, 0] < edge, time, 0.5), key)
    return state


def leaves(state: Any) -> list[int]:
    return np.flatnonzero(np.asarray(state.used)).tolist()


@pytest.fixture(scope="module")
def grown() -> list[Any]:
    return [jax.tree.map(np.asarray, taught(s, 0.3, 60)) for s in range(3)]


def test_the_tree_splits_where_progress_is_planted(grown: list[Any]) -> None:
    for state in grown:
        cuts = [c for r in leaves(state) for c in (state.low[r, 0], state.high[r, 0]) if 0 < c < 1]
        assert min(abs(c - 0.3) for c in cuts) < 0.1
        best = max(leaves(state), key=lambda r: state.progress[r])
        assert state.low[best, 0] < 0.3
        idle = [state.progress[r] for r in leaves(state) if state.low[r, 0] >= 0.3]
        assert max(idle) == 0.0


def test_tasks_go_there(grown: list[Any]) -> None:
    state = jax.tree.map(jnp.asarray, grown[0])
    tasks = np.concatenate([propose(TEACHER, state, draw(jax.random.key(k))) for k in range(200)])
    assert (tasks[:, 0] < 0.4).mean() > 0.7 and tasks.min() >= 0 and tasks.max() <= 1


def test_regions_tile_the_space_and_hold_their_tasks(grown: list[Any]) -> None:
    for state in grown:
        sides = state.high - state.low
        assert np.prod(sides[leaves(state)], axis=1).sum() == pytest.approx(1.0, abs=1e-5)
        assert (sides[leaves(state)] >= 1 / 15 - 1e-6).all()
        for r in leaves(state):
            own = state.tasks[r, : state.count[r]]
            assert 0 <= state.count[r] <= TEACHER.size
            assert (own >= state.low[r]).all() and (own <= state.high[r]).all()
        assert (state.count[~state.used] == 0).all()


def test_progress_of_a_region_is_that_of_its_tasks(grown: list[Any]) -> None:
    state = grown[1]
    for r in leaves(state):
        returns = state.outcomes[r, : state.count[r]].astype(float)[-TEACHER.window :]
        half = len(returns) // 2
        wanted = abs(returns[-half:].mean() - returns[:-half].mean()) if len(returns) > 2 else 0.0
        assert state.progress[r] == pytest.approx(wanted, abs=1e-5)


@settings(max_examples=25)
@given(st.lists(st.booleans(), min_size=50, max_size=50), st.integers(0, 1000))
def test_progress_over_chosen_tasks(chosen: list[bool], seed: int) -> None:
    returns = np.random.default_rng(seed).random(50).astype(np.float32)
    own = returns[np.array(chosen)][-TEACHER.window :]
    half = len(own) // 2
    wanted = abs(own[-half:].mean() - own[:-half].mean()) if len(own) > 2 else 0.0
    assert float(_progress(returns, np.array(chosen))) == pytest.approx(wanted, abs=1e-5)


_progress = jax.jit(TEACHER.progress)


def test_a_cut_counts_points_unless_told_otherwise() -> None:
    # Few tasks make much progress, many make some: alone, the few win; with their numbers, an even cut does.
    x = np.concatenate([np.linspace(0.0, 0.09, 6), np.linspace(0.15, 1.0, 44)]).astype(np.float32)
    y = np.where(x < 0.1, np.arange(50) % 6 / 6, np.where(x < 0.55, np.linspace(0, 1.6, 50), 0.5)).astype(np.float32)
    tasks = np.stack([x, np.full(50, 0.5, np.float32)], axis=1)

    def worth(cut: float, legacy: int) -> tuple[int, float]:
        left = x < cut
        sides = [side[-40:] for side in (y[left], y[~left])]
        if min(len(side) for side in sides) < 5:
            return int(left.sum()), 0.0
        gains = [abs(s[-(len(s) // 2) :].mean() - s[: -(len(s) // 2)].mean()) for s in sides]
        return int(left.sum()), abs(gains[0] - gains[1]) * (4 if legacy else left.sum() * (~left).sum())

    found = []
    for legacy in (0, 1):
        teacher = Riac(
            2, pace=10, regions=12, size=40, window=40, attempts=200, least=5, narrowest=0.0, legacy_score=legacy
        )
        state = teacher.start()
        for r in range(5):
            rows = slice(10 * r, 10 * r + 10)
            state = observe(teacher, state, jnp.asarray(tasks[rows]), jnp.asarray(y[rows]), jax.random.key(0))
        number, value = worth(float(state.high[0, 0]), legacy)
        # Cuts are drawn at random, so the best of those drawn may be a neighbour of the best there is.
        assert value > 0.9 * max(worth(c, legacy)[1] for c in np.unique(x)[1:])
        found.append(number)
    assert found[1] < 10 < found[0]


def test_where_nothing_differs_the_oldest_are_forgotten() -> None:
    full, fuller = (taught(0, -1.0, rounds) for rounds in (4, 5))
    assert int(fuller.used.sum()) == 1 and int(full.count[0]) == int(fuller.count[0]) == 40
    np.testing.assert_array_equal(fuller.tasks[0, :30], full.tasks[0, 10:40])  # without its oldest quarter


def test_wrong_settings_are_named() -> None:
    with pytest.raises(el.UserError, match="Riac: size must be a whole number >= 4, got 3"):
        Riac(2, size=3)
