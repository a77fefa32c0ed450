"""The figures of the study `lewis-signalling`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.patches import Patch
from scipy import stats

from emergelab import figures
from emergelab.figures import COLOURS, GREY, INK, MUTED

from ._conditions import BY_MAJORITY, BY_STATES, EXCHANGED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

SHADES = ("#0B6FB8", "#0A8F6C", "#D99A00", "#D9590B")
PUBLISHED = {2: 0.0, 3: 0.096, 4: 0.214, 8: 0.594}
"""Share of runs that pool, by states (Barrett 2006, as we recall)."""


def _have(run: Run, names: Sequence[str]) -> list[str]:
    there = {str(c) for c in run.data.condition.values}
    return [n for n in names if n in there]


def _curves(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return run.data[name].sel(condition=condition).transpose("seed", "time").values


def _ends(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed"]:
    return _curves(run, name, condition)[:, -1]


def _half(row: Float[np.ndarray, "seed"]) -> float:
    n = len(row)
    return float(stats.t.ppf(0.975, n - 1) * row.std(ddof=1) / np.sqrt(n)) if n > 2 else 0.0


def _states(run: Run, condition: str) -> int:
    return int(run.info["conditions"][condition]["parameters"]["states"])


def draw_learning(run: Run) -> Figure:
    """Success and information over plays, by the number of states."""
    fig, (left, middle, right) = figures.new(1, 3, width=10.6, height=3.6)
    time = run.data.time.values
    for (c, n), shade in zip(BY_STATES.items(), SHADES, strict=True):
        if c not in _have(run, [c]):
            continue
        figures.band(left, time, _curves(run, "success", c), None, shade, seeds=0)
        low, high = (
            run.data.spread.sel(condition=c).isel(quantile=q).mean("seed").values for q in (0, 2)
        )
        left.fill_between(time, low, high, color=shade, alpha=0.10, linewidth=0)
        figures.band(middle, time, _curves(run, "information", c) / np.log2(n), f"{n} states", shade, seeds=0)
        figures.band(right, time, _curves(run, "pooling", c), None, shade, seeds=0)
        left.axhline(1 / n, color=shade, linewidth=0.9, linestyle=(0, (4, 3)), alpha=0.7, zorder=1)
    figures.finish(left, title="Success", xlabel="play", ylabel="chance that the act fits", ylim=(0, 1.03))
    figures.finish(middle, title="Information", xlabel="play", ylabel="share of the state told", ylim=(0, 1.03),
                   legend="lower right")  # fmt: skip
    figures.finish(right, title="Pooling", xlabel="play", ylabel="pairs whose likeliest code fails", ylim=(0, 1.03))
    left.text(time[-1], 0.02, "shade: 10 to 90 % of the pairs; dashed: chance", fontsize=7, color=MUTED, ha="right")
    return fig


def draw_pooling(run: Run) -> Figure:
    """How many pairs pool at the end: by states, by prior, by rule."""
    fig, (left, middle, right) = figures.new(1, 3, width=11.4, height=3.8, width_ratios=(1, 0.9, 2.1))
    have = _have(run, list(BY_STATES))
    x = np.array([BY_STATES[c] for c in have], float)
    rows = [_ends(run, "pooling", c) for c in have]
    left.errorbar(x, [r.mean() for r in rows], yerr=[_half(r) for r in rows], marker="o", capsize=3, color=COLOURS[0],
                  label="here", zorder=4)  # fmt: skip
    left.plot(list(PUBLISHED), list(PUBLISHED.values()), "D", color=INK, markersize=5, mfc="white",
              label="Barrett 2006,\n$10^6$ plays", zorder=5)  # fmt: skip
    left.set_xscale("log", base=2)
    left.set_xticks(x, [f"{v:g}" for v in x])
    left.margins(x=0.1)
    figures.finish(left, title="More states", xlabel="states", ylabel="pairs that pool", ylim=(-0.03, 1.0),
                   legend="upper left")  # fmt: skip
    for suffix, colour, text in (("", COLOURS[0], "urns"), ("-forgetting", COLOURS[2], "forgetting"),
                                 ("-punishment", COLOURS[1], "punishment")):  # fmt: skip
        some = {c + suffix: p for c, p in BY_MAJORITY.items()}
        have = _have(run, list(some))
        rows = [_ends(run, "pooling", c) for c in have]
        middle.errorbar([some[c] for c in have], [r.mean() for r in rows], yerr=[_half(r) for r in rows], marker="o",
                        capsize=3, color=colour, label=text, zorder=4)  # fmt: skip
    middle.margins(x=0.08)
    figures.finish(middle, title="An unlike prior", xlabel="chance of the first of two states", ylim=(-0.03, 1.0),
                   legend="upper left")  # fmt: skip
    words = {
        "n4": "urns", "n4-light": "light\nurns", "n4-heavy": "heavy\nurns", "n4-forgetting": "forget-\nting",
        "n4-punishment": "punish-\nment", "n4-bush-mosteller": "Bush-\nMosteller", "n4-q-learning": "values",
        "n4-win-stay": "win-stay", "n4-replicator": "repli-\ncator",
    }  # fmt: skip
    chosen = _have(run, list(words))
    paint = [COLOURS[0] if c in ("n4", "n4-light", "n4-heavy") else COLOURS[3] for c in chosen]
    figures.bars(right, {words[c]: _ends(run, "pooling", c) for c in chosen}, colours=paint)
    right.tick_params(axis="x", labelsize=7.8)
    figures.finish(right, title="Four states: how players learn", ylim=(-0.03, 1.0))
    return fig


def draw_codes(run: Run) -> Figure:
    """In how many states the likeliest codes are right, and what some pairs say."""
    fig, axes = figures.new(1, 4, width=11.4, height=3.7, width_ratios=(1.9, 1, 1, 1))
    left = axes[0]
    words = {"n2": "2", "n3": "3", "n4": "4", "n8": "8", "n8-forgetting": "8,\nforget", "n8-punishment": "8,\npunish",
             "n8-win-stay": "8,\nwin-stay"}  # fmt: skip
    have = _have(run, list(words))
    tints = ("#0B6FB8", "#4DAEDB", "#F2C879", "#D9590B")
    labels = ("all states", "all but one", "all but two", "fewer")
    for i, c in enumerate(have):
        share = run.data.levels.sel(condition=c).isel(time=-1).mean("seed").values
        n, below = _states(run, c), 0.0
        parts = [share[n], share[n - 1], share[n - 2], share[: max(n - 2, 0)].sum()]
        for part, tint in zip(parts, tints, strict=True):
            left.bar(i, part, bottom=below, width=0.7, color=tint, linewidth=0)
            below += part
    left.set_xticks(range(len(have)), [words[c] for c in have])
    left.grid(False, axis="x")
    figures.finish(left, title="Codes are right in", xlabel="states", ylabel="share of pairs", ylim=(0, 1))
    left.legend(handles=[Patch(color=t, label=x) for t, x in zip(tints, labels, strict=True)], frameon=False,
                loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)  # fmt: skip
    for ax, c in zip(axes[1:], _have(run, ("n4", "n8", "n8-win-stay")), strict=False):
        _code(ax, run, c)
    return fig


def _code(ax: Axes, run: Run, condition: str) -> None:
    """States, the likeliest signal in each, and the likeliest act after that, for the first pair of the first seed."""
    at = run.data.sel(condition=condition).isel(seed=0, time=-1)
    n = _states(run, condition)
    says, does = at.says.values.astype(int)[:n], at.does.values.astype(int)[:n]
    for state in range(n):
        act = does[says[state]]
        right = act == state
        colour = INK if right else COLOURS[1]
        y = -state
        ax.text(0.0, y, f"{state + 1}", ha="center", va="center", fontsize=10, color=colour)
        ax.text(1.0, y, "abcdefgh"[says[state]], ha="center", va="center", fontsize=11, color=colour, weight="bold")
        ax.text(2.0, y, f"{act + 1}", ha="center", va="center", fontsize=10, color=colour)
        for begin in (0.2, 1.2):
            arrow = {"arrowstyle": "->", "color": GREY if right else colour}
            ax.annotate("", (begin + 0.6, y), (begin, y), arrowprops=arrow)
    ax.set_xlim(-0.5, 2.5)
    ax.set_ylim(-n + 0.4, 0.9)
    ax.set_xticks([0, 1, 2], ["state", "signal", "act"])
    ax.set_yticks([])
    ax.grid(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    names = {"n4": "A pair, 4 states", "n8": "A pair, 8 states", "n8-win-stay": "Win-stay, 8 states"}
    figures.finish(ax, title=names[condition])


def draw_conventions(run: Run) -> Figure:
    """Listeners exchanged half-way; stability of codes."""
    fig, (left, right) = figures.new(1, 2, width=8.8, height=3.5)
    time = run.data.time.values
    for c, colour, text in (("n4", COLOURS[0], "left alone"), ("n4-exchanged", COLOURS[1], "listeners exchanged")):
        figures.band(left, time, _curves(run, "success", c), text, colour, seeds=8)
    left.axvline(EXCHANGED, color=GREY, linewidth=1.0)
    figures.finish(left, title="A code is private", xlabel="play", ylabel="chance that the act fits", chance=0.25,
                   ylim=(0, 1.03), legend="lower left")  # fmt: skip
    names = {"n4": ("urns", COLOURS[0]), "n4-forgetting": ("forgetting", COLOURS[2]),
             "n4-q-learning": ("values", COLOURS[3]), "n4-win-stay": ("win-stay", COLOURS[4])}  # fmt: skip
    for c in _have(run, list(names)):
        figures.band(right, time, _curves(run, "stability", c), names[c][0], names[c][1], seeds=0)
    figures.finish(right, title="Codes settle", xlabel="play", ylabel="states with the signal of 500 plays before",
                   ylim=(None, 1.01), legend="lower right")  # fmt: skip
    return fig
