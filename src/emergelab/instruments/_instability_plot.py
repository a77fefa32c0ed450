"""Figures of `instability`: runs with their events, or the loss over rate and the edge of divergence over size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 4  # conditions drawn


def draw(result: Result) -> Figure:
    """The figure of a sweep or of runs."""
    return _sweep(result) if result.diagnostics.attrs["kind"] == "sweep" else _runs(result)


def _runs(result: Result) -> Figure:
    d = result.diagnostics
    time = d["time"].values
    gaps = np.diff(time)
    log = bool(len(gaps) and time.min() >= 0 and gaps.max() > 20 * gaps.min())
    conditions = [str(c) for c in d["condition"].values][:_MOST]
    fig, axes = style.new(1, len(conditions), width=4.0 + 3.2 * len(conditions), height=3.6, sharey=True, squeeze=False)
    name, unit = d.attrs["observable"], d.attrs["unit"]
    clock = d.attrs["time_name"] + (f" ({d.attrs['time_unit']})" if d.attrs["time_unit"] else "")
    spikes = result.tables["spikes"]
    for i, (ax, condition) in enumerate(zip(axes[0], conditions, strict=True)):
        bad = d["unstable"].values[i]
        for j in np.argsort(bad, kind="stable"):
            colour = style.COLOURS[1] if bad[j] else style.COLOURS[0]
            ax.plot(time, d["value"].values[i, j], color=colour, linewidth=1.4 if bad[j] else 0.8,
                    alpha=0.95 if bad[j] else 0.4, zorder=4 if bad[j] else 3)  # fmt: skip
        for row in spikes[spikes["condition"] == condition].itertuples():
            j = list(d["seed"].values.tolist()).index(row.seed)
            y = d["value"].values[i, j][int(np.argmin(np.abs(time - row.time)))]
            ax.plot(row.time, y, "o" if row.recovered else "X", color=style.INK, markersize=6, zorder=6,
                    markeredgewidth=0)  # fmt: skip
            if not row.recovered and len(spikes) <= 6:
                ax.annotate(f"seed {row.seed}", (row.time, y), xytext=(-7, 2), textcoords="offset points",
                            ha="right", fontsize=8, color=style.INK)  # fmt: skip
        if log:
            ax.set_xscale("symlog", linthresh=float(time[time > 0].min()))
        title = condition if len(conditions) > 1 else result.verdict.capitalize()
        label = name + (f" ({unit})" if unit and unit != "1" else "")
        style.finish(ax, title=title, xlabel=clock, ylabel=label if i == 0 else None)
    ax = axes[0][0]
    ax.plot([], [], color=style.COLOURS[0], label="stable")
    if d["unstable"].values.any():
        ax.plot([], [], color=style.COLOURS[1], label="unstable")
    if len(spikes):
        ax.plot([], [], "o", color=style.INK, label="spike")
        ax.plot([], [], "X", color=style.INK, label="no recovery")
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=4, frameon=False, fontsize=8.5)
    return fig


def _sweep(result: Result) -> Figure:
    d = result.diagnostics
    rates, sizes = d["rate"].values, d["size"].values
    conditions = [str(c) for c in d["condition"].values][:_MOST]
    fig, axes = style.new(1, len(conditions) + 2, width=3.4 * (len(conditions) + 2), height=3.5, squeeze=False)
    axes = axes[0]
    shades = colormaps[style.HEATMAP](np.linspace(0.05, 0.85, len(sizes)))
    top = np.nanmax(d["loss"].values) if np.isfinite(d["loss"].values).any() else 1.0
    low = np.nanmin(d["loss"].values) if np.isfinite(d["loss"].values).any() else 0.0
    table, edge = result.tables["sensitivity"], result.tables["boundary"]
    for i, (ax, condition) in enumerate(zip(axes, conditions, strict=False)):
        for s, size in enumerate(sizes):
            block = d["loss"].values[i, :, s]
            seen = np.isfinite(block).any(axis=0)
            ax.plot(rates[seen], np.nanmean(block[:, seen], axis=0), "o-", color=shades[s], linewidth=1.6,
                    markersize=3, label=f"{size:g}")  # fmt: skip
        ax.set_xscale("log")
        ax.set_ylim(low - 0.04 * (top - low), top + 0.06 * (top - low) + 1e-12)
        style.finish(ax, title=condition if len(conditions) > 1 else "Loss over the rate", xlabel=d.attrs["rate_name"],
                     ylabel=d.attrs["observable"] if i == 0 else None)  # fmt: skip
    if len(sizes) > 1:
        axes[0].legend(title=d.attrs["size_name"], fontsize=7, title_fontsize=7.5, loc="upper left")
    _by_size(axes[-2], table, conditions, "S", "Sensitivity", "S", d.attrs["size_name"])
    _by_size(axes[-1], edge[edge["quantity"] == "rate_c"], conditions, "rate_c", "Edge of divergence",
             f"highest stable {d.attrs['rate_name']}", d.attrs["size_name"])  # fmt: skip
    if edge["rate_c"][edge["quantity"] == "rate_c"].notna().any():
        axes[-1].set_yscale("log")
        style.log_ticks(axes[-1].yaxis)
    else:
        axes[-1].text(0.5, 0.5, "no edge inside the rates", transform=axes[-1].transAxes, ha="center",
                      color=style.MUTED, fontsize=8)  # fmt: skip
    if len(conditions) > 1:
        axes[-2].legend(fontsize=8)
    return fig


def _by_size(ax: Any, table: Any, conditions: list[str], column: str, title: str, ylabel: str, xlabel: str) -> None:
    for i, condition in enumerate(conditions):
        own = table[table["condition"] == condition]
        x, y = own["size"].to_numpy(), own[column].to_numpy()
        colour = style.COLOURS[i]
        ax.plot(x, y, "o-", color=colour, linewidth=1.8, label=condition)
        known = np.isfinite(own["low"].to_numpy())
        if known.any():
            ax.vlines(
                x[known], own["low"].to_numpy()[known], own["high"].to_numpy()[known], color=colour, linewidth=1.2
            )
    ax.set_xscale("log")
    style.finish(ax, title=title, xlabel=xlabel, ylabel=ylabel)
