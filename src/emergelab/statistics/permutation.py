"""Permutation of condition labels over seeds, exhaustive where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Bool, Float, Real

from emergelab.errors import UserError

__all__ = ["EXHAUSTIVE", "Permutation", "permutation", "relabellings", "sign_flips"]

EXHAUSTIVE = 20_000
"""Up to this many relabellings, all of them are used and p is exact."""


@dataclass(frozen=True)
class Permutation:
    """Outcome of a permutation test.

    Attributes:
        statistic: the statistic under the observed labels.
        p: two-sided p, the share of relabellings at least as far from zero.
        p_greater: one-sided p for a large statistic.
        p_less: one-sided p for a small statistic.
        smallest_p: the smallest two-sided p that these group sizes (or draws) can reach at all.
        exhaustive: whether every relabelling was used.
        draws: relabellings used, the observed one included.
    """

    statistic: float
    p: float
    p_greater: float
    p_less: float
    smallest_p: float
    exhaustive: bool
    draws: int


@lru_cache(maxsize=16)
def _all_relabellings(n_a: int, n_b: int) -> Bool[np.ndarray, "draws n"]:
    member = np.zeros((comb(n_a + n_b, n_a), n_a + n_b), dtype=bool)
    for row, chosen in enumerate(combinations(range(n_a + n_b), n_a)):  # the first combination is the observed one
        member[row, list(chosen)] = True
    member.setflags(write=False)
    return member


def relabellings(
    n_a: int, n_b: int, *, draws: int = 9_999, rng: int | np.random.Generator = 0
) -> tuple[Bool[np.ndarray, "draws n"], bool]:
    """Ways to give ``n_a`` of the pooled seeds the label A. Row 0 is the observed labelling (the first
    ``n_a``).

    Returns:
        The table of memberships, and whether it is exhaustive (``C(n_a + n_b, n_a) <= 20,000``); else
        ``draws`` random relabellings follow the observed one.
    """
    if n_a < 1 or n_b < 1:
        raise UserError(f"permutation: both groups need at least one seed, got {n_a} and {n_b}")
    if comb(n_a + n_b, n_a) <= EXHAUSTIVE:
        return _all_relabellings(n_a, n_b), True
    source = np.random.default_rng(rng)
    n = n_a + n_b
    rank = np.argsort(source.random((draws, n)), axis=1)
    member = np.zeros((draws + 1, n), dtype=bool)
    member[0, :n_a] = True
    np.put_along_axis(member[1:], rank[:, :n_a], True, axis=1)
    return member, False


def sign_flips(
    n: int, *, draws: int = 9_999, rng: int | np.random.Generator = 0
) -> tuple[Float[np.ndarray, "draws n"], bool]:
    """Assignments of signs to ``n`` paired differences, for tests in which seeds are shared. Row 0 is all +1.

    Exhaustive up to 14 pairs (16,384 assignments).
    """
    if n < 1:
        raise UserError("permutation: a sign-flip test needs at least one pair")
    if 2**n <= EXHAUSTIVE:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)[None, :]) & 1
        return 1.0 - 2.0 * bits, True
    signs = np.random.default_rng(rng).integers(0, 2, (draws + 1, n)) * 2.0 - 1.0
    signs[0] = 1.0
    return signs, False


def permutation(
    a: Real[np.ndarray, "seeds_a"],
    b: Real[np.ndarray, "seeds_b"],
    statistic: Callable[[Bool[np.ndarray, "draws n"], Float[np.ndarray, "n"]], Float[np.ndarray, "draws"]]
    | None = None,
    *,
    paired: bool = False,
    draws: int = 9_999,
    rng: int | np.random.Generator = 0,
) -> Permutation:
    """Permute the condition labels of seeds.

    Args:
        a: one number a seed of condition A; seeds that are not finite are left out (in pairs when paired).
        b: the same for condition B.
        statistic: maps (memberships of A, pooled values) to one number a relabelling; None: mean of A minus
            mean of B.
        paired: the seeds are shared: signs of the differences are flipped instead. Takes no statistic.
        draws: random relabellings when there are too many to enumerate.
        rng: seed or generator of those.
    """
    x, y = np.asarray(a, dtype=float).ravel(), np.asarray(b, dtype=float).ravel()
    if paired:
        if statistic is not None or len(x) != len(y):
            raise UserError("permutation: paired groups need equal length and take no statistic of their own")
        gap = (x - y)[np.isfinite(x - y)]
        if len(gap) == 0:
            return _no_test()
        signs, exhaustive = sign_flips(len(gap), draws=draws, rng=rng)
        return summarise(signs @ gap / len(gap), exhaustive)
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if len(x) == 0 or len(y) == 0:
        return _no_test()
    member, exhaustive = relabellings(len(x), len(y), draws=draws, rng=rng)
    pooled = np.concatenate([x, y])
    if statistic is None:
        sums = member @ pooled
        values = sums / len(x) - (pooled.sum() - sums) / len(y)
    else:
        values = np.asarray(statistic(member, pooled), dtype=float)
    return summarise(values, exhaustive)


def _no_test() -> Permutation:
    nan = float("nan")
    return Permutation(nan, nan, nan, nan, nan, False, 0)


def summarise(values: Float[np.ndarray, "draws"], exhaustive: bool) -> Permutation:
    """Turn the statistic of every relabelling (row 0 observed) into p-values."""
    observed = float(values[0])
    if not np.isfinite(observed):
        return _no_test()
    slack = 1e-9 * float(np.nanmax(np.abs(values))) if len(values) else 0.0
    size = np.abs(values)
    return Permutation(
        statistic=observed,
        p=float(np.mean(size >= abs(observed) - slack)),
        p_greater=float(np.mean(values >= observed - slack)),
        p_less=float(np.mean(values <= observed + slack)),
        smallest_p=float(np.mean(size >= np.nanmax(size) - slack)),
        exhaustive=exhaustive,
        draws=len(values),
    )
