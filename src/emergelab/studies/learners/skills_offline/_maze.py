"""The maze: six rooms in the shape of a horseshoe, and the exact length of every shortest way in it.

Rooms lie along a chain. Its two ends are next to each other, with a wall between them, so what is near as the crow
flies is far on foot.
"""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from emergelab.worlds.plane import PlaneLevel

__all__ = [
    "BARE", "BOX", "CENTRES", "CORNERS", "FREE", "HEIGHT", "MAZE", "PROBES", "PROBE_ROOM", "ROOMS", "ROUTE", "WALLS",
    "WIDTH", "rooms", "straight", "ways",
]  # fmt: skip

Numbers: TypeAlias = Array | np.ndarray

MAP = """
........
..#..#..
#######.
..#..#..
........
"""
FREE = np.array([[sign == "." for sign in line] for line in MAP.split()])[::-1]  # the lowest row first
HEIGHT, WIDTH = FREE.shape
MAZE, BARE = (
    PlaneLevel(np.pad(wall, 1, constant_values=True), np.full(2, -1, np.float32), np.full(2, 0.5, np.float32))
    for wall in (~FREE, np.zeros_like(FREE))
)
"""The maze as a level of the plane, and the same ground without inner walls; free cells begin at the origin."""
CENTRES = np.array([(1, 1), (4, 1), (7, 1), (7, 4), (4, 4), (1, 4)], np.float32)
"""The middle of each room, along the chain."""
ROOMS = len(CENTRES)
_DOORS = np.array([(2.5, 0.5), (5.5, 0.5), (7.5, 2.5), (5.5, 4.5), (2.5, 4.5)], np.float32)
ROUTE = np.insert(CENTRES, np.arange(1, ROOMS), _DOORS, axis=0)
"""Middle of room, door, middle of room and so on: room r is at 2 r."""
_AROUND = np.array([(x, y) for x in (-0.7, 0.0, 0.7) for y in (-0.7, 0.0, 0.7)], np.float32)
PROBES = (CENTRES[:, None] + _AROUND).reshape(-1, 2)
"""Places at which the map is read, nine in each room."""
PROBE_ROOM = np.repeat(np.arange(ROOMS), len(_AROUND))


def _walls(free: Bool[np.ndarray, "y x"]) -> Float[np.ndarray, "wall 2 2"]:
    """Borders between what is free and what is not, as segments from (x, y) to (x, y), straight runs joined."""
    padded = np.pad(free, 1)
    found = []
    for axis, step in ((0, np.array([1, 0])), (1, np.array([0, 1]))):
        border = np.diff(padded.astype(int), axis=axis) != 0
        for line, row in enumerate(border if axis == 0 else border.T):
            edge = np.flatnonzero(np.diff(np.pad(row.astype(int), 1)))
            for start, stop in zip(edge[::2], edge[1::2], strict=True):
                # Padding moved everything by one cell.
                across = line * (1 - step)
                found.append([across + (start - 1) * step, across + (stop - 1) * step])
    return np.asarray(found, np.float32)


def _corners(free: Bool[np.ndarray, "y x"], gap: float = 4e-3) -> Float[np.ndarray, "corner 2"]:
    """Where shortest ways bend: corners of walls that stick out, moved off the wall by `gap`."""
    padded = np.pad(free, 1)
    found = []
    for y in range(padded.shape[0] - 1):
        for x in range(padded.shape[1] - 1):
            four = padded[y : y + 2, x : x + 2]
            if four.sum() == 3:
                dy, dx = np.argwhere(~four)[0]
                found.append((x + gap * (1 - 2 * dx), y + gap * (1 - 2 * dy)))
    return np.asarray(found, np.float32)


WALLS = _walls(FREE)
"""Segments, each from (x, y) to (x, y)."""
BOX = np.resize(_walls(np.ones_like(FREE)), WALLS.shape)
"""The outer walls only, repeated so that there are as many."""
CORNERS = _corners(FREE)


def _library(x: Any) -> Any:
    """NumPy for its arrays, JAX's for JAX's."""
    return x.__array_namespace__()


def _seen(a: Float[Numbers, "*#batch 2"], b: Float[Numbers, "*#batch 2"], walls: Float[Numbers, "wall 2 2"]) -> Any:
    """Whether the straight way between two places crosses no wall."""

    def side(p: Any, q: Any, r: Any) -> Any:
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])

    a, b = a[..., None, :], b[..., None, :]
    p, q = walls[:, 0], walls[:, 1]
    # A little longer than they are, or a way might slip in where two walls meet; nobody comes as near to a wall.
    more = 0.0005 * (q - p) / ((q - p) ** 2).sum(-1, keepdims=True) ** 0.5
    p, q = p - more, q + more
    crossed = (side(a, b, p) * side(a, b, q) < 0) & (side(p, q, a) * side(p, q, b) < 0)
    return ~crossed.any(-1)


def straight(
    a: Float[Numbers, "start 2"], b: Float[Numbers, "end 2"], walls: Float[Numbers, "wall 2 2"]
) -> Float[Numbers, "start end"]:
    """Length of the straight way from each place to each other one, infinite where a wall is in it."""
    xp = _library(a)
    start, end = a[:, None], b[None]
    length = xp.sqrt(((start - end) ** 2).sum(-1))
    return xp.where(_seen(start, end, walls), length, xp.asarray(np.float32(np.inf)))


@functools.cache
def _between_corners() -> Float[np.ndarray, "corner corner"]:
    """Shortest ways between all corners (Floyd and Warshall)."""
    far = np.asarray(straight(CORNERS, CORNERS, WALLS))
    for k in range(len(far)):
        far = np.minimum(far, far[:, k, None] + far[None, k])
    return far


def ways(
    a: Float[Numbers, "start 2"], b: Float[Numbers, "end 2"], walls: Float[Numbers, "wall 2 2"]
) -> Float[Numbers, "start end"]:
    """Length of the shortest way from each place to each other one.

    Exact up to the gap between corners and ways: a shortest way is straight, or bends at corners only. Without the
    inner walls it is straight, whatever corners would offer. NumPy's arrays give NumPy's, JAX's give JAX's.

    Args:
        a, b: places in the maze, not in a wall.
        walls: `WALLS` or `BOX`.
    """
    xp = _library(a)
    corner = xp.asarray(CORNERS)
    first, last = straight(a, corner, walls), straight(corner, b, walls)
    onward = (first[:, :, None] + xp.asarray(_between_corners())).min(1)
    return xp.minimum(straight(a, b, walls), (onward[:, :, None] + last[None]).min(1))


def rooms(place: Float[Numbers, "*batch 2"]) -> Int[Numbers, "*batch"]:
    """The room of each place: that whose middle is nearest."""
    return ((place[..., None, :] - CENTRES) ** 2).sum(-1).argmin(-1)
