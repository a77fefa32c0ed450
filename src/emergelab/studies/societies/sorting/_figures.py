"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.statistics import estimate

from ._conditions import ALGOTYPES, CHIMERAS, DAMAGE, RATES, at_rate, damaged, textbook
from ._film import COLOUR, FILMED, end, mirage, of, raster
from ._traces import POINTS, max_of_mean, over_swaps

PURPLE, SLATE = house.COLOURS[3], house.COLOURS[7]
PERCENT = 100 * POINTS


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    damage = [damaged(a, k, kind) for a in ALGOTYPES for k in DAMAGE for kind in ("immovable", "movable")]
    by_hand = [textbook(a, k) for a in ALGOTYPES for k in DAMAGE]
    return (
        el.Figure(
            "mirage",
            mirage,
            "Delayed gratification under two metrics. The same swaps of the same array often step back by "
            "descents, never by inversions. Dashes: the traces with blocks of 10 changes in random order.",
            needs=(*FILMED, "bubble-immovable-3", "insertion-immovable-3", "selection-movable-3", "walker"),
        ),
        el.Figure(
            "traces",
            traces,
            "How the three algotypes sort: mean over seeds with a 95 % band.",
            needs=ALGOTYPES,
        ),
        el.Figure(
            "damage",
            damage_bars,
            "Descents left by frozen cells. Left: run by cells or from above, on the same arrays. Right: "
            "frozen cells that can be moved, with the published values.",
            needs=(*ALGOTYPES, *damage, *by_hand),
        ),
        el.Figure(
            "gratification",
            gratification,
            "Delayed gratification (by descents) against the number of frozen cells.",
            needs=(*ALGOTYPES, *damage),
        ),
        el.Figure(
            "clusters",
            clusters,
            "Aggregation in chimeric arrays over the course of sorting, above the same runs with shuffled "
            "labels. Crosses: the published peaks.",
            needs=(*CHIMERAS, *(f"{m}-shuffled" for m in CHIMERAS)),
        ),
        el.Figure(
            "raster",
            raster,
            "One chimeric array of bubble and selection cells, swap by swap. With ten copies of each value "
            "the clusters stay.",
            needs=FILMED,
        ),
        el.Figure(
            "rates",
            rates,
            "Peak of the mean aggregation curve against the relative speed of selection cells, with 95 % "
            "intervals over seeds. None of these ratios abolishes the clusters.",
            needs=("bubble+selection-shuffled", *map(at_rate, (1.0, 0.1, 3.0, 10.0))),
        ),
        el.Figure(
            "costs",
            costs,
            "What sorting costs as the authors count, and with the reads of idle cells counted.",
            needs=(*ALGOTYPES, *(textbook(a, 0) for a in ALGOTYPES)),
        ),
    )


def traces(run: el.Run) -> Figure:
    """Sortedness and inversions over the swaps, and the same over the activation clock."""
    fig, (left, middle, right) = house.new(cols=3, width=11.5, height=3.6)
    for a in ALGOTYPES:
        d = of(run, a)
        house.band(left, PERCENT, over_swaps(d, "sortedness"), a, COLOUR[a], seeds=6)
        inversions = over_swaps(d, "inversions")
        house.band(middle, PERCENT, 100 * inversions / np.maximum(inversions[:, :1], 1), a, COLOUR[a], seeds=6)
        clock = d["activations"].mean("seed").values
        done = np.concatenate([[True], np.diff(clock) > 0])
        values = d["sortedness"].transpose("seed", "time").values[:, done]
        house.band(right, np.maximum(clock[done], 1), values, a, COLOUR[a], seeds=0)
    house.finish(left, title="Order by the paper's metric", xlabel="% of the run's swaps", ylabel="sortedness (%)")
    middle.annotate(
        "bubble and insertion:\none inversion a swap",
        (62, 38),
        (60, 62),
        fontsize=8.5,
        color=house.MUTED,
        arrowprops={"arrowstyle": "-", "color": house.MUTED, "linewidth": 0.8},
    )
    house.finish(
        middle,
        title="Order by inversions",
        xlabel="% of the run's swaps",
        ylabel="inversions (% of the start)",
    )
    right.set_xscale("log")
    house.finish(
        right,
        title="The price in awakenings",
        xlabel="activations (mean over seeds)",
        ylabel="sortedness (%)",
        xlim=(30, None),
        legend="upper left",
    )
    return fig


def _group(ax: Axes, at: float, values: np.ndarray, width: float, colour: str, hatch: str, label: str | None) -> None:
    mean, half = values.mean(), 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 2 else 0.0
    ax.bar(
        at,
        mean,
        width,
        color="white" if hatch else colour,
        edgecolor=colour,
        hatch=hatch,
        alpha=0.9 if hatch else 0.6,
        linewidth=1.0,
        label=label,
        zorder=2,
    )
    ax.errorbar(at, mean, yerr=half, color=house.INK, linewidth=1.1, capsize=2.0, zorder=4)


def damage_bars(run: el.Run) -> Figure:
    """Frozen cells: cell-view against textbook, and movable damage against what was published."""
    fig, (left, right) = house.new(cols=2, width=11.0, height=3.9, width_ratios=[1.25, 1])
    places: list[float] = []
    for g, a in enumerate(ALGOTYPES):
        for i, k in enumerate(DAMAGE):
            at = 4.2 * g + 1.15 * i
            places.append(at)
            for j, name in enumerate((damaged(a, k), textbook(a, k))):
                _group(
                    left,
                    at + (j - 0.5) * 0.46,
                    end(run, name, "descents"),
                    0.44,
                    COLOUR[a],
                    "////" if j else "",
                    None,
                )
        left.text(
            4.2 * g + 1.15,
            0.97,
            a,
            transform=left.get_xaxis_transform(),
            ha="center",
            va="top",
            color=COLOUR[a],
            fontweight="bold",
        )
    left.set_xticks(places, [str(k) for _ in ALGOTYPES for k in DAMAGE])
    left.bar([0], [0], color=SLATE, alpha=0.6, label="run by the cells")
    left.bar([0], [0], color="white", edgecolor=SLATE, hatch="////", label="run from above")
    left.grid(False, axis="x")
    house.finish(
        left,
        title="Immovable damage",
        xlabel="immovable frozen cells",
        ylabel="descents left",
        legend="center left",
    )
    left.set_ylim(0, left.get_ylim()[1] * 1.08)

    published = {"bubble": (0.0, 0.8, 2.64), "selection": (2.24, 4.36, 13.24)}
    for j, a in enumerate(ALGOTYPES):
        for i, k in enumerate(DAMAGE):
            at = i + (j - 1) * 0.27
            _group(
                right,
                at,
                end(run, damaged(a, k, "movable"), "descents"),
                0.25,
                COLOUR[a],
                "",
                a if i == 0 else None,
            )
            if a in published:
                right.plot(
                    at,
                    published[a][i],
                    "x",
                    color=COLOUR[a],
                    markersize=7,
                    markeredgewidth=2,
                    zorder=6,
                    clip_on=False,
                )
    right.plot([], [], "x", color=SLATE, markersize=7, markeredgewidth=2, label="published")
    right.set_xticks(range(len(DAMAGE)), [str(k) for k in DAMAGE])
    right.grid(False, axis="x")
    house.finish(
        right,
        title="Movable damage",
        xlabel="movable frozen cells",
        ylabel="descents left",
        legend="upper left",
    )
    return fig


def gratification(run: el.Run) -> Figure:
    """Delayed gratification by descents against damage of either kind."""
    fig, axes = house.new(cols=3, width=11.0, height=3.5)
    published = {"bubble": (0.24, 0.29, 0.32, 0.37), "insertion": (1.10, 1.13, 1.15, 1.19)}
    for ax, a in zip(axes, ALGOTYPES, strict=True):
        for kind, style, colour in (("immovable", "-", COLOUR[a]), ("movable", "--", SLATE)):
            k = np.array([0, *DAMAGE], float)
            values = np.stack([end(run, damaged(a, int(i), kind), "dg") for i in k], axis=1)
            house.band(ax, k, values, f"{kind}", colour, seeds=0, linestyle=style)
        if a in published:
            ax.plot(
                range(4),
                published[a],
                "x",
                color=house.INK,
                markersize=7,
                markeredgewidth=1.8,
                label="published",
            )
        ax.set_xticks(range(4))
        house.finish(
            ax,
            title=a,
            xlabel="frozen cells",
            ylabel="delayed gratification" if ax is axes[0] else None,
            legend=True,
        )
        low, high = ax.get_ylim()
        ax.set_ylim(min(0.0, low), high * 1.12)
    return fig


def clusters(run: el.Run) -> Figure:
    """Aggregation over the course of sorting, over its control."""
    published = {
        "bubble+selection": (42, 0.72),
        "bubble+insertion": (21, 0.65),
        "selection+insertion": (19, 0.69),
        "all-three": (22, 0.62),
    }
    fig, axes = house.new(cols=4, width=13.0, height=3.6, sharey=True)
    for ax, m, colour in zip(
        axes, CHIMERAS, (house.COLOURS[2], house.COLOURS[1], PURPLE, house.COLOURS[0]), strict=True
    ):
        own = over_swaps(of(run, m), "aggregation")
        house.band(ax, PERCENT, own, "algotypes", colour, seeds=8)
        house.band(
            ax,
            PERCENT,
            over_swaps(of(run, f"{m}-shuffled"), "aggregation"),
            "shuffled labels",
            SLATE,
            seeds=0,
        )
        mean = own.mean(axis=0)
        peak = int(mean.argmax())
        ax.annotate(
            f"{mean[peak]:.2f}",
            (PERCENT[peak], mean[peak]),
            (8, 9),
            textcoords="offset points",
            color=colour,
            fontweight="bold",
            fontsize=9,
        )
        ax.plot(PERCENT[peak], mean[peak], "o", color=colour, markersize=6, zorder=7)
        ax.plot(
            *published[m],
            "x",
            color=house.INK,
            markersize=8,
            markeredgewidth=2,
            label="published peak",
            zorder=8,
        )
        house.finish(
            ax,
            title=m.replace("+", " + ").replace("-", " "),
            xlabel="% of the run's swaps",
            ylabel="aggregation" if ax is axes[0] else None,
            legend="lower right" if ax is axes[0] else False,
        )
    low = min(float(line.get_ydata().min()) for ax in axes for line in ax.get_lines() if line.get_linewidth() > 1)
    axes[0].set_ylim(min(0.25, low - 0.05), 0.82)
    return fig


def rates(run: el.Run) -> Figure:
    """The peak of clustering against the speed of selection cells."""
    fig, ax = house.new(width=6.6, height=3.8)
    have = {str(c) for c in run.data.condition.values}
    xs = [r for r in sorted((*RATES, 1.0)) if at_rate(r) in have]

    def interval(condition: str) -> tuple[float, float, float]:
        found = estimate(over_swaps(of(run, condition), "aggregation"), max_of_mean)
        # No interval is claimed for a handful of seeds.
        return found.value, *((found.low, found.high) if found.claimed else (found.value, found.value))

    found = np.array([interval(at_rate(r)) for r in xs])
    control = interval("bubble+selection-shuffled")
    ax.axhspan(control[1], control[2], color=SLATE, alpha=0.25, linewidth=0)
    ax.axhline(control[0], color=SLATE, linewidth=1.6, label="shuffled labels")
    ax.errorbar(
        xs,
        found[:, 0],
        yerr=[found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]],
        color=house.COLOURS[2],
        marker="o",
        linewidth=1.8,
        capsize=3,
        label="bubble + selection",
    )
    ax.set_xscale("log")
    ax.set_xticks(xs, [f"{x:g}" for x in xs])
    ax.minorticks_off()
    house.finish(
        ax,
        title="Equal speed does not abolish the clusters",
        ylabel="peak of the mean aggregation",
        xlabel="activation rate of selection cells / bubble cells",
        legend="center right",
    )
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, 0.48), high)
    return fig


def costs(run: el.Run) -> Figure:
    """Reads and swaps of the two ways of sorting, in two ways of counting."""
    fig, axes = house.new(cols=2, width=9.6, height=3.6, sharey=True)
    for ax, name, title in zip(
        axes, ("published_cost", "cost"), ("As the authors count", "Idle reads counted"), strict=True
    ):
        for g, a in enumerate(ALGOTYPES):
            for j, condition in enumerate((a, textbook(a, 0))):
                values = end(run, condition, name)
                at = g + (j - 0.5) * 0.4
                _group(ax, at, values, 0.37, COLOUR[a], "////" if j else "", None)
                text = f"{values.mean():,.0f}" if values.mean() < 1e5 else f"{values.mean() / 1e6:.1f} M"
                ax.annotate(
                    text,
                    (at, values.mean()),
                    (0, 4),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7.5,
                    color=house.MUTED,
                )
        ax.set_yscale("log")
        ax.set_ylim(1e3, 3e7)
        ax.set_xticks(range(3), ALGOTYPES)
        ax.grid(False, axis="x")
        ax.bar([0], [1e-9], color=SLATE, alpha=0.6, label="run by the cells")
        ax.bar([0], [1e-9], color="white", edgecolor=SLATE, hatch="////", label="run from above")
        house.finish(
            ax,
            title=title,
            ylabel="reads + swaps" if ax is axes[0] else None,
            legend="upper right" if ax is axes[0] else False,
        )
    return fig
