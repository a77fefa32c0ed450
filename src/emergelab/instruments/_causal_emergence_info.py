"""Mutual information between the present of some variables and the future of others, and the same after a shift.

The future of a record is moved against its present along a circle: whatever predicts is lost, and what an estimator
finds by chance in series of this length and autocorrelation stays. All shifts come at once out of one Fourier
transform, for Gaussian and for discrete estimators alike: both need only products of present and future columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from scipy.special import digamma, ndtri
from scipy.stats import rankdata

__all__ = [
    "Estimator",
    "Pairs",
    "encode",
    "joint_codes",
    "ksg",
    "log_det",
    "mutual",
    "normal_scores",
    "scores",
    "shifts_of",
    "table_information",
    "transfer",
]

Estimator: TypeAlias = Literal["discrete", "gaussian", "copula", "ksg"]

_SINGULAR = 1e-11  # share of variance left unexplained below which a relation counts as deterministic
_NEIGHBOURS = 4

Variable: TypeAlias = Float[np.ndarray, "sample _"]
"""One variable: its channels for the continuous estimators, one column of codes 0, 1, ... for the discrete one."""


@dataclass(frozen=True)
class Pairs:
    """Records of one seed in pairs: every variable now, and ``lag`` later."""

    now: tuple[Variable, ...]
    later: tuple[Variable, ...]

    @property
    def samples(self) -> int:
        """How many pairs."""
        return len(self.now[0])


def shifts_of(samples: int, draws: int, rng: np.random.Generator) -> Int[np.ndarray, "shift"]:
    """0, then up to ``draws`` different circular shifts of at least a twentieth of the record."""
    edge = max(1, samples // 20)
    free = np.arange(edge, samples - edge + 1)
    if len(free) > draws:
        free = np.sort(rng.choice(free, draws, replace=False))
    return np.concatenate([[0], free])


def encode(variable: Variable, estimator: Estimator) -> Float[np.ndarray, "sample column"]:
    """Columns whose products hold all that the estimator needs: white channels, or one indicator a symbol."""
    if estimator == "discrete":
        codes = np.unique(variable[:, 0], return_inverse=True)[1]
        return np.asarray(np.eye(int(codes.max(initial=0)) + 1)[codes])
    x = normal_scores(variable.T).T if estimator == "copula" else variable
    x = x - x.mean(axis=0)
    scale = np.abs(x).max(axis=0)
    x = x[:, scale > 1e-12 * np.maximum(np.abs(variable).max(axis=0), 1e-300)]
    if x.shape[1] == 0:  # nothing varies, so nothing can be known of it
        return np.zeros((len(x), 1))
    x = x / np.abs(x).max(axis=0)
    if x.shape[1] == 1:
        return np.asarray(x / np.sqrt((x**2).mean()))
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    return np.asarray(u[:, s > 1e-9 * s[0]] * np.sqrt(len(x)))


def normal_scores(rows: Float[np.ndarray, "row sample"]) -> Float[np.ndarray, "row sample"]:
    """Normal quantiles of the ranks of each row; ties share their rank."""
    order = np.argsort(rows, axis=1, kind="stable")
    ranks = np.empty(rows.shape)
    np.put_along_axis(ranks, order, np.arange(1.0, rows.shape[1] + 1)[None, :], axis=1)
    ties = (np.diff(np.take_along_axis(rows, order, axis=1), axis=1) == 0).any(axis=1)
    for i in np.flatnonzero(ties):
        ranks[i] = rankdata(rows[i])
    return np.asarray(ndtri(ranks / (rows.shape[1] + 1)))


def scores(rows: Float[np.ndarray, "row sample"], estimator: Estimator) -> Float[np.ndarray, "row sample"]:
    """`encode` for many variables of one channel at once: mean 0 and mean square 1; 0 where nothing varies."""
    x = normal_scores(rows) if estimator == "copula" else rows
    x = x - x.mean(axis=1, keepdims=True)
    largest = np.abs(x).max(axis=1, keepdims=True)
    varies = largest > 1e-12 * np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-300)
    x = np.where(varies, x / np.where(varies, largest, 1.0), 0.0)
    return np.asarray(x / np.where(varies, np.sqrt((x**2).mean(axis=1, keepdims=True)), 1.0))


def mutual(
    pairs: Pairs, estimator: Estimator, shifts: Int[np.ndarray, "shift"]
) -> Float[np.ndarray, "now later shift"]:
    """Bits that each variable now holds about each variable later, for every shift of the future.

    NaN where a relation is deterministic and continuous, so that the information is infinite.
    """
    out = np.empty((len(pairs.now), len(pairs.later), len(shifts)))
    if estimator == "ksg":
        for k, shift in enumerate(shifts):
            for i, a in enumerate(pairs.now):
                for j, b in enumerate(pairs.later):
                    out[i, j, k] = ksg(a, np.roll(b, -int(shift), axis=0))
        return out
    n = pairs.samples
    unmoved = len(shifts) == 1 and int(shifts[0]) == 0
    if estimator != "discrete" and all(v.shape[1] == 1 for v in (*pairs.now, *pairs.later)):
        # one channel each: correlations of all pairs at once
        x, y = (scores(np.stack([v[:, 0] for v in side]), estimator) for side in (pairs.now, pairs.later))
        if unmoved:
            cross = (x @ y.T)[:, :, None] / n
        else:
            turned = np.conj(np.fft.rfft(x, axis=1))[:, None] * np.fft.rfft(y, axis=1)[None]
            cross = np.fft.irfft(turned, n=n, axis=2)[..., shifts] / n
        left = 1 - cross**2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(left > _SINGULAR, -0.5 * np.log2(np.maximum(left, 1e-300)), np.nan))
    later = [encode(v, estimator) for v in pairs.later]
    spectra: list[np.ndarray] = [e if unmoved else np.fft.rfft(e, axis=0) for e in later]
    for i, variable in enumerate(pairs.now):
        now = encode(variable, estimator)
        spun = now if unmoved else np.conj(np.fft.rfft(now, axis=0))
        for j, spectrum in enumerate(spectra):
            # products[s, a, b] = sum over t of now[t, a] * later[t + s, b]
            if unmoved:
                products = (now.T @ spectrum)[None]
            else:
                products = np.fft.irfft(spun[:, :, None] * spectrum[:, None, :], n=n, axis=0)[shifts]
            if estimator == "discrete":
                out[i, j] = _plug_in(np.round(products), now.sum(axis=0), later[j].sum(axis=0), n)
            else:
                out[i, j] = log_det(products / n)
    return out


def _plug_in(
    counts: Float[np.ndarray, "shift a b"], of_a: Float[np.ndarray, "a"], of_b: Float[np.ndarray, "b"], n: int
) -> Float[np.ndarray, "shift"]:
    """Plug-in information with the correction of Miller (1955) and Madow for the cells that are filled."""
    expected = of_a[:, None] * of_b[None, :] / n
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts > 0, counts * np.log2(np.where(counts > 0, counts / expected, 1.0)), 0.0)
    cells = (counts > 0).sum(axis=(1, 2))
    surplus = (of_a > 0).sum() + (of_b > 0).sum() - cells - 1
    return np.asarray(terms.sum(axis=(1, 2)) / n + surplus / (2 * n * np.log(2)))


def log_det(cross: Float[np.ndarray, "shift a b"]) -> Float[np.ndarray, "shift"]:
    """-1/2 log2 det(1 - C C') of white variables with the cross-covariance C."""
    if min(cross.shape[1:]) == 1:
        left = 1 - (cross**2).sum(axis=(1, 2))
    else:
        if cross.shape[1] > cross.shape[2]:
            cross = np.swapaxes(cross, 1, 2)
        left = np.linalg.det(np.eye(cross.shape[1]) - cross @ np.swapaxes(cross, 1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(left > _SINGULAR, -0.5 * np.log2(np.maximum(left, 1e-300)), np.nan))


def ksg(a: Float[np.ndarray, "sample channel_a"], b: Float[np.ndarray, "sample channel_b"]) -> float:
    """Nearest-neighbour information of continuous variables, in bits (Kraskov, Stögbauer and Grassberger 2004, first
    estimator, 4 neighbours); channels are set to unit spread first. NaN if one of them does not vary."""
    blocks = []
    for block in (a, b):
        spread = block.std(axis=0)
        if len(block) <= _NEIGHBOURS + 1 or not (spread > 1e-12 * np.maximum(np.abs(block).max(axis=0), 1e-300)).all():
            return float("nan")
        blocks.append((block - block.mean(axis=0)) / spread)
    x, y = blocks
    reach = cKDTree(np.hstack(blocks)).query(np.hstack(blocks), k=_NEIGHBOURS + 1, p=np.inf)[0][:, -1]
    near = np.nextafter(reach, 0)  # strictly nearer than the k-th neighbour
    counts = [cKDTree(v).query_ball_point(v, near, p=np.inf, return_length=True) for v in (x, y)]
    nats = digamma(_NEIGHBOURS) + digamma(len(x)) - np.mean(digamma(counts[0]) + digamma(counts[1]))
    return float(nats / np.log(2))


def joint_codes(variables: Sequence[Variable]) -> Variable:
    """One symbol for each combination of symbols that occurs."""
    columns = [column for variable in variables for column in variable.T]
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        own = np.unique(column, return_inverse=True)[1]
        codes = codes * (int(own.max(initial=0)) + 1) + own
        codes = np.unique(codes, return_inverse=True)[1]  # keeps the numbers small
    return codes.astype(float).reshape(-1, 1)


def transfer(
    x: Float[np.ndarray, "sample channel_x"],
    v: Float[np.ndarray, "sample channel_v"],
    v_later: Float[np.ndarray, "sample channel_v"],
    estimator: Estimator,
) -> float:
    """Transfer entropy from the parts to the macro variable beyond its own past, in bits; its bias is taken off.

    0 means that the macro variable is dynamically independent of its parts (Barnett and Seth 2023).
    """
    n = len(v)
    if estimator == "discrete":
        both = Pairs((joint_codes([x, v]), v), (v_later,))
        found = mutual(both, "discrete", np.zeros(1, dtype=int))
        return float(found[0, 0, 0] - found[1, 0, 0])
    if estimator == "ksg":
        both_blocks = np.hstack([x, v])
        return ksg(both_blocks, v_later) - ksg(v, v_later)
    past, target = encode(v, estimator), encode(v_later, estimator)
    full = encode(np.hstack([x, v]), estimator)
    free = full.shape[1] - past.shape[1]
    if n <= full.shape[1] + 2 or not target.any():
        return float("nan")
    left = [target - block @ np.linalg.lstsq(block, target, rcond=None)[0] for block in (past, full)]
    with np.errstate(divide="ignore", invalid="ignore"):
        size = [np.linalg.det(r.T @ r / n) for r in left]
    if min(size) <= _SINGULAR:
        return float("nan")
    bias = max(free, 0) * target.shape[1] / (2 * n * np.log(2))
    return float(0.5 * np.log2(size[0] / size[1]) - bias)


def clean(values: Float[np.ndarray, "shift"]) -> float:
    """The observed value minus the mean of the shifted ones."""
    rest = values[1:][np.isfinite(values[1:])]
    return float(values[0] - (rest.mean() if len(rest) else 0.0))


def table_information(
    a: Int[np.ndarray, "draw sample"], b: Int[np.ndarray, "draw sample"]
) -> Float[np.ndarray, "draw"]:
    """`mutual` of the discrete estimator for many pairs of codes 0, 1, ... at once."""
    draws, n = a.shape
    width, height = int(a.max()) + 1, int(b.max()) + 1
    cell = (np.arange(draws)[:, None] * width + a) * height + b
    counts = np.bincount(cell.ravel(), minlength=draws * width * height).reshape(draws, width, height).astype(float)
    of_a, of_b = counts.sum(axis=2), counts.sum(axis=1)
    expected = of_a[:, :, None] * of_b[:, None, :] / n
    filled = counts > 0
    ratio = np.where(filled, counts / np.where(filled, expected, 1.0), 1.0)
    surplus = (of_a > 0).sum(axis=1) + (of_b > 0).sum(axis=1) - filled.sum(axis=(1, 2)) - 1
    return np.asarray((counts * np.log2(ratio)).sum(axis=(1, 2)) / n + surplus / (2 * n * np.log(2)))
