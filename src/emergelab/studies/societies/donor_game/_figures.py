"""Pictures of a run of the study."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.statistics import proportion

from ._conditions import BASE, DISCRIMINATION, GENEROSITY, WEAK, at
from ._measures import auc, early_giving_and_success, logistic, split, step

BLUE, RED, GREEN, SLATE = house.COLOURS[0], house.COLOURS[1], house.COLOURS[2], house.COLOURS[7]
RANDOM = at(0.5, 2.0, "random")
DEAF = at(0.5, 2.0, "gossip-0")
LINES = 100
PUBLISHED = ((0.44, False), (0.47, False), (0.50, True), (0.53, True), (0.54, True))
LEVERS = {
    "weight of gossip 2": {
        BASE: "as it is",
        at(0.5, 2.0, "random"): "chance selects",
        at(0.5, 2.0, "game-2"): "only game 2 counts",
        DEAF: "no gossip",
        at(0.5, 2.0, "gossip-1"): "1 step of gossip",
        at(0.5, 2.0, "lies"): "gossip of others",
        at(0.5, 2.0, "costly"): "costly punishment",
        at(0.5, 2.0, "partner"): "partner choice",
        at(0.5, 2.0, "noise"): "trembling hands",
        at(0.5, 2.0, "frozen"): "no copying errors",
        at(0.5, 2.0, "defector"): "a defector comes",
    },
    "weight of gossip 0.3": {
        WEAK: "as it is",
        at(0.5, 0.3, "random"): "chance selects",
        at(0.5, 0.3, "game-2"): "only game 2 counts",
        at(0.5, 0.3, "costly"): "costly punishment",
        at(0.5, 0.3, "partner"): "partner choice",
        at(0.5, 0.3, "giver"): "a giver comes",
    },
}


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    grid = [at(m, b) for m in GENEROSITY for b in DISCRIMINATION]
    return (
        el.Figure(
            "generations",
            generations,
            "Giving by generation, one line a society, coloured by what its first generation gave. Only the seed "
            "differs within a panel.",
            needs=(BASE, RANDOM, WEAK, DEAF),
        ),
        el.Figure(
            "threshold",
            threshold,
            "Success in the last generation against the giving of the first: shares of societies with 95 % intervals, "
            "a logistic curve and the best step. Diamonds: the five published runs. Right: giving made to be the same.",
            needs=(BASE, *(at(0.5, 2.0, f"first-{g}") for g in ("0.2", "0.5", "0.8"))),
        ),
        el.Figure(
            "phases",
            phases,
            "Giving in the last generation, and the share of societies that succeed, by the prior's generosity and "
            "discrimination.",
            needs=grid,
        ),
        el.Figure(
            "price",
            price,
            "What changes giving from generation to generation: who has successors, and how these differ from their "
            "parents (by copying errors and by changed company). The line is their sum. Dots: selection of what "
            "strategies would give in six set situations, whatever their company. Means over societies.",
            needs=(BASE, RANDOM, WEAK, DEAF),
        ),
        el.Figure(
            "levers",
            levers,
            "Giving in the last generation when one thing is changed. Dots are societies, bars means with 95 % "
            "intervals.",
            needs=tuple(name for group in LEVERS.values() for name in group),
        ),
    )


def _of(run: el.Run, condition: str) -> xr.Dataset:
    return run.data.sel(condition=condition, drop=True)


def _curves(run: el.Run, condition: str, name: str = "giving") -> Float[np.ndarray, "seed time"]:
    return np.asarray(_of(run, condition)[name].transpose("seed", "time").values, float)


def generations(run: el.Run) -> Figure:
    """The headline: one line a society."""
    fig, axes = house.new(cols=4, width=12.5, height=3.5, sharey=True)
    titles = {
        BASE: "Gossip weighs 2",
        RANDOM: "Chance selects",
        WEAK: "Gossip weighs 0.3",
        DEAF: "No gossip",
    }
    colours, norm = colormaps["viridis_r"], Normalize(0.2, 0.8)
    time = run.data.time.values
    for ax, (condition, title) in zip(axes, titles.items(), strict=True):
        values, g1 = _curves(run, condition), _of(run, condition)["g1"].isel(time=-1).values
        for row, first in zip(values[:LINES], g1[:LINES], strict=True):
            ax.plot(time, row, color=colours(norm(first)), linewidth=0.8, alpha=0.75)
        ax.plot(time, _means(values), color=house.INK, linewidth=2.4, zorder=5)
        share = np.mean(values[:, -1] > 0.5)
        house.finish(
            ax,
            title=f"{title}: {share:.0%} succeed",
            xlabel="generation",
            ylabel="fraction given" if ax is axes[0] else None,
            ylim=(0, 1.0),
        )
    bar = fig.colorbar(ScalarMappable(norm, colours), ax=list(axes), pad=0.01)
    bar.set_label("given by the first generation", fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return fig


def _means(values: Float[np.ndarray, "seed time"]) -> Float[np.ndarray, "time"]:
    """Mean over societies; NaN at time 0, before anyone has played."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def threshold(run: el.Run) -> Figure:
    """Success against early giving, seen and made."""
    fig, (left, right) = house.new(cols=2, width=10.5, height=3.9, width_ratios=[1.7, 1])
    rows = early_giving_and_success(_of(run, BASE)).values
    x, y = split(rows)
    grid = np.linspace(0, 1, 200)
    a, b, _ = logistic(x, y)
    place, low, high, _ = step(x, y)
    left.plot(grid, 1 / (1 + np.exp(-(a + b * grid))), color=BLUE, label="logistic curve")
    left.step([0, place, 1], [low, low, high], where="pre", color=RED, linewidth=1.4, linestyle="--", label="best step")
    jitter = np.random.default_rng(0).uniform(0, 0.035, len(x))
    left.plot(x, np.where(y, 1.03 + jitter, -0.03 - jitter), "|", color=SLATE, markersize=4, alpha=0.6)
    edges = np.quantile(x, np.linspace(0, 1, 9)) if len(x) >= 40 else np.array([0.0, 0.5, 1.0])
    for lower, upper in pairwise(edges):
        inside = (x >= lower) & (x <= upper)
        if inside.sum() >= 2:
            found = proportion(int(y[inside].sum()), int(inside.sum()))
            error = [[found.value - found.low], [found.high - found.value]] if found.claimed else None
            left.errorbar(
                x[inside].mean(), found.value, yerr=error, fmt="o", color=BLUE, markersize=5, capsize=2, zorder=5
            )
    for k, (given, won) in enumerate(PUBLISHED):
        left.plot(
            given, float(won), "D", color=house.COLOURS[4], markersize=6, zorder=6, markeredgecolor="white",
            label="published runs" if k == 0 else None,
        )  # fmt: skip
    house.finish(
        left,
        title=f"Success against early giving (area under the curve {auc(rows):.2f})",
        xlabel="fraction given by the first generation",
        ylabel="share that succeeds",
        xlim=(0, 1),
        ylim=(-0.09, 1.09),
        legend="upper left",
    )
    left.get_legend().set_bbox_to_anchor((0.0, 0.93))

    names = ["0.2", "0.5", "0.8"]
    for k, g in enumerate(names):
        _share(right, k, _curves(run, at(0.5, 2.0, f"first-{g}"))[:, -1] > 0.5, GREEN)
    _share(right, 3, y, SLATE)
    right.set_xticks(range(4), [*names, "its own"])
    right.grid(False, axis="x")
    house.finish(
        right,
        title="The first generation made to give",
        xlabel="fraction that the first generation gives",
        ylabel="share that succeeds",
        ylim=(0, 1),
    )
    return fig


def _share(ax: Axes, place: float, won: np.ndarray, colour: str) -> None:
    found = proportion(int(won.sum()), len(won))
    ax.bar(place, found.value, 0.6, color=colour, alpha=0.6, zorder=2)
    if found.claimed:
        error = [[found.value - found.low], [found.high - found.value]]
        ax.errorbar(place, found.value, yerr=error, color=house.INK, capsize=3, linewidth=1.2, zorder=4)


def phases(run: el.Run) -> Figure:
    """The two maps over the prior."""
    fig, axes = house.new(cols=2, width=9.6, height=4.0)
    for ax, what, title in zip(
        axes, ("giving", "success"), ("Fraction given at the end", "Share that succeeds"), strict=True
    ):
        values = np.array([[_curves(run, at(m, b), what)[:, -1].mean() for m in GENEROSITY] for b in DISCRIMINATION])
        ax.imshow(values, origin="lower", cmap=house.HEATMAP, vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            ax.text(
                column, row, f"{value:.2f}", ha="center", va="center", fontsize=9,
                color="white" if value < 0.6 else house.INK,
            )  # fmt: skip
        ax.set_xticks(range(len(GENEROSITY)), [f"{m:g}" for m in GENEROSITY])
        ax.set_yticks(range(len(DISCRIMINATION)), [f"{b:g}" for b in DISCRIMINATION])
        ax.grid(False)
        house.finish(
            ax,
            title=title,
            xlabel="generosity of the prior (mean fraction)",
            ylabel="discrimination of the prior (weight of gossip)" if ax is axes[0] else None,
        )
    return fig


def price(run: el.Run) -> Figure:
    """Selection and transmission, generation by generation."""
    titles = {
        BASE: "Gossip weighs 2",
        RANDOM: "Gossip weighs 2, chance selects",
        WEAK: "Gossip weighs 0.3",
        DEAF: "No gossip",
    }
    fig, axes = house.new(cols=4, width=12.5, height=3.3, sharey=True)
    time = run.data.time.values[2:]  # the first change is that from generation 1 to 2
    for ax, (condition, title) in zip(axes, titles.items(), strict=True):
        selection, transmission = (
            _curves(run, condition, name)[:, 2:].mean(axis=0) for name in ("selection", "transmission")
        )
        # What is selected in one generation shows in the next.
        favoured = _curves(run, condition, "favoured")[:, 1:-1].mean(axis=0)
        ax.bar(time - 0.2, selection, 0.4, color=GREEN, label="selection")
        ax.bar(time + 0.2, transmission, 0.4, color=RED, label="transmission")
        ax.plot(time, selection + transmission, color=house.INK, linewidth=1.4, label="change of giving")
        ax.plot(
            time, favoured, "o", color=house.COLOURS[3], markersize=4.5, label="selection of dispositions", zorder=5
        )
        house.finish(
            ax,
            title=title,
            xlabel="generation",
            ylabel="change of giving" if ax is axes[0] else None,
            chance=0.0,
            legend="lower right" if ax is axes[0] else False,
        )
    return fig


def levers(run: el.Run) -> Figure:
    """One thing changed at a time."""
    fig, axes = house.new(
        cols=2, width=12.5, height=4.3, sharey=True, width_ratios=[len(group) for group in LEVERS.values()]
    )
    for ax, (title, group) in zip(axes, LEVERS.items(), strict=True):
        values = {label: _curves(run, name)[:, -1] for name, label in group.items()}
        house.bars(ax, values, colours=[SLATE, *[BLUE] * (len(group) - 1)])
        ax.set_xticks(range(len(values)), list(values), rotation=35, ha="right")
        house.finish(
            ax,
            title=title.capitalize(),
            ylabel="fraction given at the end" if ax is axes[0] else None,
            ylim=(-0.02, 1.02),
            chance=float(next(iter(values.values())).mean()),
        )
    return fig
