"""Tables of `retention`: what is not on the curve itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from emergelab.instruments._retention_curve import Decay, Weights, interval, per_seed, sums
from emergelab.instruments._retention_events import Memory
from emergelab.instruments._retention_kernel import Kernel, KernelLaw
from emergelab.instruments._retention_laws import FAMILY, LAWS
from emergelab.instruments._retention_read import Source
from emergelab.statistics import Estimate, difference, estimate, holm

__all__ = [
    "contrast_table",
    "curve_table",
    "exposure_table",
    "interference_table",
    "item_table",
    "kernel_law_table",
    "kernel_table",
    "lag_of",
    "law_table",
    "over_seeds",
    "savings_table",
    "seed_table",
    "spacing_table",
    "summary_table",
]  # fmt: skip

_KEPT, _GONE = 0.9, 0.1  # of the gain, for an item that counts as kept, or as lost
_MOST_GAPS = 12
_AGAIN = 0.9  # of the first gain, to count as learned again


def lag_of(log: Estimate) -> tuple[float, float, float]:
    """A decimal logarithm and its interval as lags."""
    return tuple(10.0**v if abs(v) < 300 else float("nan") for v in (log.value, log.low, log.high))  # type: ignore[return-value]


def summary_table(
    source: Source, memories: Sequence[Memory], decays: Sequence[Decay], verdicts: Sequence[str]
) -> pd.DataFrame:
    """One row a condition."""
    rows = []
    for name, m, d, verdict in zip(source.conditions, memories, decays, verdicts, strict=True):
        left = _left(m)
        known = np.isfinite(left)
        row: dict[str, Any] = {"condition": name, "seeds": d.drawn.seeds, "items": d.drawn.items, "verdict": verdict}
        row |= _spread("effect", d.effect) | {"p_effect": d.p_effect} | _spread("a", d.slope) | {"r2": d.r2}
        for key, e in (("x_intercept", d.log_intercept), ("half_life", d.log_half_life)):
            row |= dict(zip((key, f"{key}_low", f"{key}_high"), lag_of(e), strict=True))
        row |= _spread("last", d.last)
        row |= {
            "law": d.family,
            "items_kept": float((left[known] >= _KEPT).mean()) if known.any() else float("nan"),
            "items_lost": float((left[known] <= _GONE).mean()) if known.any() else float("nan"),
            "items_exponential": d.artefact.share,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _spread(name: str, e: Estimate) -> dict[str, float]:
    return {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}


def curve_table(source: Source, memories: Sequence[Memory], decays: Sequence[Decay]) -> pd.DataFrame:
    """R by condition and lag."""
    rows = [
        (name, float(lag), e.value, e.low, e.high, float(p), bool(phase), int(n))
        for name, d in zip(source.conditions, decays, strict=True)
        for lag, e, p, phase, n in zip(d.lag, d.bounds, d.published, d.phase, d.weight, strict=True)
    ]
    columns = ["condition", "lag", "R", "low", "high", "R_published", "decay_phase", "records"]
    return pd.DataFrame(rows, columns=columns)


def exposure_table(source: Source, memories: Sequence[Memory], decays: Sequence[Decay]) -> pd.DataFrame:
    """Gain of every exposure: does the k-th still add?"""
    rows = []
    for name, m, d in zip(source.conditions, memories, decays, strict=True):
        for k, (e, rise) in enumerate(zip(d.effects, d.rises, strict=True)):
            own = m.own_effect[..., k][np.isfinite(m.own_effect[..., k])]
            published = float(own.mean()) * source.scale if len(own) else float("nan")
            wait = m.wait[..., k][np.isfinite(m.wait[..., k])]
            rows.append((name, k + 1, e.value, e.low, e.high, bool(rise.claimed and rise.low > 0), published,
                         float(np.median(wait)) if len(wait) else float("nan"), len(own)))  # fmt: skip
    columns = ["condition", "exposure", "effect", "low", "high", "adds", "effect_published", "wait", "cells"]
    return pd.DataFrame(rows, columns=columns)


def kernel_table(source: Source, kernels: Sequence[Kernel | None], worth: Sequence[float]) -> pd.DataFrame:
    """Exposures taken apart: E of each, their common a and its x-intercept, as if each had come alone."""
    rows = []
    for name, k, each in zip(source.conditions, kernels, worth, strict=True):
        if k is not None:
            zero = k.zero(each)
            rows.append((name, "a", 0, k.rate.value, k.rate.low, k.rate.high, k.r2))
            rows.append((name, "x_intercept", 0, *zero, k.r2))
            rows += [(name, "E", j + 1, e.value, e.low, e.high, k.r2) for j, e in enumerate(k.effects)]
    return pd.DataFrame(rows, columns=["condition", "quantity", "exposure", "value", "low", "high", "r2"])


def kernel_law_table(source: Source, laws: Sequence[Sequence[KernelLaw]]) -> pd.DataFrame:
    """Laws of what a single exposure leaves, where several were taken apart; best first."""
    rows = [
        (name, law.family, law.formula, law.rate, law.r2, law.aicc, law.aicc - min(o.aicc for o in own))
        for name, own in zip(source.conditions, laws, strict=True)
        for law in sorted(own, key=lambda law: law.aicc)
    ]
    return pd.DataFrame(rows, columns=["condition", "family", "formula", "rate", "r2", "aicc", "delta_aicc"])


def spacing_table(source: Source, memories: Sequence[Memory], decays: Sequence[Decay]) -> pd.DataFrame:
    """What is left of the gain before an exposure, by the gap since the one before; many gaps are put in classes."""
    rows = []
    for name, m, d in zip(source.conditions, memories, decays, strict=True):
        known = np.isfinite(m.gap)
        if not known.any():
            continue
        gaps = np.unique(m.gap[known])
        shares = np.arange(_MOST_GAPS) / _MOST_GAPS
        edges = gaps if len(gaps) <= _MOST_GAPS else np.unique(np.quantile(m.gap[known], shares))
        place = np.where(known, np.searchsorted(edges, np.where(known, m.gap, edges[0]), side="right") - 1, -1)
        held = np.full(m.left.shape, np.nan)
        held[..., 1:] = m.left[..., :-1] + m.effect[..., :-1]  # the gain right after the exposure before
        for k in range(len(edges)):
            use = (place == k) & np.isfinite(m.left) & np.isfinite(held)
            if not use.any():
                continue
            both, of_seeds, of_items = (
                _share(m.left, held, use, w) for w in (d.drawn.both, d.drawn.only_seeds, d.drawn.only_items)
            )
            share = interval((both, of_seeds, of_items), d.drawn)
            effect = m.effect[use][np.isfinite(m.effect[use])]
            adds = float(effect.mean()) * source.scale if len(effect) else float("nan")
            rows.append((name, float(m.gap[use].mean()), share.value, share.low, share.high,
                         bool(share.claimed and share.low > 0), adds, int(use.sum())))  # fmt: skip
    columns = ["condition", "gap", "left", "low", "high", "accumulates", "effect", "cells"]
    return pd.DataFrame(rows, columns=columns)


def _share(
    left: Float[np.ndarray, "seed item k"],
    held: Float[np.ndarray, "seed item k"],
    use: Bool[np.ndarray, "seed item k"],
    w: Weights,
) -> Float[np.ndarray, "draws"]:
    top, bottom = (sums(np.where(use, x, 0.0), w).sum(axis=1) for x in (left, held))
    size = sums(np.where(use, np.abs(held), 0.0), w).sum(axis=1)
    usable = np.abs(bottom) > 1e-9 * size
    return np.where(usable, top / np.where(usable, bottom, 1.0), np.nan)


def law_table(source: Source, decays: Sequence[Decay]) -> pd.DataFrame:
    """Fitted laws: those that predict the last decade best come first, then by AICc."""
    rows = []
    for name, d in zip(source.conditions, decays, strict=True):
        best = min((law.aicc for law in d.laws if np.isfinite(law.aicc)), default=float("nan"))
        ranked = sorted(d.laws, key=lambda law: tuple(np.nan_to_num([law.held_out, law.aicc], nan=1e300)))
        for rank, law in enumerate(ranked):
            told = "; ".join(f"{p:.4g}" for p in law.parameters)
            rows.append((name, rank + 1, law.name, FAMILY[law.name], LAWS[law.name].words, told, law.r2, law.aicc,
                         law.aicc - best, law.held_out))  # fmt: skip
    columns = ["condition", "rank", "law", "family", "formula", "parameters", "r2", "aicc", "delta_aicc", "held_out"]
    return pd.DataFrame(rows, columns=columns)


def over_seeds(x: Float[np.ndarray, "seed ..."]) -> Float[np.ndarray, "..."]:
    """Mean over the seeds that have a value."""
    known = np.isfinite(x)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, x, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _left(m: Memory) -> Float[np.ndarray, "item"]:
    """Share of its gain that each item has left at its longest lag, mean over seeds; NaN where that is undefined."""
    gain, acquired = over_seeds(m.gain), over_seeds(m.acquired)
    out = np.full(len(gain), np.nan)
    for k in range(len(gain)):
        seen = np.flatnonzero(np.isfinite(gain[k]))
        if len(seen):
            start = acquired[k] if m.is_ratio else gain[k, seen[0]]
            if np.isfinite(start) and start > 1e-9 * max(1e-300, float(np.abs(gain[k, seen]).max())):
                out[k] = gain[k, seen[-1]] / start
    return np.where(np.abs(out) < 1e9, out, np.nan)


def item_table(source: Source, memories: Sequence[Memory]) -> pd.DataFrame:
    """What is left of each item, and its forgetting F: the best it ever was less what it is at the end."""
    rows = []
    for name, m in zip(source.conditions, memories, strict=True):
        gain, acquired, left = over_seeds(m.gain), over_seeds(m.acquired), _left(m)
        for k, label in enumerate(m.items):
            seen = np.flatnonzero(np.isfinite(gain[k]))
            last = float(gain[k, seen[-1]]) if len(seen) else float("nan")
            top = max([*gain[k, seen], *([acquired[k]] if np.isfinite(acquired[k]) else [])], default=float("nan"))
            start = acquired[k] if m.is_ratio or not len(seen) else gain[k, seen[0]]
            rows.append((name, label, float(start) * source.scale, last * source.scale, float(left[k]),
                         float(top - last) * source.scale, bool(left[k] >= _KEPT)))  # fmt: skip
    return pd.DataFrame(rows, columns=["condition", "item", "acquired", "last", "left", "forgetting", "kept"])


def seed_table(source: Source, memories: Sequence[Memory], decays: Sequence[Decay]) -> pd.DataFrame:
    """The same quantities seed by seed."""
    parts = []
    for name, m, d in zip(source.conditions, memories, decays, strict=True):
        found = per_seed(m, d, source.scale)
        zero = found["log10 of the x-intercept"]
        parts.append(pd.DataFrame({
            "condition": name, "seed": list(source.seeds), "effect": found["gain of an exposure"],
            "a": found["decay constant a"], "x_intercept": 10.0 ** np.clip(zero, -300, 300),
            "last": found["R at the longest lag"], "exponential_over_power": found["exponential over power law (AIC)"],
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def contrast_table(
    source: Source,
    memories: Sequence[Memory],
    decays: Sequence[Decay],
    paired: bool,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Differences of conditions over seeds, items held; Holm over all rows."""
    names = ("gain of an exposure", "decay constant a", "log10 of the x-intercept", "R at the longest lag")
    each = [per_seed(m, d, source.scale) for m, d in zip(memories, decays, strict=True)]
    rows = []
    for i, j in combinations(range(len(each)), 2):
        for name in names:
            a, b = each[i][name], each[j][name]
            size = max([1e-300, *np.abs(a[np.isfinite(a)]), *np.abs(b[np.isfinite(b)])])
            if not (np.isfinite(a).any() and np.isfinite(b).any()):
                continue
            e = difference(a / size, b / size, paired=paired, level=level, draws=draws, rng=rng)
            rows.append((source.conditions[i], source.conditions[j], name, e.value * size, e.low * size, e.high * size,
                         e.p_two_sided(), e.method))  # fmt: skip
    frame = pd.DataFrame(rows, columns=["a", "b", "quantity", "difference", "low", "high", "p", "method"])
    p = frame["p"].to_numpy(dtype=float)
    known = np.isfinite(p)
    adjusted = np.full(len(p), np.nan)
    adjusted[known] = holm(p[known]) if known.any() else []
    frame.insert(7, "p_holm", adjusted)
    words = np.where(frame["difference"].to_numpy(dtype=float) > 0, "larger", "smaller")
    frame.insert(8, "verdict", np.where(np.nan_to_num(adjusted, nan=1.0) <= 1 - level, words, "inconclusive"))
    return frame


def savings_table(source: Source, memories: Sequence[Memory], window: float, level: float) -> pd.DataFrame:
    """Savings on relearning: 1 - time to regain / time the first time, by session; 0: learned anew, 1: nothing to do.

    Exposures not farther apart than the window are one session. Regained: the mean over the items with the same
    exposures is back at nine tenths of what it was at its first maximum.
    """
    rows = []
    for name, m in zip(source.conditions, memories, strict=True):
        if m.series is None:
            continue
        found: dict[int, list[list[tuple[float, float, float]]]] = {}
        for s, row in enumerate(m.series.plan):
            for session, values in _savings_of_seed(m, s, row, window).items():
                found.setdefault(session, [[] for _ in source.seeds])[s] += values
        for session, by_seed in sorted(found.items()):
            means = np.array([np.mean(v, axis=0) for v in by_seed if v])
            e = estimate(means[:, 2], level=level, draws=199, rng=0)
            rows.append((name, session, float(means[:, 0].mean()), float(means[:, 1].mean()), e.value, e.low, e.high,
                         len(means)))  # fmt: skip
    columns = ["condition", "session", "time_first", "time_again", "savings", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def _savings_of_seed(
    m: Memory, seed: int, row: Sequence[Float[np.ndarray, "_"]], window: float
) -> dict[int, list[tuple[float, float, float]]]:
    """Session -> (first time, this time, savings) of every group of items with the same exposures."""
    assert m.series is not None
    time = m.series.time
    groups: dict[bytes, list[int]] = {}
    for i, times in enumerate(row):
        if len(times):
            groups.setdefault(times.tobytes(), []).append(i)
    out: dict[int, list[tuple[float, float, float]]] = {}
    for members in groups.values():
        times = row[members[0]]
        starts = times[np.concatenate([[True], np.diff(times) > window])]
        before = int(np.searchsorted(time, starts[0], side="right")) - 1
        if len(starts) < 2 or before < 0:
            continue
        curve = over_seeds(m.series.level[seed, members] - m.series.level[seed, members, before][:, None])
        ends = np.append(starts[1:], np.inf)
        first = (time > starts[0]) & (time <= ends[0]) & np.isfinite(curve)
        if not first.any() or not curve[first].max() > 0:
            continue
        goal = _AGAIN * float(curve[first].max())
        needed = []
        for start, end in zip(starts, ends, strict=True):
            at = int(np.searchsorted(time, start, side="right")) - 1
            reached = np.flatnonzero((time > start) & (time <= end) & (np.nan_to_num(curve, nan=-np.inf) >= goal))
            there = bool(curve[at] >= goal)
            needed.append(0.0 if there else float(time[reached[0]] - start) if len(reached) else float("nan"))
        for k in range(1, len(needed)):
            if np.isfinite(needed[k]) and needed[0] > 0:
                out.setdefault(k + 1, []).append((needed[0], needed[k], 1 - needed[k] / needed[0]))
    return out


def interference_table(source: Source, memories: Sequence[Memory], level: float) -> pd.DataFrame:
    """Loss of R by each exposure of another item since the own last one; alone, and with log10 lag held."""
    rows = []
    for name, m in zip(source.conditions, memories, strict=True):
        if m.series is None or not m.is_ratio:
            continue
        pairs = np.array([_interference_of_seed(m, s) for s in range(len(source.seeds))])
        for k, held in enumerate(("nothing", "log10 lag")):
            if np.isfinite(pairs[:, k]).any():
                size = float(np.nanmax(np.abs(pairs[:, k]))) or 1.0
                e = estimate(pairs[:, k] / size, level=level, draws=199, rng=0)
                rows.append((name, held, e.value * size, e.low * size, e.high * size, e.n))
    return pd.DataFrame(rows, columns=["condition", "held", "loss_per_exposure", "low", "high", "seeds"])


def _interference_of_seed(m: Memory, seed: int) -> tuple[float, float]:
    """Slopes of the loss on the number of other exposures, without and with log10 lag."""
    assert m.series is not None
    time, plan = m.series.time, m.series.plan[seed]
    nothing = (float("nan"), float("nan"))
    acquired = m.acquired[seed]
    mean = float(acquired[np.isfinite(acquired)].mean()) if np.isfinite(acquired).any() else 0.0
    if abs(mean) < 1e-9:
        return nothing
    every = np.sort(np.concatenate(plan)) if len(plan) else np.empty(0)
    y, lag, count = [], [], []
    exposed = [i for i in range(len(plan)) if m.series.shown[:, i].any()]
    for k, i in enumerate(exposed):
        last = m.last_exposure[seed, k]
        if not np.isfinite(last) or not np.isfinite(acquired[k]):
            continue
        before = int(np.searchsorted(time, plan[i][0], side="right")) - 1
        use = (time > last) & np.isfinite(m.series.level[seed, i])
        y.append(1 - (m.series.level[seed, i, use] - m.series.level[seed, i, before]) / mean)
        lag.append(np.log10(time[use] - last))
        count.append(np.searchsorted(every, time[use], side="left") - np.searchsorted(every, last, side="right"))
    if not y:
        return nothing
    loss, logs, others = np.concatenate(y), np.concatenate(lag), np.concatenate(count).astype(float)
    known = np.isfinite(loss)
    loss, logs, others = loss[known], logs[known], others[known]
    if len(loss) < 5 or not np.ptp(others) > 0:
        return nothing
    n, u, y0 = others - others.mean(), logs - logs.mean(), loss - loss.mean()
    alone = float(n @ y0 / (n @ n))
    rest = n - u * float(u @ n) / max(float(u @ u), 1e-300)
    # the count is one with the lag when items come at an even pace and are all seen at once
    apart = float(rest @ rest) > 0.01 * float(n @ n)
    return alone, float(rest @ y0 / (rest @ rest)) if apart else float("nan")
