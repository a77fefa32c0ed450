"""The figures of the study `ease-of-teaching`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from emergelab import figures
from emergelab.figures import COLOURS, GREY, MUTED
from emergelab.figures.messages import message_table

from ._system import CHECKPOINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

WORDS = {
    "none": "nobody", "seldom": "listener, seldom", "reset": "listener", "often": "listener, often",
    "hasty": "listener, hasty",
    "random": "listener,\nat random", "speaker": "speaker", "optimiser": "optimiser",
    "memory": "network,\nnot optimiser",
    "undecided": "nobody,\nentropy", "crowd": "nobody", "crowd-at-once": "at once", "crowd-in-turn": "in turn",
    "heirs-100": "all", "heirs-50": "half", "heirs-25": "a quarter", "pointing": "nobody",
    "pointing-reset": "listener",
}  # fmt: skip
"""Who is replaced, in each condition."""
SHADE = {"none": COLOURS[7], "reset": COLOURS[0], "often": COLOURS[2], "speaker": COLOURS[6], "heirs-50": COLOURS[3],
         "heirs-100": COLOURS[4], "seldom": COLOURS[5], "hasty": COLOURS[1]}  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _have(run: Run, names: Sequence[str]) -> list[str]:
    there = {str(c) for c in run.data.condition.values}
    return [n for n in names if n in there]


def _ends(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed"]:
    return run.data[name].sel(condition=condition).isel(time=-1).values


def _curves(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return run.data[name].sel(condition=condition).transpose("seed", "time").values


def _grown(run: Run, condition: str) -> Bool[np.ndarray, "time"]:
    """Records at the end of a generation, and those of the last one when it is as old as the second was."""
    generation = _curves(run, "generation", condition).mean(axis=0)
    last = np.flatnonzero(generation == generation[-1])
    ends = np.append(generation[1:], np.inf) > generation
    ends[last[int((generation == 1).sum()) :]] = True
    return ends


def draw_generations(run: Run) -> Figure:
    """Success, structure and size of the language over training, with and without new listeners."""
    fig, axes = figures.new(1, 3, width=10.2, height=3.5)
    time = run.data.time.values
    panels = (
        ("accuracy", "As much is understood", "objects understood"),
        ("topsim", "The language gets regular", "topographic similarity"),
        ("distinct", "It keeps its messages", "different messages"),
    )
    for ax, (name, title, words) in zip(axes, panels, strict=True):
        for condition in _have(run, ("none", "reset", "speaker", "hasty")):
            # A new speaker begins a language anew: in between, curves would show newborns.
            some = _grown(run, condition) if condition == "speaker" else np.ones(len(time), bool)
            few = 6 if name == "topsim" and condition != "hasty" else 0
            figures.band(ax, time[some], _curves(run, name, condition)[:, some], WORDS[condition].replace("\n", " "),
                         SHADE[condition], seeds=few)  # fmt: skip
        figures.finish(ax, title=title, xlabel="training step", ylabel=words)
    chance = float(run.data.topsim_chance.isel(time=-1).mean())
    figures.finish(axes[1], chance=chance)
    axes[1].text(time[-1], chance + 0.01, "chance", ha="right", va="bottom", fontsize=8, color=MUTED)
    count = run.data.sizes["object"]
    figures.finish(axes[2], chance=count, ylim=(0, count * 1.06))
    figures.finish(axes[0], ylim=(0, 1.03), legend="lower right")
    return fig


def draw_taught(run: Run) -> Figure:
    """How fast strangers learn the languages: after lessons, and over generations."""
    fig, (left, right) = figures.new(1, 2, width=8.6, height=3.6)
    d = run.data
    for condition in _have(run, ("none", "reset", "hasty", "speaker", "heirs-100", "heirs-50")):
        rows = d.taught.sel(condition=condition).isel(time=-1).transpose("seed", "lesson").values
        label = f"heirs, {WORDS[condition]}" if condition.startswith("heirs") else WORDS[condition]
        figures.band(left, np.array(CHECKPOINTS), rows, label, SHADE[condition], seeds=0)
    left.set_xscale("log")
    left.set_xticks(CHECKPOINTS, [str(c) for c in CHECKPOINTS])
    left.minorticks_off()
    figures.finish(left, title="Lessons to strangers", xlabel="lessons (batches)", ylabel="objects understood",
                   ylim=(0, 1.03), legend="lower right")  # fmt: skip
    held = np.isfinite(d.teachable.values).any(axis=(d.teachable.get_axis_num("condition"),
                                                     d.teachable.get_axis_num("seed")))  # fmt: skip
    for condition in _have(run, ("none", "reset", "hasty", "speaker", "heirs-100", "heirs-50")):
        figures.band(right, d.time.values[held], _curves(run, "teachable", condition)[:, held], None, SHADE[condition],
                     seeds=0)  # fmt: skip
    figures.finish(right, title="Over generations", xlabel="training step", ylabel="mean over the lessons shown left",
                   ylim=(0, None))  # fmt: skip
    return fig


def draw_plane(run: Run) -> Figure:
    """Regularity against what could fake it: success, and number of messages."""
    fig, axes = figures.new(1, 2, width=8.8, height=3.8, sharey=True)
    for ax, (name, title, words) in zip(
        axes, (("accuracy", "As good a language?", "objects understood at the end"),
               ("distinct", "As rich a language?", "different messages at the end")), strict=True,
    ):  # fmt: skip
        for condition in _have(run, ("none", "seldom", "reset", "often", "hasty", "speaker", "heirs-100", "heirs-50")):
            x, y = _ends(run, name, condition), _ends(run, "topsim", condition)
            label = f"heirs, {WORDS[condition]}" if condition.startswith("heirs") else WORDS[condition]
            ax.plot(x, y, "o", color=SHADE[condition], markersize=3.5, alpha=0.4, mew=0)
            ax.plot(x.mean(), y.mean(), "D", color=SHADE[condition], markersize=8, mec="white", mew=0.8, label=label,
                    zorder=5)  # fmt: skip
        figures.finish(ax, title=title, xlabel=words)
        ax.margins(0.06)
    figures.finish(axes[0], ylabel="topographic similarity")
    figures.finish(axes[1], legend="outside")
    return fig


def draw_controls(run: Run) -> Figure:
    """Topographic similarity in all conditions, by what is replaced and in which game."""
    groups = (
        ("One listener: replaced is ...", ("none", "reset", "random", "memory", "optimiser", "speaker", "undecided")),
        ("Three listeners", ("crowd", "crowd-in-turn", "crowd-at-once")),
        ("Both; heirs hear of", ("heirs-100", "heirs-50", "heirs-25")),
        ("Pointing", ("pointing", "pointing-reset")),
    )
    present = [(title, _have(run, names)) for title, names in groups]
    present = [(title, names) for title, names in present if names]
    fig, axes = figures.new(
        1, len(present), width=3.2 + 0.82 * sum(len(n) for _, n in present), height=3.8, sharey=True, squeeze=False,
        width_ratios=[len(n) + 0.6 for _, n in present],
    )  # fmt: skip
    for ax, (title, names) in zip(axes[0], present, strict=True):
        colours = [COLOURS[7] if c in ("none", "crowd", "pointing", "undecided") else COLOURS[0] for c in names]
        figures.bars(ax, {WORDS[c] + " " * i: _ends(run, "topsim", c) for i, c in enumerate(names)}, colours=colours)
        for i, c in enumerate(names):
            chance = float(np.nanmean(_ends(run, "topsim_chance", c)))
            ax.plot([i - 0.31, i + 0.31], [chance, chance], color=GREY, linewidth=1.4)
        ax.tick_params(axis="x", labelsize=8)
        figures.finish(ax, title=title)
    figures.finish(axes[0, 0], ylabel="topographic similarity")
    return fig


def draw_words(run: Run) -> Figure:
    """The messages of two speakers, coloured by the position that tells most of each attribute."""
    chosen = _have(run, ("none", "reset"))
    fig, axes = figures.new(len(chosen), 2, width=8.2, height=3.9 * len(chosen), squeeze=False)
    for row, condition in zip(axes, chosen, strict=True):
        similarity = _ends(run, "topsim", condition)
        seed = int(np.argsort(similarity)[len(similarity) // 2])
        words = run.data.message.sel(condition=condition).isel(time=-1, seed=seed)
        words = words.transpose("object", "position").values.astype(int)
        values = round(len(words) ** 0.5)
        meanings = np.stack([np.repeat(np.arange(values), values), np.tile(np.arange(values), values)], axis=1)
        told = np.array([[shared(words[:, p], meanings[:, a]) for p in range(words.shape[1])] for a in range(2)])
        for a, ax in enumerate(row):
            message_table(ax, words, values, int(told[a].argmax()))
            whose = ("row", "column")[a]
            much = told[a].max() / np.log2(values)
            colour = f"colour: position {told[a].argmax() + 1}, which says {much:.0%} of the {whose}"
            figures.finish(ax, title=f"{'Nobody' if condition == 'none' else 'Listener'} replaced: which {whose}?",
                           xlabel=f"second attribute\n{colour}")  # fmt: skip
        figures.finish(row[0], ylabel="first attribute")
    return fig


def shared(x: Int[np.ndarray, "item"], y: Int[np.ndarray, "item"]) -> float:
    """Mutual information of two lists of labels, plug-in, in bits."""
    joint = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(joint, (x, y), 1 / len(x))
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    held = joint > 0
    return float((joint[held] * np.log2(joint[held] / apart[held])).sum())
