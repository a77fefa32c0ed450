"""Pictures of a run of the study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.lm import Ledger

from ._conditions import QUICK, THINKING

BLUE, RED, SLATE = house.COLOURS[0], house.COLOURS[1], house.COLOURS[7]
MODEL = tuple(name for name in QUICK if name.startswith("model"))
RULES = tuple(name for name in QUICK if name not in MODEL)
THOUGHTS = dict(
    zip(THINKING, ("just asked", "predicts first", "a coin\ninstead", "the truth\ninstead"), strict=True)
) | {"maximax": "rule:\ninsists", "predict-noise": "rule:\na coin", "predict": "rule:\npredicts"}  # fmt: skip
SHOWN = ("model", "model-predict", "grim", "predict")


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first. What a run lacks is left out of them."""
    return (
        el.Figure(
            "prediction",
            prediction,
            "Battle of the Sexes with a partner that alternates: share of rounds with the same move, by what the "
            "player is said to expect. Dots are seeds, bars means with 95 % intervals.",
        ),
        el.Figure(
            "scores",
            scores,
            "Share of the most that the games can pay: a language model beside rules, same games, "
            "opponents and rounds.",
        ),
        el.Figure(
            "moves",
            moves,
            "Moves of the player and of its first opponent in the dilemma and in the battle, from the record of "
            "decisions; a row is a seed. What the opponent did last is in no question and is left out.",
        ),
        el.Figure(
            "response",
            response,
            "Dilemma: how often the player defects at first, after the other cooperated, and after it defected. Means "
            "over all rounds of a condition, from the record of decisions; the larger the dot, the more of them.",
        ),
    )


def _here(run: el.Run, wanted: tuple[str, ...]) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [name for name in wanted if name in have]


def _bars(ax: Axes, run: el.Run, what: str, labels: Mapping[str, str]) -> None:
    names = _here(run, tuple(labels))
    values = {labels[name]: run.data[what].sel(condition=name).values[:, -1] for name in names}
    house.bars(ax, values, colours=[BLUE if name in MODEL else SLATE for name in names])


def prediction(run: el.Run) -> Figure:
    """The headline: what a prediction does, and whether it is its content."""
    fig, ax = house.new(width=8.6, height=3.9)
    _bars(ax, run, "coordination", THOUGHTS)
    house.finish(
        ax,
        title="Is it the prediction that helps?",
        ylabel="share of rounds with the same move",
        ylim=(-0.03, 1.04),
        chance=0.5,
    )
    return fig


def scores(run: el.Run) -> Figure:
    """Model and rules on one scale."""
    fig, axes = house.new(cols=2, width=12.0, height=4.0, sharey=True)
    for ax, names, title in zip(axes, (MODEL, RULES), ("A language model decides", "A rule decides"), strict=True):
        labels = {name: name.removeprefix("model-").replace("-", " ") for name in names}
        _bars(ax, run, "score", labels)
        ax.set_xticks(ax.get_xticks(), [t.get_text() for t in ax.get_xticklabels()], rotation=30, ha="right")
        house.finish(
            ax,
            title=title,
            ylabel="share of the most games can pay" if ax is axes[0] else None,
            ylim=(0, 1.04),
        )
    return fig


def _decided(run: el.Run, names: list[str]) -> list[dict[str, Any]]:
    """Decisions on moves in these conditions."""
    return [d for d in Ledger(run).decisions if d["condition"] in names and d["template"].endswith("/move")]


def moves(run: el.Run) -> Figure:
    """Rasters of moves, player above opponent."""
    names = _here(run, SHOWN)
    fig, axes = house.new(2, max(1, len(names)), width=12.0, height=5.4, squeeze=False)
    found = _decided(run, names)
    seeds, rounds = [int(s) for s in run.data.seed.values], int(run.data.time.values[-1])
    colours = ListedColormap([BLUE, RED])
    for row, game in enumerate(("dilemma", "battle")):
        meant = {"dilemma": ("cooperates", "defects"), "battle": ("own favourite", "other's favourite")}[game]
        for ax, name in zip(axes[row], names, strict=False):
            own = [d for d in found if d["condition"] == name and d["agent"].startswith(game)]
            agent = own[0]["agent"] if own else ""
            picture = np.full((len(seeds), 2 * rounds), np.nan)
            for d in own:
                if d["agent"] != agent:
                    continue
                seen, at = d["observation"], seeds.index(d["seed"])
                picture[at, d["time"]] = seen["names"].index(d["value"])
                for k, theirs in enumerate(seen["theirs"]):
                    picture[at, rounds + 1 + k] = theirs
            ax.imshow(picture, cmap=colours, vmin=0, vmax=1, aspect="auto")
            ax.set_xticks([(rounds - 1) / 2, rounds + 1 + (rounds - 2) / 2], ["player", "opponent"])
            ax.tick_params(length=0)
            ax.grid(False)
            house.finish(
                ax,
                title=None if row else name,
                ylabel=f"{agent}\nseed ({meant[0]}: blue,\n{meant[1]}: red)" if ax is axes[row][0] else None,
            )
    return fig


def response(run: el.Run) -> Figure:
    """Defection by what the other did last."""
    fig, ax = house.new(width=8.0, height=4.0)
    names = _here(run, ("model", "model-predict", "model-market", "tit-for-tat", "grim", "random"))
    found = [d for d in _decided(run, names) if d["agent"].startswith("dilemma")]
    for k, name in enumerate(names):
        after: dict[int, list[int]] = {0: [], 1: [], 2: []}
        for d in found:
            if d["condition"] == name:
                seen = d["observation"]
                last = 0 if not seen["theirs"] else 1 + seen["theirs"][-1]
                after[last].append(seen["names"].index(d["value"]))
        at = [x for x in after if after[x]]
        mean = [float(np.mean(after[x])) for x in at]
        shift, colour = 0.08 * (k - (len(names) - 1) / 2), house.COLOURS[k]
        ax.plot([x + shift for x in at], mean, color=colour, linewidth=1.2, label=name)
        ax.scatter([x + shift for x in at], mean, [10 + 4 * np.sqrt(len(after[x])) for x in at], color=colour, zorder=4)
    ax.set_xticks([0, 1, 2], ["at first", "the other cooperated", "the other defected"])
    house.finish(
        ax,
        title="Who answers defection",
        ylabel="share of defections",
        ylim=(-0.05, 1.05),
        legend="outside" if names else False,
    )
    return fig
