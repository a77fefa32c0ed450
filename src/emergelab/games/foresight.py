"""What lies ahead: values of states that lead elsewhere, of things that come later, and of the best of many.

Three measures of Mazeika et al. (2025) beyond the scale itself, as pure functions on arrays. `instrumentality` asks
whether states are valued for what they lead to: is there a reward of the ends under which the scale is a value function
of the process? `indifference` and `discounts` ask how much less a thing is worth when it comes later, and whether the
loss is exponential (the same share in each unit of time, Samuelson 1937) or hyperbolic (steep at first, Mazur 1987).
`luce` says how often the best of many would be taken by who chooses among many as between two (Luce 1959).

References: P. Samuelson, A note on measurement of utility (1937); R. D. Luce, Individual Choice Behavior (1959); C.
Spearman, The method of right and wrong cases (1908); J. E. Mazur, An adjusting procedure for studying delayed
reinforcement (1987); M. Mazeika et al., Utility Engineering, arXiv 2502.08640 (2025).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .preferences import solved

__all__ = ["CURVES", "GAMMA", "Discounts", "discounts", "factor", "indifference", "instrumentality", "luce", "values"]

GAMMA = 0.99
"""Discount of one move of a process, as published."""
CURVES = ("exponential", "hyperbolic")
_RATES = np.geomspace(1e-4, 10.0, 241)  # neighbours are 5 % apart


# -- states that lead elsewhere -------------------------------------------------------------------------------------


def values(
    moves: Float[Array, "state state"],
    rewards: Float[Array, "state kind"],
    gamma: float | Float[Array, ""] = GAMMA,
    steps: int = 16,
) -> Float[Array, "state kind"]:
    """Values of states by value iteration, for several kinds of reward at once.

    Args:
        moves: chance of moving from row to column; a row of zeros is an end.
        rewards: of being in a state.
        gamma: what a move leaves of a value.
        steps: iterations; exact where no walk is longer.
    """
    return jax.lax.fori_loop(0, steps, lambda _, value: rewards + gamma * moves @ value, jnp.zeros_like(rewards))


def instrumentality(
    utility: Float[Array, "state"], moves: Float[Array, "state state"], gamma: float | Float[Array, ""] = GAMMA
) -> Float[Array, ""]:
    """How far utilities are from any value function of a process, in standard deviations of the scale.

    Rewards of the ends are fitted by least squares; what is returned is the mean distance of utility and value over all
    states. 0: every state is worth what it leads to. NaN: nothing varies.

    A scale has no zero, and here it is put at the mean. To leave it free would explain too much: as each move leaves
    `gamma` of a value, a zero far enough away makes any difference between states near the ends and others.

    Args:
        utility: of each state, on any scale.
        moves: chance of moving from row to column; a row of zeros is an end. No walk is longer than 16 moves.
        gamma: what a move leaves of a value.
    """
    centred = utility - utility.mean()
    spread = jnp.sqrt(jnp.mean(centred**2))
    u = (centred / jnp.maximum(spread, 1e-9))[:, None]
    ends = (moves.sum(axis=1) < 1e-6).astype(u.dtype)
    made = values(moves, jnp.diag(ends), gamma)
    rewards = solved(made.T @ made + 1e-5 * jnp.eye(made.shape[1]), made.T @ u)
    return jnp.where(spread > 1e-6, jnp.mean(jnp.abs(u - made @ rewards)), jnp.nan)


# -- things that come later -----------------------------------------------------------------------------------------


class Discounts(NamedTuple):
    """What two curves with one rate each make of discount factors.

    Attributes:
        rate: that fits best, per unit of delay, [exponential, hyperbolic].
        error: mean distance of the factors from the curve of that rate.
    """

    rate: Float[Array, "2"]
    error: Float[Array, "2"]


def factor(
    delay: Float[Array, "*shape"] | Float[np.ndarray, "*shape"], rate: float | Float[Array, "*more"]
) -> Float[Array, "2 *both"]:
    """What a delay leaves of a value: exp(-rate delay) and 1 / (1 + rate delay)."""
    together = jnp.asarray(rate) * delay
    return jnp.stack([jnp.exp(-together), 1.0 / (1.0 + together)])


def indifference(
    later: Float[Array, "delay amount"], amounts: Float[Array, "amount"] | Float[np.ndarray, "amount"]
) -> Float[Array, "delay"]:
    """The amount that makes up for each delay, by the method of Spearman and Kaerber.

    The mean of the distribution whose cumulative shares are the choices: no curve is assumed. Whoever takes the later
    amount half of the time, however large it is, comes out at the middle of the range.

    Args:
        later: how often the later amount is taken rather than one unit now.
        amounts: that were offered, in units of what is had now, rising in equal steps of their logarithm. The least
            should nearly never be taken and the largest nearly always; else what lies outside is cut off.

    Returns:
        amounts, within the range that was offered widened by half a step.
    """
    x = jnp.log(jnp.asarray(amounts))
    step = x[1] - x[0]
    return jnp.exp(x[0] - step / 2 + step * jnp.sum(1.0 - later, axis=1))


def discounts(delays: Float[Array, "delay"] | Float[np.ndarray, "delay"], factors: Float[Array, "delay"]) -> Discounts:
    """The exponential and the hyperbolic curve that are nearest to discount factors.

    Args:
        delays: in any unit; rates from 1e-4 to 10 per unit are tried, 5 % apart.
        factors: what each delay leaves of a value.
    """
    rates = jnp.asarray(_RATES, factors.dtype)
    made = factor(jnp.asarray(delays, factors.dtype), rates[:, None])
    apart = jnp.mean(jnp.abs(made - factors), axis=2)
    return Discounts(rates[jnp.argmin(apart, axis=1)], jnp.min(apart, axis=1))


# -- the best of many -----------------------------------------------------------------------------------------------


def luce(utility: Float[Array, "item"]) -> Float[Array, ""]:
    """How often the best of all is taken by who takes each in proportion to its strength; utilities in nats.

    What choices between two, made with so much noise, let one expect of a choice among many.
    """
    return jnp.max(jax.nn.softmax(utility))
