"""What is measured in one seed, in one window, or over seeds at one time; bias shown by shifted futures taken off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergelab.instruments._causal_emergence_atoms import atoms_clean
from emergelab.instruments._causal_emergence_info import (
    Estimator,
    Pairs,
    Variable,
    clean,
    joint_codes,
    log_det,
    mutual,
    scores,
    shifts_of,
    table_information,
    transfer,
)
from emergelab.instruments._causal_emergence_series import Rule, Series, grouped, pairs_of, prepared
from emergelab.statistics import estimate, holm

__all__ = ["BOOT", "FEWEST", "Measured", "Options", "replicates"]

FEWEST = 30
"""Fewest pairs of records from which information is estimated."""
BOOT = 999
"""Bootstrap draws of every interval, at least."""
_APART = 19  # draws of parts that do not interact
_APART_KSG = 5
_MOST_TIMES = 12  # at which information is taken when seeds are the samples


@dataclass(frozen=True)
class Options:
    """What was asked of the series."""

    lags: tuple[float, ...]
    order: int
    estimator: Estimator
    bins: int | None
    windows: int
    over: str
    bipartition: tuple[tuple[int, ...], tuple[int, ...]] | None
    hoi: str | None
    jitter: float
    blind: bool  # a continuous estimator on discrete data
    margin: float
    negligible: float
    level: float
    draws: int


@dataclass(frozen=True)
class Measured:
    """Quantities of one seed, bias taken off, and the null distribution of psi in it."""

    samples: int
    numbers: dict[str, float]
    delta: Float[np.ndarray, "part"]
    gamma: Float[np.ndarray, "part"]
    of_part: Float[np.ndarray, "part"]
    atoms: Float[np.ndarray, "atom"]
    null: Float[np.ndarray, "shift"]
    null_delta: Float[np.ndarray, "part shift"]


_NUMBERS = (
    "psi", "psi_raw", "bias", "apart", "excess", "self", "sum_parts", "redundancy", "psi_corrected", "gamma",
    "transfer",
)  # fmt: skip


def _empty(parts: int, samples: int) -> Measured:
    nan = np.full(parts, np.nan)
    return Measured(
        samples, dict.fromkeys(_NUMBERS, float("nan")), nan, nan, nan, np.full(16, np.nan), np.empty(0),
        np.empty((parts, 0)),
    )  # fmt: skip


def replicates(
    series: Series,
    at: int,
    lag: float,
    groups: Sequence[tuple[int, ...]],
    options: Options,
    rng: np.random.Generator,
) -> tuple[list[Measured], pd.DataFrame]:
    if options.over == "seeds":
        return _over_seeds(series, at, lag, groups, options, rng)
    rows, by_window = [], []
    edges = np.linspace(series.time[0], series.time[-1], options.windows + 1)
    for s in range(series.x.shape[1]):
        pairs, begins = pairs_of(series.x[at, s], series.v[at, s], series.time, lag)
        rule = series.rules[at][s]
        if options.windows == 1:
            rows.append(_measure(pairs, groups, rule, options, rng))
            continue
        inside = np.clip(np.searchsorted(edges, begins, side="right") - 1, 0, options.windows - 1)
        parts = [_measure(_rows(pairs, inside == w), groups, rule, options, rng) for w in range(options.windows)]
        by_window.append([m.numbers["psi"] for m in parts])
        rows.append(_averaged(parts))
    return rows, _window_table(np.array(by_window), edges, options, rng) if by_window else pd.DataFrame()


def _rows(pairs: Pairs, keep: np.ndarray) -> Pairs:
    return Pairs(tuple(v[keep] for v in pairs.now), tuple(v[keep] for v in pairs.later))


def _averaged(parts: Sequence[Measured]) -> Measured:
    """Mean over the windows of a seed in which anything could be measured."""
    good = [m for m in parts if np.isfinite(m.numbers["psi"])]
    if not good:
        return _empty(len(parts[0].delta), sum(m.samples for m in parts))
    length = min(len(m.null) for m in good)
    return Measured(
        samples=sum(m.samples for m in good),
        numbers={k: float(np.mean([m.numbers[k] for m in good])) for k in _NUMBERS},
        delta=np.mean([m.delta for m in good], axis=0),
        gamma=np.mean([m.gamma for m in good], axis=0),
        of_part=np.mean([m.of_part for m in good], axis=0),
        atoms=np.mean([m.atoms for m in good], axis=0),
        null=np.mean([m.null[:length] for m in good], axis=0),
        null_delta=np.mean([m.null_delta[:, :length] for m in good], axis=0),
    )


def _window_table(
    psi: Float[np.ndarray, "seed window"], edges: Float[np.ndarray, "edge"], options: Options, rng: np.random.Generator
) -> pd.DataFrame:
    estimates = [estimate(c, level=options.level, draws=BOOT, rng=rng) for c in psi.T]
    p = holm(np.array([e.p_greater(options.margin) for e in estimates]))
    return pd.DataFrame(
        [
            (edges[w], edges[w + 1], e.value, e.low, e.high, min(1.0, 2 * q) if np.isfinite(q) else float("nan"))
            for w, (e, q) in enumerate(zip(estimates, p, strict=True))
        ],
        columns=["start", "end", "psi", "low", "high", "p_holm"],
    )


def _over_seeds(
    series: Series,
    at: int,
    lag: float,
    groups: Sequence[tuple[int, ...]],
    options: Options,
    rng: np.random.Generator,
) -> tuple[list[Measured], pd.DataFrame]:
    """Seeds as samples: at each time the pairs are one a seed, and information is averaged over times.

    What a seed contributes is its jackknife pseudo-value: the mean of these is the estimate without its bias of
    order one over the number of seeds, and everything after this is as with one value a seed.
    """
    n_seeds = series.x.shape[1]
    raw = [pairs_of(series.x[at, s], series.v[at, s], series.time, lag) for s in range(n_seeds)]
    times = sorted(set.intersection(*[set(begins.tolist()) for _, begins in raw]))
    if n_seeds < FEWEST or not times:
        return [_empty(len(groups), n_seeds) for _ in range(n_seeds)], pd.DataFrame()
    times = [times[i] for i in np.unique(np.linspace(0, len(times) - 1, _MOST_TIMES).astype(int))]
    quiet = replace(options, draws=0)
    full, fewer = [], []
    for t in times:
        index = [int(np.searchsorted(begins, t)) for _, begins in raw]
        sides: list[tuple[Variable, ...]] = [
            tuple(
                np.array([side[k][i] for side, i in zip(all_sides, index, strict=True)])
                for k in range(len(all_sides[0]))
            )
            for all_sides in ([p.now for p, _ in raw], [p.later for p, _ in raw])
        ]
        pairs = Pairs(sides[0], sides[1])
        full.append(_measure(pairs, groups, series.rules[at][0], quiet, rng))
        fewer.append(
            [_measure(_rows(pairs, np.arange(n_seeds) != s), groups, None, quiet, rng) for s in range(n_seeds)]
        )
    whole = _averaged(full)
    out = [_pseudo_value(whole, _averaged([row[s] for row in fewer]), n_seeds) for s in range(n_seeds)]
    mean = float(np.mean([m.numbers["psi"] for m in out]))
    for m in out:  # psi without interaction has about the bias of psi
        m.numbers["excess"] = whole.numbers["excess"] + m.numbers["psi"] - mean
        m.numbers["apart"] = whole.numbers["apart"] + mean - whole.numbers["psi_raw"]
    table = pd.DataFrame({"start": times, "end": times, "psi": [m.numbers["psi"] for m in full]})
    return out, table.assign(low=np.nan, high=np.nan, p_holm=np.nan)


def _pseudo_value(whole: Measured, without: Measured, n: int) -> Measured:
    def value(a: Any, b: Any) -> Any:
        return n * a - (n - 1) * b

    return Measured(
        samples=n,
        numbers={k: value(whole.numbers[k], without.numbers[k]) for k in _NUMBERS},
        delta=value(whole.delta, without.delta),
        gamma=value(whole.gamma, without.gamma),
        of_part=value(whole.of_part, without.of_part),
        atoms=value(whole.atoms, without.atoms),
        null=np.empty(0),
        null_delta=np.empty((len(whole.delta), 0)),
    )


def _measure(
    raw: Pairs, groups: Sequence[tuple[int, ...]], rule: Rule | None, options: Options, rng: np.random.Generator
) -> Measured:
    """All quantities of one stretch of records, with the bias that shifted futures show taken off."""
    if raw.samples < FEWEST - 1:  # one less for the jackknife
        return _empty(len(groups), raw.samples)
    # nearest neighbours are nearly unbiased where nothing is shared, and too slow for hundreds of shifts
    draws = 0 if options.estimator == "ksg" else options.draws
    shifts = shifts_of(raw.samples, draws, rng) if draws else np.zeros(1, dtype=int)
    pairs = prepared(raw, options.estimator, options.bins, options.jitter, rng)
    info = mutual(grouped(pairs, groups, options.estimator), options.estimator, shifts)
    psi = info[-1, -1] - info[:-1, -1].sum(axis=0)
    delta = info[-1, :-1] - info[:-1, :-1].sum(axis=0)
    gamma = info[-1, :-1]
    lowest = info[:-1, -1].min(axis=0)
    width = len(groups)
    macro_now, macro_later = pairs.now[-1], pairs.later[-1]
    apart = _apart(raw, groups, rule, options, rng) if rule is not None else float("nan")
    whole = joint_codes(pairs.now[:-1]) if options.estimator == "discrete" else np.hstack(pairs.now[:-1])
    cleaned = {
        "psi": clean(psi),
        "psi_raw": float(psi[0]),
        "bias": float(psi[0]) - clean(psi),
        "apart": apart - (float(psi[0]) - clean(psi)),
        "excess": float(psi[0]) - apart,
        "self": clean(info[-1, -1]),
        "sum_parts": clean(info[:-1, -1].sum(axis=0)),
        "redundancy": clean(lowest),
        "psi_corrected": clean(psi + (width - 1) * lowest),
        "gamma": clean(gamma.max(axis=0)),
        "transfer": transfer(whole, macro_now, macro_later, options.estimator),
    }
    atoms = np.full(16, np.nan)
    if options.bipartition is not None:
        atoms = atoms_clean(pairs, options.bipartition, options.estimator, options.hoi, shifts)
    return Measured(
        pairs.samples,
        cleaned,
        np.array([clean(d) for d in delta]),
        np.array([clean(g) for g in gamma]),
        np.array([clean(i) for i in info[:-1, -1]]),
        atoms,
        psi[1:],
        delta[:, 1:],
    )


def _apart(
    raw: Pairs, groups: Sequence[tuple[int, ...]], rule: Rule, options: Options, rng: np.random.Generator
) -> float:
    """Mean psi when every part is moved along its own record by an amount of its own.

    Each part keeps its own dynamics, the parts lose all that they have to do with each other, and the macro variable
    is made of them anew. A sum of independent parts has a psi above 0, because information is convex in the square of
    a correlation; only what goes beyond this speaks of the whole.
    """
    n, draws = raw.samples, _APART_KSG if options.estimator == "ksg" else _APART
    index = (np.arange(n) + rng.integers(0, n, (draws, len(raw.now) - 1, 1))) % n
    blocks = []
    for side in (raw.now[:-1], raw.later[:-1]):
        parts = np.stack([column[index[:, j]] for j, column in enumerate(side)], axis=2)  # draw, record, part, channel
        blocks.append((parts, rule(parts[None])[0]))
    (x_now, v_now), (x_later, v_later) = blocks
    one_number = x_now.shape[-1] == v_now.shape[-1] == 1 and np.isfinite(v_now).all() and np.isfinite(v_later).all()
    if (
        one_number
        and options.order == 1
        and options.jitter == 0
        and options.bins is None
        and options.estimator != "ksg"
    ):
        psi = _psi_of_all(x_now[..., 0], v_now[..., 0], v_later[..., 0], options.estimator)
        psi = psi[np.isfinite(psi)]
        return float(psi.mean()) if len(psi) else float("nan")
    found = []
    for k in range(draws):
        known = np.isfinite(v_now[k]).all(axis=1) & np.isfinite(v_later[k]).all(axis=1)
        if known.sum() < FEWEST - 1:
            continue
        members = range(x_now.shape[2])
        drawn = Pairs(
            (*(x_now[k][known, j] for j in members), v_now[k][known]),
            (*(x_later[k][known, j] for j in members), v_later[k][known]),
        )
        coded = prepared(drawn, options.estimator, options.bins, options.jitter, rng)
        moved = grouped(coded, groups, options.estimator)
        info = mutual(replace(moved, later=moved.later[-1:]), options.estimator, np.zeros(1, dtype=int))[:, 0, 0]
        found.append(info[-1] - info[:-1].sum())
    finite = np.array(found)[np.isfinite(found)] if found else np.empty(0)
    return float(finite.mean()) if len(finite) else float("nan")


def _psi_of_all(
    x: Float[np.ndarray, "draw sample part"],
    now: Float[np.ndarray, "draw sample"],
    later: Float[np.ndarray, "draw sample"],
    estimator: Estimator,
) -> Float[np.ndarray, "draw"]:
    """psi of many draws of single numbers at once."""
    if estimator == "discrete":
        codes = [np.unique(v, return_inverse=True)[1].reshape(v.shape) for v in (now, later)]
        parts = [np.unique(x[..., j], return_inverse=True)[1].reshape(now.shape) for j in range(x.shape[2])]
        return table_information(*codes) - np.sum([table_information(p, codes[1]) for p in parts], axis=0)
    target = scores(later, estimator)
    told = [scores(v, estimator) for v in (now, *np.moveaxis(x, 2, 0))]
    bits = [log_det(np.einsum("dn,dn->d", v, target)[:, None, None] / now.shape[1]) for v in told]
    return np.asarray(bits[0] - np.sum(bits[1:], axis=0))
