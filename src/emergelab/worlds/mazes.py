"""Mazes as levels, an agent that walks them with three actions, and the drawing board on which one is designed.

The maze is MiniGrid's as JaxUED has it (Coward, Beukman & Foerster 2024): the agent turns left, turns right or steps
forward, sees a small window in front of itself, and gets 1 - 0.9 t / T for reaching the goal at time t. Places are
(y, x). Written anew, so that it needs no extra: JaxUED, whose store of levels and drawing board call a function that
JAX has given up, is the oracle of the tests.

`Board` is a world of its own: one action a step puts one wall, then the goal, then the agent on an empty board. What is
drawn at the end is a level, and who acts is a designer of environments.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.errors import UserError

from .grid import distances
from .world import Discrete, Outcome, World, never

__all__ = [
    "FACING", "FORWARD", "LEFT", "RIGHT", "Board", "BoardState", "Maze", "MazeLevel", "MazeState", "Sketch",
    "actions_to_goal", "edit", "mirrored", "read", "way", "write",
]  # fmt: skip

# What the agent faces, as (y, x): east, south, west, north, in JaxUED's order. The way to its right comes next.
FACING = ((0, 1), (1, 0), (0, -1), (-1, 0))
_ARROWS = ">v<^"
LEFT, RIGHT, FORWARD = 0, 1, 2
_WALL, _FREE, _GOAL, _START = range(4)

Whole = Int[Array, ""] | Int[np.ndarray, ""] | np.integer | int


class MazeLevel(NamedTuple):
    """A maze.

    Attributes:
        wall: cells that cannot be entered; neither can what lies outside.
        goal: y and x of the goal.
        start: y and x of the agent at the beginning.
        facing: 0 east, 1 south, 2 west, 3 north.
    """

    wall: Bool[Array, "*batch y x"]
    goal: Int[Array, "*batch 2"]
    start: Int[Array, "*batch 2"]
    facing: Int[Array, "*batch"]


def read(text: str) -> MazeLevel:
    """A maze from text: `#` wall, `G` goal, `.` free, and the agent as one of `>v<^`, the way it faces.

    Raises:
        UserError: lines of unequal length, an unknown sign, not exactly one goal or agent.
    """
    rows = [line.strip() for line in text.strip().splitlines()]
    if len({len(row) for row in rows}) != 1:
        raise UserError(f"read: the maze's lines have lengths {[len(row) for row in rows]}, expected equal ones")
    signs = np.array([list(row) for row in rows])
    unknown = sorted(set(signs.ravel().tolist()) - set("#G." + _ARROWS))
    if unknown:
        raise UserError(f"read: the maze holds {unknown[0]!r}, expected one of '#', 'G', '.', '>', 'v', '<', '^'")
    goals, agents = np.argwhere(signs == "G"), np.argwhere(np.isin(signs, list(_ARROWS)))
    for found, what in ((goals, "goal ('G')"), (agents, "agent (one of '>v<^')")):
        if len(found) != 1:
            raise UserError(f"read: the maze has {len(found)} of its {what}, expected exactly one")
    facing = _ARROWS.index(str(signs[tuple(agents[0])]))
    return MazeLevel(
        jnp.asarray(signs == "#"), jnp.asarray(goals[0], jnp.int32), jnp.asarray(agents[0], jnp.int32),
        jnp.int32(facing),
    )  # fmt: skip


def write(level: MazeLevel) -> str:
    """A maze as text, in the signs that `read` takes."""
    signs = np.where(np.asarray(level.wall), "#", ".")
    signs[tuple(np.asarray(level.start))] = _ARROWS[int(level.facing)]
    signs[tuple(np.asarray(level.goal))] = "G"
    return "\n".join("".join(row) for row in signs)


def mirrored(level: MazeLevel) -> MazeLevel:
    """The same maze with east and west exchanged."""
    last = level.wall.shape[1] - 1
    goal, start = (place.at[1].set(last - place[1]) for place in (level.goal, level.start))
    return MazeLevel(level.wall[:, ::-1], goal, start, jnp.array([2, 1, 0, 3])[level.facing])


def way(level: MazeLevel) -> Int[Array, ""]:
    """Cells from the agent's place to the goal by the shortest way, 0 if there is none."""
    goal = jnp.zeros(level.wall.shape, bool).at[level.goal[0], level.goal[1]].set(True)
    return jnp.maximum(distances(level.wall, goal)[level.start[0], level.start[1]], 0)


def actions_to_goal(level: MazeLevel) -> Int[Array, ""]:
    """The fewest actions, turns among them, that bring the agent to the goal; -1 if none do."""
    height, width = level.wall.shape
    far = jnp.int32(4 * height * width)
    goal = jnp.zeros((height, width), bool).at[level.goal[0], level.goal[1]].set(True)

    def ahead(known: Int[Array, "facing y x"]) -> Int[Array, "facing y x"]:
        """What is known of the cell in front."""
        padded = jnp.pad(known, ((0, 0), (1, 1), (1, 1)), constant_values=4 * height * width)
        return jnp.stack([padded[k, 1 + y : 1 + y + height, 1 + x : 1 + x + width] for k, (y, x) in enumerate(FACING)])

    def turn(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        known, _ = carry
        near = jnp.minimum(ahead(known), jnp.minimum(jnp.roll(known, 1, 0), jnp.roll(known, -1, 0)))
        better = jnp.where(level.wall, far, jnp.minimum(known, near + 1))
        return better, jnp.any(better != known)

    first = jnp.broadcast_to(jnp.where(goal & ~level.wall, 0, far), (4, height, width))
    found, _ = jax.lax.while_loop(lambda c: c[1], turn, (first, jnp.bool_(True)))
    here = found[level.facing, level.start[0], level.start[1]]
    return jnp.where(here >= far, -1, here)


class MazeState(NamedTuple):
    """Where the agent is.

    Attributes:
        level: the maze.
        place: y and x.
        facing: 0 east, 1 south, 2 west, 3 north.
        time: steps made in the episode.
    """

    level: MazeLevel
    place: Int[Array, "2"]
    facing: Int[Array, ""]
    time: Int[Array, ""]


class Maze(World):
    """A maze to be walked.

    Attributes:
        size: rows and columns.
        walls: so many are put in a level at random, with repetition.
        view: width and depth of the window that the agent sees, its own cell at the middle of the near edge.
        limit: steps after which an episode ends. The reward shrinks towards this end, so it is part of the task.
    """

    size: int = eqx.field(static=True, default=13)
    walls: Whole = 25
    view: int = eqx.field(static=True, default=5)
    limit: int = eqx.field(static=True, default=250)

    @property
    def actions(self) -> Discrete:
        """Turn left, turn right, step forward."""
        return Discrete(3)

    @property
    def numbers(self) -> int:
        """How many numbers the agent sees."""
        return 2 * self.view**2 + 4

    def level(self, key: PRNGKeyArray) -> MazeLevel:
        """Walls, agent and goal at random; whether the goal can be reached is left to chance."""
        of_wall, of_place, of_facing = jax.random.split(key, 3)
        cells = self.size**2
        put = jnp.arange(cells) < self.walls
        where = jnp.where(put, jax.random.randint(of_wall, (cells,), 0, cells), cells)
        wall = jnp.zeros(cells, bool).at[where].set(True, mode="drop")
        # The two free cells with the highest of random numbers, or any two if there are fewer.
        lot = jax.random.uniform(of_place, (cells,)) - wall
        goal = jnp.argmax(lot)
        start = jnp.argmax(lot.at[goal].set(-2.0))
        wall = wall.at[jnp.stack([goal, start])].set(False)
        return MazeLevel(
            wall.reshape(self.size, self.size), self._place(goal), self._place(start),
            jax.random.randint(of_facing, (), 0, 4),
        )  # fmt: skip

    def _place(self, cell: Int[Array, ""]) -> Int[Array, "2"]:
        return jnp.stack([cell // self.size, cell % self.size]).astype(jnp.int32)

    def reset(self, level: MazeLevel, key: PRNGKeyArray) -> MazeState:
        return MazeState(level, level.start, level.facing, jnp.int32(0))

    def step(self, state: MazeState, action: Int[Array, ""], key: PRNGKeyArray) -> Outcome:
        level = state.level
        to = state.place + jnp.asarray(FACING, jnp.int32)[state.facing] * (action == FORWARD)
        inside = jnp.all((to >= 0) & (to < self.size))
        here = jnp.clip(to, 0, self.size - 1)
        free = inside & ~level.wall[here[0], here[1]]
        place = jnp.where(free, to, state.place)
        turn = jnp.where(action == RIGHT, 1, jnp.where(action == LEFT, 3, 0))
        time = state.time + 1
        arrived = jnp.all(place == level.goal) & (action == FORWARD)
        reward = jnp.where(arrived, 1.0 - 0.9 * time / self.limit, 0.0)
        after = MazeState(level, place, (state.facing + turn) % 4, time)
        return Outcome(after, reward, arrived | (time >= self.limit), never())

    def see(self, state: MazeState) -> Float[Array, "number"]:
        """Walls and goal in the window, near rows first and from left to right, and the way the agent faces."""
        level, half = state.level, self.view // 2
        ways = jnp.asarray(FACING, jnp.int32)
        ahead, right = ways[state.facing], ways[(state.facing + 1) % 4]
        depth, side = np.mgrid[0 : self.view, -half : self.view - half]
        y, x = (state.place[k] + depth * ahead[k] + side * right[k] for k in (0, 1))
        outside = (y < 0) | (y >= self.size) | (x < 0) | (x >= self.size)
        wall = outside | level.wall[jnp.clip(y, 0, self.size - 1), jnp.clip(x, 0, self.size - 1)]
        goal = (y == level.goal[0]) & (x == level.goal[1])
        return jnp.concatenate([wall.ravel(), goal.ravel(), jnp.arange(4) == state.facing]).astype(jnp.float32)


def edit(level: MazeLevel, key: PRNGKeyArray, most: int, count: Whole | None = None) -> MazeLevel:
    """A maze with a few random edits: a wall put or taken away, the goal or the agent moved.

    Nothing is put where agent or goal stand.

    Args:
        level: what is edited.
        key: of the edits.
        most: how many edits there may be; shapes the program.
        count: how many are made, up to `most`; all of them if not given.
    """
    height, width = level.wall.shape

    def one(level: MazeLevel, draw: tuple[Array, Array, Array, Array]) -> tuple[MazeLevel, None]:
        cell, kind, facing, made = draw
        place = jnp.stack([cell // width, cell % width])
        taken = jnp.all(place == level.goal) | jnp.all(place == level.start)
        kind = jnp.where(made & ~taken, kind, -1)
        here = level.wall[place[0], place[1]]
        stands = jnp.where(kind == _WALL, True, jnp.where(kind > _WALL, False, here))
        return MazeLevel(
            level.wall.at[place[0], place[1]].set(stands), jnp.where(kind == _GOAL, place, level.goal),
            jnp.where(kind == _START, place, level.start), jnp.where(kind == _START, facing, level.facing),
        ), None  # fmt: skip

    of_cell, of_kind, of_facing = jax.random.split(key, 3)
    made = jnp.arange(most) < (most if count is None else count)
    draws = (
        jax.random.randint(of_cell, (most,), 0, height * width), jax.random.randint(of_kind, (most,), 0, 4),
        jax.random.randint(of_facing, (most,), 0, 4), made,
    )  # fmt: skip
    return jax.lax.scan(one, level, draws)[0]


# -- the drawing board ------------------------------------------------------------------------------------------------


class Sketch(NamedTuple):
    """What a drawing begins with.

    Attributes:
        noise: random numbers that the designer sees, so that it need not draw the same level each time.
        facing: of the agent that will be put on the board; chance, not the designer, decides it.
    """

    noise: Float[Array, "number"]
    facing: Int[Array, ""]


class BoardState(NamedTuple):
    """A board while it is drawn.

    Attributes:
        sketch: what it began with.
        level: as it is drawn so far.
        time: things put so far.
    """

    sketch: Sketch
    level: MazeLevel
    time: Int[Array, ""]


class Board(World):
    """A board on which a level is drawn: walls first, then the goal, then the agent.

    An action is a cell. A wall may be put where one stands, so levels may have fewer walls than the budget; goal and
    agent take away the wall under them, and an agent that would stand on the goal is put beside it. Drawings have
    `steps` actions and no end of their own.

    Attributes:
        size: rows and columns.
        walls: actions that may put a wall.
        budget: of these, the first so many do.
        noise: how many random numbers the designer sees.
    """

    size: int = eqx.field(static=True, default=13)
    walls: int = eqx.field(static=True, default=25)
    budget: Whole = 25
    noise: int = eqx.field(static=True, default=8)

    @property
    def actions(self) -> Discrete:
        return Discrete(self.size**2)

    @property
    def steps(self) -> int:
        """Actions of a drawing."""
        return self.walls + 2

    @property
    def numbers(self) -> int:
        """How many numbers the designer sees."""
        return 2 * self.size**2 + self.steps + 1 + self.noise

    def level(self, key: PRNGKeyArray) -> Sketch:
        of_noise, of_facing = jax.random.split(key)
        return Sketch(jax.random.normal(of_noise, (self.noise,)), jax.random.randint(of_facing, (), 0, 4))

    def reset(self, level: Sketch, key: PRNGKeyArray) -> BoardState:
        nowhere = jnp.zeros(2, jnp.int32)
        empty = MazeLevel(jnp.zeros((self.size, self.size), bool), nowhere, nowhere, level.facing)
        return BoardState(level, empty, jnp.int32(0))

    def step(self, state: BoardState, action: Int[Array, ""], key: PRNGKeyArray) -> Outcome:
        level, time = state.level, state.time
        is_wall, is_goal, is_agent = time < self.walls, time == self.walls, time == self.walls + 1
        cell = jnp.asarray(action, jnp.int32)
        goal = level.goal[0] * self.size + level.goal[1]
        # The cell after the goal's, or the one before it at the board's end.
        beside = jnp.where(goal + 1 < self.size**2, goal + 1, goal - 1)
        cell = jnp.where(is_agent & (cell == goal), beside, cell)
        place = jnp.stack([cell // self.size, cell % self.size])
        here = level.wall[place[0], place[1]]
        stands = jnp.where(is_wall, here | (time < self.budget), jnp.where(is_goal | is_agent, False, here))
        level = MazeLevel(
            level.wall.at[place[0], place[1]].set(stands), jnp.where(is_goal, place, level.goal),
            jnp.where(is_agent, place, level.start), level.facing,
        )  # fmt: skip
        return Outcome(BoardState(state.sketch, level, time + 1), jnp.float32(0.0), never(), never())

    def see(self, state: BoardState) -> Float[Array, "number"]:
        """The walls, the goal if it is put, how many things are put, and the noise."""
        cells = jnp.arange(self.size**2)
        put = state.time > self.walls
        goal = (cells == state.level.goal[0] * self.size + state.level.goal[1]) & put
        clock = jnp.arange(self.steps + 1) == state.time
        parts = [state.level.wall.ravel(), goal, clock]
        return jnp.concatenate([*(p.astype(jnp.float32) for p in parts), state.sketch.noise])
