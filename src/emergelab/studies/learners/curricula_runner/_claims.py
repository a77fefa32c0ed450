"""What the paper states of teachers, as tests with a runner that learns. Each margin says in a word why."""

from __future__ import annotations

import xarray as xr

import emergelab as el
from emergelab.statistics import ratio_of_means

from ._conditions import tall, with_body
from ._measures import mean_height, order_of_height, passed_too_high, spread_between

_TWO, _ONE = "two tasks of the fifty", "one task of the fifty"
_WALKERS = "three walkers, 20 million steps of SAC, 32 seeds, Welch's t"
_BODIES = tuple(with_body("alp-gmm", body) for body in ("short", "default", "long"))


def gained(d: xr.Dataset) -> xr.DataArray:
    """Tasks mastered at the end that were not at the start, per cent of all."""
    return d["mastered"].isel(time=-1) - d["mastered"].isel(time=0)


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study, in the order of the paper."""
    return (*_learning(), *_progress(), *_robustness(), *_order(), *_covariance())


def _learning() -> list[el.Claim]:
    return [
        el.Claim(
            "The runner learns: a random teacher is enough for it to master tasks that it could not do",
            el.level(gained, "random"),
            ">",
            4.0,
            published="walkers learn with random tasks, the default one a good part of them",
            about=_TWO,
        ),
        el.Claim(
            "What is impossible stays so: short legs never pass a stump higher than their jump",
            el.level(passed_too_high, with_body("alp-gmm", "short")),
            "=",
            0.01,
            published="by construction: v^2 / 2g",
            about="less than one task of the fifty: a check of the physics",
        ),
    ]


def _progress() -> list[el.Claim]:
    short = with_body("alp-gmm", "short")
    return [
        el.Claim(
            "Sampling by absolute learning progress masters more than sampling at random",
            el.contrast("mastered", "alp-gmm", "random"),
            ">",
            4.0,
            published=f"significantly more ({_WALKERS})",
            about=_TWO,
        ),
        el.Claim(
            "So it does with short legs, for which most tasks are impossible",
            el.contrast("mastered", short, with_body("random", "short")),
            ">",
            2.0,
            published=f"significantly more, by the most of the three ({_WALKERS})",
            about=f"{_ONE}: no more than a quarter of them can be done",
        ),
        el.Claim(
            "So does RIAC",
            el.contrast("mastered", "riac", "random"),
            ">",
            4.0,
            published=f"above random on average ({_WALKERS})",
            about=_TWO,
            expect="inconclusive",
        ),
        el.Claim(
            "Gaussians are better than boxes",
            el.contrast("mastered", "alp-gmm", "riac"),
            ">",
            4.0,
            published=f"ALP-GMM at least as good as RIAC ({_WALKERS})",
            about=_TWO,
            expect="inconclusive",
        ),
        el.Claim(
            "What an expert prepares is no better than what a teacher finds out",
            el.contrast("mastered", "alp-gmm", "oracle"),
            ">",
            4.0,
            published=f"the window of the expert is overtaken on most walkers ({_WALKERS})",
            about=_TWO,
            expect="inconclusive",
        ),
        el.Claim(
            "It is the progress that does it: with the returns of other tasks nothing is left of it",
            el.contrast("mastered", "alp-gmm-deaf", "random"),
            "=",
            4.0,
            published="not in the paper",
            about=_TWO,
            expect="inconclusive",
        ),
    ]


def _robustness() -> list[el.Claim]:
    short = with_body("alp-gmm", "short")
    return [
        el.Claim(
            "Tasks that cannot be learnt do less harm to ALP-GMM than to random sampling",
            el.pooled(ratio_of_means, "mastered", tall("alp-gmm"), "alp-gmm", tall("random"), "random"),
            ">",
            0.1,
            published="robust to stumps three times as high, most of them impossible",
            about="a tenth of the score",
        ),
        el.Claim(
            "With stumps three times as high ALP-GMM masters more than random sampling",
            el.contrast("mastered", tall("alp-gmm"), tall("random")),
            ">",
            4.0,
            published=f"significantly more ({_WALKERS})",
            about=_TWO,
        ),
        el.Claim(
            "It finds out by itself what short legs cannot do, and sets fewer such tasks",
            el.contrast("waste", short, with_body("random", "short"), at="mean"),
            "<",
            0.1,
            published="density stays with low stumps (figures)",
            about="one task in ten",
        ),
    ]


def _order() -> list[el.Claim]:
    return [
        el.Claim(
            "An order appears that nobody asked for: stumps become higher with time",
            el.level(order_of_height, "alp-gmm", value=0.5),
            ">",
            0.02,
            published="density moves from low to high stumps (figures)",
            about="a rank correlation of more than a half between time and height, beyond rounding",
            expect="refuted",
        ),
        el.Claim(
            "There is some of it: time and height go together",
            el.level(order_of_height, "alp-gmm"),
            ">",
            0.05,
            published="density moves from low to high stumps (figures)",
            about="beyond what chance makes of some thousand tasks in each of several seeds",
        ),
        el.Claim(
            "At random there is none",
            el.level(order_of_height, "random"),
            "=",
            0.05,
            published="by construction",
            about="a check of the measure",
        ),
        el.Claim(
            "The order is the body's own: mean heights differ between bodies more than between seeds",
            el.pooled(spread_between, mean_height, *_BODIES),
            ">",
            0.18,
            published="the density differs between walkers (figures)",
            about="variance between over that within: half as much again, in powers of ten",
        ),
    ]


def _covariance() -> list[el.Claim]:
    return [
        el.Claim(
            "ALP-GMM masters more than Covar-GMM",
            el.contrast("mastered", "alp-gmm", "covar-gmm"),
            ">",
            4.0,
            published=f"at least as good ({_WALKERS})",
            about=f"{_TWO}. In a world of cubes, where nothing is forgotten, it is the other way round",
            expect="inconclusive",
        ),
    ]
