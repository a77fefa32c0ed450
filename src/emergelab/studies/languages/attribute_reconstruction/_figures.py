"""The figures of the study `attribute-reconstruction`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from emergelab import figures
from emergelab.figures import COLOURS, GREY, MUTED
from emergelab.figures.messages import message_table

from ._claims import correlation, recurrent_lessons, small_lessons
from ._conditions import BY_WORLD, GIVEN
from ._system import CHECKPOINTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

SHADE = {f"given-{language}": COLOURS[i] for language, i in zip(GIVEN, (0, 2, 4, 1), strict=True)}
WORLD = dict(zip(BY_WORLD, (COLOURS[5], COLOURS[2], COLOURS[0], COLOURS[3], COLOURS[1]), strict=True))
WORDS = {"given-parts": "parts", "given-bag": "bag", "given-entangled": "sum and\ndifference",
         "given-holistic": "holistic", "values-9": "emergent"}  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _have(run: Run, names: Sequence[str]) -> list[str]:
    there = {str(c) for c in run.data.condition.values}
    return [n for n in names if n in there]


def _ends(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed"]:
    return run.data[name].sel(condition=condition).isel(time=-1).values


def _curves(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return run.data[name].sel(condition=condition).transpose("seed", "time").values


def _half(row: Float[np.ndarray, "seed"]) -> float:
    n = int(np.isfinite(row).sum())
    return float(stats.t.ppf(0.975, n - 1) * np.nanstd(row, ddof=1) / np.sqrt(n)) if n > 2 else 0.0


def _series(ax: Axes, run: Run, name: str, colour: str, label: str, line: str = "-", dots: bool = True) -> None:
    """Means with 95 % t intervals over the number of objects; seeds as faint dots."""
    have = _have(run, list(BY_WORLD))
    x = np.array([BY_WORLD[c] ** 2 for c in have], float)
    rows = [_ends(run, name, c) for c in have]
    if dots:
        for value, row in zip(x, rows, strict=True):
            ax.plot(np.full(len(row), value), row, "o", color=colour, markersize=3, alpha=0.25, mew=0, zorder=2)
    ax.errorbar(x, [np.nanmean(r) for r in rows], yerr=[_half(r) for r in rows], color=colour, marker="o", markersize=5,
                capsize=3, label=label, linestyle=line, zorder=4)  # fmt: skip


def _log_objects(ax: Axes, run: Run) -> None:
    x = [BY_WORLD[c] ** 2 for c in _have(run, list(BY_WORLD))]
    ax.set_xscale("log")
    ax.set_xticks(x, [str(v) for v in x])
    ax.minorticks_off()
    ax.margins(x=0.06)


def draw_worlds(run: Run) -> Figure:
    """Success in training and with new combinations, and structure, by the number of objects."""
    fig, (left, middle, right) = figures.new(1, 3, width=10.4, height=3.6)
    _series(left, run, "accuracy", COLOURS[7], "in training")
    _series(left, run, "unseen", COLOURS[0], "new combinations")
    _series(left, run, "parts", COLOURS[5], "their attributes", dots=False)
    x = np.array([BY_WORLD[c] ** 2 for c in _have(run, list(BY_WORLD))], float)
    left.plot(x, 1 / x, color=GREY, linewidth=1.2, linestyle=(0, (4, 3)))
    left.text(x[-1], 1 / x[-1] + 0.015, "chance", ha="right", va="bottom", fontsize=8, color=MUTED)
    figures.finish(left, title="Large worlds generalise?", xlabel="objects", ylabel="understood", ylim=(0, 1.04))
    measures = (("topsim", "topographic similarity", COLOURS[3]), ("posdis", "positional", COLOURS[2]),
                ("bosdis", "bag of symbols", COLOURS[4]))  # fmt: skip
    for name, label, colour in measures:
        _series(middle, run, name, colour, label, dots=False)
        _series(middle, run, f"{name}_chance", colour, "_", line=":", dots=False)
    figures.finish(middle, title="Structure (dotted: chance)", xlabel="objects", ylabel="measure of the language")
    figures.finish(middle, ylim=(-0.12, 1.04))  # room for the legend above the lines
    for ax, place in ((left, (0.02, 0.68)), (middle, "upper left")):
        _log_objects(ax, run)
        ax.legend(loc=place, fontsize=8, frameon=False)
    for condition in _have(run, list(BY_WORLD)):
        figures.band(right, run.data.time.values, _curves(run, "unseen", condition),
                     f"{BY_WORLD[condition] ** 2} objects", WORLD[condition], seeds=0)  # fmt: skip
    figures.finish(right, title="Over training", xlabel="training step", ylabel="new combinations understood",
                   ylim=(0, 1.04), legend="upper left")  # fmt: skip
    return fig


def draw_scatter(run: Run) -> Figure:
    """Across seeds: does structure predict generalisation, and does it predict how fast others learn?"""
    fig, axes = figures.new(1, 3, width=10.4, height=3.7)
    d = run.data.isel(time=-1)
    panels = (
        (d.unseen, "Generalisation", "new combinations understood"),
        (small_lessons(d), "Lessons to small networks", "objects understood, mean over lessons"),
        (recurrent_lessons(d), "Lessons to recurrent networks", "objects understood, mean over lessons"),
    )
    for ax, (what, title, words) in zip(axes, panels, strict=True):
        for condition in _have(run, list(BY_WORLD)):
            x, y = d.topsim.sel(condition=condition).values, what.sel(condition=condition).values
            r = correlation(np.stack([x, y], axis=1))
            ax.plot(x, y, "o", color=WORLD[condition], markersize=4.5, alpha=0.75, mew=0,
                    label=f"{BY_WORLD[condition] ** 2} objects, r = {r:.2f}")  # fmt: skip
        figures.finish(ax, title=title, xlabel="topographic similarity", ylabel=words, ylim=(0, None))
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.42 * (high - low))
        ax.legend(loc="upper left", fontsize=7.5, handletextpad=0.2, frameon=False)
    return fig


def draw_given(run: Run) -> Figure:
    """Given languages: how fast a listener learns each, what it understands of new combinations, and who learns it."""
    fig, (left, middle, right) = figures.new(1, 3, width=10.6, height=3.7, width_ratios=(1, 1, 1.1))
    names = _have(run, list(SHADE))
    steps = run.data.time.values
    early = steps <= 1500
    for condition in names:
        label = WORDS[condition].replace("\n", " ")
        rows = _curves(run, "accuracy", condition)[:, early]
        figures.band(left, steps[early], rows, label, SHADE[condition], seeds=0)
    figures.finish(left, title="Learning a given language", xlabel="training step", ylabel="objects understood",
                   ylim=(0, 1.04), legend="lower right")  # fmt: skip
    shown = [*names, *_have(run, ("values-9",))]
    figures.bars(middle, {WORDS[c]: _ends(run, "unseen", c) for c in shown},
                 colours=[SHADE.get(c, COLOURS[7]) for c in shown])  # fmt: skip
    middle.tick_params(axis="x", labelsize=7.5)
    figures.finish(middle, title="New combinations", ylabel="understood at the end", ylim=(0, 1.04), chance=1 / 81)
    for condition in shown:
        for name, line in (("taught_recurrent", "-"), ("taught_small", ":")):
            rows = run.data[name].sel(condition=condition).isel(time=-1).transpose("seed", "lesson").values
            right.plot(CHECKPOINTS, np.nanmean(rows, axis=0), linestyle=line, marker="o", markersize=3.5,
                       color=SHADE.get(condition, COLOURS[7]),
                       label=WORDS[condition].replace("\n", " ") if line == "-" else None)  # fmt: skip
    right.set_xscale("log")
    right.set_xticks(CHECKPOINTS, [str(c) for c in CHECKPOINTS])
    right.minorticks_off()
    figures.finish(right, title="Lessons to other networks", xlabel="lessons (solid: recurrent, dotted: small)",
                   ylabel="objects understood", ylim=(0, 1.04), legend="upper left")  # fmt: skip
    return fig


def draw_words(run: Run) -> Figure:
    """One emergent language, twice: coloured by the position that tells most of the row, and of the column."""
    condition = _have(run, ("values-9", "values-4"))[0]
    n = BY_WORLD[condition]
    similarity = _ends(run, "topsim", condition)
    seed = int(np.argsort(similarity)[len(similarity) // 2])
    whole = run.data.message.sel(condition=condition).isel(time=-1, seed=seed).transpose("object", "position")
    size = round(whole.sizes["object"] ** 0.5)
    words = whole.values.astype(int).reshape(size, size, -1)[:n, :n].reshape(n * n, -1)
    meanings = np.stack([np.repeat(np.arange(n), n), np.tile(np.arange(n), n)], axis=1)
    told = np.array([[shared(words[:, p], meanings[:, a]) for p in range(words.shape[1])] for a in range(2)])
    fig, axes = figures.new(1, 2, width=9.6, height=4.6)
    for a, ax in enumerate(axes):
        position, whose = int(told[a].argmax()), ("row", "column")[a]
        message_table(ax, words, n, position)
        much = told[a].max() / np.log2(n)
        colour = f"colour: position {position + 1}, which says {much:.0%} of the {whose}"
        figures.finish(ax, title=f"Which {whose}?", xlabel=f"second attribute\n{colour}")
    figures.finish(axes[0], ylabel="first attribute")
    return fig


def shared(x: Int[np.ndarray, "item"], y: Int[np.ndarray, "item"]) -> float:
    """Mutual information of two lists of labels, plug-in, in bits."""
    joint = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(joint, (x, y), 1 / len(x))
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    held = joint > 0
    return float((joint[held] * np.log2(joint[held] / apart[held])).sum())
