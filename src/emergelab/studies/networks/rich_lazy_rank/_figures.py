"""The figures of the study `rich-lazy-rank`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy import stats

from emergelab import figures
from emergelab.figures import COLOURS, GREY, MUTED

from ._conditions import BY_GAIN, BY_RANK, BY_RANK_OF_LINEAR, LINEAR
from ._theory import final_alignment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

SHADES = ("#D9590B", "#D99A00", "#4DAEDB", "#0B6FB8")
"""From rich to lazy: warm for low rank, cold for high rank."""


def _ends(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed"]:
    return run.data[name].sel(condition=condition).isel(time=-1).values


def _start(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed"]:
    return run.data[name].sel(condition=condition).isel(time=0).values


def _curves(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return run.data[name].sel(condition=condition).transpose("seed", "time").values


def _have(run: Run, names: Sequence[str]) -> list[str]:
    there = {str(c) for c in run.data.condition.values}
    return [n for n in names if n in there]


def _series(ax: Axes, run: Run, name: str, at: Mapping[str, float], colour: str, label: str, dots: bool = True) -> None:
    """Means with 95 % t intervals over a number that differs between conditions; seeds as faint dots.

    Changes of the weights are shown as powers of 2: a few seeds change many times as much as the others.
    """
    have = _have(run, list(at))
    x = np.array([at[c] for c in have])
    rows = [np.log2(_ends(run, name, c)) if name == "dw" else _ends(run, name, c) for c in have]
    mean = np.array([np.nanmean(r) for r in rows])
    half = np.array([_half(r) for r in rows])
    if dots:
        for value, row in zip(x, rows, strict=True):
            ax.plot(np.full(len(row), value), row, "o", color=colour, markersize=3.2, alpha=0.32, mew=0, zorder=2)
    ax.errorbar(x, mean, yerr=half, color=colour, marker="o", markersize=5.5, capsize=3, label=label, zorder=4)


def _powers_of_two(ax: Axes) -> None:
    """Label an axis of binary logarithms with the numbers themselves."""
    low, high = ax.get_ylim()
    ticks = np.arange(np.ceil(low), np.floor(high) + 1)
    ax.set_yticks(ticks, [f"{2.0**t:g}" for t in ticks])


def _half(row: Float[np.ndarray, "seed"]) -> float:
    n = int(np.isfinite(row).sum())
    return float(stats.t.ppf(0.975, n - 1) * np.nanstd(row, ddof=1) / np.sqrt(n)) if n > 2 else 0.0


def _units(run: Run, condition: str) -> int:
    return int(run.info["conditions"][condition]["parameters"]["units"])


def _ranks(run: Run, conditions: Sequence[str]) -> dict[str, float]:
    """Rank of each condition in this run: what was asked for, at most the number of units."""
    rank = {c: run.info["conditions"][c]["parameters"]["rank"] for c in _have(run, conditions)}
    return {c: float(min(r, _units(run, c))) for c, r in rank.items()}


def draw_rank(run: Run) -> Figure:
    """What is left of the network as it was, and how far its weights went, by rank and by task."""
    fig, axes = figures.new(1, 3, width=9.8, height=3.5)
    panels = (
        ("ka", "Tangent kernel", "alignment with the first"),
        ("ra", "Hidden states", "alignment with the first"),
        ("dw", "Weights", "norm of the change"),
    )
    tasks = {
        "perceptual": (list(BY_RANK), COLOURS[0]),
        "delayed match": (["match-1", "match-full"], COLOURS[1]),
        "context": (["context-1", "context-full"], COLOURS[2]),
    }
    for ax, (name, title, words) in zip(axes, panels, strict=True):
        for task, (conditions, colour) in tasks.items():
            at = _ranks(run, conditions)
            if at:
                _series(ax, run, name, at, colour, task, dots=task == "perceptual")
        ax.set_xscale("log")
        x = sorted({*_ranks(run, list(BY_RANK)).values()})
        ax.set_xticks(x, [f"{v:g}" for v in x])
        ax.minorticks_off()
        ax.margins(x=0.08)
        figures.finish(ax, title=title, xlabel="rank of the initial weights", ylabel=words)
    for ax in axes[:2]:
        figures.finish(ax, ylim=(0, 1.04))
    _powers_of_two(axes[2])
    figures.finish(axes[1], legend="lower right")
    return fig


def draw_training(run: Run) -> Figure:
    """Loss, kernels and weights over training, by rank."""
    fig, axes = figures.new(1, 3, width=9.8, height=3.5)
    time = run.data.time.values
    ranks = _ranks(run, list(BY_RANK))
    shades = dict(zip(BY_RANK, SHADES, strict=True))
    panels = (
        ("loss", "They learn alike", "cross-entropy (nat a step)"),
        ("ka", "The kernel moves early", "alignment of the tangent kernel"),
        ("dw", "The weights go on", "norm of their change"),
    )
    for ax, (name, title, words) in zip(axes, panels, strict=True):
        for condition, rank in ranks.items():
            curves = _curves(run, name, condition)
            if name == "dw":  # nothing has changed at time 0
                curves = np.log2(np.where(curves > 0, curves, np.nan))
            figures.band(ax, time, curves, f"rank {rank:g}", shades[condition], seeds=8)
        figures.finish(ax, title=title, xlabel="gradient step", ylabel=words)
    axes[0].set_yscale("log")
    figures.finish(axes[1], ylim=(0, 1.04))
    _powers_of_two(axes[2])
    figures.finish(axes[0], legend="upper right")
    return fig


def draw_exception(run: Run) -> Figure:
    """Alignment with the task: two linear layers with their theory, and the recurrent network."""
    fig, (left, middle, right) = figures.new(1, 3, width=10.6, height=3.8, width_ratios=(1, 1, 1.35))
    d, length, demand = int(LINEAR["units"]), LINEAR["gain"] * LINEAR["units"] ** 0.5, _demand(run)
    ranks = np.arange(1, d + 1)
    means = [float(final_alignment(length, int(r), d, demand, r / d)) for r in ranks]
    left.plot(ranks, means, color=GREY, linewidth=1.6, label="theory, directions at random")
    full = float(final_alignment(length, 1, d, demand, 1.0))
    left.plot([1], [full], "D", color=COLOURS[1], markersize=7, mew=0, label="rank 1 on the target", zorder=5)
    _series(left, run, "ka", _ranks(run, list(BY_RANK_OF_LINEAR)), COLOURS[0], "trained")
    left.set_xscale("log")
    left.set_xticks([1, 4, 20], ["1", "4", "20"])
    left.minorticks_off()
    left.margins(x=0.08)
    figures.finish(left, title="Two linear layers", xlabel="rank", ylabel="alignment of the tangent kernel",
                   ylim=(0, 1.04), legend="lower right")  # fmt: skip
    seen = np.linspace(1e-3, 1, 200)
    curve = [float(final_alignment(length, 1, d, demand, float(c))) for c in seen]
    middle.plot(seen, curve, color=GREY, linewidth=1.6, label="theory")
    thirds = ("linear-1", "linear-1-half-turned", "linear-1-aligned")
    for condition, colour in zip(_have(run, thirds), COLOURS, strict=False):
        # The closed form is linear in the share, so that the share can be read back from it.
        share = (_ends(run, "ka_theory", condition) - curve[0]) / (curve[-1] - curve[0]) * (1 - seen[0]) + seen[0]
        middle.plot(share, _ends(run, "ka", condition), "o", color=colour, markersize=5, alpha=0.7, mew=0,
                    label=condition.removeprefix("linear-1").strip("-").replace("-", " ") or "at random")  # fmt: skip
    figures.finish(middle, title="Rank 1: how much it sees", xlabel="share of the target that rank 1 sees",
                   ylim=(0, 1.04), legend="lower right")  # fmt: skip
    words = {
        "weak-1": "rank 1", "weak-1-aligned": "rank 1,\naligned", "weak-full": "full",
        "rank-1": "rank 1 ", "rank-1-aligned": "rank 1,\naligned ", "full": "full ",
    }  # fmt: skip
    chosen = _have(run, list(words))
    colours = [COLOURS[1] if "aligned" in c else COLOURS[7] if "full" in c else COLOURS[0] for c in chosen]
    figures.bars(right, {words[c]: _ends(run, "ka", c) for c in chosen}, colours=colours)
    weak = sum(c.startswith("weak") for c in chosen)
    right.axvline(weak - 0.5, color=GREY, linewidth=1.0)
    for x, text in ((weak / 2 - 0.5, "small weights"), ((weak + len(chosen)) / 2 - 0.5, "norm of the main series")):
        right.text(x, 1.0, text, ha="center", va="top", fontsize=8, color=MUTED)
    figures.finish(right, title="Recurrent network", ylim=(0, 1.04))
    return fig


def _demand(run: Run) -> float:
    return float(run.info["conditions"][_have(run, list(BY_RANK_OF_LINEAR))[0]]["parameters"]["demand"])


def draw_structure(run: Run) -> Figure:
    """Cell types against their shuffle, larger weights, and a larger output."""
    fig, (left, middle, right) = figures.new(1, 3, width=10.2, height=3.5, width_ratios=(1.25, 1, 0.8))
    words = {"types": "cell types", "shuffled": "shuffled", "full": "Gaussian"}
    chosen = _have(run, list(words))
    marks = dict(zip(words, (COLOURS[3], COLOURS[4], COLOURS[0]), strict=True))
    for c in chosen:
        left.plot(_start(run, "dimension", c), _ends(run, "ka", c), "o", color=marks[c], markersize=5, alpha=0.75,
                  mew=0, label=words[c])  # fmt: skip
    ranks = _have(run, ("rank-1", "rank-5", "rank-25"))
    for i, c in enumerate(ranks):
        left.plot(_start(run, "dimension", c), _ends(run, "ka", c), "x", color=GREY, markersize=4.5, zorder=1,
                  label="truncated" if i == 0 else None)  # fmt: skip
    left.set_xscale("log")
    figures.log_ticks(left.xaxis)
    figures.finish(left, title="Structure", xlabel="dimensions of the initial weights", ylim=(0, 1.04),
                   ylabel="alignment of the tangent kernel", legend="upper left")  # fmt: skip
    _series(middle, run, "ka", {c: BY_GAIN[c] for c in _have(run, list(BY_GAIN))}, COLOURS[0], "full rank")
    _series(middle, run, "ra", {c: BY_GAIN[c] for c in _have(run, list(BY_GAIN))}, COLOURS[2], "hidden states")
    figures.finish(middle, title="Size of the weights", xlabel="gain (sd times root of units)", ylim=(0, 1.04))
    middle.text(0.6, 0.30, "tangent kernel", color=COLOURS[0], fontsize=8.5, transform=middle.transAxes)
    middle.text(0.6, 0.88, "hidden states", color=COLOURS[2], fontsize=8.5, transform=middle.transAxes)
    scaled = {"rank-1-centred": "times 1", "rank-1-scaled": "times 10"}
    have = _have(run, list(scaled))
    figures.bars(right, {scaled[c]: _ends(run, "ka", c) for c in have}, colours=[COLOURS[7]] * len(have))
    figures.finish(right, title="Output, rank 1", ylim=(0, 1.04))
    return fig
