"""Further metrics of one language under relabellings: concepts and symbols, reconstruction, fresh readers."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from emergelab.instruments._language_metrics_information import mutual, word_codes

__all__ = ["EXTRA", "extra"]

EXTRA = ("context_independence", "symbol_match", "reconstruction", "residual_entropy", "read_attribute", "read_exact")

_FOLDS = 5
_RIDGE = 1.0
_MOST_POSITIONS = 6  # for residual entropy, which looks at every set of positions
_MOST_PARTITIONS = 4_096
_CELLS = 8_000_000  # joint counts held at a time

Codes = Int[np.ndarray, "feature item"]


def _one_hot(codes: Codes) -> tuple[Float[np.ndarray, "cell item"], Int[np.ndarray, "feature"], Codes]:
    """Indicator rows of every value of every feature, and where each feature begins."""
    compact = np.stack([np.unique(row, return_inverse=True)[1] for row in codes])
    sizes = compact.max(axis=1) + 1
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    table = np.zeros((int(sizes.sum()), codes.shape[1]), dtype=np.float32)
    for row, at in zip(compact, start, strict=True):
        table[row + at, np.arange(codes.shape[1])] = 1.0
    return table, start, compact


def extra(
    message: Int[np.ndarray, "item position"],
    attributes: Codes,
    orders: Int[np.ndarray, "draw item"],
) -> dict[str, Float[np.ndarray, "draw"]]:
    """The metrics of `EXTRA` for every relabelling; NaN where they are undefined."""
    n = message.shape[0]
    nan = np.full(len(orders), np.nan)
    if (message < 0).all() or n < 2:
        return {name: nan.copy() for name in EXTRA}
    y, y_start, compact = _one_hot(attributes)
    symbols = np.unique(message[message >= 0])
    has = (message[None] == symbols[:, None, None]).any(axis=2).astype(np.float32)
    out = {}
    together = np.empty((len(orders), len(symbols), len(y)))
    step = max(1, _CELLS // max(1, together[0].size))
    for at in range(0, len(orders), step):
        some = orders[at : at + step]
        moved = y[:, some].transpose(2, 1, 0).reshape(n, -1)
        together[at : at + step] = (has @ moved).reshape(len(symbols), len(some), len(y)).transpose(1, 0, 2)
    # context independence (Bogin et al. 2018): a concept and the symbol that points to it most surely
    of_symbol = has.sum(axis=1)[None, :, None]
    of_concept = y.sum(axis=1)[None, None, :]
    points = np.argmax(together / of_symbol, axis=1)  # (draw, concept)
    best = np.take_along_axis(together, points[:, None, :], axis=1)[:, 0]
    out["context_independence"] = (best**2 / (of_symbol[0, points, 0] * of_concept[0])).mean(axis=1)
    # concept-symbol matching (Carmeli et al. 2024): each concept gets a symbol of its own
    matched = np.empty(len(orders))
    for d in range(len(orders)):
        rows, columns = linear_sum_assignment(together[d], maximize=True)
        matched[d] = together[d][rows, columns].sum()
    out["symbol_match"] = matched / (n * len(attributes))
    out["reconstruction"] = _reconstruction(message, y, orders)
    out["residual_entropy"] = _residual_entropy(message, attributes, orders)
    out["read_attribute"], out["read_exact"] = _reader(message, y, y_start, compact, orders)
    return out


def _indicators(message: Int[np.ndarray, "item position"]) -> Float[np.ndarray, "item cell"]:
    return _one_hot(message.T)[0].T.astype(float)


def _reconstruction(
    message: Int[np.ndarray, "item position"], y: Float[np.ndarray, "cell item"], orders: Int[np.ndarray, "draw item"]
) -> Float[np.ndarray, "draw"]:
    """Share of the variance of one-hot messages that a sum of one vector an attribute value does not explain.

    Tree reconstruction error (Andreas 2019) with addition as composition and squared distance: then the best vectors
    are those of least squares, and no training is needed.
    """
    x = _indicators(message)
    x = x - x.mean(axis=0)
    total = float((x**2).sum())
    if total < 1e-12:
        return np.full(len(orders), np.nan)
    design = y.T.astype(float) - y.mean(axis=1)
    u, s, _ = np.linalg.svd(design, full_matrices=False)
    basis = u[:, s > 1e-9 * max(1.0, float(s.max(initial=0.0)))]
    if basis.shape[1] >= len(x) - 1:  # as many vectors as items explain anything
        return np.full(len(orders), np.nan)
    explained = np.array([float(((basis[order].T @ x) ** 2).sum()) for order in orders])
    return np.clip(1.0 - explained / total, 0.0, 1.0)


def _residual_entropy(
    message: Int[np.ndarray, "item position"], attributes: Codes, orders: Int[np.ndarray, "draw item"]
) -> Float[np.ndarray, "draw"]:
    """Entropy of attributes left when each may be read from positions of its own only (Resnick et al. 2020)."""
    width, a = message.shape[1], len(attributes)
    if width > _MOST_POSITIONS or a**width > _MOST_PARTITIONS:
        return np.full(len(orders), np.nan)
    sets = [s for size in range(1, width + 1) for s in combinations(range(width), size)]
    features = np.stack([word_codes(message[None][:, :, list(s)])[0] for s in sets])
    (shared,), _, h = mutual(features[None], attributes, orders)
    known = np.flatnonzero(h > 1e-12)
    if not len(known):
        return np.full(len(orders), np.nan)
    told = np.concatenate([np.zeros((len(orders), 1, a)), shared], axis=1)
    number = {(): 0, **{s: i + 1 for i, s in enumerate(sets)}}
    best = np.zeros(len(orders))
    for owner in product(range(a), repeat=width):
        chosen = [number[tuple(j for j in range(width) if owner[j] == k)] for k in known]
        best = np.maximum(best, (told[:, chosen, known] / h[known]).mean(axis=1))
    return np.clip(1.0 - best, 0.0, 1.0)


def _reader(
    message: Int[np.ndarray, "item position"],
    y: Float[np.ndarray, "cell item"],
    y_start: Int[np.ndarray, "attribute"],
    compact: Codes,
    orders: Int[np.ndarray, "draw item"],
) -> tuple[Float[np.ndarray, "draw"], Float[np.ndarray, "draw"]]:
    """Accuracy of a fresh linear reader on items it has not seen: of one attribute, and of all at once.

    Ridge regression from one-hot positions to one-hot values, five folds. What the reader says is a fixed linear map
    of the labels, so a relabelling costs one product and no new fit.
    """
    n = len(message)
    if n < 2 * _FOLDS:
        nan = np.full(len(orders), np.nan)
        return nan, nan.copy()
    x = np.column_stack([_indicators(message), np.ones(n)])
    gram = x @ x.T
    # shuffled, the same for every language: items come in the order of their attributes more often than not
    fold = np.random.default_rng(0).permutation(n) % _FOLDS
    told = np.zeros((n, n))
    for f in range(_FOLDS):
        out, kept = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        inner = gram[np.ix_(kept, kept)] + _RIDGE * np.eye(len(kept))
        told[np.ix_(out, kept)] = np.linalg.solve(inner, gram[np.ix_(kept, out)]).T
    one, every = np.empty(len(orders)), np.empty(len(orders))
    edges = [*y_start.tolist(), len(y)]
    for d, order in enumerate(orders):
        said = told @ y[:, order].T
        right = np.stack(
            [
                np.argmax(said[:, s:e], axis=1) == row[order]
                for s, e, row in zip(edges, edges[1:], compact, strict=False)
            ]
        )
        one[d], every[d] = right.mean(), right.all(axis=0).mean()
    return one, every
