"""What gives skills their meaning: a map phi from what is seen to a latent space, how it learns, and what it pays.

The map and its constraint are METRA's (Park et al. 2024), with what it is compared with: a skill is a direction of the
latent space and is paid for going far along it, or, in DIAYN (Eysenbach et al. 2019), a place of it to be found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.training import announced

from .advantages import Number
from .sac import Layers

__all__ = ["METHODS", "Geometry", "Phi", "Settings", "Told", "circle", "learn", "new", "paid", "slack"]

# `temporal`: METRA. `euclid`: the same with distances as they are seen. `free`: no constraint. `position`: DIAYN.
METHODS = ("temporal", "euclid", "free", "position")
_TEMPORAL, _EUCLID, _FREE, _POSITION = range(4)


class Phi(eqx.Module):
    """From what is seen to a point in the latent space."""

    body: Layers

    def __init__(self, key: PRNGKeyArray, inputs: int, latent: int, widths: Sequence[int]):
        self.body = Layers(key, (inputs, *widths, latent))

    def __call__(self, seen: Float[Array, "batch number"]) -> Float[Array, "batch latent"]:
        return self.body(seen)


class Geometry(eqx.Module):
    """The map, the price of its constraint, and the optimiser's memory.

    Attributes:
        phi: the map.
        log_price: logarithm of lambda, what a unit of the constraint costs.
        memory: the optimiser's.
    """

    phi: Phi
    log_price: Float[Array, ""]
    memory: optax.OptState


class Settings(NamedTuple):
    """How the map learns.

    Attributes:
        method: index into `METHODS`.
        rate: learning rate of the map.
        price_rate: learning rate of the price.
        give: most that slack in the constraint is worth.
    """

    method: Int[Array, ""]
    rate: Number
    price_rate: Number
    give: Number


class Told(NamedTuple):
    """What the map learns from.

    Attributes:
        seen: before an action, as networks see it.
        after: seen after it.
        skill: that was played.
        moved: how far the body went, in what it sees as it is: squared.
    """

    seen: Float[Array, "batch number"]
    after: Float[Array, "batch number"]
    skill: Float[Array, "batch latent"]
    moved: Float[Array, "batch"]


def new(key: PRNGKeyArray, inputs: int, latent: int, widths: Sequence[int], price: Number) -> Geometry:
    """A map that has not learnt anything."""
    phi, log_price = Phi(key, inputs, latent, widths), jnp.log(jnp.asarray(price, jnp.float32))
    return Geometry(phi, log_price, optax.scale_by_adam().init(_learnt(phi, log_price)))


def _learnt(phi: Phi, log_price: Float[Array, ""]) -> PyTree[Array]:
    return {"phi": eqx.filter(phi, eqx.is_inexact_array), "log_price": log_price}


def paid(phi: Phi, told: Told, method: Int[Array, ""]) -> Float[Array, "batch"]:
    """The reward: how far a step leads along the skill, or how well the skill can be told from where it leads.

    For `position` it is the log-density of the skill under a normal distribution around phi(s'), without its constant.
    """
    after = el.site("after", phi(told.after))
    along = jnp.sum((after - el.site("before", phi(told.seen))) * told.skill, -1)
    density = -0.5 * jnp.sum((after - told.skill) ** 2, -1)
    return el.site("paid", jnp.where(method == _POSITION, density, along))


def slack(step: Float[Array, "batch latent"], moved: Float[Array, "batch"], method: Int[Array, ""]) -> Array:
    """What is left of the constraint: the squared distance allowed minus the mean square of phi's step.

    A step in time is 1 long (`temporal`), or as long as what is seen has changed (`euclid`). The mean over the latent
    numbers is the authors' code; their text has the sum.
    """
    allowed = jnp.where(method == _EUCLID, moved, 1.0)
    return allowed - jnp.mean(step**2, -1)


def learn(geometry: Geometry, told: Told, settings: Settings) -> tuple[Geometry, Float[Array, ""]]:
    """One gradient step of the map and its price.

    Returns:
        The geometry afterwards, and the mean slack.
    """
    rest = eqx.filter(geometry.phi, eqx.is_inexact_array, inverse=True)
    method = settings.method
    bound = (method == _TEMPORAL) | (method == _EUCLID)

    def loss(weights: PyTree) -> tuple[Array, Array]:
        phi = eqx.combine(weights["phi"], rest)
        step = phi(told.after) - phi(told.seen)
        left = jnp.minimum(slack(step, told.moved, method), settings.give)
        price = jnp.exp(weights["log_price"])
        gain = jnp.mean(paid(phi, told, method)) + jnp.where(bound, jax.lax.stop_gradient(price) * jnp.mean(left), 0.0)
        # Dual descent: the price rises while the constraint is violated.
        dual = jnp.where(bound, weights["log_price"] * jax.lax.stop_gradient(jnp.mean(left)), 0.0)
        return dual - gain, jnp.mean(left)

    weights = _learnt(geometry.phi, geometry.log_price)
    gradient, left = el.site_grad(loss, has_aux=True)(weights)
    gradient = announced("grad", gradient)
    direction, memory = optax.scale_by_adam().update(gradient, geometry.memory, weights)
    rates = {"phi": settings.rate, "log_price": settings.price_rate}
    update = announced(
        "update",
        {name: jax.tree.map(lambda d, r=rates[name]: (-r * d).astype(d.dtype), direction[name]) for name in rates},
    )
    weights = optax.apply_updates(weights, update)
    return Geometry(eqx.combine(weights["phi"], rest), weights["log_price"], memory), left


def circle(count: int) -> Float[Array, "skill 2"]:
    """Skills at equal angles."""
    angle = 2 * math.pi * jnp.arange(count) / count
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)
