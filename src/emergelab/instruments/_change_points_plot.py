"""Figure of `change_points`: the curves with the places that seeds share, and the changes of every seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.colors import ListedColormap

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 6  # conditions that can be told apart in one panel
_ROWS = 40  # seeds whose names are written
_SHARED = 3  # shared places that are shaded


def draw(result: Result) -> Figure:
    """Curves above (odd seeds in another colour), changes of every seed below, on one clock."""
    d = result.diagnostics
    time = d["time"].values
    log = bool(d.attrs["log_axis"])
    x = _shown(time, log)
    values = d["value"].values
    conditions = [str(c) for c in d["condition"].values][:_MOST]
    rows = len(conditions) * values.shape[1]
    tall = 0.7 + 0.16 * min(rows, _ROWS)
    fig, (top, low) = style.new(2, 1, width=8.0, height=3.1 + tall, sharex=True, height_ratios=(3.1, tall))
    name, unit = d.attrs["observable"], d.attrs["unit"]
    clock = d.attrs["time_name"] + (f" ({d.attrs['time_unit']})" if d.attrs["time_unit"] else "")
    several = values.shape[-1] > 1
    odd = {(r.condition, r.seed) for r in result.tables["seeds"].itertuples() if r.odd}
    for i, condition in enumerate(conditions):
        colour = style.COLOURS[0] if len(conditions) == 1 else style.COLOURS[2 + i]
        for j, seed in enumerate(d["seed"].values.tolist()):
            strange = (condition, seed) in odd
            for c in range(values.shape[-1]):
                y = _unit(values[i, j, :, c]) - 4.0 * c if several else values[i, j, :, c]
                top.plot(
                    x,
                    y,
                    color=style.COLOURS[1] if strange else colour,
                    linewidth=1.1 if strange or values.shape[1] == 1 else 0.8,
                    alpha=0.95 if strange or values.shape[1] == 1 else 0.45,
                    zorder=4 if strange else 3,
                )
        if len(conditions) > 1:
            top.plot([], [], color=colour, label=condition)
    if odd:
        top.plot([], [], color=style.COLOURS[1], label="odd seed")
    _shade(top, low, result, time, x)
    _raster(low, result, conditions, d["seed"].values.tolist(), time, x, odd)
    if log:
        _log_ticks(low, time)
    if several:
        top.set_yticks([-4.0 * c for c in range(values.shape[-1])], [str(c) for c in d["channel"].values])
    title = {"no change": "No change"}.get(result.verdict, result.verdict.capitalize())
    style.finish(top, title=title, ylabel="" if several else name + (f" ({unit})" if unit and unit != "1" else ""))
    if odd or len(conditions) > 1:
        style.finish(top, legend=True)
    style.finish(low, xlabel=clock, ylabel="seed")
    return fig


def _unit(y: Float[np.ndarray, "time"]) -> Float[np.ndarray, "time"]:
    seen = y[np.isfinite(y)]
    spread = float(seen.std()) if len(seen) else 0.0
    return (y - seen.mean()) / spread if spread > 0 else y * 0.0


def _shown(time: Float[np.ndarray, "time"], log: bool) -> Float[np.ndarray, "time"]:
    """Time as drawn: its decimal logarithm on log-like grids, 0 half a decade before the first positive record."""
    if not log:
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


def _shade(top: Any, low: Any, result: Result, time: Float[np.ndarray, "time"], x: Float[np.ndarray, "time"]) -> None:
    """Places that several seeds share, as bands through both panels."""
    shared = result.tables["consensus"]
    one = len(result.tables["seeds"]) == 1
    shared = shared[shared["seeds"] > 1] if not one else shared
    for n, row in enumerate(shared.sort_values("seeds", ascending=False).head(None if one else _SHARED).itertuples()):
        a, b = np.interp([row.after, row.upto], time, x)
        for ax in (top, low):
            ax.axvspan(a, b, color=style.COLOURS[4], alpha=0.30, linewidth=0, zorder=1)
            ax.axvline((a + b) / 2, color=style.COLOURS[4], linewidth=0.8, alpha=0.6, zorder=1)
        if not one and n < _SHARED:
            top.text(
                (a + b) / 2,
                1.0,
                f"{row.seeds}/{row.of}",
                transform=top.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=8,
                color=style.MUTED,
            )


def _raster(
    ax: Any,
    result: Result,
    conditions: list[str],
    seeds: list[Any],
    time: Float[np.ndarray, "time"],
    x: Float[np.ndarray, "time"],
    odd: set[tuple[str, Any]],
) -> None:
    """One line a seed: each change as a triangle (up or down) with the interval of its place."""
    line = {(c, s): n for n, (c, s) in enumerate((c, s) for c in conditions for s in seeds)}
    for row in result.tables["changes"].itertuples():
        at = line.get((row.condition, row.seed))
        if at is None:
            continue
        colour = style.COLOURS[1] if (row.condition, row.seed) in odd else style.INK
        a, b, left, right = np.interp([row.after_low, row.upto_high, row.after, row.upto], time, x)
        ax.plot([a, b], [at, at], color=colour, linewidth=1.6, alpha=0.45, solid_capstyle="butt")
        marker = "v" if row.size < 0 else "^"
        ax.plot((left + right) / 2, at, marker, color=colour, markersize=5.0, markeredgewidth=0)
    names = [str(s) if len(conditions) == 1 else f"{c} {s}" for c, s in line]
    step = max(1, -(-len(names) // _ROWS))
    _states(ax, result, line, time, x)
    ax.set_yticks(range(0, len(names), step), names[::step], fontsize=7)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(False, axis="y")
    if not len(result.tables["changes"]):
        ax.text(0.5, 0.5, "no change found", transform=ax.transAxes, ha="center", color=style.MUTED)


def _states(
    ax: Any,
    result: Result,
    line: dict[tuple[str, Any], int],
    time: Float[np.ndarray, "time"],
    x: Float[np.ndarray, "time"],
) -> None:
    """The state of every record of a training map, as coloured ground behind each seed's changes."""
    if "state" not in result.diagnostics or len(time) < 2:
        return
    state = result.diagnostics["state"].values.reshape(-1, len(time))[: len(line)]
    if not np.isfinite(state).any():
        return
    count = int(np.nanmax(state)) + 1
    shades = ListedColormap(colormaps[style.HEATMAP](np.linspace(0.15, 1.0, count)))
    edge = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    ground = np.ma.masked_invalid(state)
    ax.pcolormesh(
        edge, np.arange(len(state) + 1) - 0.5, ground, cmap=shades, vmin=-0.5, vmax=count - 0.5, alpha=0.45, zorder=0
    )
    for k in range(count):
        ax.fill_between([], [], [], color=shades(k), alpha=0.45, linewidth=0, label=f"state {k}")
    style.finish(ax, legend="outside")
