"""What is said of essential sparsity, as tests.

Margins were fixed after a pilot of two seeds, before a run at the size `quick` was seen.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

import emergelab as el
from emergelab.nn.pruning import bend, tolerated

from ._conditions import BASE, SHARES_OF_DATA
from ._system import KINDS, SHARES

EARLY = 100
HALF = int(np.argmin(np.abs(SHARES - 0.5)))
LEAST = 0.1
What = Callable[[xr.Dataset], xr.DataArray]


def cost(d: xr.Dataset, kind: str) -> xr.DataArray:
    """What pruning costs, by share (nat)."""
    curve = d["curve"].isel(kind=KINDS.index(kind))
    return curve - curve.isel(sparsity=0)


def lost(d: xr.Dataset, kind: str) -> xr.DataArray:
    """The same as a share of what is learnt; not defined before a tenth of a nat is."""
    return cost(d, kind) / d["learnt"].where(d["learnt"] > LEAST)


def knee_of(kind: str, most: float | None) -> What:
    """Essential sparsity of a kind of pruning, as a function for claims: by tolerance, or by the bend if None."""

    def essential_sparsity(d: xr.Dataset) -> xr.DataArray:
        found = lost(d, kind)
        find = (lambda x: bend(SHARES, x)) if most is None else (lambda x: tolerated(SHARES, x, most))
        return xr.apply_ufunc(find, found, input_core_dims=[["sparsity"]])

    essential_sparsity.__name__ = f"essential_sparsity_{kind}_{'bend' if most is None else f'{most:.0%}'}"
    return essential_sparsity


def knee(d: xr.Dataset) -> xr.DataArray:
    """Share of weights that can go at a cost of 1 % of what is learnt."""
    return knee_of("size", 0.01)(d)


def knee_growth(d: xr.Dataset) -> xr.DataArray:
    """How far the knee moves after the first records."""
    found = knee(d)
    return found.isel(time=-1, drop=True) - found.sel(time=EARLY, method="nearest", drop=True)


def loss_of_half(d: xr.Dataset) -> xr.DataArray:
    """What pruning half costs, as a share of what is learnt."""
    return lost(d, "size").isel(sparsity=HALF)


def growth_of_loss_of_half(d: xr.Dataset) -> xr.DataArray:
    """How much more pruning half costs at the end than early."""
    found = loss_of_half(d)
    return found.isel(time=-1, drop=True) - found.sel(time=EARLY, method="nearest", drop=True)


def untrained_cost(d: xr.Dataset) -> xr.DataArray:
    """What pruning half costs an untrained network (nat)."""
    return cost(d, "size").isel(time=0, drop=True).isel(sparsity=HALF)


def sharpness(d: xr.Dataset) -> xr.DataArray:
    """Slope of the cost from .7 to .9, less ten times the slope from 0 to .4 (nat per weight share)."""
    found = cost(d, "size")
    return (found.isel(sparsity=9) - found.isel(sparsity=7)) / 0.2 - 10 * found.isel(sparsity=4) / 0.4


def gap_of_definitions(d: xr.Dataset) -> xr.DataArray:
    """Knee by the bend minus knee by tolerance."""
    return knee_of("size", None)(d) - knee(d)


def gap_of_scales(d: xr.Dataset) -> xr.DataArray:
    """Knee by a tenth of what is still to be learnt, minus knee by 1 % of what is learnt."""
    rest = xr.apply_ufunc(
        lambda x: tolerated(SHARES, x, 0.1), cost(d, "size") / d["excess"], input_core_dims=[["sparsity"]]
    )
    return rest - knee(d)


def advantage_over_random(d: xr.Dataset) -> xr.DataArray:
    """What random pruning costs more, at the share where that is least, from .3 on (nat)."""
    return (cost(d, "random") - cost(d, "size")).isel(sparsity=slice(3, None)).min("sparsity")


def excess_of_two_of_four(d: xr.Dataset) -> xr.DataArray:
    """What keeping 2 of 4 costs beyond 1.2 times what unstructured pruning of half costs (nat)."""
    return d["pattern"].isel(removed=1) - d["loss"] - 1.2 * cost(d, "size").isel(sparsity=HALF)


def largest_jump(d: xr.Dataset) -> xr.DataArray:
    """Largest rise, from one record to the next, of the share of weights near zero."""
    return d["near_zero"].mean("block").diff("time").max("time")


def near_zero_at_end(d: xr.Dataset) -> xr.DataArray:
    """Share of weights near zero."""
    return d["near_zero"].mean("block").isel(time=-1, drop=True)


def fall_of_active(d: xr.Dataset) -> xr.DataArray:
    """How many units fewer fire at the end than at the start."""
    active = d["active"].mean("block")
    return active.isel(time=0, drop=True) - active.isel(time=-1, drop=True)


def share_of_fall_in_one_record(d: xr.Dataset) -> xr.DataArray:
    """The largest step of that fall between records, relative to all of it."""
    return -d["active"].mean("block").diff("time").min("time") / fall_of_active(d)


def last_minus_first_block(d: xr.Dataset) -> xr.DataArray:
    """Knee of the last block pruned alone minus that of the first."""
    return knee_of("last", 0.01)(d) - knee_of("first", 0.01)(d)


def within_minus_over_all(d: xr.Dataset) -> xr.DataArray:
    """Knee of pruning every matrix alike minus that of pruning all together."""
    return knee_of("within", 0.01)(d) - knee(d)


def price_of_the_ends(d: xr.Dataset) -> xr.DataArray:
    """Knee with embedding and readout pruned as well, minus without."""
    return knee_of("all", 0.01)(d) - knee(d)


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_knee(), *_training(), *_ways(), *_weights(), *_arms(), *_cuts())


def _knee() -> list[el.Claim]:
    return [
        el.Claim(
            "There is a knee: from .7 to .9 the cost of pruning rises more than ten times as fast as from 0 to .4",
            el.level(sharpness, BASE),
            ">",
            0.5,
            published="flat up to a sharp point, then a collapse",
            about="in nat per weight share; 0.5 is a tenth of a nat from .7 to .9",
        ),
        el.Claim(
            "A good part of all weights can go at next to no cost",
            el.level(knee, BASE, value=0.2),
            ">",
            0.05,
            published="30 to 50 % of BERT's (recalled)",
            about="a quarter of the weights at least, at a cost of 1 % of what is learnt",
        ),
        el.Claim(
            "Two definitions of the knee agree",
            el.level(gap_of_definitions, BASE),
            "=",
            0.1,
            published="not in the paper",
            about="one step of the grid. A tolerance is met where the curve begins to rise, two lines meet where "
            "it has risen",
            expect="refuted",
        ),
        el.Claim(
            "Measured by what is still to be learnt, the knee lies where it does",
            el.level(gap_of_scales, BASE),
            "=",
            0.1,
            published="not in the paper",
            about="one step of the grid: the share that costs a tenth of the loss beyond the best predictor's",
        ),
        el.Claim(
            "Embedding and readout can be pruned less than the blocks",
            el.level(price_of_the_ends, BASE),
            "<",
            0.05,
            published="embeddings and heads are left alone",
            about="half of a step of the grid; they hold a third of all weights",
        ),
    ]


def _training() -> list[el.Claim]:
    return [
        el.Claim(
            "In an untrained network there is nothing to lose",
            el.level(untrained_cost, BASE),
            "=",
            0.1,
            published="not in the paper",
            about="wiring: by half of the weights, in nat; a fiftieth of its loss",
            expect="inconclusive",
        ),
        el.Claim(
            "The knee moves up with training",
            el.level(knee_growth, BASE),
            ">",
            0.05,
            published="essential sparsity emerges with pre-training",
            about=f"half of a step of the grid, since step {EARLY}",
            expect="inconclusive",
        ),
        el.Claim(
            "Pruning half costs a smaller share of what is learnt, the longer the training",
            el.level(growth_of_loss_of_half, BASE),
            "<",
            0.01,
            published="the same",
            about="1 % of what is learnt, the tolerance by which the knee is found",
            expect="inconclusive",
        ),
    ]


def _ways() -> list[el.Claim]:
    return [
        el.Claim(
            "Removing the smallest weights costs less than removing any, at every share from .3 on",
            el.level(advantage_over_random, BASE),
            ">",
            0.05,
            published="random pruning fails early",
            about="in nat, at the share where the difference is least",
        ),
        el.Claim(
            "Keeping 2 of 4 costs no more than 1.2 times what unstructured pruning of half costs",
            el.level(excess_of_two_of_four, BASE),
            "<",
            0.002,
            published="N:M patterns keep most of the score",
            about="in nat",
            expect="refuted",
        ),
        el.Claim(
            "The last block can be pruned more than the first",
            el.level(last_minus_first_block, BASE),
            ">",
            0.05,
            published="not in the paper",
            about="half of a step of the grid, each block pruned alone",
            expect="inconclusive",
        ),
        el.Claim(
            "Pruning every matrix alike leaves the knee where it is",
            el.level(within_minus_over_all, BASE),
            "=",
            0.1,
            published="not in the paper, which prunes all together",
            about="one step of the grid",
        ),
    ]


def _weights() -> list[el.Claim]:
    return [
        el.Claim(
            "Weights become sparse abruptly: many fall to zero within a short time",
            el.level(largest_jump, BASE),
            ">",
            0.05,
            published="BERT's count of zeros jumps during pre-training",
            about="a twentieth of all weights from one record to the next. Nothing of this kind was found",
            expect="refuted",
        ),
        el.Claim(
            "Not by weight decay, but by an L1 price, weights become near zero",
            el.contrast(near_zero_at_end, "l1", BASE),
            ">",
            0.05,
            published="not in the paper",
            about="a twentieth of all weights below 0.001: so the count would show it",
        ),
        el.Claim(
            "Fewer and fewer hidden units fire",
            el.level(fall_of_active, BASE),
            ">",
            0.05,
            published="not in the paper",
            about="a twentieth of all units",
        ),
        el.Claim(
            "Nor is that abrupt: no record holds half of the fall",
            el.level(share_of_fall_in_one_record, BASE, value=0.5),
            "<",
            0.05,
            published="not in the paper",
            about="of the eight steps between records",
            expect="inconclusive",
        ),
    ]


def _arms() -> list[el.Claim]:
    return [
        el.Claim(
            "The more data, the more can go",
            el.trend(knee, {name: float(np.log2(share)) for name, share in SHARES_OF_DATA.items()}),
            ">",
            0.01,
            published="more pre-training data, more essential sparsity",
            about="per doubling; 0.04 over the twenty-fold range",
        ),
        el.Claim(
            "The stronger the decay, the more can go",
            el.contrast(knee, "decay-1", BASE),
            ">",
            0.05,
            published="not in the paper",
            about="half of a step of the grid, for ten times the decay",
            expect="inconclusive",
        ),
        el.Claim(
            "A price on magnitudes makes more weights go",
            el.contrast(knee, "l1", BASE),
            ">",
            0.05,
            published="not in the paper",
            about="half of a step of the grid",
        ),
        *(
            el.Claim(
                f"Self-supervised learning ({name}) leaves more to go than supervised learning",
                el.contrast(knee, arm, "topic"),
                ">",
                0.05,
                published="self-supervised objectives give more essential sparsity",
                about="half of a step of the grid, equal steps",
                expect="inconclusive",
            )
            for arm, name in ((BASE, "the next word"), ("masked", "masked words"))
        ),
    ]


def _cuts() -> list[el.Claim]:
    return [
        el.Claim(
            "After a cut of half, training on makes good for it",
            el.contrast("loss", "cut", BASE),
            "=",
            0.05,
            published="not in the paper",
            about="in nat; a third of what is still to be learnt",
        ),
        el.Claim(
            "Even if what was cut stays zero",
            el.contrast("loss", "held", BASE),
            "=",
            0.05,
            published="subnetworks that are trained on match the whole",
            about="the same margin",
        ),
        el.Claim(
            "Some of the cut weights grow back and are not among the smallest any more",
            el.level("regrown", "cut"),
            ">",
            0.03,
            published="not in the paper",
            about="of cut weights",
        ),
        el.Claim(
            "But most stay among them",
            el.level("regrown", "cut", value=0.5),
            "<",
            0.25,
            published="not in the paper",
            about="one half is what it would be if nothing was left of the order; half of that",
        ),
        el.Claim(
            "Training after a cut leaves more to go than training alone",
            el.contrast(knee, "cut", BASE),
            ">",
            0.03,
            published="not in the paper",
            about="a third of a step of the grid",
            expect="inconclusive",
        ),
    ]
