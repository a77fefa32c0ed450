"""What the paper states about unlearning before learning, as tests over seeds."""

from __future__ import annotations

import xarray as xr

import emergelab as el

__all__ = ["CLAIMS", "step_share"]

HALF = "half a point of a hundred; the paper's gains are one to two points (recalled)"


def step_share(d: xr.Dataset) -> xr.DataArray:
    """Length of an unlearning step over that of an update."""
    return d.step / d["update"]


def _gain(text: str, condition: str, published: str, what: str = "average", **more: str) -> el.Claim:
    """That a condition is better than the memory alone, seed by seed."""
    return el.Claim(text, el.contrast(what, condition, "base"), ">", 0.005, published=published, about=HALF, **more)


REFRESH = "refresh improves methods throughout, DER++ among them (Wang et al. 2024)"

CLAIMS = (
    el.Claim(
        "A memory keeps what a network without one loses",
        el.contrast("average", "base", "naive"),
        ">",
        0.3,
        published="DER++ far above fine-tuning",
        about="wiring; accuracy over ten digits, a fifth of which is the last phase alone",
    ),
    el.Claim(
        "Remembered logits add to remembered labels",
        el.contrast("average", "base", "labels"),
        ">",
        0.02,
        published="DER++ above experience replay (Buzzega et al. 2020)",
        about="two points of a hundred",
    ),
    _gain("Refresh as released helps", "refresh-1e-5", REFRESH, expect="refuted"),
    _gain("Ten times the step helps", "refresh-1e-4", REFRESH, expect="refuted"),
    _gain("A hundred times the step helps", "refresh-1e-3", REFRESH, expect="refuted"),
    el.Claim(
        "A step of a hundredth of all weights harms",
        el.contrast("average", "refresh-1e-2", "base"),
        "<",
        0.005,
        published="not tried there",
        about=HALF,
    ),
    _gain("With the task told refresh helps, too", "refresh-1e-3", REFRESH, what="told", expect="refuted"),
    el.Claim(
        "As released the step is next to nothing: less than a hundredth of an update",
        el.level(step_share, "refresh-1e-5", value=0.01),
        "<",
        0.001,
        published="not told",
        about="share of lengths; a tenth of the limit",
    ),
    _gain("The equation of the paper helps, without its noise, at size 0.001", "paper-1e-3", REFRESH, expect="refuted"),
    _gain("The same at size 0.01", "paper-1e-2", REFRESH, expect="refuted"),
    _gain("With its noise it helps, at size 1e-7", "paper-noise-7", REFRESH, expect="inconclusive"),
    _gain("With its noise it helps, at size 1e-6", "paper-noise-6", REFRESH, expect="inconclusive"),
    _gain("With its noise it helps, at size 1e-5", "paper-noise-5", REFRESH),
    el.Claim(
        "and what helps there is going up the slope: the noise without it does less",
        el.contrast("average", "paper-noise-5", "noise-5"),
        ">",
        0.005,
        published="the explanation offered",
        about=f"{HALF}; added after the former had been seen",
        expect="refuted",
    ),
    el.Claim(
        "As much noise and a step down the slope does as well",
        el.contrast("average", "noise-down-5", "paper-noise-5"),
        "=",
        0.01,
        published="not tried there",
        about="one point of a hundred; added after the former had been seen",
    ),
    el.Claim(
        "It is unlearning that matters: as long a step anywhere does less",
        el.contrast("average", "refresh-1e-3", "random-1e-3"),
        ">",
        0.005,
        published="the explanation offered",
        about=HALF,
        expect="refuted",
    ),
    el.Claim(
        "and so does as long a step that learns",
        el.contrast("average", "refresh-1e-3", "descent-1e-3"),
        ">",
        0.005,
        published="the explanation offered",
        about=HALF,
        expect="inconclusive",
    ),
    _gain("Unlearning what is remembered helps instead", "memory-1e-3", "not tried there", expect="refuted"),
    el.Claim(
        "Fisher information in the step matters",
        el.contrast("average", "weighted-1e-3", "unweighted-1e-3"),
        ">",
        0.005,
        published="important weights are to be spared",
        about=HALF,
        expect="refuted",
    ),
    el.Claim(
        "The weight decay that the release adds explains nothing by itself",
        el.contrast("average", "decay", "base"),
        "=",
        0.01,
        published="the released run has 1e-4, its base had none",
        about="one point of a hundred",
    ),
    _gain(
        "The released run, decay and refresh, is better than the base without either",
        "decay-refresh",
        REFRESH,
        expect="refuted",
    ),
)
