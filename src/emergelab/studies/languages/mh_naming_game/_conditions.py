"""The conditions of the study `mh-naming-game`: what agents do with words, and how unlike their senses are."""

from __future__ import annotations

import numpy as np

import emergelab as el

__all__ = ["BY_AMB", "DOSES", "QUICK", "THREE", "TINY", "WAYS", "conditions"]

DOSES = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Half the distance of confusable means, in standard deviations of a sense."""
WAYS = {"mh": {}, "all": {"listening": "constant"}, "none": {"listening": "none"}}
BY_AMB = {way: {f"{way}-{amb:g}" if amb != 1.0 else way: amb for amb in DOSES} for way in WAYS}
"""By way of listening: conditions, and how far apart the confusable means are in each."""


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    a_blind = np.array([True, False])[:, None, None]
    out = {
        "mh": el.Condition({}, about="words are accepted by the Metropolis-Hastings ratio"),
        "all": el.Condition(WAYS["all"], about="every word is accepted"),
        "coin": el.Condition({"listening": "constant", "trust": 0.5}, about="half of the messages, by chance"),
        "none": el.Condition(WAYS["none"], about="each agent talks to itself"),
        "central": el.Condition({"listening": "central"}, about="words drawn by somebody who sees both minds"),
        "one-mind": el.Condition({"listening": "one-mind"}, about="one agent with the senses of both"),
        "mh-common": el.Condition({"memory": "common"}, about="a refusal is told, so that both hold one message"),
        "mh-no-ownership": el.Condition({"ownership": "none"}, about="words never come to own a modality"),
        "mh-noisy": el.Condition({"noise": 0.2}, about="a fifth of the words arrive as any word"),
    }
    for way, named in BY_AMB.items():
        for name, amb in named.items():
            if name not in out:
                about = f"{way}, confusable means {2 * amb:g} sd apart"
                out[name] = el.Condition(WAYS[way] | {"amb": amb}, about=about)
    out |= {
        "b-deaf": el.Condition({}, (el.Clamp("b.accept", 0.0),), about="agent b keeps the words that it began with"),
        "a-blind": el.Condition({}, (el.Clamp("a.sight", 0.0, where=a_blind),), about="a sees nothing in modality 0"),
        "tables-swapped": el.Condition(
            {}, (el.Swap("state.phi", 0, 1, during=(150, 151)),), about="in round 150 each gets the other's lexicon"
        ),
    }
    return out


TINY = ("mh", "all", "none", "central", "one-mind", "mh-no-ownership")
THREE = tuple(name for name in conditions() if name != "a-blind")
"""What is possible with any number of modalities."""
QUICK = tuple(name for name in conditions() if name not in ("a-blind", "tables-swapped"))
