"""What the paper states about rank and richness, as tests over seeds."""

from __future__ import annotations

import numpy as np
import xarray as xr

import emergelab as el

from ._conditions import BY_GAIN, BY_RANK, BY_RANK_OF_LINEAR

__all__ = ["CLAIMS", "gap_to_theory", "log_dw"]

TENFOLD = {name: float(np.log10(rank)) for name, rank in BY_RANK.items()}
TENFOLD_OF_LINEAR = {name: float(np.log10(rank)) for name, rank in BY_RANK_OF_LINEAR.items()}
DOUBLINGS_OF_GAIN = {name: float(np.log2(gain)) for name, gain in BY_GAIN.items()}
LATE = (0.9, 1.0)
"""The last tenth of the updates: after the loss curves have become flat."""


def log_dw(d: xr.Dataset) -> xr.DataArray:
    """Logarithm (base 2) of the change of the weights: at rank 1 a few seeds change many times as much as others."""
    return np.log2(d.dw.where(d.dw > 0))


def gap_to_theory(d: xr.Dataset) -> xr.DataArray:
    """Measured alignment minus the one in closed form."""
    return d.ka - d.ka_theory


CLAIMS = (
    el.Claim(
        "All begin with weights of the same norm",
        el.contrast("norm", "rank-1", "full", at="start"),
        "=",
        0.01,
        published="rescaled to the norm of the full matrix (Liu et al. 2024)",
        about="wiring: of a norm of 12.5",
    ),
    el.Claim(
        "What rank is asked for is what the weights have",
        el.contrast("dimension", "full", "rank-5", at="start"),
        ">",
        30.0,
        published="by construction",
        about="wiring: the participation ratio of a Gaussian matrix of 100 rows is 50, that of rank 5 at most 5",
    ),
    el.Claim(
        "All ranks learn the task equally well",
        el.contrast("loss", "rank-1", "full", at=LATE),
        "=",
        0.01,
        published="equal numbers of updates (Liu et al. 2024)",
        about="nats a step; about 1 before training. Else richness might be a matter of how much was learnt",
    ),
    el.Claim(
        "The lower the rank, the more the tangent kernel changes",
        el.trend("ka", TENFOLD),
        ">",
        0.03,
        published="alignment grows with rank (Liu et al. 2024; no number at hand)",
        about="per tenfold rank; 0.03 is 0.06 over the whole range, half a standard deviation between seeds",
    ),
    el.Claim(
        "The lower the rank, the more the representation changes",
        el.trend("ra", TENFOLD),
        ">",
        0.01,
        published="alignment grows with rank (Liu et al. 2024; no number at hand)",
        about="per tenfold rank; a representation that moves a little stays above 0.9, hence the finer margin. At "
        "rank 1 seeds range from 0.11 to 0.97, so that eight do not settle it",
        expect="inconclusive",
    ),
    el.Claim(
        "The lower the rank, the more the weights change",
        el.trend(log_dw, TENFOLD),
        "<",
        0.03,
        published="the change shrinks with rank (Liu et al. 2024; no number at hand)",
        about="doublings of the change per tenfold rank; 0.03 is 4 % over the whole range. "
        "But for one seed of eight the change is the same at all ranks",
        expect="inconclusive",
    ),
    el.Claim(
        "The lower the rank, the more units are switched on or off",
        el.trend("signs", TENFOLD),
        ">",
        0.02,
        published="measured by the authors' code, not reported in the paper's text",
        about="per tenfold rank; 0.02 is one unit in 25 over the whole range",
    ),
    el.Claim(
        "What is learnt has few dimensions even where the start has many",
        el.level("dimension_change", "full", value=10.0),
        "<",
        2.0,
        published="not in the paper; known of networks trained on such tasks",
        about="below 8 of 100, where a Gaussian change would have 50",
    ),
    el.Claim(
        "A connectome with cell types has fewer dimensions than its shuffle",
        el.contrast("dimension", "shuffled", "types", at="start"),
        ">",
        5.0,
        published="measured connectivity has a lower effective rank (Liu et al. 2024)",
        about="wiring, of the made-up connectome; a tenth of what a Gaussian matrix has",
    ),
    el.Claim(
        "It makes learning richer than its shuffle",
        el.contrast("ka", "shuffled", "types"),
        ">",
        0.03,
        published="richer than a Gaussian matrix, for statistics of mouse cortex (Liu et al. 2024)",
        about="the margin of the claim on rank. With 16 dimensions the made-up connectome is where rank no longer "
        "matters",
        expect="inconclusive",
    ),
    el.Claim(
        "Larger weights make learning lazier",
        el.trend("ka", DOUBLINGS_OF_GAIN),
        ">",
        0.02,
        published="small variance is rich, large is lazy (as cited by Liu et al. 2024)",
        about="per doubling of the weights, at full rank. The interval says so; twenty claims ask for more than eight "
        "seeds",
        expect="inconclusive",
    ),
    el.Claim(
        "Low rank is lazy again if it is aligned with the task",
        el.contrast("ka", "weak-1-aligned", "weak-1"),
        ">",
        0.03,
        published="shown for two linear layers, as we recall (Liu et al. 2024)",
        about="recurrent network, at a sixth of the norm of the main series; the margin of the claim on rank. Most "
        "seeds of the control have learnt less, and so changed less",
        expect="inconclusive",
    ),
    el.Claim(
        "And so it is at the norm of the main series",
        el.contrast("ka", "rank-1-aligned", "rank-1"),
        ">",
        0.03,
        published="shown for two linear layers, as we recall (Liu et al. 2024)",
        about="the same contrast at the norm of the main series",
        expect="inconclusive",
    ),
    el.Claim(
        "Two linear layers: the lower the rank, the more the tangent kernel changes",
        el.trend("ka", TENFOLD_OF_LINEAR),
        ">",
        0.1,
        published="a theorem, for the mean over tasks, as we recall (Liu et al. 2024)",
        about="per tenfold rank, of an alignment that can go from 0 to 1",
    ),
    el.Claim(
        "Two linear layers: alignment ends where the closed form says",
        el.level(gap_to_theory, "linear-4"),
        "=",
        0.01,
        published="not in the paper in this form",
        about="a hundredth of the range",
    ),
    el.Claim(
        "Two linear layers: rank 1 on the target is lazy",
        el.contrast("ka", "linear-1-aligned", "linear-1"),
        ">",
        0.3,
        published="a proposition, as we recall (Liu et al. 2024)",
        about="a third of the range",
    ),
    el.Claim(
        "Two linear layers: half-way to the target is in between",
        el.contrast("ka", "linear-1-half-turned", "linear-1"),
        ">",
        0.1,
        published="partial alignment is in between (Liu et al. 2024; no number at hand)",
        about="a third of the margin before, for 45 degrees",
    ),
    el.Claim(
        "A larger output makes even rank 1 lazy",
        el.contrast("ka", "rank-1-scaled", "rank-1-centred"),
        ">",
        0.1,
        published="lazy training by scaling (Chizat et al. 2019); a control, not in the paper",
        about="output times 10, rate over 100: a change of the weights a tenth as large does the same. "
        "The interval says so; twenty claims ask for more than eight seeds",
        expect="inconclusive",
    ),
    el.Claim(
        "The same holds where something has to be kept in mind",
        el.contrast("ka", "match-full", "match-1"),
        ">",
        0.03,
        published="the same order in delayed match to sample (Liu et al. 2024; no number at hand)",
        about="the margin of the claim on rank",
    ),
    el.Claim(
        "The same holds where a cue says what counts",
        el.contrast("ka", "context-full", "context-1"),
        ">",
        0.03,
        published="the same order in the context task (Liu et al. 2024; no number at hand)",
        about="the margin of the claim on rank. The interval says so; twenty claims ask for more than eight seeds",
        expect="inconclusive",
    ),
)
