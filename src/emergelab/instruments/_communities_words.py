"""What `communities` says: findings in words, cautions, and the memberships behind the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from emergelab.instruments._communities_read import Society

__all__ = ["CANNOT_SEE", "cautions", "describe", "diagnostics"]

CANNOT_SEE = (
    "why agents go together: a common input makes a community as well as contact does. Agents that do the opposite of "
    "each other count as strangers. Groups much smaller than the square root of the number of ties disappear in larger "
    "ones (raise resolution=...). A change within a window shows at its edges only, and a merger or split is known to "
    "within one window. Agents that become noisier together in bursts shorter than half the record may look like "
    "groups. With twenty seeds of slow, trending or growing noise in windows of 16 records the test of existence "
    "raises 10% to 17% false alarms where 5% are nominal: ask for a p well below 0.05. Change is tested by the order "
    "of windows, so what returns at once to what it was is not seen."
)


def cautions(society: Society, affinity: str, negative: Sequence[float]) -> list[str]:
    """What the reader must know before believing the verdict."""
    out = list(society.notes)
    if not society.has_seeds:
        out.insert(0, "there is no dim of seeds: whatever is shown is within one run only")
    elif len(society.seeds) < 5:
        out.append(f"{len(society.seeds)} seeds carry no interval; the tests are about these seeds")
    if len(society.agents) < 6:
        out.append(f"with {len(society.agents)} agents hardly any grouping can be told from chance")
    if len(society.time) < 4:
        out.append(f"{len(society.time)} windows are too few to ask whether anything changes (four are needed)")
    if society.kind == "traces":
        short = min((b - a for a, b in society.slices), default=0)
        if short < 10:
            out.append(f"windows hold as few as {short} records: correlations in them are mostly noise")
        known = [v for v in negative if np.isfinite(v)]
        if known and max(known) > 0.05 and affinity == "correlation":
            out.append("some agents do the opposite of each other; such ties are dropped")
    return out


def describe(society: Society, answers: Sequence[Any], verdicts: Sequence[str]) -> str:
    """The finding in sentences."""
    out = []
    for name, answer, verdict in zip(society.conditions, answers, verdicts, strict=True):
        where = f"In {name}: " if len(answers) > 1 else ""
        table = answer.tables["seeds"]
        usable = table[np.isfinite(table["modularity"])]
        if not len(usable):
            out.append(f"{where}No window holds any tie between agents. Verdict: {verdict}.")
            continue
        e = answer.value
        span = f" [{e.low:.3f}, {e.high:.3f}]" if e.claimed else ""
        out.append(
            f"{where}{len(society.agents)} agents in {len(society.time)} windows form "
            f"{usable['communities'].mean():.1f} communities of {_told(usable['size'])} members on average, with a "
            f"modularity of {e.value:.3f}{span}; triangles beyond chance: p = {answer.p:.3g}."
        )
        if np.isfinite(answer.p_change):
            out.append(
                f"Agents change community in {100 * usable['flexibility'].mean():.0f}% of steps; neighbouring windows "
                f"are more alike than others with p = {answer.p_change:.3g}."
            )
        events = answer.tables["events"]
        if verdict == "dynamic communities" and len(events):
            counts = events["event"].value_counts()
            told = ", ".join(
                f"{int(counts[k])} {k}s" for k in ("merge", "split", "formation", "dissolution") if k in counts
            )
            out.append(f"Events over all seeds: {told}.")
        row = answer.tables["agreement"].iloc[0]
        if np.isfinite(row["p"]):
            out.append(f"Who is with whom agrees between seeds with r = {row['alike']:.2f} (p = {row['p']:.3g}).")
        out.append(f"Verdict: {verdict}.")
    return " ".join(out)


def _told(sizes: Any) -> str:
    known = sizes[np.isfinite(sizes)]
    return f"{known.mean():.1f}" if len(known) else "under three"


def diagnostics(
    society: Society,
    labels: Sequence[Int[np.ndarray, "seed window agent"]],
    together: Sequence[Float[np.ndarray, "agent agent"]],
) -> xr.Dataset:
    """Membership of every agent in every window, and how often two agents are together."""
    return xr.Dataset(
        {
            "community": (("condition", "seed", "time", "agent"), np.array(labels)),
            "together": (("condition", "agent", "other"), np.array(together)),
        },
        coords={
            "condition": list(society.conditions),
            "seed": list(society.seeds),
            "time": society.time,
            "agent": list(society.agents),
            "other": list(society.agents),
        },
        attrs={
            "name": society.name,
            "time_name": society.time_name,
            "time_unit": society.time_unit,
            "gap": society.gap,
        },
    )
