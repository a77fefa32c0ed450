"""The small town: who lives there, where one goes, and what there is to know."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["ALIASES", "DULL", "EVENING", "FACTS", "HOME", "IMPORTANCE", "NAMES", "PLACES", "TEXTS", "VENUE", "Route",
           "routes"]  # fmt: skip

NAMES = ("Ada", "Bruno", "Cleo", "Dan", "Edith", "Frank", "Gita", "Hugo")
PLACES = ("café", "market", "library")
HOME = "home"
EVENING = 17
"""The hour at which the party begins, and the sale too."""

FACTS = ("party", "candidacy", "sale")
"""What there is to know. The first three people are the sources, in order; the sale is dull."""
DULL = "sale"
TEXTS = {
    "party": "Ada is having a party at the café today at five.",
    "candidacy": "Bruno wants to become mayor.",
    "sale": "There is a sale of old maps at the library today at five.",
}
ALIASES = {
    "party": ("party", "parties"),
    "candidacy": ("mayor", "candidate", "election"),
    "sale": ("sale", "old maps"),
}
"""Words by which a text is taken to state a fact."""
TIMES = ("five", "5", "17")
"""Words by which a text is taken to say when."""
VENUE = {"party": "café", "sale": "library"}
IMPORTANCE = {"party": 8, "candidacy": 7, "sale": 2}
"""How important the rules take them to be; anything else is 2."""


class Route(NamedTuple):
    """Where somebody usually is, by slot, and in the evening."""

    day: list[str]
    evening: str


def routes(seed: int, people: int, slots: int) -> list[Route]:
    """Everybody's habits: a place of work, and other places as often as not. A function of the seed."""
    rng = np.random.default_rng([seed, 3])
    out = []
    for _ in range(people):
        work = int(rng.integers(len(PLACES)))
        day = [PLACES[work] if rng.random() < 0.3 else PLACES[int(rng.integers(len(PLACES)))] for _ in range(slots)]
        out.append(Route(day, HOME if rng.random() < 0.6 else PLACES[int(rng.integers(len(PLACES)))]))
    return out
