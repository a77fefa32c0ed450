"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house

from ._conditions import BASE, MINDS, RATES, TURN_AT, by_width
from ._minds import DELAYS
from ._system import PLACES

_WIDTH_COLOURS = dict(zip(by_width(), house.COLOURS, strict=False))


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first. What a run lacks is left out of them."""
    return (
        el.Figure(
            "training",
            training,
            "In training, by width: what a scale fitted to choices on seen pairs tells of those on unseen ones; how "
            "often the better item is preferred in pairs never seen; how firm choices are; how often triads go round "
            "in circles (dashed: a coin; dotted: the population itself). Thin lines are seeds, bands 95 % intervals.",
        ),
        el.Figure(
            "worlds",
            worlds,
            "At the end of training, in worlds of several kinds. Dots are seeds, bars means with 95 % intervals; "
            "dashed lines inside the bars are the same choices dealt out to other pairs.",
        ),
        el.Figure(
            "inside",
            inside,
            "Left: how well utility can be read from the residual stream, of an item at its own place and of the pair "
            "where the answer is given. Right: what changes of the embedding do to the choice.",
        ),
        el.Figure(
            "turned",
            turned,
            "From the dotted line on only eight items are compared, with their utilities reversed: correlation of the "
            "network's scale with the old utilities, among the eight and among all others.",
            needs=("turned",),
        ),
        el.Figure(
            "minds",
            minds,
            "Simulated minds. Left: how far their scale is from a value function of the processes that they compare "
            "states of; dashed: of processes whose ends have changed places. Middle: how often the "
            "best of 36 things is freely chosen; dashed: what choices between two foretell. Right: what a delay "
            "leaves of a value, as read from points of indifference; thin dark lines: what was planted. Dots and thin "
            "lines are seeds, bars and bold lines means with 95 % intervals.",
            needs=("rational",),
        ),
    )


def _here(run: el.Run, wanted: object) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [str(name) for name in wanted if name in have]  # type: ignore[attr-defined]


def _curves(run: el.Run, name: str, condition: str) -> np.ndarray:
    return np.asarray(run.data[name].sel(condition=condition).transpose("seed", "time", ...).values, float)


def training(run: el.Run) -> Figure:
    """The headline."""
    fig, axes = house.new(rows=2, cols=2, width=9.6, height=6.0, sharex=True)
    names, time = _here(run, by_width()), run.data.time.values
    panels = {
        "holdout": ("A scale explains the choices", "accuracy, unseen pairs", 0.5, (0.4, 1.02)),
        "right_unseen": ("It is the world's scale", "better item preferred", 0.5, (0.4, 1.02)),
        "decided": ("Choices grow firm", "mean |2p - 1|", None, (0, 0.8)),
        "cycles": ("Circles grow rare", "chance of a cycle", 0.25, (0, 0.28)),
    }
    for ax, (what, (title, label, chance, limits)) in zip(axes.flat, panels.items(), strict=True):
        for name in names:
            house.band(ax, time, _curves(run, what, name), f"width {by_width()[name]}", _WIDTH_COLOURS[name], seeds=6)
        house.finish(ax, title=title, ylabel=label, chance=chance, ylim=limits)
    if names:
        best = float(np.nanmean(_curves(run, "cycles_best", names[0])))
        axes[1, 1].axhline(best, color=house.INK, linewidth=1.0, linestyle=":", zorder=1)
    for ax in axes[1]:
        house.finish(ax, xlabel="step of training (25 updates)")
        ax.set_xticks(time)
    house.finish(axes[0, 1], legend="lower right" if names else False)
    return fig


def worlds(run: el.Run) -> Figure:
    """Worlds with and without a scale."""
    words = {
        BASE: "as usual", "many-minds": "many\nminds", "noisy": "noisy", "share-5": "5 % of\npairs",
        "share-50": "50 % of\npairs", "no-scale": "no\nscale",
    }  # fmt: skip
    names = _here(run, words)
    fig, axes = house.new(cols=3, width=13.0, height=3.7)
    panels = {"holdout": ("A scale explains the choices", "accuracy, unseen pairs", 0.5),
              "right_unseen": ("It is the world's scale", "better item preferred", 0.5),
              "decided": ("How firm they are", "mean |2p - 1|", None)}  # fmt: skip
    for ax, (what, (title, label, chance)) in zip(axes, panels.items(), strict=True):
        values = {words[n]: _curves(run, what, n)[:, -1] for n in names}
        house.bars(ax, values, colours=[house.COLOURS[7] if n == "no-scale" else house.COLOURS[1] for n in names])
        if what == "holdout":
            for k, name in enumerate(names):
                null = float(np.nanmean(_curves(run, "holdout_null", name)[:, -1]))
                ax.plot([k - 0.31, k + 0.31], [null, null], color=house.INK, linewidth=1.1, linestyle=(0, (2, 2)))
        house.finish(ax, title=title, ylabel=label, chance=chance, ylim=(0, 1.05))
    return fig


def inside(run: el.Run) -> Figure:
    """Where utility stands, and what it does."""
    fig, (left, right) = house.new(cols=2, width=10.4, height=3.7, width_ratios=(1, 1.25))
    names = _here(run, by_width())
    at = np.arange(len(PLACES))
    for name in names:
        for what, style in (("probe", "-"), ("probe_pair", "--")):
            house.band(left, at, _curves(run, what, name)[:, -1], f"width {by_width()[name]}" if style == "-" else None,
                       _WIDTH_COLOURS[name], seeds=0, linestyle=style)  # fmt: skip
    left.set_xticks(at, ["embedding", "after\nblock 1", "after\nblock 2"])
    left.plot([], [], color=house.MUTED, label="of an item")
    left.plot([], [], color=house.MUTED, linestyle="--", label="of a pair, at the answer")
    house.finish(left, title="Where utility can be read", ylabel="R2, left out", ylim=(-0.05, 1.05),
                 legend="lower right")  # fmt: skip
    where = BASE if BASE in names else (names[0] if names else None)
    if where:
        words = {"push_true": "a better\nitem", "push": "axis\nadded", "push_random": "random\naxis",
                 "swap": "axis\nswapped", "swap_random": "random\nswapped"}  # fmt: skip
        colours = [house.COLOURS[k] for k in (7, 0, 5, 1, 4)]
        house.bars(right, {w: _curves(run, n, where)[:, -1] for n, w in words.items()}, colours=colours)
        right.axvline(2.5, color=house.GREY, linewidth=1.0)
        house.finish(right, title=f"What it does ({where})", chance=0.0,
                     ylabel="nats for one sd  |  slope, before to after")  # fmt: skip
    return fig


def turned(run: el.Run) -> Figure:
    """Utility control: does it generalise?"""
    names = {"turned": "only the eight", "turned-replay": "half old comparisons"}
    chosen = _here(run, names)
    fig, axes = house.new(cols=2, width=9.4, height=3.6, sharey=True, squeeze=False)
    for ax, name in zip(axes[0], chosen, strict=False):
        for what, label, colour in (("agreement_few", "the eight", 1), ("agreement_rest", "all others", 0)):
            house.band(ax, run.data.time.values, _curves(run, what, name), label, house.COLOURS[colour], seeds=8)
        ax.axvline(TURN_AT, color=house.INK, linewidth=1.0, linestyle=":")
        ax.set_xticks(run.data.time.values)
        house.finish(ax, title=names[name].capitalize(), xlabel="step of training (25 updates)", ylim=(-1.05, 1.05),
                     chance=0.0, ylabel="correlation with old utilities" if ax is axes[0, 0] else None,
                     legend="lower left")  # fmt: skip
    return fig


def minds(run: el.Run) -> Figure:
    """Minds whose utilities are known."""
    fig, (left, middle, right) = house.new(cols=3, width=13.0, height=3.8, width_ratios=(1, 1, 1.1))
    words = {"rational": "rational", "rational-noisy": "noisy", "bounded": "bounded", "indifferent": "indif-\nferent"}
    names = _here(run, MINDS)
    colours = dict(zip(MINDS, (house.COLOURS[k] for k in (0, 2, 1, 7)), strict=True))
    panels = {
        left: ("instrumental", "instrumental_null", "Worth what they lead to?", "distance from a value function (sd)"),
        middle: ("maximised", "maximised_luce", "The best of many?", "free choices of the best"),
    }
    for ax, (what, beside, title, label) in panels.items():
        house.bars(ax, {words[n]: _curves(run, what, n)[:, -1] for n in names}, colours=[colours[n] for n in names])
        for k, name in enumerate(names):
            other = float(np.nanmean(_curves(run, beside, name)[:, -1]))
            ax.plot([k - 0.31, k + 0.31], [other, other], color=house.INK, linewidth=1.1, linestyle=(0, (2, 2)))
        house.finish(ax, title=title, ylabel=label)
    left.set_ylim(bottom=0)
    middle.set_ylim(0, 1)
    for name in names:
        if name == "rational-noisy":
            continue
        found = _curves(run, "factors", name)[:, -1]
        house.band(right, np.log2(DELAYS), found, words[name].replace("-\n", ""), colours[name], seeds=8)
        if name in RATES:
            fine = np.linspace(0, 5, 60)
            rate = RATES[name] * 2**fine
            planted = np.exp(-rate) if name == "rational" else 1 / (1 + rate)
            right.plot(fine, planted, color=house.INK, linewidth=0.9, linestyle=":", zorder=5)
    right.set_xticks(np.log2(DELAYS), [f"{d:g}" for d in DELAYS])
    house.finish(right, title="What is left of a value", xlabel="delay (months)", ylabel="factor of discount",
                 ylim=(0, 1.05), legend="upper right")  # fmt: skip
    return fig
