"""The grid world: its moves, its tables against Gymnasium's, and the plan that is the oracle of learners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergelab.errors import UserError
from emergelab.worlds.grid import Grid, distances, model, plan, read

LAKE = """
    S...
    .P.P
    ...P
    P..G
"""


@pytest.fixture(scope="module")
def lake():
    return read(LAKE)


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("S.\n.G.", "lengths"),
        ("SX\n.G", "'X'"),
        ("..\n.G", "no start"),
        ("S.\n..", "no goal"),
    ],
)
def test_maps_that_cannot_be_read(text, trouble):
    with pytest.raises(UserError, match=trouble):
        read(text)


@pytest.mark.parametrize("slip", [0.0, 2 / 3])
def test_its_tables_are_those_of_frozen_lake(lake, slip):
    """Gymnasium's FrozenLake moves as meant, or with a third each as meant and to both sides."""
    gymnasium = pytest.importorskip("gymnasium")
    peer = gymnasium.make("FrozenLake-v1", is_slippery=slip > 0).unwrapped
    assert [b"".join(row).decode() for row in peer.desc] == ["SFFF", "FHFH", "FFFH", "HFFG"]
    tables = model(lake, slip)
    for cell in range(16):
        for action in range(4):
            chance, reward = np.zeros(16), 0.0
            for p, to, r, _ in peer.P[cell][action]:
                chance[to] += p
                reward += p * r
            np.testing.assert_allclose(tables.chance[cell, action], chance, atol=1e-12)
            assert tables.reward[cell, action] == pytest.approx(reward)


def test_the_best_plan_is_the_shortest_way(lake):
    found = plan(model(lake), 0.9)
    away = np.asarray(distances(lake.wall | lake.pit, lake.goal)).ravel()
    for cell in np.flatnonzero(away > 0):
        assert found.value[cell] == pytest.approx(0.9 ** (away[cell] - 1))


def test_a_plan_needs_a_discount(lake):
    with pytest.raises(ValueError, match="discount"):
        plan(model(lake), 1.0)


def test_distances_go_around_walls_and_know_what_cannot_be_reached():
    level = read("""
        S#G.
        .#.#
        ...#
        ###.
    """)
    found = np.asarray(distances(level.wall, level.goal))
    assert found.tolist() == [[6, -1, 0, 1], [5, -1, 1, -1], [4, 3, 2, -1], [-1, -1, -1, -1]]


def test_moves_walls_edges_and_ends(lake):
    world = Grid(lake, limit=3)
    state = world.reset(lake, jax.random.key(0))
    assert state.place.tolist() == [0, 0]
    key = jax.random.key(1)

    def go(state, action):
        return world.step(state, jnp.int32(action), key)

    assert go(state, 0).state.place.tolist() == [0, 0]  # the edge
    south = go(state, 1)
    assert south.state.place.tolist() == [1, 0] and not south.terminated and south.reward == 0
    pit = go(south.state, 2)
    assert pit.terminated and pit.reward == 0 and not pit.truncated
    again = go(go(south.state, 1).state, 1)
    assert again.terminated  # a pit on the third step is an end, not a cut
    cut = go(go(go(state, 0).state, 0).state, 0)
    assert cut.truncated and not cut.terminated
    by_goal = state._replace(place=jnp.array([3, 2]))
    assert go(by_goal, 2).terminated and go(by_goal, 2).reward == 1


def test_a_slippery_move_goes_astray_as_often_as_it_says(lake):
    world = Grid(lake, slip=0.3)
    state = world.reset(lake, jax.random.key(0))._replace(place=jnp.array([1, 2]))
    keys = jax.random.split(jax.random.key(2), 20_000)
    places = jax.vmap(lambda k: world.step(state, jnp.int32(1), k).state.place)(keys)
    share = np.mean(np.asarray(places) == [2, 2], axis=0).min()
    assert share == pytest.approx(0.7, abs=4 * np.sqrt(0.3 * 0.7 / 20_000))


def test_starts_are_drawn_among_those_of_the_map():
    level = read("SS\n.G")
    world = Grid(level)
    places = jax.vmap(lambda k: world.reset(level, k).place)(jax.random.split(jax.random.key(0), 200))
    assert {tuple(p) for p in np.asarray(places).tolist()} == {(0, 0), (0, 1)}
    assert world.see(world.reset(level, jax.random.key(0))).sum() == 1
