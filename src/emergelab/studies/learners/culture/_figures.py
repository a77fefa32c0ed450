"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.worlds.sequence import run_length

from ._conditions import REACH
from ._lineages import TESTS
from ._measures import INDEX

BLUE, RED, GREEN, PURPLE, AMBER, SKY, _, SLATE = house.COLOURS
LABELS = {
    "as it is": "as it is", "never seen": "never seen", "always seen": "always seen",
    "of others": "teachers of\nanother sequence", "emptied": "memories\nemptied", "skipped": "generation 2\nunseen",
    "shuffled": "no selection", "half wrong": "half of guesses\nrandom", "best wrong": "best teacher\na fool",
    "one": "one member", "five": "five members",
}  # fmt: skip
IN_WEIGHTS = {
    "weights": ("watching the last generation", BLUE),
    "weights-kept": ("watching, weights kept", GREEN),
    "weights-alone": ("nobody to watch", AMBER),
    "weights-one-run": ("one long run", RED),
}


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "staircase",
            staircase,
            "Right guesses in each trial of a lineage, one colour a generation; dots are their lone trials. Lines: "
            "one life of as many trials, by networks that were trained alone; the best of three oracles as in "
            "training. Right: a player that forgets nothing. Bands are 95 % intervals over seeds.",
            needs=("culture", "one-life", "scholar"),
        ),
        el.Figure(
            "tests",
            tests,
            "What the last generation knows when one thing is changed, all with the same trained networks. Dots are "
            "seeds, dashed the first generation.",
            needs=("culture",),
        ),
        el.Figure(
            "copying",
            maps,
            "Copying and innovation. Left and middle: how many of the best teacher's seen guesses are copied, by "
            "whether they are right. Right: members that get further alone than their best teacher had. Means over "
            "seeds.",
            needs=("culture",),
        ),
        el.Figure(
            "oracles",
            oracles,
            "How good the others are in training, and what lineages make of it. Thin lines are seeds.",
            needs=("chance-others", "culture", "better-others"),
        ),
        el.Figure(
            "weights",
            in_weights,
            "Generations that are training runs, at their ends. Left: all members. Right: the "
            "best of each. Bands are 95 % intervals over seeds.",
            needs=("weights", "weights-one-run"),
        ),
    )


def _end(run: el.Run, condition: str) -> xr.Dataset:
    return run.data.sel(condition=condition, drop=True).isel(time=-1, drop=True)


def _values(array: xr.DataArray, *dims: str) -> Float[np.ndarray, "..."]:
    return np.asarray(array.transpose("seed", *dims).values, float)


def _stairs(ax: Axes, d: xr.Dataset) -> None:
    score = _values(d["score"].isel(test=0), "generation", "trial")
    alone = _values(d["alone"].isel(test=0), "generation")
    _, generations, trials = score.shape
    colours = colormaps["viridis"](np.linspace(0.0, 0.85, generations))
    for g in range(generations):
        x = g * trials + np.arange(1, trials + 1)
        house.band(ax, x, score[:, g], colour=colours[g], seeds=8)
        ax.plot(x[-1], alone[:, g].mean(), "o", color=colours[g], markersize=5, zorder=6)
    ax.plot(
        trials * np.arange(1, generations + 1), alone.mean(0), color=house.MUTED, linewidth=0.8, linestyle=":", zorder=1
    )


def staircase(run: el.Run) -> Figure:
    """The headline: trial after trial, generation after generation."""
    fig, (left, right) = house.new(cols=2, width=11.5, height=4.1, width_ratios=[1.9, 1])
    _stairs(left, _end(run, "culture"))
    names = {"one-life": ("one life (trained on 4 trials)", RED), "one-long-life": ("one life (trained on 32)", AMBER)}
    have = {str(c) for c in run.data.condition.values}
    for name, (label, colour) in names.items():
        if name in have:
            life = _values(_end(run, name)["life"], "moment")
            house.band(left, np.arange(1, life.shape[1] + 1), life, label=label, colour=colour, seeds=0)
    line = run_length(REACH["culture"], symbols=3, length=24, of_best=3)
    left.axhline(line, color=house.INK, linewidth=1.0, linestyle=(0, (4, 3)), label="best oracle in training")
    house.finish(
        left, title="Networks that learnt to learn from others", xlabel="trials so far",
        ylabel="right guesses in a trial", xlim=(0, None), ylim=(0, None), legend="upper left",
    )  # fmt: skip
    _stairs(right, _end(run, "scholar"))
    house.finish(
        right, title="A player that forgets nothing", xlabel="trials so far", xlim=(0, None), ylim=(0, 24.5),
    )  # fmt: skip
    return fig


def tests(run: el.Run) -> Figure:
    """The last generation, one thing changed at a time."""
    fig, ax = house.new(width=11.0, height=4.0)
    alone = _values(_end(run, "culture")["alone"], "test", "generation")
    groups = {LABELS[name]: alone[:, INDEX[name], -1] for name in TESTS}
    house.bars(ax, groups, colours=[SLATE, *[BLUE] * (len(groups) - 1)])
    ax.tick_params(axis="x", labelsize=7.8)
    house.finish(
        ax, title="The last generation, alone", ylabel="right guesses in a trial",
        chance=float(alone[:, 0, 0].mean()), ylim=(0, None),
    )  # fmt: skip
    return fig


def maps(run: el.Run) -> Figure:
    """Copying and getting beyond, by generation and trial."""
    fig, axes = house.new(cols=3, width=12.0, height=3.9, width_ratios=[1, 1, 1.1])
    d = _end(run, "culture")
    copied = _values(d["copied"].isel(test=0), "generation", "trial", "advice")
    for ax, kind, title in zip(
        axes, (1, 0), ("Right advice that is copied", "Wrong advice that is copied"), strict=False
    ):
        shown = _mean(copied[:, :, :-1, kind])
        ax.imshow(shown, origin="lower", cmap=house.HEATMAP, vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(shown):
            text = "–" if np.isnan(value) else f"{value:.2f}"
            ink = "white" if value < 0.6 else house.INK
            ax.text(column, row, text, ha="center", va="center", fontsize=8.5, color=ink)
        ax.set_xticks(range(shown.shape[1]), [str(t + 1) for t in range(shown.shape[1])])
        ax.set_yticks(range(shown.shape[0]), [str(g + 1) for g in range(shown.shape[0])])
        ax.grid(False)
        house.finish(ax, title=title, xlabel="trial", ylabel="generation" if ax is axes[0] else None)
    beyond = _values(d["beyond"].isel(test=0), "generation")
    house.band(axes[2], np.arange(1, beyond.shape[1] + 1), beyond, colour=PURPLE)
    house.finish(
        axes[2], title="Further than the best teacher", xlabel="generation", ylabel="share of members", ylim=(0, 1)
    )
    return fig


def _mean(values: Float[np.ndarray, "seed generation trial"]) -> Float[np.ndarray, "generation trial"]:
    """Mean over the seeds that have a value; not a number where none has."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def oracles(run: el.Run) -> Figure:
    """Teachers in training against what lineages make of it."""
    have = {str(c) for c in run.data.condition.values}
    names = [n for n in REACH if n in have]
    fig, (left, right) = house.new(cols=2, width=9.6, height=3.7)
    alone = {n: _values(_end(run, n)["alone"].isel(test=0), "generation") for n in names}
    colours = colormaps["plasma"](np.linspace(0.05, 0.8, len(names)))
    generations = np.arange(1, alone[names[0]].shape[1] + 1)
    for name, colour in zip(names, colours, strict=True):
        house.band(left, generations, alone[name], label=f"u ≤ {REACH[name]:g}", colour=colour)
    house.finish(
        left, title="By how often others are right in a row, u", xlabel="generation", ylabel="right guesses alone",
        ylim=(0, None), legend="outside" if len(names) > 4 else True,
    )  # fmt: skip
    line = [run_length(REACH[n], symbols=3, length=24, of_best=3) for n in names]
    first = np.stack([alone[n][:, 0] for n in names], 1)
    last = np.stack([alone[n][:, -1] for n in names], 1)
    place = np.arange(len(names))
    house.band(right, place, first, label="first generation", colour=SLATE)
    house.band(right, place, last, label="last generation", colour=BLUE)
    right.plot(place, line, color=house.INK, linewidth=1.0, linestyle=(0, (4, 3)), label="best of three oracles")
    right.set_xticks(place, [f"{REACH[n]:g}" for n in names])
    house.finish(
        right, title="First and last generation", xlabel="most right guesses in a row, u", ylabel="right guesses alone",
        ylim=(0, None), legend=True,
    )  # fmt: skip
    return fig


def in_weights(run: el.Run) -> Figure:
    """Training runs as generations."""
    fig, (left, right) = house.new(cols=2, width=10.5, height=3.9)
    have = {str(c) for c in run.data.condition.values}
    for name, (label, colour) in IN_WEIGHTS.items():
        if name not in have:
            continue
        end = _end(run, name)
        for ax, what in ((left, "alone"), (right, "best")):
            values = _values(end[what].isel(test=0), "generation")
            house.band(ax, np.arange(1, values.shape[1] + 1), values, label=label, colour=colour, seeds=4)
    house.finish(
        left, title="Mean of each generation", xlabel="generation", ylabel="right guesses alone",
        ylim=(0, None),
    )  # fmt: skip
    house.finish(
        right,
        title="Best of each generation",
        xlabel="generation",
        ylabel="right guesses alone",
        ylim=(0, None),
        legend=True,
    )
    return fig
