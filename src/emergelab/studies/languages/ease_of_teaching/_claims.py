"""What is claimed of languages that must be taught again and again, as tests over seeds."""

from __future__ import annotations

import xarray as xr

import emergelab as el

from ._conditions import BY_RATE

__all__ = ["CLAIMS", "above_chance", "handed_down"]

LI = "Li & Bowling 2019"


def above_chance(d: xr.Dataset) -> xr.DataArray:
    """Topographic similarity above its level when objects swap their messages."""
    return d.topsim - d.topsim_chance


def handed_down(d: xr.Dataset) -> xr.DataArray:
    """Share of the parents' symbols kept at the ends of later generations minus that of the first three."""
    last = d.generation.max()
    ends = d.kept.where((d.generation.shift(time=-1) > d.generation) & (d.generation > 0))
    late = ends.where(d.generation > last / 2).mean("time")
    return late - ends.where(d.generation <= 3).mean("time")


CLAIMS = (
    el.Claim(
        "What agents agree on is more regular than chance",
        el.level(above_chance, "none"),
        ">",
        0.05,
        published="known of such games; the control of the next claim",
        about="of a correlation; swapped messages have a topographic similarity of 0",
    ),
    el.Claim(
        "Replacing the listener makes the language more regular",
        el.contrast("topsim", "reset", "none"),
        ">",
        0.03,
        published=f"topographic similarity is higher with resets ({LI}; no number at hand)",
        about="of a correlation; half a standard deviation between seeds in earlier runs of ours",
        expect="inconclusive",
    ),
    el.Claim(
        "Its positions come to speak of one attribute each",
        el.contrast("posdis", "reset", "none"),
        ">",
        0.05,
        published=f"not measured there ({LI}); positional disentanglement is of Chaabouni et al. (2020)",
        about="a twentieth of the range",
        expect="inconclusive",
    ),
    el.Claim(
        "It is as good a language: as much is understood",
        el.contrast("accuracy", "reset", "none"),
        "=",
        0.05,
        published=f"the task is solved with and without resets ({LI})",
        about="without it a gain might be that of a poorer language; three objects of 51. Nobody is replaced in the "
        "last quarter",
    ),
    el.Claim(
        "It has as many messages",
        el.contrast("distinct", "reset", "none"),
        "=",
        6.0,
        published="our control: topographic similarity rises where few messages are left",
        about="of 64 objects; a tenth",
    ),
    el.Claim(
        "Strangers learn it faster",
        el.contrast("teachable", "reset", "none"),
        ">",
        0.02,
        published=f"newborn listeners learn faster ({LI}; no number at hand)",
        about="mean accuracy of newborns after 5, 10, 20 and 40 lessons",
        expect="inconclusive",
    ),
    el.Claim(
        "It says more of what was never seen",
        el.contrast("unseen", "reset", "none"),
        ">",
        0.03,
        published=f"not measured there ({LI})",
        about="of 13 objects; chance is 1 in 64",
    ),
    el.Claim(
        "The more often, the more regular",
        el.trend("topsim", BY_RATE),
        ">",
        0.01,
        published="our extension",
        about="per replacement in a lifetime of the main condition, up to twice as often",
        expect="inconclusive",
    ),
    el.Claim(
        "Too often, and less is understood",
        el.contrast("accuracy", "hasty", "none"),
        "<",
        0.05,
        published="our extension",
        about="four times as often as in the main condition; the margin of the claim on accuracy. The condition was "
        "added when first runs for the choice of a lifetime had shown it",
    ),
    el.Claim(
        "It does not matter that times are regular",
        el.contrast("topsim", "random", "none"),
        ">",
        0.03,
        published="our control",
        about="the margin of the claim on resets",
        expect="inconclusive",
    ),
    el.Claim(
        "It is the listener who must be replaced: a new speaker does not do as well",
        el.contrast("topsim", "reset", "speaker"),
        ">",
        0.03,
        published=f"the pressure is on who teaches ({LI}); our control",
        about="the margin of the claim on resets. A new speaker begins a language of its own",
        expect="refuted",
    ),
    el.Claim(
        "It is the network that must be new: an optimiser that forgets does nothing",
        el.contrast("topsim", "optimiser", "none"),
        "=",
        0.05,
        published="our control",
        about="replaced networks have new optimisers too",
    ),
    el.Claim(
        "More randomness in speaking does not do the same",
        el.contrast("topsim", "reset", "undecided"),
        ">",
        0.03,
        published="our control",
        about="the margin of the claim on resets, for a bonus of 0.05 per nat",
        expect="inconclusive",
    ),
    el.Claim(
        "Later generations keep more of their parents' language",
        el.level(handed_down, "reset"),
        ">",
        0.05,
        published="iterated learning leads to languages that pass on unchanged (Kirby et al. 2014)",
        about="share of symbols at the ends of generations, second half minus the first three. That learning slows "
        "down as temperature falls adds to it",
    ),
    el.Claim(
        "Three listeners replaced at once make the language more regular",
        el.contrast("topsim", "crowd-at-once", "crowd"),
        ">",
        0.03,
        published=f"simultaneous resets in a population raise topographic similarity ({LI}; no number at hand)",
        about="the margin of the claim on resets",
    ),
    el.Claim(
        "Sudden replacement does more than gradual replacement",
        el.contrast("topsim", "crowd-at-once", "crowd-in-turn"),
        ">",
        0.02,
        published=f"the more abrupt the change, the stronger the effect ({LI}); no difference in Kaszynski (2026)",
        about="equal lifetimes; two thirds of the margin before",
        expect="inconclusive",
    ),
    el.Claim(
        "Heirs who hear of half of the objects make the language more regular than those who hear of all",
        el.contrast("topsim", "heirs-50", "heirs-100"),
        ">",
        0.03,
        published="a bottleneck is what makes languages regular (Kirby 2001; Ren et al. 2020)",
        about="the margin of the claim on resets; both replace speaker and listener",
        expect="refuted",
    ),
    el.Claim(
        "Heirs who hear of all objects leave it as it is",
        el.contrast("topsim", "heirs-100", "none"),
        "=",
        0.05,
        published="without a bottleneck languages stay as they are (Kirby 2001)",
        about="imitation is not perfect, and new listeners learn anew, so some change is to be expected",
        expect="inconclusive",
    ),
    el.Claim(
        "The same holds where the listener points at an object",
        el.contrast("topsim", "pointing-reset", "pointing"),
        ">",
        0.03,
        published=f"the game of the paper, four distractors ({LI})",
        about="the margin of the claim on resets",
        expect="inconclusive",
    ),
)
