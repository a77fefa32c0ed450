"""Figure of `early_warning`: the records, their strongest indicator, and what it is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from emergelab.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_EVENT, _NEUTRAL = style.COLOURS[1], style.COLOURS[7]
_MOST = 8  # records of a kind that are drawn in the first panel


def draw(result: Result) -> Figure:
    """Three panels: records up to the transition; the strongest indicator; ROC curve, or trend against surrogates."""
    d = result.diagnostics
    fig, (left, middle, right) = style.new(1, 3, width=11.0, height=3.5)
    if d.sizes["record"] == 0:
        for ax in (left, middle, right):
            ax.set_axis_off()
        middle.text(0.5, 0.5, "no record could be judged", ha="center", color=style.MUTED, transform=middle.transAxes)
        return fig
    h = _strongest(result)
    name = str(d["headline"].values[h]).rpartition(" ")[0]
    series = [str(s) for s in d["series"].values].index(name)
    known = bool(np.isfinite(d["transition"].values).any())
    clock = _clock(d, known)
    heading = _records(left, d, known, name)
    _indicator(middle, d, series, known)
    label = d.attrs["observable"] + (f" ({d.attrs['unit']})" if d.attrs["unit"] not in ("", "1") else "")
    if d.sizes["channel"] > 1:
        label = f"{d.attrs['observable']}, each channel in its own sd"
    style.finish(left, title=heading, xlabel=clock, ylabel=label)
    title = _words(name)
    style.finish(middle, title=title[0].upper() + title[1:], xlabel=clock, ylabel="in rolling windows")
    if d["neutral"].values.any() and not d["neutral"].values.all():
        _roc(right, d)
    else:
        _surrogates(right, d, h)
    if d["neutral"].values.any():
        handles = [left.plot([], [], color=c, linewidth=2)[0] for c in (_EVENT, _NEUTRAL)]
        fig.legend(
            handles, ["with transition", "neutral"], loc="outside upper right", ncols=2, frameon=False, fontsize=8.5
        )
    return fig


def _strongest(result: Result) -> int:
    """The column of the headline setting with the smallest p."""
    d, table = result.diagnostics, result.to_frame("sensitivity")
    p = table["p_auc"] if table["p_auc"].notna().any() else table["p"]
    h = d["headline_column"].values
    mine = np.nan_to_num(p.to_numpy(dtype=float)[h], nan=2.0)
    value = np.nan_to_num(table["auc" if table["auc"].notna().any() else "change"].to_numpy(dtype=float)[h])
    return int(np.lexsort((-value, mine))[0])


def _words(name: str) -> str:
    first, _, rest = name.replace("_", " ").partition(" ")
    first = f"lag-{first[2:]} autocorrelation" if first.startswith("ac") and first[2:].isdigit() else first
    return f"{first} {rest}".strip()


def _clock(d: xr.Dataset, known: bool) -> str:
    name, unit = d.attrs["time_name"], d.attrs["time_unit"]
    if not known:
        return f"{name} ({unit})" if unit else name
    return f"{unit or name} from the transition" + (" (neutral: the end)" if d["neutral"].values.any() else "")


def _shift(d: xr.Dataset, i: int | np.integer, known: bool) -> float:
    """Where a record's clock starts: at its transition, or at its end if it is neutral."""
    if not known:
        return 0.0
    at = float(d["transition"].values[i])
    return at if np.isfinite(at) else float(np.nanmax(d["at"].values[i]))


def _records(ax: Any, d: xr.Dataset, known: bool, name: str) -> str:
    """A few records of each kind; of several channels, the one whose indicator is shown stands out."""
    neutral = d["neutral"].values
    some = np.concatenate([np.flatnonzero(neutral)[:_MOST], np.flatnonzero(~neutral)[:_MOST]])
    channels = [str(c) for c in d["channel"].values]
    chosen = name.partition(" of ")[2]
    for i in some:
        t = d["at"].values[i] - _shift(d, i, known)
        for c, row in enumerate(d["value"].values[i]):
            colour, weight = (_NEUTRAL if neutral[i] else _EVENT), 0.9
            if len(channels) > 1:
                spread = np.nanstd(row)
                row = (row - np.nanmean(row)) / (spread if spread > 0 else 1.0)
                if channels[c] != chosen:
                    colour, weight = style.GREY, 0.5
            order = 3 if colour == _EVENT else 2
            ax.plot(t, row, color=colour, linewidth=weight, alpha=0.5 if len(some) > 3 else 0.9, zorder=order)
    return f"Records ({len(some)} of {len(neutral)})" if len(some) < len(neutral) else "Records"


def _indicator(ax: Any, d: xr.Dataset, series: int, known: bool) -> None:
    neutral, values = d["neutral"].values, d["indicator"].values[:, series]
    few = len(neutral) <= 3
    for i in np.argsort(~neutral, kind="stable"):
        t = d["ends"].values[i] - _shift(d, i, known)
        colour = _NEUTRAL if neutral[i] else _EVENT
        ax.plot(t, values[i], color=colour, linewidth=2.0 if few else 0.9, alpha=1.0 if few else 0.65)
    seen = values[np.isfinite(values)]
    # spreads of several records often differ by orders of magnitude
    if len(seen) and seen.min() > 0 and (seen.max() > 30 * seen.min() or seen.max() < 1e-3):
        ax.set_yscale("log")


def _roc(ax: Any, d: xr.Dataset) -> None:
    """ROC curves of the columns of the headline setting; each indicator in its better direction."""
    neutral, sign = d["neutral"].values, d["sign"].values
    best: dict[str, tuple[float, str, Float[np.ndarray, "k"], Float[np.ndarray, "k"]]] = {}
    for h, column in enumerate(d["headline_column"].values):
        score = sign[column] * d["change"].values[:, column]
        score = np.where(np.isfinite(score), score, -np.inf)
        levels = np.concatenate([[np.inf], np.unique(score)[::-1]])
        false = np.array([(score[neutral] >= v).mean() for v in levels])
        true = np.array([(score[~neutral] >= v).mean() for v in levels])
        full = str(d["headline"].values[h])
        name, area = full.rpartition(" ")[0], float(np.trapezoid(true, false))
        if name not in best or area > best[name][0]:
            best[name] = (area, full, false, true)
    shown = sorted(best.values(), key=lambda b: -b[0])[:4]
    for i, (area, full, false, true) in enumerate(shown):
        ax.plot(false, true, color=style.COLOURS[(0, 2, 3, 4)[i]], label=f"{_words(full)}: {area:.2f}")
    ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    style.finish(
        ax, title="Against neutral records (area)", xlabel="neutral records that ring", ylabel="transitions that ring",
        xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), legend="lower right",
    )  # fmt: skip


def _surrogates(ax: Any, d: xr.Dataset, h: int) -> None:
    score, name = d["score"].values, str(d["headline"].values[h])
    rows = score[1:, h] if len(score) else np.empty(0)
    rows = rows[np.isfinite(rows)]
    if not len(rows) or not np.isfinite(score[0, h]):
        ax.text(0.5, 0.5, "no trend could be tested", ha="center", color=style.MUTED, transform=ax.transAxes)
        return
    ax.hist(rows, bins=30, color=style.GREY, label=f"{d.attrs['surrogate']} surrogates")
    ax.axvline(
        score[0, h], color=_EVENT, linewidth=2.4, label="the record" if d.sizes["record"] == 1 else "the records"
    )
    top = ax.get_ylim()[1]
    style.finish(
        ax,
        title=f"{d.attrs['change_metric'].capitalize()} against surrogates",
        xlabel="rise, in sd of the surrogates" if name.endswith("up") else "fall, in sd of the surrogates",
        ylabel="surrogates",
        ylim=(0, 1.35 * top),
        legend="upper left",
    )
