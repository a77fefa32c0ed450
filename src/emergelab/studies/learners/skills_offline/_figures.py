"""The figures of the study `skills-offline`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

import emergelab as el
from emergelab import figures as house
from emergelab.figures import COLOURS, GREY, INK, MUTED, film

from . import _measures as measures
from ._conditions import BARE, CLONING, EVEN, FEW, GOALS, LABELS, LEFT, ONE_END, OPEN, SKILLS
from ._maze import PROBE_ROOM, PROBES, ROOMS, WALLS
from ._prompts import PROMPTS
from ._view import scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_distance", "draw_map", "draw_methods", "draw_pitfalls", "draw_prompts", "draw_walks", "figures"]

ROOM = ("#3b2f87", "#0B6FB8", "#2f9fa8", "#6bae4a", "#D99A00", "#c8452c")
"""Colours of rooms along the chain."""
METHOD = {SKILLS: COLOURS[0], GOALS: COLOURS[1], CLONING: COLOURS[7], LEFT: COLOURS[3]}
WORDS = {
    "goal": "goal", "plan": "goal by\nmidpoints", "dense": "reward\non the way", "sparse": "reward\nat the goal",
    "imagined": "imagined\nwalk", "turned": "goal,\nturned", "knocked": "goal,\nhalf map",
}  # fmt: skip


def _have(run: el.Run, wanted: tuple[str, ...]) -> list[str]:
    known = {str(c) for c in run.data.condition.values}
    return [name for name in wanted if name in known]


def _of(run: el.Run, measure: measures.Measure, condition: str) -> Float[np.ndarray, "seed ..."]:
    return np.asarray(measure(run.data.sel(condition=condition)).transpose("seed", ...).values, float)


def _walls(ax: Axes, walls: Float[np.ndarray, "wall 2 2"]) -> None:
    for (x0, y0), (x1, y1) in walls:
        ax.plot([x0, x1], [y0, y1], color=INK, linewidth=1.2, zorder=1)
    ax.set_aspect("equal")
    _bare(ax)


def _bare(ax: Axes) -> None:
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)


def _flat(at: Float[np.ndarray, "probe dim"]) -> Float[np.ndarray, "probe 2"]:
    """The two directions along which places spread most (principal components)."""
    centred = at - at.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[:2].T
    # Signs mean nothing: the first room comes to lie on the left.
    return flat * np.where(flat[PROBE_ROOM == 0].mean(0) > 0, -1.0, 1.0)


def draw_map(run: el.Run) -> Figure:
    """The maze, its map at the beginning and in the end, and both distances."""
    fig, axes = house.new(1, 4, width=12.6, height=3.0, width_ratios=(1.3, 1.05, 1.05, 1.2))
    colours = [ROOM[r] for r in PROBE_ROOM]
    _walls(axes[0], WALLS)
    axes[0].set_anchor("N")
    axes[0].scatter(*PROBES.T, c=colours, s=14, linewidths=0, zorder=3)
    house.finish(axes[0], title="Places in the maze")
    d = run.data.sel(condition=SKILLS)
    for ax, time, title in ((axes[1], 0, "In the map, untrained"), (axes[2], -1, "In the map, trained")):
        flat = _flat(d["map"].isel(seed=0, time=time).transpose("probe", "dim").values.astype(float))
        middle = np.stack([flat[r == PROBE_ROOM].mean(0) for r in range(ROOMS)])
        ax.plot(*middle.T, color=GREY, linewidth=1.0, zorder=1)
        ax.scatter(*flat.T, c=colours, s=14, linewidths=0, zorder=3)
        ax.set_aspect("equal", adjustable="datalim")
        _bare(ax)
        house.finish(ax, title=title)
    far = measures.apart(d)[0, -1]
    first, second = np.triu_indices(len(PROBES), 1)
    doors = np.abs(PROBE_ROOM[first] - PROBE_ROOM[second])
    for many in range(ROOMS):
        own = doors == many
        axes[3].plot(
            measures.lengths("way")[own], far[own], "o", color=ROOM[many], markersize=2.2, alpha=0.5, mew=0,
            label=f"{many}",
        )  # fmt: skip
    legend = axes[3].legend(title="doors between", fontsize=7.5, title_fontsize=7.5, ncols=2, markerscale=2)
    legend.get_frame().set_visible(False)
    house.finish(axes[3], title="Distances", xlabel="shortest way (cells)", ylabel="distance in the map (steps)",
                 xlim=(0, None), ylim=(0, None))  # fmt: skip
    return fig


def draw_distance(run: el.Run) -> Figure:
    """With what the map's distances agree, over training and by condition."""
    fig, axes = house.new(1, 2, width=9.6, height=3.6, width_ratios=(1, 1.25), sharey=True)
    kinds = {"way": ("on foot", COLOURS[0]), "air": ("as the crow flies", COLOURS[1])}
    for kind, (words, colour) in kinds.items():
        house.band(axes[0], run.data.time.values, _of(run, measures.agreement(kind), SKILLS), words, colour)
    house.finish(axes[0], title="While it learns", xlabel="step", ylabel="rank correlation",
                 legend="lower right", ylim=(0, 1.03))  # fmt: skip
    shown = _have(run, (SKILLS, EVEN, BARE, ONE_END, LEFT))
    for side, (kind, (_, colour)) in zip((-0.14, 0.14), kinds.items(), strict=True):
        for i, condition in enumerate(shown):
            ends = _of(run, measures.agreement(kind), condition)[:, -1]
            axes[1].plot(np.full(len(ends), i + side), ends, "o", color=colour, markersize=3.5, alpha=0.5, mew=0)
            axes[1].plot([i + side - 0.1, i + side + 0.1], [ends.mean()] * 2, color=colour, linewidth=2.2)
    axes[1].set_xticks(range(len(shown)), [LABELS[c] for c in shown])
    axes[1].grid(False, axis="x")
    house.finish(axes[1], title="At the end")
    return fig


def draw_methods(run: el.Run) -> Figure:
    """Who arrives: by how far the goal is, and over training."""
    fig, axes = house.new(1, 2, width=9.6, height=3.6, sharey=True)
    doors = list(range(1, ROOMS))
    for condition in _have(run, tuple(METHOD)):
        label, colour = LABELS[condition].replace("\n", " "), METHOD[condition]
        each = np.stack([_of(run, measures.reach("goal", k, k), condition) for k in doors], axis=1)
        house.band(axes[0], np.array(doors), each, label, colour, seeds=8)
        curve = (
            run.data["reached"]
            .sel(condition=condition)
            .isel(prompt=0, pair=np.flatnonzero(measures.DOORS >= measures.FAR))
        )
        house.band(axes[1], run.data.time.values, curve.mean("pair").transpose("seed", "time").values, label, colour,
                   seeds=0)  # fmt: skip
    if SKILLS in _have(run, (SKILLS,)):
        each = np.stack([_of(run, measures.reach("plan", k, k), SKILLS) for k in doors], axis=1)
        house.band(axes[0], np.array(doors), each, "skills by midpoints", COLOURS[2], seeds=0, linestyle="--")
    axes[0].set_xticks(doors)
    house.finish(axes[0], title="At the end", xlabel="doors on the way", ylabel="goals reached", ylim=(-0.02, 1.03))
    house.finish(axes[1], title=f"Goals {measures.FAR} doors away or more", xlabel="step")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8.5)
    return fig


def draw_prompts(run: el.Run) -> Figure:
    """What a policy can be asked for without learning more."""
    fig, axes = house.new(1, 2, width=10.4, height=3.6, width_ratios=(1.6, 1))
    groups = {WORDS[p]: _of(run, measures.reach(p), SKILLS) for p in PROMPTS}
    tint = [COLOURS[0], COLOURS[0], COLOURS[2], COLOURS[2], COLOURS[4], COLOURS[7], COLOURS[7]]
    house.bars(axes[0], groups, colours=tint)
    house.finish(axes[0], title="Prompts", ylabel="goals reached", ylim=(0, 1.03))
    if ONE_END in _have(run, (ONE_END,)):
        known = {
            f"{words}\n{name}": _of(run, measures.reach_of_known(first), condition)
            for condition, name in ((SKILLS, "all data"), (ONE_END, "one end"))
            for first, words in ((True, "rooms 1-3"), (False, "rooms 4-6"))
        }
        house.bars(axes[1], known, colours=[COLOURS[0], COLOURS[0], COLOURS[1], COLOURS[1]])
        house.finish(axes[1], title="Imagined walks, two doors at most", ylim=(0, 1.03))
    for ax in axes:
        ax.tick_params(axis="x", labelsize=7.5)
    return fig


def draw_pitfalls(run: el.Run) -> Figure:
    """What goes wrong with the map and the skills."""
    shown = _have(run, (SKILLS, EVEN, BARE, FEW, ONE_END, LEFT, OPEN))
    fig, ax = house.new(width=8.4, height=3.6)
    groups = {LABELS[c]: _of(run, measures.reach("goal", measures.FAR), c) for c in shown}
    house.bars(ax, groups, colours=[COLOURS[0] if c == SKILLS else MUTED for c in shown])
    house.finish(ax, title=f"Goals {measures.FAR} doors away or more", ylabel="goals reached", ylim=(0, 1.03))
    return fig


def draw_walks(run: el.Run) -> Figure:
    """Walks to goals in all rooms in the course of training, as a film strip."""
    time = run.data.time.values
    seed = int(run.data.seed.values[0])
    at = time[np.unique(np.linspace(0, len(time) - 1, 6).round().astype(int))]
    fig = film.strip([scene(run, SKILLS, seed, int(t)) for t in at], columns=3, size=3.0)
    # The maze is wider than it is high.
    fig.set_size_inches(9.4, 4.7)
    return fig


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "map", draw_map,
            "Six rooms along a chain that is bent like a horseshoe, and where one seed's map puts them, before and "
            "after training (two principal components; the grey line joins the rooms' middles). Right: distances "
            "between places in the map and on foot.",
            needs=(SKILLS,),
        ),
        el.Figure(
            "distance", draw_distance,
            "Rank correlation of distances in the map with shortest ways on foot and through the air, 1431 pairs of "
            "places. Thin lines and dots are seeds.",
            needs=(SKILLS,),
        ),
        el.Figure(
            "methods", draw_methods,
            "Goals reached within 60 steps. Bands: 95 % over seeds.",
            needs=(SKILLS,),
        ),
        el.Figure("walks", draw_walks, "One seed's walks from the first room to goals in all others.", needs=(SKILLS,)),
        el.Figure(
            "prompts", draw_prompts,
            "Left: goals reached by the same policy under different prompts, and with its direction tampered with. "
            "Right: imagined walks in rooms that all data, or data from one end, show well (1-3) or badly (4-6).",
            needs=(SKILLS,),
        ),
        el.Figure("pitfalls", draw_pitfalls, "Far goals when something is left out. Dots are seeds.", needs=(SKILLS,)),
    )  # fmt: skip
