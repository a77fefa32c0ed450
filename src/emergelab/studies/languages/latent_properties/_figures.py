"""The figures of the study `latent-properties`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.colors import ListedColormap
from scipy import stats

from emergelab import figures
from emergelab.figures import COLOURS, GREY, HEATMAP, INK, MUTED

from ._claims import MARK
from ._scenes import HELD, LEVELS, PROPERTIES, meanings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

NAMES = {
    "one": "one", "two": "two", "four": "four", "wide": "one,\nwide", "four-random": "four,\nshuffled",
    "four-same": "four,\nsame", "one-kept": "one,\nkept", "four-kept": "four,\nkept",
    "four-staggered": "four,\nin turn",
}  # fmt: skip
HUES = {
    "one": COLOURS[1], "one-kept": COLOURS[4], "wide": COLOURS[3], "two": COLOURS[5], "four": COLOURS[0],
    "four-kept": COLOURS[7], "four-staggered": COLOURS[2], "four-random": COLOURS[6], "four-same": COLOURS[2],
}  # fmt: skip
SYMBOLS = ListedColormap(["#F2C14E", "#4DAEDB", "#0A8F6C", "#D9590B", "#8A5BA6", "#8A94A3", "#B98B5E", "#0B6FB8"])


def _have(run: Run, names: Sequence[str]) -> list[str]:
    there = {str(c) for c in run.data.condition.values}
    return [n for n in names if n in there]


def _ends(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed ..."]:
    return run.data[name].sel(condition=condition).isel(time=-1).transpose("seed", ...).values.astype(float)


def _curves(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return run.data[name].sel(condition=condition).transpose("seed", "time").values.astype(float)


def _known(run: Run, condition: str, name: str) -> Any:
    return run.info["conditions"][condition]["parameters"][name]


def _channel(run: Run, condition: str) -> int:
    return int(_known(run, condition, "agents")) * int(_known(run, condition, "positions"))


def _middle(run: Run, condition: str) -> int:
    """The seed whose code is the median one by `posdis`: what is shown is not chosen by hand."""
    values = np.nan_to_num(_ends(run, "posdis", condition))
    return int(np.argsort(values)[(len(values) - 1) // 2])


# -- how disentangled -------------------------------------------------------------------------------------------------


def draw_lottery(run: Run) -> Figure:
    """Disentanglement at the end, seed by seed, by three measures and with the level of chance of each."""
    fig, axes = figures.new(1, 3, width=11.4, height=4.0, sharex=True)
    chosen = _have(run, ("one", "wide", "two", "four", "four-random", "four-same"))
    panels = (
        ("posdis_best", "The paper's measure, best agent", MARK),
        ("posdis_mean", "The paper's measure, mean of agents", None),
        ("posdis", "The usual measure, all positions", None),
    )
    for ax, (name, title, mark) in zip(axes, panels, strict=True):
        figures.bars(ax, {NAMES[c]: _ends(run, name, c) for c in chosen}, colours=[HUES[c] for c in chosen])
        for i, c in enumerate(chosen):
            level = float(np.nanmean(_ends(run, f"{name}_chance", c)))
            ax.plot([i - 0.36, i + 0.36], [level, level], color=INK, linewidth=1.6, linestyle=(0, (1.5, 1.2)), zorder=7,
                    label="chance: messages about other scenes" if i == 0 else None)  # fmt: skip
        if mark is not None:
            ax.axhline(mark, color=GREY, linewidth=1.2, zorder=1)
            ax.text(0.995, mark + 0.012, "mark", color=MUTED, fontsize=7.5, ha="right", va="bottom",
                    transform=ax.get_yaxis_transform())  # fmt: skip
        ax.tick_params(axis="x", labelsize=7.8)
        figures.finish(ax, title=title, ylim=(0, 1.08))
    figures.finish(axes[0], ylabel="positional disentanglement")
    figures.finish(axes[2], legend="upper left")
    return fig


def draw_understanding(run: Run) -> Figure:
    """Accuracy on levels never seen together, by the size of the channel, and how well properties are told."""
    fig, (left, right) = figures.new(1, 2, width=10.4, height=4.0, width_ratios=(1.25, 1))
    chosen = _have(run, ("one", "wide", "two", "four", "four-random", "four-same"))
    figures.bars(left, {NAMES[c]: _ends(run, "holdout", c) for c in chosen}, colours=[HUES[c] for c in chosen])
    for i, c in enumerate(chosen):
        marks = (("teacher_holdout", "D", "without a channel"), ("accuracy", "_", "scenes of training"))
        for name, mark, words in marks:
            left.plot([i], [_ends(run, name, c).mean()], mark, color=INK, markersize=5 if mark == "D" else 13,
                      mew=0 if mark == "D" else 1.6, label=words if i == 0 else None, zorder=8)  # fmt: skip
        left.text(i, 0.03, f"{_channel(run, c)}", ha="center", fontsize=8.5, color=MUTED)
    left.text(-0.58, 0.085, "symbols in all:", fontsize=7.5, color=MUTED, ha="left")
    left.tick_params(axis="x", labelsize=8)
    figures.finish(left, title="Levels never seen together", ylabel="both answers right", ylim=(0, 1.2), chance=0.25,
                   legend="upper left")  # fmt: skip
    left.legend_.set(ncols=2)
    for c in chosen:
        right.plot(_ends(run, "coverage", c), _ends(run, "posdis_mean", c), "o", color=HUES[c], markersize=5,
                   alpha=0.75, mew=0, label=NAMES[c].replace("\n", " "))  # fmt: skip
    figures.finish(right, title="Pure is not the same as told", ylim=(0, 1.04), xlim=(0, 1.02),
                   xlabel="worse told property, share of its entropy (best position)",
                   ylabel="the paper's measure, mean of agents", legend="outside")  # fmt: skip
    return fig


# -- what is said -----------------------------------------------------------------------------------------------------


def draw_code(run: Run) -> Figure:
    """Information of every position about each property, and its most frequent symbol for every pair of levels."""
    chosen = _have(run, ("one", "wide", "four"))
    fig, axes = figures.new(len(chosen), 9, width=12.4, height=1.95 * len(chosen) + 0.5, squeeze=False,
                            width_ratios=(2.4, *(1,) * 8))  # fmt: skip
    for row, condition in zip(axes, chosen, strict=True):
        seed, count = _middle(run, condition), _channel(run, condition)
        shared = _ends(run, "shared", condition)[seed][:count].T / np.log(len(LEVELS))
        image = row[0].imshow(shared, vmin=0, vmax=1, cmap=HEATMAP, aspect="auto")
        for (y, x), value in np.ndenumerate(shared):
            row[0].text(x, y, f"{value:.1f}".lstrip("0") or "0", ha="center", va="center", fontsize=7.5,
                        color="white" if value < 0.55 else INK)  # fmt: skip
        row[0].set_yticks([0, 1], PROPERTIES)
        row[0].set_xticks(range(count), [str(p + 1) for p in range(count)])
        row[0].grid(False)
        agents = int(_known(run, condition, "agents"))
        for a in range(1, agents):
            row[0].axvline(a * count / agents - 0.5, color="white", linewidth=2.0)
        measure = _ends(run, "posdis", condition)[seed]
        figures.finish(row[0], title=f"{NAMES[condition].replace(chr(10), ' ')} (posdis {measure:.2f})")
        tokens = _ends(run, "tokens", condition)[seed].astype(int)
        for p, ax in enumerate(row[1:]):
            _grid(ax, tokens[:, p], p, per=count // agents, agents=agents) if p < count else ax.set_axis_off()
    bar = fig.colorbar(image, ax=axes[:, 0], location="bottom", shrink=0.8, aspect=22)
    bar.set_label("share of a property's entropy told", fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    axes[-1, 1].set_xlabel("friction", fontsize=8)
    axes[-1, 1].set_ylabel("elasticity", fontsize=8)
    return fig


def _grid(ax: Axes, said: Int[np.ndarray, "scene"], position: int, per: int, agents: int) -> None:
    """Rows are elasticity from below, columns friction; black frames are held-out levels."""
    side = len(LEVELS)
    levels = meanings(len(said) // side**2)
    table, share = np.zeros((side, side), int), np.zeros((side, side))
    for e in range(side):
        for f in range(side):
            here = said[(levels == (e, f)).all(axis=1)]
            values, counts = np.unique(here, return_counts=True)
            table[e, f], share[e, f] = values[counts.argmax()], counts.max() / len(here)
    ax.imshow(table % SYMBOLS.N, cmap=SYMBOLS, vmin=-0.5, vmax=SYMBOLS.N - 0.5, alpha=0.35 + 0.65 * share,
              origin="lower")  # fmt: skip
    for (e, f), symbol in np.ndenumerate(table):
        ax.text(f, e, "abcdefghijklmnopqrstuvwxyz"[symbol % 26], ha="center", va="center", fontsize=7.5, color=INK)
    for e, f in HELD:
        ax.plot([f - 0.5, f + 0.5, f + 0.5, f - 0.5, f - 0.5], [e - 0.5, e - 0.5, e + 0.5, e + 0.5, e - 0.5],
                color=INK, linewidth=1.1)  # fmt: skip
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.set_xlim(-0.56, side - 0.44)
    ax.set_ylim(-0.56, side - 0.44)
    whose = f" (agent {position // per + 1})" if agents > 1 else ""
    ax.set_title(f"position {position + 1}{chr(10) + whose.strip() if whose else ''}", fontsize=8, fontweight="normal",
                 loc="center", pad=3)  # fmt: skip


# -- what is cut ------------------------------------------------------------------------------------------------------


def draw_surgery(run: Run) -> Figure:
    """What silence costs: single positions, agents, and all positions of a property."""
    chosen = _have(run, ("one", "wide", "four"))
    fig, axes = figures.new(1, 3, width=11.6, height=3.9, width_ratios=(1.35, 1, 1.15))
    left, middle, right = axes
    shades = (COLOURS[0], COLOURS[1])
    step = 0
    ticks: list[tuple[float, str]] = []
    for condition in chosen:
        cost, count = _ends(run, "cost", condition), _channel(run, condition)
        # Positions have no order that seeds share: from the one that costs most to the one that costs least.
        ranked = -np.sort(-cost[:, :count].max(axis=2), axis=1)
        x = step + np.arange(count)
        mean, half = ranked.mean(axis=0), np.array([_half(c) for c in ranked.T])
        left.bar(x, mean, width=0.8, color=HUES[condition], alpha=0.45, linewidth=0)
        left.errorbar(x, mean, yerr=half, color=INK, linewidth=1.1, capsize=2, linestyle="none")
        ticks.append((float(x.mean()), NAMES[condition].replace("\n", " ")))
        step += count + 1
    left.set_xticks([t for t, _ in ticks], [w for _, w in ticks])
    left.grid(False, axis="x")
    figures.finish(left, title="One position silent", ylabel="accuracy lost (worse question)", ylim=(0, None),
                   xlabel="positions of each, from the most to the least costly")  # fmt: skip
    width = 0.2
    for i, condition in enumerate(chosen):
        sets = _ends(run, "cost_set", condition)
        for told in range(2):
            for asked in range(2):
                value = sets[:, told, asked]
                at = i + (2 * told + asked - 1.5) * width
                words = f"asked for {PROPERTIES[asked]}" if i == 0 and told == asked else None
                middle.bar(at, value.mean(), width=0.9 * width, color=shades[asked], linewidth=0, label=words,
                           alpha=0.85 if told == asked else 0.4)  # fmt: skip
                middle.errorbar(at, value.mean(), yerr=_half(value), color=INK, linewidth=1.1, capsize=2)
            middle.text(i + (2 * told - 1) * width, -0.045, PROPERTIES[told][:1], ha="center", va="top",
                        fontsize=8, color=MUTED)  # fmt: skip
    middle.set_xticks(range(len(chosen)), [NAMES[c] for c in chosen])
    middle.tick_params(axis="x", pad=14)
    middle.grid(False, axis="x")
    figures.finish(middle, title="All positions of a property silent", ylabel="accuracy lost", legend="upper right",
                   ylim=(-0.03, 0.66))  # fmt: skip
    names = _have(run, ("one", "wide", "two", "four", "four-same"))
    figures.bars(right, {NAMES[c]: _ends(run, "swapped", c) for c in names}, colours=[HUES[c] for c in names])
    for i, c in enumerate(names):
        right.plot([i - 0.31, i + 0.31], [_ends(run, "accuracy", c).mean()] * 2, color=INK, linewidth=1.4,
                   label="messages as they are" if i == 0 else None)  # fmt: skip
    right.tick_params(axis="x", labelsize=8)
    figures.finish(right, title="A property's positions exchanged", ylabel="answers as the edit should make them",
                   ylim=(0, 1.12), chance=0.25, legend="upper left")  # fmt: skip
    return fig


def _half(row: Float[np.ndarray, "seed"]) -> float:
    """Half of the 95 % t interval of the mean."""
    n = int(np.isfinite(row).sum())
    return float(stats.t.ppf(0.975, n - 1) * np.nanstd(row, ddof=1) / np.sqrt(n)) if n > 2 else 0.0


# -- how it comes about -----------------------------------------------------------------------------------------------


def draw_training(run: Run) -> Figure:
    """Disentanglement and understanding over training, with and without new listeners."""
    fig, axes = figures.new(2, 3, width=11.6, height=5.6, sharex=True)
    time = run.data.time.values
    rows = (("one", "one-kept"), ("four", "four-kept", "four-staggered"))
    panels = (("posdis", "disentanglement (usual)"), ("coverage", "worse told property"), ("holdout", "unseen levels"))
    words = {"one": "renewed together", "four": "renewed together", "one-kept": "for ever", "four-kept": "for ever",
             "four-staggered": "renewed in turn"}  # fmt: skip
    for row, conditions in zip(axes, rows, strict=True):
        for ax, (name, label) in zip(row, panels, strict=True):
            for condition in _have(run, conditions):
                figures.band(ax, time, _curves(run, name, condition), words[condition], HUES[condition], seeds=6)
            figures.finish(ax, ylabel=label, ylim=(0, 1.02))
        first = _have(run, conditions)
        if first and (life := int(_known(run, first[0], "life"))) > 0:
            for ax in row:
                births = np.arange(life, time[-1], life)
                ax.plot(births, np.full(len(births), 0.015), "|", color=MUTED, markersize=7, mew=1.0, zorder=6)
    figures.finish(axes[0, 0], title="One sender")
    figures.finish(axes[1, 0], title="Four senders")
    for ax in axes[:, 2]:
        ax.axhline(0.25, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)))
    for ax in axes[1]:
        figures.finish(ax, xlabel="updates (ticks: new listeners)")
    for ax in axes[:, 0]:
        figures.finish(ax, legend="upper right")
    return fig
