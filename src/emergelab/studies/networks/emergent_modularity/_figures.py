"""Pictures of a run of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

import emergelab as el
from emergelab import figures as house

from ._claims import cost
from ._conditions import BASE, CONTROL, TUNE_AT, TUNED
from ._system import FUNCTIONS, KEPT, KINDS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WAYS = {
    "like keys, gate by activity": ("bricks", "activity"), "like keys, gate by mean key": ("bricks", "keys"),
    "random bricks, gate by activity": ("random", "activity"), "random bricks, gate by mean key": ("random", "keys"),
}  # fmt: skip
MEANT = {"next": "class of the next word", "this": "class of this word", "topic": "topic"}


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "routing",
            routing,
            "Left: what it costs to keep some of the sixteen bricks of each layer for a token, after training. Right: "
            "the cost of keeping a quarter over training, up to the tuning. Thin lines are seeds.",
            needs=(BASE,),
        ),
        el.Figure(
            "units",
            units,
            "Units over training. Left: the share of them that tell a word's class or the topic by their firing (more "
            "than 0.3 more or less often than on average). Middle: the share that fires. Right: how much more than by "
            "their degrees units of a brick fire together.",
            needs=(BASE,),
        ),
        el.Figure(
            "functions",
            functions,
            "How much the loss on words of each class rises if one brick is silent, for all bricks of one seed, sorted "
            "by the class that is hurt most. The scale ends at its 98th percentile.",
            needs=(BASE,),
        ),
        el.Figure(
            "tuning",
            tuning,
            "After tuning on half of the topics: loss beyond the best predictor's on these, on the others, and on the "
            "others with all bricks open. Dots are seeds.",
            needs=(BASE, TUNED, CONTROL),
        ),
    )


def _of(run: el.Run, name: str) -> Float[np.ndarray, "seed time *rest"]:
    one = run.data[name].sel(condition=BASE, time=slice(0, TUNE_AT))
    return np.asarray(one.transpose("seed", "time", ...).values, float)


def routing(run: el.Run) -> Figure:
    """The headline: what routing costs, by share and over training."""
    fig, (left, right) = house.new(1, 2, width=10.0, height=3.7)
    one = run.data.sel(condition=BASE, time=slice(0, TUNE_AT))
    time = one.time.values
    for (name, (partition, gate)), colour in zip(WAYS.items(), house.COLOURS, strict=False):
        by_share = np.stack([cost(one, partition, gate, i).isel(time=-1).values for i in range(len(KEPT))], axis=1)
        house.band(left, np.asarray([*KEPT, 1.0]), np.pad(by_share, ((0, 0), (0, 1))), name, colour, seeds=0)
        house.band(right, time, cost(one, partition, gate).transpose("seed", "time").values, name, colour)
    house.finish(left, title="After training", xlabel="share of bricks kept", ylabel="cost (nat)", legend="upper right")
    left.set_xticks([*KEPT, 1.0], [f"{share:g}" for share in (*KEPT, 1.0)])
    house.finish(right, title="A quarter kept", xlabel="step", ylabel="cost (nat)")
    return fig


def units(run: el.Run) -> Figure:
    """Specialisation, activity and modularity over training."""
    fig, (left, middle, right) = house.new(1, 3, width=11.0, height=3.4)
    time = run.data.time.sel(time=slice(0, TUNE_AT)).values
    special = _of(run, "special")
    for i, (name, colour) in enumerate(zip(FUNCTIONS, house.COLOURS, strict=False)):
        house.band(left, time, special[..., i], MEANT[name], colour)
    house.band(left, time, _of(run, "shuffled"), "classes dealt anew", house.COLOURS[7], linestyle=":")
    house.finish(left, title="Special units", xlabel="step", ylabel="share of units", ylim=(-0.02, 1.02), legend=True)
    active, q = _of(run, "active"), _of(run, "modularity")
    for i in range(active.shape[-1]):
        house.band(middle, time, active[..., i], f"layer {i + 1}", house.COLOURS[i])
    house.finish(middle, title="Units that fire", xlabel="step", ylabel="share of units", legend=True)
    for i, name in enumerate(("like keys", "random bricks")):
        house.band(right, time, q[..., i, :].mean(axis=-1), name, house.COLOURS[i])
    house.finish(right, title="Firing together", xlabel="step", ylabel="modularity Q", legend=True)
    return fig


def functions(run: el.Run) -> Figure:
    """Which classes each brick is needed for, in one seed."""
    fig, ax = house.new(width=8.5, height=3.8)
    drop = _of(run, "drop")[0, -1]
    order = np.lexsort((-drop.max(axis=1), drop.argmax(axis=1)))
    limit = max(float(np.percentile(np.abs(drop), 98)), 1e-6)
    shown = ax.imshow(drop[order].T, cmap=house.SIGNED, vmin=-limit, vmax=limit, aspect="auto")
    ax.set_yticks(range(len(KINDS)), [name.lower() for name in KINDS])
    ax.grid(False)
    fig.colorbar(shown, ax=ax, label="rise of the loss (nat)")
    house.finish(
        ax, title="What a silent brick costs, by class of the next word", xlabel="bricks of all layers, sorted"
    )
    return fig


def tuning(run: el.Run) -> Figure:
    """Losses at home and away, by way of tuning."""
    fig, axes = house.new(1, 3, width=10.0, height=3.4, sharey=True)
    names = {BASE: "whole", TUNED: "bricks of\nlike keys", CONTROL: "random\nbricks"}
    titles = {"home": "Topics of the tuning", "away": "Other topics", "away_whole": "Other topics, all open"}
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        house.bars(ax, {label: run.data[name].sel(condition=c).isel(time=-1).values for c, label in names.items()})
        house.finish(ax, title=title)
    house.finish(axes[0], ylabel="loss beyond the best predictor's (nat)")
    return fig
