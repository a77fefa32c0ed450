"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.figures.film import strip

from ._view import rings, scene, walls
from ._world import AREAS, MAZE, SIDE

__all__ = ["figures"]

BLUE, RED, GREEN, PURPLE, AMBER, SKY, UMBER, SLATE = house.COLOURS
LABELS = {
    "stax": ("STAX", RED), "serene": ("SERENE", BLUE), "taxons": ("TAXONS", AMBER), "ns": ("novelty search", SKY),
    "stax-cma": ("STAX, CMA-ES", PURPLE), "stax-untrained": ("STAX, untrained", GREEN),
    "ns-picture": ("NS on pictures", UMBER), "map-elites": ("MAP-Elites", SLATE), "cma-es": ("CMA-ES", house.INK),
    "random": ("random", house.GREY),
}  # fmt: skip
MAPS = ("stax", "serene", "taxons", "ns", "map-elites", "random")
CURVES = ("stax", "serene", "taxons", "ns", "map-elites", "cma-es", "random")
DESCRIBED = ("stax", "taxons", "stax-cma", "stax-untrained", "ns-picture")


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "ends",
            ends,
            "Where all episodes of a search ended, first seed; darker is more often. Circles: areas that pay. Lines: "
            "the way of the best controller into each area that was found.",
            needs=("stax",),
        ),
        el.Figure(
            "search",
            search,
            "Areas found, best reward as a mean over all four areas, and share of free cells reached, against "
            "episodes. Thin lines are seeds, bands 95 % intervals of the mean.",
            needs=("stax", "ns"),
        ),
        el.Figure(
            "methods",
            methods,
            "At the end, every seed a dot: reward by area's mean, cells reached, and the best reward in those areas "
            "that were found.",
            needs=("stax", "ns"),
        ),
        el.Figure(
            "descriptions",
            descriptions,
            "How well distances between descriptions order true distances (left), and what emitters add to the "
            "reward at which they were started (right).",
            needs=("stax", "stax-untrained"),
        ),
        el.Figure("growth", growth, "STAX as it searches, first seed.", needs=("stax",)),
    )


def _known(run: el.Run, names: tuple[str, ...]) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [n for n in names if n in have]


def _curves(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return run.data[name].sel(condition=condition).transpose("seed", "time").values


def _episodes(run: el.Run, condition: str) -> Float[np.ndarray, "time"]:
    return _curves(run, "episodes", condition)[0]


def ends(run: el.Run) -> Figure:
    """Maps of where episodes ended."""
    known = _known(run, MAPS)
    fig, axes = house.new(1, len(known), width=2.1 * len(known) + 0.3, height=2.6, squeeze=False)
    last = {n: run.data.sel(condition=n).isel(seed=0, time=-1) for n in known}
    most = max(float(d["ends"].max()) for d in last.values())
    for ax, name in zip(axes[0], known, strict=True):
        d = last[name]
        counts = d["ends"].transpose("row", "column").values
        ax.imshow(
            np.where(counts > 0, counts, np.nan), origin="lower", extent=(0, SIDE, 0, SIDE), cmap="Blues",
            norm=LogNorm(0.5, max(most, 2.0)),
        )  # fmt: skip
        _room(ax, run, name)
        for way in d["ways"].transpose("area", "moment", "axis").values:
            whole = np.concatenate([np.asarray(MAZE.start)[None], way])
            ax.plot(whole[:, 0], whole[:, 1], color=RED, lw=0.9)
        house.finish(ax, title=LABELS[name][0])
        ax.set_xlabel(f"{int(d['areas'])} of {len(AREAS)} areas, {100 * float(d['explored']):.0f} % of cells", size=8)
    return fig


def _room(ax: Axes, run: el.Run, name: str) -> None:
    """Walls and areas."""
    outline, circles = walls(), rings(float(run.info["conditions"][name]["parameters"]["radius"]))
    ax.plot(outline[:, 0], outline[:, 1], color=house.INK, lw=0.9)
    ax.plot(circles[:, 0], circles[:, 1], color=GREEN, lw=1.2)
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)


def search(run: el.Run) -> Figure:
    """What is found over the episodes."""
    fig, axes = house.new(1, 3, width=11.0, height=3.8)
    panels = (
        ("areas", "areas", "Areas found", (0, len(AREAS) + 0.15)),
        ("reached", "best reward, mean over areas", "Reward reached", (0, 1)),
        ("explored", "share of free cells", "Cells where one ended", (0, 1)),
    )
    for ax, (name, what, title, limits) in zip(axes, panels, strict=True):
        for condition in _known(run, CURVES):
            label, colour = LABELS[condition]
            house.band(ax, _episodes(run, condition), _curves(run, name, condition), label, colour, seeds=3)
        house.finish(ax, title=title, ylabel=what, xlabel="episodes", ylim=limits)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8)
    return fig


def methods(run: el.Run) -> Figure:
    """All conditions at the end."""
    known = _known(run, tuple(LABELS))
    fig, axes = house.new(1, 3, width=11.0, height=3.6)
    for ax, (name, title) in zip(
        axes,
        (("reached", "Reward reached, all areas"), ("explored", "Cells reached"), ("height", "Reward in areas found")),
        strict=True,
    ):
        groups = {LABELS[n][0]: _curves(run, name, n)[:, -1] for n in known}
        house.bars(ax, groups, colours=[LABELS[n][1] for n in known])
        house.finish(ax, title=title, ylabel="share of free cells" if name == "explored" else "reward", ylim=(0, 1.02))
        _slanted(ax, 60)
    return fig


def _slanted(ax: Axes, angle: float) -> None:
    """Names under bars, slanted so that they do not overlap."""
    ax.tick_params(axis="x", rotation=angle)
    for label in ax.get_xticklabels():
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")


def descriptions(run: el.Run) -> Figure:
    """How good descriptions are, and what emitters add."""
    fig, (left, right) = house.new(1, 2, width=9.0, height=3.5)
    for condition in _known(run, DESCRIBED):
        label, colour = LABELS[condition]
        house.band(left, _episodes(run, condition), _curves(run, "ordered", condition), label, colour, seeds=3)
    house.finish(
        left, title="Distances in order", ylabel="rank correlation", xlabel="episodes", ylim=(0, 1), legend=True
    )
    emitting = [n for n in _known(run, tuple(LABELS)) if np.isfinite(_curves(run, "climb", n)).any()]
    groups = {LABELS[n][0]: _curves(run, "climb", n)[:, -1] for n in emitting}
    house.bars(right, groups, colours=[LABELS[n][1] for n in emitting])
    house.finish(right, title="Reward that an emitter adds", ylabel="reward", ylim=(0, None))
    _slanted(right, 20)
    return fig


def growth(run: el.Run) -> Figure:
    """STAX at a few times."""
    times = run.data.time.values
    chosen = times[np.unique(np.linspace(1, len(times) - 1, min(5, len(times) - 1)).astype(int))]
    seed = int(run.data.seed.values[0])
    return strip([scene(run, "stax", seed, int(t)) for t in chosen], columns=len(chosen), size=2.3)
