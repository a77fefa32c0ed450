"""Novelty and learnability for an observer (Hughes et al. 2024): surprise that grows with the horizon, loss that falls
with history. Vectors are watched by a linear predictor, strings by a mixture of contexts and by a compressor."""

from __future__ import annotations

import zlib
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["compression", "learnable_strings", "learnable_vectors", "surprise_growth"]

_HORIZONS = 6
_BLOCKS = 24  # of strings, for compression
_MEMORY = 32_000  # bytes that the compressor remembers
_REFITS = 20
_FEWEST = 24  # records


def surprise_growth(between: Float[np.ndarray, "record record"]) -> tuple[float, Float[np.ndarray, "horizon"]]:
    """How distance to everything known grows with the horizon: exponent, and the mean distance at each horizon.

    For each record t + h the nearest artefact among those made up to t. A stationary source has exponent 0 however
    noisy it is, a random walk about a half, a steady advance one. Horizons from T/24 to T/3.
    """
    steps = len(between)
    seen = np.flatnonzero(np.isfinite(between).any(axis=1))
    nothing = float("nan"), np.full(_HORIZONS, np.nan)
    if len(seen) < _FEWEST:
        return nothing
    inner = between[np.ix_(seen, seen)]
    steps = len(seen)
    horizons = np.unique(np.round(np.geomspace(max(1.0, steps / 24), steps / 3, _HORIZONS)).astype(int))
    known = np.minimum.accumulate(inner, axis=1)  # [record, t]: nearest among records up to t
    now = np.arange(steps // 3, steps - horizons[-1])
    loss = np.array([known[now + h, now].mean() for h in horizons])
    scale = float(np.nanmedian(inner[inner > 0])) if (inner > 0).any() else 0.0
    if scale == 0.0:
        return 0.0, np.pad(loss, (0, _HORIZONS - len(loss)), constant_values=np.nan)
    y = np.log(loss + 1e-3 * scale)
    x = np.log(horizons)
    slopes = [(y[j] - y[i]) / (x[j] - x[i]) for i in range(len(x)) for j in range(i + 1, len(x))]
    padded = np.pad(loss, (0, _HORIZONS - len(loss)), constant_values=np.nan)
    return float(np.median(slopes)) if slopes else float("nan"), padded


def learnable_vectors(vectors: Float[np.ndarray, "time item feature"], present: Bool[np.ndarray, "time item"]) -> float:
    """Share of the next step's error that a linear predictor trained on the past saves, against the better of two
    observers who learn nothing: "as now" and "as on average so far". Judged on the second half; below 0 if it hurts.
    """
    seen = present.any(axis=1)
    if seen.sum() < _FEWEST:
        return float("nan")
    z = np.where(present[..., None], vectors, 0.0).sum(axis=1)[seen] / present.sum(axis=1)[seen][:, None]
    z = z - z[0]
    size = float(np.abs(z).max())
    if size == 0.0:
        return 0.0
    z, steps = z / size, len(z)
    change = np.diff(z, axis=0)
    mean = np.cumsum(z, axis=0) / np.arange(1, steps + 1)[:, None]
    lost = kept = average = 0.0
    edges = np.unique(np.linspace(steps // 2, steps - 1, _REFITS + 1).astype(int))
    for begin, end in pairwise(edges.tolist()):
        centre = z[: begin - 1].mean(axis=0)
        spread = float(z[: begin - 1].std()) or 1.0
        design = np.column_stack([(z[: begin - 1] - centre) / spread, np.ones(begin - 1)])
        ridge = np.diag([1.0] * (design.shape[1] - 1) + [1e-9])
        weights = np.linalg.solve(design.T @ design + ridge, design.T @ change[: begin - 1])
        ahead = np.column_stack([(z[begin:end] - centre) / spread, np.ones(end - begin)])
        lost += float(((change[begin:end] - ahead @ weights) ** 2).sum())
        kept += float((change[begin:end] ** 2).sum())
        average += float(((z[begin + 1 : end + 1] - mean[begin:end]) ** 2).sum())
    base = min(kept, average)
    return float(max(-1.0, 1.0 - lost / base)) if base > 1e-18 else 0.0


# ------------------------------------------------------------------------------------------------- strings


def _order(context: Int[np.ndarray, "symbol"]) -> Int[np.ndarray, "symbol"]:
    """How often each entry has been seen before in the sequence."""
    order = np.argsort(context, kind="stable")
    ordered = context[order]
    begin = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    start = np.maximum.accumulate(np.where(begin, np.arange(len(ordered)), 0))
    out = np.empty(len(context), dtype=np.int64)
    out[order] = np.arange(len(ordered)) - start
    return out


def _kt(
    context: Int[np.ndarray, "symbol"], symbol: Int[np.ndarray, "symbol"], alphabet: int
) -> Float[np.ndarray, "symbol"]:
    """Probability of each symbol given how often it followed its context before (Krichevsky and Trofimov 1981)."""
    both = context * alphabet + symbol
    prior = 1.0 / alphabet
    return (_order(both) + prior) / (_order(context) + 1.0)


def learnable_strings(texts: list[str]) -> float:
    """Share of the code length of the second half that an observer who learns contexts saves.

    Contexts are the one and two symbols before, the position, and one and three symbols of the artefact before at the
    same place; their predictions are mixed by how well each did so far. The observers to beat count symbols, or copy
    the artefact before with a learned rate of errors.
    """
    if len(texts) < _FEWEST:
        return float("nan")
    width = min(64, max(len(t) for t in texts))
    points = np.zeros((len(texts), width + 2), dtype=np.int64)
    for row, text in zip(points, texts, strict=True):
        row[: min(len(text), width)] = [ord(letter) for letter in text[:width]]
    letters, codes = np.unique(points, return_inverse=True)
    codes, alphabet = codes.reshape(points.shape), len(letters)
    used = np.arange(width)[None] <= np.array([min(len(t), width - 1) for t in texts])[:, None]  # and one end mark
    now, before = codes[1:, :width], codes[:-1]
    pad = np.zeros((len(now), 1), dtype=np.int64)
    left = np.concatenate([pad, now[:, :-1]], axis=1)
    farther = np.concatenate([pad, pad, now[:, :-2]], axis=1)[:, :width]
    a = alphabet
    contexts = [
        left,
        left * a + farther,
        np.broadcast_to(np.arange(width)[None], now.shape),
        before[:, :width],
        (before[:, :width] * a + before[:, 1 : width + 1]) * a + before[:, 2 : width + 2],
    ]
    here = used[1:]
    symbol = now[here]
    plain = _kt(np.zeros_like(symbol), symbol, a)
    experts = np.log(np.stack([plain, *(_kt(np.ascontiguousarray(c)[here], symbol, a) for c in contexts)]))
    so_far = np.cumsum(experts, axis=1) - experts
    weight = so_far - so_far.max(axis=0)
    mixed = np.log((np.exp(weight) * np.exp(experts)).sum(axis=0) / np.exp(weight).sum(axis=0))
    copied = before[:, :width][here]
    same = (copied == symbol).astype(np.int64)
    p_same = _kt(np.zeros_like(same), same, 2)
    other = np.clip(plain / np.maximum(1.0 - _share(copied, symbol, a), 1e-9), 1e-12, 1.0)
    copy = np.log(np.where(same == 1, p_same, p_same * other))
    half = len(symbol) // 2
    base = -max(np.log(plain[half:]).sum(), copy[half:].sum())
    return float(max(-1.0, 1.0 + mixed[half:].sum() / base)) if base > 1e-9 * half else 0.0


def _share(
    wanted: Int[np.ndarray, "symbol"], symbol: Int[np.ndarray, "symbol"], alphabet: int
) -> Float[np.ndarray, "symbol"]:
    """Frequency so far of the symbol ``wanted`` at each place of the sequence."""
    hits = np.cumsum(symbol[None] == np.arange(alphabet)[:, None], axis=1)
    place = np.arange(len(symbol))
    past = np.where(place > 0, hits[wanted, np.maximum(place - 1, 0)], 0)
    return (past + 1.0 / alphabet) / (place + 1.0)


def _bits(block: bytes, past: bytes) -> float:
    if past:
        engine = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, past[-_MEMORY:])
    else:
        engine = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return max(0.0, 8.0 * (len(engine.compress(block) + engine.flush()) - 2))


def compression(texts: list[str], rng: np.random.Generator) -> dict[str, float]:
    """Description length of new blocks of artefacts given the past, by zlib with a memory of 32 kB.

    ``bits`` a symbol given the past, over log2 of the alphabet (0: nothing new, 1: nothing known, cut at 1); ``saved``:
    share that order within a block saves against its symbols shuffled; ``horizon``: log ratio of the cost when the last
    two of 24 blocks of the past are withheld.
    """
    nan = float("nan")
    size = len(texts) // _BLOCKS
    if size < 1:
        return {"bits": nan, "saved": nan, "horizon": nan}
    blocks = [("\n".join(texts[i * size : (i + 1) * size]) + "\n").encode() for i in range(_BLOCKS)]
    alphabet = len(set("".join(texts)))
    full = shuffled = withheld = length = 0.0
    for i in range(_BLOCKS // 2, _BLOCKS):
        past = b"".join(blocks[:i])
        full += _bits(blocks[i], past)
        withheld += _bits(blocks[i], b"".join(blocks[: i - 2]))
        letters = np.frombuffer(blocks[i], dtype=np.uint8).copy()
        inside = letters != ord("\n")
        letters[inside] = rng.permutation(letters[inside])
        shuffled += _bits(letters.tobytes(), past)
        length += float(inside.sum())
    ceiling = length * np.log2(max(2, alphabet))
    return {
        "bits": min(1.0, full / max(1.0, ceiling)),
        "saved": 1.0 - full / shuffled if shuffled > 0 else 0.0,
        "horizon": float(np.log(max(1.0, withheld) / max(1.0, full))),
    }
