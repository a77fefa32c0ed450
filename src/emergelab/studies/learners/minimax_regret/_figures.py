"""The figures of the study `minimax-regret`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from emergelab import figures
from emergelab.figures import COLOURS, GREY, INK

from ._boards import COLUMNS, boards, level
from ._system import DISCOUNT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

LABELS = {
    "chance": "chance", "minus-return": "paid by minus return", "regret": "paid by the antagonist's lead",
    "slow": "the same, slowly", "true-regret": "paid by true regret", "replay": "replay by true regret",
    "direct": "worst boards directly",
}  # fmt: skip
COLOUR = dict(zip(LABELS, (GREY, COLOURS[1], COLOURS[0], COLOURS[5], COLOURS[4], COLOURS[3], INK), strict=True))


def _have(run: Run) -> list[str]:
    known = {str(c) for c in run.data.condition.values}
    return [name for name in LABELS if name in known]


def _curves(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return run.data[name].sel(condition=condition).transpose("seed", "time", ...).values


def draw_course(run: Run) -> Figure:
    """Worst regret, mean return, and what is set, over the updates."""
    fig, axes = figures.new(1, 3, width=11.0, height=3.7, sharex=True)
    panels = (
        ("worst", "largest regret (return)", "On the worst board"),
        ("mean_return", "return", "On all boards alike"),
        ("solvable", "share of boards", "Boards set that can be solved"),
    )
    for ax, (name, what, title) in zip(axes, panels, strict=True):
        for condition in _have(run):
            figures.band(
                ax, run.data.time.values, _curves(run, name, condition), LABELS[condition], COLOUR[condition], seeds=6,
                linestyle="--" if condition == "direct" else "-",
            )  # fmt: skip
        figures.finish(
            ax, title=title, ylabel=what, xlabel="update", ylim=(0, 1.03 if name == "solvable" else None)
        )  # fmt: skip
    _legend(fig, axes[1])
    return fig


def _legend(fig: Figure, ax: Axes) -> None:
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False, fontsize=8.5)


def draw_boards(run: Run) -> Figure:
    """Regret on each seed's boards at the end, the worst first, and two boards."""
    fig, axes = figures.new(1, 3, width=11.0, height=3.7, width_ratios=(3.0, 0.8, 0.8))
    table = boards(DISCOUNT)
    rank = np.arange(1, len(table.way) + 1)
    for condition in _have(run):
        worst_first = -np.sort(-_curves(run, "by_board", condition)[:, -1], axis=1)
        dashed = "--" if condition == "direct" else "-"
        figures.band(axes[0], rank, worst_first, LABELS[condition], COLOUR[condition], seeds=0, linestyle=dashed)
    figures.finish(
        axes[0], title="Regret at the end, board by board", xlabel="board (each seed's worst first)",
        ylabel="regret (return)", ylim=(0, None),
    )  # fmt: skip
    _legend(fig, axes[0])
    for ax, which in ((axes[1], int(np.argmin(table.way))), (axes[2], int(np.argmax(table.way)))):
        board = level(*(int(x) for x in table.number[which]))
        ax.imshow(np.where(np.asarray(board.wall), 1.0, 0.0), cmap="Greys", vmin=0, vmax=1.25)
        ax.text(COLUMNS[table.number[which][2]], 0, "G", ha="center", va="center", color=COLOURS[2], fontweight="bold")
        ax.text(2, 4, "S", ha="center", va="center", color=COLOURS[1], fontweight="bold")
        ax.set_xticks([])
        ax.set_yticks([])
        figures.finish(ax, title=f"{int(table.way[which])} moves")
    return fig
