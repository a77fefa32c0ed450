"""What is said of the town, as tests. Each margin says in a word why."""

from __future__ import annotations

import emergelab as el

from . import _measures as m
from ._conditions import CLUTTER

_TENTH = "a tenth of the town"
_GUEST = "one guest"


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study: those of the paper in its order, then what was done to the town."""
    return (
        *_diffusion(), *_ties(), *_attendance(), *_interviews(), *_retrieval(), *_growth(), *_interventions()
    )  # fmt: skip


def _diffusion() -> list[el.Claim]:
    return [
        el.Claim(
            "News of the party spreads by talk",
            el.contrast(m.knowers_of_the_party, "full", "no-talk"),
            ">",
            0.1,
            published="from 1 of 25 to 13 (52 %); 12 in another version of the text",
            about=_TENTH,
        ),
        el.Claim(
            "So does news of the candidacy",
            el.contrast(m.knowers_of_the_candidacy, "full", "no-talk"),
            ">",
            0.1,
            published="from 1 of 25 to 8 (32 %)",
            about=_TENTH,
        ),
        el.Claim(
            "Early on each who knows of the party tells more than one other first",
            el.level(m.new_knowers_of_the_party_per_knower, "full", value=1.0),
            ">",
            0.1,
            published="not in the paper",
            about="above 1.1; the source and those whom it told",
        ),
        el.Claim(
            "It is not contact that limits the spread: many could have heard and have not",
            el.level(m.room_below_the_bound, "full"),
            ">",
            0.1,
            published="not in the paper",
            about=f"{_TENTH}. The bound is contagion on the same contacts, with everyone telling all to all near",
        ),
        el.Claim(
            "Hardly anyone who has no memory of the party says to know of it",
            el.level(m.false_yes_about_the_party, "full", value=0.05),
            "<",
            0.01,
            published="none of those asked about the party; 6 of 453 answers (1.3 %) about people",
            about="below 4 %. Somebody says yes if any memory is near enough to the question in embedding",
            expect="inconclusive",
        ),
    ]


def _ties() -> list[el.Claim]:
    return [
        el.Claim(
            "People get to know each other by talking",
            el.contrast("density", "full", "no-talk"),
            ">",
            0.1,
            published="density of mutual knowledge from 0.167 to 0.74",
            about="a tenth of all pairs",
        ),
        el.Claim(
            "In two days three pairs of four know each other",
            el.level("density", "full", value=0.74),
            "=",
            0.1,
            published="density 0.74",
            about="a tenth of all pairs",
            expect="refuted",
        ),
    ]


def _attendance() -> list[el.Claim]:
    return [
        el.Claim(
            "About five guests come to the party",
            el.level(m.guests, "full", value=5.0),
            "=",
            2.0,
            published="5 of the 12 who were invited",
            about="two guests",
            expect="inconclusive",
        ),
        el.Claim(
            "Without planning fewer come",
            el.contrast(m.guests, "full", "no-planning"),
            ">",
            1.0,
            published="planning is what lets them meet at one place and time",
            about=f"{_GUEST}. A prototype: 5.1 against 1.5",
            expect="inconclusive",
        ),
        el.Claim(
            "They come because they know: the unaware are there less often",
            el.level(m.presence_beyond_chance, "full"),
            ">",
            0.1,
            published="not in the paper",
            about="a tenth of those who know. The café is full at that hour anyway",
            expect="inconclusive",
        ),
        el.Claim(
            "They do not go to just anything: a dull event draws fewer",
            el.level(m.guests_more_than_at_the_sale, "full"),
            ">",
            1.0,
            published="not in the paper, whose people are said to be too obliging",
            about=_GUEST,
        ),
    ]


def _interviews() -> list[el.Claim]:
    small = "two answers of a hundred"
    order = "believability in TrueSkill units: full 29.89, no reflection 26.88, nor planning 25.64, none 21.21"
    return [
        el.Claim(
            "With reflection interviews go better",
            el.contrast("accuracy_all", "full", "no-reflection", at=m.ASKED),
            ">",
            0.02,
            published=order,
            about=f"{small}. Below zero reflection would do harm",
            expect="refuted",
        ),
        el.Claim(
            "With planning they go better",
            el.contrast("accuracy_all", "no-reflection", "no-reflection-no-planning", at=m.ASKED),
            ">",
            0.02,
            published=order,
            about=small,
        ),
        el.Claim(
            "With memory of what was seen and heard they go better",
            el.contrast("accuracy_all", "no-reflection-no-planning", "none", at=m.ASKED),
            ">",
            0.02,
            published=order,
            about=small,
        ),
        el.Claim(
            "All parts together against none make a large difference",
            el.contrast("accuracy_all", "full", "none", at=m.ASKED),
            ">",
            0.1,
            published="d = 8.16",
            about="one answer of ten",
        ),
    ]


def _retrieval() -> list[el.Claim]:
    prototype = "A prototype: full 0.76, recency only 0.09, relevance only 0.49, importance only 0.86, random 0.34"
    small = "one person in fifty"
    return [
        el.Claim(
            "Importance carries the news: alone it spreads the party as far as all three",
            el.contrast(m.knowers_of_the_party, "importance-only", "full"),
            ">",
            0.05,
            published="not in the paper",
            about=f"a twentieth of the town. {prototype}",
            expect="inconclusive",
        ),
        *(
            el.Claim(
                f"{name.capitalize()} alone does not",
                el.contrast(m.knowers_of_the_party, "full", condition),
                ">",
                0.1,
                published="not in the paper",
                about=f"{_TENTH}. {prototype}",
            )
            for name, condition in (
                ("recency", "recency-only"),
                ("relevance", "relevance-only"),
                ("chance", "random-retrieval"),
            )
        ),
        el.Claim(
            "The released inversion of recency favours what was known from the start",
            el.contrast(m.knowers_of_the_party, "inverted", "rank"),
            ">",
            0.05,
            published="not in the paper; in its code the oldest memory ranks first",
            about="a twentieth of the town. A prototype: 0.83 against 0.76 by the hour",
            expect="refuted",
        ),
        el.Claim(
            "It does so for the candidacy, too",
            el.contrast(m.knowers_of_the_candidacy, "inverted", "rank"),
            ">",
            0.05,
            published="as above",
            about="a twentieth of the town",
            expect="refuted",
        ),
        el.Claim(
            "It hinders what becomes known on the second day",
            el.contrast(m.knowers_of_the_late_news, "inverted", "rank"),
            "<",
            0.02,
            published="not in the paper",
            about=f"{small}, for there is little time",
        ),
        el.Claim(
            "With the released weights the inversion favours the party as well",
            el.contrast(m.knowers_of_the_party, "released", "released-mended"),
            ">",
            0.05,
            published="not in the paper",
            about="a twentieth of the town",
            expect="inconclusive",
        ),
        el.Claim(
            "With the released weights it hinders late news as well",
            el.contrast(m.knowers_of_the_late_news, "released", "released-mended"),
            "<",
            0.02,
            published="not in the paper",
            about=small,
            expect="inconclusive",
        ),
        el.Claim(
            "Reflection does not matter for the spread",
            el.contrast(m.knowers_of_the_party, "full", "no-reflection"),
            "=",
            0.1,
            published="not in the paper",
            about=f"{_TENTH}. A prototype: 0.80 against 0.76",
            expect="inconclusive",
        ),
        el.Claim(
            "Talks that ask for news spread the party further",
            el.contrast(m.knowers_of_the_party, "curious", "full"),
            ">",
            0.05,
            published="not in the paper",
            about="a twentieth of the town",
            expect="inconclusive",
        ),
    ]


def _growth() -> list[el.Claim]:
    brought = {"full": 0.0, **{f"clutter-{extra}": float(extra) for extra in CLUTTER}}
    return [
        el.Claim(
            "Those who remember what they see and hear eat at less typical places than those who remember nothing",
            el.contrast("typical", "full", "none"),
            "<",
            0.1,
            published="with more locations learnt, people chose less typical ones; no number",
            about="a tenth of all lunches. Added after a first look at the other conditions",
        ),
        el.Claim(
            "It is memories of many places that do it: the more one brings along, the less typical the place",
            el.trend("typical", brought),
            "<",
            0.001,
            published="with more locations learnt, people chose less typical ones; no number",
            about="a tenth of all lunches per hundred memories",
            expect="refuted",
        ),
    ]


def _interventions() -> list[el.Claim]:
    return [
        el.Claim(
            "If all but the host forget the party on the second morning, fewer come",
            el.contrast(m.guests, "full", "knock-out-all"),
            ">",
            1.0,
            published="not in the paper",
            about=_GUEST,
            expect="inconclusive",
        ),
        el.Claim(
            "What five people forget, the town tells them again",
            el.contrast(m.knowers_of_the_party, "full", "knock-out-5"),
            "=",
            0.1,
            published="not in the paper",
            about=f"{_TENTH}; without being told they would be missing, a fifth of the town",
            expect="inconclusive",
        ),
        el.Claim(
            "A false memory planted in one head leads people to the wrong place",
            el.level(m.misled, "false-party"),
            ">",
            0.5,
            published="not in the paper",
            about="half a guest",
        ),
        el.Claim(
            "The silence of the one who is near most people costs more than that of the one near fewest",
            el.contrast(m.knowers_of_the_party, "mute-leaf", "mute-hub"),
            ">",
            0.05,
            published="not in the paper",
            about="a twentieth of the town",
            expect="inconclusive",
        ),
        el.Claim(
            "If the host is silent, the party remains a secret",
            el.contrast(m.knowers_of_the_party, "full", "mute-host"),
            ">",
            0.1,
            published="not in the paper",
            about=_TENTH,
        ),
        el.Claim(
            "That past talks count for nothing after midnight does not matter for the spread",
            el.contrast(m.knowers_of_the_party, "full", "reset"),
            "=",
            0.1,
            published="not in the paper",
            about=_TENTH,
            expect="inconclusive",
        ),
        el.Claim(
            "An hour in which all are at the café helps the news along",
            el.contrast(m.knowers_of_the_party, "assembly", "full"),
            ">",
            0.05,
            published="not in the paper",
            about="a twentieth of the town",
            expect="inconclusive",
        ),
    ]
