"""Pictures of a run of the study."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import emergelab as el
from emergelab import figures as house

from ._claims import MODEL, SCRIPT
from ._system import DOSES, KINDS, name_of

__all__ = ["figures"]

_WORDS = {
    MODEL: "the language model",
    SCRIPT: "a script with a planted direction",
    "thompson": "a Thompson sampler",
    "greedy": "a greedy player",
}
_PLAYERS = (MODEL, SCRIPT, "thompson", "greedy")


def figures() -> tuple[el.Figure, ...]:
    """All figures of the study, the headline first. What a run lacks is left out of them."""
    return (
        el.Figure(
            "entropy",
            entropy,
            "How uncertain each player's next choice is, round by round, and what it regrets so far. Thin lines are "
            "seeds, bands 95 % intervals of the mean. Grey: Thompson's choice at the histories of the first player.",
        ),
        el.Figure(
            "doses",
            doses,
            "Entropy of the choice under EAST after the middle layer, by strength; beside it, at strength 1, other "
            "layers and other directions of the same length, and a temperature of 2.",
        ),
        el.Figure(
            "side-effects",
            side_effects,
            "What else steering does to the model, at strength 1: options named, the arm that is behind, words of "
            "doubt. Dots are seeds.",
            needs=(MODEL,),
        ),
    )


def _here(run: el.Run, wanted: tuple[str, ...]) -> list[str]:
    have = {str(c) for c in run.data.condition.values}
    return [name for name in wanted if name in have]


def _values(run: el.Run, name: str, condition: str) -> np.ndarray:
    return np.asarray(run.data[name].sel(condition=condition).transpose("seed", "time").values)


def entropy(run: el.Run) -> Figure:
    """The headline."""
    fig, axes = house.new(cols=2, width=10.5, height=4.0)
    names = _here(run, _PLAYERS)
    for name, colour in zip(names, house.COLOURS, strict=False):
        for ax, what in zip(axes, ("h", "regret"), strict=True):
            values = _values(run, what, name)[:, 1:-1]
            seeds = 8 if what == "h" else 0
            house.band(ax, np.arange(1, values.shape[1] + 1), values, _WORDS[name], colour, seeds=seeds)
    if names:
        best = _values(run, "h_thompson", names[0])[:, 1:-1]
        axes[0].plot(np.arange(1, best.shape[1] + 1), best.mean(axis=0), "--", color=house.GREY, linewidth=2)
    house.finish(
        axes[0],
        title="Certainty",
        xlabel="round",
        ylabel="entropy of the choice (bits)",
        ylim=(-0.03, 1.05),
    )
    house.finish(axes[1], title="Regret", xlabel="round", ylabel="points", ylim=(0, None), legend="lower right")
    return fig


def doses(run: el.Run) -> Figure:
    """Dose-response and controls, a row for each that can be steered."""
    names = _here(run, (MODEL, SCRIPT))
    fig, axes = house.new(
        rows=max(1, len(names)), cols=2, width=11.0, height=3.7 * max(1, len(names)), squeeze=False,
        width_ratios=(1.0, 1.35),
    )  # fmt: skip
    for (left, right), name in zip(axes, names, strict=False):
        _dose_response(left, run, name)
        _controls(right, run, name)
    return fig


def _dose_response(ax: Axes, run: el.Run, name: str) -> None:
    at = [(x, "h_base" if x == 0 else name_of("middle", x)) for x in sorted((0.0, *DOSES))]
    values = np.stack([_values(run, observable, name)[:, -1] for _, observable in at], axis=1)
    house.band(ax, np.array([x for x, _ in at]), values, "EAST", house.COLOURS[0], seeds=8)
    house.finish(
        ax,
        title=_WORDS[name][0].upper() + _WORDS[name][1:],
        xlabel="strength (spreads of activation)",
        ylabel="entropy of the choice (bits)",
        ylim=(0, 1.05),
    )


def _controls(ax: Axes, run: el.Run, name: str) -> None:
    base = _values(run, "h_base", name)[:, -1]
    shown = {"EAST": name_of("middle", 1.0), "early": name_of("early", 1.0), "late": name_of("late", 1.0)}
    shown |= {kind: f"h_{kind}" for kind in KINDS} | {"heated": "h_hot"}
    gains = {words: _values(run, observable, name)[:, -1] - base for words, observable in shown.items()}
    colours = [house.COLOURS[0]] * 3 + [house.COLOURS[1]] * len(KINDS) + [house.COLOURS[2]]
    house.bars(ax, gains, colours=colours)
    ax.set_xticks(range(len(gains)), list(gains), rotation=35, ha="right")
    house.finish(ax, title="What is added at strength 1", ylabel="entropy added (bits)", chance=0.0)


def side_effects(run: el.Run) -> Figure:
    """Validity, exploration, words."""
    fig, axes = house.new(cols=3, width=11.0, height=3.6)
    for ax, (what, title) in zip(
        axes,
        (("mass", "An option is named"), ("explore", "The arm that is behind"), ("doubt", "Calls itself unsure")),
        strict=True,
    ):
        values = {
            "as it is": _values(run, f"{what}_base", MODEL)[:, -1],
            "steered": _values(run, f"{what}_east", MODEL)[:, -1],
        }
        house.bars(ax, values, colours=[house.GREY, house.COLOURS[0]])
        house.finish(ax, title=title, ylabel="probability" if what == "mass" else None, ylim=(0, 1.02))
    return fig
