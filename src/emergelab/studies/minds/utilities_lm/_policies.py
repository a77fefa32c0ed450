"""Who is asked: four subjects whose preferences are known, and a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr

from emergelab.lm import Address, Amount, Ask, Decision, Language, Policy

__all__ = ["POLICIES", "Known"]


class Known(Policy):
    """A subject whose chance of taking the first option is a known function of what it is asked.

    Args:
        chance: (observation) -> probability of the first option of two, in [0, 1].
        free: (observation, generator) -> place of what is taken from a list, from 0.
    """

    def __init__(
        self, chance: Callable[[Any], float], free: Callable[[Any, np.random.Generator], int]
    ) -> None:  # fmt: skip
        self.chance, self.free = chance, free

    async def decide(self, asks: Sequence[Ask], context: Any) -> list[Decision]:
        out = []
        for ask in asks:
            where = Address(seed=context.seed, time=context.time, agent=ask.agent, draw=ask.nth)
            if isinstance(ask.kind, Amount):
                number = ask.kind.low + int(self.free(ask.observation, where.rng()))
                out.append(Decision(ask.kind.check(number), "policy"))
                continue
            first, second = ask.kind.options()
            p = float(self.chance(ask.observation))
            said = first if where.rng().random() < p else second
            out.append(Decision(ask.kind.check(said), "policy", {first: p, second: 1 - p}))
        return out


def _asked(observation: Any, preferred: float) -> float:
    """The chance of the first option, out of how likely it is preferred: what a subject does that understands."""
    first, second = observation["words"]
    return {
        "prefer": preferred,
        "again": preferred,
        "avoid": 1 - preferred,
        "words": 0.5 + 0.5 * ((first > second) - (first < second)),
        "chance": 0.5,
    }[observation["question"]]


def _thurstone(observation: Any) -> float:
    first, second = observation["utility"]
    return _asked(observation, float(ndtr((first - second) / (2**0.5 * max(observation["noise"], 1e-6)))))


def _lexicographic(observation: Any) -> float:
    first, second = observation["rank"]
    return _asked(observation, float(tuple(first) < tuple(second)))


def _best(observation: Any, rng: np.random.Generator) -> int:
    worth = np.asarray(observation["utility"], float)
    return int(np.argmax(worth + observation["noise"] * rng.normal(size=len(worth))))


def _leading(observation: Any, rng: np.random.Generator) -> int:
    ranks = [tuple(rank) for rank in observation["rank"]]
    return ranks.index(min(ranks))


def _any(observation: Any, rng: np.random.Generator) -> int:
    return int(rng.integers(len(observation["utility"])))


def _topmost(observation: Any, rng: np.random.Generator) -> int:
    return 0 if rng.random() < 0.9 else _any(observation, rng)


POLICIES: dict[str, Policy] = {
    "coin": Known(lambda observation: 0.5, _any),
    "position": Known(lambda observation: 0.9, _topmost),
    "lexicographic": Known(_lexicographic, _leading),
    "thurstone": Known(_thurstone, _best),
    "model": Language(rotations=1),
}
"""All subjects by name. Only the last one asks a language model; each order is asked by the study itself."""
