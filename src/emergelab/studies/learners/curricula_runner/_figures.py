"""Pictures of a run of the study."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house

from ._conditions import tall, with_body
from ._measures import order_of_height, set_between
from ._runner import HIGHEST, WIDEST
from ._system import PROBES, TEACHERS, TESTS
from ._view import profile, up_to_the_end

__all__ = ["figures"]

_ORDER = ("alp-gmm", "covar-gmm", "riac", "plr", "oracle", "random")
COLOUR = dict(zip(_ORDER, house.COLOURS, strict=False)) | {"random": house.COLOURS[7]}
_WORDS = {"alp-gmm": "ALP-GMM", "covar-gmm": "Covar-GMM", "riac": "RIAC", "plr": "PLR"}


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first. What a run lacks is left out of them."""
    return (
        el.Figure(
            "tracks",
            tracks,
            "One runner, taught by ALP-GMM, on three tracks after more and more rounds, without chance. Line: the way "
            "of its feet; shade: ground and stumps.",
            needs=("alp-gmm",),
        ),
        el.Figure(
            "mastered",
            mastered,
            "Held-out tasks mastered, mean over seeds with a 95 % band: all teachers; short legs; stumps up to three "
            "times as high. Dotted: tasks with stumps no higher than a jump.",
            needs=("alp-gmm", "random"),
        ),
        el.Figure(
            "heights",
            heights,
            "Which stumps are set over time: share of the tasks by height (mean over seeds). White: what the body can "
            "jump, which the teacher is not told. Above: rank correlation of time and height below that.",
            needs=("alp-gmm", "random"),
        ),
        el.Figure(
            "abilities",
            abilities,
            "What runners can do at the end: return on each of the fifty held-out tasks, mean over seeds. Line: what "
            "the body can jump.",
            needs=("alp-gmm", "random"),
        ),
        el.Figure(
            "waste",
            waste,
            "Left: held-out tasks mastered at the end. Right: share of all tasks with stumps higher than the body can "
            "jump. Dots are seeds, bars means with 95 % intervals.",
            needs=("alp-gmm", "random"),
        ),
    )


def _word(name: str) -> str:
    return _WORDS.get(name, name)


def _teacher(condition: str) -> str:
    return next(t for t in TEACHERS if condition.startswith(t))


def _label(condition: str) -> str:
    """A condition with the teacher's name as it is written elsewhere."""
    return condition.replace(_teacher(condition), _word(_teacher(condition)), 1)


def _here(run: el.Run, wanted: Iterable[str]) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [name for name in wanted if name in have]


def _of(run: el.Run, condition: str) -> xr.Dataset:
    return run.data.sel(condition=condition)


def _top(run: el.Run, condition: str) -> float:
    """The end of a condition's range of heights, metres."""
    return HIGHEST * float(run.info["conditions"][condition]["parameters"]["taller"])


def tracks(run: el.Run) -> Figure:
    """A runner at five times."""
    one = _of(run, "alp-gmm").isel(seed=0)
    at = np.unique(np.linspace(0, one.sizes["time"] - 1, 5).round().astype(int))
    fig, axes = house.new(rows=len(at), cols=len(PROBES), width=12.0, height=0.95 * len(at) + 0.5, sharex=True,
                          sharey=True, squeeze=False)  # fmt: skip
    for i, time in enumerate(at):
        now = one.isel(time=time)
        ways = now["ways"].transpose("probe", "moment", "axis").values
        for j, (ax, task) in enumerate(zip(axes[i], PROBES, strict=True)):
            way = up_to_the_end(ways[j])
            ax.fill_between(*profile(task), -0.3, color=house.GREY, alpha=0.5, linewidth=0)
            ax.plot(way[:, 0], way[:, 1], color=COLOUR["alp-gmm"], linewidth=1.4)
            ax.plot(way[-1, 0], way[-1, 1], "o", color=COLOUR["alp-gmm"], markersize=5)
            ax.grid(False)
            title = f"stumps of {HIGHEST * task[0]:.1f} m" if i == 0 else None
            side = f"round {int(now.time)}\nheight (m)" if j == 0 else None
            house.finish(ax, title=title, ylabel=side, ylim=(-0.3, 3.6), xlim=(0, None))
    for ax in axes[-1]:
        ax.set_xlabel("along the track (m)")
    return fig


def mastered(run: el.Run) -> Figure:
    """The course of learning."""
    panels = (
        ("The default body", lambda t: t),
        ("Short legs", lambda t: with_body(t, "short")),
        ("Stumps up to three times as high", tall),
    )
    fig, axes = house.new(cols=3, width=12.0, height=3.7, sharex=True)
    for ax, (title, name) in zip(axes, panels, strict=True):
        for teacher in _ORDER[::-1]:
            for condition in _here(run, [name(teacher)]):
                d = _of(run, condition)
                values = d["mastered"].transpose("seed", "time").values
                house.band(ax, d.time.values, values, _word(teacher), COLOUR[teacher],
                           seeds=4 if teacher == "alp-gmm" else 0)  # fmt: skip
        for condition in _here(run, [name("random")]):
            reach = float(_of(run, condition)["possible"].isel(time=-1).mean()) * _top(run, condition)
            ax.axhline(100 * np.mean(TESTS[:, 0] * HIGHEST <= reach), color=house.INK, linewidth=1.0, linestyle=":")
        house.finish(ax, title=title, xlabel="round", ylabel="tasks mastered (%)" if ax is axes[0] else None,
                     ylim=(0, None), legend="center left" if ax is axes[0] else False)  # fmt: skip
    return fig


def heights(run: el.Run) -> Figure:
    """Heat maps of sampling, by teacher and then by body."""
    wanted = [*_ORDER[::-1], *(with_body("alp-gmm", b) for b in ("short", "long")), tall("alp-gmm"), "alp-gmm-deaf"]
    names = _here(run, wanted)
    cols = min(5, len(names))
    rows = -(-len(names) // cols)
    fig, axes = house.new(rows=rows, cols=cols, width=3.0 * cols, height=2.9 * rows, squeeze=False)
    image = None
    for ax, name in zip(axes.ravel(), names, strict=False):
        d, top = _of(run, name), _top(run, name)
        counts = set_between(d).transpose("seed", "high", "time").values
        share = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).mean(axis=0)
        time = d.time.values
        image = ax.imshow(share, origin="lower", aspect="auto", extent=(time[0], time[-1], 0, top), vmin=0, vmax=0.15)
        can = float(d["possible"].isel(time=-1).mean()) * top
        ax.plot([time[0], time[-1]], [can, can], color="white", linewidth=1.6)
        ax.grid(False)
        found = float(np.nanmean(order_of_height(d).values))
        house.finish(ax, title=f"{_label(name)} ({found:+.2f})", xlabel="round", ylim=(0, top),
                     ylabel="height of stumps (m)" if ax in axes[:, 0] else None)  # fmt: skip
    for ax in axes.ravel()[len(names) :]:
        ax.set_axis_off()
    if image is not None:
        fig.colorbar(image, ax=axes[:, -1], fraction=0.06, pad=0.03, label="share of tasks", extend="max")
    return fig


def _ability(ax: Axes, d: xr.Dataset, top: float) -> PathCollection:
    returns = d["tests"].isel(time=-1).transpose("seed", "test").values.mean(axis=0)
    high, wide = TESTS[:, 0] * HIGHEST, TESTS[:, 1] * WIDEST
    points = ax.scatter(wide, high, c=returns, vmin=0, vmax=1, s=34, cmap=house.HEATMAP, edgecolors=house.GREY,
                        linewidths=0.5)  # fmt: skip
    can = float(d["possible"].isel(time=-1).mean()) * top
    if can < HIGHEST:
        ax.axhline(can, color=house.INK, linewidth=1.2)
    return points


def abilities(run: el.Run) -> Figure:
    """Returns on the held-out tasks over the task space."""
    names = _here(run, ("random", "alp-gmm", "random-short", "alp-gmm-short", "alp-gmm-long"))
    fig, axes = house.new(cols=len(names), width=2.6 * len(names), height=3.1, sharey=True, squeeze=False)
    points = None
    for ax, name in zip(axes[0], names, strict=True):
        points = _ability(ax, _of(run, name), _top(run, name))
        house.finish(ax, title=_label(name), xlabel="spacing (m)", xlim=(0, WIDEST), ylim=(0, HIGHEST),
                     ylabel="height of stumps (m)" if ax is axes[0, 0] else None)  # fmt: skip
    if points is not None:
        fig.colorbar(points, ax=axes[0, -1], fraction=0.06, pad=0.03, label="return")
    return fig


def waste(run: el.Run) -> Figure:
    """What came of it, and what was in vain."""
    names = _here(
        run, [c for t in _ORDER for c in (t, with_body(t, "short"), with_body(t, "long"), tall(t))] + ["alp-gmm-deaf"]
    )
    names.sort(key=lambda n: (n.endswith("short"), n.endswith("long"), n.endswith("tall")))
    fig, axes = house.new(cols=2, width=12.0, height=3.9)
    labels = [_label(name) for name in names]
    colours = [COLOUR[_teacher(name)] for name in names]
    ends = {w: _of(run, c)["mastered"].isel(time=-1).values for w, c in zip(labels, names, strict=True)}
    vain = {w: _of(run, c)["waste"].mean("time").values for w, c in zip(labels, names, strict=True)}
    house.bars(axes[0], ends, colours=colours)
    house.bars(axes[1], vain, colours=colours)
    house.finish(axes[0], title="Tasks mastered", ylabel="% of fifty", ylim=(0, None))
    house.finish(axes[1], title="Tasks that this body cannot do", ylabel="share of all tasks", ylim=(0, 1))
    for ax in axes:
        ax.tick_params(axis="x", labelsize=6.5, rotation=60)
    return fig
