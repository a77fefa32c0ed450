"""Pictures of a run of the study."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house

from ._conditions import RANDOM_RETRIEVAL, by_model

MODELS = (*by_model().values(), RANDOM_RETRIEVAL)
OTHERS = ("rules", "rules-random-retrieval", "rules-no-talk", "random", "oracle")
FACTS = {"aware_party": "party", "aware_candidacy": "candidacy", "aware_sale": "sale (dull)"}
PARTS = ("recency", "relevance", "importance")


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first. What a run lacks is left out of them."""
    return (
        el.Figure(
            "awareness",
            awareness,
            "Share of people with a memory of the party, by the hour: what a model says beside what rules say. Thin "
            "lines are towns, bands 95 % intervals of the mean.",
        ),
        el.Figure(
            "news",
            news,
            "Share of people who know of each fact in the end. Dots are towns, bars means with 95 % intervals.",
        ),
        el.Figure(
            "evening",
            evening,
            "Who is at the café in the evening, among those who know of the party and those who do not; and who says "
            "to have heard of it.",
        ),
        el.Figure(
            "retrieval",
            retrieval,
            "Parts of the scores of what comes to mind, mean over all queries of a condition, by rank.",
        ),
    )


def _here(run: el.Run, wanted: tuple[str, ...]) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [name for name in wanted if name in have]


def awareness(run: el.Run) -> Figure:
    """The headline."""
    fig, axes = house.new(cols=2, width=10.5, height=3.8, sharey=True)
    for ax, (title, wanted) in zip(
        axes, {"A language model decides": MODELS, "A rule decides": OTHERS}.items(), strict=True
    ):
        for name, colour in zip(_here(run, wanted), house.COLOURS, strict=False):
            values = run.data["aware_party"].sel(condition=name).transpose("seed", "time").values
            house.band(ax, run.data.time.values, values, name.removeprefix("model-"), colour, seeds=6)
        house.finish(
            ax,
            title=title,
            xlabel="hours since the morning",
            ylabel="share who know of the party" if ax is axes[0] else None,
            ylim=(0, 1.02),
        )
        house.label_lines(ax)
    return fig


def news(run: el.Run) -> Figure:
    """All three facts."""
    fig, axes = house.new(cols=3, width=12.0, height=4.0, sharey=True)
    names = _here(run, (*MODELS, *OTHERS))
    for ax, (what, title) in zip(axes, FACTS.items(), strict=True):
        values = {n: run.data[what].sel(condition=n).values[:, -1] for n in names}
        house.bars(ax, values, colours=[house.COLOURS[0] if n in MODELS else house.COLOURS[7] for n in names])
        ax.set_xticks(range(len(values)), list(values), rotation=40, ha="right")
        house.finish(ax, title=f"The {title}", ylabel="share who know" if ax is axes[0] else None, ylim=(0, 1.02))
    return fig


def evening(run: el.Run) -> Figure:
    """At the café, and in the interview."""
    fig, axes = house.new(cols=2, width=11.0, height=4.0, sharey=True)
    names = _here(run, (*MODELS, *OTHERS))
    asked = {"At the café": ("came_aware", "came_unaware"), "Says to know of a party": ("yes_aware", "yes_unaware")}
    for ax, (title, pair) in zip(axes, asked.items(), strict=True):
        for k, (what, label) in enumerate(zip(pair, ("who know", "who do not"), strict=True)):
            values = run.data[what].sel(condition=names).isel(time=-1).transpose("condition", "seed").values
            known = np.isfinite(values)
            mean = np.where(known.any(axis=1), np.where(known, values, 0).sum(1) / np.maximum(known.sum(1), 1), np.nan)
            ax.bar(np.arange(len(names)) + 0.38 * (k - 0.5), mean, 0.36, color=house.COLOURS[2 * k], alpha=0.75,
                   label=f"those {label}")  # fmt: skip
        ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
        ax.grid(False, axis="x")
        house.finish(ax, title=title, ylabel="share" if ax is axes[0] else None, ylim=(0, 1.02),
                     legend="upper left" if ax is axes[0] else False)  # fmt: skip
    return fig


def retrieval(run: el.Run) -> Figure:
    """The log of retrievals, averaged."""
    names = _here(run, (by_model()["plain"], "rules", "rules-released", "rules-relevance"))
    fig, axes = house.new(
        cols=max(len(names), 1), width=3.1 * max(len(names), 1), height=3.4, sharey=True, squeeze=False
    )
    found = _parts(run)
    for ax, name in zip(axes[0], names, strict=False):
        parts = found.get(name, np.zeros((1, 3)))
        for k, (part, colour) in enumerate(zip(PARTS, house.COLOURS[:3], strict=True)):
            ax.plot(np.arange(1, len(parts) + 1), parts[:, k], "o-", color=colour, linewidth=1.4, label=part)
        ax.set_xticks(range(1, len(parts) + 1))
        house.finish(ax, title=name, xlabel="rank", ylabel="mean part of the score" if ax is axes[0][0] else None,
                     ylim=(-0.02, 1.04), legend="lower left" if ax is axes[0][0] else False)  # fmt: skip
    return fig


def _parts(run: el.Run) -> dict[str, np.ndarray]:
    """Condition -> mean parts by rank, from the events."""
    table = run.events
    rows: dict[str, list[Any]] = {}
    columns = [table.column(n).to_pylist() for n in ("condition", "kind", "payload")]
    for condition, kind, text in zip(*columns, strict=True):
        if kind == "retrieval":
            rows.setdefault(condition, []).append(json.loads(text)["parts"])
    longest = {name: max(map(len, own)) for name, own in rows.items()}
    return {name: np.mean([p for p in own if len(p) == longest[name]], axis=0) for name, own in rows.items()}
