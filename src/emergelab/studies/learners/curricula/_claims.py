"""What the papers state of teachers, as tests in a world of cubes. Each margin says in a word why."""

from __future__ import annotations

import emergelab as el
from emergelab.statistics import ratio_of_means

from ._conditions import forgets, half, useless
from ._measures import between_bodies, centre_and_body, order_of_difficulty, share_in_the_easier_half

_FIVE = "five cubes of a hundred: a row that lacks its half"
_WALKERS = "on three walkers after 20 million steps (Welch's t, 32 seeds)"


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study, in the order of the papers."""
    return (*_progress(), *_robustness(), *_order(), *_signal(), *_covariance())


def _progress() -> list[el.Claim]:
    return [
        el.Claim(
            "Sampling by absolute learning progress masters more than sampling at random",
            el.contrast("mastered", "alp-gmm", "random"),
            ">",
            5.0,
            published=f"significantly more {_WALKERS}",
            about=f"{_FIVE}. A prototype: 37.6 against 4.1",
        ),
        el.Claim(
            "So does RIAC",
            el.contrast("mastered", "riac", "random"),
            ">",
            5.0,
            published="above random in the toy world, below the mixtures",
            about=_FIVE,
        ),
        el.Claim(
            "Gaussians are better than boxes",
            el.contrast("mastered", "alp-gmm", "riac"),
            ">",
            5.0,
            published=f"ALP-GMM at least as good as RIAC {_WALKERS}",
            about=_FIVE,
            expect="refuted",
        ),
        el.Claim(
            "What an expert prepares is no better than what a teacher finds out",
            el.contrast("mastered", "alp-gmm", "oracle"),
            ">",
            5.0,
            published="the window of the expert is overtaken on most walkers",
            about=f"{_FIVE}. The window moves along the diagonal and never sees the other corners",
        ),
    ]


def _robustness() -> list[el.Claim]:
    tenth = "a tenth of the score"
    return [
        el.Claim(
            "Tasks that cannot be learnt do less harm to ALP-GMM than to random sampling",
            el.pooled(ratio_of_means, "mastered", half("alp-gmm"), "alp-gmm", half("random"), "random"),
            ">",
            0.1,
            published="robust to stumps three times as high, most of them impossible",
            about=f"{tenth}. A prototype: 0.69 against 0.24",
        ),
        el.Claim(
            "ALP-GMM keeps four fifths of its score with ten dimensions that do not matter",
            el.pooled(ratio_of_means, "mastered", useless("alp-gmm", 10), "alp-gmm", value=0.8),
            ">",
            0.02,
            published="ALP-GMM is hardly slowed down by up to 10 irrelevant dimensions",
            about="beyond rounding",
        ),
        el.Claim(
            "It keeps more of it than RIAC does",
            el.pooled(ratio_of_means, "mastered", useless("alp-gmm", 10), "alp-gmm", useless("riac", 10), "riac"),
            ">",
            0.1,
            published="RIAC is slowed down",
            about=tenth,
        ),
    ]


def _order() -> list[el.Claim]:
    return [
        el.Claim(
            "An order appears that nobody asked for: tasks become harder with time",
            el.level(order_of_difficulty, "alp-gmm", value=0.5),
            ">",
            0.02,
            published="density moves from low to high stumps (figures)",
            about="a rank correlation of more than a half between episode and difficulty, beyond rounding",
            expect=("supported", "inconclusive"),
        ),
        el.Claim(
            "At random there is none",
            el.level(order_of_difficulty, "random"),
            "=",
            0.02,
            published="by construction",
            about="a check of the measure",
        ),
        el.Claim(
            "The order is the body's own",
            el.level(centre_and_body, "alp-gmm-bodies", statistic=between_bodies),
            ">",
            0.18,
            published="the density differs between walkers (figures)",
            about="variance of the mean task between bodies over that within: half as much again, in powers of ten",
        ),
        el.Claim(
            "What is lost is taught again: after a lesion the teacher stays with the lost half",
            el.contrast(share_in_the_easier_half, "alp-gmm-lesion", "alp-gmm"),
            ">",
            0.1,
            published="not in the paper",
            about="a tenth of all tasks at the end. Set after a first run: tasks were expected to come back to that "
            "half, but at half-time they are still there",
            expect=("inconclusive", "supported"),
        ),
    ]


def _signal() -> list[el.Claim]:
    return [
        el.Claim(
            "It is the progress that does it: with the returns of other tasks nothing is left of it",
            el.contrast("mastered", "alp-gmm-shuffled", "random"),
            "=",
            5.0,
            published="not in the paper",
            about=_FIVE,
        ),
        el.Claim(
            "Gaussians that stay where they were at half-time teach less",
            el.contrast("mastered", "alp-gmm-frozen", "alp-gmm"),
            "<",
            5.0,
            published="not in the paper",
            about=_FIVE,
        ),
        el.Claim(
            "Losses count as progress for a reason: with a student that forgets, their neglect costs cubes",
            el.contrast("mastered", "alp-gmm-signed-forgets", forgets("alp-gmm")),
            "<",
            5.0,
            published="the absolute value is to detect forgetting",
            about=_FIVE,
            expect=("supported", "inconclusive"),
        ),
    ]


def _covariance() -> list[el.Claim]:
    return [
        el.Claim(
            "ALP-GMM masters more than Covar-GMM where nothing is forgotten",
            el.contrast("mastered", "alp-gmm", "covar-gmm"),
            ">",
            5.0,
            published=f"at least as good {_WALKERS}",
            about=f"{_FIVE}. A prototype found the opposite, 37.6 against 61.5: without forgetting, losses are noise",
            expect="refuted",
        ),
        el.Claim(
            "ALP-GMM masters more than Covar-GMM with a student that forgets",
            el.contrast("mastered", forgets("alp-gmm"), forgets("covar-gmm")),
            ">",
            5.0,
            published=f"at least as good {_WALKERS}",
            about=f"{_FIVE}. Walkers do forget",
            expect="refuted",
        ),
        el.Claim(
            "Forgetting favours ALP-GMM: it closes the gap to Covar-GMM",
            el.pooled(ratio_of_means, "mastered", forgets("alp-gmm"), "alp-gmm", forgets("covar-gmm"), "covar-gmm"),
            ">",
            0.1,
            published="not in the paper",
            about="a tenth of the score",
            expect="inconclusive",
        ),
    ]
