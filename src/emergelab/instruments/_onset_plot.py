"""Figure of `onset`: the mean curve, the same curves set to a common onset, and the share that has not
emerged yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from emergelab.figures import style
from emergelab.statistics import KaplanMeier, kaplan_meier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 7  # conditions that can be told apart in one panel


def draw(result: Result) -> Figure:
    """Three panels: mean over seeds; seeds aligned at their own onset; Kaplan-Meier."""
    d = result.diagnostics
    time = d["time"].values
    logarithmic = _log_like(time)
    name, unit = d.attrs["observable"], d.attrs["unit"]
    clock = d.attrs["time_name"] + (f" ({d.attrs['time_unit']})" if d.attrs["time_unit"] else "")
    label = name + (f" ({unit})" if unit and unit != "1" else "")
    fig, (left, middle, right) = style.new(1, 3, width=11.0, height=3.5)
    conditions = [str(c) for c in d["condition"].values][:_MOST]
    several = len(conditions) > 1
    for i, condition in enumerate(conditions):
        colour = style.COLOURS[i % len(style.COLOURS)]
        values = d["value"].values[i]
        onset, emerged = d["onset"].values[i], d["emerged"].values[i]
        seen = np.isfinite(values).any(axis=0)
        mean = np.nanmean(values[:, seen], axis=0) if seen.any() else np.empty(0)
        for row in values:
            left.plot(_shown(time, logarithmic), row, color=colour, linewidth=0.6, alpha=0.28)
        left.plot(_shown(time, logarithmic)[seen], mean, color=colour, linewidth=2.4)
        _aligned(middle, time, values, onset, emerged, logarithmic, colour)
        middle.plot([], [], color=colour, linewidth=2.4, label=condition)
        last = d["last"].values[i]
        known = np.isfinite(last)
        after = np.where(np.isfinite(d["after"].values[i]), d["after"].values[i], 0.0)
        _survival(right, np.where(emerged, onset, last)[known], emerged[known], after[known], colour, logarithmic)
    theta = d["theta"].values
    if np.isfinite(theta).any() and np.nanmax(theta) - np.nanmin(theta) < 1e-12 * max(
        1.0, abs(float(np.nanmax(theta)))
    ):
        level = float(np.nanmax(theta))
        for ax in (left, middle):
            ax.axhline(level, color=style.GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    if logarithmic:
        _log_ticks(left, time)
        _log_ticks(right, time)
    right.set_xlim(left.get_xlim())
    if not logarithmic and len(time) > 1:
        reach = 0.4 * float(time[-1] - time[0])  # near enough to see how abrupt the rise is
        middle.set_xlim(-reach, reach)
    style.finish(left, title="Mean over seeds", xlabel=clock, ylabel=label)
    apart = "time / own onset" if logarithmic else f"{clock} after own onset"
    style.finish(middle, title="Seeds set to their own onset", xlabel=apart, ylabel=label)
    style.finish(right, title="Not yet emerged", xlabel=clock, ylabel="share of seeds", ylim=(-0.03, 1.05))
    if several:
        handles, names = middle.get_legend_handles_labels()
        fig.legend(handles, names, loc="outside upper right", ncols=len(names), frameon=False, fontsize=8.5)
    if not d["emerged"].values.any():
        middle.text(0.5, 0.5, "no seed emerged", transform=middle.transAxes, ha="center", color=style.MUTED)
    return fig


def _log_like(time: Float[np.ndarray, "time"]) -> bool:
    gaps = np.diff(time)
    return bool(len(gaps) and time.min() >= 0 and gaps.max() > 20 * gaps.min())


def _shown(time: Float[np.ndarray, "time"], logarithmic: bool) -> Float[np.ndarray, "time"]:
    """Time as drawn: its decimal logarithm on log-like grids, with 0 one half-decade before the first
    positive record."""
    if not logarithmic:
        return time
    first = time[time > 0].min()
    return np.log10(np.where(time > 0, time, first / np.sqrt(10)))


def _log_ticks(ax: Any, time: Float[np.ndarray, "time"]) -> None:
    first, last = time[time > 0].min(), time.max()
    ticks = np.arange(np.ceil(np.log10(first)), np.floor(np.log10(last)) + 1)
    places, names = list(ticks), [f"$10^{{{int(t)}}}$" if t > 1 else f"{10.0**t:g}" for t in ticks]
    if (time == 0).any():
        places, names = [np.log10(first) - 0.5, *places], ["0", *names]
    ax.set_xticks(places, names)


def _aligned(
    ax: Any,
    time: Float[np.ndarray, "time"],
    values: Float[np.ndarray, "seed time"],
    onset: Float[np.ndarray, "seed"],
    emerged: np.ndarray,
    logarithmic: bool,
    colour: str,
) -> None:
    for row, at in zip(values[emerged], onset[emerged], strict=True):
        if logarithmic:
            real = (time > 0) & (at > 0)
            ax.plot(time[real] / at, row[real], color=colour, linewidth=0.9, alpha=0.55)
            ax.set_xscale("log")
        else:
            ax.plot(time - at, row, color=colour, linewidth=0.9, alpha=0.55)
    ax.axvline(1.0 if logarithmic else 0.0, color=style.GREY, linewidth=1.0, zorder=1)


def _survival(
    ax: Any,
    durations: Float[np.ndarray, "n"],
    emerged: np.ndarray,
    after: Float[np.ndarray, "n"],
    colour: str,
    logarithmic: bool,
) -> None:
    if not len(durations):
        return
    curve = kaplan_meier(durations, emerged)
    t, share = _steps(curve, logarithmic)
    ax.step(t, share, where="post", color=colour, linewidth=2.0)
    # the fall lies somewhere between the record before the onset and the onset: between the thin line and the
    # thick one
    early, before = _steps(kaplan_meier(np.where(emerged, after, durations), emerged), logarithmic)
    ax.step(early, before, where="post", color=colour, linewidth=0.8, linestyle=(0, (2, 2)))
    if len(curve.time):
        edges = t[1:]
        low, high = np.append(curve.low, curve.low[-1]), np.append(curve.high, curve.high[-1])
        known = np.isfinite(low)
        ax.fill_between(edges[known], low[known], high[known], step="post", color=colour, alpha=0.13, linewidth=0)
    lost = durations[~emerged]
    if len(lost):
        at = np.log10(lost) if logarithmic else lost
        ax.plot(at, [curve.at(float(v)) for v in lost], "|", color=colour, markersize=9, markeredgewidth=1.6)


def _steps(curve: KaplanMeier, logarithmic: bool) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    end = max(curve.last, float(curve.time.max()) if len(curve.time) else curve.last)
    t = np.concatenate([[0.0], curve.time, [end]])
    share = np.concatenate([[1.0], curve.survival, [curve.survival[-1] if len(curve.survival) else 1.0]])
    if logarithmic:
        positive = t[t > 0].min() if (t > 0).any() else 1.0
        t = np.log10(np.where(t > 0, t, min(positive, 1.0) / np.sqrt(10)))
    return t, share
