"""What is measured of skills: where they lead, whether they can be told apart, what the map has learnt of distances."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["covered", "noise_share", "novelty", "opposed", "recognised"]

_SIDE = 64  # the largest map of cells: more than a body can leave in an episode


def covered(places: Float[Array, "skill moment 2"], start: Float[Array, "2"]) -> Float[Array, ""]:
    """Cells of side 1 that were entered by any skill."""
    cell = jnp.clip(jnp.floor(places - start).astype(jnp.int32) + _SIDE // 2, 0, _SIDE - 1)
    entered = jnp.zeros((_SIDE, _SIDE), bool).at[cell[..., 0], cell[..., 1]].set(True)
    return jnp.sum(entered).astype(jnp.float32)


def recognised(skills: Float[Array, "skill 2"], ends: Float[Array, "skill number"]) -> Float[Array, ""]:
    """Mean cosine between a skill and the one whose end is nearest: 1 if all can be told apart, 0 if none."""
    apart = jnp.sum((ends[:, None] - ends[None]) ** 2, -1)
    apart = jnp.where(jnp.eye(len(ends), dtype=bool), jnp.inf, apart)
    return jnp.mean(jnp.sum(skills * skills[jnp.argmin(apart, -1)], -1))


def opposed(way: Float[Array, "skill 2"]) -> Float[Array, ""]:
    """Mean cosine between the ways of opposite skills: -1 if they lead in opposite directions.

    Skills stand at equal angles, so the opposite of one is half of them further on.
    """
    other = jnp.roll(way, len(way) // 2, 0)
    length = jnp.sqrt(jnp.sum(way**2, -1) * jnp.sum(other**2, -1))
    return jnp.mean(jnp.sum(way * other, -1) / jnp.maximum(length, 1e-6))


def noise_share(one: Float[Array, "state latent"], other: Float[Array, "state latent"]) -> Float[Array, ""]:
    """Share of the map's variance that is due to noise: the same states, seen with two draws of it."""
    of_noise = 0.5 * jnp.mean(jnp.sum((one - other) ** 2, -1))
    overall = jnp.mean(jnp.sum((one - jnp.mean(one, 0)) ** 2, -1))
    return of_noise / jnp.maximum(overall, 1e-9)


def novelty(seen: Float[Array, "state number"], nearest: int) -> Float[Array, "state"]:
    """How rare states are among each other: the logarithm of 1 and the mean distance to the nearest of them.

    Up to a constant its mean is an estimate of the states' entropy (Liu and Abbeel 2021). With fewer others than
    `nearest`, all of them count.
    """
    apart = jnp.sqrt(jnp.sum((seen[:, None] - seen[None]) ** 2, -1))
    others = min(nearest, len(seen) - 1)
    # The nearest of all is the state itself.
    return jnp.log1p(jnp.mean(jnp.sort(apart, -1)[:, 1 : others + 1], -1))
