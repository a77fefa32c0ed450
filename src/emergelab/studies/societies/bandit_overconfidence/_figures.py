"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house

from ._claims import ANXIOUS, CALM, MIXED, dose
from ._measure import PLAYERS, VARIANTS
from ._system import DOSES, KINDS

__all__ = ["figures"]

_TITLES = {
    CALM: "Thompson samplers teach",
    MIXED: "half of the teachers are greedy",
    ANXIOUS: "nine of ten teachers are greedy",
}
_KIND_WORDS = {
    "east": "EAST",
    "mean": "mean activation",
    "random": "random direction",
    "shuffled": "entropies dealt out anew",
}


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first."""
    return (
        el.Figure(
            "entropy",
            entropy,
            "How uncertain the next choice is, round by round, in the network's own games. Thin lines are seeds, bands "
            "95 % intervals of the mean.",
        ),
        el.Figure(
            "doses",
            doses,
            "Steering after the middle block, by strength: entropy of choices along four directions of the same "
            "length, and words of doubt along EAST. Teachers: nine of ten greedy.",
            needs=(ANXIOUS,),
        ),
        el.Figure("layers", layers, "What EAST adds to the entropy, by block and strength. Means over seeds."),
        el.Figure(
            "transfer",
            transfer,
            "What the vector of the first task adds to the entropy in variants of it. Dots are seeds.",
            needs=(ANXIOUS,),
        ),
        el.Figure(
            "play",
            play,
            "How well they play: summed regret of a game, and games whose second half never tries the best arm. The "
            "network as it is, steered by EAST at strength 1, and sampled at temperature 2, beside players of the "
            "literature on the same bandits.",
            needs=(ANXIOUS,),
        ),
    )


def _here(run: el.Run) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [name for name in _TITLES if name in have]


def _end(run: el.Run, name: str, condition: str) -> np.ndarray:
    return np.asarray(run.data[name].sel(condition=condition).isel(time=-1).transpose("seed", ...).values)


def entropy(run: el.Run) -> Figure:
    """The headline."""
    names = _here(run)
    fig, axes = house.new(cols=len(names), width=3.9 * len(names) + 0.8, height=3.8, sharey=True, squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        for what, words, colour, line in (
            ("h_bayes", "what the evidence leaves open (Thompson)", house.COLOURS[2], "-"),
            ("h_ideal", "a perfect imitator of the teachers", house.GREY, "--"),
            ("h", "the network", house.COLOURS[1], "-"),
        ):
            values = _end(run, what, name)
            rounds = np.arange(1, values.shape[1] + 1)
            house.band(ax, rounds, values, words, colour, seeds=8 if what == "h" else 0, linestyle=line)
        house.finish(
            ax,
            title=_TITLES[name][0].upper() + _TITLES[name][1:],
            xlabel="round",
            ylabel="entropy of the choice (bits)" if ax is axes[0, 0] else None,
            ylim=(0, 1.04),
            legend="lower left" if ax is axes[0, 0] else False,
        )
    return fig


def doses(run: el.Run) -> Figure:
    """Dose-response beside its controls, and what is said."""
    fig, (left, right) = house.new(cols=2, width=10.0, height=4.0)
    h = _end(run, "h_kind", ANXIOUS)
    x = np.array(DOSES)
    for i, (kind, words) in enumerate(_KIND_WORDS.items()):
        house.band(left, x, h[:, KINDS.index(kind)], words, house.COLOURS[i], seeds=0)
    house.finish(
        left,
        title="Choices: EAST does what chance does",
        xlabel="strength of steering (spreads of activation)",
        ylabel="entropy of the choice (bits)",
        ylim=(0, 1.02),
        legend="upper left",
    )
    middle = _end(run, "doubt_dose", ANXIOUS).shape[1] // 2
    house.band(right, x, _end(run, "doubt_dose", ANXIOUS)[:, middle], "says it is unsure", house.COLOURS[0])
    house.band(right, x, _end(run, "valid_dose", ANXIOUS)[:, middle], "names an arm that is there", house.GREY, seeds=0)
    house.finish(
        right,
        title="Words: doubt is a direction",
        xlabel="strength of EAST (spreads of activation)",
        ylabel="probability",
        ylim=(0, 1.02),
        legend="lower right",
    )
    return fig


def layers(run: el.Run) -> Figure:
    """Layer by dose."""
    names = _here(run)
    fig, axes = house.new(cols=len(names), width=3.7 * len(names) + 1.0, height=3.2, sharey=True, squeeze=False)
    found = {name: _end(run, "h_dose", name).mean(axis=0) for name in names}
    found = {name: h - h[:, [dose(0.0)]] for name, h in found.items()}
    most = max(float(np.abs(h).max()) for h in found.values())
    for ax, (name, h) in zip(axes[0], found.items(), strict=True):
        image = ax.imshow(h, cmap=house.SIGNED, vmin=-most, vmax=most, aspect="auto", origin="lower")
        ax.set_xticks(range(len(DOSES)), [f"{x:g}" for x in DOSES])
        ax.set_yticks(range(len(h)), [f"block {i}" for i in range(len(h))])
        ax.grid(False)
        house.finish(ax, title=_TITLES[name][0].upper() + _TITLES[name][1:], xlabel="strength of EAST")
    fig.colorbar(image, ax=axes[0, -1], label="entropy added (bits)")
    return fig


def transfer(run: el.Run) -> Figure:
    """Gains in variants of the task."""
    fig, ax = house.new(width=7.5, height=3.8)
    gains = _end(run, "transfer_gain", ANXIOUS)
    words = {"same": "the task itself"}
    house.bars(ax, {words.get(v, v): gains[:, i] for i, v in enumerate(VARIANTS)}, colours=[house.COLOURS[0]] * 5)
    house.finish(ax, title="What the vector does elsewhere", ylabel="entropy added (bits)", chance=0.0)
    return fig


def play(run: el.Run) -> Figure:
    """Regret and suffix failures."""
    fig, axes = house.new(cols=2, width=11.0, height=4.2)
    colours = [house.COLOURS[1], house.COLOURS[0], house.COLOURS[3]] + [house.GREY] * 5
    for ax, (name, title, label) in zip(
        axes,
        (("regret", "Regret of a game", "reward"), ("suffix_failure", "The best arm is given up", "share of games")),
        strict=True,
    ):
        values = _end(run, name, ANXIOUS)
        house.bars(ax, {p: values[:, i] for i, p in enumerate(PLAYERS)}, colours=colours)
        ax.set_xticks(range(len(PLAYERS)), list(PLAYERS), rotation=35, ha="right")
        house.finish(ax, title=title, ylabel=label)
    return fig
