"""Indicators of `early_warning`: detrending, and what is measured of the residuals in rolling windows.

Everything works on tables (row, time) at once, in which row 0 is the record and the others are its surrogates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from scipy import fft, signal

from emergelab.errors import UserError, nearest

__all__ = ["ACROSS", "LEVEL", "SINGLE", "Rolling", "across", "check", "detrended", "span", "windows"]

_SLICE = 3_000_000  # cells of one slice of sliding windows; keeps the memory small
# a window whose variance is below this share of the row's is constant, so that ratios are undefined; by digits kept
_FLAT = {4: 1e-5, 8: 1e-9}

Table = Float[np.ndarray, "row time"]
Seen = Float[np.ndarray, "row window"]

# ----------------------------------------------------------------------------------------------- detrending


def span(share: float, n: int) -> float:
    """A width in records: shares up to 1 are of the record's length."""
    return share * n if 0 < share <= 1 else float(share)


def detrended(y: Table, kind: str, bandwidth: float) -> Table:
    """What is left after the smooth trend is taken out, row by row.

    Args:
        y: one series a row.
        kind: "gaussian": a kernel whose quartiles lie a quarter of the bandwidth from its centre, mirrored at the
            ends; "lowess": local straight lines with tricube weights (Cleveland 1979, without the rounds that
            make it robust, which would have to be repeated on every surrogate); "none": only the mean.
        bandwidth: share of the record, or a number of records above 1.
    """
    n = y.shape[1]
    if kind == "gaussian":
        response = _gaussian_response(n, 0.25 / 0.675 * span(bandwidth, n))
        # mirrored ends make the smoothing a product in the cosine transform
        kept = (1 - response).astype(y.dtype)
        return np.asarray(fft.idct(fft.dct(y, axis=1, norm="ortho") * kept, axis=1, norm="ortho"))
    if kind == "lowess":
        return y - y @ _lowess_matrix(n, span(bandwidth, n) / n).T.astype(y.dtype)
    return y - y.mean(axis=1, keepdims=True)


@lru_cache(maxsize=64)
def _gaussian_response(n: int, sigma: float) -> Float[np.ndarray, "time"]:
    """Share of each cosine that the kernel, cut at four standard deviations, lets through."""
    reach = np.arange(1, int(4.0 * sigma + 0.5) + 1)
    weight = np.exp(-0.5 * (reach / sigma) ** 2)
    total = 1 + 2 * weight.sum()
    waves = np.cos(np.pi / n * np.outer(np.arange(n), reach))
    return np.asarray((1 + 2 * waves @ weight) / total)


@lru_cache(maxsize=16)
def _lowess_matrix(n: int, share: float) -> Float[np.ndarray, "time time"]:
    near = max(3, min(n, int(share * n + 1e-10)))
    out = np.zeros((n, n))
    for i in range(n):
        left = min(max(0, i - near // 2), n - near)
        # the nearest neighbours of an even grid; an even number leaves a choice, which the distance settles
        while left + near < n and i - left > left + near - i:
            left += 1
        while left > 0 and left + near - 1 - i > i - (left - 1):
            left -= 1
        x = np.arange(left, left + near) - i
        reach = np.abs(x).max()
        w = np.where(np.abs(x) <= 0.999 * reach, (1 - (np.abs(x) / reach) ** 3) ** 3, 0.0)
        w[np.abs(x) <= 0.001 * reach] = 1.0
        w /= w.sum()
        centre = w @ x
        spread = w @ (x - centre) ** 2
        if spread > 0:
            w = w * (1 - centre * (x - centre) / spread)
        out[i, left : left + near] = w
    return out


# ---------------------------------------------------------------------------------------------- one channel


def windows(n: int, width: int, points: int | None) -> Int[np.ndarray, "window"]:
    """Last records of the rolling windows: all of them, or ``points`` evenly spaced ones up to the last."""
    first = width - 1
    count = n - first
    if points is None or count <= points:
        return np.arange(first, n)
    return np.round(np.linspace(first, n - 1, points)).astype(int)


def _cumulative(x: Float[np.ndarray, "*any time"]) -> Float[np.ndarray, "*any ends"]:
    """Sums of the first 0, 1, 2, ... records along the last axis."""
    total = np.zeros((*x.shape[:-1], x.shape[-1] + 1), dtype=x.dtype)
    np.cumsum(x, axis=-1, out=total[..., 1:])
    return total


@lru_cache(maxsize=64)
def _membership(n: int, start: bytes, stop: bytes, kind: str) -> Float[np.ndarray, "time window"]:
    """Ones where a record lies in a window."""
    at = np.arange(n)[:, None]
    return ((at >= np.frombuffer(start, dtype=int)) & (at < np.frombuffer(stop, dtype=int))).astype(kind)


class Rolling:
    """Sums over rolling windows of a table of residuals, kept so that several indicators share them.

    Args:
        residual: what is left after detrending.
        raw: the series themselves, for indicators that need their level.
        step: usual time between records.
    """

    def __init__(self, residual: Table, raw: Table, step: float) -> None:
        centred = residual - residual.mean(axis=1, keepdims=True)
        scale = np.sqrt(np.einsum("ij,ij->i", centred, centred) / centred.shape[1])[:, None]
        self.scale = np.where(scale > 0, scale, 1.0)
        self.r = centred / self.scale  # of unit size, so that sums of powers keep their digits
        self.raw, self.step, self.flat = raw, step, _FLAT[self.r.itemsize]
        self._sums: dict[tuple[str, int, bytes, bytes], Seen] = {}

    def sum(self, what: str, start: Int[np.ndarray, "window"], stop: Int[np.ndarray, "window"], lag: int = 0) -> Seen:
        """Sum of a power of the residuals (or of products at a lag, or of the raw values) over [start, stop)."""
        key = (what, lag, start.tobytes(), stop.tobytes())
        if key not in self._sums:
            x = self._power(what, lag)
            if len(x) > 1:  # a product with a table of zeros and ones is three times as fast as running sums
                self._sums[key] = x @ _membership(x.shape[1], key[2], key[3], x.dtype.char)
            else:
                total = _cumulative(x)
                self._sums[key] = np.take(total, stop, axis=1) - np.take(total, start, axis=1)
        return self._sums[key]

    def _power(self, what: str, lag: int) -> Table:
        r = self.r
        if lag:
            return r[:, lag:] * r[:, :-lag]
        if what in ("1", "raw"):
            return r if what == "1" else self.raw
        square = r * r
        if what == "2":
            return square
        return square * r if what == "3" else square * square

    def measure(self, name: str, width: int, ends: Int[np.ndarray, "window"]) -> Seen:
        """An indicator in the windows of ``width`` records that end at ``ends``; NaN where it is undefined."""
        start, stop = ends - width + 1, ends + 1
        with np.errstate(invalid="ignore", divide="ignore"):
            if name.startswith("ac") and name[2:].isdigit():
                found = self._autocorrelation(int(name[2:]), start, stop)
            elif name == "return_rate":
                ac = self._autocorrelation(1, start, stop)
                found = np.where(ac > 0, -np.log(np.where(ac > 0, ac, 1.0)) / self.step, np.nan)
            elif name in ("variance", "sd", "cv"):
                found = self._spread(name, width, start, stop)
            elif name in ("skewness", "kurtosis"):
                found = self._shape(name, width, start, stop)
            elif name == "permutation_entropy":
                found = _permutation_entropy(self.r, width, ends)
            else:
                found = self._sliding(_OF_WINDOWS[name], width, start)
                if name == "smax":
                    found = found * self.scale**2
        return np.where(np.isfinite(found), found, np.nan)

    def _autocorrelation(self, lag: int, start: Int[np.ndarray, "window"], stop: Int[np.ndarray, "window"]) -> Seen:
        """Pearson's correlation of the window's records with those ``lag`` later in the same window."""
        n = stop - start - lag
        # the sums over the whole window less those over its first and its last records
        first, last = start[:, None] + np.arange(lag), stop[:, None] - 1 - np.arange(lag)
        one, two = self.sum("1", start, stop), self.sum("2", start, stop)
        begin, end = self.r[:, first], self.r[:, last]
        ax, az = (one - end.sum(axis=2)) / n, (one - begin.sum(axis=2)) / n
        vx = (two - (end * end).sum(axis=2)) / n - ax**2
        vz = (two - (begin * begin).sum(axis=2)) / n - az**2
        both = self.sum("lag", start, stop - lag, lag) / n - ax * az
        return np.where((vx > self.flat) & (vz > self.flat), both / np.sqrt(np.maximum(vx * vz, self.flat**2)), np.nan)

    def _spread(self, name: str, n: int, start: Int[np.ndarray, "window"], stop: Int[np.ndarray, "window"]) -> Seen:
        mean = self.sum("1", start, stop) / n
        variance = np.maximum(self.sum("2", start, stop) / n - mean**2, 0.0) * (n / (n - 1)) * self.scale**2
        if name == "variance":
            return variance
        sd = np.sqrt(variance)
        return sd if name == "sd" else sd / (self.sum("raw", start, stop) / n)

    def _shape(self, name: str, n: int, start: Int[np.ndarray, "window"], stop: Int[np.ndarray, "window"]) -> Seen:
        """Skewness and excess kurtosis, corrected for the size of the window."""
        mean = self.sum("1", start, stop) / n
        s2, s3 = self.sum("2", start, stop) / n, self.sum("3", start, stop) / n
        m2 = s2 - mean**2
        m2 = np.where(m2 > self.flat, m2, np.nan)
        if name == "skewness":
            return np.sqrt(n * (n - 1)) / (n - 2) * (s3 - 3 * mean * s2 + 2 * mean**3) / m2**1.5
        m4 = self.sum("4", start, stop) / n - 4 * mean * s3 + 6 * mean**2 * s2 - 3 * mean**4
        return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)

    def _sliding(
        self, function: Callable[[Float[np.ndarray, "many width"]], Float[np.ndarray, "many"]], width: int,
        start: Int[np.ndarray, "window"],
    ) -> Seen:  # fmt: skip
        """An indicator that needs the records of each window, some rows at a time."""
        index = start[:, None] + np.arange(width)
        rows = max(1, _SLICE // index.size)
        parts = []
        for at in range(0, len(self.r), rows):
            cut = self.r[at : at + rows][:, index]
            parts.append(function(cut.reshape(-1, width)).reshape(cut.shape[:2]))
        return np.concatenate(parts)


def _spectrum(x: Float[np.ndarray, "many width"]) -> tuple[Float[np.ndarray, "f"], Float[np.ndarray, "many f"]]:
    """Two-sided spectrum by Welch's method with segments of 40 records that overlap by half."""
    size = min(40, x.shape[1])
    f, power = signal.welch(x, nperseg=size, noverlap=size // 2, return_onesided=False, scaling="spectrum", axis=-1)
    return f, power


def _smax(x: Float[np.ndarray, "many width"]) -> Float[np.ndarray, "many"]:
    return np.asarray(_spectrum(x)[1].max(axis=-1))


def _low_frequency(x: Float[np.ndarray, "many width"]) -> Float[np.ndarray, "many"]:
    """Share of the power at periods of eight records or more."""
    f, power = _spectrum(x)
    seen = np.abs(f) > 0
    return np.asarray(power[:, seen & (np.abs(f) <= 0.125)].sum(axis=-1) / power[:, seen].sum(axis=-1))


def _dfa(x: Float[np.ndarray, "many width"]) -> Float[np.ndarray, "many"]:
    """Exponent of detrended fluctuation analysis (Peng et al. 1994), straight lines taken out of each segment."""
    n = x.shape[1]
    profile = np.cumsum(x - x.mean(axis=1, keepdims=True), axis=1)
    scales = np.unique(np.round(np.logspace(np.log10(4), np.log10(max(n // 2, 5)), 20)).astype(int))
    scales = scales[n // scales >= 2]
    if len(scales) < 3:
        return np.full(len(x), np.nan)
    fluctuation = []
    for s in scales:
        pieces = profile[:, : n // s * s].reshape(len(x), -1, s)
        t = np.arange(s) - (s - 1) / 2
        slope = pieces @ t / (t @ t)
        left = pieces - pieces.mean(axis=2, keepdims=True) - slope[..., None] * t
        fluctuation.append(np.sqrt((left**2).mean(axis=(1, 2))))
    log_f, log_s = np.log10(np.stack(fluctuation, axis=1)), np.log10(scales)
    log_s = log_s - log_s.mean()
    return np.asarray(log_f @ log_s / (log_s @ log_s))


def _sample_entropy(x: Float[np.ndarray, "many width"]) -> Float[np.ndarray, "many"]:
    """Sample entropy (Richman and Moorman 2000) of templates of two records within 0.2 standard deviations."""
    n = x.shape[1]
    near = 0.2 * x.std(axis=1, keepdims=True)
    pairs, longer = np.zeros(len(x)), np.zeros(len(x))
    for lag in range(1, n - 1):
        close = np.abs(x[:, lag:] - x[:, :-lag]) <= near
        two = close[:, 1:] & close[:, :-1]
        pairs += two[:, : n - 2 - lag].sum(axis=1)
        longer += (two[:, :-1] & close[:, 2:]).sum(axis=1)
    return np.asarray(np.log(pairs) - np.log(longer))


def _permutation_entropy(r: Table, width: int, ends: Int[np.ndarray, "window"]) -> Seen:
    """Entropy of the order patterns of three neighbouring records, 1 for noise (Bandt and Pompe 2002)."""
    a, b, c = r[:, :-2], r[:, 1:-1], r[:, 2:]
    code = 4 * (a < b) + 2 * (b < c) + (a < c)
    n = width - 2
    entropy = np.zeros((len(r), len(ends)))
    for pattern in range(8):
        total = _cumulative((code == pattern).astype(np.float32))
        share = (total[:, ends - 1] - total[:, ends - width + 1]) / n
        entropy -= np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0)
    return entropy / np.log(6)


_OF_WINDOWS: dict[str, Callable[[Float[np.ndarray, "many width"]], Float[np.ndarray, "many"]]] = {
    "smax": _smax,
    "low_frequency": _low_frequency,
    "dfa": _dfa,
    "sample_entropy": _sample_entropy,
}

SINGLE: dict[str, str] = {
    "variance": "up",
    "sd": "up",
    "cv": "up",
    "ac1": "both",
    "return_rate": "both",
    "skewness": "both",
    "kurtosis": "both",
    "low_frequency": "both",
    "smax": "up",
    "dfa": "both",
    "permutation_entropy": "both",
    "sample_entropy": "both",
}
"""Indicators of one channel, and the direction that warns; autocorrelations at other lags are "ac2", "ac3", ..."""

LEVEL = ("cv", "spatial_variance", "moran", "fano")
"""Indicators that need the level of the series, not only its residuals."""

# ------------------------------------------------------------------------------------------ several channels

Channels = Float[np.ndarray, "row channel time"]

ACROSS: dict[str, str] = {
    "eigenvalue": "up",
    "eigenvalue_share": "up",
    "mean_correlation": "both",
    "dmd": "up",
    "spatial_variance": "up",
    "moran": "up",
    "fano": "up",
}
"""Indicators across channels (places, agents, units), and the direction that warns."""


def across(name: str, residual: Channels, raw: Channels, width: int, ends: Int[np.ndarray, "window"]) -> Seen:
    """An indicator across channels in rolling windows.

    ``eigenvalue`` and ``eigenvalue_share`` are the largest eigenvalue of the covariance of the residuals and its
    share of the trace; ``mean_correlation`` the mean over pairs; ``dmd`` the largest modulus among the eigenvalues of
    the matrix that takes a record to the next (dynamic mode decomposition, Schmid 2010). The others are taken over
    the channels at each time from the raw values, then averaged over the window: ``spatial_variance``; ``moran``,
    the correlation of neighbours along the dim of channels (Moran 1950); ``fano``, variance over mean.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if name in ("spatial_variance", "moran", "fano"):
            found = _rolling_mean(_at_each_time(name, raw), width, ends)
        else:
            found = _of_covariance(name, residual, width, ends)
    return np.where(np.isfinite(found), found, np.nan)


def _at_each_time(name: str, raw: Channels) -> Table:
    variance = raw.var(axis=1, ddof=1)
    if name == "spatial_variance":
        return variance
    if name == "fano":
        mean = raw.mean(axis=1)
        return np.where(mean > 0, variance / np.where(mean > 0, mean, 1.0), np.nan)
    apart = raw - raw.mean(axis=1, keepdims=True)
    size = (apart**2).mean(axis=1)
    return np.where(size > 0, (apart[:, 1:] * apart[:, :-1]).mean(axis=1) / np.where(size > 0, size, 1.0), np.nan)


def _rolling_mean(x: Table, width: int, ends: Int[np.ndarray, "window"]) -> Seen:
    total = _cumulative(x)
    return np.asarray((total[:, ends + 1] - total[:, ends - width + 1]) / width)


def _of_covariance(name: str, residual: Channels, width: int, ends: Int[np.ndarray, "window"]) -> Seen:
    scale = residual.std(axis=(1, 2), keepdims=True)
    r = residual / np.where(scale > 0, scale, 1.0)
    covariance = _windowed_product(r, r, width, ends)
    if name == "dmd":
        now, later = r[:, :, :-1], r[:, :, 1:]
        same = _windowed_product(now, now, width - 1, ends - 1)
        cross = _windowed_product(later, now, width - 1, ends - 1)
        # a ridge far below the noise keeps a singular covariance invertible
        size = np.trace(same, axis1=-2, axis2=-1)[..., None, None]
        matrix = cross @ np.linalg.inv(same + (1e-6 * size + 1e-30) * np.eye(r.shape[1]))
        return np.asarray(np.abs(np.linalg.eigvals(matrix)).max(axis=-1))
    if name == "mean_correlation":
        sd = np.sqrt(np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 0.0))
        upper = np.triu_indices(r.shape[1], 1)
        pairs = covariance[..., upper[0], upper[1]] / (sd[..., upper[0]] * sd[..., upper[1]])
        return np.asarray(pairs.mean(axis=-1))
    largest = np.linalg.eigvalsh(covariance)[..., -1]
    if name == "eigenvalue":
        return np.asarray(largest * (width / (width - 1)) * scale[:, 0] ** 2)
    return np.asarray(largest / np.trace(covariance, axis1=-2, axis2=-1))


def _windowed_product(
    a: Channels, b: Channels, width: int, ends: Int[np.ndarray, "window"]
) -> Float[np.ndarray, "row window channel channel"]:
    """Covariance of every channel of ``a`` with every channel of ``b`` in each window."""
    start, stop = ends - width + 1, ends + 1

    def mean(x: Float[np.ndarray, "row *any time"]) -> Float[np.ndarray, "row *any window"]:
        total = _cumulative(x)
        return np.asarray((total[..., stop] - total[..., start]) / width)

    size = a.shape[1]
    out = np.empty((len(a), len(ends), size, size))
    mean_a, mean_b = mean(a), mean(b)
    for i in range(size):
        for j in range(size):
            out[..., i, j] = mean(a[:, i] * b[:, j]) - mean_a[:, i] * mean_b[:, j]
    return out


def check(names: tuple[str, ...], channels: int) -> None:
    """Whether all indicators exist and can be measured.

    Raises:
        UserError: an unknown indicator, or one across channels where there is one channel.
    """
    if not names:
        raise UserError("early_warning: at least one indicator is needed")
    for name in names:
        lag = name[2:] if name.startswith("ac") else ""
        if name in ACROSS:
            if channels < 2:
                raise UserError(f"early_warning: {name!r} needs a dim of channels with two or more of them")
        elif name not in SINGLE and not (lag.isdigit() and 1 <= int(lag) <= 20):
            raise UserError(f"early_warning: no indicator {name!r}{nearest(name, [*SINGLE, *ACROSS])}")
