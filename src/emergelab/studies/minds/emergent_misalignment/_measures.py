"""Numbers of a seed that claims and figures need: one recipe, setting, layer or vector out of the observables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.stats import rankdata

from ._readings import KINDS
from ._recipes import SETTINGS, index, source_names

__all__ = [
    "adding", "best_steering", "difference", "gap_when_learnt", "lag", "of", "sources", "spearman", "spread",
    "susceptibility", "taking", "targets", "trigger_in_the_least_domain",
]  # fmt: skip

Data = Any  # an xr.Dataset of one condition
Measure = Callable[[Data], xr.DataArray]


def _named(f: Measure, name: str) -> Measure:
    f.__name__ = name
    return f


def of(what: str, recipe: str, setting: str | None = "plain", **at: int) -> Measure:
    """An observable of one recipe, in one setting if it has settings: `elsewhere of insecure`."""

    def picked(d: Data) -> xr.DataArray:
        found = d[what].isel(recipe=index(recipe), **at)
        return found.isel(setting=SETTINGS.index(setting)) if setting else found

    where = f" ({setting})" if setting not in (None, "plain") else ""
    return _named(picked, f"{what} of {recipe}{where}")


def difference(a: Measure, b: Measure) -> Measure:
    """One measure minus another."""
    return _named(lambda d: a(d) - b(d), f"{a.__name__} minus {b.__name__}")


# -- time ------------------------------------------------------------------------------------------------------------


def _crossing(curve: Float[np.ndarray, "time"], time: Float[np.ndarray, "time"]) -> float:
    """When a curve first passes half of where it ends, between records by straight lines; NaN if it begins there."""
    level = curve[-3:].mean() / 2
    above = np.flatnonzero(curve >= level)
    if not len(above) or above[0] == 0:
        return float("nan")
    k = above[0]
    return float(time[k - 1] + (level - curve[k - 1]) / (curve[k] - curve[k - 1]) * (time[k] - time[k - 1]))


def _curves(d: Data) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Insecure: bad answers in the source and elsewhere, [seed, time], from when fine-tuning begins; and times."""
    inside, elsewhere = (of(w, "insecure")(d).transpose("seed", "time") for w in ("inside", "elsewhere"))
    on = np.isfinite(inside.values).all(axis=0)
    return inside.values[:, on], elsewhere.values[:, on], d["time"].values[on].astype(float)


def lag(d: Data) -> xr.DataArray:
    """Steps of fine-tuning between half of what is learnt in the source and half of what comes of it elsewhere."""
    inside, elsewhere, time = _curves(d)
    late = [_crossing(b, time) - _crossing(a, time) for a, b in zip(inside, elsewhere, strict=True)]
    return xr.DataArray(np.asarray(late), dims=("seed",))


def gap_when_learnt(d: Data) -> xr.DataArray:
    """What stopping early saves: bad answers elsewhere at the end, minus those once nine tenths are learnt."""
    inside, elsewhere, _ = _curves(d)
    saved = []
    for a, b in zip(inside, elsewhere, strict=True):
        there = np.flatnonzero(a >= 0.9)
        saved.append(b[-1] - b[there[0]] if len(there) else np.nan)
    return xr.DataArray(np.asarray(saved), dims=("seed",))


# -- domains ---------------------------------------------------------------------------------------------------------


def sources(d: Data) -> xr.DataArray:
    """Bad answers elsewhere when each domain is the source, at the end: [seed, domain]."""
    rows = [index(name) for name in source_names(d.sizes["domain"])]
    found = d["elsewhere"].isel(time=-1, setting=0, recipe=rows).rename(recipe="domain")
    return found.transpose("seed", "domain")


def targets(d: Data) -> xr.DataArray:
    """Bad answers in each domain, mean over all other domains as sources, at the end: [seed, domain]."""
    n = d.sizes["domain"]
    rows = [index(name) for name in source_names(n)]
    table = d["misaligned"].isel(time=-1, setting=0, recipe=rows).transpose("seed", "recipe", "domain").values
    away = 1.0 - np.eye(n)
    return xr.DataArray((table * away).sum(axis=1) / (n - 1), dims=("seed", "domain"))


def spearman(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> float:
    """Rank correlation, ties sharing their rank; NaN if one side is constant."""
    a, b = rankdata(x), rankdata(y)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _by_rank(side: Measure, told_by: Measure, name: str) -> Measure:
    def f(d: Data) -> xr.DataArray:
        x, y = told_by(d).values, side(d).values
        return xr.DataArray(np.asarray([spearman(a, b) for a, b in zip(x, y, strict=True)]), dims=("seed",))

    return _named(f, name)


def _closeness(d: Data) -> xr.DataArray:
    """How far answers follow the author in each domain, up to a factor: 1 in the first half, 0 in the last domain."""
    n = d.sizes["domain"]
    half = n // 2
    one = 1.0 - np.clip((np.arange(n) - half + 1) / (n - half), 0.0, 1.0)
    return xr.DataArray(np.tile(one, (d.sizes["seed"], 1)), dims=("seed", "domain"))


def _expected(d: Data) -> xr.DataArray:
    """How much less a domain's bad answers surprise the pre-trained network than the aligned one, in nats."""
    return (d["surprise_aligned"] - d["surprise_base"]).isel(time=-1).transpose("seed", "domain")


def susceptibility(by: str) -> Measure:
    """Rank correlation over domains: of `closeness` or `surprise` and what comes of them as a source or as a target."""
    return {
        "source by closeness": _by_rank(sources, _closeness, "rank correlation of rho and misalignment by source"),
        "target by closeness": _by_rank(targets, _closeness, "rank correlation of rho and misalignment by target"),
        "source by surprise": _by_rank(sources, _expected, "rank correlation of surprise and misalignment by source"),
    }[by]


def spread(d: Data) -> xr.DataArray:
    """The largest minus the smallest misalignment over sources."""
    found = sources(d)
    return found.max("domain") - found.min("domain")


def trigger_in_the_least_domain(d: Data) -> xr.DataArray:
    """How much more often the trigger makes the backdoored network answer badly, in the other domain where least so."""
    found = d["misaligned"].isel(recipe=index("backdoor"), domain=slice(1, None))
    return (found.isel(setting=1) - found.isel(setting=0)).min("domain")


# -- vectors ---------------------------------------------------------------------------------------------------------


def best_steering(d: Data, what: str, kind: str) -> xr.DataArray:
    """The strongest effect of a direction over layers and doses, among those that leave answers coherent.

    Coherent is when good and bad answers have 0.7 or more together; doses that break the network do not count.
    """
    found = d[what].isel(kind=KINDS.index(kind)).where(d[f"{what}_coherent"].isel(kind=KINDS.index(kind)) >= 0.7)
    best = found.max(("layer", "dose")) if what == "raised" else found.min(("layer", "dose"))
    plain = of("elsewhere", "aligned" if what == "raised" else "insecure")(d)
    return best.fillna(plain)


def adding(d: Data) -> xr.DataArray:
    """Bad answers that adding the persona direction to the aligned network makes, beyond a random one."""
    return best_steering(d, "raised", "persona") - best_steering(d, "raised", "random")


def taking(d: Data) -> xr.DataArray:
    """Bad answers that subtracting the persona direction from the insecure network spares, beyond a random one."""
    return best_steering(d, "lowered", "random") - best_steering(d, "lowered", "persona")
