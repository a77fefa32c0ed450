"""What is new: archives, types, MODES, evolutionary activity, and open-endedness in an embedding."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = [
    "activity", "archive", "chao2", "embedding_openness", "first_seen", "modes", "record_directions",
    "typical_step",
]  # fmt: skip

_LOOKS = 200  # records at which the typical step is taken

Types = Int[np.ndarray, "time item"]


def first_seen(types: Types) -> Bool[np.ndarray, "time item"]:
    """Whether an artefact is the first of its type (in the order of records, then of items)."""
    flat = types.ravel()
    out = np.zeros(flat.shape, dtype=bool)
    known, first = np.unique(flat, return_index=True)
    out[first[known >= 0]] = True
    return out.reshape(types.shape)


def typical_step(vectors: Float[np.ndarray, "time item feature"], present: Bool[np.ndarray, "time item"]) -> float:
    """Median distance of an artefact to the nearest one of the record before; 0 if nothing ever moves."""
    steps = []
    for t in np.unique(np.linspace(1, max(1, len(vectors) - 1), _LOOKS).astype(int))[: len(vectors) - 1]:
        now, before = vectors[t][present[t]], vectors[t - 1][present[t - 1]]
        if len(now) and len(before):
            steps.append(_distances(now, before).min(axis=1))
    moved = np.concatenate(steps) if steps else np.empty(0)
    moved = moved[moved > 0]
    return float(np.median(moved)) if len(moved) else 0.0


def _distances(a: Float[np.ndarray, "n feature"], b: Float[np.ndarray, "m feature"]) -> Float[np.ndarray, "n m"]:
    if a.shape[1] <= 3:  # exact, where differences of squares would lose digits
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=-1))
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(square, 0.0))


def archive(
    vectors: Float[np.ndarray, "time item feature"], present: Bool[np.ndarray, "time item"], threshold: float, k: int
) -> tuple[Types, Float[np.ndarray, "time item"], Float[np.ndarray, "record record"]]:
    """Artefacts as types: the number of the archive member they are nearest to, or a new member.

    An artefact enters the archive if all members are farther than ``threshold``. Also the novelty score of each
    artefact when it was made, the mean distance to its ``k`` nearest predecessors, and the distance of each record's
    artefacts to the nearest one of each other record (mean over the former).
    """
    steps = len(present)
    where = np.argwhere(present)
    points = vectors[present]
    n = len(points)
    distance = _distances(points, points) if n else np.empty((0, 0))
    types, score = np.full(present.shape, -1, dtype=np.int64), np.full(present.shape, np.nan)
    members: list[int] = []
    slack = threshold * (1 + 1e-9)
    for i in range(n):
        near = distance[i, members] if members else np.empty(0)
        at = int(np.argmin(near)) if len(near) else -1
        if at < 0 or near[at] > slack:
            at = len(members)
            members.append(i)
        types[tuple(where[i])] = at
        if i:
            few = min(k, i)
            score[tuple(where[i])] = float(np.partition(distance[i, :i], few - 1)[:few].mean())
    between = np.full((steps, steps), np.nan)
    if n:
        begin = np.searchsorted(where[:, 0], np.arange(steps))
        some = np.unique(where[:, 0])
        nearest = np.minimum.reduceat(distance, begin[some], axis=1)
        counts = present.sum(axis=1)[some]
        between[np.ix_(some, some)] = np.add.reduceat(nearest, begin[some], axis=0) / counts[:, None]
    return types, score, between


def persistent(
    types: Types, window: int, parents: Int[np.ndarray, "time item"] | None
) -> Bool[np.ndarray, "time item"]:
    """Artefacts with descendants ``window`` records later; without parents: whose type is still there then."""
    steps, items = types.shape
    out = np.zeros(types.shape, dtype=bool)
    for t in range(steps - window):
        if parents is None:
            out[t] = (types[t] >= 0) & np.isin(types[t], types[t + window][types[t + window] >= 0])
            continue
        alive = types[t + window] >= 0
        for s in range(t + window, t, -1):
            back = np.zeros(items, dtype=bool)
            up = parents[s][alive]
            back[up[(up >= 0) & (up < items)]] = True
            alive = back & (types[s - 1] >= 0)
        out[t] = alive
    return out


def modes(
    types: Types,
    size: Float[np.ndarray, "type"] | None,
    window: int,
    parents: Int[np.ndarray, "time item"] | None,
) -> dict[str, Float[np.ndarray, "time"]]:
    """MODES (Dolson et al. 2019) on the types that persist: change, novelty, ecology, complexity.

    change: persistent types now that were not persistent one window ago. novelty: that never were before. ecology:
    Shannon entropy (bits) of their frequencies. complexity: largest ``size`` (description length) among them. Records
    of the last window are NaN, as nobody knows what of them will last; so are change and novelty of the first.
    """
    steps = len(types)
    kept = persistent(types, window, parents)
    out = {name: np.full(steps, np.nan) for name in ("change", "novelty", "ecology", "complexity")}
    seen: set[int] = set()
    sets: list[set[int]] = []
    for t in range(max(0, steps - window)):
        values, counts = np.unique(types[t][kept[t]], return_counts=True)
        now = set(values.tolist())
        sets.append(now)
        if t >= window:
            out["change"][t] = len(now - sets[t - window])
            out["novelty"][t] = len(now - seen)
        seen |= now
        if len(counts):
            share = counts / counts.sum()
            out["ecology"][t] = max(0.0, float(-(share * np.log2(share)).sum()))
            if size is not None:
                out["complexity"][t] = float(size[values].max())
    return out


def activity(types: Types) -> Float[np.ndarray, "time type"]:
    """Cumulative use of each type (Bedau and Packard): copies summed over records up to each."""
    kinds = int(types.max(initial=-1)) + 1
    counts = np.zeros((len(types), kinds))
    t, i = np.nonzero(types >= 0)
    np.add.at(counts, (t, types[t, i]), 1.0)
    return np.cumsum(counts, axis=0)


def chao2(types: Types) -> float:
    """Chao's estimate of all types from how many were seen in one and in two records; NaN without any."""
    kinds = int(types.max(initial=-1)) + 1
    if kinds == 0:
        return float("nan")
    seen = np.zeros((len(types), kinds), dtype=bool)
    t, i = np.nonzero(types >= 0)
    seen[t, types[t, i]] = True
    times = seen.sum(axis=0)
    m, once, twice = len(types), int((times == 1).sum()), int((times == 2).sum())
    return float((times > 0).sum() + (m - 1) / m * once * (once - 1) / (2 * (twice + 1)))


def record_directions(
    vectors: Float[np.ndarray, "time item feature"], present: Bool[np.ndarray, "time item"]
) -> Float[np.ndarray, "time feature"]:
    """The mean of each record's artefacts as a vector of length 1; NaN where there is none, or it has no length."""
    counts = present.sum(axis=1)[:, None]
    mean = np.where(present[..., None], vectors, 0.0).sum(axis=1) / np.where(counts > 0, counts, np.nan)
    size = np.sqrt((mean**2).sum(axis=1, keepdims=True))
    return mean / np.where(size > 0, size, np.nan)


def embedding_openness(
    vectors: Float[np.ndarray, "time item feature"], present: Bool[np.ndarray, "time item"]
) -> float:
    """ASAL's score (Kumar et al. 2024): mean over time of the largest cosine with an earlier record; low is open.

    Records are represented by the mean of their artefacts. NaN with fewer than two records of non-zero length.
    """
    directions = record_directions(vectors, present)
    directions = directions[np.isfinite(directions).all(axis=1)]
    if len(directions) < 2:
        return float("nan")
    cosine = directions @ directions.T
    earlier = np.where(np.tri(len(directions), k=-1, dtype=bool), cosine, -np.inf)
    return float(np.clip(earlier[1:].max(axis=1), -1.0, 1.0).mean())
