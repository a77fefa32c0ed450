"""Affinities of agents in windows, and communities in them: modularity over coupled slices, or factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "Affinity",
    "Factors",
    "affinities",
    "factors",
    "from_factors",
    "modularity",
    "modularity_blocks",
    "slices_louvain",
    "triangles",
]

Affinity = Literal["correlation", "kernel"]
_ROUNDS = 200  # of the factorisation
_NEAR = 7  # neighbour at whose distance the kernel of an agent falls off (Zelnik-Manor and Perona 2004)
_SWEEPS = 50


def affinities(
    traces: Float[np.ndarray, "draw agent time channel"],
    slices: tuple[tuple[int, int], ...],
    kind: Affinity,
    detrend: bool,
) -> Float[np.ndarray, "draw window agent agent"]:
    """Likeness of any two agents in every window, 0 to 1; 0 for an agent with a gap or without variation there.

    "correlation": the correlation within the window, averaged over channels, negative ones set to 0. "kernel": the
    mean of the correlations of traces and of their changes, as a distance, through a Gaussian whose width is each
    agent's distance to its near neighbours.
    """
    draws, n = traces.shape[:2]
    out = np.zeros((draws, len(slices), n, n))
    for w, (a, b) in enumerate(slices):
        if b - a < 4:
            continue
        block = traces[:, :, a:b]
        likeness = _correlation(block, detrend)
        if kind == "kernel":
            likeness = 0.5 * (likeness + _correlation(np.diff(block, axis=2), detrend))
            likeness = _kernel(likeness)
        out[:, w] = np.maximum(likeness, 0.0)
    return np.asarray(out * (1.0 - np.eye(n)))


def _correlation(block: Float[np.ndarray, "draw agent time channel"], detrend: bool) -> Float[np.ndarray, "draw n n"]:
    length = block.shape[2]
    clock = np.linspace(-1.0, 1.0, length)
    base = np.stack([np.ones(length), clock]) if detrend else np.ones((1, length))
    base = base / np.sqrt((base**2).sum(axis=1, keepdims=True))
    x = np.moveaxis(block, 3, 1)  # draw, channel, agent, time
    gap = ~np.isfinite(x).all(axis=3, keepdims=True)
    x = np.where(gap, 0.0, x)
    largest = np.maximum(np.abs(x).max(axis=3, keepdims=True), 1e-300)
    x = x / largest
    x = x - (x @ base.T) @ base
    size = np.sqrt((x**2).sum(axis=3, keepdims=True))
    x = np.where(size > 1e-9, x / np.where(size > 1e-9, size, 1.0), 0.0)
    return np.asarray((x @ np.swapaxes(x, -1, -2)).mean(axis=1))


def _kernel(likeness: Float[np.ndarray, "draw n n"]) -> Float[np.ndarray, "draw n n"]:
    distance = np.maximum(1.0 - likeness, 0.0)
    n = distance.shape[-1]
    near = np.sort(distance, axis=-1)[..., min(_NEAR, n - 1)]
    width = np.sqrt(near[:, :, None] * near[:, None, :])
    silent = np.abs(likeness).sum(axis=-1) == 0
    out = np.exp(-(distance**2) / np.maximum(width**2, 1e-12))
    return np.where(silent[:, :, None] | silent[:, None, :], 0.0, out)


def modularity_blocks(weights: Float[np.ndarray, "*lead n n"], resolution: float) -> Float[np.ndarray, "*lead n n"]:
    """Weights minus what the strengths of the agents alone would give, slice by slice."""
    strength = weights.sum(axis=-1)
    total = strength.sum(axis=-1)[..., None, None]
    expected = strength[..., :, None] * strength[..., None, :] / np.where(total > 0, total, 1.0)
    return np.asarray(weights - resolution * expected)


def triangles(weights: Float[np.ndarray, "*lead window n n"]) -> Float[np.ndarray, "*lead"]:
    """How far friends of friends are friends beyond the agents' strengths: mean over windows of the trace of B cubed
    over n cubed, B being the modularity matrix. Groups make it large, whatever their number and size."""
    n = weights.shape[-1]
    block = modularity_blocks(weights, 1.0)
    block = block * (1.0 - np.eye(n))
    return np.asarray(np.einsum("...ij,...ji->...", block @ block, block).mean(axis=-1) / n**3)


def modularity(
    weights: Float[np.ndarray, "window n n"], labels: Int[np.ndarray, "window n"], resolution: float, omega: float
) -> float:
    """Modularity of coupled slices (Mucha et al. 2010), each slice's weights as they are."""
    block = modularity_blocks(weights, resolution)
    same = (labels[:, :, None] == labels[:, None, :]) & (labels[:, :, None] >= 0)
    stay = (labels[1:] == labels[:-1]) & (labels[1:] >= 0)
    total = weights.sum() + 2 * omega * stay.size
    return float(((block * same).sum() + 2 * omega * stay.sum()) / total) if total > 0 else float("nan")


def slices_louvain(
    weights: Float[np.ndarray, "window n n"],
    resolution: float,
    omega: float,
    rng: np.random.Generator,
    restarts: int = 2,
) -> Int[np.ndarray, "window n"]:
    """Communities that maximise the modularity of coupled slices, by the method of Blondel et al. (2008).

    Agents without any weight in a slice get -1 there; labels are numbered by first appearance.
    """
    best, score = None, -np.inf
    for _ in range(restarts):
        labels = _louvain(weights, resolution, omega, rng)
        value = modularity(weights, labels, resolution, omega)
        if best is None or value > score + 1e-12:
            best, score = labels, value
    assert best is not None
    return best


def _louvain(
    weights: Float[np.ndarray, "window n n"], resolution: float, omega: float, rng: np.random.Generator
) -> Int[np.ndarray, "window n"]:
    count, n = weights.shape[:2]
    block = modularity_blocks(weights, resolution)
    present = weights.sum(axis=2) > 0
    there = present.ravel()
    labels = np.arange(count * n)
    # first level: every agent in every slice, its slice's row and its own neighbours in time
    order = rng.permutation(np.flatnonzero(present.ravel()))
    for _ in range(_SWEEPS):
        moved = 0
        for node in order:
            w, i = divmod(int(node), n)
            near = labels[w * n : (w + 1) * n]
            gain = block[w, i].copy()
            gain[i] = 0.0
            total = np.bincount(near, weights=gain, minlength=count * n)
            links = [int(labels[k]) for k in (node - n, node + n) if 0 <= k < count * n and there[k]]
            for link in links:
                total[link] += omega
            own, to = int(labels[node]), int(near[np.argmax(total[near])])
            for link in links:
                to = link if total[link] > total[to] else to
            if total[to] > total[own] + 1e-10:
                labels[node] = to
                moved += 1
        if not moved:
            break
    labels = _renumber(labels)
    # further levels: whole communities
    while True:
        k = int(labels.max()) + 1
        table = labels.reshape(count, n)
        merged = np.zeros((k, k))
        for w in range(count):
            member = np.eye(k)[table[w]]
            merged += member.T @ block[w] @ member
            if w and omega > 0:
                both = present[w] & present[w - 1]
                np.add.at(merged, (table[w - 1][both], table[w][both]), omega)
                np.add.at(merged, (table[w][both], table[w - 1][both]), omega)
        joined = _join(merged)
        if int(joined.max()) + 1 == k:
            break
        labels = _renumber(joined[labels])
    out = labels.reshape(count, n).copy()
    out[~present] = -1
    return _by_appearance(out)


def _join(merged: Float[np.ndarray, "k k"]) -> Int[np.ndarray, "k"]:
    """Communities moved to where they gain most, until none does."""
    k = len(merged)
    labels = np.arange(k)
    inner = merged - np.diag(np.diag(merged))
    for _ in range(_SWEEPS):
        moved = 0
        for node in range(k):
            total = np.bincount(labels, weights=inner[node], minlength=k)
            to = int(np.argmax(total))
            if total[to] > total[labels[node]] + 1e-10:
                labels[node] = to
                moved += 1
        if not moved:
            break
    return _renumber(labels)


def _renumber(labels: Int[np.ndarray, "*shape"]) -> Int[np.ndarray, "*shape"]:
    return np.asarray(np.unique(labels, return_inverse=True)[1].reshape(labels.shape))


def _by_appearance(labels: Int[np.ndarray, "window n"]) -> Int[np.ndarray, "window n"]:
    seen = list(dict.fromkeys(labels[labels >= 0].tolist()))
    number = {old: new for new, old in enumerate(seen)}
    return np.array([[number.get(int(c), -1) for c in row] for row in labels]).reshape(labels.shape)


# ------------------------------------------------------------------------------------------ factors


@dataclass(frozen=True)
class Factors:
    """A non-negative factorisation of the affinities: every factor has members and a course in time.

    Attributes:
        members: loading of every agent; each column has a largest entry of 1.
        course: strength of every factor in every window.
        explained: share of the squared affinities (beyond their mean) that is explained.
        stability: how alike the members are from other starting points, 0 to 1.
    """

    members: Float[np.ndarray, "agent rank"]
    course: Float[np.ndarray, "window rank"]
    explained: float
    stability: float


def factors(weights: Float[np.ndarray, "window n n"], rank: int, rng: np.random.Generator, starts: int = 4) -> Factors:
    """Best of several symmetric non-negative factorisations A[w, i, j] = sum_r t[w, r] u[i, r] u[j, r], the diagonal
    left out, by multiplicative updates (Lee and Seung 2001)."""
    n = weights.shape[1]
    off = 1.0 - np.eye(n)
    size = float(((weights - weights[:, off > 0].mean()) ** 2 * off).sum())
    runs = []
    for _ in range(starts):
        u = rng.uniform(0.2, 1.0, (n, rank))
        t = rng.uniform(0.2, 1.0, (len(weights), rank)) * max(float(weights.mean()), 1e-12)
        for _ in range(_ROUNDS):
            fit = np.einsum("wr,ir,jr->wij", t, u, u, optimize=True) * off
            up = np.einsum("wij,wr,jr->ir", weights, t, u, optimize=True)
            down = np.einsum("wij,wr,jr->ir", fit, t, u, optimize=True)
            u = u * np.sqrt(up / np.maximum(down, 1e-300))
            fit = np.einsum("wr,ir,jr->wij", t, u, u, optimize=True) * off
            up = np.einsum("wij,ir,jr->wr", weights, u, u, optimize=True)
            down = np.einsum("wij,ir,jr->wr", fit, u, u, optimize=True)
            t = t * up / np.maximum(down, 1e-300)
        top = np.maximum(u.max(axis=0), 1e-300)
        u, t = u / top, t * top**2
        left = float((((weights - np.einsum("wr,ir,jr->wij", t, u, u, optimize=True)) * off) ** 2).sum())
        runs.append((left, u, t))
    runs.sort(key=lambda run: run[0])
    left, u, t = runs[0]
    explained = 1 - left / size if size > 0 else float("nan")
    alike = [_alike(u, other) for _, other, _ in runs[1:]]
    return Factors(u, t, float(explained), float(np.median(alike)) if alike else float("nan"))


def _alike(a: Float[np.ndarray, "n rank"], b: Float[np.ndarray, "n rank"]) -> float:
    """Mean cosine of factors that belong together by optimal assignment."""
    from scipy.optimize import linear_sum_assignment

    unit = [m / np.maximum(np.linalg.norm(m, axis=0), 1e-300) for m in (a, b)]
    cosine = unit[0].T @ unit[1]
    rows, columns = linear_sum_assignment(-cosine)
    return float(cosine[rows, columns].mean())


def from_factors(found: Factors, weights: Float[np.ndarray, "window n n"]) -> Int[np.ndarray, "window n"]:
    """Each agent belongs to the factor that accounts for most of it in the window; to none (-1) where all are weak."""
    active = found.course > 0.25 * found.course.max(axis=0, keepdims=True)
    share = found.members[None] * np.sqrt(found.course * active)[:, None, :]
    labels = share.argmax(axis=2)
    strong = share.max(axis=2) > 0.3 * np.sqrt(np.maximum(found.course.max(), 1e-300))
    labels = np.where(strong & (weights.sum(axis=2) > 0), labels, -1)
    return _by_appearance(labels)
