"""Measuring predicates on tracks: where each of them holds, where it does not, and where that is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from emergelab.instruments._behaviours_language import (
    And,
    Compare,
    Inside,
    Lasting,
    Node,
    Not,
    Or,
    Point,
    Quantity,
    Variable,
)

__all__ = ["Meter", "Runs", "Truth", "paint", "runs_of", "where"]


@dataclass(frozen=True)
class Truth:
    """Where a predicate holds and where it does not; where neither is marked, nobody knows (no agent, no record)."""

    yes: Bool[np.ndarray, "run agent partner time"]
    no: Bool[np.ndarray, "run agent partner time"]


@dataclass(frozen=True)
class Runs:
    """Maximal runs of records: in which row, from which record, up to which (left out)."""

    row: Int[np.ndarray, "n"]
    start: Int[np.ndarray, "n"]
    stop: Int[np.ndarray, "n"]


def runs_of(yes: Bool[np.ndarray, "row time"]) -> Runs:
    """The maximal runs of each row, in order."""
    edge = np.zeros((len(yes), 1), dtype=np.int8)
    change = np.diff(yes.astype(np.int8), axis=1, prepend=edge, append=edge)
    row, start = np.nonzero(change == 1)
    return Runs(row, start, np.nonzero(change == -1)[1])


def paint(runs: Runs, shape: tuple[int, int]) -> Bool[np.ndarray, "row time"]:
    """The records that lie in any of the runs."""
    change = np.zeros((shape[0], shape[1] + 1), dtype=np.int32)
    np.add.at(change, (runs.row, runs.start), 1)
    np.add.at(change, (runs.row, runs.stop), -1)
    return change.cumsum(axis=1)[:, :-1] > 0


class Meter:
    """Quantities of some runs, each measured once. Arrays have the axes (run, agent, partner, time)."""

    def __init__(
        self,
        positions: Float[np.ndarray, "run agent part time space"] | None,
        variables: Mapping[str, np.ndarray],
        time: Float[np.ndarray, "time"],
        widths: Float[np.ndarray, "time"],
        agents: tuple[str, ...],
        parts: tuple[str, ...],
        regions: Mapping[str, tuple[str, np.ndarray]],
        span: float | None,
        axis: tuple[str, str] | None,
    ) -> None:
        self.positions, self.variables, self.time, self.widths = positions, variables, time, widths
        self.agents, self.parts, self.regions, self.axis = agents, parts, regions, axis
        last = len(time) - 1
        at = np.arange(len(time))
        if span is None:
            self.before, self.after = time[np.maximum(at - 1, 0)], time[np.minimum(at + 1, last)]
        else:
            self.before = np.maximum(time - 0.5 * span, time[0])
            self.after = np.minimum(time + 0.5 * span, time[last])
        self._kept: dict[object, np.ndarray] = {}

    def measure(self, what: Quantity | Variable) -> np.ndarray:
        """A quantity; NaN where it is not known."""
        if what not in self._kept:
            with np.errstate(all="ignore"):
                value = self._variable(what) if isinstance(what, Variable) else self._quantity(what)
            if value.dtype.kind == "f":
                value = np.where(np.isfinite(value), value, np.nan)
            self._kept[what] = value
        return self._kept[what]

    def inside(self, point: Point, region: str) -> Float[np.ndarray, "run agent partner time"]:
        """1 inside a region, 0 outside, NaN where the agent is not there."""
        with np.errstate(all="ignore"):
            place = self._place(point)
            x, y = place[..., 0], place[..., 1]
            kind, v = self.regions[region]
            if kind == "circle":
                found = (x - v[0]) ** 2 + (y - v[1]) ** 2 <= v[2] ** 2
            elif kind == "box":
                found = (
                    (x >= min(v[0], v[2])) & (x <= max(v[0], v[2])) & (y >= min(v[1], v[3])) & (y <= max(v[1], v[3]))
                )
            else:
                found = np.zeros(x.shape, dtype=bool)
                for (x0, y0), (x1, y1) in zip(v, np.roll(v, -1, axis=0), strict=True):  # sides crossed to the right
                    crosses = (y0 > y) != (y1 > y)
                    found ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
        return np.where(np.isnan(x), np.nan, found)

    # who

    def _spread(self, own: np.ndarray, point: Point) -> np.ndarray:
        """Values (run, agent, ...) of the agent that is meant, with an axis of agents and one of partners."""
        if point.named:
            k = self.agents.index(point.who)
            return own[:, k : k + 1, None]
        return own[:, :, None] if point.who == "self" else own[:, None, :]

    def _track(self, part: str | None) -> Float[np.ndarray, "run agent time space"]:
        """Where every agent, or one part of it, is; the mean of the parts that are seen."""
        assert self.positions is not None
        key = ("track", part)
        if key not in self._kept:
            if part is not None:
                self._kept[key] = self.positions[:, :, self.parts.index(part)]
            else:
                seen = np.isfinite(self.positions)
                total, count = np.where(seen, self.positions, 0.0).sum(axis=2), seen.sum(axis=2)
                self._kept[key] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return self._kept[key]

    def _place(self, point: Point) -> Float[np.ndarray, "run agent partner time space"]:
        return self._spread(self._track(point.part), point)

    def _velocity(self, part: str | None) -> Float[np.ndarray, "run agent time space"]:
        key = ("velocity", part)
        if key not in self._kept:
            self._kept[key] = self._slope(self._track(part))
        return self._kept[key]

    def _apart(self, value: np.ndarray, a: Point, b: Point) -> np.ndarray:
        """Nobody is its own partner: unknown there."""
        n, value = len(self.agents), np.array(value)
        roles = {p.who if not p.named else "named" for p in (a, b)}
        if roles == {"self", "other"}:
            value[:, np.arange(n), np.arange(n)] = np.nan
        elif "named" in roles and len(roles) == 2:
            k = self.agents.index(a.who if a.named else b.who)
            if "self" in roles:
                value[:, k] = np.nan
            else:
                value[:, :, k] = np.nan
        elif a.who == b.who and a.named == b.named and a.part == b.part:
            value[:] = np.nan
        return value

    # change

    def _at(self, x: Float[np.ndarray, "*rows time space"], when: Float[np.ndarray, "time"]) -> np.ndarray:
        """Values between records by straight lines; NaN before the first, and where a neighbour is missing."""
        low = np.clip(np.searchsorted(self.time, when, side="right") - 1, 0, max(len(self.time) - 2, 0))
        high = np.minimum(low + 1, len(self.time) - 1)
        gap = self.time[high] - self.time[low]
        share = np.where(gap > 0, (when - self.time[low]) / np.where(gap > 0, gap, 1.0), 0.0)[:, None]
        left, right = x[..., low, :], x[..., high, :]
        between = np.where(share == 0, left, np.where(share == 1, right, left + share * (right - left)))
        outside = (when < self.time[0]) | (when > self.time[-1])
        return np.where(outside[:, None], np.nan, between)

    def _slope(self, x: Float[np.ndarray, "*rows time space"]) -> Float[np.ndarray, "*rows time space"]:
        """Change per time around each record; one-sided where a neighbour is missing."""
        before, after = self._at(x, self.before), self._at(x, self.after)
        no_left, no_right = np.isnan(before), np.isnan(after)
        rise = np.where(no_right, x, after) - np.where(no_left, x, before)
        run = np.where(no_right, self.time[:, None], self.after[:, None]) - np.where(
            no_left, self.time[:, None], self.before[:, None]
        )
        return np.where(run > 0, rise / np.where(run > 0, run, 1.0), np.nan)

    # what

    def _variable(self, what: Variable) -> np.ndarray:
        return self._spread(self.variables[what.name], what.point)

    def _quantity(self, q: Quantity) -> Float[np.ndarray, "run agent partner time"]:
        a, b = q.points[0], q.points[-1]
        if q.name == "speed":
            return self._spread(_length(self._velocity(a.part)), a)
        if q.name == "acceleration":
            return self._spread(self._slope(_length(self._velocity(a.part))[..., None])[..., 0], a)
        if q.name == "turning":
            moved = self._velocity(a.part)
            turned = _angle(self._at(moved, self.before), self._at(moved, self.after))
            return self._spread(turned / (self.after - self.before), a)
        if q.name in ("nearest", "neighbours"):
            return self._spread(self._company(q, a), a)
        if q.name == "distance":
            return self._apart(_length(self._place(b) - self._place(a)), a, b)
        if q.name == "gap":
            return self._apart(self._gap(a, b), a, b)
        if q.name == "closing":
            apart = self._apart(_length(self._place(b) - self._place(a)), a, b)
            return -self._slope(apart[..., None])[..., 0]
        headings = [self._spread(self._velocity(p.part), p) for p in (a, b)]
        if q.name == "heading_difference":
            return self._apart(_angle(*headings), a, b)
        if q.name == "bearing":
            return self._apart(_angle(self._faces(a), self._place(b) - self._place(a)), a, b)
        return self._apart(self._trailing(a, b, q.numbers[0], headings[0]), a, b)

    def _faces(self, a: Point) -> Float[np.ndarray, "run agent partner time space"]:
        if self.axis is None:
            return self._spread(self._velocity(a.part), a)
        tail, head = (self._track(part) for part in self.axis)
        return self._spread(head - tail, a)

    def _gap(self, a: Point, b: Point) -> Float[np.ndarray, "run agent partner time"]:
        sides: list[list[Point]] = [
            [p] if p.part or not self.parts else [Point(p.who, p.named, part) for part in self.parts] for p in (a, b)
        ]
        best: np.ndarray | None = None
        for p in sides[0]:
            for q in sides[1]:
                apart = _length(self._place(q) - self._place(p))
                best = apart if best is None else np.fmin(best, apart)
        assert best is not None
        return best

    def _company(self, q: Quantity, a: Point) -> Float[np.ndarray, "run agent time"]:
        mine, theirs = Point("self", part=a.part), Point("other")
        apart = self._apart(_length(self._place(theirs) - self._place(mine)), mine, theirs)
        here = np.isfinite(self._track(a.part)).all(axis=-1)
        if q.name == "nearest":
            found = np.where(np.isnan(apart), np.inf, apart).min(axis=2)
        else:
            found = (apart <= q.numbers[0]).sum(axis=2).astype(float)
        return np.where(here, found, np.nan)

    def _trailing(
        self, a: Point, b: Point, lag: float, heading: np.ndarray
    ) -> Float[np.ndarray, "run agent partner time"]:
        """The angle between a's heading and b's a lag ago; 180 unless a is nearer to where b was than to where b is."""
        then = self.time - lag
        past = self._spread(self._at(self._track(b.part), then), b)
        led = self._spread(self._at(self._velocity(b.part), then), b)
        mine = self._place(a)
        behind, ahead = _length(past - mine), _length(self._place(b) - mine)
        angle = np.where(behind < ahead, _angle(heading, led), 180.0)
        return np.where(np.isnan(behind) | np.isnan(ahead), np.nan, angle)


def _length(x: Float[np.ndarray, "*rows space"]) -> Float[np.ndarray, "*rows"]:
    return np.sqrt((x**2).sum(axis=-1))


def _angle(u: Float[np.ndarray, "*a space"], v: Float[np.ndarray, "*b space"]) -> np.ndarray:
    """Angle between two directions in degrees, 0 to 180; NaN where there is no direction."""
    dot = (u * v).sum(axis=-1) / (_length(u) * _length(v))
    return np.degrees(np.arccos(np.clip(dot, -1.0, 1.0)))


def where(node: Node, meter: Meter) -> Truth:
    """Where a predicate holds."""
    if isinstance(node, Compare):
        return _compare(node, meter)
    if isinstance(node, Inside):
        found = meter.inside(node.point, node.region)
        return Truth(found == 1, found == 0)
    if isinstance(node, Not):
        inner = where(node.inner, meter)
        return Truth(inner.no, inner.yes)
    if isinstance(node, And):
        a, b = where(node.left, meter), where(node.right, meter)
        return Truth(a.yes & b.yes, a.no | b.no)
    if isinstance(node, Or):
        a, b = where(node.left, meter), where(node.right, meter)
        return Truth(a.yes | b.yes, a.no & b.no)
    if isinstance(node, Lasting):
        inner = where(node.inner, meter)
        return _held(inner.yes | inner.no, _long(inner.yes, node.time, meter.widths))
    first, second = where(node.first, meter), where(node.second, meter)
    shape = np.broadcast_shapes(first.yes.shape, second.yes.shape)
    known = (first.yes | first.no) & (second.yes | second.no)
    return _held(known, _after(first.yes, second.yes, shape, node.within, meter.time))


def _held(known: np.ndarray, yes: np.ndarray) -> Truth:
    """Yes where it holds, no in the rest of what is known."""
    return Truth(yes, known & ~yes)


_ORDER = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}
_SAME = {"==": np.equal, "!=": np.not_equal}


def _compare(node: Compare, meter: Meter) -> Truth:
    value = meter.measure(node.what)
    known = value != "" if value.dtype.kind == "U" else np.isfinite(value)
    beside = {**_ORDER, **_SAME}[node.sign]
    enter = beside(value, node.value) & known
    if node.leave is None:
        return Truth(enter, known & ~enter)
    # on from where it is entered until it is left; nothing is known of the time in which there is no record
    stay = beside(value, node.leave) & known
    decided = enter | ~stay
    last = np.maximum.accumulate(np.where(decided, np.arange(value.shape[-1]), 0), axis=-1)
    yes = np.take_along_axis(enter, last, axis=-1) & known
    return Truth(yes, known & ~yes)


def _long(yes: np.ndarray, time: float, widths: Float[np.ndarray, "time"]) -> np.ndarray:
    """The runs that last at least so long."""
    rows = yes.reshape(-1, yes.shape[-1])
    runs, clock = runs_of(rows), np.append(0.0, np.cumsum(widths))
    kept = clock[runs.stop] - clock[runs.start] >= time * (1 - 1e-9)
    return paint(Runs(runs.row[kept], runs.start[kept], runs.stop[kept]), rows.shape).reshape(yes.shape)


def _after(
    first: np.ndarray, second: np.ndarray, shape: tuple[int, ...], within: float, time: Float[np.ndarray, "time"]
) -> np.ndarray:
    """From the start of a bout of the first to the end of one of the second that follows it in time."""
    flat = (int(np.prod(shape[:-1])), shape[-1])
    a, b = (runs_of(np.broadcast_to(x, shape).reshape(flat)) for x in (first, second))
    if not len(a.row) or not len(b.row):
        return np.zeros(shape, dtype=bool)
    wide = shape[-1] + 1
    at = np.searchsorted(a.row * wide + a.start, b.row * wide + b.start) - 1  # the last first that began before
    same = (at >= 0) & (a.row[at] == b.row)
    waited = time[b.start] - time[a.stop[at] - 1]
    kept = same & (waited <= within * (1 + 1e-9))
    return paint(Runs(b.row[kept], a.start[at[kept]], b.stop[kept]), flat).reshape(shape)
