"""Surrogates of one trajectory, by name: series that keep what a null hypothesis keeps and lose the rest.

===========  =========================================================================================
name         what is kept
===========  =========================================================================================
shuffle      the values alone; only for independent records
ar1          mean, variance and lag-1 autocorrelation (Gaussian)
arma         mean and the linear autocorrelation, by an ARMA model whose order BIC chooses (Gaussian)
block        the values and their short-range order, by the stationary bootstrap (Politis and Romano 1994)
phase        the power spectrum exactly; the values become Gaussian (Theiler et al. 1992)
iaaft        the values exactly and the power spectrum nearly (Schreiber and Schmitz 1996)
time_shift   everything but the alignment with other series: a circular shift
===========  =========================================================================================

Any of them may be prefixed by ``trend+``: the straight line of least squares is taken out first and put back
afterwards. ``trend+ar1`` is the usual default: the weakest null that keeps trend and autocorrelation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Real
from scipy.signal import lfilter

from emergelab.errors import UserError, nearest

__all__ = ["SURROGATES", "ar1_coefficient", "ar1_noise", "surrogates"]

Series = Float[np.ndarray, "time"]
Table = Float[np.ndarray, "draws time"]

_LARGEST_PHI = 0.98
_ROUNDS = 50  # of IAAFT, at most
_SETTLED = 0.01  # IAAFT ends when fewer than this share of the values still move
_WARM = 200  # records that an ARMA series runs before it counts


def surrogates(
    values: Real[np.ndarray, "time"],
    kind: str = "trend+ar1",
    *,
    draws: int = 999,
    time: Real[np.ndarray, "time"] | None = None,
    rng: int | np.random.Generator = 0,
) -> Float[np.ndarray, "draws time"]:
    """Surrogates of a trajectory.

    Args:
        values: the trajectory, all finite, at least 4 records.
        kind: one of `SURROGATES`, with or without ``trend+`` before it.
        draws: how many, at least 1.
        time: times of the records, for the trend; None: 0, 1, 2, ... The autocorrelation is that of
            neighbouring records whatever the times.
        rng: seed or generator.

    Raises:
        UserError: an unknown kind, too few records, or a value that is not finite.
    """
    trend, _, name = kind.rpartition("+")
    if name not in SURROGATES or trend not in ("", "trend"):
        raise UserError(f"surrogates: no kind {kind!r}{nearest(name, SURROGATES)}; each may follow 'trend+'")
    if draws < 1:
        raise UserError(f"surrogates: draws must be at least 1, got {draws}")
    y = np.asarray(values, dtype=float)
    if y.ndim != 1 or len(y) < 4:
        raise UserError(f"surrogates: a trajectory of at least 4 records was expected, got shape {y.shape}")
    if not np.isfinite(y).all():
        raise UserError("surrogates: the trajectory has records that are not finite; leave them out first")
    source = np.random.default_rng(rng)
    line = np.zeros_like(y)
    if trend:
        at = np.arange(len(y), dtype=float) if time is None else np.asarray(time, dtype=float)
        at = at - at.mean()
        line = y.mean() + (at @ y / (at @ at)) * at
    rest = y - line
    if np.ptp(rest) <= 1e-12 * max(1.0, float(np.abs(y).max())):
        return np.tile(y, (draws, 1))  # nothing varies, so nothing can be drawn
    return line + SURROGATES[name](rest, draws, source, 2 if trend else 1)


def ar1_coefficient(residual: Real[np.ndarray, "time"], fitted: int = 1) -> float:
    """Lag-1 coefficient of a residual, corrected for the bias of least squares.

    Args:
        residual: what is left of a trajectory after ``fitted`` parameters were taken out: 1 is the mean, 2 the
            straight line. The bias is about ``-(1 + 3 phi) / T`` for a mean, ``-(2 + 4 phi) / T`` for a line
            (Marriott and Pope 1954).
    """
    r = np.asarray(residual, dtype=float)
    r = r - r.mean()
    size = float(r @ r)
    if len(r) < 3 or size == 0.0:
        return 0.0
    phi = float(r[1:] @ r[:-1]) / size
    return float(np.clip(phi + (fitted + (fitted + 2) * phi) / len(r), -_LARGEST_PHI, _LARGEST_PHI))


def ar1_noise(shape: tuple[int, ...], phi: float, rng: np.random.Generator) -> Float[np.ndarray, "*shape"]:
    """Stationary AR(1) noise of unit variance along the last axis."""
    noise = rng.standard_normal(shape)
    noise[..., 0] /= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise, axis=-1) * np.sqrt(1 - phi**2))


def _shuffle(y: Series, draws: int, rng: np.random.Generator, fitted: int) -> Table:
    return rng.permuted(np.tile(y, (draws, 1)), axis=1)


def _ar1(y: Series, draws: int, rng: np.random.Generator, fitted: int) -> Table:
    spread = np.sqrt(float(((y - y.mean()) ** 2).sum()) / max(1, len(y) - fitted))
    return y.mean() + spread * ar1_noise((draws, len(y)), ar1_coefficient(y, fitted), rng)


def _arma(y: Series, draws: int, rng: np.random.Generator, fitted: int) -> Table:
    """Hannan and Rissanen (1982): innovations from a long autoregression, then least squares on lags of both."""
    centred = y - y.mean()
    n = len(y)
    longest = int(min(n // 4, max(2, round(10 * np.log10(n)))))
    innovations = centred - _lags(centred, longest) @ _least_squares(_lags(centred, longest), centred, longest)
    best: tuple[float, Series, Series, float] | None = None
    for p in range(4):
        for q in range(3):
            skip = longest + q
            design = np.column_stack([_lags(centred, p), _lags(innovations, q)])
            if n - skip < 4 * (p + q + 1):
                continue
            beta = _least_squares(design, centred, skip)
            left = (centred - design @ beta)[skip:]
            variance = float(left @ left) / len(left)
            stable = p == 0 or np.abs(np.roots(np.r_[1.0, -beta[:p]])).max() < 0.995
            if variance <= 0 or not stable:
                continue
            bic = len(left) * np.log(variance) + (p + q) * np.log(len(left))
            if best is None or bic < best[0]:
                best = (bic, beta[:p], beta[p:], variance)
    if best is None:
        return _ar1(y, draws, rng, fitted)
    _, ar, ma, variance = best
    shocks = rng.standard_normal((draws, n + _WARM)) * np.sqrt(variance)
    return y.mean() + np.asarray(lfilter(np.r_[1.0, ma], np.r_[1.0, -ar], shocks, axis=1))[:, _WARM:]


def _lags(y: Series, count: int) -> Float[np.ndarray, "time lags"]:
    return np.column_stack([np.r_[np.zeros(k), y[:-k]] for k in range(1, count + 1)] or [np.empty((len(y), 0))])


def _least_squares(design: Float[np.ndarray, "time k"], y: Series, skip: int) -> Float[np.ndarray, "k"]:
    return np.linalg.lstsq(design[skip:], y[skip:], rcond=None)[0] if design.shape[1] else np.empty(0)


def _block(y: Series, draws: int, rng: np.random.Generator, fitted: int) -> Table:
    n = len(y)
    # blocks long enough for the correlation to die out within one, short enough that there are many
    phi = max(0.0, ar1_coefficient(y, fitted))
    mean_length = float(np.clip((2 * phi / (1 - phi**2)) ** (2 / 3) * n ** (1 / 3), n ** (1 / 3), n / 4))
    fresh = rng.random((draws, n)) < 1 / mean_length
    fresh[:, 0] = True
    starts = rng.integers(0, n, (draws, n))
    begun = np.maximum.accumulate(np.where(fresh, np.arange(n), 0), axis=1)
    index = (np.take_along_axis(starts, begun, axis=1) + np.arange(n) - begun) % n
    return y[index]


def _phase(y: Series, draws: int, rng: np.random.Generator, fitted: int) -> Table:
    return np.fft.irfft(_turned(np.fft.rfft(y), (draws, len(y)), rng), n=len(y), axis=1)


def _turned(spectrum: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """The spectrum with random phases; the mean, and the highest frequency of an even length, are real."""
    turn = np.exp(2j * np.pi * rng.random((shape[0], len(spectrum))))
    turn[:, 0] = 1.0
    if shape[1] % 2 == 0:
        turn[:, -1] = np.where(rng.random(shape[0]) < 0.5, 1.0, -1.0)
    return np.abs(spectrum) * turn * np.where(np.arange(len(spectrum)) == 0, np.sign(spectrum.real[0]) or 1.0, 1.0)


def _iaaft(y: Series, draws: int, rng: np.random.Generator, fitted: int) -> Table:
    ordered, amplitude = np.sort(y), np.abs(np.fft.rfft(y))
    out = _shuffle(y, draws, rng, fitted)
    for _ in range(_ROUNDS):
        phases = np.fft.rfft(out, axis=1)
        phases /= np.maximum(np.abs(phases), 1e-300)
        smooth = np.fft.irfft(amplitude * phases, n=len(y), axis=1)
        new = np.empty_like(out)
        np.put_along_axis(new, np.argsort(smooth, axis=1), np.broadcast_to(ordered, out.shape), axis=1)
        settled = np.mean(new != out) < _SETTLED
        out = new
        if settled:
            break
    return out


def _time_shift(y: Series, draws: int, rng: np.random.Generator, fitted: int) -> Table:
    n = len(y)
    edge = max(1, n // 20)  # a shift of nearly nothing would leave the alignment as it is
    shift = rng.integers(edge, n - edge + 1, draws) if n > 2 * edge else rng.integers(0, n, draws)
    return y[(np.arange(n)[None, :] - shift[:, None]) % n]


SURROGATES: dict[str, Callable[[Series, int, np.random.Generator, int], Table]] = {
    "shuffle": _shuffle,
    "ar1": _ar1,
    "arma": _arma,
    "block": _block,
    "phase": _phase,
    "iaaft": _iaaft,
    "time_shift": _time_shift,
}
"""Makers of surrogates by name: (trajectory, draws, generator, parameters fitted before) -> (draws, time)."""
