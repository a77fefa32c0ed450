"""The conditions of the study `reference-game`: how speakers learn, how good the channel is, what symbols cost."""

from __future__ import annotations

from typing import Any

import emergelab as el

__all__ = ["BY_COST", "BY_NOISE", "MUTED", "QUICK", "TINY", "conditions"]

REWARDED: dict[str, Any] = {"estimator": "reinforce"}
LONG: dict[str, Any] = {"width": 6}
ENDS: dict[str, Any] = {"ends": "yes", "width": 6, "power": 1.0}
BY_NOISE = {"long": 0.0, "long-noise-10": 0.1, "long-noise-20": 0.2}
"""Messages of six symbols, and the share of them that is garbled."""
BY_COST = {"ends": 0.0, "cost-low": 0.005, "cost-middle": 0.02, "cost-high": 0.05}
"""Messages that may end, and what a symbol costs, in nats."""
MUTED = 1000
"""Step from which the first position is not heard any more (`mute`), and frequencies are reversed (`cost-turned`)."""


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    # The star also reaches the messages with which a language is tested. Windows are operands of a program, so both
    # conditions share one, with a freeze that never comes in the first.
    lesion = el.Ablate("*message.0", during=(MUTED, None))
    never, frozen = (el.Ablate("update.speakers.*", during=(t, None)) for t in (2_000_000_000, MUTED))
    return {
        "gumbel": el.Condition({}, about="three symbols; the speaker learns by the listener's gradient"),
        "reinforce": el.Condition(REWARDED | {"entropy": 0.1}, about="it learns from rewards, with EGG's bonus"),
        "reinforce-plain": el.Condition(REWARDED, about="it learns from rewards, without a bonus"),
        "deaf": el.Condition({"width": 0}, about="nothing is heard"),
        "newborn": el.Condition({"speech": "newborn"}, about="a speaker who says what it said at birth, for ever"),
        "arbitrary": el.Condition({"speech": "arbitrary"}, about="a speaker who has a message at random for each"),
        "noise-10": el.Condition({"noise": 0.1}, about="three symbols, a tenth of them garbled"),
        "noise-20": el.Condition({"noise": 0.2}, about="three symbols, a fifth of them garbled"),
        "long": el.Condition(LONG, about="six symbols"),
        "long-noise-10": el.Condition(LONG | {"noise": 0.1}, about="six symbols, a tenth of them garbled"),
        "long-noise-20": el.Condition(LONG | {"noise": 0.2}, about="six symbols, a fifth of them garbled"),
        "ends": el.Condition(ENDS, about="messages may end, objects follow Zipf's law; symbols are free"),
        **{
            name: el.Condition(ENDS | {"cost": cost}, about=f"the same, a symbol costs {cost:g}")
            for name, cost in BY_COST.items()
            if cost
        },
        "cost-alike": el.Condition(ENDS | {"cost": 0.05, "power": 0.0}, about="a symbol costs 0.05, objects are alike"),
        "cost-turned": el.Condition(
            ENDS | {"cost": 0.05, "turn": MUTED}, about="half-way the rarest object becomes the most frequent"
        ),
        "mute": el.Condition({}, (lesion, never), about="half-way the first position falls silent"),
        "mute-frozen": el.Condition({}, (lesion, frozen), about="the same, and only the listener goes on learning"),
        "recurrent": el.Condition({"agents": "recurrent"}, about="gated recurrent units"),
        "recurrent-ends": el.Condition(ENDS | {"agents": "recurrent"}, about="the same, messages may end"),
        "recurrent-reinforce": el.Condition(
            ENDS | REWARDED | {"agents": "recurrent", "entropy": 0.1}, about="the same, the speaker learns from rewards"
        ),
    }


QUICK = tuple(c for c in conditions() if c != "cost-turned" and not c.startswith("recurrent"))
TINY = ("gumbel", "deaf", "newborn", "arbitrary", "noise-20", "long", "long-noise-20")
"""Conditions that share one program."""
