"""What is claimed of compositionality and generalisation, as tests over seeds."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

import emergelab as el

from ._conditions import BY_WORLD

__all__ = ["CLAIMS", "correlation", "fisher_z", "recurrent_lessons", "small_lessons"]

CHAABOUNI = "Chaabouni et al. (2020)"
KHARITONOV = "Kharitonov & Baroni (2020)"
TENFOLD = {name: 2 * float(np.log10(n)) for name, n in BY_WORLD.items()}
EARLY = (0, 1000)
"""The first steps: how fast a given language is learnt."""
LEARNT = 0.99
"""Runs that understand fewer of the objects in training are left out of correlations, as by the authors."""


def small_lessons(d: xr.Dataset) -> xr.DataArray:
    """Mean over lessons of the accuracy of small pupils."""
    return d.taught_small.mean("lesson")


def recurrent_lessons(d: xr.Dataset) -> xr.DataArray:
    """Mean over lessons of the accuracy of recurrent pupils."""
    return d.taught_recurrent.mean("lesson")


def above_chance(d: xr.Dataset) -> xr.DataArray:
    """Topographic similarity above its level when objects swap their messages."""
    return d.topsim - d.topsim_chance


def correlation(pairs: Float[np.ndarray, "seed two"]) -> float:
    """Pearson's correlation of two columns over seeds that have both; 0 where fewer than three seeds do."""
    both = pairs[np.isfinite(pairs).all(axis=1)]
    if len(both) < 3 or (both.std(axis=0) == 0).any():
        return 0.0
    return float(np.corrcoef(both.T)[0, 1])


def fisher_z(pairs: Float[np.ndarray, "seed two"]) -> float:
    """Fisher's transform of the correlation, whose spread over seeds does not depend on it; 0.55 is r = 0.5."""
    return float(np.arctanh(np.clip(correlation(pairs), -0.999, 0.999)))


def _pairs(d: xr.Dataset, one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Last values of two quantities side by side, for seeds that have learnt."""
    learnt = d.accuracy.isel(time=-1) >= LEARNT
    columns = [x.isel(time=-1).where(learnt).drop_vars("time", errors="ignore") for x in (one, other)]
    return xr.concat(columns, dim="time").transpose("seed", "time")


def unseen_and_topsim(d: xr.Dataset) -> xr.DataArray:
    """New combinations understood, and topographic similarity."""
    return _pairs(d, d.unseen, d.topsim)


def unseen_and_posdis(d: xr.Dataset) -> xr.DataArray:
    """New combinations understood, and positional disentanglement."""
    return _pairs(d, d.unseen, d.posdis)


def small_lessons_and_topsim(d: xr.Dataset) -> xr.DataArray:
    """How well small pupils are taught, and topographic similarity."""
    return _pairs(d, small_lessons(d), d.topsim)


def recurrent_lessons_and_topsim(d: xr.Dataset) -> xr.DataArray:
    """How well recurrent pupils are taught, and topographic similarity."""
    return _pairs(d, recurrent_lessons(d), d.topsim)


CLAIMS = (
    el.Claim(
        "The more objects there are, the more new combinations are understood",
        el.trend("unseen", TENFOLD),
        ">",
        0.2,
        published=f"generalisation needs large input spaces ({CHAABOUNI})",
        about="per tenfold number of objects, of a share; from 16 to 256 objects that is 0.24",
        expect="inconclusive",
    ),
    el.Claim(
        "In a small world new combinations are not understood",
        el.level("unseen", "values-4", value=0.5),
        "<",
        0.1,
        published=f"near 0 for 16 to 100 inputs, as we recall ({CHAABOUNI})",
        about="below 0.4 of three objects; chance is 1 in 16",
    ),
    el.Claim(
        "In the largest world most of them are",
        el.level("unseen", "values-16", value=0.5),
        ">",
        0.1,
        published=f"above 0.8 from about 600 inputs on, as we recall ({CHAABOUNI})",
        about="above 0.6 of 51 objects, for 256 objects",
        expect="refuted",
    ),
    el.Claim(
        "What is shown in training is understood in the largest world too",
        el.level("accuracy", "values-16", value=0.9),
        ">",
        0.02,
        published=f"only runs that solve the task are compared ({CHAABOUNI})",
        about="else generalisation is held back by training; within reach of the steps of this size",
    ),
    el.Claim(
        "Emergent languages are more regular than chance",
        el.level(above_chance, "values-9"),
        ">",
        0.05,
        published="known of such games; swapped messages have a topographic similarity of 0",
        about="of a correlation",
    ),
    el.Claim(
        "They are far from naming one attribute in each position",
        el.contrast("posdis", "given-parts", "values-9"),
        ">",
        0.2,
        published=f"emergent codes reach middling values ({CHAABOUNI})",
        about="a fifth of the range",
    ),
    el.Claim(
        "The listener goes by the message",
        el.level("scrambled", "values-9", value=0.0),
        "=",
        0.1,
        published="our control",
        about="objects understood from another one's message; chance is 1 in 81",
    ),
    el.Claim(
        "Generalisation does not follow topographic similarity",
        el.level(unseen_and_topsim, "values-9", statistic=fisher_z),
        "=",
        0.55,
        published=f"no significant correlation ({CHAABOUNI})",
        about="r = 0.5, a quarter of the variance, over seeds that have learnt, as Fisher's z; judged as a plain "
        "correlation first, whose interval over nine seeds went beyond 1",
        expect="inconclusive",
    ),
    el.Claim(
        "Nor does it follow positional disentanglement",
        el.level(unseen_and_posdis, "values-9", statistic=fisher_z),
        "=",
        0.55,
        published=f"no significant correlation ({CHAABOUNI})",
        about="the same margin, and changed to Fisher's z at the same time",
        expect="inconclusive",
    ),
    el.Claim(
        "More regular languages are learnt faster by small networks",
        el.level(small_lessons_and_topsim, "values-9", statistic=fisher_z),
        ">",
        0.1,
        published=f"compositional languages are learnt faster by other architectures ({CHAABOUNI})",
        about="r = 0.1 over seeds that have learnt, as Fisher's z, to which it was changed with the former; a pupil "
        "with 16 hidden units",
        expect="inconclusive",
    ),
    el.Claim(
        "And by recurrent ones",
        el.level(recurrent_lessons_and_topsim, "values-9", statistic=fisher_z),
        ">",
        0.1,
        published=f"compositional languages are learnt faster by other architectures ({CHAABOUNI})",
        about="the same margin, and changed to Fisher's z at the same time",
        expect="inconclusive",
    ),
    el.Claim(
        "A channel with room to spare helps",
        el.contrast("unseen", "values-9", "narrow"),
        ">",
        0.05,
        published=f"channel capacity well above the number of inputs is needed ({CHAABOUNI})",
        about="of a share; 8000 possible messages against 125 for 81 objects",
        expect="inconclusive",
    ),
    el.Claim(
        "A language of parts is understood for new combinations",
        el.level("unseen", "given-parts", value=0.8),
        ">",
        0.05,
        published="a listener who learns the parts has learnt the language",
        about="above 0.85; the listener alone learns",
    ),
    el.Claim(
        "A language without parts is not",
        el.level("unseen", "given-holistic", value=0.2),
        "<",
        0.05,
        published="by construction; the control of the former",
        about="below 0.15; chance is 1 in 81",
    ),
    el.Claim(
        "A language of parts is learnt faster than one without",
        el.contrast("accuracy", "given-parts", "given-holistic", at=EARLY),
        ">",
        0.05,
        published=f"compositional languages are learnt faster ({CHAABOUNI})",
        about="mean accuracy over the first thousand steps",
        expect="refuted",
    ),
    el.Claim(
        "Sum and difference are learnt as fast as parts",
        el.contrast("accuracy", "given-entangled", "given-parts", at=EARLY),
        "=",
        0.05,
        published=f"acquisition speed is not tied to naive compositionality ({KHARITONOV})",
        about="the same margin; entangled codes have a positional disentanglement of 0",
    ),
    el.Claim(
        "And are understood for as many new combinations",
        el.contrast("unseen", "given-entangled", "given-parts"),
        "=",
        0.1,
        published=f"generalisation is not tied to naive compositionality ({KHARITONOV})",
        about="a tenth of the range",
        expect="refuted",
    ),
    el.Claim(
        "Parts in any order are as good as parts in their places",
        el.contrast("unseen", "given-bag", "given-parts"),
        "=",
        0.1,
        published=f"order-free codes are another way to compose (bags of symbols; {CHAABOUNI})",
        about="a tenth of the range",
        expect="inconclusive",
    ),
)
