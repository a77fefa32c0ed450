"""The figures of the study `induction-head`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from jaxtyping import Float

import emergelab as el
from emergelab import figures as fig
from emergelab.figures import COLOURS, GREY, INK, MUTED

from ._conditions import ALONE, BASE, CLASSES, LABELS, WHOLE
from ._measures import PLATEAU, onset, toy_waiting, waiting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

WORDS = {
    BASE: "nothing",
    "attention": "A in part: where to look",
    "perfect": "A: first layer",
    "copy": "C: copying",
    "match": "A and B: matching",
    "previous-copy": "A and C",
}
"""What is given, by condition."""
PAINT = dict(zip(WORDS, (INK, COLOURS[1], COLOURS[4], COLOURS[0], COLOURS[2], COLOURS[3]), strict=True))


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study; the first is its headline."""
    return (
        el.Figure(
            "clamps",
            draw_clamps,
            "A network with one head in its second layer, from the start of training given parts of the circuit. Left: "
            "its loss; the time axis is logarithmic. Right: when the loss falls below half of log 2, and how much of a "
            "plateau comes before (1 is a plateau that ends in a step, 1/2 a steady descent).",
            needs=(BASE,),
        ),
        el.Figure(
            "heads",
            draw_heads,
            "The eight heads of layer 2. Left: how much more each looks at the right label than at the wrong one, in "
            "one seed. Middle: what can be answered at the end with one head alone, and without it. Right: heads that "
            "end up strong, and how long they take to learn it when they are alone.",
            needs=(WHOLE,),
        ),
        el.Figure(
            "change",
            draw_change,
            "What the whole network can do over time. On the plateau it answers with one of the two labels shown.",
            needs=(WHOLE,),
        ),
        el.Figure(
            "data",
            draw_data,
            "More classes and more labels, where only one part of the circuit is to be learnt: how much later the loss "
            "falls below half of log 2 than with 50 classes and 5 labels.",
            needs=("match", "match-classes", "match-labels", "previous-copy"),
        ),
        el.Figure(
            "toy",
            draw_toy,
            "Three vectors learn to make a tensor: with nothing given, with one and with two of the three given.",
            needs=("toy", "toy-c", "toy-bc"),
        ),
    )


def _of(run: Run, condition: str) -> xr.Dataset:
    return run.data.sel(condition=condition, drop=True)


def _curves(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return _of(run, condition)[name].transpose("seed", "time").values


def _level(ax: Axes, height: float, words: str, x: float = 0.99) -> None:
    fig.finish(ax, chance=height)
    ax.annotate(words, (x, height), xycoords=("axes fraction", "data"), xytext=(0, 2), textcoords="offset points",
                ha="right", va="bottom", fontsize=7.5, color=MUTED)  # fmt: skip


def draw_clamps(run: Run) -> Figure:
    """Loss over time by what is given, the onset, and the plateau before it."""
    have = [c for c in WORDS if c in run.data.condition]
    time = run.data.time.values.astype(float)
    picture, (left, middle, right) = fig.new(1, 3, width=10.4, height=3.7, width_ratios=(1.7, 1, 1))
    for name in have:
        # On a logarithmic axis step 0 stands at half of the first record.
        fig.band(left, np.maximum(time, time[1] / 2), _curves(run, "loss", name), WORDS[name], PAINT[name], seeds=8)
    left.set_xscale("log")
    left.axhline(PLATEAU, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)), label="log 2: either label shown", zorder=1)
    fig.finish(left, title="Loss by what is given", xlabel="gradient step", ylabel="loss (nats)", ylim=(0, 2.1),
               xlim=(time[1] / 2, time[-1]), legend="upper right")  # fmt: skip
    fig.log_ticks(left.xaxis)
    for ax, measure, title in ((middle, onset, "Onset (step)"), (right, waiting, "Plateau before it")):
        for place, name in enumerate(reversed(have)):
            values = measure(_of(run, name)).values
            shift = np.linspace(-0.16, 0.16, len(values))
            ax.plot(values, place + shift, "o", color=PAINT[name], markersize=3.5, alpha=0.5, mew=0)
            middle_value = np.exp(np.log(values).mean()) if measure is onset else values.mean()
            ax.plot([middle_value] * 2, [place - 0.32, place + 0.32], color=PAINT[name], linewidth=2.4)
        ax.grid(False, axis="y")
        ax.set_ylim(-0.6, len(have) - 0.4)
        ax.set_yticks(range(len(have)), [WORDS[c] for c in reversed(have)] if ax is middle else [""] * len(have))
        fig.finish(ax, title=title)
    middle.set_xscale("log")
    fig.log_ticks(middle.xaxis)
    right.axvline(0.5, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    fig.finish(middle, xlabel="gradient step, log scale")
    fig.finish(right, xlabel="1/2: steady, 1: a step", xlim=(0.3, 1.0))
    return picture


def draw_heads(run: Run) -> Figure:
    """Strengths over time, what each head can do alone, and how early the strong ones learn."""
    whole = _of(run, WHOLE)
    time = whole.time.values
    picture, (left, middle, right) = fig.new(1, 3, width=10.4, height=3.5)
    strength = whole.strength.transpose("seed", "head", "time").values
    for head, row in enumerate(strength[0]):
        left.plot(time, row, color=COLOURS[head % len(COLOURS)], linewidth=1.6)
    fig.finish(left, title=f"Eight heads of seed {int(whole.seed[0])}", xlabel="gradient step", ylabel="strength",
               ylim=(-0.15, 1.0), chance=0.0)  # fmt: skip
    end = whole.isel(time=-1)
    x = end.strength.values.ravel()
    for name, words, colour in (("acc_without", "all but this head", GREY), ("acc_only", "this head only", COLOURS[0])):
        middle.plot(x, end[name].values.ravel(), "o", color=colour, markersize=4, alpha=0.7, mew=0, label=words)
    fig.finish(middle, title="All heads of all seeds", xlabel="strength at the end", ylabel="accuracy at the end",
               ylim=(0, 1.12), legend="lower right")  # fmt: skip
    for seed in range(end.sizes["seed"]):
        points = [
            (float(end.strength.isel(seed=seed, head=h)), float(onset(_of(run, name))[seed]))
            for name, h in ALONE.items()
            if name in run.data.condition
        ]
        if points:
            xs, ys = np.array(sorted(points)).T
            right.plot(xs, ys, "o-", color=COLOURS[seed % len(COLOURS)], markersize=4, linewidth=0.9, alpha=0.8)
    fig.finish(right, title="Alone, by seed", xlabel="strength at the end, with all heads",
               ylabel="onset of this head alone (step)")  # fmt: skip
    return picture


def draw_change(run: Run) -> Figure:
    """Scores of the whole network over time, and of one layer."""
    time = run.data.time.values
    picture, (left, right) = fig.new(1, 2, width=9.0, height=3.5, sharey=True)
    for name, words, colour in (
        ("shown", "either label shown", MUTED),
        ("acc", "right, as in training", COLOURS[0]),
        ("acc_pairs", "right, pairs of labels never seen", COLOURS[2]),
        ("acc_new", "right, new classes", COLOURS[1]),
    ):
        fig.band(left, time, _curves(run, name, WHOLE), words, colour, seeds=0)
    _level(left, 0.5, "1/2: either label shown")
    fig.finish(left, title="Two layers", xlabel="gradient step", ylabel="share of answers", ylim=(0, 1.04),
               legend="lower right")  # fmt: skip
    others = {"one-layer": ("one layer", COLOURS[5]), "blocked": ("no look at the token before", COLOURS[3]),
              BASE: ("one head in layer 2", INK)}  # fmt: skip
    for name, (words, colour) in others.items():
        if name in run.data.condition:
            fig.band(right, time, _curves(run, "acc", name), words, colour, seeds=0)
            if name == "blocked":
                fig.band(right, time, _curves(run, "acc_new", name), f"{words},\nnew classes", colour, seeds=0,
                         linestyle=":")  # fmt: skip
    fig.finish(right, title="Less than that", xlabel="gradient step", legend="lower right", chance=0.5)
    return picture


def draw_data(run: Run) -> Figure:
    """Onset with more classes and more labels relative to that with few, by the part that is to be learnt."""
    picture, axes = fig.new(1, 2, width=7.6, height=3.3, sharey=True)
    parts = {
        "previous-copy": ("Matching (B) to be learnt", COLOURS[3]),
        "match": ("Copying (C) to be learnt", COLOURS[2]),
    }
    for ax, (part, (title, colour)) in zip(axes, parts.items(), strict=True):
        base = onset(_of(run, part)).values
        groups = {
            words: onset(_of(run, f"{part}-{more}")).values / base
            for more, words in (("classes", f"{CLASSES} classes"), ("labels", f"{LABELS} labels"))
            if f"{part}-{more}" in run.data.condition
        }
        fig.bars(ax, groups, colours=[colour, colour])
        fig.finish(ax, title=title, chance=1.0)
    fig.finish(axes[0], ylabel="onset relative to\n50 classes, 5 labels", ylim=(0, None))
    return picture


def draw_toy(run: Run) -> Figure:
    """Mismatch of the toy over time by what is given, and its plateau."""
    names = {"toy": ("nothing given", INK), "toy-c": ("c given", COLOURS[0]), "toy-bc": ("b and c given", COLOURS[3])}
    time = run.data.time.values.astype(float)
    picture, (left, right) = fig.new(1, 2, width=8.4, height=3.3, width_ratios=(1.5, 1))
    for name, (words, colour) in names.items():
        # Seeds change at different times, so their mean would show a descent that none of them makes.
        for row in _curves(run, "loss", name):
            left.plot(time, row, color=colour, linewidth=1.2, alpha=0.7)
        left.plot([], [], color=colour, label=words)
    _level(left, 0.5, "1/2: an empty tensor", x=0.45)
    fig.finish(left, title="Three vectors make a tensor", xlabel="gradient step", ylabel="mismatch", ylim=(0, 1.1),
               legend="upper right")  # fmt: skip
    groups = {words.replace(" given", "\ngiven"): toy_waiting(_of(run, n)).values for n, (words, _) in names.items()}
    fig.bars(right, groups, colours=[c for _, c in names.values()])
    fig.finish(right, title="Plateau before the change", ylabel="1/2: steady, 1: a step", ylim=(0, 1.05), chance=0.5)
    return picture
