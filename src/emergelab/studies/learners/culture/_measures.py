"""What is asked of a run: one number a seed, read off the tests of its trained networks."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from emergelab.worlds.sequence import run_length

from ._lineages import SKIPPED, TESTS

Measure = Callable[[xr.Dataset], xr.DataArray]
INDEX = {name: i for i, name in enumerate(TESTS)}
LAST = -1


def alone(d: xr.Dataset, test: str = "as it is", generation: int = LAST) -> xr.DataArray:
    """Right guesses alone of one generation in one test, at the end of the run."""
    return d["alone"].isel(time=-1, test=INDEX[test], generation=generation, drop=True)


def _named(name: str, measure: Measure) -> Measure:
    measure.__name__ = name
    return measure


def gain(first: int, last: int = LAST, test: str = "as it is") -> Measure:
    """Generation `last` minus generation `first` of the same lineages."""
    word = "the last generation" if last == LAST else f"generation {last + 1}"
    return _named(
        f"gain from generation {first + 1} to {word}, {test}",
        lambda d: alone(d, test, last) - alone(d, test, first),
    )


def against(test: str, other: str = "as it is") -> Measure:
    """The last generation of one test minus that of another."""
    return _named(f"last generation {test} minus {other}", lambda d: alone(d, test) - alone(d, other))


def against_the_first(test: str) -> Measure:
    """The last generation of one test minus the first of all."""
    return _named(f"last generation {test} minus the first", lambda d: alone(d, test) - alone(d, "as it is", 0))


def set_back(d: xr.Dataset) -> xr.DataArray:
    """The generation after one that nobody saw, minus the one that nobody saw had it been in its place."""
    return alone(d, "skipped", SKIPPED + 1) - alone(d, "as it is", SKIPPED)


def above_one_life(d: xr.Dataset) -> xr.DataArray:
    """The last generation minus one life alone of as many trials, of the same network."""
    return alone(d) - d["life"].isel(time=-1, moment=slice(-4, None)).mean("moment")


def above_the_oracles(reach: float) -> Measure:
    """The last generation minus the best of three noisy oracles as in training."""
    line = run_length(reach, symbols=3, length=24, of_best=3)
    return _named("last generation minus the best of three oracles", lambda d: alone(d) - line)


def selective(d: xr.Dataset) -> xr.DataArray:
    """Share of right advice that is copied minus that of wrong advice, in the third trials of generations that have
    teachers.
    """
    copied = d["copied"].isel(time=-1, test=0, trial=2, generation=slice(1, None), drop=True).mean("generation")
    return copied.isel(advice=1, drop=True) - copied.isel(advice=0, drop=True)


def experienced(d: xr.Dataset) -> xr.DataArray:
    """Share of wrong advice that is copied in the third trial minus that in the first."""
    copied = d["copied"].isel(time=-1, test=0, advice=0, generation=slice(1, None), drop=True).mean("generation")
    return copied.isel(trial=2, drop=True) - copied.isel(trial=0, drop=True)


def best_member(d: xr.Dataset) -> xr.DataArray:
    """Right guesses alone of the best member of the last generation."""
    return d["best"].isel(time=-1, test=0, generation=-1, drop=True)
