"""Two kinds of claims: that the wiring works, and that the phenomenon shows. Margins are those of `donor-game`."""

from __future__ import annotations

import xarray as xr

import emergelab as el

from ._conditions import QUICK, by_model, by_rule

_TENTH = "a tenth of the scale: what one could see by eye"


def _at_quick(condition: str, verdict: str) -> str:
    """The verdict on record, which is that of the size `quick`."""
    return verdict if condition in QUICK else "untested"


def growth(d: xr.Dataset) -> xr.DataArray:
    """Giving of the last generation minus that of the first."""
    end = d.isel(time=-1)
    return end["giving"] - end["g1"]


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_wiring(), *_responses(), *_phenomenon())


def _wiring() -> list[el.Claim]:
    out = [
        el.Claim(
            f"Answers are decisions: hardly any had to be replaced ({wording})",
            el.level("fallback_rate", name, value=0.05),
            "<",
            0.0001,
            published="the authors' code gives 0 after ten failures, without counting them",
            about="above 5 % nothing should be concluded",
            expect=_at_quick(name, "supported"),
        )
        for wording, name in by_model().items()
    ]
    return [
        *out,
        el.Claim(
            "Where everybody gives everything, everything is given",
            el.level("giving", by_rule("all-C"), value=1.0),
            "=",
            1e-6,
            published="a check of the plumbing",
            about="exact, but for rounding",
        ),
        el.Claim(
            "Those who copy gossip are seen to copy it",
            el.level("slope", by_rule("copy-gossip"), at="mean", value=1.0),
            "=",
            0.001,
            published="a check of the plumbing",
            about="exact, but for rounding: what donors read is what was given",
        ),
    ]


def _responses() -> list[el.Claim]:
    return [
        el.Claim(
            f"The model gives more to those who gave more ({wording})",
            el.level("slope", name, at="mean"),
            ">",
            0.1,
            published="Claude 3.5 Sonnet does",
            about="a tenth of what perfect reciprocity would show",
            expect=_at_quick(name, "inconclusive"),
        )
        for wording, name in by_model().items()
    ]


def _phenomenon() -> list[el.Claim]:
    out = [
        el.Claim(
            f"Giving grows over the generations ({wording})",
            el.contrast(growth, name, by_rule("random")),
            ">",
            0.1,
            published="with Claude 3.5 Sonnet; GPT-4o declines, Gemini 1.5 Flash rises slightly",
            about=f"{_TENTH}. Above what happens where agents decide at random",
            expect=_at_quick(name, "refuted"),
        )
        for wording, name in by_model().items()
    ]
    plain, _, harvest = by_model().values()
    return [
        *out,
        el.Claim(
            "The story does not matter: farmers give what players give",
            el.contrast("giving", plain, harvest, at="mean"),
            "=",
            0.1,
            published="not in the paper",
            about=f"{_TENTH}. The same numbers in another story, which no text about the Donor Game tells",
            expect=_at_quick(harvest, "inconclusive"),
        ),
        el.Claim(
            "Numeric strategies of the kind do better than the model",
            el.contrast("giving", by_rule("theta"), plain),
            ">",
            0.1,
            published="not in the paper",
            about=_TENTH,
        ),
    ]
