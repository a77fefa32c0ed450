"""The interventional family of `causal_emergence`: matrices, networks and step functions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float, Int

from emergelab.errors import UserError, need
from emergelab.instruments._causal_emergence_ei import (
    WEIGHTINGS,
    Method,
    Profile,
    effective_information,
    exhaustive_best,
    inconsistency,
    macro_matrix,
    parts_of,
    search,
)
from emergelab.instruments._curves import as_dataset
from emergelab.statistics import Estimate, estimate

__all__ = ["Judged", "Kind", "Matrices", "judge_matrices", "matrices_of_graph", "matrices_of_step", "read_matrices"]

Kind = Literal["series", "tpm", "counts", "network"]

_SUMS = 1e-6  # a row of a transition matrix may miss 1 by so much
_SMALL = 7  # up to this many states the null, too, looks at every coarse-graining
_MIDDLE = 24  # up to this many it merges greedily
_BUDGET = 2.0  # seconds that the null may take, about
_FEWEST_DRAWS = 99
_POSTERIOR = 199
_BELL = (1, 1, 2, 5, 15, 52, 203, 877)


@dataclass(frozen=True)
class Matrices:
    """Square matrices of one kind: causes in rows, effects in columns; every row sums to 1 or to 0.

    Attributes:
        rows: the matrices.
        counts: the transitions counted, where they were.
        kind: what they are.
        states: names of the states.
        conditions: names along the first axis.
        seeds: labels along the second axis.
        has_seeds: whether the data had a seed dim.
        name: name of the array.
        notes: what was done to the data on the way.
    """

    rows: Float[np.ndarray, "condition seed n n"]
    counts: Float[np.ndarray, "condition seed n n"] | None
    kind: Kind
    states: tuple[str, ...]
    conditions: tuple[str, ...]
    seeds: tuple[Any, ...]
    has_seeds: bool
    name: str
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of values and labels."""
        h = hashlib.sha256(np.ascontiguousarray(self.rows if self.counts is None else self.counts).tobytes())
        h.update(repr((self.kind, self.states, self.conditions, tuple(map(str, self.seeds)))).encode())
        return h.hexdigest()[:16]


@dataclass(frozen=True)
class Judged:
    """Answer for one condition: the number, the p compared with 1 - level, the verdict and the rows of tables."""

    value: Estimate
    p: float
    draws: int
    verdict: str
    effect: float
    per_seed: Float[np.ndarray, "seed"]
    tables: Mapping[str, pd.DataFrame]
    extra: Mapping[str, Any]
    warnings: tuple[str, ...]


def matrices_of_graph(graph: Any, weight: str | None) -> xr.DataArray:
    """Adjacency of a networkx graph, rows are sources."""
    nx = need("networkx", "instruments", "causal emergence of a graph")
    if graph.number_of_nodes() == 0:
        raise UserError("causal_emergence: the graph has no node")
    nodes = [str(v) for v in graph.nodes]
    values = nx.to_numpy_array(graph, weight=weight).astype(float)
    return xr.DataArray(values, dims=("source", "target"), coords={"source": nodes, "target": nodes}, name="network")


def matrices_of_step(step: Callable[[Any], Any], states: Sequence[Hashable] | None) -> xr.DataArray:
    """Transition matrix of a step function over a finite set of states.

    ``step(state)`` gives the next state, or a mapping {next state: probability}.
    """
    if states is None or len(states) == 0:
        raise UserError("causal_emergence: a step function needs states=[...], the finite set on which it acts")
    known = {_key(s): i for i, s in enumerate(states)}
    if len(known) < len(states):
        raise UserError("causal_emergence: states=... holds a state twice")
    values = np.zeros((len(states), len(states)))
    for i, state in enumerate(states):
        after = step(state)
        for target, p in after.items() if isinstance(after, Mapping) else [(after, 1.0)]:
            if _key(target) not in known:
                raise UserError(f"causal_emergence: the step leads from {state!r} to {target!r}, not one of the states")
            values[i, known[_key(target)]] += float(p)
    names = [str(s) for s in states]
    return xr.DataArray(values, dims=("state", "next"), coords={"state": names, "next": names}, name="step")


def _key(state: Any) -> Hashable:
    return tuple(np.asarray(state).ravel().tolist()) if isinstance(state, list | tuple | np.ndarray) else state


def read_matrices(data: Any, var: str | None, kind: Kind | None, by: str | None, seeds: str) -> Matrices:
    """Square matrices in labelled data; the two dims that are neither ``by`` nor ``seeds`` are cause and effect."""
    source = as_dataset(data)
    if isinstance(source, xr.Dataset):
        names = [str(n) for n in source.data_vars]
        if var is None and len(names) != 1:
            raise UserError(f"causal_emergence: the data hold {len(names)} variables; say which one with var=...")
        if var is not None and var not in names:
            raise UserError(f"causal_emergence: no variable {var!r} in the data")
        array = source[var or names[0]]
    else:
        array = source
    sides = [str(d) for d in array.dims if d not in (by, seeds)]
    if len(sides) != 2 or array.sizes[sides[0]] != array.sizes[sides[1]]:
        shape = ", ".join(f"{d}: {n}" for d, n in array.sizes.items())
        raise UserError(f"causal_emergence: a square matrix (cause, effect) was expected, got ({shape})")
    if array.size == 0:
        raise UserError("causal_emergence: the matrix is empty")
    has_seeds = seeds in array.dims
    has_conditions = bool(by) and by in array.dims
    conditions = [str(c) for c in array[by].values] if has_conditions else ["all"]
    labels = array[seeds].values.tolist() if has_seeds else [0]
    states = array[sides[0]].values if sides[0] in array.coords else np.arange(array.sizes[sides[0]])
    for name, absent in ((seeds, not has_seeds), (by or "condition", not has_conditions)):
        if absent:
            array = array.expand_dims(name)
    values = np.array(array.transpose(by or "condition", seeds, *sides).values, dtype=float)
    notes = []
    bad = ~np.isfinite(values) | (values < 0) | (values > 1e100)
    if bad.any():
        notes.append(f"{int(bad.sum())} entries that are negative, infinite or missing count as 0")
        values[bad] = 0.0
    total = values.sum(axis=-1, keepdims=True)
    sums_to_one = np.abs(total[total > 0] - 1) < _SUMS
    if kind is None:
        kind = "tpm" if sums_to_one.all() else "network"
    if kind == "tpm" and not sums_to_one.all():
        notes.append(f"{int((~sums_to_one).sum())} rows do not sum to 1 and are scaled to it")
    empty = int((total == 0).sum())
    if empty:
        notes.append(f"{empty} rows lead nowhere: those states are left out of the intervention")
    rows = values / np.where(total > 0, total, 1.0)
    return Matrices(
        rows=rows,
        counts=values if kind == "counts" else None,
        kind=kind,
        states=tuple(str(s) for s in states),
        conditions=tuple(conditions),
        seeds=tuple(labels),
        has_seeds=has_seeds,
        name=str(array.name or "matrix"),
        notes=tuple(notes),
    )


def judge_matrices(
    data: Matrices,
    at: int,
    grouping: Int[np.ndarray, "n"] | None,
    margin: float,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Judged:
    """Causal emergence of the matrices of one condition."""
    rows = data.rows[at]
    n = rows.shape[-1]
    usable = [s for s in range(len(rows)) if n > 1 and rows[s].any()]
    warnings = []
    if len(usable) < len(rows):
        warnings.append(
            "a single state leaves nothing to group" if n < 2 else f"{len(rows) - len(usable)} matrices are empty"
        )
    micro = [parts_of(m) for m in rows]
    best = {s: _best(rows[s], grouping) for s in usable}
    gain = np.array([best[s].ei.max() - micro[s].ei if s in best else np.nan for s in range(len(rows))])
    method = _null_method(n)
    null, sizes = _null(rows[usable], grouping, method, draws, rng)
    if usable and grouping is None and method != best[usable[0]].method:
        tested = np.array([search(rows[s], method).ei.max() - micro[s].ei for s in usable])
    else:
        tested = gain[usable]
    top = null.max(axis=2) if null.size else np.empty((0, 0))  # draw, seed
    p = float("nan")
    if usable:
        p = (1 + int((top.mean(axis=1) >= tested.mean() - 1e-12).sum())) / (len(top) + 1)
    value = _value(data, at, usable, gain, grouping, level, draws, rng)
    floor = value.low if value.claimed else value.value if len(usable) == 1 else float("nan")
    verdict = "emergent" if floor > margin + 1e-12 and p <= 1 - level else "not shown"
    if 1 < len(usable) < 5:
        warnings.append(f"{len(usable)} seeds carry no interval, so nothing can be claimed of them (five are needed)")
    tables = _tables(data, at, micro, best, gain, usable, null, sizes, grouping)
    centre = float(np.mean(tested) - top.mean()) if usable else float("nan")
    extra = {"method": best[usable[0]].method if usable else "none", "null_method": method, "usable": usable}
    return Judged(value, p, len(top), verdict, centre, gain, tables, extra, tuple(warnings))


def _best(matrix: Float[np.ndarray, "n n"], grouping: Int[np.ndarray, "n"] | None) -> Profile:
    if grouping is None:
        return search(matrix)
    ei = float(effective_information(macro_matrix(matrix, grouping)))
    return Profile(np.array([int(grouping.max()) + 1]), np.array([ei]), grouping[None], "exhaustive")


def _null_method(n: int) -> Method:
    return "exhaustive" if n <= _SMALL else "greedy" if n <= _MIDDLE else "hierarchy"


def _null(
    rows: Float[np.ndarray, "seed n n"],
    grouping: Int[np.ndarray, "n"] | None,
    method: Method,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "draw seed scale"], Int[np.ndarray, "scale"]]:
    """Gain at every scale when the entries of every row are shuffled: rows keep their entropies, not what they share.

    Draws are cut where the search is dear, never below 99.
    """
    n = rows.shape[-1]
    if not len(rows):
        return np.empty((0, 0, 0)), np.empty(0, dtype=int)
    if grouping is not None:
        sizes = np.array([int(grouping.max()) + 1])
    elif method == "exhaustive":
        sizes = np.arange(n - 1, 0, -1)
    else:
        sizes = search(rows[0], method).size
    done: list[Float[np.ndarray, "draw seed scale"]] = []
    block = 33 if method == "exhaustive" or grouping is not None else 1
    # seconds a matrix, about; a formula and not a clock, so that the same call makes the same draws
    cost = {
        "exhaustive": 4e-6 * _BELL[min(n, _SMALL)],
        "greedy": 1.5e-4 * n + 5e-8 * n**4,
        "hierarchy": 2e-4 * n + 5e-3,
    }
    if grouping is None:
        draws = min(draws, max(_FEWEST_DRAWS, int(_BUDGET / (cost[method] * len(rows)))))
    while len(done) * block < draws:
        shuffled = rng.permuted(np.broadcast_to(rows, (block, *rows.shape)).copy(), axis=-1)
        flat = shuffled.reshape(-1, n, n)
        micro = effective_information(flat)
        if grouping is not None:
            ei = np.array([[float(effective_information(macro_matrix(m, grouping)))] for m in flat])
        elif method == "exhaustive":
            ei = exhaustive_best(flat)
        else:
            found = [search(m, method) for m in flat]
            ei = np.array([np.interp(-sizes, -f.size, f.ei) for f in found])
        done.append((ei - micro[:, None]).reshape(block, len(rows), len(sizes)))
    return np.concatenate(done)[:draws], sizes


def _value(
    data: Matrices,
    at: int,
    usable: list[int],
    gain: Float[np.ndarray, "seed"],
    grouping: Int[np.ndarray, "n"] | None,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Estimate:
    nan = float("nan")
    if not usable:
        return Estimate(nan, nan, nan, level, "no matrix that could be coarse-grained", 0)
    if len(usable) > 1 or data.has_seeds:
        return estimate(gain, level=level, draws=max(100, draws), rng=rng)
    value = float(gain[usable[0]])
    if data.counts is None:
        return Estimate(value, nan, nan, level, "exact: the matrix is taken as known", 1)
    # what the counts leave open, by the Bayesian bootstrap (Rubin 1981). Noise in the rows looks like information of
    # the micro states: the draws have it once more than the counts, so the difference is taken off the counts once
    # and off the draws twice
    counts = data.counts[at, usable[0]]
    gamma = rng.standard_gamma(np.broadcast_to(counts, (min(draws, _POSTERIOR), *counts.shape)))
    drawn = gamma / np.maximum(gamma.sum(axis=2, keepdims=True), 1e-300)
    method = _null_method(len(counts))
    gains = []
    for m in drawn:
        profile = search(m, method) if grouping is None else _best(m, grouping)
        gains.append(profile.ei.max() - float(effective_information(m)))
    bias = float(np.mean(gains)) - value
    low, high = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2]) - 2 * bias
    return Estimate(value - bias, float(low), float(high), level, "Bayesian bootstrap of the counts", 1)


def _tables(
    data: Matrices,
    at: int,
    micro: list[Any],
    best: Mapping[int, Profile],
    gain: Float[np.ndarray, "seed"],
    usable: list[int],
    null: Float[np.ndarray, "draw usable scale"],
    sizes: Int[np.ndarray, "scale"],
    grouping: Int[np.ndarray, "n"] | None,
) -> dict[str, pd.DataFrame]:
    condition, nan = data.conditions[at], float("nan")
    seeds, scales, groups, weightings = [], [], [], []
    for s, label in enumerate(data.seeds):
        known = s in best
        labels = best[s].labels[best[s].best] if known else None
        macro = parts_of(macro_matrix(data.rows[at, s], labels)) if labels is not None else None
        average = float(null[:, usable.index(s)].max(axis=1).mean()) if known else nan
        seeds.append(
            {
                "condition": condition,
                "seed": label,
                "ei_micro": micro[s].ei,
                "determinism": micro[s].determinism,
                "degeneracy": micro[s].degeneracy,
                "effectiveness": micro[s].effectiveness,
                "ei_macro": macro.ei if macro else nan,
                "macro_states": int(labels.max()) + 1 if labels is not None else 0,
                "macro_effectiveness": macro.effectiveness if macro else nan,
                "gain": gain[s],
                "gain_null": average,
                "inconsistency": inconsistency(data.rows[at, s], labels) if labels is not None else nan,
            }
        )
    if usable:
        common = best[usable[0]].size
        curve = np.mean([np.interp(-common, -best[s].size, best[s].ei) - micro[s].ei for s in usable], axis=0)
        over_seeds = null.mean(axis=1)
        order = np.argsort(sizes)
        low, middle, high = np.quantile(over_seeds, [0.025, 0.5, 0.975], axis=0)[:, order]
        base = float(np.mean([micro[s].ei for s in usable]))
        for k, value in zip(common, curve, strict=True):
            band = [float(np.interp(k, sizes[order], q)) for q in (low, middle, high)]
            scales.append((condition, int(k), base + float(value), float(value), *band))
        mean = data.rows[at, usable].mean(axis=0)
        # one grouping for all seeds: that of the mean matrix
        shown = grouping
        if shown is None:
            shown = best[usable[0]].labels[best[usable[0]].best] if len(usable) == 1 else _first(search(mean))
        groups = [(condition, state, int(g)) for state, g in zip(data.states, shown, strict=True)]
        for weighting in WEIGHTINGS:
            ei = float(effective_information(macro_matrix(mean, shown, weighting)))
            weightings.append((condition, weighting, ei, ei - float(effective_information(mean))))
    return {
        "seeds": pd.DataFrame(seeds),
        "scales": pd.DataFrame(
            scales,
            columns=["condition", "macro_states", "ei", "gain", "gain_null_low", "gain_null_median", "gain_null_high"],
        ),
        "groups": pd.DataFrame(groups, columns=["condition", "state", "group"]),
        "weightings": pd.DataFrame(weightings, columns=["condition", "weighting", "ei_macro", "gain"]),
    }


def _first(profile: Profile) -> Int[np.ndarray, "n"]:
    return np.asarray(profile.labels[profile.best])
