"""Figure of `mirage`: the score against its companion with the fitted link, and both against x."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from emergelab.figures import style
from emergelab.instruments._mirage_link import isotonic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_READ = {"perplexity": "log {}", "nll": "{} (nats)", "log-probability": "{} (nats)"}


def draw(result: Result) -> Figure:
    """Two panels; the right one alone when there is no companion."""
    d = result.diagnostics
    x, y = d["x"].values, d["score"].values
    score, companion = d.attrs["score_name"], d.attrs["companion_name"]
    where = d.attrs["x_name"] + (f" ({d.attrs['x_unit']})" if d.attrs["x_unit"] else "")
    if "companion" not in d:
        fig, right = style.new(width=5.5, height=3.6)
        _over_x(right, x, {score: y}, signed=False)
        for rate in d.attrs.get("base_rates", ()):
            right.axhline(rate, color=style.COLOURS[1], linewidth=1.2, linestyle=(0, (4, 3)))
            right.annotate(
                f"label base rate {rate:.3f}",
                (0.02, rate),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8,
                color=style.COLOURS[1],
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.9},
            )
        style.finish(right, title=f"Verdict: {result.verdict}", xlabel=where, ylabel=score)
        return fig
    z = d["companion"].values
    named = _READ.get(d.attrs["companion_kind"], "{}").format(companion)
    fig, (left, right) = style.new(1, 2, width=9.6, height=3.9)
    colours = _shades(len(y))
    for i in range(len(y)):
        left.plot(z[i], y[i], "o", color=colours[i], markersize=4.2, alpha=0.8, markeredgewidth=0)
    seen = np.isfinite(y) & np.isfinite(z)
    if seen.sum() >= 2:
        up = bool(np.corrcoef(z[seen], y[seen])[0, 1] >= 0) if np.ptp(z[seen]) > 0 and np.ptp(y[seen]) > 0 else True
        left.plot(
            *isotonic(z[seen], y[seen], increasing=up),
            color=style.INK,
            linewidth=1.4,
            label="monotone link",
            zorder=5,
        )
        if not up:
            left.invert_xaxis()  # better to the right
    r2, error = result.effect.value, result.estimate.value
    style.finish(left, title="One function of the companion?", xlabel=named, ylabel=score, legend="upper left")
    left.text(
        0.03,
        0.8,
        f"$R^2$ = {r2:.4f}\nheld-out error {error:.3f}\none colour a curve",
        transform=left.transAxes,
        fontsize=8.5,
        color=style.MUTED,
        va="top",
    )
    _over_x(right, x, {score: y, named: z}, signed=True)
    style.finish(
        right,
        title=f"Verdict: {result.verdict}",
        xlabel=where,
        ylabel="share of own change",
        legend="upper left",
        ylim=(-0.08, 1.12),
    )
    return fig


def _shades(n: int) -> list[str] | list[tuple[float, ...]]:
    if n <= len(style.COLOURS):
        return list(style.COLOURS[:n])
    return [style.COLOURS[0]] * n


def _over_x(
    ax: Any, x: Float[np.ndarray, "x"], curves: dict[str, Float[np.ndarray, "curve x"]], *, signed: bool
) -> None:
    """Curves over log x; with ``signed`` each is scaled to the share of its own change, so that score and
    companion compare."""
    positive = x > 0
    for i, (name, values) in enumerate(curves.items()):
        colour = style.COLOURS[i]
        shown = values[:, positive].astype(float)
        if signed:
            shown = np.stack([_share(row) for row in shown])
        for row in shown:
            ax.plot(x[positive], row, color=colour, linewidth=0.6, alpha=0.35)
        seen = np.isfinite(shown).any(axis=0)
        mean = np.nanmean(shown[:, seen], axis=0) if seen.any() else np.empty(0)
        ax.plot(x[positive][seen], mean, "o-", color=colour, linewidth=2.4, label=name, markersize=3.2)
    if positive.sum() > 1 and x[positive].max() > 20 * x[positive].min():
        ax.set_xscale("log")


def _share(row: Float[np.ndarray, "x"]) -> Float[np.ndarray, "x"]:
    seen = row[np.isfinite(row)]
    if len(seen) < 2 or np.ptp(seen) == 0:
        return np.full(row.shape, np.nan)
    start = seen[0]
    far = seen[np.argmax(np.abs(seen - start))]
    return (row - start) / (far - start)
