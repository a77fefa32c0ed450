"""The curves of a run that may still grow: only what is new is read, and no more is drawn than a screen can show."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Float
from scipy import stats

from ..runs.run import Run

# Of an observable with axes of its own (an agent, a layer) the mean over them is drawn, if that many values are few.
_WIDEST = 4096


class Growing:
    """The observables of a run as curves.

    Attributes:
        run: as it was when it was last looked at.
        names: observables, in the order of the run.
        about: of each, what it is with its unit, one line.
        conditions: in the order of the run.
        times: of all records, in steps, those that are still to come too.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        data = run.data
        self.names = [str(n) for n, v in data.data_vars.items() if np.prod(v.shape[3:], dtype=int) <= _WIDEST]
        self.about = {name: self._words(name) for name in self.names}
        self.conditions = [str(c) for c in data.condition.values]
        self.times: Float[np.ndarray, "time"] = data["time"].values.astype(float)
        shape = (len(self.conditions), data.sizes["seed"], len(self.times))
        self._values = {name: np.full(shape, np.nan, np.float32) for name in self.names}
        self._whole, self._newest = 0, 0

    def _words(self, name: str) -> str:
        attributes, dims = self.run.data[name].attrs, self.run.data[name].dims[3:]
        unit = attributes.get("units", "")
        mean = f", mean over {' and '.join(map(str, dims))}" if dims else ""
        return f"{attributes.get('long_name', name)}{f' [{unit}]' if unit not in ('', '1') else ''}{mean}"

    def read(self) -> bool:
        """Read the records that were written since the last time; whether there were any."""
        self.run = self.run.refresh()
        done = [block["records"] for block in self.run.progress] or [0]
        if max(done) == self._newest and min(done) == self._whole:
            return False
        span = slice(self._whole, max(done))
        found = self.run.data.isel(time=span)
        for name in self.names:
            array = found[name]
            values = array.transpose("condition", "seed", "time", *array.dims[3:]).values
            if values.ndim > 3:
                values = _mean(values.reshape(*values.shape[:3], -1), 3)
            self._values[name][:, :, span] = values
        self._whole, self._newest = min(done), max(done)
        return True

    def values(self, name: str, condition: int) -> Float[np.ndarray, "seed time"]:
        """What an observable was in each seed up to the newest record; NaN where it is not known."""
        return self._values[name][condition, :, : self._newest]

    def known(self) -> Float[np.ndarray, "time"]:
        """The times of `values`."""
        return self.times[: self._newest]


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a mean over nothing is a gap, and meant
        return np.asarray(np.nanmean(values, axis=axis))


def mean_and_band(
    values: Float[np.ndarray, "seed time"],
) -> tuple[Float[np.ndarray, "time"], Float[np.ndarray, "time"], Float[np.ndarray, "time"]]:
    """Mean over seeds and the ends of its pointwise 95% t interval, NaN where fewer than three seeds are known."""
    finite = np.isfinite(values)
    values, count = np.where(finite, values, np.nan).astype(float), finite.sum(axis=0)
    mean = _mean(values, 0)
    half = np.full(mean.shape, np.nan)
    if (enough := count >= 3).any():
        spread = np.nanstd(values[:, enough], axis=0, ddof=1)
        half[enough] = stats.t.ppf(0.975, count[enough] - 1) * spread / np.sqrt(count[enough])
    return mean, mean - half, mean + half


def thinned(
    times: Float[np.ndarray, "seed time"], values: Float[np.ndarray, "seed time"], points: int
) -> tuple[Float[np.ndarray, "drawn"], Float[np.ndarray, "drawn"], int]:
    """Curves as one line with gaps, of at most about `points` points each, and how many records stand behind two.

    Where a curve has more records, it is cut into equal stretches, and the lowest and the highest of each are kept, so
    no peak is lost.
    """
    seeds, count = values.shape
    stretch = max(1, -(-count * 2 // max(points, 2)))
    if stretch > 2:
        width = -(-count // stretch) * stretch
        padded = np.full((seeds, width), np.nan, values.dtype)
        padded[:, :count] = values
        cut = padded.reshape(seeds, -1, stretch)
        gone = ~np.isfinite(cut)
        ends = np.stack([np.where(gone, np.inf, cut).argmin(2), np.where(gone, -np.inf, cut).argmax(2)], axis=2)
        index = np.sort(ends, axis=2) + np.arange(0, width, stretch)[None, :, None]
        index = np.minimum(index.reshape(seeds, -1), count - 1)
        times, values = np.take_along_axis(times, index, 1), np.take_along_axis(values, index, 1)
    gap = np.full((seeds, 1), np.nan)
    x, y = np.hstack([times, gap]).ravel(), np.hstack([values, gap]).ravel()
    return x.astype(np.float32), y.astype(np.float32), stretch if stretch > 2 else 1
