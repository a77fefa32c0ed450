"""Pictures of discs: what is drawn, and that colour and size are read back from it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.nn.discs import Reading, paint, read, render

WHITE = jnp.ones((8, 8, 3))
reader = jax.jit(read)


painter = jax.jit(lambda x, y, radius, s: render(x, y, radius, paint(s), 8))


def drawn(x: float, y: float, radius: float, s: float, pixels: int = 8) -> jax.Array:
    where = map(jnp.float32, (x, y, radius))
    return painter(*where, jnp.float32(s)) if pixels == 8 else render(*where, paint(s), pixels)


def test_a_picture_is_what_a_loop_over_pixels_paints():
    x, y, radius, colour, pixels = 0.3, -0.1, 0.45, np.array([0.2, 0.3, 0.9]), 6
    picture = render(*map(jnp.float32, (x, y, radius)), jnp.asarray(colour, jnp.float32), pixels, 0.9)
    for row in range(pixels):
        for column in range(pixels):
            far = np.hypot(-1 + (column + 0.5) / 3 - x, -1 + (row + 0.5) / 3 - y)
            cover = min(max((radius - far) * 3 + 0.5, 0.0), 1.0)
            np.testing.assert_allclose(picture[row, column], 0.9 + cover * (colour - 0.9), atol=1e-5)


def test_the_line_from_red_to_blue():
    np.testing.assert_allclose(paint(jnp.array([-1.0, 0.0, 1.0])), [[1, 0, 0], [0.5, 0.5, 0.5], [0, 0, 1]])
    np.testing.assert_allclose(paint(0.4), [0.3, 0.3, 0.7], atol=1e-6)


@settings(max_examples=30)
@given(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(0.2, 0.55))
def test_a_disc_covers_its_area(x, y, radius):
    """A rim that fades over one pixel adds pi w^2 / 12."""
    pixels = 32
    cover = 1 - drawn(x, y, radius, 0.0, pixels)[..., 0] * 2 + 1
    assert float(cover.sum()) * (2 / pixels) ** 2 == pytest.approx(
        np.pi * (radius**2 + (2 / pixels) ** 2 / 12), rel=0.02
    )


@pytest.mark.parametrize(("colours", "sizes"), [(0.4, 0.2), (0.8, 0.15), (0.1, 0.4), (0.2, 0.3), (0.4, 0.15)])
def test_all_four_classes_are_told_from_rendered_pictures(colours, sizes):
    """Ground truth: every place, every size of the class and every colour of it, near the worst cases of each."""
    rng = np.random.default_rng(0)
    n = 400
    for blue in (0, 1):
        for small in (0, 1):
            s = np.full(n, colours * (2 * blue - 1))
            colour = np.asarray(paint(jnp.asarray(s, jnp.float32))) + colours / 8 * rng.uniform(-1, 1, (n, 3))
            radius = 0.5 + sizes * (0.5 - small) + 3 * sizes / 8 * rng.uniform(-1, 1, n)
            place = rng.uniform(-0.25, 0.25, (2, n))
            pictures = render(*(jnp.asarray(a, jnp.float32) for a in (*place, radius, colour)), 8)
            seen = reader(pictures)
            assert ((np.asarray(seen.colour) > 0) == bool(blue)).all()
            # sizes so near to the border that a list of discs in steps of 0.05 cannot tell
            clear = np.abs(radius - 0.5) > 0.02
            assert ((np.asarray(seen.size) < 0.5) == bool(small))[clear].all()
            assert np.asarray(seen.likeness).min() > 0.89
            assert float(jnp.mean(seen.colour)) == pytest.approx(colours * (2 * blue - 1), rel=0.1)
            assert float(jnp.mean(seen.size)) == pytest.approx(radius.mean(), abs=0.01)


@settings(max_examples=50)
@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.38, 0.9), st.floats(-1, 1))
def test_colour_and_size_of_discs_of_three_pixels_are_read_back(x, y, radius, s):
    seen = reader(drawn(x, y, radius, s))
    assert float(seen.size) == pytest.approx(radius, abs=0.11)
    assert float(seen.colour) == pytest.approx(s, abs=0.15)
    assert float(seen.likeness) > 0.93


def test_a_faint_disc_is_as_large_and_less_coloured():
    whole, faint = (reader(WHITE + a * (drawn(0.1, 0.2, 0.4, 0.8) - WHITE)) for a in (1.0, 0.5))
    assert float(faint.size) == float(whole.size)
    assert float(faint.colour) == pytest.approx(float(whole.colour) / 2, abs=1e-5)
    assert float(faint.likeness) == pytest.approx(float(whole.likeness), abs=1e-5)


def test_what_cannot_be_seen_is_not_read():
    picture = drawn(0.0, 0.0, 0.4, 1.0)
    bright = jnp.where(picture >= 1, 5.0, jnp.where(picture <= 0, -3.0, picture))
    for a, b in zip(reader(bright), reader(picture), strict=True):
        np.testing.assert_array_equal(a, b)


def test_where_there_is_no_disc_nothing_is_like_one():
    blank = reader(WHITE)
    assert float(blank.likeness) == float(blank.colour) == 0.0
    stripes = WHITE.at[:, ::4].set(0.0)
    frame = jnp.zeros((8, 8, 3)).at[1:-1, 1:-1].set(1.0)
    for picture in (stripes, frame):
        assert float(reader(picture).likeness) < 0.7


def test_batches_of_any_shape_are_read():
    pictures = jnp.broadcast_to(drawn(0, 0, 0.525, 0.3), (2, 3, 8, 8, 3))
    seen = read(pictures)
    assert isinstance(seen, Reading)
    assert all(part.shape == (2, 3) for part in seen)
    np.testing.assert_allclose(seen.size, 0.525, atol=1e-6)
