"""Figure of `language_metrics`: structure over time against its chance level, every metric at the end, the words."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 5  # conditions that can be told apart in one panel

_NAMES = {
    "topsim": "topographic similarity", "mantel_r": "Mantel r", "posdis": "positional disent.",
    "bosdis": "bag-of-symbols disent.", "informativeness": "informativeness", "consistency": "consistency",
    "context_independence": "context independence", "symbol_match": "concept-symbol match",
    "reconstruction": "reconstruction error", "residual_entropy": "residual entropy",
    "read_attribute": "reader: one attribute", "read_exact": "reader: all attributes",
}  # fmt: skip


def draw(result: Result) -> Figure:
    """Three panels: the metric over time, all metrics at the last record, distinct messages over time."""
    d = result.diagnostics
    metric = str(d.attrs["metric"])
    time = d[d.attrs["time_name"]].values
    conditions = [str(c) for c in d["condition"].values][:_MOST]
    timed = bool(d.attrs["timed"]) and len(time) > 1
    if timed:
        fig, axes = style.new(1, 3, width=12.0, height=3.7, width_ratios=[1.0, 1.0, 1.0])
        left, middle, right = axes
        clock = d.attrs["time_name"] + (f" ({d.attrs['time_unit']})" if d.attrs["time_unit"] else "")
        _over_time(left, d, metric, time, conditions)
        style.finish(left, title="Structure, and what chance gives", xlabel=clock, ylabel=_NAMES.get(metric, metric))
        for i, condition in enumerate(conditions):
            style.band(right, time, d["distinct"].values[i], label=condition, colour=_colour(i))
        style.finish(right, title="Different messages", xlabel=clock, ylabel="messages", ylim=(0, None))
    else:
        fig, axes = style.new(1, 2, width=9.6, height=3.7, width_ratios=[1.0, 1.3])
        left, middle = axes
        groups = {c: d[f"{metric}_z"].values[i, :, -1] for i, c in enumerate(conditions)}
        style.bars(left, groups)
        style.finish(left, title="Structure of each seed", ylabel=f"z of {_NAMES.get(metric, metric)}", chance=0.0)
    _metrics(middle, result, conditions)
    if len(conditions) > 1:
        handles = [left.plot([], [], color=_colour(i), linewidth=2.4, label=c)[0] for i, c in enumerate(conditions)]
        fig.legend(handles, conditions, loc="outside upper right", ncols=len(conditions), frameon=False, fontsize=8.5)
    return fig


def _colour(i: int) -> str:
    return style.COLOURS[i % len(style.COLOURS)]


def _over_time(ax: Any, d: Any, metric: str, time: Float[np.ndarray, "time"], conditions: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # times at which no seed has a language
        chance = np.nanmean(d[f"{metric}_chance"].values, axis=(0, 1))
        spread = np.nanmean(d[f"{metric}_sd"].values, axis=(0, 1))
    seen = np.isfinite(chance) & np.isfinite(spread)
    if seen.any():
        ax.fill_between(
            time[seen], (chance - 1.96 * spread)[seen], (chance + 1.96 * spread)[seen], color=style.GREY, alpha=0.45,
            linewidth=0, zorder=1,
        )  # fmt: skip
        at = int(np.flatnonzero(seen)[-1])
        ax.annotate(
            "chance, 95%", (time[at], chance[at]), xytext=(-2, 0), textcoords="offset points", ha="right", va="center",
            fontsize=7.5, color=style.MUTED,
        )  # fmt: skip
    for i, _ in enumerate(conditions):
        style.band(ax, time, d[metric].values[i], colour=_colour(i))


def _metrics(ax: Any, result: Result, conditions: list[str]) -> None:
    """Each metric at the last record: its interval as a dot and a line, its chance level as a grey bar."""
    table, seeds = result.to_frame("summary"), result.to_frame("seeds")
    table = table[table["chance_sd"].notna() & table["value"].notna()]
    names = [n for n in _NAMES if n in set(table["metric"])]
    if not names:
        ax.text(0.5, 0.5, "no metric is defined", transform=ax.transAxes, ha="center", color=style.MUTED)
        ax.set_axis_off()
        return
    for row, name in enumerate(names):
        for i, condition in enumerate(conditions):
            found = table[(table["metric"] == name) & (table["condition"] == condition)]
            if not len(found):
                continue
            r = found.iloc[0]
            at = row + (i - (len(conditions) - 1) / 2) * 0.7 / len(conditions)
            low, high = r["chance"] - 1.96 * r["chance_sd"], r["chance"] + 1.96 * r["chance_sd"]
            ax.plot([low, high], [at, at], color=style.GREY, linewidth=5.0, alpha=0.7, solid_capstyle="butt", zorder=2)
            if np.isfinite(r["low"]):
                ax.plot([r["low"], r["high"]], [at, at], color=_colour(i), linewidth=1.5, zorder=3)
            own = seeds.loc[seeds["condition"] == condition, name].dropna()
            ax.plot(own, np.full(len(own), at), "o", color=_colour(i), markersize=3, alpha=0.35, markeredgewidth=0)
            ax.plot([r["value"]], [at], "o", color=_colour(i), markersize=5, zorder=4)
    ax.set_yticks(range(len(names)), [_NAMES[n] for n in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(False, axis="y")
    style.finish(ax, title="Last record (grey: chance)", xlabel="value")
