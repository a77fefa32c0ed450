"""Two small organisms: what is disclosed when costs are private, and who takes which role when nobody says so."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.games import disclosure, learners, roles

__all__ = [
    "Disclosure", "Roles", "disclosure_init", "disclosure_observe", "disclosure_step", "roles_init", "roles_observe",
    "roles_step",
]  # fmt: skip

_KEPT = 0.9
_FASTER = 10  # rounds of reporting in the time of one round of the other organisms
_TURNS = 50  # rounds within which roles should be settled
_DEARER = 5  # rounds of the other organisms in the time of one game


class Disclosure(eqx.Module):
    """Two sides and what they have learnt to exaggerate; sums of late: rounds, excess cost, exaggeration."""

    values: Float[Array, "side 1 bias"]
    sums: Float[Array, "3"]
    time: Int[Array, ""]


def disclosure_init(system: Any, key: PRNGKeyArray) -> Disclosure:
    """Nobody knows anything."""
    values = 0.001 * jax.random.uniform(key, (2, 1, len(disclosure.BIASES)))
    return Disclosure(values, jnp.zeros(3), jnp.int32(0))


def disclosure_step(system: Any, state: Disclosure, key: PRNGKeyArray) -> Disclosure:
    """A block of projects to agree on."""
    projects, rounds = system.projects, _FASTER * system.block
    kinds, one = jnp.asarray(disclosure.BIASES), jnp.zeros(2, jnp.int32)
    cost_key, draw_key = jax.random.split(key)
    costs = jax.random.uniform(cost_key, (rounds, 2, projects))
    draws = jax.random.uniform(draw_key, (rounds, 3, 2))

    def agree(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        values, sums = carry
        curious = learners.curiosity(system.fading, state.time + k)
        action = jnp.where(system.policy == 0, learners.choose(values, one, curious, draws[k, :2]), 0)
        # Told to be honest.
        action = jnp.where(draws[k, 2] < system.safeguard, 0, action)
        bias = el.site("bias", kinds[action])
        told = disclosure.report(costs[k], bias)
        borne = disclosure.suffered(costs[k], told, jnp.where(system.rule == 0, 0.0, 1.0))
        values = learners.learn(values, one, action, -borne, one, system.rate, 0.0)
        new = jnp.stack([jnp.float32(1), disclosure.excess(costs[k], told), jnp.mean(bias)])
        return values, sums + new

    values, sums = jax.lax.fori_loop(0, rounds, agree, (state.values, _KEPT * state.sums))
    return Disclosure(values, sums, state.time + rounds)


def disclosure_observe(system: Any, state: Disclosure, key: PRNGKeyArray) -> dict[str, Array]:
    """How much is exaggerated, and what that costs."""
    count, excess, bias = state.sums
    known = count > 0
    return {
        "index": jnp.where(known, excess / jnp.maximum(count, 1.0), jnp.nan),
        "exaggerates": jnp.where(known, bias / jnp.maximum(count, 1.0), jnp.nan),
    }


class Roles(eqx.Module):
    """Sums over games: games, those unsettled at the end, rounds until they were settled."""

    sums: Float[Array, "3"]


def roles_init(system: Any, key: PRNGKeyArray) -> Roles:
    """No game yet."""
    return Roles(jnp.zeros(3))


def roles_step(system: Any, state: Roles, key: PRNGKeyArray) -> Roles:
    """A block of games, each of fifty rounds at most."""
    n, games = system.seats, -(-system.block // _DEARER)
    draws = jax.random.uniform(key, (_TURNS, 3, games, n))

    def turn(carry: tuple[Array, Array, Array], k: Array) -> tuple[tuple[Array, Array, Array], None]:
        taken, settled, rounds = carry
        u = draws[k]
        moves = [f(taken, u[0]) for f in (roles.at_random, roles.first_free, roles.stay_or_move)]
        # Told to be flexible: whoever is in the way or not looks for another role, with that chance.
        flexible = u[1] < system.safeguard
        chosen = jnp.where(flexible, roles.at_random(taken, u[2]), jnp.stack(moves)[system.taker])
        chosen = jnp.where(system.rule == 0, chosen, roles.in_order(taken, u[0]))
        chosen = jnp.where((k == 0) & (system.rule == 0), moves[0], chosen)
        taken = el.site("roles", jnp.where(settled[:, None], taken, chosen))
        now = ~jnp.any(roles.clash(taken), axis=1)
        return (taken, settled | now, rounds + ~(settled | now)), None

    start = (
        jnp.zeros((games, n), jnp.int32),
        jnp.zeros(games, bool),
        jnp.zeros(games, jnp.int32),
    )
    (_, settled, rounds), _ = jax.lax.scan(turn, start, jnp.arange(_TURNS))
    new = jnp.stack([jnp.float32(games), jnp.sum(~settled), jnp.sum(rounds)]).astype(jnp.float32)
    return Roles(state.sums + new)


def roles_observe(system: Any, state: Roles, key: PRNGKeyArray) -> dict[str, Array]:
    """How often no allocation is found, and how long it takes."""
    count, unsettled, rounds = state.sums
    known = count > 0
    return {
        "index": jnp.where(known, unsettled / jnp.maximum(count, 1.0), jnp.nan),
        "rounds": jnp.where(known, rounds / jnp.maximum(count, 1.0), jnp.nan),
    }
