"""The study `skills-offline`: its maze, its walks, its errors, its prompts, and what it measures."""

from __future__ import annotations

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.stats import spearmanr

import emergelab as el
from emergelab.studies.learners.skills_offline import _maze as maze
from emergelab.studies.learners.skills_offline import _measures as measures
from emergelab.studies.learners.skills_offline import _prompts as prompts
from emergelab.studies.learners.skills_offline import study
from emergelab.studies.learners.skills_offline._conditions import LABELS, LEFT, SKILLS
from emergelab.studies.learners.skills_offline._system import Batch, SkillsOffline, State

TINY = dict(study.sizes["tiny"].set)

# -- the maze ----------------------------------------------------------------------------------------------------------


def free(place):
    """Whether places lie in the maze, cell by cell and independently of its walls."""
    x, y = np.floor(np.asarray(place)).astype(int).T
    return maze.FREE[np.clip(y, 0, 4), np.clip(x, 0, 7)]


@pytest.fixture(scope="module")
def grid():
    """A fine grid whose steps are those of a king, a knight and more: an oracle that errs by a few per cent."""
    fine, reach = 6, 4
    ys, xs = np.mgrid[: 5 * fine, : 8 * fine]
    cells = (np.stack([xs.ravel(), ys.ravel()], 1) + 0.5) / fine
    open_ = free(cells)
    moves = [(a, b) for a in range(reach + 1) for b in range(-reach, reach + 1) if np.gcd(a, b) == 1]
    rows, columns, length = [], [], []
    for a, b in moves:
        to_x, to_y = xs.ravel() + a, ys.ravel() + b
        inside = (to_x < 8 * fine) & (to_y >= 0) & (to_y < 5 * fine) & open_
        here = np.flatnonzero(inside)
        there = to_y[here] * 8 * fine + to_x[here]
        # A step is possible if it stays in free cells all the way.
        way = np.linspace(cells[here], cells[there], 33)
        ok = open_[there] & free(way.reshape(-1, 2)).reshape(33, -1).all(0)
        rows.append(here[ok])
        columns.append(there[ok])
        length.append(np.full(ok.sum(), np.hypot(a, b) / fine))
    count = len(cells)
    graph = coo_matrix((np.concatenate(length), (np.concatenate(rows), np.concatenate(columns))), (count, count))
    return cells, open_, graph


def test_ways_are_those_of_a_search_on_a_grid(grid):
    cells, open_, graph = grid
    some = np.flatnonzero(open_)[::41]
    found = np.asarray(maze.ways(*[cells[some].astype(np.float32)] * 2, maze.WALLS))
    true = dijkstra(graph, directed=False, indices=some)[:, some]
    assert len(some) > 20 and np.isfinite(true).all()
    assert (found <= true + 0.02).all(), "nothing on a grid is shorter"
    # On a grid one passes the corners of walls at a distance.
    np.testing.assert_allclose(found, true, rtol=0.05, atol=0.05)
    np.testing.assert_allclose(found, found.T, atol=1e-3)


def test_the_two_ends_are_neighbours_and_far_apart():
    ends = maze.CENTRES[[0, 5]]
    way, air = (np.asarray(maze.ways(ends, ends, walls))[0, 1] for walls in (maze.WALLS, maze.BOX))
    # Along the doors, from corner to corner of the walls: written out by hand.
    corners = [(1, 1), (2, 1), (6, 1), (7, 2), (7, 3), (6, 4), (2, 4), (1, 4)]
    by_hand = sum(np.hypot(*np.subtract(a, b)) for a, b in itertools.pairwise(corners))
    assert air == pytest.approx(3.0) and way == pytest.approx(by_hand, abs=0.05)


def test_there_is_a_way_from_every_place_beside_a_wall():
    """Who slides along walls comes as near to them as the plane allows, corners included."""
    near = np.array([-1.0, 1.0]) * 1e-3
    x, y = np.meshgrid(*((np.arange(n + 1)[:, None] + near).ravel() for n in (8, 5)))
    place = np.stack([x.ravel(), y.ravel()], 1)
    place = place[(place > 0).all(1) & (place < [8, 5]).all(1)].astype(np.float32)
    place = place[free(place)]
    found = np.asarray(maze.ways(place, maze.CENTRES, maze.WALLS))
    assert len(place) > 80 and np.isfinite(found).all()
    around = np.asarray(maze.ways(place + np.float32(0.0), place, maze.WALLS))
    np.testing.assert_allclose(around, around.T, atol=0.02)


def test_jax_and_numpy_find_the_same_ways():
    both = jax.jit(lambda a, b: maze.ways(a, b, jnp.asarray(maze.WALLS)))(maze.PROBES[:9], maze.PROBES[9:30])
    np.testing.assert_allclose(both, maze.ways(maze.PROBES[:9], maze.PROBES[9:30], maze.WALLS), atol=1e-5)


def test_rooms_and_route():
    assert maze.rooms(maze.PROBES).tolist() == maze.PROBE_ROOM.tolist()
    assert free(maze.PROBES).all() and free(maze.ROUTE).all()
    legs = np.diagonal(maze.straight(maze.ROUTE[:-1], maze.ROUTE[1:], maze.WALLS))
    assert np.isfinite(legs).all(), "one sees from each point of the route to the next"
    margin = np.abs(maze.CENTRES[:, None, None] - maze.WALLS).max(-1).min((1, 2))
    assert (margin >= prompts.RADIUS).all()


# -- prompts -----------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_directions_of_rewards_are_least_squares(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(60, 5)).astype(np.float32), rng.normal(size=(60, 3)).astype(np.float32)
    true = np.linalg.lstsq(x, y, rcond=None)[0].T
    np.testing.assert_allclose(fit(x, y), true, atol=0.01)


fit = jax.jit(lambda x, y: prompts.fitted(x, y, ridge=1e-6))


def test_a_feature_that_never_varies_gets_no_weight():
    x = np.zeros((10, 3), np.float32)
    x[:, 1] = np.arange(10)
    np.testing.assert_allclose(fit(x, 2 * x[:, 1:2]), [[0, 2, 0]], atol=1e-3)
    assert np.isfinite(fit(np.zeros((10, 3), np.float32), x[:, 1:2])).all()


def test_midpoints_lie_half_way_and_then_half_way_of_that():
    line = np.linspace(0.0, 8.0, 33, dtype=np.float32)[:, None] * np.array([1.0, 0.0], np.float32)
    found = jax.jit(prompts.midpoint)(line[:1], line[-1:], line)
    np.testing.assert_allclose(found, [[2.0, 0.0]])


def test_imagined_walks_lead_through_doors_to_the_goal():
    goal = jnp.asarray(maze.CENTRES)[prompts.PAIRS[:, 1]] + 0.2
    start = jnp.asarray(prompts.PAIRS[:, 0])
    known = maze.PROBES + 0.1

    @jax.jit
    def walk(start, goal):
        meant, seen = prompts.imagined(start, goal, jnp.zeros((30, prompts.FRAMES, 40)))
        return meant, prompts.recognised(seen, prompts.picture(jnp.asarray(known)))

    meant, taken = walk(start, goal)
    assert meant.shape == (30, prompts.FRAMES, 2)
    np.testing.assert_allclose(meant[:, -1], goal)
    steps = np.concatenate([maze.CENTRES[prompts.PAIRS[:, :1]], np.asarray(meant)], 1)
    legs = np.linalg.norm(np.diff(steps, axis=1), axis=-1)
    assert legs.max() < 2.5 and free(np.asarray(meant).reshape(-1, 2)).all()
    way = prompts.PAIRS.tolist().index([2, 0])
    np.testing.assert_allclose(meant[way, :3], [maze.ROUTE[3], maze.ROUTE[2], maze.ROUTE[1]])
    # Faint and blurred as they are, pictures without noise are taken for places close by.
    taken = known[np.asarray(taken)]
    nearest = np.linalg.norm(np.asarray(meant)[:, :, None] - known, axis=-1).min(-1)
    assert (np.linalg.norm(taken - np.asarray(meant), axis=-1) < nearest + 0.8).all()


def test_rewards_are_way_made_and_being_there():
    before, after = np.array([[1.0, 1.0], [7.0, 1.0]], np.float32), np.array([[1.5, 1.0], [7.5, 1.5]], np.float32)
    goal = np.array([[7.0, 0.8], [1.0, 4.0]], np.float32)
    nearer, there = jax.jit(prompts.rewards)(before, after, goal, maze.WALLS)
    true = maze.ways(before, goal, maze.WALLS) - maze.ways(after, goal, maze.WALLS)
    np.testing.assert_allclose(nearer, true, atol=1e-5)
    assert there.tolist() == [[0, 0], [1, 0]]


# -- learning ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def system() -> SkillsOffline:
    return SkillsOffline(**TINY)


@pytest.fixture(scope="module")
def begun(system) -> State:
    """Any weights and places will do where nothing has to be learnt, and these need no program."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(system.init, jax.random.key(0))
    state = jax.tree.map(lambda x: jnp.asarray(0.4 * rng.normal(size=x.shape), x.dtype), shapes)
    places = maze.PROBES[rng.integers(0, 54, size=shapes.walks.place.shape[:2])]
    places = places + rng.uniform(-0.1, 0.1, size=places.shape)
    return eqx.tree_at(lambda y: y.walks.place, state, jnp.asarray(places, jnp.float32))


erring = jax.jit(lambda s, n, b: s.loss(n, n.fast, b)[1])


def forward(net, x, norm):
    """A perceptron, written again."""
    x = np.asarray(x, float)
    *hidden, (weight, bias) = zip(net.weight, net.bias, strict=True)
    for w, b in hidden:
        x = x @ np.asarray(w, float) + np.asarray(b, float)
        x = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        x = norm * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) + (1 - norm) * x
    return x @ np.asarray(weight, float) + np.asarray(bias, float)


@pytest.mark.parametrize("method", ["skills", "goal cloning", "cloning"])
def test_errors_are_the_formulas_written_out(system, begun, method):
    rng = np.random.default_rng(0)
    count, dims = system.batch_size, system.dims
    place = maze.PROBES[rng.integers(0, 54, size=(4, count))]
    skill = rng.normal(size=(count, dims))
    skill = (skill / np.linalg.norm(skill, axis=1, keepdims=True)).astype(np.float32)
    action = rng.uniform(-1, 1, size=(count, 2)).astype(np.float32)
    batch = Batch(*map(jnp.asarray, (place[0], action, place[1], place[2], place[3], skill)))
    # One dimension of the action varies more than the other.
    net = eqx.tree_at(lambda n: n.log_std, begun.net, jnp.array([0.0, 0.5]))
    errors = erring(system.with_(method=method), net, batch)

    seen = (place - [4.0, 2.5]) * [0.43, 0.68]
    before, after, goal = (forward(net.fast.phi, x, 1.0) for x in seen[:3])
    v = -np.linalg.norm(before - goal, axis=1)
    aim = -1 - 0.99 * np.linalg.norm(after - goal, axis=1)
    error_map = np.mean(np.where(aim > v, 0.95, 0.05) * (aim - v) ** 2)
    asked = skill * np.sqrt(dims)

    def worth(x):
        return forward(net.fast.value, np.concatenate([x, asked], 1), 1.0)[:, 0]

    reward = ((after - before) * skill).sum(1)
    gain = reward + 0.8 * worth(seen[1]) - worth(seen[0])
    error_value = np.mean(np.where(gain > 0, 0.7, 0.3) * gain**2)
    weight = np.minimum(np.exp(6 * gain / np.sqrt(np.mean(reward**2))), 100) if method == "skills" else np.ones(count)
    told = {"skills": asked, "goal cloning": np.pad(seen[3], ((0, 0), (0, dims - 2))), "cloning": 0 * asked}[method]
    mean = np.tanh(forward(net.policy, np.concatenate([seen[0], told], 1), 1.0))
    unlikely = 0.5 * (action - mean) ** 2 / np.exp([0.0, 1.0]) + [0.0, 0.5]
    error_policy = np.average(unlikely.sum(1), weights=weight)
    np.testing.assert_allclose(errors, [error_map, error_value, error_policy], rtol=2e-3)


def test_walks_stay_in_the_maze_and_begin_where_they_should(system):
    rng = np.random.default_rng(0)
    lot, noise = rng.random((system.walks, 3)), rng.normal(size=(system.length + 1, system.walks, 2))
    strolled = jax.jit(lambda s, lot, noise: s.stroll(lot, noise))
    for walled, home in ((1, 6), (1, 2), (0, 6)):
        found = strolled(system.with_(walled=walled, home=home), lot.astype(np.float32), noise.astype(np.float32))
        place, action = (np.asarray(x, float) for x in found)
        assert (
            place.shape == (system.walks, system.length + 1, 2) and (np.linalg.norm(action, axis=-1) <= 1 + 1e-5).all()
        )
        inside = (place > 0).all(-1) & (place < [8, 5]).all(-1)
        assert inside.all() and (walled == 0 or free(place.reshape(-1, 2)).all())
        assert maze.rooms(place[:, 0]).max() < home
        assert np.linalg.norm(np.diff(place, axis=1), axis=-1).max() <= system.stride + 2e-3
        # Smooth: what is done next is like what was done.
        assert np.corrcoef(action[:, 1:].ravel(), action[:, :-1].ravel())[0, 1] > 0.6


def test_batches_hold_steps_of_the_data(system, begun):
    batch = jax.jit(lambda s, w, z, key: s.batch(w, z, key))(system, begun.walks, begun.skills, jax.random.key(5))
    place, action = (np.asarray(x) for x in begun.walks)
    for b, a, c, later in zip(batch.before, batch.action, batch.after, batch.later, strict=True):
        (walk, time), *_ = np.argwhere((place[:, :-1] == np.asarray(b)).all(-1))
        np.testing.assert_array_equal(action[walk, time], a)
        np.testing.assert_array_equal(place[walk, time + 1], c)
        assert (place[walk, time + 1 :] == np.asarray(later)).all(-1).any()
    np.testing.assert_allclose(np.linalg.norm(batch.skill, axis=1), 1, atol=1e-5)


# -- runs --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("skills") / "run", progress=False, workers=1, keep=[2, 4])


def test_the_tiny_size_is_judged_and_drawn(tiny):
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    # Two seeds are too few for any verdict.
    assert {v["verdict"] for v in verdicts} <= {"inconclusive", "untested"}
    assert "map" in [figure.name for figure, _ in study.draw(tiny)]
    assert not any(tiny.diverged.values()) and not any(tiny.failed.values())


def test_numbers_are_what_they_say(tiny):
    d = tiny.data
    assert dict(d.sizes) | {"prompt": len(prompts.PROMPTS), "pair": 30, "probe": 54, "room": 6} == dict(d.sizes)
    np.testing.assert_allclose(d.met.sum("room"), 1, atol=1e-5)
    path = d.path.transpose("condition", "seed", "time", "pair", "moment", "axis").values
    goal = d.aim.transpose("condition", "seed", "time", "pair", "axis").values
    assert free(path.reshape(-1, 2).astype(float)).all()
    near = (np.linalg.norm(path[..., 1:, :] - goal[..., None, :], axis=-1) < prompts.RADIUS).any(-1)
    told = d.reached.isel(prompt=0).transpose("condition", "seed", "time", "pair").values
    np.testing.assert_array_equal(near, told > 0)
    assert np.isnan(d.reached.sel(condition="cloning").isel(prompt=slice(1, None))).all()
    assert np.isfinite(d.reached.sel(condition=SKILLS)).all()
    begin, end = path[..., 0, :], path[..., -1, :]
    way, made = (x.transpose("condition", "seed", "time", "pair").values for x in (d.way, d.nearer.isel(prompt=0)))
    for at in range(3):
        true, left = (np.diagonal(maze.ways(x[0, 0, at], goal[0, 0, at], maze.WALLS)) for x in (begin, end))
        np.testing.assert_allclose(way[0, 0, at], true, atol=1e-3)
        np.testing.assert_allclose(made[0, 0, at], true - left, atol=2e-3)


def test_a_frozen_map_does_not_change(tiny):
    for condition, changes in ((LEFT, False), (SKILLS, True)):
        early, late = tiny.state(2, condition), tiny.state(4, condition)
        names = [k for k in early.data_vars if str(k).startswith("net.fast.phi") and early[k].size > 2]
        assert names
        assert any((early[k].values != late[k].values).any() for k in names) is changes
        assert any((early[k].values != late[k].values).any() for k in early.data_vars if "net.policy" in str(k))


def test_what_is_asked_decides_what_is_done(system, begun):
    """One direction for all: then who starts at the same place ends at the same place, whatever the goal."""
    start, goal = (jnp.asarray(maze.CENTRES[prompts.PAIRS[:, i]]) for i in (0, 1))
    wishes = prompts.Wishes(*(jnp.asarray(np.random.default_rng(1).normal(size=shape), jnp.float32) for shape in (
        (30, 4), (20, 4), (30, 4), (30, 4), (30, prompts.FRAMES, 4), (4,)
    )))  # fmt: skip

    @jax.jit
    def play(s, z, held):
        with el.edit(el.Clamp("ask.z", z, where=held)):
            return s.trials(begun, start, goal, wishes, jnp.zeros((s.horizon, len(prompts.PROMPTS), 30, 2)))[0]

    z = np.zeros(system.dims, np.float32)
    z[0] = 1
    own, held, turned = (np.asarray(play(system, w, np.bool_(on))) for w, on in ((z, False), (z, True), (-z, True)))
    first = prompts.PAIRS[:, 0] == 0
    assert np.ptp(held[:, first], axis=(0, 1)).max() < 1e-4
    assert np.ptp(own[0, first], axis=0).max() > 0.01
    assert np.abs(turned - held).max() > 0.01, "turning the direction changes what is done"
    cloned = np.asarray(play(system.with_(method="cloning"), z, np.bool_(False)))
    assert np.ptp(cloned[:, first], axis=(0, 1)).max() < 1e-4, "who only clones does not hear what is asked"
    told = np.asarray(play(system.with_(method="goal cloning"), z, np.bool_(False)))
    assert np.ptp(told, axis=0).max() < 1e-4 < np.ptp(told[0, first], axis=0).max()


def test_sites(system):
    names = {s.name for s in el.sites(system)}
    assert {"ask.z", "ask.here", "ask.action", "learn.map", "learn.slow", "learn.reward", "learn.advantage"} <= names
    assert {"update.fast.phi.weight.0", "grad.policy.bias.0", "state.net.fast.phi.weight.0"} <= names


# -- measures ----------------------------------------------------------------------------------------------------------


def test_agreement_is_spearmans():
    rng = np.random.default_rng(1)
    at = rng.normal(size=(2, 3, 54, 4)).astype(np.float32)
    at[0, 0, :, :] = 0
    at[0, 0, :, :2] = maze.PROBES
    d = xr.Dataset({"map": (("seed", "time", "probe", "dim"), at)})
    first, second = np.triu_indices(54, 1)
    for kind in ("way", "air"):
        far = np.linalg.norm(at[1, 2, first] - at[1, 2, second], axis=-1)
        true = spearmanr(far, measures.lengths(kind)).statistic
        assert float(measures.agreement(kind)(d)[1, 2]) == pytest.approx(true, abs=1e-4)
    # Up to ties that rounding breaks.
    assert float(measures.agreement("air")(d)[0, 0]) == pytest.approx(1, abs=1e-3)
    assert float(measures.follows(d)[0, 0]) < 0
    assert float(measures.end_to_end(d)[0, 0]) == pytest.approx(1, abs=1e-5)


def test_reach_counts_the_prompt_and_the_doors_asked_for():
    reached = np.zeros((1, 6, len(prompts.PROMPTS), 30))
    reached[:, 2:, 1, measures.DOORS == 5] = 1
    d = xr.Dataset({"reached": (("seed", "time", "prompt", "pair"), reached)})
    assert float(measures.reach("plan", 5)(d)[0]) == 1 and float(measures.reach("goal", 5)(d)[0]) == 0
    assert float(measures.reach("plan")(d)[0]) == pytest.approx(2 / 30)
    assert float(measures.advantage("plan", "goal", 4)(d)[0]) == pytest.approx(2 / 6)
    assert float(measures.reach_of_known(True, "plan")(d)[0]) == 0


# -- the study ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong, word", [
    ({"home": 0}, "'home' must be"), ({"expectile": 1.0}, "'expectile' must be"), ({"dims": 1}, "'dims' must be"),
    ({"method": "magic"}, "'method' must be"), ({"walled": 2}, "'walled' must be"),
    ({"stride": 1.0}, "'stride' must be"),
])  # fmt: skip
def test_bad_parameters_are_told(wrong, word):
    with pytest.raises(el.UserError, match=word):
        SkillsOffline(**wrong)


def test_every_condition_has_a_label_and_every_size_is_possible():
    assert set(LABELS) == set(study.conditions)
    for condition in study.conditions.values():
        SkillsOffline(**condition.set)
    for size in study.sizes.values():
        SkillsOffline(**size.set)
