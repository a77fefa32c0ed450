"""Games of two players with two moves each: the 144 ordinal ones, their families, and what a history of play shows.

A game is an array of payoffs [row's move, column's move, player], player 0 choosing the row. Nothing here decides
anything: those who do are in `emergelab.games.matrix_players`. All functions of histories are pure and serve compiled
programs as well as plain Python.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Num

from emergelab.errors import UserError

__all__ = [
    "BATTLE", "DILEMMA", "FAMILIES", "FAMILY", "NAMED", "ORDINAL", "STAKES", "alternating", "battle", "best",
    "defects_after", "equilibria", "family_of", "flipped", "kind", "ordinal_games", "patterns", "place_of", "seen_from",
    "share",
]  # fmt: skip

Moves = Int[Array, "*match round"]

# -- the 144 games --------------------------------------------------------------------------------------------------

_SWAPS = ((2, 3), (1, 2), (2, 3), (1, 2), (2, 3), (3, 4))


def patterns() -> Int[np.ndarray, "12 2 2"]:
    """The twelve ways to rank the outcomes for the player who chooses the row, with its best outcome on the left.

    Each comes from the one before by a swap of two neighbouring ranks, and the first again from the last: twice round
    the six swaps of Robinson and Goforth (2005).
    """
    rank = np.array([[3, 2], [4, 1]])
    out = [rank]
    for a, b in (_SWAPS * 2)[:-1]:
        rank = np.where(rank == a, b, np.where(rank == b, a, rank))
        out.append(rank)
    return np.stack(out)


def ordinal_games() -> Int[np.ndarray, "12 12 2 2 2"]:
    """All strict ordinal games of two players with two moves, but for the names of moves, as a map.

    Row's best outcome is in the left column, column's in the upper row. Going down changes row's payoffs by one swap,
    going right column's. The games on the diagonal from lower left to upper right are symmetric, and exchanging the
    players mirrors the map in it.
    """
    rows = patterns()
    columns = rows[::-1].transpose(0, 2, 1)
    return np.stack(np.broadcast_arrays(rows[:, None], columns[None]), axis=-1)


def equilibria(game: Num[np.ndarray, "2 2 2"]) -> list[tuple[int, int]]:
    """Equilibria in pure moves: outcomes from which nobody gains by another move."""
    return [
        (r, c)
        for r in (0, 1)
        for c in (0, 1)
        if game[r, c, 0] >= game[1 - r, c, 0] and game[r, c, 1] >= game[r, 1 - c, 1]
    ]


FAMILIES = ("Win-win", "Biased", "Second Best", "Unfair", "PD Family", "Tragic", "Cyclic")
"""Families of ordinal games by what their best equilibrium pays (Bruns 2015)."""

_BY_PAYOFFS = {(4, 4): "Win-win", (3, 4): "Biased", (3, 3): "Second Best", (2, 4): "Unfair"}


def family_of(game: Num[np.ndarray, "2 2 2"]) -> str:
    """The family of an ordinal game.

    It follows from what the best equilibrium pays: 4 and 4 win-win, 4 and 3 biased, 3 and 3 second best, 4 and 2
    unfair. Where it pays less, the family is that of the prisoner's dilemma if another outcome is better for both, and
    tragic if there is none. A game without equilibrium is cyclic.

    Raises:
        UserError: payoffs are not the ranks 1 to 4.
    """
    if any(sorted(game[..., p].ravel().tolist()) != [1, 2, 3, 4] for p in (0, 1)):
        raise UserError(f"family_of: payoffs of each player must be the ranks 1 to 4, got {game.tolist()}")
    found = equilibria(game)
    if not found:
        return "Cyclic"
    at = max(found, key=lambda cell: (int(game[cell].sum()), int(game[cell].max())))
    pays = tuple(sorted(game[at].tolist()))
    dominated = bool((game > game[at]).all(axis=-1).any())
    return _BY_PAYOFFS.get(pays, "PD Family" if dominated else "Tragic")


ORDINAL: Int[np.ndarray, "144 2 2 2"] = ordinal_games().reshape(144, 2, 2, 2)
"""The 144 games, row by row of the map."""
FAMILY: tuple[str, ...] = tuple(map(family_of, ORDINAL))
"""Their families."""
NAMED = {
    "Chicken": (0, 11), "Battle": (1, 10), "Hero": (2, 9), "Deadlock": (4, 7), "Prisoner's Dilemma": (5, 6),
    "Stag Hunt": (6, 5), "Harmony": (10, 1), "No Conflict": (11, 0),
}  # fmt: skip
"""Some symmetric games by row and column of the map."""


def place_of(name: str) -> int:
    """Number in `ORDINAL` of a game in `NAMED`."""
    row, column = NAMED[name]
    return 12 * row + column


DILEMMA: Float[np.ndarray, "2 2 2"] = np.array([[[8, 8], [0, 10]], [[10, 0], [5, 5]]], float)
"""The prisoner's dilemma of Akata et al.; move 0 cooperates."""


def battle(more: float, less: float) -> Float[np.ndarray, "2 2 2"]:
    """A Battle of the Sexes: who meets at its favourite gets `more`, the other `less`, who do not meet get nothing.

    Player 0's favourite is move 0, player 1's is move 1, as long as `more` is more than `less`.
    """
    return np.array([[[more, less], [0, 0]], [[0, 0], [less, more]]], float)


BATTLE: Float[np.ndarray, "2 2 2"] = battle(10, 7)
"""Their Battle of the Sexes; player 0 prefers that both play move 0."""
STAKES = {"10-7": (10, 7), "9-8": (9, 8), "8-8": (8, 8), "8-9": (8, 9), "7-10": (7, 10)}
"""What the outcomes of the battle pay in their five versions; in the last two the favourites are exchanged."""

# -- a game as one of the two sees it -------------------------------------------------------------------------------


def seen_from(game: Num[Array, "*n 2 2 2"], player: int) -> tuple[Num[Array, "*n 2 2"], Num[Array, "*n 2 2"]]:
    """Own payoffs and the other's, both as [own move, other's move]."""
    own, other = game[..., player], game[..., 1 - player]
    return (own, other) if player == 0 else (jnp.swapaxes(own, -1, -2), jnp.swapaxes(other, -1, -2))


def flipped(game: Num[Array, "2 2 2"], flip: Bool[Array, "2"]) -> Num[Array, "2 2 2"]:
    """The same game under other names: moves of row, of column, or of both exchanged."""
    game = jnp.where(flip[0], game[::-1], game)
    return jnp.where(flip[1], game[:, ::-1], game)


def kind(own: Num[Array, "2 2"], other: Num[Array, "2 2"]) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """What is called cooperation in any game: own part and the other's of the outcome with the largest sum.

    Of several such outcomes the one that pays oneself most, so that names of moves do not matter.
    """
    cell = jnp.argmax((own + other + 1e-3 * own).ravel())
    return cell // 2, cell % 2


def best(own: Num[Array, "*n 2 2"]) -> Num[Array, "*n"]:
    """The most that a round can bring."""
    return own.max(axis=(-1, -2))


# -- what a history shows -------------------------------------------------------------------------------------------


def share(event: Bool[Array, "*n round"], where: Bool[Array, "*n round"]) -> Float[Array, "*n"]:
    """How often something happens in the rounds that count; NaN where none does."""
    n = jnp.sum(where, axis=-1)
    return jnp.where(n > 0, jnp.sum(event & where, axis=-1) / jnp.maximum(n, 1), jnp.nan)


def alternating(mine: Moves, theirs: Moves, played: Int[Array, ""]) -> Float[Array, "*match"]:
    """Share of rounds, from the second on, in which both changed their moves; NaN before."""
    changed = (mine[..., 1:] != mine[..., :-1]) & (theirs[..., 1:] != theirs[..., :-1])
    return share(changed, jnp.broadcast_to(jnp.arange(1, mine.shape[-1]) < played, changed.shape))


def defects_after(
    mine: Moves, theirs: Moves, played: Int[Array, ""]
) -> tuple[Float[Array, "*match"], Float[Array, "*match"]]:
    """How often the player defects (plays 1), by what the other did before.

    Returns:
        provoked: after the other has defected at some time but cooperated (played 0) the last time: 1 is unforgiving;
        clean: where the other has never defected, the first round included. NaN where there is no such round.
    """
    rounds = jnp.arange(mine.shape[-1])
    defected = (theirs == 1) & (rounds < played)
    before = jnp.cumsum(defected, axis=-1) - defected > 0
    last = jnp.concatenate([jnp.zeros_like(theirs[..., :1]), theirs[..., :-1]], axis=-1)
    going, defect = jnp.broadcast_to(rounds < played, mine.shape), mine == 1
    return share(defect, going & before & (last == 0)), share(defect, going & ~before)
