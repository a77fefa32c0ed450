"""Whom the network imitates: Thompson samplers, careless greedy players, and players who are sure after a few pulls."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.games import bandits as rules

__all__ = ["TEACHERS", "Episodes", "Mix", "ideal", "lessons"]

TEACHERS = ("thompson", "careless", "greedy")
THOMPSON, CARELESS, GREEDY = range(3)
TINY = 1e-6


class Mix(NamedTuple):
    """Who teaches, and in what world.

    Attributes:
        shares: probability of each of `TEACHERS`, one row or one a game.
        epsilon: how often a careless player pulls any arm.
        early: pulls that a greedy player makes at random before it is sure.
        noise: standard deviation of rewards, one number or one a game (with an axis for its arms).
    """

    shares: Float[Array, "3"] | Float[Array, "game 3"]
    epsilon: Float[Array, ""]
    early: Float[Array, ""]
    noise: Float[Array, ""] | Float[Array, "game 1"]


class Episodes(NamedTuple):
    """Games that were played.

    Attributes:
        means: of the arms.
        arm, reward: of each round.
        before: what had been seen before each round.
        teacher: who played, an index of `TEACHERS`.
    """

    means: Float[Array, "game arm"]
    arm: Int[Array, "game round"]
    reward: Float[Array, "game round"]
    before: rules.Seen
    teacher: Int[Array, "game"]


def lessons(key: PRNGKeyArray, mix: Mix, there: Bool[Array, "game arm"], rounds: int) -> Episodes:
    """Games of teachers, one drawn for each game. Thompson sampling is done by sampling here, not by probability.

    Args:
        key: randomness.
        mix: the teachers and the world.
        there: arms of each game.
        rounds: pulls of each game.
    """
    games, arms = there.shape
    of_bell, of_even = jax.random.split(key)
    bell = jax.random.normal(of_bell, (rounds + 1, games, arms + 1))
    even = jax.random.uniform(of_even, (rounds + 1, games, 2))
    teacher = rules.drawn(jnp.broadcast_to(mix.shares, (games, 3)), even[-1, :, 0])
    means = bell[-1, :, :arms]

    def turn(seen: rules.Seen, now: tuple[Array, Array, Array]) -> tuple[rules.Seen, tuple[Array, Array, rules.Seen]]:
        xi, u, t = now
        b = rules.belief(seen, mix.noise)
        imagined = jnp.argmax(jnp.where(there, b.mean + b.sd * xi[:, :arms], -jnp.inf), axis=-1)
        leading = rules.drawn(rules.greedy(b, there), u[:, 0])
        at_random = rules.drawn(rules.uniform(b, there), u[:, 0])
        careless = (teacher == CARELESS) & (u[:, 1] < mix.epsilon)
        tries = careless | ((teacher == GREEDY) & (t < mix.early))
        arm = jnp.where(tries, at_random, jnp.where(teacher == THOMPSON, imagined, leading)).astype(jnp.int32)
        reward = (jnp.take_along_axis(means, arm[:, None], axis=-1) + mix.noise * xi[:, arms:])[:, 0]
        return rules.saw(seen, arm, reward), (arm, reward, seen)

    start = rules.nothing(arms, games)
    _, made = jax.lax.scan(turn, start, (bell[:-1], even[:-1], jnp.arange(rounds)))
    arm, reward, before = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), made)
    return Episodes(means, arm, reward, before, teacher)


def ideal(
    mix: Mix, before: rules.Seen, arm: Int[Array, "game round"]
) -> tuple[Float[Array, "game round arm"], Float[Array, "game round 3"]]:
    """What a perfect imitator expects of the next pull, all arms being there.

    It knows how each teacher plays and infers from the pulls so far which one it watches. Where no teacher could have
    made a pull, each may have slipped with a probability of one in a million.

    Returns:
        the probability of each arm in each round, and that of each teacher before it.
    """
    b = rules.belief(before, mix.noise)
    each = jnp.stack([
        rules.thompson(b),
        rules.epsilon_greedy(b, mix.epsilon),
        rules.greedy_after(b, before.count.sum(axis=-1), mix.early),
    ])  # fmt: skip
    each = (1 - TINY) * each + TINY / each.shape[-1]
    told = jnp.log(jnp.take_along_axis(each, arm[None, ..., None], axis=-1)[..., 0])
    earlier = jnp.cumsum(told, axis=-1) - told
    which = jax.nn.softmax(earlier + jnp.log(mix.shares + 1e-30)[:, None, None], axis=0)
    return (which[..., None] * each).sum(axis=0), jnp.moveaxis(which, 0, -1)
