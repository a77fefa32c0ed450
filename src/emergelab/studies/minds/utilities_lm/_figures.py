"""Pictures of a run of the study."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.lm import Ledger

from ._ahead import DELAYS, PLANTED_RATE
from ._conditions import (
    MODEL,
    MODEL_DELAYS,
    MODEL_GOODS,
    MODEL_PROCESSES,
    NOISES,
    TRUE_DELAYS,
    TRUE_GOODS,
    TRUE_PROCESSES,
)
from ._outcomes import GOODS, planted_rate
from ._prompts import CONTROLS

SUBJECTS = {
    MODEL: "model", "thurstone": "planted\nutilities", "lexicographic": "ranked\nby rule", "position": "place\nonly",
    "coin": "coin",
}  # fmt: skip
_COLOURS = dict(zip(SUBJECTS, house.COLOURS, strict=False))


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first. What a run lacks is left out of them."""
    return (
        el.Figure(
            "controls",
            controls,
            "Left: how well a scale fitted to some answers tells the others, and what is told of answers dealt out to "
            "other pairs. Middle: how firm the preferences are. Right: correlation of the scale with that under the "
            "control questions; who means it has 1 and -1 on the left. Dots are seeds, bars means with 95 % intervals.",
        ),
        el.Figure(
            "orders",
            orders,
            "Each dot is a pair: how likely its first outcome is taken when it is shown first and when it is shown "
            "second. On the rising diagonal the order does not matter; on the falling one nothing else does.",
        ),
        el.Figure(
            "noise",
            noise,
            "Subjects with planted utilities, by the noise of their judgements: what a scale can tell of their "
            "answers, and how often triads go round in circles. Dashed: a coin. Thin lines are seeds.",
        ),
        el.Figure(
            "ranked",
            ranked,
            "The Thurstonian scale of one seed: means and widths (one standard deviation of a judgement, cut at the "
            "frame).",
        ),
        el.Figure(
            "ahead",
            ahead,
            "Left: how far the scale is from a value function of the processes whose states are compared; dashed: of "
            "processes whose ends have changed places. Middle: how often what is freely chosen from a list is the best "
            "of it by the scale; dark dashes: what the scale foretells; grey: at random. Right: what a delay leaves of "
            "a value, from points of indifference; dotted: as planted. Dots and thin lines are seeds, bars and bold "
            "lines means with 95 % intervals.",
        ),
        el.Figure(
            "rates",
            rates,
            "What one unit of a good is worth in euros, read from utility a log N + b. Dots are seeds, bars medians; "
            "a seed in which more euros are not preferred to fewer has none. The star is what was planted.",
        ),
    )


def _here(run: el.Run, wanted: Any) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [name for name in wanted if name in have]


def _end(run: el.Run, name: str, condition: str) -> np.ndarray:
    return np.asarray(run.data[name].sel(condition=condition).transpose("seed", "time").values[:, -1], float)


def controls(run: el.Run) -> Figure:
    """The headline."""
    fig, (left, middle, right) = house.new(cols=3, width=13.0, height=3.9, width_ratios=(1.25, 1, 1.5))
    names = _here(run, SUBJECTS)
    colours = [_COLOURS[n] for n in names]
    house.bars(left, {SUBJECTS[n]: _end(run, "holdout", n) for n in names}, colours=colours)
    for k, name in enumerate(names):
        nulls = _end(run, "holdout_null", name)
        null = float(nulls[np.isfinite(nulls)].mean()) if np.isfinite(nulls).any() else np.nan
        left.plot([k - 0.31, k + 0.31], [null, null], color=house.INK, linewidth=1.2, linestyle=(0, (2, 2)),
                  label="answers dealt out anew" if k == 0 else None)  # fmt: skip
    house.finish(left, title="One scale explains the choices", ylabel="held-out accuracy", ylim=(0, 1.25),
                 chance=0.5, legend="upper right")  # fmt: skip
    left.set_yticks(np.linspace(0, 1, 6))
    house.bars(middle, {SUBJECTS[n]: _end(run, "completeness", n) for n in names}, colours=colours)
    house.finish(middle, title="How firm they are", ylabel="mean |2p - 1|", ylim=(0, 1.05))
    words = {"again": "other\nwords", "avoid": "avoid\ninstead", "words": "more\nwords?", "chance": "at\nrandom"}
    asked = [n for n in names if n in (MODEL, "thurstone", "lexicographic")]
    for k, name in enumerate(asked):
        for x, control in enumerate(CONTROLS):
            values = _end(run, control, name)
            at = x + 0.25 * (k - (len(asked) - 1) / 2)
            right.plot(np.full(len(values), at), values, "o", color=_COLOURS[name], markersize=3.2, alpha=0.5, mew=0)
            if np.isfinite(values).any():
                right.plot([at - 0.1, at + 0.1], [np.nanmean(values)] * 2, color=_COLOURS[name], linewidth=2.4,
                           label=SUBJECTS[name].replace("\n", " ") if x == 0 else None)  # fmt: skip
    right.set_xticks(range(len(CONTROLS)), [words[c] for c in CONTROLS])
    right.set_xlim(-0.6, len(CONTROLS) - 0.4)
    right.grid(False, axis="x")
    house.finish(right, title="Does the scale answer the question?", ylabel="correlation with 'prefer'",
                 ylim=(-1.1, 1.1), chance=0.0, legend="lower right" if asked else False)  # fmt: skip
    return fig


def orders(run: el.Run) -> Figure:
    """What the order does, pair by pair, from the record of decisions."""
    names = _here(run, (MODEL, "thurstone", "position"))
    fig, axes = house.new(cols=max(1, len(names)), width=3.4 * max(1, len(names)) + 0.4, height=4.4, squeeze=False,
                          sharey=True)  # fmt: skip
    decisions = Ledger(run).decisions
    for ax, name in zip(axes[0], names, strict=False):
        shown: dict[tuple[int, int, int], dict[bool, float]] = {}
        for d in decisions:
            if d["condition"] != name or not d["template"].endswith("/prefer"):
                continue
            i, j = d["observation"]["items"]
            first = next(iter(d["probabilities"].values())) if d["probabilities"] else float(d["value"] is not None)
            shown.setdefault((d["seed"], min(i, j), max(i, j)), {})[i < j] = first if i < j else 1 - first
        points = np.array([(p[True], p[False]) for p in shown.values() if len(p) == 2]).reshape(-1, 2)
        ax.plot([0, 1], [0, 1], color=house.GREY, linewidth=1.0, zorder=1)
        ax.plot([0, 1], [1, 0], color=house.GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        ax.scatter(*points.T, 9, color=_COLOURS[name], alpha=0.45, linewidths=0, zorder=3)
        ax.set_aspect("equal")
        house.finish(ax, title=SUBJECTS[name].replace("\n", " ").capitalize(), xlabel="P(one), shown first",
                     ylabel="P(one), shown second" if ax is axes[0, 0] else None, xlim=(-0.03, 1.03),
                     ylim=(-0.03, 1.03))  # fmt: skip
    return fig


def noise(run: el.Run) -> Figure:
    """The ladder of noise."""
    fig, axes = house.new(cols=2, width=9.0, height=3.5)
    names = _here(run, NOISES)
    at = np.array([NOISES[n] for n in names])
    panels = {"holdout": ("What a scale can tell", "held-out accuracy", 0.5),
              "cycles": ("Triads that go round in a circle", "chance of a cycle", 0.25)}  # fmt: skip
    for k, (ax, (what, (title, label, coin))) in enumerate(zip(axes, panels.items(), strict=True)):
        if names:
            house.band(ax, at, np.array([_end(run, what, n) for n in names]).T, colour=house.COLOURS[k])
            ax.set_xscale("log")
            ax.set_xticks(at, [f"{x:g}" for x in at])
            ax.minorticks_off()
        house.finish(ax, title=title, xlabel="noise of a judgement (sd of utilities)", ylabel=label, chance=coin,
                     ylim=(0.4, 1.0) if k == 0 else (0, 0.28))  # fmt: skip
    return fig


def ranked(run: el.Run) -> Figure:
    """One seed's scales, the model's and a known subject's."""
    names = _here(run, (MODEL, "thurstone"))
    fig, axes = house.new(cols=max(1, len(names)), width=6.6 * max(1, len(names)), height=4.2, squeeze=False)
    table = run.events
    columns = [table.column(c).to_pylist() for c in ("condition", "seed", "time", "kind", "payload")]
    seed = int(run.data.seed.values[0])
    for ax, name in zip(axes[0], names, strict=False):
        made = [(t, json.loads(text)) for c, s, t, kind, text in zip(*columns, strict=True)
                if kind == "scale" and c == name and s == seed]  # fmt: skip
        if not made:
            continue
        last = max(made, key=lambda m: m[0])[1]
        order = np.argsort(last["mean"])
        mean, wide = np.asarray(last["mean"])[order], np.asarray(last["sd"])[order]
        ax.errorbar(mean, range(len(order)), xerr=wide, fmt="o", color=_COLOURS[name], elinewidth=1.2)
        ax.set_yticks(range(len(order)), [_short(last["texts"][k]) for k in order])
        house.finish(ax, title=SUBJECTS[name].replace("\n", " ").capitalize(), xlabel="utility (sd of the scale)",
                     xlim=(-4, 4))  # fmt: skip
    return fig


def _short(text: str, most: int = 46) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def rates(run: el.Run) -> Figure:
    """A forest of exchange rates."""
    fig, ax = house.new(width=7.2, height=3.2)
    names, units = _here(run, (MODEL_GOODS, TRUE_GOODS)), [*GOODS][1:]
    words = {MODEL_GOODS: ("model", house.COLOURS[0]), TRUE_GOODS: ("planted utilities, as read", house.COLOURS[1])}
    for k, name in enumerate(names):
        label, colour = words[name]
        for y, good in enumerate(units):
            values = _end(run, f"rate_{good}", name)
            values = values[np.isfinite(values)]
            at = y + 0.22 * (k - (len(names) - 1) / 2)
            ax.plot(values, np.full(len(values), at), "o", color=colour, markersize=3.4, alpha=0.55, mew=0)
            if len(values):
                ax.plot([np.median(values)] * 2, [at - 0.09, at + 0.09], color=colour, linewidth=2.6,
                        label=label if y == 0 else None)  # fmt: skip
    for y, good in enumerate(units):
        ax.plot(
            planted_rate(good), y, "*", color=house.INK, markersize=8, zorder=5, label="as planted" if y == 0 else None
        )
    one = {"water": "1 litre of water", "books": "1 book", "hours": "1 free hour"}
    ax.set_yticks(range(len(units)), [one[g] for g in units])
    ax.set_xticks(range(-3, 4), [f"{10.0**x:g}" for x in range(-3, 4)])
    house.finish(ax, title="What things are worth", xlabel="euros", xlim=(-3.3, 3.3), ylim=(-0.6, 2.6),
                 legend="outside")  # fmt: skip
    return fig


def ahead(run: el.Run) -> Figure:
    """Instrumental values, free choice, and discounting."""
    fig, (left, middle, right) = house.new(cols=3, width=13.0, height=3.9, width_ratios=(0.8, 1.3, 1.2))
    words = {MODEL_PROCESSES: "model", TRUE_PROCESSES: "planted\nutilities"}
    colours = {MODEL_PROCESSES: _COLOURS[MODEL], TRUE_PROCESSES: _COLOURS["thurstone"]}
    _beside(left, run, words, colours, "instrumental", "instrumental_null")
    house.finish(left, title="Worth what they lead to?", ylabel="distance from a value function (sd)")
    left.set_ylim(bottom=0)
    _beside(middle, run, SUBJECTS, _COLOURS, "maximised", "maximised_luce")
    nulls = [float(np.nanmax(_end(run, "maximised_null", n), initial=0.0)) for n in _here(run, SUBJECTS)]
    house.finish(middle, title="The best of many?", ylabel="free choices of the best", ylim=(0, 1.05),
                 chance=max(nulls, default=0.0) or None)  # fmt: skip
    at = np.arange(len(DELAYS))
    styles = {MODEL_DELAYS: ("model", _COLOURS[MODEL]), TRUE_DELAYS: ("planted, as read", _COLOURS["thurstone"])}
    for name in _here(run, styles):
        found = np.stack([_end(run, f"left_{months:g}", name) for months in DELAYS], axis=1)
        house.band(right, at, found, *styles[name], seeds=10)
    months = np.array(list(DELAYS))
    right.plot(at, 1 / (1 + PLANTED_RATE * months), "o:", color=house.INK, linewidth=1.0, markersize=3, label="planted")
    right.set_xticks(at, list(DELAYS.values()))
    right.set_yscale("log")
    house.log_ticks(right.yaxis)
    house.finish(right, title="What is left of a value", xlabel="delay", ylabel="factor of discount", legend="best")
    return fig


def _beside(ax: Any, run: el.Run, words: dict[str, str], colours: dict[str, str], what: str, beside: str) -> None:
    """Bars of one observable and dashed lines at the mean of another."""
    names = _here(run, words)
    house.bars(ax, {words[n]: _end(run, what, n) for n in names}, colours=[colours[n] for n in names])
    for k, name in enumerate(names):
        others = _end(run, beside, name)
        if np.isfinite(others).any():
            ax.plot(
                [k - 0.31, k + 0.31], [np.nanmean(others)] * 2, color=house.INK, linewidth=1.1, linestyle=(0, (2, 2))
            )
