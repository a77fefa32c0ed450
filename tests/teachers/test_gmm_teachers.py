"""ALP-GMM and Covar-GMM on planted maps of competence, and learning progress against a plain loop."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.teachers import AlpGmm, CovarGmm, Mixture, draws_of, pick
from emergelab.teachers.alp_gmm import Fitted, Past, drawn

PACE, MEMORY = 100, 4
ALP = AlpGmm(2, PACE, MEMORY, (2, 4), 6, random=0.1)
SIGNED = AlpGmm(2, PACE, MEMORY, (2, 4), 6, random=0.1, absolute=0.0)
COVAR = CovarGmm(2, PACE, (2, 4), 6, random=0.1)

GRID = np.random.default_rng(3).permutation(
    np.stack(np.meshgrid(np.linspace(0.05, 0.95, 10), np.linspace(0.05, 0.95, 10)), axis=-1).reshape(-1, 2)
)
QUARTER = ((GRID[:, 0] > 0.5) * 2 + (GRID[:, 1] > 0.5)).astype(int)

observe = jax.jit(lambda teacher, state, outcomes, key: teacher.observe(state, jnp.asarray(GRID), outcomes, key))
propose = jax.jit(lambda teacher, state, draws: jax.vmap(lambda d: teacher.propose(state, d))(draws))


def rounds_of(teacher: Any, slopes: list[float], rounds: int) -> Any:
    """The same hundred tasks in every round; returns of a quarter of the square rise by so much a round."""
    state = teacher.start()
    for r in range(rounds):
        outcomes = 0.5 + np.array(slopes)[QUARTER] * (r + np.arange(PACE) / PACE)
        state = observe(teacher, state, jnp.asarray(outcomes, jnp.float32), jax.random.key(r))
        yield state


def taught(teacher: Any, slopes: list[float]) -> np.ndarray:
    """Share of the tasks that are set in each quarter after three rounds."""
    *_, state = rounds_of(teacher, slopes, 3)
    x = np.asarray(propose(teacher, state, draws_of(jax.random.key(9), 1000, 2)))
    return np.bincount(((x[:, 0] > 0.5) * 2 + (x[:, 1] > 0.5)).astype(int), minlength=4) / 1000


progress = jax.jit(lambda teacher, past, tasks, outcomes: teacher.progress(past, tasks, outcomes))


def test_progress_is_the_distance_to_the_nearest_earlier_return() -> None:
    rng = np.random.default_rng(0)
    absolute, signed = AlpGmm(2, 20, 3), AlpGmm(2, 20, 3, absolute=0.0)
    past = absolute.start().past
    assert isinstance(past, Past)
    tasks, outcomes = rng.random((5, 20, 2)).astype(np.float32), rng.random((5, 20)).astype(np.float32)
    tasks[3, 4] = tasks[2, 7] = tasks[0, 9]  # the latest of equally near ones counts
    all_tasks, all_outcomes = tasks.reshape(-1, 2), outcomes.reshape(-1)
    for r in range(5):
        found, with_sign = (np.asarray(progress(t, past, tasks[r], outcomes[r])) for t in (absolute, signed))
        for i in range(20):
            now, first = 20 * r + i, max(0, 20 * (r - 3))
            wanted = 0.0  # of the first six tasks nothing is told
            if now >= 6:
                far = ((all_tasks[first:now] - tasks[r, i]) ** 2).sum(axis=1)
                nearest = first + np.flatnonzero(far == far.min())[-1]
                wanted = float(outcomes[r, i] - all_outcomes[nearest])
            assert with_sign[i] == pytest.approx(wanted, abs=1e-6) and found[i] == abs(with_sign[i])
        slot = r % 3  # a ring of three rounds
        past = Past(past.tasks.at[slot].set(tasks[r]), past.outcomes.at[slot].set(outcomes[r]), past.rounds + 1)


@pytest.mark.parametrize(
    "name, teacher, found, slope",
    [
        ("absolute", ALP, True, 0.15),
        ("absolute, forgetting", ALP, True, -0.15),
        ("signed", SIGNED, True, 0.15),
        ("signed, forgetting", SIGNED, False, -0.15),
        ("covariance", COVAR, True, 0.15),
        ("covariance, forgetting", COVAR, False, -0.15),
    ],
)
def test_tasks_go_where_progress_is_planted(name: str, teacher: Any, found: bool, slope: float) -> None:
    share = taught(teacher, [0.0, 0.0, slope, 0.0])
    # A quarter of the space makes progress: three quarters of the tasks at least go there, or no more than chance.
    assert share[2] > 0.7 if found else share[2] < 0.5, (name, share)


def test_without_progress_tasks_stay_everywhere() -> None:
    share = taught(ALP, [0.0] * 4)
    assert share.min() > 0.08


def test_a_task_is_drawn_from_a_gaussian_by_its_utility() -> None:
    mean = jnp.array([[0.2, 0.3, 0.9], [0.8, 0.6, 0.1], [0.5, 0.5, 0.5]])
    covariance = np.array([[0.004, 0.002, 0.001], [0.002, 0.002, 0.0], [0.001, 0.0, 0.01]])
    factor = jnp.broadcast_to(jnp.asarray(np.linalg.cholesky(covariance), jnp.float32), (3, 3, 3))
    mixture = Mixture(jnp.array([0.5, 0.5, 0.0]), mean, factor)
    many = draws_of(jax.random.key(0), 4000, 2)

    @jax.jit
    def draw(mixture: Mixture, utility: Any, random: Any) -> Any:
        return jax.vmap(lambda d: drawn(mixture, utility, random, d, 2))(many)

    def sampled(utility: list[float], random: float = 0.0) -> np.ndarray:
        return np.asarray(draw(mixture, jnp.array(utility), random))

    one = sampled([0.3, 0.0, 0.0])
    np.testing.assert_allclose(one.mean(axis=0), [0.2, 0.3], atol=4e-3)
    np.testing.assert_allclose(np.cov(one.T), covariance[:2, :2], atol=4e-4)
    assert abs((sampled([0.3, 0.1, 0.0])[:, 0] < 0.5).mean() - 0.75) < 0.03
    assert abs((sampled([0.0, 0.0, 0.0])[:, 0] < 0.5).mean() - 0.5) < 0.03  # no utility: all that are used
    chance = sampled([0.3, 0.0, 0.0], random=1.0)
    assert abs(chance.mean() - 0.5) < 0.02 and chance.min() >= 0 and chance.max() <= 1
    empty = Mixture.empty(3, 3)
    np.testing.assert_array_equal(draw(empty, jnp.zeros(3), 0.0), many.place)


def test_options_are_picked_in_proportion() -> None:
    chances = jnp.linspace(0, 1, 1001)[:-1]
    picked = np.asarray(jax.vmap(lambda u: pick(jnp.array([0.0, 2.0, 0.0, 1.0, 1.0, 0.0]), u))(chances))
    np.testing.assert_allclose(np.bincount(picked, minlength=6), [0, 500, 0, 250, 250, 0], atol=1)


def test_frozen_gaussians_stay() -> None:
    teacher = AlpGmm(2, PACE, MEMORY, (2, 4), 6, random=0.1, until=2)
    states = list(rounds_of(teacher, [0.0, 0.1, 0.0, 0.0], 4))
    kept = [np.asarray(state.mixture.mean) for state in states]
    assert (kept[0] != kept[1]).any()
    np.testing.assert_array_equal(kept[1], kept[2])
    np.testing.assert_array_equal(kept[1], kept[3])
    assert isinstance(states[-1], Fitted) and int(states[-1].past.rounds) == 4


def test_wrong_settings_are_named() -> None:
    for wrong, message in (
        ({"dims": 0}, "AlpGmm: dims must be a whole number >= 1, got 0"),
        ({"pace": 0}, "pace must be"),
        ({"numbers": ()}, "numbers must be"),
    ):
        with pytest.raises(el.UserError, match=message):
            AlpGmm(**({"dims": 2} | wrong))
    with pytest.raises(el.UserError, match="CovarGmm: pace"):
        CovarGmm(2, 0)
