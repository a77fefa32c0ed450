"""Pictures of a run of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.colors import to_rgba

import emergelab as el
from emergelab import figures as house

from ._conditions import BASE, COLOUR_FIRST, COLOURS, HALF, MASKED, SIZE_FIRST, SIZES
from ._measures import ABLE, learnt, of_way, without
from ._system import SHOWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAIN = {COLOUR_FIRST: "Colour first", BASE: "In between", SIZE_FIRST: "Size first"}
PLAIN, LATENT, OVER, RANDOM = house.COLOURS[1], house.COLOURS[0], house.COLOURS[2], house.COLOURS[7]


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    main = tuple(MAIN)
    return (
        el.Figure(
            "abilities",
            abilities,
            "How often discs come out blue and small, by how they are asked for: the plain prompt 11, the embeddings "
            "pushed on with alpha = 2, the prompt exaggerated as far, and a push as long in random directions. In "
            "brackets: how far colours and sizes are apart in the data. Thin lines are seeds, bands 95 % intervals; "
            "dashed: 0.75.",
            needs=main,
        ),
        el.Figure(
            "trajectories",
            trajectories,
            "Concept space: mean colour and size of what is made for each prompt in the course of training. Crosses "
            "are the means of the classes, thin lines seeds, dots steps 100, 200, 400 and 1000 of the mean over seeds. "
            "The class 11 is never trained.",
            needs=main,
        ),
        el.Figure(
            "pictures",
            pictures,
            "What the network of one seed makes in the course of training; the first sample of each record.",
            needs=(BASE,),
        ),
        el.Figure(
            "signals",
            signals,
            "Steps until a concept is right in four of five pictures of the new class, by how far its two values are "
            "apart in the data. Dots are seeds, bars two standard errors on each side of the mean.",
            needs=tuple({*COLOURS, *SIZES}),
        ),
        el.Figure(
            "controls",
            controls,
            "Left: steps of training without the ability to make class 11, by way of asking. Right: the colour of "
            "what is made for 11 at the end, when prompts for small red discs leave out the colour; 1 is blue as it "
            "was in training, -1 red. Dots are seeds, bars means with 95 % intervals.",
            needs=(BASE, COLOUR_FIRST, HALF, MASKED),
        ),
    )


def _curves(run: el.Run, name: str, condition: str, way: str | None = None) -> Float[np.ndarray, "seed time"]:
    d = run.data.sel(condition=condition)
    curve = d[name] if way is None else of_way(name, way)(d)
    return np.asarray(curve.transpose("seed", "time").values, float)


def _signals(run: el.Run, condition: str) -> str:
    """How far colours and sizes are apart, for a title."""
    parameters = run.info["conditions"][condition]["parameters"]
    return f"{parameters['sep_colour']:g}, {parameters['sep_size']:g}"


def abilities(run: el.Run) -> Figure:
    """The headline: accuracy by way of asking, over training."""
    fig, axes = house.new(1, 3, width=10.2, height=3.5, sharey=True)
    ways = {"plain": ("plain prompt", PLAIN), "latent": ("embeddings pushed on", LATENT),
            "over": ("prompt exaggerated", OVER), "random": ("random push", RANDOM)}  # fmt: skip
    for ax, (condition, title) in zip(axes, MAIN.items(), strict=True):
        for name, (words, colour) in ways.items():
            house.band(ax, run.data.time.values, _curves(run, name, condition), words, colour, seeds=4)
        house.finish(ax, title=f"{title} ({_signals(run, condition)})", xlabel="gradient step", ylim=(-0.02, 1.03))
        house.finish(ax, chance=ABLE)
    house.finish(axes[0], ylabel="pictures that are blue and small")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return fig


def trajectories(run: el.Run) -> Figure:
    """Paths through concept space for all four prompts."""
    fig, axes = house.new(1, 3, width=10.2, height=3.9, sharey=True)
    time = run.data.time.values
    marks = [int(np.argmin(np.abs(time - t))) for t in time[-1] * np.array([0.1, 0.2, 0.4, 1.0])]
    for ax, (condition, title) in zip(axes, MAIN.items(), strict=True):
        ax.plot([-1, 1], [-1, 1], color=house.GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        for way, colour in zip(("00", "01", "10", "11"), (house.GREY, house.GREY, house.GREY, PLAIN), strict=True):
            x, y = (_curves(run, name, condition, way) for name in ("colour", "size"))
            if way == "11":
                ax.plot(x.T, y.T, color=to_rgba(colour, 0.3), linewidth=0.6, zorder=2)
            ax.plot(x.mean(axis=0), y.mean(axis=0), color=colour, linewidth=2.2 if way == "11" else 1.4, zorder=4)
            if way == "11":
                ax.plot(x.mean(axis=0)[marks], y.mean(axis=0)[marks], "o", color=colour, markersize=5, zorder=5)
        for way, x0, y0 in (("00", -1, -1), ("01", -1, 1), ("10", 1, -1), ("11", 1, 1)):
            ax.plot(x0, y0, "x", color=house.INK, markersize=6, zorder=6)
            ax.annotate(way, (x0, y0), xytext=(9 * x0 - 6, 8 * y0 - 3), textcoords="offset points", fontsize=8.5)
        title = f"{title} ({_signals(run, condition)})"
        house.finish(ax, title=title, xlabel="red  –  colour  –  blue", xlim=(-1.6, 1.6), ylim=(-2.1, 1.6))
    house.finish(axes[0], ylabel="large  –  size  –  small")
    return fig


def pictures(run: el.Run) -> Figure:
    """Samples over training, by way of asking."""
    names = {"00": "prompt 00", "01": "prompt 01", "10": "prompt 10", "11": "prompt 11", "latent": "pushed on",
             "over": "exaggerated", "random": "random push"}  # fmt: skip
    time = run.data.time.values
    times = sorted({int(np.argmin(np.abs(time - t))) for t in time[-1] * np.array([0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1])})
    seen = run.data.pictures.sel(condition=BASE).isel(seed=0).transpose("time", "shown", "row", "column", "channel")
    fig, axes = house.new(len(SHOWN), len(times), width=0.82 * len(times) + 1.4, height=0.82 * len(SHOWN) + 0.4)
    for i, way in enumerate(SHOWN):
        for j, t in enumerate(times):
            ax = axes[i, j]
            ax.imshow(seen.values[t, i] / 255)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.grid(False)
            ax.spines[:].set_visible(False)
            if i == 0:
                ax.set_title(f"{time[t]:g}", fontsize=9, fontweight="normal", loc="center")
        axes[i, 0].set_ylabel(names[way], rotation=0, ha="right", va="center", fontsize=9)
    fig.suptitle("gradient step", fontsize=9)
    return fig


def signals(run: el.Run) -> Figure:
    """When concepts are learnt, by how far their values are apart."""
    fig, axes = house.new(1, 2, width=8.4, height=3.4, sharey=True)
    for ax, sweep, concept, rest in (
        (axes[0], COLOURS, "colour", "sizes 0.2 apart"),
        (axes[1], SIZES, "size", "colours 0.4 apart"),
    ):
        for name, colour in (("colour", LATENT), ("size", PLAIN)):
            _sweep(ax, run, sweep, name, colour, strong=name == concept)
        house.finish(ax, title=f"{concept.capitalize()}'s signal ({rest})", xlabel=f"{concept}s apart", ylim=(0, None))
        ax.set_xticks(list(sweep.values()))
    house.finish(axes[0], ylabel="steps until learnt")
    house.finish(axes[1], legend="outside")
    return fig


def _sweep(ax: Axes, run: el.Run, sweep: dict[str, float], concept: str, colour: str, *, strong: bool) -> None:
    found = {sep: np.asarray(learnt(concept)(run.data.sel(condition=name)).values) for name, sep in sweep.items()}
    order = sorted(found)
    for sep in order:
        ax.plot(np.full(len(found[sep]), sep), found[sep], "o", color=colour, markersize=3, alpha=0.35, mew=0)
    means = [found[sep].mean() for sep in order]
    half = [2.0 * found[sep].std(ddof=1) / np.sqrt(len(found[sep])) if len(found[sep]) > 2 else 0.0 for sep in order]
    ax.errorbar(order, means, yerr=half, color=colour, marker="o", capsize=3, label=concept,
                linestyle="-" if strong else ":", linewidth=2.2 if strong else 1.4)  # fmt: skip


def controls(run: el.Run) -> Figure:
    """Ways of asking compared, and what left-out colours do."""
    fig, axes = house.new(1, 3, width=11.6, height=3.7, width_ratios=(1.5, 1.5, 0.8))
    ways = {
        "plain": ("plain", PLAIN), "latent_15": ("α 1.5", LATENT), "latent": ("α 2", LATENT),
        "latent_3": ("α 3", LATENT), "latent_colour": ("colour\nonly", house.COLOURS[5]),
        "latent_size": ("size\nonly", house.COLOURS[5]), "over": ("over-\nprompt", OVER), "random": ("random", RANDOM),
    }  # fmt: skip
    for ax, condition in zip(axes, (BASE, COLOUR_FIRST), strict=False):
        d = run.data.sel(condition=condition)
        groups = {words: np.asarray(without(name)(d).values) for name, (words, _) in ways.items()}
        house.bars(ax, groups, colours=[colour for _, colour in ways.values()])
        ax.tick_params(axis="x", labelsize=7.5)
        length = float(run.data.time.values[-1])
        house.finish(ax, title=MAIN[condition], ylim=(0, 1.05 * length))
    house.finish(axes[0], ylabel="steps without the ability")
    shares = {BASE: "none", HALF: "half", MASKED: "all"}
    ends = {words: _curves(run, "colour", name, "11")[:, -1] for name, words in shares.items()}
    house.bars(axes[2], ends, colours=[PLAIN] * 3)
    house.finish(axes[2], title="Colour left out", ylabel="colour for prompt 11", xlabel="of prompts for 01", chance=0)
    return fig
