"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.games.restarts import Predictor, Task, benefit_ratio

from ._conditions import FALSE_ALARMS, HITS, grid, matrix
from ._system import BINS, WIDTH

BLUE, RED, GREEN, PURPLE, SLATE = (house.COLOURS[k] for k in (0, 1, 2, 3, 7))


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "boundary",
            boundary,
            "Left: change of the makespan when a device is obeyed, by its confusion matrix (positive: a failure is "
            "predicted). Above the line, which the closed form draws, obeying saves time. Right: measured against "
            "predicted makespan in every condition that has a closed form; seeds as dots.",
            needs=("run", *grid()),
        ),
        el.Figure(
            "makespans",
            makespans,
            "Share of jobs that take longer than so many seconds. Vertical lines: means.",
            needs=("run", "obey", "timeout", "luby", "heavy-run", "heavy-random", "heavy-timeout", "heavy-luby"),
        ),
        el.Figure(
            "adoption",
            adoption,
            "Running mean of the makespan while a predictor is being learnt, where the signal tells much (left) and "
            "next to nothing (middle); right, the share of seeds in which it is in use. Thin lines are seeds, bands "
            "95 % intervals; dashed, the best rule there is.",
            needs=("watch-run", "watch-learnt", "watch-adopt", "dull-run", "dull-learnt", "dull-adopt"),
        ),
        el.Figure(
            "rules",
            rules,
            "Makespan of rules that watch the same attempts. Dots are seeds, bars means with 95 % intervals; dashed: "
            "the optimum by dynamic programming. Right: the boundary of the best rule.",
            needs=("watch-run", "watch-timeout", "watch-sprt", "watch-learnt", "watch-adopt", "watch-best"),
        ),
        el.Figure(
            "crowd",
            crowd,
            "Where resets queue: running mean of the makespan (left), and the share of robots that obey the device "
            "(middle). Right: the five who obey among ninety-five who do not.",
            needs=("crowd-run", "crowd-few", "crowd-all", "crowd-weigh", "crowd-toll"),
        ),
    )


def _curves(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed time *more"]:
    return np.asarray(run.data[name].sel(condition=condition).transpose("seed", "time", ...).values, float)


def _end(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed *more"]:
    return _curves(run, name, condition)[:, -1]


def boundary(run: el.Run) -> Figure:
    """The headline: the map of confusion matrices."""
    fig, (left, right) = house.new(cols=2, width=10.6, height=4.2, width_ratios=(1.15, 1))
    base = _end(run, "makespan", "run").mean()
    change = np.array([[_end(run, "makespan", matrix(s, f)).mean() / base - 1 for s in FALSE_ALARMS] for f in HITS])
    colours = left.pcolormesh(
        _edges(FALSE_ALARMS), _edges(HITS), 100 * change, cmap=house.SIGNED, norm=TwoSlopeNorm(0, -60, 60)
    )
    for (row, column), value in np.ndenumerate(change):
        left.text(
            FALSE_ALARMS[column], HITS[row], f"{100 * value:+.0f}", ha="center", va="center", fontsize=8.5,
            color="white" if abs(value) > 0.42 else house.INK, zorder=5,
            bbox=None if abs(value) > 0.02 else {"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip
    slope = benefit_ratio(Task(0.5, 20.0, 40.0, 5.0), Predictor(0.0, 0.0, 8.0, 8.0))
    x = np.linspace(0, 0.725, 50)
    left.plot(x, slope * x, color=house.INK, linewidth=1.8)
    left.grid(False)
    bar = fig.colorbar(colours, ax=left, pad=0.02, extend="max")
    bar.set_label("change of the makespan (%)", fontsize=8.5)
    bar.outline.set_visible(False)
    house.finish(
        left,
        title=f"Pays above hits = {slope:.2f} x false alarms",
        xlabel="false alarms (share of would-be successes)",
        ylabel="hits (share of would-be failures)",
        xlim=(0, 0.725),
        ylim=(0, 1),
    )
    _against(run, right)
    return fig


def _against(run: el.Run, ax: Axes) -> None:
    values = run.data.isel(time=-1)
    sets = {"confusion matrices": BLUE, "clocks, fixed times, Luby": RED, "queues, jobs that differ": GREEN}
    kinds = {
        "queues, jobs that differ": ("crowd", "alike"),
        "clocks, fixed times, Luby": ("clock", "random", "timeout", "luby"),
    }
    shown: set[str] = set()
    for name in map(str, run.data.condition.values):
        one = values.sel(condition=name)
        predicted = np.asarray(one["predicted"].values, float)
        if not np.isfinite(predicted).all():
            continue
        label = next((kind for kind, words in kinds.items() if any(w in name for w in words)), "confusion matrices")
        colour = sets[label]
        ax.plot(
            predicted, one["makespan"].values, "o", color=colour, markersize=3.5, alpha=0.6,
            label=None if label in shown else label,
        )  # fmt: skip
        shown.add(label)
    ends = np.array([25.0, 320.0])
    ax.plot(ends, ends, color=house.GREY, linewidth=1.0, zorder=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        house.log_ticks(axis)
    house.finish(
        ax,
        title="Measured against predicted",
        xlabel="makespan by the closed form (s)",
        ylabel="measured makespan (s)",
        legend="upper left",
    )


def _edges(centres: tuple[float, ...]) -> np.ndarray:
    c = np.asarray(centres)
    middle = (c[1:] + c[:-1]) / 2
    return np.concatenate([[2 * c[0] - middle[0]], middle, [2 * c[-1] - middle[-1]]])


def makespans(run: el.Run) -> Figure:
    """Distributions of makespans."""
    fig, axes = house.new(cols=2, width=10.2, height=3.7, sharey=True)
    worlds = {
        "Exponential times, failures take longer": {
            "run": "run to the end", "obey": "obey the device", "timeout": "best fixed time", "luby": "Luby's sequence",
        },
        "Heavy-tailed times, equal for both ends": {
            "heavy-run": "run to the end", "heavy-random": "stop at random", "heavy-timeout": "best fixed time",
            "heavy-luby": "Luby's sequence",
        },
    }  # fmt: skip
    time = WIDTH * np.arange(1, BINS)
    for ax, (title, group) in zip(axes, worlds.items(), strict=True):
        for (name, label), colour in zip(group.items(), (SLATE, BLUE, GREEN, RED), strict=True):
            tail = 1 - np.cumsum(_end(run, "density", name).mean(axis=0))[:-1]
            mean = _end(run, "makespan", name).mean()
            ax.plot(time, np.maximum(tail, 1e-6), color=colour, label=f"{label}: mean {mean:.0f} s")
            ax.axvline(mean, color=colour, linewidth=0.8, linestyle=":")
        ax.set_yscale("log")
        house.finish(
            ax,
            title=title,
            xlabel="makespan (s)",
            ylabel="share of jobs that take longer" if ax is axes[0] else None,
            xlim=(0, 400),
            ylim=(1e-3, 1.1),
            legend="upper right",
        )
    return fig


def adoption(run: el.Run) -> Figure:
    """Learning in production."""
    fig, (left, middle, right) = house.new(cols=3, width=12.0, height=3.7)
    time = run.data.time.values
    words = {"run": ("never obeyed", SLATE), "learnt": ("obeyed at once", RED), "adopt": ("obeyed when it pays", BLUE)}
    for ax, world, title in (
        (left, "watch", "A telling signal"),
        (middle, "dull", "It tells little, resets take 20 s"),
    ):
        for policy, (label, colour) in words.items():
            house.band(ax, time, _curves(run, "recent", f"{world}-{policy}"), label, colour, seeds=6)
        best = float(_end(run, "optimum", f"{world}-run").mean())
        house.finish(
            ax,
            title=title,
            xlabel="attempts of each robot",
            ylabel="time to success, running mean (s)" if ax is left else None,
            chance=best,
            legend="center right" if ax is left else False,
        )
    low = min(ax.get_ylim()[0] for ax in (left, middle))
    high = max(ax.get_ylim()[1] for ax in (left, middle))
    for ax in (left, middle):
        ax.set_ylim(low, high)
    for world, label, colour in (("watch", "telling signal", BLUE), ("dull", "dull signal", SLATE)):
        share = _curves(run, "adopted", f"{world}-adopt").mean(axis=0)
        right.plot(time, share, "o-", color=colour, label=label, markersize=3.5)
    house.finish(
        right,
        title="In use",
        xlabel="attempts of each robot",
        ylabel="share of seeds",
        ylim=(-0.03, 1.03),
        legend="center right",
    )
    return fig


def rules(run: el.Run) -> Figure:
    """Rules that watch."""
    fig, ax = house.new(width=8.2, height=3.9)
    words = {
        "watch-run": "run to\nthe end", "watch-timeout": "best fixed\ntime", "watch-sprt": "Wald's\ntest",
        "watch-learnt": "learnt,\nobeyed at once", "watch-adopt": "learnt, obeyed\nwhen it pays",
        "watch-best": "best rule",
    }  # fmt: skip
    values = {label: _end(run, "makespan", name) for name, label in words.items()}
    house.bars(ax, values, colours=[SLATE, GREEN, PURPLE, RED, RED, BLUE])
    best = float(_end(run, "optimum", "watch-best").mean())
    house.finish(ax, title=f"Optimum by dynamic programming: {best:.1f} s", ylabel="makespan (s)", chance=best)
    return fig


def crowd(run: el.Run) -> Figure:
    """Impatience where resets queue."""
    fig, (left, middle, right) = house.new(cols=3, width=12.0, height=3.7, width_ratios=(1.2, 1.2, 0.8))
    time = run.data.time.values
    words = {
        "crowd-run": ("nobody", SLATE), "crowd-all": ("everybody", RED), "crowd-weigh": ("whoever gains", PURPLE),
        "crowd-toll": ("whoever gains after a toll", BLUE),
    }  # fmt: skip
    for name, (label, colour) in words.items():
        house.band(left, time, _curves(run, "recent", name), label, colour, seeds=4)
    house.finish(
        left,
        title="Who obeys the device",
        xlabel="attempts of each robot",
        ylabel="time to success, running mean (s)",
        ylim=(60, 92),
        legend="upper left",
    )
    for name in ("crowd-weigh", "crowd-toll"):
        house.band(middle, time, _curves(run, "heeding", name), words[name][0], words[name][1], seeds=4)
    house.finish(
        middle, title="Share that obeys", xlabel="attempts of each robot", ylabel="share of robots", ylim=(0, 1.02)
    )
    few = {"the five\nwho obey": _end(run, "makespan", "crowd-few"),
           "the others": _end(run, "makespan_others", "crowd-few")}  # fmt: skip
    house.bars(right, few, colours=[BLUE, SLATE])
    house.finish(right, title="A few among many", ylabel="makespan (s)")
    return fig
