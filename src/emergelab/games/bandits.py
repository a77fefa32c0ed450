"""Bandits: who knows what after some pulls, who would pull which arm, and how well it went.

Arms pay Gaussian rewards of a known standard deviation (`noise`). Their means are drawn from a normal prior; `belief`
is the exact posterior. Players are functions of what was seen that return the probability of each arm, so that one
can draw from them, take their entropy, and compare a network or a language model with them at the very same history.
All functions are pure and work on any number of leading axes.

Sources: Thompson (1933); Auer, Cesa-Bianchi, Fischer (2002) for UCB1; the optimal player in `bandits_optimal`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

__all__ = [
    "Belief", "Episode", "Seen", "belief", "best_known", "committed", "confidence", "drawn", "entropy",
    "epsilon_greedy", "greedy", "greedy_after", "nothing", "play", "random_bandits", "regret", "saw", "softmax",
    "suffix_failure", "thompson", "ucb1", "uniform",
]  # fmt: skip

Number = Float[Array, "*#n"] | Float[np.ndarray, "*#n"] | np.floating | float | int

# Points of the trapezium rule on [-8, 8]: for a smooth integrand that vanishes at both ends its error falls faster
# than any power of the distance. An arm may be known a tenth as well as another before 1e-6 is lost.
_AT = np.linspace(-8.0, 8.0, 129)
_WEIGHT = np.exp(-(_AT**2) / 2) / np.sqrt(2 * np.pi) * (_AT[1] - _AT[0])


class Seen(NamedTuple):
    """All that matters of a history, for rewards of known noise.

    Attributes:
        count: pulls of each arm.
        total: sum of the rewards of each arm.
    """

    count: Float[Array, "*n arm"]
    total: Float[Array, "*n arm"]


class Belief(NamedTuple):
    """Independent normal posteriors of the arms' means."""

    mean: Float[Array, "*n arm"]
    sd: Float[Array, "*n arm"]


Player = Callable[[Seen], Float[Array, "*n arm"]]


def nothing(arms: int, *batch: int) -> Seen:
    """Before the first pull."""
    return Seen(jnp.zeros((*batch, arms)), jnp.zeros((*batch, arms)))


def saw(seen: Seen, arm: Int[Array, "*n"], reward: Float[Array, "*n"]) -> Seen:
    """After one pull more."""
    hit = jax.nn.one_hot(arm, seen.count.shape[-1])
    return Seen(seen.count + hit, seen.total + hit * reward[..., None])


def belief(seen: Seen, noise: Number, spread: Number = 1.0, centre: Number = 0.0) -> Belief:
    """The posterior of the means, under the prior N(centre, spread^2)."""
    precision = 1.0 / spread**2 + seen.count / noise**2
    mean = (centre / spread**2 + seen.total / noise**2) / precision
    return Belief(mean, precision**-0.5)


# -- players: the probability of each arm ---------------------------------------------------------------------------


def thompson(b: Belief, there: Bool[Array, "*#n arm"] | None = None) -> Float[Array, "*n arm"]:
    """How likely each arm is the best one: what Thompson sampling plays.

    In closed form for two arms, by quadrature over the arm's own mean for more.

    Args:
        b: what is believed.
        there: arms that may be played; None: all.
    """
    if there is None and b.mean.shape[-1] == 2:
        z = (b.mean[..., 0] - b.mean[..., 1]) / jnp.sqrt((b.sd**2).sum(-1))
        return jnp.stack([jax.scipy.special.ndtr(z), jax.scipy.special.ndtr(-z)], axis=-1)
    value = b.mean[..., None, :] + b.sd[..., None, :] * _AT[:, None]  # [*n point arm]
    below = jax.scipy.special.ndtr((value[..., None] - b.mean[..., None, None, :]) / b.sd[..., None, None, :])
    itself = jnp.eye(b.mean.shape[-1], dtype=bool)
    ignored = itself if there is None else itself | ~there[..., None, None, :]
    p = jnp.einsum("p,...pa->...a", _WEIGHT, jnp.where(ignored, 1.0, below).prod(axis=-1))
    p = p if there is None else jnp.where(there, p, 0.0)
    return p / p.sum(axis=-1, keepdims=True)


def uniform(b: Belief, there: Bool[Array, "*#n arm"] | None = None) -> Float[Array, "*n arm"]:
    """Every arm alike."""
    may = jnp.ones_like(b.mean) if there is None else jnp.broadcast_to(there, b.mean.shape).astype(b.mean.dtype)
    return may / may.sum(axis=-1, keepdims=True)


def greedy(b: Belief, there: Bool[Array, "*#n arm"] | None = None) -> Float[Array, "*n arm"]:
    """The arm of the highest posterior mean; equal ones share."""
    mean = b.mean if there is None else jnp.where(there, b.mean, -jnp.inf)
    top = (mean >= mean.max(axis=-1, keepdims=True)).astype(b.mean.dtype)
    return top / top.sum(axis=-1, keepdims=True)


def epsilon_greedy(b: Belief, epsilon: Number, there: Bool[Array, "*#n arm"] | None = None) -> Float[Array, "*n arm"]:
    """Greedy, but any arm with probability epsilon."""
    return (1.0 - epsilon) * greedy(b, there) + epsilon * uniform(b, there)


def greedy_after(
    b: Belief, pulls: Float[Array, "*n"] | Number, k: Number, there: Bool[Array, "*#n arm"] | None = None
) -> Float[Array, "*n arm"]:
    """Any arm for the first k pulls, greedy ever after: the overconfident player.

    Args:
        b: what is believed.
        pulls: how many there were.
        k: of them at random.
        there: arms that may be played; None: all.
    """
    early = jnp.asarray(pulls)[..., None] < k
    return jnp.where(early, uniform(b, there), greedy(b, there))


def softmax(b: Belief, temperature: Number, there: Bool[Array, "*#n arm"] | None = None) -> Float[Array, "*n arm"]:
    """Posterior means as log-odds, in units of the temperature."""
    mean = b.mean if there is None else jnp.where(there, b.mean, -jnp.inf)
    return jax.nn.softmax(mean / temperature, axis=-1)


def ucb1(seen: Seen, noise: Number = 1.0) -> Float[Array, "*n arm"]:
    """Every arm once, then the largest mean + noise sqrt(2 log t / n), with t pulls in all; equal ones share."""
    pulls = seen.count.sum(axis=-1, keepdims=True)
    n = jnp.maximum(seen.count, 1.0)
    bound = seen.total / n + noise * jnp.sqrt(2.0 * jnp.log(jnp.maximum(pulls, 1.0)) / n)
    bound = jnp.where(seen.count == 0, jnp.inf, bound)
    top = (bound >= bound.max(axis=-1, keepdims=True)).astype(seen.count.dtype)
    return top / top.sum(axis=-1, keepdims=True)


# -- playing --------------------------------------------------------------------------------------------------------


class Episode(NamedTuple):
    """One game.

    Attributes:
        arm: pulled in each round.
        reward: what it paid.
        p: the player's probabilities before each pull.
        before: what had been seen before each pull.
    """

    arm: Int[Array, "*n round"]
    reward: Float[Array, "*n round"]
    p: Float[Array, "*n round arm"]
    before: Seen


def play(
    player: Player,
    means: Float[Array, "*n arm"],
    noise: Number,
    luck: Float[Array, "round *n"],
    errors: Float[Array, "round *n"],
) -> Episode:
    """Games of a player, one a leading index, with given randomness.

    Args:
        player: what was seen -> probability of each arm.
        means: of the arms.
        noise: standard deviation of rewards.
        luck: uniform in [0, 1): which arm is drawn from the probabilities.
        errors: standard normal: what rewards differ by from their mean, in units of the noise. Players who are given
            the same luck and errors play the same bandit, paired.
    """

    def turn(seen: Seen, now: tuple[Array, Array]) -> tuple[Seen, Episode]:
        u, error = now
        p = player(seen)
        arm = drawn(p, u)
        reward = jnp.take_along_axis(means, arm[..., None], axis=-1)[..., 0] + noise * error
        return saw(seen, arm, reward), Episode(arm, reward, p, seen)

    _, made = jax.lax.scan(turn, nothing(means.shape[-1], *means.shape[:-1]), (luck, errors))
    rounds = means.ndim - 1  # where the axis of rounds goes
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, rounds), made)


def drawn(p: Float[Array, "*n arm"], luck: Float[Array, "*n"]) -> Int[Array, "*n"]:
    """An arm for each number in [0, 1): the first at which the summed probability exceeds it, never one of none."""
    above = jnp.cumsum(p, axis=-1) > luck[..., None] * p.sum(axis=-1, keepdims=True)
    return jnp.argmax(above & (p > 0), axis=-1).astype(jnp.int32)


def random_bandits(
    key: PRNGKeyArray, games: int, arms: int, rounds: int, spread: Number = 1.0
) -> tuple[Float[Array, "game arm"], Float[Array, "round game"], Float[Array, "round game"]]:
    """Means, luck and errors of so many games, for `play`."""
    of_bell, of_luck = jax.random.split(key)
    bell = jax.random.normal(of_bell, (arms + rounds, games))  # one draw: each costs a second of compilation
    return spread * bell[:arms].T, jax.random.uniform(of_luck, (rounds, games)), bell[arms:]


# -- how well it went, and how sure one is --------------------------------------------------------------------------


def entropy(p: Float[Array, "*n arm"]) -> Float[Array, "*n"]:
    """Shannon entropy in bits; what has no probability adds nothing."""
    return jax.scipy.special.entr(p).sum(axis=-1) / jnp.log(2.0)


def best_known(b: Belief, there: Bool[Array, "*#n arm"] | None = None) -> Int[Array, "*n"]:
    """The arm of the highest posterior mean, the first of equal ones."""
    mean = b.mean if there is None else jnp.where(there, b.mean, -jnp.inf)
    return jnp.argmax(mean, axis=-1).astype(jnp.int32)


def confidence(b: Belief, there: Bool[Array, "*#n arm"] | None = None) -> Float[Array, "*n"]:
    """How far the leading arm is above the runner-up, in standard deviations of their difference; 0 or more."""
    mean = b.mean if there is None else jnp.where(there, b.mean, -jnp.inf)
    arms = jnp.arange(mean.shape[-1])
    leads = jnp.argmax(mean, axis=-1)[..., None] == arms
    rest = jnp.where(leads, -jnp.inf, mean)
    follows = jnp.argmax(rest, axis=-1)[..., None] == arms
    variance = jnp.where(leads | follows, b.sd**2, 0.0).sum(axis=-1)
    return (mean.max(axis=-1) - rest.max(axis=-1)) / jnp.sqrt(variance)


def regret(
    means: Float[Array, "*n arm"], arm: Int[Array, "*n round"], there: Bool[Array, "*#n arm"] | None = None
) -> Float[Array, "*n round"]:
    """What pulling the best arm from the start would have paid more up to each round, in expectation."""
    got = jnp.take_along_axis(means, arm, axis=-1)
    best = (means if there is None else jnp.where(there, means, -jnp.inf)).max(axis=-1, keepdims=True)
    return jnp.cumsum(best - got, axis=-1)


def suffix_failure(
    means: Float[Array, "*n arm"], arm: Int[Array, "*n round"], there: Bool[Array, "*#n arm"] | None = None
) -> Bool[Array, "*n"]:
    """Whether the best arm is never pulled in the second half of the rounds (the larger half of an odd number)."""
    best = jnp.argmax(means if there is None else jnp.where(there, means, -jnp.inf), axis=-1)
    return ~(arm[..., arm.shape[-1] // 2 :] == best[..., None]).any(axis=-1)


def committed(p: Float[Array, "*n round arm"], level: float = 0.95) -> Int[Array, "*n"]:
    """The first round from which on one arm, whichever, has more than `level` in each round; the number of rounds if
    there is none. A player may change the arm it is sure of."""
    sure = p.max(axis=-1) > level
    unsure_later = jnp.cumsum((~sure)[..., ::-1], axis=-1)[..., ::-1] > 0
    return unsure_later.sum(axis=-1).astype(jnp.int32)
