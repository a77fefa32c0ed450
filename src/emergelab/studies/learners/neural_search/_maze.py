"""Mazes with thin walls on the unit square: drawn, measured, changed, and walked in.

A maze of `rooms` x `rooms` equal cells lies in arrays of a fixed side, so that mazes of several sizes share one
program; what lies beyond `rooms` is wall. Cell (row, column) is the square whose lower left corner is
(column, row) / rooms.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

__all__ = ["Maze", "Real", "Whole", "carve", "cell_of", "centre", "distances", "moved_wall", "slide"]

_SKIN = 1e-3  # how far from a wall who runs into it comes to stand, in cells

Whole = Int[Array, ""] | Int[np.ndarray, ""] | np.integer | int
Real = Float[Array, ""] | Float[np.ndarray, ""] | np.floating | float


class Maze(NamedTuple):
    """Which neighbouring cells a wall parts.

    Attributes:
        right: whether there is a wall to the right of a cell.
        up: whether there is one above it.
    """

    right: Bool[Array, "side side"]
    up: Bool[Array, "side side"]


def _ends(side: int) -> tuple[Int[Array, "edge"], Int[Array, "edge"]]:
    """The cells at both ends of every place for a wall: first those to the right, then those above."""
    cell = jnp.arange(side * side)
    last = side * side - 1
    return jnp.concatenate([cell, cell]), jnp.minimum(jnp.concatenate([cell + 1, cell + side]), last)


def _inner(side: int, rooms: Whole) -> Bool[Array, "edge"]:
    """Which places for a wall lie between two cells of the maze."""
    row, column = jnp.divmod(jnp.arange(side * side), side)
    right = (column < rooms - 1) & (row < rooms)
    return jnp.concatenate([right, (row < rooms - 1) & (column < rooms)])


def carve(side: int, rooms: Whole, winding: Real, loops: Real, key: PRNGKeyArray) -> Maze:
    """A maze in which every cell can be reached: a spanning tree and a few openings more.

    The tree grows by one cell at a time. With `winding` 1 it goes on from the newest cell that can still grow (a
    recursive backtracker: long corridors), with 0 it takes the place with the smallest of random weights (Prim's
    algorithm: many short dead ends).

    Args:
        side: of the arrays.
        rooms: cells a side, at most `side`.
        winding: in [0, 1].
        loops: chance of every wall that the tree leaves to be opened all the same.
        key: for the draws.
    """
    of_tree, of_loops = jax.random.split(key)
    a, b = _ends(side)
    inner = _inner(side, rooms)
    weight = jax.random.uniform(of_tree, inner.shape)

    def grow(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        # When a cell joined; -1 as long as it has not.
        joined, open_ = carry
        inside = joined >= 0
        frontier = inner & (inside[a] ^ inside[b])
        age = jnp.maximum(joined[a], joined[b])
        best = jnp.argmin(jnp.where(frontier, weight - winding * age, jnp.inf))
        new = jnp.where(inside[a[best]], b[best], a[best])
        found = frontier[best]
        joined = joined.at[new].set(jnp.where(found, i, joined[new]))
        return joined, open_.at[best].set(open_[best] | found)

    joined = jnp.full(side * side, -1).at[0].set(0)
    _, tree = jax.lax.fori_loop(1, side * side, grow, (joined, jnp.zeros(inner.shape, bool)))
    extra = inner & (jax.random.uniform(of_loops, inner.shape) < loops)
    wall = ~(tree | extra)
    return _of_edges(wall, side)


def _of_edges(wall: Bool[Array, "edge"], side: int) -> Maze:
    right, up = wall.reshape(2, side, side)
    return Maze(right, up)


def distances(maze: Maze, cell: Whole) -> Int[Array, "cell"]:
    """Cells on the shortest way from everywhere to a cell, -1 where there is none."""
    side = maze.right.shape[0]
    far = side * side
    out = jnp.full((1, side), far)

    def turn(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        known, _ = carry
        down, left = out, out.T
        from_right = jnp.where(maze.right, far, jnp.concatenate([known[:, 1:], left], 1))
        from_left = jnp.concatenate([left, jnp.where(maze.right, far, known)[:, :-1]], 1)
        from_up = jnp.where(maze.up, far, jnp.concatenate([known[1:], down], 0))
        from_down = jnp.concatenate([down, jnp.where(maze.up, far, known)[:-1]], 0)
        near = jnp.minimum(jnp.minimum(from_right, from_left), jnp.minimum(from_up, from_down))
        better = jnp.minimum(known, near + 1)
        return better, jnp.any(better != known)

    start = jnp.full(far, far).at[cell].set(0).reshape(side, side)
    found, _ = jax.lax.while_loop(lambda carry: carry[1], turn, (start, jnp.bool_(True)))
    return jnp.where(found >= far, -1, found).ravel()


def moved_wall(maze: Maze, rooms: Whole, start: Whole, goal: Whole, key: PRNGKeyArray) -> Maze:
    """The maze with a wall moved: into the middle of a shortest way, and away from somewhere that leaves one.

    If the new wall cuts the goal off, a wall between the two parts is opened, otherwise any.
    """
    side = maze.right.shape[0]
    wall = jnp.concatenate([maze.right.ravel(), maze.up.ravel()])
    inner = _inner(side, rooms)
    a, b = _ends(side)
    here, there = distances(maze, start), distances(maze, goal)
    length = here[goal]
    from_a = here[a] + 1 + there[b] == length
    from_b = here[b] + 1 + there[a] == length
    on_way = inner & ~wall & (from_a | from_b)
    behind = jnp.where(from_a, here[a], here[b])
    closed = jnp.argmin(jnp.where(on_way, jnp.abs(2 * behind + 1 - length), 2 * side * side))
    shut = wall.at[closed].set(True)
    reached = distances(_of_edges(shut, side), start) >= 0
    between = reached[a] ^ reached[b]
    free = inner & wall & (between | reached[goal])
    opened = jnp.argmax(jnp.where(free, jax.random.uniform(key, wall.shape), -1.0))
    return _of_edges(shut.at[opened].set(False), side)


def cell_of(place: Float[Array, "2"], rooms: Whole) -> Int[Array, "2"]:
    """Row and column of the cell in which a place lies."""
    return jnp.clip(jnp.floor(place[::-1] * rooms).astype(jnp.int32), 0, jnp.asarray(rooms) - 1)


def centre(row: Whole, column: Whole, rooms: Whole) -> Float[Array, "2"]:
    """The middle of a cell."""
    return (jnp.stack([jnp.asarray(column), jnp.asarray(row)]) + 0.5) / rooms


def slide(maze: Maze, rooms: Whole, place: Float[Array, "2"], move: Float[Array, "2"], grip: Real) -> Float[Array, "2"]:
    """Where a move leads that must be shorter than a cell: walls stop what points into them.

    Args:
        maze: the walls.
        rooms: cells a side.
        place: x and y in [0, 1].
        move: what is wanted.
        grip: 0: the other part of a stopped move goes on along the wall; 1: walls stop all of it.
    """
    p, d = place * rooms, move * rooms
    row, column = cell_of(place, rooms)

    def stopped_right(row: Array) -> tuple[Array, Array]:
        x = p[0] + d[0]
        to = jnp.floor(x).astype(jnp.int32)
        low, high = maze.right[row, jnp.maximum(column - 1, 0)] | (column == 0), maze.right[row, column]
        hit = ((to > column) & high) | ((to < column) & low)
        return jnp.where(hit, jnp.clip(x, column + _SKIN, column + 1 - _SKIN), x), hit

    def stopped_up(column: Array) -> tuple[Array, Array]:
        y = p[1] + d[1]
        to = jnp.floor(y).astype(jnp.int32)
        low, high = maze.up[jnp.maximum(row - 1, 0), column] | (row == 0), maze.up[row, column]
        hit = ((to > row) & high) | ((to < row) & low)
        return jnp.where(hit, jnp.clip(y, row + _SKIN, row + 1 - _SKIN), y), hit

    x, hit_x = stopped_right(row)
    y, hit_y = stopped_up(jnp.clip(jnp.floor(x).astype(jnp.int32), 0, jnp.asarray(rooms) - 1))
    held = jnp.asarray(grip, jnp.float32)
    # A wall with grip keeps what would go along it.
    x = jnp.where(hit_y & ~hit_x, x + held * (p[0] - x), x)
    y = jnp.where(hit_x & ~hit_y, y + held * (p[1] - y), y)
    return jnp.stack([x, y]) / rooms
