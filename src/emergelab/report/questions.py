"""The table of questions: which instrument answers what, what it needs, its null, and what its figure shows.

`emergelab measure` asks every question of curves that the data can answer, and says of the others which column would
make them answerable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import xarray as xr

from .. import instruments
from ..errors import UserError, nearest
from ..instruments import Result

__all__ = ["QUESTIONS", "Facts", "Question", "chosen"]


@dataclass(frozen=True)
class Facts:
    """What a data set holds, and how the user wants it read.

    Attributes:
        data: dims among (condition, seed, time).
        value: name of the score.
        companion, stderr: names of variables beside it, or None.
        items: number of test items behind each score, or None.
        threshold, k, direction: as in `instruments.onset`.
        draws: surrogates, relabellings and bootstrap draws of each instrument.
    """

    data: xr.Dataset
    value: str
    companion: str | None = None
    stderr: str | None = None
    items: int | None = None
    threshold: float | None = None
    k: int = 3
    direction: Literal["up", "down"] = "up"
    draws: int = 999

    @property
    def seeds(self) -> int:
        """Replicates; 1 without a column of seeds."""
        return int(self.data.sizes.get("seed", 1))

    @property
    def conditions(self) -> int:
        """Conditions; 1 without a column of them."""
        return int(self.data.sizes.get("condition", 1))

    @property
    def records(self) -> int:
        """Median number of records of a curve."""
        counts = np.isfinite(self.data[self.value]).sum("time").values
        return int(np.median(counts)) if np.size(counts) else 0


@dataclass(frozen=True)
class Question:
    """One row of the table.

    Attributes:
        name: the instrument, and what `--ask` takes.
        asks: the question in words.
        null: what its p-value is measured against.
        caption: what its figure shows.
        lacks: "" if the data can answer, else what is missing and which column would bring it.
        ask: the call.
        tables: tables a reader needs: name -> (heading, column -> heading).
        means: verdict -> what it says, in words that need no manual.
    """

    name: str
    asks: str
    null: str
    caption: str
    lacks: Callable[[Facts], str]
    ask: Callable[[Facts], Result]
    tables: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    means: Mapping[str, str] = field(default_factory=dict)


def chosen(names: list[str] | None) -> list[Question]:
    """The questions of these names, or all of them.

    Raises:
        UserError: a name that is no question of curves.
    """
    if not names:
        return list(QUESTIONS.values())
    for name in names:
        if name in _ELSEWHERE:
            raise UserError(f"--ask {name}: this instrument does not read curves but {_ELSEWHERE[name]}; call it from "
                            f"Python: emergelab.instruments.{name}(...)")  # fmt: skip
        if name not in QUESTIONS:
            raise UserError(f"--ask: no question {name!r}{nearest(name, QUESTIONS)}")
    return [QUESTIONS[name] for name in dict.fromkeys(names)]


def _enough(least: int) -> Callable[[Facts], str]:
    return lambda f: "" if f.records >= least else f"it needs {least} records a curve, there are {f.records}"


def _ask_onset(f: Facts) -> Result:
    return instruments.onset(
        f.data, f.value, threshold=f.threshold, k=f.k, direction=f.direction, stderr=f.stderr, items=f.items,
        companion=f.companion, draws=f.draws,
    )  # fmt: skip


def _lacks_mirage(f: Facts) -> str:
    # Without a companion the one thing it can see is a score that sits on its label base rates.
    return "" if f.companion else "name a continuous score of the same outputs with --companion COL"


def _ask_order(f: Facts) -> Result:
    return instruments.order_parameters(f.data, f.value, draws=f.draws)


def _lacks_order(f: Facts) -> str:
    if f.seeds < 8:
        return f"two kinds of seeds cannot be told apart among {f.seeds}; name eight or more with --seed COL"
    return _enough(3)(f)


QUESTIONS: dict[str, Question] = {
    q.name: q
    for q in (
        Question(
            "onset",
            "Does it emerge, when, and earlier or later under a condition?",
            "trend + AR(1) surrogates; relabelled seeds between conditions",
            "Left: each replicate and the mean over them. Middle: every replicate set to its own onset, which shows "
            "how abrupt one is. Right: the share of replicates in which it has not emerged yet (Kaplan-Meier).",
            _enough(3),
            _ask_onset,
            {
                "conditions": ("Condition by condition", {
                    "condition": "condition", "seeds": "replicates", "emerged": "emerged",
                    "median_onset": "median onset", "median_low": "from", "median_high": "to",
                    "W_decades": "10-90 % in decades"}),
                "contrasts": ("Earlier or later", {
                    "a": "condition", "b": "against", "difference": "mean onset differs by", "low": "from",
                    "high": "to", "p_holm": "p (Holm)", "verdict": "finding"}),
                "order": ("Which comes first within a replicate", {
                    "companion": "companion", "condition": "condition", "companion_first": "companion first",
                    "companion_last": "score first", "undecided": "same record or neither", "lead": "lead", "p": "p"}),
                "seeds": ("Replicate by replicate", {
                    "condition": "condition", "seed": "replicate", "emerged": "emerged", "after": "not yet at",
                    "onset": "onset at", "midpoint": "midpoint", "W_decades": "10-90 % in decades", "A": "abruptness",
                    "final": "final level"}),
            },
            {
                "emerges": "Yes: it rises beyond what trend and noise make, in most replicates.",
                "does not emerge": "No: in most replicates nothing rises beyond what trend and noise make.",
                "earlier": "It comes earlier under the first condition than under the second.",
                "later": "It comes later under the first condition than under the second.",
                "no difference": "It comes at the same time under both conditions, to within the margin.",
                "differ": "It comes earlier under some conditions than under others.",
                "inconclusive": "It cannot be told from so few replicates.",
            },
        ),
        Question(
            "mirage",
            "Is the jump in the system, or only in the score?",
            "the smooth fit with binomial item noise",
            "Left: the score against its companion; if one monotone curve carries all points, the companion explains "
            "the score. Right: both over time as a share of their own change; a companion that rises earlier and "
            "smoothly makes the jump a mirage.",
            _lacks_mirage,
            lambda f: instruments.mirage(f.data, f.value, f.companion, stderr=f.stderr, items=f.items, draws=f.draws),
            {"tests": ("In the metric or in the system: the tests", {
                "test": "test", "verdict": "finding", "value": "value", "p": "p", "about": "how"})},
            {
                "mirage": "Only in the score: one smooth curve of the companion carries all of the jump.",
                "genuine": "In the system: the companion breaks as well, or does not carry the score.",
                "floor": "In the ruler: before the jump the score is below what so few items can resolve.",
                "undecided": "It cannot be told from these records.",
            },
        ),
        Question(
            "change_points",
            "Where does the regime change, and is it the same place in all replicates?",
            "trend + AR(1) surrogates, the maximum over all places",
            "Each replicate with the places where its regime changes; below, how many replicates change where.",
            _enough(12),
            lambda f: instruments.change_points(f.data, f.value, draws=f.draws),
            {
                "consensus": ("Where replicates change", {
                    "condition": "condition", "after": "after", "upto": "by", "seeds": "replicates", "of": "of",
                    "share": "share", "share_low": "from", "share_high": "to"}),
                "changes": ("Change by change", {
                    "condition": "condition", "seed": "replicate", "after": "after", "upto": "by",
                    "before": "level before", "later": "level after", "size": "size in sd", "p": "p",
                    "shape": "shape"}),
            },
            {
                "no change": "Nowhere: no replicate leaves its trend by more than noise does.",
                "aligned": "In most replicates, and at one place.",
                "scattered": "In most replicates, but not shown to be at one place.",
                "in some seeds": "In some replicates; whether in most of them is not shown.",
                "changes": "It changes; with one replicate nothing can be said of others.",
                "untested": "There are too few records to test it.",
                "differs by condition": "It depends on the condition (whether they differ is not tested here).",
            },
        ),
        Question(
            "learning_curves",
            "Which law does the curve follow, and how far can it be trusted?",
            "forecasts from earlier records to later ones, beside 'as the last record'",
            "The curve with the law that forecasts best, its band, and the forecasts that chose it.",
            _enough(7),
            lambda f: instruments.learning_curves(f.data, f.value, stderr=f.stderr, draws=f.draws),
            {
                "laws": ("Laws tried", {
                    "condition": "condition", "law": "law", "formula": "formula", "rolling_error": "forecast error",
                    "bic": "BIC", "asymptote": "asymptote", "chosen": "chosen"}),
            },
            {
                "lawful": "One law carries it, and forecasts later records better than simple rules do.",
                "refused": "No law forecasts better than 'as the last record', so none is trusted.",
                "monotone law rejected": "It turns round: no law that only rises or only falls fits.",
                "surprise": "Later records are not where the law of the earlier ones puts them.",
                "more efficient": "The first condition needs less for the same level.",
                "less efficient": "The first condition needs more for the same level.",
                "no difference": "Both conditions need the same, to within the margin.",
                "differ": "Some conditions need less than others for the same level.",
                "mixed": "Conditions follow different laws.",
                "inconclusive": "The difference cannot be told from so few replicates.",
                "undecided": "There are too few records to choose a law.",
            },
        ),
        Question(
            "early_warning",
            "Could it be seen coming?",
            "surrogates of each record through the same detrending; max over all settings",
            "The record, what is left of it without its trend, and the indicators in rolling windows.",
            _enough(50),
            lambda f: instruments.early_warning(f.data, f.value, draws=min(f.draws, 499)),
            {"indicators": ("Indicator by indicator", {
                "indicator": "indicator", "direction": "direction", "change": "mean change", "records": "records",
                "in_direction": "records that go that way", "p": "p", "alarms": "alarms"})},
            {
                "warned": "Yes: indicators rise beyond what the record's own noise makes.",
                "not warned": "No: indicators do not rise beyond what the record's own noise makes.",
                "cannot tell": "It cannot be told from these records.",
            },
        ),
        Question(
            "order_parameters",
            "Do the replicates end in one heap or in two?",
            "one heap as skewed, heavy-tailed or flat as the data",
            "Where the replicates end: each one, the density of one heap and of two.",
            _lacks_order,
            _ask_order,
            {"tests": ("One heap or two", {
                "of": "of", "n": "replicates", "verdict": "finding", "p_dip": "p (dip)", "p_mixture": "p (two normals)",
                "ashman_D": "Ashman's D", "upper_weight": "share in the upper", "floor_share": "share at the floor",
                "power": "power"})},
            {
                "two modes": "In two: some replicates end high, others low, and few between.",
                "zero-inflated": "In two: some replicates stay exactly at the floor.",
                "unimodal": "In one; two clearly separate heaps would have been seen.",
                "undecided": "It cannot be told: no second heap is shown, and none can be excluded.",
                "untested": "There are too few replicates to ask.",
            },
        ),
    )
}  # fmt: skip
"""Questions that curves can answer, in the order in which they are asked."""

_ELSEWHERE: dict[str, str] = {
    "passuntil": "tries and passes of each item",
    "causal_emergence": "a transition matrix, a network, or parts and a macro variable over time",
    "lifelong": "a log of learning and evaluation blocks, or a matrix of tasks",
    "retention": "probes of items (columns item, time) with the times of exposure, or scores by item and lag",
    "diversity": "labels, embeddings or an archive of behaviours",
    "language_metrics": "messages with their meanings",
    "novelty": "artefacts over time",
    "skill_efficiency": "scores of several tasks by experience",
    "instability": "final losses over sizes and learning rates, or training logs",
    "communities": "traces of several agents, or who met whom when",
    "behaviours": "positions or states of agents, with sentences that say what to look for",
}
"""Instruments that read other things than curves, and what."""
