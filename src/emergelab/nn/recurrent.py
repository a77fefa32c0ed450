"""A layer of leaky recurrent units, and weights that such a layer may begin with.

A unit forgets what it holds with a time constant of its own, tau >= 1, in steps:

    h <- f((1 - 1/tau) h + (W h + V x + b) / tau)

With tau = 1 the layer keeps nothing but through its connections W. The time constants are trained or fixed, the
non-linearity is any, connections of a unit to itself may be forbidden. Sites: `tau`, and `h` in every step, which
`el.tap` reads as an array over time.

What W is at the start is a question of its own: `gaussian`, `of_rank`, `cell_types` and `shuffled` differ in structure
and can be held to the same Frobenius norm (`of_norm`). The norm does not fix the spectral radius
(`spectral_radius`), which is larger the fewer singular values share it.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from emergelab import site, site_scan
from emergelab.nn.linear import gram_schmidt

__all__ = [
    "CELL_TYPES", "Leaky", "cell_types", "gaussian", "norm", "of_norm", "of_rank", "quarter_circle",
    "shuffled", "spectral_radius", "towards",
]  # fmt: skip

Square = Float[Array, "unit unit"]


class Leaky(eqx.Module):
    """A recurrent layer.

    Attributes:
        into: weights of the inputs, V.
        weights: weights between the units, W: `weights[i, j]` is from unit j to unit i.
        bias: one a unit, or None.
        tau: time constants in steps, one a unit or one for all; what is below 1 counts as 1.
        bend: the non-linearity f.
        learns_tau: whether time constants are trained; else no gradient reaches them.
        self_connected: whether a unit hears itself; else the diagonal of W counts as 0.
    """

    into: Float[Array, "unit input"]
    weights: Square
    bias: Float[Array, "unit"] | None
    tau: Float[Array, "#unit"]
    bend: Callable[[Array], Array] = eqx.field(static=True, default=jax.nn.relu)
    learns_tau: bool = eqx.field(static=True, default=False)
    self_connected: bool = eqx.field(static=True, default=True)

    def rest(self, batch: int) -> Float[Array, "batch unit"]:
        """The state of units that have heard nothing: zero."""
        return jnp.zeros((batch, self.weights.shape[0]), self.weights.dtype)

    def constants(self) -> Float[Array, "#unit"]:
        """The time constants in force, in steps. Site: `tau`."""
        tau = self.tau if self.learns_tau else jax.lax.stop_gradient(self.tau)
        return site("tau", jnp.maximum(tau, 1.0))

    def __call__(
        self,
        inputs: Float[Array, "time batch input"],
        start: Float[Array, "batch unit"] | None = None,
        first: Int[Array, "..."] | None = None,
    ) -> Float[Array, "time batch unit"]:
        """The states after each step. Sites: `tau`, `h`.

        Args:
            inputs: what is shown.
            start: the state before the first step; `rest` if not given.
            first: the step with which the trial begins, one for all or one for each of the batch; before it the state
                is held. Trials of different lengths so share one program: let them end together.
        """
        share = 1.0 / self.constants()
        weights = self.weights if self.self_connected else self.weights * (1.0 - jnp.eye(len(self.weights)))
        drive = inputs @ self.into.T
        if self.bias is not None:
            drive = drive + self.bias

        def step(
            h: Float[Array, "batch unit"], now: tuple[Int[Array, ""], Float[Array, "batch unit"]]
        ) -> tuple[Float[Array, "batch unit"], Float[Array, "batch unit"]]:
            time, driven = now
            new = self.bend((1.0 - share) * h + share * (h @ weights.T + driven))
            if first is not None:
                new = jnp.where(jnp.reshape(time >= first, (-1, 1)), new, h)
            new = site("h", new)
            return new, new

        begin = self.rest(inputs.shape[1]) if start is None else start
        return site_scan(step, begin, (jnp.arange(len(inputs)), drive))[1]


# -- weights to begin with --------------------------------------------------------------------------------------------


def norm(matrix: Float[Array, "m n"]) -> Float[Array, ""]:
    """The Frobenius norm: the root of the sum of all squares."""
    return jnp.sqrt(jnp.sum(matrix**2))


def of_norm(matrix: Float[Array, "m n"], length: Float[Array, ""] | float) -> Float[Array, "m n"]:
    """The matrix, scaled to a Frobenius norm."""
    return matrix * (length / jnp.maximum(norm(matrix), 1e-12))


def gaussian(key: PRNGKeyArray, units: int, gain: float | Float[Array, ""] = 1.0) -> Square:
    """Independent entries N(0, gain^2 / units): eigenvalues fill a disc of radius `gain`."""
    return gain * jax.random.normal(key, (units, units)) / units**0.5


def quarter_circle(n: int) -> Float[np.ndarray, "value"]:
    """Singular values of a large Gaussian matrix with entries N(0, 1/n), in falling order: n quantiles of their law.

    The law (Marchenko and Pastur 1967, square case) has the density sqrt(4 - s^2) / pi on [0, 2].
    """
    grid = np.linspace(0.0, 2.0, 20_001)
    below = (grid * np.sqrt(4.0 - grid**2) / 2.0 + 2.0 * np.arcsin(grid / 2.0)) / np.pi
    return np.interp((np.arange(n)[::-1] + 0.5) / n, below, grid)


def of_rank(
    key: PRNGKeyArray,
    units: int,
    rank: int | Int[Array, ""],
    aims: tuple[Float[Array, "unit"], Float[Array, "unit"]] | None = None,
    turn: float | Float[Array, ""] = 0.0,
) -> Square:
    """A Gaussian matrix reduced to its `rank` leading singular values; scale it with `of_norm`.

    It is put together from what a singular value decomposition of a Gaussian matrix would find: left and right vectors
    that are independent and evenly spread, and values of the quarter-circle law. So no decomposition is needed.

    Args:
        key: of the directions.
        units: rows and columns.
        rank: how many singular values are kept; may be traced.
        aims: a left and a right vector towards which the leading ones are turned.
        turn: how far, as a share of the arc: 0 is not at all, 1 is all the way.
    """
    of_left, of_right = jax.random.split(key)
    sides = [jax.random.normal(k, (units, units)) for k in (of_left, of_right)]
    if aims is not None:
        sides = [a.at[:, 0].set(towards(a[:, 0], aim, turn)) for a, aim in zip(sides, aims, strict=True)]
    left, right = (gram_schmidt(a) for a in sides)
    kept = jnp.where(jnp.arange(units) < rank, jnp.asarray(quarter_circle(units), left.dtype), 0.0)
    return (left * kept) @ right.T


def towards(start: Float[Array, "n"], aim: Float[Array, "n"], turn: float | Float[Array, ""]) -> Float[Array, "n"]:
    """A unit vector on the arc between the directions of two vectors, at a share `turn` of the way."""
    start, aim = (v / jnp.maximum(jnp.sqrt(jnp.sum(v**2)), 1e-30) for v in (start, aim))
    cosine = jnp.clip(start @ aim, -1.0, 1.0)
    across = aim - cosine * start
    length = jnp.sqrt(jnp.sum(across**2))
    angle = turn * jnp.arctan2(length, cosine)
    return jnp.cos(angle) * start + jnp.sin(angle) * across / jnp.maximum(length, 1e-12)


CELL_TYPES = {
    "excitatory": 0.80,
    "parvalbumin": 0.08,
    "somatostatin": 0.07,
    "vip": 0.05,
}
"""Types of cortical cells and their shares, roughly as in mouse cortex; all but the first inhibit."""
_LINKED = np.array([
    [0.10, 0.50, 0.45, 0.05],
    [0.20, 0.50, 0.35, 0.05],
    [0.10, 0.10, 0.05, 0.40],
    [0.10, 0.05, 0.50, 0.05],
])  # fmt: skip
"""How likely a connection is, to a cell of the row's type from one of the column's."""


def cell_types(key: PRNGKeyArray, units: int, gain: float | Float[Array, ""] = 1.0) -> Square:
    """Weights with the structure of cortex: cells excite or inhibit (Dale's law), and types prefer types.

    A made-up connectome with what is generally reported: sparse excitation, dense inhibition, parvalbumin cells that
    inhibit each other and excitatory cells, somatostatin cells that spare their own kind, VIP cells that inhibit
    those, and log-normal weights. Excitation and inhibition onto each type balance on average. No data set is behind
    the numbers.

    Args:
        key: of everything random.
        units: how many cells; the types lie one behind the other.
        gain: the Frobenius norm is that expected of `gaussian` with this gain.
    """
    of_link, of_weight = jax.random.split(key)
    shares = np.cumsum(list(CELL_TYPES.values())) * units
    kind = np.searchsorted(shares, np.arange(units) + 0.5)
    chance = _LINKED[kind][:, kind]
    excites = kind == 0
    strength = jnp.exp(0.8 * jax.random.normal(of_weight, (units, units)))
    weights = jnp.where(jax.random.uniform(of_link, (units, units)) < chance, strength, 0.0)
    # Per row type: the inhibition expected balances the excitation expected.
    balance = chance[:, excites].sum(axis=1) / np.maximum(chance[:, ~excites].sum(axis=1), 1e-9)
    signed = jnp.where(excites, weights, -weights * balance[:, None])
    return of_norm(signed, gain * units**0.5)


def shuffled(key: PRNGKeyArray, matrix: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """The same entries in other places: norm and distribution are kept, structure is lost."""
    order = jnp.argsort(jax.random.uniform(key, (matrix.size,)))
    return matrix.ravel()[order].reshape(matrix.shape)


def spectral_radius(matrix: Square, doublings: int = 12) -> Float[Array, ""]:
    """The largest modulus of an eigenvalue, by Gelfand's formula |W^k|^(1/k) with k = 2^doublings.

    Repeated squaring needs no LAPACK and serves non-symmetric matrices on any device. The error is a factor of
    c^(1/k), with c the condition of the eigenvectors: below a per cent for what is found in networks.
    """

    def square(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        power, log = state
        power, log = power @ power, 2.0 * log
        size = jnp.maximum(norm(power), 1e-30)
        return (power / size, log + jnp.log(size)), None

    size = jnp.maximum(norm(matrix), 1e-30)
    (_, log), _ = jax.lax.scan(square, (matrix / size, jnp.log(size)), None, length=doublings)
    return jnp.exp(log / 2.0**doublings)
