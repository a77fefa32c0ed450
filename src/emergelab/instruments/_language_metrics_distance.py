"""Distances of messages, and how well they follow distances of meanings, for many languages at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Integer

from emergelab.errors import need

__all__ = ["Pairs", "correlations", "edit_counts", "number_messages", "pairs_of", "scaled"]


_MOST_PAIRS = 500_000  # all pairs of 1,000 items
_TOGETHER = 2_500  # distinct messages up to which all their distances are made at once
_BLOCK = 20_000_000  # numbers held at a time
_HEAVY = 20_000_000_000  # products beyond which they are made in single precision


@dataclass(frozen=True)
class Pairs:
    """Pairs of items (first < second); all of them, or a fixed sample where there are too many."""

    first: Int[np.ndarray, "pair"]
    second: Int[np.ndarray, "pair"]
    complete: bool


def pairs_of(n: int, rng: np.random.Generator) -> Pairs:
    """All pairs of ``n`` items up to 1,000 items, else 500,000 of them, the same for every language."""
    if n * (n - 1) // 2 <= _MOST_PAIRS:
        first, second = np.triu_indices(n, 1)
        return Pairs(first, second, True)
    a, b = rng.integers(0, n, (2, _MOST_PAIRS))
    b = np.where(a == b, (b + 1) % n, b)
    return Pairs(np.minimum(a, b), np.maximum(a, b), False)


def number_messages(
    codes: Int[np.ndarray, "language item position"],
) -> tuple[Int[np.ndarray, "language item"], Int[np.ndarray, "message"]]:
    """A number for each different message of all languages together, and where each was first seen."""
    k, n, width = codes.shape
    base = int(codes.max(initial=0)) + 2
    flat = np.ascontiguousarray(codes.reshape(-1, width))
    if width * np.log2(base) < 62:  # a message is a number written in this base: sorting numbers is fast
        whole = (flat.astype(np.int64) + 1) @ (base ** np.arange(width, dtype=np.int64))
    else:
        whole = flat.view([("", flat.dtype)] * width).ravel()
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    return which.reshape(k, n), first


def edit_counts(codes: Int[np.ndarray, "language item position"], pairs: Pairs) -> Integer[np.ndarray, "language pair"]:
    """Levenshtein distance (insertions, deletions and substitutions) of the messages of each pair of items."""
    rapidfuzz = need("rapidfuzz.process", "instruments", "edit distances of messages")
    scorer = need("rapidfuzz.distance.Levenshtein", "instruments", "edit distances of messages").distance
    k, _, width = codes.shape
    which, first = number_messages(codes)
    texts = _texts(codes.reshape(-1, width)[first])
    kind = np.uint8 if width < 256 else np.uint16
    out = np.empty((k, len(pairs.first)), dtype=kind)
    if len(texts) <= _TOGETHER:
        table = rapidfuzz.cdist(texts, texts, scorer=scorer, dtype=kind)
        for at in range(k):
            out[at] = table[which[at, pairs.first], which[at, pairs.second]]
        return out
    for at in range(k):
        own, place = np.unique(which[at], return_inverse=True)
        some = [texts[i] for i in own]
        table = rapidfuzz.cdist(some, some, scorer=scorer, dtype=kind)
        out[at] = table[place[pairs.first], place[pairs.second]]
    return out


def _texts(rows: Int[np.ndarray, "message position"]) -> list[str]:
    """Each message as a string of private characters, one a symbol (surrogates, which no string may hold, skipped)."""
    points = np.where(rows < 0, 0, np.where(rows + 1 < 0xD800, rows + 1, rows + 1 + 0x800)).astype(np.uint32)
    texts = np.ascontiguousarray(points).view(f"U{rows.shape[1]}").ravel()
    return [str(t) for t in texts]


def scaled(
    counts: Integer[np.ndarray, "language pair"],
    lengths: Int[np.ndarray, "language item"],
    pairs: Pairs,
    how: str,
) -> tuple[Float[np.ndarray, "level"], Int[np.ndarray, "language pair"]]:
    """Distances as levels: the distinct values in order, and for each pair the number of its value.

    Edit distances take few values even after division by the longer or the mean length, so ranks need no sorting.
    """
    longest = int(max(lengths.max(initial=0), counts.max(initial=0), 1))
    d = np.arange(longest + 1)[:, None]
    if how == "raw":
        divisor = np.ones((1, 1))
        size = np.zeros(counts.shape, dtype=np.int64)
    elif how == "max":
        divisor = np.maximum(np.arange(longest + 1), 1)[None, :]
        size = np.maximum(lengths[:, pairs.first], lengths[:, pairs.second])
    else:
        divisor = np.maximum(np.arange(2 * longest + 1), 1)[None, :] / 2
        size = lengths[:, pairs.first] + lengths[:, pairs.second]
    values, level = np.unique(np.round(d / divisor, 12), return_inverse=True)
    level = level.reshape(longest + 1, -1).astype(np.int32)
    return values, level[counts, size]


def _midranks(level: Int[np.ndarray, "language pair"], levels: int) -> Float[np.ndarray, "language pair"]:
    k = len(level)
    shifted = level + levels * np.arange(k)[:, None]
    count = np.bincount(shifted.ravel(), minlength=k * levels).reshape(k, levels)
    rank = np.cumsum(count, axis=1) - (count - 1) / 2.0
    return rank.ravel()[shifted]


def _standard(x: Float[np.ndarray, "row pair"]) -> Float[np.ndarray, "row pair"]:
    """Each row with mean 0 and length 1; rows that do not vary become NaN."""
    x = x - x.mean(axis=1, keepdims=True, dtype=np.float64).astype(x.dtype)
    size = np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64))
    flat = size <= 1e-6 * np.sqrt(x.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(flat[:, None], x.dtype.type(np.nan), x / size[:, None].astype(x.dtype))


def correlations(
    messages: Sequence[tuple[Float[np.ndarray, "_level"], Int[np.ndarray, "language pair"]]],
    distance: Float[np.ndarray, "item item"],
    pairs: Pairs,
    orders: Int[np.ndarray, "draw item"],
    *,
    ranks: bool,
) -> list[Float[np.ndarray, "language draw"]]:
    """Correlation of message with meaning distances for every relabelling of the items in ``orders``.

    Spearman if ``ranks``, else Pearson (the statistic of Mantel's test). NaN where either side is constant. Several
    scalings of the same messages (``messages``: distinct values, and for each pair the number of its value) share the
    relabelled meanings, which cost most.
    """
    size = sum(level.size for _, level in messages) * len(orders)
    kind = np.float32 if size > _HEAVY else np.float64  # large jobs, where nothing is tied to the last digit
    rows = [
        _standard((_midranks(level, len(values)) if ranks else values[level]).astype(kind))
        for values, level in messages
    ]
    matrix = distance
    if ranks:  # ranks of the whole matrix keep their order under any relabelling of a complete set of pairs
        distinct, place = np.unique(np.round(distance, 12), return_inverse=True)
        place = place.reshape(distance.shape)
        matrix = _rank_table(place[pairs.first, pairs.second][None], len(distinct))[place]
    flat, n = np.ascontiguousarray(matrix, dtype=kind).ravel(), len(distance)
    out = [np.empty((len(row), len(orders))) for row in rows]
    step = max(1, _BLOCK // max(1, len(pairs.first)))
    for at in range(0, len(orders), step):
        some = orders[at : at + step].astype(np.int32)
        moved = _standard(flat.take(some[:, pairs.first] * np.int32(n) + some[:, pairs.second])).T
        for row, table in zip(rows, out, strict=True):
            table[:, at : at + step] = row @ moved
    return [np.clip(table, -1.0, 1.0) for table in out]


def _rank_table(inside: Int[np.ndarray, "one pair"], levels: int) -> Float[np.ndarray, "level"]:
    count = np.bincount(inside.ravel(), minlength=levels)
    return np.cumsum(count) - (count - 1) / 2.0
