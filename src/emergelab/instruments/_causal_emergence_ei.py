"""Effective information of transition matrices, and the search for the coarse-graining that has most of it.

A matrix holds one row a cause and one column an effect. A row without any probability (a state that was never
seen, a node without outgoing links) cannot be intervened on, so the uniform intervention leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.cluster.hierarchy import fcluster, linkage

__all__ = [
    "EXHAUSTIVE",
    "WEIGHTINGS",
    "Method",
    "Parts",
    "Profile",
    "effective_information",
    "exhaustive_best",
    "inconsistency",
    "macro_matrix",
    "partitions",
    "parts_of",
    "search",
    "stationary",
]

EXHAUSTIVE = 10
"""Up to this many states every coarse-graining is looked at (Bell number 115,975)."""
_GREEDY = 150  # up to this many states the greedy merging is affordable
_SCALES = 24  # scales looked at in the hierarchy of a larger matrix
_CELLS = 4_000_000  # numbers held at once while partitions are scored

Weighting = Literal["uniform", "stationary", "input"]
WEIGHTINGS: tuple[Weighting, ...] = ("uniform", "stationary", "input")
"""How the rows of a group are averaged, see `macro_matrix`."""
Method = Literal["exhaustive", "thorough", "greedy", "hierarchy"]


@dataclass(frozen=True)
class Parts:
    """Effective information and what it is made of, all in bits but the two shares."""

    ei: float
    determinism: float
    degeneracy: float
    effectiveness: float


@dataclass(frozen=True)
class Profile:
    """Best coarse-graining at every scale that was looked at, finest first; the micro scale is not among them.

    Attributes:
        size: number of macro states.
        ei: effective information of the best coarse-graining of that size.
        labels: macro state of every micro state, one row a scale.
        method: how it was searched.
    """

    size: Int[np.ndarray, "scale"]
    ei: Float[np.ndarray, "scale"]
    labels: Int[np.ndarray, "scale n"]
    method: Method

    @property
    def best(self) -> int:
        """Index of the scale with most effective information."""
        return int(np.argmax(self.ei))


def _h(p: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """``-p log2 p``, 0 at 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, -p * np.log2(np.where(p > 0, p, 1.0)), 0.0)


def _active(matrix: Float[np.ndarray, "*batch n m"]) -> Bool[np.ndarray, "*batch n"]:
    return np.asarray(matrix.sum(axis=-1) > 0)


def effective_information(matrix: Float[np.ndarray, "*batch n m"]) -> Float[np.ndarray, "*batch"]:
    """Mutual information of cause and effect under the uniform intervention: H(mean row) - mean H(row), in bits.

    Rows that sum to 0 are left out of the intervention (Hoel, Albantakis and Tononi 2013).
    """
    count = np.maximum(_active(matrix).sum(axis=-1), 1)
    mean = matrix.sum(axis=-2) / count[..., None]
    return np.asarray(_h(mean).sum(axis=-1) - _h(matrix).sum(axis=(-2, -1)) / count)


def parts_of(matrix: Float[np.ndarray, "n n"]) -> Parts:
    """Effective information of one matrix, its determinism, its degeneracy, and effectiveness = EI / log2 n."""
    n = matrix.shape[-1]
    active = _active(matrix)
    ei = float(effective_information(matrix))
    if n < 2 or not active.any():
        return Parts(ei, float("nan"), float("nan"), float("nan"))
    top = float(np.log2(n))
    determinism = 1 - float(_h(matrix[active]).sum(axis=1).mean()) / top
    degeneracy = 1 - float(_h(matrix[active].mean(axis=0)).sum()) / top
    return Parts(ei, determinism, degeneracy, ei / top)


def macro_matrix(
    matrix: Float[np.ndarray, "n n"],
    labels: Int[np.ndarray, "n"],
    weighting: Weighting = "uniform",
) -> Float[np.ndarray, "k k"]:
    """Transition matrix between groups of states.

    Args:
        matrix: the micro matrix.
        labels: group of every state, 0 to k - 1.
        weighting: how the rows of a group are averaged. "uniform": an intervention on the group sets each of its
            states equally often. "stationary": as often as the undisturbed system visits them. "input": in
            proportion to what flows into each from outside the group. The last two are the higher-order macro
            nodes of Klein and Hoel (2020).
    """
    member = np.eye(int(labels.max()) + 1)[labels]
    active = _active(matrix).astype(float)
    weight = active
    if weighting == "stationary":
        weight = active * stationary(matrix)
    elif weighting == "input":
        weight = active * (matrix * (labels[:, None] != labels[None, :])).sum(axis=0)
    shares = member * weight[:, None]
    total = shares.sum(axis=0)
    even = member * active[:, None]  # a group that nothing flows into, or that is never visited, is set evenly
    shares = np.where(total > 0, shares, even)
    total = np.maximum(shares.sum(axis=0), 1e-300)
    return np.asarray((shares / total).T @ matrix @ member)


def stationary(matrix: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n"]:
    """Long-run share of time in every state, started evenly; the average of a walk that is lazy, so it settles."""
    n = len(matrix)
    lazy = 0.5 * (np.eye(n) + np.where(_active(matrix)[:, None], matrix, np.eye(n)))
    for _ in range(40):  # 2**40 steps
        lazy = lazy @ lazy
        lazy /= lazy.sum(axis=1, keepdims=True)
    return np.asarray(lazy.mean(axis=0))


def inconsistency(matrix: Float[np.ndarray, "n n"], labels: Int[np.ndarray, "n"]) -> float:
    """Bits by which the macro rows misdescribe their micro states: mean divergence of the grouped micro row from
    the macro row. 0 means that the macro state alone decides the next macro state (strong lumpability)."""
    member = np.eye(int(labels.max()) + 1)[labels]
    active = _active(matrix)
    if not active.any():
        return float("nan")
    fine = (matrix @ member)[active]
    coarse = macro_matrix(matrix, labels)[labels][active]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(fine > 0, fine * np.log2(np.where(fine > 0, fine / np.maximum(coarse, 1e-300), 1.0)), 0.0)
    return max(0.0, float(terms.sum(axis=1).mean()))


@lru_cache(maxsize=4)
def partitions(n: int) -> Int[np.ndarray, "bell n"]:
    """Every way to group ``n`` states: rows of labels in which each new group takes the next number."""
    rows = np.zeros((1, 1), dtype=np.int64)
    for _ in range(1, n):
        choices = rows.max(axis=1) + 2
        start = np.repeat(np.cumsum(choices) - choices, choices)
        rows = np.column_stack([np.repeat(rows, choices, axis=0), np.arange(choices.sum()) - start])
    rows.setflags(write=False)
    return rows


def search(matrix: Float[np.ndarray, "n n"], method: Method | None = None) -> Profile:
    """The best coarse-graining at every scale below the micro one (macro rows averaged uniformly).

    Args:
        matrix: rows of probability.
        method: "exhaustive"; "greedy": from the micro scale on, the two groups whose merging leaves most
            effective information are merged; "hierarchy": Ward's clustering of the states by where they come from
            and where they lead; "thorough": the better of the last two at every scale. None: the best affordable.
    """
    n = len(matrix)
    if n < 2:
        return Profile(np.ones(1, dtype=int), np.zeros(1), np.zeros((1, n), dtype=int), "exhaustive")
    if method is None:
        method = "exhaustive" if n <= EXHAUSTIVE else "thorough" if n <= _GREEDY else "hierarchy"
    if method == "exhaustive":
        return _exhaustive(matrix)
    if method == "greedy":
        return _greedy(matrix)
    found = _hierarchy(matrix)
    if method == "hierarchy":
        return found
    merged = _greedy(matrix)
    at = np.searchsorted(-merged.size, -found.size)
    better = found.ei > merged.ei[at] + 1e-12
    labels, ei = merged.labels.copy(), merged.ei.copy()
    labels[at[better]], ei[at[better]] = found.labels[better], found.ei[better]
    return Profile(merged.size, ei, labels, "thorough")


def exhaustive_best(matrices: Float[np.ndarray, "draw n n"]) -> Float[np.ndarray, "draw scale"]:
    """Most effective information at every scale n - 1, ..., 1, for many matrices at once."""
    n = matrices.shape[-1]
    rows = partitions(n)
    size = rows.max(axis=1) + 1
    return np.stack([_scores(matrices, rows[size == k], k).max(axis=1) for k in range(n - 1, 0, -1)], axis=1)


def _exhaustive(matrix: Float[np.ndarray, "n n"]) -> Profile:
    rows = partitions(len(matrix))
    size = rows.max(axis=1) + 1
    sizes = np.arange(len(matrix) - 1, 0, -1)
    best, labels = [], []
    for k in sizes:
        candidates = rows[size == k]
        scores = _scores(matrix[None], candidates, int(k))[0]
        # of equally good ones the first, whatever the last digit says
        first = int(np.flatnonzero(scores >= scores.max() - 1e-12)[0])
        best.append(scores[first])
        labels.append(candidates[first])
    return Profile(sizes, np.array(best), np.array(labels), "exhaustive")


def _scores(
    matrices: Float[np.ndarray, "draw n n"], labels: Int[np.ndarray, "p n"], k: int
) -> Float[np.ndarray, "draw p"]:
    """Effective information of every matrix under every grouping into ``k``."""
    draws, n = matrices.shape[:2]
    out = np.empty((draws, len(labels)))
    step = max(1, _CELLS // (n * k))
    for begin in range(0, len(labels), step):
        member = np.eye(k)[labels[begin : begin + step]]  # (p, n, k)
        block = max(1, _CELLS // (len(member) * n * k))
        for first in range(0, draws, block):
            some = matrices[first : first + block]
            active = _active(some).astype(float)
            shares = np.swapaxes(member, -1, -2)[None] * active[:, None, None, :]
            shares = shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1.0)
            macro = shares @ (some[:, None] @ member[None])
            out[first : first + block, begin : begin + step] = effective_information(macro)
    return out


def _greedy(matrix: Float[np.ndarray, "n n"]) -> Profile:
    n = len(matrix)
    macro = matrix.copy()
    weight = _active(matrix).astype(float)
    groups = [[i] for i in range(n)]
    size, ei, labels = [], [], []
    while len(groups) > 1:
        a, b = np.triu_indices(len(groups), 1)
        score = _merged(macro, weight, a, b)
        pick = int(np.argmax(score))
        i, j = int(a[pick]), int(b[pick])
        groups[i] = groups[i] + groups.pop(j)
        total = weight[i] + weight[j]
        macro[i] = (weight[i] * macro[i] + weight[j] * macro[j]) / max(total, 1.0)
        macro[:, i] += macro[:, j]
        macro = np.delete(np.delete(macro, j, axis=0), j, axis=1)
        weight[i] = total
        weight = np.delete(weight, j)
        row = np.empty(n, dtype=int)
        for g, members in enumerate(groups):
            row[members] = g
        size.append(len(groups))
        ei.append(float(score[pick]))
        labels.append(_renumbered(row))
    return Profile(np.array(size), np.array(ei), np.array(labels), "greedy")


def _merged(
    macro: Float[np.ndarray, "k k"],
    weight: Float[np.ndarray, "k"],
    a: Int[np.ndarray, "pair"],
    b: Int[np.ndarray, "pair"],
) -> Float[np.ndarray, "pair"]:
    """Effective information after each possible merging of two groups, in O(k) a pair."""
    active = (weight > 0).astype(float)
    cell = _h(macro)
    joined = _h(macro[:, a] + macro[:, b]) - cell[:, a] - cell[:, b]  # what a row's entropy gains from the merging
    entropy = cell.sum(axis=1)
    others = float(active @ entropy) + active @ joined
    for c in (a, b):
        others = others - active[c] * (entropy[c] + joined[c, np.arange(len(a))])
    total = weight[a] + weight[b]
    row = (weight[a, None] * macro[a] + weight[b, None] * macro[b]) / np.maximum(total, 1.0)[:, None]
    either = np.maximum(active[a], active[b])
    count = np.maximum(active.sum() - active[a] - active[b] + either, 1.0)
    mean = (active @ macro)[None] - active[a, None] * macro[a] - active[b, None] * macro[b] + either[:, None] * row
    mean = mean / count[:, None]
    return np.asarray(_pair_entropy(mean, a, b) - (others + either * _pair_entropy(row, a, b)) / count)


def _pair_entropy(
    rows: Float[np.ndarray, "pair k"], a: Int[np.ndarray, "pair"], b: Int[np.ndarray, "pair"]
) -> Float[np.ndarray, "pair"]:
    """Entropy of each row after its own two columns are added up."""
    at = np.arange(len(rows))
    cell = _h(rows)
    return np.asarray(cell.sum(axis=1) - cell[at, a] - cell[at, b] + _h(rows[at, a] + rows[at, b]))


def _hierarchy(matrix: Float[np.ndarray, "n n"]) -> Profile:
    n = len(matrix)
    column = matrix / np.maximum(matrix.sum(axis=0, keepdims=True), 1e-300)  # where a state comes from
    tree = linkage(np.hstack([matrix, column.T]), method="ward")
    sizes = np.unique(np.round(np.geomspace(1, n - 1, _SCALES)).astype(int))[::-1]
    kept: dict[int, Int[np.ndarray, "n"]] = {}
    for k in sizes:
        labels = _renumbered(fcluster(tree, int(k), criterion="maxclust"))
        kept.setdefault(int(labels.max()) + 1, labels)
    size = np.array(sorted(kept, reverse=True))
    labels = np.array([kept[int(k)] for k in size])
    ei = np.array([float(effective_information(macro_matrix(matrix, row))) for row in labels])
    below = size < n
    return Profile(size[below], ei[below], labels[below], "hierarchy")


def _renumbered(labels: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """The same groups, numbered in the order in which they appear."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=int)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[inverse])
