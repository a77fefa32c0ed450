"""Pictures of a run of the study."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

import emergelab as el
from emergelab import figures as house

from ._conditions import LESION_AT, forgets, half, useless
from ._measures import order_of_difficulty, set_between, share_in_the_easier_half
from ._system import TEACHERS

COLOUR = dict(zip(("alp-gmm", "covar-gmm", "riac", "plr", "adr", "oracle", "random"), house.COLOURS, strict=False))
COLOUR["random"] = house.COLOURS[7]
_WORDS = {"alp-gmm": "ALP-GMM", "covar-gmm": "Covar-GMM", "riac": "RIAC", "plr": "PLR", "adr": "ADR"}
_EPISODES = "episodes (thousands)"


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first. What a run lacks is left out of them."""
    return (
        el.Figure(
            "maps",
            maps,
            "One student of ALP-GMM. Shade: competence in each cube. Ellipses: Gaussians at two standard deviations, "
            "the darker the more they are worth. Dots: tasks since the panel before, one in a hundred.",
            needs=("alp-gmm",),
        ),
        el.Figure(
            "mastered",
            mastered,
            "Cubes mastered, mean over seeds with a 95 % band: all teachers; half of the tasks impossible; a student "
            "that forgets.",
            needs=("alp-gmm", "random"),
        ),
        el.Figure(
            "difficulty",
            difficulty,
            "Where tasks are set over time: share of the tasks by distance from the easy corner (mean over seeds). "
            "White: farthest cube mastered. Rank correlation of episode and difficulty above each panel.",
            needs=("alp-gmm", "random"),
        ),
        el.Figure(
            "bodies",
            bodies,
            "Where ALP-GMM has set tasks in the first half of the run, for one student of each body. Cross: the corner "
            "that is easy for this body, which the teacher is not told.",
            needs=("alp-gmm-bodies",),
        ),
        el.Figure(
            "interventions",
            interventions,
            "What is done to ALP-GMM and its student. Left, middle: cubes mastered (dotted: half-time). Right: share "
            "of the tasks in the easier half, which one of the students loses at half-time.",
            needs=("alp-gmm", "alp-gmm-lesion", "alp-gmm-shuffled"),
        ),
        el.Figure(
            "robustness",
            robustness,
            "Cubes mastered at the end. Dots are seeds, bars means with 95 % intervals.",
            needs=("alp-gmm", half("alp-gmm"), useless("alp-gmm", 10)),
        ),
    )


def _word(name: str) -> str:
    return _WORDS.get(name, name)


def _here(run: el.Run, wanted: Iterable[str]) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [name for name in wanted if name in have]


def _of(run: el.Run, condition: str) -> xr.Dataset:
    return run.data.sel(condition=condition)


def _thousands(run: el.Run, time: np.ndarray) -> np.ndarray:
    """Blocks as thousands of episodes."""
    some = next(iter(run.info["conditions"].values()))["parameters"]
    return np.asarray(np.asarray(time, float) * float(some.get("block", 250)) / 1000.0)


def _curve(ax: Axes, run: el.Run, condition: str, label: str, colour: str, seeds: int = 0, style: str = "-") -> None:
    values = _of(run, condition)["mastered"].transpose("seed", "time").values
    house.band(ax, _thousands(run, run.data.time.values), values, label, colour, seeds=seeds, linestyle=style)


def maps(run: el.Run) -> Figure:
    """Competence and Gaussians at five times."""
    one = _of(run, "alp-gmm").isel(seed=0)
    time = one.time.values
    at = np.unique(np.linspace(0, len(time) - 1, 6).round().astype(int)[1:])
    fig, axes = house.new(cols=len(at), width=2.75 * len(at), height=3.3, sharey=True, squeeze=False)
    rng = np.random.default_rng(0)
    before = np.zeros_like(one["visits"].values[0])
    for ax, i in zip(axes[0], at, strict=True):
        now = one.isel(time=i)
        size = now.sizes["x"]
        shade = ax.imshow(
            now["competence"].transpose("y", "x").values, origin="lower", extent=(0, 1, 0, 1), cmap="Greens", vmin=0,
            vmax=130,
        )  # fmt: skip
        visits = now["visits"].transpose("x", "y").values
        for x, y in np.argwhere(visits > before):
            number = round(float(visits[x, y] - before[x, y]) / 100)
            ax.plot(*((np.array([[x], [y]]) + rng.random((2, number))) / size), ".", color=house.INK, markersize=2)
        before = visits
        _ellipses(ax, now)
        ax.grid(False)
        ax.set_xticks([0, 0.5, 1])
        ax.set_yticks([0, 0.5, 1])
        title = f"{_thousands(run, now.time.values):g}k episodes: {float(now['mastered']):.0f} %"
        house.finish(ax, title=title, xlabel="task, dimension 1", xlim=(0, 1), ylim=(0, 1),
                     ylabel="task, dimension 2" if ax is axes[0, 0] else None)  # fmt: skip
    bar = fig.colorbar(shade, ax=axes[0, -1], ticks=[0, 50, 100], fraction=0.05, pad=0.02, label="competence")
    bar.ax.set_ylim(0, 100)
    return fig


def _ellipses(ax: Axes, now: xr.Dataset) -> None:
    """Gaussians at two standard deviations."""
    utility = now["utility"].values
    best = np.nanmax(utility) if np.isfinite(utility).any() else 0.0
    means = now["mean"].transpose("gaussian", "axis").values
    covariances = now["covariance"].transpose("gaussian", "axis", "axis2").values
    for worth, mean, covariance in zip(utility, means, covariances, strict=True):
        if not np.isfinite(worth) or best <= 0:
            continue
        values, vectors = np.linalg.eigh(covariance)
        width, height = 4 * np.sqrt(np.maximum(values, 0))
        angle = float(np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0])))
        strength = float(worth / best)
        ax.add_patch(
            Ellipse(tuple(mean), width, height, angle=angle, fill=False, edgecolor=house.COLOURS[1],
                    alpha=0.15 + 0.85 * strength, linewidth=0.8 + 1.2 * strength, zorder=4)
        )  # fmt: skip


def mastered(run: el.Run) -> Figure:
    """The course of learning."""
    fig, axes = house.new(cols=3, width=12.0, height=3.7, width_ratios=(1.2, 1, 1))
    panels = (
        ("Every task can be learnt", lambda t: t, TEACHERS[::-1]),
        ("Half of the tasks cannot", half, ("alp-gmm", "covar-gmm", "riac", "random")),
        ("The student forgets", forgets, ("alp-gmm", "covar-gmm", "riac", "random")),
    )
    for ax, (title, name, teachers) in zip(axes, panels, strict=True):
        for teacher in teachers:
            if name(teacher) in _here(run, [name(teacher)]):
                _curve(ax, run, name(teacher), _word(teacher), COLOUR[teacher], seeds=4 if teacher == "alp-gmm" else 0)
        house.finish(ax, title=title, xlabel=_EPISODES, ylabel="cubes mastered (%)" if ax is axes[0] else None,
                     ylim=(0, None), legend="upper left" if ax is axes[0] else False)  # fmt: skip
    return fig


def difficulty(run: el.Run) -> Figure:
    """Heat maps of sampling."""
    names = _here(run, ("random", "riac", "covar-gmm", "alp-gmm"))
    fig, axes = house.new(cols=len(names), width=3.0 * len(names), height=3.4, sharey=True, squeeze=False)
    image = None
    for ax, name in zip(axes[0], names, strict=True):
        d = _of(run, name)
        counts = set_between(d, "tally").isel(level=slice(0, -1)).transpose("seed", "level", "time").values
        share = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).mean(axis=0)
        time = _thousands(run, d.time.values)
        levels = share.shape[0]
        image = ax.imshow(
            share, origin="lower", aspect="auto", extent=(time[0], time[-1], -0.5, levels - 0.5), vmin=0, vmax=0.4
        )
        grid = d["competence"].transpose("seed", "time", "x", "y").values > 75
        x, y = np.indices(grid.shape[2:])
        reach = np.where(grid, np.maximum(x, y), -1).max(axis=(2, 3)).mean(axis=0)
        ax.plot(time, np.maximum(reach, -0.5), color="white", linewidth=1.6)
        ax.grid(False)
        found = float(np.nanmean(order_of_difficulty(d).values))
        house.finish(ax, title=f"{_word(name)} ({found:+.2f})", xlabel=_EPISODES, ylim=(-0.5, levels - 0.5),
                     ylabel="distance from the easy corner (cubes)" if ax is axes[0, 0] else None)  # fmt: skip
    if image is not None:
        fig.colorbar(image, ax=axes[0, -1], fraction=0.06, pad=0.03, label="share of tasks", extend="max")
    return fig


def bodies(run: el.Run) -> Figure:
    """One teacher, four bodies."""
    d = _of(run, "alp-gmm-bodies")
    body = d["mirrored"].isel(time=0).transpose("seed", "axis").values.astype(int)
    kinds, first = np.unique(body, axis=0, return_index=True)
    fig, axes = house.new(cols=len(kinds), width=2.9 * len(kinds), height=3.2, sharey=True, squeeze=False)
    middle = d["visits"].sel(time=d.time.values[len(d.time) // 2])
    image = None
    for ax, kind, seed in zip(axes[0], kinds, first, strict=True):
        visits = middle.isel(seed=seed).transpose("y", "x").values
        share = 100 * visits / max(visits.sum(), 1)
        image = ax.imshow(share, origin="lower", extent=(0, 1, 0, 1), vmin=0, vmax=5)
        ax.plot(*np.where(kind == 1, 0.97, 0.03), "x", color="white", markersize=8, markeredgewidth=2.2)
        ax.grid(False)
        ax.set_xticks([0, 0.5, 1])
        ax.set_yticks([0, 0.5, 1])
        house.finish(ax, title=f"seed {int(d.seed.values[seed])}", xlabel="task, dimension 1",
                     ylabel="task, dimension 2" if ax is axes[0, 0] else None)  # fmt: skip
    if image is not None:
        fig.colorbar(image, ax=axes[0, -1], fraction=0.05, pad=0.03, label="% of tasks", extend="max")
    return fig


def interventions(run: el.Run) -> Figure:
    """Signal, Gaussians, body and ability."""
    fig, axes = house.new(cols=3, width=12.0, height=3.6)
    middle = float(_thousands(run, np.array(LESION_AT)))
    signal = {
        "alp-gmm": "as it is", "alp-gmm-signed": "losses are none", "alp-gmm-frozen": "frozen at half-time",
        "alp-gmm-shuffled": "returns shuffled", "random": "random teacher",
    }  # fmt: skip
    change = {"alp-gmm": "as it is", "alp-gmm-lesion": "easier half lost", "alp-gmm-swap": "another body"}
    for ax, names, title in zip(axes, (signal, change), ("What the teacher hears", "What befalls it"), strict=False):
        for name, colour in zip(_here(run, names), (*house.COLOURS[:4], house.COLOURS[7]), strict=False):
            _curve(ax, run, name, names[name], colour, style="--" if name == "random" else "-")
        ax.axvline(middle, color=house.INK, linewidth=1.0, linestyle=":")
        house.finish(ax, title=title, xlabel=_EPISODES, ylim=(0, None), legend="upper left",
                     ylabel="cubes mastered (%)" if ax is axes[0] else None)  # fmt: skip
    for name, colour in (("alp-gmm", house.COLOURS[0]), ("alp-gmm-lesion", house.COLOURS[1])):
        easier = share_in_the_easier_half(_of(run, name))
        values = easier.transpose("seed", "time").values
        house.band(axes[2], _thousands(run, easier.time.values), values, change[name], colour, seeds=4)
    axes[2].axvline(middle, color=house.INK, linewidth=1.0, linestyle=":")
    house.finish(axes[2], title="Where the teacher looks", xlabel=_EPISODES, ylabel="tasks in the easier half",
                 ylim=(0, 1.02), chance=0.5, legend="lower left")  # fmt: skip
    return fig


def robustness(run: el.Run) -> Figure:
    """What is left of each teacher's score under handicaps."""
    fig, axes = house.new(cols=2, width=11.0, height=3.7)
    teachers = ("random", "riac", "covar-gmm", "alp-gmm")
    for ax, names, title in (
        (axes[0], {half(t): f"{_word(t)}\nhalf" for t in teachers}, "Half of the tasks impossible"),
        (axes[1], {useless(t, n): f"{_word(t)}\n+{n}" for t in ("riac", "alp-gmm") for n in (0, 2, 5, 10)},
         "Dimensions that do not matter"),
    ):  # fmt: skip
        chosen = _here(run, names)
        plain = [t for name in chosen for t in TEACHERS if name.startswith(t)]
        house.bars(ax, {names[c]: _of(run, c)["mastered"].isel(time=-1).values for c in chosen},
                   colours=[COLOUR[t] for t in plain])  # fmt: skip
        if ax is axes[0]:
            for k, teacher in enumerate(plain):
                score = float(_of(run, teacher)["mastered"].isel(time=-1).mean())
                ax.plot([k - 0.31, k + 0.31], [score, score], color=house.INK, linewidth=1.1, linestyle=(0, (2, 2)))
            ax.plot([], [], color=house.INK, linewidth=1.1, linestyle=(0, (2, 2)), label="all tasks possible")
        house.finish(ax, title=title, ylabel="cubes mastered (%)" if ax is axes[0] else None, ylim=(0, 102),
                     legend="upper left" if ax is axes[0] else False)  # fmt: skip
    return fig
