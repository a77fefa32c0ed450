"""Figure of `behaviours`: who does what when in one seed, rates by thirds of the record, and rates by threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import NullLocator

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 7  # behaviours that can be told apart
_LONGEST = 18  # letters of a name


def draw(result: Result) -> Figure:
    """Three panels: ethogram of the first seed; rates in each third with intervals over seeds; sensitivity."""
    names = [str(b) for b in result.diagnostics["behaviour"].values][:_MOST]
    fig, (left, middle, right) = style.new(
        1, 3, width=11.5, height=max(3.5, 1.6 + 0.42 * len(names)), width_ratios=[1.6, 1, 1]
    )
    _ethogram(left, result, names)
    _thirds(middle, result, names)
    _sensitivity(right, result, names)
    return fig


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _colour(i: int) -> str:
    return style.COLOURS[i % len(style.COLOURS)]


def _ethogram(ax: Any, result: Result, names: list[str]) -> None:
    d = result.diagnostics
    agents, clock = [str(a) for a in d.attrs["agents"]], d.attrs["time_name"]
    condition, seed = d["condition"].values[0], d["seed"].values[0]
    events = result.tables["events"]
    own = events[(events["condition"] == condition) & (events["seed"] == seed)]
    lane = 0.8 / len(agents)
    half = 0.5 * d.attrs["gap"]
    for i, name in enumerate(names):
        for k, agent in enumerate(agents):
            bouts = own[(own["behaviour"] == name) & (own["agent"] == agent)]
            spans = [
                (s - half, max(e - s + 2 * half, 1e-12)) for s, e in zip(bouts["start"], bouts["end"], strict=True)
            ]
            if spans:
                ax.broken_barh(spans, (i - 0.4 + k * lane, 0.9 * lane), color=_colour(i), linewidth=0)
    time = d["time"].values
    for edge in time[0] + (time[-1] - time[0]) * np.array([1 / 3, 2 / 3]):
        ax.axvline(edge, color=style.GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    ax.set_yticks(range(len(names)), [_short(n) for n in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    if len(time) > 1:
        ax.set_xlim(time[0] - half, time[-1] + half)
    ax.grid(False, axis="y")
    where = f", {condition}" if d.sizes["condition"] > 1 else ""
    lanes = f"; a lane for each of {len(agents)} agents" if len(agents) > 1 else ""
    unit = f" ({d.attrs['time_unit']})" if d.attrs["time_unit"] else ""
    style.finish(ax, title=f"Bouts, seed {seed}{where}{lanes}", xlabel=clock + unit)


def _thirds(ax: Any, result: Result, names: list[str]) -> None:
    d, table = result.diagnostics, result.tables["thirds"]
    own = table[table["condition"] == d["condition"].values[0]].set_index("behaviour")
    for i, name in enumerate(names):
        row = own.loc[name]
        x = np.arange(3) + 0.08 * (i - (len(names) - 1) / 2)
        y = row[["first", "middle", "last"]].to_numpy(dtype=float)
        label = _short(name) + (" (new)" if row["new"] else "")
        ax.plot(x, y, "o-", color=_colour(i), linewidth=1.6, markersize=4.5, label=label)
        if np.isfinite(row["low"]):
            ax.plot([x[2], x[2]], [row["low"], row["high"]], color=_colour(i), linewidth=2.4, alpha=0.45)
    ax.set_xticks(range(3), ["first", "middle", "last"])
    ax.set_xlim(-0.35, 2.35)
    ax.set_ylim(bottom=0)
    unit = d.attrs["time_unit"] or "unit of time"
    style.finish(ax, title="Rates, mean over seeds", xlabel="third of the record", ylabel=f"bouts per agent and {unit}")
    handles, labels = ax.get_legend_handles_labels()
    ax.figure.legend(handles, labels, loc="outside lower center", ncols=min(len(names), 7), fontsize=8.5, frameon=False)


def _sensitivity(ax: Any, result: Result, names: list[str]) -> None:
    d, table = result.diagnostics, result.tables["sensitivity"]
    own = table[(table["condition"] == d["condition"].values[0]) & np.isfinite(table["beside_asked"])]
    lines = 0
    for i, name in enumerate(names):
        rows = own[(own["behaviour"] == name) & own["setting"].isin(["thresholds", "as asked"])].sort_values("factor")
        if len(rows) > 1:
            ax.plot(rows["factor"], rows["beside_asked"], "o-", color=_colour(i), linewidth=1.6, markersize=4)
            lines += 1
        thin = own[(own["behaviour"] == name) & (own["setting"] == "records")]
        ax.plot(1.42 + 0.02 * i + 0 * thin["beside_asked"], thin["beside_asked"], "s", color=_colour(i), markersize=4)
    ax.axvline(1.0, color=style.GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    ax.set_xticks([0.7, 0.85, 1.0, 1.15, 1.3, 1.45], ["0.7", "0.85", "1", "1.15", "1.3", "half\nrate"])
    ax.set_xlim(0.65, 1.6)
    shown = own.loc[own["setting"] != "times", "beside_asked"]
    if len(shown) and shown.max() > 4 * max(1e-9, shown.min()) and shown.min() > 0:
        ax.set_yscale("log")
        ticks = 2.0 ** np.arange(np.floor(np.log2(shown.min())), np.ceil(np.log2(shown.max())) + 1)
        ax.set_yticks(ticks, [f"{v:g}" for v in ticks])
        ax.yaxis.set_minor_locator(NullLocator())
    else:
        ax.set_ylim(0, max(2.0, 1.1 * float(shown.max())) if len(shown) else 2.0)
    if not lines:
        ax.text(
            0.5, 0.06, "no thresholds to move", transform=ax.transAxes, ha="center", color=style.MUTED, fontsize=8.5
        )
    style.finish(
        ax, title="Sensitivity", xlabel="thresholds times; every second record", ylabel="rate beside that asked for"
    )
