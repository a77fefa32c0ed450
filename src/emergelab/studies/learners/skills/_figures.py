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

from ._distances import pairs
from ._view import scene, walls

__all__ = ["figures"]

BLUE, RED, GREEN, PURPLE, AMBER, SKY = house.COLOURS[:6]
LABELS = {
    "metra": ("METRA", BLUE), "diayn": ("DIAYN", RED), "euclid": ("Euclid's distance", GREEN),
    "free": ("no constraint", AMBER), "diayn-stiff": ("DIAYN, no posture", PURPLE), "noisy": ("METRA, noise", SKY),
    "maze": ("METRA in the maze", house.GREY), "random": ("random", house.INK),
    "novelty": ("paid for novelty", "#8C6D31"), "novelty-noisy": ("novelty, noise", "#BD9E39"),
}  # fmt: skip
SHOWN = ("metra", "diayn", "free", "euclid")


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "skills",
            skills,
            "Where 48 skills lead within an episode, first seed, coloured by the skill's angle. All begin in the "
            "middle; the frame is what can be reached.",
            needs=SHOWN,
        ),
        el.Figure(
            "coverage",
            coverage,
            "Cells that 48 skills enter, how far they lead, and how bent the body is at their ends. Thin lines are "
            "seeds, bands 95 % intervals of the mean.",
            needs=("metra", "diayn"),
        ),
        el.Figure(
            "latent",
            latent,
            "METRA's map: the ways of the skills in the plane and in the latent space, and latent distances against "
            "steps, first seed. Right: the same in the maze.",
            needs=("metra", "maze"),
        ),
        el.Figure("growth", growth, "METRA's skills as they are learnt, first seed.", needs=("metra",)),
    )


def _end(run: el.Run, condition: str, name: str, *dims: str) -> Float[np.ndarray, "..."]:
    return run.data[name].sel(condition=condition).isel(seed=0, time=-1).transpose(*dims).values


def _ways(ax: Axes, places: Float[np.ndarray, "skill moment 2"]) -> None:
    colours = colormaps["hsv"](np.arange(len(places)) / len(places))
    ax.add_collection(LineCollection(list(places), colors=colours, linewidths=0.9, alpha=0.85))
    ax.autoscale_view()
    ax.set_aspect("equal")
    ax.grid(False)


def skills(run: el.Run) -> Figure:
    """The ways of 48 skills by method."""
    fig, axes = house.new(1, len(SHOWN), width=11.0, height=3.3, sharex=True, sharey=True)
    for ax, name in zip(axes, SHOWN, strict=True):
        parameters = run.info["conditions"][name]["parameters"]
        far = parameters["speed"] * parameters["length"]
        _ways(ax, _end(run, name, "places", "skill", "moment", "axis"))
        cells = float(_end(run, name, "coverage"))
        house.finish(
            ax, title=f"{LABELS[name][0]}: {cells:.0f} cells", xlabel="x (cells)", xlim=(-1.05 * far, 1.05 * far),
            ylim=(-1.05 * far, 1.05 * far),
        )  # fmt: skip
    axes[0].set_ylabel("y (cells)")
    return fig


def coverage(run: el.Run) -> Figure:
    """Coverage, reach and posture over the rounds."""
    fig, axes = house.new(1, 3, width=11.0, height=3.9, sharex=True)
    panels = (
        ("coverage", "cells", "Cells entered"),
        ("radius", "cells", "Distance of the ends"),
        ("posture", "mean size", "Posture at the ends"),
    )
    known = {str(c) for c in run.data.condition.values}
    for ax, (name, what, title) in zip(axes, panels, strict=True):
        for condition, (label, colour) in LABELS.items():
            if condition in known and condition != "maze":
                curves = run.data[name].sel(condition=condition).transpose("seed", "time").values
                house.band(ax, run.data.time.values, curves, label, colour, seeds=4)
        house.finish(ax, title=title, ylabel=what, xlabel="round", ylim=(0, None))
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6), frameon=False, fontsize=8)
    return fig


def latent(run: el.Run) -> Figure:
    """Places, the map's image of them, and distances."""
    fig, axes = house.new(2, 3, width=10.0, height=6.4)
    for row, name in zip(axes, ("metra", "maze"), strict=True):
        speed = run.info["conditions"][name]["parameters"]["speed"]
        places = _end(run, name, "places", "skill", "moment", "axis")
        image = _end(run, name, "latent", "skill", "moment", "coordinate")
        _ways(row[0], places)
        _ways(row[1], image)
        if name == "maze":
            outline = walls()
            row[0].plot(outline.x, outline.y, color=house.INK, lw=1.0)
        near, far = pairs(places, image, around=name == "maze")
        row[2].plot(far / speed, near, ".", color=LABELS["metra"][1], markersize=1.5, alpha=0.3)
        house.finish(row[0], title=LABELS[name][0], xlabel="x (cells)", ylabel="y (cells)")
        house.finish(row[1], title="through the map", xlabel="latent 1", ylabel="latent 2")
        ways = "steps around walls" if name == "maze" else "steps between two places"
        house.finish(row[2], title="distances", xlabel=ways, ylabel="latent distance", xlim=(0, None), ylim=(0, None))
    return fig


def growth(run: el.Run) -> Figure:
    """The ways of the skills at a few times."""
    times = run.data.time.values
    chosen = times[np.unique(np.linspace(1, len(times) - 1, min(5, len(times) - 1)).astype(int))]
    seed = int(run.data.seed.values[0])
    return strip([scene(run, "metra", seed, int(t)) for t in chosen], columns=len(chosen))
