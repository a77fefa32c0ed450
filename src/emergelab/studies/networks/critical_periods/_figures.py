"""Pictures of a run of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

import emergelab as el
from emergelab import figures as house
from emergelab.nn.linear import hierarchy

from ._conditions import ACTS, DEPTHS, EARLY, LATE, LESION, MIDDLE, ONSETS, closed_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = ("what all share", "first fork", "second fork", "last fork")


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "windows",
            windows,
            "What pathway B ends with, by the time at which it was deprived for 150 steps: of two that share evenly "
            "(one half), next to nothing after an early deficit, and all its half after a late one. With one layer "
            "the window is the same for all modes, with more each mode has its own, and later ones stay open longer. "
            "Dots are seeds.",
            needs=tuple(closed_at(d, o) for d in DEPTHS for o in ONSETS),
        ),
        el.Figure(
            "trajectories",
            trajectories,
            "What each pathway has of each mode while four layers learn, with the deficit of B in grey. Dots: the "
            "equation of motion. Thin lines are seeds.",
            needs=tuple(closed_at(4, o) for o in (EARLY, 200, LATE)),
        ),
        el.Figure(
            "competition",
            competition,
            "Without any deficit, from unlike starts: what the pathways have of the strongest mode, one line a seed, "
            "with dots at the end. Two layers keep the ratio they start with; deeper, the one with a lead takes all, "
            "unless both start strong.",
            needs=(*(f"d{d}-apart" for d in DEPTHS), "d4-apart-large"),
        ),
        el.Figure(
            "lesion",
            lesion,
            "Pathway A lacks the second mode for good, and B does not learn for the first 200 steps (grey): "
            "afterwards B learns this mode and no other.",
            needs=("d3-lesion",),
        ),
        el.Figure(
            "variants",
            variants,
            "B's share of what is learnt, averaged over levels. Left: deficits of 30 steps from the start, by depth. "
            "Right: three layers with and without a nonlinearity, deprived for 150 steps from step 0, 400 or 750. "
            "Dots are seeds, bars means.",
            needs=(*(f"d{d}-brief" for d in DEPTHS), *(f"{act}-at-{EARLY}" for act in ACTS)),
        ),
    )


def _values(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed time mode"]:
    return np.asarray(run.data[name].sel(condition=condition).transpose("seed", "time", ...).values, float)


def _by_level(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed time level"]:
    """Strengths of modes, averaged over the modes of a level."""
    values = _values(run, name, condition)
    member = hierarchy(_levels(run)).level
    return np.stack([values[..., member == i].mean(axis=-1) for i in np.unique(member)], axis=-1)


def _levels(run: el.Run) -> int:
    return int(run.data.sizes["level"]) - 1


def _name(level: int) -> str:
    return LEVELS[level] if level < len(LEVELS) else f"fork {level}"


def _deficit(ax: Axes, run: el.Run, condition: str) -> None:
    p = run.info["conditions"][condition]["parameters"]
    ax.axvspan(p["onset"], p["onset"] + p["length"], color=house.GREY, alpha=0.35, linewidth=0)


def windows(run: el.Run) -> Figure:
    """The headline: sensitivity to a deficit by its time, for each depth and each level."""
    fig, axes = house.new(1, len(DEPTHS), width=11.5, height=3.5, sharey=True)
    for ax, depth in zip(axes, DEPTHS, strict=True):
        ends = np.stack([_values(run, "share", closed_at(depth, o))[:, -1] for o in ONSETS], axis=1)
        for level in range(_levels(run) + 1):
            colour = house.COLOURS[level]
            ax.plot(np.tile(ONSETS, (len(ends), 1)), ends[..., level], "o", color=colour, markersize=2.2, alpha=0.25,
                    markeredgewidth=0)  # fmt: skip
            ax.plot(ONSETS, ends[..., level].mean(axis=0), color=colour, label=_name(level))
        house.finish(
            ax,
            title=f"{depth} layer{'s' if depth > 1 else ''}",
            xlabel="step at which B is deprived",
            ylim=(-0.02, 0.56),
            chance=0.5,
        )
    house.finish(axes[0], ylabel="B's share in the end")
    house.finish(axes[0], legend="center right")
    return fig


def trajectories(run: el.Run) -> Figure:
    """Strengths over time under an early, a middle and a late deficit."""
    fig, axes = house.new(2, 3, width=10.5, height=5.4, sharex=True, sharey=True)
    time = run.data.time.values
    words = {EARLY: "Deprived early", 200: "Deprived in between", LATE: "Deprived late"}
    for column, (onset, title) in zip(axes.T, words.items(), strict=True):
        condition = closed_at(4, onset)
        for ax, path in zip(column, "ab", strict=True):
            _deficit(ax, run, condition)
            values, ode = (_by_level(run, f"{what}_{path}", condition) for what in ("strength", "ode"))
            for level in range(values.shape[-1]):
                colour = house.COLOURS[level]
                house.band(ax, time, values[..., level], _name(level), colour)
                ax.plot(time, ode[..., level].mean(axis=0), ":", color=house.INK, linewidth=1.2, zorder=6)
            house.finish(ax, title=title if path == "a" else None, xlabel="step" if path == "b" else None)
    for ax, path in zip(axes[:, 0], "AB", strict=True):
        house.finish(ax, ylabel=f"pathway {path}: strength of a mode")
    axes[1, 0].plot([], [], ":", color=house.INK, linewidth=1.2, label="equation of motion")
    axes[1, 0].legend(loc="center", frameon=False, fontsize=8.5, bbox_to_anchor=(0.6, 0.6))
    return fig


def competition(run: el.Run) -> Figure:
    """Phase portraits of the strongest mode from unlike starts."""
    names = {**{f"d{d}-apart": f"{d} layer{'s' if d > 1 else ''}" for d in DEPTHS}, "d4-apart-large": "4, strong start"}
    fig, axes = house.new(1, len(names), width=12.5, height=3.0, sharey=True)
    whole = float(hierarchy(_levels(run)).strength[0])
    for ax, (condition, title) in zip(axes, names.items(), strict=True):
        a, b = (_values(run, f"strength_{path}", condition)[..., 0] / whole for path in "ab")
        ax.plot([0, 1], [1, 0], color=house.GREY, linewidth=1.0, linestyle=(0, (4, 3)))
        ax.plot(a.T, b.T, color=house.COLOURS[0], linewidth=0.9, alpha=0.7)
        ax.plot(a[:, -1], b[:, -1], "o", color=house.COLOURS[1], markersize=4, markeredgewidth=0)
        ax.set_aspect("equal")
        house.finish(ax, title=title, xlabel="of the mode, in A", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    house.finish(axes[0], ylabel="of the mode, in B")
    return fig


def lesion(run: el.Run) -> Figure:
    """Competition, not capacity: what A cannot learn is learnt by B."""
    fig, (left, middle, right) = house.new(1, 3, width=10.5, height=3.3, width_ratios=(1, 1, 1.1))
    time, modes = run.data.time.values, run.data.sizes["mode"]
    for ax, path in ((left, "a"), (middle, "b")):
        _deficit(ax, run, "d3-lesion")
        values = _by_level(run, f"strength_{path}", "d3-lesion")
        for level in range(values.shape[-1]):
            house.band(ax, time, values[..., level], _name(level), house.COLOURS[level])
        house.finish(ax, title=f"Pathway {path.upper()}", xlabel="step", ylim=(-0.1, 4.1))
    house.finish(left, ylabel="strength of a mode")
    house.finish(middle, legend="upper right")
    a, b = (_values(run, f"strength_{path}", "d3-lesion")[:, -1] for path in "ab")
    colours = [house.COLOURS[i] for i in hierarchy(_levels(run)).level]
    house.bars(right, {f"{i + 1}": (b / (a + b))[:, i] for i in range(modes)}, colours=colours)
    house.finish(right, title="B's share in the end", xlabel=f"mode (A lacks mode {LESION + 1})", ylim=(0, 1.05),
                 chance=0.5)  # fmt: skip
    return fig


def variants(run: el.Run) -> Figure:
    """Brief deficits by depth, and networks that are not linear."""
    fig, (left, right) = house.new(1, 2, width=10.5, height=3.6, width_ratios=(1, 2.1), sharey=True)

    def end(condition: str) -> Float[np.ndarray, "seed"]:
        return _values(run, "share", condition)[:, -1].mean(axis=-1)

    brief = {f"{d} layer{'s' if d > 1 else ''}": end(f"d{d}-brief") for d in DEPTHS}
    house.bars(left, brief, colours=[house.COLOURS[7]] * len(brief))
    house.finish(left, title="Deprived for 30 steps", ylabel="B's share, mean of levels", ylim=(0, 0.56), chance=0.5)
    groups, colours = {}, []
    kinds = {"linear": {o: closed_at(3, o) for o in (EARLY, MIDDLE, LATE)}}
    kinds |= {act: {o: f"{act}-at-{o}" for o in (EARLY, MIDDLE, LATE)} for act in ACTS}
    for colour, (kind, names) in zip(house.COLOURS, kinds.items(), strict=False):
        for onset, name in names.items():
            groups[f"{kind}\n{onset}"] = end(name)
            colours.append(colour)
    house.bars(right, groups, colours=colours)
    house.finish(right, title="Early, middle and late, three layers", chance=0.5)
    return fig
