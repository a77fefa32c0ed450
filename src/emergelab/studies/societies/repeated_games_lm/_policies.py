"""Who decides: chance, a constant, rules of the literature, a language model; and whom they meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import numpy as np

from emergelab.games.matrix_players import PLAYERS, View, foresee, recall, reply
from emergelab.lm import Ask, Language, Policy, Random, Rule

__all__ = ["POLICIES", "RULES", "moved"]

RULES = ("tit-for-tat", "grim", "maximax", "fictitious", "predict")
"""Rules that may sit in the player's place, as in the study repeated-games."""


@cache
def _compiled(name: str) -> Callable[..., Any]:
    def decided(own: Any, other: Any, mine: Any, theirs: Any, played: Any, draw: Any) -> Any:
        view, past = View(own, other), recall(mine, theirs, played)
        return foresee(view, past) if name == "foresee" else PLAYERS[name](view, past, draw)

    return jax.jit(decided)


_replied = jax.jit(lambda own, other, predicted, draw: reply(View(own, other), predicted, draw))


def moved(
    name: str,
    own: Sequence[Sequence[float]],
    other: Sequence[Sequence[float]],
    mine: Sequence[int],
    theirs: Sequence[int],
    rounds: int,
    draw: float,
) -> int:
    """The move of one of `PLAYERS`, or what "foresee" expects of the other, after a history of moves.

    Args:
        name: which rule.
        own, other: payoffs as [own move, other's move].
        mine, theirs: moves so far.
        rounds: rounds of the match.
        draw: uniform number for what is left to chance.
    """
    histories = np.zeros((2, rounds), np.int32)
    histories[:, : len(mine)] = mine, theirs
    payoffs = np.asarray([own, other], np.float32)
    return int(_compiled(name)(*payoffs, *histories, np.int32(len(mine)), np.float32(draw)))


def _rule(name: str) -> Rule:
    """A rule as a policy. Asked for a prediction it foresees; told one, the rule `predict` goes by it."""

    def decide(ask: Ask, rng: np.random.Generator) -> str:
        seen, draw = ask.observation, float(rng.random())
        if name == "predict" and seen["asked"] == "move" and seen["predicted"] is not None:
            payoffs = np.asarray([seen["own"], seen["other"]], np.float32)
            move = int(_replied(*payoffs, np.int32(seen["predicted"]), np.float32(draw)))
        else:
            which = "foresee" if seen["asked"] == "prediction" else name
            history = seen["mine"], seen["theirs"]
            move = moved(which, seen["own"], seen["other"], *history, seen["rounds"], draw)
        return str(seen["names"][move])

    return Rule(decide)


POLICIES: dict[str, Policy] = {
    "random": Random(),
    "constant": Rule(lambda ask, rng: ask.observation["names"][ask.observation["first"]]),
    **{name: _rule(name) for name in RULES},
    "model": Language(temperature=0.0),
}
"""All policies by name. Only the last one asks a language model, and takes the likelier option as the paper does."""
