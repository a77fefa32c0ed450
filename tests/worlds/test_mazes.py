"""Mazes against JaxUED's own functions and hand-worked cases; the drawing board; levels as text."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergelab.errors import UserError
from emergelab.worlds.mazes import (
    FACING,
    FORWARD,
    LEFT,
    RIGHT,
    Board,
    Maze,
    actions_to_goal,
    edit,
    mirrored,
    read,
    way,
    write,
)

CORNER = """
    >.#.
    #...
    ..#G
    ....
"""


@pytest.fixture(scope="module")
def theirs():
    return pytest.importorskip("jaxued.environments.maze")


@pytest.fixture(scope="module")
def corner():
    return read(CORNER)


@pytest.fixture(scope="module")
def chance():
    """Forty levels of 6 x 6 at random, some of which cannot be solved."""
    return jax.jit(jax.vmap(Maze(6, 14).level))(jax.random.split(jax.random.key(0), 40))


def rows(levels):
    arrays = jax.tree.map(np.asarray, levels)
    return [jax.tree.map(lambda x, i=i: x[i], arrays) for i in range(len(arrays.facing))]


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (">.\n.G.", "lengths"),
        (">X\n.G", "'X'"),
        ("..\n.G", "0 of its agent"),
        (">.\n..", "0 of its goal"),
        (">G\nG.", "2 of its goal"),
    ],
)
def test_mazes_that_cannot_be_read(text, trouble):
    with pytest.raises(UserError, match=trouble):
        read(text)


def test_text_and_back_as_jaxued_reads_it(chance, theirs):
    for level in rows(chance)[:8]:
        text = write(level)
        again, peer = read(text), theirs.Level.from_str(text)
        assert jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.all(a == b)), level, again))
        assert peer.goal_pos.tolist() == level.goal[::-1].tolist()
        assert peer.agent_pos.tolist() == level.start[::-1].tolist()
        assert int(peer.agent_dir) == int(level.facing) and (peer.wall_map == level.wall).all()


def test_a_mirror_image(corner):
    assert write(mirrored(corner)) == ".#.<\n...#\nG#..\n...."
    assert write(mirrored(mirrored(corner))) == write(corner)


def test_the_shortest_way(corner, chance):
    assert int(way(corner)) == 5
    assert int(way(read(">#G"))) == 0
    found = jax.jit(jax.vmap(way))(chance).tolist()
    assert found == [_walk(x.wall, tuple(x.start.tolist()), tuple(x.goal.tolist())) for x in rows(chance)]
    assert 0 in found


def _walk(wall, start, goal):
    """Breadth-first search with a queue."""
    known, queue = {start: 0}, [start]
    for y, x in queue:
        for dy, dx in FACING:
            to = (y + dy, x + dx)
            if 0 <= to[0] < wall.shape[0] and 0 <= to[1] < wall.shape[1] and not wall[to] and to not in known:
                known[to] = known[(y, x)] + 1
                queue.append(to)
    return known.get(goal, 0)


def test_the_fewest_actions_are_those_of_jaxued(corner, chance, theirs):
    # East, turn, south, turn, twice east, turn, south: eight, the goal being entered by the last.
    assert int(actions_to_goal(corner)) == 8
    solver = theirs.MazeSolved(6, 6)
    ours = jax.jit(jax.vmap(actions_to_goal))(chance).tolist()
    levels = [theirs.Level.from_str(write(level)) for level in rows(chance)]
    batch = jax.tree.map(lambda *parts: jnp.stack(jnp.asarray(parts)), *levels)
    found = np.asarray(jax.jit(jax.vmap(solver._precompute_min_steps_to_goal))(batch))
    steps = [f[x.facing, x.start[0], x.start[1]] for f, x in zip(found, rows(chance), strict=True)]
    assert ours == [-1 if np.isinf(s) else int(s) for s in steps] and -1 in ours


def test_walking_to_the_goal_pays_the_less_the_later(corner):
    world = Maze(4, 4, limit=20)
    step = jax.jit(world.step)
    state = world.reset(corner, jax.random.key(0))
    for i, action in enumerate((FORWARD, RIGHT, FORWARD, LEFT, FORWARD, FORWARD, RIGHT, FORWARD)):
        outcome = step(state, jnp.int32(action), jax.random.key(1))
        assert bool(outcome.terminated) == (i == 7)
        assert float(outcome.reward) == pytest.approx((1 - 0.9 * 8 / 20) * (i == 7))
        assert jax.tree.map(lambda x: x.dtype, outcome.state) == jax.tree.map(lambda x: x.dtype, state)
        state = outcome.state


def test_walls_and_edges_stop_and_time_ends(corner):
    world = Maze(4, 4, limit=2)
    state = world.reset(corner._replace(facing=jnp.int32(1)), jax.random.key(0))
    bump = world.step(state, jnp.int32(FORWARD), jax.random.key(1))
    assert bump.state.place.tolist() == [0, 0] and not bump.terminated
    assert world.step(bump.state, jnp.int32(LEFT), jax.random.key(1)).terminated


def test_what_the_agent_sees_turns_with_it(corner):
    world = Maze(4, 4, view=3)
    assert world.numbers == 22 and world.actions.size == 3
    seen = np.asarray(world.see(world.reset(corner, jax.random.key(0))))
    # Facing east: on its left the edge, ahead a free cell and then a wall, on its right a wall and two free cells.
    assert seen[:9].reshape(3, 3).tolist() == [[1, 0, 1], [1, 0, 0], [1, 1, 0]]
    assert seen[9:18].sum() == 0 and seen[18:].tolist() == [1, 0, 0, 0]
    beside = corner._replace(start=jnp.array([2, 1]), facing=jnp.int32(0))
    assert np.asarray(world.see(world.reset(beside, jax.random.key(0))))[9:18].reshape(3, 3).tolist() == [
        [0, 0, 0], [0, 0, 0], [0, 1, 0],
    ]  # fmt: skip


def test_it_is_jaxueds_maze(chance, theirs):
    """The same walks of sixty random actions bring the same sights, rewards and ends."""
    world, peer = Maze(6, 14, limit=60), theirs.Maze(6, 6, agent_view_size=5)
    limits = peer.default_params.replace(max_steps_in_episode=60)
    levels = rows(chance)[:6]
    see, step = jax.jit(world.see), jax.jit(world.step)
    step_peer = jax.jit(lambda state, action: peer.step_env(jax.random.key(0), state, action, limits))
    rng = np.random.default_rng(0)
    for level in levels:
        ours = world.reset(level, jax.random.key(0))
        seen, state = peer.reset_env_to_level(jax.random.key(0), theirs.Level.from_str(write(level)), limits)
        for action in rng.choice(3, 60, p=(0.2, 0.2, 0.6)).tolist():
            # Their window has its columns first and far rows first.
            things = np.asarray(seen.image[..., 0]).T[::-1]
            expected = np.concatenate([(things == 2).ravel(), (things == 8).ravel(), np.arange(4) == seen.agent_dir])
            np.testing.assert_array_equal(see(ours), expected)
            outcome = step(ours, jnp.int32(action), jax.random.key(0))
            seen, state, reward, done, _ = step_peer(state, action)
            assert float(outcome.reward) == pytest.approx(float(reward), abs=1e-6)
            assert bool(outcome.terminated) == bool(done)
            ours = outcome.state
            if done:
                break


def test_random_levels_are_well_formed_and_keep_the_budget(chance):
    level = jax.jit(jax.vmap(Maze(6, 0).level))(jax.random.split(jax.random.key(3), 10))
    assert not level.wall.any()
    counts = np.asarray(chance.wall.sum((1, 2)))
    assert counts.max() <= 14 and counts.mean() == pytest.approx(36 * (1 - (35 / 36) ** 14), abs=1.0)
    assert _formed(chance)
    full = jax.jit(Maze(2, 4).level)(jax.random.key(0))
    assert _formed(jax.tree.map(lambda x: x[None], full))


def _formed(levels):
    """Agent and goal stand on free cells, not on the same one."""
    return all(
        (level.start != level.goal).any() and not level.wall[tuple(level.start)] and not level.wall[tuple(level.goal)]
        for level in rows(levels)
    )


def test_edits_keep_levels_well_formed(chance):
    keys = jax.random.split(jax.random.key(4), 40)
    edited = jax.jit(jax.vmap(lambda level, key: edit(level, key, 5)))(chance, keys)
    assert _formed(edited)
    changed = np.asarray((edited.wall != chance.wall).sum((1, 2)))
    assert changed.max() <= 5 and changed.mean() > 0.5
    none = jax.jit(jax.vmap(lambda level, key: edit(level, key, 5, 0)))(chance, keys)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), none, chance))


def drawn(board, cells, facing=2):
    sketch = board.level(jax.random.key(0))._replace(facing=jnp.int32(facing))
    state = board.reset(sketch, jax.random.key(1))
    for cell in cells:
        outcome = _put(board, state, jnp.int32(cell))
        assert not outcome.terminated and outcome.reward == 0
        state = outcome.state
    return state


@eqx.filter_jit
def _put(board, state, cell):
    return board.step(state, cell, jax.random.key(2))


def test_a_level_is_drawn():
    board = Board(3, 3, jnp.int32(3))
    state = drawn(board, (0, 4, 4, 0, 8))
    assert write(state.level) == "G..\n.#.\n..<" and board.steps == 5
    assert int(state.time) == 5
    # The agent that is put on the goal stands beside it, and takes away the wall that is there.
    assert write(drawn(board, (4, 4, 4, 3, 3), facing=0).level) == "...\nG>.\n..."
    assert write(drawn(board, (0, 0, 0, 8, 8), facing=0).level) == "#..\n...\n.>G"


def test_a_budget_of_walls():
    board = Board(3, 3, jnp.int32(1))
    assert write(drawn(board, (1, 2, 3, 0, 8)).level) == "G#.\n...\n..<"
    assert write(drawn(Board(3, 3, jnp.int32(0)), (1, 2, 3, 0, 8)).level) == "G..\n...\n..<"


def test_what_the_designer_sees():
    board = Board(3, 2, jnp.int32(2), noise=4)
    state = drawn(board, (5,))
    seen = np.asarray(board.see(state))
    assert seen.shape == (board.numbers,) == (27,)
    assert np.flatnonzero(seen[:9]).tolist() == [5] and seen[9:18].sum() == 0
    assert seen[18:23].tolist() == [0, 1, 0, 0, 0]
    np.testing.assert_array_equal(seen[23:], state.sketch.noise)
    assert np.flatnonzero(np.asarray(board.see(drawn(board, (5, 1, 7))))[9:18]).tolist() == [7]
    other = board.level(jax.random.key(9))
    assert not np.allclose(other.noise, state.sketch.noise)
