"""Figure of `skill_efficiency`: skill against experience, multipliers of the pairs, ranks by each stand-in."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from emergelab.figures import style
from emergelab.instruments._skill_efficiency_standins import STANDINS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 8  # systems that can be told apart in one panel
_PAIRS = 12


def draw(result: Result) -> Figure:
    """Three panels; the curves are means over tasks of the share of the way from chance to the ceiling."""
    d = result.diagnostics
    systems = [str(s) for s in d["system"].values][:_MOST]
    several = len(systems) > 1
    fig, axes = style.new(1, 3 if several else 2, width=12.0 if several else 8.0, height=3.8)
    left = axes[0]
    axis = d.attrs["axis"] + (f" ({d.attrs['axis_unit']})" if d.attrs["axis_unit"] else "")
    single = d.sizes["task"] == 1
    x = d["experience"].values
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # records that no seed has
        values = d["skill"].values
        if not single:
            low, high = d["low"].values[:, None], d["high"].values[:, None]
            values = (values - low) / np.where(high == low, np.nan, high - low)
        values = np.nanmean(values, axis=2)
    for i, system in enumerate(systems):
        style.band(left, x, values[i], label=system, colour=_colour(i))
    if single:
        left.axhline(float(d["theta"].values[0]), color=style.GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    if len(x) > 1 and x[-1] > 20 * x[0]:
        left.set_xscale("log")
    unit = f" ({d.attrs['unit']})" if d.attrs["unit"] not in ("", "1") else ""
    label = str(d.attrs["observable"]) + unit if single else "share of the way to the ceiling"
    style.finish(left, title="Skill against experience", xlabel=axis, ylabel=label)
    if several:
        _multipliers(axes[1], result, systems)
        _ranks(axes[2], result, systems)
        handles, names = left.get_legend_handles_labels()
        fig.legend(handles, names, loc="outside upper right", ncols=len(names), frameon=False, fontsize=8.5)
    else:
        _reached(axes[1], result, axis)
    return fig


def _colour(i: int) -> str:
    return style.COLOURS[i % len(style.COLOURS)]


def _multipliers(ax: Any, result: Result, systems: list[str]) -> None:
    """Experience of the second system over that of the first, with its interval."""
    pairs = result.to_frame("pairs")
    pairs = pairs[pairs["a"].isin(systems) & pairs["b"].isin(systems) & np.isfinite(pairs["multiplier"])]
    pairs = pairs.sort_values("p", kind="stable").head(_PAIRS)
    for row, (_, r) in enumerate(pairs.iterrows()):
        colour = style.INK if r["verdict"] != "inconclusive" else style.MUTED
        if np.isfinite(r["low"]):
            ax.plot([r["low"], r["high"]], [row, row], color=colour, linewidth=1.6)
        ax.plot([r["multiplier"]], [row], "o", color=colour, markersize=5)
    ax.axvline(1.0, color=style.GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ticks = [t for t in (0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 100) if low <= t <= high] or [1]
    ax.set_xticks(ticks, [f"{t:g}x" for t in ticks])
    ax.minorticks_off()
    ax.set_yticks(range(len(pairs)), [f"{r.b} / {r.a}" for r in pairs.itertuples()])
    ax.set_ylim(max(len(pairs), 1) - 0.4, -0.6)
    ax.grid(False, axis="y")
    style.finish(ax, title="Experience to theta", xlabel="ratio (right: first needs more)")


def _ranks(ax: Any, result: Result, systems: list[str]) -> None:
    """Mean rank of each system by each stand-in."""
    table = result.to_frame("ranks")
    for i, system in enumerate(systems):
        ranks = table.loc[table["system"] == system, list(STANDINS)].to_numpy(dtype=float)[0]
        ax.plot(range(len(STANDINS)), ranks, "-o", color=_colour(i), linewidth=1.4, markersize=5)
    names = ("threshold", "area", "final\nskill", "shortfall", "score")
    ax.set_xticks(range(len(STANDINS)), names)
    top = len(result.to_frame("ranks"))
    ax.set_ylim(top + 0.3, 0.7)
    ax.set_yticks(range(1, top + 1))
    ax.grid(False, axis="x")
    style.finish(ax, title="Rank by each stand-in", ylabel="mean rank (1 is best)")


def _reached(ax: Any, result: Result, axis: str) -> None:
    """Experience at which each run reached the threshold; open marks: not by the last record."""
    table = result.to_frame("tasks")
    tasks = list(dict.fromkeys(table["task"]))[:20]
    for row, task in enumerate(tasks):
        own = table[table["task"] == task]
        got, lost = own["experience"].dropna(), own.loc[own["never"], "last_record"]
        ax.plot(got, np.full(len(got), row), "o", color=_colour(0), markersize=5, alpha=0.7)
        ax.plot(lost, np.full(len(lost), row), "o", color=_colour(0), markersize=5, markerfacecolor="none")
    ax.set_yticks(range(len(tasks)), tasks if len(tasks) > 1 else ["all runs"])
    ax.set_ylim(len(tasks) - 0.4, -0.6)
    ax.grid(False, axis="y")
    style.finish(ax, title="Reached (open: not yet)", xlabel=axis)
