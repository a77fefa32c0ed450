"""What claims rest on: one number or one curve a seed out of a run, and what a test makes of them.

The tests themselves are in `emergelab._effects`; `emergelab.claims` decides what their estimates mean.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from .errors import UserError, nearest
from .statistics import Estimate

What = str | Callable[[Any], Any]  # a function takes one condition's xr.Dataset and returns an xr.DataArray
At = str | int | tuple[int, int] | tuple[float, float]
_AT = ("end", "start", "max", "min", "mean")


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


def check_at(at: At) -> At:
    """The same, if it says when.

    Raises:
        UserError: it does not.
    """
    if (isinstance(at, str) and at in _AT) or (isinstance(at, int) and not isinstance(at, bool) and at >= 0):
        return at
    if isinstance(at, tuple) and len(at) == 2 and at[0] <= at[1] and (not _shares(at) or 0 <= at[0] <= at[1] <= 1):
        return at
    raise UserError(
        f"at must be one of {', '.join(map(repr, _AT))}, a step, (first step, last step), or two shares of the run "
        f"such as (0.8, 1.0), got {at!r}"
    )


def at_words(at: At) -> str:
    """When, in words."""
    if isinstance(at, tuple) and _shares(at):
        start, stop = (f"{share:.0%}" for share in at)
        return f"mean from {start} to {stop} of the run"
    if isinstance(at, tuple):
        return f"mean over steps {at[0]} to {at[1]}"
    if isinstance(at, int):
        return f"at step {at}"
    return {"end": "at the end", "start": "at the start", "mean": "mean over time"}.get(at, f"{at} over time")


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
