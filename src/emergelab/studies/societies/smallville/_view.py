"""What there is to see: who talks with whom, who has heard of the party, and who told whom just now."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Network, Scene, View

from ._town import CAFE, FACTS, HALL, LIBRARY, PARTY, SLOTS

__all__ = ["clock", "scene", "view"]

_KINDS = ("has not heard of the party", "has heard of the party")
_PLACES = {CAFE: "the café", LIBRARY: "the library", HALL: "the hall"}
_NEWS = ("the party", "the candidacy", "the late news", "the sale", "the false party")


def clock(slot: int) -> str:
    """A slot as day and hour: `day 2, 17:00`."""
    hours, quarters = divmod(slot % SLOTS, SLOTS // 24)
    return f"day {slot // SLOTS + 1}, {hours:02d}:{60 * quarters * 24 // SLOTS:02d}"


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """People joined by their talks so far; what is said is who first told whom since the record before."""
    at = run.data[["ties", "heard_at", "told_by", "told_where"]].sel(condition=condition, seed=seed, time=time)
    ties = np.nan_to_num(at["ties"].transpose("agent", "other").values.astype(float))
    heard, by, where = (
        np.nan_to_num(at[n].transpose("fact", "agent").values.astype(float), nan=-1).astype(int)
        for n in ("heard_at", "told_by", "told_where")
    )
    people = len(ties)
    edges = np.argwhere(np.triu(ties + ties.T, 1) > 0)
    knows = [", ".join(_NEWS[f] for f in range(len(FACTS)) if heard[f, p] >= 0) or "nothing" for p in range(people)]
    told = [f"by person {by[PARTY, p] + 1}" if by[PARTY, p] >= 0 else "" for p in range(people)]
    network = Network(
        edges,
        weights=(ties + ties.T)[edges[:, 0], edges[:, 1]],
        kind=(heard[PARTY] >= 0).astype(int),
        kinds=_KINDS,
        labels=[f"person {p + 1}" for p in range(people)],
        state={"has heard of": knows, "of the party": told, "talks": ties.sum(axis=1)},
    )
    times = run.data["time"].values
    before = max((int(t) for t in times if t < time), default=0)
    # The record of a step holds what happened in the slots before it.
    new = sorted((int(heard[f, p]), f, p) for f, p in np.argwhere((heard >= before) & (heard < time) & (by >= 0)))
    messages = [
        (f"person {by[f, p] + 1}", f"tells person {p + 1} of {_NEWS[f]}, {_place(int(where[f, p]))}, {clock(slot)}")
        for slot, f, p in new
    ]
    share = float((heard[PARTY] >= 0).mean())
    return Scene([network], title=f"{clock(time)}: {share:.0%} have heard of the party", messages=messages)


def _place(place: int) -> str:
    return f"at {_PLACES[place]}" if place in _PLACES else "at home or elsewhere"


view = View(
    scene,
    about="people joined by their talks so far, and who first told whom since the record before",
    needs=("ties", "heard_at", "told_by", "told_where"),
)
