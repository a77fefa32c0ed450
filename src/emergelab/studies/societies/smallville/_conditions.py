"""The conditions of the study: data of two programs, one for recency by the hour and one by rank."""

from __future__ import annotations

import emergelab as el

from . import _town as town

RANKED = {"recency": "rank", "decay": 0.99}
RELEASED = {"w_recency": 0.5, "w_relevance": 3.0, "w_importance": 2.0}
CLUTTER = (20, 80)
GATHERED = (town.EVENING - 4, town.EVENING)
"""Slots in which all are at the café, in the condition "assembly"."""

_PLAIN: dict[str, tuple[str, dict[str, object]]] = {
    "full": ("all parts, as in the paper: weights 1, 1, 1 and recency by the hour", {}),
    "no-reflection": ("nobody reflects", {"reflect": 0}),
    "no-planning": ("nobody plans: what to do is decided on the spot", {"plan": 0}),
    "no-reflection-no-planning": ("neither", {"reflect": 0, "plan": 0}),
    "none": ("neither, and nothing that is seen or heard is remembered", {"reflect": 0, "plan": 0, "perceive": 0}),
    "no-talk": ("nobody talks", {"talk": 0.0}),
    "recency-only": ("retrieval by recency alone", {"w_relevance": 0.0, "w_importance": 0.0}),
    "relevance-only": ("retrieval by relevance alone", {"w_recency": 0.0, "w_importance": 0.0}),
    "importance-only": ("retrieval by importance alone", {"w_recency": 0.0, "w_relevance": 0.0}),
    "random-retrieval": (
        "any memory may come to mind",
        {"w_recency": 0.0, "w_relevance": 0.0, "w_importance": 0.0, "w_chance": 1.0},
    ),
    "rank": ("recency by rank instead of hours", RANKED),
    "inverted": ("the oldest memory ranks first, as in the released code", RANKED | {"oldest_first": 1}),
    "released": (
        "the released code: weights 0.5, 3, 2, and the oldest ranks first",
        RANKED | RELEASED | {"oldest_first": 1},
    ),
    "released-mended": ("the released weights, ranked from the right end", RANKED | RELEASED),
    "curious": ("talks ask for news", {"focus": 1.0}),
    "knock-out-5": ("on the second morning five people lose their memory of the party", {"knockout": 5}),
    "knock-out-all": ("on the second morning all but the host lose it", {"knockout": 2000}),
    "false-party": (
        "on the first morning the hub comes to believe that the party is at the hall",
        {"planted_at": 40},
    ),
    "mute-hub": ("the one who is near the most people does not speak", {"silence": "hub"}),
    "mute-leaf": ("the one who is near the fewest does not", {"silence": "leaf"}),
    "mute-host": ("the host of the party does not", {"silence": "host"}),
    **{
        f"clutter-{extra}": (f"everybody brings along {extra} memories of places", {"clutter": extra})
        for extra in CLUTTER
    },
}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""

    # Every condition carries both clamps, nearly all of them for no time at all: so two programs serve them all.
    def with_clamps(gathered: tuple[int, int] = (0, 0), reset: tuple[int, int] = (0, 0)) -> tuple[el.Clamp, ...]:
        return (el.Clamp("place", town.CAFE, during=gathered), el.Clamp("ties", 0.0, during=reset))

    out = {name: el.Condition(own, with_clamps(), about) for name, (about, own) in _PLAIN.items()}
    midnight = (town.SLOTS, town.SLOTS + 1)
    out["reset"] = el.Condition({}, with_clamps(reset=midnight), "at midnight all past talks count for nothing")
    out["assembly"] = el.Condition({}, with_clamps(gathered=GATHERED), "everybody is at the café for an hour on day 1")
    return out
