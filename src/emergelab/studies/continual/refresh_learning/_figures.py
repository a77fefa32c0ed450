"""The figures of the study `refresh-learning`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from emergelab import figures
from emergelab.figures import COLOURS, GREY, MUTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

GROUPS = {
    "released form": ("refresh-1e-5", "refresh-1e-4", "refresh-1e-3", "refresh-1e-2"),
    "the paper's equation": ("paper-1e-3", "paper-1e-2", "paper-1e-1"),
    "with its noise": ("paper-noise-7", "paper-noise-6", "paper-noise-5", "paper-noise-4"),
    "noise alone, noise and down": ("noise-5", "noise-down-5"),
    "controls": ("random-1e-3", "descent-1e-3", "memory-1e-3", "unweighted-1e-3", "weighted-1e-3"),
    "weight decay": ("decay", "decay-refresh"),
}


def draw_gains(run: Run) -> Figure:
    """Accuracy in the end against the memory alone, paired by seed, and how long the steps are."""
    there = {str(c) for c in run.data.condition.values}
    end = run.data.isel(time=-1)
    rows = [(g, c) for g, names in GROUPS.items() for c in names if c in there]
    fig, (left, right) = figures.new(1, 2, width=9.6, height=0.27 * len(rows) + 1.2, sharey=True)
    base = end.average.sel(condition="base").values
    colour = dict(zip(GROUPS, COLOURS, strict=False))
    for row, (group, name) in enumerate(rows):
        gain = 100 * (end.average.sel(condition=name).values - base)
        half = stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 2 else 0.0
        off = gain.mean() < -6
        x = -6.0 if off else gain.mean()
        mark = "<" if off else "o"
        left.errorbar(x, row, xerr=0 if off else half, fmt=mark, color=colour[group], markersize=5, capsize=3)
        if off:
            left.text(-5.6, row, f"{gain.mean():.0f}", va="center", fontsize=8, color=MUTED)
        lengths = end.step.sel(condition=name).mean().item(), end["update"].sel(condition=name).mean().item()
        if lengths[0] > 0:
            right.plot(lengths[0], row, "o", color=colour[group], markersize=5)
        right.plot(lengths[1], row, "|", color=MUTED, markersize=9, mew=1.6, label="an update" if row == 0 else None)
    left.axvline(0, color=GREY, lw=1, zorder=0)
    left.axvspan(1, 2, color=GREY, alpha=0.35, lw=0, zorder=0)
    left.text(2.1, -0.05, "as published", va="center", fontsize=8, color=MUTED)
    left.set_yticks(range(len(rows)), [name for _, name in rows])
    left.set_ylim(len(rows) - 0.3, -0.7)
    figures.finish(left, title="What refresh adds", xlabel="accuracy, points of a hundred", xlim=(-6.5, 6.5))
    right.set_xscale("log")
    figures.finish(right, title="How long its steps are", xlabel="length over that of all weights", legend="upper left")
    return fig


def draw_course(run: Run) -> Figure:
    """Accuracy on the tasks met over the phases, and the accuracy matrix of the base."""
    there = {str(c) for c in run.data.condition.values}
    fig, (left, right) = figures.new(1, 2, width=8.6, height=3.4)
    chosen = {
        "base": COLOURS[0], "refresh-1e-3": COLOURS[1], "refresh-1e-2": COLOURS[3], "labels": COLOURS[2],
        "naive": MUTED,
    }  # fmt: skip
    data = run.data.isel(time=slice(1, None))
    phases = np.arange(1, data.sizes["task"] + 1)
    step = data.sizes["time"] // data.sizes["task"]
    data = data.isel(time=slice(step - 1, None, step))
    for name, colour in chosen.items():
        if name in there:
            rows = data.average.sel(condition=name).transpose("seed", "time").values
            figures.band(left, phases, rows, label=name, colour=colour, seeds=0)
    left.plot(phases, 1 / phases, "--", color=GREY, lw=1.2, zorder=0)
    left.text(phases[-1], 1 / phases[-1] - 0.09, "the last two alone", ha="right", fontsize=8, color=MUTED)
    left.set_xticks(phases)
    figures.finish(
        left, title="Known of the digits met", xlabel="phases", ylabel="accuracy", ylim=(0, 1.02), legend="outside"
    )
    table = data.accuracy.sel(condition="base").mean("seed").transpose("time", "task").values
    n = len(phases)
    shown = right.imshow(table, vmin=0, vmax=1, cmap=figures.HEATMAP, extent=(0.5, n + 0.5, n + 0.5, 0.5))
    right.set_xticks(phases)
    right.set_yticks(phases)
    right.grid(False)
    figures.finish(right, title="Base, task by task", xlabel="two digits of phase", ylabel="after phase")
    fig.colorbar(shown, ax=right, label="accuracy", shrink=0.85)
    return fig
