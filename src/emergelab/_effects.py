"""The tests of claims: what is estimated out of a run's numbers, and how.

A test is made by `contrast`, `ratio`, `level`, `proportion`, `trend`, `order` or `pooled`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ._evidence import At, Evidence, Sample, Test, Untestable, What, at_words, check_at, label
from .errors import UserError
from .statistics import Estimate, difference, estimate
from .statistics import proportion as share

__all__ = ["Event", "contrast", "event", "level", "order", "pooled", "proportion", "ratio", "trend"]

# The smallest p that a bootstrap can give is about 2 / draws; Holm multiplies it by the number of a study's claims.
_DRAWS, _DRAWS_OF_STATISTICS = 20_000, 5_000


def _finish(found: Estimate, seeds: np.ndarray, note: str = "", lost: int | None = None) -> Evidence:
    """`lost`: seeds left out, where those with a NaN are not they, as a statistic of all may be undefined for one."""
    lost = int(np.isnan(seeds).sum()) if lost is None else lost
    notes = [note] if note else []
    if lost:
        notes.append(f"{lost} of {len(seeds)} seeds left out (diverged, failed or undefined)")
    return Evidence(found, seeds, "; ".join(notes))


@dataclass(frozen=True)
class _Contrast(Test):
    what: What
    a: str
    b: str
    at: At
    paired: bool
    statistic: Callable[[np.ndarray], float] | None

    @property
    def conditions(self) -> tuple[str, ...]:
        return (self.a, self.b)

    def words(self) -> str:
        how = (
            getattr(self.statistic, "__name__", "statistic").replace("_", " ") if self.statistic else at_words(self.at)
        )
        return f"{label(self.what)} {how}, {self.a} minus {self.b}{'' if self.paired else ' (unpaired)'}"

    def evidence(self, sample: Sample) -> Evidence:
        if self.statistic is not None:
            a, b = sample.curve(self.what, self.a), sample.curve(self.what, self.b)
            lost = None
            if self.paired:
                gone = ~np.isfinite(a.reshape(len(a), -1)).any(1) | ~np.isfinite(b.reshape(len(b), -1)).any(1)
                a, b, lost = a[~gone], b[~gone], int(gone.sum())
                each = np.full(len(gone), np.nan)
                each[~gone] = [self.statistic(x[None]) - self.statistic(y[None]) for x, y in zip(a, b, strict=True)]
            else:
                each = np.asarray([self.statistic(x[None]) for x in a]) - np.asarray(
                    [self.statistic(y[None]) for y in b]
                )
            found = difference(a, b, self.statistic, paired=self.paired, draws=_DRAWS_OF_STATISTICS)
            return _finish(found, each, lost=lost)
        a, b = sample.number(self.what, self.a, self.at), sample.number(self.what, self.b, self.at)
        return _finish(difference(a, b, paired=self.paired, draws=_DRAWS), a - b)


@dataclass(frozen=True)
class _Ratio(Test):
    what: What
    a: str
    b: str
    at: At

    @property
    def conditions(self) -> tuple[str, ...]:
        return (self.a, self.b)

    def words(self) -> str:
        return f"{label(self.what)} {at_words(self.at)}, {self.a} over {self.b}, minus 1"

    def evidence(self, sample: Sample) -> Evidence:
        a, b = (sample.number(self.what, c, self.at) for c in self.conditions)
        each = np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0) - 1
        return _finish(estimate(each, draws=_DRAWS), each)


@dataclass(frozen=True)
class _Level(Test):
    what: What
    condition: str
    at: At
    value: float
    statistic: Callable[[np.ndarray], float] | None

    @property
    def conditions(self) -> tuple[str, ...]:
        return (self.condition,)

    def words(self) -> str:
        how = (
            getattr(self.statistic, "__name__", "statistic").replace("_", " ") if self.statistic else at_words(self.at)
        )
        minus = f" minus {self.value:g}" if self.value else ""
        return f"{label(self.what)} {how} in {self.condition}{minus}"

    def evidence(self, sample: Sample) -> Evidence:
        if self.statistic is not None:
            rows = sample.curve(self.what, self.condition)
            statistic = self.statistic
            found = estimate(rows, lambda v: float(statistic(v)) - self.value, draws=_DRAWS_OF_STATISTICS)
            known = np.isfinite(rows.reshape(len(rows), -1)).any(axis=1)
            each = np.asarray(
                [statistic(r[None]) - self.value if k else np.nan for r, k in zip(rows, known, strict=True)]
            )
            return _finish(found, each, lost=int((~known).sum()))
        values = sample.number(self.what, self.condition, self.at) - self.value
        return _finish(estimate(values, draws=_DRAWS), values)


def _shifted(found: Estimate, by: float) -> Estimate:
    """The same estimate on a scale whose zero is `by`."""

    class Tails:
        def greater(self, m: float) -> float:
            return found.p_greater(m + by)

        def less(self, m: float) -> float:
            return found.p_less(m + by)

    return Estimate(
        found.value - by,
        found.low - by,
        found.high - by,
        found.level,
        found.method,
        found.n,
        found.sd,
        found.dropped,
        Tails(),
    )


@dataclass(frozen=True)
class _Proportion(Test):
    what: What
    condition: str
    at: At
    above: float | None
    below: float | None
    of: float

    @property
    def conditions(self) -> tuple[str, ...]:
        return (self.condition,)

    def words(self) -> str:
        bound = f"above {self.above:g}" if self.above is not None else f"below {self.below:g}"
        what = f"{label(self.what)} {bound} {at_words(self.at)}"
        return f"fraction of seeds with {what} in {self.condition}, minus {self.of:g}"

    def evidence(self, sample: Sample) -> Evidence:
        values = sample.number(self.what, self.condition, self.at)
        known = np.isfinite(values)
        hit = values > self.above if self.above is not None else values < self.below  # type: ignore[operator]
        found = share(int(hit[known].sum()), int(known.sum()))
        return _finish(
            _shifted(found, self.of),
            np.where(known, hit - self.of, np.nan),
            f"{int(hit[known].sum())} of {int(known.sum())} seeds",
        )


@dataclass(frozen=True)
class _Trend(Test):
    what: What
    points: tuple[tuple[str, float], ...]
    condition: str | None
    at: At

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.points) or (str(self.condition),)

    def words(self) -> str:
        if self.points:
            return (
                f"slope of {label(self.what)} ({at_words(self.at)}) over {', '.join(f'{x:g}' for _, x in self.points)}"
            )
        return f"slope of {label(self.what)} over time in {self.condition}, per step"

    def evidence(self, sample: Sample) -> Evidence:
        if self.points:
            x = np.asarray([x for _, x in self.points], float)
            y = np.stack([sample.number(self.what, name, self.at) for name, _ in self.points], axis=1)
        else:
            y = sample.curve(self.what, str(self.condition))
            if y.ndim == 1:
                raise Untestable(f"{label(self.what)} is one number a seed and has no trend over time")
            x = sample.data.time.values.astype(float)
            if isinstance(self.at, tuple):
                inside = (x >= self.at[0]) & (x <= self.at[1])
                x, y = x[inside], y[:, inside]
        if len(x) < 2:
            raise Untestable("a trend needs at least two points")
        centred = x - x.mean()
        slopes = (y * centred).sum(axis=1) / (centred**2).sum()
        return _finish(estimate(slopes, draws=_DRAWS), slopes)


@dataclass(frozen=True)
class _Pooled(Test):
    statistic: Callable[[np.ndarray], float]
    what: What
    names: tuple[str, ...]
    at: At
    value: float

    @property
    def conditions(self) -> tuple[str, ...]:
        return self.names

    def words(self) -> str:
        how = getattr(self.statistic, "__name__", "a statistic").replace("_", " ").strip()
        minus = f", minus {self.value:g}" if self.value else ""
        return f"{how} of all seeds, of {label(self.what)} {at_words(self.at)} in {', '.join(self.names)}{minus}"

    def evidence(self, sample: Sample) -> Evidence:
        rows = np.stack([sample.number(self.what, c, self.at) for c in self.names], axis=1)
        # A seed is kept with all its conditions or not at all: they share their random numbers.
        known = np.isfinite(rows).all(axis=1)

        def shifted(rows: np.ndarray) -> float:
            return float(self.statistic(rows)) - self.value

        found = estimate(np.where(known[:, None], rows, np.nan), shifted, draws=_DRAWS_OF_STATISTICS)
        each = np.array([shifted(row[None]) if k else np.nan for row, k in zip(rows, known, strict=True)])
        return _finish(found, each, lost=int((~known).sum()))


@dataclass(frozen=True)
class Event:
    """Something that happens to a curve: the first of `k` consecutive records above (or below) a threshold."""

    what: What
    above: float | None = None
    below: float | None = None
    k: int = 1

    def words(self) -> str:
        bound = f"> {self.above:g}" if self.above is not None else f"< {self.below:g}"
        return f"{label(self.what)} {bound}"

    def times(self, values: Float[np.ndarray, "seeds time"], time: np.ndarray) -> Float[np.ndarray, "seeds"]:
        """Step of the event in each seed: infinity where it never happens, NaN where the seed has no data."""
        hit: np.ndarray = values > self.above if self.above is not None else values < self.below  # type: ignore[operator]
        if hit.shape[1] < self.k:
            return np.where(np.isnan(values).all(axis=1), np.nan, np.inf)
        runs = np.asarray(np.lib.stride_tricks.sliding_window_view(hit, self.k, axis=1).all(axis=-1))
        first = np.where(runs.any(axis=1), time[runs.argmax(axis=1)].astype(float), np.inf)
        return np.where(np.isnan(values).all(axis=1), np.nan, first)


@dataclass(frozen=True)
class _Order(Test):
    first: Event
    then: Event
    condition: str

    @property
    def conditions(self) -> tuple[str, ...]:
        return (self.condition,)

    def words(self) -> str:
        what = f"{self.first.words()} comes before {self.then.words()}"
        return f"fraction of seeds in which {what} in {self.condition}, minus 0.5"

    def evidence(self, sample: Sample) -> Evidence:
        time = sample.data.time.values
        when = []
        for e in (self.first, self.then):
            values = sample.curve(e.what, self.condition)
            if values.ndim == 1:
                raise Untestable(f"{label(e.what)} is one number a seed and cannot hold an event")
            when.append(e.times(values, time))
        a, b = when
        known = ~(np.isnan(a) | np.isnan(b))
        neither, tie = known & np.isinf(a) & np.isinf(b), known & (a == b) & np.isfinite(a)
        decided = known & ~neither & ~tie
        before = int((a < b)[decided].sum())
        notes = [f"{before} of {int(decided.sum())} seeds"]
        if tie.any():
            notes.append(f"{int(tie.sum())} seeds with both in the same record")
        if neither.any():
            notes.append(f"{int(neither.sum())} seeds with neither")
        each = np.where(decided, (a < b) - 0.5, np.nan)
        return Evidence(_shifted(share(before, int(decided.sum())), 0.5), each, ", ".join(notes))


def contrast(
    what: What,
    a: str,
    b: str,
    *,
    at: At = "end",
    paired: bool = True,
    statistic: Callable[[np.ndarray], float] | None = None,
) -> Test:
    """Condition `a` minus condition `b`.

    Args:
        what: an observable's name, or a named function of one condition's `xr.Dataset` that returns dims
            (seed,) or (seed, time).
        at: "end", "start", "max", "min", "mean" over time, a step, or (first, last) for the mean over a window, in
            steps (whole numbers) or, so that it fits runs of any length, in shares of the run (0.8, 1.0).
        paired: the conditions share seeds, hence random numbers: differences are taken seed by seed.
        statistic: a function of all seeds' values (seed, time), where the mean of one number a seed will not do,
            e.g. the maximum over time of the mean curve. Whole seeds are resampled.
    """
    return _Contrast(what, a, b, check_at(at), paired, statistic)


def ratio(what: What, a: str, b: str, *, at: At = "end") -> Test:
    """Condition `a` over condition `b`, minus 1, seed by seed: 0.05 is five per cent more. Arguments as in `contrast`.

    For what is positive, such as times, costs and sums; seeds in which `b` has nothing are left out.
    """
    return _Ratio(what, a, b, check_at(at))


def level(
    what: What,
    condition: str,
    *,
    at: At = "end",
    value: float = 0.0,
    statistic: Callable[[np.ndarray], float] | None = None,
) -> Test:
    """The level of something in one condition, minus `value`. Arguments as in `contrast`."""
    return _Level(what, condition, check_at(at), float(value), statistic)


def proportion(
    what: What,
    condition: str,
    *,
    above: float | None = None,
    below: float | None = None,
    at: At = "end",
    of: float = 0.5,
) -> Test:
    """The fraction of seeds in which something lies above (or below) a threshold, minus `of`; exact binomial."""
    if (above is None) == (below is None):
        raise UserError("proportion: give either above= or below=")
    if not 0 <= of <= 1:
        raise UserError(f"proportion: of must be in [0, 1], got {of}")
    return _Proportion(what, condition, check_at(at), above, below, float(of))


def trend(
    what: What,
    conditions: Mapping[str, float] | None = None,
    *,
    condition: str | None = None,
    along: str = "",
    at: At = "end",
) -> Test:
    """The slope, seed by seed: over conditions (name -> x), or over time within one condition (`along="time"`)."""
    if (conditions is None) == (condition is None):
        raise UserError("trend: give either conditions={name: x, ...} or condition=..., along='time'")
    if condition is not None and along != "time":
        raise UserError(f"trend: along must be 'time' for one condition, got {along!r}")
    return _Trend(what, tuple((n, float(x)) for n, x in (conditions or {}).items()), condition, check_at(at))


def event(what: What, *, above: float | None = None, below: float | None = None, k: int = 1) -> Event:
    """Something that happens to a curve: the first of `k` consecutive records above (or below) a threshold."""
    if (above is None) == (below is None):
        raise UserError("event: give either above= or below=")
    if k < 1:
        raise UserError(f"event: k must be >= 1, got {k}")
    return Event(what, above, below, k)


def order(first: Event, then: Event, condition: str) -> Test:
    """The fraction of seeds in which `first` comes before `then`, minus 0.5; exact binomial.

    An event that never happens comes after one that does. Seeds with neither, or with both in the same record,
    decide nothing and are counted in the note.
    """
    return _Order(first, then, condition)


def pooled(
    statistic: Callable[[np.ndarray], float], what: What, *conditions: str, at: At = "end", value: float = 0.0
) -> Test:
    """A number that only all seeds together have, such as a ratio of means or a variance between conditions.

    Args:
        statistic: a named function of rows, one a seed, with a number for each condition, (seed, condition); symmetric
            in the rows. Whole rows are resampled. It must bear a single row.
        what, at: as in `contrast`.
        conditions: one or more, in the order of the columns.
        value: what it is compared with.
    """
    if not conditions:
        raise UserError("pooled: name the conditions whose numbers the statistic is of")
    return _Pooled(statistic, what, conditions, check_at(at), float(value))
