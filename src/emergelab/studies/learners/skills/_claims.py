"""What the papers state about skills, as tests."""

from __future__ import annotations

import math

import emergelab as el

from ._distances import around_walls, by_steps, coverage_log2

__all__ = ["claims"]


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study: first what the papers say, then what must hold for the code to be what it says."""
    return (
        el.Claim(
            "METRA covers at least three times as many cells as DIAYN",
            el.contrast(coverage_log2, "metra", "diayn"),
            ">",
            math.log2(3),
            published="METRA covers most in all five worlds; DIAYN hardly moves on Ant (Park et al. 2024, fig. 5)",
            about="in factors of two; the paper's curves differ by more than a factor of three",
            unit="octave",
        ),
        el.Claim(
            "Its skills travel",
            el.contrast("radius", "metra", "diayn"),
            ">",
            5.0,
            published="METRA runs far in many directions, DIAYN stays (Park et al. 2024, fig. 4)",
            about="a third of the way to the edge of what can be reached in an episode, 15 to 21 cells",
        ),
        el.Claim(
            "DIAYN's skills can be told apart nevertheless",
            el.level("recognised", "diayn"),
            ">",
            0.7,
            published="distinguishable yet static skills (Park et al. 2024, section 1)",
            about="cosine of a skill and the one that ends nearest: 0 by chance, 0.7 is an eighth of a turn",
        ),
        el.Claim(
            "Without the constraint METRA covers less than half",
            el.contrast(coverage_log2, "free", "metra"),
            "<",
            1.0,
            published="not in the paper in this form; its ablation replaces the constraint",
            about="skills still run far, but many of them run the same way; in factors of two",
            unit="octave",
        ),
        el.Claim(
            "With distances as they are seen in place of time it covers less",
            el.contrast(coverage_log2, "euclid", "metra"),
            "<",
            0.2,
            published="METRA covers more than LSD, which is bound by Euclid's distance (Park et al. 2024, fig. 5)",
            about="0.2 octaves are 15 %; here what is seen is places and postures, which is kind to Euclid's distance",
            unit="octave",
            expect="refuted",
        ),
        el.Claim(
            "Latent distances are numbers of steps",
            el.level(by_steps, "metra", value=0.8),
            ">",
            0.05,
            published="phi is a map of temporal distances (Park et al. 2024, theorem 4.1 and section 4.2)",
            about="rank correlation from the ends of twelve skills to all places on the way of 48, on open ground",
            expect="inconclusive",
        ),
        el.Claim(
            "In a maze they are steps around walls",
            el.level(around_walls, "maze"),
            ">",
            0.02,
            published="temporal, not spatial distances (Park et al. 2024, section 4.2)",
            about="rank correlation with ways around walls minus that with straight lines",
            expect="inconclusive",
        ),
        el.Claim(
            "Numbers that mean nothing do not stop METRA",
            el.contrast(coverage_log2, "noisy", "metra"),
            "=",
            0.5,
            published="not in the paper; the argument is that noise takes no time to cross",
            about="half an octave; two standard normal numbers beside place and posture",
            unit="octave",
            expect="refuted",
        ),
        el.Claim(
            "and do not get into its map",
            el.level("noise_share", "noisy"),
            "=",
            0.1,
            published="not in the paper, as above",
            about="share of the map's variance that is due to noise: within a tenth of none",
        ),
        el.Claim(
            "The constraint holds while its price is found",
            el.level("slack", "metra"),
            "=",
            0.1,
            published="dual gradient descent (Park et al. 2024, eq. 11)",
            about="wiring: a slack of 0 is a step of length 1, on average at most epsilon is left",
        ),
        el.Claim(
            "A body without a posture has none",
            el.level("posture", "diayn-stiff"),
            "=",
            0.001,
            published="wiring",
            about="the lesion does what it says",
        ),
    )
