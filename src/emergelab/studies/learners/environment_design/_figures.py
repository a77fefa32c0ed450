"""The figures of the study `environment-design`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from matplotlib.colors import ListedColormap

from emergelab import figures
from emergelab.figures import COLOURS, GREY, INK

from ._suite import names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

LABELS = {
    "dr": "random", "minimax": "minimax", "paired": "PAIRED", "repaired": "REPAIRED", "plr": "PLR",
    "robust-plr": "robust PLR", "accel": "ACCEL",
}  # fmt: skip
COLOUR = dict(zip(LABELS, (GREY, COLOURS[1], COLOURS[0], COLOURS[4], COLOURS[2], COLOURS[3], COLOURS[5]), strict=True))
MOMENTS = 5
_SIGNS = ListedColormap(["#ffffff", INK, "#2e9e5b", "#d1495b"])


def _have(run: Run, wanted: tuple[str, ...] = tuple(LABELS)) -> list[str]:
    known = {str(c) for c in run.data.condition.values}
    return [name for name in wanted if name in known]


def _curves(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return run.data[name].sel(condition=condition).transpose("seed", "time", ...).values


def draw_gallery(run: Run) -> Figure:
    """Levels of one seed along the training."""
    shown = _have(run)
    time = run.data.time.values
    at = np.unique(np.linspace(1, len(time) - 1, MOMENTS).round().astype(int))
    fig, axes = figures.new(
        len(shown), len(at), width=1.35 * len(at) + 1.1, height=1.35 * len(shown) + 0.5, squeeze=False
    )  # fmt: skip
    for i, condition in enumerate(shown):
        levels = run.data["gallery"].sel(condition=condition).isel(seed=0, shown=0).transpose("time", "y", "x").values
        for j, k in enumerate(at):
            ax = axes[i, j]
            _draw_level(ax, levels[k])
            if i == 0:
                ax.set_title(f"update {int(time[k])}", fontsize=9, loc="center")
            if j == 0:
                ax.set_ylabel(LABELS[condition], rotation=0, ha="right", va="center", fontsize=9)
    return fig


def _draw_level(ax: Axes, level: Int[np.ndarray, "y x"]) -> None:
    height, width = level.shape
    ax.imshow(level, cmap=_SIGNS, vmin=0, vmax=3)
    ax.set_xticks(np.arange(-0.5, width), minor=True)
    ax.set_yticks(np.arange(-0.5, height), minor=True)
    ax.grid(True, which="minor", color="#d9d9d9", linewidth=0.5)
    ax.grid(False, which="major")
    ax.tick_params(which="both", length=0, labelbottom=False, labelleft=False)


def draw_growth(run: Run) -> Figure:
    """What the lessons' levels are like, and how far they are mastered, over training."""
    fig, axes = figures.new(2, 3, width=10.4, height=5.6, sharex=True)
    panels = (
        ("path", "shortest way (cells)", "How far the goal is"),
        ("blocks", "walls", "How much is built"),
        ("solvable", "share of levels", "Goal can be reached"),
        ("solved", "share of levels", "Solved by the protagonist"),
        ("solved_path", "shortest way (cells)", "How far it comes"),
        ("zero_shot", "share of test mazes", "Mazes never trained on"),
    )
    for ax, (name, what, title) in zip(axes.ravel(), panels, strict=True):
        for condition in _have(run):
            figures.band(
                ax, run.data.time.values, _curves(run, name, condition), LABELS[condition], COLOUR[condition], seeds=0
            )
        share = name in ("solvable", "solved", "zero_shot")
        last = ax in axes[1]
        figures.finish(
            ax, title=title, ylabel=what, xlabel="update" if last else None, ylim=(0, 1.03) if share else (0, None)
        )  # fmt: skip
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=8.5)
    return fig


def draw_transfer(run: Run) -> Figure:
    """Test mazes at the end: all hard ones together with a dot a seed, and each maze by itself."""
    shown = _have(run)
    fig, axes = figures.new(1, 2, width=10.4, height=4.0, width_ratios=(1.0, 1.35))
    bars = {LABELS[c]: _curves(run, "hard", c)[:, -1] for c in shown}
    figures.bars(axes[0], bars, colours=[COLOUR[c] for c in shown])
    axes[0].tick_params(axis="x", rotation=35)
    figures.finish(axes[0], title="Labyrinths and perfect mazes", ylabel="share solved", ylim=(0, 1))
    each = np.stack([_curves(run, "transfer", c)[:, -1].mean(0) for c in shown])
    size = int(next(iter(run.info["conditions"].values()))["parameters"]["size"])
    picture = axes[1].imshow(each, vmin=0, vmax=1, aspect="auto", cmap=figures.HEATMAP)
    for (i, j), value in np.ndenumerate(each):
        axes[1].text(j, i, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=7.5,
                     color="white" if value < 0.55 else INK)  # fmt: skip
    axes[1].set_xticks(range(each.shape[1]), names(size), rotation=35, ha="right", fontsize=8)
    axes[1].set_yticks(range(len(shown)), [LABELS[c] for c in shown], fontsize=8)
    axes[1].grid(False)
    figures.finish(axes[1], title="Share solved, maze by maze")
    fig.colorbar(picture, ax=axes[1], pad=0.02)
    return fig


def draw_regret(run: Run) -> Figure:
    """Regret against the shortest way along the training, and what the designer is paid beside the true regret."""
    fig, axes = figures.new(1, 2, width=9.6, height=3.9)
    for condition in _have(run):
        x, y = (np.nanmean(_curves(run, name, condition)[:, 1:], axis=0) for name in ("path", "regret"))
        colour = COLOUR[condition]
        axes[0].plot(x, y, color=colour, linewidth=1.6, label=LABELS[condition])
        axes[0].plot(x[-1], y[-1], "o", color=colour, markersize=6)
    figures.finish(
        axes[0], title="From the first lesson to the last (dot)", xlabel="shortest way (cells)",
        ylabel="true regret (return)", legend=True,
    )  # fmt: skip
    for condition in _have(run, ("paired", "repaired")):
        time = run.data.time.values
        figures.band(
            axes[1], time, _curves(run, "payment", condition), f"{LABELS[condition]}: as paid", COLOUR[condition]
        )
        figures.band(
            axes[1], time, _curves(run, "regret", condition), f"{LABELS[condition]}: true", COLOUR[condition],
            seeds=0, linestyle="--",
        )  # fmt: skip
    figures.finish(
        axes[1], title="Regret as paid, and as it is", xlabel="update", ylabel="return", legend=True, chance=0
    )
    return fig
