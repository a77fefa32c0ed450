"""Pictures of a run of the study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.games import matrix
from emergelab.games.matrix_players import PLAYERS

from ._conditions import HURT, heeding, variant
from ._matches import PARTNERS, POOL, RIVALS
from ._measures import ALTERNATING, MODELS, with_partners

MEDIATION = {
    "maximax": "insists",
    heeding(0.0): "predicts,\nignores it",
    variant("predict", "noise"): "a coin\ninstead",
    variant("predict", "scrambled"): "forgets\nthe order",
    heeding(0.5): "heeds it\nhalf the time",
    "predict": "predicts",
    variant("predict", "truth"): "knows",
}
IN_BATTLE = ("maximax", "fictitious", "best-response", "win-stay", "predict")
GRUDGES = ("tit-for-tat", "generous", "two-tats", "hard", "grim", "win-stay", "fictitious", "never")
PROFILES = {
    "fictitious": "fictitious play",
    "tit-for-tat": "tit for tat",
    variant("first", "fixed"): "the option named first",
    "random": "chance",
}
SHORT = {
    "alternate-second": "alternate 2nd", "false-defector": "defects once", "social": "cooperates", "never": "defects",
    "first": "your favourite", "second": "its favourite",
}  # fmt: skip


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "families",
            families,
            "Score by family of games. Five language models among themselves (released games of Akata et al., our "
            "analysis) beside four rules against the pool, one of which takes the first row of the map whatever it "
            "pays. Bands: 95 % intervals over seeds.",
            needs=tuple(PROFILES),
        ),
        el.Figure(
            "battle",
            battle,
            "Battle of the Sexes, share of rounds with the same move. Left: with partners that alternate, what becomes "
            "of it when the prediction is ignored, replaced, or the past remembered out of order; dots are seeds. "
            "Right: players (rows) with partners (columns), means over seeds.",
            needs=(*MEDIATION, *IN_BATTLE),
        ),
        el.Figure(
            "forgiveness",
            forgiveness,
            "Prisoner's dilemma. Left: how often a player defects after an old defection that was followed by "
            "cooperation, by rival; blank where that does not occur. Right: the same after one defection that the "
            "rival is made to commit in round 4; dots are seeds.",
            needs=(*GRUDGES, *(variant(p, "hurt") for p in HURT)),
        ),
        el.Figure(
            "map",
            the_map,
            "The 144 ordinal games: a step down or right swaps two neighbouring ranks of one player's payoffs. "
            "Families, the score of fictitious play, and what tit for tat gets more or less.",
            needs=("fictitious", "tit-for-tat"),
        ),
        el.Figure(
            "players",
            players,
            "Mean score in the 144 games by player (rows, best first) and opponent (columns).",
            needs=("fictitious",),
        ),
    )


def _end(run: el.Run, condition: str, what: str) -> Float[np.ndarray, "seed *axes"]:
    one = run.data[what].sel(condition=condition, drop=True).isel(time=-1)
    return np.asarray(one.transpose("seed", ...).values, float)


def families(run: el.Run) -> Figure:
    """The headline: whose profile is it?"""
    fig, ax = house.new(width=8.2, height=4.0)
    order = sorted(matrix.FAMILIES, key=lambda name: -MODELS[name])
    places = [matrix.FAMILIES.index(name) for name in order]
    at = np.arange(len(order), dtype=float)
    ax.plot(at, [MODELS[name] for name in order], "D-", color=house.INK, markersize=6, label="language models")
    for (condition, label), colour in zip(PROFILES.items(), house.COLOURS, strict=False):
        values = _end(run, condition, "family_score")[:, places]
        house.band(ax, at, values, label, colour, seeds=0)
        ax.plot(at, values.mean(axis=0), "o", color=colour, markersize=4, zorder=5)
    ax.set_xticks(at, [f"{name}\n({matrix.FAMILY.count(name)} games)" for name in order])
    house.finish(
        ax,
        title="Always taking the option named first has the models' profile",
        ylabel="share of the most a game can pay",
        ylim=(0.3, 1.0),
        legend="upper right",
    )
    return fig


def battle(run: el.Run) -> Figure:
    """Prediction as a mechanism."""
    fig, (left, right) = house.new(cols=2, width=12.5, height=4.2, width_ratios=[1.35, 1])
    measure = with_partners("coordination", ALTERNATING, "alternators")
    values = {}
    for condition, label in MEDIATION.items():
        found = measure(run.data.sel(condition=condition, drop=True).isel(time=-1))
        values[label] = np.asarray(found.values, float)
    slate, blue, green = house.COLOURS[7], house.COLOURS[0], house.COLOURS[2]
    house.bars(left, values, colours=[slate, *[blue] * 5, green])
    house.finish(
        left,
        title="With one who alternates, the prediction itself does it",
        ylabel="share of rounds with the same move",
        ylim=(0, 1.04),
        chance=0.5,
    )
    rows = np.stack([_end(run, name, "coordination").mean(axis=0) for name in IN_BATTLE])
    _table(right, rows, IN_BATTLE, PARTNERS, vmin=0, vmax=1)
    house.finish(right, title="Two that predict each other never meet")
    return fig


def forgiveness(run: el.Run) -> Figure:
    """One number or many?"""
    fig, (left, right) = house.new(cols=2, width=12.5, height=4.2, width_ratios=[1.6, 1])
    rows = np.stack([_mean(_end(run, name, "provoked")) for name in GRUDGES])
    keep = np.isfinite(rows).any(axis=0)
    _table(left, rows[:, keep], GRUDGES, [r for r, k in zip(RIVALS, keep, strict=True) if k], vmin=0, vmax=1)
    house.finish(left, title="Defection after an old, forgiven defection")
    place = RIVALS.index("social")
    hurt = {name.replace("-", " "): _end(run, variant(name, "hurt"), "provoked")[:, place] for name in HURT}
    house.bars(right, hurt, colours=[house.COLOURS[0]] * len(hurt))
    right.set_xticks(range(len(hurt)), list(hurt), rotation=25, ha="right")
    house.finish(right, title="After one forced defection", ylabel="share of later rounds", ylim=(-0.04, 1.04))
    return fig


def the_map(run: el.Run) -> Figure:
    """Families and scores on the map of games."""
    fig, axes = house.new(cols=3, width=14.5, height=4.9)
    number = np.array([matrix.FAMILIES.index(name) for name in matrix.FAMILY]).reshape(12, 12)
    colours = ListedColormap([house.COLOURS[i] for i in (2, 0, 5, 4, 1, 3, 7)])
    picture = axes[0].imshow(number, cmap=colours, vmin=-0.5, vmax=6.5, alpha=0.75)
    bar = fig.colorbar(picture, ax=axes[0], ticks=range(7), shrink=0.8, location="left", pad=0.1)
    bar.ax.set_yticklabels(matrix.FAMILIES)
    bar.ax.tick_params(labelsize=8, length=0)
    bar.outline.set_visible(False)
    initials = {"Chicken": "Ch", "Battle": "Ba", "Hero": "He", "Deadlock": "De", "Prisoner's Dilemma": "PD",
                "Stag Hunt": "SH", "Harmony": "Ha", "No Conflict": "NC"}  # fmt: skip
    for name, (row, column) in matrix.NAMED.items():
        axes[0].text(column, row, initials[name], ha="center", va="center", fontsize=7.5, weight="bold")
    own = _end(run, "fictitious", "map_score").mean(axis=0)
    more = _end(run, "tit-for-tat", "map_score").mean(axis=0) - own
    most = float(np.abs(more).max())
    shown: tuple[tuple[Axes, np.ndarray, str, float, float], ...] = (
        (axes[1], own, house.HEATMAP, float(own.min()), 1.0),
        (axes[2], more, house.SIGNED, -most, most),
    )
    for ax, values, colour, low, high in shown:
        bar = fig.colorbar(ax.imshow(values, cmap=colour, vmin=low, vmax=high), ax=ax, shrink=0.8, pad=0.02)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)
    titles = ("Families", "Score of fictitious play", "Tit for tat minus fictitious play")
    for ax, title in zip(axes, titles, strict=True):
        ax.set_xticks(range(12), range(1, 13))
        ax.set_yticks(range(12), range(1, 13))
        ax.grid(False)
        house.finish(ax, title=title, xlabel="column's payoffs", ylabel="row's payoffs" if ax is axes[0] else None)
    return fig


def players(run: el.Run) -> Figure:
    """Everybody against everybody."""
    have = [str(c) for c in run.data.condition.values if str(c) in PLAYERS or str(c) == "evolved"]
    means = {name: _end(run, name, "score").mean() for name in have}
    order = sorted(have, key=lambda name: -means[name])
    rows = np.stack([[means[name], *_end(run, name, "pool_score").mean(axis=0)] for name in order])
    fig, ax = house.new(width=8.6, height=1.2 + 0.26 * len(order))
    _table(ax, rows, order, ("all", *POOL), vmin=0.4, vmax=1.0)
    ax.axvline(0.5, color="white", linewidth=3)
    house.finish(ax, title="Score in the 144 games")
    return fig


def _mean(values: Float[np.ndarray, "seed place"]) -> Float[np.ndarray, "place"]:
    """Mean over seeds that have a value."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _table(
    ax: Axes,
    values: Float[np.ndarray, "row column"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    vmin: float,
    vmax: float,
) -> None:
    """A heat map with its numbers written in."""
    ax.imshow(values, cmap=house.HEATMAP, vmin=vmin, vmax=vmax, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            dark = (value - vmin) / (vmax - vmin) < 0.6
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7.5,
                    color="white" if dark else house.INK)  # fmt: skip
    names = [SHORT.get(c, c.replace("-", " ")) for c in columns]
    ax.set_xticks(range(len(names)), names, rotation=35, ha="right")
    ax.set_yticks(range(len(rows)), [r.replace("-", " ") for r in rows])
    ax.grid(False)
