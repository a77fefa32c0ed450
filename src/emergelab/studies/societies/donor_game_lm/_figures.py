"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.lm import Ledger

from ._conditions import by_model, by_rule
from ._system import READ

RULES = tuple(by_rule(p) for p in ("random", "copy-gossip", "image-scoring", "theta"))


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first. What a run lacks is left out of them."""
    return (
        el.Figure(
            "generations",
            generations,
            "Giving by generation: the model in three wordings beside rules. Thin lines are societies, bands 95 % "
            "intervals of the mean.",
        ),
        el.Figure(
            "response",
            response,
            "What is given to a recipient, by what it gave last (left end: to a stranger). Means over all donations of "
            "a condition, from the record of decisions; the larger the dot, the more of them.",
        ),
        el.Figure(
            "probes",
            probes,
            "Strategies as read from the answers to six set situations. Dots are societies, averaged over their last "
            "generation.",
        ),
    )


def _here(run: el.Run, wanted: tuple[str, ...]) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [name for name in wanted if name in have]


def _colours(names: list[str]) -> dict[str, str]:
    return {name: house.COLOURS[i % len(house.COLOURS)] for i, name in enumerate(names)}


def generations(run: el.Run) -> Figure:
    """The headline."""
    fig, axes = house.new(cols=2, width=10.5, height=3.8, sharey=True)
    groups = {"A language model decides": tuple(by_model().values()), "A rule decides": RULES}
    for ax, (title, wanted) in zip(axes, groups.items(), strict=True):
        names = _here(run, wanted)
        for name, colour in _colours(names).items():
            values = run.data["giving"].sel(condition=name).transpose("seed", "time").values[:, 1:]
            house.band(ax, run.data.time.values[1:], values, name.removeprefix("model-"), colour, seeds=8)
        house.finish(
            ax,
            title=title,
            xlabel="generation",
            ylabel="fraction given" if ax is axes[0] else None,
            ylim=(0, 1),
            legend="lower right" if names else False,
        )
        ax.set_xticks(run.data.time.values[1:])
    return fig


def response(run: el.Run) -> Figure:
    """Donations against gossip, from the ledger."""
    fig, ax = house.new(width=7.5, height=4.2)
    names = _here(run, (*by_model().values(), *RULES))
    given: dict[str, dict[float, list[float]]] = {name: {} for name in names}
    for d in Ledger(run).decisions:
        if d["condition"] in given and d["template"].endswith("/donation"):
            heard = d["observation"]["gossip"]
            newest = round(heard[0], 1) if heard else -20.0
            given[d["condition"]].setdefault(newest, []).append(d["value"])
    for name, colour in _colours(names).items():
        at = sorted(given[name])
        mean = [np.mean(given[name][x]) for x in at]
        known = [x >= 0 for x in at]
        x, y = np.asarray(at), np.asarray(mean)
        ax.plot(x[known], y[known], color=colour, linewidth=1.4, label=name)
        ax.scatter(x, y, [6 + 3 * np.sqrt(len(given[name][k])) for k in at], color=colour, zorder=4)
    ax.set_xticks([-20, 0, 25, 50, 75, 100], ["stranger", "0", "25", "50", "75", "100"])
    house.finish(
        ax,
        title="Who reciprocates, and who only gives",
        xlabel="what the recipient gave last (%)",
        ylabel="what it is given (%)",
        ylim=(-4, 104),
        legend="outside" if names else False,
    )
    return fig


def probes(run: el.Run) -> Figure:
    """The typed read-out of strategies."""
    titles = dict(
        zip(READ, ("to a stranger", "to one who gave half", "weight of the newest", "weight of the one before"),
            strict=True)
    )  # fmt: skip
    fig, axes = house.new(cols=4, width=13.0, height=3.8)
    names = _here(run, (*by_model().values(), *RULES))
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        values = {c.removeprefix("model-"): run.data[f"read_{name}"].sel(condition=c).values[:, -1] for c in names}
        house.bars(ax, values, colours=list(_colours(names).values()))
        ax.set_xticks(range(len(values)), list(values), rotation=40, ha="right")
        house.finish(ax, title=title.capitalize(), chance=0.0)
    return fig
