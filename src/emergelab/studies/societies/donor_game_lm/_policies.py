"""Who decides: chance, constants, two rules of the literature, the numeric strategy, a language model."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from emergelab.games import donor as rules
from emergelab.lm import Ask, Choice, Language, Policy, Random, Rule

__all__ = ["POLICIES", "PUNISHING", "fit"]

PUNISHING = {"costly punishment": "punish", "partner choice": "refuse"}
"""What a donor may do besides donating."""


def _always(per_cent: float) -> Rule:
    return Rule(lambda ask, rng: "donate" if isinstance(ask.kind, Choice) else per_cent)


def _copy(ask: Ask, rng: np.random.Generator) -> Any:
    """Give what the recipient gave; anything to a stranger, so that there is something to copy."""
    if isinstance(ask.kind, Choice):
        return "donate"
    heard = ask.observation["gossip"]
    return _on_grid(heard[0]) if heard else 10.0 * int(rng.integers(11))


def _image(ask: Ask, rng: np.random.Generator) -> Any:
    """Everything for a stranger and for those who gave at least half; for others nothing, or a punishment."""
    heard = ask.observation["gossip"]
    good = not heard or heard[0] >= 50.0
    if isinstance(ask.kind, Choice):
        return "donate" if good else ask.kind.among[1]
    return 20.0 if ask.observation["move"] == "punish" else 100.0 if good else 0.0


def _numeric(ask: Ask, rng: np.random.Generator) -> Any:
    """The strategy `theta` that the agent was born with, rounded to tens of per cent."""
    heard = tuple(g / 100 for g in ask.observation["gossip"])
    may_punish = isinstance(ask.kind, Choice) or ask.observation["move"] == "punish"
    kind, fraction = _acted(tuple(ask.observation["theta"]), heard, may_punish)
    if isinstance(ask.kind, Choice):
        return ask.kind.among[int(kind == rules.PUNISH)]
    return _on_grid(100 * fraction)


@jax.jit
def _act(theta: Any, trace: Any, known: Any, mechanism: Any) -> Any:
    return rules.act(theta, trace, known, rules.ENTRIES, mechanism, grid=0.1)


@lru_cache(4096)
def _acted(theta: tuple[float, ...], heard: tuple[float, ...], may_punish: bool) -> tuple[int, float]:
    trace = np.zeros((1, rules.ENTRIES), np.float32)
    trace[0, : len(heard)] = heard
    known = np.array([len(heard)], np.int32)
    kind, fraction = _act(np.array([theta], np.float32), trace, known, np.int32(rules.PUNISH if may_punish else 0))
    return int(kind[0]), float(fraction[0])


def _on_grid(per_cent: float) -> float:
    return 10.0 * round(per_cent / 10)


POLICIES: dict[str, Policy] = {
    "random": Random(),
    "all-C": _always(100.0),
    "all-D": _always(0.0),
    "copy-gossip": Rule(_copy),
    "image-scoring": Rule(_image),
    "theta": Rule(_numeric),
    "model": Language(),
}
"""All policies by name. Only the last one asks a language model."""


def fit(given: Float[np.ndarray, "6"]) -> Float[np.ndarray, "4"]:
    """What an agent's answers to the six probe situations say about its strategy.

    Args:
        given: fractions for a stranger; for newest gossip 0, 1/2 and 1; for 1/2 with 0 and with 1 before it.

    Returns:
        stranger, base, first, second: what a stranger gets; and, by least squares, what is given to one who gave half,
        the weight of the newest entry, and that of the one before it.
    """
    newest, older = np.array([-0.5, 0, 0.5, 0, 0]), np.array([0, 0, 0, -0.5, 0.5])
    design = np.column_stack([np.ones(5), newest, older])
    return np.concatenate([given[:1], np.linalg.lstsq(design, given[1:], rcond=None)[0]])
