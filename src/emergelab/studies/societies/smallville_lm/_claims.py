"""Two kinds of claims: that the wiring works, and that the phenomenon shows."""

from __future__ import annotations

import xarray as xr

import emergelab as el

from ._conditions import RANDOM_RETRIEVAL, by_model

_TENTH = "a tenth of the town: half a person of five"


def drawn_by_knowledge(d: xr.Dataset) -> xr.DataArray:
    """Share of the aware at the party minus share of the unaware there."""
    return (d["came_aware"] - d["came_unaware"]).isel(time=-1)


def _at_quick(name: str, verdict: str) -> str:
    """The verdict on record: size quick has the model in one wording."""
    return verdict if name == "model-plain" else "untested"


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_wiring(), *_rules(), *_phenomenon())


def _wiring() -> list[el.Claim]:
    plumbing = "a check of the plumbing"
    out = [
        el.Claim(
            f"Answers are decisions: hardly any had to be replaced ({wording})",
            el.level("fallback_rate", name, value=0.05),
            "<",
            0.0001,
            published=plumbing,
            about="above 5 % nothing should be concluded",
            expect=_at_quick(name, "supported"),
        )
        for wording, name in by_model().items()
    ]
    return [
        *out,
        el.Claim(
            "Where nobody has anything to say, the party remains with its host",
            el.level("aware_party", "constant", value=0.2),
            "=",
            1e-6,
            published=plumbing,
            about="exact, but for rounding: one of five",
        ),
        el.Claim(
            "Nobody states by rule what is not in memory",
            el.level("invented", "rules"),
            "=",
            1e-6,
            published=plumbing,
            about="exact. What rules say is what came to mind",
        ),
        el.Claim(
            "Where all tell all that they know, news of the party spreads",
            el.contrast("aware_party", "oracle", "rules-no-talk"),
            ">",
            0.1,
            published=plumbing,
            about=f"{_TENTH}. The most that this town can do in a day",
        ),
    ]


def _rules() -> list[el.Claim]:
    return [
        el.Claim(
            "By the rules of the language-free town the news spreads, too",
            el.contrast("aware_party", "rules", "rules-no-talk"),
            ">",
            0.1,
            published="from 1 of 25 to 13 in two days",
            about=_TENTH,
            expect="inconclusive",
        ),
        el.Claim(
            "It spreads less if any memory may come to mind",
            el.contrast("aware_party", "rules", "rules-random-retrieval"),
            ">",
            0.1,
            published="not in the paper",
            about=_TENTH,
            expect="inconclusive",
        ),
        el.Claim(
            "If the host is silent it does not spread",
            el.contrast("aware_party", "rules", "rules-mute-host"),
            ">",
            0.1,
            published="not in the paper",
            about=_TENTH,
            expect="inconclusive",
        ),
    ]


def _phenomenon() -> list[el.Claim]:
    out: list[el.Claim] = []
    for wording, name in by_model().items():
        out += [
            el.Claim(
                f"News of the party spreads in a model's words ({wording})",
                el.contrast("aware_party", name, "rules-no-talk"),
                ">",
                0.1,
                published="from 1 of 25 to 13 with GPT-3.5",
                about=f"{_TENTH}. Verified in memory, facts found by rule",
                expect=_at_quick(name, "inconclusive"),
            ),
            el.Claim(
                f"Those who know of the party are drawn to it ({wording})",
                el.level(drawn_by_knowledge, name),
                ">",
                0.1,
                published="5 of the 12 who were invited came",
                about="a tenth, against those who do not know and are there anyway",
                expect=_at_quick(name, "inconclusive"),
            ),
        ]
    plain = by_model()["plain"]
    return [
        *out,
        el.Claim(
            "What comes to mind matters: with random retrieval a model spreads the news less",
            el.contrast("aware_party", plain, RANDOM_RETRIEVAL),
            ">",
            0.1,
            published="not in the paper",
            about=_TENTH,
            expect="inconclusive",
        ),
        el.Claim(
            "Hardly anyone who does not know of the party says so",
            el.level("yes_unaware", plain, value=0.1),
            "<",
            0.05,
            published="6 of 453 answers (1.3 %) were made up",
            about="below 5 %",
            expect="refuted",
        ),
        el.Claim(
            "A model spreads the news as far as the rules do",
            el.contrast("aware_party", plain, "rules"),
            "=",
            0.1,
            published="not in the paper",
            about=_TENTH,
            expect="inconclusive",
        ),
    ]
