"""onset: when does it emerge, how abruptly, in how many seeds, and later or earlier under a condition?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float

from emergelab.errors import UserError
from emergelab.instruments._base_rates import base_rate_plateaus
from emergelab.instruments._curves import Curves, beside, curves
from emergelab.instruments._logistic import LogisticFit, fit_logistic
from emergelab.instruments._onset_rules import Crossing, Rule, Threshold, cross, make_rule, swept
from emergelab.instruments._onset_tables import contrast_table, order_table, outliers, summary_table, surprise
from emergelab.instruments._onset_words import cautions, describe, diagnostics, verdict_of
from emergelab.instruments.result import Result, provenance
from emergelab.statistics import kaplan_meier

__all__ = ["onset"]

_CANNOT_SEE = (
    "what happens between two records (an onset is an interval, not a moment); an ability that the "
    "observable does not "
    "score; why it emerged. A threshold makes an onset of any slow drift, so read the width W beside it; "
    "and whether the "
    "jump is only in the score is the question of `mirage`."
)

_DATA_DRIVEN = (
    " The data-driven threshold needs eight records a seed and is conservative: on white, AR(1) and "
    "trending noise it raises 0.1% to 2% false alarms where 5% are nominal."
)

Companion: TypeAlias = str | xr.DataArray | Sequence[str] | Mapping[str, Threshold]


def onset(
    data: Any,
    var: str | None = None,
    *,
    threshold: Threshold = None,
    k: int = 3,
    direction: Literal["up", "down"] = "up",
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    companion: Companion | None = None,
    chance: float | str | xr.DataArray | None = None,
    ceiling: float | None = None,
    items: int | None = None,
    stderr: float | str | xr.DataArray | None = None,
    fraction: float = 0.5,
    margin: float | None = None,
    paired: bool = False,
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Find the onset of an observable in every seed, and say what the seeds show together.

    The onset is the first of ``k`` consecutive raw records beyond the threshold (nothing is smoothed:
    smoothing moves onsets later and makes them look gradual). It is known only to lie between two records. A
    seed that never emerges is censored at its last record, not dropped.

    Args:
        data: a Run, an `xarray.Dataset` or a `DataArray`, with dims among (``by``, ``seeds``, ``along``). A
            Boolean variable "ended" or "censored" marks records after a seed's end; trailing NaN do the same.
        var: name of the observable; may be left out if there is only one.
        threshold: a number; ("fraction", f) of the way from chance to the ceiling; ("z", z) standard errors
            above chance;
            or None: 3 standard errors if ``stderr`` or ``items`` is given, else the rise is first tested
            against trend + AR(1) noise in each seed, and its onset is a tenth of the fitted height (more
            where noise reaches higher).
        k: consecutive records needed, 1 or more.
        direction: "up", or "down" for an observable that falls when the thing emerges.
        along: dim of time; it must have a coordinate. Grids may be irregular.
        by: dim of conditions, or None. It may be missing.
        seeds: dim of seeds. If it is missing, everything is "within-run only".
        companion: another observable (name, names, {name: threshold} or array) whose onset is ordered against
            this one, seed by seed; where no threshold is given, half of its own way is taken.
        chance: level at chance; default: the first records.
        ceiling: level of full emergence, for ("fraction", f) and the sweep; default: the attribute "high" of
            the observable is **not** used; the highest median final level over the conditions is.
        items: number of test items behind each score in [0, 1]; gives the binomial standard error.
        stderr: standard error of each record: a number, a variable's name or an array.
        fraction: the claim tested for one condition is "it emerges in more than this share of seeds".
        margin: smallest difference of mean onset that matters, in units of time, for a verdict "no
            difference".
        paired: seeds of equal label share their randomness across conditions; contrasts are then made within
            seeds.
        level: confidence level.
        draws: surrogates, random relabellings and bootstrap draws.
        rng: seed or generator.

    Returns:
        A `Result`. One condition: "emerges", "does not emerge" or "inconclusive"; two: "earlier" or "later"
        (the first against the second), "no difference" or "inconclusive"; more: "differ" or "inconclusive".
        Tables: "seeds", "conditions", "contrasts", "order", "sensitivity".

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    if k < 1:
        raise UserError(f"onset: k must be at least 1, got {k}")
    if draws < 99:
        raise UserError(f"onset: draws must be at least 99, got {draws}")
    if direction not in ("up", "down"):
        raise UserError(f'onset: direction must be "up" or "down", got {direction!r}')
    if not 0 < fraction < 1:
        raise UserError(f"onset: fraction must be in (0, 1), got {fraction}")
    if margin is not None and margin <= 0:
        raise UserError(f"onset: margin must be above 0, got {margin}")
    source = np.random.default_rng(rng)
    data_in = curves(data, var, along=along, by=by, seeds=seeds)
    sign = 1.0 if direction == "up" else -1.0
    error = _error(data, data_in, items, stderr, by, seeds)
    base = beside(data, chance, data_in, "chance", by, seeds)
    rule, fit, crossing = _find(data_in, sign, threshold, k, base, ceiling, error, draws, source)
    warnings = list(data_in.notes)
    rates = base_rate_plateaus(
        data_in.values.reshape(-1, len(data_in.time)),
        None if items is None else 0.25 / items,
        graded=items is not None or stderr is not None,
    )
    if rates is not None:
        told = f"records of {int(rates.flat.sum())} seeds sit on two plateaus that add up to one ({rates.low:.3f} and "
        told += f"{rates.high:.3f}): values equal the label base rates, so a jump is a change of the constant answer"
        if threshold is None:
            told += "; these seeds get no onset"
            rule = replace(rule, allowed=rule.allowed & ~rates.flat.reshape(rule.allowed.shape))
            upright = sign * data_in.values
            crossing = cross(upright, data_in.time, rule.theta, k, strict=rule.strict, allowed=rule.allowed)
        warnings.append(told)
    if not data_in.has_seeds:
        warnings.append("there is no dim of seeds: everything here is within one run only")
    late = outliers(crossing, data_in.time)
    table = _seed_table(data_in, sign, rule, fit, crossing, late, k)
    summary = summary_table(data_in, crossing, fit, sign, fraction, level)
    panel, scenes = _sensitivity(data_in, sign, rule, k)
    contrasts = contrast_table(
        data_in, crossing, scenes, paired=paired, margin=margin, level=level, draws=draws, rng=source
    )
    pairs = _companions(data, data_in, companion, sign, k, along, by, seeds, draws, source)
    order = order_table(data_in, crossing, pairs, level=level, draws=draws, rng=source)
    warnings += cautions(data_in, rule, crossing, late, table, summary, contrasts)
    verdict, headline, estimate, p, null, effect = verdict_of(data_in, crossing, summary, contrasts, fraction, level)
    tables = {
        "seeds": table,
        "conditions": summary,
        "contrasts": contrasts,
        "order": order,
        "sensitivity": panel,
    }
    params: dict[str, Any] = {
        "threshold": threshold,
        "rule": rule.words,
        "k": k,
        "direction": direction,
        "along": along,
        "by": by,
        "seeds": seeds,
        "companion": list(pairs),
        "chance": _told(chance),
        "ceiling": ceiling,
        "items": items,
        "stderr": _told(stderr),
        "fraction": fraction,
        "margin": margin,
        "paired": paired,
        "level": level,
        "draws": draws,
    }
    return Result(
        instrument="onset",
        question=f"When does {data_in.name} emerge?",
        verdict=verdict,
        estimate=estimate,
        headline=headline,
        p=p,
        null=null,
        effect=effect,
        n_seeds=len(data_in.seeds) if data_in.has_seeds else 1,
        tables=tables,
        diagnostics=diagnostics(data_in, sign, rule, crossing, fit),
        warnings=tuple(warnings),
        words=describe(data_in, rule, k, summary, contrasts, order, verdict, direction),
        cannot_see=_CANNOT_SEE + (_DATA_DRIVEN if rule.kind == "rise" else ""),
        params=params,
        provenance=provenance(data_in.digest, rng),
        _draw=_draw,
    )


def _draw(result: Result) -> Any:
    from emergelab.instruments._onset_plot import draw

    return draw(result)


def _told(value: Any) -> Any:
    return f"array {value.name!r}" if isinstance(value, xr.DataArray) else value


def _error(
    data: Any,
    like: Curves,
    items: int | None,
    stderr: float | str | xr.DataArray | None,
    by: str | None,
    seeds: str,
) -> Float[np.ndarray, "condition seed time"] | None:
    if items is not None and stderr is not None:
        raise UserError("onset: give stderr or items, not both")
    if items is None:
        return beside(data, stderr, like, "stderr", by, seeds)
    if items < 1:
        raise UserError(f"onset: items must be at least 1, got {items}")
    y = like.values
    if np.nanmin(y, initial=0.0) < 0 or np.nanmax(y, initial=0.0) > 1:
        raise UserError(
            f"onset: items=... needs scores in [0, 1], {like.name!r} leaves that range; give stderr instead"
        )
    return np.sqrt(y * (1 - y) / items)


def _find(
    data: Curves,
    sign: float,
    threshold: Threshold,
    k: int,
    chance: Float[np.ndarray, "condition seed time"] | None,
    ceiling: float | None,
    error: Float[np.ndarray, "condition seed time"] | None,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Rule, LogisticFit, Crossing]:
    """The rule, the fits and the crossings, all in the upright orientation."""
    upright = sign * data.values
    fit = fit_logistic(upright.reshape(-1, upright.shape[-1]), data.time)
    turned: Threshold = threshold
    if isinstance(threshold, int | float | np.number):
        turned = sign * float(threshold)
    rule = make_rule(
        upright,
        data.time,
        turned,
        chance=None if chance is None else sign * chance,
        ceiling=None if ceiling is None else sign * ceiling,
        error=error,
        fit=fit,
        draws=draws,
        rng=rng,
    )
    return rule, fit, cross(upright, data.time, rule.theta, k, strict=rule.strict, allowed=rule.allowed)


def _companions(
    data: Any,
    like: Curves,
    companion: Companion | None,
    sign: float,
    k: int,
    along: str,
    by: str | None,
    seeds: str,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, Crossing]:
    """Onset of each companion in the same seeds."""
    if companion is None:
        return {}
    wanted: list[tuple[Any, str | None, Threshold]]
    if isinstance(companion, str):
        wanted = [(data, companion, ("fraction", 0.5))]
    elif isinstance(companion, xr.DataArray):
        wanted = [(companion, None, ("fraction", 0.5))]
    elif isinstance(companion, Mapping):
        wanted = [(data, name, theta) for name, theta in companion.items()]
    else:
        wanted = [(data, name, ("fraction", 0.5)) for name in companion]
    found = {}
    for source, name, theta in wanted:
        other = curves(source, name, along=along, by=by, seeds=seeds)
        if other.conditions != like.conditions or other.seeds != like.seeds:
            raise UserError(f"onset: companion {other.name!r} has other conditions or seeds than {like.name!r}")
        # a companion may fall while the observable rises (a loss): its own direction is that of its largest
        # change
        turn = _own_direction(other.values) if theta == ("fraction", 0.5) else sign
        found[other.name] = _find(other, turn, theta, k, None, None, None, draws, rng)[2]
    return found


def _own_direction(values: Float[np.ndarray, "condition seed time"]) -> float:
    flat = values.reshape(-1, values.shape[-1])
    seen = [row[np.isfinite(row)] for row in flat]
    changes = [row[-1] - row[0] for row in seen if len(row) > 1]
    return -1.0 if changes and np.median(changes) < 0 else 1.0


def _seed_table(
    data: Curves,
    sign: float,
    rule: Rule,
    fit: LogisticFit,
    crossing: Crossing,
    late: Bool[np.ndarray, "c s"],
    k: int,
) -> pd.DataFrame:
    shape = data.values.shape[:2]
    emerged = crossing.emerged
    finite = np.isfinite(data.values)
    first = np.full(shape, np.nan)
    final = np.full(shape, np.nan)
    for index in np.ndindex(*shape):
        seen = np.flatnonzero(finite[index])
        if len(seen):
            first[index] = data.time[seen[0]]
            final[index] = data.values[index][seen[-min(k, len(seen)) :]].mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        length = crossing.last - first
        waited = np.where(emerged, np.maximum(crossing.left, first), crossing.last) - first
        plateau = np.where(length > 0, waited / length, np.nan)

    def only(x: Float[np.ndarray, "n"]) -> Float[np.ndarray, "c s"]:
        return np.where(emerged, x.reshape(shape), np.nan)

    at = surprise(sign * data.values, data.time, crossing)
    columns: dict[str, Any] = {
        "condition": np.repeat(np.array(data.conditions, dtype=object), shape[1]),
        "seed": list(data.seeds) * shape[0],
        "emerged": emerged.ravel(),
        "onset": crossing.onset.ravel(),
        # minus infinity (there at the first record already) is shown as NaN: no record bounds it from below
        "after": np.where(np.isfinite(crossing.left), crossing.left, np.nan).ravel(),
        "midpoint": only(fit.midpoint).ravel(),
        "model_onset": only(fit.onset).ravel(),
        "W_decades": only(fit.decades).ravel(),
        "A": only(fit.abruptness).ravel(),
        "steepest": only(fit.steepest).ravel(),
        "resolved": np.where(emerged, fit.resolved.reshape(shape), False).ravel(),
        "plateau": plateau.ravel(),
        "surprise": at.ravel(),
        "lead": (crossing.onset - at).ravel(),
        "final": final.ravel(),
        "last_record": crossing.last.ravel(),
        "outlier": late.ravel(),
    }
    if np.isfinite(rule.p_rise).any():
        columns["p_rise"] = rule.p_rise.ravel()
    return pd.DataFrame(columns)


def _sensitivity(data: Curves, sign: float, rule: Rule, k: int) -> tuple[pd.DataFrame, dict[tuple[str, int], Crossing]]:
    """Onsets at other thresholds and other k; the order of conditions must not depend on them."""
    rows, scenes = [], {}
    upright = sign * data.values
    for name, other in swept(rule).items():
        for run in sorted({1, k, 2 * k}):
            c = cross(upright, data.time, other.theta, run, strict=other.strict, allowed=other.allowed)
            scenes[(name, run)] = c
            for i, condition in enumerate(data.conditions):
                seen = np.isfinite(c.last[i])
                curve = kaplan_meier(c.duration[i][seen], c.emerged[i][seen])
                rows.append((name, run, condition, int(c.emerged[i].sum()), int(seen.sum()), curve.median))
    return pd.DataFrame(rows, columns=["theta", "k", "condition", "emerged", "seeds", "median_onset"]), scenes
