"""A body in a room with walls: the network that steers it, the places that pay, and a picture of where it ends."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

import emergelab as el
from emergelab.rl.advantages import Number
from emergelab.worlds.plane import read, slide

__all__ = [
    "AREAS", "FINE", "FREE", "MAZE", "PROBES", "SIDE", "Episodes", "Setting", "cells", "paid", "picture", "play",
    "steer", "weights",
]  # fmt: skip

MAZE = read("""
    ############
    #..........#
    #..........#
    #..#########
    #..........#
    #..........#
    #########..#
    #..........#
    #....S.....#
    #..#########
    #..........#
    ############
""")
SIDE = 12  # cells, walls included

# Middles of the areas that pay, in cells: two in open ground, one behind a door, one at the end of a corridor.
AREAS = np.array([[8.0, 3.5], [8.5, 1.5], [4.5, 6.5], [7.5, 9.5]], np.float32)

FINE = 2  # fine cells to a unit of length: places are counted in cells of half a unit
_WALL = np.kron(np.asarray(MAZE.wall), np.ones((FINE, FINE), bool))
FREE = ~_WALL  # fine cells in which one can end, the lowest row first
PROBES = (np.argwhere(~np.asarray(MAZE.wall))[:, ::-1] + 0.5).astype(np.float32)  # middles of all free cells: x, y


def weights(hidden: int) -> int:
    """How many numbers a genome has: three inputs, two hidden layers, two outputs, a bias for each unit."""
    return (3 + 1) * hidden + (hidden + 1) * hidden + (hidden + 1) * 2


def steer(genome: Float[Array, "number"], seen: Float[Array, "3"], hidden: int) -> Float[Array, "2"]:
    """What the network of a genome does: two hidden layers and an output, each through tanh."""
    x, at = seen, 0
    for size in (hidden, hidden, 2):
        matrix = genome[at : at + size * len(x)].reshape(size, len(x))
        at += size * len(x)
        # A sum of products: thousands of tiny matrix products, one for each body, would be slower.
        x = jnp.tanh(jnp.sum(matrix * x, -1) + genome[at : at + size])
        at += size
    return x


class Episodes(NamedTuple):
    """What came of some episodes.

    Attributes:
        place: where each body ended.
        reward: what each area paid it.
        way: where it was after each step.
    """

    place: Float[Array, "body 2"]
    reward: Float[Array, "body area"]
    way: Float[Array, "time body 2"]


class Setting(NamedTuple):
    """What an episode is like.

    Attributes:
        speed: how far an action of 1 moves, in x and in y.
        radius: of the areas that pay.
        stay: how many steps at the end are paid.
    """

    speed: Number
    radius: Number
    stay: Number


def play(genomes: Float[Array, "body number"], setting: Setting, hidden: int, length: int) -> Episodes:
    """An episode of each genome's body. The network sees where it is and how late it is, each from -1 to 1."""
    count = len(genomes)

    def one(carry: tuple[Array, Array], time: Float[Array, ""]) -> tuple[tuple[Array, Array], Array]:
        place, reward = carry
        clock = jnp.broadcast_to(2 * time / length - 1, (count, 1))
        seen = el.site("seen", jnp.concatenate([place / (SIDE / 2) - 1, clock], -1))
        action = el.site("action", jax.vmap(lambda g, s: steer(g, s, hidden))(genomes, seen))
        place = jax.vmap(lambda p, a: slide(MAZE, p, setting.speed * a))(place, action)
        counts = (time >= length - setting.stay) / setting.stay
        return (place, reward + counts * paid(place, setting.radius)), place

    begun = jnp.broadcast_to(MAZE.start, (count, 2))
    first = begun, jnp.zeros((count, len(AREAS)))
    (place, reward), way = el.site_scan(one, first, jnp.arange(length, dtype=jnp.float32))
    # Who only passes through is not paid.
    return Episodes(place, jnp.where(paid(place, setting.radius) > 0, reward, 0.0), way)


def paid(place: Float[Array, "*batch 2"], radius: Number) -> Float[Array, "*batch area"]:
    """What each area pays for a step: 1 in its middle, falling to 0 at its edge, nothing beyond."""
    far = jnp.sqrt(jnp.sum((place[..., None, :] - AREAS) ** 2, -1))
    return jnp.maximum(0.0, 1 - far / radius)


def cells(place: Float[Array, "*batch 2"]) -> Int[Array, "*batch"]:
    """The fine cell of a place, numbered row by row, the lowest row first."""
    x, y = jnp.moveaxis(jnp.clip((FINE * place).astype(jnp.int32), 0, FINE * SIDE - 1), -1, 0)
    return y * FINE * SIDE + x


def picture(place: Float[Array, "*batch 2"], pixels: int, blur: Number) -> Float[Array, "*batch pixel"]:
    """The room from above, seen by a camera of `pixels` x `pixels`: the body is a blurred spot, walls are not seen."""
    middle = (jnp.arange(pixels) + 0.5) * SIDE / pixels
    across = jnp.exp(-0.5 * ((place[..., None] - middle) / blur) ** 2)
    shown = across[..., 1, :, None] * across[..., 0, None, :]
    return shown.reshape(*place.shape[:-1], pixels * pixels)
