"""What there is to see: the town from above, who is where and talks with whom, and who has heard of the party."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

import emergelab as el
from emergelab.views import Agents, Lines, Names, Scene, View

from ._town import CAFE, FACTS, HALL, LIBRARY, PARTY, REMEMBERED, SLOTS, households

__all__ = ["clock", "scene", "times", "view"]

_KINDS = ("has not heard of the party", "has heard of the party")
_PLACES = {CAFE: "café", LIBRARY: "library", HALL: "hall"}
_NEWS = ("the party", "the candidacy", "the late news", "the sale", "the false party")
_BLOCK = 6  # from one place to the next; one of it is street


def clock(slot: int) -> str:
    """A slot as day and hour: `day 2, 17:00`."""
    hours, quarters = divmod(slot % SLOTS, SLOTS // 24)
    return f"day {slot // SLOTS + 1}, {hours:02d}:{60 * quarters * 24 // SLOTS:02d}"


def times(run: el.Run, condition: str, seed: int) -> Sequence[int]:
    """Every slot that a record tells of: each holds the last ones, so few records show every quarter of an hour."""
    own = run.data["ties"].sel(condition=condition, seed=seed).isel(agent=0, other=0)
    written = [int(t) for t in own["time"].values[np.isfinite(own.values.astype(float))]]
    return sorted({s for t in written for s in range(max(0, t - REMEMBERED), t)})


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """The town in a slot: people at their places, lines between who talk; what is said is who first told whom."""
    records = run.data["time"].values
    record = int(records[np.searchsorted(records, time, side="right")])  # the first that was made after the slot
    at = run.data[["ties", "heard_at", "told_by", "walked", "spoke"]]
    at = at.sel(condition=condition, seed=seed, time=record)
    place, partner = (
        at[n].transpose("slot", "agent").values[time % REMEMBERED].astype(int) for n in ("walked", "spoke")
    )
    heard, by = (at[n].transpose("fact", "agent").values.astype(int) for n in ("heard_at", "told_by"))
    heard = np.where(heard <= time, heard, -1)
    people = len(place)
    public = int(run.info["conditions"][condition]["parameters"]["places"])
    corners = _corners(public + households(people))
    x, y = _stand(place, corners)
    talks = np.flatnonzero((partner >= 0) & (np.arange(people) < partner))
    gap = np.full(len(talks), np.nan)
    between = [np.stack([a[talks], a[partner[talks]], gap], axis=1).ravel() for a in (x, y)]
    lines = Lines(between[0], between[1], kind="talk")
    knows = [", ".join(_NEWS[f] for f in range(len(FACTS)) if heard[f, p] >= 0) or "nothing" for p in range(people)]
    persons = Agents(
        x, y, (heard[PARTY] >= 0).astype(int), _KINDS,
        labels=[f"person {p + 1}" for p in range(people)],
        state={
            "is": [_name(int(p), public) for p in place],
            "has heard of": knows,
            "of the party": [
                f"by person {by[PARTY, p] + 1}" if heard[PARTY, p] >= 0 and by[PARTY, p] >= 0 else ""
                for p in range(people)
            ],
        },
    )  # fmt: skip
    words = [_name(p, public).removeprefix("at ").removeprefix("the ") for p in range(len(corners))]
    names = Names(corners[:, 0] + _BLOCK / 2 - 0.5, corners[:, 1] + _BLOCK - 1.6, words)
    messages = [
        (f"person {by[f, p] + 1}", f"tells person {p + 1} of {_NEWS[f]}, {_name(int(place[p]), public)}")
        for f, p in np.argwhere((heard == time) & (by >= 0))
    ]
    share = float((heard[PARTY] >= 0).mean())
    return Scene([_walls(corners), names, lines, persons], title=f"{clock(time)}: {share:.0%} know of the party",
                 messages=messages)  # fmt: skip


def _name(place: int, public: int) -> str:
    """A place in words."""
    if place >= public:
        return f"at home {place - public + 1}"
    return f"at the {_PLACES[place]}" if place in _PLACES else f"at place {place + 1}"


def _corners(places: int) -> Float[np.ndarray, "place 2"]:
    """The lower left corner of every place: blocks in rows, public places first, homes behind them."""
    wide = int(np.ceil(np.sqrt(1.6 * places)))
    row, column = np.divmod(np.arange(places), wide)
    return _BLOCK * np.stack([column, -row], axis=1).astype(float)


def _walls(corners: Float[np.ndarray, "place 2"]) -> Lines:
    """A square around each place."""
    side = _BLOCK - 1.0
    square = np.array([[0, 0], [side, 0], [side, side], [0, side], [0, 0], [np.nan, np.nan]])
    points = (corners[:, None] + square).reshape(-1, 2)
    return Lines(points[:, 0], points[:, 1], kind="place")


def _stand(
    place: Int[np.ndarray, "agent"], corners: Float[np.ndarray, "place 2"]
) -> tuple[Float[np.ndarray, "agent"], Float[np.ndarray, "agent"]]:
    """Where people stand: in rows below the name of their place, the closer the more there are."""
    x, y = np.zeros(len(place)), np.zeros(len(place))
    for p in np.unique(place):
        here = np.flatnonzero(place == p)
        side = max(2, int(np.ceil(np.sqrt(len(here)))))
        row, column = np.divmod(np.arange(len(here)), side)
        step = (_BLOCK - 2.2) / side
        x[here] = corners[p, 0] + 0.6 + step * (column + 0.5)
        y[here] = corners[p, 1] + _BLOCK - 2.4 - step * (row + 0.5)
    return x, y


view = View(
    scene,
    about="the town, a quarter of an hour at a time: people at their places, lines between those who talk",
    needs=("ties", "heard_at", "told_by", "walked", "spoke"),
    times=times,
)
