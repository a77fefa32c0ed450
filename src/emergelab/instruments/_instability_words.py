"""What `instability` says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from emergelab.instruments._curves import Curves
from emergelab.instruments._instability_series import Runs
from emergelab.instruments._instability_sweep import Sweep

__all__ = ["CANNOT_SEE", "run_words", "sweep_words"]

CANNOT_SEE = {
    "runs": (
        "spikes shorter than the gap between two records; slow decay without a break; spikes that clipping of "
        "gradients hides; why a run broke. A breakdown within the first records has no history to be judged by and is "
        "a matter of warm-up. Noise with heavy tails spikes by nature, and the null of normal AR(1) noise does not "
        "know it; noise whose spread triples gives false alarms in 10% of data sets of five seeds instead of 5%. A "
        "warning found on the same runs is a description until it is tried on new ones."
    ),
    "sweep": (
        "rates outside the sweep: S depends on its ends and on the cap at initialisation, so only sensitivities over "
        "the same grid compare. A best rate that moves with size is not sensitivity. Runs of different length or "
        "precision are not told apart, nor a run that would have recovered. Contrasts and growth of equal conditions "
        "were called in 4% to 10% of data sets, where 5% are nominal."
    ),
}


def run_words(
    data: Curves, runs: Runs, summary: pd.DataFrame, warned: pd.DataFrame, params: dict[str, Any], verdict: str
) -> str:
    """The finding in plain sentences, for runs."""
    unit = f" {data.time_unit}" if data.time_unit else ""
    way = "above" if params["direction"] == "up" else "below"
    out = [
        f"A spike of {data.name} lies more than {params['k']:g} robust standard deviations {way} the median of the "
        f"{params['window']} records before it, and further than surrogates with the same trend and autocorrelation go."
    ]
    for row in summary.itertuples():
        where = f" of {row.condition}" if len(summary) > 1 else ""
        out.append(
            f"{row.unstable} of {row.seeds} seeds{where} are unstable [{row.share_low:.2f}, {row.share_high:.2f}], "
            f"{row.broken} of them do not recover."
        )
    for i, j in list(zip(*np.nonzero(runs.unstable), strict=True))[:6]:
        fate = "does not recover" if runs.broken[i, j] else "recovers"
        out.append(f"Seed {data.seeds[j]} at {runs.event[i, j]:g}{unit} {fate}.")
    for row in warned.itertuples():
        if np.isfinite(row.auc):
            lead = f", median lead {row.median_lead:g}{unit}" if np.isfinite(row.median_lead) else ""
            out.append(
                f"{row.precursor} told unstable from stable seeds with AUC {row.auc:.2f} (p = {row.p:.3g}) and passed "
                f"its alarm level in {row.warned} of {row.unstable} before the event{lead}."
            )
    out.append(f"Verdict: {verdict}.")
    return " ".join(out)


def sweep_words(
    name: str,
    sweep: Sweep,
    table: pd.DataFrame,
    grown: pd.DataFrame,
    edge: pd.DataFrame,
    compared: pd.DataFrame,
    forecast: pd.DataFrame,
    verdict: str,
) -> str:
    """The finding in plain sentences, for a sweep."""
    low, high = sweep.rates.min(), sweep.rates.max()
    out = [f"S is the mean excess of {name} over its lowest value, for rates from {low:g} to {high:g}."]
    for condition in sweep.conditions:
        own = table[table["condition"] == condition]
        where = f" of {condition}" if len(sweep.conditions) > 1 else ""
        parts = ", ".join(f"{r.S:.3g} at size {r.size:g}" for r in own.head(6).itertuples() if np.isfinite(r.S))
        out.append(f"S{where}: {parts or 'undefined'}.")
        slope = grown[grown["condition"] == condition].iloc[0]
        if np.isfinite(slope["S_per_decade"]):
            out.append(
                f"It changes by {slope['S_per_decade']:.3g} [{slope['low']:.3g}, {slope['high']:.3g}] per decade of "
                "size."
            )
        k = edge[(edge["condition"] == condition) & (edge["quantity"] == "exponent k")].iloc[0]
        if np.isfinite(k["rate_c"]):
            out.append(
                f"The highest stable rate falls as size to the power {-k['rate_c']:.3g} [{-k['high']:.3g}, "
                f"{-k['low']:.3g}]."
            )
    for row in compared.itertuples():
        out.append(
            f"S of {row.a} minus S of {row.b}: {row.difference:.3g} [{row.low:.3g}, {row.high:.3g}], p = {row.p:.3g} "
            f"over signs of seeds (the smallest reachable is {row.smallest_p:.2g})."
        )
    for row in forecast.itertuples():
        if np.isfinite(row.rate) and not row.note:
            out.append(
                f"Size {row.size:g} is predicted to cross at rate {row.rate:.3g} [{row.low:.3g}, {row.high:.3g}]."
            )
    out.append(f"Verdict: {verdict}.")
    return " ".join(out)
