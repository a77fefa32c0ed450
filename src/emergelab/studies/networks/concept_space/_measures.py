"""What the claims measure on a run's curves, seed by seed."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from ._system import CLASSES, WAYS

__all__ = [
    "ABLE", "KNOWN", "beside", "bow", "colour_before_size", "lag", "late", "leaning", "learnt", "of_way", "without",
]  # fmt: skip

KNOWN = 0.8
"""Share of right pictures from which on a concept counts as learnt."""
ABLE = 0.75
"""Share of right pictures from which on the network counts as able to make class 11."""

Measure = Callable[[xr.Dataset], xr.DataArray]


def steps_below(d: xr.Dataset, name: str, threshold: float) -> xr.DataArray:
    """How many steps of the run an observable spends below a threshold, seed by seed.

    For a curve that crosses once this is the last record before it does, and the length of the run if it never does (a
    restricted time, whose mean over seeds is the restricted mean). What is lost again counts as not yet had.
    """
    after = d[name].isel(time=slice(1, None))
    length = float(d.time.values[-1] - d.time.values[0])
    return (after < threshold).mean("time") * length


def without(name: str) -> Measure:
    """Steps without the ability to make class 11 in some way (`plain`, `latent`, ...)."""

    def measure(d: xr.Dataset) -> xr.DataArray:
        return steps_below(d, name, ABLE)

    measure.__name__ = f"steps_without_{name}"
    return measure


def lag(late: str, early: str) -> Measure:
    """How many steps longer one way of asking for class 11 is without it than another."""

    def measure(d: xr.Dataset) -> xr.DataArray:
        return steps_below(d, late, ABLE) - steps_below(d, early, ABLE)

    measure.__name__ = f"lag_of_{late}_behind_{early}"
    return measure


def learnt(concept: str) -> Measure:
    """Steps until a concept (`colour` or `size`) is right on the new class, as `steps_below` counts them."""

    def measure(d: xr.Dataset) -> xr.DataArray:
        return steps_below(d, f"right_{concept}", KNOWN)

    measure.__name__ = f"steps_until_{concept}"
    return measure


def colour_before_size(d: xr.Dataset) -> xr.DataArray:
    """How many steps earlier the colour is learnt than the size."""
    return learnt("size")(d) - learnt("colour")(d)


def beside(d: xr.Dataset) -> xr.DataArray:
    """How far the pictures for prompt 11 lie beside the straight way from 00 to 11, record by record.

    Half the difference of the two coordinates: 1 is at 10 (colour right, size wrong), -1 at 01, 0 on the straight
    way. Coordinates beyond the classes' means count as at the means: before there are discs to speak of, sizes are read
    that no class has.
    """
    colour, size = (of_way(name, "11")(d).clip(-1.0, 1.0) for name in ("colour", "size"))
    return (colour - size) / 2


def bow(d: xr.Dataset) -> xr.DataArray:
    """Mean of `beside` over the run after its first tenth."""
    return _after_a_tenth(beside(d)).mean("time")


def leaning(d: xr.Dataset) -> xr.DataArray:
    """Pictures for prompt 11 nearest to 10, less those nearest to 01: their shares, over the run after a tenth."""
    share = _after_a_tenth(d["nearest"]).mean("time")
    return share.isel({"class": CLASSES.index("10")}) - share.isel({"class": CLASSES.index("01")})


def late(name: str, way: str | None = None) -> Measure:
    """Mean of an observable (for one way of asking) over the last tenth of the run."""

    def measure(d: xr.Dataset) -> xr.DataArray:
        curve = d[name] if way is None else of_way(name, way)(d)
        return curve.sel(time=d.time > _until(d, 0.9)).mean("time")

    measure.__name__ = f"late_{name}" + (f"_of_{way}" if way else "")
    return measure


def of_way(name: str, way: str) -> Measure:
    """The curve of `colour`, `size` or `likeness` for one way of asking."""

    def measure(d: xr.Dataset) -> xr.DataArray:
        return d[name].isel(way=WAYS.index(way), drop=True)

    measure.__name__ = f"{name}_of_{way}"
    return measure


def _until(d: xr.Dataset | xr.DataArray, share: float) -> float:
    return float(d.time[0] + share * (d.time[-1] - d.time[0]))


def _after_a_tenth(curve: xr.DataArray) -> xr.DataArray:
    return curve.sel(time=curve.time > _until(curve, 0.1))
