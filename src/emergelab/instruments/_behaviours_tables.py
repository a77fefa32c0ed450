"""Tables of `behaviours`: rates over seeds, what is new, contrasts, how much hangs on the thresholds, human labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from emergelab.errors import UserError, nearest
from emergelab.instruments._behaviours_bouts import Seen, Tally, complete
from emergelab.instruments._behaviours_language import say, text, units
from emergelab.instruments._behaviours_read import Tracks
from emergelab.instruments._behaviours_truth import runs_of
from emergelab.statistics import Estimate, difference, estimate, holm

__all__ = ["Ask", "agreement_table", "contrast_table", "ethogram", "new_table", "seed_table", "sensitivity_table"]

_NAN = float("nan")


@dataclass(frozen=True)
class Ask:
    """How surely to speak."""

    level: float
    draws: int
    rng: np.random.Generator

    def mean(self, values: Float[np.ndarray, "seed"], top: float = np.inf) -> Estimate:
        """Mean over seeds of something that cannot be below 0."""
        return estimate(values, level=self.level, draws=max(999, self.draws), rng=self.rng, bounds=(0.0, top))


def runs_in(tracks: Tracks, condition: int) -> slice:
    """The runs of a condition."""
    return slice(condition * len(tracks.seeds), (condition + 1) * len(tracks.seeds))


def ethogram(seen: Sequence[Seen], tracks: Tracks, ask: Ask) -> pd.DataFrame:
    """One row a condition and behaviour: what it is, how often, how long."""
    rows, clock = [], tracks.clock
    for c, condition in enumerate(tracks.conditions):
        runs = runs_in(tracks, c)
        for one in seen:
            own = (one.run >= runs.start) & (one.run < runs.stop)
            length = clock[one.stop[own]] - clock[one.start[own]]
            rate, share = ask.mean(one.tally.rate[runs]), ask.mean(one.tally.share[runs], 1.0)
            spread = float(length.std() / length.mean()) if len(length) > 1 and length.mean() > 0 else _NAN
            rows.append(
                {
                    "condition": condition,
                    "behaviour": one.rule.name,
                    "bouts": len(length),
                    "rate": rate.value,
                    "low": rate.low,
                    "high": rate.high,
                    "share": share.value,
                    "share_low": share.low,
                    "share_high": share.high,
                    "median_duration": float(np.median(length)) if len(length) else _NAN,
                    "mean_duration": float(length.mean()) if len(length) else _NAN,
                    "longest": float(length.max()) if len(length) else _NAN,
                    "spread": spread,
                    "complete": int(complete(one)[own].sum()),
                    "seeds_with": int((one.tally.bouts[runs].sum(axis=1) > 0).sum()),
                    "read_as": text(one.rule.node),
                    "means": say(one.rule.node),
                    "units": units(one.rule.node, tracks.length_unit, tracks.time_unit),
                }
            )
    return pd.DataFrame(rows)


def seed_table(seen: Sequence[Seen], tracks: Tracks) -> pd.DataFrame:
    """One row a condition, seed and behaviour."""
    n = len(tracks.seeds)
    return pd.DataFrame(
        [
            (tracks.conditions[r // n], tracks.seeds[r % n], one.rule.name, int(one.tally.bouts[r].sum()),
             float(one.tally.observed[r].sum()), float(one.tally.rate[r]), float(one.tally.share[r]))
            for r in range(tracks.runs)
            for one in seen
        ],
        columns=["condition", "seed", "behaviour", "bouts", "observed", "rate", "share"],
    )  # fmt: skip


def _appears(tally: Tally, runs: slice, ask: Ask) -> tuple[Estimate, float]:
    """Rate in the last third, and the p of a behaviour that is not there in the first; NaN where one is not seen."""
    rates = tally.by_third[runs]
    last = ask.mean(rates[:, 2])
    early, late = np.isfinite(rates[:, 0]), np.isfinite(rates[:, 2])
    if not late.any() or not early[late].all():
        return last, _NAN
    if tally.bouts[runs][:, 0].any():
        return last, 1.0
    return last, last.p_two_sided(0.0)


def new_table(seen: Sequence[Seen], tracks: Tracks, ask: Ask) -> pd.DataFrame:
    """Rates by thirds of the record; new is what no seed shows in the first and what is there in the last for sure."""
    rows, p = [], []
    for c, condition in enumerate(tracks.conditions):
        runs = runs_in(tracks, c)
        for one in seen:
            last, value = _appears(one.tally, runs, ask)
            rates, counts = one.tally.by_third[runs], one.tally.bouts[runs]
            p.append(value)
            means = [float(v[np.isfinite(v)].mean()) if np.isfinite(v).any() else _NAN for v in rates.T]
            rows.append(
                {
                    "condition": condition,
                    "behaviour": one.rule.name,
                    "first": means[0],
                    "middle": means[1],
                    "last": last.value,
                    "low": last.low,
                    "high": last.high,
                    "seeds_first": int((counts[:, 0] > 0).sum()),
                    "seeds_last": int((counts[:, 2] > 0).sum()),
                    "p": value,
                    "claimed": last.claimed and last.low > 0,
                }
            )
    frame = pd.DataFrame(rows)
    frame["p_holm"] = holm(np.array(p))
    certain = frame.pop("claimed").to_numpy(dtype=bool)
    frame["new"] = certain & (frame["p_holm"].to_numpy() <= 1 - ask.level)
    return frame


def contrast_table(seen: Sequence[Seen], tracks: Tracks, paired: bool, ask: Ask) -> pd.DataFrame:
    """Differences of rates between conditions, Holm over behaviours and pairs."""
    rows, p = [], []
    for one in seen:
        for a, b in combinations(range(len(tracks.conditions)), 2):
            left, right = (one.tally.rate[runs_in(tracks, c)] for c in (a, b))
            e = difference(left, right, paired=paired, level=ask.level, draws=max(999, ask.draws), rng=ask.rng)
            p.append(e.p_two_sided(0.0))
            rows.append((one.rule.name, tracks.conditions[a], tracks.conditions[b], e.value, e.low, e.high, p[-1]))
    frame = pd.DataFrame(rows, columns=["behaviour", "a", "b", "difference", "low", "high", "p"])
    frame["p_holm"] = holm(np.array(p))
    return frame


def sensitivity_table(
    seen: Sequence[Seen], other: Sequence[tuple[str, float, Seen]], tracks: Tracks, ask: Ask
) -> pd.DataFrame:
    """What comes out with other thresholds, other times, and every second record."""
    base = {one.rule.name: one for one in seen}
    rows = []
    for c, condition in enumerate(tracks.conditions):
        runs = runs_in(tracks, c)
        for what, factor, one in [("as asked", 1.0, s) for s in seen] + list(other):
            rate, share = (_mean(v[runs]) for v in (one.tally.rate, one.tally.share))
            asked = _mean(base[one.rule.name].tally.rate[runs])
            last, p = _appears(one.tally, runs, ask)
            rows.append(
                {
                    "condition": condition,
                    "behaviour": one.rule.name,
                    "setting": what,
                    "factor": factor,
                    "bouts": int(one.tally.bouts[runs].sum()),
                    "rate": rate,
                    "share": share,
                    "beside_asked": rate / asked if asked > 0 else _NAN,
                    "appears": bool(last.claimed and last.low > 0 and p <= 1 - ask.level),
                }
            )
    return pd.DataFrame(rows)


def _mean(values: Float[np.ndarray, "seed"]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else _NAN


def agreement_table(seen: Sequence[Seen], tracks: Tracks, labels: pd.DataFrame | str, ask: Ask) -> pd.DataFrame:
    """Found bouts beside those a person marked: F1 of bouts that overlap by half, and kappa of records."""
    marked = _from_variable(labels, seen, tracks) if isinstance(labels, str) else _from_frame(labels, seen, tracks)
    rows = []
    for c, condition in enumerate(tracks.conditions):
        runs = range(tracks.runs)[runs_in(tracks, c)]
        for one, truth in zip(seen, marked, strict=True):
            hits, found, real, kappa = (np.zeros(len(runs)) for _ in range(4))
            for i, r in enumerate(runs):
                hits[i], found[i], real[i] = _matches(one.active[r], truth[r], tracks.widths)
                kappa[i] = _kappa(one.active[r], truth[r], one.known[r], tracks.widths)
            score = np.where(found + real > 0, 2 * hits / np.maximum(found + real, 1), np.nan)
            f1 = ask.mean(score, 1.0)
            rows.append(
                {
                    "condition": condition,
                    "behaviour": one.rule.name,
                    "marked": int(real.sum()),
                    "found": int(found.sum()),
                    "matched": int(hits.sum()),
                    "precision": float(hits.sum() / found.sum()) if found.sum() else _NAN,
                    "recall": float(hits.sum() / real.sum()) if real.sum() else _NAN,
                    "F1": f1.value,
                    "low": f1.low,
                    "high": f1.high,
                    "kappa": _mean(kappa),
                }
            )
    return pd.DataFrame(rows)


def _from_variable(name: str, seen: Sequence[Seen], tracks: Tracks) -> list[Bool[np.ndarray, "run agent time"]]:
    if tracks.kinds.get(name) != "text":
        words = [n for n, k in tracks.kinds.items() if k == "text"]
        raise UserError(f"behaviours: labels: no variable of words {name!r} in the data{nearest(name, words)}")
    return [tracks.variables[name] == one.rule.name for one in seen]


def _from_frame(labels: pd.DataFrame, seen: Sequence[Seen], tracks: Tracks) -> list[Bool[np.ndarray, "run agent time"]]:
    """Marks from rows (condition, seed, agent, behaviour, start, end); without a column, for all."""
    for column in ("behaviour", "start", "end"):
        if column not in labels.columns:
            raise UserError(f"behaviours: labels need the column {column!r}{nearest(column, map(str, labels.columns))}")
    names = [one.rule.name for one in seen]
    axes: dict[str, Sequence[Any]] = {"condition": tracks.conditions, "seed": tracks.seeds, "agent": tracks.agents}
    marks = [np.zeros((len(tracks.conditions), len(tracks.seeds), *one.known.shape[1:]), dtype=bool) for one in seen]
    for row in labels.to_dict(orient="records"):
        if row["behaviour"] not in names:
            continue
        place: list[Any] = []
        for column, known in axes.items():
            told = {str(v): i for i, v in enumerate(known)}
            if column not in row:
                place.append(slice(None))
            elif str(row[column]) in told:
                place.append(told[str(row[column])])
            else:
                raise UserError(
                    f"behaviours: labels: no {column} {str(row[column])!r}{nearest(str(row[column]), told)}"
                )
        inside = (tracks.time >= float(row["start"])) & (tracks.time <= float(row["end"]))
        marks[names.index(row["behaviour"])][(*place, inside)] = True
    return [m.reshape(tracks.runs, *m.shape[2:]) for m in marks]


def _matches(
    found: Bool[np.ndarray, "agent time"], real: Bool[np.ndarray, "agent time"], widths: Float[np.ndarray, "time"]
) -> tuple[int, int, int]:
    """Pairs of bouts whose overlap is half of what they cover together or more, each used once; and both numbers."""
    clock = np.append(0.0, np.cumsum(widths))
    a, b = runs_of(found), runs_of(real)
    hits, j = 0, 0
    for i in range(len(a.row)):  # both are in order, so one pass down the two lists finds all overlaps
        mine = (a.row[i], a.start[i])
        while j < len(b.row) and (b.row[j], b.stop[j]) <= mine:
            j += 1
        k = j
        while k < len(b.row) and b.row[k] == a.row[i] and b.start[k] < a.stop[i]:
            shared = clock[min(a.stop[i], b.stop[k])] - clock[max(a.start[i], b.start[k])]
            covered = clock[max(a.stop[i], b.stop[k])] - clock[min(a.start[i], b.start[k])]
            if shared >= 0.5 * covered:
                hits, j = hits + 1, k + 1
                break
            k += 1
    return hits, len(a.row), len(b.row)


def _kappa(
    found: Bool[np.ndarray, "agent time"],
    real: Bool[np.ndarray, "agent time"],
    known: Bool[np.ndarray, "agent time"],
    widths: Float[np.ndarray, "time"],
) -> float:
    """Cohen's kappa of the records in which the behaviour could be seen; NaN where both always say the same word."""
    weight = known * widths
    total = float(weight.sum())
    if total <= 0:
        return _NAN
    a, b = float((weight * found).sum()) / total, float((weight * real).sum()) / total
    agree = float((weight * (found == real)).sum()) / total
    chance = a * b + (1 - a) * (1 - b)
    return (agree - chance) / (1 - chance) if chance < 1 - 1e-12 else _NAN
