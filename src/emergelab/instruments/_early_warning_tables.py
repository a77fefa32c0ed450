"""What the records of `early_warning` say together: the evidence, and the tables that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.instruments._early_warning_data import Material, Record
from emergelab.instruments._early_warning_models import KINDS, kind_weights, slowing
from emergelab.instruments._early_warning_roc import area, relabelled
from emergelab.instruments._early_warning_trend import Column, Plan, Trends, columns, spend
from emergelab.statistics import max_t

__all__ = [
    "Evidence", "diagnostics", "indicator_table", "look_table", "record_table", "roc_table", "sensitivity_table",
    "weigh",
]  # fmt: skip

_FEWEST_CONTROLS = 3


@dataclass(frozen=True)
class Evidence:
    """Everything the verdict rests on.

    Attributes:
        material: all records that were read.
        plan: what was measured.
        columns: the looks at a record: indicator, channel, direction, setting.
        events: records that are tested, with their trends.
        controls: neutral records, with theirs.
        p_record: p of each judged record over all columns, events first.
        p_indicator: p of each judged record for each (indicator, channel) alone.
        alarm: look of the first alarm of each judged record (-1: none), and its p.
        p_column: p of each column over all events together, corrected for all columns.
        p_alone: the same, not corrected.
        sequential: look of the first alarm of all events together, and its p.
        p_area: p of the area under the ROC curve in each column, corrected; NaN without controls.
        relabellings: their number.
        by_controls: whether controls are enough to judge by.
        useful: smallest area of use.
        level: confidence level.
    """

    material: Material
    plan: Plan
    columns: list[Column]
    events: list[tuple[Record, Trends]]
    controls: list[tuple[Record, Trends]]
    p_record: Float[np.ndarray, "record"]
    p_indicator: Float[np.ndarray, "record series"]
    alarm: list[tuple[int, float]]
    p_column: Float[np.ndarray, "column"]
    p_alone: Float[np.ndarray, "column"]
    sequential: tuple[int, float]
    p_area: Float[np.ndarray, "column"]
    relabellings: int
    by_controls: bool
    useful: float
    level: float

    @property
    def alpha(self) -> float:
        """Share of false alarms allowed."""
        return 1 - self.level + 1e-12

    @property
    def series(self) -> list[tuple[str, int]]:
        """Indicators and channels, in the order of the columns."""
        return list(dict.fromkeys((c.indicator, c.channel) for c in self.columns))

    @property
    def heads(self) -> list[int]:
        """Columns of the headline setting."""
        return [i for i, c in enumerate(self.columns) if (c.bandwidth, c.window) == self.plan.setting]

    def label(self, channel: int) -> str:
        """Name of a channel; "" if there is one, "all" for indicators across channels."""
        return "all" if channel < 0 else self.material.channels[channel]

    def name(self, series: tuple[str, int]) -> str:
        """Indicator and channel in words."""
        place = self.label(series[1])
        return series[0] + (f" of {place}" if place and series[1] >= 0 else "")


def weigh(
    material: Material,
    judged: list[Record],
    found: list[Trends],
    plan: Plan,
    useful: float,
    level: float,
    rng: np.random.Generator,
) -> Evidence:
    """Put the trends of all records together."""
    alpha = 1 - level
    looks = columns(plan, len(material.channels))
    series = list(dict.fromkeys((c.indicator, c.channel) for c in looks))
    groups = [np.array([(c.indicator, c.channel) == s for c in looks]) for s in series]
    pairs = list(zip(judged, found, strict=True))
    events = [(r, t) for r, t in pairs if not r.neutral]
    controls = [(r, t) for r, t in pairs if r.neutral]
    ordered = events + controls
    p_record = np.array([_least(max_t(t.score)) for _, t in ordered], dtype=float)
    p_indicator = [_least(max_t(t.score[:, g])) for _, t in ordered for g in groups]
    together = _together([t.score for _, t in events])
    of_looks = _together([t.look_score for _, t in events])
    unknown = np.full(len(looks), np.nan)
    signs = np.array([c.sign for c in looks])
    p_area, smallest, count = unknown, 1.0, 0
    if events and controls:
        of_events, of_controls = (np.array([signs * t.change for _, t in group]) for group in (events, controls))
        p_area, smallest, count = relabelled(of_events, of_controls, plan.draws, rng)
    return Evidence(
        material=material,
        plan=plan,
        columns=looks,
        events=events,
        controls=controls,
        p_record=p_record,
        p_indicator=np.array(p_indicator, dtype=float).reshape(len(ordered), len(series)),
        alarm=[spend(_largest(t.look_score), plan.looks, alpha) for _, t in ordered],
        p_column=unknown if together is None else max_t(together),
        p_alone=unknown if together is None else np.array([_least(max_t(together[:, [i]])) for i in range(len(looks))]),
        sequential=(-1, float("nan")) if of_looks is None else spend(_largest(of_looks), plan.looks, alpha),
        p_area=p_area,
        relabellings=count,
        by_controls=len(controls) >= _FEWEST_CONTROLS and smallest <= alpha + 1e-12,
        useful=useful,
        level=level,
    )


def _least(p: Float[np.ndarray, "m"]) -> float:
    return float(np.nanmin(p)) if np.isfinite(p).any() else float("nan")


def _largest(score: Float[np.ndarray, "row look column"]) -> Float[np.ndarray, "row look"]:
    best = np.where(np.isfinite(score), score, -np.inf).max(axis=2)
    return np.where(np.isfinite(best), best, np.nan)


def _together(scores: list[np.ndarray]) -> np.ndarray | None:
    """Sum of the records' scores over the root of their number: draw i of every record makes row i."""
    if not scores:
        return None
    total, count = np.zeros_like(scores[0]), np.zeros_like(scores[0])
    for score in scores:
        seen = np.isfinite(score)
        total += np.where(seen, score, 0.0)
        count += seen
    return np.where(count > 0, total / np.sqrt(np.maximum(count, 1)), np.nan)


def _of(e: Evidence, group: list[tuple[Record, Trends]], column: int) -> Float[np.ndarray, "record 1"]:
    return np.array([e.columns[column].sign * t.change[column] for _, t in group], dtype=float).reshape(-1, 1)


def indicator_table(e: Evidence) -> pd.DataFrame:
    """One row an indicator and channel, at the headline setting and in the direction that speaks louder."""
    rows: list[dict[str, Any]] = []
    n = len(e.events)
    for s, key in enumerate(e.series):
        mine = [i for i, c in enumerate(e.columns) if (c.indicator, c.channel) == key]
        here = [i for i in e.heads if i in mine]
        changes = np.array([t.change[here[0]] for _, t in e.events], dtype=float)
        mean = float(np.nanmean(changes)) if np.isfinite(changes).any() else float("nan")
        louder = max(here, key=lambda i: e.columns[i].sign * np.nan_to_num(mean))
        roc = area(_of(e, e.events, louder), _of(e, e.controls, louder), e.level)
        p = e.p_indicator[:, s]
        rows.append({
            "indicator": key[0], "channel": e.label(key[1]),
            "direction": "up" if e.columns[louder].sign > 0 else "down",
            "change": mean, "records": n,
            "in_direction": int(np.sum(e.columns[louder].sign * changes > 0)),
            "p": _least(e.p_column[mine]),
            "alarms": int(np.sum(p[:n] <= e.alpha)),
            "neutral_alarms": int(np.sum(p[n:] <= e.alpha)), "neutral": len(e.controls),
            "auc": roc.value, "auc_low": roc.low, "auc_high": roc.high, "p_auc": _least(e.p_area[mine]),
        })  # fmt: skip
    return pd.DataFrame(rows)


def record_table(e: Evidence) -> pd.DataFrame:
    """One row a record, refused ones included."""
    ordered = e.events + e.controls
    place = {id(r): i for i, (r, _) in enumerate(ordered)}
    nan = float("nan")
    rows = []
    for r in e.material.records:
        row: dict[str, Any] = {
            "condition": r.condition, "seed": r.seed, "neutral": r.neutral, "records": len(r.time),
            "transition": r.transition, "p": nan, "alarm": False, "first_alarm": nan, "lead": nan, "kind": "",
            "kind_weight": nan, "daic": nan, "rate_first": nan, "rate_last": nan,
        }  # fmt: skip
        row |= {_column_name(e, key): nan for key in e.series}
        if id(r) in place:
            i = place[id(r)]
            t, look = ordered[i][1], e.alarm[i][0]
            row["p"] = float(e.p_record[i])
            row["alarm"] = bool(look >= 0 if e.material.monitoring and not r.neutral else e.p_record[i] <= e.alpha)
            if look >= 0:
                row["first_alarm"] = float(t.look_time[look])
                row["lead"] = r.transition - row["first_alarm"]
            row |= _modelled(r, t, _channel(e))
            for key in e.series:
                at = next(h for h in e.heads if (e.columns[h].indicator, e.columns[h].channel) == key)
                row[_column_name(e, key)] = float(t.change[at])
        row["refused"] = r.refused
        rows.append(row)
    return pd.DataFrame(rows)


def _column_name(e: Evidence, key: tuple[str, int]) -> str:
    return "_".join(part for part in (e.plan.change, key[0], e.label(key[1]) if key[1] >= 0 else "") if part)


def _channel(e: Evidence) -> int:
    """The channel that the models are fitted to: that of the strongest indicator of one channel."""
    own = [i for i, c in enumerate(e.columns) if c.channel >= 0]
    known = [i for i in own if np.isfinite(e.p_column[i])]
    return e.columns[min(known, key=lambda i: e.p_column[i])].channel if known else 0


def _modelled(r: Record, t: Trends, channel: int) -> dict[str, Any]:
    residual = t.residual[channel]
    fit, weights = slowing(r.time, residual), kind_weights(residual[-t.width :])
    best = int(np.argmax(np.nan_to_num(weights)))
    known = bool(np.isfinite(weights).all())
    return {
        "kind": KINDS[best] if known else "", "kind_weight": float(weights[best]),
        "daic": fit.daic, "rate_first": fit.first, "rate_last": fit.last,
    }  # fmt: skip


def sensitivity_table(e: Evidence) -> pd.DataFrame:
    """Every column: what another bandwidth, window or direction would have said."""
    rows = []
    for i, c in enumerate(e.columns):
        changes = np.array([t.change[i] for _, t in e.events], dtype=float)
        seen = changes[np.isfinite(changes)]
        roc = area(_of(e, e.events, i), _of(e, e.controls, i), e.level)
        rows.append({
            "indicator": c.indicator, "channel": e.label(c.channel), "direction": "up" if c.sign > 0 else "down",
            "bandwidth": c.bandwidth if e.plan.detrend in ("gaussian", "lowess") else float("nan"), "window": c.window,
            "change": float(seen.mean()) if len(seen) else float("nan"),
            "p_alone": float(e.p_alone[i]), "p": float(e.p_column[i]), "auc": roc.value, "p_auc": float(e.p_area[i]),
        })  # fmt: skip
    return pd.DataFrame(rows)


def look_table(e: Evidence) -> pd.DataFrame:
    """Alarms rung by each look: records that ring, and neutral ones that ring falsely."""
    n, names = len(e.events), ["share", "records", "alarms", "neutral", "neutral_alarms", "median_lead"]
    rows = []
    for k, share in enumerate(e.plan.looks):
        rung = np.array([0 <= a <= k for a, _ in e.alarm], dtype=bool)
        leads = [
            r.transition - t.look_time[a] for (r, t), (a, _) in zip(e.events, e.alarm[:n], strict=True) if 0 <= a <= k
        ]
        known = [x for x in leads if np.isfinite(x)]
        rows.append(
            (
                share,
                n,
                int(rung[:n].sum()),
                len(e.controls),
                int(rung[n:].sum()),
                float(np.median(known)) if known else np.nan,
            )
        )
    return pd.DataFrame(rows, columns=names)


def roc_table(e: Evidence) -> pd.DataFrame:
    """Area under the ROC curve at each look, and of all looks together, at the headline setting."""
    names = ["look", "indicator", "channel", "direction", "auc", "low", "high", "method", "sensitivity"]
    rows = []
    if e.events and e.controls:
        for j, h in enumerate(e.heads):
            c = e.columns[h]
            x, y = (c.sign * np.array([t.look_change[:, j] for _, t in group]) for group in (e.events, e.controls))
            for k, share in enumerate([*e.plan.looks, None]):
                # a look that some record is too short for is not made
                made = np.isfinite(x).all(axis=0) & np.isfinite(y).all(axis=0)
                some = made if share is None else np.arange(len(e.plan.looks)) == k
                if not (some & made).any():
                    continue
                roc = area(x[:, some], y[:, some], e.level)
                rows.append((
                    "all" if share is None else f"{share:g}", c.indicator, e.label(c.channel),
                    "up" if c.sign > 0 else "down", roc.value, roc.low, roc.high, roc.method, roc.sensitivity,
                ))  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def diagnostics(e: Evidence) -> xr.Dataset:
    """Records, residuals and indicators at the headline setting, events first; padded with NaN."""
    ordered = e.events + e.controls
    longest = max((len(r.time) for r, _ in ordered), default=0)
    most = max((len(t.ends) for _, t in ordered), default=0)
    c, s, h = len(e.material.channels), len(e.series), e.heads

    def padded(rows: list[np.ndarray], size: int, inner: int) -> np.ndarray:
        out = np.full((len(rows), inner, size), np.nan)
        for i, row in enumerate(rows):
            out[i, :, : row.shape[-1]] = row
        return out

    together = _together([t.score for _, t in e.events])
    rows = np.empty((0, len(h))) if together is None else together[:, h]
    source = e.material.source
    changes = np.array([t.change for _, t in ordered], dtype=float)
    heads = [(e.name((e.columns[i].indicator, e.columns[i].channel)), e.columns[i].sign) for i in h]
    return xr.Dataset(
        {
            "at": (("record", "position"), padded([r.time[None] for r, _ in ordered], longest, 1)[:, 0]),
            "value": (("record", "channel", "position"), padded([r.values for r, _ in ordered], longest, c)),
            "residual": (("record", "channel", "position"), padded([t.residual for _, t in ordered], longest, c)),
            "ends": (("record", "window"), padded([t.ends[None] for _, t in ordered], most, 1)[:, 0]),
            "indicator": (("record", "series", "window"), padded([t.series for _, t in ordered], most, s)),
            "change": (("record", "column"), changes.reshape(len(ordered), len(e.columns))),
            "score": (("row", "headline"), rows),
            "transition": (("record",), np.array([r.transition for r, _ in ordered], dtype=float)),
            "neutral": (("record",), np.array([r.neutral for r, _ in ordered], dtype=bool)),
            "headline_column": (("headline",), np.array(h, dtype=int)),
            "sign": (("column",), np.array([x.sign for x in e.columns])),
        },
        coords={
            "channel": list(e.material.channels),
            "series": [e.name(key) for key in e.series],
            "headline": [f"{name} {'up' if sign > 0 else 'down'}" for name, sign in heads],
        },
        attrs={
            "observable": source.name, "unit": source.unit, "time_name": source.time_name,
            "time_unit": source.time_unit, "change_metric": e.plan.change, "surrogate": e.plan.surrogate,
            "bandwidth": e.plan.setting[0], "window_share": e.plan.setting[1], "detrend": e.plan.detrend,
        },
    )  # fmt: skip
