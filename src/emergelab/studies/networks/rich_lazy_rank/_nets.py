"""The two networks of the study `rich-lazy-rank`, and what each is at the start."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.nn.linear import gram_schmidt
from emergelab.nn.recurrent import Leaky, of_norm, towards

__all__ = ["Recurrent", "TwoLayer", "flat_start", "form"]


class Recurrent(eqx.Module):
    """Leaky rectified units without biases, read out linearly in every step."""

    layer: Leaky
    readout: Float[Array, "output unit"]

    @classmethod
    def make(cls, key: PRNGKeyArray, units: int, inputs: int, outputs: int, tau: Float[Array, ""]) -> Recurrent:
        """Inputs and readout uniform within +-1/sqrt(fan-in), time constant as given, recurrent weights zero."""
        of_in, of_out = jax.random.split(key)
        into = jax.random.uniform(of_in, (units, inputs), minval=-1.0, maxval=1.0) / inputs**0.5
        readout = jax.random.uniform(of_out, (outputs, units), minval=-1.0, maxval=1.0) / units**0.5
        return cls(Leaky(into, jnp.zeros((units, units)), None, jnp.reshape(tau, (1,))), readout)

    def __call__(self, inputs: Float[Array, "time batch input"]) -> Float[Array, "time batch output"]:
        """Logits in all steps. Sites: `tau`, `h`, `logits`."""
        return el.site("logits", self.layer(inputs) @ self.readout.T)


class TwoLayer(eqx.Module):
    """f(x) = readout . (weights x): linear in x, not in its weights."""

    weights: Float[Array, "unit input"]
    readout: Float[Array, "unit"]

    def map(self) -> Float[Array, "input"]:
        """The network as one vector m with f(x) = m . x. Site: `map`."""
        return el.site("map", self.weights.T @ self.readout)


def form(net: TwoLayer) -> Float[Array, "input input"]:
    """The tangent kernel of both layers as a form A: K(x, x') = x . A x'."""
    return net.weights.T @ net.weights + jnp.sum(net.readout**2) * jnp.eye(net.weights.shape[1])


def flat_start(
    key: PRNGKeyArray,
    units: int,
    length: Float[Array, ""],
    rank: Int[Array, ""],
    turn: Float[Array, ""],
) -> TwoLayer:
    """First layer with `rank` equal singular values on random directions, readout zero.

    Args:
        key: of the directions.
        units: hidden units, and inputs.
        length: Frobenius norm of the first layer.
        rank: number of singular values that are not zero.
        turn: how far one of the input directions is turned towards the first axis, where the target lies, as a share of
            the way.
    """
    of_left, of_right = jax.random.split(key)
    axis = jnp.zeros(units).at[0].set(1.0)
    left, right = (jax.random.normal(k, (units, units)) for k in (of_left, of_right))
    left, right = gram_schmidt(left), gram_schmidt(right.at[:, 0].set(towards(right[:, 0], axis, turn)))
    kept = (jnp.arange(units) < rank).astype(left.dtype)
    return TwoLayer(of_norm((left * kept) @ right.T, length), jnp.zeros(units))
