"""What a trained policy is asked for, and how each wish becomes a direction of the map.

A skill is a direction: going that way in the map is what it is rewarded for. So a goal, a reward and an imagined walk
are prompts as soon as somebody says which direction they mean. Nothing is learnt for that.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ._maze import CENTRES, HEIGHT, ROOMS, ROUTE, WIDTH, rooms, ways

__all__ = [
    "FRAMES", "IMAGINED", "LINGER", "PAIRS", "PROMPTS", "RADIUS", "Wishes", "directions", "fitted", "imagined",
    "midpoint", "picture", "recognised", "rewards", "unit", "wish",
]  # fmt: skip

PROMPTS = ("goal", "plan", "dense", "sparse", "imagined", "turned", "knocked")
"""What is asked: the goal itself, the goal by way of midpoints, a reward for every bit of the way, a reward at the
goal, an imagined walk; and, to see what directions do, the goal turned about and without the map's strongest part."""
IMAGINED = PROMPTS.index("imagined")
PAIRS = np.array([(i, j) for i in range(ROOMS) for j in range(ROOMS) if i != j])
"""Rooms in which trials begin and in which their goals lie."""
FRAMES = 2 * (ROOMS - 1)
"""Pictures of an imagined walk: doors and rooms on the way, and the goal for the rest of the time."""
LINGER = 4
"""Steps for which a picture is followed."""
RADIUS = 0.6
"""A goal is reached within this distance, shorter than that from any goal to a wall."""
_SHARP, _BLURRED = 0.7, 0.9
_RECURSIONS = 2


class Wishes(NamedTuple):
    """All that is asked in a round of trials, one for every pair of rooms, as the map has it.

    Attributes:
        goal: where the goals are in the map.
        known: places of the data in the map, from which midpoints are chosen.
        dense, sparse: directions that explain rewards best.
        frames: where imagined pictures are in the map.
        keep: 0 for the half of the map's dimensions that vary most, 1 for the others.
    """

    goal: Float[Array, "pair dim"]
    known: Float[Array, "place dim"]
    dense: Float[Array, "pair dim"]
    sparse: Float[Array, "pair dim"]
    frames: Float[Array, "pair frame dim"]
    keep: Float[Array, "dim"]


def unit(x: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
    """Vectors of length 1; zero stays zero."""
    return x * jax.lax.rsqrt(jnp.sum(jnp.square(x), -1, keepdims=True) + 1e-12)


def fitted(
    x: Float[Array, "example dim"], y: Float[Array, "example task"], ridge: float = 1e-3
) -> Float[Array, "task dim"]:
    """Weights of the linear least squares of each task (Gauss and Jordan, without LAPACK).

    Args:
        x: features.
        y: what they are to say.
        ridge: added to the mean square of each feature, as a share of the mean over features.
    """
    dims = x.shape[1]
    square = x.T @ x
    square = square + ridge * jnp.trace(square) / dims * jnp.eye(dims) + 1e-12 * jnp.eye(dims)
    table = jnp.concatenate([square, x.T @ y], 1)

    def clear(k: Int[Array, ""], table: Float[Array, "dim more"]) -> Float[Array, "dim more"]:
        # The matrix is positive definite, so its diagonal never vanishes and rows need not be exchanged.
        row = table[k] / table[k, k]
        return (table - table[:, k, None] * row).at[k].set(row)

    return jax.lax.fori_loop(0, dims, clear, table)[:, dims:].T


def midpoint(
    here: Float[Array, "pair dim"], goal: Float[Array, "pair dim"], known: Float[Array, "place dim"]
) -> Float[Array, "pair dim"]:
    """The known place from which the farther of here and goal is nearest; then the same between here and it."""
    from_here = _distance(here, known)
    for _ in range(_RECURSIONS):
        goal = known[jnp.argmin(jnp.maximum(from_here, _distance(goal, known)), -1)]
    return goal


def _distance(a: Float[Array, "a dim"], b: Float[Array, "b dim"]) -> Float[Array, "a b"]:
    square = jnp.sum(jnp.square(a), -1)[:, None] + jnp.sum(jnp.square(b), -1) - 2 * a @ b.T
    return jnp.sqrt(jnp.maximum(square, 0.0))


def picture(place: Float[Array, "*batch 2"], width: float = _SHARP) -> Float[Array, "*batch pixel"]:
    """A place as a picture of the maze from above, a pixel a cell, with a spot where the agent is.

    Args:
        place: x and y.
        width: of the spot, in cells.
    """
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    middle = jnp.asarray(np.stack([x.ravel(), y.ravel()], 1), jnp.float32)
    return jnp.exp(-jnp.sum(jnp.square(place[..., None, :] - middle), -1) / (2 * width**2))


def imagined(
    start: Int[Array, "pair"], goal: Float[Array, "pair 2"], noise: Float[Array, "pair frame pixel"]
) -> tuple[Float[Array, "pair frame 2"], Float[Array, "pair frame pixel"]]:
    """A walk from room to room as somebody else pictures it: fainter, blurred and with noise.

    Args:
        start: room in which the walk begins.
        goal: where it ends.
        noise: of the pictures, in which a spot is 0.5 high.

    Returns:
        the places that are meant, and the pictures of them.
    """
    first, last = 2 * start[:, None], 2 * rooms(goal)[:, None]
    step = jnp.arange(1, FRAMES + 1)
    at = jnp.where(last > first, jnp.minimum(first + step, last), jnp.maximum(first - step, last))
    meant = jnp.where((at == last)[..., None], goal[:, None], jnp.asarray(ROUTE)[at])
    return meant, 0.5 * picture(meant, _BLURRED) + noise


def recognised(seen: Float[Array, "*batch pixel"], known: Float[Array, "place pixel"]) -> Int[Array, "*batch"]:
    """The known picture that is most like each seen one, by the cosine."""
    return jnp.argmax(unit(seen) @ unit(known).T, -1)


def wish(lot: Float[Array, "end pair 2"]) -> tuple[Float[Array, "pair 2"], Float[Array, "pair 2"]]:
    """Start and goal of a trial for each pair of rooms, near the middle of the room.

    Args:
        lot: numbers in [0, 1), for where in the room both are.
    """
    start, goal = jnp.asarray(CENTRES)[jnp.asarray(PAIRS.T)] + 0.8 * (lot - 0.5)
    return start, goal


def rewards(
    before: Float[Array, "example 2"],
    after: Float[Array, "example 2"],
    goal: Float[Array, "pair 2"],
    walls: Float[Array, "wall 2 2"],
) -> tuple[Float[Array, "example pair"], Float[Array, "example pair"]]:
    """What steps of the data would have earned: how much nearer they came to a goal, and whether they ended at it.

    Args:
        before, after: where a step began and ended.
        goal: of each task.
        walls: of the maze.
    """
    left = ways(jnp.concatenate([before, after]), goal, walls)
    nearer = left[: len(before)] - left[len(before) :]
    at_it = jnp.sum(jnp.square(after[:, None] - goal), -1) < 1.0
    return nearer, at_it.astype(jnp.float32)


def directions(
    wishes: Wishes, here: Float[Array, "prompt pair dim"], time: Int[Array, ""]
) -> Float[Array, "prompt pair dim"]:
    """Where to go in the map, for each prompt in the order of `PROMPTS`, as vectors of length 1.

    Args:
        wishes: what is asked.
        here: where the agents are in the map.
        time: steps made in the trial.
    """
    frame = wishes.frames[:, jnp.minimum(time // LINGER, FRAMES - 1)]
    return unit(
        jnp.stack([
            wishes.goal - here[0],
            midpoint(here[1], wishes.goal, wishes.known) - here[1],
            wishes.dense,
            wishes.sparse,
            frame - here[IMAGINED],
            here[5] - wishes.goal,
            wishes.keep * (wishes.goal - here[6]),
        ])
    )  # fmt: skip
