"""Tries until r passes: how they are sampled, the unbiased rate of an item, its interval and its variance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from emergelab.errors import UserError

__all__ = ["Records", "counted", "draw_until", "item_interval", "item_rate", "item_variance"]

Sampler = Callable[[Any, Any, int, np.random.Generator], Any]
"""(model, item, how many, generator) -> that many Booleans."""

_BATCH = 16  # tries asked for at first; doubled each time
_MOST = 8192  # tries asked for at once


@dataclass(frozen=True)
class Records:
    """Tries and passes of every item at every x in one condition.

    Attributes:
        condition: its name.
        tries: number of tries K; NaN where there is no record.
        passes: number of passes seen; NaN where only "fewer than the target" is known.
        target: passes at which sampling stopped.
        items: labels of the items.
        x: sizes or steps, increasing.
        seed: label of the seed that each row of items was tried in; None if there are no seeds.
    """

    condition: str
    tries: Float[np.ndarray, "item x"]
    passes: Float[np.ndarray, "item x"]
    target: int
    items: tuple[Any, ...]
    x: Float[np.ndarray, "x"]
    seed: tuple[Any, ...] | None = None

    @property
    def seeds(self) -> tuple[Any, ...]:
        """The seeds, in their order; empty if there are none."""
        return tuple(dict.fromkeys(self.seed or ()))

    def over_seeds(self, rate: Float[np.ndarray, "item x"]) -> Float[np.ndarray, "seed x"]:
        """Mean rate over the items of each seed; NaN where a seed has no record."""
        own = np.array([[s == t for s in self.seed or ()] for t in self.seeds])
        seen = np.isfinite(rate)
        count = own.astype(float) @ seen
        total = own.astype(float) @ np.where(seen, rate, 0.0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    @property
    def seen(self) -> Bool[np.ndarray, "item x"]:
        """Where there is a record."""
        return np.isfinite(self.tries) & (self.tries >= 1)

    @property
    def censored(self) -> Bool[np.ndarray, "item x"]:
        """Where the cap came before the last pass."""
        return self.seen & ~(self.passes >= self.target)

    @property
    def uncounted(self) -> Bool[np.ndarray, "item x"]:
        """Censored records whose passes were not counted."""
        return self.censored & ~np.isfinite(self.passes)


def draw_until(
    sampler: Sampler, model: Any, items: Sequence[Any], target: int, cap: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "item"], Float[np.ndarray, "item"], int]:
    """Sample every item until ``target`` passes or ``cap`` tries; returns tries, passes and the number of draws made.

    Batches grow, so a sampler that is fast in batches is used well; what was drawn beyond the last pass does not count
    as a try (the rule is to stop there), but it is part of the cost.
    """
    tries, passes, cost = np.empty(len(items)), np.empty(len(items)), 0
    for i, item in enumerate(items):
        done, found, batch = 0, 0, _BATCH
        while found < target and done < cap:
            n = min(batch, cap - done)
            got = np.asarray(sampler(model, item, n, rng))
            if got.shape != (n,) or not (got.dtype == bool or np.isin(got, (0, 1)).all()):
                raise UserError(f"passuntil: the sampler must return {n} Booleans, got shape {got.shape}, {got.dtype}")
            cost += n
            at = np.flatnonzero(got)
            if found + len(at) >= target:
                done += int(at[target - found - 1]) + 1
                found = target
            else:
                done += n
                found += len(at)
            batch = min(2 * batch, _MOST)
        tries[i], passes[i] = done, found
    return tries, passes, cost


def item_rate(r: Records, estimator: str = "unbiased") -> Float[np.ndarray, "item x"]:
    """Pass rate of every item.

    The unbiased rule is (r - 1) / (K - 1) where sampling stopped at the r-th pass (Haldane 1945) and k / K where the
    cap came first: together they are unbiased for the capped rule too (Girshick, Mosteller and Savage 1946). The
    maximum-likelihood rate k / K is biased upwards wherever sampling stops at a pass.
    """
    k = counted(r)
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = k / r.tries
        stopped = (r.target - 1) / np.maximum(r.tries - 1, 1)
    # the first try of a rule that stops at one pass tells nothing unbiased but "it passed at once or not"
    if r.target == 1:
        stopped = (r.tries == 1).astype(float)
    certain = (r.tries <= r.target) & (r.target > 1)  # K = r: all tries passed
    rate = plain if estimator == "ml" else np.where(r.censored, plain, np.where(certain, 1.0, stopped))
    return np.where(r.seen, rate, np.nan)


def counted(r: Records) -> Float[np.ndarray, "item x"]:
    """Passes; where only "fewer than r" is known, the middle of what is possible."""
    return np.where(r.uncounted, np.minimum(r.target - 1, r.tries) / 2, r.passes)


def item_variance(r: Records) -> Float[np.ndarray, "item x"]:
    """Variance of the unbiased rate over repeated tries, p (1 - p) / (K - 2) or, at the cap, / (K - 1).

    It is unbiased itself where sampling stopped, and 0 for an item that always or never passed: only sums over items
    are to be trusted.
    """
    p = item_rate(r)
    out = p * (1 - p) / np.where(r.censored, np.maximum(r.tries - 1, 1), np.maximum(r.tries - 2, 1))
    return np.where(r.seen, out, np.nan)


def item_interval(r: Records, level: float) -> tuple[Float[np.ndarray, "item x"], Float[np.ndarray, "item x"]]:
    """Interval of every item's rate.

    Where sampling stopped at the r-th pass: p in [B(a/2; r, K - r + 1), B(1 - a/2; r, K - r)], exact for the negative
    binomial and, for small p, the chi-square interval chi2(2r) / 2K. Where the cap came first: Clopper-Pearson, from 0
    to the bound of "fewer than r" if the passes were not counted.
    """
    a = (1 - level) / 2
    n = np.where(r.seen, r.tries, 1.0)
    k = np.where(r.uncounted, np.minimum(r.target - 1, n), np.nan_to_num(r.passes))
    with np.errstate(invalid="ignore", divide="ignore"):
        low = np.where(k > 0, stats.beta.ppf(a, np.maximum(k, 1), np.maximum(n - k + 1, 1e-9)), 0.0)
        high_cap = np.where(k < n, stats.beta.ppf(1 - a, k + 1, np.maximum(n - k, 1e-9)), 1.0)
        high_stop = np.where(k < n, stats.beta.ppf(1 - a, np.maximum(k, 1), np.maximum(n - k, 1e-9)), 1.0)
    low = np.where(r.uncounted, 0.0, low)
    high = np.where(r.censored, high_cap, high_stop)
    return np.where(r.seen, low, np.nan), np.where(r.seen, high, np.nan)
