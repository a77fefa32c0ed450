"""What the measures that look ahead find in simulated minds: what is there, and nothing where nothing is.

No claim of the paper is tested here; its measures are. Margins were fixed before a run at the size `quick` was seen,
but after pilots.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import xarray as xr

import emergelab as el

from ._conditions import RATES

_GOOD, _NOISY, _BOUNDED, _COIN = "rational", "rational-noisy", "bounded", "indifferent"
_PLUMBING = "a check of the instrument"


def instrumental_gain(d: xr.Dataset) -> xr.DataArray:
    """How much nearer a scale is to a value function of the process than of one whose ends have changed places."""
    return d["instrumental_null"] - d["instrumental"]


def beyond_luce(d: xr.Dataset) -> xr.DataArray:
    """How much more often the best is taken than choices between two foretell."""
    return d["maximised"] - d["maximised_luce"]


def hyperbolic_gain(d: xr.Dataset) -> xr.DataArray:
    """How much nearer discount factors are to a hyperbola than to an exponential, on the scale of the factors."""
    return d["error_exponential"] - d["error_hyperbolic"]


def rate_found(curve: str, planted: float) -> Callable[[xr.Dataset], xr.DataArray]:
    """The rate that is found, as the logarithm of its ratio to the planted one."""

    def log_of_rate(d: xr.Dataset) -> xr.DataArray:
        return np.log(d[f"rate_{curve}"]) - math.log(planted)

    log_of_rate.__name__ = f"log_ratio_of_{curve}_rate_to_{planted:g}"
    return log_of_rate


def claims_on_minds() -> list[el.Claim]:
    """All claims on simulated minds."""
    return [*_instrumental(), *_free_choice(), *_discounting()]


def _instrumental() -> list[el.Claim]:
    about = "a fifth of a standard deviation of the scale: what six processes leave to chance"
    return [
        el.Claim(
            "A mind that looks ahead is seen to: its scale is a value function of the process it is in",
            el.level(instrumental_gain, _GOOD),
            ">",
            0.1,
            published="the loss falls with scale; natural processes against unnatural ones",
            about="a tenth of a standard deviation of the scale for each state, nearer to the natural process",
        ),
        el.Claim(
            "A mind that values states for themselves is not taken for one that looks ahead",
            el.level(instrumental_gain, _BOUNDED),
            "=",
            0.2,
            published="not in the paper",
            about=about,
        ),
        el.Claim(
            "Nor is an indifferent one",
            el.level(instrumental_gain, _COIN),
            "=",
            0.2,
            published="not in the paper",
            about=about,
        ),
        el.Claim(
            "What states that lead elsewhere are worth is found by the scale as by value iteration",
            el.level("foreseen", _GOOD, value=0.8),
            ">",
            0.05,
            published=_PLUMBING,
            about="correlation above 0.85",
        ),
        el.Claim(
            "The loss itself does not tell foresight from steady judgement: noise alone raises it",
            el.contrast("instrumental", _NOISY, _GOOD),
            ">",
            0.02,
            published="read as foresight where it falls with scale",
            about="half as much again as it is without noise; so it should be read beside that of unnatural processes",
        ),
    ]


def _free_choice() -> list[el.Claim]:
    return [
        el.Claim(
            "Who takes the best of many is seen to",
            el.contrast("maximised", _GOOD, _COIN),
            ">",
            0.2,
            published=_PLUMBING,
            about="in one of five choices more than by chance, which is one of 36",
        ),
        el.Claim(
            "Who takes what is good enough takes the best less often",
            el.contrast("maximised", _GOOD, _BOUNDED),
            ">",
            0.1,
            published="not in the paper",
            about="one of ten choices",
        ),
        el.Claim(
            "Noise alone makes a maximiser miss the best in more than four of ten choices",
            el.level("maximised", _NOISY, value=0.6),
            "<",
            0.05,
            published="0.37 in Llama-3.1-8B, above 0.6 in the largest models (recalled)",
            about="five points below the published rate of large models",
        ),
        el.Claim(
            "The best of many is taken more often than choices between two foretell by Luce's rule",
            el.level(beyond_luce, _GOOD),
            ">",
            0.02,
            published="not in the paper, which has no expectation for the rate",
            about="two of a hundred choices. Noise has thinner tails here than the rule supposes; what it foretells is "
            "cautious",
        ),
        el.Claim(
            "What is good enough is told from noise by where it stood in the list",
            el.contrast("chosen_place", _BOUNDED, _NOISY),
            "<",
            0.1,
            published="not in the paper",
            about="a tenth of the list",
        ),
    ]


def _discounting() -> list[el.Claim]:
    fifth = "a fifth of the rate"
    return [
        el.Claim(
            "A planted rate of discounting is found again: exponential",
            el.level(rate_found("exponential", RATES[_GOOD]), _GOOD),
            "=",
            0.2,
            published=_PLUMBING,
            about=fifth,
        ),
        el.Claim(
            "A planted rate of discounting is found again: hyperbolic",
            el.level(rate_found("hyperbolic", RATES[_BOUNDED]), _BOUNDED),
            "=",
            0.2,
            published=_PLUMBING,
            about=fifth,
        ),
        el.Claim(
            "Who discounts exponentially is nearer to an exponential",
            el.level(hyperbolic_gain, _GOOD),
            "<",
            0.01,
            published=_PLUMBING,
            about="one of a hundred parts of the value",
        ),
        el.Claim(
            "Who discounts hyperbolically is nearer to a hyperbola",
            el.level(hyperbolic_gain, _BOUNDED),
            ">",
            0.01,
            published="larger models follow hyperbolic curves more closely than exponential ones",
            about="as above",
        ),
        el.Claim(
            "Noise alone makes exponential discounting look hyperbolic",
            el.level(hyperbolic_gain, _NOISY),
            ">",
            0.01,
            published="not in the paper",
            about="a trap: noise flattens the curve",
        ),
        el.Claim(
            "Indifference passes for hyperbolic discounting",
            el.level(hyperbolic_gain, _COIN),
            ">",
            0.01,
            published="not in the paper",
            about="a trap: whoever takes the later amount half of the time, whatever it is, has a flat curve, and a "
            "hyperbola is the flatter of the two",
        ),
        el.Claim(
            "It is told by amounts that make no difference",
            el.level("more", _COIN),
            "=",
            0.1,
            published="not in the paper",
            about="one of ten answers",
        ),
    ]
