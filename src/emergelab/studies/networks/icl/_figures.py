"""The figures of the study `icl`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy import stats

from emergelab import figures
from emergelab.figures import COLOURS, GREY, MUTED

from ._measures import rise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

IN_CONTEXT, IN_WEIGHTS = COLOURS[0], COLOURS[1]
Curves = Float[np.ndarray, "seed time"]


def _curves(run: Run, name: str, condition: str) -> Curves:
    return run.data[name].sel(condition=condition).transpose("seed", "time").values


def _parameters(run: Run) -> dict[str, dict[str, float]]:
    return {name: condition["parameters"] for name, condition in run.info["conditions"].items()}


def draw_traces(run: Run) -> Figure:
    """Scores, losses and attention over training: bursty data on the left, independent draws on the right."""
    fig, axes = figures.new(3, 2, width=8.6, height=7.2, sharex=True, sharey="row")
    time, labels = run.data.time.values, int(_parameters(run)["bursty"]["labels"])
    rows = (
        ("accuracy", (0, 1.03), {"acc_icl": "in context (new classes)", "acc_iwl": "in weights (no help)"}),
        ("loss (nats)", (0, 4.2), {"loss": "on data as in training", "loss_icl": "on new classes"}),
        (
            "probability",
            (0, 1.03),
            {"cla": "answer is a context label", "tla2": "layer 2: last item to right labels",
             "ila1": "layer 1: label to its item"},
        ),
    )  # fmt: skip
    palettes = ((IN_CONTEXT, IN_WEIGHTS), (COLOURS[7], IN_CONTEXT), (COLOURS[4], COLOURS[3], COLOURS[2]))
    titles = {
        "bursty": "Bursty data: it learns in context",
        "uniform": "Independent draws: it learns in weights",
    }
    for j, (condition, title) in enumerate(titles.items()):
        for i, ((what, limits, names), palette) in enumerate(zip(rows, palettes, strict=True)):
            ax = axes[i, j]
            for (name, words), colour in zip(names.items(), palette, strict=True):
                figures.band(ax, time, _curves(run, name, condition), words, colour)
            figures.finish(
                ax,
                title=title if i == 0 else None,
                ylabel=what if j == 0 else None,
                xlabel="gradient step" if i == 2 else None,
                ylim=limits,
            )
    end = float(time[-1])
    _level(axes[0, 0], end, 0.5, "1/2: any label of the context")
    _level(axes[1, 0], end, float(np.log(2)), "log 2: any label of the context")
    _level(axes[1, 1], end, float(np.log(labels)), f"log {labels}: any label")
    _legend(axes[0, 1], "center right", (1.0, 0.33))
    _legend(axes[1, 0], "upper right", (1.0, 1.0))
    _legend(axes[2, 1], "upper right", (1.0, 1.0))
    return fig


def _legend(ax: Axes, where: str, at: tuple[float, float]) -> None:
    ax.legend(loc=where, bbox_to_anchor=at, frameon=False, fontsize=8.5)


def _level(ax: Axes, right: float, height: float, words: str) -> None:
    figures.finish(ax, chance=height)
    ax.text(right, height, words, ha="right", va="bottom", fontsize=7.5, color=MUTED)


def draw_data(run: Run) -> Figure:
    """Final scores against what the data are like: number of classes, burstiness, Zipf exponent."""
    plain = {c: p for c, p in _parameters(run).items() if p["net"] == "attention" and p["p_novel"] == 0}
    plain = {c: p for c, p in plain.items() if c not in ("previous", "local") and p.get("meanings", 1) == 1}
    base = {"k": 1024, "alpha": 0.0, "p_bursty": 1.0}
    panels = (
        ("k", "number of classes", "Many classes", base),
        ("p_bursty", "share of bursty sequences", "Burstiness", base),
        ("alpha", "Zipf exponent (75 % bursty)", "Skewed frequencies", {**base, "p_bursty": 0.75}),
    )
    fig, axes = figures.new(1, 3, width=9.4, height=3.3, sharey=True)
    for ax, (name, words, title, rest) in zip(axes, panels, strict=True):
        on = {
            c: float(p[name])
            for c, p in plain.items()
            if all(np.isclose(p[r], v) for r, v in rest.items() if r != name)
        }
        order = sorted(on, key=lambda c: on[c])
        x = np.array([on[c] for c in order])
        for score, label, colour in (
            ("acc_icl", "in context", IN_CONTEXT),
            ("acc_iwl", "in weights", IN_WEIGHTS),
        ):
            ends = [_curves(run, score, c)[:, -1] for c in order]
            mean, half = np.array([_interval(e) for e in ends]).T
            for value, end in zip(x, ends, strict=True):
                ax.plot(np.full(len(end), value), end, "o", color=colour, markersize=3.5, alpha=0.35, mew=0)
            ax.errorbar(x, mean, yerr=half, color=colour, marker="o", markersize=6, capsize=3, label=label)
        if name == "k":
            ax.set_xscale("log", base=2)
        ax.set_xticks(x, [f"{v:g}" for v in x])
        ax.minorticks_off()
        ax.margins(x=0.07)
        figures.finish(ax, title=title, xlabel=words, ylim=(-0.03, 1.05), chance=0.5)
    figures.finish(axes[0], ylabel="accuracy at the end")
    # The only place that no curve crosses at any size of the study.
    _legend(axes[2], "center left", (0.0, 0.72))
    return fig


def _interval(values: Float[np.ndarray, "seed"]) -> tuple[float, float]:
    """Mean over seeds and half the width of its 95 % t interval (0 below three seeds)."""
    n = int(np.isfinite(values).sum())
    half = stats.t.ppf(0.975, n - 1) * np.nanstd(values, ddof=1) / np.sqrt(n) if n > 2 else 0.0
    return float(np.nanmean(values)), float(half)


def draw_attention(run: Run) -> Figure:
    """Where both layers look before, on and after the plateau, in the bursty condition."""
    d = run.data[["pattern_1", "pattern_2", "acc_icl"]].sel(condition="bursty").mean("seed")
    time, first = d.time.values, d.pattern_1.transpose("time", "to", "from").values
    second = d.pattern_2.transpose("time", "from").values
    # Well before the rise; a third of the run if there is none.
    plateau = int(np.argmax(d.acc_icl.values > 0.6)) // 2 or len(time) // 3
    moments = {"At the start": 0, "On the plateau": plateau, "At the end": len(time) - 1}
    fig, axes = figures.new(2, 3, width=9.6, height=5.0, height_ratios=(2.6, 1), sharey="row")
    length = first.shape[-1]
    own = 2 * int(_parameters(run)["bursty"]["burst"])
    colours = [GREY if t % 2 == 0 else COLOURS[2] if t < own else COLOURS[7] for t in range(length)]
    for top, bottom, (words, i) in zip(axes[0], axes[1], moments.items(), strict=True):
        image = top.imshow(first[i], vmin=0, vmax=1, cmap=figures.HEATMAP)
        bottom.bar(range(length), second[i], color=colours, width=0.8)
        for ax in (top, bottom):
            ax.set_xticks(range(length), ["x" if t % 2 == 0 else "ℓ" for t in range(length)], fontsize=7)
            ax.grid(False, axis="x")
        top.set_yticks(range(length), ["x" if t % 2 == 0 else "ℓ" for t in range(length)], fontsize=7)
        top.grid(False)
        figures.finish(top, title=f"{words} (step {time[i]})", xlabel="to token, in order")
        figures.finish(bottom, xlabel="to token, pairs of its own class first")
    fig.colorbar(image, ax=axes[0], label="attention", shrink=0.9, pad=0.01)
    height = max(0.3, 1.25 * float(second.max()))
    figures.finish(axes[0, 0], ylabel="layer 1: from token")
    figures.finish(axes[1, 0], ylabel="layer 2:\nfrom the last item", ylim=(0, height))
    notes = {"labels of its class": (0.02, COLOURS[2]), "other labels": (0.62, COLOURS[7])}
    for text, (x, colour) in notes.items():
        axes[1, 2].text(x, 0.97, text, color=colour, fontsize=8, va="top", transform=axes[1, 2].transAxes)
    return fig


def draw_onset(run: Run) -> Figure:
    """When in-context learning sets in, and how fast: every seed, the mean, and the mean aligned at onset."""
    time, curves = run.data.time.values.astype(float), _curves(run, "acc_icl", "bursty")
    half, _ = rise(run.data.sel(condition="bursty"))
    fig, (left, right) = figures.new(1, 2, width=9.2, height=3.5, width_ratios=(1, 1.4))
    shown = {"bursty": COLOURS[0], "novel": COLOURS[3], "zipf": COLOURS[4]}
    edges = np.linspace(0, time[-1], 41)
    floor = np.zeros(40)
    for condition, colour in shown.items():
        if condition not in run.data.condition:
            continue
        times, _ = rise(run.data.sel(condition=condition))
        known = times[np.isfinite(times)]
        count, _ = np.histogram(known, edges)
        words = f"{condition}: {len(known)} of {len(times)} seeds"
        left.bar(edges[:-1], count, np.diff(edges) * 0.92, bottom=floor, align="edge", color=colour, label=words)
        floor = floor + count
    top = max(4.0, 1.5 * floor.max())
    left.yaxis.get_major_locator().set_params(integer=True)
    figures.finish(
        left,
        title="When it sets in",
        xlabel="step of half the rise of acc_icl",
        ylabel="seeds",
        xlim=(0, time[-1]),
        ylim=(0, top),
        legend="upper right",
    )
    right.plot(time, curves.T, color=GREY, linewidth=0.9)
    right.plot(time, curves.mean(axis=0), color=COLOURS[7], linestyle="--", label="mean of seeds")
    ok = np.isfinite(half)
    if ok.any():
        shift = np.linspace(-900, 900, 181)
        rows = [np.interp(shift + h, time, row) for h, row in zip(half[ok], curves[ok], strict=True)]
        mean = half[ok].mean()
        right.plot(
            shift + mean,
            np.mean(rows, axis=0),
            color=COLOURS[0],
            linewidth=2.6,
            label="aligned at half the rise",
        )
    _level(right, float(time[-1]), 0.5, "1/2: any label of the context")
    figures.finish(
        right,
        title="How fast: seeds, their mean, their mean when aligned",
        xlabel="gradient step",
        ylabel="acc_icl",
        ylim=(0, 1.03),
        legend="lower right",
    )
    return fig


def draw_controls(run: Run) -> Figure:
    """What it costs that labels cannot tell their items apart, and which conditions learn in context."""
    have = list(_parameters(run))
    fig, (left, right) = figures.new(1, 2, width=10.6, height=3.6, width_ratios=(1, 1.9), sharey=True)

    def end(name: str, condition: str) -> Float[np.ndarray, "seed"]:
        return _curves(run, name, condition)[:, -1]

    where = "zipf" if "zipf" in have else "bursty"
    names = {"acc_icl": "in context", "acc_icl_cut": "in context,\ncut", "acc_iwl": "in weights",
             "acc_iwl_cut": "in weights,\ncut"}  # fmt: skip
    colours = (IN_CONTEXT, COLOURS[5], IN_WEIGHTS, COLOURS[4])
    figures.bars(left, {words: end(name, where) for name, words in names.items()}, colours=colours)
    figures.finish(
        left,
        title=f"Labels cut off from their items ({where})",
        ylabel="accuracy at the end",
        ylim=(0, 1.05),
        chance=0.5,
    )
    words = {"bursty": "bursty\nK = 1024", "k64": "K = 64", "k256": "K = 256", "novel": "K = 256,\nnovel",
             "meanings": "K = 256,\nmeanings", "uniform": "indep.\nK = 1024", "recurrent": "recur-\nrent",
             "minimal": "two\nnumbers"}  # fmt: skip
    chosen = [c for c in words if c in have]
    figures.bars(right, {words[c]: end("acc_icl", c) for c in chosen}, colours=[IN_CONTEXT] * len(chosen))
    figures.finish(right, title="Learning in context", chance=0.5)
    return fig
