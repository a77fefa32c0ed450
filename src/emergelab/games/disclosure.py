"""Two who have to agree on a project, each knowing its own costs only: what they report, and what that does.

Each project costs each of the two a private amount, uniform on [0, 1]. The project with the least sum of reported costs
is carried out, and each bears its own true cost of it. A report exaggerates: 1/2 + (1 + b) (cost - 1/2), cut to [0, 1].
With Clarke's transfer each also pays what its report costs the other, and truth is a dominant strategy.

Sources: Clarke (1971); Groves (1973).
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

__all__ = ["BIASES", "chosen", "excess", "report", "suffered"]

Number = Any

BIASES = (0.0, 1.0, 3.0, 9.0)
"""How much one may exaggerate."""


def report(costs: Float[Array, "side project"], bias: Float[Array, "side"]) -> Float[Array, "side project"]:
    """Costs as they are told."""
    return jnp.clip(0.5 + (1 + bias[:, None]) * (costs - 0.5), 0.0, 1.0)


def chosen(reports: Float[Array, "side project"]) -> Int[Array, ""]:
    """The project of least reported cost."""
    return jnp.argmin(jnp.sum(reports, axis=0)).astype(jnp.int32)


def suffered(
    costs: Float[Array, "side project"], reports: Float[Array, "side project"], transfer: Number
) -> Float[Array, "side"]:
    """What each bears: its own cost of the chosen project and, times `transfer`, what it costs the other.

    That is what the other reports for the chosen project, above what it reports for the one that it likes best.
    """
    which = chosen(reports)
    other = reports[::-1]
    return costs[:, which] + transfer * (other[:, which] - jnp.min(other, axis=1))


def excess(costs: Float[Array, "side project"], reports: Float[Array, "side project"]) -> Float[Array, ""]:
    """True cost to both of what is chosen, above that of the best project."""
    both = jnp.sum(costs, axis=0)
    return both[chosen(reports)] - jnp.min(both)
