"""Training maps: one hidden Markov model over several observables of all seeds (Hu, Chen, Saphra and Cho 2023).

Each state has a mean and a spread of every observable, shared by all seeds; a seed is a path through the states.
Known noise of single records adds to the spread of the state. Everything is fitted by expectation and maximisation,
for many starts and many choices of seeds at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["Map", "Records", "fit_map", "grown", "paths", "restarts", "within_phi"]

_FLOOR = 1e-3  # least variance of a state, in units of each observable's own: a state is no single value
_STICKY = 0.1  # records' worth of belief that a state goes on, and of belief in every other step together
_TOLERANCE = 1e-4  # gain of log-likelihood a record at which a fit is done


@dataclass(frozen=True)
class Records:
    """Records of all seeds, every observable in units of its own spread.

    Attributes:
        y: values; 0 where there are none.
        seen: where there are values.
        noise: known variance of each value, in the same units.
    """

    y: Float[np.ndarray, "seed time channel"]
    seen: Bool[np.ndarray, "seed time channel"]
    noise: Float[np.ndarray, "seed time channel"]


@dataclass(frozen=True)
class Map:
    """Hidden Markov models, one a row ``r``.

    Attributes:
        start: probability of each state at the first record.
        step: probability of going from a state (first axis) to another one.
        mean, var: of each observable in each state.
        ll: log-likelihood of every seed.
    """

    start: Float[np.ndarray, "r state"]
    step: Float[np.ndarray, "r state state"]
    mean: Float[np.ndarray, "r state channel"]
    var: Float[np.ndarray, "r state channel"]
    ll: Float[np.ndarray, "r seed"]

    def some(self, rows: Int[np.ndarray, "q"]) -> Map:
        """Some of the models."""
        return Map(self.start[rows], self.step[rows], self.mean[rows], self.var[rows], self.ll[rows])

    def beside(self, other: Map) -> Map:
        """The models of both."""
        mine, theirs = vars(self).values(), vars(other).values()
        return Map(*(np.concatenate(pair) for pair in zip(mine, theirs, strict=True)))

    def sorted(self, order: Int[np.ndarray, "state"]) -> Map:
        """The same models with the states in another order."""
        return Map(
            self.start[:, order], self.step[:, order][:, :, order], self.mean[:, order], self.var[:, order], self.ll
        )


def _emission(
    records: Records, mean: Float[np.ndarray, "r state channel"], var: Float[np.ndarray, "r state channel"]
) -> Float[np.ndarray, "r seed time state"]:
    """Log-density of every record in every state."""
    out = np.zeros((len(mean), *records.y.shape[:2], mean.shape[1]))
    for c in range(records.y.shape[2]):
        y, seen, noise = (a[None, :, :, None, c] for a in (records.y, records.seen, records.noise))
        total = var[:, None, None, :, c] + noise
        out += np.where(seen, -0.5 * ((y - mean[:, None, None, :, c]) ** 2 / total + np.log(2 * np.pi * total)), 0.0)
    return out


def _forward_backward(
    emission: Float[np.ndarray, "r seed time state"],
    start: Float[np.ndarray, "r state"],
    step: Float[np.ndarray, "r state state"],
) -> tuple[
    Float[np.ndarray, "r seed"], Float[np.ndarray, "r seed time state"], Float[np.ndarray, "r seed state state"]
]:
    """Log-likelihoods, probabilities of the states at each record, and expected numbers of steps between states."""
    top = emission.max(axis=-1, keepdims=True)
    b = np.exp(emission - top) + 1e-300
    n = b.shape[2]
    forward, scale = np.empty_like(b), np.empty(b.shape[:3])
    ahead = np.repeat(start[:, None], b.shape[1], axis=1)
    for t in range(n):
        here = ahead * b[:, :, t]
        total = here.sum(axis=-1)
        scale[:, :, t] = total
        forward[:, :, t] = here / total[..., None]
        ahead = forward[:, :, t] @ step
    back = np.ones_like(b)
    turned = step.transpose(0, 2, 1)
    for t in range(n - 2, -1, -1):
        back[:, :, t] = (back[:, :, t + 1] * b[:, :, t + 1] / scale[:, :, t + 1, None]) @ turned
    later = back[:, :, 1:] * b[:, :, 1:] / scale[:, :, 1:, None]
    steps = (forward[:, :, :-1].swapaxes(-1, -2) @ later) * step[:, None]
    return (np.log(scale) + top[..., 0]).sum(axis=-1), forward * back, steps


def _maximise(
    records: Records,
    weight: Float[np.ndarray, "r seed"],
    gamma: Float[np.ndarray, "r seed time state"],
    steps: Float[np.ndarray, "r seed state state"],
    old: Map,
) -> Map:
    """New parameters. A value is the state's own value plus known noise, so the expected own value is averaged."""
    k = gamma.shape[-1]
    start = np.einsum("rs,rsk->rk", weight, gamma[:, :, 0]) + _STICKY / k
    step = np.einsum("rs,rsij->rij", weight, steps) + _STICKY * np.eye(k) + _STICKY / k
    mean, var = old.mean.copy(), old.var.copy()
    for c in range(records.y.shape[2]):
        share = gamma * weight[:, :, None, None] * records.seen[None, :, :, None, c]
        total = share.sum(axis=(1, 2))
        y, noise = records.y[None, :, :, None, c], records.noise[None, :, :, None, c]
        m, v = old.mean[:, None, None, :, c], old.var[:, None, None, :, c]
        gain = v / (v + noise)
        own, left = m + gain * (y - m), v * (1 - gain)
        fed = total > 1e-6  # a state that no record is in stays where it is
        safe = np.where(fed, total, 1.0)
        mean[:, :, c] = np.where(fed, (share * own).sum(axis=(1, 2)) / safe, old.mean[:, :, c])
        spread = (share * ((own - mean[:, None, None, :, c]) ** 2 + left)).sum(axis=(1, 2)) / safe
        var[:, :, c] = np.where(fed, np.maximum(spread, _FLOOR), old.var[:, :, c])
    return Map(start / start.sum(axis=1, keepdims=True), step / step.sum(axis=2, keepdims=True), mean, var, old.ll)


def fit_map(records: Records, first: Map, weight: Float[np.ndarray, "r seed"], rounds: int = 60) -> Map:
    """Expectation and maximisation from the given starts, each with its own weights of the seeds (0: held out)."""
    now = first
    count = np.maximum((weight * records.seen.any(axis=2).sum(axis=1)).sum(axis=1), 1.0)
    last = np.full(len(weight), -np.inf)
    for _ in range(rounds):
        ll, gamma, steps = _forward_backward(_emission(records, now.mean, now.var), now.start, now.step)
        now = Map(now.start, now.step, now.mean, now.var, ll)
        total = (weight * ll).sum(axis=1)
        if ((total - last) / count < _TOLERANCE).all():
            break
        last = total
        now = _maximise(records, weight, gamma, steps, now)
    else:
        ll = _forward_backward(_emission(records, now.mean, now.var), now.start, now.step)[0]
        now = Map(now.start, now.step, now.mean, now.var, ll)
    return now


def restarts(records: Records, states: int, count: int, rng: np.random.Generator) -> Map:
    """Starts: means of equal slices of the order of records, of equal slices of the values, then random records."""
    y, seen = records.y, records.seen
    whole = seen.all(axis=2)
    rows = y[whole] if whole.any() else y[seen.any(axis=2)]
    channels = y.shape[2]
    mean = np.zeros((count, states, channels))
    place = np.broadcast_to(np.linspace(0, 1, y.shape[1]), y.shape[:2])
    by_time = place[whole] if whole.any() else place[seen.any(axis=2)]
    slow = rows @ np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][0] if len(rows) > 1 else by_time
    for r in range(count):
        if r < 2:
            for k, part in enumerate(np.array_split(np.argsort((by_time, slow)[r], kind="stable"), states)):
                mean[r, k] = rows[part].mean(axis=0) if len(part) else 0.0
        else:
            mean[r] = rows[rng.integers(0, len(rows), states)] + 0.05 * rng.standard_normal((states, channels))
    var = np.full(mean.shape, max(1.0 / states**2, 0.02))
    step = np.full((count, states, states), 0.1 / max(states - 1, 1))
    step[:, np.arange(states), np.arange(states)] = 0.9 if states > 1 else 1.0
    start = np.full((count, states), 1.0 / states)
    return Map(start, step, mean, var, np.zeros((count, len(y))))


def grown(model: Map) -> Map:
    """Starts with one state more: each state of a single model in turn is split where it is widest."""
    k = model.mean.shape[1]
    twice = np.array([[*range(k), j] for j in range(k)])
    mean, var, start, step = model.mean[0][twice], model.var[0][twice], model.start[0][twice], model.step[0]
    for j in range(k):
        c = int(model.var[0, j].argmax())
        shift = 0.8 * np.sqrt(model.var[0, j, c])
        mean[j, j, c] -= shift
        mean[j, k, c] += shift
        var[j, [j, k], c] = np.maximum(0.4 * var[j, [j, k], c], _FLOOR)
        start[j, [j, k]] /= 2
    moved = np.stack([step[rows][:, rows] for rows in twice])
    for j in range(k):
        moved[j][:, [j, k]] /= 2
        moved[j, [j, k], [j, k]] += 0.5 * moved[j, [j, k], [j, k]]
    return Map(start, moved / moved.sum(axis=2, keepdims=True), mean, var, np.zeros((k, model.ll.shape[1])))


def paths(records: Records, model: Map) -> Int[np.ndarray, "seed time"]:
    """The most probable path of every seed through the states of a single model (Viterbi)."""
    emission = _emission(records, model.mean, model.var)[0]
    with np.errstate(divide="ignore"):
        start, step = np.log(model.start[0]), np.log(model.step[0])
    n = emission.shape[1]
    best = start + emission[:, 0]
    came = np.zeros(emission.shape, dtype=int)
    for t in range(1, n):
        joint = best[:, :, None] + step
        came[:, t] = joint.argmax(axis=1)
        best = joint.max(axis=1) + emission[:, t]
    out = np.zeros(emission.shape[:2], dtype=int)
    out[:, -1] = best.argmax(axis=1)
    for t in range(n - 2, -1, -1):
        out[:, t] = came[np.arange(len(out)), t + 1, out[:, t + 1]]
    return out


def within_phi(records: Records, model: Map, path: Int[np.ndarray, "seed time"]) -> float:
    """Lag-1 correlation of what is left inside the states, over all observables; at least 0."""
    rest = np.where(records.seen, records.y - model.mean[0][path], 0.0)
    together = (path[:, 1:] == path[:, :-1])[..., None] & records.seen[:, 1:] & records.seen[:, :-1]
    before, after = rest[:, :-1][together], rest[:, 1:][together]
    size = float(np.sqrt((before @ before) * (after @ after)))
    return float(np.clip((before @ after) / size, 0.0, 0.95)) if size > 0 else 0.0
