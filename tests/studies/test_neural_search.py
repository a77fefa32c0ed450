"""The study `neural-search`: mazes and spreading against networkx, physics, rewiring, and what its switches do."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.figures.film import animate
from emergelab.studies.learners.neural_search import _graph as graphs
from emergelab.studies.learners.neural_search import _maze as mazes
from emergelab.studies.learners.neural_search import _measures as measures
from emergelab.studies.learners.neural_search import _minds as minds
from emergelab.studies.learners.neural_search import _rivals as rivals
from emergelab.studies.learners.neural_search import _view as view
from emergelab.studies.learners.neural_search import study
from emergelab.studies.learners.neural_search._conditions import CONDITIONS, QUICK
from emergelab.studies.learners.neural_search._system import SIDE, NeuralSearch
from emergelab.views import Lines

# -- mazes -------------------------------------------------------------------------------------------------------------

SMALL, ROOMS = 6, 5


def passages(maze: mazes.Maze, rooms: int) -> nx.Graph:
    """The maze as a graph of (row, column), read off wall by wall."""
    right, up = np.asarray(maze.right), np.asarray(maze.up)
    found = nx.Graph()
    found.add_nodes_from((r, c) for r in range(rooms) for c in range(rooms))
    found.add_edges_from(((r, c), (r, c + 1)) for r in range(rooms) for c in range(rooms - 1) if not right[r, c])
    found.add_edges_from(((r, c), (r + 1, c)) for r in range(rooms - 1) for c in range(rooms) if not up[r, c])
    return found


@pytest.fixture(scope="module")
def carved():
    def one(winding, loops, key):
        maze = mazes.carve(SMALL, ROOMS, winding, loops, key)
        goal = (ROOMS - 1) * (SMALL + 1)
        moved = mazes.moved_wall(maze, ROOMS, 0, goal, jax.random.fold_in(key, 1))
        return maze, mazes.distances(maze, goal), moved

    winding, loops = jnp.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.5]), jnp.array([0.0, 0.0, 0.3, 0.3, 1.0, 0.1])
    return jax.jit(jax.vmap(one))(winding, loops, jax.random.split(jax.random.key(1), 6))


def test_mazes_are_trees_with_openings(carved):
    for i, extra in enumerate((0, 0, None, None, 16, None)):
        maze = jax.tree.map(lambda x, i=i: x[i], carved[0])
        graph = passages(maze, ROOMS)
        assert nx.is_connected(graph)
        assert extra is None or graph.number_of_edges() == ROOMS**2 - 1 + extra
        right, up = np.asarray(maze.right), np.asarray(maze.up)
        assert right[:, ROOMS - 1 :].all() and right[ROOMS:].all() and up[ROOMS - 1 :].all() and up[:, ROOMS:].all()


def test_shortest_ways_are_those_of_networkx(carved):
    for i in range(6):
        maze = jax.tree.map(lambda x, i=i: x[i], carved[0])
        goal = (ROOMS - 1, ROOMS - 1)
        expected = nx.single_source_shortest_path_length(passages(maze, ROOMS), goal)
        found = np.asarray(carved[1][i]).reshape(SMALL, SMALL)
        assert all(found[cell] == length for cell, length in expected.items())
        assert (found[ROOMS:] == -1).all() and (found[:, ROOMS:] == -1).all()


def test_a_wall_moves_and_leaves_a_way(carved):
    for i in (0, 1, 2, 3, 5):  # without inner walls there is none to open
        maze, moved = (jax.tree.map(lambda x, i=i: x[i], carved[k]) for k in (0, 2))
        before, after = passages(maze, ROOMS), passages(moved, ROOMS)
        assert nx.is_connected(after) or nx.has_path(after, (0, 0), (ROOMS - 1, ROOMS - 1))
        closed = {*map(frozenset, before.edges)} - {*map(frozenset, after.edges)}
        opened = {*map(frozenset, after.edges)} - {*map(frozenset, before.edges)}
        assert len(closed) == len(opened) == 1
        ways = nx.all_shortest_paths(before, (0, 0), (ROOMS - 1, ROOMS - 1))
        assert any(closed <= {frozenset(pair) for pair in pairwise(way)} for way in ways)


_slide = jax.jit(mazes.slide, static_argnums=1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), st.integers(0, 2**16), st.sampled_from([0.0, 0.4, 1.0]))
def test_nobody_goes_through_walls(carved, which, seed, grip):
    maze = jax.tree.map(lambda x: x[which], carved[0])
    graph, draws = passages(maze, ROOMS), np.random.default_rng(seed)
    place = jnp.asarray(draws.uniform(0.001, 0.999, 2), jnp.float32)
    move = jnp.asarray(draws.uniform(-0.99, 0.99, 2) / ROOMS, jnp.float32)
    end = np.asarray(_slide(maze, ROOMS, place, move, grip))
    a, b = (tuple(int(x) for x in np.floor(np.asarray(p)[::-1] * ROOMS)) for p in (place, end))
    assert (end >= 0).all() and (end <= 1).all()
    # At most one cell on along either axis, and by open passages only.
    assert nx.shortest_path_length(graph, a, b) <= 2
    corner = (a[0], b[1])
    assert nx.shortest_path_length(graph, a, corner) <= 1 and nx.shortest_path_length(graph, corner, b) <= 1


def test_walls_stop_and_let_slide():
    closed = mazes.Maze(jnp.ones((2, 2), bool), jnp.ones((2, 2), bool))
    open_ = mazes.Maze(jnp.array([[False, True]] * 2), jnp.array([[False] * 2, [True] * 2]))
    place, move = jnp.array([0.4, 0.1], jnp.float32), jnp.array([0.3, 0.1], jnp.float32)
    np.testing.assert_allclose(_slide(open_, 2, place, move, 0.0), [0.7, 0.2], atol=1e-6)
    np.testing.assert_allclose(_slide(closed, 2, place, move, 0.0), [0.4995, 0.2], atol=1e-6)
    np.testing.assert_allclose(_slide(closed, 2, place, move, 1.0), [0.4995, 0.1], atol=1e-6)


# -- the graph ---------------------------------------------------------------------------------------------------------


def random_graph(seed: int, count: int = 12, rows: int = 14) -> graphs.Graph:
    draws = np.random.default_rng(seed)
    weight = draws.uniform(0, 1, (rows, rows)) * (draws.uniform(size=(rows, rows)) < 0.6)
    return graphs.Graph(
        jnp.asarray(draws.uniform(size=(rows, 2)), jnp.float32), jnp.zeros((rows, 4)),
        jnp.asarray(weight, jnp.float32), jnp.arange(rows) < count,
    )  # fmt: skip


@jax.jit
def _planned(graph):
    gain = graphs.gains(graph, 0.5, 0.95, 10.0)
    value = graphs.spread(gain, 0)
    return gain, value, jax.vmap(lambda i: graphs.hops(gain, value, i, 0))(jnp.arange(value.shape[0]))


@pytest.mark.parametrize("seed", range(4))
def test_spreading_activity_is_dijkstra(seed):
    graph = random_graph(seed)
    gain, value, hops = map(np.asarray, _planned(graph))
    place, weight = np.asarray(graph.place, float), np.asarray(graph.weight, float)
    peer = nx.DiGraph()
    peer.add_nodes_from(range(12))
    for i in range(12):
        for j in range(12):
            gap = np.hypot(*(place[i] - place[j]))
            if i != j and gap < 0.5 and weight[i, j] > 0:
                # Backwards, so that one search from the goal finds all.
                peer.add_edge(j, i, cost=10 * gap + 0.5 + np.log(weight[i, j]) / np.log(0.95))
    cost, ways = nx.single_source_dijkstra(peer, 0, weight="cost")
    for i in range(12):
        assert value[i] == pytest.approx(0.95 ** cost[i] if i in cost else 0.0, rel=1e-4)
        assert hops[i] == (len(ways[i]) - 1 if i in cost else 0)
    assert (value[12:] == 0).all() and (gain[12:] == 0).all() and (gain[:, 12:] == 0).all()


def test_codes_are_near_where_places_are_near():
    waves = 3.0 * jax.random.normal(jax.random.key(0), (400, 2))
    at = jnp.array([[0.5, 0.5], [0.53, 0.5], [0.5, 0.6]], jnp.float32)
    codes = graphs.code(at, waves, 400)
    likeness = np.asarray(codes @ codes.T)
    np.testing.assert_allclose(np.diag(likeness), 1.0, atol=1e-5)
    # The mean of cos(2 pi k d) over k ~ N(0, 3^2) is a Gaussian of d.
    for j, gap in ((1, 0.03), (2, 0.1)):
        assert likeness[0, j] == pytest.approx(np.exp(-((2 * np.pi * 3 * gap) ** 2) / 2), abs=0.15)
    few = graphs.code(at, waves, 2)
    assert (np.asarray(few)[:, 2:400] == 0).all() and np.allclose(np.sum(np.asarray(few) ** 2, 1), 1.0, atol=1e-5)


def test_new_neurons_take_free_rows_then_those_with_least_hope():
    graph = random_graph(0, count=12, rows=14)
    keep = jnp.arange(14) < 2
    new, codes = jnp.full((3, 2), 0.5), jnp.ones((3, 4))
    insert = jax.jit(graphs.insert)
    full, rows = insert(graph, new, codes, jnp.array([True, True, False]), 0.7, keep, 2.0)
    assert sorted(np.asarray(rows[:2]).tolist()) == [12, 13] and bool(full.alive.all())
    w = np.asarray(full.weight)
    assert (w[12:] == np.float32(0.7)).all() and (w[:, 12:] == np.float32(0.7)).all()
    np.testing.assert_array_equal(w[:12, :12], np.asarray(graph.weight)[:12, :12])
    np.testing.assert_array_equal(full.place[:12], graph.place[:12])
    poor = full._replace(weight=full.weight.at[5].set(0.0).at[:, 5].set(0.0).at[0].set(0.0).at[:, 0].set(0.0))
    again, rows = insert(poor, new, codes, jnp.array([True, False, False]), 0.7, keep, 2.0)
    assert int(rows[0]) == 5, "the goal has no hope left either, but must stay"
    same, _ = insert(poor, new, codes, jnp.zeros(3, bool), 0.7, keep, 2.0)
    assert all(np.array_equal(a, b) for a, b in zip(same, poor, strict=True))
    assert float(again.weight[5, 7]) == pytest.approx(0.7)


def crosses(a, b, c, d):
    """Whether two segments cross, by orientations."""

    def turn(p, q, r):
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0


def test_what_crosses_a_felt_wall():
    place = np.random.default_rng(3).uniform(size=(9, 2))
    at, towards, half = np.array([0.4, 0.5]), np.array([0.7, 0.9]), 0.2
    found = np.asarray(graphs.patch_crossed(*(jnp.asarray(x, jnp.float32) for x in (place, at, towards)), half))
    ahead = (towards - at) / np.hypot(*(towards - at))
    aside = np.array([-ahead[1], ahead[0]]) * half
    for i in range(9):
        for j in range(9):
            assert found[i, j] == (i != j and crosses(place[i], place[j], at - aside, at + aside)), (i, j)


def test_failures_weaken_and_end_at_nothing():
    weight = jnp.array([[0.8, 0.42], [0.3, 1.0]], jnp.float32)
    which = jnp.array([[True, True], [False, True]])
    np.testing.assert_allclose(graphs.weaken(weight, which, 0.4, 0.05), [[0.4, 0.0], [0.3, 0.6]], atol=1e-6)


# -- other minds -------------------------------------------------------------------------------------------------------


def test_the_table_learns_by_watkins_rule():
    table = jnp.zeros((9, 4)).at[1].set(jnp.array([0.0, 0.4, 0.2, 0.0]))
    on = minds.table_learnt(table, 0, 2, 1, jnp.bool_(False), 0.5, 0.9)
    assert float(on[0, 2]) == pytest.approx(0.5 * 0.9 * 0.4)
    end = minds.table_learnt(on, 0, 2, 1, jnp.bool_(True), 0.5, 0.9)
    assert float(end[0, 2]) == pytest.approx(0.18 + 0.5 * (1 - 0.18))
    greedy = minds.table_intent(jnp.array([0.5, 0.1], jnp.float32), table, 3, 3, 0.0, 7, jax.random.key(0))
    # From the middle of the lowest row (cell 1) up, into the cell above.
    assert int(greedy.choice) == 1
    np.testing.assert_allclose(greedy.to, [0.5, 0.5], atol=1e-6)


def test_the_walker_goes_on_as_before():
    at = jnp.array([0.5, 0.5], jnp.float32)
    intent, heading = minds.walk_intent(at, jnp.float32(0.0), jnp.bool_(False), 0.0, 0.16, 8, jax.random.key(0))
    np.testing.assert_allclose(intent.to, [0.66, 0.5], atol=1e-6)
    assert float(heading) == 0.0 and int(intent.limit) == 8


# -- rivals ------------------------------------------------------------------------------------------------------------


def edges(graph: nx.Graph) -> set:
    return {frozenset(edge) for edge in graph.edges}


def noted_walls(met: mazes.Maze, rooms: int, names=None) -> set:
    """Pairs of cells between which a map has a wall."""
    open_, known = (passages(m, rooms) for m in (rivals.survey(met.right.shape[0], rooms).met, met))
    if names is not None:
        open_, known = (nx.relabel_nodes(g, names) for g in (open_, known))
    return edges(open_) - edges(known)


@jax.jit
def _route(known, here, goal):
    return tuple(rivals.planned(known, ROOMS, here, goal, explores) for explores in (False, True))


def test_a_planner_walks_every_maze_and_notes_its_walls(carved):
    """Walked cell by cell; the way that is planned is the shortest through what is not known to be closed."""
    goal = (ROOMS - 1) * (SMALL + 1)
    number = {(r, c): r * SMALL + c for r in range(ROOMS) for c in range(ROOMS)}
    for i in range(6):
        real = passages(jax.tree.map(lambda x, i=i: x[i], carved[0]), ROOMS)
        real = nx.relabel_nodes(real, number)
        for explores in (False, True):
            known, here, moves = rivals.survey(SMALL, ROOMS), 0, 0
            while here != goal and moves < 200:
                plan, to = _route(known, jnp.int32(here), jnp.int32(goal))[explores]
                to = int(to)
                believed = nx.relabel_nodes(passages(plan.met, ROOMS), number)
                assert believed.has_edge(here, to)
                left = nx.single_source_shortest_path_length(believed, goal)
                assert explores or left[to] == left[here] - 1
                after = to if real.has_edge(here, to) else here
                known = rivals.surveyed(plan, *(jnp.int32(x) for x in (here, to, after)))
                here, moves = after, moves + 1
            assert here == goal
            assert bool(known.been[goal]) and not noted_walls(known.met, ROOMS, number) & edges(real)


def test_a_map_that_leaves_no_way_is_begun_anew():
    blank = rivals.survey(SMALL, ROOMS)
    shut = mazes.Maze(blank.met.right.at[0, 0].set(True), blank.met.up.at[0, 0].set(True))
    closed = rivals.Survey(shut, blank.been)
    plan, to = _route(closed, jnp.int32(0), jnp.int32(SMALL + 1))[0]
    assert int(to) in (1, SMALL) and not plan.met.right[0, 0] and not plan.met.up[0, 0]


def test_a_policy_is_learnt_once_a_lot_is_full():
    """Two cells in turn; who goes right from the second is at the goal."""

    @jax.jit
    def lives(key):
        def behave(state, key):
            learner, here = state
            of_choice, of_learning = jax.random.split(key)
            learner, way = rivals.decided(learner, here, of_choice)
            found = (here == 1) & (way == 0)
            learner = rivals.learnt(learner, 1 - here, found, 0.9, of_learning)
            return (learner, 1 - here), learner.net.logits[:3]

        begin = (rivals.novice(2, 0.9), jnp.int32(0))
        return jax.lax.scan(behave, begin, jax.random.split(key, 20 * rivals.LOT))

    (learner, _), logits = lives(jax.random.key(0))
    assert (logits[: rivals.LOT - 1] == 0).all() and (logits[rivals.LOT - 1, 1] != 0).any()
    for k in range(1, 20):
        lot = logits[k * rivals.LOT - 1 : (k + 1) * rivals.LOT - 1]
        assert (lot == lot[0]).all(), "between two lots nothing changes"
    assert (logits[:, 2] == 0).all(), "nobody was ever there"
    chance = jax.nn.softmax(learner.net.logits[1])
    assert chance[0] > 0.9 and float(learner.net.worth[1]) > 0.5


# -- what is measured --------------------------------------------------------------------------------------------------


def record(**columns) -> xr.Dataset:
    """A condition's record by hand: dims (seed, time), or with a visit."""
    time = np.arange(len(np.asarray(columns["now"])[0])) * 5
    return xr.Dataset(
        {k: (("seed", "time", "visit")[: np.ndim(v)], np.asarray(v, float)) for k, v in columns.items()},
        coords={"time": time},
    )


def test_visits_that_were_not_over_count_as_the_budget():
    took = np.array([[[400, 100, 50]], [[9000, 0, 0]], [[800, 300, 0]]])
    reached = np.array([[[1, 1, 1]], [[0, 0, 0]], [[1, 0, 0]]])
    d = record(now=[[3], [0], [1]], took=took, reached=reached)
    np.testing.assert_allclose(2 ** measures.first_steps(d), [400, measures.BUDGET, 800])
    np.testing.assert_allclose(2 ** measures.second_steps(d), [100, np.nan, measures.BUDGET])
    np.testing.assert_allclose(2 ** measures.change_steps(d), [50, np.nan, np.nan])
    np.testing.assert_allclose(2 ** measures.second_ratio(d), [0.25, np.nan, measures.BUDGET / 800])
    assert measures.solved(d).values.tolist() == [1, 0, 1]


def test_order_looks_at_the_first_visit_only():
    now = [[0, 0, 0, 0, 0, 0, 1, 1]] * 3
    up, flat = [9, 1, 2, 3, 4, 5, 1, 1], [9, 2, 2, 2, 2, 2, 5, 1]
    d = record(now=now, hops=[up, up[:1] + up[5:0:-1] + up[6:], flat], from_start=[up] * 3)
    np.testing.assert_allclose(measures.order(d), [1.0, -1.0, np.nan])
    np.testing.assert_allclose(measures.order_from_start(d), 1.0)


def test_steps_and_deletions_over_mazes():
    took = np.array([[[0, 0, 0], [100 * k, 5, 5]] for k in (1, 2, 3, 4)])
    reached = np.array([[[0, 0, 0], [k < 4, 0, 0]] for k in (1, 2, 3, 4)])
    d = record(now=[[0, 0]] * 4, took=took, reached=reached, deleted=[[0, 10 * k] for k in (1, 2, 3, 4)])
    both = measures.steps_and_deletions(d).values
    assert both[0].tolist() == [100, 10] and np.isnan(both[3]).all()
    assert measures.agreement(both) == pytest.approx(1.0)
    assert np.isnan(measures.agreement(both[:2]))


# -- a run -------------------------------------------------------------------------------------------------------------

SEEN = 12
PARAMETERS = {"rooms": 3, "change": 2, "reach": 1.6}
SMALLEST = {"rooms": 3, "places": 24, "speed": 0.04}
CELLS = {
    "full": {"visits": 3, "change": 2}, "deaf": {"heed": 0.0}, "closed": {"growth": 0, "density": 0.3},
    "whim": {"whim": 1.0}, "blame": {"blame": 0.5, "visits": 2, "elsewhere": 1}, "walk": {"mind": "walk"},
    "table": {"mind": "table", "promise": 1.0, "epsilon": 0.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return el.run(
        NeuralSearch(**SMALLEST), steps=200, every=1, seeds=3, conditions=CELLS, progress=False, workers=1,
        keep=[0, SEEN], out=tmp_path_factory.mktemp("n") / "r",
    )  # fmt: skip


def of(run, condition, name):
    return run.data[name].sel(condition=condition).isel(time=-1).transpose("seed", ...).values


@pytest.fixture(scope="module")
def walls(run):
    """The passages of each seed's maze, and of the one with a wall moved."""
    kept = run.state(0, "full")
    return {
        which: [
            passages(mazes.Maze(*(kept[f"{which}.{k}"].transpose("seed", ...).values[s] for k in ("right", "up"))), 3)
            for s in range(3)
        ]
        for which in ("maze", "changed")
    }


def test_every_small_maze_is_solved_and_none_faster_than_can_be(run, walls):
    for condition in ("full", "blame", "table"):
        assert (of(run, condition, "reached")[:, 0] == 1).all(), condition
    took, best = of(run, "full", "took"), of(run, "full", "best")
    for seed in range(3):
        for visit, which in ((0, "maze"), (2, "changed")):
            length = nx.shortest_path_length(walls[which][seed], (0, 0), (2, 2))
            assert best[seed, visit] == pytest.approx(length / 3 / 0.04, rel=1e-5)
    # The goal is met from 0.03 away, and straight across is the least that can be.
    assert (took[:, 0] >= (np.hypot(2 / 3, 2 / 3) - 0.03) / 0.04).all()
    assert (of(run, "full", "now") == 3).all() and (of(run, "full", "reached") == 1).all()


def test_time_never_runs_backwards(run):
    for name in ("failed", "deleted", "grown", "now"):
        values = run.data[name].transpose("condition", "seed", "time").values
        assert (np.diff(values, axis=-1) >= 0).all(), name
    assert (run.data["took"].diff("time") >= 0).all()
    weight = run.state(SEEN, "full")["graph.weight"].values
    assert (weight >= 0).all() and (weight <= 1).all() and (weight == 0).any() and (weight > 0.8).any()


def test_switches_do_what_they_say(run):
    assert (of(run, "deaf", "failed") > 0).any() and (of(run, "deaf", "deleted") == 0).all()
    assert (of(run, "closed", "grown") == 0).all()
    assert (of(run, "full", "failed") > 0).any() and (of(run, "full", "deleted") > 0).any()
    for name in ("walk", "table"):
        assert (of(run, name, "failed") == 0).all() and (of(run, name, "hops") == 0).all()
    # The second goal stands at the lower right.
    assert (of(run, "blame", "now") == 2).all() and (of(run, "blame", "best")[:, 1] <= 8.01 / 3 / 0.04).all()


def test_the_way_never_leads_through_a_wall(run, walls):
    for seed in range(3):
        now, place = (run.data[k].sel(condition="full").isel(seed=seed).transpose("time", ...).values
                      for k in ("now", "place"))  # fmt: skip
        for t in range(200):
            if now[t] == now[t + 1] < 3:
                a, b = (tuple(int(x) for x in np.floor(place[i][::-1] * 3)) for i in (t, t + 1))
                assert nx.has_path(walls["changed" if now[t] >= 2 else "maze"][seed], a, b)


def test_what_there_is_to_see(run, tmp_path):
    with pytest.raises(el.UserError, match=r"has no observable 'state\.graph\.place'"):
        study.view.at(run, "full", 1, 0)
    # Scenes out of the states that were kept, as the study's own film makes them.
    kept = [run.state(t, "full").isel(seed=1) for t in (0, SEEN)]
    past = run.data.sel(condition="full").isel(seed=1)
    scenes = [
        view._scene({name: k[name].values for name in view._KEPT}, past.sel(time=slice(None, t)), PARAMETERS)
        for k, t in zip(kept, (0, SEEN), strict=True)
    ]
    kinds = [type(layer).__name__ for layer in scenes[0].layers]
    assert kinds == ["Network", "Lines", "Lines", "Lines", "Agents"]
    cut = next(x for x in scenes[1].layers if isinstance(x, Lines) and x.kind == view.DELETED)
    weight, alive, place = (kept[1][f"graph.{k}"].values for k in ("weight", "alive", "place"))
    gap = 3 * np.linalg.norm(place[:, None] - place[None], axis=-1)
    dead = (np.maximum(weight, weight.T) == 0) & (gap < 1.6) & alive[:, None] & alive[None]
    assert len(cut.x) == 3 * np.triu(dead, 1).sum() > 0
    assert animate(scenes, tmp_path / "search.gif").stat().st_size > 1000


@pytest.fixture(scope="module")
def rivalry(tmp_path_factory):
    # One that draws a map and one that learns a policy; to explore differs from planning in where to only.
    cells = {name: {"rival": name, "visits": 3, "change": 2} for name in ("replan", "ppo")}
    return el.run(
        NeuralSearch(rooms=3, places=16, speed=0.04), steps=200, every=1, seeds=3, conditions=cells, progress=False,
        workers=1, keep=[200], out=tmp_path_factory.mktemp("n") / "r",
    )  # fmt: skip


def test_rivals_find_what_there_is_to_find(rivalry, walls):
    for name in ("replan", "ppo"):
        assert (of(rivalry, name, "reached")[:, 0] == 1).all(), name
        for what in ("failed", "deleted", "grown", "hops", "linked"):
            assert (of(rivalry, name, what) == 0).all(), (name, what)
    took, best = of(rivalry, "replan", "took"), of(rivalry, "replan", "best")
    assert (of(rivalry, "replan", "reached") == 1).all() and (took[:, 1] <= took[:, 0]).all()
    assert (took > 0.8 * best).all(), "ways are measured between the middles of cells, and corners can be cut a little"
    # Walls on the map are walls of the maze, or of the one with a wall moved.
    known = rivalry.state(200, "replan")
    for seed in range(3):
        met = mazes.Maze(*(known[f"rival.met.{k}"].transpose("seed", ...).values[seed] for k in ("right", "up")))
        open_in_both = edges(walls["maze"][seed]) & edges(walls["changed"][seed])
        assert noted_walls(met, 3) and not noted_walls(met, 3) & open_in_both


# -- what is done to it ------------------------------------------------------------------------------------------------

LOST = np.arange(24) % 4 == 2
DONE = {
    "held": (lambda during: el.Scale("*.move", 0.0, during), (3, 6)),
    "level": (lambda during: el.Clamp("activity", 1.0, during), (3, None)),
    "hopeful": (lambda during: el.Clamp("state.graph.weight", 0.8, during), (8, 9)),
    "sterile": (lambda during: el.Ablate("grow", during=during), (3, None)),
    "fewer": (lambda during: el.Clamp("state.graph.alive", False, during, where=LOST), (5, 6)),
    "crossed": (lambda during: el.Swap("state.graph.code", [2, 3], [4, 5], during=during), (5, 6)),
}
STEPS = 40


@pytest.fixture(scope="module")
def treated(tmp_path_factory):
    """All interventions in one program, of which each condition lets one act."""

    def only(which: str) -> el.Condition:
        return el.Condition(
            interventions=tuple(make(when if name == which else (9999, None)) for name, (make, when) in DONE.items())
        )

    return el.run(
        NeuralSearch(**SMALLEST, density=1.0), steps=STEPS, every=1, seeds=4, progress=False, workers=1,
        conditions={name: only(name) for name in ("none", *DONE)}, keep=list(range(STEPS + 1)),
        out=tmp_path_factory.mktemp("n") / "r",
    )  # fmt: skip


def kept(run, condition, time, *names):
    found = run.state(time, condition)
    return tuple(found[name].transpose("seed", ...).values for name in names)


def busy(run, condition, time):
    """Seeds that are still searching when a step begins."""
    return kept(run, condition, time, "visit")[0] == 0


def test_nothing_differs_before_it_is_done(treated):
    for name, (_, (start, _)) in DONE.items():
        for what in ("graph.weight", "graph.alive", "graph.code", "place", "here", "took"):
            here, there = (kept(treated, c, start, what)[0] for c in (name, "none"))
            np.testing.assert_array_equal(here, there, err_msg=f"{name}: {what}")


def test_who_cannot_move_stays_and_gives_up(treated):
    begin, took = kept(treated, "held", 3, "place", "took")
    for time in (4, 5, 6):
        place, now = kept(treated, "held", time, "place", "took")
        np.testing.assert_array_equal(place, begin)
        # Two motor steps without getting on, there and back; or a moment of thought.
        assert np.isin((now - took)[busy(treated, "held", time), 0], (1, 3, 4)).all()
        took = now
    assert (kept(treated, "held", 9, "place")[0] != begin).any()


def test_without_spreading_the_strongest_synapse_is_next(treated):
    some = 0
    for time in range(3, 12):
        *parts, here = kept(treated, "level", time, *(f"graph.{k}" for k in graphs.Graph._fields), "here")
        weight = parts[2]
        after, now = kept(treated, "level", time + 1, "graph.weight", "here")
        for s in np.flatnonzero(busy(treated, "level", time)):
            graph = graphs.Graph(*(jnp.asarray(x[s]) for x in parts))
            gain = np.asarray(graphs.gains(graph, 1.6 / 3, 0.95, 10.0))[here[s]]
            to = int(gain.argmax())
            if gain[to] > 0:
                some += 1
                assert now[s] == to or after[s, here[s], to] < weight[s, here[s], to]
    assert some > 10


def test_amnesia_leaves_one_behaviour_to_be_known(treated):
    (before,), (weight, grown), (then,) = (
        kept(treated, "hopeful", 8, "grown"), kept(treated, "hopeful", 9, "graph.weight", "grown"),
        kept(treated, "none", 9, "graph.weight"),
    )  # fmt: skip
    changed = (weight != np.float32(0.8)).sum((1, 2))
    assert (changed[grown == before] <= 2).all() and (grown == before).any()
    assert ((then != np.float32(0.8)).sum((1, 2)) > 2).any()


def test_where_growth_is_ablated_no_neuron_is_made(treated):
    grown, none = (treated.data["grown"].sel(condition=c).transpose("seed", "time").values for c in ("sterile", "none"))
    assert (grown[:, 3:] == grown[:, 3:4]).all() and (none[:, -1] > none[:, 3]).any()


def test_a_lesion_takes_its_neurons_and_no_others(treated):
    alive, before = kept(treated, "fewer", 5, "graph.alive", "grown")
    after, grown = kept(treated, "fewer", 6, "graph.alive", "grown")
    same = grown == before
    np.testing.assert_array_equal(after[same], (alive & ~LOST)[same])
    assert same.any() and (alive & LOST).any(1).all()


def test_codes_that_were_crossed_once_stay_crossed(treated):
    before, after, later = (kept(treated, "crossed", t, "graph.code")[0] for t in (5, 6, 7))
    order = np.arange(24)
    order[[2, 3, 4, 5]] = [4, 5, 2, 3]
    made = kept(treated, "crossed", 7, "grown")[0] == kept(treated, "crossed", 5, "grown")[0]
    np.testing.assert_array_equal(after[made], before[made][:, order])
    np.testing.assert_array_equal(later[made], after[made])
    assert made.any()


def test_conditions_that_are_dear_are_not_of_the_quick_size():
    assert {"replan", "frontier", "ppo", "ppo-8", "shuffled"}.isdisjoint(QUICK) and set(QUICK) < set(CONDITIONS)
    assert all("rival" not in CONDITIONS[name].set and not CONDITIONS[name].interventions for name in QUICK)


def test_every_part_can_be_reached():
    names = {site.name for site in el.sites(NeuralSearch(**SMALLEST))}
    assert {"seen", "gain", "activity", "grow", "located", "state.graph.weight", "state.graph.alive"} <= names
    assert {f"{way}.{what}" for way in ("out", "back") for what in ("felt", "move", "sensed")} <= names


def test_bad_values_are_told():
    with pytest.raises(el.UserError, match=f"'rooms' must be a whole number in \\[2, {SIDE}\\]"):
        NeuralSearch(rooms=40)
    with pytest.raises(el.UserError, match="'mind' must be one of 'graph', 'walk', 'table'"):
        NeuralSearch(mind="monkey")
    with pytest.raises(el.UserError, match="'places' must be a whole number >= 16"):
        NeuralSearch(places=4)
