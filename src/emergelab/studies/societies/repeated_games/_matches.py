"""Which matches are played: every ordinal game against the pool, the dilemma against rivals, the battle with partners.

All matches are one long axis: first the 144 games against the first of the pool, then against the second, and so on;
then the dilemmas, then the battles. The player is player 0 in all of them. Nothing is lost by that: among the 144 games
is each with its players exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Num

from emergelab.games import matrix
from emergelab.games.matrix_players import PLAYERS, SIMPLE, View, recall

__all__ = [
    "BATTLES", "DILEMMAS", "GAMES", "MATCHES", "ORDINALS", "PARTNERS", "POOL", "RIVALS", "SEATS", "Seats", "others",
    "pool_of", "views",
]  # fmt: skip

POOL = tuple(SIMPLE)
"""Opponents in the 144 games."""
RIVALS = (
    "social", "never", "random", "tit-for-tat", "two-tats", "suspicious", "reverse", "hard", "prober-10", "prober-20",
    "grim", "false-defector",
)  # fmt: skip
"""Opponents in the prisoner's dilemma."""
PARTNERS = ("first", "second", "alternate", "alternate-second", "random", "win-stay", "fictitious", "predict")
"""Those who play the Battle of the Sexes; move 0 is what the player prefers."""

Seats = Sequence[tuple[str, int, int]]
"""Opponents and the matches they play: name, first, one past the last."""


def pool_of(games: int) -> list[tuple[str, int, int]]:
    """The pool, each of whom plays so many games."""
    return [(name, k * games, (k + 1) * games) for k, name in enumerate(POOL)]


ORDINALS = slice(0, len(POOL) * len(matrix.ORDINAL))
DILEMMAS = slice(ORDINALS.stop, ORDINALS.stop + len(RIVALS))
BATTLES = slice(DILEMMAS.stop, DILEMMAS.stop + len(PARTNERS))
MATCHES: int = BATTLES.stop
SEATS: Seats = (
    *pool_of(len(matrix.ORDINAL)),
    *((name, DILEMMAS.start + k, DILEMMAS.start + k + 1) for k, name in enumerate(RIVALS)),
    *((name, BATTLES.start + k, BATTLES.start + k + 1) for k, name in enumerate(PARTNERS)),
)
GAMES: Float[np.ndarray, "match 2 2 2"] = np.concatenate(
    [
        np.tile(games, (n, 1, 1, 1))
        for games, n in (
            (matrix.ORDINAL, len(POOL)),
            (matrix.DILEMMA[None], len(RIVALS)),
            (matrix.BATTLE[None], len(PARTNERS)),
        )
    ]
).astype(np.float32)
"""Payoffs of all matches."""


def views(games: Num[Array, "match 2 2 2"], player: int) -> View:
    """The games as one side sees them."""
    return View(*matrix.seen_from(games, player))


def others(
    seats: Seats,
    view: View,
    mine: Int[Array, "match round"],
    theirs: Int[Array, "match round"],
    played: Int[Array, ""],
    draw: Float[Array, "match"],
) -> Int[Array, "match"]:
    """Moves of all opponents, who see the games as `view` and remember the moves from their side."""
    memory = jax.vmap(recall, (0, 0, None))(theirs, mine, played)
    moves = []
    for name, start, stop in seats:
        own = jax.tree.map(lambda x, a=start, b=stop: x[a:b], (view, memory, draw))
        moves.append(jax.vmap(PLAYERS[name])(*own))
    return jnp.concatenate(moves)
