"""What is measured of skills on the table: whether they can be told apart, and what they do to the discs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ._rewards import HALF

__all__ = ["BLUR", "MOVED", "entered", "recognised", "settled"]

BLUR = 0.05  # error with which ends are seen: as far as the tip touches
MOVED = 0.01  # a disc that is displaced by more has been moved
_CELLS = 10  # cells on the table's side


def _cell(places: Float[Array, "*batch 2"]) -> Array:
    """Number of the cell in which a place lies, row by row."""
    index = jnp.clip(jnp.floor((places / (2 * HALF) + 0.5) * _CELLS).astype(jnp.int32), 0, _CELLS - 1)
    return index[..., 1] * _CELLS + index[..., 0]


def _different(cells: Array, counted: Array) -> Float[Array, ""]:
    """How many different cells there are among those that are counted."""
    found = jnp.zeros(_CELLS * _CELLS, bool).at[cells.ravel()].max(counted.ravel())
    return jnp.sum(found).astype(jnp.float32)


def entered(discs: Float[Array, "skill moment disc 2"]) -> Float[Array, ""]:
    """Cells, a tenth of the table's side wide, in which any disc has been on its way."""
    cells = _cell(discs)
    return _different(cells, jnp.ones(cells.shape, bool))


def settled(discs: Float[Array, "way disc 2"], start: Float[Array, "disc 2"], safe: Bool[Array, "way"]) -> Array:
    """Cells to which a disc has been brought by a way that was safe all along."""
    moved = jnp.sum((discs - start) ** 2, -1) > MOVED**2
    return _different(_cell(discs), moved & safe[:, None])


def recognised(skills: Float[Array, "skill 2"], ends: Float[Array, "skill number"]) -> Float[Array, ""]:
    """How well skills can be told from where they end, if that is seen with an error of `BLUR`.

    Mean over skills of the product of a skill and what is guessed of it: the mean of all other skills, each weighted by
    how likely its end is taken for this one's. 1 if all can be told apart, 0 if none, less than 0 if skills that end
    together are opposed.
    """
    apart = jnp.sum((ends[:, None] - ends[None]) ** 2, -1)
    others = jnp.where(jnp.eye(len(ends), dtype=bool), -jnp.inf, -apart / (2 * BLUR**2))
    guess = jax.nn.softmax(others, -1) @ skills
    return jnp.mean(jnp.sum(skills * guess, -1))
