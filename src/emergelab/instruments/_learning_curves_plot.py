"""Figure of `learning_curves`: the curves with their laws and baselines, and what each would have forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST = 6  # conditions that can be told apart


def draw(result: Result) -> Figure:
    """Two panels: curves, laws, band and baselines; rolling-origin errors of laws and baselines."""
    d = result.diagnostics
    unit, clock = d.attrs["unit"], d.attrs["time_unit"]
    label = d.attrs["observable"] + (f" ({unit})" if unit and unit != "1" else "")
    where = d.attrs["time_name"] + (f" ({clock})" if clock else "")
    if "law" not in d:
        fig, ax = style.new(width=5.5, height=3.6)
        style.finish(ax, title=f"Verdict: {result.verdict}", xlabel=where, ylabel=label)
        ax.text(0.5, 0.5, "no record to fit", transform=ax.transAxes, ha="center", color=style.MUTED)
        return fig
    fig, (left, right) = style.new(1, 2, width=10.4, height=4.0, width_ratios=(1.25, 1.0))
    _curves(left, result)
    style.finish(left, title=f"Verdict: {result.verdict}", xlabel=where, ylabel=label)
    _errors(right, result)
    kind = "log units" if d.attrs["kind"] == "log" else "units of the curve"
    style.finish(
        right, title="Error of forecasts from earlier records", xlabel=f"rolling-origin error ({kind}); filled: chosen"
    )
    if len(d["fitted"]) > 1 or np.isfinite(d["last_value"].values).any():
        handles, names = left.get_legend_handles_labels()
        base = [n in ("last value", "log-linear, last decade") for n in names]
        order = sorted(range(len(names)), key=lambda k: base[k])  # laws first, baselines last
        handles, names = [handles[k] for k in order], [names[k] for k in order]
        fig.legend(handles, names, loc="outside lower center", ncols=min(4, len(names)), frameon=False, fontsize=8.5)
    return fig


def _curves(ax: Any, result: Result) -> None:
    d = result.diagnostics
    x, time = d["x"].values, d["time"].values
    shown = d["fitted"].values[:_MOST]
    for i, name in enumerate(shown):
        colour = style.COLOURS[i % len(style.COLOURS)]
        values = d["value"].sel(condition=name).values
        several = len(values) > 1
        keep = time >= x[0] * (1 - 1e-9)
        if several:
            for row in values[:20]:
                ax.plot(time[keep], row[keep], color=colour, linewidth=0.6, alpha=0.28)
        mean = d["mean"].values[i]
        mean = mean if np.isfinite(mean).any() else _mean(values)
        few = np.isfinite(mean).sum() <= 60
        ax.plot(
            time[keep], mean[keep], "o", color=colour, markersize=4.2 if few else 1.6, markeredgewidth=0, alpha=0.75
        )
        law = d["law"].values[i]
        used = x <= d.attrs["used_to"][i] * (1 + 1e-9)
        told = f"{name}: {d.attrs['laws'][i]}" if len(d["fitted"]) > 1 else f"law: {d.attrs['laws'][i]}"
        ax.plot(x[used], law[used], color=colour, linewidth=2.0, label=told)
        ax.plot(x[~used], law[~used], color=colour, linewidth=2.0, linestyle=(0, (3, 1.5)))
        for key, dash in (("last_value", (0, (1, 1.6))), ("log_linear", (0, (6, 2, 1, 2)))):
            base = d[key].values[i]
            named = {"last_value": "last value", "log_linear": "log-linear, last decade"}[key] if i == 0 else None
            ax.plot(x[~used], base[~used], color=style.MUTED, linewidth=1.1, linestyle=dash, label=named, zorder=1)
    if len(d["fitted"]) == 1 and d.attrs["used_to"][0] < x[-1]:
        ax.axvline(d.attrs["used_to"][0], color=style.GREY, linewidth=1.0, zorder=0)
    _band(ax, result)
    ax.set_xscale("log")
    seen = np.concatenate([d["value"].values[..., time >= x[0]].ravel(), d["law"].values.ravel()])
    seen = seen[np.isfinite(seen)]
    if d.attrs["kind"] == "log" and len(seen) and seen.min() > 0:
        ax.set_yscale("log")
        if seen.max() / seen.min() < 20:
            _plain_ticks(ax)


def _plain_ticks(ax: Any) -> None:
    """Plain numbers on a log axis that is shorter than a decade."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)))
    formatter = ScalarFormatter()
    formatter.set_scientific(False)
    ax.yaxis.set_major_formatter(formatter)
    ax.yaxis.set_minor_formatter(NullFormatter())


def _mean(values: np.ndarray) -> np.ndarray:
    seen = np.isfinite(values)
    count = seen.sum(axis=0)
    return np.where(count > 0, np.where(seen, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _band(ax: Any, result: Result) -> None:
    """Interval of the forecast, or the band at later records."""
    ahead = result.to_frame("forecast")
    for i, name in enumerate(result.diagnostics["fitted"].values[:_MOST]):
        colour = style.COLOURS[i % len(style.COLOURS)]
        if len(ahead):
            row = ahead[(ahead["condition"] == name) & ahead["low"].notna()]
            for _, r in row.iterrows():
                ax.errorbar(
                    r["x"], r["value"], yerr=[[r["value"] - r["low"]], [r["high"] - r["value"]]], color=colour,
                    fmt="D", markersize=5.0, capsize=3.5, linewidth=1.6,
                )  # fmt: skip
        later = result.to_frame("surprise")
        mine = later[later["condition"] == name] if len(later) else later
        if len(mine) == 1:
            middle = mine["predicted"].to_numpy()
            half = [middle - mine["low"].to_numpy(), mine["high"].to_numpy() - middle]
            ax.errorbar(mine["x"], middle, yerr=half, color=colour, fmt="none", capsize=3.0, linewidth=1.2)
        elif len(mine):
            ax.fill_between(mine["x"], mine["low"], mine["high"], color=colour, alpha=0.2, linewidth=0)


def _errors(ax: Any, result: Result) -> None:
    d = result.diagnostics
    error, models = d["rolling_error"].values[:_MOST], [str(m) for m in d["model"].values]
    seen = np.isfinite(error)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(seen, np.log(np.maximum(error, 1e-12)), 0.0)
        typical = np.where(seen.any(axis=0), logs.sum(axis=0) / seen.sum(axis=0), np.nan)
    keep = np.flatnonzero(np.isfinite(typical))
    order = keep[np.argsort(typical[keep])[::-1]]
    if not len(order):
        ax.text(0.5, 0.5, "too few records to forecast from", transform=ax.transAxes, ha="center", color=style.MUTED)
        ax.set_yticks([])
        return
    baseline = set(models[-2:])
    for row, m in enumerate(order):
        grey = models[m] in baseline
        for i in range(len(error)):
            colour = style.COLOURS[i % len(style.COLOURS)]
            chosen = models[m] == d.attrs["laws"][i]
            ax.plot(
                error[i, m], row, "s" if grey else "o", color=colour, markersize=7.5 if chosen else 5.0,
                markerfacecolor=colour if chosen else "white", markeredgewidth=1.4, alpha=0.9,
            )  # fmt: skip
    ax.set_yticks(range(len(order)), [models[m] for m in order])
    for text, m in zip(ax.get_yticklabels(), order, strict=True):
        if models[m] in baseline:
            text.set_fontstyle("italic")
    ax.set_xscale("log")
    ax.set_ylim(-0.7, len(order) - 0.3)


def draw_surface(result: Result) -> Figure:
    """Two panels: the curve of every size with the surface; the largest size beside what smaller ones foretold."""
    from matplotlib import colormaps

    d, ahead = result.diagnostics, result.to_frame("surface_forecast")
    unit, clock = d.attrs["unit"], d.attrs["time_unit"]
    label = d.attrs["observable"] + (f" ({unit})" if unit and unit != "1" else "")
    where = d.attrs["time_name"] + (f" ({clock})" if clock else "")
    fig, (left, right) = style.new(1, 2, width=10.4, height=4.0)
    shades = colormaps[style.HEATMAP](np.linspace(0.0, 0.88, len(d["size"])))
    for colour, size, seen, fitted in zip(shades, d["size"].values, d["mean"].values, d["fitted"].values, strict=True):
        left.plot(d["x"], seen, "o", color=colour, markersize=3.5, markeredgewidth=0, label=f"{size:.3g}")
        left.plot(d["x"], fitted, color=colour, linewidth=1.4)
    right.plot(ahead["x"], ahead["seen"], "o", color=style.INK, markersize=4.2, markeredgewidth=0, label="seen")
    lines = (
        ("predicted", "surface without it", style.COLOURS[0], "-"),
        ("last_value", "last value along size", style.MUTED, (0, (1, 1.6))),
        ("log_linear", "log-linear, last decade of size", style.MUTED, (0, (6, 2, 1, 2))),
    )
    for key, told, colour, dash in lines:
        right.plot(ahead["x"], ahead[key], color=colour, linestyle=dash, linewidth=1.8, label=told)
    style.finish(left, title=f"Verdict: {result.verdict}", xlabel=where, ylabel=label)
    held = f"Largest size ({ahead['size'].iloc[0]:.3g}), held out" if len(ahead) else "No size could be held out"
    style.finish(right, title=held, xlabel=where, ylabel=label)
    for ax, values in ((left, d["mean"].values), (right, ahead["seen"].to_numpy())):
        seen = values[np.isfinite(values) & (values > 0)]
        if len(seen):
            ax.set(xscale="log", yscale="log", ylim=(seen.min() * 0.95, seen.max() * 1.05))
            if seen.max() / seen.min() < 20 and 1e-3 < seen.min() < 1e4:
                _plain_ticks(ax)
    left.legend(title=d.attrs["size_name"], frameon=False, fontsize=8, title_fontsize=8, ncols=2)
    right.legend(frameon=False, fontsize=8)
    return fig
