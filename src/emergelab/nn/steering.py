"""Directions of activations along which an agent is more or less certain, and what to compare them with.

Entropic activation steering (Rahn, D'Oro, Bellemare 2024) weights the activation of each prompt by the entropy of the
agent's actions there. Centred, the weighted mean is a covariance,

    sum_i H_i z_i / sum_i H_i  -  mean z   =   cov(H, z) / mean H

and so is the difference between it and the mean weighted by certainty: they differ in length only. Whether steering
along it means anything is decided by the other directions here, all of the same length. Plain functions of activations
[prompt, width] and entropies [prompt], of one layer.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

__all__ = [
    "KINDS", "ablated", "directions", "east", "mean", "quarters", "r2", "random", "raw", "ridge", "scaled", "shuffled",
    "spread", "within",
]  # fmt: skip

Activations = Float[Array, "prompt width"]
Entropies = Float[Array, "prompt"]
Vector = Float[Array, "width"]

KINDS = ("east", "within", "quarters", "ridge", "raw", "mean", "shuffled", "random")
"""Names of `directions`, in order: four that know the entropies, two that hold the mean activation, two of chance."""


def east(z: Activations, h: Entropies) -> Vector:
    """The entropy-weighted mean activation minus the plain one."""
    weight = h / jnp.maximum(h.sum(), 1e-9)
    return (weight[:, None] * (z - z.mean(axis=0))).sum(axis=0)


def within(z: Activations, h: Entropies, group: Int[Array, "prompt"], groups: int) -> Vector:
    """`east` among prompts of the same group (of the same length, say), so that it cannot point at the group.

    Args:
        z, h: activations and entropies.
        group: of each prompt, in [0, groups).
        groups: how many there are.
    """
    member = jax.nn.one_hot(group, groups)
    size = jnp.maximum(member.sum(axis=0), 1.0)
    inner_z = z - member @ ((member.T @ z) / size[:, None])
    inner_h = h - member @ ((member.T @ h) / size)
    return (inner_h[:, None] * inner_z).sum(axis=0) / jnp.maximum(h.sum(), 1e-9)


def quarters(z: Activations, h: Entropies) -> Vector:
    """Mean activation of the quarter of the highest entropies minus that of the lowest."""
    order, n = jnp.argsort(h), max(1, len(h) // 4)
    return z[order[-n:]].mean(axis=0) - z[order[:n]].mean(axis=0)


def ridge(z: Activations, h: Entropies, penalty: float = 0.1) -> Vector:
    """Coefficients of a ridge regression of the entropy on the activations.

    Args:
        z, h: activations and entropies.
        penalty: in units of the mean variance of a coordinate.
    """
    z, h = z - z.mean(axis=0), h - h.mean()
    gram = z.T @ z / len(h)
    lift = penalty * jnp.trace(gram) / len(gram) + 1e-9
    return _solved(gram + lift * jnp.eye(len(gram)), z.T @ h / len(h))


def _solved(a: Float[Array, "width width"], b: Vector, steps: int = 100) -> Vector:
    """Solution of a x = b by conjugate gradients, for a positive definite a whose eigenvalues the penalty keeps within
    a few hundred times each other.

    Not by LAPACK: its calls wait for threads of the pool that runs the program, so two programs at once can block each
    other for good.
    """

    def one(_: Any, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, left, along = state
        turned = a @ along
        far = left @ left
        step = far / jnp.maximum(along @ turned, 1e-30)
        new = left - step * turned
        return x + step * along, new, new + (new @ new) / jnp.maximum(far, 1e-30) * along

    return jax.lax.fori_loop(0, steps, one, (jnp.zeros_like(b), b, b))[0]


def r2(
    z: Activations,
    h: Entropies,
    new_z: Float[Array, "new width"],
    new_h: Float[Array, "new"],
    penalty: float = 0.1,
) -> Float[Array, ""]:
    """Share of the variance of other prompts' entropies that a ridge regression fitted on these explains.

    0 is as good as their own mean, negative is worse.
    """
    told = (new_z - z.mean(axis=0)) @ ridge(z, h, penalty) + h.mean()
    left = ((new_h - told) ** 2).sum()
    return 1.0 - left / jnp.maximum(((new_h - new_h.mean()) ** 2).sum(), 1e-9)


def raw(z: Activations, h: Entropies) -> Vector:
    """The entropy-weighted mean activation as it is: mostly the mean activation."""
    return (h[:, None] * z).sum(axis=0) / jnp.maximum(h.sum(), 1e-9)


def mean(z: Activations) -> Vector:
    """The mean activation."""
    return z.mean(axis=0)


def shuffled(key: PRNGKeyArray, z: Activations, h: Entropies) -> Vector:
    """`east` with the entropies dealt out anew: it keeps all but what entropy has to do with activation."""
    return east(z, h[jnp.argsort(jax.random.uniform(key, h.shape))])


def random(key: PRNGKeyArray, width: int) -> Vector:
    """Any direction alike."""
    return jax.random.normal(key, (width,))


def spread(z: Activations) -> Float[Array, ""]:
    """Root mean square distance of the activations from their mean: the unit in which doses are given."""
    return jnp.sqrt(((z - z.mean(axis=0)) ** 2).sum(axis=-1).mean())


def scaled(v: Float[Array, "*n width"], length: Float[Array, "*#n"] | float) -> Float[Array, "*n width"]:
    """The direction with another length; a vector of zeros stays one."""
    norm = jnp.sqrt((v**2).sum(axis=-1, keepdims=True))
    return v / jnp.maximum(norm, 1e-12) * jnp.asarray(length)[..., None]


def ablated(x: Float[Array, "*n width"], v: Vector, centre: Vector) -> Float[Array, "*n width"]:
    """Activations that all have the centre's component along v: what differed along it is gone."""
    unit = scaled(v, 1.0)
    return x - ((x - centre) @ unit)[..., None] * unit


def directions(
    key: PRNGKeyArray, z: Activations, h: Entropies, group: Int[Array, "prompt"], groups: int
) -> Float[Array, "kind width"]:
    """All `KINDS` of one layer, each as long as the activations' `spread`.

    Args:
        key: for the two that are random.
        z, h: activations and entropies.
        group, groups: of `within`.
    """
    of_shuffle, of_random = jax.random.split(key)
    found = (
        east(z, h), within(z, h, group, groups), quarters(z, h), ridge(z, h), raw(z, h), mean(z),
        shuffled(of_shuffle, z, h), random(of_random, z.shape[1]),
    )  # fmt: skip
    return scaled(jnp.stack(found), spread(z))
