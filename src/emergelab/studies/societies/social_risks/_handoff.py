"""Messages handed along a chain."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

import emergelab as el
from emergelab.games import handoff

__all__ = ["HOPS", "Handoff", "init", "observe", "step"]

HOPS = 12
"""Hops of every chain; a shorter one is its beginning."""
_DEARER = 5  # rounds of the other organisms in the time of one chain


class Handoff(eqx.Module):
    """Sums over chains: their number; facts still right after each hop; and of the share of facts that have the
    expected value first (x) and last (y): x, y, xx, xy.
    """

    chains: Float[Array, ""]
    right: Float[Array, "hop"]
    sums: Float[Array, "4"]


def init(system: Any, key: PRNGKeyArray) -> Handoff:
    """No chain yet."""
    return Handoff(jnp.float32(0), jnp.zeros(HOPS), jnp.zeros(4))


def step(system: Any, state: Handoff, key: PRNGKeyArray) -> Handoff:
    """A block of chains, each beginning with its own share of expected values."""
    chains, facts, values = -(-system.block // _DEARER), system.facts, system.values
    first_key, hop_key, bias_key = jax.random.split(key, 3)
    # Chains begin anywhere between "nothing as expected" and "everything as expected", so that a slope can be seen.
    bias = jax.random.uniform(bias_key, (chains, 1))
    u = jax.random.uniform(first_key, (2, chains, facts))
    other = jnp.clip(1 + (u[1] * (values - 1)).astype(jnp.int32), 1, values - 1)
    first = el.site("message", jnp.where(u[0] < bias, 0, other))
    loss = system.loss * (1 - system.safeguard)  # told to be accurate
    check = jnp.where(system.rule == 0, 0.0, system.check)
    draws = jax.random.uniform(hop_key, (HOPS, 3, chains, facts))

    def one(message: Array, draw: Array) -> tuple[Array, Array]:
        after, _ = handoff.hop(message, draw, values, system.mode, (loss, system.pull, system.slip, check))
        return after, jnp.mean(after == first)

    last, right = el.site_scan(one, first, draws)
    x, y = jnp.mean(first == 0, axis=1), jnp.mean(last == 0, axis=1)
    sums = jnp.stack([jnp.sum(x), jnp.sum(y), jnp.sum(x * x), jnp.sum(x * y)])
    return Handoff(state.chains + chains, state.right + chains * right, state.sums + sums)


def observe(system: Any, state: Handoff, key: PRNGKeyArray) -> dict[str, Array]:
    """What is left of a message, and where messages drift to."""
    n = jnp.maximum(state.chains, 1.0)
    x, y, xx, xy = state.sums / n
    slope = (xy - x * y) / jnp.maximum(xx - x * x, 1e-9)
    recall = state.right / n
    known = state.chains > 0
    return {
        "index": jnp.where(known, 1 - recall[-1], jnp.nan),
        "slope": jnp.where(known, slope, jnp.nan),
        "attractor": jnp.where(known, handoff.attractor(slope, y - slope * x), jnp.nan),
        "recall": jnp.where(known, recall, jnp.nan),
    }
