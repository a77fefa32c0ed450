"""Strategies that remember one round, evolved against the pool in half of the games."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.games import matrix
from emergelab.games.matrix_players import memory_one, recall

from ._matches import POOL, others, pool_of, views

__all__ = ["POPULATION", "evolved", "fitness"]

POPULATION = 12
_STEP = 0.2  # standard deviation of a child's distance from its parent, in each probability


def fitness(
    theta: Float[Array, "5"],
    games: Float[Array, "match 2 2 2"],
    chance: Float[Array, "round 2 match"],
) -> Float[Array, ""]:
    """Share of the most that the games can pay which a strategy gets against the pool.

    Args:
        theta: the strategy.
        games: the same games for each opponent of the pool, one opponent after the other.
        chance: uniform numbers for the opponents' and its own choices.
    """
    rounds, matches = chance.shape[0], chance.shape[2]
    mine_view, their_view = views(games, 0), views(games, 1)
    seats = pool_of(matches // len(POOL))
    blank = jnp.zeros((matches, rounds), jnp.int8)

    def one_round(carry: tuple[Array, Array, Array], draws: Float[Array, "2 match"]) -> tuple[tuple, Array]:
        mine, theirs, played = carry
        they = others(seats, their_view, mine, theirs, played, draws[0])
        past = jax.vmap(recall, (0, 0, None))(mine, theirs, played)
        me = jax.vmap(memory_one, (None, 0, 0, 0))(theta, mine_view, past, draws[1])
        got = jax.vmap(lambda own, a, b: own[a, b])(mine_view.own, me, they)
        now = jnp.arange(rounds) == played
        new = (jnp.where(now, x[:, None], y).astype(jnp.int8) for x, y in ((me, mine), (they, theirs)))
        return (*new, played + 1), got

    _, got = jax.lax.scan(one_round, (blank, blank, jnp.int32(0)), chance)
    return jnp.mean(got / matrix.best(mine_view.own))


def evolved(key: PRNGKeyArray, generations: int, rounds: int) -> tuple[Float[Array, "5"], Bool[Array, "game"]]:
    """The best strategy of the last generation, and the games in which its ancestors were selected.

    A random half of the 144 games trains. The better half of each generation survives, and each survivor has a child
    that differs from it a little in every probability. All strategies of a generation meet the same chance.
    """
    begin, split, play, errors = jax.random.split(key, 4)
    n = len(matrix.ORDINAL)
    trained: Int[Array, "half"] = jax.random.permutation(split, n)[: n // 2]
    games = jnp.tile(jnp.asarray(matrix.ORDINAL, jnp.float32)[trained], (len(POOL), 1, 1, 1))
    chance = jax.random.uniform(play, (generations, rounds, 2, games.shape[0]))
    distance = _STEP * jax.random.normal(errors, (generations, POPULATION // 2, 5))
    judged = jax.vmap(fitness, (0, None, None))

    def generation(
        theta: Float[Array, "strategy 5"], now: tuple[Array, Array]
    ) -> tuple[Float[Array, "strategy 5"], None]:
        order = jnp.argsort(-judged(theta, games, now[0]))
        parents = theta[order[: POPULATION // 2]]
        return jnp.concatenate([parents, jnp.clip(parents + now[1], 0.0, 1.0)]), None

    theta, _ = jax.lax.scan(generation, jax.random.uniform(begin, (POPULATION, 5)), (chance, distance))
    return theta[0], jnp.zeros(n, bool).at[trained].set(True)
