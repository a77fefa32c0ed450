"""Skills-archive: world, archives, emitters by hand; the order of distances against scipy; the study at tiny size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab import catalogue
from emergelab.intervention import edit
from emergelab.studies.learners.skills_archive import _descriptor as learnt
from emergelab.studies.learners.skills_archive import _emitters as emitters
from emergelab.studies.learners.skills_archive import study
from emergelab.studies.learners.skills_archive._archive import Solutions, empty, grid, novelty, put, ring
from emergelab.studies.learners.skills_archive._system import BATCH, PARENTS, SkillsArchive
from emergelab.studies.learners.skills_archive._world import (
    AREAS,
    FREE,
    MAZE,
    PROBES,
    SIDE,
    Setting,
    cells,
    paid,
    picture,
    play,
    steer,
    weights,
)
from emergelab.worlds.plane import walled

KEY = jax.random.key(0)


# -- the world --------------------------------------------------------------------------------------------------------


def by_hand(genome, seen, hidden):
    x, rest = np.asarray(seen, float), np.asarray(genome, float)
    for size in (hidden, hidden, 2):
        matrix, bias, rest = np.split(rest, [size * len(x), size * len(x) + size])
        x = np.tanh(matrix.reshape(size, -1) @ x + bias)
    assert not len(rest)
    return x


def test_a_controller_by_hand():
    rng = np.random.default_rng(0)
    genome, seen = rng.normal(size=weights(4)), rng.uniform(-1, 1, 3)
    found = jax.jit(lambda g, s: steer(g, s, 4))(jnp.float32(genome), jnp.float32(seen))
    np.testing.assert_allclose(found, by_hand(genome, seen, 4), rtol=1e-5)


def test_episodes_by_hand():
    """Who does nothing stays; who only goes east comes to the wall; and who is steered goes as NumPy says."""
    rng = np.random.default_rng(1)
    still, east, some = np.zeros(weights(3)), np.zeros(weights(3)), 0.3 * rng.normal(size=weights(3))
    east[-2] = 5.0
    genomes = jnp.float32(np.stack([still, east, some]))
    end, reward, way = jax.jit(lambda g: play(g, Setting(0.3, 0.8, 10), 3, 40))(genomes)
    start = np.asarray(MAZE.start)
    np.testing.assert_array_equal(way[:, 0], np.broadcast_to(start, (40, 2)))
    np.testing.assert_allclose(end[1], [SIDE - 1, start[1]], atol=2e-3)
    np.testing.assert_allclose(way[4, 1], start + np.array([5 * 0.3 * np.tanh(5.0), 0]), rtol=1e-5)
    place = start.astype(float)
    for time in range(3):  # three steps cannot reach a wall
        place = place + 0.3 * by_hand(some, [*(place / (SIDE / 2) - 1), 2 * time / 40 - 1], 3)
    np.testing.assert_allclose(way[2, 2], place, rtol=1e-4)
    # What is paid is the mean over the last ten steps, in areas in which one ends.
    for body in range(3):
        far = np.linalg.norm(np.asarray(way)[-10:, body, None] - AREAS, axis=-1)
        each = np.maximum(0, 1 - far / 0.8)
        np.testing.assert_allclose(reward[body], each.mean(0) * (each[-1] > 0), atol=1e-5)
    np.testing.assert_allclose(end, way[-1])


def test_the_room():
    """Areas lie in the open, apart from each other and from where all begin; every place has its cell."""

    @jax.jit
    def seen():
        near = jnp.asarray(AREAS[1] + np.float32([0.2, 0.0]))
        where = cells(jnp.asarray(PROBES)), cells(jnp.array([3.7, 0.2]))
        areas = jnp.asarray(AREAS)
        return walled(MAZE, areas), paid(areas, 0.8), paid(MAZE.start, 0.8), paid(near, 0.8), where

    blocked, own, begun, near, (probes, one) = seen()
    assert not np.asarray(blocked).any() and (np.asarray(own) == np.eye(len(AREAS))).all()
    assert float(begun.max()) == 0.0 and float(near[1]) == pytest.approx(0.75, rel=1e-5)
    assert FREE.ravel()[np.asarray(probes)].all() and len(PROBES) == FREE.sum() / 4
    assert int(one) == 7


def test_a_picture_by_hand():
    shown = np.asarray(jax.jit(lambda x: picture(x, 4, 1.0))(np.float32([4.5, 1.5]))).reshape(
        4, 4
    )  # pixels of 3 x 3 cells, their middles
    assert shown[0, 1] == 1.0 and shown.argmax() == 1
    np.testing.assert_allclose(shown[1, 2], np.exp(-0.5 * (9 + 9)), rtol=1e-5)


# -- archives ---------------------------------------------------------------------------------------------------------


def solutions(reward, genome):
    """Solutions whose genomes are single numbers; arrays of NumPy's, since JAX compiles each operation apart."""
    n = len(reward)
    return Solutions(np.float32(genome)[:, None], *np.zeros((2, n, 2), np.float32), np.float32(reward))


def test_a_ring_overwrites_the_oldest():
    add = jax.jit(lambda store, new, chosen: put(store, new, ring(store, chosen)))
    store = empty(4, 1, 2)
    for first in (1.0, 4.0):
        new = solutions([0, 0, 0], [first, first + 1, first + 2])
        store = add(store, new, np.array([True, False, True]))
    store = add(store, new, np.array([False, True, False]))
    assert store.rows.genome[:, 0].tolist() == [5.0, 3.0, 4.0, 6.0]
    assert int(store.count) == 5 and bool(store.full.all())


@jax.jit
def entered(store, new, cell):
    return put(store, new, grid(store, new, cell))


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=12, max_size=12))
def test_a_grid_keeps_the_best_of_each_cell(found):
    """One after the other in a dictionary, and six at a time in the grid: the same elites."""
    store, known = empty(5, 1, 2), {}
    for start in (0, 6):
        six = found[start : start + 6]
        new = solutions([r for _, r in six], [start + i for i in range(6)])
        store = entered(store, new, np.int32([c for c, _ in six]))
        for i, (cell, reward) in enumerate(six):
            if cell not in known or reward > known[cell][0]:
                known[cell] = (reward, start + i)
    assert {int(c) for c in np.flatnonzero(store.full)} == set(known)
    for cell, (reward, genome) in known.items():
        assert (float(store.rows.reward[cell]), float(store.rows.genome[cell, 0])) == (reward, genome)


def test_novelty_against_all_distances():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(30, 3)).astype(np.float32)
    some = rng.random(30) < 0.7
    found = jax.jit(lambda known, full: novelty(known[:4], known, full, 5))
    for full in (some, np.arange(30) < 3, np.zeros(30, bool)):  # with fewer than five others: those that there are
        for i, value in enumerate(found(known, full)):
            apart = np.sort(np.linalg.norm(known[full] - known[i], axis=-1))[1:6]
            assert float(value) == pytest.approx(apart.mean() if len(apart) else 0.0, rel=1e-4)


# -- emitters ---------------------------------------------------------------------------------------------------------


def test_who_is_beaten_by_nobody():
    one, other = np.float32([3, 1, 2, 3, 9]), np.float32([1, 3, 1, 1, 9])
    first = jax.jit(emitters.is_first)(one, other, np.array([True, True, True, True, False]))
    assert first.tolist() == [True, True, False, True, False]


def test_an_elitist_keeps_the_best_of_parents_and_children():
    start = jax.jit(lambda: emitters.begin(jnp.ones(1), 0.1, jnp.zeros(2), jnp.zeros(2), 0.5))
    tell, told = (jax.jit(f) for f in (emitters.tell, emitters.told))
    genomes = np.arange(6, dtype=np.float32)[:, None]
    emitter, value = tell(start(), np.int32(0), genomes, np.float32([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    assert float(value) == pytest.approx(0.35)  # parents that were never tried do not count
    emitter, value = tell(emitter, np.int32(0), 10 + genomes, np.float32([0.9, 0.6, 0.0, 0.0, 0.0, 0.0]))
    assert emitter.team[:, 0].tolist() == [10.0, 11.0, 5.0, 4.0, 3.0, 2.0]
    assert float(value) == pytest.approx((0.9 + 0.6 + 0.6 + 0.5 + 0.4 + 0.3) / 6)
    after = told(emitter, np.bool_(True), np.arange(6, dtype=np.float32), np.float32([0.9, 0.1]))
    assert float(after.improvement) == 3.0 and float(after.first) == 1.0 and int(after.idle) == 0
    again = told(after, np.bool_(False), np.zeros(6, np.float32), np.float32([0.9, 0.1]))
    assert float(again.improvement) == 0.0 and float(again.first) == 1.0 and int(again.idle) == 1


def test_a_full_pool_gives_the_seat_of_the_least_improving():
    @jax.jit
    def seats():
        pool, _ = emitters.nobody(2, 36, 1, 2)
        for improvement in (0.5, 0.2, 0.3):
            new = emitters.begin(jnp.ones(1), 0.1, jnp.zeros(2), jnp.zeros(2), 0.0)
            new = new._replace(improvement=jnp.float32(improvement))
            pool = emitters.seat(pool, new, jnp.bool_(True))
        return pool, emitters.seat(pool, new, jnp.bool_(False))

    pool, left = seats()
    assert pool.emitters.improvement.tolist() == pytest.approx([0.5, 0.3]) and bool(pool.live.all())
    assert left.emitters.improvement.tolist() == pool.emitters.improvement.tolist()


# -- the descriptor ---------------------------------------------------------------------------------------------------


def test_order_is_spearmans():
    code = np.random.default_rng(0).normal(size=(len(PROBES), 3)).astype(np.float32)
    code[:, :2] += 0.3 * PROBES
    one, other = np.triu_indices(len(PROBES), 1)
    apart = (np.linalg.norm(x[one] - x[other], axis=-1).round(5) for x in (code.astype(float), PROBES.astype(float)))
    order = jax.jit(lambda c: learnt.ordered(c, PROBES))
    assert float(order(jnp.asarray(code))) == pytest.approx(scipy.stats.spearmanr(*apart).statistic, abs=2e-3)
    assert float(order(jnp.asarray(PROBES))) > 0.999
    assert float(order(jnp.zeros(code.shape))) == 0.0


def test_an_autoencoder_learns_and_does_not_if_its_updates_are_ablated():
    """Pictures in rows that are not full, here of noise, are never drawn."""

    @jax.jit
    def errors():
        descriptor = learnt.new(KEY, 16, 16, 3)
        known = picture(jnp.asarray(PROBES), 4, 1.0)
        shown = jnp.concatenate([known, jax.random.normal(KEY, (10, 16))])
        full = jnp.arange(len(shown)) < len(PROBES)
        after = learnt.trained(descriptor, shown, full, KEY, 3e-3, 300, 16)
        with edit(el.Ablate("update.*")):
            frozen = learnt.trained(descriptor, shown, full, KEY, 3e-3, 1, 16)
        return [learnt.surprise(d.net, known).mean() for d in (descriptor, after, frozen)]

    before, after, frozen = map(float, errors())
    assert after < 0.3 * before and frozen == pytest.approx(before, rel=1e-6)


# -- the study --------------------------------------------------------------------------------------------------------


def test_bad_parameters_are_refused():
    with pytest.raises(el.UserError, match="'room' must be at least 576, the cells of MAP-Elites, got 100"):
        SkillsArchive(room=100)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """All see codes, whether they need them or not, so that one compiled program serves all."""
    names = ["stax", "map-elites", "cma-es", "random"]
    out = tmp_path_factory.mktemp("skills-archive") / "run"
    return study.run("tiny", conditions=names, set={"sees": "code"}, out=out, progress=False)


def test_tiny(run):
    d = run.data
    time = d["time"].values
    np.testing.assert_array_equal(d["episodes"].sel(condition="stax").isel(seed=0), PARENTS + BATCH * time)
    np.testing.assert_array_equal(d["ends"].sum(("row", "column")), d["episodes"])
    assert not d["ends"].values[..., ~FREE].any()
    # Conditions begin with the same controllers.
    first = d["ends"].isel(time=0)
    assert (first.sel(condition="stax") == first.sel(condition="random")).all()
    # Every cell that was reached has an elite; nobody forgets what was found.
    elites = d.sel(condition="map-elites")
    np.testing.assert_array_equal(elites["archived"], (elites["ends"] > 0).sum(("row", "column")))
    np.testing.assert_allclose(elites["coverage"], elites["explored"], rtol=1e-6)
    assert (d["best"].diff("time") >= 0).all() and (d["explored"].diff("time") >= 0).all()
    # Who explores only archives five of each step.
    assert (d["archived"].sel(condition="random") == 5 * time).all()
    assert (d["exploiting"].sel(condition=["random", "map-elites"]) == 0).all()
    alone = d.sel(condition="cma-es")
    np.testing.assert_allclose(alone["exploiting"], np.tile(BATCH * time / (PARENTS + BATCH * time), (2, 1)), rtol=1e-5)
    last = d.sel(condition="stax").isel(time=-1)
    assert (last["kept"] > 0).all() and (last["tested"] >= last["kept"]).all() and (last["climb"] > 0).all()
    error = d["error"].sel(condition="stax")
    assert (error.isel(time=-1) < error.isel(time=0)).all()


def test_the_best_controllers_do_it_again(run):
    """The way that is shown earns what was noted when it was found."""
    last = run.data.isel(time=-1)
    for condition in ("stax", "map-elites"):
        d = last.sel(condition=condition).isel(seed=0)
        ways = d["ways"].transpose("area", "moment", "axis").values
        found = np.isfinite(ways).all((1, 2))
        assert found.sum() == d["areas"] > 0
        setting = run.info["conditions"][condition]["parameters"]
        far = np.linalg.norm(ways[:, -setting["stay"] :] - AREAS[:, None], axis=-1)
        again = np.maximum(0, 1 - far / setting["radius"]).mean(-1)
        np.testing.assert_allclose(again[found], d["best"].values[found], atol=1e-4)


def test_what_there_is_to_see(run):
    seen = study.view.at(run, "stax", 0, int(run.data.time[-1]))
    assert [type(x).__name__ for x in seen.layers] == ["Cells", "Lines", "Lines", "Agents"]
    areas = int(run.data["areas"].sel(condition="stax", seed=0).isel(time=-1))
    assert len(seen.layers[-1].x) == 1 + areas
    assert {f.name for f, _ in study.draw(run)} == {"ends", "growth"}


def test_the_study_is_in_the_catalogue():
    assert catalogue.find("skills-archive") is study
