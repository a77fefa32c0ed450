"""What is said of such societies, as tests. Margins were fixed before any run at the size `quick`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

import emergelab as el
from emergelab.statistics import proportion

from ._conditions import CONFORMITY, CONTROL, DEFERENCE, MENDED, PULL, conforming, deferring, pulling
from ._handoff import HOPS

_TENTH = "a tenth of the scale: what one could see by eye"
_TWENTIETH = "a twentieth of the scale"
_FREQUENT = "arises frequently, uninstructed"


@dataclass(frozen=True)
class Emergence(el.Test):
    """Share of societies whose index lies beyond the 95 % quantile of the society's negative control."""

    society: str

    @property
    def conditions(self) -> tuple[str, ...]:
        """The society and its control."""
        return (self.society, CONTROL[self.society])

    def words(self) -> str:
        """In words."""
        return f"share of seeds of {self.society} with an index beyond 95 % of {CONTROL[self.society]}"

    def evidence(self, sample: el.Sample) -> el.Evidence:
        """Which seeds are beyond it."""
        values, null = (sample.number("index", name, "end") for name in self.conditions)
        hit = values > np.nanquantile(null, 0.95) + 1e-6
        return el.Evidence(proportion(int(hit.sum()), len(hit)), hit.astype(float), f"{hit.sum()} of {len(hit)} seeds")


def beyond_each_alone(d: xr.Dataset) -> xr.DataArray:
    """What all lose together, above what each would lose alone."""
    return d["index"] - d["alone"]


def lost_beyond_the_best(d: xr.Dataset) -> xr.DataArray:
    """Questions lost where the minority was right, above those that the best vote loses."""
    return d["lost"] - d["lost_best"]


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_market(), *_shares(), *_committee(), *_drift(), *_mending())


def _market() -> list[el.Claim]:
    return [
        el.Claim(
            "Sellers that learn end above competition, in more than half of the markets",
            Emergence("market"),
            ">",
            0.5,
            published=f"collusion-like pricing {_FREQUENT}",
            about="against sellers that learn the same way and care for one round only",
        ),
        el.Claim(
            "They end half-way to monopoly or beyond",
            el.level("index", "market", value=0.5),
            ">",
            0.05,
            published="0.7 to 0.9 for such learners (Calvano et al. 2020, recalled)",
            about=_TWENTIETH,
        ),
        el.Claim(
            "Sellers that care for this round only do not",
            el.contrast("index", "market", "market-myopic"),
            ">",
            0.3,
            published="not in the paper",
            about="the negative control of the market",
        ),
        el.Claim(
            "Sellers that cannot see what was charged end nearer to competition",
            el.contrast("index", "market-blind", "market"),
            "<",
            0.1,
            published="collusion rests on observing the others",
            about=f"{_TENTH}. A prototype had found the opposite",
            expect="refuted",
        ),
        el.Claim(
            "Where sellers see prices, one that undercuts once is punished",
            el.level("punished", "market"),
            ">",
            0.05,
            published="not in the paper; Calvano et al. 2020",
            about="a twentieth of the way from competition to monopoly: what makes a high price collusion",
        ),
        el.Claim(
            "Where they are blind, nobody is",
            el.level("punished", "market-blind"),
            "=",
            0.02,
            published="not in the paper",
            about="a blind seller cannot react; its high price is not collusion",
        ),
        el.Claim(
            "One seller that replies best undoes it",
            el.contrast("index", "market-honest", "market"),
            "<",
            0.1,
            published="not in the paper",
            about=_TENTH,
        ),
    ]


def _shares() -> list[el.Claim]:
    words = {
        "queue": "Agents that learn monopolise cheap slots",
        "commons": "Agents that learn overuse a resource",
        "leader": "A leader who errs takes the committee along",
        "handoff": "Messages drift",
        "disclosure": "Agents that learn exaggerate, and projects are chosen badly for it",
        "roles": "Best replies find no allocation of roles",
        "committee": "Talk among equals makes the vote worse",
    }
    out = [
        el.Claim(
            f"{text}, in more than half of the societies",
            Emergence(name),
            ">",
            0.5,
            published=_FREQUENT,
            about="beyond 95 % of the negative control",
            expect="refuted" if name == "committee" else "supported",
        )
        for name, text in words.items()
    ]
    return [
        *out,
        el.Claim(
            "What is lost in the commons is lost by the group: each alone would lose nothing",
            el.level(beyond_each_alone, "commons"),
            ">",
            0.2,
            published="risks of groups, not of agents",
            about="a fifth of the capacity",
        ),
    ]


def _committee() -> list[el.Claim]:
    return [
        el.Claim(
            "Truths that only a minority with the expert knows are lost more often than by the best vote",
            el.level(lost_beyond_the_best, "committee"),
            ">",
            0.1,
            published=f"majority sway {_FREQUENT}",
            about=_TENTH,
        ),
        el.Claim(
            "That is the work of talk: they are lost less often by sealed votes",
            el.contrast("lost", "committee", "committee-sealed"),
            ">",
            0.05,
            published="conformity",
            about=f"{_TWENTIETH}. A minority loses a vote of equals with or without talk",
            expect="refuted",
        ),
        el.Claim(
            "The more conform the voters are, the rarer an outnumbered expert stays with the truth",
            el.trend("expert_keeps", {conforming(x): x for x in CONFORMITY}),
            "<",
            0.2,
            published="not in the abstract",
            about="a fifth from not conform at all to wholly. A prototype: 0.87, 0.74, 0.61",
        ),
        el.Claim(
            "The more deferent they are, the rarer the vote is right if the leader errs",
            el.trend("accuracy", {deferring(x): x for x in DEFERENCE}),
            "<",
            0.5,
            published=f"authority deference {_FREQUENT}",
            about="half of the scale. A prototype: 0.54, 0.15, 0.003",
        ),
        el.Claim(
            "Opinions spoken in turn decide worse than sealed ones",
            el.contrast("accuracy", "committee-cascade", "committee-equals"),
            "<",
            0.01,
            published="not in the abstract; Bikhchandani et al. 1992",
            about="one question in a hundred",
        ),
    ]


def _drift() -> list[el.Claim]:
    out = []
    for pull in PULL[1:]:
        expected = ((1 - 0.03) * (1 - pull)) ** HOPS
        out += [
            el.Claim(
                f"What a message was fades geometrically: slope over {HOPS} hops with a pull of {pull:g}",
                el.level("slope", pulling(pull), value=expected),
                "=",
                0.02,
                published="semantic drift in hand-offs",
                about="from the chance that a fact goes through untouched",
            ),
            el.Claim(
                f"It drifts to what everyone expects, wherever it began (pull {pull:g})",
                el.level("attractor", pulling(pull), value=0.4),
                "=",
                0.03,
                published="not in the abstract; Griffiths and Kalish 2007",
                about="the prior's chance of the expected value; a prototype had 0.38 to 0.39",
            ),
        ]
    return [
        *out,
        el.Claim(
            "The stronger the pull, the less is left",
            el.trend("index", {pulling(x): x for x in PULL}),
            ">",
            1.0,
            published="not in the abstract",
            about="a tenth of all facts for a tenth of pull. A prototype kept 0.73, 0.45, 0.21",
        ),
    ]


def _mending() -> list[el.Claim]:
    return [
        el.Claim(
            f"Telling agents to behave mends less than changing the rule: {text}",
            el.contrast("index", f"{name}-told", f"{name}-rule"),
            ">",
            0.02 if name == "disclosure" else 0.05,
            published="agent-level safeguards do not prevent them",
            about=_TWENTIETH
            if name != "disclosure"
            else "a fiftieth of the largest cost, fixed before it was known "
            "that exaggeration costs three hundredths in all",
            expect="refuted" if name == "disclosure" else "supported",
        )
        for name, text in MENDED.items()
    ]
