"""The house style of emergelab's figures, and the few ways of drawing that studies share.

Everything here is a plain function over matplotlib's object interface. The style is applied to each figure
when it is made, and `matplotlib.rcParams` is put back at once, so emergelab leaves a user's own plots as they
were.

    fig, ax = figures.new(cols=1)
    figures.band(ax, time, values, label="bursty", colour=figures.COLOURS[0])
    figures.finish(ax, xlabel="training step", ylabel="accuracy", title="Accuracy in context")
    figures.save(fig, "accuracy.png")
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from scipy import stats

COLOURS: tuple[str, ...] = (
    "#0B6FB8",  # blue
    "#D9590B",  # vermilion
    "#0A8F6C",  # green
    "#B5458F",  # purple
    "#D99A00",  # amber
    "#4DAEDB",  # sky
    "#6B4C2F",  # umber
    "#5B616B",  # slate
)
"""Categorical colours in the order of use, from the Okabe-Ito set darkened for a white ground.

They differ in lightness as well as in hue, so the first four stay apart for deuteranopes, protanopes and in
print.
"""

INK: str = "#1C2430"
"""Colour of text."""
MUTED: str = "#5C6675"
"""Colour of tick labels and of notes."""
GREY: str = "#B4BBC5"
"""Colour of reference lines: chance levels, zeros, margins."""
HEATMAP: str = "viridis"
"""Colour map of quantities that have one end (counts, densities, attention)."""
SIGNED: str = "RdBu_r"
"""Colour map of quantities around a centre (differences, correlations); centre it with vmin=-vmax."""

_STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "figure.dpi": 150,
    "savefig.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.facecolor": "white",
    "axes.edgecolor": "#8892A0",
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.xmargin": 0.02,
    "grid.color": "#E6E9EE",
    "grid.linewidth": 0.7,
    "xtick.color": "#8892A0",
    "ytick.color": "#8892A0",
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.6,
    "image.cmap": HEATMAP,
    "image.interpolation": "nearest",
}


def new(rows: int = 1, cols: int = 1, width: float = 7.0, height: float = 3.6, **subplots: Any) -> tuple[Figure, Any]:
    """Make an empty figure in the house style.

    Args:
        rows: number of rows of axes.
        cols: number of columns of axes.
        width: width of the whole figure in inches.
        height: height of the whole figure in inches.
        **subplots: handed to `Figure.subplots` (`sharex`, `sharey`, `width_ratios`, `height_ratios`,
            `squeeze`, ...).

    Returns:
        The figure and its axes: one `Axes` for 1 x 1, otherwise a numpy array of axes, as `Figure.subplots`
        gives it. The layout is constrained, so labels never overlap and no call of `tight_layout` is needed.
    """
    with rc_context(_STYLE):
        fig = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(fig)
        axes = fig.subplots(rows, cols, **subplots)
    return fig, axes


def finish(
    ax: Axes,
    *,
    title: str | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    xlim: tuple[float | None, float | None] | None = None,
    ylim: tuple[float | None, float | None] | None = None,
    legend: bool | str = False,
    chance: float | None = None,
    note: str | None = None,
) -> Axes:
    """Give an axes its words, limits, reference line and legend in the house style; returns the axes.

    Args:
        ax: the axes.
        title: a short title, set flush left above the axes.
        xlabel: what the horizontal axis shows, with its unit.
        ylabel: what the vertical axis shows, with its unit.
        xlim: limits of the horizontal axis (`None` leaves one side free).
        ylim: limits of the vertical axis.
        legend: `True` for a legend at the best place, or a place by name (`"upper left"`, `"outside"`).
        chance: draw a dashed grey line at this height (chance level, zero, a published value).
        note: a small grey note in the lower right corner.
    """
    with rc_context(_STYLE):
        if chance is not None:
            ax.axhline(chance, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        if title is not None:
            ax.set_title(title)
        if xlabel is not None:
            ax.set_xlabel(xlabel)
        if ylabel is not None:
            ax.set_ylabel(ylabel)
        if xlim is not None:
            ax.set_xlim(*xlim)
        if ylim is not None:
            ax.set_ylim(*ylim)
        if legend == "outside":
            ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
        elif legend:
            ax.legend(loc="best" if legend is True else str(legend))
        if note is not None:
            ax.text(0.99, 0.02, note, transform=ax.transAxes, ha="right", va="bottom", fontsize=7.5, color=MUTED)
    return ax


def log_ticks(axis: Axis) -> None:
    """Label a logarithmic axis that spans less than two decades with plain numbers instead of powers of ten.

    Args:
        axis: `ax.xaxis` or `ax.yaxis`, after its scale was set to "log" and its data were drawn.
    """
    low, high = sorted(axis.get_view_interval())
    if not 0 < low < high or high >= 100 * low:
        return
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high > 5 * low else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def band(
    ax: Axes,
    time: Num[np.ndarray, "time"],
    values: Num[np.ndarray, "..."],
    label: str | None = None,
    colour: str | None = None,
    *,
    level: float = 0.95,
    seeds: int = 12,
    linestyle: str = "-",
) -> None:
    """Draw the mean over seeds with its confidence band, and the first few seeds as thin lines.

    The band is the pointwise t interval of the mean over the seeds that are finite at that time. It is a
    picture, not a test: verdicts use the bootstrap over whole seeds (`emergelab.statistics`). Where fewer
    than three seeds are finite the band is left out, since it would only pretend to know the spread.

    Args:
        ax: the axes.
        time: times, shape (time,).
        values: one row a seed, shape (seed, time); a single curve of shape (time,) is also taken. NaN is
            left out.
        label: name in the legend.
        colour: colour of the line; the next one of the house's colours when it is not given.
        level: level of the band, in (0, 1).
        seeds: how many single seeds to draw at most; 0 draws none.
        linestyle: matplotlib's line style of the mean.

    Raises:
        ValueError: when the shapes of `time` and `values` do not agree, or `level` is not in (0, 1).
    """
    time = np.asarray(time, dtype=float)
    values = np.atleast_2d(np.asarray(values, dtype=float))
    if time.ndim != 1 or values.ndim != 2 or values.shape[1] != time.shape[0]:
        raise ValueError(
            f"band: values must have shape (seed, time) with {time.shape[0] if time.ndim else 0} times, "
            f"got {values.shape} for times of shape {time.shape}; transpose with .transpose('seed', 'time')"
        )
    if not 0.0 < level < 1.0:
        raise ValueError(f"band: level must be in (0, 1), got {level}")
    if colour is None:
        colour = _next_colour(ax)
    values = np.where(np.isfinite(values), values, np.nan)
    count = np.sum(np.isfinite(values), axis=0)
    with warnings.catch_warnings():
        # Times at which no seed is finite give an all-NaN column: the line then has a gap, which is what we
        # want.
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.nanmean(values, axis=0)
        spread = np.nanstd(values, axis=0, ddof=1)
    for row in values[: max(seeds, 0)] if values.shape[0] > 1 else ():
        ax.plot(time, row, color=colour, linewidth=0.5, alpha=0.28, zorder=2)
    enough = count >= 3
    half = np.full_like(mean, np.nan)
    half[enough] = stats.t.ppf(0.5 + level / 2.0, count[enough] - 1) * spread[enough] / np.sqrt(count[enough])
    if np.any(enough):
        ax.fill_between(time, mean - half, mean + half, color=colour, alpha=0.20, linewidth=0, zorder=3)
    ax.plot(time, mean, color=colour, linewidth=2.0, linestyle=linestyle, label=label, zorder=4)


def bars(
    ax: Axes,
    groups: Mapping[str, Num[np.ndarray, "..."]],
    *,
    colours: Sequence[str] | None = None,
    level: float = 0.95,
    points: bool = True,
    rng: int = 0,
) -> None:
    """Draw one column a group: every seed as a dot, the mean as a bar with the t interval of the mean.

    Args:
        ax: the axes.
        groups: name of the group -> one value a seed; NaN is left out, an empty group keeps its place.
        colours: one colour a group; the house's colours in order when not given.
        level: level of the interval, in (0, 1).
        points: draw the single seeds.
        rng: seed of the sideways scatter of the dots, which carries no meaning.
    """
    random = np.random.default_rng(rng)
    palette = list(colours) if colours is not None else [COLOURS[i % len(COLOURS)] for i in range(len(groups))]
    for i, (given, colour) in enumerate(zip(groups.values(), palette, strict=True)):
        array = np.asarray(given, dtype=float).ravel()
        array = array[np.isfinite(array)]
        if array.size == 0:
            continue
        mean = float(array.mean())
        ax.bar(i, mean, width=0.62, color=colour, alpha=0.30, linewidth=0, zorder=2)
        ax.plot([i - 0.31, i + 0.31], [mean, mean], color=colour, linewidth=2.0, solid_capstyle="butt", zorder=5)
        if array.size >= 3:
            half = float(stats.t.ppf(0.5 + level / 2, array.size - 1) * array.std(ddof=1) / np.sqrt(array.size))
            ax.errorbar(i, mean, yerr=half, color=INK, linewidth=1.3, capsize=3.0, zorder=6)
        if points:
            shift = random.uniform(-0.19, 0.19, size=array.size)
            ax.plot(i + shift, array, "o", color=colour, markersize=2.8, alpha=0.55, markeredgewidth=0, zorder=4)
    ax.set_xticks(range(len(groups)), list(groups))
    ax.grid(False, axis="x")
    ax.set_xlim(-0.6, len(groups) - 0.4)


def label_lines(ax: Axes, *, pad: float = 0.015, gap: float = 0.055) -> None:
    """Write each labelled line's name at its right end instead of a legend, moved apart where they would
    overlap.

    Call it last, when the limits of the axes are settled.

    Args:
        ax: the axes.
        pad: distance from the right edge, as a fraction of the width of the axes.
        gap: smallest vertical distance of two names, as a fraction of the height of the axes.
    """
    ends: list[tuple[float, str, Any]] = []
    to_axes = ax.transData + ax.transAxes.inverted()
    for line in ax.get_lines():
        name = str(line.get_label())
        x, y = (np.asarray(v, dtype=float) for v in line.get_data())
        finite = np.isfinite(x) & np.isfinite(y)
        if name.startswith("_") or not finite.any():
            continue
        last = np.flatnonzero(finite)[-1]
        ends.append((float(to_axes.transform((x[last], y[last]))[1]), name, line.get_color()))
    ends.sort(key=lambda end: end[0])
    places = np.array([min(max(end[0], 0.02), 0.98) for end in ends])
    for _ in range(200):
        overlap = gap - np.diff(places)
        if not np.any(overlap > 1e-6):
            break
        push = np.maximum(overlap, 0.0) / 2.0
        places[:-1] -= push
        places[1:] += push
        places = np.clip(places, 0.0, 1.0)
    with rc_context(_STYLE):
        for place, (_, name, colour) in zip(places, ends, strict=True):
            ax.text(1.0 + pad, float(place), name, transform=ax.transAxes, color=colour, fontsize=8.5, va="center")


def save(fig: Figure, path: str | Path) -> Path:
    """Write a figure as a PNG of 150 dots per inch, release its memory, and return the path.

    Folders on the way are made. The figure is empty afterwards.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(fig))
    fig.clear()
    return path


def png(fig: Figure, dpi: int = 150) -> bytes:
    """Draw a figure into the bytes of a PNG file; the figure is left as it was.

    The metadata hold no date and no version, so equal figures give equal bytes.
    """
    buffer = io.BytesIO()
    with rc_context(_STYLE):
        fig.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def _next_colour(ax: Axes) -> str:
    """The first of the house's colours that no thick line of the axes has yet."""
    used = {line.get_color() for line in ax.get_lines() if float(line.get_linewidth()) >= 1.5}
    return next((colour for colour in COLOURS if colour not in used), COLOURS[0])
