"""The house style: it draws what it is given, leaves no trace in matplotlib's settings, and is repeatable."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from scipy import stats

from emergelab import figures


def test_style_leaves_the_users_settings_alone(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    fig, axes = figures.new(rows=2, cols=2)
    figures.finish(axes[0, 0], title="t", xlabel="x", ylabel="y", chance=0.5, note="n")
    figures.save(fig, tmp_path / "deep" / "f.png")
    assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "deep" / "f.png").read_bytes().startswith(b"\x89PNG")


def test_band_is_the_t_interval_of_the_mean_over_finite_seeds() -> None:
    time = np.arange(4.0)
    values = np.random.default_rng(0).normal(size=(6, 4))
    values[0, 1] = np.nan
    values[:4, 2] = np.nan  # two seeds are left: no band there
    values[:, 3] = np.inf
    fig, ax = figures.new()
    figures.band(ax, time, values, label="a", colour=figures.COLOURS[0])
    mean = ax.get_lines()[-1].get_ydata()
    np.testing.assert_allclose(mean[:3], [values[:, 0].mean(), np.nanmean(values[:, 1]), np.nanmean(values[:, 2])])
    assert np.isnan(mean[3])
    corners = ax.collections[0].get_paths()[0].vertices
    got = corners[corners[:, 0] == 0.0, 1]
    low, high = stats.t.interval(0.95, 5, values[:, 0].mean(), stats.sem(values[:, 0]))
    assert (got.min(), got.max()) == pytest.approx((low, high))
    figures.png(fig)


def test_band_takes_the_next_colour_and_one_seed() -> None:
    _, ax = figures.new()
    for name in ("a", "b"):
        figures.band(ax, np.arange(3), np.array([0.0, 1.0, 2.0]), name)
    assert [line.get_color() for line in ax.get_lines()] == list(figures.COLOURS[:2])
    assert not ax.collections


def test_band_says_what_shape_it_wants() -> None:
    _, ax = figures.new()
    with pytest.raises(ValueError, match=r"\(seed, time\) with 5 times, got \(5, 3\)"):
        figures.band(ax, np.arange(5), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="level"):
        figures.band(ax, np.arange(5), np.zeros((3, 5)), level=95)


def test_bars_show_every_finite_seed() -> None:
    _, ax = figures.new()
    figures.bars(ax, {"a": np.array([1.0, 2.0, np.nan]), "none": np.array([np.nan]), "b": np.arange(5.0)})
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert [len(line.get_ydata()) for line in dots] == [2, 5]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "none", "b"]


def test_line_names_do_not_overlap() -> None:
    _, ax = figures.new()
    for i in range(5):
        figures.band(ax, np.arange(3), np.array([0.0, 1.0, 1.0 + 0.001 * i]), f"line {i}")
    figures.finish(ax, ylim=(0, 2))
    figures.label_lines(ax, gap=0.05)
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert len(heights) == 5 and np.diff(heights).min() > 0.045


def test_equal_figures_give_equal_bytes() -> None:
    def draw() -> bytes:
        fig, ax = figures.new()
        figures.bars(ax, {"a": np.arange(6.0)})
        return figures.png(fig)

    assert draw() == draw()


def test_colours_are_distinct() -> None:
    assert len(set(figures.COLOURS)) == len(figures.COLOURS) >= 8
