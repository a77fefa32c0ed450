"""What `behaviours` says: findings in words, cautions, and the courses behind the figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from emergelab.errors import nearest
from emergelab.instruments._behaviours_bouts import Seen
from emergelab.instruments._behaviours_language import Compare, Inside, Quantity, Variable, walk
from emergelab.instruments._behaviours_read import Tracks

__all__ = ["CANNOT_SEE", "cautions", "describe", "diagnostics"]

CANNOT_SEE = (
    "what no predicate names, and why an agent does what it does: that one behaviour follows another does not make it "
    "its effect. New means not seen before in these records, by these thresholds; a behaviour that was rare all along "
    "can be missed in the first third. Order by shuffling is tested within stretches of up to 40 bouts of an agent, so "
    "a rate that changes within a stretch looks like order; two behaviours that never overlap can only take turns, "
    "which is not tested. Order by shifting takes two rates that rise and fall together for order. Speeds, turns and "
    "accelerations grow with the "
    "noise of tracking at high frame rates (span=... holds the time over which they are taken). A behaviour that goes "
    "on at the same rate is hardly ever called new (0% to 1% false alarms where 5% are nominal)."
)

_MOVES = 2.0  # factor of a rate between neighbouring settings that is worth a warning


def cautions(
    tracks: Tracks, seen: Sequence[Seen], tables: Mapping[str, pd.DataFrame], tied: float, span: float | None
) -> list[str]:
    """What the reader must know before believing the verdict."""
    out = list(tracks.notes)
    if not tracks.has_seeds:
        out.insert(0, "there is no dim of seeds: whatever is shown is within one run only")
    elif len(tracks.seeds) < 5:
        out.append(f"{len(tracks.seeds)} seeds carry no interval, and nothing can be called new")
    out += [w for one in seen for w in _never(one, tracks)]
    gaps = np.diff(tracks.time)
    if len(gaps) and gaps.max() > 5 * np.median(gaps):
        out.append("the widest gap between records is more than five times the usual one: a bout may reach across it")
    unseen = [one.rule.name for one in seen if not one.known.any()]
    if unseen:
        out.append(f"{', '.join(unseen)}: nothing of what it is made of was ever seen")
    for one in seen:
        out += _fragile(one, tables["sensitivity"], span)
    shared = _shared(seen)
    if shared and len(tables["transitions"]):
        out.append(f"{shared} use the same measure, so that one may follow the other by construction")
    if tied > 0.1:
        out.append(f"{tied:.0%} of bouts begin at the same record as another; which came first is not known")
    if "agreement" in tables:
        out.append("agreement is too good if thresholds were chosen on the same labels")
    return out


def _fragile(one: Seen, table: pd.DataFrame, span: float | None) -> list[str]:
    """What hangs on a choice of the user's or on the frame rate."""
    out, name = [], one.rule.name
    rows = [r for r in table.to_dict(orient="records") if r["behaviour"] == name and np.isfinite(r["beside_asked"])]
    near = [r["beside_asked"] for r in rows if r["setting"] == "thresholds" and r["factor"] in (0.85, 1.15)]
    if any(not 1 / _MOVES <= v <= _MOVES for v in near):
        out.append(f"{name}: thresholds moved by 15% change its rate by more than a factor of two")
    thin = [r["beside_asked"] for r in rows if r["setting"] == "records"]
    if any(not 1 / 1.5 <= v <= 1.5 for v in thin):
        advice = "; give span=..." if span is None and _of_change(one) else ""
        out.append(f"{name}: every second record gives another rate, so it hangs on the frame rate{advice}")
    return out


def _shared(seen: Sequence[Seen]) -> str:
    """Two behaviours that are made of the same measure or region, or ""."""
    used = []
    for one in seen:
        own = {n.what for n in walk(one.rule.node) if isinstance(n, Compare) and isinstance(n.what, Quantity)}
        regions = {(n.point, n.region) for n in walk(one.rule.node) if isinstance(n, Inside)}
        used.append((one.rule.name, own | regions))
    pairs = [f"{a} and {b}" for (a, x), (b, y) in combinations(used, 2) if x & y]
    return ", ".join(pairs[:3]) + (", ..." if len(pairs) > 3 else "")


def _of_change(one: Seen) -> bool:
    changes = ("speed", "acceleration", "turning", "closing", "heading_difference", "trailing", "bearing")
    return any(
        isinstance(n, Compare) and isinstance(n.what, Quantity) and n.what.name in changes for n in walk(one.rule.node)
    )


def _never(one: Seen, tracks: Tracks) -> list[str]:
    """Words that a predicate asks for and that the data never hold."""
    out = []
    for n in walk(one.rule.node):
        if isinstance(n, Compare) and isinstance(n.what, Variable) and isinstance(n.value, str):
            words = {str(w) for w in np.unique(tracks.variables[n.what.name])} - {""}
            if n.value not in words:
                out.append(f"{one.rule.name}: {n.what.name} is never {n.value!r}{nearest(n.value, words)}")
    return out


def describe(tracks: Tracks, tables: Mapping[str, pd.DataFrame], verdict: str, level: float) -> str:
    """The finding in sentences."""
    out = []
    several = len(tracks.conditions) > 1
    clock = tracks.time_unit or "unit of time"
    for row in tables["ethogram"].to_dict(orient="records"):
        where = f"In {row['condition']}, " if several else ""
        if not row["bouts"]:
            out.append(f"{where}{row['behaviour']} ({row['read_as']}) is never seen.")
            continue
        span = f" [{row['low']:.3g}, {row['high']:.3g}]" if np.isfinite(row["low"]) else ""
        out.append(
            f"{where}{row['behaviour']} ({row['read_as']}) is seen {row['bouts']} times in {row['seeds_with']} of "
            f"{len(tracks.seeds)} seeds: {row['rate']:.3g}{span} bouts per agent and {clock}, {row['share']:.1%} of "
            f"the time, half of them longer than {row['median_duration']:.3g}."
        )
    for row in tables["thirds"].to_dict(orient="records"):
        if row["new"]:
            where = f" in {row['condition']}" if several else ""
            out.append(
                f"{row['behaviour']} is new{where}: no bout in the first third, {row['last']:.3g} [{row['low']:.3g}, "
                f"{row['high']:.3g}] in the last (p = {row['p_holm']:.3g}, Holm)."
            )
    clear = tables["transitions"]
    clear = clear[clear["p"] <= 1 - level].sort_values("p")
    for row in clear.head(5).to_dict(orient="records"):
        where = f" in {row['condition']}" if several else ""
        out.append(
            f"{row['to']} follows {row['from']}{where} {row['lift']:.2g} times as often as by chance "
            f"({row['probability']:.0%} of cases, p = {row['p']:.3g}, max-T)."
        )
    if "agreement" in tables:
        for row in tables["agreement"].to_dict(orient="records"):
            if np.isfinite(row["F1"]):
                out.append(f"Beside human labels of {row['behaviour']}: F1 {row['F1']:.2f}, kappa {row['kappa']:.2f}.")
    out.append(f"Verdict: {verdict}.")
    return " ".join(out)


def diagnostics(tracks: Tracks, seen: Sequence[Seen]) -> xr.Dataset:
    """Share of agents that show each behaviour over time, by run."""
    shape = (len(tracks.conditions), len(tracks.seeds), len(tracks.time))
    active, known = (
        np.stack([getattr(one, name).sum(axis=1).reshape(shape) for one in seen]) for name in ("active", "known")
    )
    share = np.where(known > 0, active / np.maximum(known, 1), np.nan)
    return xr.Dataset(
        {"share": (("behaviour", "condition", "seed", "time"), share)},
        coords={
            "behaviour": [one.rule.name for one in seen],
            "condition": list(tracks.conditions),
            "seed": list(tracks.seeds),
            "time": tracks.time,
        },
        attrs={
            "name": tracks.name,
            "agents": list(tracks.agents),
            "time_name": tracks.time_name,
            "time_unit": tracks.time_unit,
            "gap": float(np.median(np.diff(tracks.time))) if len(tracks.time) > 1 else 0.0,
        },
    )
