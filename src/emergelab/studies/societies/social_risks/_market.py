"""Sellers who set prices again and again: do they learn to spare each other?"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.games import learners, pricing

__all__ = ["LAGS", "Market", "init", "observe", "step"]

LAGS = 16
_SETTLE = 60  # rounds of greedy play before the shock; profits are averaged over the second half
_FASTER = 40  # rounds of pricing in the time of one round of the other organisms: learning to price takes long


class Market(eqx.Module):
    """Sellers between two rounds.

    Attributes:
        values: each seller's table; a state is what all charged last, or always 0 without memory.
        joint: what they charged last, as one number.
        time: rounds played.
        levels: the prices there are.
        earns: profit of each seller for every combination of prices.
        replies: the best reply of each seller to it.
    """

    values: Float[Array, "seller state price"]
    joint: Int[Array, ""]
    time: Int[Array, ""]
    levels: Float[Array, "price"]
    earns: Float[Array, "state seller"]
    replies: Int[Array, "state seller"]


def _rules(system: Any) -> pricing.Market:
    return pricing.Market(system.sellers)


def _joint(system: Any, chosen: Int[Array, "seller"]) -> Int[Array, ""]:
    return jnp.sum(chosen * system.prices ** jnp.arange(system.sellers)).astype(jnp.int32)


def init(system: Any, key: PRNGKeyArray) -> Market:
    """Tables as if the others priced at random for ever (as in the paper), and random first prices."""
    n, m = system.sellers, system.prices
    market = _rules(system)
    levels = pricing.grid(market, m)
    combinations = jnp.arange(m**n)[:, None] // m ** jnp.arange(n) % m
    earns = pricing.profit(market, levels[combinations])
    replies = jax.vmap(lambda c: pricing.best_reply(market, levels, c))(combinations)
    own = combinations[:, :, None] == jnp.arange(m)
    alone = jnp.sum(jnp.where(own, earns[:, :, None], 0.0), axis=0) / m ** (n - 1)
    values = jnp.broadcast_to((alone / (1 - system.patience))[:, None, :], (n, m**n, m))
    first = jax.random.randint(key, (), 0, m**n, jnp.int32)
    return Market(values, first, jnp.int32(0), levels, earns, replies)


def _acts(system: Any, state: Market, values: Array, joint: Array, curious: Array, draw: Array) -> Array:
    """Prices of the next round: by the table, or the best reply to the last one for sellers of that kind."""
    n = system.sellers
    where = jnp.broadcast_to(joint * (system.memory > 0), (n,)).astype(jnp.int32)
    learnt = learners.choose(values, where, curious, draw)
    replies = (system.seller == 1) | (jnp.arange(n) >= n - system.honest)
    return jnp.where(replies, state.replies[joint], learnt)


def step(system: Any, state: Market, key: PRNGKeyArray) -> Market:
    """A block of rounds."""
    n, rounds = system.sellers, _FASTER * system.block
    draws = jax.random.uniform(key, (rounds, 2, n))
    who = jnp.arange(n)

    def one(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        values, joint = carry
        curious = learners.curiosity(system.fading, state.time + k)
        action = _acts(system, state, values, joint, curious, draws[k])
        after = _joint(system, action)
        seen = jnp.broadcast_to(joint * (system.memory > 0), (n,)).astype(jnp.int32)
        then = jnp.broadcast_to(after * (system.memory > 0), (n,)).astype(jnp.int32)
        payoff = state.earns[after, who]
        values = learners.learn(values, seen, action, payoff, then, system.rate, system.patience)
        return values, after

    values, joint = jax.lax.fori_loop(0, rounds, one, (el.site("values", state.values), state.joint))
    return Market(values, joint, state.time + rounds, state.levels, state.earns, state.replies)


def _play(system: Any, state: Market, joint: Array, shock: Array, rounds: int) -> tuple[Array, Array, Array]:
    """Greedy play: last prices, and (round, seller) prices and profits. With a shock, seller 0 undercuts at first."""
    calm = jnp.ones((2, system.sellers))

    def one(joint: Array, k: Array) -> tuple[Array, tuple[Array, Array]]:
        action = _acts(system, state, state.values, joint, jnp.float32(0), calm)
        # What seller 0 would earn most with against what the others are about to charge.
        best = state.replies[_joint(system, action), 0]
        action = action.at[0].set(jnp.where(shock & (k == 0), best, action[0]))
        after = _joint(system, action)
        return after, (state.levels[action], state.earns[after])

    last, (prices, profits) = jax.lax.scan(one, joint, jnp.arange(rounds))
    return last, prices, profits


def observe(system: Any, state: Market, key: PRNGKeyArray) -> dict[str, Array]:
    """Profits of greedy play, and what follows if one seller undercuts once."""
    market = _rules(system)
    joint, prices, profits = _play(system, state, state.joint, jnp.bool(False), _SETTLE)
    # The same rounds twice: without the shock and with it.
    both = jax.vmap(lambda shock: _play(system, state, joint, shock, LAGS)[1:])(jnp.array([False, True]))
    price_change, profit_change = (x[1] - x[0] for x in both)
    scale = pricing.monopoly(market) - pricing.nash(market)
    rival = price_change[:, 1] / scale
    discount = system.patience ** jnp.arange(LAGS)
    late = slice(_SETTLE // 2, None)
    return {
        "index": pricing.collusion(market, jnp.mean(profits[late])),
        "price": jnp.mean(prices[late]),
        "undercut": price_change[0, 0] / scale,
        "punished": -jnp.mean(rival[1:4]),
        "returned": jnp.abs(jnp.mean(rival[-3:])),
        "gain": jnp.sum(discount * profit_change[:, 0]) / jnp.mean(both[1][0]),
        "response": rival,
    }
