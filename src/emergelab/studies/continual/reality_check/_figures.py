"""The figures of the study `reality-check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy import stats

from emergelab import figures
from emergelab.continual import tuning
from emergelab.figures import COLOURS, GREY, INK, MUTED

from ._claims import by_count, outcome, tables
from ._methods import KNOBS, METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

COLOUR = {
    "naive": MUTED, "EWC": COLOURS[6], "SI": GREY, "LwF": COLOURS[4], "A-GEM": COLOURS[7], "GEM": INK,
    "GDumb": COLOURS[3], "iCaRL": COLOURS[2], "ER": COLOURS[0], "ER-ACE": COLOURS[5], "DER++": COLOURS[1],
}  # fmt: skip
WORDS = {"near": "other pictures of the same", "far": "pictures of something else", "frozen": "only the rate is tuned"}


def _there(run: Run, *names: str) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [n for n in names if n in have]


def _one(run: Run, name: str) -> xr.Dataset:
    return run.data.sel(condition=name, drop=True)


def _mean(values: xr.DataArray) -> tuple[float, float]:
    """Mean over seeds, and half of its 95 % interval (0 where there are too few)."""
    x = np.asarray(values.values, float)
    half = stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / len(x) ** 0.5 if len(x) > 2 else 0.0
    return float(x.mean()), float(half)


def draw_ranks(run: Run) -> Figure:
    """Where each method stands in either protocol: mean scores, joined."""
    names = _there(run, "near", "far")
    fig, axes = figures.new(1, len(names), width=4.4 * len(names) + 0.4, height=4.4, squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        o = outcome(_one(run, name))
        places = {k: tuning.ranks(o[k]).mean("seed") for k in ("conventional", "two_phase")}
        ends: list[tuple[tuple[float, float], str]] = []
        for method in map(str, o.method.values):
            left, right = (float(places[k].sel({"method": method})) for k in places)
            ax.plot([0, 1], [left, right], "o-", color=COLOUR[method], lw=2, markersize=5)
            ends.append(((left, right), method))
        for side, x, align in ((0, -0.06, "right"), (1, 1.06, "left")):
            _labels(ax, [(at[side], method) for at, method in ends], x, align)
        ax.set_xlim(-0.55, 1.55)
        ax.set_ylim(o.sizes["method"] + 0.4, 0.6)
        ax.set_xticks([0, 1], ["chosen and reported\non the same data", "chosen on other data,\nreported on new runs"])
        ax.grid(False, axis="x")
        figures.finish(ax, title=f"{name}: {WORDS[name]}", ylabel="rank, mean over laboratories")
    return fig


def _labels(ax: Axes, at: list[tuple[float, str]], x: float, align: str, gap: float = 0.42) -> None:
    """Names at heights, moved apart where they would overlap."""
    at = sorted(at)
    heights = np.array([h for h, _ in at])
    for _ in range(100):
        push = np.maximum(gap - np.diff(heights), 0.0) / 2
        if not (push > 1e-3).any():
            break
        heights[:-1] -= push
        heights[1:] += push
    for height, (_, name) in zip(heights, at, strict=True):
        ax.text(x, height, name, color=COLOUR[name], ha=align, va="center", fontsize=8.5)


def draw_optimism(run: Run) -> Figure:
    """Optimism by method, and what it is made of."""
    names = _there(run, "near", "far")
    fig, axes = figures.new(1, len(names), width=4.6 * len(names) + 0.6, height=3.9, squeeze=False, sharey=True)
    for ax, name in zip(axes[0], names, strict=True):
        o = outcome(_one(run, name))
        methods = sorted(map(str, o.method.values), key=lambda m: (KNOBS[m], list(METHODS).index(m)))
        for row, method in enumerate(methods):
            one = 100 * o.sel({"method": method})
            curse, regret = float(one.curse.mean()), float(one.regret.mean())
            ax.barh(row, curse, height=0.62, color=COLOURS[4], label="luck (winner's curse)" if row == 0 else None)
            ax.barh(
                row, regret, left=max(curse, 0.0) if regret > 0 else 0.0, height=0.62, color=COLOURS[0],
                label="a worse setting (regret)" if row == 0 else None,
            )  # fmt: skip
            mean, half = _mean(one.optimism)
            ax.errorbar(mean, row, xerr=half, fmt="D", color=INK, markersize=4, capsize=3, lw=1.3)
        ax.set_yticks(range(len(methods)), [f"{m}  ({KNOBS[m]})" for m in methods])
        ax.set_ylim(len(methods) - 0.4, -0.6)
        ax.axvline(0, color=GREY, lw=1, zorder=0)
        figures.finish(
            ax, title=f"{name}: {WORDS[name]}", xlabel="optimism, points of a hundred",
            legend="upper right" if ax is axes[0][-1] else False,
        )  # fmt: skip
    axes[0][0].set_ylabel("method (knobs that are tuned)")
    return fig


def draw_settings(run: Run) -> Figure:
    """Every setting's score on the first phase and, in new runs, on the second."""
    names = _there(run, "near", "far")
    fig, axes = figures.new(1, len(names), width=4.2 * len(names) + 1.3, height=4.1, squeeze=False, sharey=True)
    for ax, name in zip(axes[0], names, strict=True):
        tune, _, judge = (t.mean("stream") for t in tables(_one(run, name)))
        for method in map(str, tune.method.values):
            x, y = (t.sel({"method": method}).values.ravel() for t in (tune, judge))
            ax.plot(x, y, "o", color=COLOUR[method], markersize=3.4, alpha=0.55, mew=0)
            ax.plot([], [], "o", color=COLOUR[method], markersize=5, label=method)
        ax.plot([0, 1], [0, 1], color=GREY, lw=1, zorder=0)
        ax.axhline(0.1, color=GREY, lw=1, ls=(0, (4, 3)), zorder=0)
        figures.finish(
            ax, title=f"{name}: {WORDS[name]}", xlabel="score on the first phase", xlim=(0, 1), ylim=(0, 1),
            ylabel="score on the second phase" if ax is axes[0][0] else "",
            legend="outside" if ax is axes[0][-1] else False,
        )  # fmt: skip
    return fig


def draw_trials(run: Run) -> Figure:
    """What is reported, and optimism, by the number of settings that are tried."""
    names = _there(run, "near", "far", "frozen")
    fig, (left, right) = figures.new(1, 2, width=9.4, height=3.7)
    found = {name: by_count(_one(run, name)).mean("method").transpose("seed", "count") for name in names}
    near = found["near"]
    counts = near["count"].values
    for key, words, colour in (
        ("conventional", "as published: best on the data it is reported on", COLOURS[1]),
        ("repeated", "the same setting, new runs", COLOURS[4]),
        ("two_phase", "chosen on other data, new runs", COLOURS[0]),
    ):
        figures.band(left, counts, near[key].values, label=words, colour=colour, seeds=0)
    figures.finish(
        left, title="near: what is reported", xlabel="settings tried", ylabel="accuracy, mean over methods",
        legend="lower right",
    )  # fmt: skip
    largest = np.array([tuning.expected_maximum(int(c)) for c in counts])
    for name, colour in zip(names, (COLOURS[0], COLOURS[1], COLOURS[2]), strict=False):
        rows = 100 * found[name].optimism.values
        figures.band(right, counts, rows, label=f"{name}: {WORDS[name]}", colour=colour, seeds=0)
        spread = (rows.mean(axis=0) * largest).sum() / (largest**2).sum()
        right.plot(counts, spread * largest, "--", color=colour, lw=1.2)
    right.axhline(0, color=GREY, lw=1, zorder=0)
    right.set_ylim(bottom=-0.12 * right.get_ylim()[1])  # room for the note below zero
    figures.finish(
        right, title="Optimism", xlabel="settings tried", ylabel="points of a hundred", legend="upper left",
        note="dashed: the largest of so many normal draws",
    )  # fmt: skip
    return fig
