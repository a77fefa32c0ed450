"""Training maps of `change_points`: how many states, who passes through which, what drives each step, odd seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from emergelab.errors import UserError
from emergelab.instruments._change_points_find import Errors, transformed
from emergelab.instruments._change_points_map import Map, Records, fit_map, grown, paths, restarts, within_phi
from emergelab.instruments._curves import Curves
from emergelab.statistics import proportion

__all__ = ["TABLES", "States", "check_states", "map_states", "map_tables", "map_words", "training_map"]

TABLES = ("map_sizes", "map_states", "map_steps", "map_drivers", "map_seeds")
"""Tables of a training map."""

_MOST_RECORDS = 100  # a seed; longer ones are averaged in runs
_MOST_STATES = 6
_STARTS = 6  # and one a state of the next smaller map; the best three are pursued
_FOLDS = 5
_FOLD_STARTS = 2
_RARE = 0.2  # share of seeds up to which a step between states is called rare
_ODD = 5.0  # robust standard deviations of the held-out log-likelihood


@dataclass(frozen=True)
class States:
    """A training map, states numbered in the order in which seeds meet them.

    Attributes:
        sizes: one row a number of states: log-likelihood, BIC, held-out log-likelihood.
        model: the chosen model.
        path: state of each row (condition, seed) at each run of records; -1 where that seed has no record.
        first, last: index of the first and the last record of each run.
        held: held-out log-likelihood a record of each row; NaN where no seed could be held out.
        phi: lag-1 correlation inside the states.
        passes: rows whose steps between states are claimed.
        centre, scale: of every observable, as transformed.
        why: why there is no map, or "".
    """

    sizes: pd.DataFrame
    model: Map | None
    path: Int[np.ndarray, "row run"]
    first: Int[np.ndarray, "run"]
    last: Int[np.ndarray, "run"]
    held: Float[np.ndarray, "row"]
    phi: float
    passes: Bool[np.ndarray, "row"]
    centre: Float[np.ndarray, "channel"]
    scale: Float[np.ndarray, "channel"]
    why: str


def check_states(states: int | str | None) -> None:
    """Raise a UserError unless ``states`` is None, "bic", "held-out" or a number of states."""
    number = isinstance(states, int) and not isinstance(states, bool) and 1 <= states <= 20
    if not (number or states in (None, "bic", "held-out")):
        raise UserError(f'change_points: states must be None, "bic", "held-out" or 1 to 20, got {states!r}')


def _records(
    channels: list[Curves], errors: Errors, transform: str
) -> tuple[Records, Float[np.ndarray, "channel"], Float[np.ndarray, "channel"], np.ndarray, np.ndarray]:
    """All seeds of all conditions as rows, in units of each observable's spread; runs of records where many."""
    n = len(channels[0].time)
    first = np.unique(np.linspace(0, n, min(n, _MOST_RECORDS) + 1).astype(int)[:-1])
    last = np.r_[first[1:], n] - 1
    values, seen, noise, centre, scale = [], [], [], [], []
    for c, error in zip(channels, errors, strict=True):
        block = c.values.reshape(-1, n).copy()
        good = np.isfinite(block)
        if good.any():
            block[good] = transformed(block[good], transform, c.name)
            block /= max(float(np.abs(block[good]).max()), 1e-300)
        size = max(float(np.abs(c.values[np.isfinite(c.values)]).max(initial=0.0)), 1e-300)
        count = np.add.reduceat(good, first, axis=1)
        mean = np.add.reduceat(np.where(good, block, 0.0), first, axis=1) / np.maximum(count, 1)
        known = np.zeros(block.shape)
        if error is not None:
            e = error.reshape(-1, n) / size
            known = np.where(np.isfinite(e), e, 0.0) ** 2
        known = np.add.reduceat(np.where(good, known, 0.0), first, axis=1) / np.maximum(count, 1) ** 2
        here = count > 0
        middle = float(mean[here].mean()) if here.any() else 0.0
        spread = float(mean[here].std()) if here.any() else 0.0
        unit = spread if spread > 1e-9 else 1.0
        values.append(np.where(here, (mean - middle) / unit, 0.0) if spread > 1e-9 else np.zeros(mean.shape))
        seen.append(here)
        noise.append(known / unit**2)
        whole = size if transform == "none" else 1.0
        centre.append(middle * whole)
        scale.append(unit * whole)
    stacked = Records(np.stack(values, axis=-1), np.stack(seen, axis=-1), np.stack(noise, axis=-1))
    return stacked, np.array(centre), np.array(scale), first, last


def _best(records: Records, states: int, smaller: Map | None, rng: np.random.Generator) -> Map:
    """The best of many starts; those grown from the model with one state less make sure that more states fit better."""
    starts, n = 1 if states == 1 else _STARTS, len(records.y)
    first = restarts(records, states, starts, rng)
    if smaller is not None:
        first = first.beside(grown(smaller))
    found = fit_map(records, first, np.ones((len(first.mean), n)), rounds=8)
    lead = np.argsort(-found.ll.sum(axis=1))[:3]
    found = fit_map(records, found.some(lead), np.ones((len(lead), n)))
    return found.some(np.array([found.ll.sum(axis=1).argmax()]))


def _held_out(records: Records, whole: Map, rng: np.random.Generator) -> Float[np.ndarray, "row"]:
    """Log-likelihood of every seed under the model of the other ones, in up to five folds of seeds."""
    n = len(records.y)
    if n < 3:
        return np.full(n, np.nan)
    fold = rng.permutation(n) % min(n, _FOLDS)
    folds = int(fold.max()) + 1
    k = whole.mean.shape[1]
    fresh = restarts(records, k, _FOLD_STARTS - 1, rng)
    many = whole.beside(fresh).some(np.tile(np.arange(_FOLD_STARTS), folds))
    inside = np.repeat(fold[None] != np.arange(folds)[:, None], _FOLD_STARTS, axis=0).astype(float)
    found = fit_map(records, many, inside, rounds=25)
    total = (inside * found.ll).sum(axis=1).reshape(folds, _FOLD_STARTS)
    ll = found.ll.reshape(folds, _FOLD_STARTS, n)[np.arange(folds), total.argmax(axis=1)]
    return ll[fold, np.arange(n)]


def training_map(
    channels: list[Curves],
    errors: Errors,
    transform: str,
    states: int | str,
    adjusted: Float[np.ndarray, "condition seed"],
    alpha: float,
    rng: np.random.Generator,
) -> States:
    """Fit maps of one to six states, choose their number, and follow every seed through them.

    A state is a piece of any curve, of slow noise too. So steps between states are claimed only in seeds that pass
    the test of any change, and there is no map where no seed does. Log-likelihoods are shrunk by
    (1 - phi) / (1 + phi), phi from inside the states of the largest model: correlated records count as fewer.
    """
    records, centre, scale, first, last = _records(channels, errors, transform)
    rows, runs = records.y.shape[:2]
    passes = np.nan_to_num(adjusted.ravel(), nan=1.0) <= alpha
    alive = records.seen.any(axis=(1, 2))
    nothing = np.full((rows, runs), -1)
    none = np.full(rows, np.nan)
    why = "" if passes.any() else "no seed passes the test of any change, so it has one state"
    if not passes.any() or runs < 4:
        why = why or "there are too few records for a map"
        return States(_sizes([]), None, nothing, first, last, none, float("nan"), passes, centre, scale, why)
    used = Records(records.y[alive], records.seen[alive], records.noise[alive])
    count = int(used.seen.any(axis=2).sum())
    each = used.seen.any(axis=2).sum(axis=1)
    tried = [states] if isinstance(states, int) else list(range(1, min(_MOST_STATES, runs // 2) + 1))
    models: list[Map] = []
    for k in range(1, max(tried) + 1):
        models.append(_best(used, k, models[-1] if models else None, rng))
    models = [models[k - 1] for k in tried]
    wanted = states == "held-out"
    held = [_held_out(used, m, rng) if wanted else np.full(len(used.y), np.nan) for m in models]
    phi = within_phi(used, models[-1], paths(used, models[-1]))
    shrunk = (1 - phi) / (1 + phi)
    table = []
    for k, m, h in zip(tried, models, held, strict=True):
        ll = float(m.ll.sum())
        parameters = k - 1 + k * (k - 1) + 2 * k * used.y.shape[2]
        bic = -2 * shrunk * ll + parameters * float(np.log(max(count * shrunk, 2.0)))
        table.append((k, parameters, ll, bic, float((h / each).mean())))
    at = int(np.argmin([row[3] for row in table]))
    if wanted and np.isfinite(table[0][4]):
        at = _smallest_as_good(np.stack([h / each for h in held]))
    model = models[at]
    chosen = held[at] if wanted else _held_out(used, model, rng)
    table[at] = (*table[at][:4], float((chosen / each).mean()))
    path = paths(used, model)
    order = _order(path, model.mean.shape[1])
    model = model.sorted(order)
    rank = np.argsort(order)
    full = nothing.copy()
    # a seed that has ended is in no state
    there = used.seen.sum(axis=2) > 0
    ends = runs - 1 - there[:, ::-1].argmax(axis=1)
    full[alive] = np.where(np.arange(runs)[None] <= ends[:, None], rank[path], -1)
    out = none.copy()
    out[alive] = chosen / each
    return States(_sizes(table), model, full, first, last, out, phi, passes, centre, scale, "")


def _smallest_as_good(held: Float[np.ndarray, "size seed"]) -> int:
    """Fewest states whose held-out log-likelihood is within one standard error (over seeds) of the best one."""
    best = held[int(held.mean(axis=1).argmax())]
    gap = best - held
    error = gap.std(axis=1, ddof=1) / np.sqrt(gap.shape[1])
    return int(np.flatnonzero(gap.mean(axis=1) <= error)[0])


def _order(path: Int[np.ndarray, "row run"], states: int) -> Int[np.ndarray, "state"]:
    """States by the mean place at which seeds first meet them; states that none meets come last."""
    place = np.full(states, np.inf)
    for k in range(states):
        met = (path == k).any(axis=1)
        if met.any():
            place[k] = float((path[met] == k).argmax(axis=1).mean())
    return np.argsort(place, kind="stable")


def _sizes(rows: list[tuple[int, int, float, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["states", "parameters", "log_likelihood", "bic", "held_out"])


def _moves(path: Int[np.ndarray, "run"]) -> list[tuple[int, int, int]]:
    """Steps of one seed: state before, state after, first run after; runs without a state are skipped."""
    seen = np.flatnonzero(path >= 0)
    at = path[seen]
    return [(int(at[i - 1]), int(at[i]), int(seen[i])) for i in range(1, len(seen)) if at[i] != at[i - 1]]


def map_tables(m: States, channels: list[Curves], level: float) -> dict[str, pd.DataFrame]:
    """The tables of a training map; empty ones where there is no map."""
    data = channels[0]
    conditions, seeds = data.conditions, data.seeds
    names = [c.name for c in channels]
    label = [(c, s) for c in conditions for s in seeds]
    moves = [_moves(row) if ok else [] for row, ok in zip(m.path, m.passes, strict=True)]
    states, steps, drivers, rows = [], [], [], []
    counted: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for r, own in enumerate(moves):
        for a, b, run in own:
            counted.setdefault((a, b), []).append((r, run))
    if m.model is not None:
        mean, var = m.model.mean[0], m.model.var[0]
        inside = m.path >= 0
        for k in range(len(mean)):
            for c, name in enumerate(names):
                states.append(
                    {
                        "state": k,
                        "seeds": int((m.path == k).any(axis=1).sum()),
                        "share": float((m.path == k).sum() / max(int(inside.sum()), 1)),
                        "observable": name,
                        "mean": float(m.centre[c] + m.scale[c] * mean[k, c]),
                        "sd": float(m.scale[c] * np.sqrt(var[k, c])),
                    }
                )
        able = int((m.passes & inside.any(axis=1)).sum())
        for (a, b), who in sorted(counted.items()):
            share = proportion(len({r for r, _ in who}), able, level=level)
            after = [float(data.time[m.first[run - 1]]) for _, run in who]
            upto = [float(data.time[m.last[run]]) for _, run in who]
            shift = (mean[b] - mean[a]) / np.sqrt((var[a] + var[b]) / 2)
            part = shift**2 / max(float((shift**2).sum()), 1e-300)
            lead = int(np.abs(shift).argmax())
            steps.append(
                {
                    "before": a, "later": b, "seeds": len({r for r, _ in who}), "of": able, "share": share.value,
                    "share_low": share.low, "share_high": share.high, "probability": float(m.model.step[0, a, b]),
                    "after": float(np.median(after)), "upto": float(np.median(upto)), "driver": names[lead],
                    "shift": float(shift[lead]),
                }
            )  # fmt: skip
            for c in np.argsort(-part):
                drivers.append(
                    {"before": a, "later": b, "observable": names[c], "shift": float(shift[c]), "part": float(part[c])}
                )
        z = _robust(m.held)
        for r, (condition, seed) in enumerate(label):
            if not inside[r].any():
                continue
            visited = m.path[r][m.path[r] >= 0]
            walk = visited[np.r_[True, np.diff(visited) != 0]] if m.passes[r] else visited[:1]
            rare = [(a, b) for a, b, _ in moves[r] if len({q for q, _ in counted[a, b]}) <= _RARE * able]
            rows.append(
                {
                    "condition": condition,
                    "seed": seed,
                    "steps": len(moves[r]),
                    "path": " > ".join(str(k) for k in walk) if m.passes[r] else "not tested to change",
                    "held_out": float(m.held[r]),
                    "held_out_z": float(z[r]),
                    "rare_steps": len(rare),
                    "odd": bool(np.nan_to_num(z[r]) < -_ODD) or bool(rare),
                }
            )
    columns = {
        "map_states": "state seeds share observable mean sd",
        "map_steps": "before later seeds of share share_low share_high probability after upto driver shift",
        "map_drivers": "before later observable shift part",
        "map_seeds": "condition seed steps path held_out held_out_z rare_steps odd",
    }
    made = {"map_states": states, "map_steps": steps, "map_drivers": drivers, "map_seeds": rows}
    out = {"map_sizes": m.sizes}
    return out | {name: pd.DataFrame(made[name], columns=columns[name].split()) for name in columns}


def map_states(m: States, data: Curves) -> Float[np.ndarray, "condition seed time"]:
    """State of every record; NaN where the seed has ended, and where it is not shown to change."""
    run = np.searchsorted(m.first, np.arange(len(data.time)), side="right") - 1
    state = np.where((m.path >= 0) & m.passes[:, None], m.path, np.nan)
    return state[:, run].reshape(data.values.shape)


def _robust(values: Float[np.ndarray, "row"]) -> Float[np.ndarray, "row"]:
    """Robust z of each value; NaN below five of them."""
    good = np.isfinite(values)
    if good.sum() < 5:
        return np.full(len(values), np.nan)
    middle = float(np.median(values[good]))
    spread = 1.4826 * float(np.median(np.abs(values[good] - middle)))
    return (values - middle) / spread if spread > 1e-12 else np.full(len(values), np.nan)


def map_words(m: States, tables: dict[str, pd.DataFrame], unit: str) -> str:
    """The map in plain sentences."""
    if m.model is None:
        return f"No training map: {m.why}."
    steps, seeds = tables["map_steps"], tables["map_seeds"]
    out = [f"A training map of {m.model.mean.shape[1]} states shared by all seeds."]
    told: list[Any] = list(steps.sort_values("seeds", ascending=False).head(4).sort_values("upto").itertuples())
    unit = f" {unit}" if unit else ""
    for row in told:
        out.append(
            f"{row.seeds} of {row.of} seeds go from state {row.before} to {row.later}, typically between {row.after:g} "
            f"and {row.upto:g}{unit}; {row.driver} shifts most ({row.shift:+.2g} sd)."
        )
    if len(steps) > 4:
        out.append(f"{len(steps) - 4} more steps are in the table.")
    odd = seeds[seeds["odd"].astype(bool)] if len(seeds) else seeds
    if len(odd):
        out.append(f"Seeds with a path or a fit unlike the others': {', '.join(str(s) for s in odd['seed'])}.")
    return " ".join(out)
