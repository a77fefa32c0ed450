"""One society against another: errors of weekly curves, models fitted to the past and asked for the future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

import emergelab as el
from emergelab.statistics import estimate

from ._conditions import RATES, SCALES, TRUTH, at_rate
from ._measures import Weeks, weekly

__all__ = [
    "AHEAD", "SEEN", "ErrorRatio", "ForecastRatio", "ShrinksWithSize", "autoregression", "error", "error_ahead",
    "fitted", "forecast_errors", "persistence",
]  # fmt: skip

SEEN = 12
"""Weeks to which a model is fitted, and from which a forecast is made."""
AHEAD = 8
"""Weeks that are asked for."""


def error(found: Weeks, truth: Weeks) -> Float[np.ndarray, "seed"]:
    """Root mean square difference of two weekly curves over the mean of the second, seed by seed."""
    return np.sqrt(np.mean((found - truth) ** 2, axis=1)) / np.maximum(np.mean(truth, axis=1), 1e-9)


def error_ahead(found: Weeks, truth: Weeks) -> Float[np.ndarray, "seed"]:
    """The same over the weeks ahead only, over the mean of the whole curve: what is ahead may be nothing."""
    gap = (found - truth)[:, SEEN : SEEN + AHEAD]
    return np.sqrt(np.mean(gap**2, axis=1)) / np.maximum(np.mean(truth, axis=1), 1e-9)


def _log10_ratio(a: Float[np.ndarray, "seed"], b: Float[np.ndarray, "seed"]) -> Float[np.ndarray, "seed"]:
    """NaN where an error is exactly 0: then there was no epidemic to be wrong about."""
    known = (a > 0) & (b > 0)
    return np.where(known, np.log10(np.where(known, a, 1.0) / np.where(known, b, 1.0)), np.nan)


def curves(sample: el.Sample, names: Sequence[str]) -> list[Weeks]:
    """Weekly curves of conditions; a condition that the run lacks makes the claim untested."""
    for name in names:
        sample.curve("attack", name)
    return [weekly(sample.data.sel(condition=name, drop=True)) for name in names]


@dataclass(frozen=True)
class ErrorRatio(el.Test):
    """Error of condition `a` over that of `b`, both against the truth in the same cities; log10, seed by seed."""

    a: str
    b: str

    @property
    def conditions(self) -> tuple[str, ...]:
        return (self.a, self.b, TRUTH)

    def words(self) -> str:
        return f"log10 of the error of weekly infections, {self.a} over {self.b}"

    def evidence(self, sample: el.Sample) -> el.Evidence:
        a, b, truth = curves(sample, self.conditions)
        each = _log10_ratio(error(a, truth), error(b, truth))
        return el.Evidence(estimate(each), each)


# -- fitted to the past, asked for the future -----------------------------------------------------------------------


def fitted(models: Sequence[Weeks], truth: Weeks) -> tuple[Weeks, Int[np.ndarray, "seed"]]:
    """Of several models of each seed the one nearest to the truth in the weeks seen, and which that is."""
    losses = np.stack([np.mean((m[:, :SEEN] - truth[:, :SEEN]) ** 2, axis=1) for m in models])
    best = losses.argmin(axis=0)
    return np.stack([models[b][s] for s, b in enumerate(best)]), best


def persistence(truth: Weeks) -> Weeks:
    """Every week to come is like the last one seen."""
    out = truth.copy()
    out[:, SEEN:] = truth[:, SEEN - 1 : SEEN]
    return out


def autoregression(truth: Weeks) -> Weeks:
    """Logarithms of the weeks to come by an autoregression of order 2, fitted to the weeks seen by least squares."""
    out = truth.copy()
    for row in out:
        seen = np.log(row[:SEEN] + 1e-3)
        past = np.column_stack([np.ones(SEEN - 2), seen[1:-1], seen[:-2]])
        weights, *_ = np.linalg.lstsq(past, seen[2:], rcond=None)
        values = list(seen)
        while len(values) < len(row):
            # An explosive fit is cut off at everybody in one week.
            values.append(min(float(weights @ [1.0, values[-1], values[-2]]), np.log(100.0)))
        row[SEEN:] = np.exp(values[SEEN:]) - 1e-3
    return out


def forecast_errors(sample: el.Sample, who: str) -> Float[np.ndarray, "seed"]:
    """Error over the weeks ahead of `persistence`, `autoregression`, or a level fitted by its R; seed by seed."""
    (truth,) = curves(sample, [TRUTH])
    if who == "persistence":
        found = persistence(truth)
    elif who == "autoregression":
        found = autoregression(truth)
    else:
        found, _ = fitted(curves(sample, [at_rate(who, r) for r in RATES]), truth)
    return error_ahead(found, truth)


@dataclass(frozen=True)
class ForecastRatio(el.Test):
    """Error of a fitted level over that of another forecast, in weeks that neither has seen; log10, seed by seed."""

    a: str
    b: str

    @property
    def conditions(self) -> tuple[str, ...]:
        asked = [who for who in (self.a, self.b) if who not in ("persistence", "autoregression")]
        return (TRUTH, *(at_rate(who, r) for who in asked for r in RATES))

    def words(self) -> str:
        when = f"weeks {SEEN + 1} to {SEEN + AHEAD} after a fit to the {SEEN} before"
        return f"log10 of the error in {when}, {self.a} over {self.b}"

    def evidence(self, sample: el.Sample) -> el.Evidence:
        each = _log10_ratio(forecast_errors(sample, self.a), forecast_errors(sample, self.b))
        return el.Evidence(estimate(each), each)


# -- size -----------------------------------------------------------------------------------------------------------


def _slope(rows: Float[np.ndarray, "seed scale"]) -> float:
    size = np.log10(np.asarray(list(SCALES.values()), float))
    spread = np.log10(np.maximum(rows.std(axis=0, ddof=1), 1e-12))
    return float(np.polyfit(size, spread, 1)[0])


@dataclass(frozen=True)
class ShrinksWithSize(el.Test):
    """Slope of the logarithm of the standard deviation over seeds on the logarithm of the number of people, plus 1/2.

    Of infections per person after so many weeks.
    """

    weeks: int

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(SCALES)

    def words(self) -> str:
        return (
            f"exponent with which the scatter over seeds of infections in week {self.weeks} falls with size, plus 0.5"
        )

    def evidence(self, sample: el.Sample) -> el.Evidence:
        rows = np.stack([c[:, : self.weeks].sum(axis=1) for c in curves(sample, self.conditions)], axis=1)
        found = estimate(rows, lambda x: _slope(x) + 0.5, draws=5000)
        return el.Evidence(found, np.full(len(rows), np.nan))
