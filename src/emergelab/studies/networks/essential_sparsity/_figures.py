"""Pictures of a run of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

import emergelab as el
from emergelab import figures as house

from ._claims import knee, knee_of, lost
from ._conditions import BASE
from ._system import BINS, GROUP, KINDS, SHARES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "size": "smallest of all", "within": "smallest of each matrix", "all": "with embedding and readout",
    "first": "first block alone", "last": "last block alone", "random": "at random",
}  # fmt: skip
ARMS = {
    BASE: "next word", "masked": "masked word", "topic": "topic", "data-25": "1/4 of data", "data-5": "1/20 of data",
    "decay-1": "decay 1", "l1": "L1",
}  # fmt: skip


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "curves",
            curves,
            "Left: what pruning the smallest weights costs, as a share of what the network has learnt, at several "
            "times of its training (mean of seeds). Right: the essential sparsity over training, the share of "
            "weights that can go at a cost of 1 % (5 %) of what is learnt, and the place of the bend of the curve. "
            "Thin lines are seeds.",
            needs=(BASE,),
        ),
        el.Figure(
            "kinds",
            kinds,
            "What is removed matters: loss after pruning the trained network in several ways. Crosses: 3, 2 and 1 of "
            "every 4 weights kept. Shades are 95 % intervals over seeds.",
            needs=(BASE,),
        ),
        el.Figure(
            "arms",
            arms,
            "Essential sparsity at the end of training (1 % of what is learnt), by objective, by amount of data and by "
            "pressure on the weights. Dots are seeds.",
            needs=tuple(ARMS),
        ),
        el.Figure(
            "magnitudes",
            magnitudes,
            "Magnitudes of the weights of all blocks at several times, with weight decay 0.1 and an L1 price, and "
            "the share of weights below 0.001 over time. The first point of a curve holds all that are smaller still.",
            needs=(BASE, "l1"),
        ),
        el.Figure(
            "cut",
            cut,
            "Half of the weights, the smallest, are set to zero at the dotted line. Left: the loss afterwards, beyond "
            "that of the same network without a cut. Right: the share of cut weights that are not among the smallest "
            "half any more; one half would be if nothing was left of the order.",
            needs=(BASE, "cut", "held"),
        ),
    )


def _of(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed time *rest"]:
    return np.asarray(run.data[name].sel(condition=condition).transpose("seed", "time", ...).values, float)


def curves(run: el.Run) -> Figure:
    """The headline: pruning curves by time, and the knee over time."""
    fig, (left, right) = house.new(1, 2, width=9.5, height=3.7)
    one = run.data.sel(condition=BASE)
    time = one.time.values
    found = lost(one, "size").mean("seed").transpose("time", "sparsity").values
    shown = np.unique(np.linspace(1, len(time) - 1, 4).astype(int))
    for at, shade in zip(shown, (0.3, 0.5, 0.75, 1.0), strict=False):
        left.plot(SHARES, 100 * found[at], color=house.COLOURS[0], alpha=shade,
                  marker="o", markersize=3, label=f"step {int(time[at])}")  # fmt: skip
    house.finish(left, title="What pruning costs", xlabel="share of weights removed",
                 ylabel="% of what is learnt", ylim=(-2, 60), legend="upper left")  # fmt: skip
    for name, values, colour in (
        ("cost of 1 %", knee(one), house.COLOURS[0]),
        ("cost of 5 %", knee_of("size", 0.05)(one), house.COLOURS[5]),
        ("bend", knee_of("size", None)(one), house.COLOURS[1]),
    ):
        house.band(right, time, values.transpose("seed", "time").values, name, colour)
    house.finish(right, title="Where it begins to cost", xlabel="step", ylabel="share of weights removed",
                 ylim=(0, 0.92), legend="lower right")  # fmt: skip
    return fig


def kinds(run: el.Run) -> Figure:
    """Ways of pruning, at the end of training."""
    fig, ax = house.new(width=7.4, height=4.0)
    one = run.data.sel(condition=BASE).isel(time=-1)
    order = ("random", "all", "size", "within", "first", "last")
    for kind, colour in zip(order, house.COLOURS, strict=False):
        values = one["curve"].isel(kind=KINDS.index(kind)).transpose("seed", "sparsity").values
        house.band(ax, SHARES, values, NAMES[kind], colour, seeds=0)
    ax.plot(np.arange(1, GROUP) / GROUP, one["pattern"].mean("seed").values, "x", color=house.INK, markersize=7,
            markeredgewidth=1.8, label="N of every 4 kept", zorder=7)  # fmt: skip
    low = float(one["loss"].mean())
    house.finish(ax, title="Which weights go", xlabel="share removed, of the weights named", ylabel="loss (nat)",
                 ylim=(low - 0.15, low + 3.2), legend="outside")  # fmt: skip
    return fig


def arms(run: el.Run) -> Figure:
    """Essential sparsity by condition."""
    fig, ax = house.new(width=9.0, height=3.6)
    groups = {
        name.replace(" ", "\n", 1): knee(run.data.sel(condition=c)).isel(time=-1).values for c, name in ARMS.items()
    }
    colours = [house.COLOURS[i] for i in (0, 0, 1, 2, 2, 3, 3)]
    house.bars(ax, groups, colours=colours)
    house.finish(ax, title="How much can go", ylabel="share of weights that cost 1 %", ylim=(0, 0.92))
    return fig


def magnitudes(run: el.Run) -> Figure:
    """Histograms of magnitudes, and how many are near zero."""
    fig, axes = house.new(1, 3, width=11.0, height=3.4)
    time = run.data.time.values
    middle = (BINS[:-1] + BINS[1:]) / 2
    for ax, condition, title in zip(axes, (BASE, "l1"), ("Weight decay 0.1", "An L1 price"), strict=False):
        values = np.nanmean(_of(run, "magnitudes", condition), axis=0)
        for at, shade in zip((0, len(time) // 2, len(time) - 1), (0.3, 0.6, 1.0), strict=True):
            ax.plot(middle, values[at], color=house.COLOURS[0 if condition == BASE else 3], alpha=shade,
                    label=f"step {int(time[at])}")  # fmt: skip
        house.finish(ax, title=title, xlabel="log10 |w|", ylim=(0, 0.24), legend="upper left")
    house.finish(axes[0], ylabel="share of weights per quarter decade")
    for condition, colour in ((BASE, house.COLOURS[0]), ("decay-1", house.COLOURS[2]), ("l1", house.COLOURS[3])):
        if condition in run.info["conditions"]:
            name = {BASE: "decay 0.1", "decay-1": "decay 1", "l1": "L1"}[condition]
            house.band(axes[2], time, _of(run, "near_zero", condition).mean(axis=-1), name, colour)
    house.finish(axes[2], title="Near zero", xlabel="step", ylabel="share of weights below 0.001", legend="upper left")
    return fig


def cut(run: el.Run) -> Figure:
    """Loss around a cut, and what becomes of the weights that were cut."""
    fig, (left, right) = house.new(1, 2, width=9.0, height=3.5)
    time = run.data.time.values
    for condition, name, colour in (("cut", "may regrow", 1), ("held", "kept at zero", 2)):
        beyond = _of(run, "loss", condition) - _of(run, "loss", BASE)
        house.band(left, time, beyond, name, house.COLOURS[colour])
    house.finish(left, title="Loss after a cut", xlabel="step", ylabel="loss beyond that without a cut (nat)")
    house.finish(left, chance=0.0, ylim=(-0.06, 0.06), legend="upper left")
    house.band(right, time, _of(run, "regrown", "cut"), "regrown", house.COLOURS[1])
    house.finish(
        right, title="What grows back", xlabel="step", ylabel="share of cut weights", ylim=(0, 0.55), chance=0.5
    )
    right.set_xlim(left.get_xlim())
    for ax in (left, right):
        ax.axvline(
            run.info["conditions"]["cut"]["parameters"]["cut_at"], color=house.GREY, linestyle=":", linewidth=1.2
        )
    return fig
