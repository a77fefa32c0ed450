"""Where the tangent kernel of two linear layers ends, in closed form.

Let f(x) = w . (W x) learn the map b t (unit vector t) by gradient flow on the squared error over white inputs, from
w = 0 and W = s U V' with r equal singular values s on orthonormal columns. Gradient flow conserves W W' - w w', and it
moves only what the target sees: w stays on one hidden direction u = U V' t / c, with c = |V' t| the part of the target
that lies in V's span. So W = s (U V' - u v') + u p', where v = V V' t / c and the vector p starts at s v, and with
w = a u the network is f = a p. At the end a p = b t, and |p|^2 - a^2 = s^2 gives

    |p|^2 = (s^2 + sqrt(s^4 + 4 b^2)) / 2,        a^2 = |p|^2 - s^2.

The tangent kernel of both layers, as a form, was s^2 V V' and is now s^2 (V V' - v v') + |p|^2 t t' + a^2 1. How far
the two align follows by taking traces. The rank r enters twice, in opposite ways. At equal norm s^2 =
|W|^2 / r is smaller for high rank, so that more has to be built; but of a target in a random direction c^2 = r/d is
seen, and that weighs more.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

__all__ = ["final_alignment", "final_change"]

Number = float | Float[Array, ""]
Count = int | Int[Array, ""]


def _ends(length: Number, rank: Count, demand: Number) -> tuple[Array, Array, Array]:
    """Squares of: a singular value at the start, the grown one at the end, the readout at the end."""
    start = jnp.square(jnp.asarray(length)) / rank
    grown = (start + jnp.sqrt(start**2 + 4.0 * jnp.square(jnp.asarray(demand)))) / 2.0
    return start, grown, grown - start


def final_alignment(length: Number, rank: Count, dim: Count, demand: Number, seen: Number) -> Float[Array, ""]:
    """Alignment of the last tangent kernel with the first.

    Args:
        length: Frobenius norm of the first layer at the start.
        rank: number of its equal singular values.
        dim: inputs.
        demand: length of the map to be learnt.
        seen: c^2, the share of the squared target in the span of the first layer's rows; above 0, for what is blind to
            the target does not learn.
    """
    s, p, a = _ends(length, rank, demand)
    overlap = s * (rank - 1) + p * seen + a * rank
    size = jnp.sqrt((rank - 1) * (s + a) ** 2 + (p + a) ** 2 + (dim - rank) * a**2)
    return overlap / (jnp.sqrt(jnp.asarray(rank, s.dtype)) * size)


def final_change(length: Number, rank: Count, demand: Number, seen: Number) -> Float[Array, ""]:
    """Frobenius norm of the change of the first layer. Arguments as in `final_alignment`."""
    s, p, _ = _ends(length, rank, demand)
    return jnp.sqrt(jnp.maximum(p + s - 2.0 * jnp.sqrt(p * s * seen), 0.0))
