"""Figure of `communities`: who is where when in one seed, how often agents are together, and the windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MARKS = {"merge": "v", "split": "^", "formation": "o", "dissolution": "x"}


def draw(result: Result) -> Figure:
    """Three panels: membership over time (first seed), togetherness over all seeds, number and modularity by window."""
    d = result.diagnostics
    clock = d.attrs["time_name"] + (f" ({d.attrs['time_unit']})" if d.attrs["time_unit"] else "")
    fig, (left, middle, right) = style.new(1, 3, width=11.0, height=3.7, width_ratios=[1.5, 1, 1.2])
    together = d["together"].values[0]
    order = _order(together)
    labels = d["community"].values[0, 0][:, order]
    time, gap = d["time"].values, d.attrs["gap"] or 1.0
    shown = labels.astype(float)
    shown[labels < 0] = np.nan
    most = len(style.COLOURS)
    edges = (time[0] - 0.5 * gap, time[-1] + 0.5 * gap)
    left.imshow(
        (shown % most).T, aspect="auto", cmap=ListedColormap(style.COLOURS), vmin=-0.5, vmax=most - 0.5,
        extent=(*edges, len(order) - 0.5, -0.5),
    )  # fmt: skip
    left.grid(False)
    events = result.to_frame("events")
    first = events[(events["condition"] == d["condition"].values[0]) & (events["seed"] == d["seed"].values[0])]
    for kind, mark in _MARKS.items():
        at = first.loc[first["event"] == kind, "time"].to_numpy(dtype=float)
        if len(at):
            left.plot(
                at, np.full(len(at), -0.5), mark, color=style.INK, markersize=6, clip_on=False, label=kind, zorder=6
            )
    if len(first):
        left.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=4, fontsize=8, handletextpad=0.1, columnspacing=1.0
        )
    style.finish(left, title=f"Communities, seed {d['seed'].values[0]}", xlabel=clock, ylabel="agent, sorted")
    left.set_yticks([])
    image = middle.imshow(together[np.ix_(order, order)], vmin=0, vmax=1, cmap=style.HEATMAP)
    middle.grid(False)
    middle.set_xticks([])
    middle.set_yticks([])
    fig.colorbar(image, ax=middle, shrink=0.75, label="share of windows together")
    style.finish(middle, title="Together, all seeds", xlabel="agent, sorted", ylabel="agent, sorted")
    windows = result.to_frame("windows") if "windows" in result.tables else None
    if windows is not None and windows["communities"].notna().any():
        for i, (name, rows) in enumerate(windows.groupby("condition", sort=False)):
            colour = style.COLOURS[i % most]
            right.plot(rows["time"], rows["communities"], "o-", color=colour, markersize=3.5, label=str(name))
        right.set_ylim(0, max(2.0, float(windows["communities"].max()) * 1.15))
        right.yaxis.set_major_locator(MaxNLocator(integer=True))
        style.finish(right, title="Number of communities", xlabel=clock, ylabel="communities of three or more")
        if windows["condition"].nunique() > 1:
            right.legend(loc="best")
    else:
        right.set_axis_off()
        right.text(0.5, 0.5, "no ties", transform=right.transAxes, ha="center", color=style.MUTED)
    return fig


def _order(together: np.ndarray) -> np.ndarray:
    """Agents so that those who are often together stand together."""
    if len(together) < 3:
        return np.arange(len(together))
    distance = 1.0 - np.clip(together, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    return np.asarray(leaves_list(linkage(squareform(distance, checks=False), method="average")))
