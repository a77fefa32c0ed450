"""What `onset` says: the verdict, the cautions, the words and the curves behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool

from emergelab.instruments._curves import Curves
from emergelab.instruments._logistic import LogisticFit
from emergelab.instruments._onset_rules import Crossing, Rule
from emergelab.instruments.result import Effect, Null
from emergelab.statistics import Estimate, proportion

__all__ = ["cautions", "describe", "diagnostics", "verdict_of"]


def cautions(
    data: Curves,
    rule: Rule,
    crossing: Crossing,
    late: Bool[np.ndarray, "c s"],
    table: pd.DataFrame,
    summary: pd.DataFrame,
    contrasts: pd.DataFrame,
) -> list[str]:
    out = []
    for i, condition in enumerate(data.conditions):
        where = f"in {condition}" if len(data.conditions) > 1 else ""
        odd = [f"seed {data.seeds[j]} (at {crossing.onset[i, j]:g})" for j in np.flatnonzero(late[i])]
        if odd:
            out.append(
                f"{' and '.join(odd)} {where} lies far from the other onsets; do not average it away".replace("  ", " ")
            )
        n, emerged = int(np.isfinite(crossing.last[i]).sum()), int(crossing.emerged[i].sum())
        never = [str(data.seeds[j]) for j in np.flatnonzero(~crossing.emerged[i] & np.isfinite(crossing.last[i]))]
        if 0 < emerged < n and len(never) <= 8:
            out.append(
                f"seed{'s' * (len(never) > 1)} {', '.join(never)} {where} never emerged (censored)".replace("  ", " ")
            )
        if n < len(data.seeds):
            out.append(f"{len(data.seeds) - n} seeds {where} have no record at all and are left out".replace("  ", " "))
    at_start = int(np.isneginf(crossing.left).sum())
    if at_start:
        out.append(
            f"{at_start} seeds are beyond the threshold at their first record: their onset is earlier than the data"
        )
    unresolved = int((table["emerged"] & ~table["resolved"]).sum())
    if unresolved:
        out.append(f"in {unresolved} seeds the whole rise falls between two records: W and A are upper bounds there")
    for _, row in summary.iterrows():
        if row["mean_curve_W"] > 1.5 * row["W_decades"]:
            out.append(
                f"the mean curve of {row['condition']} rises over {row['mean_curve_W']:.2g} decades, a "
                f"typical seed over "
                f"{row['W_decades']:.2g}: the mean looks gradual because the seeds jump at different times"
            )
    reachable = contrasts["smallest_p"].min() * len(contrasts) if len(contrasts) > 1 else 0.0
    if reachable > 1 - 0.95:
        out.append(
            f"with so few seeds no p can be below {contrasts['smallest_p'].min():.2g}, and after Holm over "
            f"{len(contrasts)} "
            "contrasts none can be significant: select the two conditions of the question, or grow more seeds"
        )
    for _, row in contrasts.iterrows():
        if row["order_flips"]:
            out.append(f"the order of {row['a']} and {row['b']} changes with the threshold: no verdict on it")
    if rule.kind == "z":
        out.append("standard errors cover the test items only, not the noise of training from record to record")
    return out


def verdict_of(
    data: Curves,
    crossing: Crossing,
    summary: pd.DataFrame,
    contrasts: pd.DataFrame,
    fraction: float,
    level: float,
) -> tuple[str, str, Estimate, float, Null, Effect]:
    if len(data.conditions) == 1:
        seen = np.isfinite(crossing.last[0])
        share = proportion(int(crossing.emerged[0].sum()), int(seen.sum()), level=level)
        verdict = "inconclusive"
        if share.low > fraction:
            verdict = "emerges"
        elif share.high < fraction:
            verdict = "does not emerge"
        p = share.p_greater(fraction) if share.value >= fraction else share.p_less(fraction)
        effect = Effect("fraction of seeds that emerge", share.value)
        null = Null(f"binomial, share of seeds = {fraction:g}", 0)
        return verdict, "median onset", summary.attrs["medians"][0], p, null, effect
    best = contrasts["p_holm"].min()
    draws = int(contrasts["draws"].max())
    null = Null(str(contrasts["test"].iloc[0]), draws)
    if len(contrasts) == 1:
        row = contrasts.iloc[0]
        headline = f"restricted mean onset, {row['a']} minus {row['b']}"
        effect = Effect("hazard ratio", float(row["hazard_ratio"]))
        return str(row["verdict"]), headline, contrasts.attrs["differences"][0], float(row["p"]), null, effect
    decided = contrasts["verdict"].isin(["earlier", "later"]).any()
    first = int(np.nanargmin(contrasts["p_holm"])) if np.isfinite(best) else 0
    row = contrasts.iloc[first]
    headline = f"restricted mean onset, {row['a']} minus {row['b']} (the clearest of {len(contrasts)} contrasts)"
    effect = Effect("hazard ratio", float(row["hazard_ratio"]))
    return (
        "differ" if decided else "inconclusive",
        headline,
        contrasts.attrs["differences"][first],
        float(best),
        null,
        effect,
    )


def diagnostics(data: Curves, sign: float, rule: Rule, crossing: Crossing, fit: LogisticFit) -> xr.Dataset:
    dims, shape = ("condition", "seed"), data.values.shape[:2]
    coords = {"condition": list(data.conditions), "seed": list(data.seeds), "time": data.time}
    return xr.Dataset(
        {
            "value": ((*dims, "time"), data.values),
            "theta": ((*dims, "time"), sign * np.array(rule.theta)),
            "onset": (dims, crossing.onset),
            "after": (dims, crossing.left),
            "last": (dims, crossing.last),
            "emerged": (dims, crossing.emerged),
            "fit_low": (dims, sign * fit.low.reshape(shape)),
            "fit_high": (dims, sign * fit.high.reshape(shape)),
            "fit_centre": (dims, fit.centre.reshape(shape)),
            "fit_width": (dims, fit.width.reshape(shape)),
        },
        coords=coords,
        attrs={
            "observable": data.name,
            "unit": data.unit,
            "time_name": data.time_name,
            "time_unit": data.time_unit,
        },
    )


def describe(
    data: Curves,
    rule: Rule,
    k: int,
    summary: pd.DataFrame,
    contrasts: pd.DataFrame,
    order: pd.DataFrame,
    verdict: str,
    direction: str,
) -> str:
    unit = f" {data.time_unit}" if data.time_unit else ""
    out = [f"An onset is the first of {k} records in a row {rule.words} ({direction})."]
    for _, row in summary.iterrows():
        share = f"{row['emerged']} of {row['seeds']} seeds [{row['fraction_low']:.2f}, {row['fraction_high']:.2f}]"
        text = f"{data.name} emerges in {share}" + (f" of {row['condition']}" if len(summary) > 1 else "")
        if np.isfinite(row["median_onset"]):
            end = f"{row['median_high']:g}" if np.isfinite(row["median_high"]) else "beyond the record"
            text += f", median onset {row['median_onset']:g}{unit}"
            if np.isfinite(row["median_low"]):
                text += f" ({row['median_low']:g} to {end}, level {row['median_level']:.3g})"
        if np.isfinite(row["W_decades"]):
            text += f", 10-90% rise over {row['W_decades']:.2g} decades"
        out.append(text + ".")
    for _, row in contrasts.iterrows():
        if len(contrasts) <= 3 or row["verdict"] in ("earlier", "later"):
            out.append(
                f"{row['a']} against {row['b']}: {row['verdict']} (p = {row['p']:.3g} by relabelling "
                f"seeds, the "
                f"smallest reachable is {row['smallest_p']:.2g}; Holm {row['p_holm']:.3g})."
            )
    for _, row in order.iterrows():
        out.append(
            f"{row['companion']} comes first in {row['companion_first']} of {row['decided']} seeds of "
            f"{row['condition']} in "
            f"which the order is known (sign test p = {row['p']:.3g})."
        )
    out.append(f"Verdict: {verdict}.")
    return " ".join(out)
