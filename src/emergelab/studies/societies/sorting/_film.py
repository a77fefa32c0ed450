"""Single arrays, event by event: the mirage and the raster, filmed anew from the run's own parameters."""

from __future__ import annotations

import tempfile
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
from emergelab.engine.serial import unpack
from emergelab.system import values as parameters

from ._conditions import ALGOTYPES
from ._system import Sorting
from ._traces import block_shuffled, delayed_gratification

COLOUR = dict(zip(ALGOTYPES, house.COLOURS, strict=False))
METRIC = {"descents": house.COLOURS[3], "inversions": house.COLOURS[5]}
FILMED = (*ALGOTYPES, "bubble+selection", "bubble+selection-duplicates")
FILMED_SEEDS = 6


def of(run: el.Run, condition: str) -> xr.Dataset:
    return run.data.sel(condition=condition, drop=True)


def end(run: el.Run, condition: str, name: str) -> Float[np.ndarray, "seeds"]:
    return of(run, condition)[name].isel(time=-1).values.astype(float)


@lru_cache(maxsize=1)
def _filmed(path: str) -> xr.Dataset:
    """The first seeds of some conditions again, recorded after every event and with the cells themselves.

    Randomness is addressed by seed and time, so these are the very arrays of the run.
    """
    run = el.load(path)
    info = run.info
    names = [name for name in FILMED if name in info["conditions"]]
    own = {name: info["conditions"][name]["parameters"] for name in names}
    seeds = info["seeds"][:FILMED_SEEDS]
    # Nothing is filmed after all have come to rest.
    busy = (run.data["halted"].sel(condition=names, seed=seeds) == 0).any(["condition", "seed"])
    steps = min(int(busy.sum()) * info["every"], info["steps"])
    done = unpack(info["interventions"], run.place)
    base = Sorting(n=own[names[0]]["n"])
    with tempfile.TemporaryDirectory() as folder:
        film = el.run(
            base,
            steps=steps,
            every=1,
            seeds=seeds,
            conditions={
                name: el.Condition({k: v for k, v in own[name].items() if v != parameters(base)[k]}, tuple(done[name]))
                for name in names
            },
            taps=["state.cells.value", "state.cells.algotype"],
            out=Path(folder) / "film",
            progress=False,
        )
        return film.data[["descents", "inversions", "swaps", "state.cells.value", "state.cells.algotype"]].load()


def _after_swaps(film: xr.Dataset, name: str) -> np.ndarray:
    """Values after 0, 1, 2, ... swaps in the film of one array."""
    swaps = film["swaps"].values.astype(int)
    return film[name].values[np.searchsorted(swaps, np.arange(swaps[-1] + 1))]


def _paired_bars(ax: Axes, groups: dict[str, dict[str, float]], form: str) -> None:
    """One pair of columns a group, by descents and by inversions, with their heights written above."""
    for j, (metric, colour) in enumerate(METRIC.items()):
        at = np.arange(len(groups)) + (j - 0.5) * 0.38
        heights = [g[metric] for g in groups.values()]
        ax.bar(at, heights, 0.35, color=colour, alpha=0.85, label=f"by {metric}")
        for x, height in zip(at, heights, strict=True):
            ax.annotate(
                "0" if height == 0 else format(height, form),
                (x, height),
                (0, 4),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=8,
                color=house.INK,
            )
    ax.set_xticks(range(len(groups)), list(groups))
    ax.grid(False, axis="x")
    ax.margins(y=0.12)


def mirage(run: el.Run) -> Figure:
    """One trace under two metrics, and delayed gratification under both."""
    film = _filmed(run.path)
    fig, ((above, beside), (left, right)) = house.new(rows=2, cols=2, width=11.0, height=6.6)
    bubble = film.sel(condition="bubble").isel(seed=0)
    for ax, (metric, colour), title in zip(
        (above, beside),
        METRIC.items(),
        ("By descents: detours everywhere", "By inversions: not one"),
        strict=True,
    ):
        trace = _after_swaps(bubble, metric)
        start = len(trace) // 2
        piece = trace[start : start + 80]
        x = start + np.arange(len(piece))
        ax.step(x, piece, where="post", color=colour, linewidth=1.8)
        for rise in np.flatnonzero(np.diff(piece) > 0):
            ax.axvspan(x[rise], x[rise + 1], color=colour, alpha=0.18, linewidth=0)
        share = 100 * np.mean(np.diff(trace) > 0)
        house.finish(ax, title=title, xlabel="swaps (one bubble array, at half time)", ylabel=metric)
        ax.text(
            0.97,
            0.94,
            f"{share:.0f} % of its swaps raise the error",
            transform=ax.transAxes,
            ha="right",
            va="top",
            color=house.INK,
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )

    names = {
        "bubble": "bubble",
        "insertion": "insertion",
        "selection": "selection",
        "bubble-immovable-3": "bubble,\n3 walls",
        "insertion-immovable-3": "insertion,\n3 walls",
    }
    gain = {
        label: {m: float(end(run, c, o).mean()) for m, o in (("descents", "dg"), ("inversions", "dg_inversions"))}
        for c, label in names.items()
    }
    _paired_bars(left, gain, ".2f")
    rng = np.random.default_rng(0)
    for i, a in enumerate(ALGOTYPES):
        traces = [_after_swaps(film.sel(condition=a).isel(seed=s), "descents") for s in range(film.sizes["seed"])]
        null = np.mean([delayed_gratification(block_shuffled(t, 10, rng)) for t in traces for _ in range(20)])
        left.plot(
            [i - 0.37, i - 0.01],
            [null, null],
            color=house.INK,
            linewidth=1.6,
            linestyle=(0, (2, 1.4)),
            label=None if i else "the same, 10-blocks shuffled",
        )
    house.finish(left, title="Delayed gratification", ylabel="net gain per detour", legend="upper right")

    names = {
        "bubble": "bubble",
        "insertion": "insertion",
        "selection": "selection",
        "bubble-immovable-3": "bubble,\n3 walls",
        "selection-movable-3": "selection,\n3 movable",
        "walker": "random\nwalker",
    }
    back = {}
    for c, label in names.items():
        swaps = np.maximum(end(run, c, "swaps"), 1)
        back[label] = {m: float(np.mean(100 * end(run, c, f"{m[:-1]}_rises") / swaps)) for m in METRIC}
    _paired_bars(right, back, ".1f")
    house.finish(right, title="Swaps that step back", ylabel="% of swaps", legend="upper left")
    return fig


def raster(run: el.Run) -> Figure:
    """Values and algotypes of one array after each swap."""
    films = _filmed(run.path).isel(seed=0)
    fig, axes = house.new(rows=2, cols=2, width=11.0, height=5.6, sharex="col")
    kinds = ListedColormap([COLOUR["bubble"], house.GREY, COLOUR["selection"]])
    titles = {
        "bubble+selection": "every value once",
        "bubble+selection-duplicates": "ten copies of every value",
    }
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
