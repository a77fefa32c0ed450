"""What is said of trying again, as tests.

Margins were fixed from the formulas, before any run at the size `quick`. Two things were changed after it: the dull
signal got longer resets (with short ones obeying it did neither harm nor good), and what robots come to do where resets
queue is judged by the second half of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

import emergelab as el
from emergelab.games.restarts import Predictor, Task, confused_makespan
from emergelab.statistics import estimate

from ._conditions import grid

_PERCENT = "one per cent, three standard errors or more at this size"
_TWENTIETH = "a twentieth of the makespan"
LATE = (0.5, 1.0)
"""Where something is learnt in the first half of a run, the second is judged."""


def off_the_closed_form(d: xr.Dataset) -> xr.DataArray:
    """Measured over predicted makespan, minus 1."""
    return d["makespan"] / d["predicted"] - 1


def off_with_whole_means(d: xr.Dataset) -> xr.DataArray:
    """The same with means of whole times in the formula."""
    return d["makespan"] / d["naive"] - 1


def off_the_optimum(d: xr.Dataset) -> xr.DataArray:
    """Measured makespan over that of the best rule, minus 1."""
    return d["makespan"] / d["optimum"] - 1


def bias_of_what_ends(d: xr.Dataset) -> xr.DataArray:
    """Success among attempts that ended by themselves, minus that among attempts left alone on purpose."""
    return d["believed"] - d["true_rate"]


def gain_of_the_few(d: xr.Dataset) -> xr.DataArray:
    """Makespan of those who break off, minus that of all the others."""
    return d["makespan"] - d["makespan_others"]


@dataclass(frozen=True)
class RightSide(el.Test):
    """Share of confusion matrices that lie on the side of the boundary where the closed form has them, minus 0.5.

    Those that change the makespan by less than 2 % are left out.
    """

    @property
    def conditions(self) -> tuple[str, ...]:
        """The map, and what it is compared with."""
        return ("run", *grid())

    def words(self) -> str:
        """In words."""
        return "share of confusion matrices on the predicted side of the boundary, minus 0.5"

    def evidence(self, sample: el.Sample) -> el.Evidence:
        """The share in each seed."""
        base = sample.number("makespan", "run", "end")
        right = []
        for name, (false_alarm, hit) in grid().items():
            task = Task(0.5, 20.0, 40.0, 5.0)
            change = confused_makespan(task, Predictor(false_alarm, hit, 8.0, 8.0)) / confused_makespan(
                task, Predictor(0.0, 0.0, 8.0, 8.0)
            )
            if abs(change - 1) >= 0.02:
                right.append((sample.number("makespan", name, "end") < base) == (change < 1))
        each = np.mean(right, axis=0) - 0.5
        return el.Evidence(estimate(each), each)


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_formula(), *_boundary(), *_times(), *_watching(), *_adoption(), *_jobs(), *_crowds())


def _formula() -> list[el.Claim]:
    words = {
        "obey": "a good device",
        "obey-worse": "a bad one",
        "hard-obey": "a hard task",
        "late": "alarms that come late",
    }
    return [
        el.Claim(
            f"The closed form predicts the makespan: {text}",
            el.level(off_the_closed_form, name),
            "=",
            0.01,
            published="derived for a Markov jump process",
            about=_PERCENT,
        )
        for name, text in words.items()
    ]


def _boundary() -> list[el.Claim]:
    return [
        el.Claim(
            "Whether breaking off pays is decided by a line through the origin of the confusion matrix",
            RightSide(),
            ">",
            0.4,
            published="adopt only where the closed form says so",
            about="nine matrices in ten on the right side",
        ),
        el.Claim(
            "A device with few false alarms saves time",
            el.ratio("makespan", "obey", "run"),
            "<",
            0.1,
            published="101 s to 81 s, a fifth, with a learnt predictor (N = 120, p < 0.05)",
            about="half of the published saving",
        ),
        el.Claim(
            "One with many costs time, though it is right about most failures",
            el.ratio("makespan", "obey-worse", "run"),
            ">",
            0.05,
            published="the drawback named in the abstract",
            about=_TWENTIETH,
        ),
    ]


def _times() -> list[el.Claim]:
    return [
        el.Claim(
            "With a clock that races against the attempt the closed form holds for truncated means",
            el.level(off_the_closed_form, "clock"),
            "=",
            0.01,
            published="not in the abstract",
            about=_PERCENT,
        ),
        el.Claim(
            "It holds for means of whole times as well",
            el.level(off_with_whole_means, "clock"),
            "=",
            0.01,
            published="not in the abstract",
            about=_PERCENT,
            expect="refuted",
        ),
        el.Claim(
            "Where times are heavy-tailed, breaking off at random saves time",
            el.ratio("makespan", "heavy-random", "heavy-run"),
            "<",
            0.05,
            published="not in the paper; Luby et al. 1993",
            about=_TWENTIETH,
        ),
        el.Claim(
            "Where they are exponential and equal for both ends, it costs time",
            el.ratio("makespan", "equal-random", "equal-run"),
            ">",
            0.05,
            published="not in the paper",
            about=f"{_TWENTIETH}. Nothing is learnt from waiting, so only resets are added",
        ),
        el.Claim(
            "The closed form with truncated means is exact for heavy tails, too",
            el.level(off_the_closed_form, "heavy-random"),
            "=",
            0.02,
            published="not in the paper; Wald 1944",
            about="two per cent: heavy tails converge slowly",
        ),
        el.Claim(
            "Luby's sequence, which knows no distribution, comes near the best fixed time",
            el.ratio("makespan", "heavy-luby", "heavy-timeout"),
            "=",
            0.1,
            published="within a logarithmic factor (Luby et al. 1993)",
            about="a tenth, if its unit is of the right order",
        ),
    ]


def _watching() -> list[el.Claim]:
    return [
        el.Claim(
            "The best rule takes as long as dynamic programming says",
            el.level(off_the_optimum, "watch-best"),
            "=",
            0.01,
            published="not in the paper",
            about=_PERCENT,
        ),
        *(
            el.Claim(
                f"The best rule beats {text}",
                el.ratio("makespan", "watch-best", f"watch-{name}"),
                "<",
                0.01,
                published="not in the paper",
                about="one per cent",
            )
            for name, text in (
                ("timeout", "the best fixed time"),
                ("sprt", "Wald's test"),
                ("learnt", "what is learnt"),
            )
        ),
    ]


def _adoption() -> list[el.Claim]:
    error = "a fiftieth: what a decision on a few hundred attempts may be off by"
    return [
        el.Claim(
            "A predictor that is learnt in production saves time",
            el.ratio("makespan", "watch-learnt", "watch-run"),
            "<",
            0.1,
            published="101 s to 81 s, a fifth (N = 120, p < 0.05)",
            about="half of the published saving",
        ),
        el.Claim(
            "One that cannot tell costs time if it is obeyed all the same",
            el.ratio("makespan", "dull-learnt", "dull-run"),
            ">",
            0.02,
            published="the reason for the closed form",
            about="a fiftieth",
        ),
        el.Claim(
            "Adopting when the closed form says so loses nothing where the predictor cannot tell",
            el.ratio("makespan", "dull-adopt", "dull-run"),
            "=",
            0.02,
            published="adopt only when it saves time",
            about=error,
        ),
        el.Claim(
            "It loses nothing where the predictor is good",
            el.ratio("makespan", "watch-adopt", "watch-learnt"),
            "=",
            0.02,
            published="adopt only when it saves time",
            about=error,
        ),
        el.Claim(
            "Who learns from attempts that ended by themselves thinks too well of the task",
            el.level(bias_of_what_ends, "watch-learnt"),
            ">",
            0.05,
            published="not in the abstract",
            about="a tenth of the chance of success",
        ),
    ]


def _jobs() -> list[el.Claim]:
    return [
        el.Claim(
            "The closed form with the mean chance serves also where attempts at one job are alike",
            el.ratio("makespan", "alike-run", "run"),
            "=",
            0.05,
            published="attempts are taken to be independent",
            about=_TWENTIETH,
            expect="refuted",
        ),
        el.Claim(
            "It is exact again if averaged over kinds of jobs",
            el.level(off_the_closed_form, "alike-run"),
            "=",
            0.05,
            published="not in the paper",
            about=f"{_TWENTIETH}: the first jobs are not yet typical",
        ),
        el.Claim(
            "There it pays to give a job up for another",
            el.ratio("makespan", "alike-give-up", "alike-run"),
            "<",
            0.2,
            published="not in the paper",
            about="a fifth",
        ),
    ]


def _crowds() -> list[el.Claim]:
    return [
        el.Claim(
            "Where resets queue, a few who break off gain",
            el.level(gain_of_the_few, "crowd-few"),
            "<",
            5.0,
            published="not in the paper",
            about="five seconds, a twelfth of the makespan",
            unit="s",
        ),
        el.Claim(
            "If all do, all lose",
            el.ratio("makespan", "crowd-all", "crowd-run"),
            ">",
            0.05,
            published="not in the paper",
            about=_TWENTIETH,
        ),
        el.Claim(
            "Robots that weigh their own gain end near that loss",
            el.ratio("recent", "crowd-weigh", "crowd-run", at=LATE),
            ">",
            0.05,
            published="not in the paper",
            about=_TWENTIETH,
        ),
        el.Claim(
            "A toll on the delay that one causes mends it",
            el.ratio("recent", "crowd-toll", "crowd-weigh", at=LATE),
            "<",
            0.05,
            published="not in the paper",
            about=_TWENTIETH,
        ),
        el.Claim(
            "The closed form with the queue's reset predicts the loss",
            el.level(off_the_closed_form, "crowd-all"),
            "=",
            0.02,
            published="not in the paper",
            about="two per cent: the queue is taken at its mean",
        ),
    ]
