"""What is stated about tuning on the stream that a method is judged on, as tests over laboratories."""

from __future__ import annotations

import numpy as np
import xarray as xr

import emergelab as el
from emergelab.continual import tuning

from ._methods import KNOBS, SUITES
from ._system import PARTS

__all__ = [
    "CLAIMS", "against_defaults", "by_count", "curse", "curse_over_regret", "disagreement",
    "first_task", "growth", "knobs_and_optimism", "named", "of_one_setting", "optimism", "optimism_by_method",
    "outcome", "regret", "replay_over_none", "simple_over_many", "swap", "tables", "transfer",
]  # fmt: skip


def named(d: xr.Dataset) -> xr.DataArray:
    """Scores [seed, time, method, part, stream, setting] with the names of methods and parts."""
    names = next(s for s in SUITES.values() if len(s) == d.sizes["method"])
    return d.score.assign_coords(method=list(names), part=list(PARTS))


def tables(d: xr.Dataset, time: int = -1) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Tune, report and judge [seed, method, stream, trial], without the default setting, at a record."""
    scores = named(d).isel(time=time, setting=slice(None, -1), drop=True).rename(setting="trial")
    tune, report, judge = (scores.sel(part=p, drop=True) for p in PARTS)
    return tune, report, judge


def outcome(d: xr.Dataset) -> xr.Dataset:
    """Both protocols, [seed, method]; either half of the second phase's streams judges what the other chose."""
    return tuning.crossed(*tables(d))


def by_count(d: xr.Dataset) -> xr.Dataset:
    """Both protocols by the number of settings that were tried, [seed, method, count]."""
    tune, report, judge = (t.mean("stream") for t in tables(d))
    counts = range(1, tune.sizes["trial"] + 1)
    return 0.5 * (tuning.by_trials(tune, report, judge, counts) + tuning.by_trials(tune, judge, report, counts))


# -- one number a laboratory ------------------------------------------------------------------------------------------


def optimism(d: xr.Dataset) -> xr.DataArray:
    """What the conventional protocol reports above the two-phase one, mean over methods."""
    return outcome(d).optimism.mean("method")


def optimism_by_method(d: xr.Dataset) -> xr.DataArray:
    """The same by method; methods lie on the axis that a statistic over seeds gets whole."""
    return outcome(d).optimism.rename(method="time").drop_vars("time")


def curse(d: xr.Dataset) -> xr.DataArray:
    """What the favourite setting loses in new runs, mean over methods."""
    return outcome(d).curse.mean("method")


def regret(d: xr.Dataset) -> xr.DataArray:
    """What the favourite setting is better than the transferred one in new runs, mean over methods."""
    return outcome(d).regret.mean("method")


def curse_over_regret(d: xr.Dataset) -> xr.DataArray:
    """How much more of the optimism is luck than a worse setting, mean over methods."""
    return curse(d) - regret(d)


def disagreement(d: xr.Dataset) -> xr.DataArray:
    """One minus Kendall's tau of the two protocols' rankings of methods: 0 if they agree, 2 if one is the reverse."""
    o = outcome(d)
    return 1.0 - tuning.rank_correlation(o.conventional, o.two_phase)


def swap(d: xr.Dataset) -> xr.DataArray:
    """How clearly two methods change places, the pair being chosen by the other laboratories."""
    o = outcome(d)
    return tuning.swaps(o.conventional, o.two_phase)


def knobs_and_optimism(d: xr.Dataset) -> xr.DataArray:
    """Spearman's correlation over methods of how much is tuned with optimism."""
    o = outcome(d).optimism
    knobs = xr.DataArray([float(KNOBS[str(m)]) for m in o.method.values], dims="method", coords={"method": o.method})
    return tuning.rank_correlation(knobs, o, kind="spearman")


def simple_over_many(d: xr.Dataset) -> xr.DataArray:
    """Optimism of plain replay minus that of the methods with most knobs."""
    o = outcome(d).optimism
    many = [m for m in o.method.values if KNOBS[str(m)] == max(KNOBS.values())]
    return o.sel({"method": "ER"}, drop=True) - o.sel({"method": many}).mean("method")


def first_task(d: xr.Dataset) -> xr.DataArray:
    """What choosing after the first task gives in the end, minus what choosing after the last one does."""
    early, (tune, *second) = tables(d, time=1)[0], tables(d)
    scores = sum(second) / 2
    return (tuning.at_trial(scores, tuning.best(early)) - tuning.at_trial(scores, tuning.best(tune))).mean("method")


def of_one_setting(d: xr.Dataset) -> xr.DataArray:
    """Optimism if a single setting had been tried."""
    return by_count(d).optimism.isel(count=0, drop=True).mean("method")


def growth(d: xr.Dataset) -> xr.DataArray:
    """Optimism of all settings minus that of a quarter of them."""
    o = by_count(d).optimism.mean("method")
    return o.isel(count=-1, drop=True) - o.isel(count=max(o.sizes["count"] // 4 - 1, 0), drop=True)


def against_defaults(d: xr.Dataset) -> xr.DataArray:
    """What the two-phase protocol reports minus what the defaults give, mean over methods."""
    default = named(d).isel(time=-1, setting=-1, drop=True).sel(part=list(PARTS[1:])).mean(["stream", "part"])
    return (outcome(d).two_phase - default).mean("method")


def transfer(d: xr.Dataset) -> xr.DataArray:
    """Spearman's correlation over settings of first-phase scores with second-phase scores, mean over methods."""
    tune, report, judge = tables(d)
    second = ((report + judge) / 2).mean("stream")
    found = tuning.rank_correlation(tune.mean("stream"), second, dim="trial", kind="spearman")
    return found.mean("method")


def replay_over_none(d: xr.Dataset) -> xr.DataArray:
    """Plain replay minus nothing done, as the two-phase protocol reports them."""
    o = outcome(d).two_phase
    return o.sel({"method": "ER"}, drop=True) - o.sel({"method": "naive"}, drop=True)


def least_of_all(rows: np.ndarray) -> float:
    """The least mean over seeds of any method."""
    return float(np.nanmean(rows, axis=0).min())


POINT = "a point of a hundred; methods are commonly told apart by one or two"

CLAIMS = (
    el.Claim(
        "A memory keeps what a network without one loses",
        el.level(replay_over_none, "near"),
        ">",
        0.2,
        published="class-incremental learning needs exemplars",
        about="wiring; accuracy over ten classes, a fifth of which is the last task alone",
    ),
    el.Claim(
        "Methods tuned on the data they are judged on look better than they are",
        el.level(optimism, "near"),
        ">",
        0.01,
        published="most methods fail to repeat their reported performance (Cha and Cho 2024)",
        about=f"mean over methods; {POINT}",
    ),
    el.Claim(
        "every one of them",
        el.level(optimism_by_method, "near", statistic=least_of_all),
        ">",
        0.002,
        published="most, not all",
        about="the method with the least; a fifth of a point",
    ),
    el.Claim(
        "The two protocols rank methods differently",
        el.level(disagreement, "near"),
        ">",
        0.05,
        published="rankings do not transfer",
        about="1 - Kendall's tau; one pair in forty",
    ),
    el.Claim(
        "and there are two methods that change places, time and again",
        el.level(swap, "near"),
        ">",
        0.005,
        published="several recent methods fall below older ones",
        about="half a point ahead in either protocol; the pair is chosen by the other laboratories",
        expect="inconclusive",
    ),
    el.Claim(
        "Where the second phase's data are something else they rank differently, too",
        el.level(disagreement, "far"),
        ">",
        0.05,
        published="rankings do not transfer",
        about="1 - Kendall's tau",
    ),
    el.Claim(
        "and there are two methods that change places there",
        el.level(swap, "far"),
        ">",
        0.005,
        published="several recent methods fall below older ones",
        about="half a point ahead in either protocol",
        expect="inconclusive",
    ),
    el.Claim(
        "The more there is to tune, the larger the optimism",
        el.level(knobs_and_optimism, "near"),
        ">",
        0.1,
        published="newer methods, with more hyper-parameters, are more sensitive",
        about="Spearman's correlation over methods; a tenth is hardly anything",
        expect="inconclusive",
    ),
    el.Claim(
        "so plain replay is less flattered than methods with three knobs",
        el.level(simple_over_many, "near"),
        "<",
        0.005,
        published="the same",
        about="half a point",
        expect="inconclusive",
    ),
    el.Claim(
        "To choose after the first task is as good as after the last",
        el.level(first_task, "near"),
        "=",
        0.02,
        published="no framework is better than another, so take the cheapest (Lee et al. 2024)",
        about="two points of a hundred, mean over methods",
        expect="refuted",
    ),
    el.Claim(
        "With a single setting there is nothing to choose, and the protocols agree",
        el.level(of_one_setting, "near"),
        "=",
        0.01,
        published="by definition",
        about="wiring: as either half of the second phase's streams judges the other it is 0 by construction",
    ),
    el.Claim(
        "The more settings are tried, the larger the optimism",
        el.level(growth, "near"),
        ">",
        0.003,
        published="as the largest of more draws (not measured there)",
        about="all settings against a quarter; a third of a point",
    ),
    el.Claim(
        "Where both phases have the same things in them, optimism is luck and not a worse setting",
        el.level(curse_over_regret, "near"),
        ">",
        0.003,
        published="not told apart there",
        about="winner's curse minus regret, a third of a point",
        expect="inconclusive",
    ),
    el.Claim(
        "On other data the transferred setting is worse as well",
        el.contrast(regret, "far", "near"),
        ">",
        0.01,
        published="settings do not generalise",
        about=POINT,
        expect="inconclusive",
    ),
    el.Claim(
        "so that optimism grows with the distance of data",
        el.contrast(optimism, "far", "near"),
        ">",
        0.01,
        published="not told",
        about=POINT,
        expect="inconclusive",
    ),
    el.Claim(
        "A setting's score on the first phase foretells that on the second",
        el.level(transfer, "near"),
        ">",
        0.3,
        published="what the protocol stands on",
        about="Spearman's correlation over settings",
    ),
    el.Claim(
        "even if that is something else",
        el.level(transfer, "far"),
        ">",
        0.3,
        published="what the protocol stands on",
        about="Spearman's correlation over settings",
    ),
    el.Claim(
        "Tuning on other data is better than the authors' settings",
        el.level(against_defaults, "near"),
        ">",
        0.01,
        published="not told",
        about=f"{POINT}; those settings are for MNIST and many more steps",
    ),
)
