"""The plane: moves are exact, walls are never crossed, noise knows nothing of actions; the table's discs are pushed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.worlds.plane import OPEN, Plane, PlaneLevel, Table, TableLevel, crawler, geodesic, read, slide, walled

MAZE = """
    #####
    #.#.#
    #.#.#
    #S..#
    #####
"""
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def walk():
    """A compiled walk: a level and moves -> all places, and whether they lie in walls."""

    def run(level, moves):
        def one(place, move):
            place = slide(level, place, move)
            return place, (place, walled(level, place))

        return jax.lax.scan(one, level.start, moves)[1]

    return jax.jit(run)


def moved(level, place, move):
    return np.asarray(slide(level, jnp.asarray(place, jnp.float32), jnp.asarray(move, jnp.float32)))


@pytest.mark.parametrize(
    ("text", "trouble"), [("#.\n#", "lengths"), ("#X\nS.", "'X'"), ("..\n..", "0 starts"), ("SS\n..", "2 starts")]
)
def test_levels_that_cannot_be_read(text, trouble):
    with pytest.raises(UserError, match=trouble):
        read(text)


def test_a_level_as_text_has_its_lowest_row_first():
    level = read(MAZE)
    assert level.start.tolist() == [1.5, 1.5]
    assert np.asarray(level.wall)[1].tolist() == [True, False, False, False, True]
    assert np.asarray(level.wall)[3].tolist() == [True, False, True, False, True]


def test_moves_on_open_ground_are_exact():
    body = crawler()
    state = body.reset(body.level(KEY), KEY)
    state, reward, terminated, truncated = body.step(state, jnp.array([1.0, -0.5, 1.0, -1.0]), KEY)
    np.testing.assert_allclose(body.see(state), [0.15, -0.075, 0.3, -0.3], rtol=1e-6)
    assert (float(reward), bool(terminated), bool(truncated)) == (0.0, False, False)
    for _ in range(4):
        state = body.step(state, jnp.array([0.0, 0.0, 1.0, -1.0]), KEY).state
    np.testing.assert_allclose(body.see(state), [0.15, -0.075, 1.0, -1.0], rtol=1e-6)  # bent as far as it goes
    assert bool(crawler(limit=6).step(state, jnp.zeros(4), KEY).truncated)


def test_a_wall_stops_one_direction_and_lets_the_other_slide():
    level = read(MAZE)
    into = moved(level, [1.9, 2.5], [0.5, 0.2])
    np.testing.assert_allclose(into, [1.999, 2.7], rtol=1e-6)
    np.testing.assert_allclose(moved(level, into, [0.5, -0.1]), [1.999, 2.6], rtol=1e-6)
    np.testing.assert_allclose(moved(level, [3.1, 3.5], [-0.5, 0.0]), [3.001, 3.5], rtol=1e-6)
    np.testing.assert_allclose(moved(level, [1.5, 1.5], [7.0, 0.0]), [2.5, 1.5], rtol=1e-6)  # cut to the side of a cell
    assert moved(level, [1.9995, 2.5], [0.5, 0.0])[0] == np.float32(1.9995)  # nearer than the gap: not pushed back


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.floats(0.0, 0.5), st.sampled_from([0.15, 0.6, 1.0, 3.0]))
def test_walls_are_never_entered_nor_crossed(walk, seed, share, size):
    rng = np.random.default_rng(seed)
    wall = np.pad(rng.random((6, 7)) < share, 1, constant_values=True)
    free = np.argwhere(~wall)
    if not len(free):
        return
    y, x = free[rng.integers(len(free))]
    corner = rng.integers(-50, 50, 2)
    level = PlaneLevel(
        jnp.asarray(wall), jnp.asarray(corner, jnp.float32), jnp.asarray([corner[0] + x + 0.5, corner[1] + y + 0.5])
    )
    places, within = walk(level, jnp.asarray(rng.uniform(-size, size, (200, 2)), jnp.float32))
    assert not np.asarray(within).any()
    # Who never crosses a wall stays in the part of the maze that can be reached from the start by straight moves.
    cells = np.floor(np.asarray(places) - corner).astype(int)
    part, grown = np.zeros_like(wall), True
    part[y, x] = True
    while grown:
        near = part.copy()
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            near |= np.roll(part, (dy, dx), (0, 1)) & ~wall
        grown, part = (near != part).any(), near
    assert part[cells[:, 1], cells[:, 0]].all()


def test_beyond_the_array_the_plane_is_free():
    assert not np.asarray(walled(OPEN, jnp.array([[-3.0, 8.0], [0.5, 0.5], [1e4, 0.0]]))).any()
    block = OPEN._replace(wall=jnp.ones((1, 1), bool))
    assert np.asarray(walled(block, jnp.array([[-0.1, 0.5], [0.5, 0.5], [1.5, 0.5]]))).tolist() == [False, True, False]


def test_noise_knows_nothing_of_actions():
    body = crawler(noises=2)
    state = body.reset(body.level(KEY), KEY)
    keys = jax.random.split(KEY, 500)

    def noise(action):
        return jax.vmap(lambda k: body.see(body.step(state, action, k).state))(keys)

    still, moving = noise(jnp.zeros(4)), noise(jnp.ones(4))
    assert body.numbers == still.shape[1] == 6
    assert (still[:, 4:] == moving[:, 4:]).all()
    assert (still[:, :4] != moving[:, :4]).all()
    assert abs(float(still[:, 4:].mean())) < 0.1 and abs(float(still[:, 4:].std()) - 1) < 0.1
    quiet = Plane(postures=2, noises=2, loud=0.0)
    assert (quiet.see(quiet.step(state, jnp.zeros(4), KEY).state)[4:] == 0).all()


def test_levels_and_speeds_are_mapped_over():
    mazes = jax.tree.map(lambda *x: jnp.stack(x), read(MAZE), read(MAZE.replace("S..", "S#.")))

    def right(level, speed):
        world = Plane(speed=speed)
        return world.step(world.reset(level, KEY), jnp.array([1.0, 0.0]), KEY).state.place

    found = jax.vmap(right)(mazes, jnp.array([0.25, 0.75]))
    np.testing.assert_allclose(found, [[1.75, 1.5], [1.999, 1.5]], rtol=1e-6)


def test_ways_around_walls():
    level = read(MAZE)
    found, corner = geodesic(level, np.array([1.5, 3.5]), fine=2)
    assert corner.tolist() == [0.0, 0.0] and found.shape == (10, 10)
    assert found[7, 3] == 0.0 and np.isinf(found[0, 0])
    # Four moves down beside the wall, three across, four up, one of them across a corner that is free: 11 half units.
    assert found[7, 7] == 5.5
    ground, corner = geodesic(OPEN, np.zeros(2), fine=1, margin=3)
    y, x = np.mgrid[-3:4, -3:4]
    assert (ground == np.maximum(abs(y), abs(x))).all() and corner.tolist() == [-3.0, -3.0]
    with pytest.raises(UserError, match="in a wall"):
        geodesic(level, np.array([0.5, 0.5]))


def test_discs_are_pushed_straight_away_and_stay_on_the_table():
    table = Table()
    level = TableLevel(jnp.array([0.0, 0.0]), jnp.array([[0.06, 0.0], [0.49, 0.0]]))
    state = table.step(table.reset(level, KEY), jnp.array([1.0, 0.0]), KEY).state
    np.testing.assert_allclose(state.tip, [0.03, 0.0], atol=1e-7)
    np.testing.assert_allclose(state.discs, [[0.08, 0.0], [0.49, 0.0]], atol=1e-6)
    for _ in range(20):
        state = table.step(state, jnp.array([1.0, 0.0]), KEY).state
    np.testing.assert_allclose(table.see(state), [0.5, 0.0, 0.5, 0.0, 0.5, 0.0], atol=1e-6)
    first = table.reset(table.level(KEY), KEY)
    near = table.step(first, jnp.array([1.0, 1.0]), KEY).state
    assert (near.discs == first.discs).all()  # nothing is touched from afar
