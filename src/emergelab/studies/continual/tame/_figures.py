"""The figures of the study `tame`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emergelab import figures
from emergelab.figures import COLOURS, GREY, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

SHOWN = ("losses", "unsmoothed", "blend-20", "garbled")
WORDS = {
    "losses": "smoothed losses", "unsmoothed": "single losses", "blend-20": "a task comes in over 20 steps",
    "garbled": "random labels for 20 steps",
}  # fmt: skip


def draw_traces(run: Run) -> Figure:
    """The active expert's loss and threshold in the first seed, coloured by expert, and the borders."""
    names = [n for n in SHOWN if n in set(map(str, run.data.condition.values))]
    fig, axes = figures.new(len(names), 1, width=8.4, height=1.45 * len(names) + 0.6, sharex=True)
    for ax, name in zip(np.atleast_1d(axes), names, strict=True):
        one = run.data.isel(seed=0).sel(condition=name).isel(time=slice(1, None))
        time, task = one.time.values, one.task.values
        loss, limit, who = one.loss.values, one.threshold.values, one.active.values.astype(int)
        for border in time[1:][task[1:] != task[:-1]]:
            ax.axvline(border - (time[1] - time[0]), color=GREY, lw=1.2, zorder=0)
        ax.plot(time, limit, color=INK, lw=1.0, alpha=0.8, label="threshold")
        for expert in np.unique(who):
            mine = np.where(who == expert, loss, np.nan)
            ax.plot(time, mine, "o-", color=COLOURS[expert % len(COLOURS)], markersize=2.2, lw=1.2)
        ax.set_yscale("log")
        figures.finish(ax, title=WORDS[name], ylabel="loss (nats)", ylim=(0.02, 5))
    figures.finish(np.atleast_1d(axes)[-1], xlabel="step; colours are experts, lines are borders of tasks")
    figures.finish(np.atleast_1d(axes)[0], legend="lower left")
    return fig


def draw_occupancy(run: Run) -> Figure:
    """Which expert was active in which block: share of seeds' records, experts in the order of their making."""
    there = {str(c) for c in run.data.condition.values}
    names = [n for n in ("losses", "recurring", "window-100", "blend-20") if n in there]
    fig, axes = figures.new(1, len(names), width=2.5 * len(names) + 0.9, height=3.0)
    blocks = 6
    for i, (ax, name) in enumerate(zip(np.atleast_1d(axes), names, strict=True)):
        one = run.data.sel(condition=name).isel(time=slice(1, None))
        who = one.active.transpose("seed", "time").values.astype(int)
        size = who.shape[1] // blocks
        used = int(run.data.experts.sel(condition=names).max())
        parts = [who[:, b * size : (b + 1) * size] for b in range(blocks)]
        table = np.array([[(part == expert).mean() for part in parts] for expert in range(used)])
        shown = ax.imshow(table, vmin=0, vmax=1, cmap=figures.HEATMAP, aspect="auto")
        tasks = one.task.isel(seed=0).values[size // 2 :: size].astype(int)
        ax.set_xticks(range(blocks), ["abcdefgh"[t] for t in tasks])
        ax.set_yticks(range(used), range(1, used + 1))
        ax.grid(False)
        figures.finish(ax, title=name, xlabel="task of the block", ylabel="expert" if i == 0 else "")
    fig.colorbar(shown, ax=list(np.atleast_1d(axes)), label="share of steps", shrink=0.85, pad=0.02)
    return fig


def draw_ends(run: Run) -> Figure:
    """How well experts follow tasks, and what is known in the end, with and without a choice of expert."""
    names = [str(c) for c in run.data.condition.values]
    fig, (left, right) = figures.new(1, 2, width=8.8, height=0.28 * len(names) + 1.1, sharey=True)
    end = run.data.isel(time=-1)
    for row, name in enumerate(names):
        one = end.sel(condition=name)
        each = np.full(one.sizes["seed"], row)
        left.plot(one.agreement.values, each, "o", color=COLOURS[0], ms=3.5, alpha=0.4, mew=0)
        left.plot(one.agreement.mean(), row, "|", color=COLOURS[0], markersize=12, mew=2.4)
        for values, colour, label in (
            (one.accuracy.values, COLOURS[2], "by each task's own expert"),
            (one.routed.values, COLOURS[1], "by the expert chosen for each example"),
        ):
            right.plot(values, each, "o", color=colour, ms=3.5, alpha=0.35, mew=0)
            right.plot(values.mean(), row, "|", color=colour, ms=12, mew=2.4, label=label if row == 0 else None)
    left.set_yticks(range(len(names)), names)
    left.invert_yaxis()
    right.axvline(0.1, color=GREY, lw=1, zorder=0)
    right.text(0.11, len(names) - 0.6, "guessing", color=MUTED, fontsize=8)
    figures.finish(left, title="Experts follow tasks", xlabel="adjusted Rand index", xlim=(-0.05, 1.05))
    figures.finish(right, title="Known in the end", xlabel="accuracy, mean over tasks", xlim=(0, 1), legend="outside")
    return fig
