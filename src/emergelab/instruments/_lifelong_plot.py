"""Figure of `lifelong`: metrics with intervals on one scale, the matrix R, and stability against plasticity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST_CONDITIONS = 5
_MOST_NUMBERS = 64  # cells of R into which their number is written
_SHORT = {"PM": "maintenance", "FT": "forward transfer", "BT": "backward transfer", "RP": "relative performance",
          "SE": "sample efficiency", "PR": "recovery"}  # fmt: skip


def draw(result: Result) -> Figure:
    """Three panels; no radar, since areas of a radar depend on the order of its axes."""
    d = result.diagnostics
    fig, (left, middle, right) = style.new(1, 3, width=12.6, height=3.7, width_ratios=(1.25, 1, 1))
    conditions = list(dict.fromkeys(result.to_frame("metrics")["condition"]))[:_MOST_CONDITIONS]
    colours = {c: style.COLOURS[i % len(style.COLOURS)] for i, c in enumerate(conditions)}
    if d.attrs["kind"] == "log":
        _six(left, result, colours)
    else:
        _differences(left, result, colours)
    _matrix(fig, middle, d, conditions)
    _plane(right, result, colours)
    engine: Any = fig.get_layout_engine()
    engine.set(w_pad=0.11)
    if len(conditions) > 1:
        handles = [right.plot([], [], "o", color=c, label=str(n))[0] for n, c in colours.items()]
        fig.legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False, fontsize=8.5)
    return fig


def _intervals(ax: Any, rows: pd.DataFrame, names: list[str], colours: dict[str, str], shown: dict[str, Any]) -> None:
    """One row a metric, one dot with its interval a condition; the value in the metric's own units at the right."""
    step = 0.6 / max(len(colours), 1)
    ax.axvline(0.0, color=style.GREY, linewidth=1.2, zorder=1)
    for i, metric in enumerate(names):
        for j, (condition, colour) in enumerate(colours.items()):
            own = rows[(rows["metric"] == metric) & (rows["condition"] == condition)]
            y = i + (j - (len(colours) - 1) / 2) * step
            if own.empty or not np.isfinite(own["typical"].iloc[0]):
                if j == 0:
                    ax.text(0.02, y, "undefined", color=style.MUTED, fontsize=8, va="center")
                continue
            low, at, high = (shown[metric](float(own[k].iloc[0])) for k in ("low", "typical", "high"))
            if np.isfinite(low) and np.isfinite(high):
                ax.plot([low, high], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt")
            ax.plot(at, y, "o", color=colour, markersize=6)
            ax.annotate(
                _told(metric, float(own["typical"].iloc[0])),
                (1.02, y),
                xycoords=("axes fraction", "data"),
                fontsize=8,
                color=colour if len(colours) > 1 else style.MUTED,
                va="center",
                annotation_clip=False,
            )
    ax.set_yticks(range(len(names)), [_SHORT.get(n, n) for n in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(False, axis="y")


def _told(metric: str, value: float) -> str:
    return f"× {value:.3g}" if metric in ("FT", "BT", "RP", "SE") else f"{value:+.2g}".replace("-", "−")


def _six(ax: Any, result: Result, colours: dict[str, str]) -> None:
    tasks = result.to_frame("tasks")
    blocks = tasks["experiences"] / tasks["learning_blocks"] if len(tasks) else pd.Series([1.0])
    length = float(blocks[np.isfinite(blocks)].mean()) if len(blocks) else 1.0

    def contrast(ratio: float) -> float:
        return (ratio - 1) / (ratio + 1)

    shown: dict[str, Any] = {m: contrast for m in ("FT", "BT", "RP", "SE")}
    shown |= {"PM": lambda v: v / 100, "PR": lambda v: v / length}
    _intervals(ax, result.to_frame("metrics"), list(_SHORT), colours, shown)
    reach = max(
        [abs(v) for line in ax.get_lines() for v in np.asarray(line.get_xdata(), float) if np.isfinite(v)] or [1]
    )
    reach = 1.15 * max(reach, 0.1)
    style.finish(
        ax,
        title="Six metrics over lifetimes",
        xlabel="contrast; PM: share of range, PR: of a block",
        xlim=(-reach, reach),
    )


def _differences(ax: Any, result: Result, colours: dict[str, str]) -> None:
    unit = result.diagnostics.attrs["unit"]
    names = ["BWT", "FWT", "intransigence", "forgetting", "plasticity"]
    _intervals(ax, result.to_frame("metrics"), names, colours, dict.fromkeys(names, lambda v: v))
    label = result.diagnostics.attrs["observable"] + (f" ({unit})" if unit and unit != "1" else "")
    style.finish(ax, title="Metrics over lifetimes", xlabel=f"difference in {label}")


def _matrix(fig: Any, ax: Any, d: Any, conditions: list[Any]) -> None:
    values = d["R"].values[0] if d["R"].size else np.empty((0, 0, 0))
    seen = np.flatnonzero(np.isfinite(values).any(axis=(0, 2)))
    values = values[:, : int(seen[-1]) + 1 if len(seen) else 0]
    count = np.isfinite(values).sum(axis=0)
    mean = np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
    if not mean.size:
        ax.text(0.5, 0.5, "nothing was evaluated", transform=ax.transAxes, ha="center", color=style.MUTED)
        style.finish(ax, title="R")
        return
    trained = d["trained"].values[0][:, : mean.shape[0]]
    names = [str(t) for t in d["task"].values]
    image = ax.imshow(mean, aspect="auto", cmap=style.HEATMAP)
    bar = fig.colorbar(image, ax=ax, fraction=0.05, pad=0.03)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    if mean.size <= _MOST_NUMBERS:
        middle = np.nanmin(mean) / 2 + np.nanmax(mean) / 2
        for (i, j), v in np.ndenumerate(mean):
            if np.isfinite(v):
                colour = style.INK if v > middle else "white"
                ax.text(
                    j, i, f"{v:.2g}" if abs(v) < 10 else f"{v:.0f}", ha="center", va="center", color=colour, fontsize=8
                )
    stages = [str(r) for r in d["record"].values[: len(mean)]]
    if len(trained) and (trained == trained[0]).all():  # one order for all: name the stages by what they taught
        stages = [names[k] if k >= 0 else "start" for k in trained[0]]
    every = max(1, len(stages) // 12)
    ax.set_yticks(range(0, len(stages), every), stages[::every])
    ax.set_xticks(range(len(names)), names, rotation=30 if max(map(len, names), default=0) > 6 else 0)
    ax.grid(False)
    which = f", {conditions[0]}" if len(conditions) > 1 else ""
    style.finish(ax, title=f"R{which}", xlabel="performance on", ylabel="after learning")


def _plane(ax: Any, result: Result, colours: dict[str, str]) -> None:
    rows = result.to_frame("lifetimes")
    options = [("RP", "PM"), ("FT_contrast", "PM"), ("plasticity", "BWT"), ("LA", "BWT")]
    x, y = next(((x, y) for x, y in options if {x, y} <= set(rows.columns) and rows[[x, y]].notna().all(axis=1).any()),
                ("LA", "BWT"))  # fmt: skip
    for condition, colour in colours.items():
        own = rows[rows["condition"] == condition]
        ax.plot(own[x], own[y], "o", color=colour, alpha=0.75, markersize=5.5, markeredgewidth=0)
    ax.axhline(0.0, color=style.GREY, linewidth=1.0, zorder=1)
    if x == "RP":
        ax.axvline(1.0, color=style.GREY, linewidth=1.0, zorder=1)
    told = {"RP": "relative performance (ratio to experts)", "FT_contrast": "forward transfer (contrast)",
            "plasticity": "plasticity (gain by learning)", "LA": "learning accuracy"}  # fmt: skip
    stable = "maintenance (points of 100)" if y == "PM" else "backward transfer BWT"
    ax.margins(0.15)
    ax.locator_params(axis="x", nbins=5)
    note = "both hold R[j, j]: its noise tilts the cloud" if y == "BWT" else None
    style.finish(ax, title="Stability against plasticity", xlabel=told[x], ylabel=stable, note=note)
