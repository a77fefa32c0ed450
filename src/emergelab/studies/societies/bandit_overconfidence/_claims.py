"""What is said of overconfident in-context agents and of steering them, as tests. Each margin says why."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

import emergelab as el

from ._measure import PLAYERS, VARIANTS
from ._system import DOSES, KINDS, TEMPERATURES

__all__ = ["ANXIOUS", "CALM", "CONDITIONS", "MIXED", "claims", "dose", "gain", "layer_gain"]

CALM, MIXED, ANXIOUS = "thompson", "half", "greedy"
"""Conditions by what most teachers are; in the last nine of ten are sure after two pulls."""
CONDITIONS = {CALM: 0.0, MIXED: 0.5, ANXIOUS: 0.9}
Measure = Callable[[xr.Dataset], xr.DataArray]

_TWENTIETH = "a twentieth of a bit: what one would see in a plot over rounds"


def dose(value: float) -> int:
    """Where a strength stands in `DOSES`."""
    return DOSES.index(value)


def _middle(d: xr.Dataset) -> int:
    return int(d.sizes["layer"]) // 2


def gain(kind: str, at: float = 1.0) -> Measure:
    """What steering along a kind of direction adds to the entropy, middle layer."""

    def of(d: xr.Dataset) -> xr.DataArray:
        h = d["h_kind"].isel(kind=KINDS.index(kind))
        return h.isel(dose=dose(at)) - h.isel(dose=dose(0.0))

    of.__name__ = f"gain_along_{kind}" + ("" if at == 1.0 else f"_at_{at:g}")
    return of


def layer_gain(d: xr.Dataset) -> xr.DataArray:
    """What EAST adds to the entropy after each layer, at strength 1."""
    return d["h_dose"].isel(dose=dose(1.0)) - d["h_dose"].isel(dose=dose(0.0))


def slope_over_doses(d: xr.Dataset) -> xr.DataArray:
    """Slope of the entropy over strengths of EAST from -1 to 1, middle layer, by least squares."""
    at = [i for i, x in enumerate(DOSES) if abs(x) <= 1]
    x = xr.DataArray(np.array([DOSES[i] for i in at]), dims="dose")
    return (d["h_kind"].isel(kind=0, dose=at) * x).sum("dose") / (x**2).sum()


def beyond_chance(d: xr.Dataset) -> xr.DataArray:
    """What EAST adds beyond a random direction of the same length."""
    return gain("east")(d) - gain("random")(d)


def beyond_twice_the_shuffled(d: xr.Dataset) -> xr.DataArray:
    """What EAST adds beyond twice what it adds with entropies dealt out anew."""
    return gain("east")(d) - 2 * gain("shuffled")(d)


def beyond_the_mean(d: xr.Dataset) -> xr.DataArray:
    """What EAST adds beyond the mean activation at the same length."""
    return gain("east")(d) - gain("mean")(d)


def raw_beyond_the_mean(d: xr.Dataset) -> xr.DataArray:
    """What the uncentred entropy-weighted mean adds beyond the plain mean, at the same length."""
    return gain("raw")(d) - gain("mean")(d)


def middle_beyond_other_layers(d: xr.Dataset) -> xr.DataArray:
    """EAST's gain after the middle block beyond the larger of those after the others."""
    gains, m = layer_gain(d), _middle(d)
    others = [i for i in range(d.sizes["layer"]) if i != m]
    return gains.isel(layer=m) - gains.isel(layer=others).max("layer")


def steering_beyond_temperature(d: xr.Dataset) -> xr.DataArray:
    """The most that EAST adds at any layer and positive strength beyond the most that a temperature up to 2 does, where
    at least 95 % of the probability falls on arms that are there."""
    up = [i for i, x in enumerate(DOSES) if x >= 0]
    steered = d["h_dose"].where(d["valid_dose"] >= 0.95).isel(dose=up).max(("layer", "dose"))
    heated = d["h_temperature"].where(d["valid_temperature"] >= 0.95).max("temperature")
    return steered - heated


def doubt_gain(at: float) -> Measure:
    """How much likelier words of doubt become."""

    def of(d: xr.Dataset) -> xr.DataArray:
        doubt = d["doubt_dose"].isel(layer=_middle(d))
        return doubt.isel(dose=dose(at)) - doubt.isel(dose=dose(0.0))

    of.__name__ = f"doubt_gained_at_{at:g}"
    return of


def transferred(variant: str) -> Measure:
    """The gain in a variant of the task beyond half of that in the task itself."""

    def of(d: xr.Dataset) -> xr.DataArray:
        gains, names = d["transfer_gain"], list(VARIANTS)
        return gains.isel(variant=names.index(variant)) - 0.5 * gains.isel(variant=0)

    of.__name__ = f"gain_with_{variant.replace(' ', '_')}_beyond_half"
    return of


def effect_on(name: str, player: str = "steered", of_player: str = "network") -> Measure:
    """A score of one player minus that of another."""

    def of(d: xr.Dataset) -> xr.DataArray:
        a, b = (d[name].isel(player=PLAYERS.index(p)) for p in (player, of_player))
        return a - b

    of.__name__ = f"{name}_{player}_minus_{of_player}"
    return of


def flatness(d: xr.Dataset) -> xr.DataArray:
    """Slope of the entropy on evidence minus that of Thompson's choice."""
    return d["slope"] - d["slope_bayes"]


def without_the_direction(d: xr.Dataset) -> xr.DataArray:
    """Entropy with EAST's direction flattened minus the usual one."""
    return d["h_ablated"] - d["h_kind"].isel(kind=0, dose=dose(0.0))


def decodable(d: xr.Dataset) -> xr.DataArray:
    """R2 of the entropy in the middle layer."""
    return d["r2"].isel(layer=_middle(d))


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study: the wiring, overconfidence, steering, behaviour."""
    return (*_wiring(), *_overconfidence(), *_steering(), *_controls(), *_behaviour())


def _wiring() -> list[el.Claim]:
    return [
        el.Claim(
            "The network has learnt to imitate",
            el.level("excess", ANXIOUS, value=0.2),
            "<",
            0.05,
            published="not in the paper",
            about="less than 0.15 nats from a perfect imitator, who is 0.4 from one who guesses",
        ),
    ]


def _overconfidence() -> list[el.Claim]:
    return [
        el.Claim(
            "The agent is surer than the evidence allows",
            el.level("gap", ANXIOUS),
            ">",
            0.1,
            published="entropy collapses after few pulls",
            about="a tenth of a bit; in bits, mean from the fourth round on. Teachers: nine of ten greedy",
        ),
        el.Claim(
            "It is as sure as its teachers made it",
            el.trend("gap", {name: share for name, share in CONDITIONS.items()}),
            ">",
            0.2,
            published="not in the paper",
            about="bits per share of greedy teachers; two tenths from none to all",
        ),
        el.Claim(
            "Taught by those who sample from their beliefs, it is not overconfident",
            el.level("gap", CALM),
            "=",
            0.1,
            published="not in the paper",
            about="the margin of the first claim",
        ),
        el.Claim(
            "Its certainty answers less to evidence than it should",
            el.level(flatness, ANXIOUS),
            ">",
            0.05,
            published="conclusions from insufficient evidence",
            about="bits per standard deviation by which one arm is ahead; Thompson's choice loses about 0.37",
        ),
    ]


def _steering() -> list[el.Claim]:
    dose_response = "entropy rises with the strength of steering"
    return [
        el.Claim(
            "How uncertain the next choice is can be read off the middle layer",
            el.level(decodable, ANXIOUS),
            ">",
            0.5,
            published="uncertainty is represented explicitly",
            about="half of the variance of entropy over new prompts, by ridge regression",
        ),
        el.Claim(
            "Steering along EAST raises the entropy of choices",
            el.level(gain("east"), ANXIOUS),
            ">",
            0.05,
            published=dose_response,
            about=_TWENTIETH,
            expect="inconclusive",
        ),
        el.Claim(
            "Steering against it lowers it",
            el.level(gain("east", -1.0), ANXIOUS),
            "<",
            0.05,
            published=dose_response,
            about=_TWENTIETH,
            expect="refuted",
        ),
        el.Claim(
            "Entropy rises with the strength, from -1 to 1",
            el.level(slope_over_doses, ANXIOUS),
            ">",
            0.05,
            published=dose_response,
            about="bits per strength; the margin of the two claims before",
            expect="inconclusive",
        ),
        el.Claim(
            "Words of doubt become likelier",
            el.level(doubt_gain(1.0), ANXIOUS),
            ">",
            0.1,
            published="thoughts express more uncertainty",
            about="a tenth of the scale",
        ),
        el.Claim(
            "Against it, words of doubt become rarer",
            el.level(doubt_gain(-1.0), ANXIOUS),
            "<",
            0.1,
            published="thoughts express more uncertainty",
            about="a tenth of the scale",
        ),
        el.Claim(
            "Without differences along the direction entropy is lower",
            el.level(without_the_direction, ANXIOUS),
            "<",
            0.05,
            published="not in the paper",
            about=_TWENTIETH,
            expect="inconclusive",
        ),
    ]


def _controls() -> list[el.Claim]:
    specific = "the entropy-weighted vector is what does it"
    out = [
        el.Claim(
            "A random direction of the same length does less",
            el.level(beyond_chance, ANXIOUS),
            ">",
            0.05,
            published=specific,
            about=_TWENTIETH,
            expect="inconclusive",
        ),
        el.Claim(
            "With entropies dealt out anew the vector does less than half",
            el.level(beyond_twice_the_shuffled, ANXIOUS),
            ">",
            0.02,
            published=specific,
            about="a fiftieth of a bit beyond exactly half",
            expect="inconclusive",
        ),
        el.Claim(
            "The mean activation, which knows no entropies, does less",
            el.level(beyond_the_mean, ANXIOUS),
            ">",
            0.05,
            published="not in the paper",
            about=_TWENTIETH,
            expect="refuted",
        ),
        el.Claim(
            "Uncentred, the entropy-weighted vector does what the mean activation does",
            el.level(raw_beyond_the_mean, ANXIOUS),
            "=",
            0.05,
            published="not in the paper",
            about=_TWENTIETH,
            expect="inconclusive",
        ),
        el.Claim(
            "It acts most after the middle block",
            el.level(middle_beyond_other_layers, ANXIOUS),
            ">",
            0.02,
            published="middle layers work best",
            about="a fiftieth of a bit beyond any other layer",
            expect="refuted",
        ),
        el.Claim(
            "At equal validity it adds more entropy than temperature",
            el.level(steering_beyond_temperature, ANXIOUS),
            ">",
            0.02,
            published="temperature hardly helps",
            about=f"temperatures {', '.join(f'{t:g}' for t in TEMPERATURES)}; a fiftieth of a bit",
            expect="inconclusive",
        ),
    ]
    for variant in list(VARIANTS)[1:]:
        out.append(
            el.Claim(
                f"The vector works in a variant of the task: {variant}",
                el.level(transferred(variant), ANXIOUS),
                ">",
                0.005,
                published="vectors generalise across variants of the task",
                about="more than half of what it does in the task itself",
                expect="inconclusive",
            )
        )
    return out


def _behaviour() -> list[el.Claim]:
    return [
        el.Claim(
            "Steered, the overconfident agent less often leaves the best arm alone for good",
            el.level(effect_on("suffix_failure"), ANXIOUS),
            "<",
            0.03,
            published="more explorative behaviour",
            about="three games in a hundred",
            expect="inconclusive",
        ),
        el.Claim(
            "Steered, the overconfident agent regrets less",
            el.level(effect_on("regret"), ANXIOUS),
            "<",
            0.1,
            published="not in the paper",
            about="a tenth of the standard deviation of one reward, over a whole game",
            expect="inconclusive",
        ),
        el.Claim(
            "Steered, the agent that was not overconfident regrets more",
            el.level(effect_on("regret"), CALM),
            ">",
            0.1,
            published="not in the paper",
            about="the same margin",
            expect="inconclusive",
        ),
        el.Claim(
            "In a short game greed does not cost: greedy teachers regret less than Thompson samplers",
            el.level(effect_on("regret", "greedy", "thompson"), CALM),
            "<",
            0.1,
            published="not in the paper",
            about="the same margin; this is why steering cannot lower regret here",
            expect="inconclusive",
        ),
    ]
