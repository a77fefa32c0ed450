"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house
from emergelab.games.taxes import US_CUTS

from ._conditions import ELASTICITY, REGIMES, WORK
from ._system import FLAT

BLUE, RED, GREEN, PURPLE, AMBER, SKY, _, SLATE = house.COLOURS
COLOURS = {"free": SLATE, "us": AMBER, "flat": GREEN, "saez": PURPLE, "planner": BLUE}
SHORT = {"free": "none", "us": "US 2018", "flat": "flat 30 %", "saez": "Saez", "planner": "planner"}
ADAPTING = {
    "steep-planner": "reply at once",
    "steep-static": "reply at once;\nhours taken for given",
    "steep-late-patient": "know last year's rates;\nten years a trial",
    "steep-late": "know last year's rates;\none year a trial",
    "steep-marginal-planner": "go by their marginal rate;\nten years a trial",
    "steep-marginal-hasty": "go by their marginal rate;\none year a trial",
    "steep-learner-planner": "learn by tables;\nten years a trial",
}
_BOTH = ("steep", "gentle")


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "regimes",
            regimes,
            "Welfare against that without taxes, by who sets them, in three kinds of work. Dots are societies (seeds), "
            "bars means with 95 % intervals.",
            needs=tuple(f"{work}-{name}" for work in WORK for name in REGIMES),
        ),
        el.Figure(
            "schedules",
            schedules,
            "Marginal rates in force by income, of brackets in which somebody's last coin is taxed. Bold: means over "
            "these seeds, if they are half of all; thin: seeds. Below, incomes of all workers under the planner.",
            needs=tuple(f"{work}-{name}" for work in _BOTH for name in ("us", "saez", "planner")),
        ),
        el.Figure(
            "tradeoff",
            tradeoff,
            "Left: what a flat tax brings in; dotted lines: the rates 1 / (1 + elasticity). Middle and right: equality "
            "and productivity under flat taxes (line, a dot for each tenth) and in every regime; means over seeds.",
            needs=tuple(f"{work}-{name}" for work in _BOTH for name in REGIMES),
        ),
        el.Figure(
            "adapting",
            adapting,
            "What a planner promises if all went on working as without taxes (hollow), and what comes of it (full), "
            "by how workers respond and how long it waits; elasticity 0.4. Small dots are seeds, lines join means.",
            needs=(*ADAPTING, "steep-free"),
        ),
        el.Figure(
            "elasticity",
            elasticity,
            "The elasticity that a planner comes to reckon with, by what it regresses; dashed: the true one. Dots are "
            "seeds, bars means with 95 % intervals.",
            needs=tuple(f"{work}-{name}" for work in _BOTH for name in ("people", "years", "flat-years")),
        ),
    )


def _end(run: el.Run, name: str, condition: str) -> Float[np.ndarray, "seed *more"]:
    found = run.data[name].sel(condition=condition).isel(time=-1)
    return np.asarray(found.transpose("seed", ...).values, float)


def _kind(work: str) -> str:
    return f"elasticity {ELASTICITY[work]:g}{', hours run out' if work == 'long' else ''}"


def regimes(run: el.Run) -> Figure:
    """The headline: what each regime is worth."""
    fig, axes = house.new(cols=3, width=11.5, height=3.6)
    for ax, work in zip(axes, WORK, strict=True):
        base = _end(run, "welfare", f"{work}-free")
        gain = {SHORT[n]: 100 * (_end(run, "welfare", f"{work}-{n}") / base - 1) for n in REGIMES if n != "free"}
        house.bars(ax, gain, colours=[c for n, c in COLOURS.items() if n != "free"])
        house.finish(ax, title=_kind(work).capitalize(), ylabel="welfare gained (%)" if work == "steep" else None)
    return fig


def schedules(run: el.Run) -> Figure:
    """Rates by income, of filled brackets only."""
    fig, axes = house.new(
        rows=2, cols=2, width=10.4, height=4.6, height_ratios=(4, 1), sharex="col"
    )  # fmt: skip
    for col, work in enumerate(_BOTH):
        ax, below = axes[0, col], axes[1, col]
        income = _end(run, "income", f"{work}-planner").ravel()
        top = float(np.ceil(np.quantile(income, 0.998) / 10) * 10)
        for name in ("us", "saez", "planner"):
            condition = f"{work}-{name}"
            rates = np.where(_paid_last(_end(run, "income", condition)), _end(run, "rates", condition), np.nan)
            if name != "us":
                for one in rates:
                    _steps(ax, one, top, color=COLOURS[name], linewidth=0.6, alpha=0.3)
            often = np.isfinite(rates).mean(0) > 0.5
            mean = np.where(often, np.nansum(rates, 0) / np.maximum(np.isfinite(rates).sum(0), 1), np.nan)
            _steps(ax, mean, top, color=COLOURS[name], label=SHORT[name])
        below.hist(income, bins=np.linspace(0, top, 60).tolist(), color=COLOURS["planner"], alpha=0.5)
        below.set_yticks([])
        house.finish(ax, title=_kind(work).capitalize(), ylabel="marginal rate" if not col else None, ylim=(-0.02, 1),
                     xlim=(0, top), legend="upper right")  # fmt: skip
        house.finish(below, xlabel="income (coins a year)", ylabel="workers" if not col else None)
    return fig


def _paid_last(income: Float[np.ndarray, "seed worker"]) -> Bool[np.ndarray, "seed bracket"]:
    """Brackets in which somebody's last coin is taxed. All other rates change nothing, and mean nothing."""
    where = np.searchsorted(US_CUTS, income * (1 - 1e-3), side="right") - 1
    return (where[:, :, None] == np.arange(len(US_CUTS))).any(axis=1)


def _steps(ax: Axes, rates: Float[np.ndarray, "bracket"], top: float, **style: object) -> None:
    """A schedule as one line, with gaps where rates are not numbers."""
    ends = np.minimum(np.append(US_CUTS[1:], np.inf), top)
    x = np.stack([US_CUTS, ends], axis=1).ravel()
    ax.plot(x, np.repeat(rates, 2), **style)  # type: ignore[arg-type]


def tradeoff(run: el.Run) -> Figure:
    """Laffer curves, and the frontier of equality and productivity."""
    fig, axes = house.new(cols=3, width=12.0, height=3.8)
    for work, colour in zip(_BOTH, (BLUE, RED), strict=True):
        taken = _end(run, "flat_revenue", f"{work}-free") / _end(run, "flat_productivity", f"{work}-free")[:, :1]
        house.band(axes[0], np.asarray(FLAT), taken, _kind(work), colour, seeds=0)
        axes[0].axvline(1 / (1 + ELASTICITY[work]), color=colour, linewidth=1.0, linestyle=":", zorder=1)
    house.finish(axes[0], title="What a flat tax brings in", xlabel="rate", xlim=(0, 1), ylim=(0, None),
                 ylabel="taxes / income without taxes", legend="upper left")  # fmt: skip
    for ax, work in zip(axes[1:], _BOTH, strict=True):
        scale = _end(run, "productivity", f"{work}-free")
        flat_x = (_end(run, "flat_productivity", f"{work}-free") / scale[:, None]).mean(0)
        flat_y = _end(run, "flat_equality", f"{work}-free").mean(0)
        ax.plot(flat_x, flat_y, color=house.GREY, linewidth=1.5, zorder=1)
        ax.plot(flat_x[::2], flat_y[::2], "o", color=house.GREY, markersize=3, zorder=1)
        for name in REGIMES:
            x = (_end(run, "productivity", f"{work}-{name}") / scale).mean()
            ax.plot(x, _end(run, "equality", f"{work}-{name}").mean(), "o", color=COLOURS[name], markersize=7,
                    label=SHORT[name], zorder=4)  # fmt: skip
        house.finish(ax, title=_kind(work).capitalize(), xlabel="productivity (without taxes: 1)",
                     ylabel="equality" if work == "steep" else None, xlim=(0.4, 1.03), ylim=(None, 1.0),
                     legend="lower left")  # fmt: skip
    return fig


def adapting(run: el.Run) -> Figure:
    """Promised and kept."""
    fig, ax = house.new(width=8.6, height=4.6)
    base = _end(run, "welfare", "steep-free")
    for row, name in enumerate(reversed(ADAPTING)):
        kept, promised = (_end(run, what, name) / base for what in ("welfare", "promised"))
        ax.plot([kept.mean(), promised.mean()], [row, row], color=house.GREY, linewidth=1.5, zorder=1)
        ax.plot(kept, np.full(kept.shape, row), "o", color=BLUE, markersize=2.8, alpha=0.4, zorder=2)
        ax.plot(kept.mean(), row, "o", color=BLUE, markersize=8, zorder=4)
        ax.plot(promised.mean(), row, "o", color=RED, markersize=8, markerfacecolor="white", zorder=4)
    ax.axvline(1.0, color=house.GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    ax.set_yticks(range(len(ADAPTING)), list(reversed(ADAPTING.values())))
    ax.plot([], [], "o", color=BLUE, markersize=8, label="comes of it")
    ax.plot([], [], "o", color=RED, markersize=8, markerfacecolor="white", label="promised")
    house.finish(ax, title="Planners among workers who ...", xlabel="welfare (without taxes, best replies: 1)",
                 legend="outside")  # fmt: skip
    return fig


def elasticity(run: el.Run) -> Figure:
    """What is estimated."""
    fig, axes = house.new(cols=2, width=9.0, height=3.6)
    words = {
        "people": "all workers,\nall years",
        "years": "within\nworkers",
        "flat-years": "within workers,\nflat taxes",
    }
    for ax, work in zip(axes, _BOTH, strict=True):
        found = {label: _end(run, "elasticity", f"{work}-{name}") for name, label in words.items()}
        house.bars(ax, found, colours=[RED, AMBER, GREEN])
        house.finish(ax, title=_kind(work).capitalize(), ylabel="estimate" if work == "steep" else None,
                     chance=ELASTICITY[work], ylim=(0, None))  # fmt: skip
    return fig
