"""Two kinds of claims: that the wiring works, and that the phenomenon shows."""

from __future__ import annotations

import xarray as xr

import emergelab as el

from ._conditions import STOPS, THINKING, stopping

_TENTH = "one round in ten"
_PLUMBING = "a check of the plumbing"
_OURS = "not in the paper"


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_wiring(), *_responses(), *_prediction(), *_forgiveness(), *_telling())


def grudge(d: xr.Dataset) -> xr.DataArray:
    """Defections after an old one, forgiven last, beyond those on a clean past."""
    return d["provoked"] - d["clean"]


def _wiring() -> list[el.Claim]:
    out = [
        el.Claim(
            f"Answers are decisions: hardly any had to be replaced ({name})",
            el.level("fallback_rate", name, value=0.05),
            "<",
            0.0001,
            published="not counted in the paper",
            about="above 5 % nothing should be concluded",
        )
        for name in ("model", "model-predict", "model-market")
    ]
    exact = "exact"
    return [
        *out,
        el.Claim(
            "A grudge is seen as one (grim)",
            el.level("provoked", "grim", value=1.0),
            "=",
            1e-6,
            published=_PLUMBING,
            about=exact,
        ),
        el.Claim(
            "Forgiveness is seen as such (tit for tat)",
            el.level("provoked", "tit-for-tat"),
            "=",
            1e-6,
            published=_PLUMBING,
            about=exact,
        ),
        el.Claim(
            "A prediction that is asked for first reaches the move (rule)",
            el.level("heeded", "predict", value=1.0),
            "=",
            1e-6,
            published=_PLUMBING,
            about=exact,
        ),
        el.Claim(
            "A prediction by rule helps with one who alternates, against insisting",
            el.contrast("coordination", "predict", "maximax"),
            ">",
            0.05,
            published=_PLUMBING,
            about="half a round in ten. The study repeated-games has it at length",
        ),
        el.Claim(
            "The place of an option in the rules does not decide",
            el.level("first_named", "model", value=0.5),
            "=",
            0.1,
            published="letters, and their order in the question, are drawn there; not the order in the rules",
            about=f"{_TENTH}; orders of the options shown last are averaged out, the order in the rules is drawn",
            expect="inconclusive",
        ),
    ]


def _responses() -> list[el.Claim]:
    return [
        el.Claim(
            "The model gets more than chance",
            el.contrast("score", "model", "random"),
            ">",
            0.05,
            published="models .68 to .78 in the 144 games among themselves (our analysis); chance .63 against our pool",
            about="a twentieth of the most that games can pay",
            expect="inconclusive",
        ),
        el.Claim(
            "The model gets more than a rule that predicts",
            el.contrast("score", "model", "predict"),
            ">",
            0.01,
            published=_OURS,
            about="a hundredth of the most that games can pay",
            expect="refuted",
        ),
        el.Claim(
            "Told what to expect, the model plays what is best against it",
            el.level("heeded", "model-noise", value=0.5),
            ">",
            0.1,
            published=_OURS,
            about=f"{_TENTH} above chance. What it is told is a coin's, so nothing else can make moves fit",
            expect="inconclusive",
        ),
        el.Claim(
            "The model predicts better than a coin",
            el.level("accuracy", "model-predict", value=0.5),
            ">",
            0.1,
            published="GPT-4 moves as if it foresaw the alternator from round 6",
            about=_TENTH,
            expect="inconclusive",
        ),
    ]


def _prediction() -> list[el.Claim]:
    base, predicts, noise, _ = THINKING
    return [
        el.Claim(
            "Asked to predict first, the model coordinates better in the battle",
            el.contrast("coordination", predicts, base),
            ">",
            0.1,
            published="GPT-4 with one who alternates: 8 of 10 rounds against 5",
            about=f"{_TENTH}. One match of one seed, which rounding decides, makes the difference",
            expect=("refuted", "inconclusive"),
        ),
        el.Claim(
            "It is what is predicted that counts: a coin in its place does not do",
            el.contrast("coordination", predicts, noise),
            ">",
            0.1,
            published="not separated in the paper from asking once more",
            about=_TENTH,
            expect="refuted",
        ),
        el.Claim(
            "Where neither has a favourite it does not alternate either",
            el.level("alternation", "model-equal-stakes"),
            "=",
            0.1,
            published="GPT-4 takes its favourite in each of 10 rounds at any of five stakes, and the option named "
            "first where both pay 8",
            about=_TENTH,
            expect="untested",
        ),
    ]


def _forgiveness() -> list[el.Claim]:
    return [
        el.Claim(
            "The model does not forgive",
            el.level(grudge, "model"),
            ">",
            0.2,
            published="GPT-4 in 10 rounds: 28 of 28 defect after an old defection, 0 of 67 on a clean past; in its "
            "files of 20 rounds 10 of 48 and 26 of 37",
            about="one round in five beyond a clean past",
            expect="refuted",
        ),
        el.Claim(
            "It forgives where it is told that the other errs",
            el.contrast("provoked", "model-fallible", "model"),
            "<",
            0.2,
            published="GPT-4 does",
            about="one round in five",
            expect="untested",
        ),
        el.Claim(
            "The likelier the end, the more it defects",
            el.trend("defection", {stopping(s): s for s in STOPS}),
            ">",
            0.1,
            published="GPT-4 defects in every round at any stated chance (1, 40, 60 and 80 %)",
            about=f"{_TENTH}, from a chance of 0 to 1",
            expect="untested",
        ),
    ]


def _telling() -> list[el.Claim]:
    return [
        el.Claim(
            "Payoffs in other units change nothing",
            el.contrast("defection", "model-rescaled", "model"),
            "=",
            0.1,
            published=_OURS,
            about=_TENTH,
            expect="inconclusive",
        ),
        el.Claim(
            "The story does not matter: bakers defect as often as players",
            el.contrast("defection", "model-market", "model"),
            "=",
            0.1,
            published="other cover stories are said to change little",
            about=_TENTH,
            expect="inconclusive",
        ),
    ]
