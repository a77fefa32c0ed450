"""Figures of `order_parameters`: scaling in four panels, or the heaps of seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emergelab.figures import style
from emergelab.instruments._order_parameters_modes import valley

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_SHADES = ("#9CCBEA", "#4DAEDB", "#0B6FB8", "#08497A", "#1C2430")  # small systems light, large ones dark
_MOST_NAMES = 14  # characters of a condition's name that fit below a strip


def draw(result: Result) -> Figure:
    """The figure that fits the question that was asked."""
    return _transition(result) if result.diagnostics.attrs["kind"] == "transition" else _modes(result)


def _shades(n: int) -> list[str]:
    at = np.linspace(0, len(_SHADES) - 1, n) if n > 1 else np.array([2])
    return [_SHADES[round(float(k))] for k in at]


def _transition(result: Result) -> Figure:
    d, curves = result.diagnostics, result.to_frame("curves")
    several = d.sizes["size"] > 1
    fig, axes = style.new(1, 4 if several else 2, width=13.0 if several else 7.5, height=3.5)
    unit = d.attrs["control_unit"]
    label = d.attrs["control_name"] + (f" ({unit})" if unit else "")
    name = d.attrs["observable"]
    control = d["control"].values
    handles = []
    for k, (size, colour) in enumerate(zip(d["size"].values, _shades(d.sizes["size"]), strict=True)):
        rows = curves[curves["size"] == size]
        (line,) = axes[0].plot(control, rows["m"], "o-", color=colour, markersize=3.5, linewidth=1.6)
        handles.append((line, f"{d.attrs['size_name']} {size:g}"))
        axes[0].fill_between(control, rows["m_low"], rows["m_high"], color=colour, alpha=0.2, linewidth=0)
        chi = axes[2] if several else axes[1]
        chi.plot(control, rows["chi"], "o-", color=colour, markersize=3.5, linewidth=1.6)
        chi.fill_between(control, rows["chi_low"], rows["chi_high"], color=colour, alpha=0.2, linewidth=0)
        if several:
            axes[1].plot(control, d["U4"].values[k], "o-", color=colour, markersize=3.5, linewidth=1.6)
    style.finish(axes[0], title="Order parameter", xlabel=label, ylabel=f"mean |{name}|")
    style.finish(axes[2 if several else 1], title="Susceptibility", xlabel=label, ylabel=r"$\chi$")
    if several:
        if (d["chi"].values > 0).all() and d["chi"].values.max() > 30 * d["chi"].values.min():
            axes[2].set_yscale("log")
            style.log_ticks(axes[2].yaxis)
        style.finish(axes[1], title="Binder cumulant", xlabel=label, ylabel=r"$U_4$")
        _collapse(axes[3], result, name)
        fig.legend(
            *zip(*handles, strict=True), loc="outside upper right", ncols=len(handles), fontsize=8.5, frameon=False
        )
    e = result.estimate
    if np.isfinite(e.value):
        for ax in axes[:3]:
            ax.axvline(e.value, color=style.COLOURS[1], linewidth=1.0, zorder=1)
            if e.claimed:
                ax.axvspan(e.low, e.high, color=style.COLOURS[1], alpha=0.10, linewidth=0, zorder=0)
    return fig


def _collapse(ax: Any, result: Result, name: str) -> None:
    d = result.diagnostics
    found = result.to_frame("critical").set_index("quantity")["value"]
    place, inverse, ratio = (float(found.get(f"{q} (collapse)", np.nan)) for q in ("lambda_c", "1/nu", "beta/nu"))
    style.finish(
        ax, title="Collapse", xlabel=r"$(\lambda-\lambda_c)\,L^{1/\nu}$", ylabel=rf"|{name}| $L^{{\beta/\nu}}$"
    )
    if not np.isfinite(place):
        ax.text(0.5, 0.5, "nothing to collapse", transform=ax.transAxes, ha="center", color=style.MUTED)
        return
    for k, (size, colour) in enumerate(zip(d["size"].values, _shades(d.sizes["size"]), strict=True)):
        x = (d["control"].values - place) * size**inverse
        ax.plot(x, d["m"].values[k] * size**ratio, "o", color=colour, markersize=4, alpha=0.9)
    ax.text(
        0.97, 0.05, rf"$1/\nu={inverse:.2f}$" + "\n" + rf"$\beta/\nu={ratio:.2f}$", transform=ax.transAxes,
        ha="right", va="bottom", fontsize=8.5, color=style.MUTED,
    )  # fmt: skip


def _modes(result: Result) -> Figure:
    d, members = result.diagnostics, result.to_frame("members")
    conditions = [str(c) for c in d["condition"].values]
    fig, (left, right) = style.new(1, 2, width=9.5, height=3.6, width_ratios=[1.6, 1.0])
    unit = d.attrs["unit"]
    label = d.attrs["observable"] + (f" ({unit})" if unit and unit != "1" else "")
    high, low, plain = style.COLOURS[0], style.COLOURS[1], style.COLOURS[7]
    colours = {"upper": high, "above": high, "lower": low, "floor": low, "": plain}
    random = np.random.default_rng(0)
    for i, condition in enumerate(conditions):
        rows = members[members["condition"] == condition]
        x = i + random.uniform(-0.22, 0.22, len(rows))
        left.scatter(x, rows["value"], s=26, c=[colours[m] for m in rows["mode"]], alpha=0.8, linewidths=0, zorder=3)
    shown = [c if len(c) <= _MOST_NAMES else c[: _MOST_NAMES - 1] + "…" for c in conditions]
    many = len(conditions) > 3
    left.set_xticks(range(len(conditions)), shown)
    if many:
        for tick in left.get_xticklabels():
            tick.set(rotation=25, ha="right", rotation_mode="anchor")
    names = {"above": "above the floor", "upper": "upper mode", "lower": "lower mode", "floor": "at the floor"}
    for mode in names:
        if (members["mode"] == mode).any():
            left.scatter([], [], s=26, color=colours[mode], label=names[mode])
    left.grid(False, axis="x")
    left.set_xlim(-0.6, len(conditions) - 0.4)
    style.finish(left, title="Every seed", ylabel=label, legend=bool((members["mode"] != "").any()))
    tested, upper = d["tested"].values, d["upper"].values.astype(bool)
    residual = d.attrs["decided_by"] == "within conditions" and result.verdict != "zero-inflated"
    if len(tested) and np.ptp(tested) > 1e-9 * np.abs(tested).max():
        bins = np.histogram_bin_edges(tested, bins=min(30, max(8, len(tested))))
        parts = [tested[~upper], tested[upper]] if upper.any() else [tested]
        right.hist(parts, bins=bins, stacked=True, color=[low, high] if upper.any() else [plain], alpha=0.85)
        grid, height, _, _ = valley(tested)
        if len(grid):
            right.plot(grid, height * len(tested) * (bins[1] - bins[0]), color=style.INK, linewidth=1.2)
    elif len(tested):
        right.text(0.5, 0.5, "all seeds agree", transform=right.transAxes, ha="center", color=style.MUTED)
    of = f"{d.attrs['observable']} minus mean of condition" if residual else label
    style.finish(right, title=result.verdict.capitalize(), xlabel=of, ylabel="seeds")
    return fig
