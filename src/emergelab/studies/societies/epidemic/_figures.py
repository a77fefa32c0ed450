"""Pictures of a run of the study."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house

from ._against import AHEAD, SEEN, autoregression, error, error_ahead, fitted, persistence
from ._conditions import BASE, FITTED, GROUPS, HALFWAY, PAID, RATES, SCALES, TRUTH, archetypes, at_rate, paid
from ._measures import (
    at_weeks,
    deaths_per_thousand_from_halfway,
    infections_from_halfway,
    log10_variance_of_areas,
    mean_isolation,
    peaks,
    spread_of_peaks_over_areas,
    weekly,
    weekly_by_area,
    worst_week,
)
from ._policies import ARCHETYPES
from ._system import WEEK

BLUE, RED, GREEN, PURPLE, AMBER = house.COLOURS[:5]
SLATE = house.COLOURS[7]
LEVELS = {"fixed": SLATE, "heuristic": AMBER, archetypes(9): GREEN, BASE: BLUE}
NAMES = {"fixed": "fixed", "heuristic": "heuristic", archetypes(9): "9 archetypes", archetypes(27): "27 archetypes",
         BASE: "individuals"}  # fmt: skip
FILM = 8
Measure = Callable[[xr.Dataset], xr.DataArray]


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    fits = tuple(at_rate(n, r) for n in FITTED for r in RATES)
    return (
        el.Figure(
            "waves",
            waves_by_level,
            "New infections and isolation by who decides. Thin lines are cities, thick ones means with 95 % bands; "
            "triangles mark the waves of the mean.",
            needs=tuple(LEVELS),
        ),
        el.Figure(
            "map",
            film,
            "One city week by week: new infections per 100 residents of each area, above if everybody decides, below "
            "with fixed behaviour. The first infections are in the upper left corner.",
            needs=(BASE, "fixed"),
        ),
        el.Figure(
            "archetypes",
            error_against_archetypes,
            "Error of weekly infections in the same city, by the number of archetypes and by the answers asked for "
            "in a week. Dashed: the city of individuals against itself, with other random numbers.",
            needs=(*GROUPS, BASE, TRUTH, "heuristic", "fixed"),
        ),
        el.Figure(
            "agency",
            local_agency,
            "What is lost below the mean: differences between people, between areas, and in the times of local peaks. "
            "Dots are cities, bars means with 95 % intervals.",
            needs=(*GROUPS, BASE, "no-memory"),
        ),
        el.Figure(
            "synchrony",
            synchrony,
            "The same nine answers drawn by each member, once for a whole group, or acted on by majority.",
            needs=(archetypes(9), f"{archetypes(9)}-one", f"{archetypes(9)}-majority"),
        ),
        el.Figure(
            "questions",
            questions,
            "Of another world and of the future: each change against the same cities without it. Dots are cities, bars "
            "means with 95 % intervals.",
            needs=(*PAID, *map(paid, PAID), "blind", "fresh-news", "late-news", "foreign-news", "no-memory", "switched",
                   "vaccinate-old", "vaccinate-workers"),
        ),
        el.Figure(
            "forecast",
            forecast,
            "Of the past and the near future: R fitted to twelve weeks of a city (left of the line), and what each "
            "model then says. Right: errors over the eight weeks after. Dots are cities.",
            needs=(TRUTH, *fits),
        ),
        el.Figure(
            "size",
            size,
            "Scatter between cities of infections per person after eight weeks, against the number of people. The line "
            "has slope -1/2.",
            needs=tuple(SCALES),
        ),
    )  # fmt: skip


def _of(run: el.Run, condition: str) -> xr.Dataset:
    return run.data.sel(condition=condition, drop=True)


def waves_by_level(run: el.Run) -> Figure:
    """The headline: what people do, and what the disease does."""
    fig, axes = house.new(rows=2, cols=4, width=12.0, height=5.0, sharex=True, sharey="row")
    for (name, colour), (above, below) in zip(LEVELS.items(), axes.T, strict=True):
        d = _of(run, name)
        cases = weekly(d)
        weeks = np.arange(1, cases.shape[1] + 1)
        house.band(above, weeks, cases, colour=colour)
        mean = cases.mean(axis=0)
        found = peaks(mean)
        above.plot(weeks[found], mean[found] + 0.06 * axes[0, 0].get_ylim()[1], "v", color=house.INK, markersize=5)
        house.band(below, weeks, 100 * at_weeks(d, "isolating"), colour=colour)
        house.finish(above, title=f"{NAMES[name]}: {_count(len(found))}", ylim=(0, None))
        house.finish(below, xlabel="week", ylim=(0, 100))
    house.finish(axes[0, 0], ylabel="infections per 100 people\nand week")
    house.finish(axes[1, 0], ylabel="isolating (%)")
    return fig


def _count(n: int) -> str:
    return "no wave" if n == 0 else "one wave" if n == 1 else f"{n} waves"


def film(run: el.Run) -> Figure:
    """The map as a film strip."""
    names = (BASE, "fixed")
    maps = [weekly_by_area(_of(run, name))[0] for name in names]
    last = len(maps[0])
    shown = np.unique(np.linspace(1, last, min(FILM, last)).round().astype(int)) - 1
    fig, axes = house.new(rows=2, cols=len(shown), width=1.45 * len(shown) + 1.2, height=3.8, squeeze=False)
    top = max(1e-6, *(float(np.quantile(m[shown], 0.995)) for m in maps))
    for row, (name, found) in enumerate(zip(names, maps, strict=True)):
        for ax, week in zip(axes[row], shown, strict=True):
            ax.imshow(found[week], vmin=0, vmax=top, cmap="magma_r")
            ax.set_xticks([])
            ax.set_yticks([])
            ax.grid(False)
            if row == 0:
                house.finish(ax, title=f"week {week + 1}")
        house.finish(axes[row, 0], ylabel=NAMES[name])
    bar = fig.colorbar(ScalarMappable(Normalize(0, top), "magma_r"), ax=axes, shrink=0.85, pad=0.015, extend="max")
    bar.set_label("infections per 100 residents and week", fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return fig


def _interval(values: Float[np.ndarray, "seed"]) -> float:
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def error_against_archetypes(run: el.Run) -> Figure:
    """Error against the number of archetypes, and against what asking costs."""
    truth = weekly(_of(run, TRUTH))
    names = [*GROUPS, BASE]
    found = {n: error(weekly(_of(run, n)), truth) for n in [*names, "heuristic", "fixed"]}
    calls = {n: float((at_weeks(_of(run, n), "calls")[:, -1] / (run.info["steps"] // WEEK)).mean()) for n in names}
    people = int(_of(run, BASE)["people"].isel(seed=0, time=0).sum())
    fig, (left, right) = house.new(cols=2, width=10.5, height=3.9, sharey=True)
    for ax, xs in ((left, [*ARCHETYPES, people]), (right, [calls[n] for n in names])):
        for x, n in zip(xs, names, strict=True):
            colour = BLUE if n == BASE else GREEN
            ax.plot(
                np.full(len(found[n]), x), found[n], "o", color=colour, alpha=0.35, markersize=3.5, markeredgewidth=0
            )
        means = np.asarray([found[n].mean() for n in names])
        ax.errorbar(xs, means, yerr=[_interval(found[n]) for n in names], color=house.INK, linewidth=1.6, marker="o",
                    markersize=5, capsize=2.5, zorder=5)  # fmt: skip
        ax.axhline(means[-1], color=BLUE, linestyle=(0, (4, 3)), linewidth=1.0)
        for n, style in (("heuristic", ":"), ("fixed", "-.")):
            ax.axhline(found[n].mean(), color=LEVELS[n], linestyle=style, linewidth=1.4)
        ax.set_xscale("log")
        ax.set_yscale("log")
        house.log_ticks(ax.yaxis)
    for n in ("heuristic", "fixed"):
        right.annotate(n, (1.0, found[n].mean()), xycoords=("axes fraction", "data"), xytext=(4, 0),
                       textcoords="offset points", va="center", fontsize=8.5, color=LEVELS[n])  # fmt: skip
    right.annotate("individuals", (1.0, found[BASE].mean()), xycoords=("axes fraction", "data"), xytext=(4, 0),
                   textcoords="offset points", va="center", fontsize=8.5, color=BLUE)  # fmt: skip
    house.finish(left, title="How many minds", xlabel="archetypes (last: everybody)",
                 ylabel="error of weekly infections\n(share of their mean)")  # fmt: skip
    house.finish(right, title="What asking costs", xlabel="answers a week")
    return fig


def local_agency(run: el.Run) -> Figure:
    """Between people, between areas, and in time."""
    fig, axes = house.new(cols=3, width=12.0, height=3.6)
    names = [*GROUPS, BASE]
    labels = [*map(str, ARCHETYPES), "all"]
    colours = [*[GREEN] * len(GROUPS), BLUE]

    def sd(d: xr.Dataset) -> Float[np.ndarray, "seed"]:
        return np.asarray(at_weeks(d, "chance_sd")[:, 3:].mean(axis=1))

    for ax, title, ylabel, measure in (
        (axes[0], "Between people", "sd of the chance to isolate", sd),
        (axes[1], "Between areas", "log10 variance of infections\nper 100 residents and week", log10_variance_of_areas),
        (axes[2], "In time", "sd of the week of local peaks", spread_of_peaks_over_areas),
    ):
        values = {label: np.asarray(measure(_of(run, n))) for label, n in zip(labels, names, strict=True)}
        house.bars(ax, values, colours=colours)
        house.finish(ax, title=title, ylabel=ylabel, xlabel="archetypes")
    return fig


def synchrony(run: el.Run) -> Figure:
    """Isolation over time when a group's answer is drawn in three ways."""
    group = archetypes(9)
    fig, axes = house.new(cols=3, width=11.0, height=3.2, sharey=True)
    ways = {group: "each member draws", f"{group}-one": "one draw a group", f"{group}-majority": "the majority's act"}
    for ax, (name, title), colour in zip(axes, ways.items(), (GREEN, AMBER, RED), strict=True):
        values = 100 * at_weeks(_of(run, name), "isolating")
        weeks = np.arange(1, values.shape[1] + 1)
        for row in values[:5]:
            ax.plot(weeks, row, color=colour, linewidth=1.1, alpha=0.75)
        swing = values[:, 3:].std(axis=1).mean()
        house.finish(ax, title=f"{title}: sd {swing:.0f} %", xlabel="week", ylim=(0, 100))
    house.finish(axes[0], ylabel="isolating (%)")
    return fig


def _changes(ax: Axes, rows: dict[str, Float[np.ndarray, "seed"]], colours: list[str]) -> None:
    """Horizontal bars of differences, with every seed."""
    for i, (values, colour) in enumerate(zip(rows.values(), colours, strict=True)):
        y = len(rows) - 1 - i
        ax.barh(y, values.mean(), height=0.6, color=colour, alpha=0.3, linewidth=0)
        ax.errorbar(values.mean(), y, xerr=_interval(values), color=house.INK, linewidth=1.3, capsize=2.5, zorder=5)
        ax.plot(values, np.full(len(values), y), "o", color=colour, markersize=3, alpha=0.55, markeredgewidth=0)
    ax.axvline(0, color=house.GREY, linewidth=1.0)
    ax.set_yticks(range(len(rows)), list(rows)[::-1])
    ax.grid(False, axis="y")


def questions(run: el.Run) -> Figure:
    """What each change does."""
    fig, axes = house.new(cols=3, width=13.0, height=3.9)

    def change(measure: Measure, a: str, b: str, scale: float = 1.0) -> Float[np.ndarray, "seed"]:
        return scale * np.asarray(measure(_of(run, a)) - measure(_of(run, b)), float)

    payment = {NAMES[n]: change(mean_isolation, paid(n), n, 100.0) for n in PAID}
    _changes(axes[0], payment, [SLATE, AMBER, GREEN, BLUE])
    house.finish(axes[0], title="A full wage for staying at home", xlabel="change of isolating people (%)")
    other = {"no news": "blind", "fresh news": "fresh-news", "news two weeks old": "late-news",
             "another city's news": "foreign-news", "no memory": "no-memory"}  # fmt: skip
    _changes(axes[1], {k: change(worst_week, n, BASE) for k, n in other.items()}, [RED, GREEN, AMBER, PURPLE, SLATE])
    house.finish(axes[1], title="News and memory", xlabel="change of the worst week\n(infections per 100 people)")
    future = {"the old vaccinated": "vaccinate-old", "workers vaccinated": "vaccinate-workers",
              "nobody listens": "switched"}  # fmt: skip
    rows = {}
    for label, name in future.items():
        rows[f"{label}:\ninfections / 100"] = change(infections_from_halfway, name, BASE)
        rows[f"{label}:\ndeaths / 10,000"] = change(deaths_per_thousand_from_halfway, name, BASE, 10.0)
    _changes(axes[2], rows, [BLUE, RED] * 3)
    house.finish(axes[2], title=f"From day {HALFWAY} on", xlabel="change in the second half")
    return fig


def forecast(run: el.Run) -> Figure:
    """Models fitted to the past of one city, and what they say of its future."""
    truth = weekly(_of(run, TRUTH))
    models = {n: fitted([weekly(_of(run, at_rate(n, r))) for r in RATES], truth) for n in FITTED}
    fig, (left, right) = house.new(cols=2, width=11.0, height=3.9, width_ratios=[1.5, 1])
    weeks = np.arange(1, truth.shape[1] + 1)
    left.plot(weeks, truth[0], color=house.INK, linewidth=2.6, label="the city", zorder=6)
    colours = dict(zip(FITTED, (SLATE, AMBER, GREEN), strict=True))
    for n, (found, best) in models.items():
        left.plot(weeks, found[0], color=colours[n], linewidth=1.6, label=f"{NAMES[n]}, R = {RATES[best[0]]:g}")
    simple = {"persistence": persistence(truth), "autoregression": autoregression(truth)}
    later = simple["autoregression"][0, SEEN - 1 :]
    left.plot(weeks[SEEN - 1 :], later, color=PURPLE, linestyle=":", label="autoregression")
    left.axvline(SEEN + 0.5, color=house.GREY, linewidth=1.0)
    left.axvspan(SEEN + 0.5, SEEN + AHEAD + 0.5, color=house.GREY, alpha=0.15, linewidth=0)
    highest = max(float(truth[0].max()), *(float(f[0].max()) for f, _ in models.values()))
    house.finish(left, title="One city", xlabel="week", ylabel="infections per 100 people\nand week",
                 ylim=(0, 1.25 * highest), legend="upper right")  # fmt: skip
    rows = {NAMES[n].replace(" ", "\n"): error_ahead(f, truth) for n, (f, _) in models.items()}
    rows |= {n: error_ahead(f, truth) for n, f in simple.items()}
    house.bars(
        right, {k: np.log10(np.maximum(v, 1e-3)) for k, v in rows.items()}, colours=[*colours.values(), RED, PURPLE]
    )
    right.tick_params(axis="x", labelsize=7.5)
    house.finish(right, title="Errors ahead", ylabel="log10 of the error\n(share of the mean)")
    return fig


def size(run: el.Run) -> Figure:
    """Finite-size scaling of the scatter."""
    fig, ax = house.new(width=5.6, height=3.8)
    people = np.asarray([int(_of(run, n)["people"].isel(seed=0, time=0).sum()) for n in SCALES], float)
    rows = np.stack([weekly(_of(run, n))[:, :8].sum(axis=1) for n in SCALES], axis=1)
    spread = rows.std(axis=0, ddof=1)
    ax.plot(people, spread, "o", color=BLUE, markersize=7, label="measured")
    middle = np.exp(np.log(spread).mean() + 0.5 * np.log(people).mean())
    ax.plot(people, middle / np.sqrt(people), color=house.GREY, linewidth=1.4, label="slope -1/2")
    ax.set_xscale("log")
    ax.set_yscale("log")
    house.log_ticks(ax.yaxis)
    ax.set_xticks(people, [f"{int(p):,}" for p in people])
    ax.minorticks_off()
    house.finish(ax, title="Larger cities scatter less", xlabel="people", legend=True,
                 ylabel="sd over cities of infections\nper 100 people in 8 weeks")  # fmt: skip
    return fig
