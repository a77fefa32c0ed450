"""What there is to see: who is where, hour by hour, who talks with whom, what is said, and who knows of the party."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Agents, Lines, Names, Scene, View, after_the_start

from ._system import clock
from ._town import HOME, NAMES, PLACES

__all__ = ["scene", "view"]

_KINDS = ("does not know of the party", "knows of the party")
_SITES = (*PLACES, HOME)
_APART, _SIDE = 6.0, 5.0  # from one place to the next, and its width
_SQUARE = np.array([[0, 0], [_SIDE, 0], [_SIDE, _SIDE], [0, _SIDE], [0, 0], [np.nan, np.nan]])


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """The hour that led to a record: people at their places, lines between those who talk, and what they say.

    Raises:
        UserError: nothing is known of that hour, as in runs of earlier versions.
    """
    log = run.happened(condition, seed, time - 1)
    if "hour" not in log:
        raise el.UserError(f"view: {run.path} does not say who is where in step {time - 1} of seed {seed}")
    places, knows = log["hour"][0]["places"], log["hour"][0]["knows"]
    people = NAMES[: len(places)]
    x, y = np.zeros(len(people)), np.zeros(len(people))
    for site in set(places):
        here = [i for i, p in enumerate(places) if p == site]
        left, low = _corner(site)
        x[here] = left + _SIDE * (np.arange(len(here)) + 1) / (len(here) + 1)
        y[here] = low + _SIDE * (0.3 + 0.25 * (np.arange(len(here)) % 2))
    said = log.get("said", [])
    pairs = [sorted((people.index(s["speaker"]), people.index(s["listener"]))) for s in said]
    talks = np.array(pairs or np.zeros((0, 2)), int)
    gap = np.full(len(talks), np.nan)
    from_x, from_y = (np.stack([a[talks[:, 0]], a[talks[:, 1]], gap], axis=1).ravel() for a in (x, y))
    persons = Agents(
        x, y, np.array(["party" in k for k in knows], int), _KINDS, labels=people,
        state={"is at": list(places), "knows of the": [", ".join(k) or "nothing" for k in knows]},
    )  # fmt: skip
    corners = np.array([_corner(site) for site in _SITES])
    walls = np.concatenate([_SQUARE + corner for corner in corners])
    words = ["at home" if site == HOME else site for site in _SITES]
    names = Names(corners[:, 0] + 0.5 * _SIDE, corners[:, 1] + 0.88 * _SIDE, words)
    hours = int(run.info["conditions"][condition]["parameters"]["hours"])
    share = float(np.mean(["party" in k for k in knows]))
    return Scene(
        [Lines(walls[:, 0], walls[:, 1], kind="place"), names, Lines(from_x, from_y, kind="talk"), persons],
        title=f"{clock(time - 1, hours)}: {share:.0%} know of the party",
        messages=[(s["speaker"], f"to {s['listener']}: {s['text']}") for s in said],
    )


def _corner(site: str) -> tuple[float, float]:
    """The lower left corner of a place: two rows of two."""
    row, column = divmod(_SITES.index(site), 2)
    return _APART * column, -_APART * row


view = View(
    scene,
    about="the town, hour by hour: people at their places, lines between those who talk, and what they say",
    needs=("aware_party",),
    times=after_the_start,
)
