"""What is seen: a ball slides down a ramp and bounces, filmed in eight frames by an eye that was never trained.

A scene has two latent properties on five levels each: elasticity, the share of its vertical speed that the ball keeps
in a bounce, and friction, which slows it on the ramp and takes from its horizontal speed in every bounce. The film is
all that is ever shown: where the ball is, blurred onto a few pixels, passed through a frozen random layer.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.games.signalling import all_objects

__all__ = ["FRAMES", "HELD", "LEVELS", "PROPERTIES", "features", "held_out", "meanings", "pairs", "pictures", "places"]

PROPERTIES = ("elasticity", "friction")
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
HELD = ((0, 1), (1, 3), (2, 0), (3, 4), (4, 2))
"""Pairs of levels that are never seen in training; every level of each property is seen with the four others."""
FRAMES = 8

_GRAVITY, _SLOPE = 9.81, np.deg2rad(70.0)
_BEGIN, _EVERY = 0.45, 0.15  # s: the first frame shows the ball near the foot of the ramp, the others its bounces
_BOUNCES = 12
_PIXELS, _BLUR = 12, 1.0
_WINDOW = ((-0.6, 1.9), (-0.05, 1.15))  # m, what the camera sees
_EYE = 256


def meanings(copies: int) -> Int[np.ndarray, "scene property"]:
    """Levels of all scenes, 25 cells with `copies` scenes each, cell after cell."""
    return np.repeat(all_objects((len(LEVELS), len(LEVELS))), copies, axis=0)


def held_out(levels: Int[np.ndarray, "scene property"]) -> Bool[np.ndarray, "scene"]:
    """Which scenes belong to a pair of levels that is never seen in training."""
    return np.array([tuple(int(x) for x in row) in HELD for row in levels])


def pairs(
    scenes: Int[np.ndarray, "some"], levels: Int[np.ndarray, "scene property"], count: int, seed: int
) -> Int[np.ndarray, "pair two"]:
    """Ordered pairs of these scenes that differ in both properties: `count` of them, or all if there are fewer.

    The same for all seeds of a run: where scores are compared, the questions are the same.
    """
    one, other = (x.ravel() for x in np.meshgrid(scenes, scenes, indexing="ij"))
    every = np.stack([one, other], axis=1)[(levels[one] != levels[other]).all(axis=1)]
    return every[np.random.default_rng(seed).permutation(len(every))[:count]]


def places(
    elasticity: Float[Array, "*scene"], friction: Float[Array, "*scene"], length: Float[Array, "*scene"]
) -> Float[Array, "*scene frame axis"]:
    """Where the ball is in every frame, in metres: x to the right of the ramp's foot, y above the floor.

    It starts at rest, `length` metres up a ramp of 70 degrees, slides with g (sin - friction cos), and at the foot
    begins to bounce. Each bounce leaves `elasticity` of the vertical speed and 1 - 0.6 friction of the horizontal one.
    """
    sine, cosine = float(np.sin(_SLOPE)), float(np.cos(_SLOPE))
    time = _BEGIN + _EVERY * jnp.arange(FRAMES)
    pull = _GRAVITY * (sine - friction * cosine)
    at_foot, speed = jnp.sqrt(2 * length / pull), jnp.sqrt(2 * length * pull)
    left = (length[..., None] - 0.5 * pull[..., None] * time**2)[..., None] * jnp.array([-cosine, sine])
    order = jnp.arange(1, _BOUNCES + 1)
    up = (speed * sine)[..., None] * elasticity[..., None] ** order
    along = (speed * cosine)[..., None] * (1 - 0.6 * friction[..., None]) ** order
    flight = 2 * up / _GRAVITY
    begins = jnp.cumsum(flight, axis=-1) - flight
    since = jnp.clip(time - at_foot[..., None], 0.0)[..., None, :] - begins[..., None]  # bounce, frame
    within = jnp.clip(since, 0.0, flight[..., None])
    x = (along[..., None] * within).sum(axis=-2)
    y = (up[..., None] * within - 0.5 * _GRAVITY * within**2).sum(axis=-2)  # a flight that is over adds nothing
    return jnp.where((time < at_foot[..., None])[..., None], left, jnp.stack([x, y], axis=-1))


def pictures(where: Float[Array, "*scene frame axis"]) -> Float[Array, "*scene frame pixel"]:
    """The ball as a blurred spot on 12 x 12 pixels, row after row from below."""
    spots = []
    for axis, (low, high) in enumerate(_WINDOW):
        pixel = (where[..., axis] - low) / (high - low) * _PIXELS - 0.5
        spots.append(jnp.exp(-0.5 * ((pixel[..., None] - jnp.arange(_PIXELS)) / _BLUR) ** 2))
    shown = spots[1][..., :, None] * spots[0][..., None, :]
    return shown.reshape(*where.shape[:-1], _PIXELS**2)


def features(
    key: PRNGKeyArray, levels: Int[np.ndarray, "scene property"], noise: Float[Array, ""], width: int
) -> Float[Array, "scene frame feature"]:
    """Films of all scenes as a frozen random eye sees them, every feature with mean 0 and standard deviation 1.

    Scenes of one cell differ in where the ball starts (5 % of the ramp) and in where the camera stands (5 cm).

    Args:
        key: of the scenes, of the noise of the pixels, and of the eye.
        levels: of all scenes.
        noise: standard deviation of a pixel, whose range is 0 to 1.
        width: features a frame.
    """
    value = jnp.asarray(LEVELS)[jnp.asarray(levels)]
    count, pixels = len(levels), _PIXELS**2
    # All out of one draw: what draws often is slow to compile.
    sizes = (count, count, count * FRAMES * pixels, pixels * _EYE, _EYE * width)
    lots = jnp.split(jax.random.normal(key, (sum(sizes),)), np.cumsum(sizes)[:-1])
    where = places(value[:, 0], value[:, 1], 1.0 + 0.05 * jnp.clip(lots[0], -3, 3))
    where = where.at[..., 0].add(0.05 * lots[1][:, None])
    seen = pictures(where) + noise * lots[2].reshape(count, FRAMES, pixels)
    out = jnp.tanh(seen @ lots[3].reshape(pixels, _EYE)) @ (lots[4].reshape(_EYE, width) * _EYE**-0.5)
    return (out - out.mean(axis=(0, 1))) / (out.std(axis=(0, 1)) + 1e-6)
