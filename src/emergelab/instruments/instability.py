"""instability: which runs break down, at what rate and size, and could it be told beforehand?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from emergelab.errors import UserError
from emergelab.instruments._curves import as_dataset
from emergelab.instruments._instability_of_runs import runs_result
from emergelab.instruments._instability_of_sweeps import named, sweep_result
from emergelab.instruments.result import Result

__all__ = ["instability"]


def instability(
    data: Any,
    var: str | None = None,
    *,
    direction: str = "up",
    k: float = 5.0,
    window: int = 25,
    recovery: int = 10,
    since: float | None = None,
    precursor: str | Sequence[str] | Mapping[str, float] | None = None,
    initial: float | str | xr.DataArray | None = None,
    between: tuple[float, float] | None = None,
    at: Sequence[float] = (),
    rate: str = "lr",
    size: str = "size",
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    fraction: float = 0.5,
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Find breakdowns of training in single runs, or how they depend on learning rate and size in a sweep.

    Data with a dim ``rate`` are a **sweep** of final losses. The sensitivity S is the mean, over the logarithm of the
    rate, of how far the loss (capped at its value at initialisation) lies above its lowest value; the lowest value is
    taken on the mean curve over seeds, and whole curves are resampled. A run has diverged if it ends no better than it
    began. The highest stable rate is fitted as c N^-k.

    Other data are **runs** over ``along``. A record is a spike if it lies more than ``k`` robust standard deviations
    above the median of the ``window`` records before it. Whether the largest one in a seed is more than noise is judged
    on surrogates with the seed's trend and autocorrelation (Benjamini-Hochberg over seeds). A spike that is not back
    within ``recovery`` records is a breakdown. Nothing is smoothed, since smoothing removes spikes.

    Not here: a mixed logistic regression of divergence (edges are found seed by seed, which needs no convergence and
    is defined where stable and diverged runs are perfectly apart), and rules for single quantities, such as gradients
    that fall to an optimiser's epsilon: give such a quantity, turned so that up is bad, as a precursor.

    Args:
        data: a Run, an `xarray.Dataset` or a `DataArray`; a sweep has dims among (``by``, ``seeds``, ``size``,
            ``rate``), runs have dims among (``by``, ``seeds``, ``along``).
        var: name of the observable; may be left out if there is only one.
        direction: of what is bad: "up" for a loss, "down" for a score. Sweeps are losses.
        k: robust standard deviations of a spike, at least 3.
        window: records before a record that it is compared with, at least 5; never more than a fifth of a record.
        recovery: records within which a spike must be back.
        since: runs are judged from this time on.
        precursor: runs: other observables, with a critical value each if given as a mapping; sweeps: one observable
            with the same dims and its critical value, e.g. {"logit_max": 1e4}, whose crossing is predicted.
        initial: loss at initialisation: a number, the name of a variable or an array over ``size``; None: the largest
            finite loss of the sweep.
        between: rates between which the sensitivity is taken; None: all.
        at: sizes for which the crossing is predicted, besides those of the sweep.
        rate: dim of learning rates; its coordinate must be positive.
        size: dim of model sizes; its coordinate must be positive. It may be missing.
        along: dim of time of runs.
        by: dim of conditions (interventions), or None. It may be missing.
        seeds: dim of seeds. If it is missing, everything is "within-run only".
        fraction: "unstable" is said if more than this share of seeds is.
        level: confidence level.
        draws: bootstrap draws, relabellings and surrogates, at least 100.
        rng: seed or generator.

    Returns:
        A `Result`. Runs: "stable" (no seed breaks down or spikes), "unstable" (more than ``fraction`` do), "some seeds
        unstable", "untested", "differs by condition". Sweeps of one condition: "grows with size", "falls with size",
        "growth not shown", or with one size "diverges" / "does not diverge"; of two: "less sensitive" / "more
        sensitive" (the first against the second), "inconclusive"; of more: "differ" or "inconclusive". Tables of runs:
        "seeds", "spikes", "conditions", "precursors"; of sweeps: "sensitivity", "growth", "boundary", "cells",
        "contrasts", "prediction".

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    _check(direction, k, window, recovery, fraction, level, draws)
    source = np.random.default_rng(rng)
    given = as_dataset(data)
    array = named(given, var)
    params: dict[str, Any] = {
        "direction": direction, "k": k, "window": window, "recovery": recovery, "since": since,
        "precursor": dict(precursor) if isinstance(precursor, Mapping) else precursor,
        "initial": f"array {initial.name!r}" if isinstance(initial, xr.DataArray) else initial,
        "between": between, "at": list(at), "rate": rate, "size": size, "along": along, "by": by, "seeds": seeds,
        "fraction": fraction, "level": level, "draws": draws,
    }  # fmt: skip
    if rate in array.dims:
        return sweep_result(given, array, precursor, initial, between, at, rate, size, by, seeds, level, draws, source,
                      {**params, "rng": rng})  # fmt: skip
    return runs_result(given, array, precursor, by, seeds, along, source, {**params, "rng": rng})


def _check(direction: str, k: float, window: int, recovery: int, fraction: float, level: float, draws: int) -> None:
    if direction not in ("up", "down"):
        raise UserError(f'instability: direction must be "up" or "down", got {direction!r}')
    if not k >= 3:
        raise UserError(f"instability: k must be at least 3 robust standard deviations, got {k}")
    if window < 5 or recovery < 1:
        raise UserError(f"instability: window must be at least 5 and recovery at least 1, got {window} and {recovery}")
    if not 0 < fraction < 1 or not 0 < level < 1:
        raise UserError(f"instability: fraction and level must be in (0, 1), got {fraction} and {level}")
    if draws < 100:
        raise UserError(f"instability: draws must be at least 100, got {draws}")
