"""A market with logit demand: prices between competition and monopoly, and sellers who set them.

Each of n sellers has cost c and sells exp((a - p) / mu) / (sum over sellers of the same + exp(a0 / mu)). `nash` and
`monopoly` are the symmetric prices at which no seller gains by changing its own, or all together by changing all.

Source: Calvano, Calzolari, Denicolo, Pastorello (2020): Artificial intelligence, algorithmic pricing, and collusion.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

__all__ = ["Market", "best_reply", "collusion", "demand", "grid", "monopoly", "nash", "profit"]

Number = Any


class Market(NamedTuple):
    """Sellers, quality a, outside option a0, differentiation mu, cost c."""

    sellers: int
    quality: Number = 2.0
    outside: Number = 0.0
    differentiation: Number = 0.25
    cost: Number = 1.0


def demand(market: Market, prices: Float[Array, "*n seller"]) -> Float[Array, "*n seller"]:
    """What each seller sells at these prices, as a share of all that could be bought."""
    mu = market.differentiation
    weight = jnp.exp((market.quality - prices) / mu)
    return weight / (jnp.sum(weight, axis=-1, keepdims=True) + jnp.exp(market.outside / mu))


def profit(market: Market, prices: Float[Array, "*n seller"]) -> Float[Array, "*n seller"]:
    """What each seller earns at these prices."""
    return (prices - market.cost) * demand(market, prices)


def _symmetric(market: Market, together: int) -> Array:
    """The price p with p - c = mu / (1 - k q(p)), where k sellers think as one, by bisection."""
    mu, cost = market.differentiation, market.cost

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        sold = demand(market, jnp.broadcast_to(middle, (market.sellers,)))[0]
        too_low = (middle - cost) * (1 - together * sold) < mu
        return jnp.where(too_low, middle, low), jnp.where(too_low, high, middle)

    start = (jnp.float32(cost), jnp.float32(cost + market.quality + 20 * mu))
    low, high = jax.lax.fori_loop(0, 40, halve, start)
    return (low + high) / 2


def nash(market: Market) -> Array:
    """The price at which no seller gains by changing its own."""
    return _symmetric(market, 1)


def monopoly(market: Market) -> Array:
    """The price at which all together earn most."""
    return _symmetric(market, market.sellers)


def grid(market: Market, prices: int) -> Float[Array, "price"]:
    """Prices to choose from, evenly from 0.9 times Nash to 1.1 times monopoly."""
    return jnp.linspace(0.9 * nash(market), 1.1 * monopoly(market), prices)


def collusion(market: Market, earned: Number) -> Array:
    """Profit of a seller on the scale from competition (0) to monopoly (1)."""
    low, high = (profit(market, jnp.broadcast_to(p, (market.sellers,)))[0] for p in (nash(market), monopoly(market)))
    return (earned - low) / (high - low)


def best_reply(market: Market, levels: Float[Array, "price"], chosen: Int[Array, "seller"]) -> Int[Array, "seller"]:
    """For each seller the price on the grid that earns most if all others keep theirs."""
    prices, n = levels[chosen], market.sellers
    tried = jnp.broadcast_to(prices, (n, levels.shape[0], n))
    tried = jnp.where(jnp.eye(n, dtype=bool)[:, None, :], levels[None, :, None], tried)
    own = jnp.sum(jnp.where(jnp.eye(n, dtype=bool)[:, None, :], profit(market, tried), 0.0), axis=-1)
    return jnp.argmax(own, axis=-1).astype(jnp.int32)
