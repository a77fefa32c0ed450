"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.games import memory as mind

from . import _measures as m
from . import _town as town
from ._interview import QUESTIONS
from ._people import STAGES

BLUE, RED, GREEN, PURPLE, AMBER, SLATE = (house.COLOURS[i] for i in (0, 1, 2, 3, 4, 7))
CURVES = {
    "by part": {
        "full": "full",
        "no-reflection": "no reflection",
        "no-planning": "no planning",
        "mute-host": "host silent",
        "no-talk": "no talk",
    },
    "by retrieval": {
        "full": "all three",
        "importance-only": "importance",
        "relevance-only": "relevance",
        "recency-only": "recency",
        "random-retrieval": "chance",
    },
}
FUNNELS = {
    "full": "full",
    "no-planning": "no planning",
    "released": "released code",
    "knock-out-all": "forgotten on day 2",
    "false-party": "false party planted",
}
LADDER = ("full", "no-reflection", "no-reflection-no-planning", "none")
CLOCKS = ("rank", "inverted")
PLACES = ("café", "library", "hall", "pub", "park", "shop")


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "tree",
            tree,
            "Who told whom of the party, in one town. Left: where each first heard of it; homes stand around the "
            "public places. Right: the same tellings over time.",
            needs=("full",),
        ),
        el.Figure(
            "awareness",
            awareness,
            "Share of people who have heard of the party, by what people are able to do and by what calls memories "
            "up. Thin lines are towns, bands 95 % intervals of the mean; the grey line is contagion on the same "
            "contacts, with everyone telling all to all near. Nights are shaded.",
            needs=tuple({**CURVES["by part"], **CURVES["by retrieval"]}),
        ),
        el.Figure(
            "funnel",
            funnel,
            "From hearing of the party to coming to it: guests of 24 who got that far, means over towns with 95 % "
            "intervals. Without planning nobody has a plan.",
            needs=tuple(FUNNELS),
        ),
        el.Figure(
            "query",
            query,
            "What comes to the mind of one person on meeting the host at the café on the last evening, and why: the "
            "twelve best memories with the parts of their scores.",
            needs=("full",),
        ),
        el.Figure(
            "inversion",
            inversion,
            "Share of people who know, with ranks from the right end and with the released inversion. Dots are towns, "
            "bars means with 95 % intervals.",
            needs=CLOCKS,
        ),
        el.Figure(
            "interviews",
            interviews,
            "Right answers by kind of question on the second day, and their mean. Dots are towns.",
            needs=LADDER,
        ),
        el.Figure(
            "ties",
            ties,
            "Who knows whom in one town: pairs of whom each remembers the other. The darker a line, the more talks.",
            needs=("full",),
        ),
    )


def _of(run: el.Run, condition: str) -> xr.Dataset:
    return run.data.sel(condition=condition, drop=True)


def _median_town(d: xr.Dataset) -> int:
    """The seed whose awareness of the party is nearest to the mean: one picture should not show the exception."""
    aware = m.knowers_of_the_party(d).isel(time=-1).values
    return int(np.argmin(np.abs(aware - aware.mean())))


# -- the tree ---------------------------------------------------------------------------------------------------------


def _layout(places: int, homes: int) -> Float[np.ndarray, "place 2"]:
    """Public places on an inner ring (the first in the middle), homes on an outer one."""
    inner = np.linspace(0, 2 * np.pi, places - 1, endpoint=False)
    outer = np.linspace(0, 2 * np.pi, homes, endpoint=False) + 0.12
    ring = [
        np.column_stack([0.5 * np.cos(inner), 0.5 * np.sin(inner)]),
        np.column_stack([np.cos(outer), np.sin(outer)]),
    ]
    return np.concatenate([np.zeros((1, 2)), *ring])


def tree(run: el.Run) -> Figure:
    """The headline."""
    fig, (left, right) = house.new(cols=2, width=11.5, height=4.8, width_ratios=[1, 1.25])
    d = _of(run, "full")
    one = d.isel(seed=_median_town(d), time=-1, fact=town.PARTY)
    at, by, where = (one[name].values.astype(int) for name in ("heard_at", "told_by", "told_where"))
    agents, places = len(at), int(run.info["conditions"]["full"]["parameters"]["places"])
    spots = _layout(places, town.households(agents))
    colours, norm = colormaps[house.HEATMAP], Normalize(0, town.DAYS * 24)
    hours = at * town.HOURS
    home = places + np.arange(agents) // 2
    start = np.where(where >= 0, where, home)  # the host knows at home

    left.scatter(*spots[places:].T, s=14, color=house.GREY, marker="s", linewidths=0, zorder=2)
    left.scatter(*spots[:places].T, s=70, color="#E6E9EE", linewidths=0, zorder=2)
    for k, name in enumerate(PLACES[:places]):
        left.annotate(name, spots[k], xytext=(0, -13), textcoords="offset points", ha="center", fontsize=8)
    shift = np.random.default_rng(0).normal(0, 0.03, (agents, 2))
    for i in np.flatnonzero(by >= 0):
        a, b = spots[start[by[i]]] + shift[by[i]], spots[start[i]] + shift[i]
        left.annotate(
            "", b, a, zorder=3,
            arrowprops={"arrowstyle": "-|>", "color": colours(norm(hours[i])), "linewidth": 1.1, "mutation_scale": 9,
                        "shrinkA": 2, "shrinkB": 2, "connectionstyle": "arc3,rad=0.15"},
        )  # fmt: skip
    left.plot(*(spots[start[town.PARTY]] + shift[town.PARTY]), "*", color=RED, markersize=12, zorder=5)
    left.set_aspect("equal")
    left.set_xticks([])
    left.set_yticks([])
    left.set_xlim(-1.12, 1.12)
    left.set_ylim(-1.12, 1.12)
    house.finish(left, title=f"{int((at >= 0).sum())} of {agents} hear of the party")

    rows = _rows(by, at)
    for who, row in rows.items():
        root = by[who] < 0
        if not root:
            teller = int(by[who])
            right.plot(
                [hours[teller], hours[who], hours[who]], [rows[teller], rows[teller], row],
                color=house.GREY, linewidth=0.9, zorder=2,
            )  # fmt: skip
        right.plot(hours[who], row, "*" if root else "o", markersize=11 if root else 5,
                   color=RED if root else colours(norm(hours[who])), zorder=4)  # fmt: skip
    party = town.START[town.PARTY] * town.HOURS
    right.axvline(party, color=house.MUTED, linewidth=1, linestyle=":")
    right.annotate("party", (party, 1.0), xycoords=("data", "axes fraction"), xytext=(-3, -10),
                   textcoords="offset points", ha="right", fontsize=8)  # fmt: skip
    _nights(right)
    right.set_yticks([])
    right.set_xticks(range(0, 49, 12))
    house.finish(right, title="Who told whom, and when", xlabel="hours since the first midnight", xlim=(-1, 48))
    bar = fig.colorbar(ScalarMappable(norm, colours), ax=[left, right], pad=0.01)
    bar.set_label("hour of first hearing", fontsize=8.5)
    bar.outline.set_visible(False)
    return fig


def _rows(by: np.ndarray, at: np.ndarray) -> dict[int, float]:
    """Rows of a tree: each branch in one piece, in the order of hearing."""
    rows: dict[int, float] = {}

    def place(i: int) -> None:
        rows[i] = float(len(rows))
        for child in sorted(np.flatnonzero(by == i), key=lambda j: -at[j]):
            place(int(child))

    for root in np.flatnonzero((at >= 0) & (by < 0)):
        place(int(root))
    return rows


def _nights(ax: Axes) -> None:
    for start, stop in ((0, 6), (23, 30), (47, 48)):
        ax.axvspan(start, stop, color="#F1F3F6", zorder=0, linewidth=0)


# -- curves, funnels, bars --------------------------------------------------------------------------------------------


def awareness(run: el.Run) -> Figure:
    """Curves by ablation."""
    fig, axes = house.new(cols=2, width=11.5, height=4.0, sharey=True)
    slots = int(run.data.time.values[-1])
    hours = np.arange(slots) * town.HOURS
    for ax, (title, group) in zip(axes, CURVES.items(), strict=True):
        for (name, label), colour in zip(group.items(), (BLUE, GREEN, AMBER, PURPLE, RED), strict=True):
            house.band(ax, hours, m.heard_curve(_of(run, name), town.PARTY, slots), label, colour, seeds=6)
        d = _of(run, "full")
        bound = d["bound"].isel(fact=town.PARTY).mean("seed").values
        ax.plot(d.time.values * town.HOURS, bound, color=house.MUTED, linewidth=1.2, linestyle="--", label="bound")
        _nights(ax)
        ax.set_xticks(range(0, 49, 12))
        house.finish(
            ax,
            title=f"Who has heard of the party, {title}",
            xlabel="hours since the first midnight",
            ylabel="share of people" if ax is axes[0] else None,
            ylim=(0, 1.02),
            xlim=(0, 48),
        )
        house.label_lines(ax)
    return fig


def funnel(run: el.Run) -> Figure:
    """Stage by stage."""
    fig, ax = house.new(width=9.5, height=4.0)
    width = 0.8 / len(FUNNELS)
    for k, ((name, label), colour) in enumerate(zip(FUNNELS.items(), house.COLOURS, strict=False)):
        values = _of(run, name)["funnel"].isel(event=0, time=-1).transpose("seed", "stage").values
        mean = values.mean(axis=0)
        half = 1.96 * values.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 2 else None
        x = np.arange(len(STAGES)) + (k - (len(FUNNELS) - 1) / 2) * width
        ax.bar(x, mean, 0.92 * width, color=colour, alpha=0.75, label=label, zorder=2)
        if half is not None:
            ax.errorbar(x, mean, yerr=half, fmt="none", color=house.INK, linewidth=1, capsize=2, zorder=4)
    ax.set_xticks(range(len(STAGES)), STAGES)
    ax.grid(False, axis="x")
    house.finish(ax, title="From hearing of the party to being there", ylabel="guests of 24", legend="upper right")
    return fig


def inversion(run: el.Run) -> Figure:
    """Old news and late news under both ranks."""
    fig, axes = house.new(cols=3, width=10.5, height=3.6)
    known = (
        ("the party, known from the start", m.knowers_of_the_party),
        ("the candidacy, from the start", m.knowers_of_the_candidacy),
        ("news of the second morning", m.knowers_of_the_late_news),
    )
    for ax, (title, measure) in zip(axes, known, strict=True):
        values = {
            label: measure(_of(run, name)).isel(time=-1).values
            for name, label in zip(CLOCKS, ("newest first", "oldest first"), strict=True)
        }
        house.bars(ax, values, colours=[BLUE, RED])
        house.finish(ax, title=title.capitalize(), ylabel="share who know" if ax is axes[0] else None, ylim=(0, None))
    return fig


def interviews(run: el.Run) -> Figure:
    """Answers by kind of question."""
    fig, axes = house.new(cols=len(QUESTIONS) + 1, width=13.0, height=3.9, sharey=True)
    labels = ("full", "no reflection", "nor planning", "nothing kept")
    for k, ax in enumerate(axes):
        values = {}
        for name, label in zip(LADDER, labels, strict=True):
            d = _of(run, name)
            what = d["accuracy"].isel(question=k) if k < len(QUESTIONS) else d["accuracy_all"]
            values[label] = m.during_interviews(what)
        house.bars(ax, values, colours=[BLUE, GREEN, AMBER, SLATE])
        ax.set_xticks(range(len(values)), list(values), rotation=40, ha="right")
        house.finish(
            ax,
            title=QUESTIONS[k].capitalize() if k < len(QUESTIONS) else "Mean of all",
            ylabel="right answers" if k == 0 else None,
            ylim=(0, 1.02),
        )
    return fig


# -- one town ---------------------------------------------------------------------------------------------------------


def query(run: el.Run) -> Figure:
    """One query, taken apart."""
    fig, ax = house.new(width=9.5, height=4.6)
    d = _of(run, "full")
    rows = d["query"].isel(seed=_median_town(d), time=-1).transpose("rank", "part").values
    rows = rows[np.isfinite(rows[:, 0])]
    own = run.info["conditions"]["full"]["parameters"]
    words = town.words_of(int(own["agents"]), int(own["places"]))
    weights = [float(own[f"w_{part}"]) for part in ("recency", "relevance", "importance")]
    height, left = np.arange(len(rows))[::-1], np.zeros(len(rows))
    for k, (part, colour) in enumerate(zip(("recency", "relevance", "importance"), (BLUE, GREEN, AMBER), strict=True)):
        ax.barh(height, weights[k] * rows[:, k], left=left, color=colour, alpha=0.8, label=part, zorder=2)
        left = left + weights[k] * rows[:, k]
    ax.set_yticks(height, [_told(row, words) for row in rows])
    ax.grid(False, axis="y")
    house.finish(ax, title="What meeting the host at the café calls up", xlabel="score", legend="outside")
    return fig


def _told(row: np.ndarray, words: town.Words) -> str:
    """A memory in words."""
    kind, who, what, where, made = (int(x) for x in row[3:8])
    person = "the host" if who == town.PARTY else f"person {who}"
    matter = {words.friend: f"{person} is close", words.oneself: "where I work"}.get(what)
    if words.facts <= what < words.facts + len(town.FACTS):
        matter = f"the {town.FACTS[what - words.facts]}"
    if kind == mind.THOUGHT and what == words.hours + town.NOON and made < 0:
        matter = "lunch is at the café"
    place = where - words.places
    spot = PLACES[place] if 0 <= place < len(PLACES) else "place " + str(place) if where < words.homes else "home"
    said = {mind.EVENT: "saw", mind.CHAT: "heard", mind.THOUGHT: "thought", mind.PLAN: "planned"}[kind]
    hour = made % town.SLOTS * town.HOURS
    when = f"day {made // town.SLOTS + 1}, {int(hour)}:{int(60 * (hour % 1)):02d}" if made >= 0 else "before"
    return f"{said}: {matter or f'{person}, {spot}'} ({when})"


def ties(run: el.Run) -> Figure:
    """The network at the beginning and at the end."""
    fig, axes = house.new(cols=2, width=9.0, height=4.6)
    d = _of(run, "full").isel(seed=_median_town(_of(run, "full")))
    for ax, time, title in zip(axes, (0, -1), ("before the first day", "after the second day"), strict=True):
        knows = d["knows"].isel(time=time).transpose("agent", "other").values
        talks = d["ties"].isel(time=time).transpose("agent", "other").values
        n = len(knows)
        angle = 2 * np.pi * np.arange(n) / n
        spot = np.column_stack([np.cos(angle), np.sin(angle)])
        for i, j in zip(*np.nonzero(np.triu(knows)), strict=True):
            strength = min(1.0, 0.25 + 0.1 * talks[i, j])
            ax.plot(*spot[[i, j]].T, color=BLUE, linewidth=0.9, alpha=strength, zorder=1)
        ax.scatter(*spot.T, s=20 + 12 * knows.sum(axis=1), color=SLATE, linewidths=0, zorder=3)
        ax.plot(*(1.0 * spot[town.PARTY]), "*", color=RED, markersize=13, zorder=4)
        ax.set_aspect("equal")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_xlim(-1.2, 1.2)
        ax.set_ylim(-1.2, 1.2)
        density = knows.sum() / (n * (n - 1))
        house.finish(ax, title=f"{title.capitalize()}: density {density:.2f}")
    return fig
