"""What whole seeds say: intervals from resampled seeds, surprise, a turn against the law, efficiency of conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special

from emergelab.instruments._learning_curves_choose import Choice
from emergelab.instruments._learning_curves_data import Panel
from emergelab.instruments._learning_curves_fit import Fit, refit
from emergelab.instruments._learning_curves_laws import Axis
from emergelab.statistics import (
    Estimate,
    ar1_coefficient,
    ar1_noise,
    estimate,
    max_t,
    sign_flips,
    surrogates,
)

__all__ = [
    "FEWEST_SEEDS",
    "Surprise",
    "Turn",
    "crossing",
    "over_seeds",
    "refitted",
    "surprise",
    "turn",
    "within_run",
]

FEWEST_SEEDS = 5
"""Below this many seeds nothing is claimed over seeds, and bands are within the mean run only."""


# ------------------------------------------------------------------------------------------- resampled seeds


def over_seeds(
    n: int,
    evaluate: Callable[[Float[np.ndarray, "r seed"]], Float[np.ndarray, "r k"]],
    *,
    level: float,
    draws: int,
    seed: int,
    bounds: tuple[float, float] | None = None,
) -> list[Estimate]:
    """Several statistics of the weights of the seeds, each with the interval that the number of seeds allows.

    `estimate` asks for one resample after another. Here it is first run with a stand-in that only takes down which
    resamples it wants; all of them are then fitted in one go, and the real runs read the answers.
    """
    rows = np.eye(n)
    wanted: dict[bytes, np.ndarray] = {}

    def take_down(chosen: np.ndarray) -> float:
        share = chosen.mean(axis=0)
        wanted[share.tobytes()] = share
        return float(len(wanted) % 7)  # anything that varies, so that no shortcut for equal seeds is taken

    estimate(rows, take_down, level=level, draws=draws, rng=seed)
    take_down(rows)
    values = evaluate(np.array(list(wanted.values())))
    found = dict(zip(wanted, values, strict=True))

    def answer(k: int) -> Estimate:
        return estimate(
            rows,
            lambda chosen: float(found[chosen.mean(axis=0).tobytes()][k]),
            level=level,
            draws=draws,
            rng=seed,
            bounds=bounds,
        )

    return [answer(k) for k in range(values.shape[1])]


def refitted(choice: Choice, panel: Panel, mean: Float[np.ndarray, "r x"], *, mixture: bool = True) -> dict[int, Fit]:
    """The laws of the mixture, and the chosen one, refitted to other means; index of the law -> fits."""
    early = mean[:, : panel.used]
    weight = np.where(np.isfinite(early), panel.weight[: panel.used], 0.0)
    needed = set(np.flatnonzero(choice.stack > 0).tolist()) if mixture else set()
    if choice.best >= 0:
        needed.add(choice.best)
    return {k: refit(choice.fits[k], early, weight, panel.early, panel.kind) for k in sorted(needed)}


def _mixed(choice: Choice, fits: dict[int, Fit], axis: Axis, panel: Panel) -> Float[np.ndarray, "r x"]:
    parts = [choice.stack[k] * fits[k].at(axis, panel.kind) for k in fits if choice.stack[k] > 0]
    return np.sum(parts, axis=0)


def crossing(values: Float[np.ndarray, "r g"], x: Float[np.ndarray, "g"], level: float) -> Float[np.ndarray, "r"]:
    """ln x at which each row first falls to the level; an end of the grid where it starts below or never gets there."""
    u = np.log(x)
    below = values <= level
    at = below.argmax(axis=1)
    out = np.full(len(values), u[-1])
    out[below[:, 0]] = u[0]
    rows = np.flatnonzero(below.any(axis=1) & (at > 0))
    j = at[rows]
    above, under = values[rows, j - 1], values[rows, j]
    share = np.where(above > under, (above - level) / np.where(above > under, above - under, 1.0), 1.0)
    out[rows] = u[j - 1] + share * (u[j] - u[j - 1])
    return out


# ------------------------------------------------------------------------------------------------- one run


def within_run(
    choice: Choice, panel: Panel, evaluate: Callable[[Float[np.ndarray, "r x"]], Float[np.ndarray, "r k"]], *,
    level: float, draws: int, rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"], str]:  # fmt: skip
    """Bands for one run or a few: blocks of the residuals of the chosen law are drawn anew and the law is refitted."""
    law = choice.fits[choice.best].at(panel.early, panel.kind)[0]
    residual = panel.mean[: panel.used] - law
    gap = ~np.isfinite(residual)
    residual[gap] = 0.0
    count, p = len(residual), choice.fits[choice.best].theta.shape[1]
    residual *= np.sqrt(count / max(count - p, 1.0))
    kind = "block" if count >= 12 else "ar1"
    drawn = surrogates(residual, kind, draws=draws, rng=rng)
    drawn[:, gap] = np.nan
    with np.errstate(invalid="ignore"):
        values = evaluate(law + drawn)
    lows, highs = np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    for k in range(values.shape[1]):
        seen = values[:, k][np.isfinite(values[:, k])]
        if len(seen) >= 0.95 * len(values):
            lows[k], highs[k] = np.quantile(seen, [(1 - level) / 2, (1 + level) / 2])
    return lows, highs, f"residual {'block bootstrap' if kind == 'block' else 'AR(1) bootstrap'}, within run"


# ------------------------------------------------------------------------------------------------- surprise


@dataclass(frozen=True)
class Surprise:
    """Later records against the forecast of the laws fitted before them.

    Attributes:
        predicted: forecast response of the mixture at each later record.
        mean: error of the mean curve over all later records, on the inner scale, with its interval.
        z: error over its standard error, at each record.
        low, high: predictive band of the mean curve at each record.
        p: p of the mean error.
        p_max: p at each record, paid for looking at all of them.
        method: what the p-values rest on.
        draws: surrogates or assignments of signs.
    """

    predicted: Float[np.ndarray, "late"]
    mean: Estimate
    z: Float[np.ndarray, "late"]
    low: Float[np.ndarray, "late"]
    high: Float[np.ndarray, "late"]
    p: float
    p_max: Float[np.ndarray, "late"]
    method: str
    draws: int


def surprise(choice: Choice, panel: Panel, *, level: float, draws: int, rng: np.random.Generator) -> Surprise | None:
    """Judge the later records under the mixture; None where there are none or nothing could be fitted.

    The predictive distribution has the spread over seeds (the laws are refitted with each seed left out) and the spread
    between the laws of the mixture.
    """
    late = panel.late
    if not len(late.x) or not choice.stack.any():
        return None
    predicted = choice.mixture(late, panel.kind)
    gap = panel.mean[panel.used :] - predicted
    seen = np.isfinite(gap)
    if not seen.any():
        return None
    of_law = np.stack([choice.fits[k].at(late, panel.kind)[0] for k in np.flatnonzero(choice.stack > 0)])
    share = choice.stack[choice.stack > 0]
    between = share @ (of_law - predicted) ** 2
    between_mean = float(share @ (of_law - predicted)[:, seen].mean(axis=1) ** 2)
    value = float(gap[seen].mean())

    def errors(mean: Float[np.ndarray, "r x"]) -> Float[np.ndarray, "r late"]:
        return mean[:, panel.used :] - _mixed(choice, refitted(choice, panel, mean), late, panel)

    if panel.n >= FEWEST_SEEDS:
        n = panel.n
        pseudo = n * gap - (n - 1) * errors(panel.means(_leave_one_out(n)))
        signs, exhaustive = sign_flips(n, draws=draws, rng=rng)
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.sqrt(pseudo.var(axis=0, ddof=1) / n + between)
            spread = float(np.sqrt(pseudo[:, seen].mean(axis=1).var(ddof=1) / n + between_mean))
            signed = np.abs(signs @ (pseudo - pseudo.mean(axis=0) + gap) / n)
            looks = np.where(error > 0, signed / np.where(error > 0, error, 1.0), np.nan)
        how = f"seeds left out in turn, spread between laws added; over x max-T with {len(signs)} signs of seeds"
        how += " (all)" if exhaustive else ""
        df, times = n - 1, len(signs)
    else:
        made = _simulated(choice, panel, draws, rng)
        if made is None:
            return None
        each = errors(made)
        with np.errstate(invalid="ignore"):
            error = np.sqrt(each.var(axis=0, ddof=1) + between)
            spread = float(np.sqrt(each[:, seen].mean(axis=1).var(ddof=1) + between_mean))
            looks = np.abs(np.vstack([gap, each])) / np.where(error > 0, error, np.nan)
        how = "law plus AR(1) residuals, refitted, spread between laws added, within run"
        df, times = max(panel.used - 3, 1), draws
    half = float(special.stdtrit(df, 0.5 + level / 2))
    usable = bool(np.isfinite(spread) and spread > 0)
    p = float(2 * special.stdtr(df, -abs(value) / spread)) if usable else float("nan")
    reach = half * spread if usable else float("nan")
    mean = Estimate(value, value - reach, value + reach, level, how, panel.n)
    z = np.where(error > 0, gap / np.where(error > 0, error, 1.0), np.nan)
    return Surprise(predicted, mean, z, predicted - half * error, predicted + half * error, p, max_t(looks), how, times)


def _leave_one_out(n: int) -> Float[np.ndarray, "n n"]:
    return (1 - np.eye(n)) / (n - 1)


def _simulated(
    choice: Choice, panel: Panel, draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "draws x"] | None:
    """Runs of the mixture plus AR(1) noise as large and as correlated as its residuals."""
    residual = panel.mean[: panel.used] - choice.mixture(panel.early, panel.kind)
    residual = residual[np.isfinite(residual)]
    if len(residual) < 4:
        return None
    p = choice.fits[choice.best].theta.shape[1] if choice.best >= 0 else 2
    df = max(len(residual) - p, 1)
    sd = float(np.sqrt((residual**2).sum() / df))
    phi = max(0.0, ar1_coefficient(residual, 2))
    # the spread of the noise is itself only estimated: Student's t rather than the normal
    scale = sd * np.sqrt(df / rng.chisquare(df, (draws, 1)))
    return choice.mixture(panel.axis, panel.kind) + scale * ar1_noise((draws, len(panel.axis.x)), phi, rng)


# ---------------------------------------------------------------------------------------- against the law


@dataclass(frozen=True)
class Turn:
    """Whether the end of the curve has turned against the law.

    Attributes:
        rise: mean of the last quarter of the records less the lowest mean of as many records before, inner scale.
        p: one-sided p that there is such a rise.
        where: x in the middle of the lowest stretch.
        residual: mean residual of the last quarter from the best law without breaks, inner scale.
        method: what p rests on.
    """

    rise: float
    p: float
    where: float
    residual: float
    method: str


def turn(choice: Choice, panel: Panel, *, draws: int, rng: np.random.Generator) -> Turn:
    """Compare the last quarter of the records used with the lowest stretch before it.

    With five seeds or more the lowest stretch of a seed is found on the other seeds, so that finding it costs nothing;
    with fewer the same search is made on simulated runs of the best monotone law.
    """
    nan = float("nan")
    y, u = panel.values[:, : panel.used], panel.axis.x[: panel.used]
    mean = panel.mean[: panel.used]
    none = Turn(nan, nan, nan, nan, "fewer than eight records")
    good = np.isfinite(mean)
    smooth = [k for k, law in enumerate(choice.laws) if not law.broken and np.isfinite(choice.bic[k])]
    if good.sum() < 8 or not good.all() or not smooth:
        return none
    part = max(3, len(mean) // 4)
    best = smooth[int(np.argmin(choice.bic[smooth]))]
    law = choice.fits[best].at(panel.early, panel.kind)[0]
    residual = float((mean - law)[-part:].mean())
    rise, at = _rise(mean[None], part)
    where = float(np.exp(np.log(u[at[0] : at[0] + part]).mean()))
    if panel.n >= FEWEST_SEEDS:
        others = panel.means(_leave_one_out(panel.n))[:, : panel.used]
        _, places = _rise(others, part)
        own = np.array(
            [np.nanmean(row[-part:]) - np.nanmean(row[j : j + part]) if np.isfinite(row[-part:]).any()
             and np.isfinite(row[j : j + part]).any() else nan for row, j in zip(y, places, strict=True)]
        )  # fmt: skip
        e = estimate(own, draws=max(draws, 100), rng=rng)
        return Turn(float(rise[0]), e.p_greater(0.0), where, residual, f"over seeds ({e.method})")
    left = mean - law
    p = choice.fits[best].theta.shape[1]
    sd = float(np.sqrt((left**2).sum() / max(len(left) - p, 1)))
    phi = max(0.0, ar1_coefficient(left, 2))
    made = law + sd * ar1_noise((draws, len(mean)), phi, rng)
    drawn, _ = _rise(made, part)
    p_value = float((1 + np.sum(drawn >= rise[0] - 1e-12)) / (draws + 1))
    return Turn(float(rise[0]), p_value, where, residual, "law plus AR(1) residuals, within run")


def _rise(mean: Float[np.ndarray, "r x"], part: int) -> tuple[Float[np.ndarray, "r"], np.ndarray]:
    sums = np.cumsum(np.concatenate([np.zeros((len(mean), 1)), mean], axis=1), axis=1)
    windows = (sums[:, part:] - sums[:, :-part]) / part
    before = windows[:, : max(1, windows.shape[1] - part)]
    at = before.argmin(axis=1)
    return windows[:, -1] - before[np.arange(len(mean)), at], at
