"""Who pulls: players of the literature, a script with a planted direction, a language model."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from emergelab.games import bandits as rules
from emergelab.lm import Ask, Language, Policy, Rule

from ._prompts import History

__all__ = ["OPENED", "POLICIES", "chances", "confidence", "seen_of", "thompson"]

OPENED = ("model", "softmax")
"""Policies that can be looked into and steered."""

_CENTRE, _UNIT = 50.0, 10.0
_PLAYERS = {name: jax.jit(f) for name, f in (("thompson", rules.thompson), ("greedy", rules.greedy),
                                             ("random", rules.uniform))}  # fmt: skip
_ahead, _believed = jax.jit(rules.confidence), jax.jit(rules.belief)


def seen_of(histories: Sequence[History]) -> rules.Seen:
    """Pulls and summed rewards of each arm, in units in which prior and noise have the standard deviation 1."""
    count, total = np.zeros((len(histories), 2), np.float32), np.zeros((len(histories), 2), np.float32)
    for i, history in enumerate(histories):
        for arm, points in history:
            count[i, arm] += 1
            total[i, arm] += (points - _CENTRE) / _UNIT
    return rules.Seen(jnp.asarray(count), jnp.asarray(total))


def thompson(histories: Sequence[History]) -> Float[np.ndarray, "history 2"]:
    """How likely each arm is the better one."""
    return chances("thompson", histories)


def confidence(histories: Sequence[History]) -> Float[np.ndarray, "history"]:
    """How far the leading arm is ahead, in standard deviations of the difference."""
    return np.asarray(_ahead(_believed(seen_of(histories), 1.0)), float)


def chances(policy: str, histories: Sequence[History]) -> Float[np.ndarray, "history 2"]:
    """What a player of the literature does: the probability of each arm."""
    return np.asarray(_PLAYERS[policy](_believed(seen_of(histories), 1.0)), float)


def _by_chance(ask: Ask, rng: np.random.Generator) -> str:
    """Draws by the probabilities that the asker worked out."""
    return ask.kind.options()[int(rng.random() < ask.observation["p"][1])]


POLICIES: dict[str, Policy] = {
    "random": Rule(_by_chance),
    "thompson": Rule(_by_chance),
    "greedy": Rule(_by_chance),
    "softmax": Rule(_by_chance),
    "model": Language(),
}
"""All policies by name. Only the last one asks a language model."""
