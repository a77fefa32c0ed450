"""The study `environment-design`: its test mazes, its store of levels, what it pays, and what its switches do."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab.studies.learners.environment_design import _kept as store
from emergelab.studies.learners.environment_design import study
from emergelab.studies.learners.environment_design._figures import LABELS
from emergelab.studies.learners.environment_design._measures import growth, late_growth_of_path, path_growth
from emergelab.studies.learners.environment_design._players import first_total
from emergelab.studies.learners.environment_design._suite import HARD, names, suite
from emergelab.studies.learners.environment_design._system import EnvironmentDesign
from emergelab.worlds.mazes import MazeLevel, actions_to_goal, way

TINY = dict(study.sizes["tiny"].set)

# -- test mazes --------------------------------------------------------------------------------------------------------


def test_every_test_maze_can_be_solved_in_time():
    mazes = suite(7)
    assert len(names(7)) == mazes.facing.shape[0] == 9 and set(HARD[:2]) < set(names(7))
    found = np.asarray(jax.jit(jax.vmap(actions_to_goal))(mazes))
    ways = dict(zip(names(7), np.asarray(jax.jit(jax.vmap(way))(mazes)).tolist(), strict=True))
    assert (found > 0).all() and found.max() < EnvironmentDesign().test_limit
    assert ways["empty"] == 12 and ways["corridor"] == 9
    assert ways["labyrinth"] == ways["labyrinth, mirrored"] == 30


def test_the_literatures_mazes():
    pytest.importorskip("jaxued")
    mazes = suite(13)
    assert mazes.wall.shape == (len(names(13)), 13, 13)
    assert (np.asarray(jax.jit(jax.vmap(way))(mazes)) > 0).all()


# -- the store ---------------------------------------------------------------------------------------------------------


def levels(count: int) -> MazeLevel:
    """Levels that can be told apart by where the goal stands."""
    at = jnp.stack([jnp.arange(count), jnp.zeros(count, int)], 1).astype(jnp.int32)
    return MazeLevel(jnp.zeros((count, 3, 3), bool), at, at, jnp.zeros(count, jnp.int32))


def test_the_store_keeps_the_highest_scores():
    kept = store.nothing(3, 3)
    score = jnp.array([0.2, 0.0, -0.1, 0.5])
    kept = store.add(kept, levels(4), score, score + 1, jnp.int32(1))
    assert kept.filled.tolist() == [True, True, False]
    assert kept.levels.goal[:2, 0].tolist() == [3, 0]
    kept = store.add(kept, levels(2), jnp.array([0.3, 0.1]), jnp.ones(2), jnp.int32(2))
    np.testing.assert_allclose(kept.score, [0.5, 0.3, 0.2])
    np.testing.assert_allclose(kept.best, [1.5, 1.0, 1.2])
    assert kept.last.tolist() == [1, 2, 1]
    again = store.rescore(kept, jnp.array([2, 0]), jnp.array([0.0, 0.4]), jnp.array([0.1, 2.0]), jnp.int32(3))
    np.testing.assert_allclose(again.score, [0.4, 0.3, 0.0])
    np.testing.assert_allclose(again.best, [2.0, 1.0, 1.2])
    assert again.last.tolist() == [3, 2, 3]


def test_what_comes_again_is_what_jaxued_would_choose(monkeypatch):
    sampler = pytest.importorskip("jaxued.level_sampler")
    # A name that JAX has given up, and its store still calls.
    monkeypatch.setattr(jax, "tree_map", jax.tree.map, raising=False)
    peer = sampler.LevelSampler(5, staleness_coeff=0.3, prioritization_params={"temperature": 0.6})
    score, last = jnp.array([0.5, 0.1, 0.7, 0.2, 0.0]), jnp.array([1, 4, 2, 3, 0])
    theirs = peer.level_weights({"scores": score, "timestamps": last, "size": 4, "episode_count": 6})
    kept = store.nothing(5, 3)._replace(score=score, last=last, filled=jnp.arange(5) < 4)
    ours = store.chances(kept, jnp.int32(6), 0.6, 0.3)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    drawn = np.bincount(np.asarray(store.pick(ours, 20_000, jax.random.key(0))), minlength=5) / 20_000
    np.testing.assert_allclose(drawn, ours, atol=4 * 0.5 / np.sqrt(20_000))
    assert store.pick(jnp.zeros(5), 3, jax.random.key(0)).tolist() == [0, 0, 0]


def test_only_first_episodes_count():
    reward = jnp.array([[0.0, 0.4, 0.0], [0.7, 0.0, 0.0], [0.2, 0.9, 0.0]])
    over = jnp.array([[0, 1, 0], [1, 0, 0], [1, 1, 1]], bool)
    np.testing.assert_allclose(first_total(reward, over), [0.7, 0.4, 0.0])


# -- curves ------------------------------------------------------------------------------------------------------------


def test_growth_is_a_median_of_slopes():
    time = np.arange(0.0, 100.0, 10.0)
    rows = np.stack([0.05 * time, np.where(time == 50, 900.0, 0.02 * time), np.full(10, np.nan)])
    found = growth(time, rows)
    np.testing.assert_allclose(found[:2], [5.0, 2.0], atol=1e-9)
    assert np.isnan(found[2])
    bent = np.maximum(time - 45, 0)[None] * 0.1
    data = xr.Dataset({"path": (("seed", "time"), bent)}, {"time": time, "seed": [0]})
    assert float(late_growth_of_path(data)[0]) == pytest.approx(10.0)
    assert 0 < float(path_growth(data)[0]) < 10


# -- runs --------------------------------------------------------------------------------------------------------------


def grow(tmp_path_factory, name, conditions):
    base = EnvironmentDesign(**TINY)
    return el.run(
        base, steps=6, every=1, seeds=2, conditions=conditions, out=tmp_path_factory.mktemp("d") / name,
        progress=False, workers=1, keep=[2, 3, 4, 5, 6],
    )  # fmt: skip


@pytest.fixture(scope="module")
def chance(tmp_path_factory):
    return grow(tmp_path_factory, "chance", {
        "dr": {}, "bare": {"budget": 0}, "robust": {"robust": 1, "replay": 1.0}, "frozen": {"freeze": 3},
        "robust-new": {"robust": 1}, "edits": {"edits": 3}, "short": {"longest": 1},
    })  # fmt: skip


@pytest.fixture(scope="module")
def designed(tmp_path_factory):
    base = {"maker": "designer"}
    return grow(tmp_path_factory, "designed", {
        "paired": base, "copy": {**base, "rival": "copy"}, "mean": {**base, "rival": "mean"},
        "hostile": {**base, "payment": "minus return"}, "swapped": {**base, "swap": 3},
        "bare": {**base, "budget": 0}, "frozen": {**base, "freeze": 3}, "replay": {**base, "replay": 1.0, "robust": 1},
    })  # fmt: skip


def moved(run, condition, part, since):
    """Whether a learner's weights changed from one time to the end."""
    before, after = run.state(since, condition), run.state(6, condition)
    found = [k for k in after.data_vars if str(k).startswith(f"{part}.net") and after[k].size > 3]
    assert found
    return any((before[k].values != after[k].values).any() for k in found)


def test_numbers_are_what_they_say(chance, designed):
    for run in (chance, designed):
        d = run.data.isel(time=slice(1, None))
        assert not any(run.diverged.values()) and not any(run.failed.values())
        for name in ("solvable", "solved", "diversity", "transfer", "zero_shot", "hard"):
            assert ((d[name] >= 0) & (d[name] <= 1)).all(), name
        assert (d.regret > -1e-6).all(), "nobody gets more than the best possible"
        assert (d.solved <= d.solvable + 1e-6).all()
        assert (d.blocks <= 49).all() and (d.path <= 48).all()
        signs = d.gallery.values
        assert set(np.unique(signs)) <= {0, 1, 2, 3}
        assert ((signs == 2).sum((-1, -2)) == 1).all() and ((signs == 3).sum((-1, -2)) == 1).all()
        np.testing.assert_allclose(d.zero_shot, d.transfer.mean("maze"), atol=1e-6)
    assert np.isnan(chance.data.payment).all()
    assert np.isfinite(designed.data.payment.sel(condition="paired").isel(time=slice(1, None))).all()


def test_no_budget_no_walls(chance, designed):
    for run in (chance, designed):
        assert (run.data.blocks.sel(condition="bare").isel(time=slice(1, None)) == 0).all()
    assert (chance.data.blocks.sel(condition="dr").isel(time=slice(1, None)) > 0).all()


def test_who_does_not_learn_does_not_change(chance, designed):
    assert moved(chance, "dr", "protagonist", 3)
    assert not moved(chance, "frozen", "protagonist", 3) and moved(designed, "frozen", "antagonist", 3)
    assert not moved(designed, "frozen", "protagonist", 3) and moved(designed, "frozen", "designer", 3)
    assert not moved(chance, "robust-new", "protagonist", 2), "robust: nothing is learnt from new levels"


def test_lessons_out_of_the_store_are_levels_of_the_store(chance):
    """With `replay` 1 each lesson is made of levels that the store held, as soon as it is half full."""
    seen = 0
    for time in (3, 4, 5):
        before, after = chance.state(time, "robust"), chance.state(time + 1, "robust")
        for seed in range(2):
            filled = before["kept.filled"].values[seed]
            if 2 * filled.sum() >= len(filled):
                seen += 1
                held = {w.tobytes() for w in before["kept.levels.wall"].values[seed][filled]}
                assert {w.tobytes() for w in after["lesson.levels.wall"].values[seed]} <= held
    assert seen or not chance.state(6, "robust")["kept.filled"].values.any()


def test_levels_with_long_ways_are_not_kept(chance):
    state = chance.state(6, "short")
    for seed in range(2):
        filled = state["kept.filled"].values[seed]
        start, goal = (state[f"kept.levels.{x}"].values[seed][filled] for x in ("start", "goal"))
        assert (np.abs(start - goal).sum(1) <= 1).all()


def test_what_the_designer_is_paid(designed):
    told = designed.data.payment.transpose("condition", "seed", "time")
    assert (told.sel(condition="copy").isel(time=slice(1, None)) == 0).all()
    best, mean = (told.sel(condition=c).isel(time=1).values for c in ("paired", "mean"))
    assert (best >= mean - 1e-6).all(), "the first lesson is the same, and a best try is no worse than the mean"
    hostile, swapped, paired = (told.sel(condition=c).values for c in ("hostile", "swapped", "paired"))
    np.testing.assert_array_equal(swapped[:, 1:4], paired[:, 1:4])
    assert (hostile[:, 1:] <= 0).all() and (swapped[:, 4:] <= 0).all()
    total = designed.state(6, "hostile")["lesson.total"].values
    np.testing.assert_allclose(hostile[:, 6], -total.mean(-1), atol=1e-6)


def test_a_quiet_designer_has_no_noise():
    noise = {}
    for z in (0.0, 1.0):
        system = EnvironmentDesign(**TINY, maker="designer", z=z)
        drawn = eqx.filter_jit(lambda s, key: s._drawn(s.init(key).designer, key)[1])(system, jax.random.key(0))
        noise[z] = np.asarray(drawn.seen)[..., -system.noise :]
    assert (noise[0.0] == 0).all() and (noise[1.0] != 0).all()
    np.testing.assert_array_equal(noise[1.0][0], noise[1.0][-1], "it is drawn once a level")


def test_a_lesson_out_of_the_store_pays_nobody(designed):
    """The store of the replaying condition may be too empty to be used; whenever it is, no payment is noted."""
    d = designed.data.sel(condition="replay")
    for time in (3, 4, 5):
        filled = designed.state(time, "replay")["kept.filled"].values
        again = 2 * filled.sum(-1) >= filled.shape[-1]
        np.testing.assert_array_equal(np.isnan(d.spread.sel(time=time + 1).values), again)


# -- the study ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong, message", [
    ({"size": 9}, "'size' must be 7 or 13"),
    ({"maker": "designer", "budget": 17}, "'budget' must be at most walls=16, got 17"),
    ({"levels": 5, "tries": 1, "limit": 3, "parts": 4}, "'parts' must divide what a lesson is learnt from, 15"),
    ({"levels": 6, "limit": 4, "walls": 16, "parts": 8}, r"'parts' must divide levels \* \(walls \+ 2\), 108"),
    ({"maker": "nobody"}, "'maker' must be one of 'chance', 'designer'"),
])  # fmt: skip
def test_bad_parameters_are_told(wrong, message):
    with pytest.raises(el.UserError, match=message):
        EnvironmentDesign(**wrong)


def test_conditions_are_what_the_papers_call_them():
    assert set(LABELS) == set(study.size("quick").conditions)
    assert study.conditions["paired"].set == {"maker": "designer"}
    assert study.conditions["repaired"].set["robust"] == 1 and study.conditions["dr"].set == {}


def test_the_view_shows_the_levels_of_the_lesson(chance):
    assert study.view is not None
    last = int(chance.data.time[-1])
    ground = study.view.at(chance, "dr", 0, last).layers[0].values
    levels = chance.data["gallery"].sel(condition="dr", seed=0, time=last).transpose("shown", "y", "x").values
    size = levels.shape[1]
    np.testing.assert_array_equal(ground[:size, :size], levels[0])
    np.testing.assert_array_equal(ground[size:, size:], levels[3])
    with pytest.raises(el.UserError, match="before the first update"):
        study.view.at(chance, "dr", 0, 0)
