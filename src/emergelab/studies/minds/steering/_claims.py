"""Two kinds of claims: that the instrument works on a script whose truth is known, and what holds of the model."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

import emergelab as el

from ._system import name_of

__all__ = ["MODEL", "SCRIPT", "claims", "gained"]

MODEL, SCRIPT = "model", "softmax"
Measure = Callable[[xr.Dataset], xr.DataArray]
_TWENTIETH = "a twentieth of a bit, of the one bit that two arms have"


def gained(name: str) -> Measure:
    """Entropy under a steering minus that without."""

    def of(d: xr.Dataset) -> xr.DataArray:
        return d[name] - d["h_base"]

    of.__name__ = f"{name.removeprefix('h_')}_minus_base"
    return of


_EAST = gained(name_of("middle", 1.0))


def slope_over_doses(d: xr.Dataset) -> xr.DataArray:
    """Slope of the entropy over strengths from -2 to 2 of EAST, middle layer, by least squares."""
    doses = (-2.0, -1.0, 1.0, 2.0)
    return sum((x * d[name_of("middle", x)] for x in doses), 0.0 * d["h_base"]) / sum(x**2 for x in doses)


def beyond(kind: str, times: float = 1.0) -> Measure:
    """What EAST adds beyond so many times what another direction of the same length does."""

    def of(d: xr.Dataset) -> xr.DataArray:
        return _EAST(d) - times * (d[f"h_{kind}"] - d["h_base"])

    of.__name__ = f"east_beyond_{kind}" if times == 1 else f"east_beyond_{times:g}_times_{kind}"
    return of


def transferred(d: xr.Dataset) -> xr.DataArray:
    """What the vector adds in the other wording beyond half of what it adds in its own."""
    return d["h_other_east"] - d["h_other_base"] - 0.5 * _EAST(d)


def difference(a: str, b: str) -> Measure:
    """One observable minus another."""

    def of(d: xr.Dataset) -> xr.DataArray:
        return d[a] - d[b]

    of.__name__ = f"{a}_minus_{b}"
    return of


def middle_beyond_other_layers(d: xr.Dataset) -> xr.DataArray:
    """EAST's gain after the middle layer beyond the larger of those after the early and the late one."""
    early, late = (gained(name_of(layer, 1.0))(d) for layer in ("early", "late"))
    return _EAST(d) - xr.where(early > late, early, late)


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_wiring(), *_certainty(), *_steering())


def _wiring() -> list[el.Claim]:
    check = "a check of the instrument"
    return [
        el.Claim(
            "A Thompson sampler is measured to be neither over- nor underconfident",
            el.level("gap", "thompson", at="mean"),
            "=",
            1e-4,
            published=check,
            about="exact, but for rounding",
        ),
        el.Claim(
            "A greedy player is measured to be overconfident",
            el.level("gap", "greedy", at="mean"),
            ">",
            0.3,
            published=check,
            about="its entropy is 0 but for ties; two arms leave about 0.75 bits open",
        ),
        el.Claim(
            "A planted direction of certainty is found: entropy rises with the strength",
            el.level(slope_over_doses, SCRIPT),
            ">",
            0.05,
            published=check,
            about="bits per strength; the margin of the claim on the model",
        ),
        el.Claim(
            "It is told from chance: a random direction of the same length does less than half",
            el.level(beyond("random", 2.0), SCRIPT),
            ">",
            0.05,
            published=check,
            about=_TWENTIETH,
        ),
        el.Claim(
            "Where nothing that is added arrives, nothing changes",
            el.level(gained(name_of("early", 1.0)), SCRIPT),
            "=",
            1e-6,
            published=check,
            about="exact",
        ),
    ]


def _certainty() -> list[el.Claim]:
    return [
        el.Claim(
            "The model is surer than the evidence allows",
            el.level("gap", MODEL, at="mean"),
            ">",
            0.05,
            published="entropy of actions collapses after few pulls (Mixtral 8x7B, DBRX)",
            about=f"{_TWENTIETH}. With order and letter averaged out a small model may have no opinion at all",
            expect="refuted",
        ),
        el.Claim(
            "Its certainty answers to evidence",
            el.level("slope", MODEL),
            "<",
            0.05,
            published="too much so",
            about="bits per standard deviation by which one arm is ahead; Thompson's choice loses about 0.4",
            expect="refuted",
        ),
        el.Claim(
            "It names an option",
            el.level("mass_base", MODEL, value=0.5),
            ">",
            0.1,
            published="not in the paper",
            about="with more than six tenths of the probability: below that, what it would choose says little",
            expect="refuted",
        ),
    ]


def _steering() -> list[el.Claim]:
    published = "entropy rises with the strength of steering; it does not with temperature"
    return [
        el.Claim(
            "Entropy rises with the strength of EAST",
            el.level(slope_over_doses, MODEL),
            ">",
            0.05,
            published=published,
            about="bits per strength, from -2 to 2",
            expect="refuted",
        ),
        el.Claim(
            "A random direction of the same length does less",
            el.level(beyond("random"), MODEL),
            ">",
            0.02,
            published=published,
            about="a fiftieth of a bit",
            expect="refuted",
        ),
        el.Claim(
            "With entropies dealt out anew the vector does less",
            el.level(beyond("shuffled"), MODEL),
            ">",
            0.02,
            published=published,
            about="a fiftieth of a bit",
            expect="refuted",
        ),
        el.Claim(
            "The mean activation, which knows no entropies, does less",
            el.level(beyond("mean"), MODEL),
            ">",
            0.02,
            published="not in the paper",
            about="a fiftieth of a bit",
            expect="refuted",
        ),
        el.Claim(
            "A temperature of 2 does less",
            el.level(difference(name_of("middle", 1.0), "h_hot"), MODEL),
            ">",
            0.02,
            published="temperature hardly helps",
            about="a fiftieth of a bit. Of the choice between two letters, where temperature acts directly",
            expect="refuted",
        ),
        el.Claim(
            "It acts most after the middle layer",
            el.level(middle_beyond_other_layers, MODEL),
            ">",
            0.02,
            published="middle layers work best",
            about="a fiftieth of a bit beyond the layers at a quarter and at three quarters",
            expect="refuted",
        ),
        el.Claim(
            "The arm that is behind is tried more often",
            el.level(difference("explore_east", "explore_base"), MODEL),
            ">",
            0.02,
            published="more explorative behaviour",
            about="two pulls in a hundred",
            expect="refuted",
        ),
        el.Claim(
            "It calls itself unsure more often",
            el.level(difference("doubt_east", "doubt_base"), MODEL),
            ">",
            0.02,
            published="thoughts express more uncertainty",
            about="two answers in a hundred, to a question with two options",
            expect="refuted",
        ),
        el.Claim(
            "The vector works in another wording",
            el.level(transferred, MODEL),
            ">",
            0.01,
            published="vectors generalise across variants of the task",
            about="more than half of what it does in its own wording, by a hundredth of a bit",
            expect="refuted",
        ),
        el.Claim(
            "It still names an option",
            el.level(difference("mass_east", "mass_base"), MODEL),
            "=",
            0.1,
            published="not in the paper",
            about="a tenth of the probability: more, and entropies are those of another question",
        ),
        el.Claim(
            "It reads on as before",
            el.level("damage", MODEL, value=0.1),
            "<",
            0.01,
            published="not in the paper",
            about="less than 0.09 nats between next words of a neutral text with and without the vector",
        ),
    ]
