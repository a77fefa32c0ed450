"""Boards of 5 x 5 described by three numbers, and the exact value of a policy on each of them.

Rows 1 and 3 are walls with one gap each, or none; the goal stands in row 0. Three numbers say where: the gap of the
lower wall, the gap of the upper wall, the goal's column. A student begins in the middle of row 4.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from emergelab.worlds.grid import GridLevel, distances, model, plan

__all__ = ["CELLS", "COLUMNS", "START", "Boards", "boards", "level", "numbers", "values"]

SIDE, CELLS, START = 5, 25, 22
COLUMNS = (0, 2, 4)
NO_GAP = 3  # the index of a wall without a gap


class Boards(NamedTuple):
    """All boards that can be solved, as tables.

    Attributes:
        chance: of coming from a cell to another, by move; nothing leaves the goal.
        reward: expected for a move.
        best: the most that can be got, with the level known.
        way: moves of the shortest way.
        number: of each board: lower gap, upper gap, goal, as indices.
    """

    chance: Float[np.ndarray, "level cell move cell"]
    reward: Float[np.ndarray, "level cell move"]
    best: Float[np.ndarray, "level"]
    way: Int[np.ndarray, "level"]
    number: Int[np.ndarray, "level 3"]


def numbers() -> Int[np.ndarray, "level 3"]:
    """The three numbers of every board, those without a gap among them."""
    return np.array(list(itertools.product(range(4), range(4), range(3))))


def level(lower: int, upper: int, goal: int) -> GridLevel:
    """The board of three numbers."""
    shape = (SIDE, SIDE)
    wall, target, start = np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(shape, bool)
    for row, gap in ((3, lower), (1, upper)):
        wall[row] = True
        if gap != NO_GAP:
            wall[row, COLUMNS[gap]] = False
    target[0, COLUMNS[goal]] = start.flat[START] = True
    return GridLevel(*(jnp.asarray(x) for x in (wall, np.zeros(shape, bool), target, start)))


@functools.lru_cache(maxsize=8)
def boards(discount: float) -> Boards:
    """The boards that can be solved, their best values by value iteration."""
    # While a program is traced new arrays belong to it; these are constants.
    with jax.ensure_compile_time_eval():
        number = numbers()[numbers()[:, :2].max(1) < NO_GAP]
        drawn = [level(*(int(x) for x in n)) for n in number]
        tables = [model(board) for board in drawn]
        ways = [int(distances(board.wall, board.goal).ravel()[START]) for board in drawn]
    stays = [np.where(t.ends[:, None, None], 0.0, t.chance) for t in tables]
    best = [plan(t, discount).value[START] for t in tables]
    return Boards(np.array(stays), np.array([t.reward for t in tables]), np.array(best), np.array(ways), number)


def values(policy: Float[Array, "cell move"], tables: Boards, discount: float, moves: int) -> Float[Array, "level"]:
    """What a policy that does not see the level gets on each board: discount^(t - 1) if it arrives at move t.

    Exact, by evaluation of the policy backwards from the last move.
    """
    step = jnp.einsum("sm,lsmt->lst", policy, jnp.asarray(tables.chance, jnp.float32))
    gain = jnp.einsum("sm,lsm->ls", policy, jnp.asarray(tables.reward, jnp.float32))

    def back(value: Array, _: None) -> tuple[Array, None]:
        return gain + discount * jnp.einsum("lst,lt->ls", step, value), None

    return jax.lax.scan(back, jnp.zeros_like(gain), None, length=moves)[0][:, START]
