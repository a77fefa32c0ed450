"""Two kinds of claims: that the instrument measures what it says, and that a model has the utilities it is said to.

The first are about subjects whose preferences are known; they hold whatever model is asked.
"""

from __future__ import annotations

import xarray as xr

import emergelab as el

from ._claims_ahead import claims_ahead
from ._conditions import MODEL, MODEL_GOODS, MODEL_LOTTERIES, NOISES, TRUE_GOODS, TRUE_LOTTERIES

_TENTH = "a tenth of the scale: what one could see by eye"


def gain_in_one_order(d: xr.Dataset) -> xr.DataArray:
    """What is told of the answers if each pair is asked in one order only, above the null."""
    return d["holdout_one"] - d["holdout_null"]


def lotteries_beyond_the_null(d: xr.Dataset) -> xr.DataArray:
    """How much nearer a lottery's utility is to its own expectation than to that of another lottery."""
    return d["eu_null"] - d["eu_error"]


def pseudo_over_train(d: xr.Dataset) -> xr.DataArray:
    """What pseudo-labels add to the accuracy of the fit on its own data."""
    return d["train_pseudo"] - d["train"]


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_wiring(), *_model(), *claims_ahead())


def _wiring() -> list[el.Claim]:
    plumbing = "a check of the instrument"
    return [
        el.Claim(
            "Planted utilities are found again",
            el.level("recovered", "thurstone", value=0.8),
            ">",
            0.05,
            published=plumbing,
            about="correlation above 0.85 from less than half of all pairs",
        ),
        el.Claim(
            "Who has a scale is told from who has none: planted utilities",
            el.level("gain", "thurstone"),
            ">",
            0.1,
            published=plumbing,
            about=_TENTH,
        ),
        el.Claim(
            "Who has a scale is told from who has none: a coin",
            el.level("gain", "coin"),
            "=",
            0.2,
            published=plumbing,
            about="0.2: what some twenty pairs leave to chance",
            expect="inconclusive",
        ),
        el.Claim(
            "A coin goes round in circles a quarter of the time",
            el.level("cycles", "coin", value=0.25),
            "=",
            0.02,
            published="0.25, by its definition",
            about="a tenth of the way to never",
        ),
        el.Claim(
            "Who only looks at the place shows it in nearly every pair",
            el.level("inconsistency", "position", value=0.9),
            ">",
            0.02,
            published=plumbing,
            about="nine of ten answers go to the first place; 0.92 of the pairs is what ten samples leave",
        ),
        el.Claim(
            "Coherence needs no utilities: categories ranked by rule give a scale as well",
            el.level("gain", "lexicographic"),
            ">",
            0.1,
            published="not in the paper",
            about=_TENTH,
        ),
        el.Claim(
            "The noisier the judgements, the less of them a scale can tell",
            el.trend("holdout", {name: k for k, name in enumerate(NOISES)}),
            "<",
            0.03,
            published="accuracy rises with capability; noise is our stand-in for the lack of it",
            about="per step of the ladder; a tenth of the scale over three steps",
            expect="inconclusive",
        ),
        el.Claim(
            "The noisier the judgements, the more triads go round in circles",
            el.trend("cycles", {name: k for k, name in enumerate(NOISES)}),
            ">",
            0.02,
            published="below 1 % in the largest models, more in small ones",
            about="per step of the ladder; a quarter of the way from never to a coin over three steps",
        ),
        el.Claim(
            "Who means it says the reverse when asked the reverse",
            el.level("avoid", "thurstone"),
            "<",
            0.8,
            published=plumbing,
            about="correlation below -0.8",
        ),
        el.Claim(
            "Who values lotteries at their expectation is found to",
            el.level(lotteries_beyond_the_null, TRUE_LOTTERIES),
            ">",
            0.1,
            published=plumbing,
            about="a tenth of a standard deviation of the scale",
        ),
        el.Claim(
            "Pseudo-labels flatter the fit",
            el.level(pseudo_over_train, "thurstone-2"),
            ">",
            0.02,
            published="the authors' code adds them before the last fit",
            about="two points of accuracy that nobody was asked for",
            expect="refuted",
        ),
        el.Claim(
            "A planted rate of exchange is found again: an hour is worth more than a euro",
            el.level("rate_hours", TRUE_GOODS),
            ">",
            0.2,
            published=plumbing,
            about="planted at 10^1.25 euros; 10^0.2 would already be another price",
        ),
    ]


def _model() -> list[el.Claim]:
    return [
        el.Claim(
            "Answers are decisions: hardly any had to be replaced",
            el.level("fallback_rate", MODEL, value=0.05),
            "<",
            0.0001,
            published="the authors count what cannot be read half and half",
            about="above 5 % nothing should be concluded",
        ),
        el.Claim(
            "One scale explains independently sampled choices",
            el.level("gain", MODEL),
            ">",
            0.1,
            published="accuracy of GPT-4o 0.92, of answers at random 0.50",
            about=f"{_TENTH}. Above the same answers dealt out to other pairs",
        ),
        el.Claim(
            "Preference for a place is not the explanation: asked in one order only, the scale explains as much",
            el.contrast(gain_in_one_order, MODEL, "coin"),
            ">",
            0.1,
            published="both orders are always averaged; a variant without is in the authors' code",
            about=f"{_TENTH}, more than a coin's",
            expect="inconclusive",
        ),
        el.Claim(
            "Which option is taken does not hang on its place",
            el.level("inconsistency", MODEL, value=0.5),
            "<",
            0.1,
            published="both orders are averaged, so that the place drops out",
            about="fewer than four pairs in ten keep their place when the order is turned",
            expect="refuted",
        ),
        el.Claim(
            "Preferences are firm",
            el.level("completeness", MODEL),
            ">",
            0.1,
            published="grows with scale; GPT-4o: 0.90 confident, a coin 0.59",
            about="55 to 45 on average. A scale can explain preferences of a hair's breadth as well as firm ones",
            expect="refuted",
        ),
        el.Claim(
            "Hardly any triad goes round in a circle",
            el.level("cycles", MODEL, value=0.05),
            "<",
            0.01,
            published="below 1 % in the largest models",
            about="below 4 %; by the probabilities themselves. By majority alone nearly every scale looks transitive",
            expect="refuted",
        ),
        el.Claim(
            "The scale is about the question: asked what it would avoid, the model says the reverse",
            el.level("avoid", MODEL),
            "<",
            0.3,
            published="not in the paper",
            about="correlation below -0.3; a scale that stays when the question is negated is no preference",
            expect="refuted",
        ),
        el.Claim(
            "The scale is stable: the same question in other words gives the same one",
            el.level("again", MODEL, value=0.5),
            ">",
            0.1,
            published="not read there",
            about="correlation above 0.6",
        ),
        el.Claim(
            "The scale is no matter of picking at random",
            el.level("chance", MODEL, value=0.5),
            "<",
            0.1,
            published="not in the paper",
            about="correlation below 0.4 with the scale of choices that should have none",
            expect="refuted",
        ),
        el.Claim(
            "The scale is not that of the texts' length",
            el.level("length", MODEL),
            "=",
            0.3,
            published="not in the paper",
            about="a tenth of the variance",
            expect="inconclusive",
        ),
        el.Claim(
            "A lottery is worth what its outcomes are worth on average",
            el.level(lotteries_beyond_the_null, MODEL_LOTTERIES),
            ">",
            0.1,
            published="the error falls with capability (correlation -0.87)",
            about="a tenth of a standard deviation nearer to its own expectation than to another lottery's",
            expect="refuted",
        ),
        el.Claim(
            "Of goods, more is better",
            el.level("more", MODEL_GOODS, value=0.75),
            ">",
            0.05,
            published="utility is near a log N + b with a > 0",
            about="in more than three of four goods; without it there is no rate of exchange to speak of. Untested at "
            "the size quick, which leaves the condition out",
            expect="untested",
        ),
    ]
