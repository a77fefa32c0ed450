"""passuntil: below the visible threshold, is the success rate zero, or tiny and growing lawfully?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset
from emergelab.instruments._passuntil_rates import Records, Sampler, draw_until
from emergelab.instruments._passuntil_tables import (
    Finding,
    curvature_table,
    find,
    fits_table,
    items_table,
    rates_table,
)
from emergelab.instruments._passuntil_words import cautions, describe, diagnostics, headline_of
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import holm

__all__ = ["passuntil"]

_CANNOT_SEE = (
    "a checker that accepts degenerate answers, and truncated sampling: top-p, top-k or a temperature other than 1 "
    "change small rates by orders of magnitude, so the rates are those of the sampler as it was set. The curvature is "
    "that of the mean rate, which the easy items carry: items that differ bend it by themselves (the fit item by item "
    "shows how much). A line through few sizes is no proof that nothing switches on beyond them."
)


def passuntil(
    data: Any = None,
    *,
    sampler: Sampler | None = None,
    models: Mapping[float, Any] | None = None,
    items: Sequence[Any] | None = None,
    target: int | None = None,
    cap: int = 100_000,
    tries: str = "tries",
    passes: str = "passes",
    guess: float = 0.0,
    estimator: str = "unbiased",
    population: bool = True,
    fit: str = "likelihood",
    forecast_to: float | None = None,
    margin: float | None = None,
    along: str = "size",
    item: str = "item",
    by: str | None = "condition",
    seeds: str = "seed",
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Resolve success rates far below one in the number of samples, and read their law over size.

    Every item is tried until ``target`` passes have been seen, or ``cap`` tries made. The rate of an item is
    (target - 1) / (tries - 1), which is unbiased; passes / tries, which the paper uses, is too high by a factor of 1.2
    (target 5) to 7 (target 1) that depends on the rate. An item that met its cap is censored: neither dropped nor
    scored 0 and forgotten, its tries count.

    The task score PU(N) is the mean over items; F = ln(-ln PU) falls in a straight line over ln N if PU = exp(-c N^-a).
    The law is that of an item: c and a come from the likelihood of the counts, every item with a line of its own from
    a normal distribution over items, and a bend is tested by the likelihood ratio of one bend for all items. Where
    there are three seeds or more, the seed is the unit instead, and the law is that of the mean rate.

    Args:
        data: a Run or an `xarray.Dataset` with the variables ``tries`` and ``passes`` and dims among (``by``,
            ``seeds``, ``item``, ``along``); or None if a sampler is given. A missing number of tries is no record. A
            missing number of passes means "fewer than the target".
        sampler: (model, item, how many, generator) -> that many Booleans; sampled here, with early stop per item.
        models: size or step -> model, for the sampler.
        items: what is tried, for the sampler.
        target: passes at which sampling stops, 2 or more; None: 5 for a sampler, the largest number of passes recorded
            otherwise. A relative error of about 1 / sqrt(target - 2) per item follows.
        cap: most tries for an item (sampler only).
        tries: name of the variable of tries.
        passes: name of the variable of passes.
        guess: rate of lucky guesses, taken out of PU: (PU - guess) / (1 - guess).
        estimator: "unbiased", or "ml" (passes / tries) for nothing but reproducing the paper.
        population: whether intervals hold for other items of the kind (items are resampled, which contains the noise
            of the tries), or for these items alone (only the tries vary).
        fit: "likelihood", or "least squares" on F of the mean rate (which items that differ bend by themselves).
        forecast_to: size at which PU is forecast.
        margin: smallest change of the slope of F over the range of sizes that matters; needed for the verdict "linear".
        along: dim of size or step; it must have a coordinate above 0.
        item: dim of items.
        by: dim of conditions (series of models, tasks), or None. It may be missing.
        seeds: dim of seeds (models trained anew); it may be missing. From three seeds on they are the replicates.
        level: confidence level.
        draws: bootstrap draws.
        rng: seed or generator.

    Returns:
        A `Result` with verdict "concave" (F falls ever more steeply: accelerated), "convex" (ever less: sub-scaling),
        "linear" (any bend is within ``margin``), "no bend shown" or "undecided" (fewer than four sizes with a rate
        between 0 and 1); with several conditions "differ" if their classes do. Tables: "rates", "curvature", "fits",
        "items".

    Raises:
        UserError: the arguments do not fit the data or each other.

    Sources: Hu et al. (2024) for PassUntil, F and the classes of curvature; Haldane (1945) and Girshick, Mosteller and
    Savage (1946) for the unbiased rate. Their fit of single items helped by the loss needs losses, and is not made.
    """
    _check(data, sampler, models, items, target, cap, guess, estimator, fit, margin, level, draws, forecast_to)
    source = np.random.default_rng(rng)
    cost = None
    if sampler is not None:
        assert models is not None and items is not None
        records, cost = _sample(sampler, models, items, 5 if target is None else target, cap, source)
        name = "pass rate"
    else:
        records = _read(data, tries, passes, target, along, item, by, seeds)
        name = str(getattr(as_dataset(data), "attrs", {}).get("task", "pass rate"))
    findings = [
        find(
            r, guess=guess, estimator=estimator, population=population, fit=fit, forecast_to=forecast_to, margin=margin,
            level=level, draws=draws,
        )
        for r in records
    ]  # fmt: skip
    verdict = _verdict(findings, level)
    headline, estimate, p = headline_of(findings, forecast_to, level)
    unit = ""
    if sampler is None and isinstance(as_dataset(data), xr.Dataset):
        unit = str(as_dataset(data)[along].attrs.get("units", ""))
    tables = {
        "rates": rates_table(findings, cost),
        "curvature": curvature_table(findings),
        "fits": fits_table(findings),
        "items": items_table(findings, level),
    }
    digest = hashlib.sha256()
    for r in records:
        for block in (r.tries, r.passes, r.x):
            digest.update(np.ascontiguousarray(block).tobytes())
    return Result(
        instrument="passuntil",
        question="Below the visible threshold, is the success rate zero, or tiny and growing lawfully?",
        verdict=verdict,
        estimate=estimate,
        headline=headline,
        p=p,
        null=Null(_null(findings, population), 0),
        effect=Effect("change of the slope of F", findings[0].bend.bend if len(findings) == 1 else float("nan")),
        n_seeds=max(1, *(len(r.seeds) for r in records)),
        tables=tables,
        diagnostics=diagnostics(findings, name, along, unit, forecast_to),
        warnings=tuple(cautions(findings, estimator, population, level)),
        words=describe(findings, verdict, forecast_to, along),
        cannot_see=_CANNOT_SEE,
        params={
            "target": records[0].target,
            "cap": cap if sampler is not None else None,
            "guess": guess,
            "estimator": estimator,
            "population": population,
            "fit": fit,
            "forecast_to": forecast_to,
            "margin": margin,
            "along": along,
            "item": item,
            "by": by,
            "seeds": seeds,
            "level": level,
            "draws": draws,
        },
        provenance=provenance(digest.hexdigest()[:16], rng),
        _draw=_draw,
    )


def _draw(result: Result) -> Any:
    from emergelab.instruments._passuntil_plot import draw

    return draw(result)


def _null(findings: Sequence[Finding], population: bool) -> str:
    """What the p of the bend rests on."""
    by = {f.by for f in findings}
    if by == {"likelihood"}:
        return "no bend in the law of an item (likelihood ratio, chi-square)"
    if by == {"seeds"}:
        return "no bend in the law of the mean rate (Student t over seeds)"
    return "no change of the slope of F (Wald, errors over items)" if population else "Wald, errors of tries"


def _check(
    data: Any,
    sampler: Sampler | None,
    models: Mapping[float, Any] | None,
    items: Sequence[Any] | None,
    target: int | None,
    cap: int,
    guess: float,
    estimator: str,
    fit: str,
    margin: float | None,
    level: float,
    draws: int,
    forecast_to: float | None,
) -> None:
    if (data is None) == (sampler is None):
        raise UserError("passuntil: give recorded data, or a sampler with models and items")
    if sampler is not None and (not models or items is None or not len(items)):
        raise UserError("passuntil: a sampler needs models (size -> model) and items")
    if target is not None and (target < 2 or int(target) != target):
        raise UserError(f"passuntil: target must be a whole number of passes, 2 or more, got {target}")
    if cap < 1 or (target is not None and sampler is not None and cap < target):
        raise UserError(f"passuntil: cap must be at least the target, got {cap}")
    if not 0 <= guess < 1:
        raise UserError(f"passuntil: guess must be in [0, 1), got {guess}")
    if estimator not in ("unbiased", "ml"):
        raise UserError(f'passuntil: estimator must be "unbiased" or "ml", got {estimator!r}')
    if fit not in ("likelihood", "least squares"):
        raise UserError(f'passuntil: fit must be "likelihood" or "least squares", got {fit!r}')
    if margin is not None and not margin > 0:
        raise UserError(f"passuntil: margin must be above 0, got {margin}")
    if not 0 < level < 1:
        raise UserError(f"passuntil: level must be in (0, 1), got {level}")
    if draws < 99:
        raise UserError(f"passuntil: draws must be at least 99, got {draws}")
    if forecast_to is not None and not forecast_to > 0:
        raise UserError(f"passuntil: forecast_to must be above 0, got {forecast_to}")


def _sample(
    sampler: Sampler,
    models: Mapping[float, Any],
    items: Sequence[Any],
    target: int,
    cap: int,
    rng: np.random.Generator,
) -> tuple[list[Records], np.ndarray]:
    x = np.array(sorted(float(size) for size in models))
    if not (np.isfinite(x).all() and (x > 0).all()):
        raise UserError("passuntil: the keys of models are sizes or steps, above 0")
    by_size = {float(size): model for size, model in models.items()}
    columns = [draw_until(sampler, by_size[size], items, target, cap, rng) for size in x]
    tries, passes = (np.stack([c[i] for c in columns], axis=1) for i in (0, 1))
    labels = tuple(str(i) if isinstance(i, str | int) else f"item {j}" for j, i in enumerate(items))
    return [Records("all", tries, passes, target, labels, x)], np.array([c[2] for c in columns], dtype=float)


def _read(
    data: Any, tries: str, passes: str, target: int | None, along: str, item: str, by: str | None, seeds: str
) -> list[Records]:
    source = as_dataset(data)
    if not isinstance(source, xr.Dataset):
        raise UserError("passuntil: recorded data are an xarray.Dataset with variables of tries and of passes")
    for name in (tries, passes):
        if name not in source:
            raise UserError(f"passuntil: no variable {name!r} in the data{nearest(name, map(str, source.data_vars))}")
    pair = xr.broadcast(source[tries], source[passes])
    dims = [str(d) for d in pair[0].dims]
    for name in (along, item):
        if name not in dims:
            raise UserError(f"passuntil: the data have no dim {name!r}{nearest(name, dims)}")
    extra = [d for d in dims if d not in (along, item, by, seeds)]
    if extra:
        raise UserError(f"passuntil: the data also have the dims {', '.join(extra)}; select one, or name it as by=...")
    if along not in source.coords:
        raise UserError(f"passuntil: dim {along!r} has no coordinate; use .assign_coords({along}=sizes)")
    try:
        x = np.asarray(source[along].values).astype(float)
    except (TypeError, ValueError):
        raise UserError(f"passuntil: coordinate {along!r} must be numbers") from None
    if by is not None and by in dims:
        names = (
            [str(c) for c in source[by].values] if by in source.coords else [str(i) for i in range(source.sizes[by])]
        )
    else:
        names, pair = ["all"], tuple(p.expand_dims("_only") for p in pair)
    replicated = seeds in dims
    order = [by if by is not None and by in dims else "_only", *([seeds] if replicated else []), item, along]
    n, k = (np.array(p.transpose(*order).values, dtype=float) for p in pair)
    labels = source[item].values if item in source.coords else np.arange(source.sizes[item])
    own: tuple[Any, ...] | None = None
    if replicated:  # every item of every seed is a row, and remembers its seed
        given = source[seeds].values if seeds in source.coords else np.arange(source.sizes[seeds])
        own = tuple(np.repeat(np.asarray(given), len(labels)).tolist())
        labels = np.tile(labels, len(given))
        n, k = n.reshape(len(n), -1, n.shape[-1]), k.reshape(len(k), -1, k.shape[-1])
    if n.size == 0:
        raise UserError("passuntil: the data hold no record at all")
    keep = np.isfinite(x) & (x > 0)
    if not keep.any():
        raise UserError(f"passuntil: no {along} is above 0, and sizes are read on a log axis")
    rank = np.argsort(x[keep], kind="stable")
    x, n, k = x[keep][rank], n[..., keep][..., rank], k[..., keep][..., rank]
    if len(np.unique(x)) < len(x):
        raise UserError(f"passuntil: some values of {along} occur twice; every size is given once")
    n = np.where(np.isfinite(n) & (n >= 1) & (n < 1e15), np.floor(n), np.nan)
    k = np.where(np.isfinite(k) & (k >= 0) & np.isfinite(n), np.minimum(np.floor(k), n), np.nan)
    largest = int(np.nanmax(k)) if np.isfinite(k).any() else 0
    wanted = max(2, largest) if target is None else int(target)
    if target is not None and largest > wanted:
        raise UserError(f"passuntil: {largest} passes were recorded where sampling stops at {wanted}")
    rows = tuple(np.asarray(labels).tolist())
    return [Records(name, n[i], k[i], wanted, rows, x, own) for i, name in enumerate(names)]


def _verdict(findings: Sequence[Finding], level: float) -> str:
    """The class of the one condition, or whether those of several differ (Holm over conditions)."""
    if len(findings) == 1:
        return findings[0].verdict
    p = np.array([f.bend.p for f in findings], dtype=float)
    if not np.isfinite(p).any():
        return "undecided"
    decided = holm(p) <= 1 - level
    signs = {bool(f.bend.bend < 0) for f, d in zip(findings, decided, strict=True) if d}
    if not decided.any():
        own = {f.verdict for f in findings}
        return own.pop() if len(own) == 1 and "undecided" not in own else "no bend shown"
    if decided.all() and len(signs) == 1:
        return "concave" if signs.pop() else "convex"
    return "differ"
