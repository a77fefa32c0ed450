"""Families of one-sided p-values: each inverts the interval that stands beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy import special

from emergelab.statistics.permutation import relabellings


@runtime_checkable
class Tails(Protocol):
    """The two one-sided p-values of an estimate, as functions of the hypothesised value."""

    def greater(self, m: float) -> float: ...

    def less(self, m: float) -> float: ...


@dataclass(frozen=True)
class StudentT:
    value: float
    error: float
    df: float

    def greater(self, m: float) -> float:
        return float(special.stdtr(self.df, -self._standard(m)))

    def less(self, m: float) -> float:
        return float(special.stdtr(self.df, self._standard(m)))

    def _standard(self, m: float) -> float:
        gap = self.value - m
        # numbers so near to zero that their spread is lost to rounding leave an error of 0
        return gap / self.error if self.error > 0 else float(np.copysign(np.inf, gap)) if gap else 0.0


@dataclass(frozen=True)
class Bca:
    """BCa with its level widened by ``expand``: the map alpha -> quantile of the draws, and its inverse.

    Beyond the interval's own level p is no smaller than Student's. Corrections for many looks read far tails,
    and there the bootstrap of a dozen seeds is too sure of itself: on 2,500 normal samples of 12, a nominal
    0.0025 came out as 0.0068.
    """

    draws: Float[np.ndarray, "draws"]  # sorted
    bias: float
    acceleration: float
    df: float
    expand: float
    student: StudentT
    outside: float  # the one-sided p at the ends of the interval that stands beside

    def quantile(self, alpha: float) -> float:
        z = self.expand * special.stdtrit(self.df, alpha)
        shifted = self.bias + z
        curve = 1.0 - self.acceleration * shifted
        # beyond the pole of the BCa map the interval has no finite end: the outermost draw is all that is
        # known
        target = np.sign(shifted) * np.inf if curve <= 0 else self.bias + shifted / curve
        return float(np.quantile(self.draws, special.ndtr(target)))

    def _level(self, share: float) -> float:
        w = float(special.ndtri(share)) - self.bias
        curve = 1.0 + self.acceleration * w
        if np.isinf(
            w
        ):  # beyond every draw: the limit of the map, which is finite on the side the acceleration bends to
            bent = self.acceleration * w < 0 or self.acceleration == 0
            z = w if bent else 1.0 / self.acceleration - self.bias
        else:
            z = np.sign(w) * np.inf if curve <= 0 else w / curve - self.bias
        return float(special.stdtr(self.df, z / self.expand))

    def greater(self, m: float) -> float:
        return self._sober(self._level(_position(self.draws, m, "right")), self.student.greater(m))

    def less(self, m: float) -> float:
        return self._sober(1.0 - self._level(_position(self.draws, m, "left")), self.student.less(m))

    def _sober(self, p: float, student: float) -> float:
        if p < self.outside:  # still below it, so that p and the interval never disagree
            p = max(p, min(student, float(np.nextafter(self.outside, 0.0))))
        return max(p, 1.0 / (len(self.draws) + 1))


@dataclass(frozen=True)
class Studentised:
    draws: Float[np.ndarray, "draws"]  # sorted studentised deviations
    value: float
    error: float

    def greater(self, m: float) -> float:
        share = 1.0 - _position(self.draws, (self.value - m) / self.error, "left")
        return max(share, 1.0 / (len(self.draws) + 1))

    def less(self, m: float) -> float:
        share = _position(self.draws, (self.value - m) / self.error, "right")
        return max(share, 1.0 / (len(self.draws) + 1))


@dataclass(frozen=True)
class SignFlip:
    """Exact test that the values are symmetric about m: all 2**n assignments of signs to the deviations."""

    values: Float[np.ndarray, "seeds"]

    def greater(self, m: float) -> float:
        return self._tail(self.values - m)

    def less(self, m: float) -> float:
        return self._tail(m - self.values)

    @staticmethod
    def _tail(deviation: Float[np.ndarray, "seeds"]) -> float:
        sums = _signs(len(deviation)) @ deviation
        slack = 1e-12 * np.abs(deviation).sum()
        return float(np.mean(sums >= deviation.sum() - slack))


@dataclass(frozen=True)
class Point:
    """All seeds gave the same number: the sign-flip test can say no more than 2**-n."""

    value: float
    n: int

    def greater(self, m: float) -> float:
        return 2.0**-self.n if self.value > m else 1.0

    def less(self, m: float) -> float:
        return 2.0**-self.n if self.value < m else 1.0


@lru_cache(maxsize=8)
def _signs(n: int) -> Float[np.ndarray, "assignments seeds"]:
    return np.array(list(product((1.0, -1.0), repeat=n)))


def _position(ordered: Float[np.ndarray, "draws"], m: float, side: str) -> float:
    """Inverse of numpy's default quantile: the share of ``ordered`` that lies below m, interpolated; ties go
    to ``side``."""
    last = len(ordered) - 1
    at = int(np.searchsorted(ordered, m, side="right" if side == "right" else "left"))
    if at == 0:
        return 0.0
    if at > last:
        return 1.0
    gap = ordered[at] - ordered[at - 1]
    return float((at - 1 + ((m - ordered[at - 1]) / gap if gap > 0 else 0.0)) / last)


@dataclass(frozen=True)
class Relabel:
    """Exact permutation of the labels of two small groups after a shift of the first by m."""

    a: Float[np.ndarray, "seeds_a"]
    b: Float[np.ndarray, "seeds_b"]

    def _tail(self, m: float, sign: float) -> float:
        pooled = sign * np.concatenate([self.a - m, self.b])
        member, _ = relabellings(len(self.a), len(self.b))
        sums = member @ pooled
        return float(np.mean(sums >= sums[0] - 1e-12 * np.abs(pooled).sum()))

    def greater(self, m: float) -> float:
        return self._tail(m, 1.0)

    def less(self, m: float) -> float:
        return self._tail(m, -1.0)
