"""From labelled curves to responses that fall: the scale, the axis, and means over any choice of seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from emergelab.instruments._curves import Curves
from emergelab.instruments._learning_curves_laws import Axis, Kind

__all__ = ["Panel", "Scale", "binned", "make_panels", "pooled"]

Scale: TypeAlias = Literal["auto", "log", "linear", "score", "logit"]
"""How values are read: see `learning_curves`."""

_MOST = 96  # records that are fitted one by one; more are averaged in bins of log x
_BINS = 64


@dataclass(frozen=True)
class Panel:
    """The curves of one condition on the inner scale, split into the records used and the later ones.

    Attributes:
        condition: its name.
        values: response of every seed at every record; NaN where missing.
        weight: weight of a record, whatever the seed.
        axis: places of all records, early and late, with the first and last of the early ones.
        used: number of early records; all fits see only these.
        kind: "log" or "linear" residuals.
        scale: how values were read.
        shift, spread: inner response = (raw response - shift) / spread.
        turn: 1 for falling curves, -1 for rising ones that were turned over.
    """

    condition: str
    values: Float[np.ndarray, "seed x"]
    weight: Float[np.ndarray, "x"]
    axis: Axis
    used: int
    kind: Kind
    scale: str
    shift: float
    spread: float
    turn: float

    @property
    def early(self) -> Axis:
        """Places of the records used."""
        return self.axis.at(self.axis.x[: self.used])

    @property
    def late(self) -> Axis:
        """Places of the records kept back."""
        return self.axis.at(self.axis.x[self.used :])

    @property
    def n(self) -> int:
        """Number of seeds with any record."""
        return len(self.values)

    def means(self, share: Float[np.ndarray, "r seed"]) -> Float[np.ndarray, "r x"]:
        """Mean responses over seeds, one row a set of weights of the seeds; NaN where no weighted seed has a record."""
        seen = np.isfinite(self.values)
        total = share @ seen.astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total > 1e-12, share @ np.where(seen, self.values, 0.0) / total, np.nan)

    @property
    def mean(self) -> Float[np.ndarray, "x"]:
        """Mean response over all seeds."""
        return self.means(np.ones((1, self.n)))[0]

    def back(self, response: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Inner responses as values of the observable; NaN where they leave the range of floats."""
        raw = self.shift + self.spread * np.asarray(response, dtype=float)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.scale == "linear":
                out = self.turn * raw
            elif self.scale == "logit":
                out = 1 / (1 + np.exp(np.clip(raw, -700.0, 700.0)))
            else:
                out = np.exp(raw)
                out = 1 - out if self.scale == "score" else out
        return np.where(np.isfinite(out), out, np.nan)

    def inner(self, value: float) -> float:
        """A value of the observable on the inner scale; NaN if it cannot be taken there."""
        with np.errstate(invalid="ignore", divide="ignore"):
            raw = _raw(np.array([value]), self.scale, self.turn)[0]
        return float((raw - self.shift) / self.spread) if np.isfinite(raw) else float("nan")

    @property
    def turn_units(self) -> float:
        """Factor from inner units to those of the observable on the linear scale (to minus its logit on that scale)."""
        return self.spread * (self.turn if self.scale == "linear" else 1.0)

    @property
    def centre(self) -> float:
        """Value of the observable at the inner origin, on the linear scale."""
        return self.shift * (self.turn if self.scale == "linear" else 1.0)

    @property
    def sign(self) -> float:
        """Sign of an inner error as one of the observable: more response is more of it, or less."""
        return -1.0 if self.scale in ("score", "logit") or (self.scale == "linear" and self.turn < 0) else 1.0

    @property
    def unit(self) -> float:
        """What an inner error of one is worth: log units on the log scales, units of the observable otherwise."""
        return self.spread


def _raw(y: np.ndarray, scale: str, turn: float) -> np.ndarray:
    if scale == "linear":
        return turn * y
    if scale == "logit":
        return np.where((y > 0) & (y < 1), np.log1p(-np.clip(y, 0, 1)) - np.log(np.where(y > 0, y, 1.0)), np.nan)
    v = 1 - y if scale == "score" else y
    return np.where(v > 0, np.log(np.where(v > 0, v, 1.0)), np.nan)


def make_panels(
    data: Curves,
    scale: Scale,
    upto: float | None,
    burn_in: float | None,
    weigh: str,
    error: Float[np.ndarray, "condition seed x"] | None,
) -> tuple[list[Panel], list[str]]:
    """Read every condition; notes say what was left out and why."""
    notes: list[str] = []
    keep = data.time > 0
    if burn_in is not None:
        keep &= data.time >= burn_in
    if (~keep).any():
        about = "at or before x = 0" if burn_in is None else f"before the burn-in of {burn_in:g}"
        notes.append(f"{int((~keep).sum())} records {about} are left out: laws are written on log x")
    x, block = data.time[keep], data.values[..., keep]
    noise = None if error is None else error[..., keep]
    early = np.ones(len(x), dtype=bool) if upto is None else x <= upto
    seen = np.isfinite(block)
    if not seen[..., early].any():
        notes.append("no record is left to fit")
        return [], notes
    turn = _direction(block[..., early])
    if scale == "auto":
        scale = "log" if turn > 0 and block[seen].min() > 0 else "linear"
        if scale == "linear" and turn < 0 and block[seen].min() >= 0 and block[seen].max() <= 1:
            notes.append("a rising score in [0, 1] is fitted as it is; scale='score' fits the logarithm of its error")
    block = _floored(block, scale, notes)
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = _raw(block, scale, turn)
    if scale in ("log", "score", "logit"):
        lost = int((seen & ~np.isfinite(raw)).sum())
        if lost:
            notes.append(f"{lost} values have no place on the {scale} scale and are treated as missing")
    kind: Kind = "log" if scale in ("log", "score") else "linear"
    panels = []
    for i, condition in enumerate(data.conditions):
        one = _panel(
            condition, raw[i], x, early, kind, scale, turn, weigh,
            None if noise is None else _inner_error(noise[i], block[i], scale),
        )  # fmt: skip
        if one is None:
            notes.append(f"condition {condition!r} holds no record before the end of the fit")
        else:
            panels.append(one)
    return panels, notes


def _inner_error(noise: np.ndarray, y: np.ndarray, scale: str) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = {"linear": 1.0, "log": 1 / y, "score": 1 / (1 - y), "logit": 1 / (y * (1 - y))}[scale]
        return np.abs(noise * slope)


def _direction(block: Float[np.ndarray, "condition seed x"]) -> float:
    """1 if curves fall, -1 if they rise: the last quarter of the records against the first."""
    seen = np.isfinite(block)
    count = seen.sum(axis=(0, 1))
    mean = (np.where(seen, block, 0.0) / np.maximum(count, 1)).sum(axis=(0, 1))[count > 0]
    part = max(1, len(mean) // 4)
    return -1.0 if mean[-part:].mean() > mean[:part].mean() else 1.0


def _floored(block: np.ndarray, scale: str, notes: list[str]) -> np.ndarray:
    """Scores of exactly 0 or 1 have no logarithm: they are put half as near to the end as the nearest other value."""
    if scale not in ("score", "logit"):
        return block
    out = block.copy()
    for end in (1.0, 0.0) if scale == "logit" else (1.0,):
        gap = np.abs(out - end)
        inside = (out > 0) & (out < 1)
        if (gap == 0).any() and inside.any():
            out[gap == 0] = abs(end - float(gap[inside].min()) / 2)
            notes.append(
                f"{int((gap == 0).sum())} scores of exactly {end:g} are read as {abs(end - gap[inside].min() / 2):.4g}"
            )
    return out


def _panel(
    condition: str,
    raw: Float[np.ndarray, "seed x"],
    x: Float[np.ndarray, "x"],
    early: np.ndarray,
    kind: Kind,
    scale: str,
    turn: float,
    weigh: str,
    noise: Float[np.ndarray, "seed x"] | None,
) -> Panel | None:
    alive = np.isfinite(raw).any(axis=1)
    # where most seeds have ended the mean would change because its members do
    ever = int(alive.sum())
    here = np.isfinite(raw).sum(axis=0) >= max(1, (ever + 1) // 2)
    if not (here & early).any():
        return None
    raw, x, early = raw[alive][:, here], x[here], early[here]
    noise = None if noise is None else noise[alive][:, here]
    values, at, count, used = binned(raw, x, early)
    if not np.isfinite(values[:, :used]).any():
        return None
    first, last = float(at[0]), float(at[used - 1])
    weight = count.copy() if weigh == "records" else _cells(np.log(at))
    if noise is not None:
        weight = weight / _variance(noise, x, at, used)
    weight = weight / weight[:used].mean()
    seen = values[:, :used][np.isfinite(values[:, :used])]
    if kind == "log":
        shift, spread = float(np.median(seen)), 1.0
    else:
        # means over seeds set the unit, so that an amplitude of one is the height of the curve
        mean = np.nanmean(values[:, :used], axis=0)
        shift, spread = float(mean.mean()), float(mean.std())
    if not spread > 1e-12 * max(abs(shift), 1e-300) or not np.isfinite(spread):
        spread = max(abs(shift), 1e-300)
    return Panel(
        condition, (values - shift) / spread, weight, Axis(at, first, last), used, kind, scale, shift, spread, turn
    )


def binned(
    raw: Float[np.ndarray, "seed x"], x: Float[np.ndarray, "x"], early: np.ndarray
) -> tuple[Float[np.ndarray, "seed b"], Float[np.ndarray, "b"], Float[np.ndarray, "b"], int]:
    """Many records become at most 64 bins of log x; no bin mixes early and late records."""
    if len(x) <= _MOST:
        return raw, x, np.ones(len(x)), int(early.sum())
    u = np.log(x)
    edge = np.floor((u - u[0]) / max(float(u[-1] - u[0]), 1e-300) * (_BINS - 1)) + _BINS * (~early)
    begin = np.flatnonzero(np.r_[True, np.diff(edge) > 0])
    count = np.diff(np.r_[begin, len(x)])
    seen = np.isfinite(raw)
    number = np.add.reduceat(seen, begin, axis=1)
    total = np.add.reduceat(np.where(seen, raw, 0.0), begin, axis=1)
    values = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return values, np.exp(np.add.reduceat(u, begin) / count), count.astype(float), int(early[begin].sum())


def _cells(u: Float[np.ndarray, "b"]) -> Float[np.ndarray, "b"]:
    """Width of the cell of each record on the log axis; the end cells are as wide as their gaps."""
    if len(u) < 2:
        return np.ones(len(u))
    gap = np.diff(u)
    return np.r_[gap[0], (gap[1:] + gap[:-1]) / 2, gap[-1]]


def _variance(
    noise: Float[np.ndarray, "seed x"], x: Float[np.ndarray, "x"], at: Float[np.ndarray, "b"], used: int
) -> Float[np.ndarray, "b"]:
    """Mean squared standard error near each record, kept away from zero."""
    seen = np.isfinite(noise)
    count = np.maximum(seen.sum(axis=0), 1)
    square = np.where(seen, noise, 0.0) ** 2
    near = np.interp(np.log(at), np.log(x), square.sum(axis=0) / count)
    typical = float(np.quantile(near[:used], 0.1))
    return np.maximum(near, 1e-2 * typical) if typical > 0 else np.ones(len(at))


def pooled(panels: list[Panel]) -> Panel | None:
    """All seeds of conditions that share their records as one panel on the scale of the first; None if they do not."""
    one = panels[0]
    if any(len(p.axis.x) != len(one.axis.x) or p.used != one.used for p in panels):
        return None
    if any(not np.array_equal(p.axis.x, one.axis.x) for p in panels):
        return None
    values = np.concatenate([(p.values * p.spread + p.shift - one.shift) / one.spread for p in panels])
    return Panel("both", values, one.weight, one.axis, one.used, one.kind, one.scale, one.shift, one.spread, one.turn)
