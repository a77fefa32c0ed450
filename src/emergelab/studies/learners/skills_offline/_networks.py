"""The networks of the study: a map of places, what a skill is worth, and who acts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["Net", "Perceptron", "Slow", "shapes"]


class Perceptron(eqx.Module):
    """Layers of units; in the hidden ones a Gaussian error unit, then layer normalisation as far as it is wanted.

    Attributes:
        weight, bias: of each layer.
    """

    weight: tuple[Float[Array, "_ _"], ...]
    bias: tuple[Float[Array, "_"], ...]

    @classmethod
    def make(cls, lots: Iterator[Float[Array, "..."]], sizes: Sequence[int]) -> Perceptron:
        """Weights of variance 1 / inputs, biases 0.

        Args:
            lots: standard normal numbers in the shapes of `shapes`.
            sizes: inputs, units of each hidden layer, outputs.
        """
        pairs = list(itertools.pairwise(sizes))
        weight = [next(lots) / jnp.sqrt(float(i)) for i, _ in pairs]
        return cls(tuple(weight), tuple(jnp.zeros(o) for _, o in pairs))

    def __call__(self, x: Float[Array, "*batch input"], norm: Float[Array, ""]) -> Float[Array, "*batch output"]:
        """What comes out.

        Args:
            x: what goes in.
            norm: 1 normalises the hidden layers of each example, 0 leaves them as they are.
        """
        *hidden, (weight, bias) = zip(self.weight, self.bias, strict=True)
        for w, b in hidden:
            x = jax.nn.gelu(x @ w + b)
            centred = x - jnp.mean(x, -1, keepdims=True)
            normal = centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), -1, keepdims=True) + 1e-5)
            x = norm * normal + (1 - norm) * x
        return x @ weight + bias


class Slow(eqx.Module):
    """What is also kept as a moving average, for others to aim at.

    Attributes:
        phi: from places to points whose distances are to be times.
        value: what following a skill from a place is worth.
    """

    phi: Perceptron
    value: Perceptron


class Net(eqx.Module):
    """All that learns.

    Attributes:
        fast: the map and the value of skills.
        policy: from a place and what is asked to the mean of the action.
        log_std: logarithm of the action's standard deviation, the same everywhere.
    """

    fast: Slow
    policy: Perceptron
    log_std: Float[Array, "action"]

    @classmethod
    def make(cls, lots: Sequence[Float[Array, "..."]], dims: int, width: int) -> Net:
        """Networks of two hidden layers.

        Args:
            lots: standard normal numbers in the shapes of `shapes`.
            dims: of the map, and of what is asked.
            width: of the hidden layers.
        """
        left = iter(lots)
        phi, value, policy = (Perceptron.make(left, sizes) for sizes in _sizes(dims, width))
        return cls(Slow(phi, value), policy, jnp.zeros(2))


def _sizes(dims: int, width: int) -> tuple[tuple[int, ...], ...]:
    """Inputs, hidden layers and outputs of map, value and policy."""
    return (2, width, width, dims), (2 + dims, width, width, 1), (2 + dims, width, width, 2)


def shapes(dims: int, width: int) -> list[tuple[int, int]]:
    """Shapes of all weights of a `Net`, in order."""
    return [pair for sizes in _sizes(dims, width) for pair in itertools.pairwise(sizes)]
