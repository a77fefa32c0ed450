"""What claims and figures read out of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

import emergelab as el
from emergelab.statistics import estimate

from ._system import ENOUGH, TESTS

_DRAWS = 5000


def set_between(d: xr.Dataset) -> xr.DataArray:
    """Tasks that were set between a record and the one before, by height."""
    return d["visits"].diff("time").sum("wide")


def middles(cells: int) -> Float[np.ndarray, "cell"]:
    """Middles of the cells of a range, as shares of it."""
    return (np.arange(cells) + 0.5) / cells


def order_of_height(d: xr.Dataset) -> xr.DataArray:
    """Spearman's correlation of time and height over the tasks that the body can do; those too high are left out."""
    counts = set_between(d).transpose("seed", "time", "high").values.round().astype(int)
    possible = d["possible"].isel(time=-1).values
    found = []
    for number, share in zip(counts, possible, strict=True):
        time, high = np.nonzero(number * (middles(number.shape[1]) < share))
        often = number[time, high]
        constant = len(np.unique(time)) < 2 or len(np.unique(high)) < 2
        found.append(0.0 if constant else stats.spearmanr(np.repeat(time, often), np.repeat(high, often)).statistic)
    return xr.DataArray(found, dims="seed", coords={"seed": d.seed})


def mean_height(d: xr.Dataset) -> xr.DataArray:
    """Mean height of all tasks, as a share of the range."""
    by_height = d["visits"].isel(time=-1).sum("wide")
    weights = xr.DataArray(middles(by_height.sizes["high"]), dims="high")
    return (by_height * weights).sum("high") / by_height.sum("high")


def passed_too_high(d: xr.Dataset) -> xr.DataArray:
    """Share of the test's tasks that are mastered though a jump of the body is lower than their stumps."""
    too_high = xr.DataArray(TESTS[:, 0], dims="test") > d["possible"]
    return ((d["tests"] > ENOUGH) & too_high).mean("test")


class Kept(el.Test):
    """How much of its score a teacher keeps in a harder condition, minus the same for a rival.

    The ratio is that of means over seeds: ratios seed by seed would be wild where the score is near zero.

    Args:
        harder, plain: conditions of the teacher.
        rival: the two of its rival.
    """

    def __init__(self, harder: str, plain: str, rival: tuple[str, str]) -> None:
        self.names = (harder, plain, *rival)

    @property
    def conditions(self) -> tuple[str, ...]:
        return self.names

    def words(self) -> str:
        a, b, c, d = self.names
        return f"mastered at the end, {a} / {b} minus {c} / {d}"

    @staticmethod
    def statistic(rows: Float[np.ndarray, "seed 4"]) -> float:
        """The difference of the two ratios, of rows of one number a condition."""
        score = np.maximum(np.nanmean(rows, axis=0), 1e-9)
        return float(score[0] / score[1] - score[2] / score[3])

    def evidence(self, sample: el.Sample) -> el.Evidence:
        rows = np.stack([sample.number("mastered", c, "end") for c in self.names], axis=1)
        return _of_rows(rows, self.statistic, "ratios of means")


class Between(el.Test):
    """Variance of the mean height of tasks between conditions over that between seeds, as a power of ten."""

    def __init__(self, conditions: Sequence[str]) -> None:
        self.names = tuple(conditions)

    @property
    def conditions(self) -> tuple[str, ...]:
        return self.names

    def words(self) -> str:
        return f"mean height of tasks, log10 of its variance between {', '.join(self.names)} over that within"

    @staticmethod
    def statistic(rows: Float[np.ndarray, "seed condition"]) -> float:
        """0 (a ratio of 1) where there are too few seeds to tell."""
        if len(rows) < 2:
            return 0.0
        between, within = np.var(rows.mean(axis=0), ddof=1), np.mean(np.var(rows, axis=0, ddof=1))
        return float(np.log10(max(between, 1e-9) / max(within, 1e-9)))

    def evidence(self, sample: el.Sample) -> el.Evidence:
        rows = np.stack([sample.number(mean_height, c, "end") for c in self.names], axis=1)
        return _of_rows(rows, self.statistic, "one number of all seeds")


def _of_rows(
    rows: Float[np.ndarray, "seed condition"], statistic: Callable[[np.ndarray], float], note: str
) -> el.Evidence:
    return el.Evidence(estimate(rows, statistic, draws=_DRAWS), np.array([statistic(r[None]) for r in rows]), note)
