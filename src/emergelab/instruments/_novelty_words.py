"""What `novelty` says: the verdict of a condition, the cautions and the words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from emergelab.instruments._novelty_read import Artefacts
from emergelab.instruments._novelty_seed import SeedFinding
from emergelab.statistics import Estimate

__all__ = ["CANNOT_SEE", "cautions", "describe", "judge", "nearness"]

CANNOT_SEE = (
    "anything after the last record: no finite record shows open-endedness, so the claim is about this horizon only; "
    "novelty that the labels, strings or embedding do not show, or that an observer with more memory would find trite. "
    "The observers here are weak (a linear predictor; contexts of one to three symbols; a 32 kB compressor): what they "
    "cannot learn may be learnable. Drift of the encoder, and differences in irrelevant genes, count as novelty; so "
    "does noise whose spread grows: where it triples, twenty seeds are called open in about half of data sets."
)

_GOING = {"vectors": 0.1, "strings": 0.01}  # smallest growth of surprise with the horizon: exponent, log ratio


def judge(
    found: Mapping[str, Estimate], seen: SeedFinding, condition: int, over: Estimate | None, margin: float
) -> tuple[str, str]:
    """The verdict of one condition and the reason in a few words."""
    exponent, forecast = found["exponent"], found["forecast"]
    horizon, learnable = found["horizon"], found["learnable"]
    if not np.isfinite(exponent.value):
        return "inconclusive", "the cumulative curve has no exponent: too few records, or values below zero"
    if not exponent.claimed:
        return "inconclusive", f"no interval over seeds: {exponent.method}"
    if exponent.high < margin:
        return "stagnant", "hardly anything new comes late"
    if exponent.low <= margin:
        return "inconclusive", "the interval of the late exponent holds the margin"
    saturating = np.isfinite(seen.numbers["asymptote"][condition])
    bounded = forecast.claimed and forecast.high < 0 and 2 * saturating.sum() > len(saturating)
    if bounded:
        return "bounded", "a law that saturates forecasts the late part better"
    if seen.axis not in ("the archive", "distinct types"):
        return ("open so far", "it keeps growing and no saturating law forecasts it better")
    if over is not None and over.claimed and over.low <= 0:
        return "wandering", "no more new things than in the neutral shadow"
    if not learnable.claimed:
        if over is not None and over.claimed and over.low > 0:
            return "open so far", "more new things than in the neutral shadow; learnability cannot be asked of labels"
        return "inconclusive", "novel, but opaque labels without a shadow do not tell progress from noise"
    if learnable.high < 0.02 or (learnable.low <= 0 and learnable.value < 0.05):
        return "wandering", "novel, but an observer who learns from the past predicts no better"
    if learnable.low <= 0:
        return "inconclusive", "whether the past helps to predict is not settled"
    least = _GOING["vectors" if seen.axis == "the archive" and np.isfinite(seen.threshold) else "strings"]
    if not horizon.claimed or horizon.low <= least:
        if horizon.claimed and horizon.high < 2 * least:
            return "wandering", "novel and lawful, but no farther from what is known the longer one waits: stationary"
        return "inconclusive", "whether it moves away from what is known is not settled"
    return "open so far", "new things keep coming, lead away from what is known, and can be learned from"


def cautions(block: Artefacts, seen: SeedFinding, tables: Mapping[str, pd.DataFrame], with_shadow: bool) -> list[str]:
    out = []
    if not block.has_seeds:
        out.append("there is no dim of seeds: everything here is within one run only, and no interval is claimed")
    gone = int((~block.present.any(axis=(2, 3))).sum())
    if gone:
        out.append(f"{gone} seeds have no artefact at all and are left out")
    if block.kind == "curve":
        out.append(
            f"a ready curve was given: growth of {block.name} is judged, whether it is novelty is for you to say"
        )
    if block.kind == "labels" and not with_shadow and seen.axis != "ANNECS":
        out.append("labels are opaque: without a neutral shadow novelty cannot be told from noise")
    if seen.thinned:
        out.append(f"{seen.thinned} artefacts were drawn from each record, the same number from all")
    if seen.early_solved:
        out.append(f"{seen.early_solved} artefacts are marked solved before they were made and do not count")
    cycles = tables["crossplay"]
    cycles = cycles[cycles["finding"] == "cycle"]
    if len(cycles):
        out.append(
            f"in {len(cycles)} seeds ratings summed over neighbours rise while late players do not beat early ones: "
            "a cycle, not progress"
        )
    for row in tables["conditions"].itertuples():
        if row.verdict == "open so far" and row.late_rate < 0.5 * row.early_rate:
            where = f" in {row.condition}" if len(block.conditions) > 1 else ""
            out.append(f"new things come less than half as fast late as early{where}")
    return out


def describe(
    block: Artefacts, seen: SeedFinding, tables: Mapping[str, pd.DataFrame], verdict: str, margin: float
) -> str:
    horizon = f"{block.time[-1]:g}" + (f" {block.time_unit}" if block.time_unit else "")
    parts = [f"Verdict: {verdict}, up to {block.time_name} {horizon}; the axis is {seen.axis}."]
    for row in tables["conditions"].itertuples():
        where = f"{row.condition}: " if len(block.conditions) > 1 else ""
        told = f"{where}{row.verdict}, because {row.why}."
        told += f" Late exponent {row.exponent:.2f}"
        if np.isfinite(row.exponent_low):
            told += f" [{row.exponent_low:.2f}, {row.exponent_high:.2f}]"
        told += f" (margin {margin:g}); {row.late_rate:.3g} new a unit of time late, {row.early_rate:.3g} early"
        if np.isfinite(row.learnable):
            told += f"; the learning observer saves {row.learnable:.0%} of the error"
        if np.isfinite(row.horizon):
            told += f"; surprise grows with the horizon by {row.horizon:.2f}"
        if np.isfinite(row.over_shadow):
            told += f"; {row.over_shadow:+.3g} against the shadow"
        if row.asymptote_seen and row.forecast < 0:
            told += f"; a saturating law would end at {row.asymptote:.4g}"
        else:
            told += "; no asymptote is visible"
        parts.append(told + ".")
    for row in tables["contrasts"].itertuples():
        parts.append(
            f"{row.a} against {row.b}: {row.difference:+.2f} in the late exponent, p = {row.p:.2g}, {row.verdict}."
        )
    return " ".join(parts)


def nearness(target: pd.DataFrame, several: bool) -> str:
    """A sentence a condition about the target; nothing if there is none."""
    told = ""
    for row in target[target["seed"] == "all"].to_dict("records"):
        what = "rises by" if row["tested"] == "rise" else "is above that of targets out of order by"
        number = row[row["tested"]]
        told += f" Similarity to the target{' in ' + str(row['condition']) if several else ''}"
        if not np.isfinite(number):
            told += " cannot be told: fewer than two records."
            continue
        told += f" in the space given: {row['similarity']:.2f} on average; it {what} {number:+.2f}"
        low, high = row[f"{row['tested']}_low"], row[f"{row['tested']}_high"]
        if np.isfinite(low):
            told += f" [{low:.2f}, {high:.2f}]"
        told += f" (p = {row['p']:.2g} over seeds, {row['p_shifted']:.2g} against shifted times)."
    return told
