"""What messages tell about attributes, under relabellings, and what can be said of them alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from emergelab.instruments._language_metrics_distance import number_messages

__all__ = ["INFORMATION", "PLAIN", "information", "mutual", "plain", "word_codes"]

INFORMATION = ("posdis", "bosdis", "informativeness", "consistency")
PLAIN = (
    "message_entropy", "distinct", "effective_words", "symbol_entropy", "bigram_entropy", "redundancy", "zipf",
    "brevity", "mean_length",
)  # fmt: skip

_CELLS = 8_000_000  # joint counts held at a time

Features = Int[np.ndarray, "language feature item"]


def _xlogx(n: int) -> Float[np.ndarray, "count"]:
    c = np.arange(n + 1, dtype=float)
    return c * np.log(np.maximum(c, 1.0))


def _entropy(counts: Int[np.ndarray, "*rest value"]) -> Float[np.ndarray, "*rest"]:
    """Plug-in entropy (nats) of rows of counts; NaN for a row without any."""
    total = counts.sum(axis=-1)
    log = _xlogx(int(total.max(initial=0)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.maximum(np.log(total) - log[counts].sum(axis=-1) / total, 0.0)


def mutual(
    features: Features, attributes: Int[np.ndarray, "attribute item"], orders: Int[np.ndarray, "draw item"]
) -> tuple[
    Float[np.ndarray, "language draw feature attribute"],
    Float[np.ndarray, "language feature"],
    Float[np.ndarray, "attribute"],
]:
    """Mutual information (nats, plug-in) of every feature with every attribute, attributes moved by ``orders``.

    Joint counts of all relabellings are one product of indicator matrices, and c log c of a count is looked up. Returns
    the entropies of features and of attributes as well.
    """
    k, f, n = features.shape
    a, values = len(attributes), int(features.max(initial=0)) + 1
    sizes = attributes.max(axis=1) + 1
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    y = (attributes[:, None, :] == np.arange(int(sizes.max()))[:, None]).reshape(-1, n)
    y = y[(np.arange(int(sizes.max()))[None] < sizes[:, None]).ravel()].astype(np.float32)
    h_y = _entropy(np.stack([np.bincount(row, minlength=int(sizes.max())) for row in attributes]))
    log = _xlogx(n)
    out = np.empty((k, len(orders), f, a))
    h_x = np.empty((k, f))
    few = max(1, min(len(orders), _CELLS // max(1, f * values * len(y))))
    many = max(1, _CELLS // max(1, f * values * len(y) * few))
    for at in range(0, k, many):
        x = (features[at : at + many, :, None, :] == np.arange(values)[:, None]).astype(np.float32)
        h_x[at : at + many] = _entropy(x.sum(axis=-1).astype(np.int64))
        rows = x.reshape(-1, n)
        for begin in range(0, len(orders), few):
            some = orders[begin : begin + few]
            moved = y[:, some].transpose(2, 1, 0).reshape(n, -1)
            joint = log[(rows @ moved).astype(np.int32)].reshape(len(x), f, values, -1).sum(axis=2)
            joint = np.add.reduceat(joint.reshape(len(x), f, len(some), len(y)), start, axis=3)
            out[at : at + many, begin : begin + few] = joint.transpose(0, 2, 1, 3) / n
    # I = H(x) + H(y) - H(x, y), and H(x, y) = log n - joint / n
    return np.maximum(h_x[:, None, :, None] + h_y - np.log(n) + out, 0.0), h_x, h_y


def word_codes(messages: Int[np.ndarray, "language item position"]) -> Int[np.ndarray, "language item"]:
    """Each different message of a language by a number 0, 1, ..."""
    k = len(messages)
    number = number_messages(messages)[0]
    order = np.argsort(number, axis=1, kind="stable")
    ordered = np.take_along_axis(number, order, axis=1)
    fresh = np.concatenate([np.zeros((k, 1), dtype=np.int64), (np.diff(ordered, axis=1) > 0).astype(np.int64)], axis=1)
    codes = np.empty_like(number)
    np.put_along_axis(codes, order, np.cumsum(fresh, axis=1), axis=1)
    return codes


def _gap(
    features: Features, attributes: Int[np.ndarray, "attribute item"], orders: Int[np.ndarray, "draw item"]
) -> Float[np.ndarray, "language draw"]:
    """Mean over features that vary of (best attribute - second best) / entropy of the feature."""
    k, f, _ = features.shape
    if len(attributes) < 2 or f == 0:
        return np.full((k, len(orders)), np.nan)
    shared, h, _ = mutual(features, attributes, orders)
    top = np.sort(shared, axis=3)
    varies = h > 1e-9
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(varies[:, None], (top[..., -1] - top[..., -2]) / h[:, None], 0.0)
        return share.sum(axis=2) / np.where(varies.any(axis=1), varies.sum(axis=1), np.nan)[:, None]


def information(
    messages: Int[np.ndarray, "language item position"],
    attributes: Int[np.ndarray, "attribute item"],
    orders: Int[np.ndarray, "draw item"],
) -> dict[str, Float[np.ndarray, "language draw"]]:
    """The metrics of `INFORMATION` for every relabelling; NaN where they are undefined.

    Padding counts as a symbol of its own in posdis: that a message is over is something a position can tell.
    """
    k, n, _ = messages.shape
    symbols = int(messages.max(initial=-1)) + 1
    counts = np.stack([(messages == v).sum(axis=2) for v in range(symbols)], axis=1) if symbols else None
    nan = np.full((k, len(orders)), np.nan)
    out = {
        "posdis": _gap(messages.transpose(0, 2, 1) + 1, attributes, orders),
        "bosdis": nan if counts is None else _gap(counts, attributes, orders),
        "informativeness": nan.copy(),
        "consistency": nan.copy(),
    }
    word = word_codes(messages)[:, None, :]
    # the whole meaning is one more attribute; it moves under relabelling only where several items share a meaning
    whole = np.unique(attributes, axis=1, return_inverse=True)[1].reshape(1, n)
    if int(whole.max()) + 1 < n:
        shared, _, h = mutual(word, np.concatenate([attributes, whole]), orders)
        if h[-1] > 1e-12:
            out["consistency"] = shared[:, :, 0, -1] / h[-1]
    else:
        shared, h_word, h = mutual(word, attributes, orders)
        if n > 1:
            out["consistency"] = np.repeat(h_word / np.log(n), len(orders), axis=1)
    own, h = shared[:, :, 0, : len(attributes)], h[: len(attributes)]
    if (h > 1e-12).any():
        out["informativeness"] = (own[:, :, h > 1e-12] / h[h > 1e-12]).mean(axis=2)
    return out


def plain(
    messages: Int[np.ndarray, "language item position"], lengths: Int[np.ndarray, "language item"], symbols: int
) -> dict[str, Float[np.ndarray, "language"]]:
    """What can be said of languages without their meanings; entropies in bits. NaN where undefined."""
    k, n, width = messages.shape
    nan = np.full(k, np.nan)
    word = word_codes(messages)
    row = np.arange(k)[:, None]
    count = np.bincount((word + n * row).ravel(), minlength=k * n).reshape(k, n)
    h = _entropy(count) / np.log(2)
    h_symbol = _entropy(_histogram(messages, symbols)) / np.log(2) if symbols else nan
    h_pair = nan.copy()
    if width > 1:
        pair = np.where(
            (messages[:, :, 1:] >= 0) & (messages[:, :, :-1] >= 0),
            messages[:, :, :-1] * symbols + messages[:, :, 1:],
            -1,
        )
        known, inverse = np.unique(pair, return_inverse=True)
        inverse = inverse.reshape(pair.shape) - (1 if known[0] == -1 else 0)
        if known[-1] >= 0:
            h_pair = _entropy(_histogram(inverse, int(inverse.max()) + 1)) / np.log(2)
    return {
        "message_entropy": h,
        "distinct": (count > 0).sum(axis=1).astype(float),
        "effective_words": 2.0**h,
        "symbol_entropy": h_symbol,
        "bigram_entropy": h_pair,
        "redundancy": 1.0 - h_symbol / np.log2(symbols) if symbols > 1 else nan,
        "zipf": _zipf(count),
        "brevity": _brevity(word, lengths, count),
        "mean_length": lengths.mean(axis=1),
    }


def _histogram(values: Int[np.ndarray, "language item position"], size: int) -> Int[np.ndarray, "language value"]:
    k = len(values)
    shifted = values.reshape(k, -1) + size * np.arange(k)[:, None]
    return np.bincount(shifted[values.reshape(k, -1) >= 0], minlength=k * size).reshape(k, size)


def _zipf(count: Int[np.ndarray, "language word"]) -> Float[np.ndarray, "language"]:
    """Minus the slope of log frequency on log rank; NaN with fewer than three words or equal frequencies."""
    rank = np.sort(count, axis=1)[:, ::-1]
    used = rank > 0
    size = used.sum(axis=1)
    x = np.where(used, np.log(np.arange(1.0, rank.shape[1] + 1)), 0.0)
    y = np.log(np.maximum(rank, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.where(used, x - (x.sum(axis=1) / size)[:, None], 0.0)
        slope = (x * y).sum(axis=1) / (x**2).sum(axis=1)
    uneven = (size > 2) & (rank[:, 0] > np.min(np.where(used, rank, rank.max(initial=1)), axis=1))
    return np.where(uneven, -slope, np.nan)


def _brevity(
    word: Int[np.ndarray, "language item"],
    lengths: Int[np.ndarray, "language item"],
    count: Int[np.ndarray, "language word"],
) -> Float[np.ndarray, "language"]:
    """Rank correlation of the length of a word with its frequency; NaN where one of them does not vary."""
    out = np.full(len(word), np.nan)
    # only languages in which both vary need a look of their own
    for k in np.flatnonzero((lengths.max(axis=1) > lengths.min(axis=1)) & (count.max(axis=1) > 1)):
        used = count[k] > 0
        length = np.zeros(count.shape[1])
        length[word[k]] = lengths[k]
        x, y = length[used], count[k][used]
        if len(x) > 2 and np.ptp(x) > 0 and np.ptp(y) > 0:
            out[k] = np.corrcoef(rankdata(x), rankdata(y))[0, 1]
    return out
