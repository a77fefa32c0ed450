"""Figure of `retention`: R over lag, the gain of each exposure, what is left of each item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emergelab.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 6  # conditions that can be told apart in one panel


def draw(result: Result) -> Figure:
    """One to three panels: the curve always, exposures and items where there are several."""
    d = result.diagnostics
    curve, exposures, items = (result.to_frame(t) for t in ("retention", "exposures", "items"))
    conditions = list(d.attrs["conditions"])[:_MOST]
    several = bool(len(exposures)) and int(exposures["exposure"].max()) > 1
    left = items[np.isfinite(items["left"].astype(float))]
    distribution = left.groupby("condition").size().max() >= 3 if len(left) else False
    panels = 1 + several + bool(distribution)
    fig, axes = style.new(1, panels, width=(5.6, 9.0, 12.0)[panels - 1], height=3.7, squeeze=False)
    places = list(axes[0])
    _curve(places.pop(0), d, curve, conditions)
    if several:
        _exposures(places.pop(0), exposures, conditions, d.attrs["observable"], d.attrs["unit"])
    if distribution:
        _items(places.pop(0), left, conditions)
    if len(conditions) > 1:
        for name, dashes in (("best law by AICc", "-"), ("line in log lag", (0, (2, 2)))):
            axes[0][0].plot([], [], color=style.MUTED, linewidth=1.4, linestyle=dashes, label=name)
        handles, names = axes[0][0].get_legend_handles_labels()
        fig.legend(handles, names, loc="outside upper right", ncols=min(len(names), 8), frameon=False, fontsize=8.5)
    return fig


def _curve(ax: Any, d: Any, table: pd.DataFrame, conditions: list[str]) -> None:
    alone = len(conditions) == 1
    for k, name in enumerate(conditions):
        rows = table[(table["condition"] == name) & np.isfinite(table["R"].astype(float))]
        if not len(rows):
            continue
        colour = style.COLOURS[k]
        ax.plot(rows["lag"], rows["R"], "o", color=colour, markersize=4.5, label="R" if alone else name)
        ax.fill_between(rows["lag"], rows["low"], rows["high"], color=colour, alpha=0.18, linewidth=0)
        law = d[f"law_{k}"]
        if law.attrs["law"]:
            ax.plot(d[f"at_{k}"], law, color=colour, linewidth=1.6,
                    label=f"best law by AICc: {law.attrs['law']}" if alone else None)  # fmt: skip
        fall = rows[rows["decay_phase"]]
        if len(fall) >= 3:
            logs = np.log10(fall["lag"].to_numpy(dtype=float))
            weight = np.sqrt(fall["records"].to_numpy(dtype=float))
            ax.plot(fall["lag"], np.polyval(np.polyfit(logs, fall["R"].to_numpy(dtype=float), 1, w=weight), logs),
                    color=style.MUTED if alone else colour, linewidth=1.2, linestyle=(0, (2, 2)),
                    label="line in log lag" if alone else None)  # fmt: skip
    drawn = bool(ax.get_lines())
    if drawn:
        ax.set_xscale("log")
    else:
        ax.text(0.5, 0.5, "no record after an exposure", transform=ax.transAxes, ha="center", color=style.MUTED)
    unit, score = d.attrs["lag_unit"], d.attrs["observable"]
    label = "share of the gain left, R" if d.attrs["ratio"] else f"{score} above its baseline, R"
    style.finish(ax, title="Retention", xlabel="lag" + (f" ({unit})" if unit else ""), ylabel=label, chance=0.0,
                 legend=alone and drawn)  # fmt: skip


def _exposures(ax: Any, table: pd.DataFrame, conditions: list[str], name: str, unit: str) -> None:
    for k, condition in enumerate(conditions):
        rows = table[table["condition"] == condition]
        at = rows["exposure"] + 0.12 * (k - (len(conditions) - 1) / 2)
        ax.plot(at, rows["effect"], "o", color=style.COLOURS[k])
        ax.vlines(at, rows["low"], rows["high"], color=style.COLOURS[k], linewidth=1.5)
    most = int(table["exposure"].max())
    ax.set_xticks(range(1, most + 1, max(1, most // 6)))
    ax.set_xlim(0.5, most + 0.5)
    label = f"gain of {name}" + (f" ({unit})" if unit and unit != "1" else "")
    style.finish(ax, title="Effect of each exposure", xlabel="exposure", ylabel=label, chance=0.0)


def _items(ax: Any, table: pd.DataFrame, conditions: list[str]) -> None:
    for k, condition in enumerate(conditions):
        left = np.sort(table[table["condition"] == condition]["left"].to_numpy(dtype=float))
        if len(left):
            rank = np.arange(1, len(left) + 1) / len(left)
            ax.step([left[0], *left], [0.0, *rank], where="post", color=style.COLOURS[k])
    ax.axvline(0.0, color=style.GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    style.finish(ax, title="Items at the longest lag", xlabel="share of the own gain left",
                 ylabel="share of items up to here", ylim=(0.0, 1.02))  # fmt: skip
