"""retention: what is acquired by an exposure, and how fast is it lost?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import as_dataset, as_names
from emergelab.instruments._retention_curve import Decay, drawn, measure
from emergelab.instruments._retention_events import Memory, from_lags, from_series
from emergelab.instruments._retention_kernel import Kernel, KernelLaw, decide_kernels, fit_kernel, fit_kernel_laws
from emergelab.instruments._retention_read import Dims, Exposures, Source, above_foil, read, schedule, unseen
from emergelab.instruments._retention_tables import (
    contrast_table,
    curve_table,
    exposure_table,
    interference_table,
    item_table,
    kernel_law_table,
    kernel_table,
    law_table,
    over_seeds,
    savings_table,
    seed_table,
    spacing_table,
    summary_table,
)
from emergelab.instruments._retention_words import CANNOT_SEE, cautions, describe
from emergelab.instruments.result import Effect, Null, Result, provenance

__all__ = ["retention"]

_KEPT = 0.5  # of what was acquired must be there at the longest lag to call it kept
_FEWEST = 3  # seeds, to say anything without an interval
_OVERLAP = 0.05  # of what was acquired is still there when the next exposure comes


def retention(
    data: Any,
    var: str | None = None,
    *,
    exposures: Exposures = None,
    foil: str | xr.DataArray | None = None,
    baseline: float | str | xr.DataArray | None = None,
    window: float = 50.0,
    margin: float = 0.1,
    gain_margin: float | None = None,
    tokens: float | Mapping[str, float] | None = None,
    along: str = "time",
    lag: str = "lag",
    item: str = "item",
    by: str | None = "condition",
    seeds: str = "seed",
    paired: bool = False,
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Measure how much each exposure adds to a probe and how the gain decays with the lag since.

    *Probe series* (a dim ``along``, with ``exposures``): the effect E of an exposure is the acquisition maximum within
    ``window`` after it over the record before. The place of the maximum is read off the other seeds (or the other
    items of one seed), so that no curve's noise chooses its own maximum. Retention R(t) is the gain left at lag t after
    the last maximum over the gain there, both over the level before the first exposure (Chang et al. 2024). The course
    of items that are never exposed is taken off, seed by seed. *Scores by lag* (a dim ``lag``): R is the score over its
    ``baseline``, divided by that at lag 0 if there is one.

    R is a ratio of means over items and seeds. A line in log10 t over the decay phase (until R is at 0.05 of its start)
    gives the decay constant a (minus its slope) and the x-intercept, the lag at which everything is lost. Six laws of
    forgetting are compared by their error on the last decade of lags when fitted to the earlier ones, and by AICc.

    Args:
        data: a Run, an `xarray.Dataset` or `DataArray` with dims among (``by``, ``seeds``, ``item``) and ``along`` or
            ``lag``, or a pandas table with such columns and the score; larger means better memory (log-probability,
            share recalled, savings; turn a loss or a perplexity round). In a table, rows without a lag are items that
            were never seen: their mean is the baseline.
        var: name of the score; may be left out if there is only one.
        exposures: when items are seen: times for all items, {item: times}, a table with a column ``along`` and others
            among ``item``, ``seeds``, ``by``, or a Boolean array (or its name in ``data``) with the dim ``along``.
            Items without a time are the baseline.
        foil: score of a matched foil that was never seen (name or array, shaped like the score): the score becomes
            recognition, 1 where the item is above its foil, 1/2 for ties, 0 below.
        baseline: scores by lag: score of items never seen (number, name or array over any of the other dims). Default
            0, and 1/2 with a foil, which assumes that foils are as fluent as items. Without a record at lag 0, shares
            (scores within [0, 1]) are divided by the room above it.
        window: time after an exposure in which its maximum is looked for.
        margin: loss of R per decade (as a share of its start) that matters, above 0; "kept" needs the whole interval of
            a below it.
        gain_margin: smallest gain of an exposure that matters, in units of the score; without it "not acquired" is
            never said.
        tokens: what one unit of time is worth (one number, or {condition: number}, such as tokens a step); lags are
            then counted in it.
        along: dim or column of time of probe series.
        lag: dim or column of the lag.
        item: dim or column of items; it may be missing.
        by: dim or column of conditions, or None; it may be missing.
        seeds: dim or column of seeds; without it everything is within one run only.
        paired: seeds of equal label share their randomness across conditions.
        level: confidence level.
        draws: draws of seeds and items, at least 100.
        rng: seed or generator.

    Returns:
        A `Result`. Verdict, on the first condition: the family of laws of the loss ("power law", "logarithmic",
        "exponential"), "kept", "not acquired" (only with ``gain_margin``), or "undecided". Tables: "summary",
        "retention", "exposures", "kernels", "kernel_laws", "spacing", "laws", "items", "seeds", "contrasts", "savings",
        "interference". Where several exposures overlap, the law is that of one by itself, taken apart from the others.

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    _check(window, margin, gain_margin, level, draws)
    dims = Dims(_axis(data, var, along, lag, exposures), item, by, seeds)
    series = dims.axis == along and dims.axis != lag
    source = read(data, var, dims)
    if foil is not None:
        source = above_foil(data, source, foil, dims)
    worth = _worth(tokens, source.conditions)
    if series:
        if baseline is not None:
            raise UserError("retention: probe series take their baseline from items never seen, not from baseline=...")
        plan = schedule(data, exposures, source, dims)
        if not any(len(t) for c in plan for s in c for t in s):
            raise UserError("retention: exposures hold no time for any item")
        memories, chance = from_series(source, plan, window, worth), [0.0] * len(plan)
    else:
        if exposures is not None:
            raise UserError("retention: scores by lag take no exposures; lags are already counted from one")
        base, words = unseen(data, source, baseline, dims, 0.0 if foil is None else 0.5)
        memories = from_lags(source, base, words, worth)
        chance = [_mean(b) * source.scale for b in base]
    generator = np.random.default_rng(rng)
    decays: list[Decay] = []
    kernels: list[Kernel | None] = []
    apart: list[list[KernelLaw]] = []
    for block, memory, floor, each in zip(source.values, memories, chance, worth, strict=True):
        d = drawn(memory, source.has_seeds, level, draws, generator)
        decay = measure(memory, source.scale, d, _trials(block * source.scale, memory), floor)
        own = memory.series
        kernels.append(None if own is None else fit_kernel(own, source.scale, d, window, _age(decay) / each))
        apart.append(fit_kernel_laws(own, window) if own is not None and _overlap(memory) else [])
        if apart[-1]:
            # what several exposures left together follows none of the laws of one
            family, why = decide_kernels(apart[-1])
            decay = replace(decay, family=family, why=why)
        decays.append(decay)
    verdicts = [_verdict(d, series, margin, gain_margin) for d in decays]
    tables = {
        "summary": summary_table(source, memories, decays, verdicts),
        "retention": curve_table(source, memories, decays),
        "exposures": exposure_table(source, memories, decays),
        "kernels": kernel_table(source, kernels, worth),
        "kernel_laws": kernel_law_table(source, apart),
        "spacing": spacing_table(source, memories, decays),
        "laws": law_table(source, decays),
        "items": item_table(source, memories),
        "seeds": seed_table(source, memories, decays),
        "contrasts": contrast_table(source, memories, decays, paired, level, draws, generator),
        "savings": savings_table(source, memories, window, level),
        "interference": interference_table(source, memories, level),
    }
    first = decays[0]
    gained = verdicts[0] != "not acquired" and np.isfinite(first.slope.value)
    return Result(
        instrument="retention",
        question=f"What does an exposure add to {source.name}, and how fast is it lost?" if series
        else f"How fast is {source.name} lost?",
        verdict=verdicts[0],
        estimate=first.slope if gained or not series else first.effect,
        headline="decay constant a (loss of R per decade of lag)" if gained or not series else "gain of an exposure",
        p=first.p_effect,
        null=Null("no rise of the mean over the window (t on the two-way variance over seeds and items)" if series
                  else "none: intervals over seeds and items, laws by held-out lags and AICc", draws),
        effect=Effect("gain of an exposure" if series else "R at the longest lag over R at its start",
                      first.effect.value if series else first.last.value),
        n_seeds=first.drawn.seeds,
        tables=tables,
        diagnostics=_diagnostics(source, memories, decays, "tokens" if tokens is not None else source.axis_unit),
        warnings=tuple(cautions(source, memories, decays, kernels, tables, series, window, foil is not None)),
        words=describe(source, decays, verdicts, tables, series, "tokens" if tokens is not None else source.axis_unit),
        cannot_see=CANNOT_SEE,
        params={
            "window": window, "margin": margin, "gain_margin": gain_margin, "along": along, "lag": lag, "item": item,
            "by": by, "seeds": seeds, "paired": paired, "level": level, "draws": draws, "foil": foil is not None,
            "tokens": dict(tokens) if isinstance(tokens, Mapping) else tokens,
            "baseline": f"array {baseline.name!r}" if isinstance(baseline, xr.DataArray) else baseline,
        },
        provenance=provenance(source.digest, rng),
        _draw=_draw,
    )  # fmt: skip


def _draw(result: Result) -> Any:
    from emergelab.instruments._retention_plot import draw

    return draw(result)


def _check(window: float, margin: float, gain_margin: float | None, level: float, draws: int) -> None:
    if draws < 100:
        raise UserError(f"retention: draws must be at least 100, got {draws}")
    if not 0 < level < 1:
        raise UserError(f"retention: level must be in (0, 1), got {level}")
    for name, value in (("window", window), ("margin", margin), ("gain_margin", gain_margin)):
        if value is not None and not value > 0:
            raise UserError(f"retention: {name} must be above 0, got {value}")


def _axis(data: Any, var: str | None, along: str, lag: str, exposures: Exposures) -> str:
    """Which of the two the data have; the lag first, unless exposures are given."""
    if isinstance(data, pd.DataFrame):
        names: Sequence[str] = [str(c) for c in data.columns]
    else:
        names = as_names(as_dataset(data), var)
    for name in (lag, along) if exposures is None else (along, lag):
        if name in names:
            return name
    raise UserError(
        f"retention: the data have neither {along!r} (probe series) nor {lag!r} (scores by lag), only "
        f"{', '.join(names) or 'no dims'}; pass along=... or lag=..."
    )


def _worth(tokens: float | Mapping[str, float] | None, conditions: tuple[str, ...]) -> list[float]:
    """What a unit of time is worth in each condition."""
    if tokens is None:
        return [1.0] * len(conditions)
    if isinstance(tokens, Mapping):
        given = {str(k): v for k, v in tokens.items()}
        lacking = [c for c in conditions if c not in given]
        if lacking:
            raise UserError(f"retention: tokens lack condition {lacking[0]!r}{nearest(lacking[0], given)}")
        values = [float(given[c]) for c in conditions]
    else:
        values = [float(tokens)] * len(conditions)
    if not all(0 < v < 1e100 for v in values):
        raise UserError(f"retention: tokens must be above 0 and finite, got {tokens}")
    return values


def _mean(x: Float[np.ndarray, "..."]) -> float:
    known = x[np.isfinite(x)]
    return float(known.mean()) if len(known) else 0.0


def _trials(scores: Float[np.ndarray, "seed item axis"], memory: Memory) -> Float[np.ndarray, "lag"] | None:
    """Yes-or-no answers at every lag, where the scores by lag are such."""
    known = scores[np.isfinite(scores)]
    if memory.series is not None or memory.is_ratio or not len(known) or not np.isin(known, (0.0, 0.5, 1.0)).all():
        return None
    trials = memory.records.sum(axis=(0, 1)).astype(float)
    return trials if trials.max(initial=0.0) >= 2 else None


def _overlap(m: Memory) -> bool:
    """Whether exposures add to what earlier ones left."""
    if m.left.shape[2] < 2:
        return False
    left, held = m.left[..., 1:], m.left[..., :-1] + m.effect[..., :-1]
    known = np.isfinite(left) & np.isfinite(held)
    return bool(known.any() and left[known].mean() > _OVERLAP * max(held[known].mean(), 0.0))


def _age(decay: Decay) -> float:
    """Age at which the straight line reaches zero, in units of time; kernels are fitted to younger records."""
    return 10.0**decay.log_intercept.value if np.isfinite(decay.log_intercept.value) else float("inf")


def _verdict(d: Decay, series: bool, margin: float, gain_margin: float | None) -> str:
    if series:
        if d.effect.claimed and gain_margin is not None and d.effect.high < gain_margin:
            return "not acquired"
        # without an interval over seeds, three or four seeds must all have gained
        shown = d.rise.low > 0 if d.rise.claimed else d.gained[0] == d.gained[1] >= _FEWEST
        if not shown:
            return "undecided"
    if not np.isfinite(d.slope.value):
        return "undecided"
    start = 1.0 if series or not np.isfinite(d.retention[0]).any() else abs(_first(d))
    if d.slope.claimed:
        if d.slope.high < margin * start and d.last.claimed and d.last.low > _KEPT:
            return "kept"
        if d.slope.low <= 0:
            return "undecided"
    return d.family if d.slope.value > 0 else "undecided"


def _first(d: Decay) -> float:
    return float(d.retention[0][np.isfinite(d.retention[0])][0])


def _diagnostics(source: Source, memories: list[Memory], decays: list[Decay], unit: str) -> xr.Dataset:
    """R, the best law and the forgetting of every item (its best so far less its gain now) by lag."""
    out = xr.Dataset(
        attrs={
            "observable": source.name, "unit": source.unit, "lag_unit": unit, "conditions": list(source.conditions),
            "ratio": int(memories[0].is_ratio),
        }
    )  # fmt: skip
    for k, (m, d) in enumerate(zip(memories, decays, strict=True)):
        dim, items = f"lag_{k}", f"item_{k}"
        out = out.assign_coords({dim: d.lag, items: [str(i) for i in m.items]})
        out[f"R_{k}"] = ((dim,), d.retention[0])
        own = [law for law in d.laws if np.isfinite(law.aicc)]
        best = min(own, key=lambda law: law.aicc, default=None)
        fine = np.geomspace(d.lag[0], d.lag[-1], 120) if best is not None else np.empty(0)
        fitted = best.curve(fine) if best is not None else fine
        out[f"law_{k}"] = (
            (f"at_{k}",), np.where(np.isfinite(fitted), fitted, np.nan), {"law": best.name if best else ""}
        )  # fmt: skip
        out = out.assign_coords({f"at_{k}": fine})
        gain = over_seeds(m.gain) * source.scale
        start = over_seeds(m.acquired) * source.scale
        top = np.fmax(np.fmax.accumulate(gain, axis=1), start[:, None])
        out[f"forgetting_{k}"] = ((items, dim), top - gain)
    return out
