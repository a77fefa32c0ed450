"""Pictures of a run of the study."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house

from ._claims import POINTS, max_of_mean, over_swaps
from ._conditions import ALGOTYPES, CHIMERAS, DAMAGE, RATES, at_rate, damaged, textbook
from ._system import Sorting

COLOUR = dict(zip(ALGOTYPES, house.COLOURS, strict=False))
SLATE, AMBER, PURPLE = house.COLOURS[7], house.COLOURS[4], house.COLOURS[3]
PERCENT = 100 * POINTS


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    damage = [damaged(a, k, kind) for a in ALGOTYPES for k in DAMAGE for kind in ("immovable", "movable")]
    by_hand = [textbook(a, k) for a in ALGOTYPES for k in DAMAGE]
    return (
        el.Figure(
            "mirage", mirage,
            "Delayed gratification under two metrics. The same swaps of the same array, judged by descents, go two steps "
            "forward and one back; judged by inversions they never step back.",
            needs=("bubble", "insertion", "selection", "bubble-immovable-3", "selection-movable-3", "walker"),
        ),
        el.Figure(
            "traces", traces, "How the three algotypes sort: mean over seeds with a 95 % band.", needs=ALGOTYPES
        ),
        el.Figure(
            "damage", damage_bars,
            "Descents left by frozen cells. Left: run by cells or from above, on the same arrays. Right: frozen cells that "
            "can be moved, with the published values.",
            needs=(*ALGOTYPES, *damage, *by_hand),
        ),
        el.Figure(
            "gratification", gratification,
            "Delayed gratification (by descents) against the number of frozen cells.", needs=(*ALGOTYPES, *damage),
        ),
        el.Figure(
            "clusters", clusters,
            "Aggregation in chimeric arrays over the course of sorting, above the same runs with shuffled labels. Crosses: "
            "the published peaks.",
            needs=(*CHIMERAS, *(f"{m}-shuffled" for m in CHIMERAS)),
        ),
        el.Figure(
            "raster", raster,
            "One chimeric array of bubble and selection cells, swap by swap. With ten copies of each value the clusters stay.",
            needs=("bubble+selection", "bubble+selection-duplicates"),
        ),
        el.Figure(
            "rates", rates,
            "Peak of the mean aggregation curve against the relative speed of selection cells, with 95 % intervals over seeds. "
            "No ratio of speeds abolishes the clusters.",
            needs=("bubble+selection-shuffled", *map(at_rate, (1.0, 0.1, 3.0, 10.0))),
        ),
        el.Figure(
            "costs", costs,
            "What sorting costs as the authors count, and with the reads of idle cells counted.",
            needs=(*ALGOTYPES, *(textbook(a, 0) for a in ALGOTYPES)),
        ),
    )  # fmt: skip


def _of(run: el.Run, condition: str) -> xr.Dataset:
    return run.data.sel(condition=condition, drop=True)


def _end(run: el.Run, condition: str, name: str) -> Float[np.ndarray, "seeds"]:
    return _of(run, condition)[name].isel(time=-1).values.astype(float)


@lru_cache(maxsize=2)
def _filmed(path: str, names: tuple[str, ...]) -> xr.Dataset:
    """The first seed of some conditions again, recorded after every event and with the cells themselves.

    Randomness is addressed by seed and time, so these are the very arrays of the run.
    """
    run = el.load(path)
    systems: Mapping[str, Sorting] = {n: Sorting(**run.info["conditions"][n]["parameters"]) for n in names}
    with tempfile.TemporaryDirectory() as folder:
        again = el.run(
            next(iter(systems.values())), steps=run.info["steps"], every=1, seeds=run.info["seeds"][:1],
            conditions={n: el.Condition(_differences(s, systems)) for n, s in systems.items()},
            taps=["state.cells.value", "state.cells.algotype"], out=Path(folder) / "film", progress=False,
        )  # fmt: skip
        return again.data.isel(seed=0, drop=True).load()


def _differences(system: Sorting, systems: Mapping[str, Sorting]) -> dict[str, object]:
    from emergelab.system import values

    base, own = values(next(iter(systems.values()))), values(system)
    return {name: value for name, value in own.items() if value != base[name] and name != "n"}


def _after_swaps(film: xr.Dataset, name: str) -> np.ndarray:
    """Values after 0, 1, 2, ... swaps."""
    swaps = film["swaps"].values.astype(int)
    first = np.searchsorted(swaps, np.arange(swaps[-1] + 1))
    return film[name].values[first]


def mirage(run: el.Run) -> Figure:
    """One trace under two metrics, and delayed gratification under both."""
    film = _filmed(run.path, ("bubble", "bubble+selection", "bubble+selection-duplicates")).sel(condition="bubble")
    by_descents, by_inversions = _after_swaps(film, "descents"), _after_swaps(film, "inversions")
    fig, (left, middle, right) = house.new(cols=3, width=12.0, height=3.9, width_ratios=[1, 1, 1.35])
    start = len(by_descents) // 2
    stop = min(start + 80, len(by_descents))
    x = np.arange(start, stop)
    for ax, trace, colour in ((left, by_descents, COLOUR["insertion"]), (middle, by_inversions, COLOUR["bubble"])):
        piece = trace[start:stop]
        up = np.flatnonzero(np.diff(piece) > 0)
        ax.step(x, piece, where="post", color=colour, linewidth=1.6)
        for i in up:
            ax.axvspan(x[i], x[i + 1], color=colour, alpha=0.16, linewidth=0)
        share = np.mean(np.diff(trace) > 0)
        ax.text(0.97, 0.95, f"{100 * share:.0f} % of all swaps\nraise the error", transform=ax.transAxes, ha="right",
                va="top", color=colour, fontsize=9)  # fmt: skip
    house.finish(left, title="By descents: detours", xlabel="swaps", ylabel="descents")
    house.finish(middle, title="By inversions: straight down", xlabel="swaps", ylabel="inversions")

    names = {
        "bubble": "bubble", "insertion": "insertion", "selection": "selection",
        "bubble-immovable-3": "bubble,\n3 walls", "selection-movable-3": "selection,\n3 movable",
        "walker": "random\nwalker",
    }  # fmt: skip
    width = 0.36
    for j, (metric, colour) in enumerate((("descent_rises", COLOUR["insertion"]), ("inversion_rises", COLOUR["bubble"]))):
        share = [100 * _end(run, c, metric) / np.maximum(_end(run, c, "swaps"), 1) for c in names]
        at = np.arange(len(names)) + (j - 0.5) * width
        means = [s.mean() for s in share]
        bars = right.bar(at, means, width * 0.92, color=colour, alpha=0.85, label="by " + ("descents", "inversions")[j])
        for bar, mean in zip(bars, means, strict=True):
            text = "0" if mean == 0 else f"{mean:.1f}"
            right.annotate(text, (bar.get_x() + bar.get_width() / 2, mean), (0, 2), textcoords="offset points",
                           ha="center", va="bottom", fontsize=7.5, color=colour)  # fmt: skip
    right.set_xticks(range(len(names)), list(names.values()))
    right.grid(False, axis="x")
    house.finish(right, title="Swaps that step back", ylabel="% of swaps", legend="upper left")
    return fig


def traces(run: el.Run) -> Figure:
    """Sortedness and inversions over the swaps, and the same over the activation clock."""
    fig, (left, middle, right) = house.new(cols=3, width=11.5, height=3.6)
    for a in ALGOTYPES:
        d = _of(run, a)
        house.band(left, PERCENT, over_swaps(d, "sortedness"), a, COLOUR[a], seeds=6)
        inversions = over_swaps(d, "inversions")
        house.band(middle, PERCENT, 100 * inversions / np.maximum(inversions[:, :1], 1), a, COLOUR[a], seeds=6)
        clock = d["activations"].mean("seed").values
        done = np.concatenate([[True], np.diff(clock) > 0])
        values = d["sortedness"].transpose("seed", "time").values[:, done]
        house.band(right, np.maximum(clock[done], 1), values, a, COLOUR[a], seeds=0)
    house.finish(left, title="Order by the paper's metric", xlabel="% of the run's swaps", ylabel="sortedness (%)")
    house.finish(middle, title="Order by inversions", xlabel="% of the run's swaps", ylabel="inversions (% of the start)",
                 legend="upper right")  # fmt: skip
    right.set_xscale("log")
    house.finish(right, title="The price in awakenings", xlabel="activations (mean over seeds)", ylabel="sortedness (%)")
    return fig


def _jitter(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, count)


def _group(ax: Axes, at: float, values: np.ndarray, width: float, colour: str, hatch: str, label: str | None) -> None:
    mean, half = values.mean(), 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 2 else 0.0
    ax.bar(at, mean, width, color="white" if hatch else colour, edgecolor=colour, hatch=hatch, alpha=0.9 if hatch else 0.6,
           linewidth=1.0, label=label, zorder=2)  # fmt: skip
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
                _group(left, at + (j - 0.5) * 0.46, _end(run, name, "descents"), 0.44, COLOUR[a], "////" if j else "", None)
        left.text(4.2 * g + 1.15, 1.0, a, transform=left.get_xaxis_transform(), ha="center", va="bottom", color=COLOUR[a],
                  fontweight="bold")  # fmt: skip
    left.set_xticks(places, [str(k) for _ in ALGOTYPES for k in DAMAGE])
    left.bar([0], [0], color=SLATE, alpha=0.6, label="run by the cells")
    left.bar([0], [0], color="white", edgecolor=SLATE, hatch="////", label="run from above")
    left.grid(False, axis="x")
    house.finish(left, xlabel="immovable frozen cells", ylabel="descents left", legend="upper left")
    left.set_title("Immovable damage", pad=22)

    published = {"bubble": (0.0, 0.8, 2.64), "selection": (2.24, 4.36, 13.24)}
    for j, a in enumerate(ALGOTYPES):
        for i, k in enumerate(DAMAGE):
            at = i + (j - 1) * 0.27
            _group(right, at, _end(run, damaged(a, k, "movable"), "descents"), 0.25, COLOUR[a], "", a if i == 0 else None)
            if a in published:
                right.plot(at, published[a][i], "x", color=COLOUR[a], markersize=7, markeredgewidth=2, zorder=6)
    right.plot([], [], "x", color=SLATE, markersize=7, markeredgewidth=2, label="published")
    right.set_xticks(range(len(DAMAGE)), [str(k) for k in DAMAGE])
    right.grid(False, axis="x")
    house.finish(right, title="Movable damage", xlabel="movable frozen cells", ylabel="descents left", legend="upper left")
    return fig


def gratification(run: el.Run) -> Figure:
    """Delayed gratification by descents against damage of either kind."""
    fig, axes = house.new(cols=3, width=11.0, height=3.5)
    published = {"bubble": (0.24, 0.29, 0.32, 0.37), "insertion": (1.10, 1.13, 1.15, 1.19)}
    for ax, a in zip(axes, ALGOTYPES, strict=True):
        for kind, style, colour in (("immovable", "-", COLOUR[a]), ("movable", "--", SLATE)):
            k = np.array([0, *DAMAGE], float)
            values = np.stack([_end(run, damaged(a, int(i), kind), "dg") for i in k], axis=1)
            house.band(ax, k, values, f"{kind}", colour, seeds=0, linestyle=style)
        if a in published:
            ax.plot(range(4), published[a], "x", color=house.INK, markersize=7, markeredgewidth=1.8, label="published")
        ax.set_xticks(range(4))
        house.finish(ax, title=a, xlabel="frozen cells", ylabel="delayed gratification" if ax is axes[0] else None, legend=True)
        low, high = ax.get_ylim()
        ax.set_ylim(min(0.0, low), high * 1.12)
    return fig


def clusters(run: el.Run) -> Figure:
    """Aggregation over the course of sorting, over its control."""
    published = {
        "bubble+selection": (42, 0.72), "bubble+insertion": (21, 0.65), "selection+insertion": (19, 0.69),
        "all-three": (22, 0.62),
    }  # fmt: skip
    fig, axes = house.new(cols=4, width=13.0, height=3.6, sharey=True)
    for ax, m, colour in zip(axes, CHIMERAS, (house.COLOURS[2], house.COLOURS[1], PURPLE, house.COLOURS[0]), strict=True):
        own = over_swaps(_of(run, m), "aggregation")
        house.band(ax, PERCENT, own, "algotypes", colour, seeds=8)
        house.band(ax, PERCENT, over_swaps(_of(run, f"{m}-shuffled"), "aggregation"), "shuffled labels", SLATE, seeds=0)
        mean = own.mean(axis=0)
        peak = int(mean.argmax())
        ax.annotate(f"{mean[peak]:.2f}", (PERCENT[peak], mean[peak]), (8, 9), textcoords="offset points", color=colour,
                    fontweight="bold", fontsize=9)  # fmt: skip
        ax.plot(PERCENT[peak], mean[peak], "o", color=colour, markersize=6, zorder=7)
        ax.plot(*published[m], "x", color=house.INK, markersize=8, markeredgewidth=2, label="published peak", zorder=8)
        house.finish(ax, title=m.replace("+", " + ").replace("-", " "), xlabel="% of the run's swaps",
                     ylabel="aggregation" if ax is axes[0] else None, ylim=(0.25, 0.82),
                     legend="lower right" if ax is axes[0] else False)  # fmt: skip
    return fig


def raster(run: el.Run) -> Figure:
    """Values and algotypes of one array after each swap."""
    films = _filmed(run.path, ("bubble", "bubble+selection", "bubble+selection-duplicates"))
    fig, axes = house.new(rows=2, cols=2, width=11.0, height=5.6, sharex="col")
    kinds = ListedColormap([COLOUR["bubble"], house.GREY, COLOUR["selection"]])
    titles = {"bubble+selection": "every value once", "bubble+selection-duplicates": "ten copies of every value"}
    for column, (name, title) in enumerate(titles.items()):
        film = films.sel(condition=name)
        value = _after_swaps(film, "state.cells.value").T
        kind = _after_swaps(film, "state.cells.algotype").T
        shape = {"aspect": "auto", "origin": "lower", "interpolation": "nearest"}
        axes[0, column].imshow(value, cmap=house.HEATMAP, **shape)
        axes[1, column].imshow(kind, cmap=kinds, vmin=0, vmax=2, **shape)
        for ax in axes[:, column]:
            ax.grid(False)
        house.finish(axes[0, column], title=f"{title}: what the cells hold", ylabel="" if column else "position")
        house.finish(axes[1, column], title="what the cells are", xlabel="swaps", ylabel="" if column else "position")
    axes[1, 0].plot([], [], "s", color=COLOUR["bubble"], label="bubble")
    axes[1, 0].plot([], [], "s", color=COLOUR["selection"], label="selection")
    axes[1, 0].legend(loc="upper right", framealpha=0.9, frameon=True, fontsize=8.5)
    return fig


def rates(run: el.Run) -> Figure:
    """The peak of clustering against the speed of selection cells."""
    fig, ax = house.new(width=6.6, height=3.8)
    have = {str(c) for c in run.data.condition.values}
    xs = [r for r in sorted((*RATES, 1.0)) if at_rate(r) in have]
    rng = np.random.default_rng(0)

    def interval(condition: str) -> tuple[float, float, float]:
        curves = over_swaps(_of(run, condition), "aggregation")
        again = [max_of_mean(curves[rng.integers(len(curves), size=len(curves))]) for _ in range(400)]
        return max_of_mean(curves), *np.quantile(again, [0.025, 0.975])

    found = np.array([interval(at_rate(r)) for r in xs])
    control = interval("bubble+selection-shuffled")
    ax.axhspan(control[1], control[2], color=SLATE, alpha=0.25, linewidth=0)
    ax.axhline(control[0], color=SLATE, linewidth=1.6, label="shuffled labels")
    ax.errorbar(xs, found[:, 0], yerr=[found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]], color=house.COLOURS[2],
                marker="o", linewidth=1.8, capsize=3, label="bubble + selection")  # fmt: skip
    ax.set_xscale("log")
    ax.set_xticks(xs, [f"{x:g}" for x in xs])
    ax.minorticks_off()
    house.finish(ax, title="Equal speed does not abolish the clusters", ylabel="peak of the mean aggregation",
                 xlabel="activation rate of selection cells / bubble cells", legend="center right")  # fmt: skip
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, 0.48), high)
    return fig


def costs(run: el.Run) -> Figure:
    """Reads and swaps of the two ways of sorting, in two ways of counting."""
    fig, axes = house.new(cols=2, width=9.6, height=3.6, sharey=True)
    for ax, name, title in zip(axes, ("published_cost", "cost"), ("As the authors count", "Idle reads counted"), strict=True):
        for g, a in enumerate(ALGOTYPES):
            for j, condition in enumerate((a, textbook(a, 0))):
                values = _end(run, condition, name)
                at = g + (j - 0.5) * 0.4
                _group(ax, at, values, 0.37, COLOUR[a], "////" if j else "", None)
                text = f"{values.mean():,.0f}" if values.mean() < 1e5 else f"{values.mean() / 1e6:.1f} M"
                ax.annotate(text, (at, values.mean()), (0, 4), textcoords="offset points", ha="center", fontsize=7.5,
                            color=house.MUTED)  # fmt: skip
        ax.set_yscale("log")
        ax.set_ylim(1e3, 3e7)
        ax.set_xticks(range(3), ALGOTYPES)
        ax.grid(False, axis="x")
        ax.bar([0], [1e-9], color=SLATE, alpha=0.6, label="run by the cells")
        ax.bar([0], [1e-9], color="white", edgecolor=SLATE, hatch="////", label="run from above")
        house.finish(ax, title=title, ylabel="reads + swaps" if ax is axes[0] else None,
                     legend="upper right" if ax is axes[0] else False)  # fmt: skip
    return fig
