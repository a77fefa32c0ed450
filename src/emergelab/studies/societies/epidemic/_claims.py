"""What is said of such societies, as tests. Each margin says in a word why."""

from __future__ import annotations

import numpy as np

import emergelab as el

from ._against import ErrorRatio, ForecastRatio, ShrinksWithSize
from ._conditions import BASE, GROUPS, archetypes, paid
from ._measures import (
    deaths_per_thousand_from_halfway,
    infections_from_halfway,
    log10_calls,
    log10_variance_of_areas,
    log10_variety_of_behaviour,
    mean_isolation,
    mean_unemployment,
    spread_of_peaks_over_areas,
    swing_of_isolation,
    waves,
    worst_week,
)

_OURS = "not in the paper"
_TENTH = 0.1
_QUARTER = float(np.log10(1.25))


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study: those of the paper first."""
    return (*_waves(), *_archetypes(), *_local(), *_sampling(), *_payment(), *_news(), *_future(), *_size(), *_wiring())


def _waves() -> list[el.Claim]:
    return [
        el.Claim(
            f"Behaviour that follows the news makes several waves where fixed behaviour makes one ({name})",
            el.contrast(waves, name, "fixed"),
            ">",
            0.5,
            published="adaptive agents reproduce the waves of New York, fixed ones do not",
            about="half a wave: one more in at least every second city",
            expect="inconclusive" if name == "heuristic" else "supported",
        )
        for name in (BASE, "heuristic", archetypes(9))
    ]


def _archetypes() -> list[el.Claim]:
    few, many = archetypes(1), archetypes(432)
    tenth = "a quarter, in logarithms: error 1.26 times as large"
    return [
        el.Claim(
            "With more archetypes the error falls (432 against 1)",
            ErrorRatio(many, few),
            "<",
            _TENTH,
            published="archetypes keep most of the macro behaviour",
            about=tenth,
            expect="refuted",
        ),
        el.Claim(
            "Archetypes suffice: asking 432 groups is as good as asking everybody",
            ErrorRatio(many, BASE),
            "=",
            _QUARTER,
            published="archetypes keep most of the macro behaviour at a small part of the calls",
            about="within a quarter of what the city differs from itself by with other random numbers, in logarithms",
            expect="inconclusive",
        ),
        el.Claim(
            "Nine archetypes suffice",
            ErrorRatio(archetypes(9), BASE),
            "=",
            _QUARTER,
            published="archetypes keep most of the macro behaviour at a small part of the calls",
            about="within a quarter of what the city differs from itself by with other random numbers, in logarithms",
            expect="inconclusive",
        ),
        el.Claim(
            "A bit of private history in the portrait makes the error smaller (864 against 432)",
            ErrorRatio(archetypes(864), many),
            "<",
            _TENTH,
            published=_OURS,
            about=f"{tenth}. Added after a first look at two cities",
            expect="inconclusive",
        ),
        el.Claim(
            "Archetypes err less than a rule of thumb",
            ErrorRatio(archetypes(9), "heuristic"),
            "<",
            _TENTH,
            published="errors of infections and of unemployment are smaller with archetypes than with heuristics",
            about=tenth,
        ),
        el.Claim(
            "Archetypes err less than fixed behaviour",
            ErrorRatio(archetypes(9), "fixed"),
            "<",
            _TENTH,
            published="adaptive behaviour is what the waves need",
            about=tenth,
        ),
        el.Claim(
            "Fitted to twelve weeks, archetypes foresee the next eight better than fixed behaviour",
            ForecastRatio(archetypes(27), "fixed"),
            "<",
            _TENTH,
            published="archetypes beat fixed behaviour and forecasts from data alone",
            about=tenth,
        ),
        el.Claim(
            "Fitted to twelve weeks, archetypes foresee the next eight better than persistence",
            ForecastRatio(archetypes(27), "persistence"),
            "<",
            _TENTH,
            published="archetypes beat fixed behaviour and forecasts from data alone",
            about=tenth,
        ),
        el.Claim(
            "Fitted to twelve weeks, archetypes foresee the next eight better than an autoregression",
            ForecastRatio(archetypes(27), "autoregression"),
            "<",
            _TENTH,
            published="archetypes beat fixed behaviour and forecasts from data alone",
            about=tenth,
            expect="inconclusive",
        ),
    ]


def _local() -> list[el.Claim]:
    tenth = "a quarter, in logarithms of a variance"
    return [
        el.Claim(
            "Archetypes erase differences between people, however many are told apart by age, income and area",
            el.contrast(log10_variety_of_behaviour, archetypes(432), BASE),
            "<",
            _TENTH,
            published=_OURS,
            about=tenth,
        ),
        el.Claim(
            "A bit of private history in the portrait brings some of these differences back",
            el.contrast(log10_variety_of_behaviour, archetypes(864), archetypes(432)),
            ">",
            _TENTH,
            published=_OURS,
            about=tenth,
            expect="inconclusive",
        ),
        el.Claim(
            "Archetypes that know no areas let areas drift apart",
            el.contrast(log10_variance_of_areas, archetypes(27), BASE),
            ">",
            0.05,
            published=_OURS,
            about="a tenth, in logarithms of a variance",
            expect="inconclusive",
        ),
        el.Claim(
            "Archetypes that know areas but no history leave the times of local peaks as they are",
            el.contrast(spread_of_peaks_over_areas, archetypes(432), BASE),
            "=",
            0.5,
            published=_OURS,
            about="half a week",
            expect="inconclusive",
        ),
        el.Claim(
            "Without memory of illness seen, the worst week is worse",
            el.contrast(worst_week, "no-memory", BASE),
            ">",
            0.2,
            published=_OURS,
            about="two more infections per 1,000 people and week",
            expect="inconclusive",
        ),
        el.Claim(
            "More people fall ill where groups decide that are told apart by age, income and area",
            el.contrast("attack", archetypes(432), BASE),
            ">",
            0.02,
            published=_OURS,
            about="one person in fifty. Added after the run on record had been seen, as the next one",
        ),
        el.Claim(
            "With a bit of private history in the portrait as many fall ill as where everybody decides",
            el.contrast("attack", archetypes(864), BASE),
            "=",
            0.02,
            published=_OURS,
            about="one person in fifty",
            expect="inconclusive",
        ),
    ]


def _sampling() -> list[el.Claim]:
    group = archetypes(9)
    return [
        el.Claim(
            f"If a group acts {how}, isolation swings more than if each member draws",
            el.contrast(swing_of_isolation, f"{group}-{name}", group),
            ">",
            0.05,
            published="each agent samples from the distribution of its archetype",
            about="a twentieth of all people",
            expect="inconclusive" if name == "majority" else "refuted",
        )
        for name, how in (("majority", "as its majority would"), ("one", "by one common draw"))
    ]


def _payment() -> list[el.Claim]:
    said = "payments change isolation and work (counterfactual of the paper)"
    out = []
    for name, who in ((BASE, "individuals"), (archetypes(27), "archetypes")):
        out += [
            el.Claim(
                f"Paying those who stay at home hardly changes how many do, since cases fall in turn ({who})",
                el.contrast(mean_isolation, paid(name), name),
                "=",
                0.05,
                published=said,
                about="one person in twenty. Reworded after a first run, in which it had been expected to rise by 0.02",
                expect="inconclusive",
            ),
            el.Claim(
                f"It raises unemployment ({who})",
                el.contrast(mean_unemployment, paid(name), name),
                ">",
                0.02,
                published=said,
                about="one person in fifty",
                expect="inconclusive",
            ),
            el.Claim(
                f"It makes the worst week milder ({who})",
                el.contrast(worst_week, paid(name), name),
                "<",
                0.2,
                published=said,
                about="two fewer infections per 1,000 people and week",
                expect="refuted" if name == BASE else "inconclusive",
            ),
        ]
    rule = "a rule that does not look at payments: by construction"
    return [
        *out,
        el.Claim(
            "At the level of a rule of thumb payments change no isolation",
            el.contrast(mean_isolation, paid("heuristic"), "heuristic"),
            "=",
            0.01,
            published=_OURS,
            about=f"one person in a hundred; {rule}",
        ),
        el.Claim(
            "At the level of fixed behaviour payments change nothing",
            el.contrast(mean_isolation, paid("fixed"), "fixed"),
            "=",
            0.01,
            published=_OURS,
            about=f"one person in a hundred; {rule}",
        ),
    ]


def _news() -> list[el.Claim]:
    return [
        el.Claim(
            "Without news the worst week is worse",
            el.contrast(worst_week, "blind", BASE),
            ">",
            0.5,
            published=_OURS,
            about="five more infections per 1,000 people and week",
        ),
        el.Claim(
            "News that are two weeks old, not one, make isolation swing more",
            el.contrast(swing_of_isolation, "late-news", BASE),
            ">",
            0.02,
            published=_OURS,
            about="one person in fifty; delayed feedback oscillates",
        ),
        el.Claim(
            "Fresh news make it swing less",
            el.contrast(swing_of_isolation, "fresh-news", BASE),
            "<",
            0.05,
            published=_OURS,
            about="one person in twenty",
        ),
        el.Claim(
            "It takes feedback, not just reaction: with the news of another city there are fewer waves",
            el.contrast(waves, "foreign-news", BASE),
            "<",
            0.5,
            published=_OURS,
            about="half a wave",
        ),
    ]


def _future() -> list[el.Claim]:
    pair = ("vaccinate-old", "vaccinate-workers")
    return [
        el.Claim(
            "With equal doses, vaccinating the old first prevents more deaths",
            el.contrast(deaths_per_thousand_from_halfway, *pair),
            "<",
            0.1,
            published="prospective questions are posed, none of this kind",
            about="one death in 10,000 people",
        ),
        el.Claim(
            "With equal doses, vaccinating those who work first prevents more infections",
            el.contrast(infections_from_halfway, *pair),
            ">",
            0.5,
            published="prospective questions are posed, none of this kind",
            about="five infections per 1,000 people",
            expect="inconclusive",
        ),
        el.Claim(
            "If people stop listening halfway, more fall ill after it",
            el.contrast(infections_from_halfway, "switched", BASE),
            ">",
            0.5,
            published=_OURS,
            about="five infections per 1,000 people",
        ),
    ]


def _size() -> list[el.Claim]:
    return [
        el.Claim(
            "The scatter between cities falls with the square root of the number of people",
            ShrinksWithSize(8),
            "=",
            0.25,
            published=_OURS,
            about="halfway to either no fall or a fall with the number; cities without differences between areas",
            expect="inconclusive",
        )
    ]


def _wiring() -> list[el.Claim]:
    return [
        el.Claim(
            "Asking nine archetypes takes a thousandth of the answers",
            el.contrast(log10_calls, BASE, GROUPS[1]),
            ">",
            3.0,
            published="about 400 queries for 8.4 million agents",
            about="by construction; three orders of magnitude at 16,384 people, six at 8.4 million",
        )
    ]
