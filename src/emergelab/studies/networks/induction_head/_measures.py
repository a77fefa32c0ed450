"""Numbers of a seed that the claims and figures of the study `induction-head` need beyond its observables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

import emergelab as el
from emergelab.statistics import estimate

__all__ = [
    "PLATEAU",
    "LeastAlone",
    "StrengthAndOnset",
    "best_alone",
    "best_previous",
    "crossing",
    "late",
    "lost_by_cut",
    "lost_by_detour",
    "lost_by_one",
    "onset",
    "onset_doublings",
    "plateau_share",
    "shortcut_lead",
    "strength_tells",
    "strong_heads",
    "toy_doublings",
    "toy_waiting",
    "waiting",
]

PLATEAU = float(np.log(2))
"""Loss of whoever knows that the answer is one of two labels, and no more."""
TOY_PLATEAU = 0.5
"""Loss of the toy whose tensor is empty."""
NEAR = 0.15
Seeds = Float[np.ndarray, "seed"]


def crossing(d: xr.Dataset, level: float) -> Seeds:
    """Step at which the loss first falls below a level, between records by a straight line; infinity if never."""
    time = d.time.values.astype(float)
    out = []
    for loss in d.loss.transpose("seed", "time").values:
        below = loss < level
        i = int(below.argmax())
        if not below.any():
            out.append(np.inf)
        elif i == 0:
            out.append(time[0])
        else:
            out.append(time[i - 1] + (time[i] - time[i - 1]) * (loss[i - 1] - level) / (loss[i - 1] - loss[i]))
    return np.asarray(out)


def _by_seed(values: Seeds) -> xr.DataArray:
    return xr.DataArray(values, dims=("seed",))


def onset(d: xr.Dataset) -> xr.DataArray:
    """Step at which the loss falls below half of log 2; a seed that does not get there counts as the last step."""
    return _by_seed(np.minimum(crossing(d, PLATEAU / 2), d.time.values[-1]))


def onset_doublings(d: xr.Dataset) -> xr.DataArray:
    """Logarithm to base 2 of the onset: a difference of 1 is twice as late."""
    return np.log2(onset(d))


def toy_doublings(d: xr.Dataset) -> xr.DataArray:
    """The same for the toy: its mismatch falls below half of its plateau."""
    return np.log2(_by_seed(np.minimum(crossing(d, TOY_PLATEAU / 2), d.time.values[-1])))


def shortcut_lead(d: xr.Dataset) -> xr.DataArray:
    """Doublings of time between the first record at which 19 of 20 answers are labels shown, and the onset."""
    early = d.shown.transpose("seed", "time").values > 0.95
    first = np.where(early.any(axis=1), d.time.values[early.argmax(axis=1)], d.time.values[-1])
    return onset_doublings(d) - np.log2(np.maximum(first, 1))


def late(name: str) -> Callable[[xr.Dataset], xr.DataArray]:
    """The mean of an observable over the last fifth of the run, as a function for claims."""

    def mean(d: xr.Dataset) -> xr.DataArray:
        return d[name].sel(time=slice(0.8 * float(d.time[-1]), None)).mean("time")

    mean.__name__ = f"late_{name}"
    return mean


def _before_onset(d: xr.Dataset, start: float, end: float) -> list[Float[np.ndarray, "moment"]]:
    """Loss of each seed on a fine grid of steps, from where it first falls below `start` to where it does below `end`,
    or to the last step."""
    time = d.time.values.astype(float)
    ends = np.minimum(crossing(d, end), time[-1])
    begins = np.minimum(crossing(d, start), ends)
    rows = d.loss.transpose("seed", "time").values
    return [np.interp(np.linspace(a, b, 2001), time, row) for a, b, row in zip(begins, ends, rows, strict=True)]


def plateau_share(d: xr.Dataset) -> xr.DataArray:
    """Share of the time before the onset at which the loss is within 0.15 of log 2."""
    rows = _before_onset(d, np.inf, PLATEAU / 2)
    return _by_seed(np.asarray([np.mean(np.abs(y - PLATEAU) < NEAR) for y in rows]))


def _waiting(d: xr.Dataset, plateau: float) -> xr.DataArray:
    half = plateau / 2
    rows = _before_onset(d, plateau + NEAR, half)
    return _by_seed(np.asarray([np.mean((np.minimum(y, plateau) - half) / half) for y in rows]))


def waiting(d: xr.Dataset) -> xr.DataArray:
    """How much of the way from log 2 to half of it was still to go, averaged over the time that it took.

    1 is a plateau that ends in a step, 1/2 a steady descent, less a descent that slows down. The clock starts when the
    loss comes within 0.15 of log 2 from above, or at step 0 if it is not above.
    """
    return _waiting(d, PLATEAU)


def toy_waiting(d: xr.Dataset) -> xr.DataArray:
    """The same for the toy, whose plateau is 1/2."""
    return _waiting(d, TOY_PLATEAU)


def strong_heads(d: xr.Dataset) -> xr.DataArray:
    """Heads of the last layer whose strength is above 0.3."""
    return (d.strength > 0.3).sum("head")


def best_previous(d: xr.Dataset) -> xr.DataArray:
    """The most attention that a head of the first layer gives from a label to its item."""
    return d.previous.max("head")


def best_alone(d: xr.Dataset) -> xr.DataArray:
    """Accuracy with the one head alone that has the most."""
    return d.acc_only.max("head")


def lost_by_one(d: xr.Dataset) -> xr.DataArray:
    """What is lost at most by taking away one head."""
    return d.acc - d.acc_without.min("head")


def lost_by_detour(d: xr.Dataset) -> xr.DataArray:
    """What is lost if what the first layer writes can no longer be read directly, only through the second layer."""
    return d.acc - d.acc_indirect


def lost_by_cut(d: xr.Dataset) -> xr.DataArray:
    """What is lost if the first layer writes nothing."""
    return d.acc - d.acc_cut


def strength_tells(d: xr.Dataset) -> xr.DataArray:
    """Rank correlation over heads, at the end: strength, and accuracy of the network with this head alone."""
    end = d.isel(time=-1)
    rows = zip(*(end[n].transpose("seed", "head").values for n in ("strength", "acc_only")), strict=True)
    return _by_seed(np.asarray([stats.spearmanr(a, b).statistic for a, b in rows]))


Alone = tuple[tuple[str, int], ...]
"""Conditions in which one head of the last layer is alone, and which head it is."""


@dataclass(frozen=True)
class StrengthAndOnset(el.Test):
    """Rank correlation over heads: strength in the whole network, and onset of a network with this head alone."""

    whole: str
    alone: Alone

    @property
    def conditions(self) -> tuple[str, ...]:
        return (self.whole, *(name for name, _ in self.alone))

    def words(self) -> str:
        return f"rank correlation of strength in {self.whole} and onset alone, over {len(self.alone)} heads"

    def evidence(self, sample: el.Sample) -> el.Evidence:
        times = np.stack([sample.number(onset, name, "end") for name, _ in self.alone], axis=1)

        def strength(head: int) -> Seeds:
            return sample.number(lambda d: d.strength.isel(head=head), self.whole, "end")

        rows = zip(np.stack([strength(h) for _, h in self.alone], axis=1), times, strict=True)
        each = np.asarray([stats.spearmanr(a, b).statistic for a, b in rows])
        return el.Evidence(estimate(each), each)


@dataclass(frozen=True)
class LeastAlone(el.Test):
    """Accuracy at the end of the least accurate of the networks with one head alone, minus a value."""

    alone: Alone
    value: float

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.alone)

    def words(self) -> str:
        return f"least acc at the end over {', '.join(self.conditions)}, minus {self.value:g}"

    def evidence(self, sample: el.Sample) -> el.Evidence:
        each = np.min([sample.number("acc", name, "end") for name, _ in self.alone], axis=0) - self.value
        return el.Evidence(estimate(each), each)
