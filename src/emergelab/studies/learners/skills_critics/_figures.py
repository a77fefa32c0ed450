"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.figures.film import strip

from ._rewards import HALF, OBJECTIVES
from ._view import frame, scene

__all__ = ["figures"]

BLUE, RED, GREEN, PURPLE = house.COLOURS[:4]
LABELS = {
    "critics": ("critics", BLUE), "summed": ("sum", RED), "critics-tenth": ("critics, x 0.1", BLUE),
    "summed-tenth": ("sum, x 0.1", RED), "raw-tenth": ("not normalised, x 0.1", PURPLE),
    "merged-tenth": ("merged, x 0.1", GREEN), "critics-tenfold": ("critics, x 10", BLUE),
    "summed-tenfold": ("sum, x 10", RED), "discovery": ("discovery", house.GREY), "reach": ("reach", house.GREY),
    "safety": ("safety", house.GREY), "reach-normalised": ("reach, normalised", house.GREY),
}  # fmt: skip
SHOWN = ("critics", "summed", "discovery", "reach")
PANELS = (
    ("told", "skills told apart", "1 if all are"),
    ("near", "closeness to a disc", "1 in contact"),
    ("safe", "safe steps", "share"),
    ("worst", "the worst of the three", "1 at best"),
)


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "skills",
            skills,
            "What 64 skills do in an episode, first seed, coloured by the skill's angle: thin the ways of the tip, "
            "which begins below the middle, thick those of the discs. The inner frame is where the border begins.",
            needs=SHOWN,
        ),
        el.Figure(
            "objectives",
            objectives,
            "The three objectives at the end, and the worst of them. Dots are seeds, bars means with 95 % intervals.",
            needs=("summed",),
        ),
        el.Figure(
            "curves",
            curves,
            "The same over the rounds, where contact is paid 0.1 for 1. Thin lines are seeds, bands 95 % intervals of "
            "the mean; dotted: where critics are merged.",
            needs=("critics-tenth", "merged-tenth"),
        ),
        el.Figure(
            "scales",
            scales,
            "What each critic's words are divided by before they are added up: the spread of its advantages, where "
            "contact is paid 1 and where it is paid 0.1.",
            needs=("critics", "critics-tenth"),
        ),
        el.Figure(
            "placed",
            placed,
            "Cells of the table's safe part to which 64 single skills bring a disc safely, and 64 sequences of two.",
            needs=("summed",),
        ),
        el.Figure(
            "growth",
            growth,
            "Where skills under several critics bring the discs as they are learnt, first seed, and the share of "
            "skills that move a disc and are safe all along.",
            needs=("critics",),
        ),
    )


def _known(run: el.Run) -> list[str]:
    present = {str(c) for c in run.data.condition.values}
    return [name for name in LABELS if name in present]


def _lines(ax: Axes, ways: Float[np.ndarray, "way moment 2"], colours: np.ndarray, wide: float, alpha: float) -> None:
    ax.add_collection(LineCollection(list(ways), colors=colours, linewidths=wide, alpha=alpha))


def skills(run: el.Run) -> Figure:
    """The ways of tip and discs by condition."""
    fig, axes = house.new(1, len(SHOWN), width=11.0, height=3.5, sharex=True, sharey=True)
    for ax, name in zip(axes, SHOWN, strict=True):
        d = run.data.sel(condition=name).isel(seed=0, time=-1)
        tips = d["tips"].transpose("skill", "moment", "axis").values
        discs = d["discs"].transpose("skill", "disc", "moment", "axis").values
        colours = colormaps["hsv"](np.arange(len(tips)) / len(tips))
        _lines(ax, tips, colours, 0.5, 0.5)
        _lines(ax, discs.reshape(-1, *discs.shape[2:]), np.repeat(colours, discs.shape[1], 0), 1.8, 0.9)
        ax.plot(*frame(HALF).T, color=house.INK, lw=1.0)
        ax.plot(*frame(run.info["conditions"][name]["parameters"]["edge"]).T, color=house.MUTED, lw=0.8, ls="--")
        ax.plot(*discs[0, :, 0].T, "o", color=house.INK, markersize=4)
        ax.set_aspect("equal")
        ax.grid(False)
        house.finish(ax, title=f"{LABELS[name][0]}: worst {float(d['worst']):.2f}", xlabel="x (sides)")
    axes[0].set_ylabel("y (sides)")
    return fig


def objectives(run: el.Run) -> Figure:
    """All objectives of all conditions."""
    names = _known(run)
    fig, axes = house.new(1, len(PANELS), width=11.0, height=4.2)
    last = run.data.isel(time=-1)
    for ax, (what, title, unit) in zip(axes, PANELS, strict=True):
        groups = {LABELS[n][0]: last[what].sel(condition=n).values for n in names}
        house.bars(ax, groups, colours=[LABELS[n][1] for n in names])
        ax.tick_params(axis="x", rotation=90)
        house.finish(ax, title=title, ylabel=unit, ylim=(0, 1.06))
    return fig


def curves(run: el.Run) -> Figure:
    """Objectives over the rounds for those that differ in how rewards are brought together."""
    names = [n for n in ("critics-tenth", "summed-tenth", "raw-tenth", "merged-tenth") if n in _known(run)]
    fig, axes = house.new(1, len(PANELS), width=11.0, height=3.6, sharex=True)
    merge = run.info["conditions"]["merged-tenth"]["parameters"]["merge"]
    for ax, (what, title, unit) in zip(axes, PANELS, strict=True):
        for name in names:
            values = run.data[what].sel(condition=name).transpose("seed", "time").values
            house.band(ax, run.data.time.values, values, LABELS[name][0], LABELS[name][1], seeds=3)
        if merge < run.data.time.values[-1]:
            ax.axvline(merge, color=house.MUTED, ls=":", lw=1.0)
        house.finish(ax, title=title, ylabel=unit, xlabel="round", ylim=(None, 1.03))
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8)
    return fig


def scales(run: el.Run) -> Figure:
    """What critics are divided by."""
    fig, axes = house.new(1, 2, width=8.0, height=3.4, sharex=True, sharey=True)
    for ax, name, title in zip(axes, ("critics", "critics-tenth"), ("1", "0.1"), strict=True):
        for k, objective in enumerate(OBJECTIVES):
            found = run.data["scales"].sel(condition=name).isel(objective=k).transpose("seed", "time").values
            # Before the first gradient step nothing has been divided.
            house.band(ax, run.data.time.values[1:], found[:, 1:], objective, house.COLOURS[k], seeds=4)
        ax.set_yscale("log")
        house.finish(ax, title=f"contact is paid {title}", xlabel="round")
    axes[0].set_ylabel("spread of advantages (reward)")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8)
    return fig


def placed(run: el.Run) -> Figure:
    """Where single skills and sequences bring discs."""
    names = _known(run)
    fig, axes = house.new(1, 2, width=9.0, height=4.2, sharey=True)
    last = run.data.isel(time=-1)
    highest = max(float(last["placed"].max()), float(last["chained"].max()), 1.0)
    for ax, what, title in zip(axes, ("placed", "chained"), ("one skill", "two skills in a row"), strict=True):
        groups = {LABELS[n][0]: last[what].sel(condition=n).values for n in names}
        house.bars(ax, groups, colours=[LABELS[n][1] for n in names])
        ax.tick_params(axis="x", rotation=90)
        house.finish(ax, title=title, ylim=(0, 1.08 * highest))
    axes[0].set_ylabel("cells a disc is brought to safely")
    return fig


def growth(run: el.Run) -> Figure:
    """Where skills bring discs at a few times."""
    times = run.data.time.values
    chosen = times[np.unique(np.linspace(1, len(times) - 1, min(5, len(times) - 1)).astype(int))]
    seed = int(run.data.seed.values[0])
    return strip([scene(run, "critics", seed, int(t)) for t in chosen], columns=len(chosen))
