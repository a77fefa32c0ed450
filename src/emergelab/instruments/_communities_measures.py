"""What is counted about communities: sizes, changes of membership, merging and splitting, and the tests of it all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from emergelab.instruments._communities_detect import Affinity, affinities, modularity_blocks, triangles

__all__ = [
    "adjusted_rand",
    "allegiance",
    "change_statistic",
    "events",
    "information_on_role",
    "levelled",
    "null_networks",
    "null_traces",
    "p_agreement",
    "p_change",
    "polarisation",
    "summary",
]

_SMALLEST = 3
"""Fewest members of what counts as a community."""
_SHARE = 0.5  # of a community that must go, or come, together
_CELLS = 3_000_000  # numbers held at once while surrogates are made
_FEWEST_OF_A_COURSE = 20  # records of a slow course


def adjusted_rand(a: Int[np.ndarray, "n"], b: Int[np.ndarray, "n"]) -> float:
    """Adjusted Rand index of two groupings (Hubert and Arabie 1985), agents without a group (-1) left out.

    1 where they agree, 0 on average by chance; 1 for two groupings that are the same trivial one.
    """
    known = (a >= 0) & (b >= 0)
    a, b = a[known], b[known]
    n = len(a)
    if n < 2:
        return float("nan")
    table = np.zeros((int(a.max()) + 1, int(b.max()) + 1))
    np.add.at(table, (a, b), 1)

    def pairs(x: np.ndarray) -> float:
        return float((x * (x - 1) / 2).sum())

    together, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / (n * (n - 1) / 2)
    most = 0.5 * (rows + columns)
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def allegiance(labels: Int[np.ndarray, "window n"]) -> Float[np.ndarray, "n n"]:
    """Share of windows that two agents spend in the same community, of those in which both are there."""
    there = labels >= 0
    same = (labels[:, :, None] == labels[:, None, :]) & there[:, :, None] & there[:, None, :]
    both = (there[:, :, None] & there[:, None, :]).sum(axis=0)
    return np.asarray(np.where(both > 0, same.sum(axis=0) / np.maximum(both, 1), 0.0))


def summary(labels: Int[np.ndarray, "window n"]) -> dict[str, float]:
    """Numbers and sizes of communities, and how agents move between them.

    flexibility: share of steps between windows in which an agent changes community; promiscuity: share of all
    communities that an agent visits; persistence: mean number of windows that a community lasts.
    """
    nan = float("nan")
    sizes = [np.bincount(row[row >= 0]) for row in labels]
    large = [s[s >= _SMALLEST] for s in sizes]
    count = [len(s) for s in large]
    both = (labels[1:] >= 0) & (labels[:-1] >= 0)
    seen = [c for row in labels for c in np.unique(row[row >= 0])]
    k = int(labels.max()) + 1 if (labels >= 0).any() else 0
    visited = [len(np.unique(column[column >= 0])) for column in labels.T if (column >= 0).any()]
    pooled = np.concatenate(large) if any(count) else np.empty(0)
    return {
        "communities": float(np.mean(count)) if count else nan,
        "size": float(pooled.mean()) if len(pooled) else nan,
        "flexibility": float((labels[1:] != labels[:-1])[both].mean()) if both.any() else nan,
        "promiscuity": float(np.mean(visited) / k) if k and visited else nan,
        "persistence": len(seen) / k if k else nan,
    }


def events(labels: Int[np.ndarray, "window n"], time: Float[np.ndarray, "window"]) -> list[dict[str, object]]:
    """Merging, splitting, formation and dissolution between neighbouring windows, of communities of three and more.

    A merger: most of each of two communities goes into the same one. A split: most of each of two communities comes
    out of the same one. A formation (dissolution): no single community gave (took) most of it.
    """
    out: list[dict[str, object]] = []
    none = np.empty(0, dtype=int)
    for w in range(len(labels) - 1):
        a, b = labels[w], labels[w + 1]
        both = (a >= 0) & (b >= 0)
        if not both.any():
            continue
        table = np.zeros((int(labels.max()) + 1,) * 2)
        np.add.at(table, (a[both], b[both]), 1)
        before, after = table.sum(axis=1), table.sum(axis=0)
        old, new = np.flatnonzero(before >= _SMALLEST), np.flatnonzero(after >= _SMALLEST)
        goes = table[old] > _SHARE * before[old][:, None]  # most of the old one goes there
        comes = table[:, new] > _SHARE * after[new][None, :]  # most of the new one comes from there
        at = 0.5 * (time[w] + time[w + 1])
        for c in np.unique(np.flatnonzero(goes.sum(axis=0) > 1)):
            sources = old[goes[:, c]]
            out.append(_event(at, "merge", sources, np.array([c]), float(table[sources, c].sum())))
        for c in np.unique(np.flatnonzero(comes.sum(axis=1) > 1)):
            targets = new[comes[c]]
            out.append(_event(at, "split", np.array([c]), targets, float(table[c, targets].sum())))
        for k, c in enumerate(new):
            if not comes[:, k].any() and goes[:, c].sum() < 2:
                out.append(_event(at, "formation", none, np.array([c]), float(after[c])))
        for k, c in enumerate(old):
            if not goes[k].any() and not (comes[c].sum() > 1):
                out.append(_event(at, "dissolution", np.array([c]), none, float(before[c])))
    return out


def _event(
    at: float, kind: str, before: Int[np.ndarray, "b"], after: Int[np.ndarray, "a"], members: float
) -> dict[str, object]:
    told = [" + ".join(str(int(c)) for c in side) for side in (before, after)]
    return {"time": float(at), "event": kind, "before": told[0], "after": told[1], "agents": int(members)}


# ------------------------------------------------------------------------------------------ nulls


def polarisation(
    weights: Float[np.ndarray, "window n n"], labels: Int[np.ndarray, "window n"]
) -> Float[np.ndarray, "window"]:
    """Ties within communities less those between them, over all ties: the E-I index with its sign turned round.

    1 where communities have nothing to do with each other, -1 where all ties are between them; NaN without ties.
    """
    here = labels >= 0
    tied = weights * (here[:, :, None] & here[:, None, :]) * (1.0 - np.eye(weights.shape[-1]))
    total = tied.sum(axis=(1, 2))
    within = (tied * (labels[:, :, None] == labels[:, None, :])).sum(axis=(1, 2))
    return np.where(total > 0, 2 * within / np.where(total > 0, total, 1.0) - 1, np.nan)


def levelled(traces: Float[np.ndarray, "agent time channel"]) -> Float[np.ndarray, "agent time channel"]:
    """Traces without the slow course of each agent, and without the slow course of the spread that all have in common.

    Where every agent becomes noisier at the same time, their noise correlates more strongly, either way, than noise
    that was moved along the record; triangles would take that for groups. Courses are parabolas over the record.
    """
    out = np.full(traces.shape, np.nan)
    clock = np.linspace(-1.0, 1.0, traces.shape[1])
    for c in range(traces.shape[2]):
        for i, trace in enumerate(traces[:, :, c]):
            out[i, :, c] = trace - _parabola(clock, trace)
        size = np.abs(out[:, :, c])
        seen = np.isfinite(size)
        count = seen.sum(axis=0)
        spread = np.where(count > 0, np.where(seen, size, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
        known = spread[np.isfinite(spread)]
        if len(known) and known.mean() > 0:
            out[:, :, c] /= np.maximum(_parabola(clock, spread), 0.1 * known.mean())
    return out


def _parabola(clock: Float[np.ndarray, "time"], y: Float[np.ndarray, "time"]) -> Float[np.ndarray, "time"]:
    """The parabola nearest to what is known of a course; its mean where too little is."""
    known = np.isfinite(y)
    if known.sum() < _FEWEST_OF_A_COURSE:
        return np.full(len(y), y[known].mean() if known.any() else 0.0)
    terms = np.vander(clock, 3)
    scale = max(float(np.abs(y[known]).max()), 1e-300)  # squares of very large or small numbers leave the range
    return np.asarray(terms @ np.linalg.lstsq(terms[known], y[known] / scale, rcond=None)[0] * scale)


def null_traces(
    traces: Float[np.ndarray, "agent time channel"],
    slices: tuple[tuple[int, int], ...],
    kind: Affinity,
    detrend: bool,
    draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "draw"]:
    """`triangles` when every agent's trace is moved along its record by an amount of its own.

    Each agent keeps its values and its own dynamics; what agents have in common at the same time is lost.
    """
    n, length, channels = traces.shape
    out = []
    step = max(1, _CELLS // (n * max(length * channels, len(slices) * n)))
    for begin in range(0, draws, step):
        some = min(step, draws - begin)
        shift = rng.integers(0, length, (some, n, 1))
        index = (np.arange(length) + shift) % length
        moved = np.take_along_axis(traces[None], index[..., None], axis=2)
        out.append(triangles(affinities(moved, slices, kind, detrend)))
    return np.concatenate(out)


def null_networks(
    weights: Float[np.ndarray, "window n n"], draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "draw"]:
    """`triangles` when the weights of every window are shuffled over the pairs of agents and then scaled so that
    every agent keeps its strength."""
    count, n = weights.shape[:2]
    upper = np.triu_indices(n, 1)
    strength = weights.sum(axis=2)
    out = []
    step = max(1, _CELLS // max(1, count * n * n))
    for begin in range(0, draws, step):
        some = min(step, draws - begin)
        values = np.broadcast_to(weights[:, upper[0], upper[1]], (some, count, len(upper[0]))).copy()
        values = rng.permuted(values, axis=2)
        drawn = np.zeros((some, count, n, n))
        drawn[..., upper[0], upper[1]] = values
        drawn = drawn + np.swapaxes(drawn, -1, -2)
        for _ in range(20):  # scaling of rows and columns alike towards the given strengths
            now = drawn.sum(axis=3)
            factor = np.sqrt(np.where(now > 0, strength / np.where(now > 0, now, 1.0), 1.0))
            drawn = drawn * factor[..., :, None] * factor[..., None, :]
        out.append(triangles(drawn))
    return np.concatenate(out)


def change_statistic(weights: Float[np.ndarray, "window n n"]) -> Float[np.ndarray, "window window"]:
    """Likeness of the structure of any two windows: correlation of their modularity matrices over pairs of agents,
    divided by how reliable each window is, so that noise that grows does not look like change."""
    n = weights.shape[1]
    upper = np.triu_indices(n, 1)
    rows = modularity_blocks(weights, 1.0)[:, upper[0], upper[1]]
    rows = rows - rows.mean(axis=1, keepdims=True)
    size = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    rows = np.where(size > 0, rows / np.where(size > 0, size, 1.0), 0.0)
    alike = rows @ rows.T
    off = ~np.eye(len(alike), dtype=bool)
    reliable = np.full(len(alike), np.sqrt(max(float(alike[off].mean()) if off.any() else 0.0, 1e-6)))
    for _ in range(50):  # a window's likeness to all others, as one number a window
        rest = reliable.sum() - reliable
        reliable = np.maximum(0.5 * (reliable + (alike * off).sum(axis=1) / np.maximum(rest, 1e-9)), 1e-3)
    return np.asarray(alike - np.outer(reliable, reliable))


def p_change(alike: Sequence[Float[np.ndarray, "window window"]], draws: int, rng: np.random.Generator) -> float:
    """One-sided p of windows being more like their neighbours than like the rest; the order of windows is permuted."""
    known = [m for m in alike if len(m) >= 4]
    if not known:
        return float("nan")
    observed, null = 0.0, np.zeros(draws)
    for m in known:
        order = np.concatenate([np.arange(len(m))[None], np.argsort(rng.random((draws, len(m))), axis=1)])
        near = m[order[:, 1:], order[:, :-1]].mean(axis=1)
        observed += float(near[0]) / len(known)
        null += near[1:] / len(known)
    return float((1 + (null >= observed - 1e-12).sum()) / (draws + 1))


def p_agreement(
    allegiances: Sequence[Float[np.ndarray, "n n"]], draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Mean correlation over pairs of seeds of who is with whom, and its one-sided p when agents are relabelled."""
    n = allegiances[0].shape[0] if allegiances else 0
    if len(allegiances) < 2 or n < 3:
        return float("nan"), float("nan")
    upper = np.triu_indices(n, 1)
    total = np.empty(draws + 1)
    for d in range(draws + 1):
        rows = []
        for m in allegiances:
            turn = np.arange(n) if d == 0 else rng.permutation(n)
            row = m[np.ix_(turn, turn)][upper]
            row = row - row.mean()
            size = np.sqrt((row**2).sum())
            rows.append(row / size if size > 0 else row)
        sum_ = np.sum(rows, axis=0)
        own = sum(float(r @ r) for r in rows)
        total[d] = (float(sum_ @ sum_) - own) / (len(rows) * (len(rows) - 1))
    return float(total[0]), float((total >= total[0] - 1e-12).mean())


def information_on_role(
    labels: Int[np.ndarray, "window n"], role: Int[np.ndarray, "n"], draws: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Specialisation: bits that the community holds about the role of its members, the mean of that when roles are
    dealt out anew, and its p."""

    def bits(roles: Int[np.ndarray, "n"]) -> float:
        found = []
        for row in labels:
            known = row >= 0
            if not known.any():
                continue
            table = np.zeros((int(row.max()) + 1, int(roles.max()) + 1))
            np.add.at(table, (row[known], roles[known]), 1 / known.sum())
            expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
            cell = table > 0
            found.append(float((table[cell] * np.log2(table[cell] / expected[cell])).sum()))
        return float(np.mean(found)) if found else float("nan")

    observed = bits(role)
    null = np.array([bits(rng.permutation(role)) for _ in range(draws)])
    return observed, float(null.mean()), float((1 + (null >= observed - 1e-12).sum()) / (draws + 1))


def membership_frame(
    labels: Int[np.ndarray, "window n"],
    condition: str,
    seed: object,
    time: Float[np.ndarray, "window"],
    agents: Sequence[str],
) -> pd.DataFrame:
    """Who is in which community when; -1 where an agent is not there."""
    count, n = labels.shape
    return pd.DataFrame(
        {
            "condition": condition,
            "seed": [seed] * (count * n),
            "time": np.repeat(time, n),
            "agent": list(agents) * count,
            "community": labels.ravel(),
        }
    )
