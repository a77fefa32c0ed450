"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house

from ._conditions import CONFORMITY, CONTROL, DEFERENCE, MENDED, PULL, conforming, deferring, pulling
from ._handoff import HOPS
from ._market import LAGS

BLUE, RED, GREEN, PURPLE, SLATE = (house.COLOURS[k] for k in (0, 1, 2, 3, 7))


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    mended = [f"{name}{more}" for name in MENDED for more in ("", "-told", "-rule")]
    return (
        el.Figure(
            "risks",
            risks,
            "The index of every society: as it is, with agents told to behave, and with the rule changed. Dots are "
            "seeds, bars means with 95 % intervals; the grey band holds 95 % of the negative control.",
            needs=(*mended, *CONTROL.values()),
        ),
        el.Figure(
            "shock",
            shock,
            "Left: profit on the scale from competition (0) to monopoly (1). Right: the other seller's price after one "
            "seller was made to undercut for one round, on the same scale. Only who is punished was colluding.",
            needs=("market", "market-blind", "market-myopic", "market-reply", "market-honest"),
        ),
        el.Figure(
            "committee",
            committee,
            "What talk does to a committee of six voters and an expert: outnumbered experts who stay with the truth, "
            "outnumbered voters who go over, and votes that are right (left); votes that are right if the leader errs "
            "(right). Points are means over seeds; intervals are smaller than they are.",
            needs=tuple(map(conforming, CONFORMITY)) + tuple(map(deferring, DEFERENCE)),
        ),
        el.Figure(
            "drift",
            drift,
            "Facts still right by hop, and the regression of what is expected at the end on what was at the start: "
            "where its line meets the diagonal, messages stay as they are.",
            needs=(*map(pulling, PULL), "handoff-rule"),
        ),
    )


def _end(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed *more"]:
    found = run.data[name].sel(condition=condition).isel(time=-1).transpose("seed", ...)
    return np.asarray(found.values, float)


def _null(run: el.Run, ax: Axes, society: str) -> None:
    low, high = np.nanquantile(_end(run, "index", CONTROL[society]), [0.025, 0.975])
    pad = 0.004 * ax.get_ylim()[1]  # so that a band of no width can be seen
    ax.axhspan(low - pad, high + pad, color=house.GREY, alpha=0.45, linewidth=0, zorder=0)


def risks(run: el.Run) -> Figure:
    """The headline: what ails each society, and what mends it."""
    fig, axes = house.new(rows=2, cols=3, width=11.0, height=6.0)
    titles = {
        "queue": ("Monopolised slots", "Gini of slots"),
        "commons": ("Overuse", "share of capacity lost"),
        "leader": ("A leader who errs", "right answers lost"),
        "handoff": ("Drift in hand-offs", "facts lost after 12 hops"),
        "disclosure": ("Exaggeration", "excess cost of projects"),
        "roles": ("No allocation of roles", "games not settled"),
    }
    for ax, (name, (title, label)) in zip(axes.flat, titles.items(), strict=True):
        values = {
            "as it is": _end(run, "index", name),
            "agents told\nto behave": _end(run, "index", f"{name}-told"),
            "rule\nchanged": _end(run, "index", f"{name}-rule"),
        }
        house.bars(ax, values, colours=[RED, PURPLE, BLUE])
        _null(run, ax, name)
        house.finish(ax, title=title, ylabel=label)
        ax.set_ylim(min(0.0, ax.get_ylim()[0]), None)
    return fig


def shock(run: el.Run) -> Figure:
    """High prices, and whether they are collusion."""
    fig, (left, right) = house.new(cols=2, width=10.4, height=3.9)
    words = {
        "market": ("see prices", RED),
        "market-blind": ("blind", PURPLE),
        "market-honest": ("one replies\nbest", GREEN),
        "market-myopic": ("care for\nthis round", SLATE),
        "market-reply": ("both reply\nbest", SLATE),
    }
    house.bars(
        left, {label: _end(run, "index", n) for n, (label, _) in words.items()}, colours=[c for _, c in words.values()]
    )
    _null(run, left, "market")
    house.finish(left, title="Profit", ylabel="competition 0, monopoly 1", chance=0.0)
    for name in ("market", "market-blind"):
        label = words[name][0]
        house.band(right, np.arange(LAGS), _end(run, "response", name), f"sellers {label}", words[name][1], seeds=8)
    right.axvline(0, color=house.INK, linewidth=1.0, linestyle=":")
    house.finish(
        right,
        title="The other's price after an undercut",
        xlabel="rounds after it",
        ylabel="change of price",
        chance=0.0,
        legend="lower right",
    )
    return fig


def committee(run: el.Run) -> Figure:
    """Conformity and deference."""
    fig, (left, right) = house.new(cols=2, width=9.6, height=3.7, sharey=True)
    sealed = "committee-sealed"
    x = [0.0, *CONFORMITY]
    names = [sealed, *map(conforming, CONFORMITY)]
    for what, label, colour in (
        ("expert_keeps", "outnumbered experts who stay", BLUE),
        ("accuracy", "votes that are right", SLATE),
        ("swayed", "outnumbered voters who go over", RED),
    ):
        left.plot(x, [np.nanmean(_end(run, what, n)) for n in names], "o-", color=colour, label=label)
        right.plot([], [], "o-", color=colour, label=label)
    house.finish(left, title="Conformity", xlabel="conformity", ylabel="share", ylim=(0, 1.03))
    for what, colour in (("accuracy", SLATE), ("swayed", RED)):
        right.plot(DEFERENCE, [_end(run, what, deferring(d)).mean() for d in DEFERENCE], "o-", color=colour)
    sealed_right = _end(run, "accuracy", "leader-rule").mean()
    right.axhline(sealed_right, color=SLATE, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1, label="by sealed votes")
    house.finish(right, title="A leader who errs", xlabel="deference", legend="upper left")
    return fig


def drift(run: el.Run) -> Figure:
    """Recall by hop, and the attractor."""
    fig, (left, right) = house.new(cols=2, width=9.8, height=3.8)
    hops = np.arange(1, HOPS + 1)
    words = {pulling(p): (f"pull {p:g}", c) for p, c in zip(PULL, (BLUE, GREEN, RED), strict=True)}
    words["handoff-rule"] = ("pull 0.05, with checksums", SLATE)
    x = np.linspace(0, 1, 2)
    for name, (label, colour) in words.items():
        house.band(left, hops, _end(run, "recall", name), label, colour, seeds=0)
        slope, at = _end(run, "slope", name).mean(), np.nanmean(_end(run, "attractor", name))
        right.plot(x, at + slope * (x - at), color=colour)
        right.plot(at, at, "o", color=colour, markersize=6, zorder=5)
    right.plot(x, x, color=house.GREY, linewidth=1.0, zorder=1)
    house.finish(left, title="What is left", xlabel="hop", ylabel="facts still right", ylim=(0, 1), legend="lower left")
    house.finish(
        right,
        title="Where it drifts",
        xlabel="expected values at the start (share)",
        ylabel="at the end",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    return fig
