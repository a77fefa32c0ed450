"""Who decides: rules, chance, constants, an oracle, a language model. Each answers all kinds of questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emergelab.lm import Ask, Choice, Language, Policy, Rule
from emergelab.lm.memory import facts_in

from ._town import ALIASES, FACTS, HOME, IMPORTANCE, PLACES, TEXTS, TIMES, VENUE

__all__ = ["NOTHING", "POLICIES", "says_when"]

NOTHING = "Good day."
"""What is said by one who says nothing."""


def says_when(text: str) -> bool:
    """Whether a text says at what time."""
    return bool(facts_in(text, {"when": TIMES}))


def _rules(ask: Ask, rng: np.random.Generator) -> Any:
    """What the people of the study `smallville` do, in words."""
    seen = ask.observation
    question = _question(ask)
    if question == "plan":
        return seen["usual"] if isinstance(ask.kind, Choice) else ask.fallback
    if question == "meets":
        return "talk" if rng.random() < 0.3 + 0.7 * seen["tie"] / (seen["tie"] + 2) else "continue"
    if question == "says":
        return _one_of(seen["memories"], rng)
    if question == "rates":
        return float(max((IMPORTANCE[f] for f in facts_in(seen["text"], ALIASES)), default=2))
    if question == "reflects":
        return _heaviest(seen["memories"])
    if question == "evening":
        return _where_to(seen["memories"], seen["usual"], seen["busy"])
    return "yes" if any("party" in m["facts"] for m in seen["memories"]) else "no"


def _question(ask: Ask) -> str:
    return ask.template.rpartition("/")[2]


def _one_of(memories: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> str:
    """One of what comes to mind, the likelier the more important it is."""
    if not memories:
        return NOTHING
    weights = np.array([m["importance"] for m in memories])
    return str(memories[int(np.searchsorted(np.cumsum(weights / weights.sum()), rng.random() * (1 - 1e-9)))]["text"])


def _heaviest(memories: Sequence[Mapping[str, Any]]) -> str:
    best = max(memories, key=lambda m: m["importance"], default=None)
    return NOTHING if best is None else f"It matters that {best['text'][:1].lower()}{best['text'][1:]}"


def _where_to(memories: Sequence[Mapping[str, Any]], usual: str, busy: float) -> str:
    """To the most important event that comes to mind with time and place, if nothing else is more important."""
    best, worth = usual, busy
    for memory in memories:
        there = [p for p in PLACES if p in memory["text"]]
        for fact in memory["facts"]:
            if fact in VENUE and there and says_when(memory["text"]) and IMPORTANCE[fact] / 10 > worth:
                best, worth = there[0], IMPORTANCE[fact] / 10
    return best


def _oracle(ask: Ask, rng: np.random.Generator) -> Any:
    """Always talks, tells all that it knows, and goes to the party: the most that this town can do."""
    question = _question(ask)
    if question == "meets":
        return "talk"
    if question == "says":
        known = [TEXTS[f] for f in FACTS if f in ask.observation["known"]]
        return " ".join(known) or NOTHING
    if question == "evening":
        return VENUE["party"] if "party" in ask.observation["known"] else ask.observation["usual"]
    return _rules(ask, rng)


def _silent(ask: Ask, rng: np.random.Generator) -> Any:
    """Goes where it usually goes, talks, and has nothing to say."""
    return {
        "plan": ask.fallback, "meets": "talk", "says": NOTHING, "rates": 1.0, "reflects": NOTHING,
        "evening": HOME, "knows": "no",
    }[_question(ask)]  # fmt: skip


def _chance(ask: Ask, rng: np.random.Generator) -> Any:
    """Every option alike; what is said is any of the memories that come to mind."""
    if ask.kind.options():
        return ask.kind.parse(ask.kind.options()[int(rng.integers(len(ask.kind.options())))])
    if _question(ask) == "plan":
        return ask.fallback
    return str(rng.choice([m["text"] for m in ask.observation["memories"]] or [NOTHING]))


POLICIES: dict[str, Policy] = {
    "rules": Rule(_rules),
    "random": Rule(_chance),
    "constant": Rule(_silent),
    "oracle": Rule(_oracle),
    "model": Language(),
}
"""All policies by name. Only the last one asks a language model."""
