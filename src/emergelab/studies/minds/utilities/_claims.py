"""What is said of utilities in networks, as tests.

Margins were fixed before a run at the size `quick` was seen, but after pilots of two seeds.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

import emergelab as el

from ._claims_minds import claims_on_minds
from ._conditions import BASE, SHARES, TURN_AT, by_width

_TENTH = "a tenth of the scale: what one could see by eye"
_DOUBLINGS = {name: float(np.log2(w)) for name, w in by_width().items()}
_HALVINGS = {name: float(np.log2(share)) for name, share in SHARES.items()}


def gain(d: xr.Dataset) -> xr.DataArray:
    """Own choices told by a scale, above the same choices dealt out to other pairs."""
    return d["holdout"] - d["holdout_null"]


def rise(name: str) -> object:
    """What training adds to an observable, as a function for claims."""

    def grown(d: xr.Dataset) -> xr.DataArray:
        return d[name] - d[name].isel(time=0)

    grown.__name__ = f"growth_of_{name}"
    return grown


def excess_cycles(d: xr.Dataset) -> xr.DataArray:
    """Cycles beyond those in the population's own choices."""
    return d["cycles"] - d["cycles_best"]


def probe_of_items(d: xr.Dataset) -> xr.DataArray:
    """Utility as read from the embedding of an item."""
    return d["probe"].isel(place=0)


def probe_of_pairs(d: xr.Dataset) -> xr.DataArray:
    """Difference of utilities as read from the last place before the answer."""
    return d["probe_pair"].isel(place=-1)


def push_beyond_chance(d: xr.Dataset) -> xr.DataArray:
    """Log-odds gained along the utility axis, beyond what a random one gains or loses."""
    return d["push"] - np.abs(d["push_random"])


def change_of_the_rest(d: xr.Dataset) -> xr.DataArray:
    """How the scale of the other items changes after a few are turned round."""
    return d["agreement_rest"] - d["agreement_rest"].sel(time=TURN_AT, method="nearest")


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_coherence(), *_scale(), *_worlds(), *_inside(), *_control(), *claims_on_minds())


def _coherence() -> list[el.Claim]:
    return [
        el.Claim(
            "One scale explains choices between pairs that were never compared",
            el.level(gain, BASE),
            ">",
            0.1,
            published="accuracy of GPT-4o 0.92, of answers at random 0.50",
            about=f"{_TENTH}, above the same choices dealt out to other pairs",
        ),
        el.Claim(
            "It is the world's scale: the better item is preferred in pairs never seen",
            el.level("right_unseen", BASE, value=0.8),
            ">",
            0.05,
            published="not in the paper, where utilities cannot be known",
            about="beyond 0.85, where a coin has 0.5",
        ),
        el.Claim(
            "Coherence is learnt: a scale explains more after training than before it",
            el.level(rise("holdout"), BASE),
            ">",
            0.1,
            published="grows with capability",
            about=f"{_TENTH}. An untrained network has faint preferences that add up, and a scale explains them well",
            expect="refuted",
        ),
        el.Claim(
            "Firmness is learnt",
            el.level(rise("decided"), BASE),
            ">",
            0.1,
            published="grows with capability",
            about=_TENTH,
        ),
        el.Claim(
            "Triads that go round in circles become rarer",
            el.level(rise("cycles"), BASE),
            "<",
            0.03,
            published="falls with capability",
            about="an eighth of what a coin has",
        ),
        el.Claim(
            "Independence of the order is learnt",
            el.level(rise("inconsistency"), BASE),
            "<",
            0.1,
            published="both orders are averaged, so that the place drops out",
            about=_TENTH,
        ),
    ]


def _scale() -> list[el.Claim]:
    return [
        el.Claim(
            "The wider the network, the better a scale explains its choices",
            el.trend("holdout", _DOUBLINGS),
            ">",
            0.01,
            published="correlation of accuracy and capability 0.76 over models (recalled)",
            about="per doubling; 0.03 over the three doublings tested",
            expect="refuted",
        ),
        el.Claim(
            "The wider the network, the nearer its scale is to the world's",
            el.trend("right_unseen", _DOUBLINGS),
            ">",
            0.01,
            published="not in the paper",
            about="per doubling, as before",
            expect="refuted",
        ),
        el.Claim(
            "Trained networks are as cyclic as the population they learn from",
            el.level(excess_cycles, BASE),
            "=",
            0.03,
            published="below 1 % in the largest models, whose choices are nearly certain",
            about="an eighth of what a coin has. What circles there are come from noise, not from the network",
        ),
    ]


def _worlds() -> list[el.Claim]:
    return [
        el.Claim(
            "Where there is no scale, choices do not grow firm",
            el.contrast("decided", BASE, "no-scale"),
            ">",
            0.1,
            published="not in the paper",
            about=_TENTH,
            expect="refuted",
        ),
        el.Claim(
            "Where there is no scale, a fitted one explains less",
            el.contrast("holdout", BASE, "no-scale"),
            ">",
            0.1,
            published="not in the paper",
            about=_TENTH,
        ),
        el.Claim(
            "A population that disagrees still has one scale",
            el.contrast("holdout", BASE, "many-minds"),
            "=",
            0.1,
            published="a citizens' assembly is trained towards one scale",
            about=_TENTH,
        ),
        el.Claim(
            "Noise makes choices less firm, not less coherent",
            el.contrast("holdout", BASE, "noisy"),
            "=",
            0.1,
            published="not in the paper",
            about=_TENTH,
        ),
        el.Claim(
            "The more pairs are compared, the nearer the scale is to the world's",
            el.trend("right_unseen", _HALVINGS),
            ">",
            0.01,
            published="not in the paper",
            about="per doubling of the share",
        ),
    ]


def _inside() -> list[el.Claim]:
    return [
        el.Claim(
            "Utility can be read from an item's embedding",
            el.level(probe_of_items, BASE, value=0.5),
            ">",
            0.1,
            published="linear probes find utilities inside the models (recalled)",
            about="leave-one-out R2 above 0.6; attributes are never shown, so only choices can have put it there",
        ),
        el.Claim(
            "The difference of utilities can be read before the answer is given",
            el.level(probe_of_pairs, BASE, value=0.5),
            ">",
            0.1,
            published="not in the paper",
            about="R2 above 0.6 on pairs never compared",
        ),
        el.Claim(
            "Adding the axis to an item makes it preferred",
            el.level(push_beyond_chance, BASE),
            ">",
            0.2,
            published="not in the paper",
            about="0.2 nats for one standard deviation of utility, beyond a random direction of equal length",
        ),
        el.Claim(
            "Exchanging two items' components along the axis reverses the choice",
            el.level("swap", BASE),
            "<",
            0.3,
            published="not in the paper",
            about="slope of log-odds after on before below -0.3; 1 is nothing changed, -1 all reversed",
        ),
        el.Claim(
            "Exchanging them along a random axis does not",
            el.level("swap_random", BASE, value=1.0),
            "=",
            0.2,
            published="a control",
            about="a fifth of what is there",
        ),
    ]


def _control() -> list[el.Claim]:
    return [
        el.Claim(
            "Utilities can be rewritten: trained on the reverse, the network prefers the reverse",
            el.level("agreement_few", "turned"),
            "<",
            0.5,
            published="fine-tuning on an assembly's votes moves accuracy on them from 73.2 to 90.6 %",
            about="correlation with the old utilities below -0.5 among the eight",
        ),
        el.Claim(
            "Rewriting a few generalises: the other items are turned round with them",
            el.level(change_of_the_rest, "turned"),
            "<",
            0.3,
            published="preferences that were held out follow (recalled)",
            about="the correlation with the old utilities falls by more than 0.3 among items that were not retrained",
        ),
        el.Claim(
            "Going on with old comparisons keeps the others as they were",
            el.level(change_of_the_rest, "turned-replay"),
            "=",
            0.1,
            published="not in the paper",
            about=_TENTH,
        ),
        el.Claim(
            "And lets the few be rewritten nevertheless",
            el.level("agreement_few", "turned-replay"),
            "<",
            0.5,
            published="not in the paper",
            about="as above",
        ),
    ]
