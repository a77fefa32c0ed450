"""learning_curves: which law, what asymptote, when is a level reached, how sure, and was the next record a surprise?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from emergelab.errors import UserError, nearest
from emergelab.instruments._curves import Curves, beside, curves
from emergelab.instruments._learning_curves_choose import FEWEST, choose
from emergelab.instruments._learning_curves_data import Panel, Scale, make_panels
from emergelab.instruments._learning_curves_efficiency import Contrast, contrast_table, efficiency
from emergelab.instruments._learning_curves_laws import Law, chosen_laws
from emergelab.instruments._learning_curves_parameters import parameters_table, seeds_table
from emergelab.instruments._learning_curves_seeds import (
    Surprise,
    Turn,
    surprise,
    turn,
)
from emergelab.instruments._learning_curves_surface import surface_of
from emergelab.instruments._learning_curves_tables import (
    Finding,
    backbone_table,
    estimates,
    forecast_table,
    laws_table,
    reach_table,
    surprise_table,
)
from emergelab.instruments._learning_curves_words import (
    cautions,
    conditions_table,
    describe,
    diagnostics,
    headline_of,
)
from emergelab.instruments.result import Result, provenance
from emergelab.statistics import Estimate, holm

__all__ = ["learning_curves"]

_SCALES = ("auto", "log", "linear", "score", "logit")

_CANNOT_SEE = (
    "a break that has not begun: BIC finds one long before anyone can extrapolate it, so forecasts are gated by errors "
    "out of sample, and those say nothing of horizons longer than the data offer. A schedule (a learning rate that "
    "decays over the last fifth) looks like a law; steps and tokens are different axes where batches grow; label noise "
    "puts a floor under every curve that is no property of the learner. An asymptote is a parameter of a law, not a "
    "promise. With twenty seeds of slow or trending noise a surprise is a false alarm in about 10% of data sets where "
    "5% are nominal."
)


def learning_curves(
    data: Any,
    var: str | None = None,
    *,
    size: str | None = None,
    forecast_to: float | None = None,
    reach: float | None = None,
    upto: float | None = None,
    laws: Sequence[str] | None = None,
    scale: Scale = "auto",
    burn_in: float | None = None,
    weigh: str = "records",
    stderr: float | str | xr.DataArray | None = None,
    margin: float | None = None,
    paired: bool = False,
    huber: bool = True,
    max_decades: float = 1.0,
    proximity: float | None = None,
    backbone: bool = True,
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Fit laws to curves along data, steps or size; choose by forecasts; extrapolate or refuse; compare conditions.

    The mean curve over seeds is fitted (on the log scale the mean of logarithms). Laws are chosen by the error of
    forecasts from earlier records to later ones (rolling origin), near-ties by BIC; a law with a break only if it
    lowers that error. A law that does not beat "as the last record" and "straight in log x over the last decade" is
    not trusted, and nothing is forecast with it.

    With ``size``, models of several sizes N, each with its curve along data D, are fitted by the one surface
    L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022), which is judged at the largest size, held out.

    Args:
        data: a Run, an `xarray.Dataset` or a `DataArray`, with dims among (``by``, ``seeds``, ``along``).
        var: name of the observable; may be left out if there is only one.
        size: dim, or coordinate along one dim, that holds the sizes of the models. One surface is then fitted to all
            curves; of the options only ``burn_in``, ``huber``, ``paired``, ``along``, ``by``, ``seeds``, ``level``,
            ``draws`` and ``rng`` apply.
        forecast_to: x at which the mean curve is forecast.
        reach: level of the observable whose x is wanted; for two conditions also the level at which they are compared.
        upto: laws see only the records up to this x, and the later ones are judged (surprise).
        laws: names of the laws to try; default all but the two-break one ("bnsl2"). See the table in the docs.
        scale: "log" (positive falling values; residuals of log y), "linear", "score" (values in [0, 1]: the law
            is one of 1 - y, on the log scale), "logit" (a law of the logit), or "auto": log if all values are positive
            and fall, else linear.
        burn_in: records at a smaller x are left out (warm-up). Records at x <= 0 always are.
        weigh: "records", or "log": every record weighs as much as its share of the log axis.
        stderr: standard error of the records (number, variable or array); they weigh by its inverse square.
        margin: factor of x, above 1, below which two conditions count as equal (1.1: ten per cent).
        paired: seeds of equal label share their randomness across conditions.
        huber: Huber's loss (one bad record pulls no harder than 1.345 robust standard deviations), or least squares.
        max_decades: longest extrapolation in decades of x that is not refused, and how far a level is looked for.
        proximity: distance of asymptotes, in units of the observable, at which the asymptotic backbone says stop.
        backbone: whether to make that table.
        along: dim of x; it must have a coordinate. Grids may be irregular.
        by: dim of conditions, or None. It may be missing.
        seeds: dim of seeds. If it is missing, or there are fewer than five, bands are "within run".
        level: confidence level.
        draws: bootstrap draws, surrogates and relabellings.
        rng: seed or generator.

    Returns:
        A `Result`. One condition: "lawful", "refused" (no law beats the baselines, or too far), "monotone law
        rejected" (the end has turned), with ``upto`` also "surprise"; "undecided" below seven records. Two with seeds:
        "more efficient" or "less efficient" (the first against the second), "no difference" or "inconclusive"; more:
        "differ" or "inconclusive". Conditions without seeds: their common verdict, or "mixed". Tables: "conditions",
        "laws", "parameters", "forecast", "reach", "surprise", "contrasts", "seeds", "backbone". With ``size``:
        "lawful", "refused" (at the size held out no better than the baselines) or "undecided" (below four sizes);
        tables "surface" and "surface_forecast".

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    _check(forecast_to, upto, scale, weigh, margin, max_decades, level, draws)
    if size is not None:
        others = {
            "forecast_to": forecast_to, "reach": reach, "upto": upto, "laws": laws, "stderr": stderr, "margin": margin,
            "proximity": proximity, "scale": None if scale in ("auto", "log") else scale,
            "weigh": None if weigh == "records" else weigh,
        }  # fmt: skip
        given = [name for name, value in others.items() if value is not None]
        if given:
            raise UserError(f"learning_curves: size= fits one surface and takes no {', '.join(given)}")
        return surface_of(
            data, var, size, burn_in=burn_in, huber=huber, paired=paired, along=along, by=by, seeds=seeds, level=level,
            draws=draws, rng=np.random.default_rng(rng), given=rng, draw=_draw_surface,
        )  # fmt: skip
    forecast_to, reach, upto = (None if v is None else float(v) for v in (forecast_to, reach, upto))
    source = np.random.default_rng(rng)
    seed = int(source.integers(2**31))
    read = curves(data, var, along=along, by=by, seeds=seeds)
    error = beside(data, stderr, read, "stderr", by, seeds)
    panels, notes = make_panels(read, scale, upto, burn_in, weigh, error)
    families = chosen_laws(laws, panels[0].kind if panels else "log")
    findings = [
        _find(
            panel, families, forecast_to, reach, upto, huber=huber, limit=max_decades, level=level, draws=draws,
            rng=source, seed=seed,
        )
        for panel in panels
    ]  # fmt: skip
    parameters, visible = parameters_table(findings, level)
    for f, seen in zip(findings, visible, strict=True):
        f.visible = seen
    contrasts = _contrasts(
        findings, families, reach, paired=paired, huber=huber, limit=max_decades, level=level, draws=draws,
        rng=source, seed=seed, judged=upto is None,
    )  # fmt: skip
    pairs = contrast_table(contrasts, margin, level)
    verdict = _verdict(findings, pairs, upto, level)
    headline, estimate, p, null, effect = headline_of(findings, contrasts, forecast_to, reach, upto, level, draws)
    labels = _labels(read, panels)
    tables = {
        "conditions": conditions_table(findings),
        "laws": laws_table(findings),
        "parameters": parameters,
        "forecast": forecast_table(findings, forecast_to, level),
        "reach": reach_table(findings, reach),
        "surprise": surprise_table(findings),
        "contrasts": pairs,
        "seeds": seeds_table(findings, labels),
        "backbone": backbone_table(findings if backbone else (), proximity, huber),
    }
    notes = [*read.notes, *notes]
    if not read.has_seeds:
        notes.append("there is no dim of seeds: everything here is within one run only")
    return Result(
        instrument="learning_curves",
        question=f"Which law does {read.name} follow along {along}, and where does it lead?",
        verdict=verdict,
        estimate=estimate,
        headline=headline,
        p=p,
        null=null,
        effect=effect,
        n_seeds=len(read.seeds) if read.has_seeds else 1,
        tables=tables,
        diagnostics=diagnostics(read, findings, forecast_to, max_decades),
        warnings=tuple(notes + cautions(findings, contrasts, pairs, forecast_to, level)),
        words=describe(read, findings, pairs, verdict, forecast_to, reach, upto),
        cannot_see=_CANNOT_SEE,
        params={
            "forecast_to": forecast_to,
            "reach": reach,
            "upto": upto,
            "laws": [law.name for law in families],
            "scale": panels[0].scale if panels else scale,
            "burn_in": burn_in,
            "weigh": weigh,
            "stderr": f"array {stderr.name!r}" if isinstance(stderr, xr.DataArray) else stderr,
            "margin": margin,
            "paired": paired,
            "huber": huber,
            "max_decades": max_decades,
            "proximity": proximity,
            "along": along,
            "by": by,
            "seeds": seeds,
            "level": level,
            "draws": draws,
        },
        provenance=provenance(read.digest, rng),
        _draw=_draw,
    )


def _draw(result: Result) -> Any:
    from emergelab.instruments._learning_curves_plot import draw

    return draw(result)


def _draw_surface(result: Result) -> Any:
    from emergelab.instruments._learning_curves_plot import draw_surface

    return draw_surface(result)


def _check(
    forecast_to: float | None,
    upto: float | None,
    scale: str,
    weigh: str,
    margin: float | None,
    max_decades: float,
    level: float,
    draws: int,
) -> None:
    if scale not in _SCALES:
        raise UserError(f"learning_curves: no scale {scale!r}{nearest(scale, _SCALES)}")
    if weigh not in ("records", "log"):
        raise UserError(f'learning_curves: weigh must be "records" or "log", got {weigh!r}')
    if margin is not None and not margin > 1:
        raise UserError(f"learning_curves: margin is a factor above 1, got {margin}")
    if not max_decades > 0:
        raise UserError(f"learning_curves: max_decades must be above 0, got {max_decades}")
    if not 0 < level < 1:
        raise UserError(f"learning_curves: level must be in (0, 1), got {level}")
    if draws < 99:
        raise UserError(f"learning_curves: draws must be at least 99, got {draws}")
    for name, value in (("forecast_to", forecast_to), ("upto", upto)):
        if value is not None and not value > 0:
            raise UserError(f"learning_curves: {name} must be above 0, got {value}")


def _labels(read: Curves, panels: Sequence[Panel]) -> list[list[Any]]:
    """Labels of the seeds of each panel, which holds only the seeds with any record."""
    out = []
    for panel in panels:
        i = read.conditions.index(panel.condition)
        alive = np.isfinite(read.values[i]).any(axis=1)
        names = [s for s, a in zip(read.seeds, alive, strict=True) if a]
        # a seed whose only records were left out (burn-in, x <= 0) has no row; the rest keep their order
        out.append(names if len(names) == panel.n else list(range(panel.n)))
    return out


def _find(
    panel: Panel,
    families: tuple[Law, ...],
    forecast_to: float | None,
    reach: float | None,
    upto: float | None,
    *,
    huber: bool,
    limit: float,
    level: float,
    draws: int,
    rng: np.random.Generator,
    seed: int,
) -> Finding:
    """All that one condition says."""
    mean = panel.mean[: panel.used]
    good = np.isfinite(mean)
    end = max([v for v in (forecast_to, None if upto is None else float(panel.axis.x[-1])) if v is not None], default=0)
    # the horizon of the rolling forecasts is that of the question: twice as far, if none is asked for
    horizon = float(np.clip(np.log(max(end / panel.early.last, 2.0)), np.log(2.0), panel.early.span / 2 + np.log(2.0)))
    choice = choose(
        np.where(good, mean, 0.0), np.where(good, panel.weight[: panel.used], 0.0), panel.early, panel.kind,
        families, horizon, huber=huber,
    )  # fmt: skip
    bend = turn(choice, panel, draws=draws, rng=rng)
    ahead = surprise(choice, panel, level=level, draws=draws, rng=rng)
    value, at, asymptote, never = estimates(
        choice, panel, forecast_to, reach, limit, level=level, draws=draws, rng=rng, seed=seed
    )
    verdict, refused = _judge(
        choice.best, choice.trusted, panel, bend, ahead, forecast_to, limit, level, int(good.sum())
    )
    if refused:
        value = Estimate(float("nan"), float("nan"), float("nan"), level, f"refused: {refused}", panel.n)
    return Finding(panel, choice, bend, ahead, value, at, never, asymptote, False, refused, verdict)


def _judge(
    best: int,
    trusted: bool,
    panel: Panel,
    bend: Turn,
    ahead: Surprise | None,
    forecast_to: float | None,
    limit: float,
    level: float,
    records: int,
) -> tuple[str, str]:
    """Verdict on one condition, and why it makes no forecast."""
    if records < FEWEST or best < 0:
        return "undecided", f"{records} records, {FEWEST} are needed"
    if np.ptp(panel.mean[: panel.used][np.isfinite(panel.mean[: panel.used])]) <= 1e-9:
        return "undecided", "the curve does not change"
    if ahead is not None and ahead.p <= 1 - level:
        return "surprise", "the records after the fit are off the law"
    if bend.p <= 1 - level:
        return "monotone law rejected", "the end of the curve has turned against the law"
    if not trusted:
        return "refused", "no law forecasts better than both baselines"
    if forecast_to is not None and np.log10(forecast_to / panel.early.last) > limit:
        return "refused", f"{np.log10(forecast_to / panel.early.last):.2g} decades beyond the data, {limit:g} allowed"
    return "lawful", ""


def _contrasts(
    findings: Sequence[Finding], families: tuple[Law, ...], reach: float | None, *, judged: bool, **how: Any
) -> list[Contrast]:
    """Efficiency of every pair of conditions with seeds enough for a p-value."""
    if not judged:
        return []
    able = [f.panel for f in findings if f.panel.n >= 3 and f.verdict != "undecided"]
    smooth = tuple(law for law in families if not law.broken) or families
    found = [efficiency(a, b, smooth, reach, **how) for a, b in combinations(able, 2)]
    return [c for c in found if c is not None]


def _verdict(findings: Sequence[Finding], pairs: Any, upto: float | None, level: float) -> str:
    if not findings:
        return "undecided"
    own = [f.verdict for f in findings]
    if len(own) == 1:
        return own[0]
    if upto is not None:
        p = np.array([f.surprise.p if f.surprise is not None else np.nan for f in findings], dtype=float)
        if (holm(p) <= 1 - level).any():
            return "surprise"
    decided = pairs[pairs["headline"].astype(bool)] if len(pairs) else pairs
    if len(decided) == 1:
        return str(decided["verdict"].iloc[0])
    if len(decided):
        return "differ" if decided["verdict"].str.contains("efficient").any() else "inconclusive"
    return own[0] if len(set(own)) == 1 else "mixed"
