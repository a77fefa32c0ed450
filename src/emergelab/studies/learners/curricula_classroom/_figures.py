"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house

from ._conditions import AROUND, CORNERS
from ._system import ARMS

_COLOUR = dict(zip(("R", "T", "P", "R-body", "R-random", "R-backwards", "scratch"), house.COLOURS, strict=False))
_COLOUR["scratch"] = house.COLOURS[7]
_WORDS = {
    "scratch": "ALP-GMM alone", "R": "R: by return", "T": "T: by time", "P": "P: pooled", "R-random": "R, elder by lot",
    "R-body": "R, elder by body", "R-backwards": "R, backwards",
}  # fmt: skip
_BAR = {
    "scratch": "alone", "R": "R", "T": "T", "P": "P", "R-random": "R\nby lot", "R-body": "R\nby body",
    "R-backwards": "R back-\nwards",
}  # fmt: skip
_QUARTERS = ("near,\nnear", "far,\nnear", "near,\nfar", "far,\nfar")


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "learning",
            learning,
            "Cubes mastered by new students, mean over schools with a 95 % band, after their elders' life. Dotted: the "
            "test by which an elder is found. Dashed: what the elders had mastered at that age.",
            needs=(CORNERS,),
        ),
        el.Figure(
            "ways",
            ways,
            "Cubes mastered at the end, by way of teaching. Dots are schools.",
            needs=(CORNERS,),
        ),
        el.Figure(
            "match",
            match,
            "Whom new students of arm R follow, by the quarter of the task space in which a body begins: share of each "
            "row. Right: share of students whose elder begins in their own quarter (dashed: chance).",
            needs=(CORNERS,),
        ),
    )


def _here(run: el.Run) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [name for name in (CORNERS, AROUND) if name in have]


def _settings(run: el.Run, condition: str) -> tuple[int, int, int]:
    """Blocks of a life, of the pre-test, and episodes of a block."""
    settings = run.info["conditions"][condition]["parameters"]
    return int(settings["learn"]), int(settings["pretest"]), int(settings["block"])


def _arm(d: xr.Dataset, what: str, arm: str) -> np.ndarray:
    return np.asarray(d[what].isel(arm=ARMS.index(arm)).transpose("seed", "time").values, float)


def learning(run: el.Run) -> Figure:
    """The second generation learns."""
    names = _here(run)
    fig, axes = house.new(cols=len(names), width=5.6 * len(names), height=3.9, sharey=True, squeeze=False)
    titles = {CORNERS: "Four bodies", AROUND: "A body for each cube"}
    for ax, name in zip(axes[0], names, strict=True):
        d = run.data.sel(condition=name)
        learn, test, block = _settings(run, name)
        time = d.time.values
        first, second = time <= learn, time >= learn
        elders = d["elders"].transpose("seed", "time").values[:, first].mean(axis=0)
        ax.plot(
            time[first] * block / 1000, elders, color=house.INK, linewidth=1.4, linestyle=(0, (4, 3)), label="elders"
        )
        for arm in ("scratch", "R-random", "R-backwards", "P", "T", "R", "R-body"):
            values = _arm(d, "mastered", arm)[:, second]
            age, style = (time[second] - learn) * block / 1000, "--" if arm == "R-body" else "-"
            house.band(ax, age, values, _WORDS[arm], _COLOUR[arm], seeds=0, linestyle=style)
        ax.axvline(test * block / 1000, color=house.INK, linewidth=1.0, linestyle=":")
        house.finish(ax, title=titles[name], xlabel="age of students, episodes (thousands)",
                     ylabel="cubes mastered (%)" if ax is axes[0, 0] else None, ylim=(0, None),
                     legend="outside" if ax is axes[0, -1] else False)  # fmt: skip
    return fig


def ways(run: el.Run) -> Figure:
    """All ways of teaching at the end."""
    names = _here(run)
    fig, axes = house.new(cols=len(names), width=5.4 * len(names), height=3.7, sharey=True, squeeze=False)
    titles = {CORNERS: "Four bodies", AROUND: "A body for each cube"}
    for ax, name in zip(axes[0], names, strict=True):
        d = run.data.sel(condition=name)
        groups = {_BAR[arm]: _arm(d, "mastered", arm)[:, -1] for arm in ARMS}
        house.bars(ax, groups, colours=[_COLOUR[arm] for arm in ARMS])
        house.finish(ax, title=titles[name], ylabel="cubes mastered (%)" if ax is axes[0, 0] else None, ylim=(0, None))
    return fig


def match(run: el.Run) -> Figure:
    """Who follows whom."""
    names = _here(run)
    fig, axes = house.new(cols=len(names) + 1, width=3.6 * (len(names) + 1), height=3.5, squeeze=False)
    image = None
    for ax, name in zip(axes[0], names, strict=False):
        counts = run.data["match"].sel(condition=name).isel(time=-1).sum("seed")
        counts = counts.transpose("quarter", "elder_quarter").values
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        image = ax.imshow(share, vmin=0, vmax=1)
        for i, j in np.ndindex(*share.shape):
            ink = "white" if share[i, j] < 0.6 else house.INK
            ax.text(j, i, f"{share[i, j]:.2f}", ha="center", va="center", color=ink, fontsize=8.5)
        ax.set_xticks(range(4), _QUARTERS)
        ax.set_yticks(range(4), _QUARTERS)
        ax.grid(False)
        house.finish(ax, title={CORNERS: "Four bodies", AROUND: "A body for each cube"}[name],
                     xlabel="where the elder begins", ylabel="where the student begins")  # fmt: skip
    if image is not None:
        fig.colorbar(image, ax=axes[0, len(names) - 1], fraction=0.05, pad=0.03, label="share of students")
    ax = axes[0, -1]
    chosen = ("R", "R-random", "R-body")
    groups = {}
    for name in names:
        for arm in chosen:
            groups[f"{_BAR[arm]}\n{name}"] = _arm(run.data.sel(condition=name), "same", arm)[:, -1]
    house.bars(ax, groups, colours=[_COLOUR[arm] for _ in names for arm in chosen])
    ax.tick_params(axis="x", labelsize=7)
    house.finish(ax, title="Elder of the same quarter", ylabel="share of students", ylim=(0, 1.05), chance=0.25)
    return fig
