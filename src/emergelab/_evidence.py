"""What claims rest on: one number or one curve a seed out of a run, and the tests that turn them into an estimate.

A test is made by `contrast`, `level`, `proportion`, `trend` or `order`;
`emergelab.claims` decides what its estimate means.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from .errors import UserError, nearest
from .statistics import Estimate, difference, estimate
from .statistics import proportion as share

What = str | Callable[[Any], Any]  # a function takes one condition's xr.Dataset and returns an xr.DataArray
At = str | int | tuple[int, int] | tuple[float, float]
_AT = ("end", "start", "max", "min", "mean")
# The smallest p that a bootstrap can give is about 2 / draws; Holm multiplies it by the number of a study's claims.
_DRAWS, _DRAWS_OF_STATISTICS = 20_000, 5_000


class Untestable(Exception):
    """The run does not hold what a claim needs; the message says what."""


@dataclass(frozen=True)
class Evidence:
    """What a test found: an estimate of the effect (already relative to what it is compared with), seed by seed.

    Attributes:
        estimate: of the effect over seeds.
        seeds: effect in each seed, NaN where the seed is left out.
        note: what a reader must know (seeds left out, and why).
    """

    estimate: Estimate
    seeds: Float[np.ndarray, "seeds"]
    note: str = ""


# -- reading a run --------------------------------------------------------------------------------------------------


class Sample:
    """A run's data for claims: conditions by name, seeds that diverged or failed set apart, common time only."""

    def __init__(self, run: Any) -> None:
        self.run = run
        self.data = run.data
        done = min((p["records"] for p in run.progress if not p["failed"]), default=0)
        self.partial = run.status != "finished"
        if self.partial:
            if done < 1:
                raise UserError(
                    f"{run.path}: nothing is recorded in every block yet; let the run go on: emergelab resume "
                    f"{run.path}"
                )
            self.data = self.data.isel(time=slice(0, done))
        self.lost: dict[str, set[int]] = {}
        for marks in (run.diverged, run.failed):
            for condition, seeds in marks.items():
                self.lost.setdefault(condition, set()).update(seeds)

    def curve(self, what: What, condition: str) -> Float[np.ndarray, "seeds time"] | Float[np.ndarray, "seeds"]:
        """Values of one condition, rows of lost seeds NaN; one axis if `what` gives one number a seed."""
        names = [str(c) for c in self.data.condition.values]
        if condition not in names:
            raise Untestable(f"the run has no condition {condition!r}")
        one = self.data.sel(condition=condition, drop=True)
        if isinstance(what, str):
            if what not in one:
                raise Untestable(f"the run has no observable {what!r}{nearest(what, map(str, one.data_vars))}")
            found = one[what]
        else:
            try:
                found = what(one)
            except KeyError as error:
                raise Untestable(f"the run lacks what {label(what)} needs ({error})") from None
        extra = set(found.dims) - {"seed", "time"}
        if extra or "seed" not in found.dims:
            raise UserError(
                f"claim on {label(what)}: it must have dims (seed,) or (seed, time), got {tuple(found.dims)}"
            )
        values = np.asarray(found.transpose("seed", ...).values, dtype=float)
        seeds = [int(s) for s in one.seed.values]
        gone = [s in self.lost.get(condition, ()) for s in seeds]
        if any(gone):
            values = values.copy()
            values[np.asarray(gone)] = np.nan
        return values

    def number(self, what: What, condition: str, at: At) -> Float[np.ndarray, "seeds"]:
        """One number a seed."""
        values = self.curve(what, condition)
        return values if values.ndim == 1 else reduce(values, self.data.time.values, at)


def reduce(values: Float[np.ndarray, "seeds time"], time: np.ndarray, at: At) -> Float[np.ndarray, "seeds"]:
    """One number a seed out of its curve; a seed without a single value stays NaN."""
    if at == "end":
        return values[:, -1]
    if at == "start":
        return values[:, 0]
    empty = np.isnan(values).all(axis=1)
    filled = np.where(empty[:, None], 0.0, values)
    if at in ("max", "min", "mean"):
        out = np.asarray(getattr(np, f"nan{at}")(filled, axis=1))
    elif isinstance(at, tuple):
        first, last = (share * time[-1] for share in at) if _shares(at) else at
        inside = (time >= first) & (time <= last)
        if not inside.any():
            raise Untestable(f"nothing was recorded in steps {first:g} to {last:g}")
        window = filled[:, inside]
        empty |= np.isnan(window).all(axis=1)
        out = np.nanmean(np.where(empty[:, None], 0.0, window), axis=1)
    else:
        here = np.flatnonzero(time == at)
        if not len(here):
            raise Untestable(f"nothing was recorded at step {at}")
        return values[:, here[0]]
    return np.where(empty, np.nan, out)


def label(what: What) -> str:
    """The name of an observable or of a function of them."""
    return what if isinstance(what, str) else getattr(what, "__name__", "a function").replace("_", " ").strip()


def _shares(at: tuple[float, float]) -> bool:
    """Whether a window is given in shares of the run rather than in steps."""
    return any(isinstance(x, float) for x in at)


def _check_at(at: At) -> At:
    if (isinstance(at, str) and at in _AT) or (isinstance(at, int) and not isinstance(at, bool) and at >= 0):
        return at
    if isinstance(at, tuple) and len(at) == 2 and at[0] <= at[1] and (not _shares(at) or 0 <= at[0] <= at[1] <= 1):
        return at
    raise UserError(
        f"at must be one of {', '.join(map(repr, _AT))}, a step, (first step, last step), or two shares of the run "
        f"such as (0.8, 1.0), got {at!r}"
    )


def _at_words(at: At) -> str:
    if isinstance(at, tuple) and _shares(at):
        start, stop = (f"{share:.0%}" for share in at)
        return f"mean from {start} to {stop} of the run"
    if isinstance(at, tuple):
        return f"mean over steps {at[0]} to {at[1]}"
    if isinstance(at, int):
        return f"at step {at}"
    return {"end": "at the end", "start": "at the start", "mean": "mean over time"}.get(at, f"{at} over time")


# -- the tests ------------------------------------------------------------------------------------------------------


class Test(abc.ABC):
    """How a claim is measured: a run in, evidence out."""

    __test__ = False  # not a pytest class

    @abc.abstractmethod
    def evidence(self, sample: Sample) -> Evidence:
        """The effect over seeds.

        Raises:
            Untestable: the run does not hold what is needed.
        """

    @abc.abstractmethod
    def words(self) -> str:
        """What is estimated, in words."""

    @property
    @abc.abstractmethod
    def conditions(self) -> tuple[str, ...]:
        """Conditions that the test needs."""


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
            getattr(self.statistic, "__name__", "statistic").replace("_", " ") if self.statistic else _at_words(self.at)
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
            getattr(self.statistic, "__name__", "statistic").replace("_", " ") if self.statistic else _at_words(self.at)
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
        what = f"{label(self.what)} {bound} {_at_words(self.at)}"
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
                f"slope of {label(self.what)} ({_at_words(self.at)}) over {', '.join(f'{x:g}' for _, x in self.points)}"
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
    return _Contrast(what, a, b, _check_at(at), paired, statistic)


def level(
    what: What,
    condition: str,
    *,
    at: At = "end",
    value: float = 0.0,
    statistic: Callable[[np.ndarray], float] | None = None,
) -> Test:
    """The level of something in one condition, minus `value`. Arguments as in `contrast`."""
    return _Level(what, condition, _check_at(at), float(value), statistic)


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
    return _Proportion(what, condition, _check_at(at), above, below, float(of))


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
    return _Trend(what, tuple((n, float(x)) for n, x in (conditions or {}).items()), condition, _check_at(at))


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
