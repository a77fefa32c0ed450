"""AGAIN: elders' curricula, who is matched with whom, and when the next stage comes, by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergelab.teachers import Mixture, again, draws_of
from emergelab.teachers.alp_gmm import Fitted


def gaussians(*centres: float) -> Mixture:
    """A mixture of narrow Gaussians over (task, progress) of one dimension."""
    mean = jnp.stack([jnp.array(centres), jnp.zeros(len(centres))], axis=1)
    factor = jnp.broadcast_to(1e-3 * jnp.eye(2), (len(centres), 2, 2))
    return Mixture(jnp.full(len(centres), 1 / len(centres)), mean, factor)


STAGES = jax.tree.map(lambda *x: jnp.stack(x), *(gaussians(a, a + 0.05) for a in (0.1, 0.2, 0.3, 0.4)))
UTILITY = jnp.array([[0.1, 0.3], [0.1, 0.2], [0.5, 0.4], [0.3, 0.1]])
BARS = jnp.array([0.2, 0.3, 0.4, 0.5])
OWN = Fitted(gaussians(0.8, 0.9), jnp.array([0.6, 0.2]))


def curriculum(floor: float = 0.25) -> again.Curriculum:
    return again.distilled(STAGES, UTILITY, BARS, floor)


def test_gaussians_of_little_progress_are_left_out_and_stages_without_any_go_last() -> None:
    found = curriculum()
    assert int(found.stages) == 3
    np.testing.assert_allclose(found.utility, [[0, 0.3], [0.5, 0.4], [0.3, 0], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(found.bar[:3], [0.2, 0.4, 0.5], atol=1e-6)
    np.testing.assert_allclose(found.mixture.mean[:3, 0, 0], [0.1, 0.3, 0.4], atol=1e-6)
    turned = again.backwards(found)
    np.testing.assert_allclose(turned.bar[:3], [0.5, 0.4, 0.2], atol=1e-6)
    np.testing.assert_allclose(turned.mixture.mean[:3, 0, 0], [0.4, 0.3, 0.1], atol=1e-6)
    assert int(turned.stages) == 3 and int(again.distilled(STAGES, UTILITY, BARS, 0.9).stages) == 0


def test_the_bar_is_the_mean_of_the_last_tasks_that_count() -> None:
    returns, counts = jnp.arange(10.0), jnp.array([True, False] * 5)
    assert float(again.bar(returns, counts, 3)) == 6.0  # 4, 6 and 8
    assert float(again.bar(returns, counts, 50)) == 4.0
    assert float(again.bar(returns, counts & False, 50)) == 0.0


def test_the_best_of_the_nearest_elders_is_followed() -> None:
    elders = jnp.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [5.0, 5.0]])
    scores = jnp.array([0.3, 0.5, 0.4, 0.9])
    me = jnp.array([0.9, 0.6])
    for k, wanted in ((1, 2), (2, 1), (3, 1), (4, 3), (9, 3)):
        assert int(again.elder_by_knowledge(me, elders, scores, k)) == wanted
    bodies = jnp.array([1, 0, 1, 2])
    for body, wanted in ((1, 2), (0, 1), (2, 3), (7, 0)):
        assert int(again.elder_by_body(jnp.int32(body), bodies, scores, jnp.int32(0))) == wanted


def after(place: again.Place, outcomes: list[float], how: int, elders: list[bool] | None = None) -> again.Place:
    mine = jnp.array(elders if elders is not None else [True] * len(outcomes))
    return again.follow(place, curriculum(), jnp.array(outcomes), mine, jnp.int32(how), 4)


def test_stages_by_return_by_time_and_pooled() -> None:
    start = again.begin(2)
    # The first bar is 0.2: the mean of the last two returns must reach it.
    place = after(start, [0.1, 0.1, 0.3, 0.0], again.BY_RETURN)
    assert int(place.stage) == 1 and int(place.since) == 1
    assert int(after(start, [0.1, 0.2, 0.1, 0.2], again.BY_RETURN).stage) == 0
    assert int(after(start, [0.9, 0.9, 0.9, 0.9], again.BY_RETURN, [True, False, False, False]).stage) == 0
    # Two good returns a stage; after the third stage it is over.
    place = after(start, [0.9] * 4, again.BY_RETURN)
    assert int(place.stage) == 2 and not bool(place.over)
    place = after(place, [0.9] * 2, again.BY_RETURN)
    assert bool(place.over) and int(place.stage) == 2
    assert bool(after(place, [0.0] * 4, again.BY_RETURN).over)
    # By time: a stage is four episodes long, whatever comes out.
    place = after(start, [0.0] * 4, again.BY_TIME)
    assert int(place.stage) == 1
    assert bool(after(after(place, [0.0] * 4, again.BY_TIME), [0.0] * 4, again.BY_TIME).over)
    place = after(start, [0.9] * 4, again.POOLED)
    assert int(place.stage) == 0 and not bool(place.over)


@pytest.fixture(scope="module")
def sampled() -> Any:
    draws = draws_of(jax.random.key(0), 3000, 1)

    @jax.jit
    def many(place: again.Place, plan: again.Curriculum, how: Any, random: Any) -> Any:
        return jax.vmap(lambda d: again.propose(place, plan, OWN, how, random, d, 1))(draws)

    def shares(place: again.Place, plan: again.Curriculum, how: int, random: float = 0.0) -> dict[float, float]:
        tasks, elders = (np.asarray(x) for x in many(place, plan, jnp.int32(how), jnp.float32(random)))
        near = np.round(tasks[:, 0] / 0.05) * 0.05
        if random == 0.0:
            np.testing.assert_array_equal(elders, near < 0.6)
        else:
            assert abs(elders.mean() - 0.9 / 1.7 * (1 - random)) < 0.03
        return {round(float(x), 2): float((near == x).mean()) for x in np.unique(near)}

    return shares


def test_tasks_come_from_the_elder_and_from_oneself_by_progress(sampled: Any) -> None:
    plan, start = curriculum(), again.begin(2)
    second = again.Place(jnp.int32(1), start.recent, start.since, start.episodes, start.over)

    def close(found: dict[float, float], wanted: dict[float, float]) -> None:
        assert found == pytest.approx(wanted, abs=0.03)

    # Own Gaussians are worth 0.6 and 0.2, those of the second stage 0.5 and 0.4.
    close(sampled(second, plan, 0), {0.3: 5 / 17, 0.35: 4 / 17, 0.8: 6 / 17, 0.9: 2 / 17})
    close(sampled(start, plan, 1), {0.15: 3 / 11, 0.8: 6 / 11, 0.9: 2 / 11})
    pooled = {0.15: 3 / 23, 0.3: 5 / 23, 0.35: 4 / 23, 0.4: 3 / 23, 0.8: 6 / 23, 0.9: 2 / 23}
    close(sampled(start, plan, 2), pooled)
    over = again.Place(start.stage, start.recent, start.since, start.episodes, jnp.bool(True))
    close(sampled(over, plan, 0), {0.8: 3 / 4, 0.9: 1 / 4})
    close(sampled(over, plan, 2), {0.8: 3 / 4, 0.9: 1 / 4})
    close(sampled(start, again.distilled(STAGES, UTILITY, BARS, 0.9), 2), {0.8: 3 / 4, 0.9: 1 / 4})
    sampled(second, plan, 0, random=0.4)
