"""Is there a transition in a control parameter, where, and of which order?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from emergelab.instruments._order_parameters_moments import (
    Moments,
    averages,
    bootstrap_weights,
    change_p,
    correlation_time,
    seeds_seen,
)
from emergelab.instruments._order_parameters_order import cautions, headline, order_of
from emergelab.instruments._order_parameters_phases import Phases, coexistence, hysteresis
from emergelab.instruments._order_parameters_read import System
from emergelab.instruments._order_parameters_scaling import (
    Collapse,
    collapse,
    crossing,
    interval,
    log_slope,
    peak,
    reach,
    rise,
)
from emergelab.statistics import Estimate

__all__ = ["Transition", "analyse"]

_MOST_COLLAPSES = 99  # bootstrap draws on which the collapse is fitted again


@dataclass(frozen=True)
class Transition:
    """Everything found about one system; tables are ready for the result."""

    order: str
    reason: str
    critical: Estimate
    critical_name: str
    p_change: float
    growth: Estimate
    narrowing: Estimate
    quantities: dict[str, Estimate]
    moments: Moments
    tau: Float[np.ndarray, "size control"]
    peaks: Float[np.ndarray, "size"]
    fit: Collapse | None
    window: tuple[float, float]
    sizes: pd.DataFrame
    crossings: pd.DataFrame
    curves: pd.DataFrame
    hysteresis: pd.DataFrame
    densities: list[tuple[Float[np.ndarray, "g"], Float[np.ndarray, "g"]]]
    warnings: list[str]


def analyse(
    system: System,
    *,
    margin: float,
    critical: tuple[float, float] | None,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Transition:
    """Moments, crossings, peaks, exponents, collapse, coexistence and hysteresis of one system."""
    size, control = system.size, system.control
    n = seeds_seen(system)
    weights = bootstrap_weights(len(system.seeds), draws, rng)
    per_seed, moments = averages(system, weights)
    tau = correlation_time(np.abs(system.values)) if system.has_records else np.full((len(size), len(control)), np.nan)
    p_change = change_p(per_seed, draws, rng)
    warnings: list[str] = []

    found = [peak(moments.chi[:, k], control) for k in range(len(size))]
    places, heights = (np.stack([f[i] for f in found], axis=1) for i in (0, 1))
    inside = np.array([bool(f[2][0]) for f in found])
    widths = np.stack([reach(moments.chi[:, k], control, heights[:, k]) for k in range(len(size))], axis=1)
    growth = interval(log_slope(heights, system.number), n, level, "slope of log chi_max on log N")
    narrowing = interval(log_slope(widths, system.number), n, level, "slope of log width on log N")

    crossings, binder, inverse_nu = _crossings(system, moments, n, level)
    window = _window(control, moments.chi[0], critical)
    # where the peak hardly grows there is nothing to collapse
    fit = None if growth.claimed and growth.high < margin else _collapse(system, per_seed, moments, window)
    quantities = _quantities(system, moments, places, heights, inside, binder, inverse_nu, fit, n, level)
    quantities["growth of chi_max in N"] = growth
    quantities["growth of the width of chi in N"] = narrowing
    lowest = np.nanmin(np.where(np.isfinite(moments.binder), moments.binder, np.inf), axis=2)
    lowest = np.where(np.isfinite(lowest), lowest, np.nan)
    phases = coexistence(system, moments, tau, weights, n, level)
    half, relative = rise(moments.mean[:, -1], control)
    relative_width = interval(relative, n, level, "10-90% width over the width of the grid")
    quantities["relative width of the rise"] = relative_width
    loops = hysteresis(system, level, draws, rng)

    sizes = _size_table(system, moments, places, heights, widths, lowest, tau, phases, n, level)
    order, reason = order_of(
        system, n, p_change, growth, narrowing, relative_width, inside,
        float(places[0, -1]), float(widths[0, -1]), phases,
        [interval(lowest[:, k], n, level, "lowest Binder cumulant") for k in range(len(size))], margin,
    )  # fmt: skip
    where, name = headline(quantities, interval(half, n, level, "half of the change"), order)
    warnings += cautions(system, moments, quantities, inside, loops, order, n, tau, per_seed)
    return Transition(
        order=order,
        reason=reason,
        critical=where,
        critical_name=name,
        p_change=p_change,
        growth=growth,
        narrowing=narrowing,
        quantities=quantities,
        moments=moments,
        tau=tau,
        peaks=places[0],
        fit=fit,
        window=window,
        sizes=sizes,
        crossings=crossings,
        curves=_curve_table(system, moments, tau, n, level),
        hysteresis=loops,
        densities=[c.density for c in phases],
        warnings=warnings,
    )


# --------------------------------------------------------------------------------------------------- scaling


def _crossings(
    system: System, moments: Moments, n: int, level: float
) -> tuple[pd.DataFrame, Float[np.ndarray, "draws 2"], Float[np.ndarray, "draws"]]:
    """Binder crossings of neighbouring sizes; place and height for the largest pair; 1 / nu from its slopes."""
    rows = []
    last = np.full((len(moments.binder), 2), np.nan)
    inverse_nu = np.full(len(last), np.nan)
    for k in range(len(system.size) - 1):
        place, height, small, large = crossing(moments.binder[:, k], moments.binder[:, k + 1], system.control)
        e = interval(place, n, level, "Binder crossing")
        rows.append((system.size[k], system.size[k + 1], e.value, e.low, e.high, float(height[0])))
        last = np.stack([place, height], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(large / small) / np.log(system.size[k + 1] / system.size[k])
        inverse_nu = np.where(np.isfinite(ratio), ratio, np.nan)
    columns = ["size_a", "size_b", "lambda", "low", "high", "U4"]
    return pd.DataFrame(rows, columns=columns), last, inverse_nu


def _window(
    control: Float[np.ndarray, "control"],
    chi: Float[np.ndarray, "size control"],
    asked: tuple[float, float] | None,
) -> tuple[float, float]:
    """Where scaling is looked for: around the peak of the middle system down to a quarter of it, five points at least.

    The smallest system would take in values of the control far outside the critical region, the largest too few.
    """
    if asked is not None:
        return asked
    seen = np.nan_to_num(chi[len(chi) // 2])
    if len(control) < 3 or seen.max() <= 0:
        return float(control[0]), float(control[-1])
    low = high = int(np.argmax(seen))
    last = len(control) - 1
    while low > 0 and (seen[low - 1] >= seen.max() / 4 or high - low < 2):
        low -= 1
    while high < last and (seen[high + 1] >= seen.max() / 4 or high - low < 4):
        high += 1
    return float(control[low]), float(control[high])


def _collapse(
    system: System, first: Float[np.ndarray, "seed size control"], moments: Moments, window: tuple[float, float]
) -> Collapse | None:
    inside = (system.control >= window[0]) & (system.control <= window[1])
    if len(system.size) < 2 or inside.sum() < 4 or not np.isfinite(moments.mean[0]).all():
        return None
    count = np.isfinite(first).sum(axis=0)
    centred = np.where(np.isfinite(first), first - moments.mean[0], 0.0)
    error = np.sqrt((centred**2).sum(axis=0) / np.maximum(count - 1, 1) / np.maximum(count, 1))
    drawn = moments.binder[1:]
    seen = np.isfinite(drawn).sum(axis=0)
    middle = np.where(seen > 0, np.nan_to_num(drawn).sum(axis=0) / np.maximum(seen, 1), np.nan)
    spread = np.where(np.isfinite(drawn), drawn - middle, 0.0)
    binder_error = np.sqrt((spread**2).sum(axis=0) / np.maximum(seen, 1))
    few = slice(0, _MOST_COLLAPSES + 1)
    return collapse(moments.mean[few], moments.binder[few], error, binder_error, system.control, system.size, inside)


def _quantities(
    system: System,
    moments: Moments,
    places: Float[np.ndarray, "draws size"],
    heights: Float[np.ndarray, "draws size"],
    inside: Bool[np.ndarray, "size"],
    binder: Float[np.ndarray, "draws 2"],
    slope_nu: Float[np.ndarray, "draws"],
    fit: Collapse | None,
    n: int,
    level: float,
) -> dict[str, Estimate]:
    """Critical values and exponents, by name."""
    size, out = system.size, {}
    if len(size) < 2:
        return {}
    out["lambda_c (Binder crossing)"] = interval(binder[:, 0], n, level, "crossing of the two largest sizes")
    if fit is not None:
        out["lambda_c (peak of chi)"] = interval(
            _extrapolated(places[: len(fit.critical), inside], size[inside], fit.inverse_nu),
            n, level, "peak of chi extrapolated with the 1/nu of the collapse",
        )  # fmt: skip
        out["lambda_c (collapse)"] = interval(fit.critical, n, level, "collapse")
        out["1/nu (collapse)"] = interval(fit.inverse_nu, n, level, "collapse")
        out["beta/nu (collapse)"] = interval(fit.beta_over_nu, n, level, "collapse")
        out["quality of the collapse"] = interval(fit.quality[:1], n, level, "mean squared distance in errors")
    out["1/nu (Binder slope)"] = interval(slope_nu, n, level, "ratio of Binder slopes at the crossing")
    out["U4 at the crossing"] = interval(binder[:, 1], n, level, "crossing of the two largest sizes")
    at = np.where(np.isfinite(binder[:, 0]), binder[:, 0], np.nan)
    level_m = np.stack([_read(moments.mean[:, k], system.control, at) for k in range(len(size))], axis=1)
    out["beta/nu (|m| at the crossing)"] = interval(-log_slope(level_m, size), n, level, "slope of log |m|")
    out["gamma/nu (peak of chi)"] = interval(log_slope(heights, size), n, level, "slope of log chi_max")
    return out


def _extrapolated(
    places: Float[np.ndarray, "draws size"], size: Float[np.ndarray, "size"], inverse_nu: Float[np.ndarray, "draws"]
) -> Float[np.ndarray, "draws"]:
    """Place of the peak at infinite size: a straight line in L^(-1/nu) over the sizes whose peak is inside the grid."""
    if len(size) < 2:
        return np.full(len(places), np.nan)
    u = size[None, :] ** -inverse_nu[:, None]
    v = u - u.mean(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (v * places).sum(axis=1) / (v**2).sum(axis=1)
    return places.mean(axis=1) - slope * u.mean(axis=1)


def _read(
    curve: Float[np.ndarray, "draws control"], control: Float[np.ndarray, "control"], at: Float[np.ndarray, "draws"]
) -> Float[np.ndarray, "draws"]:
    if len(control) < 2:
        return np.full(len(at), np.nan)
    k = np.clip(np.searchsorted(control, np.nan_to_num(at)) - 1, 0, len(control) - 2)
    part = (at - control[k]) / (control[k + 1] - control[k])
    row = np.arange(len(at))
    return (1 - part) * curve[row, k] + part * curve[row, k + 1]


# ---------------------------------------------------------------------------------------------------- tables


def _size_table(
    system: System,
    moments: Moments,
    places: Float[np.ndarray, "draws size"],
    heights: Float[np.ndarray, "draws size"],
    widths: Float[np.ndarray, "draws size"],
    lowest: Float[np.ndarray, "draws size"],
    tau: Float[np.ndarray, "size control"],
    phases: list[Phases],
    n: int,
    level: float,
) -> pd.DataFrame:
    rows = []
    for k in range(len(system.size)):
        where = interval(places[:, k], n, level, "peak")
        high = interval(heights[:, k], n, level, "chi_max")
        wide = interval(widths[:, k], n, level, "width")
        dip = interval(lowest[:, k], n, level, "lowest Binder cumulant")
        top = int(np.argmax(np.nan_to_num(moments.chi[0, k])))
        rows.append({
            "size": system.size[k], "N": system.number[k],
            "lambda_peak": where.value, "lambda_low": where.low, "lambda_high": where.high,
            "chi_max": high.value, "chi_low": high.low, "chi_high": high.high,
            "chi_thermal": moments.thermal[0, k, top], "chi_between": moments.between[0, k, top],
            "width": wide.value, "width_low": wide.low, "width_high": wide.high,
            "tau": tau[k, top], "U4_min": dip.value, "U4_min_low": dip.low, "U4_min_high": dip.high,
            "valley": phases[k].depth.value, "valley_low": phases[k].depth.low, "valley_high": phases[k].depth.high,
            "ashman_D": phases[k].separation,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _curve_table(
    system: System, moments: Moments, tau: Float[np.ndarray, "size control"], n: int, level: float
) -> pd.DataFrame:
    rows = []
    for k, size in enumerate(system.size):
        for j, at in enumerate(system.control):
            mean = interval(moments.mean[:, k, j], n, level, "mean")
            chi = interval(moments.chi[:, k, j], n, level, "chi")
            rows.append((
                size, at, mean.value, mean.low, mean.high, chi.value, chi.low, chi.high, moments.thermal[0, k, j],
                moments.between[0, k, j], moments.binder[0, k, j], tau[k, j],
            ))  # fmt: skip
    columns = ["size", "control", "m", "m_low", "m_high", "chi", "chi_low", "chi_high", "chi_thermal", "chi_between"]
    return pd.DataFrame(rows, columns=[*columns, "U4", "tau"])
