"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.figures.film import strip

from ._claims import LATE
from ._conditions import REGIMES
from ._system import PAY
from ._view import episode

BLUE, RED, GREEN, PURPLE, AMBER, SKY, _, SLATE = house.COLOURS
COLOURS = {"free": SLATE, "us": AMBER, "flat": GREEN, "regressive": PURPLE, "flat-high": BLUE}
WORKERS = house.COLOURS[1 : 1 + len(PAY)]
"""Colours of workers, as in the film."""


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "trades",
            trades,
            "Left: how each worker's earnings come about at the end, without taxes, by what it is paid for a house "
            "(dots are seeds). Middle and right: what they sell more "
            "than they buy, and specialisation, while they learn; bands are 95 % of the mean.",
            needs=("free", "equal"),
        ),
        el.Figure(
            "film",
            film,
            "One economy without taxes, after training: what has grown, houses by their builder, and workers.",
            needs=("free",),
        ),
        el.Figure(
            "regimes",
            regimes,
            "Means over the last fifth of training; dots are seeds, bars means with 95 % intervals.",
            needs=tuple(REGIMES),
        ),
        el.Figure(
            "learning",
            learning,
            "Productivity, equality and labour while workers learn; bold: means with 95 % bands, thin: seeds.",
            needs=tuple(REGIMES),
        ),
    )


def _late(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed *more"]:
    """Means over the last part of training."""
    d = run.data[name].sel(condition=condition)
    d = d.sel(time=d.time >= LATE[0] * d.time[-1]).mean("time")
    return np.asarray(d.transpose("seed", ...).values, float)


def _curve(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed time *more"]:
    return np.asarray(run.data[name].sel(condition=condition).transpose("seed", "time", ...).values, float)


def trades(run: el.Run) -> Figure:
    """The headline: who lives by what."""
    fig, axes = house.new(cols=3, width=11.5, height=3.7)
    built, time = _late(run, "built", "free"), run.data.time.values
    house.bars(axes[0], {f"{pay:g}": built[:, i] for i, pay in enumerate(PAY)}, colours=WORKERS)
    house.finish(axes[0], title="Living by building", xlabel="coins for a house", ylabel="share of earnings",
                 ylim=(0, 1.05))  # fmt: skip
    net = _curve(run, "sold", "free") - _curve(run, "bought", "free")
    for i, pay in enumerate(PAY):
        house.band(axes[1], time, net[:, :, i], f"paid {pay:g}", WORKERS[i], seeds=0)
    axes[1].axhline(0.0, color=house.GREY, linewidth=1.0, zorder=1)
    house.finish(axes[1], title="Who sells", xlabel="update", ylabel="units sold minus bought", legend="upper left")
    for name, colour, words in (("free", BLUE, "paid by skill"), ("equal", SLATE, "all paid alike")):
        house.band(axes[2], time, _curve(run, "specialisation", name), words, colour)
    house.finish(axes[2], title="Specialisation", xlabel="update", ylabel="bit", ylim=(0, None), legend="upper left")
    return fig


def film(run: el.Run) -> Figure:
    """An episode."""
    scenes = episode(run, "free", int(run.data.seed.values[0]), int(run.data.time.values[-1]))
    return strip(scenes, columns=3, size=2.9)


def regimes(run: el.Run) -> Figure:
    """What taxes change."""
    fig, axes = house.new(rows=2, cols=3, width=11.5, height=6.2)
    shown = {
        "productivity": "Productivity (coins a worker)", "equality": "Equality of coins",
        "revenue": "Taxes over incomes", "labour": "Labour (a worker)", "spread": "Unlikeness of two years' incomes",
        "timing": "Tax saved by timing",
    }  # fmt: skip
    words = {"free": "none", "us": "US", "flat": "flat", "regressive": "regr.", "flat-high": "flat\nhigh"}
    for ax, (name, title) in zip(axes.ravel(), shown.items(), strict=True):
        at = {words[c]: _late(run, name, c) for c in REGIMES}
        if name == "labour":
            at = {c: x.mean(1) for c, x in at.items()}
        house.bars(ax, at, colours=list(COLOURS.values()))
        house.finish(ax, title=title)
    return fig


def learning(run: el.Run) -> Figure:
    """How they came there."""
    fig, axes = house.new(cols=3, width=11.5, height=3.7)
    time = run.data.time.values
    for ax, name, title, unit in zip(axes, ("productivity", "equality", "labour"), (
        "Productivity", "Equality", "Labour"), ("coins a worker", None, "units a worker"), strict=True):  # fmt: skip
        for condition, words in REGIMES.items():
            curve = _curve(run, name, condition)
            house.band(ax, time, curve.mean(-1) if name == "labour" else curve, words, COLOURS[condition], seeds=0)
        house.finish(ax, title=title, xlabel="update", ylabel=unit)
    axes[0].legend(frameon=False, fontsize=8, loc="upper left")
    return fig
