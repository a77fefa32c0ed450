"""Averages of an order parameter over seeds and records, on the data and on bootstrap draws over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from emergelab.instruments._order_parameters_read import System

__all__ = ["Moments", "averages", "bootstrap_weights", "change_p", "correlation_time", "seeds_seen"]


@dataclass(frozen=True)
class Moments:
    """Averages over seeds and kept records; row 0 is the data, the others are bootstrap draws over seeds.

    Attributes:
        mean: <|m|>.
        chi: N (<m^2> - <|m|>^2), noise in time and disorder between seeds together.
        thermal: the part within seeds; NaN without records in time.
        between: the part between seeds.
        binder: 1 - <m^4> / (3 <m^2>^2).
    """

    mean: Float[np.ndarray, "draws size control"]
    chi: Float[np.ndarray, "draws size control"]
    thermal: Float[np.ndarray, "draws size control"]
    between: Float[np.ndarray, "draws size control"]
    binder: Float[np.ndarray, "draws size control"]


def seeds_seen(system: System) -> int:
    """Seeds with any record at all; without a dim of seeds nothing replicates."""
    seen = np.isfinite(system.values).any(axis=(1, 2, 3, 4))
    return int(seen.sum()) if system.has_seeds else min(1, int(seen.sum()))


def bootstrap_weights(n: int, draws: int, rng: np.random.Generator) -> Float[np.ndarray, "draws seed"]:
    """How often each seed counts: once in the data (row 0), at random in the draws. One draw for all sizes and
    controls, as sweeps often share their seeds."""
    drawn = rng.multinomial(n, np.full(n, 1.0 / n), size=draws).astype(float)
    return np.concatenate([np.ones((1, n)), drawn])


def averages(
    system: System, weights: Float[np.ndarray, "draws seed"]
) -> tuple[Float[np.ndarray, "seed size control"], Moments]:
    values = system.values
    seen = np.isfinite(values)
    m = np.where(seen, np.abs(values), 0.0)
    count = seen.sum(axis=(1, 4))
    powers = []
    for power in (1, 2, 4):
        total = (m**power).sum(axis=(1, 4))
        powers.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    first, second, fourth = powers
    present = (count > 0).astype(float)
    shape = first.shape[1:]
    records = weights @ present.reshape(len(present), -1)

    def over(x: Float[np.ndarray, "seed size control"]) -> Float[np.ndarray, "draws size control"]:
        total = weights @ np.nan_to_num(x).reshape(len(x), -1)
        return np.where(records > 0, total / np.maximum(records, 1), np.nan).reshape(len(weights), *shape)

    mean, square, quartic, of_means = over(first), over(second), over(fourth), over(first**2)
    number = system.number[None, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        binder = np.where(square > 1e-200, 1 - quartic / (3 * square**2), np.nan)
    several = (system.values.shape[1] > 1) or system.has_records
    return first, Moments(
        mean=mean,
        chi=number * np.maximum(square - mean**2, 0.0),
        thermal=number * np.maximum(square - of_means, 0.0) if several else np.full_like(mean, np.nan),
        between=number * np.maximum(of_means - mean**2, 0.0),
        binder=binder,
    )


def correlation_time(m: Float[np.ndarray, "seed sweep size control record"]) -> Float[np.ndarray, "size control"]:
    """Integrated autocorrelation time in records, 1/2 for independent ones, mean over seeds and sweeps.

    Summed up to the first lag beyond five times the sum so far (Sokal 1989).
    """
    length = m.shape[-1]
    shape = m.shape[2:4]
    if length < 4:
        return np.full(shape, np.nan)
    seen = np.isfinite(m)
    count = seen.sum(axis=-1, keepdims=True)
    mean = np.where(seen, m, 0.0).sum(axis=-1, keepdims=True) / np.maximum(count, 1)
    rest = np.where(seen, m - mean, 0.0)
    spectrum = np.abs(np.fft.rfft(rest, n=2 * length, axis=-1)) ** 2
    covariance = np.fft.irfft(spectrum, axis=-1)[..., : length // 2]
    zero = covariance[..., :1]
    varies = zero[..., 0] > 1e-24 * np.maximum(mean[..., 0] ** 2, 1e-300) * length
    rho = covariance / np.where(varies[..., None], zero, 1.0)
    sums = np.cumsum(rho, axis=-1) - 0.5
    lag = np.arange(sums.shape[-1])
    stop = np.argmax((lag >= 5 * sums) | (lag == lag[-1]), axis=-1)
    tau = np.where(varies, np.maximum(np.take_along_axis(sums, stop[..., None], axis=-1)[..., 0], 0.5), np.nan)
    known = np.isfinite(tau)
    total = np.where(known, tau, 0.0).sum(axis=(0, 1))
    return np.where(known.any(axis=(0, 1)), total / np.maximum(known.sum(axis=(0, 1)), 1), np.nan)


def change_p(first: Float[np.ndarray, "seed size control"], draws: int, rng: np.random.Generator) -> float:
    """p of the mean |m| being the same at every control value: values are permuted over controls within seeds."""
    seeds, _, levels = first.shape
    seen = np.isfinite(first)
    count = seen.sum(axis=2, keepdims=True)
    own = np.where(seen, first, 0.0).sum(axis=2, keepdims=True) / np.maximum(count, 1)
    rest = np.where(seen, first - own, 0.0)
    scale = np.sqrt((rest**2).sum(axis=(0, 2), keepdims=True))
    if seeds < 3 or levels < 3 or not (scale > 1e-12 * np.maximum(np.abs(own).max(), 1e-300)).any():
        return float("nan")
    rest = rest / np.where(scale > 0, scale, 1.0)
    observed = float((rest.mean(axis=0) ** 2).sum())
    step = max(1, 400_000 // rest.size)
    at_least, made = 0, 0
    while made < draws:
        now = min(step, draws - made)
        shuffled = rng.permuted(np.broadcast_to(rest, (now, *rest.shape)), axis=3)
        at_least += int(((shuffled.mean(axis=1) ** 2).sum(axis=(1, 2)) >= observed * (1 - 1e-9)).sum())
        made += now
    return (1 + at_least) / (draws + 1)
