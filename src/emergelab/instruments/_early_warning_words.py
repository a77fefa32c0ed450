"""What `early_warning` says: the verdict, the cautions and the words."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from emergelab.instruments._early_warning_tables import Evidence
from emergelab.instruments.result import Effect, Null
from emergelab.statistics import Estimate, proportion

__all__ = ["CANNOT_SEE", "answer", "cautions", "describe"]

CANNOT_SEE = (
    "transitions without slowing down: those made by a large shock, by noise or by an abrupt change from outside give "
    "no warning at all, so the absence of a warning is not the absence of a transition; what happens faster than the "
    "records come; a slowing down that averaging over agents has hidden. A noise that grows by itself, or with a "
    "learning rate, raises the variance and rings the alarm without any slowing down (on AR(1) noise whose spread "
    "triples it rings in nearly every data set): divide by its size, or read the autocorrelation. Systems picked "
    "because they collapsed show rising indicators by that choice alone (the prosecutor's fallacy), and only neutral "
    "records can tell."
)

_KINDS = {
    "noise": "white noise",
    "fold": "one real positive root (fold, transcritical, pitchfork)",
    "flip": "one real negative root (flip, period doubling)",
    "hopf": "a pair of complex roots (Hopf, Neimark-Sacker)",
}


def answer(e: Evidence, tables: dict[str, pd.DataFrame]) -> tuple[str, str, Estimate, float, Null, Effect]:
    """Verdict, what the headline number is, the number, p, its null and the effect."""
    nan, n = float("nan"), len(e.events)
    none = Effect("no effect", nan)
    if not e.events:
        refused = Estimate(nan, nan, nan, e.level, "no record could be judged", 0)
        return "cannot tell", "share of records with an alarm", refused, nan, Null("none", 0), none
    frame, records = tables["indicators"], tables["records"]
    if e.by_controls:
        best = frame.sort_values(["p_auc", "auc"], ascending=[True, False]).iloc[0]
        p = float(best["p_auc"])
        if p <= e.alpha and best["auc"] > 0.5:
            verdict = "warned"
        else:
            verdict = "not warned" if (frame["auc_high"] < e.useful).all() else "cannot tell"
        label = _indicator(best)
        value = Estimate(
            float(best["auc"]), float(best["auc_low"]), float(best["auc_high"]), e.level,
            f"{n} records with a transition against {len(e.controls)} neutral ones", n + len(e.controls),
        )  # fmt: skip
        null = Null("records and neutral records relabelled (max-T over indicators and settings)", e.relabellings)
        return verdict, f"area under the ROC curve, {label}", value, p, null, Effect(f"AUC of {label}", value.value)
    best = frame.sort_values(["p", "alarms"], ascending=[True, False]).iloc[0]
    label, metric = _indicator(best), f"{e.plan.change} of {best['indicator']}"
    p = e.sequential[1] if e.material.monitoring else float(best["p"])
    if np.isnan(p):
        verdict = "cannot tell"
    elif e.material.monitoring:
        verdict = "warned" if e.sequential[0] >= 0 else "not warned"
    else:
        verdict = "warned" if p <= e.alpha else "not warned"
    null = Null(f"{e.plan.surrogate} surrogates of the residuals ({_paid(e)})", e.plan.draws if np.isfinite(p) else 0)
    effect = Effect(metric if n == 1 else f"mean {metric}", float(best["change"]))
    if n == 1:
        one = Estimate(float(best["change"]), nan, nan, e.level, "one record: no interval", 1)
        return verdict, f"{metric} ({label})", one, p, null, effect
    rung = int((records["alarm"] & ~records["neutral"] & (records["refused"] == "")).sum())
    return verdict, "share of records with an alarm", proportion(rung, n, level=e.level), p, null, effect


def _paid(e: Evidence) -> str:
    if e.material.monitoring:
        return "alpha spent over looks"
    return "max-T over indicators and settings" if len(e.columns) > 1 else "one indicator, one setting"


def _indicator(row: pd.Series) -> str:
    place = f" of {row['channel']}" if row["channel"] not in ("", "all") else ""
    return f"{row['indicator']}{place} {row['direction']}"


def cautions(e: Evidence, tables: dict[str, pd.DataFrame]) -> list[str]:
    """What the reader must know before believing the verdict."""
    out = list(e.material.notes)
    refused = [r for r in e.material.records if r.refused]
    if refused:
        reasons = Counter(r.refused for r in refused)
        shown = "; ".join(f"{k} x {reason}" if k > 1 else reason for reason, k in reasons.most_common(3))
        out.append(f"{len(refused)} of {len(e.material.records)} records are not judged: {shown}")
    if not e.events:
        return out
    if not e.controls:
        out.append(
            f"there are no neutral records: how often {e.plan.surrogate} surrogates ring a false alarm on data of this "
            "kind is not known"
        )
    elif not e.by_controls:
        out.append(
            f"{len(e.controls)} neutral records beside {len(e.events)} others are too few to judge by: the verdict "
            "rests on surrogates"
        )
    for _, row in tables["indicators"].iterrows():
        if row["neutral"] and row["neutral_alarms"] > 2 * e.alpha * row["neutral"]:
            share = proportion(int(row["neutral_alarms"]), int(row["neutral"]), level=e.level)
            out.append(
                f"{_place(row)} is not calibrated here: {e.plan.surrogate} surrogates ring in "
                f"{row['neutral_alarms']} of {row['neutral']} neutral records ({share.value:.2f} [{share.low:.2f}, "
                f'{share.high:.2f}], nominal {1 - e.level:.2g}); try surrogate="volatility" or "block"'
            )
    out += _alone(e, tables["indicators"])
    several = sorted({r.condition for r, _ in e.events})
    if len(several) > 1:
        out.append(f"the conditions {', '.join(several)} are judged together; select one to judge it alone")
    lengths = [[len(r.time) for r, _ in group] for group in (e.events, e.controls)]
    if all(lengths) and not 0.5 <= np.median(lengths[0]) / np.median(lengths[1]) <= 2:
        out.append("neutral records are of another length than the others, which changes the spread of their trends")
    if not e.plan.refit:
        out.append("the full record was smoothed once, so earlier looks have seen a little of what comes later")
    if e.plan.detrend == "ensemble" and len({r.transition for r, _ in e.events if np.isfinite(r.transition)}) > 1:
        out.append(
            "seeds have their transitions at different times: their mean is a trend only while all are before it"
        )
    if not e.material.source.has_seeds:
        out.append("there is no dim of seeds: everything here is within one run only")
    return out


def _place(row: pd.Series) -> str:
    return row["indicator"] + (f" of {row['channel']}" if row["channel"] not in ("", "all") else "")


def _alone(e: Evidence, frame: pd.DataFrame) -> list[str]:
    """Rising variance without autocorrelation, or the reverse: slowing down moves both."""
    p = "p_auc" if e.by_controls else "p"
    one = {name: frame.loc[frame["indicator"] == name, p].min() for name in ("variance", "ac1")}
    if np.isnan(one["variance"]) or np.isnan(one["ac1"]):
        return []
    if one["variance"] <= e.alpha < one["ac1"]:
        return ["the variance rises without the autocorrelation: a noise that grows would do the same"]
    if one["ac1"] <= e.alpha < one["variance"]:
        return ["the autocorrelation changes, the variance does not rise"]
    return []


def describe(e: Evidence, tables: dict[str, pd.DataFrame], verdict: str) -> str:
    """The finding in plain sentences."""
    name = e.material.source.name
    if not e.events:
        why = {r.refused for r in e.material.records if r.refused and not r.neutral}
        return f"Nothing can be said of {name}: {'; '.join(sorted(why)) or 'there is no record to test'}."
    frame, records = tables["indicators"], tables["records"]
    what = {
        ("warned", True): f"An alarm rings on {name}",
        ("not warned", True): f"No alarm has rung on {name} so far",
        ("warned", False): f"The transition of {name} was warned of",
        ("not warned", False): f"The transition of {name} was not warned of",
    }.get((verdict, e.material.monitoring), f"Whether the transition of {name} can be seen coming stays open")
    parts = [what + "."]
    if e.by_controls:
        for _, row in frame.iterrows():
            parts.append(
                f"{_indicator(row)} tells {row['records']} records from {row['neutral']} neutral ones with an area of "
                f"{_span(row)} (p = {row['p_auc']:.2g})."
            )
        false = [f"{_place(row)} {row['neutral_alarms']} of {row['neutral']}" for _, row in frame.iterrows()]
        parts.append(
            f"Judged by {e.plan.surrogate} surrogates alone, an alarm would ring falsely in neutral records: "
            f"{', '.join(false)} (nominal {1 - e.level:.2g})."
        )
        if verdict == "cannot tell":
            parts.append(f"An area of {e.useful:g}, the smallest of use, can be neither shown nor excluded.")
    else:
        for _, row in frame.iterrows():
            if row["records"] == 1:
                parts.append(
                    f"{e.plan.change.capitalize()} of {_place(row)}: {row['change']:.2f} (p = {row['p']:.2g})."
                )
            else:
                parts.append(
                    f"{_place(row)}: mean {e.plan.change} {row['change']:.2f}, {row['direction']} in "
                    f"{row['in_direction']} of {row['records']}, alarm in {row['alarms']} (p = {row['p']:.2g} over "
                    "all)."
                )
        parts.append(_price(e))
    parts += _kind(e, records) + _lead(e, tables["looks"])
    return " ".join(parts)


def _span(row: pd.Series) -> str:
    if np.isnan(row["auc_low"]):
        return f"{row['auc']:.2f}"
    return f"{row['auc']:.2f} [{row['auc_low']:.2f}, {row['auc_high']:.2f}]"


def _price(e: Evidence) -> str:
    settings = len(e.plan.bandwidths) * len(e.plan.windows)
    if e.material.monitoring:
        return f"The {len(e.plan.looks)} looks share the error allowed (p = {e.sequential[1]:.2g})."
    return (
        f"Each p pays for {len(e.series)} indicator{'s' * (len(e.series) > 1)} at {settings} "
        f"setting{'s' * (settings > 1)} of bandwidth and window, against {e.plan.surrogate} surrogates."
    )


def _kind(e: Evidence, records: pd.DataFrame) -> list[str]:
    kinds = Counter(records.loc[~records["neutral"] & (records["kind"] != ""), "kind"])
    if not kinds:
        return []
    best, k = kinds.most_common(1)[0]
    told = f"The last window looks like {_KINDS[best]} in {k} of {sum(kinds.values())}"
    if best in ("noise", "fold"):  # the model below knows no other way to lose stability
        own = records.loc[~records["neutral"] & records["daic"].notna(), "daic"]
        told += (
            f"; a return rate that falls towards a saddle-node fits better than a constant one in "
            f"{int((own > 0).sum())} of {len(own)}"
        )
    return [told + "."]


def _lead(e: Evidence, looks: pd.DataFrame) -> list[str]:
    last = looks.iloc[-1]
    if not last["alarms"]:
        return []
    unit = e.material.source.time_unit or e.material.source.time_name
    text = f"One who waits and looks at {', '.join(f'{s:.0%}' for s in e.plan.looks)} of a record hears an alarm in "
    text += f"{int(last['alarms'])} of {int(last['records'])}"
    if np.isfinite(last["median_lead"]):
        text += f", in the median {last['median_lead']:.3g} {unit} before the transition"
    if last["neutral"]:
        text += f", and a false one in {int(last['neutral_alarms'])} of {int(last['neutral'])} neutral records"
    return [text + "."]
