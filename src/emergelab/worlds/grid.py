"""A plain grid world: compass moves, walls, pits and goals, and ground that may be slippery.

A level is a map, so levels are data that a teacher may draw, edit and keep. `read` makes one from text:

    S..#
    .#.P
    ...G

Functions on maps (`distances`, `model`) know nothing of agents: how far everything is from the goals, and the whole
decision process as tables, from which `plan` computes the best policy exactly: the oracle of every learner here.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.errors import UserError

from .world import Discrete, Outcome, World

__all__ = ["MOVES", "Grid", "GridLevel", "GridState", "Model", "Plan", "distances", "model", "plan", "read"]

# West, south, east, north as (y, x), the order of Gymnasium's FrozenLake.
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))


class GridLevel(NamedTuple):
    """A map.

    Attributes:
        wall: cells that cannot be entered; neither can what lies outside the map.
        pit: cells that end an episode with nothing.
        goal: cells that end an episode with a reward of 1.
        start: cells in which episodes begin, one of them drawn at random.
    """

    wall: Bool[Array, "y x"]
    pit: Bool[Array, "y x"]
    goal: Bool[Array, "y x"]
    start: Bool[Array, "y x"]


class GridState(NamedTuple):
    """Where the agent is.

    Attributes:
        level: the map.
        place: y and x.
        time: steps made in the episode.
    """

    level: GridLevel
    place: Int[Array, "2"]
    time: Int[Array, ""]


def read(text: str) -> GridLevel:
    """A map from text: `#` wall, `P` pit, `G` goal, `S` start, `.` free.

    Raises:
        UserError: lines of unequal length, an unknown sign, no start or no goal.
    """
    rows = [line.strip() for line in text.strip().splitlines()]
    if len({len(row) for row in rows}) != 1:
        raise UserError(f"read: the map's lines have lengths {[len(row) for row in rows]}, expected equal ones")
    signs = np.array([list(row) for row in rows])
    unknown = sorted(set(signs.ravel().tolist()) - set("#PGS."))
    if unknown:
        raise UserError(f"read: the map holds {unknown[0]!r}, expected one of '#', 'P', 'G', 'S', '.'")
    for sign, what in (("S", "start"), ("G", "goal")):
        if not (signs == sign).any():
            raise UserError(f"read: the map has no {what} ({sign!r}), expected at least one")
    return GridLevel(*(jnp.asarray(signs == sign) for sign in "#PGS"))


class Grid(World):
    """A grid world.

    Attributes:
        map: the level of every episode, unless the caller brings others of the same size.
        slip: probability of a move at a right angle to the one meant, both sides together, in [0, 1].
        limit: steps after which an episode is cut off.
    """

    map: GridLevel
    slip: Float[Array, ""] | float = 0.0
    limit: int = eqx.field(static=True, default=100)

    @property
    def actions(self) -> Discrete:
        return Discrete(len(MOVES))

    def level(self, key: PRNGKeyArray) -> GridLevel:
        return self.map

    def reset(self, level: GridLevel, key: PRNGKeyArray) -> GridState:
        cell = jax.random.categorical(key, jnp.where(level.start, 0.0, -jnp.inf).ravel())
        width = level.start.shape[1]
        return GridState(level, jnp.stack([cell // width, cell % width]).astype(jnp.int32), jnp.int32(0))

    def step(self, state: GridState, action: Int[Array, ""], key: PRNGKeyArray) -> Outcome:
        of_slip, of_side = jax.random.split(key)
        side = jnp.where(jax.random.bernoulli(of_side), 1, -1)
        turned = jnp.where(jax.random.bernoulli(of_slip, self.slip), (action + side) % len(MOVES), action)
        place = _moved(state.level, state.place, turned)
        time = state.time + 1
        at_goal, in_pit = state.level.goal[place[0], place[1]], state.level.pit[place[0], place[1]]
        over = at_goal | in_pit
        return Outcome(
            GridState(state.level, place, time), at_goal.astype(jnp.float32), over, ~over & (time >= self.limit)
        )

    def see(self, state: GridState) -> Float[Array, "cell"]:
        """The agent's place, one-hot."""
        height, width = state.level.wall.shape
        return jax.nn.one_hot(state.place[0] * width + state.place[1], height * width)


def _moved(level: GridLevel, place: Int[Array, "2"], action: Int[Array, ""]) -> Int[Array, "2"]:
    """Where a move leads: nowhere if a wall or the edge is in the way."""
    height, width = level.wall.shape
    to = place + jnp.asarray(MOVES, jnp.int32)[action]
    to = jnp.clip(to, 0, jnp.array([height - 1, width - 1], jnp.int32))
    return jnp.where(level.wall[to[0], to[1]], place, to)


def distances(wall: Bool[Array, "y x"], goal: Bool[Array, "y x"]) -> Int[Array, "y x"]:
    """Moves from every cell to the nearest goal, -1 where there is no way (breadth-first search by dilation).

    Args:
        wall: cells that cannot be entered.
        goal: where the way ends.
    """
    far = wall.size  # no way is as long

    def turn(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        known, _ = carry
        padded = jnp.pad(known, 1, constant_values=far)
        near = jnp.minimum(
            jnp.minimum(padded[:-2, 1:-1], padded[2:, 1:-1]), jnp.minimum(padded[1:-1, :-2], padded[1:-1, 2:])
        )
        better = jnp.where(wall, far, jnp.minimum(known, near + 1))
        return better, jnp.any(better != known)

    start = jnp.where(goal & ~wall, 0, far)
    found, _ = jax.lax.while_loop(lambda c: c[1], turn, (start, jnp.bool_(True)))
    return jnp.where(found >= far, -1, found)


class Model(NamedTuple):
    """The decision process as tables.

    Attributes:
        chance: of coming from a cell to another, by action.
        reward: expected, by cell and action.
        ends: cells in which nothing more happens.
    """

    chance: Float[np.ndarray, "cell action cell"]
    reward: Float[np.ndarray, "cell action"]
    ends: Bool[np.ndarray, "cell"]


def model(level: GridLevel, slip: float = 0.0) -> Model:
    """The tables of a map, limits of time apart."""
    wall, pit, goal = (np.asarray(x) for x in (level.wall, level.pit, level.goal))
    height, width = wall.shape
    cells = height * width
    chance, reward = np.zeros((cells, len(MOVES), cells)), np.zeros((cells, len(MOVES)))
    ends = (pit | goal | wall).ravel()
    for cell in range(cells):
        for action in range(len(MOVES)):
            for turn, share in ((0, 1 - slip), (1, slip / 2), (-1, slip / 2)):
                dy, dx = MOVES[(action + turn) % len(MOVES)]
                y, x = divmod(cell, width)
                to = (min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1))
                to = (y, x) if wall[to] or ends[cell] else to
                chance[cell, action, to[0] * width + to[1]] += share
                reward[cell, action] += share * bool(goal[to] and not ends[cell])
    return Model(chance, reward, ends)


class Plan(NamedTuple):
    """The best that can be done.

    Attributes:
        value: of each cell.
        action: a best one in each cell.
    """

    value: Float[np.ndarray, "cell"]
    action: Int[np.ndarray, "cell"]


def plan(tables: Model, discount: float, tolerance: float = 1e-10) -> Plan:
    """The best policy by value iteration.

    Args:
        tables: the decision process.
        discount: gamma, in [0, 1).
        tolerance: the values are exact up to this.

    Raises:
        ValueError: the discount lies outside [0, 1).
    """
    if not 0 <= discount < 1:
        raise ValueError(f"plan: the discount is {discount:g}, expected a number in [0, 1)")
    value = np.zeros(len(tables.ends))
    while True:
        of_action = tables.reward + discount * np.where(tables.ends[:, None], 0.0, tables.chance @ value)
        better = np.where(tables.ends, 0.0, of_action.max(1))
        # A change of d in the values is at most d * discount / (1 - discount) away from the fixed point.
        if np.abs(better - value).max() * discount <= tolerance * (1 - discount):
            return Plan(better, of_action.argmax(1))
        value = better
