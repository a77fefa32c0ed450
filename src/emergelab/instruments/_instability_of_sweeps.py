"""`instability` of a sweep over sizes and learning rates: from labelled final losses to a result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._instability_sweep import (
    Sweep,
    boundaries,
    cells,
    contrasts,
    growth,
    predict,
    sensitivity,
)
from emergelab.instruments._instability_words import CANNOT_SEE, sweep_words
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import Estimate

__all__ = ["named", "sweep_result"]

_LARGEST = 1e100  # beyond this a number is a failure, as for all instruments


def named(data: xr.Dataset | xr.DataArray, var: str | None) -> xr.DataArray:
    """The observable, as it is in the data."""
    if isinstance(data, xr.DataArray):
        if var is not None and data.name is not None and data.name != var:
            raise UserError(f"the array is named {data.name!r}, not {var!r}")
        return data if data.name is not None else data.rename(var or "value")
    names = [str(n) for n in data.data_vars if n not in ("ended", "censored")]
    if var is None and len(names) == 1:
        var = names[0]
    if var is None:
        raise UserError(f"the data hold {len(names)} observables; say which one: {', '.join(names) or '(none)'}")
    if var not in names:
        raise UserError(f"no observable {var!r} in the data{nearest(var, names)}")
    return data[var]


def _block(
    array: xr.DataArray, rate: str, size: str, by: str | None, seeds: str
) -> tuple[Float[np.ndarray, "condition seed size rate"], xr.DataArray]:
    """The values in the order (condition, seed, size, rate), sorted along the last two."""
    dims = [by or "condition", seeds, size, rate]
    extra = [str(d) for d in array.dims if d not in dims]
    if extra:
        raise UserError(f"instability: {array.name!r} also has the dims {', '.join(extra)}; reduce them first")
    if array.size == 0:
        raise UserError(f"instability: {array.name!r} holds no run at all")
    for d in (rate, size):
        if d in array.dims:
            if d not in array.coords:
                raise UserError(f"instability: dim {d!r} has no coordinate; use .assign_coords({d}=...)")
            try:
                places = np.asarray(array[d].values, dtype=float)
            except (TypeError, ValueError):
                raise UserError(f"instability: coordinate {d!r} must be numbers, got {array[d].dtype}") from None
            if not (np.isfinite(places) & (places > 0)).all():
                raise UserError(f"instability: coordinate {d!r} must be positive and finite")
            if len(np.unique(places)) < len(places):
                raise UserError(f"instability: coordinate {d!r} holds the same value twice")
            array = array.sortby(d)
    for d in dims:
        if d not in array.dims:
            array = array.expand_dims({d: [1.0] if d == size else 1})
    array = array.transpose(*dims)
    return np.array(array.values, dtype=float), array


def _initial(
    given: Any,
    source: xr.Dataset | xr.DataArray,
    size: str,
    sizes: Float[np.ndarray, "size"],
    loss: np.ndarray,
    notes: list[str],
) -> Float[np.ndarray, "size"]:
    if given is None:
        finite = loss[np.isfinite(loss) & (np.abs(loss) < _LARGEST)]
        notes.append(
            "no loss at initialisation was given: diverged runs count as the largest finite loss of the sweep, and "
            "only infinite losses count as diverged"
        )
        return np.full(len(sizes), float(finite.max()) if len(finite) else np.nan)
    if isinstance(given, int | float | np.number):
        if not np.isfinite(given):
            raise UserError(f"instability: initial must be finite, got {given}")
        return np.full(len(sizes), float(given))
    if isinstance(given, str):
        names = [str(n) for n in source.data_vars] if isinstance(source, xr.Dataset) else []
        if given not in names:
            raise UserError(f"instability: initial: no variable {given!r} in the data{nearest(given, names)}")
        given = source[given]
    if not isinstance(given, xr.DataArray):
        raise UserError("instability: initial must be a number, the name of a variable or a DataArray")
    others = [d for d in given.dims if d != size]
    one = given.mean(others) if others else given
    if size in one.dims:
        if size not in one.coords or not np.isin(sizes, one[size].values).all():
            raise UserError(f"instability: initial does not cover the coordinate {size!r} of the sweep")
        one = one.sel({size: sizes})
    return np.broadcast_to(np.asarray(one.values, dtype=float), (len(sizes),)).copy()


def sweep_result(
    given: xr.Dataset | xr.DataArray,
    array: xr.DataArray,
    precursor: Any,
    initial: Any,
    between: tuple[float, float] | None,
    at: Sequence[float],
    rate: str,
    size: str,
    by: str | None,
    seeds: str,
    level: float,
    draws: int,
    rng: np.random.Generator,
    params: dict[str, Any],
) -> Result:
    """Judge a sweep; see `instability`."""
    notes: list[str] = []
    has_seeds = seeds in array.dims
    if between is not None and rate in array.coords:
        array = array.sel({rate: array[rate].values[_inside(array[rate].values, between)]})
    loss, tidy = _block(array, rate, size, by, seeds)
    sizes, rates = tidy[size].values.astype(float), tidy[rate].values.astype(float)
    first = tidy.dims[0]
    labels = tuple(str(c) for c in tidy[first].values) if first in array.coords else _plain(tidy, str(first), array)
    cap = _initial(initial, given, size, sizes, loss, notes)
    gone = np.isinf(loss) | (np.abs(loss) >= _LARGEST)
    diverged: Bool[np.ndarray, "condition seed size rate"] = gone
    if initial is not None:
        with np.errstate(invalid="ignore"):
            diverged = gone | (loss >= cap[:, None])
    with np.errstate(invalid="ignore"):
        capped = np.where(np.isnan(loss), np.nan, np.minimum(np.where(gone, np.inf, loss), cap[:, None]))
    sweep = Sweep(
        capped, diverged, labels, tuple(np.asarray(tidy[seeds].values).tolist()) if seeds in array.coords
        else tuple(range(loss.shape[1])), sizes, rates, cap,
    )  # fmt: skip
    forecast = _forecast(given, precursor, sweep, at, rate, size, by, seeds, between, level, draws, rng)
    table, each = sensitivity(sweep, level, draws, rng)
    grown, slopes = growth(sweep, level, draws, rng)
    edge = boundaries(sweep, level, draws, rng)
    compared, gaps = contrasts(sweep, level, draws, rng)
    if not has_seeds:
        notes.append("there is no dim of seeds: no interval is claimed")
    verdict, headline, estimate, p, null = _sweep_verdict(sweep, each, grown, slopes, compared, gaps, level)
    shown = cells(sweep, level)
    digest = hashlib.sha256(np.ascontiguousarray(loss).tobytes() + rates.tobytes() + sizes.tobytes()).hexdigest()[:16]
    worst = float(table["S"].max()) if table["S"].notna().any() else float("nan")
    dims = ("condition", "seed", "size", "rate")
    return Result(
        instrument="instability",
        question=f"How sensitive is {array.name} to the learning rate, and where does it diverge?",
        verdict=verdict,
        estimate=estimate,
        headline=headline,
        p=p,
        null=null,
        effect=Effect("largest sensitivity S", worst),
        n_seeds=loss.shape[1] if has_seeds else 1,
        tables={
            "sensitivity": table, "growth": grown, "boundary": edge, "cells": shown, "contrasts": compared,
            "prediction": forecast,
        },
        diagnostics=xr.Dataset(
            {"loss": (dims, capped), "diverged": (dims, diverged)},
            coords={"condition": list(labels), "seed": list(sweep.seeds), "size": sizes, "rate": rates},
            attrs={"kind": "sweep", "observable": str(array.name), "rate_name": rate, "size_name": size},
        ),
        warnings=tuple(notes + _sweep_cautions(sweep, table)),
        words=sweep_words(str(array.name), sweep, table, grown, edge, compared, forecast, verdict),
        cannot_see=CANNOT_SEE["sweep"],
        params={n: v for n, v in params.items() if n != "rng"},
        provenance=provenance(digest, params["rng"]),
        _draw=_draw,
    )  # fmt: skip


def _inside(values: Any, between: tuple[float, float]) -> np.ndarray:
    low, high = between
    try:
        places = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise UserError("instability: the coordinate of rates must be numbers") from None
    keep = (places >= low * (1 - 1e-9)) & (places <= high * (1 + 1e-9))
    if keep.sum() < 2:
        raise UserError(f"instability: fewer than two rates lie between {low:g} and {high:g}")
    return np.asarray(keep)


def _plain(tidy: xr.DataArray, name: str, array: xr.DataArray) -> tuple[str, ...]:
    return ("all",) if name not in array.dims else tuple(str(n) for n in range(tidy.sizes[name]))


def _forecast(
    given: xr.Dataset | xr.DataArray, precursor: Any, sweep: Sweep, at: Sequence[float], rate: str, size: str,
    by: str | None, seeds: str, between: tuple[float, float] | None, level: float, draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    columns = ["condition", "size", "rate", "low", "high", "held_out_error", "note"]
    if precursor is None:
        return pd.DataFrame(columns=columns)
    if not isinstance(precursor, Mapping) or len(precursor) != 1 or not isinstance(given, xr.Dataset):
        raise UserError(
            'instability: in a sweep, precursor is one variable of the Dataset with its critical value: {"name": value}'
        )
    name, critical = next(iter(precursor.items()))
    if not (np.isfinite(critical) and critical > 0):
        raise UserError(f"instability: the critical value of {name!r} must be above 0, got {critical}")
    other = named(given, str(name))
    if between is not None and rate in other.coords:
        other = other.sel({rate: other[rate].values[_inside(other[rate].values, between)]})
    block, _ = _block(other, rate, size, by, seeds)
    if block.shape[2:] != sweep.loss.shape[2:] or any(
        n not in (1, m) for n, m in zip(block.shape[:2], sweep.loss.shape[:2], strict=True)
    ):
        raise UserError(f"instability: precursor {name!r} has other sizes, rates, conditions or seeds than the loss")
    wide = np.broadcast_to(block, sweep.loss.shape)
    return predict(sweep, wide, float(critical), [*sweep.sizes.tolist(), *map(float, at)], level, draws, rng)


def _sweep_verdict(
    sweep: Sweep, each: list[Estimate], grown: pd.DataFrame, slopes: list[Estimate], compared: pd.DataFrame,
    gaps: list[Estimate], level: float,
) -> tuple[str, str, Estimate, float, Null]:  # fmt: skip
    alpha = 1 - level
    if len(sweep.conditions) == 1:
        if len(sweep.sizes) == 1:
            verdict = "diverges" if sweep.diverged.any() else "does not diverge"
            return verdict, "sensitivity S", each[0], float("nan"), Null("no test", 0)
        e = slopes[0]
        p = float(grown["p"].iloc[0])
        verdict = "growth not shown"
        if p <= alpha:
            verdict = "grows with size" if e.value > 0 else "falls with size"
        return verdict, "change of S per decade of size", e, p, Null("inverted interval over seeds", 0)
    p = compared["p"].to_numpy(dtype=float)
    best = int(np.nanargmin(p)) if np.isfinite(p).any() else 0
    adjusted = float(min(1.0, p[best] * len(p))) if np.isfinite(p).any() else float("nan")
    headline = f"S of {compared['a'].iloc[best]} minus S of {compared['b'].iloc[best]}"
    verdict = "inconclusive"
    if adjusted <= alpha:
        verdict = "differ" if len(p) > 1 else "less sensitive" if gaps[best].value < 0 else "more sensitive"
    null = Null("signs of paired seeds", int(compared["draws"].iloc[best]))
    return verdict, headline, gaps[best], adjusted, null


def _sweep_cautions(sweep: Sweep, table: pd.DataFrame) -> list[str]:
    out = []
    edge = table[table["best_at_edge"]]
    if len(edge):
        out.append(
            f"in {len(edge)} of {len(table)} cells the best rate is at the end of the grid: the lowest loss, and with "
            "it S, is not known"
        )
    if not np.isfinite(sweep.loss).all():
        out.append("runs are missing from the sweep; cells without any run make S undefined")
    if sweep.loss.shape[1] < 3:
        out.append("fewer than three seeds a cell: no interval and no p")
    if len(sweep.rates) and sweep.diverged[..., 0].any():
        out.append("runs diverge at the lowest rate already: a problem of warm-up or of code rather than of the rate")
    return out


def _draw(result: Result) -> Any:
    from emergelab.instruments._instability_plot import draw

    return draw(result)
