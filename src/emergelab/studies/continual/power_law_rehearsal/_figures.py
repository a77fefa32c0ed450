"""The figures of the study `power-law-rehearsal`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from emergelab import figures
from emergelab.continual import streams as sm
from emergelab.figures import COLOURS, GREY, INK, MUTED

from ._conditions import BY_SHARE, EWC, LAWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

COLOUR = {
    "blocks": MUTED, "joint": INK, "uniform": COLOURS[2], "power": COLOURS[1], "index": COLOURS[4],
    "exponential": COLOURS[0], "recent": COLOURS[3], "oldest": COLOURS[6],
}  # fmt: skip
GUESS = 0.1


def _there(run: Run) -> set[str]:
    return {str(c) for c in run.data.condition.values}


def _phases(run: Run) -> tuple[xr.Dataset, int]:
    """The records at the ends of phases, and steps in a phase."""
    tasks = run.data.sizes["task"]
    step = (run.data.sizes["time"] - 1) // tasks
    return run.data.isel(time=slice(step, None, step)), step


def draw_worlds(run: Run) -> Figure:
    """The law of each world, what it leaves of each task, and what the network knows meanwhile."""
    fig, axes = figures.new(1, 3, width=12.2, height=3.6)
    ends, _ = _phases(run)
    tasks = run.data.sizes["task"]
    age = np.arange(tasks - 1, 0, -1)
    needs = {
        "uniform": sm.uniform(tasks), "power": sm.power(tasks), "index": sm.by_index(tasks),
        "exponential": sm.exponential(tasks), "recent": sm.most_recent(tasks), "oldest": sm.oldest_most(tasks),
    }  # fmt: skip
    for law, need in needs.items():
        share = np.asarray(sm.mixed(need, 1.0))[-1, : tasks - 1]
        axes[0].plot(age, np.where(share > 5e-4, share, np.nan), "o-", color=COLOUR[law], markersize=3.5, label=law)
    figures.finish(
        axes[0], title="What comes back in the last phase", xlabel="phases since a task was new",
        ylabel="share of rehearsal", ylim=(0, 1.03),
    )  # fmt: skip
    for name in ("joint", *(f"{law}-10" for law in LAWS), "blocks"):
        if name not in _there(run):
            continue
        law = name.removesuffix("-10")
        left = ends.accuracy.sel(condition=name).isel(time=-1).mean("seed").values
        axes[1].plot(np.arange(tasks - 1, -1, -1), left, "o-", color=COLOUR[law], markersize=3.5, label=law)
        figures.band(
            axes[2], np.arange(1, tasks + 1),
            ends.average.sel(condition=name).transpose("seed", "time").values, label=law, colour=COLOUR[law], seeds=0,
        )  # fmt: skip
    for ax in axes[1:]:
        ax.axhline(GUESS, color=GREY, lw=1, zorder=0)
        ax.text(0.02, GUESS - 0.05, "guessing", color=MUTED, fontsize=8, transform=ax.get_yaxis_transform())
    figures.finish(
        axes[1], title="What is left in the end", xlabel="phases since a task was new", ylabel="accuracy", ylim=(0, 1)
    )
    figures.finish(
        axes[2], title="What is known of all tasks met", xlabel="tasks met", ylabel="accuracy, mean", ylim=(0, 1),
        legend="outside",
    )  # fmt: skip
    return fig


def draw_matrices(run: Run) -> Figure:
    """Accuracy on every task after every phase: the matrix of the field, for four worlds."""
    names = [n for n in ("blocks", "exponential-10", "power-10", "uniform-10") if n in _there(run)]
    fig, axes = figures.new(1, len(names), width=2.7 * len(names) + 0.9, height=3.1)
    ends, _ = _phases(run)
    axes = np.atleast_1d(axes)
    for i, (ax, name) in enumerate(zip(axes, names, strict=True)):
        table = ends.accuracy.sel(condition=name).mean("seed").transpose("time", "task").values
        tasks = table.shape[1]
        shown = ax.imshow(table, vmin=0, vmax=1, cmap=figures.HEATMAP, extent=(0.5, tasks + 0.5, tasks + 0.5, 0.5))
        figures.finish(ax, title=name, xlabel="task", ylabel="after phase" if i == 0 else "")
        ax.set_xticks([1, tasks // 2, tasks])
        ax.set_yticks([1, tasks // 2, tasks])
        ax.grid(False)
    fig.colorbar(shown, ax=list(axes), label="accuracy", shrink=0.85, pad=0.02)
    return fig


def retention(accuracy: xr.DataArray) -> xr.DataArray:
    """Accuracy on a task after its own phase, mean over the first half of all tasks.

    Of later tasks less is left to see; with the same tasks at every lag the curve is one of forgetting alone.

    Args:
        accuracy: [seed, time, task], as many records in every phase and one before the first.

    Returns:
        [seed, lag] with the coordinate `lag` in phases, from 0, the end of the task's own phase.
    """
    tasks = accuracy.sizes["task"]
    step = (accuracy.sizes["time"] - 1) // tasks
    span = step * (tasks - tasks // 2)
    rows = [
        accuracy.isel(task=j, time=slice((j + 1) * step, (j + 1) * step + span + 1)).transpose("seed", "time").values
        for j in range(tasks // 2)
    ]
    lag = np.arange(span + 1) / step
    return xr.DataArray(np.mean(rows, axis=0), dims=("seed", "lag"), coords={"lag": lag})


def draw_forgetting(run: Run) -> Figure:
    """How a task is forgotten in each world, on one and on two logarithmic axes."""
    fig, axes = figures.new(1, 2, width=9.4, height=3.7)
    for name in (n for n in ("joint", *(f"{law}-10" for law in LAWS), "blocks") if n in _there(run)):
        law = name.removesuffix("-10")
        kept = retention(run.data.accuracy.sel(condition=name)).isel(lag=slice(1, None))
        figures.band(axes[0], kept.lag.values, kept.values, label=law, colour=COLOUR[law], seeds=0)
        above = np.maximum((kept.values - GUESS) / (1 - GUESS), 1e-3)
        figures.band(axes[1], kept.lag.values, above, label=law, colour=COLOUR[law], seeds=0)
    axes[0].axhline(GUESS, color=GREY, lw=1, zorder=0)
    axes[0].text(0.02, GUESS - 0.05, "guessing", color=MUTED, fontsize=8, transform=axes[0].get_yaxis_transform())
    for ax in axes:
        ax.set_xscale("log")
        _ticks(ax.xaxis, (0.25, 0.5, 1, 2, 5))
    axes[1].set_yscale("log")
    _ticks(axes[1].yaxis, (0.1, 0.2, 0.5, 1))
    lag = "phases since its own ended"
    figures.finish(axes[0], title="What is left of a task", xlabel=lag, ylabel="accuracy", ylim=(0, 1))
    figures.finish(
        axes[1], title="A power law would be a straight line", xlabel=lag, ylabel="accuracy above guessing",
        ylim=(0.07, 1.1), legend="outside",
    )  # fmt: skip
    return fig


def _ticks(axis: Axis, at: Sequence[float]) -> None:
    """Plain numbers at these places of a logarithmic axis, and nothing between them."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axis.set_major_locator(FixedLocator(list(at)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def draw_means(run: Run) -> Figure:
    """What each world, share and method leaves in the end; dots are seeds."""
    order = [
        "blocks", "power-garbled", "recent-10", "exponential-10", "power-10", "index-10", "oldest-10", "uniform-10",
        *list(BY_SHARE)[1:], "uniform-50", "joint", *EWC, "replay", "relapse",
    ]  # fmt: skip
    names = [n for n in order if n in _there(run)]
    fig, ax = figures.new(width=7.4, height=0.27 * len(names) + 1.1)
    end = run.data.isel(time=-1)
    for row, name in enumerate(names):
        values = end.average.sel(condition=name).values
        law = name.split("-")[0]
        colour = COLOUR.get(law, COLOURS[7])
        ax.plot(values, np.full(len(values), row), "o", color=colour, markersize=3.5, alpha=0.4, mew=0)
        ax.plot(values.mean(), row, "|", color=colour, markersize=13, mew=2.4)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.axvline(GUESS, color=GREY, lw=1, zorder=0)
    ax.text(GUESS + 0.005, len(names) - 0.6, "guessing", color=MUTED, fontsize=8)
    figures.finish(ax, title="Known of all tasks in the end", xlabel="accuracy, mean over tasks", xlim=(0, 1))
    return fig
