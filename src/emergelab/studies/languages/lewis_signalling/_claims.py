"""What is known and what is told of the signalling game, as tests over seeds, each of which holds many pairs."""

from __future__ import annotations

import numpy as np
import xarray as xr

import emergelab as el

from ._conditions import BY_MAJORITY, BY_STATES, EXCHANGED

__all__ = ["CLAIMS", "by_signals", "lost_to_signals"]

DOUBLINGS = {name: float(np.log2(n)) for name, n in BY_STATES.items()}
BARRETT = "Barrett 2006, as we recall: after a million plays"


def by_signals(d: xr.Dataset) -> xr.DataArray:
    """Success beyond that with the signals of other plays."""
    return d.success - d.scrambled


def lost_to_signals(d: xr.Dataset) -> xr.DataArray:
    """Success with the signals of other plays, beyond the best there is without signals."""
    return d.scrambled - d.blind


CLAIMS = (
    el.Claim(
        "Two states: every pair comes to signal",
        el.level("pooling", "n2"),
        "=",
        0.02,
        published="with probability one (theorem of Argiento et al. 2009)",
        about="share of pairs whose likeliest code fails in a state; the theorem is about the limit, hence 0.02",
    ),
    el.Claim(
        "And its success goes to one",
        el.level("success", "n2", value=0.95),
        ">",
        0.01,
        published="with probability one (theorem of Argiento et al. 2009)",
        about="mean of all pairs; chance is 0.5",
    ),
    el.Claim(
        "The more states, the more pairs end in partial pooling",
        el.trend("pooling", DOUBLINGS),
        ">",
        0.05,
        published=f"0, 0.10, 0.21, 0.59 of the runs with 2, 3, 4, 8 states ({BARRETT})",
        about="per doubling of the states; 0.05 is 0.1 over the range",
    ),
    el.Claim(
        "Three states: a tenth pools",
        el.level("pooling", "n3", value=0.096),
        "=",
        0.05,
        published=f"0.096 ({BARRETT})",
        about="half of what is published; 600 pairs give a standard error of 0.012. After 10 000 plays "
        "pooling is still going down",
        expect="inconclusive",
    ),
    el.Claim(
        "Four states: a fifth pools",
        el.level("pooling", "n4", value=0.214),
        "=",
        0.07,
        published=f"0.214 ({BARRETT})",
        about="a third of what is published. After 10 000 plays pooling is still going down",
        expect="inconclusive",
    ),
    el.Claim(
        "Eight states: three fifths pool",
        el.level("pooling", "n8", value=0.594),
        "=",
        0.1,
        published=f"0.594 ({BARRETT})",
        about="a sixth of what is published. The likeliest code after 10 000 plays stands for the limit, "
        "which is a hundred times as far",
        expect="refuted",
    ),
    el.Claim(
        "Pooling is partial: codes fail in few states",
        el.level("code", "n8", value=0.75),
        ">",
        0.02,
        published="no pair that pools in all states was seen (Barrett 2006, as we recall)",
        about="success of the likeliest code; 0.75 is two states of eight",
    ),
    el.Claim(
        "Understanding is by the signals",
        el.level(by_signals, "n4"),
        ">",
        0.3,
        published="by construction",
        about="against the signals of other plays; with a perfect code 0.75",
    ),
    el.Claim(
        "Signals of other plays give what is had without any",
        el.level(lost_to_signals, "n4"),
        "=",
        0.01,
        published="by construction",
        about="exactly so where states are alike",
    ),
    el.Claim(
        "If one state is more frequent, some pairs never leave pooling",
        el.level("pooling", "n2-0.9"),
        ">",
        0.05,
        published="seen in simulations, as we recall (Skyrms 2010)",
        about="two states of 0.9 and 0.1; one pair in twenty",
    ),
    el.Claim(
        "The more frequent, the more pairs",
        el.trend("pooling", BY_MAJORITY),
        ">",
        0.1,
        published="seen in simulations, as we recall (Skyrms 2010)",
        about="per unit of the first state's chance; 0.1 is 0.04 over the range",
    ),
    el.Claim(
        "Forgetting rescues",
        el.contrast("pooling", "n4", "n4-forgetting"),
        ">",
        0.05,
        published="forgetting helps to break partial pooling (Barrett and Zollman 2009, as we recall)",
        about="four states; one pair in twenty",
    ),
    el.Claim(
        "So it does with eight states",
        el.contrast("pooling", "n8", "n8-forgetting"),
        ">",
        0.05,
        published="(Barrett and Zollman 2009, as we recall)",
        about="one pair in twenty",
    ),
    el.Claim(
        "Punishment rescues",
        el.contrast("pooling", "n4", "n4-punishment"),
        ">",
        0.05,
        published="with failures punished nearly all pairs signal (Barrett 2006, as we recall)",
        about="four states; one pair in twenty. The interval says so; twenty-three claims ask for more seeds",
        expect="inconclusive",
    ),
    el.Claim(
        "So it does with eight states and punishment",
        el.contrast("pooling", "n8", "n8-punishment"),
        ">",
        0.05,
        published="(Barrett 2006, as we recall)",
        about="one pair in twenty",
    ),
    el.Claim(
        "Forgetting rescues from a frequent state",
        el.contrast("pooling", "n2-0.9", "n2-0.9-forgetting"),
        ">",
        0.05,
        published="not in the papers at hand",
        about="one pair in twenty",
    ),
    el.Claim(
        "Punishment rescues from a frequent state",
        el.contrast("pooling", "n2-0.9", "n2-0.9-punishment"),
        ">",
        0.05,
        published="not in the papers at hand",
        about="one pair in twenty",
    ),
    el.Claim(
        "To keep what succeeds and try another after failure never pools",
        el.level("pooling", "n4-win-stay"),
        "=",
        0.02,
        published="more reliable than urns (Cochran and Barrett 2021)",
        about="a signalling system is the only state that is never left",
    ),
    el.Claim(
        "Nor with eight states",
        el.level("pooling", "n8-win-stay"),
        "=",
        0.02,
        published="more reliable than urns (Cochran and Barrett 2021)",
        about="the same in principle, but habits of eight states keep breaking each other and are still wandering "
        "after 10 000 plays",
        expect="refuted",
    ),
    el.Claim(
        "The fewer balls at the start, the more pairs pool",
        el.contrast("pooling", "n4-light", "n4-heavy"),
        ">",
        0.05,
        published="initial weights matter, as we recall (Skyrms 2010)",
        about="a tenth of a ball against ten; one pair in twenty. Heavy urns are not far with learning after 10 000 "
        "plays",
        expect="refuted",
    ),
    el.Claim(
        "Replicator dynamics with two states never pools",
        el.level("pooling", "n2-replicator"),
        "=",
        0.01,
        published="almost every start leads to a signalling system (Huttegger 2007, as we recall)",
        about="one start in a hundred",
    ),
    el.Claim(
        "With three states it does, for some starts",
        el.level("pooling", "n3-replicator", value=0.047),
        "=",
        0.03,
        published="4.7 % of the starts (Huttegger et al. 2010, as we recall)",
        about="theirs is one population of mixed strategies, ours are behavioural strategies of two; hence the margin",
    ),
    el.Claim(
        "Codes are private: a listener understands no other speaker",
        el.level("success", "n4-exchanged", value=0.25, at=EXCHANGED + 250),
        "=",
        0.05,
        published="codes are conventions (Lewis 1969)",
        about="250 plays after listeners are exchanged; independent codes agree by chance, in one state of four",
    ),
)
