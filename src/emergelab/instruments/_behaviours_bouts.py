"""From predicates to bouts: runs of records, joined over short gaps, kept if long enough, counted and described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from emergelab.instruments._behaviours_language import Node, Point, Quantity, dyadic, scaled
from emergelab.instruments._behaviours_read import Region, Tracks
from emergelab.instruments._behaviours_truth import Meter, Runs, paint, runs_of, where

__all__ = [
    "Rule",
    "Seen",
    "Setting",
    "Starts",
    "Tally",
    "complete",
    "event_frame",
    "observe",
    "settings",
    "starts_of",
    "thinned",
]

_MOST_CELLS = 4_000_000  # run x agent x partner x time, measured at once
_FACTORS = (0.7, 0.85, 1.15, 1.3)


@dataclass(frozen=True)
class Rule:
    """A predicate, and which of its runs are bouts: joined over gaps up to ``merge``, then kept from ``minimum`` on."""

    name: str
    node: Node
    minimum: float
    merge: float

    def at(self, thresholds: float, durations: float) -> Rule:
        """The same with other thresholds or times."""
        node = scaled(self.node, thresholds, durations)
        return replace(self, node=node, minimum=self.minimum * durations, merge=self.merge * durations)


@dataclass(frozen=True)
class Tally:
    """Bouts that begin in each third of the record, and the time of agents in it in which that could be seen."""

    bouts: Int[np.ndarray, "run third"]
    observed: Float[np.ndarray, "run third"]
    active: Float[np.ndarray, "run"]

    @property
    def rate(self) -> Float[np.ndarray, "run"]:
        """Bouts per agent and unit of time."""
        return _ratio(self.bouts.sum(axis=1), self.observed.sum(axis=1))

    @property
    def by_third(self) -> Float[np.ndarray, "run third"]:
        """The same in each third."""
        return _ratio(self.bouts, self.observed)

    @property
    def share(self) -> Float[np.ndarray, "run"]:
        """Share of the time."""
        return _ratio(self.active, self.observed.sum(axis=1))


@dataclass(frozen=True)
class Seen:
    """The bouts of one behaviour.

    Attributes:
        rule: what was looked for.
        run, agent, partner, start, stop: one entry a bout; partner -1 where there is none, stop is left out.
        features: name -> one number a bout.
        active: an agent is in a bout, with whomever.
        known: it is known whether it is.
        tally: counts.
    """

    rule: Rule
    run: Int[np.ndarray, "n"]
    agent: Int[np.ndarray, "n"]
    partner: Int[np.ndarray, "n"]
    start: Int[np.ndarray, "n"]
    stop: Int[np.ndarray, "n"]
    features: Mapping[str, Float[np.ndarray, "n"]]
    active: Bool[np.ndarray, "run agent time"]
    known: Bool[np.ndarray, "run agent time"]
    tally: Tally


@dataclass(frozen=True)
class Setting:
    """One way to set what the user had to choose."""

    what: str
    factor: float
    rule: Rule


@dataclass(frozen=True)
class Starts:
    """When bouts begin, in no order.

    Attributes:
        lane: which agent of which run.
        at: record at which the bout begins.
        kind: number of the behaviour.
        overlap: share of the time in a bout that is spent in two or more at once.
    """

    lane: Int[np.ndarray, "n"]
    at: Int[np.ndarray, "n"]
    kind: Int[np.ndarray, "n"]
    overlap: float


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(b > 0, a / np.where(b > 0, b, 1.0), np.nan)


def settings(rule: Rule) -> list[Setting]:
    """Other thresholds and other times; none where the predicate has no such number."""
    ways = [("thresholds", f, rule.at(f, 1.0)) for f in _FACTORS] + [("times", f, rule.at(1.0, f)) for f in (0.5, 2.0)]
    return [Setting(*w) for w in ways if w[2] != rule]


def thinned(tracks: Tracks) -> Tracks:
    """Every second record."""
    return replace(
        tracks,
        positions=None if tracks.positions is None else tracks.positions[..., ::2, :],
        variables={n: v[..., ::2] for n, v in tracks.variables.items()},
        time=tracks.time[::2],
    )


def observe(
    tracks: Tracks,
    rules: list[Rule],
    regions: Mapping[str, Region],
    span: float | None,
    axis: tuple[str, str] | None,
) -> list[Seen]:
    """The bouts of every rule. Runs are taken some at a time, so that what is measured fits in memory."""
    n, t = len(tracks.agents), len(tracks.time)
    pairs = n if any(dyadic(r.node) for r in rules) else 1
    step = max(1, _MOST_CELLS // max(1, n * pairs * t))
    found: list[list[Seen]] = [[] for _ in rules]
    for first in range(0, tracks.runs, step):
        some = slice(first, first + step)
        meter = Meter(
            None if tracks.positions is None else tracks.positions[some],
            {name: v[some] for name, v in tracks.variables.items()},
            tracks.time, tracks.widths, tracks.agents, tracks.parts, regions, span, axis,
        )  # fmt: skip
        runs = min(step, tracks.runs - first)
        for i, rule in enumerate(rules):
            found[i].append(_seen(rule, meter, (runs, n, t), first))
    return [_together(parts) for parts in found]


def _together(parts: list[Seen]) -> Seen:
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in parts])
        for name in ("run", "agent", "partner", "start", "stop", "active", "known")
    }
    features = {f: np.concatenate([p.features[f] for p in parts]) for f in parts[0].features}
    tally = Tally(*(np.concatenate([getattr(p.tally, f) for p in parts]) for f in ("bouts", "observed", "active")))
    return Seen(rule=parts[0].rule, features=features, tally=tally, **joined)


def _seen(rule: Rule, meter: Meter, shape: tuple[int, int, int], first: int) -> Seen:
    runs, n, t = shape
    partners = n if dyadic(rule.node) else 1
    truth = where(rule.node, meter)
    whole = (runs, n, partners, t)
    yes, no = (np.array(np.broadcast_to(x, whole)) for x in (truth.yes, truth.no))
    if partners > 1:  # nobody is its own partner
        for x in (yes, no):
            x[:, np.arange(n), np.arange(n)] = False
    elif dyadic(rule.node):
        yes[:], no[:] = False, False
    rows = yes.reshape(-1, t)
    clock = np.append(0.0, np.cumsum(meter.widths))
    kept = _bouts(runs_of(rows), clock, rule)
    active = np.asarray(paint(kept, rows.shape).reshape(whole).any(axis=2))
    known = np.asarray((yes | no).any(axis=2) | active)
    run, agent, partner = np.unravel_index(kept.row, whole[:3])
    thirds = _thirds(meter.time)
    bouts = np.zeros((runs, 3), dtype=int)
    np.add.at(bouts, (run, thirds[kept.start]), 1)
    observed = np.stack([(known * meter.widths * (thirds == k)).sum(axis=(1, 2)) for k in range(3)], axis=1)
    return Seen(
        rule=rule,
        run=run + first,
        agent=agent,
        partner=partner if dyadic(rule.node) else np.full(len(run), -1),
        start=kept.start,
        stop=kept.stop,
        features=_features(meter, rule, run, agent, partner, kept),
        active=active,
        known=known,
        tally=Tally(bouts, observed, (active * meter.widths).sum(axis=(1, 2))),
    )


def _thirds(time: Float[np.ndarray, "time"]) -> Int[np.ndarray, "time"]:
    """Which third of the whole time each record lies in."""
    whole = time[-1] - time[0]
    return np.minimum((3 * (time - time[0]) / whole).astype(int), 2) if whole > 0 else np.zeros(len(time), dtype=int)


def _bouts(runs: Runs, clock: Float[np.ndarray, "edge"], rule: Rule) -> Runs:
    """Runs joined over gaps of at most ``merge``, then those of at least ``minimum``."""
    if not len(runs.row):
        return runs
    gap = clock[runs.start[1:]] - clock[runs.stop[:-1]]
    joined = (runs.row[1:] == runs.row[:-1]) & (gap <= rule.merge * (1 + 1e-9)) & (rule.merge > 0)
    begins, ends = np.append(True, ~joined), np.append(~joined, True)
    row, start, stop = runs.row[begins], runs.start[begins], runs.stop[ends]
    long = clock[stop] - clock[start] >= rule.minimum * (1 - 1e-9)
    return Runs(row[long], start[long], stop[long])


def _features(
    meter: Meter, rule: Rule, run: np.ndarray, agent: np.ndarray, partner: np.ndarray, kept: Runs
) -> dict[str, Float[np.ndarray, "n"]]:
    """What agents do during a bout: how fast they are, how far they get, how near the partner is."""
    if meter.positions is None:
        return {}
    me = Point("self")
    speed = meter.measure(Quantity("speed", (me,)))[:, :, 0]
    place = meter._track(None)
    with np.errstate(all="ignore"):
        moved = np.sqrt(((place[run, agent, kept.stop - 1] - place[run, agent, kept.start]) ** 2).sum(axis=-1))
    told = {"mean_speed": _mean_within(speed, (run, agent), kept), "displacement": moved}
    if dyadic(rule.node):
        apart = meter.measure(Quantity("distance", (me, Point("other"))))
        told["mean_distance"] = _mean_within(apart, (run, agent, partner), kept)
    return {name: np.where(np.isfinite(v), v, np.nan) for name, v in told.items()}


def _mean_within(x: Float[np.ndarray, "*rows time"], at: tuple[np.ndarray, ...], kept: Runs) -> Float[np.ndarray, "n"]:
    """Mean of what is known from the start of a bout to its end."""
    known = np.isfinite(x)
    total, count = (
        np.concatenate([np.zeros((*v.shape[:-1], 1)), v.cumsum(axis=-1)], axis=-1)
        for v in (np.where(known, x, 0.0), known.astype(float))
    )
    inside = [v[(*at, kept.stop)] - v[(*at, kept.start)] for v in (total, count)]
    return _ratio(inside[0], inside[1])


def complete(one: Seen) -> Bool[np.ndarray, "n"]:
    """Whether both ends of a bout were seen: nothing is missing on either side of it."""
    last = one.known.shape[-1]
    inside = (one.start > 0) & (one.stop < last)
    before, after = np.maximum(one.start - 1, 0), np.minimum(one.stop, last - 1)
    seen = one.known[one.run, one.agent, before] & one.known[one.run, one.agent, after]
    return np.asarray(inside & seen)


def event_frame(seen: list[Seen], tracks: Tracks) -> pd.DataFrame:
    """One row a bout. Its end is its last record; its duration counts half the gap to the next on either side."""
    clock = tracks.clock
    columns = ["condition", "seed", "behaviour", "agent", "partner", "start", "end", "duration", "complete"]
    frames = [pd.DataFrame(columns=columns)]
    names = np.array([*tracks.agents, ""])
    for one in seen:
        frames.append(
            pd.DataFrame(
                {
                    "condition": np.array(tracks.conditions)[one.run // len(tracks.seeds)],
                    "seed": [tracks.seeds[r] for r in one.run % len(tracks.seeds)],
                    "behaviour": one.rule.name,
                    "agent": names[one.agent],
                    "partner": names[one.partner],
                    "start": tracks.time[one.start],
                    "end": tracks.time[one.stop - 1],
                    "duration": clock[one.stop] - clock[one.start],
                    "complete": complete(one),
                    **one.features,
                }
            )
        )
    full = [f for f in frames if len(f)] or frames[:1]
    return pd.concat(full, ignore_index=True)


def starts_of(seen: Sequence[Seen], runs: slice) -> Starts:
    """When agents begin each behaviour in some of the runs. Bouts with several partners at a time are one."""
    t = seen[0].active.shape[-1]
    active = np.stack([one.active[runs] for one in seen])
    found = [runs_of(a.reshape(-1, t)) for a in active]
    return Starts(
        lane=np.concatenate([f.row for f in found]),
        at=np.concatenate([f.start for f in found]),
        kind=np.repeat(np.arange(len(seen)), [len(f.row) for f in found]),
        overlap=float((active.sum(axis=0) > 1).sum() / max(1, active.any(axis=0).sum())),
    )
