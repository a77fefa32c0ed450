"""early_warning: can the transition be seen coming?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._early_warning_data import Neutral, Transition, read
from emergelab.instruments._early_warning_indicators import check
from emergelab.instruments._early_warning_tables import (
    Evidence,
    diagnostics,
    indicator_table,
    look_table,
    record_table,
    roc_table,
    sensitivity_table,
    weigh,
)
from emergelab.instruments._early_warning_trend import CHANGES, Plan, check_surrogate, trends
from emergelab.instruments._early_warning_words import CANNOT_SEE, answer, cautions, describe
from emergelab.instruments.result import Result, provenance

__all__ = ["early_warning"]


def early_warning(
    data: Any,
    var: str | None = None,
    *,
    transition: Transition = None,
    neutral: Neutral = None,
    indicators: str | Sequence[str] | None = None,
    change: Literal["kendall", "spearman", "pearson", "slope", "difference"] = "kendall",
    surrogate: str = "ar1",
    direction: Literal["theory", "up", "down", "both"] = "theory",
    detrend: Literal["gaussian", "lowess", "ensemble", "none"] = "gaussian",
    bandwidth: float | Sequence[float] = (0.1, 0.2),
    window: float | Sequence[float] = (0.25, 0.5),
    looks: Sequence[float] | Float[np.ndarray, "look"] = (0.6, 0.7, 0.8, 0.9, 1.0),
    refit: bool = True,
    every: float | None = None,
    useful: float = 0.7,
    channel: str = "channel",
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Look for signs that a system was slowing down before its transition, and say how far they can be trusted.

    Each record is cut at its transition and detrended; indicators are measured in rolling windows of what is left;
    the change of an indicator along the record is compared with that of surrogates, which go through the same
    detrending. Indicator, change metric and surrogate are chosen independently of each other. Whoever asks several
    indicators, channels, bandwidths or windows pays for all of them (max-T on the same surrogates).

    Args:
        data: a Run, an `xarray.Dataset` or a `DataArray`, with dims among (``by``, ``seeds``, ``channel``,
            ``along``). Records may be uneven; missing ones are left out, never interpolated.
        var: name of the observable; may be left out if there is only one.
        transition: when it happens: a time, {seed: time}, the name of a variable or a DataArray with dims among
            (``by``, ``seeds``); NaN: never, and the record serves as a control. None: not known. The question is then
            whether an alarm rings by now, and every look at a longer part of the record spends a share of the
            error allowed.
        neutral: records in which nothing happens, strongly recommended: the name of a condition of ``by``, or
            further data. They replace the surrogates as the judge.
        indicators: one or more of variance, sd, cv, ac1 (ac2, ...), return_rate, skewness, kurtosis,
            low_frequency, smax, dfa, permutation_entropy, sample_entropy (slow); across channels also eigenvalue,
            eigenvalue_share, mean_correlation, dmd, spatial_variance, moran, fano. None: variance and ac1, and with
            channels eigenvalue.
        change: "kendall" (tau against time), "spearman", "pearson", "slope", "difference" (last third of the
            windows minus the first).
        surrogate: "ar1", "arma", "block", "iaaft", "phase", "shuffle", or "volatility": AR(1) whose shocks keep
            their bursts, but not when they come.
        direction: "theory": variance and its kin up, autocorrelation and its kin either way (a fold drives it up, a
            flip down); or one direction for all.
        detrend: "gaussian" kernel, "lowess", "none", or "ensemble": the mean over the seeds of the same condition
            at the same time, the best choice when at least three seeds share their trend and their clock.
        bandwidth: of the detrending, one or several: a share of the record up to 1, or a number of records.
        window: of the indicators, likewise. The middle bandwidth and window are those of the tables.
        looks: shares of a record at which one stands who waits, increasing, in (0, 1].
        refit: each look detrends what it sees. False: the full record is smoothed once, as is usual in print; what
            comes later then leaks into earlier looks.
        every: width of bins of time, in units of ``along``, in which records are averaged first.
        useful: with neutral records, the smallest area under the ROC curve that would be of use.
        channel: dim of channels (places, agents, units).
        along: dim of time; it must have a coordinate.
        by: dim of conditions, or None. It may be missing.
        seeds: dim of seeds. If it is missing, everything is "within-run only".
        level: confidence level; an alarm rings at p <= 1 - level.
        draws: surrogates of each record, and relabellings.
        rng: seed or generator.

    Returns:
        A `Result` with verdict "warned", "not warned" or "cannot tell" (fewer than 50 records before the event,
        nothing that varies, or controls too few to bound the area). Tables: "indicators", "records",
        "sensitivity", "looks", "roc".

    Raises:
        UserError: the arguments do not fit the data or each other.

    Sources: Scheffer et al. (2009); Dakos et al. (2012); Boettiger and Hastings (2012); Boettiger, Ross and
    Hastings (2013). The classifiers of Bury et al. (2021), which need a trained network, are not included.
    """
    if draws < 99:
        raise UserError(f"early_warning: draws must be at least 99, got {draws}")
    if not 0 < level < 1:
        raise UserError(f"early_warning: level must be in (0, 1), got {level}")
    if not 0.5 < useful < 1:
        raise UserError(f"early_warning: useful must be in (0.5, 1), got {useful}")
    _one_of("change", change, tuple(CHANGES))
    _one_of("direction", direction, ("theory", "up", "down", "both"))
    _one_of("detrend", detrend, ("gaussian", "lowess", "ensemble", "none"))
    check_surrogate(surrogate)
    material = read(
        data, var, transition=transition, neutral=neutral, every=every, ensemble=detrend == "ensemble",
        channel=channel, along=along, by=by, seeds=seeds,
    )  # fmt: skip
    plan = Plan(
        indicators=_names(indicators, len(material.channels)),
        change=change,
        surrogate=surrogate,
        detrend=detrend,
        # an ensemble mean has no bandwidth, nor has no detrending
        bandwidths=_widths("bandwidth", bandwidth) if detrend in ("gaussian", "lowess") else (1.0,),
        windows=_widths("window", window),
        direction=direction,
        draws=draws,
        looks=_looks(looks),
        refit=refit,
    )
    check(plan.indicators, len(material.channels))
    source = np.random.default_rng(rng)
    judged = [r for r in material.records if not r.refused]
    found = [trends(r, plan, own) for r, own in zip(judged, source.spawn(len(judged)), strict=True)]
    evidence: Evidence = weigh(material, judged, found, plan, useful, level, source)
    tables = {
        "indicators": indicator_table(evidence),
        "records": record_table(evidence),
        "sensitivity": sensitivity_table(evidence),
        "looks": look_table(evidence),
        "roc": roc_table(evidence),
    }
    verdict, headline, estimate, p, null, effect = answer(evidence, tables)
    return Result(
        instrument="early_warning",
        question=f"Can the transition of {material.source.name} be seen coming?",
        verdict=verdict,
        estimate=estimate,
        headline=headline,
        p=p,
        null=null,
        effect=effect,
        n_seeds=max(1, len(evidence.events)),
        tables=tables,
        diagnostics=diagnostics(evidence),
        warnings=tuple(cautions(evidence, tables)),
        words=describe(evidence, tables, verdict),
        cannot_see=CANNOT_SEE,
        params={
            "transition": _told(transition), "neutral": _told(neutral), "indicators": list(plan.indicators),
            "change": change, "surrogate": surrogate, "direction": direction, "detrend": detrend,
            "bandwidth": list(plan.bandwidths), "window": list(plan.windows), "looks": list(plan.looks),
            "refit": refit, "every": every, "useful": useful, "channel": channel, "along": along, "by": by,
            "seeds": seeds, "level": level, "draws": draws,
        },
        provenance=provenance(material.digest, rng),
        _draw=_draw,
    )  # fmt: skip


def _draw(result: Result) -> Any:
    from emergelab.instruments._early_warning_plot import draw

    return draw(result)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(
            f"early_warning: {name} must be one of {', '.join(known)}, got {value!r}{nearest(value, known)}"
        )


def _names(indicators: str | Sequence[str] | None, channels: int) -> tuple[str, ...]:
    if indicators is None:
        return ("variance", "ac1", "eigenvalue") if channels > 1 else ("variance", "ac1")
    return (indicators,) if isinstance(indicators, str) else tuple(dict.fromkeys(indicators))


def _widths(name: str, given: float | Sequence[float]) -> tuple[float, ...]:
    values = tuple(dict.fromkeys(float(v) for v in np.atleast_1d(np.asarray(given, dtype=float))))
    if not values or not all(np.isfinite(v) and v > 0 for v in values):
        raise UserError(
            f"early_warning: {name} must be above 0: a share of the record, or a number of records, got {given}"
        )
    return values


def _looks(given: Sequence[float] | Float[np.ndarray, "look"]) -> tuple[float, ...]:
    values = tuple(float(v) for v in given)
    if not values or not all(0 < v <= 1 for v in values) or any(b <= a for a, b in pairwise(values)):
        raise UserError(f"early_warning: looks must be increasing shares of a record, in (0, 1], got {values}")
    return values


def _told(value: Any) -> Any:
    if hasattr(value, "dims"):
        return "data given beside"
    return {str(k): float(v) for k, v in value.items()} if isinstance(value, dict) else value
