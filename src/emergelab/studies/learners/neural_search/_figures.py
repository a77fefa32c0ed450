"""The figures of the study `neural-search`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.collections import LineCollection

from emergelab import figures
from emergelab.figures import COLOURS, GREY, INK
from emergelab.figures import film as pictures
from emergelab.views import Lines, Scene

from . import _measures as measures
from ._view import DELETED, WAY, film

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

RED = "#D1263B"
FRAMES = 6
TENTHS = 10
SERIES = {
    "searching agent": (("full-4", "full", "full-8", "full-12"), COLOURS[0], "-"),
    "it infers walls": (("blame-4", "blame", "blame-8", "blame-12"), COLOURS[2], "-"),
    "random walk": (("walk-4", "walk", "walk-8", "walk-12"), GREY, "-"),
    "Q-table": (("table-4", "table", "table-8", "table-12"), COLOURS[1], "-"),
    "hopeful Q-table": (("eager-table-4", "eager-table", "eager-table-8", "eager-table-12"), COLOURS[4], "-"),
    "PPO": (("ppo-4", "ppo", "ppo-8", "ppo-12"), COLOURS[3], "-"),
    "planning anew": (("replan-4", "replan", "replan-8", "replan-12"), COLOURS[5], "-"),
    "frontiers": (("frontier-4", "frontier", "frontier-8", "frontier-12"), COLOURS[7], ":"),
}
SIZES = (4, 6, 8, 12)
ABLATIONS = {
    "full": "full", "no-deletion": "no\ndeletion", "no-mutation": "no\nmutation", "random-target": "random\ntarget",
    "weak-code": "two\nwaves", "boolean": "Boolean\nsynapses", "grip": "no\nsliding", "blame": "infers\nwalls",
    "walk": "random\nwalk",
}  # fmt: skip


def _one(run: Run, condition: str) -> xr.Dataset:
    return run.data.sel(condition=condition, drop=True)


def _have(run: Run, names: tuple[str, ...]) -> list[str]:
    known = {str(c) for c in run.data.condition.values}
    return [name for name in names if name in known]


def _of(run: Run, condition: str, what: Callable[[xr.Dataset], xr.DataArray]) -> Float[np.ndarray, "seed"]:
    return what(_one(run, condition)).values.astype(float)


def _draw(ax: Axes, seen: Scene) -> None:
    """A scene, its deleted synapses red and its way blue."""
    plain = [layer for layer in seen.layers if not (isinstance(layer, Lines) and layer.kind in (DELETED, WAY))]
    pictures.draw(ax, Scene(plain, seen.title))
    for layer in seen.layers:
        if isinstance(layer, Lines) and layer.kind == DELETED:
            pairs = np.stack([layer.x, layer.y], 1).reshape(-1, 3, 2)[:, :2]
            ax.add_collection(LineCollection(list(pairs), colors=RED, linewidths=0.6, alpha=0.55))
        if isinstance(layer, Lines) and layer.kind == WAY:
            ax.plot(layer.x, layer.y, color=COLOURS[0], linewidth=1.1, alpha=0.8)


def draw_film(run: Run) -> Figure:
    """One first visit: the graph, the way, and what was deleted."""
    one = _one(run, "full")
    found = measures.solved(one).values > 0
    records = (one["now"].transpose("seed", "time").values == 0).sum(1)
    # A seed of middling difficulty among those that found the goal, up to the last record before it did.
    lasted = np.where(found, records, np.iinfo(int).max)
    which = int(np.argsort(lasted)[max(int(found.sum()) - 1, 0) // 2])
    end = int(one.time.values[records[which] - 1])
    times = np.unique(np.geomspace(min(3, end), max(end, 1), FRAMES).round().astype(int))
    scenes = film(run.path, "full", int(one.seed.values[which]), tuple(int(t) for t in times))
    fig, axes = figures.new(2, 3, width=9.2, height=6.6)
    for ax in axes.ravel()[len(scenes) :]:
        ax.set_axis_off()
    for ax, seen in zip(axes.ravel(), scenes, strict=False):
        _draw(ax, seen)
    return fig


def draw_sizes(run: Run) -> Figure:
    """Steps to the goal against the size of the maze, and how many find it."""
    fig, axes = figures.new(1, 2, width=9.6, height=3.9, width_ratios=(1.5, 1.0))
    for label, (names, colour, style) in SERIES.items():
        x, middle, low, high, found = [], [], [], [], []
        for name, size in zip(names, SIZES, strict=True):
            if not _have(run, (name,)):
                continue
            steps = 2 ** _of(run, name, measures.first_steps)
            x.append(size)
            middle.append(np.median(steps))
            low.append(np.quantile(steps, 0.25))
            high.append(np.quantile(steps, 0.75))
            found.append(100 * _of(run, name, measures.solved).mean())
        if not x:
            continue
        axes[0].plot(x, middle, style, marker="o", color=colour, label=label)
        axes[0].fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes[1].plot(x, found, style, marker="o", color=colour)
    best = [
        (size, np.median(_one(run, name)["best"].isel(time=0, visit=0)))
        for name, size in zip(SERIES["searching agent"][0], SIZES, strict=True) if _have(run, (name,))
    ]  # fmt: skip
    axes[0].plot(*zip(*best, strict=True), "--", color=INK, linewidth=1.2, label="shortest way")
    axes[0].set_yscale("log")
    sizes = [size for size, _ in best]
    for ax in axes:
        ax.set_xticks(sizes, [f"{s} x {s}" for s in sizes])
    figures.finish(
        axes[0], title="First way to the goal", xlabel="cells of the maze", ylabel="motor steps (median, quartiles)"
    )
    figures.finish(axes[1], title="Goal found", xlabel="cells of the maze", ylabel="mazes (%)", ylim=(0, 104))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=6, frameon=False, fontsize=8.5)
    return fig


def draw_ablations(run: Run) -> Figure:
    """Every variant in the same mazes."""
    names = _have(run, tuple(ABLATIONS))
    fig, axes = figures.new(2, 1, width=9.2, height=5.6, height_ratios=(1.0, 1.4), sharex=True)
    labels = [ABLATIONS[n] for n in names]
    colours = [COLOURS[0] if n == "full" else COLOURS[2] if n == "blame" else GREY if n == "walk" else COLOURS[1]
               for n in names]  # fmt: skip
    share = [100 * _of(run, n, measures.solved).mean() for n in names]
    axes[0].bar(range(len(names)), share, width=0.62, color=colours, alpha=0.6)
    for i, value in enumerate(share):
        axes[0].text(i, value + 2, f"{value:.0f}", ha="center", fontsize=8)
    figures.finish(axes[0], title="Goal found within the budget", ylabel="mazes (%)", ylim=(0, 115))
    steps = {label: 2 ** _of(run, n, measures.first_steps) for label, n in zip(labels, names, strict=True)}
    random = np.random.default_rng(0)
    for i, (values, colour) in enumerate(zip(steps.values(), colours, strict=True)):
        axes[1].plot(
            i + random.uniform(-0.2, 0.2, len(values)), values, "o", color=colour, markersize=3.5, alpha=0.6,
            markeredgewidth=0,
        )  # fmt: skip
        axes[1].plot([i - 0.3, i + 0.3], [np.median(values)] * 2, color=colour, linewidth=2.4)
    axes[1].set_yscale("log")
    axes[1].set_xticks(range(len(names)), labels)
    axes[1].grid(False, axis="x")
    figures.finish(
        axes[1], title="Motor steps of the first visit (a dot is a maze, a line the median; top row: not found)",
        ylabel="motor steps",
    )  # fmt: skip
    return fig


def draw_plans(run: Run) -> Figure:
    """What plans cost while the agent searches, from where it is and from the start, and deletions against steps."""
    fig, axes = figures.new(1, 3, width=11.4, height=3.6)
    one = _one(run, "full")
    now = one["now"].transpose("seed", "time").values
    middle = 10 * np.arange(TENTHS) + 5
    for ax, name, title, what in (
        (axes[0], "hops", "Plans under way", "synapses of the plan"),
        (axes[1], "from_start", "Cheapest plan from the start", "cost (synapses of no length)"),
    ):
        curves = _in_tenths(one[name].transpose("seed", "time").values.astype(float), now == 0)
        figures.band(ax, middle, curves, colour=COLOURS[0], seeds=len(curves))
        figures.finish(ax, title=title, xlabel="share of the first visit (%)", ylabel=what, ylim=(0, None))
    for label, name, colour in (("4 x 4", "full-4", COLOURS[5]), ("6 x 6", "full", COLOURS[0]),
                                ("8 x 8", "full-8", COLOURS[3])):  # fmt: skip
        if _have(run, (name,)):
            both = measures.steps_and_deletions(_one(run, name)).values
            axes[2].plot(both[:, 1] + 1, both[:, 0], "o", color=colour, label=label, alpha=0.7, markeredgewidth=0)
    axes[2].set(xscale="log", yscale="log")
    figures.finish(
        axes[2], title="Steps go with deletions", xlabel="synapses deleted, plus 1", ylabel="motor steps",
        legend="lower right",
    )  # fmt: skip
    return fig


def _in_tenths(
    values: Float[np.ndarray, "seed time"], during: Bool[np.ndarray, "seed time"]
) -> Float[np.ndarray, "seed tenth"]:
    """Means over tenths of a part of every seed's record, without its beginning."""
    found = np.full((len(values), TENTHS), np.nan)
    for i, (row, own) in enumerate(zip(values, during, strict=True)):
        part = row[own][1:]
        if len(part) >= TENTHS:
            found[i] = [piece.mean() for piece in np.array_split(part, TENTHS)]
    return found


def draw_visits(run: Run) -> Figure:
    """Three visits of one life: the second in the same maze, the third with a wall moved."""
    names = _have(run, ("full", "blame", "scratch", "table", "eager-table"))
    label = {"full": "searching agent", "blame": "it infers walls", "scratch": "forgets all",
             "table": "Q-table", "eager-table": "hopeful Q-table"}  # fmt: skip
    fig, axes = figures.new(1, len(names), width=2.0 * len(names) + 0.8, height=3.8, sharey=True, squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        one = _one(run, name)
        steps = np.stack([2 ** measures.first_steps(one).values, *(_visit(one, v) for v in (1, 2))], 1)
        best = one["best"].isel(time=0).transpose("seed", "visit").values
        ratio = steps / best
        for row in ratio:
            ax.plot([1, 2, 3], row, color=COLOURS[0], linewidth=0.6, alpha=0.35)
        ax.plot([1, 2, 3], np.nanmedian(ratio, 0), color=COLOURS[0], linewidth=2.4, marker="o")
        ax.set_yscale("log")
        ax.set_xticks([1, 2, 3], ["first", "second", "wall\nmoved"])
        ax.set_xlim(0.7, 3.3)
        what = "steps over shortest way" if name == names[0] else None
        figures.finish(ax, title=label[name], chance=1.0, ylabel=what)
    return fig


def _visit(one: xr.Dataset, visit: int) -> Float[np.ndarray, "seed"]:
    return measures.visit_steps(one, visit).values
