"""The findings of `retention` in plain sentences, and what to say first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from emergelab.instruments._retention_curve import Decay
from emergelab.instruments._retention_events import Memory
from emergelab.instruments._retention_kernel import Kernel
from emergelab.instruments._retention_read import Source
from emergelab.instruments._retention_tables import lag_of
from emergelab.statistics import Estimate

__all__ = ["CANNOT_SEE", "cautions", "describe"]

CANNOT_SEE = (
    "whether a score measures memory or fluency, so compare with items that were never seen, and recognition with "
    "paired foils, before any exposure too; that a learning rate which falls slows forgetting by itself; what happens "
    "between two records. Laws are held against each other on the mean curve, which is no law of any one item, and a "
    "law that is not among those fitted is taken for the nearest of them. The gain of an exposure is a difference of "
    "two records: how well it is known depends on how many items were never seen, and with five seeds and six items "
    "the test of a gain is conservative (1% to 2% false alarms where 5% are nominal)."
)


def _told(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return "undefined"
    return f"{value:.3g}" + (f" [{low:.3g}, {high:.3g}]" if math.isfinite(low) and math.isfinite(high) else "")


def _number(e: Estimate) -> str:
    return _told(e.value, e.low, e.high)


def describe(
    source: Source,
    decays: Sequence[Decay],
    verdicts: Sequence[str],
    tables: Mapping[str, pd.DataFrame],
    series: bool,
    unit: str,
) -> str:
    """What was found, condition by condition."""
    clock = f" {unit}" if unit else ""
    parts = []
    for name, d, verdict in zip(source.conditions, decays, verdicts, strict=True):
        where = f"{name}: " if len(source.conditions) > 1 else ""
        many = d.drawn.items
        text = f"{where}{source.name} of {many} item{'s' * (many != 1)}"
        if series:
            text += f" gains {_number(d.effect)} by an exposure"
            if verdict == "not acquired":
                parts.append(f"{text}, less than what matters, so nothing can be said about its loss")
                continue
            if d.rise.claimed and d.rise.low <= 0:
                text += ", which noise alone could make"
        if math.isfinite(d.slope.value):
            text += f"{', then' if series else ''} loses {_number(d.slope)} of R per decade of lag"
            text += f" (R2 of the line {d.r2:.2f})" if math.isfinite(d.r2) else ""
        else:
            text += " has too few lags for a line"
        for e, what in ((d.log_half_life, "half is lost"), (d.log_intercept, "by the line all is lost")):
            if math.isfinite(e.value):
                text += f"; {what} after {_told(*lag_of(e))}{clock}"
        if verdict == "kept":
            text += "; it is kept over the lags that were probed"
        elif verdict == "undecided":
            text += f"; the law of the loss is undecided: {d.why}" if d.slope.value > 0 else "; no loss is shown"
        else:
            text += f"; the loss is {'a ' if verdict == 'power law' else ''}{verdict}: {d.why}"
        parts.append(text + _items(tables, name) + _exposures(tables, name))
    contrasts = tables["contrasts"]
    for row in contrasts[contrasts["verdict"] != "inconclusive"].itertuples():
        parts.append(f"{row.quantity} is {row.verdict} in {row.a} than in {row.b}, by "
                     f"{_told(abs(row.difference), *sorted((abs(row.low), abs(row.high))))}")  # fmt: skip
    return ". ".join(parts)


def _items(tables: Mapping[str, pd.DataFrame], condition: str) -> str:
    items = tables["items"]
    left = items["left"][items["condition"] == condition]
    left = left[np.isfinite(left.astype(float))]
    if len(left) < 3:
        return ""
    return f"; {int((left >= 0.9).sum())} of {len(left)} items have nine tenths or more left at the end"


def _exposures(tables: Mapping[str, pd.DataFrame], condition: str) -> str:
    own = tables["exposures"]
    own = own[own["condition"] == condition]
    if len(own) < 2:
        return ""
    first, last = own.iloc[0], own.iloc[-1]
    if not np.isfinite([first["effect"], last["effect"]]).all():
        return ""
    return f"; the first exposure adds {first['effect']:.3g}, the last ({int(last['exposure'])}.) {last['effect']:.3g}"


def cautions(
    source: Source,
    memories: Sequence[Memory],
    decays: Sequence[Decay],
    kernels: Sequence[Kernel | None],
    tables: Mapping[str, pd.DataFrame],
    series: bool,
    window: float,
    recognition: bool,
) -> list[str]:
    """What the reader must know first."""
    out = list(source.notes)
    if series:
        if any("never seen" not in m.baseline for m in memories):
            out.append("no item is without exposure: a trend in all items counts as gained, or lost, by exposures")
        if any("noise" in m.baseline for m in memories):
            out.append("a curve without companions chose its own maximum; the largest noise was taken off, which takes "
                       "off too much where the gain is large")  # fmt: skip
        if any(np.isnan(d.effect.value) for d in decays):
            out.append("no record lies both before an exposure and within its window")
    elif not memories[0].baseline and not memories[0].is_ratio:
        out.append("no baseline of items never seen: R is the score itself, and what chance gives counts as kept")
    elif recognition and memories[0].baseline.startswith("chance"):
        out.append("chance of one half is assumed: whether foils are as fluent as items was not calibrated on items "
                   "never seen")  # fmt: skip
    for name, m, d, kernel in zip(source.conditions, memories, decays, kernels, strict=True):
        where = f"{name}: " if len(source.conditions) > 1 else ""
        out += [where + text for text in _of_one(m, d, kernel, window)]
    share = tables["spacing"]["accumulates"] if len(tables["spacing"]) else pd.Series(dtype=bool)
    if len(share) and not share.any() and decays[0].drawn.seeds >= 5:
        out.append("at no spacing is anything shown to be left when the next exposure comes")
    return out


def _of_one(m: Memory, d: Decay, kernel: Kernel | None, window: float) -> list[str]:
    out = []
    if 1 < d.drawn.seeds < 5:
        out.append(f"{d.drawn.seeds} seeds: no interval below 5")
    gaps = m.gap[np.isfinite(m.gap)]
    far = 10.0**d.log_intercept.value if np.isfinite(d.log_intercept.value) else float("nan")
    zero = kernel.zero()[0] if len(gaps) and kernel is not None else float("nan")
    if len(gaps):
        text = "several exposures: R follows the decay of all that they left together"
        if kernel is not None and np.isfinite(kernel.rate.value):
            text += f"; taken apart, one by itself has a = {_number(kernel.rate)} (table 'kernels')"
        out.append(text)
        if gaps.min() <= window:
            out.append("exposures follow each other within the window: their gains are shared between them")
        if np.isfinite(zero) and np.median(gaps) > zero:
            out.append(f"exposures come farther apart than the x-intercept of one by itself ({zero:.3g}), so they do "
                       "not accumulate")  # fmt: skip
    if d.artefact.found and d.family == "power law":
        out.append(f"averaging artefact: {d.artefact.share:.0%} of the items by themselves decay exponentially rather "
                   "than as a power law, and a mean of exponentials with different rates looks like one")  # fmt: skip
    if d.binomial:
        out.append("yes-or-no scores: laws were fitted by the binomial likelihood")
    if len(d.lag) and d.lag[-1] < 100 * d.lag[0]:
        out.append("lags span less than two decades: laws are hard to tell apart")
    if np.isfinite(far) and far > 10 * d.lag[-1]:
        out.append("the x-intercept lies more than a decade beyond the longest lag: an extrapolation")
    return out
