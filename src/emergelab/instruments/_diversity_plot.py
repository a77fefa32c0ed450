"""Figure of `diversity`: the rarefaction curve, diversity beside competence, and what lies within and between seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 6  # more conditions than this cannot be told apart in one panel
_NAMES = {
    "H": "behaviour entropy (share of uniform)",
    "H_conditional": "entropy within a start (share of uniform)",
    "evenness": "evenness of the Vendi score",
    "coverage": "coverage (share of cells)",
    "entropy": "entropy of the policy (share of uniform)",
    "SACo": "state-action coverage SACo",
    "success": "success rate",
    "fitness": "mean fitness of filled cells",
    "TQ": "trajectory quality TQ",
}


def draw(result: Result) -> Figure:
    """Three panels; the first shows the modes (or every seed) where there is no curve."""
    d = result.diagnostics
    seeds = result.to_frame("seeds")
    conditions = list(dict.fromkeys(seeds["condition"]))[:_MOST]
    colours = {c: style.COLOURS[i % len(style.COLOURS)] for i, c in enumerate(conditions)}
    fig, (left, middle, right) = style.new(1, 3, width=11.6, height=3.5)
    if "curve" in d:
        _curve(left, d, colours)
    else:
        _values(left, seeds, d.attrs["main"], colours)
    if d.attrs["able"]:
        _plane(middle, seeds, d.attrs["main"], d.attrs["able"], colours)
    else:
        _values(middle, seeds, "JS_to_others" if "JS_to_others" in seeds else d.attrs["main"], colours)
    _parts(right, result.to_frame("decomposition"), colours)
    if len(conditions) > 1:
        handles = [middle.plot([], [], "o", color=c, label=str(n))[0] for n, c in colours.items()]
        fig.legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False, fontsize=8.5)
    return fig


def _curve(ax: Any, d: Any, colours: dict[str, str]) -> None:
    x = d["x"].values
    for i, colour in enumerate(colours.values()):
        y = d["curve"].values[i]
        for row in y[:12]:
            ax.plot(x, row, color=colour, linewidth=0.6, alpha=0.3)
        whole = np.isfinite(y).sum(axis=0) >= max(1, 0.5 * np.isfinite(y).any(axis=1).sum())
        if whole.any():
            ax.plot(x[whole], np.nanmean(y[:, whole], axis=0), color=colour, linewidth=2.4)
    grows = d.attrs["y_name"] != "coverage"
    style.finish(
        ax,
        title="More rollouts, more behaviours?" if grows else "Cells found",
        xlabel=d.attrs["x_name"],
        ylabel=d.attrs["y_name"],
        ylim=(0.0, None),
    )


def _values(ax: Any, seeds: pd.DataFrame, measure: str, colours: dict[str, str]) -> None:
    groups = {c: seeds.loc[seeds["condition"] == c, measure].to_numpy(float) for c in colours}
    style.bars(ax, groups, colours=list(colours.values()))
    if len(groups) == 1:
        ax.set_xlim(-1.3, 1.3)
    name = _NAMES.get(measure, "JS to the other policies (share of largest)" if measure == "JS_to_others" else measure)
    title = "Between policies" if measure == "JS_to_others" else "Seeds"
    style.finish(ax, title=title, ylabel=name, ylim=(0.0, None))


def _plane(ax: Any, seeds: pd.DataFrame, x: str, y: str, colours: dict[str, str]) -> None:
    for condition, colour in colours.items():
        own = seeds[seeds["condition"] == condition]
        ax.plot(own[x], own[y], "o", color=colour, alpha=0.7, markersize=5.5, markeredgewidth=0)
    ax.margins(0.12)
    style.finish(ax, title="Diverse and able?", xlabel=_NAMES.get(x, x), ylabel=_NAMES.get(y, y))
    if x in ("H", "H_conditional", "evenness", "coverage") and len(seeds):
        style.finish(ax, xlim=(-0.05, 1.05))
    if y == "success":
        style.finish(ax, ylim=(-0.05, 1.05))


def _parts(ax: Any, parts: pd.DataFrame, colours: dict[str, str]) -> None:
    shown = parts[parts["condition"].isin(list(colours)) & np.isfinite(parts["gamma"])]
    for i, row in enumerate(shown.to_dict("records")):
        colour = colours[row["condition"]]
        ax.barh(i, row["gamma"], height=0.56, color=colour, alpha=0.25, linewidth=0)
        ax.barh(i, row["alpha"], height=0.56, color=colour, alpha=0.85, linewidth=0)
        beta = f"  β = {row['beta']:.2f}" if np.isfinite(row["beta"]) else ""
        ax.text(row["gamma"], i, beta, va="center", fontsize=8.5, color=style.MUTED)
    names = [str(c) for c in shown["condition"]]
    ax.set_yticks(range(len(names)), names if len(names) > 1 else [""] * len(names))
    pad = max(0.0, (3 - len(names)) / 2)  # a single bar must not fill the panel
    ax.set_ylim(len(names) - 0.5 + pad, -0.5 - pad)
    ax.grid(False, axis="y")
    unit = str(shown["unit"].iloc[0]) if len(shown) else "diversity"
    top = float(shown["gamma"].max()) if len(shown) else 1.0
    style.finish(
        ax, title="One seed (dark), all seeds (light)", xlabel=unit, xlim=(0.0, 1.22 * top if top > 0 else 1.0)
    )
