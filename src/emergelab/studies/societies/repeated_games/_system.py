"""One player against everybody in every game, all matches at once; a step is a round."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.games import matrix
from emergelab.games.matrix_players import PLAYERS, Past, View, foresee, memory_one, recall, reply

from ._evolution import evolved
from ._matches import BATTLES, DILEMMAS, GAMES, MATCHES, ORDINALS, POOL, SEATS, others, views

__all__ = ["CHOICES", "Play", "RepeatedGames"]

CHOICES = (*PLAYERS, "memory")
"""Who may be the player; "memory" has a strategy of its own in five numbers."""
_FAMILY = np.array([[family == name for family in matrix.FAMILY] for name in matrix.FAMILIES], np.float32)


def _share(name: str, about: str, *dims: str) -> el.Observable:
    """An observable between 0 and 1, undefined before the first round."""
    return el.Observable(name, dims, "1", about, low=0, high=1, nan_ok=True)


class Play(eqx.Module):
    """All matches up to now.

    Attributes:
        flip: whether the names of row's and column's moves are exchanged.
        scale: factor and addend of the payoffs [player, 2] where they are rescaled.
        memory: the strategy of the player called "memory".
        trained: games in which it has evolved.
        mine, theirs: moves; 0 in rounds to come.
        hits: rounds in which the other's move was predicted.
        played: rounds played.
    """

    flip: Bool[Array, "match 2"]
    scale: Float[Array, "2 2"]
    memory: Float[Array, "5"]
    trained: Bool[Array, "game"]
    mine: Int[Array, "match round"]
    theirs: Int[Array, "match round"]
    hits: Int[Array, "match"]
    played: Int[Array, ""]


class RepeatedGames(el.System):
    """A player meets the pool in all 144 ordinal games, rivals in the dilemma, partners in the battle."""

    player: str = el.choice("fictitious", options=CHOICES, about="who plays")
    rounds: int = el.static(10, low=2, high=100, about="rounds of a match; steps beyond do nothing")
    labels: str = el.choice("permuted", options=("permuted", "fixed"), about="names of moves in the 144 games")
    payoffs: str = el.choice("given", options=("given", "rescaled"), about="payoffs as the player sees them")
    knows: str = el.choice("both", options=("both", "own"), about="whose payoffs the player sees")
    history: str = el.choice("true", options=("true", "scrambled"), about="order of rounds as the player remembers")
    noise: float = el.param(0.0, low=0.0, high=1.0, about="chance that the player's move comes out as the other one")
    heed: float = el.param(1.0, low=0.0, high=1.0, about="player predict: chance that it goes by its prediction")
    source: str = el.choice(
        "own", options=("own", "truth", "noise"), about="player predict: what stands for its prediction"
    )
    memory: Any = el.param(
        (1.0, 1.0, 0.0, 1.0, 0.0),
        low=0.0,
        high=1.0,
        about="player memory: chance to cooperate at first, after CC, CD, DC, DD",
    )
    generations: int = el.static(0, low=0, high=1000, about="player memory: generations of evolution before play")

    observables = (
        _share("score", "payoff over the most that the 144 games can pay"),
        _share("unseen_score", "the same in games that did not train the player"),
        _share("family_score", "the same by family of games", "family"),
        _share("pool_score", "the same by opponent", "opponent"),
        _share("map_score", "the same by game", "row", "column"),
        _share("accuracy", "share of moves in the 144 games foreseen"),
        _share("dilemma_score", "payoff over the most that the dilemma can pay", "rival"),
        _share("defection", "share of defections in the dilemma", "rival"),
        _share("mutual", "share of its rounds in which both cooperate", "rival"),
        _share("provoked", "share of defections after an old defection, forgiven last", "rival"),
        _share("clean", "share of defections where the other never defected", "rival"),
        _share("battle_score", "payoff over the most that the battle can pay", "partner"),
        _share("coordination", "share of its rounds with the same move", "partner"),
        _share("alternation", "share of its rounds in which both change", "partner"),
        _share("foresight", "share of partners' moves foreseen", "partner"),
        _share("strategy", "player memory: chance to cooperate at first, after CC, CD, DC, DD", "situation"),
    )

    def init(self, key: PRNGKeyArray) -> Play:
        """Names of moves, maps of payoffs and, if asked for, an evolved strategy; nothing is played."""
        names, maps, evolution = jax.random.split(key, 3)
        # The dilemma and the battle keep their names: rivals and partners are told by them.
        flip = jax.random.bernoulli(names, 0.5, (MATCHES, 2)) & (jnp.arange(MATCHES) < ORDINALS.stop)[:, None]
        u = jax.random.uniform(maps, (2, 2))
        scale = jnp.stack([jnp.exp(jnp.log(4.0) * (2 * u[:, 0] - 1)), 20 * u[:, 1] - 10], axis=1)
        memory, trained = jnp.asarray(self.memory, jnp.float32), jnp.zeros(len(matrix.ORDINAL), bool)
        if self.generations:
            memory, trained = evolved(evolution, self.generations, self.rounds)
        blank = jnp.zeros((MATCHES, self.rounds), jnp.int8)
        return Play(
            flip & (self.labels == 0), scale, memory, trained, blank, blank, jnp.zeros(MATCHES, jnp.int8), jnp.int32(0)
        )

    def step(self, state: Play, key: PRNGKeyArray) -> Play:
        """One round of all matches: both sides move at once."""
        evenly, order = jax.random.split(key)
        chance = jax.random.uniform(evenly, (5, MATCHES))
        games, played = self._games(state), state.played
        theirs = others(SEATS, views(games, 1), state.mine, state.theirs, played, chance[0])
        theirs = el.site("theirs", theirs)
        view = self._view(games, state.scale)
        remembered = self._remembered(order, played)
        past = jax.vmap(recall, (0, 0, None))(state.mine[:, remembered], state.theirs[:, remembered], played)
        own = jax.vmap(foresee)(view, past)
        coin = (chance[1] >= 0.5).astype(jnp.int32)
        predicted = el.site("prediction", jnp.where(self.source == 1, theirs, jnp.where(self.source == 2, coin, own)))

        def move(view: View, past: Past, draw: Array, predicted: Array, heeds: Array) -> Array:
            chosen = jnp.int32(0)
            for k, (name, player) in enumerate(PLAYERS.items()):
                if name == "predict":
                    made = jnp.where(heeds, reply(view, predicted, draw), PLAYERS["maximax"](view, past, draw))
                else:
                    made = player(view, past, draw)
                chosen = jnp.where(self.player == k, made, chosen)
            return jnp.where(self.player == len(PLAYERS), memory_one(state.memory, view, past, draw), chosen)

        mine = jax.vmap(move)(view, past, chance[2], predicted, chance[3] < self.heed)
        mine = el.site("mine", jnp.where(chance[4] < self.noise, 1 - mine, mine))
        return self._after(state, mine, theirs, predicted)

    def observe(self, state: Play, key: PRNGKeyArray) -> dict[str, Array]:
        """Scores and signatures of all rounds so far."""
        played = state.played
        going = jnp.arange(self.rounds) < played
        games, mine, theirs = self._games(state), state.mine.astype(jnp.int32), state.theirs.astype(jnp.int32)
        one, two = mine[..., None], theirs[..., None]
        pays = games[:, None, :, :, 0]
        got = jnp.where(one == 1, pays[:, :, 1], pays[:, :, 0])
        got = jnp.where(two == 1, got[..., 1:], got[..., :1])[..., 0]
        n = jnp.where(played > 0, played, jnp.nan)
        score = jnp.sum(jnp.where(going, got, 0.0), axis=1) / (n * matrix.best(games[..., 0]))
        by_game = score[ORDINALS].reshape(len(POOL), len(matrix.ORDINAL)).mean(axis=0)
        unseen = ~state.trained
        d, b = (mine[DILEMMAS], theirs[DILEMMAS]), (mine[BATTLES], theirs[BATTLES])
        provoked, clean = matrix.defects_after(*d, played)
        ever = jnp.broadcast_to(going, d[0].shape)
        return {
            "score": jnp.mean(by_game),
            "unseen_score": jnp.sum(jnp.where(unseen, by_game, 0.0)) / jnp.sum(unseen),
            "family_score": _FAMILY @ by_game / _FAMILY.sum(axis=1),
            "pool_score": score[ORDINALS].reshape(len(POOL), -1).mean(axis=1),
            "map_score": by_game.reshape(12, 12),
            "accuracy": jnp.mean(state.hits[ORDINALS] / n),
            "dilemma_score": score[DILEMMAS],
            "defection": matrix.share(d[0] == 1, ever),
            "mutual": matrix.share((d[0] == 0) & (d[1] == 0), ever),
            "provoked": provoked,
            "clean": clean,
            "battle_score": score[BATTLES],
            "coordination": matrix.share(b[0] == b[1], jnp.broadcast_to(going, b[0].shape)),
            "alternation": matrix.alternating(*b, played),
            "foresight": state.hits[BATTLES] / n,
            "strategy": state.memory,
        }

    def _games(self, state: Play) -> Float[Array, "match 2 2 2"]:
        return jax.vmap(matrix.flipped)(jnp.asarray(GAMES), state.flip)

    def _view(self, games: Float[Array, "match 2 2 2"], scale: Float[Array, "2 2"]) -> View:
        """What the player sees of the payoffs; scores are paid in the true ones."""
        own, other = views(games, 0)
        (a, b), (c, d) = jnp.where(self.payoffs == 1, scale, jnp.array([[1.0, 0.0], [1.0, 0.0]]))
        return View(a * own + b, jnp.where(self.knows == 1, 0.0, c * other + d))

    def _remembered(self, key: PRNGKeyArray, played: Int[Array, ""]) -> Int[Array, "round"]:
        """In which order past rounds are remembered: the same in all matches, own and other's moves together."""
        at = jnp.arange(self.rounds)
        mixed = jnp.argsort(jnp.where(at < played, jax.random.uniform(key, (self.rounds,)), 2.0))
        return jnp.where(self.history == 1, mixed, at)

    def _after(
        self,
        state: Play,
        mine: Int[Array, "match"],
        theirs: Int[Array, "match"],
        predicted: Int[Array, "match"],
    ) -> Play:
        """The matches with one round more, if there are rounds left."""
        now = jnp.arange(self.rounds) == state.played
        goes_on = state.played < self.rounds
        return Play(
            state.flip,
            state.scale,
            state.memory,
            state.trained,
            jnp.where(now, mine[:, None], state.mine).astype(jnp.int8),
            jnp.where(now, theirs[:, None], state.theirs).astype(jnp.int8),
            (state.hits + (goes_on & (predicted == theirs))).astype(jnp.int8),
            state.played + goes_on,
        )
