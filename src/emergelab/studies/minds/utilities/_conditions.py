"""The conditions of the study: networks of several widths, worlds of several kinds, utilities that are turned, and
simulated minds."""

from __future__ import annotations

from typing import Any

import emergelab as el

WIDTHS = (8, 16, 32, 64)
BASE = "width-16"
SHARES = {"share-5": 0.05, BASE: 0.15, "share-50": 0.5}
"""Conditions by the share of all pairs that is ever compared."""
TURN_AT = 12
RATES = {"rational": 0.08, "bounded": 0.25}
"""Per month: rates of the discounting that is planted, exponential in the first mind, hyperbolic in the second."""
MINDS: dict[str, tuple[dict[str, Any], str]] = {
    "rational": ({}, "looks ahead, takes the best, discounts exponentially"),
    "rational-noisy": ({"noise": 2.0}, "the same, with judgements eight times as noisy"),
    "bounded": (
        {"foresight": 0.0, "chooser": "enough", "curve": "hyperbolic"},
        "values states for themselves, takes the first that is good enough, discounts hyperbolically",
    ),
    "indifferent": ({"noise": 100.0}, "as the first, behind so much noise that every answer is a coin's"),
}  # fmt: skip
"""Simulated minds: what differs from the first, and what they are like."""


def by_width() -> dict[str, int]:
    """Name of condition -> width of the network."""
    return {f"width-{w}": w for w in WIDTHS}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {name: el.Condition({"width": w}, about=f"a residual stream of {w}") for name, w in by_width().items()}
    more = {
        "no-scale": ({"order": 0.0}, "which item of a pair wins is a whim of the pair, as clearly as in width-16"),
        "many-minds": ({"tau": 2.0}, "annotators differ four times as much"),
        "noisy": ({"noise": 2.0}, "judgements are four times as noisy"),
        "share-5": ({"share": 0.05}, "a twentieth of all pairs is ever compared"),
        "share-50": ({"share": 0.5}, "half of all pairs are compared"),
        "turned": ({"turn_at": TURN_AT}, f"from step {TURN_AT} on only 8 items are compared, utilities reversed"),
        "turned-replay": (
            {"turn_at": TURN_AT, "replay": 0.5}, "the same, and half of the comparisons go on as before"
        ),
    }  # fmt: skip
    out |= {name: el.Condition(settings, about=about) for name, (settings, about) in more.items()}
    for name, (settings, about) in MINDS.items():
        own = {"subject": "mind", "share": 0.5, "noise": 0.25, "impatience": RATES.get(name, RATES["rational"])}
        out[name] = el.Condition(own | settings, about=f"a simulated mind: {about}")
    return out
