"""The parts of neural search, one by one: mazes, the graph, other minds and rivals."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.studies.learners.neural_search import _graph as graphs
from emergelab.studies.learners.neural_search import _maze as mazes
from emergelab.studies.learners.neural_search import _minds as minds
from emergelab.studies.learners.neural_search import _rivals as rivals

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
