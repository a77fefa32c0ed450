"""Which behaviour follows which: counts of transitions, beside the same bouts in any other order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from emergelab.instruments._behaviours_bouts import Starts
from emergelab.statistics import max_t

__all__ = ["Order", "sequences", "shifted_counts", "shuffled_counts", "transition_table"]

Order = Literal["shuffle", "shift"]

_LONGEST = 40  # bouts shuffled together: longer sequences are cut, so that slow changes of rates stay in the null
_ROWS = 1000  # sequences that are shuffled side by side


def _counts(seqs: Int[np.ndarray, "*draws row bout"], kinds: int) -> Int[np.ndarray, "*draws kinds kinds"]:
    """Transitions within the rows; -1 fills up the rows."""
    a, b = seqs[..., :-1], seqs[..., 1:]
    lead = seqs.shape[:-2]
    many = int(np.prod(lead)) if lead else 1
    code = np.where((a >= 0) & (b >= 0), a * kinds + b, kinds * kinds).reshape(many, -1)
    code = code + (np.arange(many) * (kinds * kinds + 1))[:, None]
    found = np.bincount(code.ravel(), minlength=many * (kinds * kinds + 1)).reshape(many, -1)[:, :-1]
    return found.reshape(*lead, kinds, kinds)


def _padded(pieces: Sequence[np.ndarray]) -> Int[np.ndarray, "row bout"]:
    """Sequences side by side, between walls of -1."""
    longest = max(len(p) for p in pieces)
    out = np.full((len(pieces), longest + 2), -1)
    for i, p in enumerate(pieces):
        out[i, 1 : len(p) + 1] = p
    return out


def shuffled_counts(
    pieces: Sequence[np.ndarray], kinds: int, draws: int, rng: np.random.Generator
) -> Int[np.ndarray, "draws kinds kinds"]:
    """Transitions in shuffled sequences.

    Two bouts of a sequence change places whenever no behaviour then follows itself, which leads to every arrangement
    of that kind alike: bouts were joined where they repeat, so only such arrangements can be compared.
    """
    base = _padded(pieces)
    s, length = base.shape
    lengths = np.array([len(p) for p in pieces])
    chains = int(min(draws, max(1, _ROWS // s)))
    state = np.tile(base, (chains, 1))
    size = np.tile(lengths, chains)
    flat, offset = state.reshape(-1), np.arange(len(state)) * length
    per_chain = -(-draws // chains)
    kept = []
    warm, between = max(40, 8 * int(lengths.max())), max(10, 2 * int(lengths.max()))
    for draw in range(per_chain):
        for _ in range(warm if draw == 0 else between):
            i, j = (offset + 1 + (rng.random(len(state)) * size).astype(np.int64) for _ in range(2))
            left, right = flat[i], flat[j]
            flat[i], flat[j] = right, left
            wrong = (flat[i - 1] == right) | (flat[i + 1] == right) | (flat[j - 1] == left) | (flat[j + 1] == left)
            undo = wrong & (left != right)
            flat[i[undo]], flat[j[undo]] = left[undo], right[undo]
        kept.append(_counts(state.reshape(chains, s, length), kinds))
    return np.concatenate(kept)[:draws]


def _sequences(starts: Starts, at: Float[np.ndarray, "n"], lot: Float[np.ndarray, "n"]) -> list[np.ndarray]:
    """The behaviours of each lane in the order of ``at``, each repeat left out; equal places are drawn by ``lot``."""
    if not len(at):
        return []
    order = np.lexsort((lot, at, starts.lane))
    lane, kind = starts.lane[order], starts.kind[order]
    fresh = np.append(True, (lane[1:] != lane[:-1]) | (kind[1:] != kind[:-1]))
    lane, kind = lane[fresh], kind[fresh]
    return np.split(kind, np.flatnonzero(np.diff(lane)) + 1)


def sequences(starts: Starts, rng: np.random.Generator) -> tuple[list[np.ndarray], float]:
    """The behaviours of each agent in order, and the share of bouts that begin together with another.

    Bouts that begin at the same record have no order: they get one by lot.
    """
    lane, at = starts.lane, starts.at
    order = np.lexsort((at, lane))
    tied = (np.diff(lane[order]) == 0) & (np.diff(at[order]) == 0)
    share = float((np.append(tied, False) | np.append(False, tied)).mean()) if len(lane) else 0.0
    return _sequences(starts, at.astype(float), rng.random(len(at))), share


def shifted_counts(
    starts: Starts, kinds: int, records: int, draws: int, rng: np.random.Generator
) -> Int[np.ndarray, "draws kinds kinds"]:
    """Transitions once each behaviour of each agent is moved along the record, around its end, by a time of its own."""
    lanes = int(starts.lane.max()) + 1
    out = np.zeros((draws, kinds, kinds), dtype=int)
    for d in range(draws):
        by = rng.integers(0, records, (lanes, kinds))[starts.lane, starts.kind]
        seqs = _sequences(starts, (starts.at + by) % records * 1.0, rng.random(len(by)))
        joined = np.concatenate([np.append(s, -1) for s in seqs])
        out[d] = _counts(joined[None], kinds)
    return out


def _cut(seqs: Sequence[np.ndarray]) -> list[np.ndarray]:
    pieces = [p for s in seqs for p in np.array_split(s, max(1, -(-len(s) // _LONGEST)))]
    return [p for p in pieces if len(p) >= 2]


def transition_table(
    condition: str,
    names: Sequence[str],
    starts: Starts,
    seqs: Sequence[np.ndarray],
    records: int,
    how: Order,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row a pair of behaviours: how often the second follows the first, beside the null, max-T over all pairs."""
    kinds = len(names)
    columns = ["condition", "from", "to", "bouts", "probability", "expected", "lift", "z", "p"]
    usable = [s for s in seqs if len(s) >= 2]
    if kinds < 2 or not usable:
        return pd.DataFrame(columns=columns)
    whole, off = _counts(_padded(usable), kinds), ~np.eye(kinds, dtype=bool)
    observed, null = whole[off].astype(float), None
    if how == "shift":
        null = shifted_counts(starts, kinds, records, draws, rng)[:, off].astype(float)
    elif kinds > 2:  # two behaviours that do not repeat can only take turns
        pieces = _cut(usable)
        observed = _counts(_padded(pieces), kinds)[off].astype(float)
        null = shuffled_counts(pieces, kinds, draws, rng)[:, off].astype(float)
    p, z, mean = (np.full(len(observed), np.nan) for _ in range(3))
    if null is not None:
        mean, sd = null.mean(axis=0), null.std(axis=0)
        free = sd > 0
        scale = np.where(free, sd, 1.0)
        z = np.where(free, (observed - mean) / scale, np.nan)
        p = max_t(np.abs(np.vstack([z, np.where(free, (null - mean) / scale, np.nan)])))
    lift = np.where(mean > 0, observed / np.where(mean > 0, mean, 1.0), np.nan)
    return pd.DataFrame(_rows(condition, names, whole, off, (mean, lift, z, p)), columns=columns)


def _rows(
    condition: str,
    names: Sequence[str],
    whole: Int[np.ndarray, "kinds kinds"],
    off: np.ndarray,
    told: tuple[Float[np.ndarray, "pairs"], ...],
) -> list[tuple[object, ...]]:
    out: list[tuple[object, ...]] = []
    for at, (a, b) in enumerate(np.argwhere(off)):
        total = int(whole[a].sum())
        share = whole[a, b] / total if total else float("nan")
        mean, lift, z, p = (float(v[at]) for v in told)
        out.append((condition, names[a], names[b], int(whole[a, b]), float(share), mean, lift, z, p))
    return out
