"""What the streams of the study `reality-check` are made of: thirty classes in three groups of ten.

Group 0 is the first phase's, on which settings are searched. Groups 1 ("near") and 2 ("far") are what the second phase
may be: other pictures of the same things, or something else. All are of 8 x 8 pixels, and no picture is in two groups,
but the far group of "digits" is made of the near group's pictures.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float

from emergelab.continual.data import Labelled, load

__all__ = ["CLASSES", "SOURCES", "groups"]

CLASSES = 10
SOURCES = {
    "digits": "handwritten digits; far are negatives of them, with noise",
    "photos": "MNIST; far is Fashion-MNIST (`emergelab get` fetches either)",
}
_NOISE = 0.25
_LEARN, _PROBE = 600, 100  # of each class, where there are thousands

Pictures = list[Float[np.ndarray, "item feature"]]


def _by_class(name: str) -> Pictures:
    """All pictures of each class, mixed."""
    data, draw = load(name), np.random.default_rng(1)
    x, y = np.concatenate([data.x, data.x_test]), np.concatenate([data.y, data.y_test])
    return [x[draw.permutation(np.flatnonzero(y == c))] for c in range(CLASSES)]


def _eighth(pixels: Float[np.ndarray, "item feature"]) -> Float[np.ndarray, "item small"]:
    """From 28 x 28 pixels to 8 x 8: framed to 32 x 32, then means of four by four."""
    framed = np.pad(pixels.reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    return framed.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(-1, 64)


@cache
def groups(source: str) -> Labelled:
    """Thirty classes, all with as many pictures to learn from, and as many to be examined with.

    Raises:
        UserError: a data set that has to be fetched first.
    """
    if source == "digits":
        every = _by_class("digits")
        half = min(len(p) for p in every) // 2
        one, near = [p[:half] for p in every], [p[half : 2 * half] for p in every]
        noise = np.random.default_rng(2)
        far = [np.clip(1.0 - p + _NOISE * noise.normal(size=p.shape), 0.0, 1.0) for p in near]
        learn = round(0.7 * half)
    else:
        size, learn = _LEARN + _PROBE, _LEARN
        mnist, fashion = ([_eighth(p[: 2 * size]) for p in _by_class(name)] for name in ("mnist", "fashion-mnist"))
        one, near, far = [p[:size] for p in mnist], [p[size:] for p in mnist], [p[:size] for p in fashion]
    every = [*one, *near, *far]
    probe = min(len(p) for p in every) - learn
    x = np.concatenate([p[:learn] for p in every]).astype(np.float32)
    x_test = np.concatenate([p[learn : learn + probe] for p in every]).astype(np.float32)
    labels = np.arange(len(every), dtype=np.int32)
    return Labelled(x, np.repeat(labels, learn), x_test, np.repeat(labels, probe), len(every))
