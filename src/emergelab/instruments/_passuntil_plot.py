"""Figure of `passuntil`: the rate on logarithmic axes, and F over ln N with its fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 6
_DASHES: dict[str, Any] = {"linear": "-", "quadratic": (0, (5, 2)), "items": (0, (1, 1.5))}


def draw(result: Result) -> Figure:
    """Two panels: PU with its intervals, and F with the line, the parabola and the fit item by item."""
    d = result.diagnostics
    where = d.attrs["along"] + (f" ({d.attrs['unit']})" if d.attrs["unit"] else "")
    fig, (left, right) = style.new(1, 2, width=10.0, height=3.9)
    names = [str(c) for c in d["condition"].values][:_MOST]
    for i, name in enumerate(names):
        colour = style.COLOURS[i % len(style.COLOURS)]
        _rates(left, d, i, colour, name)
        _plane(right, d, i, colour, several=len(names) > 1)
    left.set_xscale("log")
    right.set_xscale("log")
    shown = d["pu"].values
    if (shown > 0).any():
        left.set_yscale("log")
    style.finish(left, title=f"Verdict: {result.verdict}", xlabel=where, ylabel=d.attrs["name"] + " (PU)")
    style.finish(right, title="Straight if PU = exp(-c N$^{-a}$)", xlabel=where, ylabel="F = ln(-ln PU)")
    if right.get_legend_handles_labels()[0]:
        right.legend(loc="lower left", frameon=False)
    if len(names) > 1:
        left.legend(loc="lower right", frameon=False)
    return fig


def _rates(ax: Any, d: Any, i: int, colour: str, name: str) -> None:
    x, pu = d["x"].values, d["pu"].values[i]
    low, high = d["low"].values[i], d["high"].values[i]
    good = pu > 0
    half = np.stack([np.nan_to_num(pu - low), np.nan_to_num(high - pu)])[:, good]
    # a lower end at zero has no place on a log axis: the bar is cut at a tenth of the rate
    half[0] = np.minimum(np.maximum(half[0], 0.0), 0.9 * pu[good])
    ax.errorbar(x[good], pu[good], yerr=np.maximum(half, 0.0), fmt="o", color=colour, capsize=3.0, linewidth=1.3,
                markersize=5.0, label=name)  # fmt: skip
    nothing = (pu == 0) & np.isfinite(high) & (high > 0)
    ax.plot(x[nothing], high[nothing], "v", color=colour, markersize=6.0, markerfacecolor="white")
    with np.errstate(over="ignore", invalid="ignore"):
        model = "quadratic" if d.attrs["classes"][i] in ("concave", "convex") else "linear"
        line = np.exp(-np.exp(d["fit"].sel(model=model).values[i]))
    if good.any():
        line = np.where(line > 0.05 * min(pu[good].min(), 1.0), line, np.nan)
    ax.plot(d["grid"].values, line, color=colour, linewidth=1.6)
    if np.isfinite(d.attrs["forecast"][i]):
        ax.plot(d.attrs["forecast_to"], d.attrs["forecast"][i], "D", color=colour, markersize=6.0)


def _plane(ax: Any, d: Any, i: int, colour: str, *, several: bool) -> None:
    x, pu, grid = d["x"].values, d["pu"].values[i], d["grid"].values
    low, high = d["low"].values[i], d["high"].values[i]
    good = (pu > 0) & (pu < 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        f, f_low, f_high = (np.log(-np.log(np.clip(v, 1e-300, 1 - 1e-12))) for v in (pu, high, low))
    top = np.where(low > 0, f_high, f + (f - f_low))  # no lower end of the rate: as far as the other side
    half = np.stack([np.nan_to_num(f - f_low), np.nan_to_num(top - f)])[:, good]
    ax.errorbar(x[good], f[good], yerr=np.maximum(half, 0.0), fmt="o", color=colour, capsize=3.0, linewidth=1.3,
                markersize=5.0)  # fmt: skip
    for model, dash in _DASHES.items():
        values = d["fit"].sel(model=model).values[i]
        if not np.isfinite(values).any():
            continue
        if several and model != "linear":
            continue
        named = {"linear": "line", "quadratic": "parabola", "items": "items, one by one"}[model]
        shade = colour if model == "linear" else style.COLOURS[1 if model == "quadratic" else 2]
        ax.plot(grid, values, color=shade, linestyle=dash, linewidth=1.8, label=None if several and i else named)
