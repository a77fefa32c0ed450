"""Shares of seeds: exact intervals, exact tests, and the difference of two shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from emergelab.errors import UserError
from emergelab.statistics.intervals import Estimate

__all__ = ["ProportionContrast", "compare_proportions", "proportion"]


@dataclass(frozen=True)
class _Binomial:
    k: int
    n: int

    def greater(self, m: float) -> float:
        return float(stats.binom.sf(self.k - 1, self.n, min(max(m, 0.0), 1.0)))

    def less(self, m: float) -> float:
        return float(stats.binom.cdf(self.k, self.n, min(max(m, 0.0), 1.0)))


def proportion(k: int, n: int, *, level: float = 0.95) -> Estimate:
    """Share of seeds in which something happened, with the Clopper-Pearson interval and exact binomial
    p-values.

    The interval is claimed for any n >= 1, as its coverage does not rest on many seeds: 1 of 5 gives [0.005,
    0.716].
    """
    if not 0 <= k <= n:
        raise UserError(f"proportion: need 0 <= k <= n, got k = {k}, n = {n}")
    if not 0.0 < level < 1.0:
        raise UserError(f"proportion: level must be in (0, 1), got {level}")
    if n == 0:
        nan = float("nan")
        return Estimate(nan, nan, nan, level, "no seeds", 0)
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, k, n - k + 1)) if k > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
    share = k / n
    sd = float(np.sqrt(share * (1 - share)))
    return Estimate(share, low, high, level, "Clopper-Pearson", n, sd, 0, _Binomial(k, n))


@dataclass(frozen=True)
class ProportionContrast:
    """Difference of two shares of seeds.

    Attributes:
        value: share of A minus share of B.
        low: lower end of Newcombe's hybrid score interval.
        high: upper end.
        level: confidence level.
        p_barnard: two-sided p of Barnard's unconditional exact test (the one to quote).
        p_fisher: two-sided p of Fisher's conditional exact test, more conservative.
    """

    value: float
    low: float
    high: float
    level: float
    p_barnard: float
    p_fisher: float


def compare_proportions(k_a: int, n_a: int, k_b: int, n_b: int, *, level: float = 0.95) -> ProportionContrast:
    """Compare two shares of independent seeds (Newcombe 1998, method 10; Barnard 1945; Fisher 1922)."""
    for k, n in ((k_a, n_a), (k_b, n_b)):
        if not 0 <= k <= n:
            raise UserError(f"compare_proportions: need 0 <= k <= n, got k = {k}, n = {n}")
    nan = float("nan")
    if n_a == 0 or n_b == 0:
        return ProportionContrast(nan, nan, nan, level, nan, nan)
    table = [[k_a, n_a - k_a], [k_b, n_b - k_b]]
    constant = k_a + k_b in (0, n_a + n_b)  # nothing to tell apart; scipy warns and gives NaN for this table
    p_barnard = 1.0 if constant else float(stats.barnard_exact(table, alternative="two-sided").pvalue)
    p_fisher = 1.0 if constant else float(stats.fisher_exact(table).pvalue)
    low_a, high_a = _wilson(k_a, n_a, level)
    low_b, high_b = _wilson(k_b, n_b, level)
    a, b = k_a / n_a, k_b / n_b
    low = a - b - float(np.hypot(a - low_a, high_b - b))
    high = a - b + float(np.hypot(high_a - a, b - low_b))
    return ProportionContrast(a - b, low, high, level, min(1.0, p_barnard), min(1.0, p_fisher))


def _wilson(k: int, n: int, level: float) -> tuple[float, float]:
    z = float(stats.norm.ppf(0.5 + level / 2))
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * float(np.sqrt(k * (n - k) / n + z**2 / 4))
    return max(0.0, centre - half), min(1.0, centre + half)
