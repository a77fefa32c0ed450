"""Pictures of one disc on a plain ground, and its colour and size read back from the picture.

The world of concept learning (Park, Okawa et al. 2024) has two concepts that a picture may have independently: a colour
between red and blue, and a size. A picture covers the square from -1 to 1; a pixel holds the share of it that the disc
covers, blended over one pixel's width at the rim. Colours lie on the line

    (1/2 - s/2, 1/2 - |s|/2, 1/2 + s/2),      s in [-1, 1]

from red (s < 0) over grey to blue (s > 0).

`read` needs no trained classifier: it compares a picture with every disc there could be, and takes the one whose shape
is most alike to what the picture lacks of white. Faint or blurred pictures are read as well, and how alike they are
tells whether there is a disc at all.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

__all__ = ["Reading", "paint", "read", "render"]

PLACES = np.linspace(-0.5, 0.5, 9)
RADII = np.arange(0.175, 1.0, 0.05)  # 1/2 lies half-way between two of them, as the border of large and small


class Reading(NamedTuple):
    """What a picture shows.

    Attributes:
        colour: s of the disc's colour: negative is red, positive is blue.
        size: radius, in units of half a side.
        likeness: cosine between what the picture lacks of white and the disc: 1 is that disc, whatever its brightness,
            0 nothing like it.
    """

    colour: Float[Array, "*batch"]
    size: Float[Array, "*batch"]
    likeness: Float[Array, "*batch"]


def paint(s: Float[Array, "*batch"] | float) -> Float[Array, "*batch 3"]:
    """Red, green and blue of a point on the line from red (-1) over grey (0) to blue (1)."""
    s = jnp.asarray(s, float)
    return 0.5 + 0.5 * jnp.stack([-s, -jnp.abs(s), s], axis=-1)


def render(
    x: Float[Array, "*batch"],
    y: Float[Array, "*batch"],
    radius: Float[Array, "*batch"],
    colour: Float[Array, "*batch 3"],
    pixels: int,
    ground: float = 1.0,
) -> Float[Array, "*batch {pixels} {pixels} 3"]:
    """Pictures of discs: rows from top to bottom, columns from left to right.

    Args:
        x, y: centre, from -1 (left, top) to 1.
        radius: in the same unit.
        colour: of the disc, each channel from 0 to 1.
        pixels: of a side.
        ground: brightness of the rest; 1 is white.
    """
    cover = _cover(x, y, radius, pixels)[..., None]
    return ground + cover * (colour[..., None, None, :] - ground)


def _cover(
    x: Float[Array, "*batch"], y: Float[Array, "*batch"], radius: Float[Array, "*batch"], pixels: int
) -> Float[Array, "*batch {pixels} {pixels}"]:
    """The share of each pixel that a disc covers."""
    at = (jnp.arange(pixels) + 0.5) * 2 / pixels - 1
    far = jnp.hypot(at - x[..., None, None], at[:, None] - y[..., None, None])
    return jnp.clip((radius[..., None, None] - far) * pixels / 2 + 0.5, 0.0, 1.0)


def read(pictures: Float[Array, "*batch pixels pixels 3"]) -> Reading:
    """The disc that is most like each picture.

    Compared are all places up to 1/2 from the centre, and radii from 0.175 to 0.975. What is brighter than white or
    darker than black is cut off first, for it cannot be seen. The radius is that of the nearest disc of the list (in
    steps of 0.05), the colour the mean over that disc. Below one and a half pixels a smaller, darker disc can look like
    a larger, fainter one: then the size is right to 0.1 only, and the colour, whose sign stays right, may come out too
    strong.
    """
    *batch, pixels, _, _ = pictures.shape
    pictures = jnp.clip(pictures, 0.0, 1.0)
    x, y, radius = (jnp.asarray(a.ravel(), jnp.float32) for a in np.meshgrid(PLACES, PLACES, RADII))
    with jax.ensure_compile_time_eval():  # once, while the program is made
        cover = _cover(x, y, radius, pixels).reshape(len(radius), -1)
        norm = jnp.sqrt((cover**2).sum(axis=1, keepdims=True))
    lacking = (1.0 - pictures).sum(axis=-1).reshape(*batch, -1)
    product = lacking @ (cover / norm).T
    best = jnp.argmax(product, axis=-1)
    hue = (pictures[..., 2] - pictures[..., 0]).reshape(*batch, -1)
    colour = (hue * (cover / norm**2)[best]).sum(axis=-1)
    length = jnp.maximum(jnp.sqrt((lacking**2).sum(axis=-1)), 1e-6)
    return Reading(colour, radius[best], product.max(axis=-1) / length)
