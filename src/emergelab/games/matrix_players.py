"""Who plays repeated 2x2 games: simple rules, relatives of tit for tat, strategies that remember one round.

A player is a pure function of what it knows: (view, past, draw) -> move. `view` holds the payoffs as it sees them,
`past` what it remembers, `draw` is one uniform number for all that it leaves to chance. The functions are written for
one match; `jax.vmap` makes them play many. Cooperation, where a rule needs the word, is one's part of the outcome with
the largest sum (`matrix.kind`), so every rule can play every game.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .matrix import kind

__all__ = [
    "OTHERS", "PLAYERS", "SIMPLE", "ZOO", "Past", "Player", "View", "foresee", "memory_one", "recall", "reply",
]  # fmt: skip

Move = Int[Array, ""]
Draw = Float[Array, ""]
_TIE = 1e-3  # of the range of payoffs: what lies closer counts as equal, whatever rounding does to it


class View(NamedTuple):
    """Payoffs as [own move, other's move]: one's own, and the other's."""

    own: Float[Array, "2 2"]
    other: Float[Array, "2 2"]


class Past(NamedTuple):
    """What a player remembers of a match.

    Attributes:
        rounds: rounds played.
        mine, theirs: the last moves, 0 before the first round.
        recent: the other's last three moves, newest first; -1 where there was none.
        counts: how often the other made each move.
        turns: how often the other went from one move to another, [from, to].
    """

    rounds: Int[Array, ""]
    mine: Int[Array, ""]
    theirs: Int[Array, ""]
    recent: Int[Array, "3"]
    counts: Float[Array, "2"]
    turns: Float[Array, "2 2"]


Player = Callable[[View, Past, Draw], Move]


def recall(mine: Int[Array, "round"], theirs: Int[Array, "round"], played: Int[Array, ""]) -> Past:
    """What a player remembers of these moves, of which the first `played` count."""
    at = jnp.arange(mine.shape[0])
    here = at < played
    recent = jnp.stack([jnp.where(played >= k, jnp.sum(jnp.where(at == played - k, theirs, 0)), -1) for k in (1, 2, 3)])
    one = jnp.sum(here & (theirs == 1))
    follows, before, now = here[1:], theirs[:-1], theirs[1:]
    turns = [[jnp.sum(follows & (before == a) & (now == b)) for b in (0, 1)] for a in (0, 1)]
    return Past(
        played,
        jnp.sum(jnp.where(at == played - 1, mine, 0)).astype(jnp.int32),
        jnp.maximum(recent[0], 0).astype(jnp.int32),
        recent.astype(jnp.int32),
        jnp.stack([played - one, one]).astype(jnp.float32),
        jnp.stack([jnp.stack(row) for row in turns]).astype(jnp.float32),
    )


# -- building blocks ------------------------------------------------------------------------------------------------


def _larger(values: Float[Array, "2"], view: View, draw: Draw) -> Move:
    """The move of larger value; chance decides between equals."""
    gap = values[1] - values[0]
    equal = jnp.abs(gap) <= _TIE * (view.own.max() - view.own.min())
    return jnp.where(equal, draw >= 0.5, gap > 0).astype(jnp.int32)


def _against(view: View, belief: Float[Array, ""] | float, draw: Draw) -> Move:
    """The best move if the other plays 1 with this probability."""
    return _larger(view.own[:, 0] * (1 - belief) + view.own[:, 1] * belief, view, draw)


def reply(view: View, predicted: Move, draw: Draw) -> Move:
    """The best move if the other plays `predicted`."""
    return _against(view, predicted.astype(jnp.float32), draw)


def foresee(view: View, past: Past) -> Move:
    """The move that is expected of the other.

    At first what is best for it against chance (between equals, what may bring it most). Later what it has most often
    done after a move like its last one; where that says nothing, its last move again.
    """
    sums, most = view.other.sum(axis=0), view.other.max(axis=0)
    equal = jnp.abs(sums[1] - sums[0]) <= _TIE * (view.other.max() - view.other.min())
    naive = jnp.where(equal, most[1] > most[0], sums[1] > sums[0])
    after = jnp.where(past.theirs == 1, past.turns[1], past.turns[0])
    habit = jnp.where(after[0] == after[1], past.theirs == 1, after[1] > after[0])
    return jnp.where(past.rounds == 0, naive, habit).astype(jnp.int32)


# -- nine simple rules ----------------------------------------------------------------------------------------------


def _random(view: View, past: Past, draw: Draw) -> Move:
    return (draw >= 0.5).astype(jnp.int32)


def _level_1(view: View, past: Past, draw: Draw) -> Move:
    """Best against chance."""
    return _against(view, 0.5, draw)


def _maximin(view: View, past: Past, draw: Draw) -> Move:
    """The better worst case."""
    return _larger(view.own.min(axis=1), view, draw)


def _maximax(view: View, past: Past, draw: Draw) -> Move:
    """Where the most is to be had."""
    return _larger(view.own.max(axis=1), view, draw)


def _social(view: View, past: Past, draw: Draw) -> Move:
    """One's part of the outcome with the largest sum, always."""
    return kind(view.own, view.other)[0].astype(jnp.int32)


def _best_response(view: View, past: Past, draw: Draw) -> Move:
    """Best against the other's last move; at first against chance."""
    return _against(view, jnp.where(past.rounds == 0, 0.5, past.theirs), draw)


def _fictitious(view: View, past: Past, draw: Draw) -> Move:
    """Fictitious play: best against how often the other has made each move, with one of each to begin with."""
    return _against(view, (past.counts[1] + 1) / (past.counts.sum() + 2), draw)


def _win_stay(view: View, past: Past, draw: Draw) -> Move:
    """Repeats a move that brought at least the mean of one's payoffs, else changes; begins at random."""
    got = view.own[past.mine, past.theirs]
    next_ = jnp.where(got >= view.own.mean(), past.mine, 1 - past.mine)
    return jnp.where(past.rounds == 0, draw >= 0.5, next_).astype(jnp.int32)


def _predict(view: View, past: Past, draw: Draw) -> Move:
    """Predicts the other's move, and plays what is best against it."""
    return reply(view, foresee(view, past), draw)


# -- tit for tat and its relatives ----------------------------------------------------------------------------------


def _defect_if(defects: Bool[Array, ""], view: View) -> Move:
    mine = kind(view.own, view.other)[0]
    return jnp.where(defects, 1 - mine, mine).astype(jnp.int32)


def _hurt(view: View, past: Past, back: int = 1) -> Bool[Array, ""]:
    """Whether the other defected so many rounds ago."""
    then = past.recent[back - 1]
    return (then >= 0) & (then != kind(view.own, view.other)[1])


def _tit_for_tat(view: View, past: Past, draw: Draw) -> Move:
    """Cooperates, then does as the other did."""
    return _defect_if(_hurt(view, past), view)


def _two_tats(view: View, past: Past, draw: Draw) -> Move:
    """Defects after two defections in a row."""
    return _defect_if(_hurt(view, past) & _hurt(view, past, 2), view)


def _suspicious(view: View, past: Past, draw: Draw) -> Move:
    """Tit for tat that begins with a defection."""
    return _defect_if((past.rounds == 0) | _hurt(view, past), view)


def _reverse(view: View, past: Past, draw: Draw) -> Move:
    """Begins with a defection, then does the opposite of what the other did."""
    return _defect_if((past.rounds == 0) | ~_hurt(view, past), view)


def _hard(view: View, past: Past, draw: Draw) -> Move:
    """Defects if the other did so in any of the last three rounds."""
    return _defect_if(_hurt(view, past) | _hurt(view, past, 2) | _hurt(view, past, 3), view)


def _prober(rate: float) -> Player:
    """Tit for tat that, after the first round, defects now and then without cause."""

    def player(view: View, past: Past, draw: Draw) -> Move:
        return _defect_if((past.rounds > 0) & (_hurt(view, past) | (draw < rate)), view)

    return player


def _grim(view: View, past: Past, draw: Draw) -> Move:
    """Defects for ever after one defection."""
    theirs = kind(view.own, view.other)[1]
    return _defect_if(past.counts[1 - theirs] > 0, view)


def _false_defector(view: View, past: Past, draw: Draw) -> Move:
    """Defects once, in the first round, and cooperates ever after."""
    return _defect_if(past.rounds == 0, view)


def _generous(view: View, past: Past, draw: Draw) -> Move:
    """Tit for tat that overlooks a third of all defections."""
    return _defect_if(_hurt(view, past) & (draw >= 1 / 3), view)


# -- others ---------------------------------------------------------------------------------------------------------


def _level_2(view: View, past: Past, draw: Draw) -> Move:
    """Best against one who plays what is best against chance."""
    sums = view.other.sum(axis=0)
    equal = jnp.abs(sums[1] - sums[0]) <= _TIE * (view.other.max() - view.other.min())
    return _against(view, jnp.where(equal, 0.5, sums[1] > sums[0]), draw)


def _never(view: View, past: Past, draw: Draw) -> Move:
    """Never cooperates."""
    return _defect_if(jnp.bool_(True), view)


def _constant(move: int) -> Player:
    return lambda view, past, draw: jnp.int32(move)


def _alternating(first: int) -> Player:
    return lambda view, past, draw: ((past.rounds + first) % 2).astype(jnp.int32)


def memory_one(theta: Float[Array, "5"], view: View, past: Past, draw: Draw) -> Move:
    """Cooperates with a probability that depends on the last round only.

    Args:
        theta: probabilities at first, and after both cooperated, after the other, oneself, and both defected.
    """
    mine, theirs = kind(view.own, view.other)
    last = 1 + (past.theirs != theirs) + 2 * (past.mine != mine)
    chance = theta[jnp.where(past.rounds == 0, 0, last)]
    return _defect_if(draw >= chance, view)


SIMPLE: dict[str, Player] = {
    "random": _random, "level-1": _level_1, "maximin": _maximin, "maximax": _maximax, "social": _social,
    "best-response": _best_response, "fictitious": _fictitious, "win-stay": _win_stay, "predict": _predict,
}  # fmt: skip
"""Nine rules that need no word for cooperation (but for `social`)."""
ZOO: dict[str, Player] = {
    "tit-for-tat": _tit_for_tat, "two-tats": _two_tats, "suspicious": _suspicious, "reverse": _reverse, "hard": _hard,
    "prober-10": _prober(0.1), "prober-20": _prober(0.2), "grim": _grim, "false-defector": _false_defector,
    "generous": _generous,
}  # fmt: skip
"""Tit for tat and its relatives."""
OTHERS: dict[str, Player] = {
    "level-2": _level_2, "never": _never, "first": _constant(0), "second": _constant(1),
    "alternate": _alternating(0), "alternate-second": _alternating(1),
}  # fmt: skip
"""The rest: one more level of reasoning, and rules that look at nothing but the names of moves."""
PLAYERS: dict[str, Player] = SIMPLE | ZOO | OTHERS
"""All players by name."""
