"""Pictures of a run of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

import emergelab as el
from emergelab import figures as house

from ._conditions import DEPTHS, LONG_TIMES, MORE, RATIOS, SEEN, SHORT, STAGE, TIMES, after, grown, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "damage",
            damage,
            "Error on the second matrix in the end, after equally long training on it. Left: by how long another one "
            "came first. Middle: by its rank, in parts of the second's. Right: by how many entries are shown. "
            "Dots are seeds, lines means.",
            needs=(*(after(d, t) for d in (2, 3) for t in (0, *TIMES)), *RATIOS),
        ),
        el.Figure(
            "singular",
            singular,
            "The largest singular values of a product of three matrices, in units of n: the second task alone; after "
            "another one (dotted: the switch); after another one, with all weights scaled to a tenth at the switch. "
            "One seed; the second task has three.",
            needs=(after(3, 0), after(3, STAGE), "shrunk"),
        ),
        el.Figure(
            "training",
            training,
            "Three matrices in training: error on all entries of the second task (left), and on the entries that are "
            "shown (right). Thin lines are seeds.",
            needs=tuple(after(3, t) for t in (0, *TIMES)),
        ),
        el.Figure(
            "causes",
            causes,
            "Left: the same matrix, first with few of its entries. Right: effective rank in the end; dashed, of the "
            "second task alone. Dots are seeds, bars means with 95 % intervals.",
            needs=(grown(MORE[0], STAGE), "shrunk"),
        ),
    )


def _values(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed time ..."]:
    return np.asarray(run.data[name].sel(condition=condition).transpose("seed", "time", ...).values, float)


def _end(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed"]:
    return _values(run, name, condition)[:, -1]


def _sweep(ax: Axes, run: el.Run, names: dict[str, float], label: str | None, colour: str) -> None:
    x = np.array(list(names.values()))
    ends = np.stack([_end(run, "error", name) for name in names], axis=1)
    ax.plot(np.tile(x, (len(ends), 1)), ends, "o", color=colour, markersize=3, alpha=0.35, markeredgewidth=0)
    ax.plot(x, ends.mean(axis=0), color=colour, marker="o", markersize=5, label=label)


def damage(run: el.Run) -> Figure:
    """The headline: what another task first costs, by its time, its rank and what is shown."""
    fig, (left, middle, right) = house.new(1, 3, width=11.5, height=3.6)
    have = {str(c) for c in run.data.condition.values}
    for depth, colour in zip(DEPTHS, (house.COLOURS[7], house.COLOURS[1], house.COLOURS[0]), strict=True):
        times = {after(depth, t): float(t) for t in (0, *TIMES, *LONG_TIMES) if after(depth, t) in have}
        _sweep(left, run, times, f"{depth} matri{'ces' if depth > 1 else 'x'}", colour)
    house.finish(left, title="How long", xlabel="steps of another task first", ylabel="error on the second task",
                 ylim=(-0.03, None), legend="upper right")  # fmt: skip
    left.set_ylim(top=1.3 * left.get_ylim()[1])
    _sweep(middle, run, RATIOS, None, house.COLOURS[0])
    house.finish(middle, title="Which", xlabel="its rank, relative to the second's", ylim=(-0.03, None))
    for time, label, colour in ((STAGE, f"{STAGE} steps first", house.COLOURS[0]), (0, "alone", house.GREY)):
        _sweep(right, run, {shown(s, time): s for s in SEEN}, label, colour)
    house.finish(right, title="How much is shown", xlabel="entries shown per free number", ylim=(-0.03, None),
                 legend="upper right")  # fmt: skip
    return fig


def singular(run: el.Run) -> Figure:
    """Singular values over training, in one seed."""
    names = {after(3, 0): "The task alone", after(3, STAGE): "After another one",
             "shrunk": "After another one, weights shrunk"}  # fmt: skip
    fig, axes = house.new(1, 3, width=11.0, height=3.4, sharey=True)
    for ax, (condition, title) in zip(axes, names.items(), strict=True):
        values, time = _values(run, "singular", condition)[0], run.data.time.values
        switch = run.info["conditions"][condition]["parameters"]["switch"]
        # What the second task has, and what is too much.
        for i in reversed(range(values.shape[1])):
            ax.plot(time, values[:, i], color=house.COLOURS[0 if i < 3 else 1], linewidth=2.0 if i < 3 else 1.3)
        if switch:
            ax.axvline(switch, color=house.INK, linewidth=1.0, linestyle=":")
        house.finish(ax, title=title, xlabel="step", ylim=(0, None))
    house.finish(axes[0], ylabel="singular value / n")
    axes[0].plot([], [], color=house.COLOURS[0], label="first to third")
    axes[0].plot([], [], color=house.COLOURS[1], linewidth=1.3, label="all others")
    axes[0].legend(loc="center", bbox_to_anchor=(0.6, 0.25), frameon=False, fontsize=8.5)
    return fig


def training(run: el.Run) -> Figure:
    """Errors over training, by the time of the switch."""
    fig, (left, right) = house.new(1, 2, width=10.5, height=3.6)
    time = run.data.time.values
    for t, colour in zip((0, *TIMES), house.COLOURS, strict=False):
        label = f"{t} steps of another first" if t else "alone"
        house.band(left, time, _values(run, "error", after(3, t)), label, colour)
        house.band(right, time, np.log10(np.maximum(_values(run, "misfit", after(3, t)), 1e-12)), None, colour)
    house.finish(left, title="All entries of the second task", xlabel="step", ylabel="mean squared error",
                 ylim=(-0.05, None), legend="upper right")  # fmt: skip
    house.finish(right, title="The entries being shown", xlabel="step", ylabel="log10 of mean squared error")
    return fig


def causes(run: el.Run) -> Figure:
    """Fewer examples of the same task first, and what is left of a first task."""
    fig, (left, right) = house.new(1, 2, width=10.5, height=3.6)
    few, enough = MORE[0], MORE[-1]
    groups = {
        f"{few:g} from\nthe start": shown(few, 0), f"{few:g} after\n{SHORT} with few": grown(few, SHORT),
        f"{few:g} after\n{STAGE}": grown(few, STAGE), f"{enough:g} from\nthe start": shown(enough, 0),
        f"{enough:g} after\n{STAGE}": grown(enough, STAGE),
    }  # fmt: skip
    colours = [house.COLOURS[i] for i in (7, 0, 0, 7, 0)]
    house.bars(left, {words: _end(run, "error", name) for words, name in groups.items()}, colours=colours)
    house.finish(left, title="Few entries of the same first", ylabel="error on the task", ylim=(0, None))
    ranks = {"alone": after(3, 0), **{f"after\n{t}": after(3, t) for t in TIMES}, f"after {STAGE},\nshrunk": "shrunk"}
    house.bars(right, {words: _end(run, "effective_rank", name) for words, name in ranks.items()},
               colours=[house.COLOURS[i] for i in (7, 0, 0, 0, 2)])  # fmt: skip
    house.finish(right, title="What a first task leaves", ylabel="effective rank", ylim=(0, None),
                 chance=float(_end(run, "effective_rank", after(3, 0)).mean()))  # fmt: skip
    return fig
