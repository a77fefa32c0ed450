"""The study `curricula-runner`: the runner as a student, measures by hand, and the study at its smallest."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy import stats

import emergelab as el
from emergelab.rl import ppo
from emergelab.studies.learners.curricula_runner import Running, study
from emergelab.studies.learners.curricula_runner._measures import (
    mean_height,
    order_of_height,
    passed_too_high,
    spread_between,
)
from emergelab.studies.learners.curricula_runner._runner import BODIES, Runner, first_totals, level_of
from emergelab.studies.learners.curricula_runner._system import HEIGHTS, SPACINGS, TEACHERS, TESTS
from emergelab.studies.learners.curricula_runner._view import profile
from emergelab.worlds.track import Track

SMALL = dict(study.sizes["tiny"].set)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return study.run("tiny", out=tmp_path_factory.mktemp("runner") / "run", progress=False)


def test_study_at_its_smallest(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab._effects._DRAWS_OF_STATISTICS", 100)
    monkeypatch.setattr("emergelab._effects._DRAWS", 1000)
    assert not tiny.diverged
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    have = set(study.sizes["tiny"].conditions)
    for claim, found in zip(study.claims, verdicts, strict=True):
        assert (found["verdict"] == "untested") == (not set(claim.test.conditions) <= have), claim.text
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]
    seen = study.view.at(tiny, "alp-gmm", int(tiny.data.seed.values[0]), 4)
    assert len(seen.layers) == 7 and "mastered" in seen.title


def test_what_a_run_records(tiny: Any) -> None:
    d = tiny.data.load()
    assert (d["visits"].sum(("high", "wide")) == SMALL["episodes"] * d.time).all()
    first = d["visits"].sel(time=1)
    for name in ("alp-gmm", "alp-gmm-deaf"):
        assert (first.sel(condition=name) == first.sel(condition="random")).all(), "all begin at random"
    possible = {c: float(d["possible"].sel(condition=c).mean()) for c in d.condition.values}
    assert possible["random"] == pytest.approx(0.6) and possible["random-short"] == pytest.approx(0.25)
    assert possible["alp-gmm-tall"] == pytest.approx(0.2) and possible["alp-gmm-long"] == pytest.approx(1.0)
    assert ((d["tests"] > 0.9).mean("test") * 100 == d["mastered"]).all()
    later = d.isel(time=slice(1, None))
    expected = 1 - np.array([possible[c] for c in d.condition.values])
    random = [i for i, c in enumerate(d.condition.values) if str(c).startswith("random")]
    np.testing.assert_allclose(later["waste"].mean(("seed", "time")).values[random], expected[random], atol=0.12)
    # The way of a body begins near the start and never leads back.
    assert (d["ways"].isel(axis=0).diff("moment") >= 0).all()


# -- the student ------------------------------------------------------------------------------------------------------


def test_only_the_first_episode_of_a_lane_is_told() -> None:
    reward = jnp.array([[0.5, 0.1], [0.5, 0.2], [0.3, 0.3], [0.2, 0.4]])
    over = jnp.array([[False, False], [True, False], [False, False], [False, True]])
    np.testing.assert_allclose(first_totals(reward, over), [1.0, 1.0])


def test_tasks_are_tracks() -> None:
    level = level_of(jnp.array([[0.5, 0.25], [1.0, 1.0]]), 3.0)
    np.testing.assert_allclose(level.height, [4.5, 9.0])
    np.testing.assert_allclose(level.spacing, [1.5, 6.0])
    for body, highest in (("short", 0.75), ("default", 1.8), ("long", 3.0)):
        assert float(Running(body=body).track.reach) == pytest.approx(highest)
        assert BODIES[body][1] * Track().tick < float(Track().gap), "no body crosses a gap in one step"


def test_a_runner_improves_by_running_and_what_it_returns_lies_between_0_and_1() -> None:
    """On flat ground, where it only has to run: a few rounds do."""
    runner = Runner(Track(limit=120), ppo.Settings(rate=3e-3, passes=3, parts=4), width=16)
    flat = jnp.stack([jnp.zeros(20), jnp.linspace(0, 1, 20)], axis=1)
    attempt = jax.jit(lambda athlete, key: runner.attempt(athlete, flat, key))
    athlete, returned = runner.start(KEY), []
    for key in jax.random.split(KEY, 8):
        athlete, outcomes = attempt(athlete, key)
        assert (outcomes >= 0).all() and (outcomes <= 1).all()
        returned.append(float(outcomes.mean()))
    assert returned[-1] > 0.9 and returned[-1] > returned[0] + 0.1
    ways = runner.ways(athlete.net, flat)
    assert ways.shape == (120, 20, 2) and (ways[-1, :, 0] == 30.0).all()


def test_every_teacher_hears_of_a_whole_round() -> None:
    for teacher in TEACHERS:
        system = Running(**SMALL, teacher=teacher)
        assert (system.adviser.dims, system.adviser.pace) == (2, system.episodes), teacher


@pytest.mark.parametrize("teacher", ["riac", "alp-gmm"])
def test_sites(teacher: str) -> None:
    names = {s.name for s in el.sites(Running(**SMALL, teacher=teacher))}
    assert {"task", "outcome", "heard", "play.action", "state.athlete.net.heads.last.weight"} <= names
    assert ("progress" in names) == (teacher == "alp-gmm")


def test_wrong_parameters_are_named() -> None:
    with pytest.raises(el.UserError, match=r"parameter 'parts' must divide episodes \* limit = 12000, got 7"):
        Running(parts=7)
    with pytest.raises(el.UserError, match=r"'body' must be one of"):
        Running(body="none")


# -- measures ---------------------------------------------------------------------------------------------------------


def recorded(counts: np.ndarray, possible: float) -> xr.Dataset:
    """A run of one seed in which so many tasks of each height were set between its records."""
    visits = np.concatenate([np.zeros((1, counts.shape[1])), counts.cumsum(axis=0)])[None, :, :, None]
    data = {
        "visits": (("seed", "time", "high", "wide"), visits),
        "possible": (("seed", "time"), np.full((1, len(counts) + 1), possible)),
        "tests": (("seed", "time", "test"), np.ones((1, len(counts) + 1, len(TESTS)))),
    }
    return xr.Dataset(data, coords={"seed": [0], "time": np.arange(len(counts) + 1)})


def test_order_is_scipys_correlation_over_possible_tasks() -> None:
    counts = np.random.default_rng(0).integers(0, 5, (6, 8))
    time, high = np.nonzero(counts[:, :4])
    number = counts[time, high]
    expected = stats.spearmanr(np.repeat(time, number), np.repeat(high, number)).statistic
    assert float(order_of_height(recorded(counts, 0.5))[0]) == pytest.approx(expected)
    rising = recorded(np.eye(6, 8, dtype=int) * 5, 1.0)
    assert float(order_of_height(rising)[0]) == pytest.approx(1.0)
    assert float(order_of_height(recorded(counts, 0.1))[0]) == 0.0, "one height has no order"


def test_heights_by_hand() -> None:
    counts = np.array([[4, 0, 0, 0], [0, 0, 0, 4]])
    assert float(mean_height(recorded(counts, 1.0))[0]) == pytest.approx((0.125 + 0.875) / 2)
    d = recorded(counts, 0.6)
    assert float(passed_too_high(d).isel(time=-1)[0]) == pytest.approx(np.mean(TESTS[:, 0] > 0.6))


def test_what_lies_between_bodies() -> None:
    # Means 0.1 and 1.1, variance 0.5 between them; 0.02 within each.
    assert spread_between(np.array([[0.0, 1.0], [0.2, 1.2]])) == pytest.approx(np.log10(0.5 / 0.02))
    assert spread_between(np.array([[0.0, 1.0]])) == 0.0


def test_tests_are_spread_over_the_task_space() -> None:
    assert TESTS.shape == (50, 2) and (TESTS >= 0).all() and (TESTS < 1).all()
    quarters = np.histogram2d(TESTS[:, 0], TESTS[:, 1], bins=2, range=[[0, 1], [0, 1]])[0]
    assert quarters.min() >= 10 and HEIGHTS * 0.25 % 1 == 0 and SPACINGS > 0


def test_the_outline_of_a_track_is_its_ground() -> None:
    track, level = Track(), level_of(jnp.array([0.5, 0.5]))
    x, y = profile(np.array([0.5, 0.5]))
    inside = np.linspace(0.05, 29.95, 300)
    inside = inside[np.abs(inside[:, None] - x).min(axis=1) > 1e-3]
    ground = np.asarray(jax.vmap(lambda at: track.ground(level, at))(jnp.asarray(inside, jnp.float32)))
    np.testing.assert_allclose(np.interp(inside, x, y), ground, atol=1e-6)
