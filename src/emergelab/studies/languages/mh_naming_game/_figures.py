"""The figures of the study `mh-naming-game`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from matplotlib.patches import Rectangle
from scipy import stats

from emergelab import figures
from emergelab.figures import COLOURS, GREY, INK, MUTED

from ._conditions import BY_AMB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

NAMES = {"mh": "Metropolis-Hastings", "all": "every word accepted", "none": "no talk"}
PAINT = {"mh": COLOURS[0], "all": COLOURS[1], "none": COLOURS[7]}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LATE = 1 / 3
"""The last part of the rounds, over which claims average."""


def _have(run: Run, names: Sequence[str]) -> list[str]:
    there = {str(c) for c in run.data.condition.values}
    return [n for n in names if n in there]


def _curves(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return run.data[name].sel(condition=condition).transpose("seed", "time").values


def _late(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed"]:
    """Mean over the last third of the rounds."""
    time = run.data.time.values
    return _curves(run, name, condition)[:, time >= time[-1] * (1 - LATE)].mean(axis=1)


def _half(row: Float[np.ndarray, "seed"]) -> float:
    n = len(row)
    return float(stats.t.ppf(0.975, n - 1) * row.std(ddof=1) / np.sqrt(n)) if n > 2 else 0.0


def draw_rounds(run: Run) -> Figure:
    """Categories, agreement and acceptance over rounds, by what agents do with words."""
    fig, axes = figures.new(1, 3, width=10.6, height=3.6)
    time = run.data.time.values
    panels = (("ari", "Categories", "adjusted Rand index with the truth"),
              ("kappa", "Words", "agreement of messages (kappa)"),
              ("acceptance", "Acceptance", "share of messages accepted"))  # fmt: skip
    for ax, (name, title, words) in zip(axes, panels, strict=True):
        for c in _have(run, list(NAMES)):
            figures.band(ax, time, _curves(run, name, c), NAMES[c], PAINT[c], seeds=6)
        figures.finish(ax, title=title, xlabel="round", ylabel=words)
    first = _have(run, list(NAMES))[0]
    low, high = (float(_late(run, n, first).mean()) for n in ("ideal_alone", "ideal_both"))
    for level, text in ((low, "ideal observer with one agent's senses"), (high, "with both")):
        axes[0].axhline(level, color=GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        axes[0].text(time[-1], level + 0.008, text, ha="right", va="bottom", fontsize=7.5, color=MUTED)
    figures.finish(axes[0], ylim=(0.45, 1.06))
    figures.finish(axes[1], ylim=(-0.05, 1.05), legend="center right")
    figures.finish(axes[2], ylim=(0.5, 1.03))
    return fig


def draw_dose(run: Run) -> Figure:
    """How well scenes are categorised by how well each agent could do it alone."""
    fig, (left, right) = figures.new(1, 2, width=8.8, height=3.8, width_ratios=(1.3, 1))
    for way, by_amb in BY_AMB.items():
        have = _have(run, list(by_amb))
        x = np.array([by_amb[c] for c in have])
        rows = [_late(run, "ari", c) for c in have]
        left.errorbar(x, [r.mean() for r in rows], yerr=[_half(r) for r in rows], marker="o", capsize=3,
                      color=PAINT[way], label=NAMES[way], zorder=4)  # fmt: skip
        extra = [r - _late(run, "ideal_alone", c) for r, c in zip(rows, have, strict=True)]
        right.errorbar(x, [r.mean() for r in extra], yerr=[_half(r) for r in extra], marker="o", capsize=3,
                       color=PAINT[way], zorder=4)  # fmt: skip
        for value, row in zip(x, extra, strict=True):
            right.plot(np.full(len(row), value), row, "o", color=PAINT[way], markersize=2.6, alpha=0.25, mew=0)
    own = BY_AMB["mh"]
    have = _have(run, list(own))
    for name, style, text in (("ideal_alone", (0, (1, 1.5)), "ideal observer, one agent's senses"),
                              ("ideal_both", (0, (5, 2)), "ideal observer, both")):  # fmt: skip
        left.plot([own[c] for c in have], [_late(run, name, c).mean() for c in have], color=INK, linewidth=1.3,
                  linestyle=style, label=text, zorder=3)  # fmt: skip
    axis = "half the distance of confusable means (sd)"
    figures.finish(left, title="How well scenes are categorised", xlabel=axis, ylabel="adjusted Rand index",
                   legend="lower right")  # fmt: skip
    figures.finish(right, title="Beyond what one could know alone", xlabel=axis, chance=0.0,
                   ylabel="adjusted Rand index above the ideal")  # fmt: skip
    return fig


def draw_novel(run: Run) -> Figure:
    """Combinations that nobody has met, told by words alone."""
    fig, (left, right) = figures.new(1, 2, width=9.6, height=3.7, width_ratios=(1.25, 1))
    words = {"mh": "MH", "central": "both minds\nopen", "one-mind": "one\nmind", "mh-no-ownership": "MH, no\nownership",
             "coin": "half\naccepted", "all": "all\naccepted", "none": "no talk"}  # fmt: skip
    chosen = _have(run, list(words))
    paint = {"mh": COLOURS[0], "central": COLOURS[2], "one-mind": COLOURS[2], "mh-no-ownership": COLOURS[5],
             "coin": COLOURS[4], "all": COLOURS[1], "none": COLOURS[7]}  # fmt: skip
    for ax, name, title, axis in (
        (left, "novel", "New combinations understood", "share of scenes, every modality right"),
        (right, "imagined", "Senses imagined", "error (sd of a sense)"),
    ):
        few = chosen if name == "novel" else [c for c in chosen if c not in ("central", "coin")]
        figures.bars(ax, {words[c]: _late(run, name, c) for c in few}, colours=[paint[c] for c in few])
        for i, c in enumerate(few):
            level = _late(run, f"{name}_scrambled", c).mean()
            ax.plot([i - 0.31, i + 0.31], [level, level], color=INK, linewidth=1.4, linestyle=(0, (1.5, 1.5)), zorder=7,
                    label="words of another scene" if i == 0 else None)  # fmt: skip
        if name == "novel":
            level = _late(run, "novel_ceiling", "mh").mean()
            ax.axhline(level, color=GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
            ax.text(len(few) - 0.45, level + 0.012, "a perfect code, told by one\nwho knows the categories", ha="right",
                    va="bottom", fontsize=7.5, color=MUTED)  # fmt: skip
        ax.tick_params(axis="x", labelsize=7.8)
        figures.finish(ax, title=title, ylabel=axis, legend="upper right" if name == "novel" else False)
    figures.finish(left, ylim=(0, 1.05))
    return fig


def draw_lexicon(run: Run, condition: str = "mh") -> Figure:
    """What words mean to both agents at the end of one run, and what they say for each combination."""
    seed = run.data.seed.values[0]
    at = run.data.lexicon.sel(condition=condition, seed=seed).isel(time=-1)
    table = at.transpose("agent", "modality", "word", "kind").values
    modalities, kinds = table.shape[1], table.shape[3]
    fig, axes = figures.new(1, 4, width=11.0, height=3.7, width_ratios=(1, 1, 1.05, 1.05))
    for agent in range(2):
        ax = axes[agent]
        flat = np.concatenate(list(table[agent]), axis=1)
        ax.imshow(flat, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ax.set_yticks(range(flat.shape[0]), _letters(range(flat.shape[0])))
        ax.set_xticks(range(flat.shape[1]), [str(k + 1) for k in range(kinds)] * modalities)
        ax.grid(False)
        for m in range(1, modalities):
            ax.axvline(m * kinds - 0.5, color=INK, linewidth=1.2)
        figures.finish(ax, title=f"Agent {LETTERS[agent]}: words", xlabel="true category, by modality",
                       ylabel="word" if agent == 0 else None)  # fmt: skip
        _messages(axes[2 + agent], table[agent].argmax(axis=1), f"Agent {LETTERS[agent]}: messages", agent == 0)
    return fig


def _letters(words: Sequence[int] | range) -> list[str]:
    return [LETTERS[w % len(LETTERS)] + (str(w // len(LETTERS)) if w >= len(LETTERS) else "") for w in words]


def _messages(ax: Axes, best: Int[np.ndarray, "modality kind"], title: str, label: bool) -> None:
    """What is said for each combination of the first two modalities; held-out ones are framed."""
    kinds = best.shape[1]
    ax.set_xlim(-0.5, kinds - 0.5)
    ax.set_ylim(kinds - 0.5, -0.5)
    for i in range(kinds):
        for j in range(kinds):
            held_out = (j + 1 - i) % kinds == 0
            if held_out:
                ax.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, facecolor="#FBE9DD", edgecolor=COLOURS[1],
                                       linewidth=1.2))  # fmt: skip
            ax.text(j, i, " ".join(_letters([int(best[0, i]), int(best[1, j])])), ha="center", va="center", fontsize=11,
                    color=COLOURS[1] if held_out else INK, family="monospace")  # fmt: skip
    ax.set_xticks(range(kinds), [str(k + 1) for k in range(kinds)])
    ax.set_yticks(range(kinds), [str(k + 1) for k in range(kinds)])
    ax.grid(False)
    figures.finish(ax, title=title, xlabel="category, modality 2",
                   ylabel="category, modality 1" if label else None)  # fmt: skip
