"""What is said of emergent modularity, as tests.

Margins were fixed after a pilot of two seeds, before a run at the size `quick` was seen.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

import emergelab as el

from ._conditions import BASE, CONTROL, TUNE_AT, TUNED
from ._system import FUNCTIONS, GATES, KEPT, PARTITIONS

EARLY = 200
EIGHTH, QUARTER, HALF = (KEPT.index(share) for share in (0.125, 0.25, 0.5))
What = Callable[[xr.Dataset], xr.DataArray]


def cost(d: xr.Dataset, partition: str, gate: str, share: int = QUARTER) -> xr.DataArray:
    """What routing costs (nat)."""
    return d["routing"].isel(partition=PARTITIONS.index(partition), gate=GATES.index(gate), share=share)


def trained(d: xr.Dataset) -> xr.Dataset:
    """The data when tuning begins."""
    return d.sel(time=TUNE_AT, drop=True)


def untrained(d: xr.Dataset) -> xr.Dataset:
    """The data at the start."""
    return d.isel(time=0, drop=True)


def log_ratio(d: xr.Dataset, share: int) -> xr.DataArray:
    """How many times as much random bricks cost as bricks of like keys (log2)."""
    least = 1e-4  # nat: a cost below it cannot be told from none
    high, low = (np.maximum(cost(d, partition, "activity", share), least) for partition in ("random", "bricks"))
    return np.log2(high / low)


def growth_of_log_ratio(d: xr.Dataset) -> xr.DataArray:
    """How much larger that is after training than before, a quarter of the bricks open."""
    return log_ratio(trained(d), QUARTER) - log_ratio(untrained(d), QUARTER)


def growth_of_log_ratio_of_an_eighth(d: xr.Dataset) -> xr.DataArray:
    """The same with an eighth open."""
    return log_ratio(trained(d), EIGHTH) - log_ratio(untrained(d), EIGHTH)


def advantage_of_bricks(d: xr.Dataset) -> xr.DataArray:
    """How much more random bricks cost than bricks of like keys, a quarter open (nat)."""
    return cost(trained(d), "random", "activity") - cost(trained(d), "bricks", "activity")


def relative_cost_of_half(d: xr.Dataset) -> xr.DataArray:
    """What keeping half of the bricks costs, relative to the loss."""
    return cost(trained(d), "bricks", "activity", HALF) / trained(d)["loss"]


def relative_cost_by_keys(d: xr.Dataset) -> xr.DataArray:
    """The same if the gate knows the mean keys only."""
    return cost(trained(d), "bricks", "keys", HALF) / trained(d)["loss"]


def excess_of_keys(d: xr.Dataset) -> xr.DataArray:
    """What the gate by mean keys costs beyond twice the gate by activity, a quarter open (nat)."""
    return cost(trained(d), "bricks", "keys") - 2 * cost(trained(d), "bricks", "activity")


def growth_of_modularity(d: xr.Dataset) -> xr.DataArray:
    """Q of the bricks of like keys, after training less before."""
    after, before = (x["modularity"].isel(partition=0).mean("layer") for x in (trained(d), untrained(d)))
    return after - before


def modularity_beyond_random(d: xr.Dataset) -> xr.DataArray:
    """Q of the bricks of like keys less that of random ones."""
    q = trained(d)["modularity"].mean("layer")
    return q.isel(partition=0) - q.isel(partition=1)


def fall_of_active(d: xr.Dataset) -> xr.DataArray:
    """How many units fewer fire after training."""
    return (untrained(d)["active"] - trained(d)["active"]).mean("layer")


def special_for(function: str, at: int) -> What:
    """Share of units that are special for a function at a time."""

    def special(d: xr.Dataset) -> xr.DataArray:
        return d["special"].isel(function=FUNCTIONS.index(function)).sel(time=at, drop=True)

    special.__name__ = f"share_special_for_{function}_at_step_{at}"
    return special


def growth_of_special(d: xr.Dataset) -> xr.DataArray:
    """Share of units special for the next class, early less before training."""
    return special_for("next", EARLY)(d) - special_for("next", 0)(d)


def late_growth_of_special(d: xr.Dataset) -> xr.DataArray:
    """The same, after training less early."""
    return special_for("next", TUNE_AT)(d) - special_for("next", EARLY)(d)


def shuffled(d: xr.Dataset) -> xr.DataArray:
    """Share of special units if classes are dealt out anew."""
    return trained(d)["shuffled"]


def purity_beyond_random(d: xr.Dataset) -> xr.DataArray:
    """Purity of the bricks of like keys less that of random ones."""
    return trained(d)["purity"].isel(partition=0) - trained(d)["purity"].isel(partition=1)


def own_beyond_random(d: xr.Dataset) -> xr.DataArray:
    """How much more a brick of like keys hurts its own class than a random one does (nat)."""
    return trained(d)["own"].isel(partition=0) - trained(d)["own"].isel(partition=1)


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_routing(), *_units(), *_tuning())


def _routing() -> list[el.Claim]:
    return [
        el.Claim(
            "Bricks of like keys can be routed at less cost than random ones",
            el.level(advantage_of_bricks, BASE),
            ">",
            0.005,
            published="clusters of keys beat random groups",
            about="in nat, a quarter of the bricks open for a token",
        ),
        el.Claim(
            "This emerges in training: the ratio of the two costs grows",
            el.level(growth_of_log_ratio, BASE),
            ">",
            0.25,
            published="modules emerge in pre-training",
            about="in doublings; an untrained network has such clusters as well, because the gate uses the same keys",
            expect="inconclusive",
        ),
        el.Claim(
            "So it does with an eighth of the bricks open, where routing costs more",
            el.level(growth_of_log_ratio_of_an_eighth, BASE),
            ">",
            0.25,
            published="not in the papers",
            about="in doublings, as before",
            expect="inconclusive",
        ),
        el.Claim(
            "Half of the bricks suffice",
            el.level(relative_cost_of_half, BASE, value=0.015),
            "<",
            0.005,
            published="few experts do",
            about="less than 1 % of the loss",
        ),
        el.Claim(
            "Half suffice also if the gate knows the mean keys alone",
            el.level(relative_cost_by_keys, BASE, value=0.015),
            "<",
            0.005,
            published="the gate has no weights of its own",
            about="the same margin",
        ),
        el.Claim(
            "A gate by mean keys costs less than twice what one by activity does",
            el.level(excess_of_keys, BASE),
            "<",
            0.002,
            published="not in the papers",
            about="in nat, a quarter of the bricks open",
            expect="inconclusive",
        ),
    ]


def _units() -> list[el.Claim]:
    return [
        el.Claim(
            "Fewer units fire after training",
            el.level(fall_of_active, BASE),
            ">",
            0.05,
            published="few units fire for a token in large models",
            about="a twentieth of all units",
        ),
        el.Claim(
            "Units of a brick fire together",
            el.level(modularity_beyond_random, BASE),
            ">",
            0.02,
            published="units with like keys fire together",
            about="of Newman's Q, where sixteen equal bricks could have 0.94 at most",
        ),
        el.Claim(
            "More so after training",
            el.level(growth_of_modularity, BASE),
            ">",
            0.01,
            published="not in the papers",
            about="half of the margin before",
            expect="inconclusive",
        ),
        el.Claim(
            "Units become special for the class of the next word, early in training",
            el.level(growth_of_special, BASE),
            ">",
            0.1,
            published="specialisation comes early",
            about=f"a tenth of all units, by step {EARLY}",
        ),
        el.Claim(
            "Afterwards their share falls again",
            el.level(late_growth_of_special, BASE),
            "<",
            0.02,
            published="not in the papers",
            about=f"a fiftieth of all units, from step {EARLY} on",
        ),
        el.Claim(
            "With classes dealt out anew no unit is special",
            el.level(shuffled, BASE),
            "=",
            0.05,
            published="a control",
            about="a twentieth of all units",
        ),
        el.Claim(
            "Units of a brick have the same favourite class",
            el.level(purity_beyond_random, BASE),
            ">",
            0.05,
            published="bricks have functions",
            about="a twentieth of all units more than in random bricks",
        ),
        el.Claim(
            "A silent brick hurts its own function, more than a random brick does",
            el.level(own_beyond_random, BASE),
            ">",
            0.002,
            published="removing bricks harms single capabilities (recalled)",
            about="in nat, on the class for which its units fire",
        ),
    ]


def _tuning() -> list[el.Claim]:
    return [
        el.Claim(
            "Tuned by bricks, a network is as good at home as one that is tuned whole",
            el.contrast("home", TUNED, BASE),
            "=",
            0.03,
            published="no loss at home (Qiu et al. 2023)",
            about="in nat, on the topics of the tuning",
        ),
        el.Claim(
            "Tuned by bricks, it is better on topics that it was not tuned on",
            el.contrast("away", TUNED, BASE),
            "<",
            0.005,
            published="a few points better out of distribution (Qiu et al. 2023)",
            about="in nat",
            expect="refuted",
        ),
        el.Claim(
            "Also after all bricks are opened again",
            el.contrast("away_whole", TUNED, BASE),
            "<",
            0.005,
            published="experts can be merged back after tuning (Qiu et al. 2023)",
            about="the same margin",
            expect="refuted",
        ),
        el.Claim(
            "Random bricks do not help",
            el.contrast("away", CONTROL, BASE),
            "=",
            0.03,
            published="clusters are needed (Qiu et al. 2023)",
            about="in nat, as at home",
        ),
    ]
