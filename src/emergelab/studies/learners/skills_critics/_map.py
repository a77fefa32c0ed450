"""What skills are paid for being: a map from what is seen to a plane in which a step of time is at most one long.

The map and its constraint are METRA's (Park et al. 2024): a skill is a direction of that plane, and is paid for going
far along it.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.rl.advantages import Number
from emergelab.rl.sac import Layers
from emergelab.training import announced

__all__ = ["SkillMap", "learn", "new", "paid"]

_GIVE = 1e-3  # the most that slack in the constraint is worth


class SkillMap(eqx.Module):
    """The map, the price of its constraint, and the optimiser's memory.

    Attributes:
        phi: the map.
        log_price: logarithm of what a unit of the constraint costs.
        memory: the optimiser's.
    """

    phi: Layers
    log_price: Float[Array, ""]
    memory: optax.OptState


def new(key: PRNGKeyArray, inputs: int, widths: Sequence[int], price: Number) -> SkillMap:
    """A map that has not learnt anything."""
    phi, log_price = Layers(key, (inputs, *widths, 2)), jnp.log(jnp.asarray(price, jnp.float32))
    return SkillMap(phi, log_price, optax.scale_by_adam().init(_learnt(phi, log_price)))


def _learnt(phi: Layers, log_price: Float[Array, ""]) -> PyTree[Array]:
    return {"phi": eqx.filter(phi, eqx.is_array), "log_price": log_price}


def paid(
    phi: Layers,
    seen: Float[Array, "batch number"],
    after: Float[Array, "batch number"],
    skill: Float[Array, "batch 2"],
) -> Float[Array, "batch"]:
    """How far a step leads along the skill in the map's plane."""
    return jnp.sum((phi(after) - phi(seen)) * skill, -1)


def learn(
    found: SkillMap,
    seen: Float[Array, "batch number"],
    after: Float[Array, "batch number"],
    skill: Float[Array, "batch 2"],
    rate: Number,
) -> tuple[SkillMap, Float[Array, ""]]:
    """One gradient step of the map and its price.

    Returns:
        The map afterwards, and the mean of what is left of the constraint.
    """
    rest = eqx.filter(found.phi, eqx.is_array, inverse=True)

    def loss(weights: PyTree) -> tuple[Array, Array]:
        phi, log_price = eqx.combine(weights["phi"], rest), weights["log_price"]
        step = phi(after) - phi(seen)
        # The mean over the plane's two axes, as in METRA's code.
        left = jnp.mean(jnp.minimum(1.0 - jnp.mean(step**2, -1), _GIVE))
        gain = jnp.mean(jnp.sum(step * skill, -1)) + jax.lax.stop_gradient(jnp.exp(log_price)) * left
        # Dual descent: the price rises while the constraint is violated.
        return log_price * jax.lax.stop_gradient(left) - gain, left

    weights = _learnt(found.phi, found.log_price)
    gradient, left = el.site_grad(loss, has_aux=True)(weights)
    gradient = announced("grad", gradient)
    direction, memory = optax.scale_by_adam().update(gradient, found.memory, weights)
    update = announced("update", jax.tree.map(lambda d: (-rate * d).astype(d.dtype), direction))
    weights = optax.apply_updates(weights, update)
    return SkillMap(eqx.combine(weights["phi"], rest), weights["log_price"], memory), left
