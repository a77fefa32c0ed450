"""Mazes drawn by hand, on which nobody is ever trained."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emergelab.errors import UserError, need
from emergelab.worlds.mazes import MazeLevel, mirrored, read

__all__ = ["HARD", "names", "suite"]

# After the mazes of 13 x 13 that the literature tests on, drawn anew for 7 x 7.
_SMALL = {
    "empty": """
        >......
        .......
        .......
        .......
        .......
        .......
        ......G
    """,
    "four rooms": """
        >..#...
        ...#...
        .......
        #.###.#
        ...#...
        .......
        ...#..G
    """,
    "crossing": """
        >.#.#..
        ..#.#..
        ..#.#..
        ..#.#..
        ..#.#..
        ..#....
        ....#.G
    """,
    "corridor": """
        .#.#.#.
        .#.#.#.
        .#.#.#.
        >......
        .#.#.#.
        .#.#.#.
        .#.#.#G
    """,
    "labyrinth": """
        >......
        ######.
        .....#.
        .###.#.
        .#G..#.
        .#####.
        .......
    """,
    "maze 1": """
        G..#...
        ##.###.
        .#.....
        .#####.
        .....#.
        .#.###.
        ^#.....
    """,
    "maze 2": """
        G#v#...
        .#.#.#.
        .#...#.
        .###.#.
        ...#.#.
        ##.###.
        .......
    """,
    "maze 3": """
        G....#.
        ####.#.
        ...#...
        .#.###.
        .#.....
        .######
        ......<
    """,
}

# The literature's: two with rooms, three labyrinths, three perfect mazes, by JaxUED's names.
_LARGE = {
    "sixteen rooms": "SixteenRooms", "sixteen rooms 2": "SixteenRooms2", "labyrinth": "Labyrinth",
    "labyrinth, mirrored": "LabyrinthFlipped", "labyrinth 2": "Labyrinth2", "maze 1": "StandardMaze",
    "maze 2": "StandardMaze2", "maze 3": "StandardMaze3",
}  # fmt: skip

HARD = ("labyrinth", "labyrinth, mirrored", "labyrinth 2", "maze 1", "maze 2", "maze 3")
"""Mazes with long ways and dead ends, as far as a size has them."""


MIRRORED = "labyrinth, mirrored"


def names(size: int) -> tuple[str, ...]:
    """The mazes of a size, easy ones first.

    Raises:
        UserError: there are none of that size.
    """
    if size == 7:
        return (*_SMALL, MIRRORED)
    if size == 13:
        return tuple(_LARGE)
    raise UserError(f"EnvironmentDesign: parameter 'size' must be 7 or 13, for which test mazes are drawn, got {size}")


def suite(size: int) -> MazeLevel:
    """The mazes of a size, one a row, in the order of `names`.

    Raises:
        UserError: there are none of that size.
    """
    with jax.ensure_compile_time_eval():  # constants, also while a program is traced
        if size == 7:
            mazes = [read(text) for text in _SMALL.values()]
            mazes.append(mirrored(mazes[list(_SMALL).index("labyrinth")]))
        else:
            names(size)
            prefabs = need("jaxued.environments.maze.level", "worlds", "the mazes of 13 x 13").prefabs
            mazes = [read(prefabs[theirs]) for theirs in _LARGE.values()]
        return jax.tree.map(lambda *parts: jnp.stack(parts), *mazes)
