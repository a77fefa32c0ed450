"""Figure of `novelty`: what has been new so far, how surprise grows with the horizon, and the two questions at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 6  # conditions that can be told apart in one panel


def draw(result: Result) -> Figure:
    """Three panels: cumulative novelty, novelty per unit of time, and novelty against learnability seed by seed."""
    d = result.diagnostics
    time = d[d.attrs["time_name"]].values
    clock = d.attrs["time_name"] + (f" ({d.attrs['time_unit']})" if d.attrs["time_unit"] else "")
    conditions = [str(c) for c in d["condition"].values][:_MOST]
    fig, (left, middle, right) = style.new(1, 3, width=11.5, height=3.6)
    for i, condition in enumerate(conditions):
        style.band(left, time, d["cumulative"].values[i], label=condition, colour=_colour(i))
        _rate(middle, time, d["cumulative"].values[i], _colour(i))
    axis = str(d.attrs["axis"])
    style.finish(left, title="New so far", xlabel=clock, ylabel=f"{axis}, cumulative")
    style.finish(middle, title="New per unit of time", xlabel=clock, ylabel="rate")
    seeds = result.to_frame("seeds")
    known = np.isfinite(seeds["learnable"]) & np.isfinite(seeds["exponent"])
    if known.any():
        for i, condition in enumerate(conditions):
            own = seeds[(seeds["condition"] == condition) & known]
            right.plot(own["exponent"], own["learnable"], "o", color=_colour(i), markersize=5, alpha=0.75)
        right.axvline(float(result.params["margin"]), color=style.GREY, linewidth=1.0, linestyle=(0, (4, 3)))
        style.finish(right, title="Novel, and learnable?", xlabel="late growth exponent", chance=0.0)
        right.set_ylabel("error saved by learning")
        low, high = right.get_ylim()
        low, high = min(low, -0.15), max(high, 0.35)
        right.set_ylim(low - 0.14 * (high - low), high + 0.14 * (high - low))  # room for the words
        right.set_xlim(min(-0.1, right.get_xlim()[0]), max(1.15, right.get_xlim()[1]))
        for x, y, word in ((0.98, 0.96, "open so far"), (0.98, 0.04, "wandering"), (0.02, 0.96, "stagnant")):
            right.text(
                x, y, word, transform=right.transAxes, ha="right" if x > 0.5 else "left",
                va="top" if y > 0.5 else "bottom", fontsize=8.5, color=style.MUTED,
            )  # fmt: skip
    else:
        groups = {c: seeds.loc[seeds["condition"] == c, "exponent"].to_numpy(dtype=float) for c in conditions}
        style.bars(right, groups)
        style.finish(right, title="Late growth", ylabel="late growth exponent", chance=0.0)
    if len(conditions) > 1:
        handles, names = left.get_legend_handles_labels()
        fig.legend(handles, names, loc="outside upper right", ncols=len(names), frameon=False, fontsize=8.5)
    return fig


def _colour(i: int) -> str:
    return style.COLOURS[i % len(style.COLOURS)]


def _rate(ax: Any, time: np.ndarray, count: np.ndarray, colour: str) -> None:
    """Mean over seeds of the new things in each twelfth of the record, as steps."""
    edges = np.unique(np.linspace(0, len(time) - 1, 13).astype(int))
    if len(edges) < 2:
        return
    rate = np.diff(count[:, edges], axis=1) / np.diff(time[edges])
    seen = np.isfinite(rate)
    mean = np.where(seen, rate, 0.0).sum(axis=0) / np.where(seen.any(axis=0), seen.sum(axis=0), np.nan)
    ax.stairs(mean, time[edges], color=colour, linewidth=2.0, baseline=None)
