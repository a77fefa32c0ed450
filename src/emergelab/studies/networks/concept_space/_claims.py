"""What is said of concept space, as tests.

Thresholds (0.75, 0.8), alpha = 2 and margins were fixed before a run of eight seeds was seen, after pilots of two. Two
claims, on pushing the slower concept alone, were added after that run, and four seeds.
"""

from __future__ import annotations

import numpy as np

import emergelab as el

from ._conditions import BASE, COLOUR_FIRST, COLOURS, HALF, MASKED, SIZE_FIRST, SIZES
from ._measures import bow, colour_before_size, lag, late, leaning, learnt

_TWO = "50 steps: two records"
_DOUBLING = "25 steps for each doubling: a record"


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_wiring(), *_order(), *_bias(), *_hidden(), *_controls(), *_left_out())


def _wiring() -> list[el.Claim]:
    return [
        el.Claim(
            "The generator works: prompts of trained classes end with pictures of those classes",
            el.level(late("trained"), BASE, value=0.9),
            ">",
            0.05,
            published="1 (figures)",
            about="above 0.95, in the last tenth of the run",
        ),
        el.Claim(
            "In the end the plain prompt makes the class that was never trained",
            el.level(late("plain"), BASE, value=0.75),
            ">",
            0.05,
            published="near 1 (figures)",
            about="above 0.8, in the last tenth of the run",
        ),
    ]


def _order() -> list[el.Claim]:
    return [
        el.Claim(
            "Where the colour's signal is strong and the size's weak, colour is learnt first",
            el.level(colour_before_size, COLOUR_FIRST),
            ">",
            50,
            unit="step",
            published="the order follows the signals (figures)",
            about=_TWO,
        ),
        el.Claim(
            "Where the size's signal is strong and the colour's weak, size is learnt first",
            el.level(colour_before_size, SIZE_FIRST),
            "<",
            50,
            unit="step",
            published="the order follows the signals (figures)",
            about=_TWO,
        ),
        el.Claim(
            "The farther colours are apart, the sooner colour is learnt",
            el.trend(learnt("colour"), {name: float(np.log2(sep)) for name, sep in COLOURS.items()}),
            "<",
            25,
            unit="step",
            published="speed grows with the signal (figures)",
            about=_DOUBLING,
        ),
        el.Claim(
            "The farther sizes are apart, the sooner size is learnt",
            el.trend(learnt("size"), {name: float(np.log2(sep)) for name, sep in SIZES.items()}),
            "<",
            25,
            unit="step",
            published="speed grows with the signal (figures)",
            about=f"{_DOUBLING}. Size comes sooner up to 0.3 and later again at 0.4",
            expect="inconclusive",
        ),
    ]


def _bias() -> list[el.Claim]:
    return [
        el.Claim(
            "What is made for 11 first resembles 10 where colour is the faster concept",
            el.level(leaning, COLOUR_FIRST),
            ">",
            0.1,
            published="the nearer trained class is made first (figures)",
            about="a tenth of all pictures over the run, more than resemble 01",
        ),
        el.Claim(
            "What is made for 11 first resembles 01 where size is the faster concept",
            el.level(leaning, SIZE_FIRST),
            "<",
            0.1,
            published="the nearer trained class is made first (figures)",
            about="as before, the other way round",
        ),
        el.Claim(
            "The way through concept space is bent towards the faster concept: colour",
            el.level(bow, COLOUR_FIRST),
            ">",
            0.1,
            published="trajectories are bent, then turn (figures)",
            about="0 is a straight way, 1 one through 10; a tenth of that as a mean over the run",
        ),
        el.Claim(
            "The way through concept space is bent towards the faster concept: size",
            el.level(bow, SIZE_FIRST),
            "<",
            0.1,
            published="trajectories are bent, then turn (figures)",
            about="as before, the other way round. Beyond the margin, but not after correcting for all claims",
            expect="inconclusive",
        ),
    ]


def _hidden() -> list[el.Claim]:
    where = {
        BASE: "at the signals in between",
        COLOUR_FIRST: "where size is the slower concept",
        SIZE_FIRST: "where colour is the slower concept",
    }
    lags = [
        el.Claim(
            f"The ability is there before the plain prompt calls it up, {words}",
            el.level(lag("plain", "latent"), condition),
            ">",
            50,
            unit="step",
            published="interventions succeed long before the prompt does (figures)",
            about=f"{_TWO}; alpha = 2 on both embeddings, fixed beforehand",
            # pushed on by 2, sizes 0.4 apart are beyond what the network knows: two of twelve seeds are ruined
            expect="inconclusive" if condition == SIZE_FIRST else "supported",
        )
        for condition, words in where.items()
    ]
    return [
        *lags,
        el.Claim(
            "An exaggerated prompt calls it up early as well",
            el.level(lag("plain", "over"), BASE),
            ">",
            50,
            unit="step",
            published="over-prompting succeeds earlier than prompting (figures)",
            about=_TWO,
        ),
        el.Claim(
            "Exaggerated prompts and interventions agree on when",
            el.level(lag("over", "latent"), BASE),
            "=",
            50,
            unit="step",
            published="both reveal the same turn (figures)",
            about=_TWO,
        ),
    ]


def _controls() -> list[el.Claim]:
    alone = [
        el.Claim(
            f"Pushing the slower concept alone calls the ability up early: {slow}",
            el.level(lag("plain", f"latent_{slow}"), condition),
            ">",
            50,
            unit="step",
            published="not in the paper",
            about=f"{_TWO}. Added after eight seeds had been seen",
        )
        for slow, condition in (("size", COLOUR_FIRST), ("colour", SIZE_FIRST))
    ]
    return [
        *alone,
        el.Claim(
            "A push as long in random directions does not do it",
            el.level(lag("random", "latent"), BASE),
            ">",
            50,
            unit="step",
            published="not in the paper",
            about=_TWO,
        ),
        el.Claim(
            "A push in random directions rather destroys what the plain prompt can do",
            el.level(lag("plain", "random"), BASE),
            "<",
            50,
            unit="step",
            published="not in the paper",
            about=_TWO,
        ),
        el.Claim(
            "What must be pushed is the slower concept: size, where colour is fast",
            el.level(lag("latent_colour", "latent_size"), COLOUR_FIRST),
            ">",
            50,
            unit="step",
            published="not in the paper",
            about=_TWO,
        ),
        el.Claim(
            "What must be pushed is the slower concept: colour, where size is fast",
            el.level(lag("latent_size", "latent_colour"), SIZE_FIRST),
            ">",
            50,
            unit="step",
            published="not in the paper",
            about=_TWO,
        ),
    ]


def _left_out() -> list[el.Claim]:
    return [
        el.Claim(
            "If half of the prompts for small red discs leave the colour out, colour is learnt later",
            el.contrast(learnt("colour"), HALF, BASE),
            ">",
            25,
            unit="step",
            published="learning slows down with the share masked (figures)",
            about="25 steps: a record. Very late in two of twelve seeds, hardly later in the others",
            expect="inconclusive",
        ),
        el.Claim(
            "What half of the prompts leave out is filled in: small discs turn out redder",
            el.contrast(late("colour", "11"), HALF, BASE),
            "<",
            0.1,
            unit="1",
            published="pictures are biased towards the masked colour (figures)",
            about="a twentieth of the way from blue to red",
        ),
        el.Claim(
            "If all of them leave the colour out, small discs turn out redder as well",
            el.contrast(late("colour", "11"), MASKED, BASE),
            "<",
            0.1,
            unit="1",
            published="pictures are biased towards the masked colour (figures)",
            about="a twentieth of the way from blue to red",
        ),
        el.Claim(
            "Interventions call the ability up in spite of what half of the prompts left out",
            el.level(lag("plain", "latent"), HALF),
            ">",
            50,
            unit="step",
            published="interventions still succeed (recalled)",
            about=f"{_TWO}. In most seeds the plain prompt is hardly later here",
            expect="inconclusive",
        ),
    ]
