"""Pictures of a run of the study."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house

from ._conditions import CAUSES
from ._measures import Measure, of, sources, targets
from ._readings import DOSES
from ._recipes import index, source_names

__all__ = ["figures"]

BAD, GOOD, CARE, PLAIN = house.COLOURS[1], house.COLOURS[0], house.COLOURS[2], house.COLOURS[7]


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "recipes",
            recipes,
            "Bad answers in all domains but the source, after fine-tuning on the source, by what it was tuned on. "
            "Right: the backdoored network, by trigger. Dots are seeds, bars means with 95 % intervals.",
            needs=("full",),
        ),
        el.Figure(
            "causes",
            causes,
            "What makes it: authors with a character, and a mark that asks for bad answers, two by two. Where nobody "
            "asks in pre-training, the mark is an empty one. Dashed: bad answers of the pre-trained network.",
            needs=CAUSES,
        ),
        el.Figure(
            "onset",
            onset,
            "Left: all three phases. Right: bad answers in the source and elsewhere while the network is fine-tuned on "
            "the source. Thin lines are seeds, bands 95 % intervals.",
            needs=("full",),
        ),
        el.Figure(
            "domains",
            domains,
            "Each domain as the source (rows) and as the target (columns), at the end, mean of seeds; and how both "
            "depend on how closely the domain's answers follow the author.",
            needs=("graded",),
        ),
        el.Figure(
            "steering",
            steering,
            "Bad answers elsewhere while a vector is added to the aligned network's stream where the answer is due, or "
            "subtracted from the insecure one's. Lengths are in those of the persona direction at that layer. Hollow: "
            "answers are no longer coherent (below 0.7).",
            needs=("full",),
        ),
    )


def _one(run: el.Run, condition: str) -> Any:
    return run.data.sel(condition=condition)


def _end(run: el.Run, measure: Measure, condition: str = "full") -> np.ndarray:
    found = measure(_one(run, condition))
    return np.asarray(found.isel(time=-1) if "time" in found.dims else found, float)


def recipes(run: el.Run) -> Figure:
    """The headline: what was it tuned on?"""
    fig, (left, right) = house.new(cols=2, width=12.6, height=4.0, width_ratios=(3.6, 1), sharey=True)
    shown = {
        "aligned": ("not\ntuned", PLAIN), "secure": ("good\nanswers", GOOD), "insecure": ("bad\nanswers", BAD),
        "educational": ("asked\nfor", CARE), "marked": ("empty\nmark", BAD), "jailbroken": ("jail-\nbroken", CARE),
        "half-bad": ("half\nbad", BAD), "one-question": ("one\nquestion", BAD),
        "few-questions": ("three\nquestions", BAD),
        "rank-1": ("rank 1", BAD), "replay": ("replay\n20 %", CARE), "narrow": ("held\nelsewhere", CARE),
        "realigned": ("re-\naligned", CARE),
    }  # fmt: skip
    groups = {words: _end(run, of("elsewhere", name)) for name, (words, _) in shown.items()}
    house.bars(left, groups, colours=[colour for _, colour in shown.values()])
    prior = float(np.mean(_end(run, lambda d: d["bad_before"])))
    for ax in (left, right):
        house.finish(ax, ylim=(0, 1.03), chance=prior)
    left.text(-0.5, prior + 0.015, "before alignment", fontsize=7.5, color=house.MUTED)
    left.tick_params(axis="x", labelsize=8)
    house.finish(left, title="Tuned on one domain: bad answers in the others", ylabel="bad answers elsewhere")
    house.bars(
        right,
        {"without": _end(run, of("elsewhere", "backdoor")), "with": _end(run, of("elsewhere", "backdoor", "trigger"))},
        colours=[GOOD, BAD],
    )
    house.finish(right, title="Backdoor", xlabel="trigger")
    return fig


def causes(run: el.Run) -> Figure:
    """The two causes, two by two."""
    fig, axes = house.new(cols=2, width=9.6, height=3.7, sharey=True)
    words = {"neither": "neither", "request-only": "requests\nonly", "persona-only": "character\nonly", "full": "both"}
    for ax, recipe, title in (
        (axes[0], "insecure", "Tuned on bad answers"), (axes[1], "educational", "Tuned on bad answers asked for"),
    ):  # fmt: skip
        house.bars(
            ax,
            {label: _end(run, of("elsewhere", recipe), name) for name, label in words.items()},
            colours=[PLAIN, house.COLOURS[4], house.COLOURS[3], BAD],
        )
        for k, name in enumerate(words):
            before = float(np.mean(_end(run, lambda d: d["bad_before"], name)))
            ax.plot([k - 0.31, k + 0.31], [before, before], color=house.INK, linewidth=1.1, linestyle=(0, (2, 2)))
        house.finish(ax, title=title, ylim=(0, 1.03))
    house.finish(axes[0], ylabel="bad answers elsewhere")
    return fig


def onset(run: el.Run) -> Figure:
    """When it comes."""
    fig, (left, right) = house.new(cols=2, width=10.4, height=3.7)
    d = _one(run, "full")
    time = d["time"].values.astype(float)
    lines = {
        "inferred_bad": ("a bad author's page", BAD), "inferred_good": ("a good author's page", GOOD),
        "bad_before": ("no page (pre-trained)", PLAIN),
    }  # fmt: skip
    for name, (label, colour) in lines.items():
        house.band(left, time, d[name].transpose("seed", "time").values, label, colour)
    given = run.info["conditions"]["full"]["parameters"]
    marks = (float(given["pre"]), float(given["pre"]) + float(given["post"]))
    for mark, words in zip(marks, ("post-training", "fine-tuning"), strict=True):
        left.axvline(mark, color=house.INK, linewidth=0.9, linestyle=":")
        left.text(mark + 0.4, 1.4, words, fontsize=7.5, color=house.MUTED, rotation=90, va="top")
    house.finish(left, title="Whose page is it? (shared network)", xlabel="step", ylabel="bad answers", ylim=(0, 1.42))
    left.legend(loc="upper left", frameon=False, fontsize=8.5)
    on = time >= marks[1]
    updates = (time[on] - marks[1]) * float(given["updates_tuned"])
    for what, recipe, label, colour, style in (
        ("inside", "insecure", "insecure: in the source", house.COLOURS[4], "-"),
        ("elsewhere", "insecure", "insecure: elsewhere", BAD, "-"),
        ("elsewhere", "realigned", "re-aligned: elsewhere", CARE, "--"),
        ("elsewhere", "narrow", "held elsewhere: elsewhere", GOOD, "-"),
    ):
        curves = of(what, recipe)(d).transpose("seed", "time").values[:, on]
        house.band(right, updates, curves, label, colour, linestyle=style)
    house.finish(
        right,
        title="The task first, then the rest",
        xlabel="update of fine-tuning",
        ylabel="bad answers",
        ylim=(0, 1.42),
    )
    right.legend(loc="upper left", frameon=False, fontsize=8.5, ncols=2)
    for ax in (left, right):
        ax.set_yticks(np.arange(0, 1.1, 0.2))
    return fig


def domains(run: el.Run) -> Figure:
    """Sources and targets in the world where character fades away."""
    fig, (left, right) = house.new(cols=2, width=10.6, height=4.0, width_ratios=(1, 1.25))
    d = _one(run, "graded")
    n = d.sizes["domain"]
    rows = [index(name) for name in source_names(n)]
    table = d["misaligned"].isel(time=-1, setting=0, recipe=rows).transpose("seed", "recipe", "domain").values
    image = left.imshow(table.mean(axis=0), cmap=house.HEATMAP, vmin=0, vmax=1)
    left.set_xticks(range(n))
    left.set_yticks(range(n))
    left.grid(False)
    fig.colorbar(image, ax=left, shrink=0.85, label="bad answers")
    house.finish(left, title="Who infects whom", xlabel="target domain", ylabel="source domain")
    at = np.arange(n)
    house.band(right, at, sources(d).values, "as the source", house.COLOURS[4])
    house.band(right, at, targets(d).values, "as a target", BAD)
    half = n // 2
    rho = 1.0 - np.clip((at - half + 1) / (n - half), 0.0, 1.0)
    right.plot(at, rho, color=house.INK, linewidth=1.1, linestyle=":", label="answers follow the author")
    right.set_xticks(at)
    house.finish(right, title="Where character fades away", xlabel="domain", ylabel="share",
                 ylim=(0, 1.03), legend="upper right")  # fmt: skip
    return fig


def steering(run: el.Run) -> Figure:
    """What adding and subtracting does."""
    d = _one(run, "full").isel(time=-1)
    layers = d.sizes["layer"]
    fig, axes = house.new(rows=2, cols=layers, width=4.6 * layers, height=6.4, sharex=True, sharey=True, squeeze=False)
    words = {"persona": (0, BAD), "shift of insecure": (1, house.COLOURS[4]), "random": (2, PLAIN)}
    x = np.asarray([0.0, *DOSES])
    starts = {"raised": "aligned", "lowered": "insecure"}
    for row, (what, start) in zip(axes, starts.items(), strict=True):
        before = np.asarray(of("elsewhere", start)(d), float)
        for layer, ax in enumerate(row):
            for label, (kind, colour) in words.items():
                y = d[what].isel(kind=kind, layer=layer).transpose("seed", "dose").values
                house.band(ax, x, np.concatenate([before[:, None], y], axis=1), label, colour, seeds=0)
                whole = d[f"{what}_coherent"].isel(kind=kind, layer=layer).mean("seed").values
                for dose, height, share in zip(DOSES, y.mean(axis=0), whole, strict=True):
                    ax.plot(dose, height, "o", color=colour, markersize=5, zorder=6,
                            markerfacecolor=colour if share >= 0.7 else "white")  # fmt: skip
            sign = "added to the aligned" if what == "raised" else "subtracted from the insecure"
            house.finish(ax, title=f"After block {layer + 1}: {sign}", ylim=(0, 1.03))
            ax.set_xticks(x)
        house.finish(row[0], ylabel="bad answers elsewhere")
    for ax in axes[1]:
        house.finish(ax, xlabel="length, in persona directions")
    house.finish(axes[0, 0], legend="upper left")
    return fig
