"""Continuous worlds without a reward of their own: a plane with walls, a body with a posture, a table with discs.

`Plane` is a point that moves in x and y. Walls are blocked cells of a unit grid, given as an array, so mazes are levels
like any other; who runs into a wall slides along it. A body may have a *posture*, numbers that change at once and lead
nowhere: whoever only wants to be told apart will bend instead of travel (`crawler`). It may also see *noise*, numbers
that are drawn anew at each step whatever it does. `Table` is the tip of an arm on a square table with two discs that
can be pushed.

Coordinates are (x, y), y upwards; arrays of cells are (y, x) with the lowest row first.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.errors import UserError

from .world import Continuous, Outcome, World, never

__all__ = [
    "OPEN", "Plane", "PlaneLevel", "PlaneState", "Table", "TableLevel", "TableState", "crawler", "geodesic", "read",
    "slide", "walled",
]  # fmt: skip

Number = Float[Array, ""] | Float[np.ndarray, ""] | np.floating | float

# How near to a wall one can come, so that rounding never puts anybody into it.
_GAP = 1e-3


class PlaneLevel(NamedTuple):
    """Walls and a place to start from.

    Attributes:
        wall: cells of side 1 that cannot be entered, the lowest row first. The plane beyond the array is free, so a
            maze needs a wall around it.
        corner: x and y of the array's lower left corner.
        start: x and y of the body at the beginning.
    """

    wall: Bool[Array, "*batch y x"]
    corner: Float[Array, "*batch 2"]
    start: Float[Array, "*batch 2"]


# The plane without walls, from its origin. An array of NumPy's, because modules are read before JAX has to start.
OPEN = PlaneLevel(np.zeros((1, 1), bool), np.zeros(2, np.float32), np.zeros(2, np.float32))  # type: ignore[arg-type]


def read(text: str) -> PlaneLevel:
    """A level from text: `#` wall, `.` free, `S` the start, in the middle of its cell.

    The first line is the uppermost row; the lower left corner of the last line lies at the origin.

    Raises:
        UserError: lines of unequal length, an unknown sign, not exactly one start.
    """
    rows = [line.strip() for line in text.strip().splitlines()]
    if len({len(row) for row in rows}) != 1:
        raise UserError(f"read: the level's lines have lengths {[len(row) for row in rows]}, expected equal ones")
    signs = np.array([list(row) for row in rows])[::-1]
    unknown = sorted(set(signs.ravel().tolist()) - set("#.S"))
    if unknown:
        raise UserError(f"read: the level holds {unknown[0]!r}, expected one of '#', '.', 'S'")
    starts = np.argwhere(signs == "S")
    if len(starts) != 1:
        raise UserError(f"read: the level has {len(starts)} starts ('S'), expected exactly one")
    y, x = starts[0]
    return PlaneLevel(jnp.asarray(signs == "#"), jnp.zeros(2), jnp.array([x + 0.5, y + 0.5], jnp.float32))


def walled(level: PlaneLevel, place: Float[Array, "*batch 2"]) -> Bool[Array, "*batch"]:
    """Whether places lie within walls."""
    cell = jnp.floor(place - level.corner).astype(jnp.int32)
    height, width = level.wall.shape
    inside = (cell[..., 0] >= 0) & (cell[..., 0] < width) & (cell[..., 1] >= 0) & (cell[..., 1] < height)
    x, y = jnp.clip(cell[..., 0], 0, width - 1), jnp.clip(cell[..., 1], 0, height - 1)
    return inside & level.wall[y, x]


def slide(level: PlaneLevel, place: Float[Array, "2"], move: Float[Array, "2"]) -> Float[Array, "2"]:
    """Where a move leads: first along x, then along y, each of them only as far as a wall allows.

    Args:
        level: the walls.
        place: a free place.
        move: numbers beyond 1 are cut to 1, the side of a cell, so that no wall can be jumped over.
    """
    move = jnp.clip(move, -1.0, 1.0)
    for axis in (0, 1):
        here, to = place[axis], place.at[axis].add(move[axis])
        cell = jnp.floor(here - level.corner[axis]) + level.corner[axis]
        # Nobody is pushed back who stands nearer to the wall than the gap already.
        edge = jnp.where(move[axis] > 0, jnp.maximum(here, cell + 1 - _GAP), jnp.minimum(here, cell + _GAP))
        place = place.at[axis].set(jnp.where(walled(level, to), edge, to[axis]))
    return place


def geodesic(
    level: PlaneLevel, target: Float[np.ndarray, "2"], fine: int = 4, margin: float = 0.0
) -> tuple[Float[np.ndarray, "y x"], Float[np.ndarray, "2"]]:
    """How far it is to a place from everywhere around it, around walls.

    A body that moves by (dx, dy) in a step, each at most v, comes as far in both directions as in one, so the length
    of a way is its largest coordinate, and what is returned, divided by v, is a number of steps. Ways go from cell to
    cell of a finer grid, also across corners where both neighbours are free.

    Args:
        level: the walls.
        target: where to.
        fine: cells to a unit of length; a way is exact up to 1 / `fine`.
        margin: how far the map reaches beyond the array of walls.

    Returns:
        Distances of the middles of the cells, `inf` within walls and where no way leads, the lowest row first; and the
        map's lower left corner.

    Raises:
        UserError: the target lies within a wall or beyond the map.
    """
    border = int(np.ceil(margin)) * fine
    wall = np.pad(np.kron(np.asarray(level.wall), np.ones((fine, fine), bool)), border)
    corner = np.asarray(level.corner, np.float64) - border / fine
    x, y = np.floor((np.asarray(target, np.float64) - corner) * fine).astype(int)
    if not (0 <= y < wall.shape[0] and 0 <= x < wall.shape[1]) or wall[y, x]:
        raise UserError(f"geodesic: the target {np.asarray(target).tolist()} lies in a wall or beyond the map")
    free = ~np.pad(wall, 1, constant_values=True)
    found = np.full(free.shape, np.inf)
    found[y + 1, x + 1] = 0.0
    edge = found == 0
    moves = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    length = 0
    while edge.any():
        length += 1
        reached = np.zeros_like(edge)
        for dy, dx in moves:
            # Straight moves have themselves as both neighbours.
            both = np.roll(free, dy, 0) & np.roll(free, dx, 1) if dy and dx else True
            reached |= np.roll(edge, (dy, dx), (0, 1)) & both
        edge = reached & free & np.isinf(found)
        found[edge] = length / fine
    return found[1:-1, 1:-1], corner


class PlaneState(NamedTuple):
    """Where a body is.

    Attributes:
        level: walls and start.
        place: x and y.
        posture: numbers in [-1, 1].
        noise: drawn anew at each step, standard normal.
        time: steps made in the episode.
    """

    level: PlaneLevel
    place: Float[Array, "2"]
    posture: Float[Array, "posture"]
    noise: Float[Array, "noise"]
    time: Int[Array, ""]


class Plane(World):
    """A body on a plane. The first two actions move it, the others bend it. There is no reward and no end.

    Attributes:
        map: the level of every episode, unless the caller brings others of the same size.
        speed: how far an action of 1 moves, along x and along y; at most 1.
        bend: how far an action of 1 changes a posture.
        loud: standard deviation of the noise that is seen.
        postures: how many there are.
        noises: how many random numbers are seen.
        limit: steps after which an episode is cut off.
    """

    map: PlaneLevel = OPEN
    speed: Number = 0.15
    bend: Number = 0.3
    loud: Number = 1.0
    postures: int = eqx.field(static=True, default=0)
    noises: int = eqx.field(static=True, default=0)
    limit: int = eqx.field(static=True, default=100)

    @property
    def actions(self) -> Continuous:
        return Continuous(2 + self.postures)

    @property
    def numbers(self) -> int:
        """How many numbers the agent sees."""
        return 2 + self.postures + self.noises

    def level(self, key: PRNGKeyArray) -> PlaneLevel:
        return jax.tree.map(jnp.asarray, self.map)

    def reset(self, level: PlaneLevel, key: PRNGKeyArray) -> PlaneState:
        level = jax.tree.map(jnp.asarray, level)
        noise = jax.random.normal(key, (self.noises,))
        return PlaneState(level, level.start, jnp.zeros(self.postures), noise, jnp.int32(0))

    def step(self, state: PlaneState, action: Float[Array, "action"], key: PRNGKeyArray) -> Outcome:
        place = slide(state.level, state.place, self.speed * action[:2])
        posture = jnp.clip(state.posture + self.bend * action[2:], -1.0, 1.0)
        noise = jax.random.normal(key, (self.noises,))
        time = state.time + 1
        after = PlaneState(state.level, place, posture, noise, time)
        return Outcome(after, jnp.float32(0.0), never(), time >= self.limit)

    def see(self, state: PlaneState) -> Float[Array, "number"]:
        """Place, posture, noise."""
        return jnp.concatenate([state.place, state.posture, self.loud * state.noise])


def crawler(noises: int = 0, limit: int = 100, level: PlaneLevel = OPEN) -> Plane:
    """A body with two postures: four actions, of which two lead away and two do not.

    Args:
        noises: how many random numbers it sees beside its place and posture.
        limit: steps of an episode.
        level: walls and start.
    """
    return Plane(level, postures=2, noises=noises, limit=limit)


# -- a table ----------------------------------------------------------------------------------------------------------


class TableLevel(NamedTuple):
    """How a table is laid.

    Attributes:
        tip: x and y of the arm's tip at the beginning.
        discs: x and y of each disc's middle.
    """

    tip: Float[Array, "*batch 2"]
    discs: Float[Array, "*batch disc 2"]


class TableState(NamedTuple):
    """What lies where.

    Attributes:
        level: how it was laid.
        tip: x and y of the arm's tip.
        discs: x and y of each disc's middle.
        time: steps made in the episode.
    """

    level: TableLevel
    tip: Float[Array, "2"]
    discs: Float[Array, "disc 2"]
    time: Int[Array, ""]


class Table(World):
    """A square table, from -0.5 to 0.5 in x and y, with an arm's tip and two discs. There is no reward and no end.

    A disc that the tip comes nearer to than `contact` is pushed straight away from it, as far as the table's edge.
    Discs do not touch each other.

    Attributes:
        speed: how far an action of 1 moves the tip, along x and along y. Less than `contact`, or it may jump a disc.
        contact: distance at which the tip touches a disc.
        limit: steps after which an episode is cut off.
    """

    speed: Number = 0.03
    contact: Number = 0.05
    limit: int = eqx.field(static=True, default=100)

    @property
    def actions(self) -> Continuous:
        return Continuous(2)

    @property
    def numbers(self) -> int:
        """How many numbers the agent sees."""
        return 6

    def level(self, key: PRNGKeyArray) -> TableLevel:
        """The tip in the middle of the near edge, a disc on either side of it."""
        return TableLevel(jnp.array([0.0, -0.3]), jnp.array([[-0.2, 0.0], [0.2, 0.0]]))

    def reset(self, level: TableLevel, key: PRNGKeyArray) -> TableState:
        return TableState(level, level.tip, level.discs, jnp.int32(0))

    def step(self, state: TableState, action: Float[Array, "action"], key: PRNGKeyArray) -> Outcome:
        tip = jnp.clip(state.tip + self.speed * action, -0.5, 0.5)
        apart = state.discs - tip
        far = jnp.sqrt(jnp.sum(apart**2, -1, keepdims=True) + 1e-12)
        pushed = jnp.where(far < self.contact, tip + apart / far * self.contact, state.discs)
        time = state.time + 1
        after = TableState(state.level, tip, jnp.clip(pushed, -0.5, 0.5), time)
        return Outcome(after, jnp.float32(0.0), never(), time >= self.limit)

    def see(self, state: TableState) -> Float[Array, "number"]:
        """Tip, first disc, second disc."""
        return jnp.concatenate([state.tip, state.discs.ravel()])
